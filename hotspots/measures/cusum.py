"""A Poisson CUSUM whose false alarms are stated: how often it sounds where nothing has changed.

S_t = max(0, S_{t-1} + x_t - k) is a running excess of counts over a reference value k; at S >= h it
sounds and starts again from 0 (Lucas, 1985, "Counted data CUSUM's", Technometrics 27, 129-144).
k = mu (ratio - 1) / ln(ratio) is best for a rise from the mean mu to ratio x mu. h is the smallest
limit with which the average run length (ARL) without any change is at least the months asked for:
since it starts anew after each alarm, it then sounds falsely in at most one of so many
ward-months. The ARL is that of Brook and Evans (1972), "An approach to the probability
distribution of cusum run length", Biometrika 59, 539-549: S moves on a lattice, so its Markov chain
is finite and the ARL is exact for it. Counts with more variance than a Poisson (phi > 1) are taken
as negative binomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import nbinom, poisson

from hotspots.programme.months import Month

Floats = npt.NDArray[np.float64]

LEAST_MEAN: Final = 1 / 24
"""Half an incident a year: a silent ward's limit must not be 0."""

_STEPS_PER_SD: Final = 20  # of the lattice: k is off by at most a fortieth of a standard deviation


@dataclass(frozen=True)
class Design:
    """A CUSUM for one mean.

    Attributes
    ----------
    mean : float
        Counts a month without any change.
    reference : float
        k, taken from each month's count.
    limit : float
        h.
    run_length : float
        Average months to a false alarm, at least those asked for; more where counts are so small
        that no limit comes closer.
    """

    mean: float
    reference: float
    limit: float
    run_length: float


