"""Files that people bring are read as they are, or refused with the reason; nothing is fetched."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import tempfile
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import Point

from hotspots.errors import IntakeError
from hotspots.records.intake import Found, Reading, Wish, open_bytes, open_file
from hotspots.records.reading import csv_files, kinds, parquet_files
from hotspots.records.reading.limits import LIMITS, Limits

Write = Callable[[str, str | bytes], Path]
SLOW = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for temporary files, which must be empty again in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = tmp_path / f"hotspots-{os.geteuid()}"
    place.mkdir()
    return place


@dataclass(frozen=True)
class RawRows:
    """A file as it was read, all of it in memory."""

    table: pd.DataFrame
    ragged: pd.DataFrame
    rows: int


def read_rows(path: Path) -> RawRows:
    with open_file(path) as reading:
        return RawRows(reading.table(), reading.ragged, reading.rows)


def reason(path: Path) -> str:
    with pytest.raises(IntakeError) as refused:
        read_rows(path)
    assert refused.value.facts["file"] == path.name
    return refused.value.reason


class Kept:
    """A sink in memory, to try the readers without a process."""

    def __init__(self) -> None:
        self.columns: tuple[str, ...] = ()
        self.table: dict[int, list[str]] = {}
        self.ragged_rows: list[tuple[int, str, str]] = []
        self.remarks: dict[str, Mapping[str, object]] = {}
        self.facts: dict[str, object] = {}

    def header(self, columns: Sequence[str], *, geometry: bool = False) -> None:
        assert not geometry
        self.columns = tuple(columns)

    def rows(self, columns: Mapping[str, Any], numbers: Sequence[int]) -> None:
        texts = [columns[name].to_pylist() for name in self.columns]
        for number, *cells in zip(numbers, *texts, strict=True):
            assert int(number) not in self.table
            self.table[int(number)] = cells

    def ragged(self, row: int, reason: str, value: str) -> None:
        self.ragged_rows.append((row, reason, value))

    def found(self, code: str, **facts: object) -> None:
        self.remarks[code] = facts

    def fact(self, **facts: object) -> None:
        self.facts |= facts

    def progress(self, share: float) -> None:
        assert 0 <= share <= 1


def csv_of(content: str | bytes, *, limits: Limits = LIMITS, **wish: Any) -> Kept:
    raw = content.encode() if isinstance(content, str) else content
    kept = Kept()
    csv_files.read(io.BytesIO(raw), "a.csv", Wish(**wish), limits, kept, size=len(raw))
    return kept


def csv_reason(content: str | bytes, *, limits: Limits = LIMITS, **wish: Any) -> IntakeError:
    with pytest.raises(IntakeError) as refused:
        csv_of(content, limits=limits, **wish)
    assert refused.value.facts["file"] == "a.csv"
    return refused.value


# -- CSV


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_table_is_read_whatever_program_saved_it(
    separator: str, encoding: str, line_end: str
) -> None:
    text = line_end.join(
        separator.join(cells) for cells in (("mã", "số vụ"), ("00123", "1"), ("00456", "Đông"))
    )
    raw = csv_of(text.encode(encoding))
    assert raw.columns == ("mã", "số vụ")
    assert raw.table == {1: ["00123", "1"], 2: ["00456", "Đông"]}
    assert raw.facts["separator"] == separator


def test_a_file_comes_through_the_other_process_as_it_is(write: Write) -> None:
    path = write("Số liệu.csv", 'mã;tên\n00123;"hai\ndòng"\nthiếu\n\n00456;NA\n')
    with open_file(path) as reading:
        assert reading.columns == ("mã", "tên")
        assert reading.table().to_dict("index") == {
            1: {"mã": "00123", "tên": "hai\ndòng"},
            4: {"mã": "00456", "tên": "NA"},
        }
        assert reading.ragged.to_dict("records") == [
            {"row": 2, "reason": "wrong_number_of_cells", "value": "thiếu"}
        ]
        assert reading.found == (Found("blank_rows", {"rows": 1}),)
        assert (reading.rows, reading.format, reading.name) == (3, "csv", "Số liệu.csv")
        assert (reading.encoding, reading.separator, reading.header_row) == ("utf-8", ";", 1)
        assert reading.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert reading.size == path.stat().st_size
        assert reading.head(1).index.tolist() == [1]
        assert pd.concat(reading.batches()).equals(reading.table())


def test_every_cell_of_a_csv_stays_text() -> None:
    raw = csv_of(' code ,"count"\n00123,007\nNA,\nNull,1E5\n')
    assert raw.columns == ("code", "count")
    assert list(raw.table.values()) == [["00123", "007"], ["NA", ""], ["Null", "1E5"]]


def test_letters_and_marks_apart_come_together(write: Write) -> None:
    with open_file(write("a.csv", "phu\u031bo\u031b\u0300ng\nHo\u0300a\n")) as reading:
        assert reading.table().to_dict("list") == {"phường": ["Hòa"]}


def test_a_name_of_two_lines_does_not_turn_codes_into_numbers() -> None:
    assert csv_of('"ward\ncode",n\n00123,1\n').table == {1: ["00123", "1"]}


@pytest.mark.parametrize("line", ["sep=;\n", '"sep=;"\r\n'])
def test_a_line_that_names_the_separator_is_no_header(line: str) -> None:
    raw = csv_of(line + "a;b,c\n1;2,5\n")
    assert (raw.columns, raw.table) == (("a", "b,c"), {1: ["1", "2,5"]})


def test_a_decimal_comma_is_no_separator() -> None:
    raw = csv_of("mã;giá trị, tỷ\n1;2,5\n2;3,5\n")
    assert raw.columns == ("mã", "giá trị, tỷ")


def test_the_person_may_say_another_separator() -> None:
    assert csv_of("a;b,c\n1;2,3\n", separator=",").columns == ("a;b", "c")
    assert csv_reason("a b\n", separator=" ").reason == "separator_unknown"


def test_a_cell_may_hold_lines_and_separators() -> None:
    raw = csv_of('a,b\n"x\n\ny","1,2"\nz,"3 ""m"""\n')
    assert raw.table == {1: ["x\n\ny", "1,2"], 2: ["z", '3 "m"']}
    assert "blank_rows" not in raw.remarks


