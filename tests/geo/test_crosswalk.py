"""Carrying counts across boundary changes: totals kept, doubts flagged, nothing spread silently."""

import math
from datetime import date
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from geo.crosswalk import (
    Crosswalk,
    area_weights,
    carry,
    carry_back,
    complete_backward,
    compose,
    goes_back,
    make_crosswalk,
    pairs_of,
    population_weights,
    read_pairs,
    route,
    write_pairs,
)
from geo.errors import GeoError
from geo.wards import read_wards

OLD, MIDDLE, NEW = "2021-01-01", "2025-01-01", "2025-07-01"
NAN = float("nan")


@st.composite
def _crosswalks(draw: st.DrawFn, start: str, end: str, olds: str, news: str) -> Crosswalk:
    """Any crosswalk: wards merged, split, redistributed, some divided without weights."""
    pairs = []
    for old in olds:
        targets = draw(st.lists(st.sampled_from(news), min_size=1, max_size=4, unique=True))
        shares = draw(st.lists(st.integers(1, 9), min_size=len(targets), max_size=len(targets)))
        known = len(targets) == 1 or draw(st.integers(0, 3)) > 0
        pairs += [
            (old, target, share / sum(shares) if known else NAN)
            for target, share in zip(targets, shares, strict=True)
        ]
    return make_crosswalk(start, end, pairs)


def _counts(olds: str) -> st.SearchStrategy[pd.DataFrame]:
    cells = st.tuples(st.sampled_from(olds + "?"), st.sampled_from(["01", "02"]))
    return st.dictionaries(cells, st.integers(0, 40), min_size=1, max_size=12).map(
        lambda found: pd.DataFrame(
            [(ward, f"2024-{month}", count) for (ward, month), count in found.items()],
            columns=["ward", "month", "count"],
        )
    )


def _cells(counts: pd.DataFrame, column: str = "count") -> dict[tuple[str, str], float]:
    return dict(zip(zip(counts["month"], counts["ward"], strict=True), counts[column], strict=True))


@settings(deadline=None)
@given(_crosswalks(MIDDLE, NEW, "ABCDE", "XYZW"), _counts("ABCDE"))
def test_what_is_carried_and_what_stays_behind_is_what_was_given(
    crosswalk: Crosswalk, counts: pd.DataFrame
) -> None:
    carried = carry(counts, crosswalk)
    for month in ("2024-01", "2024-02"):
        total = counts.loc[counts["month"].eq(month), "count"].sum()
        here = carried.counts.loc[carried.counts["month"].eq(month), "count"].sum()
        behind = carried.not_carried.loc[carried.not_carried["month"].eq(month), "count"].sum()
        assert here + behind == pytest.approx(total, abs=1e-9)
    assert (carried.counts["estimated"] <= carried.counts["count"] + 1e-9).all()
    assert carried.counts["estimated_share"].between(0, 1).all()
    unknown = {"?"} | set(crosswalk.cannot_be_carried())
    assert set(carried.not_carried["ward"]) == set(counts["ward"]) & unknown


@settings(deadline=None)
@given(_crosswalks(MIDDLE, NEW, "ABCDE", "XYZW"), _counts("ABCDE"))
def test_whole_numbers_stay_whole_and_keep_each_wards_total(
    crosswalk: Crosswalk, counts: pd.DataFrame
) -> None:
    carried = carry(counts, crosswalk, integers=True)
    exact = carry(counts, crosswalk)
    assert (carried.counts["count"] == carried.counts["count"].round()).all()
    total = carried.counts["count"].sum() + carried.not_carried["count"].sum()
    assert total == counts["count"].sum()
    # By the largest remainder no part is moved by a whole unit, so no sum by more than its parts.
    parts = crosswalk.pairs.groupby("new_code").size()
    for (month, ward), value in _cells(exact.counts).items():
        assert abs(_cells(carried.counts)[month, ward] - value) < parts[ward]


