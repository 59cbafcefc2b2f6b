"""Tables of counts made fit for the public: small counts are left out, and cannot be worked out.

A count of 1 to 4 in a small place may tell who is meant. Leaving it out is not enough where totals
are shown: what is left out can then be subtracted back. So further counts are left out
(*complementary*) until every small count could as well be any other small one, whoever adds and
subtracts the rows, columns and totals of the table, knowing also that what is left out is never 0.

The reasoning is exact: counts left out can only move against each other along closed walks through
the rows and columns that the shown totals tie together (a network flow, so bounds in whole numbers
are the bounds). What to leave out besides is found by a shortest walk, which is short and small but
not always the least possible.
"""

from __future__ import annotations

import heapq
import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

Totals: TypeAlias = Literal["rows", "columns", "both", "none"]

LEAST: Final = 5

_TOTAL_COST: Final = 1e9

_Cell: TypeAlias = tuple[int, int]
_Place: TypeAlias = tuple[str, int]
_Way: TypeAlias = tuple[_Cell, int, _Place]
"""A count, how it changes when the flow passes, and the place it leads to."""


@dataclass(frozen=True)
class Suppressed:
    """A table to publish, and what was left out of it.

    Attributes
    ----------
    table : DataFrame
        Counts as Int64, missing where left out; with the totals asked for as last row and column.
    why : DataFrame
        Same shape: "" (shown), "primary" (a small count), "complementary" (left out so that others
        cannot be worked out), "unknown" (was missing before). **Not for publication**: it tells
        small counts from large ones. Show one sign for everything left out.
    """

    table: pd.DataFrame
    why: pd.DataFrame

    @property
    def left_out(self) -> int:
        """How many counts and totals are left out."""
        return int(self.why.isin(["primary", "complementary"]).to_numpy().sum())


def suppress(
    table: pd.DataFrame, *, least: int = LEAST, totals: Totals = "both", total: str = "total"
) -> Suppressed:
    """Leave out counts from 1 to `least` - 1, and as many more as it takes to keep them unknown.

    Parameters
    ----------
    table : DataFrame
        Counts, one row a ward and one column a category (or month), without totals. Missing is
        unknown: it stays missing and adds nothing to the totals.
    least : int
        The smallest count, besides 0, that may be shown. 0 is always shown.
    totals : str
        Which totals are published with the table: "rows" (one a ward), "columns" (one a category),
        "both" (these and the grand total) or "none". Small totals are left out as well.
    total : str
        Name of the added row and column.

    Returns
    -------
    Suppressed
        For every small count, the shown table allows at least every value from 1 to `least` - 1;
        for everything else left out, more than one.

    Raises
    ------
    ValueError
        A count is negative or not whole, the name `total` is taken, or `least` is below 1.

    Notes
    -----
    Tables published side by side must be one table here: the same wards by month and by category
    have common totals, and what one hides the other may tell.

    Examples
    --------
    >>> counts = pd.DataFrame({"theft": [3, 20, 40], "drugs": [9, 8, 0]}, index=["A", "B", "C"])
    >>> suppress(counts).table
           theft  drugs  total
    A       <NA>   <NA>     12
    B       <NA>   <NA>     28
    C         40      0     40
    total     63     17     80
    """
    _check(table, least, totals, total)
    extended = with_totals(table, total, totals)
    counts = extended.fillna(0).to_numpy(dtype=np.int64)
    network = _Network(counts, totals, table.shape)
    primary = (counts > 0) & (counts < least)
    small = [(row, column) for row, column in np.argwhere(primary).tolist()]
    network.left_out.update(small)
    for cell in small:
        network.protect(cell, least)
    why = np.full(counts.shape, "", dtype=object)
    for cell in network.left_out:
        why[cell] = "complementary"
    left_out = why != ""
    why[primary] = "primary"
    why[extended.isna().to_numpy()] = "unknown"
    reasons = pd.DataFrame(why, extended.index, extended.columns, dtype="str")
    return Suppressed(extended.mask(left_out), reasons)


def _check(table: pd.DataFrame, least: int, totals: str, total: str) -> None:
    if least < 1:
        raise ValueError(f"least is {least}; the smallest count shown must be 1 or more.")
    if totals not in ("rows", "columns", "both", "none"):
        raise ValueError(f"totals is {totals!r}; allowed are rows, columns, both and none.")
    values = table.to_numpy(dtype=float, na_value=np.nan)
    known = values[~np.isnan(values)]
    if (known < 0).any() or (known != np.floor(known)).any():
        raise ValueError("The table holds negative or broken numbers; counts are whole, from 0 up.")
    if total in table.index or total in table.columns:
        raise ValueError(
            f"A row or column is called {total!r} already; give the total another name."
        )


