"""Who did what: in the chain, in the transaction of what it speaks of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hotspots.errors import StoreError
from hotspots.programme.status import Event
from hotspots.records.audit import Audit, AuditAction, append_audit, read_audit
from hotspots.records.database import Database
from hotspots.records.log import append, first_broken_row, head
from hotspots.records.store import Batch, Edition, KeptCrosswalk, Store

MOMENT = datetime(2025, 10, 20, 9, tzinfo=UTC)


def audit(number: int = 0, action: AuditAction = AuditAction.EXPORTED) -> Audit:
    return Audit(action, "an", MOMENT + timedelta(minutes=number), f"{number}.html", {"n": number})


def test_what_was_done_is_read_back_the_newest_first(
    database: Database, draft: Callable[..., Event]
) -> None:
    append(database, [draft("a")])
    with database.writing() as connection:
        for number in range(5):
            append_audit(connection, audit(number))
    assert read_audit(database) == [audit(number) for number in (4, 3, 2, 1, 0)]
    assert read_audit(database, limit=2) == [audit(4), audit(3)]
    assert first_broken_row(database) is None


@pytest.mark.parametrize("action", AuditAction)
def test_every_action_can_be_written_with_nothing_but_who_and_when(
    database: Database, action: AuditAction
) -> None:
    plain = Audit(action, "an", MOMENT)
    append(database, [], audit=[plain])
    assert read_audit(database) == [plain]


def test_an_audit_goes_with_the_transaction_it_belongs_to(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            append_audit(connection, audit())
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert read_audit(database) == []


def test_an_action_that_is_none_is_not_written(database: Database) -> None:
    with pytest.raises(ValueError, match="danced"):
        append(database, [], audit=[Audit("danced", "an", MOMENT)])  # type: ignore[arg-type]
    assert head(database).count == 0


@pytest.mark.parametrize(
    "change", ["payload = '[]'", 'payload = \'{"password":"x"}\'', "type = 'danced'"]
)
def test_a_row_that_nobody_here_wrote_is_named_when_it_is_read(
    database: Database, behind_the_guards: Callable[..., None], change: str
) -> None:
    append(database, [], audit=[audit()])
    behind_the_guards(database, f"UPDATE event SET {change}")
    with pytest.raises(StoreError) as refused:
        read_audit(database)
    assert refused.value.reason == "row_malformed"


STEPS: list[Callable[[Store, Audit], object]] = [
    lambda store, noted: store.set("k", "v", audit=noted),
    lambda store, noted: store.add_programme("text", MOMENT, audit=noted),
    lambda store, noted: store.add_edition(
        Edition("2025-07-01", "a", False, 4, {}, Path("a.parquet"), Path("a.geojson")),
        MOMENT,
        audit=noted,
    ),
    lambda store, noted: store.add_crosswalk(
        KeptCrosswalk(0, "2025-01-01", "2025-07-01", "a", {}, Path("a.parquet")),
        MOMENT,
        audit=noted,
    ),
    lambda store, noted: store.add_batch(
        Batch(0, "counts", "a" * 64, "a", MOMENT.isoformat(), 1, 1, 0, 0, "a.parquet", False),
        audit=noted,
    ),
]


@pytest.mark.parametrize("step", STEPS, ids=["set", "programme", "edition", "crosswalk", "batch"])
def test_what_changes_a_store_is_noted_with_the_change_or_neither_is_there(
    store: Store, step: Callable[[Store, Audit], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Audit(AuditAction.IMPORTED, "an", MOMENT, details={"rows": object()})
    with pytest.raises(StoreError, match="imported"):
        step(store, bad)
    with store.database.reading() as connection:
        tables = ("setting", "programme", "edition", "crosswalk", "import_batch", "event")
        for table in tables:
            there = connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar()
            assert there == 0, table
    step(store, audit())
    assert read_audit(store.database) == [audit()]
