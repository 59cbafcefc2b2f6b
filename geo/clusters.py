"""Where high and low values lie together: Gi* and local Moran of whole tables, with one correction.

The question behind every p here is that of the conditional permutation test (Anselin 1995, section
4): with its own value held, would an area get such neighbours if the other values of that period
were dealt out at random? What is dealt out is only which values the neighbours get, so Gi* and
local Moran have the same p; they differ in what they call the area.

Three things make a whole table cheap. All periods share one set of draws. An area with k neighbours
takes the first k names of a draw, or, when it is named itself, the first k + 1 without it: a
uniform choice among the others, so all areas share the draws too. And the sums of the draws are
sorted once for each k, so that an area is counted by looking its own sum up.

References
----------
Getis, A. and Ord, J. K. (1992). The analysis of spatial association by use of distance statistics.
Ord, J. K. and Getis, A. (1995). Local spatial autocorrelation statistics. Geogr. Anal. 27(4).
Anselin, L. (1995). Local indicators of spatial association: LISA. Geogr. Anal. 27(2).
Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. JRSS B 57(1).
Knijnenburg, T. A. et al. (2009). Fewer permutations, more accurate P-values. Bioinformatics 25(12).
Phipson, B. and Smyth, G. K. (2010). Permutation P-values should never be zero. SAGMB 9(1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.fft
import scipy.sparse
import scipy.stats

from geo.errors import GeoError
from geo.neighbours import Neighbours

HOT, COLD, NONE, NOT_TESTABLE = "hot", "cold", "none", "not_testable"
HIGH_HIGH, LOW_LOW, LOW_HIGH, HIGH_LOW = "HH", "LL", "LH", "HL"

NeighboursOf: TypeAlias = Neighbours | Mapping[str, Iterable[str]]
Values: TypeAlias = "pd.DataFrame | pd.Series[Any]"
Floats: TypeAlias = npt.NDArray[np.float64]
# 16 bits where the sums fit, else 32: half the memory is half the time.
Integers: TypeAlias = npt.NDArray[np.signedinteger[Any]]

# Periods of a block times draws: bounds the memory whatever the table.
_CELLS_IN_A_BLOCK = 2_000_000
# Sums of draws must fit into 32 bits.
_LARGEST_SUM = 2**30
# The exact tail counts whole numbers up to here as they are, others on a grid of so many steps.
_EXACT_UP_TO, _GRID = 512, 256
# With fewer draws as far out, counting all choices says much more than the draws.
_FEW_DRAWS = 10
# Beyond so many neighbours, or more than half the map, the exact tail loses its digits.
_EXACT_NEIGHBOURS = 64
_SMALLEST_P = 1e-12


@dataclass(frozen=True, eq=False)
class GetisOrd:
    """Gi* of every area in every period: tables with the rows and columns of the values.

    Attributes
    ----------
    z : DataFrame
        Ord-Getis z, binary contiguity plus self (Ord and Getis 1995, equation 14), for the map and
        for trends; no p is taken from it. NaN where not testable, as in all tables but ``label``.
    p_permutation : DataFrame
        Conditional permutation, two-sided as twice the smaller tail and at most 1, with
        (count + 1) / (permutations + 1) in each tail, so never below ``floor``.
    p : DataFrame
        The same, but where fewer than ten draws went as far as the observed sum, the tail is
        counted exactly over all choices of neighbours. This is what is corrected.
    q : DataFrame
        Benjamini-Hochberg of ``p`` over all testable areas and periods of the table together.
    label : DataFrame
        ``hot`` or ``cold`` where q <= alpha and z and the neighbours lie on the same side, else
        ``none``, or ``not_testable``. A low area among high ones is no cold spot and no hot one;
        `local_moran` names it.
    islands : tuple of str
        Areas without any neighbour in the table: never testable.
    """

    z: pd.DataFrame
    p_permutation: pd.DataFrame
    p: pd.DataFrame
    q: pd.DataFrame
    label: pd.DataFrame
    islands: tuple[str, ...]
    permutations: int
    seed: int
    alpha: float
    alternative: str = "two-sided"

    @property
    def floor(self) -> float:
        """Smallest p the permutations alone can give."""
        return 2 / (self.permutations + 1)


@dataclass(frozen=True, eq=False)
class LocalMoran:
    """Local Moran of every area in every period: tables with the rows and columns of the values.

    Attributes
    ----------
    i : DataFrame
        Local Moran's I_i with row-standardised weights, (n - 1) z_i mean(z_j) / sum(z^2), z the
        deviation from the period's mean: what esda's ``Moran_Local`` gives. NaN: not testable.
    quadrant : DataFrame
        ``HH``, ``LL``, ``LH`` (low among high) or ``HL`` by the signs of the area's deviation and
        its neighbours' mean deviation, whatever the p; a deviation of 0 counts as low.
    p_permutation, p, q : DataFrame
        As in `GetisOrd`.
    label : DataFrame
        The quadrant where q <= alpha, else ``none``, or ``not_testable``.
    islands : tuple of str
        Areas without any neighbour in the table: never testable.
    """

    i: pd.DataFrame
    quadrant: pd.DataFrame
    p_permutation: pd.DataFrame
    p: pd.DataFrame
    q: pd.DataFrame
    label: pd.DataFrame
    islands: tuple[str, ...]
    permutations: int
    seed: int
    alpha: float
    alternative: str = "two-sided"

    @property
    def floor(self) -> float:
        """Smallest p the permutations alone can give."""
        return 2 / (self.permutations + 1)


def getis_ord(
    values: Values,
    neighbours: NeighboursOf,
    permutations: int = 9999,
    seed: int = 0,
    *,
    alpha: float = 0.05,
) -> GetisOrd:
    """Hot and cold spots of every period, so that few flags are false over the whole table.

    With tens of thousands of tests, permutations alone can find hardly anything: over 168 areas x
    120 months the smallest p of 9,999 draws, .0002, passes Benjamini-Hochberg only when 81 tests
    reach it. So where fewer than ten draws go as far as the observed sum (too few to tell a p by:
    Knijnenburg et al. 2009), its tail is counted exactly: all choices of k of the other values, by
    a generating function. Whole numbers up to 512 apart are counted as they are; others on a grid
    of 256 steps, rounded to the safe side, and only where no draw goes as far. An area with more
    than 64 neighbours, or with half of all areas, keeps the p of the draws.

    Parameters
    ----------
    values : DataFrame or Series
        Periods in rows, areas in columns (codes as text); a Series is one period, its index the
        areas. Counts or rates. NaN is unknown: that area is not testable in that period, and is no
        neighbour and not dealt out there.
    neighbours : Neighbours or mapping
        From `geo.neighbours`, or code -> codes. The area itself is always added once, whether or
        not a mapping lists it; areas that the values do not have are left out.
    permutations : int
        Draws, shared by all periods and areas.
    seed : int
        Same seed, same answer, in whatever order the columns stand.
    alpha : float
        Share of false flags among all flags that is put up with (false discovery rate).

    Returns
    -------
    GetisOrd
        A period in which all known values are equal is not testable, nor is an island.

    Raises
    ------
    GeoError
        A column stands there twice, or is not among those whose neighbours were looked for.
    ValueError
        The values are infinite or not numbers, permutations below 1, or alpha not in (0, 1).

    Examples
    --------
    >>> row = {f"{i}": [f"{j}" for j in range(i - 2, i + 3) if 0 <= j < 60] for i in range(60)}
    >>> counts = pd.DataFrame([[9] * 6 + [1, 0] * 27], columns=list(row), index=["2026-01"])
    >>> found = getis_ord(counts, row, permutations=999, seed=1)
    >>> found.label[["2", "30"]].to_numpy().tolist(), found.z["2"].round(1).tolist()
    ([['hot', 'none']], [6.8])
    """
    tested = _test(values, neighbours, permutations, seed, alpha)
    z = tested.each_period(_ord_getis_z)
    side = np.where(tested.upper & (z > 0), 1, np.where(~tested.upper & (z < 0), 2, 0))
    label = tested.label((NONE, HOT, COLD), side)
    return GetisOrd(tested.frame(z), *tested.p_tables, label, **tested.how)


def local_moran(
    values: Values,
    neighbours: NeighboursOf,
    permutations: int = 9999,
    seed: int = 0,
    *,
    alpha: float = 0.05,
) -> LocalMoran:
    """Areas like and unlike their neighbours, period by period, with one correction for all.

    Parameters, errors and the meaning of p and q are those of `getis_ord`; an area's p is the same
    there and here.

    Returns
    -------
    LocalMoran

    Examples
    --------
    >>> row = {f"{i}": [f"{j}" for j in range(i - 2, i + 3) if 0 <= j < 60] for i in range(60)}
    >>> counts = pd.Series([9, 9, 0, 9, 9, 9] + [1, 0] * 27, index=list(row))
    >>> found = local_moran(counts, row, permutations=999, seed=1)
    >>> found.label[["2", "3", "30"]].to_numpy().tolist()
    [['LH', 'HH', 'none']]
    """
    tested = _test(values, neighbours, permutations, seed, alpha)
    i, own, near = map(tested.each_period, (_moran, _deviation, _neighbours_deviation))
    corner = np.where(near > 0, np.where(own > 0, 1, 3), np.where(own > 0, 4, 2))
    corners = (NONE, HIGH_HIGH, LOW_LOW, LOW_HIGH, HIGH_LOW)
    quadrant, label = tested.named(corners, corner), tested.label(corners, corner)
    return LocalMoran(tested.frame(i), quadrant, *tested.p_tables, label, **tested.how)


# --- the table as it is tested ------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Period:
    """Periods with the same known areas: levels and values are periods x known areas."""

    rows: npt.NDArray[np.intp]
    areas: npt.NDArray[np.intp]
    values: Floats
    adjacency: scipy.sparse.csr_array

    @property
    def degrees(self) -> npt.NDArray[np.intp]:
        counted: npt.NDArray[np.intp] = np.diff(self.adjacency.indptr).astype(np.intp)
        return counted

    @property
    def testable(self) -> npt.NDArray[np.bool_]:
        varies = np.ptp(self.values, axis=1, keepdims=True) > 0
        found: npt.NDArray[np.bool_] = varies & (self.degrees > 0)
        return found


@dataclass(frozen=True, eq=False)
class _Tested:
    """Arrays are periods x areas, the areas sorted; `frame` puts them back in the given order."""

    table: pd.DataFrame
    periods: tuple[_Period, ...]
    back: npt.NDArray[np.intp]
    p_permutation: Floats
    p: Floats
    q: Floats
    upper: npt.NDArray[np.bool_]
    how: dict[str, Any]

    @property
    def p_tables(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        return self.frame(self.p_permutation), self.frame(self.p), self.frame(self.q)

    def each_period(self, statistic: Callable[[_Period], Floats]) -> Floats:
        found = np.full(self.p.shape, np.nan)
        for period in self.periods:
            known = np.where(period.testable, statistic(period), np.nan)
            found[np.ix_(period.rows, period.areas)] = known
        return found

    def frame(self, found: npt.NDArray[Any]) -> pd.DataFrame:
        given = found[:, self.back]
        dtype = object if given.dtype == object else None
        return pd.DataFrame(given, self.table.index, self.table.columns, dtype=dtype)

    def named(self, names: tuple[str, ...], chosen: npt.NDArray[np.intp]) -> pd.DataFrame:
        # As objects: a text column of its own for each of thousands of areas costs more than
        # all permutations.
        words = np.array([*names, NOT_TESTABLE], dtype=object)
        return self.frame(words[np.where(np.isfinite(self.p), chosen, len(names))])

    def label(self, names: tuple[str, ...], chosen: npt.NDArray[np.intp]) -> pd.DataFrame:
        return self.named(names, np.where(self.q <= self.how["alpha"], chosen, 0))


def _test(
    values: Values, neighbours: NeighboursOf, permutations: int, seed: int, alpha: float
) -> _Tested:
    _refuse_unusable(permutations, alpha)
    table = _table(values)
    codes = table.columns.to_numpy(dtype=object)
    order = np.argsort(codes, kind="stable")
    adjacency = _adjacency(neighbours, pd.Index(codes[order], dtype=object))
    periods = tuple(_periods(_numbers(table)[:, order], adjacency))
    p_permutation, p = (np.full(table.shape, np.nan) for _ in range(2))
    upper = np.zeros(table.shape, dtype=bool)
    for period in periods:
        cells = np.ix_(period.rows, period.areas)
        p_permutation[cells], p[cells], upper[cells] = _p(period, permutations, seed)
    islands = tuple(codes[order][np.diff(adjacency.indptr) == 0])
    how = {"islands": islands, "permutations": permutations, "seed": seed, "alpha": alpha}
    return _Tested(table, periods, np.argsort(order), p_permutation, p, _bh(p), upper, how)


def _refuse_unusable(permutations: int, alpha: float) -> None:
    if permutations < 1:
        raise ValueError(f"permutations is {permutations}; give at least 1, better 999 or more.")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; give a share above 0 and below 1, such as 0.05.")


def _table(values: Values) -> pd.DataFrame:
    table = values.to_frame().T if isinstance(values, pd.Series) else values
    repeated = tuple(table.columns[table.columns.duplicated()].unique())
    if repeated:
        raise GeoError(
            "codes_repeated",
            f"{_listed(repeated)} stand there more than once. Give the wards of one edition, each "
            "once.",
            codes=repeated,
        )
    return table


def _numbers(table: pd.DataFrame) -> Floats:
    numbers = table.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(numbers).any():
        codes = table.columns[np.isinf(numbers).any(axis=0)]
        raise ValueError(f"{_listed(codes)} have infinite values. Unknown is NaN, not infinity.")
    return numbers


def _adjacency(neighbours: NeighboursOf, order: pd.Index[Any]) -> scipy.sparse.csr_array:
    """Who is whose neighbour, without the area itself, in sorted order."""
    if isinstance(neighbours, Neighbours):
        return _canonical(neighbours.matrix(tuple(order)))
    strangers = tuple(code for code in order if code not in neighbours)
    if strangers:
        raise GeoError(
            "not_among_neighbours",
            f"{_listed(strangers)} are not among the wards whose neighbours were looked for. Give "
            "the codes of that edition, or look for neighbours in the one that has them.",
            codes=strangers,
        )
    near = [
        order.get_indexer(pd.Index(sorted({*neighbours[c]} - {c}), dtype=object)) for c in order
    ]
    near = [each[each >= 0] for each in near]
    pointers = np.cumsum([0, *map(len, near)])
    columns = np.concatenate([*near, np.empty(0, dtype=np.intp)]).astype(np.intp)
    matrix = (np.ones(len(columns), dtype=np.int64), columns, pointers)
    return _canonical(scipy.sparse.csr_array(matrix, shape=(len(order), len(order))))


def _canonical(adjacency: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    adjacency.sort_indices()
    return adjacency


def _periods(values: Floats, adjacency: scipy.sparse.csr_array) -> Iterator[_Period]:
    """As a rule one group: all areas known in all periods."""
    finite = np.isfinite(values)
    if finite.all():
        every = [np.arange(size) for size in values.shape]
        yield _Period(every[0], every[1], values, adjacency)
        return
    patterns, group = np.unique(finite, axis=0, return_inverse=True)
    for each, known in enumerate(patterns):
        if not known.any():
            continue
        rows, areas = np.flatnonzero(group.ravel() == each), np.flatnonzero(known)
        among = _canonical(adjacency[areas][:, areas])
        yield _Period(rows, areas, values[np.ix_(rows, areas)], among)


def _bh(p: Floats) -> Floats:
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = scipy.stats.false_discovery_control(p[known], method="bh")
    return q


def _listed(codes: Iterable[Any]) -> str:
    named = [str(code) for code in codes]
    return ", ".join(named[:20]) + (", ..." if len(named) > 20 else "")


# --- the statistics -----------------------------------------------------------------------------


def _sums(values: npt.NDArray[Any], period: _Period) -> npt.NDArray[Any]:
    """Sum over the neighbours, without the area itself; periods x areas."""
    summed: npt.NDArray[Any] = (period.adjacency @ values.T).T
    return summed


def _deviation(period: _Period) -> Floats:
    """From the mean of the period. A mean of equal numbers may miss them by the last digit."""
    found: Floats = period.values - period.values.mean(axis=1, keepdims=True)
    return found


def _ord_getis_z(period: _Period) -> Floats:
    """Ord and Getis (1995), equation 14, with w = 1 for neighbours and self."""
    n, within = len(period.areas), period.degrees + 1
    deviation = _deviation(period)
    spread = np.sqrt((deviation**2).mean(axis=1, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = spread * np.sqrt(within * (n - within) / (n - 1))
        z: Floats = (_sums(deviation, period) + deviation) / scale
    return np.where(within < n, z, np.nan)


def _neighbours_deviation(period: _Period) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = _sums(_deviation(period), period) / period.degrees
    return found


def _moran(period: _Period) -> Floats:
    deviation = _deviation(period)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = (
            (len(period.areas) - 1)
            * deviation
            * _neighbours_deviation(period)
            / (deviation**2).sum(axis=1, keepdims=True)
        )
    return found


# --- the permutations ---------------------------------------------------------------------------


def _p(
    period: _Period, permutations: int, seed: int
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Permutation p, p with exact tails, and whether the observed sum lies in the upper tail."""
    testable = period.testable
    if not testable.any():
        unknown = np.full(testable.shape, np.nan)
        return unknown, unknown, np.zeros(testable.shape, dtype=bool)
    levels, rounded = _levels(period.values, _LARGEST_SUM // (int(period.degrees.max()) + 2))
    at_least, at_most = _tail_counts(levels, rounded, period, permutations, seed)
    fewer, upper = np.minimum(at_least, at_most), at_least < at_most
    p_permutation = np.minimum(1.0, 2 * (fewer + 1) / (permutations + 1))
    p_permutation[~testable] = np.nan
    return p_permutation, _with_exact_tails(period, p_permutation, fewer, upper), upper


def _levels(values: Floats, largest: int) -> tuple[Integers, Integers]:
    """Whole numbers from 0 that stand for the values, and 1 for the periods that were rounded.

    Sums of k values are only compared with sums of k values of the same period: the zero and the
    unit of each period are free. Values that are not whole are rounded to the nearest of `largest`
    steps. Two sums of k of them that are k steps apart may be equal, and count as equal.
    """
    above = values - values.min(axis=1, keepdims=True)
    top = above.max(axis=1, keepdims=True)
    whole = (np.mod(values, 1) == 0).all(axis=1, keepdims=True) & (top <= largest)
    unit = np.where(whole | (top == 0), 1.0, top / largest)
    narrow = whole.all() and float(top.max()) * (_LARGEST_SUM // largest) < 2**15
    dtype: type[np.signedinteger[Any]] = np.int16 if narrow else np.int32
    return np.rint(above / unit).astype(dtype), (~whole[:, 0]).astype(dtype)


def _tail_counts(
    levels: Integers, rounded: Integers, period: _Period, permutations: int, seed: int
) -> tuple[Integers, Integers]:
    """How many draws give the neighbours at least, and at most, the observed sum."""
    degrees = period.degrees
    n, most = len(degrees), int(degrees.max())
    draws = _draws(n, min(most + 1, n), permutations, seed)
    observed = np.ascontiguousarray(_sums(levels, period), dtype=levels.dtype)
    at_least, at_most = (np.zeros(levels.shape, dtype=np.int32) for _ in range(2))
    step = max(1, _CELLS_IN_A_BLOCK // permutations)
    for start in range(0, len(levels), step):
        rows = slice(start, start + step)
        block = _Block(levels[rows], rounded[rows], observed[rows], at_least[rows], at_most[rows])
        _count(block, degrees, draws)
    return at_least, at_most


def _draws(n: int, names: int, permutations: int, seed: int) -> npt.NDArray[np.intp]:
    """Independent ordered samples of distinct areas: names x permutations, one draw a column."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, n, (names, permutations), dtype=np.intp)
    for place in range(1, names):
        again = np.flatnonzero((drawn[:place] == drawn[place]).any(axis=0))
        while len(again):
            drawn[place, again] = rng.integers(0, n, len(again))
            again = again[(drawn[:place, again] == drawn[place, again]).any(axis=0)]
    return drawn


@dataclass(frozen=True, eq=False)
class _Block:
    """Some periods of the table, periods x areas; ``at_least`` and ``at_most`` are filled in."""

    levels: Integers
    rounded: Integers
    observed: Integers
    at_least: Integers
    at_most: Integers

    def bounds(self, areas: npt.NDArray[np.intp], k: int) -> tuple[Integers, Integers]:
        """Least and largest sum of k values that count as equal to the observed one."""
        seen = self.observed.take(areas, axis=1)
        if not self.rounded.any():
            return seen, seen
        within = k * self.rounded[:, None]
        return seen - within, seen + within


def _count(block: _Block, degrees: npt.NDArray[np.intp], draws: npt.NDArray[np.intp]) -> None:
    """Count for one number of neighbours after the other; the sums grow by a name each time."""
    sums = np.zeros((len(block.levels), draws.shape[1]), dtype=block.levels.dtype)
    for k in range(1, int(degrees.max()) + 1):
        sums += block.levels.take(draws[k - 1], axis=1)
        areas = np.flatnonzero(degrees == k)
        if len(areas):
            _look_up(block, sums, areas, k)
            _replace_themselves(block, sums, degrees == k, k, draws)


def _look_up(block: _Block, sums: Integers, areas: npt.NDArray[np.intp], k: int) -> None:
    """All periods are looked up in one list: each has its own range of numbers there."""
    least, largest = block.bounds(areas, k)
    draws = sums.shape[1]
    lowest = min(0, int(least.min()))
    apart = max(int(sums.max()), int(largest.max())) - lowest + 2
    offset = np.arange(len(sums))[:, None] * apart
    places = sums + offset
    if lowest == 0 and 4 * apart < draws:
        times = np.bincount(places.ravel(), minlength=len(sums) * apart)
        up_to = np.concatenate([[0], times.cumsum()])
        below, within = up_to[least + offset], up_to[largest + offset + 1]
    else:
        places.sort(axis=1)
        below = places.ravel().searchsorted(least + offset, "left")
        within = places.ravel().searchsorted(largest + offset, "right")
    before = np.arange(len(sums))[:, None] * draws
    block.at_least[:, areas] = draws - (below - before)
    block.at_most[:, areas] = within - before


def _replace_themselves(
    block: _Block,
    sums: Integers,
    wanted: npt.NDArray[np.bool_],
    k: int,
    draws: npt.NDArray[np.intp],
) -> None:
    """Where an area is among the first k names of a draw, the next name stands in for it."""
    _, columns = found = np.nonzero(wanted[draws[:k]])
    named = draws[:k][found]
    order = np.argsort(named, kind="stable")
    step = max(1, _CELLS_IN_A_BLOCK // len(sums))
    for start in range(0, len(order), step):
        part = order[start : start + step]
        _replace(block, sums, named[part], columns[part], draws[k, columns[part]], k)


def _replace(
    block: _Block,
    sums: Integers,
    named: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    spare: npt.NDArray[np.intp],
    k: int,
) -> None:
    starts = np.flatnonzero(np.diff(named, prepend=-1))
    areas, counted = named[starts], sums.take(columns, axis=1)
    instead = block.levels.take(spare, axis=1)
    instead -= block.levels.take(named, axis=1)
    instead += counted
    least, largest = block.bounds(named, k)
    more = (instead >= least).view(np.int8) - (counted >= least).view(np.int8)
    block.at_least[:, areas] += np.add.reduceat(more, starts, axis=1, dtype=np.int32)
    more = (instead <= largest).view(np.int8) - (counted <= largest).view(np.int8)
    block.at_most[:, areas] += np.add.reduceat(more, starts, axis=1, dtype=np.int32)


# --- the exact tail -----------------------------------------------------------------------------


def _with_exact_tails(
    period: _Period, p_permutation: Floats, fewer: Integers, upper: npt.NDArray[np.bool_]
) -> Floats:
    """P of all cells, counted over all choices of neighbours where few draws went as far.

    Not below 1e-12: the rounding of the transform is not much smaller. What was rounded is an upper
    bound, and is taken only where no draw went as far and it says more than the draws.
    """
    p = p_permutation.copy()
    feasible = period.degrees <= min(_EXACT_NEIGHBOURS, (len(period.areas) - 1) // 2)
    few = np.isfinite(p) & feasible & (fewer < _FEW_DRAWS)
    rows = np.flatnonzero(few.any(axis=1))
    if not len(rows):
        return p
    steps, rounded = _steps(period.values[rows])
    wanted = few[rows] & ~(rounded[:, None] & (fewer[rows] > 0))
    observed = _sums(steps, period)
    most = int(period.degrees[few.any(axis=0)].max())
    for at, ways in enumerate(_each_ways(steps, most)):
        row, areas = rows[at], np.flatnonzero(wanted[at])
        cells = (steps[at, areas], period.degrees[areas], observed[at, areas])
        tails = _tails(ways, cells, upper[row, areas], len(period.areas), rounded[at])
        counted = np.minimum(1.0, 2 * np.maximum(tails, _SMALLEST_P))
        p[row, areas] = np.minimum(counted, p[row, areas]) if rounded[at] else counted
    return p


def _steps(values: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Whole numbers from 0 for each period, and whether they were rounded down onto the grid."""
    above = values - values.min(axis=1, keepdims=True)
    top = above.max(axis=1, keepdims=True)
    whole = (np.mod(values, 1) == 0).all(axis=1, keepdims=True) & (top <= _EXACT_UP_TO)
    return np.floor(above * np.where(whole, 1.0, _GRID / top)).astype(np.int64), ~whole[:, 0]


def _each_ways(steps: npt.NDArray[np.int64], most: int) -> Iterator[Floats]:
    """For each period, the share of the choices of k values that sum to s: k x s.

    The coefficients of x^k y^s in prod(1 + x y^v). For y a root of unity the powers of the values
    sum to the transform of their histogram, and Newton's identities lead from these sums to the
    elementary symmetric ones, here divided by the number of choices so that they stay near 1.
    """
    n, length = steps.shape[1], _transform_length(most * int(steps.max()) + 1)
    frequencies = np.arange(length // 2 + 1)
    together = max(1, _CELLS_IN_A_BLOCK // ((most + 1) * length))
    for start in range(0, len(steps), together):
        part = steps[start : start + together]
        places = part + length * np.arange(len(part))[:, None]
        histogram = np.bincount(places.ravel(), minlength=length * len(part))
        powers = np.fft.fft(histogram.reshape(len(part), length), axis=1)
        shares = np.zeros((len(part), most + 1, len(frequencies)), dtype=complex)
        shares[:, 0] = 1
        for k in range(1, most + 1):
            factor = 1.0
            for i in range(1, k + 1):
                factor /= n - k + i
                power = powers[:, frequencies * i % length]
                shares[:, k] += (-1) ** (i - 1) * factor * power * shares[:, k - i]
                factor *= k - i
        yield from np.fft.irfft(shares, n=length, axis=2)


def _transform_length(least: int) -> int:
    length: int = scipy.fft.next_fast_len(least)
    return length + length % 2


def _tails(
    ways: Floats,
    cells: tuple[npt.NDArray[np.int64], npt.NDArray[np.intp], npt.NDArray[np.int64]],
    upper: npt.NDArray[np.bool_],
    n: int,
    rounded: bool,
) -> Floats:
    """One tail of each cell (own value, neighbours, observed sum) of a period.

    Rounding down may cost a sum of k values k - 1 steps, which is given away on the safe side.
    """
    rows = list(zip(*(each.tolist() for each in (*cells, upper)), strict=True))
    most = {own: k for own, k, *_ in sorted(rows)}
    others = {own: _without(ways[: k + 1], own, n) for own, k in most.items()}
    tails = []
    for own, k, total, high in rows:
        slack = k - 1 if rounded else 0
        sums = others[own][k]
        tails.append((sums[max(0, total - slack) :] if high else sums[: total + slack + 1]).sum())
    return np.array(tails)


def _without(ways: Floats, own: int, n: int) -> Floats:
    """The shares among choices that leave out the area itself: divided by (1 + x y^own).

    Of all choices of k from n, k / n name the area, and the rest of it is a choice of k - 1.
    """
    chosen = np.arange(len(ways))
    others: Floats = ways * (n / (n - chosen))[:, None]
    for k in chosen[1:]:
        others[k, own:] -= k / (n - k) * others[k - 1, : others.shape[1] - own]
    return others
