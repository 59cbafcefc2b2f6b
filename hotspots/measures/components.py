"""What speaks for a ward beside its smoothed level, each from 0 to 100, and the planner's weights.

The smoothed level (`selection.rank_wards`) leads. The other components are shown beside it and
enter the score only by a planner's own weights; with the default weights the ranking is that of
`rank_wards`. What there are no data for is missing (NaN) and says why; it is never 0.

==============  =========================================  ======================================
component       raw number                                 from 0 to 100
==============  =========================================  ======================================
smoothed_level  index per year                             share of the highest ward's
rate            incidents a year per 100,000 residents,    share of the highest ward's
                smoothed (`empirical_bayes_rate`)
persistence     share of past years in the top fifth       the share
trend           z = sqrt 2 (sqrt x1 - sqrt x0), the last   normal probability of z:
                12 months against the 12 before            50 = no change
severity        index per incident over 36 months, as if   share of the highest ward's
                ten of the city's mean were added
neighbours      mean smoothed level of the neighbours      share of the highest of these means
pattern         points of its class (`PATTERN_POINTS`)     the points
carried_over    1 = not transformed last year, else 0      0 or 100
relapse         1 = relapsed, 0 = not; a probability of    the share
                relapse will do
==============  =========================================  ======================================

Reason codes and their facts. Of a ward, ``component_<name>``: value, points and what the number is
made of (incidents and population of the rate, in_top and years of persistence, last12 and before12
of the trend, incidents of severity, pattern). Why something is missing: ``missing_population``,
``missing_neighbours``, ``missing_patterns``, ``missing_carried_over``, ``missing_relapse``,
``missing_incidents`` (nothing was given), ``ward_without_population``,
``ward_without_neighbours``, ``ward_without_pattern``, ``ward_without_relapse``,
``ward_without_incidents`` (months), ``years_too_few`` (years, needed) and ``trend_too_short``
(months, needed).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from math import ceil, sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from scipy.special import ndtr
from scipy.stats import norm

from hotspots.errors import CannotMeasure, HotspotsError
from hotspots.measures.levels import (
    Floats,
    city_total,
    dispersion,
    filtered_level,
    known_months,
    season_and_drift,
)
from hotspots.measures.rank_intervals import (
    DRAWS,
    drawn_levels,
    drawn_years,
    score_deviation,
)
from hotspots.measures.reasons import Reason
from hotspots.measures.selection import LONG_MONTHS, rank_wards
from hotspots.programme.selection_rules import COMPONENTS as COMPONENTS

DEFAULT_WEIGHTS: Final[Mapping[str, float]] = {
    name: 1.0 if name == "smoothed_level" else 0.0 for name in COMPONENTS
}
"""The smoothed level alone: on real panels no other component found more wards."""

TOP_SHARE: Final = 0.2
"""A ward is in the top fifth when no more than this share of the wards stands before it."""

LEAST_YEARS: Final = 2
PER_RESIDENTS: Final = 100_000
BORROWED_INCIDENTS: Final = 10
"""One grave incident in a quiet ward says little: so many of the city's mean are added to it."""

_BY_LEVEL: Final = 1e-6  # of a drawn score: parts wards of equal score, and moves no other

_Wards = npt.NDArray[np.bool_]
"""One for each ward, in order of rank: does it have the component?"""

PATTERN_POINTS: Final[Mapping[str, float]] = {
    "persistent": 100,
    "intensifying": 100,
    "consecutive": 80,
    "emerging": 60,
    "new": 60,
    "oscillating": 60,
    "diminishing": 50,
    "intermittent": 40,
    "sporadic": 40,
    "former": 20,
    "historical": 20,
    "none": 0,
}
"""Points of a time class of `geo.patterns`; every cold class has 0."""


