"""What asks for attention in a watched hotspot: the forecast, and plain rules as second opinions.

The forecast leads: on past panels an alarm from its probability saw nearly all relapses beforehand
with two alarms for each, while a CUSUM saw 26 to 60 %. The plain rules are shown as notes, each
with the numbers to check it by hand. Counts are in incidents: the index divided by its unit.

=================  =====  ==========================================================================
code               level  reason and its facts
=================  =====  ==========================================================================
risk               red,   alarm_risk: p6, amber_from, red_from (as written, 30 %)
                   amber
cusum              note   alarm_cusum: since, months, observed, expected, cusum, limit,
                          false_alarm_every (months)
jump               note   alarm_jump: now, before, z, z_needed, month (the last of the three)
neighbour_hot      note   alarm_neighbour_hot: neighbour, month, level, threshold
inspection         note   alarm_inspection_overdue: inspected, or alarm_never_inspected: since_day;
                          months_since, allowed_months
=================  =====  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

import numpy as np
import pandas as pd

from hotspots.errors import CannotMeasure
from hotspots.measures.cusum import poisson_cusum
from hotspots.measures.levels import (
    Season,
    city_total,
    dispersion,
    known_months,
    season_and_drift,
)
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse import Risk, alarm
from hotspots.programme.acknowledgement import Acknowledgement, is_open
from hotspots.programme.months import Month, add_months, months_between
from hotspots.programme.plan import AlarmSettings, RelapseRule
from hotspots.programme.status import ALARM_LEVELS

JUMP_MONTHS: Final = 3
JUMP_FROM: Final = 3.0
"""z from which a rise is called a jump; see `jump` for how often that happens by chance."""

CUSUM_RATIO: Final = 1.5
"""The rise that the CUSUM is made to find: by half."""

FALSE_ALARM_EVERY: Final = 60
"""Months of one ward in which its CUSUM may sound once without any change, its mean being known.

