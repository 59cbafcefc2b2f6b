"""Hồ sơ địa bàn: one hotspot's timeline, counts, risk and report."""

from __future__ import annotations

from datetime import date

import numpy as np
import streamlit as st

from hotspots.effect_words import (
    assessment_lines,
    familiar_lines,
    familiar_title,
    neighbour_lines,
    outcome_lines,
)
from hotspots.effects import HotspotEffect
from hotspots.import_words import scorecard_cells
from hotspots.programme.roles import Permission
from hotspots.programme.status import Event, EventType
from hotspots.reports.charts import effect_chart, monthly_chart
from hotspots.reports.pages import risk_cell, risk_note, timeline
from hotspots.risk_words import reason_lines
from hotspots.snapshot import HotspotFile, Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("hotspot.title"))
    names = widgets.hotspot_names(snapshot)
    if not names:
        st.info(say("hotspot.none"))
        return
    chosen = widgets.choose("hotspot", say("hotspot.choose"), list(names), names.__getitem__)
    st.session_state["record.hotspot"] = chosen
    file = session.tracker().hotspot(chosen, snapshot.as_of, session.known_on())
    _facts(file, snapshot, say)
    _counts(file, snapshot, say)
    _effect(chosen, snapshot, say)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader(say("hotspot.timeline"))
        widgets.cells(timeline(file, say))
        _scorecard(chosen, snapshot, say)
        with st.expander(say("hotspot.log")):
            _log(file, say)
    with right:
        if file.lineage is not None:
            widgets.lineage(file.lineage, say)
        _risk(file, snapshot, say)
        _assessment(chosen, snapshot, say)
        _report_button(chosen, snapshot, say)


def _facts(file: HotspotFile, snapshot: Snapshot, say: Texts) -> None:
    state = file.state
    watch = state.under_watch(snapshot.programme.watch_months)
    until = watch.watched_until(snapshot.programme.watch_months) if watch else None
    facts = {
        "status": say(f"status.{state.status}"),
        "since": say.day(state.since),
        "plan_year": str(state.plan_year or "–"),
        "watched_until": say.day(until),
    }
    for column, (name, value) in zip(st.columns([2, 1, 1, 1]), facts.items(), strict=True):
        column.caption(say(f"column.{name}"))
        column.markdown(f"### {widgets.plain(value)}")
    if state.place is not None:
        unit = say("hotspot.unit", ward=state.place.name, code=state.place.ward)
        edition = say("app.edition", edition=date.fromisoformat(state.place.edition))
        st.caption(widgets.plain(f"{unit} · {edition}"))
    if state.place and state.place.kinds:
        kinds = snapshot.programme.kinds
        named = [kinds[k].of(say.language) for k in sorted(state.place.kinds) if k in kinds]
        st.caption(widgets.plain(f"{say('hotspot.kinds')}: {'; '.join(named)}"))


def _counts(file: HotspotFile, snapshot: Snapshot, say: Texts) -> None:
    st.subheader(say("hotspot.counts"))
    if file.monthly.empty:
        st.info(say("overview.no_counts"))
        return
    chart = monthly_chart(file.monthly, file.events, say, breaks=file.breaks)
    st.altair_chart(chart, width="stretch", theme=None)
    st.caption(say("hotspot.counts_note"))
    if file.lineage is not None:
        widgets.counts_end(file.monthly, file.lineage, snapshot, say)
    _today(file, snapshot, say)


def _today(file: HotspotFile, snapshot: Snapshot, say: Texts) -> None:
    """Offer the counts of the wards of today in which an older ward lies."""
    place = file.state.place
    if place is None or snapshot.view is None or place.edition == snapshot.view.edition.edition:
        return
    tracker = session.tracker()
    names = tracker.boundaries.names(snapshot.view.edition.edition)
    for ward in snapshot.view.wards_of(file.state.hotspot)["ward"]:
        monthly = tracker.monthly(ward, snapshot.as_of)
        name = say.ward(names.loc[ward, "kind"], names.loc[ward, "name"])
        with st.expander(say("hotspot.ward_today", ward=widgets.plain(name))):
            chart = monthly_chart(monthly, (), say, breaks=tracker.breaks(monthly))
            st.altair_chart(chart, width="stretch", theme=None)


def _effect(hotspot: str, snapshot: Snapshot, say: Texts) -> None:
    """Show whether it worked: counted against expected, the neighbours, the familiar numbers."""
    st.subheader(say("effect.title"))
    effects = session.tracker().effect(snapshot.as_of, session.known_on())
    effect, problem = effects.hotspots.get(hotspot), effects.not_measured.get(hotspot)
    if problem is not None:
        st.info(widgets.plain(say("effect.not_measured", problem=say.error(problem))))
    elif effect is None:
        st.info(say("effect.not_designated"))
    else:
        left, right = st.columns([2, 3], gap="medium")
        with left:
            widgets.effect_badge(effect.outcome.verdict, say)
            chart = effect_chart(effect.outcome.course, say)
            st.altair_chart(chart, width="stretch", theme=None)
            st.caption(say("effect.chart_note"))
        with right:
            widgets.reasons(outcome_lines(effect, say))
            _neighbours(effect, say)
        _familiar(effect, say)


