"""How sure a rank is: intervals, the probability of the first K, and what cannot be told."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from hotspots.measures.components import (
    Components,
    Inputs,
    components,
    drawn_scores,
    share_without_noise,
    weighted_ranking,
)
from hotspots.measures.rank_intervals import (
    drawn_levels,
    drawn_years,
    rank_intervals,
    rank_reason,
    score_deviation,
)
from hotspots.measures.selection import rank_wards
from hotspots.text import texts

LAST_DAY = date(2022, 12, 31)


MONTHS = pd.period_range("2019-01", periods=48, freq="M")
NOISY = ("smoothed_level", "rate", "persistence", "trend", "severity", "neighbours")


@dataclass(frozen=True)
class MadeCity:
    """Counts, the components of them, and the points of level, trend and rate without noise."""

    counts: pd.DataFrame
    found: Components
    true: pd.DataFrame


def made_city(
    random: np.random.Generator,
    *,
    alike: bool = False,
    drift: float = 0.0,
    monthly: float = 2.0,
    wards: int = 60,
    unit: float = 4.0,
) -> MadeCity:
    """Four years; each ward touches the next; a severe incident counts 5, one in four is severe."""
    codes = [f"w{n:02}" for n in range(wards)]
    base = np.full(wards, monthly) if alike else random.gamma(2, monthly / 2, wards)
    level = base * np.exp(np.cumsum(random.normal(0, drift, (48, wards)), axis=0))
    incidents = pd.DataFrame(random.poisson(level).astype(float), MONTHS, codes)
    counts = incidents + 4.0 * random.binomial(incidents.to_numpy(int), 0.25)
    people = np.full(wards, 1e4) if alike else random.gamma(4, 5e3, wards) + 500
    known = Inputs(
        incidents=incidents,
        population=dict(zip(codes, people, strict=True)),
        neighbours={code: [codes[n - 1], codes[(n + 1) % wards]] for n, code in enumerate(codes)},
    )
    last, before = level[-12:].sum(axis=0), level[-24:-12].sum(axis=0)
    true = {
        "smoothed_level": level[-1] / level[-1].max() * 100,
        "trend": norm.cdf(np.sqrt(2) * (np.sqrt(last) - np.sqrt(before))) * 100,
        "rate": last / people / (last / people).max() * 100,
    }
    found = components(counts, as_of=LAST_DAY, unit=unit, inputs=known)
    return MadeCity(counts, found, pd.DataFrame(true, codes))


def table(score: list[float], deviation: list[float] | float) -> pd.DataFrame:
    wards = [f"w{ward:04}" for ward in range(len(score))]
    given_ = pd.DataFrame({"score": score, "score_deviation": deviation}, wards).astype(float)
    ordered = given_.sort_values("score", ascending=False, kind="stable")
    return ordered.assign(rank=range(1, len(score) + 1))


scores = st.lists(st.floats(0, 1000), min_size=1, max_size=25)


@settings(deadline=None, max_examples=30)
@given(scores, st.floats(0, 100), st.integers(1, 30), st.integers(0, 9))
def test_an_interval_holds_its_rank_and_the_probabilities_add_up_to_k(
    score: list[float], deviation: float, top: int, seed: int
) -> None:
    ranked = table(score, deviation)
    found = rank_intervals(ranked, top=top, draws=60, seed=seed)
    assert found.index.equals(ranked.index)
    assert (found["rank_low"] <= found["rank"]).all()
    assert (found["rank"] <= found["rank_high"]).all()
    assert found["rank_low"].min() >= 1
    assert found["rank_high"].max() <= len(score)
    assert found["p_top"].sum() == pytest.approx(min(top, len(score)))


@settings(deadline=None, max_examples=20)
@given(scores, st.integers(0, 9))
def test_the_same_seed_gives_the_same_answer_in_any_order(score: list[float], seed: int) -> None:
    ranked = table(score, 5.0)
    shuffled = ranked.sample(frac=1, random_state=seed)
    one, other = (rank_intervals(each, top=3, draws=40, seed=seed) for each in (ranked, shuffled))
    pd.testing.assert_frame_equal(one, other.reindex(one.index))


def test_without_noise_every_rank_is_certain() -> None:
    found = rank_intervals(table([9, 8, 7, 7, 1], 0.0), top=3)
    assert (found["rank_low"] == found["rank"]).all()
    assert (found["rank_high"] == found["rank"]).all()
    assert found["p_top"].tolist() == [1, 1, 1, 0, 0]
    assert not found["cannot_tell"].any()


def test_two_alike_wards_at_the_line_cannot_be_told_apart() -> None:
    found = rank_intervals(table([500, 100, 100, 5], 20.0), top=2)
    assert found["cannot_tell"].tolist() == [False, True, True, False]
    assert found["p_top"].iloc[1] == pytest.approx(0.5, abs=0.06)
    codes = [rank_reason(found, ward, 2).code for ward in found.index]
    assert codes == ["rank_in_top", "rank_cannot_tell", "rank_cannot_tell", "rank_outside_top"]
    said = texts("vi").reason("rank_cannot_tell", rank_reason(found, "w0001", 2).facts)
    assert said.startswith("Hạng 2 (2 đến 3)")
    assert rank_reason(found, "w0001", 2).facts["low"] == 2
    assert rank_reason(found, "w0001", 2).facts["high"] == 3


def test_two_normal_scores_change_places_as_often_as_theory_says() -> None:
    """P(X < Y) of two nearly normal scores 10 apart with deviation 10 each: Phi(-1 / sqrt 2)."""
    found = rank_intervals(table([1010, 1000], 10.0), top=1, draws=20_000)
    assert found["p_top"].iloc[1] == pytest.approx(0.2398, abs=0.012)


def test_more_months_make_a_rank_surer() -> None:
    values = np.random.default_rng(1).poisson(5, (36, 10)).astype(float)
    months = pd.period_range("2020-01", periods=36, freq="M")
    counts = pd.DataFrame(values, months, [f"w{ward}" for ward in range(10)])
    short, long = (
        score_deviation(each, as_of=LAST_DAY).mean() for each in (counts.iloc[-12:], counts)
    )
    assert long < short


def test_intervals_of_90_percent_hold_the_true_rank_nine_times_in_ten() -> None:
    """12 made cities of 60 wards whose levels stay; the true rank is that of the level."""
    random = np.random.default_rng(3)
    months = pd.period_range("2020-01", periods=36, freq="M")
    held = []
    for _ in range(12):
        true = random.gamma(2, 2, 60)
        wards = [f"w{ward:02}" for ward in range(60)]
        counts = pd.DataFrame(random.poisson(true, (36, 60)).astype(float), months, wards)
        ranked = rank_wards(counts, as_of=LAST_DAY)
        ranked["score_deviation"] = score_deviation(counts, as_of=LAST_DAY)
        found = rank_intervals(ranked, top=6, draws=300).reindex(wards)
        place = (-pd.Series(true, wards)).rank()
        held.append(place.between(found["rank_low"], found["rank_high"]).mean())
    assert 0.86 <= np.mean(held) <= 0.99


# -- any weights


def test_with_the_level_alone_the_scores_drawn_are_those_of_its_deviation() -> None:
    found = made_city(np.random.default_rng(0)).found
    ranked = weighted_ranking(found)
    with_them = rank_intervals(ranked, top=6, drawn=drawn_scores(found))
    by_deviation = rank_intervals(found.ranked, top=6)
    pd.testing.assert_frame_equal(with_them, by_deviation, check_names=False)


@pytest.mark.parametrize(
    "weights", [{"smoothed_level": 1, "trend": 0.5}, {"trend": 1}, {"rate": 1}]
)
def test_in_a_city_where_all_wards_are_alike_none_is_surely_among_the_first(
    weights: dict[str, float],
) -> None:
    for seed in range(3):
        found = made_city(np.random.default_rng(seed), alike=True).found
        ranked = weighted_ranking(found, weights)
        intervals = rank_intervals(ranked, top=6, drawn=drawn_scores(found, weights))
        assert intervals["p_top"].max() < 0.95
        assert (intervals["rank_high"] - intervals["rank_low"]).mean() > 20


ALIKE = [made_city(np.random.default_rng(seed), alike=True).found for seed in range(3)]


@settings(deadline=None, max_examples=15)
@given(
    st.fixed_dictionaries(dict.fromkeys(NOISY, st.floats(0, 3))).filter(
        lambda weights: sum(weights.values()) > 0.01
    ),
    st.sampled_from(ALIKE),
    st.integers(1, 30),
)
def test_no_weights_find_a_difference_where_there_is_none(
    weights: dict[str, float], found: Components, top: int
) -> None:
    drawn = drawn_scores(found, weights)
    intervals = rank_intervals(weighted_ranking(found, weights), top=top, drawn=drawn)
    assert intervals["p_top"].sum() == pytest.approx(top)
    assert top > 12 or intervals["p_top"].max() < 0.95


@pytest.mark.parametrize(
    "weights",
    [{"smoothed_level": 1, "trend": 0.5}, {"smoothed_level": 1, "rate": 1}, {"trend": 1}],
    ids=["level, trend", "level, rate", "trend"],
)
def test_intervals_hold_the_rank_of_the_true_score_nine_times_in_ten(
    weights: dict[str, float],
) -> None:
    """12 made cities of 60 wards that walk by 2 % a month; the true score is without any noise."""
    random, held = np.random.default_rng(4), []
    for _ in range(12):
        city = made_city(random, drift=0.02)
        ranked = weighted_ranking(city.found, weights)
        drawn = drawn_scores(city.found, weights)
        found = rank_intervals(ranked, top=6, drawn=drawn).reindex(city.true.index)
        place = (-(city.true[list(weights)] @ pd.Series(weights, dtype=float))).rank()
        held.append(place.between(found["rank_low"], found["rank_high"]).mean())
    assert 0.80 <= np.mean(held) <= 0.97


def test_a_ward_that_ranks_high_by_chance_only_is_marked() -> None:
    """Wards are alike but for noise, so who leads by the trend does so by chance."""
    found = made_city(np.random.default_rng(0), alike=True).found
    ranked, drawn = weighted_ranking(found, {"trend": 1}), drawn_scores(found, {"trend": 1})
    sure = drawn.mul(0) + ranked["score"].reindex(drawn.columns).rank()  # the order turned round
    marked = rank_intervals(ranked, top=6, drawn=-sure)
    assert marked["by_chance"].sum() == 6
    assert (marked["rank"][marked["by_chance"]] <= 6).all()
    assert rank_reason(marked, str(ranked.index[0]), 6).code == "rank_by_chance"
    for language in ("vi", "en"):
        why = rank_reason(marked, str(ranked.index[0]), 6)
        assert "1 (" in texts(language).reason(why.code, why.facts)
    assert not rank_intervals(ranked, top=6, drawn=sure)["by_chance"].any()


def mean_width(city: MadeCity, weights: dict[str, float]) -> float:
    drawn = drawn_scores(city.found, weights)
    intervals = rank_intervals(weighted_ranking(city.found, weights), top=6, drawn=drawn)
    return float((intervals["rank_high"] - intervals["rank_low"]).mean())


@pytest.mark.parametrize("weights", [{"smoothed_level": 1, "trend": 0.5}, {"neighbours": 1}])
def test_more_noise_of_the_index_makes_wider_intervals(weights: dict[str, float]) -> None:
    widths = [mean_width(made_city(np.random.default_rng(5), unit=u), weights) for u in (4, 16, 64)]
    assert widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize("weights", [{"smoothed_level": 1, "rate": 1}, {"rate": 1}])
def test_fewer_incidents_make_wider_intervals(weights: dict[str, float]) -> None:
    cities = [made_city(np.random.default_rng(5), monthly=monthly) for monthly in (50, 5, 0.5)]
    widths = [mean_width(city, weights) for city in cities]
    assert widths[0] < widths[1] < widths[2]


def test_what_was_asked_before_changes_no_draw() -> None:
    one, other = (made_city(np.random.default_rng(1)).found for _ in range(2))
    for weights in ({"severity": 1.0}, {"smoothed_level": 1.0}, dict.fromkeys(NOISY, 1.0)):
        first = drawn_scores(one, weights)
    pd.testing.assert_frame_equal(first, drawn_scores(other, weights), check_exact=True)


def test_what_comes_later_changes_no_draw() -> None:
    counts = made_city(np.random.default_rng(1)).counts
    longer = counts.reindex(pd.period_range("2019-01", periods=60, freq="M"), fill_value=777.0)
    now, later = (
        drawn_scores(
            components(each, as_of=LAST_DAY, inputs=Inputs(incidents=each)),
            {"smoothed_level": 1, "trend": 1, "persistence": 1, "severity": 1},
        )
        for each in (counts, longer)
    )
    pd.testing.assert_frame_equal(now, later, check_exact=True)


def test_a_fact_has_no_noise_and_wards_of_equal_score_have_that_of_their_level() -> None:
    """w0 and w1 were not transformed; which of the two leads is as unsure as their levels."""
    counts = pd.DataFrame({"w0": 3.0, "w1": 3.1, "w2": 3.2}, MONTHS)
    found = components(counts, as_of=LAST_DAY, inputs=Inputs(not_transformed=["w0", "w1"]))
    weights = {"carried_over": 1.0}
    ranked, drawn = weighted_ranking(found, weights), drawn_scores(found, weights)
    assert rank_intervals(ranked, top=2, drawn=drawn)["p_top"].to_dict() == {
        "w1": 1.0, "w0": 1.0, "w2": 0.0,
    }  # fmt: skip
    assert rank_intervals(ranked, top=1, drawn=drawn)["cannot_tell"].to_dict() == {
        "w1": True, "w0": True, "w2": False,
    }  # fmt: skip


def test_the_time_class_is_said_to_be_without_noise() -> None:
    known = Inputs(patterns={"w0": "new", "w1": "none"})
    found = components(pd.DataFrame({"w0": 3.0, "w1": 3.0}, MONTHS), as_of=LAST_DAY, inputs=known)
    assert share_without_noise(found) == 0
    assert share_without_noise(found, {"smoothed_level": 1, "pattern": 1, "rate": 2}) == 0.5


def test_a_ward_without_any_weighted_component_is_drawn_where_its_level_is_drawn() -> None:
    counts = pd.DataFrame({"w0": 9.0, "w1": 9.0, "w2": 1.0}, MONTHS)
    people = {"w0": 1e4, "w2": 1e4}
    found = components(counts, as_of=LAST_DAY, inputs=Inputs(population=people))
    by_rate, level = (drawn_scores(found, each) for each in ({"rate": 1}, {"smoothed_level": 1}))
    above = level["w1"] > level["w0"]
    assert 0.4 < above.mean() < 0.6
    assert (by_rate["w1"] > by_rate["w2"])[level["w1"] > level["w2"]].all()
    assert (by_rate["w1"] < by_rate[["w0", "w2"]].max(axis=1))[~above].mean() > 0.9


def test_a_year_with_many_incidents_is_drawn_as_it_was() -> None:
    counts = pd.DataFrame({"w0": [1000.0] * 12 + [2000.0] * 12, "w1": 1500.0}, MONTHS[:24])
    level = drawn_levels(np.array([24000.0, 18000.0]), np.array([500.0, 500.0]))
    last, before = drawn_years(counts, level, phi=1.0)
    assert (last.mean(axis=0) / [24000, 18000]).tolist() == pytest.approx([1, 1], abs=0.02)
    assert (before.mean(axis=0) / [12000, 18000]).tolist() == pytest.approx([1, 1], abs=0.02)


def test_a_change_that_noise_explains_is_drawn_as_next_to_none() -> None:
    random = np.random.default_rng(0)
    counts = pd.DataFrame(random.poisson(1.0, (24, 100)).astype(float), MONTHS[:24])
    level = drawn_levels(np.full(100, 12.0), np.full(100, 2.5))
    last, before = drawn_years(counts, level, phi=1.0)
    seen = (counts[12:].sum() - counts[:12].sum()).std()
    assert (last - before).mean(axis=0).std() < seen / 5


@pytest.mark.parametrize("months", [7, 12, 23])
def test_short_histories_and_silent_cities_can_be_drawn(months: int) -> None:
    for times in (0.0, 1.0):
        counts = made_city(np.random.default_rng(2)).counts.iloc[:months] * times
        counts.iloc[: months - 6, 0] = np.nan
        day = counts.index[-1].end_time.date()
        near = {"w00": ["w01", "nowhere"]}
        known = Inputs(incidents=counts, population={"w01": 1e4}, neighbours=near)
        found = components(counts, as_of=day, inputs=known)
        weights = dict.fromkeys(NOISY, 1.0)
        drawn = drawn_scores(found, weights)
        assert np.isfinite(drawn.to_numpy()).all()
        assert drawn.to_numpy().min() >= 0
        assert drawn.to_numpy().max() <= 100.001
        ranked = weighted_ranking(found, weights)
        assert rank_intervals(ranked, top=6, drawn=drawn)["p_top"].sum() == pytest.approx(6)


def test_other_weights_are_answered_at_once() -> None:
    found = made_city(np.random.default_rng(6), wards=168).found
    start = time.process_time()
    drawn_scores(found, {"trend": 1})
    first = time.process_time() - start
    start = time.process_time()
    weights = dict.fromkeys(NOISY, 1.0)
    rank_intervals(weighted_ranking(found, weights), top=12, drawn=drawn_scores(found, weights))
    assert first < 0.5
    assert time.process_time() - start < 0.05


def test_3321_wards_take_seconds() -> None:
    random = np.random.default_rng(0)
    ranked = table(list(random.gamma(2, 10, 3321)), 3.0)
    start = time.process_time()
    rank_intervals(ranked, top=300)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(("top", "score"), [(0, 1.0), (1, -1.0), (1, float("nan"))])
def test_what_cannot_be_ranked_is_refused(top: int, score: float) -> None:
    with pytest.raises(ValueError, match=r"at least 1|0 or more"):
        rank_intervals(table([score], 1.0), top=top)
