"""Did it work: expected without the programme, the familiar comparisons, and false alarms."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import CannotMeasure
from hotspots.measures.effect import (
    Expected,
    alike_wards,
    e_test,
    harm_weighted,
    log_residual,
    outcome,
    placebo,
    portfolio,
    rate_ratio,
    safety_margin,
    similar_wards,
    wdd,
    wdq,
    without_programme,
)
from hotspots.programme.months import Month
from hotspots.programme.plan import RelapseRule

SHARED = Path(__file__).parents[3] / "shared" / "data"
SINCE, DAY = date(2024, 12, 20), date(2025, 12, 31)
STARTED = Month(2024, 12)


def city(wards: int = 40, months: int = 36, mean: float = 20, seed: int = 0) -> pd.DataFrame:
    """Poisson counts without trend or season, from January 2023; ward w0 like the others."""
    rng = np.random.default_rng(seed)
    index = pd.period_range("2023-01", periods=months, freq="M")
    counts = rng.poisson(mean, (months, wards)).astype(float)
    return pd.DataFrame(counts, index=index, columns=[f"w{ward}" for ward in range(wards)])


def expected_of(counts: pd.DataFrame, as_of: date = DAY) -> Expected:
    return without_programme(counts, {"w0": STARTED}, since=SINCE, as_of=as_of)


# -- observed against expected


def test_a_ward_that_halves_has_fewer_than_expected_and_one_that_does_not_cannot_be_told() -> None:
    counts = city()
    assert outcome(expected_of(counts), "w0").verdict == "cannot_tell"
    counts.loc["2025-01":, "w0"] = np.floor(counts.loc["2025-01":, "w0"] / 2)
    found = outcome(expected_of(counts), "w0")
    assert (found.verdict, found.why, found.months) == ("fewer", "below_band", 12)
    assert found.observed < found.low < found.expected < found.high
    assert found.chance < 0.05


def test_a_ward_that_doubles_has_more() -> None:
    counts = city()
    counts.loc["2025-01":, "w0"] *= 2
    assert outcome(expected_of(counts), "w0").why == "above_band"


def test_what_happens_to_all_wards_is_not_an_effect() -> None:
    counts = city()
    counts.loc["2025-01":] = np.floor(counts.loc["2025-01":] * 0.6)
    found = expected_of(counts)
    assert found.trend.mean() == pytest.approx(0.6, abs=0.05)
    assert outcome(found, "w0").verdict == "cannot_tell"


def test_what_was_high_by_chance_is_expected_to_fall_by_itself() -> None:
    counts = city()
    counts.loc["2024-10":"2024-11", "w0"] = 30.0
    found = outcome(expected_of(counts), "w0")
    assert found.expected < 0.85 * 30 * 12
    assert found.verdict == "cannot_tell"


def test_the_expected_is_level_times_months_times_trend() -> None:
    found = expected_of(city())
    ward = outcome(found, "w0")
    assert ward.expected == pytest.approx(found.level["w0"] * found.trend.sum())


def test_the_month_of_designation_is_on_neither_side() -> None:
    counts = city()
    moved = counts.copy()
    moved.loc["2024-12", "w0"] = 0.0
    before, after = (outcome(expected_of(each), "w0") for each in (counts, moved))
    assert (before.observed, before.expected) == (after.observed, after.expected)


def test_counts_after_the_day_change_nothing() -> None:
    counts = city(months=48)
    changed = counts.copy()
    changed.loc["2025-10":] = 999.0
    for ward in ("w0", "w7"):
        found, again, cut = (
            outcome(expected_of(each, date(2025, 9, 30)), ward)
            for each in (counts, changed, counts.loc[:"2025-09"])
        )
        for other in (again, cut):
            pd.testing.assert_frame_equal(found.course, other.course)
            assert (found.chance, found.verdict) == (other.chance, other.verdict)


def test_a_few_large_wards_with_a_course_of_their_own_are_not_the_trend() -> None:
    counts = city(wards=60)
    counts.loc["2025-01":, ["w1", "w2", "w3", "w4", "w5"]] *= 5
    assert expected_of(counts).trend.mean() == pytest.approx(1, abs=0.03)


def test_a_ward_speaks_for_the_city_until_its_own_designation() -> None:
    counts = city()
    later = {"w0": STARTED, "w1": Month(2025, 7)}
    one = without_programme(counts, later, since=SINCE, as_of=DAY)
    counts.loc["2025-07":, "w1"] = 0.0
    other = without_programme(counts, later, since=SINCE, as_of=DAY)
    pd.testing.assert_series_equal(one.trend, other.trend)


def test_a_ward_is_compared_up_to_its_first_unknown_month() -> None:
    counts = city()
    counts.loc["2025-07", "w0"] = np.nan
    assert outcome(expected_of(counts), "w0").months == 6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda counts: counts.loc[:"2025-02"], "too_early"),
        (lambda counts: counts.loc["2024-09":], "before_too_short"),
        (lambda counts: counts.iloc[:, :9], "too_few_to_compare"),
        (lambda counts: counts.drop(columns="w0"), "ward_not_comparable"),
    ],
)
def test_what_cannot_be_measured_says_why(change, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CannotMeasure) as refused:
        outcome(expected_of(change(city())), "w0")
    assert refused.value.reason == reason


def test_a_city_without_incidents_is_refused_and_a_silent_ward_is_not() -> None:
    silent = city()
    silent.loc[:, "w0":"w9"] = 0.0
    assert outcome(expected_of(silent), "w0").verdict == "cannot_tell"
    with pytest.raises(CannotMeasure, match="without designation"):
        outcome(expected_of(silent * 0), "w0")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 2.0, 30.0]))
def test_the_band_holds_the_expected_and_widens_with_time(seed: int, mean: float) -> None:
    found = outcome(expected_of(city(mean=mean, seed=seed)), "w0")
    course = found.course
    assert (course["low"] >= 0).all()
    assert (course["low"] <= course["expected"] + 1).all()
    assert (course["high"] >= course["expected"] - 1).all()
    assert ((course["high"] - course["low"]).diff().dropna() >= -1).all()  # whole incidents
    assert 0 <= found.chance <= 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_band_covers_nine_in_ten_of_wards_where_nothing_happens(seed: int) -> None:
    counts = city(wards=120, seed=seed)
    found = expected_of(counts)
    verdicts = [outcome(found, ward).verdict for ward in counts.columns[:60]]
    assert verdicts.count("cannot_tell") >= 0.8 * len(verdicts)


def test_similar_wards_are_the_nearest_in_level() -> None:
    counts = city(wards=20)
    counts["w1"], counts["w2"] = counts["w0"] * 10, counts["w0"] * 9
    found = expected_of(counts)
    assert similar_wards(found, "w1", set(counts), 1) == ("w2",)
    assert "w1" not in similar_wards(found, "w1", set(counts), 30)
    assert len(alike_wards(found, "w1", set(counts))) == 5
    assert len(alike_wards(found, "w0", set(counts))) == 17


# -- the programme as a whole


# scipy 1.17: stats.ttest_ind([-.3,-.1,-.25,-.05], [.1,-.1,0,.05,-.05], equal_var=False)
def test_the_test_across_hotspots_is_welchs() -> None:
    from scipy.stats import ttest_ind

    ours, others = [-0.3, -0.1, -0.25, -0.05], [0.1, -0.1, 0.0, 0.05, -0.05]
    found, check = portfolio(ours, others), ttest_ind(ours, others, equal_var=False)
    assert found.p == pytest.approx(check.pvalue)
    interval = check.confidence_interval(0.90)
    assert found.low == pytest.approx(math.exp(interval.low) - 1)
    assert found.high == pytest.approx(math.exp(interval.high) - 1)
    assert (found.verdict, found.hotspots, found.compared) == ("fewer", 4, 5)


def test_two_hotspots_are_too_few_to_judge_a_programme() -> None:
    found = portfolio([-1.0, -2.0], [0.0, 0.1, -0.1])
    assert (found.change, found.verdict, found.why) == (None, "cannot_tell", "too_few")


# -- the familiar comparisons


# Wheeler and Ratcliffe (2018), Crime Science 7:11, table 3; SE and Z as printed there.
def test_wdd_gives_the_published_example() -> None:
    found = wdd((308, 318), (207, 110), (150, 140), (178, 157), confidence=0.95)
    assert (found.estimate, round(found.error, 3), round(found.z, 2)) == (-118, 39.598, -2.98)
    assert (round(found.low), round(found.high)) == (-196, -40)
    assert (found.local, found.displacement, found.verdict) == (-107, -11, "fewer")


# ptools 2.0.0, tests/testthat/test-wdd.R: area weights (Wheeler, 23 Feb 2021) and time weights
# (9 Jan 2021) on andrewpwheeler.com.
def test_wdd_with_areas_and_times_gives_the_published_examples() -> None:
    areas = wdd(
        (308, 318), (207, 110), (150, 140), (178, 157), areas=(0.9, 1.2, 1.6, 1.5), confidence=0.95
    )
    assert (round(areas.estimate, 4), round(areas.error, 4)) == (-99.6944, 35.4281)
    assert (round(areas.z, 4), round(areas.low, 3)) == (-2.8140, -169.132)
    times = wdd((100, 50), (80, 20), times=(2, 1))
    assert (times.estimate, times.error) == (-20, pytest.approx(math.sqrt(115)))


# Computed by hand from the formula, to 90 %.
@pytest.mark.parametrize(
    ("control", "treated", "spill", "estimate", "error", "low", "high"),
    [
        ((130, 150), (120, 100), ((0, 0), (0, 0)), -40, 22.4, -76.8, -3.2),
        ((130, 150), (120, 100), ((30, 25), (40, 25)), -50, 24.9, -91.0, -9.0),
        ((100, 90), (100, 80), ((0, 0), (0, 0)), -10, 19.2, None, None),
    ],
)
def test_wdd_gives_the_measured_vectors(  # type: ignore[no-untyped-def]
    control, treated, spill, estimate, error, low, high
) -> None:
    found = wdd(control, treated, *spill)
    assert (found.estimate, round(found.error, 1)) == (estimate, error)
    if low is not None:
        assert (round(found.low, 1), round(found.high, 1)) == (low, high)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=4, max_size=4),
    st.floats(1, 5),
)
def test_wdd_turns_with_time_and_its_error_grows_with_phi(
    counts: list[tuple[int, int]], phi: float
) -> None:
    found, back = wdd(*counts), wdd(*[(after, before) for before, after in counts])
    assert found.estimate == pytest.approx(-back.estimate)
    assert found.error == back.error
    assert wdd(*counts, phi=phi).error == pytest.approx(found.error * math.sqrt(phi))
    halves = wdd(*counts, areas=(2, 2, 2, 2))
    assert halves.estimate == pytest.approx(found.estimate / 2)


# ptools 2.0.0, example of `wdd_harm`: rob, burg and theft with weights 10, 5 and 1. By hand:
# -10*10 - 5*5 - 30*1, variance 100*70 + 25*105 + 230.
def test_harm_adds_with_the_weight_and_variance_with_its_square() -> None:
    each = [wdd((20, 20), (20, 10)), wdd((30, 30), (25, 20)), wdd((80, 60), (70, 20))]
    found = harm_weighted(each, [10, 5, 1])
    assert found.estimate == -10 * 10 - 5 * 5 - 30
    assert found.error == pytest.approx(math.sqrt(100 * 70 + 25 * 105 + 230))


@pytest.mark.parametrize("bad", [(-1, 2), (math.nan, 2), (math.inf, 1)])
def test_counts_that_are_none_are_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        wdd((1, 1), bad)
    with pytest.raises(ValueError, match="0 or more"):
        rate_ratio(bad, (1, 1))


# ptools 2.0.0 (README and tests): e_test(6, 2) .1748748, e_test(0, 3) .08837901
@pytest.mark.parametrize(("one", "other", "p"), [(0, 3, 0.0884), (6, 2, 0.1749), (0, 0, 1.0)])
def test_the_e_test_gives_the_published_p_values(one: int, other: int, p: float) -> None:
    assert round(e_test(one, other), 4) == p
    assert round(e_test(other, one), 4) == p


def test_the_quotient_is_read_only_where_the_area_clearly_fell() -> None:
    assert wdq((100, 50), (80, 90), (200, 200)).value == pytest.approx(-0.2)
    assert wdq((100, 50), (80, 60), (200, 200)).value == pytest.approx(0.4)
    assert wdq((100, 95), (80, 90), (200, 200)).why == "fall_not_clear"
    assert wdq((100, 100), (80, 90), (200, 200)).why == "no_fall"
    assert wdq((0, 0), (80, 90), (200, 200)).why == "nothing_counted"
    assert wdq((10, 5), (80, 90), (0, 10)).why == "nothing_counted"
    assert wdq((100, 50), (80, 90), (200, 200), phi=40).why == "fall_not_clear"


def test_the_rate_ratio_has_the_published_variance_and_survives_zeros() -> None:
    found = rate_ratio((100, 80), (200, 220), phi=2)
    assert found.log_ratio == pytest.approx(math.log(80 / 100) - math.log(220 / 200))
    assert found.error == pytest.approx(math.sqrt(2 * (1 / 100 + 1 / 80 + 1 / 200 + 1 / 220)))
    assert math.isfinite(rate_ratio((5, 0), (0, 5)).log_ratio)


# -- safety margin


def test_the_margin_is_sure_far_below_the_threshold_and_open_near_it() -> None:
    counts = city()
    counts["w1"] = counts["w1"] * 0.2
    rule = RelapseRule(12, quantile=None, threshold=240.0, test_months=(3, 6, 9, 12))
    table = safety_margin(counts, rule, as_of=DAY)
    assert table.loc["w1", "below"] > 0.99
    assert 0.1 < table["below"].drop("w1").median() < 0.9
    higher = RelapseRule(12, quantile=None, threshold=300.0, test_months=(3,))
    assert (safety_margin(counts, higher, as_of=DAY)["below"] >= table["below"]).all()


def test_a_rule_without_a_threshold_has_no_margin() -> None:
    with pytest.raises(CannotMeasure) as refused:
        safety_margin(city(), RelapseRule.of_growth(2, 0.3, 1.645), as_of=DAY)
    assert refused.value.reason == "no_threshold_in_rule"


# -- where nothing was done


def _mexico_city() -> pd.DataFrame:
    """Crime of 848 police beats by month, 2013 to January 2016."""
    path = SHARED / "crime_panel_cdmx.parquet"
    if not path.exists():
        pytest.skip("the real data is not beside the repository (../shared/data)")
    rows = pd.read_parquet(path, columns=["area", "month", "count"])
    sums = rows.astype({"area": str, "month": str}).groupby(["month", "area"])["count"].sum()
    wide = sums.unstack("area", fill_value=0).astype(float)
    wide.index = pd.PeriodIndex(wide.index, freq="M")
    return wide


@pytest.mark.real_data
def test_on_real_counts_where_nothing_was_done_few_alarms_are_raised() -> None:
    tried = placebo(_mexico_city(), {}, as_of=date(2016, 1, 31), history=12, every=2)
    assert len(tried) == 7 * 85
    assert tried["band"].eq("fewer").mean() <= 0.08
    assert (~tried["chance"].between(0.025, 0.975)).mean() <= 0.08
    # what the familiar comparisons say of the same wards
    assert tried["before_after"].eq("fewer").mean() > 0.15
    assert tried["wdd"].eq("fewer").mean() > 0.12
    programmes = [
        portfolio(
            part["residual"], list({k: v for d in part["compared"] for k, v in d.items()}.values())
        )
        for _, group in tried.groupby("origin")
        for start in range(0, 84, 12)
        for part in [group.sample(frac=1, random_state=0).iloc[start : start + 12]]
    ]
    assert sum(each.verdict == "fewer" for each in programmes) <= 0.08 * len(programmes)


def test_the_placebo_leaves_out_what_was_really_designated_and_is_repeatable() -> None:
    counts = city(wards=60, months=40)
    really = {"w3": Month(2023, 5), "w4": Month(2025, 2)}
    tried = placebo(counts, really, as_of=date(2026, 4, 30), share=0.2)
    assert not tried["ward"].isin(["w3"]).any()
    assert tried["origin"].min() == "2024-12"
    pd.testing.assert_frame_equal(
        tried, placebo(counts, really, as_of=date(2026, 4, 30), share=0.2)
    )


def test_log_residuals_are_zero_where_the_expected_came() -> None:
    found = expected_of(city())
    assert log_residual(found, ["w0", "w1"]).abs().max() < 0.3
