"""What a database or a disk says when it cannot do its work, in the words of the reader.

Messages name the place without the password.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from hotspots.errors import StoreError

# https://www.sqlite.org/rescode.html (the last byte of the extended codes)
_OF_SQLITE = {
    5: "store_busy",
    6: "store_busy",
    3: "store_no_rights",
    8: "store_read_only",
    10: "store_disk_fails",
    11: "store_damaged",
    13: "store_disk_full",
    14: "store_cannot_be_opened",
    23: "store_no_rights",
    26: "store_damaged",
}
# https://www.postgresql.org/docs/15/errcodes-appendix.html
_OF_POSTGRESQL = {
    "53100": "store_disk_full",
    "53200": "store_busy",
    "53300": "store_busy",
    "55P03": "store_busy",
    "57014": "store_busy",
    "40001": "store_busy",
    "40P01": "store_busy",
    "25006": "store_read_only",
    "28000": "store_sign_in_refused",
    "28P01": "store_sign_in_refused",
    "3D000": "store_no_database",
    "42501": "store_no_rights",
    "58030": "store_disk_fails",
    "57P01": "store_unreachable",
    "57P02": "store_unreachable",
    "57P03": "store_unreachable",
    "57P05": "store_unreachable",
    "XX001": "store_damaged",
    "XX002": "store_damaged",
}
# Before a session stands the driver gives no code, only the server's words.
_AT_SIGN_IN = (
    (r"FATAL: +database .* does not exist", "store_no_database"),
    (r"FATAL: .*(password|authentication|pg_hba|role .* does not exist)", "store_sign_in_refused"),
    (r"no password supplied", "store_sign_in_refused"),
    (r"FATAL: .*(too many|remaining connection slots)", "store_busy"),
)
_OF_THE_SYSTEM = {
    errno.ENOSPC: "store_disk_full",
    errno.EDQUOT: "store_disk_full",
    errno.EROFS: "store_read_only",
    errno.EACCES: "store_no_rights",
    errno.EPERM: "store_no_rights",
    errno.EIO: "store_disk_fails",
}


@dataclass(frozen=True)
class Where:
    """A place that keeps records: its name for people, and what must not be said.

    Examples
    --------
    >>> Where.of_url(sa.make_url("postgresql+psycopg://an:secret@host:5433/ward")).name
    'postgresql+psycopg://an@host:5433/ward'
    """

    name: str
    secret: str = ""

    @classmethod
    def of_url(cls, url: sa.URL) -> Where:
        """Name the place of an address."""
        shown = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
        return cls(shown.render_as_string(), str(url.password or ""))

    def explain(self, error: sa.exc.DBAPIError) -> StoreError | None:
        """Return a driver's error in the reader's words, or None for a fault of the program."""
        told = (str(error.orig).strip().splitlines() or [""])[0]
        if self.secret:
            told = told.replace(self.secret, "***")
        reason = _reason(error, told)
        return None if reason is None else store_error(self, reason, told)

    @contextmanager
    def writing_files(self) -> Iterator[None]:
        """Say what the system says about a disk in the reader's words."""
        try:
            yield
        except OSError as error:
            reason = _OF_THE_SYSTEM.get(error.errno or 0)
            if reason is None:
                raise
            raise store_error(self, reason, error.strerror or "") from error


def _reason(error: sa.exc.DBAPIError, told: str) -> str | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _OF_SQLITE.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return _OF_POSTGRESQL.get(state, "store_unreachable" if state[:2] == "08" else None)
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return None
    for pattern, reason in _AT_SIGN_IN:
        if re.search(pattern, told):
            return reason
    return "store_unreachable"


def store_error(where: Where, reason: str, told: str = "") -> StoreError:
    """Return the error of a reason, with what the driver said where that helps."""
    store = where.name
    if reason == "store_busy":
        return StoreError(
            "store_busy",
            f"Others are writing to {store} and it did not come free in time; nothing of this was "
            "written. Try again in a moment.",
            store=store,
        )
    if reason == "store_disk_full":
        return StoreError(
            "store_disk_full",
            f"The disk of {store} is full; nothing of this was written, and what was recorded "
            "before is safe. Free some space, then try again.",
            store=store,
        )
    if reason == "store_read_only":
        return StoreError(
            "store_read_only",
            f"{store} can only be read here; nothing was written. Make the disk or the server "
            "writable, or open the store where it is.",
            store=store,
        )
    if reason == "store_no_rights":
        return StoreError(
            "store_no_rights",
            f"The account that runs this may not do that in {store}; nothing was written. Give it "
            "the rights, or run it under the account that owns the store.",
            store=store,
        )
    if reason == "store_damaged":
        return StoreError(
            "store_damaged",
            f"{store} is not a database or is damaged ({told}). Do not write to it; restore the "
            "last backup into a new store with 'hotspots restore'.",
            store=store,
            told=told,
        )
    if reason == "store_disk_fails":
        return StoreError(
            "store_disk_fails",
            f"The disk of {store} could not be read or written ({told}). Check the disk; keep the "
            "last backup safe.",
            store=store,
            told=told,
        )
    if reason == "store_cannot_be_opened":
        return StoreError(
            "store_cannot_be_opened",
            f"{store} cannot be opened; its folder must be there and writable for the account "
            "that runs this.",
            store=store,
        )
    if reason == "store_sign_in_refused":
        return StoreError(
            "store_sign_in_refused",
            f"The server refuses the sign-in to {store}. Check user and password in "
            "HOTSPOTS_STORE, and that the server lets this machine in (pg_hba.conf).",
            store=store,
        )
    if reason == "store_no_database":
        return StoreError(
            "store_no_database",
            f"The server has no database of that name: {store}. Make it first: CREATE DATABASE "
            "name ENCODING 'UTF8'.",
            store=store,
        )
    return StoreError(
        "store_unreachable",
        f"The server of {store} cannot be reached ({told}). If something was being written, it may "
        "or may not be there: look before you record it again.",
        store=store,
        told=told,
    )
