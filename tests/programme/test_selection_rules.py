"""The rules of a choice as data: read, checked as a whole, and written back."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.errors import ProgrammeError
from hotspots.programme import selection_rules
from hotspots.programme.selection_rules import (
    Constraints,
    Exclusion,
    Quota,
    as_table,
    read_constraints,
)


def test_the_example_of_the_module_is_read() -> None:
    example = (selection_rules.__doc__ or "").split("\n\n", 2)[2]
    found = read_constraints(tomllib.loads(example)["selection"])
    assert found == Constraints(
        count=12,
        must_include=("26734",),
        excluded={
            "26737": Exclusion("newly recognised as nông thôn mới", "301/HD-BCĐ138, May 2022")
        },
        at_least_one_per_region=True,
        no_two_neighbours=False,
        kinds={4: Quota(2, 6)},
        capacity={"PC04": 3},
        edition="2025-07-01",
    )


def test_only_the_count_is_needed() -> None:
    assert read_constraints({"count": 5}) == Constraints(5)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(ProgrammeError) as caught:
        read_constraints(
            {
                "count": 2.5,
                "must_include": "26734",
                "excluded": {"26737": {"rule": "", "source": "x"}},
                "no_two_neighbours": 1,
                "kinds": {"four": {}, "4": {"at_leest": 1, "at_most": -1}},
                "capacity": [1],
                "luck": True,
            }
        )
    assert caught.value.reason == "selection_rules_invalid"
    told = str(caught.value.facts["problem"]).split("; ")
    begun = [each.split(":")[0] for each in told if ":" in each]
    assert begun == [
        "luck", "count", "must_include", "excluded.26737.rule", "no_two_neighbours", "kinds.four",
        "kinds.4.at_leest", "kinds.4.at_most", "capacity",
    ]  # fmt: skip


@given(
    st.builds(
        Constraints,
        count=st.integers(1, 100),
        must_include=st.lists(st.text("0123456789", min_size=5, max_size=5), unique=True).map(
            tuple
        ),
        excluded=st.dictionaries(
            st.text("0123456789", min_size=5, max_size=5),
            st.builds(Exclusion, st.just("rule"), st.just("source")),
        ),
        at_least_one_per_region=st.booleans(),
        no_two_neighbours=st.booleans(),
        kinds=st.dictionaries(
            st.integers(0, 9),
            st.builds(Quota, st.integers(0, 9), st.none() | st.integers(0, 9)),
        ),
        capacity=st.dictionaries(st.text("PC0123", min_size=1), st.integers(0, 9)),
    )
)
def test_what_is_written_is_read_back(constraints: Constraints) -> None:
    assert read_constraints(as_table(constraints)) == constraints


@settings(deadline=None, max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner) | st.dictionaries(st.text(), inner)
)))  # fmt: skip
def test_any_table_is_read_or_refused_with_its_problems(value: object) -> None:
    refused: list[object] = []
    for key in ("count", "must_include", "excluded", "kinds", "capacity", "no_two_neighbours"):
        try:
            read_constraints({"count": 1, key: value})
        except ProgrammeError as error:
            refused.append(error.facts["problem"])
    assert all(refused)
