"""Gi* and local Moran: published values, complete enumeration, and what chance alone flags."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from geo.clusters import GetisOrd, getis_ord, local_moran
from geo.errors import GeoError
from geo.neighbours import Neighbours

Near = Mapping[str, list[str]]
SHARED = Path(__file__).parents[3] / "shared" / "data"


def _row(areas: int) -> Near:
    """00 01 02 ... in a row, each touching the next."""
    return {f"{i:02}": [f"{j:02}" for j in (i - 1, i + 1) if 0 <= j < areas] for i in range(areas)}


def _grid(side: int, corners: bool = False) -> Near:
    """Squares of a board; the code says row and column. They touch along a side, or in corners."""
    moves = [
        (i, j)
        for i, j in itertools.product((-1, 0, 1), repeat=2)
        if (i or j) and (corners or not (i and j))
    ]
    return {
        f"{r:02}{c:02}": [
            f"{r + i:02}{c + j:02}" for i, j in moves if 0 <= r + i < side and 0 <= c + j < side
        ]
        for r, c in itertools.product(range(side), repeat=2)
    }


def _within(points: list[tuple[float, float]], distance: float) -> Near:
    return {
        str(a): [
            str(b)
            for b, q in enumerate(points)
            if a != b and np.hypot(*np.subtract(p, q)) <= distance
        ]
        for a, p in enumerate(points)
    }


def _counts(near: Near, periods: int, seed: int, mean: float = 3.0) -> pd.DataFrame:
    counts = np.random.default_rng(seed).poisson(mean, (periods, len(near)))
    return pd.DataFrame(counts, columns=list(near), index=[f"m{i:03}" for i in range(periods)])


def _flagged(found: GetisOrd) -> pd.DataFrame:
    return found.label.isin(["hot", "cold"])


# --- oracles ------------------------------------------------------------------------------------

# esda 2.9, docstring of esda.G_Local: lg = G_Local(y, DistanceBand(points, threshold=15),
# transform="B", star=True); lg.Zs. The same data are in Getis and Ord's own example there.
POINTS: list[tuple[float, float]] = [(10, 10), (20, 10), (40, 10), (15, 20), (30, 20), (30, 30)]
POINT_VALUES = [2, 3, 3.2, 5, 8, 7]
B_STAR = [-1.39727626, -0.28917762, 0.65064964, -0.28917762, 1.23452088, 2.02424331]


def test_z_is_the_one_esda_publishes_for_its_six_points() -> None:
    near = _within(POINTS, 15)
    found = getis_ord(pd.Series(POINT_VALUES, index=list(near)), near, permutations=99)
    assert found.z.iloc[0].to_numpy() == pytest.approx(B_STAR, abs=1e-8)


def test_an_area_that_lists_itself_is_counted_once_all_the_same() -> None:
    """sfdep's published example counts it twice, and its z is another one."""
    near = _within(POINTS, 15)
    values = pd.Series(POINT_VALUES, index=list(near))
    with_self = {code: [*others, code] for code, others in near.items()}
    assert_frame_equal(getis_ord(values, with_self, 99).z, getis_ord(values, near, 99).z)


def test_row_standardised_weights_with_half_a_self_would_be_another_statistic() -> None:
    """esda's transform="R", star=True gives the self the largest weight, not an equal one."""
    near = _within(POINTS, 15)
    found = getis_ord(pd.Series(POINT_VALUES, index=list(near)), near, 99)
    r_star = [-0.62488094, -0.09144599, 0.41150696, -0.09144599, 0.24690418, 1.28024388]
    assert np.abs(found.z.iloc[0].to_numpy() - r_star).min() > 0.1


def _enumerated(values: list[float], near: Near, area: str) -> float:
    """Two-sided p of the conditional permutation test by trying every choice of neighbours."""
    codes = list(near)
    value = dict(zip(codes, values, strict=True))
    others = [value[code] for code in codes if code != area]
    observed = sum(value[code] for code in near[area])
    sums = np.array([sum(c) for c in itertools.combinations(others, len(near[area]))])
    upper, lower = (sums >= observed - 1e-9).mean(), (sums <= observed + 1e-9).mean()
    return float(min(1.0, 2 * min(upper, lower)))


@pytest.mark.parametrize("unit", [1, 0.37])
def test_permutation_p_is_that_of_all_choices_of_neighbours_within_chance(unit: float) -> None:
    near = _grid(4)
    values = pd.Series(np.random.default_rng(3).poisson(2, 16) * unit, index=list(near))
    found = getis_ord(values, near, permutations=9999, seed=5)
    exact = np.array([_enumerated(values.tolist(), near, code) for code in near])
    error = np.sqrt(exact * (2 - exact) / 9999)
    far = np.abs(found.p_permutation.iloc[0].to_numpy() - exact) / np.maximum(error, 1e-3)
    assert far.max() < 4


def test_where_few_draws_go_as_far_p_is_that_of_all_choices() -> None:
    near = _grid(6)
    values = np.random.default_rng(2).poisson(1, 36)
    values[[1, 6, 8, 13]] += [8, 9, 7, 9]
    found = getis_ord(pd.Series(values, index=list(near)), near, permutations=9999, seed=1)
    beyond = (found.p < found.floor).iloc[0]
    assert beyond.sum() >= 1
    few = (found.p_permutation < 10 * found.floor).iloc[0]
    for code in few.index[few]:
        assert found.p[code].iloc[0] == pytest.approx(_enumerated(list(values), near, code))


def test_for_values_that_are_not_whole_the_tail_is_rounded_to_the_safe_side() -> None:
    near = _grid(6)
    values = np.random.default_rng(2).gamma(1.0, 1.0, 36)
    values[[1, 6, 8, 13]] += [8.1, 9.7, 7.2, 9.9]
    found = getis_ord(pd.Series(values, index=list(near)), near, permutations=9999, seed=1)
    beyond = (found.p < found.floor).iloc[0]
    assert beyond.sum() >= 1
    for code in beyond.index[beyond]:
        exact = _enumerated(list(values), near, code)
        assert exact - 1e-12 <= found.p[code].iloc[0] <= 3 * exact


def test_local_moran_is_the_textbook_sum() -> None:
    near = _grid(4)
    values = pd.Series(np.random.default_rng(3).poisson(2, 16), index=list(near))
    z = values - values.mean()
    by_hand = [15 * z[c] * z[near[c]].mean() / (z**2).sum() for c in near]
    assert local_moran(values, near, 99).i.iloc[0].to_numpy() == pytest.approx(by_hand)


def test_local_moran_and_gi_star_ask_the_same_question_of_the_neighbours() -> None:
    near = _grid(5)
    counts = _counts(near, 3, seed=1)
    assert_frame_equal(local_moran(counts, near, 199, 4).p, getis_ord(counts, near, 199, 4).p)


# --- what must always hold ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_chance_flags_hardly_any_area_where_uncorrected_p_would_flag_a_third(seed: int) -> None:
    """Twelve months whose values are dealt out anew; an area is flagged if any month is."""
    near = _grid(13)
    rng = np.random.default_rng(seed)
    skewed = rng.gamma(0.8, 5.0, len(near))
    months = [rng.permutation(rng.poisson(skewed)) for _ in range(12)]
    found = getis_ord(pd.DataFrame(months, columns=list(near)), near, 999, seed)
    assert _flagged(found).any().mean() <= 0.02
    assert (found.p_permutation < 0.05).any().mean() > 0.3


@pytest.mark.parametrize("seed", range(4))
def test_chance_flags_hardly_any_area_when_whole_histories_are_dealt_out(seed: int) -> None:
    """The areas' histories stay as they are, so that all months share one accident."""
    near = _grid(13)
    rng = np.random.default_rng(seed)
    levels = rng.gamma(0.8, 5.0, len(near))
    found = getis_ord(pd.DataFrame(rng.poisson(levels, (24, 169)), columns=list(near)), near, 999)
    assert _flagged(found).any().mean() <= 0.02


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_the_order_of_areas_and_periods_changes_nothing(data: st.DataObject) -> None:
    near = _grid(3)
    counts = _counts(near, 4, seed=data.draw(st.integers(0, 9)), mean=1.0)
    areas = data.draw(st.permutations(list(near)))
    periods = data.draw(st.permutations(list(counts.index)))
    found, mixed = (getis_ord(each, near, 49, 7) for each in (counts, counts.loc[periods, areas]))
    for table in ("z", "p_permutation", "p", "q", "label"):
        assert_frame_equal(
            getattr(mixed, table), getattr(found, table).loc[periods, areas], rtol=1e-12
        )


def test_more_draws_change_little_where_it_matters() -> None:
    near = _grid(10, corners=True)
    counts = _counts(near, 60, seed=1)
    counts.iloc[:, :30] += 9
    few, many = (getis_ord(counts, near, draws, 1) for draws in (999, 9999))
    assert _flagged(few).sum().sum() > 100
    assert (_flagged(few) != _flagged(many)).sum().sum() < 0.1 * _flagged(many).sum().sum()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-50, 50))
def test_another_unit_or_zero_changes_no_permutation_p(seed: int, unit: float, zero: float) -> None:
    near = _grid(3)
    counts = _counts(near, 2, seed, mean=2.0)
    found, other = (getis_ord(each, near, 99, 7) for each in (counts, counts * unit + zero))
    assert_frame_equal(other.p_permutation, found.p_permutation)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 99))
def test_p_is_never_zero_never_above_one_and_q_never_below_p(seed: int, permutations: int) -> None:
    near = _grid(4)
    found = getis_ord(_counts(near, 3, seed, mean=0.3), near, permutations, seed)
    p, q = found.p.stack().dropna(), found.q.stack().dropna()
    assert ((p > 0) & (p <= 1)).all()
    assert (q >= p).all()
    assert (found.p_permutation.stack().dropna() >= min(1, found.floor) - 1e-15).all()


def test_a_month_has_the_same_p_whatever_months_stand_beside_it() -> None:
    near = _grid(4)
    counts = _counts(near, 6, seed=1)
    alone = getis_ord(counts.iloc[[2]], near, 199, 3)
    assert_frame_equal(alone.p_permutation, getis_ord(counts, near, 199, 3).p_permutation.iloc[[2]])


def test_small_blocks_give_the_same_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    near = _grid(4)
    counts = _counts(near, 7, seed=1)
    whole = getis_ord(counts, near, 199, 3)
    monkeypatch.setattr("geo.clusters._CELLS_IN_A_BLOCK", 400)
    assert_frame_equal(getis_ord(counts, near, 199, 3).p_permutation, whole.p_permutation)


# --- what cannot be tested ----------------------------------------------------------------------


def test_islands_cannot_be_tested_and_are_named() -> None:
    near = {**_grid(4), "island": []}
    found = getis_ord(_counts(near, 2, seed=1), near, 99)
    assert found.islands == ("island",)
    assert (found.label["island"] == "not_testable").all()
    assert found.z["island"].isna().all()
    assert found.q.drop(columns="island").notna().all(axis=None)


def test_a_month_without_differences_cannot_be_tested() -> None:
    near = _grid(4)
    counts = _counts(near, 3, seed=1)
    counts.iloc[1] = 4
    found = getis_ord(counts, near, 99)
    assert (found.label.iloc[1] == "not_testable").all()
    assert found.p.iloc[[0, 2]].notna().all(axis=None)
    assert found.p.iloc[1].isna().all()


def test_an_unknown_value_is_left_out_as_if_the_area_were_not_there_that_month() -> None:
    near = _grid(4)
    counts = _counts(near, 3, seed=1).astype(float)
    counts.loc["m001", "0000"] = np.nan
    found = getis_ord(counts, near, 199, 3)
    without = getis_ord(counts.loc[["m001"]].drop(columns="0000"), near, 199, 3)
    assert found.label.loc["m001", "0000"] == "not_testable"
    assert_frame_equal(found.z.loc[["m001"]].drop(columns="0000"), without.z)
    assert_frame_equal(
        found.p_permutation.loc[["m001"]].drop(columns="0000"), without.p_permutation
    )


def test_an_area_whose_only_neighbour_is_unknown_cannot_be_tested_that_month() -> None:
    near = _row(8)
    counts = _counts(near, 2, seed=1).astype(float)
    counts.loc["m000", "01"] = np.nan
    label = getis_ord(counts, near, 99).label
    assert label.loc["m000", ["00", "01"]].tolist() == ["not_testable"] * 2
    assert label.loc["m001", "00"] != "not_testable"


def test_nothing_known_gives_a_table_of_nothing_testable() -> None:
    near = _row(4)
    unknown = pd.DataFrame(np.nan, index=["m0"], columns=list(near))
    assert (getis_ord(unknown, near, 9).label == "not_testable").all(axis=None)
    assert (local_moran(unknown, near, 9).label == "not_testable").all(axis=None)


def test_when_everybody_is_a_neighbour_no_choice_is_left() -> None:
    near = {a: [b for b in "abcd" if b != a] for a in "abcd"}
    found = getis_ord(pd.Series([1, 2, 3, 4], index=list("abcd")), near, 99)
    assert (found.p == 1).all(axis=None)


# --- what is called hot, cold and unlike ---------------------------------------------------------


def test_a_block_of_high_values_is_hot_and_a_block_of_low_ones_cold() -> None:
    """Rows 0 to 2 high, rows 9 to 11 empty, an ordinary middle."""
    near = _grid(12, corners=True)
    values = pd.Series(np.random.default_rng(1).poisson(6, 144), index=list(near))
    values[[c for c in near if c[:2] in ("00", "01", "02")]] += 12
    values[[c for c in near if c[:2] in ("09", "10", "11")]] = 0
    found = getis_ord(values, near, 999, 1)
    assert found.label.loc[:, ["0105", "1005", "0604"]].iloc[0].tolist() == ["hot", "cold", "none"]
    moran = local_moran(values, near, 999, 1)
    assert moran.label.loc[:, ["0105", "1005", "0604"]].iloc[0].tolist() == ["HH", "LL", "none"]


def test_a_low_area_among_high_ones_is_unlike_them_and_neither_hot_nor_cold() -> None:
    near = _grid(12)
    values = pd.Series(np.random.default_rng(1).poisson(6, 144), index=list(near))
    values["0000"] = 60
    values[near["0000"]] = 0
    values[["0606", *near["0606"]]] = [0, 40, 40, 40, 40]
    values[["0101", *near["0101"]]] = [70, 0, 0, 0, 0]
    found = getis_ord(values, near, 999, 1)
    assert found.p["0101"].iloc[0] < 0.001
    assert found.z["0101"].iloc[0] > 0
    assert found.label["0101"].iloc[0] == "none"
    assert local_moran(values, near, 999, 1).label["0101"].iloc[0] == "HL"
    assert local_moran(values, near, 999, 1).quadrant["0606"].iloc[0] == "LH"


def test_one_cluster_in_one_month_of_many_is_found_in_spite_of_the_floor() -> None:
    """9,999 draws cannot say less than .0002, which 24,000 tests would drown."""
    near = _grid(10, corners=True)
    counts = _counts(near, 240, seed=1)
    block = [f"{r:02}{c:02}" for r in (4, 5, 6) for c in (4, 5, 6)]
    counts.loc["m100", block] += 14
    found = getis_ord(counts, near, 9999, 1)
    assert found.label.loc["m100", "0505"] == "hot"
    assert found.floor * 24_000 / 9 > 0.05
    assert _flagged(found).sum().sum() <= 10


# --- how it is asked ----------------------------------------------------------------------------


def test_the_result_of_geo_neighbours_and_a_mapping_give_the_same() -> None:
    near = _row(6)
    pairs = pd.DataFrame({"a": list(near)[:-1], "b": list(near)[1:]})
    counts = _counts(near, 2, seed=1)
    from_pairs = getis_ord(counts, Neighbours(pairs, ()), 99)
    assert_frame_equal(from_pairs.p, getis_ord(counts, near, 99).p)


def test_areas_the_values_do_not_have_are_left_out_of_the_neighbours() -> None:
    near = _row(6)
    counts = _counts(near, 2, seed=1)[["00", "01", "02"]]
    assert getis_ord(counts, near, 99).z.columns.tolist() == ["00", "01", "02"]


def test_an_area_nobody_looked_at_is_refused_by_name() -> None:
    with pytest.raises(GeoError, match="05") as refused:
        getis_ord(_counts(_row(6), 1, seed=1), _row(5), 99)
    assert refused.value.reason == "not_among_neighbours"
    with pytest.raises(GeoError, match="stand there more than once"):
        getis_ord(pd.DataFrame([[1, 2]], columns=["00", "00"]), _row(5), 99)


def test_what_makes_no_sense_is_refused() -> None:
    counts = _counts(_row(6), 1, seed=1)
    with pytest.raises(ValueError, match="permutations"):
        getis_ord(counts, _row(6), 0)
    with pytest.raises(ValueError, match="alpha"):
        getis_ord(counts, _row(6), 99, alpha=5)
    with pytest.raises(ValueError, match="infinite"):
        getis_ord(counts / 0.0, _row(6), 99)


# --- the real wards -----------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_con_dao_is_the_only_ward_of_the_city_that_cannot_be_tested() -> None:
    pairs = pd.read_csv(SHARED / "hcmc_adjacency_2025.csv", dtype={"a": str, "b": str})
    near = Neighbours(pairs, ("26732",))
    counts = np.random.default_rng(1).poisson(4, (12, 168))
    found = getis_ord(pd.DataFrame(counts, columns=list(near.codes)), near, 999, 1)
    assert found.islands == ("26732",)
    assert found.q.drop(columns="26732").notna().all(axis=None)
    assert _flagged(found).any().mean() <= 0.02