@settings(deadline=None)
@given(
    _crosswalks(OLD, MIDDLE, "ABCD", "MNOP"),
    _crosswalks(MIDDLE, NEW, "MNOP", "XYZ"),
    _counts("ABCD"),
)
def test_a_chain_carries_as_its_steps_do_and_estimates_no_more(
    first: Crosswalk, second: Crosswalk, counts: pd.DataFrame
) -> None:
    """It carries more only where the second change puts unknown parts together again."""
    step = carry(counts, first)
    by_steps = carry(step.counts.drop(columns="estimated_share"), second)
    at_once = carry(counts, compose(first, second))
    here, there = _cells(at_once.counts), _cells(by_steps.counts)
    assert all(here[cell] >= value - 1e-9 for cell, value in there.items())
    if not first.cannot_be_carried():
        assert here == pytest.approx(there, abs=1e-9)
    more = _cells(by_steps.counts, "estimated")
    for cell, value in _cells(at_once.counts, "estimated").items():
        assert value <= more.get(cell, 0) + 1e-9
    behind = step.not_carried["count"].sum() + by_steps.not_carried["count"].sum()
    assert at_once.not_carried["count"].sum() <= behind + 1e-9
    total = at_once.counts["count"].sum() + at_once.not_carried["count"].sum()
    assert total == pytest.approx(counts["count"].sum(), abs=1e-9)


@settings(deadline=None)
@given(_crosswalks(MIDDLE, NEW, "ABCDE", "XYZW"), _counts("XYZW"))
def test_backward_is_exact_or_refused(crosswalk: Crosswalk, counts: pd.DataFrame) -> None:
    counts = counts[counts["ward"].ne("?")]
    fine = counts["ward"].isin(goes_back(crosswalk))
    back = carry_back(counts[fine], crosswalk)
    assert back["count"].sum() == counts.loc[fine, "count"].sum()
    assert (back["estimated"] == 0).all()
    if not fine.all():
        with pytest.raises(GeoError) as refused:
            carry_back(counts, crosswalk)
        assert refused.value.reason == "backward_through_division"
        assert set(refused.value.facts["wards"]) == set(counts.loc[~fine, "ward"])


def test_the_relation_types_carry_as_fews_net_says() -> None:
    """Merge: forward. Split: backward. Redistribution: estimate only. Unchanged: both ways.

    FEWS NET, "Geographic Unit Relationships" (help.fews.net/fde/geographic-unit-relationships).
    """
    crosswalk = make_crosswalk(
        MIDDLE,
        NEW,
        [
            ("SAME", "same", 1),
            ("M1", "merged", 1), ("M2", "merged", 1),
            ("SPLIT", "s1", NAN), ("SPLIT", "s2", NAN),
            ("R", "merged", 0.3), ("R", "r", 0.7),
        ],
    )  # fmt: skip
    assert crosswalk.relations().to_dict() == {
        "SAME": "successor", "M1": "merge", "M2": "merge", "SPLIT": "split", "R": "redistribution",
    }  # fmt: skip
    forward = carry(pd.DataFrame({"ward": ["SAME", "M1", "M2"], "count": [1, 2, 3]}), crosswalk)
    assert forward.counts.set_index("ward")["estimated"].to_dict() == {"merged": 0, "same": 0}
    back = carry_back(pd.DataFrame({"ward": ["same", "s1", "s2"], "count": [1, 2, 3]}), crosswalk)
    assert back.set_index("ward")["count"].to_dict() == {"SAME": 1, "SPLIT": 5}
    assert set(complete_backward(crosswalk)) == {"SAME", "SPLIT"}
    estimate = carry(pd.DataFrame({"ward": ["R"], "count": [10]}), crosswalk)
    assert estimate.counts["estimated_share"].tolist() == [1, 1]
    with pytest.raises(GeoError, match="made of several"):
        carry_back(pd.DataFrame({"ward": ["merged"], "count": [1]}), crosswalk)


def test_a_divided_ward_without_weights_is_named_and_not_spread() -> None:
    crosswalk = make_crosswalk(MIDDLE, NEW, [("A", "X", NAN), ("A", "Y", NAN), ("B", "X", 1)])
    carried = carry(pd.DataFrame({"ward": ["A", "B"], "count": [8, 5]}), crosswalk)
    assert carried.counts[["ward", "count"]].values.tolist() == [["X", 5]]
    assert carried.not_carried.values.tolist() == [["A", 8, "no_weight"]]
    assert crosswalk.cannot_be_carried() == ("A",)
    assert crosswalk.incomplete({"A", "B"}) == ("X", "Y")


def test_a_ward_of_which_a_part_never_reported_is_incomplete() -> None:
    crosswalk = make_crosswalk(MIDDLE, NEW, [("A", "X", 1), ("B", "X", 1), ("C", "Y", 1)])
    assert crosswalk.incomplete({"A", "C"}) == ("X",)


