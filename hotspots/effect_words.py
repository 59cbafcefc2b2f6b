"""Whether it worked, in words and numbers that can be checked: for the screen and the console."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
import pandas as pd

from hotspots.effects import Effects, Familiar, HotspotEffect
from hotspots.measures.effect import CONFIDENCE, Outcome, Pair
from hotspots.relapse_watch import Assessment
from hotspots.reports.html import Cells
from hotspots.snapshot import Snapshot
from hotspots.text import Texts

_METHODS = ("band", "before_after", "wdd", "wdd_phi")


def outcome_lines(effect: HotspotEffect, say: Texts) -> tuple[str, ...]:
    """Say what was counted and expected, what follows from it, and how to check it."""
    return tuple(_outcome_lines(effect, say))


def _outcome_lines(effect: HotspotEffect, say: Texts) -> Iterator[str]:
    found = effect.outcome
    whole = {
        "observed": _whole(found.observed, say),
        "expected": _whole(found.expected, say),
        "low": _whole(found.low, say),
        "high": _whole(found.high, say),
        "confidence": say.percent(CONFIDENCE, 0),
    }
    first, last = say.month(str(effect.first)), say.month(str(effect.last))
    yield say("effect.counted", first=first, last=last, months=found.months, **whole)
    yield say(
        f"effect.{found.why}",
        low=whole["low"],
        share=say.percent(max(found.least_visible, 0.0), 0),
        chance=_probability(found.chance, say),
    )
    yield say(
        "effect.by_hand",
        level=say.number(effect.level, 2),
        months=found.months,
        trend=say.number(effect.trend, 3),
        controls=effect.controls,
        expected=whole["expected"],
    )
    if effect.familiar is not None:
        yield _fallen_anyway(effect.familiar, found, say)
    if effect.margin is not None:
        yield say(
            "effect.margin",
            months=effect.margin.months,
            window=_whole(effect.margin.window, say),
            threshold=_whole(effect.margin.threshold, say),
            below=_probability(effect.margin.below, say),
        )


def _fallen_anyway(familiar: Familiar, found: Outcome, say: Texts) -> str:
    drop = round(familiar.before) - round(found.expected)
    key = "fallen_anyway" if drop > 0 else "not_fallen_anyway"
    expected = _whole(found.expected, say)
    return say(
        f"effect.{key}", before=_whole(familiar.before, say), expected=expected, drop=str(drop)
    )


def neighbour_lines(familiar: Familiar, say: Texts) -> tuple[str, ...]:
    """Say what became of the neighbouring wards that are not on the list."""
    lines = []
    if familiar.displacement is None:
        lines.append(say("effect.no_neighbours"))
    else:
        lines.append(
            say(
                "effect.neighbours",
                names=", ".join(familiar.neighbours),
                own=_pair(familiar.around, say),
                control=_pair(familiar.around_control, say),
            )
        )
        lines.append(say(f"effect.displaced_{familiar.displacement.verdict}"))
    if familiar.left_out:
        lines.append(say("effect.left_out", names=", ".join(familiar.left_out)))
    return tuple(lines)


def familiar_title(familiar: Familiar, say: Texts) -> str:
    """Return the number people know, with what is to be known about it."""
    return say("effect.familiar_title", estimate=_signed(familiar.difference.estimate, say))


def familiar_lines(familiar: Familiar, say: Texts) -> tuple[str, ...]:
    """Say the familiar numbers, each with what it is made of."""
    return tuple(_familiar_lines(familiar, say))


def _familiar_lines(familiar: Familiar, say: Texts) -> Iterator[str]:
    difference, harm, ratio = familiar.difference, familiar.harm, familiar.ratio
    confidence = say.percent(CONFIDENCE, 0)
    yield say(
        "effect.wdd",
        estimate=_signed(difference.estimate, say),
        low=_signed(difference.low, say),
        high=_signed(difference.high, say),
        phi=say.number(familiar.phi, 2),
        confidence=confidence,
    )
    yield say(
        "effect.wdd_parts",
        own=_pair((familiar.before, familiar.after), say),
        count=len(familiar.similar),
        names=", ".join(familiar.similar),
        control=_pair(familiar.control, say),
    )
    yield say(
        "effect.harm",
        estimate=_signed(harm.estimate, say),
        low=_signed(harm.low, say),
        high=_signed(harm.high, say),
        confidence=confidence,
    )
    yield say(
        "effect.ratio",
        ratio=say.number(ratio.ratio, 2),
        low=say.number(ratio.low, 2),
        high=say.number(ratio.high, 2),
        confidence=confidence,
    )
    p = say.number(max(familiar.p, 0.001), 3)
    yield say("effect.e_test", p=f"< {p}" if familiar.p < 0.001 else f"= {p}")
    value = familiar.quotient.value
    shown = "" if value is None else _minus(say.number(value, 2))
    yield say(f"effect.wdq_{familiar.quotient.why}", value=shown)


def programme_lines(effects: Effects, say: Texts) -> tuple[str, ...]:
    """Say what the measured hotspots show together, and which were not measured."""
    return tuple(_programme_lines(effects, say))


def _programme_lines(effects: Effects, say: Texts) -> Iterator[str]:
    together = effects.programme
    if not effects.hotspots:
        yield say("effect.programme_nothing")
    elif together.change is None or together.low is None or together.high is None:
        yield say("effect.programme_too_few", hotspots=together.hotspots)
    else:
        yield say(
            "effect.programme",
            hotspots=together.hotspots,
            observed=_whole(effects.observed, say),
            expected=_whole(effects.expected, say),
            compared=together.compared,
            change=_change(together.change, say),
            low=_change(together.low, say),
            high=_change(together.high, say),
            confidence=say.percent(CONFIDENCE, 0),
        )
        yield say(f"effect.programme_{together.verdict}")
    if effects.hotspots:
        counts = {name: effects.count(name) for name in ("fewer", "more", "cannot_tell")}
        yield say("effect.programme_each", **counts)


def effect_problem_lines(effects: Effects, snapshot: Snapshot, say: Texts) -> tuple[str, ...]:
    """Return one line for each reason why hotspots could not be measured."""
    names = snapshot.hotspots["name"]
    by_reason: dict[str, list[str]] = {}
    for hotspot, error in effects.not_measured.items():
        by_reason.setdefault(say.error(error), []).append(f"{names[hotspot]} ({hotspot})")
    return tuple(
        say("effect.not_measured_names", count=len(found), names=", ".join(found), problem=problem)
        for problem, found in by_reason.items()
    )


def effect_cells(effects: Effects, say: Texts) -> Cells:
    """Return the measured hotspots as rows of text, the clearest falls first."""
    columns = ("hotspot", "since", "months", "observed", "expected", "band", "verdict")
    ordered = sorted(effects.hotspots.values(), key=lambda each: each.outcome.chance)
    return Cells(
        tuple(say(f"effect.column_{name}") for name in columns),
        tuple(
            (
                f"{each.name} ({each.hotspot})",
                say.day(each.since),
                str(each.outcome.months),
                _whole(each.outcome.observed, say),
                _whole(each.outcome.expected, say),
                f"{_whole(each.outcome.low, say)} – {_whole(each.outcome.high, say)}",
                say(f"effect.{each.outcome.verdict}"),
            )
            for each in ordered
        ),
    )


def placebo_shares(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return by method the share of made-up designations called a fall, and a rise."""
    return {
        method: {name: float(table[method].eq(name).mean()) for name in ("fewer", "more")}
        for method in _METHODS
    }


