"""Reading files that people bring: CSV, Parquet, GeoJSON, GeoPackage -> rows as text or numbers.

The kind is taken from the file's ending and must agree with its content; a GeoPackage is opened
with that driver only. Cells of a CSV stay text: dates, codes and numbers are read by the
calculations, strictly, and never guessed.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from hotspots.errors import IntakeError

SUFFIXES = (".csv", ".parquet", ".geojson", ".json", ".gpkg")
_SEPARATORS = ",;\t|"
_MAX_BYTES = 2_000_000_000
_LONGEST_HEADER = 1_000_000
_WGS84 = frozenset({"CRS84", "OGC:1.3:CRS84", "OGC::CRS84", "EPSG::4326", "EPSG:4326"})


@dataclass(frozen=True)
class RawRows:
    """A file as read.

    Attributes
    ----------
    table : DataFrame
        The rows; the index is the row's number in the file, from 1, headers not counted.
    ragged : DataFrame
        `row`, `reason`, `value`: rows with another number of cells than the header.
    rows : int
        Rows in the file, ragged ones included.
    """

    table: pd.DataFrame
    ragged: pd.DataFrame
    rows: int


def read_rows(path: Path) -> RawRows:
    """Read a file of incidents, counts or events.

    Raises
    ------
    IntakeError
        If the file is missing, empty, of another kind than its ending says, or not readable.
    """
    if not path.is_file():
        raise IntakeError("file_missing", f"There is no file {path}.", file=path.name)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise IntakeError(
            "file_kind_unknown",
            f"{path.name}: files ending in {', '.join(SUFFIXES)} can be read; save it as one.",
            file=path.name,
            allowed=SUFFIXES,
        )
    size = path.stat().st_size
    if size == 0 or size > _MAX_BYTES:
        raise IntakeError(
            "file_empty" if size == 0 else "file_too_large",
            f"{path.name} holds {size} bytes; allowed are 1 to {_MAX_BYTES}.",
            file=path.name,
            size=size,
        )
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".gpkg": _read_geopackage}
    return readers.get(suffix, _read_geojson)(path)


def _read_csv(path: Path) -> RawRows:
    text = _decoded(path)
    if text.startswith("sep="):
        text = text.partition("\n")[2]
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    header = _header(text, separator, path)
    ragged: list[tuple[int, str]] = []

    def keep(row: pa_csv.InvalidRow) -> str:
        ragged.append(((row.number or 0) - 1, row.text or ""))
        return "skip"

    try:
        table = pa_csv.read_csv(
            io.BytesIO((text if text.endswith("\n") else f"{text}\n").encode()),
            # Our own header, so that every column is known by its name and stays text.
            read_options=pa_csv.ReadOptions(
                use_threads=False, column_names=header, skip_rows_after_names=1
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=keep
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise _not_read(path, "CSV", error) from error
    rows = table.num_rows + len(ragged)
    skipped = {number for number, _ in ragged}
    numbers = [number for number in range(1, rows + 1) if number not in skipped]
    rejected = [(number, "wrong_number_of_cells", text[:80]) for number, text in ragged]
    return RawRows(
        table.to_pandas().set_axis(pd.Index(numbers, dtype="int64")),
        pd.DataFrame(rejected, columns=["row", "reason", "value"]),
        rows,
    )


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\x00" in content and not wide:
        raise IntakeError(
            "file_not_text",
            f"{path.name} is not a text file; save it as CSV UTF-8.",
            file=path.name,
        )
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise IntakeError(
            "encoding_not_utf8",
            f"{path.name} is not in UTF-8 (byte {error.start}); save it as 'CSV UTF-8'.",
            file=path.name,
        ) from error


def _header(text: str, separator: str, path: Path) -> list[str]:
    """Return the names of the columns, each of its own."""
    lines = io.StringIO(text[:_LONGEST_HEADER], newline=None)
    try:
        cells = next(csv.reader(lines, delimiter=separator), [])
    except csv.Error as error:
        raise _not_read(path, "CSV", error) from error
    names = [cell.strip() for cell in cells]
    wrong = sorted({cell for cell in names if names.count(cell) > 1 or not cell})
    if wrong or not names:
        raise IntakeError(
            "header_not_usable",
            f"{path.name}: every column needs a name of its own; blank or repeated: {wrong}.",
            file=path.name,
            names=wrong,
        )
    return names


def _read_parquet(path: Path) -> RawRows:
    try:
        table = pa_parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise _not_read(path, "Parquet", error) from error
    frame = table.to_pandas(ignore_metadata=True)
    return _whole(frame)


def _read_geopackage(path: Path) -> RawRows:
    import geopandas
    import pyogrio

    with path.open("rb") as file:
        if not file.read(16).startswith(b"SQLite format 3"):
            raise _not_read(path, "GeoPackage", "it does not begin as one")
    try:
        layers = [str(name) for name, _ in pyogrio.list_layers(f"GPKG:{path}")]
        if len(layers) != 1:
            raise _not_read(path, "GeoPackage", f"one layer is expected, not {layers}")
        points = geopandas.read_file(f"GPKG:{path}", engine="pyogrio", layer=layers[0])
    except IntakeError:
        raise
    except Exception as error:  # GDAL reports every fault of a file in its own way
        raise _not_read(path, "GeoPackage", error) from error
    if points.crs is None:
        raise IntakeError(
            "crs_missing",
            f"{path.name} does not say its coordinate system; set it and save it again.",
            file=path.name,
        )
    if not points.geometry.geom_type.dropna().eq("Point").all():
        raise IntakeError(
            "points_needed", f"{path.name} holds other shapes than points.", file=path.name
        )
    placed = points.to_crs("EPSG:4326")
    frame = pd.DataFrame(placed.drop(columns=placed.geometry.name))
    return _whole(frame.assign(lon=placed.geometry.x, lat=placed.geometry.y))


def _read_geojson(path: Path) -> RawRows:
    """Read points of a GeoJSON file with our own reader: GDAL would follow links in `crs`."""
    try:
        data = json.loads(_decoded(path))
        rows = [_feature(feature) for feature in _list(data["features"])]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_read(path, "GeoJSON", error) from error
    name = _crs_name(data.get("crs"))
    if name not in _WGS84:
        raise IntakeError(
            "geojson_not_wgs84",
            f"{path.name} is in {name}; GeoJSON is read in WGS 84 degrees (RFC 7946).",
            file=path.name,
            crs=name,
        )
    return _whole(pd.DataFrame(rows))


def _list(features: object) -> list[object]:
    if not isinstance(features, list):
        raise TypeError("features must be a list")
    return features


def _crs_name(crs: object) -> str:
    """Return what a file says of its coordinates; a link is not followed, only named."""
    if crs is None:
        return "CRS84"
    properties = crs.get("properties") if isinstance(crs, dict) else None
    given = properties if isinstance(properties, dict) else {}
    return str(given.get("name") or given.get("href") or crs).removeprefix("urn:ogc:def:crs:")


def _feature(feature: object) -> dict[str, object]:
    """Return one feature as a row; a geometry that is no point leaves the coordinates missing."""
    if not isinstance(feature, dict):
        raise TypeError("a feature must be an object")
    geometry, properties = feature.get("geometry"), feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise TypeError("properties must be an object")
    lon = lat = None
    if isinstance(geometry, dict) and geometry.get("type") == "Point":
        coordinates = geometry.get("coordinates")
        if isinstance(coordinates, list) and len(coordinates) >= 2:
            lon, lat = coordinates[:2]
    return {**properties, "lon": lon, "lat": lat}


def _whole(frame: pd.DataFrame) -> RawRows:
    nothing = pd.DataFrame(columns=["row", "reason", "value"])
    return RawRows(frame.set_axis(pd.RangeIndex(1, len(frame) + 1)), nothing, len(frame))


def _not_read(path: Path, kind: str, error: object) -> IntakeError:
    return IntakeError(
        "file_not_read",
        f"{path.name} cannot be read as {kind}: {error}.",
        file=path.name,
        problem=str(error)[:200],
    )
