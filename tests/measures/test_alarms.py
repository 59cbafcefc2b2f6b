"""The alarms of watched hotspots, each checked by hand or against an outside source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.measures.alarms import (
    CODES,
    AlarmFinding,
    expected_counts,
    find_alarms,
    inspection_overdue,
    jump,
    neighbour_newly_hot,
    with_acknowledgements,
)
from hotspots.measures.cusum import average_run_length, design, poisson_cusum
from hotspots.measures.feedback import feedback_difference, police_share
from hotspots.measures.levels import Season
from hotspots.measures.relapse import Risk, forward_risk
from hotspots.programme.acknowledgement import Acknowledgement
from hotspots.programme.months import Month
from hotspots.programme.plan import AlarmSettings, RelapseRule
from hotspots.programme.status import ALARM_LEVELS
from hotspots.text import texts

LAST_DAY = date(2025, 12, 31)
TRANSFORMED_ON = date(2024, 12, 18)
RULE = RelapseRule(12, quantile=None, threshold=240.0, test_months=(3, 6, 9, 12))


def steady(months: int = 36, **means: float) -> pd.DataFrame:
    """Wards with the same index in every month up to December 2025."""
    index = pd.period_range(end="2025-12", periods=months, freq="M")
    return pd.DataFrame(means, index=index, dtype=float)


def watch(*areas: str, **columns: object) -> pd.DataFrame:
    """One hotspot per area, named H-area."""
    return pd.DataFrame(
        {"area": list(areas), "transformed_on": TRANSFORMED_ON, **columns},
        index=[f"H-{area}" for area in areas],
    )


def risk_of(**p6: float) -> Risk:
    table = pd.DataFrame({"area": list(p6), "p6": list(p6.values())}, index=[f"H-{a}" for a in p6])
    return Risk(table, {})


def found(
    counts: pd.DataFrame, watched: pd.DataFrame, risk: Risk | None = None, **more: object
) -> tuple[AlarmFinding, ...]:
    return find_alarms(watched, risk, counts, RULE, LAST_DAY, **more)  # type: ignore[arg-type]


def by_code(findings: tuple[AlarmFinding, ...]) -> dict[str, AlarmFinding]:
    return {each.code: each for each in findings}


# --- the run length of the CUSUM


@pytest.mark.parametrize(("mean", "published"), [(1.88, 37.2), (3.2, 5.49)])
def test_the_run_length_is_the_published_one(mean: float, published: float) -> None:
    """Lucas's chart k = 2, h = 6: `arl(h=6, k=2, lambda=1.88, shift=0)` and `shift=.9627` of the
    R package IAcsSPCR 1.2.1 (after Lucas 1985) print ARL 37.2 and 5.49; 1.88 + .9627 sd is 3.2."""
    assert average_run_length(mean, 2, 6) == pytest.approx(published, abs=0.05)


def simulated_run_length(
    draw: Callable[[np.random.Generator, int], np.ndarray], k: float, h: float, seed: int = 0
) -> float:
    """Mean months to an alarm of 4,000 series."""
    random = np.random.default_rng(seed)
    total, going, months = np.zeros(4000), np.ones(4000, dtype=bool), np.zeros(4000)
    while going.any():
        total = np.maximum(total + draw(random, 4000) - k, 0)
        months += going
        going &= total < h - 1e-9
    return float(months.mean())


@pytest.mark.parametrize(("mean", "phi"), [(0.5, 1.0), (4.0, 1.0), (4.0, 2.0), (20.0, 1.5)])
def test_the_run_length_is_that_of_a_simulation(mean: float, phi: float) -> None:
    chart = design(mean, false_alarm_every=40, phi=phi)

    def draw(random: np.random.Generator, size: int) -> np.ndarray:
        if phi == 1:
            return random.poisson(mean, size).astype(float)
        return random.negative_binomial(mean / (phi - 1), 1 / phi, size).astype(float)

    simulated = simulated_run_length(draw, chart.reference, chart.limit)
    # a run length is nearly geometric: sd of the mean of 4,000 is run_length / 63
    assert simulated == pytest.approx(chart.run_length, rel=4 / 63)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.01, 60), st.floats(1.1, 3), st.sampled_from([12.0, 60.0]), st.floats(1, 3))
def test_the_limit_is_the_smallest_that_keeps_the_false_alarms_asked_for(
    mean: float, ratio: float, every: float, phi: float
) -> None:
    chart = design(mean, ratio=ratio, false_alarm_every=every, phi=phi)
    assert chart.run_length >= every
    assert chart.reference > 0
    assert chart.limit > 0


def test_a_ratio_or_a_rate_that_says_nothing_is_refused() -> None:
    for wrong in ({"ratio": 1.0}, {"false_alarm_every": 1}):
        with pytest.raises(ValueError, match="above 1"):
            design(4.0, **wrong)


def test_where_nothing_changed_it_sounds_as_often_as_stated() -> None:
    """300 wards for 48 months with a season of a fifth: about one alarm in 60 ward-months."""
    months = pd.period_range("2020-01", periods=48, freq="M")
    means = np.random.default_rng(1).gamma(4, 2, 300) * (
        1 + 0.2 * np.sin(2 * np.pi * np.arange(48) / 12)[:, None]
    )
    counts = pd.DataFrame(np.random.default_rng(2).poisson(means), months).astype(float)
    alarms = sum(
        int(poisson_cusum(counts.iloc[:end], pd.DataFrame(means, months).iloc[:end])["alarm"].sum())
        for end in (12, 24, 36, 48)
    )
    assert 4 * 300 / 60 * 0.4 < alarms < 4 * 300 / 60 * 1.5


def test_the_running_excess_can_be_added_up_by_hand() -> None:
    months = pd.period_range("2025-01", periods=6, freq="M")
    counts = pd.DataFrame({"H": [4.0, 3, 7, 8, 2, 4]}, index=months)
    row = poisson_cusum(counts, counts * 0 + 4.0).loc["H"]
    # k = 4.9: 7 - 4.9 = 2.1, + 8 - 4.9 = 5.2, + 2 - 4.9 = 2.3, + 4 - 4.9 = 1.4; h = 5.6
    assert row["since"] == Month(2025, 3)
    assert row["cusum"] == pytest.approx(1.4)
    assert (row["observed"], row["expected"], row["run_months"]) == (21.0, 16.0, 4)
    assert row["cusum"] == pytest.approx(row["observed"] - row["run_months"] * row["reference"])
    assert not row["alarm"]
    assert row["last_alarm"] is None


def test_months_without_a_count_or_an_expectation_are_passed_over() -> None:
    months = pd.period_range("2025-01", periods=4, freq="M")
    counts = pd.DataFrame({"H": [np.nan, 9, 9, np.nan], "I": [9.0] * 4}, index=months)
    expected = pd.DataFrame({"H": 4.0, "I": np.nan}, index=months)
    table = poisson_cusum(counts, expected)
    assert table["months"].to_list() == [2, 0]
    assert table.loc["H", "last_alarm"] == Month(2025, 3)
    assert table.loc["H", "alarm"]
    assert np.isnan(table.loc["I", "limit"])


def test_the_expectation_is_the_transformed_year_with_the_months_season() -> None:
    season = Season((0.5, *(1.0,) * 10, 1.5), tet=1.0, drift=0.0, seasonal=True)
    index = pd.period_range("2024-01", periods=15, freq="M")
    known = pd.DataFrame({"a": season.factors_of(index) * 6}, index=index)
    watched = watch("a")
    expected = expected_counts(known, watched, season, unit=2.0)["H-a"]
    assert expected.iloc[:12].isna().all()
    assert expected.iloc[12:].to_list() == pytest.approx([1.5, 3.0, 3.0])
    assert expected_counts(known.iloc[1:], watched, season)["H-a"].isna().all()


# --- the jump


def test_a_jump_is_three_months_against_the_same_a_year_before() -> None:
    counts = steady(15, a=3, b=3, c=np.nan)
    counts.iloc[-3:, 0] = 12.0
    counts.iloc[-3:, 1] = 8.0
    table = jump(counts)
    assert table.loc["a", ["now", "before", "z"]].to_list() == [36.0, 9.0, 6.0]
    # b: 2 (sqrt 24 - sqrt 9) = 3.80 is one, of 6 a month 2 (sqrt 18 - 3) = 2.49 is none
    assert table["jump"].to_list() == [True, True, False]
    counts.iloc[-3:, 1] = 6.0
    assert jump(counts)["jump"].to_list() == [True, False, False]


def test_by_chance_a_jump_is_as_rare_as_said() -> None:
    """Poisson counts of ten a month without any change: 1.7 % (normal with variance 2)."""
    counts = pd.DataFrame(
        np.random.default_rng(0).poisson(10, (15, 20_000)).astype(float),
        pd.period_range("2024-01", periods=15, freq="M"),
    )
    assert jump(counts)["jump"].mean() == pytest.approx(0.017, abs=0.003)


def test_with_less_than_fifteen_months_there_is_no_jump() -> None:
    table = jump(steady(14, a=3))
    assert table["z"].isna().all()
    assert not table["jump"].any()


# --- the neighbours


def windows(**columns: list[float]) -> pd.DataFrame:
    """Windows of the last fifteen months: twelve before, and the last quarter."""
    index = pd.period_range(end="2025-12", periods=15, freq="M")
    return pd.DataFrame({name: [v[0]] * 12 + v[1:] for name, v in columns.items()}, index)


def test_a_neighbour_is_newly_hot_if_only_the_last_quarter_reached_the_threshold() -> None:
    table = windows(
        new=[5, 5, 11, 12], hotter=[5, 30, 5, 5], old=[20, 20, 20, 20], cold=[5, 5, 5, 5],
        unknown=[np.nan, 20, 20, 20],
    )  # fmt: skip
    table["again"] = [10.0, *[5.0] * 11, 5, 5, 12]
    around = {"a": sorted(table.columns), "b": ["old", "cold", "again", "not there"], "c": []}
    hot = neighbour_newly_hot(table, around, 10.0)
    assert hot["area"].to_list() == ["a", "a"]
    assert hot["neighbour"].to_list() == ["hotter", "new"]
    assert hot["month"].astype(str).to_list() == ["2025-10", "2025-11"]
    assert hot["window"].to_list() == [30.0, 11.0]


def test_a_threshold_may_move_from_month_to_month() -> None:
    table = windows(x=[5, 9, 9, 9])
    moving = pd.Series([10.0] * 14 + [8.0], table.index)
    hot = neighbour_newly_hot(table, {"a": ["x"]}, moving)
    assert hot[["threshold", "window"]].to_numpy().tolist() == [[8.0, 9.0]]
    assert neighbour_newly_hot(table.iloc[1:], {"a": ["x"]}, moving.iloc[1:]).empty


# --- the inspection


@pytest.mark.parametrize(
    ("last", "as_of", "code", "months"),
    [
        (None, date(2025, 3, 18), None, 0),
        (None, date(2025, 3, 19), "alarm_never_inspected", 3),
        (date(2024, 11, 1), date(2025, 3, 19), "alarm_never_inspected", 3),
        (date(2025, 3, 1), date(2025, 6, 1), None, 0),
        (date(2025, 3, 1), date(2025, 8, 15), "alarm_inspection_overdue", 5),
    ],
)
def test_an_inspection_is_overdue_from_the_day_after_its_months(
    last: date | None, as_of: date, code: str | None, months: int
) -> None:
    reason = inspection_overdue(last, TRANSFORMED_ON, as_of, 3)
    assert (None if reason is None else reason.code) == code
    if reason is not None:
        assert reason.facts["months_since"] == months


# --- all together


def test_the_most_urgent_comes_first_and_every_number_is_there() -> None:
    counts = steady(a=10, b=10, c=10, d=15)
    counts.loc["2025-09":, "a"] = 25.0  # type: ignore[misc]
    counts.loc["2025-11":, "d"] = 50.0  # type: ignore[misc]
    watched = watch("a", "b", "c", last_inspected_on=[date(2025, 12, 1), pd.NaT, date(2025, 11, 1)])
    risk = risk_of(a=0.4, b=0.7, c=0.1)
    findings = found(counts, watched, risk, neighbours={"c": ["d"]}, names={"d": "Phường Bốn"})
    assert [(each.hotspot, each.code, each.level) for each in findings] == [
        ("H-b", "risk", "red"),
        ("H-a", "risk", "amber"),
        ("H-b", "inspection", "note"),
        ("H-a", "cusum", "note"),
        ("H-a", "jump", "note"),
        ("H-c", "neighbour_hot", "note"),
    ]
    facts = {(each.hotspot, each.code): each.reason.facts for each in findings}
    assert facts["H-a", "jump"] == {
        "now": 75.0, "before": 30.0, "z": pytest.approx(6.366, abs=1e-3), "z_needed": 3.0,
        "month": "2025-12",
    }  # fmt: skip
    assert facts["H-c", "neighbour_hot"] == {
        "neighbour": "Phường Bốn", "month": "2025-12", "level": 250.0, "threshold": 240.0,
    }  # fmt: skip
    assert facts["H-a", "risk"] == {"p6": 0.4, "amber_from": 0.3, "red_from": 0.5}
    assert facts["H-b", "inspection"]["since_day"] == "2024-12-18"
    assert [each.p6 for each in findings] == [0.7, 0.4, 0.7, 0.4, 0.4, 0.1]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_alarm_is_said_in_words(language: str) -> None:
    counts = steady(a=10, d=15)
    counts.loc["2025-09":, "a"] = 25.0  # type: ignore[misc]
    counts.loc["2025-11":, "d"] = 50.0  # type: ignore[misc]
    watched = watch("a", last_inspected_on=date(2025, 2, 1))
    findings = found(counts, watched, risk_of(a=0.62), neighbours={"a": ["d"]})
    assert {each.code for each in findings} == set(CODES)
    say = texts(language)
    sentences = [say.reason(each.reason.code, each.reason.facts) for each in findings]
    assert not any("nan" in sentence or "None" in sentence for sentence in sentences)
    assert "01/02/2025" in " ".join(sentences) or "01 Feb 2025" in " ".join(sentences)
    for group, codes in (("alarm_code", CODES), ("alarm", ALARM_LEVELS)):
        assert all(say.has(f"{group}.{code}") for code in codes)


def test_the_programme_says_from_where_on_there_is_an_alarm() -> None:
    settings = AlarmSettings(amber=0.2, red=0.9, inspection_months=24)
    watched = watch("a", last_inspected_on=pd.NaT)
    findings = found(steady(a=10), watched, risk_of(a=0.6), settings=settings)
    assert [(each.code, each.level) for each in findings] == [("risk", "amber")]


def test_without_counts_or_forecast_the_inspection_is_still_looked_at() -> None:
    watched = watch("a", "x", last_inspected_on=pd.NaT)
    assert [each.code for each in found(steady(3, a=1), watched)] == ["inspection"] * 2
    assert [each.code for each in found(steady(a=1), watched, risk_of(a=np.nan))] == [
        "inspection",
        "inspection",
    ]
    assert found(steady(a=1), watch("a")) == ()


def test_a_rule_of_growth_has_no_hot_neighbours() -> None:
    counts = steady(a=10, d=15)
    counts.loc["2025-11":, "d"] = 50.0  # type: ignore[misc]
    growth = RelapseRule.of_growth(2, 0.3, 1.645)
    assert find_alarms(watch("a"), None, counts, growth, LAST_DAY, neighbours={"a": ["d"]}) == ()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.integers(1, 9))
def test_the_future_changes_no_alarm(seed: int, ahead: int) -> None:
    counts = steady(a=8, b=4, c=20)
    counts += np.random.default_rng(seed).poisson(5, counts.shape)
    longer = counts.reindex(
        pd.period_range(counts.index[0], counts.index[-1] + ahead, freq="M"), fill_value=777.0
    )
    watched = watch("a", "b", last_inspected_on=pd.NaT)
    risks = [forward_risk(each, watched, RULE, LAST_DAY, draws=50) for each in (counts, longer)]
    answers = [
        found(each, watched, risk, neighbours={"a": ["c"]})
        for each, risk in zip((counts, longer), risks, strict=True)
    ]
    assert answers[0] == answers[1]


def test_an_acknowledged_alarm_comes_after_the_open_ones_until_its_level_rises() -> None:
    findings = found(steady(a=10, b=10), watch("a", "b"), risk_of(a=0.6, b=0.4))
    seen = Acknowledgement("risk", "red", date(2025, 12, 1), "an", "patrols")
    shown = with_acknowledgements(findings, {"H-a": {"risk": seen}}, LAST_DAY)
    assert [(each.hotspot, each.open) for each in shown] == [("H-b", True), ("H-a", False)]
    assert shown[1].seen == seen
    amber = replace(seen, level="amber")
    again = with_acknowledgements(findings, {"H-a": {"risk": amber}}, LAST_DAY)
    assert [(each.hotspot, each.open) for each in again] == [("H-a", True), ("H-b", True)]


# --- what the police found themselves


def test_the_share_the_police_found_is_that_of_the_last_year() -> None:
    both = steady(14, a=4, b=0, c=3)
    both.loc["2025-05", "c"] = np.nan
    rest = both.assign(a=[0.0] * 2 + [3.0] * 12).drop(columns="b")
    shares = police_share(both, rest, LAST_DAY)
    assert shares["a"] == 0.25
    assert shares[["b", "c"]].isna().all()


def test_a_difference_of_a_tenth_or_another_alarm_is_said() -> None:
    areas = ["a", "b", "c", "d", "e"]
    both = pd.DataFrame({"area": areas, "p6": [0.9, 0.32, 0.2, 0.7, np.nan]}, index=areas)
    rest = pd.DataFrame({"area": areas, "p6": [0.8, 0.28, 0.15, np.nan, 0.2]}, index=areas)
    shares = pd.Series({"a": 0.4, "b": 0.3})
    table, reasons = feedback_difference(both, rest.iloc[::-1], shares)
    assert table.index.to_list() == areas
    assert {name: why.code for name, why in reasons.items()} == {
        "a": "feedback_differs",
        "b": "feedback_alarm_changes",
    }
    assert reasons["b"].facts == {"p6": 0.32, "p6_without": 0.28, "share": 0.3}
    assert table["alarm_without"].to_list() == ["red", "none", "none", "", "none"]
    assert table["police_share"].isna().to_list() == [False, False, True, True, True]
    assert "30\xa0%" in texts("vi").reason(reasons["b"].code, reasons["b"].facts)
