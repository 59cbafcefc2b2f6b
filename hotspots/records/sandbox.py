"""Runs code that reads an uploaded file in a process of its own, with limits, and no network.

What that process dies of becomes an error about the file; the application goes on. See
`hotspots.records.reading.confinement` for what the process may do.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from hotspots.errors import IntakeError
from hotspots.records.reading.limits import LIMITS, Limits

PROGRESS = "progress"
REFUSAL = "refusal.json"
_REQUEST = "request.json"
_PACKAGES = ("hotspots", "geo")
_NO_MEMORY = 77
_ROOT = Path(__file__).resolve().parents[2]
_LOOK_EVERY = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

# No import but the confinement happens before the limits are in force.
_START = f"""
import json, sys
with open({_REQUEST!r}, encoding="utf-8") as file:
    said = json.load(file)
sys.path[:] = said["path"]
from hotspots.records.reading.confinement import confine
confined = confine(said["folder"], said["readable"], said["limits"], said["parent"])
import importlib
try:
    sys.exit(importlib.import_module(said["module"]).main(said["request"], confined))
except MemoryError:
    sys.exit({_NO_MEMORY})
"""

# Drivers of GDAL that are not needed to read a GeoPackage or a shapefile; many of them open other
# files or addresses that a file names (VRT, GDALG, GeoJSON with a link, WFS ...).
_SKIPPED_VECTOR_DRIVERS = """
ADBC AIVector AVCBin AVCE00 AmigoCloud Arrow BAG CAD CSV CSW Carto DGN DODS DWG DXF EDIGEO EEDA
ESRIJSON Elasticsearch FileGDB FlatGeobuf GDALG GML GMLAS GPSBabel GPX GRASS GTFS Geoconcept
GeoJSON GeoJSONSeq GeoRSS Geomedia HANA HTTP IDB Idrisi JML JP2ECW JP2KAK JP2Lura JP2MrSID
JP2OpenJPEG JPEG2000 JSONFG KML KMLSUPEROVERLAY LIBKML LVBAG MBTiles MDB MSSQLSpatial MVT MapML
MiraMonVector MongoDB MongoDBv3 MySQL NAS NGW NTF OAPIF OCI ODBC ODS OGCAPI OGDI OGR_DODS
OGR_GMT OGR_OGDI OGR_PDS OGR_SDE OGR_VRT OSM OpenFileGDB PCIDSK PDF PDS4 PGDUMP PGeo PLSCENES
PMTiles Parquet PostgreSQL PostgreSQLRaster Rasterlite S57 SDTS SEGY SOSI SQLite SUA SVG SXF
Selafin TIGER TileDB TopoJSON VDV VFK VICAR WAsP WFS WFS3 Walk XLS XLSX XPlane netCDF
"""


def run(
    module: str,
    request: Mapping[str, Any],
    folder: Path,
    *,
    file: IO[bytes],
    name: str,
    limits: Limits = LIMITS,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Run `module.main(request, confined)` in a confined process; `folder` gets what it writes.

    Parameters
    ----------
    folder : Path
        A private folder of this run: its working folder, and the only place where it may write.
        Whenever this raises, the folder is gone.
    file : binary file
        The file to read; the process has it as its standard input, and no path to it.
    name : str
        What the person calls the file.
    progress : callable, optional
        Gets shares from 0 to 1; what it raises ends the process.

    Raises
    ------
    IntakeError
        What the process refused, or ``file_too_heavy``, ``file_takes_too_long``,
        ``file_reader_stopped``.
    """
    try:
        said = {
            "module": module,
            "request": dict(request),
            "folder": str(folder.resolve()),
            "path": _search_path(),
            "readable": _readable(),
            "limits": limits.as_dict(),
            "parent": os.getpid(),
        }
        (folder / _REQUEST).write_text(json.dumps(said), "utf-8")
        end = _wait(_start(folder, file), folder, name, limits, progress)
        _raise_for(end, folder, name, limits)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _start(folder: Path, file: IO[bytes]) -> subprocess.Popen[bytes]:
    file.seek(0)
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own code
        # I: no variables, no user packages; S: no site hooks; B: nothing is written beside code.
        [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _START],
        stdin=file,
        # What libraries print may quote the file: it goes nowhere.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=_environment(folder),
        start_new_session=True,
        close_fds=True,
    )


def _environment(folder: Path) -> dict[str, str]:
    """Return the variables of the process, built from nothing."""
    kept = {key: os.environ[key] for key in ("GDAL_DATA", "PROJ_DATA") if key in os.environ}
    return {
        **kept,
        "PATH": "",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TZ": "UTC",
        # One file is read by one thread: fewer threads, less memory.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        # Before GDAL is loaded: what it does not know it cannot be talked into.
        "OGR_SKIP": skipped_drivers(),
        "GDAL_DRIVER_PATH": "disable",
        "GDAL_HTTP_TIMEOUT": "1",
        "CPL_CURL_ENABLE_VSIMEM": "NO",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_CACHEMAX": "64",
        "PROJ_NETWORK": "OFF",
    }


