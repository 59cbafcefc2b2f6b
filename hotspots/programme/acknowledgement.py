"""Somebody has seen an alarm: what that says, and for how long it is enough.

An alarm that was acknowledged, with a note on what is done about it, is not shown as open again
until its level has risen since or `REOPENS_AFTER_DAYS` days have passed. The acknowledgement is an
event of the hotspot (`AlarmAcknowledged`); which alarms it is about stands in its evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from hotspots.programme.status import ALARM_LEVELS, Event, EventType, resolve

REOPENS_AFTER_DAYS: Final = 90


@dataclass(frozen=True)
class Acknowledgement:
    """The last time somebody acknowledged one alarm of a hotspot.

    `level` is that of the alarm then, `p6` the probability of relapse within six months then (None:
    it was not measured).
    """

    code: str
    level: str
    on: date
    by: str
    note: str
    p6: float | None = None
    recorded_at: datetime | None = None


def acknowledgement_evidence(levels: Mapping[str, str], p6: float | None) -> dict[str, object]:
    """Return the evidence of an `AlarmAcknowledged` event.

    Parameters
    ----------
    levels : Mapping of str to str
        By code of the alarm its level, one of `ALARM_LEVELS`.
    p6 : float or None
        The probability of relapse within six months at the moment; None or NaN: not measured.

    Examples
    --------
    >>> acknowledgement_evidence({"risk": "amber"}, 0.41)
    {'alarms': {'risk': 'amber'}, 'p6': 0.41}
    """
    measured = {} if p6 is None or p6 != p6 else {"p6": float(p6)}
    return {"alarms": dict(levels), **measured}


def acknowledged(
    events: Iterable[Event], as_of: date, known_on: datetime | None = None
) -> dict[str, Acknowledgement]:
    """Return the last acknowledgement of each alarm of one hotspot, by the alarm's code.

    Parameters
    ----------
    events : iterable of Event
        All events of the hotspot; corrections are applied.
    as_of : date
        Later acknowledgements are left out.
    known_on : datetime, optional
        What was known at this moment.
    """
    found: dict[str, Acknowledgement] = {}
    for event in resolve(events, known_on):
        if event.type is EventType.ALARM_ACKNOWLEDGED and event.effective_on <= as_of:
            found |= {each.code: each for each in _said_by(event)}
    return found


def _said_by(event: Event) -> Iterable[Acknowledgement]:
    levels, p6 = event.evidence.get("alarms"), event.evidence.get("p6")
    for code, level in levels.items() if isinstance(levels, Mapping) else ():
        yield Acknowledgement(
            str(code),
            str(level),
            event.effective_on,
            event.recorded_by,
            event.note,
            float(p6) if isinstance(p6, int | float) else None,
            event.recorded_at,
        )


def is_open(level: str, seen: Acknowledgement | None, as_of: date) -> bool:
    """Tell whether an alarm still asks for somebody's attention.

    Parameters
    ----------
    level : str
        Its level on the day, one of `ALARM_LEVELS`.
    seen : Acknowledgement or None
        Its last acknowledgement, from `acknowledged`.
    as_of : date

    Examples
    --------
    >>> seen = Acknowledgement("risk", "amber", date(2025, 1, 10), "an", "patrols doubled")
    >>> is_open("amber", seen, date(2025, 2, 1)), is_open("red", seen, date(2025, 2, 1))
    (False, True)
    >>> is_open("amber", seen, date(2025, 4, 10)), is_open("amber", seen, date(2025, 4, 11))
    (False, True)
    """
    if seen is None or ALARM_LEVELS.index(level) > ALARM_LEVELS.index(seen.level):
        return True
    return (as_of - seen.on).days > REOPENS_AFTER_DAYS
