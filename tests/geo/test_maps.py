"""What the map of wards shows, and that the page fetches nothing."""

import re
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import pytest
from shapely import box

from geo.errors import GeoError
from geo.maps import NEUTRAL_COLOUR, MapClass, MapParts, leaflet_files, ward_map

CLASSES = [
    MapClass("met", "Đã chuyển hóa", "#1b7f5c", "✓"),
    MapClass("working", "Đang chuyển hóa", "#d97706", "▲"),
    MapClass("none", "Không có", "#dbeafe", ""),
]


@pytest.fixture
def wards(four_units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return four_units.assign(status=["met", "working", "none", None])


def _map(wards: gpd.GeoDataFrame, **options: Any) -> MapParts:
    return ward_map(
        wards,
        "status",
        CLASSES,
        tooltip={"name": "Phường", "status": "Trạng thái"},
        legend_title="Trạng thái",
        **options,
    )


def _page(parts: MapParts) -> str:
    scripts = "".join(f"<script>{script}</script>" for script in parts.scripts)
    return f'<!doctype html><meta charset="utf-8"><style>{parts.css}</style>{parts.html}{scripts}'


def test_the_parts_point_to_nowhere(wards: gpd.GeoDataFrame) -> None:
    parts = _map(wards)
    ours = parts.css + parts.html + parts.scripts[1]
    assert re.findall(r"url\((?!data:)[^)]*\)", parts.css) == []
    assert "behavior" not in parts.css
    assert "@import" not in parts.css
    assert re.findall(r"(?:src|href)\s*=", ours) == []
    assert re.findall(r"https?:|jquery|bootstrap|cdn|\$\(", parts.scripts[1] + parts.html) == []
    assert all("sourceMappingURL" not in script for script in parts.scripts)
    assert parts.scripts[0].lstrip().startswith("/* @preserve\n * Leaflet 1.9.3")


def test_the_installed_leaflet_is_found() -> None:
    files = leaflet_files()
    assert [path.is_file() for path in (files.js, files.esm, files.css)] == [True] * 3


def test_the_same_table_gives_the_same_text_and_another_one_other_names(
    wards: gpd.GeoDataFrame,
) -> None:
    assert _map(wards) == _map(wards.copy())
    other = _map(wards.assign(status="met"))
    (one,), (two,) = (re.findall(r'id="(map_\w+)"', parts.html) for parts in (_map(wards), other))
    assert one != two


def test_the_table_is_not_changed(wards: gpd.GeoDataFrame) -> None:
    before = wards.copy(deep=True)
    _map(wards)
    assert wards.equals(before)


def test_an_unknown_column_or_an_empty_table_is_refused(wards: gpd.GeoDataFrame) -> None:
    with pytest.raises(GeoError) as refused:
        ward_map(wards, "stat", CLASSES, tooltip={"nam": "x"}, legend_title="")
    assert refused.value.facts["missing"] == ("stat", "nam")
    with pytest.raises(GeoError) as refused:
        _map(wards.iloc[:0])
    assert refused.value.reason == "no_units"


@pytest.mark.browser
def test_colours_signs_legend_and_notice_are_seen(
    wards: gpd.GeoDataFrame, open_page: Callable[[str], Any]
) -> None:
    page = open_page(_page(_map(wards, notice="Dữ liệu mô phỏng", height_px=420)))
    drawn = page.locator(".folium-map path.leaflet-interactive")
    fills = [drawn.nth(number).get_attribute("fill") for number in range(4)]
    assert fills == ["#1b7f5c", "#d97706", "#dbeafe", NEUTRAL_COLOUR]
    assert page.locator(".ward-sign").all_inner_texts() == ["✓", "▲"]
    assert page.locator(".ward-legend li").all_inner_texts() == [
        "✓\nĐã chuyển hóa",
        "▲\nĐang chuyển hóa",
        "Không có",
    ]
    assert page.locator(".ward-notice").is_visible()
    assert page.locator(".folium-map").bounding_box()["height"] == 420
    assert page.locator(".folium-map canvas").count() == 0
    assert page.seen == []


@pytest.mark.browser
def test_the_tooltip_names_the_ward(
    wards: gpd.GeoDataFrame, open_page: Callable[[str], Any]
) -> None:
    page = open_page(_page(_map(wards)))
    page.locator("path.leaflet-interactive").nth(3).hover()
    assert page.locator(".leaflet-tooltip").inner_text().split() == [
        *("Phường", "Đặc", "khu", "Côn", "Đảo"),
        *("Trạng", "thái"),
    ]


@pytest.mark.browser
def test_an_island_far_off_gets_a_map_of_its_own(
    wards: gpd.GeoDataFrame, open_page: Callable[[str], Any]
) -> None:
    wards.loc[3, "geometry"] = box(106.5, 8.6, 106.6, 8.7)
    page = open_page(_page(_map(wards)))
    assert page.locator(".ward-inset path.leaflet-interactive").count() == 1
    main = page.locator(".ward-frame > .folium-map").bounding_box()
    city = page.locator(".ward-frame > .folium-map path").first.bounding_box()
    assert city["width"] > main["height"] / 4
    assert page.seen == []
