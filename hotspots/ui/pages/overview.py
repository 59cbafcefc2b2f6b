"""Tổng quan: the map on a day, the two targets, the areas at risk, one ward's panel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from hotspots.errors import NotAllowed
from hotspots.reports.charts import last_year, monthly_chart, transformed_chart, trend_chart
from hotspots.reports.pages import risk_cell, risk_note
from hotspots.snapshot import MapView, Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.live_map import live_map

WARD = "selected_ward"
EDITION = "overview.edition"


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("overview.title"))
    _map_and_panel()
    _trends(snapshot, say)


@st.fragment
def _map_and_panel() -> None:
    try:
        _drawn()
    except NotAllowed:  # the session ended between two clicks: the frame says why
        st.rerun(scope="app")


def _drawn() -> None:
    say, snapshot = session.say(), session.snapshot()
    left, right = st.columns([2, 1], gap="medium")
    view = None
    with left:
        if snapshot.view is None:
            st.info(say("error.no_boundaries"))
        else:
            view = _chosen_view(snapshot, say)
            _map(view, snapshot, say)
            _elsewhere(view, snapshot, say)
        _at_risk(snapshot, say)
    with right:
        ward = _selected(view)
        if ward is None or view is None:
            _targets(snapshot, say)
        else:
            _ward_panel(ward, view, snapshot, say)


def _chosen_view(snapshot: Snapshot, say: Texts) -> MapView:
    """Ask on which boundaries to look, those of the day or others; the day's to begin with."""
    editions = [edition.edition for edition in session.tracker().editions()]
    own = snapshot.view.edition.edition
    if len(editions) < 2:
        return snapshot.view
    if st.session_state.get(f"{EDITION}:day") != snapshot.as_of:  # another day: its own boundaries
        st.session_state[f"{EDITION}:day"] = snapshot.as_of
        st.session_state[EDITION] = own
        st.session_state.pop(session.widget_key(EDITION), None)

    def shown(edition: str) -> str:
        then = say("overview.edition_then") if edition == own else ""
        now = say("overview.edition_now") if edition == editions[-1] else ""
        words = ", ".join(filter(None, (then, now)))
        return f"{say.day(date.fromisoformat(edition))}" + (f" ({words})" if words else "")

    chosen = widgets.remembered(
        EDITION,
        lambda key: st.segmented_control(
            say("overview.edition"), editions, format_func=shown, key=key, required=True
        ),
        start=own,
    )
    return snapshot.view if chosen in (own, None) else session.tracker().view(snapshot, chosen)


def _selected(view: MapView | None) -> str | None:
    """Return the ward looked at; a code selected on other boundaries is another ward."""
    code, edition = st.session_state.get(WARD) or (None, None)
    return code if view is not None and edition == view.edition.edition else None


def _map(view: MapView, snapshot: Snapshot, say: Texts) -> None:
    st.caption(say("overview.map_hint"))
    clicked = live_map(
        "overview",
        geometry=view.edition.drawing_file,
        values=view.ward_stage,
        classes=widgets.stage_classes(say),
        details=_details(view, snapshot, say),
        selected=_selected(view),
        notice=" · ".join(widgets.notices(snapshot, say)),
        legend_title=say("stage.title"),
        height_px=600,
        texts=widgets.map_texts(say),
    )
    if clicked is not None:
        _select(clicked, view)


def _select(ward: str, view: MapView) -> None:
    """Look at a ward; its hotspot is what the other pages begin with."""
    st.session_state[WARD] = (ward, view.edition.edition)
    here = view.hotspots_of(ward)
    if len(here):
        first = str(here["hotspot"].iloc[0])
        st.session_state["hotspot"] = st.session_state["record.hotspot"] = first


def _details(view: MapView, snapshot: Snapshot, say: Texts) -> dict[str, str]:
    """Return each ward's line under its name on the map."""
    details: dict[str, str] = {}
    for hotspot, ward, share, own in view.shown.itertuples(index=False):
        row = snapshot.row(hotspot)
        line = say(f"status.{row['status']}")
        if np.isfinite(row["points"]):
            line += f" · {_risk_words(row, say)}"
        if not own:
            line += f" · {_part_words(row, share, view, say)}"
        details[ward] = f"{details[ward]}; {line}" if ward in details else line
    return details


