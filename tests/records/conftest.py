"""What the tests of the records share: events that the rules allow, and hands behind the guards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from hotspots.programme.status import Event, EventType, Place
from hotspots.records.database import Database
from hotspots.records.log import append

MOMENT = datetime(2025, 10, 20, 9, tzinfo=UTC)
Draft = Callable[..., Event]


@pytest.fixture(scope="session")
def draft() -> Draft:
    """Makes an event; by default an inspection by An on 20 October 2025."""

    def make(name: str, hotspot: str = "h", **content: object) -> Event:
        values: dict[str, object] = {
            "event_id": name,
            "hotspot": hotspot,
            "type": EventType.INSPECTED,
            "effective_on": date(2025, 10, 20),
            "recorded_at": MOMENT,
            "recorded_by": "an",
        }
        return Event(**values | content)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def listed(draft: Draft) -> Draft:
    """Makes the first event of a hotspot: designated in Phường Bến Thành for 2025."""

    def make(name: str, hotspot: str = "h", **content: object) -> Event:
        place = Place("26734", "2025-07-01", "Phường Bến Thành", frozenset({1, 3}))
        values = {"type": EventType.DESIGNATED, "plan_year": 2025, "place": place}
        return draft(name, hotspot, **values | content)

    return make


@pytest.fixture
def written(database: Database, draft: Draft, listed: Draft) -> Database:
    """A log of five events: four of one hotspot, and the second of another."""
    append(
        database,
        [
            listed("a"),
            listed("b", "other"),
            draft("c", note="Tổ dân phố 3"),
            draft("d"),
            draft("e"),
        ],
    )
    return database


def run(database: Database, *statements: str) -> None:
    """Run statements in one transaction, as any other program could that reaches the database."""
    with database.engine.connect() as connection:
        for number, statement in enumerate(statements):
            if number == 0 and not database.on_postgresql:
                connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql(statement)
        connection.commit()


@pytest.fixture(scope="session")
def behind_the_guards() -> Callable[..., None]:
    """Runs statements as somebody who owns the database: guards off, work, guards on again."""

    def work(database: Database, *statements: str) -> None:
        if database.on_postgresql:
            off = ["ALTER TABLE event DISABLE TRIGGER USER"]
            on = [
                f"ALTER TABLE event ENABLE ALWAYS TRIGGER {name}"
                for name in (
                    "event_never_changes",
                    "event_never_goes",
                    "event_never_emptied",
                    "event_without_gap",
                )
            ]
        else:
            with database.engine.connect() as connection:
                query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
                there = connection.exec_driver_sql(query).fetchall()
            off, on = [f"DROP TRIGGER {name}" for name, _ in there], [sql for _, sql in there]
        run(database, *off, *statements, *on)

    return work
