"""What a reader hands over: a header, batches of text rows, rows it could not use, and remarks.

Readers of every kind of file speak to a `Sink`. `ArrowSink` keeps what they say in a folder, as
three files that hold no code and nothing of the uploaded file's own structure:

- ``rows.arrow``: an Arrow IPC file of text columns, plus the row's number under the name `NUMBER`;
- ``ragged.arrow``: `row`, `reason`, `value` of rows that were not used;
- ``facts.json``: `columns`, `geometry`, `rows`, `ragged` (how many), `found`, `facts`.

The other side reads them with `read_facts`, `read_batches` and `read_ragged`.
"""

from __future__ import annotations

import json
import os
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NUMBER = ""  # a blank name is never a column: headers with one are refused
GEOMETRY = "geometry"
BATCH_ROWS = 200_000
_LONGEST_VALUE = 80
_RAGGED_AT_ONCE = 10_000
_PROGRESS_EVERY = 0.2
_RAGGED = pa.schema([("row", pa.int64()), ("reason", pa.string()), ("value", pa.string())])

Column: TypeAlias = Sequence[str | bytes | None] | pa.Array | pa.ChunkedArray


class Sink(Protocol):
    """What a reader speaks to; the header comes first, then rows, in the order of the file."""

    def header(self, columns: Sequence[str], *, geometry: bool = False) -> None:
        """Name the columns; with `geometry`, one more column of that name holds WKB."""

    def rows(self, columns: Mapping[str, Column], numbers: Sequence[int]) -> None:
        """Hand over a batch: text of every column, and each row's number in the file from 1."""

    def ragged(self, row: int, reason: str, value: str) -> None:
        """List a row that is not among the rows, with the reason."""

    def found(self, code: str, **facts: object) -> None:
        """Remark something the person should know about the file."""

    def fact(self, **facts: object) -> None:
        """Say how the file was read: `encoding`, `sheet`, `sheets`, `layer`, `crs` ..."""

    def progress(self, share: float) -> None:
        """Say which share of the file is read, from 0 to 1."""


class ArrowSink:
    """A sink that keeps everything in a folder; nothing there is complete before `close`.

    Parameters
    ----------
    folder : Path
        An existing private folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     with ArrowSink(Path(name)) as sink:
    ...         sink.header(["ward"])
    ...         sink.rows({"ward": ["00123"]}, [1])
    ...     [batch.to_pydict() for batch in read_batches(Path(name))]
    [{'ward': ['00123'], '': [1]}]
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._columns: tuple[str, ...] | None = None
        self._geometry = False
        self._schema: Any = None
        self._writer: Any = None
        self._ragged_writer: Any = None
        self._waiting: list[tuple[int, str, str]] = []
        self._rows = self._ragged_rows = 0
        self._found: list[dict[str, object]] = []
        self._facts: dict[str, object] = {}
        self._told = -1.0

    def header(self, columns: Sequence[str], *, geometry: bool = False) -> None:
        """Name the columns, in NFC; only once."""
        if self._columns is not None:
            raise RuntimeError("the header was given already")
        names = tuple(unicodedata.normalize("NFC", whole_letters(name)) for name in columns)
        kinds = [(name, pa.string()) for name in names]
        if geometry:
            kinds.append((GEOMETRY, pa.binary()))
        self._columns, self._geometry = names, geometry
        self._schema = pa.schema([*kinds, (NUMBER, pa.int64())])
        self._writer = pa.ipc.new_file(str(self._folder / "rows.arrow"), self._schema)

    def rows(self, columns: Mapping[str, Column], numbers: Sequence[int]) -> None:
        """Write a batch; missing text becomes "", letters and marks are composed (NFC)."""
        if self._columns is None:
            raise RuntimeError("the header comes before the rows")
        by_name = {unicodedata.normalize("NFC", whole_letters(k)): v for k, v in columns.items()}
        kept = [_text(by_name[name]) for name in self._columns]
        if self._geometry:
            kept.append(_shapes(by_name[GEOMETRY]))
        kept.append(_numbers(numbers))
        table = pa.Table.from_arrays(kept, schema=self._schema)
        self._writer.write_table(table, max_chunksize=BATCH_ROWS)
        self._rows += table.num_rows

    def ragged(self, row: int, reason: str, value: str) -> None:
        """Keep a row's number, reason, and the beginning of what it holds."""
        self._waiting.append((row, reason, whole_letters(value[:_LONGEST_VALUE])))
        self._ragged_rows += 1
        if len(self._waiting) >= _RAGGED_AT_ONCE:
            self._write_ragged()

    def found(self, code: str, **facts: object) -> None:
        """Keep a remark; the same remark only once."""
        remark: dict[str, object] = {"code": code, "facts": facts}
        if remark not in self._found:
            self._found.append(remark)

    def fact(self, **facts: object) -> None:
        """Keep how the file was read; later words replace earlier ones."""
        self._facts.update(facts)

    def progress(self, share: float) -> None:
        """Write the share to the file ``progress``, a few times a second at most."""
        now = time.monotonic()
        if now - self._told >= _PROGRESS_EVERY:
            self._told = now
            waiting = self._folder / "progress.new"
            waiting.write_text(f"{min(max(share, 0.0), 1.0):.4f}")
            os.replace(waiting, self._folder / "progress")

    def close(self) -> None:
        """Finish the files; `facts.json` comes last, so that its presence means all is there."""
        if self._columns is None:
            self.header([])
        self._writer.close()
        self._write_ragged()
        self._ragged_writer.close()
        said = {
            "columns": self._columns,
            "geometry": self._geometry,
            "rows": self._rows,
            "ragged": self._ragged_rows,
            "found": self._found,
            "facts": self._facts,
        }
        waiting = self._folder / "facts.new"
        waiting.write_text(json.dumps(said, default=str), "utf-8")
        os.replace(waiting, self._folder / "facts.json")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the files, or after an error close them unfinished."""
        if kind is None:
            self.close()
            return
        for writer in (self._writer, self._ragged_writer):
            if writer is not None:
                writer.close()

    def _write_ragged(self) -> None:
        if self._ragged_writer is None:
            self._ragged_writer = pa.ipc.new_file(str(self._folder / "ragged.arrow"), _RAGGED)
        if self._waiting:
            rows, *texts = zip(*self._waiting, strict=True)
            columns = [_numbers(rows), *(_text(text) for text in texts)]
            self._ragged_writer.write_table(pa.Table.from_arrays(columns, schema=_RAGGED))
            self._waiting = []


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what ``facts.json`` says."""
    said: dict[str, Any] = json.loads((folder / "facts.json").read_text("utf-8"))
    return said


