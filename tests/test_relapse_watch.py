"""The watch over transformed hotspots, through the tracker: risk, alarms, the model card."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hotspots.errors import MoveRefused, NotAllowed, NotFound
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse_cases import HORIZONS
from hotspots.measures.relapse_ladder import RUNGS, CalibratedRisk
from hotspots.programme.acknowledgement import REOPENS_AFTER_DAYS
from hotspots.programme.status import EventType
from hotspots.relapse_watch import AlarmBoard
from hotspots.reports.charts import calibration_chart, svg
from hotspots.risk_words import (
    acknowledged_cells,
    alarm_line,
    backtest_alarm_cells,
    calibration_points,
    card_tables,
    chance,
    codes_to_acknowledge,
    feedback_lines,
    horizons_tested,
    label_cells,
    ladder,
    loudest,
    metrics_cells,
    model_in_force,
    open_alarms,
    ranked,
    reason_lines,
    record_lines,
    risk_cell_line,
    seen_line,
    settings_line,
    sources_tested,
    standing_lines,
    verdict_lines,
    watch_cells,
    watch_counts,
)
from hotspots.snapshot import Snapshot
from hotspots.text import LANGUAGES, texts
from hotspots.tracker import Entry, Tracker

DAY = date(2026, 10, 31)
NOW = datetime(2026, 10, 31, 9, tzinfo=UTC)
NOTE = "Tăng tuần tra ban đêm tại chợ"


@pytest.fixture(scope="module")
def snapshot(demonstration: Tracker) -> Snapshot:
    return demonstration.snapshot(DAY)


@pytest.fixture(scope="module")
def board(demonstration: Tracker) -> AlarmBoard:
    return demonstration.alarms(DAY)


def acknowledge(tracker: Tracker, hotspot: str, codes: tuple[str, ...], note: str = NOTE) -> None:
    tracker.acknowledge(hotspot, codes, note, on=DAY, by="chị Lan", today=DAY, now=NOW)


def most_urgent(board: AlarmBoard) -> tuple[str, tuple[str, ...]]:
    hotspot, findings = next(iter(open_alarms(board).items()))
    return hotspot, tuple(each.code for each in findings)


# -- alarms


def test_the_alarms_are_those_of_hotspots_under_watch_and_the_most_urgent_come_first(
    snapshot: Snapshot, board: AlarmBoard
) -> None:
    watched = set(snapshot.hotspots.index[snapshot.hotspots["watched_until"].notna()])
    assert {each.hotspot for each in board.findings} <= watched
    levels = [each.level for each in board.findings]
    assert levels == sorted(levels, key=("red", "amber", "note").index)
    assert all(each.open and each.seen is None for each in board.findings)


def test_the_forecasts_alarm_is_that_of_the_table(snapshot: Snapshot, board: AlarmBoard) -> None:
    told = {each.hotspot: each.level for each in board.findings if each.code == "risk"}
    table = snapshot.hotspots["alarm"]
    assert told == table[table.isin(["amber", "red"])].to_dict()
    counts = watch_counts(snapshot, board)
    assert counts.red == list(told.values()).count("red") == 1
    assert counts.amber == list(told.values()).count("amber") == 1
    assert counts.open == len(board.findings)
    assert counts.hotspots == len(open_alarms(board))


def test_a_store_without_hotspots_has_nothing_to_watch(small_city: Tracker) -> None:
    found, board = small_city.snapshot(DAY), small_city.alarms(DAY)
    assert (found.risk, found.risk_problem, board.findings) == (None, None, ())
    card = small_city.model_card(DAY)
    assert card.standing is None
    assert sources_tested(card) == ()
    assert len(watch_cells(found, board, texts("en")).rows) == 0
    assert watch_counts(found, board).watched == 0


# -- acknowledging


def refuses_what_cannot_be_acknowledged(
    tracker: Tracker, hotspot: str, codes: tuple[str, ...]
) -> None:
    before = len(tracker.latest_events(10_000))
    for given in (("nonsense",), (*codes, "nonsense"), ()):
        with pytest.raises(NotFound) as unknown:
            acknowledge(tracker, hotspot, given)
        assert unknown.value.reason == "alarm_not_found"
    with pytest.raises(NotFound):
        acknowledge(tracker, "no such hotspot", codes)
    for note in ("", "   "):
        with pytest.raises(MoveRefused) as empty:
            acknowledge(tracker, hotspot, codes, note)
        assert empty.value.reason == "acknowledgement_without_note"
    assert len(tracker.latest_events(10_000)) == before


def test_an_alarm_of_the_day_with_a_note_is_acknowledged_and_no_longer_open(
    demonstration_copy: Tracker,
) -> None:
    """What is not there or has no note is refused, and nothing is written."""
    tracker, say = demonstration_copy, texts("vi")
    hotspot, codes = most_urgent(tracker.alarms(DAY))
    p6 = tracker.snapshot(DAY).row(hotspot)["p6"]
    refuses_what_cannot_be_acknowledged(tracker, hotspot, codes)
    acknowledge(tracker, hotspot, codes)
    (event,) = tracker.latest_events(1)
    assert (event.hotspot, event.type, event.note) == (hotspot, EventType.ALARM_ACKNOWLEDGED, NOTE)
    assert event.evidence["alarms"]["risk"] == "red"
    assert event.evidence["p6"] == pytest.approx(p6)
    board = tracker.alarms(DAY)
    assert hotspot not in open_alarms(board)
    seen = {each.code: each for each in board.of(hotspot)}
    assert set(seen) == set(codes)
    assert NOTE in seen_line(seen["risk"], say)
    rows = acknowledged_cells(board, tracker.snapshot(DAY), say).rows
    assert [row[-1] for row in rows] == [NOTE] * len(codes)
    with pytest.raises(NotFound) as refused:
        codes_to_acknowledge(board, hotspot)
    assert refused.value.reason == "no_open_alarm"


def test_an_acknowledged_alarm_opens_again_when_its_level_rises_or_after_the_days(
    board: AlarmBoard,
) -> None:
    from hotspots.measures.alarms import with_acknowledgements
    from hotspots.programme.acknowledgement import Acknowledgement

    say = texts("en")
    red = next(each for each in board.findings if each.level == "red")
    for level, on, why in (
        ("amber", DAY, "reopened_risen"),
        ("red", DAY - timedelta(days=REOPENS_AFTER_DAYS + 1), "reopened_late"),
    ):
        seen = Acknowledgement("risk", level, on, "an", "patrols")
        (again,) = with_acknowledgements([red], {red.hotspot: {"risk": seen}}, DAY)
        assert again.open
        assert say(f"risk.{why}", days=REOPENS_AFTER_DAYS) in seen_line(again, say)


def test_only_who_may_record_acknowledges(
    staffed_demonstration_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(staffed_demonstration_folder, tmp_path / "store")
    tracker = Tracker.open(tmp_path / "store")
    planner = tracker.acting_as("thammuu")
    hotspot, codes = most_urgent(planner.alarms(DAY))
    for name in ("xem", "chihuy", "quantri"):
        with pytest.raises(NotAllowed):
            acknowledge(tracker.acting_as(name), hotspot, codes)
    with pytest.raises(NotAllowed):
        acknowledge(tracker, hotspot, codes)  # on nobody's behalf
    acknowledge(planner, hotspot, codes)
    (event,) = planner.latest_events(1)
    assert event.recorded_by == "thammuu"  # and not the name that was typed
    tracker.store.close()


# -- the day and what was known


def test_nothing_after_the_day_changes_risk_alarms_or_the_card(
    demonstration_copy: Tracker, tmp_path: Path
) -> None:
    tracker, day = demonstration_copy, date(2026, 2, 28)
    told = tracker.snapshot(day), tracker.alarms(day), tracker.model_card(day)
    shown = told[0].hotspots.index[told[0].hotspots["watched_until"].notna()]
    hotspot = str(shown[0])
    later = Entry(hotspot, EventType.RELAPSED, date(2026, 9, 30), "an", NOW, note="sau ngày đó")
    tracker.record(later, today=DAY)
    counts = tmp_path / "later.csv"
    ward = told[0].row(hotspot)["ward"]
    lines = [f"{ward},2026-11,{code},900" for code in tracker.programme().categories]
    counts.write_text("\n".join(["ward,month,category,count", *lines]), "utf-8")
    tracker.import_counts(counts, today=date(2026, 12, 31), now=NOW)
    again = tracker.snapshot(day), tracker.alarms(day), tracker.model_card(day)
    pd.testing.assert_frame_equal(told[0].hotspots, again[0].hotspots)
    assert told[0].risk is not None
    assert again[0].risk is not None
    assert told[0].risk.reasons == again[0].risk.reasons
    assert told[1].findings == again[1].findings
    for source, tested in told[2].tested.items():
        pd.testing.assert_frame_equal(tested.metrics, again[2].tested[source].metrics)


def test_what_was_not_yet_told_on_a_day_is_no_label_of_that_day(demonstration: Tracker) -> None:
    """Assessments of 2023 were told by the end of 2024, nothing later was."""
    known = datetime(2024, 12, 31, tzinfo=UTC)
    then = demonstration.model_card(DAY, known).past.recorded
    now = demonstration.model_card(DAY).past.recorded
    late = then["origin"] > "2024-09-30"
    assert late.any()
    assert then.loc[late, "y3"].isna().all()
    assert now.loc[now["origin"].between("2024-10-01", "2025-06-30"), "y3"].notna().any()


@pytest.mark.parametrize("day", [DAY, date(2025, 6, 30)])
def test_ranks_follow_the_probability_shown_over_all_watched_hotspots(
    demonstration: Tracker, day: date
) -> None:
    table = ranked(demonstration.snapshot(day))
    assert table["risk_rank"].to_list() == list(range(1, len(table) + 1))
    assert table["p6"].is_monotonic_decreasing


# -- the card


def test_the_card_says_where_its_labels_are_from_and_which_rung_is_reached(
    demonstration: Tracker, snapshot: Snapshot
) -> None:
    card = demonstration.model_card(DAY)
    assert snapshot.edition is not None
    assert card.edition == snapshot.edition.edition
    assert card.standing is snapshot.calibrated[card.edition]
    say = texts("en")
    steps = ladder(card.standing, say)
    assert [step.state for step in steps].index("here") == card.standing.rung
    assert [bool(step.need) for step in steps].index(True) == card.standing.rung + 1
    for row, horizon in zip(label_cells(card, say).rows, HORIZONS, strict=True):
        assert row[1] == say(f"risk.labels_{card.past.source(horizon)}")
        assert int(row[2]) == card.standing.labels.loc[horizon, "hotspots"]
        assert int(row[3]) == card.standing.labels.loc[horizon, "relapsed"]
    assert len(verdict_lines(card, say)) == len(HORIZONS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_of_the_card_can_be_said_and_drawn(
    demonstration: Tracker, language: str
) -> None:
    card, say = demonstration.model_card(DAY), texts(language)
    assert sources_tested(card)[0] == card.past.source(6)
    for source in sources_tested(card):
        for horizon in horizons_tested(card, source):
            cells = metrics_cells(card, source, horizon, say)
            assert len(cells.rows) == 5  # too few labels for a fitted model: none is shown
            assert sum("▶" in row[0] for row in cells.rows) == 1
            points = calibration_points(card, source, horizon)
            rows = card.tested[source].metrics
            here = rows[rows["horizon"].eq(horizon)]
            assert points["cases"].sum() == here["cases"].iloc[0]
            drawn = svg(calibration_chart(points, say))
            assert say("risk.predicted") in drawn
        assert all("nan" not in cell for row in backtest_alarm_cells(card, source, say).rows
                   for cell in row)  # fmt: skip
    assert len(record_lines(card, say)) == 2  # 3 and 6 months; 12 are not over yet
    assert all(len(cells.headers) == len(cells.rows[0]) for _, cells in card_tables(card, say))
    assert say.percent(0.3, 0) in settings_line(demonstration.programme().alarms, say)


def test_on_the_lowest_rung_the_score_is_the_model_in_use(demonstration: Tracker) -> None:
    card = demonstration.model_card(DAY)
    assert card.standing is not None
    lowest = replace(card.standing, rungs=dict.fromkeys(HORIZONS, 0))
    assert model_in_force(replace(card, standing=lowest), "emulated", 6) == "points"
    assert record_lines(replace(card, standing=lowest), texts("en")) == ()


def test_the_chart_of_calibration_holds_the_bins_and_their_counts() -> None:
    points = pd.DataFrame({"predicted": [0.1, 0.9], "observed": [0.0, 1.0], "cases": [30, 4]})
    specification = calibration_chart(points, texts("vi")).to_dict()
    data = [row for rows in specification["datasets"].values() for row in rows]
    assert [(row["number"], row["said"]) for row in data if "cases" in row] == [
        ("30", "10\xa0%"), ("4", "90\xa0%"),
    ]  # fmt: skip


# -- words


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_watched_hotspot_has_a_row_and_reasons_in_words(
    snapshot: Snapshot, board: AlarmBoard, language: str
) -> None:
    say = texts(language)
    table = watch_cells(snapshot, board, say)
    assert len(table.rows) == len(ranked(snapshot)) == 9
    assert all(len(row) == len(table.headers) for row in table.rows)
    assert say("risk.without_police") in table.headers
    assert len(feedback_lines(snapshot, board, say)) == len(board.feedback_reasons)
    for hotspot in ranked(snapshot).index:
        assert reason_lines(snapshot, str(hotspot), say)
    for findings in open_alarms(board).values():
        assert loudest(findings) in ("red", "amber", "note")
        assert all(alarm_line(each, say) for each in findings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_probability_is_said_to_be_certain(
    snapshot: Snapshot, board: AlarmBoard, language: str
) -> None:
    say = texts(language)
    assert [chance(p, say) for p in (0.0, 1.0)] == [say.chance(0.0), say.chance(1.0)]
    sure = {say.percent(0.0, 0), say.percent(1.0, 0)}
    for row in watch_cells(snapshot, board, say).rows:
        assert not sure & set(row[2:5])
    for line in (alarm_line(each, say) for each in board.findings if each.code == "risk"):
        assert f" {say.percent(1.0, 0)}" not in line


def hidden(snapshot: Snapshot, rung: int) -> Snapshot:
    """The same hotspots with probabilities that may not be shown, or that do not exist yet."""
    table = snapshot.hotspots.assign(alarm="", **{f"p{h}": np.nan for h in HORIZONS})
    why = Reason("no_better_than_base_rate", {"horizon": 6, "hotspots": 40, "skill": -0.1,
                                              "skill_low": -0.3, "skill_high": 0.1})  # fmt: skip
    months = Reason("rung_needs_months", {"months": 20, "needed": 24})

    def hide(found: CalibratedRisk) -> CalibratedRisk:
        return replace(
            found,
            rung=rung,
            rungs=dict.fromkeys(HORIZONS, rung),
            shown=dict.fromkeys(HORIZONS, False),
            verdicts=dict.fromkeys(HORIZONS, why if rung else months),
            needs=() if rung else (months,),
        )

    calibrated = {name: hide(each) for name, each in snapshot.calibrated.items()}
    return replace(snapshot, hotspots=table, calibrated=calibrated)


@pytest.mark.parametrize("rung", [0, 2])
def test_where_probabilities_are_hidden_ranks_and_points_are_shown_and_why(
    snapshot: Snapshot, board: AlarmBoard, rung: int
) -> None:
    say, found = texts("en"), hidden(snapshot, rung)
    table = watch_cells(found, board, say)
    assert say("risk.within", horizon=6) not in table.headers
    place = table.headers.index(say("column.rank"))
    assert [int(row[place]) for row in table.rows] == list(range(1, len(table.rows) + 1))
    assert say("risk.points") in table.headers
    assert not any("%" in row[table.headers.index(say("risk.without_police"))]
                   for row in table.rows)  # fmt: skip
    assert (watch_counts(found, board).red, watch_counts(found, board).amber) == (None, None)
    said = " ".join(standing_lines(found, say))
    assert ("24" in said) if rung == 0 else ("no better than the base rate" in said)
    first = str(ranked(found).index[0])
    assert risk_cell_line(found.row(first), 6, say).startswith("rank 1")
    assert RUNGS[rung] in ("points", "recalibrated")
