"""Both targets on a day, in every reading, by group, and how the year is likely to end.

`outlook` puts the measures in order. It is given the hotspots' states on any day and a forecast,
and looks at nothing after its own day: past years are seen as they stood on the same day of the
year and ended before it.

What may fail, and how probable that is: a hotspot under watch relapses when the forecast meets the
programme's relapse rule at one of the year's tests; one still open is not transformed when at the
year's end the same threshold is reached; a relapse rule of growth has none, so then that cannot be
measured. Both are calibrated on past years (`projection`). A
hotspot whose watch is over counts as kept, and those transformed later this year are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from hotspots.measures.projection import PastYear, Projection, project
from hotspots.measures.survival import Survival, survival
from hotspots.measures.targets import (
    TargetResult,
    cohort_non_relapse,
    non_relapse_share,
    transformed_share,
)
from hotspots.programme.months import Month, add_months, last_complete_month
from hotspots.programme.plan import Programme, RelapseRule
from hotspots.programme.status import Enrolment, HotspotState, Watch

StatesOn = Callable[[date], Mapping[str, HotspotState]]
Forecast = Callable[[Iterable[HotspotState], date, RelapseRule, int], Mapping[str, float]]
"""Hotspots, a day, a rule and months ahead -> by hotspot the probability that its ward meets the
rule within these months; NaN where that cannot be measured."""

GROUPINGS: Final = ("kind", "listing", "region")
"""By kind of problem (one with several counts in each), newly listed or carried over, and by region
where the programme has regions."""

NO_KIND: Final = "none"
NO_REGION: Final = "none"
LONG_HORIZON: Final = 24
_DECEMBER: Final = 12
_MOST_PAST_YEARS: Final = 10


@dataclass(frozen=True)
class GroupShares:
    """Both targets of one group of hotspots.

    Attributes
    ----------
    grouping : str
        One of `GROUPINGS`.
    group : str
        The number of the kind or `none`; `new` or `carried_over`; the region's code or `none`.
    plan_year : int or None
        None: all plan years together.
    transformed, not_relapsed : TargetResult
        The non-relapse share of one year is the cohort's, that of all years the official one.
    """

    grouping: str
    group: str
    plan_year: int | None
    transformed: TargetResult
    not_relapsed: TargetResult


@dataclass(frozen=True)
class Outlook:
    """Both targets as far as the day can tell.

    Attributes
    ----------
    official : TargetResult
        Non-relapse: of all hotspots recognised as transformed.
    cohort_year : int or None
        The plan year that the cohort reading speaks of: the latest whose following year has begun,
        else the latest; None before the first transformation.
    cohort : TargetResult or None
    survival, survival_long : Survival
        The censoring-aware reading after 12 and after 24 months.
    transformed_end : Projection or None
        The latest plan's transformed share at the end of its year; None once that is over, or
        with a relapse rule of growth, which has no threshold.
    official_end, cohort_end : Projection or None
        Both readings on 31 December of the day's year; the cohort's only where it is judged then.
    groups : tuple of GroupShares
        Every group of every plan year, and of all together.
    """

    as_of: date
    official: TargetResult
    cohort_year: int | None
    cohort: TargetResult | None
    survival: Survival
    survival_long: Survival
    transformed_end: Projection | None
    official_end: Projection | None
    cohort_end: Projection | None
    groups: tuple[GroupShares, ...]

    def groups_of(self, grouping: str, plan_year: int | None) -> tuple[GroupShares, ...]:
        """Return the groups of one plan year, or of all together."""
        return tuple(
            each for each in self.groups if (each.grouping, each.plan_year) == (grouping, plan_year)
        )

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The projections there are, the transformed share first."""
        found = (self.transformed_end, self.official_end, self.cohort_end)
        return tuple(each for each in found if each is not None)


