"""How long from a click on a ward to its panel: default ``st_folium`` and our live map.

Starts two Streamlit servers in turn, each showing the same wards with the same panel beside them
(``map_click/page_folium.py``, ``map_click/page_live.py``), clicks wards in Chromium with the mouse,
and takes the time in the browser from the click to the moment the panel shows the ward's name and
number. Both servers call ``gc.freeze()`` once after start-up. Times depend on the machine and are
comparable only with each other; the last column is the point.

    python benchmarks/map_click.py [--clicks 12]
"""

import argparse
import hashlib
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import shapely
from playwright.sync_api import ElementHandle, Frame, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PAGES = Path(__file__).resolve().with_suffix("")
REAL_WARDS = ROOT.parent / "shared" / "data" / "hcmc_wards_2025_s30.geojson"
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WARM_UP_CLICKS = 2


@dataclass
class Measurement:
    """What one way of showing the map took."""

    way: str
    first_draw_s: float = 0.0
    click_ms: list[float] = field(default_factory=list)
    click_bytes: list[int] = field(default_factory=list)


def main() -> None:
    """Measure both ways and print one table."""
    options = _options()
    with tempfile.TemporaryDirectory() as directory:
        wards, source = _wards()
        geometry = _write(wards, Path(directory) / "wards")
        print(f"{len(wards['features'])} wards, {geometry.stat().st_size / 1e6:.1f} MB: {source}")
        print(f"{options.clicks} clicks each after {WARM_UP_CLICKS} to warm up\n")
        usual = _measure("st_folium(m), default", "page_folium.py", geometry, wards, options.clicks)
        ours = _measure("live_map", "page_live.py", geometry, wards, options.clicks)
    _print_table(usual, ours)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=12)
    return parser.parse_args()


def _print_table(usual: Measurement, ours: Measurement) -> None:
    print(f"{'way':<24}{'first drawn':>13}{'click to panel':>16}{'slowest':>10}{'per click':>12}")
    for measured in (usual, ours):
        print(
            f"{measured.way:<24}"
            f"{measured.first_draw_s:>11.1f} s"
            f"{median(measured.click_ms):>13.0f} ms"
            f"{max(measured.click_ms):>7.0f} ms"
            f"{median(measured.click_bytes) / 1e3:>9.1f} kB"
        )
    ratio = median(usual.click_ms) / median(ours.click_ms)
    print(f"\nclick to panel: live_map is {ratio:.1f} times faster")


# ---- the wards -----------------------------------------------------------------------------


def _wards() -> tuple[dict, str]:
    """Return wards as both pages want them, and where they come from."""
    if REAL_WARDS.exists():
        collection = json.loads(REAL_WARDS.read_text(encoding="utf-8"))
        return _prepared(collection["features"]), REAL_WARDS.name
    return _prepared(_grid()), "synthetic grid, 152 vertices each (no real boundaries found)"


def _prepared(features: list[dict]) -> dict:
    wards = []
    for number, feature in enumerate(features):
        properties = feature["properties"]
        inside = shapely.geometry.shape(feature["geometry"]).representative_point()
        code = str(feature.get("id") or properties.get("code") or number)
        wards.append(
            {
                "type": "Feature",
                "id": code,
                "properties": {
                    "name": f"{properties.get('name', code)} ({code})",
                    "kind": properties.get("type", ""),
                    "incidents": zlib.crc32(code.encode()) % 900,
                    "at": [round(inside.x, 5), round(inside.y, 5)],
                },
                "geometry": feature["geometry"],
            }
        )
    return {"type": "FeatureCollection", "first_view": _middle(wards), "features": wards}


def _middle(wards: list[dict]) -> list[list[float]]:
    """Return the corners (south-west, north-east) of the box around all but the outermost wards."""
    lons = sorted(ward["properties"]["at"][0] for ward in wards)
    lats = sorted(ward["properties"]["at"][1] for ward in wards)
    few = len(wards) // 50
    return [[lats[few], lons[few]], [lats[-1 - few], lons[-1 - few]]]


def _grid(columns: int = 14, rows: int = 12, size: float = 0.05, points: int = 38) -> list[dict]:
    """Return a coverage of wavy squares: neighbours share their whole border."""

    def corner_to(column: int, row: int, across: bool) -> list[list[float]]:
        """Return the points from one corner of the grid to (not including) the next."""
        way = []
        for part in (point / points for point in range(points)):
            wave = 0.08 * math.sin(2 * math.pi * part)
            x, y = (column + part, row + wave) if across else (column + wave, row + part)
            way.append([round(106 + x * size, 6), round(10 + y * size, 6)])
        return way

    def ring(column: int, row: int) -> list[list[float]]:
        below = corner_to(column, row, across=True)
        right = corner_to(column + 1, row, across=False)
        above = [*corner_to(column, row + 1, across=True), corner_to(column + 1, row + 1, True)[0]]
        left = [*corner_to(column, row, across=False), above[0]]
        return below + right + above[:0:-1] + left[::-1]

    return [
        {
            "properties": {"code": f"{column:02}{row:02}", "name": f"Ward {column}-{row}"},
            "geometry": {"type": "Polygon", "coordinates": [ring(column, row)]},
        }
        for column in range(columns)
        for row in range(rows)
    ]


def _write(wards: dict, directory: Path) -> Path:
    directory.mkdir()
    content = json.dumps(wards, ensure_ascii=False, separators=(",", ":")).encode()
    file = directory / f"wards-{hashlib.sha256(content).hexdigest()[:12]}.geojson"
    file.write_bytes(content)
    return file


# ---- the measurement -----------------------------------------------------------------------


