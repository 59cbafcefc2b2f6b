"""What a list of wards must keep to, as data: how many, which in any case, which not, and quotas.

The rules of a plan are a table of a TOML file that the customer can read and change:

    [selection]
    count = 12
    edition = "2025-07-01"              # the boundaries that the codes below are of
    must_include = ["26734"]            # carried over from last year
    at_least_one_per_region = true
    no_two_neighbours = false

    [selection.excluded.26737]          # why, and where that is written
    rule = "newly recognised as nông thôn mới"
    source = "301/HD-BCĐ138, May 2022"

    [selection.kinds.4]                 # kind of hotspot: how many of it
    at_least = 2
    at_most = 6

    [selection.capacity]                # responsible unit: the most it can take on
    "PC04" = 3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from hotspots.errors import ProgrammeError

COMPONENTS: Final = (
    "smoothed_level",
    "rate",
    "persistence",
    "trend",
    "severity",
    "neighbours",
    "pattern",
    "carried_over",
    "relapse",
)
"""What a planner may give a weight to; see `hotspots.measures.components`."""

MOST_WARDS = 10_000

_LONGEST_TEXT = 200

_KEYS = {
    "count",
    "edition",
    "must_include",
    "excluded",
    "at_least_one_per_region",
    "no_two_neighbours",
    "kinds",
    "capacity",
}


@dataclass(frozen=True)
class Exclusion:
    """Why a ward may not be chosen, and where that rule is written."""

    rule: str
    source: str


@dataclass(frozen=True)
class Quota:
    """How many of the chosen wards must (`at_least`) and may (`at_most`) be of a kind."""

    at_least: int = 0
    at_most: int | None = None


@dataclass(frozen=True)
class Constraints:
    """What a choice must keep to, checked.

    Attributes
    ----------
    count : int
        Wards to choose, exactly.
    must_include : tuple of str
        Chosen in any case, as the wards carried over from last year.
    excluded : mapping of str to Exclusion
        Never chosen.
    at_least_one_per_region : bool
    no_two_neighbours : bool
    kinds : mapping of int to Quota
        By kind of hotspot.
    capacity : mapping of str to int
        The most that a responsible unit can take on; a unit not named has no limit.
    edition : str or None
        Day of the boundaries whose codes `must_include` and `excluded` name; None: of the day that
        the choice is made on.
    """

    count: int
    must_include: tuple[str, ...] = ()
    excluded: Mapping[str, Exclusion] = field(default_factory=dict)
    at_least_one_per_region: bool = False
    no_two_neighbours: bool = False
    kinds: Mapping[int, Quota] = field(default_factory=dict)
    capacity: Mapping[str, int] = field(default_factory=dict)
    edition: str | None = None

    @property
    def wards(self) -> tuple[str, ...]:
        """The codes of wards that the rules name."""
        return (*self.must_include, *self.excluded)


def read_constraints(data: Mapping[str, object]) -> Constraints:
    """Read and check the rules of a choice from the table of a TOML file.

    Raises
    ------
    ProgrammeError
        `selection_rules_invalid` (problem): everything that is wrong, at once.

    Examples
    --------
    >>> read_constraints({"count": 12, "kinds": {"4": {"at_least": 2}}}).kinds
    {4: Quota(at_least=2, at_most=None)}
    >>> read_constraints({"count": 1, "kind": {}})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    hotspots.errors.ProgrammeError: The rules of the choice cannot be used: kind: not a rule ...
    """
    problems: list[str] = []
    for key in sorted(set(map(str, data)) - _KEYS):
        problems.append(f"{key}: not a rule (allowed: {', '.join(sorted(_KEYS))})")
    constraints = Constraints(
        count=_whole(data.get("count"), "count", 1, problems),
        must_include=_codes(data.get("must_include", []), "must_include", problems),
        excluded=_exclusions(data.get("excluded", {}), problems),
        at_least_one_per_region=_flag(data, "at_least_one_per_region", problems),
        no_two_neighbours=_flag(data, "no_two_neighbours", problems),
        kinds=_quotas(data.get("kinds", {}), problems),
        capacity={
            unit: _whole(most, f"capacity.{unit}", 0, problems)
            for unit, most in _table(data.get("capacity", {}), "capacity", problems).items()
        },
        edition=_edition(data.get("edition"), problems),
    )
    if problems:
        raise invalid_rules(problems)
    return constraints


def invalid_rules(problems: Sequence[str]) -> ProgrammeError:
    """Return the error that says everything that is wrong with rules."""
    listed = "; ".join(problems)
    return ProgrammeError(
        "selection_rules_invalid",
        f"The rules of the choice cannot be used: {listed}. Correct the file.",
        problem=listed,
    )


def as_table(constraints: Constraints) -> dict[str, object]:
    """Return constraints as the table that `read_constraints` reads.

    >>> as_table(Constraints(2, kinds={4: Quota(at_most=1)}))["kinds"]
    {'4': {'at_least': 0, 'at_most': 1}}
    """
    return {
        "count": constraints.count,
        "must_include": list(constraints.must_include),
        "excluded": {
            ward: {"rule": why.rule, "source": why.source}
            for ward, why in constraints.excluded.items()
        },
        "at_least_one_per_region": constraints.at_least_one_per_region,
        "no_two_neighbours": constraints.no_two_neighbours,
        "kinds": {str(kind): _quota_table(quota) for kind, quota in constraints.kinds.items()},
        "capacity": dict(constraints.capacity),
    } | ({} if constraints.edition is None else {"edition": constraints.edition})


def _quota_table(quota: Quota) -> dict[str, int]:
    most = {} if quota.at_most is None else {"at_most": quota.at_most}
    return {"at_least": quota.at_least} | most


def _table(value: object, name: str, problems: list[str]) -> dict[str, object]:
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    problems.append(f"{name}: a table [{name}] is needed, not {value!r}")
    return {}


def _edition(value: object, problems: list[str]) -> str | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        problems.append(f"edition: a day such as 2025-07-01 is needed, not {value!r}")
        return None


def _whole(value: object, name: str, low: int, problems: list[str]) -> int:
    if type(value) is int and low <= value <= MOST_WARDS:
        return value
    problems.append(f"{name}: a whole number from {low} to {MOST_WARDS} is needed, not {value!r}")
    return low


def _flag(data: Mapping[str, object], name: str, problems: list[str]) -> bool:
    value = data.get(name, False)
    if not isinstance(value, bool):
        problems.append(f"{name}: true or false is needed, not {value!r}")
    return value is True


def _codes(value: object, name: str, problems: list[str]) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(item, str) and item for item in value):
        return tuple(dict.fromkeys(value))
    problems.append(f"{name}: a list of ward codes as text is needed, not {value!r}")
    return ()


def _exclusions(value: object, problems: list[str]) -> dict[str, Exclusion]:
    found = {}
    for ward, entry in _table(value, "excluded", problems).items():
        where = f"excluded.{ward}"
        facts = _table(entry, where, problems)
        rule, source = (_text(facts.get(key), f"{where}.{key}", problems) for key in _WHY)
        found[ward] = Exclusion(rule, source)
    return found


_WHY = ("rule", "source")


def _text(value: object, name: str, problems: list[str]) -> str:
    if isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_TEXT:
        return value.strip()
    problems.append(f"{name}: a text of 1 to {_LONGEST_TEXT} signs is needed, not {value!r:.60}")
    return ""


def _quotas(value: object, problems: list[str]) -> dict[int, Quota]:
    found = {}
    for kind, entry in _table(value, "kinds", problems).items():
        where = f"kinds.{kind}"
        if not (kind.isascii() and kind.isdecimal()):
            problems.append(f"{where}: the key must be the whole number of a kind")
            continue
        facts = _table(entry, where, problems)
        for key in sorted(facts.keys() - {"at_least", "at_most"}):
            problems.append(f"{where}.{key}: not a quota (allowed: at_least, at_most)")
        least = _whole(facts.get("at_least", 0), f"{where}.at_least", 0, problems)
        most = (
            _whole(facts["at_most"], f"{where}.at_most", 0, problems)
            if "at_most" in facts
            else None
        )
        found[int(kind)] = Quota(least, most)
    return found
