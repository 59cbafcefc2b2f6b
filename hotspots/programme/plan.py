"""A programme as data: years, targets, kinds, categories, watch period, relapse rule.

A programme is a TOML file that the customer can read and change; nothing of it is in the code.
`data/hcmc_programme.toml` is an example with every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from math import isfinite
from typing import Final, Literal

from hotspots.errors import ProgrammeError
from hotspots.programme.selection_rules import COMPONENTS, Constraints, read_constraints

QUARTER_ENDS: Final = (3, 6, 9, 12)
USUAL_COUNT: Final = 12
"""Wards to choose, where the programme does not say how many."""


@dataclass(frozen=True)
class Targets:
    """The two shares the programme is measured by, each between 0 and 1."""

    transformed: float
    not_relapsed: float


@dataclass(frozen=True)
class RelapseRule:
    """When an area counts as complex again, as the programme writes it.

    `rule` is one of two sorts, both tested at the end of each of `test_months`:

    ``threshold``
        The severity-weighted count of the last `window_months` months is compared with a threshold,
        either fixed (`threshold`) or the `quantile` of all wards' counts in the same window: the
        level a ward was designated at.
    ``growth``
        In each of the last `quarters` calendar quarters the severity-weighted count is at least
        1 + `growth` times that of the same months of the transformed year, and over these quarters
        together z = 2 (sqrt x1 - sqrt x0) is at least `z`, with x1 and x0 in incidents. The
        transformed year is the twelve months that end with the month of the transformation; only
        quarters that begin after it are looked at. There is no threshold then.

    Examples
    --------
    >>> RelapseRule(12, quantile=0.9, threshold=None, test_months=(12,)).has_threshold
    True
    >>> rule = RelapseRule.of_growth(quarters=2, growth=0.3, z=1.645)
    >>> rule.window_months, rule.test_months, rule.has_threshold
    (6, (3, 6, 9, 12), False)
    """

    window_months: int
    quantile: float | None
    threshold: float | None
    test_months: tuple[int, ...]
    rule: Literal["threshold", "growth"] = "threshold"
    quarters: int = 0
    growth: float = 0.0
    z: float = 0.0

    @classmethod
    def of_growth(
        cls, quarters: int, growth: float, z: float, test_months: tuple[int, ...] = QUARTER_ENDS
    ) -> RelapseRule:
        """Return a rule of growth; its window is that of its quarters."""
        return cls(3 * quarters, None, None, test_months, "growth", quarters, growth, z)

    @property
    def has_threshold(self) -> bool:
        """Whether there is a level that a ward's count is compared with on any day."""
        return self.rule == "threshold"


@dataclass(frozen=True)
class AlarmSettings:
    """From where on a watched hotspot is an alarm.

    `amber` and `red` are probabilities of relapse within six months; `inspection_months` is how
    long a hotspot under watch may go without an inspection.
    """

    amber: float = 0.3
    red: float = 0.5
    inspection_months: int = 6


@dataclass(frozen=True)
class Label:
    """A name in both languages."""

    vi: str
    en: str

    def of(self, language: str) -> str:
        """Return the name in one language."""
        return self.en if language == "en" else self.vi


@dataclass(frozen=True)
class Category:
    """A category of incidents: its name, its weight (severity) and the kinds it speaks for."""

    code: str
    label: Label
    weight: float
    kinds: frozenset[int]


@dataclass(frozen=True)
class Region:
    """A part of the area: wards of one boundary edition."""

    code: str
    label: Label
    edition: str
    wards: frozenset[str]


@dataclass(frozen=True)
class Unit:
    """A responsible unit: its wards, and how many areas it can take on; None = no limit."""

    code: str
    label: Label
    edition: str
    wards: frozenset[str]
    capacity: int | None = None


@dataclass(frozen=True)
class Preset:
    """Weights of the components of a ranking, under a name."""

    name: str
    label: Label
    weights: Mapping[str, float]


@dataclass(frozen=True)
class SelectionDefaults:
    """What a choice of wards begins with: its rules, and weights by name."""

    constraints: Constraints = field(default_factory=lambda: Constraints(USUAL_COUNT))
    presets: tuple[Preset, ...] = ()


