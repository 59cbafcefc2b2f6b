"""A store: a folder whose files exist for readers only once the database names them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hotspots.errors import NotFound, StoreError
from hotspots.records import incident_files
from hotspots.records.database import batches
from hotspots.records.store import Batch, Edition, Store, sha256_of

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store", create=True)
    yield opened
    opened.close()


def batch(file: str, kind: str = "incidents", rows: int = 2) -> Batch:
    return Batch(
        0, kind, sha256_of(file.encode()), "a.csv", NOW.isoformat(), rows, rows, 0, 0, file, False
    )


def edition(day: str, *, schematic: bool = False, source: str = "a.geojson") -> Edition:
    files = Path(f"{day}.parquet"), Path(f"{day}.geojson")
    return Edition(day, source, schematic, 4, {"cleaned": False}, *files)


# -- opening


def test_a_store_is_not_made_by_looking_at_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        Store(tmp_path / "none")
    assert refused.value.reason == "no_store"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("address", ["postgresql://host/db", "http://host/x", "mysql+x://y"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(StoreError) as refused:
        Store(address, create=True)
    assert refused.value.reason == "store_kind_unknown"


def test_the_address_of_a_folder_is_the_folder(tmp_path: Path) -> None:
    Store(f"sqlite:///{tmp_path}/store", create=True).close()
    opened = Store(tmp_path / "store")
    assert opened.root == tmp_path / "store"
    opened.close()


# -- files


def test_a_file_is_written_whole_and_for_its_owner_only(store: Store) -> None:
    path = store.write_file("incidents", "a.parquet", b"content")
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["a.parquet"]


def test_a_file_that_cannot_be_written_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write_file("incidents", "a.parquet", b"content")
    assert os.listdir(store.root / "incidents") == []


# -- batches


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "month": ["2025-10", "2025-11"],
            "category": ["theft", "drugs"],
            "key": np.array([1, 2**64 - 1], dtype=np.uint64),
        }
    )


def test_rows_count_from_the_moment_their_batch_is_registered(store: Store) -> None:
    name = incident_files.write_batch(store, rows(), kind="incidents", sha256="a" * 64)
    assert store.batches() == []
    assert len(incident_files.known_keys(store)) == 0
    kept = store.add_batch(batch(name))
    assert kept.batch == 1
    assert store.batches("incidents") == [kept]
    assert store.batches("counts") == []
    pd.testing.assert_frame_equal(incident_files.read_batch(store, kept), rows())


def test_the_keys_of_all_batches_are_known_in_full(store: Store) -> None:
    for number in range(2):
        name = incident_files.write_batch(store, rows(), kind="incidents", sha256=f"{number}" * 64)
        store.add_batch(batch(name))
    keys = incident_files.known_keys(store)
    assert keys.tolist() == [1, 2**64 - 1]
    assert keys.dtype == np.uint64


def test_the_months_and_categories_of_one_kind_are_known(store: Store) -> None:
    name = incident_files.write_batch(store, rows(), kind="counts", sha256="a" * 64)
    store.add_batch(batch(name, "counts"))
    assert incident_files.covered_months(store, "counts") == {
        ("2025-10", "theft"),
        ("2025-11", "drugs"),
    }
    assert incident_files.covered_months(store, "incidents") == set()


def test_a_batch_that_cannot_be_registered_changes_nothing(store: Store) -> None:
    store.add_batch(batch("good.parquet"))
    with store.database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON import_batch "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    with pytest.raises(Exception, match="disk full"):
        store.add_batch(batch("bad.parquet"))
    assert [each.file for each in store.batches()] == ["good.parquet"]
    with store.database.reading() as connection:
        assert connection.execute(batches.select()).fetchall()[0].file == "good.parquet"


def test_the_same_rows_are_not_registered_twice(store: Store) -> None:
    store.add_batch(batch("same.parquet"))
    with pytest.raises(StoreError) as refused:
        store.add_batch(batch("same.parquet"))
    assert refused.value.reason == "imported_meanwhile"
    assert len(store.batches()) == 1


# -- editions, programmes, settings


def test_editions_come_back_oldest_first_with_their_files(store: Store) -> None:
    for day in ("2025-07-01", "2025-01-01"):
        store.add_edition(edition(day), NOW)
    found = store.editions()
    assert [each.edition for each in found] == ["2025-01-01", "2025-07-01"]
    assert found[0].wards_file == store.root / "boundaries" / "2025-01-01.parquet"
    assert found[0].findings == {"cleaned": False}


def test_real_boundaries_replace_a_sketch_and_are_never_replaced(store: Store) -> None:
    store.add_edition(edition("2025-07-01", schematic=True, source="schematic"), NOW)
    store.add_edition(edition("2025-07-01"), NOW)
    assert [each.schematic for each in store.editions()] == [False]
    with pytest.raises(StoreError) as refused:
        store.add_edition(edition("2025-07-01", schematic=True), NOW)
    assert refused.value.reason == "edition_there"
    assert refused.value.facts["source"] == "a.geojson"


def test_the_newest_programme_is_in_force(store: Store) -> None:
    with pytest.raises(NotFound) as missing:
        store.programme_text()
    assert missing.value.reason == "no_programme"
    for text in ("one", "two"):
        store.add_programme(text, NOW)
    assert store.programme_text() == "two"


def test_a_setting_is_kept_and_replaced(store: Store) -> None:
    assert store.get("k") is None
    store.set("k", "1")
    store.set("k", "2")
    assert store.get("k") == "2"


# FIPS 180-2, appendix B.1: SHA-256 of "abc".
def test_a_file_is_known_by_its_sha256() -> None:
    assert sha256_of(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223")
