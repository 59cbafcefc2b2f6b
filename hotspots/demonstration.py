"""The demonstration city: real wards and a real list, everything else simulated from a seed.

Real are the names, codes and seat points of Ho Chi Minh City's 168 wards and the list of 12
hotspots designated on 20 October 2025 (`data/README.md` names the sources). Simulated are the
polygons (schematic), the other years' lists, every event after a designation, and all counts.

How the counts are made, for ward a, month t and category c::

    mean = size(a) x mix(a, c) x season(t) x tet(t) x course(a, t)
    count ~ negative binomial, variance = mean x (1 + 0.35 + 0.04 mean)

`size` is lognormal around the square root of the ward's density of seats, and for the 12 real
hotspots not below the city's busiest third; `mix` a Dirichlet draw
around the city's mix; `season` a yearly wave of 8 %; `tet` lifts the month of the lunar new year by
a tenth; `course` is 1 for a ward never listed, and for a listed one rises to 1.6 to 2.4 before it
is designated, falls to 0.45 to 0.8 of the peak once work has begun if the area is to be transformed
and to 0.85 to 1 if not, and climbs back above the peak's nine tenths before a relapse.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from geo.schematic import schematic_wards
from hotspots.errors import StoreError
from hotspots.measures.levels import TET_MONTHS
from hotspots.programme.months import Month, add_months, last_complete_month
from hotspots.programme.status import EventType as E
from hotspots.records.store import folder_of
from hotspots.tracker import DEMONSTRATION, Entry, Tracker

DATA = Path(__file__).resolve().parents[1] / "data"
EDITION = date(2025, 7, 1)
REAL_YEAR = 2025
LAST_PLAN_YEAR = 2030
REAL_DESIGNATION = date(2025, 10, 20)
AUTHOR = "mô phỏng"
_CITY_MIX = {
    "homicide_assault": 0.06,
    "robbery": 0.07,
    "theft": 0.42,
    "public_disorder": 0.12,
    "gambling_prostitution": 0.09,
    "drugs": 0.12,
    "economic": 0.09,
    "environment": 0.03,
}


@dataclass(frozen=True)
class _Step:
    """One simulated event of one hotspot."""

    hotspot: str
    ward: str
    event: E
    on: date
    plan_year: int | None = None
    kinds: tuple[int, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class _Course:
    """How a hotspot's counts move: designated, worked on, transformed or not, relapsed or not."""

    ward: str
    designated_on: date
    peak: float
    after: float
    relapsed_on: date | None