def outlook(
    programme: Programme,
    states_on: StatesOn,
    as_of: date,
    forecast: Forecast,
    regions: Mapping[str, str] | None = None,
) -> Outlook:
    """Return both targets in every reading, by group, and how the year is likely to end.

    Parameters
    ----------
    programme : Programme
    states_on : callable
        The hotspots' states on a day; never asked about a day after `as_of`.
    as_of : date
    forecast : callable
        See `Forecast`; never asked about a day after `as_of`.
    regions : mapping of str to str, optional
        Code of the region of each hotspot; one that is not in it is of none.
    """
    states = states_on(as_of)
    watches = [watch for state in states.values() for watch in state.watches]
    target, months = programme.targets.not_relapsed, programme.watch_months
    official = non_relapse_share(states.values(), as_of, target, months)
    year = _cohort_year(watches, as_of)
    cohort = None if year is None else cohort_non_relapse(states.values(), year, as_of, target)
    risk = _relapses(programme, states_on, as_of, forecast)
    judged_now = year is not None and year + 1 == as_of.year
    return Outlook(
        as_of=as_of,
        official=official,
        cohort_year=year,
        cohort=cohort,
        survival=survival(watches, as_of, target),
        survival_long=survival(watches, as_of, target, horizon=LONG_HORIZON),
        transformed_end=_transformed_end(programme, states_on, as_of, forecast),
        official_end=_relapse_end(official, watches, as_of, risk),
        cohort_end=_relapse_end(cohort, [w for w in watches if w.plan_year == year], as_of, risk)
        if cohort is not None and judged_now
        else None,
        groups=tuple(_groups(states.values(), programme, as_of, regions or {})),
    )


# -- groups


def _groups(
    states: Iterable[HotspotState],
    programme: Programme,
    as_of: date,
    regions: Mapping[str, str],
) -> Iterable[GroupShares]:
    everybody = list(states)
    years = sorted({each.plan_year for state in everybody for each in state.enrolments})
    targets = programme.targets
    groups_of: dict[str, GroupsOf] = {"kind": _kinds, "listing": _listing}
    if programme.regions:
        groups_of["region"] = lambda state, _: [regions.get(state.hotspot, NO_REGION)]
    for grouping, of_state in groups_of.items():
        for group, members in _split(everybody, of_state).items():
            for year in (*years, None):
                done = transformed_share(members, year, targets.transformed)
                kept = (
                    non_relapse_share(members, as_of, targets.not_relapsed, programme.watch_months)
                    if year is None
                    else cohort_non_relapse(members, year, as_of, targets.not_relapsed)
                )
                if done.denominator or kept.denominator:
                    yield GroupShares(grouping, group, year, done, kept)


GroupsOf = Callable[[HotspotState, Enrolment], list[str]]


def _split(states: Iterable[HotspotState], groups_of: GroupsOf) -> dict[str, list[HotspotState]]:
    """Return each group's hotspots, with those of their years and watches that belong to it."""
    parts: dict[str, list[HotspotState]] = {}
    for state in states:
        for group in sorted({g for each in state.enrolments for g in groups_of(state, each)}):
            years = {each.plan_year for each in state.enrolments if group in groups_of(state, each)}
            part = replace(
                state,
                enrolments=tuple(each for each in state.enrolments if each.plan_year in years),
                watches=tuple(watch for watch in state.watches if watch.plan_year in years),
            )
            parts.setdefault(group, []).append(part)
    return dict(sorted(parts.items()))


def _kinds(state: HotspotState, _: Enrolment) -> list[str]:
    kinds = state.place.kinds if state.place is not None else frozenset()
    return [str(kind) for kind in kinds] or [NO_KIND]


def _listing(_: HotspotState, enrolment: Enrolment) -> list[str]:
    return ["carried_over" if enrolment.carried_over else "new"]


# -- the year's end


@dataclass(frozen=True)
class _Relapses:
    """The probability of a relapse by the end of the year, by hotspot under watch."""

    now: Mapping[str, float]
    past: tuple[PastYear, ...]


