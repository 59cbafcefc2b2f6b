"""Would the probabilities have been right? Every model on the store's own past, without hindsight.

At each origin every model knows only the labels that were known on that day: a case counts for
fitting once its whole horizon is over. Six models, from the plainest:

==============  ===================================================================================
base            share of relapses among the labelled cases so far
level           last window against the threshold, made a probability by logistic regression
points          `points`, a fixed score that can be added up by hand, made a probability likewise
simulation      `relapse.forward_risk` as it is
recalibrated    the simulation put right by the labels so far (`relapse_model.recalibration`)
fitted          `relapse_model.RelapseModel`; recalibrated as long as there are too few labels
==============  ===================================================================================

Before the first label the base rate is one half, and level and points are worth no more than it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from hotspots.measures.levels import Floats
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse import MEASURED
from hotspots.measures.relapse_cases import HORIZONS, known_by, labelled, log_odds
from hotspots.measures.relapse_model import (
    LEAST_CASES,
    LEAST_FITTED,
    LEAST_RELAPSES,
    RelapseModel,
    case_weights,
    enough,
    recalibration,
)
from hotspots.programme.plan import AlarmSettings

MODELS: Final = ("base", "level", "points", "simulation", "recalibrated", "fitted")

ALARM_HORIZON: Final = 6
SIGHT_MONTHS: Final = 12
"""An alarm longer before the relapse than this did not foresee it."""

LEAD_MONTHS: Final = 3
ALARM_SHARE: Final = 0.20
"""Share of area-months at which alarms of different models are compared."""

LEVEL: Final = 0.90
"""Of the bootstrap intervals, two-sided."""

_HARDLY_ANY_PENALTY: Final = 100.0  # one feature, on its own scale


@dataclass(frozen=True)
class Verdict:
    """Which model is in force for a horizon, and whether its probabilities may be shown.

    Attributes
    ----------
    horizon : int
        Months ahead.
    model : str
        "recalibrated", or "fitted" if it beat the former by more than chance.
    shown : bool
        False if the model did not beat the base rate: then ranks are shown without probabilities.
    reason : Reason
        `beats_base_rate` or `no_better_than_base_rate` (model, skill,
        skill_low, skill_high, hotspots, horizon)
        or `not_yet_tested` (hotspots, needed, relapses, horizon).
    """

    horizon: int
    model: Literal["recalibrated", "fitted"]
    shown: bool
    reason: Reason


@dataclass(frozen=True)
class Backtest:
    """The rolling-origin evaluation.

    Attributes
    ----------
    metrics : pd.DataFrame
        One row per horizon and model: `horizon`, `model`, `cases`, `hotspots`, `relapsed`
        (hotspots with a relapse within the horizon), `prevalence`, `auc` (ROC), `pr_auc`, `brier`,
        `skill` (1 - Brier / that of always saying the prevalence of these very cases: harder than
        the base rate known at the time), `skill_low`, `skill_high` (90 %, two-sided, hotspots
        resampled), `slope`, `intercept` (of the labels on the log odds; 1 and 0 = calibrated),
        `ece` (expected calibration error, ten equal bins), `precision` (share of relapses among
        the `top` highest of each origin). NaN where the labels are all alike.
    curve : pd.DataFrame
        `horizon`, `model`, `low`, `high` (of the bin), `cases`, `predicted`, `observed` (means).
    alarms : pd.DataFrame
        See `alarms`; `model`, `kind` ("amber", "red" or "equal_share") beside its columns.
    predictions : Mapping[int, pd.DataFrame]
        By horizon: the probabilities of every model, index of the cases, one column per model.
    verdicts : Mapping[int, Verdict]
        By horizon.
    """

    metrics: pd.DataFrame
    curve: pd.DataFrame
    alarms: pd.DataFrame
    predictions: Mapping[int, pd.DataFrame]
    verdicts: Mapping[int, Verdict]


def backtest(
    cases: pd.DataFrame,
    *,
    horizons: Sequence[int] = HORIZONS,
    least: int = 0,
    top: int = 10,
    resamples: int = 500,
    seed: int = 0,
    settings: AlarmSettings = MEASURED,
) -> Backtest:
    """Return how well each model would have done.

    Parameters
    ----------
    cases : pd.DataFrame
        From `relapse_cases.cases`.
    horizons : sequence of int
        Months ahead; alarms are judged at `ALARM_HORIZON` if it is among them.
    least : int
        Origins with fewer labelled hotspots before them are not evaluated.
    top : int
        Hotspots per origin for `precision`.
    resamples, seed : int
        Of the bootstrap over hotspots.
    settings : AlarmSettings
        From where on the programme has an alarm.

    Returns
    -------
    Backtest
        Empty tables where nothing has a label yet.
    """
    predicted = {horizon: predictions(cases, horizon) for horizon in horizons}
    judged = {horizon: _judged(cases, horizon, least) for horizon in horizons}
    metrics = pd.DataFrame(
        [
            _metrics(judged[horizon], predicted[horizon], horizon, model, top, resamples, seed)
            for horizon in horizons
            for model in MODELS
            if len(judged[horizon])
        ],
        columns=list(METRICS),
    )
    return Backtest(
        metrics,
        _curves(judged, predicted),
        _alarm_table(cases, predicted, settings),
        predicted,
        {h: _verdict(_ripe(cases, h), predicted[h], h, resamples, seed) for h in horizons},
    )


METRICS: Final = (
    "horizon",
    "model",
    "cases",
    "hotspots",
    "relapsed",
    "prevalence",
    "auc",
    "pr_auc",
    "brier",
    "skill",
    "skill_low",
    "skill_high",
    "slope",
    "intercept",
    "ece",
    "precision",
)


def points(cases: pd.DataFrame) -> pd.Series[float]:
    """Return a score of 0 to 9 points that a ward officer can add up.

    Level against the threshold: 5 points from 100 %, 4 from 90 %, 3 from 75 %, 2 from 60 %, 1 from
    45 %; none where there is no threshold to compare with. Trend (last three months against the
    twelve before): 2 points from two standard errors upwards, 1 from one. One point for a
    transformation less than six months ago, one for an earlier relapse of the area.

    Parameters
    ----------
    cases : pd.DataFrame
        `share`, `trend`, `months_since`, `relapsed_before`, see `relapse_cases.cases`.

    Examples
    --------
    >>> points(pd.DataFrame({"share": [0.93, 0.30], "trend": [1.4, -2.0],
    ...                      "months_since": [3, 20], "relapsed_before": [1, 0]})).to_list()
    [7.0, 0.0]
    """
    share = cases["share"].astype(float).fillna(0.0)
    score = sum((share >= edge).astype(float) for edge in (0.45, 0.6, 0.75, 0.9, 1.0))
    trend = sum((cases["trend"] >= edge).astype(float) for edge in (1, 2))
    recent = (cases["months_since"] < 6).astype(float)
    total: pd.Series[float] = score + trend + recent + (cases["relapsed_before"] > 0)
    return total


def predictions(
    cases: pd.DataFrame, horizon: int, models: Collection[str] = MODELS
) -> pd.DataFrame:
    """Return what each model would have said of each case on the day of its origin.

    Parameters
    ----------
    cases : pd.DataFrame
        From `relapse_cases.cases`.
    horizon : int
        Months ahead.
    models : collection of str
        Which of `MODELS` to ask.

    Returns
    -------
    pd.DataFrame
        The index of `cases`, one column for each of `models`, probabilities.
    """
    scored = cases.assign(log_share=_log_share(cases), points=points(cases))
    told = [
        _told(known_by(scored, group["origin"].iloc[0].date()), group, horizon, models)
        for _, group in scored.groupby("origin", sort=True)
    ]
    if not told:
        return pd.DataFrame({model: pd.Series(dtype=float) for model in models})
    return pd.concat(told).loc[cases.index]


def _told(
    then: pd.DataFrame, now: pd.DataFrame, horizon: int, models: Collection[str]
) -> pd.DataFrame:
    past, simulated = labelled(then, horizon), now[f"p{horizon}"]
    labels = past[f"y{horizon}"]
    base = float((labels.sum() + 1) / (len(labels) + 2))
    ask: dict[str, Callable[[], object]] = {
        "base": lambda: base,
        "level": lambda: _one_feature("log_share", past, now, horizon, base),
        "points": lambda: _one_feature("points", past, now, horizon, base),
        "simulation": lambda: simulated,
        "recalibrated": lambda: recalibration(then, horizon).apply(simulated),
        "fitted": lambda: _fitted(then, now, horizon),
    }
    return pd.DataFrame({model: ask[model]() for model in models}, index=now.index)


def _fitted(then: pd.DataFrame, now: pd.DataFrame, horizon: int) -> pd.Series[float]:
    """Ask the fitted model; the recalibrated simulation as long as there are too few labels."""
    past = labelled(then, horizon)
    if enough(past, horizon, LEAST_FITTED):
        return RelapseModel().fit(past, horizon).probability(now)
    return recalibration(then, horizon).apply(now[f"p{horizon}"])


def _log_share(cases: pd.DataFrame) -> pd.Series[float]:
    share = cases["share"].astype(float).fillna(1.0).clip(0.05, 3.0)
    return pd.Series(np.log(share.to_numpy()), cases.index)


def _one_feature(
    feature: str,
    past: pd.DataFrame,
    now: pd.DataFrame,
    horizon: int,
    otherwise: float,
) -> Floats:
    if past[f"y{horizon}"].nunique() < 2:
        return np.full(len(now), otherwise)
    model = LogisticRegression(C=_HARDLY_ANY_PENALTY)
    weights = case_weights(past, horizon)
    labels = past[f"y{horizon}"].to_numpy(int)
    model.fit(past[[feature]].to_numpy(float), labels, sample_weight=weights)
    p: Floats = model.predict_proba(now[[feature]].to_numpy(float))[:, 1]
    return p


def _judged(cases: pd.DataFrame, horizon: int, least: int) -> pd.DataFrame:
    """Cases with a label, at origins that had enough labelled hotspots before them."""
    known = labelled(cases, horizon)
    if known.empty or least <= 0:
        return known
    origins = known["origin"].drop_duplicates()
    before = [
        labelled(known_by(cases, day.date()), horizon)["hotspot"].nunique() for day in origins
    ]
    return known.loc[known["origin"].isin(origins[np.array(before) >= least])]


def _ripe(cases: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Cases to choose a model by: told from about as many labels as there are now, if they suffice.

    What a model said while it was still learning says little about what it says today.
    """
    ripe = _judged(cases, horizon, LEAST_CASES)
    return ripe if enough(ripe, horizon) else labelled(cases, horizon)


