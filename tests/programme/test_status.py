"""The status as a fold over dated events: moves, order, corrections, knowledge, watches."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import MoveRefused
from hotspots.programme.status import (
    DECISIONS,
    MOVES,
    STAGES,
    Event,
    HotspotState,
    Place,
    Status,
    allowed_events,
    check_move,
    resolve,
    state_of,
)
from hotspots.programme.status import EventType as E

START = date(2024, 1, 1)
PLACE = Place("00001", "2025-07-01", "Phường Một", frozenset({1, 3}))
WATCH_MONTHS = 12

# The table of moves as it was drawn, one line a status: event > next status.
TABLE = """
not_listed       Proposed > proposed, Designated > designated
proposed         Appraised > appraised, Withdrawn > withdrawn
appraised        Designated > designated, Withdrawn > withdrawn
designated       WorkStarted > in_progress, Inspected > designated, \
AlarmAcknowledged > designated, Withdrawn > withdrawn
in_progress      Inspected > in_progress, AlarmAcknowledged > in_progress, \
AssessedTransformed > transformed, AssessedNotTransformed > not_transformed, Withdrawn > withdrawn
not_transformed  Inspected > not_transformed, AlarmAcknowledged > not_transformed, \
CarriedOver > carried_over, Withdrawn > withdrawn
carried_over     WorkStarted > in_progress, Inspected > carried_over, \
AlarmAcknowledged > carried_over, AssessedTransformed > transformed, \
AssessedNotTransformed > not_transformed, Withdrawn > withdrawn
transformed      Inspected > transformed, AlarmAcknowledged > transformed, Released > released, \
Relapsed > relapsed
released         Inspected > released, AlarmAcknowledged > released, Relapsed > relapsed
relapsed         Inspected > relapsed, AlarmAcknowledged > relapsed, Proposed > proposed, \
Designated > designated
withdrawn        Proposed > proposed
"""

# The shortest way to each status.
WAY_TO = {
    Status.NOT_LISTED: [],
    Status.PROPOSED: [E.PROPOSED],
    Status.APPRAISED: [E.PROPOSED, E.APPRAISED],
    Status.DESIGNATED: [E.DESIGNATED],
    Status.IN_PROGRESS: [E.DESIGNATED, E.WORK_STARTED],
    Status.NOT_TRANSFORMED: [E.DESIGNATED, E.WORK_STARTED, E.ASSESSED_NOT_TRANSFORMED],
    Status.CARRIED_OVER: [
        E.DESIGNATED,
        E.WORK_STARTED,
        E.ASSESSED_NOT_TRANSFORMED,
        E.CARRIED_OVER,
    ],
    Status.TRANSFORMED: [E.DESIGNATED, E.WORK_STARTED, E.ASSESSED_TRANSFORMED],
    Status.RELEASED: [E.DESIGNATED, E.WORK_STARTED, E.ASSESSED_TRANSFORMED, E.RELEASED],
    Status.RELAPSED: [E.DESIGNATED, E.WORK_STARTED, E.ASSESSED_TRANSFORMED, E.RELAPSED],
    Status.WITHDRAWN: [E.PROPOSED, E.WITHDRAWN],
}


def event(
    number: int,
    kind: E,
    on: date,
    *,
    plan_year: int | None = None,
    place: Place | None = None,
    corrects: str | None = None,
    corrected_type: E | None = None,
    strikes: bool = False,
    note: str = "",
) -> Event:
    """The event written `number`-th, on the `number`-th day after the start."""
    return Event(
        event_id=f"e{number}",
        hotspot="h",
        type=kind,
        effective_on=on,
        recorded_at=datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=number),
        recorded_by="a",
        seq=number,
        note="seen" if kind is E.ALARM_ACKNOWLEDGED else note,
        plan_year=plan_year,
        place=place,
        evidence={"alarms": {"risk": "red"}} if kind is E.ALARM_ACKNOWLEDGED else {},
        corrects=corrects,
        corrected_type=corrected_type,
        strikes=strikes,
    )


def history(*kinds: E, days_apart: int = 10) -> list[Event]:
    """Events in a row, ten days apart, each list a year later than the one before."""
    events: list[Event] = []
    for number, kind in enumerate(kinds, start=1):
        on = START + timedelta(days=days_apart * (number - 1))
        place = PLACE if number == 1 else None
        events.append(event(number, kind, on, plan_year=2023 + number, place=place))
    return events


def correction(number: int, of: Event | str, on: date, **content: object) -> Event:
    name = of if isinstance(of, str) else of.event_id
    return event(number, E.CORRECTED, on, corrects=name, note="misread", **content)  # type: ignore[arg-type]


def status(events: list[Event], on: date, known_on: datetime | None = None) -> Status:
    return state_of("h", events, on, known_on).status


# -- the table of moves


def test_the_moves_are_those_of_the_drawn_table() -> None:
    drawn = {}
    for line in TABLE.strip().splitlines():
        name, _, moves = line.partition(" ")
        pairs = [move.strip().split(" > ") for move in moves.split(",")]
        drawn[Status(name)] = {E(kind): Status(after) for kind, after in pairs}
    assert {before: dict(moves) for before, moves in MOVES.items()} == drawn


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("kind", sorted(set(E) - DECISIONS - {E.CORRECTED}))
def test_every_pair_of_status_and_event_is_moved_or_refused(before: Status, kind: E) -> None:
    events = history(*WAY_TO[before])
    number = len(events) + 1
    new = event(number, kind, date(2024, 12, 1), plan_year=2040, place=PLACE)
    if kind in MOVES[before]:
        assert check_move(events, new).status is MOVES[before][kind]
        return
    with pytest.raises(MoveRefused) as refused:
        check_move(events, new)
    assert refused.value.reason == "move_not_allowed"
    assert refused.value.facts["status"] == before
    assert refused.value.facts["allowed"] == allowed_events(before)
    for allowed in MOVES[before]:
        assert allowed in str(refused.value)


def test_every_status_is_reached_and_no_status_is_a_dead_end() -> None:
    assert {status(history(*way), date.max) for way in WAY_TO.values()} == set(Status)
    assert all(MOVES[each] for each in Status)


def test_every_status_has_a_stage() -> None:
    for way in WAY_TO.values():
        assert state_of("h", history(*way), date(2024, 6, 1)).stage(WATCH_MONTHS) in STAGES


@pytest.mark.parametrize("kind", [E.PROPOSED, E.DESIGNATED])
def test_a_list_needs_its_plan_year(kind: E) -> None:
    with pytest.raises(MoveRefused) as refused:
        check_move([], event(1, kind, START, place=PLACE))
    assert refused.value.reason == "plan_year_missing"


def test_a_carry_over_needs_its_plan_year() -> None:
    events = history(*WAY_TO[Status.NOT_TRANSFORMED])
    with pytest.raises(MoveRefused) as refused:
        check_move(events, event(9, E.CARRIED_OVER, date(2025, 1, 2)))
    assert refused.value.reason == "plan_year_missing"


def test_the_first_event_must_name_the_ward() -> None:
    with pytest.raises(MoveRefused) as refused:
        check_move([], event(1, E.DESIGNATED, START, plan_year=2024))
    assert refused.value.reason == "place_missing"


def test_a_hotspot_is_on_the_list_of_a_year_once() -> None:
    events = history(*WAY_TO[Status.RELAPSED])
    with pytest.raises(MoveRefused) as refused:
        check_move(events, event(9, E.DESIGNATED, date(2025, 1, 2), plan_year=2024))
    assert refused.value.reason == "already_in_plan"


# -- days and order


def test_before_its_first_event_a_hotspot_is_not_listed() -> None:
    assert status(history(E.DESIGNATED), START - timedelta(days=1)) is Status.NOT_LISTED
    assert status(history(E.DESIGNATED), START) is Status.DESIGNATED


def test_the_status_holds_from_the_day_of_its_event() -> None:
    events = history(*WAY_TO[Status.RELAPSED])
    found = [status(events, START + timedelta(days=day)) for day in (0, 9, 10, 20, 29, 30)]
    assert found == [
        Status.DESIGNATED,
        Status.DESIGNATED,
        Status.IN_PROGRESS,
        Status.TRANSFORMED,
        Status.TRANSFORMED,
        Status.RELAPSED,
    ]


def test_an_inspection_is_remembered_and_moves_nothing() -> None:
    events = history(E.DESIGNATED, E.INSPECTED)
    state = state_of("h", events, date(2024, 2, 1))
    assert (state.status, state.since) == (Status.DESIGNATED, START)
    assert state.last_inspected_on == START + timedelta(days=10)


def test_an_event_written_late_takes_its_place_by_its_day() -> None:
    events = [
        event(1, E.DESIGNATED, date(2024, 1, 1), plan_year=2024, place=PLACE),
        event(2, E.WORK_STARTED, date(2024, 2, 1)),
        event(3, E.ASSESSED_TRANSFORMED, date(2024, 12, 1)),
        event(4, E.INSPECTED, date(2024, 6, 1)),
    ]
    check_move(events[:3], events[3])
    assert [each.event_id for each in resolve(events)] == ["e1", "e2", "e4", "e3"]
    assert status(events, date(2024, 12, 2)) is Status.TRANSFORMED


def test_an_event_written_late_is_refused_if_what_came_after_would_break() -> None:
    events = history(*WAY_TO[Status.TRANSFORMED])
    with pytest.raises(MoveRefused) as refused:
        check_move(events, event(9, E.WITHDRAWN, START + timedelta(days=5)))
    assert refused.value.facts["event"] == E.WORK_STARTED
    assert refused.value.facts["status"] == Status.WITHDRAWN


def test_events_of_one_day_stand_in_the_order_of_writing() -> None:
    events = history(*WAY_TO[Status.RELEASED], days_apart=0)
    assert status(events, START) is Status.RELEASED


def test_a_plan_year_on_another_event_changes_no_list() -> None:
    events = [*history(E.DESIGNATED), event(2, E.WORK_STARTED, date(2024, 3, 1), plan_year=2030)]
    assert state_of("h", events, date(2024, 4, 1)).plan_year == 2024


# -- corrections


def test_a_corrected_day_moves_the_event() -> None:
    first = event(1, E.DESIGNATED, date(2024, 3, 5), plan_year=2024, place=PLACE)
    events = [first, correction(2, first, date(2024, 3, 15))]
    assert status(events, date(2024, 3, 10)) is Status.NOT_LISTED
    assert status(events, date(2024, 3, 15)) is Status.DESIGNATED
    assert state_of("h", events, date(2024, 4, 1)).since == date(2024, 3, 15)


def test_a_corrected_type_and_plan_year_take_the_place_of_the_old() -> None:
    events = history(*WAY_TO[Status.TRANSFORMED])
    events.append(
        correction(9, events[2], events[2].effective_on, corrected_type=E.ASSESSED_NOT_TRANSFORMED)
    )
    events.append(correction(10, events[0], events[0].effective_on, plan_year=2023))
    state = state_of("h", events, date(2024, 6, 1))
    assert state.status is Status.NOT_TRANSFORMED
    assert [each.plan_year for each in state.enrolments] == [2023]
    assert state.place == PLACE


def test_a_struck_event_is_ignored_and_stays_in_the_log() -> None:
    events = history(*WAY_TO[Status.RELAPSED])
    events.append(correction(9, events[3], START, strikes=True))
    assert status(events, date(2024, 6, 1)) is Status.TRANSFORMED
    assert len(events) == 5


def test_a_correction_of_a_correction_resolves_to_the_last_of_the_chain() -> None:
    first = event(1, E.DESIGNATED, date(2024, 3, 5), plan_year=2024, place=PLACE)
    second = correction(2, first, date(2024, 3, 15))
    third = correction(3, second, date(2024, 3, 25))
    fourth = correction(4, first, date(2024, 3, 28))
    events = [first, second, third]
    assert state_of("h", events, date(2024, 4, 1)).since == date(2024, 3, 25)
    assert state_of("h", [*events, fourth], date(2024, 4, 1)).since == date(2024, 3, 28)


def test_a_second_correction_keeps_what_the_first_put_right() -> None:
    first = event(1, E.DESIGNATED, date(2024, 3, 5), plan_year=2023, place=PLACE)
    year = correction(2, first, first.effective_on, plan_year=2024)
    day = correction(3, first, date(2024, 3, 15))
    state = state_of("h", [first, year, day], date(2024, 4, 1))
    assert (state.plan_year, state.since) == (2024, date(2024, 3, 15))


def test_correcting_a_strike_brings_the_event_back_as_it_was_believed() -> None:
    first = event(1, E.DESIGNATED, date(2024, 3, 5), plan_year=2023, place=PLACE)
    year = correction(2, first, first.effective_on, plan_year=2024)
    strike = correction(3, first, first.effective_on, strikes=True)
    back = correction(4, strike, first.effective_on)
    assert status([first, year, strike], date(2024, 4, 1)) is Status.NOT_LISTED
    state = state_of("h", [first, year, strike, back], date(2024, 4, 1))
    assert (state.status, state.plan_year) == (Status.DESIGNATED, 2024)


def test_a_correction_that_breaks_the_history_is_refused() -> None:
    events = history(*WAY_TO[Status.TRANSFORMED])
    with pytest.raises(MoveRefused) as refused:
        check_move(events, correction(9, events[1], START, strikes=True))
    assert refused.value.reason == "move_not_allowed"


def test_a_correction_needs_an_event_of_the_hotspot_and_a_reason() -> None:
    events = history(E.DESIGNATED)
    with pytest.raises(MoveRefused) as refused:
        check_move(events, correction(2, "elsewhere", START))
    assert refused.value.reason == "nothing_to_correct"
    with pytest.raises(MoveRefused) as refused:
        check_move(events, event(2, E.CORRECTED, START, corrects="e1", note="  "))
    assert refused.value.reason == "correction_without_reason"


@pytest.mark.parametrize("kind", sorted(DECISIONS | {E.CORRECTED}))
def test_an_event_cannot_be_corrected_into_a_correction_or_a_decision(kind: E) -> None:
    events = history(E.DESIGNATED)
    with pytest.raises(MoveRefused):
        check_move(events, correction(2, events[0], START, corrected_type=kind))


def test_a_hotspot_whose_only_event_was_struck_begins_anew_with_its_ward() -> None:
    first = history(E.DESIGNATED)[0]
    events = [first, correction(2, first, START, strikes=True)]
    with pytest.raises(MoveRefused) as refused:
        check_move(events, event(3, E.DESIGNATED, START, plan_year=2024))
    assert refused.value.reason == "place_missing"
    other = Place("00002", "2025-07-01", "Phường Hai")
    state = check_move(events, event(3, E.DESIGNATED, START, plan_year=2024, place=other))
    assert state.place == other


# -- what was believed on a day


def test_a_past_day_keeps_its_status_after_later_events() -> None:
    events = history(*WAY_TO[Status.RELAPSED])
    day = START + timedelta(days=15)
    assert {status(events[:count], day) for count in (2, 3, 4)} == {Status.IN_PROGRESS}


def test_after_a_correction_the_old_belief_can_still_be_asked_for() -> None:
    events = history(*WAY_TO[Status.TRANSFORMED])
    day, before = date(2024, 6, 1), events[-1].recorded_at
    events.append(
        correction(9, events[2], events[2].effective_on, corrected_type=E.ASSESSED_NOT_TRANSFORMED)
    )
    assert status(events, day, before) is Status.TRANSFORMED
    assert status(events, day, events[-1].recorded_at) is Status.NOT_TRANSFORMED
    assert status(events, day) is Status.NOT_TRANSFORMED


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events that the rules allowed one after the other, in any order of days, with corrections."""
    events: list[Event] = []
    for number in range(1, draw(st.integers(1, 14)) + 1):
        on = START + timedelta(days=draw(st.integers(0, 60)))
        if events and draw(st.integers(0, 3)) == 0:
            of = draw(st.sampled_from(events))
            kind = draw(st.sampled_from([None, *E]))
            new = correction(
                number, of, on, corrected_type=kind, strikes=draw(st.booleans()), plan_year=None
            )
        else:
            kinds = sorted(MOVES[status(events, on)])
            new = event(
                number, draw(st.sampled_from(kinds)), on, plan_year=2023 + number, place=PLACE
            )
        try:
            check_move(events, new)
        except MoveRefused:
            continue
        events.append(new)
    return events


