"""What the payload of each type of event may hold: checked when it is written and when it is read.

A payload leaves out what is empty, so no key has an empty value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from hotspots.programme.status import DECISIONS, EventType

_Check = Callable[[object], bool]


def problem_of(type_: EventType, payload: Mapping[str, object]) -> str | None:
    """Return what is wrong with the payload of a hotspot's event, or None.

    Examples
    --------
    >>> problem_of(EventType.INSPECTED, {"note": "quiet", "plan_year": "2025"})
    'plan_year'
    >>> problem_of(EventType.SENT_BACK, {"note": "which street?"})
    'about'
    """
    return _problem(payload, _SCHEMAS[type_], _NEEDED.get(type_, ()))


def problem_of_audit(payload: Mapping[str, object]) -> str | None:
    """Return what is wrong with the payload of an audit event, or None."""
    return _problem(payload, _AUDIT, ())


def _problem(
    payload: Mapping[str, object], schema: Mapping[str, _Check], needed: tuple[str, ...]
) -> str | None:
    """Return the first key that is unknown, of the wrong kind, or missing."""
    for key, value in payload.items():
        check = schema.get(key)
        if check is None or not check(value):
            return key
    return next((key for key in needed if key not in payload), None)


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _true(value: object) -> bool:
    return value is True


def _year(value: object) -> bool:
    return type(value) is int and 1900 <= value <= 9999


def _event_type(value: object) -> bool:
    return isinstance(value, str) and value in set(EventType) - DECISIONS


def _moment(value: object) -> bool:
    return isinstance(value, str) and _MOMENT.fullmatch(value) is not None and _is_moment(value)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_moment(value: object) -> bool:
    """Tell whether a value is a moment as the log writes it."""
    return _moment(value)


def _place(value: object) -> bool:
    if not isinstance(value, dict) or value.keys() != {"ward", "edition", "name", "kinds"}:
        return False
    kinds = value["kinds"]
    return (
        all(isinstance(value[key], str) for key in ("ward", "edition", "name"))
        and isinstance(kinds, list)
        and all(type(kind) is int for kind in kinds)
    )


def _facts(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and _of_json(value)


def _of_json(value: object) -> bool:
    """Tell whether JSON can hold a value and give it back (a tuple comes back as a list)."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _of_json(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return all(_of_json(part) for part in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


_ALWAYS: dict[str, _Check] = {"note": _text, "clock": _moment}
_DECISION = _ALWAYS | {"about": _text}
_HAPPENED = _ALWAYS | {
    "plan_year": _year,
    "place": _place,
    "evidence": _facts,
    "needs_approval": _true,
}
_CORRECTION = _ALWAYS | {
    "corrects": _text,
    "corrected_type": _event_type,
    "strikes": _true,
    "plan_year": _year,
    "place": _place,
    "needs_approval": _true,
}
_AUDIT: Mapping[str, _Check] = {"subject": _text, "details": _facts, "clock": _moment}

_SCHEMAS: Mapping[EventType, Mapping[str, _Check]] = {
    **dict.fromkeys(EventType, _HAPPENED),
    **dict.fromkeys(DECISIONS, _DECISION),
    EventType.CORRECTED: _CORRECTION,
}
_NEEDED: Mapping[EventType, tuple[str, ...]] = {
    **dict.fromkeys(DECISIONS, ("about",)),
    EventType.CORRECTED: ("corrects",),
    EventType.ALARM_ACKNOWLEDGED: ("note", "evidence"),
}