def skipped_drivers() -> str:
    """Return the GDAL drivers that are switched off, as GDAL wants them in a variable."""
    names = _SKIPPED_VECTOR_DRIVERS.split()
    return ",".join([*names, "MapInfo File", "Interlis 1", "Interlis 2", "UK .NTF"])


def _search_path() -> list[str]:
    """Return where the process finds this package, also from an editable install, and libraries."""
    return [str(_ROOT), *(path for path in _libraries() if Path(path).resolve() != _ROOT)]


def _readable() -> list[str]:
    """Return the folders of code; of this project its packages only, not what lies beside them."""
    packages = [str(_ROOT / package) for package in _PACKAGES]
    # Shared libraries and their data, as Conda lays them out.
    shared = [f"{prefix}/{part}" for prefix in _prefixes() for part in ("lib", "lib64", "share")]
    data = [os.environ[key] for key in ("GDAL_DATA", "PROJ_DATA") if key in os.environ]
    return [*packages, *_libraries(), *shared, *data]


def _libraries() -> list[str]:
    """Return the standard library and the folders of installed packages.

    The other entries of `sys.path` are folders somebody works in: the store may lie there.
    """
    named = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    ours = [Path(path).resolve() for path in named]
    return [path for path in sys.path if os.path.isabs(path) and _is_library(path, ours)]


def _is_library(path: str, ours: Sequence[Path]) -> bool:
    real = Path(path).resolve()
    return real.name in ("site-packages", "dist-packages") or any(
        real.is_relative_to(one) for one in ours
    )


def _prefixes() -> list[str]:
    return list(dict.fromkeys((sys.prefix, sys.base_prefix)))


def _wait(
    process: subprocess.Popen[bytes],
    folder: Path,
    name: str,
    limits: Limits,
    progress: Callable[[float], None] | None,
) -> int:
    """Return how the process ended; it does not outlive this call."""
    until = time.monotonic() + limits.wall_seconds
    try:
        while True:
            try:
                return process.wait(timeout=_LOOK_EVERY)
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() > until:
                raise _too_long(name, limits)
            if _resident(process.pid) > limits.memory_bytes:
                raise _too_heavy(name, limits)
            if progress is not None:
                progress(_share(folder))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its session is its own: children end too
            process.wait()


def _resident(pid: int) -> int:
    """Return the memory a process holds, in bytes; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _share(folder: Path) -> float:
    try:
        return min(1.0, max(0.0, float((folder / PROGRESS).read_text()[:20])))
    except (OSError, ValueError):
        return 0.0


def _raise_for(end: int, folder: Path, name: str, limits: Limits) -> None:
    """Raise what a process refused, or what its end means."""
    refusal = folder / REFUSAL
    if refusal.is_file():
        raise _refused(refusal, name, limits)
    if end == 0:
        return
    if end == -signal.SIGXCPU:
        raise _too_long(name, limits)
    # Killed, and not by us: the system was short of memory.
    if end in (_NO_MEMORY, -signal.SIGKILL):
        raise _too_heavy(name, limits)
    raise _stopped(name, _ending(end))


def _refused(refusal: Path, name: str, limits: Limits) -> IntakeError:
    """Return the refusal that a process wrote; it is read as coming from a stranger."""
    try:
        said = json.loads(refusal.read_text("utf-8"))
        reason, message = str(said["reason"]), str(said["message"])
        facts = {str(key): value for key, value in said["facts"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return _stopped(name, "refusal")
    if reason == "memory":
        return _too_heavy(name, limits)
    error = IntakeError(reason, message)
    error.facts = {"file": name} | facts
    return error


def _stopped(name: str, ending: str) -> IntakeError:
    return IntakeError(
        "file_reader_stopped",
        f"{name}: the process that read the file stopped ({ending}); the application goes on. "
        "The file is damaged, or made to do harm; save it again with another program.",
        file=name,
        ending=ending,
    )


def _ending(end: int) -> str:
    try:
        return signal.Signals(-end).name if end < 0 else str(end)
    except ValueError:
        return str(end)


def _too_heavy(name: str, limits: Limits) -> IntakeError:
    mb = limits.memory_bytes // 1_000_000
    return IntakeError(
        "file_too_heavy",
        f"{name} needs more than {mb} MB of memory to be read. Save it with fewer rows, or without "
        "formats and drawings.",
        file=name,
        mb=mb,
    )


def _too_long(name: str, limits: Limits) -> IntakeError:
    seconds = round(limits.wall_seconds)
    return IntakeError(
        "file_takes_too_long",
        f"{name} could not be read within {seconds} seconds. Save it with fewer rows or simpler "
        "shapes.",
        file=name,
        seconds=seconds,
    )
