"""Models fitted to the labelled past: the simulation put right, and a small logistic regression.

Three ways to a probability, from the one that needs no labels to the one that needs most:

`intercept_update`
    the simulation's log odds plus one number: is it too high or too low here?
`recalibration`
    a line through the simulation's log odds (Platt 1999), drawn towards the simulation itself;
`RelapseModel`
    an L2 logistic regression on a few named features, the simulation's log odds among them. For
    programmes whose decision in force is not the written rule.

None is ever saved: each is refitted from the cases, and the same cases give the same model.

Cases of one hotspot at neighbouring month ends share most of their horizon. Each is weighted by
step / horizon, so that a hotspot followed a year counts about as much as it has separate horizons;
whether there are enough is counted in hotspots, never in cases.

Reason codes of `RelapseModel.explain` and their facts. `odds` is the factor by which the feature
moves the odds of a relapse against the average case the model was fitted to:

========================  ============================================================
model_simulated           odds, horizon (months the simulation looks ahead)
model_level               odds, share (level / threshold)
model_trend               odds, z (last three months against the twelve before)
model_months_since        odds, months (since the transformation)
model_relapsed_before     odds, relapses (of the area until then)
model_half_years          odds, half_years (ends of June and December within the horizon)
========================  ============================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from hotspots.errors import CannotMeasure
from hotspots.measures.levels import Floats
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse_cases import labelled, log_odds

LEAST_CASES: Final = 30
"""Labelled hotspots (not rows) below which only an intercept is updated."""

LEAST_RELAPSES: Final = 8
"""Of these, hotspots with a relapse, and as many without one."""

LEAST_FITTED: Final = 60
"""Labelled hotspots below which a model with features is not even tried."""

INTERCEPT_PRECISION: Final = 8.0
"""Prior of the intercept update: normal about 0 with sd .35.