def average_run_length(
    mean: float, reference: float, limit: float, *, phi: float = 1.0, lattice: int = 1
) -> float:
    """Return the average number of months until S >= limit, from S = 0.

    Parameters
    ----------
    mean : float
        Of the counts, above 0.
    reference, limit : float
        k and h, whole multiples of 1 / `lattice`; others are rounded to one.
    phi : float
        Variance of the counts over their mean, 1 or more.
    lattice : int
        Steps of S between two whole numbers.

    Examples
    --------
    Without a change and after one of .9627 standard deviations, as `arl` of the R package IAcsSPCR
    prints for Lucas's chart (37.2 and 5.49):

    >>> round(average_run_length(1.88, 2, 6), 1), round(average_run_length(3.2, 2, 6), 2)
    (37.2, 5.49)
    """
    states, k = max(round(limit * lattice), 1), round(reference * lattice)
    counts = np.arange((states + k) // lattice + 2)
    chance, up_to = _distribution(mean, phi, counts)
    # from state i by a count x to i + x * lattice - k, everything below 0 being 0
    place = np.arange(states)
    jump = place[None, :] - place[:, None] + k
    whole = (jump >= 0) & (jump % lattice == 0)
    moves = np.where(whole, chance[np.where(whole, jump // lattice, 0)], 0.0)
    down = (k - place) // lattice
    moves[:, 0] = np.where(down >= 0, up_to[np.maximum(down, 0)], 0.0)
    return float(np.linalg.solve(np.eye(states) - moves, np.ones(states))[0])


def _distribution(mean: float, phi: float, counts: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the probability of each count, and of at most each."""
    if phi <= 1 + 1e-6:
        return poisson.pmf(counts, mean), poisson.cdf(counts, mean)
    size, p = mean / (phi - 1), 1 / phi
    return nbinom.pmf(counts, size, p), nbinom.cdf(counts, size, p)


def design(
    mean: float, *, ratio: float = 1.5, false_alarm_every: float = 60, phi: float = 1.0
) -> Design:
    """Return reference and limit for a mean.

    Parameters
    ----------
    mean : float
        Counts a month without any change; at least `LEAST_MEAN` is taken. Means are rounded to
        three figures.
    ratio : float
        The rise to be found, above 1.
    false_alarm_every : float
        Months of one ward in which one false alarm is accepted, above 1.
    phi : float
        Variance of the counts over their mean; under 1 is taken as 1.

    Raises
    ------
    ValueError
        If `ratio` or `false_alarm_every` is 1 or below.

    Examples
    --------
    >>> found = design(4.0, ratio=1.5, false_alarm_every=60)
    >>> round(found.reference, 2), found.limit, round(found.run_length, 1)
    (4.9, 5.6, 61.1)
    """
    if ratio <= 1 or false_alarm_every <= 1:
        raise ValueError(
            f"ratio and false_alarm_every must be above 1, not {ratio} and {false_alarm_every}."
        )
    rounded = float(f"{max(mean, LEAST_MEAN):.3g}")
    return _design(rounded, float(ratio), float(false_alarm_every), float(f"{max(phi, 1):.3g}"))


@lru_cache(maxsize=4096)
def _design(mean: float, ratio: float, every: float, phi: float) -> Design:
    lattice = max(ceil(_STEPS_PER_SD / sqrt(mean * phi)), 1)
    k = round(mean * (ratio - 1) / log(ratio) * lattice)

    def run_length(steps: int) -> float:
        return average_run_length(mean, k / lattice, steps / lattice, phi=phi, lattice=lattice)

    low, high = 0, lattice
    while run_length(high) < every:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if run_length(middle) >= every else (middle, high)
    return Design(mean, k / lattice, high / lattice, run_length(high))


def poisson_cusum(
    counts: pd.DataFrame,
    expected: pd.DataFrame,
    *,
    ratio: float = 1.5,
    false_alarm_every: float = 60,
    phi: float = 1.0,
) -> pd.DataFrame:
    """Return the state of a CUSUM of every series at its last month.

    The limit is that of the mean of `expected` over the months that count; in each month the
    reference is in proportion to what that month expects, so that a season does not sound.

    Parameters
    ----------
    counts : pd.DataFrame
        Months (`pd.PeriodIndex`, M) x series, in incidents (an index divided by its unit). Unknown
        months (NaN) are passed over, so NaN before a series begins.
    expected : pd.DataFrame
        Means without any change, of the same months and series; where it is unknown, so is S.
    ratio, false_alarm_every, phi : float
        See `design`.

    Returns
    -------
    pd.DataFrame
        By series: `months` (that count), `alarm` (bool: it sounds in the last of them),
        `last_alarm` (`Month`, None: never), `since` (`Month` in which the run up to the last alarm
        began, without one the present run; None where S is 0), and of that run `run_months`,
        `observed`, `expected`, `cusum` (S at its end); `reference` (mean k of its months), `limit`
        and `run_length` (see `Design`; NaN without a month that counts).

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=6, freq="M")
    >>> counts = pd.DataFrame({"H1": [4, 4, 9, 9, 9, 9], "H2": [4, 3, 5, 4, 4, 3]}, index=months)
    >>> found = poisson_cusum(counts, counts * 0 + 4.0)
    >>> found[["last_alarm", "observed", "expected", "limit"]]
       last_alarm  observed  expected  limit
    H1    2025-06      18.0       8.0    5.6
    H2       None       0.0       0.0    5.6
    """
    rows = {
        name: _state(counts[name], expected[name], ratio, false_alarm_every, phi)
        for name in counts.columns
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=_COLUMNS)


_COLUMNS: Final = [
    "months", "alarm", "last_alarm", "since", "run_months", "observed", "expected", "cusum",
    "reference", "limit", "run_length",
]  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """The months since S was last 0."""

    since: Month
    months: int = 0
    observed: float = 0.0
    expected: float = 0.0
    cusum: float = 0.0
    reference: float = 0.0

    def after(self, observed: float, expected: float, reference: float) -> _Run:
        return _Run(
            self.since,
            self.months + 1,
            self.observed + observed,
            self.expected + expected,
            self.cusum + observed - reference,
            self.reference + reference,
        )


def _state(
    counts: pd.Series[float], expected: pd.Series[float], ratio: float, every: float, phi: float
) -> tuple[object, ...]:
    both = pd.DataFrame({"x": counts, "mean": expected}).dropna().astype(float)
    if both.empty:
        return (0, False, None, None, 0, 0.0, 0.0, 0.0, np.nan, np.nan, np.nan)
    chart = design(float(both["mean"].mean()), ratio=ratio, false_alarm_every=every, phi=phi)
    run: _Run | None = None
    sounded: _Run | None = None
    last_alarm, month = None, None
    for period, x, mean in both.itertuples():
        month = Month(period.year, period.month)
        k = chart.reference * max(mean, LEAST_MEAN) / chart.mean
        run = (run or _Run(month)).after(x, mean, k)
        if run.cusum >= chart.limit - 1e-9:
            last_alarm, sounded, run = month, run, None
        elif run.cusum <= 0:
            run = None
    shown = sounded or run
    said = (
        (None, 0, 0.0, 0.0, 0.0, chart.reference)
        if shown is None
        else (
            shown.since,
            shown.months,
            shown.observed,
            shown.expected,
            shown.cusum,
            shown.reference / shown.months,
        )
    )
    sounds = last_alarm is not None and last_alarm == month
    return (len(both), sounds, last_alarm, *said, chart.limit, chart.run_length)
