"""What waits for a second person: when it counts, who decides, what a decision may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import MoveRefused
from hotspots.programme.status import (
    DECISIONS,
    MOVES,
    Event,
    Place,
    Status,
    changes_status,
    check_decision,
    check_move,
    decision_of,
    foreseen,
    pending,
    resolve,
    state_of,
)
from hotspots.programme.status import EventType as E

START = date(2024, 1, 1)
PLACE = Place("00001", "2025-07-01", "Phường Một", frozenset({1}))
OTHER = Place("00002", "2025-07-01", "Phường Hai")


class Log:
    """A stream of one hotspot, each event checked before it is written.

    The n-th event is recorded on the n-th day after the start.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    def propose(self, kind: E, day: int, by: str = "an", **content: object) -> Event:
        return self.write(kind, day, by, needs_approval=True, **content)

    def record(self, kind: E, day: int, by: str = "an", **content: object) -> Event:
        return self.write(kind, day, by, **content)

    def correct(self, of: Event, day: int, by: str = "an", **content: object) -> Event:
        content = {"note": "misread", "needs_approval": True} | content
        return self.write(E.CORRECTED, day, by, corrects=of.event_id, **content)

    def decide(self, kind: E, about: Event | str, by: str, note: str = "") -> Event:
        name = about if isinstance(about, str) else about.event_id
        draft = self._draft(kind, len(self.events), by, about=name, note=note)
        check_decision(self.events, draft)
        self.events.append(draft)
        return draft

    def approved(self, kind: E, day: int, **content: object) -> Event:
        event = self.propose(kind, day, **content)  # type: ignore[arg-type]
        self.decide(E.APPROVED, event, "binh")
        return event

    def status(self, day: int = 300, known_on: datetime | None = None) -> Status:
        return state_of("h", self.events, START + timedelta(days=day), known_on).status

    def refusal(self, kind: E, about: Event | str, by: str, note: str = "") -> MoveRefused:
        before = list(self.events)
        with pytest.raises(MoveRefused) as refused:
            self.decide(kind, about, by, note)
        assert self.events == before
        return refused.value

    def write(self, kind: E, day: int, by: str, **content: object) -> Event:
        draft = self._draft(kind, day, by, **content)
        check_move(self.events, draft)
        self.events.append(draft)
        return draft

    def _draft(self, kind: E, day: int, by: str, **content: object) -> Event:
        number = len(self.events) + 1
        if kind is E.ALARM_ACKNOWLEDGED:
            content = {"note": "seen", "evidence": {"alarms": {"risk": "red"}}} | content
        return Event(
            event_id=f"e{number}",
            hotspot="h",
            type=kind,
            effective_on=START + timedelta(days=day),
            recorded_at=datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=number),
            recorded_by=by,
            seq=number,
            **content,  # type: ignore[arg-type]
        )


@pytest.fixture
def log() -> Log:
    return Log()


def designated(log: Log) -> Event:
    return log.approved(E.DESIGNATED, 0, plan_year=2024, place=PLACE)


def ids(events: Sequence[Event]) -> list[str]:
    return [event.event_id for event in events]


# -- when an event counts


def test_everything_that_moves_a_status_waits_and_what_moves_nothing_does_not() -> None:
    assert {kind for kind in E if not changes_status(kind)} == {
        E.INSPECTED,
        E.ALARM_ACKNOWLEDGED,
        *DECISIONS,
    }


def test_a_pending_event_is_listed_and_does_not_count(log: Log) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    assert pending(log.events) == [event]
    assert resolve(log.events) == []
    assert resolve(log.events, with_pending=True) == [event]
    assert log.status() is Status.NOT_LISTED
    assert decision_of(log.events, event.event_id) is None


def test_an_approved_event_counts_from_its_own_day(log: Log) -> None:
    event = designated(log)
    assert pending(log.events) == []
    assert resolve(log.events) == [event]
    assert (log.status(-1), log.status(0)) == (Status.NOT_LISTED, Status.DESIGNATED)


