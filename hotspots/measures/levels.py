"""What a ward's level is today, behind the noise and the season of its monthly index.

`counts` is everywhere the same table: one row per month (`pd.PeriodIndex`, frequency M, no gap),
one column per ward (code as text), values the severity-weighted index of the month (0 or more; a
sum of weights and of counts carried from earlier wards, so not always whole), NaN where it is not
known. A zero is a true zero. `known_months` keeps of every ward the months that nothing unknown
follows; the other functions take a table in which NaN stands only above a ward's first known month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import PoissonRegressor

from hotspots.errors import CannotMeasure
from hotspots.programme.months import Month, last_complete_month

Floats = npt.NDArray[np.float64]

LEAST_MONTHS: Final = 6
"""Below this many known months no level is given at all."""

SEASON_MONTHS: Final = 24
"""Below this many months a season cannot be told from a trend, and none is estimated."""

MOST_MONTHS_LATE: Final = 3
"""Counts that end longer before the day than this are too old to speak about it."""

_SHRINK_YEARS: Final = 1.0  # the season is shrunk as if one year without season had been seen too
_USUAL_DRIFT_VARIANCE: Final = 0.002  # per month, log scale: one sd is about 15 % a year
_LEAST_DRIFT_VARIANCE: Final = 0.0005
_MOST_DRIFT_VARIANCE: Final = 0.02
_LEAST_WARDS: Final = 20  # to estimate it from

_TET: Final = {
    date(2015, 2, 19), date(2016, 2, 8), date(2017, 1, 28), date(2018, 2, 16), date(2019, 2, 5),
    date(2020, 1, 25), date(2021, 2, 12), date(2022, 2, 1), date(2023, 1, 22), date(2024, 2, 10),
    date(2025, 1, 29), date(2026, 2, 17), date(2027, 2, 6), date(2028, 1, 26), date(2029, 2, 13),
    date(2030, 2, 2), date(2031, 1, 23), date(2032, 2, 11), date(2033, 1, 31), date(2034, 2, 19),
    date(2035, 2, 8),
}  # fmt: skip
"""Lunar new year's day in Vietnam (UTC+7; in 2030 a day before China's). Outside: not known."""

TET_MONTHS: Final = frozenset(Month.of(day) for day in _TET)


@dataclass(frozen=True)
class Season:
    """The city's year: what a month is expected to be against an average one.

    Attributes
    ----------
    factors : tuple of float
        Twelve factors, January first, mean 1.
    tet : float
        Extra factor of the month in which lunar new year's day falls (January or February).
    drift : float
        Change of the city's total per month, as a logarithm.
    seasonal : bool
        False when there were too few months to estimate anything: all factors 1 and drift 0.
    """

    factors: tuple[float, ...]
    tet: float
    drift: float
    seasonal: bool

    def factor(self, month: Month) -> float:
        """Return the factor of any month, past or future.

        >>> Season((1.0,) * 12, tet=0.5, drift=0.0, seasonal=True).factor(Month(2026, 2))
        0.5
        """
        tet = self.tet if month in TET_MONTHS else 1.0
        return self.factors[month.month - 1] * tet

    def factors_of(self, months: pd.PeriodIndex) -> Floats:
        """Return the factors of a row of months, in their order."""
        return np.array([self.factor(Month(each.year, each.month)) for each in months])


@dataclass(frozen=True)
class FilteredLevel:
    """The level of every ward at the end of the counts.

    Attributes
    ----------
    level : pd.Series
        De-seasonalised index per month, by ward code.
    variance : pd.Series
        Variance of that level, by ward code.
    phi : float
        Variance of a month's index over its mean, pooled over wards.
    drift_variance : float
        Variance of a ward's own log change per month, over and above the city's drift.
    """

    level: pd.Series[float]
    variance: pd.Series[float]
    phi: float
    drift_variance: float


def known_months(counts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return what is known without a break up to a day, or say why it does not suffice.

    Of each ward that is its last run of known months, up to the last month that anybody knows;
    wards that are unknown in that month, or have fewer than `LEAST_MONTHS` in the run, are left
    out. Rows at the end that nobody knows are as good as not there: the counts are late.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards, see the module.
    as_of : date
        The day; its own month counts only if this is its last day.

    Returns
    -------
    pd.DataFrame
        Months x wards, NaN only above a ward's first known month; the first row is that of the
        ward with the longest run.

    Raises
    ------
    CannotMeasure
        `history_too_short` (months: the longest run of any ward, needed) or `counts_too_old`
        (last, expected, months_late, allowed).
    ValueError
        If a month has no row or a value is negative or infinite.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=9, freq="M")
    >>> counts = pd.DataFrame({"26734": range(9)}, index=months)
    >>> len(known_months(counts, date(2025, 7, 30)))
    6
    >>> counts["26737"], counts["26740"] = [5, np.nan, 4, 4, 4, 4, 4, 4, 4], [1] * 8 + [np.nan]
    >>> known_months(counts, date(2025, 9, 30)).count().to_dict()
    {'26734': 9, '26737': 7}
    """
    _check(counts)
    end = last_complete_month(as_of)
    known = _last_runs(counts.loc[counts.index <= _period(end)].astype(float))
    if len(known) < LEAST_MONTHS:
        raise CannotMeasure(
            "history_too_short",
            f"{len(known)} months of counts without a break are known on {as_of}; at least "
            f"{LEAST_MONTHS} are needed. Import the earlier months.",
            months=len(known),
            needed=LEAST_MONTHS,
        )
    last = Month(known.index[-1].year, known.index[-1].month)
    if end - last > MOST_MONTHS_LATE:
        raise CannotMeasure(
            "counts_too_old",
            f"The counts end with {last}, {end - last} months before {end}; at most "
            f"{MOST_MONTHS_LATE} are allowed. Import the months since.",
            last=str(last),
            expected=str(end),
            months_late=end - last,
            allowed=MOST_MONTHS_LATE,
        )
    return known.loc[:, known.count() >= LEAST_MONTHS]


