"""Who may sign in, what ends a session, and what guessing at the door meets."""

from __future__ import annotations

import json
import math
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hypothesis import example, given
from hypothesis import strategies as st

from hotspots.errors import HotspotsError, NotAllowed, NotFound, StoreError
from hotspots.programme.roles import Actor, Permission, Role
from hotspots.records import users as module
from hotspots.records.database import Database, events
from hotspots.records.database import users as user_table
from hotspots.records.users import (
    User,
    acting,
    add_user,
    by_email,
    change_own_password,
    change_user,
    checked_display_name,
    checked_email,
    checked_name,
    checked_password,
    disable,
    enable,
    find,
    set_password,
    sign_in,
    sign_in_by_claims,
    sign_out,
    timed_out,
    user_of_claims,
    users,
)

NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
PASSWORD = "mưa chiều trên sông"  # noqa: S105 - of nobody
OTHER = "cà phê sáng thứ hai"
MINUTE = timedelta(minutes=1)
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
CHEAP_BUT_OTHER = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HASHER", CHEAP)


@pytest.fixture
def staffed(database: Database) -> Database:
    """One administrator, one planner with a password, one ward officer without."""
    add = Adding(database)
    add("quan", Role.ADMINISTRATOR, password=OTHER)
    add("an", Role.PLANNER, password=PASSWORD, email="An@Example.vn")
    add("minh", Role.WARD_OFFICER, wards=[("26740", "2025-07-01")])
    return database


class Adding:
    """Adds users with what a test does not care about filled in."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def __call__(self, name: str, role: Role = Role.VIEWER, **more: object) -> User:
        values: dict[str, object] = {"display_name": f"Người {name}", "by": "root", "now": NINE}
        return add_user(self.database, name, role=role, **values | more)  # type: ignore[arg-type]


class Counting(PasswordHasher):
    """Counts what it hashes, the cheap way."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.done = 0

    def hash(self, *given: Any, **more: Any) -> str:
        self.done += 1
        return super().hash(*given, **more)

    def verify(self, *given: Any) -> Literal[True]:
        self.done += 1
        return super().verify(*given)


def refused(call: Callable[[], object]) -> str:
    """The reason something is refused for."""
    with pytest.raises(HotspotsError) as raised:
        call()
    return raised.value.reason


def attempt(database: Database, name: str, password: str, minute: float) -> str:
    try:
        sign_in(database, name, password, NINE + minute * MINUTE)
    except NotAllowed as error:
        return error.reason
    return "signed in"


def logged(database: Database) -> list[tuple[str, str]]:
    """Every audit event's type and author, in the order of writing."""
    query = sa.select(events.c.type, events.c.recorded_by).where(events.c.stream == "audit")
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(events.c.seq))]


def last_payload(database: Database) -> str:
    query = sa.select(events.c.payload).order_by(events.c.seq.desc()).limit(1)
    with database.reading() as connection:
        return str(connection.execute(query).scalar_one())


def everything_logged(database: Database) -> str:
    with database.reading() as connection:
        rows = connection.execute(sa.select(events)).mappings().all()
    return json.dumps([dict(row) for row in rows], ensure_ascii=False)


def password_hash(database: Database, name: str) -> str:
    query = sa.select(user_table.c.password_hash).where(user_table.c.name == name)
    with database.reading() as connection:
        return str(connection.execute(query).scalar_one())


# -- adding and changing


def test_a_user_is_found_as_added(staffed: Database) -> None:
    minh = find(staffed, "minh")
    assert minh == User(
        name="minh",
        display_name="Người minh",
        role=Role.WARD_OFFICER,
        wards=frozenset({("26740", "2025-07-01")}),
        active=True,
        epoch=1,
        email=None,
        has_password=False,
    )
    assert minh.actor == Actor("minh", Role.WARD_OFFICER, minh.wards, "Người minh")
    assert minh.actor.may(Permission.RECORD)
    assert [user.name for user in users(staffed)] == ["an", "minh", "quan"]
    assert find(staffed, "nobody") is None


def test_an_address_finds_its_user_in_any_case(staffed: Database) -> None:
    assert by_email(staffed, " AN@example.VN ") == find(staffed, "an")
    assert by_email(staffed, "other@example.vn") is None


