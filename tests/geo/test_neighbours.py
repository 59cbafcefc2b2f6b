"""Who touches whom: squares that can be counted, random coverages, the real wards."""

import datetime
import itertools
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from shapely import box

from geo.errors import GeoError
from geo.neighbours import Neighbours, neighbours, within_distance
from geo.wards import drawing_copy, read_wards

Wards = gpd.GeoDataFrame


def _grid(columns: int, rows: int) -> Wards:
    """
    20 21 22    squares of .01 degree, the code says row and column
    10 11 12
    00 01 02
    """
    places = [(row, column) for row in range(rows) for column in range(columns)]
    return gpd.GeoDataFrame(
        {"code": [f"{row}{column}" for row, column in places]},
        geometry=[
            box(106 + column / 100, 10 + row / 100, 106 + (column + 1) / 100, 10 + (row + 1) / 100)
            for row, column in places
        ],
        crs="EPSG:4326",
    )


@st.composite
def coverages(draw: st.DrawFn) -> Wards:
    """Wards of one or several cells of a grid, with holes, parts apart and cells of no ward."""
    cells = _grid(5, 5)
    owner = np.array(draw(st.lists(st.integers(0, 8), min_size=25, max_size=25)))
    codes = draw(st.permutations(range(1, 9)))
    polygons = {
        f"{code}": shapely.coverage_union_all(cells.geometry.to_numpy()[owner == code])
        for code in codes
        if (owner == code).any()
    }
    return gpd.GeoDataFrame(
        {"code": pd.Series(list(polygons), dtype="str")},
        geometry=list(polygons.values()),
        crs="EPSG:4326",
    )


def _pairs(found: Neighbours) -> list[tuple[str, str]]:
    return list(zip(found.pairs["a"], found.pairs["b"], strict=True))


def _reason(of: Callable[[], object]) -> str:
    with pytest.raises(GeoError) as refused:
        of()
    return refused.value.reason


# -- squares that can be counted


def test_nine_squares_have_twelve_rook_and_twenty_queen_pairs() -> None:
    """3 x 2 borders lying and as many standing, and two corners in each of the four crossings."""
    queen = neighbours(_grid(3, 3), corners=True)
    assert len(queen.pairs) == 20
    assert (queen.pairs["shared_m"] > 0).sum() == 12
    assert len(neighbours(_grid(3, 3)).pairs) == 12
    assert queen.of("11") == ("00", "01", "02", "10", "12", "20", "21", "22")
    assert neighbours(_grid(3, 3)).of("11") == ("01", "10", "12", "21")


def test_a_shared_border_is_measured_in_metres() -> None:
    """.01 degree is 1106 m from south to north and, at 10 degrees north, 1096 m to the east."""
    pairs = neighbours(_grid(2, 2), corners=True).pairs.set_index(["a", "b"])["shared_m"]
    assert pairs["00", "01"] == pytest.approx(1106, rel=0.001)
    assert pairs["00", "10"] == pytest.approx(1096, rel=0.001)
    assert pairs["00", "11"] == pairs["01", "10"] == 0


def test_a_ward_on_its_own_is_an_island_and_not_lost() -> None:
    wards = _grid(3, 1).iloc[[0, 2]]
    found = neighbours(wards)
    assert found.islands == found.codes == ("00", "02")
    assert found.of("00") == ()
    assert list(found.pairs.columns) == ["a", "b", "shared_m"]
    assert found.matrix().toarray().tolist() == [[0, 0], [0, 0]]


def test_no_wards_have_no_neighbours() -> None:
    found = neighbours(_grid(2, 1).iloc[:0])
    assert (len(found.pairs), found.islands) == (0, ())
    assert found.matrix().shape == (0, 0)


def test_the_matrix_follows_the_codes_given() -> None:
    """00 01 02 in a row; only 01 touches the others."""
    found = neighbours(_grid(3, 1))
    matrix = found.matrix(["02", "01", "00"])
    assert matrix.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert (matrix @ np.array([100, 10, 1])).tolist() == [10, 101, 10]
    assert found.matrix(["00", "02"]).toarray().tolist() == [[0, 0], [0, 0]]


