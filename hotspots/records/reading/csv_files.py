"""CSV of any encoding and separator -> rows of text, block by block, in bounded memory.

Rows are numbered from 1 below the header; blank lines count but are no rows. Rows with another
number of cells than the header, with bytes that the encoding cannot be, with text behind a closing
quote or with a cell beyond the limit are listed, never shifted or mended.
"""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from hotspots.errors import IntakeError
from hotspots.records.reading import encodings
from hotspots.records.reading.csv_layout import SEPARATORS, layout_of
from hotspots.records.reading.csv_records import Records
from hotspots.records.reading.csv_text import (
    MARK,
    Block,
    blocks,
    candidates,
    sample_of,
)
from hotspots.records.reading.header import checked_names, without_rows
from hotspots.records.reading.limits import Limits, Wish
from hotspots.records.reading.sink import Sink

_SEPARATOR_LINE = re.compile(rb'"?sep=([,;\t|])"?(?:\r\n|\n|\r)')
_SHOWN = 80
_LAYOUT_FROM = 5 << 18  # more than the longest header


def read(file: BinaryIO, name: str, wish: Wish, limits: Limits, sink: Sink, *, size: int) -> None:
    """Read a CSV to its end.

    Parameters
    ----------
    file : binary file
        Can be sought; read from its beginning.
    name : str
        What the person calls it.
    wish : Wish
        `encoding`, `separator`, `header_row`; what is None is found out.
    size : int
        Bytes of the file, for the progress.

    Raises
    ------
    IntakeError
        ``file_empty``, ``file_without_rows``, ``header_not_usable``, ``header_row_missing``,
        ``encoding_not_utf8``, ``nul_in_file``, ``quote_not_closed``, ``row_too_long``,
        ``header_too_long``, ``too_many_rows``, ``too_many_columns``, ``too_many_unusable_rows``,
        ``separator_unknown``, ``encoding_unknown``.
    """
    encoding = _encoding(file, name, wish, sink)
    reading = _Reading(name, wish, limits, sink)
    for block in blocks(file, encoding):
        reading.take(block)
        sink.progress(block.read / max(size, 1))
    reading.end()


def _encoding(file: BinaryIO, name: str, wish: Wish, sink: Sink) -> str:
    """Return the encoding to read in: the person's, or the likeliest, and say what else fits."""
    sample = sample_of(file)
    fitting = candidates(sample)
    chosen = wish.encoding or (fitting[0] if fitting else "")
    if not chosen:
        if b"\x00" in sample:
            raise _nul(name, sample[: sample.index(b"\x00")].count(b"\n"))
        raise _not_decoded(name)
    encodings.decoder(chosen)  # refuses an unknown one
    if not wish.encoding:
        legacy = [one.partition("+")[2] for one in fitting if one.startswith(f"{chosen}+")]
        if legacy:
            sink.found("legacy_letters", encoding=legacy[0])
        if chosen in encodings.LEGACY:
            sink.found("encoding_guessed", encoding=chosen)
    others = [one for one in (*fitting, *encodings.LEGACY) if one != chosen]
    sink.fact(encoding=chosen, encodings=list(dict.fromkeys(others)) if fitting else [])
    return str(chosen)