def _relapses(
    programme: Programme, states_on: StatesOn, as_of: date, forecast: Forecast
) -> _Relapses:
    def seen(day: date) -> Mapping[str, float]:
        watched = [s for s in states_on(day).values() if s.under_watch(programme.watch_months)]
        return _asked(forecast, watched, day, programme.relapse)

    past = []
    for day in _same_day_before(as_of):
        probabilities = seen(day)
        ended = states_on(date(day.year, _DECEMBER, 31))
        failed = {name for name in probabilities if _relapsed_after(ended[name], day)}
        if probabilities:
            past.append(PastYear(day.year, probabilities, frozenset(failed)))
    return _Relapses(seen(as_of), tuple(past))


def _relapsed_after(state: HotspotState, day: date) -> bool:
    return any(watch.relapsed_on is not None and watch.relapsed_on > day for watch in state.watches)


def _relapse_end(
    result: TargetResult, watches: Iterable[Watch], as_of: date, risk: _Relapses
) -> Projection | None:
    """Project a non-relapse reading to the end of the day's year."""
    running = {watch.hotspot for watch in watches if watch.relapsed_on is None}
    return project(
        result.reading,
        result.target,
        date(as_of.year, _DECEMBER, 31),
        whole=result.denominator,
        failed=result.count("relapsed"),
        probabilities={name: p for name, p in risk.now.items() if name in running},
        past=risk.past,
    )


def _transformed_end(
    programme: Programme, states_on: StatesOn, as_of: date, forecast: Forecast
) -> Projection | None:
    """Project the latest plan's transformed share to the end of its year.

    None once that is over, and where the relapse rule has no threshold to measure an area by that
    was never transformed.

    Past plans count with how they ended by now: an assessment may be written in the new year.
    """
    states = states_on(as_of)
    year = max((e.plan_year for state in states.values() for e in state.enrolments), default=None)
    if year is None or year < as_of.year or not programme.relapse.has_threshold:
        return None
    at_the_end = replace(programme.relapse, test_months=(_DECEMBER,))

    def seen(day: date, plan_year: int) -> Mapping[str, float]:
        still = [s for s in states_on(day).values() if _outcome(s, plan_year) == "open"]
        return _asked(forecast, still, day, at_the_end)

    past = []
    for day in _same_day_before(as_of):
        ended = {name: _outcome(state, day.year) for name, state in states.items()}
        known = {
            name: p
            for name, p in seen(day, day.year).items()
            if ended.get(name) in ("transformed", "not_transformed")
        }
        failed = {name for name in known if ended[name] == "not_transformed"}
        if known:
            past.append(PastYear(day.year, known, frozenset(failed)))
    result = transformed_share(states.values(), year, programme.targets.transformed)
    return project(
        "transformed",
        result.target,
        date(year, _DECEMBER, 31),
        whole=result.denominator,
        failed=result.count("not_transformed"),
        probabilities=seen(as_of, year),
        past=past,
    )


def _outcome(state: HotspotState, plan_year: int) -> str | None:
    found = [each.outcome for each in state.enrolments if each.plan_year == plan_year]
    return found[-1] if found else None


def _asked(
    forecast: Forecast, hotspots: list[HotspotState], day: date, rule: RelapseRule
) -> Mapping[str, float]:
    """Ask the forecast about the months from a day to the end of its year."""
    months = Month(day.year, _DECEMBER) - last_complete_month(day)
    return forecast(hotspots, day, rule, months) if hotspots and months else {}


def _same_day_before(as_of: date) -> list[date]:
    """Return the same day of the years before, the oldest first; a month's end stays one."""
    days = [add_months(as_of, -12 * back) for back in range(_MOST_PAST_YEARS, 0, -1)]
    if Month.of(as_of).last_day != as_of:
        return days
    return [Month.of(day).last_day for day in days]


def _cohort_year(watches: Iterable[Watch], as_of: date) -> int | None:
    years = {watch.plan_year for watch in watches}
    return max((y for y in years if y < as_of.year), default=max(years, default=None))