def test_what_cannot_be_answered_is_refused() -> None:
    wards = _grid(2, 1)
    found = neighbours(wards)
    assert _reason(lambda: found.of("7")) == "not_among_neighbours"
    assert _reason(lambda: found.matrix(["00", "7"])) == "not_among_neighbours"
    assert _reason(lambda: found.matrix(["00", "00"])) == "codes_repeated"
    assert _reason(lambda: neighbours(pd.concat([wards, wards]))) == "codes_repeated"
    assert _reason(lambda: neighbours(wards.to_crs("EPSG:32648"))) == "crs_not_storage"
    assert _reason(lambda: neighbours(wards, tolerance_m=-1)) == "distance_not_usable"
    assert _reason(lambda: within_distance(wards, float("nan"))) == "distance_not_usable"


# -- polygons that are no coverage


def _shaken(wards: Wards, metres: float) -> Wards:
    """Every polygon drawn by another hand: its points moved for itself."""
    random = np.random.default_rng(7)
    return wards.set_geometry(
        gpd.GeoSeries(
            [
                shapely.Polygon(
                    shapely.get_coordinates(polygon)[:-1]
                    + random.uniform(-metres / 2e5, metres / 2e5, (4, 2))
                )
                for polygon in wards.geometry
            ],
            crs=wards.crs,
        )
    )


def test_borders_drawn_apart_are_refused_rather_than_half_found() -> None:
    with pytest.raises(GeoError, match="00, 01") as refused:
        neighbours(_shaken(_grid(3, 3), 1))
    assert refused.value.reason == "borders_not_matched"


def test_a_tolerance_finds_borders_drawn_apart() -> None:
    exact = neighbours(_grid(3, 3), corners=True)
    near = neighbours(_shaken(_grid(3, 3), 1), corners=True, tolerance_m=2)
    assert _pairs(near) == _pairs(exact)
    assert (near.pairs["shared_m"] - exact.pairs["shared_m"]).abs().max() < 8
    assert (near.pairs["shared_m"] > 0).sum() == 12


# -- what always holds


@settings(deadline=None, max_examples=60)
@given(coverages())
def test_neighbours_are_what_trying_every_pair_finds(wards: Wards) -> None:
    polygons = dict(zip(wards["code"], wards.geometry, strict=True))
    tried = {
        pair: shapely.intersection(*(polygons[code] for code in pair)).length > 0
        for pair in itertools.combinations(sorted(polygons), 2)
        if shapely.intersects(*(polygons[code] for code in pair))
    }
    found = neighbours(wards, corners=True)
    assert _pairs(found) == sorted(tried)
    assert (found.pairs["shared_m"] > 0).tolist() == [tried[pair] for pair in _pairs(found)]


