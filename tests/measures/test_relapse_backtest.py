"""The backtest: metrics against scikit-learn, no hindsight, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from hotspots.measures.relapse_backtest import (
    MODELS,
    alarms,
    backtest,
    brier_skill,
    calibration_error,
    calibration_line,
    points,
    predictions,
)
from hotspots.measures.relapse_cases import cases, emulate, labelled, log_odds
from hotspots.programme.plan import RelapseRule

REAL_PANEL = Path(__file__).parents[3] / "shared" / "data" / "crime_panel_cdmx.parquet"


MadeUp = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def past(made_up_cases: MadeUp) -> pd.DataFrame:
    return made_up_cases(hotspots=250, origins=14, intercept=1.0)


def row(metrics: pd.DataFrame, model: str) -> pd.Series[float]:
    return metrics[metrics["model"] == model].iloc[0]


# --- metrics


def test_the_metrics_are_those_of_scikit_learn(past: pd.DataFrame) -> None:
    result = backtest(past, horizons=(6,), resamples=20)
    known = labelled(past, 6)
    for model in ("simulation", "recalibrated", "fitted"):
        p, found = result.predictions[6].loc[known.index, model], row(result.metrics, model)
        assert found["auc"] == pytest.approx(roc_auc_score(known["y6"], p))
        assert found["pr_auc"] == pytest.approx(average_precision_score(known["y6"], p))
        assert found["brier"] == pytest.approx(brier_score_loss(known["y6"], p))
        always = brier_score_loss(known["y6"], np.full(len(known), known["y6"].mean()))
        assert found["skill"] == pytest.approx(1 - found["brier"] / always)
        assert found["skill_low"] < found["skill"] < found["skill_high"]


def test_slope_and_intercept_are_those_of_an_unpenalised_logistic_regression(
    past: pd.DataFrame,
) -> None:
    labels, p = labelled(past, 6)["y6"].to_numpy(), labelled(past, 6)["p6"].to_numpy()
    model = LogisticRegression(C=np.inf, tol=1e-8).fit(log_odds(p, 1e-4)[:, None], labels)
    intercept, slope = calibration_line(labels, p)
    assert slope == pytest.approx(model.coef_[0, 0], abs=1e-3)
    assert intercept == pytest.approx(model.intercept_[0], abs=1e-3)


def test_the_calibration_curve_is_that_of_scikit_learn(past: pd.DataFrame) -> None:
    curve = backtest(past, horizons=(6,), resamples=5).curve
    curve = curve[curve["model"] == "simulation"]
    known = labelled(past, 6)
    observed, predicted = calibration_curve(known["y6"], known["p6"], n_bins=10)
    assert curve["observed"].to_numpy() == pytest.approx(observed)
    assert curve["predicted"].to_numpy() == pytest.approx(predicted)
    gaps = (curve["observed"] - curve["predicted"]).abs() * curve["cases"]
    error = calibration_error(known["y6"].to_numpy(), known["p6"].to_numpy())
    assert error == pytest.approx(gaps.sum() / curve["cases"].sum())


def test_the_truth_is_calibrated_and_its_odds_halved_are_not(made_up_cases: MadeUp) -> None:
    known = labelled(made_up_cases(hotspots=1500, seed=5), 6)
    labels, truth = known["y6"].to_numpy(), known["truth6"].to_numpy()
    assert calibration_line(labels, truth) == pytest.approx((0, 1), abs=0.08)
    assert calibration_error(labels, truth) < 0.02
    assert calibration_line(labels, truth**0.5)[0] < -0.5
    assert brier_skill(labels, truth**0.5) < brier_skill(labels, truth) - 0.05


def test_precision_is_the_share_of_relapses_among_the_highest_of_each_origin(
    made_up_cases: MadeUp,
) -> None:
    origins = pd.to_datetime(["2025-01-31"] * 3 + ["2025-02-28"] * 3)
    table = made_up_cases().iloc[:6].assign(origin=origins, hotspot=list("abcdef"))
    table["p6"], table["y6"] = [0.9, 0.5, 0.1] * 2, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]
    found = row(backtest(table, horizons=(6,), top=1, resamples=5).metrics, "simulation")
    assert found["precision"] == 1.0
    found = row(backtest(table, horizons=(6,), top=2, resamples=5).metrics, "simulation")
    assert found["precision"] == 0.75


def test_the_points_can_be_added_up_by_hand() -> None:
    table = pd.DataFrame(
        {
            "share": [1.02, 0.92, 0.80, 0.62, 0.45, 0.20, np.nan],
            "trend": [2.5, 1.0, 0.9, -3.0, 0.0, 0.0, 0.0],
            "months_since": [5, 6, 0, 12, 12, 12, 12],
            "relapsed_before": [2, 0, 0, 1, 0, 0, 0],
        }
    )
    assert points(table).to_list() == [5 + 2 + 1 + 1, 4 + 1, 3 + 1, 2 + 1, 1, 0, 0]


# --- no hindsight


def test_labels_that_become_known_later_change_no_earlier_answer(past: pd.DataFrame) -> None:
    day = pd.Timestamp("2013-12-31")
    changed = past.copy()
    late = changed["origin"] + pd.offsets.MonthEnd(6) > day
    changed["y6"] = changed["y6"].where(~late, 1 - changed["y6"])
    then = past["origin"] <= day
    before, after = predictions(past, 6)[then], predictions(changed, 6)[then]
    pd.testing.assert_frame_equal(before, after)
    assert not predictions(past, 6)[~then].equals(predictions(changed, 6)[~then])


@pytest.mark.parametrize("cut", ["2012-06-30", "2014-12-31"])
def test_cutting_the_cases_leaves_the_answers_before_the_cut(past: pd.DataFrame, cut: str) -> None:
    known = past[past["origin"] <= cut].copy()
    known["y6"] = known["y6"].where(known["origin"] + pd.offsets.MonthEnd(6) <= cut)
    pd.testing.assert_frame_equal(predictions(known, 6), predictions(past, 6).loc[known.index])


def test_before_the_first_label_the_base_rate_is_one_half_and_the_simulation_itself(
    past: pd.DataFrame,
) -> None:
    first = past[past["origin"] < pd.Timestamp("2010-12-31")]
    told = predictions(past, 6).loc[first.index]
    for model in ("base", "level", "points"):
        assert told[model].eq(0.5).all()
    assert told["recalibrated"].to_numpy() == pytest.approx(first["p6"].to_numpy())


@given(st.integers(0, 50), st.floats(-2, 2), st.floats(0.3, 2))
@settings(max_examples=4, deadline=None)
def test_every_model_tells_a_probability(
    made_up_cases: MadeUp, seed: int, intercept: float, slope: float
) -> None:
    table = made_up_cases(hotspots=70, origins=8, intercept=intercept, slope=slope, seed=seed)
    told = predictions(table, 6)
    assert list(told.columns) == list(MODELS)
    assert told.index.equals(table.index)
    assert ((told > 0) & (told < 1)).all(axis=None)
    pd.testing.assert_frame_equal(told, predictions(table, 6))


def test_the_same_seed_gives_the_same_intervals(past: pd.DataFrame) -> None:
    few = past[past["origin"] < pd.Timestamp("2013-06-30")]
    one, two, other = (backtest(few, horizons=(6,), resamples=30, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.metrics, two.metrics)
    assert not one.metrics["skill_low"].equals(other.metrics["skill_low"])


# --- alarms


def test_leads_and_alarms_are_counted() -> None:
    """
    a    . ! ! .  relapse in May: one alarm, first two months ... seen 3 months before
    b    ! . ! .  no relapse: two alarms
    c    . . . .  relapse in May, never alarmed
    """
    origins = pd.to_datetime(["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"])
    relapses = {"a": "2025-05-31", "b": None, "c": "2025-05-31"}
    table = pd.DataFrame(
        [(name, day, day2) for name, day2 in relapses.items() for day in origins],
        columns=["episode", "origin", "relapsed_on"],
    )
    table["relapsed_on"] = pd.to_datetime(table["relapsed_on"])
    p = pd.Series([0, 0.6, 0.6, 0] + [0.6, 0, 0.6, 0] + [0] * 4)
    told = alarms(table, p, 0.5)
    assert told["relapses"] == 2
    assert (told["foreseen"], told["foreseen_early"], told["median_lead"]) == (0.5, 0.5, 3)
    assert (told["alarms"], told["alarms_per_relapse"]) == (3, 3)
    assert told["alarmed"] == pytest.approx(4 / 12)


def test_a_warning_years_before_foresaw_nothing() -> None:
    origins = pd.to_datetime(["2022-01-31", "2025-04-30"])
    table = pd.DataFrame(
        {"episode": "a", "origin": origins, "relapsed_on": pd.Timestamp("2025-05-31")}
    )
    assert alarms(table, pd.Series([0.9, 0.1]), 0.5)["foreseen"] == 0


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_a_lower_threshold_foresees_no_fewer(
    made_up_cases: MadeUp, one: float, other: float, seed: int
) -> None:
    table = made_up_cases(hotspots=20, seed=seed)
    table["relapsed_on"] = table["origin"].max() + pd.offsets.MonthEnd(1)
    low, high = (alarms(table, table["p6"], each) for each in sorted((one, other)))
    assert low["foreseen"] >= high["foreseen"]
    assert low["alarmed"] >= high["alarmed"]


# --- verdict


def test_a_fitted_model_is_in_force_only_where_it_is_better(past: pd.DataFrame) -> None:
    """Here the simulation knows everything; there it knows nothing and the level decides."""
    assert backtest(past, horizons=(6,)).verdicts[6].model == "recalibrated"
    other = past.copy()
    random = np.random.default_rng(3)
    truth = 1 / (1 + np.exp(-8 * (other["share"] - 0.75)))
    other["y6"] = (random.uniform(size=len(other)) < truth).astype(float).where(past["y6"].notna())
    verdict = backtest(other, horizons=(6,)).verdicts[6]
    assert (verdict.model, verdict.shown) == ("fitted", True)


def test_probabilities_no_better_than_the_base_rate_are_hidden(past: pd.DataFrame) -> None:
    noise = past.copy()
    random = np.random.default_rng(4)
    noise["y6"] = random.integers(0, 2, len(noise)) * past["y6"].notna().where(past["y6"].notna())
    verdict = backtest(noise, horizons=(6,)).verdicts[6]
    assert not verdict.shown
    assert verdict.reason.code == "no_better_than_base_rate"
    assert float(verdict.reason.facts["skill_low"]) <= 0


def test_too_few_hotspots_hide_nothing_and_say_so(past: pd.DataFrame) -> None:
    verdict = backtest(past.iloc[:30], horizons=(6,)).verdicts[6]
    assert verdict.shown
    assert verdict.reason.code == "not_yet_tested"
    assert verdict.reason.facts["hotspots"] == 10


def test_nothing_labelled_gives_empty_tables(made_up_cases: MadeUp) -> None:
    nothing = made_up_cases().iloc[:0]
    result = backtest(nothing, horizons=(6,))
    assert result.metrics.empty
    assert result.alarms.empty
    assert result.verdicts[6].reason.code == "not_yet_tested"


# --- a real city


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_PANEL.exists(), reason="../shared/data is not there")
def test_the_simulation_beats_level_and_points_on_a_real_city() -> None:
    """Mexico City, 848 beats, 37 months; the figures reached are printed by benchmarks/relapse."""
    rows = pd.read_parquet(REAL_PANEL).astype({"month": str, "area": str})
    counts = rows.groupby(["month", "area"])["count"].sum().unstack(fill_value=0).astype(float)
    counts.index = pd.PeriodIndex(counts.index, freq="M")
    rule = RelapseRule(12, quantile=0.8, threshold=None, test_months=(3, 6, 9, 12))
    day = date(2016, 1, 31)
    episodes = emulate(counts, rule, as_of=day, watch_months=24)
    past = cases(counts, episodes, rule, as_of=day, every=2, draws=150)
    metrics = backtest(past, resamples=50).metrics.set_index(["horizon", "model"])
    for horizon, auc, skill in ((3, 0.90, 0.40), (6, 0.855, 0.36), (12, 0.75, 0.15)):
        found = metrics.loc[(horizon, "recalibrated")]
        assert found["auc"] > max(auc, metrics.loc[(horizon, "points"), "auc"])
        assert found["skill"] > max(skill, metrics.loc[(horizon, "level"), "skill"])
