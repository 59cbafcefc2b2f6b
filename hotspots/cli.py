"""The use cases from the command line: `hotspots --help`."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from geo.check import check_boundaries, write_cleaned
from geo.errors import GeoError
from hotspots.choice import Question, Selection
from hotspots.choice_words import (
    as_data as choice_data,
)
from hotspots.choice_words import (
    backtest_cells,
    backtest_lines,
    backtest_years,
    category_name,
    choice_reasons,
    clash_lines,
    group_rule_lines,
    interval_text,
    newly_seen_cells,
    proposal_lines,
    question_lines,
    reason_line,
    reasons_data,
)
from hotspots.effect_words import (
    as_data,
    assessment_cells,
    assessments_line,
    effect_cells,
    effect_problem_lines,
    placebo_lines,
    placebo_shares,
    programme_lines,
)
from hotspots.errors import HotspotsError, NotAllowed
from hotspots.import_words import (
    import_cells,
    mapping_of,
    rejected_table,
    trial_lines,
    upload_lines,
)
from hotspots.importing import Trial, Upload
from hotspots.measures.file_kinds import FileKind, template
from hotspots.measures.mapping import to_toml
from hotspots.measures.relapse_cases import HORIZONS
from hotspots.measures.targets import TargetResult
from hotspots.programme.plan import Programme, unknown_names
from hotspots.programme.roles import Permission, Role
from hotspots.programme.selection_rules import as_table, invalid_rules, read_constraints
from hotspots.programme.status import DECISIONS, Event, EventType
from hotspots.records.anchors import head_of_report, read_anchors
from hotspots.records.audit import Audit, AuditAction, append_audit
from hotspots.records.backup import restore
from hotspots.records.intake import Wish
from hotspots.records.store import Store, migrate
from hotspots.relapse_watch import AlarmBoard, ModelCard
from hotspots.reports.boundary_check import check_lines
from hotspots.reports.lineage import (
    behind_cells,
    carried_numbers,
    crosswalk_lines,
    estimated_cells,
    lineage_lines,
)
from hotspots.reports.outlook import facts, outlook_lines
from hotspots.reports.pages import doubt_lines, not_measured_lines
from hotspots.reports.tables import csv_bytes, xlsx_bytes
from hotspots.risk_words import (
    alarm_line,
    card_data,
    card_tables,
    codes_to_acknowledge,
    feedback_lines,
    finding_data,
    open_alarms,
    ranked,
    reason_data,
    reason_lines,
    record_lines,
    risk_cell_line,
    settings_line,
    sources_tested,
    standing_data,
    standing_lines,
    verdict_lines,
)
from hotspots.snapshot import Snapshot
from hotspots.text import Texts, texts
from hotspots.tracker import Entry, Tracker

app = typer.Typer(
    help="Designated public-order hotspots: status, targets, risk, reports.", no_args_is_help=True
)
boundaries_app = typer.Typer(help="Boundary editions.", no_args_is_help=True)
crosswalk_app = typer.Typer(help="From one boundary edition to the next.", no_args_is_help=True)
user_app = typer.Typer(help="Users and roles.", no_args_is_help=True)
store_app = typer.Typer(help="The store itself.", no_args_is_help=True)
programme_app = typer.Typer(help="The programme file.", no_args_is_help=True)
import_app = typer.Typer(help="Bring in files.", no_args_is_help=True)
export_app = typer.Typer(help="Give tables out.", no_args_is_help=True)
app.add_typer(boundaries_app, name="boundaries")
app.add_typer(crosswalk_app, name="crosswalk")
app.add_typer(user_app, name="user")
app.add_typer(store_app, name="store")
app.add_typer(programme_app, name="programme")
app.add_typer(import_app, name="import")
app.add_typer(export_app, name="export")

StoreOption = Annotated[
    str, typer.Option("--store", envvar="HOTSPOTS_STORE", help="Folder or sqlite:/// address.")
]
LanguageOption = Annotated[str, typer.Option("--lang", envvar="HOTSPOTS_LANG", help="vi or en.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", help="Day asked about, 2025-10-20; default: today.")
]
KnownOnOption = Annotated[
    str | None, typer.Option(help="As it was known on a day; default: as it is known now.")
]
MappingOption = Annotated[
    Path | None, typer.Option("--mapping", help="TOML: which column and category is which.")
]
RejectedOption = Annotated[
    Path | None,
    typer.Option(
        "--rejected",
        help="Write the rejected rows with their reasons to this file (.csv or .xlsx).",
    ),
]
EditionOption = Annotated[
    str | None,
    typer.Option(help="Boundary edition of the file's ward codes; default: by each row's day."),
]
DropOption = Annotated[
    list[str] | None, typer.Option(help="Leave this column out; may be given again.")
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option(help="COLUMN=REASON: keep a column that only looks like personal data."),
]
ReplaceOption = Annotated[
    str,
    typer.Option(
        help="'wards' or 'period': what the store holds of the file's months and categories, in "
        "its wards or in all, gives way."
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would do; write nothing.")
]
EncodingOption = Annotated[str | None, typer.Option(help="utf-8, cp1258, tcvn3, vni ...")]
SheetOption = Annotated[str | None, typer.Option(help="Sheet of a workbook; default: the first.")]
HeaderOption = Annotated[int | None, typer.Option(help="Row that holds the columns' names.")]
CrsOption = Annotated[str | None, typer.Option(help="Coordinate system, EPSG:3405 ...")]
InPartOption = Annotated[
    bool, typer.Option("--in-part", help="Replace even if rows of the file are not taken.")
]
DEFAULT_STORE = "store"
DEMONSTRATION_USER = "thammuu"
_LARGE_CHANGE_HA = 10.0


_USER: ContextVar[str | None] = ContextVar("user", default=None)


@app.callback()
def acting(
    user: Annotated[
        str | None,
        typer.Option("--user", envvar="HOTSPOTS_USER", help="Act as this user of the store."),
    ] = None,
) -> None:
    """Designated public-order hotspots: status, targets, risk, reports."""
    _USER.set(user)


@app.command()
def demo(
    years: Annotated[int, typer.Option(help="Years of monthly counts.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same city.")] = 7,
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Build the demonstration city in an empty store."""
    from hotspots import demonstration

    say = _texts(lang)
    day = _day(as_of, _today())
    with _refusals(say):
        demonstration.build_at(store, as_of=day, years=years, seed=seed)
    typer.echo(say("cli.demo_built", store=store, day=day))


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port on localhost.")] = 8501,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Serve the app on this machine."""
    with _refusals(_texts(lang)):
        opened = Store(store)
        folder = opened.location
        opened.close()
    page = Path(__file__).resolve().parents[1] / "app.py"
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(port)]
    environment = os.environ | {"HOTSPOTS_STORE": folder, "HOTSPOTS_LANG": lang}
    code = subprocess.call(command, env=environment, cwd=page.parent)  # noqa: S603 - our own app
    raise typer.Exit(code)


