"""Dated events, the table of allowed moves, and the status as a fold over the events.

Nothing stores a status: it is worked out from the events up to a day, so the same events on the
same day always give the same answer. Two days matter: `as_of`, the day asked about, and
`known_on`, the day of our knowledge. A correction is an event of its own that names the one it
corrects; the corrected one stays in the log.

An event that needs approval is pending until a decision about it is written: a second person
approves it or sends it back, or its author takes it back. A decision is an event too, so nothing is
deleted, and what was pending on a day can still be told. Two words are kept apart: *withdrawn* is
something that happened to a hotspot (`Withdrawn`, it leaves the programme), *taken back* is
something that happened to an entry (`TakenBack`, its author no longer stands by it).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from hotspots.errors import MoveRefused
from hotspots.programme.months import add_months


class EventType(StrEnum):
    """What happened, in the past tense (the yearly cycle of the programme).

    The last three are decisions on a pending event. `Withdrawn` is none of them: it is an event of
    the programme, by which a hotspot leaves it.
    """

    PROPOSED = "Proposed"
    APPRAISED = "Appraised"
    DESIGNATED = "Designated"
    WORK_STARTED = "WorkStarted"
    INSPECTED = "Inspected"
    ALARM_ACKNOWLEDGED = "AlarmAcknowledged"
    ASSESSED_TRANSFORMED = "AssessedTransformed"
    ASSESSED_NOT_TRANSFORMED = "AssessedNotTransformed"
    CARRIED_OVER = "CarriedOver"
    RELEASED = "Released"
    RELAPSED = "Relapsed"
    WITHDRAWN = "Withdrawn"
    CORRECTED = "Corrected"
    APPROVED = "Approved"
    SENT_BACK = "SentBack"
    TAKEN_BACK = "TakenBack"


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
        _E.ALARM_ACKNOWLEDGED: _S.DESIGNATED,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    _S.IN_PROGRESS: {
        _E.INSPECTED: _S.IN_PROGRESS,
        _E.ALARM_ACKNOWLEDGED: _S.IN_PROGRESS,
        _E.ASSESSED_TRANSFORMED: _S.TRANSFORMED,
        _E.ASSESSED_NOT_TRANSFORMED: _S.NOT_TRANSFORMED,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    _S.NOT_TRANSFORMED: {
        _E.INSPECTED: _S.NOT_TRANSFORMED,
        _E.ALARM_ACKNOWLEDGED: _S.NOT_TRANSFORMED,
        _E.CARRIED_OVER: _S.CARRIED_OVER,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    # Work goes on in a carried-over area, so it may be assessed without a new start.
    _S.CARRIED_OVER: {
        _E.WORK_STARTED: _S.IN_PROGRESS,
        _E.INSPECTED: _S.CARRIED_OVER,
        _E.ALARM_ACKNOWLEDGED: _S.CARRIED_OVER,
        _E.ASSESSED_TRANSFORMED: _S.TRANSFORMED,
        _E.ASSESSED_NOT_TRANSFORMED: _S.NOT_TRANSFORMED,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    _S.TRANSFORMED: {
        _E.INSPECTED: _S.TRANSFORMED,
        _E.ALARM_ACKNOWLEDGED: _S.TRANSFORMED,
        _E.RELEASED: _S.RELEASED,
        _E.RELAPSED: _S.RELAPSED,
    },
    _S.RELEASED: {
        _E.INSPECTED: _S.RELEASED,
        _E.ALARM_ACKNOWLEDGED: _S.RELEASED,
        _E.RELAPSED: _S.RELAPSED,
    },
    # A transformed area that must be listed again has relapsed, and that is said first.
    _S.RELAPSED: {
        _E.INSPECTED: _S.RELAPSED,
        _E.ALARM_ACKNOWLEDGED: _S.RELAPSED,
        _E.PROPOSED: _S.PROPOSED,
        _E.DESIGNATED: _S.DESIGNATED,
    },
    _S.WITHDRAWN: {_E.PROPOSED: _S.PROPOSED},
}
"""From each status, the events allowed and where they lead.

