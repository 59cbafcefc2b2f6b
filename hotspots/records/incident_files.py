"""Incidents and monthly counts as Parquet files, one a batch.

An incident file holds `row, lon, lat, ward, day, month, category, key, edition`; a count file
`ward, month, category, count, edition`.
"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from hotspots.records.store import Batch, Store


def write_batch(store: Store, table: pd.DataFrame, *, kind: str, sha256: str) -> str:
    """Write a batch's rows and return the file's name; nobody reads it before `add_batch`."""
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    name = f"{kind}-{sha256[:16]}.parquet"
    store.write_file("incidents", name, content.getvalue())
    return name


def read_batch(store: Store, batch: Batch, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a batch's rows; an empty batch gives an empty table."""
    path = store.path("incidents", batch.file)
    table: pd.DataFrame = pd.read_parquet(path, columns=columns)
    return table


def known_keys(store: Store) -> np.ndarray:
    """Return the content keys of all incidents in the store, sorted."""
    keys = [read_batch(store, batch, ["key"])["key"] for batch in store.batches("incidents")]
    return np.unique(np.concatenate(keys)) if keys else np.empty(0, dtype=np.uint64)


def covered_months(store: Store, kind: str) -> set[tuple[str, str]]:
    """Return the (month, category) pairs that the files of one kind speak of."""
    covered: set[tuple[str, str]] = set()
    for batch in store.batches(kind):
        table = read_batch(store, batch, ["month", "category"]).drop_duplicates()
        covered.update(table.itertuples(index=False, name=None))
    return covered
