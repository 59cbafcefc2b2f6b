"""Whether the forecast follows the patrols: the same risk without what the police found themselves.

Where more is patrolled more is found, the ward's level rises, and the forecast asks for more
patrols. So the risk is measured twice, on all counts and on those without police-initiated ones,
and what differs is shown.

Reason codes and their facts: feedback_differs and feedback_alarm_changes: p6, p6_without (of all
counts, and without those found by the police), share (of the last 12 months' incidents that the
police found themselves; NaN: not known).
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from hotspots.measures.reasons import Reason
from hotspots.measures.relapse import alarm
from hotspots.programme.months import last_complete_month
from hotspots.programme.plan import AlarmSettings

DIFFERS_FROM: Final = 0.1
"""A difference of p6 from which it is said."""

_MONTHS: Final = 12


def police_share(
    counts: pd.DataFrame, without_police: pd.DataFrame, as_of: date
) -> pd.Series[float]:
    """Return the share of each ward's last 12 months that the police found themselves.

    Parameters
    ----------
    counts, without_police : pd.DataFrame
        Months (`pd.PeriodIndex`, M) x wards, all of it and without police-initiated incidents;
        incidents, or an index for a share of severity. A cell that only the first has is 0 in the
        second.
    as_of : date
        The twelve months end with the last one over on this day, or earlier if the counts do.

    Returns
    -------
    pd.Series
        By ward; NaN where there was nothing in these months or a month is not known.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=12, freq="M")
    >>> both = pd.DataFrame({"1": [4.0] * 12, "2": [0.0] * 12}, index=months)
    >>> police_share(both, both * 0.75, date(2025, 12, 31)).to_dict()
    {'1': 0.25, '2': nan}
    """
    end = pd.Period(str(last_complete_month(as_of)), freq="M")
    recent = counts[counts.index <= end].iloc[-_MONTHS:]
    rest = without_police.reindex(index=recent.index, columns=recent.columns).fillna(0.0)
    total: pd.Series[float] = recent.sum().where(recent.notna().all())
    share: pd.Series[float] = 1 - rest.sum() / total.where(total > 0)
    return share.clip(0, 1).rename("police_share")


def feedback_difference(
    with_police: pd.DataFrame,
    without_police: pd.DataFrame,
    shares: pd.Series[float] | None = None,
    settings: AlarmSettings | None = None,
) -> tuple[pd.DataFrame, dict[object, Reason]]:
    """Compare the risk of each hotspot with that measured without police-initiated counts.

    Parameters
    ----------
    with_police, without_police : pd.DataFrame
        `relapse.Risk.table` of both, by hotspot, with `area` and `p6`.
    shares : pd.Series, optional
        By ward, from `police_share`.
    settings : AlarmSettings, optional
        Of the programme; by default as measured.

    Returns
    -------
    (pd.DataFrame, dict of hotspot to Reason)
        In the order of `with_police`: `area`, `p6`, `p6_without`, `difference` (p6 - p6_without;
        NaN: one was not measured), `alarm`, `alarm_without` (empty: not measured), `police_share`,
        `alarm_changes` and `differs` (bool: by .1 or more, or the alarm changes). A reason for
        each hotspot that differs.

    Examples
    --------
    >>> both = pd.DataFrame({"area": ["1"], "p6": [0.55]}, index=["H1"])
    >>> table, reasons = feedback_difference(both, both.assign(p6=0.25))
    >>> table.loc["H1", ["alarm", "alarm_without"]].to_list(), reasons["H1"].code
    (['red', 'none'], 'feedback_alarm_changes')
    """
    settings = settings or AlarmSettings()
    p6 = with_police["p6"].astype(float)
    without = without_police["p6"].astype(float).reindex(with_police.index)
    known = shares if shares is not None else pd.Series(dtype=float)
    table = pd.DataFrame(
        {
            "area": with_police["area"],
            "p6": p6,
            "p6_without": without,
            "difference": p6 - without,
            "alarm": [_alarm(p, settings) for p in p6],
            "alarm_without": [_alarm(p, settings) for p in without],
            "police_share": with_police["area"].map(known.to_dict()).astype(float),
        },
        index=with_police.index,
    )
    measured = table["difference"].notna()
    table["alarm_changes"] = measured & table["alarm"].ne(table["alarm_without"])
    table["differs"] = table["alarm_changes"] | table["difference"].abs().ge(DIFFERS_FROM - 1e-9)
    return table, {hotspot: _reason(row) for hotspot, row in table[table["differs"]].iterrows()}


def _alarm(p6: float, settings: AlarmSettings) -> str:
    return "" if np.isnan(p6) else alarm(p6, settings)


def _reason(row: pd.Series) -> Reason:
    facts = {"p6": row["p6"], "p6_without": row["p6_without"], "share": row["police_share"]}
    numbers = {name: float(value) for name, value in facts.items()}
    if row["alarm_changes"]:
        return Reason("feedback_alarm_changes", numbers)
    return Reason("feedback_differs", numbers)
