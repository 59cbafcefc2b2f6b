"""What the tests share: databases, the shipped programme, a small city, the demonstration."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import geopandas as gpd
import psycopg
import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from shapely import box

from hotspots import demonstration as demonstration_city
from hotspots import tracker as tracker_module
from hotspots.programme.plan import Programme, read_programme
from hotspots.records.database import Database
from hotspots.records.store import Store
from hotspots.tracker import Tracker

REPOSITORY = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DEMONSTRATION_DAY = date(2026, 10, 31)
NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


_LONGEST_FIRST = (
    "test_browser.py",
    "test_data_browser.py",
    "test_pages.py",
    "test_whole_flow.py",
    "test_crosswalk.py",
    "test_cli.py",
    "test_demonstration.py",
    "test_importing.py",
    "test_tracker.py",
    "test_editions.py",
)
"""Files that take a minute or more: begun last, one worker would wait for the other's."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the others stay in their order."""
    places = {name: place for place, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Where everything must be there (HOTSPOTS_NO_SKIP), a test that skips has failed."""
    report = yield
    if report.skipped and os.environ.get("HOTSPOTS_NO_SKIP"):
        report.outcome = "failed"
    return report


# -- databases


@dataclass(frozen=True)
class PostgresqlServer:
    """A PostgreSQL of the tests' own, on loopback, with a password, gone after the tests."""

    port: int
    password: str
    folder: Path

    def url(self, database: str) -> str:
        user = f"hotspots:{self.password}@127.0.0.1:{self.port}"
        return f"postgresql+psycopg://{user}/{database}"

    def run(self, statement: str) -> None:
        """Run one statement outside any transaction, in the database `postgres`."""
        try:
            self._connection.execute(statement)  # type: ignore[call-overload]
        except psycopg.OperationalError:  # a test has stopped the server in between
            self.close()
            self._connection.execute(statement)  # type: ignore[call-overload]

    def close(self) -> None:
        """Let go of the connection."""
        if connection := vars(self).pop("_connection", None):
            connection.close()

    @cached_property
    def _connection(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="hotspots",
            password=self.password,
            dbname="postgres",
            autocommit=True,
        )


def _postgresql_programs() -> Path | None:
    """Where `initdb` and `pg_ctl` are: on the path, or where Debian puts them."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    programs = ("initdb", "pg_ctl")
    return next((f for f in folders if all((f / name).exists() for name in programs)), None)


def _as_ordinary_user() -> tuple[str, list[str]] | None:
    """Who PostgreSQL runs as, and how: it refuses root."""
    if os.geteuid() != 0:
        return "", []
    for name in ("postgres", "nobody"):
        known = subprocess.run(["id", name], capture_output=True, check=False).returncode == 0
        if known and shutil.which("runuser"):
            return name, ["runuser", "-u", name, "--"]
    return None


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    programs = _postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt install postgresql)")
    ordinary = _as_ordinary_user()
    if ordinary is None:
        pytest.skip("PostgreSQL does not run as root, and runuser is not there to be another")
    user, as_user = ordinary
    folder = Path(tempfile.mkdtemp(prefix="hotspots-postgresql-"))
    secret = folder / "password"
    password = secrets.token_hex(8)
    secret.write_text(password)
    if user:
        shutil.chown(folder, user)
        shutil.chown(secret, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(program: str, *options: str) -> None:
        command = [*as_user, str(programs / program), "-D", str(folder / "data"), *options]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    # The password file is read, so this machine's other users do not get in.
    access = ["--username=hotspots", "--auth=scram-sha-256", f"--pwfile={secret}"]
    run("initdb", *access, "--encoding=UTF8", "--locale=C", "--no-sync")
    settings = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=''"]
    options = " ".join(f"-c {setting}" for setting in [*settings, "fsync=off"])
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    server = PostgresqlServer(port, password, folder)
    try:
        server.run("CREATE DATABASE empty_store")
        Database.open(server.url("empty_store")).close()  # a copy of it is quicker to make
        yield server
    finally:
        server.close()
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The address of a new database, as empty as PostgreSQL makes it."""
    yield from _new_database(postgresql_server, "template0")


@pytest.fixture
def postgresql_store_url(
    postgresql_server: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of a new store on PostgreSQL with its tables; its cache is the test's own."""
    monkeypatch.setenv("HOTSPOTS_CACHE", str(tmp_path / "cache"))
    yield from _new_database(postgresql_server, "empty_store")


@pytest.fixture
def another_postgresql_store_url(
    postgresql_server: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of a second new store on PostgreSQL."""
    monkeypatch.setenv("HOTSPOTS_CACHE", str(tmp_path / "cache"))
    yield from _new_database(postgresql_server, "empty_store")


def _new_database(server: PostgresqlServer, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    server.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of its own can be made: a folder, and again a PostgreSQL database."""
    if request.param == "sqlite":
        return str(tmp_path / "store")
    return str(request.getfixturevalue("postgresql_store_url"))


@pytest.fixture
def store(store_location: str) -> Iterator[Store]:
    """An empty store on either database."""
    opened = Store(store_location, create=True)
    yield opened
    opened.close()


@pytest.fixture
def database(store: Store) -> Database:
    """The database of an empty store, of either kind."""
    return store.database


# -- programme and city


@pytest.fixture(scope="session")
def programme_text() -> str:
    """The shipped programme in single-user mode: what is recorded counts at once."""
    text = (REPOSITORY / "data" / "hcmc_programme.toml").read_text("utf-8")
    single = text.replace("required = true", "required = false")
    assert single != text
    return single


@pytest.fixture(scope="session")
def programme(programme_text: str) -> Programme:
    return read_programme(programme_text)


@pytest.fixture(scope="session")
def boundary_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes four square wards of .1 degree to a GeoJSON file.

    00003 00004    the corner at 106 E 10 N, or moved east
    00001 00002
    """

    def write(moved_east: float = 0.0, codes: tuple[str, ...] | None = None) -> Path:
        wards = gpd.GeoDataFrame(
            {
                "code": codes or ("00001", "00002", "00003", "00004"),
                "name": ["Phường Một", "Phường Hai", "Xã Ba", "Xã Bốn"],
            },
            geometry=[
                box(
                    106 + moved_east + c / 10,
                    10 + r / 10,
                    106.1 + moved_east + c / 10,
                    10.1 + r / 10,
                )
                for r in (0, 1)
                for c in (0, 1)
            ],
            crs="EPSG:4326",
        )
        path = tmp_path_factory.mktemp("boundaries") / "wards.geojson"
        wards.to_file(path, driver="GeoJSON")
        return path

    return write


@pytest.fixture(scope="session")
def small_city_folder(
    tmp_path_factory: pytest.TempPathFactory,
    boundary_file: Callable[..., Path],
    programme_text: str,
) -> Path:
    folder = tmp_path_factory.mktemp("small") / "store"
    tracker = Tracker.open(folder, create=True)
    tracker.add_programme(programme_text, NOW)
    tracker.add_boundaries(boundary_file(), date(2025, 7, 1), NOW)
    tracker.store.close()
    return folder


@pytest.fixture
def small_city(small_city_folder: Path, tmp_path: Path) -> Iterator[Tracker]:
    """A store of its own with the programme and the four wards, and nothing recorded."""
    shutil.copytree(small_city_folder, tmp_path / "store")
    tracker = Tracker.open(tmp_path / "store")
    yield tracker
    tracker.store.close()


class CopiedCache(tracker_module._Cache):
    """What is worked out about a demonstration city serves trackers over copies of it too.

    Copies are told by their version, in which the hash of their last event stands; one that is
    written to has another.
    """

    of_folder: ClassVar[dict[Path, tracker_module._Cache]] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "version":
            for city in self.of_folder.values():
                if city.version == value:
                    super().__setattr__("answers", dict(city.answers))


def _share_answers(tracker: Tracker, store: Store) -> None:
    """Begin a tracker with what is known already of the city that it is opened on."""
    _begin(tracker, store)
    tracker._cache = CopiedCache.of_folder.get(Path(store.location)) or CopiedCache()


_begin = Tracker.__init__
Tracker.__init__ = _share_answers  # type: ignore[method-assign]


def _city(factory: pytest.TempPathFactory, name: str, *, accounts: bool) -> Path:
    """Build a demonstration city of seed 7 on 31 October 2026, once for all workers."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = root / f"{name}.part"
            tracker = Tracker.open(making, create=True)
            demonstration_city.build(tracker, as_of=DEMONSTRATION_DAY, seed=7, accounts=accounts)
            tracker.store.close()
            making.rename(folder)
    CopiedCache.of_folder.setdefault(folder, tracker_module._Cache())
    return folder


@pytest.fixture(scope="session")
def demonstration_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration city; a test that writes copies it."""
    return _city(tmp_path_factory, "demonstration", accounts=False)


@pytest.fixture(scope="session")
def staffed_demonstration_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration city with its users and approvals; a test that writes copies it."""
    return _city(tmp_path_factory, "staffed", accounts=True)


@pytest.fixture(scope="session")
def demonstration(demonstration_folder: Path) -> Iterator[Tracker]:
    """The demonstration city, to be read only."""
    tracker = Tracker.open(demonstration_folder)
    yield tracker
    tracker.store.close()


@pytest.fixture
def demonstration_copy(demonstration_folder: Path, tmp_path: Path) -> Iterator[Tracker]:
    """A demonstration city of one's own, to be written to."""
    shutil.copytree(demonstration_folder, tmp_path / "demonstration")
    tracker = Tracker.open(tmp_path / "demonstration")
    yield tracker
    tracker.store.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, one for all tests: Playwright allows one loop a process."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed (apt install chromium)")
    expect.set_options(timeout=45_000)  # two busy cores
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield started
        started.close()
