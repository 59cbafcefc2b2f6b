"""The watch over transformed hotspots: their risk as it may be shown, alarms, and the model's past.

The measures know one table of counts. Here every hotspot is put on the edition its ward stands on,
the record is turned into the labelled past, and what several editions say is put together.

A hotspot is measured on the ward it was designated on. Where that ward's territory lives on
unchanged under a newer code it is measured there, with the newer counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Final

import pandas as pd
from threadpoolctl import threadpool_limits

from hotspots.editions import Editions
from hotspots.errors import CannotMeasure, HotspotsError, NotFound
from hotspots.measures.alarms import AlarmFinding, find_alarms, with_acknowledgements
from hotspots.measures.effect import safety_margin
from hotspots.measures.feedback import feedback_difference
from hotspots.measures.levels import known_months
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse import Risk, forward_risk
from hotspots.measures.relapse_backtest import Backtest, backtest
from hotspots.measures.relapse_cases import HORIZONS, cases, emulate
from hotspots.measures.relapse_ladder import (
    CalibratedRisk,
    Past,
    Source,
    calibrated_risk,
    within_watch,
)
from hotspots.programme.acknowledgement import acknowledged
from hotspots.programme.months import add_months, last_complete_month
from hotspots.programme.plan import Programme, RelapseRule
from hotspots.programme.status import (
    Event,
    EventType,
    HotspotState,
    Place,
    allowed_events,
)
from hotspots.records.store import Edition
from hotspots.snapshot import Snapshot

LEAST_KNOWN_WARDS: Final = 0.5
"""A quantile over fewer wards of an edition than this would be another threshold."""

PAST_EVERY: Final = 2
"""Months between the days of the past that are looked at; not 3, see `labelled_past`."""

PAST_DRAWS: Final = 400


@dataclass(frozen=True)
class RiskSources:
    """Where the numbers come from.

    Attributes
    ----------
    index : callable
        Severity-weighted months x wards index of an edition up to a day.
    index_without_police : callable
        The same without what the police found themselves; None where no source is on record.
    police_share : callable
        By ward the share of the last 12 months' incidents that the police found themselves.
    unit : callable
        Weight of the typical incident.
    keep : callable
        Answers a key from memory, or by the work given.
    """

    boundaries: Editions
    index: Callable[[date, Edition], pd.DataFrame]
    index_without_police: Callable[[date, Edition], pd.DataFrame | None]
    police_share: Callable[[date, Edition], pd.Series[float]]
    unit: Callable[[date, Edition], float]
    keep: Callable[[object, Callable[[], Any]], Any]


@dataclass(frozen=True)
class WatchedRisk:
    """The risk of all watched hotspots, whatever edition they stand on.

    Attributes
    ----------
    risk : Risk or None
        In the order of the hotspots; None when nothing was measured, `problem` says why; also when
        nobody is watched. Probabilities are those in force, NaN where they may not be shown.
    calibrated : dict of str to CalibratedRisk
        By edition.
    not_measured : dict of str to HotspotsError
        Hotspots whose own counts do not suffice, with the reason.
    """

    risk: Risk | None
    problem: HotspotsError | None
    calibrated: Mapping[str, CalibratedRisk]
    not_measured: Mapping[str, HotspotsError]


@dataclass(frozen=True)
class AlarmBoard:
    """What asks for attention on a day.

    Attributes
    ----------
    findings : tuple of AlarmFinding
        The open ones first, then the most urgent.
    feedback : DataFrame or None
        See `measures.feedback.feedback_difference`; None where no source of counts is on record.
    feedback_reasons : mapping of hotspot to Reason
    """

    as_of: date
    findings: tuple[AlarmFinding, ...]
    feedback: pd.DataFrame | None
    feedback_reasons: Mapping[Hashable, Reason]

    def of(self, hotspot: str) -> tuple[AlarmFinding, ...]:
        """Return the alarms of one hotspot."""
        return tuple(each for each in self.findings if each.hotspot == hotspot)


@dataclass(frozen=True)
class ModelCard:
    """How far the probabilities of an edition are to be trusted, and why.

    Attributes
    ----------
    edition : str
        The boundaries that most watched hotspots stand on.
    past : Past
        The cases behind it, on record and as the written rule would have made them.
    tested : mapping of str to Backtest
        By source; both where both have a label.
    standing : CalibratedRisk or None
        The rung in force; None where nobody is watched.
    """

    edition: str
    as_of: date
    past: Past
    tested: Mapping[Source, Backtest]
    standing: CalibratedRisk | None

    @property
    def judged(self) -> Backtest:
        """The backtest of the past in force at the alarms' horizon."""
        return self.tested[self.past.source(6)]


