"""How often each way of asking "did it work?" finds something where nothing was done.

Real monthly counts of police beats (and of the larger sectors they form), where no programme of
this kind ran: the busiest tenth and third are designated in retrospect at every month that leaves a
year before and after, the year after is judged, and whatever is found is a false alarm. Nominal is
5 % on each side. Thinned panels have the counts of small wards. "two-sided" is the share outside
the band of 95 %. A programme is twelve of the beats at one origin, tested by Welch.

The origins overlap, so neighbouring ones repeat each other: 73 sectors give seven wards a tenth.

Needs a panel that is not part of the repository: exit code 2 without it.

    python benchmarks/placebo.py [--data ../shared/data] [--every 1] [--seed 0]
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from hotspots.measures.effect import placebo, portfolio

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILE = "crime_panel_cdmx.parquet"
LAST = date(2016, 1, 31)
METHODS = ("band", "before_after", "wdd", "wdd_phi")
HOTSPOTS = 12


def main() -> int:
    """Print one line for each panel, share and method."""
    options = _options()
    path = options.data / FILE
    if not path.exists():
        print(f"{path} is not there.", file=sys.stderr)
        return 2
    rng = np.random.default_rng(options.seed)
    for name, counts in _panels(path, rng):
        for share in (0.1, 0.3):
            tried = placebo(counts, {}, as_of=LAST, share=share, history=12, every=options.every)
            _print(f"{name}, busiest {share:.0%}", tried, rng)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--every", type=int, default=1, help="months from one origin to the next")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _panels(path: Path, rng: np.random.Generator) -> Iterator[tuple[str, pd.DataFrame]]:
    rows = pd.read_parquet(path).astype({"area": str, "month": str})
    beats = _wide(rows, "area")
    yield "beats", beats
    yield "beats, half", _thinned(beats, 0.5, rng)
    yield "beats, a fifth", _thinned(beats, 0.2, rng)
    sector = rows["delegacion"].astype(str) + " " + rows["sector"].astype(str)
    yield "sectors", _wide(rows.assign(sector=sector), "sector")


def _wide(rows: pd.DataFrame, area: str) -> pd.DataFrame:
    wide = rows.groupby(["month", area])["count"].sum().unstack(area, fill_value=0).astype(float)
    wide.index = pd.PeriodIndex(wide.index, freq="M")
    return wide


def _thinned(counts: pd.DataFrame, keep: float, rng: np.random.Generator) -> pd.DataFrame:
    kept = rng.binomial(counts.to_numpy(int), keep).astype(float)
    return pd.DataFrame(kept, index=counts.index, columns=counts.columns)


def _print(name: str, tried: pd.DataFrame, rng: np.random.Generator) -> None:
    before, after, expected = (tried[c].sum() for c in ("before", "observed", "expected"))
    print(
        f"{name}: {len(tried)} made-up designations, {after / len(tried):.0f} incidents a year; "
        f"before / expected {before / expected:.2f}, observed / expected {after / expected:.3f}"
    )
    for method in METHODS:
        fewer, more = (tried[method].eq(verdict).mean() for verdict in ("fewer", "more"))
        print(f"  {method:<14} fewer {fewer:6.1%}  more {more:6.1%}")
    outside = 1 - tried["chance"].between(0.025, 0.975).mean()
    print(f"  two-sided      {outside:6.1%}")
    verdicts = pd.Series(list(_programmes(tried, rng)), dtype=object)
    if len(verdicts):
        fewer, more = (verdicts.eq(verdict).mean() for verdict in ("fewer", "more"))
        print(f"  programme      fewer {fewer:6.1%}  more {more:6.1%}  of {len(verdicts)}")


def _programmes(tried: pd.DataFrame, rng: np.random.Generator) -> Iterator[str]:
    for _, group in tried.groupby("origin"):
        order = rng.permutation(len(group))
        for start in range(0, len(order) - HOTSPOTS + 1, HOTSPOTS):
            part = group.iloc[order[start : start + HOTSPOTS]]
            compared = {ward: value for each in part["compared"] for ward, value in each.items()}
            yield portfolio(part["residual"], list(compared.values())).verdict


if __name__ == "__main__":
    sys.exit(main())