@boundaries_app.command("add")
def boundaries_add(
    file: Path,
    edition: Annotated[str, typer.Option(help="First day in force, 2025-07-01.")],
    code_column: Annotated[str, typer.Option()] = "code",
    name_column: Annotated[str, typer.Option()] = "name",
    crs: Annotated[
        str | None, typer.Option(help="Coordinate system, if the file does not say.")
    ] = None,
    replace: Annotated[bool, typer.Option(help="Put it in the place of a wrong file.")] = False,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Read, clean and keep a boundary file (GeoJSON, GeoPackage, GeoParquet, Shapefile)."""
    with _session(store, lang, create=True) as (tracker, say):
        kept = tracker.add_boundaries(
            file,
            _day(edition, _today()),
            _now(),
            code_column=code_column,
            name_column=name_column,
            crs=crs,
            replace_edition=replace,
        )
        if as_json:
            return _print_json({"edition": kept.edition, "units": kept.units, **kept.findings})
        found = kept.findings
        typer.echo(say("boundaries.added", edition=kept.edition, units=kept.units))
        typer.echo(_cleaning_in_words(found, say))
        if float(str(found["largest_area_change_ha"])) > _LARGE_CHANGE_HA:
            typer.echo(say("boundaries.large_change", file=file))
        if found.get("islands"):
            typer.echo(say("boundaries.islands", islands=found["islands"]))
        return None


@boundaries_app.command("list")
def boundaries_list(
    store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi", as_json: JsonOption = False
) -> None:
    """List the boundary editions."""
    with _session(store, lang) as (tracker, say):
        editions = tracker.editions()
        if as_json:
            return _print_json(
                [
                    {
                        "edition": e.edition,
                        "units": e.units,
                        "source": e.source,
                        "schematic": e.schematic,
                    }
                    for e in editions
                ]
            )
        for each in editions:
            sketch = f" ({say('boundaries.schematic')})" if each.schematic else ""
            typer.echo(f"{each.edition}  {each.units}  {each.source}{sketch}")
        if not editions:
            typer.echo(say("boundaries.none"))
        return None


@boundaries_app.command("check")
def boundaries_check(
    file: Path,
    edition: Annotated[str | None, typer.Option(help="First day in force; default: today.")] = None,
    code_column: Annotated[str, typer.Option()] = "code",
    name_column: Annotated[str, typer.Option()] = "name",
    area_column: Annotated[str | None, typer.Option(help="Published areas in km2.")] = None,
    against: Annotated[str | None, typer.Option(help="Edition of the store to compare.")] = None,
    crs: Annotated[str | None, typer.Option(help="Coordinate system, if not said.")] = None,
    fix: Annotated[Path | None, typer.Option(help="Write the cleaned file here.")] = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with a boundary file; nothing is kept. Needs a store only to compare."""
    say = _texts(lang)
    day = _day(edition, _today())
    with _refusals(say):
        there = None
        if against is not None:
            with _session(store, lang) as (tracker, _):
                boundaries = tracker.boundaries
                there = boundaries.wards(boundaries.named(_day(against, day).isoformat()))
        found = check_boundaries(
            file, day, code_column=code_column, name_column=name_column, crs=crs,
            area_column=area_column, against=there,
        )  # fmt: skip
        if fix is not None:
            write_cleaned(file, fix, day, code_column=code_column, name_column=name_column, crs=crs)
    if as_json:
        _print_json(asdict(found))
        return
    typer.echo(found.file)
    for line in check_lines(asdict(found), say):
        typer.echo(f"  - {line}")
    if fix is not None:
        typer.echo(say("check.written", file=fix))


@boundaries_app.command("neighbours")
def boundaries_neighbours(
    edition: Annotated[str | None, typer.Option(help="Default: the newest.")] = None,
    corners: Annotated[bool, typer.Option(help="Count wards that meet in a corner too.")] = False,
    km: Annotated[float | None, typer.Option(help="Wards within a distance instead.")] = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """List which wards share a border, and those without a neighbour."""
    with _session(store, lang) as (tracker, say):
        boundaries = tracker.boundaries
        day = _day(edition, date.max)
        on = boundaries.near(day) if edition is None else boundaries.named(day.isoformat())
        found = boundaries.neighbours(on, corners=corners, km=km)
        if as_json:
            return _print_json(
                {"pairs": found.pairs.to_dict("records"), "islands": list(found.islands)}
            )
        typer.echo(say("neighbours.pairs", count=len(found.pairs), wards=len(found.codes)))
        names = boundaries.names(on.edition)["name"]
        for island in found.islands:
            typer.echo(say("neighbours.island", ward=f"{names[island]} ({island})"))
        return None


@crosswalk_app.command("add")
def crosswalk_add(
    file: Path,
    from_edition: Annotated[str, typer.Option("--from", help="Edition of the old codes.")],
    to_edition: Annotated[str, typer.Option("--to", help="Edition of the new codes.")],
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Add the official list: old_code, new_code; weight, basis, population, names, official."""
    with _session(store, lang) as (tracker, say):
        days = _day(from_edition, _today()), _day(to_edition, _today())
        asked = (days[0].isoformat(), days[1].isoformat())
        before = {(k.from_edition, k.to_edition): k for k in tracker.boundaries.kept_crosswalks()}
        kept = tracker.add_crosswalk(file, *days, _now())
        if as_json:
            return _print_json({"from": kept.from_edition, "to": kept.to_edition, **kept.findings})
        typer.echo(say("crosswalk.added", earlier=days[0], later=days[1]))
        old = before.get(asked)
        if old is not None and old.number == kept.number:
            typer.echo(say("import.nothing_new"))
        elif old is not None:
            typer.echo(say("crosswalk.replaced", source=old.source, pairs=old.findings["pairs"]))
        for line in crosswalk_lines(kept.findings, say):
            typer.echo(f"  - {line}")
        return None


@crosswalk_app.command("list")
def crosswalk_list(
    store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi", as_json: JsonOption = False
) -> None:
    """List the crosswalks in force."""
    with _session(store, lang) as (tracker, say):
        kept = tracker.boundaries.kept_crosswalks()
        if as_json:
            return _print_json(
                [{"from": k.from_edition, "to": k.to_edition, **k.findings} for k in kept]
            )
        for each in kept:
            typer.echo(f"{each.from_edition} → {each.to_edition}  {each.source}")
            for line in crosswalk_lines(each.findings, say):
                typer.echo(f"  - {line}")
        if not kept:
            typer.echo(say("crosswalk.none"))
        return None


@crosswalk_app.command("carried")
def crosswalk_carried(
    edition: Annotated[
        str | None, typer.Option(help="On which boundaries; default: the newest.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Say what of all counts stands on an edition: exact, estimated, left behind by name."""
    with _session(store, lang) as (tracker, say):
        day = _day(edition, date.max)
        boundaries = tracker.boundaries
        on = boundaries.near(day) if edition is None else boundaries.named(day.isoformat())
        carried = tracker.carried(on)
        if as_json:
            return _print_json(
                {
                    "edition": carried.edition, "total": carried.total,
                    "carried": carried.carried_total, "estimated": carried.estimated_total,
                    "behind": carried.behind_total,
                    "estimated_wards": _records(carried.estimated, index="ward"),
                    "behind_wards": carried.behind().to_dict("records"),
                }
            )  # fmt: skip
        title = date.fromisoformat(carried.edition)
        typer.echo(say("boundaries_page.carried", edition=title))
        for name, number in carried_numbers(carried, say).items():
            typer.echo(f"  {say(f'boundaries_page.{name}')}: {number}")
        for key, cells in (
            ("estimated_wards", estimated_cells(carried, say)),
            ("behind_wards", behind_cells(carried, say)),
        ):
            if cells.rows:
                heading = say(f"boundaries_page.{key}", count=len(cells.rows))
                _print_grid(cells.headers, cells.rows, heading)
        return None


@app.command()
def ward(
    text: Annotated[str, typer.Argument(help="Code or name.")],
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Find wards by code or name on all boundaries, and tell their history."""
    with _session(store, lang) as (tracker, say):
        found = tracker.boundaries.find(text)
        wards = list(found[["code", "edition", "match"]].itertuples(index=False, name=None))
        if as_json:
            return _print_json(
                [
                    {"match": match, **asdict(tracker.lineage(code, edition))}
                    for code, edition, match in wards
                ]
            )
        if not wards:
            typer.echo(say("boundaries_page.found_none", text=text))
        for code, edition, match in wards:
            lineage = tracker.lineage(code, edition)
            name = say.ward(lineage.kind, lineage.name)
            day = say("app.edition", edition=date.fromisoformat(edition))
            similar = f" · {say('boundaries_page.similar')}" if match == "similar" else ""
            typer.echo(f"{code}  {name}  · {day}{similar}")
            for line in lineage_lines(lineage, say):
                typer.echo(f"       {line}")
        return None


@programme_app.command("add")
def programme_add(
    file: Path, store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi"
) -> None:
    """Check a programme file and put it in force."""
    with _session(store, lang, create=True) as (tracker, say):
        programme = tracker.add_programme(_read_text(file), _now())
        typer.echo(say("cli.programme_added", name=programme.name.of(lang)))


def _import_command(kind: FileKind) -> None:
    """Add the command that brings in files of one kind: they differ in nothing else."""

    def bring_in(
        file: Path,
        mapping: MappingOption = None,
        edition: EditionOption = None,
        drop: DropOption = None,
        keep: KeepOption = None,
        replace: ReplaceOption = "",
        in_part: InPartOption = False,
        dry_run: DryRunOption = False,
        rejected: RejectedOption = None,
        encoding: EncodingOption = None,
        sheet: SheetOption = None,
        header_row: HeaderOption = None,
        crs: CrsOption = None,
        store: StoreOption = DEFAULT_STORE,
        lang: LanguageOption = "vi",
        as_json: JsonOption = False,
    ) -> None:
        text = None if mapping is None else _read_text(mapping)
        with _session(store, lang) as (tracker, say), _shown_progress(file) as progress:
            trial = tracker.import_file(
                file, kind, today=_today(), now=_now(), mapping=text, edition=_edition(edition),
                dropped=drop or (), kept=_reasons_to_keep(keep or ()), replaces=replace,
                only_try=dry_run, in_part=in_part, progress=progress,
                wish=Wish(encoding=encoding, sheet=sheet, header_row=header_row, crs=crs),
            )  # fmt: skip
            _print_trial(trial, say, as_json, rejected, tried=dry_run)

    bring_in.__doc__ = _IMPORT_HELP[kind]
    import_app.command(str(kind))(bring_in)


_IMPORT_HELP = {
    FileKind.INCIDENTS: "Bring in incidents, one row each, as points or with a ward code.",
    FileKind.COUNTS: "Bring in monthly counts: ward, month, category, count.",
    FileKind.STATUS: "Bring in events: hotspot, event, on; ward, plan_year, kinds (1+3), note, by.",
    FileKind.INDICATORS: "Bring in values of the plan's indicators: period, indicator, value.",
    FileKind.SCORECARDS: "Bring in scorecards: hotspot, criterion, on, value.",
    FileKind.POPULATIONS: "Bring in residents: ward, year, population.",
}
for _kind in _IMPORT_HELP:
    _import_command(_kind)


@export_app.command("counts")
def export_counts(
    file: Path,
    first: Annotated[str, typer.Option("--from", help="First month, 2025-01.")],
    last: Annotated[str, typer.Option("--to", help="Last month, 2025-12.")],
    public: Annotated[
        bool, typer.Option("--public", help="Leave out small counts, and what would tell them.")
    ] = False,
    least: Annotated[int, typer.Option(help="Smallest count that is shown to the public.")] = 5,
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Write counts by ward and category as a workbook; who took it stands in the log."""
    if least < 2:
        raise typer.BadParameter(f"--least {least}: allowed are 2 and more.")
    with _session(store, lang) as (tracker, say):
        day = _day(as_of, tracker.default_day(_today()))
        content = tracker.export_counts(
            _month(first), _month(last), as_of=day, now=_now(),
            language=lang, least=least if public else None,
        )  # fmt: skip
        _write_bytes(file, content)
        typer.echo(say("cli.report_written", file=file, kb=len(content) // 1024 + 1))


@import_app.command("look")
def import_look(
    file: Path,
    kind: Annotated[FileKind | None, typer.Option(help="Default: guessed.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the guessed mapping here.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take suggested categories, sources and wards.")
    ] = False,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
    header_row: HeaderOption = None,
    crs: CrsOption = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Say what a file holds and what its columns seem to be; nothing is kept of it."""
    wish = Wish(encoding=encoding, sheet=sheet, header_row=header_row, crs=crs)
    with _session(store, lang) as (tracker, say), _shown_progress(file) as progress:
        upload = tracker.open_upload(file, today=_today(), kind=kind, wish=wish, progress=progress)
        with upload.reading:
            if save is not None:
                _write_text(save, to_toml(mapping_of(upload, wish, accept=accept)))
            if as_json:
                return _print_json(_upload_as_data(upload))
            for line in upload_lines(upload, say):
                typer.echo(line)
            if save is not None:
                typer.echo(say("import.mapping_written", file=save))
        return None


@import_app.command("template")
def import_template(kind: FileKind, file: Path, lang: LanguageOption = "vi") -> None:
    """Write a file of a kind to fill in (.xlsx or .csv)."""
    say = _texts(lang)
    table = template(kind)
    csv = file.suffix.lower() == ".csv"
    sheet = say(f"file_kind.{kind}")
    _write_bytes(file, csv_bytes(table) if csv else xlsx_bytes({sheet: table}))
    typer.echo(say("cli.report_written", file=file, kb=file.stat().st_size // 1024 + 1))


@import_app.command("list")
def import_list(
    store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi", as_json: JsonOption = False
) -> None:
    """List what has been brought in, newest first."""
    with _session(store, lang) as (tracker, say):
        batches = tracker.imports()
        if as_json:
            return _print_json(
                [
                    {
                        "batch": batch.batch, "kind": batch.kind, "source": batch.source,
                        "recorded_at": batch.recorded_at, "rows": batch.rows,
                        "accepted": batch.accepted, "rejected": batch.rejected,
                        "sha256": batch.file_sha256, "replaces": bool(batch.replaces),
                    }
                    for batch in batches
                ]
            )  # fmt: skip
        table = import_cells(batches, say)
        _print_grid(table.headers, table.rows, say("data.imports"))
        return None


@app.command()
def record(
    hotspot: str,
    event: EventType,
    on: Annotated[
        str | None, typer.Option(help="Day it happened, 2025-10-20; not needed to strike out.")
    ] = None,
    note: Annotated[str, typer.Option()] = "",
    by: Annotated[str, typer.Option()] = "",
    ward: Annotated[str | None, typer.Option(help="Ward code, for a new hotspot.")] = None,
    edition: Annotated[
        str | None, typer.Option(help="Boundary edition of the ward; default: by the day.")
    ] = None,
    plan_year: Annotated[int | None, typer.Option()] = None,
    kinds: Annotated[str, typer.Option(help="For a new hotspot, 1+3.")] = "",
    corrects: Annotated[
        str | None, typer.Option(help="For Corrected: id of the event to correct.")
    ] = None,
    strike: Annotated[bool, typer.Option(help="For Corrected: strike the event out.")] = False,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Record one event of a hotspot."""
    with _session(store, lang) as (tracker, say):
        if on is None and not strike:
            raise typer.BadParameter("--on DATE", param_hint="--on")
        if event in DECISIONS:
            raise typer.BadParameter("approve, send-back, take-back", param_hint="EVENT")
        day, author = _day(on, _today()), by or getpass.getuser()
        if event is EventType.CORRECTED:
            written = tracker.correct(
                hotspot, corrects or "", by=author, now=_now(), today=_today(),
                reason=note, on=None if on is None else day, plan_year=plan_year, strike=strike,
            )  # fmt: skip
        else:
            entry = Entry(
                hotspot=hotspot, event=event, on=day, by=author, recorded_at=_now(), note=note,
                plan_year=plan_year, ward=ward, edition=_edition(edition), kinds=_kinds(kinds),
            )  # fmt: skip
            written = tracker.record(entry, today=_today())
        named = say(f"event.{event}")
        on_day = written.effective_on
        typer.echo(say("cli.recorded", event=named, hotspot=hotspot, on=on_day, seq=written.seq))
        typer.echo(f"  {written.event_id}")
        if written.needs_approval:
            typer.echo(say("approvals.waits"))


@app.command("log")
def show_log(
    hotspot: str,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """List the events of a hotspot as written, with the ids that a correction names."""
    with _session(store, lang) as (tracker, say):
        events = tracker.hotspot(hotspot, _today()).log
        if as_json:
            return _print_json(
                [
                    {
                        "number": event.seq, "id": event.event_id, "event": event.type,
                        "on": event.effective_on, "recorded_at": event.recorded_at,
                        "by": event.recorded_by, "note": event.note, "corrects": event.corrects,
                        "plan_year": event.plan_year, "evidence": dict(event.evidence),
                    }
                    for event in events
                ]
            )  # fmt: skip
        for event in events:
            typer.echo(
                f"{event.seq:>5}  {event.event_id}  {say.day(event.effective_on)}  "
                f"{say(f'event.{event.type}')}  {event.recorded_by}  {event.note}"
            )
            for line in proposal_lines(event, tracker.programme(), say):
                typer.echo(f"       {line}")
        return None


@app.command()
def status(
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Say the status of every hotspot on a day."""
    with _session(store, lang) as (tracker, say):
        day = _day(as_of, tracker.default_day(_today()))
        table = tracker.snapshot(day).hotspots
        columns = ["name", "ward", "edition", "plan_year", "status", "since", "watched_until"]
        if as_json:
            return _print_json({"as_of": day, "hotspots": _records(table[columns])})
        shown = table[columns].assign(status=[say(f"status.{s}") for s in table["status"]])
        names = {"name": "hotspot", "ward": "ward_code"}
        _print_table(shown, say, names, title=say("cli.lists", count=len(table), day=day))
        _say_if_simulated(tracker, say)
        return None


@app.command()
def targets(
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Measure the two targets on a day."""
    with _session(store, lang) as (tracker, say):
        day = _day(as_of, tracker.default_day(_today()))
        snapshot, outlook = tracker.snapshot(day), tracker.outlook(day)
        if as_json:
            return _print_json(
                {
                    "as_of": day,
                    **facts(outlook),
                    "transformed": {y: _plain(r) for y, r in snapshot.transformed.items()},
                    "not_relapsed": _plain(snapshot.official),
                    "cohorts": {y: _plain(r) for y, r in snapshot.cohorts.items()},
                }
            )
        typer.echo(say("report.as_of", day=day))
        for year, result in snapshot.transformed.items():
            typer.echo(_headline(say("target.transformed_year", year=year), result, say))
        typer.echo(_headline(say("target.not_relapsed"), snapshot.official, say))
        for line in outlook_lines(outlook, snapshot.programme, say):
            typer.echo(line)
        _say_if_simulated(tracker, say)
        return None


@app.command()
def risk(
    as_of: AsOfOption = None,
    known_on: KnownOnOption = None,
    horizon: Annotated[int, typer.Option(help="Months ahead: 3, 6 or 12.")] = 6,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="How right it would have been in the past.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Say which watched hotspots may relapse, and why; or how far to trust that."""
    if horizon not in HORIZONS:
        raise typer.BadParameter("3, 6 or 12", param_hint="--horizon")
    with _session(store, lang) as (tracker, say):
        day = _day(as_of, tracker.default_day(_today()))
        known = None if known_on is None else _day(known_on, day)
        snapshot = tracker.snapshot(day, known)
        if backtest:
            return _print_card(tracker.model_card(day, known), snapshot, say, as_json)
        board = tracker.alarms(day, known)
        if snapshot.risk_problem is not None and not board.findings:
            raise snapshot.risk_problem
        if as_json:
            return _print_json(_risk_as_data(snapshot, board, horizon))
        _print_risk(snapshot, board, horizon, say)
        _say_if_simulated(tracker, say)
        return None


def _risk_as_data(snapshot: Snapshot, board: AlarmBoard, horizon: int) -> dict[str, object]:
    """Return the measured hotspots, the most at risk first, with reasons and alarms."""
    plain = ["name", "ward", "edition", "alarm", "level", "threshold", "points"]
    columns = [*plain, *(f"p{months}" for months in HORIZONS)]
    table = ranked(snapshot, horizon)
    rows = _records(table[columns].assign(rank=table["risk_rank"]))
    for row in rows:
        hotspot = str(row["hotspot"])
        shown = snapshot.reasons(hotspot)
        row["reasons"] = [reason_data(each) for each in shown]
        row["alarms"] = [finding_data(each) for each in board.of(hotspot)]
    return {
        "as_of": snapshot.as_of,
        "horizon": horizon,
        "watched": rows,
        "not_measured": {name: error.reason for name, error in snapshot.not_measured.items()},
        "standing": {name: standing_data(each) for name, each in snapshot.calibrated.items()},
        "alarms": [{"hotspot": each.hotspot, **finding_data(each)} for each in board.findings],
    }


def _print_risk(snapshot: Snapshot, board: AlarmBoard, horizon: int, say: Texts) -> None:
    typer.echo(say("report.as_of", day=snapshot.as_of))
    if snapshot.risk_problem is not None:
        problem = say.error(snapshot.risk_problem)
        typer.echo(say("overview.at_risk_problem", problem=problem))
    for line in (
        *standing_lines(snapshot, say),
        *doubt_lines(snapshot, say),
        *not_measured_lines(snapshot, say),
    ):
        typer.echo(line)
    table = ranked(snapshot, horizon)
    opened = open_alarms(board)
    typer.echo(say("risk.console_open", count=sum(map(len, opened.values()))))
    if table.empty:
        typer.echo(say("overview.at_risk_nobody"))
    for hotspot, row in zip(table.index, _records(table), strict=True):
        level = say(f"alarm.{row['alarm']}") if row["alarm"] else ""
        cell = risk_cell_line(snapshot.row(hotspot), horizon, say)
        typer.echo(f"{cell:>9}  {level:<12} {row['name']} ({hotspot})")
        for line in reason_lines(snapshot, hotspot, say):
            typer.echo(f"        - {line}")
        for finding in opened.get(hotspot, ()):
            typer.echo(f"        ! {alarm_line(finding, say)}")
    for hotspot, findings in opened.items():  # alarms of those whose risk could not be measured
        for finding in findings if hotspot not in table.index else ():
            typer.echo(f"! {snapshot.row(hotspot)['name']} ({hotspot}): {alarm_line(finding, say)}")
    changed = feedback_lines(snapshot, board, say)
    for line in (say("risk.feedback_caption"), *changed) if changed else ():
        typer.echo(line)


def _print_card(card: ModelCard, snapshot: Snapshot, say: Texts, as_json: bool) -> None:
    """Print how far the probabilities are to be trusted."""
    if as_json:
        return _print_json(card_data(card))
    typer.echo(say("report.as_of", day=card.as_of))
    for line in (
        *standing_lines(snapshot, say),
        *doubt_lines(snapshot, say),
        *verdict_lines(card, say),
    ):
        typer.echo(line)
    for line in record_lines(card, say):
        typer.echo(line)
    if not sources_tested(card):
        typer.echo(say("risk.tested_nothing"))
    for title, cells in card_tables(card, say):
        _print_grid(cells.headers, cells.rows, title=title)
    typer.echo(settings_line(snapshot.programme.alarms, say))
    return None


@app.command()
def acknowledge(
    hotspot: str,
    note: Annotated[str, typer.Option(help="Needed: what is done about it.")] = "",
    code: Annotated[
        list[str] | None,
        typer.Option(help="Which alarm: risk, cusum ...; may be repeated; default: all open."),
    ] = None,
    on: Annotated[str | None, typer.Option(help="Day of the alarms, 2025-10-20.")] = None,
    by: Annotated[str, typer.Option()] = "",
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Record that alarms of a hotspot have been seen, and what is done about them."""
    with _session(store, lang) as (tracker, say):
        day = _day(on, tracker.default_day(_today()))
        names = tracker.snapshot(day).hotspots["name"].to_dict()
        codes = tuple(code or codes_to_acknowledge(tracker.alarms(day), hotspot))
        written = tracker.acknowledge(
            hotspot, codes, note, on=day, by=by or getpass.getuser(), today=_today(), now=_now()
        )
        count, author = len(set(codes)), written.recorded_by
        typer.echo(say("risk.acknowledged", count=count, name=names[hotspot], on=day, by=author))
        typer.echo(f"  {written.event_id}")


@app.command()
def effect(
    as_of: AsOfOption = None,
    known_on: KnownOnOption = None,
    placebo: Annotated[
        bool, typer.Option(help="Try the methods where nothing was done: how often are they wrong?")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Say whether it worked: counted against expected without the programme."""
    with _session(store, lang) as (tracker, say):
        day = _day(as_of, tracker.default_day(_today()))
        if placebo:
            tried = tracker.effect_placebo(day)
            if as_json:
                shares = placebo_shares(tried) if len(tried) else {}
                return _print_json({"as_of": day, "designations": len(tried), "shares": shares})
            for line in placebo_lines(tried, say):
                typer.echo(line)
            return None
        known = None if known_on is None else _day(known_on, day)
        found = tracker.effect(day, known)
        assessed = [each for all_ in tracker.assessments(day, known).values() for each in all_]
        if as_json:
            beside = [asdict(each) for each in assessed]
            return _print_json({**as_data(found), "assessments": beside})
        typer.echo(say("report.as_of", day=day))
        typer.echo(f"{say('effect.title')} {say(f'effect.{found.programme.verdict}')}")
        problems = effect_problem_lines(found, tracker.snapshot(day, known), say)
        for line in (*programme_lines(found, say), *problems):
            typer.echo(line)
        table = effect_cells(found, say)
        if table.rows:
            _print_grid(table.headers, table.rows, title=say("effect.each"))
        if assessed:
            typer.echo(assessments_line(assessed, say))
            beside_cells = assessment_cells(assessed, tracker.snapshot(day, known), say)
            title = say("effect.assessments_title")
            _print_grid(beside_cells.headers, beside_cells.rows, title=title)
        _say_if_simulated(tracker, say)
        return None


CountOption = Annotated[
    int | None, typer.Option(help="How many wards; default: the programme's.", min=1)
]
KindOption = Annotated[
    int | None, typer.Option(help="Rank by the categories of this kind of hotspot only.")
]
PresetOption = Annotated[
    str | None, typer.Option(help="Weights saved under this name; default: the level alone.")
]
RulesOption = Annotated[
    Path | None,
    typer.Option(help="TOML file with rules of the choice; the programme's others stay."),
]


@app.command()
def select(
    year: Annotated[int, typer.Option(help="Plan year to choose for.")],
    count: CountOption = None,
    kind: KindOption = None,
    preset: PresetOption = None,
    rules: RulesOption = None,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Try the weights on the store's own past.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the choice to this workbook too, .xlsx.")
    ] = None,
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Choose wards for a plan year, with rank, interval and reasons."""
    with _session(store, lang) as (tracker, say):
        day = _day(as_of, tracker.default_day(_today()))
        question = _question(tracker, year, count, kind, preset, rules)
        if backtest:
            return _print_backtest(tracker, question, day, say, as_json)
        if out is not None:
            if out.suffix.lower() != ".xlsx":
                raise typer.BadParameter(f"{out} is not named as a workbook; end it in .xlsx.")
            content = tracker.export_selection(question, day, now=_now(), language=lang)
            _write_bytes(out, content)
            written = say("cli.report_written", file=out, kb=len(content) // 1024 + 1)
            typer.echo(written, err=as_json)
        return _print_selection(tracker, tracker.choose(question, day), say, as_json)


@app.command()
def propose(
    year: Annotated[int, typer.Option(help="Plan year to propose for.")],
    wards: Annotated[
        list[str] | None, typer.Argument(help="Ward codes; default: the wards that select names.")
    ] = None,
    count: CountOption = None,
    kind: KindOption = None,
    preset: PresetOption = None,
    rules: RulesOption = None,
    kinds: Annotated[str, typer.Option(help="Of the new hotspots, 1+3.")] = "",
    by: Annotated[str, typer.Option()] = "",
    on: Annotated[str | None, typer.Option(help="Day of the proposal, 2025-10-20.")] = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Propose wards for a plan year; rank and reasons of the day are kept with the proposals."""
    with _session(store, lang) as (tracker, say):
        day = _day(on, tracker.default_day(_today()))
        question = _question(tracker, year, count, kind, preset, rules)
        chosen = wards or _chosen(tracker, question, day, say)
        written, refused = tracker.propose(
            chosen, year, day, by=by or getpass.getuser(), today=_today(), now=_now(),
            kinds=_kinds(kinds), question=question,
        )  # fmt: skip
        typer.echo(say("selection.proposed", count=str(len(written))))
        for event in written:
            typer.echo(f"  {event.hotspot}  {event.event_id}")
        for ward, error in refused.items():
            typer.echo(say("selection.refused", ward=ward, problem=say.error(error)), err=True)
        if any(event.needs_approval for event in written):
            typer.echo(say("approvals.waits"))
        if refused:
            raise typer.Exit(1)


def _chosen(tracker: Tracker, question: Question, day: date, say: Texts) -> list[str]:
    """Return the list that keeps to the rules; end with the rules that clash, if they do."""
    selection = tracker.choose(question, day)
    if selection.choice.clash:
        _print_clash(selection, tracker.programme(), say)
        raise typer.Exit(1)
    return list(selection.choice.wards)


def _question(
    tracker: Tracker,
    year: int,
    count: int | None,
    kind: int | None,
    preset: str | None,
    rules: Path | None,
) -> Question:
    """Put together what is asked: the programme's rules or the file's, the weights of a name."""
    asked = tracker.question(year)
    if rules is not None:
        given = read_constraints(as_table(asked.constraints) | _read_toml(rules))
        programme = tracker.programme()
        if problems := unknown_names(given, programme.kinds, programme.units):
            raise invalid_rules(problems)
        asked = replace(asked, constraints=given)
    if count is not None:
        asked = replace(asked, constraints=replace(asked.constraints, count=count))
    if preset is not None:
        asked = replace(asked, weights=tracker.preset(preset).weights)
    return replace(asked, kind=kind)


def _read_toml(file: Path) -> dict[str, object]:
    """Return the table of the rules: [selection], or the whole file."""
    try:
        data = tomllib.loads(_read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise typer.BadParameter(f"{file} is not TOML: {error}") from error
    inner = data.get("selection", data)
    return {k: v for k, v in inner.items() if k != "presets"} if isinstance(inner, dict) else data


def _print_selection(tracker: Tracker, selection: Selection, say: Texts, as_json: bool) -> None:
    programme, names = tracker.programme(), selection.names
    chosen = list(selection.choice.wards)
    missing = [names[ward] for ward in selection.not_ranked]
    if as_json:
        left = [
            {"ward": ward, "name": names.get(ward, ward), "reasons": reasons_data(reasons)}
            for ward, reasons in selection.choice.reasons.items()
            if ward not in chosen
        ]
        _print_json(
            {
                "year": selection.question.year,
                "as_of": selection.as_of,
                "edition": selection.edition,
                "kind": selection.question.kind,
                "weights": selection.question.weights_in_use,
                "share_without_noise": selection.share_without_noise,
                "constraints": as_table(selection.question.constraints),
                "wards": choice_data(selection, chosen),
                "left_out": left,
                "clash": reasons_data(selection.choice.clash),
                "not_ranked": sorted(missing),
            }
        )
    else:
        typer.echo(say("report.as_of", day=selection.as_of))
        asked = selection.question
        for line in (
            *question_lines(selection, programme, say),
            *tracker.past_warning(asked, selection.as_of, say),
        ):
            typer.echo(line)
        if missing:
            listed = ", ".join(missing)
            typer.echo(say("selection.not_ranked", count=len(missing), names=listed))
        for ward in chosen:
            row = {str(k): v for k, v in selection.table.loc[ward].to_dict().items()}
            typer.echo(f"{interval_text(row, say):>16}  {row['name']} ({ward})")
            for sentence in choice_reasons(selection, ward, programme, say):
                typer.echo(f"       - {sentence}")
        for ward, reasons in selection.choice.reasons.items():
            if ward not in chosen:
                said = " ".join(reason_line(each, names, programme, say) for each in reasons)
                typer.echo(f"  ×  {names.get(ward, ward)} ({ward}): {said}")
        _print_clash(selection, programme, say)
        _say_if_simulated(tracker, say)
    if selection.choice.clash:
        raise typer.Exit(1)


def _print_clash(selection: Selection, programme: Programme, say: Texts) -> None:
    if selection.choice.clash:
        what, rules = clash_lines(selection, programme, say)
        typer.echo(what, err=True)
        for line in rules:
            typer.echo(f"  - {line}", err=True)


def _print_backtest(
    tracker: Tracker, question: Question, day: date, say: Texts, as_json: bool
) -> None:
    found = tracker.selection_backtest(day, question)
    if as_json:
        return _print_json(
            {
                "as_of": day,
                "count": question.constraints.count,
                "weights": question.weights_in_use,
                "mean": _records(found.mean, index="method"),
                "years": _records(found.years.reset_index(drop=True), index="row"),
                "verdict": reasons_data([found.verdict])[0],
                "warning": found.is_warning,
                "judged": found.is_judged,
                "notes": reasons_data(found.notes),
            }
        )
    for table in (backtest_cells(found, say), backtest_years(found, say)):
        _print_grid(table.headers, table.rows, title=say("selection.tab_past"))
    for line in backtest_lines(found, tracker.programme(), say):
        typer.echo(line)
    _say_if_simulated(tracker, say)
    return None


@app.command("crime-groups")
def show_crime_groups(
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Say in which of the four groups each category of crime stands in each ward."""
    with _session(store, lang) as (tracker, say):
        day = _day(as_of, tracker.default_day(_today()))
        found = tracker.crime_groups(day)
        listed = tracker.boundaries.names(tracker.edition_on(day).edition)["name"]
        names = {str(code): str(name) for code, name in listed.items()}
        if as_json:
            return _print_json(
                {
                    "as_of": day,
                    "rule": asdict(found.rule),
                    "groups": _records(found.table, index="row"),
                    "newly_seen": _records(found.newly_seen, index="row"),
                }
            )
        programme = tracker.programme()
        typer.echo(say("report.as_of", day=day))
        matrix = found.matrix
        headers = (
            say("column.ward"), *(category_name(code, programme, say) for code in matrix.columns),
        )  # fmt: skip
        rows = [
            (str(names.get(ward, ward)), *(say(f"crime_group.{group}") for group in groups))
            for ward, *groups in matrix.itertuples()
        ]
        _print_grid(headers, rows, title=say("selection.tab_groups"))
        new = newly_seen_cells(found, names, programme, say)
        if new.rows:
            _print_grid(new.headers, new.rows, title=say("selection.newly_seen"))
        for line in group_rule_lines(found.rule, say):
            typer.echo(line)
        _say_if_simulated(tracker, say)
        return None


@app.command()
def report(
    kind: Annotated[str, typer.Argument(help="programme, hotspot or ward.")],
    which: Annotated[str, typer.Argument(help="Id of the hotspot or code of the ward.")] = "",
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    as_of: AsOfOption = None,
    known_on: KnownOnOption = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Write one self-contained HTML file."""
    if kind not in ("programme", "hotspot", "ward"):
        raise typer.BadParameter("programme, hotspot or ward", param_hint="KIND")
    with _session(store, lang) as (tracker, say):
        day = _day(as_of, tracker.default_day(_today()))
        page = tracker.export(
            kind, which, as_of=day, made_on=_today(), language=lang, now=_now(),
            known_on=None if known_on is None else _day(known_on, day),
        )  # fmt: skip
        out.write_text(page, encoding="utf-8")
        _anchored(tracker, str(out))
        typer.echo(say("cli.report_written", file=out, kb=len(page.encode()) // 1024))


# -- the second person


@app.command("pending")
def show_pending(
    store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi", as_json: JsonOption = False
) -> None:
    """List what waits for a second person's approval."""
    with _session(store, lang) as (tracker, say):
        waiting = tracker.pending()
        if as_json:
            return _print_json(
                [
                    {
                        "id": event.event_id, "hotspot": event.hotspot, "event": event.type,
                        "on": event.effective_on, "by": event.recorded_by, "note": event.note,
                    }
                    for event in waiting
                ]
            )  # fmt: skip
        for event in waiting:
            typer.echo(
                f"{event.event_id}  {event.hotspot}  {say.day(event.effective_on)}  "
                f"{say(f'event.{event.type}')}  {event.recorded_by}  {event.note}"
            )
        if not waiting:
            typer.echo(say("approvals.none"))
        return None


@app.command()
def approve(
    event_id: str,
    note: Annotated[str, typer.Option()] = "",
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Approve what somebody else recorded."""
    with _session(store, lang) as (tracker, say):
        _decide(tracker.approve, event_id, note, "approvals.approved", say)


@app.command("send-back")
def send_back(
    event_id: str,
    note: Annotated[str, typer.Option(help="Why.")],
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Send back what somebody else recorded, with the reason."""
    with _session(store, lang) as (tracker, say):
        _decide(tracker.send_back, event_id, note, "approvals.sent_back", say)


@app.command("take-back")
def take_back(
    event_id: str, store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi"
) -> None:
    """Take back an own entry that still waits."""
    with _session(store, lang) as (tracker, say):
        _decide(tracker.take_back, event_id, "", "approvals.taken_back", say)


def _decide(decide: Callable[..., Event], event_id: str, note: str, said: str, say: Texts) -> None:
    done = decide(event_id, by=getpass.getuser(), today=_today(), now=_now(), note=note)
    typer.echo(say(said, hotspot=done.hotspot, by=done.recorded_by))


# -- users


@user_app.command("add")
def user_add(
    name: str,
    role: Annotated[Role, typer.Argument(help="What the person is to the programme.")],
    display_name: Annotated[str, typer.Option()] = "",
    ward: Annotated[
        list[str] | None, typer.Option(help="Own ward of an officer, CODE or CODE@EDITION.")
    ] = None,
    email: Annotated[str | None, typer.Option(help="For sign-in by an identity provider.")] = None,
    password: Annotated[bool, typer.Option(help="Ask for a password.")] = True,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Add a user; the first one must be an administrator."""
    with _session(store, lang) as (tracker, say):
        wards = [_ward_of_officer(text, tracker) for text in ward or []]
        added = tracker.add_user(
            name, role=role, display_name=display_name, wards=wards, email=email,
            password=_new_password(name, say) if password else None, now=_now(),
        )  # fmt: skip
        typer.echo(say("users.added", user=added.name, role=say(f"role.{added.role}")))


@user_app.command("passwd")
def user_passwd(name: str, store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi") -> None:
    """Set a password: one's own, or as an administrator anybody's."""
    with _session(store, lang) as (tracker, say):
        tracker.set_password(name, _new_password(name, say), now=_now())
        typer.echo(say("users.password_set", user=name))


@user_app.command("role")
def user_role(
    name: str,
    role: Role,
    ward: Annotated[list[str] | None, typer.Option(help="CODE or CODE@EDITION.")] = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Give a user another role or other wards; open sessions end."""
    with _session(store, lang) as (tracker, say):
        wards = None if ward is None else [_ward_of_officer(text, tracker) for text in ward]
        changed = tracker.change_user(name, role=role, wards=wards, now=_now())
        typer.echo(say("users.changed", user=name, role=say(f"role.{changed.role}")))


@user_app.command("disable")
def user_disable(
    name: str, store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi"
) -> None:
    """Disable a user; open sessions end at their next action."""
    with _session(store, lang) as (tracker, say):
        tracker.disable_user(name, now=_now())
        typer.echo(say("users.disabled", user=name))


@user_app.command("enable")
def user_enable(name: str, store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi") -> None:
    """Let a disabled user in again."""
    with _session(store, lang) as (tracker, say):
        tracker.enable_user(name, now=_now())
        typer.echo(say("users.enabled", user=name))


@user_app.command("list")
def user_list(
    store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi", as_json: JsonOption = False
) -> None:
    """List the users."""
    with _session(store, lang) as (tracker, say):
        found = tracker.users()
        if as_json:
            return _print_json([asdict(user) for user in found])
        for user in found:
            active = "" if user.active else f" ({say('users.inactive')})"
            typer.echo(f"{user.name}  {say(f'role.{user.role}')}  {user.display_name}{active}")
        return None


def _new_password(name: str, say: Texts) -> str:
    given = os.environ.get("HOTSPOTS_NEW_PASSWORD")
    if given:
        return given
    return str(
        typer.prompt(
            say("users.new_password", user=name), hide_input=True, confirmation_prompt=True
        )
    )


def _ward_of_officer(text: str, tracker: Tracker) -> tuple[str, str]:
    code, _, edition = text.partition("@")
    return code, edition or tracker.boundaries.near(date.max).edition


# -- proof


@app.command()
def verify(
    report: Annotated[Path | None, typer.Option(help="A report: is its head in this log?")] = None,
    anchors: Annotated[
        Path | None, typer.Option(envvar="HOTSPOTS_ANCHORS", help="File of earlier heads.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """Prove the log: chain, moves, files, and that known heads are in it; exit 1 if broken."""
    with _session(store, lang) as (tracker, say):
        known = [] if anchors is None or not anchors.exists() else read_anchors(anchors)
        if report is not None:
            known.append(head_of_report(_read_text(report)))
        found = tracker.verify(known)
        if as_json:
            _print_json(
                {
                    "events": found.events, "streams": found.streams, "hash": found.head.hash,
                    "anchors": len(known),
                    "problems": [{"reason": p.reason, **p.facts} for p in found.problems],
                }
            )  # fmt: skip
        else:
            typer.echo(say("verify.events", count=found.events, streams=found.streams))
            typer.echo(say("verify.head", hash=found.head.hash))
            if known:
                typer.echo(say("verify.anchors", count=len(known)))
            for problem in found.problems:
                typer.echo(say("cli.error", problem=say.error(problem)), err=True)
            if not found.problems:
                typer.echo(say("verify.sound"))
        if found.problems:
            raise typer.Exit(1)


@app.command("anchors")
def write_anchor(
    file: Annotated[
        Path | None, typer.Option(envvar="HOTSPOTS_ANCHORS", help="Append to this file.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
) -> None:
    """Print the log's head, and append it to a file that may lie elsewhere."""
    with _session(store, lang) as (tracker, say):
        ended = tracker.log_head()
        typer.echo(f"{ended.count} {ended.hash}")
        if file is not None:
            tracker.anchor(file, _now(), tracker.store.name)
            typer.echo(say("verify.anchored", file=file))


def _anchored(tracker: Tracker, where: str) -> None:
    """Append the head to the file of anchors, if the installation has one."""
    file = os.environ.get("HOTSPOTS_ANCHORS")
    if file:
        tracker.anchor(Path(file), _now(), where)


@app.command("audit")
def show_audit(
    most: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 50,
    store: StoreOption = DEFAULT_STORE,
    lang: LanguageOption = "vi",
    as_json: JsonOption = False,
) -> None:
    """List who did what."""
    with _session(store, lang) as (tracker, say):
        found = tracker.audit(most)
        if as_json:
            return _print_json([asdict(each) for each in found])
        for each in found:
            typer.echo(
                f"{say.show(each.at.astimezone())}  {each.actor}  "
                f"{say(f'audit.{each.action}')}  {each.subject}"
            )
        return None


@app.command("backup")
def make_backup(
    file: Path, store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi"
) -> None:
    """Write the whole store into one file; others may go on working."""
    with _session(store, lang) as (tracker, say):
        made = tracker.backup(file, now=_now())
        typer.echo(say("store.backed_up", file=file, count=made.head.count, hash=made.head.hash))
        _anchored(tracker, str(file))


@app.command("restore")
def restore_backup(
    file: Path,
    to: Annotated[str, typer.Option("--to", help="Empty place: folder or postgresql+psycopg://…")],
    lang: LanguageOption = "vi",
) -> None:
    """Write a backup into an empty store, and verify it there."""
    say = _texts(lang)
    with _refusals(say):
        target = Store(to, create=True)
        try:
            found = restore(file, target)
            audit = Audit(
                AuditAction.RESTORED, getpass.getuser(), _now(), file.name,
                {"count": found.head.count, "hash": found.head.hash},
            )  # fmt: skip
            with target.database.writing() as connection:
                append_audit(connection, audit)
            name = target.name
        finally:
            target.close()
        typer.echo(say("store.restored", store=name, count=found.head.count, hash=found.head.hash))


@store_app.command("migrate")
def store_migrate(store: StoreOption = DEFAULT_STORE, lang: LanguageOption = "vi") -> None:
    """Bring a store of an older version up to this one."""
    say = _texts(lang)
    with _refusals(say):
        migrate(store)
    typer.echo(say("store.migrated"))


@store_app.command("copy")
def store_copy(
    source: Annotated[str, typer.Argument(help="Store to copy.")],
    target: Annotated[str, typer.Argument(help="Empty place: folder or postgresql+psycopg://…")],
    lang: LanguageOption = "vi",
) -> None:
    """Copy a store to another place or database, and verify it on arrival."""
    with _session(source, lang) as (tracker, say):
        tracker.access.require(Permission.BACKUP)  # before anything is made
        arrived = Store(target, create=True)
        try:
            found = tracker.copy_to(arrived, now=_now())
        finally:
            arrived.close()
        typer.echo(say("store.copied", count=found.events, hash=found.head.hash))


# -- the frame of every command


@contextmanager
def _session(store: str, lang: str, *, create: bool = False) -> Iterator[tuple[Tracker, Texts]]:
    """Open the store for a command, and close it."""
    say = _texts(lang)
    with _refusals(say):
        tracker = Tracker.open(store, create=create)
        try:
            yield _signed_in(tracker), say
        finally:
            tracker.store.close()


def _signed_in(tracker: Tracker) -> Tracker:
    """Return the store on behalf of the user named by --user, once the store has users."""
    name = _USER.get()
    if not tracker.has_users():
        return tracker
    if tracker.is_open_demonstration():
        return tracker.acting_as(name or DEMONSTRATION_USER)
    if name is None:
        raise NotAllowed("not_signed_in", "The store has users; name yours with --user.")
    password = os.environ.get("HOTSPOTS_PASSWORD")
    return tracker.sign_in(name, password or getpass.getpass(f"{name}: "), _now())


def _texts(lang: str) -> Texts:
    try:
        return texts(lang)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--lang") from error


@contextmanager
def _refusals(say: Texts) -> Iterator[None]:
    """Turn what the product refuses into a message and exit code 1."""
    try:
        yield
    except (HotspotsError, GeoError) as error:
        typer.echo(say("cli.error", problem=say.error(error)), err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:  # who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None
    except OSError as error:
        file, why = error.filename or "", error.strerror or error
        problem = say("cli.file_problem", file=file, problem=why)
        typer.echo(say("cli.error", problem=problem), err=True)
        raise typer.Exit(1) from error


def _today() -> date:
    return datetime.now(UTC).astimezone().date()


def _now() -> datetime:
    return datetime.now(UTC)


def _day(text: str | None, otherwise: date) -> date:
    if text is None:
        return otherwise
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise typer.BadParameter(f"{text!r} is not a day; write 2025-10-20 or 20/10/2025.")


def _edition(text: str | None) -> date | None:
    return None if text is None else _day(text, date.max)


def _kinds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("+") if part)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: write kinds as 1+3.") from error


def _month(text: str) -> str:
    """Read a month written 2025-10 or 10/2025."""
    found = re.fullmatch(r"(?:(?P<y>\d{4})-(?P<m>\d{1,2})|(?P<m2>\d{1,2})/(?P<y2>\d{4}))", text)
    if found is None or not 1 <= int(found["m"] or found["m2"]) <= 12:
        raise typer.BadParameter(f"{text!r} is not a month; write 2025-10 or 10/2025.")
    return f"{found['y'] or found['y2']}-{int(found['m'] or found['m2']):02d}"


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is not UTF-8 text.") from error


# -- printing


def _print_json(value: object) -> None:
    plain = _without_nan(value)
    typer.echo(json.dumps(plain, ensure_ascii=False, indent=2, default=_jsonable, allow_nan=False))


def _without_nan(value: Any) -> Any:
    """Return a value in which a number that does not exist is null."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _jsonable(value: Any) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, tuple | set | frozenset) else str(value)


def _records(table: pd.DataFrame, index: str = "hotspot") -> list[dict[str, Any]]:
    rows = table.rename_axis(index).reset_index().astype(object)
    records = rows.where(rows.notna(), None).to_dict("records")
    return [{str(name): value for name, value in record.items()} for record in records]


def _plain(result: TargetResult) -> dict[str, object]:
    return asdict(result)


def _print_table(table: pd.DataFrame, say: Texts, names: dict[str, str], *, title: str) -> None:
    grid = Table(title=title)
    grid.add_column(say("column.id"))
    for column in table.columns:
        grid.add_column(say(f"column.{names.get(column, column)}"))
    for name, row in table.iterrows():
        grid.add_row(str(name), *(_cell(value, say) for value in row))
    Console(width=None if sys.stdout.isatty() else 160).print(grid, markup=False)


def _print_grid(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """Print a finished table of text."""
    grid = Table(title=title)
    for header in headers:
        grid.add_column(header)
    for row in rows:
        grid.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160).print(grid, markup=False)


def _cell(value: object, say: Texts) -> str:
    missing = value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NaT
    return say.show(None if missing else value)


def _headline(name: str, result: TargetResult, say: Texts) -> str:
    line = say(
        "cli.headline",
        name=name,
        share=say.percent(result.share),
        numerator=result.numerator,
        denominator=result.denominator,
        verdict=say(f"verdict.{result.verdict}"),
        why=say(f"why.{result.why}"),
    )
    if result.interval is None:
        return line
    low, high = say.percent(result.interval.low), say.percent(result.interval.high)
    interval = say("target.interval", low=low, high=high)
    if result.count("open"):
        interval += f" ({say('target.interval_decided')})"
    return f"{line}\n    {interval}"


def _print_trial(
    trial: Trial, say: Texts, as_json: bool, rejected: Path | None, *, tried: bool
) -> None:
    """Say what became, or would become, of a file's rows."""
    receipt = trial.receipt
    if rejected is not None:
        table = rejected_table(trial, say)
        excel = rejected.suffix.lower() == ".xlsx"
        content = xlsx_bytes({say("import.rejected"): table}) if excel else csv_bytes(table)
        _write_bytes(rejected, content)
    if as_json:
        reasons = receipt.rejected["reason"].value_counts().to_dict()
        _print_json(
            {
                "source": receipt.source, "kind": str(trial.kind), "sha256": trial.sha256,
                "rows": receipt.rows, "accepted": receipt.accepted,
                "new": receipt.new, "already_there": receipt.already_there,
                "replaced": receipt.replaced, "tried": tried,
                "rejected": len(receipt.rejected), "reasons": reasons,
                "placed_on_earliest": receipt.placed_on_earliest,
                "warnings": [asdict(each) for each in trial.warnings],
            }
        )  # fmt: skip
    else:
        for line in trial_lines(trial, say):
            typer.echo(line)
        if tried:
            typer.echo(say("import.only_tried"))
    if receipt.rows and not receipt.accepted:
        raise typer.Exit(1)


def _upload_as_data(upload: Upload) -> dict[str, object]:
    reading, guess = upload.reading, upload.guess
    return {
        "file": reading.name, "sha256": reading.sha256, "format": reading.format,
        "rows": reading.rows, "columns": [upload.label(column) for column in reading.columns],
        "encoding": reading.encoding, "separator": reading.separator, "sheets": reading.sheets,
        "found": [{"code": each.code, **each.facts} for each in reading.found],
        "personal_data": [asdict(each) for each in upload.suspicions],
        "kind": str(guess.kind), "mapping": to_toml(guess.mapping),
        "questions": [asdict(each) for each in guess.questions],
        "unknown": {
            "categories": [asdict(each) for each in guess.unknown_categories],
            "sources": [asdict(each) for each in guess.unknown_sources],
            "wards": [asdict(each) for each in guess.unknown_wards],
        },
        "imported_before": [batch.recorded_at for batch in upload.earlier],
    }  # fmt: skip


def _reasons_to_keep(given: Sequence[str]) -> dict[str, str]:
    """Read COLUMN=REASON."""
    found = dict(each.partition("=")[::2] for each in given)
    if not all(reason.strip() for reason in found.values()):
        raise typer.BadParameter("--keep needs a reason: --keep 'COLUMN=why it is no person'.")
    return found


@contextmanager
def _shown_progress(file: Path) -> Iterator[Callable[[float], None] | None]:
    """Show how far a long file is, where somebody watches."""
    if not sys.stderr.isatty() or not file.is_file() or file.stat().st_size < _LONG_FILE:
        yield None
        return
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(file.name, total=1.0)
        yield lambda share: shown.update(task, completed=share)


_LONG_FILE = 5_000_000


def _write_text(file: Path, text: str) -> None:
    _write_bytes(file, text.encode())


def _write_bytes(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be written: {error.strerror}.") from error


def _cleaning_in_words(found: Any, say: Texts) -> str:
    if not found.get("cleaned"):
        return say("boundaries.clean")
    return say(
        "boundaries.cleaned",
        rings=len(found["invalid_rings"]),
        overlap=say.number(found["overlap_ha"], 4),
        gap=say.number(found["gap_ha"], 4),
        change=say.number(found["largest_area_change_ha"], 4),
    )


def _say_if_simulated(tracker: Tracker, say: Texts) -> None:
    if tracker.is_demonstration():
        typer.echo(say("app.simulated_long"))


if __name__ == "__main__":
    app()
