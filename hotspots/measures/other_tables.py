"""Raw rows of indicators, scorecards and populations -> rows we can use + rows we cannot, and why.

As with incidents: accepted + rejected = rows, cells are read as the mapping says (without one,
strictly), and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from hotspots.measures.cells import (
    MOST_PEOPLE,
    as_text,
    once_per_value,
    read_counts,
    read_dates,
    read_numbers,
    read_periods,
    read_yes_no,
    tidy,
)
from hotspots.measures.file_kinds import FileKind
from hotspots.measures.incidents import CellsSeen, CleanedIncidents, Reasons, read_editions
from hotspots.measures.mapping import ColumnMapping, columns_of, require, same_word, ward_words

TABLE_PROBLEMS = (
    "indicator_missing",
    "denominator_negative",
    "hotspot_missing",
    "criterion_missing",
    "day_needed",
    "met_not_read",
    "year_not_read",
    "ward_missing",
    "edition_not_read",
    "cell_given_twice",
    "total_row",
)
"""The reasons given here beside those of `hotspots.measures.cells`."""

_ISO_DAY = len("2025-10-20")


def clean_indicators(
    raw: pd.DataFrame,
    *,
    today: date,
    mapping: ColumnMapping | None = None,
    seen: CellsSeen | None = None,
) -> CleanedIncidents:
    """Split raw values of indicators by reporting period.

    Parameters
    ----------
    raw : DataFrame
        Text; the index is the row's number in the file.
    today : date
        A period that begins later is refused.
    mapping : ColumnMapping, optional
    seen : CellsSeen, optional
        The same for every piece of a file that comes in pieces.

    Returns
    -------
    CleanedIncidents
        `accepted` has `row`, `period` (2025-10, 2025-Q1, 2025-H1 or 2025), `indicator` (name or
        code as given), `value` (float; "92,5%" is 0.925), `denominator` (float, NaN where none is
        given), `ward` (code, "" for the whole city), `edition` (see `clean_incidents`), `note`.
        One indicator given twice for a period and ward is rejected the second time.

    Examples
    --------
    >>> raw = pd.DataFrame(
    ...     {"Kỳ": ["Quý I/2025", "Q9/2025"], "Chỉ tiêu": ["Án khám phá"] * 2, "Giá trị": ["92,5"] * 2},
    ...     index=[1, 2],
    ... )
    >>> cleaned = clean_indicators(raw, today=date(2026, 1, 5))
    >>> cleaned.accepted[["row", "period", "value"]].to_dict("records")
    [{'row': 1, 'period': '2025-Q1', 'value': 92.5}]
    >>> list(cleaned.rejected["reason"])
    ['period_not_read']
    """  # noqa: E501 - a table of an example on one line
    mapping = mapping or ColumnMapping()
    column_of = columns_of(FileKind.INDICATORS, raw.columns, mapping)
    require(FileKind.INDICATORS, raw, column_of, mapping)
    reasons = Reasons(raw, column_of, ("period", "ward"))
    table = pd.DataFrame({"row": raw.index.to_numpy()})
    periods = _column(raw, column_of, "period")
    table["period"], problems = read_periods(periods, today=today)
    reasons.add_all(problems, periods)
    table["indicator"] = _column(raw, column_of, "indicator")
    reasons.add(table["indicator"].eq(""), "indicator_missing", table["indicator"])
    table["value"] = _numbers(raw, column_of, "value", mapping, reasons)
    table["denominator"] = _denominators(raw, column_of, mapping, reasons)
    _add_wards(table, raw, column_of, mapping, reasons)
    table["note"] = _column(raw, column_of, "note")
    named = table["indicator"].map(same_word)
    _refuse_again(table, ["period", "ward", "edition"], named, reasons, seen)
    return CleanedIncidents(*reasons.split(table))


def clean_scorecards(
    raw: pd.DataFrame,
    *,
    today: date,
    mapping: ColumnMapping | None = None,
    seen: CellsSeen | None = None,
) -> CleanedIncidents:
    """Split raw lines of scorecards: what a hotspot was found to be under a criterion on a day.

    Returns
    -------
    CleanedIncidents
        `accepted` has `row`, `hotspot`, `criterion` (as given), `on` (ISO day), `value` (float; 1
        for yes and 0 for no), `yes_no` (bool: the cell said yes or no), `met` ("yes", "no", or ""
        where the file does not say: whether "Có" is good depends on the criterion), `note`. A
        criterion given twice for a hotspot and day is rejected the second time.

    Examples
    --------
    >>> raw = pd.DataFrame(
    ...     {"Mã địa bàn": ["A", "A"], "Tiêu chí": ["Khám phá", "Tự quản"],
    ...      "Ngày": ["30/06/2025", "06/2025"], "Kết quả": ["82,5", "Có"], "Đạt": ["Đạt", ""]},
    ...     index=[1, 2],
    ... )
    >>> cleaned = clean_scorecards(raw, today=date(2026, 1, 5))
    >>> cleaned.accepted[["on", "value", "met"]].to_dict("records")
    [{'on': '2025-06-30', 'value': 82.5, 'met': 'yes'}]
    >>> list(cleaned.rejected["reason"])
    ['day_needed']
    """
    mapping = mapping or ColumnMapping()
    column_of = columns_of(FileKind.SCORECARDS, raw.columns, mapping)
    require(FileKind.SCORECARDS, raw, column_of, mapping)
    reasons = Reasons(raw, column_of, ("hotspot", "criterion"))
    table = pd.DataFrame({"row": raw.index.to_numpy()})
    for role in ("hotspot", "criterion"):
        table[role] = _column(raw, column_of, role)
        reasons.add(table[role].eq(""), f"{role}_missing", table[role])
    days = _column(raw, column_of, "on")
    table["on"], problems = read_dates(days, mapping.date_order, today=today)
    reasons.add_all(problems, days)
    reasons.add(table["on"].map(len).ne(_ISO_DAY), "day_needed", days)
    table["value"], table["yes_no"] = _values(raw, column_of, mapping, reasons)
    table["met"] = _met(raw, column_of, reasons)
    table["note"] = _column(raw, column_of, "note")
    criteria = table["criterion"].map(same_word)
    _refuse_again(table, ["hotspot", "on"], criteria, reasons, seen)
    return CleanedIncidents(*reasons.split(table))


def clean_populations(
    raw: pd.DataFrame,
    *,
    today: date,
    mapping: ColumnMapping | None = None,
    seen: CellsSeen | None = None,
) -> CleanedIncidents:
    """Split raw numbers of residents by ward.

    Returns
    -------
    CleanedIncidents
        `accepted` has `row`, `ward` (code), `on` (2025, 2025-07 or 2025-07-01: what the number is
        said to be of), `year` (int), `population` (int), `edition` (see `clean_incidents`). A ward
        given twice for one time is rejected the second time.

    Examples
    --------
    >>> raw = pd.DataFrame(
    ...     {"Mã xã": ["26743", "Tổng cộng"], "Năm": ["2025", "2025"], "Dân số": ["71.785", "1"]},
    ...     index=[1, 2],
    ... )
    >>> cleaned = clean_populations(raw, today=date(2026, 1, 5))
    >>> cleaned.accepted[["ward", "year", "population"]].to_dict("records")
    [{'ward': '26743', 'year': 2025, 'population': 71785}]
    >>> list(cleaned.rejected["reason"])
    ['total_row']
    """
    mapping = mapping or ColumnMapping()
    column_of = columns_of(FileKind.POPULATIONS, raw.columns, mapping)
    require(FileKind.POPULATIONS, raw, column_of, mapping)
    reasons = Reasons(raw, column_of, ("ward", "year"))
    table = pd.DataFrame({"row": raw.index.to_numpy()})
    _add_wards(table, raw, column_of, mapping, reasons)
    reasons.add(table["ward"].eq(""), "ward_missing", table["ward"])
    table["on"] = _years_or_days(raw, column_of, mapping, reasons, today)
    table["year"] = pd.to_numeric(table["on"].str[:4].replace("", "0")).astype(np.int64)
    people = _column(raw, column_of, "population")
    style = mapping.numbers.get("population", "")
    table["population"], problems = read_counts(people, style, most=MOST_PEOPLE)
    reasons.add_all(problems, people)
    _refuse_again(table, ["on", "edition"], table["ward"], reasons, seen)
    table = table[["row", "ward", "on", "year", "population", "edition"]]
    return CleanedIncidents(*reasons.split(table))


def _column(raw: pd.DataFrame, column_of: Mapping[str, str], role: str) -> pd.Series:
    """Return a role's column as text, "" where the file has none."""
    if role in column_of:
        return as_text(raw[column_of[role]])
    return pd.Series("", index=range(len(raw)), dtype=object)