@dataclass(frozen=True)
class Assessment:
    """What to know beside an assessment *transformed*: is it safely below, or would it have been?

    Attributes
    ----------
    plan_year : int or None
        The year whose list it was made for.
    on : date
        The day of the assessment, or the day asked about if there was none.
    months : int
        Of the relapse rule's window.
    window, threshold : float
        Severity points of the last window known on that day, and the rule's threshold then.
    below : float
        Probability that the true level lay below the threshold.
    since : date
        The designation.
    anyway : float
        Probability, as seen on the day of the designation, that the window would lie below the
        threshold after so many months (`after`, 12 at most) had nothing been done; NaN: the counts
        of that time do not suffice.
    """

    hotspot: str
    plan_year: int | None
    on: date
    months: int
    window: float
    threshold: float
    below: float
    since: date
    after: int
    anyway: float


class RelapseWatch:
    """Measures the watched hotspots of one store."""

    def __init__(self, programme: Programme, sources: RiskSources) -> None:
        self._programme = programme
        self._sources = sources

    # -- risk

    def risk(
        self, states: Mapping[str, HotspotState], as_of: date, known_on: datetime | None
    ) -> WatchedRisk:
        """Measure every watched hotspot, as it may be shown."""
        watched = watched_hotspots(states, self._programme.watch_months)
        if watched.empty:
            return WatchedRisk(None, None, {}, {})
        found: dict[str, CalibratedRisk] = {}
        problems: dict[str, HotspotsError] = {}
        here = self._on_unchanged_wards(watched, self._sources.boundaries.near(as_of).edition)
        for name, group in here.groupby("edition"):
            try:
                counts = self._counts(str(name), as_of)
                measurable, missing = _measurable(group, counts)
                problems |= missing
                if len(measurable):
                    with threadpool_limits(limits=1):  # many small fits: threads only wait
                        risk = self._calibrated(measurable, counts, states, as_of, known_on)
                    problems |= _without_base(risk)
                    found[str(name)] = risk
            except (CannotMeasure, NotFound) as error:
                problems |= dict.fromkeys(map(str, group.index), error)
        return _together(watched, found, problems)

    def forecast(
        self, states: Iterable[HotspotState], as_of: date, rule: RelapseRule, months: int
    ) -> dict[str, float]:
        """Return by hotspot the simulated probability that its ward meets a rule within months."""
        rows = {s.hotspot: _since(s, as_of) for s in states if s.place}
        columns = ["area", "edition", "transformed_on"]
        wards = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        found = dict.fromkeys(rows, float("nan"))
        here = self._on_unchanged_wards(wards, self._sources.boundaries.near(as_of).edition)
        for name, group in here.groupby("edition"):
            try:
                counts = self._counts(str(name), as_of)
                measurable, _ = _measurable(group, counts)
                risk = counts.forward(measurable, rule, (months,))
            except (CannotMeasure, NotFound):
                continue
            found |= {str(name): float(p) for name, p in risk.table[f"p{months}"].items()}
        return found

    def _calibrated(
        self,
        watched: pd.DataFrame,
        counts: _Counts,
        states: Mapping[str, HotspotState],
        as_of: date,
        known_on: datetime | None,
        rule: RelapseRule | None = None,
    ) -> CalibratedRisk:
        past = self.past(states, counts.edition, as_of, known_on)
        return calibrated_risk(
            counts.index,
            watched,
            rule or self._programme.relapse,
            as_of=as_of,
            recorded=self._on_record(states, as_of, known_on).get(counts.edition),
            watch_months=self._programme.watch_months,
            past=past,
            unit=counts.unit,
        )

    def _counts(self, edition: str, as_of: date) -> _Counts:
        """Return the counts of an edition on a day, if enough of it is known."""
        boundaries = self._sources.boundaries.named(edition)
        index = self._sources.index(as_of, boundaries)
        known = frozenset(str(ward) for ward in known_months(index, as_of).columns)
        if len(known) < len(index.columns) * LEAST_KNOWN_WARDS:
            raise CannotMeasure(
                "edition_mostly_unknown",
                f"On the boundaries of {edition} the counts of only {len(known)} of "
                f"{len(index.columns)} wards are known up to {as_of}: newer counts stand on "
                "newer wards and cannot be divided back.",
                edition=edition,
                known=len(known),
                count=len(index.columns),
            )
        return _Counts(edition, as_of, index, self._sources.unit(as_of, boundaries), known)

    def _on_unchanged_wards(self, watched: pd.DataFrame, edition: str) -> pd.DataFrame:
        """Name a watched ward as the newer edition does, where its territory is the same."""
        rows = watched.copy()
        for hotspot, area, own in zip(
            watched.index, watched["area"], watched["edition"], strict=True
        ):
            same = self._sources.boundaries.unchanged(area, own, edition)
            if same is not None:
                rows.loc[hotspot, ["area", "edition"]] = same, edition
        return rows

    # -- the labelled past

    def past(
        self,
        states: Mapping[str, HotspotState],
        edition: str,
        as_of: date,
        known_on: datetime | None,
    ) -> Past:
        """Return the cases on record, of all editions, and those the written rule would have made.

        What is on record is seen on the counts of the edition it was recorded on, while they were
        known; the emulated past is that of `edition`.
        """

        def work() -> Past:
            record = self._on_record(states, as_of, known_on)
            seen = [self._cases(name, rows, as_of) for name, rows in sorted(record.items())]
            by_rule = self._cases_by_rule(edition, as_of)
            return Past(pd.concat(seen, ignore_index=True) if seen else by_rule.iloc[:0], by_rule)

        key = ("past", edition, last_complete_month(as_of), as_of, known_on)
        return self._sources.keep(key, work)  # type: ignore[no-any-return]

    def tested(
        self, past: Past, edition: str, as_of: date, known_on: datetime | None
    ) -> Mapping[Source, Backtest]:
        """Return every model on the store's own past."""
        wanted = {past.source(horizon) for horizon in HORIZONS}
        tables: dict[Source, pd.DataFrame] = {
            "recorded": past.recorded, "emulated": past.emulated,
        }  # fmt: skip
        keys: dict[Source, tuple[object, ...]] = {
            "recorded": ("tested", edition, as_of, known_on),
            "emulated": ("tested by the rule", edition, as_of),
        }
        return {
            each: self._sources.keep(keys[each], partial(self._tested, table))
            for each, table in tables.items()
            if each in wanted or len(table)
        }

    def _tested(self, table: pd.DataFrame) -> Backtest:
        with threadpool_limits(limits=1):
            return backtest(table, settings=self._programme.alarms)

    def _cases_by_rule(self, edition: str, as_of: date) -> pd.DataFrame:
        return self._sources.keep(  # type: ignore[no-any-return]
            ("cases by the rule", edition, as_of), lambda: self._cases(edition, None, as_of)
        )

    def _cases(self, edition: str, episodes: pd.DataFrame | None, as_of: date) -> pd.DataFrame:
        """Return the cases of episodes on an edition, or of the written rule's own."""
        boundaries = self._sources.boundaries.named(edition)
        rule, months = self._programme.relapse, self._programme.watch_months
        try:
            index = self._sources.index(as_of, boundaries)
        except CannotMeasure:
            index = pd.DataFrame(index=pd.PeriodIndex([], freq="M"))
        if episodes is None:
            episodes = emulate(index, rule, as_of=as_of)
        seen = cases(
            index,
            episodes[episodes["area"].isin(index.columns)],
            rule,
            as_of=as_of,
            every=PAST_EVERY,
            draws=PAST_DRAWS,
            unit=lambda day: self._sources.unit(day, boundaries),
        )
        return within_watch(seen, months)

    def _on_record(
        self, states: Mapping[str, HotspotState], as_of: date, known_on: datetime | None
    ) -> dict[str, pd.DataFrame]:
        """Return the recorded episodes by edition, see `relapse_cases`.

        Up to a day, and as far as they were known: what was not yet told is not "no relapse".
        """
        told = as_of if known_on is None else min(as_of, known_on.date())
        today = self._sources.boundaries.near(as_of).edition
        rows = [
            (f"{name}/{number}", place.ward, place.edition, watch.transformed_on, watch, name)
            for name, state in states.items()
            if (place := state.place)
            for number, watch in enumerate(state.watches, start=1)
        ]
        columns = ["episode", "area", "edition", "transformed_on", "watch", "hotspot"]
        table = pd.DataFrame(rows, columns=columns).set_index("episode")
        months = self._programme.watch_months
        table["relapsed_on"] = [watch.relapsed_on for watch in table["watch"]]
        table["ended_on"] = [add_months(watch.transformed_on, months) for watch in table["watch"]]
        table["seen_until"] = pd.Timestamp(told)
        here = self._on_unchanged_wards(table.drop(columns="watch"), today)
        return {str(name): group for name, group in here.groupby("edition")}

    def model_card(
        self,
        states: Mapping[str, HotspotState],
        as_of: date,
        known_on: datetime | None,
        measured: Mapping[str, CalibratedRisk],
    ) -> ModelCard:
        """Return how far the probabilities are to be trusted, on the edition most stand on."""
        edition = max(measured, key=lambda name: len(measured[name].table), default="")
        edition = edition or self._sources.boundaries.near(as_of).edition
        past = self.past(states, edition, as_of, known_on)
        tested = self.tested(past, edition, as_of, known_on)
        return ModelCard(edition, as_of, past, tested, measured.get(edition))

    # -- assessments

    def assessments(
        self, states: Mapping[str, HotspotState], as_of: date
    ) -> dict[str, tuple[Assessment, ...]]:
        """Return what to know beside every assessment, the oldest first, if measurable.

        Of each time a hotspot was recognised as transformed, and of one that may be assessed, as of
        the day. A rule of growth has no threshold: nothing is measured.
        """
        if not self._programme.relapse.has_threshold:
            return {}
        found = {
            name: tuple(
                each
                for on, year in _assessed_on(state, as_of)
                if (each := self._assessment(state, on, year)) is not None
            )
            for name, state in states.items()
        }
        return {name: each for name, each in found.items() if each}

    def _assessment(
        self, state: HotspotState, on: date, plan_year: int | None
    ) -> Assessment | None:
        days = [each.enrolled_on for each in state.enrolments if not each.carried_over]
        since = max((day for day in days if day <= on), default=None)
        if since is None or state.place is None:
            return None
        margin = self._margin(state.place, on)
        if margin is None:
            return None
        after = min(last_complete_month(on) - last_complete_month(since), 12)
        return Assessment(
            state.hotspot,
            plan_year,
            on,
            self._programme.relapse.window_months,
            *margin,
            since,
            after,
            self._anyway(state, since, after),
        )

    def _margin(self, place: Place, on: date) -> tuple[float, float, float] | None:
        """Return window, threshold and the probability of lying below, of a ward on a day."""
        today = self._sources.boundaries.near(on).edition
        same = self._sources.boundaries.unchanged(place.ward, place.edition, today)
        ward, edition = (place.ward, place.edition) if same is None else (same, today)

        def work() -> pd.DataFrame | None:
            try:
                counts = self._counts(edition, on)
                return safety_margin(
                    counts.index, self._programme.relapse, as_of=on, unit=counts.unit
                )
            except (CannotMeasure, NotFound):
                return None

        table = self._sources.keep(("margin", edition, on), work)
        if table is None or ward not in table.index:
            return None
        return tuple(float(table[name][ward]) for name in ("window", "threshold", "below"))  # type: ignore[return-value]

    def _anyway(self, state: HotspotState, since: date, after: int) -> float:
        """Return how probable a fall below the threshold was on the day of the designation."""
        if after < 1:
            return float("nan")
        end = last_complete_month(since) + after
        at_the_end = replace(self._programme.relapse, test_months=(end.month,))
        unwatched = replace(state, watches=())
        reaches = self.forecast([unwatched], since, at_the_end, after)
        return 1 - reaches.get(state.hotspot, float("nan"))

    # -- alarms

    def alarms(self, snapshot: Snapshot, events: Mapping[str, Sequence[Event]]) -> AlarmBoard:
        """Return what asks for attention in the watched hotspots of a snapshot."""
        as_of, states = snapshot.as_of, snapshot.states
        watched = watched_hotspots(states, self._programme.watch_months)
        watched["last_inspected_on"] = [states[name].last_inspected_on for name in watched.index]
        found: list[AlarmFinding] = []
        compared: list[tuple[pd.DataFrame, dict[object, Reason]]] = []
        if len(watched):
            here = self._on_unchanged_wards(watched, self._sources.boundaries.near(as_of).edition)
            for name, group in here.groupby("edition"):
                found += self._found(str(name), group, snapshot)
                compared += self._compared(str(name), group, snapshot)
        seen = {
            name: acknowledged(events.get(str(name), ()), as_of, snapshot.known_on)
            for name in watched.index
        }
        tables = [table for table, _ in compared]
        return AlarmBoard(
            as_of,
            with_acknowledgements(sorted(found, key=_by_urgency), seen, as_of),
            pd.concat(tables) if tables else None,
            {name: why for _, reasons in compared for name, why in reasons.items()},
        )

    def _found(
        self, edition: str, watched: pd.DataFrame, snapshot: Snapshot
    ) -> tuple[AlarmFinding, ...]:
        boundaries = self._sources.boundaries.named(edition)
        try:
            index = self._sources.index(snapshot.as_of, boundaries)
            unit = self._sources.unit(snapshot.as_of, boundaries)
        except CannotMeasure:
            index, unit = pd.DataFrame(index=pd.PeriodIndex([], freq="M")), 1.0
        return find_alarms(
            watched,
            _only(snapshot.risk, watched.index),
            index,
            self._programme.relapse,
            snapshot.as_of,
            settings=self._programme.alarms,
            unit=unit,
            neighbours=self._neighbours(boundaries),
            names={
                str(code): str(name)
                for code, name in self._sources.boundaries.names(edition)["name"].items()
            },
        )

    def _neighbours(self, edition: Edition) -> Mapping[str, Collection[str]]:
        def work() -> dict[str, set[str]]:
            found: dict[str, set[str]] = {}
            pairs = self._sources.boundaries.neighbours(edition).pairs
            for one, other in zip(pairs["a"], pairs["b"], strict=True):
                found.setdefault(one, set()).add(other)
                found.setdefault(other, set()).add(one)
            return found

        return self._sources.keep(("touching", edition.wards_file), work)  # type: ignore[no-any-return]

    def _compared(
        self, edition: str, watched: pd.DataFrame, snapshot: Snapshot
    ) -> list[tuple[pd.DataFrame, dict[object, Reason]]]:
        """Compare the risk with that without police-initiated counts, if they are known.

        Both by the model in force, which is calibrated on all counts. A fixed threshold is that of
        all counts, so it is lowered by the share that the police found in the whole city.
        """
        as_of = snapshot.as_of
        both = snapshot.calibrated.get(edition)
        boundaries = self._sources.boundaries.named(edition)
        try:
            counts = self._counts(edition, as_of)
            without = self._sources.index_without_police(as_of, boundaries)
            if without is None or both is None:
                return []
            measurable, _ = _measurable(watched, counts)
            less = _Counts(edition, as_of, without, counts.unit, counts.known)
            rule = _lowered(self._programme.relapse, _rest(without, counts.index))
            found = self._calibrated(
                measurable, less, snapshot.states, as_of, snapshot.known_on, rule
            )
        except (CannotMeasure, NotFound):
            return []
        return [
            feedback_difference(
                _as_shown(both),
                _as_shown(found),
                self._sources.police_share(as_of, boundaries),
                self._programme.alarms,
            )
        ]


