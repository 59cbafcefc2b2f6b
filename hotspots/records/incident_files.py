"""What was imported, as Parquet files: incidents, monthly counts, and other tables.

Incidents have `row`, `lon`, `lat`, `ward`, `day`, `month`, `category`, `key`, `edition`,
`boundaries` (the file that a point was placed on, empty for a ward code) and, of files that say it,
`source`. They lie in parts, each of one year and with a count table (see `count_tables`); a batch
of before there were parts is one file. Counts have `ward`, `month`, `category`, `count`, `edition`
and may have `source`; they and the other kinds are one file a batch.

Only current rows count: those that no later batch replaces (see `superseding`). The others stay
where they are, and are read by asking for them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hotspots.records.count_tables import CELL_COLUMNS, SCHEMA, count_table
from hotspots.records.staging import ROWS_A_PART, BatchWriter, StagedBatch
from hotspots.records.store import Batch, Store
from hotspots.records.superseding import Scope, are_superseded, needed_columns

__all__ = [
    "BatchWriter",
    "Scope",
    "StagedBatch",
    "batch_writer",
    "cells",
    "covered_months",
    "iter_batch",
    "known_keys",
    "points_to_place",
    "read_batch",
    "replaced_by",
    "write_batch",
]

_Which = Literal["current", "superseded", "all"]
_SOURCE = "source"


def batch_writer(store: Store, kind: str, *, rows_a_part: int = ROWS_A_PART) -> BatchWriter:
    """Return a writer of a batch's rows, on the disk of the store and not in it."""
    return BatchWriter(store.staging_place(), kind, rows_a_part=rows_a_part)


def write_batch(store: Store, table: pd.DataFrame, *, kind: str, sha256: str) -> str:
    """Write the rows of a small batch and return the file's name.

    Nobody reads it before `add_batch`. For incidents use a `batch_writer`, which counts them too.
    """
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    name = f"{kind}-{sha256[:16]}.parquet"
    store.write_file("incidents", name, content.getvalue())
    return name


def read_batch(
    store: Store, batch: Batch, columns: list[str] | None = None, *, superseded: bool = False
) -> pd.DataFrame:
    """Read a batch's rows, those of parts in the order of the years.

    Parameters
    ----------
    columns : list of str, optional
        By default all; a `source` that was never given is empty.
    superseded : bool
        The rows that later batches replaced, in place of the current ones.
    """
    tables = list(iter_batch(store, batch, columns, superseded=superseded))
    if not tables:
        return pd.DataFrame(columns=columns or [])
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def iter_batch(
    store: Store, batch: Batch, columns: list[str] | None = None, *, superseded: bool = False
) -> Iterator[pd.DataFrame]:
    """Read a batch's rows file by file; see `read_batch`."""
    return _files_of(store, batch, columns, "superseded" if superseded else "current")


def cells(store: Store, batch: Batch, *, superseded: bool = False) -> pd.DataFrame:
    """Return how many incidents a batch of incidents or of counts has, by cell.

    Returns
    -------
    DataFrame
        `edition`, `boundaries`, `by_point`, `ward`, `month`, `category`, `source`, `count`
        of current rows or of superseded ones; what two parts say of a cell is not added up.
    """
    which: _Which = "superseded" if superseded else "current"
    if batch.kind == "counts":
        return _cells_of_counts(store, batch, which)
    tables = [
        pq.read_table(store.path("incidents", name), schema=SCHEMA)
        for name in (part.counts for part in batch.parts)
    ]
    if batch.file:
        tables.append(_counted_now(store, batch.file))
    table: pd.DataFrame = pa.concat_tables([SCHEMA.empty_table(), *tables]).to_pandas()
    return _chosen(table, batch.superseded_by, which)


def points_to_place(store: Store, batch: Batch, boundaries: str) -> Iterator[pd.DataFrame]:
    """Return the current points of incidents that were placed on other boundaries than these.

    Returns
    -------
    iterator of DataFrame
        `lon`, `lat`, `month`, `category`, `edition`, `source`; of a batch in parts only
        those parts are read that hold such points.
    """
    columns = ["lon", "lat", "month", "category", "edition", "source", "boundaries"]
    files = [batch.file] if batch.file else []
    for part in batch.parts:
        counted = pq.read_table(
            store.path("incidents", part.counts), columns=["boundaries", "by_point"]
        ).to_pandas()
        if (counted["by_point"] & counted["boundaries"].ne(boundaries)).any():
            files.append(part.file)
    for name in files:
        rows = _read(store, name, columns, batch.superseded_by, "current")
        elsewhere = rows["lon"].notna() & rows["boundaries"].ne(boundaries)
        if elsewhere.any():
            yield rows.loc[elsewhere, columns[:-1]]


