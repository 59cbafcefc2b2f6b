"""The use cases, in order. Geography and the calculations meet only here.

Screen, report and command line all ask `Tracker.snapshot`, so they cannot disagree. Nothing here
asks the clock: `as_of`, `today` and `now` are given.
"""

from __future__ import annotations

import threading
import unicodedata
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import sqlalchemy as sa

from geo.crosswalk import Crosswalk, ReadCrosswalk
from geo.maps import MapClass, ward_map
from geo.wards import ReadWards, around, dense_core, drawing_copy, read_wards
from hotspots.access import Access, asks
from hotspots.boundary_reading import read_uploaded_boundaries
from hotspots.carried import carried_panel, recorded_by_code, sources_on_record
from hotspots.choice import ChoiceSources, Question, Selection, WardChoice
from hotspots.choice_words import backtest_lines, proposals_section, workbook
from hotspots.editions import Editions, successor, unknown_ward
from hotspots.effects import Effects, Sources, count_history, measure_effects
from hotspots.errors import (
    CannotMeasure,
    HotspotsError,
    IntakeError,
    MoveRefused,
    NotAllowed,
    NotFound,
    ProgrammeError,
    StoreError,
)
from hotspots.import_words import rejected_table
from hotspots.importing import (
    Decision,
    Importer,
    Receipt,
    Trial,
    Upload,
    check_decision,
    other_rows,
    ragged_rows,
    refuse_persons_among_names,
    rejected_rows,
    sorted_rejections,
)
from hotspots.measures.components import DEFAULT_WEIGHTS, checked_weights
from hotspots.measures.crime_groups import CrimeGroups
from hotspots.measures.effect import placebo
from hotspots.measures.feedback import police_share
from hotspots.measures.file_kinds import FileKind
from hotspots.measures.levels import effective_unit
from hotspots.measures.mapping import ColumnMapping, Guess, columns_of, read_mapping, require
from hotspots.measures.panel import latest_run, weighted_index, without_partial_end
from hotspots.measures.personal_data import scan_text
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse import Risk, alarm
from hotspots.measures.scenarios import Equity, Scenarios
from hotspots.measures.selection import (
    Comparison,
    compare_with_last_year,
    rank_wards,
    selection_reasons,
)
from hotspots.measures.selection_backtest import Backtest
from hotspots.measures.small_counts import suppress, with_totals
from hotspots.measures.targets import (
    cohort_non_relapse,
    non_relapse_share,
    transformed_share,
)
from hotspots.outlook import Outlook, outlook
from hotspots.programme.acknowledgement import acknowledgement_evidence
from hotspots.programme.months import first_day_of_period, last_complete_month
from hotspots.programme.plan import Label, Preset, Programme, read_programme
from hotspots.programme.roles import Permission, Role, may_record
from hotspots.programme.status import (
    DECISIONS,
    STAGES,
    Event,
    EventType,
    HotspotState,
    Place,
    Status,
    allowed_events,
    changes_status,
    check_move,
    foreseen,
    pending,
    resolve,
    state_of,
)
from hotspots.records import anchors, incident_files, users
from hotspots.records.audit import Audit, AuditAction, append_audit, read_audit
from hotspots.records.backup import Manifest, backup
from hotspots.records.copying import copy_store
from hotspots.records.intake import Reading, Wish, open_bytes, open_file
from hotspots.records.log import (
    Head,
    append,
    by_hotspot,
    changed_meanwhile,
    head,
    read_events,
    read_with_head,
)
from hotspots.records.presets import saved_presets
from hotspots.records.simulation import DEMONSTRATION, simulation_of
from hotspots.records.store import Batch, Edition, KeptCrosswalk, Store, sha256_of
from hotspots.records.users import User
from hotspots.records.verification import Verification, verify
from hotspots.regions import groups_of_hotspots
from hotspots.relapse_watch import (
    AlarmBoard,
    Assessment,
    ModelCard,
    RelapseWatch,
    RiskSources,
)
from hotspots.reports.colours import STAGE_STYLE
from hotspots.reports.html import MapDrawing, Page, render
from hotspots.reports.pages import hotspot_page, notices, programme_page, ward_page
from hotspots.reports.tables import unquoted_table, xlsx_bytes
from hotspots.snapshot import CarriedPanel, HotspotFile, Lineage, MapView, Snapshot, WardFile
from hotspots.text import LANGUAGES, Texts, texts

_TOTAL = "*"
_EVENT_NAMESPACE = uuid.UUID("6f1f6f7e-3f0a-4b7e-9d55-2b8f6c1f0a11")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Entry:
    """An event that somebody wants written.

    Attributes
    ----------
    hotspot : str
        Its id; for a new one any id (`<ward>-<plan year>` is the custom) together with `ward`.
    edition : date, optional
        Day of the boundary edition that `ward` belongs to; by default the one valid on `on`.
    about : str, optional
        For a decision, the event decided on.
    event_id : str, optional
        The same id again writes nothing again.
    """

    hotspot: str
    event: EventType
    on: date
    by: str
    recorded_at: datetime
    note: str = ""
    plan_year: int | None = None
    ward: str | None = None
    edition: date | None = None
    kinds: tuple[int, ...] = ()
    evidence: Mapping[str, object] = field(default_factory=dict)
    about: str | None = None
    event_id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "hotspot", _plain(self.hotspot))


@dataclass(frozen=True)
class _Judged:
    """Which of many events the rules allow: drafts, by position why not, versions, new ones."""

    drafts: list[Event]
    refused: dict[int, HotspotsError]
    versions: dict[str, int]
    new: int
    waiting: int


