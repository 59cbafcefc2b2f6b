"""The whole product on PostgreSQL: the same use cases over the same code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from hotspots.programme.status import EventType as E
from hotspots.records.copying import copy_store
from hotspots.records.store import Store
from hotspots.tracker import Entry, Tracker

NOW = datetime(2026, 7, 5, 8, tzinfo=UTC)
TODAY = date(2026, 7, 5)


def test_a_town_goes_from_files_to_a_report_on_postgresql_and_from_sqlite_into_it(
    postgresql_store_url: str,
    another_postgresql_store_url: str,
    programme_text: str,
    boundary_file: Callable[..., Path],
    tmp_path: Path,
) -> None:
    reports = []
    for location in (str(tmp_path / "store"), postgresql_store_url):
        tracker = Tracker.open(location, create=True)
        _fill(tracker, programme_text, boundary_file(), tmp_path)
        reports.append(_told(tracker))
        assert tracker.verify().ok
        tracker.store.close()
    assert reports[0] == reports[1]
    source, target = Store(tmp_path / "store"), Store(another_postgresql_store_url, create=True)
    assert copy_store(source, target).ok
    source.close()
    assert _told(Tracker(target)) == reports[0]
    target.close()


def _fill(tracker: Tracker, programme: str, boundaries: Path, folder: Path) -> None:
    tracker.add_programme(programme, NOW)
    tracker.add_boundaries(boundaries, date(2025, 7, 1), NOW)
    months = pd.period_range("2025-07", periods=12, freq="M").astype(str)
    cells = pd.MultiIndex.from_product(
        [["00001", "00002", "00003", "00004"], months], names=["ward", "month"]
    )
    path = folder / "counts.csv"
    pd.DataFrame({"category": "theft", "count": range(len(cells))}, index=cells).to_csv(path)
    assert tracker.import_counts(path, today=TODAY, now=NOW).accepted == len(cells)
    for event, day in (
        (E.DESIGNATED, date(2025, 8, 1)),
        (E.WORK_STARTED, date(2025, 8, 20)),
        (E.ASSESSED_TRANSFORMED, date(2025, 12, 20)),
    ):
        new = {"ward": "00004", "plan_year": 2025} if event is E.DESIGNATED else {}
        entry = Entry("00004-2025", event, day, "An", NOW, event_id=str(event), **new)
        tracker.record(entry, today=TODAY)


def _told(tracker: Tracker) -> tuple[object, ...]:
    snapshot = tracker.snapshot(TODAY)
    page = tracker.report("hotspot", "00004-2025", as_of=TODAY, made_on=TODAY, language="vi")
    ranked = tracker.selection(2027, TODAY)
    return (
        snapshot.head,
        snapshot.hotspots.to_json(),
        ranked.to_json(),
        page,
        dict(snapshot.ward_stage),
    )
