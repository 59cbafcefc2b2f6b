"""Parquet -> rows of text, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pa_parquet

from hotspots.errors import IntakeError
from hotspots.records.reading.cell_text import moment_text, number_text
from hotspots.records.reading.header import checked_names, is_index, without_rows
from hotspots.records.reading.limits import Limits, Wish
from hotspots.records.reading.sink import Sink

_BATCH = 50_000


def read(file: BinaryIO, name: str, wish: Wish, limits: Limits, sink: Sink) -> None:
    """Read a Parquet file to its end; every cell becomes the text a person would type.

    Whole numbers have no point, days are ``yyyy-mm-dd``, nothing is "". Columns of lists, records
    or bytes are left out, which is said.

    Raises
    ------
    IntakeError
        ``file_not_read``, ``file_without_rows``, ``header_not_usable``, ``too_many_columns``,
        ``too_many_rows``.
    """
    try:
        _read(file, name, limits, sink)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise IntakeError(
            "file_not_read", f"{name} cannot be read as Parquet.", file=name, problem="Parquet"
        ) from error


def _read(file: BinaryIO, name: str, limits: Limits, sink: Sink) -> None:
    file.seek(0)
    parquet = pa_parquet.ParquetFile(pa.PythonFile(file, mode="r"))
    rows = parquet.metadata.num_rows
    if rows > limits.table_rows:
        raise IntakeError(
            "too_many_rows",
            f"{name} has {rows} rows; allowed are {limits.table_rows}. Divide it.",
            file=name,
            most=limits.table_rows,
        )
    schema = parquet.schema_arrow
    usable = [
        place
        for place, field in enumerate(schema)
        if _is_cell(field.type) and not is_index(field.name)
    ]
    left_out = [
        field.name
        for place, field in enumerate(schema)
        if place not in set(usable) and not is_index(field.name)
    ]
    names = checked_names([schema.field(place).name for place in usable], name, limits)
    if rows == 0:
        raise without_rows(name)
    sink.header(names)
    if left_out:
        sink.found("columns_left_out", columns=left_out)
    at = 0
    wanted = [schema.field(place).name for place in usable]
    for batch in parquet.iter_batches(batch_size=_BATCH, columns=wanted, use_threads=False):
        cells = {
            clean: as_text(batch.column(given)) for clean, given in zip(names, wanted, strict=True)
        }
        sink.rows(cells, range(at + 1, at + batch.num_rows + 1))
        at += batch.num_rows
        sink.progress(at / rows)


def _is_cell(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return not (pa.types.is_nested(kind) or binary or pa.types.is_fixed_size_binary(kind))


def as_text(column: Any) -> Any:
    """Return a column as text; missing is "".

    Examples
    --------
    >>> as_text(pa.array([26740.0, 10.5, None])).to_pylist()
    ['26740', '10.5', '']
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _shown(column, lambda value: number_text(float(value)))
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return _shown(column, moment_text)
    if pa.types.is_timestamp(kind):
        return _shown(column.cast(pa.timestamp("us"), safe=False), moment_text)
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return _shown(column, str)
    return pc.fill_null(column.cast(pa.string()), "")


def _shown(column: Any, show: Callable[[Any], str]) -> Any:
    """Return what a function shows of each value; values that repeat are shown once."""
    encoded = column.dictionary_encode()
    shown = [show(value) for value in encoded.dictionary.to_pylist()]
    return pc.fill_null(pa.array(shown, pa.string()).take(encoded.indices), "")
