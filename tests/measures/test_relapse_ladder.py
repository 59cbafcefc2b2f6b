"""Which probability is in force: rungs, sources of labels, and what is missing."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from hotspots.measures.reasons import Reason
from hotspots.measures.relapse import forward_risk
from hotspots.measures.relapse_cases import emulate, under_watch
from hotspots.measures.relapse_ladder import (
    CalibratedRisk,
    Past,
    calibrated_risk,
    calibration_in_force,
    labelled_past,
)
from hotspots.measures.relapse_model import LEAST_CASES, recalibration
from hotspots.programme.months import Month
from hotspots.programme.plan import RelapseRule
from hotspots.text import LANGUAGES, texts

RULE = RelapseRule(12, quantile=0.7, threshold=None, test_months=(3, 6, 9, 12))
START = Month(2020, 1)


def city(months: int, wards: int = 60, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    walk = 0.10 * random.standard_normal((months, wards)).cumsum(axis=0)
    means = np.exp(np.log(6) + 0.2 * random.standard_normal(wards) + walk)
    index = pd.period_range(str(START), periods=months, freq="M")
    names = [f"w{n:02}" for n in range(wards)]
    return pd.DataFrame(random.poisson(means).astype(float), index, names)


def last_day(counts: pd.DataFrame) -> date:
    return (START + (len(counts) - 1)).last_day


def watched_in(counts: pd.DataFrame) -> pd.DataFrame:
    day = last_day(counts)
    return under_watch(emulate(counts, RULE, as_of=day), day)[["area", "transformed_on"]]


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return city(54, wards=200)


@pytest.fixture(scope="module")
def past(counts: pd.DataFrame) -> Past:
    return labelled_past(counts, RULE, as_of=last_day(counts), draws=30, every=5)


@pytest.fixture(scope="module")
def risk(counts: pd.DataFrame, past: Past) -> CalibratedRisk:
    watched = watched_in(counts)
    return calibrated_risk(
        counts, watched, RULE, as_of=last_day(counts), past=past, draws=300, horizons=(3, 6, 12)
    )


def test_the_probabilities_grow_with_the_horizon_and_are_never_certain(
    risk: CalibratedRisk,
) -> None:
    p = risk.table[["p3", "p6", "p12"]]
    assert len(p) > 5
    assert ((p > 0) & (p < 1)).all(axis=None)
    assert (p["p3"] <= p["p6"]).all()
    assert (p["p6"] <= p["p12"]).all()


def test_with_enough_labels_the_simulation_is_recalibrated(
    risk: CalibratedRisk, past: Past, counts: pd.DataFrame
) -> None:
    assert risk.rung == 2
    assert risk.models[6] == "recalibrated"
    assert risk.sources[6] == "emulated"
    assert risk.labels.loc[6, "hotspots"] >= LEAST_CASES
    told = recalibration(past.emulated, 3).apply(risk.table["raw3"])
    pd.testing.assert_series_equal(risk.table["p3"], told, check_names=False)
    raw = forward_risk(counts, watched_in(counts), RULE, as_of=last_day(counts), draws=300)
    pd.testing.assert_series_equal(risk.table["raw6"], raw.table["p6"], check_names=False)
    assert list(risk.table.index) == list(raw.table.index)
    assert risk.table["points"].between(0, 9).all()


def test_what_the_next_rung_needs_is_said(risk: CalibratedRisk) -> None:
    assert [each.code for each in risk.needs] == ["rung_needs_labels_to_fit"]
    assert risk.needs[0].facts["hotspots"] == risk.labels.loc[6, "hotspots"]


def test_under_two_years_of_counts_there_are_points_and_no_probabilities() -> None:
    young = city(20)
    told = calibrated_risk(young, watched_in(young), RULE, as_of=last_day(young), draws=50)
    assert told.rung == 0
    assert told.models[6] == "points"
    assert told.table[["p3", "p6", "p12"]].isna().all(axis=None)
    assert told.table["points"].notna().all()
    assert not any(told.shown.values())
    assert told.needs == (Reason("rung_needs_months", {"months": 20, "needed": 24}),)


def test_with_two_years_the_simulation_is_shown_moved_by_a_little() -> None:
    young = city(24)
    told = calibrated_risk(young, watched_in(young), RULE, as_of=last_day(young), draws=100)
    assert told.rung == 1
    assert told.shown[6]
    assert told.needs[0].code == "rung_needs_labels"
    assert (told.table["p6"] - told.table["raw6"]).abs().max() < 0.2


def test_relapses_on_record_move_the_emulated_calibration(past: Past) -> None:
    few = past.emulated[past.emulated["y6"].notna()].head(20)
    lines = [
        calibration_in_force(Past(few.assign(y6=label), past.emulated), 6) for label in (0.0, 1.0)
    ]
    between = recalibration(past.emulated, 6)
    assert lines[0].intercept < between.intercept < lines[1].intercept
    assert lines[0].slope == between.slope == lines[1].slope


def test_a_record_far_from_the_probabilities_is_said(counts: pd.DataFrame, past: Past) -> None:
    """The rule's own cases, once with their labels and once as if hardly anybody had relapsed."""
    known = past.emulated[past.emulated["y6"].notna()]
    few = known[known["hotspot"].isin(known.loc[known["p6"] > 0.5, "hotspot"].unique()[:15])]
    agreed, denied = (
        calibrated_risk(
            counts, watched_in(counts), RULE, as_of=last_day(counts), draws=50,
            past=Past(few.assign(y6=label), past.emulated),
        ).doubts
        for label in (few["p6"].gt(0.5).astype(float), 0.0)
    )  # fmt: skip
    assert 6 not in agreed
    assert denied[6].code == "record_far_apart"
    assert denied[6].facts["foreseen"] > denied[6].facts["came_true"] + 0.2


