"""How fast points find their wards: ``assign_wards`` against ``geopandas.sjoin``, and its growth.

Every measurement runs in a process of its own, so that no way profits from another or pays for its
memory, and is taken once, after 1,000 points to warm up. CPU seconds are user and system together;
times depend on the machine and are comparable only with each other. Memory is the peak beyond what
the process held with wards and coordinates loaded and the index built; for sjoin it includes the
points as geometry, which are not in its time.

``assign_wards`` is given the index. "found" is what it takes more when given the table: to find the
index made of the same content before. Points are spread in two ways: over the wards, every one
alike (in its box), as incidents lie; and over the extent, where most of a nation's box is sea and
costs nobody much. One in a hundred lies on a corner of a ward, so that ties are among them. The
answer of sjoin is the lowest code of the wards found; finding that one is not timed.

Needs Linux, and real boundaries, which are not part of the repository: exit code 2 without them.

    python benchmarks/assign.py [--data ../shared/data] [--points 1000000] [--seed 1]
"""

import argparse
import ctypes
import gc
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from geo.assign import WardIndex, assign_wards

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = {"city": "hcmc_wards_2025.parquet", "nation": "vn_wards_2025_s100.parquet"}
SPREADS = ("wards", "extent")
ON_CORNERS = 0.01
FEW = 1_000


@dataclass(frozen=True)
class Measurement:
    """What one way took for so many points, and a digest of what it answered."""

    cpu_s: float
    peak_mb: float
    answer: str
    built_s: float = 0.0
    built_mb: float = 0.0
    found_s: float = 0.0
    raster: str = ""


def main() -> int:
    """Measure all ways and print two tables; or, asked for one way, measure that and print it."""
    options = _options()
    missing = [name for name in FILES.values() if not (options.data / name).is_file()]
    if missing:
        print(
            f"{' and '.join(missing)} not found in {options.data}. Give the folder that holds the "
            "real boundaries with --data.",
            file=sys.stderr,
        )
        return 2
    if options.way:
        measured = _WAYS[options.way](options.data / FILES[options.area], options)
        print(json.dumps(asdict(measured)))
        return 0
    identical = _compare(options)
    _grow(options)
    return 0 if identical else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the real boundaries")
    parser.add_argument("--points", type=int, default=1_000_000, help="for the comparison")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--spread", choices=SPREADS, default="wards", help=argparse.SUPPRESS)
    parser.add_argument("--area", choices=FILES, default="city", help=argparse.SUPPRESS)
    return parser.parse_args()


# ---- the tables


def _compare(options: argparse.Namespace) -> bool:
    print(f"{options.points:,} points, {ON_CORNERS:.0%} of them on corners of wards\n")
    print(f"{'':<16}{'CPU':^33}{'':12}{'peak memory':^22}{'index':^35}")
    print(
        f"{'':<8}{'over':<8}{'sjoin':>10}{'assign_wards':>14}{'ratio':>9}{'answers':>12}"
        f"{'sjoin':>9}{'assign_wards':>13}"
        f"{'built':>9}{'found':>9}{'memory':>8}{'raster':>11}"
    )
    identical = True
    for area, spread in product(FILES, SPREADS):
        usual = _in_own_process("sjoin", area, options.points, options, spread)
        ours = _in_own_process("assign_wards", area, options.points, options, spread)
        same = usual.answer == ours.answer
        identical &= same
        print(
            f"{area:<8}{spread:<8}{usual.cpu_s:>8.2f} s{ours.cpu_s:>12.3f} s"
            f"{usual.cpu_s / ours.cpu_s:>8.1f}x{'identical' if same else 'DIFFERENT':>12}"
            f"{usual.peak_mb:>6.0f} MB{ours.peak_mb:>10.0f} MB"
            f"{ours.built_s:>7.2f} s{ours.found_s:>7.3f} s{ours.built_mb:>5.0f} MB{ours.raster:>11}"
        )
    return identical


