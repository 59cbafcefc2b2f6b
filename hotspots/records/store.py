"""One store: a folder with the database, the boundary files and the incident files.

Files are written under another name, then renamed, and exist for readers only once the database
names them; so nothing is ever half there.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hotspots.errors import NotFound, StoreError
from hotspots.records.database import (
    Database,
    batches,
    crosswalks,
    editions,
    programmes,
    settings,
)

DATABASE_FILE = "records.sqlite"
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
    """One imported file and what became of its rows."""

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


class Store:
    """Where one installation keeps its records.

    Parameters
    ----------
    location : str or Path
        A folder, or `sqlite:///path/of/the/folder`.
    create : bool
        Make the store if it is not there.

    Raises
    ------
    StoreError
        If there is no store at the place and none is to be made, or the address is of a kind that
        this version does not keep records in.
    """

    def __init__(self, location: str | Path, *, create: bool = False) -> None:
        self.root = folder_of(str(location))
        database_file = self.root / DATABASE_FILE
        if not database_file.exists():
            if not create:
                raise StoreError(
                    "no_store",
                    f"There is no store at {self.root}. Make one with 'hotspots demo' or "
                    "'hotspots programme add', or name another with --store.",
                    store=str(self.root),
                )
            self.root.mkdir(parents=True, exist_ok=True)
        for folder in ("boundaries", "crosswalks", "drawing", "incidents"):
            (self.root / folder).mkdir(exist_ok=True)
        self.database = Database(database_file)

    def close(self) -> None:
        """Close the store's connections."""
        self.database.close()

    def write_file(self, folder: str, name: str, content: bytes) -> Path:
        """Write a file whole or not at all, and return its path."""
        target = self.root / folder / name
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
            _sync_folder(target.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return target

    # -- boundary editions

    def add_edition(self, edition: Edition, now: datetime, *, replace: bool = False) -> None:
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

    def editions(self) -> list[Edition]:
        """Return all boundary editions, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(editions).order_by(editions.c.edition)).mappings()
            return [self._edition(row) for row in rows]

    def _edition(self, row: sa.RowMapping) -> Edition:
        return Edition(
            edition=row["edition"],
            source=row["source"],
            schematic=row["schematic"],
            units=row["units"],
            findings=json.loads(row["findings"]),
            wards_file=self.root / "boundaries" / row["wards_file"],
            drawing_file=self.root / "drawing" / row["drawing_file"],
        )

    # -- crosswalks

    def add_crosswalk(self, crosswalk: KeptCrosswalk, now: datetime) -> None:
        """Register a crosswalk; of two between the same editions the newer is in force."""
        with self.database.writing() as connection:
            connection.execute(
                sa.insert(crosswalks).values(
                    from_edition=crosswalk.from_edition,
                    to_edition=crosswalk.to_edition,
                    added_at=now.isoformat(),
                    source=crosswalk.source,
                    findings=json.dumps(dict(crosswalk.findings), ensure_ascii=False),
                    pairs_file=crosswalk.pairs_file.name,
                )
            )

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
                pairs_file=self.root / "crosswalks" / row["pairs_file"],
            )
            for _, row in sorted(newest.items())
        ]

    # -- programme

    def add_programme(self, text: str, now: datetime) -> None:
        """Keep a programme file; the newest is in force, the earlier ones stay readable."""
        with self.database.writing() as connection:
            connection.execute(sa.insert(programmes).values(added_at=now.isoformat(), text=text))

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
        """Return what has been imported, oldest first."""
        query = sa.select(batches).order_by(batches.c.batch)
        if kind is not None:
            query = query.where(batches.c.kind == kind)
        with self.database.reading() as connection:
            return [Batch(**row) for row in connection.execute(query).mappings()]

    def add_batch(self, batch: Batch, seen: int | None = None) -> Batch:
        """Register an imported file; from here on its rows count.

        Parameters
        ----------
        seen : int, optional
            How many batches there were when its rows were compared with the store.

        Raises
        ------
        StoreError
            If another writer has registered rows meanwhile.
        """
        values = {key: value for key, value in vars(batch).items() if key != "batch"}
        same = sa.and_(batches.c.kind == batch.kind, batches.c.sha256 == batch.sha256)
        with self.database.writing() as connection:
            there = connection.execute(sa.select(sa.func.count()).select_from(batches)).scalar()
            twice = connection.execute(sa.select(batches.c.batch).where(same)).first() is not None
            if twice or seen not in (None, there):
                raise StoreError(
                    "imported_meanwhile",
                    f"Another file was imported meanwhile; nothing of {batch.source} was added. "
                    "Import it again.",
                    file=batch.source,
                )
            number = connection.execute(sa.insert(batches).values(**values)).lastrowid
        return Batch(**{**values, "batch": number})

    # -- settings

    def set(self, key: str, value: str) -> None:
        """Keep one setting."""
        with self.database.writing() as connection:
            connection.execute(sa.delete(settings).where(settings.c.key == key))
            connection.execute(sa.insert(settings).values(key=key, value=value))

    def get(self, key: str) -> str | None:
        """Return one setting, or None."""
        with self.database.reading() as connection:
            query = sa.select(settings.c.value).where(settings.c.key == key)
            return connection.execute(query).scalar()


def _sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def folder_of(location: str) -> Path:
    """Return the folder that a store's address names."""
    if location.startswith(_SQLITE_URL):
        return Path(location.removeprefix(_SQLITE_URL))
    if "://" in location:
        raise StoreError(
            "store_kind_unknown",
            f"{location.split('://')[0]}:// is not a kind of store this version keeps records in; "
            "give a folder, or sqlite:///FOLDER.",
            store=location.split("://")[0],
        )
    return Path(location)


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(content).hexdigest()