def test_enough_relapses_on_record_replace_the_emulated_ones(past: Past) -> None:
    assert Past(past.emulated, past.emulated.iloc[:0]).source(6) == "recorded"
    assert Past(past.emulated.head(10), past.emulated).source(6) == "emulated"


def test_a_fitted_model_in_force_explains_itself(counts: pd.DataFrame, past: Past) -> None:
    """The record says that whoever is above half the threshold relapses: no simulation says so."""
    twice = pd.concat(
        [past.emulated, past.emulated.assign(hotspot=past.emulated["hotspot"] + " again")]
    ).reset_index(drop=True)
    label = (twice["share"] > twice["share"].median()).astype(float)
    decided = Past(twice.assign(y6=label.where(twice["y6"].notna())), past.emulated)
    told = calibrated_risk(
        counts,
        watched_in(counts),
        RULE,
        as_of=last_day(counts),
        past=decided,
        horizons=(6,),
        draws=50,
    )
    assert (told.rung, told.models[6], told.sources[6]) == (3, "fitted", "recorded")
    assert told.needs == ()
    first = told.reasons[told.table.index[0]]
    assert {"level_against_threshold", "model_level"} <= {each.code for each in first}
    assert told.table["p6"].corr(told.table["share"]) > told.table["raw6"].corr(told.table["share"])


def test_what_happens_after_the_day_changes_nothing() -> None:
    counts, day = city(36, wards=30), date(2022, 5, 31)
    rewritten = counts.copy()
    rewritten.loc[rewritten.index > pd.Period("2022-05")] = 99.0
    cut = counts.loc[: pd.Period("2022-05")]
    recorded = emulate(counts, RULE, as_of=last_day(counts))
    tables = [
        calibrated_risk(
            each, watched_in(cut), RULE, as_of=day, recorded=recorded, draws=50, horizons=(6,)
        ).table
        for each in (cut, counts, rewritten)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])


@pytest.mark.parametrize("language", LANGUAGES)
def test_rung_and_verdict_are_said_in_words(risk: CalibratedRisk, language: str) -> None:
    say = texts(language)
    for each in (*risk.needs, *risk.verdicts.values()):
        assert "{" not in say.reason(each.code, each.facts)
