"""What an area's months of hot and cold add up to: time classes, and the Mann-Kendall trend test.

References
----------
Mann, H. B. (1945). Nonparametric tests against trend. Econometrica 13(3), 245-259.
Kendall, M. G. (1975). Rank Correlation Methods, 4th ed.: chapter 5 for the exact distribution,
chapter 4 for the variance with ties.
Esri. How Emerging Hot Spot Analysis works. ArcGIS Pro tool reference, Space Time Pattern Mining
toolbox: the definitions of the 17 classes.
Stanley, R. P. (2011). Enumerative Combinatorics 1, 2nd ed., proposition 1.7.1: inversions of
arrangements with equal members, which is the exact distribution with ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.stats

from geo.clusters import COLD, HOT, NONE, NOT_TESTABLE

Alternative: TypeAlias = Literal["two-sided", "greater", "less"]
Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

# Series up to this long are tested with the exact distribution.
EXACT_UP_TO = 10
# Esri's classes need this many periods: 90 % of fewer is all of them.
ESRI_FROM = 10

SHORT_CLASSES = ("persistent", "emerging", "former", "intermittent", "none")
_KINDS = (
    "new",
    "consecutive",
    "intensifying",
    "persistent",
    "diminishing",
    "sporadic",
    "oscillating",
    "historical",
)
ESRI_CLASSES = (*(f"{kind}_{side}" for side in (HOT, COLD) for kind in _KINDS), "no_pattern")


@dataclass(frozen=True)
class MannKendall:
    """Is there a steady rise or fall? Unknown (NaN) with fewer than two known values.

    Attributes
    ----------
    s : float
        Later values that are larger minus later values that are smaller, over all pairs.
    var : float
        Variance of s if all orders were equally likely, corrected for ties.
    z : float
        (s - sign(s)) / sqrt(var), the normal approximation; 0 if all values are equal.
    p : float
        For the named alternative; from the exact distribution if ``exact``, else from z.
    tau : float
        Kendall's tau-b: s over the most it could be with these ties; NaN if all values are equal.
    n : int
        Known values.
    exact : bool
        Whether p is exact, as it is up to ten known values, ties or not.
    alternative : str
        ``two-sided``, ``greater`` (rising) or ``less`` (falling).
    """

    s: float
    var: float
    z: float
    p: float
    tau: float
    n: int
    exact: bool
    alternative: Alternative


def mann_kendall(
    values: Sequence[float] | npt.NDArray[Any] | pd.Series[Any],
    alternative: Alternative = "two-sided",
) -> MannKendall:
    """Trend of one series; values that are not known (NaN) are left out, the others keep order.

    The test takes the values for independent of each other: a season or a slow swing looks like a
    trend to it.

    Parameters
    ----------
    values : sequence of float
        Earliest first.
    alternative : {'two-sided', 'greater', 'less'}
        ``greater`` asks for a rise. The exact two-sided p is twice the smaller tail, at most 1.

    Returns
    -------
    MannKendall

    Raises
    ------
    ValueError
        Another alternative.

    Examples
    --------
    >>> found = mann_kendall([1, 2, 4, 3, 5])
    >>> found.s, round(found.var, 2), round(found.p, 4), found.tau, found.exact
    (8.0, 16.67, 0.0833, 0.8, True)
    """
    column = np.asarray(values, dtype=np.float64).reshape(-1, 1)
    found = _trends(column, alternative)
    s, var, z, p, tau = (float(found[name][0]) for name in ("s", "var", "z", "p", "tau"))
    n = int(found["n"][0])
    return MannKendall(s, var, z, p, tau, n, bool(found["exact"][0]), alternative)


def trends(values: pd.DataFrame, alternative: Alternative = "two-sided") -> pd.DataFrame:
    """`mann_kendall` of every column of a table at once.

    Parameters
    ----------
    values : DataFrame
        Periods in rows, earliest first, areas in columns.
    alternative : {'two-sided', 'greater', 'less'}

    Returns
    -------
    DataFrame
        Areas in rows, in the order of the columns: ``s``, ``var``, ``z``, ``p``, ``tau``, ``n``,
        ``exact``; no correction for how many areas there are.

    Examples
    --------
    >>> trends(pd.DataFrame({"a": [1, 2, 3, 4], "b": [2, 2, 2, 2]}))[["s", "p"]].values.tolist()
    [[6.0, 0.08333333333333333], [0.0, 1.0]]
    """
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.DataFrame(_trends(numbers, alternative), index=values.columns)


def time_class(
    labels: pd.DataFrame, strength: pd.DataFrame | None = None, *, alpha: float = 0.05
) -> pd.DataFrame:
    """What the hot and cold periods of each area add up to: one class for each area.

    Only periods in which an area could be tested count, for "all", "last" and "before" alike; how
    many there were is given. An area that could never be tested is ``not_testable``.

    **Below 10 periods**, five classes, of hot periods only (our own; too short for Esri's 90 %):

    - ``none``: never hot.
    - ``persistent``: hot in the last period and in at least three quarters, three at least.
    - ``emerging``: else, hot in one unbroken run that lasts to the last period.
    - ``former``: hot in one unbroken run that is over.
    - ``intermittent``: hot on and off.

    **From 10 periods on**, Esri's seventeen (How Emerging Hot Spot Analysis works), asked in this
    order where more than one would fit; the same for cold spots, with hot and cold exchanged:

    - ``new_hot``: hot in the last period and never before.
    - ``consecutive_hot``: one run of at least two up to the last period, never hot before it, and
      hot in less than 90 % of periods.
    - ``intensifying_hot``, ``persistent_hot``, ``diminishing_hot``: hot in at least 90 %, the last
      included, with strength rising, without a trend, or falling (Mann-Kendall, two-sided). For
      cold spots a fall of z is a rise of strength.
    - ``oscillating_hot``: hot in the last period and in less than 90 %, cold some time before.
    - ``sporadic_hot``: the same, but never cold.
    - ``historical_hot``: not hot in the last period, but in at least 90 % of all. An area that ends
      cold is asked for the other cold classes first.
    - ``no_pattern``: none of these, so also areas that were hot on and off but not last.

    Parameters
    ----------
    labels : DataFrame
        Periods in rows, earliest first, areas in columns; ``hot``, ``cold``, ``none`` or
        ``not_testable``: the ``label`` of `geo.clusters.getis_ord`.
    strength : DataFrame, optional
        Of the same rows and columns: its ``z``. Needed from 10 periods on.
    alpha : float
        Below it, a trend of the strength is one.

    Returns
    -------
    DataFrame
        Areas in rows, in the order of the columns: ``pattern``; ``tested``, ``hot``, ``cold``
        (numbers of periods); ``last`` (label of the last tested period); ``trend_z`` and
        ``trend_p`` of the strength (NaN without one).

    Raises
    ------
    ValueError
        Unknown labels, periods given latest first, tables that do not match, or no strength where
        it is needed.

    Examples
    --------
    >>> labels = pd.DataFrame({
    ...     "a": ["none", "none", "hot", "hot"],
    ...     "b": ["hot", "none", "hot", "none"],
    ...     "c": ["not_testable"] * 4})
    >>> time_class(labels)["pattern"].to_dict()
    {'a': 'emerging', 'b': 'intermittent', 'c': 'not_testable'}
    """
    _refuse_unusable(labels, strength)
    history = _History.of(labels)
    trend = _strength_trends(labels, strength)
    if len(labels) < ESRI_FROM:
        pattern = _short(history)
    else:
        pattern = _esri(history, np.where(trend["p"] < alpha, np.sign(trend["s"]), 0))
    columns = {
        "pattern": pd.array(np.where(history.tested > 0, pattern, NOT_TESTABLE), dtype="str"),
        "tested": history.tested,
        "hot": history.hot.sum(axis=0),
        "cold": history.cold.sum(axis=0),
        "last": pd.array(history.last, dtype="str"),
        "trend_z": trend["z"].to_numpy(),
        "trend_p": trend["p"].to_numpy(),
    }
    return pd.DataFrame(columns, index=labels.columns)


# --- classes ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _History:
    """Periods x areas; ``tested`` and ``last`` for each area."""

    hot: Flags
    cold: Flags
    known: Flags
    last: npt.NDArray[Any]

    @classmethod
    def of(cls, labels: pd.DataFrame) -> _History:
        names = labels.to_numpy(dtype=object)
        known = names != NOT_TESTABLE
        latest = len(names) - 1 - np.argmax(known[::-1], axis=0)
        return cls(names == HOT, names == COLD, known, names[latest, np.arange(names.shape[1])])

    @property
    def tested(self) -> npt.NDArray[np.intp]:
        counted: npt.NDArray[np.intp] = self.known.sum(axis=0)
        return counted

    def run(self, side: Flags) -> npt.NDArray[np.intp]:
        """Length of the run of a side that lasts to the last tested period; 0 if there is none."""
        others = self.known & ~side
        since = np.where(
            others.any(axis=0), len(side) - np.argmax(others[::-1], axis=0), 0
        )  # first period after the last one of another kind
        after = np.arange(len(side))[:, None] >= since
        length: npt.NDArray[np.intp] = (side & after).sum(axis=0)
        return length

    def runs(self, side: Flags) -> npt.NDArray[np.intp]:
        """How many unbroken runs of a side there are; periods not tested break none."""
        before = np.zeros(side.shape[1], dtype=bool)
        counted = np.zeros(side.shape[1], dtype=np.intp)
        for now, known in zip(side, self.known, strict=True):
            counted += now & ~before
            before = np.where(known, now, before)
        return counted


def _short(history: _History) -> npt.NDArray[Any]:
    hot = history.hot.sum(axis=0)
    ends_hot = history.last == HOT
    single = history.runs(history.hot) == 1
    lasting = ends_hot & (hot >= 3) & (4 * hot >= 3 * history.tested)
    conditions = [hot == 0, lasting, ends_hot & single, single]
    return np.select(conditions, ["none", "persistent", "emerging", "former"], "intermittent")


def _esri(history: _History, trend: Floats) -> npt.NDArray[Any]:
    """Trend is 1, 0 or -1 for a strength that rises, has no trend, or falls."""
    hot = _esri_side(history, HOT, trend)
    cold = _esri_side(history, COLD, -trend)
    ended = np.where(history.last == HOT, hot, np.where(history.last == COLD, cold, ""))
    over = [_mostly(history, history.hot), _mostly(history, history.cold)]
    past = np.select(over, [f"historical_{HOT}", f"historical_{COLD}"], "no_pattern")
    return np.where(ended != "", ended, past)


def _esri_side(history: _History, side: str, trend: Floats) -> npt.NDArray[Any]:
    """Class of an area whose last tested period is of this side."""
    own, other = (history.hot, history.cold) if side == HOT else (history.cold, history.hot)
    count, mostly = own.sum(axis=0), _mostly(history, own)
    conditions = [
        count == 1,
        (history.run(own) == count) & ~mostly,
        mostly & (trend > 0),
        mostly & (trend < 0),
        mostly,
        other.any(axis=0),
    ]
    kinds = ["new", "consecutive", "intensifying", "diminishing", "persistent", "oscillating"]
    return np.select(conditions, [f"{kind}_{side}" for kind in kinds], f"sporadic_{side}")


def _mostly(history: _History, side: Flags) -> Flags:
    """In at least 90 % of the tested periods; in whole numbers, so that 9 of 10 is enough."""
    enough: Flags = (10 * side.sum(axis=0) >= 9 * history.tested) & (history.tested > 0)
    return enough


def _strength_trends(labels: pd.DataFrame, strength: pd.DataFrame | None) -> pd.DataFrame:
    if strength is None:
        return pd.DataFrame(np.nan, index=labels.columns, columns=["s", "z", "p"])
    return trends(strength.where(labels != NOT_TESTABLE))


def _refuse_unusable(labels: pd.DataFrame, strength: pd.DataFrame | None) -> None:
    strange = set(pd.unique(labels.to_numpy(dtype=object).ravel())) - {
        HOT,
        COLD,
        NONE,
        NOT_TESTABLE,
    }
    if strange:
        raise ValueError(
            f"{sorted(map(str, strange))} are no labels; give hot, cold, none or not_testable."
        )
    if not len(labels):
        raise ValueError("There is no period. Give at least one.")
    if len(labels) > 1 and labels.index.is_monotonic_decreasing:
        raise ValueError("The periods stand latest first. Give the earliest first.")
    if strength is None and len(labels) >= ESRI_FROM:
        raise ValueError(f"With {ESRI_FROM} periods or more the strength (z) is needed as well.")
    if strength is not None and not (
        strength.index.equals(labels.index) and strength.columns.equals(labels.columns)
    ):
        raise ValueError("Labels and strength have different rows or columns; give one table's.")


# --- Mann-Kendall -------------------------------------------------------------------------------


def _trends(values: Floats, alternative: Alternative) -> dict[str, npt.NDArray[Any]]:
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"{alternative!r} is no alternative; give two-sided, greater or less.")
    n = np.isfinite(values).sum(axis=0)
    s = _pairs_balance(values)
    ties = [_tie_sizes(column) for column in values.T]
    tied_pairs = np.array([sum(t * (t - 1) for t in sizes) / 2 for sizes in ties])
    tied_var = np.array([sum(t * (t - 1) * (2 * t + 5) for t in sizes) for sizes in ties])
    var = (n * (n - 1) * (2 * n + 5) - tied_var) / 18
    pairs = n * (n - 1) / 2
    z, p, tau = np.zeros(len(n)), np.ones(len(n)), np.full(len(n), np.nan)
    varied = var > 0
    z[varied] = (s - np.sign(s))[varied] / np.sqrt(var[varied])
    p[varied] = _normal_p(s[varied], np.sqrt(var[varied]), alternative)
    tau[varied] = s[varied] / np.sqrt(pairs * (pairs - tied_pairs))[varied]
    exact = n <= EXACT_UP_TO
    for area in np.flatnonzero(exact & varied):
        p[area] = _exact_p(int(s[area]), ties[area], alternative)
    measured = {"s": s, "var": var, "z": z, "p": p, "tau": tau}
    known = {name: np.where(n >= 2, found, np.nan) for name, found in measured.items()}
    return {**known, "n": n, "exact": exact & (n >= 2)}


def _pairs_balance(values: Floats) -> Floats:
    """S of each column; pairs with an unknown value count nothing."""
    balance = np.zeros(values.shape[1])
    for lag in range(1, len(values)):
        balance += np.nansum(np.sign(values[lag:] - values[:-lag]), axis=0)
    return balance


def _tie_sizes(column: Floats) -> tuple[int, ...]:
    """How often each different value occurs, smallest first."""
    _, times = np.unique(column[np.isfinite(column)], return_counts=True)
    return tuple(sorted(times.tolist()))


def _normal_p(s: Floats, sd: Floats, alternative: Alternative) -> Floats:
    """With the continuity correction of 1, towards no trend."""
    rising: Floats = scipy.stats.norm.sf((s - 1) / sd)
    falling: Floats = scipy.stats.norm.cdf((s + 1) / sd)
    if alternative == "greater":
        return rising
    return falling if alternative == "less" else np.minimum(1.0, 2 * np.minimum(rising, falling))


def _exact_p(s: int, sizes: tuple[int, ...], alternative: Alternative) -> float:
    orders = _orders(sizes)
    inversions = (len(orders) - 1 - s) // 2
    rising = sum(orders[: inversions + 1]) / sum(orders)
    falling = sum(orders[inversions:]) / sum(orders)
    if alternative == "greater":
        return rising
    return falling if alternative == "less" else min(1.0, 2 * min(rising, falling))


@lru_cache(maxsize=1024)
def _orders(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """In how many orders there are 0, 1, 2, ... pairs that fall, equal values being one and same.

    The coefficients of prod (1 - q^i) for i to n over the same products for every group of ties
    (without ties, Kendall's own recursion). With m pairs not tied, s = m - 2 x falling pairs.
    """
    n = sum(sizes)
    pairs = (n * (n - 1) - sum(t * (t - 1) for t in sizes)) // 2
    orders = [1] + [0] * pairs
    for power in range(1, n + 1):
        for at in range(pairs, power - 1, -1):
            orders[at] -= orders[at - power]
    for power in (i for t in sizes for i in range(1, t + 1)):
        for at in range(power, pairs + 1):
            orders[at] += orders[at - power]
    return tuple(orders)
