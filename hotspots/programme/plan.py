"""A programme as data: years, targets, kinds, categories, watch period, relapse rule.

A programme is a TOML file that the customer can read and change; nothing of it is in the code.
`data/hcmc_programme.toml` is an example with every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from hotspots.errors import ProgrammeError


@dataclass(frozen=True)
class Targets:
    """The two shares the programme is measured by, each between 0 and 1."""

    transformed: float
    not_relapsed: float


@dataclass(frozen=True)
class RelapseRule:
    """When an area counts as complex again, as the programme writes it.

    The severity-weighted count of the last `window_months` months is compared with a threshold at
    the end of each of `test_months`. The threshold is either fixed (`threshold`) or the `quantile`
    of all wards' counts in the same window: the level a ward was designated at.
    """

    window_months: int
    quantile: float | None
    threshold: float | None
    test_months: tuple[int, ...]


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
        rule == "threshold", f"relapse.rule: 'threshold' is the rule known here, not {rule!r}"
    )
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


def _approval_required(table: object, problems: _Problems) -> bool:
    """Read whether a second person must approve; a file that does not say so wants it."""
    required = table.get("required", True) if isinstance(table, dict) else None
    problems.check(isinstance(required, bool), "approval.required: true or false is needed")
    return required is not False
