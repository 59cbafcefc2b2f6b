"""What is wrong with a boundary file, in numbers; and the same boundaries without the faults.

`read_wards` refuses a file with unusable rows. Here such a file is measured as far as it goes, so
that who made it can correct everything at once. The words for the numbers come elsewhere.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import shapely

from geo.coverage import CleanedCoverage, clean_coverage, overlaps, to_metres, valid_in_metres
from geo.errors import GeoError
from geo.names import ward_key
from geo.neighbours import Positions, touching
from geo.wards import WARDS_COLUMNS, FileUnits, Findings, RowProblem, read_units, read_wards

# How many examples a list of differences shows; the numbers beside it count them all.
SHOWN = 20
AREA_OFF_SHARE = 0.05
# Two makers draw one border a little apart: Phường 15 of Tân Bình, which became Phường Tân Sơn as
# it was, has .984 between the two files we know; the next ward, which was changed, has .929.
SAME_TERRITORY = 0.98

# Rows with these problems still have a place on the map, and it is measured.
_STILL_MEASURED = ("blank_code", "code_not_text", "duplicate_code", "blank_name")
# A square of 10 cm: less is the last digit of a coordinate, not an overlap.
_SMALLEST_OVERLAP_M2 = 0.01
_M2_PER_HA = 10_000.0


@dataclass(frozen=True)
class Overlap:
    """Two units that claim the same hectares."""

    a: str
    b: str
    area_ha: float


@dataclass(frozen=True)
class NotCleaned:
    """Why no clean coverage can be made: the reason of the GeoError and the codes it names."""

    reason: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class PublishedArea:
    """A unit whose published area is not that of its polygon."""

    code: str
    published_km2: float
    measured_km2: float


@dataclass(frozen=True)
class PublishedAreas:
    """Published areas against those of the polygons.

    Attributes
    ----------
    compared : int
        Units with a polygon and a published area above 0. Text is read as a number only with a
        decimal point: "15,682" could be fifteen or fifteen thousand.
    off : tuple of PublishedArea
        All units whose published area is more than 5 % too large or too small, sorted by code.
    """

    compared: int
    off: tuple[PublishedArea, ...]


@dataclass(frozen=True)
class OtherName:
    """A code that stands for one name here and for another there."""

    code: str
    name: str
    name_there: str


@dataclass(frozen=True)
class Comparison:
    """The file against the wards of another edition: counts, and the first 20 by code.

    Attributes
    ----------
    edition : str
        The other edition ("" if it has no wards).
    in_both, only_here, only_there : int
        Codes.
    first_only_here, first_only_there : tuple of str
    other_name : int
        Codes in both whose names have different keys (`ward_key`).
    first_other_names : tuple of OtherName
    other_code : int
        Units here whose name is found there, but under other codes only.
    territories : int
        Codes in both whose polygons can be compared.
    same_territory : int
        Those of them that keep their territory: what both share is at least 98 % of what either
        has. Codes are used again, so equal codes say nothing about this.
    """

    edition: str
    in_both: int
    only_here: int
    first_only_here: tuple[str, ...]
    only_there: int
    first_only_there: tuple[str, ...]
    other_name: int
    first_other_names: tuple[OtherName, ...]
    other_code: int
    territories: int
    same_territory: int


@dataclass(frozen=True)
class BoundaryCheck:
    """What a boundary file holds and what is wrong with it; ready for JSON by ``asdict``.

    Attributes
    ----------
    file, edition : str
        Name of the file and ISO day from which its boundaries hold.
    units : int
        Rows.
    measured : int
        Rows with a polygon in Viet Nam. All numbers below are about these. A row without a code is
        named by its number, like ``#3``.
    problems : tuple of RowProblem
        Everything for which `read_wards` would refuse the file, in the order of the rows.
    vertices : int
        As they stand in the file.
    area_km2 : float
        All units together, no place counted twice.
    invalid_rings : tuple of str
        Codes whose boundary crosses itself.
    overlap_ha : float
        Area claimed by two units, summed over pairs.
    overlapping_pairs : int
        Pairs that overlap by more than a square of 10 cm.
    largest_overlaps : tuple of Overlap
        The 20 largest of them.
    gap_ha : float or None
        Area of slivers between units, less than 10 m wide. None if no clean coverage can be made.
    islands : tuple of str
        Codes that touch no other unit.
    largest_area_change_ha : float or None
        The most a single unit wins or loses by cleaning. None as above.
    cleaned : bool
        Whether cleaning changes anything. False, with `not_cleaned` None: the polygons are a valid
        coverage as they are.
    not_cleaned : NotCleaned or None
        Why no clean coverage can be made of the file.
    published_areas : PublishedAreas or None
    comparison : Comparison or None
    """

    file: str
    edition: str
    units: int
    measured: int
    problems: tuple[RowProblem, ...]
    vertices: int
    area_km2: float
    invalid_rings: tuple[str, ...]
    overlap_ha: float
    overlapping_pairs: int
    largest_overlaps: tuple[Overlap, ...]
    gap_ha: float | None
    islands: tuple[str, ...]
    largest_area_change_ha: float | None
    cleaned: bool
    not_cleaned: NotCleaned | None
    published_areas: PublishedAreas | None
    comparison: Comparison | None

    @property
    def has_findings(self) -> bool:
        """Whether anything in the file itself needs correcting; islands are no fault."""
        return bool(self.problems or self.invalid_rings or self.cleaned or self.not_cleaned)


def check_boundaries(
    path: str | Path,
    edition: datetime.date,
    *,
    code_column: str = "code",
    name_column: str = "name",
    kind_column: str | None = None,
    crs: str | None = None,
    area_column: str | None = None,
    against: gpd.GeoDataFrame | None = None,
) -> BoundaryCheck:
    """Everything that can be said of a boundary file, its unusable rows included.

    Parameters
    ----------
    path, edition, code_column, name_column, kind_column, crs
        As for `read_wards`.
    area_column : str, optional
        Column with published areas in square kilometres, to compare with the polygons.
    against : GeoDataFrame, optional
        Wards table of another edition, to compare codes, names and territories.

    Raises
    ------
    GeoError
        Nothing can be said: the file cannot be read, a column or the CRS is missing; or `against`
        is of several editions.

    Examples
    --------
    >>> from dataclasses import asdict
    >>> units = gpd.GeoDataFrame(
    ...     {"code": ["1", "2", "2"], "name": ["A", "B", "C"]}, crs="EPSG:4326",
    ...     geometry=[*shapely.box([106, 106.1], 10, [106.11, 106.2], 10.1), None])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     units.to_parquet(Path(folder) / "wards.parquet")
    ...     found = check_boundaries(Path(folder) / "wards.parquet", datetime.date(2025, 7, 1))
    >>> found.units, found.measured, [problem.reason for problem in found.problems]
    (3, 2, ['duplicate_code', 'no_geometry'])
    >>> found.cleaned, round(found.overlap_ha), asdict(found)["largest_overlaps"][0]["b"]
    (True, 1212, '2')
    """
    units = read_units(
        path,
        code_column=code_column,
        name_column=name_column,
        kind_column=kind_column,
        area_column=area_column,
        crs=crs,
    )
    shape = _shape(units)
    coverage = shape.coverage
    overlap, overlap_m2 = shape.overlaps()
    return BoundaryCheck(
        file=Path(path).name,
        edition=edition.isoformat(),
        units=len(units.table),
        measured=len(shape.rows),
        problems=units.problems,
        vertices=shape.vertices,
        area_km2=shape.area_km2(),
        invalid_rings=tuple(sorted(shape.labels[shape.invalid])),
        overlap_ha=float(overlap_m2.sum()) / _M2_PER_HA,
        overlapping_pairs=len(overlap_m2),
        largest_overlaps=_largest(overlap, overlap_m2, shape.labels),
        gap_ha=None if coverage is None else coverage.gap_ha,
        islands=shape.islands(),
        largest_area_change_ha=None if coverage is None else coverage.largest_area_change_ha,
        cleaned=coverage is not None and coverage.cleaned,
        not_cleaned=shape.not_cleaned,
        published_areas=None
        if area_column is None
        else _published_areas(units.table[area_column].iloc[shape.rows], shape),
        comparison=None if against is None else _comparison(units, shape, against),
    )


def write_cleaned(
    path_in: str | Path,
    path_out: str | Path,
    edition: datetime.date,
    *,
    code_column: str = "code",
    name_column: str = "name",
    kind_column: str | None = None,
    crs: str | None = None,
) -> Findings:
    """Write the cleaned coverage of a boundary file as a new file, whole or not at all.

    Parameters
    ----------
    path_in, edition, code_column, name_column, kind_column, crs
        As for `read_wards`.
    path_out : str or Path
        A file that is not there yet; its suffix names the format: .geojson, .gpkg or .parquet
        (GeoParquet). It gets the columns of a wards table, in degrees, to the last digit: rounded
        coordinates would open the gaps again.

    Returns
    -------
    Findings
        What was found and changed.

    Raises
    ------
    GeoError
        As `read_wards` raises for the input (a file with unusable rows is not written); or the
        output is the input, is there already, has another suffix or cannot be written.

    Examples
    --------
    >>> overlapping = gpd.GeoDataFrame(
    ...     {"code": ["1", "2"], "name": ["A", "B"]}, crs="EPSG:4326",
    ...     geometry=shapely.box([106, 106.1], 10, [106.11, 106.2], 10.1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     given, clean = Path(folder) / "wards.parquet", Path(folder) / "clean.geojson"
    ...     overlapping.to_parquet(given)
    ...     found = write_cleaned(given, clean, datetime.date(2025, 7, 1))
    ...     again = check_boundaries(clean, datetime.date(2025, 7, 1))
    >>> found.cleaned, again.has_findings
    (True, False)
    """
    target = Path(path_out)
    _refuse_output(Path(path_in), target)
    read = read_wards(
        path_in,
        edition,
        code_column=code_column,
        name_column=name_column,
        kind_column=kind_column,
        crs=crs,
    )
    _write_whole(read.wards[list(WARDS_COLUMNS)], target)
    return read.findings


# --- the shape of the units


@dataclass(frozen=True)
class _Shape:
    """The rows that have a place on the map, and what cleaning makes of them.

    ``valid`` are the polygons of the file in metres, repaired one by one; ``metres`` the cleaned
    ones, or the valid ones where no clean coverage can be made.
    """

    rows: Positions
    labels: npt.NDArray[Any]
    vertices: int
    invalid: npt.NDArray[np.bool_]
    valid: npt.NDArray[Any]
    metres: npt.NDArray[Any]
    coverage: CleanedCoverage | None
    not_cleaned: NotCleaned | None

    def overlaps(self) -> tuple[tuple[Positions, Positions], npt.NDArray[np.float64]]:
        """Positions of the pairs that overlap, and by how many square metres."""
        if self.coverage is not None and not self.coverage.cleaned:
            none = np.array([], dtype=np.intp)
            return (none, none), np.array([])
        left, right, shared_m2 = overlaps(self.valid)
        real = shared_m2 > _SMALLEST_OVERLAP_M2
        return (left[real], right[real]), shared_m2[real]

    def islands(self) -> tuple[str, ...]:
        left, right = touching(self.metres)
        return tuple(sorted(np.delete(self.labels, np.concatenate([left, right]))))

    def area_km2(self) -> float:
        """Polygons of a coverage share no place; others have to be united before they are added."""
        if self.coverage is not None:
            return float(shapely.area(self.metres).sum()) / 1e6
        return float(shapely.area(shapely.union_all(self.valid))) / 1e6


def _shape(units: FileUnits) -> _Shape:
    unplaced = [each.row - 1 for each in units.problems if each.reason not in _STILL_MEASURED]
    rows = np.setdiff1d(np.arange(len(units.table)), unplaced).astype(np.intp)
    labels = np.array([units.codes[row] or f"#{row + 1}" for row in rows], dtype=object)
    polygons = units.table.geometry.to_numpy()[rows]
    invalid = ~shapely.is_valid(polygons)
    valid = to_metres(polygons)
    valid[invalid] = valid_in_metres(valid[invalid])
    coverage, not_cleaned = _cleaned(polygons, labels)
    return _Shape(
        rows=rows,
        labels=labels,
        vertices=int(shapely.get_num_coordinates(polygons).sum()),
        invalid=invalid,
        valid=valid,
        metres=valid if coverage is None else to_metres(coverage.polygons),
        coverage=coverage,
        not_cleaned=not_cleaned,
    )


def _cleaned(
    polygons: npt.NDArray[Any], labels: npt.NDArray[Any]
) -> tuple[CleanedCoverage | None, NotCleaned | None]:
    try:
        return clean_coverage(polygons, labels), None
    except GeoError as error:
        return None, NotCleaned(error.reason, _codes_of(error))


def _largest(
    overlap: tuple[Positions, Positions],
    overlap_m2: npt.NDArray[np.float64],
    labels: npt.NDArray[Any],
) -> tuple[Overlap, ...]:
    largest = []
    for pair in np.argsort(-overlap_m2, kind="stable")[:SHOWN]:
        a, b = sorted(labels[side[pair]] for side in overlap)
        largest.append(Overlap(a, b, float(overlap_m2[pair]) / _M2_PER_HA))
    return tuple(largest)


def _codes_of(error: GeoError) -> tuple[str, ...]:
    codes = error.facts.get("codes", ())
    return tuple(map(str, codes)) if isinstance(codes, tuple) else ()


# --- against what is published, against another edition


def _published_areas(given: pd.Series[Any], shape: _Shape) -> PublishedAreas:
    published = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    measured = shapely.area(shape.metres) / 1e6
    comparable = np.isfinite(published) & (published > 0) & (measured > 0)
    share = np.divide(published, measured, out=np.ones(len(measured)), where=comparable)
    off = np.flatnonzero(np.abs(share - 1) > AREA_OFF_SHARE)
    return PublishedAreas(
        compared=int(comparable.sum()),
        off=tuple(
            sorted(
                (
                    PublishedArea(shape.labels[each], float(published[each]), float(measured[each]))
                    for each in off
                ),
                key=lambda area: area.code,
            )
        ),
    )


def _comparison(units: FileUnits, shape: _Shape, against: gpd.GeoDataFrame) -> Comparison:
    edition = _only_edition(against)
    here = _named(units.codes, units.names, units.kinds)
    there = _named(against["code"], against["name"], against["kind"])
    both, only_here, only_there = (
        sorted(codes)
        for codes in (here.keys() & there.keys(), here.keys() - there, there.keys() - here)
    )
    renamed = [
        OtherName(code, here[code][0], there[code][0])
        for code in both
        if here[code][1] != there[code][1]
    ]
    same_territory = _same_territory(shape, against)
    return Comparison(
        edition=edition,
        in_both=len(both),
        only_here=len(only_here),
        first_only_here=tuple(only_here[:SHOWN]),
        only_there=len(only_there),
        first_only_there=tuple(only_there[:SHOWN]),
        other_name=len(renamed),
        first_other_names=tuple(renamed[:SHOWN]),
        other_code=_other_code(here, there),
        territories=len(same_territory),
        same_territory=int(same_territory.sum()),
    )


def _named(
    codes: Sequence[str] | pd.Series[Any] | npt.NDArray[Any],
    names: Sequence[str] | pd.Series[Any],
    kinds: Sequence[str] | pd.Series[Any],
) -> dict[str, tuple[str, str]]:
    """Code to name and key; of a repeated code the first, rows without a code left out."""
    named: dict[str, tuple[str, str]] = {}
    for code, name, kind in zip(codes, names, kinds, strict=True):
        if code:
            named.setdefault(code, (name, ward_key(name, kind)))
    return named


def _other_code(here: dict[str, tuple[str, str]], there: dict[str, tuple[str, str]]) -> int:
    codes_there: dict[str, set[str]] = {}
    for code, (_, key) in there.items():
        codes_there.setdefault(key, set()).add(code)
    found = [(code, codes_there.get(key)) for code, (_, key) in here.items() if key]
    return sum(bool(codes) and code not in codes for code, codes in found if codes)


def _same_territory(shape: _Shape, against: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    """Whether what both share is nearly all that either has, for every code on both maps."""
    here = pd.Series(np.arange(len(shape.labels)), index=shape.labels)
    here = here[~here.index.duplicated(keep=False)]
    there = against.set_index("code").geometry
    both = here.index.intersection(there.index)
    mine = shape.metres[here[both].to_numpy(dtype=int)]
    theirs = to_metres(there[both].to_numpy())
    shared = shapely.area(shapely.intersection(mine, theirs))
    either = shapely.area(mine) + shapely.area(theirs) - shared
    same: npt.NDArray[np.bool_] = shared >= SAME_TERRITORY * either
    return same


def _only_edition(against: gpd.GeoDataFrame) -> str:
    editions = tuple(sorted(map(str, set(against["edition"]))))
    if len(editions) > 1:
        raise GeoError(
            "several_editions",
            f"The wards to compare with are of the editions {', '.join(editions)}. Give those of "
            "one edition.",
            editions=editions,
        )
    return "".join(editions)


# --- writing


def _refuse_output(given: Path, target: Path) -> None:
    if target.suffix.lower() not in _WRITERS:
        raise GeoError(
            "format_not_written",
            f"{target.name!r} is not of a kind that is written here. Allowed are "
            f"{', '.join(_WRITERS)}; end the name with one of these.",
            file=target.name,
            allowed=tuple(_WRITERS),
        )
    if given.resolve() == target.resolve():
        raise GeoError(
            "output_is_input",
            f"{target.name!r} is the file that is read, and it is never written over. Give another "
            "name.",
            file=target.name,
        )
    if target.exists():
        raise GeoError(
            "output_exists",
            f"{target.name!r} is there already and is not written over. Give another name, or "
            "remove it first.",
            file=target.name,
        )
    if not target.parent.is_dir():
        raise GeoError(
            "no_folder",
            f"There is no folder {str(target.parent)!r} to write into. Make it first, or give "
            "another one.",
            folder=str(target.parent),
        )


def _write_whole(wards: gpd.GeoDataFrame, target: Path) -> None:
    """Write in a folder of its own beside the target: GDAL leaves a journal if it breaks off."""
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unfinished-") as folder:
            unfinished = Path(folder) / f"wards{target.suffix.lower()}"
            _WRITERS[target.suffix.lower()](wards, unfinished)
            os.replace(unfinished, target)
    except (OSError, pyogrio.errors.DataSourceError) as error:
        raise GeoError(
            "output_not_written",
            f"{target.name!r} cannot be written: {error}. Is there room, and may this folder be "
            "written to?",
            file=target.name,
            why=str(error),
        ) from error


def _write_geojson(wards: gpd.GeoDataFrame, path: Path) -> None:
    """With every digit, and rings turned as RFC 7946 wants; GDAL would round to seven decimals."""
    attributes = wards.drop(columns="geometry").to_dict("records")
    polygons = shapely.orient_polygons(wards.geometry.to_numpy())
    features = [
        {
            "type": "Feature",
            "properties": properties,
            "geometry": shapely.geometry.mapping(polygon),
        }
        for properties, polygon in zip(attributes, polygons, strict=True)
    ]
    document = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _write_geopackage(wards: gpd.GeoDataFrame, path: Path) -> None:
    pyogrio.write_dataframe(wards, path, driver="GPKG", layer="wards")


def _write_geoparquet(wards: gpd.GeoDataFrame, path: Path) -> None:
    wards.to_parquet(path, index=False)


_WRITERS: dict[str, Callable[[gpd.GeoDataFrame, Path], None]] = {
    ".geojson": _write_geojson,
    ".gpkg": _write_geopackage,
    ".parquet": _write_geoparquet,
}