def build_at(location: str, *, as_of: date, years: int = 4, seed: int = 7) -> None:
    """Build the demonstration city at a place, whole or not at all (see `build`).

    It is built beside the place and put there when it is finished, so that an interrupted build
    is not taken for a city.
    """
    folder = folder_of(location)
    if folder.exists() and any(folder.iterdir()):
        raise _not_empty(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        tracker = Tracker.open(aside, create=True)
        try:
            build(tracker, as_of=as_of, years=years, seed=seed)
        finally:
            tracker.store.close()
        aside.chmod(0o755)
        aside.replace(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def build(tracker: Tracker, *, as_of: date, years: int = 4, seed: int = 7) -> None:
    """Fill an empty store with the demonstration city, as it stands on a day.

    Parameters
    ----------
    as_of : date
        The last day of the demonstration: not before 2026, for the real list is of October 2025,
        nor after 2029, for the programme ends with 2030.
    years : int
        Years of monthly counts, 1 to 10.
    seed : int
        The same seed, years and day give the same city.

    Raises
    ------
    StoreError
        If the store holds something already, or the day or the years are out of range.
    """
    _check(tracker, as_of, years)
    rng = np.random.default_rng(seed)
    seats = ward_facts()
    start = datetime.combine(date(as_of.year - 4, 1, 1), time(8), tzinfo=UTC)
    tracker.add_programme((DATA / "hcmc_programme.toml").read_text("utf-8"), start)
    tracker.add_schematic_boundaries(schematic_wards(seats, EDITION), EDITION, start)
    size = _sizes(seats, rng)
    real = pd.read_csv(DATA / "hcmc_designated_2025.csv", dtype=str)["ward"]
    size[real] = size[real].clip(lower=size.quantile(0.7) * rng.uniform(0.95, 1.35, len(real)))
    steps, courses = _histories(seats, size, as_of, rng)
    counts = _counts(seats, size, courses, as_of, years, rng)
    tracker.store.set(DEMONSTRATION, as_of.isoformat())
    _import_counts(tracker, counts, as_of)
    _record(tracker, steps, as_of)


def ward_facts() -> pd.DataFrame:
    """Return code, name, kind, lon, lat and area_km2 of the 168 wards."""
    return pd.read_csv(DATA / "hcmc_wards_2025.csv", dtype={"code": str})


def _check(tracker: Tracker, as_of: date, years: int) -> None:
    if tracker.editions() or tracker.store.batches():
        raise _not_empty(tracker.store.root)
    if not 1 <= years <= 10 or not REAL_YEAR < as_of.year < LAST_PLAN_YEAR:
        raise StoreError(
            "demonstration_range",
            f"{years} years up to {as_of} cannot be simulated; allowed are 1 to 10 years and days "
            f"from {REAL_YEAR + 1}-01-01 to {LAST_PLAN_YEAR - 1}-12-31.",
            years=years,
            day=as_of,
        )


def _not_empty(folder: Path) -> StoreError:
    return StoreError(
        "store_not_empty",
        f"{folder} is not empty; the demonstration city needs a store of its own: name an empty "
        "folder with --store.",
        store=str(folder),
    )


def _sizes(seats: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Return incidents a month by ward: more where seats lie close, lognormal around it."""
    lon, lat = seats["lon"].to_numpy(), seats["lat"].to_numpy()
    km = np.hypot((lon[:, None] - lon) * 109.3, (lat[:, None] - lat) * 110.6)
    near = np.sort(km, axis=1)[:, 1:7].mean(axis=1)
    mean = 26 * np.sqrt(np.median(near) / near).clip(0.35, 1.9)
    return pd.Series(mean * rng.lognormal(-0.1, 0.45, len(seats)), index=seats["code"])


# -- the hotspots' histories


def _histories(
    seats: pd.DataFrame, size: pd.Series, as_of: date, rng: np.random.Generator
) -> tuple[list[_Step], list[_Course]]:
    """Simulate the lists of the years before and after the real one, and what became of them."""
    steps: list[_Step] = []
    courses: list[_Course] = []
    real = pd.read_csv(DATA / "hcmc_designated_2025.csv", dtype=str)
    busy = size.drop(real["ward"]).drop("26732").sort_values(ascending=False).index[:90]
    free = list(rng.permutation(busy))
    carried: list[tuple[str, str]] = []
    for year in range(min(as_of.year - 3, REAL_YEAR - 2), as_of.year + 1):
        if year == REAL_YEAR:
            chosen = [(w, tuple(int(k) for k in ks.split("+"))) for w, ks in real.to_numpy()]
            day = REAL_DESIGNATION
            carried = []  # the real list had twelve areas, so nothing simulated joins it
        else:
            chosen = [(free.pop(), _some_kinds(rng)) for _ in range(12 - min(len(carried), 4))]
            day = date(year, 2, 1) + timedelta(days=int(rng.integers(10, 25)))
        carried = _plan_year(year, day, chosen, carried, steps, courses, rng)
    late = max(as_of - timedelta(days=9), date(as_of.year, 1, 1))
    steps.append(_Step(f"{free[4]}-{late.year}", free[4], E.DESIGNATED, late, late.year, (1, 4)))
    steps += _proposals(as_of.year + 1, free, as_of)
    return [step for step in steps if step.on <= as_of], courses


def _some_kinds(rng: np.random.Generator) -> tuple[int, ...]:
    kinds = [(1,), (1,), (1,), (4,), (2,), (1, 4), (1, 3)]
    return kinds[int(rng.integers(len(kinds)))]


def _plan_year(
    year: int,
    day: date,
    chosen: list[tuple[str, tuple[int, ...]]],
    carried: list[tuple[str, str]],
    steps: list[_Step],
    courses: list[_Course],
    rng: np.random.Generator,
) -> list[tuple[str, str]]:
    """Simulate one plan year and return the hotspots carried over into the next."""
    assessed_on = date(year, 12, 18)
    still_open: list[tuple[str, str]] = []
    for hotspot, ward in carried:
        again_on = date(year, 1, 12)
        steps.append(_Step(hotspot, ward, E.CARRIED_OVER, again_on, year))
        _work_and_end(hotspot, ward, again_on, year, assessed_on, 0.8, steps, courses, rng)
    for number, (ward, kinds) in enumerate(chosen):
        hotspot = f"{ward}-{year}"
        if year != REAL_YEAR:
            steps.append(
                _Step(hotspot, ward, E.PROPOSED, day - timedelta(days=40), year, kinds=kinds)
            )
            steps.append(_Step(hotspot, ward, E.APPRAISED, day - timedelta(days=15)))
        note = "" if year != REAL_YEAR else "Danh sách 12 địa bàn công bố ngày 20/10/2025"
        steps.append(_Step(hotspot, ward, E.DESIGNATED, day, year, kinds, note))
        if year != REAL_YEAR and number == 0:
            steps.append(_Step(hotspot, ward, E.WITHDRAWN, day + timedelta(days=70)))
            continue
        if not _work_and_end(hotspot, ward, day, year, assessed_on, 0.66, steps, courses, rng):
            still_open.append((hotspot, ward))
    return still_open


def _work_and_end(
    hotspot: str,
    ward: str,
    listed_on: date,
    year: int,
    assessed_on: date,
    chance: float,
    steps: list[_Step],
    courses: list[_Course],
    rng: np.random.Generator,
) -> bool:
    """Simulate the work of a year and its end; true when the area was transformed."""
    work_on = listed_on + timedelta(days=int(rng.integers(14, 35)))
    if steps[-1].event is not E.CARRIED_OVER:  # in a carried-over area work goes on
        steps.append(_Step(hotspot, ward, E.WORK_STARTED, work_on))
    inspected = [work_on + timedelta(days=int(d)) for d in rng.integers([20, 120], [90, 180])]
    steps += [_Step(hotspot, ward, E.INSPECTED, d) for d in inspected if d < assessed_on]
    early = year != REAL_YEAR and rng.random() < 0.2
    ended_on = date(year, 8, 28) if early else assessed_on
    transformed = early or rng.random() < chance
    relapsed_on = None
    if transformed:
        steps.append(_Step(hotspot, ward, E.ASSESSED_TRANSFORMED, ended_on))
        released_on = date(year + 1, 1, 1) + timedelta(days=int(rng.integers(10, 25)))
        if rng.random() < 0.17:
            relapsed_on = add_months(ended_on, int(rng.integers(4, 10)))
            steps.append(_Step(hotspot, ward, E.RELAPSED, relapsed_on))
        else:
            steps.append(_Step(hotspot, ward, E.INSPECTED, add_months(ended_on, 5)))
        if relapsed_on is None or released_on < relapsed_on:
            steps.append(_Step(hotspot, ward, E.RELEASED, released_on))
    else:
        steps.append(_Step(hotspot, ward, E.ASSESSED_NOT_TRANSFORMED, ended_on))
    after = rng.uniform(0.45, 0.8) if transformed else rng.uniform(0.85, 1.0)
    courses.append(
        _Course(ward, listed_on, float(rng.uniform(1.6, 2.4)), float(after), relapsed_on)
    )
    return bool(transformed)


def _proposals(year: int, free: list[str], as_of: date) -> list[_Step]:
    """Return next year's first proposals, some of them appraised."""
    steps = []
    for number, ward in enumerate(free[:4]):
        hotspot = f"{ward}-{year}"
        steps.append(
            _Step(hotspot, ward, E.PROPOSED, as_of - timedelta(days=12 + number), year, (1,))
        )
        if number % 2:
            steps.append(_Step(hotspot, ward, E.APPRAISED, as_of - timedelta(days=3)))
    return steps


def _record(tracker: Tracker, steps: list[_Step], as_of: date) -> None:
    """Write the events as if each had been written on the morning of its day."""
    ordered = sorted(steps, key=lambda step: (step.on, step.hotspot))
    entries = [
        Entry(
            hotspot=step.hotspot,
            event=step.event,
            on=step.on,
            by=AUTHOR,
            recorded_at=datetime.combine(step.on, time(9), tzinfo=UTC) + timedelta(seconds=number),
            note=step.note,
            plan_year=step.plan_year,
            ward=step.ward,
            kinds=step.kinds,
            event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{step.hotspot} {number}")),
        )
        for number, step in enumerate(ordered)
    ]
    _, refused = tracker.record_all(entries, today=as_of)
    for error in refused.values():
        raise error


# -- the counts


def _counts(
    seats: pd.DataFrame,
    size: pd.Series,
    courses: list[_Course],
    as_of: date,
    years: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Simulate the monthly counts: one row a ward, month and category."""
    last = last_complete_month(as_of)
    months = [last + -step for step in reversed(range(12 * years))]
    mix = rng.dirichlet(np.array(list(_CITY_MIX.values())) * 40, len(seats))
    season = np.array([_season(month) for month in months])
    course = np.array([list(_course(ward, courses, months)) for ward in seats["code"]])
    mean = size.to_numpy()[:, None, None] * (course * season)[:, :, None] * mix[:, None, :]
    extra = 0.35 + 0.04 * mean
    counts = rng.poisson(rng.gamma(mean / extra, extra))
    cells = pd.MultiIndex.from_product(
        [seats["code"], [str(month) for month in months], list(_CITY_MIX)],
        names=["ward", "month", "category"],
    )
    return pd.DataFrame({"count": counts.ravel()}, index=cells).reset_index()


def _season(month: Month) -> float:
    wave = 1 + 0.08 * np.cos(2 * np.pi * (month.month - 7) / 12)
    return float(wave * (1.1 if month in TET_MONTHS else 1.0))


def _course(ward: str, courses: list[_Course], months: list[Month]) -> Iterator[float]:
    """Return the factor on a ward's level, month by month, over all its times on a list."""
    own = [course for course in courses if course.ward == ward]
    for month in months:
        factors = [_factor(course, month) for course in own]
        yield max(factors, default=1.0)


def _factor(course: _Course, month: Month) -> float:
    since = month - Month.of(course.designated_on)
    if since < -14:
        return 1.0
    if since < 2:
        return 1 + (course.peak - 1) * min(1.0, (since + 15) / 12)
    low = course.peak * (1 - (1 - course.after) * min(1.0, (since - 1) / 5))
    if course.relapsed_on is None:
        return low
    to_relapse = Month.of(course.relapsed_on) - month
    climbed = float(np.clip((5 - to_relapse) / 5, 0.0, 1.0))
    return low + (course.peak * 0.95 - low) * climbed


def _import_counts(tracker: Tracker, counts: pd.DataFrame, as_of: date) -> None:
    """Bring the counts in the way a user's file comes in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulated_counts.parquet"
        counts.to_parquet(path, index=False)
        moment = datetime.combine(as_of, time(7), tzinfo=UTC)
        tracker.import_counts(path, today=as_of, now=moment, simulated=True)
