"""A text file of any encoding -> blocks of UTF-8, and the lines that the encoding cannot be.

A line with bytes that mean nothing in the encoding is not guessed at: the bytes become `MARK`, and
whoever reads the cells lists the row.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hotspots.records.reading import encodings

MARK = "\ufdd0"  # a code point that is no letter and never will be
SAMPLE = 1 << 20
BLOCK = 1 << 22
_LONGEST_LINE = 1 << 24
_NEW_LINE = {"utf-16-le": b"\n\x00", "utf-16-be": b"\x00\n"}


@dataclass(frozen=True)
class Block:
    """A piece of the text.

    Attributes
    ----------
    text : bytes
        UTF-8, never cut within a letter.
    marked : bool
        Whether it holds `MARK`.
    read : int
        Bytes of the file that were read so far.
    """

    text: bytes
    marked: bool
    read: int


def sample_of(file: BinaryIO) -> bytes:
    """Return the beginning of a file, and if that is plain ASCII the first piece that is not."""
    file.seek(0)
    beginning = file.read(SAMPLE)
    sample = beginning
    if beginning.isascii() and b"\x00" not in beginning:
        while later := file.read(SAMPLE):
            if not later.isascii():
                # From the next line on: the piece may begin within a letter.
                sample = beginning[: SAMPLE // 8] + later[later.find(b"\n") + 1 :]
                break
    file.seek(0)
    return sample


def candidates(sample: bytes) -> tuple[str, ...]:
    """Return the encodings that fit, best first; UTF-8 also where only a few lines are not.

    Examples
    --------
    >>> candidates("phường\\nxã\\nấp\\n".encode() + b"x\\xe3\\n")[0]
    'utf-8'
    """
    found = encodings.detect(sample)
    if found and found[0] in _NEW_LINE and not _is_wide(sample, found[0]):
        return ()
    unicode = bool(found) and found[0].startswith("utf")
    if not unicode and b"\x00" not in sample and _mostly_utf8(sample):
        return ("utf-8", *found)
    return found


def _is_wide(sample: bytes, encoding: str) -> bool:
    """Return whether UTF-16 says so itself, or has a line end or a separator in its letters."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    text = sample[: len(sample) // 2 * 2].decode(encoding, "replace")
    return any(letter in text for letter in "\n\r,;\t|")


def _mostly_utf8(sample: bytes) -> bool:
    lines = [line for line in sample.splitlines()[:-1] if not line.isascii()]
    good = sum(_is_utf8(line) for line in lines)
    return good > len(lines) / 2


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def blocks(file: BinaryIO, encoding: str, *, size: int = BLOCK) -> Iterator[Block]:
    """Give the whole file as UTF-8, block by block, without a byte order mark."""
    base = encoding.partition("+")[0]
    new_line = _NEW_LINE.get(base, b"\n")
    file.seek(0)
    held, read, first = b"", 0, True
    while piece := file.read(size):
        read += len(piece)
        held += piece
        end = _line_end(held, new_line)
        if end:
            yield _block(held[:end], encoding, read, first)
            held, first = held[end:], False
        elif len(held) > _LONGEST_LINE:  # no table; whoever reads the rows says so
            break
    if held:
        yield _block(held, encoding, read, first)


def _line_end(held: bytes, new_line: bytes) -> int:
    """Return where the last line ends; letters of two bytes begin at even places."""
    if len(new_line) == 1:
        return max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
    found = max(held.rfind(new_line), held.rfind(new_line.replace(b"\n", b"\r")))
    while found > 0 and found % 2:
        found = max(
            held.rfind(new_line, 0, found + 1),
            held.rfind(new_line.replace(b"\n", b"\r"), 0, found + 1),
        )
    return found + 2 if found >= 0 and found % 2 == 0 else 0


def _block(raw: bytes, encoding: str, read: int, first: bool) -> Block:
    try:
        return Block(_utf8(raw, encoding, first), False, read)
    except UnicodeDecodeError:
        text, marked = "", False
        for line in _lines(raw, encoding):
            try:
                text += encodings.decoder(encoding).decode(line, final=True)
            except UnicodeDecodeError:
                text, marked = text + _marked(line, encoding), True
        return Block(text.removeprefix("\ufeff" if first else "").encode(), marked, read)


def _utf8(raw: bytes, encoding: str, first: bool) -> bytes:
    if encoding == "utf-8":
        if not raw.isascii():
            raw.decode()
        return raw.removeprefix(codecs.BOM_UTF8) if first else raw
    return encodings.decoder(encoding).decode(raw, final=True).encode()


def _lines(raw: bytes, encoding: str) -> Iterator[bytes]:
    """Give the lines with their ends."""
    base = encoding.partition("+")[0]
    if base not in _NEW_LINE:
        yield from raw.splitlines(keepends=True)
        return
    whole = raw[: len(raw) // 2 * 2]
    for line in whole.decode(base, "surrogatepass").splitlines(keepends=True):
        yield line.encode(base, "surrogatepass")
    if len(raw) % 2:
        yield raw[-1:]


def _marked(line: bytes, encoding: str) -> str:
    """Return a line with marks in place of what the encoding cannot be."""
    base = encoding.partition("+")[0]
    if base in _NEW_LINE:
        return re.sub("[\ud800-\udfff\ufffd]", MARK, line.decode(base, "replace")) or MARK
    return (
        re.sub(rb"[\x80-\xff]+", b"\x80", line).decode("ascii", "replace").replace("\ufffd", MARK)
    )
