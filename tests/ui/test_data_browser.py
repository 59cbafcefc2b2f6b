"""Bringing files in, in a real browser: the whole way, hostile names, a reader that is killed."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from hotspots.text import texts
from hotspots.tracker import Tracker

pytestmark = pytest.mark.browser
Serve = Callable[[Path], AbstractContextManager[str]]
SAY = texts("vi")
NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
HOSTILE = {
    "00001": "<img src=x onerror=window.ran=1>",
    "00002": "{{7*7}}",
    "00003": "</script><script>window.ran=1</script>",
    "00004": "=cmd|'/c calc'!A1",
}
CORNERS = {"00001": (106, 10), "00002": (106.1, 10), "00003": (106, 10.1), "00004": (106.1, 10.1)}


@pytest.fixture
def hostile_city(tmp_path: Path, programme_text: str) -> Iterator[Tracker]:
    """
    3 4    four square wards whose names try to be code
    1 2
    """
    tracker = Tracker.open(tmp_path / "store", create=True)
    tracker.add_programme(programme_text, NOW)
    features = []
    for code, (lon, lat) in CORNERS.items():
        corners = [(0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1), (0, 0)]
        ring = [[round(lon + x, 3), round(lat + y, 3)] for x, y in corners]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        properties = {"code": code, "name": HOSTILE[code]}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    wards = tmp_path / "wards.geojson"
    wards.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    tracker.add_boundaries(wards, date(2025, 7, 1), NOW)
    yield tracker
    tracker.store.close()


@contextmanager
def data_page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, opened by somebody with a session of the own."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.get_by_role("link", name=SAY("page.data"), exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SAY("data.title"))
    settled(page)
    try:
        yield page
    finally:
        context.close()


def settled(page: Page) -> None:
    """Wait until the script has run to its end."""
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )


def bring(page: Page, file: Path) -> None:
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(file)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=SAY(name)).click()


def test_a_file_of_hostile_names_goes_from_upload_to_receipt_and_runs_nothing(
    hostile_city: Tracker, serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    names = list(HOSTILE.values())
    rows = [
        f'106.0{n + 1},10.0{n + 1},2{n}/10/2025,"{name}","{name}"' for n, name in enumerate(names)
    ]
    rows += [
        "106.15,10.15,20/10/2025,Ma túy,x",
        "109.90,12.90,20/10/2025,Ma túy,x",
        "106.23,10.10,20/10/2025,Ma túy,x",
    ]
    file = tmp_path / "<img src=x onerror=window.ran=1>.csv"
    header = f'Kinh độ,Vĩ độ,Ngày,Loại vụ việc,"{HOSTILE["00003"]}"'
    file.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    with serve(hostile_city.store.root) as address, data_page(browser, address) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.on("request", lambda request: _note_image(request.url, errors))
        bring(page, file)
        expect(page.get_by_text(SAY("data.kind_and_columns"))).to_be_visible()
        settled(page)
        for name in names:
            words = page.get_by_test_id("stMarkdownContainer").get_by_text(name, exact=True)
            expect(words.first).to_be_visible()
        press(page, "data.try")
        expect(page.get_by_text(SAY("data.tried"))).to_be_visible()
        settled(page)
        drawn = page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first
        expect(drawn).to_be_visible()
        box = drawn.bounding_box()
        assert box is not None
        for x in range(2, 9):  # over the wards: their names stand in the tooltip
            page.mouse.move(box["x"] + box["width"] * x / 10, box["y"] + box["height"] * 0.6)
        assert hostile_city.imports() == []
        with page.expect_download() as download:
            press(page, "data.download_rejected")
        rejected = pd.read_excel(download.value.path(), dtype=str)
        assert set(names) <= set(rejected["Loại vụ việc"])
        press(page, "data.confirm")
        expect(page.get_by_text(SAY("data.receipt"), exact=True)).to_be_visible()
        settled(page)
        (batch,) = hostile_city.imports()
        assert batch.accepted == 1
        expect(page.get_by_text(batch.file_sha256)).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert page.evaluate("window.ran") is None
        assert errors == []


def _note_image(url: str, errors: list[str]) -> None:
    if re.search(r"/x(?:$|\?)", url):
        errors.append(url)


def test_columns_and_words_of_a_file_are_chosen_by_hand_and_come_back_as_a_mapping(
    hostile_city: Tracker, serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "so-vu.csv"
    file.write_text("A;B;C;D\n00001;10/2025;Ma túy;4\n00002;10/2025;Trộm vặt;7\n", "utf-8")
    with serve(hostile_city.store.root) as address, data_page(browser, address) as page:
        bring(page, file)
        expect(page.get_by_text(SAY("data.kind_and_columns"))).to_be_visible()
        settled(page)
        expect(page.get_by_role("button", name=SAY("data.try"))).to_be_disabled()
        choose(page, SAY("data.kind"), SAY("file_kind.counts"))
        for role, column in {"ward": "A", "month": "B", "category": "C", "count": "D"}.items():
            field = SAY(f"field.{role}")
            choose(page, f"{field[:1].upper()}{field[1:]} *", column)
        choose(page, "Trộm vặt", "Trộm cắp tài sản (theft)")
        with page.expect_download() as download:
            press(page, "data.save_mapping")
        mapping = Path(download.value.path()).read_text("utf-8")
        assert '"Trộm vặt" = "theft"' in mapping
        press(page, "data.try")
        expect(page.get_by_text(SAY("data.none_rejected"))).to_be_visible()
        press(page, "data.confirm")
        expect(page.get_by_text(SAY("data.receipt"), exact=True)).to_be_visible()
        press(page, "data.another")
        settled(page)
        saved = tmp_path / "doi-chieu.toml"
        saved.write_text(mapping, "utf-8")
        page.get_by_text(SAY("data.use_mapping")).click()
        page.get_by_test_id("stFileUploaderDropzoneInput").nth(1).set_input_files(saved)
        expect(page.get_by_text(SAY("file_kind.counts")).first).to_be_visible()
        settled(page)
        bring(page, file)
        expect(page.get_by_role("button", name=SAY("data.try"))).to_be_enabled()
    assert int(hostile_city.panel(hostile_city.editions()[-1])["count"].sum()) == 11


def choose(page: Page, label: str, option: str) -> None:
    box = page.get_by_test_id("stMain").get_by_role("combobox", name=label, exact=True)
    box.scroll_into_view_if_needed()  # a list that is open closes when the page is scrolled
    page.wait_for_timeout(500)
    box.click()
    page.get_by_role("option", name=option, exact=True).click()
    expect(box).to_have_value(option)
    page.wait_for_timeout(500)  # until the run that the choice causes has begun
    settled(page)


def test_a_reader_that_is_killed_is_a_message_and_others_are_answered(
    hostile_city: Tracker, serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    large, small = tmp_path / "lon.csv", tmp_path / "nho.csv"
    line = "00001,10/2025,Ma túy,4," + "x" * 60 + "\n"
    large.write_text("Mã phường,Tháng,Loại vụ việc,Số vụ,Ghi chú\n" + line * 400_000, "utf-8")
    small.write_text("Mã phường,Tháng,Loại vụ việc,Số vụ\n00001,10/2025,Ma túy,4\n", "utf-8")
    with (
        serve(hostile_city.store.root) as address,
        data_page(browser, address) as first,
        data_page(browser, address) as second,
    ):
        with killing_the_reader_of(address) as killed:
            bring(first, large)
            refusal = first.get_by_test_id("stAlert").filter(has_text="lon.csv")
            expect(refusal).to_be_visible()
        assert killed
        bring(second, small)
        expect(second.get_by_text(SAY("data.kind_and_columns"))).to_be_visible()
        settled(second)
        press(second, "data.try")
        expect(second.get_by_text(SAY("data.none_rejected"))).to_be_visible()
        bring(first, small)
        expect(first.get_by_text(SAY("data.kind_and_columns"))).to_be_visible()
        for page in (first, second):
            expect(page.get_by_test_id("stException")).to_have_count(0)


@contextmanager
def killing_the_reader_of(address: str) -> Iterator[list[int]]:
    """Kill the first process that the server starts meanwhile: the one that reads a file."""
    server = _server_at(address.rpartition(":")[2])
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set() and not killed:
            for child in _children_of(server):
                os.kill(child, signal.SIGKILL)
                killed.append(child)
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield killed
    finally:
        over.set()
        watcher.join()


def _server_at(port: str) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[-3:-1] == ["--server.port", port]:
            return int(process.name)
    raise AssertionError(f"no server at port {port}")


def _children_of(parent: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(process.name))
    return found
