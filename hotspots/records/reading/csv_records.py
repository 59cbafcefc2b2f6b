"""Where the rows of a CSV end: quotes are respected, and never guessed.

A quote counts only at the beginning of a cell; it ends at a quote that is not doubled, and then a
separator or the line's end must follow. All functions work on bytes of UTF-8.
"""

from __future__ import annotations

import re

_LINE_END = rb"(?:\r\n|\n|\r(?!\n|\Z))"  # CR at the very end: its LF may come yet
_QUOTED = rb'"[^"]*+(?:""[^"]*+)*+"'
_A_QUOTED = re.compile(_QUOTED)


class Records:
    """Cuts bytes into rows at one separator.

    Examples
    --------
    >>> records = Records(";")
    >>> records.split(b'ma;"ten; phuong"\\n1;"hai\\ndong"\\nnot com')
    [b'ma;"ten; phuong"', b'1;"hai\\ndong"']
    >>> records.cells(b'ma;"ten ""x"" y"')
    ['ma', 'ten "x" y']
    """

    def __init__(self, separator: str) -> None:
        comma = re.escape(separator.encode())
        plain = rb"[^" + comma + rb"\r\n]*+"
        lenient = rb"(?:" + _QUOTED + rb'|(?!"))' + plain
        strict = rb"(?:" + _QUOTED + rb"(?=[" + comma + rb'\r\n]|\Z)|(?!")' + plain + rb")"
        self.separator = separator
        self._separator = separator.encode()
        self._lenient = _row(lenient, comma)
        self._strict = _row(strict, comma)
        self._all_lenient = re.compile(rb"(?:" + self._lenient.pattern + _LINE_END + rb")*+")
        self._all_strict = re.compile(rb"(?:" + self._strict.pattern + _LINE_END + rb")*+")
        self._next = re.compile(rb"(" + self._lenient.pattern + rb")" + _LINE_END)

    def end(self, text: bytes) -> int:
        """Return where the last complete row ends."""
        if b'"' not in text:
            line_feed = text.rfind(b"\n")
            return max(line_feed, text.rfind(b"\r", line_feed + 1, len(text) - 1)) + 1
        found = self._all_lenient.match(text)
        return found.end() if found else 0

    def is_strict(self, text: bytes) -> bool:
        """Return whether every quote of complete rows is where it belongs."""
        return b'"' not in text or self._all_strict.fullmatch(text) is not None

    def is_strict_row(self, row: bytes) -> bool:
        """Return whether every quote of one row is where it belongs."""
        return b'"' not in row or self._strict.fullmatch(row) is not None

    def split(self, text: bytes, most: int | None = None) -> list[bytes]:
        """Return the complete rows, or the first `most` of them, without their line ends."""
        return self.first(text, most)[0]

    def first(self, text: bytes, most: int | None) -> tuple[list[bytes], int]:
        """Return the first complete rows, and where the next begins."""
        rows: list[bytes] = []
        at = 0
        while (most is None or len(rows) < most) and (found := self._next.match(text, at)):
            rows.append(found[1])
            at = found.end()
        return rows, at

    def cells(self, row: bytes) -> list[str]:
        """Return the cells of one row."""
        cells, at = [], 0
        while True:
            quoted = _A_QUOTED.match(row, at)
            after = quoted.end() if quoted else at
            end = row.find(self._separator, after)
            rest = row[after : end if end >= 0 else len(row)]
            begin = quoted[0][1:-1].replace(b'""', b'"') if quoted else b""
            cells.append((begin + rest).decode())
            if end < 0:
                return cells
            at = end + 1


def _row(cell: bytes, comma: bytes) -> re.Pattern[bytes]:
    return re.compile(cell + rb"(?:" + comma + cell + rb")*+")
