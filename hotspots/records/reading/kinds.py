"""What kind of file it is: by its content, which must agree with the ending of its name."""

from __future__ import annotations

import zipfile
from pathlib import PurePath
from typing import BinaryIO

from hotspots.errors import IntakeError

CSV, WORKBOOK, PARQUET = "csv", "xlsx", "parquet"
GEOJSON, GEOPACKAGE, SHAPEFILE = "geojson", "gpkg", "shapefile"
TABLES = (CSV, PARQUET)  # these may be large

ENDINGS = {
    ".csv": CSV,
    ".txt": CSV,
    ".tsv": CSV,
    ".xlsx": WORKBOOK,
    ".parquet": PARQUET,
    ".geojson": GEOJSON,
    ".json": GEOJSON,
    ".gpkg": GEOPACKAGE,
    ".zip": SHAPEFILE,
}
NAMES = {
    CSV: "CSV",
    WORKBOOK: "Excel (.xlsx)",
    PARQUET: "Parquet",
    GEOJSON: "GeoJSON",
    GEOPACKAGE: "GeoPackage",
    SHAPEFILE: "Shapefile (.zip)",
}
_MACROS = (".xlsm", ".xltm", ".xlam")
_OLD = (".xls", ".xlsb")
_ENDING_OF = {kind: ending for ending, kind in reversed(ENDINGS.items())}

_HEAD = 4096
# Beginnings of files that are not read: what each is, and what to do instead.
_REFUSED = (
    (b"%PDF", "file_is_pdf", "a PDF. Ask for the table itself, as a workbook or CSV"),
    (
        b"\xd0\xcf\x11\xe0",
        "file_is_old_workbook",
        "an old .xls, or protected with a password. Open it"
        " and save it as .xlsx without a password",
    ),
    (b"\x1f\x8b", "file_is_packed", "packed. Unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "file_is_packed", "packed. Unpack it first"),
    (b"Rar!", "file_is_packed", "packed. Unpack it first"),
    (b"BZh", "file_is_packed", "packed. Unpack it first"),
    (b"\xfd7zXZ", "file_is_packed", "packed. Unpack it first"),
    (b"{\\rtf", "file_is_document", "a text document. Copy its table into a workbook"),
    (b"\x89PNG", "file_is_picture", "a picture. Ask for the table itself, as a workbook or CSV"),
    (
        b"\xff\xd8\xff",
        "file_is_picture",
        "a picture. Ask for the table itself, as a workbook or CSV",
    ),
)


def kind_by_name(name: str) -> str:
    """Return the kind that a file's ending promises.

    Raises
    ------
    IntakeError
        ``workbook_with_macros``, ``file_is_old_workbook``, ``file_kind_unknown`` (allowed).

    Examples
    --------
    >>> kind_by_name("So lieu.CSV")
    'csv'
    """
    ending = PurePath(name).suffix.lower()
    if ending in _MACROS:
        raise IntakeError(
            "workbook_with_macros",
            f"{name} may hold macros; save it as .xlsx.",
            file=name,
        )
    if ending in _OLD:
        raise IntakeError(
            "file_is_old_workbook",
            f"{name} is an old workbook; open it and save it as .xlsx without a password.",
            file=name,
        )
    if ending not in ENDINGS:
        raise IntakeError(
            "file_kind_unknown",
            f"{name}: files ending in {', '.join(ENDINGS)} can be read; save it as one.",
            file=name,
            allowed=tuple(ENDINGS),
        )
    return ENDINGS[ending]


def kind_of(file: BinaryIO, name: str) -> str:
    """Return what a file is by its content.

    Raises
    ------
    IntakeError
        If it is nothing that is read, or another kind than its ending says
        (``file_kind_differs``: kind, ending).
    """
    promised = kind_by_name(name)
    file.seek(0)
    head = file.read(_HEAD)
    found = _by_content(file, head, name, promised)
    if found != promised:
        raise IntakeError(
            "file_kind_differs",
            f"{name} is {NAMES[found]} by its content, not what its ending says; rename it to end "
            f"in {_ENDING_OF[found]}, or save it again as {NAMES[promised]}.",
            file=name,
            kind=NAMES[found],
            ending=_ENDING_OF[found],
        )
    return found


def _by_content(file: BinaryIO, head: bytes, name: str, promised: str) -> str:
    for beginning, reason, what in _REFUSED:
        if head.startswith(beginning):
            raise IntakeError(reason, f"{name} is {what}.", file=name)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _of_zip(file, name)
    if head.startswith(b"SQLite format 3\x00"):
        return GEOPACKAGE
    if head.startswith(b"PAR1"):
        return PARQUET
    return _of_text(head, name, promised)


def _of_zip(file: BinaryIO, name: str) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member.lower() for member in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise IntakeError(
            "zip_not_read",
            f"{name} is a damaged zip; save it again.",
            file=name,
            problem="zip",
        ) from error
    if "xl/workbook.xml" in members or "[content_types].xml" in members:
        return WORKBOOK
    return SHAPEFILE


def _of_text(head: bytes, name: str, promised: str) -> str:
    """Return what a text is by its first letter; a binary file of no known kind is none."""
    text = head.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    text = text.replace(b"\x00", b"").lstrip()
    lower = text[:1024].lower()
    if lower.startswith((b"<!doctype html", b"<html", b"<table", b"<head", b"<body", b"<meta")):
        raise IntakeError(
            "file_is_web_page",
            f"{name} is a web page that only looks like a table in Excel. Open it there and save "
            "it as .xlsx.",
            file=name,
        )
    if lower.startswith((b"<?xml", b"<kml", b"<gml", b"<ogrvrt", b"<!doctype", b"<!entity")):
        raise IntakeError(
            "file_is_xml",
            f"{name} is XML (KML, GML or the like). Save it as GeoPackage or GeoJSON.",
            file=name,
        )
    looks_json = text.startswith(b"{") or (text.startswith(b"[") and promised == GEOJSON)
    if looks_json and (promised != CSV or b'"type"' in text):
        return GEOJSON
    if promised == CSV:
        return CSV
    raise IntakeError(
        "file_not_read",
        f"{name} cannot be read as {NAMES[promised]}: it does not begin as one.",
        file=name,
        problem=NAMES[promised],
    )
