"""The probability that a transformed area becomes complex again, by running the rule forward.

The monthly index of a watched area is simulated a few thousand times from its level today, the
city's season and drift and the noise seen so far; each future is put to the programme's own relapse
rule at its own test dates. No past relapses are needed. What is known stays known: a window at a
test date holds the known months and only the missing ones are simulated.

Wards may be known for different spans of time: a ward's window that is longer than what is known
of it is scaled up, and the season, the drift and the moving threshold are read from the wards with
a long common history (`levels.common_span`).

A rule of growth has no threshold: the known and the simulated months together are put to it quarter
by quarter (`growth`). Where the transformed year is not known in full there is nothing to compare
with, so the probabilities are NaN and the reason says so.

With an exposure (population or another denominator) every level is a rate, the index divided by it.

Reason codes and their facts (`share` and `ratio` are shares, 1 = equal; months are text, 2025-10):

==========================  =====================================================================
level_against_threshold     level, threshold, share, window_months (share is NaN if threshold is 0)
over_threshold_now          level, threshold, share
margin_small                level, threshold, margin (1 - share, at most .10)
trend                       ratio, recent, before (means per month), recent_months, months_before
season_ahead                factor, until (the next test month)
short_history               months (known of this ward), needed
season_unknown              months (known in common), needed: the ward has enough, the city not
window_scaled               months (known of this ward), window_months
counts_late                 last, expected, months_late
growth_quarter              quarter (2025-Q3), index, base, ratio, needed_ratio, base_first,
                            base_last: against the same months of the transformed year
growth_run                  quarters (that have grown in a row, up to the last), needed, z,
                            z_needed, unit (points of an incident)
growth_reached              quarter: the rule was met at its end
growth_not_begun            quarter (the first that will be looked at), base_first, base_last
base_year_unknown           base_first, base_last, since (first known month of this ward)
==========================  =====================================================================
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hotspots.errors import NotFound
from hotspots.measures.growth import (
    Quarters,
    base_year,
    first_quarter,
    first_test,
    grown,
    meets,
    quarter_name,
    quarters_of,
    run_of,
    z_over,
)
from hotspots.measures.levels import (
    LEAST_MONTHS,
    SEASON_MONTHS,
    FilteredLevel,
    Floats,
    Season,
    at_last_exposure,
    common_span,
    filtered_level,
    known_months,
    season_and_drift,
)
from hotspots.measures.reasons import Reason
from hotspots.programme.months import Month, last_complete_month
from hotspots.programme.plan import AlarmSettings, RelapseRule

if TYPE_CHECKING:
    from hotspots.measures.relapse_model import RelapseModel as RelapseModel

MEASURED: Final = AlarmSettings()
RED_FROM: Final = MEASURED.red
AMBER_FROM: Final = MEASURED.amber
"""Alarms on the probability six months ahead, from the measurements behind the method."""

SMALL_MARGIN: Final = 0.10
"""Areas less than this below the threshold relapse far more often than the others."""

SEASON_AHEAD_FROM: Final = 1.05
TREND_MONTHS: Final = 3
TREND_FROM: Final = 0.10

TREND_LEAST_BEFORE: Final = 6
"""Fewer known months before the last three are too few to call a change a trend."""

_DRIFT_KEPT: Final = 0.9  # of the city's drift, from one month ahead to the next

Alarm = Literal["red", "amber", "none"]


@dataclass(frozen=True)
class Risk:
    """The forecast for every watched hotspot.

    Attributes
    ----------
    table : pd.DataFrame
        The index of `watched` in its order, and the columns `area`; `p3`, `se3`, `p6`, `se6`, ...
        (probability of relapse within so many months, and its Monte-Carlo standard error); `level`
        (index of the last known window), `threshold` (today's, same unit), `share` (level /
        threshold; NaN when the threshold is 0); `months` (known months of its ward); `first_test`
        (`Month` of the next test). With a rule of growth `level` is the index of the last whole
        quarter after the transformation, `threshold` what it must reach, and both are NaN before
        there is one; the probabilities are NaN where the transformed year is not known.
    reasons : Mapping[Hashable, tuple[Reason, ...]]
        By hotspot; the level against the threshold comes first.
    """

    table: pd.DataFrame
    reasons: Mapping[Hashable, tuple[Reason, ...]]


def __getattr__(name: str) -> object:
    """Hand out `RelapseModel` here too; at the first use, for it is fitted to these forecasts."""
    if name == "RelapseModel":
        from hotspots.measures.relapse_model import RelapseModel

        return RelapseModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def alarm(p6: float, settings: AlarmSettings = MEASURED) -> Alarm:
    """Return the alarm at a probability of relapse within six months, by a programme's settings.

    >>> alarm(0.5), alarm(0.3), alarm(0.29), alarm(0.29, AlarmSettings(amber=0.2))
    ('red', 'amber', 'none', 'amber')
    """
    if p6 >= settings.red:
        return "red"
    return "amber" if p6 >= settings.amber else "none"


def forward_risk(
    counts: pd.DataFrame,
    watched: pd.DataFrame,
    rule: RelapseRule,
    as_of: date,
    *,
    horizons: Sequence[int] = (3, 6, 12),
    draws: int = 2000,
    seed: int = 0,
    unit: float = 1.0,
    exposure: pd.DataFrame | None = None,
) -> Risk:
    """Return the probability of relapse of each watched hotspot, with reasons.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards of the whole city (see `levels`), NaN = unknown; months after `as_of` are
        not looked at. The months are a `pd.PeriodIndex` or what makes one: days, or texts 2025-01.
    watched : pd.DataFrame
        One row per hotspot, the index without repeats: `area` (ward code), `transformed_on` (a day,
        or a month, then its last day: date, `pd.Timestamp`, `pd.Period`, `Month`, or text 2025-06
        or 2025-06-30; tests up to that day do not count) and optionally `threshold` (float, index
        of a window; missing = the rule's own; a rule of growth has none).
    rule : RelapseRule
        Window, threshold and test months. A quantile is taken over all wards and moves with the
        city's trend; fixed thresholds stay. Or quarters and growth, see `growth`.
    as_of : date
        Horizons count from the last month that was over on this day.
    horizons : sequence of int
        Months ahead, each 1 or more.
    draws : int
        Simulated futures per hotspot; the same for every horizon, so p3 <= p6 <= p12.
    seed : int
        Each ward has its own random stream from the seed and its code: the answer for a hotspot
        does not depend on which others are watched.
    unit : float
        Index of one incident for the noise (`levels.effective_unit`).
    exposure : pd.DataFrame, optional
        Population or another denominator of the same months and wards, above 0. Levels, the
        thresholds given and the quantile over the wards are then rates, sums of index / exposure;
        the noise of a ward is that of its counts, so a small population means a noisier rate. The
        futures are simulated with the exposure of the last known month.

    Returns
    -------
    Risk
        Probabilities are (hits + .5) / (draws + 1): never exactly 0 or 1.

    Raises
    ------
    CannotMeasure
        `history_too_short` or `counts_too_old`, see `levels.known_months`.
    NotFound
        `ward_not_in_counts` (wards): a watched area that has no column, or that
        `levels.known_months` leaves out; its columns are the wards that can be asked for.
    ValueError
        If `watched` repeats a hotspot or lacks a day, a horizon is below 1, a month of `counts`
        has no row, or an exposure is missing or not above 0.

    Examples
    --------
    >>> months = pd.period_range("2024-01", periods=24, freq="M")
    >>> counts = pd.DataFrame({"26734": [20] * 24, "26737": [4] * 24}, index=months)
    >>> watched = pd.DataFrame(
    ...     {"area": ["26734", "26737"], "transformed_on": date(2025, 6, 30)}, index=["H1", "H2"]
    ... )
    >>> rule = RelapseRule(12, quantile=None, threshold=150, test_months=(3, 6, 9, 12))
    >>> risk = forward_risk(counts, watched, rule, as_of=date(2025, 12, 31))
    >>> risk.table["p6"].round(2).to_dict(), str(risk.table["first_test"]["H1"])
    ({'H1': 1.0, 'H2': 0.0}, '2026-03')
    >>> [reason.code for reason in risk.reasons["H2"]]
    ['level_against_threshold']
    """
    _check(watched, horizons)
    day = as_of.date() if isinstance(as_of, datetime) else as_of
    known = known_months(_by_month(counts, "counts"), day)
    _find_areas(watched, known)
    city = _City.read(known, rule, day, max(horizons), unit, _exposure_of(known, exposure))
    rows = list(_hotspots(watched, city))
    shares = [_relapsing(row, city, horizons, draws, seed) for row in rows]
    return Risk(
        _table(watched, rows, shares, city, horizons, draws),
        {row.hotspot: tuple(_reasons(row, city)) for row in rows},
    )


@dataclass(frozen=True)
class _City:
    """All that the hotspots of one call share. Steps are the months simulated, from 0."""

    known: pd.DataFrame  # at the last month's exposure
    per: pd.Series[float]  # that exposure, by ward; 1 without one
    windows: pd.Series[float]  # of the rule, by ward, at the last known month, as a rate
    rule: RelapseRule
    end: Month  # last month over on the day; the counts may end up to three months before
    season: Season
    season_months: int  # known in common, that the season was read from
    filtered: FilteredLevel
    unit: float
    steps: tuple[Month, ...]
    growth: Floats  # of the mean level, by step, from the city's damped drift
    factors: Floats  # season, by step
    thresholds: Floats  # of the rule, by step, and today's first

    @classmethod
    def read(
        cls,
        counts: pd.DataFrame,
        rule: RelapseRule,
        as_of: date,
        furthest: int,
        unit: float,
        exposure: pd.DataFrame | None,
    ) -> _City:
        known, per = counts, pd.Series(1.0, counts.columns)
        if exposure is not None:
            known, per = at_last_exposure(counts, exposure), exposure.iloc[-1]
        span = common_span(known)
        total = span.sum(axis=1)
        season = season_and_drift(total)
        filtered = filtered_level(known, season, unit=unit, exposure=exposure)
        windows = _last_windows(known, rule.window_months) / per
        last, end = _last(known), last_complete_month(as_of)
        steps = tuple(last + ahead for ahead in range(1, (end + furthest) - last + 1))
        damped = season.drift * np.cumsum(_DRIFT_KEPT ** np.arange(1, len(steps) + 1))
        growth, factors = np.exp(damped), np.array([season.factor(month) for month in steps])
        expected = float(filtered.level[span.columns].sum()) * growth * factors
        return cls(
            known,
            per,
            windows,
            rule,
            end,
            season,
            len(span),
            filtered,
            unit,
            steps,
            growth,
            factors,
            _thresholds(windows, total.to_numpy(), rule, expected),
        )


@dataclass(frozen=True)
class _Hotspot:
    hotspot: Hashable
    area: str
    transformed: Month
    quiet_until: Month  # tests up to and including this month are over or do not count
    next_test: Month
    level: float
    thresholds: Floats  # today's first, then by step
    quarters: Quarters | None = None  # whole and known, by a rule of growth; None: base not known

    @property
    def share(self) -> float:
        threshold = float(self.thresholds[0])
        return self.level / threshold if threshold > 0 else float("nan")


def _check(watched: pd.DataFrame, horizons: Sequence[int]) -> None:
    if not watched.index.is_unique:
        raise ValueError("watched names a hotspot twice; give each hotspot one row.")
    if not horizons or min(horizons) < 1:
        raise ValueError(f"horizons are months ahead, 1 or more, not {tuple(horizons)}.")
    if watched["transformed_on"].isna().any():
        raise ValueError("watched needs the day each hotspot was transformed on.")


def _by_month(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table whose index is a `pd.PeriodIndex` of months."""
    index = table.index
    if isinstance(index, pd.PeriodIndex) and index.freqstr == "M":
        return table
    if isinstance(index, pd.DatetimeIndex):
        return table.set_axis(index.to_period("M"), axis=0)
    try:  # each by itself: pandas would guess at texts and take numbers for months since 1970
        months = [pd.Period(str(Month.of(_day_of(each))), freq="M") for each in index]
    except ValueError as error:
        raise ValueError(
            f"{name} needs one row per month: a pd.PeriodIndex, days or texts like 2025-01, not "
            f"{index[:3].to_list()}."
        ) from error
    return table.set_axis(pd.PeriodIndex(months, freq="M"), axis=0)


def _exposure_of(known: pd.DataFrame, exposure: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the exposure of the known months and wards, or refuse what cannot divide."""
    if exposure is None:
        return None
    per = _by_month(exposure, "exposure").reindex(index=known.index, columns=known.columns)
    per = per.astype(float)
    wrong = known.notna() & ~(np.isfinite(per) & (per > 0))
    if wrong.any(axis=None):
        wards = ", ".join(map(str, wrong.columns[wrong.any()][:5]))
        raise ValueError(
            f"exposure must be above 0 in every month that the counts are known in; it is missing, "
            f"0 or negative for {wards}."
        )
    return per


def _day_of(value: object) -> date:
    """Return a day, of a month its last one."""
    if isinstance(value, pd.Period):
        value = value.end_time
    if isinstance(value, Month):
        return value.last_day
    try:
        if isinstance(value, str):
            month = len(value) == len("2025-06")
            return Month.parse(value).last_day if month else date.fromisoformat(value)
        if isinstance(value, date | np.datetime64):
            return pd.Timestamp(value).date()
    except ValueError:
        pass
    raise ValueError(
        f"{value!r} is neither a day nor a month; give a date, a pd.Period or Month, or a text "
        "like 2025-06 or 2025-06-30."
    )


def _find_areas(watched: pd.DataFrame, known: pd.DataFrame) -> None:
    unknown = sorted(set(watched["area"]) - set(known.columns))
    if unknown:
        raise NotFound(
            "ward_not_in_counts",
            f"There are no counts for {', '.join(unknown)}, or fewer than {LEAST_MONTHS} months "
            "in a row. Are the hotspots and the counts on the same boundary edition?",
            wards=", ".join(unknown),
        )


def _last(known: pd.DataFrame) -> Month:
    return Month(known.index[-1].year, known.index[-1].month)


def _window_sums(path: Floats, window: int, at: int) -> Floats:
    """Sums of the last `window` months along the first axis, from row `at` on.

    Where the path is still shorter than the window, its sum is scaled up to the window's length.
    """
    total = np.cumsum(path, axis=0)
    total = np.concatenate([np.zeros_like(total[:1]), total])
    ends = np.arange(at, len(path)) + 1
    starts = np.maximum(ends - window, 0)
    scale = window / (ends - starts)
    sums: Floats = (total[ends] - total[starts]) * scale.reshape(-1, *[1] * (path.ndim - 1))
    return sums


def _last_windows(known: pd.DataFrame, window: int) -> pd.Series[float]:
    """Sum of each ward's last window, scaled up where fewer of its months are known."""
    recent = known.iloc[-window:]
    return recent.sum() * (window / recent.count())


def _thresholds(
    now: pd.Series[float], total: Floats, rule: RelapseRule, expected: Floats
) -> Floats:
    """Today's threshold and that of each simulated month.

    A quantile over the wards follows the city: it moves as the expected window sum of the city
    does, its known months being known. `total` and `expected` are of the same wards, so that a
    ward whose counts begin late does not raise it.
    """
    if rule.quantile is None:
        fixed = np.nan if rule.threshold is None else rule.threshold
        return np.full(1 + len(expected), fixed, dtype=np.float64)
    city = np.concatenate([total, expected])
    windows = _window_sums(city, rule.window_months, len(total) - 1)
    quantile = float(np.quantile(now.to_numpy(), rule.quantile))
    moved: Floats = quantile * (windows / windows[0] if windows[0] > 0 else np.ones(len(windows)))
    return moved


def _hotspots(watched: pd.DataFrame, city: _City) -> Iterator[_Hotspot]:
    own = watched.get("threshold", pd.Series(np.nan, index=watched.index)).to_numpy(float)
    for hotspot, area, value, threshold in zip(
        watched.index, watched["area"], watched["transformed_on"], own, strict=True
    ):
        day = _day_of(value)
        transformed, quiet_until = Month.of(day), max(city.end, last_complete_month(day))
        if city.rule.has_threshold:
            yield _Hotspot(
                hotspot,
                area,
                transformed,
                quiet_until,
                _next_test(city.rule, quiet_until),
                float(city.windows[area]),
                city.thresholds
                if np.isnan(threshold)
                else np.full(len(city.thresholds), threshold),
            )
        else:
            yield _growing(hotspot, area, transformed, quiet_until, city)


def _growing(
    hotspot: Hashable, area: str, transformed: Month, quiet_until: Month, city: _City
) -> _Hotspot:
    """Return a hotspot under a rule of growth: its last quarter and what that must reach."""
    quarters, level, needed = None, float("nan"), float("nan")
    own = _own(city, area)
    if _first_known(city, area) <= base_year(transformed)[0]:
        quarters = quarters_of(own, _first_known(city, area), transformed)
        if quarters.ends:
            level = float(quarters.index[-1] / city.per[area])
            needed = float((1 + city.rule.growth) * quarters.base[-1] / city.per[area])
    test = first_test(city.rule, transformed, quiet_until)
    thresholds = np.array([needed])
    return _Hotspot(hotspot, area, transformed, quiet_until, test, level, thresholds, quarters)


def _first_known(city: _City, area: str) -> Month:
    return _last(city.known) + (1 - len(_own(city, area)))


def _next_test(rule: RelapseRule, after: Month) -> Month:
    return next(m for m in (after + k for k in range(1, 13)) if m.month in rule.test_months)


def _futures(city: _City, area: str, draws: int, seed: int) -> Floats:
    """Simulated index of one ward, steps x draws.

    Level: gamma around the filtered level, then a random walk of its logarithm whose mean follows
    the city. Noise: unit x negative binomial with variance phi x mean. One stream for each source
    of chance, filled step by step, so that a longer horizon begins with the same futures.
    """
    seeds = np.random.SeedSequence([seed, zlib.crc32(str(area).encode())]).spawn(4)
    start, walk, rate, count = (np.random.default_rng(each) for each in seeds)
    level = float(city.filtered.level[area])
    variance = float(city.filtered.variance[area])
    if not (level > 0 and variance > 0):
        return np.zeros((len(city.steps), draws))
    levels = start.standard_gamma(level**2 / variance, draws) * (variance / level)
    drift_variance = city.filtered.drift_variance
    moves = walk.standard_normal((len(city.steps), draws)) * np.sqrt(drift_variance)
    wander = np.exp(np.cumsum(moves - drift_variance / 2, axis=0))
    means = levels * wander * (city.growth * city.factors)[:, None] / city.unit
    excess = city.filtered.phi / city.unit - 1
    rates = rate.standard_gamma(means / excess) * excess if excess > 1e-6 else means
    futures: Floats = count.poisson(rates) * city.unit
    return futures


def _relapsing(
    row: _Hotspot, city: _City, horizons: Sequence[int], draws: int, seed: int
) -> Floats:
    """Share of futures that meet the rule, by horizon; NaN where it has nothing to compare with."""
    if not city.rule.has_threshold and row.quarters is None:
        return np.full(len(horizons), np.nan)
    futures = _futures(city, row.area, draws, seed)
    meet = _over_threshold if city.rule.has_threshold else _grown_enough
    met = meet(row, city, futures)
    tested = [m > row.quiet_until and m.month in city.rule.test_months for m in city.steps]
    met &= np.array(tested)[:, None]
    late = city.end - _last(city.known)
    hits = np.array([met[: late + horizon].any(axis=0).sum() for horizon in horizons])
    shares: Floats = (hits + 0.5) / (draws + 1)
    return shares


def _over_threshold(row: _Hotspot, city: _City, futures: Floats) -> npt.NDArray[np.bool_]:
    """Tell at each step of each future whether its window reaches the threshold."""
    window = city.rule.window_months
    recent = _own(city, row.area)[-window:]
    sums = _window_sums(_path(recent, futures), window, len(recent))
    return _reaches(sums / float(city.per[row.area]), row.thresholds[1:, None])


def _grown_enough(row: _Hotspot, city: _City, futures: Floats) -> npt.NDArray[np.bool_]:
    """Tell at each step of each future whether a quarter ends with it that meets the rule."""
    path = _path(_own(city, row.area), futures)
    quarters = quarters_of(path, _first_known(city, row.area), row.transformed)
    met = np.zeros(futures.shape, dtype=bool)
    for end, here in zip(quarters.ends, meets(quarters, city.rule, city.unit), strict=True):
        if end >= city.steps[0]:
            met[end - city.steps[0]] = here
    return met


def _path(known: Floats, futures: Floats) -> Floats:
    """Return the known months followed by each of the futures."""
    return np.concatenate([np.repeat(known[:, None], futures.shape[1], axis=1), futures])


def _own(city: _City, area: str) -> Floats:
    """Return the known months of one ward."""
    own: Floats = city.known[area].dropna().to_numpy()
    return own


def _reaches(sums: Floats, thresholds: Floats) -> npt.NDArray[np.bool_]:
    """Whether sums reach thresholds, rounding errors aside; an empty window never does."""
    return (sums >= thresholds * (1 - 1e-9)) & (sums > 0)


def _table(
    watched: pd.DataFrame,
    rows: Sequence[_Hotspot],
    shares: Sequence[Floats],
    city: _City,
    horizons: Sequence[int],
    draws: int,
) -> pd.DataFrame:
    columns: dict[str, object] = {"area": [row.area for row in rows]}
    for place, horizon in enumerate(horizons):
        p = np.array([each[place] for each in shares], dtype=float)
        columns[f"p{horizon}"] = p
        columns[f"se{horizon}"] = np.sqrt(p * (1 - p) / (draws + 1))
    columns["level"] = np.array([row.level for row in rows], dtype=float)
    columns["threshold"] = np.array([row.thresholds[0] for row in rows], dtype=float)
    columns["share"] = np.array([row.share for row in rows], dtype=float)
    columns["months"] = city.known.count().loc[watched["area"]].to_numpy()
    columns["first_test"] = np.array([row.next_test for row in rows], dtype=object)
    return pd.DataFrame(columns, index=watched.index)


def _reasons(row: _Hotspot, city: _City) -> Iterator[Reason]:
    if city.rule.has_threshold:
        yield from _level_reasons(row, city.rule.window_months)
    else:
        yield from _growth_reasons(row, city)
    yield from _trend_reasons(row, city)
    yield from _season_reasons(row, city)
    yield from _data_reasons(row, city)


def _level_reasons(row: _Hotspot, window: int) -> Iterator[Reason]:
    threshold = float(row.thresholds[0])
    facts = {"level": row.level, "threshold": threshold, "share": row.share}
    yield Reason("level_against_threshold", {**facts, "window_months": window})
    if _reaches(np.array(row.level), np.array(threshold)):
        yield Reason("over_threshold_now", facts)
    elif row.share >= 1 - SMALL_MARGIN:
        margin = 1 - row.share
        yield Reason("margin_small", {"level": row.level, "threshold": threshold, "margin": margin})


def _growth_reasons(row: _Hotspot, city: _City) -> Iterator[Reason]:
    """Say each of the rule's last quarters against its base, and how far the rule is from met."""
    rule, quarters = city.rule, row.quarters
    first, last = map(str, base_year(row.transformed))
    base: dict[str, float | str] = {"base_first": first, "base_last": last}
    if quarters is None:
        since = str(_first_known(city, row.area))
        yield Reason("base_year_unknown", {**base, "since": since})
    elif not quarters.ends:
        begins = quarter_name(first_quarter(row.transformed))
        yield Reason("growth_not_begun", {"quarter": begins, **base})
    else:
        yield from _quarters_said(quarters, rule, base, float(city.per[row.area]))
        up = [bool(each) for each in grown(quarters, rule)]
        z = float(z_over(quarters, len(up) - 1, rule.quarters, city.unit))
        facts = {"quarters": run_of(up), "needed": rule.quarters, "unit": city.unit}
        yield Reason("growth_run", {**facts, "z": z, "z_needed": rule.z})
        if meets(quarters, rule, city.unit)[-1]:
            yield Reason("growth_reached", {"quarter": quarter_name(quarters.ends[-1])})


def _quarters_said(
    quarters: Quarters, rule: RelapseRule, base: dict[str, float | str], per: float
) -> Iterator[Reason]:
    rows = list(zip(quarters.ends, quarters.index / per, quarters.base / per, strict=True))
    for end, x1, x0 in reversed(rows[-rule.quarters :]):
        facts: dict[str, float | str] = {
            "quarter": quarter_name(end),
            "index": float(x1),
            "base": float(x0),
            "ratio": float(x1 / x0) if x0 > 0 else float("nan"),
            "needed_ratio": 1 + rule.growth,
        }
        yield Reason("growth_quarter", facts | base)


def _trend_reasons(row: _Hotspot, city: _City) -> Iterator[Reason]:
    """Say a change of at least `TREND_FROM` that is larger than its own noise (one sd)."""
    own = _own(city, row.area)[-TREND_MONTHS - 12 :]
    months_before = len(own) - TREND_MONTHS
    if months_before < TREND_LEAST_BEFORE:
        return
    index = own / city.season.factors_of(pd.PeriodIndex(city.known.index[-len(own) :]))
    recent, before = float(index[-TREND_MONTHS:].mean()), float(index[:-TREND_MONTHS].mean())
    if before <= 0:
        return
    noise = np.sqrt(city.filtered.phi * before * (1 / TREND_MONTHS + 1 / months_before))
    if abs(recent - before) >= max(TREND_FROM * before, float(noise)):
        facts = {"ratio": recent / before, "recent": recent, "before": before}
        months = {"recent_months": TREND_MONTHS, "months_before": months_before}
        yield Reason("trend", {**facts, **months})


def _season_reasons(row: _Hotspot, city: _City) -> Iterator[Reason]:
    test = row.next_test
    ahead = [city.end + k for k in range(1, test - city.end + 1)]
    factor = float(np.mean([city.season.factor(month) for month in ahead]))
    if factor > SEASON_AHEAD_FROM:
        yield Reason("season_ahead", {"factor": factor, "until": str(test)})


def _data_reasons(row: _Hotspot, city: _City) -> Iterator[Reason]:
    months, window = len(_own(city, row.area)), city.rule.window_months
    last = _last(city.known)
    if months < SEASON_MONTHS:
        yield Reason("short_history", {"months": months, "needed": SEASON_MONTHS})
    elif city.season_months < SEASON_MONTHS:
        yield Reason("season_unknown", {"months": city.season_months, "needed": SEASON_MONTHS})
    if months < window and city.rule.has_threshold:
        yield Reason("window_scaled", {"months": months, "window_months": window})
    if last < city.end:
        late = city.end - last
        yield Reason(
            "counts_late", {"last": str(last), "expected": str(city.end), "months_late": late}
        )
