"""How well a year's end is foretold: projected against actual non-relapse share, month by month.

The programme is emulated on a real panel of small areas: of a random city of 168 areas those whose
weighted count of the first year reaches the rule's quantile are designated, those below it a year
later are transformed, and in the third year they relapse by the rule at a quarter's end. The
forecast sees nothing after its month; there is no earlier year to calibrate it on, so the shock is
the least one. Printed for months 0, 3, 6 and 9 of the year: mean absolute error of the expected
final share, how often the 80 % interval held it, mean probability of ending on target and how often
that happened. Areas are drawn again and again from one panel, so the cities are not independent.

Needs the development panel, which is not part of the repository: exit code 2 without it.

    python benchmarks/projection.py [--panel ../shared/data/crime_panel_cdmx.parquet] [--cities 40]
"""

import argparse
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from hotspots.measures.projection import Projection, project
from hotspots.measures.relapse import forward_risk
from hotspots.programme.months import Month
from hotspots.programme.plan import RelapseRule

PANEL = Path(__file__).resolve().parents[2] / "shared" / "data" / "crime_panel_cdmx.parquet"
RULE = RelapseRule(12, quantile=0.8, threshold=None, test_months=(3, 6, 9, 12))
TARGET = 0.85
AREAS = 168  # as many as the city has wards
MONTHS_IN = (0, 3, 6, 9)


def main() -> None:
    """Read the panel, project each city's year at four moments, and print how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panel", type=Path, default=PANEL)
    parser.add_argument("--cities", type=int, default=40)
    parser.add_argument("--thin", type=float, default=0.5, help="share of the incidents kept")
    parser.add_argument("--areas", type=int, default=AREAS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if not asked.panel.exists():
        print(f"{asked.panel} is not there")
        raise SystemExit(2)
    counts = _read(asked.panel)
    rng = np.random.default_rng(asked.seed)
    rows = []
    for _ in range(asked.cities):
        columns = rng.choice(counts.columns.to_numpy(), asked.areas, replace=False)
        city = pd.DataFrame(
            rng.binomial(counts[columns].to_numpy(), asked.thin), counts.index, columns
        )
        rows += _one_city(city)
    table = pd.DataFrame(rows, columns=["month", "n", "error", "inside", "p", "met"])
    print(f"{asked.cities} cities, {table['n'].mean():.1f} transformed hotspots each")
    table["bias"] = table["error"]
    table["error"] = table["error"].abs()
    shown = table.groupby("month").mean().drop(columns="n")
    print(shown.rename(columns={"error": "abs error", "inside": "80 % held"}).round(3).to_string())


def _read(panel: Path) -> pd.DataFrame:
    """Return months x areas of the panel's first three years, areas with enough incidents only."""
    table = pd.read_parquet(panel, columns=["area", "month", "count"])
    table = table.astype({"area": str, "month": str})
    counts = table.pivot_table(index="month", columns="area", values="count", aggfunc="sum")
    counts.index = pd.PeriodIndex(counts.index, freq="M")
    counts = counts.sort_index().iloc[:36].fillna(0).astype(int)
    return counts.loc[:, counts.mean() >= 2]


def _one_city(city: pd.DataFrame) -> list[tuple[int, int, float, bool, float, bool]]:
    """Return the errors of one city's projections."""
    windows = city.rolling(12).sum()
    limit = windows.quantile(RULE.quantile, axis=1)
    over = windows.ge(limit, axis=0)
    first, second = city.index[11], city.index[23]
    transformed = list(city.columns[over.loc[first] & ~over.loc[second]])
    quarters = [month for month in city.index[24:36] if month.month in RULE.test_months]
    relapsed_in = {
        area: next((month for month in quarters if over.loc[month, area]), None)
        for area in transformed
    }
    n = len(transformed)
    if n < 3:
        return []
    final = 1 - sum(month is not None for month in relapsed_in.values()) / n
    rows = []
    for months_in in MONTHS_IN:
        end = city.index[23 + months_in]
        gone = {a for a, month in relapsed_in.items() if month is not None and month <= end}
        found = _project(city, [a for a in transformed if a not in gone], len(gone), n, end)
        low, high = found.interval
        inside = low - 1e-9 <= final <= high + 1e-9
        met = final >= TARGET - 1e-9
        rows.append((months_in, n, found.share - final, inside, found.probability, met))
    return rows


def _project(
    city: pd.DataFrame, watched: list[str], gone: int, n: int, end: pd.Period
) -> Projection:
    as_of = Month(end.year, end.month).last_day
    months = 12 - end.month % 12
    start = date(city.index[24].year, 1, 1)
    table = pd.DataFrame({"area": watched, "transformed_on": start}, index=watched)
    risk = forward_risk(
        city.loc[:end], table, RULE, as_of=as_of, horizons=(months,), draws=400, seed=0
    )
    chances = {str(area): float(p) for area, p in risk.table[f"p{months}"].items()}
    until = date(start.year, 12, 31)
    found = project("cohort", TARGET, until, whole=n, failed=gone, probabilities=chances)
    if found is None:
        raise ValueError("No hotspot counts, so there is nothing to project.")
    return found


if __name__ == "__main__":
    main()
