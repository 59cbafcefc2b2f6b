"""A workbook is read as a person sees it, or refused before it costs anything."""

from __future__ import annotations

import datetime
import io
import re
import resource
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.errors import IntakeError
from hotspots.records.reading import workbooks
from hotspots.records.reading.limits import LIMITS, Limits, Wish
from hotspots.records.reading.sink import (
    NUMBER,
    ArrowSink,
    read_batches,
    read_facts,
    read_ragged,
)


@dataclass
class Kept:
    rows: dict[int, tuple[str, ...]]
    columns: list[str]
    found: dict[str, dict[str, Any]]
    facts: dict[str, Any]
    ragged: list[dict[str, Any]]


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Kept]:
    def read(path: Path, wish: Wish | None = None, limits: Limits = LIMITS) -> Kept:
        folder = tmp_path_factory.mktemp("kept")
        with ArrowSink(folder) as sink:
            workbooks.read(path, wish or Wish(), limits, sink)
        said = read_facts(folder)
        rows = {
            row[NUMBER]: tuple(row[name] for name in said["columns"])
            for batch in read_batches(folder)
            for row in batch.to_pylist()
        }
        found = {one["code"]: one["facts"] for one in said["found"]}
        ragged = read_ragged(folder).to_pylist()
        return Kept(rows, said["columns"], found, said["facts"], ragged)

    return read


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(*rows: list[object], change: Callable[[Any], None] | None = None) -> Path:
        workbook = openpyxl.Workbook()
        for row in rows:
            workbook.active.append(row)
        if change is not None:
            change(workbook)
        path = tmp_path / "a.xlsx"
        workbook.save(path)
        return path

    return save


