"""GeoPackages and zipped shapefiles: plain layers only, whatever the file is called or says."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import LineString, MultiPolygon, Point, Polygon, box

from hotspots.errors import IntakeError
from hotspots.records.reading import shapes, vector
from hotspots.records.reading.limits import LIMITS, Limits, Wish
from hotspots.records.reading.sink import (
    GEOMETRY,
    NUMBER,
    ArrowSink,
    read_batches,
    read_facts,
    read_ragged,
)

pytestmark = pytest.mark.filterwarnings("ignore:'crs' was not provided", "ignore:.*truncated.*")


@dataclass
class Kept:
    rows: dict[int, dict[str, Any]]
    found: dict[str, dict[str, Any]]
    facts: dict[str, Any]
    ragged: dict[int, str]


Read = Callable[..., Kept]


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Read:
    def read(path: Path, wish: Wish | None = None, limits: Limits = LIMITS) -> Kept:
        folder = tmp_path_factory.mktemp("kept")
        with ArrowSink(folder) as sink:
            vector.read(path, wish or Wish(), limits, sink)
        said = read_facts(folder)
        rows = {row.pop(NUMBER): row for batch in read_batches(folder) for row in batch.to_pylist()}
        found = {one["code"]: one["facts"] for one in said["found"]}
        ragged = {row["row"]: row["reason"] for row in read_ragged(folder).to_pylist()}
        return Kept(rows, found, said["facts"], ragged)

    return read


def refusal(kept: Read, path: Path, **more: Any) -> IntakeError:
    with pytest.raises(IntakeError) as refused:
        kept(path, **more)
    assert refused.value.facts["file"] == path.name
    return refused.value


def places(*shapes: shapely.Geometry | None, crs: int | None = 4326, **columns: Any) -> Any:
    columns = columns or {"ma": [f"{n:05}" for n in range(1, len(shapes) + 1)]}
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs)


@pytest.fixture
def geopackage(tmp_path: Path) -> Callable[..., Path]:
    def save(**layers: Any) -> Path:
        for name, layer in layers.items():
            layer.to_file(tmp_path / "a.gpkg", layer=name)
        return tmp_path / "a.gpkg"

    return save


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    def save(
        layer: Any,
        *,
        without: tuple[str, ...] = (),
        encoding: str = "utf-8",
        changed: dict[str, bytes] | None = None,
        prefix: str = "",
    ) -> Path:
        with tempfile.TemporaryDirectory() as folder:
            layer.to_file(Path(folder) / "lop.shp", encoding=encoding)
            parts = {part.suffix: part.read_bytes() for part in Path(folder).iterdir()}
        parts |= changed or {}
        with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
            for ending, content in parts.items():
                if ending not in without:
                    archive.writestr(f"{prefix}lop{ending}", content)
        return tmp_path / "a.zip"

    return save


# -- what is read


def test_points_of_a_geopackage_come_in_degrees(
    geopackage: Callable[..., Path], kept: Read
) -> None:
    layer = places(
        Point(106.7, 10.8, 5),
        None,
        ma=["00123", "NA"],
        n=[26740, None],
        x=[0.5, 1.0],
        y=[True, False],
    )
    out = kept(geopackage(lop=layer.to_crs(3405)))
    assert float(out.rows[1]["lon"]) == pytest.approx(106.7, abs=1e-7)
    assert float(out.rows[1]["lat"]) == pytest.approx(10.8, abs=1e-7)
    assert [out.rows[1][name] for name in ("ma", "n", "x", "y")] == [
        "00123",
        "26740",
        "0.5",
        "TRUE",
    ]
    assert out.rows[2] == {"ma": "NA", "n": "", "x": "1", "y": "FALSE", "lon": "", "lat": ""}
    assert set(out.found) == {"heights_dropped", "shapes_missing"}
    assert (out.facts["layer"], out.facts["crs"]) == ("lop", "EPSG:4326")


def test_areas_of_a_geopackage_come_as_wkb(geopackage: Callable[..., Path], kept: Read) -> None:
    areas = [box(106, 10, 107, 11), MultiPolygon([box(107, 10, 108, 11), box(109, 10, 110, 11)])]
    out = kept(geopackage(lop=places(*areas)))
    assert [shapely.from_wkb(row[GEOMETRY]).area for row in out.rows.values()] == [1, 2]


def test_days_are_text(geopackage: Callable[..., Path], kept: Read) -> None:
    days = np.array(["2025-04-03", "2025-04-04"], "datetime64[ms]")
    moments = np.array(["2025-04-03T08:30", "2025-04-04"], "datetime64[ms]")
    layer = places(Point(106, 10), Point(106, 10), day=days, at=moments)
    out = kept(geopackage(lop=layer))
    assert [row["day"] for row in out.rows.values()] == ["2025-04-03", "2025-04-04"]
    assert out.rows[1]["at"] == "2025-04-03 08:30:00"


def test_of_several_layers_the_first_is_read_or_the_wished_one(
    geopackage: Callable[..., Path], kept: Read
) -> None:
    path = geopackage(mot=places(Point(106, 10)), hai=places(Point(107, 10)))
    assert kept(path).rows[1]["lon"] == "106.0"
    assert kept(path).found["several_layers"] == {"layers": ["mot", "hai"], "layer": "mot"}
    assert kept(path, Wish(layer="hai")).rows[1]["lon"] == "107.0"
    assert kept(path, Wish(layer="hai")).found == {}
    assert refusal(kept, path, wish=Wish(layer="ba")).reason == "layer_unknown"


def test_what_most_rows_have_is_what_the_layer_is(
    geopackage: Callable[..., Path], kept: Read
) -> None:
    layer = places(Point(106, 10), box(106, 10, 107, 11), Point(106, 11), Point(), LineString())
    out = kept(geopackage(lop=layer))
    assert list(out.rows) == [1, 3]
    assert out.ragged == {2: "shape_of_another_kind", 4: "shape_empty", 5: "shape_empty"}


def test_a_crossing_ring_is_repaired(geopackage: Callable[..., Path], kept: Read) -> None:
    bow_tie = Polygon([(106, 10), (107, 11), (107, 10), (106, 11)])
    out = kept(geopackage(lop=places(bow_tie)))
    assert shapely.from_wkb(out.rows[1][GEOMETRY]).area == pytest.approx(0.5)
    assert "shapes_repaired" in out.found


def test_a_layer_without_a_system_is_taken_for_degrees_and_says_so(
    geopackage: Callable[..., Path], kept: Read
) -> None:
    out = kept(geopackage(lop=places(Point(106, 10), crs=None)))
    assert out.found["crs_missing"] == {"assumed": "EPSG:4326"}
    assert out.facts["crs"] == "EPSG:4326"


def test_a_layer_in_metres_that_says_no_system_is_not_given_one(
    geopackage: Callable[..., Path], kept: Read
) -> None:
    metres = places(Point(106.7, 10.8)).to_crs(9210).set_crs(None, allow_override=True)
    path = geopackage(lop=metres)
    out = kept(path)
    assert "EPSG:9210" in out.found["coordinates_in_metres"]["candidates"]
    assert out.facts["crs"] == ""
    assert float(kept(path, Wish(crs="EPSG:9210")).rows[1]["lon"]) == pytest.approx(106.7, abs=1e-6)


def test_a_system_number_that_is_not_in_the_file_counts_as_none(
    geopackage: Callable[..., Path], kept: Read
) -> None:
    path = geopackage(lop=places(Point(106, 10)))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE gpkg_contents SET srs_id = 4242")
        database.execute("UPDATE gpkg_geometry_columns SET srs_id = 4242")
    assert "crs_missing" in kept(path).found


# -- shapefiles


def test_a_zipped_shapefile_is_read(zipped: Callable[..., Path], kept: Read) -> None:
    layer = places(
        Point(106.7, 10.8), Point(106.8, 10.9), tên=["Phường Bến Thành", "Đa Kao"], n=[1, 2]
    )
    out = kept(zipped(layer.to_crs(3405), prefix="thư mục/"))
    assert [row["tên"] for row in out.rows.values()] == ["Phường Bến Thành", "Đa Kao"]
    assert float(out.rows[1]["lon"]) == pytest.approx(106.7, abs=1e-7)
    assert (out.found, out.facts["encoding"]) == ({}, "utf-8")


@pytest.mark.parametrize("missing", [".shx", ".dbf"])
def test_a_shapefile_that_lacks_a_part_is_refused_by_name(
    zipped: Callable[..., Path], kept: Read, missing: str
) -> None:
    error = refusal(kept, zipped(places(Point(106, 10)), without=(missing,)))
    assert (error.reason, error.facts["parts"]) == ("shapefile_part_missing", [missing])


def test_a_shapefile_without_prj_is_reported(zipped: Callable[..., Path], kept: Read) -> None:
    out = kept(zipped(places(Point(106, 10)), without=(".prj",)))
    assert out.found["crs_missing"] == {"assumed": "EPSG:4326"}


@pytest.mark.parametrize("said", [b"1258", b"ISO-8859-1", b"UTF-16", b"\xff\xfe"])
def test_a_wrong_cpg_is_reported_and_not_believed(
    zipped: Callable[..., Path], kept: Read, said: bytes
) -> None:
    layer = places(Point(106, 10), ten=["Phường Bến Thành"])
    out = kept(zipped(layer, changed={".cpg": said}))
    assert out.rows[1]["ten"] == "Phường Bến Thành"
    assert out.found["cpg_wrong"]["encoding"] == "utf-8"


def test_a_shapefile_in_an_abc_font_is_told_and_decoded(
    zipped: Callable[..., Path], kept: Read
) -> None:
    layer = places(
        Point(106, 10), Point(106, 11), ten=["Ph\xadêng BÕn Thµnh", "Ph\xadêng Th¶o §iÒn"]
    )
    path = zipped(layer, encoding="ISO-8859-1", without=(".cpg",))
    out = kept(path)
    assert [row["ten"] for row in out.rows.values()] == ["Phường Bến Thành", "Phường Thảo Điền"]
    assert out.found["encoding_guessed"] == {"encoding": "tcvn3"}
    assert kept(path, Wish(encoding="vni")).rows[1]["ten"] != "Phường Bến Thành"
    with pytest.raises(IntakeError, match="not known"):
        kept(path, Wish(encoding="x"))


def test_a_name_cut_within_a_letter_by_the_width_of_its_column_is_kept(
    zipped: Callable[..., Path], kept: Read
) -> None:
    long = "ế" * 100  # of 3 bytes each; a column holds 254
    out = kept(zipped(places(Point(106, 10), ten=[long])))
    assert out.rows[1]["ten"] == "ế" * 84


def test_of_several_shapefiles_the_first_is_read_or_the_wished_one(
    zipped: Callable[..., Path], kept: Read
) -> None:
    zipped(places(Point(106, 10)), prefix="mot/")
    path = zipped(places(Point(107, 10)), prefix="hai/")
    assert kept(path).found["several_layers"]["layers"] == ["mot/lop", "hai/lop"]
    assert kept(path, Wish(layer="hai/lop")).rows[1]["lon"] == "107.0"


def test_what_a_mac_adds_to_a_zip_is_not_read(zipped: Callable[..., Path], kept: Read) -> None:
    path = zipped(places(Point(106, 10)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._lop.shp", b"rubbish")
        archive.writestr(".DS_Store", b"rubbish")
    assert kept(path).facts["layers"] == ["lop"]


def test_a_zip_without_a_shapefile_is_refused(kept: Read, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    assert refusal(kept, tmp_path / "a.zip").reason == "zip_without_shapefile"


def test_an_unsafe_zip_is_refused_and_nothing_is_written_outside(
    kept: Read, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../canary.shp", b"x")
    assert refusal(kept, tmp_path / "a.zip").reason == "zip_unsafe_name"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_the_unpacked_copy_is_removed(
    zipped: Callable[..., Path], kept: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    path = zipped(places(Point(106, 10)))
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    kept(path)
    assert list(private.iterdir()) == []


# -- limits


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
def test_more_than_the_limits_is_refused(
    geopackage: Callable[..., Path],
    zipped: Callable[..., Path],
    kept: Read,
    limits: Limits,
    reason: str,
) -> None:
    layer = places(*[box(106, 10, 107, 11)] * 3)
    for path in (geopackage(lop=layer), zipped(layer)):
        assert refusal(kept, path, limits=limits).reason == reason


def test_a_layer_without_rows_is_refused(geopackage: Callable[..., Path], kept: Read) -> None:
    path = geopackage(lop=places(Point(106, 10)))
    with sqlite3.connect(path) as database:
        database.execute("DROP TRIGGER IF EXISTS trigger_delete_feature_count_lop")
        database.create_function("ST_IsEmpty", 1, lambda _: 0)
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("DELETE FROM lop")
    assert refusal(kept, path).reason == "file_without_rows"


# -- nothing but the file itself is read


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW v AS SELECT * FROM lop",
        "CREATE VIRTUAL TABLE v USING fts4(a)",
        "CREATE TABLE v (a INTEGER, b TEXT GENERATED ALWAYS AS (upper(a)))",
    ],
)
def test_a_geopackage_that_computes_is_refused(
    geopackage: Callable[..., Path], kept: Read, statement: str
) -> None:
    path = geopackage(lop=places(Point(106, 10)))
    with sqlite3.connect(path) as database:
        database.execute(statement)
    assert refusal(kept, path).reason == "geopackage_not_plain"


def test_a_trigger_is_not_run(geopackage: Callable[..., Path], kept: Read) -> None:
    path = geopackage(lop=places(Point(106, 10)))
    with sqlite3.connect(path) as database:
        database.execute("CREATE TRIGGER t AFTER UPDATE ON lop BEGIN DELETE FROM lop; END")
    before = path.read_bytes()
    assert list(kept(path).rows) == [1]
    assert path.read_bytes() == before


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and what it was asked."""
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("name", ["a.gpkg", "a.zip", "inside"])
@pytest.mark.parametrize("kind", ["file", "address", "pipeline", "esri", "topology"])
def test_no_other_file_and_no_address_is_read(
    tmp_path: Path, kept: Read, canary: tuple[str, list[str]], name: str, kind: str
) -> None:
    address, asked = canary
    secret = tmp_path / "secret.csv"
    secret.write_text("lon,lat,code\n106,10,canary\n")

    def virtual(source: object) -> str:
        inner = f"<SrcDataSource>{source}</SrcDataSource>"
        return f"<OGRVRTDataSource><OGRVRTLayer name='a'>{inner}</OGRVRTLayer></OGRVRTDataSource>"

    text = {
        "file": virtual(secret),
        "address": virtual(f"/vsicurl/{address}/a.csv"),
        "pipeline": json.dumps(
            {"type": "gdal_streamed_alg", "command_line": f"gdal vector pipeline ! read {secret}"}
        ),
        "esri": json.dumps({"geometryType": "esriGeometryPoint", "features": [], "url": address}),
        "topology": json.dumps({"type": "Topology", "objects": {}}),
    }[kind]
    path = tmp_path / ("a.zip" if name == "inside" else name)
    if name == "inside":
        with zipfile.ZipFile(path, "w") as archive:
            for ending in (".shp", ".shx", ".dbf"):
                archive.writestr(f"lop{ending}", text)
    else:
        path.write_text(text)
    assert refusal(kept, path).reason == "file_not_read"
    assert asked == []


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"SQLite format 3\x00" + bytes(200)])
def test_what_is_neither_is_refused(kept: Read, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gpkg").write_bytes(content)
    assert refusal(kept, tmp_path / "a.gpkg").reason == "file_not_read"


@given(place=st.integers(0, 10**6), new=st.binary(min_size=1, max_size=8), part=st.integers(0, 3))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
def test_a_damaged_shapefile_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    kept: Read,
    shapefile: dict[str, bytes],
    place: int,
    new: bytes,
    part: int,
) -> None:
    parts = {ending: bytearray(content) for ending, content in shapefile.items()}
    damaged = parts[sorted(parts)[part % len(parts)]]
    at = place % len(damaged)
    damaged[at : at + len(new)] = new
    path = tmp_path_factory.mktemp("damaged") / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for ending, content in parts.items():
            archive.writestr(f"lop{ending}", bytes(content))
    try:
        assert isinstance(kept(path, limits=Limits(features=100)), Kept)
    except IntakeError as refused:
        assert refused.facts["file"] == "a.zip"  # noqa: PT017 - both endings are right


