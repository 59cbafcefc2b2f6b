"""Two lists side by side, and whether a list only follows the patrols."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspots.measures.scenarios import compare_choices, equity
from hotspots.text import LANGUAGES, texts

INDEX = pd.Series({"a": 50.0, "b": 30.0, "c": 20.0, "d": 0.0})
lists = st.lists(st.sampled_from("abcd"), unique=True)


def test_two_lists_are_set_side_by_side() -> None:
    found = compare_choices(["a", "b"], ["c", "a"], INDEX)
    assert (found.both, found.only_a, found.only_b) == (("a",), ("b",), ("c",))
    assert found.table.loc["a"].to_dict() == pytest.approx(
        {
            "wards": 2, "must_succeed": 2, "may_fail": 0, "may_relapse": 0, "index_share": 0.8,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wards", "must", "may_relapse"), [(5, 3, 0), (12, 8, 1), (10, 6, 0), (1, 1, 0), (0, 0, 0)]
)
def test_both_targets_are_rounded_up(wards: int, must: int, may_relapse: int) -> None:
    """Of 8 transformed at least 85 %, 6.8, must not relapse: one may."""
    codes = [f"w{n}" for n in range(wards)]
    found = compare_choices(codes, [], pd.Series(1.0, index=codes))
    assert found.table.loc["a", "must_succeed"] == must
    assert found.table.loc["a", "may_relapse"] == may_relapse


@given(lists, lists)
def test_both_lists_are_made_up_of_their_parts(a: list[str], b: list[str]) -> None:
    found = compare_choices(a, b, INDEX)
    assert {*found.both, *found.only_a} == set(a)
    assert {*found.both, *found.only_b} == set(b)
    assert found.table["index_share"].between(0, 1 + 1e-12).all()
    assert (found.table["must_succeed"] + found.table["may_fail"] == found.table["wards"]).all()


# -- equity


def shares(citizens: dict[str, int], police: dict[str, int] | None, *chosen: str) -> str:
    found = equity(
        chosen,
        wards=list("abcd"),
        citizens=pd.Series(citizens, dtype=float),
        police=None if police is None else pd.Series(police, dtype=float),
    )
    assert all(texts(each).reason(found.reason.code, found.reason.facts) for each in LANGUAGES)
    assert found.is_warning == (found.reason.code == "follows_patrols")
    return found.reason.code


def test_a_list_that_only_follows_the_patrols_is_seen() -> None:
    citizens = {"a": 25, "b": 25, "c": 25, "d": 25}
    assert shares(citizens, {"a": 90, "b": 10}, "a") == "follows_patrols"
    assert shares(citizens, {"a": 30, "b": 70}, "a") == "not_patrol_led"
    assert shares({"a": 2, "b": 98}, {"a": 4, "b": 96}, "a") == "not_patrol_led"  # two points
    assert shares({"b": 100}, {"a": 90, "b": 10}, "a") == "follows_patrols"


def test_too_little_is_known_to_tell() -> None:
    assert shares({"a": 25}, None, "a") == "patrols_unknown"
    assert shares({"a": 25}, {"a": 19}, "a") == "patrols_too_few"
    assert shares({}, {"a": 90}, "a") == "patrols_too_few"


def test_the_shares_of_wards_and_people_are_told() -> None:
    even = pd.Series(1.0, index=list("abcd"))
    residents = {"a": 70, "b": 10, "c": 10, "d": 10}
    found = equity(["a"], wards=list("abcd"), citizens=even, population=residents)
    assert (found.wards_share, found.population_share) == (0.25, 0.7)
    assert np.isnan(found.police_share)
    partly = equity(["a"], wards=list("abcd"), citizens=even, population={"a": 70})
    assert np.isnan(partly.population_share)
