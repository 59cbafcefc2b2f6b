"""Raw rows are split into usable and unusable ones; nothing is guessed, nothing is lost."""

from __future__ import annotations

import itertools
import math
import unicodedata
from datetime import date
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import IntakeError
from hotspots.measures.file_kinds import FileKind
from hotspots.measures.incidents import (
    CellsSeen,
    CleanedIncidents,
    ColumnMapping,
    KeyMaker,
    clean_counts,
    clean_incidents,
    read_mapping,
)
from hotspots.programme.plan import Programme

TODAY = date(2026, 1, 5)


def points(**columns: list[Any]) -> pd.DataFrame:
    """Incidents as points, numbered from 1; what is not given is good."""
    rows = max((len(values) for values in columns.values()), default=1)
    good: dict[str, list[Any]] = {
        "lon": ["106.7"] * rows,
        "lat": ["10.7"] * rows,
        "date": ["2025-10-20"] * rows,
        "category": ["theft"] * rows,
    }
    return pd.DataFrame(good | columns, index=range(1, rows + 1))


def counts(**columns: list[Any]) -> pd.DataFrame:
    rows = max((len(values) for values in columns.values()), default=1)
    good: dict[str, list[Any]] = {
        "ward": [f"{number:05}" for number in range(1, rows + 1)],
        "month": ["2025-10"] * rows,
        "category": ["theft"] * rows,
        "count": ["3"] * rows,
    }
    return pd.DataFrame(good | columns, index=range(1, rows + 1))


@pytest.fixture
def clean(programme: Programme) -> Any:
    def clean_(raw: pd.DataFrame, mapping: ColumnMapping | None = None) -> CleanedIncidents:
        return clean_incidents(raw, programme, today=TODAY, mapping=mapping)

    return clean_


@pytest.fixture
def clean_monthly(programme: Programme) -> Any:
    def clean_(raw: pd.DataFrame, mapping: ColumnMapping | None = None) -> CleanedIncidents:
        return clean_counts(raw, programme, today=TODAY, mapping=mapping)

    return clean_


# -- dates


@pytest.mark.parametrize(
    ("given_", "day"),
    [
        ("03/04/2025", "2025-04-03"),
        ("2025-04-03", "2025-04-03"),
        ("3/4/2025", "2025-04-03"),
        ("2025-04-03T23:59:59", "2025-04-03"),
        ("2025-04-03 07:00", "2025-04-03"),
        (" 2025-04-03 ", "2025-04-03"),
        ("04/2025", "2025-04"),
        ("2025-04", "2025-04"),
        ("29/02/2024", "2024-02-29"),
        ("1990-01-01", "1990-01-01"),
        ("2026-01-05", "2026-01-05"),
        ("2026-01", "2026-01"),
    ],
)
def test_a_date_is_iso_or_vietnamese(clean: Any, given_: str, day: str) -> None:
    accepted = clean(points(date=[given_])).accepted
    assert list(accepted["day"]) == [day]
    assert list(accepted["month"]) == [day[:7]]


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ("31/02/2025", "date_not_read"),
        ("2025-02-29", "date_not_read"),
        ("04/31/2025", "date_not_read"),
        ("2025/04/03", "date_not_read"),
        ("03-04-2025", "date_not_read"),
        ("3.4.2025", "date_not_read"),
        ("03/04/25", "date_not_read"),
        ("45750", "date_not_read"),
        ("0000-01-01", "date_not_read"),
        ("2025-13", "date_not_read"),
        ("yesterday", "date_not_read"),
        ("", "date_not_read"),
        ("31/12/1989", "date_out_of_range"),
        ("1989-12", "date_out_of_range"),
        ("2026-01-06", "date_in_future"),
        ("02/2026", "date_in_future"),
    ],
)
def test_a_date_is_never_guessed(clean: Any, given_: str, reason: str) -> None:
    rejected = clean(points(date=[given_])).rejected
    assert rejected.to_dict("records") == [{"row": 1, "reason": reason, "value": given_}]


