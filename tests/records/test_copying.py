"""A store copied into another: every table, every file, the same chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.programme.status import Event
from hotspots.records import incident_files
from hotspots.records.audit import Audit, AuditAction, read_audit
from hotspots.records.copying import TABLES, copy_store
from hotspots.records.database import files, metadata, users
from hotspots.records.log import append, head, read_events
from hotspots.records.simulation import begin_simulation
from hotspots.records.store import Batch, Edition, KeptCrosswalk, Store, sha256_of
from hotspots.records.verification import verify

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


def points() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lon": [106.0, 106.1],
            "key": np.array([1, 2], dtype=np.uint64),
            "edition": "2025-07-01",
            "boundaries": "w.parquet",
            "ward": "26734",
            "month": ["2025-10", "2026-01"],
            "category": "theft",
        }
    )


@pytest.fixture
def full(store: Store, written: object) -> Store:
    """A store with something in every table."""
    noted = Audit(AuditAction.IMPORTED, "an", NOW, "a.csv", {"rows": 2})
    begin_simulation(store.database, "2026-10-31", by="an", now=NOW)
    store.add_programme("text", NOW, audit=noted)
    wards = store.write_file("boundaries", "w.parquet", b"wards")
    drawing = store.write_file("drawing", "w.geojson", b"drawing")
    pairs = store.write_file("crosswalks", "p.parquet", b"pairs")
    store.add_edition(Edition("2025-07-01", "a", False, 4, {"n": 1}, wards, drawing), NOW)
    store.add_crosswalk(KeptCrosswalk(0, "2025-01-01", "2025-07-01", "a", {}, pairs), NOW)
    for number in range(3):
        name = store.write_file("incidents", f"{number}.parquet", bytes(2**20) + b"rows").name
        digest = sha256_of(name.encode())
        store.add_batch(Batch(0, "counts", digest, "a", NOW.isoformat(), 1, 1, 0, 0, name, True))
    with incident_files.batch_writer(store, "incidents") as writer:
        writer.add(points())
        staged = writer.finish()
    in_parts = Batch(0, "", "", "b", NOW.isoformat(), 2, 2, 0, 0, "", True, "f" * 64, "", "Tổ 3")
    store.add_batch(in_parts, staged=staged)
    store.write_file("incidents", "orphan.parquet", b"an import that failed")
    with store.database.writing() as connection:
        connection.execute(
            sa.insert(users).values(
                name="an",
                display_name="An",
                role="planner",
                wards="[]",
                active=True,
                epoch=1,
                email="an@example.vn",
                added_at=NOW.isoformat(),
            )
        )
    return store


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path, full: Store) -> Iterator[Store]:
    """An empty store of either kind, beside the full one."""
    where = str(tmp_path / "target")
    if request.param == "postgresql":
        where = request.getfixturevalue("another_postgresql_store_url")
    with closing(Store(where, create=True)) as opened:
        yield opened


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.database.reading() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in TABLES
        }


def test_every_table_and_every_file_arrives_and_the_chain_is_the_same(
    full: Store, target: Store
) -> None:
    found = copy_store(full, target)
    assert found.ok
    assert found.head == head(full.database) == head(target.database)
    assert content(target) == content(full)
    assert all(content(target).values())
    assert read_events(target.database) == read_events(full.database)
    assert read_audit(target.database) == read_audit(full.database)
    *before_parts, in_parts = full.batches()
    assert target.batches() == [*before_parts, in_parts]
    names_kept = [batch.file for batch in before_parts]
    names_kept += [name for part in in_parts.parts for name in (part.file, part.counts)]
    for kept in names_kept:
        assert (
            target.path("incidents", kept).read_bytes() == full.path("incidents", kept).read_bytes()
        )
    assert incident_files.read_batch(target, in_parts)["key"].tolist() == [1, 2]
    assert target.editions()[0].wards_file.read_bytes() == b"wards"
    assert target.editions()[0].drawing_file.read_bytes() == b"drawing"
    assert target.crosswalks()[0].pairs_file.read_bytes() == b"pairs"
    with target.database.reading() as connection:
        names = set(connection.execute(sa.select(files.c.name)).scalars())
    assert "orphan.parquet" not in names
    assert len(names) == 10


def test_a_copy_is_a_store_to_go_on_with(
    full: Store, target: Store, draft: Callable[..., Event]
) -> None:
    copy_store(full, target)
    append(target.database, [draft("after")], {"h": 4})
    target.add_programme("new", NOW)
    assert (
        target.add_batch(
            Batch(0, "counts", "f" * 64, "a", NOW.isoformat(), 1, 1, 0, 0, "0.parquet", True)
        ).batch
        == 5
    )
    assert target.programme_text() == "new"
    assert verify(target).ok
    assert head(full.database).count == head(target.database).count - 1


def test_a_copy_goes_into_an_empty_store_only(full: Store, target: Store) -> None:
    target.set("k", "v")
    before = content(target)
    with pytest.raises(StoreError) as refused:
        copy_store(full, target)
    assert refused.value.reason == "target_not_empty"
    assert content(target) == before
    with pytest.raises(StoreError) as refused:
        copy_store(full, full)
    assert refused.value.reason == "target_not_empty"


def test_a_broken_log_is_not_copied(
    full: Store, target: Store, behind_the_guards: Callable[..., None]
) -> None:
    behind_the_guards(full.database, "UPDATE event SET recorded_by = 'binh' WHERE seq = 2")
    with pytest.raises(StoreError) as refused:
        copy_store(full, target)
    assert (refused.value.reason, refused.value.facts["seq"]) == ("row_hash", 2)
    assert not any(content(target).values())


def test_a_store_that_lacks_a_file_is_not_copied(full: Store, target: Store) -> None:
    full.add_batch(
        Batch(0, "counts", "f" * 64, "a", NOW.isoformat(), 1, 1, 0, 0, "none.parquet", True)
    )
    with pytest.raises(StoreError) as refused:
        copy_store(full, target)
    assert refused.value.reason == "kept_file_missing"
    assert not any(content(target).values())


def test_no_table_is_forgotten() -> None:
    assert {*TABLES, files} == set(metadata.tables.values())
