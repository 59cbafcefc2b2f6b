"""A boundary file to its raw rows: which formats are read, by which driver, within which limits.

GDAL picks its driver by looking into the file, whatever the name says: a "GeoJSON" that holds an
OGR VRT or a GDALG pipeline makes it read any other file or address. So the suffix chooses one
reader, the first bytes must agree, and GDAL is asked for that one driver. GeoJSON is parsed here,
because GDAL's own GeoJSON driver fetches a ``crs`` link.
"""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import shapely

from geo.errors import GeoError

# A whole country of wards in full detail fits (3,321 units); a bomb does not.
MAX_FILE_MB = 100
MAX_UNITS = 20_000
MAX_VERTICES = 5_000_000

_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_POLYGON_SHAPES = (5, 15, 25)


@dataclass(frozen=True)
class RawBoundaries:
    """The rows of a boundary file, unchecked.

    Attributes
    ----------
    table : GeoDataFrame
        Every attribute column as the file has it, and ``geometry`` without heights; ``crs`` is None
        where the file names none.
    unreadable : dict
        Row position to the reason why its geometry could not be made: ``"not_polygon"`` or
        ``"broken_coordinates"``. These rows have no geometry.
    """

    table: gpd.GeoDataFrame
    unreadable: dict[int, str] = field(default_factory=dict)


