"""Looking into a zip before anything of it is unpacked, and unpacking no more than was declared.

Zipped shapefiles and workbooks are zips. Python's `zipfile` never gives more of a member than the
size declared for it, so that the declared sizes, checked first, bound what reading can cost.
Nothing is ever extracted under a name of the zip's own.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from hotspots.errors import IntakeError
from hotspots.records.reading.limits import Limits

_SMALL = 1 << 20  # members up to this size may be of any ratio
_CHUNK = 1 << 20
_LOCAL_HEADER = 30
_ARCHIVES = (".zip", ".7z", ".rar", ".gz", ".bz2", ".xz", ".tar", ".kmz", ".jar")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_ODD = re.compile(r"[\x00-\x1f\\:*?\"<>|]")


@contextmanager
def open_zip(path: Path, limits: Limits, *, nested: bool = False) -> Iterator[zipfile.ZipFile]:
    """Give a zip whose directory was checked; a zip inside is allowed only with `nested`.

    Raises
    ------
    IntakeError
        If it is no zip, is damaged, holds too much, or names what no honest program writes:
        `zip_not_read`, `zip_too_many_files`, `zip_unsafe_name`, `zip_same_name_twice`,
        `zip_locked`, `zip_packed_unusually`, `zip_bomb`, `zip_in_zip`.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _damaged(path, error) from error
    with archive:
        check_members(path, archive.infolist(), limits, nested=nested)
        yield archive


def check_members(
    path: Path, members: list[zipfile.ZipInfo], limits: Limits, *, nested: bool = False
) -> None:
    """Refuse a zip by what its directory says."""
    if len(members) > limits.zip_members:
        raise IntakeError(
            "zip_too_many_files",
            f"{path.name} holds {len(members)} files; at most {limits.zip_members} are allowed.",
            file=path.name,
            files=len(members),
            most=limits.zip_members,
        )
    for member in members:
        _check_name(path, member)
        _check_packing(path, member, limits, nested=nested)
    names = Counter(member.filename.casefold() for member in members)
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise IntakeError(
            "zip_same_name_twice",
            f"{path.name} holds {twice[0]!r} more than once; zip the files again.",
            file=path.name,
            name=twice[0],
        )
    total = sum(member.file_size for member in members)
    if total > limits.unpacked_bytes or _overlap(members):
        raise _bomb(path, total, limits)


def read_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes, no more than declared.

    Raises
    ------
    IntakeError
        If what is packed is damaged.
    """
    pieces = []
    left = member.file_size
    try:
        with archive.open(member) as file:
            while piece := file.read(_CHUNK):
                left -= len(piece)
                if left < 0:
                    raise _damaged(path, f"{member.filename} is longer than declared")
                pieces.append(piece)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError) as error:
        raise _damaged(path, error) from error
    return b"".join(pieces)


def _check_name(path: Path, member: zipfile.ZipInfo) -> None:
    name = member.orig_filename
    parts = PurePosixPath(name).parts
    kind = stat.S_IFMT(member.external_attr >> 16)
    if (
        not parts
        or name.startswith("/")
        or ".." in parts
        or _ODD.search(name)
        or any(_DEVICES.fullmatch(part) or part != part.strip() for part in parts)
        or kind not in (0, stat.S_IFREG, stat.S_IFDIR)
    ):
        raise IntakeError(
            "zip_unsafe_name",
            f"{path.name} holds a file named {name[:80]!r}, which could lead out of its folder; "
            "zip the files again.",
            file=path.name,
            name=name[:80],
        )


def _check_packing(path: Path, member: zipfile.ZipInfo, limits: Limits, *, nested: bool) -> None:
    if member.flag_bits & 1:
        raise IntakeError(
            "zip_locked",
            f"{path.name} is locked with a password; save it without one.",
            file=path.name,
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise IntakeError(
            "zip_packed_unusually",
            f"{path.name}: {member.filename!r} is packed in a way that is not read; "
            "zip the files with the usual method.",
            file=path.name,
            name=member.filename,
        )
    if member.file_size > max(_SMALL, limits.zip_ratio * max(member.compress_size, 1)):
        raise _bomb(path, member.file_size, limits)
    if not nested and member.filename.casefold().endswith(_ARCHIVES):
        raise IntakeError(
            "zip_in_zip",
            f"{path.name} holds another archive, {member.filename!r}; unpack it first.",
            file=path.name,
            name=member.filename,
        )


def _overlap(members: list[zipfile.ZipInfo]) -> bool:
    """Tell whether members share packed bytes, as only a bomb does."""
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            return True
        end = member.header_offset + _LOCAL_HEADER + member.compress_size
    return False


def _bomb(path: Path, size: int, limits: Limits) -> IntakeError:
    return IntakeError(
        "zip_bomb",
        f"{path.name} would unpack to {size} bytes; allowed are {limits.unpacked_bytes} in all "
        f"and {limits.zip_ratio:g} times the packed size of a file.",
        file=path.name,
        size=size,
        most=limits.unpacked_bytes,
    )


def _damaged(path: Path, error: object) -> IntakeError:
    return IntakeError(
        "zip_not_read",
        f"{path.name} is no zip that can be read: {error}; save or zip it again.",
        file=path.name,
        problem=str(error)[:200],
    )