def with_totals(table: pd.DataFrame, total: str, totals: Totals = "both") -> pd.DataFrame:
    """Return a table of counts with its sums as last row and column; a missing count adds nothing.

    Examples
    --------
    >>> with_totals(pd.DataFrame({"a": [1, 2]}, index=["x", "y"]), "sum").values.tolist()
    [[1, 1], [2, 2], [3, 3]]
    """
    extended = table.astype("Int64")
    if totals in ("rows", "both"):
        extended = extended.assign(**{total: extended.sum(axis=1).astype("Int64")})
    if totals in ("columns", "both"):
        below = extended.sum().astype("Int64").to_frame(total).T
        extended = pd.concat([extended, below])
    return extended


class _Network:
    """Counts as ways between rows and columns; those left out may move, totals hold them together.

    In a row, the counts minus their total are 0, and so in a column; the same holds of the totals
    and the grand total. With the sign of the totals turned round, what moves in a row or column
    adds to 0: a flow that goes round. Where only rows have totals, nothing ties columns together,
    and all columns are one place that gives and takes; so for rows where only columns have totals.
    """

    def __init__(self, counts: Any, totals: Totals, inner: tuple[int, int]) -> None:
        self._totals = totals
        self._inner = inner
        self._counts = {
            (row, column): int(counts[row, column])
            for row, column in np.argwhere(counts > 0).tolist()
        }
        self._ways: dict[_Place, list[_Way]] = defaultdict(list)
        for cell in self._counts:
            row, column = self._ends(cell)
            self._ways[row].append((cell, self._sign(cell), column))
            self._ways[column].append((cell, -self._sign(cell), row))
        self.left_out: set[_Cell] = set()

    def protect(self, cell: _Cell, least: int) -> None:
        """Leave out more until this small count could be any small count."""
        if self._totals == "none":
            return
        count = self._counts[cell]
        down = 0 if self._is_total(cell) else count - 1
        self._let_move(cell, max(least - 1 - count, 0 if down else 1), upward=True)
        self._let_move(cell, down, upward=False)

    def _let_move(self, cell: _Cell, steps: int, *, upward: bool) -> None:
        moved: dict[_Cell, int] = defaultdict(int)
        while steps > 0:
            walk = self._cheapest_walk(cell, moved, upward=upward)
            step = min([steps, *(self._room(other, change, moved) for other, change in walk)])
            for other, change in walk:
                moved[other] += change * step
                self.left_out.add(other)
            steps -= step

    def _cheapest_walk(
        self, cell: _Cell, moved: Mapping[_Cell, int], *, upward: bool
    ) -> list[tuple[_Cell, int]]:
        """The other counts that move when this one moves by 1, with the way each goes.

        Dijkstra from the end of the count to its beginning. Counts left out already cost nothing,
        others the more the larger they are, totals the most. There always is a walk: up and down
        together with the totals of its row and column.
        """
        goal, start = (
            self._ends(cell) if (self._sign(cell) > 0) == upward else self._ends(cell)[::-1]
        )
        best = {start: 0.0}
        came: dict[_Place, tuple[_Place, _Cell, int]] = {}
        queue = [(0.0, start)]
        while queue:
            cost, place = heapq.heappop(queue)
            if place == goal:
                break
            if cost > best[place]:
                continue
            for other, change, onward in self._ways[place]:
                price = cost + self._price(other)
                if price >= best.get(onward, math.inf) or other == cell:
                    continue
                if self._room(other, change, moved) >= 1:
                    best[onward] = price
                    came[onward] = (place, other, change)
                    heapq.heappush(queue, (price, onward))
        walk = []
        place = goal
        while place != start:
            place, other, change = came[place]
            walk.append((other, change))
        return walk

    def _ends(self, cell: _Cell) -> tuple[_Place, _Place]:
        """The row and the column of a count, as places the flow goes through."""
        row = 0 if self._totals == "columns" else cell[0]
        column = 0 if self._totals == "rows" else cell[1]
        return ("row", row), ("column", column)

    def _sign(self, cell: _Cell) -> int:
        """Whether a flow from the row to the column raises the count, or lowers it (a total)."""
        return -1 if (cell[0] >= self._inner[0]) != (cell[1] >= self._inner[1]) else 1

    def _is_total(self, cell: _Cell) -> bool:
        return cell[0] >= self._inner[0] or cell[1] >= self._inner[1]

    def _room(self, cell: _Cell, change: int, moved: Mapping[_Cell, int]) -> int:
        """How far a count can move; it is known not to be 0."""
        return sys.maxsize if change > 0 else self._counts[cell] + moved.get(cell, 0) - 1

    def _price(self, cell: _Cell) -> float:
        if cell in self.left_out:
            return 1e-6
        return self._counts[cell] + 1 + (_TOTAL_COST if self._is_total(cell) else 0)