def known_keys(
    store: Store, *, superseded: bool = False, without: Scope | None = None
) -> np.ndarray:
    """Return the content keys of the current incidents in the store, sorted.

    Parameters
    ----------
    superseded : bool
        Those of superseded incidents too.
    without : Scope, optional
        Leave out what a batch of this scope would replace.
    """
    keys: list[np.ndarray] = []
    leave_out = () if without is None or "incidents" not in without.kinds else (without,)
    columns = ["key", *(needed_columns(leave_out) if leave_out else ())]
    for batch in store.batches("incidents"):
        for rows in _files_of(store, batch, columns, "all" if superseded else "current"):
            keys.append(_chosen(rows, leave_out, "current")["key"].to_numpy())
    return _sorted_once(np.concatenate(keys)) if keys else np.empty(0, dtype=np.uint64)


def covered_months(
    store: Store, kind: str, *, without: Scope | None = None
) -> set[tuple[str, str]]:
    """Return the (month, category) pairs that the current rows of one kind speak of.

    Parameters
    ----------
    without : Scope, optional
        Leave out what a batch of this scope would replace.
    """
    covered: set[tuple[str, str]] = set()
    leave_out = () if without is None or kind not in without.kinds else (without,)
    for batch in store.batches(kind):
        if leave_out or batch.parts:
            table = _chosen(cells(store, batch), leave_out, "current")
        else:
            table = read_batch(store, batch, ["month", "category"])
        pairs = table[["month", "category"]].drop_duplicates()
        covered.update(pairs.itertuples(index=False, name=None))
    return covered


def replaced_by(store: Store, scope: Scope) -> pd.DataFrame:
    """Return what a batch of a scope would replace: what to show before it does.

    Returns
    -------
    DataFrame
        `batch`, `kind`, and the columns of `cells`: the current rows that lie in the scope.
    """
    found = [pd.DataFrame(columns=["batch", "kind", *CELL_COLUMNS])]
    for batch in store.batches():
        if batch.kind in scope.kinds:
            there = _chosen(cells(store, batch), (scope,), "superseded")
            found.append(there.assign(batch=batch.batch, kind=batch.kind))
    filled = [table for table in found if len(table)] or found[:1]
    return pd.concat(filled, ignore_index=True)[found[0].columns]


def _sorted_once(keys: np.ndarray) -> np.ndarray:
    """Return different keys, sorted (`np.unique` hashes them: 14 times as slow for 5e6)."""
    ordered = np.sort(keys)
    once = np.ones(len(ordered), dtype=bool)
    once[1:] = ordered[1:] != ordered[:-1]
    return ordered[once]


def _files_of(
    store: Store, batch: Batch, columns: list[str] | None, which: _Which
) -> Iterator[pd.DataFrame]:
    if batch.file:
        yield _read(store, batch.file, columns, batch.superseded_by, which)
    for part in batch.parts:
        scopes = [scope for scope in batch.superseded_by if scope.touches(part.year)]
        yield _read(store, part.file, columns, scopes, which)


def _read(
    store: Store, name: str, columns: list[str] | None, scopes: Sequence[Scope], which: _Which
) -> pd.DataFrame:
    """Read the columns of a file, of the rows that are asked for."""
    path = store.path("incidents", name)
    wanted = columns
    if columns is not None:
        if scopes:
            wanted = list(dict.fromkeys([*columns, *needed_columns(scopes)]))
        if _SOURCE in columns and _SOURCE not in pq.read_schema(path).names:
            wanted = [column for column in wanted or () if column != _SOURCE]
    table: pd.DataFrame = pd.read_parquet(path, columns=wanted)
    if columns is not None and _SOURCE in columns and _SOURCE not in table:
        table = table.assign(**{_SOURCE: ""})
    table = _chosen(table, scopes, which)
    return table if columns is None else table[columns]


def _chosen(table: pd.DataFrame, scopes: Sequence[Scope], which: _Which) -> pd.DataFrame:
    if which == "all" or (which == "current" and not scopes):
        return table
    gone = are_superseded(table, scopes)
    return table[~gone if which == "current" else gone].reset_index(drop=True)


def _cells_of_counts(store: Store, batch: Batch, which: _Which) -> pd.DataFrame:
    columns = ["edition", "ward", "month", "category", _SOURCE, "count"]
    tables = list(_files_of(store, batch, columns, which))
    if not tables:
        table: pd.DataFrame = SCHEMA.empty_table().to_pandas()
        return table
    return tables[0].assign(boundaries="", by_point=False)[CELL_COLUMNS]


def _counted_now(store: Store, name: str) -> pa.Table:
    """Count the incidents of a file that has no count table."""
    path = store.path("incidents", name)
    there = pq.read_schema(path).names
    columns = [column for column in ("lon", *CELL_COLUMNS) if column in there and column != "count"]
    texts = [column for column in columns if column != "lon"]
    return count_table(pq.read_table(path, columns=columns, read_dictionary=texts))