DAYS = st.dates(START, START + timedelta(days=70))


@given(histories(), DAYS)
@settings(max_examples=200)
def test_later_knowledge_never_changes_an_earlier_belief(events: list[Event], day: date) -> None:
    for count, last in enumerate(events, start=1):
        believed_then = state_of("h", events[:count], day)
        assert state_of("h", events, day, last.recorded_at) == believed_then


@given(histories(), DAYS, st.randoms())
def test_the_order_in_which_the_log_is_read_makes_no_difference(
    events: list[Event], day: date, random: object
) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert state_of("h", shuffled, day) == state_of("h", events, day)


@given(histories())
def test_a_checked_log_can_be_asked_about_any_day_and_moment(events: list[Event]) -> None:
    for each in events:
        for moment in (None, each.recorded_at):
            state = state_of("h", events, each.effective_on, moment)
            assert isinstance(state.status, Status)


@given(histories(), DAYS)
def test_events_after_a_day_change_nothing_of_that_day(events: list[Event], day: date) -> None:
    before = [each for each in resolve(events) if each.effective_on <= day]
    assert state_of("h", before, day) == state_of("h", events, day)


@given(histories())
def test_every_transformation_is_watched_and_belongs_to_a_year_on_the_list(
    events: list[Event],
) -> None:
    state = state_of("h", events, date.max)
    recognised = [each for each in resolve(events) if each.type is E.ASSESSED_TRANSFORMED]
    assert len(state.watches) == len(recognised)
    assert {watch.plan_year for watch in state.watches} <= {
        each.plan_year for each in state.enrolments if each.outcome == "transformed"
    }
    years = [each.plan_year for each in state.enrolments]
    assert len(years) == len(set(years))