def placebo_lines(table: pd.DataFrame, say: Texts) -> tuple[str, ...]:
    """Say how often each method finds something where nothing was done."""
    if table.empty:
        return (say("effect.placebo_nothing"),)
    head = say("effect.placebo", count=len(table), origins=table["origin"].nunique())
    rows = (
        say(
            "effect.placebo_method",
            method=say(f"effect.method_{method}"),
            fewer=say.percent(shares["fewer"]),
            more=say.percent(shares["more"]),
        )
        for method, shares in placebo_shares(table).items()
    )
    return (head, *rows)


def as_data(effects: Effects) -> dict[str, object]:
    """Return everything measured as plain values, for JSON."""
    return {
        "as_of": effects.as_of,
        "programme": asdict(effects.programme)
        | {"observed": effects.observed, "expected": effects.expected},
        "hotspots": [_hotspot_data(each) for each in effects.hotspots.values()],
        "not_measured": {name: error.reason for name, error in effects.not_measured.items()},
    }


def _hotspot_data(effect: HotspotEffect) -> dict[str, object]:
    found = effect.outcome
    course = found.course.assign(month=found.course.index.astype(str))
    plain = ("hotspot", "name", "ward", "edition", "since", "level", "trend", "controls")
    numbers = ("observed", "expected", "low", "high", "chance", "verdict", "why", "months")
    return {
        **{name: getattr(effect, name) for name in plain},
        "first": str(effect.first),
        "last": str(effect.last),
        **{name: getattr(found, name) for name in numbers},
        "course": course.to_dict("records"),
        "familiar": None if effect.familiar is None else asdict(effect.familiar),
        "margin": None if effect.margin is None else asdict(effect.margin),
    }


