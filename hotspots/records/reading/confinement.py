"""What the process that reads an uploaded file may still do: its memory, its time, its one folder.

Applied before anything that reads is imported. Four layers, because not every system has all:
limits of the operating system, a network of its own with nothing in it, Landlock (Linux 5.13 and
later: no files but the interpreter's and the folder, no connections), and a hook in the interpreter
that refuses sockets, programs and files elsewhere. The last alone does not bind C libraries.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
# https://docs.kernel.org/userspace-api/landlock.html; the numbers are the same on every machine
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_KNOWN_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many rights a version knows; later 16
_ALWAYS_READABLE = (
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/dev/urandom",
)
_ALWAYS_WRITABLE = ("/dev/null",)
_REFUSED = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    }
)


def confine(
    folder: str, readable: Sequence[str], limits: Mapping[str, float], parent: int
) -> dict[str, bool]:
    """Give up everything that reading a file does not need; it cannot be undone.

    Parameters
    ----------
    folder : str
        The one folder where files may be written.
    readable : sequence of str
        Folders of the interpreter and its packages.
    limits : mapping
        `memory_bytes`, `address_bytes`, `cpu_seconds`, `written_bytes`, `open_files`.
    parent : int
        The process that waits; when it ends, so does this one.

    Returns
    -------
    dict
        `network` and `files`: whether the system itself, not only the hook, keeps this process
        from others' addresses and from other files.
    """
    _limit(limits)
    own_network = files = refused_connections = False
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        _die_with(parent, libc)
        # A network alone first: as root, a new user would lose the right to read the packages.
        own_network = (
            libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0
        )
        files, refused_connections = _landlock(libc, folder, readable)
    _hook(folder, readable)
    return {"network": own_network or refused_connections, "files": files}


def _limit(limits: Mapping[str, float]) -> None:
    cpu = int(limits["cpu_seconds"])
    wanted = (
        (resource.RLIMIT_AS, int(limits["address_bytes"])),
        (resource.RLIMIT_DATA, int(limits["memory_bytes"])),
        (resource.RLIMIT_FSIZE, int(limits["written_bytes"])),
        (resource.RLIMIT_NOFILE, int(limits["open_files"])),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, most in wanted:
        _set(kind, most, most)
    _set(resource.RLIMIT_CPU, cpu, cpu + 5)


def _set(kind: int, soft: int, hard: int) -> None:
    """Set a limit, never above the one that is in force already."""
    most = resource.getrlimit(kind)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(kind, (soft, hard))


def _die_with(parent: int, libc: ctypes.CDLL) -> None:
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("connections", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _landlock(libc: ctypes.CDLL, folder: str, readable: Sequence[str]) -> tuple[bool, bool]:
    """Close all other files and connections; returns which of the two the system could close."""
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False, False
    known = (1 << _KNOWN_FILE_RIGHTS.get(version, 16)) - 1
    rules = _Ruleset(
        files=known,
        connections=0b11 if version >= 4 else 0,  # bind and connect over TCP
        scoped=0b11 if version >= 6 else 0,  # abstract sockets of others, signals to others
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    if ruleset < 0:
        return False, False
    reading = _EXECUTE | _READ_FILE | _READ_DIR
    for path in (*_ALWAYS_READABLE, *readable):
        _allow(libc, ruleset, path, reading & known)
    for path in (*_ALWAYS_WRITABLE, folder):
        _allow(libc, ruleset, path, known & ~_EXECUTE)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    closed = libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return closed, closed and version >= 4


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return  # a system without it does not need it
    if not os.path.isdir(path):
        rights &= _OF_FILES
    beneath = _Beneath(allowed=rights, folder=opened)
    libc.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(beneath), 0)
    os.close(opened)


def _hook(folder: str, readable: Sequence[str]) -> None:
    paths = (*_ALWAYS_READABLE, *_ALWAYS_WRITABLE, *readable, folder)
    allowed = tuple(os.path.join(path, "") for path in (*paths, *map(os.path.realpath, paths)))

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event in _REFUSED or event.startswith("socket."):
            raise PermissionError(f"{event} is not allowed while a file is read")
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if not os.path.join(path, "").startswith(allowed):
                raise PermissionError("no other file is opened while a file is read")

    sys.addaudithook(refuse)
