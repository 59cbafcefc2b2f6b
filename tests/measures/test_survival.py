"""The non-relapse share that waits for the young: Kaplan-Meier, its interval, its probability."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from hotspots.measures.survival import (
    Survival,
    kaplan_meier,
    probability_of_meeting,
    product_of_quarters,
    quarters,
    survival,
)
from hotspots.programme.months import add_months, months_between
from hotspots.programme.status import Watch

DAY = date(2026, 12, 15)

# Vector 1 of the measurements the method was chosen by: months followed, relapsed at the 1st (3),
# the 4th (9) and the 7th (12).
TIMES = np.array(
    [3, 6, 6, 9, 9, 12, 12, 12, 15, 15, 18, 18, 21, 21, 24, 24, 3, 6, 9, 12], dtype=float
)
RELAPSES = np.isin(np.arange(20), [0, 3, 6])


def watches(times: np.ndarray, relapses: np.ndarray, day: date = DAY) -> list[Watch]:
    """One hotspot for each time in months: relapsed after it, or followed so long by the day."""
    made = []
    for number, (months, relapsed) in enumerate(zip(times, relapses, strict=True)):
        since = add_months(day, -int(months))
        start = add_months(day, -24) if relapsed else since
        end = add_months(start, int(months)) if relapsed else None
        made.append(Watch(f"h{number}", start.year, start, relapsed_on=end))
    return made


def vector_1() -> Survival:
    return survival(watches(TIMES, RELAPSES), DAY, 0.85)


# -- Kaplan-Meier


def waltons() -> tuple[np.ndarray, np.ndarray]:
    """lifelines' data of that name (MIT, see LICENSE.lifelines): 163 flies, counted by day."""
    table = pd.read_csv(Path(__file__).with_name("waltons.csv"))
    days = np.concatenate([table["days"].repeat(table[c]) for c in ("deaths", "still_alive")])
    return days, np.arange(len(days)) < table["deaths"].sum()


def test_it_is_the_estimate_of_lifelines() -> None:
    # lifelines 0.30.3: f = KaplanMeierFitter().fit(w["T"], w["E"]) with w = load_waltons();
    # f.median_survival_time_, f.predict(30) -> 56.0, 0.8272239263803682
    days, died = waltons()
    found = kaplan_meier(days, died)
    assert len(days) == 163
    assert found.loc[found["share"] <= 0.5, "time"].iloc[0] == 56
    assert found.loc[found["time"] <= 30, "share"].iloc[-1] == pytest.approx(0.8272239263803682)


def test_the_first_vector_is_met() -> None:
    found = vector_1()
    naive = 1 - len(found.relapsed) / len(found.hotspots)
    assert naive == 0.85
    assert found.share == pytest.approx(0.8128, abs=5e-5)
    assert found.variance == pytest.approx(0.00989, abs=5e-6)
    assert found.effective == pytest.approx(15.39, abs=5e-3)
    assert found.interval is not None
    ends = (found.interval.low, found.interval.high)
    assert ends == pytest.approx((0.608, 0.924), abs=5e-4)


def test_greenwoods_variance_gives_greenwoods_interval() -> None:
    found = vector_1()
    assert found.share is not None
    assert found.variance is not None
    half = norm.ppf(0.95) * np.sqrt(found.variance)
    ends = (found.share - half, found.share + half)
    assert ends == pytest.approx((0.649, 0.976), abs=5e-4)


def test_the_first_vectors_product_of_quarters_is_met() -> None:
    """The vector was drawn at random (.776, [.598, .916], .244); here it is exact."""
    counts = quarters(TIMES, RELAPSES, 12)
    assert [list(each) for each in counts] == [[20, 18, 15, 12], [1, 0, 1, 1]]
    shares, mass = product_of_quarters(*counts)
    below = np.cumsum(mass[::-1])
    low, high = (shares[::-1][np.searchsorted(below, level)] for level in (0.05, 0.95))
    assert float(shares @ mass) == pytest.approx(0.776, abs=1e-3)
    assert (low, high) == pytest.approx((0.598, 0.916), abs=1.5e-3)
    assert probability_of_meeting(*counts, 0.85) == pytest.approx(0.244, abs=2e-3)
    assert vector_1().probability == probability_of_meeting(*counts, 0.85)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_product_agrees_with_drawing_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    exposed = rng.uniform(3, 40, 4)
    relapsed = np.floor(exposed * rng.uniform(0, 0.2, 4))
    draws = rng.beta(0.25 + relapsed, 1 + exposed - relapsed, (200_000, 4))
    drawn = float(((1 - draws).prod(axis=1) >= 0.85).mean())
    assert probability_of_meeting(exposed, relapsed, 0.85) == pytest.approx(drawn, abs=4e-3)


