"""A store in one file, and back: every table, every file that the records name, the same chain.

A backup is a zip, the same from either kind of store, and goes into either:

- ``tables/<table>.jsonl``: one JSON object a row, in the order of the keys
- ``files/<folder>/<name>``: boundaries, crosswalks, drawings, incidents, as they are
- ``manifest.json``: format, version of the tables, when it was made, where the log ended, and the
  size and SHA-256 of every part

It holds what the store holds, the hashes of passwords too, and is readable by its owner only. The
digests show damage, not forgery: who can write the parts can write the manifest. Against that
stand the chain and the anchors (see `anchors`), which a restored log must hold.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import sqlite3
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.records.chain import GENESIS, Head, head_of, moment_text
from hotspots.records.copying import (
    TABLES,
    named_contents,
    refuse_unless_empty,
    refuse_unless_equal,
    write_rows,
)
from hotspots.records.database import REVISIONS, Database, batches
from hotspots.records.store import (
    FOLDERS,
    Store,
    _sync_folder,
    named_files,
)
from hotspots.records.superseding import read_scope
from hotspots.records.troubles import Where, store_error
from hotspots.records.verification import Verification, verify, verify_log

FORMAT = 1
MANIFEST = "manifest.json"

_LARGEST = 2**36
_LARGEST_FILE = 2**30  # what PostgreSQL keeps in one field
_LARGEST_ROW = 2**26
_LARGEST_MANIFEST = 2**24
_MOST_PARTS = 100_000
_MOST_TIMES = 200
"""How many times its own size a backup may hold: every row has a hash that does not shrink."""

_AT_ONCE = 2**20
_ROWS_AT_ONCE = 1000

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_HASH = re.compile(r"[0-9a-f]{64}")
_TABLES = {f"tables/{table.name}.jsonl": table for table in TABLES}
_WAYS_TO_PACK = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    RuntimeError,
    ValueError,
)
"""What reading a zip or JSON raises that somebody, or a disk, has changed."""


@dataclass(frozen=True)
class Part:
    """One part of a backup: its name in the zip, its bytes, and their SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup says that it holds.

    Attributes
    ----------
    format : int
        Of the backup itself.
    tables : str
        The version of the tables.
    made_at : datetime
    head : Head
        Where the log ended.
    parts : tuple of Part
    """

    format: int
    tables: str
    made_at: datetime
    head: Head
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """How many bytes the parts have, unpacked."""
        return sum(part.size for part in self.parts)


def backup(
    store: Store,
    path: Path,
    *,
    now: datetime,
    note: Callable[[Manifest, str], None] | None = None,
) -> Manifest:
    """Write a store into one new file, as of one moment, while others go on writing.

    The file gets its name only once it is noted: until then it has another, and goes if the note
    cannot be written. Once noted it stays, under that other name (`.new-….zip` beside `path`, with
    the SHA-256 that was noted) if it cannot be given its own, or the power fails just then. Two
    things remain possible: a file `.new-…` that nothing notes, if the process is killed before the
    note; and a note without a file, if PostgreSQL's connection is lost while the note is committed,
    so that nobody knows whether it was.

    Parameters
    ----------
    note : callable, optional
        Notes the finished backup: called with what it holds and the SHA-256 of the file.

    Raises
    ------
    StoreError
        ``backup_there``; a file that is missing or changed; the first broken row of the log; what
        the disk says; or what `note` raises. No file is left then. Or ``backup_under_other_name``,
        with where it is.
    """
    _refuse_if_there(path)
    with _folder_beside(path) as folder:
        written = folder / "backup"
        with _one_moment(store, folder) as read:
            found = verify_log(read)
            if found.broken is not None:
                raise found.broken
            _write(store, read, written, now)
        manifest = check_backup(written)
        _refuse_if_there(path)
        finished = folder.with_name(f"{folder.name}.zip")
        written.replace(finished)
        _note(finished, manifest, note)
        _give_name(finished, path)
    return manifest


def restore(path: Path, store: Store) -> Verification:
    """Write a backup into an empty store, all or nothing, and verify it there.

    Returns
    -------
    Verification
        Of the store; its log ends where the manifest says.

    Raises
    ------
    StoreError
        ``target_not_empty``; what `check_backup` raises; or what the verification found. The store
        is as empty as before then.
    """
    with _opened(path) as (archive, manifest):
        _check_parts(archive, manifest)
        with _files_taken_back(store, manifest), store.database.writing() as write:
            refuse_unless_empty(write, store.name)
            for part in manifest.parts:
                _restore_part(archive, part, store, write)
            _refuse_unless_all_named(write, path, manifest)
            _refuse_unknown_scopes(write, path)
            refuse_unless_equal(verify_log(write), manifest.head, store.name)
    found = verify(store)
    if not found.ok:
        raise found.problems[0]
    return found


def check_backup(path: Path) -> Manifest:
    """Read every part of a backup, and return the manifest if each is what was written.

    Raises
    ------
    StoreError
        ``backup_missing``, ``not_a_backup``, ``backup_of_other_version``, ``backup_too_large``,
        ``backup_part_refused`` or ``backup_damaged``.
    """
    with _opened(path) as (archive, manifest):
        _check_parts(archive, manifest)
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Return what a backup says that it holds; the parts are not read.

    Raises
    ------
    StoreError
        As `check_backup`.
    """
    with _opened(path) as (_, manifest):
        return manifest


