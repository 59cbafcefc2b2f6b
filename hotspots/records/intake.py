"""Reading files that people bring: CSV, workbooks, Parquet and maps -> rows of text.

The file is read by another process, in `hotspots.records.sandbox`; this one never parses what was
uploaded, and reads only the plain tables that the other wrote into a private folder. Every cell is
text: dates, codes and numbers are read by the calculations, strictly, and never guessed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, Self

import pandas as pd
import pyarrow as pa

from hotspots.errors import IntakeError
from hotspots.records import sandbox
from hotspots.records.reading import kinds
from hotspots.records.reading.limits import LIMITS, Limits, Wish
from hotspots.records.reading.sink import NUMBER, read_batches, read_facts, read_ragged
from hotspots.records.staging import StagingFolder, temporary_folder

__all__ = [
    "SUFFIXES",
    "Found",
    "Reading",
    "Wish",
    "open_bytes",
    "open_file",
]

SUFFIXES = tuple(kinds.ENDINGS)
_LONGEST_NAME = 150
_CHILD = "hotspots.records.reading.child"


@dataclass(frozen=True)
class Found:
    """Something to tell the person about a file.

    Attributes
    ----------
    code : str
        For example ``"title_rows"``; `hotspots.text` has a sentence for each.
    facts : mapping
        What the sentence names.
    """

    code: str
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Reading:
    """A file as it was read; a context manager. `close` removes its private folder.

    Attributes
    ----------
    name : str
        What the person calls it.
    sha256 : str
        Of the file's bytes.
    size : int
        Bytes.
    format : str
        ``csv``, ``xlsx``, ``parquet``, ``geojson``, ``gpkg`` or ``shapefile``.
    columns : tuple of str
        Names of the columns, without `geometry`.
    rows : int
        Rows of the file, those that could not be used included.
    ragged : DataFrame
        `row`, `reason`, `value` of rows that could not be used, by row.
    encoding, encodings, separator : str, tuple of str, str
        Of a CSV: how it was read, and which encodings would fit too, best first.
    header_row : int
        The row of the file that holds the names, from 1; 0 where there is none.
    sheets, sheet : tuple of str, str
        Of a workbook.
    layers, layer : tuple of str, str
        Of a map.
    crs : str
        Of the shapes as they are given here; "" if there are none.
    geometry : bool
        Whether there is a column `geometry` of WKB.
    found : tuple of Found
        What to tell the person.
    cost : mapping
        `memory_bytes` and `cpu_seconds` that the reading took.
    """

    name: str
    sha256: str
    size: int
    format: str
    columns: tuple[str, ...]
    rows: int
    ragged: pd.DataFrame
    encoding: str
    encodings: tuple[str, ...]
    separator: str
    header_row: int
    sheets: tuple[str, ...]
    sheet: str
    layers: tuple[str, ...]
    layer: str
    crs: str
    geometry: bool
    found: tuple[Found, ...]
    cost: Mapping[str, float]
    _folder: Path = field(repr=False)
    _remove: Callable[[], object] = field(repr=False, compare=False)

    def head(self, rows: int = 20) -> pd.DataFrame:
        """Return the first rows; columns of text, the index is the row's number in the file."""
        taken: list[pd.DataFrame] = []
        for batch in read_batches(self._folder):
            taken.append(_frame([batch.slice(0, rows)]))
            rows -= len(taken[-1])
            if rows <= 0:
                break
        return pd.concat(taken) if taken else self._nothing()

    def batches(self) -> Iterator[pd.DataFrame]:
        """Give all rows, some 100,000 at a time; the index is the row's number, from 1."""
        for batch in read_batches(self._folder):
            yield _frame([batch])

    def table(self) -> pd.DataFrame:
        """Return all rows at once; for files known to be small."""
        batches = list(read_batches(self._folder))
        return _frame(batches) if batches else self._nothing()

    def close(self) -> None:
        """Remove what was kept of the file; the rows cannot be read any more."""
        self._remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the private folder."""
        self.close()

    def _nothing(self) -> pd.DataFrame:
        columns = [*self.columns, *(["geometry"] if self.geometry else [])]
        index = pd.Index([], dtype="int64")
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns}, index=index)


def open_file(
    path: Path,
    *,
    name: str | None = None,
    wish: Wish = Wish(),  # noqa: B008 - frozen
    limits: Limits = LIMITS,
    progress: Callable[[float], None] | None = None,
) -> Reading:
    """Read a file in another process.

    Parameters
    ----------
    path : Path
    name : str, optional
        What the person calls it; by default the path's name.
    wish : Wish
        What the person decided about the reading.
    progress : callable, optional
        Gets shares from 0 to 1; what it raises ends the reading.

    Raises
    ------
    IntakeError
        If the file is missing, empty, too large, of another kind than its ending says, or cannot
        be read; or if reading it takes too much memory or time.
    """
    if not path.is_file():
        raise IntakeError("file_missing", f"There is no file {path}.", file=path.name)
    with path.open("rb") as file:
        return _open(file, name or path.name, wish, limits, progress)


def open_bytes(
    content: bytes,
    name: str,
    *,
    wish: Wish = Wish(),  # noqa: B008 - frozen
    limits: Limits = LIMITS,
    progress: Callable[[float], None] | None = None,
) -> Reading:
    """Read what was uploaded under a name; see `open_file`.

    The bytes go through a temporary file that no name leads to.
    """
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return _open(file, name, wish, limits, progress)


def _open(
    file: BinaryIO,
    name: str,
    wish: Wish,
    limits: Limits,
    progress: Callable[[float], None] | None,
) -> Reading:
    name = _shown_name(name)
    kind = kinds.kind_by_name(name)
    before = os.fstat(file.fileno())
    _refuse_size(name, kind, before.st_size, limits)
    sha256 = _sha256_of(file)
    request = {
        "name": name,
        "size": before.st_size,
        "wish": asdict(wish),
        "limits": limits.as_dict(),
    }
    folder = temporary_folder()
    try:
        sandbox.run(
            _CHILD,
            request,
            folder.path,
            file=file,
            name=name,
            limits=_with_time_for(limits, kind, before.st_size),
            progress=progress,
        )
        _refuse_changed(name, before, os.fstat(file.fileno()))
        reading = _reading(folder, name, sha256, before.st_size)
    except BaseException:
        folder.close()
        raise
    if progress is not None:
        progress(1.0)
    return reading


def _sha256_of(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def _shown_name(name: str) -> str:
    """Return the last part of a name, without letters that are not shown."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(letter for letter in last if letter.isprintable())
    stem, dot, ending = shown.rpartition(".")
    return shown if len(shown) <= _LONGEST_NAME else f"{stem[:_LONGEST_NAME]}{dot}{ending[:10]}"


