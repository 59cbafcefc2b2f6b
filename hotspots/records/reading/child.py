"""Reads one uploaded file from standard input; runs confined, see `hotspots.records.sandbox`."""

from __future__ import annotations

import errno
import json
import mimetypes
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from hotspots.errors import IntakeError
from hotspots.records.reading import kinds
from hotspots.records.reading.limits import Limits, Wish

_REFUSAL = "refusal.json"
_COPY = "uploaded-file"


def main(request: Mapping[str, Any], confined: Mapping[str, bool]) -> int:
    """Read the file on standard input into the working folder.

    Parameters
    ----------
    request : mapping
        `name`, `size`, `wish`, `limits`.
    confined : mapping
        What the system keeps this process from.

    Returns
    -------
    int
        0, and ``facts.json`` is there; or 1, and ``refusal.json`` says why.
    """
    name = str(request["name"])
    try:
        with open(sys.stdin.fileno(), "rb", closefd=False) as file:
            _read(file, name, request, confined)
    except IntakeError as error:
        plain = {key: _plain(value, name) for key, value in error.facts.items()}
        facts = plain | {"file": name}
        return _refuse(error.reason, _named(str(error), name), facts)
    except OSError as error:
        if error.errno is None or not _no_room(error):
            raise
        message = f"There is no room on the disk to read {name}. Make room and try again."
        return _refuse("no_room_to_read", message, {"file": name})
    return 0


def _read(
    file: BinaryIO, name: str, request: Mapping[str, Any], confined: Mapping[str, bool]
) -> None:
    kind = kinds.kind_of(file, name)
    limits, wish = Limits.from_dict(request["limits"]), Wish(**request["wish"])
    from hotspots.records.reading.sink import ArrowSink

    with ArrowSink(Path()) as sink:
        sink.fact(format=kind, confined=dict(confined))
        if kind == kinds.CSV:
            from hotspots.records.reading import csv_files

            csv_files.read(file, name, wish, limits, sink, size=int(request["size"]))
        elif kind == kinds.PARQUET:
            from hotspots.records.reading import parquet_files

            parquet_files.read(file, name, wish, limits, sink)
        else:
            _read_document(_copied(file, name), kind, wish, limits, sink)
        sink.fact(cost=_cost())


def _read_document(path: Path, kind: str, wish: Wish, limits: Limits, sink: Any) -> None:
    """Read what needs a file of its own: a workbook or a map; import only what it takes."""
    if kind == kinds.WORKBOOK:
        mimetypes.knownfiles.clear()  # openpyxl would look for the system's lists, out of bounds
        from hotspots.records.reading import workbooks

        workbooks.read(path, wish, limits, sink)
    elif kind == kinds.GEOJSON:
        from hotspots.records.reading import geojson

        geojson.read(path, wish, limits, sink)
    else:
        from hotspots.records.reading import vector

        vector.read(path, wish, limits, sink)


def _copied(file: BinaryIO, name: str) -> Path:
    """Return a copy in the private folder, where nothing lies beside it."""
    path = Path(_COPY + Path(name).suffix.lower()).absolute()
    file.seek(0)
    with path.open("wb") as copy:
        shutil.copyfileobj(file, copy)
    return path


def _refuse(reason: str, message: str, facts: Mapping[str, object]) -> int:
    said = {"reason": reason, "message": message, "facts": facts}
    Path(_REFUSAL).write_text(json.dumps(said), "utf-8")
    return 1


def _named(message: str, name: str) -> str:
    """Return a message that calls the file what the person calls it."""
    return message.replace(_COPY + Path(name).suffix.lower(), name)


def _plain(value: object, name: str) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, name) for item in value]
    return _named(str(value), name)


def _no_room(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _cost() -> dict[str, float]:
    """Return the most memory that was held, in bytes, and the processor's seconds."""
    most = 0
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text().splitlines()
        most = next((int(x.split()[1]) * 1024 for x in lines if x.startswith("VmHWM:")), 0)
    return {"memory_bytes": most, "cpu_seconds": time.process_time()}
