"""The best list under the rules of a plan, and which rules clash when there is none.

a - b - c      six wards in a row of neighbours; north: a, b, c; south: d, e, f
        |
f - e - d
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint

from hotspots.measures.choosing import (
    Choice,
    Rule,
    WardFacts,
    _conflict,
    _ordered,
    _OutOfTimeError,
    _Problem,
    _rules,
    choose,
    smallest_conflict,
)
from hotspots.programme.selection_rules import Constraints, Exclusion, Quota
from hotspots.text import LANGUAGES, texts

WARDS = list("abcdef")
FACTS = WardFacts(
    regions=dict(zip(WARDS, ["north"] * 3 + ["south"] * 3, strict=True)),
    neighbours={"a": ["b"], "b": ["c"], "c": ["d"], "d": ["e"], "e": ["f"]},
    kinds={"a": [1], "b": [1, 4], "d": [4], "e": [1]},
    units=dict(zip(WARDS, ["PC02"] * 2 + ["PC04"] * 4, strict=True)),
)
WHY = Exclusion("newly recognised", "301/HD")


def ranking(*score: float) -> pd.DataFrame:
    table = pd.DataFrame({"score": score}, WARDS[: len(score)]).astype(float)
    ordered = table.sort_values("score", ascending=False, kind="stable")
    return ordered.assign(rank=range(1, len(score) + 1))


def codes(choice: Choice) -> list[str]:
    return [reason.code for reason in choice.clash]


def holds(wards: tuple[str, ...], wanted: Constraints, facts: WardFacts) -> bool:
    """The rules once more, written without any mathematics."""
    chosen = set(wards)
    regions = set(facts.regions.values())
    kinds = {
        kind: sum(kind in facts.kinds.get(ward, ()) for ward in chosen) for kind in wanted.kinds
    }
    return (
        len(wards) == len(chosen) == wanted.count
        and set(wanted.must_include) <= chosen
        and not chosen & wanted.excluded.keys()
        and (
            not wanted.at_least_one_per_region
            or regions <= {facts.regions.get(ward) for ward in chosen}
        )
        and not (
            wanted.no_two_neighbours
            and any({a, b} <= chosen for a, others in facts.neighbours.items() for b in others)
        )
        and all(
            quota.at_least <= kinds[kind]
            and (quota.at_most is None or kinds[kind] <= quota.at_most)
            for kind, quota in wanted.kinds.items()
        )
        and all(
            sum(facts.units.get(ward) == unit for ward in chosen) <= most
            for unit, most in wanted.capacity.items()
        )
    )


quotas = st.builds(Quota, st.integers(0, 3), st.none() | st.integers(0, 3))
wanted_lists = st.builds(
    Constraints,
    count=st.integers(1, 6),
    must_include=st.lists(st.sampled_from(WARDS), max_size=2, unique=True).map(tuple),
    excluded=st.dictionaries(st.sampled_from(WARDS), st.just(WHY), max_size=2),
    at_least_one_per_region=st.booleans(),
    no_two_neighbours=st.booleans(),
    kinds=st.dictionaries(st.sampled_from([1, 4]), quotas, max_size=2),
    capacity=st.dictionaries(st.sampled_from(["PC02", "PC04"]), st.integers(0, 4), max_size=2),
)
score_lists = st.lists(st.integers(0, 9), min_size=6, max_size=6)


# -- properties


@settings(deadline=None, max_examples=80)
@given(score_lists, wanted_lists)
def test_the_answer_is_that_of_trying_every_list(score: list[int], wanted: Constraints) -> None:
    ranked = ranking(*score)
    totals = [
        ranked.loc[list(wards), "score"].sum()
        for wards in combinations(WARDS, wanted.count)
        if holds(wards, wanted, FACTS)
    ]
    choice = choose(ranked, wanted, FACTS)
    assert choice.feasible == bool(totals)
    if totals:
        assert holds(choice.wards, wanted, FACTS)
        assert choice.total == pytest.approx(max(totals))
        assert list(choice.wards) == sorted(choice.wards, key=lambda w: ranked.at[w, "rank"])
        assert set(choice.wards) <= choice.reasons.keys()
    else:
        assert choice.clash
    reasons = [*choice.clash, *(why for each in choice.reasons.values() for why in each)]
    assert all(texts(each).reason(w.code, w.facts) for w in reasons for each in LANGUAGES)


@settings(deadline=None, max_examples=60)
@given(score_lists, wanted_lists)
def test_a_clash_cannot_hold_and_holds_without_any_one_of_its_rules(
    score: list[int], wanted: Constraints
) -> None:
    candidates = _ordered(ranking(*score))
    rules = tuple(_rules(candidates, wanted, FACTS))
    problem = _Problem(candidates, rules)
    if problem.can_hold(rules):
        return
    conflict = smallest_conflict(rules, problem.can_hold)
    assert not problem.can_hold(conflict)
    for n in range(len(conflict)):
        assert problem.can_hold(conflict[:n] + conflict[n + 1 :])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.data())
def test_without_rules_the_first_k_are_chosen(score: list[int], data: st.DataObject) -> None:
    ranked = ranking(*score)
    count = data.draw(st.integers(1, len(score)))
    choice = choose(ranked, Constraints(count))
    assert list(choice.wards) == list(ranked.index[:count])
    assert {why.code for (why,) in choice.reasons.values()} == {"chosen_by_score"}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 2), min_size=6, max_size=6), wanted_lists, st.integers(0, 99))
def test_the_order_of_the_wards_changes_nothing(
    score: list[int], wanted: Constraints, seed: int
) -> None:
    ranked = ranking(*score)
    shuffled = ranked.sample(frac=1, random_state=seed)
    assert choose(ranked, wanted, FACTS) == choose(shuffled, wanted, FACTS)


# -- each rule


def test_a_ward_that_must_be_included_is_and_the_lowest_makes_room() -> None:
    choice = choose(ranking(6, 5, 4, 3, 2, 1), Constraints(2, must_include=("f",)), FACTS)
    assert choice.wards == ("a", "f")
    assert [why.code for why in choice.reasons["f"]] == ["chosen_must_include"]
    assert [why.code for why in choice.reasons["b"]] == ["left_for_others"]


def test_an_excluded_ward_is_left_out_with_the_rule_and_its_source() -> None:
    choice = choose(ranking(6, 5, 4), Constraints(2, excluded={"a": WHY}))
    assert choice.wards == ("b", "c")
    (why,) = choice.reasons["a"]
    assert why.facts == {"rank": 1, "rule": "newly recognised", "source": "301/HD"}
    assert [why.code for why in choice.reasons["c"]] == ["chosen_moved_up"]


def test_every_region_gets_a_ward() -> None:
    choice = choose(ranking(6, 5, 4, 3, 2, 1), Constraints(2, at_least_one_per_region=True), FACTS)
    assert choice.wards == ("a", "d")
    assert choice.reasons["d"][0].facts == {"rank": 4, "region": "south"}


def test_a_higher_total_beats_a_higher_first_ward() -> None:
    scores = ranking(5, 9, 5, 0, 0, 0)
    choice = choose(scores, Constraints(2, no_two_neighbours=True), FACTS)
    assert choice.wards == ("a", "c")
    assert choice.total == 10.0
    assert choice.reasons["b"][0].facts == {"rank": 1, "neighbour": "a"}


def test_quotas_of_kinds_and_the_capacity_of_a_unit_are_kept() -> None:
    scores = ranking(6, 5, 4, 3, 2, 1)
    least = choose(scores, Constraints(2, kinds={4: Quota(at_least=2)}), FACTS)
    assert least.wards == ("b", "d")
    assert least.reasons["d"][0].code == "chosen_for_kind"
    most = choose(scores, Constraints(2, kinds={1: Quota(at_most=1)}), FACTS)
    assert most.wards == ("a", "c")
    assert most.reasons["b"][0].facts == {"rank": 2, "kind": 1, "most": 1}
    capacity = choose(scores, Constraints(2, capacity={"PC02": 1}), FACTS)
    assert capacity.wards == ("a", "c")
    assert capacity.reasons["b"][0].facts == {"rank": 2, "unit": "PC02", "most": 1}


# -- clashes in words


def test_two_carried_over_neighbours_clash_with_the_rule_of_neighbours() -> None:
    wanted = Constraints(3, must_include=("a", "b", "f"), no_two_neighbours=True)
    choice = choose(ranking(6, 5, 4, 3, 2, 1), wanted, FACTS)
    assert choice.wards == ()
    told = {why.code: why.facts for why in choice.clash}
    assert told == {"clash_neighbours": {"wards": "a, b"}, "clash_must_include": {"wards": "a, b"}}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Constraints(7), ["clash_count"]),
        (Constraints(1, must_include=("a", "b")), ["clash_count", "clash_must_include"]),
        (Constraints(1, must_include=("z",)), ["clash_not_ranked"]),
        (
            Constraints(1, must_include=("a",), excluded={"a": WHY}),
            ["clash_must_include", "clash_excluded"],
        ),
        (Constraints(1, kinds={7: Quota(at_least=1)}), ["clash_kind_least"]),
        (Constraints(5, capacity={"PC04": 2}), ["clash_count", "clash_capacity"]),
        (Constraints(6, kinds={1: Quota(at_most=0)}), ["clash_count", "clash_kind_most"]),
        (
            Constraints(1, at_least_one_per_region=True),
            ["clash_count", "clash_region", "clash_region"],
        ),
        (Constraints(4, no_two_neighbours=True), ["clash_count", "clash_neighbours_most"]),
    ],
)
def test_a_clash_names_its_rules_and_no_others(wanted: Constraints, expected: list[str]) -> None:
    assert codes(choose(ranking(6, 5, 4, 3, 2, 1), wanted, FACTS)) == expected


def test_that_no_two_neighbours_are_chosen_is_one_rule_with_how_many_it_allows() -> None:
    choice = choose(ranking(6, 5, 4, 3, 2, 1), Constraints(5, no_two_neighbours=True), FACTS)
    assert choice.clash[1].facts == {"most": 3}
    fewer = Constraints(3, excluded={"a": WHY, "c": WHY, "e": WHY}, no_two_neighbours=True)
    assert choose(ranking(6, 5, 4, 3, 2, 1), fewer, FACTS).feasible  # b, d, f
    none = Constraints(3, excluded=dict.fromkeys("abc", WHY), no_two_neighbours=True)
    told = {why.code: why.facts for why in choose(ranking(*range(6, 0, -1)), none, FACTS).clash}
    assert told["clash_neighbours_most"] == {"most": 2}
    assert told["clash_excluded"] == {"wards": "a, b"}  # c, d, e, f hold two


def test_neighbours_that_are_not_both_asked_for_are_not_named() -> None:
    facts = WardFacts(
        regions=dict(zip("ab", ["north", "south"], strict=True)), neighbours={"a": "b"}
    )
    wanted = Constraints(2, at_least_one_per_region=True, no_two_neighbours=True)
    choice = choose(ranking(2, 1, 0), wanted, facts)
    assert codes(choice) == ["clash_region", "clash_region", "clash_neighbours_all"]


def test_a_conflict_of_one_rule_is_found_among_many() -> None:
    rules = [Rule(str(n), (), frozenset(), 0, 0) for n in range(9)]
    found = smallest_conflict(rules, lambda some: "7" not in {rule.code for rule in some})
    assert [rule.code for rule in found] == ["7"]


def test_nothing_ranked_is_a_clash_and_a_negative_score_an_error() -> None:
    assert codes(choose(ranking(), Constraints(1))) == ["clash_count"]
    with pytest.raises(ValueError, match="0 or more"):
        choose(ranking(-1.0), Constraints(1))


# -- a whole city


def triangles(side: int) -> tuple[list[str], WardFacts]:
    """Wards on a grid of triangles: each touches up to six, as in a real city."""
    at = {f"{x:02}{y:02}": (x, y) for x in range(side) for y in range(side)}
    steps = ((0, 1), (1, 0), (1, 1))
    near = {
        ward: [other for dx, dy in steps if (other := f"{x + dx:02}{y + dy:02}") in at]
        for ward, (x, y) in at.items()
    }
    return list(at), WardFacts(neighbours=near)


def scored(wards: list[str], seed: int) -> pd.DataFrame:
    score = np.sort(np.random.default_rng(seed).gamma(2, 20, len(wards)))[::-1]
    return pd.DataFrame({"score": score, "rank": range(1, len(wards) + 1)}, wards)


def test_more_wards_than_a_city_has_without_neighbours_are_told_at_once() -> None:
    """13 x 13 wards, 456 pairs: of each triangle one may be chosen, so a third of 169."""
    wards, facts = triangles(13)
    start = time.process_time()
    choice = choose(scored(wards, 0), Constraints(80, no_two_neighbours=True), facts)
    assert time.process_time() - start < 5
    assert [(why.code, dict(why.facts)) for why in choice.clash] == [
        ("clash_count", {"count": 80, "wards": 169}),
        ("clash_neighbours_most", {"most": 57}),
    ]


def test_a_clash_with_no_time_left_to_divide_it_is_still_one() -> None:
    wards, facts = triangles(5)
    out = dict.fromkeys(wards[:9], WHY)
    wanted = Constraints(9, excluded=out, no_two_neighbours=True)
    rules = tuple(_rules(_ordered(scored(wards, 1)), wanted, facts))
    problem = _Hurried(_ordered(scored(wards, 1)), rules)
    conflict, divided = _conflict(rules, problem)
    assert not divided
    assert {rule.code for rule in conflict} == {
        "clash_count", "clash_excluded", "clash_neighbours_all",
    }  # fmt: skip
    assert sum(rule.code == "clash_excluded" for rule in conflict) == 9
    assert not _Problem(_ordered(scored(wards, 1)), rules).can_hold(conflict)


class _Hurried(_Problem):
    """Has time to tell which kinds of rules clash, and no more."""

    def can_hold(self, rules: Sequence[Rule]) -> bool:
        left_out = len({rule.code for rule in rules} & {"clash_excluded"})
        if left_out and sum(rule.code == "clash_excluded" for rule in rules) < 9:
            raise _OutOfTimeError
        return super().can_hold(rules)


def test_what_is_not_told_in_time_is_said_so_with_what_to_do() -> None:
    choice = choose(ranking(3, 2, 1), Constraints(2), seconds=0)
    assert not choice.feasible
    assert not choice.is_told
    (why,) = choice.clash
    assert (why.code, why.facts) == ("no_list_in_time", {"count": 2, "wards": 3, "seconds": 0})
    assert "bớt điều kiện" in texts("vi").reason(why.code, why.facts)


class _NoTimeForTies(_Problem):
    def _run(self, cost: Any, rows: list[LinearConstraint], kept: float = 0.0) -> Any:
        if cost is self._behind:
            raise _OutOfTimeError
        return super()._run(cost, rows, kept)


class _NoTimeForClashes(_Problem):
    def can_hold(self, rules: Sequence[Rule]) -> bool:
        raise _OutOfTimeError


def test_a_list_known_to_be_best_stands_without_time_for_a_better_one_of_equal_total() -> None:
    candidates = _ordered(ranking(3, 2, 2, 1))
    rules = tuple(_rules(candidates, Constraints(2), WardFacts()))
    chosen = _NoTimeForTies(candidates, rules).best()
    assert chosen is not None
    assert candidates["score"].iloc[chosen].sum() == 5


def test_a_clash_that_is_known_is_said_without_time_to_narrow_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hotspots.measures.choosing._Problem", _NoTimeForClashes)
    choice = choose(ranking(3, 2, 1), Constraints(3, excluded={"a": WHY}))
    assert [why.code for why in choice.clash] == [
        "clash_count", "clash_excluded", "clash_undivided",
    ]  # fmt: skip
    assert choice.is_told


def test_scores_a_millionth_apart_are_told_apart_in_a_city_of_168() -> None:
    wards = [f"w{n:03}" for n in range(168)]
    score = np.linspace(1, 1 + 400e-6, 168)[::-1]
    ranked = pd.DataFrame({"rank": range(1, 169), "score": score}, wards)
    near = WardFacts(neighbours={wards[n]: [wards[n + 1]] for n in range(167)})
    choice = choose(ranked, Constraints(40, no_two_neighbours=True), near)
    assert choice.wards == tuple(wards[:80:2])