def test_an_approval_is_known_from_the_moment_it_was_given(log: Log) -> None:
    event = designated(log)
    approval = log.events[1]
    before = approval.recorded_at - timedelta(microseconds=1)
    assert log.status(known_on=before) is Status.NOT_LISTED
    assert log.status(known_on=approval.recorded_at) is Status.DESIGNATED
    assert pending(log.events, before) == [event]
    assert pending(log.events, event.recorded_at - timedelta(microseconds=1)) == []
    assert decision_of(log.events, event.event_id, before) is None
    assert decision_of(log.events, event.event_id) == approval


def test_where_one_person_works_alone_an_event_counts_at_once(log: Log) -> None:
    log.record(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    assert (log.status(), pending(log.events)) == (Status.DESIGNATED, [])


@pytest.mark.parametrize(("decision", "by"), [(E.SENT_BACK, "binh"), (E.TAKEN_BACK, "an")])
def test_what_was_sent_back_or_taken_back_never_counts_and_stays_in_the_log(
    log: Log, decision: E, by: str
) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    decided = log.decide(decision, event, by, note="the ward is another one")
    assert resolve(log.events, with_pending=True) == []
    assert pending(log.events) == []
    assert decision_of(log.events, event.event_id) == decided
    assert pending(log.events, event.recorded_at) == [event]
    assert log.events == [event, decided]


def test_taking_an_entry_back_is_not_withdrawing_the_hotspot(log: Log) -> None:
    designated(log)
    withdrawal = log.propose(E.WITHDRAWN, 10)
    log.decide(E.TAKEN_BACK, withdrawal, "an")
    assert log.status() is Status.DESIGNATED


def test_of_two_decisions_in_a_log_the_first_holds(log: Log) -> None:
    event = designated(log)
    second = replace(log.events[1], event_id="e3", seq=3, type=E.SENT_BACK)
    events = [second, *log.events]
    assert resolve(events) == [event]
    assert decision_of(events, event.event_id) == log.events[1]


# -- who decides


@pytest.mark.parametrize("decision", [E.APPROVED, E.SENT_BACK])
@pytest.mark.parametrize("name", ["an", "An", " AN "])
def test_nobody_decides_on_the_own_entry(log: Log, decision: E, name: str) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    refused = log.refusal(decision, event, name, note="fine")
    assert refused.reason == "self_approval"
    assert refused.facts["by"] == "an"


def test_the_author_of_a_name_with_accents_is_known_in_either_encoding(log: Log) -> None:
    event = log.propose(E.DESIGNATED, 0, by="hòa", plan_year=2024, place=PLACE)
    assert log.refusal(E.APPROVED, event, "ho\u0300a").reason == "self_approval"


def test_only_its_author_takes_an_entry_back(log: Log) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    assert log.refusal(E.TAKEN_BACK, event, "binh").reason == "not_the_author"
    log.decide(E.TAKEN_BACK, event, "an")


def test_the_author_of_an_event_may_approve_what_another_corrects_of_it(log: Log) -> None:
    event = designated(log)
    log.decide(E.APPROVED, log.correct(event, 5, by="binh"), "an")
    assert log.status(4) is Status.NOT_LISTED


def test_what_is_sent_back_is_sent_back_with_a_reason(log: Log) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    assert log.refusal(E.SENT_BACK, event, "binh", " ").reason == "decision_without_reason"


@pytest.mark.parametrize("first", [E.APPROVED, E.SENT_BACK])
def test_what_was_decided_is_not_decided_again(log: Log, first: E) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    decided = log.decide(first, event, "binh", "seen")
    for again in (E.APPROVED, E.SENT_BACK, E.TAKEN_BACK):
        assert log.refusal(again, event, "chi", "seen").reason == "unknown_pending"
    assert log.refusal(E.APPROVED, decided, "chi").reason == "unknown_pending"


def test_only_an_event_that_waits_is_decided_on(log: Log) -> None:
    event = log.record(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    assert log.refusal(E.APPROVED, event, "binh").reason == "unknown_pending"
    assert log.refusal(E.APPROVED, "elsewhere", "binh").reason == "unknown_pending"


def test_a_decision_is_checked_as_one_wherever_it_is_checked(log: Log) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    own = replace(event, event_id="e2", seq=2, type=E.APPROVED, about="e1", needs_approval=False)
    with pytest.raises(MoveRefused) as refused:
        check_move(log.events, own)
    assert refused.value.reason == "self_approval"
    state = check_move(log.events, replace(own, recorded_by="binh"))
    assert state.status is Status.DESIGNATED
    with pytest.raises(ValueError, match="not a decision"):
        check_decision(log.events, replace(own, type=E.INSPECTED))


# -- what fits


def test_a_new_event_may_build_on_one_that_waits(log: Log) -> None:
    first = log.propose(E.PROPOSED, 0, plan_year=2024, place=PLACE)
    second = log.propose(E.APPRAISED, 10)
    assert pending(log.events) == [first, second]
    with pytest.raises(MoveRefused) as refused:  # the proposal that waits is there
        log.propose(E.PROPOSED, 20, plan_year=2024, place=PLACE)
    assert refused.value.facts["status"] is Status.APPRAISED


def test_what_comes_before_is_approved_first(log: Log) -> None:
    first = log.propose(E.PROPOSED, 0, plan_year=2024, place=PLACE)
    second = log.propose(E.APPRAISED, 10)
    refused = log.refusal(E.APPROVED, second, "binh")
    assert refused.reason == "approve_earlier_first"
    assert (refused.facts["event"], refused.facts["on"]) == (E.APPRAISED, date(2024, 1, 11))
    log.decide(E.APPROVED, first, "binh")
    log.decide(E.APPROVED, second, "binh")
    assert log.status() is Status.APPRAISED


def test_what_became_impossible_stays_pending_and_is_refused_with_the_reason(log: Log) -> None:
    first = log.propose(E.PROPOSED, 0, plan_year=2024, place=PLACE)
    second = log.propose(E.APPRAISED, 10)
    log.decide(E.SENT_BACK, first, "binh", "not this year")
    refused = log.refusal(E.APPROVED, second, "binh")
    assert refused.reason == "move_not_allowed"
    assert refused.facts["status"] is Status.NOT_LISTED
    assert pending(log.events) == [second]
    assert foreseen(log.events) == []
    log.decide(E.TAKEN_BACK, second, "an")
    assert pending(log.events) == []


def test_what_became_impossible_stands_in_nobodys_way(log: Log) -> None:
    designated(log)
    start = log.propose(E.WORK_STARTED, 10)
    assessed = log.propose(E.ASSESSED_TRANSFORMED, 20)
    log.decide(E.SENT_BACK, start, "binh", "work has not begun")
    withdrawal = log.propose(E.WITHDRAWN, 30)
    assert ids(pending(log.events)) == [assessed.event_id, withdrawal.event_id]
    log.decide(E.APPROVED, withdrawal, "binh")
    assert log.status() is Status.WITHDRAWN


def test_what_became_impossible_may_become_possible_again(log: Log) -> None:
    designated(log)
    start = log.propose(E.WORK_STARTED, 10)
    assessed = log.propose(E.ASSESSED_TRANSFORMED, 20)
    log.decide(E.SENT_BACK, start, "binh", "another day")
    again = log.propose(E.WORK_STARTED, 12)
    assert [event.type for event in foreseen(log.events)][1:] == [
        E.WORK_STARTED,
        E.ASSESSED_TRANSFORMED,
    ]
    log.decide(E.APPROVED, again, "binh")
    log.decide(E.APPROVED, assessed, "binh")
    assert log.status() is Status.TRANSFORMED


def test_a_later_entry_may_make_an_earlier_one_possible_while_a_third_is_not(log: Log) -> None:
    designated(log)
    start = log.propose(E.WORK_STARTED, 10)
    assessed = log.propose(E.ASSESSED_TRANSFORMED, 20)
    log.decide(E.SENT_BACK, start, "binh", "not begun")
    other = log.propose(E.WITHDRAWN, 15)
    again = log.propose(E.WORK_STARTED, 12)  # now the withdrawal or the assessment, not both
    assert ids(foreseen(log.events)) == ["e1", again.event_id, other.event_id]
    log.decide(E.TAKEN_BACK, other, "an")
    assert ids(foreseen(log.events)) == ["e1", again.event_id, assessed.event_id]


def test_an_event_that_counts_at_once_must_hold_without_what_waits(log: Log) -> None:
    log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    with pytest.raises(MoveRefused) as refused:
        log.record(E.INSPECTED, 10)
    assert refused.value.reason == "move_not_allowed"
    log.decide(E.APPROVED, log.events[0], "binh")
    log.record(E.INSPECTED, 10)


def test_the_state_to_come_counts_what_waits(log: Log) -> None:
    designated(log)
    log.propose(E.WORK_STARTED, 10)
    state = state_of("h", log.events, date.max, with_pending=True)
    assert (state.status, log.status()) == (Status.IN_PROGRESS, Status.DESIGNATED)


def test_a_history_never_begins_without_its_ward(log: Log) -> None:
    first = log.propose(E.PROPOSED, 0, plan_year=2024, place=PLACE)
    gone = log.propose(E.WITHDRAWN, 10)
    again = log.propose(E.PROPOSED, 20, plan_year=2025)  # builds on the ward of the first
    log.decide(E.SENT_BACK, first, "binh", "twice")
    log.decide(E.SENT_BACK, gone, "binh", "twice")
    assert log.refusal(E.APPROVED, again, "binh").reason == "place_missing"
    with pytest.raises(MoveRefused) as refused:
        log.propose(E.PROPOSED, 30, plan_year=2025)
    assert refused.value.reason == "place_missing"
    log.propose(E.PROPOSED, 30, plan_year=2025, place=OTHER)


# -- corrections


def test_a_correction_has_no_effect_before_it_is_approved(log: Log) -> None:
    event = designated(log)
    correction = log.correct(event, 5)
    assert log.status(0) is Status.DESIGNATED
    log.decide(E.APPROVED, correction, "binh")
    assert (log.status(4), log.status(5)) == (Status.NOT_LISTED, Status.DESIGNATED)


def test_a_chain_of_corrections_resolves_to_its_last_approved_link(log: Log) -> None:
    event = designated(log)
    first = log.correct(event, 5)
    log.decide(E.APPROVED, first, "binh")
    second = log.correct(first, 9)
    log.decide(E.SENT_BACK, second, "binh", "the first was right")
    third = log.correct(first, 7)
    log.decide(E.APPROVED, third, "binh")
    log.correct(event, 8)
    assert state_of("h", log.events, date.max).since == START + timedelta(days=7)


def test_what_waits_is_not_corrected_but_taken_back(log: Log) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    with pytest.raises(MoveRefused) as refused:
        log.correct(event, 5)
    assert refused.value.reason == "correction_of_pending"
    assert refused.value.facts == {"hotspot": "h", "event": E.DESIGNATED, "by": "an"}


@pytest.mark.parametrize("at_once", [False, True])
def test_an_event_has_one_waiting_correction_at_a_time(log: Log, at_once: bool) -> None:
    event = designated(log)
    first = log.correct(event, 5)
    for of in (event, first):
        with pytest.raises(MoveRefused) as refused:
            log.correct(of, 7, by="chi", needs_approval=not at_once)
        assert refused.value.reason == "correction_of_pending"
        assert refused.value.facts["event"] is E.CORRECTED
    log.decide(E.TAKEN_BACK, first, "an")
    log.correct(event, 7, by="chi")


@pytest.mark.parametrize(("decision", "by"), [(E.SENT_BACK, "binh"), (E.TAKEN_BACK, "an")])
def test_what_never_counted_cannot_be_corrected_nor_can_a_decision(
    log: Log, decision: E, by: str
) -> None:
    event = log.propose(E.DESIGNATED, 0, plan_year=2024, place=PLACE)
    decided = log.decide(decision, event, by, "no")
    for of in (event, decided):
        with pytest.raises(MoveRefused) as refused:
            log.correct(of, 5)
        assert refused.value.reason == "nothing_to_correct"


def test_a_struck_event_is_there_until_the_strike_is_approved(log: Log) -> None:
    event = designated(log)
    strike = log.correct(event, 0, strikes=True)
    assert log.status() is Status.DESIGNATED
    log.decide(E.APPROVED, strike, "binh")
    assert log.status() is Status.NOT_LISTED


def test_a_correction_that_no_longer_fits_is_refused_when_it_is_to_be_approved(log: Log) -> None:
    event = designated(log)
    start = log.approved(E.WORK_STARTED, 10)
    later_start = log.correct(start, 22)
    later_list = log.correct(event, 20)  # fits only if the work began later too
    assert log.refusal(E.APPROVED, later_list, "binh").reason == "approve_earlier_first"
    log.decide(E.SENT_BACK, later_start, "binh", "the report says the 10th")
    refused = log.refusal(E.APPROVED, later_list, "binh")
    assert refused.reason == "move_not_allowed"
    assert refused.facts["event"] is E.WORK_STARTED


# -- what holds for every log


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """What three people tried to write and the rules let them."""
    log = Log()
    for _ in range(draw(st.integers(1, 24))):
        by = draw(st.sampled_from(["an", "binh", "chi"]))
        waiting = pending(log.events)
        try:
            if waiting and draw(st.booleans()):
                kind = draw(st.sampled_from([E.APPROVED, E.APPROVED, E.SENT_BACK, E.TAKEN_BACK]))
                log.decide(kind, draw(st.sampled_from(waiting)), by, "seen")
            elif log.events and draw(st.integers(0, 3)) == 0:
                of, day = draw(st.sampled_from(log.events)), draw(st.integers(0, 60))
                log.correct(of, day, by, strikes=draw(st.booleans()))
            else:
                status = state_of("h", log.events, date.max, with_pending=True).status
                log.write(
                    draw(st.sampled_from(sorted(MOVES[status]))),
                    draw(st.integers(0, 60)),
                    by,
                    needs_approval=draw(st.integers(0, 3)) > 0,
                    plan_year=2024 + len(log.events),
                    place=PLACE,
                )
        except MoveRefused:
            continue
    return log.events


DAYS = st.dates(START, START + timedelta(days=70))


@given(logs(), DAYS)
@settings(max_examples=150, deadline=None)
def test_what_is_recorded_or_decided_later_never_changes_an_earlier_belief(
    events: list[Event], day: date
) -> None:
    for count, last in enumerate(events, start=1):
        then, moment = events[:count], last.recorded_at
        assert state_of("h", events, day, moment) == state_of("h", then, day)
        assert resolve(events, moment) == resolve(then)
        assert pending(events, moment) == pending(then)
        assert foreseen(events, moment) == foreseen(then)


@given(logs(), st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_in_which_a_log_is_read_makes_no_difference(
    events: list[Event], random: Random
) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)
    assert resolve(shuffled) == resolve(events)
    assert pending(shuffled) == pending(events)
    assert foreseen(shuffled) == foreseen(events)


@given(logs())
@settings(max_examples=50, deadline=None)
def test_two_people_stand_behind_every_event_that_needed_it(events: list[Event]) -> None:
    believed, waiting = set(ids(resolve(events))), pending(events)
    for event in events:
        decision = decision_of(events, event.event_id)
        assert (event in waiting) == (event.needs_approval and decision is None)
        if decision is not None:
            own = decision.recorded_by == event.recorded_by
            assert own == (decision.type is E.TAKEN_BACK)
        if event.needs_approval and (decision is None or decision.type is not E.APPROVED):
            assert event.event_id not in believed
        if event.type in DECISIONS:
            assert event.event_id not in believed
