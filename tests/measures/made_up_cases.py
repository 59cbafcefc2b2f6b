"""Cases whose true probability is known: what the simulation says, put through a line of log odds.

No programme and no counts stand behind them, so they are made in no time.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit


def made_up_cases(
    hotspots: int = 120,
    months: int = 36,
    intercept: float = 0.0,
    slope: float = 1.0,
    seed: int = 0,
    horizons: tuple[int, ...] = (6,),
) -> pd.DataFrame:
    """One case per hotspot and month end: log odds of the truth = intercept + slope x simulated.

    `truth6` and the like are the true probabilities; every label up to the last month is known.
    Labels of one hotspot are independent, so each row counts in full.
    """
    random = np.random.default_rng(seed)
    origins = pd.period_range("2018-01", periods=months, freq="M").to_timestamp(how="end")
    rows = hotspots * months // 6  # each is watched half a year
    table = pd.DataFrame({"hotspot": [f"H{row // 6}" for row in range(rows)]})
    table["episode"] = table["hotspot"]
    table["area"] = table["hotspot"]
    table["origin"] = origins.normalize()[random.integers(0, months, rows)]
    table["share"] = random.uniform(0.4, 1.1, rows)
    table["trend"] = random.standard_normal(rows)
    table["months_since"] = random.integers(0, 24, rows).astype(float)
    table["relapsed_before"] = random.integers(0, 2, rows).astype(float)
    table["relapsed_on"] = pd.Series(pd.NaT, table.index, dtype="datetime64[us]")
    for horizon in horizons:
        simulated = random.uniform(0.03, 0.97, rows)
        truth = expit(intercept + slope * logit(simulated))
        table[f"p{horizon}"], table[f"truth{horizon}"] = simulated, truth
        label = (random.uniform(size=rows) < truth).astype(float)
        known = table["origin"] + pd.offsets.MonthEnd(horizon) <= origins.normalize()[-1]
        table[f"y{horizon}"] = np.where(known, label, np.nan)
    return table
