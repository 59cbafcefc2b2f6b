"""Whether the programme worked, hotspot by hotspot and as a whole, as far as the data can tell.

Every hotspot is measured on the ward and the boundary edition it was designated on, over the first
year after the month of designation, whatever became of it since: leaving out those that went badly
would make the programme look better. Only withdrawn ones are left out: no work was done there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import pandas as pd

from hotspots.editions import Editions
from hotspots.errors import CannotMeasure, HotspotsError, NotFound
from hotspots.measures.effect import (
    MOST_MONTHS,
    Difference,
    Expected,
    Outcome,
    Pair,
    Portfolio,
    Quotient,
    RateRatio,
    alike_wards,
    e_test,
    harm_weighted,
    log_residual,
    outcome,
    portfolio,
    rate_ratio,
    safety_margin,
    similar_wards,
    wdd,
    wdq,
    without_programme,
)
from hotspots.measures.panel import latest_run, weighted_index, without_partial_end
from hotspots.programme.months import Month, last_complete_month
from hotspots.programme.status import HotspotState, Place, Status
from hotspots.records.store import Edition
from hotspots.snapshot import MapView, Snapshot


@dataclass(frozen=True)
class Sources:
    """Where editions, counts and hotspots on wards come from.

    Attributes
    ----------
    boundaries : Editions
    panel : callable
        The complete panel on an edition.
    view : callable
        The hotspots on the wards of an edition, by its name.
    index, unit : callable
        The severity-weighted index of a day on an edition, and the weight of an incident in it.
    """

    boundaries: Editions
    panel: Callable[[Edition], pd.DataFrame]
    view: Callable[[str], MapView]
    index: Callable[[date, Edition], pd.DataFrame]
    unit: Callable[[date, Edition], float]


@dataclass(frozen=True)
class Margin:
    """How far a ward lies below the relapse threshold on the day, and how sure that is.

    Attributes
    ----------
    months : int
        Of the rule's window.
    window, threshold : float
        Severity points of the last window, and the threshold in the same.
    below : float
        Probability that the true level lies below it.
    """

    months: int
    window: float
    threshold: float
    below: float


@dataclass(frozen=True)
class Familiar:
    """The comparisons people know: the months after against the same months a year before.

    Attributes
    ----------
    before, after : float
        Incidents of the hotspot's ward.
    p : float
        E-test of the two, two-sided.
    similar : tuple of str
        Wards of like level, not designated and not neighbours, that it is compared with.
    control : (float, float)
        Their incidents, per ward.
    neighbours : tuple of str
        Neighbouring wards, not designated.
    left_out : tuple of str
        Neighbouring wards that are designated themselves, or not known.
    around, around_control : (float, float)
        Incidents of the neighbours, and of as many wards of like level elsewhere.
    difference : Difference
        The weighted displacement difference with phi-inflated error.
    harm : Difference
        The same in severity points.
    displacement : Difference or None
        Of the neighbours alone; None without neighbours to look at.
    """

    before: float
    after: float
    p: float
    similar: tuple[str, ...]
    control: Pair
    neighbours: tuple[str, ...]
    left_out: tuple[str, ...]
    around: Pair
    around_control: Pair
    difference: Difference
    harm: Difference
    displacement: Difference | None
    quotient: Quotient
    ratio: RateRatio
    phi: float


@dataclass(frozen=True)
class HotspotEffect:
    """One hotspot: counted against expected, and what stands beside it.

    Attributes
    ----------
    since : date
        Day of the designation measured: the last that was not a carrying-over.
    level : float
        Incidents a month before, behind noise and season.
    trend : float
        What became of the wards without designation, over their level then: mean of the months.
        `level` x months x `trend` is the expected count.
    controls : int
        How many wards that is.
    familiar : Familiar or None
        None when the same months of the year before are not known.
    margin : Margin or None
        None when the ward's recent counts on its own edition are not known.
    """

    hotspot: str
    name: str
    ward: str
    edition: str
    since: date
    first: Month
    last: Month
    outcome: Outcome = field(repr=False)
    level: float
    trend: float
    controls: int
    familiar: Familiar | None = field(repr=False)
    margin: Margin | None


@dataclass(frozen=True)
class Effects:
    """What the programme changed, on a day.

    Attributes
    ----------
    hotspots : dict of str to HotspotEffect
        Those that can be measured.
    not_measured : dict of str to HotspotsError
        The other designated ones, with the reason.
    programme : Portfolio
        All measured hotspots against similar wards without designation.
    """

    as_of: date
    hotspots: Mapping[str, HotspotEffect]
    not_measured: Mapping[str, HotspotsError]
    programme: Portfolio

    @property
    def observed(self) -> float:
        """Incidents counted in all measured hotspots."""
        return sum(each.outcome.observed for each in self.hotspots.values())

    @property
    def expected(self) -> float:
        """Incidents to expect there without the programme."""
        return sum(each.outcome.expected for each in self.hotspots.values())

    def count(self, verdict: str) -> int:
        """Return how many hotspots have a verdict."""
        return sum(each.outcome.verdict == verdict for each in self.hotspots.values())


def measure_effects(snapshot: Snapshot, sources: Sources) -> Effects:
    """Measure every designated hotspot of a snapshot, and the programme."""
    cities: dict[str, _City] = {}
    found: dict[str, HotspotEffect] = {}
    problems: dict[str, HotspotsError] = {}
    residuals: list[float] = []
    others: dict[tuple[str, date, str], float] = {}
    for name, state, since in _designated(snapshot):
        try:
            place = _place_of(state)
            if place.edition not in cities:
                cities[place.edition] = _City(snapshot, sources, place.edition)
            city = cities[place.edition]
            found[name] = city.effect(name, place, since)
        except (CannotMeasure, NotFound) as error:
            problems[name] = error
            continue
        expected = city.expected(since)
        residuals.append(float(log_residual(expected, [place.ward]).iloc[0]))
        for ward, residual in log_residual(expected, city.alike(expected, place.ward)).items():
            others[place.edition, since, str(ward)] = float(residual)
    return Effects(snapshot.as_of, found, problems, portfolio(residuals, list(others.values())))


def count_history(snapshot: Snapshot, sources: Sources) -> tuple[pd.DataFrame, Mapping[str, Month]]:
    """Return incidents by month and ward of the day, and since when each ward is designated."""
    if snapshot.edition is None:
        raise NotFound("no_boundaries", "The store has no boundaries; add some first.")
    city = _City(snapshot, sources, snapshot.edition.edition)
    return city.counts, city.designated_from


def _designated(snapshot: Snapshot) -> Iterator[tuple[str, HotspotState, date]]:
    """Give the hotspots on a list, each with the day of its last designation."""
    for name, state in snapshot.states.items():
        days = [each.enrolled_on for each in state.enrolments if not each.carried_over]
        if days:
            yield name, state, max(days)


def _place_of(state: HotspotState) -> Place:
    if state.status is Status.WITHDRAWN or state.place is None:
        raise CannotMeasure(
            "withdrawn_from_plan",
            f"Hotspot {state.hotspot} was withdrawn from the plan: no work was done there.",
            hotspot=state.hotspot,
        )
    return state.place


class _City:
    """The counts of one edition on a day, and the hotspots on its wards."""

    def __init__(self, snapshot: Snapshot, sources: Sources, edition: str) -> None:
        self._snapshot = snapshot
        self._sources = sources
        self._edition = sources.boundaries.named(edition)
        self._panel = sources.panel(self._edition)
        self._expected: dict[tuple[Month, Month], Expected] = {}
        self._spans: dict[tuple[str | None, tuple[Month, ...]], dict[str, float]] = {}
        self.counts = self._counts(self._panel)
        self.designated_from = _first_designations(snapshot, sources.view(edition))

    @cached_property
    def _neighbours(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        pairs = self._sources.boundaries.neighbours(self._edition).pairs
        for one, other in zip(pairs["a"], pairs["b"], strict=True):
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
        return found

    @cached_property
    def _names(self) -> pd.DataFrame:
        return self._sources.boundaries.names(self._edition.edition)

    @cached_property
    def _by_category(self) -> dict[str, pd.DataFrame]:
        groups = self._panel.groupby("category", sort=True)
        return {str(code): weighted_index(rows, {str(code): 1.0}) for code, rows in groups}

    @cached_property
    def _margins(self) -> pd.DataFrame | None:
        day = self._snapshot.as_of
        try:
            index = self._sources.index(day, self._edition)
            rule, unit = self._snapshot.programme.relapse, self._sources.unit(day, self._edition)
            return safety_margin(index, rule, as_of=day, unit=unit)
        except CannotMeasure:
            return None

    def _counts(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Return incidents by month and ward, months fully reported up to the day."""
        if panel.empty:
            raise CannotMeasure(
                "no_counts",
                f"The store has no incidents or counts on the wards of {self._edition.edition}; "
                "import some first.",
                edition=self._edition.edition,
            )
        index = weighted_index(panel, dict.fromkeys(panel["category"].unique(), 1.0))
        run = latest_run(index, str(last_complete_month(self._snapshot.as_of)))
        return without_partial_end(run)

    def expected(self, since: date) -> Expected:
        """Return what the wards were to expect after a day; once for days that are alike."""
        key = last_complete_month(since), Month.of(since)
        if key not in self._expected:
            self._expected[key] = without_programme(
                self.counts, self.designated_from, since=since, as_of=self._snapshot.as_of
            )
        return self._expected[key]

    def effect(self, hotspot: str, place: Place, since: date) -> HotspotEffect:
        expected = self.expected(since)
        found = outcome(expected, place.ward)
        months = expected.months[: found.months]
        level = float(expected.level[place.ward])
        return HotspotEffect(
            hotspot=hotspot,
            name=place.name,
            ward=place.ward,
            edition=place.edition,
            since=since,
            first=months[0],
            last=months[-1],
            outcome=found,
            level=level,
            trend=found.expected / (level * found.months) if level > 0 else float("nan"),
            controls=expected.controls,
            familiar=self._familiar(expected, place.ward, months),
            margin=self._margin(place),
        )

    def alike(self, expected: Expected, ward: str) -> tuple[str, ...]:
        """Return the wards of like level that were not designated and do not touch a ward."""
        return alike_wards(expected, ward, self._clean(expected) - self._around(ward))

    def _clean(self, expected: Expected) -> set[str]:
        last = expected.months[-1]
        first = self.designated_from
        return {str(ward) for ward in expected.level.index if first.get(ward, last + 1) > last}

    def _around(self, ward: str) -> set[str]:
        """Return the neighbouring wards; an island, or a ward without a boundary, has none."""
        return self._neighbours.get(ward, set())

    def _familiar(
        self, expected: Expected, ward: str, months: tuple[Month, ...]
    ) -> Familiar | None:
        """Compare with the same months a year before: so the season is the same."""
        earlier = tuple(month + -MOST_MONTHS for month in months)
        known = self.counts.reindex(_periods([*earlier, *months])).notna().all()
        held = {str(code) for code in known.index[known]}
        candidates = (self._clean(expected) & held) - self._around(ward)
        similar = similar_wards(expected, ward, candidates)
        if ward not in held or not similar:
            return None
        around, theirs = self._displaced(expected, ward, held, similar)
        groups = (similar, (ward,), theirs, around)
        areas = (len(similar), 1, 1, 1)
        phi = expected.phi
        sums = self._sums(None, groups, earlier, months)
        control, own, elsewhere, beside = sums
        weights = self._snapshot.programme.weights
        by_category = {
            code: wdd(*self._sums(code, groups, earlier, months), areas=areas, phi=phi)
            for code in self._by_category
        }
        return Familiar(
            before=own[0],
            after=own[1],
            p=e_test(*own),
            similar=self._named(similar),
            control=(control[0] / len(similar), control[1] / len(similar)),
            neighbours=self._named(around),
            left_out=self._named(sorted(self._around(ward) - set(around))),
            around=beside,
            around_control=elsewhere,
            difference=wdd(*sums, areas=areas, phi=phi),
            harm=harm_weighted(list(by_category.values()), [weights[code] for code in by_category]),
            displacement=wdd(elsewhere, beside, phi=phi) if around else None,
            quotient=wdq(own, beside, control, phi=phi),
            ratio=rate_ratio(own, control, phi=phi),
            phi=phi,
        )

    def _displaced(
        self, expected: Expected, ward: str, known: set[str], taken: Collection[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the neighbours to look at, and for each a ward of like level elsewhere."""
        clean = self._clean(expected) & known
        elsewhere = clean - self._around(ward) - {ward} - set(taken)
        pairs: list[tuple[str, str]] = []
        for code in sorted(self._around(ward) & clean):
            like = similar_wards(expected, code, elsewhere, 1)
            if like:
                pairs.append((code, like[0]))
                elsewhere.discard(like[0])
        return tuple(code for code, _ in pairs), tuple(code for _, code in pairs)

    def _sums(
        self,
        category: str | None,
        groups: Iterable[Sequence[str]],
        earlier: tuple[Month, ...],
        later: tuple[Month, ...],
    ) -> tuple[Pair, ...]:
        """Return the incidents of each group of wards in two spans; of one category, or of all."""
        before, after = (self._span(category, months) for months in (earlier, later))
        return tuple(
            (sum(before[ward] for ward in group), sum(after[ward] for ward in group))
            for group in groups
        )

    def _span(self, category: str | None, months: tuple[Month, ...]) -> dict[str, float]:
        """Return the incidents of every ward in some months."""
        key = category, months
        if key not in self._spans:
            counts = self.counts if category is None else self._by_category[category]
            sums = counts.reindex(_periods(months)).sum()
            self._spans[key] = {str(ward): float(value) for ward, value in sums.items()}
        return self._spans[key]

    def _margin(self, place: Place) -> Margin | None:
        if self._margins is None or place.ward not in self._margins.index:
            return None
        window, threshold, below = (
            float(self._margins[name][place.ward]) for name in ("window", "threshold", "below")
        )
        return Margin(self._snapshot.programme.relapse.window_months, window, threshold, below)

    def _named(self, wards: Iterable[str]) -> tuple[str, ...]:
        names = self._names["name"]
        return tuple(str(names.get(code, code)) for code in wards)


def _first_designations(snapshot: Snapshot, view: MapView) -> dict[str, Month]:
    """Return the month of the first designation on every ward that ever had one."""
    first: dict[str, Month] = {}
    for hotspot, ward in zip(view.shown["hotspot"], view.shown["ward"], strict=True):
        days = [each.enrolled_on for each in snapshot.states[hotspot].enrolments]
        if days:
            month = Month.of(min(days))
            first[ward] = min(month, first.get(ward, month))
    return first


def _periods(months: Sequence[Month]) -> pd.PeriodIndex:
    return pd.PeriodIndex([str(month) for month in months], freq="M")
