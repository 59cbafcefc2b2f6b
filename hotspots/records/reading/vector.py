"""Reading a layer of a GeoPackage or of a zipped shapefile, through GDAL.

GDAL chooses its driver by content, whatever a file is called, and some drivers open other files and
addresses that a file names. So this runs in a confined process where all drivers but two are
switched off before GDAL is loaded; and here a file must begin as what it is opened as, a GeoPackage
must hold plain tables only, and of a zip only named members are copied, under names of our own.
"""

from __future__ import annotations

import json
import re
import sqlite3
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np
import shapely

from hotspots.errors import IntakeError
from hotspots.records.reading.cell_text import moment_text, number_text
from hotspots.records.reading.encodings import LEGACY, Letters, decoder, detect
from hotspots.records.reading.header import not_usable
from hotspots.records.reading.limits import Limits, Wish
from hotspots.records.reading.places import wished_crs
from hotspots.records.reading.shapes import MapRows, check_vertices, hand_over, too_many_features
from hotspots.records.reading.sink import Sink, whole_letters
from hotspots.records.reading.zips import open_zip, read_member

_SQLITE = b"SQLite format 3\x00"
_ZIP = b"PK"
_SHAPEFILE = (9994, 1000)
_PARTS = (".shp", ".shx", ".dbf")
_MORE_PARTS = (".prj", ".cpg")
_BYTES = "ISO-8859-1"  # every byte of a .dbf as one letter, to be decoded here
_SAMPLE = 1 << 20
_BYTES_A_VERTEX = 40  # of WKB, at most
_MOST_TABLES = 10_000
_NO_TABLE = re.compile(r"create\s+virtual\s+table\b(?!.*\busing\s+rtree\b)", re.I | re.S)
_COMPUTED = re.compile(r"\bgenerated\s+always\b|\bas\s*\(", re.I)
_NO_SYSTEM = re.compile(r"^\s*(LOCAL_CS|ENGCRS|ENGINEERINGCRS)|undefined", re.I)
_PAGES = {"utf-8": "utf-8", "utf8": "utf-8", "65001": "utf-8", "1258": "cp1258", "cp1258": "cp1258"}

Decode = Callable[[str], str]


def read(path: Path, wish: Wish, limits: Limits, sink: Sink) -> None:
    """Read a layer: the wished one, or the first.

    Parameters
    ----------
    path : Path
        A GeoPackage, or a zip with shapefiles; told by content.
    wish : Wish
        `layer`, `crs`, `swap_axes`, `encoding`.
    limits : Limits
        Of features, vertices, columns.
    sink : Sink
        Gets `lon` and `lat` of points, or `geometry` of areas.

    Raises
    ------
    IntakeError
        `file_not_read`, `layer_unknown`, `geopackage_not_plain`, `shapefile_part_missing`,
        `zip_without_shapefile`, `too_many_features`, and what `zips` and `shapes` refuse.
    """
    with path.open("rb") as file:
        begin = file.read(len(_SQLITE))
    if begin == _SQLITE:
        _read_geopackage(path, wish, limits, sink)
    elif begin.startswith(_ZIP):
        _read_shapefile(path, wish, limits, sink)
    else:
        raise _not_read(path, "it is neither a GeoPackage nor a zip")


# -- GeoPackage


def _read_geopackage(path: Path, wish: Wish, limits: Limits, sink: Sink) -> None:
    _check_plain(path)
    source = f"GPKG:{path}"
    with _faults_named(path):
        import pyogrio

        listed = [(str(name), kind) for name, kind in pyogrio.list_layers(source)]
    layers = [name for name, kind in listed if kind is not None] or [name for name, _ in listed]
    layer = _chosen(path, layers, wish, sink)
    letters = Letters(wish.encoding)
    table = _Layer(path, source, layer, None, limits)
    rows = table.rows(lambda text: letters.read(whole_letters(text)), {})
    legacy = letters.seen()
    if legacy:
        sink.found("legacy_letters", encoding=legacy)
    sink.fact(encoding="utf-8", encodings=[f"utf-8+{legacy}"] if legacy else [])
    table.tell(sink)
    hand_over(path.name, rows, wish, limits, sink)


def _check_plain(path: Path) -> None:
    """Refuse a GeoPackage with views, virtual tables or computed columns: they can run functions.

    Triggers only run on writing, and every GeoPackage has some.
    """
    try:
        address = f"file:{quote(str(path))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("PRAGMA trusted_schema=OFF")
            database.execute("PRAGMA cell_size_check=ON")
            rows = database.execute("SELECT type, name, sql FROM sqlite_master")
            parts = rows.fetchmany(_MOST_TABLES)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _not_read(path, error) from error
    for kind, name, sql in parts:
        text = str(sql or "")
        computed = kind == "table" and _COMPUTED.search(text)
        if kind == "view" or computed or _NO_TABLE.match(text):
            raise IntakeError(
                "geopackage_not_plain",
                f"{path.name}: {name!r} is computed and not a plain table; export the layer to a "
                "new GeoPackage.",
                file=path.name,
                name=str(name)[:80],
            )


# -- Shapefile