# -- lists and watches


def test_a_carried_over_hotspot_is_on_both_lists() -> None:
    events = history(*WAY_TO[Status.CARRIED_OVER], E.ASSESSED_TRANSFORMED)
    first, second = state_of("h", events, date(2025, 6, 1)).enrolments
    assert (first.outcome, first.carried_over) == ("not_transformed", False)
    assert (second.outcome, second.carried_over) == ("transformed", True)
    assert second.outcome_on == START + timedelta(days=40)


def test_a_withdrawn_hotspot_leaves_its_list_withdrawn() -> None:
    events = history(E.DESIGNATED, E.WITHDRAWN)
    assert [each.outcome for each in state_of("h", events, date.max).enrolments] == ["withdrawn"]


def test_withdrawing_after_the_assessment_leaves_the_assessment() -> None:
    events = history(*WAY_TO[Status.NOT_TRANSFORMED], E.WITHDRAWN)
    state = state_of("h", events, date.max)
    assert [each.outcome for each in state.enrolments] == ["not_transformed"]


def test_a_proposal_puts_nobody_on_a_list() -> None:
    assert state_of("h", history(E.PROPOSED, E.APPRAISED), date.max).enrolments == ()


def transformed_on(day: date) -> list[Event]:
    return [
        event(1, E.DESIGNATED, date(2023, 2, 1), plan_year=2023, place=PLACE),
        event(2, E.WORK_STARTED, date(2023, 3, 1)),
        event(3, E.ASSESSED_TRANSFORMED, day),
    ]


