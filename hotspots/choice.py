"""Next year's wards: the question of a planner, the answer with its reasons, and how far to trust.

The measures know one table of counts. Here the counts, the hotspots on record, the neighbours, the
residents and the time classes of clusters are brought together on the edition of the day.

A time class is what the hot and cold quarters of a ward add up to: Gi* (`geo.clusters.getis_ord`)
of the sums of three months each, counted back from the last known month over three years at most,
and then `geo.patterns.time_class`: with ten quarters or more Esri's seventeen, else five.

A ward speaks for a kind of hotspot when its index of that kind's categories in the last twelve
months is above 0 and among the highest fifth of the wards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from geo.clusters import NOT_TESTABLE, getis_ord
from geo.patterns import time_class
from hotspots.editions import Editions
from hotspots.errors import CannotMeasure, HotspotsError
from hotspots.measures.choosing import Choice, WardFacts, choose
from hotspots.measures.components import (
    DEFAULT_WEIGHTS,
    TOP_SHARE,
    Components,
    Inputs,
    checked_weights,
    components,
    drawn_scores,
    share_without_noise,
    weighted_ranking,
)
from hotspots.measures.crime_groups import CrimeGroups, crime_groups
from hotspots.measures.levels import effective_unit
from hotspots.measures.panel import weighted_index
from hotspots.measures.rank_intervals import rank_intervals, rank_reason
from hotspots.measures.reasons import Reason
from hotspots.measures.scenarios import Equity, Scenarios, compare_choices, equity
from hotspots.measures.selection import LONG_MONTHS, selection_reasons
from hotspots.measures.selection_backtest import Backtest, backtest
from hotspots.programme.months import first_day_of_period, last_complete_month
from hotspots.programme.plan import Programme
from hotspots.programme.selection_rules import Constraints, as_table
from hotspots.programme.status import HotspotState, Watch
from hotspots.records.store import Edition
from hotspots.regions import groups_of_wards

QUARTER: Final = 3
PERMUTATIONS: Final = 999
"""Where few draws go as far, the tail is counted exactly: more draws would change little."""

NO_PATTERN: Final = "none"


@dataclass(frozen=True)
class Question:
    """What a planner asks: wards for a year, under rules, by weights.

    Attributes
    ----------
    kind : int or None
        Rank on the index of this kind's categories only.
    """

    year: int
    constraints: Constraints
    weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    kind: int | None = None

    @property
    def weights_in_use(self) -> dict[str, float]:
        """The weights above 0."""
        return {name: value for name, value in checked_weights(self.weights).items() if value}

    @property
    def is_default(self) -> bool:
        """Whether the smoothed level alone decides."""
        return list(self.weights_in_use) == ["smoothed_level"]


@dataclass(frozen=True)
class Selection:
    """The answer: every ward in its place with its reasons, and the list that keeps to the rules.

    Attributes
    ----------
    table : DataFrame
        Index ward code, in order of rank: `name`, `kind` (of ward), `rank`, `score` (0 to 100),
        `rank_low`, `rank_high`, `p_top`, `cannot_tell`, `by_chance` (see `rank_intervals`),
        `level`, `filtered`, `last12`, `mean36`, `trend_ratio`, `share_of_city`, `in_last_year`,
        `months` (see `selection.rank_wards`), the points of every component under its name,
        `time_class` ("" where there is none), `region` and `unit` (codes, "" for none), `chosen`.
    patterns : DataFrame or None
        See `geo.patterns.time_class`; None where there are too few months.
    not_ranked : tuple of str
        Wards of the edition whose counts do not suffice.
    names : mapping of str to str
        Of every ward of the edition.
    """

    question: Question
    as_of: date
    edition: str
    components: Components
    table: pd.DataFrame
    choice: Choice
    facts: WardFacts
    patterns: pd.DataFrame | None
    not_ranked: tuple[str, ...]
    names: Mapping[str, str]

    @property
    def share_without_noise(self) -> float:
        """How much of the weight no interval knows the noise of (that of the time class)."""
        return share_without_noise(self.components, self.question.weights)

    def reasons(self, ward: str) -> tuple[Reason, ...]:
        """Return why a ward has its place, how sure that is, and what each component says."""
        table = self.table
        top = self.question.constraints.count
        return (
            *selection_reasons(self._levels(), ward),
            rank_reason(
                table[["rank", "rank_low", "rank_high", "p_top", "cannot_tell", "by_chance"]],
                ward,
                top,
            ),
            *self.choice.reasons.get(ward, ()),
            *self.components.reasons(ward),
        )

    def _levels(self) -> pd.DataFrame:
        columns = list(self.components.ranked.columns.drop("score_deviation"))
        return self.table.assign(score=self.table["level"])[columns]

    def evidence(self, ward: str) -> dict[str, object]:
        """Return what a proposal of a ward rests on, as plain values that JSON can hold."""
        asked: dict[str, object] = {
            "as_of": self.as_of.isoformat(),
            "edition": self.edition,
            "weights": self.question.weights_in_use,
            "constraints": as_table(self.question.constraints),
            "ward_names": {
                code: self.names[code]
                for code in self.question.constraints.wards
                if code in self.names
            },
            "forced_in": ward in self.question.constraints.must_include,
            "kind": self.question.kind,
        }
        if ward not in self.table.index:
            return asked
        row: dict[Hashable, Any] = self.table.loc[ward].to_dict()
        whole = {name: int(row[name]) for name in ("rank", "rank_low", "rank_high")}
        numbers = {name: round(float(row[name]), 1) for name in ("score", "level", "last12")}
        return {
            **whole,
            **numbers,
            "p_top": round(float(row["p_top"]), 3),
            "cannot_tell": bool(row["cannot_tell"]),
            "by_chance": bool(row["by_chance"]),
            "share_without_noise": round(self.share_without_noise, 3),
            "components": self._numbers(ward),
            "pattern": row["time_class"] or None,
            "chosen_by_rules": bool(row["chosen"]),
            **asked,
        }

    def _numbers(self, ward: str) -> dict[str, object]:
        raw: dict[Hashable, float] = self.components.raw.loc[ward].dropna().to_dict()
        points: dict[Hashable, float] = self.components.points.loc[ward].to_dict()
        return {
            str(name): {"value": round(float(value), 4), "points": round(float(points[name]), 1)}
            for name, value in raw.items()
        }


@dataclass(frozen=True)
class ChoiceSources:
    """Where the numbers come from.

    Attributes
    ----------
    index, unit : callable
        The severity-weighted index of a day on an edition, and the weight of an incident in it.
    panel : callable
        The complete panel on an edition.
    panel_without : callable
        The same without what came from some sources ("police", "citizen", "": nobody said).
    sources : callable
        Who reported what the store counts; empty where nobody said.
    populations : callable
        `ward`, `edition`, `on`, `population`; empty where none was brought in.
    states : callable
        The hotspots on a day, as far as they are known: counts and events alike are taken by the
        day they are of, not by the day they came in.
    shown : callable
        The wards of an edition in which hotspots lie (`MapView.shown`).
    keep : callable
        Answers a key from memory, or by the work given.
    """

    boundaries: Editions
    index: Callable[[date, Edition], pd.DataFrame]
    unit: Callable[[date, Edition], float]
    panel: Callable[[Edition], pd.DataFrame]
    panel_without: Callable[[Edition, tuple[str, ...]], pd.DataFrame]
    sources: Callable[[], Collection[str]]
    populations: Callable[[], pd.DataFrame]
    states: Callable[[date], Mapping[str, HotspotState]]
    shown: Callable[[Mapping[str, HotspotState], Edition], pd.DataFrame]
    keep: Callable[[tuple[object, ...], Callable[[], Any]], Any]


class WardChoice:
    """Chooses the wards of one store.

    What does not depend on the weights and the rules is worked out once, so that another weight is
    answered at once.
    """

    def __init__(self, programme: Programme, sources: ChoiceSources) -> None:
        self._programme = programme
        self._sources = sources

    def choose(self, question: Question, as_of: date) -> Selection:
        """Return the ranking, and the list that keeps to the rules or the rules that clash."""
        self._check_wards(question.constraints, self._edition(as_of))
        with threadpool_limits(limits=1):  # many small problems: threads only wait
            found = self._components(question, as_of)
            count = question.constraints.count
            ranking = weighted_ranking(found, question.weights)
            drawn = drawn_scores(found, question.weights)
            intervals = rank_intervals(ranking, top=count, drawn=drawn).drop(columns="rank")
            facts = self.facts(as_of)
            choice = choose(ranking, question.constraints, facts)
        edition = self._edition(as_of)
        patterns = self._patterns(as_of, question.kind)
        table = self._table(ranking.join(intervals), question, as_of, found)
        wards = self._sources.boundaries.wards(edition)["code"]
        return Selection(
            question=question,
            as_of=as_of,
            edition=edition.edition,
            components=found,
            table=table.assign(
                time_class=_named(patterns, table.index),
                region=[facts.regions.get(str(ward), "") for ward in table.index],
                unit=[facts.units.get(str(ward), "") for ward in table.index],
                chosen=table.index.isin(choice.wards),
            ),
            choice=choice,
            facts=facts,
            patterns=patterns,
            not_ranked=tuple(sorted(set(map(str, wards)) - set(table.index))),
            names=self._names(edition),
        )

    def _names(self, edition: Edition) -> dict[str, str]:
        names = self._sources.boundaries.names(edition.edition)["name"]
        return {str(code): str(name) for code, name in names.items()}

    def backtest(self, question: Question, as_of: date) -> Backtest:
        """Return how this way of choosing would have done on the store's own past.

        Only the weights, the number of wards and the kind count: rules of a year are not those of
        another.
        """
        edition, count = self._edition(as_of), question.constraints.count
        weights = question.weights_in_use
        ahead = question.year - int(self._index(as_of, question.kind).index[-1].year)
        key = ("backtest", as_of, question.kind, count, ahead, tuple(sorted(weights.items())))

        def work() -> Backtest:
            incidents = self._incidents(edition, question.kind)
            with threadpool_limits(limits=1):
                return backtest(
                    self._index(as_of, question.kind),
                    as_of=as_of,
                    count=count,
                    weights=weights,
                    unit=lambda day: self._unit(day, question.kind, edition),
                    incidents=incidents,
                    inputs_at=lambda day: self._inputs(
                        day, question.kind, edition, day.year + ahead
                    ),
                    area_km2=self._area_km2(edition),
                )

        return self._kept(key, work)  # type: ignore[no-any-return]

    def crime_groups(self, as_of: date) -> CrimeGroups:
        """Return how each category of crime stands in each ward of the day's edition."""
        edition = self._edition(as_of)
        months = self._sources.index(as_of, edition).index
        if not len(months):
            raise CannotMeasure(
                "no_counts_yet",
                f"The counts begin after {as_of}; choose a later day.",
                day=as_of,
            )
        last = str(pd.PeriodIndex(months)[-1])

        def work() -> CrimeGroups:
            panel = self._sources.panel(edition)
            return crime_groups(panel[panel["month"] <= last], as_of=as_of)

        return self._kept(("crime groups", as_of), work)  # type: ignore[no-any-return]

    def compare(
        self, a: Collection[str], b: Collection[str], as_of: date, kind: int | None = None
    ) -> Scenarios:
        """Set two lists of wards side by side, by the index of all categories or of a kind's."""
        targets = self._programme.targets
        return compare_choices(
            a,
            b,
            self._index(as_of, kind).iloc[-12:].mean() * 12,
            target=targets.transformed,
            kept=targets.not_relapsed,
        )

    def equity(self, chosen: Collection[str], as_of: date) -> Equity:
        """Return whom a list covers: residents, and incidents of the last 36 months by source."""
        edition = self._edition(as_of)
        total, citizens, police = self._by_source(as_of, edition)
        named = float((citizens if police is None else citizens + police).sum())
        return equity(
            chosen,
            wards=[str(ward) for ward in self._sources.boundaries.wards(edition)["code"]],
            citizens=citizens,
            police=police,
            population=self._population(as_of, edition),
            unnamed=1 - named / total if total else 0.0,
        )

    def not_transformed(self, year: int, as_of: date) -> frozenset[str] | None:
        """Return the wards of the list before a year that were not transformed.

        None while nothing on that list has been assessed.
        """
        return self._not_transformed(year - 1, as_of, self._edition(as_of))

    def listed(self, plan_year: int, day: date) -> frozenset[str]:
        """Return the wards on the list of a plan year, withdrawn ones left out.

        An area listed on an earlier edition counts for the ward that got the largest known part
        of it; where no part is known, for none.
        """
        listed = {
            name
            for name, state in self._sources.states(day).items()
            if any(e.plan_year == plan_year and e.outcome != "withdrawn" for e in state.enrolments)
        }
        return self._wards_of(listed, day, self._edition(day))

    # -- what is known on a day

    def _check_wards(self, rules: Constraints, edition: Edition) -> None:
        """Refuse rules that name wards of other boundaries: the same code is another ward there."""
        if rules.wards and rules.edition not in (None, edition.edition):
            raise HotspotsError(
                "rules_of_other_edition",
                f"The rules name wards of the boundaries of {rules.edition}; on this day those of "
                f"{edition.edition} are valid. Name the wards anew, or choose another day.",
                given=str(rules.edition),
                edition=edition.edition,
            )
        there = set(map(str, self._sources.boundaries.wards(edition)["code"]))
        unknown = sorted(set(rules.wards) - there)
        if unknown:
            raise HotspotsError(
                "rules_unknown_wards",
                f"The rules name {', '.join(unknown)}: no wards of the boundaries of "
                f"{edition.edition}. Correct the codes.",
                given=", ".join(unknown),
                edition=edition.edition,
            )

    def _edition(self, as_of: date) -> Edition:
        return self._sources.boundaries.near(as_of)

    def _kept(self, key: tuple[object, ...], work: Callable[[], Any]) -> Any:
        return self._sources.keep((*key, self._programme.source), work)

    def _components(self, question: Question, as_of: date) -> Components:
        edition, kind = self._edition(as_of), question.kind

        def work() -> Components:
            inputs = self._inputs(as_of, kind, edition, question.year)
            index, unit = self._index(as_of, kind), self._unit(as_of, kind)
            return components(index, as_of=as_of, unit=unit, inputs=inputs)

        return self._kept(("components", as_of, kind, question.year), work)  # type: ignore[no-any-return]

    def _inputs(self, day: date, kind: int | None, edition: Edition, year: int) -> Inputs:
        """Return what was known on a day beside the index, on the wards of an edition."""
        patterns = self._patterns(day, kind, edition)
        return Inputs(
            incidents=self._incidents(edition, kind),
            population=self._population(day, edition),
            neighbours=self._neighbours(edition),
            patterns=None if patterns is None else _tested(patterns),
            not_transformed=self._not_transformed(year - 1, day, edition),
            relapse=self._relapse(day, edition),
        )

    def _categories(self, kind: int | None) -> dict[str, float]:
        """Return the weights of the categories that speak for a kind, or of all."""
        weights = self._programme.weights
        if kind is None:
            return weights
        listed = self._programme.categories.values()
        chosen = {each.code: weights[each.code] for each in listed if kind in each.kinds}
        if not chosen:
            known = sorted({kind for each in listed for kind in each.kinds})
            raise CannotMeasure(
                "kind_without_categories",
                f"No category of the programme counts for kind {kind}; there are categories for "
                f"the kinds {', '.join(map(str, known))}. Choose one of these.",
                given=str(kind),
                allowed=", ".join(map(str, known)),
            )
        return chosen

    def _panel(self, edition: Edition, kind: int | None) -> pd.DataFrame:
        panel = self._sources.panel(edition)
        return panel[panel["category"].isin(list(self._categories(kind)))]

    def _index(self, as_of: date, kind: int | None, edition: Edition | None = None) -> pd.DataFrame:
        """Return the index of a kind in the months and wards of that of all categories."""
        edition = edition or self._edition(as_of)
        whole = self._sources.index(as_of, edition)
        if kind is None:
            return whole
        weights = self._categories(kind)
        index: pd.DataFrame = self._kept(
            ("kind index", edition.wards_file, kind),
            lambda: weighted_index(self._panel(edition, kind), weights),
        )
        return index.reindex(index=whole.index, columns=whole.columns).where(whole.notna())

    def _unit(self, as_of: date, kind: int | None, edition: Edition | None = None) -> float:
        edition = edition or self._edition(as_of)
        if kind is None:
            return self._sources.unit(as_of, edition)
        panel = self._panel(edition, kind)
        known = panel[panel["month"] <= str(last_complete_month(as_of))]
        sums = known.groupby("category")["count"].sum()
        counted = {str(code): float(count) for code, count in sums.items()}
        return effective_unit(counted, self._categories(kind))

    def _incidents(self, edition: Edition, kind: int | None) -> pd.DataFrame:
        weights = dict.fromkeys(self._categories(kind), 1.0)
        return self._kept(  # type: ignore[no-any-return]
            ("kind incidents", edition.wards_file, kind),
            lambda: weighted_index(self._panel(edition, kind), weights),
        )

    def _neighbours(self, edition: Edition) -> Mapping[str, Collection[str]]:
        def work() -> dict[str, tuple[str, ...]]:
            found = self._sources.boundaries.neighbours(edition)
            return {code: found.of(code) for code in found.codes}

        return self._kept(("neighbours of wards", edition.wards_file), work)  # type: ignore[no-any-return]

    def _patterns(
        self, day: date, kind: int | None, edition: Edition | None = None
    ) -> pd.DataFrame | None:
        edition = edition or self._edition(day)

        def work() -> pd.DataFrame | None:
            index = self._index(day, kind, edition)
            return time_patterns(index, self._neighbours(edition))

        return self._kept(("time patterns", day, kind, edition.wards_file), work)  # type: ignore[no-any-return]

    def _population(self, day: date, edition: Edition) -> dict[str, float] | None:
        rows = self._sources.populations()
        if rows.empty:
            return None
        own = rows[rows["edition"].eq(edition.edition)]
        own = own[own["on"].map(first_day_of_period) <= day.isoformat()]
        latest = own.sort_values("on").drop_duplicates("ward", keep="last")
        wards = zip(latest["ward"], latest["population"], strict=True)
        return {str(ward): float(residents) for ward, residents in wards} or None

    def _area_km2(self, edition: Edition) -> dict[str, float] | None:
        """Return the area of every ward; none of a sketch, whose areas are made up."""
        if edition.schematic:
            return None
        wards = self._sources.boundaries.wards(edition)
        return dict(zip(wards["code"], wards["area_km2"].astype(float), strict=True))

    def _by_source(
        self, as_of: date, edition: Edition
    ) -> tuple[float, pd.Series[float], pd.Series[float] | None]:
        """Return incidents of the last 36 months: all, by ward those of citizens and of the police.

        No police where no find of theirs is on record.
        """
        months = self._sources.index(as_of, edition).index[-LONG_MONTHS:].astype(str)

        def by_ward(*left_out: str) -> pd.Series[float]:
            panel = self._sources.panel_without(edition, left_out)
            counted: pd.Series[float] = (
                panel[panel["month"].isin(months)].groupby("ward")["count"].sum()
            )
            return counted

        total = float(by_ward().sum())
        police = by_ward("", "citizen") if "police" in self._sources.sources() else None
        return total, by_ward("", "police"), police

    # -- hotspots on record

    def _not_transformed(
        self, plan_year: int, day: date, edition: Edition
    ) -> frozenset[str] | None:
        outcomes = {
            name: each.outcome
            for name, state in self._sources.states(day).items()
            for each in state.enrolments
            if each.plan_year == plan_year
        }
        if not {"transformed", "not_transformed"} & set(outcomes.values()):
            return None
        wanted = {name for name, outcome in outcomes.items() if outcome == "not_transformed"}
        return self._wards_of(wanted, day, edition)

    def _relapse(self, day: date, edition: Edition) -> dict[str, float] | None:
        watches: dict[str, tuple[Watch, ...]] = {
            name: state.watches for name, state in self._sources.states(day).items()
        }
        if not any(watches.values()):
            return None
        relapsed = {n for n, each in watches.items() if any(w.relapsed_on for w in each)}
        wards = self._wards_of(relapsed, day, edition)
        every = map(str, self._sources.boundaries.wards(edition)["code"])
        return {ward: float(ward in wards) for ward in every}

    def _wards_of(self, hotspots: Collection[str], day: date, edition: Edition) -> frozenset[str]:
        """Return the wards in which hotspots lie for the largest known part."""
        states = {n: s for n, s in self._sources.states(day).items() if n in hotspots}
        shown = self._sources.shown(states, edition).dropna(subset=["share"])
        largest = shown.sort_values("share").drop_duplicates("hotspot", keep="last")
        return frozenset(map(str, largest["ward"]))

    # -- what rules ask about wards

    def facts(self, as_of: date) -> WardFacts:
        """Return what rules ask about the wards of the day's edition."""
        edition, programme = self._edition(as_of), self._programme

        def work() -> WardFacts:
            boundaries = self._sources.boundaries
            places = [(str(code), edition.edition) for code in boundaries.wards(edition)["code"]]
            regions, units = (
                {
                    ward: code
                    for (ward, _), code in groups_of_wards(groups, boundaries, places).items()
                }
                for groups in (programme.regions, programme.units)
            )
            kinds = self._kinds(as_of)
            return WardFacts(regions, self._neighbours(edition), kinds, units)

        return self._kept(("ward facts", as_of), work)  # type: ignore[no-any-return]

    def _kinds(self, as_of: date) -> dict[str, frozenset[int]]:
        """Return the kinds of hotspot that each ward speaks for."""
        found: dict[str, set[int]] = {}
        for kind in {kind for each in self._programme.categories.values() for kind in each.kinds}:
            last12 = self._index(as_of, kind).iloc[-12:].mean().dropna()
            places = last12.rank(ascending=False, method="min")
            high = places.le(np.ceil(len(last12) * TOP_SHARE)) & last12.gt(0)
            for ward in last12.index[high]:
                found.setdefault(str(ward), set()).add(kind)
        return {ward: frozenset(kinds) for ward, kinds in found.items()}

    def _table(
        self, ranking: pd.DataFrame, question: Question, as_of: date, found: Components
    ) -> pd.DataFrame:
        ranked = found.ranked.rename(columns={"score": "level"})
        columns = [
            "level",
            "filtered",
            "mean36",
            "last12",
            "trend_ratio",
            "share_of_city",
            "months",
        ]
        wards = self._sources.boundaries.names(self._edition(as_of).edition)
        last_year = self.listed(question.year - 1, as_of)
        return ranking.join(ranked[columns]).assign(
            in_last_year=ranking.index.isin(list(last_year)),
            name=wards["name"].reindex(ranking.index),
            kind=wards["kind"].reindex(ranking.index),
        )