@settings(deadline=None, max_examples=30)
@given(coverages(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(wards: Wards, random: object) -> None:
    rows = list(range(len(wards)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    found, again = neighbours(wards), neighbours(wards.iloc[rows])
    assert_frame_equal(found.pairs, again.pairs, check_exact=True)
    assert found.islands == again.islands


@settings(deadline=None, max_examples=30)
@given(coverages(), st.floats(0, 5))
def test_every_ward_is_in_a_pair_or_an_island_and_the_matrix_is_symmetric(
    wards: Wards, km: float
) -> None:
    for found in (neighbours(wards), within_distance(wards, km)):
        paired = {*found.pairs["a"], *found.pairs["b"]}
        assert paired.isdisjoint(found.islands)
        assert paired.union(found.islands) == set(wards["code"])
        assert (found.pairs["a"] < found.pairs["b"]).all()
        matrix = found.matrix(list(wards["code"])).toarray()
        assert (matrix == matrix.T).all()
        assert (matrix.diagonal() == 0).all()
        assert matrix.sum() == 2 * len(found.pairs)
        for row, code in enumerate(wards["code"]):
            assert set(found.of(code)) == set(wards["code"][matrix[row] == 1])


# -- a distance band


def test_a_distance_band_is_measured_between_the_polygons() -> None:
    """00 01 02 03 in a row, each 1096 m wide: between 00 and 03 lie 2192 m."""
    found = within_distance(_grid(4, 1), 1.5).pairs.set_index(["a", "b"])["distance_m"]
    assert ("00", "03") not in found
    assert found["00", "01"] == 0
    assert found["00", "02"] == pytest.approx(1096, rel=0.001)


@settings(deadline=None, max_examples=30)
@given(coverages(), st.floats(0, 3), st.floats(0, 3))
def test_a_wider_band_loses_nobody_and_the_narrowest_is_touching(
    wards: Wards, km: float, more: float
) -> None:
    narrow, wide = within_distance(wards, km), within_distance(wards, km + more)
    assert set(_pairs(neighbours(wards, corners=True))) <= set(_pairs(narrow)) <= set(_pairs(wide))
    assert _pairs(within_distance(wards, 0)) == _pairs(neighbours(wards, corners=True))


# -- the real wards


@pytest.fixture(scope="module")
def real() -> dict[str, Wards]:
    return {}


@pytest.fixture
def wards(real: dict[str, Wards], shared_data: Path, edition: datetime.date) -> Wards:
    if not real:
        real["2025"] = read_wards(shared_data / "hcmc_wards_2025.parquet", edition).wards
    return real["2025"]


@pytest.fixture
def published(shared_data: Path) -> pd.DataFrame:
    """The published pairs, whose two codes stand in any order, borders rounded to 0.1 m."""
    pairs = pd.read_csv(shared_data / "hcmc_adjacency_2025.csv", dtype={"a": str, "b": str})
    pairs[["a", "b"]] = np.sort(pairs[["a", "b"]].to_numpy(dtype=object), axis=1)
    return pairs.sort_values(["a", "b"]).reset_index(drop=True)


@pytest.mark.real_data
def test_the_published_pairs_are_those_that_share_more_than_a_corner(
    wards: Wards, published: pd.DataFrame
) -> None:
    found = neighbours(wards, corners=True)
    bordering = neighbours(wards)
    assert len(bordering.pairs) == 435
    assert _pairs(bordering) == list(zip(published["a"], published["b"], strict=True))
    assert bordering.islands == found.islands == ("26732",)
    assert len(found.pairs) == 447
    assert set(_pairs(bordering)) < set(_pairs(found))


@pytest.mark.real_data
def test_the_published_border_lengths_are_those_of_the_file_as_it_is(
    shared_data: Path, published: pd.DataFrame
) -> None:
    as_it_is = gpd.read_parquet(shared_data / "hcmc_wards_2025.parquet")
    shared_m = neighbours(as_it_is).pairs["shared_m"]
    assert (shared_m - published["shared_m"]).abs().max() <= 0.0501


@pytest.mark.real_data
def test_cleaning_lengthens_the_one_border_whose_gap_it_closes(
    wards: Wards, published: pd.DataFrame
) -> None:
    change = neighbours(wards).pairs["shared_m"] - published["shared_m"]
    (longer,) = np.flatnonzero(change.abs() > 0.0501)
    assert published.loc[longer, ["a", "b"]].tolist() == ["27004", "27031"]
    assert change[longer] == pytest.approx(40.4, abs=0.1)


@pytest.mark.real_data
def test_the_drawing_copy_has_the_same_neighbours(wards: Wards) -> None:
    assert _pairs(neighbours(drawing_copy(wards))) == _pairs(neighbours(wards))


@pytest.mark.real_data
def test_a_centimetre_of_tolerance_changes_no_pair_and_hardly_a_length(wards: Wards) -> None:
    exact, near = neighbours(wards), neighbours(wards, tolerance_m=0.01)
    assert _pairs(near) == _pairs(exact)
    assert (near.pairs["shared_m"] - exact.pairs["shared_m"]).abs().max() < 0.1


@pytest.mark.real_data
def test_a_band_of_two_kilometres_holds_all_that_touch(wards: Wards) -> None:
    drawn = drawing_copy(wards, 100)
    band = within_distance(drawn, 2)
    assert set(_pairs(neighbours(drawn))) < set(_pairs(band))
    assert band.islands == ("26732",)
    assert band.pairs["distance_m"].max() <= 2_000