def _refuse_size(name: str, kind: str, size: int, limits: Limits) -> None:
    most = limits.table_bytes if kind in kinds.TABLES else limits.document_bytes
    if size == 0 or size > most:
        raise IntakeError(
            "file_empty" if size == 0 else "file_too_large",
            f"{name} holds {size} bytes; allowed are 1 to {most}.",
            file=name,
            size=size,
            allowed=most,
        )


def _with_time_for(limits: Limits, kind: str, size: int) -> Limits:
    """Return the limits with more time for a large table."""
    if kind not in kinds.TABLES:
        return limits
    more = limits.wall_seconds_per_gb * size / 1e9
    return replace(
        limits,
        wall_seconds=limits.wall_seconds + more,
        cpu_seconds=limits.cpu_seconds + round(more),
    )


def _refuse_changed(name: str, before: os.stat_result, after: os.stat_result) -> None:
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise IntakeError(
            "file_changed_meanwhile",
            f"{name} was written to while it was read. Close it in other programs and try again.",
            file=name,
        )


def _reading(folder: StagingFolder, name: str, sha256: str, size: int) -> Reading:
    said = read_facts(folder.path)
    facts: Mapping[str, Any] = said["facts"]
    ragged = read_ragged(folder.path).to_pandas()
    ragged = ragged.sort_values("row", kind="stable", ignore_index=True)
    return Reading(
        name=name,
        sha256=sha256,
        size=size,
        format=str(facts["format"]),
        columns=tuple(map(str, said["columns"])),
        rows=int(said["rows"]) + len(ragged),
        ragged=ragged,
        encoding=str(facts.get("encoding", "")),
        encodings=_texts(facts, "encodings"),
        separator=str(facts.get("separator", "")),
        header_row=int(facts.get("header_row") or 0),
        sheets=_texts(facts, "sheets"),
        sheet=str(facts.get("sheet") or ""),
        layers=_texts(facts, "layers"),
        layer=str(facts.get("layer") or ""),
        crs=str(facts.get("crs") or ""),
        geometry=bool(said["geometry"]),
        found=tuple(Found(str(item["code"]), item["facts"]) for item in said["found"]),
        cost=facts.get("cost", {}),
        _folder=folder.path,
        _remove=folder.close,  # holds the folder; it is gone with the reading, closed or not
    )


def _texts(facts: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(map(str, facts.get(key) or ()))


def _frame(batches: list[pa.RecordBatch]) -> pd.DataFrame:
    """Return batches as a table of text with the rows' numbers as its index."""
    table = pa.Table.from_batches(batches)
    numbers = pd.Index(table.column(NUMBER).to_numpy(), dtype="int64")
    frame: pd.DataFrame = table.drop_columns([NUMBER]).to_pandas()
    return frame.set_axis(numbers)
