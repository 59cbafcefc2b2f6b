"""Import 100,000 made-up points twice and print what became of every row.

Run: python benchmarks/import_twice.py [--rows 100000]
"""

import argparse
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from geo.schematic import schematic_wards
from hotspots.demonstration import DATA, EDITION, ward_facts
from hotspots.importing import Receipt
from hotspots.tracker import Tracker


def main() -> None:
    """Make a store and a file, import the file twice, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker.open(Path(folder) / "store", create=True)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        tracker.add_programme((DATA / "hcmc_programme.toml").read_text("utf-8"), now)
        tracker.add_schematic_boundaries(schematic_wards(ward_facts(), EDITION), EDITION, now)
        path = _points(Path(folder), rows)
        for time_of in ("first", "second"):
            start = time.process_time()
            receipt = tracker.import_incidents(path, today=date(2026, 1, 1), now=now)
            _print(time_of, receipt, time.process_time() - start)


def _points(folder: Path, rows: int) -> Path:
    """Scatter points over the city and the sea beside it; some have no date or category."""
    rng = np.random.default_rng(1)
    days = pd.date_range("2025-07-01", "2025-12-31").strftime("%Y-%m-%d")
    table = pd.DataFrame(
        {
            "lon": rng.uniform(106.3, 107.6, rows).round(5),
            "lat": rng.uniform(10.3, 11.5, rows).round(5),
            "date": rng.choice([*days, "31/02/2025"], rows),
            "category": rng.choice(["theft", "robbery", "drugs", "?"], rows),
        }
    )
    path = folder / "points.csv"
    table.to_csv(path, index=False)
    return path


def _print(time_of: str, receipt: Receipt, seconds: float) -> None:
    total = receipt.accepted + len(receipt.rejected)
    print(
        f"{time_of} import: {receipt.accepted:,} accepted + {len(receipt.rejected):,} rejected = "
        f"{total:,} of {receipt.rows:,} rows; {receipt.new:,} new; {seconds:.1f} CPU s"
    )
    assert total == receipt.rows
    assert time_of == "first" or receipt.new == 0


if __name__ == "__main__":
    main()
