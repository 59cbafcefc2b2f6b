"""Reading GeoJSON (RFC 7946) with a reader of our own: GDAL would follow what such a file says.

Only a FeatureCollection of points or areas is read. What looks like JSON but is another format
(TopoJSON, ESRI JSON, GDAL's own pipelines, STAC catalogues) is refused by name. A `crs` by name, of
GeoJSON as it was before 2016, is honoured; a `crs` by link is reported and never followed.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import shapely

from hotspots.errors import IntakeError
from hotspots.records.reading.cell_text import number_text
from hotspots.records.reading.encodings import Letters
from hotspots.records.reading.header import not_usable
from hotspots.records.reading.limits import Limits, Wish
from hotspots.records.reading.places import DEGREES, crs_named
from hotspots.records.reading.shapes import MapRows, hand_over, too_many_features
from hotspots.records.reading.sink import Sink, whole_letters

_SHORTEST_RING = 4
_PROGRESS_ROWS = 1_000

_Ring: TypeAlias = list[tuple[float, float]]


def read(path: Path, wish: Wish, limits: Limits, sink: Sink) -> None:
    """Read the features of a file: one row each, its properties as text.

    Parameters
    ----------
    path : Path
        The file, in UTF-8.
    wish : Wish
        `crs`, `swap_axes`, and an `encoding` for legacy letters.
    limits : Limits
        Of features, vertices and columns.
    sink : Sink
        Gets `lon` and `lat` of points, or `geometry` of areas.

    Raises
    ------
    IntakeError
        `file_not_read`, `geojson_kind` (of another format), `encoding_not_utf8`, `crs_unknown`,
        `too_many_features`, and what `shapes.hand_over` refuses.
    """
    data = _parsed(path)
    features = _features(path, data, limits)
    crs = _crs(path, data.get("crs"), wish, sink)
    letters = Letters(wish.encoding)
    columns = _columns(path, features, letters, limits)
    shapes, problems = _shapes(path, features, limits, sink)
    legacy = letters.seen()
    if legacy:
        sink.found("legacy_letters", encoding=legacy)
    sink.fact(encoding="utf-8", encodings=[f"utf-8+{legacy}"] if legacy else [])
    hand_over(path.name, MapRows(columns, shapes, problems, crs), wish, limits, sink)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise IntakeError(
            "encoding_not_utf8",
            f"{path.name} is not in UTF-8 (byte {error.start}); GeoJSON must be. Save it again.",
            file=path.name,
        ) from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_read(path, error) from error
    if not isinstance(data, dict):
        raise _other_kind(path, "JSON")
    return data


def _features(path: Path, data: Mapping[str, Any], limits: Limits) -> list[dict[str, Any]]:
    """Return the features of what is GeoJSON, and nothing else."""
    if data.get("type") != "FeatureCollection" or "stac_version" in data:
        raise _other_kind(path, str(data.get("type", "JSON"))[:40])
    features = data.get("features")
    if not isinstance(features, list):
        raise _not_read(path, "it has no list of features")
    if len(features) > limits.features:
        raise too_many_features(path.name, len(features), limits)
    for row, feature in enumerate(features, start=1):
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise _not_read(path, f"number {row} of its features is none")
        if "stac_version" in feature:
            raise _other_kind(path, "STAC")
        if not isinstance(feature.get("properties") or {}, dict):
            raise _not_read(path, f"the properties of feature {row} are no object")
    return features


def _crs(path: Path, crs: object, wish: Wish, sink: Sink) -> str:
    """Return the system that the file names; without a name it is in degrees."""
    if crs is None:
        return DEGREES
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(crs, dict) and crs.get("type") == "link":
        sink.found("crs_link_ignored")
        return DEGREES
    known = crs_named(name) if isinstance(name, str) else ""
    if not known and wish.crs is None:
        raise IntakeError(
            "crs_unknown",
            f"{path.name} names the coordinate system {str(name)[:80]!r}, which is not known; "
            "choose one as EPSG:code.",
            file=path.name,
            given=str(name)[:80],
        )
    return known or DEGREES


def _columns(
    path: Path, features: list[dict[str, Any]], letters: Letters, limits: Limits
) -> dict[str, list[str]]:
    """Return the properties as text, in the order in which their names come up."""
    given = [feature.get("properties") or {} for feature in features]
    if any("id" in feature for feature in features) and not any("id" in row for row in given):
        given = [
            {"id": feature.get("id"), **row} for feature, row in zip(features, given, strict=True)
        ]
    names = dict.fromkeys(name for row in given for name in row)
    if len(names) > limits.columns:
        raise IntakeError(
            "too_many_columns",
            f"{path.name} has {len(names)} different properties; at most {limits.columns} are "
            "read. Keep those that are needed.",
            file=path.name,
            columns=len(names),
            most=limits.columns,
        )
    shown = [whole_letters(letters.read(name)) for name in names]
    times = Counter(shown)
    if wrong := [place for place, name in enumerate(shown, 1) if times[name] > 1]:
        raise not_usable(wrong, path.name)
    return {
        clean: [_cell(path, row.get(name), letters, limits) for row in given]
        for clean, name in zip(shown, names, strict=True)
    }


def _cell(path: Path, value: object, letters: Letters, limits: Limits) -> str:
    if isinstance(value, str):
        text = letters.read(value)
    elif value is None:
        text = ""
    elif isinstance(value, bool):
        text = "TRUE" if value else "FALSE"
    elif isinstance(value, int | float):
        text = number_text(value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    if len(text) > limits.cell_bytes:
        raise IntakeError(
            "cell_too_long",
            f"{path.name} has a property of {len(text)} characters; at most {limits.cell_bytes} "
            "are read. Shorten or drop it.",
            file=path.name,
            most=limits.cell_bytes,
        )
    return text


def _shapes(
    path: Path, features: list[dict[str, Any]], limits: Limits, sink: Sink
) -> tuple[np.ndarray[Any, np.dtype[np.object_]], dict[int, str]]:
    """Return a shape for every feature, or None, and why there is none."""
    shapes = np.full(len(features), None, dtype=object)
    problems: dict[int, str] = {}
    builder = _Builder(path, limits)
    for place, feature in enumerate(features):
        if place % _PROGRESS_ROWS == 0:
            sink.progress(place / len(features))
        geometry = feature.get("geometry")
        if geometry is None:
            continue
        builder.row = place + 1
        try:
            shapes[place] = builder.shape(geometry)
        except _Unusable as reason:
            problems[place] = str(reason)
    if builder.closed:
        sink.found("rings_closed", features=len(builder.closed), rows=sorted(builder.closed)[:20])
    if builder.heights:
        sink.found("heights_dropped")
    return shapes, problems


class _Unusable(Exception):  # noqa: N818 - a reason, listed with its row
    pass


class _Builder:
    """Makes shapes of coordinates, counting them and looking at every number."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._all = self._here = 0
        self.row = 0
        self.closed: set[int] = set()
        self.heights = False

    def shape(self, geometry: object) -> shapely.Geometry:
        """Return a point or an area; no other kind is built at all."""
        if not isinstance(geometry, dict):
            raise _Unusable("shape_not_read")
        self._here = 0
        coordinates = geometry.get("coordinates")
        if coordinates == []:
            raise _Unusable("shape_empty")
        match geometry.get("type"):
            case "Point":
                return shapely.Point(self._position(coordinates))
            case "MultiPoint":
                return shapely.MultiPoint([self._position(one) for one in _list(coordinates)])
            case "Polygon":
                return self._polygon(coordinates)
            case "MultiPolygon":
                polygons = [self._polygon(one) for one in _list(coordinates)]
                return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
            case "LineString" | "MultiLineString" | "GeometryCollection":
                raise _Unusable("shape_kind_not_used")
        raise _Unusable("shape_not_read")

    def _polygon(self, coordinates: object) -> shapely.Polygon:
        rings = [self._ring(ring) for ring in _list(coordinates)]
        if not rings:
            raise _Unusable("shape_empty")
        return shapely.Polygon(rings[0], rings[1:])

    def _ring(self, coordinates: object) -> _Ring:
        ring = [self._position(position) for position in _list(coordinates)]
        if ring and ring[0] != ring[-1]:
            ring.append(ring[0])
            self.closed.add(self.row)
        if len(ring) < _SHORTEST_RING:
            raise _Unusable("ring_too_short")
        return ring

    def _position(self, position: object) -> tuple[float, float]:
        self._count()
        if not isinstance(position, list) or len(position) < 2:
            raise _Unusable("shape_not_read")
        self.heights = self.heights or len(position) > 2
        first, second = position[:2]
        for value in (first, second):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise _Unusable("shape_not_read")
        try:
            place = float(first), float(second)
        except OverflowError:
            raise _Unusable("coordinates_not_finite") from None
        if not all(map(math.isfinite, place)):
            raise _Unusable("coordinates_not_finite")
        return place

    def _count(self) -> None:
        self._all += 1
        self._here += 1
        if self._here > self._limits.feature_vertices:
            raise IntakeError(
                "shape_too_detailed",
                f"{self._path.name}: row {self.row} has more than {self._limits.feature_vertices} "
                "vertices; simplify the boundaries and save it again.",
                file=self._path.name,
                row=self.row,
                most=self._limits.feature_vertices,
            )
        if self._all > self._limits.vertices:
            raise IntakeError(
                "map_too_detailed",
                f"{self._path.name} has more than {self._limits.vertices} vertices; simplify the "
                "boundaries and save it again.",
                file=self._path.name,
                most=self._limits.vertices,
            )


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _Unusable("shape_not_read")
    return value


def _other_kind(path: Path, kind: str) -> IntakeError:
    return IntakeError(
        "geojson_kind",
        f"{path.name} is of kind {kind!r}, and not a FeatureCollection of GeoJSON; "
        "save it as GeoJSON.",
        file=path.name,
        kind=kind,
    )


def _not_read(path: Path, error: object) -> IntakeError:
    return IntakeError(
        "file_not_read",
        f"{path.name} cannot be read as GeoJSON: {str(error)[:200]}.",
        file=path.name,
        problem=str(error)[:200],
    )
