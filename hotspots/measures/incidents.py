"""Raw rows of incidents or monthly counts -> rows we can use + rows we cannot, with the reason.

Nothing is guessed: without a mapping a date is ISO (2025-10-20, 2025-10) or Vietnamese
(20/10/2025, 10/2025) and a count has digits only; with one, cells are read as it says. A category
is one of the programme's or named in the mapping, and every row that is left out comes back with
its number in the file and its reason.

A long file is cleaned in pieces: a `KeyMaker` or a `CellsSeen` given to each call carries from one
piece to the next what the rows have said before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from hotspots.measures.cells import (
    as_text,
    once_per_value,
    read_counts,
    read_dates,
    tidy,
    total_rows,
)
from hotspots.measures.file_kinds import FileKind, source_of
from hotspots.measures.mapping import (
    KNOWN_NAMES,
    ColumnMapping,
    category_codes,
    columns_of,
    read_mapping,
    require,
    same_word,
    ward_words,
)
from hotspots.programme.plan import Programme

__all__ = [
    "KNOWN_NAMES",
    "CellsSeen",
    "CleanedIncidents",
    "ColumnMapping",
    "KeyMaker",
    "Reasons",
    "clean_counts",
    "clean_incidents",
    "keys_on_edition",
    "read_mapping",
]

_WHOLE_NUMBER = r"[0-9]{1,9}(?:\.0)?"


@dataclass(frozen=True)
class CleanedIncidents:
    """Every row of a file, split in two.

    Attributes
    ----------
    accepted : DataFrame
        `row` (number in the file, the first row of data is 1), `lon`, `lat` (degrees, NaN when
        the row gives a ward), `ward` (code as text, missing when the row gives a point), `day`
        (text 2025-10-20, or 2025-10 when only the month is known), `month` (text 2025-10),
        `category` (code of the programme), `edition` (ISO day of the boundary edition that the
        file says the ward code belongs to; empty when it says nothing), `key` (uint64 of what the
        file says of the incident, and of how often it said so before). Where the file has such a
        column also `source` ("citizen", "police", or "" for not known).
    rejected : DataFrame
        `row`, `reason` (code), `value` (what was given).
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame


class KeyMaker:
    """Makes the content keys of a file's rows, also when they come in pieces.

    Published points are snapped to a grid, so equal rows are separate incidents: the second of
    two equal rows gets another key than the first, and the same file gets the same keys again, in
    pieces of any size. It remembers 12 bytes for every different row.
    """

    def __init__(self) -> None:
        self._seen = np.empty(0, dtype=np.uint64)
        self._times = np.empty(0, dtype=np.uint32)

    def keys(self, contents: pd.Series) -> np.ndarray:
        """Return one key a row.

        Parameters
        ----------
        contents : Series of uint64
            What each row says, as a number.
        """
        before = self._times_before(contents.to_numpy(dtype=np.uint64))
        occurrence = contents.groupby(contents).cumcount() + before
        both = pd.DataFrame({"content": contents, "occurrence": occurrence.astype(np.int64)})
        keys: np.ndarray = pd.util.hash_pandas_object(both, index=False).to_numpy()
        return keys

    def _times_before(self, contents: np.ndarray) -> np.ndarray:
        """Return how often each content came in earlier pieces, and count these in."""
        if not len(contents):
            return np.zeros(0, dtype=np.int64)
        new, inverse, times = np.unique(contents, return_inverse=True, return_counts=True)
        at = np.searchsorted(self._seen, new)
        there = at < len(self._seen)
        there[there] = self._seen[at[there]] == new[there]
        before = np.zeros(len(new), dtype=np.int64)
        before[there] = self._times[at[there]]
        self._times[at[there]] += times[there].astype(np.uint32)
        self._seen = np.insert(self._seen, at[~there], new[~there])
        self._times = np.insert(self._times, at[~there], times[~there].astype(np.uint32))
        found: np.ndarray = before[inverse]
        return found


