"""GeoJSON: places or areas in degrees, read by our own reader; the rest listed with reasons."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from hotspots.errors import IntakeError
from hotspots.records.reading import geojson
from hotspots.records.reading.limits import LIMITS, Limits, Wish
from hotspots.records.reading.sink import (
    GEOMETRY,
    NUMBER,
    ArrowSink,
    read_batches,
    read_facts,
    read_ragged,
)

SQUARE = [[106, 10], [107, 10], [107, 11], [106, 11], [106, 10]]


@dataclass
class Kept:
    rows: dict[int, dict[str, Any]]
    found: dict[str, dict[str, Any]]
    facts: dict[str, Any]
    ragged: dict[int, str]

    def shape(self, row: int) -> shapely.Geometry:
        return shapely.from_wkb(self.rows[row][GEOMETRY])


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Kept]:
    def read(data: object, wish: Wish | None = None, limits: Limits = LIMITS) -> Kept:
        folder = tmp_path_factory.mktemp("kept")
        path = folder / "a.geojson"
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        with ArrowSink(folder) as sink:
            geojson.read(path, wish or Wish(), limits, sink)
        said = read_facts(folder)
        rows = {row.pop(NUMBER): row for batch in read_batches(folder) for row in batch.to_pylist()}
        found = {one["code"]: one["facts"] for one in said["found"]}
        ragged = {row["row"]: row["reason"] for row in read_ragged(folder).to_pylist()}
        return Kept(rows, found, said["facts"], ragged)

    return read


Read = Callable[..., Kept]


def refusal(kept: Read, data: object, **more: Any) -> IntakeError:
    with pytest.raises(IntakeError) as refused:
        kept(data, **more)
    assert refused.value.facts["file"] == "a.geojson"
    return refused.value


def collection(*features: object, **more: object) -> dict[str, object]:
    return {"type": "FeatureCollection", "features": list(features), **more}


def feature(coordinates: object, kind: str = "Point", **properties: object) -> dict[str, object]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


# -- points and properties


def test_points_become_longitude_and_latitude_in_full(kept: Read) -> None:
    out = kept(collection(feature([106.70123456789013, 10.5, 3], date="2025-10")))
    assert out.rows == {1: {"date": "2025-10", "lon": "106.70123456789013", "lat": "10.5"}}
    assert out.facts["crs"] == "EPSG:4326"
    assert "heights_dropped" in out.found


def test_properties_are_text_and_may_differ_from_feature_to_feature(kept: Read) -> None:
    out = kept(
        collection(
            feature([106, 10], code="00123", n=26740, share=12.5, whole=3.0, yes=True),
            feature([106, 10], code=None, more={"a": [1]}, odd="x\ud800", n=float("nan")),
        )
    )
    assert out.rows[1] | {"lon": "", "lat": ""} == {
        "code": "00123",
        "n": "26740",
        "share": "12.5",
        "whole": "3",
        "yes": "TRUE",
        "more": "",
        "odd": "",
        "lon": "",
        "lat": "",
    }
    assert (out.rows[2]["more"], out.rows[2]["odd"], out.rows[2]["n"]) == (
        '{"a": [1]}',
        "x\ufffd",
        "",
    )


def test_the_id_of_features_is_a_column_unless_there_is_one(kept: Read) -> None:
    assert kept(collection(feature([106, 10]) | {"id": 7})).rows[1]["id"] == "7"
    assert kept(collection(feature([106, 10], id="own") | {"id": 7})).rows[1]["id"] == "own"


def test_a_property_named_like_a_coordinate_gives_way(kept: Read) -> None:
    out = kept(collection(feature([106.5, 10], lon="x")))
    assert out.rows[1] == {"lon": "106.5", "lat": "10.0"}
    assert out.found["columns_replaced"] == {"columns": ["lon"]}


def test_a_multi_point_of_one_point_is_that_point(kept: Read) -> None:
    out = kept(
        collection(feature([[106, 10]], "MultiPoint"), feature([[106, 10]] * 2, "MultiPoint"))
    )
    assert out.rows[1] == {"lon": "106.0", "lat": "10.0"}
    assert out.ragged == {2: "several_points"}


def test_a_point_without_place_keeps_its_row(kept: Read) -> None:
    out = kept(
        collection(
            feature([106, 10], w="a"), {**feature(0), "geometry": None, "properties": {"w": "b"}}
        )
    )
    assert out.rows[2] == {"w": "b", "lon": "", "lat": ""}
    assert out.found["shapes_missing"] == {"features": 1, "rows": [2]}


def test_legacy_letters_are_reported_and_converted_only_if_wished(kept: Read) -> None:
    data = collection(feature([106, 10], ten="Ph\xadêng BÕn Thµnh"))
    assert kept(data).found["legacy_letters"] == {"encoding": "tcvn3"}
    assert kept(data, Wish(encoding="utf-8+tcvn3")).rows[1]["ten"] == "Phường Bến Thành"


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ({"type": "Point", "coordinates": [float("nan"), 10]}, "coordinates_not_finite"),
        ({"type": "Point", "coordinates": [float("inf"), 10]}, "coordinates_not_finite"),
        ({"type": "Point", "coordinates": [10**400, 10]}, "coordinates_not_finite"),
        ({"type": "Point", "coordinates": [106]}, "shape_not_read"),
        ({"type": "Point", "coordinates": ["106", "10"]}, "shape_not_read"),
        ({"type": "Point", "coordinates": [True, 10]}, "shape_not_read"),
        ({"type": "Point", "coordinates": "106 10"}, "shape_not_read"),
        ({"type": "Point", "coordinates": []}, "shape_empty"),
        ({"type": "Point"}, "shape_not_read"),
        ({"type": "LineString", "coordinates": [[106, 10], [107, 11]]}, "shape_kind_not_used"),
        ({"type": "GeometryCollection", "geometries": []}, "shape_kind_not_used"),
        ({"type": "Circle", "coordinates": [106, 10]}, "shape_not_read"),
        ({"type": ["Point"], "coordinates": [106, 10]}, "shape_not_read"),
        ("POINT (106 10)", "shape_not_read"),
        ({"type": "Polygon", "coordinates": [SQUARE]}, "shape_of_another_kind"),
    ],
)
def test_a_feature_without_a_usable_point_is_listed(
    kept: Read, geometry: object, reason: str
) -> None:
    good = feature([106, 10])
    odd = {"type": "Feature", "geometry": geometry, "properties": {}}
    out = kept(collection(good, odd, good))
    assert out.ragged == {2: reason}
    assert list(out.rows) == [1, 3]


# -- areas


def test_areas_come_as_wkb(kept: Read) -> None:
    hole = [[106.2, 10.2], [106.4, 10.2], [106.4, 10.4], [106.2, 10.2]]
    out = kept(
        collection(
            feature([SQUARE, hole], "Polygon", code="1"),
            feature([[SQUARE], [[[x + 2, y] for x, y in SQUARE]]], "MultiPolygon", code="2"),
            feature([[SQUARE]], "MultiPolygon", code="3"),
        )
    )
    assert out.shape(1).equals(shapely.Polygon(SQUARE, [hole]))
    assert out.shape(2).area == pytest.approx(2)
    assert out.shape(3).geom_type == "Polygon"
    assert [row["code"] for row in out.rows.values()] == ["1", "2", "3"]


def test_an_open_ring_is_closed_and_reported(kept: Read) -> None:
    out = kept(collection(feature([SQUARE[:-1]], "Polygon", code="1")))
    assert out.shape(1).equals(shapely.Polygon(SQUARE))
    assert out.found["rings_closed"] == {"features": 1, "rows": [1]}


def test_a_crossing_ring_is_repaired_and_reported(kept: Read) -> None:
    bow_tie = [[106, 10], [107, 11], [107, 10], [106, 11], [106, 10]]
    out = kept(collection(feature([bow_tie], "Polygon", code="1")))
    assert out.shape(1).is_valid
    assert out.shape(1).area == pytest.approx(0.5)
    assert out.found["shapes_repaired"] == {"features": 1, "rows": [1]}


def test_a_ring_that_repair_would_blow_up_is_listed_in_time(kept: Read) -> None:
    star = np.random.default_rng(1).uniform([106, 10], [107, 11], (300, 2)).tolist()
    out = kept(
        collection(feature([star], "Polygon", code="1"), feature([SQUARE], "Polygon", code="2"))
    )
    assert out.ragged == {1: "shape_not_repairable"}
    assert list(out.rows) == [2]


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (None, "shape_missing"),
        ({"type": "Polygon", "coordinates": []}, "shape_empty"),
        ({"type": "Polygon", "coordinates": [SQUARE[:2]]}, "ring_too_short"),
        ({"type": "Polygon", "coordinates": [[[106, 10]] * 5]}, "shape_not_repairable"),
        (
            {"type": "Polygon", "coordinates": [SQUARE, [[106, float("nan")]]]},
            "coordinates_not_finite",
        ),
        ({"type": "Polygon", "coordinates": SQUARE}, "shape_not_read"),
        ({"type": "MultiPolygon", "coordinates": [SQUARE]}, "shape_not_read"),
        ({"type": "Point", "coordinates": [106, 10]}, "shape_of_another_kind"),
    ],
)
def test_a_feature_without_a_usable_area_is_listed(
    kept: Read, geometry: object, reason: str
) -> None:
    good = feature([SQUARE], "Polygon", code="1")
    odd = {"type": "Feature", "geometry": geometry, "properties": {}}
    out = kept(collection(good, odd, good))
    assert out.ragged == {2: reason}
    assert list(out.rows) == [1, 3]


# -- coordinate systems


def named(name: object) -> dict[str, object]:
    return {"type": "name", "properties": {"name": name}}


@pytest.mark.parametrize("code", [3405, 3406, 3857, 32648, 9210])
@pytest.mark.parametrize("form", ["EPSG:{}", "urn:ogc:def:crs:EPSG::{}", "epsg:{}"])
def test_a_named_system_is_converted(kept: Read, code: int, form: str) -> None:
    place = Transformer.from_crs(4326, code, always_xy=True).transform(106.7, 10.8)
    out = kept(collection(feature(list(place)), crs=named(form.format(code))))
    assert float(out.rows[1]["lon"]) == pytest.approx(106.7, abs=1e-6)
    assert float(out.rows[1]["lat"]) == pytest.approx(10.8, abs=1e-6)
    assert out.facts["crs"] == "EPSG:4326"
    assert out.found == {}


@pytest.mark.parametrize(
    "name",
    ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326", "OGC:CRS84"],
)
def test_degrees_stay_as_they_are(kept: Read, name: str) -> None:
    assert kept(collection(feature([106.7, 10.5]), crs=named(name))).rows[1]["lon"] == "106.7"


@pytest.mark.parametrize(
    "crs",
    [
        named("EPSG:999999"),
        named("+proj=longlat +nadgrids=/etc/passwd"),
        named("http://127.0.0.1:9/crs"),
        named(None),
        named(5),
        {"type": "name"},
        "EPSG:3405",
        5,
    ],
)
def test_a_system_that_nobody_knows_is_refused_unless_the_person_says_which(
    kept: Read, crs: object
) -> None:
    data = collection(feature([106, 10]), crs=crs)
    assert refusal(kept, data).reason == "crs_unknown"
    assert kept(data, Wish(crs="EPSG:4326")).rows[1]["lon"] == "106.0"


def test_a_wish_for_a_system_must_be_a_code(kept: Read) -> None:
    wish = Wish(crs="+proj=longlat +nadgrids=/etc/passwd")
    assert refusal(kept, collection(feature([106, 10])), wish=wish).reason == "crs_unknown"


def test_swapped_axes_are_reported_and_swapped_only_if_wished(kept: Read) -> None:
    data = collection(feature([10.5, 106.7]), feature([10.6, 106.8]))
    assert kept(data).rows[1]["lon"] == "10.5"
    assert "axes_swapped" in kept(data).found
    out = kept(data, Wish(swap_axes=True))
    assert (out.rows[1], out.found) == ({"lon": "106.7", "lat": "10.5"}, {})


def test_swapped_metres_are_found_too(kept: Read) -> None:
    east, north = Transformer.from_crs(4326, 3405, always_xy=True).transform(106.7, 10.8)
    data = collection(feature([north, east]), crs=named("EPSG:3405"))
    assert "axes_swapped" in kept(data).found
    assert kept(data, Wish(swap_axes=True)).found == {}


def test_metres_without_a_system_are_reported_with_those_that_fit(kept: Read) -> None:
    east, north = Transformer.from_crs(4326, 9210, always_xy=True).transform(106.7, 10.8)
    data = collection(feature([east, north]))
    out = kept(data)
    assert "EPSG:9210" in out.found["coordinates_in_metres"]["candidates"]
    assert "EPSG:9205" not in out.found["coordinates_in_metres"]["candidates"]
    assert out.facts["crs"] == ""
    out = kept(data, Wish(crs="EPSG:9210"))
    assert float(out.rows[1]["lon"]) == pytest.approx(106.7, abs=1e-6)
    assert (out.facts["crs"], out.found) == ("EPSG:4326", {})


def test_degrees_called_metres_are_reported(kept: Read) -> None:
    out = kept(collection(feature([106.7, 10.8]), crs=named("EPSG:3405")))
    assert "coordinates_in_degrees" in out.found


def test_places_elsewhere_are_reported(kept: Read) -> None:
    assert "coordinates_outside_vietnam" in kept(collection(feature([2.35, 48.85]))).found
    assert kept(collection(feature([114.3, 8.6]))).found == {}  # an island of the East Sea


def test_a_place_that_its_system_cannot_express_is_listed(kept: Read) -> None:
    data = collection(feature([1e300, 1e300]), feature([685000, 1190000]), crs=named("EPSG:3405"))
    assert kept(data).ragged == {1: "place_outside_crs"}


@pytest.fixture
def nobody_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    calls: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, place: calls.append(place))
    yield calls
    assert calls == []


@pytest.mark.usefixtures("nobody_calls")
def test_a_link_to_a_system_is_reported_and_never_followed(kept: Read) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        href = f"http://127.0.0.1:{server.getsockname()[1]}/crs"
        crs = {"type": "link", "properties": {"href": href, "type": "proj4"}}
        out = kept(collection(feature([106, 10]), crs=crs))
        with pytest.raises(TimeoutError):
            server.accept()
    assert out.found == {"crs_link_ignored": {}}
    assert out.rows[1]["lon"] == "106.0"


# -- other formats, limits, damage


@pytest.mark.parametrize(
    "data",
    [
        {"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /etc/passwd"},
        {"type": "Topology", "objects": {}},
        {"geometryType": "esriGeometryPoint", "features": [], "exceededTransferLimit": True},
        {"type": "FeatureCollection", "stac_version": "1.0.0", "features": []},
        collection({**feature([106, 10]), "stac_version": "1.0.0"}),
        {"type": "Point", "coordinates": [106, 10]},
        feature([106, 10]),
        [],
        None,
        "text",
        5,
        {},
    ],
)
def test_json_of_another_kind_is_refused_by_its_kind(kept: Read, data: object) -> None:
    assert refusal(kept, data).reason == "geojson_kind"


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        b"PAR1",
        b"<OGRVRTDataSource/>",
        b'{"type": "FeatureCollection"}',
        b'{"type": "FeatureCollection", "features": {}}',
        b'{"type": "FeatureCollection", "features": [1]}',
        b'{"type": "FeatureCollection", "features": [null]}',
        b'{"type": "FeatureCollection", "features": [{"properties": {}}]}',
        b'{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": [1]}]}',
        b'{"n": ' + b"1" * 10_000 + b"}",
        b"[" * 200_000,
        b'{"a":' * 200_000,
    ],
)
def test_what_is_no_geojson_is_refused(kept: Read, content: bytes) -> None:
    assert refusal(kept, content).reason == "file_not_read"


def test_deeply_nested_coordinates_end_nothing(kept: Read) -> None:
    nested = b"[" * 900 + b"106,10" + b"]" * 900
    content = (
        b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"a":1},'
        b'"geometry":{"type":"MultiPolygon","coordinates":' + nested + b"}}]}"
    )
    assert kept(content).ragged == {1: "shape_not_read"}


def test_other_encodings_than_utf8_are_refused(kept: Read) -> None:
    content = json.dumps(collection(feature([106, 10], t="Bến")), ensure_ascii=False)
    assert refusal(kept, content.encode("utf-16")).reason == "encoding_not_utf8"
    assert kept(content.encode("utf-8-sig")).rows[1]["t"] == "Bến"


def test_a_collection_without_features_is_refused(kept: Read) -> None:
    assert refusal(kept, collection()).reason == "file_without_rows"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(features=2), "too_many_features"),
        (Limits(vertices=12), "map_too_detailed"),
        (Limits(feature_vertices=4), "shape_too_detailed"),
        (Limits(columns=0), "too_many_columns"),
        (Limits(cell_bytes=1), "cell_too_long"),
    ],
)
def test_more_than_the_limits_is_refused(kept: Read, limits: Limits, reason: str) -> None:
    data = collection(*[feature([SQUARE], "Polygon", code="12")] * 3)
    assert refusal(kept, data, limits=limits).reason == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "coordinates", "name", "a", ""]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
GEOMETRY_LIKE = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Point", "MultiPoint", "Polygon", "MultiPolygon", "LineString"]),
        "coordinates": st.lists(st.floats(), max_size=3)
        | st.lists(
            st.lists(st.lists(st.floats(90, 120), min_size=2, max_size=3), max_size=6), max_size=2
        )
        | JSON,
    }
)


@given(
    geometries=st.lists(GEOMETRY_LIKE | JSON, max_size=5),
    properties=JSON,
    crs=st.none()
    | JSON
    | st.builds(named, st.sampled_from(["EPSG:3405", "EPSG:4326", "EPSG:3857"])),
    swap=st.booleans(),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None
)
def test_any_json_is_read_or_refused_and_every_feature_accounted_for(
    kept: Read, geometries: list[object], properties: object, crs: object, swap: bool
) -> None:
    features = [
        {"type": "Feature", "geometry": geometry, "properties": properties}
        for geometry in geometries
    ]
    try:
        out = kept(collection(*features, crs=crs), Wish(swap_axes=swap))
    except IntakeError as refused:
        assert refused.facts["file"] == "a.geojson"  # noqa: PT017 - both endings are right
        return
    assert sorted([*out.rows, *out.ragged]) == list(range(1, len(features) + 1))
    for row in out.rows:
        if GEOMETRY in out.rows[row]:
            assert out.shape(row).is_valid
            assert np.isfinite(shapely.get_coordinates(out.shape(row))).all()


@given(content=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_any_bytes_are_refused(kept: Read, content: bytes) -> None:
    refusal(kept, content)
