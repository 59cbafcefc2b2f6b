"""The live map in a real browser, served by Streamlit under a base path.

C D     four unit squares with hostile names, and far to the south
A B     the island E
"""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from hotspots.ui.live_map import MapClass, live_map

HOSTILE = {
    "A": '<img src=x onerror="window.ran=1">',
    "B": "{{7*7}}{{ window.ran = 1 }}",
    "C": "</script><script>window.ran=1</script>",
    "D": "${window.ran=1}`${alert(1)}`",
    "E": "Đặc khu",
}
CORNERS = {"A": (106, 10), "B": (107, 10), "C": (106, 11), "D": (107, 11), "E": (106, 4)}

APP = """
import json
from pathlib import Path

import streamlit as st

from hotspots.ui.live_map import MapClass, MapTexts, live_map

HERE = Path(__file__).parent
NAMES = json.loads((HERE / "names.json").read_text())
BAD = NAMES["A"]
CLASSES = [MapClass("hot", f"Hot {BAD}", "#b5443c", "▲"), MapClass("calm", "Calm", "", "")]
TEXTS = MapTexts("Wards", "In", "Out", "Fit the city", "Fit all", "The map cannot be drawn.")


def show(geometry):
    clicks = st.session_state.setdefault("clicks", [])
    if st.button("Swap"):
        st.session_state["hot"] = "B"
    if st.button("Choose D"):
        st.session_state["chosen"] = "D"
    st.button("Rerun")
    clicked = live_map(
        "wards",
        geometry=geometry,
        values={st.session_state.get("hot", "A"): "hot"},
        classes=CLASSES,
        details={code: f"detail {name}" for code, name in NAMES.items()},
        selected=st.session_state.get("chosen"),
        notice=f"Notice {BAD}",
        legend_title=f"Legend {BAD}",
        texts=TEXTS,
    )
    if clicked:
        clicks.append(clicked)
        st.session_state["chosen"] = clicked
    with st.container(key="panel"):
        st.text("Clicks: " + " ".join(clicks))


def wards():
    show(HERE / "wards" / "wards-1.geojson")


def broken():
    show(HERE / "wards" / "missing.geojson")


def other():
    st.text("Nothing here")


st.navigation([
    st.Page(st.fragment(wards), title="Wards", url_path="wards", default=True),
    st.Page(wards, title="Whole", url_path="whole"),
    st.Page(broken, title="Broken", url_path="broken"),
    st.Page(other, title="Other", url_path="other"),
]).run()
"""


def test_a_value_outside_the_classes_is_refused_with_the_classes_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'26740' is in class 'hto'.*'hot', 'calm'"):
        live_map(
            "wards",
            geometry=tmp_path / "wards.geojson",
            values={"26740": "hto"},
            classes=[MapClass("hot", "Hot", "#b5443c", "▲"), MapClass("calm", "Calm", "", "")],
        )


@pytest.mark.browser
def test_wards_legend_and_notice_are_drawn(visit: "Visit") -> None:
    page = visit.page
    assert page.locator("path[data-code]").count() == 5
    expect(page.locator("path[data-class=hot]")).to_have_attribute("data-code", "A")
    expect(page.locator(".wardmap-symbol")).to_have_text(["▲"])
    expect(page.locator(".wardmap-legend-label")).to_have_text([f"Hot {HOSTILE['A']}", "Calm"])
    expect(page.locator(".wardmap-notice")).to_have_text(f"Notice {HOSTILE['A']}")
    expect(page.locator(".wardmap-canvas")).to_have_attribute("tabindex", "0")


@pytest.mark.browser
@pytest.mark.parametrize("title", ["Wards", "Whole"])
def test_a_click_returns_the_code_and_outlines_the_ward(visit: "Visit", title: str) -> None:
    visit.open(title)
    visit.ward("B").click()
    expect(visit.selected("B")).to_be_visible()
    visit.sees_clicks("B")
    visit.ward("C").click()
    visit.sees_clicks("B C")
    expect(visit.selected("C")).to_be_visible()


@pytest.mark.browser
def test_each_click_is_returned_once_also_on_the_same_ward(visit: "Visit") -> None:
    visit.ward("A").click()
    visit.sees_clicks("A")
    visit.press("Rerun")
    visit.sees_clicks("A")
    visit.ward("A").click()
    visit.sees_clicks("A A")


@pytest.mark.browser
def test_a_selection_made_elsewhere_moves_the_outline(visit: "Visit") -> None:
    visit.ward("A").click()
    visit.sees_clicks("A")
    visit.press("Choose D")
    expect(visit.selected("D")).to_be_visible()
    visit.ward("B").click()
    visit.press("Choose D")
    expect(visit.selected("D")).to_be_visible()


@pytest.mark.browser
def test_new_values_restyle_in_place_and_nothing_is_fetched_again(visit: "Visit") -> None:
    fetched = list(visit.component_requests)
    assert sum("wards-1.geojson" in url for url in fetched) == 1
    before = visit.ward("B").get_attribute("fill")
    visit.page.evaluate("path => { path.kept = true }", visit.ward("B").element_handle())
    visit.press("Swap")
    expect(visit.page.locator("path[data-class=hot]")).to_have_attribute("data-code", "B")
    assert visit.ward("B").get_attribute("fill") == "#b5443c" != before
    assert visit.ward("B").evaluate("path => path.kept")
    visit.ward("C").click()
    visit.sees_clicks("C")
    visit.open("Other")
    visit.open("Wards")
    assert visit.component_requests == fetched


