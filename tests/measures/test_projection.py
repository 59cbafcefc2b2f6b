"""How a year is likely to end: exact sums, a shock common to all, what past years teach."""

from __future__ import annotations

from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from hotspots.measures.projection import (
    LEAST_SHOCK,
    Calibration,
    PastYear,
    Projection,
    calibrate,
    distribution,
    most_failing,
    project,
)

END = date(2026, 12, 31)

# Vector 2 of the measurements the method was chosen by: 14 hotspots, one relapsed, three certain.
OPEN = [0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6]


def projected(
    whole: int, failed: int, probabilities: list[float], target: float = 0.85, **more: object
) -> Projection:
    named = {f"h{number}": p for number, p in enumerate(probabilities)}
    found = project(
        "official", target, END, whole=whole, failed=failed, probabilities=named, **more  # type: ignore[arg-type]
    )  # fmt: skip
    assert found is not None
    return found


def past_year(year: int, probabilities: np.ndarray, failed: np.ndarray) -> PastYear:
    named = {f"{year}-{number}": float(p) for number, p in enumerate(probabilities)}
    return PastYear(
        year, named, frozenset(name for name, ill in zip(named, failed, strict=True) if ill)
    )


def simulated(
    years: int, hotspots: int, level: float, slope: float, sigma: float, seed: int
) -> list[PastYear]:
    rng = np.random.default_rng(seed)
    made = []
    for year in range(years):
        odds = rng.normal(-0.5, 1.2, hotspots)
        shock = sigma * rng.standard_normal()
        failed = rng.random(hotspots) < expit(level + slope * odds + shock)
        made.append(past_year(2000 + year, expit(odds), failed))
    return made


# -- the sum


@pytest.mark.parametrize(("sigma", "probability"), [(0.0, 0.2812), (0.35, 0.2940)])
def test_the_second_vector_is_met(sigma: float, probability: float) -> None:
    ends = distribution(np.array(OPEN), sigma)
    assert most_failing(14, 0.85) == 2
    assert float(ends[:2].sum()) == pytest.approx(probability, abs=5e-5)


def test_without_past_years_the_probabilities_stand_and_the_shock_is_the_least() -> None:
    found = projected(14, 1, OPEN)
    assert list(found.probabilities.values()) == pytest.approx(OPEN)
    assert found.calibration == Calibration()
    assert found.probability == pytest.approx(0.2940, abs=5e-5)
    assert (found.open, found.may_fail, found.must_succeed) == (10, 1, 9)


def test_the_sum_is_that_of_counting_every_case() -> None:
    probabilities = np.array([0.1, 0.35, 0.5, 0.8])
    counted = np.zeros(5)
    for case in product([0, 1], repeat=4):
        chance = np.where(case, probabilities, 1 - probabilities).prod()
        counted[sum(case)] += chance
    assert distribution(probabilities, 0.0) == pytest.approx(counted)


def test_the_shock_is_that_of_drawing_it() -> None:
    rng = np.random.default_rng(0)
    shocked = expit(logit(OPEN) + 0.8 * rng.standard_normal((200_000, 1)))
    drawn = (rng.random(shocked.shape) < shocked).sum(axis=1)
    found = distribution(np.array(OPEN), 0.8)
    assert found == pytest.approx(np.bincount(drawn, minlength=11) / len(drawn), abs=4e-3)


def test_a_common_shock_widens_the_end() -> None:
    alone, shaken = (distribution(np.array(OPEN), sigma) for sigma in (0.0, 1.0))
    numbers = np.arange(len(OPEN) + 1)

    def variance(p: np.ndarray) -> float:
        return float(p @ numbers**2 - (p @ numbers) ** 2)

    assert variance(shaken) > 1.3 * variance(alone)


# -- in plain numbers


@pytest.mark.parametrize(
    ("whole", "failed", "still_open", "target", "may_fail", "must_succeed", "probability"),
    [
        (10, 0, 0, 0.6, 4, 0, 1.0),  # all done, all well
        (10, 4, 3, 0.6, 0, 3, None),  # every one of the three must succeed
        (10, 5, 3, 0.6, -1, 4, 0.0),  # even three of three are too few
        (10, 0, 3, 0.6, 4, 0, 1.0),  # enough already
        (20, 0, 6, 0.85, 3, 3, None),
    ],
)
def test_how_many_must_succeed_and_may_fail(
    whole: int,
    failed: int,
    still_open: int,
    target: float,
    may_fail: int,
    must_succeed: int,
    probability: float | None,
) -> None:
    found = projected(whole, failed, [0.3] * still_open, target)
    assert (found.may_fail, found.must_succeed) == (may_fail, must_succeed)
    assert found.decided == (probability is not None)
    if probability is not None:
        assert found.probability == pytest.approx(probability)
    else:
        assert 0 < found.probability < 1


def test_the_expected_share_counts_what_failed_already() -> None:
    found = projected(10, 2, [0.5, 0.5])
    assert found.share == pytest.approx(0.7)
    assert found.interval == pytest.approx((0.6, 0.8))


