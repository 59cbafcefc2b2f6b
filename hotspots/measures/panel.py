"""The complete ward x month x category panel, and the index that weighs categories together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

PANEL_COLUMNS = ["ward", "month", "category", "count"]


def count_incidents(placed: pd.DataFrame) -> pd.DataFrame:
    """Count placed incidents by ward, month and category.

    Parameters
    ----------
    placed : DataFrame
        `ward`, `month` (text 2025-10), `category`; one row an incident.

    Returns
    -------
    DataFrame
        `ward`, `month`, `category`, `count` (int64), only cells with something in them, sorted.

    Examples
    --------
    >>> placed = pd.DataFrame({"ward": ["1", "1"], "month": ["2025-10"] * 2, "category": ["a"] * 2})
    >>> count_incidents(placed).to_dict("records")
    [{'ward': '1', 'month': '2025-10', 'category': 'a', 'count': 2}]
    """
    axes = [pd.factorize(placed[name].astype(object), sort=True) for name in PANEL_COLUMNS[:3]]
    shape = tuple(len(values) for _, values in axes)
    if 0 in shape:
        return pd.DataFrame(
            {
                name: pd.Series(dtype="int64" if name == "count" else object)
                for name in PANEL_COLUMNS
            }
        )
    cells = np.ravel_multi_index(tuple(codes for codes, _ in axes), shape)
    counts = np.bincount(cells, minlength=int(np.prod(shape)))
    filled = np.flatnonzero(counts)
    columns: dict[str, object] = {
        name: np.asarray(values, dtype=object)[positions]
        for name, (_, values), positions in zip(
            PANEL_COLUMNS, axes, np.unravel_index(filled, shape), strict=False
        )
    }
    return pd.DataFrame(columns | {"count": counts[filled].astype(np.int64)})


def complete_panel(
    counts: pd.DataFrame, wards: Sequence[str], categories: Sequence[str]
) -> pd.DataFrame:
    """Return the panel with every ward, month and category, a nothing as 0.

    A month that the counts do not name at all is unknown, not 0, and so is not there.

    Returns
    -------
    DataFrame
        `ward`, `month`, `category`, `count`, sorted by these; the counts' total is kept.

    Raises
    ------
    ValueError
        If the counts name a ward or category that is not asked for: nothing is dropped silently.
    """
    strange = (set(counts["ward"]) - set(wards)) | (set(counts["category"]) - set(categories))
    if strange:
        raise ValueError(f"Counts for {sorted(strange)[:5]}, which are not wards or categories.")
    if counts.empty:
        return counts[PANEL_COLUMNS].copy()
    months = sorted(counts["month"].unique())
    cells = pd.MultiIndex.from_product(
        [sorted(wards), months, sorted(categories)], names=PANEL_COLUMNS[:3]
    )
    sums = counts.groupby(PANEL_COLUMNS[:3])["count"].sum()
    panel = sums.reindex(cells, fill_value=0).astype(np.int64).reset_index()
    return panel[PANEL_COLUMNS]


def weighted_index(panel: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Weigh the categories together: months x wards, in weighted incidents a month.

    Returns
    -------
    DataFrame
        Index `pd.PeriodIndex` of months, one column a ward code.
    """
    weighted = panel["count"] * panel["category"].map(weights).astype(float)
    wide = weighted.groupby([panel["month"], panel["ward"]]).sum().unstack("ward")
    wide.index = pd.PeriodIndex(wide.index, freq="M")
    return wide.rename_axis(index="month", columns="ward")


def latest_run(index: pd.DataFrame, last: str) -> pd.DataFrame:
    """Return the months up to `last` that follow one another without a gap.

    Examples
    --------
    >>> months = pd.PeriodIndex(["2014-11", "2025-09", "2025-10", "2025-11"], freq="M")
    >>> wide = pd.DataFrame({"1": [5, 1, 2, 3]}, index=months)
    >>> latest_run(wide, "2025-10").index.astype(str).to_list()
    ['2025-09', '2025-10']
    """
    known = index.loc[index.index <= pd.Period(last, freq="M")].sort_index()
    ordinals = pd.PeriodIndex(known.index, freq="M").asi8
    breaks = np.flatnonzero(np.diff(ordinals) != 1)
    return known.iloc[breaks[-1] + 1 :] if len(breaks) else known


def without_partial_end(index: pd.DataFrame) -> pd.DataFrame:
    """Return the index without last months that only some of the wards reported.

    A month in which fewer than half as many wards have anything as in the median of the twelve
    months before it was reported in part, and would look like a fall everywhere else. Nothing is
    left out when that median is under `_STEADY_WARDS`: so few wards can well be quiet at once.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=3, freq="M")
    >>> wide = pd.DataFrame({str(ward): [5, 4, 0] for ward in range(10)}, index=months)
    >>> wide.loc["2025-03", "0"] = 7
    >>> without_partial_end(wide).index.astype(str).to_list()
    ['2025-01', '2025-02']
    """
    reporting = (index > 0).sum(axis=1).to_numpy()
    end = len(reporting)
    while end > 1:
        usual = float(np.median(reporting[max(0, end - 13) : end - 1]))
        if usual < _STEADY_WARDS or reporting[end - 1] >= usual / 2:
            break
        end -= 1
    return index.iloc[:end]


_STEADY_WARDS = 8
