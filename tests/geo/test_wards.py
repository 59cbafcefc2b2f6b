"""Reading an edition: what is refused, what is cleaned and how it is told, what is kept."""

import datetime
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity, box

from geo.errors import GeoError
from geo.wards import (
    WARDS_COLUMNS,
    ReadWards,
    dense_core,
    drawing_copy,
    feature_collection,
    read_edition,
    read_wards,
    wards_table,
    write_edition,
)

DAY = datetime.date(2025, 7, 1)


def _read(units: gpd.GeoDataFrame, tmp_path: Path, **options: str) -> ReadWards:
    path = tmp_path / "wards.parquet"
    units.to_parquet(path)
    return read_wards(path, DAY, **options)


def _refused(units: gpd.GeoDataFrame, tmp_path: Path, **options: str) -> GeoError:
    with pytest.raises(GeoError) as refused:
        _read(units, tmp_path, **options)
    return refused.value


def test_a_clean_file_comes_back_to_the_last_digit(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    read = _read(four_units.iloc[::-1], tmp_path)
    assert list(read.wards.columns) == list(WARDS_COLUMNS)
    assert read.wards["code"].tolist() == ["00001", "00002", "00003", "00004"]
    assert read.wards["kind"].tolist() == ["phuong", "", "xa", "dac_khu"]
    assert read.wards["edition"].unique().tolist() == ["2025-07-01"]
    assert read.wards["area_km2"].between(120.5, 121.5).all()
    assert shapely.equals_identical(
        read.wards.geometry.to_numpy(), four_units.geometry.to_numpy()
    ).all()
    findings = read.findings
    assert (findings.cleaned, findings.overlap_ha, findings.gap_ha) == (False, 0, 0)
    assert (findings.units, findings.islands, findings.invalid_rings) == (4, (), ())


def test_names_become_nfc_with_single_blanks(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    four_units["name"] = [" Hie\u0323\u0302p\u00a0 Bình\u200b", "a\tb", "\ufeffx", "y\nz"]
    assert _read(four_units, tmp_path).wards["name"].tolist() == ["Hiệp Bình", "a b", "x", "y z"]


@pytest.mark.parametrize("column", ["type", "Kind", "LOAI", "cap"])
def test_kinds_are_read_from_vietnamese_words(
    column: str, four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    four_units[column] = ["PHƯỜNG", "Xã", "Đặc khu", "Thị trấn"]
    options = {"kind_column": column} if column == "cap" else {}
    wards = _read(four_units, tmp_path, **options).wards
    assert wards["kind"].tolist() == ["phuong", "xa", "dac_khu", "thi_tran"]


def test_missing_columns_are_told_with_those_that_are_there(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    error = _refused(four_units, tmp_path, code_column="ma", name_column="ten")
    assert error.reason == "column_missing"
    assert error.facts["missing"] == ("ma", "ten")
    assert error.facts["columns"] == ("code", "name")


@pytest.mark.parametrize("codes", [[1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0]])
def test_numbers_are_not_turned_into_codes(
    codes: list[float], four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    error = _refused(four_units.assign(code=codes), tmp_path)
    assert error.reason == "codes_are_numbers"
    assert "zeros" in str(error)


def test_all_bad_rows_are_named_not_the_first(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    four_units["code"] = ["00001", " 00001", "", None]
    four_units.loc[2, "geometry"] = None
    four_units.loc[3, "name"] = " "
    error = _refused(four_units, tmp_path)
    assert error.reason == "several_problems"
    assert [(p.row, p.reason) for p in error.facts["problems"]] == [
        (2, "duplicate_code"),
        (3, "blank_code"),
        (3, "no_geometry"),
        (4, "blank_code"),
        (4, "blank_name"),
    ]
    assert "row 2 (00001) repeats a code: #1" in str(error)


def test_a_crs_is_asked_for_and_must_not_contradict(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    without = four_units.set_crs(None, allow_override=True)
    assert _refused(without, tmp_path).reason == "crs_missing"
    assert len(_read(without, tmp_path, crs="EPSG:4326").wards) == 4
    assert _refused(without, tmp_path, crs="EPSG:0").reason == "crs_unknown"
    assert _refused(four_units, tmp_path, crs="EPSG:32648").reason == "crs_conflict"


def test_metres_and_swapped_degrees_are_told_apart(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    swapped = four_units.set_geometry(gpd.GeoSeries([box(10, 106, 11, 107)] * 4, crs="EPSG:4326"))
    metres = four_units.to_crs("EPSG:32648").set_crs("EPSG:4326", allow_override=True)
    elsewhere = four_units.translate(-100)
    assert _refused(swapped, tmp_path).reason == "lat_lon_swapped"
    assert _refused(metres, tmp_path).reason == "metres_suspected"
    assert _refused(four_units.set_geometry(elsewhere), tmp_path).reason == "outside_viet_nam"


def test_an_overlap_goes_to_one_ward_and_is_counted(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    """The first square also claims a strip of 10 % of its right neighbour: 12.1 km2."""
    four_units.loc[0, "geometry"] = box(106, 10, 106.11, 10.1)
    read = _read(four_units, tmp_path)
    assert read.findings.cleaned
    assert read.findings.overlap_ha == pytest.approx(1_210, rel=0.01)
    assert read.findings.largest_area_change_ha == pytest.approx(1_210, rel=0.01)
    assert shapely.coverage_is_valid(read.wards.geometry.to_numpy())
    assert read.wards["area_km2"].sum() == pytest.approx(4 * 121, rel=0.01)


def _west_to_east(lat: float) -> list[tuple[float, float]]:
    """With a vertex wherever a neighbour has one: a straight line in degrees is none in metres."""
    return [(106, lat), (106.1, lat), (106.10005, lat), (106.2, lat)]


def test_a_sliver_is_closed_and_a_lake_stays(tmp_path: Path) -> None:
    """
    AAAAAAAAAA
    BBBB|CCoCC    | a sliver 5 m wide between B and C; o a lake of a square kilometre
    DDDDDDDDDD
    """
    lake = box(106.15, 10.04, 106.16, 10.05)
    units = gpd.GeoDataFrame(
        {"code": ["A", "B", "C", "D"], "name": ["a", "b", "c", "d"]},
        geometry=[
            shapely.Polygon([*_west_to_east(10.1), (106.2, 10.2), (106, 10.2)]),
            box(106, 10, 106.1, 10.1),
            box(106.10005, 10, 106.2, 10.1).difference(lake),
            shapely.Polygon([*_west_to_east(10), (106.2, 9.9), (106, 9.9)]),
        ],
        crs="EPSG:4326",
    )
    read = _read(units, tmp_path)
    whole = read.wards.union_all()
    assert read.findings.gap_ha == pytest.approx(6.06, rel=0.02)
    assert len(whole.interiors) == 1
    assert shapely.Polygon(whole.interiors[0]).equals_exact(lake, 1e-6)


def test_a_ring_that_crosses_itself_is_repaired_and_named(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    bow_tie = shapely.Polygon([(107, 10), (107.1, 10.1), (107.1, 10), (107, 10.1)])
    four_units.loc[3, "geometry"] = bow_tie
    read = _read(four_units, tmp_path)
    assert read.findings.invalid_rings == ("00004",)
    assert read.findings.islands == ("00004",)
    assert read.wards["area_km2"][3] == pytest.approx(60, rel=0.02)


def test_a_scribble_is_refused_in_time(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    points = np.random.default_rng(7).uniform((106, 10), (107, 11), (300, 2))
    four_units.loc[3, "geometry"] = shapely.Polygon(points)
    error = _refused(four_units, tmp_path)
    assert error.reason == "ring_too_tangled"
    assert error.facts["codes"] == ("00004",)


def test_two_codes_on_one_polygon_are_refused(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    four_units.loc[3, "geometry"] = four_units.geometry[0]
    error = _refused(four_units, tmp_path)
    assert error.reason == "unit_lost"
    assert set(error.facts["codes"]) <= {"00001", "00004"}


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 5.0, 60.0]))
def test_whatever_was_jittered_becomes_a_valid_coverage(seed: int, jitter_m: float) -> None:
    from geo.coverage import clean_coverage

    random = np.random.default_rng(seed)
    points = shapely.MultiPoint(random.uniform((106, 10), (106.2, 10.2), (12, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=box(106, 10, 106.2, 10.2)))
    cells = shapely.intersection(cells, box(106, 10, 106.2, 10.2))
    shaken = np.array(
        [
            shapely.Polygon(xy + random.normal(0, jitter_m / 1e5, xy.shape))
            for xy in (shapely.get_coordinates(cell)[:-1] for cell in cells)
        ]
    )
    codes = np.array([f"{number:02}" for number in range(len(cells))], dtype=object)
    cleaned = clean_coverage(shaken, codes)
    assert shapely.coverage_is_valid(cleaned.polygons)
    assert shapely.is_valid(cleaned.polygons).all()
    assert cleaned.cleaned == (jitter_m > 0)
    growth = shapely.area(cleaned.polygons).sum() / shapely.area(cells).sum()
    assert growth == pytest.approx(1, abs=0.02)


def test_a_drawing_copy_has_fewer_vertices_and_no_gaps() -> None:
    left = shapely.Point(106.5, 10.5).buffer(0.1, quad_segs=64)
    right = box(106.5, 10.3, 106.9, 10.7).difference(left)
    wards = wards_table(["1", "2"], ["a", "b"], ["", ""], DAY, np.array([left, right]))
    copy = drawing_copy(wards, 300)
    assert copy.count_coordinates().sum() < wards.count_coordinates().sum() / 3
    assert shapely.coverage_is_valid(copy.geometry.to_numpy())
    assert copy["area_km2"].equals(wards["area_km2"])


def test_browser_geojson_is_safe_inside_a_page_and_points_lie_inside() -> None:
    name = "</script><script>alert(1)</script>&\u2028{{7*7}} Hiệp"
    crescent = (
        shapely.Point(106.5, 10.5)
        .buffer(0.1)
        .difference(affinity.translate(shapely.Point(106.5, 10.5).buffer(0.1), 0.02))
    )
    wards = wards_table(["00001"], [name], ["xa"], DAY, np.array([crescent]))
    text = feature_collection(wards)
    assert not set(b"<>&") & set(text)
    assert text.isascii()
    (feature,) = json.loads(text)["features"]
    assert (feature["id"], feature["properties"]["name"]) == ("00001", name)
    assert crescent.contains(shapely.Point(feature["properties"]["at"]))
    assert shapely.geometry.shape(feature["geometry"]).hausdorff_distance(crescent) < 1e-5


def test_an_edition_is_read_back_the_same(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    wards = _read(four_units, tmp_path).wards
    write_edition(wards, tmp_path / "2025-07-01.parquet")
    again = read_edition(tmp_path / "2025-07-01.parquet")
    assert_geodataframe_equal(again, wards)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2025-07-01.parquet",
        "wards.parquet",
    ]


def test_the_core_of_a_city_is_where_its_wards_are_small() -> None:
    """Twenty-five small wards in the middle of the west, sixteen large ones around and far east."""
    small = [box(106 + c / 100, 10 + r / 100, 106.01 + c / 100, 10.01 + r / 100)
             for r in range(5) for c in range(5)]  # fmt: skip
    large = [box(106.3 + c / 5, 9.8 + r / 5, 106.5 + c / 5, 10 + r / 5)
             for r in range(4) for c in range(4)]  # fmt: skip
    wards = gpd.GeoDataFrame({"code": range(41)}, geometry=[*small, *large], crs="EPSG:4326")
    assert list(dense_core(wards)["code"]) == list(range(25))


def test_a_city_of_equal_wards_has_no_core() -> None:
    equal = [box(106 + c, 10 + r, 107 + c, 11 + r) for r in range(6) for c in range(6)]
    wards = gpd.GeoDataFrame({"code": range(36)}, geometry=equal, crs="EPSG:4326")
    assert dense_core(wards).empty
    assert dense_core(wards.head(20)).empty
