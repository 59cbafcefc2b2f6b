"""How sure a rank is: what it would be if the noise of the counts had fallen otherwise.

The score of `selection.rank_wards` is half the filtered level, half the mean of 36 months. Two
noises are in it. The long mean of n months has the variance phi x mean / n. The filtered level has
its own variance from the Kalman filter; it has seen the same months, so the noise of the long mean
is part of its noise (for a filter of fixed gain the covariance of the two is the variance of the
long mean, less a part that dies out with n), and what it has beyond that is its own. Besides, the
long mean lags behind a level that walks: by V_lag = s^2 n / 3 x mean^2 for a log change of variance
s^2 a month. Hence the variance of the score, per year:

    144 (V_mean + (max(V_level - V_mean, 0) + V_lag) / 4)

On made-up cities of 168 wards the intervals of 90 % hold the rank of the true level in 87 to 96 %
of the wards where levels stay or walk by 2 % a month, in 83 to 87 % where they walk by 5 %
(`benchmarks/selection.py`).

Scores are drawn from gamma distributions with that mean and variance (counts are never negative and
skewed), all wards at once: a parametric bootstrap. What rests on other counts than the level's is
drawn to agree with the level drawn: see `drawn_years`.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from hotspots.measures.levels import (
    Floats,
    city_total,
    filtered_level,
    known_months,
    season_and_drift,
)
from hotspots.measures.reasons import Reason
from hotspots.measures.selection import LONG_MONTHS

DRAWS: Final = 1000
CONFIDENCE: Final = 0.90

_CHUNK: Final = 1_000_000  # cells drawn here at once: bounds memory at some 30 MB
_NO_NOISE: Final = 1e-6  # of the score: what is less cannot move a rank
_LEAST_SHAPE: Final = 1e-6  # a mean of next to nothing must not divide by 0
_BETWEEN_YEARS: Final = 289 / 36  # drift variances between the means of neighbouring years
_WITHIN_YEAR: Final = 12 / 3  # and between a year's mean and the level at its end
_LEAST_YEAR: Final = 0.5  # incidents a year that a silent ward is taken to have
_LEAST_DRAWN: Final = 0.01
_USUAL_DRIFT, _SPREAD_OF_DRIFT = 0.002, 0.003  # monthly drift variance before counts are seen
_LEAST_DRIFT, _MOST_DRIFT = 0.0005, 0.02
_UNKNOWN: Final = 1e9  # variance of what nothing is known of
_Ints = npt.NDArray[np.intp]


def score_deviation(counts: pd.DataFrame, *, as_of: date, unit: float = 1.0) -> pd.Series[float]:
    """Return the standard deviation of every ward's smoothed level, in index per year.

    Parameters
    ----------
    counts, as_of, unit
        As for `selection.rank_wards`.

    Raises
    ------
    CannotMeasure
        `history_too_short` or `counts_too_old`, see `levels.known_months`.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [2] * 24, "26737": [7, 9] * 12}, index=months)
    >>> score_deviation(counts, as_of=date(2025, 12, 31)).round(1).to_dict()
    {'26734': 4.1, '26737': 10.3}
    """
    known = known_months(counts, as_of)
    level = filtered_level(known, season_and_drift(city_total(known)), unit=unit)
    long = known.iloc[-LONG_MONTHS:]
    # a ward without incidents is not known to be without: half an incident a year
    mean = long.mean().clip(lower=unit / 24)
    of_mean = level.phi * mean / long.count()
    own = (level.variance - of_mean).clip(lower=0.0)
    behind = level.drift_variance * long.count() / 3 * mean**2
    deviation = 12 * (of_mean + (own + behind) / 4) ** 0.5
    return deviation.rename("score_deviation")


def drawn_levels(score: Floats, deviation: Floats, *, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Return levels that the wards could have, draws x wards: gamma with this mean and deviation.

    Examples
    --------
    >>> drawn_levels(np.array([96.0, 24.0]), np.array([9.0, 4.0])).mean(axis=0).round()
    array([96., 24.])
    """
    return _draws(score, deviation, draws, np.random.default_rng(seed))


