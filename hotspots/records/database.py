"""Tables and connections: one SQLite file a store, opened so that a crash loses nothing.

Rollback journal with `synchronous=EXTRA` and not WAL: the SQLite 3.40.1 that Debian's Python
carries is in the range of the WAL-reset corruption bug (fixed in 3.51.3; sqlite.org/changes.html).
Writers begin with BEGIN IMMEDIATE and queue in the process, so "database is locked" reaches nobody.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

metadata = sa.MetaData()

events = sa.Table(
    "event",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("hotspot", sa.Text, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("effective_on", sa.Text, nullable=False),
    sa.Column("recorded_at", sa.Text, nullable=False),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("prev_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.UniqueConstraint("hotspot", "version"),
)

editions = sa.Table(
    "edition",
    metadata,
    sa.Column("edition", sa.Text, primary_key=True),
    sa.Column("added_at", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("schematic", sa.Boolean, nullable=False),
    sa.Column("units", sa.Integer, nullable=False),
    sa.Column("findings", sa.Text, nullable=False),
    sa.Column("wards_file", sa.Text, nullable=False),
    sa.Column("drawing_file", sa.Text, nullable=False),
)

crosswalks = sa.Table(
    "crosswalk",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("from_edition", sa.Text, nullable=False),
    sa.Column("to_edition", sa.Text, nullable=False),
    sa.Column("added_at", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("findings", sa.Text, nullable=False),
    sa.Column("pairs_file", sa.Text, nullable=False),
)

programmes = sa.Table(
    "programme",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("added_at", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)

batches = sa.Table(
    "import_batch",
    metadata,
    sa.Column("batch", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("recorded_at", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("accepted", sa.Integer, nullable=False),
    sa.Column("already_there", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.UniqueConstraint("kind", "sha256"),
)

settings = sa.Table(
    "setting",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

_APPEND_ONLY = (
    "CREATE TRIGGER IF NOT EXISTS event_never_changes BEFORE UPDATE ON event "
    "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
    "CREATE TRIGGER IF NOT EXISTS event_never_goes BEFORE DELETE ON event "
    "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
    # INSERT OR REPLACE deletes the old row without firing the DELETE trigger.
    "CREATE TRIGGER IF NOT EXISTS event_never_replaced BEFORE INSERT ON event "
    "WHEN EXISTS (SELECT 1 FROM event WHERE seq = NEW.seq OR event_id = NEW.event_id "
    "OR hash = NEW.hash OR (hotspot = NEW.hotspot AND version = NEW.version)) "
    "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
    "CREATE TRIGGER IF NOT EXISTS event_without_gap BEFORE INSERT ON event "
    "WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM event) "
    "BEGIN SELECT RAISE(ABORT, 'the log has no gaps'); END",
)


class Database:
    """Connections to one store's database.

    Parameters
    ----------
    path : Path
        The SQLite file; created with its tables if it is not there, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.touch(mode=0o600)
        self.engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            connect_args={"timeout": 30, "check_same_thread": False},
        )
        sa.event.listen(self.engine, "connect", _set_up)
        sa.event.listen(self.engine, "begin", _begin)
        self._write_lock = threading.Lock()
        with self.writing() as connection:
            metadata.create_all(connection)
            for trigger in _APPEND_ONLY:
                connection.exec_driver_sql(trigger)
        os.chmod(path, 0o600)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a connection that sees one moment of the store."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open one write transaction; all of it is kept, or nothing."""
        with (
            self._write_lock,
            self.engine.connect().execution_options(writing=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _set_up(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=DELETE",
        "synchronous=EXTRA",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "busy_timeout=30000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
