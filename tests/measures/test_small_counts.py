"""What is left out of a public table cannot be worked out from the rest of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from hotspots.measures.small_counts import Suppressed, Totals, suppress

TOTALS: tuple[Totals, ...] = ("rows", "columns", "both", "none")


def counts_table(rows: list[list[int]]) -> pd.DataFrame:
    wards = [f"ward {number}" for number in range(len(rows))]
    return pd.DataFrame(rows, index=wards, columns=[f"c{n}" for n in range(len(rows[0]))])


def tables(largest: int, rows: int, columns: int) -> st.SearchStrategy[list[list[int]]]:
    shapes = st.tuples(st.integers(1, rows), st.integers(1, columns))
    return shapes.flatmap(
        lambda shape: st.lists(
            st.lists(st.integers(0, largest), min_size=shape[1], max_size=shape[1]),
            min_size=shape[0],
            max_size=shape[0],
        )
    )


def shown(published: Suppressed, totals: Totals) -> tuple[Any, list[Any], list[Any]]:
    """Inner counts (NaN where left out), and the shown totals of rows and columns (or NaN)."""
    values = published.table.to_numpy(dtype=float, na_value=np.nan)
    rows = len(values) - (totals in ("columns", "both"))
    columns = values.shape[1] - (totals in ("rows", "both"))
    row_totals = list(values[:rows, -1]) if totals in ("rows", "both") else [np.nan] * rows
    column_totals = list(values[-1, :columns]) if totals in ("columns", "both") else []
    return values[:rows, :columns], row_totals, column_totals or [np.nan] * columns


def completions(published: Suppressed, totals: Totals, largest: int) -> Iterator[Any]:
    """Every table of counts that would be shown like this: what is left out is at least 1."""
    inner, row_totals, column_totals = shown(published, totals)
    grand = published.table.iloc[-1, -1] if totals == "both" else pd.NA
    choices = []
    for row, row_total in zip(inner, row_totals, strict=True):
        cells = [range(1, largest + 1) if np.isnan(cell) else [int(cell)] for cell in row]
        rows = (filled for filled in itertools.product(*cells))
        choices.append([r for r in rows if np.isnan(row_total) or sum(r) == row_total])
    for filled in itertools.product(*choices):
        sums = np.sum(filled, axis=0)
        if all(np.isnan(t) or t == s for t, s in zip(column_totals, sums, strict=True)) and (
            pd.isna(grand) or grand == sums.sum()
        ):
            yield np.array(filled)


def possible_values(published: Suppressed, totals: Totals, largest: int) -> dict[Any, set[int]]:
    """For everything left out, the values it takes in all completions, by enumeration."""
    left_out = np.argwhere(published.why.isin(["primary", "complementary"]).to_numpy())
    values: dict[Any, set[int]] = {tuple(cell): set() for cell in left_out.tolist()}
    for filled in completions(published, totals, largest):
        extended = filled
        if totals in ("rows", "both"):
            extended = np.hstack([extended, extended.sum(axis=1, keepdims=True)])
        if totals in ("columns", "both"):
            extended = np.vstack([extended, extended.sum(axis=0, keepdims=True)])
        for cell, seen in values.items():
            seen.add(int(extended[cell]))
    return values


def bounds(published: Suppressed, totals: Totals) -> dict[Any, tuple[float, float]]:
    """Least and largest value of everything left out, by linear programming.

    Independent of the product: one unknown a count left out, one equation a total shown.
    """
    inner, row_totals, column_totals = shown(published, totals)
    unknown = {cell: n for n, cell in enumerate(map(tuple, np.argwhere(np.isnan(inner)).tolist()))}
    known = np.nan_to_num(inner)
    if not unknown:
        unknown = {(-1, -1): 0}

    def row_of(cells: list[tuple[int, int]]) -> tuple[Any, float]:
        weights = np.zeros(len(unknown))
        for cell in cells:
            if cell in unknown:
                weights[unknown[cell]] = 1
        return weights, sum(known[cell] for cell in cells)

    height, width = inner.shape
    lines = [([(r, c) for c in range(width)], row_totals[r], (r, width)) for r in range(height)]
    lines += [
        ([(r, c) for r in range(height)], column_totals[c], (height, c)) for c in range(width)
    ]
    everything = [(r, c) for r in range(height) for c in range(width)]
    grand = published.table.iloc[-1, -1] if totals == "both" else pd.NA
    lines.append((everything, np.nan if pd.isna(grand) else float(grand), (height, width)))
    equations = [(row_of(cells), total) for cells, total, _ in lines if not np.isnan(total)]
    found = {}
    for cell in map(tuple, np.argwhere(published.table.isna().to_numpy()).tolist()):
        cells = next((cells for cells, _, where in lines if where == cell), [cell])
        weights, base = row_of(cells)
        ends = []
        for sense in (1, -1):
            solved = linprog(
                sense * weights,
                A_eq=np.array([row for (row, _), _ in equations]) if equations else None,
                b_eq=[total - fixed for (_, fixed), total in equations] if equations else None,
                bounds=(1, None),
            )
            assert solved.status in (0, 3), solved.message
            ends.append(base + sense * solved.fun if solved.status == 0 else np.inf)
        found[cell] = (round(ends[0], 6), round(ends[1], 6))
    return found


def assert_safe(published: Suppressed, totals: Totals, least: int, inner: tuple[int, int]) -> None:
    for (row, column), (low, high) in bounds(published, totals).items():
        why = published.why.iloc[row, column]
        if why == "primary" and row < inner[0] and column < inner[1]:
            assert low <= 1, (row, column)
            assert high >= least - 1, (row, column)
        if why == "primary":
            assert high >= least - 1, (row, column)
        if least > 2 or why == "complementary" or totals != "none":
            assert high > low, (row, column)


@given(rows=tables(3, 3, 3) | tables(5, 3, 2), totals=st.sampled_from(TOTALS))
@example(rows=[[1, 2], [2, 1]], totals="both")
@example(rows=[[3, 0, 0]], totals="both")
@example(rows=[[1], [1], [1]], totals="columns")
@example(rows=[[2, 5]], totals="rows")
@settings(max_examples=60, deadline=None)
def test_by_enumeration_every_small_count_could_be_any_small_count(
    rows: list[list[int]], totals: Totals
) -> None:
    table = counts_table(rows)
    published = suppress(table, least=3, totals=totals)
    largest = 5 if table.size > 6 else 8  # two more than any count given
    for (row, column), values in possible_values(published, totals, largest).items():
        inside = row < table.shape[0] and column < table.shape[1]
        if published.why.iloc[row, column] == "primary" and inside:
            assert {1, 2} <= values
        assert len(values) > 1


@given(rows=tables(12, 6, 5), totals=st.sampled_from(TOTALS), least=st.integers(1, 8))
@settings(max_examples=80, deadline=None)
def test_by_linear_programming_every_small_count_could_be_any_small_count(
    rows: list[list[int]], totals: Totals, least: int
) -> None:
    table = counts_table(rows)
    assert_safe(suppress(table, least=least, totals=totals), totals, least, table.shape)


@pytest.mark.parametrize("seed", range(3))
def test_a_city_of_sparse_counts_is_safe_and_keeps_its_large_totals(seed: int) -> None:
    random = np.random.default_rng(seed)
    table = counts_table(
        random.poisson(random.gamma(1, 6, size=(24, 1)) * np.ones((24, 5))).tolist()
    )
    published = suppress(table)
    assert_safe(published, "both", 5, table.shape)
    assert published.table.iloc[-1].notna().all()


def test_what_is_shown_is_true_and_every_small_count_is_left_out() -> None:
    table = counts_table([[0, 3, 40], [12, 0, 5], [7, 8, 4]])
    published = suppress(table)
    inner = published.table.iloc[:3, :3]
    assert inner.where(inner.notna(), table).astype(int).equals(table)
    assert published.table.iloc[:3, 3].dropna().to_dict() == {
        "ward 0": 43,
        "ward 1": 17,
        "ward 2": 19,
    }
    assert published.table.iloc[3].tolist() == [19, 11, 49, 79]
    assert (published.why.iloc[0, 1], published.why.iloc[2, 2]) == ("primary", "primary")


@given(rows=tables(9, 5, 5), totals=st.sampled_from(TOTALS), least=st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_zeros_stay_small_counts_go_and_what_is_shown_is_unchanged(
    rows: list[list[int]], totals: Totals, least: int
) -> None:
    table = counts_table(rows)
    published = suppress(table, least=least, totals=totals)
    values = published.table.to_numpy(dtype=float, na_value=np.nan)
    true = table.to_numpy()
    if totals in ("rows", "both"):
        true = np.hstack([true, true.sum(axis=1, keepdims=True)])
    if totals in ("columns", "both"):
        true = np.vstack([true, true.sum(axis=0, keepdims=True)])
    assert (np.isnan(values) | (values == true)).all()
    assert (values[true == 0] == 0).all()
    assert np.isnan(values[(true > 0) & (true < least)]).all()
    assert (np.isnan(values) == published.why.isin(["primary", "complementary"])).all().all()


def test_without_totals_nothing_more_is_left_out() -> None:
    published = suppress(counts_table([[1, 9], [9, 9]]), totals="none")
    assert published.left_out == 1
    assert published.table.shape == (2, 2)


def test_a_table_without_small_counts_is_shown_whole() -> None:
    published = suppress(counts_table([[5, 0], [0, 12]]))
    assert published.left_out == 0
    assert published.table.to_numpy().tolist() == [[5, 0, 5], [0, 12, 12], [5, 12, 17]]


def test_a_single_small_count_takes_its_totals_along() -> None:
    published = suppress(counts_table([[3]]))
    assert published.table.isna().all().all()


def test_leaving_out_small_counts_alone_would_give_them_back() -> None:
    """The check of these tests sees it, so it could fail for the product too."""
    table = counts_table([[3, 20], [9, 8]])
    published = suppress(table)
    only_primary = pd.DataFrame([[None, 20, 23], [9, 8, 17], [12, 28, 40]], dtype="Int64")
    why = published.why.where(published.why == "primary", "")
    assert published.left_out == 4
    assert bounds(Suppressed(only_primary, why), "both") == {(0, 0): (3, 3)}
    assert possible_values(Suppressed(only_primary, why), "both", 40) == {(0, 0): {3}}


def test_an_unknown_count_stays_unknown_and_adds_nothing() -> None:
    table = pd.DataFrame({"a": [None, 20.0], "b": [7.0, 30.0]}, index=["x", "y"])
    published = suppress(table)
    assert published.why.loc["x", "a"] == "unknown"
    assert published.table.loc["x", "total"] == 7
    assert published.left_out == 0


def test_the_table_given_is_not_changed() -> None:
    table = counts_table([[1, 2], [3, 40]])
    before = table.copy()
    suppress(table)
    pd.testing.assert_frame_equal(table, before)


def test_a_table_without_rows_is_answered_with_its_totals() -> None:
    empty = pd.DataFrame({"a": pd.Series([], dtype=int)})
    assert suppress(empty).table.loc["total"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        ([[-1]], {}, "negative or broken"),
        ([[1.5]], {}, "negative or broken"),
        ([[1]], {"least": 0}, "must be 1 or more"),
        ([[1]], {"totals": "all"}, "allowed are rows"),
        ([[1]], {"total": "c0"}, "another name"),
    ],
)
def test_what_is_no_count_is_refused(
    table: list[list[Any]], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        suppress(counts_table(table), **options)