def test_an_address_in_letters_that_fold_into_another_s_finds_nobody(database: Database) -> None:
    Adding(database)("kim", email="kim@example.vn")
    assert "\u212aim@example.vn".lower() == "kim@example.vn"  # the Kelvin sign
    assert by_email(database, "\u212aim@example.vn") is None


def test_a_name_is_given_once_only_even_to_a_disabled_user(staffed: Database) -> None:
    disable(staffed, "minh", by="quan", now=NINE)
    assert refused(lambda: Adding(staffed)("minh")) == "user_exists"


def test_an_address_belongs_to_one_user(staffed: Database) -> None:
    assert refused(lambda: Adding(staffed)("binh", email="an@EXAMPLE.vn")) == "email_taken"
    change = {"email": "an@example.vn", "by": "quan", "now": NINE}
    assert refused(lambda: change_user(staffed, "minh", **change)) == "email_taken"  # type: ignore[arg-type]
    assert find(staffed, "binh") is None


def test_an_address_can_be_taken_away_and_given_to_another(staffed: Database) -> None:
    change_user(staffed, "an", email="", by="quan", now=NINE)
    change_user(staffed, "minh", email="an@example.vn", by="quan", now=NINE)
    found = by_email(staffed, "an@example.vn")
    assert found is not None
    assert found.name == "minh"


def test_of_eight_threads_adding_the_same_user_one_wins(database: Database) -> None:
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def add(number: int) -> None:
        start.wait()
        try:
            Adding(database)("an", display_name=f"Người {number}", by=f"by{number}")
            outcomes.append("added")
        except StoreError as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(outcomes) == {"added": 1, "user_exists": 7}
    assert [action for action, _ in logged(database)] == ["user_added"]


def test_what_is_not_given_stays(staffed: Database) -> None:
    before = find(staffed, "minh")
    after = change_user(staffed, "minh", display_name="Trần Minh", by="quan", now=NINE)
    assert before is not None
    assert find(staffed, "minh") == after
    assert (after.role, after.wards, after.epoch) == (before.role, before.wards, before.epoch)
    assert after.display_name == "Trần Minh"


def test_every_change_is_logged_under_who_made_it(staffed: Database) -> None:
    change_user(staffed, "an", role=Role.COMMANDER, by="quan", now=NINE)
    set_password(staffed, "an", OTHER, by="an", now=NINE)
    disable(staffed, "an", by="quan", now=NINE)
    enable(staffed, "an", by="quan", now=NINE)
    sign_out(staffed, "minh", NINE)
    assert logged(staffed) == [
        *[("user_added", "root")] * 3,
        ("user_changed", "quan"),
        ("password_changed", "an"),
        ("user_disabled", "quan"),
        ("user_changed", "quan"),
        ("signed_out", "minh"),
    ]


def test_a_change_that_changes_nothing_is_not_logged(staffed: Database) -> None:
    before = len(logged(staffed))
    change_user(staffed, "an", role=Role.PLANNER, email="an@example.vn", by="quan", now=NINE)
    enable(staffed, "an", by="quan", now=NINE)
    disable(staffed, "minh", by="quan", now=NINE)
    disable(staffed, "minh", by="quan", now=NINE)
    assert len(logged(staffed)) == before + 1


