"""The labelled past: who was under watch at each month end, what was known, and what came of it.

An *episode* is the time from a transformation to the relapse or to the end of the watch. The table
has one row per episode, the index without repeats, and the columns

==================  ===============================================================================
area                ward code
transformed_on      day of the transformation; the watch begins on it
relapsed_on         day of the relapse; missing = none (yet)
ended_on            last day it was followed, or would have been had it not relapsed; missing = no
                    end is known
==================  ===============================================================================

and optionally `hotspot` (which episodes belong to one hotspot; missing = one hotspot per area),
`threshold` (as in `relapse.forward_risk`) and `seen_until` (last day on which a relapse would have
been seen: counts end, or nobody had told of a later one yet; missing = the day asked about). It
comes from the log of official relapses, or from `emulate`, which runs the written rule over the
whole city's past.

A *case* is one episode seen from one month end, its origin: features as they were known on that
day, and for each horizon whether a relapse followed. The label is missing when the horizon passes
the end of the data **even if** a relapse is already seen: otherwise the youngest cases with a label
would be relapses only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from hotspots.errors import CannotMeasure
from hotspots.measures.levels import (
    Floats,
    city_total,
    dispersion,
    known_months,
    season_and_drift,
)
from hotspots.measures.relapse import TREND_LEAST_BEFORE, TREND_MONTHS, forward_risk
from hotspots.programme.months import Month, last_complete_month
from hotspots.programme.plan import RelapseRule

HORIZONS: Final = (3, 6, 12)
"""Months ahead that risk is told for."""

DESIGNATION_MONTHS: Final = (12,)
"""Months at whose end wards are designated: plans are made for a year."""

EPISODE_COLUMNS: Final = ("area", "transformed_on", "relapsed_on", "ended_on")


def emulate(
    index: pd.DataFrame,
    rule: RelapseRule,
    *,
    as_of: date,
    designated_in: Sequence[int] = DESIGNATION_MONTHS,
    watch_months: int | None = None,
) -> pd.DataFrame:
    """Return the episodes that the written rule would have made of the whole city's past.

    A ward is designated at the end of a year in which its window reaches the threshold, transformed
    at a later test month at which it does not, and relapsed at a later test month at which it does
    again; then it can be transformed again. Only what was known in a month decides about it: a
    quantile is taken over the windows of that month. A ward whose window is not known in full is
    neither designated nor tested.

    Parameters
    ----------
    index : pd.DataFrame
        Months x wards of the whole city (see `levels`), NaN = unknown; months after `as_of` are
        not looked at.
    rule : RelapseRule
        Window, threshold and test months. A rule of growth compares with the year of a
        transformation and names no level to designate at: it gives no episodes.
    as_of : date
        Nothing after the last month that was over on this day is used.
    designated_in : sequence of int
        Months of the year at whose end wards are designated.
    watch_months : int, optional
        Months a ward is watched after its transformation; then it is a ward like any other and
        may be designated again. By default the watch has no end.

    Returns
    -------
    pd.DataFrame
        Episodes, see the module; the index is ward and number, in the order of transformation.

    Examples
    --------
    >>> months = pd.period_range("2023-01", periods=30, freq="M")
    >>> index = pd.DataFrame({"26734": [10.0] * 12 + [2] * 12 + [20] * 6}, index=months)
    >>> rule = RelapseRule(12, quantile=None, threshold=100, test_months=(3, 6, 9, 12))
    >>> episodes = emulate(index, rule, as_of=date(2025, 6, 30))
    >>> episodes[["transformed_on", "relapsed_on"]].astype(str).values.tolist()
    [['2024-03-31', '2025-06-30']]
    """
    if not rule.has_threshold or index.empty:
        return _episodes([])
    known = index.loc[index.index <= _period(last_complete_month(as_of))].astype(float)
    windows = known.rolling(rule.window_months, min_periods=rule.window_months).sum()
    reached = _reached(windows, rule)
    rows = [
        row
        for area in known.columns
        for row in _episodes_of(
            str(area), windows[area], reached[area], rule, designated_in, watch_months
        )
    ]
    episodes = _episodes(rows)
    return episodes.assign(seen_until=_last_tested(windows, episodes["area"]))


def cases(
    index: pd.DataFrame,
    episodes: pd.DataFrame,
    rule: RelapseRule,
    *,
    as_of: date,
    horizons: Sequence[int] = HORIZONS,
    every: int = 1,
    draws: int = 400,
    seed: int = 0,
    unit: float | Callable[[date], float] = 1.0,
) -> pd.DataFrame:
    """Return every episode under watch at every month end, as known then, with what followed.

    Parameters
    ----------
    index : pd.DataFrame
        Months x wards of the whole city (see `levels`); months after `as_of` are not looked at.
    episodes : pd.DataFrame
        See the module; relapses after `as_of` are not looked at.
    rule : RelapseRule
        The written rule, for the simulation.
    as_of : date
        Labels are known up to the last month that was over on this day.
    horizons : sequence of int
        Months ahead.
    every : int
        Months from one origin to the next; counted from January of the year 0, so that the same
        origins are taken whatever `as_of` is. A step of 3 sees quarter ends only.
    draws, seed
        As in `relapse.forward_risk`.
    unit : float or callable
        As there; a callable is asked for the unit as it was known on the day of each origin.

    Returns
    -------
    pd.DataFrame
        One row per origin and episode, index 0, 1, ...: `hotspot` (or the area), `episode`,
        `area`, `origin` (last day of the month), `p3`, `p6`, ... (simulated), `level`,
        `threshold`, `share`, `months` (as in `Risk.table`), `trend` (last three months against
        the twelve before in standard errors, season taken out), `months_since` (whole months since
        the transformation), `relapsed_before` (relapses of the area until then); and not known at
        the origin: `relapsed_on` (day of the relapse, if seen by `as_of`), `y3`, `y6`, ... (1 or 0;
        NaN = not known). Month ends with too little history are left out.

    Examples
    --------
    >>> months = pd.period_range("2023-01", periods=30, freq="M")
    >>> index = pd.DataFrame({"26734": [10.0] * 12 + [2] * 12 + [20] * 6}, index=months)
    >>> rule = RelapseRule(12, quantile=None, threshold=100, test_months=(3, 6, 9, 12))
    >>> episodes = emulate(index, rule, as_of=date(2025, 6, 30))
    >>> past = cases(index, episodes, rule, as_of=date(2025, 6, 30), every=3)
    >>> past[["origin", "y3", "y6", "y12"]].astype(str).values.tolist()[-2:]
    [['2024-12-31', '0.0', '1.0', nan], ['2025-03-31', '1.0', nan, nan]]
    """
    watched = _dated(episodes)
    tables = [
        _seen_from(origin, index, watched, rule, horizons, draws, seed, _unit_on(unit, origin))
        for origin in _origins(watched, last_complete_month(as_of), every)
    ]
    seen = [table for table in tables if len(table)]
    if not seen:
        return _no_cases(horizons)
    rows = pd.concat(seen, ignore_index=True)
    return _labelled(rows, watched, horizons, last_complete_month(as_of))


def labelled(cases: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return the cases whose label for a horizon is known.

    >>> past = pd.DataFrame({"hotspot": ["a", "b"], "y3": [0.0, np.nan]})
    >>> labelled(past, 3)["hotspot"].to_list()
    ['a']
    """
    known: pd.DataFrame = cases.loc[cases[f"y{horizon}"].notna()]
    return known