class CellsSeen:
    """Remembers which cells of a table (ward, month, category) a file has given so far."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def again(self, cells: Iterable[str], good: np.ndarray) -> np.ndarray:
        """Return which of the good rows give a cell that an earlier good row has given."""
        again = np.zeros(len(good), dtype=bool)
        for at, cell in enumerate(cells):
            if good[at]:
                again[at] = cell in self._seen
                self._seen.add(cell)
        return again


def clean_incidents(
    raw: pd.DataFrame,
    programme: Programme,
    *,
    today: date,
    mapping: ColumnMapping | None = None,
    keys: KeyMaker | None = None,
) -> CleanedIncidents:
    """Check every raw incident row: accept it, or say why not.

    Parameters
    ----------
    raw : DataFrame
        One row an incident: a point (`lon`, `lat`, in degrees) or a ward code, a date or month,
        a category. A row without coordinates may name a ward instead. Other columns are ignored
        and not kept. The index is the row's number in the file.
    programme : Programme
        Knows the categories.
    today : date
        Later dates are refused.
    mapping : ColumnMapping, optional
        For columns and categories of other names, and cells written otherwise.
    keys : KeyMaker, optional
        The same for every piece of a file that comes in pieces.

    Returns
    -------
    CleanedIncidents
        accepted + rejected = rows, always.

    Raises
    ------
    IntakeError
        If a needed column is missing; the message lists the columns there are.
    """
    mapping = mapping or ColumnMapping()
    column_of = columns_of(FileKind.INCIDENTS, raw.columns, mapping)
    require(FileKind.INCIDENTS, raw, column_of, mapping)
    reasons = Reasons(raw, column_of, ("ward", "date", "category"))
    table = _dated_and_named(raw, column_of, programme, mapping, today, "date", reasons)
    by_point = _read_points(table, raw, column_of, mapping, reasons)
    wards = _wards(raw, column_of, mapping)
    reasons.add(~by_point & wards.eq("").to_numpy(), "ward_missing", wards)
    table["ward"] = wards.mask(by_point, None).to_numpy(dtype=object)
    _read_edition(table, raw, column_of, mapping, reasons, ~by_point)
    _read_source(table, raw, column_of, mapping, reasons)
    table["named"] = once_per_value(as_text(raw[column_of["category"]]), same_word).to_numpy()
    accepted, rejected = reasons.split(table)
    accepted["key"] = (keys or KeyMaker()).keys(_contents(accepted))
    return CleanedIncidents(accepted.drop(columns="named"), rejected)


def clean_counts(
    raw: pd.DataFrame,
    programme: Programme,
    *,
    today: date,
    mapping: ColumnMapping | None = None,
    seen: CellsSeen | None = None,
) -> CleanedIncidents:
    """Split raw monthly counts (ward, month, category, count) like `clean_incidents`.

    Parameters
    ----------
    seen : CellsSeen, optional
        The same for every piece of a file that comes in pieces.

    Returns
    -------
    CleanedIncidents
        `accepted` has `row`, `ward`, `month`, `category`, `count` (int), `edition` (see there),
        `source` where the file has one; a cell given twice in the file is rejected the second
        time. Cases that people reported and those that police found are two cells.
    """
    mapping = mapping or ColumnMapping()
    column_of = columns_of(FileKind.COUNTS, raw.columns, mapping)
    require(FileKind.COUNTS, raw, column_of, mapping)
    reasons = Reasons(raw, column_of, ("ward", "month", "category"))
    table = _dated_and_named(raw, column_of, programme, mapping, today, "month", reasons)
    _read_edition(table, raw, column_of, mapping, reasons, np.ones(len(raw), dtype=bool))
    table["ward"] = _wards(raw, column_of, mapping).to_numpy()
    reasons.add(table["ward"].eq(""), "ward_missing", table["ward"])
    _read_source(table, raw, column_of, mapping, reasons)
    table["count"] = _read_counts(as_text(raw[column_of["count"]]), mapping, reasons)
    cells = table["ward"] + " " + table["month"] + " " + table["category"]
    for more in ("edition", "source"):
        if more in table:
            cells = cells + (" " + table[more]).where(table[more].ne(""), "")
    again = (seen or CellsSeen()).again(cells, reasons.none)
    reasons.add(again, "cell_given_twice", cells)
    accepted, rejected = reasons.split(table)
    return CleanedIncidents(accepted.drop(columns="day"), rejected)


class Reasons:
    """The first reason found against each row, and the value it speaks of.

    Parameters
    ----------
    raw : DataFrame
    column_of : Mapping
        The column of every role.
    said_in : tuple of str
        Roles in which a word such as "Tổng cộng" makes a row a total of others. In a row that
        cannot be used it may stand in any column.
    """

    def __init__(
        self, raw: pd.DataFrame, column_of: Mapping[str, str], said_in: tuple[str, ...] = ()
    ) -> None:
        self._raw = raw
        self._codes = np.full(len(raw), "", dtype=object)
        self._values = np.full(len(raw), "", dtype=object)
        for role in said_in:
            if role in column_of and len(raw):
                column = raw[column_of[role]]
                self.add(total_rows([column]), "total_row", as_text(column))

    def add(self, bad: pd.Series | np.ndarray, code: str, values: pd.Series) -> None:
        """Set a reason against the bad rows that have none yet."""
        new = np.asarray(bad, dtype=bool) & (self._codes == "")
        self._codes[new] = code
        self._values[new] = values.to_numpy(dtype=object)[new]

    def add_all(self, problems: pd.Series, values: pd.Series) -> None:
        """Set the reasons that a reader of `hotspots.measures.cells` has found, row by row."""
        for code in problems[problems.ne("")].unique():
            self.add(problems.eq(code), str(code), values)

    @property
    def none(self) -> np.ndarray:
        """Which rows have no reason against them so far."""
        nothing: np.ndarray = self._codes == ""
        return nothing

    def split(self, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the rows without a reason, and the others with theirs."""
        self._find_totals()
        good = self._codes == ""
        rejected = pd.DataFrame(
            {
                "row": table["row"].to_numpy()[~good],
                "reason": self._codes[~good],
                "value": [str(value)[:80] for value in self._values[~good]],
            }
        )
        return table[good].reset_index(drop=True), rejected

    def _find_totals(self) -> None:
        """Say of rows that cannot be used that they are totals, whatever column says so."""
        bad = np.flatnonzero((self._codes != "") & (self._codes != "total_row"))
        if not len(bad):
            return
        rows = self._raw.iloc[bad]
        for at in range(rows.shape[1]):
            column = as_text(rows.iloc[:, at])
            here = total_rows([column])
            self._codes[bad[here]] = "total_row"
            self._values[bad[here]] = column.to_numpy(dtype=object)[here]