def _numbers(
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    role: str,
    mapping: ColumnMapping,
    reasons: Reasons,
) -> pd.Series:
    given = _column(raw, column_of, role)
    values, problems = read_numbers(given, mapping.numbers.get(role, ""), percent=True)
    reasons.add_all(problems, given)
    return values


def _denominators(
    raw: pd.DataFrame, column_of: Mapping[str, str], mapping: ColumnMapping, reasons: Reasons
) -> pd.Series:
    given = _column(raw, column_of, "denominator")
    values, problems = read_numbers(given, mapping.numbers.get("denominator", ""))
    reasons.add_all(problems.where(given.map(tidy).ne(""), ""), given)
    reasons.add(values.lt(0), "denominator_negative", given)
    return values


def _values(
    raw: pd.DataFrame, column_of: Mapping[str, str], mapping: ColumnMapping, reasons: Reasons
) -> tuple[pd.Series, pd.Series]:
    """Return what each line of a scorecard says as a number, and whether it said yes or no."""
    given = _column(raw, column_of, "value")
    answers = once_per_value(given, read_yes_no)
    said = answers.notna()
    numbers, problems = read_numbers(
        given.where(~said, ""), mapping.numbers.get("value", ""), percent=True
    )
    reasons.add_all(problems.where(~said, ""), given)
    return numbers.where(~said, answers.eq(True).astype(float)), said


