"""From a point to the ward it lies in; a point without a ward comes back with the reason."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
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

# Points are placed a million at a time, so that memory does not grow with the file: fewer leave too
# few near borders for sorting them by ward to help (a quarter of a million: half as much again for
# each). They are looked up in the raster in smaller parts, which stay in the processor's cache.
_CHUNK = 1 << 20
_LOOK_UP = 1 << 15

# Share of the wards' area that the border cells should cover, and the most cells of a raster:
# twice as many cost the nation more at random access than the exact tests they save.
_BORDER_SHARE = 0.05
_MOST_CELLS = 1 << 22
_MOST_CELLS_A_SIDE = 1 << 13

# Half a cell and a whole cell are left free around the wards: see _Raster.
_RIM = 1.5

# Cells this near to a border (in cells) count as border cells too: see _cells_on_borders.
_MARGIN = 1e-6

# Editions in use at one time are few, and an index takes tens of megabytes.
_KEPT_INDEXES = 4


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


def assign_wards(
    lon: npt.ArrayLike, lat: npt.ArrayLike, wards: gpd.GeoDataFrame | WardIndex
) -> Assigned:
    """Ward of each point, exactly as ``shapely.intersects`` says.

    A point on the border of several wards, or in wards that overlap, goes to the lowest code, so
    that the same file always gives the same answer.

    Parameters
    ----------
    lon, lat : array_like of float
        Degrees (EPSG:4326), one pair per point.
    wards : GeoDataFrame or WardIndex
        A wards table in EPSG:4326; at least ``code`` and ``geometry``. Overlaps and holes are
        allowed. The index made of a table is kept for the next call (the last four, found by
        their content: a table that was changed is never answered from an old index). Give a
        ``WardIndex`` to save reading the table each time.

    Returns
    -------
    Assigned
        A point whose latitude and longitude, exchanged, do lie in a ward or in Viet Nam is
        ``"swapped_suspected"``; nothing is exchanged silently.

    Raises
    ------
    GeoError
        ``"lengths_differ"``: not two flat arrays of one length; ``"crs_not_storage"``: the wards
        are not in EPSG:4326.

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
    index = wards if isinstance(wards, WardIndex) else _INDEXES.index_of(wards)
    assigned = Assigned(np.empty(len(x), dtype=object), np.full(len(x), "", dtype=object))
    for chunk in _pieces(len(x), _CHUNK):
        found = index._positions_of_chunk(x[chunk], y[chunk])
        codes, reasons = assigned.codes[chunk], assigned.reasons[chunk]
        for part in _pieces(len(found), _LOOK_UP):
            _write_codes(found[part], index, codes[part])
            _write_reasons(found[part], x[chunk][part], y[chunk][part], index, reasons[part])
    return assigned


