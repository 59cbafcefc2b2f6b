"""Rows with a shape, from any kind of map file -> points as `lon` and `lat`, or areas as WKB.

A file holds points or areas; what most rows have is what the file is, and other rows are listed
with the reason. Coordinates are handed over in degrees (EPSG:4326), without heights; areas are
valid (repaired if need be) and their rings closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from hotspots.errors import IntakeError
from hotspots.records.reading.header import checked_names, without_rows
from hotspots.records.reading.limits import Limits, Wish
from hotspots.records.reading.places import DEGREES, Remark, degrees, look, wished_crs
from hotspots.records.reading.sink import GEOMETRY, Column, Sink

Shapes = npt.NDArray[np.object_]

LON, LAT = "lon", "lat"
_MOST_GROWTH = 3  # times the vertices, when a shape is repaired
_POINT, _POLYGON, _MULTIPOINT, _MULTIPOLYGON = 0, 3, 4, 6
_POINTS = (_POINT, _MULTIPOINT)
_AREAS = (_POLYGON, _MULTIPOLYGON)
_BATCH = 20_000


@dataclass
class MapRows:
    """What a reader of a map file found.

    Attributes
    ----------
    columns : dict of list of str
        Text of every column, one cell a row.
    shapes : array of geometry
        One a row; None where there is none.
    problems : dict of str
        By position of the row: why its shape cannot be used.
    crs : str
        ``EPSG:code`` or WKT as the file says; "" where it says nothing.
    """

    columns: Mapping[str, Sequence[str]]
    shapes: Shapes
    problems: dict[int, str]
    crs: str


def hand_over(file: str, rows: MapRows, wish: Wish, limits: Limits, sink: Sink) -> None:
    """Give the rows of a map file to the sink.

    Raises
    ------
    IntakeError
        If there are no rows, too many vertices, names that cannot be columns, or no system of that
        name.
    """
    if not len(rows.shapes):
        raise without_rows(file)
    check_vertices(file, shapely.get_num_coordinates(rows.shapes), limits)
    shapes, problems = _of_one_kind(rows.shapes, rows.problems)
    areas = bool(np.isin(shapely.get_type_id(shapes), _AREAS).any())
    if shapely.has_z(shapes).any() or shapely.has_m(shapes).any():
        sink.found("heights_dropped")
        shapes = shapely.force_2d(shapes)
    shapes, crs = _in_degrees(file, shapes, problems, rows.crs, wish, sink)
    if areas:
        shapes = _repaired(shapes, problems, sink)
    _tell_missing(shapes, problems, areas=areas, sink=sink)
    sink.fact(crs=crs)
    columns = _without_clash(rows.columns, areas=areas, sink=sink)
    _write(file, columns, shapes, problems, areas=areas, limits=limits, sink=sink)


def check_vertices(file: str, counts: npt.NDArray[np.integer], limits: Limits) -> None:
    """Refuse shapes with more vertices than allowed, each or together."""
    if not len(counts):
        return
    worst = int(np.argmax(counts))
    if counts[worst] > limits.feature_vertices:
        raise IntakeError(
            "shape_too_detailed",
            f"{file}: row {worst + 1} has {int(counts[worst])} vertices; at most "
            f"{limits.feature_vertices} are read. Simplify the boundaries and save it again.",
            file=file,
            row=worst + 1,
            vertices=int(counts[worst]),
            most=limits.feature_vertices,
        )
    if counts.sum() > limits.vertices:
        raise IntakeError(
            "map_too_detailed",
            f"{file} has {int(counts.sum())} vertices; at most {limits.vertices} are read. "
            "Simplify the boundaries and save it again.",
            file=file,
            vertices=int(counts.sum()),
            most=limits.vertices,
        )


def too_many_features(file: str, features: int, limits: Limits) -> IntakeError:
    """Return the error that a map holds too many shapes."""
    return IntakeError(
        "too_many_features",
        f"{file} has more than {limits.features} shapes ({features}); save it in parts, or points "
        "as CSV with columns lon and lat.",
        file=file,
        features=features,
        most=limits.features,
    )


def _of_one_kind(shapes: Shapes, given: Mapping[int, str]) -> tuple[Shapes, dict[int, str]]:
    """Keep the kind that most rows have; the others get a reason and no shape."""
    problems = dict(given)
    shapes = _single_points(shapes, problems)
    empty = ~shapely.is_missing(shapes) & shapely.is_empty(shapes)
    _list(problems, empty, "shape_empty")
    kinds = shapely.get_type_id(shapes)
    points = np.isin(kinds, _POINTS) & ~empty
    areas = np.isin(kinds, _AREAS) & ~empty
    other = ~shapely.is_missing(shapes) & ~empty & ~points & ~areas
    _list(problems, other, "shape_kind_not_used")
    are_areas = areas.sum() > 0 and areas.sum() >= points.sum()
    _list(problems, points if are_areas else areas, "shape_of_another_kind")
    kept = areas if are_areas else points
    return _without(shapes, ~kept), problems


def _single_points(shapes: Shapes, problems: dict[int, str]) -> Shapes:
    """Take a multi-point of one point as that point."""
    several = np.asarray(shapely.get_type_id(shapes) == _MULTIPOINT)
    counts = shapely.get_num_geometries(shapes)
    _list(problems, several & (counts > 1), "several_points")
    single = shapes.copy()
    single[several] = shapely.get_geometry(shapes[several], 0)
    return _without(single, several & (counts > 1))


def _without(shapes: Shapes, rows: npt.NDArray[np.bool_]) -> Shapes:
    kept = shapes.copy()
    kept[rows] = None
    return kept


def _in_degrees(
    file: str, shapes: Shapes, problems: dict[int, str], said: str, wish: Wish, sink: Sink
) -> tuple[Shapes, str]:
    """Return the shapes in degrees, and their system; "" if nobody knows it."""
    crs = wished_crs(wish.crs, file) or said
    coordinates, whose = shapely.get_coordinates(shapes, return_index=True)
    first, second = coordinates[:, 0], coordinates[:, 1]
    finite = np.isfinite(first) & np.isfinite(second)
    if len(coordinates):
        lon, lat = degrees(first, second, crs or DEGREES, file, swapped=wish.swap_axes)
        lost = ~(np.isfinite(lon) & np.isfinite(lat))
        wrong = {
            "coordinates_not_finite": np.unique(whose[~finite]),
            "place_outside_crs": np.unique(whose[lost & finite]),
        }
        for reason, rows in wrong.items():
            problems.update((int(row), reason) for row in rows if int(row) not in problems)
        remark = look(first, second, crs or DEGREES, file, swapped=wish.swap_axes)
        crs = _tell(remark, crs, sink)
        placed = np.column_stack([np.where(lost, 0.0, lon), np.where(lost, 0.0, lat)])
        shapes = shapely.set_coordinates(shapes.copy(), placed)
        shapes[list(problems)] = None
    return shapes, crs


def _tell(remark: Remark, crs: str, sink: Sink) -> str:
    """Report what the places look like; return the system they are in now."""
    facts: dict[str, object] = {"share_in_vietnam": round(remark.share, 3)}
    if remark.code == "coordinates_in_metres":
        facts["candidates"] = list(remark.candidates)
    if remark.code:
        sink.found(remark.code, **facts)
    if not crs and remark.code != "coordinates_in_metres":
        sink.found("crs_missing", assumed=DEGREES)
    return "" if remark.code == "coordinates_in_metres" else DEGREES


def _repaired(shapes: Shapes, problems: dict[int, str], sink: Sink) -> Shapes:
    """Return valid areas; what a repair would blow up, or leave nothing of, is listed."""
    broken = ~shapely.is_missing(shapes) & ~shapely.is_valid(shapes)
    if not broken.any():
        return shapes
    fixed = shapes.copy()
    for row in np.flatnonzero(broken):
        fixed[row] = repaired_area(shapes[row])
        if fixed[row] is None:
            problems.setdefault(int(row), "shape_not_repairable")
    repaired = [int(row) + 1 for row in np.flatnonzero(broken) if fixed[row] is not None]
    if repaired:
        sink.found("shapes_repaired", features=len(repaired), rows=repaired[:20])
    return fixed


def repaired_area(shape: shapely.Geometry) -> shapely.Geometry | None:
    """Return an area without crossings, of nearly as many vertices, or None.

    The default method took most of a minute for a random ring of 300 vertices, and made 25 000 of
    them; this one takes half a second.
    """
    try:
        with np.errstate(all="ignore"):  # coordinates of 1e308 overflow on the way
            made = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    except shapely.GEOSException:
        return None
    grown = shapely.get_num_coordinates(made) > _MOST_GROWTH * shapely.get_num_coordinates(shape)
    if grown or made.is_empty or shapely.get_type_id(made) not in _AREAS:
        return None
    return made


def _tell_missing(shapes: Shapes, problems: dict[int, str], *, areas: bool, sink: Sink) -> None:
    """Report rows without a shape: no areas, but among points they may yet name a ward."""
    missing = [row for row in np.flatnonzero(shapely.is_missing(shapes)) if row not in problems]
    if missing and areas:
        problems.update((int(row), "shape_missing") for row in missing)
    elif missing:
        sink.found("shapes_missing", features=len(missing), rows=[int(r) + 1 for r in missing[:20]])


def _without_clash(
    columns: Mapping[str, Sequence[str]], *, areas: bool, sink: Sink
) -> Mapping[str, Sequence[str]]:
    """Drop columns whose names the shapes take."""
    taken = {GEOMETRY} if areas else {LON, LAT}
    dropped = sorted(taken & set(columns))
    if dropped:
        sink.found("columns_replaced", columns=dropped)
    return {name: cells for name, cells in columns.items() if name not in taken}


def _write(
    file: str,
    columns: Mapping[str, Sequence[str]],
    shapes: Shapes,
    problems: Mapping[int, str],
    *,
    areas: bool,
    limits: Limits,
    sink: Sink,
) -> None:
    points = () if areas else (_texts(shapely.get_x(shapes)), _texts(shapely.get_y(shapes)))
    names = checked_names([*columns, *((LON, LAT) if points else ())], file, limits)
    cells = [*columns.values(), *points]
    sink.header(names, geometry=areas)
    kept = [row for row in range(len(shapes)) if row not in problems]
    for start in range(0, len(kept), _BATCH):
        batch = kept[start : start + _BATCH]
        table: dict[str, Column] = {
            name: [values[row] for row in batch] for name, values in zip(names, cells, strict=True)
        }
        if areas:
            table[GEOMETRY] = shapely.to_wkb(shapes[batch]).tolist()
        sink.rows(table, [row + 1 for row in batch])
        sink.progress((start + len(batch)) / len(kept))
    for row, reason in sorted(problems.items()):
        sink.ragged(row + 1, reason, "; ".join(column[row] for column in cells))


def _texts(values: npt.NDArray[np.float64]) -> list[str]:
    return ["" if np.isnan(value) else repr(value) for value in values.tolist()]


def _list(problems: dict[int, str], rows: npt.NDArray[np.bool_], reason: str) -> None:
    for row in np.flatnonzero(rows):
        problems.setdefault(int(row), reason)