def drawn_years(
    incidents: pd.DataFrame,
    level: Floats,
    *,
    phi: float,
    drift: float = 0.0,
    seed: int = 0,
) -> tuple[Floats, ...]:
    """Return the incidents to be expected in each past year that go with the levels drawn.

    A ward's level walks; the mean of a year is that of the year before times the city's drift, with
    the variance of the difference of neighbouring means of a random walk, (2 n^2 + 1) / (3 n) for
    n = 12, and the last year's mean differs from the level by n / 3 (both times the drift variance,
    log scale). A Kalman filter over the years gives what was known at the end of each; from the
    level drawn each year is then drawn backwards (Carter and Kohn 1994, Biometrika 81, 541-553). So
    a change that noise explains is drawn as next to none. How far wards walk is itself not known
    well and is drawn once for each city.

    Parameters
    ----------
    incidents : pd.DataFrame
        Months x wards, NaN only above a ward's first known month.
    level : array
        Draws x wards, incidents a year.
    phi : float
        Variance of a month's incidents over their mean.
    drift : float
        Of the city's total per month, log scale.
    seed : int

    Returns
    -------
    tuple of array
        By year, the last first, draws x wards: incidents a year. The last year is there in any
        case, earlier ones while all twelve months are in the table.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [2, 2, 1, 2] * 3 + [2, 2, 3, 2] * 3}, index=months)
    >>> level = drawn_levels(np.array([24.0]), np.array([4.0]))
    >>> last, before = drawn_years(counts, level, phi=1.0)
    >>> float(counts[12:].sum().iloc[0] - counts[:12].sum().iloc[0]), round((last - before).mean())
    (6.0, 1)
    """
    random = np.random.default_rng(seed)
    growth = float(np.exp(12 * drift))
    seen = _seen_years(incidents, phi)
    variance = _drawn_drift_variance(seen, phi, growth, len(level), random)
    last, *earlier = _filtered_years(seen, float(variance.mean()), growth)
    drawn = [last.drawn(level, _walk(last.mean, variance * _WITHIN_YEAR), 1.0, random)]
    for year in earlier:
        walk = _walk(year.mean, variance * _BETWEEN_YEARS)
        drawn.append(year.drawn(drawn[-1], walk, growth, random))
    return tuple(drawn)