def _read_shapefile(path: Path, wish: Wish, limits: Limits, sink: Sink) -> None:
    with open_zip(path, limits) as archive, tempfile.TemporaryDirectory() as folder:
        layers = _layers(path, archive)
        layer = _chosen(path, list(layers), wish, sink)
        said = _unpack(path, archive, layers[layer], Path(folder), sink)
        table = _Layer(path, str(Path(folder) / "layer.shp"), None, _BYTES, limits)
        encoding = _encoding(table.sample(), said, wish, sink)
        cells = _Cells(encoding)
        rows = table.rows(cells.read, cells.problems)
        table.tell(sink)
        hand_over(path.name, rows, wish, limits, sink)


def _layers(path: Path, archive: zipfile.ZipFile) -> dict[str, dict[str, zipfile.ZipInfo]]:
    """Return the members of each shapefile by their endings, by its name in the zip."""
    stems: dict[str, dict[str, zipfile.ZipInfo]] = {}
    names: dict[str, str] = {}
    for member in archive.infolist():
        place = PurePosixPath(member.filename)
        if member.is_dir() or place.name.startswith(".") or "__MACOSX" in place.parts:
            continue
        ending = place.suffix.lower()
        if ending in (*_PARTS, *_MORE_PARTS):
            stem = str(place.with_suffix(""))
            stems.setdefault(stem.casefold(), {})[ending] = member
            if ending == ".shp":
                names[stem.casefold()] = stem
    if not names:
        raise IntakeError(
            "zip_without_shapefile",
            f"{path.name} holds no .shp; zip a shapefile's .shp, .shx, .dbf and .prj together.",
            file=path.name,
        )
    return {name: stems[stem] for stem, name in names.items()}


def _unpack(
    path: Path,
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    folder: Path,
    sink: Sink,
) -> str:
    """Copy the parts of a shapefile under our own names; return the code page it says."""
    missing = [ending for ending in _PARTS if ending not in members]
    if missing:
        raise IntakeError(
            "shapefile_part_missing",
            f"{path.name} lacks the shapefile's {', '.join(missing)}; zip all its parts together.",
            file=path.name,
            parts=missing,
        )
    for place, ending in enumerate((*_PARTS, ".prj")):
        if ending in members:
            content = read_member(path, archive, members[ending])
            if ending == ".shp" and not _is_shapefile(content):
                raise _not_read(path, f"{members[ending].filename} is no shapefile")
            (folder / f"layer{ending}").write_bytes(content)
        sink.progress(place / 10)
    if ".cpg" not in members:
        return ""
    return read_member(path, archive, members[".cpg"])[:40].decode("ascii", "replace").strip()


def _is_shapefile(content: bytes) -> bool:
    if len(content) < 100:
        return False
    return (struct.unpack(">i", content[:4])[0], struct.unpack("<i", content[28:32])[0]) == (
        _SHAPEFILE
    )


def _encoding(sample: bytes, said: str, wish: Wish, sink: Sink) -> str:
    """Return the encoding of a .dbf, whatever its .cpg says: it is often wrong."""
    fitting = detect(sample) or LEGACY
    page = _PAGES.get(said.casefold().removeprefix("ansi").strip(), "")
    chosen = wish.encoding or (page if page in fitting else fitting[0])
    if wish.encoding is None and not sample.isascii():
        if said and chosen != page:
            sink.found("cpg_wrong", said=said, encoding=chosen)
        elif chosen in LEGACY and not page:
            sink.found("encoding_guessed", encoding=chosen)
        if len(fitting) > 1 and "+" in fitting[1]:
            sink.found("legacy_letters", encoding=fitting[1].rpartition("+")[2])
    others = [one for one in (*fitting, *LEGACY) if one != chosen]
    sink.fact(encoding=chosen, encodings=list(dict.fromkeys(others)))
    return chosen


