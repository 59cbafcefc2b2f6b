"""Tables and connections: a SQLite file or a PostgreSQL database, so that a crash loses nothing.

SQLite runs with a rollback journal and `synchronous=EXTRA`, not WAL: the SQLite 3.40.1 that
Debian's Python carries is in the range of the WAL-reset corruption bug (fixed in 3.51.3;
sqlite.org/changes.html). Writers begin with BEGIN IMMEDIATE and queue in the process.

On PostgreSQL a writer first takes one advisory lock, so writers queue there too, and a reader sees
one moment of the database (REPEATABLE READ, READ ONLY).
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.records.troubles import Where, store_error

POSTGRESQL = "postgresql+psycopg://"
OLDEST_POSTGRESQL = 15
REVISIONS = ("0001", "0002")
"""The versions of the tables, the newest last; one migration leads to each."""

metadata = sa.MetaData()

events = sa.Table(
    "event",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("effective_on", sa.Text, nullable=False),
    sa.Column("recorded_at", sa.Text, nullable=False),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("prev_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.UniqueConstraint("stream", "version"),
    sa.Index("event_by_kind", "kind", "seq"),
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

# Numbers are given by the writer (`next_number`), who is alone: no sequence to set after a copy.
crosswalks = sa.Table(
    "crosswalk",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
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
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("added_at", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)

batches = sa.Table(
    "import_batch",
    metadata,
    sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False),
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
    sa.Column("file_sha256", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("replaces", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("note", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.UniqueConstraint("kind", "sha256"),
)

import_parts = sa.Table(
    "import_part",
    metadata,
    sa.Column("batch", sa.Integer, sa.ForeignKey("import_batch.batch"), primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("year", sa.Integer, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("counts", sa.Text, nullable=False),
)

# `content` is NULL where the file lies in the store's folder (SQLite).
files = sa.Table(
    "file",
    metadata,
    sa.Column("folder", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary),
    sa.Column("sha256", sa.Text, nullable=False),
)

users = sa.Table(
    "user",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("wards", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("email", sa.Text, unique=True),
    sa.Column("added_at", sa.Text, nullable=False),
)

settings = sa.Table(
    "setting",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

_POSTGRESQL_LOCK = 0x686F7473706F7473  # "hotspots"
_TRIES = 3
_CONNECTIONS_KEPT, _CONNECTIONS_MORE = 5, 25

_ONLY_ADDED_TO = (
    "FOR EACH STATEMENT EXECUTE FUNCTION event_only_added_to() "
    "CREATE OR REPLACE FUNCTION event_only_added_to() RETURNS trigger LANGUAGE plpgsql "
    "AS $function$ BEGIN RAISE EXCEPTION 'the log is only added to' "
    "USING ERRCODE = 'check_violation'; END $function$"
)
_HAS_NO_GAP = (
    "FOR EACH ROW EXECUTE FUNCTION event_has_no_gap() "
    "CREATE OR REPLACE FUNCTION event_has_no_gap() RETURNS trigger LANGUAGE plpgsql "
    "AS $function$ DECLARE next bigint; BEGIN "
    "EXECUTE format('SELECT COALESCE(MAX(seq), 0) + 1 FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME) "
    "INTO next; IF NEW.seq <> next THEN "
    "RAISE EXCEPTION 'the log has no gaps' USING ERRCODE = 'check_violation'; END IF; "
    "RETURN NEW; END $function$"
)

GUARDS = {
    "sqlite": {
        "event_never_changes": "CREATE TRIGGER event_never_changes BEFORE UPDATE ON event "
        "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
        "event_never_goes": "CREATE TRIGGER event_never_goes BEFORE DELETE ON event "
        "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
        "event_never_replaced": "CREATE TRIGGER event_never_replaced BEFORE INSERT ON event "
        "WHEN EXISTS (SELECT 1 FROM event WHERE seq = NEW.seq OR event_id = NEW.event_id "
        "OR hash = NEW.hash OR (stream = NEW.stream AND version = NEW.version)) "
        "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
        "event_without_gap": "CREATE TRIGGER event_without_gap BEFORE INSERT ON event "
        "WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM event) "
        "BEGIN SELECT RAISE(ABORT, 'the log has no gaps'); END",
    },
    "postgresql": {
        "event_never_changes": "CREATE TRIGGER event_never_changes BEFORE UPDATE ON event "
        + _ONLY_ADDED_TO,
        "event_never_goes": "CREATE TRIGGER event_never_goes BEFORE DELETE ON event "
        + _ONLY_ADDED_TO,
        "event_never_emptied": "CREATE TRIGGER event_never_emptied BEFORE TRUNCATE ON event "
        + _ONLY_ADDED_TO,
        "event_without_gap": "CREATE TRIGGER event_without_gap BEFORE INSERT ON event "
        + _HAS_NO_GAP,
    },
}
"""The triggers by which a database refuses to change the log, as it tells them back when asked: on
PostgreSQL each with the function it calls. What the migrations make must be this (a test looks)."""


class Database:
    """Connections to one store's database; see `Database.open`."""

    def __init__(self, engine: sa.Engine, where: Where, patience: float) -> None:
        self.engine = engine
        self.where = where
        self._patience = patience
        self._write_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        create: bool = True,
        migrate: bool = False,
        patience: float = 30.0,
    ) -> Database:
        """Open a database whose tables are of this version.

        Parameters
        ----------
        where : str or Path
            A SQLite file, readable by its owner only, or `postgresql+psycopg://user@host/name`.
        create : bool
            Make the tables if the database is empty, and the SQLite file if it is not there.
        migrate : bool
            Bring older tables to this version.
        patience : float
            Seconds to wait for other writers before a write is refused with ``store_busy``.

        Raises
        ------
        StoreError
            If the database cannot be reached or read, or its tables are of another version.
        """
        if isinstance(where, str) and where.startswith(POSTGRESQL):
            database = cls(*_postgresql(where, patience), patience)
        else:
            database = cls(*_sqlite(Path(where), patience, create=create), patience)
        try:
            database._check_server()
            database._check_tables(create=create, migrate=migrate)
        except BaseException:
            database.close()
            raise
        return database

    @property
    def on_postgresql(self) -> bool:
        """Whether this is PostgreSQL."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a connection that sees one moment of the store."""
        with self._told(), self._connected(writing=False) as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open one write transaction; all of it is kept, or nothing."""
        with self._told(), self._turn(), self._connected(writing=True) as connection:
            yield connection
            if not self.on_postgresql:  # a reader elsewhere may hold up the end of a write
                self._again(lambda: connection.exec_driver_sql("COMMIT"))
            connection.commit()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._write_lock.acquire(timeout=max(self._patience, 1)):
            raise store_error(self.where, "store_busy")
        try:
            yield
        finally:
            self._write_lock.release()

    @contextmanager
    def _connected(self, *, writing: bool) -> Iterator[sa.Connection]:
        with self.engine.connect().execution_options(writing=writing) as connection:
            self._again(lambda: _begin(connection, self._patience, writing=writing))
            yield connection

    def _again(self, step: Callable[[], object]) -> None:
        """Do a step that other connections can hold up; a few times, each with a wait inside."""
        for left in range(_TRIES - 1, -1, -1):
            try:
                step()
            except sa.exc.OperationalError as error:
                if not left or not _held_up(error):
                    raise
                time.sleep(0.01)
            else:
                return

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what the driver says in the reader's words."""
        try:
            yield
        except sa.exc.TimeoutError as error:  # every connection of the pool is in use
            raise store_error(self.where, "store_busy") from error
        except sa.exc.DBAPIError as error:
            told = self.where.explain(error)
            if told is None:
                raise
            raise told from error

    def _check_server(self) -> None:
        if not self.on_postgresql:
            return
        with self.reading() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
            major = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10000
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if major < OLDEST_POSTGRESQL:
            raise StoreError(
                "postgresql_too_old",
                f"{self.where.name} is PostgreSQL {version}; {OLDEST_POSTGRESQL} or newer is "
                "needed.",
                store=self.where.name,
                version=version,
                needed=OLDEST_POSTGRESQL,
            )
        if encoding != "UTF8":
            raise StoreError(
                "store_not_utf8",
                f"{self.where.name} keeps its text as {encoding}; make the database with "
                "ENCODING 'UTF8'.",
                store=self.where.name,
                encoding=encoding,
            )

    def _check_tables(self, *, create: bool, migrate: bool) -> None:
        with self.reading() as connection:
            version = _version_of_tables(connection)
        if version == REVISIONS[-1]:
            return
        if version is None and not create:
            raise no_store(self.where.name)
        if version in REVISIONS and not migrate:
            raise StoreError(
                "store_needs_migration",
                f"The store at {self.where.name} was made by an older version (tables {version}, "
                f"now {REVISIONS[-1]}). Make a backup, then run 'hotspots store migrate'.",
                store=self.where.name,
                version=version,
                newest=REVISIONS[-1],
            )
        if version == "":
            raise StoreError(
                "store_too_old",
                f"The store at {self.where.name} was made before the first release and has no "
                "version; its tables cannot be brought to this one. Make a new store.",
                store=self.where.name,
            )
        if version is not None and version not in REVISIONS:
            raise StoreError(
                "store_too_new",
                f"The store at {self.where.name} was made by a newer version (tables {version}; "
                f"this one knows {REVISIONS[-1]}). Install the newer version.",
                store=self.where.name,
                version=version,
                newest=REVISIONS[-1],
            )
        with self.writing() as connection:
            if _version_of_tables(connection) != REVISIONS[-1]:  # nobody else was quicker
                _upgrade(connection)


