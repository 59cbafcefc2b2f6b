"""Tổng quan: the map on a day, the two targets, the areas at risk, one ward's panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from hotspots.reports.charts import monthly_chart, transformed_chart, trend_chart
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.live_map import live_map

WARD = "selected_ward"


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("overview.title"))
    _map_and_panel()
    _trends(snapshot, say)


@st.fragment
def _map_and_panel() -> None:
    say, snapshot = session.say(), session.snapshot()
    left, right = st.columns([2, 1], gap="medium")
    with left:
        if snapshot.edition is None:
            st.info(say("error.no_boundaries"))
        else:
            _map(snapshot, say)
            _elsewhere(snapshot, say)
        _at_risk(snapshot, say)
    with right:
        ward = st.session_state.get(WARD)
        if ward is None:
            _targets(snapshot, say)
        else:
            _ward_panel(ward, snapshot, say)


def _map(snapshot: Snapshot, say: Texts) -> None:
    st.caption(say("overview.map_hint"))
    clicked = live_map(
        "overview",
        geometry=snapshot.edition.drawing_file,
        values=snapshot.ward_stage,
        classes=widgets.stage_classes(say),
        details=_details(snapshot, say),
        selected=st.session_state.get(WARD),
        notice=" · ".join(widgets.notices(snapshot, say)),
        legend_title=say("stage.title"),
        height_px=600,
        texts=widgets.map_texts(say),
    )
    if clicked is not None:
        _select(clicked, snapshot)


def _select(ward: str, snapshot: Snapshot) -> None:
    """Look at a ward; its hotspot is what the other pages begin with."""
    st.session_state[WARD] = ward
    here = _hotspots_of(ward, snapshot)
    if len(here):
        st.session_state["hotspot"] = st.session_state["record.hotspot"] = str(here.index[0])


def _hotspots_of(ward: str, snapshot: Snapshot) -> pd.DataFrame:
    """Return a ward's hotspots: code and edition, for a code alone identifies nothing."""
    table = snapshot.hotspots
    return table[(table["ward"] == ward) & (table["edition"] == snapshot.edition.edition)]


def _details(snapshot: Snapshot, say: Texts) -> dict[str, str]:
    """Return each ward's line under its name on the map."""
    details: dict[str, str] = {}
    on_this_map = snapshot.hotspots["edition"] == snapshot.edition.edition
    for _, row in snapshot.hotspots[on_this_map].iterrows():
        line = say(f"status.{row['status']}")
        if np.isfinite(row["p6"]):
            line += f" · {say('column.p6')}: {say.percent(row['p6'], 0)}"
        ward = row["ward"]
        details[ward] = f"{details[ward]}; {line}" if ward in details else line
    return details


def _elsewhere(snapshot: Snapshot, say: Texts) -> None:
    """Name the hotspots that lie on boundaries of another time."""
    others = snapshot.hotspots[snapshot.hotspots["edition"] != snapshot.edition.edition]
    if len(others):
        names = ", ".join(others["name"].head(12))
        st.caption(widgets.plain(say("overview.other_edition", count=len(others), names=names)))


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
    watched = snapshot.hotspots.dropna(subset=["p6"]).sort_values("p6", ascending=False)
    if watched.empty:
        st.info(say("overview.at_risk_nobody"))
        return
    alarmed = watched[watched["alarm"] != "none"]
    if alarmed.empty:
        st.success(say("overview.at_risk_none"))
    columns = st.columns(3)
    for number, (hotspot, row) in enumerate(alarmed.head(6).iterrows()):
        with columns[number % 3]:
            _risk_row(str(hotspot), row, snapshot, say)
    st.caption(say("overview.at_risk_note"))


def _risk_row(hotspot: str, row: pd.Series, snapshot: Snapshot, say: Texts) -> None:
    with st.container(border=True):
        name, level = st.columns([3, 2], vertical_alignment="center")
        if name.button(widgets.plain(row["name"]), key=f"risk:{hotspot}", type="tertiary"):
            _select(row["ward"], snapshot)
            st.rerun(scope="fragment")
        with level:
            widgets.alarm_badge(row["alarm"], say)
        share = say.percent(row["p6"], 0)
        first = snapshot.reasons(hotspot)[0]
        st.caption(
            f"{say('column.p6')}: **{share}**  \n"
            + widgets.plain(say.reason(first.code, first.facts))
        )


def _ward_panel(ward: str, snapshot: Snapshot, say: Texts) -> None:
    wards = session.tracker().wards(snapshot.edition).set_index("code")
    if ward not in wards.index:
        st.session_state.pop(WARD)
        st.rerun(scope="fragment")
    facts = wards.loc[ward]
    title, close = st.columns([4, 1], vertical_alignment="center")
    title.subheader(widgets.plain(say.ward(facts["kind"], facts["name"])))
    if close.button(say("overview.reset"), key="reset", type="tertiary"):
        st.session_state.pop(WARD)
        st.rerun(scope="fragment")
    here = _hotspots_of(ward, snapshot)
    if here.empty:
        st.info(say("overview.not_hotspot"))
    for hotspot, row in here.iterrows():
        _hotspot_card(str(hotspot), row, snapshot, say)
    _counts(ward, here, snapshot, say)


def _hotspot_card(hotspot: str, row: pd.Series, snapshot: Snapshot, say: Texts) -> None:
    with st.container(border=True):
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
        if np.isfinite(row["p6"]):
            st.markdown(f"{say('column.p6')}: **{say.percent(row['p6'], 0)}**")
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


def _counts(ward: str, here: pd.DataFrame, snapshot: Snapshot, say: Texts) -> None:
    monthly = session.tracker().monthly(ward, snapshot.as_of)
    if monthly.empty:
        st.caption(say("overview.no_counts"))
        return
    months = sorted(monthly["month"].unique())[-12:]
    count = int(monthly.loc[monthly["month"].isin(months), "count"].sum())
    span = {"first": say.month(months[0]), "last": say.month(months[-1])}
    st.caption(say("overview.last12", count=count, **span))
    events = [
        event
        for hotspot in here.index
        for event in session.tracker().hotspot(str(hotspot), snapshot.as_of).events
    ]
    st.altair_chart(monthly_chart(monthly, events, say), width="stretch", theme=None)


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
