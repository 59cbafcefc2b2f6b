"""Where the log ended at some moment, kept elsewhere: what a chain alone cannot show.

A log whose tail was cut off, or that was written anew from the start with new hashes, is a valid
chain. It no longer holds the head that a report printed, or that was appended to an anchor file on
another disk. An anchor file is text, one line an anchor: count, hash, moment, where it was taken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.records.chain import GENESIS, head_of, moment_text
from hotspots.records.database import Database, events
from hotspots.records.troubles import Where

REPORT_META = "hotspots-log"
"""Name of the `<meta>` in a report whose content is ``COUNT HASH``."""

_HASH = re.compile(r"[0-9a-f]{64}")
_COUNT = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class Anchor:
    """Where the log ended.

    Attributes
    ----------
    count : int
        How many events it held; also the `seq` of the last.
    hash : str
        The hash of the last one.
    at : datetime or None
        When the anchor was taken; a report does not say.
    where : str
        What it was taken for, in one line.

    Examples
    --------
    >>> print(Anchor(2, "ab" * 32, None, "March").line())
    2 abababababababababababababababababababababababababababababababab - March
    """

    count: int
    hash: str
    at: datetime | None = None
    where: str = ""

    def line(self) -> str:
        """Return the anchor as a line of an anchor file, without the line's end."""
        at = "-" if self.at is None else moment_text(self.at)
        return f"{self.count} {self.hash} {at} {' '.join(self.where.split())}".rstrip()


def take_anchor(database: Database, at: datetime, where: str) -> Anchor:
    """Return where the log ends now."""
    with database.reading() as connection:
        head = head_of(connection)
    return Anchor(head.count, head.hash, at, where)


def append_anchor(path: Path, anchor: Anchor) -> None:
    """Add an anchor to an anchor file, which is made if it is not there.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    with Where(str(path)).writing_files():
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{anchor.line()}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)


def read_anchors(path: Path) -> list[Anchor]:
    """Return the anchors of an anchor file, in its order; blank lines and `#` lines are passed by.

    Raises
    ------
    StoreError
        If the file is not there, or a line is not an anchor.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise StoreError(
            "anchors_missing",
            f"There is no anchor file {path}; name the one that 'hotspots anchors' writes to.",
            file=str(path),
        ) from None
    except (OSError, UnicodeDecodeError):
        raise _malformed(path, 1) from None
    return [
        _anchor(path, number, line)
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("#")
    ]


def check_anchors(database: Database, anchors: Iterable[Anchor]) -> Anchor | None:
    """Return the first anchor that is not in the log, or None."""
    with database.reading() as connection:
        return missing_anchor(connection, anchors)


def missing_anchor(connection: sa.Connection, anchors: Iterable[Anchor]) -> Anchor | None:
    """Return the first anchor that is not in the log as the connection sees it, or None."""
    for anchor in anchors:
        query = sa.select(events.c.hash).where(events.c.seq == anchor.count)
        there = GENESIS if anchor.count == 0 else connection.execute(query).scalar()
        if there != anchor.hash:
            return anchor
    return None


def head_of_report(html: str) -> Anchor:
    """Return where the log ended when a report was made.

    Raises
    ------
    StoreError
        If the text is not a report of this product.
    """
    reader = _ReportReader()
    reader.feed(html)
    count, _, digest = (reader.content or "").partition(" ")
    if not _COUNT.fullmatch(count) or not _HASH.fullmatch(digest):
        raise StoreError(
            "report_without_head",
            "The file does not say where the log ended; it is not a report of this product, or it "
            "was changed. Give a report as it was saved.",
        )
    return Anchor(int(count), digest)


class _ReportReader(HTMLParser):
    """Finds the first `<meta>` of our name, before the body."""

    def __init__(self) -> None:
        super().__init__()
        self.content: str | None = None
        self._in_body = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_body = self._in_body or tag == "body"
        named = dict(attrs)
        ours = tag == "meta" and named.get("name") == REPORT_META
        if ours and self.content is None and not self._in_body:
            self.content = named.get("content")


def _anchor(path: Path, number: int, line: str) -> Anchor:
    count, digest, at, where, *_ = *line.split(" ", 3), "", "", "", ""
    if not _COUNT.fullmatch(count) or not _HASH.fullmatch(digest):
        raise _malformed(path, number)
    try:
        moment = None if at in ("", "-") else datetime.fromisoformat(at)
    except ValueError:
        raise _malformed(path, number) from None
    return Anchor(int(count), digest, moment, where)


def _malformed(path: Path, number: int) -> StoreError:
    return StoreError(
        "anchor_malformed",
        f"Line {number} of {path} is not an anchor; a line is 'COUNT HASH MOMENT WHERE'. Was the "
        "file changed by hand?",
        file=str(path),
        line=number,
    )
