"""From a point to the ward it lies in; a point without a ward comes back with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from geo.errors import GeoError
from geo.wards import STORAGE_CRS, inside_viet_nam

NOT_A_NUMBER = "not_a_number"
OUTSIDE = "outside"
SWAPPED_SUSPECTED = "swapped_suspected"

# Points are indexed this many at a time, so that memory does not grow with the file.
_CHUNK = 200_000


@dataclass(frozen=True)
class Assigned:
    """The ward of every point, in the order the points were given.

    Attributes
    ----------
    codes : ndarray of object
        Ward code, ``None`` where the point has no ward.
    reasons : ndarray of object
        ``""`` for a placed point, else ``"not_a_number"``, ``"outside"`` or
        ``"swapped_suspected"``.
    """

    codes: npt.NDArray[Any]
    reasons: npt.NDArray[Any]


def assign_wards(lon: npt.ArrayLike, lat: npt.ArrayLike, wards: gpd.GeoDataFrame) -> Assigned:
    """Ward of each point, exactly as ``shapely.intersects`` says.

    A point on the border of several wards goes to the lowest code, so that the same file always
    gives the same answer.

    Parameters
    ----------
    lon, lat : array_like of float
        Degrees (EPSG:4326), one pair per point.
    wards : GeoDataFrame
        A wards table in EPSG:4326; at least ``code`` and ``geometry``. Overlaps and holes are
        allowed.

    Returns
    -------
    Assigned
        A point whose latitude and longitude, exchanged, do lie in a ward or in Viet Nam is
        ``"swapped_suspected"``; nothing is exchanged silently.

    Examples
    --------
    >>> from shapely import box
    >>> wards = gpd.GeoDataFrame(
    ...     {"code": ["00001", "00002"]},
    ...     geometry=[box(106, 10, 107, 11), box(107, 10, 108, 11)], crs=4326)
    >>> assigned = assign_wards(
    ...     [106.5, 107.0, 10.5, 0.0, float("nan")], [10.5, 10.5, 106.5, 0.0, 10.0], wards)
    >>> assigned.codes.tolist()
    ['00001', '00001', None, None, None]
    >>> assigned.reasons.tolist()
    ['', '', 'swapped_suspected', 'outside', 'not_a_number']
    """
    x, y = _coordinates(lon, lat)
    codes, polygons = _polygons_by_code(wards)

    placed = _lowest_intersecting(x, y, polygons)
    without = np.flatnonzero(placed == len(codes))

    reasons = np.full(len(x), "", dtype=object)
    reasons[without] = _reasons_without_ward(x[without], y[without], polygons)
    return Assigned(np.append(codes, [None])[placed], reasons)


def _coordinates(
    lon: npt.ArrayLike, lat: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    x = np.asarray(lon, dtype=np.float64)
    y = np.asarray(lat, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise GeoError(
            "lengths_differ",
            f"{x.shape} longitudes and {y.shape} latitudes were given; give two flat arrays of one "
            "length.",
            lon=x.shape,
            lat=y.shape,
        )
    return x, y


def _polygons_by_code(wards: gpd.GeoDataFrame) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if wards.crs is None or wards.crs != STORAGE_CRS:
        raise GeoError(
            "crs_not_storage",
            f"Points are in {STORAGE_CRS} but the wards are in {wards.crs}; convert the wards with "
            "to_crs first.",
            crs=str(wards.crs),
        )
    codes = wards["code"].to_numpy(dtype=object)
    order = np.argsort(codes, kind="stable")
    return codes[order], wards.geometry.to_numpy()[order]


def _lowest_intersecting(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], polygons: npt.NDArray[Any]
) -> npt.NDArray[np.intp]:
    """Position of the first polygon that meets each point; ``len(polygons)`` where none does."""
    position = np.full(len(x), len(polygons), dtype=np.intp)
    numbers = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        # The tree holds the points and the polygons ask: GEOS prepares the asking side, so each
        # ward is prepared once and answers thousands of points.
        points: Any = shapely.points(x[chunk], y[chunk])
        tree = shapely.STRtree(points)
        asked, found = tree.query(polygons, predicate="intersects")
        np.minimum.at(position, chunk[found], asked)
    return position


def _reasons_without_ward(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], polygons: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    numbers = np.isfinite(x) & np.isfinite(y)
    swapped = inside_viet_nam(y, x) | (_lowest_intersecting(y, x, polygons) < len(polygons))
    return np.select(
        [~numbers, swapped], [NOT_A_NUMBER, SWAPPED_SUSPECTED], default=OUTSIDE
    ).astype(object)