def read_boundary_file(path: Path) -> RawBoundaries:
    """Rows of a GeoJSON, GeoPackage, GeoParquet or (zipped) Shapefile.

    Parameters
    ----------
    path : Path
        A file on this machine. Its suffix decides how it is read.

    Raises
    ------
    GeoError
        Unknown suffix, content that is not what the suffix says, too large, or unreadable.

    Examples
    --------
    >>> read_boundary_file(Path("wards.kml"))
    Traceback (most recent call last):
    ...
    geo.errors.GeoError: 'wards.kml' is not of a kind that is read here. Allowed are .geojson, \
.gpkg, .json, .parquet, .shp, .zip; save the boundaries as one of these.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        allowed = sorted(_READERS)
        raise GeoError(
            "format_not_allowed",
            f"{path.name!r} is not of a kind that is read here. Allowed are {', '.join(allowed)}; "
            "save the boundaries as one of these.",
            file=path.name,
            allowed=allowed,
        )
    if not path.is_file():
        raise GeoError("no_file", f"There is no file {path.name!r}.", file=path.name)
    _refuse_if_larger(path.stat().st_size, path)
    raw = reader(path)
    _refuse_if_too_many(raw.table, path)
    return raw


def _unreadable(path: Path, why: object) -> NoReturn:
    raise GeoError(
        "unreadable_file",
        f"{path.name!r} cannot be read as {path.suffix.lower()}: {why}. "
        "Export it again from the program it was made with.",
        file=path.name,
        why=str(why),
    )


def _refuse_if_larger(size: int, path: Path) -> None:
    if size > MAX_FILE_MB * 1_000_000:
        raise GeoError(
            "file_too_large",
            f"{path.name!r} holds {size / 1e6:.0f} MB; at most {MAX_FILE_MB} MB are read. "
            "Simplify the boundaries or leave out other layers.",
            file=path.name,
            megabytes=size / 1e6,
            allowed=MAX_FILE_MB,
        )


def _refuse_if_too_many(table: gpd.GeoDataFrame, path: Path) -> None:
    vertices = int(shapely.get_num_coordinates(table.geometry.to_numpy()).sum())
    if not 0 < len(table) <= MAX_UNITS or vertices > MAX_VERTICES:
        raise GeoError(
            "too_many_units" if len(table) else "no_units",
            f"{path.name!r} holds {len(table)} units with {vertices} vertices; allowed are 1 to "
            f"{MAX_UNITS} units and {MAX_VERTICES} vertices.",
            file=path.name,
            units=len(table),
            vertices=vertices,
        )


# --- GeoJSON


def _read_geojson(path: Path) -> RawBoundaries:
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _unreadable(path, error)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not all(isinstance(each, dict) for each in features):
        _unreadable(path, "it is not a FeatureCollection")
    made = [_polygon_from_geojson(each.get("geometry")) for each in features]
    return _raw(
        pd.DataFrame([each.get("properties") or {} for each in features], dtype=object),
        made,
        _named_crs(document, path),
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _named_crs(document: dict[str, Any], path: Path) -> pyproj.CRS | None:
    """CRS of the old ``crs`` member by name; a link is never followed."""
    crs = document.get("crs")
    if not isinstance(crs, dict) or crs.get("type") != "name":
        return None
    properties = crs.get("properties")
    name = properties.get("name") if isinstance(properties, dict) else None
    return _crs(str(name), path)


def _crs(text: str, path: Path) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError as error:
        _unreadable(path, error)


def _polygon_from_geojson(geometry: Any) -> tuple[shapely.Geometry | None, str]:
    if geometry is None:
        return None, ""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        return None, "not_polygon"
    parts = geometry.get("coordinates")
    try:
        polygons = [_polygon(rings) for rings in ([parts] if kind == "Polygon" else parts)]
    except (TypeError, ValueError, shapely.errors.GEOSException):
        return None, "broken_coordinates"
    return (polygons[0] if kind == "Polygon" else shapely.MultiPolygon(polygons)), ""


def _polygon(rings: Any) -> shapely.Polygon:
    if rings == []:
        return shapely.Polygon()
    shell, *holes = [_positions(ring) for ring in rings]
    return shapely.Polygon(shell, holes)


def _positions(ring: Any) -> np.ndarray[Any, Any]:
    positions = np.asarray([position[:2] for position in ring])
    # asarray would happily turn the text "106.7" into a number, and true into 1.
    if positions.dtype.kind not in "if":
        raise ValueError("coordinates are not numbers")
    return positions.astype(float)


# --- GeoParquet


def _read_geoparquet(path: Path) -> RawBoundaries:
    try:
        parquet = pq.ParquetFile(path)
        if parquet.metadata.num_rows > MAX_UNITS:
            _refuse_if_too_many(gpd.GeoDataFrame(geometry=[None] * parquet.metadata.num_rows), path)
        table = parquet.read()
        about = json.loads((table.schema.metadata or {})[b"geo"])
        name = about["primary_column"]
        encoding, crs = (
            about["columns"][name].get(key, "OGC:CRS84") for key in ("encoding", "crs")
        )
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        _unreadable(path, f"it is not a GeoParquet file ({error})")
    if encoding != "WKB":
        _unreadable(path, f"its geometry is encoded as {encoding}, only WKB is read")
    made = [_polygon_from_wkb(blob) for blob in table[name].to_pylist()]
    attributes = table.drop_columns(list(about["columns"])).to_pandas()
    return _raw(attributes, made, None if crs is None else _crs(_crs_text(crs), path))


def _crs_text(crs: object) -> str:
    return crs if isinstance(crs, str) else json.dumps(crs)


def _polygon_from_wkb(blob: bytes | None) -> tuple[shapely.Geometry | None, str]:
    if blob is None:
        return None, ""
    try:
        if not _is_polygonal_wkb(blob):
            return None, "not_polygon"
        return cast(shapely.Geometry, shapely.from_wkb(blob)), ""
    except (struct.error, IndexError, shapely.errors.GEOSException):
        return None, "broken_coordinates"


def _is_polygonal_wkb(blob: bytes) -> bool:
    """Whether it is a polygon or a flat list of polygons, found without letting GEOS near it.

    GEOS reads nested collections by recursion: 20,000 levels (180 kB) end the whole process.
    """
    kind, _, at = _wkb_head(blob, 0)
    if kind != 6:
        return kind == 3
    order = "<" if blob[0] else ">"
    (parts,) = struct.unpack_from(f"{order}I", blob, at)
    at += 4
    for _ in range(parts):
        kind, dimensions, at = _wkb_head(blob, at)
        if kind != 3:
            return False
        at = _after_rings(blob, at, dimensions, order)
    return True


def _wkb_head(blob: bytes, at: int) -> tuple[int, int, int]:
    """Base type, coordinates per position and where the content starts; ISO and extended WKB."""
    order = "<" if blob[at] else ">"
    (word,) = struct.unpack_from(f"{order}I", blob, at + 1)
    base = word & 0x0FFFFFFF
    extra = {0: 0, 1: 1, 2: 1, 3: 2}.get(base // 1000, 0)
    extra += bool(word & 0x80000000) + bool(word & 0x40000000)
    return base % 1000, 2 + extra, at + 5 + (4 if word & 0x20000000 else 0)


def _after_rings(blob: bytes, at: int, dimensions: int, order: str) -> int:
    (rings,) = struct.unpack_from(f"{order}I", blob, at)
    at += 4
    for _ in range(rings):
        (positions,) = struct.unpack_from(f"{order}I", blob, at)
        at += 4 + positions * dimensions * 8
    return at


# --- GeoPackage and Shapefile, by GDAL


def _read_geopackage(path: Path) -> RawBoundaries:
    _refuse_other_content(path, b"SQLite format 3\x00")
    # The prefix makes GDAL use this driver or fail; without it the content decides.
    source = f"GPKG:{path.resolve()}"
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(source) if kind is not None]
    except pyogrio.errors.DataSourceError as error:
        _unreadable(path, error)
    if len(layers) != 1:
        raise GeoError(
            "several_layers",
            f"{path.name!r} has {len(layers)} map layers ({', '.join(layers)}); one is expected. "
            "Export the layer of wards alone.",
            file=path.name,
            layers=layers,
        )
    return _by_gdal(source, path, layer=layers[0])


def _read_shapefile(path: Path) -> RawBoundaries:
    """A Shapefile has no driver prefix; its header leaves no other driver before GDAL's own."""
    _refuse_other_content(path, b"\x00\x00\x27\x0a")
    head = path.read_bytes()[:36]
    if len(head) < 36 or struct.unpack_from("<I", head, 32)[0] not in (0, *_POLYGON_SHAPES):
        _unreadable(path, "it holds no polygons")
    for suffix in (".shx", ".dbf"):
        if not _beside(path, suffix):
            _unreadable(path, f"the {suffix} file that belongs to it is missing")
    # Without a .cpg GDAL takes Latin-1, which lacks most Vietnamese letters: garbage for names.
    return _by_gdal(str(path.resolve()), path, encoding=None if _beside(path, ".cpg") else "UTF-8")


