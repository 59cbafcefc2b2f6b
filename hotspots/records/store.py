"""One store: its database, and the files of boundaries, crosswalks and incidents.

With SQLite the files lie in the store's folder; they are written under another name, then renamed.
With PostgreSQL they lie in the database, and a copy in a cache folder of this machine is what gets
read. Either way a file exists for readers only once the database names it; so nothing is ever half
there.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hotspots.errors import NotFound, StoreError
from hotspots.records.audit import Audit, append_audit
from hotspots.records.database import (
    POSTGRESQL,
    Database,
    batches,
    crosswalks,
    editions,
    files,
    import_parts,
    next_number,
    no_store,
    programmes,
    settings,
)
from hotspots.records.log import last_of_hotspots
from hotspots.records.staging import KeptPart, StagedBatch
from hotspots.records.superseding import Scope, read_scope
from hotspots.records.troubles import Where

DATABASE_FILE = "records.sqlite"
FOLDERS = ("boundaries", "crosswalks", "drawing", "incidents")
_IMPORTS = "incidents"
_SQLITE_URL = "sqlite:///"


@dataclass(frozen=True)
class Edition:
    """A boundary edition as the store knows it."""

    edition: str
    source: str
    schematic: bool
    units: int
    findings: Mapping[str, object]
    wards_file: Path
    drawing_file: Path


@dataclass(frozen=True)
class KeptCrosswalk:
    """A crosswalk between two boundary editions as the store knows it."""

    number: int
    from_edition: str
    to_edition: str
    source: str
    findings: Mapping[str, Any]
    pairs_file: Path


@dataclass(frozen=True)
class Batch:
    """One imported file and what became of its rows.

    Attributes
    ----------
    sha256 : str
        Of its rows: the same are not registered twice.
    file : str
        The file of its rows; empty if they lie in parts, or there are none.
    file_sha256 : str
        Of the file that was brought; empty for a batch of before this was kept.
    replaces : str
        What it replaces of the batches before it, as `Scope.text` writes it; empty for nothing.
    note : str
        What a person said about it.
    parts : tuple of KeptPart
        Its files and their count tables.
    superseded_by : tuple of Scope
        What later batches replace of its kind, as of when it was read from the store.
    """

    batch: int
    kind: str
    sha256: str
    source: str
    recorded_at: str
    rows: int
    accepted: int
    already_there: int
    rejected: int
    file: str
    simulated: bool
    file_sha256: str = ""
    replaces: str = ""
    note: str = ""
    parts: tuple[KeptPart, ...] = ()
    superseded_by: tuple[Scope, ...] = field(default=(), compare=False, repr=False)


class Store:
    """Where one installation keeps its records.

    Parameters
    ----------
    location : str or Path
        A folder, `sqlite:///path/of/the/folder`, or
        `postgresql+psycopg://user:password@host:port/database`.
    create : bool
        Make the store if it is not there.
    migrate : bool
        Bring the tables of an older store to this version.

    Attributes
    ----------
    name : str
        The place in words for people; without a password.
    location : str
        The address to open it again, with the password: not to be shown.

    Raises
    ------
    StoreError
        If there is no store at the place and none is to be made, it cannot be reached, it was made
        by another version, or the address is of a kind that this version does not keep records in.
    """

    def __init__(
        self, location: str | Path, *, create: bool = False, migrate: bool = False
    ) -> None:
        self._checked: dict[tuple[str, str], tuple[int, int, int]] = {}
        if str(location).startswith(POSTGRESQL):
            self._root = None
            self.location = str(location)
            self.database = Database.open(self.location, create=create, migrate=migrate)
            self.name = self.database.where.name
            self._where = self.database.where
            self._files_in = _cache_folder(self.location)
        else:
            self._root = self._files_in = folder_of(str(location))
            self.location = str(self._root.absolute())
            self.name = str(self._root)
            self._where = Where(self.name)
            if not (self._root / DATABASE_FILE).exists() and not create:
                raise no_store(self.name)
        with self._where.writing_files():
            for folder in FOLDERS:
                (self._files_in / folder).mkdir(parents=True, exist_ok=True)
        if self._root is not None:
            self.database = Database.open(
                self._root / DATABASE_FILE, create=create, migrate=migrate
            )

    @property
    def root(self) -> Path:
        """The store's folder.

        Raises
        ------
        StoreError
            If the store is a PostgreSQL database.
        """
        if self._root is None:
            raise StoreError(
                "store_has_no_folder",
                f"{self.name} is a database, not a folder; ask for its files one by one.",
                store=self.name,
            )
        return self._root

    def close(self) -> None:
        """Close the store's connections."""
        self.database.close()

    def version(self) -> tuple[object, ...]:
        """Return a value that changes when anything that is calculated from does.

        Sign-ins and other audit events, and users, change nothing of it. The first part is the
        last event of a hotspot; the rest is of counts, boundaries, programme and settings.
        """
        with self.database.reading() as connection:
            newest = [
                connection.execute(sa.select(sa.func.max(column))).scalar()
                for column in (batches.c.batch, crosswalks.c.number, programmes.c.number)
            ]
            rows = [
                tuple(row)
                for query in (
                    sa.select(editions.c.edition, editions.c.wards_file).order_by("edition"),
                    sa.select(settings.c.key, settings.c.value).order_by("key"),
                )
                for row in connection.execute(query)
            ]
            return last_of_hotspots(connection), *newest, *rows

    # -- files

    def write_file(self, folder: str, name: str, content: bytes) -> Path:
        """Write a file whole or not at all, and return its path on this machine.

        A file that the records name already is left as it is: its name stands for its content.
        """
        digest = sha256_of(content)
        with self.database.writing() as connection:
            if (folder, name) in named_files(connection):
                return self._place(folder, name)
            self.keep_file(connection, folder, name, content)
        if self._root is None:
            self._cache(folder, name, content, digest)
        return self._place(folder, name)

    def keep_file(self, connection: sa.Connection, folder: str, name: str, content: bytes) -> None:
        """Write a file in the caller's transaction."""
        in_database = self._root is None
        if not in_database:
            with self._where.writing_files():
                _write_whole(self._files_in / folder / name, content)
        digest = sha256_of(content)
        _list_file(connection, folder, name, content if in_database else None, digest)

    def path(self, folder: str, name: str) -> Path:
        """Return where a file of the store can be read on this machine.

        Raises
        ------
        StoreError
            If the store does not hold the file.
        """
        path = self._place(folder, name)
        if not path.exists():
            raise file_missing(self.name, folder, name)
        return path

    def _place(self, folder: str, name: str) -> Path:
        """Return where a file lies, or would lie if it were there."""
        path = self._files_in / folder / name
        if self._root is None:
            checked = self._checked.get((folder, name))
            if checked is None or checked != _signature(path):
                self._fetch(folder, name)
        return path

    def _fetch(self, folder: str, name: str) -> None:
        """Make the copy on this machine the one in the database; nothing if that has none."""
        path = self._files_in / folder / name
        this = sa.and_(files.c.folder == folder, files.c.name == name)
        with self.database.reading() as connection:
            digest = connection.execute(sa.select(files.c.sha256).where(this)).scalar()
            if digest is None:
                path.unlink(missing_ok=True)
                return
            if path.exists() and sha256_of(path.read_bytes()) == digest:
                self._remember(folder, name)
                return
            content = connection.execute(sa.select(files.c.content).where(this)).scalar_one()
        if content is None or sha256_of(bytes(content)) != digest:
            raise file_changed(self.name, folder, name)
        self._cache(folder, name, bytes(content), digest)

    def _cache(self, folder: str, name: str, content: bytes, digest: str) -> None:
        path = self._files_in / folder / name
        if not path.exists() or sha256_of(path.read_bytes()) != digest:
            with Where(str(path.parent)).writing_files():
                _write_whole(path, content)
        self._remember(folder, name)

    def _remember(self, folder: str, name: str) -> None:
        """Remember that a copy is right, so that it is not read again as long as it is the same."""
        signature = _signature(self._files_in / folder / name)
        if signature is not None:
            self._checked[(folder, name)] = signature

    def file_problems(self) -> list[StoreError]:
        """Return the files that the records name and that are missing or not as they were."""
        query = sa.select(files.c.folder, files.c.name, files.c.sha256)
        with self.database.reading() as connection:
            named = named_files(connection)
            digests = {(row.folder, row.name): row.sha256 for row in connection.execute(query)}
            return [
                problem
                for folder, name in sorted(named)
                if (problem := self._problem(connection, folder, name, digests)) is not None
            ]

    def batch_problems(self) -> list[StoreError]:
        """Return what stands in the way of knowing which imported rows count."""
        try:
            self.batches()
        except StoreError as error:
            return [error]
        return []

    def _problem(
        self,
        connection: sa.Connection,
        folder: str,
        name: str,
        digests: Mapping[tuple[str, str], str],
    ) -> StoreError | None:
        content = self._content(connection, folder, name)
        if content is None or (folder, name) not in digests:
            return file_missing(self.name, folder, name)
        if sha256_of(content) != digests[(folder, name)]:
            return file_changed(self.name, folder, name)
        return None

    def content(self, connection: sa.Connection, folder: str, name: str) -> bytes:
        """Return a file's content, from the database or the folder and never from the cache.

        Raises
        ------
        StoreError
            If the store does not hold the file.
        """
        content = self._content(connection, folder, name)
        if content is None:
            raise file_missing(self.name, folder, name)
        return content

    def _content(self, connection: sa.Connection, folder: str, name: str) -> bytes | None:
        if self._root is not None:
            path = self._files_in / folder / name
            return path.read_bytes() if path.exists() else None
        this = sa.and_(files.c.folder == folder, files.c.name == name)
        content = connection.execute(sa.select(files.c.content).where(this)).scalar()
        return None if content is None else bytes(content)

    # -- boundary editions

    def add_edition(
        self,
        edition: Edition,
        now: datetime,
        *,
        replace: bool = False,
        audit: Audit | None = None,
    ) -> None:
        """Register an edition; a sketch gives way to real boundaries, these only when asked.

        Raises
        ------
        StoreError
            If real boundaries of that edition are there already.
        """
        with self.database.writing() as connection:
            there = (
                connection.execute(sa.select(editions).where(editions.c.edition == edition.edition))
                .mappings()
                .one_or_none()
            )
            if there is not None and not there["schematic"] and not replace:
                raise StoreError(
                    "edition_there",
                    f"The store holds boundaries of edition {edition.edition} already "
                    f"({there['source']}). Give another edition day, or replace them with "
                    "--replace.",
                    edition=edition.edition,
                    source=there["source"],
                )
            connection.execute(sa.delete(editions).where(editions.c.edition == edition.edition))
            connection.execute(
                sa.insert(editions).values(
                    edition=edition.edition,
                    added_at=now.isoformat(),
                    source=edition.source,
                    schematic=edition.schematic,
                    units=edition.units,
                    findings=json.dumps(dict(edition.findings), ensure_ascii=False),
                    wards_file=edition.wards_file.name,
                    drawing_file=edition.drawing_file.name,
                )
            )
            _note(connection, audit)

    def editions(self) -> list[Edition]:
        """Return all boundary editions, oldest first."""
        with self.database.reading() as connection:
            found = connection.execute(sa.select(editions).order_by(editions.c.edition))
            rows = list(found.mappings())
        return [self._edition(row) for row in rows]

    def _edition(self, row: sa.RowMapping) -> Edition:
        return Edition(
            edition=row["edition"],
            source=row["source"],
            schematic=row["schematic"],
            units=row["units"],
            findings=json.loads(row["findings"]),
            wards_file=self._place("boundaries", row["wards_file"]),
            drawing_file=self._place("drawing", row["drawing_file"]),
        )

    # -- crosswalks

    def add_crosswalk(
        self, crosswalk: KeptCrosswalk, now: datetime, *, audit: Audit | None = None
    ) -> None:
        """Register a crosswalk; of two between the same editions the newer is in force."""
        with self.database.writing() as connection:
            connection.execute(
                sa.insert(crosswalks).values(
                    number=next_number(connection, crosswalks.c.number),
                    from_edition=crosswalk.from_edition,
                    to_edition=crosswalk.to_edition,
                    added_at=now.isoformat(),
                    source=crosswalk.source,
                    findings=json.dumps(dict(crosswalk.findings), ensure_ascii=False),
                    pairs_file=crosswalk.pairs_file.name,
                )
            )
            _note(connection, audit)

    def crosswalks(self) -> list[KeptCrosswalk]:
        """Return the crosswalks in force, in the order of their editions."""
        query = sa.select(crosswalks).order_by(crosswalks.c.number)
        with self.database.reading() as connection:
            rows = list(connection.execute(query).mappings())
        newest = {(row["from_edition"], row["to_edition"]): row for row in rows}
        return [
            KeptCrosswalk(
                number=row["number"],
                from_edition=row["from_edition"],
                to_edition=row["to_edition"],
                source=row["source"],
                findings=json.loads(row["findings"]),
                pairs_file=self._place("crosswalks", row["pairs_file"]),
            )
            for _, row in sorted(newest.items())
        ]

    # -- programme

    def add_programme(self, text: str, now: datetime, *, audit: Audit | None = None) -> None:
        """Keep a programme file; the newest is in force, the earlier ones stay readable."""
        with self.database.writing() as connection:
            number = next_number(connection, programmes.c.number)
            values = {"number": number, "added_at": now.isoformat(), "text": text}
            connection.execute(sa.insert(programmes).values(**values))
            _note(connection, audit)

    def programme_text(self) -> str:
        """Return the programme in force.

        Raises
        ------
        NotFound
            If none has been added.
        """
        query = sa.select(programmes.c.text).order_by(programmes.c.number.desc()).limit(1)
        with self.database.reading() as connection:
            text = connection.execute(query).scalar()
        if text is None:
            raise NotFound(
                "no_programme",
                "The store has no programme yet; add one with 'hotspots programme add FILE.toml'.",
            )
        return str(text)

    # -- imported files

    def batches(self, kind: str | None = None) -> list[Batch]:
        """Return what has been imported, oldest first.

        Raises
        ------
        StoreError
            ``batch_malformed``, if what a batch replaces cannot be read.
        """
        with self.database.reading() as connection:
            rows = list(connection.execute(sa.select(batches).order_by(batches.c.batch)).mappings())
            parts = _parts(connection)
        found: list[Batch] = []
        later: list[Scope] = []
        for row in reversed(rows):
            number = row["batch"]
            by = tuple(scope for scope in later if row["kind"] in scope.kinds)
            if kind in (None, row["kind"]):
                found.append(Batch(**row, parts=parts.get(number, ()), superseded_by=by))
            scope = read_scope(row["replaces"])
            later += [] if scope is None else [scope]
        return found[::-1]

    def staging_place(self) -> Path:
        """Return the folder in which a `BatchWriter` makes its own: the disk of the files."""
        return self._files_in / _IMPORTS

    def add_batch(
        self,
        batch: Batch,
        seen: int | None = None,
        *,
        staged: StagedBatch | None = None,
        audit: Audit | None = None,
        guard: Callable[[sa.Connection], None] | None = None,
    ) -> Batch:
        """Register an imported file; from here on its rows count, and those it replaces do not.

        Parameters
        ----------
        seen : int, optional
            How many batches there were when its rows were compared with the store; needed if the
            batch replaces anything.
        staged : StagedBatch, optional
            Its rows, if they are not in the store yet; they say its kind, SHA-256, file and parts.
            Once it is registered they are the store's; if it is refused they stay staged.
        guard : callable, optional
            Asked first in the transaction, so that nobody is disabled between the check and the
            write.

        Raises
        ------
        StoreError
            If another writer has registered rows meanwhile.
        """
        if staged is not None:
            batch = replace(
                batch,
                kind=staged.kind,
                sha256=staged.sha256,
                file=staged.file,
                parts=staged.parts,
            )
        if read_scope(batch.replaces) is not None and seen is None:
            raise ValueError("Who replaces rows must say how many batches they had seen.")
        with self._taking(staged) as take, self.database.writing() as connection:
            if guard is not None:
                guard(connection)
            batch = _numbered(connection, batch, seen)
            take(connection)
            _register(connection, batch)
            _note(connection, audit)
        if staged is not None:
            self._adopt(staged)
        return batch

    @contextmanager
    def _taking(self, staged: StagedBatch | None) -> Iterator[Callable[[sa.Connection], None]]:
        """Give the step that takes staged files; what was taken is removed if nothing names it."""
        taken: list[Path] = []

        def take(connection: sa.Connection) -> None:
            if staged is None:
                return
            named = named_files(connection)
            for name, digest in staged.digests.items():
                if (_IMPORTS, name) not in named:  # the same content, so the same file
                    self._take(connection, staged.path(name), name, digest, taken)
            if taken:
                _sync_folder(self._files_in / _IMPORTS)

        try:
            yield take
        except BaseException:
            self._remove_unnamed(taken)
            raise

    def _take(
        self, connection: sa.Connection, path: Path, name: str, digest: str, taken: list[Path]
    ) -> None:
        content = None
        if self._root is None:
            content = path.read_bytes()
        else:
            target = self._files_in / _IMPORTS / name
            taken.append(target)
            with self._where.writing_files():
                _link_whole(path, target)
        _list_file(connection, _IMPORTS, name, content, digest)

    def _remove_unnamed(self, taken: list[Path]) -> None:
        """Remove files of a write that failed, unless it, or another, came to be after all."""
        if not taken:
            return
        with suppress(StoreError), self.database.writing() as connection:
            named = named_files(connection)
            for path in taken:
                if (_IMPORTS, path.name) not in named:
                    path.unlink(missing_ok=True)

    def _adopt(self, staged: StagedBatch) -> None:
        """Make staged files the copies that this machine reads, where the database has them."""
        if self._root is None:
            for name in staged.digests:
                with suppress(OSError):  # it can be fetched
                    staged.path(name).replace(self._files_in / _IMPORTS / name)
                    self._remember(_IMPORTS, name)
        staged.close()

    def rules(self, connection: sa.Connection | None = None) -> tuple[object, ...]:
        """Return what tells the programme, boundaries and crosswalks in force from any others."""
        if connection is None:
            with self.database.reading() as own:
                return self.rules(own)
        numbers = (
            connection.execute(sa.select(sa.func.max(programmes.c.number))).scalar(),
            connection.execute(sa.select(sa.func.max(crosswalks.c.number))).scalar(),
        )
        there = sa.select(editions.c.edition, editions.c.wards_file).order_by(editions.c.edition)
        return (*numbers, *(tuple(row) for row in connection.execute(there)))

    # -- settings

    def set(self, key: str, value: str, *, audit: Audit | None = None) -> None:
        """Keep one setting."""
        with self.database.writing() as connection:
            connection.execute(sa.delete(settings).where(settings.c.key == key))
            connection.execute(sa.insert(settings).values(key=key, value=value))
            _note(connection, audit)

    def get(self, key: str) -> str | None:
        """Return one setting, or None."""
        with self.database.reading() as connection:
            query = sa.select(settings.c.value).where(settings.c.key == key)
            return connection.execute(query).scalar()


