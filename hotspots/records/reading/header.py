"""The names of a table's columns: each has one, of its own."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from hotspots.errors import IntakeError
from hotspots.records.reading.limits import Limits

_LONGEST_NAME = 1_000
_PLACES_SHOWN = 20
_OF_THE_INDEX = re.compile(r"__index_level_\d+__")


def checked_names(
    cells: Sequence[str], file: str, limits: Limits, *, first: int = 1
) -> tuple[str, ...]:
    """Return the names without blanks around them, composed (NFC).

    Parameters
    ----------
    first : int
        The place of the first cell, as the person counts columns.

    Raises
    ------
    IntakeError
        ``header_not_usable`` (places), ``too_many_columns`` (columns, most), ``name_too_long``,
        ``file_empty``. None repeats a name: without a header it is a cell, perhaps of a person.

    Examples
    --------
    >>> checked_names([" ward ", "month"], "a.csv", Limits())
    ('ward', 'month')
    """
    if len(cells) > limits.columns:
        raise IntakeError(
            "too_many_columns",
            f"{file} has {len(cells)} columns; allowed are {limits.columns}. Keep the columns that "
            "are needed.",
            file=file,
            columns=len(cells),
            most=limits.columns,
        )
    names = [unicodedata.normalize("NFC", cell).strip() for cell in cells]
    long = next((name for name in names if len(name) > _LONGEST_NAME), None)
    if long is not None:
        raise IntakeError(
            "name_too_long",
            f"{file}: a column's name has {len(long)} letters; allowed are {_LONGEST_NAME}. Is the "
            "first row the header?",
            file=file,
            letters=len(long),
            most=_LONGEST_NAME,
        )
    if names == [""]:
        raise IntakeError("file_empty", f"{file} holds blank lines only.", file=file)
    times = Counter(names)
    wrong = [place for place, name in enumerate(names, first) if times[name] > 1 or not name]
    if wrong or not names:
        raise not_usable(wrong, file)
    return tuple(names)


def not_usable(wrong: Sequence[int], file: str) -> IntakeError:
    """Return the error that the columns at these places, from 1, have no name of their own."""
    shown = [str(place) for place in wrong[:_PLACES_SHOWN]]
    places = ", ".join([*shown, "…"] if len(wrong) > len(shown) else shown) or "–"
    return IntakeError(
        "header_not_usable",
        f"{file}: every column needs a name of its own; blank or repeated: columns {places}. Is "
        "the first row the header?",
        file=file,
        places=places,
    )


def is_index(name: str) -> bool:
    """Return whether a column is only the row numbers that pandas saved along."""
    return _OF_THE_INDEX.fullmatch(name) is not None


def without_rows(file: str) -> IntakeError:
    """Return the error that a file has a header and nothing else."""
    return IntakeError(
        "file_without_rows",
        f"{file} has names of columns and no rows. Was it saved before it was filled in?",
        file=file,
    )
