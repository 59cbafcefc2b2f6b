"""The demonstration city: real wards and a real list, everything else simulated from a seed.

Real are the names and codes of Ho Chi Minh City's 168 wards and of the 442 they were made of on
1 July 2025, the list of which old ward went to which new ones, the 168 wards' seat points and
areas, and the list of 12 hotspots designated on 20 October 2025 (`data/README.md` names the
sources). Simulated are the polygons of both boundary editions (schematic), the seats and areas of
the 442 (invented around the seats of the 168), the weights of the old wards that were divided, the
other years' lists, every event after a designation, and all counts.

The lists of the plan years up to 2024 stand on the old wards of 1 January 2025, the earliest
boundaries here: the simulated offices re-tabulated what they had recorded before on these. A
hotspot stays on the ward it was designated on. Months up to June 2025 are counted on the old wards,
months from July 2025 on the new ones.

How the counts are made, for piece p (what old ward o gave to new ward n), month t and category c::

    mean(ward) = sum over the ward's pieces: size(p) x mix(n, c) x season(t) x tet(t) x course(p, t)
    count ~ negative binomial, variance = mean x (1 + 0.35 + 0.04 mean)

So the city's level does not jump when the wards change. The `size` of a new ward is lognormal
around the square root of its density of seats, and for the 12 real hotspots not below the city's
busiest third; its old wards share it unevenly, and a divided one is divided by its weights. `mix`
is a Dirichlet draw around the city's mix; `season` a yearly wave of 8 %; `tet` lifts the month of
the lunar new year by a tenth; `course` is 1 where neither ward was ever listed, and for a listed
one rises to 1.6 to 2.4 before it is designated, falls to 0.45 to 0.8 of the peak once work has
begun if the area is to be transformed and to 0.85 to 1 if not, and climbs back above the peak's
nine tenths before a relapse. An old hotspot's course goes on in its new ward, as far as that ward's
counts come from it.

A dozen divided wards of the former Bình Dương have no weight in the crosswalk, as if none were
known: what they recorded cannot be carried.
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
import numpy.typing as npt
import pandas as pd

from geo.schematic import schematic_wards
from hotspots.errors import StoreError
from hotspots.measures.levels import TET_MONTHS
from hotspots.programme.months import Month, add_months, last_complete_month
from hotspots.programme.roles import Role
from hotspots.programme.status import EventType as E
from hotspots.programme.status import changes_status
from hotspots.records.simulation import begin_simulation
from hotspots.records.store import folder_of
from hotspots.tracker import Entry, Tracker

DATA = Path(__file__).resolve().parents[1] / "data"
OLD_EDITION = date(2025, 1, 1)
EDITION = date(2025, 7, 1)
REAL_YEAR = 2025
LAST_PLAN_YEAR = 2030
REAL_DESIGNATION = date(2025, 10, 20)
AUTHOR = "thammuu"
APPROVER = "chihuy"
USERS = (
    ("quantri", Role.ADMINISTRATOR, "Quản trị viên (mô phỏng)"),
    (AUTHOR, Role.PLANNER, "Cán bộ tham mưu (mô phỏng)"),
    (APPROVER, Role.COMMANDER, "Chỉ huy (mô phỏng)"),
    ("canbo", Role.WARD_OFFICER, "Cán bộ địa bàn Sài Gòn, Bến Thành (mô phỏng)"),
    ("xem", Role.VIEWER, "Người xem (mô phỏng)"),
)
"""Demonstration users, without passwords: in the app a switch chooses among them."""
OFFICERS_WARDS = (("26740", "2025-07-01"), ("26743", "2025-07-01"))
_APPROVED_AFTER = timedelta(hours=6)
_STILL_WAITING = timedelta(days=5)
# Sài Gòn has the code now that was Bến Nghé's, of which it is only a part.
BEN_NGHE = "26740"
_CON_DAO = "26732"
_WITHOUT_WEIGHT = 12
# One degree in Ho Chi Minh City.
_KM_EAST, _KM_NORTH = 109.3, 110.6
# Turned by this from ward to ward, no two rings look alike.
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
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


_FOUND_BY_POLICE = {
    "drugs": 0.75,
    "gambling_prostitution": 0.65,
    "economic": 0.55,
    "environment": 0.50,
    "public_disorder": 0.25,
}
"""Share of a category's incidents that patrols and raids found; of the others nearly none."""


