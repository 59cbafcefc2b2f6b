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
from hotspots.measures.relapse_ladder import CalibratedRisk
from hotspots.measures.targets import TargetResult
from hotspots.programme.plan import Programme
from hotspots.programme.status import Event, HotspotState
from hotspots.records.log import Head
from hotspots.records.store import Edition


@dataclass(frozen=True)
class Part:
    """A ward of another edition that a ward was made of, or went to.

    Attributes
    ----------
    share : float or None
        Of the older of the two wards, how much went to the newer; None when it is not known.
    whole : bool
        The older ward went wholly to one new ward.
    basis : str
        What the share rests on (`geo.crosswalk.BASES`).
    """

    code: str
    name: str
    kind: str
    share: float | None
    whole: bool
    basis: str


@dataclass(frozen=True)
class LineageStep:
    """What a ward was, or became, on another edition."""

    edition: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Lineage:
    """A ward's history: what it was made of on earlier editions, what it became on later ones.

    Attributes
    ----------
    before, after : tuple of LineageStep
        The nearest edition first; editions without a crosswalk to them are left out.
    """

    code: str
    name: str
    kind: str
    edition: str
    before: tuple[LineageStep, ...]
    after: tuple[LineageStep, ...]


@dataclass(frozen=True)
class MapView:
    """The wards of one edition with the hotspots that lie on them.

    Attributes
    ----------
    shown : DataFrame
        `hotspot`, `ward` (of this edition), `share` (of the hotspot's own ward that lies in it;
        NaN: not known) and `own` (bool: the hotspot was designated on this edition). A hotspot of
        an earlier edition has one row for each ward its own went to.
    ward_stage : dict of str to str
        Ward code to map class: of several hotspots, the one that most needs attention.
    not_shown : tuple of str
        Hotspots without a place here: of a later edition, or without a crosswalk to this one.
    """

    edition: Edition
    shown: pd.DataFrame
    ward_stage: Mapping[str, str]
    not_shown: tuple[str, ...]

    def hotspots_of(self, ward: str) -> pd.DataFrame:
        """Return the rows of `shown` that lie in a ward, the whole ones first."""
        here = self.shown[self.shown["ward"].eq(ward)]
        return here.sort_values(["own", "share", "hotspot"], ascending=[False, False, True])

    def wards_of(self, hotspot: str) -> pd.DataFrame:
        """Return the rows of `shown` that show a hotspot, the largest part first."""
        here = self.shown[self.shown["hotspot"].eq(hotspot)]
        return here.sort_values(["share", "ward"], ascending=[False, True])


@dataclass(frozen=True)
class CarriedPanel:
    """All counts of a store on the wards of one edition.

    Attributes
    ----------
    table : DataFrame
        The complete panel: `ward`, `month`, `category`, `count`, `estimated` (how much of the
        count), `known` (False: a part of the ward has no count in that month).
    not_carried : DataFrame
        `edition`, `ward`, `name`, `month`, `category`, `count`, `reason`: what stayed behind. The
        sum of both tables is the store's.
    estimated : DataFrame
        By ward code: `name`, `count`, `estimated`, `share`; the wards with an estimated part.
    """

    edition: str
    table: pd.DataFrame
    not_carried: pd.DataFrame
    estimated: pd.DataFrame

    @property
    def total(self) -> float:
        """All counts of the store."""
        return self.carried_total + self.behind_total

    @property
    def carried_total(self) -> float:
        """The counts that stand on this edition."""
        return float(self.table["count"].sum())

    @property
    def estimated_total(self) -> float:
        """How much of them is estimated."""
        return float(self.table["estimated"].sum())

    @property
    def behind_total(self) -> float:
        """The counts that could not be brought to this edition."""
        return float(self.not_carried["count"].sum())

    def behind(self) -> pd.DataFrame:
        """Return what stayed behind by `edition`, `ward`, `name`, `reason`, with its `count`."""
        by_ward = self.not_carried.groupby(["edition", "ward", "name", "reason"])
        return by_ward["count"].sum().reset_index()


@dataclass(frozen=True)
class Snapshot:
    """Everything that was true on a day, as known on a day.

    Attributes
    ----------
    hotspots : DataFrame
        One row a hotspot (index: its id): `name`, `ward`, `edition`, `kinds`, `plan_year`,
        `status`, `since`, `stage`, `watched_until`, `last_inspected_on`, `p3`, `p6`, `p12`,
        `alarm`, `level`, `threshold`, `points` (0 to 9), `risk_rank` (1 = most at risk; missing
        where there is nothing to say).
    edition : Edition or None
        The boundaries valid on the day; before the first, the first (then `edition_valid` is
        False).
    view : MapView or None
        The hotspots on the wards of `edition`.
    transformed, cohorts : dict of int to TargetResult
        By plan year.
    official : TargetResult
        The non-relapse share on the day.
    trend : DataFrame
        `day`, `official`, `watches`: the official share at past quarter ends and on the day.
    risk : Risk or None
        None when it cannot be measured, `risk_problem` says why; also when nobody is watched.
    not_measured : dict of str to HotspotsError
        Watched hotspots whose own ward's counts do not suffice, with the reason.
    calibrated : dict of str to CalibratedRisk
        By edition how the probabilities came about: the rung, and what the next one needs.
    """

    as_of: date
    known_on: datetime | None
    programme: Programme
    edition: Edition | None
    states: Mapping[str, HotspotState]
    hotspots: pd.DataFrame
    view: MapView | None
    transformed: Mapping[int, TargetResult]
    cohorts: Mapping[int, TargetResult]
    official: TargetResult
    trend: pd.DataFrame
    risk: Risk | None
    risk_problem: HotspotsError | None
    not_measured: Mapping[str, HotspotsError]
    calibrated: Mapping[str, CalibratedRisk]
    head: Head
    simulated: bool

    @property
    def edition_valid(self) -> bool:
        """Whether the edition was valid on the day; no before the first one."""
        return self.edition is not None and self.edition.edition <= self.as_of.isoformat()

    @property
    def ward_stage(self) -> Mapping[str, str]:
        """Ward code to map class, on `edition`."""
        return {} if self.view is None else self.view.ward_stage

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
    """One hotspot's file: its events, the monthly counts of its ward, and where that ward went.

    Attributes
    ----------
    monthly : DataFrame
        `month`, `category`, `count`, `estimated`, `known` on the ward it was designated on.
    breaks : tuple of date
        Days within these months on which new boundaries came into force.
    lineage : Lineage or None
        None when the ward is of the newest edition and nothing is known of it before.
    """

    state: HotspotState
    events: tuple[Event, ...]
    log: tuple[Event, ...]
    monthly: pd.DataFrame = field(repr=False)
    breaks: tuple[date, ...] = ()
    lineage: Lineage | None = None


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
    breaks: tuple[date, ...] = ()
    lineage: Lineage | None = None
