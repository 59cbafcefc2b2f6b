"""Values that a file holds as numbers or days -> the text of a cell, losing nothing that is shown.

A ward code that a workbook keeps as the number 26740 is "26740", never "26740.0".
"""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal

_WHOLE_BELOW = 1e15  # above, a double no longer holds every whole number
_PLAIN_BETWEEN = (1e-15, 1e21)


def number_text(value: float, *, digits: int | None = None) -> str:
    """Return a number without exponent or needless decimals; not-a-number is a missing cell.

    Parameters
    ----------
    value : float
        Any number.
    digits : int, optional
        Significant digits kept; by default all that the double holds.

    Examples
    --------
    >>> number_text(26740.0), number_text(12.5), number_text(1e-7), number_text(float("nan"))
    ('26740', '12.5', '0.0000001', '')
    >>> number_text(0.30000000000000004, digits=15)
    '0.3'
    """
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return ""
    if value.is_integer() and abs(value) < _WHOLE_BELOW:
        return str(int(value))
    text = repr(value) if digits is None else f"{value:.{digits}g}"
    smallest, largest = _PLAIN_BETWEEN
    if "e" in text and smallest < abs(value) < largest:
        return format(Decimal(text), "f")
    return text


def moment_text(value: date | datetime | time | timedelta) -> str:
    """Return a day as yyyy-mm-dd, with hours only if there are any; a length of time in seconds.

    Examples
    --------
    >>> moment_text(datetime(2025, 4, 3)), moment_text(datetime(2025, 4, 3, 8, 30))
    ('2025-04-03', '2025-04-03 08:30:00')
    """
    if isinstance(value, timedelta):
        return number_text(value.total_seconds())
    if isinstance(value, datetime):
        whole = (value + timedelta(milliseconds=500)).replace(microsecond=0, tzinfo=None)
        shown = whole.isoformat(sep=" ")
        return shown.removesuffix(" 00:00:00")
    if isinstance(value, time):
        return value.replace(microsecond=0, tzinfo=None).isoformat()
    return value.isoformat()