class WardIndex:
    """The wards of one edition, ready to be asked for any number of points.

    A raster over the extent of the wards. Its cells hold a number: of the ward in which the whole
    cell lies, of "outside", or of the list of wards whose borders pass through the cell. Only
    points in cells with a border are tested exactly, against the wards of the list.

    The side of a cell follows from the wards. A border of length ``L`` passes through about
    ``4 L / (pi s)`` cells of side ``s`` (Buffon), so border cells cover ``4 L s / (pi A)`` of the
    wards' area ``A``; ``s`` makes that 5 %. ``L`` is half the sum of the perimeters as drawn, so
    many small wards and winding borders of many vertices lead to small cells, four squares to a
    raster of 100 columns. At most 4 million cells: the city of 168 wards gets about 1,450 columns,
    the nation about 2,000.

    Nothing changes once it is built, so several threads may ask the same index.

    Parameters
    ----------
    codes : ndarray of object
        Ward codes, ascending, not to be written to; ``positions`` counts along these.

    Notes
    -----
    Wards must be valid polygons: of a polygon that crosses itself GEOS itself gives different
    answers by different ways. Anything but polygons of usual size (lines, coordinates that are
    no numbers, an extent of no width) is allowed and asked one by one, slowly.

    Examples
    --------
    >>> from shapely import box
    >>> index = WardIndex.build(gpd.GeoDataFrame(
    ...     {"code": ["00002", "00001"]},
    ...     geometry=[box(106, 10, 107, 11), box(107, 10, 108, 11)], crs=4326))
    >>> index.codes.tolist()
    ['00001', '00002']
    >>> index.positions([107.5, 107.0, 106.5, 0.0], [10.5, 10.5, 10.5, 0.0]).tolist()
    [0, 0, 1, 2]
    """

    def __init__(
        self,
        codes: npt.NDArray[Any],
        polygons: npt.NDArray[Any],
        raster: _Raster,
        classes: npt.NDArray[np.unsignedinteger[Any]],
        lists: _CandidateLists,
    ) -> None:
        codes.setflags(write=False)
        self.codes = codes
        self._polygons = polygons
        self._raster = raster
        self._classes = classes
        self._lists = lists

    @classmethod
    def build(cls, wards: gpd.GeoDataFrame) -> WardIndex:
        """Index of a wards table in EPSG:4326; at least ``code`` and ``geometry``.

        Raises
        ------
        GeoError
            ``"crs_not_storage"``: the wards are not in EPSG:4326.
        """
        codes, wkb = _codes_and_wkb(wards)
        return cls._of_wkb(codes, wkb)

    @classmethod
    def _of_wkb(cls, codes: npt.NDArray[Any], wkb: npt.NDArray[Any]) -> WardIndex:
        polygons = _own_prepared(wkb)
        if _are_usual(polygons):
            raster = _Raster.over(polygons)
            painting = _painting(polygons, raster)
        else:
            raster = _Raster.one_cell()
            painting = _all_to_be_tested(len(polygons))
        classes, lists = _classes(painting, len(codes))
        return cls(codes, polygons, raster, classes, lists)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the raster, with the rim of empty cells around the wards."""
        return self._raster.rows, self._raster.columns

    def positions(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Number of the ward of each point in ``codes``; ``len(codes)`` for a point in none.

        Parameters
        ----------
        lon, lat : array_like of float
            Degrees (EPSG:4326), one pair per point. A point that is no number lies in no ward.

        Returns
        -------
        ndarray of int32
            To count points by ward, or to take from a table of wards; ``assign_wards`` has the
            codes and the reasons.

        Raises
        ------
        GeoError
            ``"lengths_differ"``: not two flat arrays of one length.
        """
        x, y = _coordinates(lon, lat)
        found = np.empty(len(x), dtype=np.int32)
        for chunk in _pieces(len(x), _CHUNK):
            found[chunk] = self._positions_of_chunk(x[chunk], y[chunk])
        return found

    def _positions_of_chunk(
        self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.int32]:
        classes = np.empty(len(x), dtype=self._classes.dtype)
        for part in _pieces(len(x), _LOOK_UP):
            classes[part] = self._classes.take(self._raster.cells(x[part], y[part]))
        found = classes.astype(np.int32)
        # Numbers up to len(codes) are wards and "outside", those above are lists.
        unsettled = np.flatnonzero(classes > len(self.codes))
        if len(unsettled):
            # By class, so that the tree of a ward is still in the cache for the next point.
            unsettled = unsettled[np.argsort(classes[unsettled], kind="stable")]
            found[unsettled] = self._tested(x[unsettled], y[unsettled], classes[unsettled])
        return found

    def _tested(
        self,
        x: npt.NDArray[np.float64],
        y: npt.NDArray[np.float64],
        classes: npt.NDArray[np.unsignedinteger[Any]],
    ) -> npt.NDArray[np.int32]:
        """Position of the first ward of its cell's list that a point meets, else of the cover."""
        found: npt.NDArray[np.int32] = self._lists.cover[classes]
        following, end = self._lists.start[classes], self._lists.end[classes]
        # Points that are no numbers come here only when all points do (see _Raster.one_cell).
        unsettled = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        while len(unsettled):
            ward = self._lists.wards[following[unsettled]]
            meets = shapely.intersects_xy(self._polygons[ward], x[unsettled], y[unsettled])
            found[unsettled[meets]] = ward[meets]
            unsettled = unsettled[~meets]
            following[unsettled] += 1
            unsettled = unsettled[following[unsettled] < end[unsettled]]
        return found


