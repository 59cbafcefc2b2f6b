"""The log of the hotspots: only added to, chained by hashes, safe for retries and two writers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.errors import StoreError
from hotspots.programme.status import DECISIONS, Event, EventType, Place
from hotspots.records.audit import Audit, AuditAction, read_audit
from hotspots.records.database import Database
from hotspots.records.log import (
    GENESIS,
    append,
    first_broken_row,
    head,
    read_events,
    read_with_head,
    version_of_hotspots,
)
from hotspots.records.store import DATABASE_FILE, Store

MOMENT = datetime(2025, 10, 20, 9, tzinfo=UTC)
Draft = Callable[..., Event]
E = EventType


def rows(database: Database) -> list[sa.RowMapping]:
    with database.reading() as connection:
        return list(connection.exec_driver_sql("SELECT * FROM event ORDER BY seq").mappings())


def as_another_program(database: Database, statement: str, values: tuple[object, ...] = ()) -> None:
    """Run a statement past the code of the product."""
    with database.engine.connect() as connection:
        if not database.on_postgresql:
            connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql(statement, values)
        connection.commit()


# -- the guards of the database


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET payload = '{}' WHERE seq = 2",
        "UPDATE event SET seq = 9 WHERE seq = 3",
        "DELETE FROM event WHERE seq = 3",
        "DELETE FROM event",
    ],
)
def test_the_log_refuses_to_be_changed(written: Database, statement: str) -> None:
    before = rows(written)
    with pytest.raises(sa.exc.IntegrityError, match="only added to"):
        as_another_program(written, statement)
    assert rows(written) == before


def test_update_or_replace_is_refused_by_sqlite(tmp_path: Path, draft: Draft) -> None:
    with closing(Database.open(tmp_path / "log.sqlite")) as database:
        append(database, [draft("a"), draft("b")])
        with pytest.raises(sa.exc.IntegrityError, match="only added to"):
            as_another_program(database, "UPDATE OR REPLACE event SET seq = 1 WHERE seq = 2")


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE event",
        "SET session_replication_role = replica; DELETE FROM event",
        "SET session_replication_role = replica; UPDATE event SET payload = '{}'",
        "SET session_replication_role = replica; "
        "INSERT INTO event SELECT seq + 9, 'x', stream, 99, kind, type, effective_on, recorded_at, "
        "recorded_by, payload, hash, 'x' FROM event WHERE seq = 1",
        "MERGE INTO event USING (VALUES (1)) v(n) ON seq = n WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM event RETURNING *) SELECT * FROM gone",
    ],
)
def test_the_ways_of_postgresql_past_a_trigger_are_refused(
    postgresql_store_url: str, draft: Draft, statement: str
) -> None:
    with closing(Database.open(postgresql_store_url)) as database:
        append(database, [draft("a"), draft("b")])
        before = rows(database)
        with pytest.raises(sa.exc.IntegrityError, match=r"only added to|no gaps"):
            as_another_program(database, statement)
        assert rows(database) == before


VERBS = {
    "sqlite": ("INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"),
    "postgresql": ("INSERT",),
}


@pytest.mark.parametrize(
    "same", ["seq", "event_id", "hash", "version", "everything"], ids=lambda same: f"same {same}"
)
def test_a_row_of_the_log_is_never_replaced(written: Database, same: str) -> None:
    before = rows(written)
    last = dict(before[-1])
    new = last | {"seq": 6, "event_id": "new", "version": 5, "hash": "f" * 64, "payload": "{}"}
    if same == "everything":
        new = last | {"payload": "{}"}
    else:
        new[same] = last[same]
    sign = "%s" if written.on_postgresql else "?"
    values = f"event ({', '.join(new)}) VALUES ({', '.join([sign] * len(new))})"
    for verb in VERBS[written.engine.dialect.name]:
        with pytest.raises(sa.exc.IntegrityError, match=r"only added to|no gaps|unique"):
            as_another_program(written, f"{verb} INTO {values}", tuple(new.values()))
    if written.on_postgresql:
        for key in ("seq", "event_id", "hash", "stream, version"):
            replaces = f"INSERT INTO {values} ON CONFLICT ({key}) DO UPDATE SET payload = '{{}}'"
            with pytest.raises(sa.exc.IntegrityError, match="only added to"):
                as_another_program(written, replaces, tuple(new.values()))
    assert rows(written) == before


@pytest.mark.parametrize("seq", [7, 0, -1, 99])
def test_the_log_has_no_gaps(written: Database, seq: int) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="no gaps"):
        as_another_program(
            written,
            f"INSERT INTO event SELECT {seq}, 'new', stream, 9, kind, type, effective_on, "
            "recorded_at, recorded_by, payload, hash, 'new' FROM event WHERE seq = 3",
        )
    assert head(written).count == 5


# -- reading back


EVERY_KIND = [
    {
        "type": E.DESIGNATED,
        "note": "Khu phố 5: «quán» {x} \0 \u2028",
        "plan_year": 2025,
        "place": Place("26734", "2025-07-01", "Phường Bến Thành", frozenset({3, 1})),
        "evidence": {"rank": 3, "score": 12.5, "met": [True, None]},
        "needs_approval": True,
    },
    {"type": E.CORRECTED, "corrects": "e0", "corrected_type": E.PROPOSED, "strikes": True},
    {"type": E.CORRECTED, "corrects": "e0", "plan_year": 2026, "needs_approval": True},
    {"type": E.APPROVED, "about": "e0"},
    {"type": E.SENT_BACK, "about": "e0", "note": "Which street?"},
    {"type": E.TAKEN_BACK, "about": "e0"},
]


def test_an_event_of_any_kind_is_read_back_as_it_was_written(
    database: Database, draft: Draft
) -> None:
    drafts = [draft(f"e{n}", **content) for n, content in enumerate(EVERY_KIND)]
    returned = append(database, drafts)
    assert returned == [replace(event, seq=n) for n, event in enumerate(drafts, start=1)]
    assert read_events(database) == read_events(database, "h") == returned
    assert read_events(database, "elsewhere") == []


def test_an_empty_log_has_a_head(database: Database) -> None:
    assert (head(database).count, head(database).hash) == (0, GENESIS)
    assert first_broken_row(database) is None


def test_what_is_not_of_hotspots_is_in_the_head_and_not_among_their_events(
    written: Database, draft: Draft
) -> None:
    events, version = read_events(written), version_of_hotspots(written)
    audit = Audit(AuditAction.SIGNED_IN, "an", MOMENT)
    assert append(written, [], audit=[audit, audit]) == []
    assert read_events(written) == events
    assert read_events(written, "audit") == []
    assert version_of_hotspots(written) == version
    assert head(written).count == 7
    append(written, [draft("f")], {"h": 4}, [audit])
    assert version_of_hotspots(written) != version
    assert read_with_head(written) == (read_events(written), head(written))
    assert head(written).count == 9
    assert len(read_audit(written)) == 3
    assert first_broken_row(written) is None


def test_the_payload_is_canonical_json(written: Database) -> None:
    assert rows(written)[2]["payload"] == json.dumps(
        {"note": "Tổ dân phố 3"}, ensure_ascii=False, separators=(",", ":")
    )


def test_the_same_events_make_the_same_chain_on_both_databases(
    postgresql_store_url: str, tmp_path: Path, draft: Draft
) -> None:
    drafts = [draft(f"e{n}", **content) for n, content in enumerate(EVERY_KIND)]
    audit = Audit(AuditAction.IMPORTED, "an", MOMENT, "a.csv", {"rows": 3})
    heads = []
    for where in (postgresql_store_url, tmp_path / "log.sqlite"):
        with closing(Database.open(where)) as database:
            append(database, drafts, audit=[audit])
            heads.append(head(database))
    assert heads[0] == heads[1]


# -- what an event may hold


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"plan_year": "2025"}, "plan_year"),
        ({"plan_year": True}, "plan_year"),
        ({"note": 5}, "note"),
        ({"evidence": {1: "one"}}, "evidence"),
        ({"evidence": {"day": date(2025, 1, 1)}}, "evidence"),
        ({"corrects": "a"}, "corrects"),
        ({"about": "a"}, "about"),
        ({"type": E.APPROVED}, "about"),
        ({"type": E.APPROVED, "about": "a", "plan_year": 2025}, "plan_year"),
        ({"type": E.CORRECTED}, "corrects"),
        ({"type": E.CORRECTED, "corrects": "a", "corrected_type": E.APPROVED}, "corrected_type"),
        ({"place": Place("1", "2", "3", frozenset({"theft"}))}, "place"),  # type: ignore[arg-type]
    ],
)
def test_an_event_that_holds_what_its_type_may_not_hold_is_not_written(
    database: Database, draft: Draft, content: dict[str, object], key: str
) -> None:
    with pytest.raises(StoreError) as refused:
        append(database, [draft("good"), draft("bad", **content)])
    assert (refused.value.reason, refused.value.facts["part"]) == ("event_malformed", key)
    assert head(database).count == 0


@pytest.mark.parametrize("hotspot", ["nul\0", "half \ud800"])
def test_text_that_not_every_database_keeps_is_refused_by_each(
    database: Database, draft: Draft, hotspot: str
) -> None:
    with pytest.raises(StoreError) as refused:
        append(database, [draft("a", hotspot)])
    assert refused.value.reason == "text_cannot_be_kept"


def test_a_number_that_json_does_not_know_is_not_written(database: Database, draft: Draft) -> None:
    with pytest.raises(StoreError) as refused:
        append(database, [draft("a", evidence={"score": float("nan")})])
    assert refused.value.reason == "event_malformed"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ('payload = \'{"plan_year":"2025"}\'', "plan_year"),
        ("payload = '{\"colour\":1}'", "colour"),
        ("payload = '[]'", "payload"),
        ("payload = '{'", "payload"),
        ("type = 'Forgotten'", "type"),
        ("effective_on = 'yesterday'", "effective_on"),
        ("recorded_at = '2025-10-20'", "recorded_at"),
        ("stream = 'elsewhere'", "stream"),
    ],
)
def test_a_row_that_nobody_here_wrote_is_named_when_it_is_read(
    written: Database, behind_the_guards: Callable[..., None], change: str, key: str
) -> None:
    behind_the_guards(written, f"UPDATE event SET {change} WHERE seq = 3")
    with pytest.raises(StoreError) as refused:
        read_events(written)
    assert (refused.value.reason, refused.value.facts) == ("row_malformed", {"seq": 3, "part": key})


# -- the chain


@given(
    st.lists(
        st.tuples(st.sampled_from("hij"), st.text(st.characters(codec="utf-8"), max_size=20)),
        max_size=8,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_any_log_written_here_is_a_valid_chain(
    database: Database, draft: Draft, rows: list[tuple[str, str]]
) -> None:
    before = head(database).count
    append(database, [draft(str(uuid.uuid4()), name, note=note) for name, note in rows])
    assert first_broken_row(database) is None
    assert head(database).count == before + len(rows)


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ('UPDATE event SET payload = \'{"note":"khác"}\' WHERE seq = 3', 3),
        ("UPDATE event SET effective_on = '2024-01-01' WHERE seq = 2", 2),
        ("UPDATE event SET recorded_by = 'B' WHERE seq = 4", 4),
        ("UPDATE event SET recorded_at = '2020-01-01T00:00:00+00:00' WHERE seq = 1", 1),
        ("UPDATE event SET stream = 'x' WHERE seq = 5", 5),
        ("UPDATE event SET kind = 'audit' WHERE seq = 5", 5),
        ("UPDATE event SET hash = 'x' WHERE seq = 3", 3),
        ("UPDATE event SET prev_hash = 'x' WHERE seq = 3", 3),
        ("DELETE FROM event WHERE seq = 3", 4),
        ("DELETE FROM event WHERE seq = 1", 2),
    ],
)
def test_a_row_changed_behind_the_guards_breaks_the_chain(
    written: Database, behind_the_guards: Callable[..., None], tampering: str, broken: int
) -> None:
    behind_the_guards(written, tampering)
    assert first_broken_row(written) == broken


# -- retries and two writers


def test_a_retry_with_the_same_id_writes_nothing_again(written: Database, listed: Draft) -> None:
    before = head(written)
    later = replace(listed("a"), recorded_at=MOMENT + timedelta(hours=1))
    assert append(written, [later]) == read_events(written)[:1]
    assert head(written) == before


def test_a_retry_is_known_however_its_letters_were_put_together(
    database: Database, draft: Draft
) -> None:
    append(database, [draft("a", note="Tổ")])
    append(database, [draft("a", note="T\u006f\u0302\u0309")])
    assert head(database).count == 1


def test_a_retry_is_known_when_the_first_was_written_by_a_clock_set_back(
    database: Database, draft: Draft
) -> None:
    late = draft("b", recorded_at=MOMENT - timedelta(days=1))
    append(database, [draft("a"), late])
    assert append(database, [late]) == read_events(database)[1:]
    assert head(database).count == 2


@pytest.mark.parametrize(
    "other",
    [
        {"note": "another"},
        {"hotspot": "other"},
        {"recorded_by": "binh"},
        {"effective_on": date(2025, 10, 21)},
        {"type": E.RELAPSED},
    ],
)
def test_an_id_is_not_used_for_something_else(
    written: Database, draft: Draft, other: dict[str, object]
) -> None:
    before = head(written)
    with pytest.raises(StoreError) as refused:
        append(written, [draft("new"), draft(**{"name": "d"} | other)])
    assert refused.value.reason == "event_id_used"
    assert head(written) == before


def test_the_second_of_two_writers_is_told_what_the_first_wrote(
    written: Database, draft: Draft
) -> None:
    append(written, [draft("mine", type=E.RELEASED, recorded_by="binh")], {"h": 4})
    with pytest.raises(StoreError) as refused:
        append(written, [draft("yours")], {"h": 4})
    assert refused.value.reason == "changed_meanwhile"
    assert refused.value.facts == {
        "hotspot": "h",
        "by": "binh",
        "event": "Released",
        "on": date(2025, 10, 20),
    }
    assert "binh recorded Released on 2025-10-20" in str(refused.value)
    assert head(written).count == 6


def test_a_change_of_another_hotspot_or_a_sign_in_disturbs_nobody(
    written: Database, draft: Draft
) -> None:
    audit = Audit(AuditAction.SIGNED_IN, "an", MOMENT)
    append(written, [draft("theirs", "other")], {"other": 1}, [audit])
    append(written, [draft("mine")], {"h": 4})
    assert head(written).count == 8


def test_who_has_seen_events_that_are_not_there_is_told_so(
    database: Database, draft: Draft
) -> None:
    with pytest.raises(StoreError) as refused:
        append(database, [draft("a")], {"h": 3})
    assert refused.value.reason == "never_written"


def test_a_clock_set_back_cannot_reorder_the_log_and_is_noted(
    database: Database, draft: Draft
) -> None:
    back = MOMENT - timedelta(days=3)
    append(database, [draft("a"), draft("b", recorded_at=back)])
    audit = Audit(AuditAction.SIGNED_IN, "an", back)
    append(database, [draft("c", recorded_at=back), draft("d", recorded_at=MOMENT)], audit=[audit])
    assert [event.recorded_at for event in read_events(database)] == [MOMENT] * 4
    assert read_audit(database)[0].at == MOMENT
    noted = [json.loads(row["payload"]).get("clock") for row in rows(database)]
    odd = "2025-10-17T09:00:00.000000+00:00"
    assert noted == [None, odd, odd, None, odd]
    assert first_broken_row(database) is None


def test_no_event_is_there_without_its_audit_and_no_audit_without_its_event(
    database: Database, draft: Draft
) -> None:
    bad = Audit(AuditAction.IMPORTED, "an", MOMENT, details={"rows": object()})
    with pytest.raises(StoreError, match="imported"):
        append(database, [draft("a")], audit=[bad])
    assert head(database).count == 0
    with pytest.raises(StoreError):
        append(database, [draft("a", note=5)], audit=[Audit(AuditAction.IMPORTED, "an", MOMENT)])
    assert head(database).count == 0


@pytest.mark.parametrize("stores", [1, 2], ids=["one connection pool", "two processes' pools"])
def test_two_writers_at_once_lose_nothing_and_nobody_finds_the_database_locked(
    store: Store, draft: Draft, stores: int
) -> None:
    opened = [store, *(Store(store.location) for _ in range(stores - 1))]
    problems: list[BaseException] = []

    def write(name: str, database: Database) -> None:
        try:
            for number in range(40):
                append(database, [draft(f"{name}{number}", name)])
        except BaseException as error:
            problems.append(error)

    threads = [
        threading.Thread(target=write, args=(name, opened[number % stores].database))
        for number, name in enumerate(("left", "right"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sorted(e.event_id for e in read_events(store.database)) == sorted(
        f"{name}{number}" for name in ("left", "right") for number in range(40)
    )
    assert first_broken_row(store.database) is None
    for other in opened[1:]:
        other.close()


WRITER = """
import sys
from datetime import UTC, date, datetime
from hotspots.programme.status import Event, EventType
from hotspots.records.database import Database
from hotspots.records.log import append