def _whole(value: float, say: Texts) -> str:
    return say.number(value)


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _signed(value: float, say: Texts) -> str:
    shown = _minus(say.number(value))
    if shown in ("0", "−0"):
        return "0"
    return f"+{shown}" if value > 0 else shown


def _change(share: float, say: Texts) -> str:
    shown = _minus(say.percent(share, 0))
    return f"+{shown}" if share > 0 else shown


def _pair(counts: Pair, say: Texts) -> str:
    return f"{_whole(counts[0], say)}\xa0→\xa0{_whole(counts[1], say)}"


def _probability(p: float, say: Texts) -> str:
    """Write a probability; what is nearly sure is not written as certain."""
    if p < 0.01:
        return say("effect.under", share=say.percent(0.01, 0))
    return say("effect.over", share=say.percent(0.99, 0)) if p > 0.99 else say.percent(p, 0)


# -- beside an assessment


SAFE_FROM: Final = 0.8
"""From this probability of lying below the threshold an assessment is called safe."""


def assessment_lines(each: Assessment, say: Texts) -> tuple[str, ...]:
    """Say how safely a ward lay below the threshold, and whether it would have been anyway."""
    margin = say(
        "effect.assessment_margin",
        on=each.on,
        months=each.months,
        window=_whole(each.window, say),
        threshold=_whole(each.threshold, say),
        below=say.chance(each.below),
    )
    if np.isnan(each.anyway):
        return (margin, say("effect.assessment_anyway_unknown", since=each.since))
    return (
        margin,
        say(
            "effect.assessment_anyway",
            since=each.since,
            after=each.after,
            anyway=say.chance(each.anyway),
        ),
    )


def assessment_cells(found: Sequence[Assessment], snapshot: Snapshot, say: Texts) -> Cells:
    """Return the assessments as rows of text, the least safe first."""
    columns = ("ward", "assessed_on", "window", "threshold", "below", "anyway")
    ordered = sorted(found, key=lambda each: (each.below, each.hotspot))
    return Cells(
        tuple(say(f"column.{column}") for column in columns),
        tuple(
            (
                f"{snapshot.row(each.hotspot)['name']} ({each.hotspot})",
                say.day(each.on),
                _whole(each.window, say),
                _whole(each.threshold, say),
                say.chance(each.below),
                "–" if np.isnan(each.anyway) else say.chance(each.anyway),
            )
            for each in ordered
        ),
    )


def assessments_line(found: Sequence[Assessment], say: Texts) -> str:
    """Say of how many transformed hotspots a fall was to be expected without any programme."""
    known = [each.anyway for each in found if not np.isnan(each.anyway)]
    safe = sum(each.below >= SAFE_FROM for each in found)
    return say(
        "effect.assessments",
        safe=safe,
        count=len(found),
        from_=say.percent(SAFE_FROM, 0),
        known=len(known),
        expected=say.number(sum(known), 1),
        share=say.percent(sum(known) / len(known), 0) if known else "–",
    )
