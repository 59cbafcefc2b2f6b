"""An acknowledged alarm: what it must say, that it moves nothing, and when it is open again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from hotspots.errors import MoveRefused
from hotspots.programme.acknowledgement import (
    REOPENS_AFTER_DAYS,
    Acknowledgement,
    acknowledged,
    acknowledgement_evidence,
    is_open,
)
from hotspots.programme.status import (
    ALARM_LEVELS,
    MOVES,
    Event,
    Place,
    Status,
    check_move,
    state_of,
)
from hotspots.programme.status import EventType as E

TRANSFORMED_ON = date(2024, 12, 18)
SEEN_ON = date(2025, 3, 3)
EVIDENCE = acknowledgement_evidence({"risk": "amber", "jump": "note"}, 0.41)


def event(number: int, kind: E, on: date, **content: object) -> Event:
    return Event(
        event_id=f"e{number}",
        hotspot="h",
        type=kind,
        effective_on=on,
        recorded_at=datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number),
        recorded_by="an",
        seq=number,
        **content,  # type: ignore[arg-type]
    )


def watched() -> list[Event]:
    place = Place("00001", "2025-07-01", "Phường Một")
    return [
        event(1, E.DESIGNATED, date(2024, 1, 2), plan_year=2024, place=place),
        event(2, E.WORK_STARTED, date(2024, 2, 1)),
        event(3, E.ASSESSED_TRANSFORMED, TRANSFORMED_ON),
    ]


def acknowledgement(number: int = 4, on: date = SEEN_ON, **content: object) -> Event:
    given = {"note": "patrols at night", "evidence": EVIDENCE} | content
    return event(number, E.ALARM_ACKNOWLEDGED, on, **given)


def test_it_moves_nothing_and_is_no_inspection() -> None:
    state = check_move(watched(), acknowledgement())
    assert (state.status, state.since) == (Status.TRANSFORMED, TRANSFORMED_ON)
    assert state.last_inspected_on is None


def test_it_is_allowed_wherever_an_inspection_is() -> None:
    for moves in MOVES.values():
        assert (E.ALARM_ACKNOWLEDGED in moves) == (E.INSPECTED in moves)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"note": "  "}, "acknowledgement_without_note"),
        ({"evidence": {}}, "acknowledgement_without_alarms"),
        ({"evidence": {"alarms": {}}}, "acknowledgement_without_alarms"),
        ({"evidence": {"alarms": ["risk"]}}, "acknowledgement_without_alarms"),
        ({"evidence": {"alarms": {"risk": "purple"}}}, "acknowledgement_without_alarms"),
    ],
)
def test_it_says_which_alarms_it_is_about_and_what_is_done(
    content: dict[str, object], reason: str
) -> None:
    with pytest.raises(MoveRefused) as refused:
        check_move(watched(), acknowledgement(**content))
    assert refused.value.reason == reason


def test_an_inspection_cannot_be_corrected_into_one_that_names_no_alarm() -> None:
    events = [*watched(), event(4, E.INSPECTED, SEEN_ON, note="quiet")]
    correction = event(
        5, E.CORRECTED, SEEN_ON, corrects="e4", corrected_type=E.ALARM_ACKNOWLEDGED, note="misread"
    )
    with pytest.raises(MoveRefused, match="must name the alarms"):
        check_move(events, correction)


def test_the_last_acknowledgement_of_each_alarm_is_told_with_its_level_then() -> None:
    later = acknowledgement(5, date(2025, 5, 5), evidence={"alarms": {"risk": "red"}}, note="more")
    events = [*watched(), acknowledgement(), later]
    found = acknowledged(events, date(2025, 6, 1))
    assert (found["risk"].level, found["risk"].on, found["risk"].p6) == (
        "red",
        later.effective_on,
        None,
    )
    assert (found["jump"].level, found["jump"].note, found["jump"].p6) == (
        "note",
        "patrols at night",
        0.41,
    )
    before = acknowledged(events, date(2025, 5, 4))
    assert before["risk"].level == "amber"
    assert acknowledged(events, SEEN_ON - timedelta(days=1)) == {}
    assert acknowledged(events, date.max, known_on=events[2].recorded_at) == {}


def test_one_that_was_struck_out_is_none() -> None:
    struck = event(5, E.CORRECTED, SEEN_ON, corrects="e4", strikes=True, note="another hotspot")
    assert acknowledged([*watched(), acknowledgement(), struck], date.max) == {}
    assert state_of("h", [*watched(), acknowledgement(), struck], date.max).status == "transformed"


@pytest.mark.parametrize("seen", ALARM_LEVELS)
@pytest.mark.parametrize("now", ALARM_LEVELS)
def test_an_alarm_is_open_again_when_its_level_has_risen(now: str, seen: str) -> None:
    last = Acknowledgement("risk", seen, SEEN_ON, "an", "patrols")
    risen = ALARM_LEVELS.index(now) > ALARM_LEVELS.index(seen)
    assert is_open(now, last, SEEN_ON) is risen
    assert is_open(now, None, SEEN_ON)


def test_after_ninety_days_it_is_open_again() -> None:
    last = Acknowledgement("risk", "red", SEEN_ON, "an", "patrols")
    assert not is_open("red", last, SEEN_ON + timedelta(days=REOPENS_AFTER_DAYS))
    assert is_open("red", last, SEEN_ON + timedelta(days=REOPENS_AFTER_DAYS + 1))


def test_what_was_not_measured_has_no_probability() -> None:
    assert acknowledgement_evidence({"inspection": "note"}, None) == {
        "alarms": {"inspection": "note"}
    }
    assert "p6" not in acknowledgement_evidence({"inspection": "note"}, float("nan"))