database = Database.open(sys.argv[1])
for number in range(100_000):
    name = f"{sys.argv[2]}-{number}"
    event = Event(name, "h", EventType.INSPECTED, date(2025, 10, 20), datetime.now(UTC), "An")
    append(database, [event])
    print(name, flush=True)
"""


def test_a_writer_killed_in_the_middle_loses_nothing_it_had_acknowledged(store: Store) -> None:
    rounds = 5
    where = store.location
    if not store.database.on_postgresql:
        where = str(store.root / DATABASE_FILE)
    acknowledged: list[str] = []
    for round_ in range(rounds):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, where, str(round_)],
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
    there = [event.event_id for event in read_events(store.database)]
    assert "" not in acknowledged
    assert set(acknowledged) <= set(there)
    assert len(there) - len(acknowledged) <= rounds  # written, and killed before it could say so
    assert first_broken_row(store.database) is None


def test_every_type_of_event_can_be_written(database: Database, draft: Draft) -> None:
    for number, kind in enumerate(EventType):
        named = {"about": "x"} if kind in DECISIONS else {}
        named |= {"corrects": "x"} if kind is E.CORRECTED else {}
        if kind is E.ALARM_ACKNOWLEDGED:
            named = {"note": "seen", "evidence": {"alarms": {"risk": "red"}, "p6": 0.6}}
        append(database, [draft(f"e{number}", type=kind, **named)])
    assert {event.type for event in read_events(database)} == set(EventType)
