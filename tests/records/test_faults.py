"""What a store survives: kill -9, power cuts, many writers, full and read-only disks, odd clocks.

`HOTSPOTS_KILLS` sets the rounds of kill -9; `HOTSPOTS_LONG=1` makes them 200 and tries every cut.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import hotspots.records.database as database_module
from hotspots.errors import StoreError
from hotspots.programme.status import Event
from hotspots.records.audit import Audit, AuditAction, read_audit
from hotspots.records.backup import backup
from hotspots.records.chain import Row, Tail
from hotspots.records.database import Database, events
from hotspots.records.log import append, head, read_events
from hotspots.records.store import DATABASE_FILE, Store
from hotspots.records.verification import verify

MOMENT = datetime(2025, 10, 20, 9, tzinfo=UTC)
LONG = os.environ.get("HOTSPOTS_LONG") == "1"
SECTOR = 512
Draft = Callable[..., Event]


def covered(text: str) -> None:
    print(text)  # noqa: T201 - what was covered


def same_chances(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same ones every time


def refusal(work: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as refused:
        work()
    return refused.value


# -- writers in processes of their own


class Writers:
    """A process that forks writers one after another; see `killed_writer`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("killed_writer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, **command: object) -> int:
        """Let a child begin, and return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        word, _, number = self.line().partition(" ")
        assert word == "child"
        return int(number)

    def line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().rstrip("\n")
        assert line, "the writers' process is gone"
        assert not line.startswith("failed"), line
        return line

    def rest(self) -> list[str]:
        """Return what the child still told before its end."""
        return list(iter(self.line, "end"))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=150)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def writers() -> Iterator[Writers]:
    made = Writers()
    yield made
    made.close()


@dataclass
class Kills:
    """What was told by writers that were killed, and what was found."""

    acknowledged: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    journals: int = 0

    def note(self, lines: list[str]) -> None:
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "wrote":
                self.acknowledged.append(rest)
            else:
                self.refused[rest] += 1


def killed_round(
    writers: Writers, kills: Kills, location: str, name: str, chance: random.Random, **command: Any
) -> None:
    """Let one child write, and kill it at a random moment after some of its writes."""
    child = writers.begin(**{"do": "write", "location": location, "name": name} | command)
    lines: list[str] = []
    for _ in range(chance.randrange(4)):
        lines.append(writers.line())
    time.sleep(chance.random() * 0.03)
    os.kill(child, signal.SIGKILL)
    kills.note(lines + writers.rest())
    kills.journals += Path(location, f"{DATABASE_FILE}-journal").exists()


def groups_in(database: Database) -> dict[str, int]:
    """How many rows each group has; a whole one has three events and an audit."""
    found = Counter(event.hotspot for event in read_events(database))
    found.update(audit.subject for audit in read_audit(database, limit=100_000))
    return dict(found)


def survived(store: Store, kills: Kills) -> list[str]:
    """Return what is wrong with a store whose writers were killed."""
    wrong = [problem.reason for problem in verify(store).problems]
    there = groups_in(store.database)
    wrong += [f"lost {name}" for name in kills.acknowledged if name not in there]
    wrong += [f"half {name}" for name, rows in there.items() if rows != 4]
    rounds = Counter(name.rpartition("-")[0] for name in there.keys() - set(kills.acknowledged))
    wrong += [f"never said {name}" for name, more in rounds.items() if more > 1]
    return wrong


@pytest.mark.parametrize(("kind", "rounds"), [("sqlite", 60), ("postgresql", 10)])
def test_every_acknowledged_write_outlives_kill_nine(
    request: pytest.FixtureRequest, tmp_path: Path, writers: Writers, kind: str, rounds: int
) -> None:
    """That a write reached the disk is not shown: what a killed process wrote, the system keeps."""
    location = str(tmp_path / "store")
    if kind == "postgresql":
        location = request.getfixturevalue("postgresql_store_url")
    rounds = 200 if LONG else int(os.environ.get("HOTSPOTS_KILLS", rounds))
    kills, chance = Kills(), same_chances(9)
    with closing(Store(location, create=True)) as store:
        for number in range(rounds):
            killed_round(writers, kills, location, f"r{number}", chance)
            if number % 5 == 4 or number == rounds - 1:
                _wait_until_nobody_writes(store)
                assert survived(store, kills) == []
        assert not kills.refused
        assert len(kills.acknowledged) >= rounds / 2
        rows = head(store.database).count
    covered(
        f"kill -9 on {kind}: {rounds} rounds, {len(kills.acknowledged)} writes acknowledged, "
        f"{rows // 4 - len(kills.acknowledged)} more were there, {kills.journals} journals left"
    )


def _wait_until_nobody_writes(store: Store) -> None:
    """PostgreSQL may still end the last write of a writer that is gone."""
    with store.database.writing():
        pass


@pytest.mark.parametrize(("mutant", "sign"), [("too early", "lost"), ("in pieces", "half")])
def test_a_writer_that_lies_or_writes_in_pieces_would_be_seen(
    tmp_path: Path, writers: Writers, mutant: str, sign: str
) -> None:
    """A test of the test above."""
    with closing(Store(tmp_path / "store", create=True)) as store:
        kills, chance = Kills(), same_chances(9)
        for number in range(20):
            killed_round(writers, kills, str(tmp_path / "store"), f"r{number}", chance, do=mutant)
            wrong = survived(store, kills)
            if wrong:
                break
    assert any(problem.startswith(sign) for problem in wrong)


def test_every_acknowledged_write_outlives_an_immediate_stop_of_the_server(
    postgresql_server: Any, postgresql_store_url: str, writers: Writers
) -> None:
    kills, chance = Kills(), same_chances(5)
    rounds = 15 if LONG else 2
    with closing(Store(postgresql_store_url)) as store:
        for number in range(rounds):
            command = {"location": postgresql_store_url, "name": f"r{number}"}
            child = writers.begin(do="write", **command)
            lines = [writers.line() for _ in range(3)]
            time.sleep(chance.random() * 0.05)
            _stop_at_once_and_start_again(postgresql_server.folder)
            writes = 0
            while writes < 3:  # those before the stop may still stand in the pipe
                lines.append(writers.line())
                writes = writes + 1 if lines[-1].startswith("wrote") else 0
            os.kill(child, signal.SIGKILL)
            kills.note(lines + writers.rest())
            _wait_until_nobody_writes(store)
            assert survived(store, kills) == []
    assert set(kills.refused) <= {"store_unreachable"}
    covered(
        f"immediate stop of PostgreSQL: {rounds} rounds, {len(kills.acknowledged)} writes "
        f"acknowledged, refused meanwhile: {dict(kills.refused)}"
    )


def _stop_at_once_and_start_again(folder: Path) -> None:
    data = folder / "data"
    program = Path(shlex.split((data / "postmaster.opts").read_text())[0]).with_name("pg_ctl")
    as_owner = [] if os.geteuid() else ["runuser", "-u", data.owner(), "--"]
    command = [*as_owner, program, "-D", data, "-m", "immediate", "-w", "-l", folder / "log"]
    subprocess.run([*command, "restart"], cwd="/", check=True, stdout=subprocess.DEVNULL)


# -- power cuts
#
# A commit of SQLite with a rollback journal and synchronous=EXTRA is: (1) the pages as they were go
# into the journal; (2) the journal is synced, then its count of pages is written into its header,
# then it is synced again, and so is its folder; (3) the pages as they are now go into the database;
# (4) the database is synced; (5) the journal is unlinked and the folder synced; (6) the write is
# acknowledged. A transaction that outgrows the cache does (1) to (3) several times, each with a
# header of its own, before it goes on.
#
# What was synced is as it was written; of what was not, every sector may be old, new, or zeros, and
# the end may be missing. So of a moment in between, a cut can leave:
#   the journal:   its synced parts whole (those whose header has its count), then anything;
#                  missing only while nothing of it is synced, or once the database is synced
#   the database:  every changed sector old or new, the length old or new, once the journal of
#                  those pages is synced; before that, only old
# Not made: a synced journal that is damaged, or pages that are new before their journal is synced.
# That takes a disk that lies about syncing, and would be seen (the mutant below).


@dataclass(frozen=True)
class Cut:
    """What is on the disk at some moment of a transaction."""

    before: bytes
    now: bytes
    journal: bytes
    synced: int

    def variant(self, chance: random.Random) -> tuple[bytes, bytes | None]:
        """Return a database and a journal that a power cut can leave here."""
        missing = self.synced == 0 and chance.random() < 0.05
        return self._pages(chance), None if missing else self._journal(chance)

    def _pages(self, chance: random.Random) -> bytes:
        share = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        length = chance.choice((len(self.before), len(self.now)))
        held = bytearray(self.before[:length].ljust(length, b"\0"))
        for start in range(0, min(length, len(self.now)), SECTOR):
            if chance.random() < share:
                held[start : start + SECTOR] = self.now[start : start + SECTOR]
        return bytes(held)

    def _journal(self, chance: random.Random) -> bytes:
        """Cut and scramble what was not synced."""
        tail = bytearray(self.journal[self.synced :])
        share = chance.choice((0.0, 0.0, 0.02, 0.2, 0.8))
        for start in range(0, len(tail), SECTOR):
            if chance.random() < share:
                size = len(tail[start : start + SECTOR])
                kept = chance.randrange(size + 1)
                lost = chance.choice((bytes(size), chance.randbytes(size)))
                tail[start : start + size] = tail[start : start + kept] + lost[kept:]
        cut = chance.randrange(len(tail) + 1) if chance.random() < 0.7 else len(tail)
        return self.journal[: self.synced] + bytes(tail[:cut])


def synced_part(journal: bytes) -> int:
    """Return how much of a journal was synced: the parts whose header has its count of pages."""
    end, at = 0, 0
    while journal[at : at + 8] == bytes.fromhex("d9d505f920a163d7"):
        count, _, _, sector, page = (
            int.from_bytes(journal[at + n : at + n + 4], "big") for n in (8, 12, 16, 20, 24)
        )
        if count == 0:
            break
        end = at + sector + count * (page + 8)
        at = -(-end // sector) * sector
    return min(end, len(journal))


@contextmanager
def watched(database: Database, path: Path, cache: int) -> Iterator[list[Cut]]:
    """Look at the files before every statement of a write and at its end.

    A second name keeps the journal, so that it can be read after SQLite has unlinked it.
    """
    journal, kept = path.with_name(f"{path.name}-journal"), path.with_name("kept")
    before = path.read_bytes()
    seen: list[Cut] = []

    def look(*_: object) -> None:
        if not kept.exists() and journal.exists():
            os.link(journal, kept)
        if kept.exists():
            written = kept.read_bytes()
            cut = Cut(before, path.read_bytes(), written, synced_part(written))
            if not seen or cut != seen[-1]:
                seen.append(cut)

    def small_cache(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA cache_size={cache}")

    sa.event.listen(database.engine, "checkout", small_cache)
    sa.event.listen(database.engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", look)
        sa.event.remove(database.engine, "checkout", small_cache)
    look()


def rows_after_a_cut(folder: Path, held: bytes, journal: bytes | None) -> list[Any] | str:
    """Open what a cut left, as SQLite does, and return the log; or what is wrong with it."""
    path = folder / DATABASE_FILE
    path.write_bytes(held)
    if journal is not None:
        path.with_name(f"{path.name}-journal").write_bytes(journal)
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA synchronous=OFF")  # this copy need not outlive anything
            rows = connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    return rows if found == "ok" else str(found)


@dataclass(frozen=True)
class Transaction:
    """A write and every moment of it, and the log before and after."""

    cuts: list[Cut]
    before: list[Any]
    after: list[Any]


@pytest.fixture(params=["small", "larger than the cache"])
def transaction(
    request: pytest.FixtureRequest, tmp_path: Path, draft: Draft, listed: Draft
) -> Transaction:
    path = tmp_path / "store" / DATABASE_FILE
    small = request.param == "small"
    with closing(Store(tmp_path / "store", create=True)) as store:
        append(store.database, [listed("a"), *(draft(f"b{n}", note="x" * 300) for n in range(30))])
        earlier = rows_after_a_cut(tmp_path, path.read_bytes(), None)
        more = [draft(f"c{n}", note="y" * 300) for n in range(3 if small else 60)]
        with watched(store.database, path, cache=-2000 if small else 5) as cuts:
            append(store.database, more, audit=[Audit(AuditAction.IMPORTED, "an", MOMENT)])
    later = rows_after_a_cut(tmp_path, path.read_bytes(), None)
    assert (len(earlier), len(later)) == (31, 31 + len(more) + 1)
    assert any(cut.synced for cut in cuts[:-1]) == (not small)  # or it did not outgrow the cache
    assert cuts[-1].synced == len(cuts[-1].journal)
    return Transaction(cuts, list(earlier), list(later))


def test_a_power_cut_leaves_the_log_as_it_was_before_the_write_or_after(
    transaction: Transaction, tmp_path: Path
) -> None:
    chance = same_chances(3)
    before, after = transaction.before, transaction.after
    tried = 0
    for number in range(20_000 if LONG else 2_000):
        cut = transaction.cuts[number % len(transaction.cuts)]
        assert rows_after_a_cut(tmp_path, *cut.variant(chance)) == before
        tried += 1
    last = transaction.cuts[-1]
    for cut in transaction.cuts:  # nothing of the journal was synced: cut it at every place
        if cut.synced == 0:
            step = 1 if LONG else 29
            for length in (*range(600), *range(600, len(cut.journal), step)):
                assert rows_after_a_cut(tmp_path, cut.before, cut.journal[:length]) == before
                tried += 1
    for written in range(5):  # the count of pages in the first header, byte by byte
        header = last.journal[:8] + last.journal[8 : 8 + written].ljust(4, b"\0")
        assert rows_after_a_cut(tmp_path, last.before, header + last.journal[12:]) == before
    assert rows_after_a_cut(tmp_path, last.now, last.journal) == before  # the unlinking was lost
    assert rows_after_a_cut(tmp_path, last.now, None) == after
    covered(f"power cut at {len(transaction.cuts)} moments of a write: {tried + 7} variants")


def test_what_a_power_cut_leaves_is_opened_by_the_store_and_verified(
    transaction: Transaction, tmp_path: Path, draft: Draft
) -> None:
    chance = same_chances(4)
    for number in range(30):
        cut = transaction.cuts[-1 - number % len(transaction.cuts)]
        held, journal = cut.variant(chance)
        folder = tmp_path / f"left-{number}"
        folder.mkdir()
        (folder / DATABASE_FILE).write_bytes(held)
        if journal is not None:
            (folder / f"{DATABASE_FILE}-journal").write_bytes(journal)
        with closing(Store(folder)) as store:
            found = verify(store)
            assert found.ok
            assert found.head.count == len(transaction.before)
            append(store.database, [draft("after")])
            assert verify(store).ok


def test_a_disk_that_does_not_sync_would_be_seen(transaction: Transaction, tmp_path: Path) -> None:
    """A test of the tests above: the same variants, with nothing of the journal synced."""
    chance = same_chances(3)
    wrong = 0
    for number in range(300):
        cut = transaction.cuts[-1 - number % 2]
        lying = Cut(cut.before, transaction.cuts[-1].now, cut.journal, synced=0)
        rows = rows_after_a_cut(tmp_path, *lying.variant(chance))
        wrong += rows not in (transaction.before, transaction.after)
    covered(f"a disk that does not sync: {wrong} of 300 variants are broken")
    assert wrong > 50


# -- eight writers


def history_problems(database: Database, lines: list[str]) -> list[str]:
    """Return where what the writers were told does not fit what the log holds."""
    said = [line.split(" ", 1) for line in lines]
    written = [name for word, name in said if word == "wrote"]
    refused = Counter(name for word, name in said if word != "wrote")
    wrong = [reason for reason in refused if reason != "changed_meanwhile"]
    query = sa.select(events.c.event_id, events.c.version, events.c.payload)
    with database.reading() as connection:
        rows = connection.execute(query.order_by(events.c.seq)).all()
    notes = {row.event_id: (row.version, json.loads(row.payload).get("note", "")) for row in rows}
    seen = {name: found for name, found in notes.items() if found[1].startswith("saw ")}
    if sorted(written) != sorted(seen):
        wrong.append("what was acknowledged is not what is there")
    wrong += [
        f"{name} is number {version}, but its writer {note}"
        for name, (version, note) in seen.items()
        if note != f"saw {version - 1}"
    ]
    return wrong + [problem.reason for problem in verify(database).problems]


def test_eight_writers_at_once_write_everything_or_are_told_of_the_conflict(
    store: Store, store_location: str, listed: Draft
) -> None:
    """Four processes, two of them with three threads, write 500 events to six hotspots."""
    append(store.database, [listed(f"first-{n}", f"h{n}") for n in range(6)])
    threads = (3, 3, 1, 1)
    several = [Writers() for _ in threads]
    started = time.monotonic()
    for number, (each, count) in enumerate(zip(several, threads, strict=True)):
        attempts = {3: 62, 1: 64}[count]
        name = f"w{number}"
        each.begin(
            do="contend", location=store_location, name=name, threads=count, attempts=attempts
        )
    lines = [line for each in several for line in each.rest()]
    took = time.monotonic() - started
    for each in several:
        each.close()
    assert history_problems(store.database, lines) == []
    assert len(lines) == 500
    written = sum(line.startswith("wrote") for line in lines)
    assert head(store.database).count == 6 + written
    kind = store.database.engine.dialect.name
    covered(f"8 writers on {kind}: {written} written, {500 - written} conflicts, {took:.1f} s")


def test_without_the_expected_version_a_lost_update_would_be_seen(
    store: Store, draft: Draft, listed: Draft
) -> None:
    """A test of the test above: the second writer has not seen what the first wrote."""
    append(store.database, [listed("first")])
    one, other = draft("one", note="saw 1"), draft("other", note="saw 1")
    append(store.database, [one])
    append(store.database, [other])
    wrong = history_problems(store.database, ["wrote one", "wrote other"])
    assert wrong == ["other is number 3, but its writer saw 1"]
    assert history_problems(store.database, ["wrote one"]) != []


def test_without_the_write_lock_a_writer_would_be_thrown_out(
    store_location: str, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test of the lock: with it, the second writer waits until the first is done."""
    Store(store_location, create=True).close()
    address = store_location
    if "://" not in address:
        address = str(Path(address) / DATABASE_FILE)
    with (
        closing(Database.open(address, patience=5)) as first,
        closing(Database.open(address, patience=5)) as second,
    ):
        assert both_write(first, second, "1") == []
        assert head(first).count == 2
        monkeypatch.setattr(database_module, "_begin", _begin_without_the_lock)
        assert len(both_write(first, second, "2")) == 1
        assert head(first).count == 3
        assert verify(first).broken is None


def both_write(first: Database, second: Database, name: str) -> list[BaseException]:
    """Let a second writer begin while the first has read the end of the log and not yet written."""
    problems: list[BaseException] = []

    def write(database: Database, who: str, meanwhile: Callable[[], object]) -> None:
        try:
            with database.writing() as connection:
                tail = Tail(connection)
                meanwhile()
                audit = Row(
                    f"{who}{name}", "audit", "audit", "signed_in", "2025-10-20", MOMENT, who, {}
                )
                tail.add(audit)
        except (sa.exc.DBAPIError, StoreError) as error:
            problems.append(error)

    other = threading.Thread(target=write, args=(second, "other", lambda: None))

    def let_the_other_begin() -> None:
        other.start()
        other.join(0.5)

    write(first, "one", let_the_other_begin)
    other.join()
    return problems


def _begin_without_the_lock(connection: sa.Connection, *_: object, **__: object) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")


# -- disks


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount something on a folder, where this account may."""
    folder.mkdir(exist_ok=True)
    may = os.geteuid() == 0 and shutil.which("mount") is not None
    if may:
        command = ["mount", *options, folder]
        may = subprocess.run(command, capture_output=True, check=False).returncode == 0
    if not may:
        pytest.skip("this account may not mount a disk of its own")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(disk: Path) -> Path:
    """Write a file until a disk is full, and return it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))
    return ballast