class _Reading:
    """A CSV on its way to the sink; holds what is not a complete row yet."""

    def __init__(self, name: str, wish: Wish, limits: Limits, sink: Sink) -> None:
        self._name, self._wish, self._limits, self._sink = name, wish, limits, sink
        self._records: Records | None = None
        self._columns: tuple[str, ...] = ()
        self._held = b""
        self._marked = False
        self._seen = self._kept = self._listed = self._blank = 0

    def take(self, block: Block) -> None:
        """Take the next piece of the text."""
        self._marked = block.marked or (self._marked and bool(self._held))
        self._held += block.text
        if self._records is None and len(self._held) >= _LAYOUT_FROM:
            self._begin()
        if self._records is not None:
            self._go_on(self._records)

    def end(self) -> None:
        """Take what is left, and say what was found on the whole."""
        if self._held and not self._held.endswith(b"\n"):
            self._held += b"\n"
        if self._records is None:
            self._begin()
        if self._records is not None:
            self._go_on(self._records)
        if self._held:
            raise self._unfinished(self._held)
        if not self._kept and not self._listed:
            raise without_rows(self._name)
        if self._blank:
            self._sink.found("blank_rows", rows=self._blank)

    def _begin(self) -> None:
        """Find the separator and the names; what is below them stays held."""
        text = self._held
        separator = self._wish.separator
        if separator not in (None, "", *SEPARATORS):
            raise IntakeError(
                "separator_unknown",
                f"A separator is a comma, semicolon, tab or |, not {separator!r}.",
                file=self._name,
                separator=separator,
            )
        if line := _SEPARATOR_LINE.match(text):
            text, separator = text[line.end() :], separator or line[1].decode()
        layout = layout_of(text, separator, self._wish.header_row)
        records = Records(layout.separator)
        rows, below = records.first(text, layout.header_row)
        if len(rows) < layout.header_row:
            raise self._no_header(text, layout.header_row, len(rows), below)
        self._begin_with(rows[-1], records)
        if layout.titles and not self._wish.header_row:
            self._sink.found("title_rows", rows=layout.titles, header_row=layout.header_row)
        self._sink.fact(separator=layout.separator, header_row=layout.header_row)
        self._records, self._held = records, text[below:]

    def _begin_with(self, header: bytes, records: Records) -> None:
        if len(header) > self._limits.header_bytes:
            raise self._too_long("header_too_long", 0)
        if MARK.encode() in header:
            raise _not_decoded(self._name)
        if b"\x00" in header:
            raise _nul(self._name, 0)
        self._columns = checked_names(records.cells(header), self._name, self._limits)
        self._sink.header(self._columns)

    def _no_header(self, text: bytes, wanted: int, rows: int, below: int) -> IntakeError:
        if text[below:]:
            return self._unfinished(text[below:])
        if not rows and not text:
            return IntakeError("file_empty", f"{self._name} holds no text.", file=self._name)
        return IntakeError(
            "header_row_missing",
            f"{self._name} has {rows} rows; the names cannot be in row {wanted}.",
            file=self._name,
            row=wanted,
            rows=rows,
        )

    def _go_on(self, records: Records) -> None:
        """Hand over the complete rows that are held."""
        if b"\x00" in self._held:
            before = records.split(self._held[: self._held.index(b"\x00")])
            raise _nul(self._name, self._seen + len(before) + 1)
        end = records.end(self._held)
        if end:
            text, self._held = self._held[:end], self._held[end:]
            self._hand_over(text, records)
        if len(self._held) > 4 * self._limits.cell_bytes:
            raise self._unfinished(self._held)
        if self._seen > self._limits.table_rows:
            raise IntakeError(
                "too_many_rows",
                f"{self._name} has more than {self._limits.table_rows} rows; divide it.",
                file=self._name,
                most=self._limits.table_rows,
            )

    def _hand_over(self, text: bytes, records: Records) -> None:
        numbers: list[int] | None = None
        total = 0
        if _has_blank_lines(text) or not records.is_strict(text):
            text, numbers, total = self._sorted_out(records.split(text), records)
        table, ragged = self._parsed(text, records) if text else (None, [])
        if table is not None:
            parsed = table.num_rows + len(ragged)
            every = np.arange(1, parsed + 1) if numbers is None else np.asarray(numbers)
            for place, row in ragged:
                self._list(self._seen + int(every[place - 1]), "wrong_number_of_cells", row)
            good = np.delete(every, [place - 1 for place, _ in ragged]) + self._seen
            self._give(table, good)
            total = max(total, parsed)
        self._seen += total

    def _sorted_out(self, rows: list[bytes], records: Records) -> tuple[bytes, list[int], int]:
        """Return the rows that a parser reads as they are meant, and their places from 1."""
        kept, numbers = [], []
        for place, row in enumerate(rows, start=1):
            if not row:
                self._blank += 1
            elif records.is_strict_row(row):
                kept.append(row)
                numbers.append(place)
            elif b"\n" in row or b"\r" in row:  # the quote took other rows in
                raise self._quote(self._seen + place)
            else:
                self._list(self._seen + place, "quote_misplaced", row.decode())
        return b"".join(row + b"\n" for row in kept), numbers, len(rows)

    def _parsed(self, text: bytes, records: Records) -> tuple[Any, list[tuple[int, str]]]:
        """Return rows of text, and those with another number of cells by their place from 1."""
        ragged: list[tuple[int, str]] = []

        def keep(row: pa_csv.InvalidRow) -> str:
            ragged.append((row.number, row.text))
            return "skip"

        try:
            table = pa_csv.read_csv(
                pa.BufferReader(text),
                read_options=pa_csv.ReadOptions(
                    use_threads=False, column_names=self._columns, block_size=len(text) + 1
                ),
                parse_options=pa_csv.ParseOptions(
                    delimiter=records.separator,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=keep,
                ),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(self._columns, pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            raise IntakeError(
                "file_not_read",
                f"{self._name} cannot be read as CSV near row {self._seen + 1}.",
                file=self._name,
                problem="CSV",
            ) from error
        return table, ragged

    def _give(self, table: Any, numbers: Any) -> None:
        """Hand over rows, but for those with marks or cells that are too long."""
        most = self._limits.cell_bytes
        if table.nbytes > most:
            long = [pc.greater(pc.binary_length(column), most) for column in table.columns]
            table, numbers = self._without(table, numbers, long, "cell_too_long")
        if self._marked:
            marked = [pc.match_substring(column, MARK) for column in table.columns]
            table, numbers = self._without(table, numbers, marked, "encoding_mixed")
        if table.num_rows:
            self._sink.rows(dict(zip(self._columns, table.columns, strict=True)), numbers)
        self._kept += table.num_rows

    def _without(self, table: Any, numbers: Any, where: list[Any], reason: str) -> tuple[Any, Any]:
        """List the rows where any column is concerned; return the others."""
        wrong = np.zeros(table.num_rows, dtype=bool)
        for concerned in where:
            wrong |= np.asarray(concerned, dtype=bool)
        if not wrong.any():
            return table, numbers
        for place in np.flatnonzero(wrong):
            cells = [str(column[int(place)].as_py())[:_SHOWN] for column in table.columns]
            self._list(int(numbers[place]), reason, " | ".join(cells))
        return table.filter(pa.array(~wrong)), numbers[~wrong]

    def _list(self, row: int, reason: str, value: str) -> None:
        self._listed += 1
        if self._listed > self._limits.listed_rows:
            raise IntakeError(
                "too_many_unusable_rows",
                f"{self._name}: more than {self._limits.listed_rows} rows cannot be read (the last "
                f"looked at is {row}: {reason}). Check the separator and the encoding.",
                file=self._name,
                most=self._limits.listed_rows,
                row=row,
            )
        self._sink.ragged(row, reason, value[:_SHOWN].replace(MARK, "\ufffd"))

    def _unfinished(self, text: bytes) -> IntakeError:
        """Return the error of a row that does not end."""
        row = self._seen + 1 if self._records else 0
        closed = Records(self._records.separator if self._records else ",").end(text + b"\n")
        return self._too_long("row_too_long", row) if closed else self._quote(row)

    def _quote(self, row: int) -> IntakeError:
        return IntakeError(
            "quote_not_closed",
            f"{self._name}, row {row}: a quotation mark opens a cell and none closes it in that "
            "row. Correct the row, or save the file again from the spreadsheet.",
            file=self._name,
            row=row,
        )

    def _too_long(self, reason: str, row: int) -> IntakeError:
        return IntakeError(
            reason,
            f"{self._name}, row {row}: the row is too long. Is it a table, one row on a line?",
            file=self._name,
            row=row,
        )


def _has_blank_lines(text: bytes) -> bool:
    """Return whether there may be blank lines; a cell that holds them looks the same."""
    if text.startswith((b"\n", b"\r")) or b"\n\n" in text:
        return True
    return b"\r" in text and (b"\n\r" in text or b"\r\r" in text)


def _nul(name: str, row: int) -> IntakeError:
    return IntakeError(
        "nul_in_file",
        f"{name}, row {row}: there is a NUL character, so it is no text, or damaged. Save the "
        "table again as 'CSV UTF-8'.",
        file=name,
        row=row,
    )


def _not_decoded(name: str) -> IntakeError:
    return IntakeError(
        "encoding_not_utf8",
        f"{name} cannot be decoded; save it as 'CSV UTF-8'.",
        file=name,
    )
