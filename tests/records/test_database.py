"""Opening a database, keeping its tables of one version, and saying what is wrong with it."""

from __future__ import annotations

import re
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import hotspots.records.database as database_module
from hotspots.errors import StoreError
from hotspots.programme.status import Event
from hotspots.records.database import REVISIONS, Database, guards_missing, metadata
from hotspots.records.log import append, head, read_events
from hotspots.records.store import DATABASE_FILE, Store, migrate


def refusal(work: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as refused:
        work()
    return refused.value


# -- SQLite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "delete"), ("synchronous", 3), ("trusted_schema", 0), ("foreign_keys", 1)],
)
def test_every_connection_to_sqlite_is_opened_so_that_a_crash_loses_nothing(
    path: Path, pragma: str, value: object
) -> None:
    with closing(Database.open(path)) as database:
        for opened in (database.reading(), database.writing()):
            with opened as connection:
                assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_the_file_is_readable_by_its_owner_only(path: Path) -> None:
    Database.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    Database.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one" * 200, b"\0" * 99]
)
def test_a_file_that_is_no_database_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused = refusal(lambda: Database.open(path))
    assert refused.reason == "store_damaged"
    assert str(path) in str(refused)
    assert path.read_bytes() == content


def test_a_damaged_page_is_named_and_not_read_past(path: Path, draft: Callable[..., Event]) -> None:
    with closing(Database.open(path)) as database:
        append(database, [draft(f"e{n}", note="x" * 500) for n in range(50)])
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\xa5" * (len(content) - 4096 * 3)
    path.write_bytes(content)

    def read() -> None:
        with closing(Database.open(path)) as database:
            read_events(database)

    assert refusal(read).reason == "store_damaged"


def test_a_database_locked_by_another_program_is_said_after_the_wait(
    path: Path, draft: Callable[..., Event]
) -> None:
    with closing(Database.open(path, patience=0.3)) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert refusal(lambda: append(database, [draft("a")])).reason == "store_busy"
            assert read_events(database) == []
            other.execute("ROLLBACK")
        append(database, [draft("a")])
        assert head(database).count == 1


def test_a_writer_waits_for_a_reader_elsewhere_to_finish(
    path: Path, draft: Callable[..., Event]
) -> None:
    with (
        closing(Database.open(path)) as database,
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
    ):
        other.execute("BEGIN")
        other.execute("SELECT * FROM event").fetchall()
        finish = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
        finish.start()
        append(database, [draft("a")])
        finish.join()
        assert head(database).count == 1


def test_a_file_that_can_only_be_read_is_read_and_says_so_when_written(
    path: Path, draft: Callable[..., Event]
) -> None:
    with closing(Database.open(path)) as database:
        append(database, [draft("a")])
        engine = sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true", hide_parameters=True)
        sa.event.listen(engine, "connect", lambda c, _: setattr(c, "isolation_level", None))
        with closing(Database(engine, database.where, 1.0)) as read_only:
            assert head(read_only).count == 1
            refused = refusal(lambda: append(read_only, [draft("b")]))
        assert refused.reason == "store_read_only"
        assert head(database).count == 1


def test_a_full_disk_is_said_and_what_was_there_stays(
    path: Path, draft: Callable[..., Event]
) -> None:
    with closing(Database.open(path)) as database:
        append(database, [draft("a")])
        pages = sqlite3.connect(path).execute("PRAGMA page_count").fetchone()[0]
        sa.event.listen(
            database.engine, "checkout", lambda c, *_: c.execute(f"PRAGMA max_page_count={pages}")
        )
        many = [draft(f"b{n}", note="x" * 2000) for n in range(20)]
        assert refusal(lambda: append(database, many)).reason == "store_disk_full"
        assert [event.event_id for event in read_events(database)] == ["a"]


# -- PostgreSQL


def test_a_reader_on_postgresql_sees_one_moment_and_cannot_write(postgresql_store_url: str) -> None:
    with closing(Database.open(postgresql_store_url)) as database:
        with database.reading() as connection:
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == (
                "repeatable read"
            )
            assert connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"

        def write() -> None:
            with database.reading() as connection:
                connection.exec_driver_sql("INSERT INTO setting VALUES ('k', 'v')")

        assert refusal(write).reason == "store_read_only"
        with database.writing() as connection:  # the connection comes back as any other
            connection.exec_driver_sql("INSERT INTO setting VALUES ('k', 'v')")


def test_writers_on_postgresql_queue(postgresql_store_url: str) -> None:
    with (
        closing(Database.open(postgresql_store_url)) as one,
        closing(Database.open(postgresql_store_url, patience=0.3)) as other,
    ):

        def write() -> None:
            with other.writing():
                pass

        with one.writing():
            assert refusal(write).reason == "store_busy"
        write()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: re.sub(r":[^:@/]+@", ":wrong-secret@", url), "store_sign_in_refused"),
        (lambda url: re.sub(r"//\w+:", "//nobody:", url), "store_sign_in_refused"),
        (lambda url: re.sub(r":[^:@/]+@", "@", url), "store_sign_in_refused"),
        (lambda url: url.rsplit("/", 1)[0] + "/elsewhere", "store_no_database"),
        (lambda url: re.sub(r":\d+/", ":1/", url), "store_unreachable"),
        (lambda url: url.replace("127.0.0.1", "no.such.invalid"), "store_unreachable"),
    ],
    ids=["password", "user", "no password", "database", "port", "host"],
)
def test_a_server_that_cannot_be_used_is_named_without_the_password(
    postgresql_store_url: str, change: Callable[[str], str], reason: str
) -> None:
    address = change(postgresql_store_url)
    refused = refusal(lambda: Database.open(address))
    assert refused.reason == reason
    told = f"{refused} {refused.facts} {refused.__cause__} {refused.__cause__!r}"
    password = sa.make_url(address).password
    assert password is None or password not in told
    assert str(sa.make_url(address).database) in str(refused)


