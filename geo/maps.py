"""A folium map of wards coloured by one column, as parts for a one-file page; no text runs as code.

The only module that touches folium or branca. Their trap: ``MacroElement.render`` wraps text that
is already rendered in ``Element(text)``, which compiles it as a Jinja2 template again, so a ward
named ``{{ ... }}`` runs Python on the server and one named ``{% x`` stops the page. Two safeguards,
each enough alone on the server:

* the second compilation is replaced by the text itself (``_Literal``);
* text from data meets folium only after ``escape_text``, as digits and ``&#;``. This one also keeps
  browsers safe: folium's tooltips set ``innerHTML``, its scripts use ``${}``.

Legend, notice and page parts are written here, without folium.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import branca.element
import folium
import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import xstatic.pkg.leaflet
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.errors import GeoError

NEUTRAL_COLOUR = "#e5e7eb"
_BORDER_COLOUR = "#4b5563"

_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "&<>\"'`${}\\\u2028\u2029"}
# In a browser the digits below are all that may name a colour; folium does not escape style values.
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LONGEST_SYMBOL = 3
_DIGITS = 5
# About 22 km: wards nearer than this to the main group belong in its picture.
_REACH_DEGREES = 0.2


@dataclass(frozen=True)
class MapClass:
    """One class of the map: the value in the table, its words, its colour, and its sign.

    Attributes
    ----------
    key : str
        The value of the coloured column.
    label : str
        The words in the legend.
    colour : str
        ``#rrggbb``.
    symbol : str
        One short printable sign drawn beside the colour, so that colour is never alone; may be "".

    Examples
    --------
    >>> MapClass("met", "Đạt", "green", "●")
    Traceback (most recent call last):
    ...
    geo.errors.GeoError: 'green' is not a colour of the form #rrggbb.
    """

    key: str
    label: str
    colour: str
    symbol: str

    def __post_init__(self) -> None:
        if not _COLOUR.fullmatch(self.colour):
            raise GeoError(
                "colour_not_hex",
                f"{self.colour!r} is not a colour of the form #rrggbb.",
                colour=self.colour,
            )
        if len(self.symbol) > _LONGEST_SYMBOL or not self.symbol.isprintable():
            raise GeoError(
                "symbol_too_long",
                f"{self.symbol!r} is not a sign of at most {_LONGEST_SYMBOL} printable characters.",
                symbol=self.symbol,
            )


@dataclass(frozen=True)
class MapParts:
    """A map as text for a page; showing it fetches nothing.

    Attributes
    ----------
    css : str
        For a style element.
    html : str
        For the body.
    scripts : tuple of str
        Each for a script element after the html, in order: Leaflet first.
    """

    css: str
    html: str
    scripts: tuple[str, ...]


@dataclass(frozen=True)
class LeafletFiles:
    """Where the installed Leaflet keeps its script, its module and its style sheet."""

    js: Path
    esm: Path
    css: Path


def leaflet_files() -> LeafletFiles:
    """Files of the installed package XStatic-Leaflet.

    Examples
    --------
    >>> leaflet_files().js.name, leaflet_files().esm.exists()
    ('leaflet.js', True)
    """
    base = Path(xstatic.pkg.leaflet.BASE_DIR)
    return LeafletFiles(base / "leaflet.js", base / "leaflet-src.esm.js", base / "leaflet.css")


def escape_text(s: object) -> str:
    """Text that stays text in HTML, in attributes, in script template literals and in Jinja2.

    ``html.escape`` is not enough: it leaves ``{{``, ``${`` and the backquote.

    Examples
    --------
    >>> escape_text("<b> {{7*7}}")
    '&#60;b&#62; &#123;&#123;7*7&#125;&#125;'
    """
    return str(s).translate(_ENTITIES)


def ward_map(
    wards: gpd.GeoDataFrame,
    column: str,
    classes: Sequence[MapClass],
    *,
    tooltip: Mapping[str, str],
    legend_title: str,
    notice: str = "",
    height_px: int = 560,
    marked: Collection[str] = (),
) -> MapParts:
    """Map of the wards coloured by class, with legend, signs and tooltips, without tiles.

    Parameters
    ----------
    wards : GeoDataFrame
        A wards table (a drawing copy keeps the page small) with ``column`` and the tooltip columns.
    column : str
        Values are class keys. A ward with any other value is drawn in a neutral grey that stands
        for no class.
    classes : sequence of MapClass
        In the order of the legend.
    tooltip : mapping
        Column to label, in the order shown. Values are shown as text: format numbers beforehand.
    legend_title, notice : str
        Words above the legend and on the map (e.g. "Dữ liệu mô phỏng").
    height_px : int
        Height of the map.
    marked : collection of str
        Codes of wards drawn with a heavy border.

    Returns
    -------
    MapParts
        The same table and words give the same text, to the byte. A page may hold several maps, but
        not the same one twice: they would share their names.

    Examples
    --------
    >>> wards = gpd.GeoDataFrame({"code": ["1"], "name": ["{{7*7}}"], "status": ["met"]},
    ...     geometry=[shapely.box(106, 10, 107, 11)], crs=4326)
    >>> parts = ward_map(wards, "status", [MapClass("met", "Đạt", "#1b7f5c", "●")],
    ...     tooltip={"name": "Phường"}, legend_title="Trạng thái")
    >>> "{{7*7}}" in parts.scripts[1], "&#123;7*7" in parts.scripts[1], len(parts.scripts)
    (False, False, 2)
    >>> "\\\\u0026#123;7*7" in parts.scripts[1]
    True
    """
    _require_columns(wards, [column, *tooltip, *(["code"] if marked else [])])
    if marked:  # drawn last, so that no neighbour's border lies over theirs
        wards = wards.iloc[np.argsort(wards["code"].isin(marked), kind="stable")]
    by_key = {each.key: each for each in classes}
    class_of = [by_key.get(value) for value in wards[column]]
    features = _features(wards, class_of, tooltip, marked)
    stem = _stem(features, classes, tooltip, legend_title, notice, height_px)
    far = _far_away(wards)

    _install_literal_renderer()
    maps = [_rendered(_folium_map(wards, features, class_of, tooltip, show=~far), f"{stem}_0")]
    if far.any():
        maps.append(_rendered(_inset(wards, features, class_of, tooltip, far), f"{stem}_1"))
    return MapParts(
        css=f"{_leaflet_css()}\n{_MAP_CSS}\n#map_{stem}_0_0{{height:{int(height_px)}px}}\n",
        html=_page_part([html for html, _ in maps], classes, legend_title, notice),
        scripts=(_leaflet_js(), _checked_script("\n".join(script for _, script in maps))),
    )


# --- the literal renderer


class _Literal:
    """Stands in for jinja2.Template where branca compiles text at run time: the text, as it is."""

    module: Any = type("module", (), {})

    def __init__(self, text: str) -> None:
        self._text = str(text)

    def render(self, *args: object, **kwargs: object) -> str:
        return self._text


def _install_literal_renderer() -> None:
    """From now on branca never compiles a text it is handed at run time.

    Called before every rendering, and never undone: putting the old class back after rendering
    would leave a moment in which another thread renders unprotected. The templates of folium's own
    classes are compiled when folium is imported (by another name), so they work as before; only
    folium's fill patterns, which need the second pass, do not. Nothing happens when this module is
    imported.
    """
    if not hasattr(branca.element, "Template"):
        raise GeoError(
            "renderer_unknown",
            "This version of branca builds its templates in another way, so the safeguard does not "
            "take hold. Install the versions of the lock file.",
            branca=getattr(branca, "__version__", ""),
        )
    branca.element.Template = _Literal


# --- the folium map


def _require_columns(wards: gpd.GeoDataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in wards.columns]
    if missing or not len(wards):
        raise GeoError(
            "column_missing" if missing else "no_units",
            f"The table to be drawn has {len(wards)} wards and lacks the columns {missing}; "
            f"there are {list(wards.columns)}.",
            missing=tuple(missing),
            columns=tuple(map(str, wards.columns)),
        )


def _features(
    wards: gpd.GeoDataFrame,
    class_of: list[MapClass | None],
    tooltip: Mapping[str, str],
    marked: Collection[str],
) -> dict[str, Any]:
    """GeoJSON whose only words are escaped values: ids and property names are ours."""
    polygons = shapely.transform(wards.geometry.to_numpy(), lambda xy: np.round(xy, _DIGITS))
    texts = [[_shown(value) for value in wards[column]] for column in tooltip]
    heavy = wards["code"].isin(marked).tolist() if marked else [False] * len(wards)
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": f"w{row}",
                "properties": {
                    "colour": NEUTRAL_COLOUR if drawn is None else drawn.colour,
                    "heavy": heavy[row],
                    **{f"t{number}": column[row] for number, column in enumerate(texts)},
                },
                "geometry": shapely.geometry.mapping(polygon),
            }
            for row, (drawn, polygon) in enumerate(zip(class_of, polygons, strict=True))
        ],
    }


def _shown(value: Any) -> str:
    return (
        ""
        if value is None or (pd.api.types.is_scalar(value) and pd.isna(value))
        else escape_text(value)
    )


def _folium_map(
    wards: gpd.GeoDataFrame,
    features: dict[str, Any],
    class_of: list[MapClass | None],
    tooltip: Mapping[str, str],
    *,
    show: npt.NDArray[np.bool_],
    **options: Any,
) -> folium.Map:
    """The wards, opening on those to ``show``."""
    west, south, east, north = (float(bound) for bound in wards[show].total_bounds)
    drawn = folium.Map(
        location=[(south + north) / 2, (west + east) / 2],
        tiles=None,
        prefer_canvas=False,
        attribution_control=False,
        zoom_snap=0.25,
        **options,
    )
    # folium's own lists point to five servers; ours are the instance's and empty.
    drawn.default_js, drawn.default_css = [], []
    layer = folium.GeoJson(
        features, style_function=_style, highlight_function=lambda feature: {"weight": 3}
    )
    if tooltip:
        fields = [f"t{number}" for number in range(len(tooltip))]
        aliases = [escape_text(label) for label in tooltip.values()]
        layer.add_child(folium.GeoJsonTooltip(fields=fields, aliases=aliases))
    layer.add_to(drawn)
    for each in dict.fromkeys(each for each in class_of if each is not None and each.symbol):
        _signs(wards[[drawn_as == each for drawn_as in class_of]], each.symbol).add_to(drawn)
    drawn.fit_bounds([[south, west], [north, east]])
    return drawn


def _far_away(wards: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    """Wards that are not within reach of the main group, step by step: an island at sea.

    Fitted into one view with it, the city would be a stamp: Côn Đảo is as far off as the city is
    long.
    """
    polygons = wards.geometry.to_numpy()
    pairs = shapely.STRtree(polygons).query(polygons, predicate="dwithin", distance=_REACH_DEGREES)
    near = coo_array((np.ones(pairs.shape[1]), pairs), shape=(len(wards), len(wards)))
    _, group = connected_components(near, directed=False)
    far: npt.NDArray[np.bool_] = group != np.bincount(group).argmax()
    return far


def _inset(
    wards: gpd.GeoDataFrame,
    features: dict[str, Any],
    class_of: list[MapClass | None],
    tooltip: Mapping[str, str],
    far: npt.NDArray[np.bool_],
) -> folium.Map:
    """The far wards alone, in a small map that stays where it is (it must also print)."""
    those = np.flatnonzero(far).tolist()
    return _folium_map(
        wards[far],
        {**features, "features": [features["features"][row] for row in those]},
        [class_of[row] for row in those],
        tooltip,
        show=np.ones(len(those), dtype=bool),
        zoom_control=False,
        dragging=False,
        scroll_wheel_zoom=False,
    )


def _style(feature: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "fillColor": feature["properties"]["colour"],
        "color": "#0b1f33" if feature["properties"]["heavy"] else _BORDER_COLOUR,
        "weight": 3.5 if feature["properties"]["heavy"] else 0.8,
        "fillOpacity": 0.85,
    }


def _signs(wards: gpd.GeoDataFrame, symbol: str) -> folium.GeoJson:
    """A sign inside each of the wards.

    As a point layer with its own icon: a folium.Marker is put on the map with Leaflet's default
    icon first, which asks for marker-icon.png.
    """
    points = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {
                "type": "Point",
                "coordinates": [round(point.x, _DIGITS), round(point.y, _DIGITS)],
            },
        }
        for point in wards.representative_point()
    ]
    icon = folium.DivIcon(
        html=escape_text(symbol), icon_size=(16, 16), icon_anchor=(8, 8), class_name="ward-sign"
    )
    marker = folium.Marker([0, 0], icon=icon, interactive=False, keyboard=False)
    return folium.GeoJson({"type": "FeatureCollection", "features": points}, marker=marker)


def _rendered(drawn: folium.Map, stem: str) -> tuple[str, str]:
    """Html and script of a folium map; its header (global styles, links) is left out."""
    figure: Any = drawn.get_root()
    _name_in_order(drawn, stem)
    figure.render()
    return figure.html.render(), figure.script.render()


def _name_in_order(drawn: folium.Map, stem: str) -> None:
    """Names from the content instead of random ones, so that the same map is the same text."""
    waiting: list[Any] = [drawn]
    for number, element in enumerate(waiting):
        element._id = f"{stem}_{number}"
        waiting.extend(element._children.values())


def _stem(*content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


# --- the parts of the page


def _page_part(
    maps: Sequence[str], classes: Sequence[MapClass], legend_title: str, notice: str
) -> str:
    entries = "".join(_legend_entry(each) for each in classes)
    warning = f'<p class="ward-notice">{escape_text(notice)}</p>' if notice else ""
    inset = "".join(f'<div class="ward-inset">{each}</div>' for each in maps[1:])
    return (
        f'<div class="ward-map"><div class="ward-frame">{maps[0]}{inset}{warning}</div>'
        f'<div class="ward-legend"><p>{escape_text(legend_title)}</p><ul>{entries}</ul></div></div>'
    )


def _legend_entry(each: MapClass) -> str:
    """Swatch as SVG, not as a background: browsers leave backgrounds out when printing."""
    return (
        f'<li><svg width="22" height="16" aria-hidden="true"><rect x=".5" y=".5" width="21" '
        f'height="15" fill="{each.colour}" stroke="{_BORDER_COLOUR}"/>'
        f'<text x="11" y="12.5" text-anchor="middle">{escape_text(each.symbol)}</text></svg>'
        f"{escape_text(each.label)}</li>"
    )


def _leaflet_js() -> str:
    text = leaflet_files().js.read_text(encoding="utf-8")
    return _checked_script(re.sub(r"//# sourceMappingURL=.*", "", text))


def _checked_script(script: str) -> str:
    """The script, sure not to end its own element."""
    if re.search(r"</script|<!--", script, re.IGNORECASE):
        raise GeoError(
            "script_not_closed", "A script part would end its element; nothing is drawn."
        )
    return script


def _leaflet_css() -> str:
    """Leaflet's style sheet with its pictures inside, and without the rules for old browsers."""
    source = leaflet_files().css
    text = re.sub(r"behavior:\s*url\(#default#VML\);", "", source.read_text(encoding="utf-8"))

    def inline(match: re.Match[str]) -> str:
        picture = base64.b64encode((source.parent / match[1]).read_bytes()).decode("ascii")
        return f"url(data:image/png;base64,{picture})"

    return re.sub(r"url\((images/[\w-]+\.png)\)", inline, text)


_MAP_CSS = """\
.ward-map .ward-frame{position:relative}
.ward-map{font-family:system-ui,sans-serif}
.ward-map .folium-map{width:100%;background:#fff;font-size:1rem;z-index:0}
.ward-map .ward-inset{position:absolute;left:10px;bottom:10px;z-index:1;width:150px;
border:1px solid #9ca3af;background:#fff}
.ward-map .ward-inset .folium-map{height:130px}
.ward-map .ward-sign{text-align:center;font:bold 12px/16px system-ui,sans-serif;color:#111827;
text-shadow:0 0 2px #fff,0 0 2px #fff,0 0 2px #fff;white-space:nowrap}
.ward-map .ward-legend{margin-top:8px;font-size:13px}
.ward-map .ward-legend p{margin:0 0 2px;font-weight:600}
.ward-map .ward-legend ul{display:flex;flex-wrap:wrap;gap:2px 18px;margin:0;padding:0;
list-style:none}
.ward-map .ward-legend li{display:flex;align-items:center;gap:6px;line-height:1.5}
.ward-map .ward-legend svg{flex:none}
.ward-map .ward-legend text{font:bold 12px system-ui,sans-serif;fill:#111827;stroke:#fff;
stroke-width:2px;paint-order:stroke}
.ward-map .ward-notice{position:absolute;top:10px;left:50%;transform:translateX(-50%);z-index:1;
margin:0;padding:4px 12px;background:#fff7d6;border:1px solid #b45309;border-radius:4px;
color:#7c2d12;font-weight:600;font-size:13px;text-align:center}
.ward-map .foliumtooltip th{text-align:left;padding-right:8px}
@media print{.ward-map{break-inside:avoid}.ward-map .leaflet-control-zoom{display:none}}"""
