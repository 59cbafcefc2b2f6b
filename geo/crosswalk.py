"""From one boundary edition to the next: official pairs, weights, totals kept, doubts flagged.

Which new wards an old one went to comes from the official list and never from area: area cannot
tell a small official piece from a digitising sliver. Area or population give only the weights of a
ward that was divided. What may be carried in which direction follows the relation types of the
FEWS NET data warehouse (help.fews.net, Geographic Unit Relationships): data of unchanged units go
both ways, a *merge* forward only, a *split* backward only, a *redistribution* is an estimate.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.coverage import to_metres
from geo.errors import GeoError
from geo.names import ward_key
from geo.wards import RowProblem

PAIR_COLUMNS = ("old_code", "old_name", "new_code", "new_name", "weight", "basis", "complete")

WHOLE = "whole"
AREA = "area"
POPULATION = "population"
GIVEN = "given"
COMPOSED = "composed"
BASES = (WHOLE, AREA, POPULATION, GIVEN, "simulated", COMPOSED)
"""What a weight rests on: nothing to divide, area overlap, people, the file, a simulation, two
crosswalks in a row."""

LOST = ""
"""The new code of a part that no list leads on."""

NO_PAIR = "no_pair"
NO_WEIGHT = "no_weight"

# Below this share of an old ward, its official parts and its polygon contradict each other.
_LEAST_OVERLAP = 0.5
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Crosswalk:
    """Where the wards of one edition went in a later one.

    Attributes
    ----------
    from_edition, to_edition : str
        ISO days, the first earlier than the second.
    pairs : DataFrame
        One row an official pair, sorted by codes: ``old_code``, ``old_name``, ``new_code``,
        ``new_name`` (text, names may be empty), ``weight`` (share of the old ward's count that
        went to the new one, 0 to 1; NaN: not known), ``basis`` (one of `BASES`, empty without a
        weight), ``complete`` (bool: the weight is all that went there). In a composed crosswalk a
        part may be lost, when the second list does not name the ward between: a pair without a
        new code (`LOST`); and a pair may be not complete, when only some of its ways are known or
        a part of the new ward came from nowhere.
    """

    from_edition: str
    to_edition: str
    pairs: pd.DataFrame

    def divided(self) -> tuple[str, ...]:
        """Codes of the old wards that went to more than one new ward, sorted."""
        sizes = self.pairs.groupby("old_code").size()
        return tuple(sizes.index[sizes > 1])

    def _there(self) -> pd.DataFrame:
        """Pairs that lead somewhere."""
        return self.pairs[self.pairs["new_code"].ne(LOST)]

    def cannot_be_carried(self) -> tuple[str, ...]:
        """Codes of the old wards whose counts cannot be carried forward in full, sorted."""
        weight = self.pairs["weight"].where(self.pairs["new_code"].ne(LOST))
        known = weight.groupby(self.pairs["old_code"]).sum()
        return tuple(known.index[known < 1 - _ROUNDING])

    def relations(self) -> pd.Series[str]:
        """Relation of each old ward to what it became, by old code.

        ``"successor"``: one ward became one ward; ``"merge"``: it went wholly into a ward made of
        several; ``"split"``: it was divided into wards made of nothing else; ``"redistribution"``:
        it was divided and at least one part was joined with others.

        Examples
        --------
        >>> crosswalk = make_crosswalk("2021-01-01", "2025-01-01", [
        ...     ("A", "X", 1), ("B", "X", 1), ("C", "Y", 1), ("D", "V", 0.5), ("D", "W", 0.5)])
        >>> crosswalk.relations().to_dict()
        {'A': 'merge', 'B': 'merge', 'C': 'successor', 'D': 'split'}
        """
        parents = self._there().groupby("new_code")["old_code"].nunique()
        shared = self.pairs["new_code"].map(parents).gt(1).groupby(self.pairs["old_code"]).any()
        divided = shared.index.isin(self.divided())
        words = np.select(
            [divided & shared, divided, shared], ["redistribution", "split", "merge"], "successor"
        )
        return pd.Series(words, index=shared.index, dtype=object)

    def parents(self, new_code: str) -> pd.DataFrame:
        """Pairs that lead to a new ward: first the old wards that came wholly, then the parts."""
        found = self.pairs[self.pairs["new_code"].eq(new_code)]
        part = found["old_code"].isin(self.divided()) | ~found["weight"].ge(1 - _ROUNDING)
        return found.assign(part=part).sort_values(
            ["part", "weight", "old_code"], ascending=[True, False, True], ignore_index=True
        )

    def children(self, old_code: str) -> pd.DataFrame:
        """Pairs that lead from an old ward, the largest known part first."""
        found = self.pairs[self.pairs["old_code"].eq(old_code)]
        part = len(found) > 1 or not found["weight"].ge(1 - _ROUNDING).all()
        return found.assign(part=part).sort_values(
            ["weight", "new_code"], ascending=[False, True], ignore_index=True
        )

    def incomplete(self, reporting: Collection[str]) -> tuple[str, ...]:
        """New wards of which a part has no count after carrying: unknown, not small.

        Parameters
        ----------
        reporting : collection of str
            Old codes that have counts at all. A ward is incomplete when one of its old wards is
            none of these, or could not be carried to it; or when no old ward leads to it, which
            this cannot see: the caller knows all new wards.
        """
        pairs = self._there()
        known = pairs["complete"] & pairs["old_code"].isin(list(reporting))
        whole = known.groupby(pairs["new_code"]).all()
        return tuple(whole.index[~whole])


def make_crosswalk(
    from_edition: str, to_edition: str, pairs: Iterable[tuple[str, str, float]]
) -> Crosswalk:
    """Crosswalk from (old code, new code, weight) rows; NaN for a weight that is not known.

    Examples
    --------
    >>> make_crosswalk("2025-01-01", "2025-07-01", [("A", "X", .3), ("A", "Y", .3)])
    Traceback (most recent call last):
    ...
    ValueError: The weights of A sum to 0.6; those of an old ward sum to 1, or none is known.
    """
    rows = pd.DataFrame(list(pairs), columns=["old_code", "new_code", "weight"])
    return _crosswalk(from_edition, to_edition, rows.assign(old_name="", new_name="", basis=GIVEN))


def _crosswalk(from_edition: str, to_edition: str, rows: pd.DataFrame) -> Crosswalk:
    """Crosswalk of checked rows, the weights of every old ward scaled to sum to exactly 1."""
    weight = rows["weight"].astype(float)
    weight = weight.where(rows["old_code"].map(rows["old_code"].value_counts()).gt(1), 1.0)
    sums = weight.groupby(rows["old_code"]).sum(min_count=1)
    off = sums[(sums - 1).abs() > _WEIGHTS_TOLERANCE]
    if len(off):
        raise ValueError(
            f"The weights of {off.index[0]} sum to {off.iloc[0]:.4g}; those of an old ward sum to "
            "1, or none is known."
        )
    weight = weight / rows["old_code"].map(sums)
    basis = rows["basis"].where(weight.notna(), "").where(weight.ne(1.0), WHOLE)
    pairs = rows.assign(weight=weight, basis=basis, complete=weight.notna())[list(PAIR_COLUMNS)]
    return Crosswalk(
        from_edition, to_edition, pairs.sort_values(["old_code", "new_code"], ignore_index=True)
    )


# Published shares are rounded; a sum farther from 1 than this is a mistake.
_WEIGHTS_TOLERANCE = 0.01


# --- weights


def area_weights(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Give each official pair its share of the old ward by area.

    The share is the area of the intersection over the sum of the intersections with the ward's
    official parts, in the computing CRS; what the polygons overlap elsewhere is digitising error
    and creates no pair.

    Parameters
    ----------
    old, new : GeoDataFrame
        Wards tables of the two editions (EPSG:4326).
    pairs : DataFrame
        ``old_code`` and ``new_code``: the official list. Other columns are kept.

    Returns
    -------
    DataFrame
        The pairs in their order with ``weight`` and ``basis``. 1 and "whole" for an old ward with
        one pair, whatever its polygon says. NaN and "" for a divided ward whose polygon is missing
        or contradicts the list: a part without overlap, or parts that together hold less than
        half of the old ward.

    Examples
    --------
    >>> from shapely import box
    >>> wards = lambda codes, boxes: gpd.GeoDataFrame(
    ...     {"code": codes}, geometry=boxes, crs="EPSG:4326")
    >>> old = wards(["A"], [box(106, 10, 106.4, 10.1)])
    >>> new = wards(["X", "Y"], [box(106, 10, 106.1, 10.1), box(106.1, 10, 106.4, 10.1)])
    >>> pairs = pd.DataFrame({"old_code": ["A", "A", "B"], "new_code": ["X", "Y", "Y"]})
    >>> area_weights(old, new, pairs)[["weight", "basis"]].round(3).values.tolist()
    [[0.25, 'area'], [0.75, 'area'], [1.0, 'whole']]
    """
    before = pd.Series(to_metres(old.geometry.to_numpy()), index=old["code"])
    after = pd.Series(to_metres(new.geometry.to_numpy()), index=new["code"])
    shared = _intersections_m2(pairs, before, after)
    sums = shared.groupby(pairs["old_code"]).transform("sum")
    whole_m2 = pairs["old_code"].map(
        pd.Series(shapely.area(before.to_numpy()), index=before.index, dtype=float)
    )
    least = shared.groupby(pairs["old_code"]).transform("min")
    known = shared.groupby(pairs["old_code"]).transform("count").eq(_sizes(pairs))
    trusted = known & least.gt(0) & sums.ge(_LEAST_OVERLAP * whole_m2)
    alone = _sizes(pairs).eq(1)
    weight = (shared / sums).where(trusted).mask(alone, 1.0)
    basis = pd.Series(np.where(alone, WHOLE, np.where(trusted, AREA, "")), index=pairs.index)
    return pairs.assign(weight=weight, basis=basis.astype(object))