def test_a_chain_remembers_what_its_middle_does_not_know() -> None:
    """N is on no second list, so a part of A is lost; Q comes from nowhere, so X lacks a part."""
    first = make_crosswalk(OLD, MIDDLE, [("A", "M", 0.6), ("A", "N", 0.4), ("B", "P", 1)])
    second = make_crosswalk(MIDDLE, NEW, [("M", "Y", 1), ("P", "X", 1), ("Q", "X", 1)])
    chain = compose(first, second)
    carried = carry(pd.DataFrame({"ward": ["A", "B"], "count": [10, 5]}), chain)
    assert carried.counts[["ward", "count"]].values.tolist() == [["X", 5], ["Y", 6]]
    assert carried.not_carried.values.tolist() == [["A", 4, "no_pair"]]
    assert chain.incomplete({"A", "B"}) == ("X",)
    assert complete_backward(chain) == ("B",)
    assert chain.relations()["A"] != "successor"
    assert chain.children("A")["part"].all()
    assert chain.cannot_be_carried() == ("A",)


def test_unknown_parts_that_are_put_together_again_are_known() -> None:
    first = make_crosswalk(OLD, MIDDLE, [("A", "M", NAN), ("A", "N", NAN)])
    second = make_crosswalk(MIDDLE, NEW, [("M", "X", 1), ("N", "X", 1)])
    carried = carry(pd.DataFrame({"ward": ["A"], "count": [10]}), compose(first, second))
    assert carried.counts[["ward", "count", "estimated"]].values.tolist() == [["X", 10, 0]]


def test_the_largest_remainder_goes_to_the_lowest_code_on_ties() -> None:
    crosswalk = make_crosswalk(MIDDLE, NEW, [("A", "Y", 0.5), ("A", "X", 0.5)])
    carried = carry(pd.DataFrame({"ward": ["A"], "count": [3]}), crosswalk, integers=True)
    assert carried.counts[["ward", "count"]].values.tolist() == [["X", 2], ["Y", 1]]


def test_fractions_negative_and_missing_counts_are_refused() -> None:
    crosswalk = make_crosswalk(MIDDLE, NEW, [("A", "X", 1)])
    for value in (-1.0, NAN, math.inf):
        with pytest.raises(ValueError, match="missing or negative"):
            carry(pd.DataFrame({"ward": ["A"], "count": [value]}), crosswalk)
    with pytest.raises(ValueError, match="fractions"):
        carry(pd.DataFrame({"ward": ["A"], "count": [1.5]}), crosswalk, integers=True)


def test_a_route_goes_over_all_changes_or_there_is_none() -> None:
    first = make_crosswalk(OLD, MIDDLE, [("A", "M", 1)])
    second = make_crosswalk(MIDDLE, NEW, [("M", "X", 1)])
    found = route([second, first], OLD, NEW)
    assert found is not None
    assert (found.from_edition, found.to_edition) == (OLD, NEW)
    assert route([second], OLD, NEW) is None
    assert route([first, second], NEW, OLD) is None
    with pytest.raises(ValueError, match="do not meet"):
        compose(second, first)


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    crosswalk = make_crosswalk(MIDDLE, NEW, [("A", "X", 0.25), ("A", "Y", 0.75), ("B", "Y", 1)])
    file = tmp_path / "pairs.parquet"
    file.write_bytes(write_pairs(crosswalk))
    pd.testing.assert_frame_equal(
        pairs_of(file, MIDDLE, NEW).pairs, crosswalk.pairs, check_dtype=False
    )


# --- weights


def _wards(edition: str, **boxes: tuple[float, float]) -> gpd.GeoDataFrame:
    """Wards side by side, from west to east, in hundredths of a degree."""
    return gpd.GeoDataFrame(
        {"code": list(boxes), "name": [f"Phường {code}" for code in boxes], "edition": edition},
        geometry=[box(106 + a / 100, 10, 106 + b / 100, 10.1) for a, b in boxes.values()],
        crs="EPSG:4326",
    )


def test_area_gives_the_weights_but_never_a_pair() -> None:
    """A lies in X and Y; a sliver of it overlaps Z, which is not on the list.

    A A A A a
    X Y Y Y z
    """
    old = _wards(MIDDLE, A=(0, 41))
    new = _wards(NEW, X=(0, 10), Y=(10, 40), Z=(40, 50))
    pairs = pd.DataFrame({"old_code": ["A", "A"], "new_code": ["X", "Y"]})
    weighed = area_weights(old, new, pairs)
    assert weighed["weight"].tolist() == pytest.approx([0.25, 0.75], rel=1e-3)
    assert weighed["new_code"].tolist() == ["X", "Y"]


