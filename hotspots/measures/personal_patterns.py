"""What gives a person away in one text: numbers, plates, births, houses and names.

Each kind has a fast pattern, written for Arrow's regular expressions, and a close look at what the
pattern lets through.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass


def words(text: str) -> list[str]:
    """The words of a list written as text."""
    return text.split()


# --- Signs ---

_LETTERS = [chr(code) for code in (*range(0x41, 0x5B), *range(0x61, 0x7B), *range(0xC0, 0x250))]
_LETTERS += [chr(code) for code in range(0x1EA0, 0x1EFA)]
UP = "[" + "".join(sign for sign in _LETTERS if sign.isupper()) + "]"
LOW = "[" + "".join(sign for sign in _LETTERS if sign.islower()) + "]"

UNUSUAL_SIGN = "[^\\t\\n\\r -~\u00c0-\u024f\u1ea0-\u1ef9“”‘’²³°·•€₫«»±§]"
_UNUSUAL = re.compile(UNUSUAL_SIGN)
_OFTEN_SEEN = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012–—−", "-")
    | {"…": "...", "\u00a0": " ", "\u202f": " "}
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad")
)
# Blanks that are letters to Unicode.
_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"


def plain_signs(text: str) -> str:
    """Digits of all scripts as 0 to 9, every blank and dash as one, and nothing unseen."""
    plain = text.translate(_OFTEN_SEEN)
    if not _UNUSUAL.search(plain):
        return plain
    return "".join(map(_plain_sign, unicodedata.normalize("NFKC", text)))


def _plain_sign(sign: str) -> str:
    if sign.isascii():
        return sign if sign.isprintable() or sign in "\t\r\n" else ""
    category = unicodedata.category(sign)
    if category == "Nd":
        return str(unicodedata.digit(sign))
    if category in ("Zs", "Zl", "Zp"):
        return " "
    if category == "Pd" or sign == "−":
        return "-"
    unseen = category in ("Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me") or sign in _BLANK_LETTERS
    return "" if unseen else sign


def _without_accent(letter: str) -> str:
    decomposed = unicodedata.normalize("NFD", letter.replace("đ", "d"))
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


_WITHOUT_ACCENTS = {ord(letter): _without_accent(letter) for letter in _LETTERS}


def folded(text: str) -> str:
    """Small letters without accents, of a text in plain signs."""
    return text.casefold().translate(_WITHOUT_ACCENTS)


# --- One text ---


def kinds_within(text: str) -> set[str]:
    """Kinds of personal data that a text in ordinary signs shows."""
    return {kind for sieve in SIEVES for kind in sieve.kinds(text)}


@dataclass(frozen=True)
class Sieve:
    """A fast pattern and the close look at what it lets through.

    Attributes
    ----------
    pattern : str
        For Arrow's regular expressions: whatever `kinds` finds something in, matches it.
    kinds : callable
        The kinds that a text in ordinary signs really shows.
    """

    pattern: str
    kinds: Callable[[str], Collection[str]]


_HASH = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[0-9]*[a-f])[0-9a-f]{24,}\b", re.I
)
_TIMESTAMP = re.compile(
    r"(?<![0-9])(?:(?:0?[1-9]|[12][0-9]|3[01])([/.-])(?:0?[1-9]|1[0-2])\1(?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}([/.-])(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12][0-9]|3[01]))(?![0-9])"
    r"(?:[T ][0-9]{1,2}:?[0-9]{2}(?::?[0-9]{2})?(?![0-9]))?"
)
_EMAIL = re.compile(
    r"[A-Za-z0-9_.+%-]\s?@\s?(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z])"
)

# Numbers: amounts and measures are masked, what is left is read as groups of digits.
_MANY_DIGITS = r"(?:[0-9][ \t\r\n.()'’_-]{0,3}){8}[0-9]"
_AMOUNT = re.compile(
    r"(?<![0-9+])(?<![0-9]\.)[-+]?(?:[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]+)?"
    r"|[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?"
    r"|(?:0|[1-9][0-9]*)\.(?!0\b)[0-9]+(?!\.[0-9])|(?:0|[1-9][0-9]*),[0-9]+(?!,[0-9]))(?![0-9])"
)
# What follows a decimal sign in a sentence may be a number of a person: "số 3,0903123456". Shapes
# and numbers written as text have letters too, but no words.
_LETTER_OF_A_NUMBER = re.compile(
    r"^(?:SRID=[0-9]+;)?\s?(?:MULTI)?(?:POINT|LINESTRING|POLYGON)\s?[ZM]{0,2}\s?(?=\()"
    r"|(?<=[0-9.])E(?=[+-]?[0-9])|(?<=[0-9°])\s?[NSEWBĐ]\b",
    re.I,
)
_LETTER = re.compile(r"[^\W\d_]")
_LONGEST_FRACTION = 6
_FRACTION_FROM_ZERO = re.compile(r"(?:,0|\.0[0-9]{3})[0-9]*$")
_DIALLED = re.compile(r"(?:(?<![0-9.,])0[0-9]{1,4}|84\)?)[ .()-]{1,2}$")
_ABROAD = re.compile(
    r"\+\s?(?:84(?:[ .()'-]{0,3}[0-9]){8,11}|[1-9](?:[ ()-]{0,3}[0-9]){9,13})(?![0-9])"
)
_RUN = re.compile(r"[0-9]+(?:[ \t\r\n.()'’_-]{1,3}[0-9]+)*")
_CITIZEN = re.compile(r"0(?:0[1-9]|[1-8][0-9]|9[0-6])[0-3][0-9]{8}")
_MOBILE = r"(?:3[2-9]|5[25689]|7[06-9]|8[1-9]|9[0-9])[0-9]{7}"
_FIXED = r"2[0-9]{9}"
_PHONE = re.compile(
    rf"0{_MOBILE}|0{_FIXED}|(?:00)?84(?:{_MOBILE}|{_FIXED})|01(?:2|6|8|9)[0-9]{{8}}"
)
_NUMBER_OF_PERSON = re.compile(f"{_CITIZEN.pattern}|{_PHONE.pattern}")
_NINE_DIGITS = re.compile("[0-9]{9}|[0-9]{3}[^0-9]{1,3}[0-9]{3}[^0-9]{1,3}[0-9]{3}")
_YEAR = re.compile("(?:19|20)[0-9]{2}")
_LONGEST = 14
_LONGEST_WRITTEN = 4 * _LONGEST


def _number_kinds(text: str) -> Iterator[str]:
    if _ABROAD.search(text):
        yield "phone"
    in_words = _LETTER.search(_LETTER_OF_A_NUMBER.sub("", text)) is not None
    masked = _masked_in_words if in_words else _masked
    for run in _RUN.finditer(_AMOUNT.sub(masked, text)):
        groups = re.findall("[0-9]+", run[0])
        if _NUMBER_OF_PERSON.search("".join(groups)) or _NINE_DIGITS.search(run[0]):
            for window in _windows(groups):
                yield from _number_kind(window)


def _masked(amount: re.Match[str]) -> str:
    """Nothing of an amount; "123.456" stays where "0903 " stands in front."""
    before = amount.string[max(0, amount.start() - 8) : amount.start()]
    return amount[0] if _DIALLED.search(before) else " ; "


def _masked_in_words(amount: re.Match[str]) -> str:
    """As `_masked`; a fraction stays that is too long for one, or begins a number of a person."""
    fraction = re.split("[.,]", amount[0])[-1]
    if len(fraction) > _LONGEST_FRACTION:
        return amount[0]
    if _FRACTION_FROM_ZERO.search(amount[0]):
        start = amount.end() - len(fraction)
        run = _RUN.match(amount.string[start : start + _LONGEST_WRITTEN])
        if run and _NUMBER_OF_PERSON.match(re.sub("[^0-9]", "", run[0])):
            return amount[0]
    return _masked(amount)


def _windows(groups: list[str]) -> Iterator[list[str]]:
    """Neighbouring groups that together have as many digits as a number of a person."""
    for start in range(len(groups)):
        digits = 0
        for end in range(start, len(groups)):
            digits += len(groups[end])
            if digits > _LONGEST:
                break
            if digits >= 9:
                yield groups[start : end + 1]


def _number_kind(groups: list[str]) -> Iterator[str]:
    digits = "".join(groups)
    sizes = tuple(map(len, groups))
    if _is_list(groups) or _is_file_number(groups, sizes):
        return
    if _CITIZEN.fullmatch(digits) and (min(sizes) >= 3 or max(sizes) <= 2 or sizes == (3, 1, 2, 6)):
        yield "identity_number"
    # Two groups of five are two ward codes; 84 and nine digits may be an amount, then it is round.
    round_amount = digits.startswith("84") and len(groups) == 1 and digits.endswith("000")
    if _PHONE.fullmatch(digits) and sizes != (5, 5) and not round_amount:
        yield "phone"
    if sizes in ((9,), (3, 3, 3)) and not digits.endswith("000"):
        yield "nine_digits"


def _is_list(groups: list[str]) -> bool:
    """Whether the groups are days or months in a row: 07 08 09 10 11, not 09 03 12 34 56."""
    return max(map(len, groups)) == 2 and all(int(group) <= 31 for group in groups)


def _is_file_number(groups: list[str], sizes: tuple[int, ...]) -> bool:
    """Whether a year stands in the middle: 001-2025-00012."""
    return sizes != (4, 4, 4) and any(_YEAR.fullmatch(group) for group in groups[1:-1])


# Plates: 59A-123.45, 59-X1 123.45, 51F 12345, 29-MĐ1 1234; a year (12A-2024) is a school class.
_PERHAPS_PLATE = (
    r"(?i)[1-9][0-9][ .-]{0,3}[A-ZĐ][0-9A-ZĐ]?[0-9]?[ .-]{0,3}[0-9]{3}[ .]?(?:[0-9]{2}|[0-9])"
)
_PLATE = re.compile(
    r"(?<![0-9A-Za-zĐđ.,/])[1-9][0-9](?P<gap>[ .-]{0,3})"
    r"(?P<series>(?i:[A-HK-NPR-VX-ZĐ][A-HK-NPR-VX-ZĐ]?[0-9]?))"
    r"(?P<space>[ .-]{0,3})(?P<number>[0-9]{3}[ .]?[0-9]{2}|[0-9]{4})(?![0-9A-Za-zĐđ])"
)


def _is_plate(found: re.Match[str]) -> bool:
    number = re.sub("[^0-9]", "", found["number"])
    marked = "-" in found["gap"] + found["space"] or "." in found["number"]
    if number.startswith("000"):
        return False
    if len(number) == 4:
        return not _YEAR.fullmatch(number) and (marked or not found["space"])
    return marked or found["series"].isupper() or found["series"][-1].isdigit()


# Births: "sinh năm 1990", "SN 1990"; not "phát sinh năm 2025", not "học sinh 2025".
_PERHAPS_BIRTH = (
    r"(?i)(?:sinh(?:\s+(?:ngày|tháng|năm|vào|ngay|thang|nam|vao))*|born(?:\s+(?:in|on))?|dob"
    r"|(?:^|[^\pL])sn)\s*[:.(-]?\s*[0-9]"
)
_BIRTH = re.compile(
    r"(?:(?<!\w)(?P<before>\w{1,12}) )?"
    r"\b(?:sinh(?:\s+(?:ngay|thang|nam|vao)\b)*|sn|dob|born(?:\s+(?:in|on))?)"
    r"\s*[:.(-]?\s*(?:[0-9]{1,2}\s*(?:[/.-]|thang|nam)\s*){0,2}(?:19|20)[0-9]{2}\b"
)
_NOT_BORN = frozenset(
    words(
        "an dan dau gia hoc hi hy khai khi ky moi muu nay nguyen phat phuc quyen sac san so tai "
        "tan thi tien tuyen ve"
    )
)


# Names of people: a surname in front, two to five words with capitals, no digits.
_STRONG = words(
    "Nguyễn Trần Lê Phạm Huỳnh Hoàng Phan Vũ Võ Đặng Bùi Đỗ Ngô Dương Lý Đinh Đoàn Trịnh Trương "
    "Đào Phùng Quách Lương Tạ Tăng Vương Nguyen Tran Le Pham Huynh Hoang Phan Vu Vo Dang Bui Do "
    "Ngo Duong Ly Dinh Doan Trinh Truong Dao Phung Quach Luong"
)
# These also begin places and things (Hồ Gươm, Cao Lãnh, Mai Dịch), so two words are not enough.
_WEAK = words(
    "Hồ Mai Cao Hà Lưu Thái Châu Tô Văn Lại Hứa Thạch Diệp Từ Chu La Đàm Tống Lâm Tôn Kim Ho Ha"
)
_MIDDLE = "(?:Văn|Thị|Van|Thi|VĂN|THỊ|VAN|THI|văn|thị|van|thi)"
_SURNAMES = "(?:" + "|".join([*_STRONG, *_WEAK, *map(str.upper, _STRONG + _WEAK)]) + ")"
_TITLE_NAME = (
    rf"(?:(?:{'|'.join(_STRONG)})|(?:{'|'.join(_WEAK)})[ ]{UP}{LOW}*\.?)(?:[ ]{UP}{LOW}*\.?){{1,4}}"
)
_CAPITAL_NAME = rf"(?:{'|'.join(map(str.upper, _STRONG))})(?:[ ]{_MIDDLE})?(?:[ ]{UP}+){{1,3}}"
_SMALL_NAME = (
    r"(?:nguyễn|trần|lê|phạm|huỳnh|hoàng|phan|vũ|võ|đặng|bùi|đỗ|ngô|nguyen|tran|pham|huynh)"
    rf"[ ]{_MIDDLE}(?:[ ]{LOW}+){{1,3}}"
)
WHOLE_NAME = re.compile(rf"^(?:{_TITLE_NAME}|{_CAPITAL_NAME}|{_SMALL_NAME})$")
_CUE_BEFORE_NAME = (
    rf"(?:^|[^{UP[1:-1]}{LOW[1:-1]}])(?i:ông|bà|anh|chị|cô|em|cháu|đ/c|đồng chí|đối tượng|bị can"
    r"|bị cáo|nghi can|nghi phạm|nạn nhân|bị hại|họ tên|họ và tên|tên là|chủ hộ|chủ nhà|công dân)"
    rf"[ ]?[:.]?[ ]{_SURNAMES}[ ]{UP}"
)
_NAME_BEFORE_CUE = (
    rf"{_SURNAMES}(?:[ ]{UP}[{UP[1:-1]}{LOW[1:-1]}]*){{1,4}}[ ]?[,(-][ ]?"
    r"(?i:sinh[ ](?:năm|ngày|[0-9])|sn[ .:]|[0-9]{1,3}[ ]tuổi)"
)
_NAME_IN_TEXT = re.compile(f"{_CUE_BEFORE_NAME}|{_NAME_BEFORE_CUE}")


# Houses: "số nhà 12", "12/3 Lê Lợi", "123 đường Nguyễn Trãi"; not "đường 3 Tháng 2", "tổ 5".
_PERHAPS_HOUSE = (
    r"(?i:số nhà|so nha|nhà số|nha so|(?:^|[^\pL])sn)\s*[:.]?\s*[0-9]"
    r"|(?i:hẻm|hem|ngõ|ngo|ngách|ngach|kiệt|kiet)\s+[0-9]{1,4}[A-Za-z]?/[0-9]"
    r"|(?i:số|so)\s+[0-9]{1,4}[A-Za-z]?(?:/[0-9]{1,4}[A-Za-z]?)*,?\s+"
    r"(?i:đường|phố|hẻm|ngõ|ngách|kiệt|quốc lộ|duong|pho|hem|ngo|ngach|kiet|quoc lo|ql)"
    r"|[0-9][A-Za-z]?\s*,?\s+(?:(?i:đường|phố|hẻm|ngõ|ngách|kiệt)\s+(?:\p{Lu}|[0-9])"
    r"|\p{Lu}[\pL0-9_]*\s+\p{Lu})"
)
_HOUSE_WORDS = re.compile(
    r"(?<!tong )\b(?:so nha|nha so)\s*[:.]?\s*[0-9]"
    r"|\bsn\s*[:.]?\s*(?!(?:19|20)[0-9]{2}\b)[0-9]{1,4}[a-z]?\b"
    r"|\b(?:hem|ngo|ngach|kiet)\s+[0-9]{1,4}[a-z]?(?:/[0-9]{1,4}[a-z]?)+"
    r"|(?<!duong )(?<!pho )(?<!tinh lo )\bso\s+[0-9]{1,4}[a-z]?(?:/[0-9]{1,4}[a-z]?)*,?\s+"
    r"(?:duong|pho|hem|ngo|ngach|kiet|quoc lo|ql)\b(?! day)"
)
_NUMBER_AND_NAME = re.compile(
    r"(?<![\w/.,-])(?P<number>[0-9]{1,4}[A-Za-z]?"
    r"(?:[/-][0-9]{1,4}[A-Za-z]?){0,4})\s*,?\s+"
    rf"(?:(?P<way>(?:[Đđ]ường|[Pp]hố|ĐƯỜNG|PHỐ|[Hh]ẻm|[Nn]gõ|[Nn]gách|[Kk]iệt)\s+(?={UP}|[0-9]))"
    rf"|(?P<name>{UP}\w*)\s+(?={UP}))"
)
# "Quận 10 Lê Lợi" and "tổ 5 Nguyễn Trãi" are no houses.
_NUMBERED = frozenset(
    words(
        "ap bot buu ca can cau chot cong cum cua diem doan doi dot dt duong gio hl kcn khom khoi "
        "khu km kp lan lau lo loai nam nga ngay nhom p pho phong phuong ql quan q quy tang thang "
        "thon thu tl to toa tuan tuyen vien vu x xa"
    )
)
_STREETS = frozenset(
    words(
        "an_duong au_co ba_huyen ba_thang bach_dang cach_mang co_bac cong_hoa dien_bien dong_khoi "
        "hai_ba ham_nghi hoang_sa hong_bang hung_vuong kinh_duong ky_dong lac_long nam_ky pham_ngu "
        "quang_trung su_van ton_duc ton_that truong_chinh truong_sa ung_van xo_viet "
    )
)
_SURNAME_WORDS = frozenset(name.casefold() for name in _STRONG + _WEAK)
# Streets and squares named after a day: "30/4 Lê Lợi" is a corner.
_DAYS = frozenset(words("30/4 3/2 2/9 23/9 19/8 1/5 26/3 22/12 19/5"))


def _is_house(found: re.Match[str], text: str) -> bool:
    ahead = folded(text[max(0, found.start() - 20) : found.start()]).replace(".", " ").split()
    if ahead and ahead[-1] == "so":  # "số 12 Lê Lợi" is a house, "đường số 12 Lê Lợi" is none.
        ahead.pop()
    before = ahead[-1] if ahead else ""
    if before in _NUMBERED or found["number"] in _DAYS:
        return False
    if found["way"]:
        return True
    first = found["name"].casefold()
    second = text[found.end() : found.end() + 30].split(maxsplit=1)[0].strip(".,;")
    return first in _SURNAME_WORDS or folded(f"{first}_{second}") in _STREETS


def _emails(text: str) -> Collection[str]:
    return ["email"] if _EMAIL.search(text) else ()


def _names(text: str) -> Collection[str]:
    return ["personal_name"] if _NAME_IN_TEXT.search(text) else ()


def _numbers(text: str) -> Collection[str]:
    return set(_number_kinds(_undated(text)))


def _plates(text: str) -> Collection[str]:
    return ["number_plate"] if any(map(_is_plate, _PLATE.finditer(_undated(text)))) else ()


def _undated(text: str) -> str:
    return _TIMESTAMP.sub(" ; ", _HASH.sub(" ; ", text))


def _births(text: str) -> Collection[str]:
    births = _BIRTH.finditer(_single_blanks(folded(text)))
    return ["birth_date"] if any(birth["before"] not in _NOT_BORN for birth in births) else ()


def _houses(text: str) -> Collection[str]:
    text = _single_blanks(text)
    named = any(_is_house(found, text) for found in _NUMBER_AND_NAME.finditer(text))
    return ["house_address"] if named or _HOUSE_WORDS.search(folded(text)) else ()


def _single_blanks(text: str) -> str:
    """A megabyte of blanks must not be tried over and over."""
    return " ".join(text.split())


SIEVES = (
    Sieve("@", _emails),
    Sieve(_NAME_IN_TEXT.pattern, _names),
    Sieve(_MANY_DIGITS, _numbers),
    Sieve(_PERHAPS_PLATE, _plates),
    Sieve(_PERHAPS_BIRTH, _births),
    Sieve(_PERHAPS_HOUSE, _houses),
)
