"""One cell of an office's file is read in one way, or comes back with a reason."""

from __future__ import annotations

import math
from datetime import date

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hotspots.measures.cells import (
    CODE_PROBLEMS,
    COUNT_PROBLEMS,
    DATE_ORDERS,
    DATE_PROBLEMS,
    NUMBER_PROBLEMS,
    NUMBER_STYLES,
    PERIOD_PROBLEMS,
    Ambiguous,
    CodeHints,
    choose_order,
    choose_style,
    code_hint,
    date_orders,
    fold,
    is_total_row,
    name_key,
    number_styles,
    read_counts,
    read_dates,
    read_numbers,
    read_periods,
    read_yes_no,
    tidy,
)

TODAY = date(2026, 1, 5)
WARDS = {
    "26740": "Sài Gòn",
    "26743": "Phường Bến Thành",
    "00123": "Hòa Bình",
    "27001": "Tân Quy",
    "27002": "Tân Quý",
    "100000": "Thạnh An",
}
CELLS = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"[-+ '0-9.,/eE%:T]{1,12}", fullmatch=True),
    st.sampled_from(["1.234", "12,5", "03/04/2025", "2025-04-03", "45750", "Quý I/2025", ""]),
)


def column(*cells: str) -> pd.Series:
    return pd.Series(cells, dtype=object)


def number(cell: str, style: str = "vi") -> float:
    """One number, NaN where it is refused."""
    return float(read_numbers(column(cell), style)[0][0])


def count(cell: str, style: str = "vi") -> int | str:
    """One count, or the reason against it."""
    counts, problems = read_counts(column(cell), style)
    return problems[0] or int(counts[0])


def day(cell: str, order: str) -> str:
    """One day, or the reason against it."""
    days, problems = read_dates(column(cell), order, today=TODAY)
    return problems[0] or days[0]


# -- numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1234", 1234),
        ("1.234", 1234),
        ("1.234.567", 1234567),
        ("1.234.567,25", 1234567.25),
        ("12,5", 12.5),
        ("1 234", 1234),
        ("1\u00a0234", 1234),
        ("1\u202f234,5", 1234.5),
        ("-12,5", -12.5),
        ("\u2212 3", -3),
        ("+7", 7),
        ("'12", 12),
        ("\u200b12", 12),
        ("0,5", 0.5),
        ("007", 7),
    ],
)
def test_a_number_is_read_as_a_vietnamese_office_writes_it(cell: str, value: float) -> None:
    assert number(cell) == value


@pytest.mark.parametrize(
    ("cell", "value"), [("1,234.5", 1234.5), ("0.123", 0.123), ("106.7012", 106.7012), ("5.0", 5)]
)
def test_a_number_is_read_in_the_other_style_where_its_column_has_it(
    cell: str, value: float
) -> None:
    assert number(cell, "en") == value
    assert math.isnan(number(cell, "vi"))


@pytest.mark.parametrize(
    "cell",
    [
        "inf",
        "-Infinity",
        "nan",
        "1e400",
        "1E5",
        "1_000",
        "12.34",
        "1.23.456",
        "1.2345",
        "0.123",
        "12 34",
        "１２",
        "٣",
        "1/2",
        "0x1f",
        "--1",
        "12,5%",
        "3 vụ",
        "-",
        "9" * 60,
    ],
)
def test_what_is_no_number_of_the_style_is_refused(cell: str) -> None:
    assert math.isnan(number(cell))
    assert read_numbers(column(cell), "vi")[1][0] == "value_not_a_number"


def test_a_blank_number_and_a_huge_one_have_reasons_of_their_own() -> None:
    assert list(read_numbers(column("", " \u00a0", "9" * 20), "vi")[1]) == [
        "number_missing",
        "number_missing",
        "number_too_large",
    ]


def test_a_percentage_is_a_share_where_percentages_are_read() -> None:
    assert read_numbers(column("92,5%"), "vi", percent=True)[0][0] == pytest.approx(0.925)


@pytest.mark.parametrize(
    ("cells", "styles"),
    [
        (["1.234", "7"], ("vi", "en")),
        (["1.234", "12,5"], ("vi",)),
        (["1.234", "12.5"], ("en",)),
        (["1.234.567"], ("vi",)),
        (["1,234,567"], ("en",)),
        (["12", "7"], ("vi",)),
        (["một", "hai"], ("vi",)),
        (["1.234", "không rõ", "2.5"], ("en",)),
    ],
)
def test_the_other_cells_of_a_column_decide_what_a_point_means(
    cells: list[str], styles: tuple[str, ...]
) -> None:
    assert number_styles(column(*cells)) == styles


