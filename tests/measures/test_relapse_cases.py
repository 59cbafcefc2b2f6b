"""The labelled past: the rule run over the whole city, and each case as it was known then."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.measures.relapse import forward_risk
from hotspots.measures.relapse_cases import (
    cases,
    emulate,
    horizon_ends,
    known_by,
    labelled,
    log_odds,
    under_watch,
)
from hotspots.programme.months import Month
from hotspots.programme.plan import RelapseRule

QUARTERS = (3, 6, 9, 12)
TOP_FIFTH = RelapseRule(12, quantile=0.8, threshold=None, test_months=QUARTERS)
LAST_DAY = date(2023, 12, 31)


def fixed(threshold: float) -> RelapseRule:
    return RelapseRule(12, quantile=None, threshold=threshold, test_months=QUARTERS)


def years(*means: float, **more: list[float]) -> pd.DataFrame:
    """Ward w with so many a month, year by year from 2020; other wards by name."""
    wards = {"w": list(means), **more}
    months = pd.period_range("2020-01", periods=12 * len(means), freq="M")
    return pd.DataFrame({ward: np.repeat(each, 12) for ward, each in wards.items()}, index=months)


def wandering(months: int = 48, wards: int = 25, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    walk = 0.12 * random.standard_normal((months, wards)).cumsum(axis=0)
    means = np.exp(np.log(5) + 0.4 * random.standard_normal(wards) + walk)
    index = pd.period_range("2020-01", periods=months, freq="M")
    return pd.DataFrame(
        random.poisson(means).astype(float), index, [f"w{n:02}" for n in range(wards)]
    )


def days(episodes: pd.DataFrame, column: str) -> list[str]:
    return [str(day)[:10] for day in episodes[column]]


# --- the rule on the whole past


def test_a_ward_is_transformed_when_it_falls_below_and_relapsed_when_it_reaches_again() -> None:
    """10 a month, then 2, then 20: below 100 a year from 2021-03, at 100 again in 2022-06."""
    episodes = emulate(years(10, 2, 20, 20), fixed(100), as_of=LAST_DAY)
    assert days(episodes, "transformed_on") == ["2021-03-31"]
    assert days(episodes, "relapsed_on") == ["2022-06-30"]
    assert list(episodes.index) == ["w-1"]


def test_a_ward_may_relapse_more_than_once() -> None:
    episodes = emulate(years(10, 2, 20, 2, 20), fixed(100), as_of=date(2024, 12, 31))
    assert days(episodes, "transformed_on") == ["2021-03-31", "2023-09-30"]
    assert days(episodes, "relapsed_on") == ["2022-06-30", "2024-06-30"]


def test_a_ward_that_never_reached_the_threshold_at_a_year_end_has_no_episode() -> None:
    assert emulate(years(2, 2, 2), fixed(100), as_of=LAST_DAY).empty


def test_after_its_watch_a_ward_is_like_any_other() -> None:
    """The watch of 2021-03 ends in 2022-03; reaching 100 again in 2022 is a new designation."""
    episodes = emulate(years(10, 2, 20, 2), fixed(100), as_of=LAST_DAY, watch_months=12)
    assert days(episodes, "transformed_on") == ["2021-03-31", "2023-09-30"]
    assert days(episodes, "relapsed_on") == ["NaT", "NaT"]
    assert days(episodes, "ended_on") == ["2022-03-31", "2024-09-30"]


def test_a_month_that_is_not_known_tests_and_designates_nobody() -> None:
    counts = years(10, 2, 20, 20)
    counts.iloc[28] = np.nan  # May 2022: no window is known again until that of May 2023
    episodes = emulate(counts, fixed(100), as_of=LAST_DAY)
    assert days(episodes, "relapsed_on") == ["2023-06-30"]
    counts.iloc[5] = np.nan  # June 2020: not known in full at the end of 2020
    assert emulate(counts, fixed(100), as_of=date(2022, 12, 31)).empty


def test_a_quantile_is_that_of_the_month_itself() -> None:
    """All wards fall to a tenth: the busiest stays in the top fifth, whatever the level."""
    others = {f"v{n}": [n / 4, n / 40, n / 40, n / 40] for n in range(8)}
    episodes = emulate(years(10, 1, 1, 1, **others), TOP_FIFTH, as_of=LAST_DAY)
    assert "w" not in set(episodes["area"])


@given(st.integers(0, 1000), st.integers(14, 47), st.integers(0, 1))
@settings(max_examples=15, deadline=None)
def test_the_past_of_a_day_is_the_same_seen_from_any_later_day(
    seed: int, cut: int, by_quantile: int
) -> None:
    counts, rule = wandering(seed=seed), (fixed(70), TOP_FIFTH)[by_quantile]
    day = (Month(2020, 1) + cut).last_day
    then = emulate(counts.iloc[: cut + 1], rule, as_of=day)
    later = emulate(counts, rule, as_of=LAST_DAY)
    later = later.loc[later["transformed_on"] <= pd.Timestamp(day)]
    later["relapsed_on"] = later["relapsed_on"].where(later["relapsed_on"] <= pd.Timestamp(day))
    assert (then["seen_until"] == pd.Timestamp(day)).all()
    pd.testing.assert_frame_equal(then.drop(columns="seen_until"), later.drop(columns="seen_until"))
    assert (
        then["relapsed_on"].dropna() > then["transformed_on"][then["relapsed_on"].notna()]
    ).all()


# --- cases


def test_a_label_is_missing_when_its_horizon_passes_the_data_even_if_a_relapse_is_seen() -> None:
    """Relapsed in 2022-06, data until 2022-09: twelve months are over for origins to 2021-09."""
    counts, day = years(10, 2, 20), date(2022, 9, 30)
    past = cases(counts, emulate(counts, fixed(100), as_of=day), fixed(100), as_of=day, every=3)
    assert [str(each)[:7] for each in past["origin"]] == [
        "2021-03", "2021-06", "2021-09", "2021-12", "2022-03",
    ]  # fmt: skip
    assert past["y12"].map(str).to_list() == ["0.0", "1.0", "1.0", "nan", "nan"]
    assert past["y6"].to_list() == [0, 0, 0, 1, 1]
    assert past["months_since"].to_list() == [0, 3, 6, 9, 12]


def test_a_label_is_missing_when_its_horizon_passes_the_watch_even_if_a_relapse_is_seen() -> None:
    counts, rule = years(10, 2, 20, 2), fixed(100)
    episodes = emulate(counts, rule, as_of=LAST_DAY, watch_months=18)
    past = cases(counts, episodes, rule, as_of=LAST_DAY, every=3)
    first = past[past["episode"] == "w-1"]  # relapsed in 2022-06, its watch ended in 2022-09
    assert first["y12"].map(str).to_list() == ["0.0", "1.0", "1.0", "nan", "nan"]


def test_a_label_is_missing_when_its_horizon_passes_the_counts_of_the_ward() -> None:
    """Counted until 2022-05: on the last day of 2023 nobody knows what followed 2022-03."""
    counts, short = years(10, 2, 2, 2), years(10, 2, 2, 2)
    short.iloc[29:] = np.nan
    for table, labels in ((counts, 7), (short, 1)):
        episodes = emulate(table, fixed(100), as_of=LAST_DAY)
        past = cases(table, episodes, fixed(100), as_of=LAST_DAY, every=3)
        assert past.loc[past["origin"] <= "2022-09-30", "y12"].notna().sum() == labels


def test_what_nobody_had_told_of_yet_is_not_no_relapse() -> None:
    counts = years(10, 2, 2, 2)
    episodes = emulate(counts, fixed(100), as_of=LAST_DAY).assign(seen_until="2022-06-30")
    past = cases(counts, episodes, fixed(100), as_of=LAST_DAY, every=3)
    seen = past.loc[past["y3"].notna(), "origin"]
    assert str(seen.max())[:10] == "2022-03-31"


def test_the_unit_of_each_origin_is_the_one_of_its_day() -> None:
    counts, asked = years(10, 2, 20, 20), []

    def unit(day: date) -> float:
        asked.append(day)
        return 1.0

    episodes = emulate(counts, fixed(100), as_of=LAST_DAY)
    past = cases(counts, episodes, fixed(100), as_of=LAST_DAY, every=3, unit=unit)
    assert {str(day) for day in past["origin"].dt.date} <= {str(day) for day in asked}


def test_an_episode_is_a_case_from_its_transformation_until_its_relapse() -> None:
    counts = years(10, 2, 20, 2)
    past = cases(counts, emulate(counts, fixed(100), as_of=LAST_DAY), fixed(100), as_of=LAST_DAY)
    first = past.loc[past["episode"] == "w-1", "origin"]
    assert (str(first.min())[:7], str(first.max())[:7]) == ("2021-03", "2022-05")
    assert past.loc[past["episode"] == "w-2", "relapsed_before"].eq(1).all()
    assert past.loc[past["episode"] == "w-1", "relapsed_before"].eq(0).all()


def test_the_probabilities_are_those_of_the_simulation_on_that_day() -> None:
    counts = wandering()
    episodes = emulate(counts, TOP_FIFTH, as_of=LAST_DAY)
    past = cases(counts, episodes, TOP_FIFTH, as_of=LAST_DAY, every=6, draws=50, seed=4)
    origin = date(2023, 6, 30)
    watched = under_watch(episodes, origin)
    risk = forward_risk(counts, watched, TOP_FIFTH, as_of=origin, draws=50, seed=4).table
    then = past[past["origin"] == pd.Timestamp(origin)].set_index("episode")
    assert len(then) == len(watched) > 1
    assert then["p6"].to_list() == risk["p6"].to_list()


@pytest.mark.parametrize("cut", [26, 38])
def test_cutting_the_panel_changes_no_number_up_to_the_cut(cut: int) -> None:
    counts, day = wandering(), (Month(2020, 1) + cut).last_day
    rewritten = counts.copy()
    rewritten.iloc[cut + 1 :] = 500.0
    then, told = [
        cases(each, emulate(each, TOP_FIFTH, as_of=day), TOP_FIFTH, as_of=day, every=2, draws=50)
        for each in (counts.iloc[: cut + 1], rewritten)
    ]
    pd.testing.assert_frame_equal(then, told)
    episodes = emulate(counts, TOP_FIFTH, as_of=LAST_DAY)
    later = cases(counts, episodes, TOP_FIFTH, as_of=LAST_DAY, every=2, draws=50)
    later = later.loc[later["origin"] <= pd.Timestamp(day)].reset_index(drop=True)
    assert len(then) > 5
    later["relapsed_on"] = later["relapsed_on"].where(later["relapsed_on"] <= pd.Timestamp(day))
    for horizon in (3, 6, 12):
        known_then = horizon_ends(later["origin"], horizon) <= pd.Timestamp(day)
        later[f"y{horizon}"] = later[f"y{horizon}"].where(known_then)
    pd.testing.assert_frame_equal(then, later)


def test_nothing_watched_is_no_case_and_keeps_the_columns() -> None:
    counts = years(2, 2)
    past = cases(counts, emulate(counts, fixed(100), as_of=LAST_DAY), fixed(100), as_of=LAST_DAY)
    assert past.empty
    assert {"hotspot", "origin", "p6", "y12", "trend"} <= set(past.columns)
    assert labelled(known_by(past, LAST_DAY), 6).empty


def test_a_rising_ward_has_a_positive_trend_and_a_steady_one_none() -> None:
    counts = years(10, 5, 5, v=[10, 5, 5])
    counts.iloc[-3:, 1] = 8
    past = cases(counts, emulate(counts, fixed(100), as_of=LAST_DAY), fixed(100), as_of=LAST_DAY)
    last = past[past["origin"] == past["origin"].max()].set_index("area")["trend"]
    assert last["v"] > 1.3 > 1 > abs(last["w"])


def test_episodes_are_refused_without_a_day_or_with_a_repeat() -> None:
    episodes = emulate(years(10, 2, 20), fixed(100), as_of=LAST_DAY)
    with pytest.raises(ValueError, match="day of each transformation"):
        cases(years(10), episodes.assign(transformed_on=pd.NaT), fixed(100), as_of=LAST_DAY)
    with pytest.raises(ValueError, match="repeats"):
        cases(years(10), pd.concat([episodes] * 2), fixed(100), as_of=LAST_DAY)
    with pytest.raises(ValueError, match="1 or more"):
        cases(years(10), episodes, fixed(100), as_of=LAST_DAY, every=0)


@given(st.floats(0, 1))
def test_log_odds_are_finite(probability: float) -> None:
    assert abs(float(log_odds(np.array([probability]))[0])) < 7