# --- asking


def _write_codes(found: npt.NDArray[np.int32], index: WardIndex, codes: npt.NDArray[Any]) -> None:
    # Without a mode take would fill a copy of the places first, in order to be able to fail.
    np.take(np.append(index.codes, [None]), found, out=codes, mode="clip")


def _write_reasons(
    found: npt.NDArray[np.int32],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    index: WardIndex,
    reasons: npt.NDArray[Any],
) -> None:
    without = np.flatnonzero(found == len(index.codes))
    if len(without):
        reasons[without] = _reasons_without_ward(x[without], y[without], index)


def _reasons_without_ward(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], index: WardIndex
) -> npt.NDArray[Any]:
    swapped = inside_viet_nam(y, x)
    # No latitude of Viet Nam is as large as its longitudes: this alone settles nearly all.
    abroad = np.flatnonzero(~swapped & (y >= index._raster.west))
    swapped[abroad] = index._positions_of_chunk(y[abroad], x[abroad]) < len(index.codes)
    kind = swapped.astype(np.intp)
    kind[~(np.isfinite(x) & np.isfinite(y))] = 2
    return np.array([OUTSIDE, SWAPPED_SUSPECTED, NOT_A_NUMBER], dtype=object).take(kind)


def _pieces(points: int, at_once: int) -> list[slice]:
    return [slice(start, start + at_once) for start in range(0, points, at_once)]


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


# --- the wards, and the indexes made of them


def _codes_and_wkb(wards: gpd.GeoDataFrame) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Codes, ascending, and polygons as WKB without height; a missing polygon is an empty one."""
    if wards.crs is None or wards.crs != STORAGE_CRS:
        raise GeoError(
            "crs_not_storage",
            f"Points are in {STORAGE_CRS} but the wards are in {wards.crs}; convert the wards with "
            "to_crs first.",
            crs=str(wards.crs),
        )
    codes = wards["code"].to_numpy(dtype=object)
    order = np.argsort(codes, kind="stable")
    polygons = wards.geometry.to_numpy()[order]
    polygons[shapely.is_missing(polygons)] = shapely.Polygon()
    return codes[order], shapely.to_wkb(polygons, output_dimension=2)


def _own_prepared(wkb: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Polygons that nobody else holds, prepared for several threads."""
    polygons: npt.NDArray[Any] = shapely.from_wkb(wkb)
    shapely.prepare(polygons)
    # GEOS builds the tree of a prepared polygon at the first question that its bounds do not
    # answer, without a lock. Asked here for a corner of the bounds, it is there before any thread.
    bounds = shapely.bounds(polygons)
    shapely.intersects_xy(polygons, bounds[:, 0], bounds[:, 1])
    return polygons


