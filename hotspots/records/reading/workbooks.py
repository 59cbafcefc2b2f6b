"""Reading a sheet of a workbook (.xlsx): every cell as the text that a person sees there.

The package, its sheets and its styles are read by openpyxl, the cells by `sheet_cells`. Numbers are
text without needless decimals, days are yyyy-mm-dd, errors such as #REF! stay as they are and are
reported. A workbook that holds what cannot be known (a formula never calculated), or more than a
table (macros), is refused.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

from hotspots.errors import IntakeError
from hotspots.records.reading.cell_text import moment_text, number_text
from hotspots.records.reading.encodings import Letters
from hotspots.records.reading.header import checked_names, without_rows
from hotspots.records.reading.limits import Limits, Wish
from hotspots.records.reading.sheet_cells import (
    Cell,
    Remarks,
    XmlRefused,
    check_prolog,
    column_letters,
    read_rows,
    read_strings,
    unescaped,
)
from hotspots.records.reading.sink import Sink
from hotspots.records.reading.zips import open_zip

_LOCKED_OR_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # OLE2: .xls, or .xlsx with a password
_HEAD_ROWS = 15
_HEAD_SHARE = 0.6  # of the widest row, that a row of names must fill
_PROLOG = 1 << 16
_LARGEST_PART = 8_000_000  # of the small parts: list of sheets, styles
_SIGNIFICANT = 15  # digits that Excel shows
_BATCH = 20_000
_LISTED = 20
_ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"))
_FAULTS = (
    XmlRefused,
    ExpatError,
    ParseError,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)


def read(path: Path, wish: Wish, limits: Limits, sink: Sink) -> None:
    """Read one sheet: the wished one, or the first visible one that holds anything.

    Parameters
    ----------
    path : Path
        The workbook.
    wish : Wish
        `sheet`, `header_row`, and an `encoding` for legacy letters.
    limits : Limits
        Of size, rows, columns.
    sink : Sink
        Gets the rows; a row's number counts from the row after the header, blank ones included.

    Raises
    ------
    IntakeError
        If it is no workbook that can be read; see `zips` and `sheet_cells` too.
    """
    with path.open("rb") as file:
        if file.read(8) == _LOCKED_OR_OLD:
            raise IntakeError(
                "file_is_old_workbook",
                f"{path.name} is locked with a password or of the old kind .xls; "
                "save it as .xlsx without a password.",
                file=path.name,
            )
    with open_zip(path, limits, nested=True) as archive, _faults_named(path), _quietly():
        _check_parts(path, archive, sink)
        _read(path, _Book(archive, limits, path.name), wish, limits, sink)


def _read(path: Path, book: _Book, wish: Wish, limits: Limits, sink: Sink) -> None:
    names = [sheet.name for sheet in book.sheets]
    hidden = [sheet.name for sheet in book.sheets if sheet.hidden]
    if hidden:
        sink.found("hidden_sheets", sheets=hidden)
    letters = Letters(wish.encoding)
    for sheet in _candidates(path, book, wish):
        table = _Table(path, book, sheet, letters, wish, limits, sink)
        if table.begin():
            if wish.sheet is None and len(names) - len(hidden) > 1:
                sink.found("several_sheets", sheets=names, sheet=sheet.name)
            sink.fact(sheet=sheet.name, sheets=names, encoding="")
            table.hand_over()
            return
    raise IntakeError(
        "file_empty", f"{path.name} has no sheet that holds anything.", file=path.name, size=0
    )


@dataclass(frozen=True)
class _SheetPart:
    name: str
    hidden: bool
    part: str


def _candidates(path: Path, book: _Book, wish: Wish) -> list[_SheetPart]:
    """Return the sheets to try, in their order."""
    if wish.sheet is None:
        return [sheet for sheet in book.sheets if not sheet.hidden] or book.sheets
    chosen = [sheet for sheet in book.sheets if sheet.name == wish.sheet]
    if chosen:
        return chosen
    names = [sheet.name for sheet in book.sheets]
    raise IntakeError(
        "sheet_unknown",
        f"{path.name} has no sheet {wish.sheet!r}; it has {names}.",
        file=path.name,
        sheet=wish.sheet,
        sheets=names,
    )


class _Book:
    """The sheets of a workbook, and what its cells refer to."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits, name: str) -> None:
        # Imported here: it costs a third of a second.
        from openpyxl.reader.excel import ExcelReader
        from openpyxl.styles.stylesheet import apply_stylesheet
        from openpyxl.xml.constants import SHARED_STRINGS

        self.archive = archive
        reader = ExcelReader(archive.fp, read_only=True, data_only=True, keep_links=False)
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(archive, reader.wb)
        self.epoch: datetime = reader.wb.epoch
        self.dates: frozenset[int] = frozenset(reader.wb._date_formats)
        self.lengths: frozenset[int] = frozenset(reader.wb._timedelta_formats)
        self.sheets = [
            _SheetPart(str(sheet.name), sheet.state != "visible", part.target)
            for sheet, part in reader.parser.find_sheets()
            if part.target in archive.NameToInfo and "chartsheet" not in part.Type
        ]
        self.strings: list[str] = []
        strings: Any = reader.package.find(SHARED_STRINGS)
        if strings is not None:
            with archive.open(strings.PartName[1:]) as file:
                self.strings = read_strings(file, limits, name)