class Tracker:
    """One store and what can be done with it.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.access = Access(store.database)
        self.boundaries = Editions(store, self._once)
        self._cache = _Cache()

    @classmethod
    def open(cls, location: str | Path, *, create: bool = False) -> Tracker:
        """Open the store at a place."""
        return cls(Store(location, create=create))

    def acting_as(self, name: str, epoch: int | None = None) -> Tracker:
        """Return the same store on behalf of a user; what is kept in memory is shared."""
        other = copy(self)
        other.access = Access(self.store.database, name, epoch)
        return other

    def user(self) -> User | None:
        """Return the acting user as the store has it now; None at a machine without accounts."""
        return self.access.user()

    def may(self, permission: Permission) -> bool:
        """Tell whether the acting person may do something: for showing, not for guarding."""
        try:
            self.access.require(permission)
        except NotAllowed:
            return False
        return True

    # -- set-up

    @asks(Permission.MANAGE_PROGRAMME)
    def add_programme(self, text: str, now: datetime) -> Programme:
        """Check a programme file and put it in force."""
        programme = read_programme(text)
        self._refuse_to_lose_categories(programme)
        audit = self.access.audit(
            AuditAction.PROGRAMME_ADDED,
            now,
            programme.code,
            sha256=sha256_of(text.encode()),
            approval_required=programme.approval_required,
        )
        self.store.add_programme(text, now, audit=audit)
        return programme

    def _refuse_to_lose_categories(self, programme: Programme) -> None:
        used = {
            category
            for kind in ("counts", "incidents")
            for _, category in incident_files.covered_months(self.store, kind)
        }
        lost = sorted(used - set(programme.categories))
        if lost:
            raise ProgrammeError(
                "category_in_use",
                f"The store holds counts of {lost}, which the programme does not name; "
                "keep these categories in the file.",
                lost=lost,
            )

    @asks(Permission.READ)
    def programme(self) -> Programme:
        """Return the programme in force."""
        text = self.store.programme_text()
        return self._once(("programme", text), lambda: read_programme(text))

    @asks(Permission.MANAGE_BOUNDARIES)
    def add_boundaries(
        self,
        path: Path,
        edition: date,
        now: datetime,
        *,
        code_column: str = "code",
        name_column: str = "name",
        crs: str | None = None,
        replace_edition: bool = False,
    ) -> Edition:
        """Read, clean and keep a boundary file as an edition.

        With `replace_edition` a wrong file of the same day gives way, if the new one has all wards
        that the store's records name.
        """
        read = read_wards(path, edition, code_column=code_column, name_column=name_column, crs=crs)
        refuse_persons_among_names(read.wards[["code", "name"]], path.name)
        findings = asdict(read.findings)
        return self._keep_edition(
            read.wards, edition, now, path.name, findings,
            replace_edition=replace_edition, sha256=sha256_of(path.read_bytes()),
        )  # fmt: skip

    @asks(Permission.MANAGE_BOUNDARIES)
    def try_boundaries(
        self,
        content: bytes,
        name: str,
        edition: date,
        *,
        code_column: str,
        name_column: str,
        crs: str | None = None,
    ) -> ReadWards:
        """Read and clean an uploaded boundary file in another process; nothing is kept."""
        read = read_uploaded_boundaries(
            content, name, edition, code_column=code_column, name_column=name_column, crs=crs
        )
        refuse_persons_among_names(read.wards[["code", "name"]], name)
        return read

    @asks(Permission.MANAGE_BOUNDARIES)
    def keep_boundaries(
        self,
        read: ReadWards,
        name: str,
        edition: date,
        now: datetime,
        *,
        replace_edition: bool = False,
        sha256: str = "",
    ) -> Edition:
        """Keep what `try_boundaries` read, from a file of that SHA-256."""
        findings = asdict(read.findings)
        return self._keep_edition(
            read.wards, edition, now, name, findings,
            replace_edition=replace_edition, sha256=sha256,
        )  # fmt: skip

    @asks(Permission.MANAGE_BOUNDARIES)
    def add_schematic_boundaries(
        self, wards: gpd.GeoDataFrame, edition: date, now: datetime
    ) -> Edition:
        """Keep stand-in polygons, to be replaced by real boundaries of the same edition."""
        return self._keep_edition(wards, edition, now, "schematic", {}, schematic=True)

    def _keep_edition(
        self,
        wards: gpd.GeoDataFrame,
        edition: date,
        now: datetime,
        source: str,
        findings: Mapping[str, object],
        *,
        schematic: bool = False,
        replace_edition: bool = False,
        sha256: str = "",
    ) -> Edition:
        name = edition.isoformat()
        used = self._used(name) - self.boundaries.without_boundary(name)
        return self.boundaries.keep(
            wards, edition, now, source, findings,
            used=used, schematic=schematic, replace_edition=replace_edition,
            audit=self.access.audit(
                AuditAction.BOUNDARIES_ADDED, now, name, source=source, sha256=sha256
            ),
        )  # fmt: skip

    def _used(self, edition: str) -> set[str]:
        """Return the codes of an edition that the store's records name."""
        recorded = recorded_by_code(self.store)
        used = set(recorded.loc[recorded["edition"].eq(edition), "ward"])
        for event in read_events(self.store.database):
            if event.place is not None and event.place.edition == edition:
                used.add(event.place.ward)
        return used

    @asks(Permission.MANAGE_BOUNDARIES)
    def add_crosswalk(
        self, path: Path, from_edition: date, to_edition: date, now: datetime
    ) -> KeptCrosswalk:
        """Read, check and keep the list of where the wards of an edition went in a later one."""
        with open_file(path) as reading:
            read = self.try_crosswalk(reading, from_edition, to_edition)
            sha256 = reading.sha256
        return self.keep_crosswalk(read, path.name, now, sha256=sha256)

    @asks(Permission.MANAGE_BOUNDARIES)
    def try_crosswalk(
        self,
        reading: Reading,
        from_edition: date,
        to_edition: date,
        mapping: ColumnMapping | None = None,
    ) -> ReadCrosswalk:
        """Check an opened crosswalk file; nothing is kept."""
        used = self._used(from_edition.isoformat())
        table = reading.table()
        if mapping is not None:
            column_of = columns_of(FileKind.CROSSWALK, table.columns, mapping)
            table = table.rename(columns={name: role for role, name in column_of.items()})
        kept = [name for name in ("old_code", "old_name", "new_code", "new_name") if name in table]
        refuse_persons_among_names(table[kept], reading.name)
        return self.boundaries.read_crosswalk(table, from_edition, to_edition, used=used)

    @asks(Permission.MANAGE_BOUNDARIES)
    def keep_crosswalk(
        self, read: ReadCrosswalk, name: str, now: datetime, *, sha256: str = ""
    ) -> KeptCrosswalk:
        """Keep what `try_crosswalk` read, from a file of that SHA-256."""
        crosswalk = read.crosswalk
        subject = f"{crosswalk.from_edition} {crosswalk.to_edition}"
        audit = self.access.audit(
            AuditAction.CROSSWALK_ADDED, now, subject, source=name, sha256=sha256
        )
        return self.boundaries.keep_crosswalk(read, name, now, audit)

    def editions(self) -> list[Edition]:
        """Return all boundary editions, oldest first."""
        return self.boundaries.all()

    def edition_on(self, day: date) -> Edition:
        """Return the edition that a screen of a day shows: the valid one, or before it the first.

        Raises
        ------
        NotFound
            If the store has no boundaries.
        """
        return self.boundaries.near(day)

    @asks(Permission.READ)
    def wards(self, edition: Edition) -> gpd.GeoDataFrame:
        """Return the wards of an edition; one shared table, not to be changed."""
        return self.boundaries.wards(edition)

    @asks(Permission.READ)
    def lineage(self, ward: str, edition: str) -> Lineage:
        """Return which wards a ward was made of, and what became of it."""
        return self.boundaries.lineage(ward, edition)

    def is_demonstration(self) -> bool:
        """Tell whether the store holds simulated data."""
        return self.store.get(DEMONSTRATION) is not None

    def default_day(self, today: date) -> date:
        """Return the day a screen starts with: today, or where a demonstration ends.

        A demonstration is built up to a day; events recorded later move it on.
        """
        ends = self.store.get(DEMONSTRATION)
        if ends is None:
            return today
        latest = max(
            (event.effective_on for event in read_events(self.store.database)), default=today
        )
        return min(today, max(date.fromisoformat(ends), latest))

    # -- import

    def open_upload(
        self,
        file: Path | bytes,
        *,
        today: date,
        name: str | None = None,
        kind: FileKind | None = None,
        wish: Wish = Wish(),  # noqa: B008 - frozen
        progress: Callable[[float], None] | None = None,
    ) -> Upload:
        """Read a file in another process and look it through; nothing is written.

        Parameters
        ----------
        file : Path or bytes
            Bytes need a name.
        kind : FileKind, optional
            What the person says it is; otherwise it is guessed.
        wish : Wish
            What the person decided about reading it: encoding, sheet, coordinates ...
        progress : callable, optional
            Gets shares from 0 to 1.
        """
        self._require_import(kind)
        half = None if progress is None else _part_of(progress, 0.0, 0.5)
        if isinstance(file, bytes):
            reading = open_bytes(file, _shown_name(name or ""), wish=wish, progress=half)
        else:
            name = _shown_name(name or file.name)
            reading = open_file(file, name=name, wish=wish, progress=half)
        try:
            rest = None if progress is None else _part_of(progress, 0.5, 1.0)
            return self._importer(today).look(reading, kind, rest)
        except BaseException:
            reading.close()
            raise

    def guess_columns(
        self,
        upload: Upload,
        kind: FileKind,
        columns: Sequence[str],
        *,
        today: date,
        chosen: Mapping[str, str] | None = None,
    ) -> Guess:
        """Say what columns of an opened file seem to be if it is of a kind.

        Parameters
        ----------
        columns : sequence of str
            Those that may be looked into.
        chosen : mapping of str to str, optional
            Roles to columns that the person has chosen.
        """
        self._require_import(kind)
        return self._importer(today).guess(upload.reading, kind, columns, chosen)

    def _require_import(self, kind: FileKind | None) -> None:
        """Refuse whoever may bring in no file of a kind, or none at all."""
        of_boundaries = kind in (FileKind.BOUNDARIES, FileKind.CROSSWALK)
        if kind is None and self.may(Permission.MANAGE_BOUNDARIES):
            return
        self.access.require(Permission.MANAGE_BOUNDARIES if of_boundaries else Permission.IMPORT)

    def _importer(self, today: date) -> Importer:
        return Importer(self.store, self.boundaries, self.programme(), today)

    def try_upload(
        self,
        upload: Upload,
        decision: Decision,
        *,
        today: date,
        now: datetime,
        progress: Callable[[float], None] | None = None,
    ) -> Trial:
        """Say what importing an opened file would do; nothing is written.

        Raises
        ------
        IntakeError
            ``personal_data``, ``personal_data_unanswered``, or what makes the file unusable.
        """
        kind = decision.kind
        self._require_import(kind)
        for reason in decision.kept.values():
            _refuse_persons(reason)
        if kind in (FileKind.BOUNDARIES, FileKind.CROSSWALK):
            raise ValueError(f"{kind} are tried by try_boundaries and try_crosswalk.")
        if kind is FileKind.STATUS:
            check_decision(upload, decision)
            trial = self._try_status(upload, decision, today, now)
        else:
            trial = self._importer(today).attempt(upload, decision, progress)
        kept = {upload.label(column): reason for column, reason in decision.kept.items()}
        return replace(trial, kept=kept, found=upload.reading.found)

    def confirm(self, trial: Trial, *, now: datetime, in_part: bool = False) -> Receipt:
        """Write what was tried: all of it in one transaction, or nothing.

        Parameters
        ----------
        in_part : bool
            Let figures give way although rows of the file were not taken.

        Raises
        ------
        IntakeError
            ``replaces_in_part``: that was not allowed.
        StoreError
            ``imported_meanwhile``: the store is not what the file was compared with any more;
            ``trial_gone``: what was staged is not there any more.
        """
        self._require_import(trial.kind)
        if trial.in_part and not in_part:
            raise IntakeError(
                "replaces_in_part",
                f"{len(trial.receipt.rejected)} rows of {trial.receipt.source} were not taken, and "
                "the figures they were to replace would be gone. Correct them, or say that it "
                "may replace in part.",
                file=trial.receipt.source,
                rows=len(trial.receipt.rejected),
            )
        if trial.staged is not None and not trial.staged.folder.path.is_dir():
            raise StoreError(
                "trial_gone",
                f"The dry run of {trial.receipt.source} is over; try the file again.",
                file=trial.receipt.source,
            )
        if trial.kind is FileKind.STATUS:
            return self._write_status(trial, now)
        receipt, staged, decision = trial.receipt, trial.staged, trial.decision
        audit = self.access.audit(
            AuditAction.IMPORTED, now, receipt.source, **_said_of_import(trial)
        )

        def guard(connection: sa.Connection) -> None:
            self.access.still(connection)
            if self.store.rules(connection) != trial.rules:
                raise _meanwhile(receipt.source)

        if staged is None and trial.replaces is None:
            with self.store.database.writing() as connection:
                guard(connection)
                append_audit(connection, audit)
            return receipt
        batch = Batch(
            batch=0,
            kind=str(trial.kind),
            sha256=sha256_of(f"{trial.sha256} {trial.kind} {trial.seen}".encode()),
            source=receipt.source,
            recorded_at=now.isoformat(),
            rows=receipt.rows,
            accepted=receipt.accepted,
            already_there=receipt.already_there,
            rejected=len(receipt.rejected),
            file="",
            simulated=decision.simulated,
            file_sha256=trial.sha256,
            replaces="" if trial.replaces is None else trial.replaces.text(),
        )
        self.store.add_batch(batch, trial.seen, staged=staged, audit=audit, guard=guard)
        return receipt

    @asks(Permission.IMPORT)
    def import_file(
        self,
        path: Path,
        kind: FileKind,
        *,
        today: date,
        now: datetime,
        mapping: str | None = None,
        edition: date | None = None,
        dropped: Collection[str] = (),
        kept: Mapping[str, str] | None = None,
        replaces: str = "",
        simulated: bool = False,
        only_try: bool = False,
        in_part: bool = False,
        wish: Wish = Wish(),  # noqa: B008 - frozen
        progress: Callable[[float], None] | None = None,
    ) -> Trial:
        """Open a file, try it and, unless it is only tried, write it.

        Every row is accepted or comes back with a reason. Rows that the store holds already (the
        same file again, or the same rows in another) are accepted and change nothing.

        Parameters
        ----------
        mapping : str, optional
            TOML, see `hotspots.measures.mapping.ColumnMapping`.
        edition : date, optional
            Boundary edition of the file's ward codes, where the row does not say; by default the
            one valid on the row's day. Points need none.
        dropped, kept, replaces, simulated
            See `Decision`.
        wish : Wish
            How to read the file, before what the mapping says of it.
        """
        given = ColumnMapping() if mapping is None else read_mapping(mapping, self.programme())
        said = {name: value for name, value in asdict(wish).items() if value}
        wish = Wish(**{**given.reading, **said})
        upload = self.open_upload(path, today=today, kind=kind, wish=wish, progress=progress)
        with upload.reading:
            decision = Decision(
                kind,
                given,
                frozenset(dropped),
                dict(kept or {}),
                replaces,
                edition,
                simulated=simulated,
            )
            trial = self.try_upload(upload, decision, today=today, now=now, progress=progress)
        try:
            if not only_try:
                self.confirm(trial, now=now, in_part=in_part)
        finally:
            trial.close()
        return trial

    @asks(Permission.READ)
    def indicators(self, as_of: date) -> pd.DataFrame:
        """Return the values of the plan's indicators of periods that began by a day.

        Returns
        -------
        DataFrame
            `period`, `indicator`, `value`, `denominator`, `ward`, `edition`, `note`, newest first.
        """
        rows = self._other_rows(FileKind.INDICATORS)
        if rows.empty:
            return rows
        started = rows["period"].map(first_day_of_period) <= as_of.isoformat()
        return rows[started].sort_values(
            ["period", "indicator"], ascending=[False, True], ignore_index=True
        )

    @asks(Permission.READ)
    def scorecard(self, hotspot: str, as_of: date) -> pd.DataFrame:
        """Return what a hotspot was found to be under each criterion, the latest up to a day.

        Returns
        -------
        DataFrame
            `criterion`, `on`, `value`, `yes_no`, `met`, `note`.
        """
        rows = self._other_rows(FileKind.SCORECARDS)
        if rows.empty:
            return rows
        own = rows[rows["hotspot"].eq(hotspot) & (rows["on"] <= as_of.isoformat())]
        latest = own.sort_values("on").drop_duplicates("criterion", keep="last")
        return latest.sort_values("criterion", ignore_index=True)

    @asks(Permission.READ)
    def population(self, ward: str, edition: str, as_of: date) -> tuple[int, str] | None:
        """Return the latest known number of residents of a ward, and what year or day it is of."""
        rows = self._other_rows(FileKind.POPULATIONS)
        if rows.empty:
            return None
        own = rows[rows["ward"].eq(ward) & rows["edition"].eq(edition)]
        own = own[own["on"].map(first_day_of_period) <= as_of.isoformat()].sort_values("on")
        if own.empty:
            return None
        return int(own["population"].iloc[-1]), str(own["on"].iloc[-1])

    def _other_rows(self, kind: FileKind) -> pd.DataFrame:
        return self._once(("other", kind), lambda: other_rows(self.store, kind))

    @asks(Permission.READ)
    def imports(self) -> list[Batch]:
        """Return what has been brought in, newest first."""
        return self.store.batches()[::-1]

    @asks(Permission.IMPORT)
    def import_incidents(self, /, path: Path, **options: Any) -> Receipt:
        """Bring a file of incidents in; see `import_file`."""
        return self.import_file(path, FileKind.INCIDENTS, **options).receipt

    @asks(Permission.IMPORT)
    def import_counts(self, /, path: Path, **options: Any) -> Receipt:
        """Bring a file of monthly counts in; see `import_file`."""
        return self.import_file(path, FileKind.COUNTS, **options).receipt

    @asks(Permission.IMPORT)
    def import_status(self, /, path: Path, **options: Any) -> Receipt:
        """Bring a file of events in; see `import_file`.

        Columns: `hotspot`, `event`, `on`; for a new hotspot also `ward`; optional `edition` (the
        boundaries that `ward` belongs to), `plan_year`, `kinds` (1+3), `note`, `by`.
        Rows are taken in the order of their days; those of one day in any order that the rules
        allow.
        """
        return self.import_file(path, FileKind.STATUS, **options).receipt

    def _try_status(self, upload: Upload, decision: Decision, today: date, now: datetime) -> Trial:
        reading = upload.reading
        table = _event_table(
            unquoted_table(reading.table()).drop(columns=list(decision.dropped)), decision.mapping
        )
        entries: list[tuple[int, Entry]] = []
        problems: dict[int, HotspotsError] = {}
        for row, cells in _cells(table):
            try:
                entries.append((row, _entry_of(cells, now)))
            except HotspotsError as error:
                problems[row] = error
        entries.sort(key=lambda item: (item[1].on, item[0]))
        every = [entry for _, entry in entries]
        judged = self._judge(every, today)
        problems |= {entries[position][0]: error for position, error in judged.refused.items()}
        rejected = pd.DataFrame(
            [(row, error.reason, str(error)) for row, error in problems.items()],
            columns=["row", "reason", "value"],
        )
        receipt = Receipt(
            reading.name,
            reading.rows,
            len(judged.drafts),
            judged.new,
            sorted_rejections(ragged_rows(upload), rejected),
            waiting=judged.waiting,
            problems=problems,
        )
        changes = pd.DataFrame(columns=["month", "new", "replaced"])
        return Trial(
            FileKind.STATUS, receipt, decision, changes, reading.sha256,
            payload=(every, today, {draft.event_id for draft in judged.drafts}),
            rejected_rows=rejected_rows(upload, receipt.rejected, decision),
        )  # fmt: skip

    def _write_status(self, trial: Trial, now: datetime) -> Receipt:
        """Write the events of a file; what others recorded meanwhile may change what is allowed."""
        every, today, allowed = trial.payload
        judged = self._judge(every, today)
        if {draft.event_id for draft in judged.drafts} != allowed:
            raise _meanwhile(trial.receipt.source)
        audit = self.access.audit(
            AuditAction.IMPORTED, now, trial.receipt.source, **_said_of_import(trial)
        )
        guard = self.access.still
        append(self.store.database, judged.drafts, judged.versions, (audit,), guard)
        return trial.receipt

    # -- events

    @asks(Permission.RECORD)
    def record(self, entry: Entry, *, today: date, expected_version: int | None = None) -> Event:
        """Write one event, if the rules allow it.

        Parameters
        ----------
        today : date
            Later events are refused.
        expected_version : int, optional
            How many events of the hotspot the person had seen.

        Raises
        ------
        MoveRefused
            With the reason and the events allowed.
        StoreError
            If the hotspot was changed meanwhile.
        """
        existing = read_events(self.store.database, entry.hotspot)
        repeated = any(item.event_id == entry.event_id for item in existing)
        seen = len(existing) if expected_version is None or repeated else expected_version
        if existing and seen != len(existing):  # before the rules: they would blame the person
            raise changed_meanwhile(existing[-1])
        draft = self._draft(entry, existing, today)
        versions = {draft.hotspot: seen}
        return append(self.store.database, [draft], versions, guard=self.access.still)[0]

    @asks(Permission.RECORD)
    def record_all(
        self, entries: Sequence[Entry], *, today: date, audit: Sequence[Audit] = ()
    ) -> tuple[list[Event], dict[int, HotspotsError]]:
        """Write those of many events that the rules allow, in one transaction.

        Returns
        -------
        (list of Event, dict of int to HotspotsError)
            What stands in the log now, and by position why the others do not.
        """
        judged = self._judge(entries, today)
        written = append(
            self.store.database, judged.drafts, judged.versions, audit, self.access.still
        )
        return written, judged.refused

    def _judge(self, entries: Sequence[Entry], today: date) -> _Judged:
        """Put many entries to the rules, in any order that these allow."""
        streams = by_hotspot(read_events(self.store.database))
        versions = {name: len(stream) for name, stream in streams.items()}
        drafts: list[Event] = []
        refused: dict[int, HotspotsError] = {}
        new = waiting_new = 0
        waiting, before = list(enumerate(entries)), -1
        while len(waiting) != before:  # an event may be allowed only after one that comes behind it
            before, refused = len(waiting), {}
            for position, entry in waiting:
                stream = streams.setdefault(entry.hotspot, [])
                try:
                    draft = self._draft(entry, stream, today)
                except HotspotsError as error:
                    refused[position] = error
                    continue
                if all(item.event_id != draft.event_id for item in stream):
                    stream.append(_next(draft, stream))
                    new += 1
                    waiting_new += draft.needs_approval
                drafts.append(draft)
            waiting = [(position, entry) for position, entry in waiting if position in refused]
        touched = {draft.hotspot: versions.get(draft.hotspot, 0) for draft in drafts}
        return _Judged(drafts, refused, touched, new, waiting_new)

    def _draft(self, entry: Entry, existing: Sequence[Event], today: date) -> Event:
        """Return the event an entry asks for, checked against the rules."""
        if not entry.hotspot:
            raise IntakeError("hotspot_missing", "The event names no hotspot.")
        self._check_days(entry.on, entry.plan_year, today)
        _refuse_persons(entry.note)
        if entry.event in (EventType.APPROVED, EventType.SENT_BACK):
            self._check_second_person()
        if entry.event in DECISIONS:
            place = None
        elif foreseen(existing):
            place = self._place_again(entry, existing)
        else:  # new, or its only event was struck out: it begins anew, perhaps in another ward
            place = self._place_of(entry)
        if entry.event not in DECISIONS:
            self._check_scope(entry.hotspot, existing, place)
        draft = Event(
            event_id=entry.event_id or str(uuid.uuid4()),
            hotspot=entry.hotspot,
            type=entry.event,
            effective_on=entry.on,
            recorded_at=entry.recorded_at,
            recorded_by=self.access.author(_plain(entry.by) or "-"),
            note=_plain(entry.note),
            plan_year=entry.plan_year,
            place=place,
            evidence=dict(entry.evidence),
            needs_approval=self._needs_approval(entry.event, other_kinds=place is not None),
            about=entry.about,
        )
        written = next((item for item in existing if item.event_id == draft.event_id), None)
        if written is not None:
            # A retry: the log compares the content. A file that somebody else brought in before is
            # the same file, so its events keep their author.
            return replace(draft, place=written.place, recorded_by=written.recorded_by)
        check_move(existing, _next(draft, existing))
        return draft

    def _check_second_person(self) -> None:
        """Refuse a decision by nobody in particular: without accounts all names are one person's.

        The demonstration is built before its users are added.
        """
        if self.access.require(Permission.APPROVE) is None and not self._is_borne_out():
            raise NotAllowed(
                "approval_needs_accounts",
                "A second person's approval needs accounts: add users ('hotspots user add NAME "
                "administrator'), or put a programme with approval.required = false in force.",
            )

    def _needs_approval(self, event: EventType, *, other_kinds: bool = False) -> bool:
        """Tell whether an event written now waits for a second person."""
        if event in DECISIONS:
            return False
        changes = event is EventType.CORRECTED or changes_status(event) or other_kinds
        return changes and self.programme().approval_required

    def _check_scope(self, hotspot: str, existing: Sequence[Event], place: Place | None) -> None:
        """Refuse a ward officer who records outside the own wards."""
        user = self.access.user()
        if user is None or user.actor.may(Permission.RECORD_ANY_WARD):
            return
        place = place or state_of(hotspot, existing, date.max, with_pending=True).place
        wards: set[tuple[str, str]] = set()
        if place is not None:
            wards.add((place.ward, place.edition))
            for edition in self.editions():
                crosswalk = None
                if edition.edition > place.edition:
                    crosswalk = self.boundaries.route(place.edition, edition.edition)
                if crosswalk is not None:
                    found = crosswalk.children(place.ward)
                    known = found.loc[found["weight"].gt(0), "new_code"]
                    wards |= {(str(code), edition.edition) for code in known}
        if not may_record(user.actor, wards):
            raise NotAllowed(
                "outside_own_wards",
                f"{user.name} records in the own wards only; {hotspot!r} lies in another.",
                user=user.name,
                hotspot=hotspot,
            )

    def _place_again(self, entry: Entry, existing: Sequence[Event]) -> Place | None:
        """Return a hotspot's place if the event gives it other kinds; its ward cannot change."""
        place = state_of(entry.hotspot, existing, date.max, with_pending=True).place
        if place is None:
            return None
        stated = place.edition if entry.edition is None else entry.edition.isoformat()
        if entry.ward not in (None, place.ward) or stated != place.edition:
            raise MoveRefused(
                "other_ward",
                f"{entry.hotspot!r} lies in ward {place.ward} of {place.edition}, not "
                f"{entry.ward} of {stated}; another ward is another hotspot.",
                hotspot=entry.hotspot,
                ward=f"{place.ward} ({place.edition})",
                given=f"{entry.ward} ({stated})",
            )
        kinds = frozenset(entry.kinds)
        self._check_kinds(entry)
        return replace(place, kinds=kinds) if kinds and kinds != place.kinds else None

    def _check_days(self, on: date, plan_year: int | None, today: date) -> None:
        if on > today:
            raise MoveRefused(
                "event_in_future",
                f"{on} is in the future; an event is recorded once it has happened.",
                on=on,
            )
        years = self.programme().years
        if plan_year is not None and plan_year not in years:
            raise MoveRefused(
                "plan_year_unknown",
                f"{plan_year} is not a year of the programme; allowed: {years}.",
                year=plan_year,
                years=years,
            )

    @asks(Permission.RECORD)
    def correct(
        self,
        hotspot: str,
        event_id: str,
        *,
        by: str,
        now: datetime,
        today: date,
        reason: str,
        on: date | None = None,
        event: EventType | None = None,
        plan_year: int | None = None,
        strike: bool = False,
        expected_version: int | None = None,
    ) -> Event:
        """Write a correction: another day, type or plan year for an event, or strike it out.

        Raises
        ------
        MoveRefused
            If there is nothing to correct, no reason is given, or the corrected history would
            break the rules.
        """
        existing = read_events(self.store.database, hotspot)
        if existing and expected_version not in (None, len(existing)):
            raise changed_meanwhile(existing[-1])
        believed = _believed_day(existing, event_id)
        day = on or believed or today
        self._check_days(day, plan_year, today)
        _refuse_persons(reason)
        unchanged = day == believed and event is None and plan_year is None and not strike
        if unchanged and reason.strip():  # without a reason, that is said first
            raise MoveRefused(
                "correction_changes_nothing",
                f"The correction changes nothing: the event is on {day} already.",
                on=day,
            )
        draft = Event(
            event_id=str(uuid.uuid4()),
            hotspot=hotspot,
            type=EventType.CORRECTED,
            effective_on=day,
            recorded_at=now,
            recorded_by=self.access.author(_plain(by) or "-"),
            note=_plain(reason),
            plan_year=plan_year,
            corrects=event_id,
            corrected_type=event,
            strikes=strike,
            needs_approval=self._needs_approval(EventType.CORRECTED),
        )
        self._check_scope(hotspot, existing, None)
        check_move(existing, _next(draft, existing))
        versions = {hotspot: len(existing)}
        return append(self.store.database, [draft], versions, guard=self.access.still)[0]

    def _place_of(self, entry: Entry) -> Place | None:
        if entry.ward is None:
            return None
        if entry.edition is None:
            edition = self.boundaries.on(entry.on).edition
        else:
            edition = self.boundaries.named(entry.edition.isoformat()).edition
            self._refuse_later_edition(edition, entry.on)
        names = self.boundaries.names(edition)["name"]
        if entry.ward not in names.index:
            raise unknown_ward(entry.ward, edition)
        self._check_kinds(entry)
        return Place(entry.ward, edition, str(names[entry.ward]), frozenset(entry.kinds))

    def _refuse_later_edition(self, edition: str, on: date) -> None:
        """Refuse a ward that was not there yet, where the wards of the day are known."""
        valid = self.boundaries.valid_on(on)
        if valid is not None and edition > on.isoformat():
            raise MoveRefused(
                "edition_not_yet",
                f"On {on} the boundaries of {edition} were not in force yet, those of "
                f"{valid.edition} were. Name the ward of that time.",
                on=on,
                edition=edition,
                earlier=valid.edition,
            )

    def new_hotspot_id(self, ward: str, plan_year: int, edition: str) -> str:
        """Return the custom id of a new hotspot, `<ward>-<plan year>`.

        A code that is re-used in the year of a change gets the edition's month in it: 26740-2025
        was one ward in spring and may be another in autumn.
        """
        name = f"{ward}-{plan_year}"
        place = next((e.place for e in read_events(self.store.database, name) if e.place), None)
        if place is None or place.edition == edition:
            return name
        return f"{ward}-{plan_year}-{edition[:7].replace('-', '')}"

    # -- the second person

    @asks(Permission.READ)
    def pending(self) -> list[Event]:
        """Return the events of all hotspots that wait for a second person, the oldest first."""
        return list(self._once("pending", self._pending))

    def _pending(self) -> list[Event]:
        streams = by_hotspot(read_events(self.store.database))
        waiting = [event for stream in streams.values() for event in pending(stream)]
        return sorted(waiting, key=lambda event: event.seq)

    @asks(Permission.APPROVE)
    def approve(
        self,
        event_id: str,
        *,
        by: str = "",
        today: date,
        now: datetime,
        note: str = "",
        expected_version: int | None = None,
    ) -> Event:
        """Approve what somebody else recorded; from now on it counts.

        Raises
        ------
        MoveRefused
            If nothing waits under that id, the person recorded it, or the rules no longer allow it.
        StoreError
            If the hotspot was changed since the person looked.
        """
        return self._decide(EventType.APPROVED, event_id, by, note, today, now, expected_version)

    @asks(Permission.APPROVE)
    def send_back(
        self,
        event_id: str,
        *,
        by: str = "",
        today: date,
        now: datetime,
        note: str,
        expected_version: int | None = None,
    ) -> Event:
        """Send back what somebody else recorded, with the reason; it never counts."""
        return self._decide(EventType.SENT_BACK, event_id, by, note, today, now, expected_version)

    @asks(Permission.RECORD)
    def take_back(
        self, event_id: str, *, by: str = "", today: date, now: datetime, note: str = ""
    ) -> Event:
        """Take back an own entry that still waits; it never counts."""
        return self._decide(EventType.TAKEN_BACK, event_id, by, note, today, now, None)

    def _decide(
        self,
        decision: EventType,
        event_id: str,
        by: str,
        note: str,
        today: date,
        now: datetime,
        expected_version: int | None,
    ) -> Event:
        about = next((e for e in self.pending() if e.event_id == event_id), None)
        if about is None:
            raise MoveRefused(
                "unknown_pending",
                f"Nothing waits for approval under {event_id!r}; perhaps somebody has decided on "
                "it meanwhile.",
                hotspot="–",
            )
        entry = Entry(about.hotspot, decision, today, by, now, note=note, about=event_id)
        return self.record(entry, today=today, expected_version=expected_version)

    # -- users

    @asks(Permission.READ)
    def own_account(self) -> User | None:
        """Return the acting user."""
        return self.access.user()

    def is_open_demonstration(self) -> bool:
        """Tell whether anybody may be any user: simulated data, and no user with a password.

        A store that has only the setting is not open: anybody could write it who reaches the
        database.
        """
        return self._is_borne_out() and not any(
            user.has_password or user.email for user in users.users(self.store.database)
        )

    def _is_borne_out(self) -> bool:
        """Tell whether the log, too, says that the store is a demonstration."""
        if not self.is_demonstration():
            return False
        with self.store.database.reading() as connection:
            return simulation_of(connection).is_borne_out

    def has_users(self) -> bool:
        """Tell whether the store has accounts; then everybody must sign in."""
        return bool(users.users(self.store.database))

    @asks(Permission.MANAGE_USERS)
    def users(self) -> list[User]:
        """Return all users."""
        return users.users(self.store.database)

    @asks(Permission.MANAGE_USERS)
    def add_user(
        self,
        name: str,
        *,
        role: Role,
        now: datetime,
        display_name: str = "",
        wards: Collection[tuple[str, str]] = (),
        email: str | None = None,
        password: str | None = None,
    ) -> User:
        """Add a user; the first one must be an administrator, for nobody else could add others."""
        if role is not Role.ADMINISTRATOR and not self.has_users():
            raise NotAllowed(
                "first_administrator", "The first user must be an administrator.", user=name
            )
        self._check_wards(wards)
        return users.add_user(
            self.store.database,
            name,
            display_name=display_name or name,
            role=role,
            wards=wards,
            email=email,
            password=password,
            by=self.access.author(name),
            now=now,
            guard=self.access.still,
        )

    def _check_wards(self, wards: Collection[tuple[str, str]]) -> None:
        for code, edition in wards:
            if code not in self.boundaries.names(edition).index:
                raise unknown_ward(code, edition)

    @asks(Permission.MANAGE_USERS)
    def change_user(
        self,
        name: str,
        *,
        now: datetime,
        role: Role | None = None,
        wards: Collection[tuple[str, str]] | None = None,
        display_name: str | None = None,
        email: str | None = None,
    ) -> User:
        """Change a user's role, wards, name on screen or address."""
        self._check_wards(wards or ())
        return users.change_user(
            self.store.database, name, role=role, wards=wards, display_name=display_name,
            email=email, by=self.access.author("-"), now=now, guard=self.access.still,
        )  # fmt: skip

    @asks(Permission.MANAGE_USERS)
    def disable_user(self, name: str, *, now: datetime) -> User:
        """Disable a user; open sessions end at their next action."""
        return self._switch_user(users.disable, name, now)

    @asks(Permission.MANAGE_USERS)
    def enable_user(self, name: str, *, now: datetime) -> User:
        """Let a disabled user in again."""
        return self._switch_user(users.enable, name, now)

    def _switch_user(self, switch: Callable[..., User], name: str, now: datetime) -> User:
        by, guard = self.access.author("-"), self.access.still
        return switch(self.store.database, name, by=by, now=now, guard=guard)

    @asks(Permission.READ)
    def set_password(self, name: str, password: str, *, now: datetime) -> User:
        """Set a password: one's own, or as an administrator anybody's."""
        user = self.access.user()
        if user is None or user.name != name:
            self.access.require(Permission.MANAGE_USERS)
        by = self.access.author("-")
        return users.set_password(
            self.store.database, name, password, by=by, now=now, guard=self.access.still
        )

    @asks(Permission.READ)
    def change_own_password(self, current: str, new: str, *, now: datetime) -> User:
        """Change the acting user's password for who knows it; other sessions of the user end.

        The user returned has the epoch under which this session may go on.
        """
        user = self.access.user()
        if user is None:
            raise NotAllowed("not_signed_in", "Without accounts there is no password to change.")
        return users.change_own_password(
            self.store.database, user.name, current, new, now=now, guard=self.access.still
        )

    def sign_in(self, name: str, password: str, now: datetime) -> Tracker:
        """Return the store on behalf of a user who gave the right password."""
        user = users.sign_in(self.store.database, name, password, now)
        return self.acting_as(user.name, user.epoch)

    def sign_in_by_claims(
        self, claims: Mapping[str, object], now: datetime, *, trust_provider_emails: bool = False
    ) -> Tracker:
        """Return the store on behalf of a user whom an identity provider vouches for."""
        user = users.sign_in_by_claims(
            self.store.database, claims, now, trust_provider_emails=trust_provider_emails
        )
        return self.acting_as(user.name, user.epoch)

    def sign_out(self, now: datetime) -> None:
        """Note that the acting user left."""
        if self.access.name is not None:
            users.sign_out(self.store.database, self.access.name, now)

    # -- the audit and the proof

    @asks(Permission.AUDIT)
    def audit(self, most: int = 200) -> list[Audit]:
        """Return who did what, the newest first."""
        return read_audit(self.store.database, limit=most)

    @asks(Permission.READ)
    def log_head(self) -> Head:
        """Return where the whole log ends now."""
        return head(self.store.database)

    @asks(Permission.AUDIT)
    def verify(self, known: Sequence[anchors.Anchor] = ()) -> Verification:
        """Prove the log: every row, stream and file, and that known heads are in it."""
        return verify(self.store, known)

    @asks(Permission.BACKUP)
    def backup(self, path: Path, *, now: datetime) -> Manifest:
        """Write the whole store into one file, which the log names before anybody can have it."""

        def note(made: Manifest, sha256: str) -> None:
            audit = self.access.audit(
                AuditAction.BACKUP_MADE, now, path.name,
                count=made.head.count, hash=made.head.hash, sha256=sha256,
            )  # fmt: skip
            with self.store.database.writing() as connection:
                append_audit(connection, audit)

        return backup(self.store, path, now=now, note=note)

    @asks(Permission.BACKUP)
    def copy_to(self, target: Store, *, now: datetime) -> Verification:
        """Copy the whole store to an empty place; the copy says so in its own log."""
        audit = self.access.audit(AuditAction.BACKUP_MADE, now, target.name)
        with self.store.database.writing() as connection:
            append_audit(connection, audit)
        return copy_store(self.store, target)

    @asks(Permission.READ)
    def anchor(self, file: Path, now: datetime, where: str) -> anchors.Anchor:
        """Write the log's head to a file that may lie elsewhere."""
        taken = anchors.take_anchor(self.store.database, now, where)
        anchors.append_anchor(file, taken)
        return taken

    @asks(Permission.EXPORT)
    def export(
        self,
        kind: str,
        which: str,
        *,
        as_of: date,
        made_on: date,
        language: str,
        now: datetime,
        known_on: date | None = None,
    ) -> str:
        """Return a report, and note in the log who took it."""
        page = self.report(
            kind, which, as_of=as_of, made_on=made_on, language=language, known_on=known_on
        )
        audit = self.access.audit(
            AuditAction.EXPORTED, now, f"{kind} {which}".strip(), as_of=as_of.isoformat()
        )
        with self.store.database.writing() as connection:
            append_audit(connection, audit)
        return page

    @asks(Permission.IMPORT)
    def export_rejected(self, trial: Trial, *, now: datetime, language: str) -> bytes:
        """Return the rows of a file that were not taken, and note in the log who took them."""
        say = texts(language)
        content = xlsx_bytes({say("import.rejected"): rejected_table(trial, say)})
        audit = self.access.audit(
            AuditAction.EXPORTED, now, f"rejected {trial.receipt.source}",
            rows=len(trial.receipt.rejected), sha256=trial.sha256,
        )  # fmt: skip
        with self.store.database.writing() as connection:
            self.access.still(connection)
            append_audit(connection, audit)
        return content

    @asks(Permission.EXPORT)
    def export_counts(
        self,
        first: str,
        last: str,
        *,
        as_of: date,
        now: datetime,
        language: str,
        least: int | None = None,
    ) -> bytes:
        """Return the counts of wards by category as a workbook, and note in the log who took it.

        Parameters
        ----------
        first, last : str
            Months, 2025-01.
        least : int, optional
            For the public: no count from 1 to `least` - 1 is shown or can be worked out.

        Raises
        ------
        CannotMeasure
            ``no_counts_in_period``, if there is nothing in those months.
        """
        say, edition = texts(language), self.edition_on(as_of)
        counts = self._counts_by_ward(first, last, edition)
        head_of_log = self.log_head()
        notes = [
            say("counts_export.period", first=say.month(first), last=say.month(last)),
            say("app.edition", edition=date.fromisoformat(edition.edition)),
            say("app.log_head", count=str(head_of_log.count), hash=head_of_log.hash),
        ]
        if self.is_demonstration():
            notes.append(say("app.simulated_long"))
        if least is not None:
            counts = suppress(counts, least=least, total=_TOTAL).table
            notes.append(say("small_counts.note", largest=least - 1))
        else:
            counts = with_totals(counts, _TOTAL)
        table = self._with_words(counts, edition, say)
        audit = self.access.audit(
            AuditAction.EXPORTED, now, f"counts {first} {last}", least=least or 0
        )
        with self.store.database.writing() as connection:
            self.access.still(connection)
            append_audit(connection, audit)
        return xlsx_bytes(
            {say("counts_export.sheet"): table},
            notice="\n".join(notes),
            notice_sheet=say("counts_export.notes"),
        )

    def _counts_by_ward(self, first: str, last: str, edition: Edition) -> pd.DataFrame:
        """Return wards x categories of a period, rounded; missing where a month is not known."""
        panel = self.panel(edition)
        months = panel[panel["month"].between(first, last)]
        if months.empty:
            raise CannotMeasure(
                "no_counts_in_period",
                f"There are no counts from {first} to {last}.",
                first=first,
                last=last,
            )
        sums = months.groupby(["ward", "category"])["count"].sum().unstack("category")
        known = months.groupby("ward")["known"].all()
        return sums.round().astype("Int64").where(known)

    def _with_words(self, counts: pd.DataFrame, edition: Edition, say: Texts) -> pd.DataFrame:
        """Return a table of counts with names for its codes and a sign for what is not shown."""
        names = self.boundaries.names(edition.edition)["name"]
        labels = {
            code: category.label.of(say.language)
            for code, category in self.programme().categories.items()
        }
        total = say("counts_export.total")
        shown = counts.astype(object).where(counts.notna(), say("small_counts.sign"))
        shown.columns = pd.Index([labels.get(code, total) for code in counts.columns])
        shown.insert(0, say("field.name"), [names.get(code, total) for code in counts.index])
        codes = ["" if code == _TOTAL else code for code in counts.index]
        shown.insert(0, say("field.code"), codes)
        return shown.reset_index(drop=True)

    @asks(Permission.READ)
    def latest_events(self, most: int) -> list[Event]:
        """Return the events written last, the newest first."""
        return read_events(self.store.database)[: -most - 1 : -1]

    def _check_kinds(self, entry: Entry) -> None:
        unknown = sorted(set(entry.kinds) - set(self.programme().kinds))
        if unknown:
            allowed = sorted(self.programme().kinds)
            raise MoveRefused(
                "unknown_kind",
                f"{entry.hotspot!r}: {unknown} are not kinds of the programme; allowed: {allowed}.",
                kinds=unknown,
                known=allowed,
            )

    @asks(Permission.READ)
    def version(self, hotspot: str) -> int:
        """Return how many events a hotspot has."""
        return len(read_events(self.store.database, hotspot))

    @asks(Permission.READ)
    def allowed(self, hotspot: str, on: date) -> tuple[EventType, ...]:
        """Return the events that may be recorded for a hotspot on a day.

        Later events of the hotspot must stay allowed too, so this tries each against the rules.
        """
        existing = read_events(self.store.database, hotspot)
        status = state_of(hotspot, existing, on, with_pending=True).status
        return tuple(
            event
            for event in allowed_events(status)
            if self._would_fit(hotspot, existing, event, on)
        )

    def _would_fit(
        self, hotspot: str, existing: Sequence[Event], event: EventType, on: date
    ) -> bool:
        free_year = 1 + max((item.plan_year or 0 for item in existing), default=on.year)
        trial = Event(
            event_id="",
            hotspot=hotspot,
            type=event,
            effective_on=on,
            recorded_at=datetime.max.replace(tzinfo=UTC),
            recorded_by="",
            plan_year=free_year,
            needs_approval=self._needs_approval(event),
        )
        try:
            check_move(existing, _next(trial, existing))
        except MoveRefused:
            return False
        return True

    # -- measures

    @asks(Permission.READ)
    def snapshot(self, as_of: date, known_on: date | None = None) -> Snapshot:
        """Return everything that was true on a day, as known at the end of a day."""
        moment = _end_of(known_on)
        return self._once(("snapshot", as_of, moment), lambda: self._snapshot(as_of, moment))

    def _snapshot(self, as_of: date, known_on: datetime | None) -> Snapshot:
        programme = self.programme()
        events, log_head = read_with_head(self.store.database)
        streams = by_hotspot(events)
        states = _states(streams, as_of, known_on)
        edition = self.edition_on(as_of) if self.editions() else None
        measured = self._watch().risk(states, as_of, known_on)
        years = sorted({e.plan_year for state in states.values() for e in state.enrolments})
        targets = programme.targets
        return Snapshot(
            as_of=as_of,
            known_on=known_on,
            programme=programme,
            edition=edition,
            states=states,
            hotspots=_hotspot_table(states, programme, measured.risk),
            view=None if edition is None else self._view(states, programme, edition),
            transformed={
                year: transformed_share(states.values(), year, targets.transformed)
                for year in years
            },
            cohorts={
                year: cohort_non_relapse(states.values(), year, as_of, targets.not_relapsed)
                for year in years
            },
            official=non_relapse_share(
                states.values(), as_of, targets.not_relapsed, programme.watch_months
            ),
            trend=_trend(streams, programme, as_of, known_on),
            risk=measured.risk,
            risk_problem=measured.problem,
            not_measured=measured.not_measured,
            calibrated=measured.calibrated,
            head=log_head,
            simulated=self.is_demonstration(),
        )

    @asks(Permission.READ)
    def outlook(self, as_of: date, known_on: date | None = None) -> Outlook:
        """Return both targets in every reading, by group, and how the year is likely to end."""
        moment = _end_of(known_on)
        return self._once(("outlook", as_of, moment), lambda: self._outlook(as_of, moment))

    def _outlook(self, as_of: date, known_on: datetime | None) -> Outlook:
        streams = by_hotspot(read_with_head(self.store.database)[0])
        states_on = cache(lambda day: _states(streams, day, known_on))
        programme = self.programme()
        regions = groups_of_hotspots(programme.regions, self.boundaries, states_on(as_of).values())
        return outlook(programme, states_on, as_of, self._watch().forecast, regions)

    @asks(Permission.READ)
    def view(self, snapshot: Snapshot, edition: str) -> MapView:
        """Return a snapshot's hotspots on the wards of any edition."""
        return self._view(snapshot.states, snapshot.programme, self.boundaries.named(edition))

    def _view(
        self, states: Mapping[str, HotspotState], programme: Programme, edition: Edition
    ) -> MapView:
        shown = self._shown(states, edition)
        missing = sorted(set(states) - set(shown["hotspot"]))
        stages = _ward_stage(shown, states, programme)
        return MapView(edition, shown, stages, tuple(missing))

    def _shown(self, states: Mapping[str, HotspotState], edition: Edition) -> pd.DataFrame:
        """Return the wards of an edition in which each hotspot lies (see `MapView`)."""
        wards = set(self.wards(edition)["code"])
        editions = {state.place.edition for state in states.values() if state.place}
        routes = {
            other: self.boundaries.route(*sorted((other, edition.edition)))
            for other in editions - {edition.edition}
        }
        rows: list[tuple[str, str, float, bool]] = []
        for name, state in states.items():
            place = state.place
            if place is None:
                continue
            if place.edition == edition.edition:
                rows.append((name, place.ward, 1.0, True))
            elif (crosswalk := routes.get(place.edition)) is None:
                continue
            elif place.edition > edition.edition:  # back only where the territory is the same
                same = _predecessor(crosswalk, place.ward)
                rows += [] if same is None else [(name, same, 1.0, False)]
            else:
                parts = crosswalk.children(place.ward)
                rows += [
                    (name, str(ward), float(share), False)
                    for ward, share in zip(parts["new_code"], parts["weight"], strict=True)
                ]
        rows = [row for row in rows if row[1] in wards]  # a ward may have no boundary to show
        return pd.DataFrame(rows, columns=["hotspot", "ward", "share", "own"])

    @asks(Permission.READ)
    def panel(self, edition: Edition) -> pd.DataFrame:
        """Return the complete ward x month x category panel on the wards of an edition."""
        return self.carried(edition).table

    @asks(Permission.READ)
    def carried(self, edition: Edition) -> CarriedPanel:
        """Return all counts on the wards of an edition, and what could not be brought there."""
        categories = list(self.programme().categories)
        return self._once(
            ("panel", edition.wards_file),
            lambda: carried_panel(self.store, self.boundaries, edition, categories),
        )

    def breaks(self, monthly: pd.DataFrame) -> tuple[date, ...]:
        """Return the days within a series on which new boundaries came into force."""
        if monthly.empty:
            return ()
        first, last = monthly["month"].min(), monthly["month"].max()
        days = [edition.edition for edition in self.editions()[1:]]
        return tuple(date.fromisoformat(day) for day in days if first < day[:7] <= last)

    @asks(Permission.READ)
    def index(self, as_of: date, edition: Edition | None = None) -> pd.DataFrame:
        """Return the severity-weighted months x wards index, months fully reported up to a day.

        On the wards of the edition of the day, or of another; NaN where a ward's counts are not
        known.
        """
        edition = edition or self.edition_on(as_of)
        panel = self.panel(edition)
        if panel.empty:
            raise CannotMeasure(
                "no_counts",
                "The store has no incidents or counts on the wards of "
                f"{edition.edition}; import some first.",
                edition=edition.edition,
            )
        index = self._once(
            ("index", edition.wards_file, self.programme().source),
            lambda: weighted_index(panel, self.programme().weights),
        )
        return without_partial_end(latest_run(index, str(last_complete_month(as_of))))

    def _unit(self, as_of: date, edition: Edition | None = None) -> float:
        """Return the weight of the typical incident, from what was known on a day."""
        edition = edition or self.edition_on(as_of)

        def work() -> pd.DataFrame:
            counted = self.panel(edition).groupby(["month", "category"])["count"].sum()
            return counted.unstack(fill_value=0).cumsum()

        counted = self._once(("counted by category", edition.wards_file), work)
        known = counted.loc[: str(last_complete_month(as_of))].tail(1)
        by_category = {str(code): float(known[code].sum()) for code in known}
        return effective_unit(by_category, self.programme().weights)

    def _watch(self) -> RelapseWatch:
        def index(as_of: date, edition: Edition) -> pd.DataFrame:
            return self.index(as_of, edition)

        sources = RiskSources(
            self.boundaries,
            index,
            self._index_without_police,
            self._police_share,
            self._unit,
            self._once,
        )
        return RelapseWatch(self.programme(), sources)

    def _index_without_police(self, as_of: date, edition: Edition) -> pd.DataFrame | None:
        """Return the index without what the police found themselves; None if no source is known."""
        if "police" not in self._sources_on_record():
            return None
        known = self.index(as_of, edition)
        index = weighted_index(self._panel_without(edition, ("police",)), self.programme().weights)
        return index.reindex(index=known.index, columns=known.columns).where(known.notna())

    def _sources_on_record(self) -> frozenset[str]:
        return self._once("sources", lambda: sources_on_record(self.store))

    def _police_share(self, as_of: date, edition: Edition) -> pd.Series[float]:
        """Return by ward the share of the last year's incidents that the police found."""
        alike = dict.fromkeys(self.programme().categories, 1.0)
        counts = weighted_index(self.panel(edition), alike)
        return police_share(
            counts, weighted_index(self._panel_without(edition, ("police",)), alike), as_of
        )

    def _panel_without(self, edition: Edition, sources: tuple[str, ...]) -> pd.DataFrame:
        """Return the panel without what came from some sources ("": nobody said from whom)."""
        if not sources:
            return self.panel(edition)
        categories = list(self.programme().categories)
        return self._once(
            ("panel without", sources, edition.wards_file, self.programme().source),
            lambda: (
                carried_panel(
                    self.store, self.boundaries, edition, categories, leave_out=sources
                ).table
            ),
        )

    @asks(Permission.READ)
    def alarms(self, as_of: date, known_on: date | None = None) -> AlarmBoard:
        """Return what asks for attention in the watched hotspots, and what somebody said of it."""
        snapshot = self.snapshot(as_of, known_on)

        def work() -> AlarmBoard:
            streams = by_hotspot(read_with_head(self.store.database)[0])
            return self._watch().alarms(snapshot, streams)

        return self._once(("alarms", as_of, snapshot.known_on), work)

    @asks(Permission.READ)
    def model_card(self, as_of: date, known_on: date | None = None) -> ModelCard:
        """Return how far the probabilities of relapse are to be trusted."""
        snapshot = self.snapshot(as_of, known_on)
        return self._watch().model_card(
            snapshot.states, as_of, snapshot.known_on, snapshot.calibrated
        )

    @asks(Permission.READ)
    def assessments(
        self, as_of: date, known_on: date | None = None
    ) -> dict[str, tuple[Assessment, ...]]:
        """Return by hotspot what to know beside each assessment *transformed*, the oldest first."""
        snapshot = self.snapshot(as_of, known_on)
        key = ("assessments", as_of, snapshot.known_on)
        return self._once(key, lambda: self._watch().assessments(snapshot.states, as_of))

    @asks(Permission.RECORD)
    def acknowledge(
        self,
        hotspot: str,
        codes: Collection[str],
        note: str,
        *,
        on: date,
        by: str,
        today: date,
        now: datetime,
    ) -> Event:
        """Write that somebody has seen alarms of a hotspot, and what is done about them.

        Raises
        ------
        NotFound
            ``alarm_not_found``: an alarm that the hotspot does not have on the day.
        MoveRefused
            ``acknowledgement_without_note``.
        """
        found = {each.code: each for each in self.alarms(on).of(hotspot)}
        unknown = sorted(set(codes) - set(found))
        if unknown or not codes:
            raise NotFound(
                "alarm_not_found",
                f"{hotspot} has no alarm {', '.join(unknown) or '(none named)'} on {on}; it has: "
                f"{', '.join(found) or 'none'}.",
                hotspot=hotspot,
                codes=", ".join(unknown),
                on=on,
            )
        levels = {code: found[code].level for code in codes}
        return self.record(
            Entry(
                hotspot,
                EventType.ALARM_ACKNOWLEDGED,
                on,
                by,
                now,
                note=note,
                evidence=acknowledgement_evidence(levels, found[next(iter(codes))].p6),
            ),
            today=today,
        )

    @asks(Permission.READ)
    def effect(self, as_of: date, known_on: date | None = None) -> Effects:
        """Return whether the programme worked, as far as the data of a day can tell."""
        snapshot = self.snapshot(as_of, known_on)
        key = ("effect", as_of, snapshot.known_on)
        return self._once(key, lambda: measure_effects(snapshot, self._effect_sources(snapshot)))

    @asks(Permission.READ)
    def effect_placebo(self, as_of: date) -> pd.DataFrame:
        """Return what would be said of wards where nothing was done (`effect.placebo`)."""
        snapshot = self.snapshot(as_of)
        counts, designated_from = count_history(snapshot, self._effect_sources(snapshot))
        return placebo(counts, designated_from, as_of=as_of)

    def _effect_sources(self, snapshot: Snapshot) -> Sources:
        def view(edition: str) -> MapView:
            return self.view(snapshot, edition)

        return Sources(self.boundaries, self.panel, view, self.index, self._unit)

    @asks(Permission.READ)
    def hotspot(self, hotspot: str, as_of: date, known_on: date | None = None) -> HotspotFile:
        """Return one hotspot's file.

        Raises
        ------
        NotFound
            If there is no such hotspot.
        """
        log = read_events(self.store.database, hotspot)
        if not log:
            raise NotFound(
                "unknown_hotspot",
                f"There is no hotspot {hotspot!r}; 'hotspots status' lists them.",
                hotspot=hotspot,
            )
        moment = _end_of(known_on)
        state = state_of(hotspot, log, as_of, moment)
        believed = resolve(log, moment)
        place = state.place or next(item.place for item in [*believed, *log] if item.place)
        events = tuple(event for event in believed if event.effective_on <= as_of)
        edition = self.boundaries.named(place.edition)
        monthly = self.monthly(place.ward, as_of, edition)
        lineage = self.lineage(place.ward, place.edition)
        breaks = self.breaks(monthly)
        return HotspotFile(state, events, tuple(log), monthly, breaks, lineage)

    @asks(Permission.READ)
    def monthly(self, ward: str, as_of: date, edition: Edition | None = None) -> pd.DataFrame:
        """Return a ward's counts, complete months up to a day.

        Returns
        -------
        DataFrame
            `month`, `category`, `count`, `estimated` (how much of it), `known` (False: a part of
            the ward has no count). Months before and after those in which anything of the ward is
            known are left out.
        """
        panel = self.panel(edition or self.edition_on(as_of))
        rows = panel[panel["ward"].eq(ward) & (panel["month"] <= str(last_complete_month(as_of)))]
        said = rows.loc[rows["known"] | rows["count"].gt(0), "month"]
        rows = rows[rows["month"].between(said.min(), said.max())] if len(said) else rows.iloc[:0]
        columns = ["month", "category", "count", "estimated", "known"]
        return rows[columns].reset_index(drop=True)

    @asks(Permission.READ)
    def selection(self, year: int, as_of: date) -> pd.DataFrame:
        """Rank the wards by the smoothed level, and say which are on the list before a year."""
        wards = self.boundaries.names(self.edition_on(as_of).edition)
        table = rank_wards(
            self.index(as_of),
            as_of=as_of,
            last_year=self.list_of(year - 1, as_of),
            unit=self._unit(as_of),
        )
        return table.assign(
            name=wards["name"].reindex(table.index), kind=wards["kind"].reindex(table.index)
        )

    def _choice(self, known_on: date | None = None) -> WardChoice:
        moment = _end_of(known_on)

        def states(day: date) -> Mapping[str, HotspotState]:
            def work() -> Mapping[str, HotspotState]:
                return _states(by_hotspot(read_with_head(self.store.database)[0]), day, moment)

            return self._once(("states", day, moment), work)

        def keep(key: tuple[object, ...], work: Callable[[], Any]) -> Any:
            return self._once((*key, moment), work)

        return WardChoice(
            self.programme(),
            ChoiceSources(
                boundaries=self.boundaries,
                index=lambda as_of, edition: self.index(as_of, edition),
                unit=self._unit,
                panel=self.panel,
                panel_without=self._panel_without,
                sources=self._sources_on_record,
                populations=lambda: self._other_rows(FileKind.POPULATIONS),
                states=states,
                shown=self._shown,
                keep=keep,
            ),
        )

    @asks(Permission.READ)
    def check_text(self, text: str) -> None:
        """Refuse a text for the record that seems to name a person.

        Raises
        ------
        IntakeError
            What it seems to hold; the text is not repeated.
        """
        _refuse_persons(text)

    @asks(Permission.READ)
    def question(self, year: int, count: int | None = None) -> Question:
        """Return what is asked where nobody says otherwise: the programme's rules, the level."""
        rules = self.programme().selection.constraints
        return Question(year, rules if count is None else replace(rules, count=count))

    @asks(Permission.READ)
    def choose(self, question: Question, as_of: date, known_on: date | None = None) -> Selection:
        """Rank the wards by a planner's weights, and choose under the rules of the plan.

        Raises
        ------
        CannotMeasure
            Too few counts, or ``kind_without_categories``.
        HotspotsError
            ``weights_invalid``, ``rules_of_other_edition``, ``rules_unknown_wards``.
        """
        _refuse_persons_in(question)
        return self._choice(known_on).choose(question, as_of)

    @asks(Permission.READ)
    def selection_backtest(
        self, as_of: date, question: Question, known_on: date | None = None
    ) -> Backtest:
        """Return what this way of choosing would have found in the store's own past."""
        return self._choice(known_on).backtest(question, as_of)

    @asks(Permission.READ)
    def crime_groups(self, as_of: date) -> CrimeGroups:
        """Return how each category of crime stands in each ward of the day's edition."""
        return self._choice().crime_groups(as_of)

    @asks(Permission.READ)
    def compare_scenarios(
        self, a: Collection[str], b: Collection[str], as_of: date, kind: int | None = None
    ) -> Scenarios:
        """Set two lists of wards side by side, by the index of all categories or of a kind's."""
        return self._choice().compare(a, b, as_of, kind)

    @asks(Permission.READ)
    def equity(self, chosen: Collection[str], as_of: date) -> Equity:
        """Return whom a list covers, and whether it only follows the patrols."""
        return self._choice().equity(chosen, as_of)

    @asks(Permission.READ)
    def not_transformed(
        self, year: int, as_of: date, known_on: date | None = None
    ) -> frozenset[str] | None:
        """Return the wards of the list before a year that were not transformed; None: not known."""
        return self._choice(known_on).not_transformed(year, as_of)

    @asks(Permission.READ)
    def ward_regions(self, as_of: date) -> Mapping[str, str]:
        """Return the code of the region of each ward of the day's edition, where it has one."""
        return self._choice().facts(as_of).regions

    @asks(Permission.READ)
    def selection_presets(self) -> tuple[Preset, ...]:
        """Return the weights that have a name: the level alone, the programme's, those saved."""
        labels = {language: texts(language)("selection.preset_default") for language in LANGUAGES}
        usual = Preset(_USUAL_PRESET, Label(labels["vi"], labels["en"]), dict(DEFAULT_WEIGHTS))
        saved = [
            Preset(name, Label(name, name), weights)
            for name, weights in saved_presets(self.store.database).items()
        ]
        return (usual, *self.programme().selection.presets, *saved)

    @asks(Permission.READ)
    def preset(self, name: str) -> Preset:
        """Return weights by their name.

        Raises
        ------
        NotFound
            ``preset_unknown``.
        """
        presets = {each.name: each for each in self.selection_presets()}
        if name not in presets:
            listed = ", ".join(presets)
            raise NotFound(
                "preset_unknown",
                f"There are no weights called {name!r}; there are: {listed}.",
                given=name,
                allowed=listed,
            )
        return presets[name]

    @asks(Permission.PROPOSE)
    def save_preset(self, name: str, weights: Mapping[str, float], *, now: datetime) -> Preset:
        """Keep weights under a name, for everybody; a line of the audit says who did.

        Raises
        ------
        HotspotsError
            ``preset_without_name``, ``preset_name_taken``, ``weights_invalid``.
        """
        plain = " ".join(_plain(name).split())
        if not 0 < len(plain) <= _LONGEST_PRESET:
            raise HotspotsError(
                "preset_without_name",
                f"Weights are saved under a name of 1 to {_LONGEST_PRESET} signs; give one.",
                most=_LONGEST_PRESET,
            )
        _refuse_persons(plain)
        fixed = (_USUAL_PRESET, *(each.name for each in self.programme().selection.presets))
        if plain in fixed:
            raise HotspotsError(
                "preset_name_taken",
                f"{plain!r} is a name of the programme file; take another.",
                given=plain,
            )
        kept = {key: value for key, value in checked_weights(weights).items() if value}
        audit = self.access.audit(AuditAction.PRESET_SAVED, now, plain, weights=kept)
        with self.store.database.writing() as connection:
            self.access.still(connection)
            append_audit(connection, audit)
        return Preset(plain, Label(plain, plain), kept)

    @asks(Permission.EXPORT)
    def export_selection(
        self,
        question: Question,
        as_of: date,
        *,
        chosen: Sequence[str] | None = None,
        now: datetime,
        language: str,
        known_on: date | None = None,
    ) -> bytes:
        """Return a choice as a workbook, and note in the log who took it.

        Parameters
        ----------
        chosen : sequence of str, optional
            The wards ticked; the list that keeps to the rules if not given.
        """
        say, selection = texts(language), self.choose(question, as_of, known_on)
        listed = selection.choice.wards if chosen is None else chosen
        ended = self.log_head()
        notes = [
            say("report.as_of", day=as_of),
            say("app.edition", edition=date.fromisoformat(selection.edition)),
            say("app.log_head", count=str(ended.count), hash=ended.hash),
        ]
        if self.is_demonstration():
            notes.append(say("app.simulated_long"))
        notes += self.past_warning(question, as_of, say, known_on)
        content = workbook(selection, listed, self.programme(), notes, say)
        audit = self.access.audit(
            AuditAction.EXPORTED, now, f"selection {question.year}",
            as_of=as_of.isoformat(), wards=len(listed),
        )  # fmt: skip
        with self.store.database.writing() as connection:
            self.access.still(connection)
            append_audit(connection, audit)
        return content

    @asks(Permission.READ)
    def past_warning(
        self, question: Question, as_of: date, say: Texts, known_on: date | None = None
    ) -> list[str]:
        """Return a sentence that warns of a way of choosing that would have found fewer."""
        try:
            found = self.selection_backtest(as_of, question, known_on)
        except HotspotsError:
            return []
        return [backtest_lines(found, self.programme(), say)[0]] if found.is_warning else []

    @asks(Permission.READ)
    def not_ranked(self, table: pd.DataFrame, as_of: date) -> list[str]:
        """Return the names of the wards whose counts do not suffice for a rank."""
        wards = self.wards(self.edition_on(as_of))
        return sorted(wards.loc[~wards["code"].isin(table.index), "name"])

    def selection_reasons(self, table: pd.DataFrame, ward: str) -> tuple[Reason, ...]:
        """Return why a ward stands where it stands."""
        return selection_reasons(table.drop(columns=["name", "kind"]), ward)

    @asks(Permission.READ)
    def compare(
        self, chosen: Collection[str], year: int, as_of: date, known_on: date | None = None
    ) -> Comparison:
        """Set a choice of wards against last year's list, ranked or not."""
        return compare_with_last_year(chosen, sorted(self.list_of(year - 1, as_of, known_on)))

    @asks(Permission.READ)
    def list_of(self, year: int, as_of: date, known_on: date | None = None) -> set[str]:
        """Return the wards on the list of a plan year, withdrawn ones left out.

        An area listed on an earlier edition counts for the ward that got the largest known part
        of it; where no part is known, for none.
        """
        return set(self._choice(known_on).listed(year, as_of))

    @asks(Permission.READ)
    def cannot_be_proposed(self, wards: Sequence[str], on: date) -> list[str]:
        """Return those of some wards of which a hotspot is open that may not be proposed again.

        Also one that was designated on an older ward and lies here for the most part: the same
        area must not be on the list twice.
        """
        taken = self.open_hotspots(wards, on)
        return [ward for ward in wards if ward in taken]

    @asks(Permission.READ)
    def open_hotspots(self, wards: Collection[str], on: date) -> dict[str, list[HotspotState]]:
        """Return by ward the hotspots for which it may not be proposed (see above)."""
        snapshot = self.snapshot(on)
        if snapshot.view is None:
            return {}
        open_ones = {
            name
            for name, state in snapshot.states.items()
            if state.status not in _FREE_FOR_A_NEW_HOTSPOT
            and EventType.PROPOSED not in allowed_events(state.status)
        }
        shown = snapshot.view.shown
        here = shown[shown["hotspot"].isin(open_ones) & ~shown["share"].le(0.5)]
        here = here[here["ward"].isin(list(wards))]
        return {
            str(ward): [snapshot.states[name] for name in sorted(set(rows["hotspot"]))]
            for ward, rows in here.groupby("ward")
        }

    @asks(Permission.PROPOSE)
    def propose(
        self,
        wards: Sequence[str],
        year: int,
        on: date,
        *,
        by: str,
        today: date,
        now: datetime,
        kinds: tuple[int, ...] = (),
        question: Question | None = None,
    ) -> tuple[list[Event], dict[str, HotspotsError]]:
        """Write `Proposed` events for wards, the ranking's evidence frozen in them.

        Parameters
        ----------
        kinds : tuple of int
            For hotspots that are new; one that was listed before keeps its own.
        question : Question, optional
            The weights and rules the wards were chosen by; those of `Tracker.question` otherwise.

        Returns
        -------
        (list of Event, dict)
            What was written, and for the other wards why not.
        """
        asked = self.question(year) if question is None else replace(question, year=year)
        selection = self.choose(asked, on)
        known = self.snapshot(on).states
        taken = self.open_hotspots(wards, on)
        free = [ward for ward in wards if ward not in taken]
        names = {ward: self._hotspot_for(ward, year, on) for ward in free}
        past = self._past_of(asked, on)
        entries = [
            Entry(
                hotspot=name,
                event=EventType.PROPOSED,
                on=on,
                by=by,
                recorded_at=now,
                plan_year=year,
                ward=None if name in known else ward,  # perhaps it stands on an older ward
                kinds=kinds,
                evidence=selection.evidence(ward) | past,
            )
            for ward, name in names.items()
        ]
        written, refused = self.record_all(entries, today=today)
        problems = {free[position]: error for position, error in refused.items()}
        return written, problems | {
            ward: _taken(ward, taken[ward]) for ward in wards if ward in taken
        }

    def _past_of(self, question: Question, on: date) -> dict[str, object]:
        """Return what the own past says of a way of choosing, where it can tell."""
        try:
            verdict = self.selection_backtest(on, question).verdict
        except HotspotsError:
            return {}
        return {"past": {"code": verdict.code, **verdict.facts}}

    def _hotspot_for(self, ward: str, year: int, on: date) -> str:
        """Return the ward's latest hotspot, or the id of a new one.

        An area that was transformed and has not relapsed stays a hotspot of its own, so that its
        watch goes on beside the new proposal.
        """
        edition = self.edition_on(on).edition
        view = self.snapshot(on).view
        states = self.snapshot(on).states
        here = view.hotspots_of(ward) if view is not None else pd.DataFrame(columns=["hotspot"])
        open_ones = [
            name
            for name in here["hotspot"]
            if states[name].status not in _FREE_FOR_A_NEW_HOTSPOT
            and self._is_of(states[name], ward, edition)
        ]
        return max(open_ones, default="") or self.new_hotspot_id(ward, year, edition)

    def _is_of(self, state: HotspotState, ward: str, edition: str) -> bool:
        """Tell whether a hotspot is of a ward, or of the one whose territory it took over."""
        place = state.place
        if place is None or place.edition == edition:
            return place is not None and place.ward == ward
        crosswalk = self.boundaries.route(place.edition, edition)
        return crosswalk is not None and successor(crosswalk, place.ward) == ward

    # -- reports

    @asks(Permission.EXPORT)
    def report(
        self,
        kind: str,
        which: str,
        *,
        as_of: date,
        made_on: date,
        language: str,
        known_on: date | None = None,
    ) -> str:
        """Return a report as one HTML page that opens without a network.

        Parameters
        ----------
        kind : str
            `programme`, `hotspot` or `ward`.
        which : str
            The hotspot's id or the ward's code; nothing for the programme.
        """
        with self._one_moment():
            # What is kept in memory may have been made before the last sign-in or export.
            snapshot = replace(self.snapshot(as_of, known_on), head=head(self.store.database))
            return self._report(kind, which, snapshot, known_on, made_on, texts(language))

    def _report(
        self,
        kind: str,
        which: str,
        snapshot: Snapshot,
        known_on: date | None,
        made_on: date,
        say: Texts,
    ) -> str:
        as_of = snapshot.as_of
        if kind == "programme":
            files = {name: self.hotspot(name, as_of, known_on) for name in snapshot.states}
            drawings = self._drawings(snapshot, say)
            found = self.outlook(as_of, known_on)
            page = programme_page(snapshot, found, files, drawings, made_on, say)
            proposed = proposals_section(snapshot, self._proposals(snapshot), say)
            return render(replace(page, outlook=(*page.outlook, *proposed)))
        if kind == "hotspot":
            file = self.hotspot(which, as_of, known_on)
            where = () if snapshot.view is None else snapshot.view.wards_of(which)["ward"]
            drawings = self._drawings(snapshot, say, [str(ward) for ward in where])
            return render(hotspot_page(snapshot, file, drawings, made_on, say))
        return render(self._ward_page(snapshot, which, made_on, say))

    def _proposals(self, snapshot: Snapshot) -> list[tuple[Event, str]]:
        """Return the proposals from the plan year of the day on that are not on a list yet."""
        found = []
        events, _ = read_with_head(self.store.database)
        for stream in by_hotspot(events).values():
            waiting = {event.event_id for event in pending(stream, snapshot.known_on)}
            believed = {event.event_id for event in resolve(stream, snapshot.known_on)}
            for event in stream:
                if event.type is EventType.PROPOSED and event.effective_on <= snapshot.as_of:
                    if event.event_id in waiting:
                        found.append((event, "waits"))
                    elif event.event_id in believed:
                        found.append((event, "proposed"))
        listed = {
            name
            for name, state in snapshot.states.items()
            if state.status not in (Status.PROPOSED, Status.APPRAISED)
        }
        return [
            (event, standing)
            for event, standing in found
            if (event.plan_year or 0) >= snapshot.as_of.year
            and (standing == "waits" or event.hotspot not in listed)
        ]

    def _ward_page(self, snapshot: Snapshot, code: str, made_on: date, say: Texts) -> Page:
        edition = self.edition_on(snapshot.as_of)
        wards = self.wards(edition).set_index("code")
        if code not in wards.index:
            raise unknown_ward(code, edition.edition)
        facts = wards.loc[code]
        view = self.view(snapshot, edition.edition)
        files = [self.hotspot(name, snapshot.as_of) for name in view.hotspots_of(code)["hotspot"]]
        rank, reasons = self._rank_of(code, snapshot.as_of)
        monthly = self.monthly(code, snapshot.as_of)
        ward = WardFile(
            code=code,
            name=str(facts["name"]),
            kind=str(facts["kind"]),
            area_km2=None if edition.schematic else float(facts["area_km2"]),
            rank=rank,
            reasons=reasons,
            hotspots=tuple(files),
            monthly=monthly,
            breaks=self.breaks(monthly),
            lineage=self.lineage(code, edition.edition),
        )
        return ward_page(snapshot, ward, self._drawings(snapshot, say, [code]), made_on, say)

    def _rank_of(self, code: str, as_of: date) -> tuple[tuple[int, int] | None, tuple[Reason, ...]]:
        """Return a ward's rank with its reasons; none when it cannot be ranked."""
        try:
            ranking = self.selection(as_of.year + 1, as_of)
        except CannotMeasure:
            return None, ()
        if code not in ranking.index:
            return None, ()
        place = list(ranking.index).index(code) + 1
        return (place, len(ranking)), self.selection_reasons(ranking, code)

    def _drawings(
        self, snapshot: Snapshot, say: Texts, subject: Sequence[str] = ()
    ) -> tuple[MapDrawing, ...]:
        """Draw the wards by their hotspots' stage.

        For a report on one place, its wards and the surroundings of the first; otherwise all
        wards, and again the centre if its wards are too small to be seen among all.
        """
        edition = snapshot.edition
        if edition is None:
            return ()
        wards = self._once(
            ("drawing", edition.wards_file), lambda: drawing_copy(self.wards(edition), 60.0)
        )
        if subject:
            near = around(wards, subject[0])
            return (self._drawing("", near, snapshot, say, 420, subject),)
        core = dense_core(wards)
        whole = self._drawing("", wards, snapshot, say, 600)
        if core.empty:
            return (whole,)
        return (whole, self._drawing(say("overview.fit_core"), core, snapshot, say, 520))

    def _drawing(
        self,
        caption: str,
        wards: gpd.GeoDataFrame,
        snapshot: Snapshot,
        say: Texts,
        height_px: int,
        subject: Sequence[str] = (),
    ) -> MapDrawing:
        stage = pd.Series(
            [snapshot.ward_stage.get(code, "not_listed") for code in wards["code"]],
            index=wards.index,
            dtype=object,
        )
        label_of = {key: say(f"stage.{key}") for key in STAGE_STYLE}
        parts = ward_map(
            wards.assign(stage=stage, label=stage.map(label_of)),
            "stage",
            [
                MapClass(key, label_of[key], style.colour, style.symbol)
                for key, style in STAGE_STYLE.items()
            ],
            tooltip={"name": say("column.ward"), "label": say("column.status")},
            legend_title=say("stage.title"),
            notice=" · ".join(notices(snapshot, say)),
            height_px=height_px,
            marked=tuple(code for code in subject if code in set(wards["code"])),
        )
        return MapDrawing(caption, parts.css, parts.html, parts.scripts)

    # -- keeping answers

    def data_version(self) -> tuple[object, ...]:
        """Return a value that changes whenever anything that is calculated from changes.

        Its first part is the log's: the rest stays while only events are written.
        """
        return self.store.version()

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Ask the store only once whether it has changed: a report asks a thousand things.

        Nobody else is answered meanwhile, and what is written meanwhile is in the next report.
        """
        with self._cache.lock:
            self._cache.moment = self.data_version()
            try:
                yield
            finally:
                self._cache.moment = None

    def _once(self, key: object, work: Callable[[], _Value]) -> _Value:
        """Answer from memory while the store is unchanged; what is kept is the same for all."""
        cache = self._cache
        with cache.lock:
            version = cache.moment or self.data_version()
            if version != cache.version:
                of_log_only = cache.version is not None and version[1:] == cache.version[1:]
                stays = _is_of_counts if of_log_only else _is_fixed
                cache.answers = {k: v for k, v in cache.answers.items() if stays(k)}
                cache.version = version
            if key in cache.answers:
                value: Any = cache.answers[key]
                return value  # type: ignore[no-any-return]
            answer = work()
            if cache.version == version == (cache.moment or self.data_version()):
                cache.answers[key] = answer  # nobody wrote while it was worked out
            return answer


class _Cache:
    """Answers kept while the store is unchanged, for all who use it: none is of one user only."""

    def __init__(self) -> None:
        self.answers: dict[object, object] = {}
        self.version: tuple[object, ...] | None = None
        self.moment: tuple[object, ...] | None = None
        self.lock = threading.RLock()


_FREE_FOR_A_NEW_HOTSPOT = frozenset({Status.TRANSFORMED, Status.RELEASED})
_LONGEST_NUMBER = 9
_USUAL_PRESET = "smoothed_level"
_LONGEST_PRESET = 60
_EVENT_COLUMNS = ("hotspot", "event", "on", "ward", "edition", "plan_year", "kinds", "note", "by")


def _entry_of(cells: Mapping[str, str], now: datetime) -> Entry:
    """Read one row of a file of events."""
    given = {name: _plain(cells.get(name, "")) for name in _EVENT_COLUMNS}
    if not given["hotspot"]:
        raise IntakeError("hotspot_missing", "The row names no hotspot.")
    event = _event_names().get(given["event"].casefold())
    if event is None:
        raise IntakeError(
            "unknown_event",
            f"{given['event']!r} is not an event; allowed: {', '.join(EventType)}.",
            given=given["event"],
        )
    entry = Entry(
        hotspot=given["hotspot"],
        event=event,
        on=_read_date(given["on"]),
        by=given["by"] or "import",
        recorded_at=now,
        note=given["note"],
        plan_year=_read_whole(given["plan_year"]),
        ward=given["ward"] or None,
        edition=_read_date(given["edition"]) if given["edition"] else None,
        kinds=tuple(sorted(k for part in given["kinds"].split("+") if (k := _read_whole(part)))),
    )
    # The id comes from what the row says, not from how: 2025-10-20 and 20/10/2025 are one event.
    said = [entry.hotspot, str(entry.event), entry.on.isoformat(), entry.by, entry.note]
    said += [str(entry.plan_year), str(entry.ward), str(entry.kinds)]
    if entry.edition is not None:
        said.append(entry.edition.isoformat())
    return replace(entry, event_id=str(uuid.uuid5(_EVENT_NAMESPACE, repr(said))))


@cache
def _event_names() -> dict[str, EventType]:
    """Return what a file may call an event: its code, or its name in either language."""
    return {
        name.casefold(): event
        for event in EventType
        if event is not EventType.CORRECTED and event not in DECISIONS
        for name in (str(event), *(texts(language)(f"event.{event}") for language in LANGUAGES))
    }


def _read_whole(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal():
        raise IntakeError("cell_not_read", f"{text!r} is not a whole number.", given=text)
    if len(text.strip()) > _LONGEST_NUMBER:
        raise IntakeError("cell_not_read", f"{text[:80]!r} is too large.", given=text[:80])
    return int(text)


def _read_date(text: str) -> date:
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise IntakeError(
        "date_not_read", f"{text!r} is not a day; write 2025-10-20 or 20/10/2025.", given=text
    )


def _shown_name(name: str) -> str:
    """Return what a file is called here: a name that tells of a person is not repeated."""
    stem, dot, ending = name.rpartition(".")
    words = (stem if dot else name).replace("_", " ").replace("-", " ")
    return f"tep{dot}{ending}" if scan_text(words) or scan_text(stem) else name


def _taken(ward: str, here: Sequence[HotspotState]) -> HotspotsError:
    """Return why a ward cannot be proposed: the hotspots that are open there."""
    names = [f"{place.name} ({state.hotspot})" for state in here if (place := state.place)]
    return MoveRefused(
        "ward_has_hotspot",
        f"In ward {ward} a hotspot is open already: {', '.join(names)}.",
        ward=ward,
        names=", ".join(names),
    )


def _refuse_persons_in(question: Question) -> None:
    for why in question.constraints.excluded.values():
        _refuse_persons(why.rule)
        _refuse_persons(why.source)


def _refuse_persons(note: str) -> None:
    """Refuse a note that seems to name a person or a number of one; the note is not repeated."""
    kinds = [kind for kind in scan_text(note) if kind != "nine_digits"]
    if kinds:
        raise IntakeError(
            "personal_data_in_text",
            f"The text seems to hold personal data ({', '.join(kinds)}). Take it out; only places "
            "and counts are kept here.",
            personal=kinds,
        )


def _meanwhile(file: str) -> StoreError:
    return StoreError(
        "imported_meanwhile",
        f"Something was recorded or imported meanwhile; nothing of {file} was added. Import it "
        "again.",
        file=file,
    )


def _event_table(table: pd.DataFrame, mapping: ColumnMapping) -> pd.DataFrame:
    """Return a file of events under the names of `_EVENT_COLUMNS`."""
    column_of = columns_of(FileKind.STATUS, table.columns, mapping)
    require(FileKind.STATUS, table, column_of, mapping)
    return table[list(column_of.values())].set_axis(list(column_of), axis=1)


def _said_of_import(trial: Trial) -> dict[str, object]:
    """Return what the audit keeps of an import: names of columns and numbers, no cells."""
    receipt, decision = trial.receipt, trial.decision
    said: dict[str, object] = {
        "kind": str(trial.kind),
        "sha256": trial.sha256,
        "rows": receipt.rows,
        "accepted": receipt.accepted,
        "new": receipt.new,
        "rejected": len(receipt.rejected),
    }
    if trial.replaces is not None:
        said |= {"replaced": receipt.replaced, "replaces": decision.replaces}
    if decision.dropped:
        said["dropped"] = len(decision.dropped)
    if trial.kept:
        said["kept"] = dict(sorted(trial.kept.items()))
    if trial.in_part:
        said["in_part"] = True
    return said


def _part_of(
    progress: Callable[[float], None], start: float, end: float
) -> Callable[[float], None]:
    """Return a progress that goes over a part of another's way."""
    return lambda share: progress(start + (end - start) * share)