def time_patterns(
    index: pd.DataFrame, neighbours: Mapping[str, Collection[str]]
) -> pd.DataFrame | None:
    """Return the time class of every ward, from Gi* of its quarters.

    Parameters
    ----------
    index : DataFrame
        Months x wards (see `measures.levels`), NaN = unknown.
    neighbours : mapping of str to collection of str
        Who touches whom; wards that are not in it have no class.

    Returns
    -------
    DataFrame or None
        See `geo.patterns.time_class`, and `points_of`: the class as `measures.components` names it,
        missing where it could not be tested. None with less than a quarter.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> row = {f"{i}": [f"{j}" for j in range(i - 2, i + 3) if 0 <= j < 60] for i in range(60)}
    >>> index = pd.DataFrame(0.0, months, list(row)).assign(**{f"{i}": 9.0 for i in range(6)})
    >>> time_patterns(index, row)["pattern"][["2", "30"]].to_list()
    ['persistent', 'none']
    """
    wards = [ward for ward in index.columns if str(ward) in neighbours]
    quarters = min(len(index), LONG_MONTHS) // QUARTER
    if not quarters or not wards:
        return None
    months = index[wards].iloc[-quarters * QUARTER :]
    place = np.arange(len(months)) // QUARTER
    sums = months.reset_index(drop=True).groupby(place).sum(min_count=QUARTER)
    found = getis_ord(sums, neighbours, permutations=PERMUTATIONS)
    table = time_class(found.label, found.z)
    named = table["pattern"].astype(object).replace({"no_pattern": NO_PATTERN})
    return table.assign(points_of=named.where(table["pattern"].ne(NOT_TESTABLE), None))


def _tested(patterns: pd.DataFrame) -> dict[str, str]:
    return {str(ward): str(name) for ward, name in patterns["points_of"].dropna().items()}


def _named(patterns: pd.DataFrame | None, wards: pd.Index) -> list[str]:
    if patterns is None:
        return [""] * len(wards)
    named: pd.Series = patterns["pattern"].reindex(wards).astype(object)
    return ["" if pd.isna(name) else str(name) for name in named]