def _sizes(pairs: pd.DataFrame) -> pd.Series[int]:
    return pairs["old_code"].map(pairs["old_code"].value_counts()).astype(int)


def _intersections_m2(
    pairs: pd.DataFrame, before: pd.Series[Any], after: pd.Series[Any]
) -> pd.Series[float]:
    """Area that each pair shares; NaN where one of the two has no polygon."""
    left, right = pairs["old_code"].map(before), pairs["new_code"].map(after)
    there = (left.notna() & right.notna()).to_numpy()
    area = np.full(len(pairs), np.nan)
    overlap: npt.NDArray[Any] = shapely.intersection(
        left.to_numpy(object)[there], right.to_numpy(object)[there]
    )
    area[there] = shapely.area(overlap)
    return pd.Series(area, index=pairs.index)


def population_weights(pairs: pd.DataFrame) -> pd.DataFrame:
    """Give each pair its share of the old ward by the people of the part that went there.

    Parameters
    ----------
    pairs : DataFrame
        ``old_code``, ``new_code``, ``population`` (people of the part, NaN when not known).

    Returns
    -------
    DataFrame
        The pairs with ``weight`` and ``basis``; NaN for a divided ward with an unknown part or
        without people.

    Examples
    --------
    >>> pairs = pd.DataFrame(
    ...     {"old_code": ["A", "A"], "new_code": ["X", "Y"], "population": [1000, 3000]})
    >>> population_weights(pairs)["weight"].tolist()
    [0.25, 0.75]
    """
    people = pairs["population"].astype(float)
    sums = people.groupby(pairs["old_code"]).transform("sum")
    known = people.groupby(pairs["old_code"]).transform("count").eq(_sizes(pairs)) & sums.gt(0)
    alone = _sizes(pairs).eq(1)
    weight = (people / sums).where(known).mask(alone, 1.0)
    basis = pd.Series(np.where(alone, WHOLE, np.where(known, POPULATION, "")), index=pairs.index)
    return pairs.assign(weight=weight, basis=basis.astype(object))


