"""Who touches whom: pairs of neighbouring wards, and the wards that have no neighbour.

Lengths and distances are metres in the computing CRS (UTM 48 N), so borders in the east of the city
come out .1 % too long, as areas do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
import shapely

from geo.coverage import STORAGE_CRS, to_metres
from geo.errors import GeoError

Positions: TypeAlias = npt.NDArray[np.intp]

# With a tolerance even a corner has a little border within it; below this many it is a corner.
_CORNER_TOLERANCES = 10


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Pairs of neighbouring wards, each pair once, and the wards without a neighbour.

    Every ward is in a pair or an island, never both.

    Attributes
    ----------
    pairs : DataFrame
        ``a`` and ``b`` (codes as text, a < b) and ``shared_m`` or ``distance_m``, sorted by a, b.
    islands : tuple of str
        Codes without any neighbour, sorted. A statistic of the neighbourhood cannot be tested
        there.

    Examples
    --------
    >>> near = Neighbours(pd.DataFrame({"a": ["1", "1"], "b": ["2", "3"]}), islands=("4",))
    >>> near.codes, near.of("1"), near.of("4")
    (('1', '2', '3', '4'), ('2', '3'), ())
    """

    pairs: pd.DataFrame
    islands: tuple[str, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """All wards asked about, sorted."""
        return tuple(sorted({*self.pairs["a"], *self.pairs["b"], *self.islands}))

    def of(self, code: str) -> tuple[str, ...]:
        """Codes of a ward's neighbours, sorted; none for an island.

        Raises
        ------
        GeoError
            The ward was not among those whose neighbours were looked for.
        """
        a, b = self.pairs["a"], self.pairs["b"]
        found = tuple(sorted([*b[a == code], *a[b == code]]))
        if not found and code not in self.islands:
            _refuse_strangers([code])
        return found

    def matrix(self, codes: Sequence[str] | None = None) -> scipy.sparse.csr_array:
        """Symmetric matrix with 1 for neighbours, for spatial statistics; the diagonal is 0.

        Parameters
        ----------
        codes : sequence of str, optional
            Which wards, in which order; all of them, sorted, if not given. Pairs with a ward that
            is left out are left out.

        Returns
        -------
        csr_array of int64
            So that ``matrix @ counts`` is the sum over the neighbours, exactly. A row of an island
            is empty: dividing by the number of neighbours makes no number of it.

        Raises
        ------
        GeoError
            A code is not among the wards whose neighbours were looked for, or stands there twice.

        Examples
        --------
        >>> near = Neighbours(pd.DataFrame({"a": ["1", "1"], "b": ["2", "3"]}), islands=("4",))
        >>> near.matrix(["3", "1", "4"]).toarray().tolist()
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
        """
        order = _index(self.codes if codes is None else codes)
        _refuse_repeated(order)
        _refuse_strangers(order[~order.isin(self.codes)])
        a, b = (order.get_indexer(_index(self.pairs[side])) for side in ("a", "b"))
        both = (a >= 0) & (b >= 0)
        rows, columns = np.concatenate([a[both], b[both]]), np.concatenate([b[both], a[both]])
        ones = np.ones(len(rows), dtype=np.int64)
        return scipy.sparse.csr_array((ones, (rows, columns)), shape=(len(order), len(order)))


def neighbours(
    wards: gpd.GeoDataFrame, *, corners: bool = False, tolerance_m: float = 0.0
) -> Neighbours:
    """Wards that share a border; with `corners` also those that meet in a corner only.

    Parameters
    ----------
    wards : GeoDataFrame
        A wards table of one edition. Its drawing copy has the same neighbours, but shorter borders.
    corners : bool
        Take in pairs that touch in single points only (a queen's moves in chess). In the 168 wards
        of Ho Chi Minh City since 1 July 2025, 435 pairs share a border and 12 more meet in a
        corner; published adjacency lists as a rule hold the 435.
    tolerance_m : float
        How far apart two wards may lie and still touch. A wards table is a coverage: both sides of
        a border have the same points, nothing lies between, and 0 finds every pair. Polygons from
        elsewhere, whose sides were drawn or rounded apart, need one (a centimetre, a metre). Then
        ``shared_m`` is the border of either ward within the tolerance of the other, the mean of
        both, up to two tolerances too long at each end; less than ten tolerances is a corner.

    Returns
    -------
    Neighbours
        ``pairs`` has the columns ``a``, ``b`` and ``shared_m``, the length of the shared border in
        metres, 0 for a corner.

    Raises
    ------
    GeoError
        A code stands there twice, the CRS is not that of a wards table, the tolerance is not 0 or
        more, or it is 0 and the two sides of a border have different points, so that touching
        cannot be told.

    Examples
    --------
    >>> squares = gpd.GeoDataFrame(
    ...     {"code": ["1", "2", "3", "9"]},  # 3 lies above 2, 9 far away
    ...     geometry=shapely.box([106, 106.1, 106.1, 108], [10, 10, 10.1, 10],
    ...                          [106.1, 106.2, 106.2, 109], [10.1, 10.1, 10.2, 11]),
    ...     crs="EPSG:4326")
    >>> touching = neighbours(squares, corners=True)
    >>> touching.pairs.round(-2).values.tolist(), touching.islands
    ([['1', '2', 11100.0], ['1', '3', 0.0], ['2', '3', 11000.0]], ('9',))
    >>> len(neighbours(squares).pairs)
    2
    """
    _refuse_unusable(tolerance_m)
    codes, polygons = _by_code(wards)
    if tolerance_m == 0:
        _refuse_unmatched(polygons, codes)
    metres = to_metres(polygons)
    left, right = touching(metres, tolerance_m)
    shared_m = _shared_m(metres, left, right, tolerance_m)
    kept = corners | (shared_m > 0)
    return _neighbours(codes, left[kept], right[kept], shared_m=shared_m[kept])


def within_distance(wards: gpd.GeoDataFrame, km: float) -> Neighbours:
    """Wards whose polygons come within a distance of each other, touching ones included.

    The distance is the nearest one between the polygons, not between points inside them. Wards
    differ a thousandfold in area: between points, a large rural ward would be far from the wards it
    borders on, and the answer would hang on where the point was put. So this is `neighbours` and
    more, for any distance; the price is that large wards get more neighbours than small ones.

    Parameters
    ----------
    wards : GeoDataFrame
        A wards table of one edition. With many pairs its drawing copy is much quicker, and true to
        the tolerance it was simplified with.
    km : float
        0 or more.

    Returns
    -------
    Neighbours
        ``pairs`` has the columns ``a``, ``b`` and ``distance_m``, 0 for wards that touch.

    Raises
    ------
    GeoError
        A code stands there twice, the CRS is not that of a wards table, or the distance is not a
        number from 0.

    Examples
    --------
    >>> squares = gpd.GeoDataFrame(
    ...     {"code": ["1", "2", "3"]}, crs="EPSG:4326",
    ...     geometry=shapely.box([106, 106.11, 107], 10, [106.1, 106.2, 108], 11))
    >>> near = within_distance(squares, 2)
    >>> near.pairs.round(-2).values.tolist(), near.islands
    ([['1', '2', 1100.0]], ('3',))
    """
    _refuse_unusable(km)
    codes, polygons = _by_code(wards)
    metres = to_metres(polygons)
    left, right = touching(metres, km * 1000)
    return _neighbours(codes, left, right, distance_m=shapely.distance(metres[left], metres[right]))


def touching(metres: npt.NDArray[Any], tolerance_m: float = 0.0) -> tuple[Positions, Positions]:
    """Positions of every two polygons that meet, overlap or come within a tolerance, in order.

    Examples
    --------
    >>> left, right = touching(shapely.box([0, 1, 5], 0, [1, 2, 6], 1))
    >>> left.tolist(), right.tolist()
    ([0], [1])
    """
    tree = shapely.STRtree(metres)
    if tolerance_m > 0:
        left, right = tree.query(metres, predicate="dwithin", distance=tolerance_m)
    else:
        left, right = tree.query(metres, predicate="intersects")
    left, right = left[left < right], right[left < right]
    order = np.lexsort([right, left])
    return left[order], right[order]


def _neighbours(
    codes: npt.NDArray[Any], left: Positions, right: Positions, **measure: npt.NDArray[np.float64]
) -> Neighbours:
    pairs = pd.DataFrame(
        {
            "a": pd.Series(codes[left], dtype="str"),
            "b": pd.Series(codes[right], dtype="str"),
            **measure,
        }
    )
    alone = np.setdiff1d(np.arange(len(codes)), np.concatenate([left, right]))
    return Neighbours(pairs, tuple(codes[alone]))


def _shared_m(
    metres: npt.NDArray[Any], left: Positions, right: Positions, tolerance_m: float
) -> npt.NDArray[np.float64]:
    borders = shapely.boundary(metres)
    if tolerance_m == 0:
        shared: npt.NDArray[np.float64] = shapely.length(
            shapely.intersection(borders[left], borders[right])
        )
        return shared
    reach = shapely.buffer(metres, tolerance_m)
    along = shapely.length(shapely.intersection(borders[left], reach[right]))
    back = shapely.length(shapely.intersection(borders[right], reach[left]))
    mean = (along + back) / 2
    return np.where(mean < _CORNER_TOLERANCES * tolerance_m, 0.0, mean)


def _by_code(wards: gpd.GeoDataFrame) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Codes and polygons sorted by code, so that the order of the rows changes no digit."""
    if wards.crs is None or wards.crs != STORAGE_CRS:
        raise GeoError(
            "crs_not_storage",
            f"The wards are in {wards.crs}; convert them to {STORAGE_CRS} with to_crs first.",
            crs=str(wards.crs),
        )
    codes = wards["code"].to_numpy(dtype=object)
    _refuse_repeated(_index(codes))
    order = np.argsort(codes, kind="stable")
    return codes[order], wards.geometry.to_numpy()[order]


def _index(codes: Any) -> pd.Index[Any]:
    index: pd.Index[Any] = pd.Index(np.asarray(codes, dtype=object))
    return index


def _refuse_repeated(codes: pd.Index[Any]) -> None:
    repeated = tuple(codes[codes.duplicated()].unique())
    if repeated:
        raise GeoError(
            "codes_repeated",
            f"{_listed(repeated)} stand there more than once, and a pair of codes would not say "
            "which is meant. Give the wards of one edition, each once.",
            codes=repeated,
        )


def _refuse_strangers(codes: Sequence[str] | pd.Index[Any]) -> None:
    if len(codes):
        raise GeoError(
            "not_among_neighbours",
            f"{_listed(codes)} are not among the wards whose neighbours were looked for. Give the "
            "codes of that edition, or look for neighbours in the one that has them.",
            codes=tuple(codes),
        )


def _refuse_unusable(distance: float) -> None:
    if not (math.isfinite(distance) and distance >= 0):
        raise GeoError(
            "distance_not_usable",
            f"{distance} is no distance. Give a number of 0 or more.",
            given=str(distance),
        )


def _refuse_unmatched(polygons: npt.NDArray[Any], codes: npt.NDArray[Any]) -> None:
    """Stored polygons are asked, in degrees: that is where a wards table promises a coverage."""
    if shapely.coverage_is_valid(polygons):
        return
    apart = tuple(codes[~shapely.is_empty(shapely.coverage_invalid_edges(polygons))])
    raise GeoError(
        "borders_not_matched",
        f"{_listed(apart)} overlap others, or have other points on a border than the ward beyond "
        "it, so that touching cannot be told. Read the file with cleaning, or give a tolerance.",
        codes=apart,
    )


def _listed(codes: Sequence[str] | pd.Index[Any]) -> str:
    return ", ".join(map(str, codes[:20])) + (", ..." if len(codes) > 20 else "")
