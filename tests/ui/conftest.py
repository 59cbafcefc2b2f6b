"""What the tests of the screens share: a demonstration city, the app served, a browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from hotspots import demonstration
from hotspots.tracker import Tracker

REPOSITORY = Path(__file__).parents[2]
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
DAY = date(2026, 10, 31)


@pytest.fixture(scope="session")
def built_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration city, built once; tests that write copy it (`city`)."""
    folder = tmp_path_factory.mktemp("city") / "store"
    tracker = Tracker.open(folder, create=True)
    demonstration.build(tracker, as_of=DAY)
    tracker.store.close()
    return folder


@pytest.fixture
def city(built_city: Path, tmp_path: Path) -> Path:
    """A demonstration city of one's own."""
    return Path(shutil.copytree(built_city, tmp_path / "store"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed (apt install chromium)")
    expect.set_options(timeout=45_000)  # two busy cores
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_OPTIONS)
        yield started
        started.close()


@contextmanager
def _served(store: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://localhost:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    server = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"HOTSPOTS_STORE": str(store), "HOTSPOTS_LANG": "vi"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError("the server did not start within a minute")


@pytest.fixture
def serve() -> Callable[[Path], "contextmanager[str]"]:
    """Serve a store: `with serve(store) as address`."""
    return _served