def _metrics(
    judged: pd.DataFrame,
    predicted: pd.DataFrame,
    horizon: int,
    model: str,
    top: int,
    resamples: int,
    seed: int,
) -> tuple[object, ...]:
    labels = judged[f"y{horizon}"].to_numpy(float)
    p = predicted.loc[judged.index, model].to_numpy(float)
    score = _score(judged, p, model)
    low, high = _skill_interval(judged["hotspot"], labels, p, resamples, seed)
    intercept, slope = calibration_line(labels, p)
    relapsed = judged.loc[labels == 1, "hotspot"].nunique()
    mixed = 0 < labels.mean() < 1
    return (
        horizon,
        model,
        len(judged),
        judged["hotspot"].nunique(),
        relapsed,
        labels.mean(),
        roc_auc_score(labels, score) if mixed else np.nan,
        average_precision_score(labels, score) if mixed else np.nan,
        ((labels - p) ** 2).mean(),
        brier_skill(labels, p),
        low,
        high,
        slope,
        intercept,
        calibration_error(labels, p),
        _precision(judged.assign(score=score), f"y{horizon}", top),
    )


def _score(judged: pd.DataFrame, p: Floats, model: str) -> Floats:
    """What ranks the cases: of level and points the feature itself, the same at every origin."""
    if model == "level":
        return np.asarray(_log_share(judged), dtype=np.float64)
    return np.asarray(points(judged), dtype=np.float64) if model == "points" else p


