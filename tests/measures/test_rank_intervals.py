"""How sure a rank is: intervals, the probability of the first K, and what cannot be told."""

from __future__ import annotations

import time
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.measures.components import components, weighted_ranking
from hotspots.measures.rank_intervals import rank_intervals, rank_reason, score_deviation
from hotspots.measures.selection import rank_wards
from hotspots.text import texts

LAST_DAY = date(2022, 12, 31)


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


def test_the_weighted_score_has_the_noise_of_its_level_only() -> None:
    months = pd.period_range("2020-01", periods=36, freq="M")
    counts = pd.DataFrame({"w0": 3.0, "w1": 9.0}, months)
    found = components(counts, as_of=LAST_DAY)
    ranked = weighted_ranking(found)
    share = found.ranked["score_deviation"] / found.ranked["score"].max() * 100
    pd.testing.assert_series_equal(ranked["score_deviation"], share, check_names=False)
    assert rank_intervals(ranked, top=1)["rank_high"].tolist() == [1, 2]


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
