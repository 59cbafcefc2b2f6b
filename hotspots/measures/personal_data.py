"""Personal data in a table or a note: what looks like a person, before anything is stored.

Two grades. *Refused*: identity numbers, phone numbers, e-mail addresses, number plates, dates of
birth, house addresses, and columns whose name announces a person. *Asked*: what looks like a
person's name or an old nine-digit identity number, because street and ward names look like people
and amounts look like numbers of identity cards.

Only counts leave this module. No value is kept, returned, put in an error or shown in a `repr`;
where the name of a column is itself personal data (a file without header), the column is called by
its place, "#3".

How it is fast: a column is first reduced to its different values, plain numbers and dates are set
aside, and the rest passes a few regular expressions run by Arrow over the whole column. Only what
these let through (no value of an ordinary file, or few) is looked at closely in Python. A core
looks through some 700,000 cells a second of a mixed file, notes of 150 signs at a third of that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hotspots.measures.personal_headers import announces_person
from hotspots.measures.personal_patterns import (
    SIEVES,
    UNUSUAL_SIGN,
    WHOLE_NAME,
    folded,
    kinds_within,
    plain_signs,
)

Grade: TypeAlias = Literal["refused", "asked"]

REFUSED_KINDS: Final = (
    "person_header",
    "identity_number",
    "phone",
    "email",
    "number_plate",
    "birth_date",
    "house_address",
)
ASKED_KINDS: Final = ("personal_name", "nine_digits")
_KINDS: Final = REFUSED_KINDS + ASKED_KINDS

ENOUGH: Final = 1000
"""Cells of a refused kind after which a column is not read any further."""

NAMES_SHARE: Final = 0.2
"""A column is asked about when more of its cells than this are names of people, wards aside."""

NUMBERS_SHARE: Final = 0.3
"""A column of numbers is asked about when more of them than this could be identity numbers."""


@dataclass(frozen=True)
class Suspicion:
    """A column that looks like personal data, without any of its values.

    Attributes
    ----------
    column : str
        Its name, or "#" and its place (from 1) where the name itself is personal data.
    kind : str
        One of `REFUSED_KINDS` or `ASKED_KINDS`.
    grade : str
        "refused": the file is not taken with this column. "asked": only after a person confirms,
        with a reason. Identity numbers that lost their zero in front ("79203001234") are asked.
    cells : int
        Cells that show it, at least: a column is not counted to its end once it is clearly refused.
        0 where its name alone gives it away.
    rows : int
        Rows that were looked at.
    position : int
        Place of the column, from 0.
    """

    column: str
    kind: str
    grade: Grade
    cells: int
    rows: int
    position: int = 0


class Guard:
    """Looks through a file batch by batch and tells which columns hold personal data.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns, as in the file.
    ward_names : collection of str
        Names of the known wards, of all editions, with or without kind. A cell that is one of them
        is nobody's name, so that a ward column is not suspected of people.

    Examples
    --------
    >>> guard = Guard(["Phường", "Ghi chú"], ["Nguyễn Cư Trinh"])
    >>> guard.look(pd.DataFrame({"Phường": ["Nguyễn Cư Trinh"], "Ghi chú": ["gọi 0903 123 456"]}))
    >>> [(found.column, found.kind, found.grade, found.cells) for found in guard.suspicions()]
    [('Ghi chú', 'phone', 'refused', 1)]
    """

    def __init__(self, columns: Sequence[str], ward_names: Collection[str]) -> None:
        self._wards = frozenset(_place_key(name) for name in ward_names) - {""}
        self._columns = tuple(columns)
        self._rows = 0
        self._seen = [_Seen() for _ in self._columns]

    def look(self, batch: pd.DataFrame) -> None:
        """Take in more rows; the columns are those the guard was made for, as text.

        Raises
        ------
        ValueError
            The batch lacks a column: the guard would vouch for something it has not seen.
        """
        if missing := len(set(self._columns) - set(batch.columns)):
            raise ValueError(
                f"The batch lacks {missing} of the {len(self._columns)} columns the guard was made "
                "for. Give it the rows as read, before columns are renamed or dropped."
            )
        self._rows += len(batch)
        for name, seen in zip(self._columns, self._seen, strict=True):
            if not seen.clearly_refused:
                _look_at_column(batch[name], seen, self._wards)

    def suspicions(self) -> tuple[Suspicion, ...]:
        """What was found so far, by column, the refused kinds first."""
        return tuple(
            Suspicion(label, kind, grade, cells, self._rows, position)
            for position, name in enumerate(self._columns)
            for label in [self._label(position, name)]
            for kind, grade, cells in self._verdicts(name, self._seen[position])
        )

    def _label(self, position: int, name: str) -> str:
        digits = sum(sign.isdigit() for sign in name)
        return f"#{position + 1}" if digits >= 7 or self._name_gives_away(name) else name

    def _name_gives_away(self, name: str) -> set[str]:
        kinds = set(scan_text(name))
        return kinds - {"personal_name"} if _place_key(name) in self._wards else kinds

    def _verdicts(self, name: str, seen: _Seen) -> Iterator[tuple[str, Grade, int]]:
        cells = dict.fromkeys(_KINDS, 0) | seen.cells
        for kind in self._name_gives_away(name):
            cells[kind] += 1
        for kind in REFUSED_KINDS:
            if cells[kind] or (
                kind == "person_header"
                and announces_person(name, small_numbers=seen.only_small_numbers)
            ):
                yield kind, "refused", cells[kind]
        if not cells["identity_number"] and seen.lost_zero > NUMBERS_SHARE * seen.numbers:
            yield "identity_number", "asked", seen.lost_zero
        if not cells["birth_date"] and seen.old_dates > NUMBERS_SHARE * seen.dates:
            yield "birth_date", "asked", seen.old_dates
        if seen.names > NAMES_SHARE * seen.filled:
            cells["personal_name"] += seen.names
        if seen.nine_digits > NUMBERS_SHARE * seen.numbers:
            cells["nine_digits"] += seen.nine_digits
        for kind in ASKED_KINDS:
            if cells[kind]:
                yield kind, "asked", cells[kind]


def scan_text(text: str) -> tuple[str, ...]:
    """Kinds of personal data in a note somebody typed; never the values.

    Parameters
    ----------
    text : str
        A note of any length.

    Returns
    -------
    tuple of str
        Those of `REFUSED_KINDS` (without "person_header") and `ASKED_KINDS` that it shows.

    Examples
    --------
    >>> scan_text("Liên hệ anh Nguyễn Văn A, sđt 0903.123.456")
    ('phone', 'personal_name')
    >>> scan_text("Từ 01/01/2025 xảy ra 12 vụ trên đường Nguyễn Trãi, cách chợ 200 m")
    ()
    """
    plain = plain_signs(text).strip()
    kinds = kinds_within(plain)
    if WHOLE_NAME.search(plain):
        kinds.add("personal_name")
    return tuple(kind for kind in _KINDS if kind in kinds)


@dataclass
class _Seen:
    """Counts of one column: cells in words, cells as numbers and dates, cells of each kind."""

    filled: int = 0
    numbers: int = 0
    small_numbers: int = 0
    dates: int = 0
    old_dates: int = 0
    names: int = 0
    nine_digits: int = 0
    lost_zero: int = 0
    cells: dict[str, int] = field(default_factory=dict)

    @property
    def clearly_refused(self) -> bool:
        return any(self.cells.get(kind, 0) >= ENOUGH for kind in REFUSED_KINDS)

    @property
    def only_small_numbers(self) -> bool:
        return 0 < self.filled == self.small_numbers

    def add(self, kind: str, cells: int) -> None:
        self.cells[kind] = self.cells.get(kind, 0) + cells


# --- A column: different values, sorted out by Arrow before Python looks at any of them ---

_PLAIN_NUMBER = r"^(?:-?(?:0|[1-9][0-9]{0,7})(?:[.,][0-9]*)?|[0-9]{1,8})$"
# Numbers that are at most asked about, and need no closer look.
_LONG_NUMBER = r"^(?:[0-9]{9}|[1-9][0-9]{9,})(?:\.0)?$"
_DIALLED_NUMBER = r"^84[235789][0-9]{8,9}(?:\.0)?$"
_NINE_DIGITS = r"^[0-9]{9}(?:\.0)?$"
_LOST_ZERO = r"^(?:[1-9][0-9][0-3]|[1-9][0-3])[0-9]{8}(?:\.0)?$"
_SMALL_NUMBER = r"^[0-9]{1,4}$"
_ANY_NUMBER = r"^[+-]?[0-9][0-9 .,]*$"
_TIME = r"(?:[T ][0-9]{1,2}:[0-9]{2}(?::[0-9.]*)?(?:Z|[+-][0-9:]{2,5})?)?"
_DAY = r"(?:[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}|[0-9]{4}[/.-][0-9]{1,2}[/.-][0-9]{1,2})"
_DATE = rf"^{_DAY}{_TIME}$"
# The product takes incidents from 1990 on; dates before 2000 in number are of births.
_OLD_DATE = (
    r"^(?:[0-9]{1,2}[/.-][0-9]{1,2}[/.-]19[0-9]{2}|19[0-9]{2}[/.-][0-9]{1,2}[/.-][0-9]{1,2})"
)


_ANY_SIEVE = "|".join(f"(?:{sieve.pattern})" for sieve in SIEVES)
_SAMPLE = 5000


def _look_at_column(column: pd.Series, seen: _Seen, wards: frozenset[str]) -> None:
    values, cells = _different_values(column)
    seen.filled += int(cells.sum())
    numbers = _matches(values, _ANY_NUMBER)
    seen.numbers += int(cells[numbers].sum())
    seen.small_numbers += int(cells[_matches(values, _SMALL_NUMBER)].sum())
    dates = _matches(values, _DATE)
    seen.dates += int(cells[dates].sum())
    seen.old_dates += int(cells[dates & _matches(values, _OLD_DATE)].sum())

    long_numbers = _matches(values, _LONG_NUMBER) & ~_matches(values, _DIALLED_NUMBER)
    not_round = long_numbers & ~_matches(values, r"000(?:\.0)?$")
    seen.nine_digits += int(cells[not_round & _matches(values, _NINE_DIGITS)].sum())
    seen.lost_zero += int(cells[not_round & _matches(values, _LOST_ZERO)].sum())

    telling = ~(dates | long_numbers | _matches(values, _PLAIN_NUMBER))
    values, cells = values.filter(pa.array(telling)), cells[telling]
    for value, count in _picked(values, cells, _matches(values, WHOLE_NAME.pattern)):
        if _place_key(value) not in wards:
            seen.names += count
    suspect = _matches(values, _ANY_SIEVE)
    values, cells = values.filter(pa.array(suspect)), cells[suspect]
    for sieve in SIEVES:
        for value, count in _picked(values, cells, _matches(values, sieve.pattern)):
            for kind in sieve.kinds(value):
                _count(kind, value, count, seen)
            if seen.clearly_refused:
                return


def _count(kind: str, value: str, cells: int, seen: _Seen) -> None:
    """Nine digits among words are a number of something; a column of them may be amounts."""
    if kind == "nine_digits" and re.match(_ANY_NUMBER, value):
        seen.nine_digits += cells
    else:
        seen.add(kind, cells)


def _different_values(column: pd.Series) -> tuple[pa.Array, Any]:
    """The values of a column that are not blank, in ordinary signs, and how many cells have each.

    Some may stand there twice, for example when their signs are made ordinary; every cell is still
    counted once.
    """
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype != "str":
        column = column[column.notna()].map(_as_text)
    values, cells = _counted(_as_array(column))
    unusual = np.flatnonzero(_matches(values, UNUSUAL_SIGN))
    if len(unusual):
        made_plain = [plain_signs(values[place].as_py()) for place in unusual.tolist()]
        mask = np.zeros(len(values), dtype=bool)
        mask[unusual] = True
        values = pc.replace_with_mask(
            values, pa.array(mask), pa.array(made_plain, type=pa.large_string())
        )
    values = pc.ascii_trim(values, " \t\r\n'\"")
    filled = ~_matches(values, "^$")
    return values.filter(pa.array(filled)), cells[filled]


def _as_array(column: pd.Series) -> pa.Array:
    array = pa.array(column, type=pa.large_string(), from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        return array.cast(pa.large_string()).combine_chunks()
    return array


def _counted(array: pa.Array) -> tuple[pa.Array, Any]:
    """Different values and how often each; notes, nearly all different, are left as they are."""
    sample = array.slice(0, _SAMPLE)
    if len(sample) == _SAMPLE and pc.count_distinct(sample).as_py() > 0.9 * _SAMPLE:
        array = array.drop_null()
        return array, np.ones(len(array), dtype=np.int64)
    counted = pc.value_counts(array)
    return counted.field("values"), counted.field("counts").to_numpy()


def _as_text(value: object) -> str:
    """A cell of a column that is not text; shapes (bytes) say nothing about a person."""
    if isinstance(value, bytes):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _matches(values: pa.Array, pattern: str) -> Any:
    found = pc.match_substring_regex(values, pattern)
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False).astype(bool)


def _picked(values: pa.Array, cells: Any, picked: Any) -> Iterator[tuple[str, int]]:
    places = np.flatnonzero(picked)
    return zip(values.take(pa.array(places)).to_pylist(), cells[places].tolist(), strict=True)


_KIND_WORD = re.compile(r"^(?:phuong|xa|thi tran|dac khu|(?:p|x|tt|dk)(?=[. ])|p(?=[0-9]))[. ]*")


def _place_key(name: str) -> str:
    """A ward's name without its kind, accents and blanks around: enough to know it is no person."""
    plain = " ".join(folded(plain_signs(name)).split())
    return _KIND_WORD.sub("", plain) or plain
