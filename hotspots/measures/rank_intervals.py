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

Ranks are drawn from gamma distributions with that mean and variance (counts are never negative and
skewed), all wards at once: a parametric bootstrap.
"""

from __future__ import annotations

from collections.abc import Hashable
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

_CHUNK: Final = 1_000_000  # cells drawn at once: bounds memory at some 30 MB
_NO_NOISE: Final = 1e-6  # of the score: what is less cannot move a rank
_LEAST_SHAPE: Final = 1e-6  # a mean of next to nothing must not divide by 0
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


def rank_intervals(
    ranked: pd.DataFrame, *, top: int, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Return how far down and up every ward's rank could be, and how surely it is in the top.

    Parameters
    ----------
    ranked : pd.DataFrame
        Index ward code, columns `rank`, `score` and `score_deviation` (standard deviation of the
        score), as `components.weighted_ranking` gives them.
    top : int
        How many are to be chosen, K.
    draws : int
        Cities drawn.
    seed : int
        Same seed, same answer, in whatever order the wards are given.

    Returns
    -------
    pd.DataFrame
        Index as given: `rank`, `rank_low`, `rank_high` (90 % of the draws lie between them, both
        included; always around `rank`), `p_top` (share of draws with the ward among the first K)
        and `cannot_tell` (`p_top` between .05 and .95: whether it belongs to the first K cannot be
        told).

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
    _check(ranked, top, draws)
    ordered = ranked.sort_values("rank")
    score, deviation = (ordered[name].to_numpy(float) for name in ("score", "score_deviation"))
    ranks = _drawn_ranks(score, deviation, draws, seed)
    low, high = _ends(ranks)
    rank, p_top = ordered["rank"].to_numpy(), (ranks <= top).mean(axis=0)
    table = pd.DataFrame(
        {
            "rank": rank,
            "rank_low": np.minimum(low, rank),
            "rank_high": np.maximum(high, rank),
            "p_top": p_top,
            "cannot_tell": (p_top > (1 - CONFIDENCE) / 2) & (p_top < (1 + CONFIDENCE) / 2),
        },
        index=ordered.index,
    )
    return table.reindex(ranked.index)


def rank_reason(intervals: pd.DataFrame, ward: str, top: int) -> Reason:
    """Return a ward's rank interval in words: in the top, outside, or not to be told.

    The codes are `rank_in_top`, `rank_outside_top` and `rank_cannot_tell`; facts: rank, low, high,
    top and probability (a share).

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
    return Reason("rank_in_top" if row["p_top"] > 0.5 else "rank_outside_top", facts)


def _check(ranked: pd.DataFrame, top: int, draws: int) -> None:
    if top < 1 or draws < 1:
        raise ValueError(f"top is {top} and draws is {draws}; both are at least 1.")
    values = ranked[["score", "score_deviation"]].to_numpy(float)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError("Every ward needs a score and a deviation, both 0 or more.")


def _drawn_ranks(score: Floats, deviation: Floats, draws: int, seed: int) -> _Ints:
    """Rank of every ward in every draw: draws x wards."""
    random = np.random.default_rng(seed)
    ranks = np.empty((draws, len(score)), dtype=np.intp)
    step = max(1, _CHUNK // max(1, len(score)))
    for start in range(0, draws, step):
        drawn = _draws(score, deviation, min(step, draws - start), random)
        order = np.argsort(-drawn, axis=1, kind="stable")
        rows = ranks[start : start + len(drawn)]
        np.put_along_axis(rows, order, np.arange(1, len(score) + 1)[None, :], axis=1)
    return ranks


def _draws(score: Floats, deviation: Floats, draws: int, random: np.random.Generator) -> Floats:
    varies = (score > 0) & (deviation > score * _NO_NOISE)
    shape = np.maximum((score / np.where(varies, deviation, 1.0)) ** 2, _LEAST_SHAPE)
    scale = np.where(varies, score / shape, 0.0)
    drawn: Floats = random.standard_gamma(shape, (draws, len(score))) * scale
    return np.where(varies, drawn, score)


def _ends(ranks: _Ints) -> tuple[_Ints, _Ints]:
    outside = (1 - CONFIDENCE) / 2
    ordered = np.sort(ranks, axis=0)
    last = len(ordered) - 1
    low, high = int(np.floor(last * outside)), int(np.ceil(last * (1 - outside)))
    return ordered[low], ordered[high]