def _neighbours(effect: HotspotEffect, say: Texts) -> None:
    if effect.familiar is not None:
        st.markdown(f"**{say('effect.neighbours_title')}**")
        widgets.reasons(neighbour_lines(effect.familiar, say))


def _familiar(effect: HotspotEffect, say: Texts) -> None:
    if effect.familiar is None:
        st.caption(say("effect.familiar_unknown"))
        return
    with st.expander(widgets.plain(familiar_title(effect.familiar, say))):
        widgets.reasons(familiar_lines(effect.familiar, say))
        st.caption(say("effect.familiar_help"))


def _risk(file: HotspotFile, snapshot: Snapshot, say: Texts) -> None:
    st.subheader(say("hotspot.risk"))
    if snapshot.risk_problem is not None:
        problem = say.error(snapshot.risk_problem)
        st.info(widgets.plain(say("overview.at_risk_problem", problem=problem)))
        return
    not_measured = snapshot.not_measured.get(file.state.hotspot)
    if not_measured is not None:
        st.info(widgets.plain(say("overview.at_risk_problem", problem=say.error(not_measured))))
        return
    row = snapshot.hotspots.loc[file.state.hotspot]
    if not np.isfinite(row["points"]):
        st.info(say("hotspot.risk_none"))
        return
    if np.isfinite(row["p6"]):
        widgets.alarm_badge(row["alarm"], say)
    else:
        st.markdown(f"{say('overview.risk_points_label')}: **{risk_cell(row, say)}**")
    for horizon in (3, 6, 12):
        if np.isfinite(row[f"p{horizon}"]):
            chance = say.chance(row[f"p{horizon}"])
            st.markdown(say("hotspot.risk_p", horizon=str(horizon), p=f"**{chance}**"))
    st.markdown(f"**{say('hotspot.reasons')}**")
    widgets.reasons(reason_lines(snapshot, file.state.hotspot, say))
    st.caption(risk_note(snapshot, say))
    widgets.doubts(snapshot, say)


def _assessment(hotspot: str, snapshot: Snapshot, say: Texts) -> None:
    """Say how safe the assessment is, or would be today."""
    found = session.tracker().assessments(snapshot.as_of, session.known_on()).get(hotspot)
    if found:
        st.markdown(f"**{say('effect.assessment_title')}**")
        widgets.reasons(assessment_lines(found[-1], say))


def _report_button(hotspot: str, snapshot: Snapshot, say: Texts) -> None:
    # The page is made when the button is pressed, outside the session: all it needs is taken here;
    # who asks is read again from the store even then.
    tracker, known_on, made_on = session.tracker(), session.known_on(), session.today()

    def page() -> bytes:
        exported = tracker.export(
            "hotspot",
            hotspot,
            as_of=snapshot.as_of,
            made_on=made_on,
            language=say.language,
            now=session.now(),
            known_on=known_on,
        )
        return exported.encode()

    if not tracker.may(Permission.EXPORT):
        return

    st.download_button(
        say("hotspot.report"),
        page,
        file_name=f"{hotspot}-{snapshot.as_of.isoformat()}.html",
        mime="text/html",
        icon=":material/description:",
        on_click="ignore",
    )


def _scorecard(hotspot: str, snapshot: Snapshot, say: Texts) -> None:
    """Show what the hotspot was found to be under each criterion, where a file said so."""
    lines = session.tracker().scorecard(hotspot, snapshot.as_of)
    if lines.empty:
        return
    st.subheader(say("hotspot.scorecard"))
    widgets.cells(scorecard_cells(lines, say))


def _log(file: HotspotFile, say: Texts) -> None:
    """Show every event as written, corrected ones and corrections included."""
    corrected = {event.corrects for event in file.log if event.type is EventType.CORRECTED}
    st.dataframe(
        [_log_row(event, event.event_id in corrected, say) for event in file.log],
        hide_index=True,
        width="stretch",
    )


def _log_row(event: Event, was_corrected: bool, say: Texts) -> dict[str, str]:
    name = say(f"event.{event.type}")
    if was_corrected:
        name = f"{name} ({say('hotspot.corrected_by')})"
    return {
        say("column.number"): str(event.seq),
        say("column.recorded_at"): say.show(event.recorded_at),
        say("column.on"): say.day(event.effective_on),
        say("column.event"): name,
        say("column.note"): event.note,
        say("column.by"): event.recorded_by,
    }