def _part_words(row: Mapping[str, Any], share: float, view: MapView, say: Texts) -> str:
    """Say that a hotspot was designated on another ward, and how much of it lies here."""
    name = row["name"]
    if row["edition"] > view.edition.edition:
        return say("overview.same_territory", ward=name)
    if share == 1:
        return say("overview.old_whole", ward=name)
    if np.isnan(share):
        return say("overview.old_unknown", ward=name)
    return say("overview.old_part", ward=name, share=say.percent(share, 0))


def _elsewhere(view: MapView, snapshot: Snapshot, say: Texts) -> None:
    """Name the hotspots that cannot be shown on these boundaries."""
    if view.not_shown:
        shown = list(view.not_shown)[:12]
        names = ", ".join(f"{snapshot.row(name)['name']} ({name})" for name in shown)
        names += ", …" if len(view.not_shown) > len(shown) else ""
        line = say("overview.other_edition", count=len(view.not_shown), names=names)
        st.caption(widgets.plain(line))


def _targets(snapshot: Snapshot, say: Texts) -> None:
    if snapshot.plan_year is not None:
        year = snapshot.plan_year
        title = say("target.transformed_year", year=year)
        widgets.target(title, snapshot.transformed[year], say)
    widgets.target(say("target.not_relapsed"), snapshot.official, say)


def _at_risk(snapshot: Snapshot, say: Texts) -> None:
    st.subheader(say("overview.at_risk"))
    if snapshot.risk_problem is not None:
        problem = say.error(snapshot.risk_problem)
        st.info(widgets.plain(say("overview.at_risk_problem", problem=problem)))
        return
    widgets.not_measured(snapshot, say)
    watched = snapshot.hotspots.dropna(subset=["points"]).sort_values("risk_rank")
    if watched.empty:
        st.info(say("overview.at_risk_nobody"))
        return
    shown = watched["p6"].notna().any()
    alarmed = watched[watched["alarm"].isin(["amber", "red"])] if shown else watched.head(3)
    if alarmed.empty and not snapshot.not_measured:
        st.success(say("overview.at_risk_none"))
    columns = st.columns(3)
    for number, (hotspot, row) in enumerate(alarmed.head(6).iterrows()):
        with columns[number % 3]:
            _risk_row(str(hotspot), row, snapshot, say)
    st.caption(risk_note(snapshot, say))
    widgets.doubts(snapshot, say)


def _risk_row(hotspot: str, row: pd.Series, snapshot: Snapshot, say: Texts) -> None:
    with st.container(border=True):
        name, level = st.columns([3, 2], vertical_alignment="center")
        if name.button(widgets.plain(row["name"]), key=f"risk:{hotspot}", type="tertiary"):
            _select_hotspot(hotspot, snapshot)
            st.rerun(scope="fragment")
        with level:
            if row["alarm"]:
                widgets.alarm_badge(row["alarm"], say)
        first = snapshot.reasons(hotspot)[0]
        st.caption(
            f"{_risk_words(row, say)}  \n" + widgets.plain(say.reason(first.code, first.facts))
        )


def _risk_words(row: Mapping[str, Any], say: Texts) -> str:
    """Name the probability within six months, or the score where that may not be shown."""
    name = "column.p6" if np.isfinite(row["p6"]) else "overview.risk_points_label"
    return f"{say(name)}: {risk_cell(row, say)}"


def _select_hotspot(hotspot: str, snapshot: Snapshot) -> None:
    """Look at a hotspot's ward on the boundaries of the day."""
    st.session_state[EDITION] = snapshot.view.edition.edition
    st.session_state.pop(session.widget_key(EDITION), None)
    where = snapshot.view.wards_of(hotspot)
    if len(where):
        _select(str(where["ward"].iloc[0]), snapshot.view)
    st.session_state["hotspot"] = st.session_state["record.hotspot"] = hotspot


def _ward_panel(ward: str, view: MapView, snapshot: Snapshot, say: Texts) -> None:
    wards = session.tracker().wards(view.edition).set_index("code")
    if ward not in wards.index:
        st.session_state.pop(WARD)
        st.rerun(scope="fragment")
    facts = wards.loc[ward]
    title, close = st.columns([4, 1], vertical_alignment="center")
    title.subheader(widgets.plain(say.ward(facts["kind"], facts["name"])))
    if close.button(say("overview.reset"), key="reset", type="tertiary"):
        st.session_state.pop(WARD)
        st.rerun(scope="fragment")
    here = view.hotspots_of(ward)
    if here.empty:
        st.info(say("overview.not_hotspot"))
    for hotspot, _, share, own in here.itertuples(index=False):
        _hotspot_card(hotspot, None if own else share, view, snapshot, say)
    _counts(ward, list(here.loc[here["own"], "hotspot"]), view, snapshot, say)
    widgets.lineage(session.tracker().lineage(ward, view.edition.edition), say)


