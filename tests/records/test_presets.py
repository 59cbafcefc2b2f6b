"""Weights saved by name: lines of the audit, of which the latest of a name counts."""

from __future__ import annotations

from datetime import UTC, datetime

from hotspots.records.audit import Audit, AuditAction, append_audit
from hotspots.records.database import Database
from hotspots.records.presets import saved_presets

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


def save(database: Database, name: str, weights: dict[str, float]) -> None:
    audit = Audit(AuditAction.PRESET_SAVED, "lan", NOW, name, {"weights": weights})
    with database.writing() as connection:
        append_audit(connection, audit)


def test_the_latest_weights_of_a_name_count(database: Database) -> None:
    assert saved_presets(database) == {}
    save(database, "a", {"smoothed_level": 1.0})
    save(database, "b", {"trend": 0.5})
    with database.writing() as connection:
        append_audit(connection, Audit(AuditAction.EXPORTED, "lan", NOW, "a"))
    save(database, "a", {"rate": 1})
    found = saved_presets(database)
    assert found == {"a": {"rate": 1.0}, "b": {"trend": 0.5}}
    assert list(found) == ["a", "b"]
