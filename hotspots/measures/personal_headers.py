"""Names of columns that announce a person, against those that only count or place.

"Họ tên", "SĐT" and "Địa chỉ" announce one; "Tên phường", "Số nạn nhân", "Trộm điện thoại" do not.
"""

from __future__ import annotations

import re

from hotspots.measures.personal_patterns import LOW, UP, folded, plain_signs

_ALWAYS_OF_PERSONS = re.compile(
    r"\b(?:ho ten|ho va ten|hoten|hovaten|ten ho|ho dem|ten dem|ho chu dem|bi danh"
    r"|ten (?:nguoi|doi tuong|nan nhan|bi can|bi cao|bi hai|nghi can|nghi pham|chu ho|chu nha"
    r"|cong dan|ca nhan|khai sinh|thuong goi|cha|me|con|can bo)"
    r"|full ?name|first ?name|last ?name|surname|family name|given name|middle name|maiden name"
    r"|(?:person|victim|suspect|offender|owner)s? name"
    r"|(?<!hoc )(?<!phat )(?<!ve )(?<!thi )(?<!tuyen )(?<!khai )(?<!dan )(?<!an )sinh (?:ngay|nam)"
    r"(?! hoc)"
    r"|(?:ngay|nam|thang|noi) sinh(?! (?:hoat|vien|hoc|thai|san|song))|ngaysinh|namsinh|noisinh"
    r"|dob|date of birth|birth ?(?:date|day|year|place)|(?:year|place) of birth|birth"
    r"|dia chi|diachi|address(?:es)?|home ?town|so nha(?! (?:tro|nghi|hang|may|dan|van|thuoc|cao|xe"
    r"|kho|xuong|o|tre|vo))|sonha|ho khau|hokhau|que quan|quequan|nguyen quan|noi o|cho o"
    r"|noi cu tru|cu ngu)\b"
)
_THINGS_OF_PERSONS = re.compile(
    r"\b(?:cmnd|cmt|cmtnd|cccd|so cc|can cuoc|chung minh (?:nhan dan|thu)|giay to tuy than|so gttt"
    r"|so dinh danh|dinh danh ca nhan|ho chieu|passport|gplx|(?:giay phep|bang) lai xe"
    r"|driv(?:er|ing)s? (?:s )?licen[cs]e|id card|id ?(?:no|number)|national id|citizen id"
    r"|identity(?: (?:card|number|no))?|social security|bhxh|bhyt|so tai khoan|stk|bank account"
    r"|sdt|dien thoai|dienthoai|sodienthoai|so dt|dtdd|so di dong|phone(?:s| ?number)?|telephone"
    r"|tel|cell ?phone|zalo|facebook|e ?mail|emails|thu dien tu|bien so|bienso|biensoxe"
    r"|bien kiem soat|bks|so khung|plates?|plate ?number|licen[cs]e ?plate)\b|^(?:mobile|cc)$"
)
# "Trộm điện thoại", "Số vụ lừa đảo qua Zalo": offences that are counted.
_OF_OFFENCES = re.compile(
    r"\b(?:trom|cuop|cap|giat|lua dao|lam gia|gia mao|gia|mua ban|chiem doat|che|vu|qua|vi pham|toi"
    r"|so luong|tong so|ty le|theft|thefts|stolen|fake|forged|fraud)\b(?! dinh)"
)
_PERSONS = re.compile(
    r"\b(?:nan nhan|nannhan|bi can|bi cao|bi hai|nghi can|nghi pham|can pham|pham nhan|than nhan"
    r"|nguoi (?:bao tin|to giac|lam chung|vi pham|pham toi)|nhan chung|chu ho|chu nha|cong dan"
    r"|victims?|suspects?|witness(?:es)?|offenders?|perpetrators?|informants?|complainants?"
    r"|defendants?)\b|^doi tuong$"
)
_RESIDENTS = re.compile(r"\b(?:thuong tru|tam tru)\b")
_COUNTED = re.compile(
    r"^so\b|\b(?:so luong|tong|ty le|so (?:nguoi|ho|luot|vu)|dan so|nhan khau|vu|counts?|number"
    r"|rate|total|per|percent|population)\b"
)
_TOLD_APART = re.compile(r"\b(?:ten|tuoi|gioi tinh|name|age|sex|gender)\b")


def announces_person(name: str, *, small_numbers: bool) -> bool:
    """Whether the name of a column says that persons are told apart in it.

    Parameters
    ----------
    name : str
        As in the file.
    small_numbers : bool
        Whether its cells are all small numbers: "Nạn nhân" is then a count of victims.

    Examples
    --------
    >>> announces_person("HoTen_NanNhan", small_numbers=False)
    True
    >>> announces_person("Tên phường", small_numbers=False)
    False
    """
    plain = _header_words(name)
    if _ALWAYS_OF_PERSONS.search(plain) or re.fullmatch(r"\s*(?:Số )?ĐT[.:]?\s*", name):
        return True
    if _THINGS_OF_PERSONS.search(plain) and not _OF_OFFENCES.search(plain):
        return True
    if _COUNTED.search(plain):
        return False
    if _PERSONS.search(plain):
        return not small_numbers or _TOLD_APART.search(plain) is not None
    return _RESIDENTS.search(plain) is not None


def _header_words(name: str) -> str:
    """Small plain letters, one blank between words: "HoTen", "ho_ten" and "Họ tên" are equal."""
    parted = re.sub(rf"(?<={LOW})(?={UP})", " ", plain_signs(name))
    return " ".join(re.findall("[a-z0-9]+", folded(parted)))