def no_store(name: str) -> StoreError:
    """Return the refusal of a place where there is no store."""
    return StoreError(
        "no_store",
        f"There is no store at {name}. Make one with 'hotspots demo' or "
        "'hotspots programme add', or name another with --store.",
        store=name,
    )


def next_number(connection: sa.Connection, column: sa.Column[int]) -> int:
    """Return the number of a new row; the writer is alone, so no two get the same."""
    return (connection.execute(sa.select(sa.func.max(column))).scalar() or 0) + 1


def guards_missing(connection: sa.Connection) -> list[str]:
    """Return the names of the triggers that guard the log and are not there, off, or others.

    The texts are compared: a trigger of the same name that does nothing guards nothing.
    """
    dialect = connection.dialect.name
    rows = connection.exec_driver_sql(_ACTIVE_TRIGGERS[dialect])
    active = {name: " ".join(text.split()) for name, text in rows}
    return sorted(name for name, text in GUARDS[dialect].items() if active.get(name) != text)


# The schema, which PostgreSQL names before a function, is the installation's choice.
_ACTIVE_TRIGGERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'",
    "postgresql": "SELECT tgname, pg_get_triggerdef(pg_trigger.oid, true) || ' ' || replace("
    "pg_get_functiondef(tgfoid), 'FUNCTION ' || quote_ident(nspname) || '.', 'FUNCTION ') "
    "FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
    "JOIN pg_namespace ON pg_namespace.oid = pronamespace "
    "WHERE tgrelid = 'event'::regclass AND tgenabled = 'A'",
}