@dataclass(frozen=True)
class Inputs:
    """What is known of the wards beside their index; None = not known at all.

    Attributes
    ----------
    incidents : pd.DataFrame or None
        Months x wards like the index, but in incidents. Without it the index stands in for them.
    population : mapping of str to float, or None
        Residents by ward.
    neighbours : mapping of str to collection of str, or None
        Who touches whom; a ward without neighbours has none or is not in it.
    patterns : mapping of str to str, or None
        Time class by ward: a key of `PATTERN_POINTS`, also with "hot" or "cold" before or behind.
    not_transformed : collection of str, or None
        Wards of last year's plan that were not transformed.
    relapse : mapping of str to float, or None
        1 for a ward that has relapsed, 0 for one that has not, or a probability.
    """

    incidents: pd.DataFrame | None = None
    population: Mapping[str, float] | None = None
    neighbours: Mapping[str, Collection[str]] | None = None
    patterns: Mapping[str, str] | None = None
    not_transformed: Collection[str] | None = None
    relapse: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Components:
    """Every component of every ward that has a rank.

    Attributes
    ----------
    ranked : pd.DataFrame
        From `selection.rank_wards`, with `score_deviation` (see `rank_intervals`).
    raw, points : pd.DataFrame
        Wards (in order of `ranked`) x `COMPONENTS`: the number, and 0 to 100; NaN = missing.
    drawn : DrawnPoints
        The points that the components could have.
    missing : mapping of str to Reason
        Components that no ward has, and why.
    gaps : mapping of (str, str) to Reason
        (component, ward): why this ward lacks what others have.
    details : mapping of str to pd.DataFrame
        By component, wards x what its number is made of (the further facts of its reason).
    """

    ranked: pd.DataFrame
    raw: pd.DataFrame
    points: pd.DataFrame
    drawn: DrawnPoints
    missing: Mapping[str, Reason] = field(default_factory=dict)
    gaps: Mapping[tuple[str, str], Reason] = field(default_factory=dict)
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def reasons(self, ward: str) -> tuple[Reason, ...]:
        """Return one reason for each component of a ward, in the order of `COMPONENTS`."""
        return tuple(self._reason(name, ward) for name in COMPONENTS)

    def _reason(self, name: str, ward: str) -> Reason:
        if name in self.missing:
            return self.missing[name]
        if (name, ward) in self.gaps:
            return self.gaps[name, ward]
        value, points = (table.loc[ward].to_dict()[name] for table in (self.raw, self.points))
        facts = {"value": float(value), "points": float(points)}
        made_of = self.details[name].loc[ward].to_dict() if name in self.details else {}
        return Reason(
            f"component_{name}", facts | {str(key): each for key, each in made_of.items()}
        )


def components(
    counts: pd.DataFrame, *, as_of: date, unit: float = 1.0, inputs: Inputs | None = None
) -> Components:
    """Return all components of all wards that can be ranked.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards, the index (see `levels`), NaN = unknown; nothing after `as_of` is used.
    as_of : date
        The day of the choice.
    unit : float
        Index of one incident for the noise (`levels.effective_unit`).
    inputs : Inputs, optional
        What else is known, as of that day; what is not given is missing in the answer.

    Raises
    ------
    CannotMeasure
        `history_too_short` or `counts_too_old`, see `levels.known_months`.
    ValueError
        If a pattern is none of `PATTERN_POINTS`, or a relapse is not from 0 to 1.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [2] * 24, "26737": [7, 9] * 12}, index=months)
    >>> found = components(counts, as_of=date(2025, 12, 31))
    >>> found.points[["smoothed_level", "persistence", "rate"]].round(0)
           smoothed_level  persistence  rate
    26737           100.0        100.0   NaN
    26734            25.0          0.0   NaN
    >>> found.missing["rate"].code
    'missing_population'
    """
    known = known_months(counts, as_of)
    ranked = rank_wards(counts, as_of=as_of, unit=unit)
    ranked = ranked.assign(score_deviation=score_deviation(counts, as_of=as_of, unit=unit))
    view = _View(known, ranked, _incidents(known, unit, inputs), inputs or Inputs())
    found = {name: measure(view) for name, measure in _MEASURES.items()}
    raw, points = (
        pd.DataFrame({name: getattr(each, kind) for name, each in found.items()}, ranked.index)
        for kind in ("raw", "points")
    )
    return Components(
        ranked,
        raw,
        points,
        DrawnPoints(view, raw, points, unit),
        {name: each.missing for name, each in found.items() if each.missing},
        {(name, ward): why for name, each in found.items() for ward, why in each.gaps.items()},
        {name: pd.DataFrame(each.made_of) for name, each in found.items() if each.made_of},
    )


