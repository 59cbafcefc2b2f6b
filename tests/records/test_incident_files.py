"""Imported rows on disk: staged in parts, counted, taken by the store, replaced by later ones."""

from __future__ import annotations

import errno
import fcntl
import gc
import itertools
import os
import signal
import stat
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import NotAllowed, StoreError
from hotspots.records import incident_files, staging
from hotspots.records import store as store_module
from hotspots.records.audit import Audit, AuditAction, read_audit
from hotspots.records.count_tables import CELL, CELL_COLUMNS
from hotspots.records.database import files, import_parts
from hotspots.records.incident_files import BatchWriter, Scope, StagedBatch
from hotspots.records.store import Batch, Store
from hotspots.records.verification import verify

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
CHANCE = np.random.default_rng(7)


def incidents(*months: str, start: int = 0, **others: object) -> pd.DataFrame:
    """One point a month in ward 00001; `others` are columns that differ."""
    count = len(months)
    columns: dict[str, object] = {
        "row": np.arange(1, count + 1),
        "lon": 106.0 + np.arange(start, start + count) / 1000,
        "lat": 10.0,
        "ward": "00001",
        "day": [f"{month}-03" for month in months],
        "month": list(months),
        "category": "theft",
        "edition": "2025-07-01",
        "boundaries": "w.parquet",
        "key": np.arange(start, start + count, dtype=np.uint64),
    }
    return pd.DataFrame(columns | others)


def many(count: int, *, sources: bool = True) -> pd.DataFrame:
    """Incidents of ten years in three wards, a third by ward code."""
    month = CHANCE.integers(0, 120, count)
    by_code = CHANCE.random(count) < 1 / 3
    months = [f"{2016 + m // 12}-{m % 12 + 1:02d}" for m in month.tolist()]
    columns: dict[str, object] = {
        "lon": np.where(by_code, np.nan, 106.0),
        "ward": CHANCE.choice(["00001", "00002", "00003"], count).astype(object),
        "category": CHANCE.choice(["theft", "drugs"], count).astype(object),
        "boundaries": np.where(by_code, "", "w.parquet").astype(object),
        "key": CHANCE.permutation(count).astype(np.uint64),
    }
    if sources:
        columns["source"] = CHANCE.choice(["citizen", "police", ""], count).astype(object)
    return incidents(*months, **columns)


def stage(
    store: Store, *tables: pd.DataFrame, kind: str = "incidents", rows_a_part: int = 500_000
) -> StagedBatch:
    with incident_files.batch_writer(store, kind, rows_a_part=rows_a_part) as writer:
        for table in tables:
            writer.add(table)
        return writer.finish()


def a_batch(source: str = "a.csv", replaces: Scope | None = None) -> Batch:
    text = "" if replaces is None else replaces.text()
    return Batch(0, "", "", source, NOW.isoformat(), 2, 2, 0, 0, "", False, "f" * 64, text, "ghi")


def bring(
    store: Store,
    *tables: pd.DataFrame,
    kind: str = "incidents",
    replaces: Scope | None = None,
    rows_a_part: int = 500_000,
) -> Batch:
    staged = stage(store, *tables, kind=kind, rows_a_part=rows_a_part)
    return store.add_batch(a_batch(replaces=replaces), seen=len(store.batches()), staged=staged)


def imports_folder(store: Store) -> list[str]:
    return sorted(path.name for path in store.staging_place().iterdir())


def keys(store: Store, **options: bool) -> list[list[int]]:
    """The keys of each batch's rows."""
    return [
        sorted(incident_files.read_batch(store, batch, ["key"], **options)["key"].tolist())
        for batch in store.batches("incidents")
    ]


