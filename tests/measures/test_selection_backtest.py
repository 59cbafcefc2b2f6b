"""How ways of choosing would have done on the past: by hand, without looking ahead, and warned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import CannotMeasure, HotspotsError
from hotspots.measures.components import COMPONENTS, Inputs
from hotspots.measures.reasons import Reason
from hotspots.measures.selection_backtest import MEASURES, _top_share, backtest
from hotspots.text import LANGUAGES, texts

REAL_PANEL = Path(__file__).parents[3] / "shared" / "data" / "crime_panel_cdmx.parquet"
LAST_DAY = date(2023, 12, 31)


def city(months: int = 48, wards: int = 20, seed: int = 0) -> pd.DataFrame:
    """Wards w00 (quiet) to w19 (busy), from January 2020."""
    values = np.random.default_rng(seed).poisson(np.linspace(0.2, 4, wards), (months, wards))
    index = pd.period_range("2020-01", periods=months, freq="M")
    return pd.DataFrame(values.astype(float), index, [f"w{ward:02}" for ward in range(wards)])


def years(**sums: list[float]) -> pd.DataFrame:
    """A twelfth of each year's sum in every month, from January 2020."""
    index = pd.period_range("2020-01", periods=12 * len(next(iter(sums.values()))), freq="M")
    return pd.DataFrame({w: np.repeat(each, 12) / 12 for w, each in sums.items()}, index)


def of(found: pd.DataFrame, until: str, method: str) -> pd.Series[float]:
    rows = found[found["until"].eq(until) & found["method"].eq(method)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_numbers_can_be_checked_by_hand() -> None:
    counts = years(a=[120, 240], b=[60, 120], c=[180, 60], d=[0, 60])
    found = backtest(counts, as_of=date(2021, 12, 31), count=2)
    row = of(found.years, "2020-12", "last_year")
    assert row["wards"] == 4
    assert row["count"] == 2
    assert row["hit_rate"] == pytest.approx(1 / 2)  # a and c chosen, a and b the highest
    assert row["harm_share"] == pytest.approx(300 / 480)
    assert row["pai"] == pytest.approx(300 / 480 / (2 / 4))
    assert row["pei"] == pytest.approx(300 / 360)


def test_with_areas_and_incidents_the_pai_is_of_those() -> None:
    counts = years(a=[120, 240], b=[60, 120], c=[180, 60], d=[0, 60])
    incidents = years(a=[12, 60], b=[6, 120], c=[18, 12], d=[0, 48])
    area = {"a": 10, "b": 40, "c": 5, "d": 45}
    found = backtest(counts, as_of=date(2021, 12, 31), count=2, incidents=incidents, area_km2=area)
    row = of(found.years, "2020-12", "last_year")
    assert row["pai"] == pytest.approx(72 / 240 / 0.15)
    assert row["pei"] == pytest.approx(72 / 180)
    assert row["harm_share"] == pytest.approx(300 / 480)


def test_wards_tied_at_the_line_share_the_places_left() -> None:
    score = pd.Series({"a": 5.0, "b": 3.0, "c": 3.0, "d": 3.0, "e": 1.0})
    assert _top_share(score, 2).tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 0])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(1, 12))
def test_the_places_given_out_are_k(score: list[int], count: int) -> None:
    given_out = _top_share(pd.Series(score, dtype=float), count)
    assert given_out.sum() == pytest.approx(min(count, len(score)))
    assert given_out.between(0, 1 + 1e-12).all()


@settings(deadline=None, max_examples=12)
@given(st.integers(24, 50), st.integers(1, 20), st.integers(0, 99))
def test_the_future_changes_no_choice_of_the_past(months: int, ahead: int, seed: int) -> None:
    """Later counts add years; those that were there stay as they are."""
    counts = city(months, 8, seed)
    longer = counts.reindex(
        pd.period_range(counts.index[0], counts.index[-1] + ahead, freq="M"), fill_value=777.0
    )
    day = counts.index[-1].end_time.date()
    now, later = (backtest(each, as_of=day, count=2) for each in (counts, longer))
    pd.testing.assert_frame_equal(now.years, later.years)
    assert now.verdict == later.verdict


@settings(deadline=None, max_examples=12)
@given(st.integers(24, 40), st.integers(1, 12), st.integers(0, 99), st.sampled_from([0.0, 0.2, 1]))
def test_shares_are_shares_and_all_wards_find_all(
    months: int, count: int, seed: int, scale: float
) -> None:
    counts = np.floor(city(months, 8, seed) * scale)
    day = counts.index[-1].end_time.date()
    found = backtest(counts, as_of=day, count=count, every=6)
    for name in ("hit_rate", "pei", "harm_share"):
        assert found.years[name].dropna().between(-1e-9, 1 + 1e-9).all()
    if count >= 8 and scale == 1:
        assert found.mean[list(MEASURES)].to_numpy() == pytest.approx(1.0)