@pytest.mark.parametrize("address", ["postgresql+psycopg://", "postgresql+psycopg://u:p@h:x/d"])
def test_an_address_that_cannot_be_read_is_refused(address: str) -> None:
    assert refusal(lambda: Database.open(address)).reason == "store_address_wrong"


def test_a_server_that_goes_away_is_said_and_found_again(
    postgresql_server: object, postgresql_store_url: str
) -> None:
    with closing(Database.open(postgresql_store_url)) as database:

        def cut_off() -> None:
            with database.writing() as connection:
                pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
                postgresql_server.run(f"SELECT pg_terminate_backend({pid})")  # type: ignore[attr-defined]
                connection.exec_driver_sql("INSERT INTO setting VALUES ('k', 'v')")

        assert refusal(cut_off).reason == "store_unreachable"
        with database.reading() as connection:
            assert connection.exec_driver_sql("SELECT COUNT(*) FROM setting").scalar() == 0


def test_a_database_that_cannot_keep_vietnamese_is_refused(
    postgresql_server: object, postgresql_url: str
) -> None:
    name = f"{sa.make_url(postgresql_url).database}_latin"
    run = postgresql_server.run  # type: ignore[attr-defined]
    run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1'")
    try:
        address = postgresql_server.url(name)  # type: ignore[attr-defined]
        assert refusal(lambda: Database.open(address)).reason == "store_not_utf8"
    finally:
        run(f"DROP DATABASE {name} WITH (FORCE)")


# -- both


def test_a_failed_write_leaves_nothing_behind(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO setting VALUES ('k', 'v')")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM setting").scalar() == 0


def test_thirty_readers_at_once_are_served(database: Database) -> None:
    together = threading.Barrier(30, timeout=30)
    problems: list[BaseException] = []

    def read() -> None:
        try:
            with database.reading() as connection:
                together.wait()
                connection.exec_driver_sql("SELECT COUNT(*) FROM event").scalar()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


# -- versions of the tables


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, path: Path) -> str:
    """Where there are no tables yet."""
    return str(path) if request.param == "sqlite" else request.getfixturevalue("postgresql_url")


def test_the_migrations_make_the_tables_that_the_code_speaks_of(empty: str) -> None:
    with closing(Database.open(empty)) as database, database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert guards_missing(connection) == []
        assert context.get_current_revision() == REVISIONS[-1]


def test_every_migration_is_known_by_its_number() -> None:
    config = Config()
    folder = Path(database_module.__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS


def test_two_who_make_the_same_store_at_once_make_one(empty: str) -> None:
    problems: list[BaseException] = []

    def make() -> None:
        try:
            Database.open(empty).close()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with closing(Database.open(empty)) as database:
        assert head(database).count == 0


def test_a_database_without_tables_is_not_made_a_store_by_looking_at_it(empty: str) -> None:
    assert refusal(lambda: Database.open(empty, create=False)).reason == "no_store"
    if empty.startswith("postgresql"):
        with closing(Database.open(empty)):  # nothing stood in the way
            pass
    else:
        assert not Path(empty).exists()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "store_too_new"),
        ("DROP TABLE alembic_version", "store_too_old"),
        ("DELETE FROM alembic_version", "store_too_old"),
    ],
)
def test_a_store_of_another_version_is_refused(empty: str, statement: str, reason: str) -> None:
    with closing(Database.open(empty)) as database, database.writing() as connection:
        connection.exec_driver_sql(statement)
    for migrate_too in (False, True):
        refused = refusal(lambda also=migrate_too: Database.open(empty, migrate=also))
        assert refused.reason == reason


def test_an_older_store_is_migrated_only_when_asked(
    store_location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next version is made up here: it adds a setting."""
    Store(store_location, create=True).close()

    def upgrade(connection: sa.Connection) -> None:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9000'")
        connection.exec_driver_sql("INSERT INTO setting VALUES ('migrated', 'yes')")

    monkeypatch.setattr(database_module, "REVISIONS", (*REVISIONS, "9000"))
    monkeypatch.setattr(database_module, "_upgrade", upgrade)
    refused = refusal(lambda: Store(store_location))
    assert refused.reason == "store_needs_migration"
    assert "hotspots store migrate" in str(refused)
    migrate(store_location)
    migrate(store_location)
    with closing(Store(store_location)) as store:
        assert store.get("migrated") == "yes"


def test_the_program_that_comes_with_sqlite_finds_nothing_wrong(tmp_path: Path) -> None:
    Store(tmp_path / "store", create=True).close()
    with closing(sqlite3.connect(tmp_path / "store" / DATABASE_FILE)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
