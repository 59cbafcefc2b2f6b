"""The event log: only added to, chained by hashes, safe against crashes and two writers."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.errors import StoreError
from hotspots.programme.status import Event, EventType, Place
from hotspots.records.database import Database
from hotspots.records.log import GENESIS, append, first_broken_row, head, read_events

MOMENT = datetime(2025, 10, 20, 9, tzinfo=UTC)


def draft(name: str, hotspot: str = "h", **content: object) -> Event:
    values: dict[str, object] = {
        "event_id": name,
        "hotspot": hotspot,
        "type": EventType.INSPECTED,
        "effective_on": date(2025, 10, 20),
        "recorded_at": MOMENT,
        "recorded_by": "An",
    }
    return Event(**values | content)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path)
    yield opened
    opened.close()


@pytest.fixture
def written(database: Database) -> Database:
    """A log of three events, two of one hotspot."""
    append(database, [draft("a"), draft("b", "other"), draft("c", note="Tổ dân phố 3")])
    return database


# -- the database


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "delete"), ("synchronous", 3), ("trusted_schema", 0), ("foreign_keys", 1)],
)
def test_every_connection_is_opened_so_that_a_crash_loses_nothing(
    database: Database, pragma: str, value: object
) -> None:
    for opened in (database.reading(), database.writing()):
        with opened as connection:
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_the_database_is_readable_by_its_owner_only(database: Database, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_write_leaves_nothing_behind(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO setting VALUES ('k', 'v')")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM setting").scalar() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET payload = '{}' WHERE seq = 2",
        "UPDATE event SET seq = 9 WHERE seq = 3",
        "UPDATE OR REPLACE event SET seq = 1 WHERE seq = 3",
        "DELETE FROM event WHERE seq = 3",
        "DELETE FROM event",
    ],
)
def test_the_log_refuses_to_be_changed(written: Database, path: Path, statement: str) -> None:
    before = read_events(written)
    with (
        closing(sqlite3.connect(path)) as other,
        pytest.raises(sqlite3.IntegrityError, match="only added to"),
    ):
        other.execute(statement)
    assert read_events(written) == before


@pytest.mark.parametrize(
    "same", ["seq", "event_id", "hash", "version", "everything"], ids=lambda same: f"same {same}"
)
@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
def test_a_row_of_the_log_is_never_replaced(
    written: Database, path: Path, same: str, verb: str
) -> None:
    before = read_events(written)
    with closing(sqlite3.connect(path)) as other:
        other.row_factory = sqlite3.Row
        last = dict(other.execute("SELECT * FROM event WHERE seq = 3").fetchone())
        new = last | {"seq": 4, "event_id": "new", "version": 3, "hash": "f" * 64, "payload": "{}"}
        if same == "everything":
            new = last | {"payload": "{}"}
        else:
            new[same] = last[same]
        places = ", ".join("?" * len(new))
        with pytest.raises(sqlite3.IntegrityError, match=r"only added to|no gaps"):
            other.execute(
                f"{verb} INTO event ({', '.join(new)}) VALUES ({places})",
                list(new.values()),
            )
    assert read_events(written) == before


@pytest.mark.parametrize("seq", [5, 0, -1, 99])
def test_the_log_has_no_gaps(written: Database, path: Path, seq: int) -> None:
    with (
        closing(sqlite3.connect(path)) as other,
        pytest.raises(sqlite3.IntegrityError, match="no gaps"),
    ):
        other.execute(
            "INSERT INTO event SELECT ?, 'new', hotspot, 9, type, effective_on, recorded_at, "
            "recorded_by, payload, hash, 'new' FROM event WHERE seq = 3",
            [seq],
        )
    assert head(written).count == 3


# -- reading back


def test_an_event_is_read_back_as_it_was_written(database: Database) -> None:
    event = draft(
        "a",
        type=EventType.DESIGNATED,
        note="Khu phố 5: «quán» {x}",
        plan_year=2025,
        place=Place("26734", "2025-07-01", "Phường Bến Thành", frozenset({1, 3})),
        evidence={"rank": 3, "score": 12.5},
    )
    correction = draft(
        "b", type=EventType.CORRECTED, corrects="a", corrected_type=EventType.PROPOSED, strikes=True
    )
    append(database, [event, correction])
    assert read_events(database) == [replace(event, seq=1), replace(correction, seq=2)]
    assert read_events(database, "elsewhere") == []


def test_an_empty_log_has_a_head(database: Database) -> None:
    assert (head(database).count, head(database).hash) == (0, GENESIS)
    assert first_broken_row(database) is None


# -- the chain


@given(
    st.lists(
        st.tuples(st.sampled_from("hij"), st.text(st.characters(codec="utf-8"), max_size=20)),
        max_size=8,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_any_log_written_here_is_a_valid_chain(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "any.sqlite"
    path.unlink(missing_ok=True)
    database = Database(path)
    append(database, [draft(f"e{n}", name, note=note) for n, (name, note) in enumerate(rows)])
    assert first_broken_row(database) is None
    assert head(database).count == len(rows)
    database.close()


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ('UPDATE event SET payload = \'{"note":"khác"}\' WHERE seq = 3', 3),
        ("UPDATE event SET effective_on = '2024-01-01' WHERE seq = 2", 2),
        ("UPDATE event SET recorded_by = 'B' WHERE seq = 4", 4),
        ("UPDATE event SET recorded_at = '2020-01-01T00:00:00+00:00' WHERE seq = 1", 1),
        ("UPDATE event SET hotspot = 'x' WHERE seq = 5", 5),
        ("UPDATE event SET hash = 'x' WHERE seq = 3", 3),
        ("UPDATE event SET prev_hash = 'x' WHERE seq = 3", 3),
        ("DELETE FROM event WHERE seq = 3", 4),
        ("DELETE FROM event WHERE seq = 1", 2),
    ],
)
def test_a_row_changed_behind_the_triggers_is_found(
    database: Database, path: Path, tampering: str, broken: int
) -> None:
    append(database, [draft(f"e{number}") for number in range(5)])
    with closing(sqlite3.connect(path)) as other:
        names = other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            other.execute(f"DROP TRIGGER {name}")
        other.execute(tampering)
        other.commit()
    assert first_broken_row(database) == broken


def test_a_row_forged_with_a_hash_of_its_own_breaks_the_chain_at_the_next(
    database: Database, path: Path
) -> None:
    append(database, [draft(f"e{number}") for number in range(3)])
    elsewhere = Database(path.with_name("forged.sqlite"))
    append(elsewhere, [draft("e0"), draft("e1", note="other"), draft("e2")])
    with elsewhere.reading() as connection:
        forged = connection.exec_driver_sql("SELECT payload, hash FROM event WHERE seq = 2").one()
    elsewhere.close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TRIGGER event_never_changes")
        other.execute("UPDATE event SET payload = ?, hash = ? WHERE seq = 2", tuple(forged))
        other.commit()
    assert first_broken_row(database) == 3


# -- retries and two writers


def test_a_retry_with_the_same_id_writes_nothing_again(written: Database) -> None:
    before = head(written)
    later = replace(draft("a"), recorded_at=MOMENT + timedelta(hours=1))
    assert append(written, [later]) == read_events(written)[:1]
    assert head(written) == before


def test_an_id_is_not_used_for_something_else(written: Database) -> None:
    before = head(written)
    with pytest.raises(StoreError) as refused:
        append(written, [draft("new"), draft("a", note="another")])
    assert refused.value.reason == "event_id_used"
    assert head(written) == before


def test_the_second_of_two_writers_is_told_what_the_first_wrote(written: Database) -> None:
    append(written, [draft("mine", type=EventType.RELEASED, recorded_by="Bình")], {"h": 2})
    with pytest.raises(StoreError) as refused:
        append(written, [draft("yours")], {"h": 2})
    assert refused.value.reason == "changed_meanwhile"
    assert refused.value.facts == {
        "hotspot": "h",
        "by": "Bình",
        "event": "Released",
        "on": date(2025, 10, 20),
    }
    assert "Bình recorded Released on 2025-10-20" in str(refused.value)
    assert head(written).count == 4


def test_a_change_of_another_hotspot_disturbs_nobody(written: Database) -> None:
    append(written, [draft("theirs", "other")], {"other": 1})
    append(written, [draft("mine")], {"h": 2})
    assert head(written).count == 5


def test_a_clock_set_back_cannot_reorder_the_log(database: Database) -> None:
    back = MOMENT - timedelta(days=3)
    append(database, [draft("a"), draft("b", recorded_at=back)])
    append(database, [draft("c", recorded_at=back), draft("d", recorded_at=MOMENT)])
    moments = [event.recorded_at for event in read_events(database)]
    assert moments == [MOMENT] * 4
    assert first_broken_row(database) is None


@pytest.mark.parametrize("stores", [1, 2], ids=["one connection pool", "two processes' pools"])
def test_two_writers_at_once_lose_nothing_and_nobody_finds_the_database_locked(
    path: Path, stores: int
) -> None:
    opened = [Database(path) for _ in range(stores)]
    problems: list[BaseException] = []

    def write(name: str, database: Database) -> None:
        try:
            for number in range(40):
                append(database, [draft(f"{name}{number}", name)])
        except BaseException as error:
            problems.append(error)

    threads = [
        threading.Thread(target=write, args=(name, opened[number % stores]))
        for number, name in enumerate(("left", "right"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    events = read_events(opened[0])
    assert sorted(e.event_id for e in events) == sorted(
        f"{name}{number}" for name in ("left", "right") for number in range(40)
    )
    assert first_broken_row(opened[0]) is None
    for database in opened:
        database.close()


WRITER = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from hotspots.programme.status import Event, EventType
from hotspots.records.database import Database
from hotspots.records.log import append

database = Database(Path(sys.argv[1]))
for number in range(100_000):
    name = f"{sys.argv[2]}-{number}"
    event = Event(name, "h", EventType.INSPECTED, date(2025, 10, 20), datetime.now(UTC), "An")
    append(database, [event])
    print(name, flush=True)
"""


def test_a_writer_killed_in_the_middle_loses_nothing_it_had_acknowledged(path: Path) -> None:
    acknowledged: list[str] = []
    for round_ in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(round_)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert writer.stdout is not None
        for _ in range(5 + 3 * round_):
            acknowledged.append(writer.stdout.readline().strip())
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().split()
        writer.wait()
        writer.stdout.close()
    database = Database(path)
    there = [event.event_id for event in read_events(database)]
    assert "" not in acknowledged
    assert set(acknowledged) <= set(there)
    assert len(there) - len(acknowledged) <= 10  # written, and killed before it could say so
    assert first_broken_row(database) is None
    database.close()


def test_the_payload_is_canonical_json(written: Database) -> None:
    with written.reading() as connection:
        payload = connection.execute(sa.text("SELECT payload FROM event WHERE seq = 3")).scalar()
    assert payload == json.dumps(
        {"note": "Tổ dân phố 3"}, ensure_ascii=False, separators=(",", ":")
    )