@pytest.mark.parametrize(
    "new",
    [
        {"X": (0, 10), "Y": (60, 90)},  # the list says a part went to Y; the polygons do not meet
        {"X": (0, 4), "Y": (36, 40)},  # the official parts are a fifth of the ward
        {"X": (0, 10)},  # Y has no polygon
    ],
)
def test_polygons_that_contradict_the_list_give_no_weight(
    new: dict[str, tuple[float, float]],
) -> None:
    pairs = pd.DataFrame({"old_code": ["A", "A"], "new_code": ["X", "Y"]})
    weighed = area_weights(_wards(MIDDLE, A=(0, 40)), _wards(NEW, **new), pairs)
    assert weighed["weight"].isna().all()
    assert weighed["basis"].tolist() == ["", ""]


def test_people_weigh_only_where_all_parts_are_known() -> None:
    pairs = pd.DataFrame(
        {
            "old_code": ["A", "A", "B", "B", "C"],
            "new_code": ["X", "Y", "X", "Y", "Y"],
            "population": [100, 300, 100, NAN, NAN],
        }
    )
    weighed = population_weights(pairs)
    assert weighed["weight"].tolist() == pytest.approx([0.25, 0.75, NAN, NAN, 1], nan_ok=True)


# --- reading


NEW_WARDS = _wards(NEW, X=(0, 10), Y=(10, 40))
OLD_WARDS = _wards(MIDDLE, A=(0, 40), B=(40, 50))