def _grow(options: argparse.Namespace) -> None:
    print("\nassign_wards on the city\n")
    print(f"{'points':<12}{'CPU':>10}{'per point':>12}{'peak memory':>14}")
    for points in (100_000, 1_000_000, 10_000_000):
        ours = _in_own_process("assign_wards", "city", points, options)
        print(
            f"{points:<12,}{ours.cpu_s:>8.3f} s{ours.cpu_s / points * 1e9:>9.0f} ns"
            f"{ours.peak_mb:>11.0f} MB"
        )


def _in_own_process(
    way: str, area: str, points: int, options: argparse.Namespace, spread: str = "wards"
) -> Measurement:
    asked = {"way": way, "area": area, "points": points, "spread": spread}
    asked |= {"data": options.data, "seed": options.seed}
    arguments = [f"--{name}={value}" for name, value in asked.items()]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return Measurement(**json.loads(done.stdout))


# ---- one measurement


def _measure_sjoin(path: Path, options: argparse.Namespace) -> Measurement:
    wards = _wards(path)
    x, y = _points(wards, options)
    gpd.sjoin(_table(x[:FEW], y[:FEW]), wards, predicate="intersects")
    points, _, points_mb = _timed(lambda: _table(x, y))
    joined, cpu_s, peak_mb = _timed(lambda: gpd.sjoin(points, wards, predicate="intersects"))
    lowest = joined["code"].groupby(joined.index).min()
    codes = np.full(options.points, None, dtype=object)
    codes[lowest.index] = lowest
    return Measurement(cpu_s, points_mb + peak_mb, _digest(codes))


def _measure_assign_wards(path: Path, options: argparse.Namespace) -> Measurement:
    wards = _wards(path)
    x, y = _points(wards, options)
    index, built_s, built_mb = _timed(lambda: WardIndex.build(wards))
    assign_wards(x[:FEW], y[:FEW], wards)
    _, found_s, _ = _timed(lambda: assign_wards(x[:FEW], y[:FEW], wards))
    assigned, cpu_s, peak_mb = _timed(lambda: assign_wards(x, y, index))
    rows, columns = index.shape
    raster = f"{columns}x{rows}"
    return Measurement(cpu_s, peak_mb, _digest(assigned.codes), built_s, built_mb, found_s, raster)


_WAYS: dict[str, Callable[[Path, argparse.Namespace], Measurement]] = {
    "sjoin": _measure_sjoin,
    "assign_wards": _measure_assign_wards,
}


def _wards(path: Path) -> gpd.GeoDataFrame:
    return gpd.read_parquet(path)[["code", "geometry"]]


def _points(wards: gpd.GeoDataFrame, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    random, count = np.random.default_rng(options.seed), options.points
    boxes = wards.total_bounds[None, :]
    if options.spread == "wards":
        boxes = wards.bounds.to_numpy()[random.integers(0, len(wards), count)]
    x, y = (
        random.uniform(boxes[:, 0], boxes[:, 2], count),
        random.uniform(boxes[:, 1], boxes[:, 3], count),
    )
    corners = shapely.get_coordinates(wards.geometry.to_numpy())
    here = random.choice(count, int(count * ON_CORNERS), replace=False)
    x[here], y[here] = corners[random.integers(0, len(corners), len(here))].T
    return x, y


def _table(x: np.ndarray, y: np.ndarray) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs="EPSG:4326")


def _timed(ask: Callable[[], Any]) -> tuple[Any, float, float]:
    """Answer, CPU seconds, and megabytes of memory beyond those in use before."""
    before_mb = _peak_mb_from_now()
    began = time.process_time()
    answer = ask()
    return answer, time.process_time() - began, _peak_mb() - before_mb


def _peak_mb() -> float:
    """Peak memory of this process (not ru_maxrss, which begins with the parent's)."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def _peak_mb_from_now() -> float:
    """Memory in use, from which the peak is counted anew: else loading would hide what follows."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", "utf-8")
    return _peak_mb()


def _digest(codes: np.ndarray) -> str:
    return hashlib.blake2b("\n".join(map(str, codes)).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
