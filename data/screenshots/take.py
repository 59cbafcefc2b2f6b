"""Take the README's pictures from a fresh demonstration city: `make screenshots`."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import date
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from hotspots import demonstration
from hotspots.tracker import Tracker

HERE = Path(__file__).parent
DAY = date(2026, 10, 31)
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WARD = "26740"


def main() -> None:
    """Build the city, serve it, and save the pictures beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker.open(folder, create=True)
        demonstration.build(tracker, as_of=DAY)
        tracker.store.close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=HERE.parents[1],
            env=os.environ | {"HOTSPOTS_STORE": folder},
        )
        try:
            _wait_for(f"http://localhost:{port}/_stcore/health")
            _take(f"http://localhost:{port}")
        finally:
            server.terminate()


def _wait_for(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address, timeout=2).close()  # noqa: S310 - our own server
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the app did not start")


def _take(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=OPTIONS)
        page = browser.new_page(viewport={"width": 1440, "height": 960})
        page.set_default_timeout(60_000)
        page.goto(address)
        page.wait_for_selector('.wardmap[data-ready="true"]')
        _save(page, "overview")
        page.locator(f'path[data-code="{WARD}"]').first.dispatch_event("click", {"bubbles": True})
        _save(page, "ward")
        page.get_by_role("link", name="Chỉ tiêu").click()
        _save(page, "targets")
        page.get_by_role("link", name="Nguy cơ tái phức tạp").click()
        page.get_by_role("heading", level=1).get_by_text("Nguy cơ tái phức tạp").wait_for()
        _save(page, "risk")
        page.get_by_role("link", name="Lựa chọn địa bàn").click()
        page.wait_for_selector('.wardmap[data-ready="true"]')
        _save(page, "selection")
        page.get_by_role("link", name="Ranh giới").click()
        page.get_by_role("heading", level=1).get_by_text("Ranh giới").wait_for()
        _save(page, "boundaries")
        browser.close()


def _save(page: Page, name: str) -> None:
    page.wait_for_timeout(4000)
    page.screenshot(path=HERE / f"{name}.png")
    print(f"{name}.png")


if __name__ == "__main__":
    main()
