"""Tables given out run nothing in a spreadsheet, and say the same when they are read again."""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotspots.errors import HotspotsError
from hotspots.reports import tables
from hotspots.reports.tables import (
    csv_bytes,
    quoted,
    rejected_rows,
    unquoted,
    unquoted_table,
    xlsx_bytes,
)

HOSTILE = [
    "=1+1",
    "=cmd|' /C calc'!A1",
    "+84 1",
    "-3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM",
    " =1+1",
    "\u200b=1",
    "\u00a0=1",
    "'=1",
    "a;=1+1",
    "a\n=1+1",
    '=HYPERLINK("http://example.com","x")',
]
STARTS_FORMULA = re.compile("[=+\\-@＝＋－＠\t\r\n]")


def cells_of_csv(content: bytes, separator: str = ",") -> list[list[str]]:
    text = content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def sheet_of(content: bytes, name: str | None = None) -> Any:
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    return workbook[name] if name else workbook.worksheets[0]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_begins_a_formula_in_csv(text: str) -> None:
    rows = cells_of_csv(csv_bytes(pd.DataFrame({"ward": [text], text: ["x"]})))
    for row in rows:
        assert not [cell for cell in row if STARTS_FORMULA.match(cell.lstrip(" \u00a0\u200b"))]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_spreadsheet_that_separates_cells_by_semicolons_finds_no_formula_either(
    text: str,
) -> None:
    """Excel in Vietnam reads CSV so: quotes inside a cell then protect nothing."""
    content = csv_bytes(pd.DataFrame({"a": ["x"], "b": [text]})).decode("utf-8-sig")
    cells = re.split("[;\t\r\n]", content)
    assert not [cell for cell in cells if re.match('["\\s]*[=+@＝＋＠-]', cell.lstrip("\u200b"))]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_a_formula_in_a_workbook(text: str) -> None:
    content = xlsx_bytes({text: pd.DataFrame({text: [text]})}, notice=text)
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        sheets = [parts.read(name) for name in parts.namelist() if "worksheets/" in name]
    assert len(sheets) == 2
    assert not [sheet for sheet in sheets if b"<f>" in sheet or b"<f " in sheet]
    for sheet in openpyxl.load_workbook(io.BytesIO(content)).worksheets:
        for row in sheet.iter_rows():
            assert {cell.data_type for cell in row if cell.value is not None} <= {"s"}


def test_a_workbook_keeps_text_as_it_was() -> None:
    texts = ["=1+1", "00123", "Bến Thành", "+84", "#REF!", "<b>&", "TRUE"]
    sheet = sheet_of(xlsx_bytes({"a": pd.DataFrame({"x": texts})}))
    assert [cell.value for cell in sheet["A"]] == ["x", *texts]
    assert [cell.quotePrefix for cell in sheet["A"]] == [
        *[False, True, False, False],
        *[True, False, False, False],
    ]


def test_numbers_and_days_stay_what_they_are() -> None:
    table = pd.DataFrame(
        {
            "count": [-3, 12],
            "share": [0.5, math.nan],
            "whole": pd.array([1, None], dtype="Int64"),
            "day": [date(2025, 10, 20), None],
            "at": pd.to_datetime(["2025-10-20 08:30", "2025-10-21 00:00"]),
            "mixed": [np.int64(-7), "x"],
        }
    )
    assert cells_of_csv(csv_bytes(table)) == [
        ["count", "share", "whole", "day", "at", "mixed"],
        ["-3", "0.5", "1", "2025-10-20", "2025-10-20 08:30:00", "-7"],
        ["12", "", "", "", "2025-10-21", "x"],
    ]
    first, second = list(sheet_of(xlsx_bytes({"a": table})).iter_rows(min_row=2, values_only=True))
    assert first[:3] == (-3, 0.5, 1)
    assert first[3:] == (datetime(2025, 10, 20), datetime(2025, 10, 20, 8, 30), -7)
    assert second == (12, None, None, None, datetime(2025, 10, 21), "x")


