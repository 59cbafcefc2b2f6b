"""A relapse rule of growth: calendar quarters against the same months of the transformed year.

The transformed year (base) is the twelve months that end with the month of the transformation.
Only quarters that begin after it are looked at, so no month is on both sides, and each of their
months has one of the same name in the base. A quarter has grown when its index is at least
1 + growth times that of the base; the rule is met at the end of a quarter when the last so many
quarters have all grown and over all of them together

    z = 2 (sqrt x1 - sqrt x0)

reaches the rule's z, x1 and x0 being the sums in incidents (index / unit). This z has the variance
1 only if x0 were known without error; with one year as base its variance is 2, so that z = 1.645
is reached by chance in 12 of 100 cases without any growth, not in 5 (before the growth that every
quarter must also show).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hotspots.programme.months import Month
from hotspots.programme.plan import RelapseRule

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quarters:
    """The whole quarters of one or many courses of a ward, oldest first.

    Attributes
    ----------
    ends : tuple of Month
        The last month of each.
    index, base : array
        Quarters x courses: index of the quarter, and of the same months of the base.
    """

    ends: tuple[Month, ...]
    index: Floats
    base: Floats


def base_year(transformed: Month) -> tuple[Month, Month]:
    """Return the first and the last month of the transformed year.

    >>> [str(month) for month in base_year(Month(2024, 12))]
    ['2024-01', '2024-12']
    """
    return transformed + -11, transformed


def first_quarter(transformed: Month) -> Month:
    """Return the last month of the first quarter that begins after the transformation's month.

    >>> str(first_quarter(Month(2024, 12))), str(first_quarter(Month(2025, 1)))
    ('2025-03', '2025-06')
    """
    return next(end for end in (transformed + k for k in range(3, 6)) if end.month % 3 == 0)


def first_test(rule: RelapseRule, transformed: Month, after: Month) -> Month:
    """Return the first test after a month at which the rule can be met.

    >>> rule = RelapseRule.of_growth(quarters=2, growth=0.3, z=1.645)
    >>> str(first_test(rule, Month(2024, 12), after=Month(2025, 1)))
    '2025-06'
    """
    earliest = max(after + 1, first_quarter(transformed) + 3 * (rule.quarters - 1))
    return next(m for m in (earliest + k for k in range(12)) if m.month in rule.test_months)


def quarter_name(end: Month) -> str:
    """Return a quarter as text.

    >>> quarter_name(Month(2025, 9))
    '2025-Q3'
    """
    return f"{end.year}-Q{end.month // 3}"


def quarters_of(path: Floats, first: Month, transformed: Month) -> Quarters:
    """Return the quarters after the transformation that lie in a path, with their base.

    Parameters
    ----------
    path : array
        Months x courses, without a gap.
    first : Month
        That of the first row; not after the first month of the base.
    transformed : Month
        The month of the transformation.

    Examples
    --------
    >>> path = np.array([[10.0]] * 12 + [[14.0]] * 4)
    >>> found = quarters_of(path, Month(2024, 1), Month(2024, 12))
    >>> [str(end) for end in found.ends], found.index.tolist(), found.base.tolist()
    (['2025-03'], [[42.0]], [[30.0]])
    """
    start, last = first_quarter(transformed), first + (len(path) - 1)
    ends = tuple(start + k for k in range(0, last - start + 1, 3))
    index = [path[end - first - 2 : end - first + 1].sum(axis=0) for end in ends]
    base = [_base_of(path, first, transformed, end) for end in ends]
    shape = (len(ends), *path.shape[1:])
    return Quarters(ends, np.reshape(index, shape), np.reshape(base, shape))


def _base_of(path: Floats, first: Month, transformed: Month, end: Month) -> Floats:
    """Sum the months of the base that have the names of the three months up to `end`."""
    months = (end + -back for back in range(3))
    rows = [transformed + -((transformed - month) % 12) - first for month in months]
    summed: Floats = path[rows].sum(axis=0)
    return summed


def grown(quarters: Quarters, rule: RelapseRule) -> npt.NDArray[np.bool_]:
    """Tell of each quarter whether it reaches 1 + growth times its base; an empty one does not."""
    least = (1 + rule.growth) * quarters.base * (1 - 1e-9)
    return (quarters.index >= least) & (quarters.index > 0)


def z_over(quarters: Quarters, last: int, count: int, unit: float) -> Floats:
    """Return z of the `count` quarters up to position `last` together.

    >>> found = Quarters((Month(2025, 3),), np.array([[49.0]]), np.array([[25.0]]))
    >>> z_over(found, 0, 1, unit=1.0).tolist()
    [4.0]
    """
    rows = slice(max(last - count + 1, 0), last + 1)
    x1, x0 = quarters.index[rows].sum(axis=0), quarters.base[rows].sum(axis=0)
    z: Floats = 2 * (np.sqrt(x1 / unit) - np.sqrt(x0 / unit))
    return z


def meets(quarters: Quarters, rule: RelapseRule, unit: float) -> npt.NDArray[np.bool_]:
    """Tell at the end of each quarter whether the rule is met there: quarters x courses."""
    up = grown(quarters, rule)
    met = np.zeros_like(up)
    for last in range(rule.quarters - 1, len(up)):
        in_a_row = up[last - rule.quarters + 1 : last + 1].all(axis=0)
        met[last] = in_a_row & (z_over(quarters, last, rule.quarters, unit) >= rule.z - 1e-9)
    return met


def run_of(up: Sequence[bool]) -> int:
    """Return how many quarters in a row have grown, up to the last.

    >>> run_of([True, False, True, True])
    2
    """
    return next((back for back, each in enumerate(reversed(up)) if not each), len(up))
