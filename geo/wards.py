"""Boundary editions: read, check, clean, simplify for drawing, keep. The key is (code, edition)."""

from __future__ import annotations

import datetime
import json
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from geo.boundary_files import RawBoundaries, read_boundary_file
from geo.coverage import (
    COMPUTING_CRS as COMPUTING_CRS,
)
from geo.coverage import (
    STORAGE_CRS as STORAGE_CRS,
)
from geo.coverage import (
    CleanedCoverage,
    clean_coverage,
    settle,
    to_metres,
)
from geo.errors import GeoError

WARDS_COLUMNS = ("code", "name", "kind", "edition", "area_km2", "geometry")

# Mainland, the near islands, Hoàng Sa and Trường Sa (whose reefs reach south to 6.8), in degrees.
_VIET_NAM = (102.0, 6.5, 118.0, 24.0)

_KIND_COLUMNS = ("kind", "type", "loai")
_KIND_WORDS = {
    "phuong": ("phuong", "p.", "ward"),
    "xa": ("xa", "commune"),
    "dac_khu": ("dac khu", "dac_khu", "special zone", "special administrative zone"),
    "thi_tran": ("thi tran", "thi_tran", "tt.", "township"),
}


@dataclass(frozen=True)
class Findings:
    """What reading a boundary file found and changed, in numbers.

    Attributes
    ----------
    units : int
        Wards read.
    invalid_rings : tuple of str
        Codes whose boundary crossed itself and was repaired.
    overlap_ha : float
        Area claimed by two units, given to one of them.
    gap_ha : float
        Area of slivers between units that were closed. Real holes (a lake outside the coverage) are
        left open and not counted.
    islands : tuple of str
        Codes without a neighbour.
    largest_area_change_ha : float
        The most a single unit won or lost by cleaning.
    cleaned : bool
        False: nothing was wrong and the geometry is the file's, to the last digit.
    """

    units: int
    invalid_rings: tuple[str, ...]
    overlap_ha: float
    gap_ha: float
    islands: tuple[str, ...]
    largest_area_change_ha: float
    cleaned: bool


@dataclass(frozen=True)
class ReadWards:
    """A wards table and what was found while reading it."""

    wards: gpd.GeoDataFrame
    findings: Findings


@dataclass(frozen=True)
class RowProblem:
    """One unusable row of a boundary file: its number (from 1), code, reason, and value."""

    row: int
    code: str
    reason: str
    given: str = ""

    def __str__(self) -> str:
        value = f": {self.given}" if self.given else ""
        return f"row {self.row} ({self.code or 'no code'}) {_ROW_REASONS[self.reason]}{value}"


_ROW_REASONS = {
    "blank_code": "has no code",
    "code_not_text": "has a code that is not text",
    "duplicate_code": "repeats a code",
    "blank_name": "has no name",
    "no_geometry": "has no geometry",
    "not_polygon": "is not a polygon",
    "broken_coordinates": "has coordinates that make no polygon",
    "lat_lon_swapped": "has latitude and longitude exchanged",
    "metres_suspected": "has metres where degrees are announced",
    "outside_viet_nam": "lies outside Viet Nam",
    "official_not_read": "says neither yes nor no to being official",
    "unknown_new_ward": "leads to a code that is no ward of the newer edition",
    "pair_twice": "repeats a pair",
    "weight_not_share": "has a weight that is not a number from 0 to 1 (decimal point)",
    "not_a_population": "has a number of people that cannot be read",
    "basis_unknown": "has a basis that is not one of the known ones",
    "weights_in_part": "belongs to a divided ward with weights for some parts only",
    "weights_not_one": "belongs to a ward whose weights do not sum to 1",
}


