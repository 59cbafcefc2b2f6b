"""Several people write one log; every answer of the rules is compared with a naive model.

The model keeps, for each entry, the moment from which it counts. It is told that when a decision is
accepted; the rules have to find it out from the log. It has its own table of moves and builds every
answer anew. The machine is itself tested: each planted mistake in the rules must be found by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hotspots.errors import MoveRefused
from hotspots.programme import status as rules
from hotspots.programme.status import (
    Event,
    Place,
    Status,
    check_move,
    decision_of,
    pending,
    resolve,
    state_of,
)
from hotspots.programme.status import EventType as E

START = date(2024, 1, 1)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
AFTER_ALL = datetime.max.replace(tzinfo=UTC)
PLACE = Place("00001", "2025-07-01", "Phường Một", frozenset({1}))
DAYS = [START + timedelta(days=day) for day in (0, 4, 9, 15, 30, 60, 365)]
PEOPLE = ("an", "binh", "chi", "An")  # the last is the first again
HAPPENINGS = tuple(
    kind for kind in E if kind not in {E.CORRECTED, E.APPROVED, E.SENT_BACK, E.TAKEN_BACK}
)

TABLE: Mapping[str, Mapping[str, str]] = {
    before: dict(move.split(">") for move in moves.split())
    for before, moves in {
        "not_listed": "Proposed>proposed Designated>designated",
        "proposed": "Appraised>appraised Withdrawn>withdrawn",
        "appraised": "Designated>designated Withdrawn>withdrawn",
        "designated": "WorkStarted>in_progress Inspected>designated "
        "AlarmAcknowledged>designated Withdrawn>withdrawn",
        "in_progress": "Inspected>in_progress AlarmAcknowledged>in_progress "
        "AssessedTransformed>transformed AssessedNotTransformed>not_transformed "
        "Withdrawn>withdrawn",
        "not_transformed": "Inspected>not_transformed AlarmAcknowledged>not_transformed "
        "CarriedOver>carried_over Withdrawn>withdrawn",
        "carried_over": "WorkStarted>in_progress Inspected>carried_over "
        "AlarmAcknowledged>carried_over AssessedTransformed>transformed "
        "AssessedNotTransformed>not_transformed Withdrawn>withdrawn",
        "transformed": "Inspected>transformed AlarmAcknowledged>transformed Released>released "
        "Relapsed>relapsed",
        "released": "Inspected>released AlarmAcknowledged>released Relapsed>relapsed",
        "relapsed": "Inspected>relapsed AlarmAcknowledged>relapsed Proposed>proposed "
        "Designated>designated",
        "withdrawn": "Proposed>proposed",
    }.items()
}

# The ways to the statuses the machine begins from.
WAYS = {
    "not_listed": "",
    "appraised": "Proposed Appraised",
    "withdrawn": "Proposed Withdrawn",
    "designated": "Designated",
    "in_progress": "Designated WorkStarted",
    "not_transformed": "Designated WorkStarted AssessedNotTransformed",
    "carried_over": "Designated WorkStarted AssessedNotTransformed CarriedOver",
    "transformed": "Designated WorkStarted AssessedTransformed",
    "released": "Designated WorkStarted AssessedTransformed Released",
    "relapsed": "Designated WorkStarted AssessedTransformed Relapsed",
}

EXAMPLES = 400
"""How often the machine runs; a planted mistake must be found in no more."""

BROKEN = "the history breaks"


@dataclass
class Entry:
    """What the model knows of one entry: the event, from when it counts, or that it never will."""

    event: Event
    counts_from: datetime | None = None
    waits: bool = False

    def counts(self, moment: datetime) -> bool:
        return self.counts_from is not None and self.counts_from <= moment


@dataclass
class Happening:
    """One thing believed to have happened, with the corrections put in."""

    kind: str
    on: date
    seq: int
    year: int
    struck: bool = False


class Model:
    """The naive model of one hotspot's log."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def root(self, name: str) -> str:
        while self.entries[name].event.corrects is not None:
            name = str(self.entries[name].event.corrects)
        return name

    def waiting(self) -> list[str]:
        return [name for name, entry in self.entries.items() if entry.waits]

    def believed(self, moment: datetime = AFTER_ALL, extra: Iterable[str] = ()) -> list[Happening]:
        happenings: dict[str, Happening] = {}
        for name, entry in self.entries.items():  # in the order of writing
            event = entry.event
            if not entry.counts(moment) and name not in set(extra):
                continue
            if event.type is not E.CORRECTED:
                year = event.plan_year or 0
                happenings[name] = Happening(event.type, event.effective_on, event.seq, year)
                continue
            corrected = happenings[self.root(name)]
            corrected.struck = event.strikes
            if not event.strikes:
                corrected.on = event.effective_on
                corrected.kind = event.corrected_type or corrected.kind
        kept = [each for each in happenings.values() if not each.struck]
        return sorted(kept, key=lambda each: (each.on, each.seq))

    def walk(self, happenings: Iterable[Happening]) -> list[tuple[date, str, str]] | None:
        """Return day, event and status after each step, or None if a step is not allowed."""
        steps, status, years = [], "not_listed", [0]
        for each in happenings:
            if each.kind not in TABLE[status]:
                return None
            if each.kind == "CarriedOver" and each.year < years[-1]:
                return None
            if each.kind in ("Designated", "CarriedOver"):
                years.append(each.year)
            status = TABLE[status][each.kind]
            steps.append((each.on, each.kind, status))
        return steps

    def holds(self, extra: Iterable[str] = ()) -> bool:
        return self.walk(self.believed(extra=extra)) is not None

    def possible(self) -> set[str]:
        """Return the waiting entries that can all happen; the first written go before."""
        waiting = self.waiting()
        if self.holds(waiting):
            return set(waiting)
        chosen: set[str] = set()
        grew = True
        while grew:
            grew = False
            for name in waiting:
                if name not in chosen and self.holds(chosen | {name}):
                    chosen.add(name)
                    grew = True
        return chosen

    def status(self, day: date, moment: datetime) -> str:
        steps = self.walk(self.believed(moment))
        assert steps is not None
        return next((after for on, _, after in reversed(steps) if on <= day), "not_listed")

    # -- what must be refused, and why ("" if nothing)

    def refuses(self, new: Event) -> str:
        if new.type is E.CORRECTED:
            named = self.entries.get(str(new.corrects))
            if named is None or not (named.waits or named.counts_from):
                return "nothing_to_correct"
            root = self.root(str(new.corrects))
            if any(self.root(name) == root for name in self.waiting()):
                return "correction_of_pending"
        possible = self.possible()
        trial = Model()
        trial.entries = self.entries | {new.event_id: Entry(new)}
        if not trial.holds({*possible, new.event_id}):
            return BROKEN
        if not new.needs_approval and not trial.holds({new.event_id}):
            return BROKEN
        return ""

    def refuses_decision(self, decision: Event) -> str:
        entry = self.entries.get(str(decision.about))
        if entry is None or not entry.waits:
            return "unknown_pending"
        same = entry.event.recorded_by.lower() == decision.recorded_by.lower()
        if decision.type is E.TAKEN_BACK:
            return "" if same else "not_the_author"
        if same:
            return "self_approval"
        if decision.type is E.SENT_BACK:
            return "" if decision.note else "decision_without_reason"
        if self.holds({entry.event.event_id}):
            return ""
        return "approve_earlier_first" if decision.about in self.possible() else BROKEN


