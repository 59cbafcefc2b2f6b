"""All counts of a store on the wards of one edition: placed, carried, or left behind by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    store: Store, editions: Editions, edition: Edition, categories: list[str]
) -> CarriedPanel:
    """Put every count of a store on the wards of an edition.

    Points are placed on it exactly; counts by ward code of another edition are carried through the
    crosswalks, forward by weights, backward only where that is exact. What cannot be carried is
    named, and the wards it would have belonged to are unknown in those months.
    """
    shares = [_points(store, editions, edition)]
    coded = recorded_by_code(store)
    for name, rows in coded.groupby("edition", sort=True):
        shares.append(_by_code(rows, str(name), edition, editions))
    counts = pd.concat([share.counts for share in shares], ignore_index=True)
    wards = editions.wards(edition)
    table = complete_panel(
        counts.astype({"count": float, "estimated": float}),
        list(wards["code"]),
        categories,
        unknown=frozenset().union(*(share.unknown for share in shares)),
    )
    behind = pd.concat([share.behind for share in shares], ignore_index=True)
    return CarriedPanel(edition.edition, table, _named(behind, editions), _estimated(table, wards))


def recorded_by_code(store: Store) -> pd.DataFrame:
    """Return what was recorded by ward code: `edition`, `ward`, `month`, `category`, `count`."""
    tables = [count_rows(store)]
    columns = ["lon", "ward", "month", "category", "edition"]
    for batch in store.batches("incidents"):
        rows = incident_files.read_batch(store, batch, columns)
        for name, coded in rows[rows["lon"].isna()].groupby("edition"):
            tables.append(count_incidents(coded).assign(edition=name))
    return pd.concat(tables, ignore_index=True)[_CELL]


def count_rows(store: Store) -> pd.DataFrame:
    """Return the cells of all imported count files."""
    tables = [incident_files.read_batch(store, batch, _CELL) for batch in store.batches("counts")]
    return pd.concat(tables) if tables else pd.DataFrame(columns=_CELL)


def _points(store: Store, editions: Editions, edition: Edition) -> _Share:
    parts, outside = [], []
    for batch in store.batches("incidents"):
        placed = _placed(store, batch, editions, edition)
        lost = placed["ward"].isna()
        parts.append(count_incidents(placed[~lost]))
        outside.append(count_incidents(placed[lost].assign(ward="")))
    if not parts:
        return _Share(_no_counts(), _nothing_behind())
    behind = pd.concat(outside).assign(edition=edition.edition, reason=OUTSIDE)
    return _Share(pd.concat(parts).assign(estimated=0.0), behind)


def _placed(store: Store, batch: Batch, editions: Editions, edition: Edition) -> pd.DataFrame:
    """Return a batch's points with their ward of an edition, none for those outside.

    Points placed on the same boundaries stay where they are; points placed on others, a sketch of
    the same edition among them, are placed again.
    """
    rows = incident_files.read_batch(
        store, batch, ["lon", "lat", "ward", "month", "category", "boundaries"]
    )
    rows = rows[rows["lon"].notna()]
    elsewhere = rows["boundaries"].ne(edition.wards_file.name).to_numpy()
    if not elsewhere.any():
        return rows
    moved = rows[elsewhere]
    found = assign_wards(moved["lon"].to_numpy(), moved["lat"].to_numpy(), editions.wards(edition))
    wards = rows["ward"].to_numpy(dtype=object, copy=True)
    wards[elsewhere] = found.codes
    return rows.assign(ward=pd.Series(wards, index=rows.index, dtype=object))


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
    reached = set(crosswalk.pairs["new_code"])
    unknown = (every - reached) | set(crosswalk.incomplete(set(rows["ward"])))
    return _Share(
        carried.counts[[*PANEL_COLUMNS, "estimated"]],
        carried.not_carried.assign(edition=name),
        _cells(unknown, rows),
    )


def _backward(rows: pd.DataFrame, name: str, edition: Edition, editions: Editions) -> _Share:
    crosswalk = editions.route(edition.edition, name)
    every = set(editions.wards(edition)["code"])
    if crosswalk is None:
        return _left(rows, NO_CROSSWALK, every)
    fine = rows["ward"].isin(goes_back(crosswalk))
    pairs = crosswalk.pairs
    silent = pairs.loc[~pairs["new_code"].isin(rows["ward"]), "old_code"]
    unknown = every - (set(complete_backward(crosswalk)) - set(silent))
    return _Share(
        carry_back(rows.loc[fine, PANEL_COLUMNS], crosswalk)[[*PANEL_COLUMNS, "estimated"]],
        rows[~fine].assign(reason=BACKWARD),
        _cells(unknown, rows),
    )


def _left(rows: pd.DataFrame, reason: str, every: set[str]) -> _Share:
    return _Share(_no_counts(), rows.assign(reason=reason), _cells(every, rows))


def _cells(wards: set[str], rows: pd.DataFrame) -> frozenset[tuple[str, str]]:
    months = rows["month"].unique()
    return frozenset((ward, str(month)) for ward in wards for month in months)


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


def _estimated(table: pd.DataFrame, wards: pd.DataFrame) -> pd.DataFrame:
    sums = table.groupby("ward")[["count", "estimated"]].sum()
    found = sums[sums["estimated"] > 0]
    names = wards.set_index("code")["name"]
    found = found.assign(
        name=names.reindex(found.index),
        share=found["estimated"] / np.maximum(found["count"], 1e-12),
    )
    return found.sort_values("share", ascending=False)[["name", "count", "estimated", "share"]]