@pytest.mark.browser
def test_the_view_survives_reruns_and_a_visit_to_another_page(visit: "Visit") -> None:
    visit.page.get_by_role("button", name="In", exact=True).click()
    visit.page.wait_for_timeout(500)
    box = visit.ward("A").bounding_box()
    visit.press("Swap")
    expect(visit.page.locator("path[data-class=hot]")).to_have_attribute("data-code", "B")
    assert visit.ward("A").bounding_box() == box
    visit.open("Other")
    visit.open("Wards")
    expect(visit.page.locator("path[data-class=hot]")).to_have_attribute("data-code", "B")
    assert visit.ward("A").bounding_box()["width"] == pytest.approx(box["width"], abs=1)


@pytest.mark.browser
def test_a_far_island_does_not_shrink_the_first_view(visit: "Visit") -> None:
    city = visit.ward("A").bounding_box()["width"]
    visit.page.get_by_role("button", name="Fit all").click()
    assert visit.ward("A").bounding_box()["width"] < city / 2
    visit.page.get_by_role("button", name="Fit the city").click()
    assert visit.ward("A").bounding_box()["width"] == pytest.approx(city, abs=1)


@pytest.mark.browser
def test_hostile_names_are_shown_as_they_are_written_and_nothing_runs(visit: "Visit") -> None:
    visit.page.get_by_role("button", name="Fit all").click()
    tooltip = visit.page.locator(".wardmap-tooltip")
    for code, name in HOSTILE.items():
        visit.ward(code).hover()
        expect(tooltip.locator("strong")).to_have_text(name)
        expect(tooltip.locator(".wardmap-detail")).to_have_text(f"detail {name}")
    assert visit.page.evaluate("window.ran") is None


@pytest.mark.browser
def test_geometry_that_cannot_be_loaded_leaves_a_message(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("link", name="Broken").click()
    expect(page.locator(".wardmap-message")).to_have_text("The map cannot be drawn.")
    page.close()


@dataclass
class Visit:
    """A browser page with the map drawn, and what it asked for on the way."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def component_requests(self) -> list[str]:
        return [url for url in self.requests if "/component/" in url]

    def ward(self, code: str):
        return self.page.locator(f"path[data-code={code}]")

    def selected(self, code: str):
        return self.page.locator(f".wardmap[data-selected={code}]")

    def press(self, label: str) -> None:
        self.page.get_by_role("button", name=label).click()
        self._wait_for_the_script()

    def open(self, title: str) -> None:
        self.page.get_by_role("link", name=title, exact=True).click()
        if title == "Other":
            expect(self.page.get_by_text("Nothing here")).to_be_visible()
        else:
            expect(self.page.locator('.wardmap[data-ready="true"]')).to_be_visible()
        self._wait_for_the_script()

    def sees_clicks(self, codes: str) -> None:
        expect(self.page.locator(".st-key-panel")).to_have_text(re.compile(f"Clicks: {codes}$"))
        self._wait_for_the_script()

    def _wait_for_the_script(self) -> None:
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector('[data-test-script-state="notRunning"]')

    def note(self, request: Request) -> None:
        if not request.url.startswith(("blob:", "data:")):
            self.requests.append(request.url)


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """A fresh session. Afterwards: no request left the machine, nobody complained."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    visited = Visit(page)
    page.on("request", visited.note)
    page.on("dialog", lambda dialog: visited.complaints.append(f"dialog {dialog.message}"))
    page.on("pageerror", lambda error: visited.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            visited.complaints.append(message.text) if message.type == "error" else None
        ),
    )
    page.goto(address)
    visited.open("Wards")
    yield visited
    assert page.evaluate("window.ran") is None
    page.close()
    assert [url for url in visited.requests if not url.startswith("http://127.0.0.1:")] == []
    assert visited.complaints == []


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Streamlit server that shows the map."""
    directory = tmp_path_factory.mktemp("live_map")
    (directory / "app.py").write_text(APP, encoding="utf-8")
    (directory / "names.json").write_text(json.dumps(HOSTILE), encoding="utf-8")
    (directory / "wards").mkdir()
    (directory / "wards" / "wards-1.geojson").write_text(json.dumps(_wards()), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(directory / "app.py")]
    command += ["--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true"]
    command += ["--server.baseUrlPath=police", "--server.fileWatcherType=none"]
    command += ["--browser.gatherUsageStats=false"]
    root = Path(__file__).parents[2]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=root, stdout=quiet, stderr=quiet) as server:
        try:
            _wait_until_healthy(f"http://127.0.0.1:{port}/police/_stcore/health", server)
            yield f"http://127.0.0.1:{port}/police/"
        finally:
            server.terminate()


def _wait_until_healthy(url: str, server: subprocess.Popen) -> None:
    for _ in range(300):
        assert server.poll() is None, "the Streamlit server stopped"
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the Streamlit server did not start within 30 seconds")


def _wards() -> dict:
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": code,
                "properties": {"name": HOSTILE[code], "kind": "ward", "at": [x + 0.5, y + 0.5]},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1], [x, y]]],
                },
            }
            for code, (x, y) in CORNERS.items()
        ],
    }