def test_what_excel_cannot_hold_exactly_becomes_text() -> None:
    values = [10**18 + 1, math.inf, date(1899, 1, 2), datetime(2025, 1, 2, tzinfo=UTC), (1, 2)]
    sheet = sheet_of(xlsx_bytes({"a": pd.DataFrame({"x": pd.Series(values, dtype="object")})}))
    assert [cell.value for cell in sheet["A"]][1:] == [
        "1000000000000000001",
        "inf",
        "1899-01-02",
        "2025-01-02",
        "(1, 2)",
    ]


def test_a_csv_begins_with_the_mark_excel_knows_utf_8_by() -> None:
    assert csv_bytes(pd.DataFrame({"Phường": ["Bến Thành"]})) == (
        b"\xef\xbb\xbf" + "Phường\r\nBến Thành\r\n".encode()
    )


def test_signs_no_file_may_hold_are_left_out() -> None:
    cells = pd.Series(["x\x00\x1by\ud800z\uffff"], dtype="object")
    table = pd.DataFrame({"a\x00b": cells})
    assert cells_of_csv(csv_bytes(table)) == [["ab"], ["xyz"]]
    assert [cell.value for cell in sheet_of(xlsx_bytes({"a\x07": table}))["A"]] == ["ab", "xyz"]


def test_a_cell_longer_than_excel_takes_shows_that_it_was_cut() -> None:
    cell = sheet_of(xlsx_bytes({"a": pd.DataFrame({"x": ["y" * 40_000]})}))["A2"].value
    assert (len(cell), cell[-2:]) == (32_767, "y…")


def test_the_header_is_the_first_row_bold_and_stays_in_sight() -> None:
    table = pd.DataFrame({"Phường": ["Bến Thành"], "Ghi chú": ["dài " * 50]})
    sheet = sheet_of(xlsx_bytes({"Số vụ": table}, notice="Mật\nđến 31/10"))
    assert sheet.freeze_panes == "A2"
    assert [cell.font.bold for cell in sheet[1]] == [True, True]
    assert [sheet.column_dimensions[letter].width for letter in "AB"] == [11, 60]


def test_a_notice_stands_on_a_sheet_of_its_own() -> None:
    content = xlsx_bytes({"a": pd.DataFrame({"x": [1]})}, notice="Số liệu đến 31/10/2026\n=1+1")
    assert [cell.value for cell in sheet_of(content, "Ghi chú")["A"]] == [
        "Số liệu đến 31/10/2026",
        "=1+1",
    ]
    assert openpyxl.load_workbook(io.BytesIO(xlsx_bytes({"a": pd.DataFrame()}))).sheetnames == ["a"]


def test_sheets_get_names_excel_takes() -> None:
    empty = pd.DataFrame({"x": [1]})
    names = ["Quý 1/2025", "quý 1 2025", "[]:*?", "x" * 40, "x" * 39 + "y", "'", "History"]
    content = xlsx_bytes(dict.fromkeys(names, empty), notice="n", notice_sheet="quý 1:2025")
    made = openpyxl.load_workbook(io.BytesIO(content)).sheetnames
    assert made == [
        "Quý 1 2025",
        "quý 1 2025 (2)",
        "3",
        "x" * 31,
        "x" * 26 + " (2)",
        "6",
        "History (2)",
        "quý 1 2025 (3)",
    ]


def test_a_table_longer_than_a_sheet_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "ROWS_OF_A_SHEET", 3)
    xlsx_bytes({"a": pd.DataFrame({"x": [1, 2]})})
    with pytest.raises(HotspotsError, match="Take the CSV file") as refused:
        xlsx_bytes({"a": pd.DataFrame({"x": [1, 2, 3]})})
    assert (refused.value.reason, refused.value.facts) == (
        "table_too_long_for_workbook",
        {"rows": 3, "allowed": 2},
    )


PRINTABLE = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn"]) | st.sampled_from("\t\r\n=+-@;'\"＝ ,"),
    max_size=20,
)


