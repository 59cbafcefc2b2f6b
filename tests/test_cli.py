"""Every command, in this process, on a small store: what it prints, and how it refuses."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from hotspots.cli import app
from hotspots.tracker import Tracker

Run = Callable[..., Result]
DAY = "2026-10-31"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command; by default on the store of the test, in Vietnamese."""
    monkeypatch.delenv("HOTSPOTS_LANG", raising=False)
    monkeypatch.setenv("HOTSPOTS_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)

    def run_(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return run_


@pytest.fixture
def ok(run: Run) -> Callable[..., str]:
    def run_(*words: object) -> str:
        result = run(*words)
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return result.stdout

    return run_


@pytest.fixture
def city(run: Run, small_city_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_city_folder, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def demo(run: Run, demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demonstration city, for commands that only read."""
    monkeypatch.setenv("HOTSPOTS_STORE", str(demonstration_folder))


def written(tmp_path: Path, name: str, *lines: str) -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines), "utf-8")
    return path


def refused(result: Result, code: int = 1) -> str:
    """What a refused command says: on stderr, and never a traceback."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return " ".join(result.stderr.replace("│", " ").split())


# -- setting up


def test_the_demonstration_city_is_built_and_looked_at(ok: Any, tmp_path: Path) -> None:
    said = ok("demo", "--years", 1, "--seed", 3, "--as-of", "2026-02-10")
    assert "10/02/2026" in said
    assert str(tmp_path / "store") in said
    assert "Dữ liệu mô phỏng" in ok("targets")
    before, edition = json.loads(ok("boundaries", "list", "--json"))
    assert (before["edition"], before["schematic"]) == ("2025-01-01", True)
    assert edition == {
        "edition": "2025-07-01",
        "units": 168,
        "source": "schematic",
        "schematic": True,
    }
    assert "sơ đồ" in ok("boundaries", "list")


def test_a_store_is_set_up_from_files(
    ok: Any, tmp_path: Path, programme_text: str, boundary_file: Callable[..., Path]
) -> None:
    said = ok("programme", "add", written(tmp_path, "p.toml", programme_text))
    assert "Chuyển hóa địa bàn" in said
    assert ok("boundaries", "list") == "Chưa có ranh giới nào.\n"
    said = ok("boundaries", "add", boundary_file(), "--edition", "2025-07-01")
    assert "4 đơn vị" in said
    assert "Ranh giới khép kín" in said
    assert json.loads(ok("boundaries", "list", "--json"))[0]["units"] == 4


def test_boundaries_say_in_json_what_was_found(
    ok: Any, run: Run, boundary_file: Callable[..., Path]
) -> None:
    found = json.loads(
        ok("boundaries", "add", boundary_file(), "--edition", "2025-07-01", "--json")
    )
    assert (found["edition"], found["units"], found["cleaned"]) == ("2025-07-01", 4, False)
    again = refused(run("boundaries", "add", boundary_file(), "--edition", "2025-07-01"))
    assert again.startswith("Lỗi: Đã có ranh giới 01/07/2025")


def test_the_app_is_served_from_the_store_on_the_port(
    ok: Any, city: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []

    def call(command: list[str], *, env: dict[str, str], cwd: Path) -> int:
        started.append((command, env))
        assert (cwd / "app.py").is_file()
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    ok("serve", "--port", 9000, "--store", city, "--lang", "en")
    ((command, env),) = started
    assert command[:4] == [sys.executable, "-m", "streamlit", "run"]
    assert command[-2:] == ["--server.port", "9000"]
    assert (env["HOTSPOTS_STORE"], env["HOTSPOTS_LANG"]) == (str(city), "en")


# -- importing


@pytest.fixture
def points(tmp_path: Path) -> Path:
    return written(
        tmp_path,
        "points.csv",
        "lon,lat,date,category",
        "106.05,10.05,2025-10-20,theft",
        "106.05,10.05,31/02/2025,theft",
        "=1+1,10.05,2025-10-20,theft",
    )


def test_an_import_says_what_became_of_every_row(ok: Any, city: Path, points: Path) -> None:
    said = ok("import", "incidents", points)
    assert "points.csv: 3 dòng = 1 nhận + 2 không nhận; 1 mới, 0 đã có từ trước" in said
    assert "không đọc được ngày" in said
    assert "dòng 2: 31/02/2025" in said
    said = ok("import", "incidents", points, "--lang", "en")
    assert "1 accepted + 2 rejected; 0 new, 1 there before" in said
    assert "Nothing changed." in said


def test_an_import_says_so_in_json(ok: Any, city: Path, points: Path) -> None:
    assert json.loads(ok("import", "incidents", points, "--json")) == {
        "source": "points.csv",
        "kind": "incidents",
        "sha256": hashlib.sha256(points.read_bytes()).hexdigest(),
        "tried": False,
        "replaced": 0,
        "warnings": [
            {"code": "month_ends_early", "facts": {"month": "2025-10", "day": "2025-10-20"}}
        ],
        "rows": 3,
        "accepted": 1,
        "new": 1,
        "already_there": 0,
        "rejected": 2,
        "reasons": {"date_not_read": 1, "not_a_coordinate": 1},
        "placed_on_earliest": 0,
    }


def test_rejected_rows_are_written_so_that_no_spreadsheet_runs_them(
    ok: Any, city: Path, points: Path, tmp_path: Path
) -> None:
    ok("import", "incidents", points, "--rejected", tmp_path / "rejected.csv")
    with (tmp_path / "rejected.csv").open(encoding="utf-8-sig") as file:
        header, second, third = csv.reader(file)
    assert header == ["Dòng", "lon", "lat", "date", "category", "Lý do"]
    assert second[0] == "2"
    assert second[-1].endswith(": 31/02/2025")
    assert third[:3] == ["3", "'=1+1", "10.05"]


def test_counts_and_a_mapping_are_imported(ok: Any, city: Path, tmp_path: Path) -> None:
    mapping = written(tmp_path, "m.toml", '[columns]\nward = "don_vi"')
    path = written(tmp_path, "c.csv", "don_vi;thang;loai;so_vu", "00001;10/2025;Ma túy;7")
    assert "1 nhận" in ok("import", "counts", path, "--mapping", mapping)
    tracker = Tracker.open(city)
    assert tracker.monthly("00001", date(2025, 12, 31))["count"].sum() == 7
    tracker.store.close()


def test_a_file_of_events_is_imported_and_its_refusals_said_in_the_language(
    ok: Any, city: Path, tmp_path: Path
) -> None:
    path = written(
        tmp_path,
        "s.csv",
        "hotspot,event,on,ward,plan_year",
        "a,Designated,2025-10-20,00001,2025",
        "a,Released,2025-10-21,,",
    )
    said = ok("import", "status", path)
    assert "bước này không được phép vào lúc đó" in said
    assert "«Đưa ra khỏi diện» ngày 21/10/2025" in said
    assert "the step is not allowed" in ok("import", "status", path, "--lang", "en")
    assert json.loads(ok("import", "status", path, "--json"))["reasons"] == {"move_not_allowed": 1}


# -- recording and looking back


def designate(ok: Any) -> str:
    said: str = ok(
        "record", "a", "Designated", "--on", "2025-10-20",
        "--ward", "00001", "--plan-year", 2025, "--kinds", "1+3", "--by", "Bình", "--note", "Chợ",
    )  # fmt: skip
    return said


def test_an_event_is_recorded(ok: Any, city: Path) -> None:
    said, event_id = designate(ok).splitlines()
    assert said == "Đã ghi: Phê duyệt vào danh sách, a, ngày 20/10/2025 (số 3)."
    assert uuid.UUID(event_id.strip())
    (row,) = json.loads(ok("status", "--json", "--as-of", "2025-10-20"))["hotspots"]
    assert row == {
        "hotspot": "a",
        "name": "Phường Một",
        "ward": "00001",
        "edition": "2025-07-01",
        "plan_year": 2025,
        "status": "designated",
        "since": "2025-10-20",
        "watched_until": None,
    }


def test_a_past_day_keeps_its_status_after_later_events_and_a_correction(
    ok: Any, city: Path
) -> None:
    designate(ok)
    ok("record", "a", "WorkStarted", "--on", "2025-11-01")
    past = ("status", "--as-of", "2025-11-10")
    before, in_words = ok(*past, "--json"), ok(*past)
    ok("record", "a", "AssessedTransformed", "--on", "2025-12-18")
    assert (ok(*past, "--json"), ok(*past)) == (before, in_words)
    tracker = Tracker.open(city)
    assessed = tracker.hotspot("a", date(2025, 12, 31)).log[-1].event_id
    tracker.store.close()
    correction = ("record", "a", "Corrected", "--corrects", assessed, "--note", "biên bản")
    ok(*correction, "--on", "2025-12-28")
    assert (ok(*past, "--json"), ok(*past)) == (before, in_words)
    rows = json.loads(ok("status", "--as-of", "2025-12-20", "--json"))["hotspots"]
    assert rows[0]["status"] == "in_progress"
    rows = json.loads(ok("status", "--as-of", "2025-12-28", "--json"))["hotspots"]
    assert rows[0]["status"] == "transformed"
    ok(*correction, "--on", "2025-12-18", "--strike")
    assert (ok(*past, "--json"), ok(*past)) == (before, in_words)
    rows = json.loads(ok("status", "--as-of", "2025-12-28", "--json"))["hotspots"]
    assert rows[0]["status"] == "in_progress"


def test_the_status_is_a_table_in_words(ok: Any, city: Path) -> None:
    designate(ok)
    said = ok("status", "--as-of", "2025-10-20")
    for part in ("1 địa bàn", "Phường Một", "Đã phê duyệt", "20/10/2025", "2025"):
        assert part in said
    assert "Designated" in ok("status", "--as-of", "2025-10-20", "--lang", "en")


def test_a_name_that_looks_like_markup_is_printed_as_it_is(ok: Any, city: Path) -> None:
    name = "[bold]x[/nope]"
    ok("record", name, "Designated", "--on", "2025-10-20", "--ward", "00001", "--plan-year", 2025)
    assert name in ok("status", "--as-of", "2025-10-20")


# -- measures


def test_the_targets_are_measured_in_words_and_json(ok: Any, demo: None) -> None:
    said = ok("targets", "--as-of", DAY)
    assert "31/10/2026" in said
    assert "Tỷ lệ chuyển hóa, kế hoạch 2025" in said
    assert "Dữ liệu mô phỏng" in said
    measured = json.loads(ok("targets", "--as-of", DAY, "--json"))
    result = measured["transformed"]["2025"]
    assert result["denominator"] == 12
    assert f"({result['numerator']}/12)" in said
    assert measured["not_relapsed"]["reading"] == "official"
    assert measured["readings"]["official"] == measured["not_relapsed"]
    assert set(measured["readings"]) == {"official", "cohort", "survival", "survival_long"}
    assert measured["readings"]["survival"]["numbers"][0]["month"] == 0
    for projection in measured["year_end"]:
        assert sum(projection["distribution"]) == pytest.approx(1)
        assert 0 <= projection["probability"] <= 1
    assert {group["grouping"] for group in measured["groups"]} == {"kind", "listing", "region"}
    assert "Có tính thời gian theo dõi" in said
    assert "Dự báo đến 31/12/2026" in said
    assert set(measured["cohorts"]) == set(measured["transformed"])


def test_whether_it_worked_is_told_with_what_could_not_be_measured(demo: None, ok: Any) -> None:
    found = json.loads(ok("effect", "--as-of", DAY, "--json"))
    assert found["programme"]["verdict"] == "fewer"
    one = {each["hotspot"]: each for each in found["hotspots"]}["27316-2025"]
    assert (one["verdict"], one["months"], len(one["course"])) == ("fewer", 12, 12)
    assert one["familiar"]["neighbours"]
    assert found["not_measured"]["26833-2026"] == "too_early"
    said = ok("effect", "--as-of", DAY)
    assert "Ít hơn mức dự kiến" in said
    assert "Dữ liệu mô phỏng" in said
    tried = json.loads(ok("effect", "--as-of", DAY, "--placebo", "--json"))
    assert tried["shares"]["band"]["fewer"] <= 0.10
    assert "false alarm" in ok("effect", "--as-of", DAY, "--placebo", "--lang", "en")


@pytest.mark.parametrize("horizon", [3, 6, 12])
def test_the_risk_is_said_with_its_reasons(ok: Any, demo: None, horizon: int) -> None:
    found = json.loads(ok("risk", "--as-of", DAY, "--horizon", horizon, "--json"))
    shares = [row[f"p{horizon}"] for row in found["watched"]]
    assert found["horizon"] == horizon
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= share <= 1 for share in shares)
    assert all(row["reasons"][0]["code"] == "level_against_threshold" for row in found["watched"])
    said = ok("risk", "--as-of", DAY, "--horizon", horizon)
    assert all(row["name"] in said for row in found["watched"])
    assert "ngưỡng" in said
    assert "threshold" in ok("risk", "--as-of", DAY, "--lang", "en")


def test_the_risk_names_every_horizon_the_rung_and_the_open_alarms(ok: Any, demo: None) -> None:
    found = json.loads(ok("risk", "--as-of", DAY, "--json"))
    first = found["watched"][0]
    assert 0 <= first["p3"] <= first["p6"] <= first["p12"] <= 1
    assert (first["rank"], 0 <= first["points"] <= 9) == (1, True)
    assert first["alarms"][0]["code"] == "risk"
    assert first["alarms"][0]["open"] is True
    (standing,) = found["standing"].values()
    assert standing["needs"][0]["code"].startswith("rung_needs")
    assert {each["hotspot"] for each in found["alarms"]} <= {
        each["hotspot"] for each in found["watched"]
    }
    said = ok("risk", "--as-of", DAY)
    assert f"Cảnh báo chưa tiếp nhận: {len(found['alarms'])}" in said
    assert "100 %" not in said.replace("\xa0", " ").split("ngưỡng")[0]
    assert "! Nguy cơ tái phức tạp:" in said


def test_the_backtest_prints_the_model_card_in_words_and_json(ok: Any, demo: None) -> None:
    found = json.loads(ok("risk", "--as-of", DAY, "--backtest", "--json"))
    assert set(found) == {"as_of", "edition", "sources", "standing", "backtest"}
    for source in set(found["sources"].values()):
        metrics = found["backtest"][source]["metrics"]
        assert {row["model"] for row in metrics} >= {"base", "points", "simulation", "fitted"}
        assert set(found["backtest"][source]["verdicts"]) == {"3", "6", "12"}
    said = ok("risk", "--as-of", DAY, "--backtest", "--lang", "en")
    for words in ("The past outcomes it is tested on", "Ranking (AUC)", "As an alarm", "[alarms]"):
        assert words in said


def test_alarms_are_acknowledged_once_and_with_a_note(
    ok: Any, run: Run, demonstration: Tracker, demonstration_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(demonstration_folder, tmp_path / "store")
    hotspot = str(demonstration.alarms(date.fromisoformat(DAY)).findings[0].hotspot)
    assert "biện pháp" in refused(run("acknowledge", hotspot, "--code", "risk"))
    note = ("--note", "Tuần tra ban đêm", "--by", "chị Lan")
    assert "chị Lan" in ok("acknowledge", hotspot, *note)
    assert "Tuần tra ban đêm" in ok("log", hotspot)
    assert "chờ tiếp nhận" in refused(run("acknowledge", hotspot, *note))


def test_the_wards_of_two_editions_are_told_apart_by_code_and_name(ok: Any, demo: None) -> None:
    both = json.loads(ok("ward", "26740", "--json"))
    assert [(ward["edition"], ward["name"]) for ward in both] == [
        ("2025-01-01", "Bến Nghé"),
        ("2025-07-01", "Sài Gòn"),
    ]
    said = ok("ward", "hiệp bình")
    assert "Phường Hiệp Bình Phước + Phường Hiệp Bình Chánh + một phần Phường Linh Đông" in said
    assert "Không có phường, xã nào" in ok("ward", "không có nơi này")


def test_the_crosswalk_and_what_it_carries_are_told_in_words_and_numbers(
    ok: Any, demo: None
) -> None:
    (crosswalk,) = json.loads(ok("crosswalk", "list", "--json"))
    assert (crosswalk["pairs"], crosswalk["old_wards"], crosswalk["divided"]) == (493, 442, 47)
    assert "không chuyển đổi được" in ok("crosswalk", "list")
    found = json.loads(ok("crosswalk", "carried", "--json"))
    assert found["edition"] == "2025-07-01"
    assert found["carried"] + found["behind"] == pytest.approx(found["total"])
    assert {ward["reason"] for ward in found["behind_wards"]} == {"no_weight"}
    assert len(found["behind_wards"]) == len(crosswalk["cannot_be_carried"])
    assert all(0 < ward["share"] <= 1 for ward in found["estimated_wards"])
    assert "Không chuyển được" in ok("crosswalk", "carried")
    back = json.loads(ok("crosswalk", "carried", "--edition", "2025-01-01", "--json"))
    assert back["total"] == pytest.approx(found["total"])
    assert {ward["reason"] for ward in back["behind_wards"]} == {"backward_through_division"}


def test_a_boundary_file_is_checked_without_a_store_and_written_cleaned(
    ok: Any, run: Run, tmp_path: Path
) -> None:
    """Two wards that overlap by a tenth of a degree's hundredth, and a row without a code."""
    from shapely import box

    wards = gpd.GeoDataFrame(
        {"code": ["1", "2"], "name": ["Một", "Hai"]},
        geometry=[box(106, 10, 106.101, 10.1), box(106.1, 10, 106.2, 10.1)],
        crs="EPSG:4326",
    )
    wards.to_file(tmp_path / "wards.geojson", driver="GeoJSON")
    fixed = tmp_path / "fixed.gpkg"
    said = ok("boundaries", "check", tmp_path / "wards.geojson", "--fix", fixed)
    assert "1 cặp chồng lấn" in said
    assert "fixed.gpkg" in said
    found = json.loads(ok("boundaries", "check", fixed, "--json"))
    assert (found["overlap_ha"], found["cleaned"], found["problems"]) == (0, False, [])
    assert "không ghi đè" in refused(
        run("boundaries", "check", tmp_path / "wards.geojson", "--fix", fixed)
    )


def test_a_boundary_file_is_compared_with_an_edition_of_the_store(
    ok: Any, city: Path, boundary_file: Callable[..., Path]
) -> None:
    moved = boundary_file(0.1, ("00001", "00002", "10003", "10004"))
    against = ("--against", "2025-07-01", "--json")
    compared = json.loads(ok("boundaries", "check", moved, *against))["comparison"]
    assert (compared["in_both"], compared["only_here"], compared["only_there"]) == (2, 2, 2)
    assert compared["same_territory"] == 0
    assert "2 mã chung" in ok("boundaries", "check", moved, "--against", "2025-07-01")


def test_neighbours_are_listed_and_islands_named(ok: Any, city: Path) -> None:
    found = json.loads(ok("boundaries", "neighbours", "--json"))
    assert (len(found["pairs"]), found["islands"]) == (4, [])
    assert len(json.loads(ok("boundaries", "neighbours", "--corners", "--json"))["pairs"]) == 6
    assert len(json.loads(ok("boundaries", "neighbours", "--km", "1", "--json"))["pairs"]) == 6


def test_wards_are_ranked_with_reasons(ok: Any, demo: None) -> None:
    command = ("select", "--year", 2027, "--count", 5, "--as-of", DAY)
    found = json.loads(ok(*command, "--json"))["wards"]
    assert [row["rank"] for row in found] == [1, 2, 3, 4, 5]
    assert all(row["reasons"][0]["code"] == "high_level" for row in found)
    said = ok(*command)
    assert all(f"{row['name']} ({row['ward']})" in said for row in found)


def test_wards_are_chosen_by_kind_weights_and_rules(
    ok: Any, run: Any, demo: None, tmp_path: Path
) -> None:
    command = ("select", "--year", 2027, "--as-of", DAY, "--json")
    plain = json.loads(ok(*command))
    assert len(plain["wards"]) == 12
    assert plain["weights"] == {"smoothed_level": 1.0}
    first = plain["wards"][0]["ward"]
    rules = tmp_path / "rules.toml"
    rules.write_text(
        "[selection]\ncount = 3\nno_two_neighbours = true\n"
        f"[selection.excluded.{first}]\nrule = 'nông thôn mới'\nsource = '301/HD-BCĐ138'\n",
        "utf-8",
    )
    found = json.loads(ok(*command, "--rules", rules, "--kind", 4, "--preset", "unfinished_first"))
    assert found["kind"] == 4
    assert found["weights"] == {"smoothed_level": 1.0, "carried_over": 0.3, "relapse": 0.3}
    assert found["constraints"]["count"] == len(found["wards"]) == 3
    assert all(row["rank_low"] <= row["rank"] <= row["rank_high"] for row in found["wards"])
    assert {row["ward"]: row["reasons"][0]["code"] for row in found["left_out"]}[first] == (
        "left_excluded"
    )
    said = ok("select", "--year", 2027, "--as-of", DAY, "--rules", rules)
    assert "301/HD-BCĐ138" in said
    assert "Không chọn hai nơi giáp nhau." in said


def test_a_choice_is_written_as_a_workbook_and_that_is_logged(
    ok: Any, demonstration_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(demonstration_folder, tmp_path / "store")
    command = ("select", "--year", 2027, "--count", 3, "--as-of", DAY)
    ok(*command, "--out", tmp_path / "choice.xlsx")
    wards = json.loads(ok(*command, "--json"))["wards"]
    sheet = openpyxl.load_workbook(tmp_path / "choice.xlsx").worksheets[0]
    cells = {str(cell) for row in sheet.iter_rows(values_only=True) for cell in row}
    assert {row["ward"] for row in wards} <= cells
    assert "selection 2027" in ok("audit")


def test_wards_are_proposed_with_their_evidence_and_not_twice(
    ok: Any, run: Run, demonstration: Tracker, demonstration_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(demonstration_folder, tmp_path / "store")
    day = date.fromisoformat(DAY)
    table = demonstration.choose(demonstration.question(2027), day).table
    taken = demonstration.cannot_be_proposed(list(table.index), day)
    first, second = [str(ward) for ward in table.index if ward not in taken][:2]
    command = ("propose", "--year", 2027, "--on", DAY, "--by", "chị Lan")
    assert "1 địa bàn" in ok(*command, first)
    again = run(*command, first, second, "99999")
    assert again.exit_code == 1
    assert f"{second}-2027" in again.output
    assert all(f"\n{ward}: " in again.output for ward in (first, "99999"))
    (event,) = json.loads(ok("log", f"{first}-2027", "--json"))
    assert (event["by"], event["plan_year"]) == ("chị Lan", 2027)
    assert event["evidence"]["rank"] == table.loc[first, "rank"]
    assert f"hạng {table.loc[first, 'rank']} (" in ok("log", f"{first}-2027")


def test_rules_that_clash_are_told_with_exit_code_1(run: Any, demo: None, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("count = 1\nmust_include = ['26740', '26743']\n", "utf-8")
    for command in (("select", "--as-of", DAY), ("propose", "--on", DAY)):
        done = run(*command, "--year", 2027, "--rules", rules)
        assert done.exit_code == 1
        assert "không thể cùng thỏa mãn" in done.output


def test_a_way_of_choosing_is_tried_on_the_past(ok: Any, demo: None) -> None:
    command = ("select", "--year", 2027, "--as-of", DAY, "--backtest")
    found = json.loads(ok(*command, "--json"))
    assert [row["method"] for row in found["mean"]] == [
        "smoothed_level", "last_year", "three_year_mean",
    ]  # fmt: skip
    assert found["verdict"]["code"] in ("level_holds", "level_behind")
    assert "Mức đã làm mượt" in ok(*command)


def test_crime_groups_are_listed_with_their_rule(ok: Any, demo: None) -> None:
    found = json.loads(ok("crime-groups", "--as-of", DAY, "--json"))
    assert len(found["groups"]) == 168 * 8
    assert found["rule"]["look_back"] == 36
    said = ok("crime-groups", "--as-of", DAY)
    assert "Có nguy cơ phức tạp" in said


@pytest.mark.parametrize("kind", ["hotspot", "ward"])
def test_a_report_is_written(
    ok: Any, demo: None, demonstration: Tracker, tmp_path: Path, kind: str
) -> None:
    table = demonstration.snapshot(date(2026, 10, 31)).hotspots
    today = table[table["edition"].eq("2025-07-01")]
    which = table.index[0] if kind == "hotspot" else today["ward"].iloc[0]
    out = tmp_path / "report.html"
    assert "report.html" in ok("report", kind, which, "--out", out, "--as-of", DAY)
    page = out.read_text("utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "Dữ liệu mô phỏng" in page


def test_a_report_of_the_programme_is_written_even_before_there_is_a_hotspot(
    ok: Any, city: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    ok("report", "programme", "--out", out, "--as-of", "2025-12-31", "--lang", "en")
    assert "Report on the transformation programme" in out.read_text("utf-8")


@pytest.mark.parametrize(
    "command", [("status",), ("targets",), ("risk",), ("select", "--year", 2027)]
)
def test_without_a_day_a_demonstration_is_shown_as_it_ends(
    ok: Any, demo: None, command: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotspots.cli._today", lambda: date(2027, 3, 1))
    assert json.loads(ok(*command, "--json"))["as_of"] == DAY


# -- refusing


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("record a Released --on 2025-10-20 --ward 00001", "Được phép: Đề xuất"),
        (
            "record a Designated --on 2025-10-20 --ward 9 --plan-year 2025",
            "Mã 9 không có trong ranh giới 01/07/2025",
        ),
        (
            "record a Designated --on 2999-10-20 --ward 00001 --plan-year 2025",
            "Ngày 20/10/2999 là trong tương lai",
        ),
        (
            "record a Designated --on 2025-10-20 --ward 00001 --plan-year 1999",
            "Năm 1999 không có trong chương trình",
        ),
        (
            "record '' Designated --on 2025-10-20 --ward 00001 --plan-year 2025",
            "Dòng không nêu địa bàn",
        ),
        ("record a Corrected --on 2025-10-20", "không có sự kiện này để đính chính"),
        ("report hotspot none", "Không có địa bàn none"),
        ("report ward none", "Mã none không có trong ranh giới"),
        ("report programme --out no/such/folder.html", "không đọc hoặc ghi được"),
        ("select --year 2027", "Chưa có vụ việc hay số liệu tháng"),
        ("import incidents none.csv", "Không có tệp none.csv"),
        ("import incidents note.doc", "hãy lưu lại theo một trong các loại đó"),
        ("import counts empty.csv", "Tệp empty.csv rỗng"),
        ("import counts events.csv", "Thiếu cột: mã phường, xã, tháng, loại vụ việc, số vụ"),
        ("import status other.csv", "Thiếu cột: mã địa bàn trọng điểm, sự kiện, ngày"),
        ("import incidents events.csv --mapping note.txt", "Tệp ánh xạ không phải TOML"),
        ("programme add note.txt", "Tệp chương trình không phải TOML"),
        ("boundaries add note.txt --edition 2026-01-01", "Ở đây không đọc loại tệp"),
        ("boundaries add none.geojson --edition 2026-01-01", "Không có tệp none.geojson"),
        ("demo", "không trống"),
        ("status --store elsewhere", "Không có kho dữ liệu tại elsewhere"),
        ("serve --store elsewhere", "Không có kho dữ liệu tại elsewhere"),
        ("status --store mysql://x", "Không lưu được vào mysql://"),
    ],
)
def test_a_refusal_is_said_in_vietnamese_on_stderr(
    run: Run, city: Path, tmp_path: Path, words: str, said: str
) -> None:
    written(tmp_path, "note.txt", "not toml at all")
    written(tmp_path, "note.doc", "not a table")
    written(tmp_path, "empty.csv")
    written(tmp_path, "events.csv", "hotspot,event,on", "a,Designated,2025-10-20")
    written(tmp_path, "other.csv", "a,b", "1,2")
    message = refused(run(*shlex.split(words)))
    assert message.startswith("Lỗi: ")
    assert said in message


def test_a_refusal_is_said_in_english_when_asked(run: Run, city: Path) -> None:
    message = refused(
        run("record", "a", "Released", "--on", "2025-10-20", "--ward", "00001", "--lang", "en")
    )
    assert message.startswith("Error: 'Released from the list' on 20 Oct 2025 is not allowed")
    assert "Allowed: Proposed, Designated" in message


def test_boundaries_with_bad_rows_say_which_and_why(
    run: Run, tmp_path: Path, boundary_file: Callable[..., Path]
) -> None:
    doubled = boundary_file(0.0, ("00001", "00001", "00003", ""))
    message = refused(run("boundaries", "add", doubled, "--edition", "2025-07-01"))
    assert "dòng 2 (00001): trùng mã" in message
    assert "không có mã" in message


@pytest.mark.parametrize(
    "words",
    [
        ("record", "a", "Praised", "--on", "2025-10-20"),
        ("record", "a", "Designated"),
        ("record", "a", "Designated", "--on", "20-10-2025"),
        ("record", "a", "Designated", "--on", "2025-10-20", "--kinds", "one"),
        ("status", "--as-of", "yesterday"),
        ("risk", "--horizon", "7"),
        ("select", "--year", "2027", "--count", "0"),
        ("report", "city"),
        ("status", "--lang", "fr"),
        ("programme", "add", "none.toml"),
        ("programme", "add", "."),
        ("import", "incidents", "x.csv", "--mapping", "none.toml"),
        ("nonsense",),
    ],
)
def test_a_wrong_use_is_told_how_it_is_used(run: Run, city: Path, words: tuple[str, ...]) -> None:
    message = refused(run(*words), code=2)
    assert "Usage:" in message


def test_help_names_every_command(ok: Any) -> None:
    said = ok("--help")
    for command in ("demo", "serve", "boundaries", "programme", "import", "record"):
        assert command in said
    for command in ("status", "targets", "risk", "acknowledge", "select", "propose", "report"):
        assert command in said


def test_a_report_of_a_rejected_file_can_be_read_again(
    ok: Any, city: Path, points: Path, tmp_path: Path
) -> None:
    ok("import", "incidents", points, "--rejected", tmp_path / "r.csv", "--json")
    assert pd.read_csv(tmp_path / "r.csv")["Dòng"].tolist() == [2, 3]


# -- trust: approval, users, proof, backup


@pytest.fixture
def trusted(
    ok: Any, city: Path, tmp_path: Path, programme_text: str, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """The small city with approval in force, an administrator, a planner and a commander."""
    from argon2 import PasswordHasher

    from hotspots.records import users

    monkeypatch.setattr(users, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setenv("HOTSPOTS_NEW_PASSWORD", "bốn từ không ai đoán")
    monkeypatch.setenv("HOTSPOTS_PASSWORD", "bốn từ không ai đoán")
    text = programme_text.replace("required = false", "required = true")
    ok("programme", "add", written(tmp_path, "p2.toml", text))
    ok("user", "add", "admin", "administrator")
    ok("--user", "admin", "user", "add", "lan", "planner", "--display-name", "Chị Lan")
    ok("--user", "admin", "user", "add", "minh", "commander")
    return ok


def test_an_event_waits_until_a_second_person_approves_it(trusted: Any, run: Run) -> None:
    said = trusted("--user", "lan", "record", "a", "Designated", "--on", "2025-10-20", "--ward",
                   "00001", "--plan-year", 2025)  # fmt: skip
    assert "chờ người thứ hai duyệt" in said
    assert json.loads(trusted("--user", "lan", "status", "--json"))["hotspots"] == []
    (waiting,) = json.loads(trusted("--user", "minh", "pending", "--json"))
    assert "không có quyền" in refused(run("--user", "lan", "approve", waiting["id"]))
    assert "Đã duyệt" in trusted("--user", "minh", "approve", waiting["id"])
    (row,) = json.loads(trusted("--user", "lan", "status", "--json"))["hotspots"]
    assert row["status"] == "designated"
    assert "Không có gì chờ duyệt" in trusted("--user", "lan", "pending")


def test_what_is_sent_or_taken_back_does_not_count(trusted: Any) -> None:
    for name, command in (("minh", ("send-back", "--note", "sai")), ("lan", ("take-back",))):
        trusted("--user", "lan", "record", "a", "Designated", "--on", "2025-10-20", "--ward",
                "00001", "--plan-year", 2025)  # fmt: skip
        (waiting,) = json.loads(trusted("--user", "lan", "pending", "--json"))
        trusted("--user", name, *command, waiting["id"])
        assert json.loads(trusted("--user", "lan", "pending", "--json")) == []


def test_a_store_with_users_asks_who_acts_and_for_the_password(
    trusted: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "hãy đăng nhập" in refused(run("status"))
    monkeypatch.setenv("HOTSPOTS_PASSWORD", "a wrong one, quite long")
    assert "Tên hoặc mật khẩu không đúng" in refused(run("--user", "lan", "status"))


def test_users_are_listed_changed_disabled_and_audited(trusted: Any, run: Run) -> None:
    assert "Chị Lan" in trusted("--user", "admin", "user", "list")
    trusted("--user", "admin", "user", "role", "lan", "ward_officer", "--ward", "00001")
    trusted("--user", "admin", "user", "disable", "minh")
    assert "Tên hoặc mật khẩu không đúng" in refused(run("--user", "minh", "status"))
    trusted("--user", "admin", "user", "enable", "minh")
    trusted("--user", "lan", "user", "passwd", "lan")
    users = {u["name"]: u for u in json.loads(trusted("--user", "admin", "user", "list", "--json"))}
    assert users["lan"]["role"] == "ward_officer"
    actions = {a["action"] for a in json.loads(trusted("--user", "admin", "audit", "--json"))}
    assert {"user_added", "user_changed", "user_disabled", "signed_in"} <= actions
    assert "Khóa người dùng" in trusted("--user", "admin", "audit")


def test_a_report_names_a_head_that_verify_finds_again(
    trusted: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchors = tmp_path / "elsewhere" / "anchors.txt"
    anchors.parent.mkdir()
    monkeypatch.setenv("HOTSPOTS_ANCHORS", str(anchors))
    trusted("--user", "lan", "report", "programme", "--out", tmp_path / "r.html")
    assert len(anchors.read_text("utf-8").splitlines()) == 1
    said = trusted("--user", "minh", "verify", "--report", tmp_path / "r.html")
    assert "Nhật ký nguyên vẹn" in said
    assert "2 mốc" in said
    page = (tmp_path / "r.html").read_text("utf-8")
    head = re.search(r'name="hotspots-log" content="(\d+) (\w+)"', page)
    assert head is not None
    forged = page.replace(head[2], "0" * 64)
    written(tmp_path, "f.html", forged)
    result = run("--user", "minh", "verify", "--report", tmp_path / "f.html")
    assert result.exit_code == 1
    assert "Nhật ký từng kết thúc" in result.output
    assert head[2] != trusted("--user", "minh", "anchors").split()[1]


def test_a_backup_is_restored_into_an_empty_place_only(
    trusted: Any, run: Run, tmp_path: Path
) -> None:
    file, there = tmp_path / "b.zip", tmp_path / "restored"
    assert "Đã sao lưu" in trusted("--user", "admin", "backup", file)
    assert "Đã khôi phục" in trusted("restore", file, "--to", there)
    before = json.loads(trusted("--user", "lan", "targets", "--json"))
    after = json.loads(trusted("--user", "lan", "targets", "--json", "--store", there))
    assert before == after
    refused(run("restore", file, "--to", there))
    assert "không có quyền" in refused(run("--user", "lan", "backup", tmp_path / "c.zip"))
    trusted("--user", "admin", "store", "copy", there, tmp_path / "copied")
    assert "phiên bản hiện hành" in trusted("store", "migrate", "--store", tmp_path / "copied")