@dataclass(frozen=True)
class _Counts:
    """The counts of one edition on a day."""

    edition: str
    as_of: date
    index: pd.DataFrame
    unit: float
    known: frozenset[str]

    def forward(self, watched: pd.DataFrame, rule: RelapseRule, horizons: Sequence[int]) -> Risk:
        return forward_risk(
            self.index, watched, rule, as_of=self.as_of, horizons=horizons, unit=self.unit
        )


def watched_hotspots(states: Mapping[str, HotspotState], watch_months: int) -> pd.DataFrame:
    """Return the hotspots under watch: `area`, `edition`, `transformed_on`."""
    rows = {
        name: (state.place.ward, state.place.edition, watch.transformed_on)
        for name, state in states.items()
        if state.place and (watch := state.under_watch(watch_months))
    }
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["area", "edition", "transformed_on"]
    )


def _assessed_on(state: HotspotState, as_of: date) -> list[tuple[date, int | None]]:
    """Return the days a hotspot was recognised on, and the day itself if it may be assessed."""
    days: list[tuple[date, int | None]] = [(w.transformed_on, w.plan_year) for w in state.watches]
    if EventType.ASSESSED_TRANSFORMED in allowed_events(state.status):
        days.append((as_of, state.plan_year))
    return days


def _since(state: HotspotState, as_of: date) -> tuple[str, str, date]:
    assert state.place is not None  # noqa: S101 - asked only about hotspots with a place
    since = state.watches[-1].transformed_on if state.watches else as_of
    return state.place.ward, state.place.edition, since