class _KeptIndexes:
    """The indexes used last, found by what the wards are, not by which table they came in."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._indexes: OrderedDict[bytes, WardIndex] = OrderedDict()

    def index_of(self, wards: gpd.GeoDataFrame) -> WardIndex:
        codes, wkb = _codes_and_wkb(wards)
        key = _digest(codes, wkb)
        # Built with the lock held: two pages opened at once build one index, not two.
        with self._lock:
            index = self._indexes.get(key) or WardIndex._of_wkb(codes, wkb)
            self._indexes[key] = index
            self._indexes.move_to_end(key)
            while len(self._indexes) > self._most:
                self._indexes.popitem(last=False)
        return index


_INDEXES = _KeptIndexes(_KEPT_INDEXES)


def _digest(codes: npt.NDArray[Any], wkb: npt.NDArray[Any]) -> bytes:
    content = hashlib.blake2b(repr(codes.tolist()).encode("utf-8", "surrogatepass"))
    for polygon in wkb:  # a WKB says itself where it ends, so none can run into the next
        content.update(polygon)
    return content.digest()


# --- the raster


@dataclass(frozen=True)
class _Raster:
    """Where the cells lie.

    ``across`` and ``up`` turn degrees into cells. The wards begin at 1.5, so that column and row 0
    and the last ones touch no ward with half a cell to spare: whatever lies outside is clipped to
    them, infinity and what is no number included.
    """

    west: float
    south: float
    cells_per_degree: float
    columns: int
    rows: int

    @classmethod
    def over(cls, polygons: npt.NDArray[Any]) -> _Raster:
        west, south, east, north = shapely.total_bounds(polygons)
        side = _side_of_a_cell(polygons, east - west, north - south)
        return cls(
            float(west),
            float(south),
            1 / side,
            math.ceil((east - west) / side) + 3,
            math.ceil((north - south) / side) + 3,
        )

    @classmethod
    def one_cell(cls) -> _Raster:
        """A raster without bounds: every point, and what is no number, is in the one cell."""
        return cls(-math.inf, -math.inf, 0.0, 1, 1)

    def across(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self._clipped(x, self.west, self.columns - 1)

    def up(self, y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self._clipped(y, self.south, self.rows - 1)

    def cells(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        cells = self.up(y).astype(np.intp)
        cells *= self.columns
        cells += self.across(x).astype(np.intp)
        return cells

    def _clipped(
        self, degrees: npt.NDArray[np.float64], origin: float, last: int
    ) -> npt.NDArray[np.float64]:
        with np.errstate(over="ignore", invalid="ignore"):
            cells = degrees - origin
            cells *= self.cells_per_degree
        cells += _RIM
        # Unlike maximum and clip, fmax makes 0 of what is no number.
        np.fmax(cells, 0, out=cells)
        return np.fmin(cells, last, out=cells)


def _are_usual(polygons: npt.NDArray[Any]) -> bool:
    """Whether all are polygons with proper coordinates and an extent that can be divided."""
    kinds = shapely.get_type_id(polygons[~shapely.is_empty(polygons)])
    if not len(kinds) or not np.isin(kinds, (3, 6)).all():
        return False
    # Within these limits the inverse of a side and the area of all wards are numbers.
    if not (np.abs(shapely.get_coordinates(polygons)) < 1e100).all():
        return False
    west, south, east, north = shapely.total_bounds(polygons)
    return bool(min(east - west, north - south) > 1e-100)


def _side_of_a_cell(polygons: npt.NDArray[Any], width: float, height: float) -> float:
    border = shapely.length(polygons).sum() / 2
    wanted = _BORDER_SHARE * shapely.area(polygons).sum() * math.pi / (4 * border)
    allowed = math.sqrt(width) * math.sqrt(height) / math.sqrt(_MOST_CELLS)
    return float(max(wanted, allowed, max(width, height) / _MOST_CELLS_A_SIDE))


@dataclass(frozen=True)
class _Borders:
    """The segments of all rings of all wards in cells of the raster, each drawn upwards."""

    x: npt.NDArray[np.float64]
    bottom: npt.NDArray[np.float64]
    dx: npt.NDArray[np.float64]
    top: npt.NDArray[np.float64]
    ward: npt.NDArray[np.intp]

    @classmethod
    def of(cls, polygons: npt.NDArray[Any], raster: _Raster) -> _Borders:
        parts, ward = shapely.get_parts(polygons, return_index=True)
        # Of a multipolygon get_rings gives nothing and says nothing, hence the parts.
        rings, part = shapely.get_rings(parts, return_index=True)
        corners, ring = shapely.get_coordinates(rings, return_index=True)
        first = np.flatnonzero(ring[1:] == ring[:-1])
        across, up = raster.across(corners[:, 0]), raster.up(corners[:, 1])
        downwards = up[first] > up[first + 1]
        lower, upper = first + downwards, first + ~downwards
        return cls(
            across[lower],
            up[lower],
            across[upper] - across[lower],
            up[upper],
            ward[part[ring[first]]],
        )

    def across_at(
        self, segment: npt.NDArray[np.intp], height: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Where segments are at a height, clipped to their ends; level ones at their start."""
        bottom = self.bottom[segment]
        dy = self.top[segment] - bottom
        rise = np.clip(height - bottom, 0, dy)
        share = np.divide(rise, dy, out=np.zeros_like(dy), where=dy > 0)
        return self.x[segment] + share * self.dx[segment]


