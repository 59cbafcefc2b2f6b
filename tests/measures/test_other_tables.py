"""Indicators, scorecards and populations: every row is read as its file says or comes back."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import IntakeError
from hotspots.measures.cells import (
    COUNT_PROBLEMS,
    DATE_PROBLEMS,
    NUMBER_PROBLEMS,
    PERIOD_PROBLEMS,
)
from hotspots.measures.incidents import CellsSeen
from hotspots.measures.mapping import ColumnMapping
from hotspots.measures.other_tables import (
    TABLE_PROBLEMS,
    clean_indicators,
    clean_populations,
    clean_scorecards,
)

TODAY = date(2026, 1, 5)
PLAIN: dict[Any, dict[str, str]] = {
    clean_indicators: {"period": "2025-Q1", "indicator": "Án khám phá", "value": "92,5"},
    clean_scorecards: {
        "hotspot": "26743-2025",
        "criterion": "Tự quản",
        "on": "30/06/2025",
        "value": "82,5",
    },
    clean_populations: {"ward": "26743", "year": "2025", "population": "71.785"},
}


def rows(clean: Any, *changes: dict[str, str]) -> pd.DataFrame:
    """Plain rows with changes, numbered from 1."""
    table = [PLAIN[clean] | change for change in changes or ({},)]
    return pd.DataFrame(table, index=range(1, len(table) + 1), dtype=object).fillna("")


def rejected(clean: Any, **change: str) -> list[str]:
    return list(clean(rows(clean, change), today=TODAY).rejected["reason"])


def accepted(clean: Any, **change: str) -> dict[Any, Any]:
    (row,) = clean(rows(clean, change), today=TODAY).accepted.to_dict("records")
    return dict(row)


# -- indicators


def test_an_indicator_has_a_period_a_name_and_a_value() -> None:
    row = accepted(clean_indicators, period="6 tháng đầu năm 2025", denominator="1.234,5")
    assert (row["period"], row["indicator"], row["value"]) == ("2025-H1", "Án khám phá", 92.5)
    assert (row["denominator"], row["ward"], row["edition"]) == (1234.5, "", "")


def test_without_a_denominator_none_is_made_up() -> None:
    assert math.isnan(accepted(clean_indicators, denominator="")["denominator"])
    assert math.isnan(accepted(clean_indicators)["denominator"])


def test_a_percentage_of_a_csv_is_the_share_of_a_workbook() -> None:
    assert accepted(clean_indicators, value="92,5%")["value"] == pytest.approx(0.925)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"period": "Q5/2025"}, "period_not_read"),
        ({"period": "Q2/2026"}, "period_in_future"),
        ({"indicator": ""}, "indicator_missing"),
        ({"value": ""}, "number_missing"),
        ({"value": "nhiều"}, "value_not_a_number"),
        ({"value": "1.234"}, "number_ambiguous"),
        ({"value": "1e400"}, "value_not_a_number"),
        ({"denominator": "-3"}, "denominator_negative"),
        ({"denominator": "không rõ"}, "value_not_a_number"),
        ({"ward": "26743", "edition": "2025"}, "edition_not_read"),
        ({"ward": "Tổng cộng"}, "total_row"),
        ({"period": "", "STT": "Tổng số"}, "total_row"),
    ],
)
def test_a_row_of_an_indicator_that_cannot_be_used_comes_back(
    change: dict[str, str], reason: str
) -> None:
    assert rejected(clean_indicators, **change) == [reason]


def test_an_indicator_may_be_called_a_total() -> None:
    assert rejected(clean_indicators, indicator="Tổng số vụ") == []


def test_the_mapping_says_how_numbers_are_written() -> None:
    raw = rows(clean_indicators, {"value": "1.234"})
    for style, value in (("vi", 1234), ("en", 1.234)):
        mapping = ColumnMapping(numbers={"value": style})
        cleaned = clean_indicators(raw, today=TODAY, mapping=mapping)
        assert list(cleaned.accepted["value"]) == [value]


# -- scorecards


@pytest.mark.parametrize(
    ("value", "number", "yes_no"), [("Có", 1, True), ("Chưa đạt", 0, True), ("82,5", 82.5, False)]
)
def test_a_criterion_has_a_number_or_yes_or_no(value: str, number: float, yes_no: bool) -> None:
    row = accepted(clean_scorecards, value=value)
    assert (row["value"], row["yes_no"]) == (number, yes_no)


@pytest.mark.parametrize(("cell", "met"), [("Đạt", "yes"), ("Không đạt", "no"), ("", "")])
def test_whether_a_criterion_is_met_is_only_what_the_file_says(cell: str, met: str) -> None:
    assert accepted(clean_scorecards, value="Có", met=cell)["met"] == met


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hotspot": ""}, "hotspot_missing"),
        ({"criterion": ""}, "criterion_missing"),
        ({"on": "06/2025"}, "day_needed"),
        ({"on": "31/06/2025"}, "date_not_read"),
        ({"on": "06/01/2026"}, "date_in_future"),
        ({"value": ""}, "number_missing"),
        ({"value": "tốt"}, "value_not_a_number"),
        ({"met": "có lẽ"}, "met_not_read"),
        ({"hotspot": "Cộng"}, "total_row"),
    ],
)
def test_a_line_of_a_scorecard_that_cannot_be_used_comes_back(
    change: dict[str, str], reason: str
) -> None:
    assert rejected(clean_scorecards, **change) == [reason]


# -- populations


@pytest.mark.parametrize(
    ("year", "on"),
    [
        ("2025", "2025"),
        ("Năm 2025", "2025"),
        ("01/07/2025", "2025-07-01"),
        ("2025-07-01", "2025-07-01"),
        ("07/2025", "2025-07"),
    ],
)
def test_a_population_is_of_a_year_or_a_day(year: str, on: str) -> None:
    row = accepted(clean_populations, year=year)
    assert (row["on"], row["year"], row["population"]) == (on, 2025, 71785)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ward": ""}, "ward_missing"),
        ({"ward": "Tổng cộng"}, "total_row"),
        ({"year": "2027"}, "period_in_future"),
        ({"year": "1989"}, "period_out_of_range"),
        ({"year": "202"}, "year_not_read"),
        ({"year": "Quý 1/2025"}, "year_not_read"),
        ({"year": "06/01/2026"}, "date_in_future"),
        ({"population": ""}, "count_missing"),
        ({"population": "-1"}, "count_negative"),
        ({"population": "71,785.5"}, "count_fractional"),
        ({"population": "71.785 người"}, "not_a_count"),
        ({"population": "0905123456"}, "count_too_large"),
        ({"population": "12.000"}, "number_ambiguous"),
    ],
)
def test_a_row_of_a_population_that_cannot_be_used_comes_back(
    change: dict[str, str], reason: str
) -> None:
    assert rejected(clean_populations, **change) == [reason]


def test_the_mapping_says_which_ward_a_name_is_and_of_which_boundaries() -> None:
    raw = rows(clean_populations, {"ward": "P. Bến  Thành"}, {"ward": "26740"})
    mapping = ColumnMapping(wards={"p. bến thành": "26743"}, edition="2025-07-01")
    cleaned = clean_populations(raw, today=TODAY, mapping=mapping)
    assert list(cleaned.accepted["ward"]) == ["26743", "26740"]
    assert list(cleaned.accepted["edition"]) == ["2025-07-01"] * 2


# -- all of them


@pytest.mark.parametrize("clean", PLAIN)
def test_a_cell_given_twice_is_refused_the_second_time_also_in_another_piece(clean: Any) -> None:
    raw = rows(clean, {}, {})
    cleaned = clean(raw, today=TODAY)
    assert cleaned.rejected[["row", "reason"]].to_dict("records") == [
        {"row": 2, "reason": "cell_given_twice"}
    ]
    seen = CellsSeen()
    pieces = [clean(raw.iloc[at : at + 1], today=TODAY, seen=seen) for at in range(2)]
    assert [len(piece.accepted) for piece in pieces] == [1, 0]
    pd.testing.assert_frame_equal(pieces[1].rejected, cleaned.rejected)


@pytest.mark.parametrize("clean", PLAIN)
def test_a_needed_column_that_is_missing_is_named(clean: Any) -> None:
    for role in PLAIN[clean]:
        with pytest.raises(IntakeError) as refused:
            clean(rows(clean).drop(columns=role), today=TODAY)
        assert refused.value.facts["missing"] == [role]


@pytest.mark.parametrize("clean", PLAIN)
def test_a_file_of_a_header_only_gives_nothing_and_no_error_here(clean: Any) -> None:
    cleaned = clean(rows(clean).head(0), today=TODAY)
    assert len(cleaned.accepted) == len(cleaned.rejected) == 0


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=10),
    st.none(),
    st.sampled_from(["2025", "Q1/2025", "30/06/2025", "12,5", "1.234", "26743", "Có", "Tổng"]),
)


@pytest.mark.parametrize("clean", PLAIN)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_accepted_and_rejected_are_all_rows_and_the_table_is_not_changed(
    clean: Any, data: st.DataObject
) -> None:
    names = list(PLAIN[clean])
    table = data.draw(st.lists(st.tuples(*[CELLS] * len(names)), max_size=8))
    raw = pd.DataFrame(table, columns=names, index=range(1, len(table) + 1), dtype=object)
    before = raw.copy(deep=True)
    cleaned = clean(raw, today=TODAY)
    assert sorted([*cleaned.accepted["row"], *cleaned.rejected["row"]]) == list(raw.index)
    known = {*TABLE_PROBLEMS, *COUNT_PROBLEMS, *DATE_PROBLEMS, *NUMBER_PROBLEMS, *PERIOD_PROBLEMS}
    assert set(cleaned.rejected["reason"]) <= known
    pd.testing.assert_frame_equal(raw, before)