def write_until_refused(store: Store, draft: Draft) -> tuple[list[str], StoreError]:
    written: list[str] = []
    for number in range(10_000):
        try:
            append(store.database, [draft(f"e{number}", note="x" * 1000)])
        except StoreError as error:
            return written, error
        written.append(f"e{number}")
    pytest.fail("the disk was never full")


def check_that_nothing_is_lost_and_writing_goes_on(
    store: Store, draft: Draft, written: list[str], free: Callable[[], object]
) -> None:
    for _ in range(3):
        refused = refusal(lambda: append(store.database, [draft("late", note="x" * 5000)]))
        assert refused.reason == "store_disk_full"
    assert [event.event_id for event in read_events(store.database)][1:] == written
    assert verify(store).ok
    free()
    append(store.database, [draft("late", note="x" * 5000)])
    there = [event.event_id for event in read_events(store.database)]
    assert there[1:] == [*written, "late"]
    assert verify(store).ok


def test_a_full_disk_is_said_loses_nothing_and_writing_goes_on_when_there_is_space(
    tmp_path: Path, draft: Draft, listed: Draft
) -> None:
    disk = tmp_path / "disk"
    with (
        mounted(disk, "-t", "tmpfs", "-o", "size=640k", "tmpfs"),
        closing(Store(disk / "store", create=True)) as store,
    ):
        append(store.database, [listed("first")])
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(100_000))
        written, refused = write_until_refused(store, draft)
        assert refused.reason == "store_disk_full"
        fill_up(disk / "store" / "incidents")
        file = refusal(lambda: store.write_file("incidents", "a.parquet", bytes(50_000)))
        assert file.reason == "store_disk_full"
        assert [path.name for path in (disk / "store" / "incidents").iterdir()] == ["ballast"]
        (disk / "store" / "incidents" / "ballast").unlink()
        here = refusal(lambda: backup(store, disk / "b.zip", now=MOMENT))
        assert here.reason == "store_disk_full"
        assert {path.name for path in disk.iterdir()} == {"store", "ballast"}
        fill_up(disk / "store")
        check_that_nothing_is_lost_and_writing_goes_on(
            store, draft, written, lambda: (ballast.unlink(), (disk / "store/ballast").unlink())
        )
        covered(f"full disk: {len(written)} writes before it, all there, writing goes on")