@dataclass(frozen=True)
class _Painting:
    """What is known of the cells before anything is tested.

    Attributes
    ----------
    cover : ndarray
        For each cell the lowest ward in which it lies wholly, the number of wards if in none.
    on_border, of_ward : ndarray
        Cells that the border of a ward touches, and the ward: by cell, then ward, no pair twice.
    """

    cover: npt.NDArray[np.int32]
    on_border: npt.NDArray[np.int64]
    of_ward: npt.NDArray[np.int64]


def _painting(polygons: npt.NDArray[Any], raster: _Raster) -> _Painting:
    borders = _Borders.of(polygons, raster)
    on_border, of_ward = _cells_on_borders(borders, raster)
    cover = _lowest_covering(borders, raster, on_border, of_ward, len(polygons))
    return _Painting(cover, on_border, of_ward)


def _all_to_be_tested(wards: int) -> _Painting:
    return _Painting(
        np.array([wards], dtype=np.int32), np.zeros(wards, dtype=np.int64), np.arange(wards)
    )


def _cells_on_borders(
    borders: _Borders, raster: _Raster
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cells that the border of a ward touches, and the ward: by cell, then ward, no pair twice.

    Why no rounding can make a point skip its test. Let T be the map from degrees to cells without
    rounding. ``_Raster._clipped`` computes it as one difference, one product and one sum, each
    rounded once, and the difference is between numbers as they were given, so nothing cancels: it
    is off by less than 2**-50 of its value, by less than 1e-11 in a raster of 2**13 cells a side.
    So are the ends of the segments here, and what is computed on them, for the same reason.

    A point that is computed to be in a cell lies, by T, in that cell grown by 1e-11 on all sides.
    Marked here are all cells that a computed segment comes nearer to than 1e-6. So the true border
    does not enter a cell that is not marked, nor the cell grown by 1e-11; this being convex, all
    points in it lie on one side of the border, the side of its middle. Beyond the rim the cells
    reach to infinity and the same holds.

    The margin also widens the row at which a segment is cut: along a nearly level border a change
    of 1e-12 upwards is a long way across.
    """
    lowest = np.floor(borders.bottom - _MARGIN)
    highest = np.floor(borders.top + _MARGIN)
    segment, row = _ranges(lowest, highest)
    at_bottom = borders.across_at(segment, row - _MARGIN)
    at_top = borders.across_at(segment, row + 1 + _MARGIN)
    level = borders.top[segment] == borders.bottom[segment]
    at_top[level] += borders.dx[segment[level]]
    nearest = np.floor(np.minimum(at_bottom, at_top) - _MARGIN)
    farthest = np.floor(np.maximum(at_bottom, at_top) + _MARGIN)
    piece, column = _ranges(nearest, farthest)
    wards = int(borders.ward.max(initial=0)) + 1
    cell = row[piece].astype(np.int64) * raster.columns + column.astype(np.int64)
    pair = cell * wards + borders.ward[segment[piece]]
    # Neighbours on a ring repeat each other: dropping those first halves what is to be sorted.
    cell, ward = np.divmod(np.unique(pair[np.flatnonzero(np.diff(pair, prepend=-1))]), wards)
    return cell, ward


def _lowest_covering(
    borders: _Borders,
    raster: _Raster,
    on_border: npt.NDArray[np.int64],
    of_ward: npt.NDArray[np.int64],
    outside: int,
) -> npt.NDArray[np.int32]:
    """For each cell the lowest ward in which it lies wholly, ``outside`` where there is none.

    Wards are painted from the highest to the lowest: what their spans hold, except the cells on
    their own border.
    """
    cover = np.full(raster.rows * raster.columns, outside, dtype=np.int32)
    start, end, ward = _spans(borders, raster)
    order = np.argsort(of_ward, kind="stable")
    of_own = np.searchsorted(of_ward[order], np.arange(outside + 1))
    spans = np.searchsorted(ward, np.arange(outside + 1))
    for number in reversed(range(outside)):
        own = on_border[order[of_own[number] : of_own[number + 1]]]
        before = cover[own]
        some = slice(spans[number], spans[number + 1])
        cover[_ranges(start[some], end[some])[1]] = number
        cover[own] = before
    return cover


def _spans(
    borders: _Borders, raster: _Raster
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and last cell between two crossings of a row's middle line by the border of a ward.

    Every ring crosses a line an even number of times when an end exactly on the line counts as
    above it. The ends must be the very numbers that the next segment has: a top computed as bottom
    and rise may lie an ulp lower, on the other side of the line, and turn the row inside out. Of
    all crossings of a ward and a row in order, the first and second, third and fourth, ... enclose
    what is inside, also with holes and several parts. The crossings are in cells on the border,
    whose middle says nothing about them: there rounding does no harm.
    """
    segment, row = _ranges(np.ceil(borders.bottom - 0.5), np.ceil(borders.top - 0.5) - 1)
    column = np.floor(borders.across_at(segment, row + 0.5))
    cells = raster.rows * raster.columns
    crossing = borders.ward[segment] * cells + (row * raster.columns + column).astype(np.int64)
    crossing.sort()
    ward, entered = np.divmod(crossing[0::2], cells)
    left = crossing[1::2] - ward * cells
    return entered + 1, left - 1, ward


@dataclass(frozen=True)
class _CandidateLists:
    """By class: the wards to be tested are ``wards[start:end]``; ``cover`` if none is met."""

    cover: npt.NDArray[np.int32]
    start: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]
    wards: npt.NDArray[np.int32]