def test_ragged_rows_come_back_with_their_number_the_header_not_counted() -> None:
    raw = csv_of('a,b\n1,2\nshort\n"3\n3",4\n1,2,3\n5,6\n')
    assert raw.ragged_rows == [
        (2, "wrong_number_of_cells", "short"),
        (4, "wrong_number_of_cells", "1,2,3"),
    ]
    assert {row: cells[1] for row, cells in raw.table.items()} == {1: "2", 3: "4", 5: "6"}


def test_blank_lines_count_but_are_no_rows() -> None:
    raw = csv_of("a,b\n\n1,2\r\n\r\nshort\n,\n")
    assert raw.table == {2: ["1", "2"], 5: ["", ""]}
    assert raw.ragged_rows == [(4, "wrong_number_of_cells", "short")]
    assert raw.remarks["blank_rows"] == {"rows": 2}


@pytest.mark.parametrize("quoted", ["", '"'])
def test_row_numbers_stay_right_over_many_blocks(quoted: str) -> None:
    long = quoted + "ạ" * 60 + quoted
    lines = (f"{n},{long}" if n % 700 else "bad" for n in range(1, 90_001))
    raw = csv_of("n,text\n" + "\n".join(lines))
    assert [row for row, *_ in raw.ragged_rows] == list(range(700, 90_001, 700))
    assert all(int(cells[0]) == row for row, cells in raw.table.items())
    assert len(raw.table) + len(raw.ragged_rows) == 90_000


CELLS = st.text(st.sampled_from('ab1,;"\n\ré\tƯ|'), max_size=4)


