"""Did it work: what was counted after a designation against what to expect without the programme.

Wards are designated because they were high, and what was high falls by itself. So the first answer
is `without_programme`: the level behind the noise on the day of designation, moved as the wards
that are not designated moved. The familiar comparisons of two periods stand beside it
(`wdd`, `wdq`, `rate_ratio`, `e_test`): none of them knows that the ward was chosen for being high,
and each raises false alarms where nothing was done; `placebo` measures how many.

`counts` is months x wards as in `levels`, but in incidents, not in severity points: what an officer
can count again by hand. A verdict is `fewer`, `more` or `cannot_tell`; `why` says which:

==================  ==============================================================================
below_band          fewer than the band that holds 90 % of what happens without the programme
above_band          more than that
within_band         inside: as many could well have come without the programme
interval_below      the interval of a difference or ratio lies wholly on the side of a fall
interval_above      wholly on the side of a rise
interval_holds_none it holds "no difference"
too_few             fewer hotspots than a test across them needs
==================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import exp, log, sqrt
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import gamma, nbinom, norm, poisson, poisson_means_test, t

from hotspots.errors import CannotMeasure
from hotspots.measures.levels import (
    FilteredLevel,
    Floats,
    city_total,
    filtered_level,
    known_months,
    season_and_drift,
)
from hotspots.programme.months import Month, last_complete_month
from hotspots.programme.plan import RelapseRule

CONFIDENCE: Final = 0.90
"""Of every band and interval here: one in twenty lies below by chance, one in twenty above."""

MOST_MONTHS: Final = 12
"""The effect is read over the first year after the month of designation."""

LEAST_MONTHS_AFTER: Final = 3
LEAST_CONTROLS: Final = 10
"""Fewer wards without designation than this cannot speak for the city."""

LEAST_HOTSPOTS: Final = 3
"""A test across hotspots needs at least so many."""

SIMILAR: Final = 5
"""Wards of like size that one hotspot is compared with."""

_ALIKE: Final = 1.5
_OWN_COURSE: Final = 3.0  # standard errors from the trend of the others
_ROUNDS: Final = 2  # the trend without such wards shows the next ones

Verdict = Literal["fewer", "more", "cannot_tell"]
Pair = tuple[float, float]
Booleans = npt.NDArray[np.bool_]


# -- observed against expected


@dataclass(frozen=True)
class Expected:
    """What every ward was to expect after a day if nothing were done, and what was counted.

    Attributes
    ----------
    months : tuple of Month
        The months compared, in order, after the month of the day.
    until : Month
        The last month that the level was read from.
    level : pd.Series
        Incidents a month at that time, behind noise and season, by ward.
    expected, observed : pd.DataFrame
        Months x wards; NaN from a ward's first unknown month on.
    variance : pd.DataFrame
        Of the cumulated observed count around the cumulated expected one, months x wards.
    trend : pd.Series
        Incidents of the wards without designation, over their level then, by month.
    controls : int
        How many wards that is, in the month with the fewest.
    phi : float
        Variance of a month's count over its mean.
    """

    months: tuple[Month, ...]
    until: Month
    level: pd.Series[float]
    expected: pd.DataFrame
    observed: pd.DataFrame
    variance: pd.DataFrame
    trend: pd.Series[float]
    controls: int
    phi: float

    def months_of(self, ward: str) -> int:
        """Return how many months of a ward can be compared."""
        return int(self.observed[ward].notna().sum()) if ward in self.observed else 0


@dataclass(frozen=True)
class Outcome:
    """One ward's count against what to expect without the programme.

    Attributes
    ----------
    low, high : float
        The band: 90 % of such periods without the programme end within it, its ends included.
    chance : float
        Share of such periods without the programme that end with as few as observed.
    verdict : str
        `fewer`, `more` or `cannot_tell`.
    why : str
        See the module.
    course : pd.DataFrame
        Cumulated by month (`pd.PeriodIndex`): `observed`, `expected`, `low`, `high`.
    """

    observed: float
    expected: float
    low: float
    high: float
    chance: float
    verdict: Verdict
    why: str
    course: pd.DataFrame

    @property
    def months(self) -> int:
        """How many months were compared."""
        return len(self.course)

    @property
    def least_visible(self) -> float:
        """The share by which the count must fall below the expected to leave the band."""
        return 1 - self.low / self.expected if self.expected > 0 else float("nan")


def without_programme(
    counts: pd.DataFrame,
    designated_from: Mapping[str, Month],
    *,
    since: date,
    as_of: date,
    most_months: int = MOST_MONTHS,
) -> Expected:
    r"""Return what every ward was to expect after a day without the programme.

    The level L and its variance P are those of the local-level filter (`levels.filtered_level`)
    over the months complete on the day. A month t after it is expected to bring L R(t), with R(t)
    the count of the wards without designation over the sum of their levels: season and trend as
    they came. A ward serves for R(t) until the month of its own designation, never for itself, and
    not at all if it went more than three standard errors from the others.

    The variance of the sum of the first n months around its expectation m is, after
    phi m + 144 P g^2 + 4 sigma^2 m^2 for a whole year,

    .. math:: \phi m + P \Bigl(\sum R_t\Bigr)^2
       + \sigma^2 L^2 \sum_i \sum_j R_i R_j \min(i, j) + V

    of noise, level, the ward's own drift since (4.5 sigma^2 m^2 after twelve months: the mean of a
    random walk) and V, the same three of the wards compared with, which are many.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards, incidents; months after `as_of` are not looked at.
    designated_from : Mapping of str to Month
        The month of each ward's first designation, of all that ever had one.
    since : date
        The day of designation. Its own month is on neither side, unless it is the last day.
    as_of : date
        The day asked about.
    most_months : int
        Compare at most so many months.

    Raises
    ------
    CannotMeasure
        `before_too_short` (months, needed), `counts_too_old` (see `levels.known_months`),
        `too_early` (months, needed) or `too_few_to_compare` (wards, needed).

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({str(ward): [10, 12] * 12 for ward in range(12)}, index=months)
    >>> counts.loc["2025-01":, "0"] = 5
    >>> expected = without_programme(
    ...     counts, {"0": Month(2024, 12)}, since=date(2024, 12, 31), as_of=date(2025, 12, 31)
    ... )
    >>> found = outcome(expected, "0")
    >>> found.observed, round(found.expected), found.verdict
    (60.0, 132, 'fewer')
    """
    first = Month.of(since) + 1
    months = [first + k for k in range(most_months) if first + k <= last_complete_month(as_of)]
    after = counts.reindex(_periods(months)).astype(float)
    after = after.loc[: after.last_valid_index()] if after.notna().to_numpy().any() else after[:0]
    _refuse_too_early(len(after))
    before = _known_before(counts, since)
    filtered = filtered_level(before, season_and_drift(city_total(before)))
    return _expected(after[before.columns], filtered, _month(before.index[-1]), designated_from)


def outcome(expected: Expected, ward: str, confidence: float = CONFIDENCE) -> Outcome:
    """Judge one ward by the whole of its comparable months.

    The band is of a negative binomial with the mean and variance of `Expected`: counts cannot fall
    below zero, and in a small ward a normal band would.

    Raises
    ------
    CannotMeasure
        `ward_not_comparable` (ward) or `too_early` (months, needed).
    """
    if ward not in expected.observed:
        raise CannotMeasure(
            "ward_not_comparable",
            f"The counts of ward {ward} before its designation are not known for long enough.",
            ward=ward,
        )
    _refuse_too_early(expected.months_of(ward))
    course = _course(expected, ward, confidence)
    last = course.iloc[-1]
    observed, low, high = (float(last[name]) for name in ("observed", "low", "high"))
    mean, variance = float(last["expected"]), float(expected.variance[ward].dropna().iloc[-1])
    verdict, why = _judged(observed < low, observed > high, "band")
    chance = float(_at_most(np.array([observed]), np.array([mean]), np.array([variance]))[0])
    return Outcome(observed, mean, low, high, chance, verdict, why, course)


def similar_wards(
    expected: Expected,
    ward: str,
    candidates: Collection[str],
    count: int = SIMILAR,
) -> tuple[str, ...]:
    """Return the candidates whose level is nearest to a ward's, by ratio; the nearest first.

    Only wards that are known in every month in which the ward is.
    """
    return tuple(_apart(expected, ward, candidates).index[:count])


def alike_wards(expected: Expected, ward: str, candidates: Collection[str]) -> tuple[str, ...]:
    """Return all candidates within half as much again of a ward's level; the nearest `SIMILAR` if
    these are more.

    For a test across hotspots. The nearest few will not do there: beside wards that were chosen for
    being high, those of the same level that were not chosen are just now above their own by chance,
    and fall (with the five nearest, 29 % of made-up programmes were found to have done harm).
    """
    apart = _apart(expected, ward, candidates)
    return tuple(apart.index[: max(int((apart <= log(_ALIKE)).sum()), SIMILAR)])


def _apart(expected: Expected, ward: str, candidates: Collection[str]) -> pd.Series[float]:
    """Return by how much the log level of the usable candidates differs, the nearest first."""
    needed = expected.observed[ward].notna().to_numpy()
    known = expected.observed.columns[expected.observed.to_numpy()[needed].min(axis=0) >= 0]
    usable = sorted((set(candidates) & set(map(str, known))) - {ward})
    size = np.log(expected.level.clip(lower=0) + 0.5)
    return pd.Series((size[usable] - size[ward]).abs().sort_values(kind="stable"))


# -- the programme as a whole


@dataclass(frozen=True)
class Portfolio:
    """All hotspots together: how much fewer than expected, against wards where nothing was done.

    Attributes
    ----------
    change : float or None
        Geometric mean over the hotspots of observed / expected, over the same of the wards
        compared with, minus 1: -.1 is a tenth fewer. None when it cannot be measured.
    low, high : float or None
        Its interval.
    p : float or None
        Welch's test, two-sided.
    hotspots, compared : int
    """

    change: float | None
    low: float | None
    high: float | None
    p: float | None
    hotspots: int
    compared: int
    verdict: Verdict
    why: str


def log_residual(expected: Expected, wards: Sequence[str]) -> pd.Series[float]:
    """Return log((observed + .5) / (expected + .5)) of wards over their comparable months."""
    observed = expected.observed[list(wards)].sum()
    mean = expected.expected[list(wards)].sum()
    return pd.Series(np.log((observed + 0.5) / (mean + 0.5)))


def portfolio(
    designated: Sequence[float], compared: Sequence[float], confidence: float = CONFIDENCE
) -> Portfolio:
    """Test the log residuals of all hotspots against those of similar wards, nothing done there.

    Welch (1947), Biometrika 34, 28-35: means of groups with different variances, two-sided. What
    the expectation gets wrong for all wards of that size is in both groups and drops out.

    Parameters
    ----------
    designated, compared : sequence of float
        From `log_residual`.

    Examples
    --------
    >>> portfolio([-0.3, -0.2, -0.25, -0.15], [0.1, -0.1, 0.0, 0.05, -0.05]).verdict
    'fewer'
    """
    ours, others = np.asarray(designated, dtype=float), np.asarray(compared, dtype=float)
    if min(len(ours), len(others)) < LEAST_HOTSPOTS:
        return Portfolio(None, None, None, None, len(ours), len(others), "cannot_tell", "too_few")
    difference = float(ours.mean() - others.mean())
    parts = np.array([each.var(ddof=1) / len(each) for each in (ours, others)])
    error = sqrt(max(float(parts.sum()), 1e-12))
    freedom = max(
        float(parts.sum()) ** 2
        / max(float((parts**2 / [len(ours) - 1, len(others) - 1]).sum()), 1e-300),
        1.0,
    )
    half = float(t.ppf(0.5 + confidence / 2, freedom)) * error
    low, high = difference - half, difference + half
    verdict, why = _judged(high < 0, low > 0, "interval")
    p = float(2 * t.sf(abs(difference) / error, freedom))
    return Portfolio(
        exp(difference) - 1, exp(low) - 1, exp(high) - 1, p, len(ours), len(others), verdict, why
    )


# -- the familiar comparisons of two periods


@dataclass(frozen=True)
class Difference:
    """A weighted displacement difference: negative is fewer.

    Attributes
    ----------
    local : float
        Change in the treated area beyond that of its control.
    displacement : float
        Change around it beyond that of its control; positive speaks for displacement.
    estimate : float
        Both together.
    error : float
        Standard error of `estimate`.
    """

    local: float
    displacement: float
    estimate: float
    error: float
    low: float
    high: float
    verdict: Verdict
    why: str

    @property
    def z(self) -> float:
        """The estimate in standard errors; 0 when nothing was counted at all."""
        return self.estimate / self.error if self.error > 0 else 0.0


def wdd(
    control: Pair,
    treated: Pair,
    displacement_control: Pair = (0, 0),
    displacement_treated: Pair = (0, 0),
    *,
    times: Pair = (1, 1),
    areas: tuple[float, float, float, float] = (1, 1, 1, 1),
    phi: float = 1.0,
    confidence: float = CONFIDENCE,
) -> Difference:
    """Return the weighted displacement difference of counts before and after.

    Wheeler and Ratcliffe (2018), Crime Science 7:11: WDD = dT - dC + dTd - dCd, and for Poisson
    counts its variance is the sum of all eight. With weights (Wheeler 2021, R package ptools) every
    count is divided by that of its period and its area, its variance by their square.

    It does not know that the treated area was chosen for being high: regression to the mean is in
    it.

    Parameters
    ----------
    control, treated, displacement_control, displacement_treated : (before, after)
        Counts.
    times : (before, after)
        Lengths of the two periods.
    areas : tuple of float
        Sizes in the order of the counts (or how many wards each sums).
    phi : float
        Variance of a count over its mean; 1 is Poisson, and real counts vary more.

    Examples
    --------
    >>> found = wdd((130, 150), (120, 100))
    >>> found.estimate, round(found.error, 1), round(found.low, 1), round(found.high, 1)
    (-40.0, 22.4, -76.8, -3.2)
    """
    counts = np.array([control, treated, displacement_control, displacement_treated], dtype=float)
    weights = np.asarray(areas, dtype=float)[:, None] * np.asarray(times, dtype=float)
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise ValueError("counts are 0 or more, every one known.")
    if not (weights > 0).all() or not phi > 0:
        raise ValueError("periods, areas and phi are greater than 0.")
    changes = (counts / weights) @ [-1, 1]
    local, around = float(changes[1] - changes[0]), float(changes[3] - changes[2])
    error = sqrt(phi * float((counts / weights**2).sum()))
    return _difference(local, around, error, confidence)


def harm_weighted(
    differences: Sequence[Difference],
    weights: Sequence[float],
    confidence: float = CONFIDENCE,
) -> Difference:
    """Add the differences of several categories, each times its harm.

    Estimates add with the weight, variances with its square (ptools, `wdd_harm`): categories are
    taken as independent.
    """
    found = list(zip(weights, differences, strict=True))
    error = sqrt(sum((weight * each.error) ** 2 for weight, each in found))
    local = sum(weight * each.local for weight, each in found)
    around = sum(weight * each.displacement for weight, each in found)
    return _difference(local, around, error, confidence)


@dataclass(frozen=True)
class Quotient:
    """A weighted displacement quotient, or why there is none.

    Attributes
    ----------
    value : float or None
        Below -1 displacement larger than the fall, to 0 smaller, above 0 benefits spread.
    why : str
        `valid`; `nothing_counted` (a control without incidents, or none before), `no_fall` (the
        treated area did not fall against its control) or `fall_not_clear` (it did, within chance).
    """

    value: float | None
    why: str


def wdq(
    treated: Pair,
    buffer: Pair,
    control: Pair,
    *,
    phi: float = 1.0,
    confidence: float = CONFIDENCE,
) -> Quotient:
    """Return the weighted displacement quotient, where it may be read.

    Bowers and Johnson (2003), J. Quant. Criminol. 19, 275-301: change of buffer / control over
    change of treated / control. It is defined only where the treated area fell against its control.
    A fall within chance in the denominator makes any number of it, so here the fall must be clear.

    Examples
    --------
    >>> round(wdq((100, 50), (80, 90), (200, 200)).value, 2)
    -0.2
    >>> wdq((100, 110), (80, 90), (200, 200)).why
    'no_fall'
    """
    if min(control) <= 0 or treated[0] <= 0:
        return Quotient(None, "nothing_counted")
    success = treated[1] / control[1] - treated[0] / control[0]
    if success >= 0:
        return Quotient(None, "no_fall")
    if rate_ratio(treated, control, phi=phi, confidence=confidence).verdict != "fewer":
        return Quotient(None, "fall_not_clear")
    return Quotient((buffer[1] / control[1] - buffer[0] / control[0]) / success, "valid")


@dataclass(frozen=True)
class RateRatio:
    """A relative incidence-rate ratio: .8 is a fifth fewer than the control would have it."""

    log_ratio: float
    error: float
    ratio: float
    low: float
    high: float
    verdict: Verdict
    why: str


def rate_ratio(
    treated: Pair, control: Pair, *, phi: float = 1.0, confidence: float = CONFIDENCE
) -> RateRatio:
    """Return the relative incidence-rate ratio of counts before and after.

    Wilson (2022), J. Quant. Criminol. 38, 323-341: ln(T1/T0) - ln(C1/C0), variance phi (1/T0 + 1/T1
    + 1/C0 + 1/C1). Where one of the four is 0, half an incident is added to each. It too holds
    regression to the mean.

    Examples
    --------
    >>> found = rate_ratio((100, 80), (200, 200))
    >>> round(found.ratio, 2), found.why
    (0.8, 'interval_holds_none')
    """
    counts = np.array([*treated, *control], dtype=float)
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise ValueError("counts are 0 or more, every one known.")
    counts += 0.5 if (counts == 0).any() else 0.0
    estimate = float(np.log(counts) @ [-1, 1, 1, -1])
    error = sqrt(phi * float((1 / counts).sum()))
    half = float(norm.ppf(0.5 + confidence / 2)) * error
    verdict, why = _judged(estimate + half < 0, estimate - half > 0, "interval")
    return RateRatio(
        estimate, error, exp(estimate), exp(estimate - half), exp(estimate + half), verdict, why
    )


def e_test(first: float, second: float, exposures: Pair = (1, 1)) -> float:
    """Return the p-value of the E-test that two Poisson means are equal, two-sided.

    Krishnamoorthy and Thomson (2004), J. Stat. Plan. Inference 119, 23-35 (as in
    `scipy.stats.poisson_means_test`). Counts carried in part are rounded.

    Examples
    --------
    >>> round(e_test(6, 2), 4)
    0.1749
    """
    counts = round(first), round(second)
    if counts == (0, 0):
        return 1.0
    found = poisson_means_test(
        counts[0], exposures[0], counts[1], exposures[1], alternative="two-sided"
    )
    return float(found.pvalue)


# -- how safely below the threshold


def safety_margin(
    index: pd.DataFrame, rule: RelapseRule, *, as_of: date, unit: float = 1.0
) -> pd.DataFrame:
    """Return how sure it is that each ward's true level lies below the relapse threshold.

    The level is the filtered one times the months of the rule's window, gamma around it; the
    threshold is the rule's of the day: fixed, or the quantile of all wards' last windows.

    Parameters
    ----------
    index : pd.DataFrame
        Months x wards, severity-weighted, as the rule has it.
    unit : float
        `levels.effective_unit`.

    Returns
    -------
    pd.DataFrame
        By ward: `window` (counted in the last window), `level` (behind the noise, of a window),
        `threshold`, `margin` (1 - window / threshold) and `below` (probability).

    Raises
    ------
    CannotMeasure
        See `levels.known_months`; `no_threshold_in_rule` for a rule of growth.
    """
    if not rule.has_threshold:
        raise CannotMeasure(
            "no_threshold_in_rule",
            "The programme's relapse rule compares quarters with the transformed year and has no "
            "threshold, so there is no margin to it.",
        )
    known = known_months(index, as_of)
    filtered = filtered_level(known, season_and_drift(city_total(known)), unit=unit)
    recent = known.iloc[-rule.window_months :]
    window = recent.sum() * (rule.window_months / recent.count())
    threshold = (
        rule.threshold if rule.quantile is None else float(np.quantile(window, rule.quantile))
    )
    level = filtered.level * rule.window_months
    variance = (filtered.variance * rule.window_months**2).clip(lower=1e-9)
    shape = (level.clip(lower=1e-9) ** 2 / variance).to_numpy()
    below = gamma.cdf(threshold, shape, scale=(level.clip(lower=1e-9) / shape).to_numpy())
    return pd.DataFrame(
        {
            "window": window,
            "level": level,
            "threshold": threshold,
            "margin": 1 - window / threshold if threshold else np.nan,
            "below": below,
        }
    )


# -- how often it is wrong where nothing was done


def placebo(
    counts: pd.DataFrame,
    designated_from: Mapping[str, Month],
    *,
    as_of: date,
    share: float = 0.1,
    every: int = 3,
    history: int = 24,
) -> pd.DataFrame:
    """Designate in retrospect, where nothing was done, and return what each method would say.

    At every origin that leaves `history` months before and a year after it, the `share` of wards
    with most incidents in twelve months is taken as designated, as a programme would. Wards that
    really were designated by the end of that year are left out. Whatever is found there is a false
    alarm.

    Returns
    -------
    pd.DataFrame
        One row a made-up designation: `origin` (text, 2025-10), `ward`, `before`, `observed`,
        `expected`; the verdicts `band` (observed against expected), `before_after` (E-test of two
        years), `wdd` (Poisson error) and `wdd_phi` (inflated), both against the mean of the
        `SIMILAR` wards nearest in level; `chance` (see `Outcome`), and `residual` and `compared`
        (the log residual of the ward, and by code those of `alike_wards`).
    """
    last = min(last_complete_month(as_of), _month(counts.index[-1]))
    start = _month(counts.index[0]) + (history - 1)
    origins = [start + k for k in range(0, last - start - MOST_MONTHS + 1, every)]
    rows = [row for origin in origins for row in _made_up(counts, designated_from, origin, share)]
    return pd.DataFrame(rows)


def _made_up(
    counts: pd.DataFrame, designated_from: Mapping[str, Month], origin: Month, share: float
) -> list[dict[str, object]]:
    end = origin + MOST_MONTHS
    span = counts.loc[_period(origin + (1 - MOST_MONTHS)) : _period(end)]
    known = map(str, span.columns[span.notna().all()])
    clean = [ward for ward in known if designated_from.get(ward, end + 1) > end]
    past = span.loc[: _period(origin), clean].sum()
    chosen = (
        past.sort_values(ascending=False, kind="stable")
        .index[: round(share * len(clean))]
        .astype(str)
    )
    made_up = dict(designated_from) | dict.fromkeys(chosen, origin)
    expected = without_programme(counts, made_up, since=origin.last_day, as_of=end.last_day)
    others = set(clean) - set(chosen)
    rows = []
    for ward in chosen:
        found = outcome(expected, ward)
        similar = similar_wards(expected, ward, others)
        treated = (float(past[ward]), found.observed)
        later = expected.observed[list(similar)].sum().sum()
        control = (float(past[list(similar)].sum()), float(later))
        areas = (len(similar), 1, 1, 1)
        fewer = treated[1] < treated[0]
        alarm = e_test(*treated) < 1 - CONFIDENCE
        rows.append(
            {
                "origin": str(origin),
                "ward": ward,
                "before": treated[0],
                "observed": found.observed,
                "expected": found.expected,
                "band": found.verdict,
                "before_after": ("fewer" if fewer else "more") if alarm else "cannot_tell",
                "wdd": wdd(control, treated, areas=areas).verdict,
                "wdd_phi": wdd(control, treated, areas=areas, phi=expected.phi).verdict,
                "chance": found.chance,
                "residual": float(log_residual(expected, [ward]).iloc[0]),
                "compared": log_residual(expected, alike_wards(expected, ward, others)).to_dict(),
            }
        )
    return rows


# -- the details


def _expected(
    after: pd.DataFrame,
    filtered: FilteredLevel,
    until: Month,
    designated_from: Mapping[str, Month],
) -> Expected:
    # A ward's months count up to its first unknown one.
    observed = after.where(after.notna().cumprod().astype(bool))
    ages = np.array([_month(period) - until for period in after.index], dtype=float)
    counted, known = observed.to_numpy(), observed.notna().to_numpy()
    serving = _serving(observed, designated_from)
    for _ in range(_ROUNDS):
        mean, variance, trend = _moments(counted, serving, filtered, ages)
        serving = serving & ~_of_their_own(counted, serving, mean, variance)
    mean, variance, trend = _moments(counted, serving, filtered, ages)
    index, wards = observed.index, observed.columns
    return Expected(
        months=tuple(_month(period) for period in index),
        until=until,
        level=filtered.level,
        expected=pd.DataFrame(np.where(known, mean, np.nan), index=index, columns=wards),
        observed=observed,
        variance=pd.DataFrame(np.where(known, variance, np.nan), index=index, columns=wards),
        trend=pd.Series(trend, index=index),
        controls=int(serving.sum(axis=1).min()),
        phi=filtered.phi,
    )


def _moments(
    counted: Floats, serving: Booleans, filtered: FilteredLevel, ages: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the expected counts, the variance of their sums (months x wards), and the trend."""
    level, spread = filtered.level.to_numpy(), filtered.variance.to_numpy()
    theirs, levels = np.where(serving, counted, 0.0), np.where(serving, level, 0.0)
    total = levels.sum(axis=1, keepdims=True)
    _refuse_too_few(serving, levels)
    others = total - levels  # a ward does not serve for itself
    ratio = (theirs.sum(axis=1, keepdims=True) - theirs) / others
    mean = ratio * level
    # What the others' own noise, level and drift add, by their shares of the level.
    many = float(((levels / total) ** 2).sum(axis=1).mean())
    unsure = float((np.where(serving, spread, 0.0).sum(axis=1) / total[:, 0] ** 2).mean())
    variance = (
        filtered.phi * (mean + ratio * level**2 / others).cumsum(axis=0)
        + (spread + unsure * level**2) * ratio.cumsum(axis=0) ** 2
        + (1 + many) * filtered.drift_variance * _walk(ratio, ages) * level**2
    )
    return mean, variance, theirs.sum(axis=1) / total[:, 0]