def test_the_interval_covers_where_greenwoods_does_not() -> None:
    """Twelve hotspots a city, .85 true, a third of them followed for less than a year."""
    rng = np.random.default_rng(0)
    hazard = -np.log(0.85) / 12
    wilson, greenwood = [], []
    for _ in range(150):
        until = rng.choice(
            [3.0, 6.0, 9.0, 12.0, 18.0, 24.0], 12, p=[0.1, 0.1, 0.15, 0.25, 0.2, 0.2]
        )
        relapse = np.ceil(rng.exponential(1 / hazard, 12))
        found = survival(watches(np.minimum(relapse, until), relapse <= until), DAY, 0.85)
        if found.share is None or found.variance is None or found.interval is None:
            continue
        wilson.append(found.interval.low <= 0.85 <= found.interval.high)
        greenwood.append(abs(found.share - 0.85) <= norm.ppf(0.95) * np.sqrt(found.variance))
    assert len(wilson) > 140
    assert 0.86 <= np.mean(wilson) <= 0.99
    assert np.mean(greenwood) < 0.8


# -- what cannot be measured, and the edges


def test_nobody_transformed_cannot_be_measured() -> None:
    found = survival([], DAY, 0.85)
    assert (found.verdict, found.why) == ("cannot_be_measured", "nothing_transformed")
    assert (found.share, found.interval, found.probability) == (None, None, None)
    assert found.curve.empty
    assert found.numbers["at_risk"].eq(0).all()


def test_young_hotspots_alone_cannot_be_measured() -> None:
    young = watches(np.array([11.0, 10.0, 3.0]), np.array([False, False, False]))
    found = survival(young, DAY, 0.85)
    assert (found.verdict, found.why) == ("cannot_be_measured", "nobody_followed_to_horizon")
    assert (found.share, found.probability, found.data_can_tell) == (None, None, False)
    assert found.curve["share"].eq(1).all()
    assert found.curve["month"].max() == 11


def test_the_day_twelve_months_later_is_the_first_that_counts() -> None:
    watch = Watch("h", 2025, date(2025, 3, 10))
    assert survival([watch], date(2026, 3, 9), 0.85).share is None
    found = survival([watch], date(2026, 3, 10), 0.85)
    assert (found.share, found.followed, found.effective) == (1, 1, 1)


def test_all_kept_is_as_sure_as_many_were_followed() -> None:
    found = survival(watches(np.full(16, 12.0), np.zeros(16, bool)), DAY, 0.85)
    assert (found.share, found.effective, found.verdict) == (1, 16, "met")
    assert found.interval is not None
    assert found.interval.high == 1
    assert not found.data_can_tell


def test_all_relapsed_is_measured_although_nobody_was_followed() -> None:
    found = survival(watches(np.full(5, 6.0), np.ones(5, bool)), DAY, 0.85)
    assert (found.share, found.effective, found.followed) == (0, 5, 0)
    assert (found.verdict, found.data_can_tell) == ("not_met", True)


def test_only_the_last_two_years_transformations_are_looked_at() -> None:
    old = Watch("old", 2024, date(2024, 12, 14), relapsed_on=date(2025, 2, 1))
    edge = Watch("edge", 2024, date(2024, 12, 15))
    found = survival([old, edge], DAY, 0.85)
    assert (found.hotspots, found.relapsed, found.share) == (("edge",), (), 1)
    assert survival([old, edge], DAY, 0.85, horizon=24).hotspots == ("edge", "old")


