"""A store on either database: its files exist for readers only once the database names them."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hotspots.errors import NotFound, StoreError
from hotspots.programme.status import Event
from hotspots.records import incident_files
from hotspots.records.audit import Audit, AuditAction
from hotspots.records.chain import head_of
from hotspots.records.log import append
from hotspots.records.store import Batch, Edition, KeptCrosswalk, Store, sha256_of

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


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


def test_a_store_is_opened_again_by_its_location_and_named_without_a_password(
    store: Store, store_location: str
) -> None:
    store.set("k", "v")
    with closing(Store(store.location)) as again, closing(Store(store_location)) as third:
        assert again.get("k") == third.get("k") == "v"
    password = re.search(r":(\w+)@", store_location)
    assert password is None or password[1] not in store.name
    assert password is None or password[1] not in repr(store.database.where.name)


def test_only_a_store_in_a_folder_has_one(store: Store) -> None:
    if not store.database.on_postgresql:
        assert store.root.is_dir()
        return
    with pytest.raises(StoreError) as refused:
        _ = store.root
    assert refused.value.reason == "store_has_no_folder"


def test_an_empty_database_is_no_store(postgresql_url: str) -> None:
    with pytest.raises(StoreError) as refused:
        Store(postgresql_url)
    assert refused.value.reason == "no_store"


# -- files


def test_a_file_is_written_whole_and_for_its_owner_only(store: Store) -> None:
    path = store.write_file("incidents", "a.parquet", b"content")
    assert path == store.path("incidents", "a.parquet")
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["a.parquet"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, "store_disk_full"), (errno.EROFS, "store_read_only"), (errno.EINVAL, None)],
)
def test_a_file_that_cannot_be_written_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, reason: str | None
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError if reason is None else StoreError) as refused:
        store.write_file("incidents", "a.parquet", b"content")
    assert getattr(refused.value, "reason", None) == reason
    monkeypatch.undo()
    assert [p.name for p in folder_of_files(store, "incidents").iterdir()] == []
    if not store.database.on_postgresql:  # the database has it whole, only the copy failed
        with pytest.raises(StoreError) as missing:
            store.path("incidents", "a.parquet")
        assert missing.value.reason == "kept_file_missing"


def folder_of_files(store: Store, folder: str) -> Path:
    return store._files_in / folder


def test_a_file_that_the_store_does_not_hold_is_said(store: Store) -> None:
    store.add_batch(batch("never-written.parquet"))
    with pytest.raises(StoreError) as refused:
        incident_files.read_batch(store, store.batches()[0])
    assert refused.value.reason == "kept_file_missing"
    assert refused.value.facts["file"] == "incidents/never-written.parquet"


def test_a_file_that_nobody_names_yet_may_be_written_again(store: Store) -> None:
    store.write_file("incidents", "a.parquet", b"half an import")
    path = store.write_file("incidents", "a.parquet", b"the import again")
    assert path.read_bytes() == b"the import again"


def test_a_file_that_the_records_name_is_never_written_over(store: Store) -> None:
    store.write_file("incidents", "a.parquet", b"first")
    store.add_batch(batch("a.parquet"))
    assert store.write_file("incidents", "a.parquet", b"second").read_bytes() == b"first"
    assert store.file_problems() == []


def test_the_files_of_a_database_are_read_on_another_machine(
    postgresql_store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(postgresql_store_url)) as here:
        there = here.write_file("incidents", "a.parquet", b"content")
    monkeypatch.delenv("HOTSPOTS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    with closing(Store(postgresql_store_url)) as store:
        path = store.path("incidents", "a.parquet")
        assert path.read_bytes() == b"content"
        assert path != there
        assert path.is_relative_to(tmp_path / "elsewhere" / "hotspots")
        assert stat.S_IMODE(path.parents[1].stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"spoilt!", b"spoilt, and longer", b""])
def test_a_spoilt_copy_on_this_machine_is_fetched_again(
    postgresql_store_url: str, content: bytes
) -> None:
    with closing(Store(postgresql_store_url)) as store:
        path = store.write_file("incidents", "a.parquet", b"content")
        path.write_bytes(content)
        assert store.path("incidents", "a.parquet").read_bytes() == b"content"
        path.write_bytes(content)
    with closing(Store(postgresql_store_url)) as again:
        assert again.path("incidents", "a.parquet").read_bytes() == b"content"
        path.unlink()
        assert again.path("incidents", "a.parquet").read_bytes() == b"content"


def test_a_copy_that_is_right_is_not_fetched_again(
    postgresql_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(postgresql_store_url)) as store:
        store.write_file("incidents", "a.parquet", b"content")
        monkeypatch.setattr(store, "_fetch", None)
        assert store.path("incidents", "a.parquet").read_bytes() == b"content"


def test_a_file_changed_in_the_database_is_not_read(postgresql_store_url: str) -> None:
    with closing(Store(postgresql_store_url)) as store:
        store.write_file("incidents", "a.parquet", b"content").unlink()
        with store.database.writing() as connection:
            connection.exec_driver_sql("UPDATE file SET content = 'other'")
        with pytest.raises(StoreError) as refused:
            store.path("incidents", "a.parquet")
        assert refused.value.reason == "kept_file_changed"


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


def test_a_batch_that_cannot_be_registered_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_batch(batch("good.parquet"))

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("hotspots.records.store._note", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        store.add_batch(batch("bad.parquet"))
    assert [each.file for each in store.batches()] == ["good.parquet"]


def test_numbers_are_given_without_gaps(store: Store) -> None:
    with pytest.raises(StoreError):
        [store.add_batch(batch("a.parquet")) for _ in range(2)]
    assert [store.add_batch(batch(f"{n}.parquet")).batch for n in range(2)] == [2, 3]
    for number in range(2):
        store.add_programme(str(number), NOW)
    with store.database.reading() as connection:
        numbers = connection.exec_driver_sql("SELECT number FROM programme ORDER BY 1").scalars()
        assert list(numbers) == [1, 2]
        assert head_of(connection).count == 0


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
    assert found[0].wards_file == folder_of_files(store, "boundaries") / "2025-01-01.parquet"
    assert found[0].drawing_file == folder_of_files(store, "drawing") / "2025-01-01.geojson"
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


def test_the_version_changes_with_what_is_calculated_from_and_not_with_sign_ins(
    store: Store, draft: Callable[..., Event]
) -> None:
    seen = [store.version()]
    steps: list[Callable[[], object]] = [
        lambda: append(store.database, [draft("a")]),
        lambda: store.add_batch(batch("a.parquet")),
        lambda: store.add_edition(edition("2025-07-01", schematic=True), NOW),
        lambda: store.add_edition(
            replace(edition("2025-07-01"), wards_file=Path("b.parquet")), NOW
        ),
        lambda: store.add_crosswalk(
            KeptCrosswalk(0, "2025-01-01", "2025-07-01", "a", {}, Path("p.parquet")), NOW
        ),
        lambda: store.add_programme("text", NOW),
        lambda: store.set("k", "1"),
        lambda: store.set("k", "2"),
    ]
    for step in steps:
        step()
        seen.append(store.version())
    assert len(set(seen)) == len(steps) + 1
    append(store.database, [], audit=[Audit(AuditAction.SIGNED_IN, "an", NOW)])
    assert store.version() == seen[-1]


# FIPS 180-2, appendix B.1: SHA-256 of "abc".
def test_a_file_is_known_by_its_sha256() -> None:
    assert sha256_of(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223")