def test_a_column_that_can_be_read_in_two_ways_is_not_read_but_asked_about() -> None:
    assert choose_style(column("1.234", "7")) == Ambiguous(("vi", "en"), ("1.234",))
    values, problems = read_numbers(column("1.234", "7"))
    assert list(problems) == ["number_ambiguous", ""]
    assert values[1] == 7


def test_thousands_of_cases_are_no_fractions_of_a_case() -> None:
    assert choose_style(column("1.234", "7"), counts=True) == "vi"
    assert choose_style(column("1,234", "7"), counts=True) == "en"
    assert list(read_counts(column("1.234", "7"))[0]) == [1234, 7]


def test_twelve_thousand_cases_may_be_twelve_and_are_asked_about() -> None:
    asked = choose_style(column("12.000", "7"), counts=True)
    assert asked == Ambiguous(("vi", "en"), ("12.000",))
    assert choose_style(column("12.000", "1.234"), counts=True) == "vi"
    assert choose_style(column("12.000", "5.0"), counts=True) == "en"


# -- counts


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("0", 0),
        ("7", 7),
        ("1.234", 1234),
        ("7,0", 7),
        ("-3", "count_negative"),
        ("2,5", "count_fractional"),
        ("2.5", "count_fractional"),
        ("", "count_missing"),
        ("  ", "count_missing"),
        ("1.000.001", "count_too_large"),
        ("0905123456", "count_too_large"),
        ("079123456789", "count_too_large"),
        ("9" * 39, "count_too_large"),
        ("inf", "not_a_count"),
        ("1e3", "not_a_count"),
        ("nhiều", "not_a_count"),
        ("5%", "not_a_count"),
    ],
)
def test_a_count_is_a_whole_number_or_has_its_own_reason(cell: str, read: int | str) -> None:
    assert count(cell) == read


@given(st.integers(0, 1_000_000))
@settings(deadline=None)
def test_a_count_is_read_back_from_what_each_style_writes(value: int) -> None:
    assert count(f"{value:,}", "en") == value
    assert count(f"{value:,}".replace(",", "."), "vi") == value
    assert count(f"{value:,}".replace(",", " "), "vi") == value


# -- days


@pytest.mark.parametrize(
    ("cell", "order", "read"),
    [
        ("03/04/2025", "dmy", "2025-04-03"),
        ("03/04/2025", "mdy", "2025-03-04"),
        ("3-4-2025", "dmy", "2025-04-03"),
        ("3.4.2025", "dmy", "2025-04-03"),
        ("2025/04/03", "ymd", "2025-04-03"),
        ("20250403", "ymd", "2025-04-03"),
        ("45750", "serial", "2025-04-03"),
        ("45750.75", "serial", "2025-04-03"),
        ("32874", "serial", "1990-01-01"),
        ("20/10/2025 14:30", "dmy", "2025-10-20"),
        ("14:30 20/10/2025", "dmy", "2025-10-20"),
        ("14h30, ngày 20/10/2025", "dmy", "2025-10-20"),
        ("ngày 20 tháng 10 năm 2025", "dmy", "2025-10-20"),
        ("tháng 10 năm 2025", "dmy", "2025-10"),
        ("Tháng 10/2025", "serial", "2025-10"),
        ("T10/2025", "mdy", "2025-10"),
        ("10-2025", "dmy", "2025-10"),
        ("29/02/2024", "dmy", "2024-02-29"),
        ("\u200b20/10/2025\u00a0", "dmy", "2025-10-20"),
        ("31/02/2025", "dmy", "date_not_read"),
        ("29/02/2023", "dmy", "date_not_read"),
        ("10/20/2025", "dmy", "date_not_read"),
        ("20/10/2025", "mdy", "date_not_read"),
        ("20/10-2025", "dmy", "date_not_read"),
        ("03/04/25", "dmy", "date_not_read"),
        ("45750", "dmy", "date_not_read"),
        ("60", "serial", "date_not_read"),
        ("20/10/2025 và sau đó", "dmy", "date_not_read"),
        ("0", "serial", "date_not_read"),
        ("61", "serial", "date_out_of_range"),
        ("20/10/0202", "dmy", "date_out_of_range"),
        ("31/12/1989", "dmy", "date_out_of_range"),
        ("06/01/2026", "dmy", "date_in_future"),
        ("02/2026", "dmy", "date_in_future"),
        ("05/01/2026", "dmy", "2026-01-05"),
    ],
)
def test_a_day_is_read_in_the_order_of_its_column(cell: str, order: str, read: str) -> None:
    assert day(cell, order) == read


