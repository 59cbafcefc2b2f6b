"""A store across a change of boundaries: every code with its edition, every count with its doubt.

Two editions of wards side by side, in hundredths of a degree from 106 E::

    0         10        20   24   30        40        50
    | 00001 Bến | 00002 Hai | 00003 Chia  | 00004 Bốn | 00005 Biển |   from 1 January 2025
    | 00001 Sài                 | 00009 Đông          | 00005 Đảo  |   from 1 July 2025
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import box

from geo.errors import GeoError
from hotspots.errors import MoveRefused, NotFound, StoreError
from hotspots.importing import Receipt
from hotspots.measures.levels import known_months
from hotspots.programme.status import EventType as E
from hotspots.reports.lineage import lineage_lines
from hotspots.text import texts
from hotspots.tracker import Entry, Tracker

NOW = datetime(2026, 7, 5, 8, tzinfo=UTC)
TODAY = date(2026, 7, 5)
OLD, NEW = date(2025, 1, 1), date(2025, 7, 1)

_OLD = {"00001": ("Phường Bến", 0, 10), "00002": ("Phường Hai", 10, 20),
        "00003": ("Phường Chia", 20, 30), "00004": ("Phường Bốn", 30, 40),
        "00005": ("Xã Biển", 40, 50)}  # fmt: skip
_NEW = {"00001": ("Phường Sài", 0, 24), "00009": ("Phường Đông", 24, 40),
        "00005": ("Phường Đảo", 40, 50)}  # fmt: skip
PAIRS = (
    "old_code,new_code",
    "00001,00001", "00002,00001", "00003,00001", "00003,00009", "00004,00009", "00005,00005",
)  # fmt: skip


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines), "utf-8")
        return path

    return write


def _file(folder: Path, name: str, wards: dict[str, tuple[str, int, int]]) -> Path:
    table = gpd.GeoDataFrame(
        {"code": list(wards), "name": [name for name, _, _ in wards.values()]},
        geometry=[box(106 + a / 100, 10, 106 + b / 100, 10.1) for _, a, b in wards.values()],
        crs="EPSG:4326",
    )
    table.to_file(folder / name, driver="GeoJSON")
    return folder / name


@pytest.fixture
def city(tmp_path: Path, programme_text: str, csv: Any) -> Tracker:
    """The store of the drawing above with its crosswalk, and no counts."""
    tracker = Tracker.open(tmp_path / "store", create=True)
    tracker.add_programme(programme_text, NOW)
    tracker.add_boundaries(_file(tmp_path, "old.geojson", _OLD), OLD, NOW)
    tracker.add_boundaries(_file(tmp_path, "new.geojson", _NEW), NEW, NOW)
    tracker.add_crosswalk(csv("pairs.csv", *PAIRS), OLD, NEW, NOW)
    yield tracker
    tracker.store.close()


def counts(tracker: Tracker, path: Path, **options: Any) -> Receipt:
    return tracker.import_counts(path, today=TODAY, now=NOW, **options)


def months(first: str, number: int) -> list[str]:
    return [str(month) for month in pd.period_range(first, periods=number, freq="M")]


@pytest.fixture
def counted(city: Tracker, csv: Any) -> Tracker:
    """Ten a month in each old ward from January 2025, twenty in each new one from July."""
    lines = [f"{ward},{month},theft,10" for ward in _OLD for month in months("2025-01", 6)]
    lines += [f"{ward},{month},theft,20" for ward in _NEW for month in months("2025-07", 12)]
    receipt = counts(city, csv("counts.csv", "ward,month,category,count", *lines))
    assert receipt.accepted == len(lines)
    return city


def entry(hotspot: str, event: E, on: date, **content: Any) -> Entry:
    return Entry(hotspot=hotspot, event=event, on=on, by="An", recorded_at=NOW, **content)


def designate(tracker: Tracker, ward: str, on: date, name: str = "", **content: Any) -> str:
    name = name or f"{ward}-{on.year}"
    tracker.record(
        entry(name, E.DESIGNATED, on, ward=ward, plan_year=on.year, **content), today=TODAY
    )
    return name


def transform(tracker: Tracker, hotspot: str, on: date) -> None:
    for event in (E.WORK_STARTED, E.ASSESSED_TRANSFORMED):
        tracker.record(entry(hotspot, event, on), today=TODAY)


# -- a code and its edition


def test_the_same_code_is_another_ward_on_another_edition(city: Tracker) -> None:
    before = designate(city, "00001", date(2025, 3, 1))
    after = designate(city, "00001", date(2025, 9, 1), name="00001-2025-202507")
    states = city.snapshot(TODAY).states
    assert (states[before].place.name, states[before].place.edition) == ("Phường Bến", "2025-01-01")
    assert (states[after].place.name, states[after].place.edition) == ("Phường Sài", "2025-07-01")


def test_a_new_hotspot_on_a_re_used_code_gets_an_id_of_its_own(city: Tracker) -> None:
    first = city.new_hotspot_id("00001", 2025, "2025-01-01")
    designate(city, "00001", date(2025, 3, 1), name=first)
    assert first == "00001-2025"
    assert city.new_hotspot_id("00001", 2025, "2025-01-01") == "00001-2025"
    assert city.new_hotspot_id("00001", 2025, "2025-07-01") == "00001-2025-202507"


def test_an_event_that_names_the_ward_of_another_edition_is_refused(city: Tracker) -> None:
    name = designate(city, "00001", date(2025, 3, 1))
    again = entry(name, E.WORK_STARTED, date(2025, 9, 1), ward="00001", edition=NEW)
    with pytest.raises(MoveRefused) as refused:
        city.record(again, today=TODAY)
    assert refused.value.reason == "other_ward"


def test_a_code_without_an_edition_is_refused_and_one_with_it_is_taken(
    city: Tracker, csv: Any
) -> None:
    path = csv("a.csv", "ward,month,category,count", "00001,2024-05,theft,3")
    receipt = counts(city, path)
    assert receipt.accepted == 0
    assert receipt.rejected["reason"].tolist() == ["no_edition"]
    assert counts(city, path, edition=OLD).accepted == 1
    with pytest.raises(NotFound) as refused:
        designate(city, "00001", date(2024, 5, 1))
    assert refused.value.reason == "no_edition"
    assert designate(city, "00001", date(2024, 5, 1), edition=OLD)


def test_a_row_may_state_its_edition_and_a_wrong_one_is_said_so(city: Tracker, csv: Any) -> None:
    receipt = counts(
        city,
        csv(
            "a.csv",
            "ward,month,category,count,edition",
            "00002,2024-05,theft,3,2025-01-01",
            "00002,2024-06,theft,3,01/01/2025",
            "00002,2024-07,theft,3,2025-07-01",
            "00002,2024-08,theft,3,2021-01-01",
            "00002,2024-09,theft,3,last year",
        ),
    )
    assert receipt.accepted == 2
    reasons = dict(zip(receipt.rejected["row"], receipt.rejected["reason"], strict=True))
    assert reasons == {3: "unknown_ward", 4: "unknown_edition", 5: "edition_not_read"}


def test_incidents_by_code_carry_their_edition_too(city: Tracker, csv: Any) -> None:
    lines = ["00001,2024-05-03,theft", "00001,2025-03-03,theft", "00001,2025-09-03,theft"]
    path = csv("a.csv", "ward,date,category", *lines)
    receipt = city.import_incidents(path, today=TODAY, now=NOW)
    assert (receipt.accepted, list(receipt.rejected["reason"])) == (2, ["no_edition"])
    assert city.import_incidents(path, today=TODAY, now=NOW, edition=OLD).accepted == 3


def test_a_month_is_counted_on_one_edition_only(city: Tracker, csv: Any) -> None:
    head = "ward,month,category,count,edition"
    first = csv("a.csv", head, "00001,2025-03,theft,3,2025-01-01")
    again = csv("b.csv", head, "00001,2025-03,theft,9,2025-07-01", "00001,2025-03,drugs,1,")
    assert counts(city, first).accepted == 1
    receipt = counts(city, again)
    assert receipt.accepted == 1
    assert receipt.rejected["reason"].tolist() == ["month_on_other_edition"]
    both = csv(
        "c.csv", head, "00002,2025-04,theft,1,2025-01-01", "00001,2025-04,theft,9,2025-07-01"
    )
    assert counts(city, both).rejected["reason"].tolist() == ["month_on_other_edition"]


# -- counts carried


def test_counts_of_old_wards_stand_on_the_new_ones_and_the_total_is_unchanged(
    counted: Tracker,
) -> None:
    new = counted.editions()[1]
    carried = counted.carried(new)
    march = carried.table.query("month == '2025-03' and category == 'theft'").set_index("ward")
    assert march["count"].to_dict() == pytest.approx(
        {"00001": 24, "00005": 10, "00009": 16}, rel=1e-4
    )
    assert march["estimated"].to_dict() == pytest.approx(
        {"00001": 4, "00005": 0, "00009": 6}, rel=1e-4
    )
    assert march["known"].all()
    assert carried.total == carried.carried_total == pytest.approx(5 * 6 * 10 + 3 * 12 * 20)
    assert carried.not_carried.empty
    assert carried.estimated["estimated"].to_dict() == pytest.approx(
        {"00001": 24, "00009": 36}, rel=1e-4
    )


def test_newer_counts_go_back_only_where_that_is_exact(counted: Tracker) -> None:
    old = counted.editions()[0]
    carried = counted.carried(old)
    later = carried.table.query("month == '2025-09' and category == 'theft'").set_index("ward")
    assert later["known"].to_dict() == {
        "00001": False, "00002": False, "00003": False, "00004": False, "00005": True,
    }  # fmt: skip
    assert later.loc["00005", "count"] == 20
    assert set(carried.not_carried["reason"]) == {"backward_through_division"}
    assert set(carried.not_carried["ward"]) == {"00001", "00009"}
    assert carried.total == pytest.approx(counted.carried(counted.editions()[1]).total)


def test_a_divided_ward_without_a_share_is_named_and_its_new_wards_are_unknown(
    city: Tracker, csv: Any
) -> None:
    """Old ward 00007 has no polygon, so no area says how it was divided."""
    pairs = csv("more.csv", *PAIRS, "00007,00001", "00007,00009")
    city.add_crosswalk(pairs, OLD, NEW, NOW)
    lines = [f"{ward},2025-03,theft,10" for ward in (*_OLD, "00007")]
    assert counts(city, csv("c.csv", "ward,month,category,count", *lines)).accepted == 6
    carried = city.carried(city.editions()[1])
    assert carried.behind()[["ward", "count", "reason"]].values.tolist() == [
        ["00007", 10.0, "no_weight"]
    ]
    theft = carried.table.query("category == 'theft'").set_index("ward")
    assert theft["known"].to_dict() == {"00001": False, "00005": True, "00009": False}
    assert carried.carried_total == pytest.approx(50)
    assert carried.total == 60


def test_an_old_ward_that_never_reported_leaves_its_new_ward_unknown_not_small(
    city: Tracker, csv: Any
) -> None:
    lines = [f"{ward},2025-03,theft,10" for ward in ("00001", "00002", "00003", "00005")]
    counts(city, csv("c.csv", "ward,month,category,count", *lines))
    table = city.carried(city.editions()[1]).table.query("category == 'theft'")
    assert table.set_index("ward")["known"].to_dict() == {
        "00001": True, "00005": True, "00009": False,
    }  # fmt: skip


def test_without_a_crosswalk_nothing_is_carried_and_the_reason_is_said(
    tmp_path: Path, programme_text: str, csv: Any
) -> None:
    tracker = Tracker.open(tmp_path / "store", create=True)
    tracker.add_programme(programme_text, NOW)
    tracker.add_boundaries(_file(tmp_path, "old.geojson", _OLD), OLD, NOW)
    tracker.add_boundaries(_file(tmp_path, "new.geojson", _NEW), NEW, NOW)
    counts(tracker, csv("c.csv", "ward,month,category,count", "00001,2025-03,theft,10"))
    carried = tracker.carried(tracker.editions()[1])
    assert carried.carried_total == 0
    assert set(carried.not_carried["reason"]) == {"no_crosswalk"}
    tracker.store.close()


def test_points_need_no_crosswalk_and_are_exact_on_every_edition(city: Tracker, csv: Any) -> None:
    """One point in 00003 west of the new border, one east of it, one in the sea."""
    lines = ["106.22,10.05,2025-03-01,theft", "106.28,10.05,2025-03-01,theft"]
    city.import_incidents(csv("p.csv", "lon,lat,date,category", *lines), today=TODAY, now=NOW)
    old, new = (city.carried(edition).table.query("count > 0") for edition in city.editions())
    assert dict(zip(old["ward"], old["count"], strict=True)) == {"00003": 2}
    assert dict(zip(new["ward"], new["count"], strict=True)) == {"00001": 1, "00009": 1}
    assert new["estimated"].sum() == 0
    assert new["known"].all()


def test_unknown_months_are_left_out_of_the_index_and_not_taken_for_quiet_ones(
    city: Tracker, csv: Any
) -> None:
    lines = [f"{w},{m},theft,10" for w in ("00001", "00002", "00003", "00005")
             for m in months("2025-01", 6)]  # fmt: skip
    lines += [f"{ward},{month},theft,20" for ward in _NEW for month in months("2025-07", 12)]
    counts(city, csv("counts.csv", "ward,month,category,count", *lines))
    index = city.index(TODAY)
    assert index["00009"].isna().sum() == 6
    assert index["00001"].notna().all()
    ranking = city.selection(2027, TODAY)
    assert ranking["months"].to_dict() == {"00001": 18, "00005": 18, "00009": 12}
    assert city.not_ranked(ranking, TODAY) == []
    known = known_months(index, TODAY)
    assert np.isnan(known["00009"].iloc[0])


def test_the_newer_of_two_crosswalks_is_in_force(counted: Tracker, csv: Any) -> None:
    new = counted.editions()[1]
    assert counted.carried(new).estimated_total == pytest.approx(60)
    weighed = [f"{line},{'0.9' if line == '00003,00001' else '0.1' if '00003' in line else ''}"
               for line in PAIRS[1:]]  # fmt: skip
    counted.add_crosswalk(csv("again.csv", PAIRS[0] + ",weight", *weighed), OLD, NEW, NOW)
    march = counted.panel(new).query("month == '2025-03' and category == 'theft'")
    assert march.set_index("ward")["count"].to_dict() == pytest.approx(
        {"00001": 29, "00005": 10, "00009": 11}
    )
    (kept,) = counted.boundaries.kept_crosswalks()
    assert kept.findings["weights_from"] == {"given": 1}


def test_a_crosswalk_needs_two_editions_in_their_order(city: Tracker, csv: Any) -> None:
    path = csv("p.csv", *PAIRS)
    with pytest.raises(StoreError) as backward:
        city.add_crosswalk(path, NEW, OLD, NOW)
    assert backward.value.reason == "crosswalk_backward"
    with pytest.raises(NotFound) as unknown:
        city.add_crosswalk(path, date(2021, 1, 1), NEW, NOW)
    assert unknown.value.reason == "unknown_edition"
    before = city.boundaries.kept_crosswalks()
    with pytest.raises(GeoError):
        city.add_crosswalk(csv("bad.csv", *PAIRS, "00001,77777"), OLD, NEW, NOW)
    assert city.boundaries.kept_crosswalks() == before


# -- the history of a ward, and hotspots on other boundaries


def test_a_wards_history_is_told_in_words(city: Tracker) -> None:
    vi = texts("vi")
    (made_of,) = lineage_lines(city.lineage("00001", "2025-07-01"), vi)
    assert made_of == (
        "Phường Sài (ranh giới 01/07/2025) = Phường Bến + Phường Hai + một phần Phường Chia "
        "(40\xa0%, theo diện tích) (ranh giới 01/01/2025)."
    )
    (became,) = lineage_lines(city.lineage("00003", "2025-01-01"), vi)
    assert "Phường Sài, 40\xa0%" in became
    assert "Phường Đông, 60\xa0%" in became
    (same,) = lineage_lines(city.lineage("00005", "2025-07-01"), vi)
    assert "giữ nguyên địa giới của Xã Biển" in same
    with pytest.raises(NotFound):
        city.lineage("00009", "2025-01-01")


def test_wards_are_found_over_all_editions_and_none_is_chosen(city: Tracker) -> None:
    found = city.boundaries.find("00001")
    assert found[["name", "edition"]].values.tolist() == [
        ["Phường Bến", "2025-01-01"], ["Phường Sài", "2025-07-01"],
    ]  # fmt: skip
    assert city.boundaries.find("phường chia")["match"].tolist() == ["name"]
    assert city.boundaries.find("chia")["code"].tolist() == ["00003"]
    assert city.boundaries.find("nơi khác").empty


def test_a_hotspot_of_an_old_ward_is_shown_on_the_new_ones_with_its_share(city: Tracker) -> None:
    name = designate(city, "00003", date(2025, 3, 1))
    snapshot = city.snapshot(TODAY)
    shown = snapshot.view.wards_of(name)
    assert shown["ward"].tolist() == ["00009", "00001"]
    assert shown["share"].tolist() == pytest.approx([0.6, 0.4], abs=1e-3)
    assert not shown["own"].any()
    assert snapshot.ward_stage == {"00001": "in_work", "00009": "in_work"}
    then = city.view(snapshot, "2025-01-01")
    assert then.ward_stage == {"00003": "in_work"}
    assert city.snapshot(date(2025, 4, 1)).ward_stage == {"00003": "in_work"}


def test_a_hotspot_of_a_new_ward_is_named_and_not_guessed_on_the_old_map(city: Tracker) -> None:
    name = designate(city, "00001", date(2025, 9, 1))
    then = city.view(city.snapshot(TODAY), "2025-01-01")
    assert then.ward_stage == {}
    assert then.not_shown == (name,)


def test_a_hotspot_keeps_the_counts_of_the_ward_it_was_designated_on(counted: Tracker) -> None:
    bến, biển = (designate(counted, ward, date(2025, 3, 1)) for ward in ("00001", "00005"))
    of_old = counted.hotspot(bến, TODAY).monthly
    assert of_old["month"].max() == "2025-06"
    assert of_old.query("category == 'theft'")["count"].tolist() == [10] * 6
    unchanged = counted.hotspot(biển, TODAY)
    assert unchanged.monthly["month"].max() == "2026-06"
    assert unchanged.breaks == (NEW,)


def test_the_risk_of_an_old_ward_is_measured_where_its_counts_go_on(counted: Tracker) -> None:
    """00005 kept its territory under a new name; 00001 was merged, and nothing divides it back."""
    for ward in ("00001", "00005"):
        transform(counted, designate(counted, ward, date(2025, 3, 1)), date(2025, 12, 20))
    snapshot = counted.snapshot(TODAY)
    measured = snapshot.hotspots["points"]  # 18 months of counts give a score, no probability
    assert np.isfinite(measured["00005-2025"])
    assert np.isnan(measured["00001-2025"])
    assert snapshot.not_measured["00001-2025"].reason == "edition_mostly_unknown"
    assert snapshot.risk_problem is None


def test_a_ranking_knows_the_list_of_the_year_before_across_the_change(counted: Tracker) -> None:
    """Six tenths of 00003 went to 00009, so that ward was listed, and 00001 was not."""
    designate(counted, "00003", date(2025, 3, 1))
    assert counted.list_of(2025, TODAY) == {"00009"}


def test_boundaries_that_lack_wards_of_a_crosswalk_are_refused(
    tmp_path: Path, programme_text: str, csv: Any
) -> None:
    """A sketch may be replaced by real boundaries, but not by those of other wards."""
    from geo.wards import read_wards

    tracker = Tracker.open(tmp_path / "store", create=True)
    tracker.add_programme(programme_text, NOW)
    for day, name, wards in ((OLD, "old.geojson", _OLD), (NEW, "new.geojson", _NEW)):
        sketch = read_wards(_file(tmp_path, name, wards), day).wards
        tracker.add_schematic_boundaries(sketch, day, NOW)
    kept = tracker.add_crosswalk(csv("pairs.csv", *PAIRS), OLD, NEW, NOW)
    # A sketch has no areas to weigh with.
    assert kept.findings["cannot_be_carried"] == [["00003", "Phường Chia"]]
    fewer = {code: ward for code, ward in _NEW.items() if code != "00009"}
    with pytest.raises(StoreError) as refused:
        tracker.add_boundaries(_file(tmp_path, "fewer.geojson", fewer), NEW, NOW)
    assert refused.value.reason == "edition_lacks_wards"
    tracker.add_boundaries(_file(tmp_path, "again.geojson", _NEW), NEW, NOW)
    tracker.add_boundaries(_file(tmp_path, "again_old.geojson", _OLD), OLD, NOW)
    (kept,) = tracker.boundaries.kept_crosswalks()  # real boundaries weigh it, unasked
    assert kept.findings["cannot_be_carried"] == []
    assert kept.findings["weights_from"] == {"area": 1}
    tracker.store.close()


# -- what a stranger found


def test_a_cell_given_with_and_without_its_edition_counts_once(city: Tracker, csv: Any) -> None:
    head, cell = "ward,month,category,count,edition", "00001,2025-03,theft,5"
    receipt = counts(city, csv("a.csv", head, f"{cell},", f"{cell},2025-01-01"))
    assert (receipt.accepted, list(receipt.rejected["reason"])) == (1, ["cell_given_twice"])
    assert counts(city, csv("b.csv", head, f"{cell},")).new == 0


def test_an_incident_is_the_same_whether_its_edition_is_stated_or_found_by_its_day(
    city: Tracker, csv: Any
) -> None:
    def import_(name: str, *lines: str, **options: Any) -> Receipt:
        return city.import_incidents(csv(name, *lines), today=TODAY, now=NOW, **options)

    assert import_("a.csv", "ward,date,category", "00001,2025-03-03,theft").new == 1
    stated = import_("b.csv", "ward,date,category,edition", "00001,2025-03-03,theft,2025-01-01")
    assert stated.new == 0
    line = ("ward,date,category", "00001,2025-07-05,theft")
    assert import_("c.csv", *line).new == 1
    assert import_("d.csv", *line, edition=OLD).new == 1  # Bến, not Sài


def test_a_column_called_edition_does_not_trouble_points(city: Tracker, csv: Any) -> None:
    path = csv("p.csv", "lon,lat,date,category,edition", "106.05,10.05,2025-03-01,theft,v2")
    assert city.import_incidents(path, today=TODAY, now=NOW).accepted == 1


def test_a_ward_without_a_boundary_has_counts_a_hotspot_and_a_report(
    city: Tracker, csv: Any
) -> None:
    """Old ward 00099 is on the official list and in no boundary file."""
    city.add_crosswalk(csv("more.csv", *PAIRS, "00099,00005"), OLD, NEW, NOW)
    lines = [f"{ward},2025-03,theft,4" for ward in (*_OLD, "00099")]
    counts(city, csv("c.csv", "ward,month,category,count", *lines))
    name = designate(city, "00099", date(2025, 3, 1))
    day = date(2025, 5, 1)
    assert city.carried(city.editions()[0]).carried_total == 24
    assert city.hotspot(name, day).monthly["count"].sum() == 4
    assert city.snapshot(day).view.not_shown == (name,)
    assert city.snapshot(TODAY).view.wards_of(name)["ward"].tolist() == ["00005"]
    for kind in ("hotspot", "programme"):
        page = city.report(kind, name, as_of=day, made_on=TODAY, language="vi")
        assert name in page
    with pytest.raises(StoreError) as refused:
        city.add_crosswalk(csv("without.csv", *PAIRS), OLD, NEW, NOW)
    assert refused.value.reason == "crosswalk_lacks_wards"


def test_points_refused_outside_old_boundaries_are_unknown_and_not_zero(
    tmp_path: Path, programme_text: str, csv: Any
) -> None:
    """The old boundaries end at 40; what happened in 00005 before July was refused as outside."""
    tracker = Tracker.open(tmp_path / "store", create=True)
    tracker.add_programme(programme_text, NOW)
    old = {code: ward for code, ward in _OLD.items() if code != "00005"}
    tracker.add_boundaries(_file(tmp_path, "old.geojson", old), OLD, NOW)
    tracker.add_boundaries(_file(tmp_path, "new.geojson", _NEW), NEW, NOW)
    lines = [f"106.{x},10.05,{month}-05,theft" for x in ("05", "45") for month in
             ("2025-03", "2025-09")]  # fmt: skip
    path = csv("p.csv", "lon,lat,date,category", *lines)
    assert tracker.import_incidents(path, today=TODAY, now=NOW).accepted == 3
    table = tracker.carried(tracker.editions()[1]).table.query("category == 'theft'")
    known = table.set_index(["ward", "month"])["known"]
    assert not known["00005", "2025-03"]
    assert known["00005", "2025-09"]
    assert known["00001", "2025-03"]
    tracker.store.close()


def test_a_quiet_old_ward_is_a_zero_and_one_that_stopped_reporting_is_unknown(
    city: Tracker, csv: Any
) -> None:
    """00002 stops after March though it had ten a month; 00004 never has more than one a year."""
    every = months("2025-01", 6)
    lines = [f"{w},{m},theft,10" for w in ("00001", "00003", "00005") for m in every]
    lines += [f"00002,{m},theft,10" for m in every[:3]] + ["00004,2025-02,theft,1"]
    counts(city, csv("c.csv", "ward,month,category,count", *lines))
    table = city.carried(city.editions()[1]).table.query("category == 'theft'")
    known = table.pivot(index="month", columns="ward", values="known")
    assert known["00001"].tolist() == [True] * 3 + [False] * 3
    assert known["00009"].all()


def test_single_incidents_leave_no_ward_unknown_for_having_none(city: Tracker, csv: Any) -> None:
    lines = [f"00001,{month}-03,theft" for month in months("2025-01", 3)]
    path = csv("i.csv", "ward,date,category", *lines)
    city.import_incidents(path, today=TODAY, now=NOW)
    assert city.carried(city.editions()[1]).table["known"].all()


def test_a_wrong_boundary_file_can_be_replaced_when_asked(city: Tracker) -> None:
    folder = city.store.root.parent
    other = {**_NEW, "00009": ("Phường Đông hơn", 24, 40)}
    with pytest.raises(StoreError) as there:
        city.add_boundaries(_file(folder, "x.geojson", other), NEW, NOW)
    assert there.value.reason == "edition_there"
    city.add_boundaries(_file(folder, "x.geojson", other), NEW, NOW, replace_edition=True)
    assert city.boundaries.names("2025-07-01")["name"]["00009"] == "Phường Đông hơn"
    assert [edition.edition for edition in city.editions()] == ["2025-01-01", "2025-07-01"]


def test_the_same_crosswalk_twice_changes_nothing(city: Tracker, csv: Any) -> None:
    before = city.boundaries.kept_crosswalks()
    assert city.add_crosswalk(csv("again.csv", *PAIRS), OLD, NEW, NOW) == before[0]
    assert city.boundaries.kept_crosswalks() == before


def test_a_ward_that_was_not_there_yet_cannot_be_designated(city: Tracker) -> None:
    with pytest.raises(MoveRefused) as refused:
        designate(city, "00009", date(2025, 3, 1), edition=NEW)
    assert refused.value.reason == "edition_not_yet"


def test_a_hotspot_of_a_ward_with_the_same_territory_is_shown_on_the_old_map(
    city: Tracker,
) -> None:
    same = designate(city, "00005", date(2025, 9, 1))
    merged = designate(city, "00001", date(2025, 9, 1))
    then = city.view(city.snapshot(TODAY), "2025-01-01")
    assert then.wards_of(same)["ward"].tolist() == ["00005"]
    assert then.not_shown == (merged,)


def test_the_same_area_is_not_listed_twice_across_the_change(counted: Tracker) -> None:
    """00005 kept its territory; 00001 (Bến) is a part of the new 00001 (Sài) now."""
    for ward in ("00005", "00001"):
        designate(counted, ward, date(2025, 3, 1))
    assert counted.cannot_be_proposed(["00001", "00005", "00009"], TODAY) == ["00001", "00005"]
    written, refused = counted.propose(
        ["00005", "00009"], 2027, TODAY, by="An", today=TODAY, now=NOW
    )
    assert [event.hotspot for event in written] == ["00009-2027"]
    assert refused["00005"].reason == "ward_has_hotspot"
    assert written[0].evidence["edition"] == "2025-07-01"


def test_a_relapsed_area_is_proposed_again_as_the_hotspot_it_is(counted: Tracker) -> None:
    name = designate(counted, "00005", date(2025, 3, 1))
    transform(counted, name, date(2025, 4, 20))
    counted.record(entry(name, E.RELAPSED, date(2026, 3, 1)), today=TODAY)
    (written,), refused = counted.propose(["00005"], 2027, TODAY, by="An", today=TODAY, now=NOW)
    assert (written.hotspot, refused) == (name, {})
    assert counted.snapshot(TODAY).states[name].place.edition == "2025-01-01"


def test_last_years_list_is_compared_with_whether_ranked_or_not(counted: Tracker) -> None:
    designate(counted, "00003", date(2025, 3, 1))
    compared = counted.compare(["00001"], 2026, TODAY)
    assert (compared.new, compared.dropped) == (("00001",), ("00009",))


def test_a_chain_of_three_editions_carries_and_tells_the_way(city: Tracker, csv: Any) -> None:
    """From 1 March 2026 00001 and 00009 are one ward, 00010."""
    folder = city.store.root.parent
    newest = {"00010": ("Phường Mười", 0, 40), "00005": ("Phường Đảo", 40, 50)}
    city.add_boundaries(_file(folder, "newest.geojson", newest), date(2026, 3, 1), NOW)
    pairs = csv("p2.csv", "old_code,new_code", "00001,00010", "00009,00010", "00005,00005")
    city.add_crosswalk(pairs, NEW, date(2026, 3, 1), NOW)
    counts(city, csv("c.csv", "ward,month,category,count",
                     *[f"{ward},2025-03,theft,10" for ward in _OLD]))  # fmt: skip
    carried = city.carried(city.editions()[2])
    theft = carried.table.query("category == 'theft'").set_index("ward")
    assert theft["count"].to_dict() == pytest.approx({"00005": 10, "00010": 40})
    assert theft["estimated"].sum() == 0  # what was divided in July is together again
    lines = lineage_lines(city.lineage("00010", "2026-03-01"), texts("vi"))
    assert len(lines) == 2
    assert "Phường Sài + Phường Đông" in lines[0]
    assert "Phường Bến + Phường Hai + Phường Chia + Phường Bốn" in lines[1]
    name = designate(city, "00003", date(2025, 3, 1))
    assert city.snapshot(TODAY).view.wards_of(name)[["ward", "share"]].values.tolist() == [
        ["00010", 1.0]
    ]


def test_a_store_without_boundaries_has_no_wards_to_find(
    tmp_path: Path, programme_text: str
) -> None:
    tracker = Tracker.open(tmp_path / "store", create=True)
    tracker.add_programme(programme_text, NOW)
    with pytest.raises(NotFound) as refused:
        tracker.boundaries.find("Bến")
    assert refused.value.reason == "no_boundaries"
    tracker.store.close()
