"""The demonstration city: the same from the same seed, every status in it, the real list real."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hotspots import demonstration as city
from hotspots.errors import StoreError
from hotspots.programme.months import Month
from hotspots.programme.plan import Programme
from hotspots.programme.status import Event, EventType, Place, Status, check_move, state_of
from hotspots.records import incident_files
from hotspots.records.log import first_broken_row, head, read_events
from hotspots.tracker import Tracker

DAY = date(2026, 10, 31)

# The decision of 20 October 2025 (vietnamnet.vn 2454652): ward and kinds.
REAL_LIST = {
    "Hiệp Bình": (1,),
    "Bến Thành": (1,),
    "Tân Hưng": (1,),
    "An Lạc": (1,),
    "Thạnh Mỹ Tây": (1,),
    "An Hội Đông": (1,),
    "An Đông": (2,),
    "Vườn Lài": (2,),
    "Khánh Hội": (4,),
    "Đông Thạnh": (4,),
    "Tăng Nhơn Phú": (1, 3),
    "Bà Điểm": (1, 3, 4),
}


def counts_of(tracker: Tracker) -> pd.DataFrame:
    (batch,) = tracker.store.batches("counts")
    return incident_files.read_batch(tracker.store, batch)


def built(folder: Path, as_of: date, seed: int, years: int = 1) -> Tracker:
    tracker = Tracker.open(folder, create=True)
    city.build(tracker, as_of=as_of, years=years, seed=seed)
    return tracker


# -- what is in it


def test_every_status_occurs(demonstration: Tracker) -> None:
    found = set(demonstration.snapshot(DAY).hotspots["status"])
    assert found == {str(each) for each in Status} - {"not_listed"}


def test_the_twelve_real_hotspots_are_designated_on_their_day_with_their_kinds(
    demonstration: Tracker,
) -> None:
    designated = {
        event.hotspot: (event.plan_year, event.place)
        for event in read_events(demonstration.store.database)
        if event.type is EventType.DESIGNATED and event.effective_on == date(2025, 10, 20)
    }
    assert {year for year, _ in designated.values()} == {2025}
    found = {}
    for _, place in designated.values():
        assert place is not None
        name = place.name.removeprefix("Phường ").removeprefix("Xã ")
        found[name] = tuple(sorted(place.kinds))
    assert found == REAL_LIST


def test_the_plan_of_2025_is_the_real_list(demonstration: Tracker) -> None:
    result = demonstration.snapshot(DAY).transformed[2025]
    assert result.denominator == 12
    assert result.count("carried_over") == 0


def test_there_are_168_wards_and_con_dao_is_one(demonstration: Tracker) -> None:
    edition = demonstration.edition_on(DAY)
    wards = demonstration.wards(edition)
    assert (len(wards), edition.schematic) == (168, True)
    assert wards["code"].is_unique
    assert wards["code"].str.fullmatch(r"\d{5}").all()
    # Ho Chi Minh City since 1 July 2025: 113 phường, 54 xã, 1 đặc khu (DOMAIN, section 7).
    assert wards["kind"].value_counts().to_dict() == {"phuong": 113, "xa": 54, "dac_khu": 1}


def test_the_panel_is_complete_for_four_years(demonstration: Tracker, programme: Programme) -> None:
    panel = demonstration.panel(demonstration.edition_on(DAY))
    months = sorted(panel["month"].unique())
    assert (months[0], months[-1], len(months)) == ("2022-11", "2026-10", 48)
    assert len(panel) == 168 * 48 * len(programme.categories)
    assert len(counts_of(demonstration)) == len(panel)


def test_the_log_is_a_valid_chain(demonstration: Tracker) -> None:
    assert first_broken_row(demonstration.store.database) is None
    assert head(demonstration.store.database).count > 200


def test_nothing_was_written_before_it_happened(demonstration: Tracker) -> None:
    for event in read_events(demonstration.store.database):
        assert event.recorded_at.date() >= event.effective_on
        assert event.recorded_by == city.AUTHOR


def test_the_store_says_that_its_data_are_simulated(demonstration: Tracker) -> None:
    assert demonstration.is_demonstration()
    assert demonstration.snapshot(DAY).simulated
    assert all(batch.simulated for batch in demonstration.store.batches())
    assert demonstration.default_day(date(2030, 1, 1)) == DAY


def test_counts_scatter_more_than_chance_alone(demonstration: Tracker) -> None:
    cells = counts_of(demonstration).groupby(["ward", "category"])["count"]
    assert (cells.var() > cells.mean()).mean() > 0.7


# Tết of 2024 to 2026: 10 February, 29 January, 17 February.
@pytest.mark.parametrize(
    ("tet", "same_month_without"),
    [((2024, 2), (2025, 2)), ((2025, 1), (2024, 1)), ((2026, 2), (2025, 2))],
)
def test_the_month_of_tet_lies_a_tenth_higher(
    tet: tuple[int, int], same_month_without: tuple[int, int]
) -> None:
    lifted = city._season(Month(*tet)) / city._season(Month(*same_month_without))
    assert lifted == pytest.approx(1.1)


# -- the same again


def test_the_same_seed_gives_the_same_city(tmp_path: Path) -> None:
    one = built(tmp_path / "one", date(2026, 2, 10), seed=7)
    other = built(tmp_path / "other", date(2026, 2, 10), seed=7)
    assert head(one.store.database) == head(other.store.database)
    pd.testing.assert_frame_equal(counts_of(one), counts_of(other))
    for tracker in (one, other):
        tracker.store.close()


def test_another_seed_gives_another_city_with_the_same_real_list(
    tmp_path: Path, demonstration: Tracker
) -> None:
    other = built(tmp_path / "other", DAY, seed=8, years=4)
    assert head(other.store.database).hash != head(demonstration.store.database).hash
    assert not counts_of(other)["count"].equals(counts_of(demonstration)["count"])
    assert other.snapshot(DAY).transformed[2025].denominator == 12
    other.store.close()


def test_a_city_of_another_day_ends_on_that_day(tmp_path: Path) -> None:
    day = date(2027, 6, 15)
    tracker = built(tmp_path / "store", day, seed=7)
    snapshot = tracker.snapshot(day)
    assert max(e.effective_on for e in read_events(tracker.store.database)) <= day
    assert counts_of(tracker)["month"].max() == "2027-05"
    assert snapshot.plan_year == 2027
    assert snapshot.transformed[2025].denominator == 12
    tracker.store.close()


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 1, 1),
        date(2026, 1, 5),
        date(2026, 2, 10),
        date(2027, 6, 15),
        date(2028, 2, 29),
        date(2029, 12, 31),
    ],
)
def test_the_histories_of_any_seed_keep_the_rules(day: date, programme: Programme) -> None:
    seats = city.ward_facts()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        steps, _ = city._histories(seats, city._sizes(seats, rng), day, rng)
        streams: dict[str, list[Event]] = {}
        for number, step in enumerate(sorted(steps, key=lambda step: (step.on, step.hotspot))):
            stream = streams.setdefault(step.hotspot, [])
            place = None if stream else Place(step.ward, "2025-07-01", step.ward)
            moment = datetime(2026, 1, 1, tzinfo=UTC)
            new = Event(
                str(number), step.hotspot, step.event, step.on, moment, "a",
                seq=number + 1, plan_year=step.plan_year, place=place,
            )  # fmt: skip
            check_move(stream, new)
            stream.append(new)
            assert step.on <= day
            assert step.plan_year is None or step.plan_year in programme.years
        states = [state_of(name, stream, day) for name, stream in streams.items()]
        on_the_real_list = [s for s in states for e in s.enrolments if e.plan_year == 2025]
        assert len(on_the_real_list) == 12


# -- what it refuses


@pytest.mark.parametrize(
    ("day", "years"),
    [(date(2025, 12, 31), 4), (date(2030, 1, 1), 4), (DAY, 0), (DAY, 11)],
)
def test_a_city_that_cannot_be_simulated_is_refused_and_leaves_the_store_empty(
    tmp_path: Path, day: date, years: int
) -> None:
    tracker = Tracker.open(tmp_path / "store", create=True)
    with pytest.raises(StoreError) as refused:
        city.build(tracker, as_of=day, years=years)
    assert refused.value.reason == "demonstration_range"
    assert tracker.editions() == []
    assert not tracker.is_demonstration()
    tracker.store.close()


def test_a_store_with_something_in_it_is_left_alone(demonstration_copy: Tracker) -> None:
    before = head(demonstration_copy.store.database)
    with pytest.raises(StoreError) as refused:
        city.build(demonstration_copy, as_of=DAY)
    assert refused.value.reason == "store_not_empty"
    assert head(demonstration_copy.store.database) == before
