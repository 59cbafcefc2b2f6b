"""Coordinate systems of files: which one is meant, and coordinates in degrees (EPSG:4326).

GeoJSON, GeoPackages and shapefiles say their system, wrongly at times: latitude before longitude,
metres of VN-2000 read as degrees, or nothing at all. Whether places lie in Viet Nam shows it; what
to do is the person's choice, never a guess.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hotspots.errors import IntakeError

if TYPE_CHECKING:
    import pyproj

Numbers = npt.NDArray[np.float64]

DEGREES = "EPSG:4326"
# Viet Nam with its seas and islands: degrees east, degrees north
WEST, EAST, SOUTH, NORTH = 102.0, 118.0, 6.5, 24.0
_MOST_DEGREES = 400.0
_MOSTLY = 0.9
_AT_LEAST = 0.5
_SAMPLE = 1_000
# VN-2000 in UTM zones and in zones of 3 degrees, WGS 84 / UTM, web maps
_METRES = (3405, 3406, *range(5896, 5900), *range(9205, 9219), 32648, 32649, 3857)
_CODE = re.compile(
    r"(?:urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?EPSG[:/](?:[\d.]*[:/])?(\d{4,6})",
    re.IGNORECASE,
)
_LON_LAT = re.compile(r"(?:urn:ogc:def:crs:)?(?:OGC:(?:[\d.]*:)?)?CRS84", re.IGNORECASE)


@dataclass(frozen=True)
class Remark:
    """What the places of a file look like, if not like places in Viet Nam.

    Attributes
    ----------
    code : str
        `axes_swapped`, `coordinates_in_metres`, `coordinates_in_degrees` (the file says metres),
        `coordinates_outside_vietnam`, or "".
    candidates : tuple of str
        For metres: the systems in which the places would lie where that system is used.
    share : float
        Of the places that lie in Viet Nam as they are.
    """

    code: str
    candidates: tuple[str, ...] = ()
    share: float = 1.0


def crs_named(name: str) -> str:
    """Return ``EPSG:code`` for the usual ways to write it, "" for anything else.

    Examples
    --------
    >>> crs_named("urn:ogc:def:crs:EPSG::3405"), crs_named("OGC:CRS84"), crs_named("EPSG:x")
    ('EPSG:3405', 'EPSG:4326', '')
    """
    name = name.strip()
    if _LON_LAT.fullmatch(name):
        return DEGREES
    found = _CODE.fullmatch(name)
    return f"EPSG:{found[1]}" if found else ""


def degrees(
    lon: Numbers, lat: Numbers, crs: str, file: str, *, swapped: bool = False
) -> tuple[Numbers, Numbers]:
    """Return longitudes and latitudes; places that a system cannot express become infinite.

    Parameters
    ----------
    lon, lat : array of float
        First and second coordinate as the file has them.
    crs : str
        The file's system: ``EPSG:code``, or WKT as GDAL gives it.
    file : str
        The file's name, for errors.
    swapped : bool
        The file has the second coordinate first.

    Raises
    ------
    IntakeError
        `crs_unknown` if there is no such system, or it needs other files.
    """
    if swapped:
        lon, lat = lat, lon
    system = _system(crs, file)
    if system.equals("EPSG:4326", ignore_axis_order=True):
        return lon, lat
    import pyproj

    try:
        east, north = pyproj.Transformer.from_crs(system, 4326, always_xy=True).transform(lon, lat)
    except pyproj.exceptions.ProjError as error:
        raise _unknown(crs, file) from error
    return np.asarray(east, float), np.asarray(north, float)


def look(lon: Numbers, lat: Numbers, crs: str, file: str, *, swapped: bool = False) -> Remark:
    """Say what is odd about places read as being in a system, and what would put them right.

    The parameters are those of `degrees`; nothing is put right here.
    """
    placed = _judged(*degrees(lon, lat, crs, file, swapped=swapped))
    if not placed.code:
        return placed
    if _share(*degrees(lon, lat, crs, file, swapped=not swapped)) >= _MOSTLY:
        return Remark("axes_swapped", share=placed.share)
    if crs != DEGREES and max(_share(lon, lat), _share(lat, lon)) >= _MOSTLY:
        return Remark("coordinates_in_degrees", share=placed.share)
    return placed


def _judged(lon: Numbers, lat: Numbers) -> Remark:
    share = _share(lon, lat)
    if share >= _AT_LEAST:
        return Remark("", share=share)
    usable = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = lon[usable], lat[usable]
    if len(lon) and np.median(np.maximum(np.abs(lon), np.abs(lat))) > _MOST_DEGREES:
        return Remark("coordinates_in_metres", _candidates(lon[:_SAMPLE], lat[:_SAMPLE]), share)
    return Remark("coordinates_outside_vietnam", share=share)


def _share(lon: Numbers, lat: Numbers) -> float:
    """Return the share of places that lie in Viet Nam; what is not finite does not."""
    inside = (lon >= WEST) & (lon <= EAST) & (lat >= SOUTH) & (lat <= NORTH)
    return float(inside.mean())


def _candidates(first: Numbers, second: Numbers) -> tuple[str, ...]:
    """Return the systems in metres whose own area of use holds nearly all of the places.

    Vietnamese maps often put north before east, so that both orders are tried.
    """
    fitting = []
    for code in _METRES:
        system = _system(f"EPSG:{code}", "")
        if any(_fits(system, *pair) for pair in ((first, second), (second, first))):
            fitting.append(f"EPSG:{code}")
    return tuple(fitting)


def _fits(system: pyproj.CRS, east: Numbers, north: Numbers) -> bool:
    import pyproj

    area = system.area_of_use
    lon, lat = pyproj.Transformer.from_crs(system, 4326, always_xy=True).transform(east, north)
    west, south, east_end, north_end = area.bounds if area else (-180, -90, 180, 90)
    inside = (lon >= west) & (lon <= east_end) & (lat >= south) & (lat <= north_end)
    return bool(inside.mean() >= _MOSTLY) and _share(lon, lat) >= _MOSTLY


@cache
def _system(crs: str, file: str) -> pyproj.CRS:
    os.environ.setdefault("PROJ_NETWORK", "OFF")  # before PROJ is loaded: it may fetch grids
    import pyproj

    try:
        system = pyproj.CRS.from_user_input(crs)
        # A bound system names files with corrections, which are not looked for on this machine.
        if "grids" in (system.to_proj4() if system.is_bound else ""):
            raise _unknown(crs, file)
    except pyproj.exceptions.CRSError as error:
        raise _unknown(crs, file) from error
    return system


def _unknown(crs: str, file: str) -> IntakeError:
    return IntakeError(
        "crs_unknown",
        f"{file}: coordinate system {crs[:80]!r} is not known; give it as EPSG:code, "
        "for example EPSG:4326 (degrees) or EPSG:3405 (VN-2000 / UTM 48N).",
        file=file,
        given=crs[:80],
    )


def wished_crs(wished: str | None, file: str) -> str | None:
    """Return the system that the person chose, as ``EPSG:code``.

    Raises
    ------
    IntakeError
        `crs_unknown` if it is not written so.
    """
    if wished is None:
        return None
    named = crs_named(wished)
    if not named:
        raise _unknown(wished, file)
    return named
