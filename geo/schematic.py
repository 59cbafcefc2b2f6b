"""Stand-in polygons from seat points, where no boundary file is there: a sketch, to be marked so.

A ward gets the places nearer to its seat than to any other seat, within an outline grown around the
seats by the wards' areas. The straight borders are then bent by a smooth field, the same for both
sides of a border, so that the sketch reads as a map of a city and not as cut glass. The outline and
the borders are invented: nothing may be measured on them, and points must not be placed in them as
if they were real.
"""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from geo.coverage import (
    COMPUTING_CRS,
    STORAGE_CRS,
    clean_in_metres,
    settle,
    valid_in_metres,
)
from geo.errors import GeoError
from geo.wards import inside_viet_nam, wards_table

SEAT_COLUMNS = ("code", "name", "kind", "lon", "lat", "area_km2")

# Seats whose discs are farther apart than this belong to different pieces of land.
_STRAIT_M = 20_000.0
# Outlines nearer than this could be bent into each other.
_SHORE_M = 5_000.0
_STEP_M = 250.0
# Strengths of bending, tried in turn until every seat lies in its own ward.
_BENDS = (0.10, 0.05, 0.02, 0.0)
_WAVES_M = (1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0)

Floats: TypeAlias = npt.NDArray[np.float64]
Positions: TypeAlias = npt.NDArray[np.intp]
Polygons: TypeAlias = npt.NDArray[Any]


def schematic_wards(seats: pd.DataFrame, edition: datetime.date) -> gpd.GeoDataFrame:
    """Wards table with sketched polygons: a valid coverage with every seat inside its own ward.

    Parameters
    ----------
    seats : DataFrame
        ``code``, ``name``, ``kind``, ``lon``, ``lat`` (degrees) and ``area_km2`` (published) of
        each ward. The areas shape the outline; a single ward's sketched area can differ widely from
        its own.
    edition : date
        Edition the sketch stands in for.

    Returns
    -------
    GeoDataFrame
        Columns as of ``geo.wards.read_wards``; ``area_km2`` is that of the sketch. The same seats
        give the same sketch.

    Raises
    ------
    GeoError
        Missing columns, seats that are no places in Viet Nam, areas that are not positive, or two
        wards with one seat or one code.

    Examples
    --------
    >>> seats = pd.DataFrame({
    ...     "code": ["1", "2", "3"], "name": ["Một", "Hai", "Côn Đảo"],
    ...     "kind": ["xa", "xa", "dac_khu"],
    ...     "lon": [106.7, 106.78, 106.6], "lat": [10.8, 10.8, 8.7], "area_km2": [100, 100, 70]})
    >>> wards = schematic_wards(seats, datetime.date(2025, 7, 1))
    >>> round(float(wards["area_km2"].sum()), -2), len(wards.union_all().geoms)
    (300.0, 2)
    """
    _refuse_bad_seats(seats)
    places = _in_metres(seats)
    areas = seats["area_km2"].to_numpy(dtype=float) * 1e6

    cells = np.empty(len(seats), dtype=object)
    for piece, outline in _pieces_of_land(places, areas):
        cells[piece] = _cells(places[piece], outline)

    codes = seats["code"].to_numpy(dtype=object)
    polygons = settle(_bent(cells, places), codes)
    return wards_table(codes, seats["name"], seats["kind"], edition, polygons)


def _refuse_bad_seats(seats: pd.DataFrame) -> None:
    missing = [column for column in SEAT_COLUMNS if column not in seats.columns]
    if missing:
        raise GeoError(
            "column_missing",
            f"The seats lack the columns {missing}; needed are {list(SEAT_COLUMNS)}.",
            missing=tuple(missing),
            columns=tuple(seats.columns),
        )
    placed = inside_viet_nam(seats["lon"].to_numpy(dtype=float), seats["lat"].to_numpy(dtype=float))
    bad = ~placed | ~(seats["area_km2"].to_numpy(dtype=float) > 0)
    bad |= seats.duplicated(["lon", "lat"], keep=False).to_numpy()
    bad |= seats["code"].duplicated(keep=False).to_numpy()
    if bad.any() or seats.empty:
        codes = tuple(seats["code"][bad])
        raise GeoError(
            "bad_seats",
            f"{len(codes)} of {len(seats)} seats cannot be used: {', '.join(map(str, codes))}. "
            "Every ward needs a code and a place of its own in Viet Nam and an area above 0.",
            codes=codes,
        )


def _in_metres(seats: pd.DataFrame) -> Floats:
    points = gpd.GeoSeries.from_xy(seats["lon"], seats["lat"], crs=STORAGE_CRS).to_crs(
        COMPUTING_CRS
    )
    return shapely.get_coordinates(points.to_numpy())


def _pieces_of_land(places: Floats, areas: Floats) -> list[tuple[Positions, shapely.Polygon]]:
    """Positions of the wards of each piece, and its outline: the mainland, and islands far off."""
    radii = np.sqrt(areas / np.pi)
    apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1)) - radii - radii[:, None]
    pieces = _groups(np.argwhere(apart < _STRAIT_M).T, len(places))
    while True:
        outlines = [_outline(places[piece], areas[piece]) for piece in pieces]
        # Growing can reach an island, or close a bay around one: then it is no island any more.
        pairs = shapely.STRtree(outlines).query(outlines, predicate="dwithin", distance=_SHORE_M)
        joined = _groups(pairs, len(pieces))
        if len(joined) == len(pieces):
            return list(zip(pieces, outlines, strict=True))
        pieces = [np.concatenate([pieces[number] for number in group]) for group in joined]