def same_rows(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    first, second = (
        table.sort_values("key", ignore_index=True).astype(object).fillna("-")
        for table in (one, other)
    )
    return first.equals(second[first.columns.tolist()])


# -- staging


def test_what_is_staged_is_not_in_the_store(store: Store) -> None:
    before = store.version()
    with stage(store, incidents("2025-10", "2026-01")) as staged:
        assert staged.rows == 2
        assert [path for path in imports_folder(store) if not path.startswith(".new-")] == []
        assert store.batches() == []
        assert store.version() == before
        assert len(incident_files.known_keys(store)) == 0
    assert imports_folder(store) == []


def test_a_batch_comes_back_as_it_was_brought_in_one_part_a_year(store: Store) -> None:
    rows = many(2_000)
    kept = bring(store, rows[:700], rows[700:])
    assert store.batches() == [kept]
    assert [part.year for part in kept.parts] == list(range(2016, 2026))
    assert sum(part.rows for part in kept.parts) == 2_000
    assert same_rows(incident_files.read_batch(store, kept), rows)
    for part, table in zip(kept.parts, incident_files.iter_batch(store, kept), strict=True):
        assert len(table) == part.rows
        assert set(table["month"].str[:4]) == {str(part.year)}
    assert imports_folder(store) == sorted(
        name for part in kept.parts for name in (part.file, part.counts)
    )


def test_a_year_of_many_rows_has_several_parts_none_larger_than_allowed(store: Store) -> None:
    rows = incidents(*["2025-10"] * 25)
    kept = bring(store, rows[:4], rows[4:], rows_a_part=10)
    assert [(part.year, part.rows) for part in kept.parts] == [(2025, 10), (2025, 10), (2025, 5)]
    assert same_rows(incident_files.read_batch(store, kept), rows)
    cells = incident_files.cells(store, kept)
    assert cells["count"].tolist() == [10, 10, 5]


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=6), part=st.integers(7, 400))
def test_however_rows_are_delivered_they_are_the_same_batch(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], part: int
) -> None:
    place = tmp_path_factory.mktemp("place")
    rows = many(300)
    edges = [0, *sorted(cuts), 300]
    pieces = [rows[a:b] for a, b in itertools.pairwise(edges)]
    staged = []
    for tables in ([rows], pieces):
        with BatchWriter(place, "incidents", rows_a_part=part) as writer:
            for table in tables:
                writer.add(table)
            staged.append(writer.finish())
    whole, in_pieces = staged
    assert in_pieces.sha256 == whole.sha256
    assert [(p.year, p.rows) for p in in_pieces.parts] == [(p.year, p.rows) for p in whole.parts]
    expected = rows.assign(by_point=rows["lon"].notna()).groupby(CELL).size()
    for each in staged:
        assert each.cells().set_index(CELL)["count"].to_dict() == expected.to_dict()
        tables = [pq.read_table(each.path(p.file)).to_pandas() for p in each.parts]
        assert same_rows(pd.concat(tables), rows)
        each.close()
    assert list(place.iterdir()) == []


def test_other_rows_are_another_batch(store: Store) -> None:
    found = {
        stage(store, table, kind=kind).sha256
        for table, kind in (
            (incidents("2025-10"), "incidents"),
            (incidents("2025-10", start=1), "incidents"),
            (incidents("2025-10", "2025-10"), "incidents"),
            (counts(3), "counts"),
            (counts(4), "counts"),
        )
    }
    assert len(found) == 5


def counts(count: int, month: str = "2025-10", **others: object) -> pd.DataFrame:
    columns: dict[str, object] = {
        "row": [1],
        "ward": "00001",
        "month": month,
        "category": "theft",
        "count": count,
        "edition": "2025-07-01",
    }
    return pd.DataFrame(columns | others)


class Kind(StrEnum):
    """As the kinds of files are named elsewhere."""

    COUNTS = "counts"
    INDICATORS = "indicators"
    SCORECARDS = "scorecards"
    POPULATIONS = "populations"


