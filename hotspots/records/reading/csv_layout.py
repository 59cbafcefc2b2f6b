"""How a CSV is laid out: its separator, and the row that holds the names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hotspots.records.reading.csv_records import Records

SEPARATORS = ("\t", ";", "|", ",")  # a comma last: it may be a decimal comma
_LOOKED_AT = 60
_TITLES = 15


@dataclass(frozen=True)
class Layout:
    """What was found at the beginning of a file.

    Attributes
    ----------
    separator : str
    header_row : int
        Row with the names, from 1; a line ``sep=;`` above is not counted.
    titles : int
        Rows above the names that are not blank.
    """

    separator: str
    header_row: int
    titles: int


def layout_of(beginning: bytes, separator: str | None, header_row: int | None) -> Layout:
    """Return the layout; what the person decided is taken as it is.

    The separator is the one with which most rows have as many cells as the header. A first row
    with one filled cell, followed by rows with more, is a title: then the names are in the first
    row that fills as many cells as any.

    Examples
    --------
    >>> layout_of(b"ma;so tien\\n1;2,5\\n2;3,5\\n", None, None)
    Layout(separator=';', header_row=1, titles=0)
    >>> layout_of(b"BAO CAO;\\n;\\nma;so\\n1;2\\n", None, None)
    Layout(separator=';', header_row=3, titles=1)
    """
    tried = [separator] if separator else list(SEPARATORS)
    layouts = [_tried(beginning, one, header_row) for one in tried]
    (_, names), best = max(layouts, key=lambda item: item[0])
    return best if names > 1 else layouts[-1][1]


def _tried(
    beginning: bytes, separator: str, header_row: int | None
) -> tuple[tuple[float, int], Layout]:
    """Return a layout with how well it fits: share of even rows, and cells in the header."""
    records = Records(separator)
    rows = [records.cells(row) for row in records.split(beginning, _LOOKED_AT)]
    header = header_row or _header_row(rows)
    names = rows[header - 1] if len(rows) >= header else []
    below = [cells for cells in rows[header:] if any(cells)]
    even = sum(len(cells) == len(names) for cells in below) / len(below) if below else 1.0
    fits = even if len(names) > 1 else 0.0
    titles = sum(any(cell.strip() for cell in cells) for cells in rows[: header - 1])
    return (fits, len(names)), Layout(separator, header, titles)


def _header_row(rows: list[list[str]]) -> int:
    filled = [sum(bool(cell.strip()) for cell in cells) for cells in rows[:_TITLES]]
    first = next((place for place, cells in enumerate(filled) if cells), 0)
    most = max(filled, default=0)
    if not filled or filled[first] > 1 or most <= 1:
        return first + 1
    names = filled.index(most)
    width = len(rows[names])
    below = Counter(len(cells) for cells in rows[names + 1 :] if any(cells))
    if below and below[width] * 2 < below.total():
        return first + 1  # one column, and a row with a cell too many
    return names + 1