def read_wards(
    path: str | Path,
    edition: datetime.date,
    *,
    code_column: str = "code",
    name_column: str = "name",
    kind_column: str | None = None,
    crs: str | None = None,
) -> ReadWards:
    """Wards of a boundary file as a clean, valid coverage, with what was found on the way.

    Parameters
    ----------
    path : str or Path
        GeoJSON, GeoPackage, GeoParquet, Shapefile or zipped Shapefile.
    edition : date
        The day from which these boundaries hold.
    code_column, name_column : str
        Columns of the file that hold the ward's code (as text) and name.
    kind_column : str, optional
        Column with "Phường", "Xã", "Đặc khu", "Thị trấn". Without it a column named kind, type or
        loai is used, else the first word of the name.
    crs : str, optional
        Reference system, for a file that names none. GeoJSON without one is EPSG:4326 by its
        standard.

    Returns
    -------
    ReadWards
        ``wards`` has the columns ``code``, ``name`` (NFC, single blanks), ``kind`` ("phuong", "xa",
        "dac_khu", "thi_tran" or ""), ``edition`` (ISO day), ``area_km2`` (of the polygon, not the
        published one) and ``geometry`` (EPSG:4326), sorted by code.

    Raises
    ------
    GeoError
        Unreadable file, missing column or CRS; or unusable rows, all of them named in
        ``facts["problems"]`` (a tuple of RowProblem).

    Examples
    --------
    >>> import tempfile
    >>> from shapely import box
    >>> two = gpd.GeoDataFrame(
    ...     {"ma": ["00001", "00002"], "ten": ["Xã  An", "Phường 1"]},
    ...     geometry=[box(106, 10, 106.1, 10.1), box(106.1, 10, 106.2, 10.1)], crs="EPSG:4326")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "wards.parquet"
    ...     two.to_parquet(file)
    ...     read = read_wards(
    ...         file, datetime.date(2025, 7, 1), code_column="ma", name_column="ten")
    >>> read.wards[["code", "name", "kind", "edition"]].values.tolist()
    [['00001', 'Xã An', 'xa', '2025-07-01'], ['00002', 'Phường 1', 'phuong', '2025-07-01']]
    >>> read.findings.cleaned, read.findings.islands
    (False, ())
    """
    units = read_units(
        path, code_column=code_column, name_column=name_column, kind_column=kind_column, crs=crs
    )
    _refuse_number_codes(units.table[code_column], code_column)
    _refuse_bad_rows(units.problems, len(units.table))
    coverage = clean_coverage(units.table.geometry.to_numpy(), units.codes)
    wards = wards_table(units.codes, units.names, units.kinds, edition, coverage.polygons)
    return ReadWards(wards, _findings(wards, units.codes, coverage))


@dataclass(frozen=True)
class FileUnits:
    """The rows of a boundary file, in degrees, before anything is refused or cleaned.

    Attributes
    ----------
    table : GeoDataFrame
        Every column of the file.
    codes : array of str
        Code of each row as text, "" where there is none.
    names, kinds : list of str
        As in a wards table.
    problems : tuple of RowProblem
        Why rows cannot be used, in the order of the rows; one row can have several.
    """

    table: gpd.GeoDataFrame
    codes: npt.NDArray[Any]
    names: list[str]
    kinds: list[str]
    problems: tuple[RowProblem, ...]


def read_units(
    path: str | Path,
    *,
    code_column: str = "code",
    name_column: str = "name",
    kind_column: str | None = None,
    area_column: str | None = None,
    crs: str | None = None,
) -> FileUnits:
    """Rows of a boundary file with their problems, for a check. To use the wards: `read_wards`."""
    raw = read_boundary_file(Path(path))
    asked = (code_column, name_column, kind_column, area_column)
    _require_columns(raw.table, [column for column in asked if column])
    table = _in_storage_crs(raw, crs, Path(path).name)
    codes = [_folded(code) for code in table[code_column]]
    names = [_folded(name) for name in table[name_column]]
    problems = _row_problems(table, table[code_column], codes, names, raw.unreadable)
    kinds = _kinds(table, names, kind_column)
    return FileUnits(table, np.array(codes, dtype=object), names, kinds, problems)


