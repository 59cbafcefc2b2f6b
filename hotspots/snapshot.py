"""What was true on a day: the one answer that screen, report and command line share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd

from hotspots.errors import HotspotsError
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse import Risk
from hotspots.measures.targets import TargetResult
from hotspots.programme.plan import Programme
from hotspots.programme.status import Event, HotspotState
from hotspots.records.log import Head
from hotspots.records.store import Edition


@dataclass(frozen=True)
class Snapshot:
    """Everything that was true on a day, as known on a day.

    Attributes
    ----------
    hotspots : DataFrame
        One row a hotspot (index: its id): `name`, `ward`, `edition`, `kinds`, `plan_year`,
        `status`, `since`, `stage`, `watched_until`, `last_inspected_on`, `p3`, `p6`, `p12`,
        `alarm`, `level`, `threshold` (missing where there is nothing to say).
    ward_stage : dict of str to str
        Ward code to map class, for wards of `edition` with a hotspot.
    transformed, cohorts : dict of int to TargetResult
        By plan year.
    official : TargetResult
        The non-relapse share on the day.
    trend : DataFrame
        `day`, `official`, `watches`: the official share at past quarter ends and on the day.
    risk : Risk or None
        None when it cannot be measured, `risk_problem` says why; also when nobody is watched.
    """

    as_of: date
    known_on: datetime | None
    programme: Programme
    edition: Edition | None
    states: Mapping[str, HotspotState]
    hotspots: pd.DataFrame
    ward_stage: Mapping[str, str]
    transformed: Mapping[int, TargetResult]
    cohorts: Mapping[int, TargetResult]
    official: TargetResult
    trend: pd.DataFrame
    risk: Risk | None
    risk_problem: HotspotsError | None
    head: Head
    simulated: bool

    @property
    def plan_year(self) -> int | None:
        """The plan year the headline speaks of: the latest with a list on the day."""
        return max(self.transformed, default=None)

    def row(self, hotspot: str) -> dict[str, Any]:
        """Return a hotspot's row of the table."""
        found = self.hotspots.loc[[hotspot]]
        return {str(column): found[column].iloc[0] for column in found.columns}

    def reasons(self, hotspot: str) -> tuple[Reason, ...]:
        """Return the reasons of a hotspot's risk, none when it has no risk."""
        return () if self.risk is None else self.risk.reasons.get(hotspot, ())


@dataclass(frozen=True)
class HotspotFile:
    """One hotspot's file: its events and the monthly counts of its ward."""

    state: HotspotState
    events: tuple[Event, ...]
    log: tuple[Event, ...]
    monthly: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class WardFile:
    """One ward's file: its facts, its rank by smoothed level, its hotspots and monthly counts."""

    code: str
    name: str
    kind: str
    area_km2: float | None
    rank: tuple[int, int] | None
    reasons: tuple[Reason, ...]
    hotspots: tuple[HotspotFile, ...]
    monthly: pd.DataFrame = field(repr=False)
