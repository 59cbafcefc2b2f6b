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


def first_day_of_period(period: str) -> str:
    """Return the day on which a period began; of a day the day itself.

    >>> [first_day_of_period(period) for period in ("2025", "2025-Q2", "2025-H2", "2025-07")]
    ['2025-01-01', '2025-04-01', '2025-07-01', '2025-07-01']
    """
    starts = {"": "01", "Q1": "01", "Q2": "04", "Q3": "07", "Q4": "10", "H1": "01", "H2": "07"}
    part = period[5:]
    if part in starts:
        return f"{period[:4]}-{starts[part]}-01"
    return period if len(period) == len("2025-07-01") else f"{period}-01"


def last_day_of_period(period: str) -> str:
    """Return the last day of a quarter, half-year or year; a month or day as it is.

    >>> [last_day_of_period(period) for period in ("2025", "2025-Q2", "2025-07")]
    ['2025-12-31', '2025-06-30', '2025-07']
    """
    ends = {"": "12-31", "Q1": "03-31", "Q2": "06-30", "Q3": "09-30", "Q4": "12-31", "H1": "06-30"}
    ends["H2"] = "12-31"
    part = period[5:]
    return f"{period[:4]}-{ends[part]}" if part in ends else period


def months_between(start: date, end: date) -> float:
    """Return how many months lie between two days, the last one in part; 0 or more.

    >>> months_between(date(2024, 12, 18), date(2025, 12, 18))
    12.0
    >>> months_between(date(2025, 1, 31), date(2025, 3, 14))
    1.4516129032258065
    """
    whole = max(Month.of(end) - Month.of(start), 0)
    if whole and add_months(start, whole) > end:
        whole -= 1
    since, until = add_months(start, whole), add_months(start, whole + 1)
    return whole + max((end - since).days, 0) / (until - since).days
