"""How a year is likely to end: the probability of meeting a target, hotspot by hotspot.

A target allows so many hotspots to fail (to relapse, or not to be transformed). Some have failed
already, some can fail no more, and of each of the others there is a probability. What they share,
a good or a bad year, is one normal shock to all of them on the logit scale: without it the
intervals are too narrow (on city panels 80 % intervals then covered .67, with it .88).

    K = d + sum of Bernoulli(expit(logit q_i + sigma u)),  u ~ N(0, 1) common to all
    logit q_i = a + b logit p_i
    P(target) = P(K <= most)

The sum is worked out exactly by convolution for each of 21 Gauss-Hermite nodes of u. `a`, `b` and
`sigma` are fitted to past years looked at from the same day of the year; without past years the
probabilities stand as they are and sigma is .35.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import floor
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

Floats = npt.NDArray[np.float64]

LEAST_SHOCK: Final = 0.35
"""Few past years cannot show that years do not differ."""

MOST_SHOCK: Final = 2.0

LEAST_PAST: Final = 5
"""Past hotspots below which their share says too little to stand in for a probability."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_SUREST: Final = 0.01  # no forecast of a human decision is surer than this, or than 1 - this
_LEVEL_SPREAD: Final = 2.0  # prior sd of a around 0
_SLOPE_SPREAD: Final = 0.5  # and of b around 1
_LEAST_SLOPE: Final = 0.05
_LEAST_YEARS: Final = 3  # fewer cannot tell a shock to a year from a wrong level


@dataclass(frozen=True)
class PastYear:
    """What a past year looked like from the same day, and how it ended.

    Attributes
    ----------
    year : int
    probabilities : mapping of str to float
        By hotspot that could still fail: that it fails by the end of the year. A hotspot without
        one is NaN.
    failed : frozenset of str
        Those of them that did.
    """

    year: int
    probabilities: Mapping[str, float]
    failed: frozenset[str]


@dataclass(frozen=True)
class Calibration:
    """What past years taught: logit q = level + slope logit p, and the shock common to a year.

    Attributes
    ----------
    hotspots, failed : int
        The past hotspots with a probability it was fitted on, and how many of them failed.
    years : tuple of int
        The past years they are of.
    """

    level: float = 0.0
    slope: float = 1.0
    sigma: float = LEAST_SHOCK
    hotspots: int = 0
    failed: int = 0
    years: tuple[int, ...] = ()

    def of(self, probabilities: Sequence[float] | Floats) -> Floats:
        """Return calibrated probabilities.

        >>> Calibration().of([0.25]).round(6).tolist()
        [0.25]
        """
        calibrated: Floats = expit(self.level + self.slope * _logit(probabilities))
        return calibrated


@dataclass(frozen=True)
class Projection:
    """How a target is likely to stand at the end of a year.

    Attributes
    ----------
    reading : str
        As in `targets.TargetResult`.
    target : float
        The share wanted.
    until : date
        The last day of the year.
    whole : int
        The hotspots that count.
    failed : int
        Those that failed already.
    probabilities : mapping of str to float
        By hotspot that can still fail: the calibrated probability that it does.
    without_own : tuple of str
        Those of them that stand there with the share of past years, or the mean of the others.
    calibration : Calibration
    distribution : tuple of float
        Probability of 0, 1, ... `whole` hotspots failed at the end.
    most : int
        How many may fail while the target is met.
    """

    reading: str
    target: float
    until: date
    whole: int
    failed: int
    probabilities: Mapping[str, float]
    without_own: tuple[str, ...]
    calibration: Calibration
    distribution: tuple[float, ...]
    most: int

    @property
    def open(self) -> int:
        """How many can still fail."""
        return len(self.probabilities)

    @property
    def may_fail(self) -> int:
        """How many more may fail while the target is met; negative: so many too many failed."""
        return self.most - self.failed

    @property
    def must_succeed(self) -> int:
        """How many of those still open must succeed; more than `open`: it cannot be met."""
        return max(self.open - self.may_fail, 0)

    @property
    def probability(self) -> float:
        """That the year ends on target."""
        return min(float(sum(self.distribution[: max(self.most + 1, 0)])), 1.0)

    @property
    def share(self) -> float:
        """The expected share at the end."""
        numbers = np.arange(self.whole + 1)
        return 1 - float(np.dot(numbers, self.distribution)) / self.whole

    @property
    def interval(self) -> tuple[float, float]:
        """The share at the end, between its 10 % and 90 % quantile."""
        below = np.cumsum(self.distribution)
        few, many = (int(np.searchsorted(below, level - 1e-9)) for level in (0.1, 0.9))
        return 1 - many / self.whole, 1 - few / self.whole

    @property
    def decided(self) -> bool:
        """Whether nothing that may still happen can change it."""
        return self.may_fail < 0 or self.must_succeed == 0


