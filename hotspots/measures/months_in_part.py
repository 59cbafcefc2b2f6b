"""Months that a file reports only in part: taken at their word they would look like a fall."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from hotspots.measures.reasons import Reason

_LEAST_MONTHS = 4
_LEAST_WARDS = 8
_LEAST_TOTAL = 20.0
_EARLY_END_DAY = 24


def months_in_part(rows: pd.DataFrame, today: date) -> tuple[Reason, ...]:
    """Name the months of a file that seem to be there only in part.

    Parameters
    ----------
    rows : DataFrame
        `ward`, `month` (text 2025-10), `count`, and, where the file has days, `day` (text
        2025-10-20; a month only where no day is known).
    today : date
        A month that has not ended is in part.

    Returns
    -------
    tuple of Reason
        By month: ``month_running`` (month); ``month_ends_early`` (month, day: the file's last);
        ``month_few_wards`` (month, wards, usual: the median of the file's other months);
        ``month_low_total`` (month, total, usual). The last two compare with at least four other
        months; fewer than half of the usual is odd. One reason a month, the first that holds.

    Examples
    --------
    >>> rows = pd.DataFrame({"ward": ["1", "1"], "month": ["2025-09", "2025-10"], "count": [4, 1]})
    >>> [(each.code, each.facts["month"]) for each in months_in_part(rows, date(2025, 10, 9))]
    [('month_running', '2025-10')]
    """
    if rows.empty:
        return ()
    filled = rows[rows["count"].astype(float) > 0]
    wards = filled.groupby("month")["ward"].nunique().astype(float)
    totals = filled.groupby("month")["count"].sum().astype(float)
    found = []
    for month in sorted(str(each) for each in rows["month"].unique()):
        reason = (
            _running(month, today)
            or _ends_early(month, rows)
            or _unusual(month, wards, "month_few_wards", "wards", _LEAST_WARDS)
            or _unusual(month, totals, "month_low_total", "total", _LEAST_TOTAL)
        )
        if reason is not None:
            found.append(reason)
    return tuple(found)


def _running(month: str, today: date) -> Reason | None:
    return Reason("month_running", {"month": month}) if month == f"{today:%Y-%m}" else None


def _ends_early(month: str, rows: pd.DataFrame) -> Reason | None:
    """Look at the file's last month only: in others a quiet end is a quiet end."""
    if "day" not in rows or month != rows["month"].max():
        return None
    last = str(rows.loc[rows["month"].eq(month), "day"].max())
    if len(last) < len("2025-10-20") or int(last[8:]) >= _EARLY_END_DAY:
        return None
    return Reason("month_ends_early", {"month": month, "day": last})


def _unusual(
    month: str, by_month: pd.Series[float], code: str, name: str, least: float
) -> Reason | None:
    others = by_month.drop(month, errors="ignore")
    if len(others) < _LEAST_MONTHS:
        return None
    usual, here = float(np.median(others)), float(by_month.get(month, 0.0))
    if usual < least or here >= usual / 2:
        return None
    return Reason(code, {"month": month, name: here, "usual": usual})
