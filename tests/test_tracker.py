"""The use cases: imports lose and double nothing, events keep the rules, one snapshot for all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.errors import (
    HotspotsError,
    IntakeError,
    MoveRefused,
    NotAllowed,
    NotFound,
    ProgrammeError,
    StoreError,
)
from hotspots.importing import Receipt
from hotspots.measures.targets import wilson
from hotspots.programme.acknowledgement import (
    acknowledged,
    acknowledgement_evidence,
    is_open,
)
from hotspots.programme.status import EventType as E
from hotspots.programme.status import Status
from hotspots.records.incident_files import read_batch
from hotspots.records.log import first_broken_row, head, read_events
from hotspots.records.store import Edition, Store, sha256_of
from hotspots.tracker import Entry, Tracker

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
TODAY = date(2026, 1, 5)
DAY = date(2026, 10, 31)


# -- helpers: files and events


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines), "utf-8")
        return path

    return write


def incidents(tracker: Tracker, path: Path, **options: Any) -> Receipt:
    return tracker.import_incidents(path, today=TODAY, now=NOW, **options)


def counts(tracker: Tracker, path: Path, **options: Any) -> Receipt:
    return tracker.import_counts(path, today=TODAY, now=NOW, **options)


def entry(hotspot: str, event: E, on: date, **content: Any) -> Entry:
    values = {"by": "An", "recorded_at": NOW} | content
    return Entry(hotspot=hotspot, event=event, on=on, **values)


def designate(tracker: Tracker, ward: str, on: date = date(2025, 10, 20), **content: Any) -> str:
    name = f"{ward}-2025"
    tracker.record(entry(name, E.DESIGNATED, on, ward=ward, plan_year=2025, **content), today=TODAY)
    return name


def total(tracker: Tracker) -> int:
    return int(tracker.panel(tracker.edition_on(TODAY))["count"].sum())


def picture(tracker: Tracker) -> tuple[object, ...]:
    """What a store holds, apart from files that nobody reads and the audit, which only grows."""
    store = tracker.store
    return read_events(store.database), store.batches(), store.editions(), total(tracker)


# -- importing incidents

POINTS = (
    "lon,lat,date,category",
    "106.05,10.05,2025-10-20,theft",
    "106.15,10.05,20/10/2025,Ma túy",
    "106.05,10.05,2025-10-20,theft",
    "106.05,10.15,2025-11,robbery",
)


def test_points_are_counted_in_their_wards(small_city: Tracker, csv: Any) -> None:
    receipt = incidents(small_city, csv("a.csv", *POINTS))
    assert (receipt.rows, receipt.accepted, receipt.new) == (4, 4, 4)
    panel = small_city.panel(small_city.edition_on(TODAY))
    found = panel[panel["count"] > 0].set_index(["ward", "month", "category"])["count"].to_dict()
    assert found == {
        ("00001", "2025-10", "theft"): 2,
        ("00002", "2025-10", "drugs"): 1,
        ("00003", "2025-11", "robbery"): 1,
    }


def test_the_same_file_twice_changes_nothing(small_city: Tracker, csv: Any) -> None:
    path = csv("a.csv", *POINTS)
    incidents(small_city, path)
    before = picture(small_city)
    receipt = incidents(small_city, path)
    assert (receipt.accepted, receipt.new, receipt.already_there) == (4, 0, 4)
    assert picture(small_city) == before
    said = [each.details for each in small_city.audit() if each.action == "imported"]
    assert [(each["new"], each["accepted"]) for each in said] == [(0, 4), (4, 4)]
    assert {each["sha256"] for each in said} == {sha256_of(path.read_bytes())}


def test_the_same_rows_in_another_file_change_nothing(small_city: Tracker, csv: Any) -> None:
    incidents(small_city, csv("a.csv", *POINTS))
    before = picture(small_city)
    turned = [";".join(line.split(",")[::-1]) for line in (POINTS[0], *POINTS[:0:-1])]
    receipt = incidents(small_city, csv("b.csv", *turned))
    assert (receipt.rows, receipt.accepted, receipt.new) == (4, 4, 0)
    assert picture(small_city) == before


def test_a_longer_file_adds_only_what_is_new(small_city: Tracker, csv: Any) -> None:
    incidents(small_city, csv("a.csv", *POINTS))
    longer = csv("b.csv", *POINTS, POINTS[1], "106.15,10.15,2025-12,theft")
    assert incidents(small_city, longer).new == 2
    assert total(small_city) == 6


def test_every_row_left_out_comes_back_with_its_number_and_reason(
    small_city: Tracker, csv: Any
) -> None:
    receipt = incidents(
        small_city,
        csv(
            "a.csv",
            "lon,lat,date,category",
            "106.05,10.05,2025-10-20,theft",
            "short",
            "100,10,2025-10-20,theft",
            "10.05,106.05,2025-10-20,theft",
            "106.05,10.05,31/02/2025,theft",
            "106.05,10.05,2026-02,theft",
            "106.05,10.05,2025-10,arson",
            "x,10.05,2025-10,theft",
        ),
    )
    assert (receipt.rows, receipt.accepted) == (8, 1)
    assert list(receipt.rejected[["row", "reason"]].itertuples(index=False, name=None)) == [
        (2, "wrong_number_of_cells"),
        (3, "outside"),
        (4, "swapped_suspected"),
        (5, "date_not_read"),
        (6, "date_in_future"),
        (7, "unknown_category"),
        (8, "not_a_coordinate"),
    ]


def test_a_hundred_thousand_points_are_all_accounted_for(
    small_city: Tracker, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = 100_000
    points = pd.DataFrame(
        {
            "lon": rng.uniform(105.99, 106.21, rows).round(5),
            "lat": rng.uniform(9.99, 10.21, rows).round(5),
            "date": rng.choice(["2025-10-20", "20/11/2025", "2025-12", "?", "2030-01-01"], rows),
            "category": rng.choice(["theft", "Ma túy", "Robbery and snatching", "other"], rows),
        }
    )
    path = tmp_path / "points.parquet"
    points.to_parquet(path, index=False)
    first = incidents(small_city, path)
    assert first.rows == rows
    assert first.accepted + len(first.rejected) == rows
    assert first.new == first.accepted == total(small_city) > 20_000
    assert not first.rejected["row"].duplicated().any()
    again = incidents(small_city, path)
    assert (again.accepted, again.new) == (first.accepted, 0)
    assert total(small_city) == first.accepted


CELLS = st.sampled_from(
    [
        "106.05",
        "10.05",
        "9",
        "",
        "x",
        "2025-10-20",
        "2025-11",
        "31/02/2025",
        "theft",
        "Ma túy",
        "=1+1",
    ]
)


@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=5), max_size=6))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_accepted_and_rejected_are_all_rows_of_any_file(
    small_city: Tracker, csv: Any, rows: list[list[str]]
) -> None:
    path = csv("any.csv", "lon,lat,date,category", *(",".join(cells) for cells in rows))
    given_rows = sum(any(cells) or len(cells) > 1 for cells in rows)
    if not given_rows:
        with pytest.raises(IntakeError, match="no rows"):
            incidents(small_city, path)
        return
    receipt = incidents(small_city, path)
    assert receipt.rows == receipt.accepted + len(receipt.rejected) == given_rows
    assert incidents(small_city, path).new == 0


def test_rows_that_name_their_ward_need_no_point(small_city: Tracker, csv: Any) -> None:
    path = csv("a.csv", "ward,date,category", "00002,2025-10-20,theft", "99999,2025-10,theft")
    receipt = incidents(small_city, path)
    assert receipt.accepted == 1
    assert receipt.rejected.to_dict("records") == [
        {"row": 2, "reason": "unknown_ward", "value": "99999 · 2025-07-01"}
    ]
    assert small_city.monthly("00002", TODAY)["count"].sum() == 1


def test_a_mapping_names_the_columns_and_categories(small_city: Tracker, csv: Any) -> None:
    mapping = '[columns]\nlon = "east"\nlat = "north"\n[categories]\n"Bikes" = "theft"'
    path = csv("a.csv", "east,north,date,category", "106.05,10.05,2025-10,Bikes")
    assert incidents(small_city, path, mapping=mapping).new == 1


def test_a_file_without_rows_is_refused_and_changes_nothing(small_city: Tracker, csv: Any) -> None:
    before = picture(small_city)
    for import_, header in ((incidents, POINTS[0]), (counts, "ward,month,category,count")):
        with pytest.raises(IntakeError) as refused:
            import_(small_city, csv("a.csv", header))
        assert refused.value.reason == "file_without_rows"
    assert picture(small_city) == before


def test_a_store_without_boundaries_says_what_to_do(
    tmp_path: Path, csv: Any, programme_text: str
) -> None:
    tracker = Tracker.open(tmp_path / "bare", create=True)
    with pytest.raises(NotFound) as missing:
        incidents(tracker, csv("a.csv", *POINTS))
    assert missing.value.reason == "no_programme"
    tracker.add_programme(programme_text, NOW)
    with pytest.raises(NotFound) as missing:
        incidents(tracker, csv("a.csv", *POINTS))
    assert missing.value.reason == "no_boundaries"
    tracker.store.close()


@pytest.mark.parametrize("import_", [incidents, counts])
def test_an_import_that_fails_at_its_end_changes_nothing_and_can_be_repeated(
    small_city: Tracker, csv: Any, monkeypatch: pytest.MonkeyPatch, import_: Any
) -> None:
    path = csv("a.csv", *POINTS)
    if import_ is counts:
        path = csv("a.csv", "ward,month,category,count", "00001,2025-10,theft,3")
    before = picture(small_city)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "add_batch", fail)
        with pytest.raises(OSError, match="No space"):
            import_(small_city, path)
    assert picture(small_city) == before
    receipt = import_(small_city, path)
    assert receipt.new == receipt.accepted > 0


# -- editions


@pytest.fixture
def two_editions(small_city: Tracker, boundary_file: Callable[..., Path]) -> Tracker:
    """From 15 November 2025 the four wards lie one ward further east, under other codes."""
    moved = boundary_file(0.1, ("10001", "10002", "10003", "10004"))
    small_city.add_boundaries(moved, date(2025, 11, 15), NOW)
    return small_city


def test_the_edition_of_the_day_decides_the_ward(two_editions: Tracker, csv: Any) -> None:
    """At 106.15 E lay ward 00002 until 14 November, and lies 10001 since."""
    lines = [f"106.15,10.05,{day},theft" for day in ("2025-11-14", "2025-11-15", "2025-11")]
    receipt = incidents(two_editions, csv("a.csv", POINTS[0], *lines))
    assert receipt.accepted == 3
    old, new = two_editions.editions()
    (batch,) = two_editions.store.batches()
    table = read_batch(two_editions.store, batch)
    assert list(zip(table["ward"], table["edition"], strict=True)) == [
        ("00002", old.edition),
        ("10001", new.edition),
        ("00002", old.edition),
    ]


def test_a_ward_code_must_be_of_the_edition_of_the_day(two_editions: Tracker, csv: Any) -> None:
    lines = [
        f"{ward},{day},theft" for ward in ("00002", "10002") for day in ("2025-11-14", "2025-11-15")
    ]
    receipt = incidents(two_editions, csv("a.csv", "ward,date,category", *lines))
    assert receipt.accepted == 2
    assert receipt.rejected["row"].tolist() == [2, 3]
    assert set(receipt.rejected["reason"]) == {"unknown_ward"}


def test_points_of_an_earlier_edition_are_placed_again_on_a_later_one(
    two_editions: Tracker, csv: Any
) -> None:
    lines = ["106.15,10.05,2025-10-20,theft", "106.05,10.05,2025-10-20,theft"]
    incidents(two_editions, csv("a.csv", POINTS[0], *lines))
    old, new = two_editions.editions()
    assert two_editions.panel(old)["count"].sum() == 2
    moved = two_editions.panel(new).query("count > 0")
    assert moved["ward"].tolist() == ["10001"]  # the other point lies west of the new wards


def test_incidents_before_the_first_edition_are_placed_on_it_and_counted_as_such(
    small_city: Tracker, csv: Any
) -> None:
    days = ("2025-06-30", "2025-06", "2025-07", "2025-07-01", "2024-01-01")
    lines = [f"106.05,10.05,{day},theft" for day in days]
    receipt = incidents(small_city, csv("a.csv", POINTS[0], *lines))
    assert (receipt.accepted, receipt.placed_on_earliest) == (5, 3)


def test_boundaries_that_are_refused_leave_those_in_force_untouched(
    small_city: Tracker, boundary_file: Callable[..., Path]
) -> None:
    (edition,) = small_city.editions()
    before = edition.wards_file.read_bytes(), edition.drawing_file.read_bytes()
    for path in (boundary_file(), boundary_file(1e-7), boundary_file(0.5)):
        with pytest.raises(StoreError) as refused:
            small_city.add_boundaries(path, date(2025, 7, 1), NOW)
        assert refused.value.reason == "edition_there"
        assert (edition.wards_file.read_bytes(), edition.drawing_file.read_bytes()) == before


# -- importing counts

COUNTS = (
    "ward,month,category,count",
    "00001,2025-10,theft,3",
    "00002,2025-10,theft,0",
    "00001,11/2025,Ma túy,5",
)


def test_counts_twice_change_nothing(small_city: Tracker, csv: Any) -> None:
    assert counts(small_city, csv("a.csv", *COUNTS)).new == 3
    before = picture(small_city)
    for name in ("a.csv", "b.csv"):
        receipt = counts(small_city, csv(name, *COUNTS))
        assert (receipt.accepted, receipt.new) == (3, 0)
    assert picture(small_city) == before
    assert total(small_city) == 8


def test_a_cell_recorded_with_another_number_is_rejected(small_city: Tracker, csv: Any) -> None:
    counts(small_city, csv("a.csv", *COUNTS))
    changed = csv("b.csv", COUNTS[0], "00001,2025-10,theft,4", "00002,2025-10,theft,0")
    receipt = counts(small_city, changed)
    assert (receipt.accepted, receipt.new) == (1, 0)
    assert receipt.rejected.to_dict("records") == [
        {"row": 1, "reason": "cell_recorded_differently", "value": "3 ≠ 4"}
    ]
    assert total(small_city) == 8


def test_counts_of_an_unknown_ward_are_rejected(small_city: Tracker, csv: Any) -> None:
    receipt = counts(small_city, csv("a.csv", COUNTS[0], "7,2025-10,theft,3"))
    assert receipt.rejected["reason"].tolist() == ["unknown_ward"]


def test_incidents_are_not_counted_where_monthly_counts_stand(
    small_city: Tracker, csv: Any
) -> None:
    counts(small_city, csv("c.csv", *COUNTS))
    receipt = incidents(small_city, csv("a.csv", *POINTS))
    assert receipt.rejected[["row", "reason"]].to_dict("records") == [
        {"row": 1, "reason": "month_has_counts"},
        {"row": 3, "reason": "month_has_counts"},
    ]
    assert total(small_city) == 8 + 2


def test_monthly_counts_are_not_added_to_single_incidents(small_city: Tracker, csv: Any) -> None:
    incidents(small_city, csv("a.csv", *POINTS))
    receipt = counts(small_city, csv("c.csv", *COUNTS))
    assert receipt.rejected[["row", "reason", "value"]].to_dict("records") == [
        {"row": 1, "reason": "month_has_incidents", "value": "2025-10 theft"},
        {"row": 2, "reason": "month_has_incidents", "value": "2025-10 theft"},
    ]
    assert total(small_city) == 4 + 5


# -- programme


def test_a_programme_that_drops_a_counted_category_is_refused(
    small_city: Tracker, csv: Any, programme_text: str
) -> None:
    counts(small_city, csv("c.csv", *COUNTS))
    without = programme_text.replace("[categories.theft]", "[categories.stealing]")
    with pytest.raises(ProgrammeError) as refused:
        small_city.add_programme(without, NOW)
    assert refused.value.facts["lost"] == ["theft"]
    assert "theft" in small_city.programme().categories
    assert total(small_city) == 8


# -- recording


def test_an_event_is_written_with_who_and_when(small_city: Tracker) -> None:
    name = designate(small_city, "00001", kinds=(1, 3), note="  Chợ\x00 cũ ", by=" ")
    (event,) = read_events(small_city.store.database)
    assert (event.hotspot, event.note, event.recorded_by) == (name, "Chợ cũ", "-")
    assert event.place is not None
    assert (event.place.ward, event.place.name) == ("00001", "Phường Một")
    assert event.place.kinds == {1, 3}
    assert small_city.snapshot(TODAY).states[name].status is Status.DESIGNATED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"ward": "99999", "plan_year": 2025}, "unknown_ward"),
        ({"plan_year": 2025}, "place_missing"),
        ({"ward": "00001"}, "plan_year_missing"),
        ({"ward": "00001", "plan_year": 1999}, "plan_year_unknown"),
        ({"ward": "00001", "plan_year": 2025, "kinds": (1, 9)}, "unknown_kind"),
        ({"ward": "00001", "plan_year": 2025, "on": date(2026, 1, 6)}, "event_in_future"),
        ({"ward": "00001", "plan_year": 2025, "event": E.RELEASED}, "move_not_allowed"),
        ({"ward": "00001", "plan_year": 2025, "event": E.CORRECTED}, "nothing_to_correct"),
        ({"ward": "00001", "plan_year": 2025, "hotspot": " "}, "hotspot_missing"),
    ],
)
def test_an_event_that_the_rules_forbid_is_refused_and_not_written(
    small_city: Tracker, content: dict[str, Any], reason: str
) -> None:
    values = {"hotspot": "h", "event": E.DESIGNATED, "on": date(2025, 10, 20)} | content
    with pytest.raises(HotspotsError) as refused:
        small_city.record(Entry(by="An", recorded_at=NOW, **values), today=TODAY)
    assert refused.value.reason == reason
    assert read_events(small_city.store.database) == []


def test_a_retry_with_the_same_id_is_safe(small_city: Tracker) -> None:
    one = entry(
        "h", E.DESIGNATED, date(2025, 10, 20), ward="00001", plan_year=2025, event_id="once"
    )
    first = small_city.record(one, today=TODAY, expected_version=0)
    assert small_city.record(one, today=TODAY, expected_version=0) == first
    assert small_city.version("h") == 1


def test_the_second_of_two_people_is_told_what_the_first_recorded(small_city: Tracker) -> None:
    name = designate(small_city, "00001")
    seen = small_city.version(name)
    on = date(2025, 11, 1)
    small_city.record(
        entry(name, E.WORK_STARTED, on, by="Bình"), today=TODAY, expected_version=seen
    )
    with pytest.raises(StoreError) as refused:
        small_city.record(entry(name, E.INSPECTED, on), today=TODAY, expected_version=seen)
    assert refused.value.facts["by"] == "Bình"
    assert refused.value.facts["event"] == "WorkStarted"


def test_names_in_two_encodings_are_one_hotspot(small_city: Tracker) -> None:
    on = date(2025, 10, 20)
    small_city.record(entry("Bến", E.DESIGNATED, on, ward="00001", plan_year=2025), today=TODAY)
    small_city.record(entry("Bê\u0301n", E.WORK_STARTED, on), today=TODAY)
    assert small_city.version("Bến") == 2


def test_the_events_offered_are_exactly_those_that_can_be_recorded(small_city: Tracker) -> None:
    name = designate(small_city, "00001")
    small_city.record(entry(name, E.WORK_STARTED, date(2025, 12, 1)), today=TODAY)
    for on in (date(2025, 10, 19), date(2025, 10, 20), date(2025, 11, 1), date(2025, 12, 1)):
        offered = set(small_city.allowed(name, on))
        for kind in E:
            trial = entry(name, kind, on, plan_year=2026, event_id=f"{kind} {on}")
            try:
                small_city._draft(trial, read_events(small_city.store.database, name), TODAY)
            except (MoveRefused, NotAllowed):
                assert kind not in offered
            else:
                assert kind in offered


def test_an_acknowledged_alarm_is_kept_with_what_it_is_about(small_city: Tracker) -> None:
    name, on = designate(small_city, "00001"), date(2025, 11, 1)
    evidence = acknowledgement_evidence({"inspection": "note"}, None)
    given = entry(name, E.ALARM_ACKNOWLEDGED, on, note="inspected next week")
    with pytest.raises(MoveRefused, match="must name the alarms"):
        small_city.record(given, today=TODAY)
    small_city.record(replace(given, evidence=evidence), today=TODAY)
    events = read_events(small_city.store.database, name)
    seen = acknowledged(events, on)["inspection"]
    assert (seen.level, seen.note, seen.by) == (
        "note",
        "inspected next week",
        events[-1].recorded_by,
    )
    assert not is_open("note", seen, TODAY)
    assert small_city.verify().ok


def test_many_events_are_written_in_one_go_or_not_at_all(
    small_city: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [
        entry(f"h{n}", E.DESIGNATED, date(2025, 10, 20), ward="00001", plan_year=2025)
        for n in range(3)
    ]
    import hotspots.records.log as log

    write = log._append_one

    def fail_at_the_third(tail: Any, draft: Any) -> Any:
        if draft.hotspot == "h2":
            raise RuntimeError("power cut")
        return write(tail, draft)

    with monkeypatch.context() as patch:
        patch.setattr(log, "_append_one", fail_at_the_third)
        with pytest.raises(RuntimeError, match="power cut"):
            small_city.record_all(entries, today=TODAY)
    assert read_events(small_city.store.database) == []
    written, refused = small_city.record_all(entries, today=TODAY)
    assert (len(written), refused) == (3, {})


def test_of_many_events_those_against_the_rules_come_back_by_position(small_city: Tracker) -> None:
    on = date(2025, 10, 20)
    written, refused = small_city.record_all(
        [
            entry("a", E.RELEASED, on, ward="00001"),
            entry("b", E.DESIGNATED, on, ward="00001", plan_year=2025),
            entry("b", E.WORK_STARTED, on),
            entry("c", E.DESIGNATED, on, ward="99999", plan_year=2025),
        ],
        today=TODAY,
    )
    assert [event.hotspot for event in written] == ["b", "b"]
    assert {position: error.reason for position, error in refused.items()} == {
        0: "move_not_allowed",
        3: "unknown_ward",
    }


def test_two_people_at_once_lose_nothing(small_city: Tracker) -> None:
    names = [designate(small_city, ward) for ward in ("00001", "00002")]
    problems: list[BaseException] = []

    def inspect(name: str) -> None:
        try:
            for _ in range(15):
                small_city.record(entry(name, E.INSPECTED, date(2025, 11, 1)), today=TODAY)
                small_city.snapshot(TODAY)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=inspect, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [small_city.version(name) for name in names] == [16, 16]
    assert first_broken_row(small_city.store.database) is None


# -- correcting


@pytest.fixture
def transformed(small_city: Tracker) -> tuple[Tracker, str]:
    """A hotspot designated on 20 October, worked on from 1 November, transformed 18 December."""
    name = designate(small_city, "00001")
    for kind, on in ((E.WORK_STARTED, (2025, 11, 1)), (E.ASSESSED_TRANSFORMED, (2025, 12, 18))):
        small_city.record(entry(name, kind, date(*on)), today=TODAY)
    return small_city, name


def correct(tracker: Tracker, name: str, event_id: str, **content: Any) -> Any:
    values = {"by": "Bình", "now": NOW, "today": TODAY, "reason": "misread"} | content
    return tracker.correct(name, event_id, **values)


def status_on(tracker: Tracker, name: str, *day: int) -> Status:
    return tracker.hotspot(name, date(*day)).state.status


def test_a_corrected_day_is_what_was_true(transformed: tuple[Tracker, str]) -> None:
    tracker, name = transformed
    event = read_events(tracker.store.database, name)[2]
    correct(tracker, name, event.event_id, on=date(2025, 12, 28))
    assert status_on(tracker, name, 2025, 12, 20) is Status.IN_PROGRESS
    assert status_on(tracker, name, 2025, 12, 28) is Status.TRANSFORMED


def test_a_second_correction_builds_on_the_first(transformed: tuple[Tracker, str]) -> None:
    tracker, name = transformed
    event = read_events(tracker.store.database, name)[2]
    first = correct(tracker, name, event.event_id, on=date(2025, 12, 28))
    for event_id in (event.event_id, first.event_id):
        correct(tracker, name, event_id, event=E.ASSESSED_NOT_TRANSFORMED)
        assert status_on(tracker, name, 2025, 12, 20) is Status.IN_PROGRESS
        assert status_on(tracker, name, 2025, 12, 28) is Status.NOT_TRANSFORMED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"reason": " "}, "correction_without_reason"),
        ({"on": date(2026, 1, 6)}, "event_in_future"),
        ({"on": date(2025, 10, 1)}, "move_not_allowed"),
        ({"plan_year": 1999}, "plan_year_unknown"),
        ({"event": E.RELEASED}, "move_not_allowed"),
        ({"expected_version": 2}, "changed_meanwhile"),
    ],
)
def test_a_correction_that_the_rules_forbid_is_refused(
    transformed: tuple[Tracker, str], content: dict[str, Any], reason: str
) -> None:
    tracker, name = transformed
    event = read_events(tracker.store.database, name)[2]
    with pytest.raises(HotspotsError) as refused:
        correct(tracker, name, event.event_id, **content)
    assert refused.value.reason == reason
    assert tracker.version(name) == 3


def test_an_event_of_another_hotspot_is_nothing_to_correct(
    transformed: tuple[Tracker, str],
) -> None:
    tracker, name = transformed
    designate(tracker, "00002")
    elsewhere = read_events(tracker.store.database)[-1]
    with pytest.raises(MoveRefused) as refused:
        correct(tracker, name, elsewhere.event_id)
    assert refused.value.reason == "nothing_to_correct"


def test_a_hotspot_struck_out_is_gone_and_can_begin_anew_in_another_ward(
    small_city: Tracker,
) -> None:
    name = designate(small_city, "00001")
    (event,) = read_events(small_city.store.database)
    correct(small_city, name, event.event_id, strike=True)
    assert name not in small_city.snapshot(TODAY).states
    small_city.record(
        entry(name, E.DESIGNATED, date(2025, 10, 20), ward="00002", plan_year=2025), today=TODAY
    )
    place = small_city.snapshot(TODAY).states[name].place
    assert place is not None
    assert place.ward == "00002"
    assert small_city.snapshot(TODAY).hotspots.loc[name, "ward"] == "00002"


# -- a file of events

EVENTS = (
    "hotspot,event,on,ward,plan_year,kinds,note,by",
    "a,AssessedTransformed,18/12/2025,,,,,",
    "a,WorkStarted,2025-11-01,,,,,",
    "a,Designated,2025-10-20,00001,2025,1+3,Danh sách,Bình",
    "b,Designated,2025-10-20,00002,2025,1,,",
)


def status_file(tracker: Tracker, path: Path) -> Receipt:
    return tracker.import_status(path, today=TODAY, now=NOW)


def test_the_rows_of_a_file_of_events_are_taken_in_the_order_of_their_days(
    small_city: Tracker, csv: Any
) -> None:
    receipt = status_file(small_city, csv("s.csv", *EVENTS))
    assert (receipt.rows, receipt.accepted, receipt.new) == (4, 4, 4)
    states = small_city.snapshot(TODAY).states
    assert states["a"].status is Status.TRANSFORMED
    place = states["a"].place
    assert place is not None
    assert place.kinds == {1, 3}
    first = read_events(small_city.store.database, "a")[0]
    assert (first.recorded_by, first.note) == ("Bình", "Danh sách")


def test_the_same_file_of_events_twice_changes_nothing(small_city: Tracker, csv: Any) -> None:
    status_file(small_city, csv("s.csv", *EVENTS))
    before = head(small_city.store.database)
    receipt = status_file(small_city, csv("t.csv", *EVENTS[:1], *EVENTS[:0:-1]))
    assert (receipt.accepted, receipt.new) == (4, 0)
    assert head(small_city.store.database) == before


def test_events_of_one_day_may_stand_in_any_order(small_city: Tracker, csv: Any) -> None:
    lines = (
        "a,Released,2025-10-20,,,,,",
        "a,AssessedTransformed,2025-10-20,,,,,",
        "a,WorkStarted,2025-10-20,,,,,",
        "a,Designated,2025-10-20,00001,2025,,,",
    )
    path = csv("s.csv", EVENTS[0], *lines)
    assert status_file(small_city, path).new == 4
    assert small_city.snapshot(TODAY).states["a"].status is Status.RELEASED
    assert status_file(small_city, path).new == 0


def test_every_bad_row_of_a_file_of_events_comes_back_with_its_reason(
    small_city: Tracker, csv: Any
) -> None:
    receipt = status_file(
        small_city,
        csv(
            "s.csv",
            *EVENTS,
            ",Designated,2025-10-20,00001,2025,,,",
            "c,Praised,2025-10-20,00001,2025,,,",
            "c,Corrected,2025-10-20,00001,2025,,,",
            "c,Designated,31/02/2025,00001,2025,,,",
            "c,Designated,2025-10-20,00001,soon,,,",
            f"c,Designated,2025-10-20,00001,{'9' * 5000},,,",
            "c,Designated,2025-10-20,00001,2025,1+x,,",
            "c,Designated,2026-10-20,00001,2026,,,",
            "c,Designated,2025-10-20,99999,2025,,,",
            "c,Designated,2025-10-20,,2025,,,",
            "a,Designated,2025-12-30,,2026,,,",
            "c,Designated",
        ),
    )
    assert (receipt.rows, receipt.accepted) == (16, 4)
    assert list(receipt.rejected[["row", "reason"]].itertuples(index=False, name=None)) == [
        (5, "hotspot_missing"),
        (6, "unknown_event"),
        (7, "unknown_event"),
        (8, "date_not_read"),
        (9, "cell_not_read"),
        (10, "cell_not_read"),
        (11, "cell_not_read"),
        (12, "event_in_future"),
        (13, "unknown_ward"),
        (14, "place_missing"),
        (15, "move_not_allowed"),
        (16, "wrong_number_of_cells"),
    ]
    assert set(receipt.problems) == set(range(5, 16))


def test_a_file_of_events_needs_its_columns(small_city: Tracker, csv: Any) -> None:
    with pytest.raises(IntakeError) as refused:
        status_file(small_city, csv("s.csv", "hotspot,event", "a,Designated"))
    assert refused.value.facts["missing"] == ["on"]


# -- the snapshot


def test_the_snapshot_counts_what_its_table_of_hotspots_shows(demonstration: Tracker) -> None:
    snapshot = demonstration.snapshot(DAY)
    table, states = snapshot.hotspots, snapshot.states
    assert list(table.index) == list(states)
    for name, state in states.items():
        row = table.loc[name]
        assert (row["status"], row["stage"]) == (str(state.status), state.stage(12))
        assert (row["watched_until"] is None) == (state.under_watch(12) is None)
    for year, result in snapshot.transformed.items():
        outcomes = [e.outcome for s in states.values() for e in s.enrolments if e.plan_year == year]
        assert result.numerator == outcomes.count("transformed")
        assert result.denominator == len(outcomes) - outcomes.count("withdrawn")
        decided = outcomes.count("transformed") + outcomes.count("not_transformed")
        assert result.interval == (wilson(result.numerator, decided) if decided else None)
    watches = [watch for state in states.values() for watch in state.watches]
    relapsed = sum(watch.relapsed_on is not None for watch in watches)
    assert snapshot.official.denominator == len(watches)
    assert snapshot.official.numerator == len(watches) - relapsed
    assert (table["status"] == "relapsed").sum() <= relapsed


def test_the_map_shows_a_ward_by_the_hotspot_that_most_needs_attention(
    demonstration: Tracker,
) -> None:
    snapshot = demonstration.snapshot(DAY)
    order = ["relapsed", "not_transformed", "in_work", "proposed", "under_watch", "stable"]
    for ward, group in snapshot.view.shown.groupby("ward"):
        stages = [*snapshot.hotspots.loc[group["hotspot"], "stage"], "not_listed"]
        assert snapshot.ward_stage[str(ward)] == min(stages, key=[*order, "not_listed"].index)


def test_everybody_under_watch_has_a_risk_and_nobody_else(demonstration: Tracker) -> None:
    table = demonstration.snapshot(DAY).hotspots
    watched = table["watched_until"].notna()
    assert watched.any()
    assert table.loc[watched, ["p3", "p6", "p12"]].notna().all(axis=None)
    assert table.loc[watched, "alarm"].ne("").all()
    assert table.loc[~watched, "p6"].isna().all()
    assert table["p6"].dropna().between(0, 1).all()


def test_the_trend_ends_with_the_headline(demonstration: Tracker) -> None:
    snapshot = demonstration.snapshot(date(2026, 8, 17))
    trend = snapshot.trend
    assert trend["day"].is_monotonic_increasing
    assert trend["day"].iloc[-1] == date(2026, 8, 17)
    assert trend["official"].iloc[-1] == snapshot.official.share
    assert all(day == date(2026, 8, 17) or day.month % 3 == 0 for day in trend["day"])


def test_what_comes_after_a_day_changes_nothing_of_its_snapshot(
    demonstration_copy: Tracker, tmp_path: Path
) -> None:
    tracker = demonstration_copy
    day = date(2026, 9, 30)
    before = [tracker.snapshot(each) for each in (day, DAY)]
    assert before[0].risk is not None
    later = date(2027, 2, 1)
    cells = pd.MultiIndex.from_product(
        [
            tracker.wards(tracker.edition_on(day))["code"],
            ["2026-11", "2026-12", "2027-01"],
            list(tracker.programme().categories),
        ],
        names=["ward", "month", "category"],
    )
    path = tmp_path / "later.parquet"
    pd.DataFrame({"count": 500}, index=cells).reset_index().to_parquet(path, index=False)
    receipt = tracker.import_counts(path, today=later, now=datetime(2027, 2, 1, tzinfo=UTC))
    assert receipt.new == len(cells)
    watched = before[1].hotspots.query("p6.notna()").index
    for name in watched:
        tracker.record(entry(name, E.RELAPSED, date(2026, 11, 20)), today=later)
    for old in before:
        _same_but_for_the_head(old, tracker.snapshot(old.as_of))
    assert tracker.snapshot(later).official.numerator < before[1].official.numerator


def _same_but_for_the_head(old: Any, new: Any) -> None:
    for each in fields(old):
        left, right = getattr(old, each.name), getattr(new, each.name)
        if each.name == "head":
            continue
        if each.name in ("hotspots", "trend"):
            pd.testing.assert_frame_equal(left, right, check_exact=True)
        elif each.name == "view":
            pd.testing.assert_frame_equal(left.shown, right.shown, check_exact=True)
            assert _files(left.edition) == _files(right.edition)
            assert left.ward_stage == right.ward_stage
        elif each.name == "risk":
            pd.testing.assert_frame_equal(left.table, right.table, check_exact=True)
            assert left.reasons == right.reasons
        elif each.name == "calibrated":
            assert set(left) == set(right)
            for edition, risk in left.items():
                pd.testing.assert_frame_equal(risk.table, right[edition].table, check_exact=True)
                pd.testing.assert_frame_equal(risk.labels, right[edition].labels)
                assert (risk.rungs, risk.needs) == (right[edition].rungs, right[edition].needs)
        elif each.name == "edition":
            assert _files(left) == _files(right)
        else:
            assert left == right, each.name


def _files(edition: Edition) -> tuple[str, ...]:
    """What was worked out already may name the folder that the store was copied from."""
    return edition.edition, edition.wards_file.name, edition.drawing_file.name


def test_the_risk_of_a_past_day_comes_from_the_counts_up_to_it(
    demonstration: Tracker, demonstration_copy: Tracker
) -> None:
    """Two stores, one with and one without the months after the day."""
    day = date(2026, 3, 31)
    (batch,) = demonstration_copy.store.batches("counts")
    file = demonstration_copy.store.root / "incidents" / batch.file
    table = pd.read_parquet(file)
    table[table["month"] <= "2026-03"].to_parquet(file, index=False)
    here, there = (tracker.snapshot(day).risk for tracker in (demonstration, demonstration_copy))
    assert here is not None
    assert there is not None
    pd.testing.assert_frame_equal(here.table, there.table, check_exact=True)


def test_the_index_of_a_day_ends_with_the_last_month_that_was_over(demonstration: Tracker) -> None:
    for day, last in ((date(2026, 9, 15), "2026-08"), (date(2026, 9, 30), "2026-09")):
        assert str(demonstration.index(day).index[-1]) == last
        ward = demonstration.wards(demonstration.edition_on(day))["code"].iloc[0]
        assert demonstration.monthly(ward, day)["month"].max() == last


def test_a_past_day_can_be_asked_as_it_was_known(demonstration_copy: Tracker) -> None:
    tracker = demonstration_copy
    day = date(2026, 3, 31)
    then = tracker.snapshot(day, known_on=day)
    name = next(n for n, state in then.states.items() if state.status is Status.RELEASED)
    assessed = next(
        e for e in read_events(tracker.store.database, name) if e.type is E.ASSESSED_TRANSFORMED
    )
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    released = next(e for e in read_events(tracker.store.database, name) if e.type is E.RELEASED)
    for event in read_events(tracker.store.database, name)[::-1]:
        if event.effective_on > assessed.effective_on:
            tracker.correct(
                name, event.event_id, by="An", now=moment, today=date(2026, 11, 1),
                reason="struck", strike=True,
            )  # fmt: skip
    tracker.correct(
        name, assessed.event_id, by="An", now=moment, today=date(2026, 11, 1),
        reason="failed", event=E.ASSESSED_NOT_TRANSFORMED,
    )  # fmt: skip
    assert released.effective_on <= day
    assert tracker.snapshot(day).states[name].status is Status.NOT_TRANSFORMED
    again = tracker.snapshot(day, known_on=day)
    assert again.states == then.states
    assert again.official == then.official
    assert again.transformed == then.transformed


def test_an_answer_is_kept_until_something_is_written(small_city: Tracker) -> None:
    first = small_city.snapshot(TODAY)
    assert small_city.snapshot(TODAY) is first
    designate(small_city, "00001")
    assert len(small_city.snapshot(TODAY).hotspots) == 1


def test_a_store_without_counts_says_why_there_is_no_risk(
    transformed: tuple[Tracker, str],
) -> None:
    snapshot = transformed[0].snapshot(TODAY)
    assert snapshot.risk is None
    assert snapshot.risk_problem is not None
    assert snapshot.risk_problem.reason == "no_counts"
    assert snapshot.hotspots["p6"].isna().all()


def test_an_empty_store_has_an_empty_snapshot(small_city: Tracker) -> None:
    snapshot = small_city.snapshot(TODAY)
    assert len(snapshot.hotspots) == 0
    assert (snapshot.plan_year, snapshot.risk, snapshot.risk_problem) == (None, None, None)
    assert snapshot.official.why == "nothing_transformed"


# -- choosing


def test_a_proposal_keeps_the_numbers_it_was_made_on(demonstration_copy: Tracker) -> None:
    tracker = demonstration_copy
    table = tracker.selection(2027, DAY)
    listed = set(tracker.snapshot(DAY).view.shown["ward"])
    wards = [ward for ward in table.index if ward not in listed][:2]
    written, refused = tracker.propose(wards, 2027, DAY, by="An", today=DAY, now=NOW)
    assert refused == {}
    assert [event.hotspot for event in written] == [f"{ward}-2027" for ward in wards]
    for event, ward in zip(written, wards, strict=True):
        assert event.evidence["rank"] == table.loc[ward, "rank"]
        assert event.evidence["as_of"] == DAY.isoformat()
        read_back = tracker.hotspot(event.hotspot, DAY).log[0]
        assert read_back.evidence == event.evidence


def test_a_ward_whose_hotspot_is_in_work_is_not_proposed(demonstration_copy: Tracker) -> None:
    tracker = demonstration_copy
    states = tracker.snapshot(DAY).states
    place = next(s.place for s in states.values() if s.status is Status.IN_PROGRESS)
    assert place is not None
    written, refused = tracker.propose([place.ward], 2027, DAY, by="An", today=DAY, now=NOW)
    assert written == []
    assert refused[place.ward].reason == "ward_has_hotspot"


def test_the_list_before_is_marked_in_the_ranking(demonstration: Tracker) -> None:
    table = demonstration.selection(2026, DAY)
    marked = set(table.index[table["in_last_year"]])
    assert marked == demonstration.list_of(2025, DAY)
    assert len(marked) == 12
    chosen = list(table.index[:12])
    comparison = demonstration.compare(chosen, 2026, DAY)
    assert {*comparison.kept, *comparison.dropped} == marked
    assert {*comparison.kept, *comparison.new} == set(chosen)


def test_a_hotspot_that_is_not_there_is_said_so(small_city: Tracker) -> None:
    with pytest.raises(NotFound) as missing:
        small_city.hotspot("nowhere", TODAY)
    assert missing.value.reason == "unknown_hotspot"


def test_points_placed_on_a_sketch_are_placed_again_on_the_real_boundaries(
    tmp_path: Path, programme_text: str, boundary_file: Callable[..., Path]
) -> None:
    """
    sketch: everything is ward 00001        real: 00003 00004
                                                  00001 00002   <- the point
    """
    import geopandas as gpd
    from shapely import box

    tracker = Tracker.open(tmp_path / "store", create=True)
    tracker.add_programme(programme_text, NOW)
    real = gpd.read_file(boundary_file())
    day = date(2025, 7, 1)
    sketch = gpd.GeoDataFrame(
        {"code": real["code"], "name": real["name"], "kind": "phuong", "area_km2": 1.0},
        geometry=[box(106, 10, 106.2, 10.15), *(box(106 + n, 12, 106.5 + n, 13) for n in range(3))],
        crs="EPSG:4326",
    ).assign(edition="2025-07-01")
    tracker.add_schematic_boundaries(sketch, day, NOW)
    points = tmp_path / "points.csv"
    points.write_text("lon,lat,date,category\n106.15,10.05,2025-08-01,theft\n", encoding="utf-8")
    tracker.import_incidents(points, today=date(2026, 1, 1), now=NOW)
    before = tracker.panel(tracker.editions()[0]).query("count > 0")
    assert list(before["ward"]) == ["00001"]
    tracker.add_boundaries(boundary_file(), day, NOW)
    after = tracker.panel(tracker.editions()[0]).query("count > 0")
    assert list(after["ward"]) == ["00002"]
    assert int(after["count"].sum()) == 1
