"""How each category of crime stands in each ward: the four groups of the yearly plans.

The rule is data (`GroupRule`) and can be checked by hand from a ward's monthly counts. The first
that fits, in this order:

=========  =======================================================================================
not_seen   none in the last 36 known months (fewer, if fewer are known; at least 12)
at_risk    at risk of becoming complex: at least 4 in the last 12 months, and either rising
           (z = sqrt 2 (sqrt x1 - sqrt x0) >= 2, last 12 months x1 against the 12 before, x0) or
           among the fifth of the wards with the most of this category in the last 12 months
frequent   an incident in at least 6 of the last 12 months
rare       seen, but in fewer months than that
unknown    fewer than 12 months are known without a break
=========  =======================================================================================

The square root of a Poisson count has a variance near 1/4 from a mean of about 4 on (Anscombe 1948,
Biometrika 35, 246-254), and the difference of two such roots 1/2; so z has a standard deviation
near 1 where nothing has changed. Of smaller counts it is larger (1.27 at a mean of 1): z alone
would call two incidents after none a rise (z = 2), and the fifth of a rare category begins at one
incident; hence the least number. With it, at most 4 % of the wards where nothing has changed are
called rising, whatever their mean. Of a category that few wards see, those without are not among
the fifth.

Reason codes: ``group_not_seen`` (months that were looked at), ``group_at_risk_rising`` (last12,
before12, z), ``group_at_risk_high`` (last12, line: the least count of the fifth),
``group_frequent`` (months_seen, last12), ``group_rare`` (months_seen, last12), ``group_unknown``
(months, needed) and ``group_newly_seen`` (first_seen, counted, months: known months before without
any).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from hotspots.measures.reasons import Reason
from hotspots.programme.months import last_complete_month

Booleans = npt.NDArray[np.bool_]

GROUPS: Final = ("not_seen", "rare", "frequent", "at_risk", "unknown")


@dataclass(frozen=True)
class GroupRule:
    """What the groups are told by; see the module.

    Attributes
    ----------
    look_back : int
        Months without any for "not seen".
    frequent_months : int
        Of the last 12, months with an incident for "frequent".
    least_at_risk : float
        Incidents in the last 12 months, below which nothing is "at risk".
    rising_z : float
    top_share : float
        Share of the wards that counts as the highest.
    new_months : int
        Months at the end in which a category can be newly seen.
    new_after : int
        Known months before its first incident that must be without any.
    """

    look_back: int = 36
    frequent_months: int = 6
    least_at_risk: float = 4
    rising_z: float = 2.0
    top_share: float = 0.2
    new_months: int = 3
    new_after: int = 24


LEAST_MONTHS: Final = 12


@dataclass(frozen=True)
class CrimeGroups:
    """The group of every ward and category, and what was seen for the first time.

    Attributes
    ----------
    table : pd.DataFrame
        One row a ward and category, sorted: `ward`, `category`, `group` (one of `GROUPS`),
        `last12`, `before12` (incidents; NaN if not all twelve months are known), `months_seen`
        (of the last 12, those with an incident), `months` (known at the end without a break), `z`,
        `line` (the least count of the highest fifth; NaN if no ward has any), `rising`, `high`.
    newly_seen : pd.DataFrame
        `ward`, `category`, `first_seen` (month, 2025-10), `counted` (incidents since then),
        `months` (known months before without any), the latest first.
    rule : GroupRule
    """

    table: pd.DataFrame
    newly_seen: pd.DataFrame
    rule: GroupRule

    @property
    def matrix(self) -> pd.DataFrame:
        """Wards x categories, each cell one of `GROUPS`."""
        return self.table.pivot(index="ward", columns="category", values="group")

    def reason(self, ward: str, category: str) -> Reason:
        """Return why a ward and category are in their group.

        Raises
        ------
        KeyError
            If they are not in the table.
        """
        rows = self.table[self.table["ward"].eq(ward) & self.table["category"].eq(category)]
        if rows.empty:
            raise KeyError((ward, category))
        row = {str(name): value for name, value in rows.iloc[0].to_dict().items()}
        return _reason(row, self.rule)


def crime_groups(panel: pd.DataFrame, *, as_of: date, rule: GroupRule | None = None) -> CrimeGroups:
    """Put every category of every ward in its group, as of a day.

    Parameters
    ----------
    panel : pd.DataFrame
        `ward`, `month` (text 2025-10), `category`, `count` and, if some is not known, `known`, as
        `panel.complete_panel` gives it; a cell that is not there in a month that is, is 0.
    as_of : date
        Months after the last complete one of this day are not looked at.
    rule : GroupRule, optional

    Examples
    --------
    >>> months = pd.period_range("2023-01", periods=36, freq="M").astype(str)
    >>> theft = pd.DataFrame({"ward": "1", "month": months, "category": "theft", "count": 0})
    >>> fraud = theft.assign(category="fraud", count=[0] * 35 + [1])
    >>> found = crime_groups(pd.concat([theft, fraud]), as_of=date(2025, 12, 31))
    >>> found.table[["category", "group"]].values.tolist()
    [['fraud', 'rare'], ['theft', 'not_seen']]
    >>> found.newly_seen.to_dict("records")[0]["first_seen"]
    '2025-12'
    """
    rule = rule or GroupRule()
    counts = _cells(panel, as_of)
    facts = _facts(counts, rule)
    table = facts.assign(group=_groups(facts, rule))
    ordered = ["ward", "category", "group", *facts.columns.drop(["ward", "category", "seen"])]
    return CrimeGroups(table[ordered], _newly_seen(counts, rule), rule)


def _cells(panel: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return months x (ward, category), every month from the first to the last, NaN = unknown.

    Kept of each cell is its last run of known months.
    """
    last = str(last_complete_month(as_of))
    rows = panel.loc[panel["month"].le(last)]
    keys = ["ward", "category"]
    wide = rows.groupby(["month", *keys], observed=True)["count"].sum().unstack(keys)
    wide.index = pd.PeriodIndex(wide.index, freq="M")
    cells = pd.MultiIndex.from_product(
        [sorted(panel[key].astype(str).unique()) for key in keys], names=keys
    )
    wide = wide.reindex(columns=cells).fillna(0.0).astype(float)
    if "known" in rows:
        wide = wide.where(_known(rows, wide))
    if len(wide):
        wide = wide.reindex(pd.period_range(wide.index.min(), wide.index.max(), freq="M"))
    unbroken = np.logical_and.accumulate(wide.notna().to_numpy()[::-1], axis=0)[::-1]
    return wide.where(unbroken)