@given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=8))
@settings(deadline=None)
def test_every_row_of_any_csv_is_read_or_comes_back(rows: list[list[str]]) -> None:
    def quoted(cells: list[str]) -> str:
        return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)

    raw = csv_of("\n".join(["left,right", *map(quoted, rows)]), separator=",")
    good = {number: cells for number, cells in enumerate(rows, start=1) if len(cells) == 2}
    assert raw.table == good
    assert {row for row, *_ in raw.ragged_rows} == set(range(1, len(rows) + 1)) - set(good)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    always=st.booleans(),
)
@settings(deadline=None)
def test_what_is_written_is_read_again(
    rows: list[tuple[str, ...]], separator: str, encoding: str, line_end: str, always: bool
) -> None:
    def cell(text: str) -> str:
        plain = not always and not set(text) & set('",;\t|\n\r')
        return text if plain else '"' + text.replace('"', '""') + '"'

    lines = [("mã", "tên", "số"), *rows]
    text = line_end.join(separator.join(map(cell, cells)) for cells in lines)
    raw = csv_of(text.encode(encoding), separator=separator)
    assert raw.table == {number: list(cells) for number, cells in enumerate(rows, start=1)}
    assert raw.ragged_rows == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_where_the_blocks_end_makes_no_difference(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = 'mã,tên\r\n1,"Phường\r\n""Bến"" Thành"\r\n\r\n2\r\n3,"ố,ầ"\r\n4,ữ'
    whole = csv_of(content)
    monkeypatch.setattr(csv_files, "_LAYOUT_FROM", 24)
    blocks = csv_files.blocks
    monkeypatch.setattr(csv_files, "blocks", lambda file, name: blocks(file, name, size=size))
    for encoding in ("utf-8", "utf-16-le"):
        cut = csv_of(content.encode(encoding))
        assert (cut.table, cut.ragged_rows) == (whole.table, whole.ragged_rows)
    assert whole.table[1] == ["1", 'Phường\r\n"Bến" Thành']


@pytest.mark.parametrize(
    ("text", "places"),
    [("a,a\n", "1, 2"), ("b,a, a \n", "2, 3"), ("a,,b\n", "2"), ("a,,b,\n", "2, 4")],
)
def test_every_column_needs_a_name_of_its_own(text: str, places: str) -> None:
    refused = csv_reason(text)
    assert (refused.reason, refused.facts["places"]) == ("header_not_usable", places)
    assert f"columns {places}." in str(refused)


def test_a_file_without_a_header_does_not_have_its_first_row_quoted() -> None:
    refused = csv_reason("079203001234,Nguyễn Văn An,079203001234,\n1,2,3,4\n")
    assert refused.reason == "header_not_usable"
    assert refused.facts == {"file": "a.csv", "places": "1, 3, 4"}
    assert "0792" not in str(refused)


def test_of_many_columns_without_a_name_the_first_are_placed() -> None:
    refused = csv_reason("a" + "," * 99 + "\n1\n")
    assert str(refused.facts["places"]).endswith("20, 21, …")


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\r\n", "a,b\n\n\n"])
def test_a_header_alone_is_refused_as_a_file_without_rows(text: str) -> None:
    assert csv_reason(text).reason == "file_without_rows"


def test_titles_above_the_names_are_seen_and_said() -> None:
    raw = csv_of("BÁO CÁO THÁNG 3;;\n;;\nĐơn vị: phường;;\nmã;tên;số\n1;a;2\nlẻ\n")
    assert raw.columns == ("mã", "tên", "số")
    assert raw.table == {1: ["1", "a", "2"]}
    assert raw.ragged_rows[0][0] == 2
    assert raw.remarks["title_rows"] == {"rows": 2, "header_row": 4}


def test_a_row_too_wide_does_not_make_the_names_a_title() -> None:
    raw = csv_of("mã\n1\n2,3\n4\n", separator=",")
    assert raw.columns == ("mã",)
    assert [row for row, *_ in raw.ragged_rows] == [2]


def test_the_person_may_say_which_row_holds_the_names() -> None:
    raw = csv_of("x,y\na,b\n1,2\n", header_row=2)
    assert (raw.columns, raw.table, raw.remarks) == (("a", "b"), {1: ["1", "2"]}, {})
    assert csv_reason("a,b\n1,2\n", header_row=9).reason == "header_row_missing"


# -- CSV: encodings


NAMES = "Phường Bến Thành, Quận Bình Thạnh, Xã Đông Thạnh, Thị trấn Củ Chi, Ấp Đường Dưới"


def test_windows_1258_is_read_and_said() -> None:
    marked = _with_tones_apart(NAMES)
    raw = csv_of(b"ten\n" + b"\n".join(marked.encode("cp1258").split(b",")) + b"\n")
    assert raw.facts["encoding"] == "cp1258"
    assert raw.remarks["encoding_guessed"] == {"encoding": "cp1258"}


def _with_tones_apart(text: str) -> str:
    """Return text as Windows writes it: letters with their hats, tones behind."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    parts = []
    for letter in text:
        pieces = unicodedata.normalize("NFD", letter)
        tone = "".join(mark for mark in pieces if mark in tones)
        rest = "".join(mark for mark in pieces if mark not in tones)
        parts.append(unicodedata.normalize("NFC", rest) + tone)
    return "".join(parts)


def test_letters_of_an_old_font_are_said_and_read_only_when_asked() -> None:
    content = "ten\n" + "Ph\xad\xeang B\xd5n Th\xb5nh\n" * 5
    raw = csv_of(content)
    assert raw.remarks["legacy_letters"] == {"encoding": "tcvn3"}
    assert raw.table[1] == ["Ph\xad\xeang B\xd5n Th\xb5nh"]
    assert csv_of(content, encoding="utf-8+tcvn3").table[5] == ["Phường Bến Thành"]


def test_the_person_may_say_the_encoding() -> None:
    content = "mã\nPhường\n".encode()
    assert csv_of(content, encoding="utf-8").table == {1: ["Phường"]}
    assert csv_of(b"ma\nPh\xad\xeang\n", encoding="tcvn3").table == {1: ["Phường"]}
    with pytest.raises(IntakeError) as refused:
        csv_of(content, encoding="klingon")
    assert refused.value.reason == "encoding_unknown"


def test_lines_of_another_encoding_are_listed_and_not_guessed() -> None:
    good = "".join(f"{n},Phường {n}\n" for n in range(1, 6))
    raw = csv_of(f"mã,tên\n{good}".encode() + b"6,Ph\xad\xeang\n" + "7,Xã\n".encode())
    assert raw.facts["encoding"] == "utf-8"
    assert raw.ragged_rows == [(6, "encoding_mixed", "6 | Ph\ufffdng")]
    assert sorted(raw.table) == [1, 2, 3, 4, 5, 7]


def test_another_encoding_far_down_is_found_too() -> None:
    plain = "a,b\n" + "1234567,xxxxxxxxxxxxxxxx\n" * 120_000
    raw = csv_of(plain.encode() + "7,Phường\n".encode() * 3 + b"8,\xff\xfe\n")
    assert raw.table[120_003] == ["7", "Phường"]
    assert raw.ragged_rows == [(120_004, "encoding_mixed", "8 | \ufffd")]


# -- CSV: what is refused, with the row


@pytest.mark.parametrize(
    ("content", "reason_", "row"),
    [
        (b"", "file_empty", None),
        (b"\n", "file_empty", None),
        (b"\r\n\n  \n\t\n", "file_empty", None),
        (b"a,b\n1,2\n1,\x002\n", "nul_in_file", 2),
        (b"a,b\n" + b"1,2\n" * 600_000 + b"\x00", "nul_in_file", 600_001),
        (b'a,b\n1,2\n3,"4\n5,6\n', "quote_not_closed", 2),
        (b'a,b\n1,2\n3,"4\n5,"6"\n7,8\n', "quote_not_closed", 2),
        (b'a,"b\n1,2\n', "quote_not_closed", 0),
        (b'a,b\n1,"' + b"x\n" * 3_000_000, "quote_not_closed", 1),
        (b"a,b\n1," + b"x" * 25_000_000 + b"\n", "row_too_long", 1),
        (b"a" * 2_000 + b",b\n1,2\n", "name_too_long", None),
        (b",".join(b"c%d" % n for n in range(501)) + b"\n", "too_many_columns", None),
        (b"\xff\xfea\x00,\x00b", "encoding_not_utf8", None),
    ],
)
def test_a_csv_that_cannot_be_read_with_certainty_is_refused(
    content: bytes, reason_: str, row: int | None
) -> None:
    refused = csv_reason(content)
    assert (refused.reason, refused.facts.get("row")) == (reason_, row)


def test_text_behind_a_closing_quote_is_listed() -> None:
    raw = csv_of('a,b\n"x"y,1\n"z",2\nu"v,3\n')
    assert raw.ragged_rows == [(1, "quote_misplaced", '"x"y,1')]
    assert raw.table == {2: ["z", "2"], 3: ['u"v', "3"]}


def test_a_cell_beyond_the_limit_is_listed() -> None:
    raw = csv_of("a,b\n1," + "x" * 2_000_000 + "\n2,y\n")
    assert raw.table == {2: ["2", "y"]}
    assert [(row, why) for row, why, _ in raw.ragged_rows] == [(1, "cell_too_long")]
    assert len(raw.ragged_rows[0][2]) <= 80


def test_a_file_of_which_nearly_nothing_fits_is_refused() -> None:
    limits = Limits(listed_rows=10)
    refused = csv_reason("a,b\n" + "x\n" * 11, limits=limits)
    assert (refused.reason, refused.facts["row"]) == ("too_many_unusable_rows", 11)


def test_more_rows_than_allowed_are_refused() -> None:
    assert (
        csv_reason("a,b\n" + "1,2\n" * 11, limits=Limits(table_rows=10)).reason == "too_many_rows"
    )


TEXT_BYTES = st.lists(
    st.sampled_from(
        [b"a", b",", b";", b'"', b"\n", b"\r", b"\x00", b"\xc3\xa1", b"\xe1", b"\xff\xfe"]
    ),
    max_size=40,
).map(b"".join)


@given(content=st.one_of(st.binary(max_size=80), TEXT_BYTES))
@settings(max_examples=600, deadline=None)
def test_any_bytes_are_rows_or_an_intake_error(content: bytes) -> None:
    with suppress(IntakeError):
        raw = csv_of(content)
        assert raw.table or raw.ragged_rows


@given(content=st.one_of(st.binary(max_size=60), TEXT_BYTES))
@SLOW
def test_any_bytes_come_through_the_other_process_or_are_refused(content: bytes) -> None:
    for name in ("a.csv", "a.parquet"):
        try:
            with open_bytes(content, name) as reading:
                assert reading.rows > 0
        except IntakeError as refused:
            stopped = {"file_reader_stopped", "file_too_heavy", "file_takes_too_long"}
            assert refused.facts["file"] == name  # noqa: PT017 - both endings are right
            assert refused.reason not in stopped  # noqa: PT017


# -- which file it is


ZIP = b"PK\x05\x06" + b"\x00" * 18


@pytest.mark.parametrize(
    ("name", "content", "reason_"),
    [
        ("a.csv", b"", "file_empty"),
        ("a.geojson", b"", "file_empty"),
        ("a.xlsx", b"PK\x03\x04", "zip_not_read"),
        ("a.xlsx", ZIP, "file_kind_differs"),
        ("a.csv", ZIP, "file_kind_differs"),
        ("a", b"a,b\n", "file_kind_unknown"),
        ("a.shp", b"\x00\x00\x27\x0a", "file_kind_unknown"),
        ("a.csv", b"SQLite format 3\x00", "file_kind_differs"),
        ("a.csv", b"PAR1", "file_kind_differs"),
        ("a.csv", b'{"type": "FeatureCollection", "features": []}', "file_kind_differs"),
        ("a.parquet", b"a,b\n1,2\n", "file_not_read"),
        ("a.parquet", b"PAR1" + b"\x00" * 40 + b"PAR1", "file_not_read"),
        ("a.gpkg", b"a,b\n1,2\n", "file_not_read"),
        ("a.geojson", b"a,b\n1,2\n", "file_not_read"),
        ("a.geojson", b"PAR1", "file_kind_differs"),
        ("a.csv", b"%PDF-1.7", "file_is_pdf"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file_is_old_workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file_is_old_workbook"),
        ("a.xlsm", ZIP, "workbook_with_macros"),
        ("a.xlsx", b"<html><table>", "file_is_web_page"),
        ("a.csv", b"\xef\xbb\xbf <!DOCTYPE html>", "file_is_web_page"),
        ("a.geojson", b"<?xml version='1.0'?><kml/>", "file_is_xml"),
        ("a.csv", b"\x1f\x8b\x08", "file_is_packed"),
        ("a.zip", b"7z\xbc\xaf\x27\x1c", "file_is_packed"),
        ("a.csv", b"\x89PNG\r\n\x1a\n", "file_is_picture"),
    ],
)
def test_what_is_not_what_it_says_is_refused(name: str, content: bytes, reason_: str) -> None:
    with pytest.raises(IntakeError) as refused:
        open_bytes(content, name)
    assert (refused.value.reason, refused.value.facts["file"]) == (reason_, name)


def test_a_refusal_of_a_document_names_it_as_the_person_does() -> None:
    with pytest.raises(IntakeError) as refused:
        open_bytes(b"SQLite format 3\x00" + b"\x00" * 200, "Ranh giới.gpkg")
    assert refused.value.facts["file"] == "Ranh giới.gpkg"
    said = str(refused.value) + repr(refused.value.facts)
    assert "Ranh giới.gpkg" in said
    assert "uploaded-file" not in said


def test_the_kinds_of_names_cover_the_endings() -> None:
    assert set(kinds.ENDINGS.values()) == set(kinds.NAMES)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.csv") == "file_missing"
    (tmp_path / "folder.csv").mkdir()
    assert reason(tmp_path / "folder.csv") == "file_missing"


def test_a_file_that_claims_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(LIMITS.table_bytes + 1)
    assert reason(path) == "file_too_large"


def test_a_document_may_be_smaller_only(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with path.open("wb") as file:
        file.truncate(LIMITS.document_bytes + 1)
    assert reason(path) == "file_too_large"


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("../../etc/a.csv", "a.csv"),
        ("C:\\Users\\x\\a.csv", "a.csv"),
        ("a\x00\n\u202eb.csv", "ab.csv"),
    ],
)
def test_a_name_never_leads_anywhere(given_: str, shown: str) -> None:
    with open_bytes(b"a,b\n1,2\n", given_) as reading:
        assert reading.name == shown


def test_progress_goes_up_to_the_end(write: Write) -> None:
    shares: list[float] = []
    path = write("a.csv", "a,b\n" + "1,ạạạạạạạạạạạạạạạạạạạạạạạạạạạạạạ\n" * 400_000)
    with open_file(path, progress=shares.append) as reading:
        assert reading.rows == 400_000
        assert max(map(len, reading.batches())) <= 200_000
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_nothing_is_left_when_a_reading_is_closed_refused_or_forgotten(folders: Path) -> None:
    with open_bytes(b"a,b\n1,2\n", "a.csv"):
        kept = list(folders.iterdir())
        assert [folder.stat().st_mode & 0o777 for folder in kept] == [0o700]
    assert list(folders.iterdir()) == []
    with pytest.raises(IntakeError):
        open_bytes(b'a,b\n1,"2\n', "a.csv")
    assert list(folders.iterdir()) == []
    forgotten: Reading | None = open_bytes(b"a,b\n1,2\n", "a.csv")
    assert forgotten is not None
    forgotten = None
    gc.collect()
    assert list(folders.iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_refused(folders: Path, write: Write) -> None:
    path = write("a.csv", "a,b\n" + "1,2\n" * 500_000)

    def change(share: float) -> None:
        with path.open("ab") as file:
            file.write(b"3,4\n")

    with pytest.raises(IntakeError) as refused:
        open_file(path, progress=change)
    assert refused.value.reason == "file_changed_meanwhile"
    assert list(folders.iterdir()) == []


# -- Parquet


def parquet_of(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pa_parquet.write_table(table, buffer)
    return buffer.getvalue()


def test_cells_of_parquet_are_the_text_a_person_would_type() -> None:
    days = pd.to_datetime(["2025-04-03", None])
    table = pa.table(
        {
            "ward": ["00123", "NA"],
            "code": [26740.0, None],
            "share": [0.1, float("nan")],
            "count": pa.array([3, None], pa.int32()),
            "day": days,
            "kind": pa.array(["x", None]).dictionary_encode(),
            "yes": [True, False],
        }
    )
    with open_bytes(parquet_of(table), "a.parquet") as reading:
        assert reading.table().to_dict("list") == {
            "ward": ["00123", "NA"],
            "code": ["26740", ""],
            "share": ["0.1", ""],
            "count": ["3", ""],
            "day": ["2025-04-03", ""],
            "kind": ["x", ""],
            "yes": ["true", "false"],
        }
        assert reading.format == "parquet"


@given(values=st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))))
def test_a_number_of_parquet_loses_nothing(values: list[float | None]) -> None:
    shown = parquet_files.as_text(pa.array(values, pa.float64())).to_pylist()
    assert [float(text) if text else None for text in shown] == values


def test_the_numbers_of_rows_that_pandas_saved_are_no_column(tmp_path: Path) -> None:
    pd.DataFrame({"ward": ["00123"], "count": [3]}, index=[9]).to_parquet(tmp_path / "a.parquet")
    raw = read_rows(tmp_path / "a.parquet")
    assert list(raw.table.columns) == ["ward", "count"]
    assert raw.table.loc[1].tolist() == ["00123", "3"]


def test_columns_that_are_no_cells_are_left_out_and_said() -> None:
    table = pa.table({"a": ["x"], "list": [[1, 2]], "bytes": [b"\x00"]})
    with open_bytes(parquet_of(table), "a.parquet") as reading:
        assert reading.columns == ("a",)
        assert reading.found == (Found("columns_left_out", {"columns": ["list", "bytes"]}),)


@pytest.mark.parametrize(
    ("table", "reason_"),
    [
        (pa.table({"a": pa.array([], pa.string())}), "file_without_rows"),
        (pa.table({"a": ["x"], " a ": ["y"]}), "header_not_usable"),
        (pa.table({"a": [[1]]}), "header_not_usable"),
        (pa.table({f"c{n}": [1] for n in range(501)}), "too_many_columns"),
    ],
)
def test_parquet_without_a_usable_table_is_refused(table: pa.Table, reason_: str) -> None:
    with pytest.raises(IntakeError) as refused:
        open_bytes(parquet_of(table), "a.parquet")
    assert refused.value.reason == reason_


WHOLE = parquet_of(pa.table({"a": ["x", "y"] * 50, "b": list(range(100))}))


@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_any_damaged_parquet_is_rows_or_an_intake_error(at: int, byte: int) -> None:
    damaged = WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    with suppress(IntakeError):
        parquet_files.read(io.BytesIO(damaged), "a.parquet", Wish(), LIMITS, Kept())


def test_a_small_parquet_that_unpacks_to_gigabytes_is_refused() -> None:
    rows = pa.array(["x" * 1_000_000]).dictionary_encode().take(pa.array([0] * 50_000))
    bomb = parquet_of(pa.table({"a": rows}))
    assert len(bomb) < 2_000_000
    with pytest.raises(IntakeError) as refused:
        open_bytes(bomb, "a.parquet")
    assert refused.value.reason == "file_too_heavy"


# -- maps, through the other process


def collection(*features: object, **more: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **more}).encode()


def feature(coordinates: object, kind: str = "Point", **properties: object) -> dict[str, object]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def test_points_of_geojson_become_longitude_and_latitude(write: Write) -> None:
    raw = read_rows(write("a.geojson", collection(feature([106.7, 10.5, 3], date="2025-10"))))
    assert raw.table.to_dict("records") == [{"date": "2025-10", "lon": "106.7", "lat": "10.5"}]
    assert list(raw.table.index) == [1]


@pytest.mark.parametrize(
    "odd",
    [
        feature([float("nan"), 10]),
        feature([[106, 10], [107, 11]], "LineString"),
        feature([106]),
        feature("106 10"),
    ],
)
def test_a_feature_without_a_point_that_can_be_used_is_listed(
    write: Write, odd: dict[str, object]
) -> None:
    raw = read_rows(write("a.json", collection(feature([106.7, 10.5]), odd)))
    assert (raw.rows, list(raw.table.index), raw.ragged["row"].tolist()) == (2, [1], [2])


def test_a_feature_without_a_shape_keeps_its_row_and_lacks_its_place(write: Write) -> None:
    bare = {"type": "Feature", "geometry": None, "properties": {"ward": "26740"}}
    raw = read_rows(write("a.json", collection(feature([106.7, 10.5]), bare)))
    assert raw.table.loc[2].to_dict() == {"ward": "26740", "lon": "", "lat": ""}


def test_points_of_a_geopackage_are_converted_to_degrees(tmp_path: Path) -> None:
    points = gpd.GeoDataFrame(
        {"date": ["2025-10", "2025-11"], "code": ["007", "008"]},
        geometry=[Point(106.7, 10.8), None],
        crs=4326,
    )
    path = tmp_path / "a.gpkg"
    points.to_crs(3405).to_file(path, driver="GPKG")  # VN-2000 / UTM zone 48N, in metres
    raw = read_rows(path)
    assert float(raw.table["lon"][1]) == pytest.approx(106.7, abs=1e-7)
    assert float(raw.table["lat"][1]) == pytest.approx(10.8, abs=1e-7)
    assert raw.table["lon"][2] == ""
    assert raw.table["code"].tolist() == ["007", "008"]


VRT = (
    "<OGRVRTDataSource><OGRVRTLayer name='secret'>"
    "<SrcDataSource>{}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
)
GDALG = '{{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read {}"}}'
LINK = (
    '{{"type": "FeatureCollection", "crs": {{"type": "link", "properties": {{"href": "{}"}}}}, '
    '"features": [{{"type": "Feature", "properties": {{}}, '
    '"geometry": {{"type": "Point", "coordinates": [106, 10]}}}}]}}'
)


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.json", "a.parquet", "a.zip", "a.csv"])
@pytest.mark.parametrize("content", [VRT, GDALG, LINK])
def test_nothing_of_the_server_and_no_address_is_read_whatever_a_file_names(
    tmp_path: Path, name: str, content: str
) -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

    secret = tmp_path / "secret.csv"
    secret.write_text("lon,lat\n106.123,10.456\n")
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/crs"
        for target in (str(secret), url, f"/vsicurl/{url}"):
            try:
                with open_bytes(content.format(target).encode(), name) as reading:
                    seen = repr(reading.table().to_dict()) + repr(reading)
            except IntakeError as refused:
                seen = str(refused)
            assert "106.123" not in seen
        server.shutdown()
    assert asked == []


def test_a_disk_without_room_is_said_and_leaves_nothing(folders: Path) -> None:
    """A limit on what may be written stands in for the full disk: both stop a write half-way."""
    content = b"a,b\n" + b"1,xxxxxxxxxxxxxxxxxxxx\n" * 200_000
    with pytest.raises(IntakeError) as refused:
        open_bytes(content, "a.csv", limits=Limits(written_bytes=1_000_000))
    assert refused.value.reason == "no_room_to_read"
    assert list(folders.iterdir()) == []