def migrate(location: str | Path) -> None:
    """Bring the tables of a store to this version; nothing if they are of this version."""
    Store(location, migrate=True).close()


def named_files(connection: sa.Connection) -> set[tuple[str, str]]:
    """Return the files that the records name, as (folder, name)."""
    named: set[tuple[str, str]] = set()
    for folder, column in (
        ("boundaries", editions.c.wards_file),
        ("drawing", editions.c.drawing_file),
        ("crosswalks", crosswalks.c.pairs_file),
        (_IMPORTS, batches.c.file),
        (_IMPORTS, import_parts.c.file),
        (_IMPORTS, import_parts.c.counts),
    ):
        found = connection.execute(sa.select(column)).scalars()
        named.update((folder, name) for name in found if name)
    return named


def file_missing(store: str, folder: str, name: str) -> StoreError:
    """Return the error of a file that the records name and that is not there."""
    return StoreError(
        "kept_file_missing",
        f"The file {folder}/{name} of {store} is missing, and the records need it. Restore it from "
        "a backup.",
        store=store,
        file=f"{folder}/{name}",
    )


def file_changed(store: str, folder: str, name: str) -> StoreError:
    """Return the error of a file that is not what was written."""
    return StoreError(
        "kept_file_changed",
        f"The file {folder}/{name} of {store} is not what was written: its SHA-256 differs. "
        "Restore it from a backup.",
        store=store,
        file=f"{folder}/{name}",
    )


