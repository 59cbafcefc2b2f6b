"""Who may do what, through the tracker: nothing is allowed because a page forgot to ask."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.access import permission_of
from hotspots.errors import HotspotsError, MoveRefused, NotAllowed, StoreError
from hotspots.importing import Decision
from hotspots.measures.file_kinds import FileKind
from hotspots.programme.roles import MAY, Permission, Role
from hotspots.programme.status import EventType as E
from hotspots.programme.status import Status
from hotspots.records import backup, users
from hotspots.records.audit import AuditAction
from hotspots.records.store import Store
from hotspots.tracker import Entry, Tracker

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
TODAY = date(2026, 1, 5)
PASSWORD = "bốn từ không ai đoán"  # noqa: S105 - of a test


@pytest.fixture(autouse=True)
def fast_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def shared(small_city: Tracker, programme_text: str) -> Tracker:
    """The four wards with approval in force and one user a role; on nobody's behalf."""
    text = programme_text.replace("required = false", "required = true")
    small_city.add_programme(text, NOW)
    small_city.add_user("admin", role=Role.ADMINISTRATOR, now=NOW, password=PASSWORD)
    admin = small_city.acting_as("admin")
    for role in set(Role) - {Role.ADMINISTRATOR}:
        wards = [("00001", "2025-07-01")] if role is Role.WARD_OFFICER else []
        admin.add_user(str(role), role=role, wards=wards, now=NOW, password=PASSWORD)
    admin.add_user("commander2", role=Role.COMMANDER, now=NOW)
    return small_city


@pytest.fixture
def acting(shared: Tracker) -> Callable[[str], Tracker]:
    return shared.acting_as


def designation(ward: str = "00001", **content: Any) -> Entry:
    values = {"by": "typed", "recorded_at": NOW, "plan_year": 2025} | content
    return Entry(f"{ward}-2025", E.DESIGNATED, date(2025, 10, 20), ward=ward, **values)


def status(tracker: Tracker, hotspot: str = "00001-2025") -> Status:
    states = tracker.snapshot(TODAY).states
    return states[hotspot].status if hotspot in states else Status.NOT_LISTED


# -- who may


def test_with_users_nobody_acts_without_signing_in(shared: Tracker) -> None:
    for ask in (lambda: shared.snapshot(TODAY), lambda: shared.record(designation(), today=TODAY)):
        with pytest.raises(NotAllowed) as refused:
            ask()
        assert refused.value.reason == "not_signed_in"


def test_every_public_method_that_reads_or_writes_asks_for_a_permission() -> None:
    free = {
        "open", "acting_as", "user", "may", "sign_in", "sign_in_by_claims", "sign_out",
        "has_users", "is_demonstration", "default_day", "data_version", "editions", "edition_on",
        "breaks", "new_hotspot_id", "selection_reasons", "is_open_demonstration",
        "open_upload", "guess_columns", "try_upload", "confirm",  # by kind of file
    }  # fmt: skip
    methods = {
        name: value
        for name, value in vars(Tracker).items()
        if callable(value) and not name.startswith("_")
    }
    assert {name for name, method in methods.items() if permission_of(method) is None} <= free
    assert len(methods) > 40


def test_only_who_may_import_opens_tries_and_confirms_a_file(
    shared: Tracker, tmp_path: Path
) -> None:
    """An administrator opens files to bring boundaries in, and no figures."""
    path = tmp_path / "counts.csv"
    path.write_text("ward,month,category,count\n00001,2025-08,theft,1\n", "utf-8")
    planner = shared.acting_as("planner")
    decision = Decision(FileKind.COUNTS)
    upload = planner.open_upload(path, today=TODAY)
    with upload.reading:
        trial = planner.try_upload(upload, decision, today=TODAY, now=NOW)
        for role in Role:
            other = shared.acting_as("admin" if role is Role.ADMINISTRATOR else str(role))
            if Permission.IMPORT in MAY[role]:
                continue
            if role is not Role.ADMINISTRATOR:
                with pytest.raises(NotAllowed):
                    other.open_upload(path, today=TODAY)
            with pytest.raises(NotAllowed):
                other.open_upload(path, today=TODAY, kind=FileKind.COUNTS)
            with pytest.raises(NotAllowed):
                other.guess_columns(upload, FileKind.COUNTS, ["ward"], today=TODAY)
            with pytest.raises(NotAllowed):
                other.try_upload(upload, decision, today=TODAY, now=NOW)
            with pytest.raises(NotAllowed):
                other.confirm(trial, now=NOW)
    assert shared.store.batches("counts") == planner.store.batches("counts")
    trial.close()


