"""Which region, or which responsible unit, a ward belongs to, whatever edition the ward is of.

A region is a list of wards of one edition (`programme.plan.Region`). A ward of an earlier edition
belongs where the largest known part of it went, one of a later edition where the old ward belongs
that gave it the largest part of itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from geo.crosswalk import Crosswalk
from hotspots.editions import Editions
from hotspots.programme.plan import Region, Unit
from hotspots.programme.status import HotspotState


def groups_of_wards(
    groups: Mapping[str, Region] | Mapping[str, Unit],
    boundaries: Editions,
    wards: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], str]:
    """Return the code of the region or unit of wards; those of none are left out.

    Parameters
    ----------
    groups : mapping of str to Region or Unit
    boundaries : Editions
    wards : iterable of (code, edition)
    """
    listed = {(ward, each.edition): each.code for each in groups.values() for ward in each.wards}
    editions = sorted({each.edition for each in groups.values()})
    found = {}
    for ward, edition in dict.fromkeys(wards):
        places = [(ward, edition)]
        places += [
            (other, of_groups)
            for of_groups in editions
            if of_groups != edition
            for other in _largest_part(boundaries, ward, edition, of_groups)
        ]
        code = next((listed[place] for place in places if place in listed), None)
        if code is not None:
            found[ward, edition] = code
    return found


def groups_of_hotspots(
    groups: Mapping[str, Region] | Mapping[str, Unit],
    boundaries: Editions,
    states: Iterable[HotspotState],
) -> dict[str, str]:
    """Return the code of the region or unit of each hotspot's ward; those of none are left out."""
    where = {
        state.hotspot: (state.place.ward, state.place.edition) for state in states if state.place
    }
    of_wards = groups_of_wards(groups, boundaries, where.values())
    return {name: of_wards[place] for name, place in where.items() if place in of_wards}


def _largest_part(boundaries: Editions, ward: str, edition: str, other: str) -> list[str]:
    """Return the ward of another edition that has most to do with a ward, if it is known."""
    crosswalk = boundaries.route(*sorted((edition, other)))
    if crosswalk is None:
        return []
    parts = _parts(crosswalk, ward, forward=edition < other)
    known = parts.dropna(subset=["weight"])
    if known.empty:  # of a single part the share does not matter
        return [str(code) for code in parts["code"]] if len(parts) == 1 else []
    return [str(known.sort_values(["weight", "code"])["code"].iloc[-1])]


def _parts(crosswalk: Crosswalk, ward: str, *, forward: bool) -> pd.DataFrame:
    found = crosswalk.children(ward) if forward else crosswalk.parents(ward)
    return found.rename(columns={"new_code" if forward else "old_code": "code"})[["code", "weight"]]
