"""Cases whose true probability is known: what the simulation says, put through a line of log odds.

No programme and no counts stand behind them, so they are made in no time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit


@pytest.fixture(scope="session")
def made_up_cases() -> Callable[..., pd.DataFrame]:
    return _made_up_cases


def _made_up_cases(
    hotspots: int = 150,
    origins: int = 20,
    intercept: float = 0.0,
    slope: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Three cases per hotspot, at half-year ends from June 2010: horizons of 6 do not overlap.

    Log odds of the truth (`truth6`) = intercept + slope x simulated; labels are known up to the
    last half-year end.
    """
    random = np.random.default_rng(seed)
    days = pd.period_range("2010-06", periods=origins * 6, freq="M")[::6].to_timestamp(how="end")
    days, rows = days.normalize(), hotspots * 3
    simulated = random.uniform(0.03, 0.97, rows)
    truth = expit(intercept + slope * logit(simulated))
    table = pd.DataFrame({"hotspot": [f"H{row // 3}" for row in range(rows)]})
    table["episode"] = table["area"] = table["hotspot"]
    table["origin"] = days[random.integers(0, origins, rows)]
    table["share"] = random.uniform(0.4, 1.1, rows)
    table["trend"] = random.standard_normal(rows)
    table["months_since"] = random.integers(0, 24, rows).astype(float)
    table["relapsed_before"] = random.integers(0, 2, rows).astype(float)
    table["relapsed_on"] = pd.Series(pd.NaT, table.index, dtype="datetime64[us]")
    table["p6"], table["truth6"] = simulated, truth
    label = (random.uniform(size=rows) < truth).astype(float)
    table["y6"] = np.where(table["origin"] < days[-1], label, np.nan)
    return table
