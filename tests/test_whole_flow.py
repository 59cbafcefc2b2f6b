"""From files to a report by the command line alone: once on a made-up town, once on real data."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hotspots.cli import app
from hotspots.text import texts
from hotspots.tracker import Tracker

REPOSITORY = Path(__file__).parents[1]
PROGRAMME = REPOSITORY / "data" / "hcmc_programme.toml"
SHARED = REPOSITORY.parent / "shared" / "data"
MAPPING = """
[columns]
date = "month"
[categories]
"Anti-social behaviour" = "public_disorder"
"Violence and sexual offences" = "homicide_assault"
"Criminal damage and arson" = "public_disorder"
"Burglary" = "theft"
"Other theft" = "theft"
"Shoplifting" = "theft"
"Vehicle crime" = "theft"
"Drugs" = "drugs"
"Public order" = "public_disorder"
"Bicycle theft" = "theft"
"Theft from the person" = "robbery"
"Robbery" = "robbery"
"Possession of weapons" = "homicide_assault"
"""


def hotspots(store: Path, *arguments: object, expect: int = 0) -> str:
    words = [*map(str, arguments), "--store", str(store)]
    result = CliRunner().invoke(app, words, env={"HOTSPOTS_LANG": "en"})
    assert result.exit_code == expect, result.output
    return result.output


def answer(store: Path, *arguments: object) -> object:
    return json.loads(hotspots(store, *arguments, "--json"))


def _staff(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add an administrator, a planner who acts from now on, and a commander."""
    for name in ("HOTSPOTS_PASSWORD", "HOTSPOTS_NEW_PASSWORD"):
        monkeypatch.setenv(name, "bốn từ không ai đoán")
    hotspots(store, "user", "add", "admin", "administrator")
    for name, role in (("lan", "planner"), ("minh", "commander")):
        hotspots(store, "--user", "admin", "user", "add", name, role)
    monkeypatch.setenv("HOTSPOTS_USER", "lan")


def _approve_all(store: Path) -> None:
    """Approve, as the commander, what the planner recorded."""
    for waiting in answer(store, "pending"):
        hotspots(store, "--user", "minh", "approve", waiting["id"])