@dataclass(frozen=True)
class Programme:
    """One programme, checked. `source` is the text it was read from.

    With `approval_required`, an event that changes a status counts once a second person has
    approved it; without, one person works alone and every event counts at once.
    """

    code: str
    name: Label
    years: tuple[int, ...]
    targets: Targets
    kinds: Mapping[int, Label]
    categories: Mapping[str, Category]
    watch_months: int
    relapse: RelapseRule
    approval_required: bool
    source: str
    alarms: AlarmSettings = AlarmSettings()
    regions: Mapping[str, Region] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)
    selection: SelectionDefaults = field(default_factory=SelectionDefaults)

    @property
    def weights(self) -> dict[str, float]:
        """Severity weight by category code."""
        return {code: category.weight for code, category in self.categories.items()}


def read_programme(text: str) -> Programme:
    """Read and check a programme file.

    Raises
    ------
    ProgrammeError
        If the text is not TOML or breaks a rule; all broken rules are named at once.

    Examples
    --------
    >>> read_programme("code = 'x'")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    hotspots.errors.ProgrammeError: The programme file cannot be used: kinds: a table ...
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProgrammeError(
            "programme_not_toml", f"The programme file is not TOML: {error}.", problem=str(error)
        ) from error
    problems = _Problems()
    programme = _programme(data, text, problems)
    if problems.found:
        listed = "; ".join(problems.found)
        raise ProgrammeError(
            "programme_invalid",
            f"The programme file cannot be used: {listed}.",
            problem=listed,
        )
    return programme


class _Problems:
    """Collects every broken rule of a file; each reader answers with a value that does no harm."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def check(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.found.append(sentence)

    def table(self, data: Mapping[str, object], key: str) -> dict[str, object]:
        value = data.get(key, {})
        self.check(isinstance(value, dict) and bool(value), f"{key}: a table [{key}] is needed")
        return value if isinstance(value, dict) else {}

    def number(
        self, data: Mapping[str, object], key: str, low: float, high: float, where: str = ""
    ) -> float:
        value = data.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            name = f"{where}{key}"
            self.found.append(f"{name}: a number from {low:g} to {high:g} is needed, not {value!r}")
            return low
        return float(value)

    def whole(
        self, data: Mapping[str, object], key: str, low: int, high: int, where: str = ""
    ) -> int:
        value = self.number(data, key, low, high, where)
        self.check(value == int(value), f"{where}{key}: a whole number is needed, not {value!r}")
        return int(value)

    def wholes(self, value: object, name: str, low: int, high: int) -> tuple[int, ...]:
        good = (
            isinstance(value, list)
            and bool(value)
            and all(type(item) is int and low <= item <= high for item in value)
        )
        self.check(good, f"{name}: a list of whole numbers from {low} to {high} is needed")
        return tuple(sorted(set(value))) if good and isinstance(value, list) else ()

    def label(self, value: object, name: str) -> Label:
        good = (
            isinstance(value, dict)
            and all(isinstance(value.get(language), str) for language in ("vi", "en"))
            and all(value[language].strip() for language in ("vi", "en"))
        )
        self.check(good, f"{name}: vi and en texts are needed")
        if good and isinstance(value, dict):
            return Label(value["vi"], value["en"])
        return Label("", "")


def _programme(data: Mapping[str, object], text: str, problems: _Problems) -> Programme:
    code = data.get("code")
    problems.check(isinstance(code, str) and bool(code), "code: a short text is needed")
    kinds = _kinds(problems.table(data, "kinds"), problems)
    units = _units(data.get("units", {}), problems)
    targets = problems.table(data, "targets")
    return Programme(
        code=str(code),
        name=problems.label(data.get("name"), "name"),
        years=problems.wholes(data.get("years"), "years", 2000, 2100),
        targets=Targets(
            problems.number(targets, "transformed", 0.01, 1, "targets."),
            problems.number(targets, "not_relapsed", 0.01, 1, "targets."),
        ),
        kinds=kinds,
        categories=_categories(problems.table(data, "categories"), kinds, problems),
        watch_months=problems.whole(problems.table(data, "watch"), "months", 1, 60, "watch."),
        relapse=_relapse_rule(problems.table(data, "relapse"), problems),
        approval_required=_approval_required(data.get("approval", {}), problems),
        source=text,
        alarms=_alarms(data.get("alarms", {}), problems),
        regions=_regions(data.get("regions", {}), problems),
        units=units,
        selection=_selection(data.get("selection", {}), kinds, units, problems),
    )


def _kinds(table: Mapping[str, object], problems: _Problems) -> dict[int, Label]:
    kinds = {}
    for key, value in table.items():
        problems.check(key.isdecimal(), f"kinds.{key}: the key must be a whole number")
        if key.isdecimal():
            kinds[int(key)] = problems.label(value, f"kinds.{key}")
    return kinds


