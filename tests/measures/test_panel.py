"""The complete ward x month x category panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspots.measures.panel import (
    FULL_PANEL_COLUMNS,
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


MONTHS = ["2025-08", "2025-10", "2025-11"]
CARRIED = st.lists(
    st.tuples(
        st.sampled_from(WARDS[:2]),
        st.sampled_from(MONTHS),
        st.sampled_from(CATEGORIES),
        st.floats(0, 1000),
        st.floats(0, 1),
    ),
    max_size=30,
)
UNKNOWN = st.sets(st.tuples(st.sampled_from([*WARDS, "99999"]), st.sampled_from(MONTHS)))


def carried(rows: list[tuple[str, str, str, float, float]]) -> pd.DataFrame:
    """Counts as a crosswalk gives them: fractional, a share of each estimated."""
    counts = pd.DataFrame(rows, columns=[*PANEL_COLUMNS, "estimated"]).astype(
        {"ward": object, "month": object, "category": object, "count": float, "estimated": float}
    )
    return counts.assign(estimated=counts["estimated"] * counts["count"])


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


@given(CARRIED, UNKNOWN)
def test_carried_counts_keep_their_totals_known_or_not(
    rows: list[tuple[str, str, str, float, float]], unknown: set[tuple[str, str]]
) -> None:
    counts = carried(rows)
    panel = complete_panel(counts, WARDS, CATEGORIES, unknown)
    assert list(panel.columns) == FULL_PANEL_COLUMNS
    assert [str(panel[name].dtype) for name in FULL_PANEL_COLUMNS[3:]] == [
        "float64",
        "float64",
        "bool",
    ]
    assert panel["count"].sum() == pytest.approx(counts["count"].sum())
    assert panel["estimated"].sum() == pytest.approx(counts["estimated"].sum())
    pd.testing.assert_frame_equal(
        panel, panel.sort_values(PANEL_COLUMNS[:3], ignore_index=True), check_exact=True
    )
    cells = panel[["ward", "month"]].itertuples(index=False, name=None)
    assert panel["known"].to_list() == [cell not in unknown for cell in cells]


@given(CARRIED, UNKNOWN)
def test_the_index_is_missing_exactly_where_a_ward_is_unknown(
    rows: list[tuple[str, str, str, float, float]], unknown: set[tuple[str, str]]
) -> None:
    counts = carried([*rows, ("00001", "2025-08", "theft", 0.25, 1.0)])
    index = weighted_index(
        complete_panel(counts, WARDS, CATEGORIES, unknown), {"drugs": 3.0, "theft": 1.0}
    )
    whole = weighted_index(complete_panel(counts, WARDS, CATEGORIES), {"drugs": 3.0, "theft": 1.0})
    for month in index.index:
        for ward in WARDS:
            if (ward, str(month)) in unknown:
                assert np.isnan(index.loc[month, ward])
            else:
                assert index.loc[month, ward] == whole.loc[month, ward]


def test_counts_without_estimates_are_counted_whole() -> None:
    counts = count_incidents(table([("00001", "2025-10", "theft")]))
    assert complete_panel(counts, WARDS, CATEGORIES)["estimated"].eq(0.0).all()
    both = pd.concat([counts, carried([("00001", "2025-10", "theft", 0.5, 0.5)])])
    cell = complete_panel(both, WARDS, CATEGORIES).query("ward == '00001' and category == 'theft'")
    assert cell[["count", "estimated"]].to_numpy().tolist() == [[1.5, 0.25]]


def test_nothing_counted_is_an_empty_panel_with_its_columns() -> None:
    panel = complete_panel(count_incidents(table([])), WARDS, CATEGORIES, [("00001", "2025-10")])
    assert panel.empty
    assert list(panel.columns) == FULL_PANEL_COLUMNS


def test_unknown_months_and_wards_that_nobody_counted_are_ignored() -> None:
    counts = count_incidents(table([("00001", "2025-10", "theft")]))
    unknown = [("00001", "2025-09"), ("99999", "2025-10")]
    pd.testing.assert_frame_equal(
        complete_panel(counts, WARDS, CATEGORIES, unknown),
        complete_panel(counts, WARDS, CATEGORIES),
    )


@pytest.mark.parametrize(
    ("count", "estimated"),
    [(np.nan, 0.0), (-1.0, 0.0), (np.inf, 0.0), (1.0, 1.5), (1.0, -0.5)],
)
def test_a_count_that_cannot_be_summed_is_refused(count: float, estimated: float) -> None:
    counts = carried([("00001", "2025-10", "theft", 1.0, 0.0)])
    with pytest.raises(ValueError, match="1 counts are missing"):
        complete_panel(counts.assign(count=count, estimated=estimated), WARDS, CATEGORIES)


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


def test_a_month_that_nobody_knows_ends_the_run() -> None:
    wide = months_from("2025-07", "2025-08", "2025-09", "2025-10").astype(float).assign(b=1.0)
    wide.loc["2025-08"] = np.nan
    wide.loc["2025-09", "b"] = np.nan
    assert latest_run(wide, "2025-10").equals(wide.iloc[2:])
    wide.loc["2025-10"] = np.nan
    assert latest_run(wide, "2025-12").equals(wide.iloc[2:3])


def test_a_last_month_that_few_wards_know_is_left_out() -> None:
    wide = pd.DataFrame(
        3.0, index=pd.period_range("2025-01", periods=9, freq="M"), columns=range(9)
    )
    wide.iloc[-1, 4:] = np.nan
    assert without_partial_end(wide).equals(wide.iloc[:-1])
    wide.iloc[-1, 4] = 3.0
    assert without_partial_end(wide).equals(wide)


def test_wards_unknown_in_the_past_do_not_make_the_present_partial() -> None:
    wide = pd.DataFrame(
        3.0, index=pd.period_range("2025-01", periods=9, freq="M"), columns=range(9)
    )
    wide.iloc[:-1, 4:] = np.nan
    assert without_partial_end(wide).equals(wide)


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