@pytest.mark.parametrize("order", ["", *DATE_ORDERS])
@given(st.dates(date(1990, 1, 1), TODAY))
@settings(deadline=None)
def test_iso_stays_iso_in_every_order(order: str, when: date) -> None:
    assert day(when.isoformat(), order) == when.isoformat()
    assert day(f"{when.isoformat()}T07:00:00", order) == when.isoformat()


@given(st.dates(date(1990, 1, 1), TODAY))
@settings(deadline=None)
def test_every_day_is_read_back_from_each_order(when: date) -> None:
    said = {
        "dmy": f"{when:%d/%m/%Y}",
        "mdy": f"{when:%m/%d/%Y}",
        "ymd": f"{when:%Y/%m/%d}",
        "serial": str((when - date(1899, 12, 30)).days),
    }
    for order, cell in said.items():
        assert day(cell, order) == when.isoformat()
        assert order in date_orders(column(cell))


@pytest.mark.parametrize(
    ("cells", "orders"),
    [
        (["03/04/2025", "04/05/2025"], ("dmy", "mdy")),
        (["03/04/2025", "13/04/2025"], ("dmy",)),
        (["03/04/2025", "04/13/2025"], ("mdy",)),
        (["2025-04-03", "10/2025", ""], ("ymd",)),
        (["2025-04-03", "13/04/2025"], ("dmy",)),
        (["45000", "45750.5"], ("serial",)),
        (["13/13/2025"], ()),
        (["03/04/2025", "45000"], ()),
        (["1", "12"], ()),
    ],
)
def test_the_orders_of_a_column_are_those_that_fit_every_cell(
    cells: list[str], orders: tuple[str, ...]
) -> None:
    assert date_orders(column(*cells)) == orders


def test_days_that_two_orders_fit_are_asked_about_only_where_they_differ() -> None:
    assert choose_order(column("03/04/2025")) == Ambiguous(("dmy", "mdy"), ("03/04/2025",))
    assert choose_order(column("04/04/2025")) == "dmy"


def test_a_few_bad_cells_do_not_hide_the_order_of_the_others() -> None:
    assert choose_order(column("13/04/2025", "14/04/2025", "không rõ")) == "dmy"
    assert choose_order(column("không rõ", "hôm qua", "13/04/2025")) == Ambiguous(
        (), ("không rõ", "hôm qua", "13/04/2025")
    )


def test_an_empty_column_has_no_order() -> None:
    assert choose_order(column("", " ")) == Ambiguous((), ())


# -- periods


@pytest.mark.parametrize(
    ("cell", "period"),
    [
        ("10/2025", "2025-10"),
        ("2025-10", "2025-10"),
        ("Tháng 10 năm 2025", "2025-10"),
        ("Q1/2025", "2025-Q1"),
        ("2025-Q1", "2025-Q1"),
        ("Quý IV năm 2025", "2025-Q4"),
        ("quý 3/2025", "2025-Q3"),
        ("H1/2025", "2025-H1"),
        ("2025-H2", "2025-H2"),
        ("6 tháng đầu năm 2025", "2025-H1"),
        ("6 tháng cuối năm 2025", "2025-H2"),
        ("Sáu tháng đầu 2025", "2025-H1"),
        ("2025", "2025"),
        ("Năm 2025", "2025"),
        ("Cả năm 2025", "2025"),
        ("Q1/2026", "2026-Q1"),
        ("2026", "2026"),
        ("Q2/2026", "period_in_future"),
        ("2027", "period_in_future"),
        ("1989", "period_out_of_range"),
        ("Q5/2025", "period_not_read"),
        ("9 tháng 2025", "period_not_read"),
        ("20/10/2025", "period_not_read"),
        ("13/2025", "period_not_read"),
        ("", "period_not_read"),
    ],
)
def test_a_reporting_period_has_one_spelling(cell: str, period: str) -> None:
    periods, problems = read_periods(column(cell), today=TODAY)
    assert (problems[0] or periods[0]) == period


# -- yes and no, totals, text


def test_only_words_for_yes_and_no_are_read_as_such() -> None:
    assert [read_yes_no(cell) for cell in ("Có", "ĐẠT", "không", "Chưa đạt", "1", "", "có lẽ")] == [
        True,
        True,
        False,
        False,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "Tổng cộng",
        "TỔNG CỘNG:",
        "Tổng số",
        "Tổng số vụ",
        "Tổng cộng (168 phường, xã)",
        "Cộng",
        "CỘNG",
        "Tổng",
        "Total",
        "Grand total",
        "Toàn thành phố",
        "II. Tổng hợp",
        "tong cong",
    ],
)
def test_a_row_that_sums_up_others_is_known_by_its_words(cell: str) -> None:
    assert is_total_row(["", cell, "12"])