def _measurable(
    watched: pd.DataFrame, counts: _Counts
) -> tuple[pd.DataFrame, dict[str, HotspotsError]]:
    """Split hotspots into those whose ward's counts suffice and the others, with the reason."""
    known = watched["area"].isin(counts.known)
    lacking: dict[str, HotspotsError] = {
        str(hotspot): CannotMeasure(
            "ward_counts_unknown",
            f"The counts of ward {area} of {counts.edition} are not known for the last months or "
            "are fewer than needed.",
            ward=area,
            edition=counts.edition,
        )
        for hotspot, area in watched.loc[~known, "area"].items()
    }
    return watched[known], lacking


def _without_base(risk: CalibratedRisk) -> dict[str, HotspotsError]:
    """Return the hotspots whose transformed year is not known (a rule of growth needs it)."""
    unknown = risk.table.filter(regex=r"^raw\d+$").isna().any(axis=1)
    lacking: dict[str, HotspotsError] = {}
    for hotspot, ward in risk.table.loc[unknown, "area"].items():
        why = next(each for each in risk.reasons[hotspot] if each.code == "base_year_unknown")
        first, last = (str(why.facts[name]) for name in ("base_first", "base_last"))
        lacking[str(hotspot)] = CannotMeasure(
            "base_year_unknown",
            f"The counts of ward {ward} from {first} to {last}, the year it was transformed in, "
            "are not known in full; the relapse rule compares with them. Import them.",
            ward=ward,
            base_first=first,
            base_last=last,
        )
    return lacking


