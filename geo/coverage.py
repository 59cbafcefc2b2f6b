"""Polygons that must tile an area: what is wrong with them, and the nearest tiling that is right.

Works in metres (the computing CRS) and gives back degrees (the storage CRS). A coverage is valid
when no two polygons overlap and shared borders have the same vertices on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from geo.errors import GeoError

STORAGE_CRS = "EPSG:4326"
# UTM 48 N: metres, true to .1 % over southern Viet Nam. Named once, here; geo.wards hands it on.
COMPUTING_CRS = "EPSG:32648"

# Narrower holes between units are digitising slivers; wider ones (lakes, enclaves) are left alone.
GAP_WIDTH_M = 10.0

# A repaired ring that has grown more than this was a scribble, not a boundary with a slip in it.
_MAX_GROWTH = 3
_GRIDS_M = (0.0, 0.001, 0.01, 0.1, 1.0)
_M2_PER_HA = 10_000.0

Polygons: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class CleanedCoverage:
    """A valid coverage in degrees and what it took to get there; areas in hectares."""

    polygons: Polygons
    invalid: npt.NDArray[np.bool_]
    overlap_ha: float
    gap_ha: float
    largest_area_change_ha: float
    cleaned: bool


def clean_coverage(polygons: Polygons, codes: npt.NDArray[Any]) -> CleanedCoverage:
    """Valid coverage nearest to the polygons (degrees); untouched when nothing is wrong with it.

    Raises
    ------
    GeoError
        A unit vanishes in the cleaning, or no valid coverage is found.

    Examples
    --------
    >>> from shapely import box
    >>> overlapping = np.array([box(106, 10, 106.2, 10.2), box(106.1, 10, 106.3, 10.2)])
    >>> found = clean_coverage(overlapping, np.array(["1", "2"]))
    >>> found.cleaned, round(found.overlap_ha / 100)
    (True, 242)
    >>> bool(shapely.coverage_is_valid(found.polygons))
    True
    """
    invalid = ~shapely.is_valid(polygons)
    metres = to_metres(polygons)
    if not invalid.any() and _is_clean(polygons) and not _has_slivers(metres):
        return CleanedCoverage(polygons, invalid, 0.0, 0.0, 0.0, cleaned=False)

    repaired = _repair(metres, invalid, codes)
    stored = settle(clean_in_metres(repaired, gap_width=GAP_WIDTH_M), codes)
    after = to_metres(stored)
    return CleanedCoverage(
        stored,
        invalid,
        _overlap_m2(repaired) / _M2_PER_HA,
        _gap_m2(repaired, after) / _M2_PER_HA,
        float(np.abs(shapely.area(after) - shapely.area(repaired)).max()) / _M2_PER_HA,
        cleaned=True,
    )


def settle(metres: Polygons, codes: npt.NDArray[Any]) -> Polygons:
    """The coverage in degrees, still valid there.

    Vertices that almost meet in metres can cross by the last digit in degrees. Both sides of a
    border go through the same formula, so as a rule nothing happens; where it does, the coverage is
    put on a grid of a millimetre (then a centimetre, ...) and cleaned there: that keeps vertices
    apart.
    """
    for grid in _GRIDS_M:
        tried = metres if grid == 0 else _on_grid(metres, grid)
        _refuse_lost(tried, codes)
        stored = to_degrees(tried)
        if _is_clean(stored):
            return stored
    raise GeoError(
        "coverage_not_cleaned",
        "No valid coverage was found: the boundaries are too tangled. Correct them in a map "
        "program (check validity, snap to a grid of 1 m) and load them again.",
    )


def valid_in_metres(polygons: Polygons) -> Polygons:
    """Valid polygons with the same area; lines and points that fall out are dropped.

    ``method="linework"`` would keep every crossing of a scribble: 300 random vertices took a minute
    and became 25,000.
    """
    return shapely.make_valid(polygons, method="structure", keep_collapsed=False)


def clean_in_metres(
    polygons: Polygons, *, gap_width: float = 0.0, snapping_distance: float = -1
) -> Polygons:
    """``shapely.coverage_clean`` (2.2), which the stubs (2.1) do not know yet."""
    cleaned: Polygons = shapely.coverage_clean(  # type: ignore[attr-defined]
        polygons, gap_width=gap_width, snapping_distance=snapping_distance
    )
    return cleaned


def covered_share(polygons: Polygons, by: Polygons) -> npt.NDArray[np.float64]:
    """Share of each polygon's area (degrees) that a coverage covers, 0 to 1.

    Examples
    --------
    >>> from shapely import box
    >>> covered_share(
    ...     np.array([box(106, 10, 106.1, 10.1), box(106.1, 10, 106.3, 10.1)]),
    ...     np.array([box(106, 10, 106.2, 10.1)])).round(2).tolist()
    [1.0, 0.5]
    """
    metres = to_metres(polygons)
    whole = shapely.coverage_union_all(to_metres(by))
    shares: npt.NDArray[np.float64] = shapely.area(shapely.intersection(metres, whole))
    return np.minimum(shares / shapely.area(metres), 1.0)


def to_metres(polygons: Polygons) -> Polygons:
    """Degrees (storage CRS) to metres (computing CRS)."""
    return _projected(polygons, STORAGE_CRS, COMPUTING_CRS)


def to_degrees(polygons: Polygons) -> Polygons:
    """Metres (computing CRS) to degrees (storage CRS)."""
    return _projected(polygons, COMPUTING_CRS, STORAGE_CRS)


def _projected(polygons: Polygons, source: str, target: str) -> Polygons:
    projected: Polygons = gpd.GeoSeries(polygons, crs=source).to_crs(target).to_numpy()
    return projected


def _is_clean(polygons: Polygons) -> bool:
    return bool(
        shapely.is_valid(polygons).all()
        and not shapely.is_empty(polygons).any()
        and shapely.coverage_is_valid(polygons)
    )


def _has_slivers(metres: Polygons) -> bool:
    """Whether units leave a hole between them too narrow to be real."""
    whole = shapely.get_parts(shapely.coverage_union_all(metres))
    holes = shapely.polygons(shapely.get_rings(whole)[_hole_rings(whole)])
    return bool(shapely.is_empty(shapely.buffer(holes, -GAP_WIDTH_M / 2)).any())


def _hole_rings(polygons: Polygons) -> npt.NDArray[np.bool_]:
    """Which of ``get_rings(polygons)`` are holes: every ring but the first of its polygon."""
    _, owner = shapely.get_rings(polygons, return_index=True)
    return np.concatenate([[False], owner[1:] == owner[:-1]])[: len(owner)]


def _repair(metres: Polygons, invalid: npt.NDArray[np.bool_], codes: npt.NDArray[Any]) -> Polygons:
    repaired = metres.copy()
    repaired[invalid] = valid_in_metres(metres[invalid])
    _refuse_lost(repaired, codes)
    grown = shapely.get_num_coordinates(repaired) > _MAX_GROWTH * np.maximum(
        shapely.get_num_coordinates(metres), 8
    )
    if grown.any():
        raise GeoError(
            "ring_too_tangled",
            f"The boundary of {', '.join(codes[grown])} crosses itself so often that no area can "
            "be made of it. Draw it again.",
            codes=tuple(codes[grown]),
        )
    return repaired


def _on_grid(metres: Polygons, grid: float) -> Polygons:
    snapped = shapely.set_precision(metres, grid, mode="pointwise")
    return clean_in_metres(valid_in_metres(snapped), snapping_distance=grid)


def _refuse_lost(polygons: Polygons, codes: npt.NDArray[Any]) -> None:
    lost = shapely.is_empty(polygons) | (shapely.area(polygons) == 0)
    if lost.any():
        raise GeoError(
            "unit_lost",
            f"Nothing is left of {', '.join(codes[lost])} after cleaning: it has no area, or lies "
            "wholly under another unit. Remove the duplicate or correct its boundary.",
            codes=tuple(codes[lost]),
        )


def overlaps(
    metres: Polygons,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Positions of every two units that touch or overlap, and the square metres both claim."""
    left, right = shapely.STRtree(metres).query(metres, predicate="intersects")
    left, right = left[left < right], right[left < right]
    return left, right, shapely.area(shapely.intersection(metres[left], metres[right]))


def _overlap_m2(metres: Polygons) -> float:
    """Area covered twice, summed over pairs (three units over one spot count it three times)."""
    return float(overlaps(metres)[2].sum())


def _gap_m2(before: Polygons, after: Polygons) -> float:
    """Area that no unit had and one has now."""
    filled = shapely.difference(shapely.coverage_union_all(after), shapely.union_all(before))
    return float(shapely.area(filled))