def _parts(connection: sa.Connection) -> dict[int, tuple[KeptPart, ...]]:
    """Return the parts of all batches that have some, by batch."""
    query = sa.select(import_parts).order_by(import_parts.c.batch, import_parts.c.part)
    found: dict[int, tuple[KeptPart, ...]] = {}
    for number, *values in connection.execute(query):
        found[number] = (*found.get(number, ()), KeptPart(*values))
    return found


def _numbered(connection: sa.Connection, batch: Batch, seen: int | None) -> Batch:
    """Return a batch with its number, or refuse it if others were quicker.

    Rows that were replaced may come again, so once anything was replaced the same rows are
    another batch; that they are not there is what its writer has `seen`.
    """
    there = connection.execute(sa.select(sa.func.count()).select_from(batches)).scalar()
    same = sa.and_(batches.c.kind == batch.kind, batches.c.sha256 == batch.sha256)
    first = connection.execute(sa.select(batches.c.batch).where(same)).scalar()
    number = next_number(connection, batches.c.batch)
    may_come_again = seen is not None and (batch.replaces or _replaced_since(connection, first))
    again = first is not None and not may_come_again
    if again or seen not in (None, there):
        raise StoreError(
            "imported_meanwhile",
            f"Another file was imported meanwhile; nothing of {batch.source} was added. "
            "Import it again.",
            file=batch.source,
        )
    if first is not None:
        batch = replace(batch, sha256=sha256_of(f"{batch.sha256} {number}".encode()))
    return replace(batch, batch=number)


