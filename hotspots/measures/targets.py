"""The two targets: shares with their denominators, intervals and an honest verdict.

- *Transformed share* of a plan year: hotspots of the plan assessed transformed / hotspots
  selected in the plan, carried-over ones included, withdrawn ones apart.
- *Non-relapse share* on a day, **official** reading: of all recognised transformations up to that
  day, those without a relapse by that day. **Cohort** reading of a plan year: of those transformed
  in that plan, without relapse by the end of the following year.

A verdict is `met`, `not_met` or `cannot_be_measured`; beside it stands whether the exact interval
lies wholly on one side of the target (`data_can_tell`), for with twelve hotspots it seldom does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import sqrt

from scipy.stats import beta, norm

from hotspots.programme.status import Enrolment, HotspotState, Watch


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a share, both ends between 0 and 1."""

    low: float
    high: float


@dataclass(frozen=True)
class TargetResult:
    """One target, measured.

    Attributes
    ----------
    reading : str
        `transformed`, `official` or `cohort`.
    target : float
        The share wanted.
    numerator, denominator : int
        What the share is made of; the denominator of a plan leaves out withdrawn hotspots.
    share : float or None
        None when the denominator is 0.
    interval : Interval or None
        Wilson, 95 %, of those already decided.
    verdict : str
        `met`, `not_met` or `cannot_be_measured`.
    why : str
        Code of the reason for the verdict.
    data_can_tell : bool
        Whether the exact (Clopper-Pearson) 95 % interval lies wholly on one side of the target.
    behind : dict of str to tuple of str
        The hotspots behind each part of the number.
    """

    reading: str
    target: float
    numerator: int
    denominator: int
    share: float | None
    interval: Interval | None
    verdict: str
    why: str
    data_can_tell: bool
    behind: dict[str, tuple[str, ...]]

    def count(self, part: str) -> int:
        """Return how many hotspots stand behind one part."""
        return len(self.behind.get(part, ()))