def test_each_past_year_is_measured_and_the_mean_is_theirs() -> None:
    found = backtest(city(60), as_of=date(2024, 12, 31), count=4)
    assert list(found.years["until"].unique()) == ["2020-12", "2021-12", "2022-12", "2023-12"]
    mean = found.years[found.years["method"].eq("last_year")]["hit_rate"].mean()
    assert found.mean.loc["last_year", "hit_rate"] == pytest.approx(mean)
    assert list(found.mean.index) == ["smoothed_level", "last_year", "three_year_mean"]


def test_weights_that_find_fewer_are_warned_of() -> None:
    counts = city(60, 40)
    found = backtest(counts, as_of=date(2024, 12, 31), count=8, weights={"trend": 1})
    assert found.verdict.code == "weights_lose"
    assert found.is_warning
    assert found.verdict.facts["in_use"] < found.verdict.facts["level"]
    assert "in_use" in found.mean.index


def test_weights_that_find_as_many_are_not() -> None:
    found = backtest(
        city(60), as_of=date(2024, 12, 31), count=4, weights={"smoothed_level": 1, "trend": 0.001}
    )
    assert found.verdict.code == "weights_hold"
    assert not found.is_warning


def test_a_level_behind_a_plain_count_is_said() -> None:
    """One terrible year long past holds the smoothed level back, but not last year's count."""
    counts = years(a=[9000, 0, 0, 0], b=[0, 300, 300, 300], c=[10, 10, 10, 10])
    found = backtest(counts, as_of=LAST_DAY, count=1)
    assert found.mean["hit_rate"].round(3).to_dict() == {
        "smoothed_level": 0.0, "last_year": 0.667, "three_year_mean": 0.0,
    }  # fmt: skip
    assert found.verdict.code == "level_behind"
    assert found.is_warning


@pytest.mark.parametrize("scale", [0, 1])
@pytest.mark.parametrize(
    "weights",
    [None, {"trend": 1.0}, {"smoothed_level": 1, "relapse": 1.0}, dict.fromkeys(COMPONENTS, 1.0)],
)
def test_the_verdict_and_the_notes_can_be_said(
    weights: dict[str, float] | None, scale: float
) -> None:
    found = backtest(city(60) * scale, as_of=LAST_DAY, count=8, weights=weights)
    partly = [Reason(f"partly_{name}", {"known": 1, "tried": 2}) for name in COMPONENTS[1:]]
    for reason in (found.verdict, *found.notes, *partly):
        for language in LANGUAGES:
            assert texts(language).reason(reason.code, reason.facts)


def test_components_without_a_past_are_noted() -> None:
    weights = {"smoothed_level": 1, "rate": 0.1, "relapse": 0.1}
    found = backtest(city(), as_of=LAST_DAY, count=4, weights=weights)
    assert [note.code for note in found.notes] == ["missing_population", "missing_relapse"]


POPULATION = {f"w{ward:02}": 10_000.0 + 500 * ward for ward in range(20)}


def known_in(*years: int) -> Callable[[date], Inputs]:
    return lambda day: Inputs(population=POPULATION if day.year in years else None)


def test_weights_are_judged_only_by_years_in_which_their_components_were_known() -> None:
    weights = {"smoothed_level": 1, "rate": 1}
    found = backtest(city(), as_of=LAST_DAY, count=4, weights=weights, inputs_at=known_in(2021))
    assert found.verdict.facts["years"] == 1
    assert [(note.code, dict(note.facts)) for note in found.notes] == [
        ("partly_rate", {"known": 1, "tried": 3})
    ]
    in_use = found.years[found.years["method"].eq("in_use")]
    assert in_use["until"].tolist() == ["2021-12"]
    level = of(found.years, "2021-12", "smoothed_level")["hit_rate"]
    assert found.mean.loc["smoothed_level", "hit_rate"] == pytest.approx(level)


def test_a_component_that_only_the_last_year_tried_had_is_noted() -> None:
    """The trend needs two years, which the first past year does not have."""
    weights = {"smoothed_level": 1, "trend": 0.1}
    found = backtest(city(), as_of=LAST_DAY, count=4, weights=weights)
    assert [note.code for note in found.notes] == ["partly_trend"]
    assert found.notes[0].facts == {"known": 2, "tried": 3}
    assert found.verdict.facts["years"] == 2


