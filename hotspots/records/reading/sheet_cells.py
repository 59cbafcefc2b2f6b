"""The cells of one worksheet, streamed from its XML, with what a person should know of them.

openpyxl's own row reader silently drops what lies beyond a limit, keeps every row it has passed in
memory, and does not tell a formula that was never calculated from an empty cell; so the sheet and
the table of shared strings are read here, in the order of the file, and refused at the first cell
too many. The format is ECMA-376 part 1, sections 18.3 (worksheets) and 18.4 (shared strings).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, NamedTuple
from xml.parsers import expat

from hotspots.errors import IntakeError
from hotspots.records.reading.limits import Limits

_CHUNK = 1 << 16
_LISTED = 5
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127])
_TRUE = ("1", "true")


class Cell(NamedTuple):
    """A cell as the file holds it: `kind` is its type letter, `style` its number in the styles."""

    column: int
    kind: str
    style: int
    text: str


class Row(NamedTuple):
    """A row of the sheet, from 1, with those of its cells that hold something."""

    number: int
    hidden: bool
    cells: list[Cell]


@dataclass
class Remarks:
    """What was seen on the way."""

    merged: list[str] = field(default_factory=list)
    merged_count: int = 0
    hidden_columns: list[int] = field(default_factory=list)
    formulas_without_value: int = 0
    first_formula: str = ""


class XmlRefused(Exception):  # noqa: N818 - an answer of the parser, turned into an IntakeError
    """XML that declares a document type, which no workbook does and every entity bomb must."""


def read_rows(file: IO[bytes], limits: Limits, remarks: Remarks, name: str) -> Iterator[Row]:
    """Give the rows of a worksheet that hold anything.

    Parameters
    ----------
    file : binary file
        The worksheet's XML.
    limits : Limits
        Of rows, columns and the length of a cell.
    remarks : Remarks
        Filled on the way; complete when the last row was given.
    name : str
        The workbook's name, for errors.

    Raises
    ------
    IntakeError
        `too_many_columns`, `too_many_rows` or `cell_too_long`, at the first cell beyond a limit.
    XmlRefused, ValueError, xml.parsers.expat.ExpatError
        If it is not the XML of a worksheet.
    """
    sheet = _Sheet(limits, remarks, name)
    parser = _parser(sheet.start, sheet.end, sheet.text)
    while chunk := file.read(_CHUNK):
        parser.Parse(chunk, False)
        yield from sheet.take()
    parser.Parse(b"", True)
    yield from sheet.take()


def read_strings(file: IO[bytes], limits: Limits, name: str) -> list[str]:
    """Return the shared strings of a workbook, without the readings of East Asian letters."""
    strings = _Strings(limits, name)
    parser = _parser(strings.start, strings.end, strings.text)
    while chunk := file.read(_CHUNK):
        parser.Parse(chunk, False)
    parser.Parse(b"", True)
    return strings.found


def check_prolog(head: bytes) -> None:
    """Refuse XML that declares a document type, or whose first element does not come early.

    Raises
    ------
    XmlRefused, xml.parsers.expat.ExpatError
        If so, or if it is no XML.
    """

    def stop(*_: object) -> None:
        raise _Begun

    parser = _parser(stop, lambda _: None, lambda _: None)
    try:
        parser.Parse(head, False)
    except _Begun:
        return
    raise XmlRefused("its first element is missing")


class _Begun(Exception):  # noqa: N818 - a signal
    pass


class _Text:
    """Text between tags, no longer than allowed."""

    def __init__(self, limits: Limits, name: str) -> None:
        self._longest = limits.cell_bytes
        self._name = name
        self._pieces: list[str] = []
        self._length = 0
        self.wanted = False

    def add(self, text: str) -> None:
        if not self.wanted:
            return
        self._pieces.append(text)
        self._length += len(text)
        if self._length > self._longest:
            raise IntakeError(
                "cell_too_long",
                f"{self._name} has a cell of more than {self._longest} characters; "
                "shorten or delete it.",
                file=self._name,
                most=self._longest,
            )

    def take(self) -> str:
        text = "".join(self._pieces)
        self._pieces, self._length, self.wanted = [], 0, False
        return text


class _Strings:
    """What the parser calls while it reads the shared strings."""

    def __init__(self, limits: Limits, name: str) -> None:
        self.found: list[str] = []
        self._text = _Text(limits, name)
        self._phonetic = False
        self.text = self._text.add

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        tag = _local(tag)
        if tag == "rPh":
            self._phonetic = True
        elif tag == "t":
            self._text.wanted = not self._phonetic

    def end(self, tag: str) -> None:
        tag = _local(tag)
        if tag == "t":
            self._text.wanted = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            self.found.append(unescaped(self._text.take()))


class _Sheet:
    """What the parser calls while it reads a worksheet."""

    def __init__(self, limits: Limits, remarks: Remarks, name: str) -> None:
        self._limits = limits
        self._remarks = remarks
        self._name = name
        self._ready: list[Row] = []
        self._row = self._column = 0
        self._hidden = False
        self._cells: list[Cell] = []
        self._cell = ("n", 0)
        self._formula = self._valued = self._phonetic = False
        self._value = _Text(limits, name)
        self.text = self._value.add

    def take(self) -> list[Row]:
        ready, self._ready = self._ready, []
        return ready

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        match _local(tag):
            case "c":
                reference = attributes.get("r")
                self._column = _column(reference) if reference else self._column + 1
                self._cell = (attributes.get("t", "n"), int(attributes.get("s", 0)))
                self._formula = self._valued = False
            case "v":
                self._value.wanted = self._valued = True
            case "f":
                self._formula = True
            case "t":
                self._value.wanted = not self._phonetic
            case "rPh":
                self._phonetic = True
            case "row":
                number = int(attributes.get("r", self._row + 1))
                if number <= self._row:
                    raise ValueError(f"row {number} comes after row {self._row}")
                self._row, self._column, self._cells = number, 0, []
                self._hidden = attributes.get("hidden") in _TRUE
            case "col" if attributes.get("hidden") in _TRUE:
                first, last = int(attributes["min"]), int(attributes["max"])
                last = min(last, self._limits.columns)
                self._remarks.hidden_columns.extend(range(first, last + 1))
            case "mergeCell":
                self._remarks.merged_count += 1
                if len(self._remarks.merged) < _LISTED:
                    self._remarks.merged.append(attributes.get("ref", ""))

    def end(self, tag: str) -> None:
        match _local(tag):
            case "c":
                self._end_cell(self._value.take())
            case "v" | "t":
                self._value.wanted = False
            case "rPh":
                self._phonetic = False
            case "row" if self._cells:
                self._ready.append(Row(self._row, self._hidden, self._cells))
                self._cells = []

    def _end_cell(self, text: str) -> None:
        blank_text = self._valued and self._cell[0] == "str"  # the formula gave ""
        if self._formula and not text and not blank_text:
            self._remarks.formulas_without_value += 1
            self._remarks.first_formula = self._remarks.first_formula or self._place()
        if not text:
            return
        if self._column > self._limits.columns:
            raise IntakeError(
                "too_many_columns",
                f"{self._name} has something in cell {self._place()}; at most "
                f"{self._limits.columns} columns are read. Delete the columns beyond the table.",
                file=self._name,
                columns=self._column,
                most=self._limits.columns,
                cell=self._place(),
            )
        if self._row > self._limits.workbook_rows:
            raise IntakeError(
                "too_many_rows",
                f"{self._name} has something in row {self._row}; at most "
                f"{self._limits.workbook_rows} rows are read. Save it as CSV, or delete the rest.",
                file=self._name,
                rows=self._row,
                most=self._limits.workbook_rows,
            )
        kind, style = self._cell
        self._cells.append(Cell(self._column, kind, style, text))

    def _place(self) -> str:
        return f"{column_letters(self._column)}{self._row}"


def column_letters(column: int) -> str:
    """Return a column's letters.

    Examples
    --------
    >>> column_letters(1), column_letters(28), column_letters(16384)
    ('A', 'AB', 'XFD')
    """
    letters = ""
    while column > 0:
        column, place = divmod(column - 1, 26)
        letters = chr(ord("A") + place) + letters
    return letters


def unescaped(text: str) -> str:
    """Return text with letters written as ``_x000A_`` put back, and without control characters.

    Examples
    --------
    >>> unescaped("a_x000A_b"), unescaped("_x005F_x000A_"), unescaped("a_x0007_b")
    ('a\\nb', '_x000A_', 'ab')
    """
    if "_x" in text:
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return text if text.isprintable() else text.translate(_CONTROLS)


def _parser(start: object, end: object, text: object) -> expat.XMLParserType:
    def refuse(*_: object) -> None:
        raise XmlRefused("it declares a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start  # type: ignore[assignment] # any callable
    parser.EndElementHandler = end  # type: ignore[assignment]
    parser.CharacterDataHandler = text  # type: ignore[assignment]
    return parser


def _local(tag: str) -> str:
    return tag[tag.rfind(" ") + 1 :]


def _column(reference: str) -> int:
    return _column_number(reference.rstrip("0123456789"))


@lru_cache(maxsize=20_000)
def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        if not "A" <= letter <= "Z" or number > 10_000:
            raise ValueError(f"{letters[:10]!r} is no column")
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
