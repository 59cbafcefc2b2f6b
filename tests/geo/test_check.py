"""What is said of a faulty boundary file, and that the cleaned one has nothing left to say."""

import datetime
import json
from dataclasses import asdict
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from geo.check import BoundaryCheck, check_boundaries, write_cleaned
from geo.errors import GeoError
from geo.wards import read_wards, wards_table

DAY = datetime.date(2025, 7, 1)
FORMATS = [".geojson", ".gpkg", ".parquet"]


def _check(units: gpd.GeoDataFrame, tmp_path: Path, **options: object) -> BoundaryCheck:
    path = tmp_path / "wards.parquet"
    units.to_parquet(path)
    return check_boundaries(path, DAY, **options)  # type: ignore[arg-type]


def _refused(units: gpd.GeoDataFrame, tmp_path: Path, **options: object) -> GeoError:
    with pytest.raises(GeoError) as refused:
        _check(units, tmp_path, **options)
    return refused.value


# -- the file itself


def test_a_clean_file_has_nothing_to_say(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    found = _check(four_units, tmp_path)
    assert not found.has_findings
    assert (found.file, found.edition) == ("wards.parquet", "2025-07-01")
    assert (found.units, found.measured, found.vertices) == (4, 4, 20)
    assert found.area_km2 == pytest.approx(4 * 121, rel=0.01)
    assert (found.overlap_ha, found.overlapping_pairs, found.largest_overlaps) == (0, 0, ())
    assert (found.gap_ha, found.largest_area_change_ha, found.islands) == (0, 0, ())
    assert (found.cleaned, found.not_cleaned) == (False, None)
    assert (found.published_areas, found.comparison) == (None, None)


def _reaching_over(units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """00001 also claims a tenth of 00002, 12.1 km2 within its western half."""
    claimed = box(106.1, 10.03, 106.12, 10.08)
    return units.set_geometry(
        gpd.GeoSeries([units.geometry[0].union(claimed), *units.geometry[1:]], crs=units.crs)
    )


def test_an_overlap_is_told_with_its_pair(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    four_units = _reaching_over(four_units)
    found = _check(four_units, tmp_path)
    assert found.has_findings
    assert found.cleaned
    (pair,) = found.largest_overlaps
    assert (pair.a, pair.b, found.overlapping_pairs) == ("00001", "00002", 1)
    assert pair.area_ha == found.overlap_ha == pytest.approx(1_210, rel=0.01)
    assert found.area_km2 == pytest.approx(4 * 121, rel=0.01)


def test_of_many_overlaps_the_largest_twenty_are_shown(tmp_path: Path) -> None:
    """Thirty squares in a row, each reaching a little farther into the next one."""
    units = gpd.GeoDataFrame(
        {"code": [f"{number:02}" for number in range(31)], "name": "a"},
        geometry=[
            box(106 + each / 100, 10, 106.01 + each / 100 + each / 10_000, 10.01)
            for each in range(31)
        ],
        crs="EPSG:4326",
    )
    found = _check(units, tmp_path)
    assert (found.overlapping_pairs, len(found.largest_overlaps)) == (29, 20)
    assert (found.largest_overlaps[0].a, found.largest_overlaps[0].b) == ("29", "30")
    areas = [pair.area_ha for pair in found.largest_overlaps]
    assert areas == sorted(areas, reverse=True)
    assert sum(areas) < found.overlap_ha


def test_gaps_crossing_rings_and_islands_are_told(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    bow_tie = shapely.Polygon([(107, 10), (107.1, 10.1), (107.1, 10), (107, 10.1)])
    hole = box(106.1, 10.02, 106.10005, 10.08)  # 5 m wide, between 00001 and 00002
    four_units.loc[1, "geometry"] = four_units.geometry[1].difference(hole)
    four_units.loc[3, "geometry"] = bow_tie
    found = _check(four_units, tmp_path)
    assert found.invalid_rings == found.islands == ("00004",)
    assert found.gap_ha == pytest.approx(3.64, rel=0.02)


def test_unusable_rows_are_told_and_the_rest_is_measured(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    """00001 reaches into the second row, whose code is missing; the third is turned over."""
    four_units = _reaching_over(four_units)
    four_units["code"] = ["00001", None, "00003", "00001"]
    four_units.loc[2, "geometry"] = box(10, 106, 10.1, 106.1)
    four_units.loc[3, "name"] = ""
    found = _check(four_units, tmp_path)
    assert [(problem.row, problem.reason) for problem in found.problems] == [
        (2, "blank_code"),
        (3, "lat_lon_swapped"),
        (4, "duplicate_code"),
        (4, "blank_name"),
    ]
    assert (found.units, found.measured) == (4, 3)
    assert found.area_km2 == pytest.approx(3 * 121, rel=0.01)
    (pair,) = found.largest_overlaps
    assert (pair.a, pair.b) == ("#2", "00001")


def test_number_codes_do_not_stop_the_check(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    found = _check(four_units.assign(code=[1, 2, 3, 4]), tmp_path)
    assert {problem.reason for problem in found.problems} == {"code_not_text"}
    assert (len(found.problems), found.measured) == (4, 4)


def test_a_file_without_one_usable_row_is_told_too(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    away = four_units.set_geometry(four_units.translate(-100))
    found = _check(away, tmp_path, area_column="code", against=_other_edition(four_units))
    assert {problem.reason for problem in found.problems} == {"outside_viet_nam"}
    assert (found.units, found.measured, found.area_km2, found.islands) == (4, 0, 0, ())
    assert found.comparison is not None
    assert (found.comparison.in_both, found.comparison.territories) == (4, 0)


def test_what_cannot_be_cleaned_is_still_measured(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    four_units.loc[3, "geometry"] = four_units.geometry[0]
    found = _check(four_units, tmp_path)
    assert found.not_cleaned is not None
    assert found.not_cleaned.reason == "unit_lost"
    assert set(found.not_cleaned.codes) <= {"00001", "00004"}
    assert (found.cleaned, found.gap_ha, found.largest_area_change_ha) == (False, None, None)
    assert found.overlap_ha == pytest.approx(12_100, rel=0.01)
    assert found.area_km2 == pytest.approx(3 * 121, rel=0.01)
    assert found.has_findings


def test_a_check_can_be_kept_as_json(four_units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    four_units = _reaching_over(four_units)
    four_units.loc[3, "geometry"] = None
    four_units["published"] = [100.0, 121, 500, None]
    found = _check(
        four_units, tmp_path, area_column="published", against=_other_edition(four_units.iloc[:3])
    )
    kept = json.loads(json.dumps(asdict(found), allow_nan=False))
    assert kept["problems"][0] == {
        "row": 4,
        "code": "00004",
        "reason": "no_geometry",
        "given": "",
    }
    assert kept["published_areas"]["compared"] == 3
    assert kept["comparison"]["in_both"] == 3


def test_a_file_of_which_nothing_can_be_said_is_refused(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    without = four_units.set_crs(None, allow_override=True)
    assert _refused(without, tmp_path).reason == "crs_missing"
    assert _refused(four_units, tmp_path, area_column="km2").facts["missing"] == ("km2",)
    assert _refused(four_units, tmp_path, code_column="ma").reason == "column_missing"
    with pytest.raises(GeoError, match="no file"):
        check_boundaries(tmp_path / "nowhere.gpkg", DAY)


# -- published areas


def test_published_areas_off_by_more_than_a_twentieth_are_listed(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    measured = _check(four_units, tmp_path).area_km2 / 4
    four_units["km2"] = [measured * 1.04, measured * 1.06, measured * 0.94, measured * 0.96]
    areas = _check(four_units, tmp_path, area_column="km2").published_areas
    assert areas is not None
    assert areas.compared == 4
    assert [area.code for area in areas.off] == ["00002", "00003"]
    assert areas.off[0].published_km2 / areas.off[0].measured_km2 == pytest.approx(1.06, abs=0.005)


def test_an_area_that_is_no_clear_number_is_not_compared(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    four_units["km2"] = ["121.0", "121,0", None, "0"]
    areas = _check(four_units, tmp_path, area_column="km2").published_areas
    assert areas is not None
    assert (areas.compared, areas.off) == (1, ())


# -- against another edition


def _other_edition(units: gpd.GeoDataFrame, day: str = "2025-01-01") -> gpd.GeoDataFrame:
    return wards_table(
        units["code"],
        units["name"],
        [""] * len(units),
        datetime.date.fromisoformat(day),
        units.geometry.to_numpy(),
    )


def test_codes_names_and_territories_are_compared(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    """
    there: 00003 00004    here: 00003 00009    00009 has the name that 00004 has there;
           00001 00002          00001 00002    00002 is called otherwise, 00003 a little larger
    """
    here = four_units.copy()
    here["code"] = ["00001", "00002", "00003", "00009"]
    here["name"] = ["P. 01", "Bình Hiệp", "Thạnh An", "Côn Đảo"]
    here.loc[2, "geometry"] = box(106, 10.1, 106.1, 10.21)
    found = _check(here, tmp_path, against=_other_edition(four_units)).comparison
    assert found is not None
    assert found.edition == "2025-01-01"
    assert (found.in_both, found.only_here, found.only_there) == (3, 1, 1)
    assert (found.first_only_here, found.first_only_there) == (("00009",), ("00004",))
    assert (found.other_name, found.other_code) == (1, 1)
    (renamed,) = found.first_other_names
    assert (renamed.code, renamed.name, renamed.name_there) == ("00002", "Bình Hiệp", "Hiệp Bình")
    assert (found.territories, found.same_territory) == (3, 2)


def test_a_file_compared_with_itself_has_changed_nothing(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    found = _check(four_units, tmp_path, against=_other_edition(four_units)).comparison
    assert found is not None
    assert (found.in_both, found.territories, found.same_territory) == (4, 4, 4)
    assert (found.only_here, found.only_there, found.other_name, found.other_code) == (0, 0, 0, 0)


def test_a_code_on_two_polygons_keeps_no_territory_of_its_own(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    against = _other_edition(four_units)
    four_units["code"] = ["00001", "00001", "00003", "00004"]
    found = _check(four_units, tmp_path, against=against).comparison
    assert found is not None
    assert (found.in_both, found.territories, found.same_territory) == (3, 2, 2)


def test_a_file_is_compared_with_one_edition_only(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    two = pd.concat([_other_edition(four_units), _other_edition(four_units, "2021-01-01")])
    assert _refused(four_units, tmp_path, against=two).reason == "several_editions"
    empty = _other_edition(four_units).iloc[:0]
    found = _check(four_units, tmp_path, against=empty).comparison
    assert found is not None
    assert (found.edition, found.in_both, found.only_here) == ("", 0, 4)


# -- writing the cleaned coverage


@pytest.fixture
def faulty(four_units: gpd.GeoDataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "faulty.parquet"
    _reaching_over(four_units).iloc[::-1].to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_cleaned_file_has_no_findings(suffix: str, faulty: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / f"Phường{suffix}"
    target.parent.mkdir()
    findings = write_cleaned(faulty, target, DAY)
    assert findings.cleaned
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert not check_boundaries(target, DAY).has_findings
    wards, again = read_wards(faulty, DAY).wards, read_wards(target, DAY).wards
    text = ["code", "name", "kind", "edition"]
    assert again[text].equals(wards[text])
    assert again["area_km2"].to_numpy() == pytest.approx(wards["area_km2"].to_numpy())
    assert shapely.equals(again.geometry.to_numpy(), wards.geometry.to_numpy()).all()


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32 - 1))
def test_whatever_was_jittered_is_written_without_findings(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("jittered")
    random = np.random.default_rng(seed)
    units = gpd.GeoDataFrame(
        {"code": [f"{number:02}" for number in range(16)], "name": "a"},
        geometry=[
            shapely.Polygon(
                shapely.get_coordinates(
                    box(106 + x / 100, 10 + y / 100, 106.01 + x / 100, 10.01 + y / 100)
                )[:-1]
                + random.normal(0, 5e-5, (4, 2))
            )
            for x in range(4)
            for y in range(4)
        ],
        crs="EPSG:4326",
    )
    units.to_parquet(folder / "given.parquet")
    for suffix in FORMATS:
        write_cleaned(folder / "given.parquet", folder / f"clean{suffix}", DAY)
        assert not check_boundaries(folder / f"clean{suffix}", DAY).has_findings


def test_geojson_rings_turn_as_the_standard_wants(faulty: Path, tmp_path: Path) -> None:
    write_cleaned(faulty, tmp_path / "clean.geojson", DAY)
    document = json.loads((tmp_path / "clean.geojson").read_text("utf-8"))
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in document["features"]]
    assert len(shapes) == 4
    assert all(part.exterior.is_ccw for part in shapely.get_parts(shapes))


def _not_written(given: Path, target: Path) -> str:
    with pytest.raises(GeoError) as refused:
        write_cleaned(given, target, DAY)
    return refused.value.reason


def test_nothing_is_written_over(faulty: Path, tmp_path: Path) -> None:
    before = faulty.read_bytes()
    there = tmp_path / "there.gpkg"
    there.write_text("mine")
    assert _not_written(faulty, faulty) == "output_is_input"
    assert _not_written(faulty, tmp_path / "out" / ".." / faulty.name) == "output_is_input"
    assert _not_written(faulty, there) == "output_exists"
    assert (faulty.read_bytes(), there.read_text()) == (before, "mine")


def test_only_known_formats_are_written_and_only_where_a_folder_is(
    faulty: Path, tmp_path: Path
) -> None:
    assert _not_written(faulty, tmp_path / "clean.shp") == "format_not_written"
    assert _not_written(faulty, tmp_path / "nowhere" / "clean.gpkg") == "no_folder"


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_breaks_off_leaves_nothing_behind(
    suffix: str, faulty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("geo.check.os.replace", full)
    target = tmp_path / f"clean{suffix}"
    assert _not_written(faulty, target) == "output_not_written"
    assert [path.name for path in tmp_path.iterdir()] == [faulty.name]


def test_a_file_with_unusable_rows_is_not_written(
    four_units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    four_units.loc[3, "geometry"] = None
    four_units.to_parquet(tmp_path / "given.parquet")
    assert _not_written(tmp_path / "given.parquet", tmp_path / "clean.gpkg") == "no_geometry"
    assert not (tmp_path / "clean.gpkg").exists()


# -- the real wards


@pytest.mark.real_data
def test_the_new_wards_against_the_old_ones(shared_data: Path) -> None:
    old = read_wards(shared_data / "hcmc_wards_273.parquet", datetime.date(2025, 1, 1)).wards
    found = check_boundaries(
        shared_data / "hcmc_wards_2025.parquet",
        DAY,
        area_column="area_published_km2",
        against=old,
    )
    assert (found.units, found.measured, found.problems) == (168, 168, ())
    assert (found.overlapping_pairs, found.islands) == (0, ("26732",))
    assert found.gap_ha == pytest.approx(0.0019, abs=0.0001)
    assert found.published_areas is not None
    assert (found.published_areas.compared, len(found.published_areas.off)) == (168, 19)
    comparison = found.comparison
    assert comparison is not None
    assert (comparison.in_both, comparison.only_here, comparison.only_there) == (102, 66, 171)
    assert (comparison.territories, comparison.same_territory) == (102, 1)
    assert (comparison.other_name, len(comparison.first_other_names)) == (77, 20)


@pytest.mark.real_data
@pytest.mark.parametrize("suffix", FORMATS)
def test_the_real_wards_are_written_without_findings(
    suffix: str, shared_data: Path, tmp_path: Path
) -> None:
    target = tmp_path / f"clean{suffix}"
    findings = write_cleaned(shared_data / "hcmc_wards_2025.parquet", target, DAY)
    assert findings.cleaned
    found = check_boundaries(target, DAY)
    assert (found.units, found.has_findings) == (168, False)