def read_batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """Give the rows batch by batch; the last column `NUMBER` numbers them.

    Each batch is checked in full, since the process that wrote it read a file of unknown origin.
    """
    yield from _batches(folder / "rows.arrow")


def read_ragged(folder: Path) -> pa.Table:
    """Return the rows that were not used: `row`, `reason`, `value`."""
    return pa.Table.from_batches(_batches(folder / "ragged.arrow"), schema=_RAGGED)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            batch.validate(full=True)
            yield batch


def _text(values: Column) -> Any:
    """Return text without missing cells, in NFC."""
    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = _bytes_array([_encoded(value) for value in values], pa.string())
    text = values.cast(pa.string())
    if text.null_count:
        text = pc.fill_null(text, "")
    return text if _is_ascii(text) else pc.utf8_normalize(text, "NFC")


def _shapes(values: Column) -> Any:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values.cast(pa.binary())
    known = np.array([value is not None for value in values], bool)
    pieces = [value if isinstance(value, bytes) else b"" for value in values]
    return _bytes_array(pieces, pa.binary(), known)


# `pa.array` imports pandas, which costs the process that reads a file most of its start.


def _bytes_array(pieces: list[bytes], kind: Any, known: np.ndarray | None = None) -> Any:
    ends = np.zeros(len(pieces) + 1, np.int32)
    np.cumsum([len(piece) for piece in pieces], out=ends[1:])
    present = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    buffers = [present, pa.py_buffer(ends), pa.py_buffer(b"".join(pieces))]
    return pa.Array.from_buffers(kind, len(pieces), buffers)


def _numbers(values: Sequence[int]) -> Any:
    whole = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])


def _is_ascii(text: Any) -> bool:
    for chunk in text.chunks if isinstance(text, pa.ChunkedArray) else [text]:
        letters = chunk.buffers()[2]
        if letters is not None and len(letters) and np.frombuffer(letters, np.uint8).max() > 127:
            return False
    return True


def _encoded(value: str | bytes | None) -> bytes:
    """Return text in UTF-8; halves of surrogate pairs, which are no letters, are replaced."""
    if not isinstance(value, str):
        return value or b""
    try:
        return value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def whole_letters(text: str) -> str:
    """Return text without halves of surrogate pairs, which JSON and old programs may hold."""
    return _encoded(text).decode()
