"""What a file holds is guessed where it can be seen, asked where not, and kept as TOML."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import IntakeError
from hotspots.measures.cells import DATE_ORDERS, NUMBER_STYLES, fold
from hotspots.measures.file_kinds import FIELDS, SOURCES, CellType, FileKind, fields, template
from hotspots.measures.incidents import clean_counts, clean_incidents
from hotspots.measures.mapping import (
    KNOWN_NAMES,
    ColumnMapping,
    Guess,
    columns_of,
    guess,
    read_mapping,
    similar_category,
    to_toml,
)
from hotspots.measures.other_tables import (
    clean_indicators,
    clean_populations,
    clean_scorecards,
)
from hotspots.programme.plan import Programme

TODAY = date(2026, 1, 5)
WARDS = {"26740": "Sài Gòn", "26743": "Bến Thành", "27475": "Tân Hưng", "27001": "Tân Quy"}


@pytest.fixture
def guessed(programme: Programme) -> Any:
    def guessed_(table: pd.DataFrame, kind: FileKind | None = None) -> Guess:
        return guess(kind, table.columns, table, programme, WARDS)

    return guessed_


def counts(**columns: list[str]) -> pd.DataFrame:
    """A file of counts as an office writes it; what is not given is plain."""
    rows = max((len(cells) for cells in columns.values()), default=2)
    plain = {
        "Mã xã": ["26740"] * rows,
        "Tháng": [f"{month:02d}/2025" for month in range(1, rows + 1)],
        "Loại": ["Trộm cắp tài sản"] * rows,
        "Số vụ": ["3"] * rows,
    }
    return pd.DataFrame({**plain, **columns}, index=range(1, rows + 1), dtype=object)


def codes(found: Guess) -> list[str]:
    return [question.code for question in found.questions]


# -- templates


@pytest.mark.parametrize("kind", FileKind)
def test_a_template_is_guessed_to_be_what_it_is(guessed: Any, kind: FileKind) -> None:
    found = guessed(template(kind))
    assert found.kind == kind
    assert found.mapping.columns == {role: known.header for role, known in fields(kind).items()}
    assert found.questions == found.unused == found.unknown_sources == ()
    assert found.unknown_categories == found.unknown_wards == ()
    assert found.ready


@pytest.mark.parametrize("kind", FileKind)
def test_no_two_columns_of_a_kind_share_a_name(kind: FileKind) -> None:
    owner: dict[str, str] = {}
    for known in FIELDS[kind]:
        for name in known.known:
            assert owner.setdefault(fold(name), known.role) == known.role, name


@pytest.mark.parametrize("kind", FileKind)
def test_every_row_of_a_template_is_accepted(programme: Programme, kind: FileKind) -> None:
    table = template(kind, programme)
    mapping = guess(None, table.columns, table, programme, WARDS).mapping
    if kind in (FileKind.INCIDENTS, FileKind.COUNTS):
        clean = clean_incidents if kind is FileKind.INCIDENTS else clean_counts
        cleaned = clean(table, programme, today=TODAY, mapping=mapping)
    elif kind in (FileKind.INDICATORS, FileKind.SCORECARDS, FileKind.POPULATIONS):
        readers = {
            FileKind.INDICATORS: clean_indicators,
            FileKind.SCORECARDS: clean_scorecards,
            FileKind.POPULATIONS: clean_populations,
        }
        cleaned = readers[kind](table, today=TODAY, mapping=mapping)
    else:  # boundaries, crosswalks and events have readers of their own
        assert len(table) >= 2
        return
    assert cleaned.rejected.to_dict("records") == []
    assert len(cleaned.accepted) == len(table) >= 2


def test_the_template_of_a_programme_speaks_of_its_categories(programme: Programme) -> None:
    header = fields(FileKind.COUNTS)["category"].header
    labels = {category.label.vi for category in programme.categories.values()}
    assert set(template(FileKind.COUNTS, programme)[header]) <= labels


def test_a_note_beside_an_incident_is_not_kept(programme: Programme) -> None:
    table = template(FileKind.INCIDENTS)
    assert not fields(FileKind.INCIDENTS)["note"].kept
    cleaned = clean_incidents(table, programme, today=TODAY)
    assert "chỉ biết tháng" not in cleaned.accepted.to_string()


# -- columns


@pytest.mark.parametrize(
    "header", ["Mã xã", "MA_XA", "mã  phường/xã", "Mã phường (theo danh mục)", "Mã ĐVHC", "code"]
)
def test_a_header_is_known_with_other_accents_capitals_and_signs(guessed: Any, header: str) -> None:
    found = guessed(counts().rename(columns={"Mã xã": header}))
    assert found.mapping.columns["ward"] == header
    assert found.ready


def test_the_day_of_birth_is_not_taken_for_the_day(guessed: Any) -> None:
    table = counts().rename(columns={"Tháng": "Ngày sinh"})
    found = guessed(table.assign(**{"Ngày sinh": "không rõ"}))
    assert "Ngày sinh" not in found.mapping.columns.values()


def test_a_column_without_a_known_header_is_known_by_its_cells(guessed: Any) -> None:
    table = counts().set_axis(["cột 1", "cột 2", "cột 3", "Số vụ"], axis=1)
    found = guessed(table, FileKind.COUNTS)
    assert found.mapping.columns == {
        "ward": "cột 1",
        "month": "cột 2",
        "category": "cột 3",
        "count": "Số vụ",
    }


def test_coordinates_are_known_by_their_range(guessed: Any) -> None:
    table = pd.DataFrame(
        {"a": ["10.7713"], "b": ["106.6943"], "Ngày": ["20/10/2025"], "Loại": ["theft"]}
    )
    columns = guessed(table, FileKind.INCIDENTS).mapping.columns
    assert (columns["lon"], columns["lat"]) == ("b", "a")


def test_a_needed_column_that_is_not_found_is_asked_for(guessed: Any) -> None:
    found = guessed(counts().drop(columns="Số vụ"), FileKind.COUNTS)
    asked = {question.role: question for question in found.questions}
    assert asked["count"].code == "column_missing"
    assert not found.ready


def test_two_columns_that_fit_are_both_named(guessed: Any) -> None:
    found = guessed(counts().assign(**{"Mã phường": "26743"}))
    (question,) = found.questions
    assert (question.code, question.must) == ("column_choice", False)
    assert set(question.options) == {"Mã xã", "Mã phường"}
    assert question.offered == found.mapping.columns["ward"]


def test_columns_that_are_not_read_are_named(guessed: Any) -> None:
    found = guessed(counts().assign(**{"STT": "1", "Thủ đoạn": ""}))
    assert found.unused == ("STT", "Thủ đoạn")


def test_a_file_of_no_kind_is_asked_about(guessed: Any) -> None:
    found = guessed(pd.DataFrame({"a": ["x"], "b": ["y"]}))
    assert codes(found)[0] == "kind"
    assert not found.ready


def test_a_column_called_source_that_speaks_of_something_else_is_left(guessed: Any) -> None:
    found = guessed(counts(Nguồn=["trang tin", "báo cáo"]))
    assert "source" not in found.mapping.columns
    assert "Nguồn" in found.unused


# -- cells


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["13/04/2025", "03/04/2025"], "dmy"),
        (["04/13/2025", "03/04/2025"], "mdy"),
        (["2025-04-03", "2025-04-13"], ""),  # read without being told
        (["2025/04/03", "2025/04/13"], "ymd"),
        (["45750", "45751"], "serial"),
        (["04/2025", "05/2025"], ""),
    ],
)
def test_the_order_of_days_is_seen(guessed: Any, cells: list[str], order: str) -> None:
    found = guessed(counts(Tháng=cells))
    assert found.mapping.date_order == order
    assert found.ready


def test_an_order_of_days_that_cannot_be_seen_is_asked_about(guessed: Any) -> None:
    found = guessed(counts(Tháng=["03/04/2025", "04/05/2025"]))
    (question,) = found.questions
    assert question.code == "date_order"
    assert (question.options, question.offered) == (("dmy", "mdy"), "dmy")
    assert question.examples == ("03/04/2025", "04/05/2025")
    assert found.mapping.date_order == ""
    assert not found.ready


def test_days_that_excel_has_half_converted_are_pointed_out(guessed: Any) -> None:
    cells = ["2025-04-03", "2025-05-04", "2025-06-12", "13/04/2025", "14/04/2025", "30/04/2025"]
    found = guessed(counts(Tháng=cells))
    assert codes(found) == ["dates_half_converted"]
    plain = [*cells, "01/04/2025"]
    assert codes(guessed(counts(Tháng=plain))) == []


@pytest.mark.parametrize(
    ("cells", "style"), [(["1.234", "7"], "vi"), (["1,234", "7"], "en"), (["5.0", "7.0"], "en")]
)
def test_the_style_of_numbers_is_seen(guessed: Any, cells: list[str], style: str) -> None:
    assert guessed(counts(**{"Số vụ": cells})).mapping.numbers == {"count": style}


def test_a_style_of_numbers_that_cannot_be_seen_is_asked_about(guessed: Any) -> None:
    found = guessed(counts(**{"Số vụ": ["12.000", "7"]}))
    (question,) = found.questions
    assert (question.code, question.offered, question.examples) == (
        "number_style",
        "vi",
        ("12.000",),
    )
    assert "count" not in found.mapping.numbers


def test_coordinates_with_a_comma_are_read_as_such(guessed: Any, programme: Programme) -> None:
    table = template(FileKind.INCIDENTS).head(1).assign(**{"Kinh độ": "106,7", "Vĩ độ": "10,7"})
    found = guessed(table)
    accepted = clean_incidents(table, programme, today=TODAY, mapping=found.mapping).accepted
    assert accepted[["lon", "lat"]].to_numpy().tolist() == [[106.7, 10.7]]


def test_swapped_coordinates_are_asked_about(guessed: Any) -> None:
    table = template(FileKind.INCIDENTS).head(2)
    swapped = table.rename(columns={"Kinh độ": "Vĩ độ", "Vĩ độ": "Kinh độ"})
    assert codes(guessed(swapped)) == ["axes_swapped"]


def test_unknown_categories_are_counted_and_suggested_but_not_mapped(guessed: Any) -> None:
    words = ["Trộm cắp TS", "Trộm cắp TS", "Trộm cắp tài sản", "Xây dựng trái phép", "Tổng cộng"]
    found = guessed(counts(Loại=words))
    assert [(each.given, each.rows, each.suggestion) for each in found.unknown_categories] == [
        ("Trộm cắp TS", 2, "theft"),
        ("Xây dựng trái phép", 1, ""),
    ]
    assert found.mapping.categories == {}


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("Trộm cắp", "theft"),
        ("trom cap tai san", "theft"),
        ("Cướp giật", "robbery"),
        ("Cố ý gây thương tích", "homicide_assault"),
        ("Ma tuý", "drugs"),
        ("???", ""),
    ],
)
def test_a_category_is_suggested_by_what_its_name_has_in_common(
    programme: Programme, word: str, code: str
) -> None:
    assert similar_category(word, programme) == code


def test_unknown_sources_are_suggested(guessed: Any) -> None:
    found = guessed(counts(Nguồn=["Người dân", "Công an phường bắt", "Viện kiểm sát"]))
    assert {each.given: each.suggestion for each in found.unknown_sources} == {
        "Công an phường bắt": "police",
        "Viện kiểm sát": "",
    }


def test_names_in_the_column_of_codes_are_pointed_out_with_their_codes(guessed: Any) -> None:
    found = guessed(counts(**{"Mã xã": ["P. Bến Thành", "Tân Hưng"]}))
    assert codes(found) == ["names_for_codes"]
    assert {each.given: each.suggestion for each in found.unknown_wards} == {
        "P. Bến Thành": "26743",
        "Tân Hưng": "27475",
    }
    assert found.mapping.wards == {}


@pytest.mark.parametrize("kind", [None, *FileKind])
def test_an_empty_file_of_any_header_is_guessed_without_an_error(
    guessed: Any, kind: FileKind | None
) -> None:
    assert guessed(template(FileKind.COUNTS).head(0), kind).kind in FileKind


# -- using a mapping


def test_the_names_read_without_a_mapping_come_before_the_others() -> None:
    table = pd.DataFrame(columns=["Ngày", "date", "Phường", "code", "Loại"])
    assert columns_of(FileKind.INCIDENTS, table.columns) == {
        "ward": "code",
        "date": "date",
        "category": "Loại",
    }
    assert set(KNOWN_NAMES) <= set(fields(FileKind.INCIDENTS)) | set(fields(FileKind.COUNTS))


def test_a_complete_mapping_reads_no_column_that_it_does_not_name() -> None:
    headers = ["Mã xã", "Tháng", "Loại", "Số vụ", "Nguồn"]
    mapping = ColumnMapping({"ward": "Mã xã"}, kind=FileKind.COUNTS)
    assert columns_of(FileKind.COUNTS, headers, mapping) == {"ward": "Mã xã"}


def test_a_mapping_can_say_that_a_column_is_not_there() -> None:
    headers = ["ward", "month", "category", "count", "source"]
    assert "source" not in columns_of(FileKind.COUNTS, headers, ColumnMapping({"source": ""}))
    assert "source" in columns_of(FileKind.COUNTS, headers)


def test_a_mapping_of_another_kind_is_refused() -> None:
    with pytest.raises(IntakeError) as refused:
        columns_of(FileKind.COUNTS, ["a"], ColumnMapping(kind=FileKind.STATUS))
    assert refused.value.reason == "mapping_other_kind"


# -- TOML

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@st.composite
def mappings(draw: st.DrawFn) -> ColumnMapping:
    kind = draw(st.sampled_from([None, *FileKind]))
    roles = sorted(fields(kind or FileKind.COUNTS))
    reading = st.fixed_dictionaries(
        {},
        optional={
            "encoding": WORDS,
            "separator": WORDS,
            "sheet": WORDS,
            "header_row": st.integers(1, 99),
            "layer": WORDS,
            "crs": WORDS,
            "swap_axes": st.booleans(),
        },
    )
    return ColumnMapping(
        columns=draw(st.dictionaries(st.sampled_from(roles), WORDS)),
        categories=draw(st.dictionaries(WORDS, st.sampled_from(["theft", "drugs"]), max_size=3)),
        kind=kind,
        date_order=draw(st.sampled_from(["", *DATE_ORDERS])),
        sources=draw(st.dictionaries(WORDS, st.sampled_from(["", *SOURCES]), max_size=3)),
        numbers=draw(st.dictionaries(st.sampled_from(roles), st.sampled_from(NUMBER_STYLES))),
        edition=draw(st.sampled_from(["", "2025-07-01"])),
        wards=draw(st.dictionaries(WORDS, st.just("26743"), max_size=3)),
        reading=draw(reading),
    )


@given(mapping=mappings())
@settings(max_examples=150, deadline=None)
def test_a_mapping_is_read_back_as_it_was(programme: Programme, mapping: ColumnMapping) -> None:
    assert read_mapping(to_toml(mapping), programme) == mapping


@given(text=st.text(max_size=60))
@settings(deadline=None)
def test_any_text_is_a_mapping_or_refused(programme: Programme, text: str) -> None:
    try:
        mapping = read_mapping(text, programme)
    except IntakeError as refused:
        reason = refused.reason
        assert reason.startswith("mapping_")
    else:
        assert read_mapping(to_toml(mapping), programme) == mapping


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('kind = "cases"', "mapping_value_invalid"),
        ('date_order = "ydm"', "mapping_value_invalid"),
        ('edition = "07/2025"', "mapping_value_invalid"),
        ('edition = "20250701"', "mapping_value_invalid"),
        ('[sources]\n"Báo chí" = "press"', "mapping_value_invalid"),
        ('[numbers]\ncount = "de"', "mapping_value_invalid"),
        ('[numbers]\nprice = "vi"', "mapping_invalid"),
        ('kind = "counts"\n[columns]\nlon = "x"', "mapping_invalid"),
        ('[reading]\nprogram = "sh"', "mapping_value_invalid"),
        ("[reading]\nheader_row = true", "mapping_value_invalid"),
        ("reading = 3", "mapping_value_invalid"),
        ("wards = 3", "mapping_not_toml"),
        ("a = " + "[" * 5000, "mapping_not_toml"),
    ],
)
def test_a_mapping_with_a_value_that_is_not_allowed_is_refused(
    programme: Programme, text: str, reason: str
) -> None:
    with pytest.raises(IntakeError) as refused:
        read_mapping(text, programme)
    assert refused.value.reason == reason


# -- what always holds

TABLES = st.lists(
    st.sampled_from(["Mã xã", "Ngày", "Tháng", "Loại", "Số vụ", "x", "y", "Nguồn", "Năm", "Quý"]),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(headers=TABLES, data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_guess_names_columns_of_the_file_each_once(
    programme: Programme, headers: list[str], data: st.DataObject
) -> None:
    cells = st.one_of(WORDS, st.sampled_from(["26740", "03/04/2025", "1.234", "theft", "10,7"]))
    rows = data.draw(st.lists(st.tuples(*[cells] * len(headers)), max_size=5))
    table = pd.DataFrame(rows, columns=headers, dtype=object)
    found = guess(None, headers, table, programme, WARDS)
    used = list(found.mapping.columns.values())
    assert sorted(used + list(found.unused)) == sorted(headers)
    assert read_mapping(to_toml(found.mapping), programme) == found.mapping
    again = replace(found.mapping, kind=found.kind)
    assert columns_of(found.kind, headers, again) == found.mapping.columns


def test_every_type_of_cell_is_of_some_column() -> None:
    assert {known.type for kind in FileKind for known in FIELDS[kind]} == set(CellType)