def _replaced_since(connection: sa.Connection, number: int | None) -> bool:
    """Tell whether a batch after the one of that number replaced anything."""
    later = batches.c.batch > (number or 0)
    query = sa.select(batches.c.batch).where(later, batches.c.replaces != "")
    return connection.execute(query.limit(1)).first() is not None


def _register(connection: sa.Connection, batch: Batch) -> None:
    values = {name: value for name, value in vars(batch).items() if name in batches.c}
    connection.execute(sa.insert(batches).values(**values))
    for part in batch.parts:
        connection.execute(sa.insert(import_parts).values(batch=batch.batch, **vars(part)))


def _list_file(
    connection: sa.Connection, folder: str, name: str, content: bytes | None, digest: str
) -> None:
    """List a file in the database, with its content where it keeps that."""
    this = sa.and_(files.c.folder == folder, files.c.name == name)
    connection.execute(sa.delete(files).where(this))
    connection.execute(
        sa.insert(files).values(folder=folder, name=name, content=content, sha256=digest)
    )


def _note(connection: sa.Connection, audit: Audit | None) -> None:
    if audit is not None:
        append_audit(connection, audit)


def _write_whole(target: Path, content: bytes) -> None:
    """Write a file under another name, then rename it, and make both outlive a power cut."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
        _sync_folder(target.parent)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink(missing_ok=True)
        raise


def _link_whole(source: Path, target: Path) -> None:
    """Make a file that is on the disk already stand under another name too."""
    temporary = target.with_name(f".new-{uuid.uuid4().hex}")
    try:
        try:
            os.link(source, temporary)
        except OSError:  # a disk without links
            _write_whole(temporary, source.read_bytes())
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)  # a rename to another link of the same file is none


def _sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _signature(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file does, or None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _cache_folder(address: str) -> Path:
    """Return where the files of a PostgreSQL store are kept for reading on this machine."""
    url = sa.make_url(address)
    place = f"{url.host or ''} {url.port or ''} {url.database or ''}"
    given = os.environ.get("HOTSPOTS_CACHE")
    if given:
        base = Path(given)
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hotspots"
    folder = base / sha256_of(place.encode())[:16]
    with Where(str(folder)).writing_files():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def folder_of(location: str) -> Path:
    """Return the folder that a store's address names."""
    if location.startswith(_SQLITE_URL):
        return Path(location.removeprefix(_SQLITE_URL))
    if "://" in location:
        raise StoreError(
            "store_kind_unknown",
            f"{location.split('://')[0]}:// is not a kind of store this version keeps records in; "
            f"give a folder, sqlite:///FOLDER, or {POSTGRESQL}USER@HOST/DATABASE.",
            store=location.split("://")[0],
        )
    return Path(location)


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(content).hexdigest()