# Civil Code 2015 of Viet Nam, article 148 (3): the period ends at the end of the corresponding day
# (thuvienphapluat.vn/hoi-dap-phap-luat/3896F), so that day still belongs to the watch.
@pytest.mark.parametrize(
    ("transformed", "months", "last_day"),
    [
        (date(2023, 12, 18), 12, date(2024, 12, 18)),
        (date(2023, 8, 31), 6, date(2024, 2, 29)),
    ],
)
def test_the_last_day_of_the_watch_is_watched_and_the_day_after_is_not(
    transformed: date, months: int, last_day: date
) -> None:
    def on(day: date) -> HotspotState:
        return state_of("h", transformed_on(transformed), day)

    assert on(transformed - timedelta(days=1)).under_watch(months) is None
    assert on(transformed).stage(months) == "under_watch"
    watch = on(last_day).under_watch(months)
    assert watch is not None
    assert watch.watched_until(months) == last_day
    assert not watch.completed(last_day, months)
    assert on(last_day).stage(months) == "under_watch"
    after = last_day + timedelta(days=1)
    assert on(after).under_watch(months) is None
    assert watch.completed(after, months)
    assert on(after).stage(months) == "stable"


def test_a_released_hotspot_is_watched_on() -> None:
    events = [*transformed_on(date(2023, 12, 18)), event(4, E.RELEASED, date(2024, 1, 20))]
    state = state_of("h", events, date(2024, 3, 1))
    watch = state.under_watch(WATCH_MONTHS)
    assert watch is not None
    assert watch.released_on == date(2024, 1, 20)