@given(text=PRINTABLE)
@example("''=1")
@example(";\t=1")
@example("'\t'=;'=")
@settings(max_examples=500, deadline=None)
def test_a_quoted_text_is_no_formula_and_comes_back_as_it_was(text: str) -> None:
    assert unquoted(quoted(text)) == text
    assert not STARTS_FORMULA.match(quoted(text))


@given(rows=st.lists(st.tuples(PRINTABLE, PRINTABLE), min_size=1, max_size=5), name=PRINTABLE)
@settings(max_examples=200, deadline=None)
def test_a_table_given_out_as_csv_and_read_again_says_the_same(
    rows: list[tuple[str, str]], name: str
) -> None:
    table = pd.DataFrame(rows, columns=[f"a{name}", "b"], dtype="str")
    header, *cells = cells_of_csv(csv_bytes(table))
    again = unquoted_table(pd.DataFrame(cells, columns=header, dtype="str"))
    assert again.columns.tolist() == table.columns.tolist()
    assert again.to_numpy().tolist() == table.to_numpy().tolist()


@given(rows=st.lists(PRINTABLE, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_table_given_out_as_a_workbook_and_read_again_says_the_same(rows: list[str]) -> None:
    sheet = sheet_of(xlsx_bytes({"a": pd.DataFrame({"x": pd.Series(rows, dtype="str")})}))
    read = [sheet.cell(row=2 + place, column=1).value or "" for place in range(len(rows))]
    as_xml_has_it = [text.replace("\r\n", "\n").replace("\r", "\n") for text in rows]
    assert read == as_xml_has_it


def test_the_table_given_is_not_changed() -> None:
    table = pd.DataFrame({"x": ["=1", "y"]}, index=[7, 9])
    before = table.copy()
    csv_bytes(table)
    xlsx_bytes({"a": table})
    unquoted_table(table)
    pd.testing.assert_frame_equal(table, before)


RAW = pd.DataFrame(
    {"Phường": ["26740", "26743", "=1+1"], "Số vụ": ["3", "-1", ""]}, index=[1, 2, 3], dtype="str"
)


def test_rejected_rows_come_back_with_number_and_reason() -> None:
    reasons = pd.DataFrame(
        {"row": [3, 2, 3, 3], "reason_text": ["Trống.", "Số âm.", "Mã lạ.", "Trống."]}
    )
    rejected = rejected_rows(RAW, reasons)
    assert rejected.columns.tolist() == ["Dòng", "Phường", "Số vụ", "Lý do"]
    assert rejected.to_numpy().tolist() == [
        [2, "26743", "-1", "Số âm."],
        [3, "=1+1", "", "Trống. Mã lạ."],
    ]


def test_a_row_that_could_not_be_cut_into_cells_comes_back_with_its_reason() -> None:
    reasons = pd.DataFrame({"row": [9], "reason_text": ["Dòng có 5 ô, tiêu đề có 2."]})
    assert rejected_rows(RAW, reasons).to_numpy().tolist() == [
        [9, "", "", "Dòng có 5 ô, tiêu đề có 2."]
    ]


def test_a_file_of_rejected_rows_that_is_rejected_again_has_no_column_twice() -> None:
    reasons = pd.DataFrame({"row": [1], "reason_text": ["x"]})
    once = rejected_rows(RAW, reasons).set_axis([1]).astype("str")
    twice = rejected_rows(once, reasons).set_axis([1]).astype("str")
    thrice = rejected_rows(twice, reasons)
    assert twice.columns.tolist() == [
        *["Dòng", "Dòng (tệp)", "Phường", "Số vụ", "Lý do (tệp)", "Lý do"]
    ]
    assert thrice.columns.is_unique


def test_no_rejected_rows_are_an_empty_table_with_the_same_columns() -> None:
    none = pd.DataFrame(
        {"row": pd.Series([], dtype=int), "reason_text": pd.Series([], dtype="str")}
    )
    rejected = rejected_rows(RAW, none)
    assert rejected.columns.tolist() == ["Dòng", "Phường", "Số vụ", "Lý do"]
    assert len(rejected) == 0
