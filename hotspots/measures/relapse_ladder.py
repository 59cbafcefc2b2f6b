"""Which probability may be shown today: the store's rung, and what the next one needs.

====  =============  ==========================================================================
rung  model          from
====  =============  ==========================================================================
0     points         always: a fixed score, no probabilities
1     simulation     `levels.SEASON_MONTHS` months of counts; moved by one number (shrunk) from
                     whatever labels there are
2     recalibrated   `relapse_model.LEAST_CASES` labelled hotspots
3     fitted         `relapse_model.LEAST_FITTED` of them, and it wins the store's own backtest
====  =============  ==========================================================================

Labels are relapses on record; as long as there are too few of them, those that the written rule
would have made of the whole city's past (`relapse_cases.emulate`) take their place, and the ones on
record move the result by one number. The rung is that of each horizon; twelve months take longer to
become known than three.

Reason codes and their facts:

========================  ============================================================
rung_needs_months         months (of counts in common), needed
rung_needs_labels         hotspots (with a label), needed, relapses (needed), horizon
rung_needs_labels_to_fit  hotspots, needed, horizon
rung_fitted_not_better    hotspots, horizon
========================  ============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

import numpy as np
import pandas as pd

from hotspots.measures.levels import SEASON_MONTHS, common_span, known_months
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse import Risk, forward_risk
from hotspots.measures.relapse_backtest import ALARM_HORIZON, points, verdict
from hotspots.measures.relapse_cases import (
    HORIZONS,
    cases,
    emulate,
    features,
    label_horizons,
    labelled,
)
from hotspots.measures.relapse_model import (
    LEAST_CASES,
    LEAST_FITTED,
    LEAST_RELAPSES,
    Calibration,
    RelapseModel,
    enough,
    intercept_update,
    recalibration,
)
from hotspots.programme.plan import RelapseRule

Source = Literal["recorded", "emulated"]

RUNGS: Final = ("points", "simulation", "recalibrated", "fitted")
LEAST_ON_RECORD: Final = 10
"""Hotspots with an outcome on record, before the written rule is compared with them."""
FAR_APART: Final = 0.2
"""Between the mean probability of cases on record and the share of them that came true."""


@dataclass(frozen=True)
class Past:
    """The labelled past of a store on a day; takes seconds to make, so keep it for the day.

    Attributes
    ----------
    recorded : pd.DataFrame
        Cases of relapses on record, see `relapse_cases.cases`.
    emulated : pd.DataFrame
        Cases that the written rule would have made.
    """

    recorded: pd.DataFrame
    emulated: pd.DataFrame

    def source(self, horizon: int) -> Source:
        """Return where the labels for a horizon come from: the record, if it has enough."""
        return "recorded" if enough(self.recorded, horizon) else "emulated"

    def cases(self, horizon: int) -> pd.DataFrame:
        """Return the cases that a horizon is fitted to."""
        return self.recorded if self.source(horizon) == "recorded" else self.emulated


@dataclass(frozen=True)
class CalibratedRisk:
    """The risk of every watched hotspot as it may be shown.

    Attributes
    ----------
    table : pd.DataFrame
        The index and order of `watched`: `area`; `p3`, `p6`, ... (in force; NaN on rung 0),
        p3 <= p6 <= p12; `raw3`, ... (as simulated, not to be shown), `se3`, ... (Monte-Carlo);
        `level`, `threshold`, `share`, `months`, `first_test` (see `relapse.Risk`); `trend`,
        `months_since`, `relapsed_before` (see `relapse_cases.cases`); `points` (0 to 9).
    reasons : Mapping[Hashable, tuple[Reason, ...]]
        By hotspot: those of the simulation, and on rung 3 what the fitted model adds.
    rung : int
        Of the alarms' horizon (or the first one asked for).
    rungs : Mapping[int, int]
        By horizon.
    sources : Mapping[int, str]
        By horizon, "recorded" or "emulated".
    labels : pd.DataFrame
        One row per horizon (the index): `hotspots`, `relapsed` (of them), `cases`, `recorded`
        (hotspots with a label on record).
    shown : Mapping[int, bool]
        By horizon: False when the store's own past says the probabilities are no better than the
        base rate; then show ranks only.
    verdicts : Mapping[int, Reason]
        By horizon, why.
    needs : tuple[Reason, ...]
        What the next rung needs; empty on the last.
    doubts : Mapping[int, Reason]
        By horizon, where the probabilities come from the written rule and what is on record is far
        from them: `record_far_apart` (horizon, hotspots, and as shares foreseen, came_true).
    """

    table: pd.DataFrame
    reasons: Mapping[Hashable, tuple[Reason, ...]]
    rung: int
    rungs: Mapping[int, int]
    sources: Mapping[int, Source]
    labels: pd.DataFrame
    shown: Mapping[int, bool]
    verdicts: Mapping[int, Reason]
    needs: tuple[Reason, ...]
    doubts: Mapping[int, Reason] = field(default_factory=dict)

    @property
    def models(self) -> Mapping[int, str]:
        """The model in force by horizon, one of `RUNGS`."""
        return {horizon: RUNGS[rung] for horizon, rung in self.rungs.items()}


def labelled_past(
    index: pd.DataFrame,
    rule: RelapseRule,
    *,
    as_of: date,
    recorded: pd.DataFrame | None = None,
    watch_months: int | None = None,
    horizons: Sequence[int] = HORIZONS,
    every: int = 2,
    draws: int = 400,
    seed: int = 0,
    unit: float | Callable[[date], float] = 1.0,
) -> Past:
    """Return the cases of the store's own past, on record and emulated.

    Parameters
    ----------
    index : pd.DataFrame
        Months x wards of the whole city (see `levels`).
    rule : RelapseRule
        The written rule.
    as_of : date
        Nothing after it is used.
    recorded : pd.DataFrame, optional
        Episodes on record, see `relapse_cases`.
    watch_months : int, optional
        Of the programme; by default the watch has no end.
    every : int
        Months between origins; not 3, which would see nothing but the day after a quarterly test.
    draws, seed, unit
        As in `relapse.forward_risk`.
    """
    by_rule = emulate(index, rule, as_of=as_of)
    written = by_rule.iloc[:0] if recorded is None else recorded

    def seen(episodes: pd.DataFrame) -> pd.DataFrame:
        return cases(
            index,
            episodes,
            rule,
            as_of=as_of,
            horizons=horizons,
            every=every,
            draws=draws,
            seed=seed,
            unit=unit,
        )

    return Past(seen(written), within_watch(seen(by_rule), watch_months))


def within_watch(seen: pd.DataFrame, watch_months: int | None) -> pd.DataFrame:
    """Return the cases whose origin lies within the programme's watch.

    An emulated area is followed on after it: the last of the watched would else have no label for
    the longer horizons.
    """
    if watch_months is None or seen.empty:
        return seen
    return seen[seen["months_since"] <= watch_months].reset_index(drop=True)


def calibrated_risk(
    index: pd.DataFrame,
    watched: pd.DataFrame,
    rule: RelapseRule,
    *,
    as_of: date,
    recorded: pd.DataFrame | None = None,
    watch_months: int | None = None,
    past: Past | None = None,
    horizons: Sequence[int] = HORIZONS,
    draws: int = 2000,
    seed: int = 0,
    unit: float = 1.0,
) -> CalibratedRisk:
    """Return the probabilities in force for every watched hotspot, and the store's rung.

    Parameters
    ----------
    index : pd.DataFrame
        Months x wards of the whole city (see `levels`); months after `as_of` are not looked at.
    watched : pd.DataFrame
        As for `relapse.forward_risk`: `area`, `transformed_on`, optionally `threshold`.
    rule : RelapseRule
        The written rule.
    as_of : date
        Horizons count from the last month that was over on this day.
    recorded : pd.DataFrame, optional
        Episodes on record, see `relapse_cases`; relapses after `as_of` are not looked at.
    watch_months : int, optional
        Of the programme, for the emulated past.
    past : Past, optional
        From `labelled_past` with the same arguments, if it is there already.
    horizons : sequence of int
        Months ahead.
    draws, seed, unit
        As in `relapse.forward_risk`.

    Raises
    ------
    CannotMeasure, NotFound, ValueError
        As `relapse.forward_risk`.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> index = pd.DataFrame({"26734": [20] * 24, "26737": [4] * 24}, index=months)
    >>> watched = pd.DataFrame(
    ...     {"area": ["26734", "26737"], "transformed_on": date(2025, 6, 30)}, index=["H1", "H2"]
    ... )
    >>> rule = RelapseRule(12, quantile=None, threshold=150, test_months=(3, 6, 9, 12))
    >>> risk = calibrated_risk(index, watched, rule, as_of=date(2025, 12, 31))
    >>> risk.rung, risk.table["p6"].round(2).to_dict(), risk.needs[0].code
    (1, {'H1': 1.0, 'H2': 0.0}, 'rung_needs_labels')
    """
    simulated = forward_risk(
        index, watched, rule, as_of=as_of, horizons=horizons, draws=draws, seed=seed, unit=unit
    )
    if past is None:
        past = labelled_past(
            index,
            rule,
            as_of=as_of,
            recorded=recorded,
            watch_months=watch_months,
            horizons=horizons,
            seed=seed,
            unit=unit,
        )
    known = known_months(index, as_of)
    earlier = recorded
    if earlier is None or earlier.empty:
        earlier = emulate(index, rule, as_of=as_of, watch_months=watch_months)
    now = features(known, watched, earlier, simulated.table, as_of, unit=unit)
    return _climb(now, simulated, past, len(common_span(known)), horizons)


def _climb(
    now: pd.DataFrame,
    simulated: Risk,
    past: Past,
    months: int,
    horizons: Sequence[int],
) -> CalibratedRisk:
    steps = {each: _step(now, past, months, each) for each in horizons}
    first = ALARM_HORIZON if ALARM_HORIZON in steps else horizons[0]
    return CalibratedRisk(
        _table(now, simulated.table, steps),
        _reasons(now, simulated, steps[first]),
        steps[first].rung,
        {horizon: step.rung for horizon, step in steps.items()},
        {horizon: past.source(horizon) for horizon in steps},
        _labels(past, horizons),
        {horizon: step.shown for horizon, step in steps.items()},
        {horizon: step.verdict for horizon, step in steps.items()},
        _needs(past, months, steps[first].rung, first),
        {each: why for each in horizons if steps[each].shown and (why := _doubt(past, each))},
    )


def _doubt(past: Past, horizon: int) -> Reason | None:
    """Say so if the rule foresees much more, or much less, than people have put on record."""
    on_record = labelled(past.recorded, horizon)
    hotspots = int(on_record["hotspot"].nunique())
    if past.source(horizon) == "recorded" or hotspots < LEAST_ON_RECORD:
        return None
    line = calibration_in_force(past, horizon)
    foreseen = float(line.apply(on_record[f"p{horizon}"]).mean())
    came_true = float(on_record[f"y{horizon}"].mean())
    if abs(foreseen - came_true) < FAR_APART:
        return None
    facts = {"horizon": horizon, "hotspots": hotspots}
    return Reason("record_far_apart", {**facts, "foreseen": foreseen, "came_true": came_true})


@dataclass(frozen=True)
class _Step:
    """What holds for one horizon."""

    rung: int
    probability: pd.Series[float]
    model: RelapseModel | None
    shown: bool
    verdict: Reason


def _step(now: pd.DataFrame, past: Past, months: int, horizon: int) -> _Step:
    if months < SEASON_MONTHS:
        nothing = pd.Series(np.nan, now.index)
        needed = Reason("rung_needs_months", {"months": months, "needed": SEASON_MONTHS})
        return _Step(0, nothing, None, False, needed)
    labels = past.cases(horizon)
    judged = verdict(labels, horizon)
    shown, why = judged.shown, judged.reason
    if judged.model == "fitted" and enough(labels, horizon, LEAST_FITTED):
        model = RelapseModel().fit(labels, horizon)
        measured = now[now[f"p{horizon}"].notna()]
        probability = model.probability(measured).reindex(now.index)
        return _Step(3, probability, model, shown, why)
    line = calibration_in_force(past, horizon)
    rung = 2 if enough(labels, horizon, LEAST_CASES) else 1
    return _Step(rung, line.apply(now[f"p{horizon}"]), None, shown, why)


def calibration_in_force(past: Past, horizon: int) -> Calibration:
    """Return the line from simulated to shown log odds, from all labels there are.

    The recalibration on the past in force; if that is emulated, moved by one number, shrunk towards
    none, to what is on record. Where nothing on record has been followed so long, by the number of
    the next shorter horizon: who decides less often than the rule does so for all.
    """
    line = recalibration(past.cases(horizon), horizon)
    if past.source(horizon) == "recorded":
        return line
    return Calibration(line.intercept + _moved(past, horizon), line.slope)


def _moved(past: Past, horizon: int) -> float:
    """Return how far what is on record lies from the emulated past, as log odds."""
    known = [each for each in label_horizons(past.recorded) if each <= horizon]
    for each in sorted(known, reverse=True):
        on_record = labelled(past.recorded, each)
        if len(on_record):
            line, name = recalibration(past.emulated, each), f"p{each}"
            told = on_record.assign(**{name: line.apply(on_record[name])})
            return intercept_update(told, each).intercept
    return 0.0


def _table(now: pd.DataFrame, simulated: pd.DataFrame, steps: Mapping[int, _Step]) -> pd.DataFrame:
    table = simulated.copy()
    highest = pd.Series(0.0, now.index)
    for horizon in sorted(steps):
        table[f"raw{horizon}"] = simulated[f"p{horizon}"]
        p = steps[horizon].probability
        table[f"p{horizon}"] = p.where(p > highest, highest).where(p.notna())
        if steps[horizon].shown:  # a longer horizon holds the shorter one
            highest = table[f"p{horizon}"].fillna(highest)
    for name in ("trend", "months_since", "relapsed_before"):
        table[name] = now[name]
    table["points"] = points(now)
    return table


def _reasons(now: pd.DataFrame, simulated: Risk, step: _Step) -> dict[Hashable, tuple[Reason, ...]]:
    if step.model is None:
        return dict(simulated.reasons)
    return dict(simulated.reasons) | {
        hotspot: (*simulated.reasons[hotspot], *step.model.explain(case))
        for hotspot, case in now[step.probability.notna()].iterrows()
    }


def _labels(past: Past, horizons: Sequence[int]) -> pd.DataFrame:
    rows = []
    for horizon in horizons:
        known = labelled(past.cases(horizon), horizon)
        relapsed = known.loc[known[f"y{horizon}"] == 1, "hotspot"]
        on_record = labelled(past.recorded, horizon)["hotspot"].nunique()
        rows.append((known["hotspot"].nunique(), relapsed.nunique(), len(known), on_record))
    names = ["hotspots", "relapsed", "cases", "recorded"]
    return pd.DataFrame(rows, index=pd.Index(list(horizons), name="horizon"), columns=names)


def _needs(past: Past, months: int, rung: int, horizon: int) -> tuple[Reason, ...]:
    hotspots = int(labelled(past.cases(horizon), horizon)["hotspot"].nunique())
    facts = {"hotspots": hotspots, "horizon": horizon}
    if rung == 0:
        return (Reason("rung_needs_months", {"months": months, "needed": SEASON_MONTHS}),)
    if rung == 1:
        needed = {"needed": LEAST_CASES, "relapses": LEAST_RELAPSES}
        return (Reason("rung_needs_labels", {**facts, **needed}),)
    if rung == 3:
        return ()
    if not enough(past.cases(horizon), horizon, LEAST_FITTED):
        return (Reason("rung_needs_labels_to_fit", {**facts, "needed": LEAST_FITTED}),)
    return (Reason("rung_fitted_not_better", facts),)