class _Cells:
    """Decodes cells that GDAL gave as one letter a byte; notes the rows where that fails."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._read = lru_cache(50_000)(self._decoded)
        self.problems: dict[int, str] = {}
        decoder(encoding)  # refuses an unknown one, before any cell

    def read(self, text: str) -> str:
        """Return the text; raises UnicodeDecodeError."""
        return text if text.isascii() else self._read(text)

    def _decoded(self, text: str) -> str:
        # Not final: a cell may be cut within its last letter, at the width of its column.
        pieces = decoder(self._encoding)
        read = pieces.decode(text.encode("latin-1"))
        try:
            return read + pieces.decode(b"", True)
        except UnicodeDecodeError:
            return read


# -- what both have in common


class _Layer:
    """The rows of a layer as GDAL reads them."""

    def __init__(
        self, path: Path, source: str, layer: str | None, encoding: str | None, limits: Limits
    ) -> None:
        self._path = path
        self._limits = limits
        with _faults_named(path):
            import pyogrio
            import pyogrio.raw

            info = pyogrio.read_info(source, layer=layer, encoding=encoding)
            if len(info["fields"]) > limits.columns:
                raise self._too_many_columns(len(info["fields"]))
            if info["features"] > limits.features:
                raise too_many_features(path.name, info["features"], limits)
            self._said, self._table = pyogrio.raw.read_arrow(
                source, layer=layer, encoding=encoding, max_features=limits.features + 1
            )
        if self._table.num_rows > limits.features:
            raise too_many_features(path.name, self._table.num_rows, limits)
        self._names = [str(name) for name in self._said["fields"]]
        self._dropped: list[str] = []

    def sample(self) -> bytes:
        """Return the bytes of names and texts, the first of them."""
        pieces = [name.encode("latin-1", "replace") for name in self._names]
        for place in range(len(self._names)):
            if _is_text(self._table.column(place)):
                texts = self._table.column(place).to_pylist()
                pieces += [text.encode("latin-1", "replace") for text in texts if text]
        return b"\n".join(pieces)[:_SAMPLE]

    def rows(self, read: Decode, problems: dict[int, str]) -> MapRows:
        """Return the rows as text, with their shapes."""
        columns: dict[str, Sequence[str]] = {}
        for place, name in enumerate(self._names):
            column = self._table.column(place)
            shown = self._name(name, read)
            if _is_binary(column):
                self._dropped.append(shown)
            elif shown in columns:
                same = [self._name(other, read) == shown for other in self._names]
                places = [number for number, is_same in enumerate(same, 1) if is_same]
                raise not_usable(places, self._path.name)
            else:
                columns[shown] = [
                    self._cell(value, read, row, problems)
                    for row, value in enumerate(column.to_pylist())
                ]
        return MapRows(columns, self._shapes(problems), problems, self._crs())

    def tell(self, sink: Sink) -> None:
        """Report columns that hold no text."""
        if self._dropped:
            sink.found("columns_left_out", columns=self._dropped)

    def _crs(self) -> str:
        said = self._said["crs"] or ""
        return "" if _NO_SYSTEM.search(said) else said

    def _name(self, name: str, read: Decode) -> str:
        try:
            return read(name)
        except UnicodeDecodeError:
            return name.encode("ascii", "replace").decode()

    def _cell(self, value: object, read: Decode, row: int, problems: dict[int, str]) -> str:
        try:
            text = _text(value, read)
        except UnicodeDecodeError:
            problems.setdefault(row, "encoding_mixed")
            return ""
        if len(text) > self._limits.cell_bytes:
            raise IntakeError(
                "cell_too_long",
                f"{self._path.name} has a cell of {len(text)} characters in row {row + 1}; at most "
                f"{self._limits.cell_bytes} are read. Shorten it.",
                file=self._path.name,
                row=row + 1,
                most=self._limits.cell_bytes,
            )
        return text

    def _shapes(self, problems: dict[int, str]) -> np.ndarray[Any, np.dtype[np.object_]]:
        if self._table.num_columns <= len(self._names):
            return np.full(self._table.num_rows, None, dtype=object)
        given = self._table.column(len(self._names)).to_pylist()
        size = np.array([len(shape or b"") for shape in given], np.int64)
        check_vertices(self._path.name, size // _BYTES_A_VERTEX, self._limits)
        binary = np.array(given, dtype=object)
        shapes: np.ndarray[Any, np.dtype[np.object_]] = shapely.from_wkb(binary, on_invalid="fix")
        for row in np.flatnonzero(shapely.is_missing(shapes) & (size > 0)):
            problems.setdefault(int(row), "shape_not_read")
        return shapes

    def _too_many_columns(self, columns: int) -> IntakeError:
        return IntakeError(
            "too_many_columns",
            f"{self._path.name} has {columns} columns; at most {self._limits.columns} are read. "
            "Keep those that are needed.",
            file=self._path.name,
            columns=columns,
            most=self._limits.columns,
        )


def _text(value: object, read: Decode) -> str:
    match value:
        case None:
            return ""
        case str():
            return read(value)
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return number_text(value)
        case date() | datetime() | time() | timedelta():
            return moment_text(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _is_text(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _is_binary(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type))


def _chosen(path: Path, layers: list[str], wish: Wish, sink: Sink) -> str:
    """Return the layer to read: the wished one, or the first."""
    wished_crs(wish.crs, path.name)  # refuses what is no system, before any work
    if not layers:
        raise _not_read(path, "it holds no layer")
    if wish.layer is None:
        if len(layers) > 1:
            sink.found("several_layers", layers=layers, layer=layers[0])
    elif wish.layer not in layers:
        raise IntakeError(
            "layer_unknown",
            f"{path.name} has no layer {wish.layer!r}; it has {layers}.",
            file=path.name,
            layer=wish.layer,
            layers=layers,
        )
    layer = wish.layer or layers[0]
    sink.fact(layers=layers, layer=layer)
    return layer


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """Turn whatever GDAL says of a file into a refusal; it has an error of its own for each."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (IntakeError, MemoryError):
        raise
    except Exception as error:
        raise _not_read(path, error) from error


def _not_read(path: Path, error: object) -> IntakeError:
    kind = "GeoPackage" if path.suffix.lower() == ".gpkg" else "shapefile"
    return IntakeError(
        "file_not_read",
        f"{path.name} cannot be read as {kind}: {str(error)[:200]}.",
        file=path.name,
        problem=str(error)[:200],
    )
