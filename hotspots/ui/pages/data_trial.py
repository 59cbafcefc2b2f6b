"""Steps 3 to 5 of bringing a file in: the dry run, the confirmation, the receipt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from geo.crosswalk import ReadCrosswalk
from geo.errors import GeoError
from geo.wards import ReadWards, drawing_copy, feature_collection
from hotspots.errors import HotspotsError
from hotspots.import_words import (
    reason_cells,
    receipt_lines,
    warning_line,
)
from hotspots.importing import Trial
from hotspots.measures.file_kinds import FileKind
from hotspots.measures.mapping import to_toml
from hotspots.reports.charts import places_chart
from hotspots.reports.html import Cells
from hotspots.reports.lineage import crosswalk_lines
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.pages import data_work
from hotspots.ui.pages.data_work import Done, Work

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LARGE_CHANGE_HA = 10.0
_VALUE_SHOWN = 120


# -- 3: the dry run


def run(work: Work, say: Texts) -> None:
    """Try the file; afterwards the page shows what it would do, or what is wrong with it."""
    st.button(
        say("data.cancel"),
        key=work.key("cancel"),
        on_click=data_work.drop,
        icon=":material/close:",
    )
    work.forget_trial()
    try:
        with data_work.shown_progress(say("data.trying")) as progress:
            _try(work, progress)
    except (HotspotsError, GeoError) as error:
        work.problem, work.stage = error, "look"
    else:
        work.problem, work.stage = None, "tried"
    st.rerun()


def _try(work: Work, progress: Any) -> None:
    tracker, decision = session.tracker(), work.decision
    if decision is None or (decision.edition is None and decision.kind in data_work.OF_BOUNDARIES):
        work.stage = "look"
    elif decision.kind is FileKind.BOUNDARIES:
        columns = decision.mapping.columns
        work.found = tracker.try_boundaries(
            work.content, work.name, decision.edition, code_column=columns["code"],
            name_column=columns["name"], crs=work.wish.crs,
        )  # fmt: skip
    elif decision.kind is FileKind.CROSSWALK:
        work.found = tracker.try_crosswalk(
            work.upload.reading, decision.earlier, decision.edition, decision.mapping
        )
    else:
        work.trial = tracker.try_upload(
            work.upload, decision, today=session.today(), now=session.now(), progress=progress
        )


def show(work: Work, say: Texts) -> None:
    """Draw what importing would do, and ask for the confirmation."""
    st.subheader(say("data.tried"))
    if work.problem is not None:
        widgets.problem(work.problem, say)
    if work.trial is not None:
        _figures(work.trial, work, say)
        trial = work.trial
        changes = bool(trial.staged or trial.replaces or trial.receipt.new)
    else:
        _boundaries(work, say)
        changes = True
    st.subheader(say("data.confirm_title"))
    st.markdown(say("data.nothing_written" if changes else "data.nothing_to_write"))
    if work.trial is not None and work.trial.in_part:
        st.warning(say("data.in_part_warning"), icon=":material/warning:")
        st.checkbox(say("data.in_part"), key=work.key("in_part"))
    with st.container(horizontal=True):
        st.button(
            say("data.confirm"),
            key=work.key("confirm"),
            type="primary",
            icon=":material/check:",
            on_click=_confirm,
            args=(work, say),
        )
        st.button(
            say("data.back"), key=work.key("back"), on_click=_back, args=(work,),
            icon=":material/arrow_back:",
        )  # fmt: skip
        st.button(
            say("data.cancel"), key=work.key("cancel"), on_click=data_work.drop,
            icon=":material/close:",
        )  # fmt: skip


def _figures(trial: Trial, work: Work, say: Texts) -> None:
    receipt = trial.receipt
    numbers = {
        "rows": receipt.rows,
        "accepted": receipt.accepted,
        "new": receipt.new,
        "there": receipt.already_there,
        "rejected": len(receipt.rejected),
    }
    if receipt.replaced:
        numbers["replaced"] = receipt.replaced
    for column, (name, number) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(
            say(f"data.number_{name}"), say.number(number), help=say(f"data.number_{name}_help")
        )
    remarks = [warning_line(each, say) for each in trial.warnings]
    if receipt.placed_on_earliest:
        remarks.append(say("import.earliest", count=receipt.placed_on_earliest))
    if receipt.on_sketch:
        remarks.append(say("import.sketch"))
    for remark in remarks:
        st.warning(widgets.plain(remark), icon=":material/warning:")
    _rejected(trial, work, say)
    if len(trial.changes):
        _by_month(trial.changes, say)
    if len(trial.points):
        _map(trial.points, say)


def _rejected(trial: Trial, work: Work, say: Texts) -> None:
    table = reason_cells(trial.receipt, say)
    if not table:
        st.success(say("data.none_rejected"), icon=":material/check:")
        return
    st.markdown(f"**{say('data.rejected', count=len(trial.receipt.rejected))}**")
    headers = ("data.how_many", "column.reason", "data.first_row", "data.first_value")
    rows = tuple(
        (say.number(count), reason, say.number(row), value[:_VALUE_SHOWN])
        for count, reason, row, value in table
    )
    widgets.cells(Cells(tuple(map(say, headers)), rows))

    tracker, now, language = session.tracker(), session.now, say.language

    def workbook() -> bytes:
        return tracker.export_rejected(trial, now=now(), language=language)

    st.download_button(
        say("data.download_rejected"),
        workbook,
        file_name=f"{Path(work.name).stem}-{say('data.rejected_file')}.xlsx",
        mime=_XLSX,
        icon=":material/download:",
        on_click="ignore",
        key=work.key("rejected"),
    )


def _by_month(changes: pd.DataFrame, say: Texts) -> None:
    st.markdown(f"**{say('data.changes')}**")
    shown = ["new", "replaced"] if changes["replaced"].any() else ["new"]
    names = {name: say(f"data.number_{name}") for name in shown}
    table = pd.DataFrame({say("chart.months"): changes["month"].map(say.month)})
    bars = {}
    for name, label in names.items():
        table[label] = changes[name].map(say.number)
        bar = f"{label} ▮"
        table[bar] = changes[name].astype(float)
        most = max(1.0, float(changes[shown].to_numpy().max()))
        bars[bar] = st.column_config.ProgressColumn(
            " ", format=" ", min_value=0.0, max_value=most, width="large"
        )
    st.dataframe(
        table, hide_index=True, width="stretch", column_config=bars,
        height=min(320, 38 + 35 * len(table)),
    )  # fmt: skip


def _map(points: pd.DataFrame, say: Texts) -> None:
    st.markdown(f"**{say('data.map')}**")
    st.caption(say("data.map_note", shown=len(points)))
    st.altair_chart(places_chart(points, _outlines(), say), width="stretch", theme=None)


def _outlines() -> Sequence[Mapping[str, Any]]:
    """Return the newest boundaries as they are drawn: GeoJSON features."""
    editions = session.tracker().editions()
    if not editions:
        return ()
    collection = json.loads(editions[-1].drawing_file.read_text("utf-8"))
    features: Sequence[Mapping[str, Any]] = collection["features"]
    return features


def _boundaries(work: Work, say: Texts) -> None:
    """Show what was found in a file of boundaries or a crosswalk."""
    if isinstance(work.found, ReadCrosswalk):
        widgets.reasons(crosswalk_lines(asdict(work.found.findings), say))
        return
    if not isinstance(work.found, ReadWards):
        return
    found = work.found.findings
    lines = [say("data.wards_read", count=found.units), _cleaning(work.found, say)]
    if found.islands:
        lines.append(say("boundaries.islands", islands=list(found.islands)))
    widgets.reasons(lines)
    if found.largest_area_change_ha > _LARGE_CHANGE_HA:
        st.warning(
            widgets.plain(say("boundaries.large_change", file=work.name)),
            icon=":material/warning:",
        )
    drawing = json.loads(feature_collection(drawing_copy(work.found.wards)))
    no_points = pd.DataFrame({"lon": [], "lat": [], "placed": pd.Series(dtype=bool)})
    chart = places_chart(no_points, drawing["features"], say)
    st.altair_chart(chart, width="stretch", theme=None)


def _cleaning(read: ReadWards, say: Texts) -> str:
    found = read.findings
    if not found.cleaned:
        return say("boundaries.clean")
    return say(
        "boundaries.cleaned",
        rings=len(found.invalid_rings),
        overlap=say.number(found.overlap_ha, 4),
        gap=say.number(found.gap_ha, 4),
        change=say.number(found.largest_area_change_ha, 4),
    )


# -- 4: the confirmation, in the button's callback: a second click finds it done


def _confirm(work: Work, say: Texts) -> None:
    if work.stage != "tried":
        return
    try:
        lines = _write(work, say)
    except (HotspotsError, GeoError) as error:
        work.problem = error
        return
    head = session.tracker().log_head()
    mapping = "" if work.decision is None else to_toml(work.decision.mapping)
    sha256 = work.upload.reading.sha256
    figures = work.trial is not None
    work.done = Done(lines, sha256, (head.count, head.hash), mapping, figures=figures)
    work.stage, work.problem = "done", None
    work.close()


def _write(work: Work, say: Texts) -> tuple[str, ...]:
    """Write what was tried; return what was written, in words."""
    tracker, now, decision = session.tracker(), session.now(), work.decision
    if work.trial is not None:
        in_part = bool(st.session_state.get(work.key("in_part")))
        return receipt_lines(tracker.confirm(work.trial, now=now, in_part=in_part), say)
    if decision is None or decision.edition is None:
        return ()
    if isinstance(work.found, ReadCrosswalk):
        kept = tracker.keep_crosswalk(work.found, work.name, now, sha256=work.upload.reading.sha256)
        title = say("crosswalk.added", earlier=decision.earlier, later=decision.edition)
        return (title, *crosswalk_lines(kept.findings, say))
    if isinstance(work.found, ReadWards):
        edition = tracker.keep_boundaries(
            work.found,
            work.name,
            decision.edition,
            now,
            replace_edition=bool(decision.replaces),
            sha256=work.upload.reading.sha256,
        )
        first_day = date.fromisoformat(edition.edition)
        return (
            say("boundaries.added", edition=first_day, units=edition.units),
            _cleaning(work.found, say),
        )
    return ()


def _back(work: Work) -> None:
    work.forget_trial()
    work.stage, work.problem = "look", None


# -- 5: the receipt


def receipt(work: Work, say: Texts) -> None:
    """Draw what was written, and the way to the next file."""
    done = work.done
    if done is None:
        return
    st.subheader(say("data.receipt"))
    with st.container(border=True):
        st.success(widgets.plain(say("data.written", file=work.name)), icon=":material/check:")
        widgets.reasons(done.lines)
        count, ending = done.log
        st.markdown(
            f"{say('data.sha256')}: `{done.sha256}`  \n"
            f"{say('data.log_number', count=count, hash=ending[:12])}"
        )
        st.caption(say("data.receipt_note" if done.figures else "data.receipt_note_boundaries"))
    with st.container(horizontal=True):
        st.button(
            say("data.another"),
            key=work.key("another"),
            type="primary",
            icon=":material/upload_file:",
            on_click=data_work.drop,
        )
        if done.mapping and work.decision is not None:
            st.download_button(
                say("data.save_mapping"),
                done.mapping.encode(),
                file_name=f"{work.decision.kind}.toml",
                mime="application/toml",
                icon=":material/download:",
                on_click="ignore",
                key=work.key("save mapping"),
                help=say("data.save_mapping_help"),
            )