def test_whoever_is_disabled_between_dry_run_and_confirmation_writes_nothing(
    shared: Tracker, tmp_path: Path
) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("ward,month,category,count\n00001,2025-08,theft,1\n", "utf-8")
    planner = shared.acting_as("planner")
    upload = planner.open_upload(path, today=TODAY, kind=FileKind.COUNTS)
    with upload.reading:
        trial = planner.try_upload(upload, Decision(FileKind.COUNTS), today=TODAY, now=NOW)
    before = len(shared.store.batches())
    admin = shared.acting_as("admin")
    admin.disable_user("planner", now=NOW)
    try:
        with pytest.raises(NotAllowed):
            planner.confirm(trial, now=NOW)
    finally:
        admin.enable_user("planner", now=NOW)
    assert len(shared.store.batches()) == before
    trial.close()


def _calls(tracker: Tracker, folder: Path) -> dict[Permission, Callable[[], object]]:
    """One thing to do for each permission."""
    path = folder / "counts.csv"
    path.write_text("ward,month,category,count\n00001,2025-08,theft,1\n", "utf-8")
    return {
        Permission.READ: lambda: tracker.snapshot(TODAY),
        Permission.EXPORT: lambda: tracker.export(
            "programme", "", as_of=TODAY, made_on=TODAY, language="vi", now=NOW
        ),
        Permission.RECORD: lambda: tracker.record(designation(), today=TODAY),
        Permission.RECORD_ANY_WARD: lambda: tracker.record(designation("00002"), today=TODAY),
        Permission.PROPOSE: lambda: tracker.propose([], 2026, TODAY, by="x", today=TODAY, now=NOW),
        Permission.IMPORT: lambda: tracker.import_counts(path, today=TODAY, now=NOW),
        Permission.APPROVE: lambda: tracker.approve("none", today=TODAY, now=NOW),
        Permission.MANAGE_USERS: lambda: tracker.users(),
        Permission.MANAGE_BOUNDARIES: lambda: tracker.add_boundaries(path, TODAY, NOW),
        Permission.MANAGE_PROGRAMME: lambda: tracker.add_programme("code = 1", NOW),
        Permission.BACKUP: lambda: tracker.backup(folder / "b.zip", now=NOW),
        Permission.AUDIT: lambda: tracker.audit(),
    }


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", list(Permission))
def test_each_role_may_do_what_the_table_says_and_nothing_else(
    shared: Tracker, tmp_path: Path, role: Role, permission: Permission
) -> None:
    name = "admin" if role is Role.ADMINISTRATOR else str(role)
    call = _calls(shared.acting_as(name), tmp_path)[permission]
    refused = ""
    try:
        call()
    except NotAllowed as error:
        refused = error.reason
    except Exception:  # allowed, and refused for another reason
        refused = ""
    allowed = permission in MAY[role]
    assert (refused in ("not_permitted", "outside_own_wards")) is not allowed


def test_an_officer_records_in_the_own_wards_only(acting: Callable[[str], Tracker]) -> None:
    officer = acting("ward_officer")
    assert officer.record(designation("00001"), today=TODAY).recorded_by == "ward_officer"
    with pytest.raises(NotAllowed) as refused:
        officer.record(designation("00002"), today=TODAY)
    assert refused.value.reason == "outside_own_wards"


def test_who_acts_stands_in_the_log_whatever_was_typed(acting: Callable[[str], Tracker]) -> None:
    written = acting("planner").record(designation(by="Somebody else"), today=TODAY)
    assert written.recorded_by == "planner"