def brier_skill(labels: Floats, p: Floats) -> float:
    """Return 1 - Brier / Brier of always saying the prevalence; NaN if all labels are alike.

    >>> brier_skill(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    1.0
    >>> brier_skill(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    0.0
    """
    spread = float(labels.var())
    return 1 - float(((labels - p) ** 2).mean()) / spread if spread > 0 else float("nan")


def calibration_error(labels: Floats, p: Floats, bins: int = 10) -> float:
    """Return the expected calibration error: mean distance of predicted and observed, by bin.

    Equal-width bins, weighted by their cases (Naeini et al. 2015).

    >>> round(calibration_error(np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.5, 0.5, 0.9, 0.9])), 3)
    0.05
    """
    place = _bins(p, bins)
    gaps = np.abs(np.bincount(place, labels - p, minlength=bins))
    return float(gaps.sum() / len(p))


def calibration_line(labels: Floats, p: Floats) -> tuple[float, float]:
    """Return intercept and slope of the labels on the log odds of p (Cox 1958); 0 and 1 are ideal.

    NaN if the labels or the probabilities are all alike.

    >>> p = np.repeat([0.2, 0.8], 10)
    >>> labels = np.array([1.0] * 2 + [0.0] * 8 + [1.0] * 8 + [0.0] * 2)
    >>> [round(value, 3) + 0.0 for value in calibration_line(labels, p)]
    [0.0, 1.0]
    """
    if not 0 < labels.mean() < 1 or np.ptp(p) < 1e-9:
        return float("nan"), float("nan")
    odds = log_odds(p, 1e-4)

    design = np.column_stack([np.ones_like(odds), odds])

    def loss(at: Floats) -> tuple[float, Floats]:
        line = design @ at
        value = float((np.logaddexp(0, line) - labels * line).mean())
        gradient: Floats = design.T @ (expit(line) - labels) / len(labels)
        return value, gradient

    intercept, slope = minimize(loss, np.array([0.0, 1.0]), jac=True, method="BFGS").x
    return float(intercept), float(slope)