def _dated_and_named(
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    programme: Programme,
    mapping: ColumnMapping,
    today: date,
    date_column: str,
    reasons: Reasons,
) -> pd.DataFrame:
    """Start a table with row number, day, month and category."""
    table = pd.DataFrame({"row": raw.index.to_numpy()})
    given = as_text(raw[column_of[date_column]])
    days, problems = read_dates(given, mapping.date_order, today=today)
    for code in ("date_not_read", "date_out_of_range", "date_in_future"):
        reasons.add(problems.eq(code), code, given)
    table["day"] = days.to_numpy()
    table["month"] = table["day"].str[:7]
    named = as_text(raw[column_of["category"]])
    code_of = category_codes(programme, mapping)
    found = once_per_value(named, lambda text: code_of.get(same_word(text), ""))
    table["category"] = found.to_numpy()
    reasons.add(table["category"].eq(""), "unknown_category", named)
    table["edition"] = ""
    return table


def _read_points(
    table: pd.DataFrame,
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    mapping: ColumnMapping,
    reasons: Reasons,
) -> np.ndarray:
    """Add the coordinates; return which rows are points: all that do not name a ward instead."""
    table["lon"] = table["lat"] = np.nan
    if not {"lon", "lat"} <= set(column_of):
        return np.zeros(len(raw), dtype=bool)
    for axis in ("lon", "lat"):
        column = raw[column_of[axis]]
        if mapping.numbers.get(axis) == "vi":
            column = as_text(column).str.replace(",", ".", n=1, regex=False)
        table[axis] = pd.to_numeric(column, errors="coerce").to_numpy(float)
    given = as_text(raw[column_of["lon"]]) + " " + as_text(raw[column_of["lat"]])
    by_point = np.ones(len(raw), dtype=bool)
    if "ward" in column_of:
        by_point = ~(given.eq(" ") & as_text(raw[column_of["ward"]]).ne("")).to_numpy()
    bad = ~np.isfinite(table["lon"]) | ~np.isfinite(table["lat"])
    reasons.add(bad & by_point, "not_a_coordinate", given)
    return by_point


