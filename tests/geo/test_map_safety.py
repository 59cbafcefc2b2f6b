"""No word a user can type runs on the server or in a browser, and the words are shown as typed."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import branca.element
import folium
import geopandas as gpd
import jinja2
import pytest
from shapely import box

import geo.maps
from geo.errors import GeoError
from geo.maps import MapClass, MapParts, escape_text, ward_map

# Harmless marks: a folder called "ran" on the server, window.ran in the browser.
RUNS_ON_SERVER = "{{ cycler.__init__.__globals__.os.mkdir(dict(ran=1)|first) }}"
RUNS_IN_TEMPLATE_LITERAL = "${window.ran=1}"

PAYLOADS = [
    "{{7*7}}",
    RUNS_ON_SERVER,
    "{% set x = 1 %}",
    "{% Tân",
    "a {{ b",
    "x {# y",
    "{% raw %}{{7*7}}",
    "{%- endmacro %}{{7*7}}",
    '"{{7*7}}"',
    "<img src=x onerror=window.ran=1>",
    "</script><script>window.ran=1</script>",
    "<!--<script>",
    "]]><script>window.ran=1</script>",
    RUNS_IN_TEMPLATE_LITERAL,
    "\\`;window.ran=1;//",
    "`+(window.ran=1)+`",
    "\\",
    "');window.ran=1;//",
    '");window.ran=1;//',
    "'-(window.ran=1)-'",
    "<svg onload=window.ran=1>",
    '<iframe srcdoc="<script>parent.ran=1</script>"></iframe>',
    "<a href=javascript:window.ran=1>x</a>",
    "javascript:window.ran=1",
    "<style>body{display:none}</style>",
    "</style><script>window.ran=1</script>",
    "![](https://example.invalid/x.png)",
    "<link rel=stylesheet href=https://example.invalid/x.css>",
    "<meta http-equiv=refresh content=0;url=https://example.invalid>",
    "&lt;img src=x onerror=window.ran=1&gt;",
    "\u2028window.ran=1\u2029",
    "__proto__",
    "Phường Hiệp Bình",
]

LOWER, UPPER = (106.4, 10.4), (106.6, 10.6)


def _wards(text: str) -> gpd.GeoDataFrame:
    """Two wards; every word of the first, its code and the names of its columns are the payload."""
    return gpd.GeoDataFrame(
        {
            "code": [text, "00002"],
            "name": [text, "Hai"],
            "kind": [text, "xa"],
            f"status {text}": [text, "other"],
            f"extra {text}": [text, None],
        },
        geometry=[box(106, 10, 106.5, 10.5), box(106.5, 10, 107, 10.5)],
        crs="EPSG:4326",
    )


def _map(text: str) -> MapParts:
    """The map with the payload in every place a word can stand."""
    return ward_map(
        _wards(text),
        f"status {text}",
        [MapClass(text, f"class {text}", "#1b7f5c", "●"), MapClass("other", "b", "#d97706", "<")],
        tooltip={"name": f"label {text}", "kind": "kind", f"extra {text}": text, "code": "code"},
        legend_title=f"title {text}",
        notice=f"notice {text}",
    )


def _page(parts: MapParts) -> str:
    scripts = "".join(f"<script>{script}</script>" for script in parts.scripts)
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f"<style>{parts.css}</style></head><body>{parts.html}{scripts}</body></html>"
    )


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def branca_as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branca.element, "Template", jinja2.Template)


@pytest.fixture
def without_literal_renderer(branca_as_shipped: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geo.maps, "_install_literal_renderer", lambda: None)


@pytest.fixture
def without_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geo.maps, "escape_text", str)


# --- on the server


@pytest.mark.usefixtures("branca_as_shipped")
@pytest.mark.parametrize("text", PAYLOADS)
def test_nothing_runs_on_the_server(text: str, tmp_path: Path) -> None:
    parts = _map(text)
    assert list(tmp_path.iterdir()) == []
    written = parts.html + parts.scripts[1]
    assert escape_text(text) in parts.html
    assert "{{" not in written
    assert "{%" not in written
    assert "</script" not in parts.scripts[1]


@pytest.mark.usefixtures("without_literal_renderer")
@pytest.mark.parametrize("text", PAYLOADS)
def test_the_escape_alone_keeps_the_server_safe(text: str, tmp_path: Path) -> None:
    _map(text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("branca_as_shipped", "without_escape")
@pytest.mark.parametrize("text", [text for text in PAYLOADS if "{" in text])
def test_the_literal_renderer_alone_keeps_the_server_safe(text: str, tmp_path: Path) -> None:
    _map(text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_literal_renderer", "without_escape")
def test_of_the_test_without_safeguards_the_payload_does_run_on_the_server(tmp_path: Path) -> None:
    with contextlib.suppress(FileExistsError):  # it runs in several places, and the first one wins
        _map(RUNS_ON_SERVER)
    assert [path.name for path in tmp_path.iterdir()] == ["ran"]
    with pytest.raises(jinja2.TemplateSyntaxError):
        _map("{% Tân")


@pytest.mark.usefixtures("branca_as_shipped")
def test_text_given_to_branca_stays_text_after_the_first_map() -> None:
    assert branca.element.Element("{{7*7}}").render() == "49"
    _map("x")
    assert branca.element.Element("{{7*7}}").render() == "{{7*7}}"
    assert folium.Popup("{{7*7}}").script.render() == ""


@pytest.mark.usefixtures("branca_as_shipped")
def test_a_branca_that_builds_its_templates_elsewhere_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(branca.element, "Template")
    with pytest.raises(GeoError) as refused:
        _map("x")
    assert refused.value.reason == "renderer_unknown"


@pytest.mark.parametrize(
    "colour", ["red", "#12345", "#1234567", "#12345g", "</script>", "#123456\n", "{{7*7}}", ""]
)
def test_a_colour_is_six_hexadecimal_digits(colour: str) -> None:
    with pytest.raises(GeoError) as refused:
        MapClass("a", "a", colour, "")
    assert refused.value.reason == "colour_not_hex"


@pytest.mark.parametrize("symbol", [RUNS_ON_SERVER, "abcd", "\n", "\u2028"])
def test_a_symbol_is_one_short_sign(symbol: str) -> None:
    with pytest.raises(GeoError) as refused:
        MapClass("a", "a", "#123456", symbol)
    assert refused.value.reason == "symbol_too_long"


# --- in the browser


def _tooltip(page: Any) -> str:
    """What the tooltip of the first ward says."""
    page.locator("path.leaflet-interactive").first.hover()
    text: str = page.locator(".leaflet-tooltip").inner_text()
    return text


@pytest.mark.browser
@pytest.mark.parametrize("text", PAYLOADS)
def test_nothing_runs_in_the_browser_and_the_words_are_shown(
    text: str, open_page: Callable[[str], Any]
) -> None:
    page = open_page(_page(_map(text)))
    tooltip = _tooltip(page)
    assert page.evaluate("window.ran") is None
    assert page.seen == []
    assert page.locator(".ward-map iframe, .ward-map img, .ward-map script").count() == 0
    words = _squeezed(text)
    assert _squeezed(page.locator(".ward-legend").inner_text()).startswith(f"title{words}")
    assert f"class{words}" in _squeezed(page.locator(".ward-legend").inner_text())
    assert _squeezed(page.locator(".ward-notice").inner_text()) == f"notice{words}"
    assert _squeezed(tooltip) == f"label{words}{words}kind{words}{words}{words}code{words}"


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.browser
@pytest.mark.usefixtures("without_escape")
@pytest.mark.parametrize("text", ["<img src=x onerror=window.ran=1>", "<svg onload=window.ran=1>"])
def test_of_the_test_without_the_escape_the_payload_does_run_in_the_browser(
    text: str, open_page: Callable[[str], Any]
) -> None:
    page = open_page(_page(_map(text)))
    _tooltip(page)
    assert page.evaluate("window.ran") == 1


@pytest.mark.browser
def test_the_escape_holds_in_a_template_literal(open_page: Callable[[str], Any]) -> None:
    """folium's popups stand between backquotes; html.escape leaves those and ${} alone."""

    def in_template_literal(text: str) -> str:
        return f"<script>document.body.insertAdjacentHTML('beforeend', `<p>{text}</p>`)</script>"

    escaped = "".join(in_template_literal(escape_text(text)) for text in PAYLOADS)
    page = open_page(f"<!doctype html><body>{escaped}</body>")
    assert page.evaluate("window.ran") is None
    assert page.seen == []
    assert page.locator("p").all_text_contents() == PAYLOADS

    page = open_page(f"<!doctype html><body>{in_template_literal(RUNS_IN_TEMPLATE_LITERAL)}</body>")
    assert page.evaluate("window.ran") == 1
