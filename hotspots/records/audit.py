"""Who did what, in the same chain as the events: it cannot be switched off or written later.

An audit is written in the transaction of what it speaks of, so neither is there without the other.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.records.chain import CLOCK, Row, Tail
from hotspots.records.database import Database, events
from hotspots.records.payloads import problem_of_audit

AUDIT = "audit"
"""The stream of the audit, and the kind of its events."""

_NAMESPACE = uuid.UUID("0b1c6a56-5c0e-4f0e-8d0a-0f6d8a0f5f5e")


class AuditAction(StrEnum):
    """What somebody did, in the past tense."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    EXPORTED = "exported"
    IMPORTED = "imported"
    BOUNDARIES_ADDED = "boundaries_added"
    CROSSWALK_ADDED = "crosswalk_added"
    PROGRAMME_ADDED = "programme_added"
    PRESET_SAVED = "preset_saved"
    DEMONSTRATION_BEGUN = "demonstration_begun"
    USER_ADDED = "user_added"
    USER_CHANGED = "user_changed"
    USER_DISABLED = "user_disabled"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - not a password
    BACKUP_MADE = "backup_made"
    RESTORED = "restored"
    ANCHORED = "anchored"
    VERIFIED = "verified"


@dataclass(frozen=True)
class Audit:
    """One thing that somebody did.

    Attributes
    ----------
    actor : str
        The user's name.
    at : datetime
        What the clock said; of an audit that was read, when it stands in the log.
    subject : str
        What it was done to: a user, a file, an edition.
    details : dict
        What JSON can hold. Never a password or anything of a person's file.
    """

    action: AuditAction
    actor: str
    at: datetime
    subject: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


def append_audit(connection: sa.Connection, audit: Audit) -> None:
    """Write an audit in the caller's transaction, which is one of `Database.writing`."""
    add_audit(Tail(connection), audit)


def add_audit(tail: Tail, audit: Audit) -> None:
    """Write an audit at the end of the log."""
    content = {"subject": audit.subject, "details": dict(audit.details)}
    payload = {key: value for key, value in content.items() if value}
    wrong = problem_of_audit(payload)
    if wrong is not None:
        raise StoreError(
            "event_malformed",
            f"An event {audit.action} cannot be written: {wrong!r} is not what it may hold.",
            event=str(audit.action),
            part=wrong,
        )
    tail.add(
        Row(
            # From its place in the chain: the same log has the same ids.
            event_id=str(uuid.uuid5(_NAMESPACE, f"{tail.head.count + 1} {tail.head.hash}")),
            stream=AUDIT,
            kind=AUDIT,
            type=str(AuditAction(audit.action)),
            effective_on=audit.at.astimezone(UTC).date().isoformat(),
            recorded_at=audit.at,
            recorded_by=audit.actor,
            payload=payload,
        )
    )


def read_audit(database: Database, *, limit: int = 200) -> list[Audit]:
    """Return what was done last, the newest first."""
    query = sa.select(events).where(events.c.kind == AUDIT).order_by(events.c.seq.desc())
    with database.reading() as connection:
        return [_audit(row) for row in connection.execute(query.limit(limit)).mappings()]


def _audit(row: sa.RowMapping) -> Audit:
    try:
        payload = json.loads(row["payload"])
        wrong = problem_of_audit(payload)
        action = AuditAction(row["type"])
        at = datetime.fromisoformat(row["recorded_at"])
    except (ValueError, AttributeError):
        wrong = "payload"
    if wrong is not None:
        raise row_malformed(row["seq"], wrong)
    payload.pop(CLOCK, None)
    return Audit(action, row["recorded_by"], at, **payload)


def row_malformed(seq: int, key: str) -> StoreError:
    """Return the error of a row of the log that does not hold what its type may hold."""
    return StoreError(
        "row_malformed",
        f"Row {seq} of the log does not hold what its type may hold: {key!r}. It was not written "
        "by this product; run 'hotspots verify'.",
        seq=seq,
        part=key,
    )