def _wards(raw: pd.DataFrame, column_of: Mapping[str, str], mapping: ColumnMapping) -> pd.Series:
    """Return the ward codes as the rows give them, or as the mapping says of their words."""
    if "ward" not in column_of:
        return pd.Series("", index=range(len(raw)), dtype=object)
    given = as_text(raw[column_of["ward"]])
    words = ward_words(mapping)
    if not words:
        return given
    return once_per_value(given, lambda text: words.get(same_word(tidy(text)), text))


def _read_edition(
    table: pd.DataFrame,
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    mapping: ColumnMapping,
    reasons: Reasons,
    by_ward: np.ndarray,
) -> None:
    """Add the boundary edition that a row says its ward code belongs to; a point needs none."""
    if "edition" not in column_of:
        table["edition"] = np.where(by_ward, mapping.edition, "").astype(object)
        return
    stated = as_text(raw[column_of["edition"]]).where(by_ward, "")
    days = read_editions(stated, mapping)
    unread = stated.ne("") & days.eq("")
    reasons.add(unread, "edition_not_read", stated)
    table["edition"] = days.mask(stated.eq("") & by_ward, mapping.edition).to_numpy(object)


def read_editions(stated: pd.Series, mapping: ColumnMapping) -> pd.Series:
    """Return the boundary editions of a column as ISO days, "" where there is no full day."""
    days, _ = read_dates(stated, today=date.max)
    if mapping.date_order:
        # 01/07/2025 beside days in ISO or Excel's numbers is still 1 July; beside 10/20/2025 not.
        ordered, _ = read_dates(stated, mapping.date_order, today=date.max)
        days = ordered if mapping.date_order == "mdy" else ordered.where(ordered.ne(""), days)
    return days.where(days.map(len).eq(len("2025-07-01")), "")


def _read_source(
    table: pd.DataFrame,
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    mapping: ColumnMapping,
    reasons: Reasons,
) -> None:
    """Add who made it known, where the file has such a column.

    A column that is only called so, and that no mapping names, may speak of something else: its
    words then mean nothing, and are no reason against a row.
    """
    if "source" not in column_of:
        return
    named = as_text(raw[column_of["source"]])
    known = {same_word(word): source for word, source in mapping.sources.items()}
    table["source"] = once_per_value(
        named, lambda word: known.get(same_word(word), source_of(word))
    ).to_numpy()
    if "source" in mapping.columns:
        said = named.ne("") & ~named.map(same_word).isin(list(known)).to_numpy()
        reasons.add(said & table["source"].eq(""), "unknown_source", named)


def _read_counts(given: pd.Series, mapping: ColumnMapping, reasons: Reasons) -> np.ndarray:
    style = mapping.numbers.get("count", "")
    if style:
        counts, problems = read_counts(given, style)
        reasons.add_all(problems, given)
        found: np.ndarray = counts.to_numpy()
        return found
    # "12.000" is twelve thousand to a Vietnamese reader and twelve to a program: not guessed.
    whole = given.str.fullmatch(_WHOLE_NUMBER).astype(bool)
    reasons.add(~whole, "not_a_count", given)
    digits: np.ndarray = pd.to_numeric(given.where(whole, "0")).astype(np.int64).to_numpy()
    return digits


def keys_on_edition(keys: pd.Series[int], editions: pd.Series[str]) -> np.ndarray:
    """Return the keys of rows that name a ward: the same code on another edition is another row.

    Parameters
    ----------
    keys : Series
        From `clean_incidents`.
    editions : Series
        The boundary edition of each row, stated or found by its day.
    """
    both = pd.DataFrame({"key": keys.to_numpy(), "edition": editions.to_numpy(object)})
    found: np.ndarray = pd.util.hash_pandas_object(both, index=False).to_numpy()
    return found


def _contents(accepted: pd.DataFrame) -> pd.Series:
    """Return a number for what each row says, in the file's words.

    So a file keeps its keys when its categories are mapped otherwise than before. Who made it
    known is left out: the same file again, with that filled in, tells of the same incidents.
    """
    plain = pd.DataFrame(
        {
            "lon": accepted["lon"].round(7),
            "lat": accepted["lat"].round(7),
            "ward": accepted["ward"].fillna(""),
            "day": accepted["day"],
            "named": accepted["named"],
        }
    )
    return pd.util.hash_pandas_object(plain, index=False)
