"""The simulation put right by the labelled past, and the small model fitted to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from hotspots.errors import CannotMeasure
from hotspots.measures import relapse
from hotspots.measures.relapse_backtest import backtest, calibration_error, calibration_line
from hotspots.measures.relapse_cases import labelled
from hotspots.measures.relapse_model import (
    AS_SIMULATED,
    FEATURES,
    LEAST_CASES,
    LEAST_FITTED,
    LEAST_RELAPSES,
    RelapseModel,
    case_weights,
    design,
    enough,
    intercept_update,
    recalibration,
)
from hotspots.text import LANGUAGES, texts

MadeUp = Callable[..., pd.DataFrame]


def otherwise_decided(past: pd.DataFrame, seed: int = 9) -> pd.DataFrame:
    """The same cases, but the level against 70 % of the threshold decides, not the written rule."""
    random = np.random.default_rng(seed)
    truth = expit(9 * (past["share"] - 0.70) + 0.5 * past["trend"])
    label = (random.uniform(size=len(past)) < truth).astype(float)
    return past.assign(y6=label.where(past["y6"].notna()), truth6=truth)


# --- recalibration


@pytest.mark.parametrize(("intercept", "slope"), [(1.0, 1.0), (-0.8, 0.6), (0.0, 1.5)])
def test_recalibration_finds_the_line_between_simulation_and_truth(
    made_up_cases: MadeUp, intercept: float, slope: float
) -> None:
    past = made_up_cases(hotspots=1200, intercept=intercept, slope=slope)
    line = recalibration(past, 6)
    assert line.intercept == pytest.approx(intercept, abs=0.15)
    assert line.slope == pytest.approx(slope, abs=0.15)


@pytest.mark.parametrize(("intercept", "slope"), [(1.2, 1.0), (-0.8, 0.5), (0.5, 1.6)])
def test_a_forecast_that_is_off_is_calibrated_by_the_labels_before_it(
    made_up_cases: MadeUp, intercept: float, slope: float
) -> None:
    past = made_up_cases(hotspots=700, intercept=intercept, slope=slope, seed=2)
    result = backtest(past, horizons=(6,), least=60, resamples=5)
    found = result.metrics.set_index("model")
    off = abs(found.loc["simulation", "slope"] - 1) > 0.25 or found.loc["simulation", "ece"] > 0.06
    assert off
    assert 0.8 < found.loc["recalibrated", "slope"] < 1.25
    assert found.loc["recalibrated", "ece"] <= 0.06


def test_below_thirty_hotspots_only_the_intercept_moves_and_only_a_little(
    made_up_cases: MadeUp,
) -> None:
    few = made_up_cases(hotspots=LEAST_CASES - 5, intercept=3.0, slope=0.2)
    few["y6"] = (np.random.default_rng(0).uniform(size=len(few)) < few["truth6"]).astype(float)
    line = recalibration(few, 6)
    assert line == intercept_update(few, 6)
    assert line.slope == 1
    assert 0 < line.intercept < 2
    assert recalibration(few.iloc[:0], 6) == AS_SIMULATED


def test_hotspots_count_and_not_their_rows(made_up_cases: MadeUp) -> None:
    many_rows = made_up_cases(hotspots=200)
    many_rows["hotspot"] = many_rows["hotspot"].map(lambda name: f"H{int(name[1:]) % 20}")
    assert len(labelled(many_rows, 6)) > 300
    assert not enough(many_rows, 6)
    assert not enough(made_up_cases(hotspots=200).assign(y6=0.0), 6)


def test_overlapping_horizons_count_once() -> None:
    monthly = pd.DataFrame({"origin": pd.date_range("2024-01-31", periods=24, freq="ME")})
    yearly = pd.DataFrame({"origin": pd.date_range("2000-12-31", periods=4, freq="YE")})
    assert case_weights(monthly, 12).sum() == pytest.approx(2)
    assert case_weights(yearly, 12).sum() == 4


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.integers(0, 30))
@settings(max_examples=25, deadline=None)
def test_recalibration_keeps_the_order_and_stays_a_probability(
    made_up_cases: MadeUp, simulated: list[float], seed: int
) -> None:
    line = recalibration(made_up_cases(hotspots=60, seed=seed), 6)
    told = line.apply(pd.Series(sorted(simulated)))
    assert told.is_monotonic_increasing
    assert told.between(0, 1, inclusive="neither").all()


# --- the fitted model


def test_where_another_rule_decides_the_fitted_model_repairs_the_calibration(
    made_up_cases: MadeUp,
) -> None:
    past = otherwise_decided(made_up_cases(hotspots=700, seed=1))
    found = backtest(past, horizons=(6,), least=60, resamples=5)
    metrics = found.metrics.set_index("model")
    assert metrics.loc["simulation", "slope"] < 0.3
    assert metrics.loc["simulation", "ece"] > 0.15
    assert 0.8 < metrics.loc["fitted", "slope"] < 1.25
    assert metrics.loc["fitted", "ece"] <= 0.06
    assert metrics.loc["fitted", "auc"] > metrics.loc["recalibrated", "auc"] + 0.2
    assert found.verdicts[6].model == "fitted"


def test_the_model_is_found_beside_the_forecast() -> None:
    assert relapse.RelapseModel is RelapseModel
    with pytest.raises(AttributeError, match="no_such_thing"):
        relapse.no_such_thing  # noqa: B018


def test_too_few_labelled_hotspots_are_refused(made_up_cases: MadeUp) -> None:
    few = made_up_cases(hotspots=LEAST_FITTED - 10)
    few = few[few["y6"].notna()]
    with pytest.raises(CannotMeasure) as refused:
        RelapseModel().fit(few, 6)
    assert refused.value.reason == "too_few_labelled"
    assert refused.value.facts["hotspots"] == few["hotspot"].nunique()
    assert refused.value.facts["needed"] == LEAST_FITTED
    all_alike = made_up_cases(hotspots=200).assign(y6=1.0)
    with pytest.raises(CannotMeasure):
        RelapseModel().fit(all_alike, 6)
    assert LEAST_RELAPSES < LEAST_CASES < LEAST_FITTED


def test_an_unfitted_model_tells_nothing(made_up_cases: MadeUp) -> None:
    with pytest.raises(ValueError, match="not fitted"):
        RelapseModel().probability(made_up_cases(hotspots=3))


def test_the_same_cases_give_the_same_model(made_up_cases: MadeUp) -> None:
    past = made_up_cases(hotspots=200)
    one, two = (RelapseModel().fit(past, 6).probability(past) for _ in range(2))
    pd.testing.assert_series_equal(one, two)
    assert one.between(0, 1, inclusive="neither").all()
    assert one.index.equals(past.index)
    assert RelapseModel().fit(past, 6).probability(past.iloc[:0]).empty


def test_the_contributions_add_up_to_the_log_odds(made_up_cases: MadeUp) -> None:
    past = otherwise_decided(made_up_cases(hotspots=200))
    model = RelapseModel().fit(past, 6)
    case = past.iloc[0]
    reasons = model.explain(case)
    assert model.pipeline is not None
    average = float(model.pipeline["model"].intercept_[0])
    total = average + sum(np.log(float(each.facts["odds"])) for each in reasons)
    assert expit(total) == pytest.approx(model.probability(past.iloc[:1]).iloc[0])
    strength = [abs(np.log(float(each.facts["odds"]))) for each in reasons]
    assert strength == sorted(strength, reverse=True)
    assert reasons[0].code == "model_level"
    assert reasons[0].facts["share"] == case["share"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_contribution_is_said_in_words(made_up_cases: MadeUp, language: str) -> None:
    past = made_up_cases(hotspots=200)
    say = texts(language)
    for each in RelapseModel().fit(past, 6).explain(past.iloc[0]):
        said = say.reason(each.code, each.facts)
        assert "{" not in said
        assert say.number(float(each.facts["odds"]), 2) in said


def test_the_features_are_named_and_finite(made_up_cases: MadeUp) -> None:
    past = made_up_cases(hotspots=30)
    past.loc[0, ["share", "p6"]] = [np.nan, 0.0]
    features = design(past, 6)
    assert tuple(features.columns) == FEATURES
    assert np.isfinite(features.to_numpy()).all()
    assert design(past, 6)["half_years"].isin([1.0]).all()


def test_the_truth_itself_is_left_as_it_is(made_up_cases: MadeUp) -> None:
    past = labelled(made_up_cases(hotspots=900, seed=8), 6)
    told = recalibration(past, 6).apply(past["p6"])
    labels = past["y6"].to_numpy()
    assert calibration_line(labels, told.to_numpy())[1] == pytest.approx(1, abs=0.12)
    assert calibration_error(labels, told.to_numpy()) < 0.03
