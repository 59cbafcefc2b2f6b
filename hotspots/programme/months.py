"""Calendar months as values: ordered, countable, written 2025-10."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date

_ISO_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")


@dataclass(frozen=True, order=True)
class Month:
    """One calendar month.

    Examples
    --------
    >>> Month(2025, 11) + 3
    Month(year=2026, month=2)
    >>> Month(2026, 2) - Month(2025, 11)
    3
    >>> str(Month.of(date(2025, 10, 20)))
    '2025-10'
    """

    year: int
    month: int

    def __post_init__(self) -> None:
        if not 1 <= self.month <= 12:
            raise ValueError(f"{self.month} is not a month; allowed are 1 to 12.")

    @classmethod
    def of(cls, day: date) -> Month:
        """Return the month a day lies in."""
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read '2025-10'; anything else is refused, never guessed."""
        match = _ISO_MONTH.match(text)
        if match is None:
            raise ValueError(f"{text!r} is not a month; write year-month, for example 2025-10.")
        return cls(int(match[1]), int(match[2]))

    @property
    def first_day(self) -> date:
        """The first day of the month."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """The last day of the month."""
        return date(self.year, self.month, calendar.monthrange(self.year, self.month)[1])

    def __add__(self, months: int) -> Month:
        years, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(years, month + 1)

    def __sub__(self, other: Month) -> int:
        return (self.year - other.year) * 12 + self.month - other.month

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def last_complete_month(as_of: date) -> Month:
    """Return the last month that was over at the end of the day `as_of`.

    >>> str(last_complete_month(date(2025, 10, 31))), str(last_complete_month(date(2025, 10, 30)))
    ('2025-10', '2025-09')
    """
    month = Month.of(as_of)
    return month if month.last_day == as_of else month + -1


def add_months(day: date, months: int) -> date:
    """Return the same day of the month some months later, or that month's last day.

    >>> add_months(date(2024, 8, 31), 6)
    datetime.date(2025, 2, 28)
    """
    month = Month.of(day) + months
    return month.last_day.replace(day=min(day.day, month.last_day.day))