def _cells(table: pd.DataFrame) -> list[tuple[int, dict[str, str]]]:
    text = table.astype("string").fillna("")
    return [
        (int(row), dict(zip(text.columns, cells, strict=True))) for row, *cells in text.itertuples()
    ]


def _next(draft: Event, existing: Sequence[Event]) -> Event:
    """Return the draft as it will stand behind the existing events."""
    values = vars(draft) | {"seq": 1 + max((event.seq for event in existing), default=0)}
    return Event(**values)


def _believed_day(existing: Sequence[Event], event_id: str) -> date | None:
    """Return the day that an event, or the event a correction speaks of, is believed to be of."""
    corrects = {event.event_id: event.corrects for event in existing}
    root = event_id
    while corrects.get(root) is not None:
        root = corrects[root] or ""
    written = {event.event_id: event.effective_on for event in existing}
    believed = {event.event_id: event.effective_on for event in resolve(existing)}
    return believed.get(root, written.get(root))


def _plain(text: str) -> str:
    """Return text in NFC, without control signs and outer blanks."""
    normal = unicodedata.normalize("NFC", text)
    return "".join(sign for sign in normal if sign == "\n" or sign.isprintable()).strip()


def _end_of(day: date | None) -> datetime | None:
    """Return the end of a day on this machine's clock."""
    return None if day is None else datetime.combine(day, time.max).astimezone()