`Corrected` and the decisions are outside the table.
"""

DECISIONS = frozenset({_E.APPROVED, _E.SENT_BACK, _E.TAKEN_BACK})
"""The events that decide on a pending one; only `Approved` lets it count."""

MOVES_NOTHING = frozenset({_E.INSPECTED, _E.ALARM_ACKNOWLEDGED})
"""The events that leave the status as it is."""

ALARM_LEVELS = ("note", "amber", "red")
"""How urgent an alarm is, the least first."""

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

    `evidence` holds the numbers an event was made on; that of `AlarmAcknowledged` the alarms by
    code with their level, and the probability then (`hotspots.programme.acknowledgement`).

    `needs_approval` is set when the event is written, by the rule in force then. `about` stands on
    decisions only and names the event decided on; `recorded_by` is the one who decides.
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
    needs_approval: bool = False
    about: str | None = None


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


def changes_status(kind: EventType) -> bool:
    """Tell whether events of a type are the ones that wait for a second person.

    All are but those that move nothing (an inspection, an alarm acknowledged) and the decisions
    themselves. A correction is one whatever it corrects.

    >>> [str(kind) for kind in EventType if not changes_status(kind)]
    ['Inspected', 'AlarmAcknowledged', 'Approved', 'SentBack', 'TakenBack']
    """
    return kind not in MOVES_NOTHING and kind not in DECISIONS


def resolve(
    events: Iterable[Event], known_on: datetime | None = None, *, with_pending: bool = False
) -> list[Event]:
    """Return what we believe happened, corrections applied, in the order it happened.

    Parameters
    ----------
    events : iterable of Event
        All events of one hotspot, in any order.
    known_on : datetime, optional
        Only events recorded up to this moment count, decisions included: an event that needs
        approval counts from the moment its approval was recorded.
    with_pending : bool, default False
        Count undecided events as if they were approved. They need not fit together; `foreseen`
        leaves out those that can no longer happen.

    Returns
    -------
    list of Event
        Ordered by `effective_on`, then by the order of writing (not of approval). A corrected
        event appears with its corrected content under its own `event_id`; a struck one does not
        appear, nor do decisions and what was sent back or taken back.
    """
    known = _known(events, known_on)
    return _believed(known, _ids(_undecided(known)) if with_pending else ())


def pending(events: Iterable[Event], known_on: datetime | None = None) -> list[Event]:
    """Return the events that wait for a decision, in the order of writing."""
    return _undecided(_known(events, known_on))


def decision_of(
    events: Iterable[Event], event_id: str, known_on: datetime | None = None
) -> Event | None:
    """Return the decision about an event: its approval, or that it was sent or taken back."""
    return _decisions(_known(events, known_on)).get(event_id)


def foreseen(events: Iterable[Event], known_on: datetime | None = None) -> list[Event]:
    """Return what we would believe if every pending event that still can happen were approved.

    An event that waits may have become impossible, because what it builds on was sent back or
    something else was approved first. It stays pending until somebody decides on it, and must not
    stand in the way of others meanwhile.
    """
    known = _known(events, known_on)
    return _believed(known, _possible(known))


def _known(events: Iterable[Event], known_on: datetime | None) -> list[Event]:
    known = (event for event in events if known_on is None or event.recorded_at <= known_on)
    return sorted(known, key=lambda event: event.seq)


def _ids(events: Iterable[Event]) -> set[str]:
    return {event.event_id for event in events}


def _decisions(known: Sequence[Event]) -> dict[str, Event]:
    """Return the decision by the id of the event it is about; the first one written holds."""
    backwards = reversed([event for event in known if event.type in DECISIONS])
    return {event.about or "": event for event in backwards}


def _undecided(known: Sequence[Event]) -> list[Event]:
    decided = _decisions(known)
    return [
        event
        for event in known
        if event.needs_approval and event.type not in DECISIONS and event.event_id not in decided
    ]


def _counted(known: Sequence[Event], as_if_approved: Collection[str]) -> list[Event]:
    """Return the events that count, decisions left out."""
    decisions = _decisions(known).values()
    approved = {event.about for event in decisions if event.type is EventType.APPROVED}
    return [
        event
        for event in known
        if event.type not in DECISIONS
        and (
            not event.needs_approval
            or event.event_id in approved
            or event.event_id in as_if_approved
        )
    ]


def _roots(events: Iterable[Event]) -> dict[str, str]:
    """Return, by id, the event that a chain of corrections speaks of; others are their own."""
    roots: dict[str, str] = {}
    for event in events:
        roots[event.event_id] = roots.get(event.corrects or "", event.event_id)
    return roots


def _believed(known: Sequence[Event], as_if_approved: Collection[str] = ()) -> list[Event]:
    counted = _counted(known, as_if_approved)
    roots = _roots(counted)
    believed: dict[str, Event] = {}
    struck: set[str] = set()
    for event in counted:
        root = roots[event.event_id]
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


def _possible(known: Sequence[Event]) -> set[str]:
    """Return the ids of the pending events that can all happen on top of what is believed."""
    waiting = _ids(_undecided(known))
    if not waiting or _holds(_believed(known, waiting)):
        return waiting
    possible: set[str] = set()
    before = -1
    while len(possible) != before:  # an event may fit only after one that was written later
        before = len(possible)
        for event in known:
            trial = possible | {event.event_id}
            if event.event_id in waiting and _holds(_believed(known, trial)):
                possible = trial
    return possible


def state_of(
    hotspot: str,
    events: Iterable[Event],
    as_of: date,
    known_on: datetime | None = None,
    *,
    with_pending: bool = False,
) -> HotspotState:
    """Work out the status of a hotspot on a day, as known on a day.

    Parameters
    ----------
    hotspot : str
        The id of the hotspot.
    events : iterable of Event
        All its events, in any order.
    as_of : date
        The day asked about.
    known_on : datetime, optional
        What was known at this moment; pending events do not count before their approval is known.
    with_pending : bool, default False
        Count the pending events that still can happen (see `foreseen`): what a new event has to
        fit, never what is shown as the status.

    Raises
    ------
    MoveRefused
        If the events break the table of moves; a log written through `check_move` and
        `check_decision` never does.
    """
    believed = foreseen(events, known_on) if with_pending else resolve(events, known_on)
    state = HotspotState(hotspot=hotspot, as_of=as_of)
    for event in believed:
        if event.effective_on <= as_of:
            state = _after(state, event)
    return state


def allowed_events(status: Status) -> tuple[EventType, ...]:
    """Return the events that may follow a status, in the order of the yearly cycle.

    >>> [str(event) for event in allowed_events(Status.TRANSFORMED)]
    ['Inspected', 'AlarmAcknowledged', 'Released', 'Relapsed']
    """
    return tuple(event for event in EventType if event in MOVES[status])


def check_move(existing: Sequence[Event], new: Event) -> HotspotState:
    """Check that an event may be added, and return the state it leads to.

    The event takes its place by its day, so an event of last month may be written today; then
    everything that happened after it must still be allowed. It is checked against what is believed
    and the pending events that still can happen; an event that counts at once must hold without
    the pending ones too, since they may never be approved.

    A correction may only name an event that counts. What is pending is taken back and written anew
    instead, and while one correction of an event waits, a second one is refused: two people would
    each correct what the other does not see.

    Raises
    ------
    MoveRefused
        With the reason and the events allowed at that point.
    """
    if new.type in DECISIONS:
        check_decision(existing, new)
        return state_of(new.hotspot, [*existing, new], date.max)
    known = _known(existing, None)
    possible = _possible(known)
    if new.type is EventType.CORRECTED:
        _check_correction(known, new)
    elif new.place is None and not _believed(known, possible):  # new, or all recorded is struck
        raise _place_missing(new.hotspot)
    counting_at_once = replace(new, needs_approval=False)
    state = _fold(new.hotspot, _believed([*known, counting_at_once], possible))
    if not new.needs_approval and possible:
        _fold(new.hotspot, _believed([*known, new]))
    return state


def check_decision(existing: Sequence[Event], decision: Event) -> Event:
    """Check that a decision on a pending event may be written, and return the event decided on.

    Four eyes: the author of an event neither approves it nor sends it back, and nobody but the
    author takes it back. Whether the person's role allows it is asked elsewhere (`roles`). An
    approval is checked against what is believed at that moment; if the event cannot happen (any
    more), the approval is refused and the event stays pending.

    Raises
    ------
    MoveRefused
        With the reason `unknown_pending`, `self_approval`, `not_the_author`,
        `decision_without_reason`, `approve_earlier_first`, or one of `check_move`.
    """
    if decision.type not in DECISIONS:
        raise ValueError(f"{decision.type} is not a decision; allowed: {sorted(DECISIONS)}.")
    known = _known(existing, None)
    subject = next((e for e in _undecided(known) if e.event_id == decision.about), None)
    if subject is None:
        raise MoveRefused(
            "unknown_pending",
            f"{decision.hotspot!r} has no event {decision.about!r} that waits for approval; "
            "look again, somebody may have decided on it.",
            hotspot=decision.hotspot,
            event=decision.about or "",
        )
    _check_who(subject, decision)
    if decision.type is EventType.SENT_BACK and not decision.note.strip():
        raise MoveRefused(
            "decision_without_reason",
            f"Sending back {subject.type} needs a note that says why.",
            hotspot=subject.hotspot,
            event=subject.type,
        )
    if decision.type is EventType.APPROVED:
        _check_approval(known, subject)
    return subject


def _check_who(subject: Event, decision: Event) -> None:
    author = _same_person(subject.recorded_by, decision.recorded_by)
    if decision.type is EventType.TAKEN_BACK and not author:
        raise MoveRefused(
            "not_the_author",
            f"{subject.type} of {subject.hotspot!r} was recorded by {subject.recorded_by}; only "
            "its author takes an entry back. Send it back with a reason instead.",
            hotspot=subject.hotspot,
            event=subject.type,
            by=subject.recorded_by,
        )
    if decision.type is not EventType.TAKEN_BACK and author:
        raise MoveRefused(
            "self_approval",
            f"{subject.type} of {subject.hotspot!r} was recorded by {subject.recorded_by}; a "
            "second person must approve it or send it back. Its author can take it back.",
            hotspot=subject.hotspot,
            event=subject.type,
            by=subject.recorded_by,
        )


def _same_person(one: str, other: str) -> bool:
    """Compare user names; capitals and the encoding of accents do not make another person."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _check_approval(known: Sequence[Event], subject: Event) -> None:
    try:
        _fold(subject.hotspot, _believed(known, {subject.event_id}))
    except MoveRefused as refused:
        if subject.event_id not in _possible(known):
            raise
        raise MoveRefused(
            "approve_earlier_first",
            f"{subject.type} on {subject.effective_on} cannot be approved for "
            f"{subject.hotspot!r} yet: it builds on another entry that still waits. "
            "Approve that one first.",
            hotspot=subject.hotspot,
            event=subject.type,
            on=subject.effective_on,
        ) from refused