def _together(
    watched: pd.DataFrame,
    found: Mapping[str, CalibratedRisk],
    problems: Mapping[str, HotspotsError],
) -> WatchedRisk:
    tables = [_as_shown(risk) for risk in found.values()]
    measured = [table[~table.index.isin(list(problems))] for table in tables]
    table = pd.concat(measured) if measured else pd.DataFrame()
    if table.empty:
        return WatchedRisk(None, next(iter(problems.values()), None), found, problems)
    ordered = _ranked(table).reindex([name for name in watched.index if name in table.index])
    reasons = {name: why for risk in found.values() for name, why in risk.reasons.items()}
    return WatchedRisk(Risk(ordered, reasons), None, found, problems)


def _as_shown(risk: CalibratedRisk) -> pd.DataFrame:
    """Return the table without the probabilities that the store's past does not bear out."""
    hidden = [f"p{horizon}" for horizon, shown in risk.shown.items() if not shown]
    table: pd.DataFrame = risk.table.assign(**dict.fromkeys(hidden, float("nan")))
    return table


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Order the hotspots by the probability shown; where there is none by points, then level."""
    keys = ["p6", "p12", "points", "share"]
    order = table.sort_values(keys, ascending=False, kind="stable", na_position="last").index
    return table.assign(risk_rank=pd.Series(range(1, len(order) + 1), order))


def _rest(without: pd.DataFrame, index: pd.DataFrame) -> float:
    """Return the share of the city's last year that the police did not find themselves."""
    total = float(index.iloc[-12:].sum().sum())
    return float(without.iloc[-12:].sum().sum()) / total if total > 0 else 1.0


def _lowered(rule: RelapseRule, rest: float) -> RelapseRule:
    """Return a rule whose fixed threshold fits a part of the counts."""
    return rule if rule.threshold is None else replace(rule, threshold=rule.threshold * rest)


def _only(risk: Risk | None, hotspots: pd.Index) -> Risk | None:
    if risk is None:
        return None
    table = risk.table[risk.table.index.isin(hotspots)]
    return Risk(table, risk.reasons) if len(table) else None


def _by_urgency(finding: AlarmFinding) -> tuple[int, float, str]:
    p6 = -1.0 if finding.p6 != finding.p6 else finding.p6
    return ("red", "amber", "note").index(finding.level), -p6, str(finding.hotspot)
