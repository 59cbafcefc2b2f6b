"""The demonstration city: the same from the same seed, every status in it, the real list real."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

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


def counts_by_source(tracker: Tracker) -> pd.DataFrame:
    (batch,) = tracker.store.batches("counts")
    return incident_files.read_batch(tracker.store, batch)


def counts_of(tracker: Tracker) -> pd.DataFrame:
    cell = ["edition", "ward", "month", "category"]
    return counts_by_source(tracker).groupby(cell, as_index=False)["count"].sum()


def built(folder: Path, as_of: date, seed: int, years: int = 1) -> Tracker:
    tracker = Tracker.open(folder, create=True)
    city.build(tracker, as_of=as_of, years=years, seed=seed, accounts=False)
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


def test_the_police_found_most_drugs_and_hardly_any_theft_themselves(
    demonstration: Tracker,
) -> None:
    rows = counts_by_source(demonstration)
    found = rows[rows["source"].eq("police")].groupby("category")["count"].sum()
    share = found / rows.groupby("category")["count"].sum()
    assert set(rows["source"]) == {"citizen", "police"}
    assert 0.5 < share["drugs"] < 0.8
    assert share["theft"] < 0.05


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


# -- the change of the wards on 1 July 2025


def test_there_are_442_old_wards_on_a_sketch_of_their_own(demonstration: Tracker) -> None:
    edition = demonstration.edition_on(date(2025, 6, 30))
    wards = demonstration.wards(edition)
    assert (edition.edition, edition.schematic, len(wards)) == ("2025-01-01", True, 442)
    assert shapely.coverage_is_valid(wards.geometry.to_numpy())
    # Of these 273 in Ho Chi Minh City as it was (DOMAIN, section 7), whose codes begin at 26734.
    assert wards["code"].ge("26734").sum() == 273
    # Côn Đảo was a district without wards, and is none of the three kinds.
    kinds = {"phuong": 285, "xa": 139, "thi_tran": 17, "": 1}
    assert wards["kind"].value_counts().to_dict() == kinds


def test_no_coordinates_of_the_old_wards_are_shipped() -> None:
    assert list(city.old_ward_facts()) == ["code", "name", "kind", "district"]


def test_the_old_wards_seats_are_distinct_and_share_the_city_s_area() -> None:
    wards = city.ward_facts()
    seats = city._old_seats(wards)
    assert seats["code"].tolist() == city.old_ward_facts()["code"].tolist()
    assert city._to_other_seats_km(seats).min() > 0.15
    assert seats["area_km2"].gt(0).all()
    assert seats["area_km2"].sum() == pytest.approx(wards["area_km2"].sum())
    pd.testing.assert_frame_equal(seats, city._old_seats(wards))


def test_a_sole_old_ward_stands_at_the_seat_of_its_new_one() -> None:
    wards = city.ward_facts().set_index("code")
    seats = city._old_seats(city.ward_facts()).set_index("code")
    columns = ["lon", "lat", "area_km2"]
    assert seats.loc["26732", columns].tolist() == wards.loc["26732", columns].tolist()  # Côn Đảo


def test_a_divided_ward_stands_between_its_new_wards() -> None:
    wards = city.ward_facts().set_index("code")
    seats = city._old_seats(city.ward_facts()).set_index("code")
    # Linh Đông went to Hiệp Bình and Thủ Đức, whose seats lie 3.8 km apart.
    hiep_binh, thu_duc = wards.loc["26809"], wards.loc["26824"]
    for column in ("lon", "lat"):
        middle = (hiep_binh[column] + thu_duc[column]) / 2
        assert seats.loc["26821", column] == pytest.approx(middle, abs=0.01)


def test_the_old_sketch_is_a_finer_division_of_the_new(demonstration: Tracker) -> None:
    old, new = (
        demonstration.wards(demonstration.edition_on(day)).set_index("code").to_crs(32648).geometry
        for day in (date(2025, 6, 30), DAY)
    )
    pairs = city.official_pairs()
    whole = pairs[~pairs["old_code"].duplicated(keep=False)]
    inside = old.loc[whole["old_code"]].intersection(new.loc[whole["new_code"]], align=False)
    share = inside.area / old.loc[whole["old_code"]].area
    assert share.mean() > 0.85
    assert share.min() > 0.4


def test_the_files_of_wards_and_of_pairs_name_the_same_wards() -> None:
    pairs = city.official_pairs()
    for side, wards in (("old", city.old_ward_facts()), ("new", city.ward_facts())):
        named = pairs[[f"{side}_code", f"{side}_name"]].drop_duplicates()
        named = named.sort_values(f"{side}_code")
        assert named.to_numpy().tolist() == wards[["code", "name"]].to_numpy().tolist()


def test_the_crosswalk_has_divided_wards_with_a_simulated_weight_and_a_dozen_without(
    demonstration: Tracker,
) -> None:
    (crosswalk,) = demonstration.boundaries.crosswalks()
    pairs, lost = crosswalk.pairs, crosswalk.cannot_be_carried()
    assert (len(pairs), pairs["old_code"].nunique(), len(crosswalk.divided())) == (493, 442, 47)
    assert (len(lost), {code[:2] for code in lost}) == (12, {"25"})
    assert pairs["basis"].value_counts().to_dict() == {"whole": 395, "simulated": 74, "": 24}
    assert pairs["weight"].isna().equals(pairs["basis"].eq(""))
    simulated = pairs[pairs["basis"].eq("simulated")]
    halves = simulated[simulated.groupby("old_code")["weight"].transform("size").eq(2)]
    assert halves["weight"].between(0.349, 0.651).all()


def test_every_month_is_counted_on_all_wards_of_its_time(demonstration: Tracker) -> None:
    rows = counts_of(demonstration)
    for edition, day in (("2025-01-01", date(2025, 6, 30)), ("2025-07-01", date(2025, 7, 1))):
        here = rows[rows["edition"].eq(edition)]
        wards = demonstration.wards(demonstration.edition_on(day))
        cells = here.groupby(["month", "category"])["ward"]
        assert set(here["ward"]) == set(wards["code"])
        assert cells.nunique().eq(len(wards)).all()
        assert cells.size().eq(len(wards)).all()
        assert here["month"].lt("2025-07").eq(edition == "2025-01-01").all()


@pytest.mark.parametrize("seed", range(8))
def test_the_city_s_level_does_not_jump_when_the_wards_change(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pieces = city._pieces(city.ward_facts(), rng)
    _, courses = city._histories(pieces, DAY, rng)
    rows = city._counts(pieces, courses, DAY, 2, rng)
    counted = rows.groupby("month")["count"].sum()
    assert rows.groupby("edition")["month"].agg(["min", "max"]).to_numpy().tolist() == [
        ["2024-11", "2025-06"],
        ["2025-07", "2026-10"],
    ]
    months = [Month(2025, 6), Month(2025, 7)]
    june, july = city._levels(pieces, courses, months).sum(axis=0)
    season = city._season(months[1]) / city._season(months[0])
    assert july / june == pytest.approx(season, abs=0.02)  # hotspots rise and fall a little
    # A cell's variance is at most 1.35 + 0.04 x 40 times its mean, most are under 1.6.
    for month, expected in (("2025-06", june), ("2025-07", july)):
        assert counted[month] == pytest.approx(expected, abs=4 * np.sqrt(1.6 * expected))


def test_a_new_ward_rises_with_an_old_hotspot_by_its_share() -> None:
    pieces = city._pieces(city.ward_facts(), np.random.default_rng(7))
    # Linh Đông went to Hiệp Bình in part (DOMAIN, section 7), the rest of it to Thủ Đức.
    old = city._Ward("26821", city.OLD_EDITION)
    course = city._Course(old, date(2025, 6, 20), peak=2.0, after=1.0, relapsed_on=None)
    month = [Month(2025, 8)]
    quiet = city._levels(pieces, [], month)[:, 0]
    risen = city._levels(pieces, [course], month)[:, 0]
    own = pieces["old_code"].eq(old.code).to_numpy()
    assert own.sum() == 2
    assert risen[own] == pytest.approx(2 * quiet[own])
    assert risen[~own] == pytest.approx(quiet[~own])
    share = quiet[own] / quiet[own].sum()
    assert share == pytest.approx(pieces.loc[own, "weight"].to_numpy(float))


def test_hotspots_up_to_2024_stand_on_old_wards_and_later_ones_on_new(
    demonstration: Tracker,
) -> None:
    places = [
        (event.place, event.plan_year, event.hotspot)
        for event in read_events(demonstration.store.database)
        if event.place is not None
    ]
    names = [hotspot for _, _, hotspot in places]
    assert len(names) == len(set(names))
    for place, year, hotspot in places:
        assert year is not None
        assert hotspot == f"{place.ward}-{year}"
        assert place.edition == ("2025-01-01" if year <= 2024 else "2025-07-01")
    (crosswalk,) = demonstration.boundaries.crosswalks()
    old = {place.ward for place, year, _ in places if year is not None and year <= 2024}
    assert old & set(crosswalk.divided())
    assert not old & set(crosswalk.cannot_be_carried())
    assert len(old - set(crosswalk.divided())) > 10


def test_the_code_of_ben_nghe_is_another_ward_today(demonstration: Tracker) -> None:
    names = [
        demonstration.lineage(city.BEN_NGHE, edition).name
        for edition in ("2025-01-01", "2025-07-01")
    ]
    assert names == ["Bến Nghé", "Sài Gòn"]
    counts = counts_of(demonstration)
    assert counts.loc[counts["ward"].eq(city.BEN_NGHE), "edition"].nunique() == 2
    place = demonstration.snapshot(DAY).states["26740-2024"].place
    assert place is not None
    assert (place.edition, place.name) == ("2025-01-01", "Bến Nghé")


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
    wards = city.ward_facts()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        steps, _ = city._histories(city._pieces(wards, rng), day, rng)
        streams: dict[str, list[Event]] = {}
        for number, step in enumerate(sorted(steps, key=lambda step: (step.on, step.hotspot))):
            stream = streams.setdefault(step.hotspot, [])
            place = None if stream else Place(step.ward.code, str(step.ward.edition), "x")
            moment = datetime(2026, 1, 1, tzinfo=UTC)
            new = Event(
                str(number), step.hotspot, step.event, step.on, moment, "a",
                seq=number + 1, plan_year=step.plan_year, place=place,
            )  # fmt: skip
            check_move(stream, new)
            stream.append(new)
            assert step.on <= day
            assert step.plan_year is None or step.plan_year in programme.years
            assert step.ward.edition == (
                city.OLD_EDITION if step.hotspot[-4:] <= "2024" else city.EDITION
            )
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
        city.build(tracker, as_of=day, years=years, accounts=False)
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