def common_span(known: pd.DataFrame) -> pd.DataFrame:
    """Return the wards and months that speak for the city: a table in which nothing is missing.

    The longest span of months whose every row is known of wards that hold at least half of the
    city's last 12 months (a shorter history scaled up to a year), and those wards. So months that
    all wards know, if the ones with a long history hold less than half.

    A ward whose counts begin later must not look like growth, so the wards are the same in every
    row; nothing is filled in, because that would suppose the very season and drift that are asked
    for. Long, because the season needs years; half, because fewer would let the smaller part of
    the city speak for the larger.

    Parameters
    ----------
    known : pd.DataFrame
        From `known_months`.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=8, freq="M")
    >>> counts = pd.DataFrame({"old": 5.0, "new": [np.nan] * 2 + [4.0] * 6}, index=months)
    >>> common_span(counts).shape, common_span(counts.assign(new=counts["new"] * 2)).shape
    ((8, 1), (6, 2))
    """
    first = _first_known(known.to_numpy(float))
    recent = known.iloc[-12:].mean().to_numpy(float)
    start = next(row for row in np.unique(first) if recent[first <= row].sum() >= recent.sum() / 2)
    span: pd.DataFrame = known.loc[:, first <= start].iloc[start:]
    return span


def city_total(known: pd.DataFrame) -> pd.Series[float]:
    """Return the city's index by month as its season and drift are read from it.

    Not the sum of all wards, if some are known for longer than others: see `common_span`.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=8, freq="M")
    >>> counts = pd.DataFrame({"old": 5.0, "new": [np.nan] * 2 + [4.0] * 6}, index=months)
    >>> city_total(counts).to_list()
    [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    """
    return common_span(known).sum(axis=1)