def checked_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Return a weight for every component, those not named being 0.

    Raises
    ------
    HotspotsError
        `weights_invalid` (components): unknown, negative, not a number, or all of them 0.

    Examples
    --------
    >>> checked_weights({"smoothed_level": 1, "trend": 0.2})["trend"]
    0.2
    """
    wrong = [
        name for name, value in weights.items() if name not in COMPONENTS or not _is_weight(value)
    ]
    if wrong or not any(weights.values()):
        named = tuple(sorted(map(str, wrong))) or COMPONENTS
        listed = ", ".join(named)
        raise HotspotsError(
            "weights_invalid",
            f"These weights cannot be used: {listed}. A weight is a number of 0 or more for one of "
            f"{', '.join(COMPONENTS)}, and at least one is above 0. Correct the weights.",
            components=named,
        )
    return {name: float(weights.get(name, 0.0)) for name in COMPONENTS}


def weighted_ranking(found: Components, weights: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return the wards in order of their weighted score, highest first.

    The score is the weighted mean of the points of the components that the ward has: one that is
    missing neither helps nor harms it. A ward that has none of those with a weight stands among the
    others where its smoothed level stands among theirs (midway between the scores that hold these
    places). With the default weights the order is that of `rank_wards`.

    Parameters
    ----------
    found : Components
    weights : mapping of str to float, optional
        By component, 0 or more; `DEFAULT_WEIGHTS` if not given.

    Returns
    -------
    pd.DataFrame
        Index ward code, in order of rank, and the columns `rank` (1 to n; equal scores by the
        smoothed level, then by code), `score` (0 to 100), `level_rank` (rank by the smoothed level)
        and the points of every component under its name.

    Raises
    ------
    HotspotsError
        `weights_invalid`, see `checked_weights`.
    CannotMeasure
        `weights_without_data` (components): no ward has any of those with a weight.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [2] * 24, "26737": [7, 9] * 12}, index=months)
    >>> found = components(
    ...     counts, as_of=date(2025, 12, 31), inputs=Inputs(not_transformed=["26734"])
    ... )
    >>> both = {"smoothed_level": 1, "carried_over": 1}
    >>> weighted_ranking(found, both)["score"].round(1).to_dict()
    {'26734': 62.7, '26737': 50.0}
    """
    weight = checked_weights(DEFAULT_WEIGHTS if weights is None else weights)
    shares = _shares(found.points, weight)
    # sums differ in their last digits by order
    own = (found.points.fillna(0.0) * shares).sum(axis=1).round(9).to_numpy(float)
    level = found.ranked["score"].to_numpy(float)
    score = _placed(own[None, :], level[None, :], _has_none(shares))[0]
    table = pd.DataFrame(
        {"score": score, "level_rank": found.ranked["rank"]}, index=found.ranked.index
    ).join(found.points)
    if [name for name, value in weight.items() if value] != ["smoothed_level"]:
        table = table.sort_values(["score", "level_rank"], ascending=[False, True])
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def drawn_scores(found: Components, weights: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return the scores that the wards could have, if the noise had fallen otherwise.

    For `rank_intervals`. What is drawn is kept for the questions asked last, so that other weights
    are answered at once (see `DrawnPoints`). Wards of equal
    score differ by a millionth of a point for their drawn level, as in `weighted_ranking`.

    Parameters
    ----------
    found : Components
    weights : mapping of str to float, optional
        As for `weighted_ranking`.

    Returns
    -------
    pd.DataFrame
        Draws (1,000) x wards, in the order of `found.ranked`: weighted score, 0 to 100.

    Raises
    ------
    HotspotsError, CannotMeasure
        As `weighted_ranking`.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [2] * 24, "26737": [2, 3] * 12}, index=months)
    >>> found = components(counts, as_of=date(2025, 12, 31))
    >>> scores = drawn_scores(found, {"smoothed_level": 1, "trend": 0.5})
    >>> scores.shape, bool((scores["26734"] > scores["26737"]).mean() > 0.1)
    ((1000, 2), True)
    """
    weight = checked_weights(DEFAULT_WEIGHTS if weights is None else weights)
    return pd.DataFrame(
        _drawn_scores(found, _shares(found.points, weight)), columns=found.ranked.index
    )


def share_without_noise(found: Components, weights: Mapping[str, float] | None = None) -> float:
    """Return how much of the weight is on the time class, whose noise no rank interval knows of.

    Gi* would have to be tested anew in every city drawn, so `pattern` is taken as it is. A share of
    the weights on components that any ward has; `carried_over` and `relapse` are facts on record.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [2] * 24}, index=months)
    >>> known = Inputs(patterns={"26734": "new"})
    >>> found = components(counts, as_of=date(2025, 12, 31), inputs=known)
    >>> share_without_noise(found, {"smoothed_level": 3, "pattern": 1})
    0.25
    """
    weight = checked_weights(DEFAULT_WEIGHTS if weights is None else weights)
    there = {name: weight[name] for name in COMPONENTS if found.points[name].notna().any()}
    total = sum(there.values())
    return there.get("pattern", 0.0) / total if total else 0.0


def empirical_bayes_rate(
    events: pd.Series[float], population: pd.Series[float]
) -> pd.Series[float]:
    """Return the rate of every area shrunk towards the rate of all together.

    Global empirical Bayes of Marshall (1991), Applied Statistics 40, 283-294: with m the overall
    rate and s^2 = sum(n (r - m)^2) / sum(n) - m / mean(n), at least 0, the area keeps the share
    s^2 / (s^2 + m / n) of what its own rate r differs from m.

    Parameters
    ----------
    events, population : pd.Series
        By area: events, and residents (above 0) in the same order.

    Returns
    -------
    pd.Series
        Events per resident, same index.

    Examples
    --------
    Two equal areas: m = .002, s^2 = .000001 - .002 / 1000 < 0, so nothing speaks for a difference.

    >>> empirical_bayes_rate(pd.Series([1.0, 3.0]), pd.Series([1000.0, 1000.0])).tolist()
    [0.002, 0.002]
    """
    overall = float(events.sum() / population.sum())
    rate = events / population
    spread = float((population * (rate - overall) ** 2).sum() / population.sum())
    variance = max(spread - overall / float(population.mean()), 0.0)
    if overall == 0:
        return rate
    own = variance / (variance + overall / population)
    return overall + own * (rate - overall)


def _shares(points: pd.DataFrame, weight: Mapping[str, float]) -> pd.DataFrame:
    """Return what each component is of a ward's score: wards x components.

    Every row is 1 in sum, or 0 where a ward has none of the weighted components.
    """
    weighed = points.notna() * pd.Series(weight).reindex(points.columns)
    total = weighed.sum(axis=1)
    if len(points) and not total.gt(0).any():
        raise _without_data([name for name, value in weight.items() if value])
    return weighed.div(total.where(total > 0), axis=0).fillna(0.0)


def _has_none(shares: pd.DataFrame) -> _Wards:
    return ~shares.gt(0).any(axis=1).to_numpy()


def _placed(score: Floats, level: Floats, without: _Wards) -> Floats:
    """Give wards without a score the place among the others that their level has (rows x wards)."""
    if not without.any():
        return score
    ordered, levels = np.sort(score[:, ~without], axis=1), level[:, ~without]
    rows, last = np.arange(len(score)), ordered.shape[1] - 1
    placed = score.copy()
    for ward in np.flatnonzero(without):
        below = (levels < level[:, [ward]]).sum(axis=1)
        ends = ordered[rows, np.maximum(below - 1, 0)], ordered[rows, np.minimum(below, last)]
        placed[:, ward] = (ends[0] + ends[1]) / 2
    return placed


def _drawn_scores(found: Components, shares: pd.DataFrame) -> Floats:
    in_use = [name for name in COMPONENTS if shares[name].gt(0).any()]
    if in_use == ["smoothed_level"]:
        return found.drawn.level()
    level: Floats = found.drawn.of("smoothed_level").astype(float)
    score = np.zeros(level.shape)
    for name in in_use:
        score += found.drawn.of(name) * shares[name].to_numpy(float)
    return _placed(score, level, _has_none(shares)) + level * _BY_LEVEL


def _without_data(names: Collection[str]) -> CannotMeasure:
    return CannotMeasure(
        "weights_without_data",
        f"All the weight is on {', '.join(names)}, and no ward has data for that. Bring the data "
        "in, or give the smoothed level or another component a weight.",
        components=tuple(names),
    )


@dataclass(frozen=True)
class _View:
    known: pd.DataFrame
    ranked: pd.DataFrame
    incidents: pd.DataFrame
    inputs: Inputs

    @property
    def wards(self) -> pd.Index[str]:
        return self.ranked.index


@dataclass(frozen=True, eq=False)
class DrawnPoints:
    """Points that the components could have, had the noise of the counts fallen otherwise.

    Every draw is one city. Its levels are drawn as in `rank_intervals`; the incidents of its past
    years to agree with them (`rank_intervals.drawn_years`), and from these the numbers of the other
    components, without noise, which become points by the same mapping as those observed:

    ==============  ===========================================================================
    rate            expected incidents of the last year per resident, shrunk to that of all as
                    far as they differ more from draw to draw than from ward to ward
    persistence     share of years in which the expected index is in the top fifth
    trend           z of the expected incidents of two years
    severity        normal, with the variance of a mean of the ward's incidents and ten more
    neighbours      mean of the drawn levels of the neighbours
    ==============  ===========================================================================

    What noise explains is drawn as alike, so a rank by components of little information has a wide
    interval. `carried_over` and `relapse` are facts on record and have no noise; `pattern` is taken
    as it is (see `share_without_noise`).

    Nothing is drawn before it is asked for. What other components than the level need is drawn
    once, all together, and kept for the three asked last: 4 bytes for each of six components, draw
    and ward (4 MB for 168 wards).

    Attributes
    ----------
    view : _View
    raw, points : pd.DataFrame
        As in `Components`: what is missing there stays missing (0, and no part of a score).
    unit : float
        Index of one incident for the noise.
    draws, seed : int
    """

    view: _View
    raw: pd.DataFrame
    points: pd.DataFrame
    unit: float
    draws: int = DRAWS
    seed: int = 0

    def level(self) -> Floats:
        """Return the points of the smoothed level, draws x wards."""
        return _share_of_highest(self._levels())

    def of(self, name: str) -> npt.NDArray[np.floating]:
        """Return the points of any component: draws x wards, or one row if there is no noise."""
        if name in _DRAWN:
            return _all_drawn(self)[name]
        return self.points[[name]].fillna(0.0).to_numpy(float).T

    def all(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """Draw the points of every component that rests on counts, draws x wards."""
        city = _DrawnCity(
            self.view, self.raw, self._levels(), _noise(self.view, self.unit), self.seed
        )
        there = {name: self.points[name].notna().to_numpy() for name in _DRAWN}
        return {
            name: np.where(there[name], draw(city, there[name]), 0.0).astype(np.float32)
            for name, draw in _DRAWN.items()
            if there[name].any()
        }

    def _levels(self) -> Floats:
        score, deviation = _level_and_deviation(self.view.ranked)
        return drawn_levels(score, deviation, draws=self.draws, seed=self.seed)


@lru_cache(maxsize=3)
def _all_drawn(points: DrawnPoints) -> Mapping[str, npt.NDArray[np.float32]]:
    return points.all()


@dataclass(frozen=True)
class _Noise:
    """How the counts of a city scatter.

    Attributes
    ----------
    incidents : pd.DataFrame
        Months x wards, in order of rank.
    phi : float
        Variance of a month's incidents over their mean.
    drift : float
        Of the city's total per month, log scale.
    by_number : float
        How much of the variance of the index is that of the number of incidents; the rest is that
        of their gravity.
    gravity : array
        Index of one incident, by ward.
    variance : float
        Of the index of one incident.
    """

    incidents: pd.DataFrame
    phi: float
    drift: float
    by_number: float
    gravity: Floats
    variance: float


def _noise(view: _View, unit: float) -> _Noise:
    season = season_and_drift(city_total(view.known))
    level = filtered_level(view.known, season, unit=unit)
    counted = view.incidents[view.wards]
    incidents = counted if counted.sum(axis=None) > 0 else view.known[view.wards] / unit
    phi = dispersion(incidents, season)
    gravity, mean, variance = _gravity(view.known[view.wards], incidents)
    by_number = min(1.0, phi * mean / level.phi)
    return _Noise(incidents, phi, season.drift, by_number, gravity, variance)


def _gravity(known: pd.DataFrame, incidents: pd.DataFrame) -> tuple[Floats, float, float]:
    """Return the index of one incident by ward, that of the city, and the variance of one's.

    The variance is that of the months' index about the incidents times the ward's own ratio: of n
    incidents in months of n_t it is expected to be (n - sum(n_t^2) / n) times that of one.
    """
    index, number = (each.iloc[-LONG_MONTHS:].to_numpy(float) for each in (known, incidents))
    index = np.where(np.isnan(number), 0.0, np.nan_to_num(index))
    number = np.nan_to_num(number)
    whole, least = number.sum(axis=0), np.finfo(float).tiny
    mean = max(float(index.sum() / max(whole.sum(), least)), least)
    own = np.where((whole > 0) & (index.sum(axis=0) > 0), index.sum(axis=0), mean)
    own = own / np.where((whole > 0) & (index.sum(axis=0) > 0), whole, 1.0)
    freedom = float((whole - (number**2).sum(axis=0) / np.maximum(whole, least)).sum())
    squares = float((np.where(whole > 0, index - own * number, 0.0) ** 2).sum())
    return own, mean, squares / max(freedom, 1.0)


def _level_and_deviation(ranked: pd.DataFrame) -> tuple[Floats, Floats]:
    score, deviation = (ranked[name].to_numpy(float) for name in ("score", "score_deviation"))
    return score, deviation


@dataclass(frozen=True)
class _DrawnCity:
    """The draws that the components share, draws x wards, and the components of them."""

    view: _View
    raw: pd.DataFrame
    level: Floats
    noise: _Noise
    seed: int

    @cached_property
    def years(self) -> tuple[Floats, ...]:
        """Expected incidents of the past years, the last first."""
        noise, (by_number, _) = self.noise, self._factors
        return drawn_years(
            noise.incidents,
            _level_and_deviation(self.view.ranked)[0] / noise.gravity * by_number,
            phi=noise.phi,
            drift=noise.drift,
            seed=self.seed + 1,
        )

    @cached_property
    def _factors(self) -> tuple[Floats, Floats]:
        """What the noise makes of number and gravity; their product is that of the level."""
        of_number, of_gravity = self._noises
        score, deviation = _level_and_deviation(self.view.ranked)
        share = deviation / np.where(score > 0, score, np.inf)
        part = self.noise.by_number
        return (
            np.maximum(1 + sqrt(part) * share * of_number, 0.0),
            np.maximum(1 + sqrt(1 - part) * share * of_gravity, 0.0),
        )

    @cached_property
    def _noises(self) -> tuple[Floats, Floats]:
        """Two standard noises without correlation that together are the noise of the level."""
        score, deviation = _level_and_deviation(self.view.ranked)
        of_level = (self.level - score) / np.maximum(deviation, np.finfo(float).tiny)
        other = np.random.default_rng([self.seed, 1]).standard_normal(of_level.shape)
        part, rest = sqrt(self.noise.by_number), sqrt(1 - self.noise.by_number)
        return part * of_level + rest * other, rest * of_level - part * other

    def smoothed_level(self, _: _Wards) -> Floats:
        return _share_of_highest(self.level)

    def rate(self, there: _Wards) -> Floats:
        residents = pd.Series(self.view.inputs.population, dtype=float).reindex(self.view.wards)
        own = residents.to_numpy(float)[there]
        drawn = np.zeros(self.level.shape)
        drawn[:, there] = _shrunk_draws(self.years[0][:, there] / own, own)
        return _share_of_highest(drawn)

    def persistence(self, _: _Wards) -> Floats:
        known = self.view.known[self.view.wards].notna().to_numpy()
        gravity = self.noise.gravity * self._factors[1]
        in_top, counted = np.zeros(gravity.shape), np.zeros(gravity.shape[1])
        for n, year in enumerate(self.years):
            end = len(known) - 12 * n
            whole = known[end - 12 : end].all(axis=0)
            counted += whole
            in_top[:, whole] += _in_top((year * gravity)[:, whole])
        return in_top / np.maximum(counted, 1) * 100

    def trend(self, _: _Wards) -> Floats:
        last, before = self.years[:2]
        points: Floats = ndtr(sqrt(2) * (np.sqrt(last) - np.sqrt(before))) * 100
        return points

    def severity(self, there: _Wards) -> Floats:
        number = self.noise.incidents.iloc[-LONG_MONTHS:].sum().to_numpy(float)
        deviation = np.sqrt(self.noise.variance / (number + BORROWED_INCIDENTS))
        drawn = self.raw["severity"].fillna(0.0).to_numpy(float) + deviation * self._noises[1]
        return _share_of_highest(np.maximum(drawn, 0.0) * there)

    def neighbours(self, _: _Wards) -> Floats:
        mean: Floats = (_mean_of_neighbours(self.view) @ self.level.T).T
        return _share_of_highest(mean)


def _share_of_highest(drawn: Floats) -> Floats:
    highest = drawn.max(axis=1, keepdims=True)
    share: Floats = drawn / np.maximum(highest, np.finfo(float).tiny) * 100
    return share


def _in_top(drawn: Floats) -> npt.NDArray[np.bool_]:
    places = ceil(drawn.shape[1] * TOP_SHARE)
    if not places:
        return np.zeros(drawn.shape, bool)
    return drawn >= np.partition(drawn, -places, axis=1)[:, [-places]]


def _shrunk_draws(rate: Floats, residents: Floats) -> Floats:
    """Shrink drawn rates to that of all together, in mean and in variance (Marshall 1991).

    The variance between wards is not known better than its own error, so it is at least that.
    """
    weight = residents / residents.sum()
    mean, within = rate.mean(axis=0), rate.var(axis=0)
    overall = float(weight @ mean)
    spread = float(weight @ ((mean - overall) ** 2 - within))
    between = max(spread, sqrt(2 * float(((weight * within) ** 2).sum())))
    own = between / np.maximum(between + within, np.finfo(float).tiny)
    shrunk: Floats = overall + own * (mean - overall) + np.sqrt(own) * (rate - mean)
    return np.maximum(shrunk, 0.0)


def _mean_of_neighbours(view: _View) -> csr_array:
    place = {str(ward): n for n, ward in enumerate(view.wards)}
    near = view.inputs.neighbours or {}
    pairs = [
        (n, place[str(other)])
        for ward, n in place.items()
        for other in near.get(ward, ())
        if other in place
    ]
    rows, columns = np.array(pairs, dtype=int).reshape(-1, 2).T
    weight = 1 / np.bincount(rows, minlength=len(place))[rows]
    return csr_array((weight, (rows, columns)), shape=(len(place), len(place)))


@dataclass(frozen=True)
class _Found:
    raw: pd.Series[float]
    points: pd.Series[float]
    missing: Reason | None = None
    gaps: Mapping[str, Reason] = field(default_factory=dict)
    made_of: Mapping[str, pd.Series[Any]] = field(default_factory=dict)


def _is_weight(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and np.isfinite(float(value)) and float(value) >= 0  # type: ignore[arg-type]


def _incidents(known: pd.DataFrame, unit: float, inputs: Inputs | None) -> pd.DataFrame:
    """Incidents where the index is known; without any, the index over the size of an incident."""
    if inputs is None or inputs.incidents is None:
        return known / unit
    return inputs.incidents.reindex(known.index).reindex(columns=known.columns).where(known.notna())


def _nothing(view: _View, missing: Reason) -> _Found:
    empty = pd.Series(np.nan, index=view.wards)
    return _Found(empty, empty, missing)


def _against_highest(raw: pd.Series[float]) -> pd.Series[float]:
    highest = raw.max()
    return raw / highest * 100 if highest > 0 else raw * 0.0


def _gaps(raw: pd.Series[float], why: Reason) -> dict[str, Reason]:
    return {str(ward): why for ward in raw.index[raw.isna()]}


def _smoothed_level(view: _View) -> _Found:
    raw = view.ranked["score"]
    return _Found(raw, _against_highest(raw))


def _rate(view: _View) -> _Found:
    if view.inputs.population is None:
        return _nothing(view, Reason("missing_population", {}))
    residents = pd.Series(view.inputs.population, dtype=float).reindex(view.wards)
    residents = residents.where(residents > 0)
    yearly = view.incidents.iloc[-12:].mean().reindex(view.wards) * 12
    both = residents.notna() & yearly.notna()
    if not both.any():
        return _nothing(view, Reason("missing_population", {}))
    rate = empirical_bayes_rate(yearly[both], residents[both]) * PER_RESIDENTS
    raw = rate.reindex(view.wards)
    gaps = _gaps(raw, Reason("ward_without_population", {}))
    made_of = {"incidents": yearly, "population": residents}
    return _Found(raw, _against_highest(raw), gaps=gaps, made_of=made_of)


def _persistence(view: _View) -> _Found:
    values = view.known[view.wards]
    years = [values.iloc[end - 12 : end] for end in range(len(values), 11, -12)]
    if len(years) < LEAST_YEARS:
        return _nothing(view, Reason("years_too_few", {"years": len(years), "needed": LEAST_YEARS}))
    sums = pd.DataFrame({n: year.sum(min_count=12) for n, year in enumerate(years)})
    places = sums.rank(ascending=False, method="min")  # a tie at the line lets all in
    in_top = places.le(np.ceil(sums.notna().sum() * TOP_SHARE)) & sums.gt(0)
    counted = sums.notna().sum(axis=1)
    raw = in_top.sum(axis=1) / counted.where(counted >= LEAST_YEARS)
    gaps = {
        str(ward): Reason("years_too_few", {"years": int(n), "needed": LEAST_YEARS})
        for ward, n in counted[counted < LEAST_YEARS].items()
    }
    in_top_of = in_top.sum(axis=1).astype(float)
    made_of = {"in_top": in_top_of, "years": counted.astype(float)}
    return _Found(raw, raw * 100, gaps=gaps, made_of=made_of)


def _trend(view: _View) -> _Found:
    known = view.known[view.wards].count()
    if not known.ge(24).any():
        longest = int(known.max()) if len(known) else 0
        return _nothing(view, Reason("trend_too_short", {"months": longest, "needed": 24}))
    before, last = (
        view.incidents[view.wards].iloc[rows].sum(min_count=12)
        for rows in (slice(-24, -12), slice(-12, None))
    )
    # the square root of a count has variance 1/4, the difference of two 1/2
    raw = sqrt(2) * (np.sqrt(last) - np.sqrt(before))
    gaps = {
        str(ward): Reason("trend_too_short", {"months": int(known[ward]), "needed": 24})
        for ward in raw.index[raw.isna()]
    }
    points = pd.Series(norm.cdf(raw) * 100, index=view.wards)
    return _Found(raw, points, gaps=gaps, made_of={"last12": last, "before12": before})


def _severity(view: _View) -> _Found:
    if view.inputs.incidents is None:
        return _nothing(view, Reason("missing_incidents", {}))
    incidents = view.incidents[view.wards].iloc[-LONG_MONTHS:].sum()
    index = view.known[view.wards].iloc[-LONG_MONTHS:].sum()
    if not incidents.sum() > 0:
        return _nothing(view, Reason("missing_incidents", {}))
    mean = float(index.sum() / incidents.sum())
    raw = (index + BORROWED_INCIDENTS * mean) / (incidents + BORROWED_INCIDENTS)
    raw = raw.where(incidents > 0)
    gaps = _gaps(raw, Reason("ward_without_incidents", {"months": LONG_MONTHS}))
    return _Found(raw, _against_highest(raw), gaps=gaps, made_of={"incidents": incidents})


def _neighbours(view: _View) -> _Found:
    near = view.inputs.neighbours
    if near is None:
        return _nothing(view, Reason("missing_neighbours", {}))
    level: dict[Hashable, float] = view.ranked["score"].to_dict()
    raw = pd.Series(
        {ward: _mean([level[n] for n in near.get(str(ward), ()) if n in level]) for ward in level},
        dtype=float,
    ).reindex(view.wards)
    gaps = _gaps(raw, Reason("ward_without_neighbours", {}))
    return _Found(raw, _against_highest(raw), gaps=gaps)


def _pattern(view: _View) -> _Found:
    patterns = view.inputs.patterns
    if patterns is None:
        return _nothing(view, Reason("missing_patterns", {}))
    raw = pd.Series(
        {ward: _points_of(patterns[str(ward)]) for ward in view.wards if str(ward) in patterns},
        dtype=float,
    ).reindex(view.wards)
    gaps = _gaps(raw, Reason("ward_without_pattern", {}))
    named = pd.Series(dict(patterns), dtype=object).reindex(view.wards)
    return _Found(raw, raw, gaps=gaps, made_of={"pattern": named})


def _carried_over(view: _View) -> _Found:
    if view.inputs.not_transformed is None:
        return _nothing(view, Reason("missing_carried_over", {}))
    raw = pd.Series(view.wards.isin(list(view.inputs.not_transformed)), view.wards).astype(float)
    return _Found(raw, raw * 100)


def _relapse(view: _View) -> _Found:
    if view.inputs.relapse is None:
        return _nothing(view, Reason("missing_relapse", {}))
    raw = pd.Series(view.inputs.relapse, dtype=float).reindex(view.wards)
    if not raw.dropna().between(0, 1).all():
        raise ValueError("A relapse is 0, 1 or a probability between them.")
    return _Found(raw, raw * 100, gaps=_gaps(raw, Reason("ward_without_relapse", {})))


_MEASURES: Final[Mapping[str, Callable[[_View], _Found]]] = {
    "smoothed_level": _smoothed_level,
    "rate": _rate,
    "persistence": _persistence,
    "trend": _trend,
    "severity": _severity,
    "neighbours": _neighbours,
    "pattern": _pattern,
    "carried_over": _carried_over,
    "relapse": _relapse,
}


_DRAWN: Final[Mapping[str, Callable[[_DrawnCity, _Wards], Floats]]] = {
    "smoothed_level": _DrawnCity.smoothed_level,
    "rate": _DrawnCity.rate,
    "persistence": _DrawnCity.persistence,
    "trend": _DrawnCity.trend,
    "severity": _DrawnCity.severity,
    "neighbours": _DrawnCity.neighbours,
}


def _mean(values: Collection[float]) -> float:
    return float(np.mean(list(values))) if values else float("nan")


def _points_of(pattern: str) -> float:
    words = pattern.lower().replace("-", "_").replace(" ", "_").split("_")
    if "cold" in words:
        return 0.0
    name = next((word for word in words if word in PATTERN_POINTS), None)
    if name is None:
        raise ValueError(f"{pattern!r} is no pattern here; allowed are {sorted(PATTERN_POINTS)}.")
    return float(PATTERN_POINTS[name])
