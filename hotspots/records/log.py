"""The events of the hotspots in the log: only added to, chained by hashes (see `chain`).

The database refuses UPDATE, DELETE and REPLACE by triggers, and no code here asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.programme.status import Event, EventType, Place
from hotspots.records.audit import Audit, add_audit, row_malformed
from hotspots.records.chain import CLOCK, GENESIS, Head, Row, Tail, canonical, hash_of, head_of
from hotspots.records.database import Database, events
from hotspots.records.payloads import is_moment, problem_of

__all__ = [
    "GENESIS",
    "Head",
    "append",
    "by_hotspot",
    "changed_meanwhile",
    "event_of",
    "first_broken_row",
    "head",
    "last_of_hotspots",
    "read_events",
    "read_with_head",
    "version_of_hotspots",
]

HOTSPOT = "hotspot"
"""The kind of the events of hotspots; their streams are ``hotspot/<id>``."""


def read_events(database: Database, hotspot: str | None = None) -> list[Event]:
    """Return the events of one hotspot or of all, in the order of writing."""
    with database.reading() as connection:
        return _read(connection, hotspot)


def read_with_head(database: Database) -> tuple[list[Event], Head]:
    """Return the events of all hotspots and where the whole log ends, as of one moment."""
    with database.reading() as connection:
        return _read(connection), head_of(connection)


def head(database: Database) -> Head:
    """Return how many events the whole log holds, audit included, and the hash of the last."""
    with database.reading() as connection:
        return head_of(connection)


def version_of_hotspots(database: Database) -> tuple[int, str]:
    """Return a value that changes when the events of hotspots do, and only then."""
    with database.reading() as connection:
        return last_of_hotspots(connection)


def last_of_hotspots(connection: sa.Connection) -> tuple[int, str]:
    """Return `seq` and hash of the last event of a hotspot."""
    query = sa.select(events.c.seq, events.c.hash).where(events.c.kind == HOTSPOT)
    last = connection.execute(query.order_by(events.c.seq.desc()).limit(1)).one_or_none()
    return (0, GENESIS) if last is None else (last.seq, last.hash)


def append(
    database: Database,
    drafts: Sequence[Event],
    expected_versions: Mapping[str, int] | None = None,
    audit: Sequence[Audit] = (),
    guard: Callable[[sa.Connection], None] | None = None,
) -> list[Event]:
    """Write events, all or none, and return them as they stand in the log.

    Parameters
    ----------
    drafts : sequence of Event
        Checked against the rules already; `seq` is set here, and `recorded_at` is moved on if it
        lies before the event written last. An event whose id is in the log with the same content
        is not written again (a retry is safe).
    expected_versions : dict of str to int, optional
        For each hotspot the number of events the writer had seen.
    audit : sequence of Audit
        Written after the events in the same transaction.
    guard : callable, optional
        Asked first in the transaction, so that nobody is disabled between the check and the write.

    Raises
    ------
    StoreError
        If somebody else has written to a hotspot meanwhile, an event id is used again for
        something else, or an event holds what its type may not hold.
    """
    with database.writing() as connection:
        if guard is not None:
            guard(connection)
        tail = Tail(connection)
        again = bool(drafts) and _all_there(connection, drafts)  # the answer was lost on its way
        for hotspot, seen in ({} if again else expected_versions or {}).items():
            _refuse_if_moved_on(tail, hotspot, seen)
        written = [_append_one(tail, draft) for draft in drafts]
        for each in () if again else audit:
            add_audit(tail, each)
    return written


def _all_there(connection: sa.Connection, drafts: Sequence[Event]) -> bool:
    ids = {draft.event_id for draft in drafts}
    query = sa.select(sa.func.count()).select_from(events).where(events.c.event_id.in_(ids))
    return connection.execute(query).scalar() == len(ids)


def first_broken_row(database: Database) -> int | None:
    """Walk the chain and return the `seq` of the first row that does not fit, or None.

    `verification.verify` says what differs, and looks at more than the chain.
    """
    previous = GENESIS
    with database.reading() as connection:
        rows = connection.execute(sa.select(events).order_by(events.c.seq)).mappings()
        for number, row in enumerate(rows, start=1):
            values = dict(row)
            written = values.pop("hash")
            fits = values["seq"] == number and values["prev_hash"] == previous
            if not fits or hash_of(values) != written:
                return int(values["seq"])
            previous = written
    return None


def changed_meanwhile(last: Event) -> StoreError:
    """Return the refusal of a write by somebody who had not seen a hotspot's last event."""
    return StoreError(
        "changed_meanwhile",
        f"{last.hotspot!r} was changed meanwhile: {last.recorded_by} recorded {last.type} on "
        f"{last.effective_on}. Look at it again, then record yours.",
        hotspot=last.hotspot,
        by=last.recorded_by,
        event=last.type,
        on=last.effective_on,
    )


def by_hotspot(all_events: Iterable[Event]) -> dict[str, list[Event]]:
    """Group events by hotspot, each group in the order of writing."""
    groups: dict[str, list[Event]] = {}
    for event in all_events:
        groups.setdefault(event.hotspot, []).append(event)
    return groups


