"""The four groups of crime by ward and category, by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.measures.crime_groups import (
    GROUPS,
    CrimeGroups,
    GroupRule,
    crime_groups,
    newly_seen_reasons,
)
from hotspots.measures.panel import complete_panel
from hotspots.text import LANGUAGES, texts

LAST_DAY = date(2025, 12, 31)


def panel(**wards: list[float]) -> pd.DataFrame:
    """Monthly thefts of wards up to December 2025; the longest list gives the first month."""
    months = max(map(len, wards.values()))
    names = pd.period_range(end="2025-12", periods=months, freq="M").astype(str)
    return pd.concat(
        pd.DataFrame(
            {
                "ward": ward,
                "month": names,
                "category": "theft",
                "count": [0.0] * (months - len(each)) + [float(n) for n in each],
            }
        )
        for ward, each in wards.items()
    )


def group(found: CrimeGroups, ward: str) -> str:
    return str(found.matrix.loc[ward, "theft"])


QUIET = {f"q{n}": [1.0] * 36 for n in range(8)}
"""Eight wards with one a month: the rest of the city."""


@pytest.mark.parametrize(
    ("months", "expected", "reason"),
    [
        ([0] * 36, "not_seen", "group_not_seen"),
        ([3] + [0] * 35, "rare", "group_rare"),
        ([3] + [0] * 36, "not_seen", "group_not_seen"),  # 37 months ago
        ([1, 0, 0] * 12, "rare", "group_rare"),  # 4 of the last 12 months
        ([1, 0] * 18, "frequent", "group_frequent"),  # 6 of the last 12 months
        ([0] * 24 + [1] * 4 + [0] * 8, "at_risk", "group_at_risk_rising"),  # 0 to 4: z = 2.8
        ([0] * 33 + [1, 1, 1], "rare", "group_rare"),  # 0 to 3: too few to be called a rise
        ([1] * 24 + [2] * 12, "at_risk", "group_at_risk_rising"),  # 12 to 24: z = 2.03
        ([1] * 24 + [2] * 11 + [1], "at_risk", "group_at_risk_high"),  # 12 to 23: z = 1.88
        # 2 to 8: z = 2 to the last digit; 2 to 7: z = 1.7
        ([0] * 12 + [1, 1] + [0] * 10 + [2] * 4 + [0] * 8, "at_risk", "group_at_risk_rising"),
        ([0] * 12 + [1, 1] + [0] * 10 + [2] * 3 + [1] + [0] * 8, "rare", "group_rare"),
        ([4] * 36, "at_risk", "group_at_risk_high"),
    ],
)
def test_a_ward_is_in_the_group_that_its_months_say(
    months: list[float], expected: str, reason: str
) -> None:
    found = crime_groups(panel(w=months, **QUIET), as_of=LAST_DAY)
    assert group(found, "w") == expected
    why = found.reason("w", "theft")
    assert why.code == reason
    assert all(texts(each).reason(why.code, why.facts) for each in LANGUAGES)


def test_the_facts_can_be_checked_by_hand() -> None:
    found = crime_groups(panel(w=[1] * 24 + [2, 0] * 6, **QUIET), as_of=LAST_DAY)
    row = found.table.set_index("ward").loc["w"]
    assert (row["last12"], row["before12"], row["months_seen"], row["months"]) == (12, 12, 6, 36)
    assert row["z"] == pytest.approx(0.0)
    assert found.reason("w", "theft").facts == {"last12": 12.0, "months_seen": 6}


@pytest.mark.parametrize("yearly", [5, 12, 40])
def test_without_change_one_to_four_percent_of_wards_reach_the_limit(yearly: int) -> None:
    """Counts of two years of equal Poisson mean: the limit is of two standard deviations."""
    wards = 5000
    months = pd.period_range("2024-01", periods=24, freq="M").astype(str)
    cells = pd.MultiIndex.from_product([range(wards), months], names=["ward", "month"])
    drawn = np.random.default_rng(0).poisson(yearly / 12, len(cells))
    rows = pd.DataFrame({"count": drawn, "category": "theft"}, cells).reset_index()
    found = crime_groups(rows.astype({"ward": str}), as_of=LAST_DAY)
    z = found.table["z"]
    assert 0.01 <= z.ge(GroupRule().rising_z).mean() <= 0.04
    assert z.std() == pytest.approx(1, abs=0.1)


def test_of_not_seen_the_months_looked_at_are_told() -> None:
    """Five years known, the last incident 41 months ago: none in 36, not in 60."""
    found = crime_groups(panel(w=[1] * 20 + [0] * 40, **QUIET), as_of=LAST_DAY)
    assert found.reason("w", "theft").facts == {"months": 36}
    short = crime_groups(panel(w=[0] * 20, **{q: [1.0] * 20 for q in QUIET}), as_of=LAST_DAY)
    assert short.reason("w", "theft").facts == {"months": 20}


def test_when_all_wards_are_alike_none_is_among_the_highest() -> None:
    found = crime_groups(panel(**QUIET), as_of=LAST_DAY)
    assert set(found.table["group"]) == {"frequent"}
    assert found.table["line"].isna().all()


def test_one_incident_in_a_rare_category_is_not_a_risk() -> None:
    found = crime_groups(panel(w=[0] * 35 + [1], v=[0] * 36, u=[0] * 36), as_of=LAST_DAY)
    assert group(found, "w") == "rare"


def test_the_rule_is_data() -> None:
    counts = panel(w=[1, 0, 0] * 12, **QUIET)
    assert group(crime_groups(counts, as_of=LAST_DAY), "w") == "rare"
    rule = GroupRule(frequent_months=4)
    assert group(crime_groups(counts, as_of=LAST_DAY, rule=rule), "w") == "frequent"


# -- newly seen


def test_a_category_seen_for_the_first_time_in_the_last_quarter_is_listed() -> None:
    counts = panel(
        new=[0] * 34 + [2, 1], old=[0] * 30 + [1] * 6, known=[5] + [0] * 33 + [1, 0], **QUIET
    )
    found = crime_groups(counts, as_of=LAST_DAY)
    assert found.newly_seen.to_dict("records") == [
        {"ward": "new", "category": "theft", "first_seen": "2025-11", "counted": 3.0, "months": 34}
    ]
    (why,) = newly_seen_reasons(found)
    assert "11/2025" in texts("vi").reason(why.code, why.facts)
    assert all(texts("vi").has(f"crime_group.{name}") for name in GROUPS)


def test_after_too_short_a_time_nothing_is_new() -> None:
    short = panel(new=[0] * 23 + [1], **{ward: each[:24] for ward, each in QUIET.items()})
    assert crime_groups(short, as_of=LAST_DAY).newly_seen.empty
    enough = panel(new=[0] * 24 + [1], **{ward: each[:25] for ward, each in QUIET.items()})
    assert len(crime_groups(enough, as_of=LAST_DAY).newly_seen) == 1


# -- what is not known


def test_unknown_months_are_not_0() -> None:
    counts = panel(w=[0] * 36, **QUIET).drop(columns="category").assign(category="theft")
    wards = sorted(counts["ward"].unique())
    cut = complete_panel(counts, wards, ["theft"], unknown=[("w", "2025-01")])
    found = crime_groups(cut, as_of=LAST_DAY)
    assert group(found, "w") == "unknown"
    assert found.reason("w", "theft").facts == {"months": 11, "needed": 12}
    assert np.isnan(found.table.set_index("ward").loc["w", "last12"])
    earlier = complete_panel(counts, wards, ["theft"], unknown=[("w", "2024-12")])
    assert group(crime_groups(earlier, as_of=LAST_DAY), "w") == "not_seen"


def test_a_month_that_nobody_counted_breaks_the_run() -> None:
    counts = panel(w=[0] * 36, **QUIET)
    found = crime_groups(counts[counts["month"] != "2024-06"], as_of=LAST_DAY)
    assert found.table["months"].unique().tolist() == [18]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 99), st.integers(1, 20))
def test_every_cell_has_one_group_and_a_reason_and_the_future_changes_nothing(
    months: int, wards: int, seed: int, ahead: int
) -> None:
    random = np.random.default_rng(seed)
    names = pd.period_range("2022-01", periods=months + ahead, freq="M")
    cells = pd.MultiIndex.from_product(
        [[f"w{n}" for n in range(wards)], names.astype(str), ["drugs", "theft"]],
        names=["ward", "month", "category"],
    )
    rows = pd.DataFrame({"count": random.poisson(0.3, len(cells))}, cells).reset_index()
    day = names[months - 1].end_time.date()
    found = crime_groups(rows, as_of=day)
    past = crime_groups(rows[rows["month"] <= str(names[months - 1])], as_of=day)
    pd.testing.assert_frame_equal(found.table, past.table)
    pd.testing.assert_frame_equal(found.newly_seen, past.newly_seen)
    assert found.matrix.shape == (wards, 2)
    assert set(found.table["group"]) <= set(GROUPS)
    for ward in found.matrix.index:
        assert found.reason(ward, "theft").code.startswith("group_")


def test_a_ward_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        crime_groups(panel(**QUIET), as_of=LAST_DAY).reason("w", "theft")