def _version_of_tables(connection: sa.Connection) -> str | None:
    """Return the version of the tables; None without tables, "" without a version."""
    tables = set(sa.inspect(connection).get_table_names())
    if "alembic_version" in tables:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return found or ""
    return "" if tables & set(metadata.tables) else None


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


# -- SQLite


def _sqlite(path: Path, patience: float, *, create: bool) -> tuple[sa.Engine, Where]:
    where = Where(str(path))
    if not path.exists():
        if not create:
            raise no_store(where.name)
        with where.writing_files():
            path.touch(mode=0o600)
    elif stat.S_IMODE(path.stat().st_mode) != 0o600:
        with suppress(OSError):  # on a disk that is read only
            os.chmod(path, 0o600)
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"check_same_thread": False},
        pool_size=_CONNECTIONS_KEPT,
        max_overflow=_CONNECTIONS_MORE,
        hide_parameters=True,
    )
    wait_ms = int(patience * 1000 / _TRIES)
    sa.event.listen(engine, "connect", lambda opened, _: _set_up(opened, wait_ms))
    return engine, where


def _set_up(connection: sa.engine.interfaces.DBAPIConnection, wait_ms: int) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={wait_ms}",
        "journal_mode=DELETE",
        "synchronous=EXTRA",
        "foreign_keys=ON",
        "trusted_schema=OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection, patience: float, *, writing: bool) -> None:
    if connection.dialect.name == "postgresql":
        if writing:
            wait_ms = max(int(patience * 1000), 1)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait_ms}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRESQL_LOCK})")
        else:
            snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
            connection.exec_driver_sql(snapshot)
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
    if not writing:  # what is seen is fixed by the first read
        try:
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").close()
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise


def _held_up(error: sa.exc.OperationalError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED


# -- PostgreSQL


def _postgresql(address: str, patience: float) -> tuple[sa.Engine, Where]:
    try:
        url = sa.make_url(address)
        where = Where.of_url(url)
        if not url.database:
            raise ValueError("no database is named")
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StoreError(
            "store_address_wrong",
            f"The address of the store cannot be read; it is written {POSTGRESQL}"
            "USER:PASSWORD@HOST:PORT/DATABASE, with signs like @ or / in the password as %40, %2F.",
            form=f"{POSTGRESQL}USER:PASSWORD@HOST:PORT/DATABASE",
        ) from (None if isinstance(error, sa.exc.ArgumentError) else error)
    engine = sa.create_engine(
        url,
        connect_args={"connect_timeout": 10, "client_encoding": "utf8"},
        pool_size=_CONNECTIONS_KEPT,
        max_overflow=_CONNECTIONS_MORE,
        pool_timeout=patience,
        pool_pre_ping=True,
        hide_parameters=True,
    )
    return engine, where