def event_of(row: Mapping[Any, Any]) -> Event:
    """Return the event that a row of the log says.

    Raises
    ------
    StoreError
        ``row_malformed`` (seq, part), if the row does not hold what its type may hold.
    """
    type_, on, moment = _read_columns(row)
    payload = _payload_of(row, type_)
    place = payload.get("place")
    corrected = payload.get("corrected_type")
    return Event(
        event_id=row["event_id"],
        hotspot=row["stream"].removeprefix(f"{HOTSPOT}/"),
        type=type_,
        effective_on=on,
        recorded_at=moment,
        recorded_by=row["recorded_by"],
        seq=row["seq"],
        note=payload.get("note", ""),
        plan_year=payload.get("plan_year"),
        place=place
        and Place(place["ward"], place["edition"], place["name"], frozenset(place["kinds"])),
        evidence=payload.get("evidence", {}),
        corrects=payload.get("corrects"),
        corrected_type=EventType(corrected) if corrected else None,
        strikes=payload.get("strikes", False),
        needs_approval=payload.get("needs_approval", False),
        about=payload.get("about"),
    )


def _read_columns(row: Mapping[Any, Any]) -> tuple[EventType, date, datetime]:
    if not row["stream"].startswith(f"{HOTSPOT}/"):
        raise row_malformed(row["seq"], "stream")
    try:
        type_ = EventType(row["type"])
    except ValueError:
        raise row_malformed(row["seq"], "type") from None
    try:
        on = date.fromisoformat(row["effective_on"])
    except ValueError:
        raise row_malformed(row["seq"], "effective_on") from None
    if not is_moment(row["recorded_at"]):
        raise row_malformed(row["seq"], "recorded_at")
    return type_, on, datetime.fromisoformat(row["recorded_at"])


def _payload_of(row: Mapping[Any, Any], type_: EventType) -> dict[str, Any]:
    try:
        payload = json.loads(row["payload"])
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise row_malformed(row["seq"], "payload")
    wrong = problem_of(type_, payload)
    if wrong is not None:
        raise row_malformed(row["seq"], wrong)
    return payload


def _read(connection: sa.Connection, hotspot: str | None = None) -> list[Event]:
    query = sa.select(events).order_by(events.c.seq)
    if hotspot is None:
        query = query.where(events.c.kind == HOTSPOT)
    else:
        query = query.where(events.c.stream == _stream(hotspot))
    return [event_of(row) for row in connection.execute(query).mappings()]


def _stream(hotspot: str) -> str:
    return f"{HOTSPOT}/{hotspot}"


def _refuse_if_moved_on(tail: Tail, hotspot: str, seen: int) -> None:
    stream = _stream(hotspot)
    if tail.version(stream) == seen:
        return
    last = sa.select(events).where(events.c.stream == stream).order_by(events.c.seq.desc())
    row = tail.connection.execute(last.limit(1)).mappings().one_or_none()
    if row is None:
        raise StoreError(
            "never_written",
            f"{hotspot!r} has no events, but {seen} are said to have been seen. Look at it again.",
            hotspot=hotspot,
            seen=seen,
        )
    raise changed_meanwhile(event_of(row))


def _append_one(tail: Tail, draft: Event) -> Event:
    row = _row(draft)
    same_id = sa.select(events).where(events.c.event_id == row.event_id)
    there = tail.connection.execute(same_id).mappings().one_or_none()
    if there is None:
        return event_of(tail.add(row))
    if _said(there) != _said({**vars(row), "payload": canonical(row.payload)}):
        raise StoreError(
            "event_id_used",
            f"The event id {row.event_id!r} is in the log with other content.",
            event=row.event_id,
        )
    return event_of(there)


def _said(row: Mapping[Any, Any]) -> tuple[object, ...]:
    """Return what its writer said, without what the clock and the rule in force added."""
    added = (CLOCK, "needs_approval")
    payload = {key: value for key, value in json.loads(row["payload"]).items() if key not in added}
    return row["stream"], row["type"], row["effective_on"], row["recorded_by"], payload


def _row(event: Event) -> Row:
    payload = _payload(event)
    wrong = problem_of(event.type, payload)
    if wrong is not None:
        raise StoreError(
            "event_malformed",
            f"An event {event.type} cannot be written: {wrong!r} is not what it may hold.",
            event=str(event.type),
            part=wrong,
        )
    return Row(
        event_id=event.event_id,
        stream=_stream(event.hotspot),
        kind=HOTSPOT,
        type=str(event.type),
        effective_on=event.effective_on.isoformat(),
        recorded_at=event.recorded_at,
        recorded_by=event.recorded_by,
        payload=payload,
    )


def _payload(event: Event) -> dict[str, object]:
    content: dict[str, object] = {
        "note": event.note,
        "plan_year": event.plan_year,
        "corrects": event.corrects,
        "corrected_type": event.corrected_type and str(event.corrected_type),
        "strikes": event.strikes,
        "evidence": dict(event.evidence),
        "needs_approval": event.needs_approval,
        "about": event.about,
    }
    if event.place is not None:
        content["place"] = {
            "ward": event.place.ward,
            "edition": event.place.edition,
            "name": event.place.name,
            "kinds": sorted(event.place.kinds),
        }
    return {key: value for key, value in content.items() if value not in (None, "", False, {})}
