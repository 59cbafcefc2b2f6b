"""How well a way of choosing would have found next year's wards, on the store's own past.

For every past year the wards are ranked with the counts up to then, and the year after is looked
up. A hit is a chosen ward among that year's highest K by index. Four ways are compared at equal K:

==================  ==============================================================================
smoothed_level      score of `selection.rank_wards`
in_use              the planner's weights (`components.weighted_ranking`), if they are others
last_year           index of the last 12 months
three_year_mean     mean of the last 36 months, or of all there are
==================  ==============================================================================

Wards of equal rank at the line share the places left, so that no order of codes helps anyone.

Reason codes and their facts (all hit rates in percent):

====================  ===========================================================================
weights_lose          in_use, level, years: the weights in use find fewer than the smoothed level
weights_hold          in_use, level, years
level_behind          level, last_year, three_years, years: by more than one point behind the better
level_holds           level, last_year, three_years, years
weights_untried       level, years: in no past year with incidents were all components with a weight
                      known
nothing_to_find       years: no incidents in the years to be found
partly_<component>    known, tried: years in which the component was known, of those tried
====================  ===========================================================================

and, for weights on components that no past year gives, the `missing_...` of `components`. Weights
are judged without those, and only by the years in which all the others were known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from hotspots.errors import CannotMeasure
from hotspots.measures.components import (
    DEFAULT_WEIGHTS,
    Components,
    Inputs,
    checked_weights,
    components,
    weighted_ranking,
)
from hotspots.measures.levels import known_months
from hotspots.measures.reasons import Reason

LEAST_HISTORY: Final = 12
"""Months that a ranking is made from, at least."""

AHEAD: Final = 12
TOLERANCE: Final = 0.01
"""The smoothed level may find so much less than the better plain count before it is said."""

MEASURES: Final = ("hit_rate", "pai", "pei", "harm_share")
METHODS: Final = ("smoothed_level", "in_use", "last_year", "three_year_mean")


@dataclass(frozen=True)
class Backtest:
    """What every way of choosing found.

    Attributes
    ----------
    years : pd.DataFrame
        One row a past year and method: `until` (last month known then, 2025-10), `method`,
        `count` (K), `wards` (ranked then and known in the whole year after), `hit_rate` (share of
        the year's highest K that were chosen), `pai` (predictive accuracy index: share of
        incidents over share of area; of wards, where no area is known), `pei` (predictive
        efficiency index: incidents in the chosen wards over those in the best K) and `harm_share`
        (share of the year's index). NaN in a year without incidents; without `in_use` in a year
        in which a component with a weight was not known.
    mean : pd.DataFrame
        Mean of the four measures by method, over the years that the verdict rests on.
    verdict : Reason
    notes : tuple of Reason
        Components with a weight that are not part of the comparison, or of some years only.
    """

    years: pd.DataFrame
    mean: pd.DataFrame
    verdict: Reason
    notes: tuple[Reason, ...]

    @property
    def is_warning(self) -> bool:
        """Whether the way in use finds less than a plainer one."""
        return self.verdict.code in ("weights_lose", "level_behind")

    @property
    def is_judged(self) -> bool:
        """Whether the past could tell at all; otherwise the verdict says why not."""
        return self.verdict.code not in ("weights_untried", "nothing_to_find")


def backtest(
    counts: pd.DataFrame,
    *,
    as_of: date,
    count: int,
    weights: Mapping[str, float] | None = None,
    unit: float | Callable[[date], float] = 1.0,
    incidents: pd.DataFrame | None = None,
    inputs_at: Callable[[date], Inputs] | None = None,
    area_km2: Mapping[str, float] | None = None,
    every: int = 12,
) -> Backtest:
    """Choose at the end of every past year and look up what the year after brought.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards, the index (see `levels`), NaN = unknown.
    as_of : date
        Nothing after this day is used.
    count : int
        Wards to choose, K.
    weights : mapping of str to float, optional
        The planner's; the default is the smoothed level alone.
    unit : float or callable
        Index of one incident for the noise (`levels.effective_unit`); a callable is asked for it
        as it was known on each past day, so that nothing later enters.
    incidents : pd.DataFrame, optional
        Months x wards in incidents, for `pai` and `pei`; the index if not given.
    inputs_at : callable, optional
        What else was known on a past day; nothing but `incidents` if not given. It must not look
        beyond its day.
    area_km2 : mapping of str to float, optional
        Of every ward.
    every : int
        Months between one choice and the one before; under 12 the years overlap.

    Raises
    ------
    CannotMeasure
        `backtest_too_short` (months, needed), or as `levels.known_months`.
    HotspotsError
        `weights_invalid`, see `components.checked_weights`.
    ValueError
        If `count` or `every` is under 1.

    Examples
    --------
    >>> months = pd.period_range("2022-01", periods=48, freq="M")
    >>> counts = pd.DataFrame({"a": [9, 8] * 24, "b": [5, 3] * 24, "c": [1, 0] * 24}, months)
    >>> found = backtest(counts, as_of=date(2025, 12, 31), count=1)
    >>> len(found.years), float(found.mean.loc["smoothed_level", "hit_rate"]), found.verdict.code
    (9, 1.0, 'level_holds')
    """
    if count < 1 or every < 1:
        raise ValueError(f"count is {count} and every is {every}; both are at least 1.")
    weight = checked_weights(DEFAULT_WEIGHTS if weights is None else weights)
    known = known_months(counts, as_of)
    if len(known) < LEAST_HISTORY + AHEAD:
        raise CannotMeasure(
            "backtest_too_short",
            f"{len(known)} months of counts are known; to choose from one year and look at the "
            f"next, at least {LEAST_HISTORY + AHEAD} are needed. Import the earlier months.",
            months=len(known),
            needed=LEAST_HISTORY + AHEAD,
        )
    past = _Past(known, unit, incidents, inputs_at, area_km2 or {}, count, weight)
    ends = range(len(known) - AHEAD, LEAST_HISTORY - 1, -every)
    return _judged([past.year(end) for end in reversed(ends)], weight)


@dataclass(frozen=True)
class _Year:
    """What every method found, and which components with a weight were not known."""

    until: str
    rows: tuple[dict[str, object], ...]
    missing: Mapping[str, Reason]


@dataclass(frozen=True)
class _Past:
    known: pd.DataFrame
    unit: float | Callable[[date], float]
    incidents: pd.DataFrame | None
    inputs_at: Callable[[date], Inputs] | None
    area_km2: Mapping[str, float]
    count: int
    weight: Mapping[str, float]

    def year(self, end: int) -> _Year:
        """Choose from the months before row `end`, look at the twelve from there on."""
        until = pd.PeriodIndex(self.known.index)[end - 1]
        day = until.end_time.date()
        before = self.known.iloc[:end]
        inputs = self.inputs_at(day) if self.inputs_at else Inputs(incidents=self.incidents)
        unit = self.unit(day) if callable(self.unit) else self.unit
        found = components(before, as_of=day, unit=unit, inputs=inputs)
        ahead = self.known.iloc[end : end + AHEAD].sum(min_count=AHEAD)
        wards = sorted(ward for ward in found.ranked.index if not np.isnan(ahead[ward]))
        rows = []
        for method, score in self._scores(found):
            chosen = _top_share(score.reindex(wards), self.count)
            measured = self._measured(chosen, ahead.reindex(wards), end)
            named = {"until": str(until), "method": method, "count": min(self.count, len(wards))}
            rows.append({**named, "wards": len(wards), **measured})
        missing = {n: why for n, why in found.missing.items() if self.weight[n] > 0}
        return _Year(str(until), tuple(rows), missing)

    def _scores(self, found: Components) -> Iterator[tuple[str, pd.Series[float]]]:
        yield "smoothed_level", found.ranked["score"]
        weighted = [name for name, value in self.weight.items() if value]
        known = bool(found.points[weighted].notna().to_numpy().any())
        if _others(self.weight) and known:  # else `_judged` says that the year could not be tried
            yield "in_use", weighted_ranking(found, self.weight)["score"]
        yield "last_year", found.ranked["last12"]
        yield "three_year_mean", found.ranked["mean36"]

    def _measured(
        self, chosen: pd.Series[float], ahead: pd.Series[float], end: int
    ) -> dict[str, float]:
        happened = self._incidents(ahead, end)
        best = _top_share(ahead, self.count)
        most = float((_top_share(happened, self.count) * happened).sum())
        share = _ratio(float((chosen * happened).sum()), float(happened.sum()))
        any_harm = ahead.sum() > 0
        hits = float((chosen * best).sum() / best.sum()) if any_harm else float("nan")
        return {
            "hit_rate": hits,
            "pai": _ratio(share, self._area_share(chosen)),
            "pei": _ratio(float((chosen * happened).sum()), most),
            "harm_share": _ratio(float((chosen * ahead).sum()), float(ahead.sum())),
        }

    def _incidents(self, ahead: pd.Series[float], end: int) -> pd.Series[float]:
        if self.incidents is None:
            return ahead
        months = self.known.index[end : end + AHEAD]
        counted: pd.Series[float] = self.incidents.reindex(months)[list(ahead.index)].sum()
        return counted

    def _area_share(self, chosen: pd.Series[float]) -> float:
        area = pd.Series(self.area_km2, dtype=float).reindex(chosen.index)
        if area.isna().any():
            area = pd.Series(1.0, index=chosen.index)
        return _ratio(float((chosen * area).sum()), float(area.sum()))


def _top_share(score: pd.Series[float], count: int) -> pd.Series[float]:
    """Return 1 for the first K, 0 for the others, and what is left for those tied at the line."""
    values = score.round(9)
    if len(values) <= count:
        return pd.Series(1.0, index=score.index)
    line = values.nlargest(count).iloc[-1]
    above, tied = values > line, values == line
    return above.astype(float) + tied * ((count - above.sum()) / tied.sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def _others(weight: Mapping[str, float]) -> bool:
    return any(value > 0 for name, value in weight.items() if name != "smoothed_level")


def _judged(tried: Sequence[_Year], weight: Mapping[str, float]) -> Backtest:
    never = {name for name in tried[0].missing if all(name in year.missing for year in tried)}
    weights = {name: value for name, value in weight.items() if name not in never}
    rows = [row for year in tried for row in year.rows]
    found = {row["until"] for row in rows if row["hit_rate"] == row["hit_rate"]}
    whole = {year.until for year in tried if not year.missing.keys() - never}
    tested = whole & (found or whole) if _others(weights) else set()
    years = pd.DataFrame(
        [row for row in rows if row["method"] != "in_use" or row["until"] in tested]
    )
    counted = years[years["until"].isin(tested)] if tested else years
    methods = [method for method in METHODS if method in set(years["method"])]
    mean = counted.groupby("method")[list(MEASURES)].mean().reindex(methods)
    verdict = _verdict(mean, counted, asked=_others(weight))
    return Backtest(years, mean, verdict, _notes(tried, weight, never))


def _verdict(mean: pd.DataFrame, counted: pd.DataFrame, *, asked: bool) -> Reason:
    years = int(counted.loc[counted["hit_rate"].notna(), "until"].nunique())
    if not years:
        return Reason("nothing_to_find", {"years": int(counted["until"].nunique())})
    percent = {method: round(float(rate) * 100, 1) for method, rate in mean["hit_rate"].items()}
    level = percent["smoothed_level"]
    if "in_use" in percent:
        facts = {"in_use": percent["in_use"], "level": level, "years": years}
        return Reason("weights_lose" if percent["in_use"] < level else "weights_hold", facts)
    if asked:
        return Reason("weights_untried", {"level": level, "years": years})
    plain = {"last_year": percent["last_year"], "three_years": percent["three_year_mean"]}
    behind = max(plain.values()) - level > TOLERANCE * 100
    facts = {"level": level, **plain, "years": years}
    return Reason("level_behind" if behind else "level_holds", facts)


def _notes(
    tried: Sequence[_Year], weight: Mapping[str, float], never: Collection[str]
) -> tuple[Reason, ...]:
    """Say of every component with a weight that some past year lacks how often it was known."""
    lacking = {name: sum(name in year.missing for year in tried) for name in weight}
    return tuple(
        tried[-1].missing[name]
        if name in never
        else Reason(f"partly_{name}", {"known": len(tried) - years, "tried": len(tried)})
        for name, years in lacking.items()
        if years
    )