def rank_intervals(
    ranked: pd.DataFrame,
    *,
    top: int,
    draws: int = DRAWS,
    seed: int = 0,
    drawn: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return how far down and up every ward's rank could be, and how surely it is in the top.

    Parameters
    ----------
    ranked : pd.DataFrame
        Index ward code, columns `rank` and `score`, as `components.weighted_ranking` gives them;
        without `drawn` also `score_deviation`, the standard deviation of the score.
    top : int
        How many are to be chosen, K.
    draws : int
        Cities drawn.
    seed : int
        Same seed, same answer, in whatever order the wards are given.
    drawn : pd.DataFrame, optional
        Draws x wards (codes): scores that the wards could have, as `components.drawn_scores` gives
        them for any weights. Without them scores are drawn here, each ward's by itself around its
        score, which is right for the smoothed level alone and too unsure for anything else.

    Returns
    -------
    pd.DataFrame
        Index as given: `rank`, `rank_low`, `rank_high` (90 % of the draws lie between them, both
        included; always around `rank`), `p_top` (share of draws with the ward among the first K),
        `cannot_tell` (`p_top` between .05 and .95: whether it belongs to the first K cannot be
        told) and `by_chance` (among the first K, but `p_top` is .05 or less: it stands there by
        what the noise explains).

    Raises
    ------
    ValueError
        If `top` or `draws` is under 1, or a score or deviation is negative or unknown.

    Examples
    --------
    >>> ranked = pd.DataFrame(
    ...     {"rank": [1, 2, 3], "score": [96.0, 24.0, 22.0], "score_deviation": [9.0, 4.0, 4.0]},
    ...     index=["26734", "26737", "26740"],
    ... )
    >>> rank_intervals(ranked, top=2)[["rank", "rank_low", "rank_high", "cannot_tell"]]
           rank  rank_low  rank_high  cannot_tell
    26734     1         1          1        False
    26737     2         2          3         True
    26740     3         2          3         True
    """
    _check(ranked, top, draws, needs_deviation=drawn is None)
    ordered = ranked.sort_values("rank")
    if drawn is None:
        score, deviation = (ordered[name].to_numpy(float) for name in ("score", "score_deviation"))
        ranks = _drawn_ranks(score, deviation, draws, seed)
    else:
        ranks = _ranks(drawn[list(ordered.index)].to_numpy(float))
    low, high = _ends(ranks)
    rank, p_top = ordered["rank"].to_numpy(), (ranks <= top).mean(axis=0)
    table = pd.DataFrame(
        {
            "rank": rank,
            "rank_low": np.minimum(low, rank),
            "rank_high": np.maximum(high, rank),
            "p_top": p_top,
            "cannot_tell": (p_top > (1 - CONFIDENCE) / 2) & (p_top < (1 + CONFIDENCE) / 2),
            "by_chance": (rank <= top) & (p_top <= (1 - CONFIDENCE) / 2),
        },
        index=ordered.index,
    )
    return table.reindex(ranked.index)


def rank_reason(intervals: pd.DataFrame, ward: str, top: int) -> Reason:
    """Return a ward's rank interval in words: in the top, outside, or not to be told.

    The codes are `rank_in_top`, `rank_outside_top`, `rank_cannot_tell` and `rank_by_chance` (among
    the top by its score, but hardly ever when drawn anew); facts: rank, low, high, top and
    probability (a share).

    Examples
    --------
    >>> ranked = pd.DataFrame(
    ...     {"rank": [1, 2], "score": [96.0, 24.0], "score_deviation": 4.0}, ["26734", "26737"]
    ... )
    >>> rank_reason(rank_intervals(ranked, top=1), "26734", 1).facts["probability"]
    1.0
    """
    row: dict[Hashable, float] = intervals.loc[ward].to_dict()
    facts = {
        "rank": int(row["rank"]),
        "low": int(row["rank_low"]),
        "high": int(row["rank_high"]),
        "top": top,
        "probability": float(row["p_top"]),
    }
    if row["cannot_tell"]:
        return Reason("rank_cannot_tell", facts)
    if row["by_chance"]:
        return Reason("rank_by_chance", facts)
    return Reason("rank_in_top" if row["p_top"] > 0.5 else "rank_outside_top", facts)


def _check(ranked: pd.DataFrame, top: int, draws: int, *, needs_deviation: bool) -> None:
    if top < 1 or draws < 1:
        raise ValueError(f"top is {top} and draws is {draws}; both are at least 1.")
    needed = ["score", "score_deviation"] if needs_deviation else ["score"]
    values = ranked[needed].to_numpy(float)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"Every ward needs a {' and a '.join(needed)} of 0 or more.")


def _drawn_ranks(score: Floats, deviation: Floats, draws: int, seed: int) -> _Ints:
    """Rank of every ward in every draw: draws x wards."""
    random = np.random.default_rng(seed)
    ranks = np.empty((draws, len(score)), dtype=np.intp)
    step = max(1, _CHUNK // max(1, len(score)))
    for start in range(0, draws, step):
        drawn = _draws(score, deviation, min(step, draws - start), random)
        ranks[start : start + len(drawn)] = _ranks(drawn)
    return ranks


def _ranks(drawn: Floats) -> _Ints:
    order = np.argsort(-drawn, axis=1, kind="stable")
    ranks = np.empty(drawn.shape, dtype=np.intp)
    np.put_along_axis(ranks, order, np.arange(1, drawn.shape[1] + 1)[None, :], axis=1)
    return ranks


def _draws(score: Floats, deviation: Floats, draws: int, random: np.random.Generator) -> Floats:
    varies = (score > 0) & (deviation > score * _NO_NOISE)
    shape = np.maximum((score / np.where(varies, deviation, 1.0)) ** 2, _LEAST_SHAPE)
    scale = np.where(varies, score / shape, 0.0)
    drawn: Floats = random.standard_gamma(shape, (draws, len(score))) * scale
    return np.where(varies, drawn, score)


@dataclass(frozen=True)
class _Year:
    """What is known of a year, by ward, in incidents a year: the mean and its variance."""

    mean: Floats
    variance: Floats

    def next(self, seen: _Year, walk: Floats, growth: float) -> _Year:
        predicted, spread = self.mean * growth, self.variance * growth**2 + walk
        gain = 1 / (1 + seen.variance / spread)
        return _Year(predicted + gain * (seen.mean - predicted), spread * (1 - gain))

    def drawn(
        self, later: Floats, walk: Floats, growth: float, random: np.random.Generator
    ) -> Floats:
        """Draw this year given the later one: draws x wards."""
        spread = self.variance * growth**2 + walk
        mean = self.mean + self.variance * growth / spread * (later - self.mean * growth)
        own = random.standard_normal(later.shape) * np.sqrt(self.variance * walk / spread)
        return np.maximum(mean + own, _LEAST_DRAWN)


def _seen_years(incidents: pd.DataFrame, phi: float) -> list[_Year]:
    """Return incidents a year of each past year and the variance of their noise, the last first."""
    values = incidents.to_numpy(float)
    noise = phi * np.maximum(incidents.mean().fillna(0.0).to_numpy(float) * 12, _LEAST_YEAR)
    seen = []
    for end in range(len(values), min(11, len(values) - 1), -12):
        year = values[max(0, end - 12) : end]
        months = np.isfinite(year).sum(axis=0)
        mean = np.nansum(year, axis=0) / np.maximum(months, 1)
        seen.append(_Year(mean * 12, np.where(months, noise * 12 / np.maximum(months, 1), np.inf)))
    return seen


def _drawn_drift_variance(
    seen: list[_Year], phi: float, growth: float, draws: int, random: np.random.Generator
) -> Floats:
    """Draw the monthly drift variance that the wards have in common: draws x 1.

    The squared change of a ward from year to year, less its noise, is expected to be the walk of
    its mean. Over all wards and years, each over its mean, that has an error of its own; it is set
    against what is usual, by the precision of both.
    """
    change, size, error = 0.0, 0.0, 0.0
    for last, before in itertools.pairwise(seen):
        both = np.isfinite(last.variance) & np.isfinite(before.variance)
        now, then = last.mean[both], before.mean[both] * growth
        mean = (now + then) / 2 + 1
        noise = phi * (now + then * growth)
        change += float((((now - then) ** 2 - noise) / mean).sum())
        size += float(_BETWEEN_YEARS * mean.sum())
        error += float((2 * (noise + _BETWEEN_YEARS * _USUAL_DRIFT * mean**2) ** 2 / mean**2).sum())
    known = size**2 / error if error > 0 else 0.0
    usual = 1 / _SPREAD_OF_DRIFT**2
    middle = (change * size / error if error > 0 else 0.0) + usual * _USUAL_DRIFT
    drawn = random.normal(middle / (known + usual), (known + usual) ** -0.5, (draws, 1))
    return np.clip(drawn, _LEAST_DRIFT, _MOST_DRIFT)


def _filtered_years(seen: list[_Year], drift_variance: float, growth: float) -> list[_Year]:
    """Return what was known of each year at its end, the last first."""
    nothing = np.zeros(len(seen[0].mean))
    years = [_Year(nothing, nothing + _UNKNOWN)]
    for year in reversed(seen):
        walk = _walk(years[-1].mean, drift_variance * _BETWEEN_YEARS)
        years.append(years[-1].next(year, walk, growth))
    return years[:0:-1]


def _walk(mean: Floats, variance: float | Floats) -> Floats:
    return variance * np.maximum(mean, _LEAST_YEAR) ** 2


def _ends(ranks: _Ints) -> tuple[_Ints, _Ints]:
    outside = (1 - CONFIDENCE) / 2
    ordered = np.sort(ranks, axis=0)
    last = len(ordered) - 1
    low, high = int(np.floor(last * outside)), int(np.ceil(last * (1 - outside)))
    return ordered[low], ordered[high]
