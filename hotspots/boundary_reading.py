"""Boundary files are read and cleaned in a confined process; this one gets the clean wards.

GDAL and the geometry engine meet what somebody made: a file can make them crash, or run for hours
(repairing one ring of 1,000 random points takes more than a minute).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

from geo.errors import GeoError
from geo.wards import Findings, ReadWards, RowProblem, read_edition, read_wards, write_edition
from hotspots.records import sandbox
from hotspots.records.reading.limits import LIMITS, Limits
from hotspots.records.staging import temporary_folder

_MODULE = "hotspots.boundary_reading"
_COPY = "uploaded-boundaries"
_WARDS, _FINDINGS, _REFUSED = "wards.parquet", "findings.json", "geo_error.json"
_LIMITS = Limits(
    **(
        LIMITS.as_dict()  # type: ignore[arg-type] # the names are those of the fields
        | {"memory_bytes": 4_000_000_000, "address_bytes": 12_000_000_000}
    )
)
"""A whole country of wards is cleaned in some 2 GB and 20 seconds."""


def read_uploaded_boundaries(
    content: bytes,
    name: str,
    edition: date,
    *,
    code_column: str,
    name_column: str,
    crs: str | None = None,
) -> ReadWards:
    """Read and clean a boundary file; see `geo.wards.read_wards`.

    Raises
    ------
    GeoError
        What is wrong with the file, as `read_wards` says it.
    IntakeError
        If reading it takes too much memory or time, or stops the process that reads.
    """
    request = {
        "name": Path(name).name,
        "edition": edition.isoformat(),
        "code_column": code_column,
        "name_column": name_column,
        "crs": crs,
    }
    with temporary_folder() as folder, tempfile.TemporaryFile() as given:
        given.write(content)
        given.flush()
        sandbox.run(_MODULE, request, folder.path, file=given, name=name, limits=_LIMITS)
        return _read_back(folder.path)


def main(request: Mapping[str, Any], confined: Mapping[str, bool]) -> int:
    """Read the boundary file on standard input into the working folder; runs confined.

    Returns
    -------
    int
        0; the folder has the wards, or the error that refuses the file.
    """
    name = str(request["name"])
    # A name of ours: what the file is called must not pose as what this process writes.
    path = Path(_COPY + Path(name).suffix.lower()).absolute()
    with open(sys.stdin.fileno(), "rb", closefd=False) as given, path.open("wb") as copy:
        shutil.copyfileobj(given, copy)
    try:
        read = read_wards(
            path,
            date.fromisoformat(request["edition"]),
            code_column=request["code_column"],
            name_column=request["name_column"],
            crs=request["crs"],
        )
    except GeoError as error:
        facts = {key: _plain(value) for key, value in error.facts.items()}
        if "file" in facts:
            facts["file"] = name
        message = str(error).replace(path.name, name)
        said = {"reason": error.reason, "message": message, "facts": facts}
        Path(_REFUSED).write_text(json.dumps(said, default=str), "utf-8")
        return 0
    except MemoryError:
        refusal = {"reason": "memory", "message": "", "facts": {}}
        Path(sandbox.REFUSAL).write_text(json.dumps(refusal), "utf-8")
        return 1
    write_edition(read.wards, _WARDS)
    Path(_FINDINGS).write_text(json.dumps(asdict(read.findings)), "utf-8")
    return 0


def _read_back(folder: Path) -> ReadWards:
    refused = folder / _REFUSED
    if refused.is_file():
        said = json.loads(refused.read_text("utf-8"))
        facts = dict(said["facts"])
        if "problems" in facts:
            facts["problems"] = tuple(RowProblem(**problem) for problem in facts["problems"])
        raise GeoError(said["reason"], said["message"], **facts)
    findings = json.loads((folder / _FINDINGS).read_text("utf-8"))
    lists = {each.name for each in fields(Findings) if isinstance(findings[each.name], list)}
    plain = {name: _tuples(value) if name in lists else value for name, value in findings.items()}
    return ReadWards(read_edition(folder / _WARDS), Findings(**plain))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _plain(value: object) -> object:
    if isinstance(value, tuple) and all(isinstance(item, RowProblem) for item in value):
        return [asdict(item) for item in value]
    return value