def _states(
    streams: Mapping[str, Sequence[Event]], as_of: date, known_on: datetime | None
) -> dict[str, HotspotState]:
    states = {name: state_of(name, stream, as_of, known_on) for name, stream in streams.items()}
    return {name: s for name, s in states.items() if s.status is not Status.NOT_LISTED}


def _predecessor(crosswalk: Crosswalk, ward: str) -> str | None:
    """Return the ward whose territory a ward took over unchanged, if there is one."""
    parents = crosswalk.parents(ward)
    if len(parents) != 1:
        return None
    old = str(parents["old_code"].iloc[0])
    return old if successor(crosswalk, old) == ward else None


def _ward_stage(
    shown: pd.DataFrame, states: Mapping[str, HotspotState], programme: Programme
) -> dict[str, str]:
    """Return each ward's map class: of several hotspots, the one that most needs attention."""
    stages: dict[str, str] = {}
    for hotspot, ward in zip(shown["hotspot"], shown["ward"], strict=True):
        stage = states[hotspot].stage(programme.watch_months)
        stages[ward] = min(stage, stages.get(ward, "not_listed"), key=STAGES.index)
    return stages


_RISK_COLUMNS = ("p3", "p6", "p12", "level", "threshold", "points", "risk_rank")


def _hotspot_table(
    states: Mapping[str, HotspotState], programme: Programme, risk: Risk | None
) -> pd.DataFrame:
    rows = {}
    for name, state in states.items():
        place = state.place
        watch = state.under_watch(programme.watch_months)
        rows[name] = {
            "name": place.name if place else "",
            "ward": place.ward if place else "",
            "edition": place.edition if place else "",
            "kinds": tuple(sorted(place.kinds)) if place else (),
            "plan_year": state.plan_year,
            "status": str(state.status),
            "since": state.since,
            "stage": state.stage(programme.watch_months),
            "watched_until": watch.watched_until(programme.watch_months) if watch else None,
            "last_inspected_on": state.last_inspected_on,
        }
    columns = [
        "name",
        "ward",
        "edition",
        "kinds",
        "plan_year",
        "status",
        "since",
        "stage",
        "watched_until",
        "last_inspected_on",
    ]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    measured = risk.table if risk is not None else pd.DataFrame(columns=list(_RISK_COLUMNS))
    for column in _RISK_COLUMNS:
        table[column] = measured[column].reindex(table.index).astype(float)
    table["alarm"] = [alarm(p, programme.alarms) if np.isfinite(p) else "" for p in table["p6"]]
    return table