class _TextRow(NamedTuple):
    """A row that holds anything but blanks, its texts by column."""

    number: int
    hidden: bool
    texts: dict[int, str]


class _Table:
    """The table of one sheet, handed over in batches."""

    def __init__(
        self,
        path: Path,
        book: _Book,
        sheet: _SheetPart,
        letters: Letters,
        wish: Wish,
        limits: Limits,
        sink: Sink,
    ) -> None:
        self._path, self._book, self._sheet = path, book, sheet
        self._wish, self._limits, self._sink = wish, limits, sink
        self._letters = letters
        self._text = _Reader(book, letters)
        self._remarks = Remarks()
        self._rows: Iterator[_TextRow] = iter(())
        self._head: list[_TextRow] = []
        self._listed = self._kept = 0

    def begin(self) -> bool:
        """Look at the first rows; tell whether there is anything."""
        self._rows = self._stream()
        wanted = self._wish.header_row
        if wanted is not None:
            self._rows = (row for row in self._rows if row.number >= wanted)
        self._head = list(islice(self._rows, _HEAD_ROWS))
        return bool(self._head)

    def hand_over(self) -> None:
        """Give header, rows and remarks to the sink."""
        place = self._header_place()
        header = self._head[place]
        names, first = self._names(header)
        self._sink.fact(header_row=header.number)
        if place and self._wish.header_row is None:
            self._sink.found("title_rows", rows=place, header_row=header.number)
        self._sink.header(names)
        self._body(chain(self._head[place + 1 :], self._rows), names, first, header.number)
        self._tell()

    def _stream(self) -> Iterator[_TextRow]:
        part = self._book.archive.getinfo(self._sheet.part)
        with self._book.archive.open(part) as file:
            for row in read_rows(file, self._limits, self._remarks, self._path.name):
                self._sink.progress(file.tell() / max(part.file_size, 1))
                texts = {cell.column: self._text.read(cell) for cell in row.cells}
                shown = {column: text for column, text in texts.items() if text.strip()}
                if shown:
                    yield _TextRow(row.number, row.hidden, shown)

    def _header_place(self) -> int:
        """Return which of the first rows holds the names: the first that is nearly as wide as any.

        Above it stand titles, as a rule merged over the table.
        """
        if self._wish.header_row is not None:
            return 0
        enough = _HEAD_SHARE * max(len(row.texts) for row in self._head)
        return next(place for place, row in enumerate(self._head) if len(row.texts) >= enough)

    def _names(self, header: _TextRow) -> tuple[tuple[str, ...], int]:
        """Return the names of the columns, each its own, and the column of the first."""
        given = {column: " ".join(text.split()) for column, text in header.texts.items()}
        first, last = min(given), max(given)
        names = [given.get(column, "") for column in range(first, last + 1)]
        return checked_names(names, self._path.name, self._limits, first=first), first

    def _body(
        self, rows: Iterator[_TextRow], names: Sequence[str], first: int, header: int
    ) -> None:
        columns: list[list[str]] = [[] for _ in names]
        numbers: list[int] = []
        hidden: list[int] = []
        errors = blank = 0
        last = header
        for row in rows:
            blank += row.number - last - 1
            last = row.number
            if row.hidden:
                hidden.append(row.number)
            errors += sum(text in _ERRORS for text in row.texts.values())
            if min(row.texts) < first or max(row.texts) >= first + len(names):
                self._list(row.number - header, row.texts)
                continue
            numbers.append(row.number - header)
            for place, column in enumerate(columns, start=first):
                column.append(row.texts.get(place, ""))
            if len(numbers) == _BATCH:
                self._flush(names, columns, numbers)
                columns, numbers = [[] for _ in names], []
        self._flush(names, columns, numbers)
        if blank:
            self._sink.found("blank_rows", rows=blank)
        if hidden:
            self._sink.found("hidden_rows", rows=len(hidden), sheet_rows=hidden[:_LISTED])
        if errors:
            self._sink.found("error_cells", cells=errors)

    def _flush(self, names: Sequence[str], columns: list[list[str]], numbers: list[int]) -> None:
        self._kept += len(numbers)
        if numbers:
            self._sink.rows(dict(zip(names, columns, strict=True)), numbers)

    def _list(self, row: int, texts: Mapping[int, str]) -> None:
        self._listed += 1
        if self._listed > self._limits.listed_rows:
            raise IntakeError(
                "too_many_unusable_rows",
                f"{self._path.name}: more than {self._limits.listed_rows} rows have cells beside "
                "the table; is the header row right?",
                file=self._path.name,
                most=self._limits.listed_rows,
                row=row,
            )
        self._sink.ragged(row, "wrong_number_of_cells", "; ".join(texts.values()))

    def _tell(self) -> None:
        """Say what was seen, once the whole sheet was read."""
        seen = self._remarks
        if seen.formulas_without_value:
            raise IntakeError(
                "formula_without_value",
                f"{self._path.name}: {seen.formulas_without_value} formulas were never calculated "
                f"(the first in {seen.first_formula}); open it in Excel, save it, and try again.",
                file=self._path.name,
                cells=seen.formulas_without_value,
                cell=seen.first_formula,
            )
        if not self._kept and not self._listed:
            raise without_rows(self._path.name)
        if seen.merged_count:
            self._sink.found("merged_cells", count=seen.merged_count, ranges=seen.merged)
        if seen.hidden_columns:
            shown = [column_letters(column) for column in seen.hidden_columns[:_LISTED]]
            self._sink.found("hidden_columns", count=len(seen.hidden_columns), columns=shown)
        legacy = self._letters.seen()
        if legacy:
            self._sink.found("legacy_letters", encoding=legacy)
        self._sink.fact(encodings=[legacy] if legacy else [])