def _bins(p: Floats, bins: int) -> npt.NDArray[np.intp]:
    return np.minimum((p * bins).astype(np.intp), bins - 1)


def _precision(judged: pd.DataFrame, label: str, top: int) -> float:
    highest = (
        judged.sort_values("score", ascending=False, kind="stable").groupby("origin").head(top)
    )
    return float(highest[label].mean())


def _hotspot_sums(hotspots: pd.Series[str], *values: Floats) -> list[Floats]:
    codes, _ = pd.factorize(hotspots)
    return [np.bincount(codes, each).astype(np.float64) for each in values]


def _resampled(hotspots: int, resamples: int, seed: int) -> Floats:
    """How often each hotspot is drawn, resamples x hotspots."""
    random = np.random.default_rng(seed)
    drawn: Floats = random.multinomial(
        hotspots, np.full(hotspots, 1 / hotspots), size=resamples
    ).astype(float)
    return drawn


def _skill_interval(
    hotspots: pd.Series[str], labels: Floats, p: Floats, resamples: int, seed: int
) -> tuple[float, float]:
    error, relapses, n = _hotspot_sums(hotspots, (labels - p) ** 2, labels, np.ones_like(p))
    drawn = _resampled(len(n), resamples, seed)
    share = (drawn @ relapses) / (drawn @ n)
    spread = share * (1 - share)
    mixed = spread > 0
    if not mixed.any():
        return float("nan"), float("nan")
    skill = 1 - (drawn @ error / (drawn @ n))[mixed] / spread[mixed]
    return _quantile(skill, (1 - LEVEL) / 2), _quantile(skill, (1 + LEVEL) / 2)


