"""Both targets in every reading, by group, and the year's end: put in order, past only."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hotspots.outlook import Outlook, outlook
from hotspots.programme.plan import Programme, RelapseRule
from hotspots.programme.status import Enrolment, EventType, HotspotState, Place, Status, Watch
from hotspots.reports.charts import projection_chart, survival_chart
from hotspots.reports.outlook import (
    facts,
    group_table,
    likelihood,
    outlook_lines,
    projection_lines,
    readings,
)
from hotspots.text import texts
from hotspots.tracker import Entry, Tracker

DAY = date(2026, 10, 31)
YEAR_END = date(2026, 12, 31)


def state(
    name: str,
    day: date,
    *,
    year: int,
    outcome: str = "open",
    kinds: Iterable[int] = (1,),
    carried: bool = False,
    transformed_on: date | None = None,
    relapsed_on: date | None = None,
) -> HotspotState:
    """One hotspot of one plan year, as it stands on a day."""
    watch = transformed_on is not None and transformed_on <= day
    relapsed = watch and relapsed_on is not None and relapsed_on <= day
    status = Status.RELAPSED if relapsed else Status.TRANSFORMED if watch else Status.IN_PROGRESS
    known = outcome if transformed_on is None else ("transformed" if watch else "open")
    return HotspotState(
        hotspot=name,
        as_of=day,
        status=status,
        place=Place("1", "2025-07-01", name, frozenset(kinds)),
        plan_year=year,
        enrolments=(Enrolment(name, year, date(year, 2, 1), carried, known),),
        watches=(Watch(name, year, transformed_on, relapsed_on=relapsed_on if relapsed else None),)
        if watch and transformed_on is not None
        else (),
    )


def city(day: date) -> dict[str, HotspotState]:
    """Ten of plan 2025 transformed in December, one relapsed since; six of plan 2026 open."""
    assert day <= DAY, "nobody may look past the day"
    rows = [
        state(f"a{n}", day, year=2025, transformed_on=date(2025, 12, 18), kinds=(1, 4)[: 1 + n % 2])
        for n in range(9)
    ]
    rows.append(
        state(
            "a9",
            day,
            year=2025,
            kinds=(),
            transformed_on=date(2025, 12, 18),
            relapsed_on=date(2026, 4, 2),
        )
    )
    rows += [state(f"b{n}", day, year=2026, carried=n < 2, kinds=(2,)) for n in range(5)]
    rows.append(state("b5", day, year=2026, outcome="not_transformed", kinds=(2,)))
    return {row.hotspot: row for row in rows if row.plan_year and row.plan_year <= day.year}


class Forecast:
    """A forecast that gives everybody the same, and remembers what it was asked."""

    def __init__(self, p: float = 0.1) -> None:
        self.p = p
        self.asked: list[tuple[date, int, tuple[int, ...], int]] = []

    def __call__(
        self, states: Iterable[HotspotState], day: date, rule: RelapseRule, months: int
    ) -> Mapping[str, float]:
        assert day <= DAY
        names = [each.hotspot for each in states]
        self.asked.append((day, len(names), rule.test_months, months))
        return dict.fromkeys(names, self.p)


@pytest.fixture
def found(programme: Programme) -> Outlook:
    return outlook(programme, city, DAY, Forecast())


# -- three readings


def test_the_three_readings_stand_side_by_side(found: Outlook) -> None:
    assert (found.official.numerator, found.official.denominator) == (9, 10)
    assert found.cohort_year == 2025
    assert found.cohort is not None
    assert (found.cohort.numerator, found.cohort.denominator) == (9, 10)
    assert (found.survival.verdict, found.survival.share) == ("cannot_be_measured", None)
    assert found.survival.hotspots == tuple(f"a{n}" for n in range(10))


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_reading_that_cannot_be_measured_says_so(found: Outlook, language: str) -> None:
    say = texts(language)
    official, cohort, survival = readings(found, say)
    assert official.share == say.percent(0.9)
    assert survival.share == "–"
    assert survival.verdict == say("verdict.cannot_be_measured")
    assert say("outlook.survival_none", horizon=12) in survival.lines
    assert survival.certainty == ""
    assert "2025" in cohort.title


def test_no_target_has_the_colour_of_its_point_value(programme: Programme) -> None:
    """Nine of ten are more than .85, and tell nothing about the true rate."""
    later = outlook(programme, lambda day: city(min(day, DAY)), YEAR_END, _silent)
    card = readings(later, texts("en"))[1]
    assert card.verdict == "Target met"
    assert card.certainty == "The data cannot tell yet"
    assert card.tone == ""


def _silent(
    states: Iterable[HotspotState], day: date, rule: RelapseRule, months: int
) -> Mapping[str, float]:
    return {}


# -- the year's end


def test_the_year_ends_with_those_who_can_still_fail(found: Outlook) -> None:
    transformed, official, cohort = found.projections
    assert (transformed.whole, transformed.failed, transformed.open) == (6, 1, 5)
    assert (transformed.may_fail, transformed.must_succeed) == (1, 4)
    assert (official.whole, official.failed, official.open) == (10, 1, 9)
    assert official.may_fail == 0
    assert cohort.distribution == official.distribution
    assert {each.until for each in found.projections} == {YEAR_END}


def test_the_forecast_is_asked_about_the_months_to_the_years_end(programme: Programme) -> None:
    forecast = Forecast()
    outlook(programme, city, DAY, forecast)
    now = [asked[1:] for asked in forecast.asked if asked[0] == DAY]
    assert sorted(now) == [(5, (12,), 2), (9, programme.relapse.test_months, 2)]
    assert all(day.month == 10 and day.day == 31 for day, *_ in forecast.asked)


def test_past_years_are_seen_from_the_same_day_and_ended_before(programme: Programme) -> None:
    def long_ago(day: date) -> dict[str, HotspotState]:
        rows = dict(city(day)) if day.year >= 2025 else {}
        for n in range(8):
            name = f"c{n}"
            relapse = date(2024, 11, 20) if n < 4 else None
            rows[name] = state(
                name, day, year=2023, transformed_on=date(2023, 12, 18), relapsed_on=relapse
            )
        return {name: each for name, each in rows.items() if day.year >= 2023}

    found = outlook(programme, long_ago, DAY, Forecast())
    assert found.official_end is not None
    learned = found.official_end.calibration
    assert (learned.years, learned.hotspots, learned.failed) == ((2024,), 8, 4)
    assert max(found.official_end.probabilities.values()) > 0.2  # foretold .1, and half relapsed


def test_on_the_last_day_nothing_is_open_and_nothing_is_asked(programme: Programme) -> None:
    def on(day: date) -> dict[str, HotspotState]:
        return city(min(day, DAY))

    forecast = Forecast()
    found = outlook(programme, on, YEAR_END, lambda *asked: _refuse(forecast, *asked))
    assert found.official_end is not None
    assert (found.official_end.open, found.official_end.decided) == (0, True)
    assert found.official_end.probability == 1


def _refuse(
    forecast: Forecast, states: Iterable[HotspotState], day: date, rule: RelapseRule, months: int
) -> Mapping[str, float]:
    assert months > 0
    return dict.fromkeys((each.hotspot for each in states), forecast.p)


def test_without_hotspots_there_is_no_projection(programme: Programme) -> None:
    found = outlook(programme, lambda _: {}, DAY, Forecast())
    assert (found.projections, found.groups, found.cohort) == ((), (), None)
    assert "–" in readings(found, texts("vi"))[1].share
    assert any(texts("vi")("outlook.cohort_none") in line for line in _all_lines(found, programme))


def _all_lines(found: Outlook, programme: Programme) -> list[str]:
    return list(outlook_lines(found, programme, texts("vi")))


@pytest.mark.parametrize("p", [0.001, 0.2, 0.6, 0.999, float("nan")])
@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_outlook_can_be_said(programme: Programme, p: float, language: str) -> None:
    say = texts(language)
    found = outlook(programme, city, DAY, Forecast(p))
    said = "\n".join(outlook_lines(found, programme, say))
    assert say("outlook.not_relapsed_title", target=say.percent(0.85, 0)) in said
    assert all(likelihood(each, say) in said for each in found.projections)


def test_what_must_happen_is_said_in_plain_words(found: Outlook) -> None:
    say = texts("en")
    transformed, official, _ = found.projections
    said = " ".join(projection_lines(transformed, say))
    assert "At least 4 of the 5 hotspots not assessed yet must succeed." in said
    assert "No further hotspot may relapse." in projection_lines(official, say)


# -- groups


def test_groups_recount_the_whole(found: Outlook) -> None:
    by_listing = found.groups_of("listing", 2026)
    assert {each.group: each.transformed.denominator for each in by_listing} == {
        "carried_over": 2,
        "new": 4,
    }
    by_kind = {each.group: each for each in found.groups_of("kind", 2025)}
    assert {group: each.not_relapsed.denominator for group, each in by_kind.items()} == {
        "1": 9,
        "4": 4,  # of those nine
        "none": 1,
    }
    assert by_kind["none"].not_relapsed.numerator == 0
    for grouping, total in (("listing", 16), ("kind", 20)):
        all_years = found.groups_of(grouping, None)
        assert sum(each.transformed.denominator for each in all_years) == total


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_group_is_shown_with_denominator_interval_and_verdict(
    found: Outlook, programme: Programme, language: str
) -> None:
    say = texts(language)
    table = group_table(found, "not_relapsed", 2025, programme, say)
    assert len(set(table.headers)) == len(table.headers) == 5
    rows = {row[0]: row for row in table.rows}
    assert rows[say("outlook.kind_none")][1:3] == (say.percent(0), "0/1")
    drugs = next(row for name, row in rows.items() if name.startswith("4."))
    assert drugs[2] == "4/4"
    assert "–" in drugs[3]


# -- figures


def test_the_curve_has_its_band_and_the_numbers_at_risk_under_it(found: Outlook) -> None:
    drawn = survival_chart(found.survival, texts("en")).to_dict()
    table = next(data for data in drawn["datasets"].values() if "low" in data[0])
    assert table[0]["month"] == 0
    assert table[-1]["share"] == pytest.approx(0.9)
    axis = drawn["layer"][0]["encoding"]["x"]["axis"]
    assert axis["values"] == list(range(0, 25, 3))
    assert '"0": "10"' in axis["labelExpr"]
    assert '"12": "0"' in axis["labelExpr"]


def test_the_ends_of_the_year_are_drawn_on_both_sides_of_the_target(found: Outlook) -> None:
    assert found.transformed_end is not None
    drawn = projection_chart(found.transformed_end, texts("en")).to_dict()
    (table,) = drawn["datasets"].values()
    assert {row["good"]: row["on"] for row in table if row["good"] >= 3} == {
        3: "missed",
        4: "on target",
        5: "on target",
    }
    assert sum(row["p"] for row in table) == pytest.approx(1, abs=2e-3)


# -- a relapse rule of growth

GROWTH = """rule = "growth"
quarters = 2
growth = 0.3
z = 1.645
test_months = [3, 6, 9, 12]
"""


def growing(text: str) -> str:
    """The programme with a relapse rule of growth."""
    start = text.index("rule = ")
    end = text.index("\n[", start) + 1
    return f"{text[:start]}{GROWTH}\n{text[end:]}"


def test_without_a_threshold_the_transformed_share_is_not_projected(programme: Programme) -> None:
    rule = RelapseRule.of_growth(quarters=2, growth=0.3, z=1.645)
    forecast = Forecast()
    found = outlook(replace(programme, relapse=rule), city, DAY, forecast)
    assert found.transformed_end is None
    assert [each.reading for each in found.projections] == ["official", "cohort"]
    assert {asked[2] for asked in forecast.asked} == {(3, 6, 9, 12)}
    for language in ("vi", "en"):
        assert list(outlook_lines(found, programme, texts(language)))


def test_a_store_with_a_rule_of_growth_is_measured_and_shown(demonstration_copy: Tracker) -> None:
    tracker = demonstration_copy
    tracker.add_programme(
        growing(tracker.programme().source), datetime(2026, 10, 31, 9, tzinfo=UTC)
    )
    snapshot = tracker.snapshot(DAY)
    watched = snapshot.hotspots[snapshot.hotspots["stage"] == "under_watch"]
    assert watched["p6"].notna().all()
    assert tracker.outlook(DAY).official_end is not None
    assert all(each.margin is None for each in tracker.effect(DAY).hotspots.values())
    codes = {each.code for name in watched.index for each in snapshot.reasons(name)}
    assert codes & {"growth_quarter", "growth_not_begun"}
    for name in watched.index[:2]:
        page = tracker.report("hotspot", name, as_of=DAY, made_on=DAY, language="vi")
        assert "năm được công nhận" in page or "quý đầu tiên" in page


# -- on a store


def test_the_command_line_the_page_and_the_report_are_one_answer(demonstration: Tracker) -> None:
    found = demonstration.outlook(DAY)
    snapshot = demonstration.snapshot(DAY)
    assert found is demonstration.outlook(DAY)
    assert found.official == snapshot.official
    assert found.cohort == snapshot.cohorts[found.cohort_year or 0]
    assert set(facts(found)) == {"readings", "year_end", "groups"}
    page = demonstration.report("programme", "", as_of=DAY, made_on=DAY, language="vi")
    say = texts("vi")
    for card in readings(found, say):
        assert card.title in page
        assert card.share in page
    assert say("outlook.curve") in page
    for projection in found.projections:
        assert likelihood(projection, say).replace("<", "&lt;").replace(">", "&gt;") in page


def test_what_comes_after_the_day_changes_nothing(
    demonstration_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later counts ten times as high, and a relapse recorded later: the day stays what it was."""
    day = date(2026, 7, 31)
    shutil.copytree(demonstration_folder, tmp_path / "first")
    shutil.copytree(demonstration_folder, tmp_path / "second")
    first, second = (Tracker.open(tmp_path / name) for name in ("first", "second"))
    plain = first.outlook(day)
    running = sorted(plain.official_end.probabilities) if plain.official_end else []
    now = datetime(2026, 10, 31, 9, tzinfo=UTC)
    entry = Entry(running[0], EventType.RELAPSED, date(2026, 8, 3), "test", now)
    second.record(entry, today=DAY)
    known: Callable[[Any], pd.DataFrame] = second.panel

    def later_is_worse(edition: Any) -> pd.DataFrame:
        panel = known(edition)
        return panel.assign(
            count=panel["count"].where(panel["month"] <= "2026-07", 10 * panel["count"])
        )

    monkeypatch.setattr(second, "panel", later_is_worse)
    changed = second.outlook(day)
    assert facts(changed) == facts(plain)
    assert second.outlook(DAY).official != first.outlook(DAY).official
    for tracker in (first, second):
        tracker.store.close()