def wards_table(
    codes: Any, names: Any, kinds: Any, edition: datetime.date, polygons: npt.NDArray[Any]
) -> gpd.GeoDataFrame:
    """Wards table from its parts (polygons in degrees), with the area added and sorted by code.

    Examples
    --------
    >>> wards = wards_table(
    ...     ["2", "1"], ["Hai", "Một"], ["xa", ""], datetime.date(2025, 7, 1),
    ...     shapely.box([106, 106.1], 10, [106.1, 106.2], 10.1))
    >>> wards["code"].tolist(), wards["area_km2"].round().tolist()
    (['1', '2'], [121.0, 121.0])
    """
    wards = gpd.GeoDataFrame(
        {
            "code": pd.Series(np.asarray(codes, dtype=object), dtype="str"),
            "name": pd.Series(np.asarray(names, dtype=object), dtype="str"),
            "kind": pd.Series(np.asarray(kinds, dtype=object), dtype="str"),
            "edition": pd.Series([edition.isoformat()] * len(polygons), dtype="str"),
            "area_km2": shapely.area(to_metres(polygons)) / 1e6,
        },
        geometry=polygons,
        crs=STORAGE_CRS,
    )
    return wards.sort_values("code").reset_index(drop=True)


def drawing_copy(wards: gpd.GeoDataFrame, tolerance_m: float = 30.0) -> gpd.GeoDataFrame:
    """The same wards with fewer vertices, still a valid coverage: for drawing, not for measuring.

    Borders are simplified once for both sides, so no gaps open between wards as they do when each
    polygon is simplified by itself. ``area_km2`` stays that of the full detail.

    Parameters
    ----------
    wards : GeoDataFrame
        A wards table.
    tolerance_m : float
        Details smaller than about this many metres go.

    Examples
    --------
    >>> wards = wards_table(
    ...     ["1"], ["Một"], [""], datetime.date(2025, 7, 1),
    ...     np.array([shapely.Point(106.5, 10.5).buffer(0.1)]))
    >>> copy = drawing_copy(wards, 500)
    >>> int(wards.count_coordinates().sum()), int(copy.count_coordinates().sum())
    (65, 33)
    """
    simplified = shapely.coverage_simplify(to_metres(wards.geometry.to_numpy()), tolerance_m)
    drawn = settle(simplified, wards["code"].to_numpy(dtype=object))
    return wards.set_geometry(gpd.GeoSeries(drawn, index=wards.index, crs=STORAGE_CRS))


def around(wards: gpd.GeoDataFrame, code: str, count: int = 30) -> gpd.GeoDataFrame:
    """Return a ward and the wards nearest to it, measured between the middles of their boxes."""
    boxes: npt.NDArray[np.float64] = wards.geometry.bounds.to_numpy()
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    own = middle[wards["code"].eq(code).to_numpy()][0]
    nearest = np.argsort(np.hypot(*(middle - own).T), kind="stable")[:count]
    return wards.iloc[np.sort(nearest)]