def project(
    reading: str,
    target: float,
    until: date,
    *,
    whole: int,
    failed: int,
    probabilities: Mapping[str, float],
    past: Sequence[PastYear] = (),
) -> Projection | None:
    """Return how a target is likely to stand at the end of a year.

    Parameters
    ----------
    reading : str
        As in `targets.TargetResult`.
    target : float
        The share wanted of `whole`.
    until : date
        The last day of the year.
    whole, failed : int
        The hotspots that count, and those that failed already.
    probabilities : mapping of str to float
        By hotspot that can still fail: that it does by `until`; NaN where it could not be measured.
        All others stay as they are.
    past : sequence of PastYear
        Past years seen from the same day of the year.

    Returns
    -------
    Projection or None
        None when nothing counts, or of no hotspot there is a probability or a past.

    Examples
    --------
    >>> open_now = {"h1": 0.2, "h2": 0.1}
    >>> found = project("official", 0.85, date(2026, 12, 31), whole=7, failed=0,
    ...                 probabilities=open_now)
    >>> found.most, found.may_fail, round(found.probability, 2)
    (1, 1, 0.98)
    """
    if whole < failed + len(probabilities) or failed < 0:
        raise ValueError(f"{failed} failed and {len(probabilities)} open are more than {whole}.")
    calibration = calibrate(past)
    filled = _filled(probabilities, calibration, past)
    if whole == 0 or filled is None:
        return None
    later = distribution(np.array([*filled.values()]), calibration.sigma)
    ends = np.zeros(whole + 1)
    ends[failed : failed + len(later)] = later
    return Projection(
        reading=reading,
        target=target,
        until=until,
        whole=whole,
        failed=failed,
        probabilities=filled,
        without_own=tuple(sorted(name for name, p in probabilities.items() if np.isnan(p))),
        calibration=calibration,
        distribution=tuple(float(each) for each in ends),
        most=most_failing(whole, target),
    )


def most_failing(whole: int, target: float) -> int:
    """Return how many of all may fail while the share of the others is still the target.

    >>> most_failing(14, 0.85), most_failing(20, 0.85), most_failing(5, 0.6)
    (2, 3, 2)
    """
    return floor((1 - target) * whole + 1e-9)


def distribution(probabilities: Floats, sigma: float) -> Floats:
    """Return the probability of 0, 1, 2, ... failures, with one shock common to all.

    Exact for each node of the shock (convolution), 21-point Gauss-Hermite over the shock.
    """
    odds = _logit(probabilities) if len(probabilities) else np.empty(0)
    total = np.zeros(len(odds) + 1)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        counts = np.ones(1)
        for p in expit(odds + sigma * node):
            counts = np.convolve(counts, (1 - p, p))
        total += weight * counts
    return total


def calibrate(past: Sequence[PastYear]) -> Calibration:
    """Fit level and slope, then the common shock, to past years by maximum likelihood.

    Level and slope are held near 0 and 1 by normal priors, so that a handful of hotspots corrects
    a little and many correct fully. The shock is at least .35, and just that with fewer than three
    past years: these cannot tell a bad year from a wrong level.
    """
    years = {year.year: known for year in past if len((known := _outcomes(year))[0])}
    if not years:
        return Calibration()

    def loss(level: float, slope: float, sigma: float) -> float:
        held = (level / _LEVEL_SPREAD) ** 2 + ((slope - 1) / _SLOPE_SPREAD) ** 2
        fits = (_log_likelihood(*year, level, slope, sigma) for year in years.values())
        return float(held / 2 - sum(fits))

    bounds = [(-6.0, 6.0), (_LEAST_SLOPE, 3.0)]
    start = np.array([0.0, 1.0])
    level, slope = minimize(
        lambda x: loss(x[0], x[1], LEAST_SHOCK), start, method="L-BFGS-B", bounds=bounds
    ).x
    sigma = LEAST_SHOCK
    if len(years) >= _LEAST_YEARS:
        candidates = np.linspace(LEAST_SHOCK, MOST_SHOCK, 67)
        sigma = float(candidates[np.argmin([loss(level, slope, each) for each in candidates])])
    return Calibration(
        level=float(level),
        slope=float(slope),
        sigma=sigma,
        hotspots=sum(len(failed) for _, failed in years.values()),
        failed=int(sum(failed.sum() for _, failed in years.values())),
        years=tuple(sorted(years)),
    )


def _outcomes(year: PastYear) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return log odds and outcome of those hotspots of a past year that have a probability."""
    known = {name: p for name, p in year.probabilities.items() if not np.isnan(p)}
    return _logit(list(known.values())), np.array([name in year.failed for name in known], bool)


def _log_likelihood(
    odds: Floats, failed: npt.NDArray[np.bool_], level: float, slope: float, sigma: float
) -> float:
    """Return the log probability of one year's outcomes, the shock integrated out."""
    shocked = level + slope * odds + sigma * _NODES[:, None]
    signs = np.where(failed, 1.0, -1.0)
    by_node = -np.logaddexp(0, -signs * shocked).sum(axis=1)
    top = by_node.max()
    return float(top + np.log(np.dot(_WEIGHTS, np.exp(by_node - top))))


def _filled(
    probabilities: Mapping[str, float], calibration: Calibration, past: Sequence[PastYear]
) -> dict[str, float] | None:
    """Calibrate what is known, and put the past's share where nothing is."""
    names = list(probabilities)
    values = np.array([probabilities[name] for name in names], dtype=float)
    unknown = np.isnan(values)
    calibrated = np.where(unknown, np.nan, calibration.of(np.where(unknown, 0.5, values)))
    if unknown.any():
        seen = sum(len(year.probabilities) for year in past)
        if seen >= LEAST_PAST:
            failed = sum(len(year.failed & set(year.probabilities)) for year in past)
            calibrated[unknown] = (failed + 0.5) / (seen + 1)
        elif not unknown.all():
            calibrated[unknown] = calibrated[~unknown].mean()
        else:
            return None
    return dict(zip(names, map(float, calibrated), strict=True))


def _logit(probabilities: Sequence[float] | Floats) -> Floats:
    odds: Floats = logit(np.clip(np.asarray(probabilities, dtype=float), _SUREST, 1 - _SUREST))
    return odds