@dataclass(frozen=True)
class _Ward:
    """A ward of one of the two boundary editions: a code alone identifies nothing."""

    code: str
    edition: date


@dataclass(frozen=True)
class _Step:
    """One simulated event of one hotspot."""

    hotspot: str
    ward: _Ward
    event: E
    on: date
    plan_year: int | None = None
    kinds: tuple[int, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class _Course:
    """How a hotspot's counts move: designated, worked on, transformed or not, relapsed or not."""

    ward: _Ward
    designated_on: date
    peak: float
    after: float
    relapsed_on: date | None


def build_at(
    location: str, *, as_of: date, years: int = 4, seed: int = 7, accounts: bool = True
) -> None:
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
            build(tracker, as_of=as_of, years=years, seed=seed, accounts=accounts)
        finally:
            tracker.store.close()
        aside.chmod(0o755)
        aside.replace(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def build(
    tracker: Tracker, *, as_of: date, years: int = 4, seed: int = 7, accounts: bool = True
) -> None:
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
    accounts : bool
        With users, and a second person who approved every change of status; the last days' still
        wait. Otherwise in single-user mode.

    Raises
    ------
    StoreError
        If the store holds something already, or the day or the years are out of range.
    """
    _check(tracker, as_of, years)
    rng = np.random.default_rng(seed)
    wards = ward_facts()
    start = datetime.combine(date(as_of.year - 4, 1, 1), time(8), tzinfo=UTC)
    programme = (DATA / "hcmc_programme.toml").read_text("utf-8")
    if not accounts:
        programme = programme.replace("required = true", "required = false")
    tracker.add_programme(programme, start)
    for seats, edition in ((_old_seats(wards), OLD_EDITION), (wards, EDITION)):
        tracker.add_schematic_boundaries(schematic_wards(seats, edition), edition, start)
    pieces = _pieces(wards, rng)
    _add_crosswalk(tracker, pieces, start)
    steps, courses = _histories(pieces, as_of, rng)
    counts = _counts(pieces, courses, as_of, years, rng)
    begin_simulation(
        tracker.store.database, as_of.isoformat(), by=tracker.access.author("-"), now=start
    )
    _record(tracker, steps, as_of, accounts=accounts)
    _import_counts(tracker, _by_source(counts, np.random.default_rng([seed, 1])), as_of)
    if accounts:
        _add_users(tracker, as_of)


def ward_facts() -> pd.DataFrame:
    """Return code, name, kind, lon, lat and area_km2 of the 168 wards."""
    return pd.read_csv(DATA / "hcmc_wards_2025.csv", dtype={"code": str})


def old_ward_facts() -> pd.DataFrame:
    """Return code, name, kind and district of the 442 old wards.

    Where they lay is not known here. Côn Đảo, a district without wards, has no kind.
    """
    path = DATA / "hcmc_wards_before_july_2025.csv"
    return pd.read_csv(path, dtype={"code": str}, keep_default_na=False)


def official_pairs() -> pd.DataFrame:
    """Return old_code, old_name, new_code and new_name: what every old ward gave to which."""
    return pd.read_csv(DATA / "hcmc_crosswalk_july_2025.csv", dtype=str)


def _real_list() -> pd.DataFrame:
    return pd.read_csv(DATA / "hcmc_designated_2025.csv", dtype=str)


def _check(tracker: Tracker, as_of: date, years: int) -> None:
    if tracker.editions() or tracker.store.batches():
        raise _not_empty(tracker.store.name)
    if not 1 <= years <= 10 or not REAL_YEAR < as_of.year < LAST_PLAN_YEAR:
        raise StoreError(
            "demonstration_range",
            f"{years} years up to {as_of} cannot be simulated; allowed are 1 to 10 years and days "
            f"from {REAL_YEAR + 1}-01-01 to {LAST_PLAN_YEAR - 1}-12-31.",
            years=years,
            day=as_of,
        )


def _not_empty(folder: Path | str) -> StoreError:
    return StoreError(
        "store_not_empty",
        f"{folder} is not empty; the demonstration city needs a store of its own: name an empty "
        "folder with --store.",
        store=str(folder),
    )


def _sizes(seats: pd.DataFrame, rng: np.random.Generator) -> pd.Series[float]:
    """Return incidents a month by ward: more where seats lie close, lognormal around it.

    The 12 real hotspots are among the busy wards.
    """
    near = _to_other_seats_km(seats)[:, :6].mean(axis=1)
    mean = 26 * np.sqrt(np.median(near) / near).clip(0.35, 1.9)
    size = pd.Series(mean * rng.lognormal(-0.1, 0.45, len(seats)), index=seats["code"])
    real = _real_list()["ward"]
    size[real] = size[real].clip(lower=size.quantile(0.7) * rng.uniform(0.95, 1.35, len(real)))
    return size


def _to_other_seats_km(seats: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the distances of each seat (rows) to all the others, the nearest first."""
    lon, lat = seats["lon"].to_numpy(), seats["lat"].to_numpy()
    km = np.hypot((lon[:, None] - lon) * _KM_EAST, (lat[:, None] - lat) * _KM_NORTH)
    apart: npt.NDArray[np.float64] = np.sort(km, axis=1)[:, 1:]
    return apart


# -- from the old wards to the new


def _old_seats(wards: pd.DataFrame) -> pd.DataFrame:
    """Return the old wards with an invented `lon`, `lat` and `area_km2`, for the sketch only.

    Around the seat of each new ward its old ones stand on a ring, evenly spread, and divide its
    area evenly. A sole old ward stands at the seat itself, a divided one between its new wards. The
    rings keep clear of each other, so that the old borders look like a finer division of the new.
    """
    pairs = official_pairs()
    of_new = pairs.groupby("new_code")["old_code"]
    parts = of_new.transform("size")
    ring = _rings(wards).loc[pairs["new_code"]].set_axis(pairs.index)
    radius_km = ring["radius_km"].where(parts > 1, 0)
    angle = ring["turn"] + 2 * np.pi * of_new.cumcount() / parts
    places = pd.DataFrame(
        {
            "code": pairs["old_code"],
            "lon": ring["lon"] + radius_km * np.cos(angle) / _KM_EAST,
            "lat": ring["lat"] + radius_km * np.sin(angle) / _KM_NORTH,
            "area_km2": ring["area_km2"] / parts,
        }
    )
    seats = places.groupby("code").agg({"lon": "mean", "lat": "mean", "area_km2": "sum"})
    return old_ward_facts().merge(seats.round(5), on="code", validate="one_to_one")


def _rings(wards: pd.DataFrame) -> pd.DataFrame:
    """Return the new wards by code, with `radius_km` and `turn` (radians) of the ring in each."""
    by_size = 0.4 * np.sqrt(wards["area_km2"] / np.pi)
    clear = 0.3 * _to_other_seats_km(wards)[:, 0]
    turn = _GOLDEN_ANGLE * np.arange(len(wards))
    return wards.assign(radius_km=np.minimum(by_size, clear), turn=turn).set_index("code")


def _pieces(wards: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the official pairs with `weight`, `basis` and `size`, the incidents a month."""
    size = _sizes(wards, rng)
    pairs = official_pairs()
    old = pairs["old_code"]
    share = _shares(old, rng)
    weight = share.mask(old.isin(_unweighted(old, rng)))
    basis = np.select([share.eq(1), weight.notna()], ["whole", "simulated"], "")
    shared_out = _shared_out(size, old, pairs["new_code"], share, rng)
    return pairs.assign(weight=weight, basis=basis, size=shared_out)


def _shares(old: pd.Series[str], rng: np.random.Generator) -> pd.Series[float]:
    """Return each piece's share of its old ward: all, or of two pieces .35 to .65."""
    drawn = pd.Series(rng.uniform(0.7, 1.3, len(old)), index=old.index)
    return drawn / drawn.groupby(old).transform("sum")


def _unweighted(old: pd.Series[str], rng: np.random.Generator) -> list[str]:
    """Return a dozen divided wards of the former Bình Dương, whose codes begin with 25."""
    divided = sorted(old[old.duplicated() & old.str.startswith("25")].unique())
    return [str(code) for code in rng.choice(divided, _WITHOUT_WEIGHT, replace=False)]


def _shared_out(
    size: pd.Series[float],
    old: pd.Series[str],
    new: pd.Series[str],
    share: pd.Series[float],
    rng: np.random.Generator,
) -> pd.Series[float]:
    """Share the new wards' sizes out to their pieces, unevenly.

    A divided ward ties its new wards together, for its pieces keep their shares of it: the old
    wards are raised and lowered until the new wards have about their sizes. More turns would come
    nearer and empty some old wards on the way.
    """
    of_old = pd.Series(rng.lognormal(0, 0.35, old.nunique()), index=old.unique())
    piece = old.map(of_old) * share
    for _ in range(8):
        raise_by = new.map(size) / piece.groupby(new).transform("sum")
        piece = piece * (share * raise_by).groupby(old).transform("sum")
    return piece.clip(lower=0.8 * share)


def _add_crosswalk(tracker: Tracker, pieces: pd.DataFrame, now: datetime) -> None:
    """Bring the crosswalk in the way a user's file comes in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulated_crosswalk.csv"
        pieces.drop(columns="size").to_csv(path, index=False, float_format="%.4f")
        tracker.add_crosswalk(path, OLD_EDITION, EDITION, now)


# -- the hotspots' histories


def _histories(
    pieces: pd.DataFrame, as_of: date, rng: np.random.Generator
) -> tuple[list[_Step], list[_Course]]:
    """Simulate the lists of the years before and after the real one, and what became of them."""
    steps: list[_Step] = []
    courses: list[_Course] = []
    real = _real_list()
    shown, old_free = _old_candidates(pieces, rng)
    free = _candidates(pieces, rng)
    carried: list[tuple[str, _Ward]] = []
    for year in range(REAL_YEAR - 2, as_of.year + 1):
        if year == REAL_YEAR:
            chosen = [
                (_Ward(ward, EDITION), tuple(int(kind) for kind in kinds.split("+")))
                for ward, kinds in real.to_numpy()
            ]
            day = REAL_DESIGNATION
            carried = []  # the real list had twelve areas, so nothing simulated joins it
        else:
            wards = old_free if year < REAL_YEAR else free
            listed = [wards.pop() for _ in range(12 - min(len(carried), 4))]
            if year == REAL_YEAR - 1:
                listed[-len(shown) :] = shown  # not the first, which is withdrawn
            chosen = [(ward, _some_kinds(rng)) for ward in listed]
            day = date(year, 2, 1) + timedelta(days=int(rng.integers(10, 25)))
        carried = _plan_year(year, day, chosen, carried, steps, courses, rng)
    late = max(as_of - timedelta(days=9), date(as_of.year, 1, 1))
    name = f"{free[4].code}-{late.year}"
    steps.append(_Step(name, free[4], E.DESIGNATED, late, late.year, (1, 4)))
    steps += _proposals(as_of.year + 1, free, as_of)
    return [step for step in steps if step.on <= as_of], courses


def _candidates(pieces: pd.DataFrame, rng: np.random.Generator) -> list[_Ward]:
    """Return busy wards of today for the simulated lists, shuffled."""
    size = pieces.groupby("new_code")["size"].sum().drop([_CON_DAO, *_real_list()["ward"]])
    busy = size.sort_values(ascending=False).index[:90]
    return [_Ward(str(code), EDITION) for code in rng.permutation(busy)]


def _old_candidates(
    pieces: pd.DataFrame, rng: np.random.Generator
) -> tuple[list[_Ward], list[_Ward]]:
    """Return the old wards that are to be on the list of 2024, and busy others, shuffled.

    To be on it are Bến Nghé, whose code is another ward's today, and the busiest divided ward. No
    part of the others went to a ward of the real list, so that each ward has one story to tell; and
    all can be carried.
    """
    old = pieces["old_code"]
    told = pieces["new_code"].isin(_real_list()["ward"]) | pieces["weight"].isna()
    taken = {*old[told], _CON_DAO, BEN_NGHE}
    size = pieces.groupby("old_code")["size"].sum().sort_values(ascending=False)
    size = size[~size.index.isin(taken)]
    divided = size[size.index.isin(old[old.duplicated()])].index[0]
    rest = rng.permutation(size.drop(divided).index[:120])
    shown = [_Ward(BEN_NGHE, OLD_EDITION), _Ward(str(divided), OLD_EDITION)]
    return shown, [_Ward(str(code), OLD_EDITION) for code in rest]


def _some_kinds(rng: np.random.Generator) -> tuple[int, ...]:
    kinds = [(1,), (1,), (1,), (4,), (2,), (1, 4), (1, 3)]
    return kinds[int(rng.integers(len(kinds)))]


def _plan_year(
    year: int,
    day: date,
    chosen: list[tuple[_Ward, tuple[int, ...]]],
    carried: list[tuple[str, _Ward]],
    steps: list[_Step],
    courses: list[_Course],
    rng: np.random.Generator,
) -> list[tuple[str, _Ward]]:
    """Simulate one plan year and return the hotspots carried over into the next."""
    assessed_on = date(year, 12, 18)
    still_open: list[tuple[str, _Ward]] = []
    for hotspot, ward in carried:
        again_on = date(year, 1, 12)
        steps.append(_Step(hotspot, ward, E.CARRIED_OVER, again_on, year))
        _work_and_end(hotspot, ward, again_on, year, assessed_on, 0.8, steps, courses, rng)
    for number, (ward, kinds) in enumerate(chosen):
        hotspot = f"{ward.code}-{year}"
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
    ward: _Ward,
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


def _proposals(year: int, free: list[_Ward], as_of: date) -> list[_Step]:
    """Return next year's first proposals, some of them appraised."""
    steps = []
    for number, ward in enumerate(free[:4]):
        hotspot = f"{ward.code}-{year}"
        steps.append(
            _Step(hotspot, ward, E.PROPOSED, as_of - timedelta(days=12 + number), year, (1,))
        )
        if number % 2:
            steps.append(_Step(hotspot, ward, E.APPRAISED, as_of - timedelta(days=3)))
    return steps


def _add_users(tracker: Tracker, as_of: date) -> None:
    """Add the demonstration users; the first is the administrator, who adds the others."""
    now = datetime.combine(as_of, time(17), tzinfo=UTC)
    for name, role, display_name in USERS:
        wards = OFFICERS_WARDS if role is Role.WARD_OFFICER else ()
        tracker.add_user(name, role=role, display_name=display_name, wards=wards, now=now)
        tracker = tracker.acting_as(USERS[0][0])


def _record(tracker: Tracker, steps: list[_Step], as_of: date, *, accounts: bool) -> None:
    """Write the events as if each had been written on the morning of its day.

    With accounts, a second person approved each change of status in the afternoon, except in the
    last days.
    """
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
            ward=step.ward.code,
            edition=step.ward.edition,
            kinds=step.kinds,
            event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{step.hotspot} {number}")),
        )
        for number, step in enumerate(ordered)
    ]
    if accounts:
        entries += [
            Entry(
                hotspot=entry.hotspot,
                event=E.APPROVED,
                on=entry.on,
                by=APPROVER,
                recorded_at=entry.recorded_at + _APPROVED_AFTER,
                about=entry.event_id,
                event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"approved {entry.event_id}")),
            )
            for entry in entries
            if changes_status(entry.event) and entry.on <= as_of - _STILL_WAITING
        ]
        entries.sort(key=lambda entry: entry.recorded_at)
    _, refused = tracker.record_all(entries, today=as_of)
    for error in refused.values():
        raise error