# --- carrying


@dataclass(frozen=True)
class Carried:
    """Counts on the wards of another edition.

    Attributes
    ----------
    counts : DataFrame
        The other columns of what was carried (month, category, ...), ``ward`` (new code),
        ``count``, ``estimated`` (how much of the count is estimated) and ``estimated_share``
        (``estimated / count``, 0 to 1; 0 for an empty cell). One row a cell, sorted.
    not_carried : DataFrame
        The other columns, ``ward`` (the old code), ``count`` and ``reason``: ``"no_pair"`` (the
        crosswalk does not name the ward) or ``"no_weight"`` (divided, and its weights not known).
    """

    counts: pd.DataFrame
    not_carried: pd.DataFrame


def carry(counts: pd.DataFrame, crosswalk: Crosswalk, *, integers: bool = False) -> Carried:
    """Carry counts forward: what is carried and what is not sum to what was given.

    A ward that went wholly to one new ward is carried exactly; a divided one by its weights, and
    those parts are estimated; one without weights stays behind, named.

    Parameters
    ----------
    counts : DataFrame
        ``ward`` (old code), ``count`` (0 or more), optionally ``estimated`` (of the count, as
        carried before), and any columns that name the cell (month, category).
    crosswalk : Crosswalk
        From the edition of the counts.
    integers : bool
        Give whole numbers: each old cell is divided by the largest remainder, ties to the lowest
        code. Small counts then lean to the largest part, so measure on fractions and ask for
        integers only to show.

    Returns
    -------
    Carried

    Raises
    ------
    ValueError
        Negative or missing counts, or with ``integers`` counts that are not whole.

    Examples
    --------
    >>> nan = float("nan")
    >>> crosswalk = make_crosswalk("2025-01-01", "2025-07-01", [
    ...     ("A", "X", 1), ("B", "X", 0.4), ("B", "Y", 0.6), ("C", "Y", nan), ("C", "Z", nan)])
    >>> counts = pd.DataFrame({"ward": ["A", "B", "C"], "count": [7, 5, 3]})
    >>> carried = carry(counts, crosswalk)
    >>> carried.counts.values.tolist()
    [['X', 9.0, 2.0, 0.2222222222222222], ['Y', 3.0, 3.0, 1.0]]
    >>> carried.not_carried.values.tolist()
    [['C', 3.0, 'no_weight']]
    """
    _check_counts(counts, integers)
    keys = [name for name in counts.columns if name not in ("ward", "count", "estimated")]
    given = counts.assign(
        count=counts["count"].astype(float),
        estimated=counts["estimated"].astype(float) if "estimated" in counts else 0.0,
        cell=np.arange(len(counts)),
    )
    parts = given.merge(
        crosswalk.pairs[["old_code", "new_code", "weight"]],
        left_on="ward",
        right_on="old_code",
        how="left",
    )
    parts["moved"] = _divided(parts, integers)
    exact = parts["weight"].ge(1 - _ROUNDING)
    parts["moved_estimated"] = parts["estimated"].where(exact, parts["moved"])
    moved = parts[parts["weight"].notna() & parts["new_code"].ne(LOST)]
    return Carried(_cells(moved, keys), _left_behind(given, parts, keys))


