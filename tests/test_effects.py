"""Whether it worked, on the demonstration city: by hotspot, as a whole, in words, as of a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hotspots.effect_words import (
    as_data,
    assessment_cells,
    assessment_lines,
    assessments_line,
    effect_cells,
    effect_problem_lines,
    familiar_lines,
    neighbour_lines,
    outcome_lines,
    programme_lines,
)
from hotspots.effects import Effects, measure_effects
from hotspots.measures.effect import safety_margin
from hotspots.measures.relapse import forward_risk
from hotspots.programme.status import EventType as E
from hotspots.records.store import Edition, Store
from hotspots.reports.charts import effect_chart
from hotspots.text import LANGUAGES, texts
from hotspots.tracker import Entry, Tracker

DAY = date(2026, 10, 31)


@pytest.fixture(scope="module")
def tracker(demonstration_folder: Path) -> Iterator[Tracker]:
    opened = Tracker(Store(demonstration_folder))
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def effects(tracker: Tracker) -> Effects:
    return tracker.effect(DAY)


def test_every_designated_hotspot_is_measured_or_says_why_not(
    effects: Effects, tracker: Tracker
) -> None:
    states = tracker.snapshot(DAY).states
    listed = {name for name, state in states.items() if state.enrolments}
    assert set(effects.hotspots) | set(effects.not_measured) == listed
    assert not set(effects.hotspots) & set(effects.not_measured)
    reasons = {error.reason for error in effects.not_measured.values()}
    assert reasons == {"before_too_short", "too_early", "withdrawn_from_plan"}


def test_a_hotspot_is_measured_on_its_own_edition_and_its_own_designation(effects: Effects) -> None:
    old = effects.hotspots["26740-2024"]
    assert (old.edition, old.name, old.ward) == ("2025-01-01", "Bến Nghé", "26740")
    assert (str(old.first), str(old.last), old.outcome.months) == ("2024-03", "2025-02", 12)
    real = effects.hotspots["27316-2025"]
    assert (real.since, str(real.first)) == (date(2025, 10, 20), "2025-11")


def test_the_simulated_programme_works_and_single_hotspots_often_cannot_tell(
    effects: Effects,
) -> None:
    assert effects.programme.verdict == "fewer"
    assert effects.count("fewer") >= 2
    assert effects.count("cannot_tell") >= 10


def test_what_is_counted_can_be_counted_again(effects: Effects, tracker: Tracker) -> None:
    found = effects.hotspots["27316-2025"]
    monthly = tracker.monthly(found.ward, DAY, tracker.boundaries.named(found.edition))
    after = monthly[monthly["month"].between("2025-11", "2026-10")]["count"].sum()
    before = monthly[monthly["month"].between("2024-11", "2025-10")]["count"].sum()
    assert found.familiar is not None
    assert found.outcome.observed == pytest.approx(after)
    assert (found.familiar.before, found.familiar.after) == (
        pytest.approx(before),
        pytest.approx(after),
    )
    by_hand = found.level * found.outcome.months * found.trend
    assert found.outcome.expected == pytest.approx(by_hand)
    parts = found.familiar
    wdd = (after - before) - (parts.control[1] - parts.control[0])
    wdd += parts.around[1] - parts.around[0]
    wdd -= parts.around_control[1] - parts.around_control[0]
    assert parts.difference.estimate == pytest.approx(wdd)


def test_neighbours_are_named_and_those_on_the_list_are_left_out(
    effects: Effects, tracker: Tracker
) -> None:
    found = effects.hotspots["27316-2025"]
    edition = tracker.boundaries.named(found.edition)
    names = tracker.boundaries.names(found.edition)["name"]
    around = {names[code] for code in tracker.boundaries.neighbours(edition).of(found.ward)}
    assert found.familiar is not None
    assert {*found.familiar.neighbours, *found.familiar.left_out} == around
    assert not around & set(found.familiar.similar)
    shown = tracker.snapshot(DAY)
    listed = set(shown.hotspots.loc[shown.hotspots["edition"].eq(found.edition), "name"])
    assert not set(found.familiar.neighbours) & (listed - {"Long Bình"})


def test_counts_after_the_day_change_nothing(tracker: Tracker) -> None:
    """The panel cut at the day gives every number again."""
    early = date(2026, 4, 30)
    snapshot = tracker.snapshot(early)
    sources = tracker._effect_sources(snapshot)

    def cut(edition: Edition) -> pd.DataFrame:
        panel = tracker.panel(edition)
        return panel[panel["month"] <= "2026-04"]

    found, again = tracker.effect(early), measure_effects(snapshot, replace(sources, panel=cut))
    assert found.programme == again.programme
    assert set(found.hotspots) == set(again.hotspots)
    for name, each in found.hotspots.items():
        other = again.hotspots[name]
        pd.testing.assert_frame_equal(each.outcome.course, other.outcome.course)
        assert (each.familiar, each.margin) == (other.familiar, other.margin)
        assert str(each.last) <= "2026-04"


def test_a_programme_without_hotspots_says_so(effects: Effects) -> None:
    none = replace(effects, hotspots={}, programme=replace(effects.programme, change=None))
    say = texts("vi")
    assert programme_lines(none, say) == (say("effect.programme_nothing"),)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_is_said_in_words(effects: Effects, tracker: Tracker, language: str) -> None:
    say = texts(language)
    for each in effects.hotspots.values():
        lines = outcome_lines(each, say)
        if each.familiar is not None:
            lines += neighbour_lines(each.familiar, say) + familiar_lines(each.familiar, say)
        assert all(lines)
        assert not any("nan" in line or "{" in line for line in lines)
    assert len(effect_cells(effects, say).rows) == len(effects.hotspots)
    problems = effect_problem_lines(effects, tracker.snapshot(DAY), say)
    assert len(problems) == 3
    assert effect_chart(effects.hotspots["27316-2025"].outcome.course, say).to_dict()["layer"]


def test_the_data_is_plain(effects: Effects) -> None:
    data = as_data(effects)
    assert {"as_of", "programme", "hotspots", "not_measured"} == set(data)


def test_made_up_designations_are_tried_on_the_own_history(tracker: Tracker) -> None:
    tried = tracker.effect_placebo(DAY)
    assert len(tried) > 20
    assert tried["band"].eq("fewer").mean() <= 0.10


# -- beside an assessment


def test_an_assessment_stands_beside_its_margin_on_that_day_and_what_was_to_be_expected(
    tracker: Tracker,
) -> None:
    found = tracker.assessments(DAY)["26809-2025"][-1]
    assert (found.on, found.since, found.after) == (date(2026, 8, 28), date(2025, 10, 20), 10)
    then = tracker.index(found.on)
    margin = safety_margin(
        then, tracker.programme().relapse, as_of=found.on, unit=tracker._unit(found.on)
    ).loc["26809"]
    assert (found.window, found.threshold, found.below) == tuple(
        margin[["window", "threshold", "below"]]
    )
    before = pd.DataFrame(
        {"area": ["26809"], "transformed_on": [found.since]}, index=["26809-2025"]
    )
    at_the_end = replace(tracker.programme().relapse, test_months=(7,))
    reaches = forward_risk(
        tracker.index(found.since),
        before,
        at_the_end,
        as_of=found.since,
        horizons=(10,),
        unit=tracker._unit(found.since),
    ).table.loc["26809-2025", "p10"]
    assert found.anyway == pytest.approx(1 - reaches)


def test_what_comes_after_an_assessment_changes_nothing_beside_it(tracker: Tracker) -> None:
    earlier = tracker.assessments(date(2026, 8, 31))
    later = tracker.assessments(DAY)
    assessed = [
        (n, each) for n, all_ in earlier.items() for each in all_ if each.on < date(2026, 8, 31)
    ]
    assert assessed
    for name, each in assessed:
        same = next(other for other in later[name] if other.on == each.on)
        assert each == same or (np.isnan(each.anyway) and np.isnan(same.anyway))


def test_a_hotspot_listed_again_keeps_what_stood_beside_its_first_assessment(
    demonstration_copy: Tracker,
) -> None:
    tracker, name = demonstration_copy, "27265-2025"
    (first,) = tracker.assessments(DAY)[name]
    assert (first.plan_year, first.on) == (2025, date(2025, 12, 18))
    now = datetime(2026, 10, 31, tzinfo=UTC)
    for kind, month in ((E.RELAPSED, 3), (E.DESIGNATED, 4), (E.WORK_STARTED, 5)):
        tracker.record(
            Entry(name, kind, date(2026, month, 5), "an", now, plan_year=2026, note="x"), today=DAY
        )
    before, open_one = tracker.assessments(DAY)[name]
    assert before == first
    assert (open_one.plan_year, open_one.on, open_one.since) == (2026, DAY, date(2026, 4, 5))


@pytest.mark.parametrize("language", LANGUAGES)
def test_assessments_are_told_in_words(tracker: Tracker, language: str) -> None:
    say, snapshot = texts(language), tracker.snapshot(DAY)
    found = [each for all_ in tracker.assessments(DAY).values() for each in all_]
    lines = [line for each in found for line in assessment_lines(each, say)]
    table = assessment_cells(found, snapshot, say)
    assert len(table.rows) == len(found)
    assert str(len(found)) in assessments_line(found, say)
    assert all("{" not in line and "nan" not in line.lower() for line in lines)