def _rows(**columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(columns)
    return table.set_axis(range(1, len(table) + 1))


def test_a_file_of_pairs_is_weighed_by_area_where_it_gives_nothing() -> None:
    rows = _rows(old_code=["A", "A", "B"], new_code=["X", "Y", "Y"])
    read = read_pairs(rows, OLD_WARDS, NEW_WARDS)
    weights = read.crosswalk.pairs.set_index(["old_code", "new_code"])
    assert weights["weight"].tolist() == pytest.approx([0.25, 0.75, 1], rel=1e-3)
    assert weights["basis"].tolist() == ["area", "area", "whole"]
    assert weights["old_name"].tolist() == ["Phường A", "Phường A", "Phường B"]
    assert read.findings.divided == 1
    assert read.findings.weights_from == {"area": 1}


def test_sketched_boundaries_weigh_nothing() -> None:
    rows = _rows(old_code=["A", "A"], new_code=["X", "Y"])
    read = read_pairs(rows, OLD_WARDS, NEW_WARDS, measure=False)
    assert read.findings.cannot_be_carried == (("A", "Phường A"),)


def test_a_weight_goes_before_people_and_people_before_area() -> None:
    rows = _rows(
        old_code=["A", "A", "B", "B"],
        new_code=["X", "Y", "X", "Y"],
        weight=["0.5", "0.5", "", ""],
        population=["1", "3", "1", "3"],
    )
    read = read_pairs(rows, OLD_WARDS, NEW_WARDS)
    assert read.crosswalk.pairs["weight"].tolist() == [0.5, 0.5, 0.25, 0.75]
    assert read.crosswalk.pairs["basis"].tolist() == ["given", "given"] + ["population"] * 2


def test_rows_that_are_not_official_and_new_wards_without_an_old_one_create_no_pair() -> None:
    rows = _rows(
        ma_cu=["A", "A", ""], ma_moi=["X", "Y", "Y"], **{"Chính thức": ["có", "không", "có"]}
    )
    read = read_pairs(rows, OLD_WARDS, NEW_WARDS)
    assert read.crosswalk.pairs[["old_code", "new_code"]].values.tolist() == [["A", "X"]]
    assert read.findings.set_aside == 1
    assert read.findings.without_old_code == ("Y",)
    assert read.findings.old_without_pair == ("B",)
    assert read.findings.new_without_pair == ("Y",)


def test_every_unusable_row_is_named_and_nothing_is_taken_over() -> None:
    rows = _rows(
        old_code=["A", "A", "B", "B", "C", "D", "E", "E", "F", "F"],
        new_code=["X", "X", "X", "Q", "", "X", "X", "Y", "X", "Y"],
        weight=["", "", "1,5", "", "", "2", "0.4", "", "0.5", "0.3"],
    )
    with pytest.raises(GeoError) as refused:
        read_pairs(rows, OLD_WARDS, NEW_WARDS)
    found = {problem.row: problem.reason for problem in refused.value.facts["problems"]}
    assert found == {
        2: "pair_twice", 3: "weight_not_share", 4: "unknown_new_ward", 5: "blank_code",
        6: "weight_not_share", 7: "weights_in_part", 8: "weights_in_part", 9: "weights_not_one",
        10: "weights_not_one",
    }  # fmt: skip


def test_codes_of_another_time_are_told_by_their_names() -> None:
    """All the codes fit, being re-used; the names say that they are not these wards."""
    rows = _rows(
        old_code=["A", "B"], new_code=["X", "Y"], old_name=["Phường Khác", "Phường Khác nữa"]
    )
    with pytest.raises(GeoError) as refused:
        read_pairs(rows, OLD_WARDS, NEW_WARDS)
    assert refused.value.reason == "names_do_not_fit"
    with pytest.raises(GeoError) as refused:
        read_pairs(_rows(old_code=["K"], new_code=["X"]), OLD_WARDS, NEW_WARDS)
    assert refused.value.reason == "codes_do_not_fit"
    with pytest.raises(GeoError) as refused:
        read_pairs(_rows(ma=["K"], new_code=["X"]), OLD_WARDS, NEW_WARDS)
    assert refused.value.reason == "pairs_columns"


# --- the real change of 1 July 2025


@cache
def _editions(folder: Path) -> dict[str, gpd.GeoDataFrame]:
    files = {
        OLD: "hcmc_wards_312.parquet",
        MIDDLE: "hcmc_wards_273.parquet",
        NEW: "hcmc_wards_2025.parquet",
    }
    return {
        day: read_wards(folder / name, date.fromisoformat(day)).wards for day, name in files.items()
    }


@pytest.fixture
def real(shared_data: Path) -> dict[str, gpd.GeoDataFrame]:
    return _editions(shared_data)


def _official(folder: Path) -> pd.DataFrame:
    rows = pd.read_csv(folder / "crosswalk.csv", dtype=str)
    return rows.set_axis(range(1, len(rows) + 1))


@pytest.mark.real_data
def test_the_official_list_of_2025_is_read_with_its_doubts(
    real: dict[str, gpd.GeoDataFrame], shared_data: Path
) -> None:
    read = read_pairs(_official(shared_data), real[MIDDLE], real[NEW])
    found = read.findings
    # 493 official rows, one of which names no old ward: Côn Đảo had none.
    assert (found.pairs, found.old_wards, found.without_old_code) == (492, 441, ("26732",))
    assert (found.set_aside, found.divided) == (173, 31 + 16)
    assert len(found.cannot_be_carried) == 16
    assert ("25813", "Phường Mỹ Phước") in found.cannot_be_carried
    assert len(found.without_boundary) == 441 - 273
    parts = read.crosswalk.parents("26809")
    assert parts["old_name"].tolist() == [
        "Phường Hiệp Bình Phước", "Phường Hiệp Bình Chánh", "Phường Linh Đông",
    ]  # fmt: skip
    assert parts["part"].tolist() == [False, False, True]


@pytest.mark.real_data
def test_area_weights_are_those_measured_outside(
    real: dict[str, gpd.GeoDataFrame], shared_data: Path
) -> None:
    """The file's weights were measured independently, from the same polygons."""
    given = read_pairs(_official(shared_data), real[MIDDLE], real[NEW]).crosswalk
    divided = given.pairs[given.pairs["old_code"].isin(given.divided())]
    measured = area_weights(real[MIDDLE], real[NEW], divided)
    assert measured["weight"].isna().sum() == 32
    assert np.nanmax((measured["weight"] - divided["weight"]).abs()) < 1e-4


@pytest.mark.real_data
def test_the_chain_from_312_over_273_to_168_wards_keeps_its_total(
    real: dict[str, gpd.GeoDataFrame], shared_data: Path
) -> None:
    lineage = pd.read_csv(shared_data / "lineage_322_312_273.csv", dtype=str)
    steps = lineage[["code_312", "name_312", "code_273", "name_273"]].drop_duplicates()
    steps = steps.set_axis(["old_code", "old_name", "new_code", "new_name"], axis=1)
    steps = steps.set_axis(range(1, len(steps) + 1))
    first = read_pairs(steps, real[OLD], real[MIDDLE]).crosswalk
    second = read_pairs(_official(shared_data), real[MIDDLE], real[NEW]).crosswalk
    chain = route([first, second], OLD, NEW)
    assert chain is not None
    assert chain.cannot_be_carried() == ()
    wards = sorted(real[OLD]["code"])
    counts = pd.DataFrame({"ward": wards, "count": np.arange(1, len(wards) + 1)})
    carried = carry(counts, chain)
    assert carried.not_carried.empty
    assert carried.counts["count"].sum() == pytest.approx(counts["count"].sum(), abs=1e-6)
    by_steps = carry(carry(counts, first).counts.drop(columns="estimated_share"), second)
    assert carried.counts["count"].to_numpy() == pytest.approx(by_steps.counts["count"].to_numpy())