# -- writing


def _note(finished: Path, manifest: Manifest, note: Callable[[Manifest, str], None] | None) -> None:
    """Note a finished backup, or take it away again."""
    try:
        _sync_folder(finished.parent)
        if note is not None:
            with finished.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            note(manifest, digest)
    except BaseException:
        finished.unlink(missing_ok=True)
        raise


def _give_name(finished: Path, path: Path) -> None:
    try:
        _refuse_if_there(path)  # made meanwhile
        finished.replace(path)
        _sync_folder(path.parent)
    except (OSError, StoreError) as error:
        if not finished.exists():  # it has its name
            raise
        raise StoreError(
            "backup_under_other_name",
            f"The backup is whole and noted, but could not be named {path}: {error} It lies at "
            f"{finished}; rename it yourself.",
            file=str(path),
            there=str(finished),
        ) from error


def _refuse_if_there(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise StoreError(
            "backup_there",
            f"{path} is there already, and a backup never overwrites anything. Give another name.",
            file=str(path),
        )


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Make a folder on the same disk, open to its owner only, and take it away afterwards."""
    where = Where(str(path))
    with where.writing_files():
        try:
            folder = tempfile.mkdtemp(dir=path.parent, prefix=".new-")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise store_error(where, "store_cannot_be_opened") from error
        try:
            yield Path(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _one_moment(store: Store, folder: Path) -> Iterator[sa.Connection]:
    """Open a connection that sees one moment of the store and holds nobody up.

    A reader of SQLite holds up writers until it is done, so what is read is a copy: SQLite copies
    in a sixtieth of the time that it takes to walk the log and write it out.
    """
    if store.database.on_postgresql:
        with store.database.reading() as connection:
            yield connection
        return
    copy = folder / "copy.sqlite"
    with store.database.reading() as connection:
        _copy_sqlite(connection, copy)
    with closing(Database.open(copy, create=False)) as database, database.reading() as connection:
        yield connection


def _copy_sqlite(connection: sa.Connection, copy: Path) -> None:
    source = cast("sqlite3.Connection", connection.connection.driver_connection)
    try:
        with closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        told = Where(str(copy.parent.parent)).explain(sa.exc.OperationalError("", None, error))
        if told is None:
            raise
        raise told from error


def _write(store: Store, read: sa.Connection, path: Path, now: datetime) -> None:
    written = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(written, "wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            parts = [
                _add(archive, name, now, _lines(read, table)) for name, table in _TABLES.items()
            ]
            parts += [
                _add(archive, f"files/{folder}/{name}", now, [content])
                for folder, name, content in named_contents(store, read)
            ]
            manifest = Manifest(FORMAT, REVISIONS[-1], now, head_of(read), tuple(parts))
            _add(archive, MANIFEST, now, [_manifest_text(manifest)])
        file.flush()
        os.fsync(file.fileno())


def _add(archive: zipfile.ZipFile, name: str, now: datetime, content: Iterable[bytes]) -> Part:
    info = zipfile.ZipInfo(name, now.timetuple()[:6])
    if not name.startswith("files/"):  # those are packed already
        info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    size, digest = 0, hashlib.sha256()
    with archive.open(info, "w", force_zip64=True) as part:
        for chunk in content:
            size += part.write(chunk)
            digest.update(chunk)
    return Part(name, size, digest.hexdigest())


def _lines(read: sa.Connection, table: sa.Table) -> Iterator[bytes]:
    query = sa.select(table).order_by(*table.primary_key.columns)
    with read.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)) as found:
        for row in found.mappings():
            yield json.dumps(dict(row), ensure_ascii=False).encode() + b"\n"


def _manifest_text(manifest: Manifest) -> bytes:
    content = {
        "format": manifest.format,
        "tables": manifest.tables,
        "made_at": moment_text(manifest.made_at),
        "events": manifest.head.count,
        "hash": manifest.head.hash,
        "parts": [vars(part) for part in manifest.parts],
    }
    return json.dumps(content, indent=1).encode()


# -- reading


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Open a backup whose manifest and list of parts are as they must be."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise StoreError(
            "backup_missing", f"There is no file {path}. Check the name.", file=str(path)
        ) from None
    except OSError as error:
        raise store_error(Where(str(path)), "store_disk_fails", error.strerror or "") from error
    with file:
        size = os.fstat(file.fileno()).st_size
        try:
            archive = zipfile.ZipFile(file)
        except (*_UNREADABLE, OSError) as error:
            raise _not_a_backup(path) from error
        with archive:
            manifest = _manifest(archive, path)
            _refuse_odd_parts(archive, path, manifest, size)
            yield archive, manifest


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    try:
        info = archive.getinfo(MANIFEST)
        if info.compress_type not in _WAYS_TO_PACK or info.file_size > _LARGEST_MANIFEST:
            raise _not_a_backup(path)
        with archive.open(info) as part:
            content = json.loads(part.read(_LARGEST_MANIFEST + 1))
        if not isinstance(content, dict) or type(content.get("format")) is not int:
            raise _not_a_backup(path)
        if (content["format"], content.get("tables")) != (FORMAT, REVISIONS[-1]):
            raise _of_other_version(path, content["format"], content.get("tables"))
        return _manifest_of(content)
    except (*_UNREADABLE, OSError, KeyError, TypeError) as error:
        raise _not_a_backup(path) from error


def _manifest_of(content: dict[str, Any]) -> Manifest:
    head = Head(_number(content["events"]), _hash(content["hash"]))
    if (head.count == 0) != (head.hash == GENESIS):
        raise ValueError(head)
    parts = tuple(
        Part(_text(part["name"]), _number(part["size"]), _hash(part["sha256"]))
        for part in content["parts"]
    )
    made_at = datetime.fromisoformat(_text(content["made_at"]))
    return Manifest(content["format"], content["tables"], made_at, head, parts)


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(value)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError(value)
    return value


def _refuse_odd_parts(archive: zipfile.ZipFile, path: Path, manifest: Manifest, size: int) -> None:
    """Refuse parts that no backup has, or more than the ceilings, before any is unpacked."""
    told = {part.name: part for part in manifest.parts}
    there = [info for info in archive.infolist() if info.filename != MANIFEST]
    if len(there) > _MOST_PARTS or manifest.size > min(_LARGEST, _MOST_TIMES * size + _AT_ONCE):
        raise _too_large(path)
    for info in there:
        part = told.get(info.filename)
        if part is None or not _is_plain(info) or info.flag_bits & 1:
            raise _part_refused(path, info.filename)
        if part.size > _LARGEST_FILE and info.filename not in _TABLES:
            raise _too_large(path)
        if part.size != info.file_size or info.compress_type not in _WAYS_TO_PACK:
            raise _damaged(path, info.filename)
    for name in (*_TABLES, *told):
        if name not in told or name not in archive.NameToInfo:
            raise _damaged(path, name)
    if not len(archive.namelist()) - 1 == len(there) == len(told) == len(manifest.parts):
        raise _part_refused(path, MANIFEST)  # something is there twice


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """Tell whether a part is one that a backup can have; none leads out of its folder."""
    if info.filename in _TABLES:
        return True
    top, _, rest = info.filename.partition("/")
    folder, _, name = rest.partition("/")
    return top == "files" and folder in FOLDERS and _PLAIN.fullmatch(name) is not None


def _check_parts(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    for part in manifest.parts:
        for _ in _chunks(archive, part):
            pass


def _chunks(archive: zipfile.ZipFile, part: Part) -> Iterator[bytes]:
    """Yield a part piece by piece, and refuse it at its end if it is not what was written."""
    size, digest = 0, hashlib.sha256()
    try:
        with archive.open(part.name) as unpacked:
            while size <= part.size and (chunk := unpacked.read(_AT_ONCE)):
                size += len(chunk)
                digest.update(chunk)
                yield chunk
    except (*_UNREADABLE, OSError, KeyError) as error:
        raise _damaged(Path(str(archive.filename)), part.name) from error
    if (size, digest.hexdigest()) != (part.size, part.sha256):
        raise _damaged(Path(str(archive.filename)), part.name)


# -- restoring


@contextmanager
def _files_taken_back(store: Store, manifest: Manifest) -> Iterator[None]:
    """Remove the files that were written into a store's folder if the rest does not come to be."""
    new: list[Path] = []
    if not store.database.on_postgresql:
        parts = [part.name.removeprefix("files/") for part in manifest.parts]
        places = [store.root / name for name in parts if not name.startswith("tables/")]
        new = [place for place in places if not place.exists()]
    try:
        yield
    except BaseException:
        for place in new:
            place.unlink(missing_ok=True)
        raise


def _restore_part(archive: zipfile.ZipFile, part: Part, store: Store, write: sa.Connection) -> None:
    table = _TABLES.get(part.name)
    if table is None:
        _, folder, name = part.name.split("/")
        store.keep_file(write, folder, name, b"".join(_chunks(archive, part)))
        return
    rows = _rows(archive, part, table)
    try:
        while some := list(itertools.islice(rows, _ROWS_AT_ONCE)):
            write_rows(write, table, some)
    except (sa.exc.IntegrityError, sa.exc.DataError) as error:  # twice the same, out of order
        raise _damaged(Path(str(archive.filename)), part.name) from error


def _rows(archive: zipfile.ZipFile, part: Part, table: sa.Table) -> Iterator[dict[str, object]]:
    rest = b""
    for chunk in _chunks(archive, part):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield _row(archive, part, table, line)
        if len(rest) > _LARGEST_ROW:
            raise _too_large(Path(str(archive.filename)))
    if rest:
        raise _damaged(Path(str(archive.filename)), part.name)


def _row(archive: zipfile.ZipFile, part: Part, table: sa.Table, line: bytes) -> dict[str, object]:
    try:
        row = json.loads(line)
        fits = isinstance(row, dict) and row.keys() == set(table.columns.keys())
    except (ValueError, RecursionError):
        fits = False
    if not fits or not all(_fits(column, row[column.name]) for column in table.columns):
        raise _damaged(Path(str(archive.filename)), part.name)
    return row  # type: ignore[no-any-return] # looked at just above


def _fits(column: sa.Column[Any], value: object) -> bool:
    """Tell whether a column of either kind of database can keep a value."""
    if value is None:
        return bool(column.nullable)
    if type(value) is not column.type.python_type:
        return False
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
    return not isinstance(value, int) or -(2**31) <= value < 2**31


def _refuse_unless_all_named(write: sa.Connection, path: Path, manifest: Manifest) -> None:
    """Refuse rows that name files which are not there, and files that no row names."""
    named = {f"files/{folder}/{name}" for folder, name in named_files(write)}
    there = {part.name for part in manifest.parts} - _TABLES.keys()
    for name in sorted(named ^ there):
        raise _damaged(path, name)


def _refuse_unknown_scopes(write: sa.Connection, path: Path) -> None:
    """Refuse imports that do not say what they replace in words that this product writes."""
    for text in write.execute(sa.select(batches.c.replaces)).scalars():
        try:
            read_scope(text)
        except StoreError as error:
            raise _damaged(path, f"tables/{batches.name}.jsonl") from error


# -- what is said


def _not_a_backup(path: Path) -> StoreError:
    return StoreError(
        "not_a_backup",
        f"{path} is not a backup of this product, or its end was cut off. Take another backup.",
        file=str(path),
    )


def _of_other_version(path: Path, format_: object, tables: object) -> StoreError:
    return StoreError(
        "backup_of_other_version",
        f"{path} was made by another version (format {format_}, tables {tables}; this one reads "
        f"format {FORMAT}, tables {REVISIONS[-1]}). Restore it with the version that made it, then "
        "migrate the store.",
        file=str(path),
        format=format_,
        tables=tables,
        known_format=FORMAT,
        known_tables=REVISIONS[-1],
    )


def _too_large(path: Path) -> StoreError:
    return StoreError(
        "backup_too_large",
        f"{path} would unpack to more than a backup can hold; nothing was written. It was not made "
        "by this product.",
        file=str(path),
    )


def _part_refused(path: Path, part: str) -> StoreError:
    return StoreError(
        "backup_part_refused",
        f"{path} holds a part that no backup has, or has it twice: {part!r}. Nothing was written; "
        "it was not made by this product.",
        file=str(path),
        part=part,
    )


def _damaged(path: Path, part: str) -> StoreError:
    return StoreError(
        "backup_damaged",
        f"The part {part} of {path} is not what was written, or is missing; nothing was restored. "
        "Take another backup.",
        file=str(path),
        part=part,
    )
