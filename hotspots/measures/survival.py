"""Kaplan-Meier of "still transformed": the non-relapse share that waits for the young ones.

The official share counts a hotspot transformed last month as kept although it had no time to become
complex again; on city panels that made it .10 to .27 too high. Here each hotspot counts only for as
long as it was followed, so the share after twelve months is unbiased for few hotspots too.

Sources: Kaplan and Meier (1958), J. Am. Stat. Assoc. 53, 457-481; Greenwood's variance; Wilson's
interval with the effective number of hotspots n_eff = S (1 - S) / V, for Greenwood's own interval
covers only .58 of the time with twelve hotspots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import isclose
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta

from hotspots.measures.targets import Interval, exact_excludes, wilson
from hotspots.programme.months import add_months, months_between
from hotspots.programme.status import Watch

HORIZON_MONTHS: Final = 12
"""The share is of those still transformed after so many months."""

CONFIDENCE: Final = 0.90

_QUARTER: Final = 3
_LOG_STEP: Final = 1 / 2000  # of the grid on which log shares are added up
_LOG_STEPS: Final = 1 << 14  # down to a share of e^-8

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Survival:
    """How many of the transformed hotspots are still so after a time, the young ones allowed for.

    Attributes
    ----------
    target : float
        The share wanted.
    as_of : date
        The day looked from; nothing after it was looked at.
    horizon : int
        Months after the transformation that `share` speaks of.
    window : int
        Months before the day within which the hotspots were transformed.
    hotspots, relapsed : tuple of str
        Those looked at, and those of them that relapsed within the horizon.
    followed : int
        How many were followed to the horizon without a relapse.
    share : float or None
        Kaplan-Meier at the horizon; None when nobody was followed that long.
    variance : float or None
        Greenwood's; 0 when nobody or everybody relapsed.
    effective : float or None
        The number of fully followed hotspots that would tell as much (n_eff).
    interval : Interval or None
        Wilson with `effective`, 90 %, two-sided.
    probability : float or None
        That the true share reaches the target (`probability_of_meeting`).
    verdict, why : str
        As in `targets.TargetResult`.
    data_can_tell : bool
        Whether the exact 95 % interval with `effective` lies wholly on one side of the target.
    curve : DataFrame
        From the start to the longest time followed: `month`, `share`, `low`, `high`, `at_risk`; a
        row at each relapse and each whole month. The share holds until the next row.
    numbers : DataFrame
        `month` (every third), `at_risk` (followed at least so long) and `relapsed` (by then).
    """

    target: float
    as_of: date
    horizon: int
    window: int
    hotspots: tuple[str, ...]
    relapsed: tuple[str, ...]
    followed: int
    share: float | None
    variance: float | None
    effective: float | None
    interval: Interval | None
    probability: float | None
    verdict: str
    why: str
    data_can_tell: bool
    curve: pd.DataFrame
    numbers: pd.DataFrame

    def share_after(self, months: int) -> float | None:
        """Return the share after so many months; None when nobody was followed that long."""
        if self.curve.empty or float(self.curve["month"].iloc[-1]) < months:
            return None
        return float(self.curve.loc[self.curve["month"] <= months, "share"].iloc[-1])


def survival(
    watches: Iterable[Watch],
    as_of: date,
    target: float,
    *,
    horizon: int = HORIZON_MONTHS,
    confidence: float = CONFIDENCE,
) -> Survival:
    """Return the share still transformed after `horizon` months, as far as the day can tell.

    The hotspots transformed in the last two horizons are looked at, each recognised transformation
    once: older ones are of another time, and younger ones alone say nothing about the horizon.

    Parameters
    ----------
    watches : iterable of Watch
        Of all hotspots. What happened after `as_of` is not looked at.
    target : float
        For example 0.85.
    horizon : int
        In months; a multiple of 3.
    confidence : float
        Of the intervals, two-sided.

    Examples
    --------
    >>> kept = [Watch(f"h{n}", 2024, date(2024, 12, 18)) for n in range(9)]
    >>> gone = Watch("x", 2024, date(2024, 12, 18), relapsed_on=date(2025, 4, 1))
    >>> found = survival([*kept, gone], date(2026, 3, 31), 0.85)
    >>> round(found.share, 2), found.followed, found.verdict, found.data_can_tell
    (0.9, 9, 'met', False)
    """
    window = 2 * horizon
    rows = _followed(watches, as_of, window)
    times = np.array([time for _, time, _ in rows], dtype=float)
    events = np.array([event for _, _, event in rows], dtype=bool)
    steps = kaplan_meier(times, events)
    followed = int((times >= horizon).sum() - (events & (times == horizon)).sum())
    found = _at(steps, times, events, horizon)
    share, variance, effective = found if found is not None else (None, None, None)
    if not rows:
        verdict, why = "cannot_be_measured", "nothing_transformed"
    elif share is None:
        verdict, why = "cannot_be_measured", "nobody_followed_to_horizon"
    elif share >= target - 1e-9:
        verdict, why = "met", "enough_still_transformed"
    else:
        verdict, why = "not_met", "too_few_still_transformed"
    return Survival(
        target=target,
        as_of=as_of,
        horizon=horizon,
        window=window,
        hotspots=tuple(sorted(hotspot for hotspot, _, _ in rows)),
        relapsed=tuple(sorted(name for name, time, event in rows if event and time <= horizon)),
        followed=followed,
        share=share,
        variance=variance,
        effective=effective,
        interval=_interval(share, effective, confidence),
        probability=None
        if share is None
        else probability_of_meeting(*quarters(times, events, horizon), target),
        verdict=verdict,
        why=why,
        data_can_tell=share is not None
        and effective is not None
        and exact_excludes(share * effective, effective, target),
        curve=_curve(steps, times, events, window, confidence),
        numbers=_numbers(times, events, window),
    )


def kaplan_meier(times: Sequence[float] | Floats, events: Sequence[bool] | Floats) -> pd.DataFrame:
    """Return the Kaplan-Meier estimate at each time somebody leaves, by event or unfinished.

    Parameters
    ----------
    times : sequence of float
        How long each was followed, in any unit.
    events : sequence of bool
        Whether it ended with the event; False: it was still going. Who is still going at a time is
        at risk of the events of that time.

    Returns
    -------
    DataFrame
        `time` (rising), `at_risk`, `events`, `share` and `variance` (Greenwood; 0 where the share
        is 0 or 1).

    Examples
    --------
    >>> kaplan_meier([3, 6, 6, 9], [True, False, True, False])["share"].round(3).tolist()
    [0.75, 0.5, 0.5]
    """
    durations = np.asarray(times, dtype=float)
    ended = np.asarray(events, dtype=bool)
    if durations.shape != ended.shape or np.isnan(durations).any() or (durations < 0).any():
        raise ValueError("times and events need one value each; a time is 0 or more.")
    moments = np.unique(durations)
    at_risk = np.array([(durations >= moment).sum() for moment in moments], dtype=int)
    gone = np.array([(durations[ended] == moment).sum() for moment in moments], dtype=int)
    share = np.cumprod(1 - gone / np.maximum(at_risk, 1))
    left = at_risk - gone
    terms = np.where(left > 0, gone / np.maximum(at_risk * left, 1), 0.0)
    variance = share**2 * np.cumsum(terms)
    return pd.DataFrame(
        {"time": moments, "at_risk": at_risk, "events": gone, "share": share, "variance": variance}
    )


def quarters(times: Floats, events: npt.NDArray[np.bool_], horizon: int) -> tuple[Floats, Floats]:
    """Return how many were at risk in each quarter after the transformation, and relapsed in it.

    Who was followed for a part of a quarter only counts for that part.
    """
    exposed, relapsed = [], []
    for start in range(0, horizon, _QUARTER):
        inside = (times > start) | (start == 0)
        here = inside & (times <= start + _QUARTER) & events
        part = np.clip((times - start) / _QUARTER, 0, 1)
        exposed.append(float(np.where(here, 1.0, part)[inside].sum()))
        relapsed.append(float(here.sum()))
    return np.array(exposed), np.array(relapsed)


def product_of_quarters(exposed: Floats, relapsed: Floats) -> tuple[Floats, Floats]:
    """Return the distribution of the true share: shares, falling, and their probabilities.

    The hazard of quarter j is Beta(1/4 + d_j, 1 + n_j - d_j), the quarters are independent, and the
    share is the product of 1 - hazard. The product is worked out on a grid of its logarithm, so
    nothing is random.
    """
    edges = np.exp(-_LOG_STEP * np.arange(_LOG_STEPS))
    size = 2 * _LOG_STEPS
    spectrum = np.ones(size // 2 + 1, dtype=complex)
    for n, d in zip(exposed, relapsed, strict=True):
        above = 1 - beta.cdf(edges, 1 + n - d, 0.25 + d)
        mass = np.diff(above, append=1.0)
        spectrum *= np.fft.rfft(mass, size)
    mass = np.clip(np.fft.irfft(spectrum, size)[:_LOG_STEPS], 0, None)
    middle = _LOG_STEP * (np.arange(_LOG_STEPS) + 0.5 * len(exposed))
    return np.exp(-middle), mass / mass.sum()


def probability_of_meeting(exposed: Floats, relapsed: Floats, target: float) -> float:
    """Return the probability that the true share reaches the target (`product_of_quarters`)."""
    shares, mass = product_of_quarters(exposed, relapsed)
    return float(mass[shares >= target].sum())


def _followed(watches: Iterable[Watch], as_of: date, window: int) -> list[tuple[str, float, bool]]:
    """Return hotspot, months followed and whether it relapsed, of those transformed lately."""
    rows = []
    for watch in watches:
        if not add_months(as_of, -window) <= watch.transformed_on <= as_of:
            continue
        relapsed = watch.relapsed_on is not None and watch.relapsed_on <= as_of
        end = watch.relapsed_on if relapsed and watch.relapsed_on is not None else as_of
        rows.append((watch.hotspot, months_between(watch.transformed_on, end), relapsed))
    return rows


def _at(
    steps: pd.DataFrame, times: Floats, events: npt.NDArray[np.bool_], moment: float
) -> tuple[float, float, float] | None:
    """Return share, variance and effective number at a moment; None when nobody got so far."""
    past = int(np.searchsorted(steps["time"].to_numpy(), moment, side="right"))
    share = float(steps["share"].to_numpy()[past - 1]) if past else 1.0
    variance = float(steps["variance"].to_numpy()[past - 1]) if past else 0.0
    reached = int((times >= moment).sum())
    if not len(times) or (reached == 0 and share > 0):
        return None
    if isclose(share, 0, abs_tol=1e-12) or isclose(share, 1, abs_tol=1e-12):
        # the formula says 0 / 0: as many as are known to have got there or to have relapsed
        decided = float(reached + (events & (times < moment)).sum())
        return round(share), 0.0, decided
    return share, variance, share * (1 - share) / variance


def _interval(share: float | None, effective: float | None, confidence: float) -> Interval | None:
    if share is None or effective is None:
        return None
    return wilson(share * effective, effective, confidence)


def _curve(
    steps: pd.DataFrame,
    times: Floats,
    events: npt.NDArray[np.bool_],
    window: int,
    confidence: float,
) -> pd.DataFrame:
    longest = min(float(times.max(initial=0)), window)
    relapses = steps.loc[steps["events"] > 0, "time"]
    moments = np.unique([*np.arange(0, longest + 1e-9), *relapses, longest])
    rows = []
    for moment in moments:
        found = _at(steps, times, events, moment)
        if found is None:
            continue
        share, _, effective = found
        band = _interval(share, effective, confidence)
        if band is not None:
            rows.append((moment, share, band.low, band.high, int((times >= moment).sum())))
    return pd.DataFrame(rows, columns=["month", "share", "low", "high", "at_risk"])


def _numbers(times: Floats, events: npt.NDArray[np.bool_], window: int) -> pd.DataFrame:
    months = range(0, window + 1, _QUARTER)
    return pd.DataFrame(
        {
            "month": list(months),
            "at_risk": [int((times >= month).sum()) for month in months],
            "relapsed": [int((times[events] <= month).sum()) for month in months],
        }
    )
