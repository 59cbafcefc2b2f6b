"""What counts of several imports on the wards of an edition: parts, old files, replaced rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hotspots import carried
from hotspots.records import incident_files
from hotspots.records.incident_files import Scope
from hotspots.records.store import Batch
from hotspots.tracker import Tracker

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


def points(tracker: Tracker, *places: tuple[float, str, str], key: int = 0) -> pd.DataFrame:
    """Points at 10.05 N, each with its longitude, ward and month, placed on the first edition."""
    (edition, *_) = tracker.editions()
    return pd.DataFrame(
        {
            "lon": [lon for lon, _, _ in places],
            "lat": 10.05,
            "ward": [ward for _, ward, _ in places],
            "month": [month for _, _, month in places],
            "category": "theft",
            "edition": edition.edition,
            "boundaries": edition.wards_file.name,
            "key": np.arange(key, key + len(places), dtype=np.uint64),
        }
    )


def bring(
    tracker: Tracker, *tables: pd.DataFrame, kind: str = "incidents", scope: Scope | None = None
) -> Batch:
    with incident_files.batch_writer(tracker.store, kind) as writer:
        for table in tables:
            writer.add(table)
        staged = writer.finish()
    replaces = "" if scope is None else scope.text()
    batch = Batch(0, "", "", "a.csv", NOW.isoformat(), 1, 1, 0, 0, "", False, "", replaces)
    return tracker.store.add_batch(batch, seen=len(tracker.store.batches()), staged=staged)


def in_one_file(tracker: Tracker, table: pd.DataFrame) -> Batch:
    name = incident_files.write_batch(tracker.store, table, kind="incidents", sha256="0" * 64)
    batch = Batch(0, "incidents", "0" * 64, "a", NOW.isoformat(), 1, 1, 0, 0, name, False)
    return tracker.store.add_batch(batch)


def counts(*cells: tuple[str, str, int], sources: Sequence[str] = ("",)) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ward": [ward for ward, _, _ in cells],
            "month": [month for _, month, _ in cells],
            "category": "theft",
            "count": [count for _, _, count in cells],
            "edition": "2025-07-01",
            "source": list(sources) * (len(cells) // len(sources)),
        }
    )


def panel(tracker: Tracker, number: int = 0) -> dict[tuple[str, str], float]:
    table = tracker.panel(tracker.editions()[number])
    filled = table[table["count"] > 0]
    return filled.set_index(["ward", "month"])["count"].to_dict()


FIRST, SECOND = (106.05, "00001", "2025-10"), (106.15, "00002", "2026-01")


@pytest.mark.parametrize("way", [bring, in_one_file])
def test_points_count_in_the_ward_in_which_they_were_placed(
    small_city: Tracker, way: Callable[..., Batch]
) -> None:
    way(small_city, points(small_city, FIRST, FIRST, SECOND))
    assert panel(small_city) == {("00001", "2025-10"): 2, ("00002", "2026-01"): 1}


@pytest.mark.parametrize("way", [bring, in_one_file])
def test_points_are_placed_anew_on_other_boundaries_and_not_on_their_own(
    small_city: Tracker,
    boundary_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    way: Callable[..., Batch],
) -> None:
    """From 15 November the wards lie one ward further east; the first point lies west of them."""
    way(small_city, points(small_city, FIRST, SECOND))
    moved = boundary_file(0.1, ("10001", "10002", "10003", "10004"))
    small_city.add_boundaries(moved, date(2025, 11, 15), NOW)
    assert panel(small_city, 1) == {("10001", "2026-01"): 1}
    behind = small_city.carried(small_city.editions()[1]).not_carried
    assert behind[["month", "count", "reason"]].to_numpy().tolist() == [["2025-10", 1, "outside"]]
    monkeypatch.setattr(carried, "assign_wards", None)
    assert panel(small_city) == {("00001", "2025-10"): 1, ("00002", "2026-01"): 1}


@pytest.mark.parametrize("way", [bring, in_one_file])
def test_replaced_points_count_no_more_on_any_edition(
    small_city: Tracker, boundary_file: Callable[..., Path], way: Callable[..., Batch]
) -> None:
    way(small_city, points(small_city, FIRST, SECOND, SECOND))
    moved = boundary_file(0.1, ("10001", "10002", "10003", "10004"))
    small_city.add_boundaries(moved, date(2025, 11, 15), NOW)
    scope = Scope(frozenset({"2026-01"}), frozenset({"theft"}))
    bring(small_city, points(small_city, SECOND, key=9), scope=scope)
    assert panel(small_city) == {("00001", "2025-10"): 1, ("00002", "2026-01"): 1}
    assert panel(small_city, 1) == {("10001", "2026-01"): 1}


def test_a_month_of_incidents_can_be_replaced_by_monthly_counts(small_city: Tracker) -> None:
    bring(small_city, points(small_city, FIRST, SECOND))
    scope = Scope(frozenset({"2025-10"}), frozenset({"theft"}))
    bring(small_city, counts(("00003", "2025-10", 5)), kind="counts", scope=scope)
    found = panel(small_city)
    assert found == {("00003", "2025-10"): 5, ("00002", "2026-01"): 1}
    assert carried.count_rows(small_city.store)["count"].tolist() == [5]
    again = Scope(frozenset({"2025-10"}), frozenset({"theft"}), None, frozenset({"counts"}))
    bring(small_city, points(small_city, FIRST, key=9), scope=again)
    assert panel(small_city) == {("00001", "2025-10"): 1, ("00002", "2026-01"): 1}
    assert carried.count_rows(small_city.store).empty


def test_counts_of_two_sources_are_one_cell_of_the_panel(small_city: Tracker) -> None:
    cells = counts(("00001", "2025-10", 2), ("00001", "2025-10", 3), sources=("citizen", "police"))
    bring(small_city, cells, kind="counts")
    assert panel(small_city) == {("00001", "2025-10"): 5}
    assert carried.count_rows(small_city.store)["count"].tolist() == [5]
    by_source = carried.count_rows(small_city.store, by_source=True)
    assert by_source.set_index("source")["count"].to_dict() == {"citizen": 2, "police": 3}


def without_police(tracker: Tracker, number: int = 0) -> pd.DataFrame:
    """The panel without police-initiated incidents."""
    edition = tracker.editions()[number]
    categories = list(tracker.programme().categories)
    return carried.carried_panel(
        tracker.store, tracker.boundaries, edition, categories, leave_out={"police"}
    ).table


def test_a_panel_may_leave_out_what_the_police_found_themselves(small_city: Tracker) -> None:
    sources = ("citizen", "police")
    cells = counts(("00001", "2025-10", 2), ("00001", "2025-10", 3), sources=sources)
    bring(small_city, cells, kind="counts")
    bring(small_city, points(small_city, FIRST, SECOND).assign(source=["police", ""]))
    whole = small_city.panel(small_city.editions()[0])
    rest = without_police(small_city)
    assert panel(small_city) == {("00001", "2025-10"): 6.0, ("00002", "2026-01"): 1.0}
    filled = rest[rest["count"] > 0].set_index(["ward", "month"])["count"].to_dict()
    assert filled == {("00001", "2025-10"): 2.0, ("00002", "2026-01"): 1.0}
    same = ["ward", "month", "category", "known"]  # what is known does not depend on it
    pd.testing.assert_frame_equal(rest[same], whole[same])


def test_police_points_on_other_boundaries_are_left_out_as_well(small_city: Tracker) -> None:
    bring(small_city, points(small_city, FIRST, SECOND).assign(source="police"))
    moved = points(small_city, FIRST, key=5).assign(source="police", boundaries="earlier.parquet")
    bring(small_city, moved)
    assert sum(panel(small_city).values()) == 3
    assert without_police(small_city)["count"].sum() == 0


def test_incidents_by_ward_code_are_told_apart_from_counts(small_city: Tracker) -> None:
    coded = points(small_city, FIRST, FIRST, SECOND).assign(lon=[np.nan, np.nan, 106.15])
    bring(small_city, coded.assign(boundaries=["", "", coded["boundaries"].iloc[2]]))
    bring(small_city, counts(("00003", "2026-02", 4)), kind="counts")
    told = carried.recorded_by_code(small_city.store)
    assert told[["ward", "count", "single"]].to_numpy().tolist() == [
        ["00003", 4, False],
        ["00001", 2, True],
    ]


def test_what_is_held_is_told_as_it_was_recorded(small_city: Tracker) -> None:
    assert carried.held_counts(small_city.store).empty
    bring(small_city, points(small_city, FIRST, FIRST, SECOND))
    bring(small_city, points(small_city, FIRST, key=7).assign(source="police"))
    bring(small_city, counts(("00003", "2026-02", 4)), kind="counts")
    held = carried.held_counts(small_city.store)
    assert held[["kind", "ward", "month", "source", "count"]].to_numpy().tolist() == [
        ["counts", "00003", "2026-02", "", 4],
        ["incidents", "00001", "2025-10", "", 2],
        ["incidents", "00001", "2025-10", "police", 1],
        ["incidents", "00002", "2026-01", "", 1],
    ]