@pytest.mark.parametrize("kind", list(map(str, Kind)))
def test_other_kinds_are_one_file(store: Store, kind: str) -> None:
    rows = pd.DataFrame(
        {
            "period": ["2025-Q1", "2026-H1"],
            "value": [0.5, np.nan],
            "met": [True, False],
            "note": [None, None],
        }
    )
    kept = bring(store, rows, kind=Kind(kind))
    assert (kept.kind, kept.parts) == (kind, ())
    assert type(kept.kind) is str
    assert store.batches(kind) == [kept]
    found = incident_files.read_batch(store, kept)
    assert found["value"].fillna(-1).tolist() == [0.5, -1]
    assert found["met"].tolist() == [True, False]
    assert found["period"].tolist() == ["2025-Q1", "2026-H1"]


def test_a_column_that_begins_empty_takes_texts_later(store: Store) -> None:
    first, second = incidents("2025-10", note=None), incidents("2025-11", start=1, note="tổ 3")
    kept = bring(store, first, second)
    assert incident_files.read_batch(store, kept)["note"].fillna("").tolist() == ["", "tổ 3"]


@pytest.mark.parametrize(
    "wrong",
    [incidents("2025-10").drop(columns="ward"), incidents("2025-10").assign(more=1)],
)
def test_rows_of_other_columns_are_not_taken(store: Store, wrong: pd.DataFrame) -> None:
    with incident_files.batch_writer(store, "incidents") as writer:
        writer.add(incidents("2025-10"))
        with pytest.raises(ValueError, match="not the columns"):
            writer.add(wrong)
    with (
        incident_files.batch_writer(store, "incidents") as writer,
        pytest.raises(ValueError, match="need the columns"),
    ):
        writer.add(wrong.drop(columns="key"))


def test_a_batch_may_have_no_rows(store: Store) -> None:
    kept = bring(store)
    assert (kept.parts, kept.file) == ((), "")
    assert incident_files.read_batch(store, kept, ["key"]).empty
    assert incident_files.cells(store, kept).empty
    assert incident_files.covered_months(store, "incidents") == set()
    assert verify(store).ok


def test_staged_files_are_for_their_owner_only_and_so_are_kept_ones(store: Store) -> None:
    staged = stage(store, incidents("2025-10"))
    assert stat.S_IMODE(staged.folder.path.stat().st_mode) == 0o700
    for name in staged.digests:
        assert stat.S_IMODE(staged.path(name).stat().st_mode) == 0o600
    kept = store.add_batch(a_batch(), staged=staged)
    for name in (kept.parts[0].file, kept.parts[0].counts):
        assert stat.S_IMODE(store.path("incidents", name).stat().st_mode) == 0o600


def test_what_nobody_took_is_gone_when_nobody_holds_it(store: Store) -> None:
    staged = stage(store, incidents("2025-10"))
    assert len(imports_folder(store)) == 1
    del staged
    gc.collect()
    assert imports_folder(store) == []


def test_an_import_that_breaks_off_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_ROWS_HELD", 100)

    def break_off() -> None:
        with incident_files.batch_writer(store, "incidents", rows_a_part=30) as writer:
            writer.add(many(500))
            assert len(list((store.staging_place() / imports_folder(store)[0]).iterdir())) > 10
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        break_off()
    assert imports_folder(store) == []


@pytest.mark.parametrize("at", ["write", "finish"])
def test_a_full_disk_is_said_and_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if at == "write":
        monkeypatch.setattr(staging._OpenPart, "write", full)
    else:
        monkeypatch.setattr(staging, "_flush", full)
    with pytest.raises(StoreError) as refused:
        stage(store, incidents("2025-10"))
    assert refused.value.reason == "store_disk_full"
    assert imports_folder(store) == []


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not(
    store: Store,
) -> None:
    old = time.time() - 2 * staging._ABANDONED_AFTER
    living = stage(store, incidents("2025-10"))
    killed, new = store.staging_place() / ".new-killed", store.staging_place() / ".new-new"
    for folder in (killed, new):
        folder.mkdir()
        (folder / "0").write_bytes(b"half")
    for folder in (killed, living.folder.path):
        os.utime(folder, (old, old))
    stage(store, incidents("2025-11")).close()
    assert imports_folder(store) == sorted([new.name, living.folder.path.name])


