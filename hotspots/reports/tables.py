"""Tables to open in Excel, as CSV or as a workbook: no cell of them is ever a formula.

Text that a spreadsheet would take for a formula gets an apostrophe in front in CSV, and is a text
cell in a workbook. `unquoted` takes our own apostrophe away again, so that a table that was given
out, corrected and read again says what it said.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from hotspots.errors import HotspotsError

ROWS_OF_A_SHEET: Final = 1_048_576
"""Rows that Excel opens in one sheet, the header among them."""

# Some programs pass over blanks and unseen signs before they look for a formula.
_FORMULA = "[ \u00a0\u200b\u2060\ufeff\u3000]*[=+\\-@\uff1d\uff0b\uff0d\uff20]"
_TRIGGER = rf"(?:[\t\r\n]|{_FORMULA})"
# Where ";" or a tab separates cells, a spreadsheet begins a new cell after it, or after a line end.
_NEUTRAL = re.compile(rf"(^)(?='*{_TRIGGER})|([;\t\r\n])(?='*{_FORMULA})")
_OURS = re.compile(rf"(^)'(?='*{_TRIGGER})|([;\t\r\n])'(?='*{_FORMULA})")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

_LONGEST_CELL = 32_767
_WIDTHS = (8, 60)
_EXACT = 10**15


def csv_bytes(table: pd.DataFrame) -> bytes:
    """A table as CSV that Excel opens as UTF-8 and without running anything.

    Parameters
    ----------
    table : DataFrame
        Text, numbers, dates and missing values; the index is not written.

    Returns
    -------
    bytes
        UTF-8 with byte order mark, commas, CRLF. Numbers stay numbers, missing is empty, text that
        could be a formula has an apostrophe in front, control characters are gone.

    Examples
    --------
    >>> csv_bytes(pd.DataFrame({"ward": ["=1+1"], "change": [-3]})).decode("utf-8-sig").split()
    ['ward,change', "'=1+1,-3"]
    """
    safe = pd.DataFrame(
        {place: _safe_column(table.iloc[:, place]) for place in range(table.shape[1])},
        index=range(len(table)),
    )
    header = [quoted(str(name)) for name in table.columns]
    text = safe.to_csv(index=False, header=header, lineterminator="\r\n")
    return text.encode("utf-8-sig")


def quoted(cell: str) -> str:
    """A text no spreadsheet takes for a formula; `unquoted` gives the text back.

    Examples
    --------
    >>> quoted("=1+1"), quoted("a;=1+1"), quoted("Bến Thành"), quoted("'=1")
    ("'=1+1", "a;'=1+1", 'Bến Thành', "''=1")
    """
    return _NEUTRAL.sub(r"\1\2'", _UNPRINTABLE.sub("", cell))


def unquoted(cell: str) -> str:
    """A text without the apostrophes that `quoted` put in; other apostrophes stay.

    Examples
    --------
    >>> unquoted("'=1+1"), unquoted("'079"), unquoted("''=1")
    ('=1+1', "'079", "'=1")
    """
    return _OURS.sub(r"\1\2", cell)


def unquoted_table(table: pd.DataFrame) -> pd.DataFrame:
    """A table read from a file, all cells text, without the apostrophes that `quoted` put in."""
    unquoted_cells = {
        place: column.map(unquoted, na_action="ignore")
        if column.str.contains("'", regex=False).any()
        else column
        for place, (_, column) in enumerate(table.items())
    }
    plain = pd.DataFrame(unquoted_cells, index=table.index)
    return plain.set_axis([unquoted(str(name)) for name in table.columns], axis=1)


def xlsx_bytes(
    sheets: Mapping[str, pd.DataFrame], *, notice: str | None = None, notice_sheet: str = "Ghi chú"
) -> bytes:
    """Tables as a workbook, one sheet each: bold header in the first row, no formulas.

    Parameters
    ----------
    sheets : mapping of str to DataFrame
        Name of the sheet to its table; the index is not written. Text (codes too, with their zeros)
        becomes text cells, numbers and dates become typed cells.
    notice : str, optional
        What belongs to the tables (state of the records, rules, confidentiality), line by line on a
        last sheet, so that every other sheet can be read again as it is.
    notice_sheet : str
        Name of that sheet.

    Raises
    ------
    HotspotsError
        A table has more rows than a sheet of Excel.
    """
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "hotspots"
    names = _sheet_names([*sheets, *([notice_sheet] if notice is not None else [])])
    for table in sheets.values():
        _write_sheet(workbook.create_sheet(next(names)), table)
    if notice is not None:
        sheet = workbook.create_sheet(next(names))
        sheet.column_dimensions["A"].width = 100
        for line in notice.splitlines():
            sheet.append([_text_cell(sheet, line)])
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def rejected_rows(
    raw: pd.DataFrame,
    reasons: pd.DataFrame,
    *,
    row_name: str = "Dòng",
    reason_name: str = "Lý do",
) -> pd.DataFrame:
    """Rows of a file that were not taken, as they stood there, each with its number and reasons.

    Parameters
    ----------
    raw : DataFrame
        The file, all cells text; the index is the row's number in the file. Drop columns of
        personal data before.
    reasons : DataFrame
        `row` and `reason_text`. Several reasons of one row are joined; a row that `raw` does not
        have (too long, too short) has its reason only.
    row_name, reason_name : str
        Names of the first and the last column. A column of the file with one of these names gets
        " (tệp)" behind it.

    Returns
    -------
    DataFrame
        One row a rejected row, by number.

    Examples
    --------
    >>> raw = pd.DataFrame({"Phường": ["26740", "?"], "Số vụ": ["3", "-1"]}, index=[1, 2])
    >>> reasons = pd.DataFrame({"row": [2, 2], "reason_text": ["Mã lạ.", "Số âm."]})
    >>> rejected_rows(raw, reasons)
       Dòng Phường Số vụ          Lý do
    0     2      ?    -1  Mã lạ. Số âm.
    """
    texts = reasons["reason_text"].groupby(reasons["row"], sort=True).agg(_joined)
    cells = raw.reindex(texts.index).fillna("")
    cells.columns = pd.Index(_renamed(map(str, raw.columns), {row_name, reason_name}))
    cells.insert(0, row_name, texts.index)
    return cells.assign(**{reason_name: texts}).reset_index(drop=True)


def _joined(texts: pd.Series) -> str:
    return " ".join(dict.fromkeys(texts))


def _renamed(names: Iterable[str], taken: set[str]) -> list[str]:
    given = list(names)
    renamed: list[str] = []
    for name in given:
        own = name
        while own in taken or (own != name and own in given):
            own += " (tệp)"
        renamed.append(own)
    return renamed


# --- CSV ---


def _safe_column(column: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        return column.reset_index(drop=True)
    cells = column.reset_index(drop=True).astype("object")
    return cells.map(_csv_cell, na_action="ignore")


def _csv_cell(cell: object) -> object:
    plain = cell.item() if isinstance(cell, np.generic) else cell
    return plain if isinstance(plain, bool | int | float) else quoted(_as_text(plain))


def _as_text(cell: object) -> str:
    if isinstance(cell, datetime):
        midnight = (cell.hour, cell.minute, cell.second, cell.microsecond) == (0, 0, 0, 0)
        return cell.date().isoformat() if midnight else cell.isoformat(" ")
    return cell.isoformat() if isinstance(cell, date) else str(cell)


# --- Workbooks ---


def _sheet_names(wanted: Iterable[str]) -> Iterator[str]:
    """Names Excel takes: at most 31 signs, none of its own, each once whatever the capitals."""
    used = {"history"}  # Excel keeps this one for itself
    for number, name in enumerate(wanted, start=1):
        clean = re.sub(r"[\[\]:*?/\\]", " ", _UNPRINTABLE.sub("", name)).strip(" '\t\r\n")
        clean = " ".join(clean.split()) or f"{number}"
        own, again = clean[:31], 2
        while own.casefold() in used:
            own, again = f"{clean[:26]} ({again})", again + 1
        used.add(own.casefold())
        yield own


def _write_sheet(sheet: Any, table: pd.DataFrame) -> None:
    if len(table) >= ROWS_OF_A_SHEET:
        raise HotspotsError(
            "table_too_long_for_workbook",
            f"The table has {len(table)} rows; a sheet of Excel holds {ROWS_OF_A_SHEET - 1}. "
            "Take the CSV file, or fewer rows.",
            rows=len(table),
            allowed=ROWS_OF_A_SHEET - 1,
        )
    for place in range(table.shape[1]):
        sheet.column_dimensions[get_column_letter(place + 1)].width = _width(table, place)
    sheet.freeze_panes = "A2"
    sheet.append([_header_cell(sheet, str(name)) for name in table.columns])
    for row in table.itertuples(index=False, name=None):
        sheet.append([_cell(sheet, value) for value in row])


def _width(table: pd.DataFrame, place: int) -> int:
    shown = [str(table.columns[place]), *map(str, table.iloc[:200, place])]
    return min(max(_WIDTHS[0], *(len(text) + 2 for text in shown)), _WIDTHS[1])


def _header_cell(sheet: Any, name: str) -> Any:
    cell = _text_cell(sheet, name)
    cell.font = Font(bold=True)
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


def _cell(sheet: Any, value: Any) -> Any:
    """A typed cell for a number or day that Excel holds exactly, else a text cell."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < _EXACT:
        return value
    # Excel has no days before 1900 and counts a 29 February of that year.
    if isinstance(value, date) and value.year > 1900 and getattr(value, "tzinfo", None) is None:
        cell = WriteOnlyCell(sheet, value=value)
        text = _as_text(value)
        cell.number_format = "dd/mm/yyyy" if len(text) == 10 else "dd/mm/yyyy hh:mm:ss"
        return cell
    return _text_cell(sheet, _as_text(value))


def _text_cell(sheet: Any, text: str) -> Any:
    text = _UNPRINTABLE.sub("", text)
    if len(text) > _LONGEST_CELL:
        text = text[: _LONGEST_CELL - 1] + "…"
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    if quoted(text) != text:
        cell.quotePrefix = True  # stays text when somebody edits the cell
    return cell
