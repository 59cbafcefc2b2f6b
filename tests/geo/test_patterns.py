"""Time classes by hand-made series; Mann-Kendall by complete enumeration and published code."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.clusters import getis_ord
from geo.patterns import (
    ESRI_CLASSES,
    SHORT_CLASSES,
    Alternative,
    mann_kendall,
    time_class,
    trends,
)

LETTERS = {"H": "hot", "C": "cold", ".": "none", "?": "not_testable"}
MIRROR = str.maketrans("HC", "CH")


def _labels(*series: str) -> pd.DataFrame:
    """One area for each text, its months from left to right: Hot, Cold, . neither, ? not tested."""
    months = pd.period_range("2020-01", periods=len(series[0]), freq="M")
    columns = {text: [LETTERS[letter] for letter in text] for text in series}
    return pd.DataFrame(columns, index=months)


def _class(text: str, strength: str | None = None) -> str:
    """`strength` is rising, falling or level; level alternates."""
    labels = _labels(text)
    steps = np.arange(len(text), dtype=float)
    z = {"rising": steps, "falling": -steps, "level": steps % 2, None: steps % 2}[strength]
    table = pd.DataFrame({text: z}, index=labels.index)
    return str(time_class(labels, table)["pattern"].iloc[0])


# --- five classes below ten periods -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("......", "none"),
        ("C..CCC", "none"),
        ("HHHHHH", "persistent"),
        ("H.HH", "persistent"),
        ("HHH", "persistent"),
        (".....H", "emerging"),
        ("...HHH", "emerging"),
        ("HH", "emerging"),
        ("H", "emerging"),
        ("H.....", "former"),
        (".HHH..", "former"),
        ("HHHHH.", "former"),
        ("H.H...", "intermittent"),
        ("H....H", "intermittent"),
        (".H.HH", "intermittent"),
        ("HHHHHHH.H", "persistent"),
        ("??????", "not_testable"),
        ("H?HH?H", "persistent"),
        (".?HHH?", "persistent"),
        ("..?.HH", "emerging"),
        ("..H?H.", "former"),
    ],
)
def test_few_periods_have_five_classes(text: str, expected: str) -> None:
    assert _class(text) == expected


# --- Esri's seventeen from ten periods on --------------------------------------------------------

ESRI = [
    ("...........H", None, "new"),
    ("C..........H", None, "new"),
    ("..........HH", None, "consecutive"),
    (".HHHHHHHHH", "rising", "intensifying"),
    ("..HHHHHHHHHH", "rising", "consecutive"),
    ("C.........HH", None, "consecutive"),
    ("HHHHHHHHHHHH", "rising", "intensifying"),
    ("HHH.HHHHHHHH", "rising", "intensifying"),
    ("HHHHHHHHHHHH", "level", "persistent"),
    ("HHHH.HHHHH", "level", "persistent"),
    ("HHHHHHHHHHHH", "falling", "diminishing"),
    ("C.HHHHHHHHHHHHHHHHHH", "falling", "diminishing"),
    ("HH.......H.H", None, "sporadic"),
    ("H...........H", None, "sporadic"),
    ("HHHHHHHH.H..HHH", "rising", "sporadic"),
    ("HH..C....H.H", None, "oscillating"),
    ("H.........CH", None, "oscillating"),
    ("HHHHHHHHHHH.", "rising", "historical"),
    ("HHHHHHHHH.", "level", "historical"),
]


@pytest.mark.parametrize(("text", "strength", "kind"), ESRI)
def test_many_periods_have_the_classes_of_esri(text: str, strength: str | None, kind: str) -> None:
    assert _class(text, strength) == f"{kind}_hot"


@pytest.mark.parametrize(("text", "strength", "kind"), ESRI)
def test_cold_spots_are_the_mirror_image(text: str, strength: str | None, kind: str) -> None:
    mirrored = {"rising": "falling", "falling": "rising"}.get(strength or "", strength)
    assert _class(text.translate(MIRROR), mirrored) == f"{kind}_cold"


@pytest.mark.parametrize("text", ["............", "HHHH....HH..", "H..C..H..C..", "HHHHHH......"])
def test_whoever_is_neither_hot_nor_mostly_so_has_no_pattern(text: str) -> None:
    assert _class(text) == "no_pattern"


def test_who_was_mostly_hot_and_ends_cold_is_told_by_the_end() -> None:
    assert _class("HHHHHHHHHHHC") == "new_cold"


def test_every_class_of_esri_is_among_the_hand_made_series() -> None:
    kinds = {kind for _, _, kind in ESRI}
    made = {f"{kind}_{side}" for kind in kinds for side in ("hot", "cold")} | {"no_pattern"}
    assert made == set(ESRI_CLASSES)
    assert len(ESRI_CLASSES) == 17
    assert len(SHORT_CLASSES) == 5


def test_months_that_could_not_be_tested_count_for_nothing() -> None:
    assert _class("HHHHH?HHHHH?", "level") == "persistent_hot"
    assert _class("?.........?H?", None) == "new_hot"
    assert _class("............?") == "no_pattern"
    assert _class("????????????") == "not_testable"
    found = time_class(_labels("?.H.HH."))
    assert found[["tested", "hot", "cold", "last"]].to_numpy().tolist() == [[6, 3, 0, "none"]]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text("HC.?", min_size=12, max_size=12), min_size=1, max_size=5, unique=True))
def test_a_table_gives_each_area_what_it_would_get_alone(texts: list[str]) -> None:
    labels = _labels(*texts)
    steps = np.arange(12.0)[:, None] * np.linspace(-1, 1, len(texts))
    z = pd.DataFrame(steps, index=labels.index, columns=labels.columns)
    found = time_class(labels, z)
    assert list(found.index) == texts
    assert set(found["pattern"]) <= {*ESRI_CLASSES, "not_testable"}
    for text in texts:
        assert time_class(labels[[text]], z[[text]]).iloc[0].equals(found.loc[text])


@settings(deadline=None, max_examples=100)
@given(st.text("HC.?", min_size=10, max_size=15), st.sampled_from(["rising", "falling", "level"]))
def test_hot_and_cold_exchanged_exchange_the_class(text: str, strength: str) -> None:
    mirrored = {"rising": "falling", "falling": "rising", "level": "level"}[strength]
    plain, other = _class(text, strength), _class(text.translate(MIRROR), mirrored)
    swapped = plain.replace("_hot", "_?").replace("_cold", "_hot").replace("_?", "_cold")
    assert other == swapped


def test_what_cannot_be_classified_is_refused() -> None:
    labels = _labels("H" * 12)
    z = pd.DataFrame(1.0, index=labels.index, columns=labels.columns)
    with pytest.raises(ValueError, match="strength"):
        time_class(labels)
    with pytest.raises(ValueError, match="latest first"):
        time_class(labels[::-1], z[::-1])
    with pytest.raises(ValueError, match="different rows"):
        time_class(labels, z.iloc[1:])
    with pytest.raises(ValueError, match="no labels"):
        time_class(labels.replace("hot", "HH"), z)
    with pytest.raises(ValueError, match="no period"):
        time_class(labels.iloc[:0])


def test_the_labels_of_gi_star_can_be_classified_as_they_are() -> None:
    near = {f"{i:02}": [f"{j:02}" for j in range(30) if 0 < abs(i - j) <= 3] for i in range(30)}
    counts = np.random.default_rng(1).poisson(3, (12, 30))
    found = getis_ord(pd.DataFrame(counts, columns=list(near)), near, 199)
    assert time_class(found.label, found.z)["pattern"].isin(ESRI_CLASSES).all()


# --- Mann-Kendall -------------------------------------------------------------------------------


def _balance(values: tuple[float, ...]) -> int:
    return sum(int(np.sign(b - a)) for a, b in itertools.combinations(values, 2))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=7))
def test_short_series_have_the_p_of_all_orders_of_their_values(values: list[int]) -> None:
    balances = np.array([_balance(order) for order in itertools.permutations(values)])
    s = _balance(tuple(values))
    expected = {"greater": (balances >= s).mean(), "less": (balances <= s).mean()}
    expected["two-sided"] = min(1.0, 2 * min(expected.values()))
    alternatives: tuple[Alternative, ...] = ("two-sided", "greater", "less")
    for alternative in alternatives:
        found = mann_kendall(values, alternative)
        assert found.exact
        assert found.s == s
        assert found.p == pytest.approx(expected[alternative])
    assert found.var == pytest.approx(balances.var(), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.permutations(range(10)), st.integers(2, 10))
def test_without_ties_the_exact_p_is_that_of_scipy(order: list[int], n: int) -> None:
    values = order[:n]
    scipys = scipy.stats.kendalltau(range(n), values, method="exact")
    found = mann_kendall(values)
    assert found.p == pytest.approx(scipys.pvalue)
    assert found.tau == pytest.approx(scipys.statistic)


# Kendall (1975), appendix table 1: probability that S reaches a value, n = 4, 8, 10.
@pytest.mark.parametrize(
    ("n", "s", "p"), [(4, 6, 0.042), (8, 16, 0.031), (10, 21, 0.036), (10, 23, 0.023)]
)
def test_upper_tails_are_those_of_the_printed_table(n: int, s: int, p: float) -> None:
    """The values are put in order, then the largest is moved forward until S fits."""
    values = list(range(n))
    falling = (n * (n - 1) // 2 - s) // 2
    while falling:
        top = max(range(1, n), key=lambda i: (values[i] > values[i - 1], i))
        values[top - 1], values[top] = values[top], values[top - 1]
        falling -= 1
    assert mann_kendall(values).s == s
    assert mann_kendall(values, "greater").p == pytest.approx(p, abs=0.0006)


# pymannkendall 1.4.3: mk.original_test(x) -> z, p, s, var_s
PYMANNKENDALL = [
    ([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9], 2.703381341, 0.006863794985, 55, 399),
    ([4, 6, 5, 8, 8, 9, 12, 11, 13, 15, 14, 18], 3.98659170, 6.702922846e-05, 59, 211.6666667),
    ([9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 5, 4, 4, 3], -4.548541609, 5.401896369e-06, -83, 325),
    (list(range(12)), 4.457215629, 8.303107354e-06, 66, 212.6666667),
    ([5] * 12, 0, 1, 0, 0),
]


@pytest.mark.parametrize(("values", "z", "p", "s", "var"), PYMANNKENDALL)
def test_longer_series_have_the_z_of_pymannkendall(
    values: list[int], z: float, p: float, s: int, var: float
) -> None:
    found = mann_kendall(values)
    assert (found.s, found.exact) == (s, False)
    assert [found.var, found.z, found.p] == pytest.approx([var, z, p])


def test_tau_takes_ties_into_account_as_scipy_does() -> None:
    for values, *_ in PYMANNKENDALL[:-1]:
        expected = scipy.stats.kendalltau(range(len(values)), values).statistic
        assert mann_kendall(values).tau == pytest.approx(expected)
    assert math.isnan(mann_kendall([5] * 12).tau)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=25))
def test_backwards_the_trend_is_the_opposite(values: list[int]) -> None:
    there, back = mann_kendall(values, "greater"), mann_kendall(values[::-1], "less")
    assert (there.s, there.z) == (-back.s, -back.z)
    assert there.p == pytest.approx(back.p)
    assert mann_kendall(values).p == pytest.approx(mann_kendall(values[::-1]).p)


def test_unknown_values_are_left_out_and_one_value_has_no_trend() -> None:
    known = mann_kendall([1, 3, 2, 5])
    assert mann_kendall([1, math.nan, 3, 2, math.nan, 5]) == known
    assert math.isnan(mann_kendall([4, math.nan]).p)
    assert math.isnan(mann_kendall([]).p)
    with pytest.raises(ValueError, match="alternative"):
        mann_kendall([1, 2], "rising")  # type: ignore[arg-type]


def test_a_table_has_the_trend_of_each_column() -> None:
    values = np.random.default_rng(1).poisson(2, (20, 6)).astype(float)
    values[values > 5] = np.nan
    values[11:, 0] = np.nan
    table = trends(pd.DataFrame(values, columns=list("fedcba")), "greater")
    assert list(table.index) == list("fedcba")
    for column, area in enumerate("fedcba"):
        alone = mann_kendall(values[:, column], "greater")
        expected = [getattr(alone, name) for name in ("s", "var", "z", "p", "tau", "n", "exact")]
        assert table.loc[area].tolist() == pytest.approx(expected)