def repacked(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """The same workbook with one part changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts.get(part, b""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


SHEET = "xl/worksheets/sheet1.xml"


def with_rows(path: Path, rows: str) -> Path:
    """The same workbook with other XML for its rows."""
    old = re.compile(rb"<sheetData.*</sheetData>|<sheetData\s*/>", re.S)
    new = f"<sheetData>{rows}</sheetData>".encode()
    return repacked(path, SHEET, lambda xml: old.sub(lambda _: new, xml))


def refusal(kept: Callable[..., Kept], path: Path, **more: Any) -> IntakeError:
    with pytest.raises(IntakeError) as refused:
        kept(path, **more)
    assert refused.value.facts["file"] == path.name
    return refused.value


# -- cells


def test_cells_are_the_text_that_a_person_sees(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    path = saved(
        ["code", "text", "day", "number", "yes"],
        [26740, "Bến Thành", datetime.date(2025, 4, 3), 12.5, True],
        [26740.0, "00123", datetime.datetime(2025, 4, 3, 8, 30), 0.1 + 0.2, False],
        ["NA", "=1+1 as text", datetime.time(8, 30), 1e-7, None],
        [-3, " Null ", datetime.date(1900, 1, 1), 123456789012345, None],
        change=lambda book: setattr(book.active["B4"], "data_type", "s"),
    )
    assert list(kept(path).rows.values()) == [
        ("26740", "Bến Thành", "2025-04-03", "12.5", "TRUE"),
        ("26740", "00123", "2025-04-03 08:30:00", "0.3", "FALSE"),
        ("NA", "=1+1 as text", "08:30:00", "0.0000001", ""),
        ("-3", " Null ", "1900-01-01", "123456789012345", ""),
    ]


def test_days_of_a_workbook_that_counts_from_1904_are_right(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    path = saved(
        ["day", "x"],
        [datetime.date(2025, 4, 3), 1],
        change=lambda book: setattr(book, "epoch", openpyxl.utils.datetime.CALENDAR_MAC_1904),
    )
    assert kept(path).rows[1][0] == "2025-04-03"


def test_a_number_that_is_no_day_stays_the_number(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    def as_day(book: Any) -> None:
        book.active["A2"].number_format = "dd/mm/yyyy"

    assert kept(saved(["day", "x"], [99999999, 1], change=as_day)).rows[1] == ("99999999", "1")


def test_text_written_in_the_cell_or_in_pieces_is_read(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    path = with_rows(
        saved(["x"]),
        '<row r="1"><c r="A1" t="inlineStr"><is><t>na</t><r><t>me</t></r></is></c></row>'
        '<row r="2"><c r="A2" t="str"><f>"a"&amp;"b"</f><v>a_x000A_b_x0007_</v></c></row>'
        '<row r="3"><c t="inlineStr"><is><t>ward</t><rPh><t>reading</t></rPh></is></c></row>'
        '<row r="4"><c r="A4" t="d"><v>2025-04-03T00:00:00</v></c></row>',
    )
    assert kept(path).columns == ["name"]
    assert [row[0] for row in kept(path).rows.values()] == ["a\nb", "ward", "2025-04-03"]


def test_error_cells_stay_text_and_are_reported(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    out = kept(saved(["a", "b"], ["#REF!", "#N/A"], [1, 2]))
    assert out.rows[1] == ("#REF!", "#N/A")
    assert out.found["error_cells"] == {"cells": 2}


def test_decomposed_letters_are_composed(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    out = kept(saved(["te\u0302n", "b"], ["Be\u0302\u0301n", 1]))
    assert (out.columns[0], out.rows[1][0]) == ("tên", "Bến")


@given(
    value=st.one_of(
        st.integers(-(10**14), 10**14),
        st.floats(allow_nan=False, allow_infinity=False, width=32),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_number_comes_back_as_the_same_number(
    saved: Callable[..., Path], kept: Callable[..., Kept], value: float
) -> None:
    text = kept(saved(["a", "b"], [value, "x"])).rows[1][0]
    assert float(text) == pytest.approx(value, rel=1e-14)
    assert text.endswith(".0") is False


# -- header, titles, what lies beside


def test_titles_above_the_table_are_skipped_and_reported(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    out = kept(
        saved(
            ["BÁO CÁO", None, "CỘNG HÒA"],
            [],
            ["mã", "tên", "ngày", "số vụ"],
            ["1", "a", "b", 2],
            change=lambda book: book.active.merge_cells("A1:B1"),
        )
    )
    assert out.columns == ["mã", "tên", "ngày", "số vụ"]
    assert out.rows == {1: ("1", "a", "b", "2")}
    assert out.found["title_rows"] == {"rows": 1, "header_row": 3}
    assert out.found["merged_cells"] == {"count": 1, "ranges": ["A1:B1"]}
    assert out.facts["header_row"] == 3


def test_the_person_may_name_the_header_row(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    path = saved(["a", "b"], ["c", "d"], ["1", "2"])
    assert kept(path, Wish(header_row=2)).columns == ["c", "d"]
    assert kept(path, Wish(header_row=2)).rows == {1: ("1", "2")}


@pytest.mark.parametrize(
    ("names", "places"),
    [(["a", "a"], "1, 2"), ([None, "a", None, "b"], "3"), (["a", " a "], "1, 2")],
)
def test_every_column_needs_a_name_of_its_own(
    saved: Callable[..., Path], kept: Callable[..., Kept], names: list[object], places: str
) -> None:
    error = refusal(kept, saved(names, [1, 2, 3]))
    assert (error.reason, error.facts["places"]) == ("header_not_usable", places)


def test_cells_beside_the_table_are_listed_and_shift_nothing(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    out = kept(saved([None, "a", "b"], [None, 1, 2], [None, 3, 4, "note"], ["x", 5, 6], [None, 7]))
    assert out.rows == {1: ("1", "2"), 4: ("7", "")}
    assert [(row["row"], row["reason"]) for row in out.ragged] == [
        (2, "wrong_number_of_cells"),
        (3, "wrong_number_of_cells"),
    ]


def test_blank_rows_are_skipped_and_counted(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    out = kept(saved(["a", "b"], [1, 2], [], [None, " "], [3, 4], []))
    assert list(out.rows) == [1, 4]
    assert out.found["blank_rows"] == {"rows": 2}


def test_what_is_hidden_is_read_and_reported(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    def hide(book: Any) -> None:
        book.active.row_dimensions[3].hidden = True
        book.active.column_dimensions["B"].hidden = True
        book.create_sheet("nháp").sheet_state = "hidden"

    out = kept(saved(["a", "b"], [1, 2], [3, 4], change=hide))
    assert out.rows == {1: ("1", "2"), 2: ("3", "4")}
    assert out.found["hidden_rows"] == {"rows": 1, "sheet_rows": [3]}
    assert out.found["hidden_columns"] == {"count": 1, "columns": ["B"]}
    assert out.found["hidden_sheets"] == {"sheets": ["nháp"]}


def test_of_several_sheets_the_first_with_anything_is_read_or_the_wished_one(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    def more(book: Any) -> None:
        for name in ("hai", "ba"):
            book.create_sheet(name).append([name, "x"])
            book[name].append([1, 2])

    path = saved(change=more)
    assert kept(path).facts["sheet"] == "hai"
    assert kept(path).found["several_sheets"] == {"sheets": ["Sheet", "hai", "ba"], "sheet": "hai"}
    assert kept(path, Wish(sheet="ba")).columns == ["ba", "x"]
    assert refusal(kept, path, wish=Wish(sheet="bốn")).reason == "sheet_unknown"


def test_legacy_letters_are_reported_and_converted_only_if_wished(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    path = saved(["ma", "ten"], [1, "Ph\xadêng BÕn Thµnh"], [2, "Ph\xadêng Tr\xadêng Thä"])
    assert kept(path).rows[1][1] == "Ph\xadêng BÕn Thµnh"
    assert kept(path).found["legacy_letters"] == {"encoding": "tcvn3"}
    assert kept(path, Wish(encoding="tcvn3")).rows[1][1] == "Phường Bến Thành"


def test_many_rows_come_in_several_batches(kept: Callable[..., Kept], tmp_path: Path) -> None:
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet()
    sheet.append(["a", "b"])
    for number in range(1, 25_001):
        sheet.append([number, "x"])
    workbook.save(tmp_path / "a.xlsx")
    out = kept(tmp_path / "a.xlsx")
    assert len(out.rows) == 25_000
    assert all(row[0] == str(number) for number, row in out.rows.items())


# -- refused


def test_a_formula_that_was_never_calculated_is_refused(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    error = refusal(kept, saved(["a", "b"], [1, "=A2*2"], [2, "=A3*2"]))
    assert error.reason == "formula_without_value"
    assert (error.facts["cells"], error.facts["cell"]) == (2, "B2")


def test_a_formula_whose_value_is_blank_text_is_read(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    path = with_rows(
        saved(["x"]),
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
        '<row r="2"><c r="A2" t="str"><f>""</f><v></v></c></row>'
        '<row r="3"><c r="A3"><v>1</v></c></row>',
    )
    assert kept(path).rows == {2: ("1",)}


@pytest.mark.parametrize("cell", ["XFD1048576", "XFD2", "ZZ3"])
def test_a_lone_cell_far_outside_is_refused_at_once(
    saved: Callable[..., Path], kept: Callable[..., Kept], cell: str
) -> None:
    def ghost(book: Any) -> None:
        book.active[cell] = "x"

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    path = saved(["a", "b"], [1, 2], change=ghost)
    assert refusal(kept, path).reason == "too_many_columns"
    assert time.process_time() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_a_row_too_many_is_refused(saved: Callable[..., Path], kept: Callable[..., Kept]) -> None:
    path = saved(["a", "b"], [1, 2], [3, 4])
    assert refusal(kept, path, limits=Limits(workbook_rows=2)).reason == "too_many_rows"


def test_a_million_blank_rows_cost_little(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    rows = "".join(f'<row r="{n}"><c r="A{n}" s="0"/></row>' for n in range(3, 400_000))
    path = with_rows(
        saved(["x"]),
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
        f'<row r="2"><c r="A2"><v>1</v></c></row>{rows}',
    )
    assert kept(path).rows == {1: ("1",)}


def test_a_cell_too_long_is_refused(saved: Callable[..., Path], kept: Callable[..., Kept]) -> None:
    path = saved(["a", "b"], ["x" * 2_000, 1])
    assert refusal(kept, path, limits=Limits(cell_bytes=1_000)).reason == "cell_too_long"


@pytest.mark.parametrize(
    "part",
    [SHEET, "xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_billion_laughs_is_refused_in_any_part(
    saved: Callable[..., Path], kept: Callable[..., Kept], part: str, encoding: str
) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]><x>&l9;</x>'.encode(encoding)
    path = repacked(saved(["a", "b"], ["x", "y"]), part, lambda _: bomb)
    assert refusal(kept, path).reason == "workbook_unsafe_xml"


def test_an_external_entity_is_not_read(
    saved: Callable[..., Path], kept: Callable[..., Kept], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary")
    doctype = f'<!DOCTYPE x [<!ENTITY s SYSTEM "{secret.as_uri()}">]>'.encode()
    path = repacked(
        saved(["a", "b"], ["x", "y"]), SHEET, lambda xml: doctype + xml.replace(b"<v>", b"<v>&s;")
    )
    assert refusal(kept, path).reason == "workbook_unsafe_xml"


def test_links_to_other_workbooks_are_reported_and_not_followed(
    saved: Callable[..., Path], kept: Callable[..., Kept]
) -> None:
    path = repacked(
        saved(["a", "b"], [1, 2]), "xl/externalLinks/externalLink1.xml", lambda _: b"<no xml"
    )
    assert kept(path).found["external_links"] == {"links": 1}


@pytest.mark.parametrize(
    ("part", "reason"),
    [("xl/vbaProject.bin", "workbook_with_macros"), ("xl/workbook.bin", "file_is_old_workbook")],
)
def test_macros_and_binary_workbooks_are_refused(
    saved: Callable[..., Path], kept: Callable[..., Kept], part: str, reason: str
) -> None:
    assert refusal(kept, repacked(saved(["a"], [1]), part, lambda _: b"x")).reason == reason


def test_a_locked_workbook_is_refused(kept: Callable[..., Kept], tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert refusal(kept, tmp_path / "a.xlsx").reason == "file_is_old_workbook"


@pytest.mark.parametrize(
    ("rows", "reason"), [([], "file_empty"), ([["a", "b"]], "file_without_rows")]
)
def test_a_workbook_without_rows_is_refused(
    saved: Callable[..., Path], kept: Callable[..., Kept], rows: list[list[object]], reason: str
) -> None:
    assert refusal(kept, saved(*rows)).reason == reason


@pytest.mark.parametrize(
    "rows",
    [
        "<row",
        '<row r="2"/><row r="1"/>',
        '<row r="x"/>',
        '<row r="1"><c r="A1" t="s"><v>99</v></c></row>',
        '<row r="1"><c r="A1"><v>one</v></c></row>',
        '<row r="1"><c r="1A"><v>1</v></c></row>',
        '<row r="1"><c r="A1" s="x"><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>-99</v></c></row>',
    ],
)
def test_a_sheet_that_contradicts_itself_is_refused(
    saved: Callable[..., Path], kept: Callable[..., Kept], rows: str
) -> None:
    assert refusal(kept, with_rows(saved(["a", "b"], [1, 2]), rows)).reason == "file_not_read"


PLAIN = io.BytesIO()
_book = openpyxl.Workbook()
for _row in (["mã", "ngày"], [1, datetime.date(2025, 1, 1)], ["x", 2.5]):
    _book.active.append(_row)
_book.save(PLAIN)
PARTS = ("[Content_Types].xml", "xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", SHEET)


@given(
    part=st.sampled_from([*PARTS, "xl/_rels/workbook.xml.rels"]),
    place=st.integers(0, 5_000),
    new=st.one_of(
        st.binary(max_size=3), st.sampled_from([b"</c>", b"-1", b"1e999", b"<v>", b"nan"])
    ),
    drop=st.integers(0, 20),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250, deadline=None
)
def test_a_damaged_workbook_is_read_or_refused(
    tmp_path: Path, kept: Callable[..., Kept], part: str, place: int, new: bytes, drop: int
) -> None:
    def damage(content: bytes) -> bytes:
        at = place % (len(content) + 1)
        return content[:at] + new + content[at + drop :]

    path = tmp_path / "a.xlsx"
    path.write_bytes(PLAIN.getvalue())
    try:
        assert isinstance(kept(repacked(path, part, damage)), Kept)
    except IntakeError as refused:
        assert refused.facts["file"] == "a.xlsx"  # noqa: PT017 - both endings are right
