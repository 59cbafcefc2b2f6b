"""Raw rows of incidents or monthly counts -> rows we can use + rows we cannot, with the reason.

Nothing is guessed: a date is ISO (2025-10-20, 2025-10) or Vietnamese (20/10/2025, 10/2025), a
category is one of the programme's or named in the mapping, and every row that is left out comes
back with its number in the file and its reason.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from hotspots.errors import IntakeError
from hotspots.programme.plan import Programme

KNOWN_NAMES: Mapping[str, tuple[str, ...]] = {
    "lon": ("lon", "lng", "long", "longitude", "kinh_do", "kinh độ", "x"),
    "lat": ("lat", "latitude", "vi_do", "vĩ độ", "y"),
    "ward": ("ward", "ward_code", "code", "ma_phuong", "mã phường", "ma_xa", "mã xã"),
    "date": ("date", "day", "month", "ngay", "ngày", "thang", "tháng"),
    "category": ("category", "type", "loai", "loại", "nhom", "nhóm"),
    "count": ("count", "n", "so_vu", "số vụ"),
    "month": ("month", "thang", "tháng", "date"),
    "edition": ("edition", "ranh_gioi", "ranh giới"),
}
"""Column names read without a mapping, the first that is there wins."""

_FORMS = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{2})(?:-(?P<d>\d{2})(?:[T ].*)?)?\Z"),
    re.compile(r"(?:(?P<d>\d{1,2})/)?(?P<m>\d{1,2})/(?P<y>\d{4})\Z"),
)
_EARLIEST_YEAR = 1990
_WHOLE_NUMBER = r"[0-9]{1,9}(?:\.0)?"


@dataclass(frozen=True)
class ColumnMapping:
    """Which column holds what, and what the file's categories are called in the programme.

    Read from TOML::

        [columns]
        date = "month"
        [categories]
        "Anti-social behaviour" = "public_disorder"
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CleanedIncidents:
    """Every row of a file, split in two.

    Attributes
    ----------
    accepted : DataFrame
        `row` (number in the file, the first row of data is 1), `lon`, `lat` (degrees, NaN when
        the file gives a ward), `ward` (code as text, missing when the file gives a point), `day`
        (text 2025-10-20, or 2025-10 when only the month is known), `month` (text 2025-10),
        `category` (code of the programme), `edition` (ISO day of the boundary edition that the
        file says the ward code belongs to; empty when it says nothing), `key` (uint64 of what the
        file says of the incident, and of how often it said so before).
    rejected : DataFrame
        `row`, `reason` (code), `value` (what was given).
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame


def read_mapping(text: str, programme: Programme) -> ColumnMapping:
    """Read a mapping file and check it against the programme.

    Raises
    ------
    IntakeError
        If it is not TOML, or sends a category to one the programme does not know.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise IntakeError(
            "mapping_not_toml", f"The mapping is not TOML: {error}.", problem=str(error)
        ) from error
    columns, categories = data.get("columns", {}), data.get("categories", {})
    if not isinstance(columns, dict) or not isinstance(categories, dict):
        problem = "[columns] and [categories] must be tables"
        raise IntakeError("mapping_not_toml", f"The mapping: {problem}.", problem=problem)
    unknown = sorted(set(map(str, categories.values())) - set(programme.categories))
    unknown_columns = sorted(set(columns) - set(KNOWN_NAMES))
    if unknown or unknown_columns:
        raise IntakeError(
            "mapping_invalid",
            f"The mapping names {unknown + unknown_columns}; allowed are the columns "
            f"{sorted(KNOWN_NAMES)} and the programme's categories "
            f"{sorted(programme.categories)}.",
            given=unknown + unknown_columns,
            columns=sorted(KNOWN_NAMES),
            categories=sorted(programme.categories),
        )
    return ColumnMapping({str(k): str(v) for k, v in columns.items()}, dict(categories))