def _of_their_own(counted: Floats, serving: Booleans, mean: Floats, variance: Floats) -> Booleans:
    """Tell which wards went so far from the others that they do not speak for the city.

    Wards often rise before they are designated, and where works or a market close they fall: a few
    such wards, if they are large, would be taken for the trend of all.
    """
    months = serving.sum(axis=0)
    apart = np.where(serving, counted - mean, 0.0).sum(axis=0)
    error = np.sqrt(variance[np.maximum(months - 1, 0), np.arange(len(months))])
    own: Booleans = (months > 0) & (np.abs(apart) > _OWN_COURSE * error)
    return own


def _walk(ratio: Floats, ages: Floats) -> Floats:
    """Return sum_i sum_j R_i R_j min(age_i, age_j) up to every month: months x wards."""
    shared = np.minimum.outer(ages, ages)
    sums: Floats = np.array(
        [
            np.einsum("iw,ij,jw->w", ratio[:n], shared[:n, :n], ratio[:n])
            for n in range(1, len(ages) + 1)
        ]
    )
    return sums


def _serving(observed: pd.DataFrame, designated_from: Mapping[str, Month]) -> Booleans:
    """Tell in which months each ward stands for the city: known, and not designated by then."""
    serves = observed.notna()
    for ward, month in designated_from.items():
        if ward in serves:
            serves.loc[serves.index >= _period(month), ward] = False
    return serves.to_numpy()


