"""How much less CPU Gi* of a whole table takes than esda month by month, with the same answers.

Made-up monthly counts (levels that differ and lie in clusters, Poisson noise) on the real maps: the
168 wards of Ho Chi Minh City and the 3,321 of the country, 120 months. esda is asked one month at a
time, in one process, with numba and after a warm-up, in two ways: as it comes, and lean, without
keeping its simulations. A sample of months stands for all where `--esda-months` says so. Bars: 50
times less CPU on 168 wards, 100 times on 3,321.

"Same answers": for two months esda keeps its simulations, p is formed from them as ours is, and the
difference is divided by the standard error of two independent sets of draws. The z are compared to
the last digits. What the permutations cannot reach (the exact tail) is part of our time.

Needs boundaries that are not part of the repository (exit code 2 without them) and packages that
the product does not need (exit code 3):

    pip install "esda>=2.9,<3" "libpysal>=4.13,<5" "numba>=0.60"
    python benchmarks/clusters.py [--data ../shared/data] [--permutations 999] [--esda-months 12]
"""

import argparse
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.clusters import GetisOrd, getis_ord
from geo.neighbours import Neighbours, neighbours

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MAPS = {"hcmc_wards_2025.parquet": 50, "vn_wards_2025_s100.parquet": 100}
MONTHS = 120
SAME_MONTHS = 2


def main() -> int:
    """Print one block for each map."""
    options = _options()
    missing = [name for name in MAPS if not (options.data / name).exists()]
    if missing:
        print(f"{', '.join(missing)}: not in {options.data}.", file=sys.stderr)
        return 2
    try:
        import esda
        import libpysal
    except ImportError as absent:
        print(f'{absent}. pip install "esda>=2.9,<3" "libpysal>=4.13,<5" numba', file=sys.stderr)
        return 3
    warnings.simplefilter("ignore")
    for name, bar in MAPS.items():
        near = neighbours(gpd.read_parquet(options.data / name))
        weights = libpysal.weights.W({code: list(near.of(code)) for code in near.codes})
        _measure(name, bar, near, lambda y, w=weights, **how: _esda(esda, y, w, **how), options)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--esda-months", type=int, default=MONTHS, help="months esda is timed on")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _measure(name: str, bar: int, near: Neighbours, by_esda: Any, options: argparse.Namespace):
    counts = _counts(near, options.seed)
    asked = options.permutations
    getis_ord(counts.iloc[:2], near, 9, options.seed)
    started = time.process_time()
    found = getis_ord(counts, near, asked, options.seed)
    ours = time.process_time() - started
    print(f"{name}: {counts.shape[1]:,} areas x {MONTHS} months, {asked:,} permutations")
    print(f"  CPU s: ours {ours:.3f}, peak {_peak_mb():.0f} MB; bar {bar} times less than esda")
    sample = counts.iloc[:: max(1, MONTHS // options.esda_months)].to_numpy(dtype=float)
    for way, keep in {"as it comes": True, "lean": False}.items():
        by_esda(sample[0], permutations=9, keep=keep)
        started = time.process_time()
        for month in sample:
            by_esda(month, permutations=asked, keep=keep)
        esdas = (time.process_time() - started) * MONTHS / len(sample)
        print(
            f"  esda {way}: {esdas:.1f} (timed on {len(sample)} months), ratio {esdas / ours:.0f}"
        )
    _print_agreement(counts, found, near, by_esda, asked)
    _print_flags(found)


def _counts(near: Neighbours, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=len(near.codes))
    clustered = noise + near.matrix() @ noise / 2
    level = 3 * np.exp(0.5 * clustered / clustered.std())
    counts = rng.poisson(level, (MONTHS, len(level)))
    return pd.DataFrame(counts, columns=list(near.codes))


def _esda(esda: Any, month: np.ndarray, weights: Any, permutations: int, keep: bool = False) -> Any:
    return esda.G_Local(
        month,
        weights,
        transform="B",
        star=True,
        permutations=permutations,
        keep_simulations=keep,
        n_jobs=1,
        seed=1,
    )


def _print_agreement(
    counts: pd.DataFrame, found: GetisOrd, near: Neighbours, by_esda: Any, asked: int
) -> None:
    far, apart = [], 0.0
    testable = ~counts.columns.isin(near.islands)
    for month in range(SAME_MONTHS):
        theirs = by_esda(counts.iloc[month].to_numpy(dtype=float), permutations=asked, keep=True)
        observed = np.asarray(theirs.Gs)[:, None]
        simulated = np.asarray(theirs.sim).T
        at_least = (simulated >= observed - 1e-12).sum(axis=1)
        at_most = (simulated <= observed + 1e-12).sum(axis=1)
        tails = np.minimum(1, 2 * (np.minimum(at_least, at_most) + 1) / (asked + 1))
        p = found.p_permutation.iloc[month].to_numpy()
        mean = np.clip((p + tails) / 2, 2 / asked, 1)
        error = np.sqrt(2 * mean * (2 - mean) / asked)
        far.append(((p - tails) / error)[testable])
        apart = max(apart, np.nanmax(np.abs(found.z.iloc[month] - theirs.Zs)[testable]))
    distances = np.concatenate(far)
    print(
        f"  p against esda's, in standard errors: mean {distances.mean():+.2f}, "
        f"sd {distances.std():.2f}, {np.mean(np.abs(distances) > 3):.2%} beyond 3; "
        f"z differ by at most {apart:.0e}"
    )


def _print_flags(found: GetisOrd) -> None:
    flagged = found.label.isin(["hot", "cold"]).to_numpy()
    at_floor = (found.p_permutation <= found.floor * 1.0001).to_numpy()
    tests = int(found.p.notna().to_numpy().sum())
    needed = int(np.ceil(found.floor * tests / found.alpha))
    alone = at_floor.sum() if at_floor.sum() >= needed else 0
    print(
        f"  {tests:,} tests: {flagged.sum():,} flagged; {at_floor.sum():,} at the floor of the "
        f"permutations, {needed:,} needed there before any counts, so {alone:,} by them alone"
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())
