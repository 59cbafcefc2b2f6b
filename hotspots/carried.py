"""All counts of a store on the wards of one edition: placed, carried, or left behind by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from geo.assign import assign_wards
from geo.crosswalk import carry, carry_back, complete_backward, goes_back
from hotspots.editions import Editions
from hotspots.measures.panel import PANEL_COLUMNS, complete_panel, count_incidents
from hotspots.records import incident_files
from hotspots.records.store import Batch, Edition, Store
from hotspots.snapshot import CarriedPanel

NO_CROSSWALK = "no_crosswalk"
BACKWARD = "backward_through_division"
OUTSIDE = "outside"

_CELL = ["edition", *PANEL_COLUMNS]


@dataclass(frozen=True)
class _Share:
    """What one source gives to the panel: counts, what stays behind, and what is unknown."""

    counts: pd.DataFrame
    behind: pd.DataFrame
    unknown: frozenset[tuple[str, str]] = frozenset()


def carried_panel(
    store: Store,
    editions: Editions,
    edition: Edition,
    categories: list[str],
    *,
    leave_out: Collection[str] = (),
) -> CarriedPanel:
    """Put every count of a store on the wards of an edition.

    Points are placed on it exactly; counts by ward code of another edition are carried through the
    crosswalks, forward by weights, backward only where that is exact. What cannot be carried is
    named, and the wards it would have belonged to are unknown in those months.

    Parameters
    ----------
    leave_out : collection of str
        Sources ("police", "citizen") whose incidents are not counted. What is known and what is
        not stays as it is with them: a ward that reported only such incidents reported.
    """
    batches = store.batches()
    incidents = _incidents(store, batches)
    shares = [_points(store, incidents, editions, edition, leave_out)]
    recorded = _recorded(store, batches, incidents, leave_out)
    for name, rows in recorded.groupby("edition", sort=True):
        shares.append(_by_code(rows, str(name), edition, editions))
    counts = pd.concat([share.counts for share in shares], ignore_index=True)
    # Wards known from a crosswalk only, without a boundary, stand in it if they have counts.
    wards = sorted(set(editions.wards(edition)["code"]) | set(counts["ward"]))
    table = complete_panel(
        counts.astype({"count": float, "estimated": float}),
        wards,
        categories,
        unknown=frozenset().union(*(share.unknown for share in shares)),
    )
    behind = pd.concat([share.behind for share in shares], ignore_index=True)
    names = editions.names(edition.edition)["name"]
    return CarriedPanel(edition.edition, table, _named(behind, editions), _estimated(table, names))


def recorded_by_code(store: Store) -> pd.DataFrame:
    """Return what was recorded by ward code, in incidents and in monthly counts.

    Returns
    -------
    DataFrame
        `edition`, `ward`, `month`, `category`, `count`, `single` (bool: from single incidents).
    """
    batches = store.batches()
    return _recorded(store, batches, _incidents(store, batches))


def sources_on_record(store: Store) -> frozenset[str]:
    """Return who reported what the store counts: ``citizen``, ``police``; empty: nobody said."""
    batches = store.batches()
    tables = [_count_rows(store, batches, by_source=True)]
    tables += [cells for _, cells in _incidents(store, batches)]
    return frozenset(str(name) for table in tables for name in table["source"].unique() if name)


def count_rows(store: Store, *, by_source: bool = False) -> pd.DataFrame:
    """Return the current cells of all imported count files, each once.

    Parameters
    ----------
    by_source : bool
        With the column `source`, and a cell once for each.
    """
    return _count_rows(store, store.batches(), by_source=by_source)


def _count_rows(store: Store, batches: Iterable[Batch], *, by_source: bool = False) -> pd.DataFrame:
    columns = [*_CELL, "source"]
    tables = [
        incident_files.read_batch(store, batch, columns)
        for batch in batches
        if batch.kind == "counts"
    ]
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=columns if by_source else _CELL)
    rows = pd.concat(filled)
    if by_source:
        return rows
    if rows["source"].ne("").any():
        sums: pd.DataFrame = rows.groupby(_CELL[:-1], as_index=False)[["count"]].sum()
        return sums
    return rows[_CELL]


def held_counts(store: Store) -> pd.DataFrame:
    """Return all that the store holds and that counts, as it was recorded: nothing is carried.

    Returns
    -------
    DataFrame
        `kind` (``incidents`` or ``counts``), `edition`, `ward`, `month`, `category`, `source`,
        `count`; each cell of a kind once.
    """
    cell = ["kind", *_CELL[:-1], "source"]
    tables = [
        incident_files.cells(store, batch).assign(kind=batch.kind)
        for batch in store.batches()
        if batch.kind in ("incidents", "counts")
    ]
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=[*cell, "count"])
    held: pd.DataFrame = pd.concat(filled).groupby(cell, as_index=False)[["count"]].sum()
    return held


_Cells = list[tuple[Batch, pd.DataFrame]]


def _incidents(store: Store, batches: Iterable[Batch]) -> _Cells:
    """Return the batches of incidents, each with the cells of its current rows."""
    return [
        (batch, incident_files.cells(store, batch))
        for batch in batches
        if batch.kind == "incidents"
    ]


def _recorded(
    store: Store, batches: Iterable[Batch], incidents: _Cells, leave_out: Collection[str] = ()
) -> pd.DataFrame:
    counts = _count_rows(store, batches, by_source=bool(leave_out))
    tables = [_emptied(counts, leave_out).assign(single=False)]
    tables += [
        _emptied(cells[~cells["by_point"]], leave_out)[_CELL].assign(single=True)
        for _, cells in incidents
    ]
    return pd.concat(tables, ignore_index=True)[[*_CELL, "single"]]


def _emptied(cells: pd.DataFrame, leave_out: Collection[str]) -> pd.DataFrame:
    """Return cells with nothing counted of some sources; that they were reported stays."""
    if not leave_out:
        return cells
    return cells.assign(count=cells["count"].where(~cells["source"].isin(leave_out), 0))


def _points(
    store: Store,
    incidents: _Cells,
    editions: Editions,
    edition: Edition,
    leave_out: Collection[str] = (),
) -> _Share:
    """Count the points in the wards of an edition.

    Points placed on the same boundaries stay where they are, and their count tables say how many;
    points placed on others, a sketch of the same edition among them, are placed again.
    """
    parts, outside, unknown = [], [], set[tuple[str, str]]()
    here = edition.wards_file.name
    for batch, cells in incidents:
        points = cells[cells["by_point"]]
        for name, there in points.groupby("edition"):
            lacking = editions.partly_outside(edition, editions.named(str(name)))
            unknown |= _cells(lacking, there["month"].unique())
        moved = points["boundaries"].ne(here)
        parts.append(_emptied(points[~moved], leave_out)[PANEL_COLUMNS])
        for rows in incident_files.points_to_place(store, batch, here) if moved.any() else ():
            placed = _placed(rows[~rows["source"].isin(leave_out)], editions, edition)
            lost = placed["ward"].isna()
            parts.append(count_incidents(placed[~lost]))
            outside.append(count_incidents(placed[lost].assign(ward="")))
    if not parts:
        return _Share(_no_counts(), _nothing_behind())
    behind = pd.concat([_no_counts()[PANEL_COLUMNS], *outside])
    behind = behind.assign(edition=edition.edition, reason=OUTSIDE)
    return _Share(pd.concat(parts).assign(estimated=0.0), behind, frozenset(unknown))


def _placed(rows: pd.DataFrame, editions: Editions, edition: Edition) -> pd.DataFrame:
    """Return points with their ward of an edition, none for those outside."""
    found = assign_wards(rows["lon"].to_numpy(), rows["lat"].to_numpy(), editions.wards(edition))
    return rows.assign(ward=pd.Series(found.codes, index=rows.index, dtype=object))


def _by_code(rows: pd.DataFrame, name: str, edition: Edition, editions: Editions) -> _Share:
    """Bring counts recorded on one edition to another."""
    if name == edition.edition:
        return _Share(rows[PANEL_COLUMNS].assign(estimated=0.0), _nothing_behind())
    forward = name < edition.edition
    bring = _forward if forward else _backward
    return bring(rows, name, edition, editions)


def _forward(rows: pd.DataFrame, name: str, edition: Edition, editions: Editions) -> _Share:
    crosswalk = editions.route(name, edition.edition)
    every = set(editions.wards(edition)["code"])
    if crosswalk is None:
        return _left(rows, NO_CROSSWALK, every)
    carried = carry(rows[PANEL_COLUMNS], crosswalk)
    never = every - set(crosswalk.pairs["new_code"])
    unknown = set[tuple[str, str]]()
    for month, reporting in reports(
        rows, set(editions.wards(editions.named(name))["code"])
    ).items():
        unknown |= _cells(never | set(crosswalk.incomplete(reporting)), [month])
    return _Share(
        carried.counts[[*PANEL_COLUMNS, "estimated"]],
        carried.not_carried.assign(edition=name),
        frozenset(unknown),
    )


def _backward(rows: pd.DataFrame, name: str, edition: Edition, editions: Editions) -> _Share:
    crosswalk = editions.route(edition.edition, name)
    every = set(editions.wards(edition)["code"])
    if crosswalk is None:
        return _left(rows, NO_CROSSWALK, every)
    fine = rows["ward"].isin(goes_back(crosswalk))
    pairs = crosswalk.pairs
    whole = set(complete_backward(crosswalk))
    unknown = set[tuple[str, str]]()
    for month, reporting in reports(
        rows, set(editions.wards(editions.named(name))["code"])
    ).items():
        silent = set(pairs.loc[~pairs["new_code"].isin(reporting), "old_code"])
        unknown |= _cells(every - (whole - silent), [month])
    return _Share(
        carry_back(rows.loc[fine, PANEL_COLUMNS], crosswalk)[[*PANEL_COLUMNS, "estimated"]],
        rows.loc[~fine, _CELL].assign(reason=BACKWARD),
        frozenset(unknown),
    )


def _left(rows: pd.DataFrame, reason: str, every: set[str]) -> _Share:
    behind = rows[_CELL].assign(reason=reason)
    return _Share(_no_counts(), behind, frozenset(_cells(every, rows["month"].unique())))


def reports(rows: pd.DataFrame, wards: Collection[str]) -> dict[str, frozenset[str]]:
    """Return which wards of an edition reported in each month, by what they recorded by code.

    Single incidents cannot say a nothing, so in a month with incidents every ward of the edition
    has reported. Monthly counts can, yet many files leave out what is 0: a ward reports from its
    first month to its last, and a silence before or after that is taken for a nothing only when
    so long a silence is not unlikely (`_UNLIKELY`, Poisson, from the ward's own mean).

    Parameters
    ----------
    rows : DataFrame
        Of one edition, see `recorded_by_code`.
    wards : collection of str
        The wards with a boundary: an office reports for these.
    """
    counts = rows[~rows["single"].astype(bool)]
    months = sorted(counts["month"].unique())
    reporting = {month: set[str]() for month in months}
    place = {month: number for number, month in enumerate(months)}
    of_ward = counts.assign(at=counts["month"].map(place)).groupby("ward")
    seen = of_ward.agg(first=("at", "min"), last=("at", "max"), count=("count", "sum"))
    for ward, first, last, count in seen.itertuples():
        mean = float(count) / (last - first + 1)
        silence = -np.log(_UNLIKELY) / mean if mean > 0 else np.inf
        start = 0 if first <= silence else first
        end = len(months) - 1 if len(months) - 1 - last <= silence else last
        for month in months[start : end + 1]:
            reporting[month].add(str(ward))
    single = rows[rows["single"].astype(bool)]
    everybody = set(wards) | set(single["ward"])
    for month in set(single["month"]) - set(months):
        reporting[month] = everybody
    return {str(month): frozenset(found) for month, found in reporting.items()}


_UNLIKELY = 0.01


def _cells(wards: Collection[str], months: Iterable[object]) -> set[tuple[str, str]]:
    return {(ward, str(month)) for month in months for ward in wards}


def _no_counts() -> pd.DataFrame:
    return pd.DataFrame(columns=[*PANEL_COLUMNS, "estimated"])


def _nothing_behind() -> pd.DataFrame:
    return pd.DataFrame(columns=[*_CELL, "reason"])


def _named(behind: pd.DataFrame, editions: Editions) -> pd.DataFrame:
    rows = behind[behind["count"].astype(float) > 0].copy()
    rows["name"] = list(_names(rows, editions))
    columns = ["edition", "ward", "name", "month", "category", "count", "reason"]
    return rows[columns].astype({"count": float}).reset_index(drop=True)


def _names(rows: pd.DataFrame, editions: Editions) -> Iterator[str]:
    name_of: dict[str, Callable[[str, str], str]] = {
        edition: editions.names(edition)["name"].to_dict().get for edition in set(rows["edition"])
    }
    for edition, ward in zip(rows["edition"], rows["ward"], strict=True):
        yield name_of[edition](ward, "")


def _estimated(table: pd.DataFrame, names: pd.Series[str]) -> pd.DataFrame:
    sums = table.groupby("ward")[["count", "estimated"]].sum()
    found = sums[sums["estimated"] > 0]
    found = found.assign(
        name=names.reindex(found.index),
        share=found["estimated"] / np.maximum(found["count"], 1e-12),
    )
    return found.sort_values("share", ascending=False)[["name", "count", "estimated", "share"]]
