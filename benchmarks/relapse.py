"""Would the probabilities of relapse have been right, on a real city with an emulated programme?

The written rule is run over the past of real monthly counts (designated at a year end at the level
of the busiest fifth, watched 24 months after the transformation); every model is asked at every
month end with what was known then. Thinned panels have the counts of small wards.

beats, thinned      the backtest of the product, six models
cold start          two years of counts, 30 hotspots, nothing else: what is told six months ahead
another decision    relapses decided by another rule than the one that is simulated; on the long
                    panel what was told once a fitted model had its labels
long                ten years of made-up counts (a walk of the level, season, overdispersion), for
                    the real panel has 37 months only: twelve months ahead, hardly any label is
                    known before the last origin that can be judged

Needs a panel that is not part of the repository; without it, exit code 2 after the made-up one.

    python benchmarks/relapse.py [--data ../shared/data] [--every 1] [--draws 400] [--seed 0]
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from hotspots.measures.relapse_backtest import (
    backtest,
    brier_skill,
    calibration_error,
    calibration_line,
)
from hotspots.measures.relapse_cases import cases, emulate, under_watch
from hotspots.measures.relapse_ladder import calibrated_risk
from hotspots.measures.relapse_model import LEAST_FITTED
from hotspots.programme.months import Month
from hotspots.programme.plan import RelapseRule

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILE = "crime_panel_cdmx.parquet"
RULE = RelapseRule(12, quantile=0.8, threshold=None, test_months=(3, 6, 9, 12))
OTHER = RelapseRule(6, quantile=0.75, threshold=None, test_months=(6, 12))
WATCH_MONTHS = 24
COLD_MONTHS, COLD_HOTSPOTS, COLD_AHEAD = 24, 30, 6
SHOWN = ["horizon", "model", "cases", "hotspots", "prevalence", "auc", "pr_auc", "skill"]
SHOWN += ["skill_low", "skill_high", "slope", "intercept", "ece", "precision"]


def main() -> int:
    """Print the whole backtest, panel by panel."""
    options = _options()
    rng = np.random.default_rng(options.seed)
    made_up, step = _made_up(rng), max(2, options.every)
    _backtest("long", made_up, RULE, options, every=step)
    _backtest("long, another decision", made_up, OTHER, options, every=step, least=LEAST_FITTED)
    path = options.data / FILE
    if not path.exists():
        print(f"{path} is not there.", file=sys.stderr)
        return 2
    for name, counts in _panels(path, rng):
        _backtest(name, counts, RULE, options, every=options.every)
        _cold_start(name, counts, options)
    beats = _wide(path)
    _backtest("beats, another decision", beats, OTHER, options, every=options.every)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--every", type=int, default=1, help="months from one origin to the next")
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _panels(path: Path, rng: np.random.Generator) -> Iterator[tuple[str, pd.DataFrame]]:
    beats = _wide(path)
    yield "beats", beats
    yield "beats, half", _thinned(beats, 0.5, rng)
    yield "beats, a fifth", _thinned(beats, 0.2, rng)


def _wide(path: Path) -> pd.DataFrame:
    rows = pd.read_parquet(path).astype({"area": str, "month": str})
    wide = rows.groupby(["month", "area"])["count"].sum().unstack("area", fill_value=0)
    wide.index = pd.PeriodIndex(wide.index, freq="M")
    return wide.astype(float)


def _thinned(counts: pd.DataFrame, keep: float, rng: np.random.Generator) -> pd.DataFrame:
    kept = rng.binomial(counts.to_numpy(int), keep).astype(float)
    return pd.DataFrame(kept, index=counts.index, columns=counts.columns)


def _made_up(rng: np.random.Generator, months: int = 120, wards: int = 300) -> pd.DataFrame:
    start = np.log(5) + 0.7 * rng.standard_normal(wards)
    walk = 0.07 * rng.standard_normal((months, wards)).cumsum(axis=0)
    city = 0.01 * rng.standard_normal((months, 1)).cumsum(axis=0)
    season = 0.15 * np.cos(2 * np.pi * np.arange(months) / 12)[:, None]
    counts = rng.poisson(rng.gamma(np.exp(start + walk + city + season) / 0.4) * 0.4)
    index = pd.period_range("2014-01", periods=months, freq="M")
    return pd.DataFrame(counts.astype(float), index, [f"w{ward:03}" for ward in range(wards)])


def _last_day(counts: pd.DataFrame) -> date:
    return Month(counts.index[-1].year, counts.index[-1].month).last_day


def _backtest(
    name: str,
    counts: pd.DataFrame,
    decided: RelapseRule,
    options: argparse.Namespace,
    every: int,
    least: int = 0,
) -> None:
    day = _last_day(counts)
    episodes = emulate(counts, decided, as_of=day, watch_months=WATCH_MONTHS)
    past = cases(
        counts, episodes, RULE, as_of=day, every=every, draws=options.draws, seed=options.seed
    )
    result = backtest(past, least=least, seed=options.seed)
    relapsed = int(episodes["relapsed_on"].notna().sum())
    print(
        f"\n{name}: {counts.shape[1]} wards, {len(counts)} months, "
        f"{counts.sum().mean() / len(counts) * 12:.0f} incidents a year in each; "
        f"{len(episodes)} episodes, {relapsed} relapses, {len(past)} cases"
    )
    print(result.metrics[SHOWN].round(3).to_string(index=False))
    print(result.alarms.round(2).to_string(index=False))
    for horizon, verdict in result.verdicts.items():
        shown = "shown" if verdict.shown else "hidden"
        print(f"  {horizon} months: {verdict.model}, {shown}, {verdict.reason.code}")


def _cold_start(name: str, counts: pd.DataFrame, options: argparse.Namespace) -> None:
    """Only the last two years are known, and thirty hotspots are watched, at every month end."""
    rng, told = np.random.default_rng(options.seed), []
    episodes = emulate(counts, RULE, as_of=_last_day(counts), watch_months=WATCH_MONTHS)
    for end in range(COLD_MONTHS, len(counts) - COLD_AHEAD + 1):
        known = counts.iloc[end - COLD_MONTHS : end]
        told.append(_told_cold(known, episodes, rng, options))
    table = pd.concat(told)
    labels = table["label"].to_numpy(float)
    print(f"  cold start, {COLD_AHEAD} months ahead: {len(told)} origins, {len(table)} cases")
    for model in ("simulation", "in force"):
        p = table[model].to_numpy(float)
        intercept, slope = calibration_line(labels, p)
        skill, error = brier_skill(labels, p), calibration_error(labels, p)
        print(
            f"    {model:<12} AUC {roc_auc_score(labels, p):.3f}  skill {skill:.3f}  "
            f"slope {slope:.2f}  intercept {intercept:.2f}  ECE {error:.3f}"
        )


def _told_cold(
    known: pd.DataFrame,
    episodes: pd.DataFrame,
    rng: np.random.Generator,
    options: argparse.Namespace,
) -> pd.DataFrame:
    day = _last_day(known)
    watched = under_watch(episodes, day)
    until = pd.Timestamp((Month.of(day) + COLD_AHEAD).last_day)
    watched = watched.loc[watched["ended_on"] >= until]
    chosen = rng.choice(len(watched), min(COLD_HOTSPOTS, len(watched)), replace=False)
    watched = watched.iloc[np.sort(chosen)]
    risk = calibrated_risk(
        known,
        watched[["area", "transformed_on"]],
        RULE,
        as_of=day,
        watch_months=WATCH_MONTHS,
        horizons=(COLD_AHEAD,),
        draws=options.draws,
        seed=options.seed,
    ).table
    label = (watched["relapsed_on"] <= until).astype(float)
    raw, shown = risk[f"raw{COLD_AHEAD}"], risk[f"p{COLD_AHEAD}"]
    return pd.DataFrame({"label": label, "simulation": raw, "in force": shown})


if __name__ == "__main__":
    sys.exit(main())
