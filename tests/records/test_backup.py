"""A store in one file and back: everything arrives, or the backup is refused and nothing does."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import stat
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.programme.status import Event, EventType, Place
from hotspots.records import backup as backup_module
from hotspots.records import incident_files
from hotspots.records.audit import Audit, AuditAction, read_audit
from hotspots.records.backup import Manifest, backup, check_backup, read_manifest, restore
from hotspots.records.copying import TABLES
from hotspots.records.database import REVISIONS, files, users
from hotspots.records.log import append, head, read_events
from hotspots.records.simulation import begin_simulation
from hotspots.records.store import Batch, Edition, KeptCrosswalk, Store, named_files, sha256_of
from hotspots.records.verification import verify
from hotspots.tracker import Tracker

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
Draft = Callable[..., Event]


def refusal(work: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as refused:
        work()
    return refused.value


def a_point() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lon": [106.0],
            "key": np.array([1], dtype=np.uint64),
            "edition": ["2025-07-01"],
            "boundaries": ["w.parquet"],
            "ward": ["26734"],
            "month": ["2025-10"],
            "category": ["theft"],
        }
    )


def fill(store: Store, draft: Draft, listed: Draft) -> None:
    """Put something into every table; the texts are those that are easily broken on the way."""
    begin_simulation(store.database, "2026-10-31", by="an", now=NOW)
    append(
        store.database,
        [listed("a"), draft("b", note='Tổ 3\n"Bến"  😀'), draft("c", recorded_by="bình")],
        audit=[Audit(AuditAction.IMPORTED, "an", NOW, "a.csv", {"rows": 2})],
    )
    store.add_programme("[programme]\r\nname = 'Hồ Chí Minh'\n", NOW)
    wards = store.write_file("boundaries", "w.parquet", b"wards")
    drawing = store.write_file("drawing", "w.geojson", b"drawing")
    pairs = store.write_file("crosswalks", "p.parquet", b"")
    store.add_edition(Edition("2025-07-01", "a", False, 4, {"n": 1}, wards, drawing), NOW)
    store.add_crosswalk(KeptCrosswalk(0, "2025-01-01", "2025-07-01", "a", {}, pairs), NOW)
    for number in range(2):
        content = bytes(range(256)) * 2 + b"\r\n\0%d" % number
        name = store.write_file("incidents", f"{number}.parquet", content).name
        digest = sha256_of(name.encode())
        store.add_batch(Batch(0, "counts", digest, "a", NOW.isoformat(), 1, 1, 0, 0, name, True))
    with incident_files.batch_writer(store, "incidents") as writer:
        writer.add(a_point())
        staged = writer.finish()
    replaces = incident_files.Scope.of(a_point()).text()
    of_parts = Batch(0, "", "", "b", NOW.isoformat(), 1, 1, 0, 0, "", True, "", replaces, "Tổ 3")
    store.add_batch(of_parts, 2, staged=staged)
    store.write_file("incidents", "orphan.parquet", b"an import that failed")
    with store.database.writing() as connection:
        for name, email in (("an", "an@example.vn"), ("bình", None)):
            connection.execute(
                sa.insert(users).values(
                    name=name,
                    display_name=name.title(),
                    role="planner",
                    wards="[]",
                    active=email is not None,
                    epoch=1,
                    email=email,
                    added_at=NOW.isoformat(),
                )
            )


@pytest.fixture
def full(store: Store, draft: Draft, listed: Draft) -> Store:
    """A store with something in every table, on either database."""
    fill(store, draft, listed)
    return store


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of either kind, beside the full one."""
    where = str(tmp_path / "target")
    if request.param == "postgresql":
        where = request.getfixturevalue("another_postgresql_store_url")
    with closing(Store(where, create=True)) as opened:
        yield opened


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory, draft: Draft, listed: Draft) -> Path:
    """A small backup to be copied and spoiled."""
    folder = tmp_path_factory.mktemp("sound")
    with closing(Store(folder / "store", create=True)) as store:
        fill(store, draft, listed)
        backup(store, folder / "sound.zip", now=NOW)
    return folder / "sound.zip"


