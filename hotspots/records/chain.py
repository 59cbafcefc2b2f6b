"""The chain: every row carries the hash of the one before, so that a change behind it shows.

The hash is SHA-256 over the canonical JSON (sorted keys, no blanks) of a row's other columns, the
hash of the row before among them. The chain covers the whole log, whatever a row speaks of. It
cannot show a tail that was cut off or a log written anew from the start: see `anchors`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.records.database import events

GENESIS = "0" * 64
CLOCK = "clock"
"""Key of a payload: what the writer's clock said when it was behind the log."""


@dataclass(frozen=True)
class Head:
    """Where the log ends: how many events it holds and the hash of the last."""

    count: int
    hash: str


@dataclass(frozen=True)
class Row:
    """What a row of the log says, before it has its place in the chain."""

    event_id: str
    stream: str
    kind: str
    type: str
    effective_on: str
    recorded_at: datetime
    recorded_by: str
    payload: Mapping[str, object]

    def __post_init__(self) -> None:
        _refuse_unkeepable(vars(self))


class Tail:
    """The end of the log within one write transaction, where rows are added.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Of `Database.writing`: nobody else writes meanwhile.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.head = head_of(connection)
        self._versions: dict[str, int] = {}
        last = sa.select(events.c.recorded_at).where(events.c.seq == self.head.count)
        self._moment = connection.execute(last).scalar() or ""

    def version(self, stream: str) -> int:
        """Return how many rows a stream has."""
        if stream not in self._versions:
            query = sa.select(sa.func.max(events.c.version)).where(events.c.stream == stream)
            self._versions[stream] = self.connection.execute(query).scalar() or 0
        return self._versions[stream]

    def add(self, row: Row) -> dict[str, object]:
        """Write a row and return its columns.

        `recorded_at` never decreases: a clock that is behind the log is noted in the payload.
        """
        clock = moment_text(row.recorded_at)
        behind = clock < self._moment
        payload = canonical({**row.payload, CLOCK: clock} if behind else row.payload)
        _refuse_unkeepable({"payload": payload})
        values: dict[str, object] = {
            "seq": self.head.count + 1,
            "event_id": row.event_id,
            "stream": row.stream,
            "version": self.version(row.stream) + 1,
            "kind": row.kind,
            "type": row.type,
            "effective_on": row.effective_on,
            "recorded_at": self._moment if behind else clock,
            "recorded_by": row.recorded_by,
            "payload": payload,
            "prev_hash": self.head.hash,
        }
        values["hash"] = hash_of(values)
        self.connection.execute(sa.insert(events).values(**values))
        self.head = Head(self.head.count + 1, str(values["hash"]))
        self._moment = str(values["recorded_at"])
        self._versions[row.stream] += 1
        return values


def head_of(connection: sa.Connection) -> Head:
    """Return the number of events and the hash of the last one."""
    query = sa.select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Head(0, GENESIS) if row is None else Head(row.seq, row.hash)


def hash_of(values: Mapping[str, object]) -> str:
    """Return the hash of a row's columns, its own `hash` left out."""
    return hashlib.sha256(_ENCODER.encode(values).encode()).hexdigest()


def canonical(payload: Mapping[str, object]) -> str:
    """Return the one way to write a payload, in NFC.

    >>> canonical({"note": "ô", "about": "e1"})
    '{"about":"e1","note":"ô"}'
    """
    return unicodedata.normalize("NFC", _ENCODER.encode(payload))


def moment_text(moment: datetime) -> str:
    """Return a moment as the log writes it: UTC, to the microsecond; texts sort as moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _refuse_unkeepable(values: Mapping[str, object]) -> None:
    """Refuse text that not every database can keep: NUL, and halves of letters."""
    for column, value in values.items():
        if isinstance(value, str) and _cannot_be_kept(value):
            raise StoreError(
                "text_cannot_be_kept",
                f"The text of {column!r} holds a sign that no database keeps "
                "(NUL, or half a letter); remove it.",
                column=column,
            )


def _cannot_be_kept(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\0" in text


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)