def _course(expected: Expected, ward: str, confidence: float) -> pd.DataFrame:
    observed = expected.observed[ward].dropna().cumsum()
    mean = expected.expected[ward].dropna().cumsum()
    variance = expected.variance[ward].dropna().to_numpy()
    low, high = _band(mean.to_numpy(), variance, confidence)
    return pd.DataFrame({"observed": observed, "expected": mean, "low": low, "high": high})


def _band(mean: Floats, variance: Floats, confidence: float) -> tuple[Floats, Floats]:
    tail = (1 - confidence) / 2
    ends = []
    for q in (tail, 1 - tail):
        size, p = _negative_binomial(mean, variance)
        ends.append(np.where(variance > mean, nbinom.ppf(q, size, p), poisson.ppf(q, mean)))
    return ends[0], ends[1]


def _at_most(counted: Floats, mean: Floats, variance: Floats) -> Floats:
    size, p = _negative_binomial(mean, variance)
    found: Floats = np.where(
        variance > mean, nbinom.cdf(counted, size, p), poisson.cdf(counted, mean)
    )
    return found


def _negative_binomial(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    safe = np.maximum(mean, 1e-9)
    over = np.maximum(variance, safe * (1 + 1e-9))
    return safe**2 / (over - safe), safe / over


def _difference(local: float, around: float, error: float, confidence: float) -> Difference:
    estimate = local + around
    half = float(norm.ppf(0.5 + confidence / 2)) * error
    low, high = estimate - half, estimate + half
    verdict, why = _judged(high < 0, low > 0, "interval")
    return Difference(local, around, estimate, error, low, high, verdict, why)


def _judged(below: bool, above: bool, of: Literal["band", "interval"]) -> tuple[Verdict, str]:
    if below:
        return "fewer", "below_band" if of == "band" else "interval_below"
    if above:
        return "more", "above_band" if of == "band" else "interval_above"
    return "cannot_tell", "within_band" if of == "band" else "interval_holds_none"


def _known_before(counts: pd.DataFrame, since: date) -> pd.DataFrame:
    try:
        return known_months(counts, since)
    except CannotMeasure as error:
        if error.reason != "history_too_short":
            raise
        raise CannotMeasure(
            "before_too_short",
            f"Only {error.facts['months']} months of counts without a break are known before "
            f"{since}; at least {error.facts['needed']} are needed.",
            months=error.facts["months"],
            needed=error.facts["needed"],
        ) from error


def _refuse_too_early(months: int) -> None:
    if months < LEAST_MONTHS_AFTER:
        raise CannotMeasure(
            "too_early",
            f"{months} months are known since the month of designation; at least "
            f"{LEAST_MONTHS_AFTER} are needed to say anything.",
            months=months,
            needed=LEAST_MONTHS_AFTER,
        )


def _refuse_too_few(serving: Booleans, levels: Floats) -> None:
    fewest = int(serving.sum(axis=1).min())
    if fewest < LEAST_CONTROLS or not (levels.sum(axis=1) > levels.max(axis=1)).all():
        raise CannotMeasure(
            "too_few_to_compare",
            f"Only {fewest} wards without designation have counts of the same months; at least "
            f"{LEAST_CONTROLS} are needed to know the city's trend.",
            wards=fewest,
            needed=LEAST_CONTROLS,
        )


def _month(period: pd.Period) -> Month:
    return Month(period.year, period.month)


def _period(month: Month) -> pd.Period:
    return pd.Period(str(month), freq="M")


def _periods(months: Sequence[Month]) -> pd.PeriodIndex:
    return pd.PeriodIndex([str(month) for month in months], freq="M")
