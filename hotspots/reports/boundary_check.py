"""What is wrong with a boundary file, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from hotspots.text import Texts

_MOST_NAMED = 8


def check_lines(found: Mapping[str, Any], say: Texts) -> list[str]:
    """Return one sentence for each thing that a check of a boundary file found.

    Parameters
    ----------
    found : mapping
        The fields of `geo.check.BoundaryCheck`, nested ones as mappings too.
    """
    lines = [
        say(
            "check.units",
            units=found["units"],
            vertices=found["vertices"],
            area=say.number(found["area_km2"], 1),
        ),
        *_problems(found, say),
        *_shape(found, say),
    ]
    if found["published_areas"] is not None:
        lines += _areas(found["published_areas"], say)
    if found["comparison"] is not None:
        lines += _comparison(found["comparison"], say)
    return lines


def _problems(found: Mapping[str, Any], say: Texts) -> Iterator[str]:
    problems = found["problems"]
    if not problems:
        yield say("check.no_problems")
        return
    rows = [
        say(
            "import.row",
            row=item["row"],
            code=item["code"] or "–",
            reason=say(f"reject.{item['reason']}"),
        )
        + (f": {item['given']}" if item["given"] else "")
        for item in problems[:_MOST_NAMED]
    ]
    yield say("check.problems", count=len(problems), rows=_named(rows, len(problems), "; "))


def _shape(found: Mapping[str, Any], say: Texts) -> Iterator[str]:
    rings = found["invalid_rings"]
    yield say("check.rings", count=len(rings)) + _after(rings)
    pairs = [
        f"{o['a']}–{o['b']} ({say.number(o['area_ha'], 3)} ha)" for o in found["largest_overlaps"]
    ]
    yield say(
        "check.overlaps",
        count=found["overlapping_pairs"],
        area=say.number(found["overlap_ha"], 3),
    ) + _after(pairs)
    if found["gap_ha"] is None:
        yield say("check.not_cleaned", codes=", ".join(found["not_cleaned"]["codes"]) or "–")
    else:
        yield say("check.gaps", area=say.number(found["gap_ha"], 3))
    islands = found["islands"]
    if islands:
        yield say("check.islands", count=len(islands), codes=_named(islands, len(islands)))
    if found["cleaned"]:
        yield say("check.cleaned", change=say.number(found["largest_area_change_ha"] or 0, 4))
    elif found["not_cleaned"] is None:
        yield say("check.clean")


def _areas(areas: Mapping[str, Any], say: Texts) -> Iterator[str]:
    off = [
        f"{item['code']} ({say.number(item['published_km2'], 2)} → "
        f"{say.number(item['measured_km2'], 2)} km²)"
        for item in areas["off"]
    ]
    yield say("check.areas", compared=areas["compared"], off=len(off)) + _after(off)


def _comparison(other: Mapping[str, Any], say: Texts) -> Iterator[str]:
    yield say(
        "check.codes",
        edition=date.fromisoformat(other["edition"]),
        both=other["in_both"],
        here=other["only_here"],
        there=other["only_there"],
    )
    names = [
        f"{item['code']} ({item['name_there']} → {item['name']})"
        for item in other["first_other_names"]
    ]
    yield say("check.other_names", count=other["other_name"]) + _after(names, other["other_name"])
    yield say("check.other_codes", count=other["other_code"])
    if other["same_territory"] is not None:
        yield say("check.territory", both=other["territories"], same=other["same_territory"])


def _after(items: Sequence[str], total: int | None = None) -> str:
    """Return a list to stand behind a sentence, nothing for an empty one."""
    return f": {_named(items, len(items) if total is None else total)}" if items else ""


def _named(items: Iterable[str], total: int, between: str = ", ") -> str:
    shown = list(items)[:_MOST_NAMED]
    return between.join(shown) + (f"{between}…" if total > len(shown) else "")