class SeveralPeople(RuleBasedStateMachine):
    """Propose, approve, send back, take back, correct and strike, in any order."""

    passed: ClassVar[set[tuple[str, str]]] = set()
    """Every (status, event) that believed histories went through."""
    answers: ClassVar[set[str]] = set()
    """Every reason of a refusal, and every kind of event accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Event] = []
        self.model = Model()
        self.told: dict[datetime, list[Status]] = {}

    # -- what people do

    @initialize(way=st.sampled_from([*WAYS, *3 * ["carried_over"]]), at_once=st.booleans())
    def begin(self, way: str, at_once: bool) -> None:
        for number, kind in enumerate(WAYS[way].split()):
            self._write(E(kind), START + timedelta(days=4 * number), "an", at_once)
            if not at_once:
                self._decide(E.APPROVED, self.log[-1].event_id, "binh")

    @rule(
        kind=st.sampled_from(HAPPENINGS),
        shift=st.integers(-6, 8),
        by=st.sampled_from(PEOPLE),
        at_once=st.booleans(),
    )
    def record(self, kind: E, shift: int, by: str, at_once: bool) -> None:
        self._write(kind, self._last_day() + timedelta(days=shift), by, at_once)

    @rule(pick=st.integers(0, 9), days=st.integers(0, 5), approved=st.booleans())
    def advance(self, pick: int, days: int, approved: bool) -> None:
        """Propose what the table allows after all that waits, so that the machine gets far."""
        steps = self.model.walk(self.model.believed(extra=self.model.possible()))
        kinds = sorted(TABLE[steps[-1][2] if steps else "not_listed"])
        if pick < 8:  # it leads nowhere
            kinds = [each for each in kinds if each != E.ALARM_ACKNOWLEDGED]
        kind = E(kinds[pick % len(kinds)])
        self._write(kind, self._last_day() + timedelta(days=days), "an", at_once=False)
        if approved:
            self._decide(E.APPROVED, self.log[-1].event_id, "chi")

    @precondition(lambda self: self.log)
    @rule(
        pick=st.integers(0, 30),
        shift=st.integers(-9, 9),
        kind=st.sampled_from([None, None, *HAPPENINGS]),
        strikes=st.booleans(),
        by=st.sampled_from(PEOPLE),
        at_once=st.booleans(),
    )
    def correct(
        self, pick: int, shift: int, kind: E | None, strikes: bool, by: str, at_once: bool
    ) -> None:
        of = self.log[pick % len(self.log)]
        on = of.effective_on + timedelta(days=shift)
        content = {"corrects": of.event_id, "corrected_type": kind, "strikes": strikes}
        self._write(E.CORRECTED, on, by, at_once, **content)

    @precondition(lambda self: self.model.waiting())
    @rule(pick=st.integers(0, 9), by=st.sampled_from(PEOPLE))
    def approve(self, pick: int, by: str) -> None:
        waiting = self.model.waiting()
        self._decide(E.APPROVED, waiting[pick % len(waiting)], by)

    @precondition(lambda self: self.log)
    @rule(
        kind=st.sampled_from([E.SENT_BACK, E.SENT_BACK, E.TAKEN_BACK, E.APPROVED]),
        pick=st.integers(0, 30),
        by=st.sampled_from(PEOPLE),
        note=st.sampled_from(["no", "no", ""]),
    )
    def decide(self, kind: E, pick: int, by: str, note: str) -> None:
        names = [*self.model.waiting(), self.log[pick % len(self.log)].event_id]
        self._decide(kind, names[pick % len(names)], by, note)

    # -- what the rules say to it

    def _write(self, kind: E, on: date, by: str, at_once: bool, **content: object) -> None:
        new = self._draft(kind, on, by, note="said", needs_approval=not at_once, **content)
        expected = self.model.refuses(new)
        assert self._answer(lambda: rules.check_move(self.log, new), expected) == expected
        if not expected:
            self.model.entries[new.event_id] = Entry(
                new, new.recorded_at if at_once else None, waits=not at_once
            )
            self._written(new)

    def _decide(self, kind: E, about: str, by: str, note: str = "") -> None:
        decision = self._draft(kind, START, by, about=about, note=note)
        expected = self.model.refuses_decision(decision)
        assert self._answer(lambda: rules.check_decision(self.log, decision), expected) == expected
        if not expected:
            entry = self.model.entries[about]
            entry.waits = False
            if kind is E.APPROVED:
                entry.counts_from = decision.recorded_at
            self._written(decision)

    def _answer(self, ask: Callable[[], object], expected: str) -> str:
        reason = ""
        try:
            ask()
        except MoveRefused as refused:
            reason = refused.reason
        self.answers.add(reason)
        of_the_table = reason in {"move_not_allowed", "carried_to_earlier_year"}
        return BROKEN if of_the_table and expected == BROKEN else reason

    def _draft(self, kind: E, on: date, by: str, **content: object) -> Event:
        number = len(self.log) + 1
        return Event(
            event_id=f"e{number}",
            hotspot="h",
            type=kind,
            effective_on=on,
            recorded_at=BEGIN + timedelta(hours=number),
            recorded_by=by,
            seq=number,
            plan_year=None if kind is E.CORRECTED else 2000 + number,
            place=None if kind is E.CORRECTED else PLACE,
            evidence={} if kind is E.CORRECTED else {"alarms": {"risk": "red"}, "p6": 0.6},
            **content,  # type: ignore[arg-type]
        )

    def _last_day(self) -> date:
        days = [each.on for each in self.model.believed(extra=self.model.possible())]
        return max(days, default=START)

    # -- what must hold after each entry

    def _written(self, event: Event) -> None:
        self.log.append(event)
        self.answers.add(event.type)
        now = event.recorded_at
        found = [self._state(day).status for day in DAYS]  # raises if a prefix is not allowed
        assert found == [self.model.status(day, now) for day in DAYS]
        assert [each.event_id for each in pending(self.log)] == self.model.waiting()
        self.told[now] = found

    def _state(self, day: date, known_on: datetime | None = None) -> rules.HotspotState:
        return state_of("h", self.log, day, known_on)

    def teardown(self) -> None:
        self._nothing_told_has_changed()
        self._no_order_matters()
        self._what_does_not_count_is_not_believed()
        status = "not_listed"
        for _, kind, after in self.model.walk(self.model.believed()) or []:
            self.passed.add((status, kind))
            status = after

    def _nothing_told_has_changed(self) -> None:
        for moment, then in self.told.items():
            assert [self._state(day, moment).status for day in DAYS] == then
            assert then == [self.model.status(day, moment) for day in DAYS]

    def _no_order_matters(self) -> None:
        for other in (self.log[::-1], self.log[1::2] + self.log[::2]):
            assert resolve(other) == resolve(self.log)
            assert pending(other) == pending(self.log)

    def _what_does_not_count_is_not_believed(self) -> None:
        believed = {event.event_id for event in resolve(self.log)}
        for name, entry in self.model.entries.items():
            if entry.counts_from is None:
                assert name not in believed
            decision = decision_of(self.log, name)
            assert entry.waits == (entry.event.needs_approval and decision is None)
            if decision is not None and decision.type is not E.TAKEN_BACK:
                assert decision.recorded_by.lower() != entry.event.recorded_by.lower()


def run(examples: int) -> type[SeveralPeople]:
    """Run the machine, the same way every time, and return what it has seen."""
    machine = type("Machine", (SeveralPeople,), {"passed": set(), "answers": set()})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=24,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return machine


def test_the_rules_and_the_model_agree_whatever_several_people_do() -> None:
    machine = run(EXAMPLES)
    allowed = {(before, kind) for before, moves in TABLE.items() for kind in moves}
    assert machine.passed == allowed
    assert machine.answers >= {
        *E,
        "self_approval",
        "not_the_author",
        "unknown_pending",
        "decision_without_reason",
        "approve_earlier_first",
        "nothing_to_correct",
        "correction_of_pending",
        "move_not_allowed",
    }


# -- the machine is tested by mistakes put into the rules

SOUND = {name: getattr(rules, name) for name in dir(rules) if name.startswith("_")}
"""The parts of the rules as they are, for the mistakes to lean on."""


def _an_extra_move(before: Status, kind: E, after: Status) -> dict[str, object]:
    return {"MOVES": {**rules.MOVES, before: {**rules.MOVES[before], kind: after}}}


def _approval_unless(author_only: bool) -> Callable[[Event, Event], None]:
    def check_who(subject: Event, decision: Event) -> None:
        if (decision.type is E.TAKEN_BACK) is author_only:
            SOUND["_check_who"](subject, decision)

    return check_who


def _decisions_known_early(events: Iterable[Event], known_on: datetime | None) -> list[Event]:
    at = {event.event_id: event.recorded_at for event in events}
    moved = [
        replace(event, recorded_at=at.get(event.about or "", event.recorded_at)) for event in events
    ]
    return list(SOUND["_known"](moved, known_on))


def _every_decision_approves(known: list[Event], also: Iterable[str]) -> list[Event]:
    decided = {event.about or "" for event in known if event.type in rules.DECISIONS}
    return list(SOUND["_counted"](known, {*also, *decided}))


def _pending_counts(known: list[Event], also: Iterable[str]) -> list[Event]:
    return list(SOUND["_counted"](known, {*also, *(e.event_id for e in rules._undecided(known))}))


def _in_order_of_recording_only(events: Iterable[Event], known_on: datetime | None) -> list[Event]:
    return [event for event in events if known_on is None or event.recorded_at <= known_on]


def _strikes_forever(known: list[Event], also: Iterable[str] = ()) -> list[Event]:
    struck = {event.corrects for event in rules._counted(known, also) if event.strikes}
    believed = SOUND["_believed"](known, also)
    return [event for event in believed if event.event_id not in struck]


def _approvals_only(known: list[Event]) -> dict[str, Event]:
    return {event.about or "": event for event in known if event.type is E.APPROVED}


MISTAKES: Mapping[str, Callable[[], dict[str, object]]] = {
    "a watched hotspot proposed before its relapse": lambda: _an_extra_move(
        Status.TRANSFORMED, E.PROPOSED, Status.PROPOSED
    ),
    "a withdrawn hotspot designated without a proposal": lambda: _an_extra_move(
        Status.WITHDRAWN, E.DESIGNATED, Status.DESIGNATED
    ),
    "a released hotspot withdrawn": lambda: _an_extra_move(
        Status.RELEASED, E.WITHDRAWN, Status.WITHDRAWN
    ),
    "a relapse that leads back to work": lambda: _an_extra_move(
        Status.RELEASED, E.RELAPSED, Status.IN_PROGRESS
    ),
    "a carried-over hotspot must start work again": lambda: {
        "MOVES": {
            **rules.MOVES,
            Status.CARRIED_OVER: {
                kind: after
                for kind, after in rules.MOVES[Status.CARRIED_OVER].items()
                if kind is not E.ASSESSED_TRANSFORMED
            },
        }
    },
    "four eyes switched off": lambda: {"_check_who": _approval_unless(author_only=True)},
    "anybody takes back": lambda: {"_check_who": _approval_unless(author_only=False)},
    "a name in capitals is another person": lambda: {"_folded": lambda name: name},
    "what is pending counts": lambda: {"_counted": _pending_counts},
    "what was sent back or taken back counts": lambda: {"_counted": _every_decision_approves},
    "an approval is known before it was given": lambda: {"_known": _decisions_known_early},
    "the moment of knowledge is ignored": lambda: {
        "_known": lambda events, _: SOUND["_known"](events, None)
    },
    "an approval is not checked again": lambda: {"_check_approval": lambda known, subject: None},
    "what waits can be corrected": lambda: {"_check_correction": lambda known, new: None},
    "what became impossible stands in the way": lambda: {
        "_possible": lambda known: {event.event_id for event in rules._undecided(known)}
    },
    "what waits is forgotten when a new event is checked": lambda: {
        "_possible": lambda known: set()
    },
    "a struck event never comes back": lambda: {"_believed": _strikes_forever},
    "the order of reading decides": lambda: {"_known": _in_order_of_recording_only},
    "sending back decides nothing": lambda: {"_decisions": _approvals_only},
    "what counts at once leans on what waits": lambda: {
        "check_move": lambda existing, new: check_move(existing, replace(new, needs_approval=True))
    },
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_machine_finds_a_planted_mistake(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, wrong in MISTAKES[mistake]().items():
        monkeypatch.setattr(rules, name, wrong)
    with pytest.raises((AssertionError, KeyError)):
        run(EXAMPLES)
