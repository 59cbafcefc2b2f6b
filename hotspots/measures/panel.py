"""The complete ward x month x category panel, and the index that weighs categories together.

Counts recorded on earlier wards are carried to those of today. A carried count can be fractional
and in part estimated; where a part of a ward's territory has no count that could be carried, the
ward's month is unknown, and stays so: NaN in the index, never 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

PANEL_COLUMNS = ["ward", "month", "category", "count"]
FULL_PANEL_COLUMNS = [*PANEL_COLUMNS, "estimated", "known"]

_ROUNDING = 1e-9


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
    counts: pd.DataFrame,
    wards: Sequence[str],
    categories: Sequence[str],
    unknown: Collection[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Return the panel with every ward, month and category, a nothing as 0.

    A month that the counts do not name at all is unknown, not 0, and so is not there.

    Parameters
    ----------
    counts : DataFrame
        `ward`, `month`, `category`, `count` (0 or more, not always whole) and, if any of it is
        estimated, `estimated` (how much of `count` is; missing = nothing).
    wards, categories : sequence of str
        All there are.
    unknown : collection of (ward, month)
        Whose counts are incomplete. Other wards, and months that no count names, are ignored.

    Returns
    -------
    DataFrame
        `ward`, `month`, `category`, `count` (float), `estimated` (float), `known` (bool, False in
        every category of an unknown ward and month), sorted by the first three. The totals of
        `count` and `estimated` are kept: where `known` is False, they hold what was counted, a
        lower bound.

    Raises
    ------
    ValueError
        If the counts name a ward or category that is not asked for (nothing is dropped silently),
        a count is missing, negative or infinite, or more of it is estimated than there is.

    Examples
    --------
    >>> counts = pd.DataFrame(
    ...     {"ward": ["1", "2"], "month": "2025-06", "category": "a", "count": [0.5, 3]}
    ... )
    >>> complete_panel(counts, ["1", "2"], ["a"], unknown=[("1", "2025-06")])
      ward    month category  count  estimated  known
    0    1  2025-06        a    0.5        0.0  False
    1    2  2025-06        a    3.0        0.0   True
    """
    strange = (set(counts["ward"]) - set(wards)) | (set(counts["category"]) - set(categories))
    if strange:
        raise ValueError(f"Counts for {sorted(strange)[:5]}, which are not wards or categories.")
    given = _measured(counts)
    months = sorted(counts["month"].unique())
    cells = pd.MultiIndex.from_product(
        [sorted(wards), months, sorted(categories)], names=PANEL_COLUMNS[:3]
    )
    sums = given.groupby(PANEL_COLUMNS[:3])[["count", "estimated"]].sum()
    panel = sums.reindex(cells, fill_value=0.0).reset_index()
    known = _known(sorted(wards), months, unknown).repeat(len(categories))
    return panel.assign(known=known)[FULL_PANEL_COLUMNS]


def _measured(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts as floats with how much is estimated; refuse what cannot be summed."""
    nothing = pd.Series(0.0, index=counts.index)
    given = counts[PANEL_COLUMNS].astype({"count": float})
    # tables put together have NaN where one of them had no such column
    given["estimated"] = counts.get("estimated", nothing).astype(float).fillna(0.0)
    count, estimated = given["count"].to_numpy(), given["estimated"].to_numpy()
    # a sum would take a missing count for 0
    wrong = ~(np.isfinite(count) & (count >= 0) & (estimated >= 0))
    wrong |= estimated > count * (1 + _ROUNDING)
    if wrong.any():
        first = given[wrong].iloc[0].to_dict()
        raise ValueError(
            f"{wrong.sum()} counts are missing, negative, infinite or estimated by more than they "
            f"are, first {first}; leave a cell that is not known out and name it in `unknown`."
        )
    return given


def _known(
    wards: Sequence[str], months: Sequence[str], unknown: Collection[tuple[str, str]]
) -> npt.NDArray[np.bool_]:
    """Return whether each ward is known in each month: wards x months."""
    row = {ward: place for place, ward in enumerate(wards)}
    column = {month: place for place, month in enumerate(months)}
    known = np.ones((len(row), len(column)), dtype=bool)
    for ward, month in unknown:
        if ward in row and month in column:
            known[row[ward], column[month]] = False
    return known


def weighted_index(panel: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Weigh the categories together: months x wards, in weighted incidents a month.

    Parameters
    ----------
    panel : DataFrame
        From `complete_panel`.
    weights : Mapping of str to float
        By category.

    Returns
    -------
    DataFrame
        Index `pd.PeriodIndex` of months, one column a ward code; NaN where the ward's month is
        not known.

    Examples
    --------
    >>> counts = pd.DataFrame(
    ...     {"ward": ["1", "2"], "month": "2025-06", "category": "a", "count": [0.5, 3]}
    ... )
    >>> panel = complete_panel(counts, ["1", "2"], ["a"], unknown=[("1", "2025-06")])
    >>> weighted_index(panel, {"a": 2.0}).loc["2025-06"].to_dict()
    {'1': nan, '2': 6.0}
    """
    cells = [panel["month"], panel["ward"]]
    weighted = panel["count"] * panel["category"].map(weights).astype(float)
    known = panel["known"].groupby(cells).all()
    wide = weighted.groupby(cells).sum().where(known).unstack("ward")
    wide.index = pd.PeriodIndex(wide.index, freq="M")
    return wide.rename_axis(index="month", columns="ward")


def latest_run(index: pd.DataFrame, last: str) -> pd.DataFrame:
    """Return the months up to `last` that follow one another without a gap.

    A month that is known of no ward (NaN in every column) is a gap like one that is not there.

    Examples
    --------
    >>> months = pd.PeriodIndex(["2014-11", "2025-09", "2025-10", "2025-11"], freq="M")
    >>> wide = pd.DataFrame({"1": [5, 1, 2, 3]}, index=months)
    >>> latest_run(wide, "2025-10").index.astype(str).to_list()
    ['2025-09', '2025-10']
    """
    known = index.loc[index.index <= pd.Period(last, freq="M")].dropna(how="all").sort_index()
    ordinals = pd.PeriodIndex(known.index, freq="M").asi8
    breaks = np.flatnonzero(np.diff(ordinals) != 1)
    return known.iloc[breaks[-1] + 1 :] if len(breaks) else known


def without_partial_end(index: pd.DataFrame) -> pd.DataFrame:
    """Return the index without last months that only some of the wards reported.

    A month in which fewer than half as many wards have anything as in the median of the twelve
    months before it was reported in part, and would look like a fall everywhere else. An unknown
    month (NaN) is not reported. Nothing is left out when that median is under `_STEADY_WARDS`: so
    few wards can well be quiet at once.

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