@pytest.mark.parametrize(
    "cell",
    [
        "Phường Cộng Hòa",
        "Cộng Hiền",
        "Tống Trân",
        "26743",
        "",
        "Công an",
        "Tổng đài 113",
        "Tổng cục",
        "Toàn Thắng",
        "Totally",
        "Thống Nhất",
        "Summer",
    ],
)
def test_names_that_begin_like_a_total_are_none(cell: str) -> None:
    assert not is_total_row([cell, "12"])


def test_a_row_of_wards_of_the_city_holds_no_total() -> None:
    assert not is_total_row(WARDS.values())


@given(st.text(max_size=20))
@settings(deadline=None)
def test_folding_and_tidying_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assume(not tidy(text).startswith(("'", "\u2019")))  # each takes one apostrophe off
    assert tidy(tidy(text)) == tidy(text)


# -- codes


@pytest.mark.parametrize(
    ("given_", "reason", "code"),
    [
        ("26740.0", "code_with_decimals", "26740"),
        ("26740,00", "code_with_decimals", "26740"),
        ("1E5", "code_as_power", "100000"),
        ("2.6743E+4", "code_as_power", "26743"),
        ("1E99", "code_as_power", ""),
        ("123", "code_with_other_zeros", "00123"),
        ("026740", "code_with_other_zeros", "26740"),
        ("267 40", "code_with_blanks", "26740"),
        ("'26740", "code_with_blanks", "26740"),
        ("26740\u200b", "code_with_blanks", "26740"),
        ("2674O", "code_with_letters", "26740"),
        ("P. Bến Thành", "name_instead_of_code", "26743"),
        ("ben thanh", "name_instead_of_code", "26743"),
        ("Hoà Bình", "name_instead_of_code", "00123"),
        ("Tân Quý", "name_instead_of_code", "27002"),
        ("tan quy", "name_instead_of_code", "27001, 27002"),
        ("99999", "unknown_ward", ""),
        ("NA", "unknown_ward", ""),
        ("Null", "unknown_ward", ""),
        ("", "unknown_ward", ""),
    ],
)
def test_a_cell_that_is_no_ward_code_gets_a_hint_and_is_not_replaced(
    given_: str, reason: str, code: str
) -> None:
    assert code_hint(given_, WARDS) == (reason, {"code": code})


def test_wards_of_names_that_differ_in_accents_alone_are_both_hinted_at() -> None:
    assert CodeHints(WARDS).codes_of("Tân Quỳ") == ("27001", "27002")
    assert name_key("Xã Tân Quỳ") == name_key("P. Tân Quý")


# -- what always holds


@given(st.lists(CELLS, max_size=8), st.sampled_from(["", *NUMBER_STYLES]))
@settings(deadline=None)
def test_every_number_is_read_or_has_a_reason_never_both(cells: list[str], style: str) -> None:
    values, problems = read_numbers(column(*cells), style)
    assert set(problems) <= {"", *NUMBER_PROBLEMS}
    assert [math.isnan(value) for value in values] == [bool(problem) for problem in problems]
    assert not any(math.isinf(value) for value in values)
    counts, count_problems = read_counts(column(*cells), style)
    assert set(count_problems) <= {"", *COUNT_PROBLEMS}
    assert all(count >= 0 for count in counts)
    assert list(values.index) == list(counts.index) == list(range(len(cells)))


@given(st.lists(CELLS, max_size=8), st.sampled_from(["", *DATE_ORDERS]))
@settings(deadline=None)
def test_every_day_and_period_is_read_or_has_a_reason_never_both(
    cells: list[str], order: str
) -> None:
    for read, problems, known in (
        (*read_dates(column(*cells), order, today=TODAY), DATE_PROBLEMS),
        (*read_periods(column(*cells), today=TODAY), PERIOD_PROBLEMS),
    ):
        assert set(problems) <= {"", *known}
        assert [value == "" for value in read] == [problem != "" for problem in problems]
        assert all(value[:4] >= "1990" for value in read if value)


@given(CELLS)
@settings(deadline=None)
def test_a_hint_never_names_a_code_that_there_is_not(cell: str) -> None:
    reason, facts = code_hint(cell, WARDS)
    assert reason in CODE_PROBLEMS
    assert set(filter(None, facts["code"].split(", "))) <= set(WARDS)
