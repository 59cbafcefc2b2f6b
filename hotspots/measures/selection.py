"""Which wards to choose for next year's list: a rank with its numbers and its reasons.

The score is the smoothed level, half the filtered level and half the mean of 36 months. On real
panels it finds more of next year's highest wards than last year's count does, while ranking by the
last three months, by trend or by cluster statistics finds fewer; so the trend is told beside the
score and never enters it.

Reason codes and their facts (index per year; ratios are shares, 1 = equal):

=======================  ========================================================================
high_level, low_level    rank, wards, score, times_median (NaN if the median is 0): at or above,
                         or below, the city's median
persistent               filtered, mean36, filtered_p80, mean36_p80: both among the highest fifth
rising, falling          ratio, last12: context only, never part of the score
carried_from_last_year   rank
shorter_history          months (of this ward), longest (of any): under 36, and others have more
=======================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from hotspots.errors import NotFound
from hotspots.measures.levels import city_total, filtered_level, known_months, season_and_drift
from hotspots.measures.reasons import Reason

LONG_MONTHS: Final = 36
RISING_FROM: Final = 1.10
FALLING_FROM: Final = 0.90
PERSISTENT_QUANTILE: Final = 0.80


@dataclass(frozen=True)
class Comparison:
    """A list against last year's: wards in both, only in the new one, only in the old one."""

    kept: tuple[str, ...]
    new: tuple[str, ...]
    dropped: tuple[str, ...]


def rank_wards(
    counts: pd.DataFrame, *, as_of: date, last_year: Collection[str] = (), unit: float = 1.0
) -> pd.DataFrame:
    """Return every ward that is known with its rank by smoothed level, highest first.

    Every number of a ward is of its own known months; a ward that `levels.known_months` leaves
    out (unknown in the last month, or for fewer than six months) has no rank.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards (see `levels`), NaN = unknown; months after `as_of` are not looked at.
    as_of : date
        The day of the choice.
    last_year : collection of str
        Codes on last year's list.
    unit : float
        Index of one incident for the noise (`levels.effective_unit`).

    Returns
    -------
    pd.DataFrame
        Index ward code, in order of rank, and the columns `rank` (1 to n; equal scores by code),
        `score` (half `filtered`, half `mean36`), `filtered` (filtered level x 12), `mean36` (mean
        of the last 36 months, or of all there are, x 12), `last12` (index of the last 12 months;
        fewer are scaled up to a year), `trend_ratio` (last 12 months over the 12 before; NaN under
        24 known months or if before is 0), `share_of_city` (of `last12` of the ranked wards; 0 in
        a city without incidents), `in_last_year`, `months` (known months used).

    Raises
    ------
    CannotMeasure
        `history_too_short` or `counts_too_old`, see `levels.known_months`.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [2] * 24, "26737": [7, 9] * 12}, index=months)
    >>> ranked = rank_wards(counts, as_of=date(2025, 12, 31), last_year=["26734"])
    >>> ranked[["rank", "last12", "trend_ratio", "in_last_year"]]
           rank  last12  trend_ratio  in_last_year
    26737     1    96.0          1.0         False
    26734     2    24.0          1.0          True
    """
    known = known_months(counts, as_of)
    season = season_and_drift(city_total(known))
    filtered = filtered_level(known, season, unit=unit).level * 12
    mean36 = known.iloc[-LONG_MONTHS:].mean() * 12
    last12 = known.iloc[-12:].mean() * 12
    wards = pd.DataFrame(
        {
            "score": (filtered + mean36) / 2,
            "filtered": filtered,
            "mean36": mean36,
            "last12": last12,
            "trend_ratio": _trend_ratio(known),
            "share_of_city": last12 / max(last12.sum(), np.finfo(float).tiny),
            "in_last_year": known.columns.isin(list(last_year)),
            "months": known.count(),
        },
        index=known.columns,
    )
    ordered = wards.sort_index().sort_values("score", ascending=False, kind="stable")
    ordered.insert(0, "rank", np.arange(1, len(ordered) + 1))
    return ordered


def selection_reasons(table: pd.DataFrame, code: str) -> tuple[Reason, ...]:
    """Return why a ward has its place, from the table of `rank_wards`.

    Raises
    ------
    NotFound
        `ward_not_in_counts` (wards).

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [2] * 24, "26737": [4] * 12 + [9] * 12}, index=months)
    >>> ranked = rank_wards(counts, as_of=date(2025, 12, 31))
    >>> [reason.code for reason in selection_reasons(ranked, "26737")]
    ['high_level', 'persistent', 'rising']
    """
    if code not in table.index:
        raise NotFound("ward_not_in_counts", f"There are no counts for {code}.", wards=code)
    return tuple(_reasons(table, code))


def compare_with_last_year(chosen: Collection[str], last_year: Collection[str]) -> Comparison:
    """Return what a choice keeps, adds and drops, in the order the wards are given.

    >>> compare_with_last_year(["26734", "26737"], ["26740", "26734"])
    Comparison(kept=('26734',), new=('26737',), dropped=('26740',))
    """
    before, now = dict.fromkeys(last_year), dict.fromkeys(chosen)
    return Comparison(
        kept=tuple(code for code in now if code in before),
        new=tuple(code for code in now if code not in before),
        dropped=tuple(code for code in before if code not in now),
    )


def _trend_ratio(known: pd.DataFrame) -> pd.Series[float]:
    before = known.iloc[-24:-12].sum()
    measurable = (before > 0) & (known.count() >= 24)
    return known.iloc[-12:].sum() / before.where(measurable)


def _reasons(table: pd.DataFrame, code: str) -> Iterator[Reason]:
    ward: dict[Hashable, float] = table.loc[[code]].astype(float).to_dict(orient="records")[0]
    rank, median = int(ward["rank"]), float(table["score"].median())
    times = ward["score"] / median if median > 0 else float("nan")
    yield Reason(
        "high_level" if ward["score"] >= median else "low_level",
        {"rank": rank, "wards": len(table), "score": ward["score"], "times_median": times},
    )
    yield from _persistence(table, ward)
    if not FALLING_FROM < ward["trend_ratio"] < RISING_FROM and not np.isnan(ward["trend_ratio"]):
        trend = "rising" if ward["trend_ratio"] >= RISING_FROM else "falling"
        yield Reason(trend, {"ratio": ward["trend_ratio"], "last12": ward["last12"]})
    if ward["in_last_year"]:
        yield Reason("carried_from_last_year", {"rank": rank})
    months, longest = int(ward["months"]), int(table["months"].max())
    if months < min(LONG_MONTHS, longest):
        yield Reason("shorter_history", {"months": months, "longest": longest})


def _persistence(table: pd.DataFrame, ward: Mapping[Hashable, float]) -> Iterator[Reason]:
    filtered_p80 = float(table["filtered"].quantile(PERSISTENT_QUANTILE))
    mean36_p80 = float(table["mean36"].quantile(PERSISTENT_QUANTILE))
    if ward["filtered"] > filtered_p80 and ward["mean36"] > mean36_p80:
        own = {"filtered": ward["filtered"], "mean36": ward["mean36"]}
        yield Reason("persistent", {**own, "filtered_p80": filtered_p80, "mean36_p80": mean36_p80})