def test_a_change_that_cannot_be_logged_is_not_made(
    staffed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError("disk full")

    before = users(staffed)
    monkeypatch.setattr(module, "append_audit", fails)
    for change in (
        lambda: Adding(staffed)("binh"),
        lambda: change_user(staffed, "an", role=Role.VIEWER, by="quan", now=NINE),
        lambda: disable(staffed, "an", by="quan", now=NINE),
        lambda: set_password(staffed, "an", OTHER, by="quan", now=NINE),
        lambda: sign_in(staffed, "an", PASSWORD, NINE),
    ):
        with pytest.raises(OSError, match="disk full"):
            change()
    assert users(staffed) == before


def test_nobody_is_changed_who_is_not_there(staffed: Database) -> None:
    for change in (
        lambda: change_user(staffed, "nobody", role=Role.VIEWER, by="quan", now=NINE),
        lambda: disable(staffed, "nobody", by="quan", now=NINE),
        lambda: enable(staffed, "nobody", by="quan", now=NINE),
        lambda: set_password(staffed, "nobody", PASSWORD, by="quan", now=NINE),
    ):
        with pytest.raises(NotFound) as raised:
            change()
        assert raised.value.reason == "unknown_user"


# -- the last administrator


def test_the_last_active_administrator_stays_one(staffed: Database) -> None:
    Adding(staffed)("cu", Role.ADMINISTRATOR)
    disable(staffed, "cu", by="quan", now=NINE)
    for change in (
        lambda: disable(staffed, "quan", by="quan", now=NINE),
        lambda: change_user(staffed, "quan", role=Role.VIEWER, by="quan", now=NINE),
    ):
        assert refused(change) == "last_administrator"
    quan = find(staffed, "quan")
    assert quan is not None
    assert quan.active
    assert quan.role is Role.ADMINISTRATOR


def test_one_of_two_administrators_may_go(staffed: Database) -> None:
    Adding(staffed)("moi", Role.ADMINISTRATOR)
    assert not disable(staffed, "quan", by="moi", now=NINE).active


def test_the_last_administrator_may_change_in_other_ways(staffed: Database) -> None:
    change_user(staffed, "quan", display_name="Quản", by="quan", now=NINE)
    set_password(staffed, "quan", PASSWORD, by="quan", now=NINE)
    assert attempt(staffed, "quan", PASSWORD, 0) == "signed in"


def test_two_administrators_cannot_demote_each_other_at_once(staffed: Database) -> None:
    Adding(staffed)("moi", Role.ADMINISTRATOR)
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def demote(name: str, by: str) -> None:
        start.wait()
        try:
            change_user(staffed, name, role=Role.VIEWER, by=by, now=NINE)
            outcomes.append("demoted")
        except StoreError as error:
            outcomes.append(error.reason)

    threads = [
        threading.Thread(target=demote, args=pair) for pair in (("quan", "moi"), ("moi", "quan"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["demoted", "last_administrator"]


# -- signing in


def test_name_and_password_let_a_user_in(staffed: Database) -> None:
    assert sign_in(staffed, "an", PASSWORD, NINE) == find(staffed, "an")
    assert logged(staffed)[-1] == ("signed_in", "an")


def test_a_name_may_be_typed_with_capitals_and_blanks(staffed: Database) -> None:
    assert sign_in(staffed, " An ", PASSWORD, NINE).name == "an"


def test_a_password_fits_whichever_way_a_keyboard_composes_its_letters(staffed: Database) -> None:
    apart = unicodedata.normalize("NFD", PASSWORD)
    assert apart != PASSWORD
    assert sign_in(staffed, "an", apart, NINE).name == "an"


def test_unknown_wrong_disabled_and_without_a_password_are_told_the_same(staffed: Database) -> None:
    Adding(staffed)("cu", password=PASSWORD)
    disable(staffed, "cu", by="quan", now=NINE)
    told = set()
    for name, password in [
        ("nobody", PASSWORD),
        ("an", OTHER),
        ("cu", PASSWORD),
        ("minh", PASSWORD),
        ("minh", ""),
        ("", ""),
        ("a\x00n", PASSWORD),
    ]:
        with pytest.raises(NotAllowed) as raised:
            sign_in(staffed, name, password, NINE)
        told.add((raised.value.reason, str(raised.value), tuple(raised.value.facts)))
    assert {reason for reason, *_ in told} == {"sign_in_failed"}
    assert len(told) == 1


def test_every_failure_costs_one_hash_whoever_was_named(
    staffed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    disable(staffed, "an", by="quan", now=NINE)
    counting = Counting()
    monkeypatch.setattr(module, "HASHER", counting)
    for done, name in enumerate(("nobody", "quan", "an", "minh", "not a name at all"), start=1):
        assert attempt(staffed, name, "wrong, in any case", 0) == "sign_in_failed"
        assert counting.done == done, name


def test_the_real_hash_takes_as_long_for_an_unknown_name(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HASHER", PasswordHasher(parallelism=1))
    Adding(database)("an", password=PASSWORD)
    took: dict[str, list[float]] = {"an": [], "nobody": []}
    for minute in range(4):
        for name, times in took.items():
            begin = time.thread_time()  # the processor's time: other programs do not count
            attempt(database, name, "wrong, in any case", minute)
            times.append(time.thread_time() - begin)
    assert 0.5 < min(took["an"]) / min(took["nobody"]) < 2


def test_neither_a_password_nor_what_is_typed_for_an_unknown_name_is_logged(
    staffed: Database,
) -> None:
    attempt(staffed, "an", "hunter2 hunter2 hunter2", 0)
    attempt(staffed, "correct horse battery", "staple staple staple", 1)
    attempt(staffed, PASSWORD, "", 2)
    set_password(staffed, "an", OTHER, by="an", now=NINE)
    attempt(staffed, "an", OTHER, 3)
    text = everything_logged(staffed)
    for secret in ("hunter2", "horse", "staple", PASSWORD, OTHER, "argon2"):
        assert secret not in text
    assert "unknown name" in text


def test_a_password_is_kept_as_an_argon2id_hash(staffed: Database) -> None:
    kept = password_hash(staffed, "an")
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


def test_a_hash_of_other_parameters_is_renewed_when_its_user_comes(
    staffed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = find(staffed, "an")
    monkeypatch.setattr(module, "HASHER", CHEAP_BUT_OTHER)
    attempt(staffed, "an", OTHER, 0)
    assert "t=1" in password_hash(staffed, "an")
    assert sign_in(staffed, "an", PASSWORD, NINE) == before
    assert "t=2" in password_hash(staffed, "an")
    assert sign_in(staffed, "an", PASSWORD, NINE) == before


def test_a_damaged_hash_lets_nobody_in(staffed: Database) -> None:
    with staffed.writing() as connection:
        damage = {"password_hash": "$argon2id$nonsense"}
        connection.execute(sa.update(user_table).values(damage))
    assert attempt(staffed, "an", PASSWORD, 0) == "sign_in_failed"


def test_a_password_changed_while_the_old_one_was_looked_at_lets_nobody_in(
    staffed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(PasswordHasher):
        def verify(self, *given: object) -> bool:  # type: ignore[override]
            monkeypatch.setattr(module, "HASHER", CHEAP)
            set_password(staffed, "an", OTHER, by="an", now=NINE)
            return CHEAP.verify(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "HASHER", Slow(1, 8, 1))
    assert attempt(staffed, "an", PASSWORD, 0) == "sign_in_failed"
    assert attempt(staffed, "an", OTHER, 0) == "signed in"


# -- guessing


@pytest.mark.parametrize("name", ["an", "nobody"])
def test_after_five_failures_a_name_waits_whether_it_is_a_user_s_or_not(
    staffed: Database, name: str
) -> None:
    for minute in (0, 1, 2, 3, 12):
        assert attempt(staffed, name, OTHER, minute) == "sign_in_failed"
    assert attempt(staffed, name, PASSWORD, 12) == "too_many_attempts"
    assert attempt(staffed, name, PASSWORD, 26.9) == "too_many_attempts"
    after = attempt(staffed, name, PASSWORD, 27)
    assert after == ("signed in" if name == "an" else "sign_in_failed")


def test_the_refusal_says_how_many_minutes_are_left(staffed: Database) -> None:
    for _ in range(5):
        attempt(staffed, "an", OTHER, 0)
    with pytest.raises(NotAllowed) as raised:
        sign_in(staffed, "an", PASSWORD, NINE + 4.5 * MINUTE)
    assert raised.value.facts == {"minutes": 11}


def test_a_refused_attempt_costs_no_hash(
    staffed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting()
    monkeypatch.setattr(module, "HASHER", counting)
    for _ in range(7):
        attempt(staffed, "an", OTHER, 0)
    assert counting.done == 5


def test_a_refused_attempt_neither_prolongs_the_wait_nor_fills_the_log(staffed: Database) -> None:
    for _ in range(5):
        attempt(staffed, "an", OTHER, 0)
    before = len(logged(staffed))
    for minute in range(15):
        assert attempt(staffed, "an", OTHER, minute) == "too_many_attempts"
    assert len(logged(staffed)) == before
    assert attempt(staffed, "an", PASSWORD, 15) == "signed in"


def test_five_failures_over_a_longer_time_are_let_pass(staffed: Database) -> None:
    for minute in (0, 4, 8, 12, 16):
        assert attempt(staffed, "an", OTHER, minute) == "sign_in_failed"
    assert attempt(staffed, "an", PASSWORD, 16) == "signed in"


def test_one_name_s_failures_keep_no_other_out(staffed: Database) -> None:
    for _ in range(6):
        attempt(staffed, "an", OTHER, 0)
    assert attempt(staffed, "quan", OTHER, 0) == "signed in"


def test_the_failures_are_remembered_by_a_store_opened_again(staffed: Database) -> None:
    for _ in range(5):
        attempt(staffed, "an", OTHER, 0)
    url = staffed.engine.url
    address = url.render_as_string(hide_password=False)
    other = Database.open(address if staffed.on_postgresql else Path(str(url.database)))
    assert attempt(other, "an", PASSWORD, 1) == "too_many_attempts"
    other.close()


def test_one_password_sprayed_over_many_names_meets_a_ceiling(staffed: Database) -> None:
    outcomes = [attempt(staffed, f"user{n}", PASSWORD, n / 10) for n in range(80)]
    assert Counter(outcomes) == {"sign_in_failed": 50, "too_many_attempts": 30}
    assert attempt(staffed, "quan", OTHER, 14.9) == "too_many_attempts"
    assert attempt(staffed, "quan", OTHER, 15.1) == "signed in"


def test_guesses_side_by_side_get_no_more_answers_than_one_after_the_other(
    staffed: Database,
) -> None:
    start = threading.Barrier(12)
    outcomes: list[str] = []

    def guess() -> None:
        start.wait()
        outcomes.append(attempt(staffed, "an", OTHER, 0))

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(outcomes) == {"sign_in_failed": 5, "too_many_attempts": 7}


def test_once_a_clock_that_ran_ahead_is_put_right_only_the_later_failures_count(
    staffed: Database,
) -> None:
    year = 365 * 24 * 60
    for _ in range(5):
        attempt(staffed, "an", OTHER, year)
    assert attempt(staffed, "an", PASSWORD, year) == "too_many_attempts"
    for minute in range(4):
        assert attempt(staffed, "an", OTHER, minute) == "sign_in_failed"
    assert attempt(staffed, "an", PASSWORD, 4) == "signed in"
    assert attempt(staffed, "an", OTHER, 4) == "sign_in_failed"
    assert attempt(staffed, "an", PASSWORD, 5) == "too_many_attempts"
    assert attempt(staffed, "an", PASSWORD, 19) == "signed in"


# -- sessions


def test_a_disabled_user_s_open_session_ends_at_the_next_action(staffed: Database) -> None:
    session = sign_in(staffed, "an", PASSWORD, NINE)
    assert acting(staffed, "an", session.epoch) == session
    disable(staffed, "an", by="quan", now=NINE)
    assert refused(lambda: acting(staffed, "an", session.epoch)) == "user_disabled"
    assert refused(lambda: acting(staffed, "an")) == "user_disabled"


def test_a_session_does_not_come_back_with_its_user(staffed: Database) -> None:
    session = sign_in(staffed, "an", PASSWORD, NINE)
    disable(staffed, "an", by="quan", now=NINE)
    assert enable(staffed, "an", by="quan", now=NINE).epoch == session.epoch + 2
    assert refused(lambda: acting(staffed, "an", session.epoch)) == "session_ended"
    assert acting(staffed, "an", sign_in(staffed, "an", PASSWORD, NINE).epoch).active


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        (lambda db: change_user(db, "an", role=Role.VIEWER, by="quan", now=NINE), True),
        (lambda db: set_password(db, "an", OTHER, by="an", now=NINE), True),
        (lambda db: change_user(db, "an", email="le@example.vn", by="quan", now=NINE), True),
        (lambda db: change_user(db, "an", wards=[("1", "2025-07-01")], by="q", now=NINE), False),
        (lambda db: change_user(db, "an", display_name="Lê An", by="quan", now=NINE), False),
        (lambda db: change_user(db, "an", role=Role.PLANNER, by="quan", now=NINE), False),
        (lambda db: change_user(db, "minh", role=Role.VIEWER, by="quan", now=NINE), False),
    ],
    ids=["role", "password", "address", "wards", "display name", "same role", "another's role"],
)
def test_what_ends_a_session(
    staffed: Database, change: Callable[[Database], object], ends: bool
) -> None:
    session = sign_in(staffed, "an", PASSWORD, NINE)
    change(staffed)
    if ends:
        assert refused(lambda: acting(staffed, "an", session.epoch)) == "session_ended"
    else:
        assert acting(staffed, "an", session.epoch) == find(staffed, "an")


def test_nobody_acts_who_is_not_there(staffed: Database) -> None:
    with pytest.raises(NotAllowed) as raised:
        acting(staffed, "nobody", 1)
    assert raised.value.reason == "unknown_user"


def test_a_session_is_over_after_half_an_hour_or_a_clock_set_back_as_far() -> None:
    assert not timed_out(NINE, NINE)
    assert not timed_out(NINE, NINE + 29.9 * MINUTE)
    assert timed_out(NINE, NINE + 30 * MINUTE)
    assert timed_out(NINE, NINE - 30 * MINUTE)
    assert timed_out(NINE, NINE + 5 * MINUTE, limit=5 * MINUTE)


# -- changing the own password


def test_who_knows_the_current_password_changes_it_and_ends_the_sessions_begun_before(
    staffed: Database,
) -> None:
    before = sign_in(staffed, "an", PASSWORD, NINE)
    changed = change_own_password(staffed, "an", PASSWORD, OTHER, now=NINE)
    assert changed == find(staffed, "an") == acting(staffed, "an", changed.epoch)
    assert refused(lambda: acting(staffed, "an", before.epoch)) == "session_ended"
    assert logged(staffed)[-1] == ("password_changed", "an")
    assert attempt(staffed, "an", PASSWORD, 0) == "sign_in_failed"
    assert attempt(staffed, "an", OTHER, 0) == "signed in"


def test_a_wrong_current_password_changes_nothing_and_is_logged_as_a_failure(
    staffed: Database,
) -> None:
    before = find(staffed, "an")

    def change() -> object:
        return change_own_password(staffed, "an", "sai mật khẩu rồi", OTHER, now=NINE)

    assert refused(change) == "wrong_password"
    assert find(staffed, "an") == before
    assert logged(staffed)[-1] == ("sign_in_failed", "an")
    assert "wrong password" in last_payload(staffed)
    assert "sai mật khẩu" not in everything_logged(staffed)
    assert attempt(staffed, "an", PASSWORD, 0) == "signed in"


def test_guesses_at_the_current_password_and_at_the_door_meet_one_limit(staffed: Database) -> None:
    def change(current: str) -> Callable[[], object]:
        return lambda: change_own_password(staffed, "an", current, OTHER, now=NINE)

    for _ in range(3):
        assert refused(change("sai mật khẩu rồi")) == "wrong_password"
    for _ in range(2):
        assert attempt(staffed, "an", "sai mật khẩu rồi", 0) == "sign_in_failed"
    assert refused(change(PASSWORD)) == "too_many_attempts"
    assert attempt(staffed, "an", PASSWORD, 0) == "too_many_attempts"
    assert attempt(staffed, "quan", OTHER, 0) == "signed in"


def test_a_new_password_that_breaks_the_rules_costs_no_attempt(staffed: Database) -> None:
    log = logged(staffed)
    for _ in range(6):
        reason = refused(lambda: change_own_password(staffed, "an", "?", "ngắn", now=NINE))
        assert reason == "password_length"
    assert logged(staffed) == log


def test_nobody_without_a_password_or_with_a_session_that_ended_changes_one(
    staffed: Database,
) -> None:
    assert (
        refused(lambda: change_own_password(staffed, "minh", "", OTHER, now=NINE))
        == "wrong_password"
    )

    def barred(_: object) -> None:
        raise NotAllowed("session_ended", "…")

    def change() -> object:
        return change_own_password(staffed, "an", PASSWORD, OTHER, now=NINE, guard=barred)

    assert refused(change) == "session_ended"
    assert attempt(staffed, "an", PASSWORD, 0) == "signed in"


# -- an identity provider's claims

SOON = NINE.timestamp() + 60
VERIFIED = {"email_verified": True}


def test_a_verified_address_is_its_user(staffed: Database) -> None:
    for verified in (True, "true"):
        claims = {"email": "An@example.vn", "exp": SOON, "email_verified": verified}
        assert user_of_claims(staffed, claims, NINE) == find(staffed, "an")


def test_an_address_of_which_nothing_is_said_counts_only_where_the_provider_is_trusted(
    staffed: Database,
) -> None:
    claims = {"email": "an@example.vn", "exp": SOON}
    assert refused(lambda: user_of_claims(staffed, claims, NINE)) == "email_not_verified"
    assert refused(lambda: sign_in_by_claims(staffed, claims, NINE)) == "email_not_verified"
    for let_in in (user_of_claims, sign_in_by_claims):
        user = let_in(staffed, claims, NINE, trust_provider_emails=True)
        assert user == find(staffed, "an")


@pytest.mark.parametrize("verified", [False, None, "false", "", 0, "yes", [True]])
@pytest.mark.parametrize("trusted", [False, True])
def test_an_address_that_is_not_vouched_for_is_nobody(
    staffed: Database, verified: object, trusted: bool
) -> None:
    claims = {"email": "an@example.vn", "exp": SOON, "email_verified": verified}

    def ask() -> object:
        return user_of_claims(staffed, claims, NINE, trust_provider_emails=trusted)

    assert refused(ask) == "email_not_verified"


@pytest.mark.parametrize(
    "exp", [None, NINE.timestamp(), SOON - 61, math.inf, math.nan, True, "9999999999"]
)
def test_claims_that_have_expired_or_never_would_are_refused(
    staffed: Database, exp: object
) -> None:
    claims = {"email": "an@example.vn", "exp": exp, **VERIFIED}
    assert refused(lambda: user_of_claims(staffed, claims, NINE)) == "token_expired"


@pytest.mark.parametrize("email", [None, 7, ["an@example.vn"]])
def test_claims_without_an_address_are_refused(staffed: Database, email: object) -> None:
    claims = {"email": email, "exp": SOON, **VERIFIED}
    assert refused(lambda: user_of_claims(staffed, claims, NINE)) == "email_not_verified"


@pytest.mark.parametrize(
    "email", ["other@example.vn", "an", "", "an@example.vn\x00", "ạn@example.vn"]
)
def test_an_address_of_nobody_is_refused(staffed: Database, email: str) -> None:
    claims = {"email": email, "exp": SOON, **VERIFIED}
    assert refused(lambda: user_of_claims(staffed, claims, NINE)) == "unknown_email"


def test_a_disabled_user_is_refused_by_claims_too(staffed: Database) -> None:
    disable(staffed, "an", by="quan", now=NINE)
    claims = {"email": "an@example.vn", "exp": SOON, **VERIFIED}
    assert refused(lambda: sign_in_by_claims(staffed, claims, NINE)) == "user_disabled"
    assert logged(staffed)[-1] == ("sign_in_failed", "?")
    assert '"subject":"an"' in last_payload(staffed)


def test_a_refusal_of_claims_is_logged_without_the_address(staffed: Database) -> None:
    claims = {"email": "other@example.vn", "exp": SOON, **VERIFIED}
    assert refused(lambda: sign_in_by_claims(staffed, claims, NINE)) == "unknown_email"
    assert logged(staffed)[-1] == ("sign_in_failed", "?")
    assert "other@example.vn" not in everything_logged(staffed)
    assert "unknown_email" in last_payload(staffed)


def test_refusals_of_claims_do_not_lock_the_door_for_passwords(staffed: Database) -> None:
    claims = {"email": "x@example.vn", "exp": SOON, **VERIFIED}
    for _ in range(60):
        refused(lambda: sign_in_by_claims(staffed, claims, NINE))
    assert sign_in(staffed, "an", PASSWORD, NINE).name == "an"


@pytest.mark.parametrize(
    "change",
    [
        lambda db, guard: change_user(db, "an", role=Role.VIEWER, by="quan", now=NINE, guard=guard),
        lambda db, guard: disable(db, "an", by="quan", now=NINE, guard=guard),
        lambda db, guard: enable(db, "an", by="quan", now=NINE, guard=guard),
        lambda db, guard: set_password(db, "an", OTHER, by="quan", now=NINE, guard=guard),
    ],
)
def test_whoever_lost_the_right_meanwhile_changes_no_account(
    staffed: Database, change: Callable[[Database, Callable[[object], None]], object]
) -> None:
    def barred(connection: object) -> None:
        raise NotAllowed("session_ended", "over")

    before, told = find(staffed, "an"), logged(staffed)
    assert refused(lambda: change(staffed, barred)) == "session_ended"
    assert (find(staffed, "an"), logged(staffed)) == (before, told)


def test_signing_in_by_claims_is_logged(staffed: Database) -> None:
    sign_in_by_claims(staffed, {"email": "an@example.vn", "exp": SOON, **VERIFIED}, NINE)
    assert logged(staffed)[-1] == ("signed_in", "an")


# -- names, addresses, passwords


@given(st.from_regex(r"[a-z0-9._-]{2,40}", fullmatch=True))
def test_any_two_to_forty_plain_signs_are_a_name(name: str) -> None:
    assert checked_name(name) == name


@given(st.text(max_size=50))
@example("an\n")
@example("An")
@example("\u212aim")
@example("a" * 41)
@example("lê")
def test_anything_else_is_no_name(text: str) -> None:
    plain = set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    if not (plain and 2 <= len(text) <= 40):
        assert refused(lambda: checked_name(text)) == "bad_user_name"


@given(st.text(max_size=100))
@example("Lê\u202eAn")
@example("Lê\nAn")
@example("\u200b\u200b")
@example("a" * 81)
def test_a_display_name_is_composed_visible_and_stable_or_refused(text: str) -> None:
    try:
        shown = checked_display_name(text)
    except StoreError:
        return
    assert unicodedata.is_normalized("NFC", shown)
    assert 1 <= len(shown) <= 80
    assert all(sign.isprintable() for sign in shown if unicodedata.category(sign) != "Cn")
    assert checked_display_name(shown) == shown


@pytest.mark.parametrize("text", ["Lê\u202eAn", "Lê\nAn", "Lê\x00", "\u200b", "", "   ", "a" * 81])
def test_a_display_name_with_hidden_signs_or_none_is_refused(text: str) -> None:
    assert refused(lambda: checked_display_name(text)) == "bad_display_name"


@pytest.mark.parametrize(
    "email", ["an", "an@", "@a", "a b@c", "a@b@c", "lê@a.vn", "a" * 65 + "@a", "an@a\x00"]
)
def test_what_is_no_address_is_refused(email: str) -> None:
    assert refused(lambda: checked_email(email)) == "bad_email"


@given(st.text(max_size=220))
@example("a" * 11)
@example("mưa chiều trên sông" * 11)
@example("\ud800mưa chiều trên sông")
def test_a_password_is_taken_as_it_is_or_refused_with_a_reason(password: str) -> None:
    normal = unicodedata.normalize("NFC", password)
    if not 12 <= len(normal) <= 200:
        assert refused(lambda: checked_password("an", password)) == "password_length"
    elif len(set(normal.lower())) < 5 or normal.lower() in module._COMMON_PASSWORDS:
        assert refused(lambda: checked_password("an", password)) == "password_too_common"
    else:
        assert checked_password("an", password) == password
        assert module._fits(module._hash(password), normal)


@given(st.from_regex(r"[a-z0-9._-]{12,40}", fullmatch=True))
def test_no_name_is_its_own_password_in_any_case(name: str) -> None:
    assert refused(lambda: checked_password(name, name.upper())) == "password_is_name"


@pytest.mark.parametrize(
    "password", ["Password1234", "123456789012", "aaaaaaaaaaaaaa", "MatKhau123456", "121212121212"]
)
def test_the_commonest_passwords_are_refused(password: str) -> None:
    assert refused(lambda: checked_password("an", password)) == "password_too_common"


def test_every_common_password_listed_is_long_enough_to_need_listing() -> None:
    least, _ = module.PASSWORD_SIGNS
    assert all(len(each) >= least and each == each.lower() for each in module._COMMON_PASSWORDS)
    assert len(module._COMMON_PASSWORDS) >= 50


def test_a_refused_password_changes_nothing(staffed: Database) -> None:
    before = password_hash(staffed, "an"), find(staffed, "an"), logged(staffed)
    reason = refused(lambda: set_password(staffed, "an", "short", by="an", now=NINE))
    assert reason == "password_length"
    assert (password_hash(staffed, "an"), find(staffed, "an"), logged(staffed)) == before


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), max_size=70), st.integers(0, 2))
def test_whoever_waits_as_long_as_told_is_let_try(times: list[tuple[int, int]], mark: int) -> None:
    failures = sorted(((NINE + minute * MINUTE, of) for minute, of in times), reverse=True)
    now = NINE + 60 * MINUTE
    wait = module._wait(failures, mark, now)
    assert wait <= module.WINDOW
    assert module._wait(failures, mark, now + max(wait, timedelta(0))) <= timedelta(0)
