"""Weights of a ranking that planners saved by name, kept in the audit itself.

A preset is the line of the audit that says who saved it: it is only ever added to, is in every
backup and copy, and the chain proves it. Of one name the latest counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import sqlalchemy as sa

from hotspots.records.audit import AUDIT, AuditAction
from hotspots.records.database import Database, events


def saved_presets(database: Database) -> dict[str, Mapping[str, float]]:
    """Return the weights saved under each name, the names in the order of their first saving."""
    query = (
        sa.select(events.c.payload)
        .where(events.c.kind == AUDIT, events.c.type == str(AuditAction.PRESET_SAVED))
        .order_by(events.c.seq)
    )
    with database.reading() as connection:
        payloads = [json.loads(text) for (text,) in connection.execute(query)]
    return {
        payload["subject"]: {name: float(w) for name, w in payload["details"]["weights"].items()}
        for payload in payloads
    }