def test_days_of_a_parquet_file_are_read_as_days(clean: Any) -> None:
    raw = points(date=pd.to_datetime(["2025-10-20", None]).to_list())
    cleaned = clean(raw)
    assert list(cleaned.accepted["day"]) == ["2025-10-20"]
    assert list(cleaned.rejected["reason"]) == ["date_not_read"]


# -- categories


@pytest.mark.parametrize(
    "name",
    [
        "theft",
        "THEFT",
        "Trộm cắp tài sản",
        "trộm  cắp tài sản ",
        unicodedata.normalize("NFD", "Trộm cắp tài sản"),
        "Theft",
    ],
)
def test_a_category_is_known_by_code_and_by_both_names(clean: Any, name: str) -> None:
    assert list(clean(points(category=[name])).accepted["category"]) == ["theft"]


def test_a_category_of_another_name_is_known_by_the_mapping(
    clean: Any, programme: Programme
) -> None:
    text = '[columns]\ndate = "when"\n[categories]\n"Bicycle theft" = "theft"'
    raw = points(category=["bicycle THEFT", "Arson"]).rename(columns={"date": "When"})
    cleaned = clean(raw, read_mapping(text, programme))
    assert list(cleaned.accepted["category"]) == ["theft"]
    assert cleaned.rejected.to_dict("records") == [
        {"row": 2, "reason": "unknown_category", "value": "Arson"}
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("columns = ", "mapping_not_toml"),
        ("columns = 5", "mapping_not_toml"),
        ("categories = ['theft']", "mapping_not_toml"),
        ('[categories]\n"Arson" = "arson"', "mapping_invalid"),
        ('[columns]\ndistrict = "quan"', "mapping_invalid"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(
    programme: Programme, text: str, reason: str
) -> None:
    with pytest.raises(IntakeError) as refused:
        read_mapping(text, programme)
    assert refused.value.reason == reason


# -- places


@pytest.mark.parametrize(
    ("lon", "lat"),
    [("", "10.7"), ("106,7", "10.7"), ("inf", "10.7"), ("nan", "10.7"), ("east", "10.7")],
)
def test_a_coordinate_is_a_number(clean: Any, lon: str, lat: str) -> None:
    rejected = clean(points(lon=[lon], lat=[lat])).rejected
    assert list(rejected["reason"]) == ["not_a_coordinate"]
    assert rejected["value"][0] == f"{lon} {lat}"


def test_a_list_where_a_coordinate_should_be_is_refused(clean: Any) -> None:
    assert list(clean(points(lon=[[106.7], None])).rejected["reason"]) == ["not_a_coordinate"] * 2


def test_a_file_without_points_gives_the_ward(clean: Any) -> None:
    raw = points(category=["theft", "theft"]).drop(columns=["lon", "lat"])
    cleaned = clean(raw.assign(**{"Mã phường": ["00123", " "]}))
    assert list(cleaned.accepted["ward"]) == ["00123"]
    assert math.isnan(cleaned.accepted["lon"][0])
    assert list(cleaned.rejected["reason"]) == ["ward_missing"]


@pytest.mark.parametrize("column", ["date", "category", "lon"])
def test_a_missing_column_is_named_with_those_there(clean: Any, column: str) -> None:
    with pytest.raises(IntakeError) as refused:
        clean(points().drop(columns=column))
    assert refused.value.reason == "columns_missing"
    assert refused.value.facts["missing"] == ["ward" if column == "lon" else column]


# -- counts


@pytest.mark.parametrize(("given_", "count"), [("0", 0), (" 7 ", 7), ("5.0", 5), (12, 12)])
def test_a_count_is_a_whole_number(clean_monthly: Any, given_: object, count: int) -> None:
    assert list(clean_monthly(counts(count=[given_])).accepted["count"]) == [count]


# "12.000" is twelve thousand in Vietnamese and twelve in a program.
@pytest.mark.parametrize(
    "given_", ["-1", "2.5", "12.000", "1,000", "1e3", "1_0", "", "nan", "many", "9" * 30]
)
def test_what_is_no_whole_number_is_never_guessed(clean_monthly: Any, given_: str) -> None:
    assert list(clean_monthly(counts(count=[given_])).rejected["reason"]) == ["not_a_count"]


def test_a_cell_given_twice_is_refused_the_second_time(clean_monthly: Any) -> None:
    cleaned = clean_monthly(counts(ward=["1", "1", "2"], count=["3", "4", "5"]))
    assert list(cleaned.accepted["count"]) == [3, 5]
    assert cleaned.rejected.to_dict("records") == [
        {"row": 2, "reason": "cell_given_twice", "value": "1 2025-10 theft"}
    ]


def test_a_day_in_a_count_file_stands_for_its_month(clean_monthly: Any) -> None:
    accepted = clean_monthly(counts(month=["20/10/2025"])).accepted
    assert list(accepted["month"]) == ["2025-10"]
    assert list(accepted.columns) == ["row", "month", "category", "edition", "ward", "count"]


@pytest.mark.parametrize("make", [points, counts])
def test_a_file_of_a_header_only_gives_nothing_and_no_error(
    clean: Any, clean_monthly: Any, make: Any
) -> None:
    cleaned = (clean if make is points else clean_monthly)(make().iloc[:0])
    assert len(cleaned.accepted) == len(cleaned.rejected) == 0


# -- keys


def keys(cleaned: CleanedIncidents) -> list[int]:
    return cleaned.accepted["key"].tolist()


def test_equal_rows_of_a_file_are_incidents_of_their_own(clean: Any) -> None:
    assert len(set(keys(clean(points(date=["2025-10-20"] * 5))))) == 5


def test_the_same_rows_have_the_same_keys_in_any_order_and_writing(clean: Any) -> None:
    one = points(date=["2025-10-20", "2025-10-20", "2025-11-02"], lon=["106.7", "106.7", "106.8"])
    other = points(date=["2/11/2025", "20/10/2025", "2025-10-20"], lon=["106.80", "106.7", "106.7"])
    assert sorted(keys(clean(one))) == sorted(keys(clean(other)))


def test_the_same_name_in_another_encoding_has_the_same_key(clean: Any) -> None:
    name = "Trộm cắp tài sản"
    one = points(category=[unicodedata.normalize("NFC", name)])
    other = points(category=[unicodedata.normalize("NFD", name.upper())])
    assert keys(clean(one)) == keys(clean(other))


@pytest.mark.parametrize(
    "column",
    [{"lon": ["106.71"]}, {"lat": ["10.71"]}, {"date": ["2025-10"]}, {"category": ["drugs"]}],
)
def test_another_place_day_or_category_has_another_key(clean: Any, column: dict[str, Any]) -> None:
    assert keys(clean(points(**column))) != keys(clean(points()))


def test_another_mapping_of_the_categories_keeps_the_keys(clean: Any) -> None:
    raw = points(category=["Burglary", "Burglary", "theft"])
    one = clean(raw, ColumnMapping(categories={"Burglary": "theft"}))
    other = clean(raw, ColumnMapping(categories={"Burglary": "robbery"}))
    assert keys(one) == keys(other)
    assert list(one.accepted["category"]) != list(other.accepted["category"])


def test_rows_left_out_do_not_change_the_keys_of_the_others(clean: Any) -> None:
    one = points(date=["2025-10-20", "?", "2025-10-20"])
    assert keys(clean(one)) == keys(clean(points(date=["2025-10-20", "2025-10-20"])))


@given(
    rows=st.lists(st.sampled_from(["2025-10-20", "2025-10-21", "?"]), max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_the_keys_of_a_file_do_not_depend_on_the_pieces_it_comes_in(
    programme: Programme, rows: list[str], cuts: list[int]
) -> None:
    raw = points(date=rows).head(len(rows))
    whole = clean_incidents(raw, programme, today=TODAY)
    maker, borders = KeyMaker(), [0, *sorted(cuts), 20]
    pieces = [
        clean_incidents(raw.iloc[start:end], programme, today=TODAY, keys=maker)
        for start, end in itertools.pairwise(borders)
    ]
    assert [key for piece in pieces for key in keys(piece)] == keys(whole)


def test_a_key_stays_what_it_was_in_the_stores_that_there_are(clean: Any) -> None:
    """Numbers of version 0.1.0: with others a file imported then would be imported again."""
    assert keys(clean(points(date=["2025-10-20", "2025-10-20"]))) == [
        12402899501971492959,
        2086112281858470050,
    ]
    by_ward = points().drop(columns=["lon", "lat"]).assign(ward="26740")
    assert keys(clean(by_ward)) == [15357834765492170754]


# -- places by row


def test_a_row_without_coordinates_may_name_its_ward(clean: Any) -> None:
    raw = points(lon=["106.7", "", "", "106.7"], lat=["10.7", "", "", ""])
    cleaned = clean(raw.assign(ward=["26740", "26743", "", "26743"], edition="2025-07-01"))
    assert list(cleaned.accepted["row"]) == [1, 2]
    assert cleaned.accepted["ward"].isna().tolist() == [True, False]
    assert list(cleaned.accepted["edition"]) == ["", "2025-07-01"]
    assert list(cleaned.rejected["reason"]) == ["not_a_coordinate"] * 2


def test_the_mapping_says_which_ward_a_word_is(clean: Any) -> None:
    raw = points(date=["2025-10-20"] * 2).drop(columns=["lon", "lat"])
    mapping = ColumnMapping(wards={"P. Bến Thành": "26743"}, edition="2025-07-01")
    accepted = clean(raw.assign(ward=["p. bến  thành", "26740"]), mapping).accepted
    assert list(accepted["ward"]) == ["26743", "26740"]
    assert list(accepted["edition"]) == ["2025-07-01"] * 2


def test_the_edition_of_a_row_comes_before_that_of_the_file(clean_monthly: Any) -> None:
    raw = counts(ward=["1", "2"]).assign(edition=["01/01/2025", ""])
    accepted = clean_monthly(raw, ColumnMapping(edition="2025-07-01")).accepted
    assert list(accepted["edition"]) == ["2025-01-01", "2025-07-01"]


def test_the_edition_is_read_beside_days_in_numbers_of_excel(clean_monthly: Any) -> None:
    raw = counts(month=["45950"] * 3).assign(edition=["01/07/2025", "45839", "2025-07-01"])
    accepted = clean_monthly(raw, ColumnMapping(date_order="serial")).accepted
    assert list(accepted["edition"]) == ["2025-07-01"] * 3
    assert list(accepted["month"]) == ["2025-10"] * 3


# -- what the mapping says of the cells


@pytest.mark.parametrize(
    ("order", "cell", "day"),
    [
        ("mdy", "10/20/2025", "2025-10-20"),
        ("serial", "45950", "2025-10-20"),
        ("dmy", "20.10.2025 08:30", "2025-10-20"),
        ("ymd", "2025/10/20", "2025-10-20"),
    ],
)
def test_days_are_read_in_the_order_that_the_mapping_says(
    clean: Any, order: str, cell: str, day: str
) -> None:
    assert list(clean(points(date=[cell]), ColumnMapping(date_order=order)).accepted["day"]) == [
        day
    ]
    assert list(clean(points(date=[cell])).rejected["reason"]) == ["date_not_read"]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("-1", "count_negative"),
        ("2,5", "count_fractional"),
        ("", "count_missing"),
        ("2.000.000", "count_too_large"),
        ("nhiều", "not_a_count"),
    ],
)
def test_a_count_in_the_style_of_the_mapping_is_read_or_says_why_not(
    clean_monthly: Any, cell: str, reason: str
) -> None:
    cleaned = clean_monthly(counts(count=[cell, "12.000"]), ColumnMapping(numbers={"count": "vi"}))
    assert list(cleaned.accepted["count"]) == [12000]
    assert cleaned.rejected.to_dict("records") == [{"row": 1, "reason": reason, "value": cell}]


def test_a_mapping_for_another_kind_of_file_is_refused(clean: Any) -> None:
    with pytest.raises(IntakeError) as refused:
        clean(points(), ColumnMapping(kind=FileKind.COUNTS))
    assert refused.value.reason == "mapping_other_kind"


# -- sums and sources


def test_a_row_that_sums_up_others_is_reported_and_no_ward(clean_monthly: Any) -> None:
    raw = counts(ward=["26740", "Tổng cộng", ""]).assign(STT=["1", "", "Cộng"])
    cleaned = clean_monthly(raw)
    assert list(cleaned.accepted["row"]) == [1]
    assert cleaned.rejected.to_dict("records") == [
        {"row": 2, "reason": "total_row", "value": "Tổng cộng"},
        {"row": 3, "reason": "total_row", "value": "Cộng"},
    ]


def test_who_made_it_known_is_kept_where_the_file_says_so(clean: Any) -> None:
    raw = points(date=["2025-10-20"] * 3).assign(nguồn=["Người dân", "Công an phát hiện", ""])
    assert list(clean(raw).accepted["source"]) == ["citizen", "police", ""]
    assert "source" not in clean(points()).accepted


def test_a_source_not_known_is_refused_only_where_the_column_was_named(clean: Any) -> None:
    raw = points(date=["2025-10-20"] * 3).assign(source=["VKS", "báo chí", "người dân"])
    assert list(clean(raw).accepted["source"]) == ["", "", "citizen"]
    named = ColumnMapping({"source": "source"}, sources={"VKS": "police"})
    cleaned = clean(raw, named)
    assert list(cleaned.accepted["source"]) == ["police", "citizen"]
    assert cleaned.rejected.to_dict("records") == [
        {"row": 2, "reason": "unknown_source", "value": "báo chí"}
    ]
    nothing = ColumnMapping({"source": "source"}, sources={"VKS": "", "báo chí": ""})
    assert list(clean(raw, nothing).accepted["source"]) == ["", "", "citizen"]


def test_a_file_with_its_sources_filled_in_has_the_keys_that_it_had_without(clean: Any) -> None:
    plain = points(date=["2025-10-20", "2025-10-21"])
    with_source = clean(plain.assign(source=["", "police"]))
    assert list(keys(with_source)) == list(keys(clean(plain)))


def test_what_people_reported_and_what_police_found_are_two_cells(clean_monthly: Any) -> None:
    raw = counts(ward=["1"] * 3).assign(source=["Người dân", "Công an", "Công an"])
    cleaned = clean_monthly(raw)
    assert list(cleaned.accepted["source"]) == ["citizen", "police"]
    assert list(cleaned.rejected["reason"]) == ["cell_given_twice"]


def test_a_cell_given_again_in_a_later_piece_is_refused(programme: Programme) -> None:
    raw, seen = counts(ward=["1", "1"]), CellsSeen()
    pieces = [
        clean_counts(raw.iloc[at : at + 1], programme, today=TODAY, seen=seen) for at in range(2)
    ]
    assert [len(piece.accepted) for piece in pieces] == [1, 0]
    assert list(pieces[1].rejected["reason"]) == ["cell_given_twice"]


# -- what always holds

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
CELLS = st.one_of(
    TEXTS,
    st.none(),
    st.sampled_from(
        ["theft", "Ma túy", "2025-10-20", "03/04/2025", "2025-10", "106.7", "3", "00001"]
    ),
)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=12),
    monthly=st.booleans(),
    by_ward=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_accepted_and_rejected_are_all_rows_of_any_table_and_it_is_not_changed(
    programme: Programme, rows: list[tuple[Any, ...]], monthly: bool, by_ward: bool
) -> None:
    names = (
        ["ward", "month", "category", "count"] if monthly else ["lon", "lat", "date", "category"]
    )
    if by_ward and not monthly:
        names[:2] = ["ward", "other"]
    raw = pd.DataFrame(rows, columns=names, index=range(1, len(rows) + 1), dtype=object)
    before = raw.copy(deep=True)
    clean_ = clean_counts if monthly else clean_incidents
    cleaned = clean_(raw, programme, today=TODAY)
    numbers = [*cleaned.accepted["row"], *cleaned.rejected["row"]]
    assert sorted(numbers) == list(raw.index)
    assert (cleaned.rejected["reason"] != "").all()
    assert set(cleaned.accepted["category"]) <= set(programme.categories)
    pd.testing.assert_frame_equal(raw, before)
