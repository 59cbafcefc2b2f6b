"""The live map of wards: drawn once in the browser, afterwards only values travel.

The map is a Streamlit component (v2) around Leaflet. Leaflet, our script and the geometry are files
behind an address (``streamlit.components.v1.declare_component`` makes the server hand out a
directory), because whatever is given to the component inline is sent again at every rerun: 0.4 MB
of Leaflet and 0.7 MB of wards for a city, against 1.3 kB per click now. The script keeps what it
fetched for as long as the browser page lives, so reruns, other days and changes of page fetch
nothing.

A click names the picture (colours, details, legend) that the browser has; when that is still the
right one, the answer leaves it out. The files need no login to be fetched: see ``geometry``.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st
from streamlit.components.v1 import declare_component
from xstatic.pkg import leaflet

_WARDMAP = Path(__file__).with_name("wardmap")

# The only script sent inline. It runs from a blob, so addresses are made relative to the page.
_LOADER = """
export default async function (component) {
  const { script, height, failed } = component.data;
  try {
    const wardmap = await import(new URL(script, document.baseURI).href);
    return wardmap.default(component);
  } catch (error) {
    console.warn("The script of the ward map could not be loaded.", error);
    const root = component.parentElement.querySelector(".wardmap");
    root.style.height = `${height}px`;
    root.textContent = failed;
  }
}
"""


@dataclass(frozen=True)
class MapClass:
    """A colour class of the live map.

    ``colour`` is a CSS colour; an empty one stands for the neutral tone of the theme. ``symbol`` is
    a short mark drawn on every ward of the class, for those who cannot tell the colours apart.
    """

    key: str
    label: str
    colour: str
    symbol: str


@dataclass(frozen=True)
class MapTexts:
    """The words on the map's buttons and what it says when it cannot be drawn."""

    label: str = ""
    zoom_in: str = ""
    zoom_out: str = ""
    fit_main: str = ""
    fit_all: str = ""
    failed: str = "⚠"
    fit_core: str = ""


_NO_TEXTS = MapTexts()


def live_map(
    key: str,
    *,
    geometry: Path,
    values: Mapping[str, str],
    classes: Sequence[MapClass],
    details: Mapping[str, str] | None = None,
    selected: str | None = None,
    notice: str = "",
    legend_title: str = "",
    height_px: int = 560,
    texts: MapTexts = _NO_TEXTS,
) -> str | None:
    """Draw the wards coloured by class and return the code just clicked (None otherwise).

    A click is returned once, in the run it causes; keep it in the session and pass it back as
    ``selected``. Inside a fragment only the fragment runs. The code comes from the browser, so look
    it up before using it.

    Parameters
    ----------
    key
        Names this map in the session; centre and zoom are remembered under it.
    geometry
        A GeoJSON file: feature id = ward code; properties ``name`` and ``at`` ([lon, lat] of the
        symbol). Its name must change with its content. Everything in its directory can be fetched
        by anybody who reaches the server, so the directory must hold nothing but such files.
    values
        Ward code -> key of its class. A ward not named here belongs to the last class.
    classes
        In the order of the legend.
    details
        Ward code -> one line below the name in the tooltip.
    selected
        Code of the ward to outline.
    notice
        A small banner on the map.
    """
    picture = _picture(values, classes, details or {}, notice, legend_title, texts)
    version = hashlib.blake2b(json.dumps(picture).encode(), digest_size=8).hexdigest()
    click = _last_click(key)
    answer = _component()(
        key=key,
        data={
            "key": key,
            "height": height_px,
            "failed": texts.failed,
            **_addresses(geometry),
            "version": version,
            "picture": None if click.get("version") == version else picture,
            "selected": _code(click) or selected,
            "answered": _answered(key, click),
        },
        on_click_change=_nothing_more,
    )
    return _code(answer.click)


def _picture(
    values: Mapping[str, str],
    classes: Sequence[MapClass],
    details: Mapping[str, str],
    notice: str,
    legend_title: str,
    texts: MapTexts,
) -> dict[str, Any]:
    """Return everything the map shows that is not geometry."""
    wards: dict[str, list[str]] = {map_class.key: [] for map_class in classes}
    for code, class_key in values.items():
        if class_key not in wards:
            raise ValueError(
                f"Ward {code!r} is in class {class_key!r}, which the map does not have. "
                f"Its classes are {', '.join(map(repr, wards))}."
            )
        wards[class_key].append(code)
    del wards[classes[-1].key]  # the class of every ward that is not named
    return {
        "classes": [asdict(map_class) for map_class in classes],
        "wards": wards,
        "details": dict(details),
        "notice": notice,
        "legend": legend_title,
        "texts": asdict(texts),
    }


def _addresses(geometry: Path) -> dict[str, Any]:
    """Make the server hand out Leaflet, our script and the geometry, and return where.

    The addresses are relative: the browser completes them from the page's own, which also holds
    behind ``server.baseUrlPath`` or a proxy. Declared at every run, because a new server of the
    same process (a test) starts with none; that costs 0.1 ms each.
    """
    library = declare_component("leaflet", path=leaflet.BASE_DIR)
    own = declare_component("wardmap", path=_WARDMAP)
    directory = hashlib.blake2b(str(geometry.parent.resolve()).encode(), digest_size=6).hexdigest()
    wards = declare_component(f"wards_{directory}", path=geometry.parent.resolve())
    edition = max(file.stat().st_mtime_ns for file in _WARDMAP.iterdir())
    return {
        "leaflet": f"component/{library.name}/leaflet-src.esm.js?v={leaflet.VERSION}",
        "script": f"component/{own.name}/wardmap.js?v={edition}",
        "styles": [
            f"component/{library.name}/leaflet.css?v={leaflet.VERSION}",
            f"component/{own.name}/wardmap.css?v={edition}",
        ],
        "geometry": f"component/{wards.name}/{quote(geometry.name)}",
    }


@cache
def _component() -> Any:
    """Declare the component once, when the first map is drawn."""
    return st.components.v2.component(
        "hotspots.wardmap", html='<div class="wardmap" data-ready="false"></div>', js=_LOADER
    )


def _last_click(key: str) -> Mapping[str, Any]:
    """Return the click that caused this run; empty when something else did."""
    click = (st.session_state.get(key) or {}).get("click")
    return click if isinstance(click, dict) else {}


def _answered(key: str, click: Mapping[str, Any]) -> Any:
    """Return the number of the last click the server has seen in this session."""
    remembered = f"{key}: last click"
    if click:
        st.session_state[remembered] = click.get("number")
    return st.session_state.get(remembered)


def _code(click: Any) -> str | None:
    code = click.get("code") if isinstance(click, dict) else None
    return code if isinstance(code, str) else None


def _nothing_more() -> None:
    """Declare the click as an event; the run it causes returns it."""