def known_by(cases: pd.DataFrame, day: date) -> pd.DataFrame:
    """Return the cases up to a day with the labels that were known on it, the others missing.

    A label is known once its whole horizon is over.

    >>> past = pd.DataFrame({"origin": pd.to_datetime(["2024-12-31", "2025-03-31"]),
    ...                      "y3": [0.0, 1.0], "y6": [1.0, 1.0]})
    >>> known_by(past, date(2025, 3, 31))[["y3", "y6"]].values.tolist()
    [[0.0, nan], [nan, nan]]
    """
    at = pd.Timestamp(day)
    then = cases.loc[cases["origin"] <= at].copy()
    for horizon in label_horizons(cases):
        over = horizon_ends(then["origin"], horizon) <= at
        then[f"y{horizon}"] = then[f"y{horizon}"].where(over)
    return then


def label_horizons(cases: pd.DataFrame) -> list[int]:
    """Return the horizons that a table of cases has labels for, in order.

    >>> label_horizons(pd.DataFrame(columns=["p12", "y12", "y3", "year"]))
    [3, 12]
    """
    names = [str(name) for name in cases.columns]
    return sorted(int(name[1:]) for name in names if name[:1] == "y" and name[1:].isdigit())


def horizon_ends(origins: pd.Series[pd.Timestamp], horizon: int) -> pd.Series[pd.Timestamp]:
    """Return the last day of each horizon: the day from which its label is known.

    >>> horizon_ends(pd.Series(pd.to_datetime(["2024-11-30"])), 3).astype(str).to_list()
    ['2025-02-28']
    """
    return origins + pd.offsets.MonthEnd(horizon)


