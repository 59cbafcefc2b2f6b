"""Count tables: how many incidents by ward, month, category and source, so that none is read twice.

A panel reads these, a few thousand cells a year, in place of every incident.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CELL = ["edition", "boundaries", "by_point", "ward", "month", "category", "source"]
CELL_COLUMNS = [*CELL, "count"]
"""`by_point` (bool): the incidents were given as points, and placed on `boundaries` (a file of the
store, empty for those given by ward code). `source`: ``citizen``, ``police`` or empty."""

SCHEMA = pa.schema(
    [
        (name, pa.bool_() if name == "by_point" else pa.int64() if name == "count" else pa.string())
        for name in CELL_COLUMNS
    ]
)

_MOST_CELLS = 5_000_000


def count_table(rows: pa.Table) -> pa.Table:
    """Count incidents by cell, each cell once.

    Parameters
    ----------
    rows : Table
        `lon` (missing where the file gave a ward code) and the texts of `CELL`; a table of before
        sources were kept has no `source`.
    """
    if not len(rows):
        return SCHEMA.empty_table()
    by_point = pc.fill_null(pc.is_finite(rows["lon"]), False).cast(pa.int64()).to_numpy()
    values: dict[str, pa.Array] = {"by_point": pa.array([False, True])}
    codes: dict[str, np.ndarray] = {"by_point": by_point}
    for name in CELL:
        if name not in codes:
            codes[name], values[name] = _encoded(rows, name)
    shape = tuple(len(values[name]) for name in CELL)
    cells, counts = _counted(np.ravel_multi_index([codes[name] for name in CELL], shape), shape)
    positions = np.unravel_index(cells, shape)
    columns = [values[name].take(pa.array(at)) for name, at in zip(CELL, positions, strict=True)]
    return pa.table([*columns, pa.array(counts)], schema=SCHEMA)


def added_up(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the sum of count tables: each cell once, in one order."""
    if not tables:
        return SCHEMA.empty_table()
    summed = pa.concat_tables(tables).group_by(CELL).aggregate([("count", "sum")])
    summed = summed.rename_columns([*CELL, "count"]).select(CELL_COLUMNS).cast(SCHEMA)
    return summed.sort_by([(name, "ascending") for name in CELL])


def _encoded(rows: pa.Table, name: str) -> tuple[np.ndarray, pa.Array]:
    """Return a column of texts as numbers, and the texts that they stand for."""
    if name not in rows.column_names:
        return np.zeros(len(rows), dtype=np.int64), pa.array([""])
    texts = pc.fill_null(rows[name].cast(pa.string()), "")
    encoded = texts.dictionary_encode().unify_dictionaries().combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary


def _counted(cells: np.ndarray, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells with something in them, and how much."""
    if np.prod(shape, dtype=float) > _MOST_CELLS:
        return np.unique(cells, return_counts=True)
    counts = np.bincount(cells)
    filled = np.flatnonzero(counts)
    return filled, counts[filled]