def _groups(pairs: Positions, count: int) -> list[Positions]:
    """Positions that hang together by pairs."""
    near = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(count, count))
    groups, group = connected_components(near, directed=False)
    return [np.flatnonzero(group == number) for number in range(groups)]


def _points(places: Floats) -> Polygons:
    points: Polygons = np.asarray(gpd.points_from_xy(*places.T), dtype=object)
    return points


# --- the outline


def _outline(places: Floats, areas: Floats) -> shapely.Polygon:
    """Land around the seats with the wards' total area, one piece without holes.

    Discs by area alone leave a fringe of bubbles and holes between them. Closing (grow, then
    shrink) fills the holes and the sharp bays, opening (the reverse) takes the thin spits away, and
    straight simplified edges take the roundness away; the later bending makes a coast of them.
    """
    smallest, largest = 0.3, 3.0
    for _ in range(12):
        scale = (smallest + largest) / 2
        outline = _land(places, areas, scale)
        if outline.area < areas.sum():
            smallest = scale
        else:
            largest = scale
    return outline


def _land(places: Floats, areas: Floats, scale: float) -> shapely.Polygon:
    radii = np.sqrt(areas / np.pi) * scale
    rounding = float(np.median(radii))
    discs: Any = shapely.union_all(shapely.buffer(_points(places), radii))
    closed = _closed(discs, 3 * rounding)
    smooth = closed.buffer(-rounding / 2).buffer(rounding).buffer(-rounding / 2)
    # The seats keep a strip of land around them, whatever was opened or straightened.
    own = shapely.union_all(shapely.buffer(_points(places), radii / 3, quad_segs=2))
    edged: Any = smooth.simplify(rounding / 4).union(own)
    return shapely.Polygon(_closed(edged, 3 * rounding).exterior)


def _closed(land: Any, width: float) -> shapely.Polygon:
    """Grown and shrunk again; what is still apart is tied on by a strip of land."""
    # The corners of a wide buffer cut off more than a small disc is wide: put the land back.
    closed = land.buffer(width).buffer(-width).union(land)
    while not isinstance(closed, shapely.Polygon):
        first, *others = closed.geoms
        strip = shapely.shortest_line(first, shapely.MultiPolygon(others))
        closed = closed.union(strip.buffer(width / 4))
    return shapely.Polygon(closed.exterior)


# --- the cells


def _cells(places: Floats, outline: shapely.Polygon) -> Polygons:
    """The part of the outline that is nearest to each place, in the order of the places."""
    voronoi = shapely.voronoi_polygons(
        shapely.MultiPoint(places), extend_to=outline.buffer(1_000), ordered=True
    )
    cut = shapely.intersection(shapely.get_parts(voronoi), outline)
    parts, owner = shapely.get_parts(cut, return_index=True)
    seated = shapely.intersects(parts, _points(places)[owner])
    cells = np.empty(len(places), dtype=object)
    cells[owner[seated]] = parts[seated]
    # A bay can cut a cell in two; the piece without the seat goes to the neighbour around it.
    for part in parts[~seated]:
        shared = shapely.length(shapely.intersection(cells, part))
        if shared.max() > 0:
            cells[shared.argmax()] = cells[shared.argmax()].union(part)
    return clean_in_metres(cells, snapping_distance=1.0)


# --- the bending


def _bent(cells: Polygons, places: Floats) -> Polygons:
    """The cells with bent borders; less bent where a seat would leave its ward."""
    seats = _points(places)
    # On a grid of 1 m both sides of a border get the very same new vertices.
    fine = shapely.set_precision(shapely.segmentize(cells, _STEP_M), 1.0, mode="pointwise")
    for strength in _BENDS:
        moved = shapely.transform(fine, partial(_pushed, places=places, strength=strength))
        whole = clean_in_metres(valid_in_metres(moved), snapping_distance=1.0)
        if shapely.contains_properly(whole, seats).all():
            return whole
    raise GeoError("sketch_failed", "The seats lie too close together for a sketch.")


def _pushed(xy: Floats, places: Floats, strength: float) -> Floats:
    """The vertices, moved by smooth waves as large as the wards around them.

    The waves are a small share of the distance to the nearest seat, so that borders keep clear of
    seats and, changing slowly against that distance, of each other. The caller checks the seats and
    cleans what crosses all the same.
    """
    distance = KDTree(places).query(xy)[0][:, None]
    push = np.zeros_like(xy)
    for turn, wave in enumerate(_WAVES_M):
        fits = np.exp(-(np.log((distance + 1) / wave) ** 2))
        phase = 2 * np.pi * xy[:, ::-1] / wave + np.array([1.3, 4.1]) * (turn + 1)
        across = 2 * np.pi * xy / (1.7 * wave) + np.array([2.2, 0.7]) * (turn + 1)
        push += strength * wave * fits * (np.sin(phase) + np.sin(across + np.sin(phase))) / 2
    return xy + push
