"""Bringing files in: tried first, then written whole; replaced figures stay readable."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.errors import CannotMeasure, IntakeError, StoreError
from hotspots.import_words import mapping_of
from hotspots.importing import Decision, Trial
from hotspots.measures.file_kinds import FileKind
from hotspots.measures.mapping import to_toml
from hotspots.programme.status import EventType as E
from hotspots.records.incident_files import read_batch
from hotspots.records.intake import Wish
from hotspots.tracker import Entry, Tracker

TODAY, NOW = date(2026, 1, 10), datetime(2026, 1, 10, 8, tzinfo=UTC)
HEADER = "ward,month,category,count"
OCTOBER = ("00001,2025-10,theft,5", "00002,2025-10,theft,3", "00001,2025-10,robbery,2")


@pytest.fixture
def city(small_city: Tracker) -> Tracker:
    return small_city


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines), "utf-8")
        return path

    return write


def bring(tracker: Tracker, path: Path, kind: FileKind = FileKind.COUNTS, **options: Any) -> Trial:
    return tracker.import_file(path, kind, today=TODAY, now=NOW, **options)


def cells(tracker: Tracker) -> dict[tuple[str, str, str], float]:
    panel = tracker.panel(tracker.editions()[-1])
    filled = panel[panel["count"] > 0]
    return {(r.ward, r.month, r.category): r.count for r in filled.itertuples()}  # type: ignore[misc]


# -- trying


def test_a_dry_run_says_what_would_change_and_writes_nothing(city: Tracker, csv: Any) -> None:
    before = city.log_head(), city.imports()
    trial = bring(city, csv("a.csv", HEADER, *OCTOBER, "99999,2025-10,theft,1"), only_try=True)
    assert (trial.receipt.accepted, trial.receipt.new, len(trial.receipt.rejected)) == (3, 3, 1)
    assert trial.changes.to_dict("records") == [{"month": "2025-10", "new": 10, "replaced": 0}]
    assert (city.log_head(), city.imports()) == before
    assert not list(city.store.staging_place().glob(".new-*"))


def test_what_was_tried_is_what_is_written(city: Tracker, csv: Any) -> None:
    path = csv("a.csv", HEADER, *OCTOBER)
    upload = city.open_upload(path, today=TODAY, kind=FileKind.COUNTS)
    with upload.reading:
        trial = city.try_upload(upload, Decision(FileKind.COUNTS), today=TODAY, now=NOW)
    receipt = city.confirm(trial, now=NOW)
    assert receipt.new == 3
    assert sum(cells(city).values()) == 10
    (batch,) = city.imports()
    assert batch.file_sha256 == upload.reading.sha256


def test_a_file_tried_before_another_was_written_is_tried_again(city: Tracker, csv: Any) -> None:
    first = city.open_upload(csv("a.csv", HEADER, *OCTOBER), today=TODAY, kind=FileKind.COUNTS)
    with first.reading:
        trial = city.try_upload(first, Decision(FileKind.COUNTS), today=TODAY, now=NOW)
    bring(city, csv("b.csv", HEADER, "00001,2025-10,theft,4"))
    with pytest.raises(StoreError) as refused:
        city.confirm(trial, now=NOW)
    assert refused.value.reason == "imported_meanwhile"
    trial.close()
    assert cells(city) == {("00001", "2025-10", "theft"): 4}


def test_the_rejected_rows_come_back_as_they_stood_in_the_file(city: Tracker, csv: Any) -> None:
    lines = ("00001,2025-10,theft,5,ok", "99999,2025-10,theft,1,=1+1", "00001,2025-13,theft,1,x")
    trial = bring(city, csv("a.csv", f"{HEADER},ghi chu", *lines))
    assert trial.rejected_rows.to_dict("index") == {
        2: {
            "ward": "99999", "month": "2025-10", "category": "theft", "count": "1",
            "ghi chu": "=1+1",
        },
        3: {
            "ward": "00001", "month": "2025-13", "category": "theft", "count": "1", "ghi chu": "x",
        },
    }  # fmt: skip


# -- replacing


def test_a_corrected_file_is_refused_until_the_person_says_that_it_replaces(
    city: Tracker, csv: Any
) -> None:
    bring(city, csv("a.csv", HEADER, *OCTOBER))
    corrected = csv("b.csv", HEADER, "00001,2025-10,theft,6", "00002,2025-10,theft,3")
    refused = bring(city, corrected)
    assert list(refused.receipt.rejected["reason"]) == ["cell_recorded_differently"]
    assert sum(cells(city).values()) == 10
    replaced = bring(city, corrected, replaces="period")
    assert (replaced.receipt.new, replaced.receipt.replaced) == (2, 8)
    assert cells(city) == {
        ("00001", "2025-10", "theft"): 6,
        ("00002", "2025-10", "theft"): 3,
        ("00001", "2025-10", "robbery"): 2,  # the file does not speak of robberies
    }


def test_an_office_that_reports_for_its_wards_replaces_only_those(city: Tracker, csv: Any) -> None:
    bring(city, csv("a.csv", HEADER, *OCTOBER))
    bring(city, csv("b.csv", HEADER, "00001,2025-10,theft,9"), replaces="wards")
    assert cells(city)["00002", "2025-10", "theft"] == 3
    assert cells(city)["00001", "2025-10", "theft"] == 9


def test_replaced_rows_stay_readable_and_do_not_come_back_with_the_old_file(
    city: Tracker, csv: Any
) -> None:
    points = (
        "lon,lat,date,category",
        "106.05,10.05,2025-10-20,theft",
        "106.05,10.05,2025-10-21,theft",
    )
    old = csv("old.csv", *points)
    bring(city, old, FileKind.INCIDENTS)
    new = csv("new.csv", *points[:2], "106.15,10.05,2025-10-22,theft")
    assert bring(city, new, FileKind.INCIDENTS, replaces="period").receipt.replaced == 2
    after = cells(city)
    assert after == {("00001", "2025-10", "theft"): 1, ("00002", "2025-10", "theft"): 1}
    assert bring(city, old, FileKind.INCIDENTS).receipt.new == 0
    assert cells(city) == after
    first = city.store.batches("incidents")[0]
    assert len(read_batch(city.store, first)) == 0
    assert len(read_batch(city.store, first, superseded=True)) == 2


def test_replacing_with_the_same_file_changes_nothing(city: Tracker, csv: Any) -> None:
    for kind, lines in (
        (FileKind.COUNTS, (HEADER, *OCTOBER)),
        (FileKind.INCIDENTS, ("lon,lat,date,category", "106.05,10.05,2024-10-20,theft")),
    ):
        path = csv(f"{kind}.csv", *lines)
        bring(city, path, kind)
        before = city.imports(), cells(city)
        again = bring(city, path, kind, replaces="period")
        assert (again.receipt.new, again.receipt.replaced) == (0, 0)
        assert (city.imports(), cells(city)) == before


def test_incidents_may_replace_the_counts_of_their_months(city: Tracker, csv: Any) -> None:
    bring(city, csv("a.csv", HEADER, *OCTOBER))
    points = csv("b.csv", "lon,lat,date,category", "106.05,10.05,2025-10-20,theft")
    assert list(bring(city, points, FileKind.INCIDENTS).receipt.rejected["reason"]) == [
        "month_has_counts"
    ]
    bring(city, points, FileKind.INCIDENTS, replaces="period")
    assert cells(city) == {
        ("00001", "2025-10", "theft"): 1,
        ("00001", "2025-10", "robbery"): 2,
    }


def test_a_way_to_replace_that_there_is_not_is_refused(city: Tracker, csv: Any) -> None:
    with pytest.raises(IntakeError) as refused:
        bring(city, csv("a.csv", HEADER, *OCTOBER), replaces="everything")
    assert refused.value.reason == "replaces_unknown"


@given(
    files=st.lists(
        st.tuples(
            st.sampled_from(["", "wards", "period"]),
            st.dictionaries(
                st.tuples(
                    st.sampled_from(["00001", "00002"]), st.sampled_from(["2025-09", "2025-10"])
                ),
                st.integers(0, 4),
                min_size=1,
            ),
        ),
        max_size=4,
    )
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_files_one_after_another_leave_what_a_dictionary_would(
    city: Tracker, csv: Any, files: list[tuple[str, dict[tuple[str, str], int]]]
) -> None:
    """The model: a cell holds what was said first, unless a replacing file covers it."""
    year = 2000 + len(city.imports())  # every example on months of its own
    model: dict[tuple[str, str], int] = {}
    for replaces, said in files:
        lines = [
            f"{ward},{month.replace('2025', str(year))},theft,{count}"
            for (ward, month), count in said.items()
        ]
        city.import_file(
            csv("f.csv", HEADER, *lines), FileKind.COUNTS, today=date(2199, 1, 1), now=NOW,
            replaces=replaces, edition=date(2025, 7, 1),
        )  # fmt: skip
        months = {month for _, month in said}
        wards = {ward for ward, _ in said}
        covered = {"": set[str](), "wards": wards, "period": {"00001", "00002"}}[replaces]
        model = {
            cell: count for cell, count in model.items()
            if not (cell[0] in covered and cell[1] in months)
        }  # fmt: skip
        for cell, count in said.items():
            model.setdefault(cell, count)
    found = {
        (ward, month.replace(str(year), "2025")): count
        for (ward, month, _), count in cells(city).items()
        if month.startswith(str(year))
    }
    assert found == {cell: count for cell, count in model.items() if count}


# -- personal data


def test_a_column_of_persons_is_refused_until_it_is_left_out(city: Tracker, csv: Any) -> None:
    path = csv("a.csv", f"{HEADER},Họ tên bị can", *(f"{line},Nguyễn Văn A" for line in OCTOBER))
    before = city.log_head()
    with pytest.raises(IntakeError) as refused:
        bring(city, path)
    assert refused.value.reason == "personal_data"
    assert "Nguyễn" not in str(refused.value) + repr(refused.value.facts)
    assert city.log_head() == before
    assert bring(city, path, dropped=["Họ tên bị can"]).receipt.new == 3


def test_a_suspected_column_is_kept_only_with_a_reason_which_is_logged(
    city: Tracker, csv: Any
) -> None:
    names = ("Trần Văn Bảy", "Lê Thị Hồng", "Phạm Minh Tuấn")
    lines = [f"{line},{name}" for line, name in zip(OCTOBER, names, strict=True)]
    path = csv("a.csv", f"{HEADER},tuyến", *lines)
    upload = city.open_upload(path, today=TODAY, kind=FileKind.COUNTS)
    with upload.reading:
        assert upload.asked == ("tuyến",)
        assert "tuyến" not in upload.sample().columns
    for kept in ({}, {"tuyến": " "}):
        with pytest.raises(IntakeError) as refused:
            bring(city, path, kept=kept)
        assert refused.value.reason == "personal_data_unanswered"
    bring(city, path, kept={"tuyến": "tên đường"})
    said = next(each for each in city.audit() if each.action == "imported")
    assert said.details["kept"] == {"tuyến": "tên đường"}


def test_a_note_with_a_telephone_number_is_not_written(city: Tracker, csv: Any) -> None:
    entry = Entry("A", E.PROPOSED, date(2025, 10, 1), "x", NOW, plan_year=2025, ward="00001",
                  note="gọi 0903 123 456")  # fmt: skip
    with pytest.raises(IntakeError) as refused:
        city.record(entry, today=TODAY)
    assert refused.value.reason == "personal_data_in_text"
    assert "0903" not in str(refused.value)
    header = "hotspot,event,on,ward,plan_year,note"
    path = csv("s.csv", header, "A,Proposed,2025-10-01,00001,2025,gọi 0903 123 456")
    with pytest.raises(IntakeError) as refused:
        bring(city, path, FileKind.STATUS)
    assert refused.value.reason == "personal_data"
    note = "theo Quyết định 123/QĐ-UBND ngày 20/10/2025"
    good = csv("g.csv", header, f"B,Proposed,2025-10-01,00002,2025,{note}")
    assert bring(city, good, FileKind.STATUS).receipt.new == 1


# -- other tables


def test_values_of_other_tables_are_read_back_and_replaced_only_when_said(
    city: Tracker, csv: Any
) -> None:
    header = "ward,year,population"
    bring(city, csv("p.csv", header, "00001,2025,12000", "00002,2025,9000"), FileKind.POPULATIONS)
    assert city.population("00001", city.editions()[-1].edition, TODAY) == (12000, "2025")
    other = csv("q.csv", header, "00001,2025,13000")
    trial = bring(city, other, FileKind.POPULATIONS)
    assert list(trial.receipt.rejected["reason"]) == ["value_recorded_differently"]
    bring(city, other, FileKind.POPULATIONS, replaces="wards")
    assert city.population("00001", city.editions()[-1].edition, TODAY) == (13000, "2025")
    assert bring(city, other, FileKind.POPULATIONS).receipt.new == 0


def test_indicators_and_scorecards_are_kept_as_of_their_day(city: Tracker, csv: Any) -> None:
    lines = ("period,indicator,value", "2025-Q3,Án khám phá,80", "Quý 4/2025,Án khám phá,90")
    bring(city, csv("i.csv", *lines), FileKind.INDICATORS)
    assert list(city.indicators(date(2025, 9, 30))["value"]) == [80]
    assert list(city.indicators(TODAY)["period"]) == ["2025-Q4", "2025-Q3"]
    entry = Entry("A", E.PROPOSED, date(2025, 8, 5), "x", NOW, plan_year=2025, ward="00001")
    city.record(entry, today=TODAY)
    card = csv(
        "c.csv",
        "hotspot,criterion,on,value",
        "A,Tự quản,2025-09-30,Có",
        "A,Tự quản,2025-12-31,Không",
        "Z,Tự quản,2025-12-31,Có",
    )
    trial = bring(city, card, FileKind.SCORECARDS)
    assert list(trial.receipt.rejected["reason"]) == ["unknown_hotspot"]
    assert list(city.scorecard("A", date(2025, 10, 1))["value"]) == [1.0]
    assert list(city.scorecard("A", TODAY)["value"]) == [0.0]


def test_uploaded_boundaries_are_read_apart_from_the_application(
    city: Tracker, boundary_file: Callable[..., Path]
) -> None:
    path = boundary_file(0.1, ("10001", "10002", "10003", "10004"))
    day = date(2025, 11, 15)
    read = city.try_boundaries(
        path.read_bytes(), path.name, day, code_column="code", name_column="name"
    )
    assert list(read.wards["code"]) == ["10001", "10002", "10003", "10004"]
    assert [each.edition for each in city.editions()] == ["2025-07-01"]
    city.keep_boundaries(read, path.name, day, NOW)
    assert city.editions()[-1].edition == "2025-11-15"


def test_a_broken_boundary_file_is_told_in_the_same_words_as_on_the_command_line(
    city: Tracker, tmp_path: Path
) -> None:
    path = tmp_path / "wards.geojson"
    square = [[[106, 10], [106.1, 10], [106.1, 10.1], [106, 10]]]
    features = [
        {
            "type": "Feature",
            "properties": {"code": "1", "name": name},
            "geometry": {"type": "Polygon", "coordinates": square},
        }
        for name in ("A", "B")
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    told = []
    for read in (
        lambda: city.add_boundaries(path, date(2026, 1, 1), NOW),
        lambda: city.try_boundaries(
            path.read_bytes(), path.name, date(2026, 1, 1), code_column="code", name_column="name"
        ),
    ):
        with pytest.raises(Exception, match="repeats a code") as refused:
            read()
        told.append((type(refused.value), str(refused.value), refused.value.facts))  # type: ignore[attr-defined]
    assert told[0] == told[1]


# -- odd months


def test_a_month_reported_in_part_is_warned_of(city: Tracker, csv: Any) -> None:
    lines = [
        f"106.05,10.05,2025-{month:02d}-{day:02d},theft"
        for month in range(1, 13)
        for day in range(1, 29 if month < 12 else 9)
    ]
    path = csv("a.csv", "lon,lat,date,category", *lines)
    trial = bring(city, path, FileKind.INCIDENTS, only_try=True)
    assert [(each.code, each.facts["month"]) for each in trial.warnings] == [
        ("month_ends_early", "2025-12")
    ]


def test_rows_of_any_file_are_accepted_or_rejected_once(city: Tracker, csv: Any) -> None:
    path = csv(
        "a.csv", f"{HEADER},source", *(f"{line},người dân" for line in OCTOBER), "Tổng cộng,,,10,"
    )
    trial = bring(city, path)
    rejected = trial.receipt.rejected
    assert list(rejected["reason"]) == ["total_row"]
    assert trial.receipt.rows == trial.receipt.accepted + len(rejected) == 4
    kept = read_batch(city.store, city.store.batches()[0])
    assert set(kept["source"]) == {"citizen"}
    assert isinstance(kept, pd.DataFrame)


# -- giving tables out


def sheets(content: bytes) -> dict[str, pd.DataFrame]:
    return pd.read_excel(io.BytesIO(content), sheet_name=None, header=None, dtype=object)


def test_counts_given_out_are_those_of_the_panel_and_stand_in_the_log(
    city: Tracker, csv: Any
) -> None:
    bring(city, csv("a.csv", HEADER, *OCTOBER))
    content = city.export_counts("2025-10", "2025-10", as_of=TODAY, now=NOW, language="en")
    table = sheets(content)["Counts"]
    header, *rows = table.to_numpy().tolist()
    by_code = {row[0]: dict(zip(header[2:], row[2:], strict=True)) for row in rows}
    assert by_code["00001"]["Theft"] == 5
    assert by_code["00001"]["Total"] == 7
    total = next(row for row in rows if row[1] == "Total")
    assert total[-1] == 10
    said = next(each for each in city.audit() if each.action == "exported")
    assert said.subject == "counts 2025-10 2025-10"


def test_a_table_for_the_public_does_not_show_small_counts(city: Tracker, csv: Any) -> None:
    lines = ["00001,2025-10,theft,2", "00002,2025-10,theft,30", "00003,2025-10,theft,40"]
    bring(city, csv("a.csv", HEADER, *lines, "00004,2025-10,drugs,9", "00003,2025-10,drugs,8"))
    content = city.export_counts("2025-10", "2025-10", as_of=TODAY, now=NOW, language="vi", least=5)
    found = sheets(content)
    shown = {cell for row in found["Số vụ"].to_numpy().tolist() for cell in row}
    assert 2 not in shown
    assert "–" in shown
    assert any("1 đến 4" in str(cell) for cell in found["Ghi chú"][0])


def test_there_is_nothing_to_give_out_of_months_without_counts(city: Tracker, csv: Any) -> None:
    bring(city, csv("a.csv", HEADER, *OCTOBER))
    with pytest.raises(CannotMeasure) as refused:
        city.export_counts("2024-01", "2024-12", as_of=TODAY, now=NOW, language="vi")
    assert refused.value.reason == "no_counts_in_period"


# -- what a stranger found


def tried(tracker: Tracker, path: Path, kind: FileKind = FileKind.COUNTS, **options: Any) -> Trial:
    upload = tracker.open_upload(path, today=TODAY, kind=kind)
    with upload.reading:
        return tracker.try_upload(upload, Decision(kind, **options), today=TODAY, now=NOW)


def test_a_file_tried_under_another_programme_or_other_boundaries_is_tried_again(
    city: Tracker, csv: Any, programme_text: str, boundary_file: Callable[..., Path]
) -> None:
    path = csv("a.csv", HEADER, *OCTOBER)
    moved = boundary_file(0.1, ("10001", "10002", "10003", "10004"))
    for change in (
        lambda: city.add_programme(programme_text + "\n# another\n", NOW),
        lambda: city.add_boundaries(moved, date(2025, 11, 15), NOW),
    ):
        trial = tried(city, path)
        change()
        with pytest.raises(StoreError) as refused:
            city.confirm(trial, now=NOW)
        assert refused.value.reason == "imported_meanwhile"
        trial.close()
    assert not city.imports()


def test_a_year_typed_wrong_replaces_nothing_of_the_years_between(city: Tracker, csv: Any) -> None:
    lines = [f"00001,2025-{month:02d},theft,1" for month in range(7, 13)]
    bring(city, csv("a.csv", HEADER, *lines))
    wrong = csv("b.csv", HEADER, "00001,2025-07,theft,2", "00001,2025-12,theft,2")
    assert bring(city, wrong, replaces="period").receipt.replaced == 2
    assert sum(cells(city).values()) == 8


def test_counts_with_and_without_a_source_are_never_added_up(city: Tracker, csv: Any) -> None:
    bring(city, csv("a.csv", HEADER, "00001,2025-10,theft,10"))
    sources = ("00001,2025-10,theft,6,citizen", "00001,2025-10,theft,4,police")
    by_source = csv("b.csv", f"{HEADER},source", *sources)
    assert list(bring(city, by_source).receipt.rejected["reason"]) == ["sources_mixed"] * 2
    assert cells(city) == {("00001", "2025-10", "theft"): 10}
    both = csv("c.csv", f"{HEADER},source", "00002,2025-10,theft,10,", *sources[:1])
    assert bring(city, both, replaces="period").receipt.new == 2
    mixed = csv(
        "d.csv", f"{HEADER},source", "00003,2025-10,theft,10,", "00003,2025-10,theft,4,police"
    )
    assert list(bring(city, mixed).receipt.rejected["reason"]) == ["sources_mixed"]


def test_the_same_incidents_with_their_source_filled_in_are_the_same(
    city: Tracker, csv: Any
) -> None:
    points = ("106.05,10.05,2025-10-20,theft", "106.05,10.05,2025-10-20,theft")
    bring(city, csv("a.csv", "lon,lat,date,category", *points), FileKind.INCIDENTS)
    again = [f"{line},{source}" for line, source in zip(points, ("citizen", "police"), strict=True)]
    path = csv("b.csv", "lon,lat,date,category,source", *again)
    assert bring(city, path, FileKind.INCIDENTS).receipt.new == 0


def test_incidents_replace_the_counts_of_a_month_on_all_wards_or_not_at_all(
    city: Tracker, csv: Any
) -> None:
    bring(city, csv("a.csv", HEADER, *OCTOBER))
    points = csv("b.csv", "lon,lat,date,category", "106.05,10.05,2025-10-20,theft")
    with pytest.raises(IntakeError) as refused:
        bring(city, points, FileKind.INCIDENTS, replaces="wards")
    assert refused.value.reason == "counts_stay_beside"
    assert sum(cells(city).values()) == 10
    assert not list(city.store.staging_place().glob(".new-*"))


def test_figures_give_way_to_a_file_with_rejected_rows_only_when_that_is_said(
    city: Tracker, csv: Any
) -> None:
    bring(city, csv("a.csv", HEADER, *OCTOBER))
    path = csv("b.csv", HEADER, "00001,2025-10,theft,6", "00002,2025-10,theft,1x")
    with pytest.raises(IntakeError) as refused:
        bring(city, path, replaces="period")
    assert refused.value.reason == "replaces_in_part"
    assert sum(cells(city).values()) == 10
    bring(city, path, replaces="period", in_part=True)
    assert cells(city)["00001", "2025-10", "theft"] == 6
    said = next(each for each in city.audit() if each.action == "imported")
    assert said.details["in_part"] is True


def test_persons_among_the_names_of_wards_are_refused(
    city: Tracker, boundary_file: Callable[..., Path]
) -> None:
    path = boundary_file(0.1, ("10001", "10002", "10003", "10004"))
    told = json.loads(path.read_text("utf-8"))
    for feature in told["features"]:
        feature["properties"]["name"] += " gọi 0903 123 456"
    text = json.dumps(told)
    for read in (
        lambda: city.try_boundaries(
            text.encode(), "w.geojson", date(2025, 11, 15), code_column="code", name_column="name"
        ),
        lambda: (
            path.write_text(text, "utf-8"),
            city.add_boundaries(path, date(2025, 11, 15), NOW),
        ),
    ):
        with pytest.raises(IntakeError) as refused:
            read()
        assert refused.value.reason == "personal_data"
    assert len(city.editions()) == 1


def test_rows_that_do_not_split_into_cells_are_never_quoted(city: Tracker, csv: Any) -> None:
    path = csv("a.csv", HEADER, *OCTOBER, "00001,2025-10,theft,3,0903123456 Nguyễn Văn Bình")
    trial = bring(city, path)
    assert list(trial.receipt.rejected["reason"]) == ["wrong_number_of_cells"]
    assert "Nguyễn" not in trial.receipt.rejected.to_csv() + trial.rejected_rows.to_csv()


def test_what_stands_in_the_log_of_an_import_names_nobody(city: Tracker, csv: Any) -> None:
    path = csv("Nguyen Van An 0903123456.csv", HEADER, *OCTOBER)
    bring(city, path)
    said = next(each for each in city.audit() if each.action == "imported")
    assert (said.subject, city.imports()[0].source) == ("tep.csv", "tep.csv")
    names = ("Trần Văn Bảy", "Lê Thị Hồng", "Phạm Minh Tuấn")
    lines = [f"{line},{name}" for line, name in zip(OCTOBER, names, strict=True)]
    streets = csv("b.csv", f"{HEADER},tuyến", *lines)
    with pytest.raises(IntakeError) as refused:
        bring(city, streets, kept={"tuyến": "hỏi anh Bình 0903123456"})
    assert refused.value.reason == "personal_data_in_text"


def test_a_column_that_is_not_there_cannot_be_left_out_or_kept(city: Tracker, csv: Any) -> None:
    path = csv("a.csv", HEADER, *OCTOBER)
    for options in ({"dropped": ["nope"]}, {"kept": {"nope": "why"}}):
        with pytest.raises(IntakeError) as refused:
            bring(city, path, **options)
        assert refused.value.reason == "no_such_column"


def test_a_dry_run_that_was_given_up_cannot_be_confirmed(city: Tracker, csv: Any) -> None:
    trial = tried(city, csv("a.csv", HEADER, *OCTOBER))
    trial.close()
    with pytest.raises(StoreError) as refused:
        city.confirm(trial, now=NOW)
    assert refused.value.reason == "trial_gone"


def test_a_ward_counted_twice_with_and_without_its_edition_is_taken_once(
    city: Tracker, csv: Any
) -> None:
    path = csv(
        "p.csv", "ward,year,population,edition", "00001,2025,1000,", "00001,2025,2000,2025-07-01"
    )
    trial = bring(city, path, FileKind.POPULATIONS)
    assert list(trial.receipt.rejected["reason"]) == ["cell_given_twice"]


def test_a_month_that_only_some_wards_reported_is_warned_of_by_what_the_store_holds(
    demonstration_copy: Tracker, csv: Any
) -> None:
    wards = demonstration_copy.wards(demonstration_copy.editions()[-1])["code"]
    today, now = date(2026, 12, 5), datetime(2026, 12, 5, tzinfo=UTC)
    for reporting, warned in ((120, ["month_few_wards"]), (168, [])):
        path = csv("n.csv", HEADER, *(f"{ward},2026-11,theft,40" for ward in wards[:reporting]))
        trial = demonstration_copy.import_file(
            path, FileKind.COUNTS, today=today, now=now, only_try=True
        )
        assert [each.code for each in trial.warnings] == warned


def test_a_file_of_few_wards_that_replaces_all_says_how_many_would_be_empty(
    city: Tracker, csv: Any
) -> None:
    bring(city, csv("a.csv", HEADER, *OCTOBER))
    path = csv("b.csv", HEADER, "00001,2025-10,theft,6")
    trial = bring(city, path, replaces="period", only_try=True)
    (warning,) = (each for each in trial.warnings if each.code == "replaces_leave_empty")
    assert warning.facts == {"wards": 1.0, "count": 3.0, "old": 8.0, "new": 6.0}
    assert not bring(city, path, replaces="wards", only_try=True).warnings


def test_a_file_of_events_says_how_many_wait_for_approval(
    city: Tracker, csv: Any, programme_text: str
) -> None:
    city.add_programme(programme_text.replace("required = false", "required = true"), NOW)
    path = csv("s.csv", "hotspot,event,on,ward,plan_year", "A,Proposed,2025-10-01,00001,2025")
    trial = bring(city, path, FileKind.STATUS)
    assert (trial.receipt.new, trial.receipt.waiting) == (1, 1)


def test_a_mapping_saved_from_iso_days_reads_our_days_next_month(city: Tracker, csv: Any) -> None:
    path = csv("a.csv", "Mã xã,Tháng,Loại vụ việc,Số vụ", "00001,2025-10,theft,5")
    upload = city.open_upload(path, today=TODAY)
    with upload.reading:
        mapping = to_toml(mapping_of(upload, Wish()))
    again = csv("b.csv", "Mã xã,Tháng,Loại vụ việc,Số vụ", "00001,01/11/2025,theft,5")
    assert bring(city, again, mapping=mapping).receipt.accepted == 1


def test_suggestions_are_taken_only_when_asked_for(city: Tracker, csv: Any) -> None:
    path = csv("a.csv", HEADER, "00001,2025-10,Trộm cắp TS,5")
    upload = city.open_upload(path, today=TODAY, kind=FileKind.COUNTS)
    with upload.reading:
        plain, accepted = (mapping_of(upload, Wish(), accept=accept) for accept in (False, True))
    assert bring(city, path, mapping=to_toml(plain)).receipt.accepted == 0
    assert bring(city, path, mapping=to_toml(accepted)).receipt.accepted == 1
