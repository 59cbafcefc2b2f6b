"""What readers hand over is kept as text and numbers, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.records.reading.sink import (
    BATCH_ROWS,
    GEOMETRY,
    NUMBER,
    ArrowSink,
    read_batches,
    read_facts,
    read_ragged,
)


def test_rows_facts_and_unused_rows_come_back(tmp_path: Path) -> None:
    with ArrowSink(tmp_path) as sink:
        sink.header(["ma", "te\u0302n"], geometry=True)
        sink.rows(
            {"ma": ["1", None], "te\u0302n": ["Be\u0302\u0301n", "x"], GEOMETRY: [b"wkb", None]},
            [1, 3],
        )
        sink.ragged(2, "wrong_number_of_cells", "y" * 200)
        sink.found("blank_rows", rows=1)
        sink.found("blank_rows", rows=1)
        sink.fact(encoding="utf-8")
        sink.fact(sheet="một")
    rows = [row for batch in read_batches(tmp_path) for row in batch.to_pylist()]
    assert rows == [
        {"ma": "1", "tên": "Bến", GEOMETRY: b"wkb", NUMBER: 1},
        {"ma": "", "tên": "x", GEOMETRY: None, NUMBER: 3},
    ]
    assert read_ragged(tmp_path).to_pylist() == [
        {"row": 2, "reason": "wrong_number_of_cells", "value": "y" * 80}
    ]
    assert read_facts(tmp_path) == {
        "columns": ["ma", "tên"],
        "geometry": True,
        "rows": 2,
        "ragged": 1,
        "found": [{"code": "blank_rows", "facts": {"rows": 1}}],
        "facts": {"encoding": "utf-8", "sheet": "một"},
    }


def test_large_batches_are_cut(tmp_path: Path) -> None:
    rows = BATCH_ROWS * 2 + 1
    with ArrowSink(tmp_path) as sink:
        sink.header(["a"])
        sink.rows({"a": pa.nulls(rows, pa.string())}, range(1, rows + 1))
    assert [batch.num_rows for batch in read_batches(tmp_path)] == [BATCH_ROWS, BATCH_ROWS, 1]


def test_many_unused_rows_are_kept_in_order(tmp_path: Path) -> None:
    with ArrowSink(tmp_path) as sink:
        for row in range(25_000):
            sink.ragged(row, "r", "v")
    assert read_ragged(tmp_path)["row"].to_pylist() == list(range(25_000))


def test_after_an_error_there_are_no_facts_to_be_taken_for_a_reading(tmp_path: Path) -> None:
    sink = ArrowSink(tmp_path)
    sink.header(["a"])
    sink.rows({"a": ["1"]}, [1])
    sink.__exit__(ValueError, ValueError("stop"), None)
    assert not (tmp_path / "facts.json").exists()


def test_the_header_comes_once_and_first(tmp_path: Path) -> None:
    sink = ArrowSink(tmp_path)
    with pytest.raises(RuntimeError):
        sink.rows({"a": ["1"]}, [1])
    sink.header(["a"])
    with pytest.raises(RuntimeError):
        sink.header(["a"])
    sink.close()


def test_progress_is_a_share(tmp_path: Path) -> None:
    sink = ArrowSink(tmp_path)
    sink.progress(7.5)
    assert (tmp_path / "progress").read_text() == "1.0000"


def test_rows_that_were_tampered_with_are_not_taken(tmp_path: Path) -> None:
    with ArrowSink(tmp_path) as sink:
        sink.header(["a"])
        sink.rows({"a": ["one", "two", "three"]}, [1, 2, 3])
    path = tmp_path / "rows.arrow"
    ends = b"".join(end.to_bytes(4, "little") for end in (0, 3, 6, 11))
    content = path.read_bytes()
    assert ends in content
    path.write_bytes(content.replace(ends, ends[:4] + (2**30).to_bytes(4, "little") + ends[8:]))
    with pytest.raises(pa.ArrowInvalid):
        list(read_batches(tmp_path))


@given(cells=st.lists(st.text(st.characters(), max_size=8) | st.sampled_from(["\ud800", "Ế"])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_text_can_be_kept(tmp_path: Path, cells: list[str]) -> None:
    with ArrowSink(tmp_path) as sink:
        sink.header(["a"])
        sink.rows({"a": cells}, range(len(cells)))
    kept = [cell for batch in read_batches(tmp_path) for cell in batch["a"].to_pylist()]
    assert len(kept) == len(cells)
    assert all(ours == given_ for ours, given_ in zip(kept, cells, strict=True) if given_.isascii())