def test_a_fork_that_ends_removes_nothing_of_its_parent(store: Store) -> None:
    staged = stage(store, incidents("2025-10"))
    child = os.fork()
    if child == 0:
        staged.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert staged.path(staged.parts[0].file).exists()
    staged.close()


# -- taking


def test_a_batch_is_registered_with_its_audit_in_one_transaction(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = stage(store, incidents("2025-10", "2026-01"))
    noted = Audit(AuditAction.IMPORTED, "an", NOW, "a.csv", {"sha256": staged.sha256})

    def power_cut(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "append_audit", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            store.add_batch(a_batch(), staged=staged, audit=noted)
    assert store.batches() == []
    assert [name for name in imports_folder(store) if not name.startswith(".new-")] == []
    with store.database.reading() as connection:
        assert connection.execute(sa.select(files)).all() == []
        assert connection.execute(sa.select(import_parts)).all() == []
    kept = store.add_batch(a_batch(), staged=staged, audit=noted)  # it stayed staged
    assert keys(store) == [[0, 1]]
    assert read_audit(store.database) == [noted]
    assert (kept.file_sha256, kept.note) == ("f" * 64, "ghi")
    assert not any(name.startswith(".new-") for name in imports_folder(store))
    assert verify(store).ok


def test_who_may_not_write_any_more_brings_nothing_in(store: Store) -> None:
    staged = stage(store, incidents("2025-10"))

    def disabled(_: sa.Connection) -> None:
        raise NotAllowed("session_ended", "The session of an has ended.", user="an")

    with pytest.raises(NotAllowed):
        store.add_batch(a_batch(), staged=staged, guard=disabled)
    assert store.batches() == []
    assert store.add_batch(a_batch(), staged=staged, guard=lambda _: None).batch == 1


@pytest.mark.parametrize("step", ["link", "copy"])
def test_a_disk_that_is_full_when_the_store_takes_the_files_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The second file finds no space; `copy`: on a disk that knows no links."""
    taken: list[Path] = []

    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    real = store_module._link_whole

    def full(source: Path, target: Path) -> None:
        if taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)
        taken.append(target)

    with closing(Store(tmp_path / "store", create=True)) as store:
        staged = stage(store, incidents("2025-10"))
        if step == "copy":
            monkeypatch.setattr(os, "link", no_link)
        with monkeypatch.context() as patch:
            patch.setattr(store_module, "_link_whole", full)
            with pytest.raises(StoreError) as refused:
                store.add_batch(a_batch(), staged=staged)
        assert refused.value.reason == "store_disk_full"
        assert len(taken) == 1
        assert [name for name in imports_folder(store) if not name.startswith(".new-")] == []
        store.add_batch(a_batch(), staged=staged)
        assert keys(store) == [[0]]
        assert verify(store).ok


def test_the_same_content_is_one_file_for_two_batches(store: Store) -> None:
    """A correction of 2026 leaves 2025 as it was: its part is the same file."""
    bring(store, incidents("2025-10"))
    scope = Scope(frozenset({"2025-10", "2026-01"}), frozenset({"theft"}))
    corrected = incidents("2025-10", "2026-01", row=1)
    bring(store, corrected, replaces=scope)
    first, second = store.batches()
    assert first.parts[0].file == second.parts[0].file
    assert keys(store) == [[], [0, 1]]
    assert keys(store, superseded=True) == [[0], []]
    assert verify(store).ok


def test_a_staged_batch_is_refused_if_another_was_quicker(store: Store) -> None:
    slow = stage(store, incidents("2025-10"))
    bring(store, incidents("2025-11", start=5))
    with pytest.raises(StoreError) as refused:
        store.add_batch(a_batch(), seen=0, staged=slow)
    assert refused.value.reason == "imported_meanwhile"
    same = stage(store, incidents("2025-11", start=5))
    with pytest.raises(StoreError) as refused:
        store.add_batch(a_batch(), seen=1, staged=same)
    assert refused.value.reason == "imported_meanwhile"
    assert keys(store) == [[5]]
    assert store.add_batch(a_batch(), seen=1, staged=slow).batch == 2


def test_who_replaces_must_say_what_they_had_seen(store: Store) -> None:
    staged = stage(store, incidents("2025-10"))
    with pytest.raises(ValueError, match="how many batches"):
        store.add_batch(a_batch(replaces=Scope.of(incidents("2025-10"))), staged=staged)


def test_a_missing_or_changed_part_is_named(store: Store) -> None:
    kept = bring(store, incidents("2025-10", "2026-01"))
    changed, missing = kept.parts[0].file, kept.parts[1].counts
    if store.database.on_postgresql:
        with store.database.writing() as connection:
            this = files.c.name
            connection.execute(sa.update(files).where(this == changed).values(content=b"x"))
            connection.execute(sa.delete(files).where(this == missing))
    else:
        (store.root / "incidents" / changed).write_bytes(b"x")
        (store.root / "incidents" / missing).unlink()
    found = {(p.reason, p.facts["file"]) for p in verify(store).problems}
    assert found == {
        ("kept_file_changed", f"incidents/{changed}"),
        ("kept_file_missing", f"incidents/{missing}"),
    }


def test_a_batch_that_does_not_say_clearly_what_it_replaces_is_named(store: Store) -> None:
    bring(store, incidents("2025-10"))
    with store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE import_batch SET replaces = '{}'")
    assert [problem.reason for problem in verify(store).problems] == ["batch_malformed"]
    with pytest.raises(StoreError) as refused:
        store.batches()
    assert refused.value.reason == "batch_malformed"


def test_parts_are_read_on_another_machine(
    postgresql_store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(postgresql_store_url)) as here:
        bring(here, incidents("2025-10", "2026-01"))
        monkeypatch.setattr(here, "_fetch", None)  # the staged files are this machine's copies
        assert keys(here) == [[0, 1]]
    monkeypatch.setenv("HOTSPOTS_CACHE", str(tmp_path / "elsewhere"))
    with closing(Store(postgresql_store_url)) as there:
        assert keys(there) == [[0, 1]]


@pytest.mark.parametrize("step", ["_register", "_note"])
def test_a_process_killed_while_the_store_takes_its_files_changes_nothing(
    store: Store, step: str
) -> None:
    child = os.fork()
    if child == 0:
        setattr(store_module, step, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        bring(Store(store.location), incidents("2025-10", "2026-01"))
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert store.batches() == []
    assert len(incident_files.known_keys(store)) == 0
    assert verify(store).ok
    bring(store, incidents("2025-10", "2026-01"))  # takes over the files left behind
    assert keys(store) == [[0, 1]]
    assert verify(store).ok
    with store.database.reading() as connection:
        assert len(connection.execute(sa.select(files.c.name)).all()) == 4


# -- superseding


def test_a_corrected_period_replaces_the_old_one_which_stays_readable(store: Store) -> None:
    bring(store, incidents("2025-09", "2025-10", "2025-10"))
    scope = Scope(frozenset({"2025-10"}), frozenset({"theft"}))
    bring(store, incidents("2025-10", start=7), replaces=scope)
    first, second = store.batches()
    assert keys(store) == [[0], [7]]
    assert keys(store, superseded=True) == [[1, 2], []]
    assert incident_files.known_keys(store).tolist() == [0, 7]
    assert incident_files.known_keys(store, superseded=True).tolist() == [0, 1, 2, 7]
    assert incident_files.cells(store, first)["count"].sum() == 1
    assert incident_files.cells(store, first, superseded=True)["count"].sum() == 2
    assert (first.superseded_by, second.superseded_by) == ((scope,), ())


@pytest.mark.parametrize(
    ("wards", "left"),
    [(None, []), ({("00001", "2025-07-01")}, [1]), ({("00001", "2025-01-01")}, [0, 1])],
)
def test_an_office_replaces_what_it_reports_for(
    store: Store, wards: set[tuple[str, str]] | None, left: list[int]
) -> None:
    bring(store, incidents("2025-10", "2025-10", ward=["00001", "00002"]))
    of = None if wards is None else frozenset(wards)
    bring(store, replaces=Scope(frozenset({"2025-10"}), frozenset({"theft"}), of))
    assert keys(store) == [left, []]


def test_counts_can_replace_incidents_and_the_other_way_round(store: Store) -> None:
    month = (frozenset({"2025-10"}), frozenset({"theft"}))
    bring(store, incidents("2025-10", "2025-11"))
    bring(store, counts(3), kind="counts", replaces=Scope(*month))
    assert keys(store) == [[1]]
    assert incident_files.covered_months(store, "incidents") == {("2025-11", "theft")}
    assert incident_files.covered_months(store, "counts") == {("2025-10", "theft")}
    bring(store, incidents("2025-10", start=9), replaces=Scope(*month, None, frozenset({"counts"})))
    assert keys(store) == [[1], [9]]
    assert incident_files.covered_months(store, "counts") == set()
    (kept,) = store.batches("counts")
    assert incident_files.read_batch(store, kept, superseded=True)["count"].tolist() == [3]


def test_rows_that_were_replaced_may_come_back(store: Store) -> None:
    scope = Scope(frozenset({"2025-10"}), frozenset({"theft"}))
    right, wrong = incidents("2025-10"), incidents("2025-10", start=5)
    for table in (right, wrong, right, wrong):
        bring(store, table, replaces=scope)
    assert keys(store) == [[], [], [], [5]]
    bring(store, replaces=scope)
    with pytest.raises(StoreError) as refused:  # who did not look cannot know
        store.add_batch(a_batch(), staged=stage(store, right))
    assert refused.value.reason == "imported_meanwhile"
    bring(store, right)
    assert keys(store) == [[], [], [], [], [], [0]]
    assert len({batch.sha256 for batch in store.batches()}) == 6


def test_what_a_batch_would_replace_is_told_before(store: Store) -> None:
    scope = Scope(frozenset({"2025-10"}), frozenset({"theft"}))
    assert incident_files.replaced_by(store, scope).empty
    bring(store, incidents("2025-09", "2025-10", "2025-10"))
    bring(store, counts(3, "2025-10", category="drugs"), counts(4, "2025-10"), kind="counts")
    told = incident_files.replaced_by(store, replace(scope, kinds=frozenset({"incidents"})))
    assert told["count"].tolist() == [2]
    told = incident_files.replaced_by(
        store, replace(scope, kinds=frozenset({"incidents", "counts"}))
    )
    assert told[["batch", "kind", "month", "count"]].to_numpy().tolist() == [
        [1, "incidents", "2025-10", 2],
        [2, "counts", "2025-10", 4],
    ]
    assert told.columns.tolist() == ["batch", "kind", *CELL_COLUMNS]
    assert incident_files.known_keys(store, without=scope).tolist() == [0]
    assert incident_files.covered_months(store, "incidents", without=scope) == {
        ("2025-09", "theft")
    }
    assert len(incident_files.covered_months(store, "counts", without=scope)) == 2


MONTHS = ("2024-12", "2025-01", "2025-02")


@st.composite
def history(draw: st.DrawFn) -> list[tuple[str, pd.DataFrame, Scope | None]]:
    """A few batches, some in the old single file, some replacing what came before."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        months = draw(st.lists(st.sampled_from(MONTHS), min_size=1, max_size=6))
        wards = [draw(st.sampled_from(["00001", "00002"])) for _ in months]
        rows = incidents(*months, start=100 * number, ward=wards)
        how = draw(st.sampled_from(["old", "parts", "replaces", "replaces own wards"]))
        scope = Scope.of(rows, wards=how.endswith("wards")) if "replaces" in how else None
        found.append((how, rows, scope))
    return found


@settings(max_examples=40, deadline=None)
@given(history())
def test_every_row_counts_or_is_superseded_and_all_ways_of_reading_agree(
    tmp_path_factory: pytest.TempPathFactory,
    several: list[tuple[str, pd.DataFrame, Scope | None]],
) -> None:
    expected: list[pd.DataFrame] = []
    with closing(Store(tmp_path_factory.mktemp("store"), create=True)) as store:
        for how, rows, scope in several:
            if scope is not None:
                expected = [table[~scope.covers(table)] for table in expected]
            expected.append(rows)
            if how == "old":
                in_one_file(store, rows)
            else:
                bring(store, rows, replaces=scope, rows_a_part=2)
        assert keys(store) == [sorted(table["key"]) for table in expected]
        for (_, rows, _), now, gone in zip(
            several, keys(store), keys(store, superseded=True), strict=True
        ):
            assert sorted(now + gone) == rows["key"].tolist()
        current = pd.concat(expected)
        assert incident_files.known_keys(store).tolist() == sorted(current["key"])
        assert incident_files.covered_months(store, "incidents") == set(
            zip(current["month"], current["category"], strict=True)
        )
        cells = pd.concat(incident_files.cells(store, batch) for batch in store.batches())
        by = ["ward", "month"]
        assert cells.groupby(by)["count"].sum().to_dict() == current.groupby(by).size().to_dict()


# -- batches of before there were parts


def in_one_file(store: Store, rows: pd.DataFrame) -> Batch:
    sha256 = f"{int(rows['key'].iloc[0]):016d}".ljust(64, "0")
    name = incident_files.write_batch(store, rows, kind="incidents", sha256=sha256)
    old = Batch(0, "incidents", sha256, "a", NOW.isoformat(), 1, 1, 0, 0, name, False)
    return store.add_batch(old)


def test_a_batch_in_one_file_is_read_counted_and_replaced_like_one_in_parts(store: Store) -> None:
    rows = many(500, sources=False)
    old = in_one_file(store, rows)
    new = bring(store, rows)
    one, other = (
        incident_files.cells(store, batch).groupby(CELL)["count"].sum() for batch in (old, new)
    )
    assert one.to_dict() == other.to_dict()
    assert set(incident_files.read_batch(store, old, ["key", "source"])["source"]) == {""}
    month = rows.loc[rows["category"].eq("theft"), "month"].iloc[0]
    scope = Scope(frozenset({month}), frozenset({"theft"}))
    bring(store, replaces=scope)
    old, new, _ = store.batches()
    for superseded in (False, True):
        assert same_rows(
            incident_files.read_batch(store, old, superseded=superseded),
            incident_files.read_batch(store, new, superseded=superseded),
        )
    gone = incident_files.read_batch(store, old, ["month", "category"], superseded=True)
    assert len(gone) == (rows["month"].eq(month) & rows["category"].eq("theft")).sum() > 0


def test_points_to_place_anew_are_read_from_the_parts_that_have_some(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = incidents(
        "2024-10", "2025-10", "2025-11", "2026-10",
        boundaries=["w.parquet", "w.parquet", "other.parquet", ""],
        lon=[106.0, 106.1, 106.2, np.nan],
    )  # fmt: skip
    bring(store, rows)
    (kept,) = store.batches()
    read: list[str] = []
    real: Callable[..., Path] = store.path
    monkeypatch.setattr(
        store, "path", lambda folder, name: (read.append(name), real(folder, name))[1]
    )
    (found,) = incident_files.points_to_place(store, kept, "w.parquet")
    assert found["lon"].tolist() == [106.2]
    assert [part.year for part in kept.parts if part.file in read] == [2025]


def test_a_lock_is_held_as_long_as_a_batch_is_staged(store: Store) -> None:
    staged = stage(store, incidents("2025-10"))
    handle = os.open(staged.folder.path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    staged.close()
    os.close(handle)
