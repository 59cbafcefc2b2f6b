"""The probability that a transformed area becomes complex again, by running the rule forward.

The monthly index of a watched area is simulated a few thousand times from its level today, the
city's season and drift and the noise seen so far; each future is put to the programme's own relapse
rule at its own test dates. No past relapses are needed. What is known stays known: a window at a
test date holds the known months and only the missing ones are simulated.

Wards may be known for different spans of time: a ward's window that is longer than what is known
of it is scaled up, and the season, the drift and the moving threshold are read from the wards with
a long common history (`levels.common_span`).

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
==========================  =====================================================================
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hotspots.errors import NotFound
from hotspots.measures.levels import (
    LEAST_MONTHS,
    SEASON_MONTHS,
    FilteredLevel,
    Floats,
    Season,
    common_span,
    filtered_level,
    known_months,
    season_and_drift,
)
from hotspots.measures.reasons import Reason
from hotspots.programme.months import Month, last_complete_month
from hotspots.programme.plan import RelapseRule

if TYPE_CHECKING:
    from hotspots.measures.relapse_model import RelapseModel as RelapseModel

RED_FROM: Final = 0.5
AMBER_FROM: Final = 0.3
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
        (`Month` of the next test).
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


def alarm(p6: float) -> Alarm:
    """Return the alarm at a probability of relapse within six months.

    >>> alarm(0.5), alarm(0.3), alarm(0.29)
    ('red', 'amber', 'none')
    """
    if p6 >= RED_FROM:
        return "red"
    return "amber" if p6 >= AMBER_FROM else "none"


def forward_risk(
    counts: pd.DataFrame,
    watched: pd.DataFrame,
    rule: RelapseRule,
    *,
    as_of: date,
    horizons: Sequence[int] = (3, 6, 12),
    draws: int = 2000,
    seed: int = 0,
    unit: float = 1.0,
) -> Risk:
    """Return the probability of relapse of each watched hotspot, with reasons.

    Parameters
    ----------
    counts : pd.DataFrame
        Months x wards of the whole city (see `levels`), NaN = unknown; months after `as_of` are
        not looked at.
    watched : pd.DataFrame
        One row per hotspot, the index without repeats: `area` (ward code), `transformed_on` (date;
        tests up to that day do not count) and optionally `threshold` (float, index of a window;
        missing = the rule's own).
    rule : RelapseRule
        Window, threshold and test months. A quantile is taken over all wards and moves with the
        city's trend; fixed thresholds stay.
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
        If `watched` repeats a hotspot or lacks a day, a horizon is below 1, or a month of `counts`
        has no row.

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
    known = known_months(counts, as_of)
    _find_areas(watched, known)
    city = _City.read(known, rule, as_of, max(horizons), unit)
    rows = list(_hotspots(watched, city))
    shares = [_relapsing(row, city, horizons, draws, seed) for row in rows]
    return Risk(
        _table(watched, rows, shares, city, horizons, draws),
        {row.hotspot: tuple(_reasons(row, city)) for row in rows},
    )


@dataclass(frozen=True)
class _City:
    """All that the hotspots of one call share. Steps are the months simulated, from 0."""

    known: pd.DataFrame
    windows: pd.Series[float]  # of the rule, by ward, at the last known month
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
        cls, known: pd.DataFrame, rule: RelapseRule, as_of: date, furthest: int, unit: float
    ) -> _City:
        span = common_span(known)
        total = span.sum(axis=1)
        season = season_and_drift(total)
        filtered = filtered_level(known, season, unit=unit)
        windows = _last_windows(known, rule.window_months)
        last, end = _last(known), last_complete_month(as_of)
        steps = tuple(last + ahead for ahead in range(1, (end + furthest) - last + 1))
        damped = season.drift * np.cumsum(_DRIFT_KEPT ** np.arange(1, len(steps) + 1))
        growth, factors = np.exp(damped), np.array([season.factor(month) for month in steps])
        expected = float(filtered.level[span.columns].sum()) * growth * factors
        return cls(
            known,
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
    quiet_until: Month  # tests up to and including this month are over or do not count
    level: float
    thresholds: Floats  # today's first, then by step

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
        return np.full(1 + len(expected), rule.threshold, dtype=np.float64)
    city = np.concatenate([total, expected])
    windows = _window_sums(city, rule.window_months, len(total) - 1)
    quantile = float(np.quantile(now.to_numpy(), rule.quantile))
    moved: Floats = quantile * (windows / windows[0] if windows[0] > 0 else np.ones(len(windows)))
    return moved


def _hotspots(watched: pd.DataFrame, city: _City) -> Iterator[_Hotspot]:
    own = watched.get("threshold", pd.Series(np.nan, index=watched.index)).to_numpy(float)
    for hotspot, area, day, threshold in zip(
        watched.index, watched["area"], watched["transformed_on"], own, strict=True
    ):
        quiet_until = max(city.end, last_complete_month(pd.Timestamp(day).date()))
        yield _Hotspot(
            hotspot,
            area,
            quiet_until,
            float(city.windows[area]),
            city.thresholds if np.isnan(threshold) else np.full(len(city.thresholds), threshold),
        )


def _next_test(rule: RelapseRule, after: Month) -> Month:
    return next(m for m in (after + k for k in range(1, 13)) if m.month in rule.test_months)


def _futures(city: _City, area: str, draws: int, seed: int) -> Floats:
    """Simulated index of one ward, steps x draws.

    Level: gamma around the filtered level, then a random walk of its logarithm whose mean follows
    the city. Noise: unit x negative binomial with variance phi x mean. One stream for each source
    of chance, filled step by step, so that a longer horizon begins with the same futures.
    """
    seeds = np.random.SeedSequence([seed, zlib.crc32(area.encode())]).spawn(4)
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
    """Share of futures that meet the rule, by horizon."""
    window = city.rule.window_months
    recent = _own(city, row.area)[-window:]
    futures = _futures(city, row.area, draws, seed)
    path = np.concatenate([np.repeat(recent[:, None], draws, axis=1), futures])
    sums = _window_sums(path, window, len(recent))
    met = _reaches(sums, row.thresholds[1:, None])
    tested = [m > row.quiet_until and m.month in city.rule.test_months for m in city.steps]
    met &= np.array(tested)[:, None]
    late = city.end - _last(city.known)
    hits = np.array([met[: late + horizon].any(axis=0).sum() for horizon in horizons])
    shares: Floats = (hits + 0.5) / (draws + 1)
    return shares


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
    tests = [_next_test(city.rule, row.quiet_until) for row in rows]
    columns["first_test"] = np.array(tests, dtype=object)
    return pd.DataFrame(columns, index=watched.index)


def _reasons(row: _Hotspot, city: _City) -> Iterator[Reason]:
    yield from _level_reasons(row, city.rule.window_months)
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
    test = _next_test(city.rule, row.quiet_until)
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
    if months < window:
        yield Reason("window_scaled", {"months": months, "window_months": window})
    if last < city.end:
        late = city.end - last
        yield Reason(
            "counts_late", {"last": str(last), "expected": str(city.end), "months_late": late}
        )