class _Reader:
    """Turns cells into text."""

    def __init__(self, book: _Book, letters: Letters) -> None:
        self._book = book
        self._letters = letters
        self._number = lru_cache(100_000)(self._read_number)

    def read(self, cell: Cell) -> str:
        """Return what a person sees in the cell."""
        match cell.kind:
            case "n":
                return self._number(cell.text, cell.style)
            case "s":
                return self._letters.read(self._book.strings[int(cell.text)])
            case "b":
                return "TRUE" if cell.text.strip() in ("1", "true") else "FALSE"
            case "d":
                return cell.text.removesuffix("Z").removesuffix("T00:00:00").replace("T", " ")
            case "e":
                return cell.text
        return self._letters.read(unescaped(cell.text))

    def _read_number(self, text: str, style: int) -> str:
        from openpyxl.utils.datetime import from_excel

        if style in self._book.dates:
            try:
                length = style in self._book.lengths
                return moment_text(from_excel(float(text), self._book.epoch, timedelta=length))
            except (OverflowError, ValueError):
                return text.strip()  # Excel shows #####: no day has this number
        digits = text.strip()
        if digits.removeprefix("-").isdecimal():
            return digits
        return number_text(float(text), digits=_SIGNIFICANT)


def _check_parts(path: Path, archive: zipfile.ZipFile, sink: Sink) -> None:
    """Refuse what is no plain workbook by its parts, before any of them is parsed."""
    names = {name.casefold() for name in archive.namelist()}
    kinds = {
        "workbook_with_macros": (
            "vbaproject.bin",
            "holds macros; save it as a workbook without them",
        ),
        "file_is_old_workbook": ("workbook.bin", "is a binary workbook; save it as .xlsx"),
    }
    for reason, (part, sentence) in kinds.items():
        if any(name.rpartition("/")[2] == part for name in names):
            raise IntakeError(reason, f"{path.name} {sentence}.", file=path.name)
    if "[content_types].xml" not in names:
        raise _not_read(path, "it holds no workbook")
    links = sum(name.startswith("xl/externallinks/externallink") for name in names)
    if links:
        sink.found("external_links", links=links)
    for member in archive.infolist():
        if member.filename.casefold().endswith((".xml", ".rels")):
            _check_part(path, archive, member)


def _check_part(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    name = member.filename.casefold()
    streamed = "/worksheets/" in name or name.endswith("sharedstrings.xml")
    read_whole = name.endswith(("[content_types].xml", "styles.xml", "workbook.xml", ".rels"))
    if not streamed and not read_whole:
        return
    if read_whole and member.file_size > _LARGEST_PART:
        raise _not_read(path, f"{member.filename} is too large")
    with archive.open(member) as file:
        try:
            check_prolog(file.read(_PROLOG))
        except XmlRefused as error:
            raise IntakeError(
                "workbook_unsafe_xml",
                f"{path.name} is not as Excel writes it ({member.filename}: {error}); "
                "open it in Excel and save it again.",
                file=path.name,
                part=member.filename,
            ) from error


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """Turn whatever a damaged workbook does to its readers into a refusal."""
    try:
        yield
    except _FAULTS as error:
        raise _not_read(path, error) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep openpyxl's warnings, about parts that are not read, to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _not_read(path: Path, error: object) -> IntakeError:
    return IntakeError(
        "file_not_read",
        f"{path.name} cannot be read as workbook: {error}.",
        file=path.name,
        problem=str(error)[:200],
    )