def _categories(
    table: Mapping[str, object], kinds: Mapping[int, Label], problems: _Problems
) -> dict[str, Category]:
    categories = {}
    for code, value in table.items():
        where = f"categories.{code}."
        entry = value if isinstance(value, dict) else {}
        of_kinds = problems.wholes(entry.get("kinds"), f"{where}kinds", 1, 99)
        for kind in set(of_kinds) - set(kinds):
            problems.found.append(f"{where}kinds: {kind} is not among the kinds of the file")
        categories[code] = Category(
            code=code,
            label=problems.label(value, f"categories.{code}"),
            weight=problems.number(entry, "weight", 0.01, 1000, where),
            kinds=frozenset(of_kinds),
        )
    return categories


def _relapse_rule(table: Mapping[str, object], problems: _Problems) -> RelapseRule:
    rule = table.get("rule")
    problems.check(
        rule in ("threshold", "growth"),
        f"relapse.rule: 'threshold' and 'growth' are the rules known here, not {rule!r}",
    )
    return _growth_rule(table, problems) if rule == "growth" else _threshold_rule(table, problems)


def _threshold_rule(table: Mapping[str, object], problems: _Problems) -> RelapseRule:
    one = ("quantile" in table) != ("threshold" in table)
    problems.check(one, "relapse: either quantile or threshold is needed, not both")
    quantile = threshold = None
    if "quantile" in table:
        quantile = problems.number(table, "quantile", 0.5, 0.999, "relapse.")
    if "threshold" in table:
        threshold = problems.number(table, "threshold", 0.01, 1e9, "relapse.")
    return RelapseRule(
        window_months=problems.whole(table, "window_months", 3, 36, "relapse."),
        quantile=quantile,
        threshold=threshold,
        test_months=problems.wholes(table.get("test_months"), "relapse.test_months", 1, 12),
    )


def _growth_rule(table: Mapping[str, object], problems: _Problems) -> RelapseRule:
    for key in ("quantile", "threshold", "window_months"):
        problems.check(key not in table, f"relapse.{key}: belongs to rule = 'threshold'")
    tests = problems.wholes(table.get("test_months"), "relapse.test_months", 1, 12)
    problems.check(
        set(tests) <= set(QUARTER_ENDS),
        "relapse.test_months: quarters end in months 3, 6, 9 and 12",
    )
    return RelapseRule.of_growth(
        quarters=problems.whole(table, "quarters", 1, 4, "relapse."),
        growth=problems.number(table, "growth", 0, 10, "relapse."),
        z=problems.number(table, "z", 0, 10, "relapse."),
        test_months=tests,
    )


def _alarms(table: object, problems: _Problems) -> AlarmSettings:
    """Read from where on there is an alarm; what the file does not say is as measured."""
    problems.check(isinstance(table, dict), "alarms: a table [alarms] is needed")
    usual = AlarmSettings()
    given: dict[str, object] = {
        "amber": usual.amber,
        "red": usual.red,
        "inspection_months": usual.inspection_months,
    }
    if isinstance(table, dict):
        for key in set(table) - set(given):
            problems.found.append(f"alarms.{key}: allowed are {', '.join(given)}")
        given |= table
    amber = problems.number(given, "amber", 0.01, 0.99, "alarms.")
    red = problems.number(given, "red", 0.01, 0.99, "alarms.")
    problems.check(amber <= red, "alarms: amber must not be above red")
    return AlarmSettings(amber, red, problems.whole(given, "inspection_months", 1, 60, "alarms."))


def _approval_required(table: object, problems: _Problems) -> bool:
    """Read whether a second person must approve; a file that does not say so wants it."""
    required = table.get("required", True) if isinstance(table, dict) else None
    problems.check(isinstance(required, bool), "approval.required: true or false is needed")
    return required is not False


# -- regions, responsible units, and what a choice of wards begins with


def _regions(given: object, problems: _Problems) -> dict[str, Region]:
    regions: dict[str, Region] = {}
    for code, entry in _entries(given, "regions", problems).items():
        where = f"regions.{code}"
        edition, wards = _wards_of(entry, where, problems)
        _refuse_shared(wards, edition, regions, where, problems)
        regions[code] = Region(code, problems.label(entry, where), edition, wards)
    return regions