def clean_incidents(
    raw: pd.DataFrame, programme: Programme, *, today: date, mapping: ColumnMapping | None = None
) -> CleanedIncidents:
    """Check every raw incident row: accept it, or say why not.

    Parameters
    ----------
    raw : DataFrame
        One row an incident: a point (`lon`, `lat`, in degrees) or a ward code, a date or month,
        a category. Other columns are ignored and not kept. The index is the row's number in the
        file.
    programme : Programme
        Knows the categories.
    today : date
        Later dates are refused.
    mapping : ColumnMapping, optional
        For columns and categories of other names.

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
    column_of = _columns(raw, mapping)
    _require(raw, column_of, ("date", "category"))
    by_point = "lon" in column_of and "lat" in column_of
    if not by_point:
        _require(raw, column_of, ("ward",))
    table, reasons = _dated_and_named(raw, column_of, programme, mapping, today, "date")
    if by_point:
        table["lon"], table["lat"] = (
            pd.to_numeric(raw[column_of[axis]], errors="coerce").to_numpy(float)
            for axis in ("lon", "lat")
        )
        table["ward"] = None
        bad = ~np.isfinite(table["lon"]) | ~np.isfinite(table["lat"])
        reasons.add(bad, "not_a_coordinate", _joined(raw, column_of["lon"], column_of["lat"]))
    else:
        table["lon"] = table["lat"] = np.nan
        table["ward"] = _text(raw[column_of["ward"]]).to_numpy()
        reasons.add(table["ward"].eq(""), "ward_missing", table["ward"])
    table["named"] = _once_per_value(_text(raw[column_of["category"]]), _key).to_numpy()
    accepted, rejected = reasons.split(table)
    accepted["key"] = _content_keys(accepted[["lon", "lat", "ward", "day", "named"]])
    return CleanedIncidents(accepted.drop(columns="named"), rejected)


def clean_counts(
    raw: pd.DataFrame, programme: Programme, *, today: date, mapping: ColumnMapping | None = None
) -> CleanedIncidents:
    """Split raw monthly counts (ward, month, category, count) like `clean_incidents`.

    Returns
    -------
    CleanedIncidents
        `accepted` has `row`, `ward`, `month`, `category`, `count` (int), `edition` (see there); a
        cell given twice in the file is rejected the second time.
    """
    mapping = mapping or ColumnMapping()
    column_of = _columns(raw, mapping)
    _require(raw, column_of, ("ward", "month", "category", "count"))
    table, reasons = _dated_and_named(raw, column_of, programme, mapping, today, "month")
    table["ward"] = _text(raw[column_of["ward"]]).to_numpy()
    reasons.add(table["ward"].eq(""), "ward_missing", table["ward"])
    given = _text(raw[column_of["count"]])
    # "12.000" is twelve thousand to a Vietnamese reader and twelve to a program: not guessed.
    whole = given.str.fullmatch(_WHOLE_NUMBER).astype(bool)
    reasons.add(~whole, "not_a_count", given)
    table["count"] = pd.to_numeric(given.where(whole, "0")).astype(np.int64).to_numpy()
    cells = table["ward"] + " " + table["month"] + " " + table["category"]
    cells = cells + (" " + table["edition"]).where(table["edition"].ne(""), "")
    again = cells.where(reasons.none, None).duplicated() & reasons.none
    reasons.add(again, "cell_given_twice", cells)
    accepted, rejected = reasons.split(table)
    return CleanedIncidents(accepted.drop(columns="day"), rejected)


class _Reasons:
    """The first reason found against each row, and the value it speaks of."""

    def __init__(self, rows: int) -> None:
        self._codes = np.full(rows, "", dtype=object)
        self._values = np.full(rows, "", dtype=object)

    def add(self, bad: pd.Series | np.ndarray, code: str, values: pd.Series) -> None:
        new = np.asarray(bad, dtype=bool) & (self._codes == "")
        self._codes[new] = code
        self._values[new] = values.to_numpy(dtype=object)[new]

    @property
    def none(self) -> np.ndarray:
        """Which rows have no reason against them so far."""
        nothing: np.ndarray = self._codes == ""
        return nothing

    def split(self, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        good = self._codes == ""
        rejected = pd.DataFrame(
            {
                "row": table["row"].to_numpy()[~good],
                "reason": self._codes[~good],
                "value": [str(value)[:80] for value in self._values[~good]],
            }
        )
        return table[good].reset_index(drop=True), rejected


def _dated_and_named(
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    programme: Programme,
    mapping: ColumnMapping,
    today: date,
    date_column: str,
) -> tuple[pd.DataFrame, _Reasons]:
    """Start a table with row number, day, month and category, and the reasons so far."""
    reasons = _Reasons(len(raw))
    table = pd.DataFrame({"row": raw.index.to_numpy()})
    given = _text(raw[column_of[date_column]])
    days = _once_per_value(given, lambda text: _read_day(text, today))
    problems = days.map(lambda answer: answer[1])
    for code in ("date_not_read", "date_out_of_range", "date_in_future"):
        reasons.add(problems.eq(code), code, given)
    table["day"] = days.map(lambda answer: answer[0]).to_numpy()
    table["month"] = table["day"].str[:7]
    named = _text(raw[column_of["category"]])
    code_of = _category_codes(programme, mapping)
    table["category"] = _once_per_value(named, lambda text: code_of.get(_key(text), "")).to_numpy()
    reasons.add(table["category"].eq(""), "unknown_category", named)
    _read_edition(table, raw, column_of, reasons)
    return table, reasons


def _read_edition(
    table: pd.DataFrame, raw: pd.DataFrame, column_of: Mapping[str, str], reasons: _Reasons
) -> None:
    """Add the boundary edition that a row says its ward code belongs to."""
    table["edition"] = ""
    if "edition" not in column_of or {"lon", "lat"} <= set(column_of):  # a point needs none
        return
    stated = _text(raw[column_of["edition"]])
    days = _once_per_value(stated, lambda text: _read_day(text, date.max)[0] if text else "")
    unread = stated.ne("") & days.map(len).ne(len("2025-07-01"))
    reasons.add(unread, "edition_not_read", stated)
    table["edition"] = np.where(unread, "", days.to_numpy()).astype(object)


def _columns(raw: pd.DataFrame, mapping: ColumnMapping) -> dict[str, str]:
    present = {str(name).strip().casefold(): str(name) for name in reversed(list(raw.columns))}
    found = {}
    for role, names in KNOWN_NAMES.items():
        wanted = (mapping.columns[role],) if role in mapping.columns else names
        for name in wanted:
            if name.casefold() in present:
                found[role] = present[name.casefold()]
                break
    return found


def _require(raw: pd.DataFrame, column_of: Mapping[str, str], roles: tuple[str, ...]) -> None:
    missing = [role for role in roles if role not in column_of]
    if missing:
        there = [str(name) for name in raw.columns]
        raise IntakeError(
            "columns_missing",
            f"No column for {missing}; the file has {there}. Rename them, or name them in a "
            "mapping file under [columns].",
            missing=missing,
            columns=there,
        )


def _text(column: pd.Series) -> pd.Series:
    """Return a column as trimmed text, with nothing for a missing value."""
    return column.astype("string").fillna("").str.strip().reset_index(drop=True).astype(object)


def _joined(raw: pd.DataFrame, first: str, second: str) -> pd.Series:
    return _text(raw[first]) + " " + _text(raw[second])


def _once_per_value(column: pd.Series, read: Callable[[str], object]) -> pd.Series:
    """Apply a reader to each different value once: files repeat a few hundred values."""
    codes, values = pd.factorize(column)
    answers = np.empty(len(values), dtype=object)
    answers[:] = [read(str(value)) for value in values]
    return pd.Series(answers[codes] if len(values) else answers, dtype=object)


def _read_day(text: str, today: date) -> tuple[str, str]:
    """Return the day (or month) in ISO form and the reason against it, if there is one."""
    match = next((found for form in _FORMS if (found := form.match(text))), None)
    if match is None:
        return "", "date_not_read"
    year, month, day = int(match["y"]), int(match["m"]), match["d"]
    try:
        earliest = date(year, month, int(day) if day else 1)
    except ValueError:
        return "", "date_not_read"
    if year < _EARLIEST_YEAR:
        return "", "date_out_of_range"
    if earliest > today:
        return "", "date_in_future"
    return (earliest.isoformat() if day else f"{year:04d}-{month:02d}"), ""


def _category_codes(programme: Programme, mapping: ColumnMapping) -> dict[str, str]:
    codes: dict[str, str] = {}
    for code, category in programme.categories.items():
        for name in (code, category.label.vi, category.label.en):
            codes.setdefault(_key(name), code)
    codes.update({_key(name): code for name, code in mapping.categories.items()})
    return codes


def _key(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


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


def _content_keys(content: pd.DataFrame) -> np.ndarray:
    """Return one number a row, from what it says and how often the file said it before.

    Published points are snapped to a grid, so equal rows are separate incidents; the second of
    two equal rows gets another key than the first, and the same file gets the same keys again,
    also when its categories are mapped otherwise than before.
    """
    plain = content.assign(
        lon=content["lon"].round(7), lat=content["lat"].round(7), ward=content["ward"].fillna("")
    )
    first = pd.util.hash_pandas_object(plain, index=False)
    occurrence = first.groupby(first).cumcount()
    both = pd.DataFrame({"content": first, "occurrence": occurrence})
    keys: np.ndarray = pd.util.hash_pandas_object(both, index=False).to_numpy()
    return keys
