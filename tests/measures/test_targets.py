"""Both targets: shares with denominators, intervals and verdicts."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from hotspots.measures.targets import (
    TargetResult,
    cohort_non_relapse,
    non_relapse_share,
    transformed_share,
    wilson,
)
from hotspots.programme.status import Enrolment, HotspotState, Watch

DAY = date(2026, 12, 31)
YEAR = 2025


def enrolled(*outcomes: str, year: int = YEAR, carried: bool = False) -> list[HotspotState]:
    """One hotspot for each outcome of the plan year."""
    return [
        HotspotState(
            hotspot=f"h{number}",
            as_of=DAY,
            enrolments=(Enrolment(f"h{number}", year, date(year, 2, 1), carried, outcome),),
        )
        for number, outcome in enumerate(outcomes)
    ]


def watched(*relapses: date | None, since: date = date(2025, 12, 18)) -> list[HotspotState]:
    """One transformed hotspot for each entry: the day of its relapse, or None."""
    return [
        HotspotState(
            hotspot=f"h{number}",
            as_of=DAY,
            watches=(Watch(f"h{number}", YEAR, since, relapsed_on=relapsed),),
        )
        for number, relapsed in enumerate(relapses)
    ]


def transformed(
    done: int, failed: int = 0, still_open: int = 0, target: float = 0.6
) -> TargetResult:
    states = enrolled(
        *["transformed"] * done, *["not_transformed"] * failed, *["open"] * still_open
    )
    return transformed_share(states, YEAR, target)


def official(kept: int, relapsed: int, as_of: date = date(2026, 12, 31)) -> TargetResult:
    states = watched(*[None] * kept, *[date(2026, 5, 1)] * relapsed)
    return non_relapse_share(states, as_of, 0.85, 12)


# -- intervals


# Published shares: Lâm Đồng 2020, 13 of 14; Hòa Bình, 22 of 31; and the most of 12 that miss 60 %.
# The ends: python -c "from scipy.stats import binomtest as b;
# print(b(13, 14).proportion_ci(.95, 'wilson'))" (scipy 1.17)
@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(13, 14, 68.5, 98.7), (22, 31, 53.4, 83.9), (7, 12, 32.0, 80.7)],
)
def test_the_interval_is_wilsons(part: int, whole: int, low: float, high: float) -> None:
    interval = wilson(part, whole)
    assert (round(100 * interval.low, 1), round(100 * interval.high, 1)) == (low, high)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_agrees_with_scipy(whole: int, data: st.DataObject, confidence: float) -> None:
    part = data.draw(st.integers(0, whole))
    # scipy.stats.binomtest(part, whole).proportion_ci(confidence, method="wilson")
    there = binomtest(part, whole, alternative="two-sided").proportion_ci(confidence, "wilson")
    here = wilson(part, whole, confidence)
    assert here.low == pytest.approx(max(there.low, 0), abs=1e-12)
    assert here.high == pytest.approx(min(there.high, 1), abs=1e-12)
    assert 0 <= here.low <= part / whole <= here.high <= 1


@pytest.mark.parametrize(("part", "whole"), [(1, 0), (0, 0), (3, 2), (-1, 2)])
def test_what_is_not_a_share_has_no_interval(part: int, whole: int) -> None:
    with pytest.raises(ValueError, match="not a share"):
        wilson(part, whole)


# -- transformed share


@pytest.mark.parametrize(
    ("done", "failed", "still_open", "verdict", "why"),
    [
        (0, 0, 0, "cannot_be_measured", "nothing_selected"),
        (6, 4, 0, "met", "enough_transformed"),
        (6, 0, 4, "met", "enough_transformed"),
        (5, 5, 0, "not_met", "too_few_possible"),
        (0, 5, 5, "not_met", "too_few_possible"),
        (5, 3, 2, "cannot_be_measured", "not_assessed_yet"),
        (0, 4, 6, "cannot_be_measured", "not_assessed_yet"),
        (0, 0, 10, "cannot_be_measured", "not_assessed_yet"),
    ],
)
def test_the_verdict_on_the_transformed_share(
    done: int, failed: int, still_open: int, verdict: str, why: str
) -> None:
    result = transformed(done, failed, still_open)
    assert (result.verdict, result.why) == (verdict, why)


@pytest.mark.parametrize(("done", "whole"), [(3, 5), (6, 10), (9, 15), (27, 45), (57, 95)])
def test_exactly_sixty_percent_is_met(done: int, whole: int) -> None:
    assert transformed(done, whole - done).verdict == "met"
    assert transformed(done - 1, whole - done + 1).verdict == "not_met"


def test_withdrawn_hotspots_stand_apart() -> None:
    states = enrolled("transformed", "transformed", "withdrawn", "not_transformed")
    result = transformed_share(states, YEAR, 0.6)
    assert (result.numerator, result.denominator) == (2, 3)
    assert result.behind["withdrawn"] == ("h2",)


def test_a_list_of_withdrawn_hotspots_cannot_be_measured() -> None:
    result = transformed_share(enrolled("withdrawn"), YEAR, 0.6)
    assert (result.verdict, result.why) == ("cannot_be_measured", "nothing_selected")
    assert (result.share, result.interval) == (None, None)


def test_a_carried_over_hotspot_counts_in_both_years() -> None:
    state = HotspotState(
        hotspot="h",
        as_of=DAY,
        enrolments=(
            Enrolment("h", 2024, date(2024, 2, 1), False, "not_transformed", date(2024, 12, 18)),
            Enrolment("h", 2025, date(2025, 1, 12), True, "transformed", date(2025, 12, 18)),
        ),
    )
    first, second = (transformed_share([state], year, 0.6) for year in (2024, 2025))
    assert (first.numerator, first.denominator) == (0, 1)
    assert (second.numerator, second.denominator) == (1, 1)
    assert (first.behind["carried_over"], second.behind["carried_over"]) == ((), ("h",))


def test_the_interval_speaks_of_those_assessed_only() -> None:
    assert transformed(3, 1, still_open=6).interval == wilson(3, 4)
    assert transformed(0, 0, still_open=6).interval is None


def test_the_share_is_of_all_selected() -> None:
    assert transformed(3, 1, still_open=4).share == 3 / 8


# -- non-relapse share


@pytest.mark.parametrize(
    ("kept", "relapsed", "verdict", "why"),
    [
        (0, 0, "cannot_be_measured", "nothing_transformed"),
        (17, 3, "met", "few_relapsed"),
        (16, 4, "not_met", "too_many_relapsed"),
        (0, 1, "not_met", "too_many_relapsed"),
        (5, 0, "met", "few_relapsed"),
    ],
)
def test_the_verdict_on_the_non_relapse_share(
    kept: int, relapsed: int, verdict: str, why: str
) -> None:
    result = official(kept, relapsed)
    assert (result.verdict, result.why) == (verdict, why)


def test_exactly_eighty_five_percent_is_met() -> None:
    assert official(17, 3).share == 0.85
    assert official(17, 3).verdict == "met"
    assert official(34, 6).verdict == "met"


def test_before_anybody_was_followed_long_enough_nothing_is_proved() -> None:
    last_day = date(2026, 12, 18)
    result = official(5, 0, as_of=last_day)
    assert (result.verdict, result.why) == ("cannot_be_measured", "nobody_followed_long_enough")
    assert not result.data_can_tell
    assert official(5, 0, as_of=last_day + timedelta(days=1)).verdict == "met"


def test_too_many_relapses_need_no_waiting() -> None:
    assert official(3, 2, as_of=date(2026, 6, 1)).verdict == "not_met"


def test_a_hotspot_transformed_twice_counts_twice() -> None:
    first, second = date(2023, 12, 18), date(2025, 12, 18)
    watches = (
        Watch("h", 2023, first, relapsed_on=date(2024, 5, 1)),
        Watch("h", 2025, second),
    )
    state = HotspotState(hotspot="h", as_of=DAY, watches=watches)
    result = non_relapse_share([state], DAY, 0.85, 12)
    assert (result.numerator, result.denominator) == (1, 2)
    assert (result.behind["kept"], result.behind["relapsed"]) == (("h",), ("h",))


def test_followed_are_those_past_their_watch_or_relapsed() -> None:
    states = [
        *watched(date(2026, 5, 1), None),
        HotspotState(hotspot="new", as_of=DAY, watches=(Watch("new", 2026, date(2026, 12, 1)),)),
    ]
    assert non_relapse_share(states, DAY, 0.85, 12).count("followed") == 2


# -- cohorts


@pytest.mark.parametrize(
    ("relapse", "as_of", "verdict", "why"),
    [
        (None, date(2026, 12, 30), "cannot_be_measured", "year_not_over"),
        (None, date(2026, 12, 31), "met", "few_relapsed"),
        (date(2026, 12, 31), date(2026, 12, 31), "not_met", "too_many_relapsed"),
        (date(2027, 1, 1), date(2027, 6, 1), "met", "few_relapsed"),
        (date(2026, 3, 1), date(2026, 6, 1), "not_met", "too_many_relapsed"),
    ],
)
def test_a_cohort_is_judged_by_the_end_of_the_next_year(
    relapse: date | None, as_of: date, verdict: str, why: str
) -> None:
    result = cohort_non_relapse(watched(relapse), YEAR, as_of, 0.85)
    assert (result.verdict, result.why) == (verdict, why)


def test_a_cohort_of_nobody_cannot_be_measured() -> None:
    result = cohort_non_relapse(watched(None), 2024, DAY, 0.85)
    assert (result.verdict, result.why) == ("cannot_be_measured", "nothing_transformed")


# -- what always holds

OUTCOMES = st.lists(
    st.sampled_from(["transformed", "not_transformed", "open", "withdrawn"]), max_size=40
)
TARGETS = st.floats(0.01, 1)


@given(OUTCOMES, TARGETS)
def test_the_transformed_share_is_a_recount_of_those_behind_it(
    outcomes: list[str], target: float
) -> None:
    result = transformed_share(enrolled(*outcomes), YEAR, target)
    assert result.numerator == result.count("transformed") == outcomes.count("transformed")
    parts = ("transformed", "not_transformed", "open")
    assert result.denominator == sum(result.count(part) for part in parts)
    assert result.count("withdrawn") == outcomes.count("withdrawn")
    _holds_together(result)


@given(st.lists(st.none() | st.dates(date(2026, 1, 1), DAY), max_size=40), TARGETS)
def test_the_non_relapse_share_is_a_recount_of_those_behind_it(
    relapses: list[date | None], target: float
) -> None:
    result = non_relapse_share(watched(*relapses), DAY, target, 12)
    assert result.numerator == result.count("kept") == relapses.count(None)
    assert result.denominator == result.count("kept") + result.count("relapsed") == len(relapses)
    _holds_together(result)


def _holds_together(result: TargetResult) -> None:
    assert 0 <= result.numerator <= result.denominator
    assert (result.share is None) == (result.denominator == 0)
    if result.verdict == "met":
        assert result.share is not None
        assert result.share >= result.target - 1e-9
    if result.verdict == "not_met":
        assert result.share is not None
        assert result.share < result.target
    if result.data_can_tell:
        assert result.interval is not None
        assert result.verdict != "cannot_be_measured"
        assert result.interval.low >= result.target or result.interval.high < result.target


def test_a_met_target_is_not_sure_because_many_may_still_relapse() -> None:
    """23 of 26 kept, 14 of them to the end: all below the target is possible, none is proven."""
    followed = watched(*[date(2026, 5, 1)] * 3, *[None] * 14)
    fresh = watched(*[None] * 9, since=date(2026, 10, 1))
    result = non_relapse_share([*followed, *fresh], date(2026, 12, 31), 0.85, 12)
    assert result.verdict == "met"
    assert not result.data_can_tell


def test_the_data_can_tell_once_the_interval_lies_on_one_side() -> None:
    assert not transformed(8, 4).data_can_tell
    assert transformed(80, 20).data_can_tell
    assert transformed(1, 11).data_can_tell
