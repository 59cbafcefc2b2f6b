"""Bringing a file in: what it holds, what would change, and the one write that changes it.

A file is opened in a child process (`hotspots.records.intake`), looked through for personal data,
mapped, and tried: every row is accepted or has a reason, and what would change is counted. Up to
here nothing is written. `Tracker.confirm` then writes everything in one transaction, or nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from geo.assign import assign_wards
from hotspots.carried import count_rows, held_counts
from hotspots.editions import Editions
from hotspots.errors import HotspotsError, IntakeError
from hotspots.measures.cells import CodeHints
from hotspots.measures.file_kinds import FileKind
from hotspots.measures.incidents import (
    CleanedIncidents,
    ColumnMapping,
    KeyMaker,
    clean_counts,
    clean_incidents,
    keys_on_edition,
)
from hotspots.measures.mapping import Guess, guess
from hotspots.measures.months_in_part import months_in_part
from hotspots.measures.other_tables import (
    clean_indicators,
    clean_populations,
    clean_scorecards,
)
from hotspots.measures.personal_data import Guard, Suspicion
from hotspots.measures.reasons import Reason
from hotspots.programme.months import last_day_of_period
from hotspots.programme.plan import Programme
from hotspots.records import incident_files
from hotspots.records.intake import Found, Reading
from hotspots.records.log import by_hotspot, read_events
from hotspots.records.staging import BatchWriter, StagedBatch
from hotspots.records.store import Batch, Store
from hotspots.records.superseding import Scope
from hotspots.reports.tables import unquoted_table

Progress = Callable[[float], None]
_CELL = ["edition", "ward", "month", "category", "source"]
_POINTS_SHOWN = 4_000
_LOOKED_AT = 20_000

MOST_GIVEN_BACK = 500_000
"""Rejected rows that are given back as they stood; all are counted."""

MOST_ROWS: Mapping[FileKind, int] = {
    FileKind.COUNTS: 2_000_000,
    FileKind.INDICATORS: 200_000,
    FileKind.STATUS: 5_000,
    FileKind.SCORECARDS: 200_000,
    FileKind.POPULATIONS: 200_000,
}
"""Rows of files that are looked at as one; incidents may be any number."""

HIDDEN = "…"
"""Stands for what was not looked through."""

CELL_OF: Mapping[FileKind, tuple[str, ...]] = {
    FileKind.INDICATORS: ("period", "indicator", "ward", "edition"),
    FileKind.SCORECARDS: ("hotspot", "criterion", "on"),
    FileKind.POPULATIONS: ("ward", "edition", "on"),
}
"""Of the files kept as they are, what a value is of: of two files the later one's counts."""


@dataclass(frozen=True)
class Receipt:
    """What became of every row of an imported file: accepted + rejected = rows.

    Attributes
    ----------
    new : int
        Accepted rows that were not in the store; the other accepted ones change nothing.
    rejected : DataFrame
        `row`, `reason` (code), `value`.
    placed_on_earliest : int
        Incidents dated before the first boundary edition, placed on that one.
    on_sketch : bool
        Whether points were placed on schematic boundaries.
    replaced : int
        Incidents that were in the store and no longer count, because this file replaces them.
    waiting : int
        New events that count once a second person has approved them.
    problems : dict of int to HotspotsError
        Of a file of events, by row what the rules say against it, in any language.
    """

    source: str
    rows: int
    accepted: int
    new: int
    rejected: pd.DataFrame
    placed_on_earliest: int = 0
    on_sketch: bool = False
    replaced: int = 0
    waiting: int = 0
    problems: Mapping[int, HotspotsError] = field(default_factory=dict)

    @property
    def already_there(self) -> int:
        """Accepted rows that the store held already."""
        return self.accepted - self.new


@dataclass(frozen=True)
class Upload:
    """An opened file, before anybody has decided anything.

    Attributes
    ----------
    suspicions : tuple of Suspicion
        Columns that look like personal data.
    guess : Guess
        What its columns seem to be.
    earlier : tuple of Batch
        Imports of the same bytes.
    """

    reading: Reading
    suspicions: tuple[Suspicion, ...]
    guess: Guess
    earlier: tuple[Batch, ...]

    @property
    def refused(self) -> tuple[str, ...]:
        """Columns that are never kept nor shown, in the order of the file."""
        return self._columns("refused")

    @property
    def asked(self) -> tuple[str, ...]:
        """Columns that a person must drop or keep with a reason; none that is refused anyway."""
        refused = self.refused
        return tuple(column for column in self._columns("asked") if column not in refused)

    def _columns(self, grade: str) -> tuple[str, ...]:
        places = {item.position for item in self.suspicions if item.grade == grade}
        return tuple(self.reading.columns[place] for place in sorted(places))

    def label(self, column: str) -> str:
        """Return what a column may be called on a screen: its name can be personal data itself."""
        place = self.reading.columns.index(column)
        found = [item.column for item in self.suspicions if item.position == place]
        return found[0] if found else column

    def sample(self, rows: int = 20) -> pd.DataFrame:
        """Return the first rows, without suspected columns."""
        hidden = [*self.refused, *self.asked, "geometry"]
        return self.reading.head(rows).drop(columns=hidden, errors="ignore")