def _quantile(values: Floats, share: float) -> float:
    return float(np.quantile(values, share))


def verdict(cases: pd.DataFrame, horizon: int, *, resamples: int = 500, seed: int = 0) -> Verdict:
    """Return the model in force, and whether its probabilities may be shown.

    `fitted` is in force if its Brier score is better than that of `recalibrated` in 95 % of the
    resamples of hotspots; otherwise the simpler one. Probabilities are hidden if the lower end of
    the interval of the skill is not above 0, once there are `LEAST_CASES` hotspots to judge by.
    Judged are the origins that had `LEAST_CASES` labelled hotspots before them, if these leave
    enough to judge by; otherwise all.

    Parameters
    ----------
    cases : pd.DataFrame
        From `relapse_cases.cases`.
    horizon : int
        Months ahead.
    resamples, seed : int
        Of the bootstrap over hotspots.
    """
    asked = ("recalibrated", "fitted")
    told = predictions(cases, horizon, asked) if enough(cases, horizon) else pd.DataFrame()
    return _verdict(_ripe(cases, horizon), told, horizon, resamples, seed)


def _verdict(
    judged: pd.DataFrame, predicted: pd.DataFrame, horizon: int, resamples: int, seed: int
) -> Verdict:
    if not enough(judged, horizon):
        facts = {"hotspots": judged["hotspot"].nunique(), "needed": LEAST_CASES}
        facts |= {"relapses": LEAST_RELAPSES, "horizon": horizon}
        return Verdict(horizon, "recalibrated", True, Reason("not_yet_tested", facts))
    labels = judged[f"y{horizon}"].to_numpy(float)
    told = predicted.loc[judged.index]
    gain = (labels - told["recalibrated"]) ** 2 - (labels - told["fitted"]) ** 2
    (sums,) = _hotspot_sums(judged["hotspot"], gain.to_numpy(float))
    better = _resampled(len(sums), resamples, seed) @ sums
    model: Literal["recalibrated", "fitted"] = (
        "fitted" if _quantile(better, (1 - LEVEL) / 2) > 0 else "recalibrated"
    )
    p = told[model].to_numpy(float)
    low, high = _skill_interval(judged["hotspot"], labels, p, resamples, seed)
    said: dict[str, float | str] = {"model": model, "skill": brier_skill(labels, p)}
    said |= {
        "skill_low": low,
        "skill_high": high,
        "hotspots": judged["hotspot"].nunique(),
        "horizon": horizon,
    }
    if low > 0:
        return Verdict(horizon, model, True, Reason("beats_base_rate", said))
    return Verdict(horizon, model, False, Reason("no_better_than_base_rate", said))


def _curves(
    judged: Mapping[int, pd.DataFrame], predicted: Mapping[int, pd.DataFrame], bins: int = 10
) -> pd.DataFrame:
    rows = []
    for horizon, cases in judged.items():
        labels = cases[f"y{horizon}"].to_numpy(float)
        for model in MODELS if len(cases) else ():
            p = predicted[horizon].loc[cases.index, model].to_numpy(float)
            place = _bins(p, bins)
            for each in np.unique(place):
                there = place == each
                means = p[there].mean(), labels[there].mean()
                rows.append((horizon, model, each / bins, (each + 1) / bins, there.sum(), *means))
    names = ["horizon", "model", "low", "high", "cases", "predicted", "observed"]
    return pd.DataFrame(rows, columns=names)