def effective_unit(counts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the size g of one incident in the index, as far as its noise is concerned.

    The index is a sum of weights, so it is noisier than a count with the same mean. It is taken as
    g times a count, with g = sum(w^2 n) / sum(w n): the mean and the variance of a weighted sum of
    independent Poisson counts are those of g times one Poisson count (compound Poisson, matched in
    its first two moments).

    Parameters
    ----------
    counts : Mapping[str, float]
        Incidents by category, n.
    weights : Mapping[str, float]
        Severity by category, w; every category of `counts` must have one.

    Returns
    -------
    float
        1 when there are no incidents at all.

    Examples
    --------
    >>> effective_unit({"theft": 30, "homicide_assault": 2}, {"theft": 1, "homicide_assault": 5})
    2.0
    """
    total = sum(weights[code] * n for code, n in counts.items())
    squares = sum(weights[code] ** 2 * n for code, n in counts.items())
    return squares / total if total > 0 else 1.0


def season_and_drift(total: pd.Series[float]) -> Season:
    """Return month-of-year factors, the Tết factor and the drift of the city's total.

    Poisson regression with an L2 penalty (scikit-learn's `PoissonRegressor`) on twelve month
    dummies, an indicator of Tết and a linear trend. The total is divided by its mean first and the
    penalty is that of one extra year without season, so k years of data keep k / (k + 1) of what
    they show.

    Parameters
    ----------
    total : pd.Series
        Index of the city by month (`pd.PeriodIndex`, M), from `city_total`.

    Returns
    -------
    Season
        Without season and drift under `SEASON_MONTHS` months, or in a city without incidents.

    Examples
    --------
    >>> months = pd.period_range("2022-01", periods=48, freq="M")
    >>> total = pd.Series([300.0 if month.month == 12 else 100.0 for month in months], months)
    >>> season = season_and_drift(total)
    >>> [round(factor, 1) for factor in season.factors[9:]]
    [0.9, 0.9, 2.3]
    """
    if len(total) < SEASON_MONTHS or not total.sum() > 0:
        return Season((1.0,) * 12, tet=1.0, drift=0.0, seasonal=False)
    months = pd.PeriodIndex(total.index)
    n = len(months)
    years = (np.arange(n) - (n - 1)) / 12
    tet = [Month(each.year, each.month) in TET_MONTHS for each in months]
    dummies = months.month.to_numpy()[:, None] == np.arange(1, 13)
    model = PoissonRegressor(alpha=_SHRINK_YEARS / n, solver="newton-cholesky")
    model.fit(
        np.column_stack([dummies, tet, years]).astype(float),
        total.to_numpy(float) / total.mean(),
    )
    factors = np.exp(model.coef_[:12])
    return Season(
        tuple(float(factor) for factor in factors / factors.mean()),
        tet=float(np.exp(model.coef_[12])),
        drift=float(model.coef_[13]) / 12,
        seasonal=True,
    )


def at_last_exposure(known: pd.DataFrame, exposure: pd.DataFrame) -> pd.DataFrame:
    """Return what the index would have been in every month with the exposure of the last one.

    Parameters
    ----------
    known : pd.DataFrame
        From `known_months`.
    exposure : pd.DataFrame
        Population or another denominator, of the same months and wards.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=2, freq="M")
    >>> known = pd.DataFrame({"26734": [10.0, 10.0]}, index=months)
    >>> at_last_exposure(known, pd.DataFrame({"26734": [500, 1000]}, index=months))
             26734
    2025-01   20.0
    2025-02   10.0
    """
    return known * (exposure.iloc[-1] / exposure)


def dispersion(
    counts: pd.DataFrame,
    season: Season,
    unit: float = 1.0,
    exposure: pd.DataFrame | None = None,
) -> float:
    """Return phi, the variance of a month's index over its mean, pooled over wards.

    phi = sum(diff^2) / 2 / sum(mean) on the de-seasonalised index, with diff the change from one
    month to the next: changes see the noise and next to nothing of the trend. A ward counts by its
    known changes.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards, see the module.
    season : Season
        From `season_and_drift`.
    unit : float
        From `effective_unit`; a sum of such units cannot be less noisy than Poisson, so phi is
        at least this.
    exposure : pd.DataFrame, optional
        The counts are those of `at_last_exposure`, and a month that had less exposure is noisier.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=4, freq="M")
    >>> flat = Season((1.0,) * 12, tet=1.0, drift=0.0, seasonal=False)
    >>> dispersion(pd.DataFrame({"26734": [0, 6, 0, 6]}, index=months), flat)
    6.0
    """
    index = _deseasonalised(counts, season)
    changes = np.diff(index, axis=0)
    squares = float(np.nansum(changes**2)) / 2
    months = np.maximum(np.isfinite(index).sum(axis=0), 1)
    noisier = _noise_scale(counts, exposure)
    seen = np.where(np.isfinite(changes), (noisier[1:] + noisier[:-1]) / 2, 0.0).sum(axis=0)
    means = float((np.nansum(index, axis=0) / months * seen).sum())
    return max(unit, squares / means) if means > 0 else unit


def filtered_level(
    counts: pd.DataFrame,
    season: Season,
    *,
    unit: float = 1.0,
    exposure: pd.DataFrame | None = None,
) -> FilteredLevel:
    """Return level and variance of every ward at the last month of `counts`.

    A local-level (Kalman) filter on the de-seasonalised index, all wards at once. Observation
    variance is phi x level; the level walks with the city's drift and a variance estimated from
    past 12-month log changes minus their noise. Each ward starts from the mean of its own first
    (at most) twelve known months, shrunk towards the mean of the wards known in these months
    (Marshall 1991; the linear form of the gamma-Poisson model). Rows after the last one do not
    exist for it.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards, at least two months, NaN only above a ward's first known month.
    season : Season
        Estimated from the same months.
    unit : float
        From `effective_unit`.
    exposure : pd.DataFrame, optional
        The counts are those of `at_last_exposure`. Wards are then shrunk to the city's mean rate
        in place of its mean ward, and a month's noise is that of its own exposure.

    Raises
    ------
    ValueError
        If a month after a ward's first known one is unknown: take `known_months` first.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=8, freq="M")
    >>> counts = pd.DataFrame({"a": [0] * 8, "b": [1, 3] * 4, "c": [9, 11] * 4}, index=months)
    >>> flat = Season((1.0,) * 12, tet=1.0, drift=0.0, seasonal=False)
    >>> filtered_level(counts, flat).level.round(1).to_dict()
    {'a': 0.1, 'b': 2.1, 'c': 9.8}
    """
    index = _deseasonalised(counts, season)
    factors = season.factors_of(pd.PeriodIndex(counts.index))
    phi = dispersion(counts, season, unit, exposure)
    noisier, size = _noise_scale(counts, exposure), _relative_size(counts, exposure)
    drift_variance = _drift_variance(index, phi)
    first = _first_known(index)
    started = np.minimum(first + 12, len(index))  # the row behind each ward's first months
    level, variance = _starts(index, first, phi, drift_variance, unit, noisier, size)
    for row in range(started.min(initial=len(index)), len(index)):
        predicted = level * np.exp(season.drift)
        spread = variance * np.exp(2 * season.drift) + drift_variance * predicted**2
        noise = phi * np.maximum(predicted, _least_level(unit)) / factors[row] * noisier[row]
        gain = spread / (spread + noise)
        going = started <= row
        level = np.where(going, predicted + gain * (index[row] - predicted), level)
        variance = np.where(going, spread * (1 - gain), variance)
    return FilteredLevel(
        pd.Series(level, index=counts.columns, name="level"),
        pd.Series(variance, index=counts.columns, name="variance"),
        phi,
        drift_variance,
    )


def _check(counts: pd.DataFrame) -> None:
    index = counts.index
    if not isinstance(index, pd.PeriodIndex) or index.freqstr != "M":
        raise ValueError("counts needs one row per month: a pd.PeriodIndex of frequency M.")
    if len(index) and not index.equals(pd.period_range(index[0], index[-1], freq="M")):
        raise ValueError("counts has gaps or months out of order; every month needs its row.")
    values = counts.to_numpy(float)
    if np.isinf(values).any() or (values < 0).any():
        raise ValueError(
            "counts has negative or infinite values; a ward without incidents is 0, an unknown "
            "month NaN."
        )


def _last_runs(counts: pd.DataFrame) -> pd.DataFrame:
    """Keep of each ward the known months that nothing unknown follows, from the longest run on."""
    delivered = counts.loc[: counts.last_valid_index()] if counts.size else counts.iloc[:0]
    known = delivered.notna().to_numpy()
    unbroken = np.logical_and.accumulate(known[::-1], axis=0)[::-1]
    longest = int(unbroken.sum(axis=0).max(initial=0))
    return delivered.where(unbroken).iloc[len(delivered) - longest :]


def _first_known(values: Floats) -> npt.NDArray[np.intp]:
    """Row of each ward's first known month, in a table whose wards are known from then on."""
    unknown = np.isnan(values)
    first: npt.NDArray[np.intp] = unknown.sum(axis=0)
    if (first == len(values)).any() or not np.array_equal(
        unknown, np.arange(len(values))[:, None] < first
    ):
        raise ValueError("A ward is unknown in a later month; take `known_months` first.")
    return first


