"""What the tests of geo share: small wards, the system's Chromium, the real data if it is there."""

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from playwright.sync_api import Browser
from shapely import box

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def edition() -> datetime.date:
    return datetime.date(2025, 7, 1)


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def four_units() -> gpd.GeoDataFrame:
    """
    00003 00004    four squares of .1 degree, corner at 106 E 10 N
    00001 00002
    """
    return gpd.GeoDataFrame(
        {
            "code": ["00001", "00002", "00003", "00004"],
            "name": ["Phường 1", "Hiệp Bình", "Xã Thạnh An", "Đặc khu Côn Đảo"],
        },
        geometry=[
            box(106 + column / 10, 10 + row / 10, 106.1 + column / 10, 10.1 + row / 10)
            for row in (0, 1)
            for column in (0, 1)
        ],
        crs="EPSG:4326",
    )


@pytest.fixture
def shared_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data is not at {folder.name!r} beside the repository")
    return folder


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Opens a page from a file; what it does that a report must not do is in ``page.seen``."""
    context = browser.new_context(viewport={"width": 1000, "height": 700})

    def open_(html: str) -> Any:
        page = context.new_page()
        page.seen = []
        page.on("console", lambda message: page.seen.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: page.seen.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (page.seen.append("dialog"), dialog.dismiss()))
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")

        def asked(request: Any) -> None:
            if request.url != file.as_uri() and not request.url.startswith("data:"):
                page.seen.append(f"request: {request.url}")

        page.on("request", asked)
        page.goto(file.as_uri())
        page.wait_for_timeout(150)
        return page

    yield open_
    context.close()
