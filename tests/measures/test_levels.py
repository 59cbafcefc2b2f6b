"""The level behind the monthly index: season, noise, filter; only the past is used."""

from __future__ import annotations

from datetime import date, timedelta
from math import radians, sin

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import CannotMeasure
from hotspots.measures import levels
from hotspots.measures.levels import (
    LEAST_MONTHS,
    Season,
    city_total,
    common_span,
    dispersion,
    effective_unit,
    filtered_level,
    known_months,
    season_and_drift,
)
from hotspots.programme.months import Month

FLAT = Season((1.0,) * 12, tet=1.0, drift=0.0, seasonal=False)


def monthly(values: object, start: str = "2020-01") -> pd.DataFrame:
    """Months x wards, wards named w00, w01, ..."""
    table = np.asarray(values, dtype=float)
    months = pd.period_range(start, periods=len(table), freq="M")
    return pd.DataFrame(table, months, [f"w{ward:02}" for ward in range(table.shape[1])])


@st.composite
def panels(draw: st.DrawFn, least: int = 6, most: int = 40) -> pd.DataFrame:
    """Any complete panel: silent wards, silent cities, single wards, wild jumps."""
    months, wards = draw(st.integers(least, most)), draw(st.integers(1, 5))
    value = st.sampled_from([0.0, 0.0, 1.0, 1.5, 5.0, 40.0, 2000.0])
    row = st.lists(value, min_size=wards, max_size=wards)
    return monthly(draw(st.lists(row, min_size=months, max_size=months)))


@st.composite
def riddled(draw: st.DrawFn) -> pd.DataFrame:
    """Any panel with unknown months anywhere, but for the first ward."""
    counts = draw(panels(most=30)).assign(w00=2.5)
    for ward in counts.columns[1:]:
        rows = draw(st.sets(st.integers(0, len(counts) - 1), max_size=4))
        counts.loc[counts.index[sorted(rows)], ward] = np.nan
    return counts


def last_day(counts: pd.DataFrame) -> date:
    day: date = counts.index[-1].end_time.date()
    return day


# --- known months


def test_the_running_month_is_not_known_until_its_last_day() -> None:
    counts = monthly(np.ones((12, 1)))
    assert len(known_months(counts, date(2020, 7, 30))) == 6
    assert len(known_months(counts, date(2020, 7, 31))) == 7


def test_five_months_are_too_short_a_history() -> None:
    with pytest.raises(CannotMeasure) as caught:
        known_months(monthly(np.ones((12, 1))), date(2020, 5, 31))
    assert caught.value.reason == "history_too_short"
    assert caught.value.facts == {"months": 5, "needed": 6}


def test_counts_may_end_three_months_before_the_day_but_not_four() -> None:
    counts = monthly(np.ones((12, 1)))
    assert len(known_months(counts, date(2021, 3, 31))) == 12
    with pytest.raises(CannotMeasure) as caught:
        known_months(counts, date(2021, 4, 30))
    assert caught.value.reason == "counts_too_old"
    assert caught.value.facts == {
        "last": "2020-12",
        "expected": "2021-04",
        "months_late": 4,
        "allowed": 3,
    }


def test_a_table_with_a_gap_an_infinite_or_a_negative_value_is_refused() -> None:
    counts = monthly(np.ones((12, 2)))
    with pytest.raises(ValueError, match="gaps"):
        known_months(counts.drop(counts.index[4]), date(2020, 12, 31))
    for wrong in (np.inf, -np.inf, -1.0):
        broken = counts.copy()
        broken.iloc[3, 1] = wrong
        with pytest.raises(ValueError, match="negative or infinite"):
            known_months(broken, date(2020, 12, 31))
    with pytest.raises(ValueError, match="PeriodIndex"):
        known_months(counts.reset_index(drop=True), date(2020, 12, 31))


def test_a_wards_history_begins_after_its_last_unknown_month() -> None:
    """Of eleven months: a whole, b unknown in the 4th, c to the 5th, d to the 6th, e in the last.

    a ...........  b ...x.......  c xxxxx......  d xxxxxx.....  e ..........x
    """
    counts = monthly(np.ones((11, 5)))
    counts.iloc[3, 1] = counts.iloc[:5, 2] = counts.iloc[:6, 3] = counts.iloc[10, 4] = np.nan
    known = known_months(counts, last_day(counts))
    assert known.count().to_dict() == {"w00": 11, "w01": 7, "w02": 6}
    assert known["w01"].first_valid_index() == pd.Period("2020-05", "M")
    assert counts["w01"].iloc[:3].eq(1.0).all(), "the given table is not changed"


def test_months_before_the_longest_history_are_no_rows() -> None:
    counts = monthly(np.ones((12, 2)))
    counts.iloc[2, 0], counts.iloc[4, 1] = np.nan, np.nan
    known = known_months(counts, last_day(counts))
    assert known.index[0] == pd.Period("2020-04", "M")
    assert known.count().to_list() == [9, 7]


def test_if_no_ward_is_known_for_long_enough_the_longest_run_is_said() -> None:
    counts = monthly(np.ones((12, 3)))
    counts.iloc[7, 0], counts.iloc[6, 1], counts.iloc[11, 2] = np.nan, np.nan, np.nan
    with pytest.raises(CannotMeasure) as caught:
        known_months(counts, last_day(counts))
    assert caught.value.reason == "history_too_short"
    assert caught.value.facts == {"months": 5, "needed": 6}
    with pytest.raises(CannotMeasure) as caught:
        known_months(counts * np.nan, last_day(counts))
    assert caught.value.facts == {"months": 0, "needed": 6}


def test_last_months_that_nobody_knows_are_not_delivered_yet() -> None:
    counts = monthly(np.ones((12, 2)))
    counts.iloc[-3:] = np.nan
    assert known_months(counts, last_day(counts)).equals(counts.iloc[:9])
    counts.iloc[-4:] = np.nan
    with pytest.raises(CannotMeasure) as caught:
        known_months(counts, last_day(counts))
    assert caught.value.reason == "counts_too_old"
    assert caught.value.facts["last"] == "2020-08"


@given(riddled())
def test_known_months_are_each_wards_last_run_as_counted_by_hand(counts: pd.DataFrame) -> None:
    runs = dict.fromkeys(counts.columns, 0)
    for ward in counts.columns:
        while runs[ward] < len(counts) and not np.isnan(counts[ward].iloc[-1 - runs[ward]]):
            runs[ward] += 1
    known = known_months(counts, last_day(counts))
    assert known.count().to_dict() == {w: n for w, n in runs.items() if n >= LEAST_MONTHS}
    for ward in known.columns:
        pd.testing.assert_series_equal(known[ward].dropna(), counts[ward].iloc[-runs[ward] :])
    pd.testing.assert_frame_equal(known, known_months(known, last_day(counts)))


# --- the city's total


def test_the_total_of_a_complete_table_is_that_of_all_wards() -> None:
    counts = monthly(np.random.default_rng(3).poisson(4.0, (30, 6)))
    pd.testing.assert_series_equal(city_total(counts), counts.sum(axis=1), check_exact=True)


@settings(deadline=None)
@given(panels(least=12), st.integers(1, 6), st.sampled_from([0.0, 0.3, 1.0]))
def test_a_ward_with_a_short_history_does_not_look_like_growth(
    counts: pd.DataFrame, unknown: int, size: float
) -> None:
    new = (counts.sum(axis=1) * size).where(np.arange(len(counts)) >= unknown)
    total = city_total(counts.assign(new=new))
    if new.iloc[-12:].mean() <= counts.iloc[-12:].mean().sum():
        pd.testing.assert_series_equal(total, counts.sum(axis=1), check_names=False)


def test_a_city_that_gains_wards_does_not_drift_and_its_naive_total_does() -> None:
    counts = monthly(np.full((48, 10), 20.0))
    counts.iloc[:36, 6:] = np.nan
    assert season_and_drift(city_total(counts)).drift == pytest.approx(0.0, abs=1e-6)
    assert season_and_drift(counts.sum(axis=1)).drift > 0.01


def test_wards_with_a_long_history_but_less_than_half_do_not_speak_for_the_city() -> None:
    counts = monthly(np.full((48, 4), [30.0, 19.0, 20.0, 31.0]))
    counts.iloc[:10, 1], counts.iloc[:20, 2], counts.iloc[:30, 3] = np.nan, np.nan, np.nan
    span = common_span(counts)
    assert list(span.columns) == ["w00", "w01", "w02"]  # 30 + 19 of 100 are less than half
    assert len(span) == 28
    assert span.notna().all(axis=None)


# --- season