@dataclass(frozen=True)
class Decision:
    """What the person decided about an opened file.

    Attributes
    ----------
    dropped : frozenset of str
        Columns that are left out.
    kept : dict of str to str
        Columns that only look like personal data, with the reason for keeping them; logged.
    replaces : str
        "" adds; "wards" replaces what the store holds of the file's months, categories and wards;
        "period" what it holds of the file's months and categories in all wards. A month without
        a row in the file is not the file's: a year typed wrong must not empty the years between.
    edition : date, optional
        Boundary edition of the ward codes of rows that state none; of boundaries their first day,
        of a crosswalk the later edition.
    earlier : date, optional
        Of a crosswalk, the earlier edition.
    simulated : bool
        Whether the figures are made up.
    """

    kind: FileKind
    mapping: ColumnMapping = field(default_factory=ColumnMapping)
    dropped: frozenset[str] = frozenset()
    kept: Mapping[str, str] = field(default_factory=dict)
    replaces: str = ""
    edition: date | None = None
    earlier: date | None = None
    simulated: bool = False


@dataclass(frozen=True)
class Trial:
    """What importing a file would do; nothing is written yet.

    Attributes
    ----------
    changes : DataFrame
        `month`, `new` (incidents that would be added), `replaced` (that would no longer count).
    warnings : tuple of Reason
        What looks odd, for example a month reported in part.
    points : DataFrame
        `lon`, `lat`, `placed` (bool) of some of the file's points, for a map.
    staged : StagedBatch, optional
        What would be written; None when nothing would change.
    seen : int
        How many batches the store had when the file was compared with it.
    rules : tuple
        The programme, boundaries and crosswalks that it was compared with (`Store.rules`).
    found : tuple of Found
        What was noticed in reading the file.
    kept : dict of str to str
        Why columns that look like personal data are kept, by what they may be called on a screen.
    rejected_rows : DataFrame
        The rejected rows as they stood in the file, by their number; without hidden columns.
    payload : object
        Of files that are no table of figures (events, boundaries, crosswalks), what would be
        written.
    """

    kind: FileKind
    receipt: Receipt
    decision: Decision
    changes: pd.DataFrame
    sha256: str = ""
    warnings: tuple[Reason, ...] = ()
    points: pd.DataFrame = field(default_factory=lambda: _no_points())
    staged: StagedBatch | None = None
    replaces: Scope | None = None
    seen: int = 0
    rules: tuple[object, ...] = ()
    found: tuple[Found, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    rejected_rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    payload: Any = None

    @property
    def in_part(self) -> bool:
        """Whether figures would give way although rows of the file were not taken."""
        left_out = self.receipt.rejected["reason"].ne("total_row")
        return self.replaces is not None and bool(left_out.any())

    def close(self) -> None:
        """Remove what was staged and not written."""
        if self.staged is not None:
            self.staged.close()


class Importer:
    """Compares files with one store; writes nothing.

    Parameters
    ----------
    store, boundaries, programme
        What the rows are checked against and compared with.
    today : date
        Later rows are refused.
    """

    def __init__(
        self, store: Store, boundaries: Editions, programme: Programme, today: date
    ) -> None:
        self._store = store
        self._boundaries = boundaries
        self._programme = programme
        self._today = today
        self._editions = boundaries.all()

    def look(
        self, reading: Reading, kind: FileKind | None = None, progress: Progress | None = None
    ) -> Upload:
        """Look a file through: personal data, what its columns seem to be, earlier imports."""
        guard = Guard(reading.columns, set(self._ward_names().values()))
        for batch in _told(reading, progress):
            guard.look(batch.drop(columns="geometry", errors="ignore"))
        suspicions = guard.suspicions()
        hidden = {item.position for item in suspicions}
        shown = [name for place, name in enumerate(reading.columns) if place not in hidden]
        guessed = self.guess(reading, kind, shown)
        earlier = tuple(
            batch for batch in self._store.batches() if batch.file_sha256 == reading.sha256
        )
        return Upload(reading, suspicions, guessed, earlier)

    def guess(
        self,
        reading: Reading,
        kind: FileKind | None,
        columns: Sequence[str],
        chosen: Mapping[str, str] | None = None,
    ) -> Guess:
        """Say what some columns of a file seem to be, those that a person has chosen as chosen."""
        sample = reading.head(_LOOKED_AT)[list(columns)]
        return guess(kind, columns, sample, self._programme, self._ward_names(), chosen)

    def _ward_names(self) -> dict[str, str]:
        """Return every ward code with its name, the newest edition's where two have the code."""
        names: dict[str, str] = {}
        for edition in self._editions:
            names |= {
                str(k): str(v) for k, v in self._boundaries.names(edition.edition)["name"].items()
            }
        return names

    def attempt(
        self, upload: Upload, decision: Decision, progress: Progress | None = None
    ) -> Trial:
        """Say what importing a file of incidents, counts or other tables would do.

        Raises
        ------
        IntakeError
            ``personal_data``: a refused column is not dropped; ``personal_data_unanswered``: a
            suspected one is neither dropped nor kept with a reason; or columns are missing.
        """
        check_decision(upload, decision)
        seen, rules = len(self._store.batches()), self._store.rules()
        work = {FileKind.INCIDENTS: self._incidents, FileKind.COUNTS: self._counts}.get(
            decision.kind, self._other
        )
        trial = work(upload, decision, progress)
        return replace(
            trial,
            seen=seen,
            rules=rules,
            sha256=upload.reading.sha256,
            rejected_rows=rejected_rows(upload, trial.receipt.rejected, decision),
        )

    # -- incidents

    def _incidents(self, upload: Upload, decision: Decision, progress: Progress | None) -> Trial:
        """Try a file of incidents, block by block, so that its length does not matter."""
        reading = upload.reading
        keys = KeyMaker()
        work = _Incidents(
            self,
            self._store,
            decision,
            lambda block: clean_incidents(
                block, self._programme, today=self._today, mapping=decision.mapping, keys=keys
            ),
        )
        with incident_files.batch_writer(self._store, FileKind.INCIDENTS) as writer:
            for block in _told(reading, progress):
                work.take(_without(block, decision), writer)
            staged = writer.finish()
        cells = staged.cells()
        scope = _scope(cells, decision)
        self._refuse_beside_counts(cells, scope, staged)
        if self._says_the_same(staged, work, scope):
            staged.close()
            return self._incidents_trial(upload, decision, work, cells.iloc[:0], None, None)
        return self._incidents_trial(upload, decision, work, cells, staged, scope)

    def _held(self, scope: Scope | None) -> pd.DataFrame:
        """Return what the store holds and a scope would leave, to compare months with."""
        return _outside(held_counts(self._store), scope)

    def _refuse_beside_counts(
        self, cells: pd.DataFrame, scope: Scope | None, staged: StagedBatch
    ) -> None:
        """Refuse incidents that replace the counts of their months only in part."""
        if scope is None:
            return
        left = incident_files.covered_months(self._store, "counts", without=scope)
        both = left & set(zip(cells["month"], cells["category"], strict=True))
        if both:
            staged.close()
            months = sorted({month for month, _ in both})
            raise IntakeError(
                "counts_stay_beside",
                f"Monthly counts of other wards stay for {', '.join(months)}; incidents beside "
                "them would be counted twice. Replace the whole period, on all wards.",
                months=months,
            )

    def _says_the_same(self, staged: StagedBatch, work: _Incidents, scope: Scope | None) -> bool:
        """Tell whether the store holds all of a file already, and nothing else of its scope."""
        if scope is None:
            return staged.rows == 0
        there = int(_replaced(self._store, scope)["count"].sum())
        return work.known == staged.rows == there

    def _incidents_trial(
        self,
        upload: Upload,
        decision: Decision,
        work: _Incidents,
        cells: pd.DataFrame,
        staged: StagedBatch | None,
        scope: Scope | None,
    ) -> Trial:
        replaced = _replaced(self._store, scope)
        receipt = Receipt(
            upload.reading.name,
            upload.reading.rows,
            work.accepted,
            0 if staged is None else staged.rows,
            sorted_rejections(ragged_rows(upload), *work.rejected),
            work.on_earliest,
            on_sketch=work.on_sketch,
            replaced=int(replaced["count"].sum()),
        )
        return Trial(
            FileKind.INCIDENTS,
            receipt,
            decision,
            _changes(cells, replaced),
            warnings=(
                *months_in_part(work.by_day(), self._today, self._held(scope)),
                *_emptied(cells, replaced),
            ),
            points=work.points(),
            staged=staged,
            replaces=scope,
        )

    # -- monthly counts

    def _counts(self, upload: Upload, decision: Decision, progress: Progress | None) -> Trial:
        reading = upload.reading
        raw = _without(_whole(reading, progress), decision)
        cleaned = clean_counts(raw, self._programme, today=self._today, mapping=decision.mapping)
        rows = stated(cleaned.accepted, decision.edition)
        known, unknown = self.with_edition(rows, rows["month"])
        scope = _scope(known, decision)
        covered = incident_files.covered_months(self._store, "incidents", without=scope)
        elsewhere = _in_months(known, covered, "month_has_incidents")
        elsewhere = pd.concat([elsewhere, _given_twice(known, elsewhere)])
        elsewhere = pd.concat([elsewhere, self._on_other_edition(known, elsewhere, scope)])
        there = _outside(count_rows(self._store, by_source=True), scope)
        fresh = known[~known["row"].isin(elsewhere["row"])]
        elsewhere = pd.concat([elsewhere, _sources_mixed(fresh, there)])
        known = known[~known["row"].isin(elsewhere["row"])]
        scope = _scope(known, decision)
        new, differing = _new_cells(known, there)
        if scope is not None and _same_cells(new, _replaced(self._store, scope)):
            new, scope = new.iloc[:0], None
        replaced = _replaced(self._store, scope)
        receipt = Receipt(
            reading.name,
            reading.rows,
            len(known) - len(differing),
            len(new),
            sorted_rejections(ragged_rows(upload), cleaned.rejected, unknown, elsewhere, differing),
            replaced=int(replaced["count"].sum()),
        )
        return Trial(
            FileKind.COUNTS,
            receipt,
            decision,
            _changes(new, replaced),
            warnings=(
                *months_in_part(known, self._today, self._held(scope)),
                *_emptied(new, replaced),
            ),
            staged=self._staged(new, FileKind.COUNTS),
            replaces=scope,
        )

    # -- indicators, scorecards, populations

    def _other(self, upload: Upload, decision: Decision, progress: Progress | None) -> Trial:
        kind = decision.kind
        clean = {
            FileKind.INDICATORS: clean_indicators,
            FileKind.SCORECARDS: clean_scorecards,
            FileKind.POPULATIONS: clean_populations,
        }[kind]
        reading = upload.reading
        raw = _without(_whole(reading, progress), decision)
        cleaned = clean(raw, today=self._today, mapping=decision.mapping)
        rows, unknown = self._known_places(stated(cleaned.accepted, decision.edition), kind)
        again = rows[rows.duplicated(list(CELL_OF[kind]))]
        twice = again[["row"]].assign(reason="cell_given_twice", value=HIDDEN)
        rows = rows[~rows["row"].isin(twice["row"])]
        new, differing = _new_values(
            rows, other_rows(self._store, kind), kind, replaces=bool(decision.replaces)
        )
        rejected = sorted_rejections(
            ragged_rows(upload), cleaned.rejected, unknown, twice, differing
        )
        receipt = Receipt(
            reading.name, reading.rows, len(rows) - len(differing), len(new), rejected
        )
        changes = pd.DataFrame(columns=["month", "new", "replaced"])
        return Trial(kind, receipt, decision, changes, staged=self._staged(new, kind))

    def _known_places(
        self, rows: pd.DataFrame, kind: FileKind
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Split rows by whether their ward or hotspot is known."""
        if kind is FileKind.SCORECARDS:
            hotspots = set(by_hotspot(read_events(self._store.database)))
            strange = rows[~rows["hotspot"].isin(hotspots)]
            rejected = strange[["row"]].assign(reason="unknown_hotspot", value=strange["hotspot"])
            return rows[rows["hotspot"].isin(hotspots)], rejected
        days = rows["on" if kind is FileKind.POPULATIONS else "period"].map(last_day_of_period)
        named = rows["ward"].ne("")
        known, unknown = self.with_edition(rows[named], days[named])
        return pd.concat([known, rows[~named]]).sort_values("row"), unknown

    def _staged(self, rows: pd.DataFrame, kind: FileKind) -> StagedBatch | None:
        if rows.empty:
            return None
        with incident_files.batch_writer(self._store, kind) as writer:
            writer.add(rows.reset_index(drop=True))
            return writer.finish()

    # -- places and editions

    def place(self, accepted: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
        """Give every incident the ward of the edition valid on its day.

        Returns
        -------
        (placed, rejected, early)
            The rows with `ward`, `edition`, `boundaries`; those without a ward with the reason;
            and how many points are of before the first edition.
        """
        named = accepted[accepted["ward"].notna()]
        known, unknown = self.with_edition(named, named["day"])
        points = accepted[accepted["ward"].isna()]
        points = points.assign(edition=self._editions_of(points["day"], or_first=True))
        known = known.assign(boundaries="", key=keys_on_edition(known["key"], known["edition"]))
        parts, rejected = [known], [unknown]
        for name, group in points.groupby("edition"):
            edition = self._boundaries.named(str(name))
            wards = self._boundaries.wards(edition)
            found = assign_wards(group["lon"].to_numpy(), group["lat"].to_numpy(), wards)
            inside = np.asarray(found.reasons == "", dtype=bool)
            here = group.assign(ward=found.codes, boundaries=edition.wards_file.name)
            parts.append(here[inside])
            rejected.append(_unplaced(group[~inside], found.reasons[~inside]))
        placed = pd.concat(parts, ignore_index=True).sort_values("row", ignore_index=True)
        earliest = self._editions[0].edition if len(accepted) else ""
        early = int((_first_days(placed["day"]) < earliest)[placed["lon"].notna()].sum())
        return placed, pd.concat(rejected, ignore_index=True), early

    def on_sketch(self, rows: pd.DataFrame) -> bool:
        """Tell whether points among the rows fall on schematic boundaries."""
        points = rows[rows["ward"].isna()]
        editions = set(self._editions_of(points["day"], or_first=True))
        return any(self._boundaries.named(str(name)).schematic for name in editions)

    def with_edition(
        self, rows: pd.DataFrame, days: pd.Series
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Split rows that name a ward by whether their edition is there and knows the code.

        The edition is the one the row states, else the one valid on its day.
        """
        by_day = self._editions_of(days, or_first=False)
        rows = rows.assign(edition=rows["edition"].where(rows["edition"].ne(""), by_day))
        there = {item.edition for item in self._editions}
        known = np.zeros(len(rows), dtype=bool)
        reason = np.where(rows["edition"].eq(""), "no_edition", "unknown_edition").astype(object)
        value = (
            rows["ward"].astype(str)
            + " · "
            + rows["edition"].where(rows["edition"].ne(""), days).astype(str)
        )
        for edition in set(rows["edition"]) & there:
            here = rows["edition"].eq(edition).to_numpy()
            names = self._boundaries.names(edition)["name"]
            known |= here & rows["ward"].isin(names.index).to_numpy()
            strange = here & ~known
            if strange.any():
                hints = CodeHints({str(key): str(name) for key, name in names.items()})
                said = {code: hints.of(code) for code in rows.loc[strange, "ward"].unique()}
                reason[strange] = [said[code][0] for code in rows.loc[strange, "ward"]]
                meant = {code: _hint(hint) for code, (_, hint) in said.items()}
                value = value.mask(strange, value + rows["ward"].map(meant))
        rejected = pd.DataFrame(
            {"row": rows["row"][~known], "reason": reason[~known], "value": value[~known]}
        )
        return rows[known], rejected

    def _editions_of(self, days: pd.Series, *, or_first: bool) -> pd.Series:
        """Return the edition valid on each day; before the first one that, or ""."""
        first_days = _first_days(days)
        names = [edition.edition for edition in self._editions]
        if not names and len(days):
            self._boundaries.on(self._today)  # says that there are none
        at = {day: bisect_right(names, day) - 1 for day in first_days.unique()}
        found = {
            day: names[max(place, 0)] if place >= 0 or or_first else "" for day, place in at.items()
        }
        return first_days.map(found).astype(object)

    # -- what the store holds already

    def _on_other_edition(
        self, rows: pd.DataFrame, already: pd.DataFrame, scope: Scope | None
    ) -> pd.DataFrame:
        """Return the rows whose month and category are counted on another edition already.

        The same incidents would be counted twice: once on the old wards, once on the new.
        """
        there = _outside(count_rows(self._store), scope)[["month", "category", "edition"]]
        known = pd.concat([there, rows[["month", "category", "edition"]]]).drop_duplicates()
        first = known.drop_duplicates(["month", "category"]).set_index(["month", "category"])
        pairs = pd.MultiIndex.from_frame(rows[["month", "category"]])
        counted_on = first["edition"].reindex(pairs).to_numpy()
        twice = rows[(rows["edition"].to_numpy() != counted_on) & ~rows["row"].isin(already["row"])]
        return pd.DataFrame(
            {
                "row": twice["row"],
                "reason": "month_on_other_edition",
                "value": twice["month"] + " " + twice["category"] + " · " + twice["edition"],
            }
        )


class _Incidents:
    """A file of incidents on its way, block by block."""

    def __init__(self, importer: Importer, store: Store, decision: Decision, clean: _Clean) -> None:
        self._importer = importer
        self._clean = clean
        self._decision = decision
        self._counted_elsewhere = incident_files.covered_months(store, "counts")
        # Rows that were replaced once do not come back by importing the old file again.
        self._known = incident_files.known_keys(store, superseded=not decision.replaces)
        self.rejected: list[pd.DataFrame] = []
        self.accepted = self.on_earliest = self.known = 0
        self.on_sketch = False
        self._days: dict[tuple[str, str], tuple[int, str]] = {}
        self._points: list[pd.DataFrame] = []

    def take(self, block: pd.DataFrame, writer: BatchWriter) -> None:
        """Clean, place and compare one block; what is new goes to the writer."""
        cleaned = self._clean(block)
        accepted = stated(cleaned.accepted, self._decision.edition)
        placed, unplaced, early = self._importer.place(accepted)
        self._look_at(accepted, unplaced)
        elsewhere = _no_rejections()
        if not self._decision.replaces:
            elsewhere = _in_months(placed, self._counted_elsewhere, "month_has_counts")
            placed = placed[~placed["row"].isin(elsewhere["row"])]
        there = np.isin(placed["key"], self._known)
        new = placed if self._decision.replaces else placed[~there]
        writer.add(new.reset_index(drop=True))
        self.accepted += len(placed)
        self.known += int(there.sum())
        self.on_earliest += early
        self.on_sketch = self.on_sketch or self._importer.on_sketch(cleaned.accepted)
        self.rejected += [cleaned.rejected, unplaced, elsewhere]
        self._count_days(placed)

    def _look_at(self, accepted: pd.DataFrame, unplaced: pd.DataFrame) -> None:
        """Keep some points for the map, rather those that no ward was found for."""
        points = accepted[accepted["lon"].notna()]
        lost = points["row"].isin(unplaced["row"])
        for rows in (points[lost], points[~lost]):
            shown = rows.iloc[:: max(1, len(rows) // _POINTS_SHOWN)]
            self._points.append(shown[["lon", "lat"]].assign(placed=~lost.loc[shown.index]))

    def _count_days(self, placed: pd.DataFrame) -> None:
        groups = placed.groupby(["ward", "month"])["day"].agg(["size", "max"])
        for cell, (size, last) in zip(groups.index, groups.to_numpy(), strict=True):
            before, day = self._days.get(cell, (0, ""))
            self._days[cell] = (before + int(size), max(day, str(last)))

    def by_day(self) -> pd.DataFrame:
        """Return `ward`, `month`, `count`, `day` (the last) of the file's placed rows."""
        rows = [(*cell, count, day) for cell, (count, day) in self._days.items()]
        return pd.DataFrame(rows, columns=["ward", "month", "count", "day"])

    def points(self) -> pd.DataFrame:
        """Return some of the file's points and whether they lie in a ward."""
        if not self._points:
            return _no_points()
        every = pd.concat(self._points, ignore_index=True)
        parts = [
            rows.iloc[:: max(1, len(rows) // (_POINTS_SHOWN // 2))]
            for _, rows in every.groupby("placed")
        ]
        return pd.concat(parts, ignore_index=True) if parts else _no_points()


_Clean = Callable[[pd.DataFrame], CleanedIncidents]


def check_decision(upload: Upload, decision: Decision) -> None:
    """Refuse what cannot be done with a file, before any work.

    Raises
    ------
    IntakeError
        ``replaces_unknown``, ``no_such_column``, ``file_has_too_many_rows``, or what
        `check_personal_data` raises.
    """
    if decision.replaces not in ("", "wards", "period"):
        raise IntakeError(
            "replaces_unknown",
            f"{decision.replaces!r} is no way to replace; allowed are 'wards' and 'period'.",
            given=decision.replaces,
        )
    named = [*sorted(decision.dropped), *decision.kept]
    strange = [column for column in named if column not in upload.reading.columns]
    if strange:
        there = [upload.label(column) for column in upload.reading.columns]
        raise IntakeError(
            "no_such_column",
            f"The file has no column {strange}; it has {there}.",
            columns=strange,
            there=there,
        )
    most = MOST_ROWS.get(decision.kind)
    if most is not None and upload.reading.rows > most:
        raise IntakeError(
            "file_has_too_many_rows",
            f"{upload.reading.name} has {upload.reading.rows} rows; files of {decision.kind} may "
            f"have {most}. Split it.",
            file=upload.reading.name,
            rows=upload.reading.rows,
            most=most,
        )
    check_personal_data(upload, decision)


def check_personal_data(upload: Upload, decision: Decision) -> None:
    """Refuse a file while a column of it may hold personal data.

    Raises
    ------
    IntakeError
        ``personal_data`` (columns, personal): columns that must be left out;
        ``personal_data_unanswered`` (columns, personal): columns to leave out or to keep with a
        reason.
    """

    def told(columns: Sequence[str], reason: str, message: str) -> IntakeError:
        named = [upload.label(column) for column in columns]
        kinds = sorted({item.kind for item in upload.suspicions if item.column in named})
        return IntakeError(
            reason, message.format(columns=named, kinds=kinds), file=upload.reading.name,
            columns=named, personal=kinds,
        )  # fmt: skip

    refused = [column for column in upload.refused if column not in decision.dropped]
    if refused:
        raise told(
            refused, "personal_data",
            "Columns {columns} hold personal data ({kinds}), which is never kept here. Leave them "
            "out.",
        )  # fmt: skip
    answered = {column for column, reason in decision.kept.items() if reason.strip()}
    asked = [column for column in upload.asked if column not in decision.dropped | answered]
    if asked:
        raise told(
            asked, "personal_data_unanswered",
            "Columns {columns} look like personal data ({kinds}). Leave them out, or keep them and "
            "say why.",
        )  # fmt: skip


def refuse_persons_among_names(table: pd.DataFrame, file: str) -> None:
    """Refuse names and codes of wards among which persons, numbers or addresses stand.

    Ward names look like names of people, so a name alone is no reason.

    Raises
    ------
    IntakeError
        ``personal_data``.
    """
    guard = Guard(list(table.columns), set(map(str, table.to_numpy().ravel())))
    guard.look(table.astype(str))
    found = [item for item in guard.suspicions() if item.grade == "refused"]
    if found:
        columns = sorted({item.column for item in found})
        kinds = sorted({item.kind for item in found})
        raise IntakeError(
            "personal_data",
            f"Columns {columns} hold personal data ({kinds}), which is never kept here. Leave them "
            "out.",
            file=file,
            columns=columns,
            personal=kinds,
        )


def other_rows(store: Store, kind: FileKind) -> pd.DataFrame:
    """Return the values that count of files kept as they are: of one cell the latest."""
    tables = [incident_files.read_batch(store, batch) for batch in store.batches(kind)]
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=list(CELL_OF[kind]))
    every = pd.concat(tables, ignore_index=True)
    return every.drop_duplicates(list(CELL_OF[kind]), keep="last", ignore_index=True)


def stated(rows: pd.DataFrame, edition: date | None) -> pd.DataFrame:
    """Return rows with the edition a person stated for all that do not say their own."""
    if edition is None or "edition" not in rows:
        return rows
    return rows.assign(edition=rows["edition"].where(rows["edition"].ne(""), edition.isoformat()))


def ragged_rows(upload: Upload) -> pd.DataFrame:
    """Return the rows that could not be split into cells, by number and reason alone.

    Such a row would be quoted whole, whatever stands in it, and nobody has looked it through.
    """
    return upload.reading.ragged.assign(value=HIDDEN)


def rejected_rows(upload: Upload, rejected: pd.DataFrame, decision: Decision) -> pd.DataFrame:
    """Return the rejected rows as they stood in the file, without what is left out.

    Returns
    -------
    DataFrame
        The file's columns as text; index: the row's number in the file. A row that could not be
        split into cells has empty ones. Of more than `MOST_GIVEN_BACK` the first.
    """
    if rejected.empty:
        return pd.DataFrame()
    hidden = {*decision.dropped, *upload.refused, "geometry"}
    wanted = set(rejected["row"].head(MOST_GIVEN_BACK))
    found = [
        block[block.index.isin(wanted)].drop(columns=list(hidden), errors="ignore")
        for block in upload.reading.batches()
    ]
    table = pd.concat(found) if found else pd.DataFrame()
    return table.reindex(sorted(wanted)).fillna("")


def _told(reading: Reading, progress: Progress | None) -> Iterator[pd.DataFrame]:
    """Give a file's rows block by block, and say how far it is.

    Apostrophes by which our own exports keep a spreadsheet from running a cell are taken away.
    """
    done = 0
    for block in reading.batches():
        yield block if reading.geometry else unquoted_table(block)
        done += len(block)
        if progress is not None:
            progress(min(1.0, done / max(1, reading.rows)))


def _whole(reading: Reading, progress: Progress | None) -> pd.DataFrame:
    blocks = list(_told(reading, progress))
    return pd.concat(blocks) if blocks else reading.table()


def _without(rows: pd.DataFrame, decision: Decision) -> pd.DataFrame:
    return rows.drop(columns=[*decision.dropped, "geometry"], errors="ignore")


def _scope(rows: pd.DataFrame, decision: Decision) -> Scope | None:
    if not decision.replaces or rows.empty:
        return None
    return Scope.of(rows, kinds=("incidents", "counts"), wards=decision.replaces == "wards")


def _outside(cells: pd.DataFrame, scope: Scope | None) -> pd.DataFrame:
    return cells if scope is None else cells[~scope.covers(cells)]


def _sources_mixed(rows: pd.DataFrame, there: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that give by source what is counted without sources, or the other way round.

    Both together would count the same incidents twice. What is in the store goes before the file.
    """
    place = _CELL[:-1]
    columns = [*place, "source"]
    every = pd.concat([there[columns], rows.assign(source=rows.get("source", ""))[columns]])
    named = every["source"].ne("")
    first = named.groupby([every[name] for name in place]).transform("first")
    mixed = (named != first).to_numpy()[len(there) :]
    wrong = rows[mixed]
    return pd.DataFrame(
        {
            "row": wrong["row"],
            "reason": "sources_mixed",
            "value": wrong["ward"] + " " + wrong["month"] + " " + wrong["category"],
        }
    )


def _new_cells(rows: pd.DataFrame, there: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cells not in the store, and the rejections of cells recorded differently."""
    rows = rows.assign(source=rows.get("source", ""))
    merged = rows.merge(
        there.astype({"count": float}), on=_CELL, how="left", suffixes=("", "_there"),
        validate="one_to_one",
    )  # fmt: skip
    fresh = merged["count_there"].isna().to_numpy()
    differs = ~fresh & merged["count_there"].ne(merged["count"]).to_numpy()
    pairs = zip(merged["count_there"][differs], merged["count"][differs], strict=True)
    rejected = pd.DataFrame(
        {
            "row": merged["row"][differs],
            "reason": "cell_recorded_differently",
            "value": [f"{old:.0f} ≠ {new}" for old, new in pairs],
        }
    )
    return rows[fresh], rejected


def _same_cells(new: pd.DataFrame, replaced: pd.DataFrame) -> bool:
    """Tell whether a file says of its scope just what the store holds of it."""
    if set(replaced["kind"]) - {"counts"}:
        return False
    named = [
        table[[*_CELL, "count"]].astype({"count": int}).sort_values(_CELL, ignore_index=True)
        for table in (new, replaced)
    ]
    return named[0].to_numpy().tolist() == named[1].to_numpy().tolist()


def _new_values(
    rows: pd.DataFrame, there: pd.DataFrame, kind: FileKind, *, replaces: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows that the store does not hold, and rejections of those it holds differently."""
    said = [name for name in rows.columns if name not in ("row", *CELL_OF[kind])]
    if there.empty:
        return rows, _no_rejections()
    now, before = (_said(table.set_index(list(CELL_OF[kind]))[said]) for table in (rows, there))
    held = before.reindex(now.index).to_numpy(object)
    fresh = pd.isna(held)
    differs = ~fresh & (held != now.to_numpy(object))
    if replaces:
        return rows[fresh | differs], _no_rejections()
    rejected = pd.DataFrame(
        {
            "row": rows["row"][differs],
            "reason": "value_recorded_differently",
            "value": [f"{a} ≠ {b}" for a, b in zip(held[differs], now[differs], strict=True)],
        }
    )
    return rows[fresh], rejected


def _said(values: pd.DataFrame) -> pd.Series:
    """Return what each row says as one text."""
    text = values.astype(object).where(values.notna(), "").map(str)
    return pd.Series([" · ".join(row) for row in text.to_numpy()], index=values.index, dtype=object)


def _emptied(new: pd.DataFrame, replaced: pd.DataFrame) -> tuple[Reason, ...]:
    """Say how many wards would have nothing any more in the months that a file replaces."""
    if not len(replaced):
        return ()
    place = ["edition", "ward", "month"]
    here = set(map(tuple, new[place].to_numpy()))
    gone = replaced[[tuple(row) not in here for row in replaced[place].to_numpy()]]
    gone = gone[gone["count"] > 0]
    if gone.empty:
        return ()
    facts = {
        "wards": float(gone["ward"].nunique()),
        "count": float(gone["count"].sum()),
        "old": float(replaced["count"].sum()),
        "new": float(new["count"].sum()),
    }
    return (Reason("replaces_leave_empty", facts),)


def _changes(new: pd.DataFrame, replaced: pd.DataFrame) -> pd.DataFrame:
    """Return by month how many incidents a file adds, and how many no longer count."""
    sums = {
        name: table.groupby("month")["count"].sum() if len(table) else pd.Series(dtype=float)
        for name, table in (("new", new), ("replaced", replaced))
    }
    table = pd.DataFrame(sums).fillna(0).astype(int).rename_axis("month").reset_index()
    return table.sort_values("month", ignore_index=True)


def _replaced(store: Store, scope: Scope | None) -> pd.DataFrame:
    """Return the cells that a scope takes out of the counts; none without one."""
    if scope is None:
        return pd.DataFrame({"month": [], "count": pd.Series(dtype=int)})
    return incident_files.replaced_by(store, scope)


def _in_months(rows: pd.DataFrame, covered: set[tuple[str, str]], reason: str) -> pd.DataFrame:
    if not covered or rows.empty:
        return _no_rejections()
    twice = rows[pd.MultiIndex.from_frame(rows[["month", "category"]]).isin(list(covered))]
    value = twice["month"] + " " + twice["category"]
    return pd.DataFrame({"row": twice["row"], "reason": reason, "value": value})


def _hint(hint: Mapping[str, str]) -> str:
    return f" → {hint['code']}?" if hint["code"] else ""


def _given_twice(rows: pd.DataFrame, already: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a cell that the file gives again, with and without its edition."""
    fresh = rows[~rows["row"].isin(already["row"])]
    again = fresh[fresh.duplicated([name for name in _CELL if name in fresh])]
    return pd.DataFrame(
        {
            "row": again["row"],
            "reason": "cell_given_twice",
            "value": again["ward"] + " " + again["month"] + " " + again["category"],
        }
    )


def _first_days(days: pd.Series) -> pd.Series:
    """Return days as they are, and of a month its first day."""
    return days.where(days.str.len() == 10, days + "-01")


def _unplaced(rows: pd.DataFrame, reasons: np.ndarray) -> pd.DataFrame:
    values = [f"{lon:.5f} {lat:.5f}" for lon, lat in zip(rows["lon"], rows["lat"], strict=True)]
    return pd.DataFrame({"row": rows["row"], "reason": reasons, "value": values})


def _no_rejections() -> pd.DataFrame:
    return pd.DataFrame(columns=["row", "reason", "value"])


def _no_points() -> pd.DataFrame:
    return pd.DataFrame({"lon": [], "lat": [], "placed": pd.Series(dtype=bool)})


def sorted_rejections(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return rejections together, in the order of the file."""
    filled = [table for table in tables if len(table)]
    if not filled:
        return _no_rejections()
    return pd.concat(filled).sort_values("row", ignore_index=True)
