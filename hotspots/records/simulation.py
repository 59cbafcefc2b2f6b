"""Whether a store's data are simulated: a setting says so, and the log must bear it out.

In a demonstration anybody may be any user, so the setting alone, which whoever reaches the database
can write, opens no door.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hotspots.records.audit import AUDIT, Audit, AuditAction, append_audit
from hotspots.records.database import Database, events, settings

DEMONSTRATION = "demonstration"
"""Key of the setting; its value is the last simulated day."""


@dataclass(frozen=True)
class Simulation:
    """Up to which day a store's data are simulated, as its setting and as its log say; None: not.

    Examples
    --------
    >>> Simulation("2026-10-31", None).is_borne_out
    False
    """

    setting: str | None
    log: str | None

    @property
    def is_borne_out(self) -> bool:
        """Whether the setting says that the data are simulated, and the log says the same."""
        return self.setting is not None and self.setting == self.log


def begin_simulation(database: Database, day: str, *, by: str, now: datetime) -> None:
    """Turn a store into a demonstration, and write that into its log in the same transaction."""
    with database.writing() as connection:
        connection.execute(sa.delete(settings).where(settings.c.key == DEMONSTRATION))
        connection.execute(sa.insert(settings).values(key=DEMONSTRATION, value=day))
        append_audit(connection, Audit(AuditAction.DEMONSTRATION_BEGUN, by, now, day))


def simulation_of(connection: sa.Connection) -> Simulation:
    """Return what a store says of itself; of several times the last."""
    setting = sa.select(settings.c.value).where(settings.c.key == DEMONSTRATION)
    log = (
        sa.select(events.c.payload)
        .where(events.c.kind == AUDIT, events.c.type == str(AuditAction.DEMONSTRATION_BEGUN))
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    return Simulation(
        connection.execute(setting).scalar(), _day(connection.execute(log).scalar() or "{}")
    )


def _day(payload: str) -> str | None:
    try:
        content = json.loads(payload)
    except ValueError:  # somebody else wrote it, and the chain says so
        return None
    day = content.get("subject") if isinstance(content, dict) else None
    return day if isinstance(day, str) else None
