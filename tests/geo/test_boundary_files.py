"""Every allowed format gives the same wards; a file that is something else is refused unread."""

import datetime
import http.server
import json
import struct
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pyarrow.parquet as pq
import pytest
import shapely

from geo.boundary_files import MAX_UNITS, read_boundary_file
from geo.errors import GeoError
from geo.wards import read_wards


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that nobody must ask, and the list of who did."""
    hits: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 (the name http.server looks for)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", hits
        server.shutdown()


def _write(units: gpd.GeoDataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        units.to_parquet(path)
    elif path.suffix == ".zip":
        shapefile = path.with_name("phường.shp")
        units.to_file(shapefile, encoding="UTF-8")
        with zipfile.ZipFile(path, "w") as archive:
            for part in path.parent.glob("phường.*"):
                archive.write(part, f"a/b/{part.name}")
    else:
        units.to_file(path, **({"encoding": "UTF-8"} if path.suffix == ".shp" else {}))
    return path


@pytest.mark.parametrize("suffix", [".geojson", ".json", ".gpkg", ".parquet", ".shp", ".zip"])
def test_every_format_gives_the_same_wards(
    suffix: str, four_units: gpd.GeoDataFrame, tmp_path: Path, edition: datetime.date
) -> None:
    if suffix == ".json":
        path = tmp_path / "wards.json"
        path.write_text(four_units.to_json(), encoding="utf-8")
    else:
        path = _write(four_units, tmp_path / f"wards{suffix}")
    wards = read_wards(path, edition).wards
    assert wards["code"].tolist() == four_units["code"].tolist()
    assert wards["name"].tolist() == four_units["name"].tolist()
    assert wards.geometry.normalize().geom_equals_exact(four_units.normalize(), 1e-9).all()


def test_a_shapefile_without_cpg_keeps_vietnamese_names(
    four_units: gpd.GeoDataFrame, tmp_path: Path, edition: datetime.date
) -> None:
    path = _write(four_units, tmp_path / "wards.shp")
    path.with_suffix(".cpg").unlink()
    assert read_wards(path, edition).wards["name"].tolist() == four_units["name"].tolist()


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".parquet", ".shp", ".zip"])
def test_a_file_that_points_to_another_one_is_refused(
    suffix: str, four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    secret = _write(four_units, tmp_path / "secret.gpkg")
    path = tmp_path / f"wards{suffix}"
    path.write_text(
        '<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>'
        f"{secret}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(GeoError) as refused:
        read_boundary_file(path)
    assert refused.value.reason == "unreadable_file"


def test_a_pipeline_in_json_is_refused(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    secret = _write(four_units, tmp_path / "secret.gpkg")
    path = tmp_path / "wards.geojson"
    path.write_text(
        json.dumps(
            {
                "type": "gdal_streamed_alg",
                "command_line": f"gdal vector pipeline ! read {secret}",
            }
        )
    )
    with pytest.raises(GeoError, match="not a FeatureCollection"):
        read_boundary_file(path)


def test_a_crs_link_is_not_followed(
    four_units: gpd.GeoDataFrame,
    tmp_path: Path,
    edition: datetime.date,
    canary: tuple[str, list[str]],
) -> None:
    address, hits = canary
    document = json.loads(four_units.to_json())
    document["crs"] = {"type": "link", "properties": {"href": f"{address}/crs", "type": "esriwkt"}}
    path = tmp_path / "wards.geojson"
    path.write_text(json.dumps(document))
    assert len(read_wards(path, edition).wards) == 4
    assert hits == []


def test_a_named_crs_is_converted(
    four_units: gpd.GeoDataFrame, tmp_path: Path, edition: datetime.date
) -> None:
    document = json.loads(four_units.to_crs("EPSG:3857").to_json())
    document["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    path = tmp_path / "wards.geojson"
    path.write_text(json.dumps(document))
    wards = read_wards(path, edition).wards
    assert wards.geometry.geom_equals_exact(four_units.geometry, 1e-9).all()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"features": NaN}', "", "\xff\xfe", "[]"])
def test_json_that_is_no_map_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "wards.geojson"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(GeoError) as refused:
        read_boundary_file(path)
    assert refused.value.reason == "unreadable_file"


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ({"type": "Point", "coordinates": [106, 10]}, "not_polygon"),
        ({"type": "GeometryCollection", "geometries": []}, "not_polygon"),
        ({"type": "Polygon", "coordinates": [[["106", "10"]] * 4]}, "broken_coordinates"),
        ({"type": "Polygon", "coordinates": [[[106, 10], [107, 10]]]}, "broken_coordinates"),
        ({"type": "Polygon", "coordinates": 7}, "broken_coordinates"),
        ({"type": "Polygon", "coordinates": [[[1e999, 10], [107, 10], [107, 11]]]}, None),
        ({"type": "Polygon", "coordinates": []}, "no_geometry"),
        (None, "no_geometry"),
        ("POLYGON", "not_polygon"),
    ],
)
def test_a_geometry_that_is_no_polygon_is_named(
    geometry: object,
    reason: str | None,
    four_units: gpd.GeoDataFrame,
    tmp_path: Path,
    edition: datetime.date,
) -> None:
    document = json.loads(four_units.to_json())
    document["features"][2]["geometry"] = geometry
    path = tmp_path / "wards.geojson"
    path.write_text(json.dumps(document).replace("Infinity", "1e999"))
    with pytest.raises(GeoError) as refused:
        read_wards(path, edition)
    (problem,) = refused.value.facts["problems"]
    assert (problem.row, problem.code) == (3, "00003")
    assert problem.reason == (reason or "broken_coordinates")


def test_nested_collections_cannot_end_the_process(
    four_units: gpd.GeoDataFrame, tmp_path: Path, edition: datetime.date
) -> None:
    """GEOS reads them by recursion and crashes; a multipolygon may hide them in its second part."""
    nested = struct.pack("<BII", 1, 7, 1) * 20_000 + struct.pack("<BII", 1, 7, 0)
    hidden = struct.pack("<BII", 1, 6, 2) + shapely.box(106, 10, 107, 11).wkb + nested
    path = _write(four_units, tmp_path / "wards.parquet")
    table = pq.read_table(path)
    for evil in (nested, hidden):
        blobs = [*table["geometry"].to_pylist()[:3], evil]
        at = table.schema.get_field_index("geometry")
        pq.write_table(table.set_column(at, table.schema.field(at), [blobs]), path)
        with pytest.raises(GeoError) as refused:
            read_wards(path, edition)
        assert [p.reason for p in refused.value.facts["problems"]] == ["not_polygon"]


def test_multipolygons_with_holes_and_heights_come_through_wkb(
    tmp_path: Path, edition: datetime.date
) -> None:
    ring = shapely.box(106, 10, 107, 11).difference(shapely.box(106.4, 10.4, 106.6, 10.6))
    both = shapely.force_3d(shapely.MultiPolygon([ring, shapely.box(108, 10, 109, 11)]), 5.0)
    path = tmp_path / "wards.parquet"
    gpd.GeoDataFrame({"code": ["1"], "name": ["a"]}, geometry=[both], crs="EPSG:4326").to_parquet(
        path
    )
    (read,) = read_wards(path, edition).wards.geometry
    assert read.equals(shapely.force_2d(both))
    assert not read.has_z


def test_a_zip_with_two_shapefiles_is_refused(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    path = _write(four_units, tmp_path / "wards.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../other.shp", b"x")
    with pytest.raises(GeoError, match="exactly one"):
        read_boundary_file(path)


def test_members_of_a_zip_stay_inside(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    shapefile = _write(four_units, tmp_path / "in.shp")
    path = tmp_path / "wards.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in tmp_path.glob("in.*"):
            archive.write(part, f"../../../out{part.suffix}")
    assert shapefile.exists()
    assert len(read_boundary_file(path).table) == 4
    assert not list(tmp_path.parent.glob("out.*"))


def test_a_package_with_two_layers_is_refused_by_name(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "wards.gpkg"
    four_units.to_file(path, layer="wards")
    four_units.to_file(path, layer="old_wards")
    with pytest.raises(GeoError) as refused:
        read_boundary_file(path)
    assert refused.value.facts["layers"] == ["wards", "old_wards"]


def test_too_many_units_and_no_units_are_refused(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    path = _write(four_units.iloc[:0], tmp_path / "wards.parquet")
    with pytest.raises(GeoError, match="0 units"):
        read_boundary_file(path)
    many = gpd.GeoDataFrame(geometry=[None] * (MAX_UNITS + 1), crs="EPSG:4326")
    many.to_parquet(path)
    with pytest.raises(GeoError, match=str(MAX_UNITS + 1)):
        read_boundary_file(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GeoError, match=r"no file 'wards\.gpkg'"):
        read_boundary_file(tmp_path / "wards.gpkg")