def _period(month: Month) -> pd.Period:
    return pd.Period(str(month), freq="M")


def _reached(windows: pd.DataFrame, rule: RelapseRule) -> pd.DataFrame:
    """Whether each window reaches its month's threshold, as `relapse.forward_risk` asks it."""
    if rule.quantile is None:
        thresholds = pd.Series(float(rule.threshold or 0), index=windows.index)
    else:
        thresholds = windows.quantile(rule.quantile, axis=1)
    return windows.ge(thresholds * (1 - 1e-9), axis=0) & windows.gt(0)


def _last_tested(windows: pd.DataFrame, areas: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    """Return the end of the last month in which an area's window is known."""
    last = {
        area: windows[area].last_valid_index().to_timestamp(how="end").normalize()
        for area in areas.unique()
    }
    return areas.map(last).astype("datetime64[us]")


def _episodes_of(
    area: str,
    windows: pd.Series[float],
    reached: pd.Series[bool],
    rule: RelapseRule,
    designated_in: Sequence[int],
    watch_months: int | None,
) -> Iterator[tuple[str, str, date, date | None, date | None]]:
    """Walk one ward through its months: free, designated, watched, designated again."""
    state, number, since = "free", 0, Month(1, 1)
    for period, known, high in zip(windows.index, windows.notna(), reached, strict=True):
        month = Month(period.year, period.month)
        tested = known and month.month in rule.test_months
        if state == "watched" and watch_months is not None and month > since + watch_months:
            yield _episode(area, number, since, None, watch_months)
            state = "free"
        if state == "watched" and tested and high:
            yield _episode(area, number, since, month, watch_months)
            state = "designated"
        elif state == "designated" and tested and not high:
            state, number, since = "watched", number + 1, month
        elif state == "free" and known and high and month.month in designated_in:
            state = "designated"
    if state == "watched":
        yield _episode(area, number, since, None, watch_months)


def _episode(
    area: str, number: int, since: Month, relapse: Month | None, watch_months: int | None
) -> tuple[str, str, date, date | None, date | None]:
    ended = None if watch_months is None else (since + watch_months).last_day
    relapsed = None if relapse is None else relapse.last_day
    return f"{area}-{number}", area, since.last_day, relapsed, ended


def _episodes(rows: list[tuple[str, str, date, date | None, date | None]]) -> pd.DataFrame:
    names = [row[0] for row in rows]
    table = pd.DataFrame(
        [row[1:] for row in rows], pd.Index(names, dtype=str), columns=EPISODE_COLUMNS
    ).astype({"area": str})
    for column in EPISODE_COLUMNS[1:]:
        table[column] = pd.to_datetime(table[column]).astype("datetime64[us]")
    return table.sort_values(["transformed_on", "area"], kind="stable")


def _dated(episodes: pd.DataFrame) -> pd.DataFrame:
    if not episodes.index.is_unique:
        raise ValueError("episodes repeats an index; give each episode one row.")
    dated = episodes.copy()
    if "seen_until" not in dated:
        dated["seen_until"] = pd.NaT
    for column in (*EPISODE_COLUMNS[1:], "seen_until"):
        dated[column] = pd.to_datetime(dated[column])
    if dated["transformed_on"].isna().any():
        raise ValueError("episodes needs the day of each transformation.")
    if "hotspot" not in dated:
        dated["hotspot"] = dated["area"]
    return dated


def _origins(episodes: pd.DataFrame, end: Month, every: int) -> Iterator[Month]:
    if every < 1:
        raise ValueError(f"every is a number of months, 1 or more, not {every}.")
    if episodes.empty:
        return
    first = Month.of(episodes["transformed_on"].min().date())
    for ahead in range(end - first + 1):
        month = first + ahead
        if (month.year * 12 + month.month) % every == 0:
            yield month


def under_watch(episodes: pd.DataFrame, day: date) -> pd.DataFrame:
    """Return the episodes that had begun on a day and were not over: relapsed, or watched out.

    >>> episodes = pd.DataFrame(
    ...     {"area": ["26734", "26737"], "transformed_on": pd.to_datetime("2024-03-31"),
    ...      "relapsed_on": pd.to_datetime(["2024-06-30", None]), "ended_on": pd.NaT})
    >>> [len(under_watch(episodes, date(2024, month, 30))) for month in (1, 4, 6)]
    [0, 2, 1]
    """
    at = pd.Timestamp(day)
    over = episodes[["relapsed_on", "ended_on"]].apply(pd.to_datetime).le(at).any(axis=1)
    watched: pd.DataFrame = episodes.loc[
        (pd.to_datetime(episodes["transformed_on"]) <= at).to_numpy() & ~over.to_numpy()
    ]
    return watched


def _unit_on(unit: float | Callable[[date], float], origin: Month) -> float:
    return unit(origin.last_day) if callable(unit) else unit


def _seen_from(
    origin: Month,
    index: pd.DataFrame,
    episodes: pd.DataFrame,
    rule: RelapseRule,
    horizons: Sequence[int],
    draws: int,
    seed: int,
    unit: float,
) -> pd.DataFrame:
    day = origin.last_day
    try:
        known = known_months(index, day)
    except CannotMeasure:
        return pd.DataFrame()
    watched = under_watch(episodes, day)
    watched = watched.loc[watched["area"].isin(known.columns)]
    if watched.empty:
        return pd.DataFrame()
    risk = forward_risk(
        index, watched, rule, as_of=day, horizons=horizons, draws=draws, seed=seed, unit=unit
    )
    measured = risk.table[f"p{horizons[0]}"].notna()  # a rule of growth needs the year before
    watched, simulated = watched.loc[measured], risk.table.loc[measured]
    table = features(known, watched, episodes, simulated, day, unit=unit)
    table.insert(0, "hotspot", watched["hotspot"])
    table.insert(1, "episode", watched.index)
    return table


def features(
    known: pd.DataFrame,
    watched: pd.DataFrame,
    episodes: pd.DataFrame,
    simulated: pd.DataFrame,
    day: date,
    *,
    unit: float = 1.0,
) -> pd.DataFrame:
    """Return what a fitted model may know of each watched hotspot on a day.

    Parameters
    ----------
    known : pd.DataFrame
        From `levels.known_months` on that day.
    watched : pd.DataFrame
        As given to `relapse.forward_risk`.
    episodes : pd.DataFrame
        The past, for earlier relapses of the same area.
    simulated : pd.DataFrame
        `Risk.table` of the same hotspots.
    day : date
        Relapses after it are not looked at.
    unit : float
        Index of one incident for the noise.

    Returns
    -------
    pd.DataFrame
        The index of `watched`: `area`, `origin`, the simulated probabilities, `level`,
        `threshold`, `share`, `months`, `trend`, `months_since`, `relapsed_before`; see `cases`.
    """
    month = Month.of(day) if Month.of(day).last_day == day else Month.of(day) + -1
    probabilities = [name for name in simulated if str(name)[:1] == "p" and str(name)[1:].isdigit()]
    table = simulated[["area", *probabilities, "level", "threshold", "share", "months"]].copy()
    table["trend"] = _trends(known, unit).reindex(table["area"]).to_numpy()
    since = pd.to_datetime(watched["transformed_on"])
    months = (month.year - since.dt.year) * 12 + month.month - since.dt.month
    table["months_since"] = months.clip(lower=0).astype(float)
    table["relapsed_before"] = _relapses_before(table["area"], episodes, day)
    table.insert(1, "origin", pd.Timestamp(month.last_day))
    return table


def _relapses_before(areas: pd.Series[str], episodes: pd.DataFrame, day: date) -> pd.Series[float]:
    relapses = pd.to_datetime(episodes["relapsed_on"]) <= pd.Timestamp(day)
    past = episodes.loc[relapses, "area"].value_counts()
    return areas.map(past).astype(float).fillna(0.0)


def _trends(known: pd.DataFrame, unit: float) -> pd.Series[float]:
    """Last three months against the twelve before in standard errors; 0 if too few are known."""
    season = season_and_drift(city_total(known))
    phi = dispersion(known, season, unit)
    factors = season.factors_of(pd.PeriodIndex(known.index))
    index = known.div(factors, axis=0).iloc[-TREND_MONTHS - 12 :]
    recent, earlier = index.iloc[-TREND_MONTHS:].mean(), index.iloc[:-TREND_MONTHS]
    before, months_before = earlier.mean(), earlier.count()
    share = 1 / TREND_MONTHS + 1 / months_before.clip(lower=1)
    noise = np.sqrt(phi * before.clip(lower=unit / 24) * share)
    trends: pd.Series[float] = (recent - before) / noise
    return trends.where(months_before >= TREND_LEAST_BEFORE, 0.0)


def _labelled(
    rows: pd.DataFrame, episodes: pd.DataFrame, horizons: Sequence[int], end: Month
) -> pd.DataFrame:
    table = rows.copy()
    day = pd.Timestamp(end.last_day)
    relapsed = table["episode"].map(episodes["relapsed_on"]).astype("datetime64[us]")
    relapsed = relapsed.where(relapsed <= day)
    table["relapsed_on"] = relapsed
    ended = table["episode"].map(episodes["ended_on"])
    last = ended.where(ended <= day, day)
    seen = table["episode"].map(episodes["seen_until"])
    last = seen.where(seen <= last, last)
    for horizon in horizons:
        until = horizon_ends(table["origin"], horizon)
        label = (relapsed <= until).astype(float)
        table[f"y{horizon}"] = label.where(until <= last)
    return table


def _no_cases(horizons: Sequence[int]) -> pd.DataFrame:
    names = ["hotspot", "episode", "area", "origin", *(f"p{each}" for each in horizons)]
    names += ["level", "threshold", "share", "months", "trend", "months_since", "relapsed_before"]
    names += ["relapsed_on"]
    empty = pd.DataFrame({name: pd.Series(dtype=float) for name in names})
    for horizon in horizons:
        empty[f"y{horizon}"] = pd.Series(dtype=float)
    return empty.astype(
        {
            "hotspot": str,
            "episode": str,
            "area": str,
            "origin": "datetime64[us]",
            "relapsed_on": "datetime64[us]",
        }
    )


def log_odds(probability: pd.Series[float] | Floats, least: float = 1e-3) -> Floats:
    """Return log odds, of probabilities clipped to what a few hundred futures can tell.

    >>> log_odds(np.array([0.5, 0.0])).round(2).tolist()
    [0.0, -6.91]
    """
    clipped = np.clip(np.asarray(probability, dtype=float), least, 1 - least)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds
