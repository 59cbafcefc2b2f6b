"""History across boundary changes in words: of a ward, of a crosswalk, of all counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from hotspots.reports.html import Cells
from hotspots.snapshot import CarriedPanel, Lineage, Part
from hotspots.text import Texts


def lineage_lines(lineage: Lineage, say: Texts) -> tuple[str, ...]:
    """Return one sentence for each edition a ward's history leads to; none without any."""
    own = say.ward(lineage.kind, lineage.name)
    day = date.fromisoformat(lineage.edition)
    before = [
        say(
            "lineage.same" if _unchanged(step.parts) else "lineage.made_of",
            ward=own,
            day=day,
            other=date.fromisoformat(step.edition),
            parts=" + ".join(_old_part(part, say) for part in step.parts),
        )
        for step in lineage.before
    ]
    after = [
        say(
            "lineage.became",
            ward=own,
            day=day,
            other=date.fromisoformat(step.edition),
            parts="; ".join(_new_part(part, say) for part in step.parts),
        )
        for step in lineage.after
    ]
    return (*before, *after)


def share_words(share: float | None, basis: str, say: Texts) -> str:
    """Return a share and what it rests on, or that it is not known."""
    if share is None:
        return say("lineage.unknown_share")
    return say("lineage.share", share=say.percent(share, 0), basis=say(f"basis.{basis}"))


def _unchanged(parts: Sequence[Part]) -> bool:
    return len(parts) == 1 and parts[0].whole


def _old_part(part: Part, say: Texts) -> str:
    name = say.ward(part.kind, part.name)
    if part.whole:
        return name
    return say("lineage.part", ward=name, share=share_words(part.share, part.basis, say))


def _new_part(part: Part, say: Texts) -> str:
    if not part.code:
        return say("lineage.lost", share=share_words(part.share, part.basis, say))
    name = say.ward(part.kind, part.name)
    if part.whole:
        return say("lineage.wholly", ward=name)
    return say("lineage.partly", ward=name, share=share_words(part.share, part.basis, say))


def crosswalk_lines(found: Mapping[str, Any], say: Texts) -> list[str]:
    """Return what was found in a crosswalk file, the doubtful wards by name.

    Parameters
    ----------
    found : mapping
        The fields of `geo.crosswalk.CrosswalkFindings`.
    """
    behind = found["cannot_be_carried"]
    weighed = found["divided"] - len(behind)
    lines = [say("crosswalk.pairs", pairs=found["pairs"], old=found["old_wards"])]
    if weighed:
        bases = "; ".join(
            say("crosswalk.basis", basis=say(f"basis.{basis}"), count=count)
            for basis, count in found["weights_from"].items()
        )
        lines.append(say("crosswalk.estimated", count=weighed, bases=bases))
    if behind:
        lines.append(say("crosswalk.behind", count=len(behind), wards=_wards(behind, len(behind))))
    if found["without_old_code"]:
        codes = _codes(found["without_old_code"])
        count = len(found["without_old_code"])
        lines.append(say("crosswalk.without_old_code", count=count, codes=codes))
    if found["set_aside"]:
        lines.append(say("crosswalk.set_aside", count=found["set_aside"]))
    missing = found["without_boundary"]
    if missing:
        lines.append(say("crosswalk.no_boundary", count=len(missing), wards=_wards(missing)))
    for name in ("old_without_pair", "new_without_pair"):
        if found[name]:
            codes = _codes(found[name])
            lines.append(say(f"crosswalk.{name}", count=len(found[name]), codes=codes))
    if found["other_names"]:
        code, given, there = found["other_names"][0]
        lines.append(
            say(
                "crosswalk.other_names",
                count=len(found["other_names"]),
                code=code,
                given=given,
                there=there,
            )
        )
    return lines


_MOST_NAMED = 8


def _codes(found: Sequence[str]) -> str:
    shown = ", ".join(found[:_MOST_NAMED])
    return shown if len(found) <= _MOST_NAMED else f"{shown}, …"


def _wards(found: Sequence[Sequence[str]], most: int = _MOST_NAMED) -> str:
    names = ", ".join(f"{name} ({code})" for code, name in found[:most])
    return names if len(found) <= most else f"{names}, …"


def carried_numbers(carried: CarriedPanel, say: Texts) -> dict[str, str]:
    """Return the four numbers of a carried panel: all, here, estimated, left behind."""
    here, behind = carried.carried_total, carried.behind_total
    estimated = say.percent(carried.estimated_total / here if here else 0.0)
    left = say.percent(behind / carried.total if carried.total else 0.0)
    return {
        "total": say.number(carried.total),
        "here": say.number(here),
        "estimated": f"{say.number(carried.estimated_total)} ({estimated})",
        "behind": f"{say.number(behind)} ({left})",
    }


def estimated_cells(carried: CarriedPanel, say: Texts) -> Cells:
    """Return the wards with an estimated part, the largest share first."""
    columns = ("ward", "ward_code", "count", "estimated", "share_estimated")
    rows = tuple(
        (str(name), str(code), say.number(count), say.number(estimated, 1), say.percent(share))
        for code, name, count, estimated, share in carried.estimated.itertuples()
    )
    return Cells(tuple(say(f"column.{column}") for column in columns), rows)


def behind_cells(carried: CarriedPanel, say: Texts) -> Cells:
    """Return the wards whose counts stayed behind, with the reason."""
    columns = ("ward", "ward_code", "edition", "count", "why")
    rows = tuple(
        (
            str(name) or "–",
            str(ward) or "–",
            say.day(date.fromisoformat(str(edition))),
            say.number(count),
            say(f"behind.{reason}"),
        )
        for edition, ward, name, reason, count in carried.behind().itertuples(index=False)
    )
    return Cells(tuple(say(f"column.{column}") for column in columns), rows)
