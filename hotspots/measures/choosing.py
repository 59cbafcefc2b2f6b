"""Which wards to choose under the rules of a plan: the best list there is, or which rules clash.

The list with the highest total score is found exactly, as a 0-1 linear programme (HiGHS by
`scipy.optimize.milp`). Scores are compared to a millionth of the highest. Of lists of equal total,
the one with the better ranks is taken, so the same wards give the same list whatever their order.

Where the rules cannot all hold, the answer is a smallest conflict: rules that cannot hold together,
of which any one given up would let the others hold (an irreducible infeasible subset, found by
QuickXplain: Junker 2004, AAAI-04, 167-172). There may be other conflicts besides. That no two
neighbours are chosen is one rule, whatever the number of pairs; a pair is named by itself only
where both its wards must be included, since giving up one of the two would do.

A question is given a few seconds by the clock; what is not told by then is said to be unknown,
never guessed. A list known to be best stands, even if no time was left to look for one of equal
total and better ranks; of a clash that is known, rules may then stand undivided.

Reason codes and their facts:

======================  =========================================================================
chosen_by_score         rank
chosen_must_include     rank
chosen_for_region       rank, region: the only one of its region, below the first K
chosen_for_kind         rank, kind: needed for the least number of its kind, below the first K
chosen_moved_up         rank: below the first K, as wards before it could not be taken
left_excluded           rank, rule, source: among the first K but not chosen (so are the next)
left_neighbour          rank, neighbour (a chosen one that it touches)
left_capacity           rank, unit, most
left_kind               rank, kind, most
left_for_others         rank: gave way so that all rules hold
clash_count             count, wards (that have a rank)
clash_must_include      wards
clash_not_ranked        wards: must be included, but have no rank
clash_excluded          wards
clash_region            region (named by the rule "at least one per region")
clash_neighbours        wards: two that must be included, but touch
clash_neighbours_all    (none): no two neighbours may be chosen
clash_neighbours_most   most: the same, where the other rules then allow fewer than the count
clash_kind_least        kind, least
clash_kind_most         kind, most
clash_capacity          unit, most
clash_undivided         seconds: no time was left to find out which of the other rules matter
no_list_in_time         count, wards (that have a rank), seconds: neither list nor clash is known
======================  =========================================================================
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd
import scipy.sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from hotspots.measures.reasons import Reason
from hotspots.programme.selection_rules import Constraints

SECONDS: Final = 4.0
"""What a question may take, by the clock on the wall; a city of 168 wards mostly needs a tenth."""

_Part = TypeVar("_Part")
_NEIGHBOURS: Final = "clash_neighbours_all"
_TO_COUNT: Final = 0.2  # share of the time kept for telling how many wards a clash allows
_STEPS: Final = 1_000_000  # of the highest score: what two scores must differ by to differ
_TIE_SEED: Final = 20251020
_OPTIMAL: Final = 0
_OUT_OF_TIME: Final = 1
_INFEASIBLE: Final = 2


@dataclass(frozen=True)
class WardFacts:
    """What the rules of a choice ask about wards; a ward that is not in a mapping has none.

    Attributes
    ----------
    regions : mapping of str to str
        Region by ward.
    neighbours : mapping of str to collection of str
        Who touches whom; one direction will do.
    kinds : mapping of str to collection of int
        Kinds of hotspot that the ward would be chosen for.
    units : mapping of str to str
        Responsible unit by ward.
    """

    regions: Mapping[str, str] = field(default_factory=dict)
    neighbours: Mapping[str, Collection[str]] = field(default_factory=dict)
    kinds: Mapping[str, Collection[int]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A list of wards that keeps to all rules, or the rules that clash.

    Attributes
    ----------
    wards : tuple of str
        In order of rank; empty when there is no such list.
    total : float
        Sum of their scores.
    reasons : mapping of str to tuple of Reason
        Of every chosen ward, and of every ward of the first K that was left out.
    clash : tuple of Reason
        Empty when there is a list; otherwise rules that cannot hold together, none too many (or,
        where there was no time to tell, more of them: `clash_undivided`); `no_list_in_time` alone
        where nothing is known.
    """

    wards: tuple[str, ...]
    total: float
    reasons: Mapping[str, tuple[Reason, ...]]
    clash: tuple[Reason, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether a list is there that keeps to all rules."""
        return not self.clash

    @property
    def is_told(self) -> bool:
        """Whether the time sufficed to find a list or a clash."""
        return [reason.code for reason in self.clash] != ["no_list_in_time"]


def choose(
    ranked: pd.DataFrame,
    constraints: Constraints,
    facts: WardFacts | None = None,
    *,
    seconds: float = SECONDS,
) -> Choice:
    """Return the wards with the highest total score that keep to all rules.

    Parameters
    ----------
    ranked : pd.DataFrame
        Index ward code, columns `rank` and `score` (0 or more), from `selection.rank_wards` or
        `components.weighted_ranking`. Wards that are not in it cannot be chosen.
    constraints : Constraints
    facts : WardFacts, optional
    seconds : float
        What the answer may take.

    Raises
    ------
    ValueError
        If a score is negative or unknown, or a ward has two rows.

    Examples
    --------
    >>> ranked = pd.DataFrame({"rank": [1, 2, 3], "score": [9.0, 8.0, 1.0]}, ["a", "b", "c"])
    >>> touching = WardFacts(neighbours={"a": ["b"]})
    >>> choose(ranked, Constraints(2, no_two_neighbours=True), touching).wards
    ('a', 'c')
    >>> clash = choose(ranked, Constraints(3, no_two_neighbours=True), touching).clash
    >>> [reason.code for reason in clash]
    ['clash_count', 'clash_neighbours_most']
    """
    _check(ranked)
    candidates = _ordered(ranked)
    try:
        return _answer(candidates, constraints, facts or WardFacts(), seconds)
    except _OutOfTimeError:
        facts_ = {"count": constraints.count, "wards": len(candidates), "seconds": seconds}
        return Choice((), 0.0, {}, (Reason("no_list_in_time", facts_),))


def _answer(
    candidates: pd.DataFrame, constraints: Constraints, known: WardFacts, seconds: float
) -> Choice:
    rules = tuple(_rules(candidates, constraints, known))
    problem = _Problem(candidates, rules, seconds)
    taken = problem.best()
    if taken is None:
        conflict, divided = _conflict(rules, problem)
        clash = _clash(conflict, candidates, _most(conflict, problem) if divided else None)
        undivided = () if divided else (Reason("clash_undivided", {"seconds": seconds}),)
        return Choice((), 0.0, {}, (*clash, *undivided))
    wards = tuple(str(ward) for ward in candidates.index[taken])
    reasons = _Explained(candidates, constraints, known, wards).reasons()
    return Choice(wards, float(candidates["score"].to_numpy()[taken].sum()), reasons)


@dataclass(frozen=True)
class Rule:
    """One rule: low <= how many of these wards are chosen <= high, and at most one of each pair."""

    code: str
    facts: tuple[tuple[str, float | str], ...]
    wards: frozenset[str]
    low: float
    high: float
    pairs: tuple[frozenset[str], ...] = ()

    @property
    def rows(self) -> Iterator[tuple[frozenset[str], float, float]]:
        """The rule as rows of the programme: of these wards, at least and at most so many."""
        yield self.wards, self.low, self.high
        for pair in self.pairs:
            yield pair, 0, 1


def smallest_conflict(
    rules: Sequence[_Part], can_hold: Callable[[Sequence[_Part]], bool]
) -> tuple[_Part, ...]:
    """Return rules that cannot hold together while any of them left out lets the rest hold.

    QuickXplain: halves are tried first, so some k log(n / k) trials for k of n rules.

    Parameters
    ----------
    rules : sequence
        Single rules, or parts that stand or fall together. They cannot all hold; of several
        conflicts, one of the earlier rules is found.
    can_hold : callable
        Tells of a sequence of them whether they can hold together.

    Examples
    --------
    >>> rules = [Rule(str(n), (), frozenset(), 0, 0) for n in range(6)]
    >>> conflict = smallest_conflict(rules, lambda some: not {"1", "4"} <= {r.code for r in some})
    >>> [rule.code for rule in conflict]
    ['1', '4']
    """

    def needed(kept: tuple[_Part, ...], grown: bool, open_: Sequence[_Part]) -> tuple[_Part, ...]:
        if grown and not can_hold(kept):
            return ()
        if len(open_) == 1:
            return tuple(open_)
        first, second = open_[: len(open_) // 2], open_[len(open_) // 2 :]
        of_second = needed((*kept, *first), bool(first), second)
        of_first = needed((*kept, *of_second), bool(of_second), first)
        return (*of_first, *of_second)

    return needed((), False, rules)


def _check(ranked: pd.DataFrame) -> None:
    score = ranked["score"].to_numpy(float)
    if not (np.isfinite(score) & (score >= 0)).all() or ranked.index.has_duplicates:
        raise ValueError("Every ward needs one row and a score of 0 or more.")


def _ordered(ranked: pd.DataFrame) -> pd.DataFrame:
    return ranked[["rank", "score"]].sort_index().sort_values("rank", kind="stable")


def _rules(candidates: pd.DataFrame, wanted: Constraints, facts: WardFacts) -> Iterator[Rule]:
    """All rules, those that a person would keep first: of two conflicts the earlier is told."""
    there = frozenset(map(str, candidates.index))
    yield Rule("clash_count", (("count", wanted.count),), there, wanted.count, wanted.count)
    for ward in wanted.must_include:
        code = "clash_must_include" if ward in there else "clash_not_ranked"
        yield Rule(code, (("wards", ward),), frozenset({ward}), 1, np.inf)
    for ward in sorted(wanted.excluded.keys() & there):
        yield Rule("clash_excluded", (("wards", ward),), frozenset({ward}), 0, 0)
    if wanted.at_least_one_per_region:
        for region, wards in sorted(_groups(facts.regions).items()):
            yield Rule("clash_region", (("region", region),), wards, 1, np.inf)
    yield from _quota_rules(wanted, facts)
    for unit, most in sorted(wanted.capacity.items()):
        wards = _groups(facts.units).get(unit, frozenset())
        yield Rule("clash_capacity", (("unit", unit), ("most", most)), wards, 0, most)
    if wanted.no_two_neighbours:
        yield from _neighbour_rules(_pairs(facts.neighbours, there), wanted.must_include)


def _neighbour_rules(pairs: Sequence[frozenset[str]], must: Collection[str]) -> Iterator[Rule]:
    for pair in pairs:
        if pair <= set(must):
            named = (("wards", ", ".join(sorted(pair))),)
            yield Rule("clash_neighbours", named, pair, 0, 1)
    if pairs:
        yield Rule(_NEIGHBOURS, (), frozenset(), 0, np.inf, tuple(pairs))


def _quota_rules(wanted: Constraints, facts: WardFacts) -> Iterator[Rule]:
    for kind, quota in sorted(wanted.kinds.items()):
        wards = frozenset(ward for ward, kinds in facts.kinds.items() if kind in kinds)
        if quota.at_least:
            named = (("kind", kind), ("least", quota.at_least))
            yield Rule("clash_kind_least", named, wards, quota.at_least, np.inf)
        if quota.at_most is not None:
            named = (("kind", kind), ("most", quota.at_most))
            yield Rule("clash_kind_most", named, wards, 0, quota.at_most)


def _groups(of_ward: Mapping[str, str]) -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for ward, group in of_ward.items():
        groups[group].add(ward)
    return {group: frozenset(wards) for group, wards in groups.items()}


def _pairs(
    neighbours: Mapping[str, Collection[str]], there: Collection[str]
) -> list[frozenset[str]]:
    pairs = {
        frozenset({ward, other})
        for ward, others in neighbours.items()
        for other in others
        if ward != other and ward in there and other in there
    }
    return sorted(pairs, key=sorted)


class _OutOfTimeError(Exception):
    """The solver was stopped before it knew the answer."""


class _Problem:
    """The candidates in order of rank and the rules as rows of a 0-1 programme."""

    def __init__(
        self, candidates: pd.DataFrame, rules: Sequence[Rule], seconds: float = SECONDS
    ) -> None:
        self._until = time.monotonic() + seconds
        self._to_count = _TO_COUNT * seconds
        self._place = {str(ward): n for n, ward in enumerate(candidates.index)}
        self._rules = rules
        highest = (
            max(float(candidates["score"].max()), np.finfo(float).tiny) if len(candidates) else 1.0
        )
        self._gain = np.round(candidates["score"].to_numpy(float) / highest * _STEPS)
        # ranks with a fraction of their own, so that no two lists have the same sum
        fraction = np.random.default_rng(_TIE_SEED).random(len(candidates)) / 2
        self._behind = np.arange(len(candidates)) + fraction

    def best(self) -> list[int] | None:
        """Return the places of the chosen wards, or None if the rules cannot hold."""
        chosen = self._solve(-self._gain, self._rules)
        if chosen is None or not len(chosen):
            return None if chosen is None else []
        total = float(self._gain[chosen > 0].sum())
        rows = self._rows(self._rules)
        as_good = LinearConstraint(self._gain[None, :], total - 0.5, np.inf)
        try:
            finer = self._run(self._behind, [*rows, as_good])
        except _OutOfTimeError:
            finer = None
        better = finer is not None and self._gain[finer > 0].sum() >= total
        return [int(n) for n in np.flatnonzero(finer if better else chosen)]

    def can_hold(self, rules: Sequence[Rule]) -> bool:
        """Tell whether some list keeps to these rules."""
        nothing = np.zeros(len(self._place))
        return self._solve(nothing, rules, self._to_count) is not None

    def most(self, rules: Sequence[Rule]) -> int:
        """Return how many wards can be chosen at most under rules that can hold."""
        return int(self._solve(-np.ones(len(self._place)), rules).sum())

    def _solve(self, cost: Any, rules: Sequence[Rule], kept: float = 0.0) -> Any:
        for rule in rules:  # what no ward can change
            if not rule.wards & self._place.keys() and rule.low > 0:
                return None
        return self._run(cost, self._rows(rules), kept) if self._place else np.zeros(0)

    def _rows(self, rules: Sequence[Rule]) -> list[LinearConstraint]:
        rows = [row for rule in rules for row in rule.rows]
        if not rows:
            return []
        places = [sorted(self._place[w] for w in wards if w in self._place) for wards, _, _ in rows]
        columns = np.array([place for row in places for place in row], dtype=int)
        starts = np.cumsum([0, *map(len, places)])
        shape = (len(rows), len(self._place))
        matrix = scipy.sparse.csr_array((np.ones(len(columns)), columns, starts), shape=shape)
        return [LinearConstraint(matrix, [low for _, low, _ in rows], [high for *_, high in rows])]

    def _run(self, cost: Any, rows: list[LinearConstraint], kept: float = 0.0) -> Any:
        left = self._until - kept - time.monotonic()
        if left <= 0:
            raise _OutOfTimeError
        found = milp(
            cost,
            integrality=np.ones(len(cost)),
            bounds=Bounds(0, 1),
            constraints=rows,
            options={"mip_rel_gap": 0.0, "time_limit": left},
        )
        if found.status == _OPTIMAL:
            return np.round(found.x).astype(int)
        if found.status == _INFEASIBLE:
            return None
        if found.status == _OUT_OF_TIME:
            raise _OutOfTimeError
        raise RuntimeError(f"The solver gave up: {found.message}")


def _conflict(rules: Sequence[Rule], problem: _Problem) -> tuple[tuple[Rule, ...], bool]:
    """Return a smallest conflict of kinds of rules, and within it of rules; as far as time allows.

    And whether it is a smallest.
    """
    kinds: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        kinds[rule.code].append(rule)
    undivided = tuple(rules)
    try:
        clashing = smallest_conflict(
            list(kinds.values()), lambda some: problem.can_hold([*chain.from_iterable(some)])
        )
        undivided = tuple(chain.from_iterable(clashing))
        return smallest_conflict(undivided, problem.can_hold), True
    except _OutOfTimeError:
        return undivided, False


def _most(conflict: Sequence[Rule], problem: _Problem) -> int | None:
    """Return how many wards the rules beside the count allow, where that is what clashes."""
    if not {"clash_count", _NEIGHBOURS} <= {rule.code for rule in conflict}:
        return None
    count = next(rule.low for rule in conflict if rule.code == "clash_count")
    try:
        most = problem.most([rule for rule in conflict if rule.code != "clash_count"])
    except _OutOfTimeError:
        return None
    return most if most < count else None


def _clash(
    conflict: Iterable[Rule], candidates: pd.DataFrame, most: int | None
) -> tuple[Reason, ...]:
    """Say the rules of a conflict, those of one ward each taken together."""
    together: dict[str, list[str]] = defaultdict(list)
    said = []
    for rule in conflict:
        facts = dict(rule.facts)
        if rule.code in ("clash_must_include", "clash_not_ranked", "clash_excluded"):
            together[rule.code].append(str(facts["wards"]))
        elif rule.code == "clash_count":
            said.append(Reason(rule.code, facts | {"wards": len(candidates)}))
        elif rule.code == _NEIGHBOURS and most is not None:
            said.append(Reason("clash_neighbours_most", {"most": most}))
        else:
            said.append(Reason(rule.code, facts))
    of_wards = [Reason(code, {"wards": ", ".join(wards)}) for code, wards in together.items()]
    return (*said, *of_wards)


@dataclass(frozen=True)
class _Explained:
    """Why each ward of a list is on it, and why wards that rank as high are not."""

    candidates: pd.DataFrame
    wanted: Constraints
    facts: WardFacts
    wards: tuple[str, ...]

    @cached_property
    def _place(self) -> dict[str, int]:
        return {str(ward): n for n, ward in enumerate(self.candidates.index, start=1)}

    def reasons(self) -> dict[str, tuple[Reason, ...]]:
        listed = set(self.wards)
        first = [w for w, n in self._place.items() if n <= self.wanted.count and w not in listed]
        why = {ward: self._why_chosen(ward) for ward in self.wards}
        why |= {ward: self._why_left(ward) for ward in first}
        return {ward: (reason,) for ward, reason in why.items()}

    def _why_chosen(self, ward: str) -> Reason:
        place = self._place[ward]
        rank: dict[str, float | str] = {"rank": place}
        if ward in self.wanted.must_include:
            return Reason("chosen_must_include", rank)
        if place <= self.wanted.count:
            return Reason("chosen_by_score", rank)
        region = self.facts.regions.get(ward)
        regions = [self.facts.regions.get(other) for other in self.wards]
        if self.wanted.at_least_one_per_region and region and regions.count(region) == 1:
            return Reason("chosen_for_region", rank | {"region": region})
        kind = next((k for k in self._kinds(ward) if self._of_kind(k) == self._least(k)), None)
        if kind is not None:
            return Reason("chosen_for_kind", rank | {"kind": kind})
        return Reason("chosen_moved_up", rank)

    def _why_left(self, ward: str) -> Reason:
        rank: dict[str, float | str] = {"rank": self._place[ward]}
        if why := self.wanted.excluded.get(ward):
            return Reason("left_excluded", rank | {"rule": why.rule, "source": why.source})
        if self.wanted.no_two_neighbours and (near := self._chosen_neighbour(ward)):
            return Reason("left_neighbour", rank | {"neighbour": near})
        unit = self.facts.units.get(ward, "")
        units = [self.facts.units.get(other) for other in self.wards]
        if unit in self.wanted.capacity and units.count(unit) >= self.wanted.capacity[unit]:
            most = self.wanted.capacity[unit]
            return Reason("left_capacity", rank | {"unit": unit, "most": most})
        for kind in self._kinds(ward):
            quota = self.wanted.kinds.get(kind)
            if quota and quota.at_most is not None and self._of_kind(kind) >= quota.at_most:
                return Reason("left_kind", rank | {"kind": kind, "most": quota.at_most})
        return Reason("left_for_others", rank)

    def _chosen_neighbour(self, ward: str) -> str | None:
        pairs = _pairs(self.facts.neighbours, {ward, *self.wards})
        near = [other for pair in pairs if ward in pair for other in pair - {ward}]
        return min(near, default=None)

    def _kinds(self, ward: str) -> list[int]:
        return sorted(self.facts.kinds.get(ward, ()))

    def _of_kind(self, kind: int) -> int:
        return sum(kind in self.facts.kinds.get(ward, ()) for ward in self.wards)

    def _least(self, kind: int) -> int:
        quota = self.wanted.kinds.get(kind)
        return quota.at_least if quota else 0