def test_a_full_disk_of_the_server_is_said_and_writing_goes_on_when_there_is_space(
    postgresql_server: Any, tmp_path: Path, draft: Draft, listed: Draft
) -> None:
    run, disk = postgresql_server.run, postgresql_server.folder / "disk"
    owner = (postgresql_server.folder / "data").owner()
    with mounted(disk, "-t", "tmpfs", "-o", "size=12m", "tmpfs"):
        place = disk / "place"
        place.mkdir()
        shutil.chown(place, owner)
        run(f"CREATE TABLESPACE small LOCATION '{place}'")
        run("CREATE DATABASE small TEMPLATE empty_store TABLESPACE small")
        try:
            with closing(Store(postgresql_server.url("small"))) as store:
                append(store.database, [listed("first")])
                ballast = fill_up(disk)
                written, refused = write_until_refused(store, draft)
                assert refused.reason == "store_disk_full"
                check_that_nothing_is_lost_and_writing_goes_on(
                    store, draft, written, ballast.unlink
                )
                covered(f"full disk of PostgreSQL: {len(written)} writes before it, all there")
        finally:
            run("DROP DATABASE small WITH (FORCE)")
            run("DROP TABLESPACE small")


def test_a_store_that_can_only_be_read_is_read_and_backed_up_and_says_so(
    tmp_path: Path, draft: Draft, listed: Draft
) -> None:
    folder, seen = tmp_path / "store", tmp_path / "seen"
    with closing(Store(folder, create=True)) as store:
        append(store.database, [listed("first")])
        path = store.write_file("incidents", "a.parquet", b"rows")
    with mounted(seen, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", seen], check=True)
        with closing(Store(seen)) as store:
            assert [event.event_id for event in read_events(store.database)] == ["first"]
            assert verify(store).ok
            assert store.path("incidents", path.name).read_bytes() == b"rows"
            for work in (
                lambda: append(store.database, [draft("late")]),
                lambda: store.set("k", "v"),
                lambda: store.write_file("incidents", "b.parquet", b"rows"),
            ):
                refused = refusal(work)
                assert refused.reason == "store_read_only"
                assert str(seen) in str(refused)
            assert backup(store, tmp_path / "b.zip", now=MOMENT).head.count == 1
            subprocess.run(["mount", "-o", "remount,rw,bind", seen], check=True)
            store.close()
            append(store.database, [draft("late")])
            assert head(store.database).count == 2


def test_a_write_that_was_cut_off_on_a_disk_that_can_now_only_be_read_is_said(
    transaction: Transaction, tmp_path: Path
) -> None:
    """The journal must be played back before anything can be read, and it cannot be."""
    folder, seen = tmp_path / "cut", tmp_path / "seen"
    folder.mkdir()
    for name in ("boundaries", "crosswalks", "drawing", "incidents"):
        (folder / name).mkdir()
    last = transaction.cuts[-1]
    (folder / DATABASE_FILE).write_bytes(last.now)
    (folder / f"{DATABASE_FILE}-journal").write_bytes(last.journal)
    with mounted(seen, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", seen], check=True)
        assert refusal(lambda: Store(seen)).reason in ("store_read_only", "store_cannot_be_opened")
    with closing(Store(folder)) as store:
        assert head(store.database).count == len(transaction.before)


def test_a_server_that_can_only_be_read_says_so(
    postgresql_server: Any, postgresql_store_url: str, tmp_path: Path, draft: Draft, listed: Draft
) -> None:
    """A standby; it takes no writes, and is one no more afterwards."""
    standby = postgresql_server.folder / "data" / "standby.signal"
    with closing(Store(postgresql_store_url)) as store:
        append(store.database, [listed("first")])
        standby.touch()
        try:
            _stop_at_once_and_start_again(postgresql_server.folder)
            for _ in range(2):
                refused = refusal(lambda: append(store.database, [draft("late")]))
                assert refused.reason == "store_read_only"
                assert verify(store).ok
            path = tmp_path / "b.zip"
            assert backup(store, path, now=MOMENT).head.count == 1
        finally:
            standby.unlink()
            _stop_at_once_and_start_again(postgresql_server.folder)
        append(store.database, [draft("late")])
        assert head(store.database).count == 2


# -- clocks


def test_a_clock_that_jumps_about_never_turns_the_log_round_and_every_odd_hour_is_noted(
    store: Store, store_location: str, draft: Draft, listed: Draft
) -> None:
    """Writes of several openings of the store, each with a clock of its own, audits between."""
    chance, clocks = same_chances(2), [MOMENT]
    append(store.database, [listed("first")])
    for opening in range(4):
        with closing(Store(store_location)) as opened:
            for number in range(10):
                clocks.append(MOMENT + timedelta(seconds=chance.randint(-(10**6), 10**6)))
                event = draft(f"{opening}-{number}", recorded_at=clocks[-1])
                if number % 3:
                    append(opened.database, [event])
                else:
                    append(opened.database, [], audit=[_signed_in(clocks[-1])])
    query = sa.select(events.c.recorded_at, events.c.payload).order_by(events.c.seq)
    with store.database.reading() as connection:
        rows = connection.execute(query).all()
    moments = [datetime.fromisoformat(row.recorded_at) for row in rows]
    assert moments == sorted(moments)
    assert moments == [max(clocks[: number + 1]) for number in range(len(clocks))]
    noted = [json.loads(row.payload).get("clock") for row in rows]
    for clock, moment, note in zip(clocks, moments, noted, strict=True):
        assert note == (None if clock == moment else clock.isoformat(timespec="microseconds"))
    assert sum(note is not None for note in noted) > 20
    assert verify(store).ok


def _signed_in(moment: datetime) -> Audit:
    return Audit(AuditAction.SIGNED_IN, "an", moment)