def _known(rows: pd.DataFrame, wide: pd.DataFrame) -> Booleans:
    """Tell of every month and cell whether all of the ward's month is known."""
    by_ward = rows.groupby(["month", "ward"], observed=True)["known"].all().unstack("ward")
    by_ward.index = pd.PeriodIndex(by_ward.index, freq="M")
    wards = wide.columns.get_level_values("ward")
    told = by_ward.reindex(index=wide.index).reindex(columns=wards)
    return ~told.eq(False).to_numpy()


def _facts(counts: pd.DataFrame, rule: GroupRule) -> pd.DataFrame:
    last12 = counts.iloc[-12:].sum(min_count=12)
    before12 = counts.iloc[-24:-12].sum(min_count=12)
    z = (np.sqrt(2 * last12) - np.sqrt(2 * before12)).round(9)  # 8 after 2 is 2, not just below
    line = last12.groupby(level="category").transform(_line, rule.top_share)
    enough = last12 >= rule.least_at_risk
    facts = pd.DataFrame(
        {
            "last12": last12,
            "before12": before12,
            "months_seen": (counts.iloc[-12:] > 0).sum(),
            "months": counts.notna().sum(),
            "z": z,
            "line": line,
            "rising": enough & (z >= rule.rising_z),
            "high": enough & (last12 >= line),
            "seen": counts.iloc[-rule.look_back :].sum() > 0,
        }
    )
    return facts.sort_index().reset_index()


def _line(of_wards: pd.Series[float], share: float) -> float:
    """Return the least count of the highest wards; ties that do not all fit are left out."""
    known = of_wards.dropna().sort_values(ascending=False).to_numpy()
    places = int(np.ceil(len(known) * share))
    if not places:
        return float("nan")
    line = known[places - 1]
    if line <= 0:
        line = known[known > 0].min(initial=np.inf)
    if (known >= line).sum() > places:
        line = known[known > line].min(initial=np.inf)
    return float(line) if 0 < line < np.inf else float("nan")


def _groups(facts: pd.DataFrame, rule: GroupRule) -> npt.NDArray[np.object_]:
    found: npt.NDArray[np.object_] = np.select(
        [
            facts["months"] < LEAST_MONTHS,
            ~facts["seen"],
            facts["rising"] | facts["high"],
            facts["months_seen"] >= rule.frequent_months,
        ],
        ["unknown", "not_seen", "at_risk", "frequent"],
        default="rare",
    ).astype(object)
    return found


def _newly_seen(counts: pd.DataFrame, rule: GroupRule) -> pd.DataFrame:
    before, recent = counts.iloc[: -rule.new_months], counts.iloc[-rule.new_months :]
    new = (recent.sum() > 0) & (before.sum() == 0) & recent.notna().all()
    appeared = counts.loc[:, new]
    cells = zip(*(appeared.columns.get_level_values(level) for level in (0, 1)), strict=True)
    rows = [_first(appeared.iloc[:, place], *cell) for place, cell in enumerate(cells)]
    columns = ["ward", "category", "first_seen", "counted", "months"]
    table = pd.DataFrame(rows, columns=columns)
    kept = table[table["months"] >= rule.new_after]
    return kept.sort_values(
        ["first_seen", "ward", "category"], ascending=[False, True, True]
    ).reset_index(drop=True)


def _first(series: pd.Series[float], ward: str, category: str) -> tuple[str, str, str, float, int]:
    first = int(np.argmax(series.to_numpy() > 0))
    without = int(series.iloc[:first].notna().sum())
    return (ward, category, str(series.index[first]), float(series.iloc[first:].sum()), without)


def _reason(row: dict[str, Any], rule: GroupRule) -> Reason:
    group = str(row["group"])
    if group == "unknown":
        return Reason("group_unknown", {"months": int(row["months"]), "needed": LEAST_MONTHS})
    if group == "not_seen":
        looked_at = min(int(row["months"]), rule.look_back)
        return Reason("group_not_seen", {"months": looked_at})
    last12 = {"last12": float(row["last12"])}
    if row["rising"]:
        return Reason(
            "group_at_risk_rising",
            last12 | {"before12": float(row["before12"]), "z": float(row["z"])},
        )
    if row["high"]:
        return Reason("group_at_risk_high", last12 | {"line": float(row["line"])})
    seen = last12 | {"months_seen": int(row["months_seen"])}
    return Reason("group_frequent" if group == "frequent" else "group_rare", seen)


def newly_seen_reasons(found: CrimeGroups) -> tuple[Reason, ...]:
    """Return one reason for each row of `newly_seen`, in its order."""
    return tuple(
        Reason(
            "group_newly_seen",
            {"first_seen": row["first_seen"], "counted": row["counted"], "months": row["months"]},
        )
        for row in found.newly_seen.to_dict("records")
    )