def test_who_was_followed_for_half_a_quarter_counts_half() -> None:
    exposed, relapsed = quarters(np.array([1.5, 4.0, 2.0]), np.array([False, False, True]), 12)
    assert exposed.tolist() == [0.5 + 1 + 1, pytest.approx(1 / 3), 0, 0]
    assert relapsed.tolist() == [1, 0, 0, 0]


def test_a_relapse_on_the_first_day_counts() -> None:
    since = date(2025, 6, 1)
    found = survival([Watch("h", 2025, since, relapsed_on=since)], DAY, 0.85)
    assert (found.share, found.relapsed) == (0, ("h",))


def test_a_share_after_some_months_is_read_from_the_curve() -> None:
    found = vector_1()
    assert found.share_after(2) == 1
    assert found.share_after(12) == found.share
    assert survival([Watch("h", 2026, date(2026, 7, 1))], DAY, 0.85).share_after(12) is None


@pytest.mark.parametrize("times", [[1.0, -1.0], [1.0, float("nan")], [1.0]])
def test_impossible_times_are_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="one value each"):
        kaplan_meier(times, [True, False])


# -- what always holds

SINCE = st.dates(date(2024, 6, 1), DAY)
FOLLOWED = st.lists(st.tuples(SINCE, st.none() | st.integers(0, 900)), max_size=25)


def dated(rows: list[tuple[date, int | None]]) -> list[Watch]:
    return [
        Watch(
            f"h{number}",
            since.year,
            since,
            relapsed_on=None if days is None else since + timedelta(days),
        )
        for number, (since, days) in enumerate(rows)
    ]


@settings(deadline=None)
@given(FOLLOWED)
def test_shares_are_shares_and_only_fall(rows: list[tuple[date, int | None]]) -> None:
    found = survival(dated(rows), DAY, 0.85)
    curve = found.curve
    assert curve["share"].is_monotonic_decreasing
    assert (
        (curve["low"] <= curve["share"] + 1e-12) & (curve["share"] <= curve["high"] + 1e-12)
    ).all()
    assert curve[["share", "low", "high"]].stack().between(0, 1).all()
    assert found.numbers["at_risk"].is_monotonic_decreasing
    assert found.numbers["at_risk"].iloc[0] == len(found.hotspots)
    assert (found.share is None) == (found.verdict == "cannot_be_measured")
    if found.share is not None:
        assert found.interval is not None
        assert found.probability is not None
        assert found.interval.low <= found.share + 1e-12
        assert found.share <= found.interval.high + 1e-12
        assert 0 <= found.probability <= 1
        # one who left unfinished may only have told more
        naive = 1 - len(found.relapsed) / len(found.hotspots)
        assert found.share <= naive + 1e-12


@settings(deadline=None)
@given(FOLLOWED)
def test_without_the_unfinished_it_is_the_plain_share(rows: list[tuple[date, int | None]]) -> None:
    old = [(date(2025, 1, 1) + timedelta(n), days) for n, (_, days) in enumerate(rows)]
    found = survival(dated(old), DAY, 0.85)
    if old:
        assert found.share == pytest.approx(1 - len(found.relapsed) / len(old), abs=1e-12)
        assert found.effective == pytest.approx(len(old))


@settings(deadline=None)
@given(FOLLOWED, st.dates(date(2025, 1, 1), DAY))
def test_what_comes_after_the_day_changes_nothing(
    rows: list[tuple[date, int | None]], day: date
) -> None:
    everything = dated(rows)
    cut = [
        replace(watch, relapsed_on=None)
        if watch.relapsed_on is not None and watch.relapsed_on > day
        else watch
        for watch in everything
        if watch.transformed_on <= day
    ]
    known, full = survival(cut, day, 0.85), survival(everything, day, 0.85)
    pd.testing.assert_frame_equal(known.curve, full.curve)
    pd.testing.assert_frame_equal(known.numbers, full.numbers)
    empty = pd.DataFrame()
    assert replace(known, curve=empty, numbers=None) == replace(full, curve=empty, numbers=None)  # type: ignore[arg-type]


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.integers(0, 1500), st.integers(1, 40))
def test_months_between_two_days_rise_with_the_days(start: date, days: int, more: int) -> None:
    end = start + timedelta(days)
    assert months_between(start, end) <= months_between(start, end + timedelta(more))
    assert months_between(start, add_months(start, 12)) == 12