Here the mean is read from the twelve months of the transformed year. In simulated Poisson wards of
1, 5 and 20 incidents a month it then sounded in 2.0, 2.3 and 2.1 % of the first year's months
(known mean: 1.1, 1.4 and 1.3; stated 1.7), that is once in 44 to 49."""

RECENT_MONTHS: Final = 3
"""So long an alarm of the CUSUM is shown: a quarter, the time between two tests of the rule."""

CODES: Final = ("risk", "cusum", "jump", "neighbour_hot", "inspection")

Level = Literal["red", "amber", "note"]


@dataclass(frozen=True)
class AlarmFinding:
    """One alarm of one watched hotspot.

    Attributes
    ----------
    hotspot : Hashable
    code : str
        One of `CODES`; a hotspot has at most one alarm of a code.
    level : str
        "red", "amber" or "note".
    reason : Reason
        Why, with its numbers.
    p6 : float
        The hotspot's probability of relapse within six months; NaN: not measured.
    seen : Acknowledgement or None
        The last time somebody acknowledged it.
    open : bool
        Whether it still asks for attention (`acknowledgement.is_open`).
    """

    hotspot: Hashable
    code: str
    level: Level
    reason: Reason
    p6: float = float("nan")
    seen: Acknowledgement | None = None
    open: bool = True


def find_alarms(
    watched: pd.DataFrame,
    risk: Risk | None,
    index: pd.DataFrame,
    rule: RelapseRule,
    as_of: date,
    *,
    settings: AlarmSettings | None = None,
    unit: float = 1.0,
    neighbours: Mapping[str, Collection[str]] | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[AlarmFinding, ...]:
    """Return all alarms of the watched hotspots, the most urgent first.

    Parameters
    ----------
    watched : pd.DataFrame
        One row per hotspot: `area` (ward code), `transformed_on` (date) and optionally
        `last_inspected_on` (date or missing; without the column no inspection is overdue).
    risk : Risk or None
        From `relapse.forward_risk` with the horizon 6; None where it cannot be measured.
    index : pd.DataFrame
        Months x wards of the whole city, severity-weighted (see `levels`); later months than
        `as_of` are not looked at.
    rule : RelapseRule
        Its window and threshold say when a neighbour is hot; a rule of growth has none, so
        neighbours are not looked at then.
    as_of : date
    settings : AlarmSettings, optional
        Of the programme; by default as measured.
    unit : float
        Index of one incident (`levels.effective_unit`).
    neighbours : Mapping of str to collection of str, optional
        By ward code the codes of the wards that touch it; without, neighbours are not looked at.
    names : Mapping of str to str, optional
        What to call a neighbour; by default its code.

    Returns
    -------
    tuple of AlarmFinding
        Red before amber before notes, then by p6 from the highest, hotspot and code. Where the
        counts do not suffice for a rule there is no finding by it.
    """
    settings = settings or AlarmSettings()
    found = [*_risk_alarms(risk, settings), *_inspections(watched, settings, as_of)]
    try:
        known = known_months(index, as_of)
    except CannotMeasure:
        known = pd.DataFrame()
    here = watched[watched["area"].isin(known.columns)]
    if len(here):
        found += _cusum_alarms(here, known, unit)
        found += _jump_alarms(here, known / unit)
        found += _neighbour_alarms(here, known, rule, neighbours or {}, names or {})
    p6 = risk.table["p6"].to_dict() if risk is not None else {}
    with_p6 = [replace(each, p6=float(p6.get(each.hotspot, np.nan))) for each in found]
    return tuple(sorted(with_p6, key=_urgency))


def _urgency(finding: AlarmFinding) -> tuple[int, float, str, int]:
    p6 = -1.0 if np.isnan(finding.p6) else finding.p6
    level = ALARM_LEVELS.index(finding.level)
    return -level, -p6, str(finding.hotspot), CODES.index(finding.code)


def with_acknowledgements(
    findings: Collection[AlarmFinding],
    seen: Mapping[Hashable, Mapping[str, Acknowledgement]],
    as_of: date,
) -> tuple[AlarmFinding, ...]:
    """Return the findings with who acknowledged them, the open ones first, else in their order.

    Parameters
    ----------
    findings : collection of AlarmFinding
        From `find_alarms`.
    seen : Mapping
        By hotspot what `acknowledgement.acknowledged` returns.
    as_of : date
    """
    known = [(each, seen.get(each.hotspot, {}).get(each.code)) for each in findings]
    told = [replace(each, seen=last, open=is_open(each.level, last, as_of)) for each, last in known]
    return tuple(sorted(told, key=lambda each: not each.open))


# -- the forecast


def _risk_alarms(risk: Risk | None, settings: AlarmSettings) -> Iterator[AlarmFinding]:
    if risk is None:
        return
    limits = {"amber_from": settings.amber, "red_from": settings.red}
    for hotspot, p6 in risk.table["p6"].items():
        level = "none" if np.isnan(p6) else alarm(float(p6), settings)
        if level != "none":
            yield AlarmFinding(hotspot, "risk", level, Reason("alarm_risk", {"p6": p6, **limits}))


# -- the CUSUM


def expected_counts(
    known: pd.DataFrame, watched: pd.DataFrame, season: Season, unit: float = 1.0
) -> pd.DataFrame:
    """Return what each hotspot would count in each month, had nothing changed since it was watched.

    The mean of the transformed year (the twelve months that end with the month of the
    transformation, season taken out) times the season of the month.

    Parameters
    ----------
    known : pd.DataFrame
        Months x wards, from `levels.known_months`.
    watched : pd.DataFrame
        `area`, `transformed_on` (date).
    season : Season
        Of the city (`levels.season_and_drift`).
    unit : float
        Index of one incident.

    Returns
    -------
    pd.DataFrame
        Months x hotspots, in incidents; NaN up to the transformation, and where the transformed
        year is not known in full.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=14, freq="M")
    >>> watched = pd.DataFrame({"area": ["1"], "transformed_on": date(2024, 12, 18)}, index=["H"])
    >>> flat = Season((1.0,) * 12, tet=1.0, drift=0.0, seasonal=False)
    >>> known = pd.DataFrame({"1": [3.0] * 12 + [9, 9]}, index=months)
    >>> expected_counts(known, watched, flat)["H"].tail(3).to_list()
    [nan, 3.0, 3.0]
    """
    months = pd.PeriodIndex(known.index)
    factors = pd.Series(season.factors_of(months), months)
    columns = {}
    for hotspot, area, day in zip(
        watched.index, watched["area"], watched["transformed_on"], strict=True
    ):
        last = pd.Period(pd.Timestamp(day), freq="M")
        year = (months > last - 12) & (months <= last)
        base = known.loc[year, area] / factors[year]
        mean = float(base.mean()) if base.notna().sum() == 12 else np.nan
        columns[hotspot] = (mean * factors / unit).where(months > last)
    return pd.DataFrame(columns, index=months)


def _cusum_alarms(
    watched: pd.DataFrame, known: pd.DataFrame, unit: float
) -> Iterator[AlarmFinding]:
    season = season_and_drift(city_total(known))
    expected = expected_counts(known, watched, season, unit)
    counts = (known[watched["area"]] / unit).set_axis(watched.index, axis=1)
    table = poisson_cusum(
        counts,
        expected,
        ratio=CUSUM_RATIO,
        false_alarm_every=FALSE_ALARM_EVERY,
        phi=dispersion(known, season, unit) / unit,
    )
    last = Month(known.index[-1].year, known.index[-1].month)
    for hotspot, row in table.iterrows():
        if row["last_alarm"] is not None and last - row["last_alarm"] < RECENT_MONTHS:
            facts: dict[str, float | str] = {
                "since": str(row["since"]),
                "months": int(row["run_months"]),
                "observed": float(row["observed"]),
                "expected": float(row["expected"]),
                "cusum": float(row["cusum"]),
                "limit": float(row["limit"]),
                "false_alarm_every": FALSE_ALARM_EVERY,
            }
            yield AlarmFinding(hotspot, "cusum", "note", Reason("alarm_cusum", facts))


# -- the jump


def jump(counts: pd.DataFrame) -> pd.DataFrame:
    """Compare the last three months with the same three months a year before.

    z = 2 (sqrt x1 - sqrt x0). A year before and not the three months before, because the season
    is then the same on both sides; what it costs is that 15 known months are needed and that a
    slow rise over the year counts too. The square root of a Poisson count has the variance 1/4, so
    z has the variance 2 (1 only if x0 were known without error): without any change z >= 3 comes
    up in 1.7 % of ward-months, and more often where counts vary more than a Poisson.

    Parameters
    ----------
    counts : pd.DataFrame
        Months (`pd.PeriodIndex`, M) x wards, in incidents.

    Returns
    -------
    pd.DataFrame
        By ward: `now`, `before`, `z` (NaN where a month is not known) and `jump` (bool, z >= 3).

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=15, freq="M")
    >>> jump(pd.DataFrame({"1": [3.0] * 12 + [12, 12, 12]}, index=months))
        now  before    z  jump
    1  36.0     9.0  6.0  True
    """
    months = pd.PeriodIndex(counts.index)
    recent = pd.period_range(end=months[-1], periods=JUMP_MONTHS, freq="M")
    now = counts.reindex(recent).sum(min_count=JUMP_MONTHS)
    before = counts.reindex(recent - 12).sum(min_count=JUMP_MONTHS)
    z = 2 * (np.sqrt(now) - np.sqrt(before))
    return pd.DataFrame({"now": now, "before": before, "z": z, "jump": z >= JUMP_FROM - 1e-9})


def _jump_alarms(watched: pd.DataFrame, counts: pd.DataFrame) -> Iterator[AlarmFinding]:
    table = jump(counts)
    month = str(counts.index[-1])
    for hotspot, area in watched["area"].items():
        if table.loc[area, "jump"]:
            now, before, z = (float(table[name][area]) for name in ("now", "before", "z"))
            facts: dict[str, float | str] = {"now": now, "before": before, "z": z}
            facts |= {"z_needed": JUMP_FROM, "month": month}
            yield AlarmFinding(hotspot, "jump", "note", Reason("alarm_jump", facts))


# -- the neighbours


def neighbour_newly_hot(
    windows: pd.DataFrame,
    neighbours: Mapping[str, Collection[str]],
    threshold: float | pd.Series[float],
) -> pd.DataFrame:
    """Return the wards that reached the threshold in the last quarter, next to which wards.

    Parameters
    ----------
    windows : pd.DataFrame
        Months (`pd.PeriodIndex`, M) x wards: index of the window that ends with the month.
    neighbours : Mapping of str to collection of str
        By ward code the codes of the wards that touch it.
    threshold : float or pd.Series
        That of a window; a series has one for each month.

    Returns
    -------
    pd.DataFrame
        `area`, `neighbour`, `month` (the first of the last three in which it reached the
        threshold), `window`, `threshold` (of that month); for each area the neighbour that is
        farthest above it first. A neighbour that was at the threshold in one of the twelve months
        before these three, or is not known in all fifteen, is not newly hot.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=15, freq="M")
    >>> windows = pd.DataFrame({"1": 5.0, "2": [5.0] * 13 + [11, 12], "3": 20.0}, index=months)
    >>> neighbour_newly_hot(windows, {"1": ["2", "3"]}, 10)
      area neighbour    month  window  threshold
    0    1         2  2025-02    11.0       10.0
    """
    columns = ["area", "neighbour", "month", "window", "threshold"]
    limits = pd.Series(threshold, windows.index, dtype=float)
    if len(windows) < 12 + RECENT_MONTHS:
        return pd.DataFrame(columns=columns)
    hot = windows.iloc[-12 - RECENT_MONTHS :]
    hot = hot.loc[:, hot.notna().all()]
    reached = hot.ge(limits[hot.index] * (1 - 1e-9), axis=0) & hot.gt(0)
    new = reached.iloc[12:].any() & ~reached.iloc[:12].any()
    first = reached.iloc[12:].idxmax()
    rows = [
        (area, other, first[other], windows[other][first[other]], limits[first[other]])
        for area, others in neighbours.items()
        for other in others
        if other in new.index and new[other]
    ]
    table = pd.DataFrame(rows, columns=columns)
    order = [table["area"], -(table["window"] / table["threshold"]), table["neighbour"]]
    return table.iloc[np.lexsort(order[::-1])].reset_index(drop=True) if len(table) else table


def _neighbour_alarms(
    watched: pd.DataFrame,
    known: pd.DataFrame,
    rule: RelapseRule,
    neighbours: Mapping[str, Collection[str]],
    names: Mapping[str, str],
) -> Iterator[AlarmFinding]:
    if not rule.has_threshold or not neighbours:
        return
    windows = known.rolling(rule.window_months).sum()
    threshold = (
        float(rule.threshold or np.nan)
        if rule.quantile is None
        else windows.quantile(rule.quantile, axis=1)
    )
    beside = {area: neighbours.get(area, ()) for area in watched["area"].unique()}
    table = neighbour_newly_hot(windows, beside, threshold).drop_duplicates("area")
    by_area = table.set_index("area")
    for hotspot, area in watched["area"].items():
        if area in by_area.index:
            code = str(by_area.loc[area, "neighbour"])
            facts: dict[str, float | str] = {
                "neighbour": names.get(code, code),
                "month": str(by_area.loc[area, "month"]),
                "level": float(by_area["window"][area]),
                "threshold": float(by_area["threshold"][area]),
            }
            yield AlarmFinding(
                hotspot, "neighbour_hot", "note", Reason("alarm_neighbour_hot", facts)
            )


# -- the inspection


def inspection_overdue(
    last_inspected_on: date | None, since: date, as_of: date, months: int
) -> Reason | None:
    """Return why an inspection is overdue, or None.

    Parameters
    ----------
    last_inspected_on : date or None
        An inspection before `since` does not count.
    since : date
        From when the hotspot is under watch.
    as_of : date
    months : int
        How long it may go without; the last day still belongs to it.

    Examples
    --------
    >>> since, day = date(2025, 1, 10), date(2025, 6, 1)
    >>> inspection_overdue(None, since, day, 3).code
    'alarm_never_inspected'
    >>> inspection_overdue(date(2025, 3, 1), since, day, 3) is None
    True
    """
    inspected = last_inspected_on is not None and last_inspected_on >= since
    start = last_inspected_on if inspected and last_inspected_on is not None else since
    if as_of <= add_months(start, months):
        return None
    facts: dict[str, float | str] = {
        "months_since": int(months_between(start, as_of)),
        "allowed_months": months,
    }
    if inspected:
        return Reason("alarm_inspection_overdue", {"inspected": start.isoformat(), **facts})
    return Reason("alarm_never_inspected", {"since_day": start.isoformat(), **facts})


def _inspections(
    watched: pd.DataFrame, settings: AlarmSettings, as_of: date
) -> Iterator[AlarmFinding]:
    if "last_inspected_on" not in watched:
        return
    for hotspot, since, last in zip(
        watched.index, watched["transformed_on"], watched["last_inspected_on"], strict=True
    ):
        inspected = None if pd.isna(last) else pd.Timestamp(last).date()
        overdue = inspection_overdue(
            inspected, pd.Timestamp(since).date(), as_of, settings.inspection_months
        )
        if overdue is not None:
            yield AlarmFinding(hotspot, "inspection", "note", overdue)
