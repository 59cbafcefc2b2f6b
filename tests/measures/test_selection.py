"""Ranking wards for next year's list by smoothed level, with reasons."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import CannotMeasure, NotFound
from hotspots.measures.reasons import Reason
from hotspots.measures.selection import (
    Comparison,
    compare_with_last_year,
    rank_wards,
    selection_reasons,
)

LAST_DAY = date(2022, 12, 31)


def city(months: int = 36, wards: int = 20, seed: int = 0) -> pd.DataFrame:
    """Wards w00 (quiet) to w19 (busy), from January 2020."""
    values = np.random.default_rng(seed).poisson(np.linspace(1, 20, wards), (months, wards))
    index = pd.period_range("2020-01", periods=months, freq="M")
    return pd.DataFrame(values.astype(float), index, [f"w{ward:02}" for ward in range(wards)])


def steady(*means: float) -> pd.DataFrame:
    """Wards w00, w01, ... with the same index in each of 36 months from January 2020."""
    index = pd.period_range("2020-01", periods=36, freq="M")
    return pd.DataFrame({f"w{n:02}": float(mean) for n, mean in enumerate(means)}, index=index)


def unknown_before(counts: pd.DataFrame, **months: int) -> pd.DataFrame:
    """The counts with only the last so many months known of some wards."""
    ragged = counts.copy()
    for ward, known in months.items():
        ragged.loc[ragged.index[: len(ragged) - known], ward] = np.nan
    return ragged


def codes(table: pd.DataFrame, ward: str) -> list[str]:
    return [each.code for each in selection_reasons(table, ward)]


def test_the_busiest_ward_comes_first() -> None:
    ranked = rank_wards(steady(1, 5, 3), as_of=LAST_DAY)
    assert list(ranked.index) == ["w01", "w02", "w00"]
    assert list(ranked["rank"]) == [1, 2, 3]


def test_the_numbers_can_be_checked_by_hand() -> None:
    counts = steady(4, 6)
    counts.iloc[-12:, 0] = 8.0
    ward = rank_wards(counts, as_of=LAST_DAY).loc["w00"]
    assert ward["last12"] == pytest.approx(96.0)
    assert ward["mean36"] == pytest.approx((4 * 24 + 8 * 12) / 36 * 12)
    assert ward["trend_ratio"] == pytest.approx(2.0)
    assert ward["share_of_city"] == pytest.approx(96 / (96 + 72))
    assert ward["score"] == pytest.approx((ward["filtered"] + ward["mean36"]) / 2)


def test_equal_wards_are_ranked_by_code() -> None:
    counts = steady(3, 3, 3)[["w02", "w00", "w01"]]
    assert list(rank_wards(counts, as_of=LAST_DAY).index) == ["w00", "w01", "w02"]


def test_a_short_outburst_does_not_put_a_ward_before_a_steadily_worse_one() -> None:
    counts = steady(8, 10, 2, 2)
    counts.iloc[-2:, 0] = 16.0
    assert next(iter(rank_wards(counts, as_of=LAST_DAY).index)) == "w01"


def test_the_smoothed_level_finds_next_years_wards_better_than_last_year_at_small_counts() -> None:
    """40 made cities of 100 wards with an incident in five months; the level walks slowly."""
    random = np.random.default_rng(2)
    found = []
    for _ in range(40):
        walk = np.cumsum(random.normal(0, 0.02, (48, 100)), axis=0)
        values = random.poisson(random.gamma(2, 0.1, 100) * np.exp(walk)).astype(float)
        index = pd.period_range("2020-01", periods=48, freq="M")
        counts = pd.DataFrame(values, index, [f"w{ward:02}" for ward in range(100)])
        ranked = rank_wards(counts, as_of=LAST_DAY)
        top = set(counts.iloc[36:].sum().nlargest(10).index)
        hits = [len(top & set(ranked[c].nlargest(10).index)) for c in ("score", "last12")]
        found.append(hits)
    smoothed, naive = np.mean(found, axis=0) / 10
    assert smoothed > naive + 0.02


def test_the_score_is_half_filtered_level_half_long_mean_and_nothing_of_the_trend() -> None:
    counts = city()
    counts.iloc[-12:, :5] *= 3
    ranked = rank_wards(counts, as_of=LAST_DAY)
    assert ranked["trend_ratio"].max() > 2
    expected = (ranked["filtered"] + ranked["mean36"]) / 2
    pd.testing.assert_series_equal(ranked["score"], expected, check_names=False)


@settings(deadline=None, max_examples=40)
@given(st.integers(6, 40), st.integers(1, 15), st.integers(0, 99), st.sampled_from([0.0, 0.5, 1]))
def test_every_ward_has_one_rank_and_a_reason(
    months: int, wards: int, seed: int, scale: float
) -> None:
    counts = city(months, wards, seed) * scale
    ranked = rank_wards(counts, as_of=counts.index[-1].end_time.date(), last_year=["w00"])
    assert list(ranked["rank"]) == list(range(1, wards + 1))
    assert sorted(ranked.index) == sorted(counts.columns)
    assert ranked["score"].is_monotonic_decreasing
    assert ranked["share_of_city"].sum() == pytest.approx(1.0 if scale else 0.0)
    assert all(selection_reasons(ranked, ward) for ward in ranked.index)


@settings(deadline=None, max_examples=30)
@given(st.integers(6, 40), st.integers(1, 20), st.integers(0, 99))
def test_the_future_changes_nothing(months: int, ahead: int, seed: int) -> None:
    counts = city(months, 8, seed)
    longer = counts.reindex(
        pd.period_range(counts.index[0], counts.index[-1] + ahead, freq="M"), fill_value=777.0
    )
    day = counts.index[-1].end_time.date()
    pd.testing.assert_frame_equal(
        rank_wards(counts, as_of=day), rank_wards(longer, as_of=day), check_exact=True
    )


def test_under_two_years_the_trend_is_unknown() -> None:
    ranked = rank_wards(city(23), as_of=date(2021, 11, 30))
    assert ranked["trend_ratio"].isna().all()
    assert not {"rising", "falling"} & set(codes(ranked, "w19"))


def test_under_a_year_the_last_twelve_months_are_scaled_up() -> None:
    ranked = rank_wards(steady(5).iloc[:8], as_of=date(2020, 8, 31))
    assert ranked.loc["w00", "last12"] == pytest.approx(60.0)


def test_complete_counts_give_the_numbers_they_gave_before_there_were_unknown_ones() -> None:
    """Numbers of the version that knew complete tables only, on this very example."""
    ranked = rank_wards(city(), as_of=LAST_DAY)
    before = {
        "w19": (1, 245.70479669374208, 247.33333333333331, 238.0, 0.94820717131474108),
        "w14": (6, 184.80117783768202, 183.0, 187.0, 0.949238578680203),
        "w00": (20, 11.23951206265658, 11.333333333333332, 9.0, 1.125),
    }
    for ward, numbers in before.items():
        now = ranked.loc[ward, ["rank", "score", "mean36", "last12", "trend_ratio"]].to_list()
        assert now == pytest.approx(numbers, rel=1e-9)
    assert ranked["months"].eq(36).all()


def test_a_ward_is_ranked_by_its_own_known_months() -> None:
    ranked = rank_wards(unknown_before(steady(4, 6, 9), w02=8), as_of=LAST_DAY)
    assert ranked.index[0] == "w02"
    ward = ranked.loc["w02"]
    assert ward["mean36"] == ward["last12"] == pytest.approx(108.0)
    assert ward["filtered"] > 96.0
    assert np.isnan(ward["trend_ratio"])
    assert ranked["months"].to_dict() == {"w02": 8, "w01": 36, "w00": 36}
    assert ranked["months"].dtype == "int64"
    assert ranked["share_of_city"].sum() == pytest.approx(1.0)


def test_the_trend_needs_24_known_months_of_the_ward() -> None:
    ranked = rank_wards(unknown_before(steady(4, 6, 9), w00=23, w01=24), as_of=LAST_DAY)
    assert np.isnan(ranked.loc["w00", "trend_ratio"])
    assert ranked.loc[["w01", "w02"], "trend_ratio"].to_list() == [1.0, 1.0]


def test_a_ward_that_is_not_known_has_no_rank() -> None:
    counts = unknown_before(steady(4, 6, 9), w00=5)
    counts.loc[counts.index[-1], "w02"] = np.nan
    ranked = rank_wards(counts, as_of=LAST_DAY)
    assert list(ranked.index) == ["w01"]
    with pytest.raises(NotFound):
        selection_reasons(ranked, "w00")


def test_a_shorter_history_than_others_have_is_told() -> None:
    counts = unknown_before(steady(4, 6, 9), w00=8, w01=35)
    ranked = rank_wards(counts, as_of=LAST_DAY, last_year=["w00"])
    assert codes(ranked, "w00") == ["low_level", "carried_from_last_year", "shorter_history"]
    assert selection_reasons(ranked, "w00")[-1].facts == {"months": 8, "longest": 36}
    assert selection_reasons(ranked, "w01")[-1].facts == {"months": 35, "longest": 36}
    assert "shorter_history" not in codes(ranked, "w02")
    alike = rank_wards(counts.iloc[-8:], as_of=LAST_DAY)
    assert "shorter_history" not in codes(alike, "w00")


def test_more_than_36_months_are_no_advantage() -> None:
    months = pd.period_range("2019-01", periods=48, freq="M")
    counts = pd.DataFrame({"w00": 4.0, "w01": 5.0}, index=months)
    ranked = rank_wards(unknown_before(counts, w00=36), as_of=LAST_DAY)
    assert ranked["months"].to_dict() == {"w00": 36, "w01": 48}
    assert "shorter_history" not in codes(ranked, "w00")


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 99), st.integers(6, 36), st.integers(1, 14), st.sampled_from([0.1, 1.0, 1.37])
)
def test_unknown_rows_and_cut_ones_and_the_order_of_wards_give_the_same_ranking(
    seed: int, known: int, rows: int, scale: float
) -> None:
    counts = unknown_before(city(36, 8, seed) * scale, w06=known, w07=max(6, known - 2))
    longer = counts.reindex(pd.period_range(counts.index[0] - rows, counts.index[-1], freq="M"))
    tables = [
        rank_wards(each, as_of=LAST_DAY)
        for each in (counts, longer, counts[sorted(counts.columns, reverse=True)])
    ]
    assert tables[0].drop(columns="trend_ratio").notna().all(axis=None)
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table.sort_index(), tables[0].sort_index(), rtol=1e-6)


def test_reasons_tell_level_persistence_trend_and_last_years_list() -> None:
    counts = steady(1, 2, 3, 4, 5, 20)
    counts.iloc[-12:, 5] = 30.0
    counts.iloc[-12:, 0] = 0.5
    ranked = rank_wards(counts, as_of=LAST_DAY, last_year=["w05"])
    assert codes(ranked, "w05") == [
        "high_level",
        "persistent",
        "rising",
        "carried_from_last_year",
    ]
    assert codes(ranked, "w00") == ["low_level", "falling"]
    level = selection_reasons(ranked, "w05")[0]
    assert level.facts["rank"] == 1
    assert level.facts["wards"] == 6
    median = float(ranked["score"].median())
    assert level.facts["times_median"] == pytest.approx(ranked.loc["w05", "score"] / median)
    assert selection_reasons(ranked, "w05")[-1] == Reason("carried_from_last_year", {"rank": 1})


def test_a_ward_outside_the_table_is_named() -> None:
    with pytest.raises(NotFound, match="w99"):
        selection_reasons(rank_wards(city(), as_of=LAST_DAY), "w99")


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [(date(2020, 4, 30), "history_too_short"), (date(2023, 4, 30), "counts_too_old")],
)
def test_too_little_and_too_old_counts_cannot_be_measured(as_of: date, expected: str) -> None:
    with pytest.raises(CannotMeasure) as caught:
        rank_wards(city(), as_of=as_of)
    assert caught.value.reason == expected


@given(st.lists(st.sampled_from("abcdef")), st.lists(st.sampled_from("abcdef")))
def test_kept_new_and_dropped_wards_make_up_both_lists(now: list[str], before: list[str]) -> None:
    comparison = compare_with_last_year(now, before)
    assert set(comparison.kept) | set(comparison.new) == set(now)
    assert set(comparison.kept) | set(comparison.dropped) == set(before)
    everyone = comparison.kept + comparison.new + comparison.dropped
    assert len(everyone) == len(set(everyone))


def test_the_comparison_keeps_the_order_of_the_choice() -> None:
    assert compare_with_last_year(["c", "a", "b"], ["b", "d", "c"]) == Comparison(
        kept=("c", "b"), new=("a",), dropped=("d",)
    )