# -- the counts


def _counts(
    pieces: pd.DataFrame,
    courses: list[_Course],
    as_of: date,
    years: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Simulate the monthly counts: one row an edition, ward, month and category."""
    last = last_complete_month(as_of)
    months = [last + -step for step in reversed(range(12 * years))]
    mix_of = rng.dirichlet(np.array(list(_CITY_MIX.values())) * 40, pieces["new_code"].nunique())
    mix = mix_of[np.unique(pieces["new_code"].to_numpy(str), return_inverse=True)[1]]
    mean = _levels(pieces, courses, months)[:, :, None] * mix[:, None, :]
    change = sum(month < Month.of(EDITION) for month in months)
    before = _drawn(pieces["old_code"], months[:change], mean[:, :change], rng)
    since = _drawn(pieces["new_code"], months[change:], mean[:, change:], rng)
    both = [before.assign(edition=str(OLD_EDITION)), since.assign(edition=str(EDITION))]
    return pd.concat([part for part in both if len(part)], ignore_index=True)


def _drawn(
    ward: pd.Series[str],
    months: list[Month],
    mean_of_pieces: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw the counts of the wards that the pieces lie in."""
    codes, owner = np.unique(ward.to_numpy(str), return_inverse=True)
    mean = np.zeros((len(codes), *mean_of_pieces.shape[1:]))
    np.add.at(mean, owner, mean_of_pieces)
    extra = 0.35 + 0.04 * mean
    cells = pd.MultiIndex.from_product(
        [codes, [str(month) for month in months], list(_CITY_MIX)],
        names=["ward", "month", "category"],
    )
    counts = rng.poisson(rng.gamma(mean / extra, extra))
    return pd.DataFrame({"count": counts.ravel()}, index=cells).reset_index()


def _by_source(counts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Split every count into what citizens reported and what the police found themselves.

    How much the police look for differs from ward to ward.
    """
    zeal = rng.uniform(0.5, 1.3, counts["ward"].nunique())
    ward = np.unique(counts["ward"].to_numpy(str), return_inverse=True)[1]
    usual = counts["category"].map(_FOUND_BY_POLICE).fillna(0.02).to_numpy(float)
    found = rng.binomial(counts["count"].to_numpy(int), np.minimum(usual * zeal[ward], 0.95))
    citizen = counts.assign(count=counts["count"] - found, source="citizen")
    police = counts.assign(count=found, source="police")
    return pd.concat([citizen, police[police["count"] > 0]], ignore_index=True)


def _levels(
    pieces: pd.DataFrame, courses: list[_Course], months: list[Month]
) -> npt.NDArray[np.float64]:
    """Return the mean incidents of every piece (rows) and month, of all categories together."""
    season = np.array([_season(month) for month in months])
    course = np.array(
        [
            list(_course({_Ward(old, OLD_EDITION), _Ward(new, EDITION)}, courses, months))
            for old, new in zip(pieces["old_code"], pieces["new_code"], strict=True)
        ]
    )
    levels: npt.NDArray[np.float64] = pieces["size"].to_numpy(float)[:, None] * course * season
    return levels


def _season(month: Month) -> float:
    wave = 1 + 0.08 * np.cos(2 * np.pi * (month.month - 7) / 12)
    return float(wave * (1.1 if month in TET_MONTHS else 1.0))


def _course(wards: set[_Ward], courses: list[_Course], months: list[Month]) -> Iterator[float]:
    """Return the factor on a piece's level, month by month, over all its wards' times on a list."""
    own = [course for course in courses if course.ward in wards]
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