def test_more_hotspots_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 3"):
        project("official", 0.85, END, whole=3, failed=2, probabilities={"a": 0.1, "b": 0.1})


def test_nothing_that_counts_has_no_projection() -> None:
    assert project("official", 0.85, END, whole=0, failed=0, probabilities={}) is None


# -- what was not measured


def test_an_unmeasured_hotspot_stands_with_the_mean_of_the_others() -> None:
    found = projected(5, 0, [0.1, 0.3, float("nan")])
    assert found.probabilities["h2"] == pytest.approx(0.2)
    assert found.without_own == ("h2",)


def test_an_unmeasured_hotspot_stands_with_the_share_of_past_years() -> None:
    past = [past_year(2024, np.full(9, np.nan), np.arange(9) < 2)]
    found = projected(5, 0, [float("nan")] * 3, past=past)
    assert set(found.probabilities.values()) == {2.5 / 10}


def test_where_nothing_was_ever_measured_there_is_no_projection() -> None:
    nothing = {"a": float("nan")}
    assert project("official", 0.85, END, whole=2, failed=0, probabilities=nothing) is None


# -- what past years teach


def test_many_past_hotspots_correct_the_level_and_the_slope() -> None:
    found = calibrate(simulated(6, 400, level=-1.0, slope=0.6, sigma=0.0, seed=1))
    assert found.level == pytest.approx(-1.0, abs=0.25)
    assert found.slope == pytest.approx(0.6, abs=0.15)
    assert found.sigma == LEAST_SHOCK
    assert (found.hotspots, len(found.years)) == (2400, 6)


def test_years_that_differ_raise_the_shock() -> None:
    found = calibrate(simulated(12, 40, level=0.0, slope=1.0, sigma=1.2, seed=3))
    assert 0.8 < found.sigma < 1.7


def test_two_past_years_cannot_show_a_shock() -> None:
    bad, good = simulated(2, 30, level=0.0, slope=1.0, sigma=0.0, seed=2)
    worse = PastYear(bad.year, bad.probabilities, frozenset(bad.probabilities))
    assert calibrate([worse, good]).sigma == LEAST_SHOCK


def test_a_handful_of_past_hotspots_corrects_a_little() -> None:
    """Two of six failed where one in twelve was foretold."""
    found = calibrate([past_year(2024, np.full(6, 1 / 12), np.arange(6) < 2)])
    assert 1 / 12 < found.of([1 / 12])[0] < 2 / 6


def test_hotspots_without_a_probability_teach_nothing() -> None:
    assert calibrate([past_year(2024, np.full(4, np.nan), np.arange(4) < 2)]) == Calibration()


# -- what always holds

PROBABILITIES = st.lists(st.floats(0.001, 0.999), max_size=14)


@settings(deadline=None)
@given(PROBABILITIES, st.floats(0, 2))
def test_a_distribution_sums_to_one(probabilities: list[float], sigma: float) -> None:
    ends = distribution(np.array(probabilities), sigma)
    assert len(ends) == len(probabilities) + 1
    assert (ends >= 0).all()
    assert float(ends.sum()) == pytest.approx(1)


@settings(deadline=None)
@given(PROBABILITIES, st.integers(0, 5), st.integers(0, 9), st.floats(0.01, 1))
def test_a_projection_holds_together(
    probabilities: list[float], failed: int, safe: int, target: float
) -> None:
    whole = failed + len(probabilities) + safe
    named = {f"h{number}": p for number, p in enumerate(probabilities)}
    found = project("official", target, END, whole=whole, failed=failed, probabilities=named)
    assert (found is None) == (whole == 0)
    if found is None:
        return
    low, high = found.interval
    assert (whole - failed - found.open) / whole - 1e-9 <= low <= high <= 1 - failed / whole + 1e-9
    assert 0 <= found.probability <= 1
    assert (whole - found.most) / whole >= target - 1e-9
    assert found.most == whole or (whole - found.most - 1) / whole < target + 1e-9
    if found.decided:
        assert found.probability == pytest.approx(0 if found.may_fail < 0 else 1)


@settings(deadline=None)
@given(PROBABILITIES, st.integers(0, 13), st.floats(0.001, 0.5))
def test_a_riskier_hotspot_never_helps(probabilities: list[float], which: int, more: float) -> None:
    if which >= len(probabilities):
        return
    riskier = [
        min(p + more, 0.999) if number == which else p for number, p in enumerate(probabilities)
    ]
    whole = len(probabilities) + 2
    assert (
        projected(whole, 0, riskier).probability
        <= projected(whole, 0, probabilities).probability + 1e-9
    )


@given(st.integers(0, 200), st.floats(0.01, 1))
def test_as_many_may_fail_as_the_target_leaves(whole: int, target: float) -> None:
    most = most_failing(whole, target)
    assert 0 <= most <= whole
