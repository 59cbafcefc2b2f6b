"""The event log: only added to, each row carrying the hash of the one before.

The chain is SHA-256 over the previous hash and the row's canonical JSON (sorted keys, no blanks,
text in NFC). The database refuses UPDATE, DELETE and REPLACE by triggers.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.programme.status import Event, EventType, Place
from hotspots.records.database import Database, events

GENESIS = "0" * 64


@dataclass(frozen=True)
class Head:
    """Where the log ends: how many events it holds and the hash of the last."""

    count: int
    hash: str


def read_events(database: Database, hotspot: str | None = None) -> list[Event]:
    """Return the events of one hotspot or of all, in the order of writing."""
    query = sa.select(events).order_by(events.c.seq)
    if hotspot is not None:
        query = query.where(events.c.hotspot == hotspot)
    with database.reading() as connection:
        return [_event(row) for row in connection.execute(query).mappings()]


def read_with_head(database: Database) -> tuple[list[Event], Head]:
    """Return all events and where the log ends, as of one moment."""
    with database.reading() as connection:
        rows = connection.execute(sa.select(events).order_by(events.c.seq)).mappings()
        return [_event(row) for row in rows], _head(connection)


def head(database: Database) -> Head:
    """Return the number of events and the hash of the last one."""
    with database.reading() as connection:
        return _head(connection)


def append(
    database: Database,
    drafts: Sequence[Event],
    expected_versions: dict[str, int] | None = None,
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

    Raises
    ------
    StoreError
        If somebody else has written to a hotspot meanwhile, or an event id is used again for
        something else.
    """
    with database.writing() as connection:
        for hotspot, seen in (expected_versions or {}).items():
            _refuse_if_moved_on(connection, hotspot, seen)
        return [_append_one(connection, draft) for draft in drafts]


def first_broken_row(database: Database) -> int | None:
    """Walk the chain and return the `seq` of the first row that does not fit, or None."""
    previous = GENESIS
    with database.reading() as connection:
        rows = connection.execute(sa.select(events).order_by(events.c.seq)).mappings()
        for number, row in enumerate(rows, start=1):
            values = dict(row)
            written = values.pop("hash")
            if values["seq"] != number or values["prev_hash"] != previous:
                return int(values["seq"])
            if _hash(values) != written:
                return int(values["seq"])
            previous = written
    return None


def _refuse_if_moved_on(connection: sa.Connection, hotspot: str, seen: int) -> None:
    version = _version(connection, hotspot)
    if version == seen:
        return
    last = sa.select(events).where(events.c.hotspot == hotspot).order_by(events.c.seq.desc())
    raise changed_meanwhile(_event(connection.execute(last.limit(1)).mappings().one()))


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


def _append_one(connection: sa.Connection, draft: Event) -> Event:
    there = (
        connection.execute(sa.select(events).where(events.c.event_id == draft.event_id))
        .mappings()
        .one_or_none()
    )
    if there is not None:
        written = _event(there)
        if replace(written, seq=0, recorded_at=draft.recorded_at) != replace(draft, seq=0):
            raise StoreError(
                "event_id_used",
                f"The event id {draft.event_id!r} is in the log with other content.",
                event=draft.event_id,
            )
        return written
    last = _head(connection)
    moment = _last_moment(connection, draft.recorded_at)
    event = replace(draft, seq=last.count + 1, recorded_at=max(draft.recorded_at, moment))
    values = _row(event, _version(connection, event.hotspot) + 1, last.hash)
    connection.execute(sa.insert(events).values(**values, hash=_hash(values)))
    return event


def _head(connection: sa.Connection) -> Head:
    row = connection.execute(
        sa.select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)
    ).one_or_none()
    return Head(0, GENESIS) if row is None else Head(row.seq, row.hash)


def _version(connection: sa.Connection, hotspot: str) -> int:
    query = sa.select(sa.func.max(events.c.version)).where(events.c.hotspot == hotspot)
    return connection.execute(query).scalar() or 0


def _last_moment(connection: sa.Connection, otherwise: datetime) -> datetime:
    """Return when the last event was written, so that a clock set back cannot reorder the log."""
    query = sa.select(events.c.recorded_at).order_by(events.c.seq.desc()).limit(1)
    text = connection.execute(query).scalar()
    return otherwise if text is None else datetime.fromisoformat(text)


def _hash(values: dict[str, object]) -> str:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _row(event: Event, version: int, prev_hash: str) -> dict[str, object]:
    return {
        "seq": event.seq,
        "event_id": event.event_id,
        "hotspot": event.hotspot,
        "version": version,
        "type": str(event.type),
        "effective_on": event.effective_on.isoformat(),
        "recorded_at": event.recorded_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "recorded_by": event.recorded_by,
        "payload": _payload(event),
        "prev_hash": prev_hash,
    }


def _payload(event: Event) -> str:
    content: dict[str, object] = {
        "note": event.note,
        "plan_year": event.plan_year,
        "corrects": event.corrects,
        "corrected_type": event.corrected_type,
        "strikes": event.strikes,
        "evidence": dict(event.evidence),
    }
    if event.place is not None:
        content["place"] = {
            "ward": event.place.ward,
            "edition": event.place.edition,
            "name": event.place.name,
            "kinds": sorted(event.place.kinds),
        }
    kept = {key: value for key, value in content.items() if value not in (None, "", False, {})}
    text = json.dumps(
        kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return unicodedata.normalize("NFC", text)


def _event(row: sa.RowMapping) -> Event:
    payload = json.loads(row["payload"])
    place = payload.get("place")
    corrected = payload.get("corrected_type")
    return Event(
        event_id=row["event_id"],
        hotspot=row["hotspot"],
        type=EventType(row["type"]),
        effective_on=date.fromisoformat(row["effective_on"]),
        recorded_at=datetime.fromisoformat(row["recorded_at"]),
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
    )


def by_hotspot(all_events: Iterable[Event]) -> dict[str, list[Event]]:
    """Group events by hotspot, each group in the order of writing."""
    groups: dict[str, list[Event]] = {}
    for event in all_events:
        groups.setdefault(event.hotspot, []).append(event)
    return groups