def _units(given: object, problems: _Problems) -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for code, entry in _entries(given, "units", problems).items():
        where = f"units.{code}"
        edition, wards = _wards_of(entry, where, problems)
        _refuse_shared(wards, edition, units, where, problems)
        most = (
            problems.whole(entry, "capacity", 0, 999, f"{where}.") if "capacity" in entry else None
        )
        units[code] = Unit(code, problems.label(entry, where), edition, wards, most)
    return units


def _entries(given: object, name: str, problems: _Problems) -> dict[str, dict[str, object]]:
    if not isinstance(given, dict):
        problems.found.append(f"{name}: a table [{name}.CODE] for each is needed")
        return {}
    for code, entry in given.items():
        problems.check(isinstance(entry, dict), f"{name}.{code}: a table is needed")
    return {str(code): entry for code, entry in given.items() if isinstance(entry, dict)}


def _wards_of(
    entry: Mapping[str, object], where: str, problems: _Problems
) -> tuple[str, frozenset[str]]:
    """Read the wards of a region or a unit, and the edition that their codes are of."""
    wards = entry.get("wards")
    good = isinstance(wards, list) and bool(wards) and all(_is_text(ward) for ward in wards)
    problems.check(good, f"{where}.wards: a list of ward codes as text is needed")
    edition = entry.get("edition")
    day = edition.isoformat() if isinstance(edition, date) else str(edition)
    problems.check(_is_day(day), f"{where}.edition: a day like 2025-07-01 is needed")
    return day, frozenset(map(str, wards)) if good and isinstance(wards, list) else frozenset()


def _refuse_shared(
    wards: frozenset[str],
    edition: str,
    others: Mapping[str, Region] | Mapping[str, Unit],
    where: str,
    problems: _Problems,
) -> None:
    for other in others.values():
        shared = sorted(wards & other.wards) if other.edition == edition else []
        problems.check(
            not shared, f"{where}.wards: {', '.join(shared)} already belong to {other.code}"
        )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def unknown_names(rules: Constraints, kinds: Collection[int], units: Collection[str]) -> list[str]:
    """Return what rules say of kinds and units that a programme does not know."""
    return [
        *(f"kinds.{kind}: not among the programme's kinds" for kind in sorted(rules.kinds)
          if kind not in kinds),
        *(f"capacity.{unit}: not among the programme's units" for unit in sorted(rules.capacity)
          if unit not in units),
    ]  # fmt: skip


def _selection(
    given: object, kinds: Mapping[int, Label], units: Mapping[str, Unit], problems: _Problems
) -> SelectionDefaults:
    """Read what a choice begins with; what a unit can take on is a rule of every choice."""
    if not isinstance(given, dict):
        problems.found.append("selection: a table [selection] is needed")
        return SelectionDefaults()
    rules = {"count": USUAL_COUNT} | {k: v for k, v in given.items() if k != "presets"}
    try:
        constraints = read_constraints(rules)
    except ProgrammeError as error:
        problems.found.append(f"selection: {error.facts['problem']}")
        constraints = Constraints(USUAL_COUNT)
    problems.found += [f"selection.{each}" for each in unknown_names(constraints, kinds, units)]
    of_units = {code: unit.capacity for code, unit in units.items() if unit.capacity is not None}
    return SelectionDefaults(
        replace(constraints, capacity=of_units | dict(constraints.capacity)),
        _presets(given.get("presets", {}), problems),
    )


def _presets(given: object, problems: _Problems) -> tuple[Preset, ...]:
    presets = []
    for name, entry in _entries(given, "selection.presets", problems).items():
        where = f"selection.presets.{name}"
        weights = entry.get("weights")
        good = isinstance(weights, dict) and are_weights(weights)
        allowed = ", ".join(COMPONENTS)
        problems.check(
            good, f"{where}.weights: numbers of 0 or more, one above 0, for some of {allowed}"
        )
        if good and isinstance(weights, dict):
            numbers = {str(key): float(value) for key, value in weights.items()}
            presets.append(Preset(name, problems.label(entry, where), numbers))
    return tuple(presets)


def are_weights(given: Mapping[str, object]) -> bool:
    """Tell whether these are weights for components of a ranking, at least one above 0.

    >>> are_weights({"smoothed_level": 1, "trend": 0.5}), are_weights({"trend": 0})
    (True, False)
    """
    values = [value for value in given.values() if type(value) in (int, float)]
    return (
        set(given) <= set(COMPONENTS)
        and len(values) == len(given)
        and all(
            isinstance(value, int | float) and isfinite(value) and value >= 0 for value in values
        )
        and any(values)
    )
