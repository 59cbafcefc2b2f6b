"""Every text a person reads, in one place per language, and numbers as that language writes them.

Vietnamese is the first language. Screens, reports and the command line all ask here; the
calculations give codes and numbers, never sentences.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from importlib import resources
from math import isfinite
from string import Formatter
from typing import Any

LANGUAGES = ("vi", "en")
_SHARES = frozenset(
    {
        "share",
        "margin",
        "p6",
        "p6_without",
        "amber_from",
        "red_from",
        "probability",
        "foreseen",
        "came_true",
        "skill",
        "skill_low",
        "skill_high",
    }
)
_DAYS = frozenset({"inspected", "since_day"})
_RATIOS = frozenset({"ratio", "factor", "times_median", "needed_ratio", "z", "z_needed", "odds"})
_MONTHS = frozenset(
    {"until", "last", "expected", "since", "month", "base_first", "base_last", "first_seen"}
)
_PERIODS = frozenset({"quarter"})
_EDITIONS = frozenset({"edition", "editions", "earlier", "later"})
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_GROUP_OF = {
    "event": "event",
    "status": "status",
    "allowed": "event",
    "role": "role",
    "permission": "permission",
    "personal": "personal_data",
    "roles": "field",
    "components": "component",
}
_MOST_ROWS = 20
_YEARS = frozenset({"year", "years", "plan_year"})


class Texts:
    """The texts of one language.

    Examples
    --------
    >>> vi, en = texts("vi"), texts("en")
    >>> vi.number(14002598), vi.percent(0.857), en.percent(0.857)
    ('14.002.598', '85,7\\xa0%', '85.7%')
    >>> vi.day(date(2025, 10, 20)), en.month("2025-10")
    ('20/10/2025', '10/2025')
    """

    def __init__(self, language: str, sentences: Mapping[str, str]) -> None:
        self.language = language
        self._sentences = sentences

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values filled in, each as this language writes it."""
        shown = {name: self._shown(name, value) for name, value in values.items()}
        return self._sentences[key].format_map(shown)

    def has(self, key: str) -> bool:
        """Tell whether there is such a text."""
        return key in self._sentences

    def _shown(self, name: str, value: object) -> str:
        """Write a value under the name it has in a sentence: 2000 rows, but the year 2000."""
        if isinstance(value, int) and not isinstance(value, bool) and name not in _YEARS:
            return self.number(value)
        return self.show(value)

    def show(self, value: object) -> str:
        """Write any value: a number, a day, a list or a text; 1900 to 2100 is taken for a year."""
        if isinstance(value, bool) or value is None:
            return self("word.none") if value is None else self(f"word.{str(value).lower()}")
        if isinstance(value, datetime):
            return f"{self.day(value.date())} {value:%H:%M}"
        if isinstance(value, date):
            return self.day(value)
        if isinstance(value, int):
            return str(value) if 1900 <= value <= 2100 else self.number(value)
        if isinstance(value, float):
            if not isfinite(value):
                return self("word.none")
            return self.number(value, 0 if value == int(value) or abs(value) >= 100 else 1)
        if isinstance(value, Iterable) and not isinstance(value, str):
            return ", ".join(self.show(item) for item in value)
        return str(value)

    def number(self, value: float, decimals: int = 0) -> str:
        """Write a number with the language's signs."""
        text = f"{value:,.{decimals}f}"
        return text.translate({44: ".", 46: ","}) if self.language == "vi" else text

    def percent(self, share: float | None, decimals: int = 1) -> str:
        """Write a share as a percentage, or a dash for none."""
        if share is None:
            return "–"
        number = self.number(share * 100, decimals)
        return f"{number}\xa0%" if self.language == "vi" else f"{number}%"

    def chance(self, probability: float) -> str:
        """Write a probability in whole percent; never as certain, which no forecast is.

        >>> [texts("en").chance(p) for p in (0.998, 0.5, 0.001)]
        ['over 99%', '50%', 'under 1%']
        """
        if probability > 0.99:
            return self("word.chance_over")
        return self("word.chance_under") if probability < 0.01 else self.percent(probability, 0)

    def day(self, day: date | None) -> str:
        """Write a day, or a dash for none."""
        if day is None:
            return "–"
        return f"{day:%d/%m/%Y}" if self.language == "vi" else f"{day:%d %b %Y}"

    def month(self, month: str) -> str:
        """Write a month given as 2025-10."""
        return f"{month[5:7]}/{month[:4]}"

    def period(self, period: str) -> str:
        """Write a period given as 2025, 2025-Q3, 2025-H1, 2025-10 or 2025-10-20.

        >>> vi, en = texts("vi"), texts("en")
        >>> vi.period("2025-Q3"), en.period("2025-H1"), vi.period("2025-10"), vi.period("2025")
        ('quý 3/2025', 'half-year 1/2025', '10/2025', '2025')
        """
        year, _, part = period.partition("-")
        if part[:1] in ("Q", "H"):
            return self(
                f"word.{'quarter' if part[0] == 'Q' else 'half_year'}", part=part[1:], year=year
            )
        if len(part) == len("10-20"):
            return self.day(date.fromisoformat(period))
        return self.month(period) if part else year

    def ward(self, kind: str, name: str) -> str:
        """Write a ward's name with its kind in front, once."""
        word = self(f"word.{kind}") if kind else ""
        return name if name.casefold().startswith(word.casefold()) else f"{word} {name}"

    def reason(self, code: str, facts: Mapping[str, float | str]) -> str:
        """Say why, from a reason's code and facts (`hotspots.measures.reasons`)."""
        if code == "trend":
            code = "trend_up" if float(facts["ratio"]) >= 1 else "trend_down"
        shown: dict[str, object] = dict(facts)
        for name, value in facts.items():
            if name in _SHARES and isinstance(value, float):
                shown[name] = self.percent(value, 0) if isfinite(value) else self("word.none")
            elif name in _RATIOS and isinstance(value, float):
                shown[name] = self.number(value, 2) if isfinite(value) else self("word.none")
            elif name in _MONTHS and isinstance(value, str):
                shown[name] = self.month(value)
            elif name in _DAYS:
                shown[name] = self.day(date.fromisoformat(str(value)))
            elif name in _PERIODS:
                shown[name] = self.period(str(value))
        return self(f"reason.{code}", **shown)

    def error(self, error: Exception) -> str:
        """Say an error in this language; one without a text is said as it is."""
        key = f"error.{getattr(error, 'reason', '')}"
        facts: Mapping[str, object] = getattr(error, "facts", {})
        if "problems" in facts:  # rows of a boundary file, each with its own reason
            key = "error.several_problems"
        if not self.has(key) or not self._placeholders(key) <= facts.keys():
            return str(error)
        return self(key, **{name: self._fact(name, value) for name, value in facts.items()})

    def _placeholders(self, key: str) -> set[str]:
        """Return the names of the values a text needs."""
        return {name for _, name, _, _ in Formatter().parse(self._sentences[key]) if name}

    def _fact(self, name: str, value: object) -> object:
        """Translate the codes that errors carry (events, statuses, rows, months) into words."""
        if name == "problems" and isinstance(value, tuple):
            shown = "; ".join(self._row_problem(item) for item in value[:_MOST_ROWS])
            return shown if len(value) <= _MOST_ROWS else f"{shown}; …"
        if name in _MONTHS and isinstance(value, str):
            return self.month(value)
        if name in _EDITIONS and isinstance(value, str):
            return ", ".join(
                self.day(date.fromisoformat(part)) if _ISO_DAY.fullmatch(part) else part
                for part in value.split(", ")
            )
        group = _GROUP_OF.get(name)
        if group is None:
            return value
        if isinstance(value, tuple | list):
            return ", ".join(self._word(group, item) for item in value) or self("word.nothing")
        return self._word(group, value)

    def _row_problem(self, problem: Any) -> str:
        given = f": {problem.given}" if problem.given else ""
        reason = self._word("reject", problem.reason)
        return self("import.row", row=problem.row, code=problem.code, reason=reason) + given

    def _word(self, group: str, code: object) -> str:
        key = f"{group}.{code}"
        return self(key) if self.has(key) else str(code)


@cache
def texts(language: str) -> Texts:
    """Return the texts of a language.

    Raises
    ------
    ValueError
        If it is none of `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise ValueError(f"{language!r} is not a language here; allowed are {LANGUAGES}.")
    source = resources.files("hotspots.text").joinpath(f"{language}.toml")
    return Texts(language, dict(_flat(tomllib.loads(source.read_text("utf-8")))))


def _flat(tree: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
