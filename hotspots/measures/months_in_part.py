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
_FEW_WARDS, _LOW_TOTAL = 0.8, 0.5


def months_in_part(
    rows: pd.DataFrame, today: date, before: pd.DataFrame | None = None
) -> tuple[Reason, ...]:
    """Name the months of a file that seem to be there only in part.

    Parameters
    ----------
    rows : DataFrame
        `ward`, `month` (text 2025-10), `count`, and, where the file has days, `day` (text
        2025-10-20; a month only where no day is known).
    today : date
        A month that has not ended is in part.
    before : DataFrame, optional
        `ward`, `month`, `count` of what is held already: months to compare with.

    Returns
    -------
    tuple of Reason
        By month: ``month_running`` (month); ``month_ends_early`` (month, day: the file's last);
        ``month_few_wards`` (month, wards, usual: the median of the other months);
        ``month_low_total`` (month, total, usual). The last two compare with at least four other
        months of the last two years, the file's and those held; fewer than four fifths of the
        usual wards, or half of the usual total, is odd. One reason a month, the first that holds.

    Examples
    --------
    >>> rows = pd.DataFrame({"ward": ["1", "1"], "month": ["2025-09", "2025-10"], "count": [4, 1]})
    >>> [(each.code, each.facts["month"]) for each in months_in_part(rows, date(2025, 10, 9))]
    [('month_running', '2025-10')]
    """
    if rows.empty:
        return ()
    wards, totals = _by_month(rows)
    if before is not None and len(before):
        held_wards, held_totals = _by_month(before[~before["month"].isin(rows["month"])])
        wards, totals = pd.concat([held_wards, wards]), pd.concat([held_totals, totals])
    found = []
    for month in sorted(str(each) for each in rows["month"].unique()):
        reason = (
            _running(month, today)
            or _ends_early(month, rows)
            or _unusual(month, wards, "month_few_wards", "wards", _LEAST_WARDS, _FEW_WARDS)
            or _unusual(month, totals, "month_low_total", "total", _LEAST_TOTAL, _LOW_TOTAL)
        )
        if reason is not None:
            found.append(reason)
    return tuple(found)


def _by_month(rows: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[float]]:
    """Return how many wards have anything in each month, and the totals."""
    filled = rows[rows["count"].astype(float) > 0]
    groups = filled.groupby("month")
    return groups["ward"].nunique().astype(float), groups["count"].sum().astype(float)


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
    month: str, by_month: pd.Series[float], code: str, name: str, least: float, part: float
) -> Reason | None:
    near = f"{int(month[:4]) - 2}{month[4:]}", f"{int(month[:4]) + 2}{month[4:]}"
    others = by_month.drop(month, errors="ignore").sort_index().loc[near[0] : near[1]]
    if len(others) < _LEAST_MONTHS:
        return None
    usual, here = float(np.median(others)), float(by_month.get(month, 0.0))
    if usual < least or here >= usual * part:
        return None
    return Reason(code, {"month": month, name: here, "usual": usual})