def _trend(
    streams: Mapping[str, Sequence[Event]],
    programme: Programme,
    as_of: date,
    known_on: datetime | None,
) -> pd.DataFrame:
    """Return the official non-relapse share at the last twelve quarter ends and on the day."""
    month = last_complete_month(as_of)
    ends = [month + -step for step in range(36) if (month + -step).month % 3 == 0]
    days = sorted({*(end.last_day for end in ends), as_of})
    results = [
        non_relapse_share(
            _states(streams, day, known_on).values(),
            day,
            programme.targets.not_relapsed,
            programme.watch_months,
        )
        for day in days
    ]
    return pd.DataFrame(
        {
            "day": days,
            "official": [result.share for result in results],
            "watches": [result.denominator for result in results],
        }
    )


def _is_fixed(key: object) -> bool:
    """Tell whether an answer stays true for as long as its file has the same name."""
    return isinstance(key, tuple) and key[0] in ("wards", "drawing", "programme", "pairs")


def _is_of_counts(key: object) -> bool:
    """Tell whether an answer rests on counts, boundaries and programme alone, on no event."""
    name = key[0] if isinstance(key, tuple) else key
    return _is_fixed(key) or name in _OF_COUNTS


_OF_COUNTS = frozenset(
    {
        "panel", "panel without", "sources", "index", "counted by category", "touching",
        "margin", "cases by the rule", "tested by the rule", "kind index", "kind incidents",
        "neighbours of wards", "time patterns", "crime groups",
    }
)  # fmt: skip
