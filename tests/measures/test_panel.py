"""The complete ward x month x category panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspots.measures.panel import (
    PANEL_COLUMNS,
    complete_panel,
    count_incidents,
    latest_run,
    weighted_index,
    without_partial_end,
)

WARDS = ["00001", "00002", "00003"]
CATEGORIES = ["drugs", "theft"]
PLACED = st.lists(
    st.tuples(
        st.sampled_from(WARDS[:2]),
        st.sampled_from(["2025-08", "2025-10", "2025-11"]),
        st.sampled_from(CATEGORIES),
    ),
    max_size=40,
)


def table(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=PANEL_COLUMNS[:3], dtype=object)


@given(PLACED)
def test_every_incident_is_counted_once(rows: list[tuple[str, str, str]]) -> None:
    counts = count_incidents(table(rows))
    assert counts["count"].sum() == len(rows)
    by_hand = {cell: rows.count(cell) for cell in sorted(set(rows))}
    found = {tuple(cell): count for *cell, count in counts.itertuples(index=False)}
    assert found == by_hand
    assert list(counts.columns) == PANEL_COLUMNS
    assert counts["count"].dtype == "int64"


@given(PLACED)
def test_the_panel_keeps_the_total_and_has_every_cell_of_a_known_month(
    rows: list[tuple[str, str, str]],
) -> None:
    panel = complete_panel(count_incidents(table(rows)), WARDS, CATEGORIES)
    months = sorted({month for _, month, _ in rows})
    assert panel["count"].sum() == len(rows)
    assert len(panel) == len(WARDS) * len(months) * len(CATEGORIES)
    assert not panel.duplicated(PANEL_COLUMNS[:3]).any()
    assert panel["count"].ge(0).all()


def test_a_ward_with_nothing_is_a_row_with_zero() -> None:
    panel = complete_panel(
        count_incidents(table([("00001", "2025-10", "theft")])), WARDS, CATEGORIES
    )
    assert panel[panel["ward"] == "00003"]["count"].tolist() == [0, 0]


def test_a_month_nobody_counted_is_not_invented() -> None:
    rows = [("00001", "2025-08", "theft"), ("00001", "2025-10", "theft")]
    panel = complete_panel(count_incidents(table(rows)), WARDS, CATEGORIES)
    assert sorted(panel["month"].unique()) == ["2025-08", "2025-10"]


def test_counts_of_the_same_cell_are_added_up() -> None:
    counts = count_incidents(table([("00001", "2025-10", "theft")]))
    panel = complete_panel(pd.concat([counts, counts]), WARDS, CATEGORIES)
    assert panel["count"].sum() == 2


@pytest.mark.parametrize("strange", [("99999", "2025-10", "theft"), ("00001", "2025-10", "arson")])
def test_a_strange_ward_or_category_is_not_dropped_silently(strange: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="not wards or categories"):
        complete_panel(count_incidents(table([strange])), WARDS, CATEGORIES)


def test_the_given_tables_are_not_changed() -> None:
    placed = table([("00001", "2025-10", "theft")])
    counts = count_incidents(placed)
    before = counts.copy()
    weighted_index(complete_panel(counts, WARDS, CATEGORIES), {"drugs": 3.0, "theft": 1.0})
    pd.testing.assert_frame_equal(counts, before)
    assert list(placed.columns) == PANEL_COLUMNS[:3]


def test_the_index_weighs_the_categories_together() -> None:
    rows = [("00001", "2025-10", "theft")] * 2 + [("00001", "2025-10", "drugs")]
    panel = complete_panel(count_incidents(table(rows)), WARDS, CATEGORIES)
    index = weighted_index(panel, {"drugs": 3.0, "theft": 1.0})
    assert index.loc["2025-10"].to_dict() == {"00001": 5.0, "00002": 0.0, "00003": 0.0}


def months_from(*months: str) -> pd.DataFrame:
    return pd.DataFrame({"00001": range(len(months))}, index=pd.PeriodIndex(list(months), freq="M"))


@pytest.mark.parametrize(
    ("known", "last", "run"),
    [
        (["2025-08", "2025-09", "2025-10"], "2025-10", ["2025-08", "2025-09", "2025-10"]),
        (["2025-08", "2025-09", "2025-10"], "2025-09", ["2025-08", "2025-09"]),
        (["2025-07", "2025-09", "2025-10"], "2025-12", ["2025-09", "2025-10"]),
        (["2024-12", "2025-01"], "2025-01", ["2024-12", "2025-01"]),
        (["2024-11", "2025-01"], "2025-01", ["2025-01"]),
        (["2025-10", "2025-09"], "2025-10", ["2025-09", "2025-10"]),
        (["2025-10"], "2025-09", []),
    ],
)
def test_the_latest_run_has_no_gap(known: list[str], last: str, run: list[str]) -> None:
    assert latest_run(months_from(*known), last).index.astype(str).to_list() == run


def test_a_month_that_one_ward_reported_is_not_a_fall_of_the_others() -> None:
    months = pd.period_range("2024-01", periods=24, freq="M")
    rng = np.random.default_rng(2)
    wide = pd.DataFrame(rng.poisson(4.0, (24, 30)).astype(float), index=months)
    whole = without_partial_end(wide)
    assert whole.equals(wide)
    partial = wide.copy()
    partial.iloc[-1, 1:] = 0.0
    assert without_partial_end(partial).equals(wide.iloc[:-1])


def test_a_few_quiet_wards_are_not_taken_for_a_missing_report() -> None:
    wide = pd.DataFrame(
        {ward: [3.0, 2.0, 0.0] for ward in "abcd"},
        index=pd.period_range("2025-01", periods=3, freq="M"),
    )
    assert without_partial_end(wide).equals(wide)