def _hotspot_card(
    hotspot: str, share: float | None, view: MapView, snapshot: Snapshot, say: Texts
) -> None:
    """Show a hotspot; with a share, one that was designated on another ward."""
    row = snapshot.row(hotspot)
    with st.container(border=True):
        if share is not None:
            st.caption(widgets.plain(_part_words(row, share, view, say)))
        st.markdown(f"**{say('status.' + row['status'])}** · {say.day(row['since'])}")
        year = "–" if pd.isna(row["plan_year"]) else str(int(row["plan_year"]))
        lines = [f"{say('column.id')}: {hotspot}", f"{say('column.plan_year')}: {year}"]
        if row["kinds"]:
            kinds = snapshot.programme.kinds
            named = "; ".join(kinds[k].of(say.language) for k in row["kinds"] if k in kinds)
            lines.append(f"{say('column.kinds')}: {named}")
        if row["watched_until"] is not None and not pd.isna(row["watched_until"]):
            lines.append(f"{say('column.watched_until')}: {say.day(row['watched_until'])}")
        st.caption("  \n".join(widgets.plain(line) for line in lines))
        if np.isfinite(row["points"]):
            st.markdown(_risk_words(row, say))
            if row["alarm"]:
                widgets.alarm_badge(row["alarm"], say)
            widgets.reasons(say.reason(r.code, r.facts) for r in snapshot.reasons(hotspot))
        file, record = st.columns(2)
        if file.button(say("overview.open_file"), key=f"file:{hotspot}", width="stretch"):
            st.session_state["hotspot"] = hotspot
            session.go_to("hotspot")
        if record.button(say("overview.open_record"), key=f"record:{hotspot}", width="stretch"):
            st.session_state["record.hotspot"] = hotspot
            st.session_state["record.mode"] = "existing"
            session.go_to("record")


def _counts(ward: str, hotspots: list[str], view: MapView, snapshot: Snapshot, say: Texts) -> None:
    tracker = session.tracker()
    monthly = tracker.monthly(ward, snapshot.as_of, view.edition)
    if monthly.empty:
        st.caption(say("overview.no_counts"))
        return
    recent = last_year(monthly)
    if len(recent):
        first, last = (say.month(month) for month in (recent["month"].min(), recent["month"].max()))
        count = round(recent["count"].sum())
        st.caption(say("overview.last12", count=count, first=first, last=last))
        _per_resident(ward, count, view, snapshot, say)
    events = [
        event for hotspot in hotspots for event in tracker.hotspot(hotspot, snapshot.as_of).events
    ]
    chart = monthly_chart(monthly, events, say, breaks=tracker.breaks(monthly))
    st.altair_chart(chart, width="stretch", theme=None)
    widgets.counts_end(monthly, tracker.lineage(ward, view.edition.edition), snapshot, say)


def _per_resident(ward: str, count: int, view: MapView, snapshot: Snapshot, say: Texts) -> None:
    """Say how many people live in the ward, where a file said so, and the count per 1,000."""
    found = session.tracker().population(ward, view.edition.edition, snapshot.as_of)
    if found is not None and found[0] > 0:
        people, on = found
        rate = say.number(1000 * count / people, 1)
        st.caption(say("overview.residents", people=people, on=say.period(on), rate=rate))


def _trends(snapshot: Snapshot, say: Texts) -> None:
    targets = snapshot.programme.targets
    left, right = st.columns(2, gap="medium")
    if snapshot.transformed:
        with left:
            st.markdown(f"**{say('overview.trend_years')}**")
            chart = transformed_chart(snapshot.transformed, targets.transformed, say)
            st.altair_chart(chart, width="stretch", theme=None)
    if snapshot.official.denominator:
        with right:
            st.markdown(f"**{say('overview.trend')}**")
            chart = trend_chart(snapshot.trend, targets.not_relapsed, say)
            st.altair_chart(chart, width="stretch", theme=None)