def _beside(path: Path, suffix: str) -> bool:
    return path.with_suffix(suffix).exists() or path.with_suffix(suffix.upper()).exists()


def _read_zipped_shapefile(path: Path) -> RawBoundaries:
    with tempfile.TemporaryDirectory() as folder:
        try:
            _unpack_shapefile(path, Path(folder))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            _unreadable(path, error)
        return _read_shapefile(Path(folder) / "wards.shp")


def _unpack_shapefile(path: Path, folder: Path) -> None:
    """The five known members, under our own names; zipfile gives no byte more than was declared."""
    with zipfile.ZipFile(path) as archive:
        by_suffix: dict[str, list[zipfile.ZipInfo]] = {}
        for member in archive.infolist():
            by_suffix.setdefault(Path(member.filename).suffix.lower(), []).append(member)
        if len(by_suffix.get(".shp", [])) != 1:
            _unreadable(path, "it must hold exactly one .shp file")
        stem = Path(by_suffix[".shp"][0].filename).with_suffix("")
        for suffix in _SHAPEFILE_PARTS:
            for member in by_suffix.get(suffix, []):
                if Path(member.filename).with_suffix("") == stem:
                    _refuse_if_larger(member.file_size, path)
                    with (
                        archive.open(member) as packed,
                        open(folder / f"wards{suffix}", "wb") as to,
                    ):
                        shutil.copyfileobj(packed, to)


def _refuse_other_content(path: Path, magic: bytes) -> None:
    with open(path, "rb") as file:
        if file.read(len(magic)) != magic:
            _unreadable(path, "its content is of another kind")


def _by_gdal(source: str, path: Path, **options: Any) -> RawBoundaries:
    try:
        table = pyogrio.read_dataframe(
            source, force_2d=True, max_features=MAX_UNITS + 1, on_invalid="ignore", **options
        )
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        _unreadable(path, error)
    if not isinstance(table, gpd.GeoDataFrame):
        _unreadable(path, "it holds no geometry")
    if table.geometry.name != "geometry":
        table = table.rename_geometry("geometry")
    return RawBoundaries(table)


def _raw(
    attributes: pd.DataFrame,
    made: list[tuple[shapely.Geometry | None, str]],
    crs: pyproj.CRS | None,
) -> RawBoundaries:
    geometry = shapely.force_2d(np.array([each for each, _ in made], dtype=object))
    return RawBoundaries(
        gpd.GeoDataFrame(
            attributes.drop(columns="geometry", errors="ignore"), geometry=geometry, crs=crs
        ),
        {row: reason for row, (_, reason) in enumerate(made) if reason},
    )


_READERS: dict[str, Callable[[Path], RawBoundaries]] = {
    ".geojson": _read_geojson,
    ".json": _read_geojson,
    ".parquet": _read_geoparquet,
    ".gpkg": _read_geopackage,
    ".shp": _read_shapefile,
    ".zip": _read_zipped_shapefile,
}
