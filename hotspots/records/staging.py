"""A batch's rows written to disk before it counts: part by part, in a private folder.

Any number of rows goes through in bounded memory. Nothing of it is in the store until
`Store.add_batch` takes the files; a folder that nobody took is removed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hotspots.errors import IntakeError
from hotspots.records.count_tables import CELL, added_up, count_table
from hotspots.records.troubles import Where

ROWS_A_PART = 500_000
"""About 16 MB as Parquet, which PostgreSQL keeps in one field without trouble."""
_ROWS_HELD = 200_000
_AT_ONCE = 2**20
_ABANDONED_AFTER = 3600.0

_TYPES = {
    "row": pa.int64(),
    "lon": pa.float64(),
    "lat": pa.float64(),
    "key": pa.uint64(),
    "count": pa.int64(),
}
_NEEDED = ("lon", "key", *(name for name in CELL if name not in ("by_point", "source")))


@dataclass(frozen=True)
class KeptPart:
    """One file of a batch of incidents: its rows are of one year.

    Attributes
    ----------
    counts : str
        The file with its count table (see `count_tables`).
    """

    part: int
    year: int
    file: str
    rows: int
    counts: str


class StagingFolder:
    """A private folder that is gone when nobody holds it any more; a context manager.

    What a killed process left in the same place is removed when the next one is made there.

    Parameters
    ----------
    place : Path
        A folder that only this user writes to.
    """

    def __init__(self, place: Path) -> None:
        _remove_abandoned(place)
        with Where(str(place)).writing_files():
            self.path = Path(tempfile.mkdtemp(dir=place, prefix=".new-"))
            lock = os.open(self.path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._gone = weakref.finalize(self, _remove, self.path, lock, os.getpid())

    def close(self) -> None:
        """Remove the folder and what is in it."""
        self._gone()

    def __enter__(self) -> StagingFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def temporary_folder() -> StagingFolder:
    """Return a private folder for an uploaded file, in the one temporary folder of this user.

    Raises
    ------
    IntakeError
        ``temporary_folder_not_own``: somebody else made that folder, or it leads elsewhere.
    """
    return StagingFolder(_own_temporary_place())


def _own_temporary_place() -> Path:
    place = Path(tempfile.gettempdir(), f"hotspots-{os.geteuid()}")
    with Where(str(place)).writing_files():
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
        try:
            opened = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EACCES):
                raise _not_own(place) from error
            raise
        try:
            if os.fstat(opened).st_uid != os.geteuid():
                raise _not_own(place)
            os.fchmod(opened, 0o700)
        finally:
            os.close(opened)
    return place


def _not_own(place: Path) -> IntakeError:
    return IntakeError(
        "temporary_folder_not_own",
        f"{place} must be a folder of the account that runs this, and is not: no file is read. "
        "Remove it, or name another temporary folder in TMPDIR.",
        folder=str(place),
    )


def _remove(path: Path, lock: int, owner: int) -> None:
    if os.getpid() != owner:  # a fork of the process that stages
        return
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def _remove_abandoned(place: Path) -> None:
    """Remove the folders of processes that were killed: nobody holds their locks."""
    for path in place.glob(".new-*"):
        with suppress(OSError):
            if not path.is_dir() or time.time() - path.stat().st_mtime < _ABANDONED_AFTER:
                continue
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


@dataclass(frozen=True)
class StagedBatch:
    """A batch's rows on disk, not in the store; a context manager that removes them.

    Attributes
    ----------
    kind : str
    sha256 : str
        Of what its rows say (of the content keys, where they have some), however they were
        delivered: the same rows have the same.
    rows : int
    parts : tuple of KeptPart
        Of incidents, in the order of the years.
    file : str
        Of other kinds, the one file; empty if there are no rows.
    digests : dict of str to str
        SHA-256 of every file.
    """

    kind: str
    sha256: str
    rows: int
    parts: tuple[KeptPart, ...]
    file: str
    digests: Mapping[str, str]
    folder: StagingFolder = field(repr=False, compare=False)

    def path(self, name: str) -> Path:
        """Return where a file lies until the store takes it."""
        return self.folder.path / name

    def cells(self) -> pd.DataFrame:
        """Return the count table of staged incidents (see `count_tables`)."""
        tables = [pq.read_table(self.path(part.counts)) for part in self.parts]
        cells: pd.DataFrame = added_up(tables).to_pandas()
        return cells

    def close(self) -> None:
        """Remove the files, if the store has not taken them."""
        self.folder.close()

    def __enter__(self) -> StagedBatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BatchWriter:
    """Takes a batch's rows table by table and writes them into a private folder.

    Leaving the context removes the folder unless `finish` was called; then it belongs to the
    staged batch.

    Parameters
    ----------
    place : Path
        A folder on the disk of the store, `Store.staging_place`.
    kind : str
        Rows of ``incidents`` go into one file a year, or several, each with its count table; those
        of other kinds into one file.
    """

    def __init__(self, place: Path, kind: str, *, rows_a_part: int = ROWS_A_PART) -> None:
        self.kind = str(kind)
        self._folder = StagingFolder(place)
        self._where = Where(str(place))
        self._rows_a_part = rows_a_part
        self._identity = hashlib.sha256(kind.encode())
        self._schema: pa.Schema | None = None
        self._held: list[pa.Table] = []
        self._open: dict[int, _OpenPart] = {}
        self._done: list[_OpenPart] = []
        self._finished = False

    def add(self, rows: pd.DataFrame) -> None:
        """Write more rows.

        Parameters
        ----------
        rows : DataFrame
            The same columns every time; incidents have `month`, `category`, `ward`, `edition`,
            `boundaries`, `lon`, `key` among them. The index is not kept.
        """
        table = self._as_arrow(rows)
        self._identity.update(_said(rows))
        self._held.append(table)
        if sum(len(held) for held in self._held) >= _ROWS_HELD:
            self._write_held()

    def finish(self) -> StagedBatch:
        """Close the files and return them; not one is in the store."""
        self._write_held()
        with self._where.writing_files():
            for part in self._open.values():
                part.close()
        written = sorted([*self._done, *self._open.values()], key=lambda part: part.year)
        digests: dict[str, str] = {}
        names = [self._named(part.path, self.kind, digests) for part in written]
        parts: tuple[KeptPart, ...] = ()
        if self.kind == "incidents":
            parts = tuple(
                KeptPart(number, part.year, name, part.rows, self._counted(part, digests))
                for number, (part, name) in enumerate(zip(written, names, strict=True))
            )
        self._finished = True
        return StagedBatch(
            self.kind,
            self._identity.hexdigest(),
            sum(part.rows for part in written),
            parts,
            "" if parts or not names else names[0],
            digests,
            self._folder,
        )

    def close(self) -> None:
        """Remove what was written, if it was not finished."""
        if not self._finished:
            for part in (*self._open.values(), *self._done):
                part.abandon()
            self._folder.close()

    def __enter__(self) -> BatchWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def _as_arrow(self, rows: pd.DataFrame) -> pa.Table:
        if self._schema is None:
            missing = [name for name in _NEEDED if name not in rows.columns]
            if self.kind == "incidents" and missing:
                raise ValueError(f"Incidents need the columns {missing}.")
            self._schema = _schema_of(rows)
        if list(rows.columns) != self._schema.names:
            raise ValueError(f"{list(rows.columns)} are not the columns of the rows before.")
        return pa.Table.from_pandas(rows, schema=self._schema, preserve_index=False)

    def _write_held(self) -> None:
        held = [table for table in self._held if len(table)]
        self._held = []
        if not held:
            return
        rows = pa.concat_tables(held)
        if self.kind != "incidents":
            self._write(0, rows)
            return
        years = pc.utf8_slice_codeunits(rows["month"], 0, 4)
        for year in sorted(pc.unique(years).to_pylist()):
            self._write(int(year), rows.filter(pc.equal(years, year)))

    def _write(self, year: int, rows: pa.Table) -> None:
        """Write rows of one year, and begin another file where one is full."""
        with self._where.writing_files():
            while len(rows):
                part = self._open.get(year)
                if part is None:
                    number = len(self._open) + len(self._done)
                    part = self._open[year] = _OpenPart(
                        year, self._folder.path / f"{number}", rows.schema
                    )
                room = len(rows) if self.kind != "incidents" else self._rows_a_part - part.rows
                part.write(rows.slice(0, room), counting=self.kind == "incidents")
                rows = rows.slice(room)
                if self.kind == "incidents" and part.rows >= self._rows_a_part:
                    part.close()
                    self._done.append(self._open.pop(year))

    def _counted(self, part: _OpenPart, digests: dict[str, str]) -> str:
        """Write a part's count table and return the name of its file."""
        path = part.path.with_suffix(".counts")
        with self._where.writing_files(), _owner_only(path) as file:
            pq.write_table(added_up(part.counts), file, compression="zstd")
            _flush(file)
        return self._named(path, "cells", digests)

    def _named(self, path: Path, kind: str, digests: dict[str, str]) -> str:
        """Give a file the name that its content has, and return it."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while some := file.read(_AT_ONCE):
                digest.update(some)
        name = f"{kind}-{digest.hexdigest()[:32]}.parquet"
        path.rename(path.with_name(name))
        digests[name] = digest.hexdigest()
        return name


class _OpenPart:
    """A Parquet file that is being written, and the counts of its rows so far."""

    def __init__(self, year: int, path: Path, schema: pa.Schema) -> None:
        self.year = year
        self.path = path
        self.rows = 0
        self.counts: list[pa.Table] = []
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        self._file = _owner_only(path)
        self._writer = pq.ParquetWriter(
            self._file, schema, compression="zstd", use_dictionary=texts
        )

    def write(self, rows: pa.Table, *, counting: bool) -> None:
        self._writer.write_table(rows)
        self.rows += len(rows)
        if counting:
            self.counts = [added_up([*self.counts, count_table(rows)])]

    def close(self) -> None:
        self._writer.close()
        _flush(self._file)
        self._file.close()

    def abandon(self) -> None:
        with suppress(OSError, ValueError):  # a full disk, or closed already
            self._writer.close()
        with suppress(OSError, ValueError):
            self._file.close()


def _owner_only(path: Path) -> BufferedWriter:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _flush(file: BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())


def _schema_of(rows: pd.DataFrame) -> pa.Schema:
    """Return the types of a table's columns; a column that has nothing yet holds text."""
    found = pa.Schema.from_pandas(
        rows.drop(columns=list(_TYPES), errors="ignore"), preserve_index=False
    )
    types = dict(_TYPES)
    for each in found:
        plain = pa.types.is_boolean(each.type) or pa.types.is_primitive(each.type)
        types[each.name] = each.type if plain and not pa.types.is_null(each.type) else pa.string()
    return pa.schema([(str(name), types[name]) for name in rows.columns])


def _said(rows: pd.DataFrame) -> bytes:
    """Return what identifies rows: their content keys, or hashes of all that they say."""
    if "key" in rows.columns:
        return rows["key"].to_numpy(np.uint64).tobytes()
    return pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes()