def _check_counts(counts: pd.DataFrame, integers: bool) -> None:
    values = counts["count"].to_numpy(float)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("counts has missing or negative values; a ward without incidents is 0.")
    if integers and (values != np.rint(values)).any():
        raise ValueError("counts has fractions; integers can be made of whole numbers only.")


def _divided(parts: pd.DataFrame, integers: bool) -> pd.Series[float]:
    """How much of each cell goes to each of its new wards; NaN where that is not known."""
    moved = parts["count"] * parts["weight"]
    if not integers:
        return moved
    floor = np.floor(moved + _ROUNDING)
    known = moved.groupby(parts["cell"]).transform("sum")
    spare = np.rint(known) - floor.groupby(parts["cell"]).transform("sum")
    order = (
        pd.DataFrame({"cell": parts["cell"], "rest": floor - moved, "code": parts["new_code"]})
        .sort_values(["cell", "rest", "code"], kind="stable")
        .groupby("cell")
        .cumcount()
    )
    whole: pd.Series[float] = floor + (order.reindex(parts.index) < spare)
    return whole


def _cells(moved: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    sums = (
        moved.drop(columns=["ward", "count", "estimated"])
        .rename(columns={"new_code": "ward", "moved": "count", "moved_estimated": "estimated"})
        .groupby([*keys, "ward"], as_index=False)[["count", "estimated"]]
        .sum()
    )
    share = sums["estimated"] / sums["count"].where(sums["count"] > 0)
    return sums.assign(estimated_share=share.fillna(0.0).clip(0.0, 1.0))


def _left_behind(given: pd.DataFrame, parts: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    lost = parts["new_code"].eq(LOST)
    by_cell = parts.assign(
        moved=parts["moved"].where(~lost), weight=parts["weight"].where(~lost)
    ).groupby("cell")
    rest = given["count"].to_numpy() - by_cell["moved"].sum().to_numpy()
    known = by_cell["weight"].sum().to_numpy() >= 1 - _ROUNDING
    unknown = (parts["weight"].isna() & parts["new_code"].notna()).groupby(parts["cell"]).any()
    reason = np.where(unknown.to_numpy(), NO_WEIGHT, NO_PAIR)
    behind = given.assign(count=np.where(known, 0.0, rest), reason=reason)[~known]
    return behind[[*keys, "ward", "count", "reason"]].reset_index(drop=True)


def carry_back(counts: pd.DataFrame, crosswalk: Crosswalk) -> pd.DataFrame:
    """Carry counts backward, which is exact or refused.

    A new ward made of one old ward (unchanged, renamed, or a part of a split) goes back to it;
    one made of several would have to be divided, and nothing says how.

    Parameters
    ----------
    counts : DataFrame
        ``ward`` (new code), ``count``, optionally ``estimated``, and columns that name the cell.
    crosswalk : Crosswalk
        To the edition of the counts.

    Returns
    -------
    DataFrame
        As `Carried.counts`, on the old wards.

    Raises
    ------
    GeoError
        ``backward_through_division`` (wards, from, to): counts on wards that are made of several.

    Examples
    --------
    >>> crosswalk = make_crosswalk("2021-01-01", "2025-01-01", [
    ...     ("A", "X", .5), ("A", "Y", .5), ("B", "Z", 1), ("C", "Z", 1)])
    >>> carry_back(pd.DataFrame({"ward": ["X", "Y"], "count": [3, 4]}), crosswalk).values.tolist()
    [['A', 7.0, 0.0, 0.0]]
    >>> carry_back(pd.DataFrame({"ward": ["Z"], "count": [3]}), crosswalk)
    Traceback (most recent call last):
    ...
    geo.errors.GeoError: Counts of 1 wards cannot be carried from 2025-01-01 back to ...
    """
    _check_counts(counts, integers=False)
    back = _sole_parents(crosswalk)
    refused = sorted(set(counts["ward"]) - set(back.index))
    if refused:
        raise GeoError(
            "backward_through_division",
            f"Counts of {len(refused)} wards cannot be carried from {crosswalk.to_edition} back to "
            f"{crosswalk.from_edition}: {', '.join(refused[:10])} are made of several wards of "
            "that time, and nothing says how to divide them. Look at them on the newer boundaries.",
            wards=tuple(refused),
            count=len(refused),
            earlier=crosswalk.from_edition,
            later=crosswalk.to_edition,
        )
    keys = [name for name in counts.columns if name not in ("ward", "count", "estimated")]
    estimated = counts["estimated"].astype(float) if "estimated" in counts else 0.0
    moved = counts.assign(
        new_code=counts["ward"].map(back),
        moved=counts["count"].astype(float),
        moved_estimated=estimated,
        estimated=estimated,
    )
    return _cells(moved, keys)


def goes_back(crosswalk: Crosswalk) -> tuple[str, ...]:
    """New wards whose counts can be carried back: those made of one old ward, sorted."""
    return tuple(sorted(_sole_parents(crosswalk).index))


def complete_backward(crosswalk: Crosswalk) -> tuple[str, ...]:
    """Old wards of which every part can be carried back, sorted: merged ones are not among them."""
    fine = crosswalk.pairs["new_code"].isin(goes_back(crosswalk))
    whole = fine.groupby(crosswalk.pairs["old_code"]).all()
    return tuple(whole.index[whole])


def _sole_parents(crosswalk: Crosswalk) -> pd.Series[str]:
    pairs = crosswalk.pairs[crosswalk.pairs["new_code"].ne(LOST)]
    alone = ~pairs["new_code"].duplicated(keep=False)
    return pairs[alone].set_index("new_code")["old_code"]


def compose(first: Crosswalk, second: Crosswalk) -> Crosswalk:
    """Crosswalk over two changes in a row.

    Carrying by the result gives the counts that carrying twice gives; what the second change puts
    together again is not estimated.

    Raises
    ------
    ValueError
        If the second does not begin where the first ends.

    Examples
    --------
    >>> first = make_crosswalk("2021-01-01", "2025-01-01", [("A", "M", .6), ("A", "N", .4)])
    >>> second = make_crosswalk("2025-01-01", "2025-07-01", [("M", "X", 1), ("N", "X", 1)])
    >>> compose(first, second).pairs[["old_code", "new_code", "weight", "basis"]].values.tolist()
    [['A', 'X', 1.0, 'whole']]
    """
    if first.to_edition != second.from_edition:
        raise ValueError(
            f"A crosswalk to {first.to_edition} and one from {second.from_edition} do not meet."
        )
    steps = first.pairs.merge(
        second.pairs, how="left", left_on="new_code", right_on="old_code", suffixes=("", "_then")
    )
    lost = steps["new_code_then"].isna()
    steps["new_code_then"] = steps["new_code_then"].fillna(LOST)
    steps["new_name_then"] = steps["new_name_then"].fillna("")
    onward = steps["weight_then"].where(~lost, 1.0)
    # Parts that all end in one ward are put together again, whatever their shares were.
    together = (
        onward.eq(1).groupby(steps["old_code"]).transform("all")
        & steps.groupby("old_code")["new_code_then"].transform("nunique").eq(1)
        & ~lost
    )
    share = 1 / steps.groupby("old_code")["old_code"].transform("size")
    steps["weight"] = (steps["weight"] * onward).mask(together, share)
    # A ward between that comes from nowhere leaves the new ward without one of its parts.
    from_nowhere = set(
        second.pairs.loc[~second.pairs["old_code"].isin(first.pairs["new_code"]), "new_code"]
    )
    complete = steps["complete"] & steps["complete_then"].where(~lost, True).astype(bool)
    steps["complete"] = (complete | together) & ~steps["new_code_then"].isin(from_nowhere)
    pairs = (
        steps.groupby(["old_code", "new_code_then"], as_index=False)
        .agg(
            old_name=("old_name", "first"),
            new_name=("new_name_then", "first"),
            weight=("weight", lambda weights: weights.sum(min_count=1)),
            complete=("complete", "all"),
        )
        .rename(columns={"new_code_then": "new_code"})
    )
    whole = pairs["weight"] >= 1 - _ROUNDING
    weight = pairs["weight"].mask(whole, 1.0)
    basis = np.select([whole, weight.notna()], [WHOLE, COMPOSED], "")
    pairs = pairs.assign(weight=weight, basis=basis.astype(object))[list(PAIR_COLUMNS)]
    return Crosswalk(first.from_edition, second.to_edition, pairs)


def route(crosswalks: Iterable[Crosswalk], start: str, end: str) -> Crosswalk | None:
    """Crosswalk from an earlier edition to a later one, over as few changes as there are.

    Returns
    -------
    Crosswalk or None
        None when the crosswalks do not connect the two.
    """
    by_start: dict[str, list[Crosswalk]] = {}
    for each in crosswalks:
        by_start.setdefault(each.from_edition, []).append(each)
    reached: dict[str, Crosswalk | None] = {start: None}
    waiting = [start]
    while waiting and end not in reached:
        here = waiting.pop(0)
        for step in sorted(by_start.get(here, []), key=lambda each: each.to_edition):
            if step.to_edition not in reached and step.to_edition <= end:
                so_far = reached[here]
                reached[step.to_edition] = step if so_far is None else compose(so_far, step)
                waiting.append(step.to_edition)
    return reached.get(end)


# --- reading


@dataclass(frozen=True)
class CrosswalkFindings:
    """What a crosswalk file says, in numbers.

    Attributes
    ----------
    pairs, old_wards, new_wards : int
        Official pairs, and the wards they name.
    divided : int
        Old wards with more than one pair.
    cannot_be_carried : tuple of (code, name)
        Divided wards without a weight.
    weights_from : dict of str to int
        Divided wards by what their weights rest on.
    set_aside : int
        Rows that the file itself marks as not official; they create no pair.
    without_old_code : tuple of str
        New codes whose row names no old one (an island district had no wards before); they create
        no pair either.
    without_boundary : tuple of (code, name)
        Old wards that the boundaries of their edition do not have: their counts by code can be
        carried, points cannot be placed in them.
    old_without_pair, new_without_pair : tuple of str
        Wards of the two editions that no pair names.
    other_names : tuple of (code, name in the file, name in the boundaries)
        Codes whose name in the file is not the one of the boundaries.
    """

    pairs: int
    old_wards: int
    new_wards: int
    divided: int
    cannot_be_carried: tuple[tuple[str, str], ...]
    weights_from: dict[str, int]
    set_aside: int
    without_old_code: tuple[str, ...]
    without_boundary: tuple[tuple[str, str], ...]
    old_without_pair: tuple[str, ...]
    new_without_pair: tuple[str, ...]
    other_names: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class ReadCrosswalk:
    """A crosswalk and what was found while reading it."""

    crosswalk: Crosswalk
    findings: CrosswalkFindings


KNOWN_COLUMNS = {
    "old_code": ("old_code", "old", "ma_cu", "mã cũ"),
    "new_code": ("new_code", "new", "ma_moi", "mã mới"),
    "old_name": ("old_name", "ten_cu", "tên cũ"),
    "new_name": ("new_name", "ten_moi", "tên mới"),
    "weight": ("weight", "share", "ty_le", "tỷ lệ", "trong_so", "trọng số"),
    "basis": ("basis", "can_cu", "căn cứ"),
    "population": ("population", "dan_so", "dân số"),
    "official": ("official", "chinh_thuc", "chính thức"),
}
"""Columns a crosswalk file may have; the first name that is there wins."""

_NO = frozenset({"false", "0", "no", "n", "không", "khong"})
_YES = frozenset({"true", "1", "yes", "y", "có", "co", "x", ""})


def read_pairs(
    rows: pd.DataFrame, old: gpd.GeoDataFrame, new: gpd.GeoDataFrame, *, measure: bool = True
) -> ReadCrosswalk:
    """Check the rows of a crosswalk file and weigh its divided wards.

    A weight in the file goes before one from the column of people, and that before one from the
    overlap of the polygons.

    Parameters
    ----------
    rows : DataFrame
        Cells as text; columns as in `KNOWN_COLUMNS`, of which ``old_code`` and ``new_code`` are
        needed. The index is the row's number in the file. A divided ward's weights sum to 1
        (within .01) or are all left out.
    old, new : GeoDataFrame
        Wards tables of the two editions. Every new code must be a ward of ``new``; an old code
        need not be one of ``old``, as old boundaries are often incomplete.
    measure : bool
        Weigh by area where the file gives nothing; no for sketched boundaries, which have none.

    Raises
    ------
    GeoError
        ``pairs_columns`` (missing, columns); or unusable rows, all of them in
        ``facts["problems"]`` (a tuple of RowProblem), nothing is taken over then; or
        ``names_do_not_fit``: most old names are not those of the edition, so the codes are of
        another time.
    """
    columns = _columns(rows)
    text = pd.DataFrame(
        {role: _text(rows[columns[role]]) if role in columns else "" for role in KNOWN_COLUMNS},
        index=rows.index,
    )
    given = text.apply(lambda cells: cells.str.casefold() if cells.name == "official" else cells)
    _refuse_bad_rows(given, set(new["code"]))
    blank = given["old_code"].eq("")
    official = given[~given["official"].isin(_NO) & ~blank]
    other_names = _other_names(official, old)
    _refuse_other_time(official, old, other_names)
    weighed = _weighed(official, old if measure else old.iloc[:0], new)
    before, after = (str(table["edition"].iloc[0]) for table in (old, new))
    crosswalk = _crosswalk(before, after, _named(weighed, old, new))
    aside = int(given["official"].isin(_NO).sum()), tuple(given.loc[blank, "new_code"])
    return ReadCrosswalk(crosswalk, _findings(crosswalk, aside, old, new, other_names))


def measured_again(
    crosswalk: Crosswalk, old: gpd.GeoDataFrame, new: gpd.GeoDataFrame
) -> Crosswalk | None:
    """Crosswalk with the weights that new boundaries give where only area had given any, or none.

    Returns
    -------
    Crosswalk or None
        None when nothing changes.
    """
    open_ = crosswalk.pairs["old_code"].isin(
        crosswalk.pairs.loc[crosswalk.pairs["basis"].isin(["", AREA]), "old_code"]
    )
    weighed = area_weights(old, new, crosswalk.pairs[open_])
    pairs = pd.concat([crosswalk.pairs[~open_], weighed])
    found = _crosswalk(crosswalk.from_edition, crosswalk.to_edition, pairs)
    same = np.allclose(found.pairs["weight"], crosswalk.pairs["weight"], equal_nan=True)
    return None if same else found


def _columns(rows: pd.DataFrame) -> dict[str, str]:
    there = {str(name).strip().casefold(): str(name) for name in reversed(list(rows.columns))}
    found = {
        role: there[next(name for name in names if name in there)]
        for role, names in KNOWN_COLUMNS.items()
        if any(name in there for name in names)
    }
    missing = [role for role in ("old_code", "new_code") if role not in found]
    if missing:
        raise GeoError(
            "pairs_columns",
            f"The file has no column {missing}; it has {list(map(str, rows.columns))}. A crosswalk "
            "needs old_code and new_code, and may have weight, basis, population, old_name, "
            "new_name and official.",
            missing=missing,
            columns=[str(name) for name in rows.columns],
        )
    return found


def _text(cells: pd.Series[Any]) -> pd.Series[str]:
    return cells.astype("string").fillna("").str.strip().astype(object)


def _refuse_bad_rows(rows: pd.DataFrame, new_codes: set[str]) -> None:
    official = ~rows["official"].isin(_NO) & rows["old_code"].ne("")
    pair = rows["old_code"] + " " + rows["new_code"]
    weight, weight_read = _number(rows["weight"])
    people, people_read = _number(rows["population"])
    alone = rows["old_code"].map(rows.loc[official, "old_code"].value_counts()).eq(1)
    sums = weight.where(official).groupby(rows["old_code"]).transform("sum")
    given = (weight.notna() & official).groupby(rows["old_code"]).transform("sum")
    size = official.groupby(rows["old_code"]).transform("sum")
    checks = [
        ("blank_code", rows["new_code"].eq(""), pair),
        ("official_not_read", ~rows["official"].isin(_NO | _YES), rows["official"]),
        (
            "unknown_new_ward",
            ~rows["official"].isin(_NO) & ~rows["new_code"].isin(new_codes),
            rows["new_code"],
        ),
        ("pair_twice", official & pair.where(official).duplicated(), pair),
        ("weight_not_share", ~weight_read | weight.le(0) | weight.gt(1), rows["weight"]),
        ("not_a_population", ~people_read | people.lt(0), rows["population"]),
        ("basis_unknown", ~rows["basis"].isin([*BASES, ""]), rows["basis"]),
        ("weights_in_part", official & ~alone & given.gt(0) & given.lt(size), rows["old_code"]),
        (
            "weights_not_one",
            official & given.eq(size) & size.gt(0) & (sums - 1).abs().gt(_WEIGHTS_TOLERANCE),
            sums.round(4).astype(str),
        ),
    ]
    problems: list[RowProblem] = []
    for reason, bad, value in checks:
        seen = {problem.row for problem in problems}
        problems += [
            RowProblem(int(row), str(rows.loc[row, "old_code"]), reason, str(value[row])[:80])
            for row in rows.index[bad]
            if int(row) not in seen
        ]
    if problems:
        problems.sort(key=lambda problem: problem.row)
        shown = "; ".join(map(str, problems[:20])) + ("; ..." if len(problems) > 20 else "")
        raise GeoError(
            "several_problems",
            f"{len(problems)} of {len(rows)} rows of the crosswalk cannot be used: {shown}. "
            "Correct them and add the file again; nothing was taken over.",
            problems=tuple(problems),
        )


def _number(cells: pd.Series[str]) -> tuple[pd.Series[float], pd.Series[bool]]:
    """Numbers of text cells (NaN for an empty one), and whether each could be read."""
    numbers = pd.to_numeric(cells.where(cells.ne(""), None), errors="coerce").astype(float)
    return numbers, cells.eq("") | np.isfinite(numbers)


def _other_names(rows: pd.DataFrame, old: gpd.GeoDataFrame) -> tuple[tuple[str, str, str], ...]:
    there = dict(zip(old["code"], old["name"], strict=True))
    named = rows[rows["old_name"].ne("") & rows["old_code"].isin(there)].drop_duplicates("old_code")
    return tuple(
        (code, name, there[code])
        for code, name in zip(named["old_code"], named["old_name"], strict=True)
        if ward_key(name) != ward_key(there[code])
    )


def _refuse_other_time(
    rows: pd.DataFrame, old: gpd.GeoDataFrame, other_names: tuple[tuple[str, str, str], ...]
) -> None:
    """Refuse a file whose codes are those of another time: re-used codes would all fit."""
    edition = str(old["edition"].iloc[0])
    known = rows["old_code"].isin(old["code"])
    compared = rows[known & rows["old_name"].ne("")]["old_code"].nunique()
    if len(other_names) > compared / 2:
        code, given, there = other_names[0]
        raise GeoError(
            "names_do_not_fit",
            f"{len(other_names)} of {compared} old wards carry another name in the boundaries of "
            f"{edition}: {code} is {given!r} in the file and {there!r} there. The file speaks of "
            "another time; give the edition its old codes belong to.",
            edition=edition,
            count=len(other_names),
            compared=compared,
            code=code,
            given=given,
            there=there,
        )
    if not known.any():
        raise GeoError(
            "codes_do_not_fit",
            f"None of the file's {rows['old_code'].nunique()} old codes is a ward of {edition}. "
            "Give the edition its old codes belong to.",
            edition=edition,
            count=int(rows["old_code"].nunique()),
        )


def _weighed(rows: pd.DataFrame, old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> pd.DataFrame:
    """Weights from the file, else from people, else from area."""
    pairs = rows.assign(population=_number(rows["population"])[0])
    weight = _number(rows["weight"])[0]
    basis = rows["basis"].mask(rows["basis"].eq(""), GIVEN).where(weight.notna(), "")
    for weigh in (population_weights, lambda given: area_weights(old, new, given)):
        if weight.notna().all():
            break
        found = weigh(pairs)
        basis = basis.where(weight.notna(), found["basis"])
        weight = weight.fillna(found["weight"])
    return pairs.assign(weight=weight, basis=basis)


def _named(rows: pd.DataFrame, old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> pd.DataFrame:
    """Names of the boundaries where there are any, else those of the file."""
    before = dict(zip(old["code"], old["name"], strict=True))
    after = dict(zip(new["code"], new["name"], strict=True))
    return rows.assign(
        old_name=rows["old_code"].map(before).fillna(rows["old_name"]),
        new_name=rows["new_code"].map(after).fillna(rows["new_name"]),
    )


def _findings(
    crosswalk: Crosswalk,
    aside: tuple[int, tuple[str, ...]],
    old: gpd.GeoDataFrame,
    new: gpd.GeoDataFrame,
    other_names: tuple[tuple[str, str, str], ...],
) -> CrosswalkFindings:
    pairs = crosswalk.pairs
    name_of = dict(zip(pairs["old_code"], pairs["old_name"], strict=True))
    known = set(old["code"])
    return CrosswalkFindings(
        pairs=len(pairs),
        old_wards=pairs["old_code"].nunique(),
        new_wards=pairs["new_code"].nunique(),
        divided=len(crosswalk.divided()),
        cannot_be_carried=tuple((code, name_of[code]) for code in crosswalk.cannot_be_carried()),
        weights_from=weights_from(crosswalk),
        set_aside=aside[0],
        without_old_code=aside[1],
        without_boundary=tuple(item for item in name_of.items() if item[0] not in known),
        old_without_pair=tuple(sorted(known - set(name_of))),
        new_without_pair=tuple(sorted(set(new["code"]) - set(pairs["new_code"]))),
        other_names=other_names,
    )


def weights_from(crosswalk: Crosswalk) -> dict[str, int]:
    """Divided wards by what their weights rest on; those without a weight are left out."""
    pairs = crosswalk.pairs
    divided = pairs[pairs["old_code"].isin(crosswalk.divided())].drop_duplicates("old_code")
    return {str(b): int(n) for b, n in divided["basis"].value_counts().items() if b}


def write_pairs(crosswalk: Crosswalk) -> bytes:
    """Keep a crosswalk's pairs as Parquet.

    See Also
    --------
    pairs_of : gives the same crosswalk back.
    """
    content = io.BytesIO()
    crosswalk.pairs.to_parquet(content, index=False)
    return content.getvalue()


def pairs_of(path: Path, from_edition: str, to_edition: str) -> Crosswalk:
    """Crosswalk that `write_pairs` kept."""
    return Crosswalk(from_edition, to_edition, pd.read_parquet(path))