def test_a_role_taken_away_ends_the_session_at_the_next_action(
    shared: Tracker, acting: Callable[[str], Tracker]
) -> None:
    user = acting("planner").user()
    assert user is not None
    session = shared.acting_as("planner", user.epoch)
    session.snapshot(TODAY)
    acting("admin").change_user("planner", role=Role.VIEWER, now=NOW)
    with pytest.raises(NotAllowed) as ended:
        session.record(designation(), today=TODAY)
    assert ended.value.reason == "session_ended"
    acting("admin").disable_user("planner", now=NOW)
    with pytest.raises(NotAllowed) as disabled:
        acting("planner").snapshot(TODAY)
    assert disabled.value.reason == "user_disabled"


def test_signing_out_ends_the_other_windows_of_a_user_too(shared: Tracker) -> None:
    first, second = (shared.sign_in("planner", PASSWORD, NOW) for _ in range(2))
    first.sign_out(NOW)
    with pytest.raises(NotAllowed) as ended:
        second.snapshot(TODAY)
    assert ended.value.reason == "session_ended"


def test_whoever_is_disabled_between_the_check_and_the_write_writes_nothing(
    shared: Tracker, acting: Callable[[str], Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    planner = acting("planner")
    draft = planner._draft

    def slow(*asked: Any) -> Any:
        ready = draft(*asked)
        acting("admin").disable_user("planner", now=NOW)
        return ready

    monkeypatch.setattr(planner, "_draft", slow)
    with pytest.raises(NotAllowed) as refused:
        planner.record(designation(), today=TODAY)
    assert refused.value.reason == "session_ended"
    assert acting("viewer").pending() == []


def test_of_two_who_find_no_accounts_one_makes_the_first(
    small_city: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other, who was let in because nobody had an account, finds that somebody has."""
    hash_ = users._hash

    def slow(password: str) -> str:
        monkeypatch.setattr(users, "_hash", hash_)
        small_city.add_user("other", role=Role.ADMINISTRATOR, now=NOW, password=PASSWORD)
        return hash_(password)

    monkeypatch.setattr(users, "_hash", slow)
    with pytest.raises(NotAllowed) as refused:
        small_city.add_user("late", role=Role.ADMINISTRATOR, now=NOW, password=PASSWORD)
    assert refused.value.reason == "not_signed_in"
    assert [user.name for user in users.users(small_city.store.database)] == ["other"]


def test_the_first_user_is_an_administrator(small_city: Tracker) -> None:
    with pytest.raises(NotAllowed) as refused:
        small_city.add_user("lan", role=Role.PLANNER, now=NOW)
    assert refused.value.reason == "first_administrator"


def test_everybody_changes_the_own_password_and_only_an_administrator_others(
    shared: Tracker, acting: Callable[[str], Tracker]
) -> None:
    acting("planner").set_password("planner", "một cụm từ khác hẳn", now=NOW)
    assert shared.sign_in("planner", "một cụm từ khác hẳn", NOW).user().name == "planner"
    with pytest.raises(NotAllowed):
        acting("planner").set_password("commander", "một cụm từ khác hẳn", now=NOW)
    acting("admin").set_password("commander", "một cụm từ khác hẳn", now=NOW)


def test_a_session_that_changes_the_own_password_goes_on_and_the_others_end(
    shared: Tracker,
) -> None:
    first, second = (shared.sign_in("viewer", PASSWORD, NOW) for _ in range(2))
    changed = first.change_own_password(PASSWORD, "một cụm từ khác hẳn", now=NOW)
    assert shared.acting_as("viewer", changed.epoch).user() == changed
    with pytest.raises(NotAllowed) as ended:
        second.change_own_password("một cụm từ khác hẳn", PASSWORD, now=NOW)
    assert ended.value.reason == "session_ended"
    assert shared.sign_in("viewer", "một cụm từ khác hẳn", NOW).user() == changed


def test_without_accounts_there_is_no_password_to_change(small_city: Tracker) -> None:
    with pytest.raises(NotAllowed) as refused:
        small_city.change_own_password("", PASSWORD, now=NOW)
    assert refused.value.reason == "not_signed_in"


# -- the second person


def test_what_changes_a_status_waits_for_a_second_person(acting: Callable[[str], Tracker]) -> None:
    planner, commander = acting("planner"), acting("commander")
    written = planner.record(designation(), today=TODAY)
    assert written.needs_approval
    assert status(planner) is Status.NOT_LISTED
    assert [event.event_id for event in commander.pending()] == [written.event_id]
    commander.approve(written.event_id, today=TODAY, now=NOW + timedelta(hours=1))
    assert status(planner) is Status.DESIGNATED
    assert commander.pending() == []
    inspected = Entry("00001-2025", E.INSPECTED, date(2025, 11, 1), "x", NOW)
    assert not planner.record(inspected, today=TODAY).needs_approval


def test_what_is_sent_back_never_counts_and_needs_a_reason(
    acting: Callable[[str], Tracker],
) -> None:
    written = acting("planner").record(designation(), today=TODAY)
    with pytest.raises(MoveRefused) as refused:
        acting("commander").send_back(written.event_id, today=TODAY, now=NOW, note="")
    assert refused.value.reason == "decision_without_reason"
    acting("commander").send_back(written.event_id, today=TODAY, now=NOW, note="sai ngày")
    assert status(acting("planner")) is Status.NOT_LISTED
    with pytest.raises(MoveRefused) as decided:
        acting("commander2").approve(written.event_id, today=TODAY, now=NOW)
    assert decided.value.reason == "unknown_pending"
    log = acting("planner").hotspot("00001-2025", TODAY).log
    assert [event.type for event in log] == [E.DESIGNATED, E.SENT_BACK]


def test_only_the_author_takes_back(acting: Callable[[str], Tracker]) -> None:
    written = acting("planner").record(designation(), today=TODAY)
    with pytest.raises(MoveRefused) as refused:
        acting("ward_officer").take_back(written.event_id, today=TODAY, now=NOW)
    assert refused.value.reason == "not_the_author"
    acting("planner").take_back(written.event_id, today=TODAY, now=NOW)
    assert acting("planner").pending() == []


def test_a_planner_cannot_approve_by_recording_an_approval(
    acting: Callable[[str], Tracker],
) -> None:
    written = acting("ward_officer").record(designation(), today=TODAY)
    forged = Entry("00001-2025", E.APPROVED, TODAY, "x", NOW, about=written.event_id)
    with pytest.raises(NotAllowed):
        acting("planner").record(forged, today=TODAY)


def test_without_accounts_nobody_is_a_second_person(
    small_city: Tracker, programme_text: str
) -> None:
    text = programme_text.replace("required = false", "required = true")
    small_city.add_programme(text, NOW)
    written = small_city.record(designation(by="An"), today=TODAY)
    forged = Entry("00001-2025", E.APPROVED, TODAY, "Bình", NOW, about=written.event_id)
    for attempt in (
        lambda: small_city.approve(written.event_id, by="Bình", today=TODAY, now=NOW),
        lambda: small_city.record(forged, today=TODAY),
    ):
        with pytest.raises(NotAllowed) as refused:
            attempt()
        assert refused.value.reason == "approval_needs_accounts"
    assert status(small_city) is Status.NOT_LISTED


def test_an_approval_of_what_somebody_changed_meanwhile_is_refused(
    acting: Callable[[str], Tracker],
) -> None:
    planner, commander = acting("planner"), acting("commander")
    written = planner.record(designation(), today=TODAY)
    seen = len(planner.hotspot("00001-2025", TODAY).log)
    started = Entry("00001-2025", E.WORK_STARTED, date(2025, 11, 1), "x", NOW)
    planner.record(started, today=TODAY)
    with pytest.raises(StoreError) as refused:
        commander.approve(written.event_id, today=TODAY, now=NOW, expected_version=seen)
    assert refused.value.reason == "changed_meanwhile"


def test_a_correction_waits_too_and_a_step_on_a_waiting_step_is_approved_after_it(
    acting: Callable[[str], Tracker],
) -> None:
    planner, commander = acting("planner"), acting("commander")
    first = planner.record(designation(), today=TODAY)
    second = planner.record(
        Entry("00001-2025", E.WORK_STARTED, date(2025, 11, 1), "x", NOW), today=TODAY
    )
    with pytest.raises(MoveRefused) as early:
        commander.approve(second.event_id, today=TODAY, now=NOW)
    assert early.value.reason == "approve_earlier_first"
    for event in (first, second):
        commander.approve(event.event_id, today=TODAY, now=NOW)
    corrected = planner.correct(
        "00001-2025", second.event_id, by="x", now=NOW, today=TODAY, reason="nhầm ngày",
        on=date(2025, 11, 8),
    )  # fmt: skip
    assert planner.snapshot(TODAY).states["00001-2025"].since == date(2025, 11, 1)
    commander.approve(corrected.event_id, today=TODAY, now=NOW)
    assert planner.snapshot(TODAY).states["00001-2025"].since == date(2025, 11, 8)


def test_what_was_approved_today_was_not_known_yesterday(acting: Callable[[str], Tracker]) -> None:
    planner, commander = acting("planner"), acting("commander")
    written = planner.record(designation(), today=TODAY)
    commander.approve(written.event_id, today=TODAY, now=NOW + timedelta(days=3))
    day = TODAY + timedelta(days=10)
    assert "00001-2025" in planner.snapshot(day).states
    assert "00001-2025" not in planner.snapshot(day, known_on=TODAY).states
    assert "00001-2025" in planner.snapshot(day, known_on=TODAY + timedelta(days=4)).states


def test_other_kinds_wait_for_a_second_person_too(acting: Callable[[str], Tracker]) -> None:
    planner, commander = acting("planner"), acting("commander")
    first = planner.record(designation(kinds=(1,)), today=TODAY)
    commander.approve(first.event_id, today=TODAY, now=NOW)
    more = Entry("00001-2025", E.INSPECTED, date(2025, 11, 1), "x", NOW, kinds=(1, 4))
    assert planner.record(more, today=TODAY).needs_approval
    assert planner.snapshot(TODAY).states["00001-2025"].place.kinds == {1}


# -- the audit


def test_a_file_of_events_is_noted_and_is_the_same_file_for_another_planner(
    acting: Callable[[str], Tracker], tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        "hotspot,event,on,ward,plan_year\n00001-2025,Designated,2025-10-20,00001,2025\n", "utf-8"
    )
    acting("admin").add_user("planner2", role=Role.PLANNER, now=NOW)
    first = acting("planner").import_status(path, today=TODAY, now=NOW)
    again = acting("planner2").import_status(path, today=TODAY, now=NOW)
    assert (first.new, again.new, again.accepted) == (1, 0, 1)
    noted = [a for a in acting("commander").audit() if a.action is AuditAction.IMPORTED]
    assert [(each.actor, each.subject) for each in noted] == [("planner", "events.csv")]


def test_a_demonstration_with_a_real_user_is_open_to_nobody(
    staffed_demonstration_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(staffed_demonstration_folder, tmp_path / "store")
    tracker = Tracker.open(tmp_path / "store")
    assert tracker.is_open_demonstration()
    tracker.acting_as("quantri").set_password("chihuy", PASSWORD, now=NOW)
    assert not tracker.is_open_demonstration()
    tracker.store.close()


def test_a_setting_that_the_log_does_not_bear_out_opens_a_store_to_nobody(
    small_city: Tracker, programme_text: str
) -> None:
    small_city.add_programme(programme_text.replace("required = false", "required = true"), NOW)
    written = small_city.record(designation(), today=TODAY)
    with small_city.store.database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO setting VALUES ('demonstration', '2026-10-31')")
    with pytest.raises(NotAllowed) as refused:  # only a demonstration is built before its users
        small_city.approve(written.event_id, by="Bình", today=TODAY, now=NOW)
    assert refused.value.reason == "approval_needs_accounts"
    small_city.add_user("admin", role=Role.ADMINISTRATOR, now=NOW)
    assert not small_city.is_open_demonstration()


def test_a_demonstration_begins_with_a_line_in_the_log(
    staffed_demonstration_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(staffed_demonstration_folder, tmp_path / "store")
    tracker = Tracker.open(tmp_path / "store")
    begun = AuditAction.DEMONSTRATION_BEGUN
    lines = [each for each in tracker.acting_as("chihuy").audit(10_000) if each.action is begun]
    assert [each.subject for each in lines] == ["2026-10-31"]
    assert tracker.acting_as("chihuy").verify().ok
    with tracker.store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE setting SET value = '2026-11-30'")
    assert not tracker.is_open_demonstration()
    tracker.store.close()


def test_the_log_names_a_backup_by_the_digest_of_its_file(
    acting: Callable[[str], Tracker], tmp_path: Path
) -> None:
    made = acting("admin").backup(tmp_path / "b.zip", now=NOW)
    noted = acting("commander").audit()[0]
    assert (noted.action, noted.actor, noted.subject) == (
        AuditAction.BACKUP_MADE, "admin", "b.zip",
    )  # fmt: skip
    digest = hashlib.sha256((tmp_path / "b.zip").read_bytes()).hexdigest()
    assert noted.details == {"count": made.head.count, "hash": made.head.hash, "sha256": digest}


def test_whoever_is_disabled_while_a_backup_is_made_gets_none(
    acting: Callable[[str], Tracker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = backup.check_backup
    acting("admin").add_user("admin2", role=Role.ADMINISTRATOR, now=NOW)

    def slow(path: Path) -> backup.Manifest:
        acting("admin").disable_user("admin2", now=NOW)
        return check(path)

    monkeypatch.setattr(backup, "check_backup", slow)
    (tmp_path / "to").mkdir()
    with pytest.raises(NotAllowed) as refused:
        acting("admin2").backup(tmp_path / "to" / "b.zip", now=NOW)
    assert refused.value.reason == "user_disabled"
    assert list((tmp_path / "to").iterdir()) == []


def test_a_copy_is_noted_in_its_own_log(acting: Callable[[str], Tracker], tmp_path: Path) -> None:
    target = Store(tmp_path / "copy", create=True)
    assert acting("admin").copy_to(target, now=NOW).ok
    copied = Tracker(target).acting_as("commander")
    assert copied.audit()[0].action is AuditAction.BACKUP_MADE
    target.close()


def test_sign_ins_exports_imports_and_changes_of_users_stand_in_the_chain(
    shared: Tracker, acting: Callable[[str], Tracker], tmp_path: Path
) -> None:
    shared.sign_in("planner", PASSWORD, NOW).sign_out(NOW)
    with pytest.raises(NotAllowed):
        shared.sign_in("planner", "wrong but long enough", NOW)
    path = tmp_path / "counts.csv"
    path.write_text("ward,month,category,count\n00001,2025-08,theft,1\n", "utf-8")
    acting("planner").import_counts(path, today=TODAY, now=NOW)
    acting("planner").export("ward", "00001", as_of=TODAY, made_on=TODAY, language="vi", now=NOW)
    acting("admin").disable_user("viewer", now=NOW)
    found = {(each.action, each.actor) for each in acting("commander").audit()}
    assert {
        (AuditAction.SIGNED_IN, "planner"),
        (AuditAction.SIGNED_OUT, "planner"),
        (AuditAction.IMPORTED, "planner"),
        (AuditAction.EXPORTED, "planner"),
        (AuditAction.USER_DISABLED, "admin"),
        (AuditAction.PROGRAMME_ADDED, "-"),
    } <= found
    assert AuditAction.SIGN_IN_FAILED in {action for action, _ in found}
    assert acting("commander").verify().ok


def test_what_is_kept_in_memory_is_the_same_for_all_and_no_sign_in_empties_it(
    shared: Tracker, acting: Callable[[str], Tracker]
) -> None:
    first = acting("viewer").snapshot(TODAY)
    shared.sign_in("planner", PASSWORD, NOW)
    assert acting("commander").snapshot(TODAY) is first


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.sampled_from(["planner", "ward_officer", "commander", "commander2"]), max_size=6)
)
def test_whoever_tries_what_nothing_counts_without_two_people(
    shared: Tracker, names: list[str]
) -> None:
    hotspot = "00001-2025"
    for name in names:
        tracker = shared.acting_as(name)
        for attempt in (
            lambda tracker=tracker: tracker.record(designation(), today=TODAY),
            lambda tracker=tracker: [
                tracker.approve(event.event_id, today=TODAY, now=NOW) for event in tracker.pending()
            ],
        ):
            try:
                attempt()
            except HotspotsError:
                continue
    reader = shared.acting_as("viewer")
    if hotspot in reader.snapshot(TODAY).states:
        log = reader.hotspot(hotspot, TODAY).log
        people = {event.recorded_by for event in log}
        assert len(people) > 1