def content(store: Store) -> dict[str, Any]:
    """Every row of every table, and the bytes of every file that the records name."""
    with store.database.reading() as connection:
        held: dict[str, Any] = {
            table.name: [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in TABLES
        }
        held["files"] = {name: store.content(connection, *name) for name in named_files(connection)}
        return held


def nothing_in(store: Store) -> bool:
    with store.database.reading() as connection:
        listed_files = connection.execute(sa.select(files.c.name)).all()
    on_disk = [] if store.database.on_postgresql else list(store.root.glob("*/*"))
    return not any(content(store).values()) and not listed_files and not on_disk


# -- there and back


def test_what_is_restored_equals_what_was_backed_up(
    full: Store, target: Store, tmp_path: Path
) -> None:
    path = tmp_path / "b.zip"
    manifest = backup(full, path, now=NOW)
    before = content(full)
    found = restore(path, target)
    assert content(target) == content(full) == before
    assert all(content(target).values())
    assert found.ok
    assert found.head == manifest.head == head(full.database) == head(target.database)
    assert read_events(target.database) == read_events(full.database)
    assert read_audit(target.database) == read_audit(full.database)
    assert target.editions()[0].wards_file.read_bytes() == b"wards"
    assert target.crosswalks()[0].pairs_file.read_bytes() == b""
    with target.database.reading() as connection:
        assert "orphan.parquet" not in set(connection.execute(sa.select(files.c.name)).scalars())


def test_a_backup_of_what_was_restored_says_the_same_of_every_part(
    full: Store, target: Store, tmp_path: Path
) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    backup(full, one, now=NOW)
    restore(one, target)
    assert backup(target, other, now=NOW) == read_manifest(one)
    assert other.read_bytes() == one.read_bytes()


def test_a_restored_store_is_one_to_go_on_with(sound: Path, target: Store, draft: Draft) -> None:
    restore(sound, target)
    append(target.database, [draft("after")], {"h": 3})
    target.add_programme("new", NOW)
    assert target.programme_text() == "new"
    assert verify(target).ok


def test_an_empty_store_comes_back_empty(store: Store, target: Store, tmp_path: Path) -> None:
    manifest = backup(store, tmp_path / "b.zip", now=NOW)
    assert (manifest.head.count, manifest.size) == (0, 0)
    assert restore(tmp_path / "b.zip", target).ok
    assert nothing_in(target)


def test_the_pages_show_the_same_from_a_restored_store(
    small_city: Tracker, target: Store, tmp_path: Path, draft: Draft
) -> None:
    place = Place("00001", "2025-07-01", "Phường Một", frozenset({1}))
    first = {"type": EventType.DESIGNATED, "plan_year": 2025, "place": place}
    append(
        small_city.store.database,
        [draft("a", "00001-2025", **first), draft("b", "00001-2025", note="yên")],
    )
    backup(small_city.store, tmp_path / "b.zip", now=NOW)
    restore(tmp_path / "b.zip", target)
    day = date(2026, 1, 5)
    was, now = small_city.snapshot(day), Tracker(target).snapshot(day)
    assert len(now.hotspots) == 1
    pd.testing.assert_frame_equal(now.hotspots, was.hotspots)
    pd.testing.assert_frame_equal(now.trend, was.trend)
    assert (now.states, now.official, now.head) == (was.states, was.official, was.head)


def test_the_manifest_tells_what_the_file_holds(full: Store, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    manifest = backup(full, path, now=NOW)
    assert read_manifest(path) == check_backup(path) == manifest
    assert (manifest.format, manifest.tables, manifest.made_at) == (1, REVISIONS[-1], NOW)
    assert manifest.head == head(full.database)
    with zipfile.ZipFile(path) as archive:
        for part in manifest.parts:
            held = archive.read(part.name)
            assert (len(held), hashlib.sha256(held).hexdigest()) == (part.size, part.sha256)
        assert set(archive.namelist()) == {"manifest.json", *(p.name for p in manifest.parts)}


# -- making one


def test_a_backup_is_readable_by_its_owner_only_and_leaves_nothing_beside_it(
    full: Store, tmp_path: Path
) -> None:
    (tmp_path / "to").mkdir()
    backup(full, tmp_path / "to" / "b.zip", now=NOW)
    assert stat.S_IMODE((tmp_path / "to" / "b.zip").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["b.zip"]


def test_a_backup_never_overwrites_anything(full: Store, tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("a backup of last year")
    refused = refusal(lambda: backup(full, tmp_path / "b.zip", now=NOW))
    assert refused.reason == "backup_there"
    assert (tmp_path / "b.zip").read_text() == "a backup of last year"


def test_a_backup_gets_its_name_once_its_digest_is_noted(full: Store, tmp_path: Path) -> None:
    path = tmp_path / "to" / "b.zip"
    path.parent.mkdir()
    noted: list[tuple[Manifest, str]] = []

    def note(made: Manifest, digest: str) -> None:
        assert not path.exists()
        noted.append((made, digest))

    made = backup(full, path, now=NOW, note=note)
    assert noted == [(made, hashlib.sha256(path.read_bytes()).hexdigest())]
    assert [each.name for each in path.parent.iterdir()] == ["b.zip"]


def test_a_backup_that_cannot_be_noted_is_not_there(full: Store, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()

    def note(*_: object) -> None:
        raise StoreError("store_busy", "…")

    refused = refusal(lambda: backup(full, tmp_path / "to" / "b.zip", now=NOW, note=note))
    assert refused.reason == "store_busy"
    assert list((tmp_path / "to").iterdir()) == []


def test_a_backup_that_is_noted_is_kept_where_it_cannot_get_its_name(
    full: Store, tmp_path: Path
) -> None:
    path = tmp_path / "to" / "b.zip"
    path.parent.mkdir()
    noted: list[str] = []

    def note(_: object, digest: str) -> None:
        noted.append(digest)
        path.write_text("somebody else's")

    refused = refusal(lambda: backup(full, path, now=NOW, note=note))
    assert refused.reason == "backup_under_other_name"
    there = Path(str(refused.facts["there"]))
    assert path.read_text() == "somebody else's"
    assert {each.name for each in path.parent.iterdir()} == {"b.zip", there.name}
    assert [hashlib.sha256(there.read_bytes()).hexdigest()] == noted
    assert check_backup(there).head == head(full.database)


def test_a_backup_that_a_disk_lets_nobody_name_is_kept_too(
    full: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.name == "b.zip":
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    refused = refusal(lambda: backup(full, tmp_path / "b.zip", now=NOW))
    assert refused.reason == "backup_under_other_name"
    assert check_backup(Path(str(refused.facts["there"]))).head == head(full.database)


def test_a_folder_that_is_not_there_is_said(full: Store, tmp_path: Path) -> None:
    refused = refusal(lambda: backup(full, tmp_path / "no" / "b.zip", now=NOW))
    assert refused.reason == "store_cannot_be_opened"
    assert "b.zip" in str(refused)


def test_a_backup_that_fails_leaves_nothing_behind(
    full: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup_module.os, "fsync", fail)
    (tmp_path / "to").mkdir()
    assert refusal(lambda: backup(full, tmp_path / "to" / "b.zip", now=NOW)).reason == (
        "store_disk_full"
    )
    assert list((tmp_path / "to").iterdir()) == []


def test_a_broken_log_is_not_backed_up(
    full: Store, tmp_path: Path, behind_the_guards: Callable[..., None]
) -> None:
    behind_the_guards(full.database, "UPDATE event SET recorded_by = 'x' WHERE seq = 2")
    refused = refusal(lambda: backup(full, tmp_path / "b.zip", now=NOW))
    assert (refused.reason, refused.facts["seq"]) == ("row_hash", 2)
    assert not (tmp_path / "b.zip").exists()


def test_a_missing_or_changed_file_is_not_backed_up_as_if_it_were_right(
    full: Store, tmp_path: Path
) -> None:
    with full.database.writing() as connection:
        connection.exec_driver_sql("UPDATE file SET sha256 = 'x' WHERE name = 'w.geojson'")
    refused = refusal(lambda: backup(full, tmp_path / "b.zip", now=NOW))
    assert (refused.reason, refused.facts["file"]) == ("kept_file_changed", "drawing/w.geojson")
    missing = Batch(0, "counts", "f" * 64, "a", NOW.isoformat(), 1, 1, 0, 0, "0.none", True)
    full.add_batch(missing)
    with full.database.writing() as connection:
        connection.exec_driver_sql("UPDATE edition SET drawing_file = wards_file")
    refused = refusal(lambda: backup(full, tmp_path / "b.zip", now=NOW))
    assert refused.reason == "kept_file_missing"
    assert not (tmp_path / "b.zip").exists()


def test_backups_during_two_hundred_writes_hold_all_that_was_acknowledged_before(
    store: Store, tmp_path: Path, draft: Draft
) -> None:
    """Four writers of 50; every backup is the log up to some event that was the last one then."""
    acknowledged: list[str] = []
    problems: list[BaseException] = []
    finished = [0]

    def write(writer: int) -> None:
        try:
            for number in range(50):
                event = draft(f"{writer}-{number}", f"h{writer}", note="x" * 200)
                append(store.database, [event], {f"h{writer}": number + 1})
                acknowledged.append(event.event_id)
                if number % 10 == 0:
                    store.set(f"{writer}", f"{number}")
        except BaseException as error:
            problems.append(error)
        finally:
            finished[0] += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for number in range(4):
        place = Place("26734", "2025-07-01", "Phường Bến Thành", frozenset({1}))
        first = {"type": EventType.DESIGNATED, "plan_year": 2025, "place": place}
        append(store.database, [draft(f"first-{number}", f"h{number}", **first)])
    for thread in threads:
        thread.start()
    made: list[tuple[Path, set[str]]] = []
    while finished[0] < 4:
        if len(acknowledged) < 25 * len(made):
            time.sleep(0.002)
            continue
        before = set(acknowledged)
        path = tmp_path / f"{len(made)}.zip"
        backup(store, path, now=NOW)
        made.append((path, before))
    for thread in threads:
        thread.join()
    assert [error.reason for error in problems if isinstance(error, StoreError)] == []
    assert problems == []
    assert len(acknowledged) == 200
    whole = [event.event_id for event in read_events(store.database)]
    sizes = []
    for number, (path, before) in enumerate(made):
        with closing(Store(tmp_path / f"restored-{number}", create=True)) as restored:
            assert restore(path, restored).ok
            events = [event.event_id for event in read_events(restored.database)]
        assert events == whole[: len(events)]
        assert before <= set(events)
        sizes.append(len(events))
    print(f"{len(made)} backups during 200 writes, with {sizes} events")  # noqa: T201 - what was covered
    assert any(4 < size < 204 for size in sizes)


# -- where it may go


def test_a_backup_goes_into_an_empty_store_only(sound: Path, target: Store) -> None:
    target.set("k", "v")
    before = content(target)
    assert refusal(lambda: restore(sound, target)).reason == "target_not_empty"
    assert content(target) == before
    if not target.database.on_postgresql:
        assert list(target.root.glob("*/*")) == []


def test_a_restore_that_fails_half_way_leaves_the_store_empty_and_can_be_done_again(
    sound: Path, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [3]
    keep_file = Store.keep_file

    def fail_later(*given: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise OSError("the cable was pulled")
        keep_file(*given)

    monkeypatch.setattr(Store, "keep_file", fail_later)
    with pytest.raises(OSError, match="cable"):
        restore(sound, target)
    assert nothing_in(target)
    monkeypatch.undo()
    assert restore(sound, target).ok


# -- backups that are not what was written


def spoiled(sound: Path, tmp_path: Path, change: Callable[[dict[str, bytes], Any], None]) -> Path:
    """Pack a backup again with other parts or another manifest."""
    with zipfile.ZipFile(sound) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(parts.pop("manifest.json"))
    change(parts, manifest)
    path = tmp_path / "spoiled.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in parts.items():
            archive.writestr(name, held)
        archive.writestr("manifest.json", json.dumps(manifest))
    return path


def told_again(parts: dict[str, bytes], manifest: Any) -> None:
    """Let the manifest fit the parts, as a forger would."""
    manifest["parts"] = [
        {"name": name, "size": len(held), "sha256": hashlib.sha256(held).hexdigest()}
        for name, held in parts.items()
    ]


def swapped(parts: dict[str, bytes], _: Any) -> None:
    one, other = "files/incidents/0.parquet", "files/incidents/1.parquet"
    parts[one], parts[other] = parts[other], parts[one]


def without_a_file(parts: dict[str, bytes], manifest: Any) -> None:
    del parts["files/incidents/0.parquet"]
    told_again(parts, manifest)


def without_a_table(parts: dict[str, bytes], manifest: Any) -> None:
    del parts["tables/user.jsonl"]
    told_again(parts, manifest)


def one_part_more(name: str, held: bytes = b"x") -> Callable[[dict[str, bytes], Any], None]:
    def change(parts: dict[str, bytes], manifest: Any) -> None:
        parts[name] = held
        told_again(parts, manifest)

    return change


def other_text(table: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes], Any], None]:
    def change(parts: dict[str, bytes], manifest: Any) -> None:
        name = f"tables/{table}.jsonl"
        assert old in parts[name]
        parts[name] = parts[name].replace(old, new)
        told_again(parts, manifest)

    return change


def in_the_manifest(**values: object) -> Callable[[dict[str, bytes], Any], None]:
    return lambda _, manifest: manifest.update(values)


def an_event_twice(parts: dict[str, bytes], manifest: Any) -> None:
    parts["tables/event.jsonl"] += parts["tables/event.jsonl"].splitlines(keepends=True)[0]
    told_again(parts, manifest)


def a_shorter_log(parts: dict[str, bytes], manifest: Any) -> None:
    lines = parts["tables/event.jsonl"].splitlines(keepends=True)
    parts["tables/event.jsonl"] = b"".join(lines[:-1])
    told_again(parts, manifest)


def a_bomb(parts: dict[str, bytes], manifest: Any) -> None:
    parts["files/incidents/0.parquet"] = bytes(2**24)
    told_again(parts, manifest)


def a_lie_about_sizes(parts: dict[str, bytes], manifest: Any) -> None:
    a_bomb(parts, manifest)
    for part in manifest["parts"]:
        part["size"] = min(part["size"], 500)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (swapped, "backup_damaged"),
        (without_a_file, "backup_damaged"),
        (without_a_table, "backup_damaged"),
        (lambda parts, _: parts.pop("tables/user.jsonl"), "backup_damaged"),
        (lambda parts, _: parts.update({"notes.txt": b"x"}), "backup_part_refused"),
        (one_part_more("files/incidents/orphan.parquet"), "backup_damaged"),
        (one_part_more("files/incidents/../../x"), "backup_part_refused"),
        (one_part_more("files/../x"), "backup_part_refused"),
        (one_part_more("../files/incidents/x"), "backup_part_refused"),
        (one_part_more("/etc/cron.d/x"), "backup_part_refused"),
        (one_part_more("files/incidents/a\\b"), "backup_part_refused"),
        (one_part_more("files/incidents/.hidden"), "backup_part_refused"),
        (one_part_more("files/secrets/x"), "backup_part_refused"),
        (one_part_more("tables/alembic_version.jsonl"), "backup_part_refused"),
        (in_the_manifest(format=2), "backup_of_other_version"),
        (in_the_manifest(format=2, parts={"other": "form"}), "backup_of_other_version"),
        (in_the_manifest(tables="0999"), "backup_of_other_version"),
        (in_the_manifest(format="1"), "not_a_backup"),
        (in_the_manifest(parts=[{"name": "x"}]), "not_a_backup"),
        (in_the_manifest(parts="x"), "not_a_backup"),
        (in_the_manifest(made_at="yesterday"), "not_a_backup"),
        (in_the_manifest(events=-1), "not_a_backup"),
        (in_the_manifest(events=3), "copy_not_equal"),
        (in_the_manifest(hash="0" * 63 + "1"), "copy_not_equal"),
        (a_shorter_log, "copy_not_equal"),
        (a_bomb, "backup_too_large"),
        (a_lie_about_sizes, "backup_damaged"),
        (an_event_twice, "backup_damaged"),
        (other_text("event", "bình".encode(), b"an"), "row_hash"),
        (other_text("import_batch", b"0.parquet", b"../../x"), "backup_damaged"),
        (other_text("import_batch", b'"simulated": true', b'"simulated": 1'), "backup_damaged"),
        (other_text("import_batch", b'"rows": 1', b'"rows": 4294967296'), "backup_damaged"),
        (other_text("import_batch", b'"rows": 1,', b""), "backup_damaged"),
        (other_text("import_batch", b'\\"2025-10\\"', b"2025"), "backup_damaged"),
        (other_text("import_part", b'"batch": 3', b'"batch": 4'), "backup_damaged"),
        (other_text("import_part", b'"file": "incidents', b'"file": "x'), "backup_damaged"),
        (other_text("import_part", b'"counts": "cells', b'"counts": "x'), "backup_damaged"),
        (other_text("user", b'"role": "planner"', b'"role": null'), "backup_damaged"),
        (other_text("user", b'"role": "planner"', b'"role": "\\ud800"'), "backup_damaged"),
        (other_text("user", '"name": "bình"'.encode(), b'"name": "an"'), "backup_damaged"),
        (other_text("setting", b"{", b"[" * 100_000), "backup_damaged"),
        (other_text("setting", b"}\n", b"}"), "backup_damaged"),
    ],
)
def test_a_backup_that_is_not_what_was_written_is_refused_and_nothing_is_written(
    sound: Path,
    target: Store,
    tmp_path: Path,
    change: Callable[[dict[str, bytes], Any], None],
    reason: str,
) -> None:
    path = spoiled(sound, tmp_path, change)
    assert refusal(lambda: restore(path, target)).reason == reason
    assert nothing_in(target)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cache") in (
        ["spoiled.zip"],
        ["spoiled.zip", "target"],
    )


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (b"", "not_a_backup"),
        (b"PK\x05\x06" + bytes(18), "not_a_backup"),
        (b"not a zip" * 500, "not_a_backup"),
        (None, "backup_missing"),
    ],
)
def test_a_foreign_file_is_refused(
    tmp_path: Path, target: Store, held: bytes | None, reason: str
) -> None:
    path = tmp_path / "b.zip"
    if held is not None:
        path.write_bytes(held)
    assert refusal(lambda: restore(path, target)).reason == reason
    assert nothing_in(target)


def test_a_foreign_zip_is_refused(tmp_path: Path, target: Store) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("report.html", "<p>")
    assert refusal(lambda: restore(path, target)).reason == "not_a_backup"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("manifest.json", json.dumps({"name": "a browser extension"}))
    assert refusal(lambda: restore(path, target)).reason == "not_a_backup"
    assert nothing_in(target)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_part_that_is_there_twice_is_refused(sound: Path, tmp_path: Path, target: Store) -> None:
    path = tmp_path / "b.zip"
    shutil.copy(sound, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("tables/user.jsonl", archive.read("tables/user.jsonl"))
    assert refusal(lambda: restore(path, target)).reason == "backup_part_refused"
    assert nothing_in(target)


def test_a_backup_cut_off_anywhere_is_refused(sound: Path, tmp_path: Path, target: Store) -> None:
    whole = sound.read_bytes()
    path = tmp_path / "b.zip"
    lengths = [*range(0, len(whole), 23), *range(len(whole) - 100, len(whole))]
    for length in lengths:
        path.write_bytes(whole[:length])
        assert refusal(lambda: restore(path, target)).reason == "not_a_backup"
    print(f"{len(lengths)} cuts of a backup of {len(whole)} bytes, all refused")  # noqa: T201 - what was covered
    assert nothing_in(target)


def test_a_flipped_bit_is_refused_or_stands_where_nothing_is_said(
    sound: Path, tmp_path: Path
) -> None:
    """Dates and attributes of a zip's parts say nothing; every part is then as it was."""
    whole = sound.read_bytes()
    manifest = read_manifest(sound)
    path = tmp_path / "b.zip"
    chance = random.Random(1)  # noqa: S311 - the same ones every time
    refused: dict[str, int] = {}
    places = chance.sample(range(len(whole)), min(1500, len(whole)))
    for place in places:
        held = bytearray(whole)
        held[place] ^= 1 << chance.randrange(8)
        path.write_bytes(held)
        try:
            assert check_backup(path) == manifest
        except StoreError as error:
            refused[error.reason] = refused.get(error.reason, 0) + 1
    print(f"{len(places)} flipped bits, refused {refused}")  # noqa: T201 - what was covered
    assert sum(refused.values()) > len(places) / 2