As much information as 32 cases at even odds that came out as expected (a case at p has p (1 - p)).
"""

PLATT_PRECISION: Final = (4.0, 12.0)
"""Prior of the recalibration: intercept about 0 with sd .5, slope about 1 with sd .29."""

STRENGTH: Final = 0.5
"""`C` of the logistic regression on standardised features: a strong penalty."""

MARGIN: Final = 0.10
"""Hinge of the level: areas less than this below the threshold relapse far more often."""

FEATURES: Final = (
    "simulated",
    "level",
    "over_margin",
    "over_threshold",
    "trend",
    "months_since",
    "relapsed_before",
    "half_years",
)


@dataclass(frozen=True)
class Calibration:
    """A line on the log-odds scale: intercept + slope x log odds of the simulated probability.

    Examples
    --------
    >>> Calibration(0.0, 1.0).apply(pd.Series([0.2, 0.5])).round(3).to_list()
    [0.2, 0.5]
    >>> Calibration(1.0, 1.0).apply(pd.Series([0.5])).round(3).to_list()
    [0.731]
    """

    intercept: float
    slope: float

    def apply(self, probability: pd.Series[float]) -> pd.Series[float]:
        """Return calibrated probabilities, never exactly 0 or 1."""
        odds = self.intercept + self.slope * log_odds(probability)
        return pd.Series(expit(odds), probability.index)


AS_SIMULATED: Final = Calibration(0.0, 1.0)


def enough(cases: pd.DataFrame, horizon: int, least: int = LEAST_CASES) -> bool:
    """Return whether enough hotspots have a label, enough of them 1 and enough 0.

    >>> enough(pd.DataFrame({"hotspot": ["a", "b"] * 40, "y6": [1.0, 0.0] * 40}), 6)
    False
    """
    known = labelled(cases, horizon)
    return (
        known["hotspot"].nunique() >= least
        and min(
            known.loc[known[f"y{horizon}"] == label, "hotspot"].nunique() for label in (0.0, 1.0)
        )
        >= LEAST_RELAPSES
    )


def case_weights(cases: pd.DataFrame, horizon: int) -> Floats:
    """Return step / horizon (at most 1), the step being the usual one between origins in months.

    >>> origins = pd.to_datetime(["2025-01-31", "2025-02-28", "2025-03-31"])
    >>> case_weights(pd.DataFrame({"origin": origins}), 6).round(2).tolist()
    [0.17, 0.17, 0.17]
    """
    months = np.unique(cases["origin"].dt.year * 12 + cases["origin"].dt.month)
    step = float(np.median(np.diff(months))) if len(months) > 1 else float(horizon)
    return np.full(len(cases), min(1.0, step / horizon))


def intercept_update(cases: pd.DataFrame, horizon: int) -> Calibration:
    """Return the simulation moved by one number, shrunk towards none.

    The mode of the posterior with the prior of `INTERCEPT_PRECISION`; no labels, no change.

    Parameters
    ----------
    cases : pd.DataFrame
        From `relapse_cases.cases`; rows without a label for the horizon are left out.
    horizon : int
        Months ahead.

    Examples
    --------
    >>> past = pd.DataFrame({"origin": pd.to_datetime(["2025-01-31"] * 40), "p3": 0.5, "y3": 1.0})
    >>> 0.5 < intercept_update(past, 3).intercept < 3
    True
    """
    known = labelled(cases, horizon)
    odds = log_odds(known[f"p{horizon}"])
    ones = np.ones((len(known), 1))
    (intercept,) = _mode(ones, odds, known, horizon, np.zeros(1), np.array([INTERCEPT_PRECISION]))
    return Calibration(float(intercept), 1.0)


def recalibration(cases: pd.DataFrame, horizon: int) -> Calibration:
    """Return the line through the simulation's log odds that fits the labels, shrunk to itself.

    The mode of the posterior with the prior of `PLATT_PRECISION`. With fewer labelled hotspots than
    `LEAST_CASES` it is the `intercept_update`.

    Parameters
    ----------
    cases : pd.DataFrame
        From `relapse_cases.cases`; rows without a label for the horizon are left out.
    horizon : int
        Months ahead.

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines.
    """
    if not enough(cases, horizon):
        return intercept_update(cases, horizon)
    known = labelled(cases, horizon)
    odds = log_odds(known[f"p{horizon}"])
    design = np.column_stack([np.ones(len(odds)), odds])
    none = np.zeros(len(odds))
    intercept, slope = _mode(
        design, none, known, horizon, np.array([0.0, 1.0]), np.array(PLATT_PRECISION)
    )
    return Calibration(float(intercept), max(float(slope), 0.0))


def _mode(
    design: Floats,
    offset: Floats,
    known: pd.DataFrame,
    horizon: int,
    mean: Floats,
    precision: Floats,
) -> Floats:
    """Mode of a weighted logistic likelihood with a normal prior."""
    if known.empty:
        return mean
    labels, weights = known[f"y{horizon}"].to_numpy(float), case_weights(known, horizon)

    def loss(at: Floats) -> tuple[float, Floats]:
        odds = offset + design @ at
        away = at - mean
        value = weights @ (np.logaddexp(0, odds) - labels * odds) + precision @ away**2 / 2
        return float(value), design.T @ (weights * (expit(odds) - labels)) + precision * away

    found: Floats = minimize(loss, mean, jac=True, method="BFGS").x
    return found


class RelapseModel:
    """L2 logistic regression on a handful of named features, the simulation's log odds among them.

    Parameters
    ----------
    strength : float
        `C` of scikit-learn: smaller is a stronger penalty.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> simulated = random.uniform(0.05, 0.95, 200)
    >>> past = pd.DataFrame({
    ...     "hotspot": [f"H{n}" for n in range(200)], "origin": pd.Timestamp("2025-01-31"),
    ...     "p6": simulated, "share": 0.8, "trend": 0.0, "months_since": 6.0,
    ...     "relapsed_before": 0.0, "y6": (random.uniform(size=200) < simulated).astype(float)})
    >>> model = RelapseModel().fit(past, 6)
    >>> bool((model.probability(past).corr(past["p6"])) > 0.9)
    True
    >>> model.explain(past.iloc[0])[0].code
    'model_simulated'
    """

    def __init__(self, strength: float = STRENGTH) -> None:
        self.strength = strength
        self.horizon = 0
        self.hotspots = 0
        self.pipeline: Pipeline | None = None

    def fit(self, cases: pd.DataFrame, horizon: int) -> RelapseModel:
        """Fit to the cases whose label for a horizon is known, and return the model itself.

        Parameters
        ----------
        cases : pd.DataFrame
            From `relapse_cases.cases`.
        horizon : int
            Months ahead.

        Raises
        ------
        CannotMeasure
            `too_few_labelled` (hotspots, needed, horizon): fewer hotspots with a label than
            `LEAST_FITTED`, or fewer than `LEAST_RELAPSES` of them with or without a relapse.
        """
        known = labelled(cases, horizon)
        hotspots = int(known["hotspot"].nunique())
        if not enough(known, horizon, LEAST_FITTED):
            raise CannotMeasure(
                "too_few_labelled",
                f"{hotspots} hotspots have been followed {horizon} months; a fitted model needs "
                f"{LEAST_FITTED}, at least {LEAST_RELAPSES} of them with and {LEAST_RELAPSES} "
                "without a relapse. Use the recalibrated simulation until then.",
                hotspots=hotspots,
                needed=LEAST_FITTED,
                relapses=LEAST_RELAPSES,
                horizon=horizon,
            )
        model = LogisticRegression(C=self.strength, max_iter=500)
        self.pipeline = Pipeline([("scale", StandardScaler()), ("model", model)])
        weights = case_weights(known, horizon)
        self.pipeline.fit(
            design(known, horizon), known[f"y{horizon}"].astype(int), model__sample_weight=weights
        )
        self.horizon, self.hotspots = horizon, hotspots
        return self

    def probability(self, cases: pd.DataFrame) -> pd.Series[float]:
        """Return the probability of a relapse within the horizon, with the index of `cases`."""
        if cases.empty:
            return pd.Series(dtype=float, index=cases.index)
        p = self._fitted().predict_proba(design(cases, self.horizon))[:, 1]
        return pd.Series(np.clip(p, 1e-4, 1 - 1e-4), cases.index)

    def explain(self, case: pd.Series[float]) -> tuple[Reason, ...]:
        """Return what moves one case away from the average one, the strongest first."""
        pipeline = self._fitted()
        row = design(case.to_frame().T, self.horizon)
        scaled = pipeline["scale"].transform(row)[0]
        parts = dict(zip(FEATURES, pipeline["model"].coef_[0] * scaled, strict=True))
        return _contributions(parts, case, self.horizon, float(row["half_years"].iloc[0]))

    def _fitted(self) -> Pipeline:
        if self.pipeline is None:
            raise ValueError("The model is not fitted; call fit(cases, horizon) first.")
        return self.pipeline


def design(cases: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return the features of a fitted model, columns `FEATURES`.

    `simulated` log odds; `level` logarithm of level / threshold; `over_margin` and
    `over_threshold` what the level has above 90 % and 100 % of the threshold; `trend` in standard
    errors within -4 to 4; `months_since` logarithm of months + 1; `relapsed_before` up to 3;
    `half_years` ends of June and December within the horizon, when assessments are written. A
    level without a threshold counts as at the threshold.

    >>> case = pd.DataFrame({"p3": [0.5], "share": [1.2], "trend": [9.0], "months_since": [0.0],
    ...                      "relapsed_before": [1.0], "origin": pd.to_datetime(["2025-02-28"])})
    >>> design(case, 3).round(2).values.tolist()
    [[0.0, 0.18, 0.3, 0.2, 4.0, 0.0, 1.0, 0.0]]
    """
    share = cases["share"].astype(float).fillna(1.0).clip(0.05, 3.0)
    columns: dict[str, pd.Series[float] | Floats] = {
        "simulated": log_odds(cases[f"p{horizon}"].astype(float)),
        "level": np.log(share),
        "over_margin": (share - (1 - MARGIN)).clip(lower=0),
        "over_threshold": (share - 1).clip(lower=0),
        "trend": cases["trend"].astype(float).fillna(0.0).clip(-4, 4),
        "months_since": np.log1p(cases["months_since"].astype(float).clip(lower=0)),
        "relapsed_before": cases["relapsed_before"].astype(float).clip(upper=3),
        "half_years": (pd.to_datetime(cases["origin"]).dt.month % 6 + horizon) // 6 * 1.0,
    }
    return pd.DataFrame(columns, index=cases.index)[list(FEATURES)]


def _contributions(
    parts: dict[str, float], case: pd.Series[float], horizon: int, half_years: float
) -> tuple[Reason, ...]:
    level = parts["level"] + parts["over_margin"] + parts["over_threshold"]
    share, trend = float(case["share"]), float(case["trend"])
    months, relapses = float(case["months_since"]), float(case["relapsed_before"])
    odds = {name: float(np.exp(part)) for name, part in {**parts, "level": level}.items()}
    said = {
        "simulated": Reason("model_simulated", {"odds": odds["simulated"], "horizon": horizon}),
        "level": Reason("model_level", {"odds": odds["level"], "share": share}),
        "trend": Reason("model_trend", {"odds": odds["trend"], "z": trend}),
        "months_since": Reason(
            "model_months_since", {"odds": odds["months_since"], "months": months}
        ),
        "relapsed_before": Reason(
            "model_relapsed_before", {"odds": odds["relapsed_before"], "relapses": relapses}
        ),
        "half_years": Reason(
            "model_half_years", {"odds": odds["half_years"], "half_years": half_years}
        ),
    }
    strongest = sorted(said, key=lambda name: -abs(np.log(odds[name])))
    return tuple(said[name] for name in strongest)