def new_moon(lunation: int) -> date:
    """Day in Vietnam of a new moon: Meeus, Astronomical Algorithms, chapter 49, larger terms."""
    k, t = lunation, lunation / 1236.85
    sun, moon = radians(2.5534 + 29.10535670 * k), radians(201.5643 + 385.81693528 * k)
    node = radians(160.7108 + 390.67050284 * k)
    days = 0.09766 + 29.530588861 * k - 0.40720 * sin(moon) + 0.17241 * sin(sun)
    days += 0.01608 * sin(2 * moon) + 0.01039 * sin(2 * node) + 0.00739 * sin(moon - sun)
    days += -0.00514 * sin(moon + sun) + 0.00208 * sin(2 * sun) + 0.00015437 * t * t
    # lunation 0 is 6 January 2000; Julian Ephemeris Day 2451550 begins at noon; UTC+7
    noon = timedelta(days=days, hours=12 + 7, seconds=-70)
    return date(2000, 1, 6) + timedelta(days=noon // timedelta(days=1))


def test_tet_is_the_only_or_first_new_moon_after_20_january() -> None:
    moons = [new_moon(lunation) for lunation in range(150, 450)]
    expected = {min(m for m in moons if m >= date(year, 1, 21)) for year in range(2015, 2036)}
    assert expected == levels._TET


def test_less_than_24_months_give_no_season_and_say_so() -> None:
    total = monthly(np.arange(1, 24)[:, None])["w00"]
    assert season_and_drift(total) == FLAT


def test_a_silent_city_has_no_season() -> None:
    assert season_and_drift(monthly(np.zeros((36, 1)))["w00"]) == FLAT


def test_season_tet_and_drift_of_a_made_city_are_found() -> None:
    months = pd.period_range("2015-01", periods=144, freq="M")
    shape = 1 + 0.3 * np.sin(2 * np.pi * np.arange(12) / 12)
    truth = Season(tuple(shape / shape.mean()), tet=0.7, drift=-0.005, seasonal=True)
    expected = 1000 * truth.factors_of(months) * np.exp(truth.drift * np.arange(144))
    found = season_and_drift(pd.Series(expected, months))
    assert found.seasonal
    np.testing.assert_allclose(found.factors, truth.factors, atol=0.06)
    assert found.tet == pytest.approx(truth.tet, abs=0.08)
    assert found.drift == pytest.approx(truth.drift, abs=0.0005)


def test_two_years_of_data_keep_less_of_a_season_than_ten() -> None:
    year = [200.0] + [100.0] * 11
    short = season_and_drift(monthly(np.array(year * 2)[:, None])["w00"])
    long = season_and_drift(monthly(np.array(year * 10)[:, None])["w00"])
    assert 1.1 < short.factors[0] < long.factors[0] < 2 / (13 / 12)


def test_tet_moves_the_factor_between_january_and_february() -> None:
    season = Season((1.0,) * 12, tet=0.6, drift=0.0, seasonal=True)
    assert [season.factor(Month(2025, 1)), season.factor(Month(2025, 2))] == [0.6, 1.0]
    assert [season.factor(Month(2026, 1)), season.factor(Month(2026, 2))] == [1.0, 0.6]


@settings(deadline=None)
@given(panels(least=24))
def test_season_factors_are_positive_and_average_to_one(counts: pd.DataFrame) -> None:
    season = season_and_drift(counts.sum(axis=1))
    assert np.mean(season.factors) == pytest.approx(1.0)
    assert min(*season.factors, season.tet) > 0
    assert np.isfinite(season.drift)


# --- noise


def test_poisson_counts_have_a_dispersion_of_one() -> None:
    counts = np.random.default_rng(1).poisson(5.0, (60, 400))
    assert dispersion(monthly(counts), FLAT) == pytest.approx(1.0, abs=0.03)


def test_negative_binomial_counts_have_their_own_dispersion() -> None:
    # variance / mean of numpy's negative_binomial(n, p) is 1 / p
    counts = np.random.default_rng(1).negative_binomial(3, 0.25, (60, 400))
    assert dispersion(monthly(counts), FLAT) == pytest.approx(4.0, rel=0.03)


def test_dispersion_is_never_below_the_unit() -> None:
    assert dispersion(monthly(np.full((12, 3), 8.0)), FLAT) == 1.0
    assert dispersion(monthly(np.full((12, 3), 8.0)), FLAT, unit=2.5) == 2.5
    assert dispersion(monthly(np.zeros((12, 3))), FLAT) == 1.0


def test_the_effective_unit_is_the_dispersion_of_a_weighted_sum() -> None:
    random = np.random.default_rng(3)
    theft, assault = random.poisson(4.0, (60, 400)), random.poisson(1.0, (60, 400))
    unit = effective_unit(
        {"theft": float(theft.sum()), "assault": float(assault.sum())},
        {"theft": 1.0, "assault": 5.0},
    )
    assert dispersion(monthly(theft + 5 * assault), FLAT) == pytest.approx(unit, rel=0.03)


def test_without_incidents_the_effective_unit_is_one() -> None:
    assert effective_unit({}, {}) == effective_unit({"theft": 0}, {"theft": 3}) == 1.0


def test_a_ward_counts_by_its_known_changes_in_the_dispersion() -> None:
    counts = monthly([[0, np.nan], [6, np.nan], [0, 2], [6, 4], [0, 2]])
    # changes 4 x 6^2 and 2 x 2^2; means 2.4 over 4 changes and 8/3 over 2
    by_hand = (4 * 36 + 2 * 4) / 2 / (2.4 * 4 + 8 / 3 * 2)
    assert dispersion(counts, FLAT) == pytest.approx(by_hand)


# --- filter


def test_complete_and_whole_counts_give_the_numbers_they_gave_before_there_were_unknown_ones() -> (
    None
):
    """Numbers of the version that knew complete tables only, on this very example."""
    random = np.random.default_rng(8)
    level = np.linspace(0, 30, 25) * np.exp(np.cumsum(random.normal(0, 0.08, (41, 25)), axis=0))
    season = 1 + 0.3 * np.sin(np.arange(41) / 6 * np.pi)
    counts = monthly(random.poisson(level * season[:, None]) * 1.5)
    known = known_months(counts, date(2023, 5, 31))
    year = season_and_drift(city_total(known))
    found = filtered_level(known, year, unit=1.5)
    numbers = {
        "january": (year.factors[0], 0.9636925373462774),
        "tet": (year.tet, 1.0270217431628395),
        "drift": (year.drift, 0.002171106325734892),
        "phi": (found.phi, 1.5692772464978817),
        "drift variance": (found.drift_variance, 0.01116784051232915),
        "silent": (found.level["w00"], 0.025626420829536076),
        "quiet": (found.level["w03"], 1.9835483424731164),
        "busy": (found.level["w24"], 39.37293710708001),
        "all": (found.level.sum(), 632.4565983464486),
        "variances": (found.variance.sum(), 351.29032773401184),
    }
    for name, (now, before) in numbers.items():
        assert now == pytest.approx(before, rel=1e-10), name


def test_a_ward_known_for_a_year_starts_from_its_own_first_months() -> None:
    counts = monthly(np.full((48, 3), [10.0, 12.0, 30.0]))
    counts.iloc[:40, 2] = np.nan
    found = filtered_level(counts, FLAT)
    assert found.level["w02"] > 20
    assert found.variance["w02"] > 2 * found.variance["w01"]
    assert found.level["w00"] == pytest.approx(10.0, abs=0.3)


def test_a_short_history_tells_its_own_error() -> None:
    """2000 wards whose level walks; every second one is known for the last ten months only."""
    random = np.random.default_rng(12)
    walk = np.cumsum(random.normal(0, np.sqrt(0.01), (36, 2000)), axis=0)
    truth = random.gamma(2.0, 3.0, 2000) * np.exp(walk)
    whole = monthly(random.poisson(truth))
    counts = whole.copy()
    counts.iloc[:26, 1::2] = np.nan
    found = filtered_level(counts, season_and_drift(city_total(counts)))
    ratio = ((found.level - truth[-1]) ** 2 / found.variance).to_numpy()
    assert ratio[::2].mean() == pytest.approx(1.0, abs=0.25)
    assert ratio[1::2].mean() == pytest.approx(1.0, abs=0.35)
    assert found.drift_variance == pytest.approx(0.01, rel=0.35)
    before = filtered_level(whole, season_and_drift(city_total(whole)))
    np.testing.assert_allclose(found.level.iloc[::2], before.level.iloc[::2], rtol=0.1)


def test_an_unknown_month_after_a_known_one_is_refused_by_the_filter() -> None:
    counts = monthly(np.ones((12, 3)))
    for row in (4, 11):
        broken = counts.copy()
        broken.iloc[row, 1] = np.nan
        with pytest.raises(ValueError, match="known_months"):
            filtered_level(broken, FLAT)
    with pytest.raises(ValueError, match="known_months"):
        filtered_level(counts.assign(w01=np.nan), FLAT)


@settings(deadline=None)
@given(riddled(), st.integers(1, 15), st.randoms(use_true_random=False))
def test_unknown_months_may_be_rows_or_not_and_what_came_before_a_break_does_not_matter(
    counts: pd.DataFrame, rows: int, random: object
) -> None:
    day = last_day(counts)
    known = known_months(counts, day)
    longer = counts.reindex(pd.period_range(counts.index[0] - rows, counts.index[-1], freq="M"))
    shuffled = list(counts.columns)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = filtered_level(known, season_and_drift(city_total(known)))
    assert np.isfinite(first.level).all()
    assert (first.level >= 0).all()
    for same in (known, longer, longer[shuffled]):
        again = known_months(same, day)
        found = filtered_level(again, season_and_drift(city_total(again)))
        for name in ("level", "variance"):
            left, right = getattr(found, name)[first.level.index], getattr(first, name)
            pd.testing.assert_series_equal(left, right, rtol=1e-6)


def test_a_quiet_ward_is_not_given_up_as_zero_and_a_short_history_is_shrunk_more() -> None:
    counts = monthly(np.random.default_rng(5).poisson([0.05, 2, 2, 3, 9], (36, 5)))
    counts["w00"] = 0.0
    short = filtered_level(counts.iloc[:6], FLAT).level
    long = filtered_level(counts, FLAT).level
    assert short["w00"] > long["w00"] > 0


def test_the_filter_follows_a_ward_that_rises() -> None:
    counts = monthly(np.full((48, 3), 10.0))
    counts.iloc[24:, 0] = 30.0
    level = filtered_level(counts, FLAT).level
    assert level["w00"] > 22 > level["w01"]


def test_the_filter_is_nearer_the_truth_than_last_years_mean_and_knows_its_error() -> None:
    random = np.random.default_rng(11)
    start = random.gamma(2.0, 3.0, 2000)
    walk = np.cumsum(random.normal(0, np.sqrt(0.01), (36, 2000)), axis=0)
    truth = start * np.exp(walk)
    counts = monthly(random.poisson(truth))
    found = filtered_level(counts, season_and_drift(counts.sum(axis=1)))
    error = found.level.to_numpy() - truth[-1]
    naive = counts.iloc[-12:].mean().to_numpy() - truth[-1]
    assert np.mean(error**2) < 0.85 * np.mean(naive**2)
    assert found.drift_variance == pytest.approx(0.01, rel=0.35)
    assert np.mean(error**2 / found.variance) == pytest.approx(1.0, abs=0.25)


def test_every_number_of_the_filter_is_about_the_wards_of_the_table() -> None:
    counts = monthly(np.ones((12, 4)))
    found = filtered_level(counts, FLAT)
    assert list(found.level.index) == list(found.variance.index) == list(counts.columns)


@settings(deadline=None)
@given(panels())
def test_levels_are_finite_and_never_negative(counts: pd.DataFrame) -> None:
    found = filtered_level(counts, season_and_drift(counts.sum(axis=1)))
    for values in (found.level, found.variance):
        assert np.isfinite(values).all()
        assert (values >= 0).all()


@settings(deadline=None)
@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_the_wards_does_not_matter(counts: pd.DataFrame, random: object) -> None:
    shuffled = counts[random.sample(list(counts.columns), counts.shape[1])]  # type: ignore[attr-defined]
    level = filtered_level(counts, FLAT).level
    pd.testing.assert_series_equal(
        filtered_level(shuffled, FLAT).level[level.index], level, rtol=1e-9
    )


@settings(deadline=None)
@given(panels(), st.sampled_from([0.5, 3.0, 10.0]))
def test_an_index_in_another_unit_gives_the_same_levels_in_that_unit(
    counts: pd.DataFrame, unit: float
) -> None:
    level = filtered_level(counts, FLAT).level
    scaled = filtered_level(counts * unit, FLAT, unit=unit).level
    np.testing.assert_allclose(scaled, level * unit, rtol=1e-9)


@settings(deadline=None, max_examples=40)
@given(panels(least=12), st.integers(6, 40))
def test_nothing_after_the_day_is_used(counts: pd.DataFrame, months: int) -> None:
    months = min(months, len(counts))
    day = counts.index[months - 1].end_time.date()
    changed = counts.copy()
    changed.iloc[months:] = 999.0
    found = [
        filtered_level(known, season_and_drift(known.sum(axis=1)))
        for known in (known_months(table, day) for table in (counts.iloc[:months], changed))
    ]
    pd.testing.assert_series_equal(found[0].level, found[1].level, check_exact=True)
    pd.testing.assert_series_equal(found[0].variance, found[1].variance, check_exact=True)
