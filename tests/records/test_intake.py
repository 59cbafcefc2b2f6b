"""Files that people bring are read as they are, or refused with the reason; nothing is fetched."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import LineString, Point

from hotspots.errors import IntakeError
from hotspots.records.intake import RawRows, read_rows

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_


def reason(path: Path) -> str:
    with pytest.raises(IntakeError) as refused:
        read_rows(path)
    assert refused.value.facts["file"] == path.name
    return refused.value.reason


# -- CSV


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_table_is_read_whatever_program_saved_it(
    write: Write, separator: str, encoding: str, line_end: str
) -> None:
    text = line_end.join(
        separator.join(cells) for cells in (("mã", "số vụ"), ("00123", "1"), ("00456", "Đông"))
    )
    content = (
        b"\xff\xfe" + text.encode("utf-16-le")
        if encoding == "utf-16-le-bom"
        else text.encode(encoding)
    )
    raw = read_rows(write("a.csv", content))
    assert raw.table.to_dict("list") == {"mã": ["00123", "00456"], "số vụ": ["1", "Đông"]}
    assert list(raw.table.index) == [1, 2]
    assert raw.rows == 2


def test_every_cell_of_a_csv_stays_text(write: Write) -> None:
    raw = read_rows(write("a.csv", ' code ,"count"\n00123,007\nNA,\n'))
    assert raw.table.to_dict("list") == {"code": ["00123", "NA"], "count": ["007", ""]}


def test_a_name_of_two_lines_does_not_turn_codes_into_numbers(write: Write) -> None:
    raw = read_rows(write("a.csv", '"ward\ncode",n\n00123,1\n'))
    assert raw.table.iloc[0].tolist() == ["00123", "1"]


def test_a_line_that_names_the_separator_is_no_header(write: Write) -> None:
    assert list(read_rows(write("a.csv", "sep=;\na;b\n1;2\n")).table.columns) == ["a", "b"]


def test_a_cell_may_hold_lines_and_separators(write: Write) -> None:
    raw = read_rows(write("a.csv", 'a,b\n"x\ny","1,2"\nz,3\n'))
    assert raw.table["a"].tolist() == ["x\ny", "z"]
    assert list(raw.table.index) == [1, 2]


def test_ragged_rows_come_back_with_their_number_the_header_not_counted(write: Write) -> None:
    raw = read_rows(write("a.csv", 'a,b\n1,2\nshort\n"3\n3",4\n1,2,3\n5,6\n'))
    assert raw.ragged.to_dict("records") == [
        {"row": 2, "reason": "wrong_number_of_cells", "value": "short"},
        {"row": 4, "reason": "wrong_number_of_cells", "value": "1,2,3"},
    ]
    assert raw.table["b"].to_dict() == {1: "2", 3: "4", 5: "6"}
    assert raw.rows == 5


def test_row_numbers_stay_right_over_many_blocks(write: Write) -> None:
    lines = (f"{n},{'x' * 60}" if n % 700 else "bad" for n in range(1, 50_001))
    raw = read_rows(write("a.csv", "n,text\n" + "\n".join(lines)))
    assert raw.ragged["row"].tolist() == list(range(700, 50_001, 700))
    assert (raw.table["n"].astype(int) == raw.table.index).all()
    assert raw.rows == 50_000


@given(
    rows=st.lists(
        st.lists(st.text(st.sampled_from('ab1,;"\n é'), max_size=4), min_size=1, max_size=4),
        max_size=8,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_every_row_of_any_csv_is_read_or_comes_back(tmp_path: Path, rows: list[list[str]]) -> None:
    def quoted(cells: list[str]) -> str:
        return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)

    path = tmp_path / "any.csv"
    path.write_text("\n".join(["left,right", *map(quoted, rows)]), "utf-8")
    raw = read_rows(path)
    good = {number: cells for number, cells in enumerate(rows, start=1) if len(cells) == 2}
    assert raw.rows == len(rows)
    assert {n: list(cells) for n, *cells in raw.table.itertuples()} == good
    assert set(raw.ragged["row"]) == set(range(1, len(rows) + 1)) - set(good)


@pytest.mark.parametrize(
    ("text", "wrong"), [("a,a\n", ["a"]), ("a, a \n", ["a"]), ("a,,b\n", [""])]
)
def test_every_column_needs_a_name_of_its_own(write: Write, text: str, wrong: list[str]) -> None:
    with pytest.raises(IntakeError) as refused:
        read_rows(write("a.csv", text))
    assert (refused.value.reason, refused.value.facts["names"]) == ("header_not_usable", wrong)


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\r\n"])
def test_a_header_alone_is_a_file_without_rows(write: Write, text: str) -> None:
    raw = read_rows(write("a.csv", text))
    assert (raw.rows, len(raw.table), list(raw.table.columns)) == (0, 0, ["a", "b"])


@pytest.mark.parametrize(
    ("name", "content", "reason_"),
    [
        ("a.csv", b"", "file_empty"),
        ("a.geojson", b"", "file_empty"),
        ("a.csv", b"\n", "header_not_usable"),
        ("a.csv", b"a,b\n1,\x002\n", "file_not_text"),
        ("a.csv", b"a,b\n" + b"1,2\n" * 30_000 + b"\x00", "file_not_text"),
        ("a.csv", "a,b\nPhường,1\n".encode("cp1258", "replace"), "encoding_not_utf8"),
        ("a.csv", b"\xff\xfea\x00,\x00b", "encoding_not_utf8"),
        ("a.csv", b"x" * 200_000 + b",b\n1,2\n", "file_not_read"),
        ("a.xlsx", b"PK\x03\x04", "file_kind_unknown"),
        ("a", b"a,b\n", "file_kind_unknown"),
        ("a.csv", b"SQLite format 3\x00", "file_not_text"),
        ("a.parquet", b"a,b\n1,2\n", "file_not_read"),
        ("a.parquet", b"PAR1" + b"\x00" * 40 + b"PAR1", "file_not_read"),
        ("a.gpkg", b"a,b\n1,2\n", "file_not_read"),
        ("a.gpkg", b"SQLite format 3\x00" + b"\x00" * 200, "file_not_read"),
        ("a.geojson", b"a,b\n1,2\n", "file_not_read"),
        ("a.geojson", b"PAR1", "file_not_read"),
    ],
)
def test_what_is_not_what_it_says_is_refused(
    write: Write, name: str, content: bytes, reason_: str
) -> None:
    assert reason(write(name, content)) == reason_


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.csv") == "file_missing"
    (tmp_path / "folder.csv").mkdir()
    assert reason(tmp_path / "folder.csv") == "file_missing"


@given(content=st.binary(max_size=60), name=st.sampled_from(["a.csv", "a.geojson", "a.gpkg"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_with_a_reason(
    tmp_path: Path, content: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    try:
        assert isinstance(read_rows(path), RawRows)
    except IntakeError as refused:
        assert refused.facts["file"] == name  # noqa: PT017 - both endings are right


# -- GeoJSON


def collection(*features: object, **more: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **more})


def feature(coordinates: object, kind: str = "Point", **properties: object) -> dict[str, object]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def test_points_of_geojson_become_longitude_and_latitude(write: Write) -> None:
    raw = read_rows(write("a.geojson", collection(feature([106.7, 10.5, 3], date="2025-10"))))
    assert raw.table.to_dict("records") == [{"date": "2025-10", "lon": 106.7, "lat": 10.5}]
    assert list(raw.table.index) == [1]


@pytest.mark.parametrize(
    "odd",
    [
        feature([float("nan"), 10]),
        feature([[106, 10], [107, 11]], "LineString"),
        feature([106]),
        feature("106 10"),
        {"type": "Feature", "geometry": None, "properties": None},
        {},
    ],
)
def test_a_feature_without_a_point_keeps_its_row_and_lacks_its_place(
    write: Write, odd: dict[str, object]
) -> None:
    raw = read_rows(write("a.json", collection(feature([106.7, 10.5]), odd)))
    assert raw.rows == 2
    assert raw.table.loc[2, ["lon", "lat"]].isna().any()


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "null",
        "{}",
        '{"features": {}}',
        '{"features": "x"}',
        '{"features": [1]}',
        '{"features": [null]}',
        '{"features": [{"properties": []}, {"properties": [1]}]}',
        "[" * 100_000,
    ],
)
def test_json_of_another_shape_is_refused(write: Write, content: str) -> None:
    assert reason(write("a.geojson", content)) == "file_not_read"


@pytest.mark.parametrize(
    "name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"]
)
def test_a_crs_in_degrees_is_read(write: Write, name: str) -> None:
    crs = {"type": "name", "properties": {"name": name}}
    assert read_rows(write("a.geojson", collection(feature([106, 10]), crs=crs))).rows == 1


@pytest.mark.parametrize(
    "crs",
    [
        {"type": "name", "properties": {"name": "EPSG:3405"}},
        {"type": "name", "properties": {"name": "EPSG:14326"}},
        {"type": "link", "properties": {"href": "http://127.0.0.1/crs"}},
        {"type": "name"},
        "EPSG:3405",
        5,
    ],
)
def test_any_other_crs_is_refused(write: Write, crs: object) -> None:
    assert reason(write("a.geojson", collection(crs=crs))) == "geojson_not_wgs84"


# -- GeoPackage and Parquet


def test_points_of_a_geopackage_are_converted_to_degrees(tmp_path: Path) -> None:
    points = gpd.GeoDataFrame(
        {"date": ["2025-10", "2025-11"], "code": ["007", "008"]},
        geometry=[Point(106.7, 10.8), None],
        crs=4326,
    )
    path = tmp_path / "a.gpkg"
    points.to_crs(3405).to_file(path, driver="GPKG")  # VN-2000 / UTM zone 48N, in metres
    raw = read_rows(path)
    assert raw.table["lon"][1] == pytest.approx(106.7, abs=1e-7)
    assert raw.table["lat"][1] == pytest.approx(10.8, abs=1e-7)
    assert raw.table["lon"].isna()[2]
    assert raw.table["code"].tolist() == ["007", "008"]


def test_other_shapes_than_points_are_refused(tmp_path: Path) -> None:
    lines = gpd.GeoDataFrame({"a": [1]}, geometry=[LineString([(0, 0), (1, 1)])], crs=4326)
    lines.to_file(tmp_path / "a.gpkg", driver="GPKG")
    assert reason(tmp_path / "a.gpkg") == "points_needed"


def test_a_geopackage_of_several_layers_is_refused(tmp_path: Path) -> None:
    points = gpd.GeoDataFrame({"a": [1]}, geometry=[Point(106, 10)], crs=4326)
    for layer in ("one", "two"):
        points.to_file(tmp_path / "a.gpkg", driver="GPKG", layer=layer)
    assert reason(tmp_path / "a.gpkg") == "file_not_read"


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_points_without_a_crs_are_refused(tmp_path: Path) -> None:
    points = gpd.GeoDataFrame({"a": [1]}, geometry=[Point(106, 10)])
    points.to_file(tmp_path / "a.gpkg", driver="GPKG")
    assert reason(tmp_path / "a.gpkg") == "crs_missing"


def test_columns_of_parquet_keep_their_kind(tmp_path: Path) -> None:
    rows = pd.DataFrame({"ward": ["00123"], "count": [3]}, index=[9])
    rows.to_parquet(tmp_path / "a.parquet")
    raw = read_rows(tmp_path / "a.parquet")
    assert raw.table.loc[1, ["ward", "count"]].tolist() == ["00123", 3]


# -- nothing of the server is read


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.json", "a.parquet"])
def test_a_vrt_under_another_name_never_reads_a_file_of_the_server(
    tmp_path: Path, write: Write, name: str
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("lon,lat\n106,10\n")
    vrt = (
        "<OGRVRTDataSource><OGRVRTLayer name='secret'>"
        f"<SrcDataSource>{secret}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    assert reason(write(name, vrt)) == "file_not_read"


def test_a_crs_link_is_never_followed(write: Write) -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        href = f"http://127.0.0.1:{server.server_port}/crs"
        crs = {"type": "link", "properties": {"href": href, "type": "proj4"}}
        path = write("a.geojson", collection(feature([106, 10]), crs=crs))
        assert reason(path) == "geojson_not_wgs84"
        server.shutdown()
    assert asked == []