def alarms(cases: pd.DataFrame, p: pd.Series[float], threshold: float) -> dict[str, float]:
    """Return how alarms at a threshold would have gone.

    An alarm is an unbroken row of origins at which an episode is at or above the threshold. A
    relapse was foreseen if an origin of the `SIGHT_MONTHS` before it was alarmed; its lead is
    counted from the first of them.

    Parameters
    ----------
    cases : pd.DataFrame
        From `relapse_cases.cases`, with `episode`, `origin`, `relapsed_on`.
    p : pd.Series
        Probability within `ALARM_HORIZON` months, index of the cases.
    threshold : float
        Alarm from here.

    Returns
    -------
    dict
        `threshold`; `relapses` (episodes that ended in one, with a case in sight of it);
        `foreseen` (share of them), `foreseen_early` (share with `LEAD_MONTHS` or more),
        `median_lead` (months, of the foreseen); `alarms` (number), `alarmed_episodes` (with one or
        more), `alarms_per_relapse` (per foreseen one), `alarmed` (share of area-months).

    Examples
    --------
    >>> origins = pd.to_datetime(["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"])
    >>> past = pd.DataFrame({"episode": "w-1", "origin": origins,
    ...                      "relapsed_on": pd.Timestamp("2025-06-30")})
    >>> told = alarms(past, pd.Series([0.1, 0.6, 0.2, 0.7]), 0.5)
    >>> told["foreseen"], told["median_lead"], told["alarms"], told["alarmed"]
    (1.0, 4.0, 2.0, 0.5)
    """
    rows = cases[["episode", "origin", "relapsed_on"]].assign(alarmed=(p >= threshold))
    rows = rows.sort_values(["episode", "origin"], kind="stable")
    before = rows.groupby("episode")["alarmed"].shift(fill_value=False)
    started = int((rows["alarmed"] & ~before).sum())
    leads = _leads(rows)
    foreseen = leads.notna()
    return {
        "threshold": float(threshold),
        "relapses": float(len(leads)),
        "foreseen": _share(foreseen),
        "foreseen_early": _share(leads >= LEAD_MONTHS),
        "median_lead": float(leads.median()) if foreseen.any() else float("nan"),
        "alarms": float(started),
        "alarmed_episodes": float(rows.loc[rows["alarmed"], "episode"].nunique()),
        "alarms_per_relapse": started / foreseen.sum() if foreseen.any() else float("nan"),
        "alarmed": _share(rows["alarmed"]),
    }


def _leads(rows: pd.DataFrame) -> pd.Series[float]:
    """Months from the first alarm in sight of it to each relapse; NaN = not foreseen."""
    ended = rows[rows["relapsed_on"].notna()]
    days, origins = ended["relapsed_on"].dt, ended["origin"].dt
    ahead = (days.year - origins.year) * 12 + days.month - origins.month
    ended, ahead = ended[ahead <= SIGHT_MONTHS], ahead[ahead <= SIGHT_MONTHS]
    seen = ahead.where(ended["alarmed"]).astype(float)
    leads: pd.Series[float] = seen.groupby(ended["episode"]).max()
    return leads


def _share(there: pd.Series[bool]) -> float:
    return float(there.mean()) if len(there) else float("nan")


def _alarm_table(
    cases: pd.DataFrame, predicted: Mapping[int, pd.DataFrame], settings: AlarmSettings
) -> pd.DataFrame:
    if ALARM_HORIZON not in predicted or cases.empty:
        return pd.DataFrame()
    rows = []
    for model in ("points", "simulation", "recalibrated", "fitted"):
        p = predicted[ALARM_HORIZON][model]
        equal = float(p.quantile(1 - ALARM_SHARE))
        for kind, threshold in (
            ("amber", settings.amber),
            ("red", settings.red),
            ("equal_share", equal),
        ):
            rows.append({"model": model, "kind": kind, **alarms(cases, p, threshold)})
    return pd.DataFrame(rows)
