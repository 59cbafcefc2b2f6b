"""Old Vietnamese encodings: told apart over a file, read in any pieces, else left alone."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspots.errors import IntakeError
from hotspots.records.reading import encodings
from hotspots.records.reading.encodings import convert, decoder, detect, looks_legacy

NAMES = (
    "Phường Bến Thành",
    "Quận Gò Vấp",
    "Phường Thảo Điền",
    "Thị trấn Củ Chi",
    "Phường Võ Thị Sáu",
    "Phường Hiệp Bình Chánh",
    "Xã Nhị Bình",
    "Phường Trường Thọ",
    "Trộm cắp tài sản",
    "Gây rối trật tự công cộng",
    "Cố ý gây thương tích",
    "Đường Nguyễn Đình Chiểu",
)
# Written by hand from the code charts of VNI for Windows and TCVN 5712.
IN_VNI = {
    "Phường Bến Thành": "Phöôøng Beán Thaønh",
    "Quận Gò Vấp": "Quaän Goø Vaáp",
    "Phường Thảo Điền": "Phöôøng Thaûo Ñieàn",
    "Thị trấn Củ Chi": "Thò traán Cuû Chi",
    "Phường Võ Thị Sáu": "Phöôøng Voõ Thò Saùu",
    "Phường Hiệp Bình Chánh": "Phöôøng Hieäp Bình Chaùnh",
    "Xã Nhị Bình": "Xaõ Nhò Bình",
    "Phường Trường Thọ": "Phöôøng Tröôøng Thoï",
    "Trộm cắp tài sản": "Troäm caép taøi saûn",
    "Gây rối trật tự công cộng": "Gaây roái traät töï coâng coäng",
    "Cố ý gây thương tích": "Coá yù gaây thöông tích",
    "Đường Nguyễn Đình Chiểu": "Ñöôøng Nguyeãn Ñình Chieåu",
}
IN_TCVN3 = {
    "Phường Bến Thành": "Ph\xadêng BÕn Thµnh",
    "Quận Gò Vấp": "QuËn Gß VÊp",
    "Phường Thảo Điền": "Ph\xadêng Th¶o §iÒn",
    "Thị trấn Củ Chi": "ThÞ trÊn Cñ Chi",
    "Phường Võ Thị Sáu": "Ph\xadêng Vâ ThÞ S¸u",
    "Phường Hiệp Bình Chánh": "Ph\xadêng HiÖp B×nh Ch¸nh",
    "Xã Nhị Bình": "X· NhÞ B×nh",
    "Phường Trường Thọ": "Ph\xadêng Tr\xadêng Thä",
    "Trộm cắp tài sản": "Trém c¾p tµi s¶n",
    "Gây rối trật tự công cộng": "G©y rèi trËt tù c«ng céng",
    "Cố ý gây thương tích": "Cè ý g©y th\xad¬ng tÝch",
    "Đường Nguyễn Đình Chiểu": "§\xadêng NguyÔn §×nh ChiÓu",
}


def in_cp1258(text: str) -> bytes:
    """Windows-1258 keeps ă, â, ê, ô, ơ, ư, đ as letters, and every tone as a mark behind."""
    out = b""
    for letter in text:
        try:
            out += letter.encode("cp1258")
        except UnicodeEncodeError:
            marks = unicodedata.normalize("NFD", letter)
            tone = next(mark for mark in marks if mark in "\u0300\u0301\u0303\u0309\u0323")
            bare = unicodedata.normalize("NFC", marks.replace(tone, ""))
            out += bare.encode("cp1258") + tone.encode("cp1258")
    return out


def as_bytes(text: str, encoding: str) -> bytes:
    if encoding == "cp1258":
        return in_cp1258(text)
    drawn = IN_VNI if encoding == "vni" else IN_TCVN3
    for name, letters in drawn.items():
        text = text.replace(name, letters)
    return text.encode("latin-1")


FILE = "mã,tên\n".replace("ã", "a").replace("ê", "e") + "\n".join(
    f"{number:05},{name}" for number, name in enumerate(NAMES)
)


@pytest.mark.parametrize("encoding", encodings.LEGACY)
def test_a_file_in_a_legacy_encoding_is_told_and_read(encoding: str) -> None:
    content = as_bytes(FILE, encoding)
    assert detect(content)[0] == encoding
    assert set(detect(content)) <= set(encodings.LEGACY)
    assert decoder(encoding).decode(content, final=True) == FILE


@pytest.mark.parametrize("encoding", encodings.LEGACY)
@pytest.mark.parametrize("name", NAMES)
def test_most_single_names_are_enough(encoding: str, name: str) -> None:
    assert detect(as_bytes(name, encoding))[0] == encoding


@pytest.mark.parametrize("encoding", encodings.LEGACY)
def test_capitals_do_not_hide_an_encoding(encoding: str) -> None:
    text = "PHƯỜNG BẾN THÀNH, QUẬN GÒ VẤP"
    small = "Phường Bến Thành, Quận Gò Vấp"
    shouted = {
        "cp1258": in_cp1258(text),
        "vni": as_bytes(small, "vni").decode("latin-1").upper().encode("latin-1"),
        # a capital ABC font: small letters with marks between capitals
        "tcvn3": b"PH\xad\xeaNG B\xd5N TH\xb5NH, QU\xcbN G\xdf V\xcaP",
    }[encoding]
    assert detect(shouted)[0] == encoding
    assert decoder(encoding).decode(shouted, final=True).upper() == text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ("utf-8",)),
        (b"code,count\n00123,1\n", ("utf-8",)),
        ("mã,tên\n1,Bến Thành".encode(), ("utf-8",)),
        ("mã".encode("utf-8-sig"), ("utf-8",)),
        ("mã,tên\n1,Bến".encode("utf-16"), ("utf-16-le",)),
        ("mã,tên\n1,Bến".encode("utf-16-le"), ("utf-16-le",)),
        ("mã,tên\n1,Bến".encode("utf-16-be"), ("utf-16-be",)),
        ("\ufeffmã,tên".encode("utf-16-be"), ("utf-16-be",)),
        (b"a,b\x00\x01\x00c", ()),
        (b"PK\x03\x04\x00\x00", ()),
    ],
)
def test_unicode_is_told_by_its_bytes(content: bytes, expected: tuple[str, ...]) -> None:
    assert detect(content) == expected


def test_a_sample_cut_within_a_letter_is_still_utf8() -> None:
    content = "Phường Bến Thành".encode()
    assert {detect(content[:end]) for end in range(1, len(content))} == {("utf-8",)}


@pytest.mark.parametrize("base", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("letters", encodings.IN_UNICODE)
def test_legacy_letters_inside_unicode_are_offered_and_only_then_converted(
    base: str, letters: str
) -> None:
    garbled = as_bytes(FILE, letters).decode("latin-1")
    content = garbled.encode(base)
    assert detect(content) == (base, f"{base}+{letters}")
    assert decoder(base).decode(content, final=True) == garbled
    assert decoder(f"{base}+{letters}").decode(content, final=True) == FILE
    assert looks_legacy(garbled) == letters
    assert convert(garbled, letters) == FILE


@pytest.mark.parametrize(
    "text",
    [
        "Phường Bến Thành",
        "Quận Gò Vấp, Xã Nhị Bình",
        "Hà Nội, Lâm Đồng, Đắk Lắk",
        "Café Müller, Façade, España",
        "26740; 12,5 m²; 30 °C; © 2025",
        "",
        "plain",
        unicodedata.normalize("NFD", "Phường Bến Thành"),
    ],
)
def test_other_text_is_not_taken_for_legacy(text: str) -> None:
    assert looks_legacy(text) is None


def test_a_cell_with_real_vietnamese_letters_is_left_alone() -> None:
    assert convert("Phường Võ Thị Sáu", "tcvn3") == "Phường Võ Thị Sáu"
    assert convert("Phường Võ Thị Sáu", "cp1258") == "Phường Võ Thị Sáu"


def test_a_cell_typed_in_a_capital_font_becomes_capitals() -> None:
    assert convert("QUËN GÒ VÊP".replace("Ò", "ß"), "tcvn3") == "QUẬN GÒ VẤP"
    assert convert("Tæ 5", "tcvn3") == "Tổ 5"


def test_quotes_and_dashes_of_windows_survive_in_abc_text() -> None:
    assert decoder("tcvn3").decode(b"T\xe6 5 \x96 \x93khu\x94", final=True) == "Tổ 5 – “khu”"


@given(
    text=st.text(st.sampled_from([*"aAeEoOuUyY ,;\n1", *"".join(NAMES)]), max_size=60),
    cuts=st.lists(st.integers(0, 200), max_size=6),
    encoding=st.sampled_from([*encodings.LEGACY, "utf-8", "utf-16-le", "utf-8+vni", "utf-8+tcvn3"]),
)
def test_pieces_decode_to_the_same_text_wherever_they_are_cut(
    text: str, cuts: list[int], encoding: str
) -> None:
    base, _, letters = encoding.partition("+")
    content = in_cp1258(text) if encoding == "cp1258" else text.encode("utf-8")
    if encoding in encodings.IN_UNICODE:  # any bytes that mean something do
        content = bytes(byte for byte in content if byte < 0x80 or byte >= 0xA0)
    elif base.startswith("utf"):
        content = text.encode(base)
    whole = decoder(encoding).decode(content, final=True)
    pieces = decoder(encoding)
    ends = [*sorted(min(cut, len(content)) for cut in cuts), len(content)]
    got, start = "", 0
    for end in ends:
        got += pieces.decode(content[start:end])
        start = end
    got += pieces.decode(b"", final=True)
    assert got == whole
    if encoding in encodings.LEGACY:
        assert whole == unicodedata.normalize("NFC", whole)
    if not letters and base.startswith("utf"):
        assert whole == text


@given(content=st.binary(max_size=200))
def test_any_bytes_have_known_encodings_that_decode_them_or_say_why_not(content: bytes) -> None:
    for encoding in detect(content):
        assert encoding in encodings.ENCODINGS
        try:
            assert isinstance(decoder(encoding).decode(content, final=True), str)
        except UnicodeDecodeError:
            assert encoding.startswith("utf")  # cut within a letter, or half a pair


def test_bytes_that_mean_nothing_are_an_error_and_not_a_guess() -> None:
    for encoding in ("tcvn3", "vni", "cp1258"):
        with pytest.raises(UnicodeDecodeError):
            decoder(encoding).decode(b"a\x8d\x90", final=True)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(IntakeError) as refused:
        decoder("rot13")
    assert refused.value.reason == "encoding_unknown"


def test_a_byte_order_mark_is_dropped_and_a_later_one_is_not() -> None:
    assert decoder("utf-16-le").decode("\ufeffa\ufeff".encode("utf-16-le"), True) == "a\ufeff"
    assert decoder("utf-8").decode("\ufeffa".encode(), True) == "a"


@pytest.mark.skipif(shutil.which("iconv") is None, reason="no iconv to compare with")
def test_the_letters_of_tcvn3_agree_with_glibc() -> None:
    letters = [byte for byte in range(0xA0, 0x100) if not 0xB0 <= byte <= 0xB4]
    content = b"x".join(bytes([byte]) for byte in letters)
    read = subprocess.run(
        ["iconv", "-f", "TCVN", "-t", "UTF-8"], input=content, capture_output=True
    )
    if read.returncode:  # another iconv than glibc's
        pytest.skip("this iconv does not know TCVN")
    assert decoder("tcvn3").decode(content, final=True) == read.stdout.decode()


def test_every_vietnamese_letter_has_a_place_in_tcvn3_and_in_vni() -> None:
    vowels = unicodedata.normalize("NFC", "aăâeêioôơuưy")
    tones = ["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"]
    wanted = {unicodedata.normalize("NFC", v + tone) for v in vowels for tone in tones} | {"đ"}
    tcvn3 = set(decoder("tcvn3").decode(bytes([*range(0x61, 0x7B), *range(0xB5, 0x100)]), True))
    tcvn3 |= set(decoder("tcvn3").decode(bytes(range(0xA1, 0xB0)), True))
    assert wanted <= tcvn3
    marks = "ùøûõïâáàåãäêéèúüë"
    drawn = [base + mark for base in "aeouyôö" for mark in ["", *marks]]
    vni = {convert(one, "vni") for one in [*drawn, *"iíìæóòîñ"]}
    assert wanted <= vni
    assert {letter.upper() for letter in wanted} <= {
        convert(one.upper(), "vni") for one in [*drawn, *"iíìæóòîñ"]
    }