def test_weights_that_no_past_year_could_use_are_neither_praised_nor_blamed() -> None:
    never = backtest(city(), as_of=LAST_DAY, count=4, weights={"smoothed_level": 1, "relapse": 1})
    apart = backtest(
        city(), as_of=LAST_DAY, count=4, weights={"rate": 1, "trend": 1}, inputs_at=known_in(2020)
    )
    for found in (never, apart):
        assert found.verdict.code == "weights_untried"
        assert not found.is_judged
        assert not found.is_warning
        assert "in_use" not in found.mean.index
    assert [note.code for note in never.notes] == ["missing_relapse"]
    assert [note.code for note in apart.notes] == ["partly_rate", "partly_trend"]


@pytest.mark.parametrize("weights", [None, {"smoothed_level": 1, "trend": 1}])
def test_a_city_without_incidents_has_nothing_to_find(weights: dict[str, float] | None) -> None:
    found = backtest(city() * 0, as_of=LAST_DAY, count=4, weights=weights)
    assert found.verdict.code == "nothing_to_find"
    assert found.verdict.facts == {"years": 3 if weights is None else 2}
    assert not found.is_judged


def test_a_year_without_incidents_is_not_counted() -> None:
    counts = city()
    counts.loc["2022-01":"2022-12"] = 0.0
    found = backtest(counts, as_of=LAST_DAY, count=4)
    assert found.verdict.facts["years"] == 2
    assert found.is_judged


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 99), st.integers(1, 2))
def test_a_later_day_changes_no_year_of_before(seed: int, later: int) -> None:
    """The weight of an incident grows with time, but each past year has that of its own day."""
    counts = city(36 + 12 * later, 8, seed)

    def unit(day: date) -> float:
        return float(counts.loc[: f"{day:%Y-%m}"].max().max())

    days = [counts.index[35].end_time.date(), counts.index[-1].end_time.date()]
    first, second = (backtest(counts, as_of=day, count=2, unit=unit) for day in days)
    kept = second.years[second.years["until"].isin(first.years["until"])]
    pd.testing.assert_frame_equal(first.years, kept.reset_index(drop=True))


def test_what_was_known_is_asked_for_each_past_day() -> None:
    asked: list[date] = []

    def known(day: date) -> Inputs:
        asked.append(day)
        return Inputs(not_transformed=["w00"])

    weights = {"smoothed_level": 1, "carried_over": 5}
    found = backtest(city(), as_of=LAST_DAY, count=1, weights=weights, inputs_at=known)
    assert asked == [date(2020, 12, 31), date(2021, 12, 31), date(2022, 12, 31)]
    assert found.mean.loc["in_use", "hit_rate"] == 0
    assert found.verdict.code == "weights_lose"


def test_under_two_years_nothing_can_be_measured() -> None:
    with pytest.raises(CannotMeasure) as caught:
        backtest(city(23), as_of=date(2021, 11, 30), count=4)
    assert caught.value.reason == "backtest_too_short"
    assert caught.value.facts == {"months": 23, "needed": 24}


def test_a_count_of_0_and_weights_without_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        backtest(city(), as_of=LAST_DAY, count=0)
    with pytest.raises(HotspotsError):
        backtest(city(), as_of=LAST_DAY, count=1, weights={"luck": 1})


def mexico_city(keep: float = 1.0) -> pd.DataFrame:
    """Monthly incidents of 848 police beats, each kept with a probability."""
    if not REAL_PANEL.exists():
        pytest.skip(f"the Mexico City panel is not there: {REAL_PANEL}")
    rows = pd.read_parquet(REAL_PANEL).astype({"area": str, "month": str})
    if keep < 1:
        random = np.random.default_rng(0)
        rows["count"] = random.binomial(rows["count"].to_numpy(int), keep)
    counts = rows.groupby(["month", "area"])["count"].sum().unstack().astype(float)
    return counts.set_axis(pd.PeriodIndex(counts.index, freq="M"))


@pytest.mark.real_data
@pytest.mark.parametrize("count", [85, 170])
def test_on_a_real_panel_the_smoothed_level_is_at_most_a_point_behind_the_better_plain_count(
    count: int,
) -> None:
    """The highest tenth and fifth of Mexico City's beats at their full counts."""
    found = backtest(mexico_city(), as_of=date(2016, 1, 31), count=count, every=6)
    rate = found.mean["hit_rate"]
    assert rate["smoothed_level"] >= max(rate["last_year"], rate["three_year_mean"]) - 0.01
    assert found.verdict.code == "level_holds"


@pytest.mark.real_data
def test_on_a_real_panel_of_small_counts_the_smoothed_level_is_ahead_of_last_year() -> None:
    """Mexico City's beats, one incident in twenty kept: about two a year; see benchmarks."""
    found = backtest(mexico_city(0.05), as_of=date(2016, 1, 31), count=170, every=4)
    assert found.mean.loc["smoothed_level", "hit_rate"] > found.mean.loc["last_year", "hit_rate"]