def wilson(part: float, whole: float, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of a share, two-sided.

    The numbers need not be whole: an effective number of hotspots will do.

    Wilson, E. B. (1927), J. Am. Stat. Assoc. 22, 209-212; without continuity correction.

    Raises
    ------
    ValueError
        Unless 0 <= part <= whole and whole > 0.

    Examples
    --------
    >>> interval = wilson(13, 14)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.685, 0.987)
    """
    if not 0 <= part <= whole or whole == 0:
        raise ValueError(f"{part} of {whole} is not a share; 0 <= part <= whole, whole > 0.")
    z = float(norm.ppf(0.5 + confidence / 2))
    share, z2 = part / whole, z * z
    centre = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = z / (1 + z2 / whole) * sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    return Interval(
        max(0.0, centre - half) if part else 0.0, min(1.0, centre + half) if part < whole else 1.0
    )


def transformed_share(
    states: Iterable[HotspotState], plan_year: int | None, target: float
) -> TargetResult:
    """Measure the transformed share of one plan year, or of all together (None).

    While hotspots are still open the target counts as met once enough are transformed, as missed
    once too few can still be; in between it cannot be measured yet.

    Parameters
    ----------
    states : iterable of HotspotState
        On the day asked about.
    plan_year : int or None
    target : float
        For example 0.60.
    """
    behind = _by_outcome(
        enrolment
        for state in states
        for enrolment in state.enrolments
        if plan_year in (None, enrolment.plan_year)
    )
    done, failed = len(behind["transformed"]), len(behind["not_transformed"])
    selected = done + failed + len(behind["open"])
    if selected == 0:
        verdict, why = "cannot_be_measured", "nothing_selected"
    elif _reaches(done, selected, target):
        verdict, why = "met", "enough_transformed"
    elif not _reaches(selected - failed, selected, target):
        verdict, why = "not_met", "too_few_possible"
    else:
        verdict, why = "cannot_be_measured", "not_assessed_yet"
    return _result("transformed", target, done, selected, done + failed, verdict, why, behind)


def non_relapse_share(
    states: Iterable[HotspotState], as_of: date, target: float, watch_months: int
) -> TargetResult:
    """Measure the non-relapse share on a day, official reading.

    Each recognised transformation counts once; a hotspot transformed twice counts twice. While
    fewer than half were followed to the end of the watch period (or relapsed), a share above the
    target proves nothing yet.

    Parameters
    ----------
    states : iterable of HotspotState
        On the day `as_of`.
    watch_months : int
        Length of the watch period.
    """
    watches = [watch for state in states for watch in state.watches]
    behind = _by_relapse(watches)
    behind["followed"] = tuple(
        watch.hotspot
        for watch in watches
        if watch.relapsed_on is not None or watch.completed(as_of, watch_months)
    )
    kept, whole = len(behind["kept"]), len(watches)
    if whole == 0:
        verdict, why = "cannot_be_measured", "nothing_transformed"
    elif not _reaches(kept, whole, target):
        verdict, why = "not_met", "too_many_relapsed"
    elif 2 * len(behind["followed"]) < whole:
        verdict, why = "cannot_be_measured", "nobody_followed_long_enough"
    else:
        verdict, why = "met", "few_relapsed"
    result = _result("official", target, kept, whole, whole, verdict, why, behind)
    if verdict != "met":
        return result
    # Those still followed may relapse yet: the data can tell only if even then it were met.
    sure = len(behind["followed"]) - len(behind["relapsed"])
    return replace(result, data_can_tell=_exact_low(sure, whole) >= target)


def cohort_non_relapse(
    states: Iterable[HotspotState], plan_year: int, as_of: date, target: float
) -> TargetResult:
    """Measure the non-relapse share of those transformed in one plan, by the end of the next year.

    Before that day it is met only in the sense of "not yet missed", so it cannot be measured,
    unless too many have relapsed already.
    """
    limit = date(plan_year + 1, 12, 31)
    watches = [watch for state in states for watch in state.watches if watch.plan_year == plan_year]
    behind = _by_relapse(watches, limit)
    kept, whole = len(behind["kept"]), len(watches)
    if whole == 0:
        verdict, why = "cannot_be_measured", "nothing_transformed"
    elif not _reaches(kept, whole, target):
        verdict, why = "not_met", "too_many_relapsed"
    elif as_of < limit:
        verdict, why = "cannot_be_measured", "year_not_over"
    else:
        verdict, why = "met", "few_relapsed"
    return _result("cohort", target, kept, whole, whole, verdict, why, behind)


def _reaches(part: int, whole: int, target: float) -> bool:
    """Tell whether part / whole >= target, without a rounding error deciding it."""
    return part >= target * whole - 1e-9


def exact_excludes(part: float, whole: float, target: float) -> bool:
    """Tell whether the exact 95 % interval lies wholly on one side of the target.

    Clopper and Pearson (1934), Biometrika 26, 404-413: stricter than Wilson, which would call one
    hotspot of one enough.
    """
    low = _exact_low(part, whole)
    high = float(beta.ppf(0.975, part + 1, whole - part)) if part < whole else 1.0
    return not low < target <= high


def _exact_low(part: float, whole: float) -> float:
    return float(beta.ppf(0.025, part, whole - part + 1)) if part else 0.0


def _by_outcome(enrolments: Iterable[Enrolment]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {
        name: [] for name in ("transformed", "not_transformed", "open", "withdrawn", "carried_over")
    }
    for enrolment in enrolments:
        groups[enrolment.outcome].append(enrolment.hotspot)
        if enrolment.carried_over:
            groups["carried_over"].append(enrolment.hotspot)
    return {name: tuple(sorted(hotspots)) for name, hotspots in groups.items()}


def _by_relapse(watches: Sequence[Watch], limit: date = date.max) -> dict[str, tuple[str, ...]]:
    relapsed = [w.hotspot for w in watches if w.relapsed_on is not None and w.relapsed_on <= limit]
    kept = [w.hotspot for w in watches if w.relapsed_on is None or w.relapsed_on > limit]
    return {"kept": tuple(sorted(kept)), "relapsed": tuple(sorted(relapsed))}


def _result(
    reading: str,
    target: float,
    part: int,
    whole: int,
    decided: int,
    verdict: str,
    why: str,
    behind: dict[str, tuple[str, ...]],
) -> TargetResult:
    interval = wilson(part, decided) if decided else None
    tells = decided > 0 and exact_excludes(part, decided, target)
    return TargetResult(
        reading=reading,
        target=target,
        numerator=part,
        denominator=whole,
        share=part / whole if whole else None,
        interval=interval,
        verdict=verdict,
        why=why,
        data_can_tell=tells and verdict != "cannot_be_measured",
        behind=behind,
    )