def _classes(
    painting: _Painting, outside: int
) -> tuple[npt.NDArray[np.unsignedinteger[Any]], _CandidateLists]:
    """Class of every cell: its cover if nothing is to be tested there, else above ``outside``.

    Cells with the same list share a class. There are so few (900 in the city, 19,000 in the
    nation) that two bytes a cell are enough, which keeps more of the raster in the cache.
    """
    # The lowest code wins: what comes after a ward that holds the whole cell need not be asked.
    cover = painting.cover
    asked = painting.of_ward < cover[painting.on_border]
    cell, ward = painting.on_border[asked], painting.of_ward[asked]
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    cell = cell[first]
    length = np.diff(first, append=len(ward))

    number = _numbers_of_lists(cover[cell], first, length, ward, outside)
    _, example, class_ = np.unique(number, return_index=True, return_inverse=True)
    # In the order of the wards asked first, for the sake of points sorted by class.
    order = np.argsort(ward[first[example]], kind="stable")
    example, class_ = example[order], np.argsort(order)[class_]
    start, end = first[example], first[example] + length[example]
    most = outside + len(example)
    smallest: Any = np.uint16 if most <= np.iinfo(np.uint16).max else np.uint32
    classes: npt.NDArray[np.unsignedinteger[Any]] = cover.astype(smallest)
    classes[cell] = class_ + (outside + 1)
    _, kept = _ranges(start, end - 1)
    ends = np.cumsum(end - start)
    plain = np.zeros(outside + 1)
    lists = _CandidateLists(
        np.append(np.arange(outside + 1), cover[cell[example]]).astype(np.int32),
        np.append(plain, ends - (end - start)).astype(np.int32),
        np.append(plain, ends).astype(np.int32),
        ward[kept].astype(np.int32),
    )
    return classes, lists


def _numbers_of_lists(
    cover: npt.NDArray[np.int32],
    first: npt.NDArray[np.intp],
    length: npt.NDArray[np.intp],
    ward: npt.NDArray[np.int64],
    outside: int,
) -> npt.NDArray[np.int64]:
    """A number per cell, the same for the same cover and list: beginnings of lists get numbers."""
    number = cover.astype(np.int64)
    used = outside + 1
    longer = np.arange(len(first))
    for place in range(int(length.max(initial=0))):
        longer = longer[length[longer] > place]
        key = number[longer] * outside + ward[first[longer] + place]
        beginnings, which = np.unique(key, return_inverse=True)
        number[longer] = used + which
        used += len(beginnings)
    return number


def _ranges(
    first: npt.NDArray[Any], last: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
    """All whole numbers from first to last (none if last is lower), and which range each is of."""
    length = np.maximum(last - first + 1, 0).astype(np.intp)
    which = np.repeat(np.arange(len(length)), length)
    steps = np.arange(len(which)) - np.repeat(np.cumsum(length) - length, length)
    return which, first[which] + steps
