"""Import a long CSV of made-up points and print what it took: rows a CPU second, peak memory.

Run: python benchmarks/import_long.py [--rows 5000000]
"""

import argparse
import resource
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from geo.schematic import schematic_wards
from hotspots.demonstration import DATA, EDITION, ward_facts
from hotspots.measures.file_kinds import FileKind
from hotspots.records.intake import open_file
from hotspots.tracker import Tracker

_AT_ONCE = 250_000


def main() -> None:
    """Make a store and a long file, import the file, and print the cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker.open(Path(folder) / "store", create=True)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        tracker.add_programme((DATA / "hcmc_programme.toml").read_text("utf-8"), now)
        tracker.add_schematic_boundaries(schematic_wards(ward_facts(), EDITION), EDITION, now)
        path = _points(Path(folder), rows)
        before = _mb(resource.RUSAGE_SELF)
        with open_file(path) as reading:
            memory = reading.cost["memory_bytes"] / 1e6
        start = time.process_time(), _cpu_of_children()
        trial = tracker.import_file(path, FileKind.INCIDENTS, today=date(2026, 1, 1), now=now)
        own, child = time.process_time() - start[0], _cpu_of_children() - start[1]
        receipt = trial.receipt
        assert receipt.accepted + len(receipt.rejected) == receipt.rows == rows
        print(
            f"{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB: {receipt.accepted:,} accepted + "
            f"{len(receipt.rejected):,} rejected = {receipt.rows:,}; {own + child:.0f} CPU s "
            f"({child:.0f} of them reading), {rows / (own + child):,.0f} rows per CPU s"
        )
        print(
            f"peak memory: reading process {memory:.0f} MB, this process "
            f"{_mb(resource.RUSAGE_SELF)} MB ({before} MB before)"
        )


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _mb(whose: int) -> int:
    return resource.getrusage(whose).ru_maxrss // 1024


def _points(folder: Path, rows: int) -> Path:
    """Scatter points over the city and a little of the sea beside it; one in 200 has no date."""
    rng = np.random.default_rng(1)
    days = pd.date_range("2021-07-01", "2025-12-31").strftime("%d/%m/%Y").to_numpy()
    path = folder / "points.csv"
    for start in range(0, rows, _AT_ONCE):
        count = min(_AT_ONCE, rows - start)
        table = pd.DataFrame(
            {
                "Kinh độ": rng.uniform(106.55, 106.85, count).round(5),
                "Vĩ độ": rng.uniform(10.65, 10.95, count).round(5),
                "Ngày": np.where(rng.random(count) < 0.005, "?", rng.choice(days, count)),
                "Loại vụ việc": rng.choice(["Trộm cắp tài sản", "Ma túy"], count),
                "Nguồn tin": rng.choice(["Người dân", "Công an"], count),
            }
        )
        table.to_csv(path, index=False, mode="a", header=start == 0)
    return path


if __name__ == "__main__":
    main()