def test_a_relapse_ends_the_watch_on_its_day() -> None:
    events = [*transformed_on(date(2023, 12, 18)), event(4, E.RELAPSED, date(2024, 5, 2))]
    state = state_of("h", events, date(2024, 5, 2))
    assert state.under_watch(WATCH_MONTHS) is None
    assert state.stage(WATCH_MONTHS) == "relapsed"
    assert state.watches[0].relapsed_on == date(2024, 5, 2)
    assert state_of("h", events, date(2024, 5, 1)).under_watch(WATCH_MONTHS) is not None


def test_a_hotspot_proposed_anew_is_not_watched_for_the_old_transformation() -> None:
    events = [
        *transformed_on(date(2023, 12, 18)),
        event(4, E.RELEASED, date(2024, 1, 20)),
        event(5, E.RELAPSED, date(2024, 1, 25)),
        event(6, E.PROPOSED, date(2024, 2, 1), plan_year=2024),
    ]
    state = state_of("h", events, date(2024, 3, 1))
    assert state.under_watch(WATCH_MONTHS) is None
    assert state.stage(WATCH_MONTHS) == "proposed"
    assert len(state.watches) == 1


def test_a_watched_area_is_not_proposed_before_its_relapse_is_recorded() -> None:
    events = [*transformed_on(date(2023, 12, 18)), event(4, E.RELEASED, date(2024, 1, 20))]
    with pytest.raises(MoveRefused) as refused:
        check_move(events, event(5, E.PROPOSED, date(2024, 2, 1), plan_year=2024))
    assert refused.value.facts["allowed"] == (E.INSPECTED, E.ALARM_ACKNOWLEDGED, E.RELAPSED)


def test_a_second_transformation_is_watched_by_itself() -> None:
    events = [
        *transformed_on(date(2023, 6, 1)),
        event(4, E.RELAPSED, date(2023, 9, 1)),
        event(5, E.DESIGNATED, date(2024, 2, 1), plan_year=2024),
        event(6, E.WORK_STARTED, date(2024, 3, 1)),
        event(7, E.ASSESSED_TRANSFORMED, date(2024, 12, 1)),
    ]
    first, second = state_of("h", events, date(2024, 12, 31)).watches
    assert (first.plan_year, first.relapsed_on) == (2023, date(2023, 9, 1))
    assert (second.plan_year, second.relapsed_on) == (2024, None)