def _fold(hotspot: str, believed: Iterable[Event]) -> HotspotState:
    """Return the state at the end of a history, or refuse it at the first event that breaks it."""
    state = HotspotState(hotspot=hotspot, as_of=date.max)
    for event in believed:
        state = _after(state, event)
        if state.place is None:
            raise _place_missing(hotspot)
    return state


def _holds(believed: Sequence[Event]) -> bool:
    try:
        _fold(believed[0].hotspot if believed else "", believed)
    except MoveRefused:
        return False
    return True


def _place_missing(hotspot: str) -> MoveRefused:
    return MoveRefused(
        "place_missing",
        f"{hotspot!r} is new; its first event must name the ward it lies in.",
        hotspot=hotspot,
    )


def _check_correction(known: Sequence[Event], new: Event) -> None:
    waiting = _undecided(known)
    roots = _roots(_counted(known, _ids(waiting)))
    root = roots.get(new.corrects or "")
    if root is None:
        raise MoveRefused(
            "nothing_to_correct",
            f"{new.hotspot!r} has no event {new.corrects!r} to correct; "
            "name one of its events by its id.",
            hotspot=new.hotspot,
            event=new.corrects or "",
        )
    for event in waiting:
        if roots[event.event_id] == root:
            raise MoveRefused(
                "correction_of_pending",
                f"{event.type} of {event.hotspot!r} by {event.recorded_by} still waits for "
                "approval, so there is nothing to correct yet: its author takes it back, or it is "
                "decided on first.",
                hotspot=event.hotspot,
                event=event.type,
                by=event.recorded_by,
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
    if event.type is _E.ALARM_ACKNOWLEDGED:
        _check_acknowledgement(event)
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


def _check_acknowledgement(event: Event) -> None:
    """Refuse an acknowledgement that does not say which alarms it is about, and what is done."""
    levels = event.evidence.get("alarms")
    if (
        not isinstance(levels, Mapping)
        or not levels
        or not all(level in ALARM_LEVELS for level in levels.values())
    ):
        raise MoveRefused(
            "acknowledgement_without_alarms",
            f"{event.type} of {event.hotspot!r} must name the alarms it is about; acknowledge them "
            "where they are shown.",
            hotspot=event.hotspot,
            event=event.type,
        )
    if not event.note.strip():
        raise MoveRefused(
            "acknowledgement_without_note",
            f"{event.type} of {event.hotspot!r} needs a note that says what is done about it.",
            hotspot=event.hotspot,
            event=event.type,
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