@pytest.fixture(scope="module")
def shapefile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("good")
    layer = places(box(106, 10, 107, 11), box(107, 10, 108, 11), ten=["Bến Thành", "b"], n=[1, 2])
    layer.to_file(folder / "lop.shp", encoding="utf-8")
    return {part.suffix: part.read_bytes() for part in folder.iterdir()}


@pytest.fixture(scope="module")
def good_geopackage(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "a.gpkg"
    places(Point(106, 10), Point(107, 10)).to_file(path)
    return path.read_bytes()


@given(place=st.integers(0, 10**6), new=st.binary(min_size=1, max_size=30), front=st.booleans())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
def test_a_damaged_geopackage_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    kept: Read,
    good_geopackage: bytes,
    place: int,
    new: bytes,
    front: bool,
) -> None:
    content = bytearray(good_geopackage)
    at = place % (4096 if front else len(content))
    content[at : at + len(new)] = new
    path = tmp_path_factory.mktemp("damaged") / "a.gpkg"
    path.write_bytes(content)
    try:
        assert isinstance(kept(path), Kept)
    except IntakeError as refused:
        assert refused.facts["file"] == "a.gpkg"  # noqa: PT017 - both endings are right


@pytest.mark.parametrize("far", [1e300, 1e308, 1.7e308])
def test_a_crossing_ring_of_enormous_coordinates_is_repaired_or_refused(far: float) -> None:
    """GEOS overflows on the way, which numpy warns of."""
    ring = Polygon([(-far, -far), (far, far), (far, -far), (-far, far)])
    repaired = shapes.repaired_area(ring)
    assert repaired is None or repaired.is_valid
