"""What a later import replaces of the earlier ones."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspots.errors import StoreError
from hotspots.records.superseding import Scope, are_superseded, needed_columns, read_scope

MONTHS = ("2025-10", "2025-11", "2026-01")
CATEGORIES = ("theft", "drugs", "Gây rối, “ồn”")
WARDS = (("26734", "2025-07-01"), ("26734", "2025-01-01"), ("00001", "2025-07-01"))


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    def some(values: tuple[object, ...]) -> frozenset[object]:
        return frozenset(draw(st.sets(st.sampled_from(values), min_size=1)))

    wards = draw(st.none() | st.just(0))
    return Scope(
        some(MONTHS),  # type: ignore[arg-type]
        some(CATEGORIES),  # type: ignore[arg-type]
        None if wards is None else some(WARDS),  # type: ignore[arg-type]
        some(("incidents", "counts")),  # type: ignore[arg-type]
    )


def every_row() -> pd.DataFrame:
    rows = [
        (month, category, *ward)
        for month, category, ward in itertools.product(MONTHS, CATEGORIES, WARDS)
    ]
    return pd.DataFrame(rows, columns=["month", "category", "ward", "edition"], index=range(5, 32))


@given(scopes())
def test_a_scope_is_read_as_it_was_written(scope: Scope) -> None:
    assert read_scope(scope.text()) == scope


@given(st.lists(scopes(), max_size=3))
def test_a_row_is_superseded_if_one_scope_names_its_month_its_category_and_its_ward(
    several: list[Scope],
) -> None:
    rows = every_row()
    expected = [
        any(
            row.month in scope.months
            and row.category in scope.categories
            and (scope.wards is None or (row.ward, row.edition) in scope.wards)
            for scope in several
        )
        for row in rows.itertuples()
    ]
    assert are_superseded(rows, several).tolist() == expected
    assert are_superseded(rows[needed_columns(several)], several).tolist() == expected


@given(scopes())
def test_the_scope_of_the_rows_it_covers_is_the_scope(scope: Scope) -> None:
    covered = every_row()[scope.covers(every_row())]
    found = Scope.of(covered, kinds=scope.kinds, wards=scope.wards is not None)
    assert found == scope


def test_a_scope_knows_the_years_that_it_touches() -> None:
    scope = Scope(frozenset({"2025-12", "2027-01"}), frozenset({"theft"}))
    assert [year for year in range(2020, 2030) if scope.touches(year)] == [2025, 2027]


@pytest.mark.parametrize(
    "content",
    [
        {"months": frozenset[str]()},
        {"categories": frozenset[str]()},
        {"wards": frozenset[tuple[str, str]]()},
        {"kinds": frozenset[str]()},
        {"kinds": frozenset({"indicators"})},
        {"months": frozenset({"2025"})},
        {"months": frozenset({"2025-10", "2025-11\n"})},
    ],
)
def test_a_scope_that_replaces_nothing_or_what_has_no_month_is_none(
    content: dict[str, frozenset[str]],
) -> None:
    whole = {"months": frozenset({"2025-10"}), "categories": frozenset({"theft"})}
    with pytest.raises(ValueError, match=r"replace|months"):
        Scope(**(whole | content))  # type: ignore[arg-type]


SOUND = Scope(frozenset({"2025-10"}), frozenset({"theft"})).text()


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "{}",
        "[]",
        "null",
        "[" * 100_000,
        SOUND + " ",
        SOUND.replace("2025-10", "2025"),
        SOUND.replace("null", '[["26734"]]'),
        SOUND.replace("null", "5"),
        SOUND.replace('["2025-10"]', '["2025-10",{}]'),
        SOUND.replace('["incidents"]', '["scorecards"]'),
        SOUND.replace("}", ',"more":1}'),
    ],
)
def test_a_text_that_no_scope_has_is_refused(text: str) -> None:
    with pytest.raises(StoreError) as refused:
        read_scope(text)
    assert refused.value.reason == "batch_malformed"


def test_an_empty_text_says_that_nothing_is_replaced() -> None:
    assert read_scope("") is None
