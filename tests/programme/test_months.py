"""Months as values, and the day a period of months ends."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspots.programme.months import Month, add_months, last_complete_month

MONTHS = st.builds(Month, st.integers(1900, 2200), st.integers(1, 12))
DAYS = st.dates(date(1900, 1, 1), date(2200, 12, 31))


@given(MONTHS, st.integers(-600, 600))
def test_adding_months_and_taking_them_away_comes_back(month: Month, steps: int) -> None:
    assert (month + steps) - month == steps
    assert (month + steps) + -steps == month


@given(MONTHS)
def test_a_month_is_read_back_from_what_it_writes(month: Month) -> None:
    assert Month.parse(str(month)) == month


@given(DAYS)
def test_a_day_lies_between_the_first_and_the_last_day_of_its_month(day: date) -> None:
    month = Month.of(day)
    assert month.first_day <= day <= month.last_day
    assert month.last_day + timedelta(days=1) == (month + 1).first_day


@given(MONTHS, MONTHS)
def test_months_are_ordered_like_their_text_and_their_days(one: Month, other: Month) -> None:
    assert (one < other) == (str(one) < str(other)) == (one.first_day < other.first_day)


@pytest.mark.parametrize("text", ["2025-13", "2025-00", "2025-1", "10/2025", "2025-10-01", "", "x"])
def test_what_is_not_a_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a month"):
        Month.parse(text)


@given(DAYS)
def test_the_last_complete_month_is_over_and_the_next_one_is_not(day: date) -> None:
    last = last_complete_month(day)
    assert last.last_day <= day < (last + 1).last_day


# Civil Code 2015 of Viet Nam, article 148 (3): a period in months ends with the corresponding day
# of its last month, or with that month's last day (thuvienphapluat.vn/hoi-dap-phap-luat/3896F).
@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2025, 12, 18), 12, date(2026, 12, 18)),
        (date(2025, 8, 31), 6, date(2026, 2, 28)),
        (date(2023, 8, 31), 6, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2025, 1, 31), 1, date(2025, 2, 28)),
    ],
)
def test_a_period_of_months_ends_on_the_corresponding_day(
    start: date, months: int, end: date
) -> None:
    assert add_months(start, months) == end


@given(DAYS, st.integers(0, 120))
def test_adding_months_to_a_day_moves_the_month_and_never_the_day_forward(
    day: date, months: int
) -> None:
    later = add_months(day, months)
    assert Month.of(later) - Month.of(day) == months
    assert later.day == min(day.day, calendar.monthrange(later.year, later.month)[1])