def _period(month: Month) -> pd.Period:
    return pd.Period(str(month), freq="M")


def _least_level(unit: float) -> float:
    """Half an incident a year: keeps the noise of a silent ward above zero."""
    return unit / 24


def _deseasonalised(counts: pd.DataFrame, season: Season) -> Floats:
    factors = season.factors_of(pd.PeriodIndex(counts.index))
    return counts.to_numpy(float) / factors[:, None]


def _noise_scale(counts: pd.DataFrame, exposure: pd.DataFrame | None) -> Floats:
    """How much noisier a month is than the last one, for its smaller exposure; 1 where unknown."""
    if exposure is None:
        return np.ones(counts.shape)
    scale: Floats = (exposure.iloc[-1] / exposure).where(counts.notna(), 1.0).to_numpy(float)
    return scale


def _relative_size(counts: pd.DataFrame, exposure: pd.DataFrame | None) -> Floats:
    """Last exposure of each ward against that of the mean ward."""
    if exposure is None:
        return np.ones(counts.shape[1])
    last = exposure.iloc[-1].to_numpy(float)
    relative: Floats = last / last.mean()
    return relative


def _drift_variance(index: Floats, phi: float) -> float:
    """Variance of a ward's own log level per month, within limits.

    The log change between two neighbouring 12-month sums, less that of the city, has the variance
    of noise, phi / before + phi / after, plus (2 n^2 + 1) / (3 n) = 289 / 36 monthly drift
    variances for n = 12 (difference of neighbouring means of a random walk). Each pair of years
    is that of the wards known in all its months.
    """
    years = [index[end - 24 : end] for end in range(len(index), 23, -12)]
    excess = np.concatenate([_excess_change(each, phi) for each in years] or [np.empty(0)])
    if len(excess) < _LEAST_WARDS:
        return _USUAL_DRIFT_VARIANCE
    monthly = float(excess.mean()) * 36 / 289
    return float(np.clip(monthly, _LEAST_DRIFT_VARIANCE, _MOST_DRIFT_VARIANCE))


