"""What the tests share: the shipped programme, a city of four wards, the demonstration city."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import geopandas as gpd
import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from shapely import box

from hotspots import demonstration as demonstration_city
from hotspots.programme.plan import Programme, read_programme
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Where everything must be there (HOTSPOTS_NO_SKIP), a test that skips has failed."""
    report = yield
    if report.skipped and os.environ.get("HOTSPOTS_NO_SKIP"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def programme_text() -> str:
    return (REPOSITORY / "data" / "hcmc_programme.toml").read_text("utf-8")


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


@pytest.fixture(scope="session")
def demonstration_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration city of seed 7 on 31 October 2026; a test that writes copies it."""
    folder = tmp_path_factory.mktemp("demonstration") / "store"
    tracker = Tracker.open(folder, create=True)
    demonstration_city.build(tracker, as_of=DEMONSTRATION_DAY, seed=7)
    tracker.store.close()
    return folder


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