def test_a_town_of_four_wards_goes_from_files_to_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    3 4    ward 4 is the busy one; it is designated, transformed, and watched
    1 2
    """
    store = tmp_path / "store"
    hotspots(store, "programme", "add", PROGRAMME)
    hotspots(store, "boundaries", "add", _town(tmp_path), "--edition", "2024-01-01")
    _staff(store, monkeypatch)
    receipt = answer(store, "import", "incidents", _incidents(tmp_path))
    assert receipt["accepted"] + receipt["rejected"] == receipt["rows"] == 3_000
    assert receipt["reasons"] == {"outside": 40}
    events = tmp_path / "events.csv"
    events.write_text(
        "hotspot,event,on,ward,plan_year,kinds\n"
        "4-2024,Designated,2024-02-01,4,2024,1+4\n"
        "4-2024,WorkStarted,01/03/2024,,,\n"
        "4-2024,AssessedTransformed,2024-12-20,,,\n"
        "2-2024,Relapsed,2024-12-20,,,\n",
        encoding="utf-8",
    )
    receipt = answer(store, "import", "status", events)
    assert (receipt["accepted"], receipt["rejected"]) == (3, 1)
    assert answer(store, "status", "--as-of", "2025-03-31")["hotspots"] == []
    _approve_all(store)
    day = ("--as-of", "2025-03-31")
    (listed,) = answer(store, "status", *day)["hotspots"]
    assert (listed["status"], listed["watched_until"]) == ("transformed", "2025-12-20")
    targets = answer(store, "targets", *day)
    assert targets["transformed"]["2024"]["verdict"] == "met"
    assert targets["not_relapsed"]["verdict"] == "cannot_be_measured"
    (watched,) = answer(store, "risk", *day)["watched"]
    assert (watched["p6"], watched["rank"]) == (None, 1)  # 15 months: a score, no probability
    assert watched["points"] >= 5
    assert watched["reasons"][0]["code"] == "level_against_threshold"
    chosen = answer(store, "select", "--year", "2025", "--count", "1", *day)["wards"]
    assert [ward["ward"] for ward in chosen] == ["4"]
    report = tmp_path / "report.html"
    hotspots(store, "report", "programme", "--out", report, *day)
    page = report.read_text("utf-8")
    assert "4-2024" in page
    monkeypatch.setenv("HOTSPOTS_USER", "minh")
    assert hotspots(store, "verify", "--report", report).count("1 anchors") == 1


def _town(folder: Path) -> Path:
    from shapely import box

    corners = {"1": (106, 10), "2": (106.1, 10), "3": (106, 10.1), "4": (106.1, 10.1)}
    squares = [box(x, y, round(x + 0.1, 1), round(y + 0.1, 1)) for x, y in corners.values()]
    wards = gpd.GeoDataFrame(
        {"code": list(corners), "name": ["An", "Bình", "Cường", "Dũng"]},
        geometry=squares,
        crs="EPSG:4326",
    )
    path = folder / "town.gpkg"
    wards.to_file(path, driver="GPKG")
    return path


def _incidents(folder: Path) -> Path:
    rng = np.random.default_rng(3)
    busy = rng.random(3_000) < 0.7
    months = pd.period_range("2024-01", "2025-03", freq="M")
    table = pd.DataFrame(
        {
            "lon": np.where(busy, 106.15, 106.05) + rng.uniform(-0.04, 0.04, 3_000),
            "lat": np.where(busy, 10.15, 10.05) + rng.uniform(-0.04, 0.04, 3_000),
            "date": rng.choice(months.astype(str), 3_000),
            "category": rng.choice(["theft", "robbery"], 3_000),
        }
    )
    table.loc[:39, "lon"] = 108.0
    path = folder / "incidents.csv"
    table.to_csv(path, index=False)
    return path


@pytest.mark.real_data
def test_real_wards_real_points_and_the_real_list_go_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """168 wards of 2025, 562,470 police-recorded points laid over them, the 12 hotspots of 2025.

    The points are English, of 2014; they are shifted onto the city and by eleven years, so that
    they meet the list's own dates. What is tested is the way, not the city.
    """
    if not SHARED.is_dir():
        pytest.skip("the real data is not beside the repository (../shared/data)")
    store = tmp_path / "store"
    hotspots(store, "programme", "add", PROGRAMME)
    wards_file = SHARED / "hcmc_wards_2025.parquet"
    found = answer(store, "boundaries", "add", wards_file, "--edition", "2025-07-01")
    assert found["units"] == 168
    assert found["islands"] == ["26732"]
    _staff(store, monkeypatch)
    points, mapping = _shifted_points(tmp_path, wards_file)
    receipt = answer(store, "import", "incidents", points, "--mapping", mapping)
    assert receipt["rows"] == 562_470
    assert receipt["accepted"] + receipt["rejected"] == receipt["rows"]
    assert set(receipt["reasons"]) <= {"outside", "unknown_category", "swapped_suspected"}
    assert receipt["reasons"]["unknown_category"] == 4_671  # "Other crime" is left unmapped
    again = answer(store, "import", "incidents", points, "--mapping", mapping)
    assert (again["new"], again["accepted"]) == (0, receipt["accepted"])
    listed = answer(store, "import", "status", _events_of_2025(tmp_path))
    assert listed["rejected"] == 0
    day = ("--as-of", "2025-12-31")
    _approve_all(store)
    assert len(answer(store, "status", *day)["hotspots"]) == 12
    targets = answer(store, "targets", *day)
    share = targets["transformed"]["2025"]
    assert (share["numerator"], share["denominator"], share["verdict"]) == (8, 12, "met")
    watched = answer(store, "risk", *day)["watched"]
    assert len(watched) == 8
    # eleven months of counts are too few for a probability, not for a score and a rank
    assert all(row["p6"] is None and row["points"] >= 0 and row["reasons"] for row in watched)
    assert sorted(row["rank"] for row in watched) == list(range(1, 9))
    assert len(answer(store, "select", "--year", "2026", *day)["wards"]) == 12
    tracker = Tracker.open(store).acting_as("lan")
    panel = tracker.panel(tracker.editions()[0])
    assert panel["count"].sum() == receipt["accepted"]
    assert len(panel) == 168 * 11 * len(tracker.programme().categories)
    report = tmp_path / "report.html"
    hotspots(store, "report", "programme", "--out", report, *day)
    page = report.read_text("utf-8")
    assert hotspots(store, "--user", "minh", "verify", "--report", report)
    _, one_by_one = page.split(f"<h2>{texts('en')('report.sections')}</h2>")
    assert one_by_one.count('class="one"') == 12
    assert "Simulated" not in page


def _shifted_points(folder: Path, wards_file: Path) -> tuple[Path, Path]:
    """Lay the points over the mainland, month by month eleven years later."""
    points = pd.read_parquet(SHARED / "crime_points_small.parquet")
    mainland = gpd.read_parquet(wards_file).query("code != '26732'")
    west, south, east, north = mainland.total_bounds
    lon, lat = points["lon"], points["lat"]
    shifted = pd.DataFrame(
        {
            "lon": west + (lon - lon.min()) / (lon.max() - lon.min()) * (east - west),
            "lat": south + (lat - lat.min()) / (lat.max() - lat.min()) * (north - south),
            "month": points["month"].astype(str).str.replace("2014", "2025"),
            "category": points["category"].astype(str),
        }
    )
    path, mapping = folder / "points.parquet", folder / "mapping.toml"
    shifted.to_parquet(path)
    mapping.write_text(MAPPING, encoding="utf-8")
    return path, mapping


def _events_of_2025(folder: Path) -> Path:
    """The real designations; the assessments after them are made up, 8 of 12 transformed."""
    real = pd.read_csv(REPOSITORY / "data" / "hcmc_designated_2025.csv", dtype=str)
    rows = []
    for number, (ward, kinds) in enumerate(real.itertuples(index=False)):
        hotspot = f"{ward}-2025"
        ended = "AssessedTransformed" if number < 8 else "AssessedNotTransformed"
        rows.append((hotspot, "Designated", "2025-10-20", ward, "2025", kinds))
        rows.append((hotspot, "WorkStarted", "2025-11-03", "", "", ""))
        rows.append((hotspot, ended, "2025-12-18", "", "", ""))
    path = folder / "events.csv"
    columns = ["hotspot", "event", "on", "ward", "plan_year", "kinds"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


@pytest.mark.real_data
def test_counts_of_2024_on_old_wards_stand_on_the_real_wards_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real change of 1 July 2025: 273 old wards with boundaries, 441 in the official list.

    Boundaries and pairs are real; the counts are made up, for no counts by old ward are published.
    """
    if not SHARED.is_dir():
        pytest.skip("the real data is not beside the repository (../shared/data)")
    store = tmp_path / "store"
    hotspots(store, "programme", "add", PROGRAMME)
    for file, day in (("hcmc_wards_273", "2025-01-01"), ("hcmc_wards_2025", "2025-07-01")):
        hotspots(store, "boundaries", "add", SHARED / f"{file}.parquet", "--edition", day)
    days = ("--from", "2025-01-01", "--to", "2025-07-01")
    found = answer(store, "crosswalk", "add", SHARED / "crosswalk.csv", *days)
    assert (found["old_wards"], found["divided"], found["set_aside"]) == (441, 47, 173)
    _staff(store, monkeypatch)
    sixteen = {code for code, _ in found["cannot_be_carried"]}
    assert len(sixteen) == 16
    counts, total = _counts_on_old_wards(tmp_path)
    refused = hotspots(store, "import", "counts", counts, "--json", expect=1)
    assert json.loads(refused)["reasons"] == {"no_edition": 441 * 12}
    receipt = answer(store, "import", "counts", counts, "--edition", "2025-01-01")
    assert receipt["rejected"] == 0

    carried = answer(store, "crosswalk", "carried")
    assert carried["edition"] == "2025-07-01"
    assert carried["total"] == pytest.approx(total, abs=1e-6)
    assert carried["carried"] + carried["behind"] == pytest.approx(total, abs=1e-6)
    assert {row["ward"] for row in carried["behind_wards"]} == sixteen
    assert {row["reason"] for row in carried["behind_wards"]} == {"no_weight"}
    estimated = {row["ward"]: row["share"] for row in carried["estimated_wards"]}
    assert "26809" in estimated  # Hiệp Bình has a part of Linh Đông
    assert 0 < estimated["26809"] < 0.5
    tracker = Tracker.open(store).acting_as("lan")
    march = tracker.panel(tracker.editions()[1]).query("month == '2024-03'").set_index("ward")
    assert march.loc["26743", "known"].all()  # Bến Thành
    assert not march.loc["25747", "known"].any()  # Thủ Dầu Một: a part could not be carried

    both = answer(store, "ward", "26740")
    assert [(ward["edition"], ward["name"]) for ward in both] == [
        ("2025-01-01", "Phường Bến Nghé"),
        ("2025-07-01", "Sài Gòn"),
    ]
    hotspots(
        store, "record", "26740-2024", "Designated", "--on", "2024-03-01", "--plan-year", "2024",
        "--ward", "26740", "--edition", "2025-01-01",
    )  # fmt: skip
    hotspots(
        store, "record", "26740-2026", "Designated", "--on", "2026-03-01", "--plan-year", "2026",
        "--ward", "26740",
    )  # fmt: skip
    _approve_all(store)
    table = {row["hotspot"]: row["name"] for row in answer(store, "status")["hotspots"]}
    assert table == {"26740-2024": "Phường Bến Nghé", "26740-2026": "Sài Gòn"}
    tracker.store.close()


def _counts_on_old_wards(folder: Path) -> tuple[Path, int]:
    """Twelve months of 2024 in every old ward of the official list."""
    pairs = pd.read_csv(SHARED / "crosswalk.csv", dtype=str)
    wards = sorted(pairs.loc[pairs["official"].eq("True"), "old_code"].dropna().unique())
    months = pd.period_range("2024-01", "2024-12", freq="M").astype(str)
    cells = pd.MultiIndex.from_product([wards, months], names=["ward", "month"])
    number = np.random.default_rng(5).poisson(9, len(cells))
    path = folder / "counts.csv"
    pd.DataFrame({"category": "theft", "count": number}, index=cells).to_csv(path)
    return path, int(number.sum())