def _excess_change(two_years: Floats, phi: float) -> Floats:
    """Squared log change of each ward with enough incidents, minus its noise."""
    before, after = two_years[:12].sum(axis=0), two_years[12:].sum(axis=0)
    # the log of small sums is biased; the sum of a ward with an unknown month is NaN, never enough
    enough = np.minimum(before, after) >= 10 * phi
    if not enough.any():
        return np.empty(0)
    before, after = before[enough], after[enough]
    change = np.log(after / before)
    excess: Floats = (change - change.mean()) ** 2 - phi / before - phi / after
    return excess


def _starts(
    index: Floats,
    first: npt.NDArray[np.intp],
    phi: float,
    drift_variance: float,
    unit: float,
    noisier: Floats,
    size: Floats,
) -> tuple[Floats, Floats]:
    """Level and variance of each ward at the end of its own first months.

    Wards that begin in the same month are shrunk together with those known before: what the city
    was like then is the best guess, and there may be only one ward that begins.
    """
    level, variance = np.empty(len(first)), np.empty(len(first))
    for row in np.unique(first):
        there, begins = first <= row, first == row
        months = slice(row, row + 12)
        scale = noisier[months, there].mean(axis=0)
        found = _shrunk_start(index[months, there], phi, drift_variance, unit, scale, size[there])
        level[begins], variance[begins] = (values[begins[there]] for values in found)
    return level, variance


def _shrunk_start(
    first: Floats, phi: float, drift_variance: float, unit: float, noisier: Floats, size: Floats
) -> tuple[Floats, Floats]:
    """Mean of the first months shrunk to the mean rate, and its variance at their end.

    Marshall (1991) with `size` as the population; where all are of one size, to the mean ward.
    """
    n = len(first)
    rates = first.mean(axis=0) / size
    city = float(np.average(rates, weights=size))
    noise = phi * max(city, _least_level(unit)) / n
    spread = float(np.average((rates - city) ** 2, weights=size))
    between = max(spread - noise * float(noisier.sum() / size.sum()), 0.0)
    weight = between / (between + noise * noisier / size)
    level = size * (city + weight * (rates - city))
    variance = weight * phi * np.maximum(level, _least_level(unit)) * noisier / n
    return level, variance + drift_variance * n / 3 * level**2