def _measure(way: str, page_file: str, geometry: Path, wards: dict, clicks: int) -> Measurement:
    measured = Measurement(way)
    with _server(PAGES / page_file, geometry) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1400, "height": 800})
        travelled = _count_websocket_bytes(page)
        started = time.perf_counter()
        page.goto(address)
        maps = _LiveMap(page) if "live" in page_file else _FoliumMap(page, wards)
        measured.first_draw_s = time.perf_counter() - started
        for ward in _evenly(wards["features"], maps, clicks + WARM_UP_CLICKS):
            _settle(page)
            sent_before = sum(travelled)
            milliseconds = _click(page, maps, ward)
            _settle(page)
            measured.click_ms.append(milliseconds)
            measured.click_bytes.append(sum(travelled) - sent_before)
        browser.close()
    del measured.click_ms[:WARM_UP_CLICKS], measured.click_bytes[:WARM_UP_CLICKS]
    return measured


@contextmanager
def _server(script: Path, geometry: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "MAP_CLICK_GEOMETRY": str(geometry),
        "MAP_CLICK_SERVER": address,
    }
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    settings = {
        "server.address": "127.0.0.1",
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    command += [f"--{name}={value}" for name, value in settings.items()]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as server:
        try:
            _wait_for(f"{address}/_stcore/health", server)
            yield address
        finally:
            server.terminate()


def _wait_for(address: str, server: subprocess.Popen) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise SystemExit(f"The Streamlit server stopped with code {server.returncode}.")
        try:
            urllib.request.urlopen(address, timeout=1).close()  # noqa: S310 (our own server)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("The Streamlit server did not start within 30 seconds.")


def _count_websocket_bytes(page: Page) -> list[int]:
    """Return a list that grows by the size of every message between browser and server."""
    sizes: list[int] = []

    def listen(websocket) -> None:
        for event in ("framereceived", "framesent"):
            websocket.on(event, lambda message: sizes.append(len(message)))

    page.on("websocket", listen)
    return sizes


def _settle(page: Page) -> None:
    page.wait_for_timeout(500)
    page.wait_for_selector('[data-test-script-state="notRunning"]')
    page.wait_for_timeout(300)


# A point of the path that is visible and under nothing else.
_VISIBLE_POINT = """(path) => {
  const box = path.getBoundingClientRect();
  const toPath = path.getScreenCTM().inverse();
  for (const across of [.5, .4, .6, .3, .7, .2, .8]) for (const down of [.5, .4, .6, .3, .7]) {
    const point = new DOMPoint(box.x + box.width * across, box.y + box.height * down);
    if (path.isPointInFill(point.matrixTransform(toPath))
        && path.getRootNode().elementFromPoint(point.x, point.y) === path)
      return [point.x, point.y];
  }
  return null;
}"""
_STAMP_CLICKS = """() => document.addEventListener("click", () => {
  top.clickedAt = performance.timeOrigin + performance.now();
}, true)"""
_STAMP_PANEL = """([name, number]) => {
  const panel = () => document.querySelector(".st-key-panel")?.textContent ?? "";
  top.shown = new Promise((resolve) => {
    const watch = new MutationObserver(() => {
      if (!panel().includes(name) || !panel().includes(number)) return;
      watch.disconnect();
      resolve(performance.timeOrigin + performance.now());
    });
    watch.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}"""


class _FoliumMap:
    """The map of ``st_folium``: an iframe whose paths stand in the order of the wards."""

    def __init__(self, page: Page, wards: dict) -> None:
        frame = page.wait_for_selector("iframe").content_frame()
        paths = "#map_div .leaflet-overlay-pane path.leaflet-interactive"
        count = len(wards["features"])
        frame.wait_for_function(f"document.querySelectorAll('{paths}').length >= {count}")
        self._frame: Frame = frame
        self._page = page
        codes = [ward["id"] for ward in wards["features"]]
        self._paths = dict(zip(codes, frame.query_selector_all(paths), strict=True))
        frame.evaluate(_STAMP_CLICKS)

    def point(self, code: str) -> tuple[float, float] | None:
        """Return where to press the mouse for this ward, None when it cannot be seen."""
        point = self._paths[code].evaluate(_VISIBLE_POINT)
        corner = self._page.query_selector("iframe").bounding_box()
        return point and (corner["x"] + point[0], corner["y"] + point[1])


class _LiveMap:
    """Our map: paths carry the code of their ward."""

    def __init__(self, page: Page) -> None:
        page.wait_for_selector('.wardmap[data-ready="true"]')
        self._page = page
        page.evaluate(_STAMP_CLICKS)

    def point(self, code: str) -> tuple[float, float] | None:
        """Return where to press the mouse for this ward, None when it cannot be seen."""
        path: ElementHandle | None = self._page.query_selector(f'path[data-code="{code}"]')
        return path and path.evaluate(_VISIBLE_POINT)


def _evenly(features: list[dict], maps: _FoliumMap | _LiveMap, count: int) -> list[dict]:
    """Return wards from all over the map that a mouse can reach, the same for both ways."""
    reachable = [ward for ward in features if maps.point(ward["id"])]
    step = max(1, len(reachable) // count)
    return reachable[::step][:count]


def _click(page: Page, maps: _FoliumMap | _LiveMap, ward: dict) -> float:
    """Click the ward and return the milliseconds until the panel shows it."""
    shown = ward["properties"]
    page.evaluate(_STAMP_PANEL, [shown["name"], str(shown["incidents"])])
    page.mouse.click(*maps.point(ward["id"]))
    return page.evaluate("top.shown.then((shown) => shown - top.clickedAt)")


if __name__ == "__main__":
    main()