def _met(raw: pd.DataFrame, column_of: Mapping[str, str], reasons: Reasons) -> pd.Series:
    given = _column(raw, column_of, "met")
    answers = once_per_value(given, read_yes_no)
    reasons.add(answers.isna() & given.ne(""), "met_not_read", given)
    return answers.map({True: "yes", False: "no"}).astype(object).fillna("")


def _add_wards(
    table: pd.DataFrame,
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    mapping: ColumnMapping,
    reasons: Reasons,
) -> None:
    """Add the ward codes, by the mapping where it knows a word, and their boundary edition."""
    words = ward_words(mapping)
    given = _column(raw, column_of, "ward")
    table["ward"] = once_per_value(given, lambda text: words.get(same_word(tidy(text)), text))
    stated = _column(raw, column_of, "edition")
    days = read_editions(stated, mapping)
    reasons.add(stated.ne("") & days.eq(""), "edition_not_read", stated)
    unsaid = stated.eq("") & table["ward"].ne("")
    table["edition"] = days.mask(unsaid, mapping.edition)


def _years_or_days(
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    mapping: ColumnMapping,
    reasons: Reasons,
    today: date,
) -> pd.Series:
    """Return the years as they are and days in ISO form."""
    given = _column(raw, column_of, "year")
    years, year_problems = read_periods(given, today=today)
    is_year = years.map(len).eq(len("2025")) | year_problems.isin(
        ["period_out_of_range", "period_in_future"]
    )
    days, day_problems = read_dates(given, mapping.date_order, today=today)
    day_problems = day_problems.replace("date_not_read", "year_not_read")
    reasons.add_all(year_problems.where(is_year, day_problems), given)
    return years.where(is_year, days)


def _refuse_again(
    table: pd.DataFrame,
    parts: list[str],
    named: pd.Series,
    reasons: Reasons,
    seen: CellsSeen | None,
) -> None:
    """Refuse rows that speak of what an earlier row of the file has spoken of."""
    cells = named.astype(object)
    for part in parts:
        cells = cells + " · " + table[part]
    again = (seen or CellsSeen()).again(cells, reasons.none)
    reasons.add(again, "cell_given_twice", cells)
