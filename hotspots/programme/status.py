"""Dated events, the table of allowed moves, and the status as a fold over the events.

Nothing stores a status: it is worked out from the events up to a day, so the same events on the
same day always give the same answer. Two days matter: `as_of`, the day asked about, and
`known_on`, the day of our knowledge. A correction is an event of its own that names the one it
corrects; the corrected one stays in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from hotspots.errors import MoveRefused
from hotspots.programme.months import add_months


class EventType(StrEnum):
    """What happened, in the past tense (the yearly cycle of the programme)."""

    PROPOSED = "Proposed"
    APPRAISED = "Appraised"
    DESIGNATED = "Designated"
    WORK_STARTED = "WorkStarted"
    INSPECTED = "Inspected"
    ASSESSED_TRANSFORMED = "AssessedTransformed"
    ASSESSED_NOT_TRANSFORMED = "AssessedNotTransformed"
    CARRIED_OVER = "CarriedOver"
    RELEASED = "Released"
    RELAPSED = "Relapsed"
    WITHDRAWN = "Withdrawn"
    CORRECTED = "Corrected"


class Status(StrEnum):
    """Where a hotspot stands in the yearly cycle."""

    NOT_LISTED = "not_listed"
    PROPOSED = "proposed"
    APPRAISED = "appraised"
    DESIGNATED = "designated"
    IN_PROGRESS = "in_progress"
    CARRIED_OVER = "carried_over"
    NOT_TRANSFORMED = "not_transformed"
    TRANSFORMED = "transformed"
    RELEASED = "released"
    RELAPSED = "relapsed"
    WITHDRAWN = "withdrawn"


_E, _S = EventType, Status

MOVES: Mapping[Status, Mapping[EventType, Status]] = {
    # A published list may be taken over as designated, without inventing its proposal.
    _S.NOT_LISTED: {_E.PROPOSED: _S.PROPOSED, _E.DESIGNATED: _S.DESIGNATED},
    _S.PROPOSED: {_E.APPRAISED: _S.APPRAISED, _E.WITHDRAWN: _S.WITHDRAWN},
    _S.APPRAISED: {_E.DESIGNATED: _S.DESIGNATED, _E.WITHDRAWN: _S.WITHDRAWN},
    _S.DESIGNATED: {
        _E.WORK_STARTED: _S.IN_PROGRESS,
        _E.INSPECTED: _S.DESIGNATED,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    _S.IN_PROGRESS: {
        _E.INSPECTED: _S.IN_PROGRESS,
        _E.ASSESSED_TRANSFORMED: _S.TRANSFORMED,
        _E.ASSESSED_NOT_TRANSFORMED: _S.NOT_TRANSFORMED,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    _S.NOT_TRANSFORMED: {
        _E.INSPECTED: _S.NOT_TRANSFORMED,
        _E.CARRIED_OVER: _S.CARRIED_OVER,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    # Work goes on in a carried-over area, so it may be assessed without a new start.
    _S.CARRIED_OVER: {
        _E.WORK_STARTED: _S.IN_PROGRESS,
        _E.INSPECTED: _S.CARRIED_OVER,
        _E.ASSESSED_TRANSFORMED: _S.TRANSFORMED,
        _E.ASSESSED_NOT_TRANSFORMED: _S.NOT_TRANSFORMED,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    _S.TRANSFORMED: {
        _E.INSPECTED: _S.TRANSFORMED,
        _E.RELEASED: _S.RELEASED,
        _E.RELAPSED: _S.RELAPSED,
    },
    _S.RELEASED: {
        _E.INSPECTED: _S.RELEASED,
        _E.RELAPSED: _S.RELAPSED,
    },
    # A transformed area that must be listed again has relapsed, and that is said first.
    _S.RELAPSED: {
        _E.INSPECTED: _S.RELAPSED,
        _E.PROPOSED: _S.PROPOSED,
        _E.DESIGNATED: _S.DESIGNATED,
    },
    _S.WITHDRAWN: {_E.PROPOSED: _S.PROPOSED},
}
"""From each status, the events allowed and where they lead. `Corrected` is outside the table."""

ENROLLING = frozenset({_E.DESIGNATED, _E.CARRIED_OVER})
"""The events that put a hotspot on the list of a plan year."""

NEEDS_PLAN_YEAR = frozenset({_E.PROPOSED, _E.DESIGNATED, _E.CARRIED_OVER})


@dataclass(frozen=True)
class Place:
    """Where a hotspot lies: a ward of one boundary edition, and what kinds of problem it has."""

    ward: str
    edition: str
    name: str
    kinds: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Event:
    """One thing that happened to one hotspot, on a day, written down at a moment.

    `place` stands on the first event of a hotspot only; `plan_year` on events that propose,
    designate or carry over. `corrects` names an event, or a correction of it; then day, plan year,
    place and `corrected_type` are the corrected content (what is not given stays as it was) and
    `note` says why, or `strikes` is true and the corrected event is to be ignored.
    """

    event_id: str
    hotspot: str
    type: EventType
    effective_on: date
    recorded_at: datetime
    recorded_by: str
    seq: int = 0
    note: str = ""
    plan_year: int | None = None
    place: Place | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    corrects: str | None = None
    corrected_type: EventType | None = None
    strikes: bool = False


@dataclass(frozen=True)
class Enrolment:
    """A hotspot on the list of one plan year, and how that year ended for it."""

    hotspot: str
    plan_year: int
    enrolled_on: date
    carried_over: bool
    outcome: str = "open"
    outcome_on: date | None = None


@dataclass(frozen=True)
class Watch:
    """The time after one recognised transformation: until a relapse, or still going."""

    hotspot: str
    plan_year: int
    transformed_on: date
    released_on: date | None = None
    relapsed_on: date | None = None

    def watched_until(self, watch_months: int) -> date:
        """Return the last day of the watch period."""
        return add_months(self.transformed_on, watch_months)

    def completed(self, as_of: date, watch_months: int) -> bool:
        """Tell whether the watch period was over on a day; its last day still belongs to it."""
        return as_of > self.watched_until(watch_months)


@dataclass(frozen=True)
class HotspotState:
    """What was true of one hotspot on one day."""

    hotspot: str
    as_of: date
    status: Status = Status.NOT_LISTED
    since: date | None = None
    place: Place | None = None
    plan_year: int | None = None
    enrolments: tuple[Enrolment, ...] = ()
    watches: tuple[Watch, ...] = ()
    last_inspected_on: date | None = None

    def under_watch(self, watch_months: int) -> Watch | None:
        """Return the watch that is running on the day, if one is."""
        if self.status not in (Status.TRANSFORMED, Status.RELEASED) or not self.watches:
            return None
        watch = self.watches[-1]
        return None if watch.completed(self.as_of, watch_months) else watch

    def stage(self, watch_months: int) -> str:
        """Return the coarse class a map is coloured by (see `STAGES`)."""
        if self.status in (Status.TRANSFORMED, Status.RELEASED):
            return "under_watch" if self.under_watch(watch_months) else "stable"
        return _STAGE_OF[self.status]


STAGES = (
    "relapsed",
    "not_transformed",
    "in_work",
    "proposed",
    "under_watch",
    "stable",
    "not_listed",
)
"""Map classes from the one that most needs attention to none; a ward shows its first."""

_STAGE_OF: Mapping[Status, str] = {
    _S.NOT_LISTED: "not_listed",
    _S.PROPOSED: "proposed",
    _S.APPRAISED: "proposed",
    _S.DESIGNATED: "in_work",
    _S.IN_PROGRESS: "in_work",
    _S.CARRIED_OVER: "in_work",
    _S.NOT_TRANSFORMED: "not_transformed",
    _S.RELAPSED: "relapsed",
    _S.WITHDRAWN: "not_listed",
}


def resolve(events: Iterable[Event], known_on: datetime | None = None) -> list[Event]:
    """Return what we believe happened, corrections applied, in the order it happened.

    Parameters
    ----------
    events : iterable of Event
        All events of one hotspot, in any order.
    known_on : datetime, optional
        Only events recorded up to this moment count.

    Returns
    -------
    list of Event
        Ordered by `effective_on`, then by the order of writing. A corrected event appears with
        its corrected content under its own `event_id`; a struck one does not appear.
    """
    known = sorted(
        (event for event in events if known_on is None or event.recorded_at <= known_on),
        key=lambda event: event.seq,
    )
    believed: dict[str, Event] = {}
    struck: set[str] = set()
    root_of: dict[str, str] = {}
    for event in known:
        root = root_of[event.event_id] = root_of.get(event.corrects or "", event.event_id)
        if event.type is not EventType.CORRECTED:
            believed[root] = event
        elif event.strikes:
            struck.add(root)
        else:  # builds on the corrections before it, and brings a struck event back
            struck.discard(root)
            believed[root] = _corrected(believed[root], event)
    kept = [event for root, event in believed.items() if root not in struck]
    return sorted(kept, key=lambda event: (event.effective_on, event.seq))


def _corrected(believed: Event, correction: Event) -> Event:
    return replace(
        believed,
        type=correction.corrected_type or believed.type,
        effective_on=correction.effective_on,
        plan_year=correction.plan_year or believed.plan_year,
        place=correction.place or believed.place,
    )


def state_of(
    hotspot: str, events: Iterable[Event], as_of: date, known_on: datetime | None = None
) -> HotspotState:
    """Work out the status of a hotspot on a day, as known on a day.

    Raises
    ------
    MoveRefused
        If the events break the table of moves; a log written through `check_move` never does.
    """
    state = HotspotState(hotspot=hotspot, as_of=as_of)
    for event in resolve(events, known_on):
        if event.effective_on <= as_of:
            state = _after(state, event)
    return state


def allowed_events(status: Status) -> tuple[EventType, ...]:
    """Return the events that may follow a status, in the order of the yearly cycle.

    >>> [str(event) for event in allowed_events(Status.TRANSFORMED)]
    ['Inspected', 'Released', 'Relapsed']
    """
    return tuple(event for event in EventType if event in MOVES[status])


def check_move(existing: Sequence[Event], new: Event) -> HotspotState:
    """Check that an event may be added, and return the state it leads to.

    The event takes its place by its day, so an event of last month may be written today; then
    everything that happened after it must still be allowed.

    Raises
    ------
    MoveRefused
        With the reason and the events allowed at that point.
    """
    if new.type is EventType.CORRECTED:
        _check_correction(existing, new)
    elif new.place is None and not resolve(existing):  # new, or all that was recorded is struck
        raise MoveRefused(
            "place_missing",
            f"{new.hotspot!r} is new; its first event must name the ward it lies in.",
            hotspot=new.hotspot,
        )
    state = HotspotState(hotspot=new.hotspot, as_of=date.max)
    for event in resolve([*existing, new]):
        state = _after(state, event)
    return state


def _check_correction(existing: Sequence[Event], new: Event) -> None:
    known = {event.event_id for event in existing}
    if new.corrects not in known:
        raise MoveRefused(
            "nothing_to_correct",
            f"{new.hotspot!r} has no event {new.corrects!r} to correct; "
            "name one of its events by its id.",
            hotspot=new.hotspot,
            event=new.corrects or "",
        )
    if not new.note.strip():
        raise MoveRefused(
            "correction_without_reason", "A correction needs a note that says why.", event=new.type
        )


def _after(state: HotspotState, event: Event) -> HotspotState:
    moves = MOVES[state.status]
    if event.type not in moves:
        raise _refusal(state, event)
    if event.type in NEEDS_PLAN_YEAR and event.plan_year is None:
        raise MoveRefused(
            "plan_year_missing",
            f"{event.type} needs a plan year; give the year of the plan it belongs to.",
            event=event.type,
        )
    status = moves[event.type]
    return replace(
        state,
        status=status,
        since=state.since if status is state.status else event.effective_on,
        place=event.place or state.place,
        plan_year=event.plan_year if event.type in NEEDS_PLAN_YEAR else state.plan_year,
        enrolments=_enrolments(state, event),
        watches=_watches(state, event),
        last_inspected_on=(
            event.effective_on if event.type is _E.INSPECTED else state.last_inspected_on
        ),
    )


def _refusal(state: HotspotState, event: Event) -> MoveRefused:
    allowed = allowed_events(state.status)
    names = ", ".join(allowed) or "nothing"
    return MoveRefused(
        "move_not_allowed",
        f"{event.type} on {event.effective_on} is not allowed for {event.hotspot!r}: its status "
        f"on that day is {state.status}. Allowed: {names}.",
        hotspot=event.hotspot,
        event=event.type,
        on=event.effective_on,
        status=state.status,
        allowed=allowed,
    )


def _enrolments(state: HotspotState, event: Event) -> tuple[Enrolment, ...]:
    if event.type in ENROLLING and event.plan_year is not None:
        if any(item.plan_year == event.plan_year for item in state.enrolments):
            raise MoveRefused(
                "already_in_plan",
                f"{event.hotspot!r} is already on the list of {event.plan_year}.",
                hotspot=event.hotspot,
                year=event.plan_year,
            )
        carried = event.type is _E.CARRIED_OVER
        if carried and event.plan_year < state.enrolments[-1].plan_year:
            raise MoveRefused(
                "carried_to_earlier_year",
                f"{event.hotspot!r} cannot be carried over from the plan of "
                f"{state.enrolments[-1].plan_year} to that of {event.plan_year}.",
                hotspot=event.hotspot,
                year=event.plan_year,
                last=state.enrolments[-1].plan_year,
            )
        new = Enrolment(event.hotspot, event.plan_year, event.effective_on, carried)
        return (*state.enrolments, new)
    outcome = _OUTCOMES.get(event.type)
    if outcome is None or not state.enrolments or state.enrolments[-1].outcome != "open":
        return state.enrolments
    ended = replace(state.enrolments[-1], outcome=outcome, outcome_on=event.effective_on)
    return (*state.enrolments[:-1], ended)


_OUTCOMES: Mapping[EventType, str] = {
    _E.ASSESSED_TRANSFORMED: "transformed",
    _E.ASSESSED_NOT_TRANSFORMED: "not_transformed",
    _E.WITHDRAWN: "withdrawn",
}


def _watches(state: HotspotState, event: Event) -> tuple[Watch, ...]:
    if event.type is _E.ASSESSED_TRANSFORMED:
        plan_year = state.enrolments[-1].plan_year
        return (*state.watches, Watch(event.hotspot, plan_year, event.effective_on))
    if event.type is _E.RELEASED:
        return (*state.watches[:-1], replace(state.watches[-1], released_on=event.effective_on))
    if event.type is _E.RELAPSED:
        return (*state.watches[:-1], replace(state.watches[-1], relapsed_on=event.effective_on))
    return state.watches
