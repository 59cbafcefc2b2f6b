"""The components of a ward's score: numbers to check by hand, gaps that say why, weights."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import CannotMeasure, HotspotsError
from hotspots.measures.components import (
    COMPONENTS,
    DEFAULT_WEIGHTS,
    PATTERN_POINTS,
    Inputs,
    checked_weights,
    components,
    drawn_scores,
    empirical_bayes_rate,
    weighted_ranking,
)
from hotspots.measures.selection import rank_wards
from hotspots.text import LANGUAGES, texts

LAST_DAY = date(2022, 12, 31)


def city(months: int = 36, wards: int = 20, seed: int = 0) -> pd.DataFrame:
    """Wards w00 (quiet) to w19 (busy), from January 2020."""
    values = np.random.default_rng(seed).poisson(np.linspace(1, 20, wards), (months, wards))
    index = pd.period_range("2020-01", periods=months, freq="M")
    return pd.DataFrame(values.astype(float), index, [f"w{ward:02}" for ward in range(wards)])


def steady(*means: float, months: int = 36) -> pd.DataFrame:
    """Wards w00, w01, ... with the same index in each month from January 2020."""
    index = pd.period_range("2020-01", periods=months, freq="M")
    return pd.DataFrame({f"w{n:02}": float(mean) for n, mean in enumerate(means)}, index=index)


EVERYTHING = Inputs(
    incidents=city(),
    population={f"w{ward:02}": 1000.0 * (ward + 1) for ward in range(20)},
    neighbours={f"w{ward:02}": [f"w{ward + 1:02}"] for ward in range(19)},
    patterns={f"w{ward:02}": "new_hot" for ward in range(20)},
    not_transformed=["w03"],
    relapse={f"w{ward:02}": ward / 20 for ward in range(20)},
)


FOUND = components(city(), as_of=LAST_DAY, inputs=EVERYTHING)


# -- the rate


def test_marshalls_rate_agrees_with_esda() -> None:
    """Homicides 1979-84 around St. Louis; esda 2.9.0, Empirical_Bayes(HC7984, PO7984).r[:4].

    stl_hom.csv holds the two columns of libpysal's example of that name (BSD, LICENSE.libpysal;
    Messner et al. 2000, An Atlas of the Spatial Patterning of County-Level Homicide).
    """
    table = pd.read_csv(Path(__file__).parent / "stl_hom.csv").astype(float)
    rate = empirical_bayes_rate(table["HC7984"], table["PO7984"])
    first = [2.367189498550839e-05, 4.545391671288978e-05, 4.781140193833596e-05]
    assert rate.iloc[:4].tolist() == pytest.approx([*first, 2.769071459320757e-05], rel=1e-12)
    assert rate.sum() == pytest.approx(0.0037180619153068107, rel=1e-12)


def test_a_city_without_incidents_has_the_rate_0() -> None:
    assert empirical_bayes_rate(pd.Series([0.0, 0.0]), pd.Series([10.0, 20.0])).eq(0).all()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10_000)), min_size=1, max_size=20))
def test_a_smoothed_rate_lies_between_the_own_and_the_common_one(
    areas: list[tuple[int, int]],
) -> None:
    events, population = (pd.Series(column, dtype=float) for column in zip(*areas, strict=True))
    smoothed = empirical_bayes_rate(events, population)
    own, common = events / population, events.sum() / population.sum()
    assert (smoothed >= np.minimum(own, common) - 1e-12).all()
    assert (smoothed <= np.maximum(own, common) + 1e-12).all()


def test_the_rate_is_told_per_100000_residents() -> None:
    inputs = Inputs(population={"w00": 1e6, "w01": 1e6}, incidents=steady(100, 500))
    found = components(steady(100, 500), as_of=LAST_DAY, inputs=inputs)
    assert found.raw.loc["w01", "rate"] == pytest.approx(600.0, rel=0.01)


# -- the other components, by hand


def test_persistence_is_the_share_of_past_years_in_the_top_fifth() -> None:
    counts = steady(1, 2, 3, 4, 5)
    counts.iloc[:12, 0] = 9.0
    raw = components(counts, as_of=LAST_DAY).raw["persistence"]
    assert raw.to_dict() == {
        "w04": pytest.approx(2 / 3), "w00": pytest.approx(1 / 3), "w03": 0, "w02": 0, "w01": 0,
    }  # fmt: skip


def test_the_trend_is_a_difference_of_square_roots() -> None:
    counts = steady(1, 3)
    counts.iloc[-12:, 0] = 3.0
    found = components(counts, as_of=LAST_DAY)
    assert found.raw.loc["w00", "trend"] == pytest.approx(np.sqrt(2) * (6 - np.sqrt(12)))
    assert found.points.loc["w01", "trend"] == pytest.approx(50.0)
    assert found.points.loc["w00", "trend"] > 95.0


def test_severity_borrows_ten_incidents_of_the_citys_mean() -> None:
    counts, incidents = steady(4, 0, 2), steady(1, 0, 2)
    found = components(counts, as_of=LAST_DAY, inputs=Inputs(incidents=incidents))
    mean = 6 / 3
    assert found.raw.loc["w00", "severity"] == pytest.approx((144 + 10 * mean) / 46)
    assert found.raw.loc["w02", "severity"] == pytest.approx((72 + 10 * mean) / 82)
    assert found.gaps["severity", "w01"].code == "ward_without_incidents"


def test_the_pressure_of_neighbours_is_their_mean_level() -> None:
    near = Inputs(neighbours={"w00": ["w01", "w02"], "w01": ["w00"], "w02": ["nowhere"]})
    found = components(steady(1, 2, 4), as_of=LAST_DAY, inputs=near)
    levels = found.ranked["score"]
    assert found.raw.loc["w00", "neighbours"] == pytest.approx((levels["w01"] + levels["w02"]) / 2)
    assert found.points.loc["w00", "neighbours"] == 100.0
    assert found.gaps["neighbours", "w02"].code == "ward_without_neighbours"


@pytest.mark.parametrize(
    ("pattern", "points"),
    [("persistent", 100), ("hot_new", 60), ("Sporadic hot", 40), ("persistent_cold", 0)],
)
def test_a_pattern_has_its_points_hot_or_cold(pattern: str, points: float) -> None:
    found = components(steady(1), as_of=LAST_DAY, inputs=Inputs(patterns={"w00": pattern}))
    assert found.points.loc["w00", "pattern"] == points
    assert PATTERN_POINTS["none"] == 0


def test_an_unknown_pattern_or_an_impossible_relapse_is_refused() -> None:
    for inputs in (Inputs(patterns={"w00": "strange"}), Inputs(relapse={"w00": 2.0})):
        with pytest.raises(ValueError, match=r"allowed are|between them"):
            components(steady(1), as_of=LAST_DAY, inputs=inputs)


def test_what_was_not_transformed_or_has_relapsed_is_told() -> None:
    inputs = Inputs(not_transformed=["w01"], relapse={"w00": 1.0, "w01": 0.0})
    points = components(steady(1, 2, 3), as_of=LAST_DAY, inputs=inputs).points
    assert points["carried_over"].to_dict() == {"w02": 0.0, "w01": 100.0, "w00": 0.0}
    assert points.loc[["w00", "w01"], "relapse"].tolist() == [100.0, 0.0]
    assert np.isnan(points.loc["w02", "relapse"])


# -- missing is missing


def test_without_data_a_component_is_missing_and_says_why() -> None:
    found = components(steady(1, 2, months=8), as_of=date(2020, 8, 31))
    assert {name: why.code for name, why in found.missing.items()} == {
        "rate": "missing_population",
        "persistence": "years_too_few",
        "trend": "trend_too_short",
        "severity": "missing_incidents",
        "neighbours": "missing_neighbours",
        "pattern": "missing_patterns",
        "carried_over": "missing_carried_over",
        "relapse": "missing_relapse",
    }
    assert found.points.drop(columns="smoothed_level").isna().all(axis=None)


def test_a_missing_component_neither_helps_nor_harms() -> None:
    inputs = Inputs(relapse={"w01": 1.0})
    found = components(steady(4, 2), as_of=LAST_DAY, inputs=inputs)
    ranked = weighted_ranking(found, {"smoothed_level": 1, "relapse": 1})
    assert ranked.loc["w00", "score"] == pytest.approx(found.points.loc["w00", "smoothed_level"])


def test_a_ward_without_any_weighted_component_stands_where_its_level_stands() -> None:
    inputs = Inputs(population={"w00": 9000.0, "w02": 1000.0, "w03": 1000.0})
    found = components(steady(4, 2, 3, 1), as_of=LAST_DAY, inputs=inputs)
    ranked = weighted_ranking(found, {"rate": 1})
    by_rate = ranked["score"].drop("w01").tolist()  # of levels 4, 3 and 1 the second is next
    assert ranked.loc["w01", "score"] == pytest.approx((by_rate[1] + by_rate[2]) / 2)
    assert ranked.loc["w01", "rank"] == 3


def test_a_quiet_ward_without_a_time_class_does_not_come_before_wards_with_none() -> None:
    inputs = Inputs(patterns={"w00": "none", "w01": "none"})
    found = components(steady(4, 2, 1), as_of=LAST_DAY, inputs=inputs)
    ranked = weighted_ranking(found, {"pattern": 1})
    assert list(ranked.index) == ["w00", "w01", "w02"]
    drawn = drawn_scores(found, {"pattern": 1})
    assert (drawn["w02"] < drawn["w00"]).mean() > 0.9


@pytest.mark.parametrize("weights", [{"rate": 1}, {"relapse": 2, "rate": 1, "trend": 1}])
def test_weights_on_nothing_but_what_is_missing_are_refused(weights: dict[str, float]) -> None:
    found = components(steady(4, 2, months=8), as_of=date(2020, 8, 31))
    with pytest.raises(CannotMeasure) as refused:
        weighted_ranking(found, weights)
    assert refused.value.reason == "weights_without_data"
    assert set(refused.value.facts["components"]) == set(weights)  # type: ignore[call-overload]
    for language in LANGUAGES:
        say = texts(language)
        assert all(say(f"component.{name}") in say.error(refused.value) for name in weights)


@settings(deadline=None, max_examples=10)
@given(st.integers(6, 40), st.integers(1, 20), st.integers(0, 99), st.sampled_from([0.0, 0.1, 1]))
def test_points_are_from_0_to_100_and_every_gap_has_its_reason(
    months: int, wards: int, seed: int, scale: float
) -> None:
    counts = np.floor(city(months, wards, seed) * scale)
    day = counts.index[-1].end_time.date()
    for inputs in (Inputs(), EVERYTHING):
        found = components(counts, as_of=day, inputs=inputs)
        values = found.points.to_numpy()
        assert (np.isnan(values) | ((values >= 0) & (values <= 100 + 1e-9))).all()
        for ward in found.points.index:
            told = found.reasons(ward)
            assert len(told) == len(COMPONENTS)
            for name, reason in zip(COMPONENTS, told, strict=True):
                known = not np.isnan(found.points.at[ward, name])
                assert known == reason.code.startswith("component_"), (name, ward)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_component_and_every_gap_can_be_said(language: str) -> None:
    say = texts(language)
    lonely = Inputs(population={}, neighbours={}, patterns={"w00": "new"}, relapse={"w00": 1})
    silent = steady(0, 0, 3)
    for counts, inputs in ((city(), EVERYTHING), (city(), lonely), (city(8), Inputs())):
        day = counts.index[-1].end_time.date()
        found = components(counts, as_of=day, inputs=inputs)
        said = [
            say.reason(why.code, why.facts) for w in found.raw.index for why in found.reasons(w)
        ]
        assert all(said)
    found = components(silent, as_of=LAST_DAY, inputs=Inputs(incidents=silent))
    assert found.gaps["severity", "w00"].code == "ward_without_incidents"
    assert all(say.reason(why.code, why.facts) for why in found.reasons("w00"))
    assert all(say.has(f"component.{name}") for name in COMPONENTS)


def test_the_reason_of_a_trend_names_both_years() -> None:
    counts = steady(1, 3)
    counts.iloc[-12:, 0] = 3.0
    trend = components(counts, as_of=LAST_DAY).reasons("w00")[COMPONENTS.index("trend")]
    assert (trend.facts["last12"], trend.facts["before12"]) == (36.0, 12.0)


@settings(deadline=None, max_examples=8)
@given(st.integers(12, 40), st.integers(1, 20), st.integers(0, 99))
def test_the_future_changes_nothing(months: int, ahead: int, seed: int) -> None:
    counts = city(months, 8, seed)
    longer = counts.reindex(
        pd.period_range(counts.index[0], counts.index[-1] + ahead, freq="M"), fill_value=777.0
    )
    day = counts.index[-1].end_time.date()
    now, later = (
        components(each, as_of=day, inputs=Inputs(incidents=each)).points
        for each in (counts, longer)
    )
    pd.testing.assert_frame_equal(now, later, check_exact=True)


# -- weights


@settings(deadline=None, max_examples=10)
@given(st.integers(6, 40), st.integers(1, 20), st.integers(0, 99), st.sampled_from([0.0, 0.05, 1]))
def test_the_default_weights_give_the_ranking_by_smoothed_level(
    months: int, wards: int, seed: int, scale: float
) -> None:
    counts = np.floor(city(months, wards, seed) * scale)
    day = counts.index[-1].end_time.date()
    ranked = weighted_ranking(components(counts, as_of=day, inputs=EVERYTHING))
    assert ranked["rank"].to_dict() == rank_wards(counts, as_of=day)["rank"].to_dict()
    assert DEFAULT_WEIGHTS["smoothed_level"] == 1


@settings(deadline=None, max_examples=15)
@given(
    st.fixed_dictionaries(dict.fromkeys(COMPONENTS, st.floats(0, 5))).filter(
        lambda weights: sum(weights.values()) > 0.01
    ),
    st.floats(0.1, 10),
)
def test_scores_are_from_0_to_100_and_only_the_ratio_of_weights_counts(
    weights: dict[str, float], times: float
) -> None:
    found = FOUND
    ranked = weighted_ranking(found, weights)
    again = weighted_ranking(found, {name: value * times for name, value in weights.items()})
    assert ranked["score"].between(0, 100 + 1e-6).all()
    assert ranked["score"].is_monotonic_decreasing
    assert list(ranked["rank"]) == list(range(1, 21))
    pd.testing.assert_series_equal(
        ranked["score"].sort_index(), again["score"].sort_index(), atol=1e-6
    )


@pytest.mark.parametrize(
    "weights", [{"trend": -1}, {"luck": 1}, {"trend": float("nan")}, {"trend": 0}, {}]
)
def test_weights_that_mean_nothing_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(HotspotsError) as caught:
        checked_weights(weights)
    assert caught.value.reason == "weights_invalid"