def dense_core(wards: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the wards of a city's centre, where wards are too small to be seen on a map of all.

    The centre is where the smaller half of the wards lie, without those farther from their median
    point than 2.5 times the median distance; every ward within the box around them belongs to it.

    Returns
    -------
    GeoDataFrame
        A part of `wards`; empty when there are fewer than 30, or when the centre is not clearly
        smaller than the whole.
    """
    boxes: npt.NDArray[np.float64] = wards.geometry.bounds.to_numpy()
    span = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    if len(wards) < _CORE_FROM_WARDS:
        return wards.iloc[:0]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    small = span <= np.median(span)
    away = np.hypot(*(middle - np.median(middle[small], axis=0)).T)
    core = boxes[small & (away <= _CORE_REACH * np.median(away[small]))]
    corner, opposite = core[:, :2].min(axis=0), core[:, 2:].max(axis=0)
    whole = boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)
    if (opposite - corner > _CORE_SHARE * whole).any():
        return wards.iloc[:0]
    return wards[((middle >= corner) & (middle <= opposite)).all(axis=1)]


_CORE_FROM_WARDS = 30
_CORE_REACH = 2.5
_CORE_SHARE = 0.5


def feature_collection(wards: gpd.GeoDataFrame, digits: int = 5) -> bytes:
    """Compact GeoJSON of the wards for a browser, safe to stand inside a page.

    Each feature has the code as ``id``, and ``name``, ``kind`` and ``at`` (a point surely inside
    the ward, for a symbol) as properties. Everything outside ASCII and ``<``, ``>``, ``&`` is
    written as ``\\uXXXX``, so the text cannot end a script element. It is still data: a page must
    put names in with ``textContent``.

    Parameters
    ----------
    wards : GeoDataFrame
        A wards table, best a drawing copy.
    digits : int
        Decimals of a degree that are kept; 5 is about a metre.

    Examples
    --------
    >>> wards = wards_table(["01"], ["</script>"], [""], datetime.date(2025, 7, 1),
    ...     np.array([shapely.box(106, 10, 106.2, 10.2)]))
    >>> text = feature_collection(wards)
    >>> b"<" in text, json.loads(text)["features"][0]["properties"]
    (False, {'name': '</script>', 'kind': '', 'at': [106.1, 10.1]})
    """
    polygons = wards.geometry.to_numpy()
    rounded = shapely.transform(polygons, lambda xy: np.round(xy, digits))
    inside = _points_inside(rounded, polygons, digits)
    features = [
        {
            "type": "Feature",
            "id": code,
            "properties": {"name": name, "kind": kind, "at": at},
            "geometry": shapely.geometry.mapping(polygon),
        }
        for code, name, kind, at, polygon in zip(
            wards["code"], wards["name"], wards["kind"], inside, rounded, strict=True
        )
    ]
    text = json.dumps(
        {"type": "FeatureCollection", "features": features},
        allow_nan=False,
        separators=(",", ":"),
    )
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode("ascii")


def write_edition(wards: gpd.GeoDataFrame, path: str | Path) -> None:
    """Keep a wards table as GeoParquet; the file is complete or not there.

    See Also
    --------
    read_edition : gives the same table back.
    """
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        wards[list(WARDS_COLUMNS)].to_parquet(unfinished, index=False)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def read_edition(path: str | Path) -> gpd.GeoDataFrame:
    """The wards table that ``write_edition`` kept. For files from elsewhere use ``read_wards``."""
    raw = read_boundary_file(Path(path))
    _require_columns(raw.table, list(WARDS_COLUMNS))
    return raw.table[list(WARDS_COLUMNS)].to_crs(STORAGE_CRS)


def inside_viet_nam(
    lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Whether points lie in the box around Viet Nam and its islands; False for NaN.

    Examples
    --------
    >>> inside_viet_nam(np.array([106.7, 10.8]), np.array([10.8, 106.7])).tolist()
    [True, False]
    """
    west, south, east, north = _VIET_NAM
    return (west <= lon) & (lon <= east) & (south <= lat) & (lat <= north)


# --- checks of what was read


def _require_columns(table: gpd.GeoDataFrame, needed: list[str]) -> None:
    there = [str(column) for column in table.columns if column != "geometry"]
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise GeoError(
            "column_missing",
            f"The file has no column {', '.join(map(repr, missing))}. Its columns are "
            f"{', '.join(map(repr, there))}; say which of them holds the code and which the name.",
            missing=tuple(missing),
            columns=tuple(there),
        )


def _in_storage_crs(raw: RawBoundaries, crs: str | None, file: str) -> gpd.GeoDataFrame:
    own = raw.table.crs
    if own is None and crs is None:
        if Path(file).suffix.lower() not in (".geojson", ".json"):
            raise GeoError(
                "crs_missing",
                f"{file!r} does not say which coordinates it uses. Give the CRS: EPSG:4326 for "
                "degrees, EPSG:3405 or EPSG:3406 for VN-2000 in metres.",
                file=file,
            )
        crs = STORAGE_CRS
    given = None if crs is None else _crs_of_user(crs)
    if own is not None and given is not None and own != given:
        raise GeoError(
            "crs_conflict",
            f"{file!r} says {own.to_string()} but {crs} was given. Leave the CRS out, or correct "
            "the file.",
            file=file,
            own=own.to_string(),
            given=crs,
        )
    return (raw.table if own is not None else raw.table.set_crs(given)).to_crs(STORAGE_CRS)


def _crs_of_user(crs: str) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise GeoError(
            "crs_unknown", f"{crs!r} is no known CRS. Give one like EPSG:4326.", given=crs
        ) from error


def _refuse_number_codes(codes: pd.Series[Any], column: str) -> None:
    """Numbers are never turned into codes: 123 may have been "00123", and nothing says."""
    if pd.api.types.is_numeric_dtype(codes) or all(_is_number(code) for code in codes):
        raise GeoError(
            "codes_are_numbers",
            f"The column {column!r} holds numbers (first: {codes.iloc[0]!r}). Ward codes are text: "
            "a number has lost the zeros in front, and how many there were cannot be known. Save "
            "the column as text with its zeros, or name the right column.",
            column=column,
            first=str(codes.iloc[0]),
        )


def _is_number(code: object) -> bool:
    return isinstance(code, int | float) and not pd.isna(code)


def _row_problems(
    table: gpd.GeoDataFrame,
    given_codes: pd.Series[Any],
    codes: list[str],
    names: list[str],
    unreadable: dict[int, str],
) -> tuple[RowProblem, ...]:
    problems = [
        *_code_problems(given_codes, codes),
        *_problems(codes, "blank_name", [not name for name in names]),
        *_geometry_problems(table.geometry.to_numpy(), unreadable, codes),
    ]
    return tuple(sorted(problems, key=lambda problem: problem.row))


def _refuse_bad_rows(problems: tuple[RowProblem, ...], rows: int) -> None:
    if not problems:
        return
    reasons = {problem.reason for problem in problems}
    shown = "; ".join(map(str, problems[:20])) + ("; ..." if len(problems) > 20 else "")
    raise GeoError(
        reasons.pop() if len(reasons) == 1 else "several_problems",
        f"{len({problem.row for problem in problems})} of {rows} rows cannot be used: "
        f"{shown}. Correct these rows and load the file again; nothing was taken over.",
        problems=problems,
    )


def _code_problems(given: pd.Series[Any], codes: list[str]) -> list[RowProblem]:
    not_text = [_is_number(code) for code in given]
    blank = [not code for code in codes]
    first: dict[str, int] = {}
    repeated = [bool(code) and first.setdefault(code, row) != row for row, code in enumerate(codes)]
    return [
        *_problems(codes, "code_not_text", not_text, lambda row: repr(given.iloc[row])),
        *_problems(
            codes, "blank_code", [b and not n for b, n in zip(blank, not_text, strict=True)]
        ),
        *_problems(codes, "duplicate_code", repeated, lambda row: f"#{first[codes[row]] + 1}"),
    ]


def _geometry_problems(
    polygons: npt.NDArray[Any], unreadable: dict[int, str], codes: list[str]
) -> list[RowProblem]:
    kinds = shapely.get_type_id(polygons)
    broken = np.isin(np.arange(len(polygons)), [r for r, why in unreadable.items()])
    absent = (shapely.is_missing(polygons) | shapely.is_empty(polygons)) & ~broken
    other = ~np.isin(kinds, (3, 6)) & ~absent & ~broken
    area = ~absent & ~broken & ~other
    west, south, east, north = shapely.bounds(polygons).T
    # bounds() silently leaves NaN vertices out, so the vertices are asked too.
    finite = _all_finite(polygons)
    inside = finite & inside_viet_nam(west, south) & inside_viet_nam(east, north)
    swapped = inside_viet_nam(south, west) & inside_viet_nam(north, east)
    metres = np.abs(shapely.bounds(polygons)).max(axis=1) > 360
    wrong = area & ~inside

    def bounds(row: int) -> str:
        return f"{west[row]:.6g} {south[row]:.6g} to {east[row]:.6g} {north[row]:.6g}"

    return [
        *[RowProblem(row + 1, codes[row], reason) for row, reason in unreadable.items()],
        *_problems(codes, "no_geometry", absent),
        *_problems(codes, "not_polygon", other, lambda row: str(polygons[row].geom_type)),
        *_problems(codes, "broken_coordinates", wrong & ~finite),
        *_problems(codes, "lat_lon_swapped", wrong & finite & swapped, bounds),
        *_problems(codes, "metres_suspected", wrong & finite & ~swapped & metres, bounds),
        *_problems(codes, "outside_viet_nam", wrong & finite & ~swapped & ~metres, bounds),
    ]


def _all_finite(polygons: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    coordinates, owner = shapely.get_coordinates(polygons, return_index=True)
    finite = np.ones(len(polygons), dtype=bool)
    finite[owner[~np.isfinite(coordinates).all(axis=1)]] = False
    return finite


def _problems(
    codes: list[str], reason: str, rows: Any, given: Callable[[int], str] = lambda row: ""
) -> list[RowProblem]:
    found = np.flatnonzero(rows).tolist()
    return [RowProblem(row + 1, codes[row], reason, given(row)) for row in found]


# --- names and kinds


def _folded(text: Any) -> str:
    """NFC, single blanks, no invisible signs; "" for a missing value."""
    if not isinstance(text, str):
        return "" if text is None or pd.isna(text) else str(text)
    visible = "".join(
        sign
        for sign in unicodedata.normalize("NFC", text)
        if sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    )
    return " ".join(visible.split())


def _kinds(units: gpd.GeoDataFrame, names: list[str], kind_column: str | None) -> list[str]:
    lower = {str(column).lower(): column for column in reversed(units.columns)}
    column = kind_column or next((lower[known] for known in _KIND_COLUMNS if known in lower), None)
    from_names = [_kind(name, prefix=True) for name in names]
    if column is None:
        return from_names
    return [
        _kind(_folded(word)) or from_name
        for word, from_name in zip(units[column], from_names, strict=True)
    ]


def _kind(text: str, *, prefix: bool = False) -> str:
    """Kind that a word of the kind column says, or that a name begins with."""
    decomposed = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    plain = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    for kind, words in _KIND_WORDS.items():
        if plain in words or (prefix and plain.startswith(tuple(f"{word} " for word in words))):
            return kind
    return ""


# --- findings


def _findings(
    wards: gpd.GeoDataFrame, codes: npt.NDArray[Any], coverage: CleanedCoverage
) -> Findings:
    return Findings(
        units=len(wards),
        invalid_rings=tuple(sorted(codes[coverage.invalid])),
        overlap_ha=coverage.overlap_ha,
        gap_ha=coverage.gap_ha,
        islands=_islands(wards),
        largest_area_change_ha=coverage.largest_area_change_ha,
        cleaned=coverage.cleaned,
    )


def _islands(wards: gpd.GeoDataFrame) -> tuple[str, ...]:
    polygons = wards.geometry.to_numpy()
    left, right = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    with_neighbour = np.unique(left[left != right])
    return tuple(wards["code"].drop(with_neighbour))


def _points_inside(
    rounded: npt.NDArray[Any], polygons: npt.NDArray[Any], digits: int
) -> list[list[float]]:
    """A point inside each ward, with as few decimals as keep it inside."""
    exact = shapely.point_on_surface(polygons)
    short = shapely.transform(exact, lambda xy: np.round(xy, digits))
    inside = shapely.contains_properly(polygons, short) & shapely.contains(rounded, short)
    points: list[list[float]] = shapely.get_coordinates(np.where(inside, short, exact)).tolist()
    return points
