"""Nguy cơ tái phức tạp: the alarms to act on, all watched areas, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import streamlit as st

from hotspots.errors import HotspotsError
from hotspots.measures.alarms import AlarmFinding
from hotspots.programme.acknowledgement import REOPENS_AFTER_DAYS
from hotspots.programme.roles import Permission
from hotspots.relapse_watch import AlarmBoard, ModelCard
from hotspots.reports.charts import calibration_chart
from hotspots.risk_words import (
    Step,
    acknowledged_cells,
    alarm_line,
    backtest_alarm_cells,
    calibration_points,
    chances,
    codes_to_acknowledge,
    feedback_lines,
    few_line,
    horizons_tested,
    label_cells,
    ladder,
    loudest,
    measured_line,
    metrics_cells,
    model_in_force,
    open_alarms,
    reason_lines,
    record_lines,
    risk_cell_line,
    seen_line,
    settings_line,
    sources_tested,
    standing_lines,
    verdict_lines,
    watch_cells,
    watch_counts,
)
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets

_TABS = ("alarms", "watched", "card")
_MESSAGE = "risk.message"
_STATE_BADGE = {"done": "green", "here": "blue", "ahead": "gray"}
_STATE_ICON = {
    "done": ":material/check:",
    "here": ":material/location_on:",
    "ahead": ":material/lock_clock:",
}


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("risk.title"))
    st.caption(say("risk.intro"))
    try:
        with st.spinner(say("risk.working")):
            board = session.tracker().alarms(session.as_of(), session.known_on())
    except HotspotsError as error:
        st.info(widgets.plain(say("risk.card_none", problem=say.error(error))))
        return
    _cards(snapshot, board, say)
    _standing(snapshot, say)
    key = session.widget_key(f"risk.tab:{say.language}")
    tabs = st.tabs([say(f"risk.tab_{name}") for name in _TABS], key=key, on_change="rerun")
    for tab, draw in zip(tabs, (_alarms, _watched, _card), strict=True):
        if tab.open:
            with tab:
                draw(snapshot, board, say)


def _cards(snapshot: Snapshot, board: AlarmBoard, say: Texts) -> None:
    counts, settings = watch_counts(snapshot, board), snapshot.programme.alarms
    amber, red = say.percent(settings.amber, 0), say.percent(settings.red, 0)
    shown = (
        ("watched", counts.watched, say("risk.watched_note")),
        ("red", counts.red, say("risk.of_probability", share=red)),
        ("amber", counts.amber, say("risk.of_probability_to", low=amber, high=red)),
        ("open", counts.open, say("risk.open_at", hotspots=counts.hotspots)),
    )
    for place, (name, number, note) in zip(st.columns(4, gap="small"), shown, strict=True):
        with place.container(border=True, height="stretch"):
            st.metric(say(f"risk.{name}"), "–" if number is None else say.number(number))
            st.caption(note)


def _standing(snapshot: Snapshot, say: Texts) -> None:
    """Say how the probabilities come about, and what could not be measured."""
    widgets.doubts(snapshot, say)
    lines = standing_lines(snapshot, say)
    if lines:
        st.markdown(f":material/info: **{say('risk.how')}** {widgets.plain(' '.join(lines))}")
    if snapshot.risk_problem is not None:
        problem = say.error(snapshot.risk_problem)
        st.info(widgets.plain(say("overview.at_risk_problem", problem=problem)))
    elif snapshot.risk is None:
        st.info(say("risk.nobody"))
    widgets.not_measured(snapshot, say)


# -- the alarms


def _alarms(snapshot: Snapshot, board: AlarmBoard, say: Texts) -> None:
    widgets.last_message(_MESSAGE)
    found = open_alarms(board)
    if found and not _may_acknowledge():
        st.caption(say("risk.not_allowed"))
    elif found and _day() is None:
        day = session.store().default_day(session.today())
        st.caption(say("risk.not_today", day=day))
    if not found:
        st.success(say("risk.no_open"))
    loud = {name: alarms for name, alarms in found.items() if loudest(alarms) != "note"}
    if loud:
        st.subheader(say("risk.probable"))
    for hotspot, alarms in loud.items():
        _loud_card(hotspot, alarms, snapshot, say)
    quiet = {name: alarms for name, alarms in found.items() if name not in loud}
    if quiet:
        st.subheader(say("risk.notes"))
        st.caption(say("risk.notes_help"))
    columns = st.columns(2, gap="small") if quiet else ()
    for number, (hotspot, alarms) in enumerate(quiet.items()):
        with columns[number % 2]:
            _quiet_card(hotspot, alarms, snapshot, say)
    _acknowledged(snapshot, board, say)


def _loud_card(
    hotspot: str, alarms: tuple[AlarmFinding, ...], snapshot: Snapshot, say: Texts
) -> None:
    """Show a hotspot at an alarm level: how probable, which alarms, and why."""
    row = snapshot.row(hotspot)
    with st.container(border=True):
        _card_head(hotspot, alarms, snapshot, say)
        told = (f"{when}: **{widgets.plain(p)}**" for when, p in chances(row, say))
        st.markdown(" · ".join(told))
        left, right = st.columns(2, gap="medium")
        with left:
            st.caption(say("risk.signs"))
            _signs(alarms, say)
        with right:
            st.caption(say("risk.why"))
            widgets.reasons(reason_lines(snapshot, hotspot, say))


def _quiet_card(
    hotspot: str, alarms: tuple[AlarmFinding, ...], snapshot: Snapshot, say: Texts
) -> None:
    """Show a hotspot with notes only."""
    with st.container(border=True):
        _card_head(hotspot, alarms, snapshot, say)
        if hotspot in snapshot.hotspots.index[snapshot.hotspots["risk_rank"].notna()]:
            cell = risk_cell_line(snapshot.row(hotspot), 6, say)
            st.caption(f"{say('column.p6')}: {widgets.plain(cell)}")
        _signs(alarms, say)


def _card_head(
    hotspot: str, alarms: tuple[AlarmFinding, ...], snapshot: Snapshot, say: Texts
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        name = f"{snapshot.row(hotspot)['name']} ({hotspot})"
        st.markdown(f"**{widgets.plain(name)}**", width="content")
        widgets.alarm_badge(loudest(alarms), say)
        st.space("stretch")
        if st.button(say("risk.open_file"), key=f"risk.file:{hotspot}"):
            st.session_state["hotspot"] = hotspot
            session.go_to("hotspot")
        on = _day()
        if on is not None and _may_acknowledge():
            _acknowledge_form(hotspot, alarms, on, snapshot, say)


def _signs(alarms: Sequence[AlarmFinding], say: Texts) -> None:
    lines: Iterable[str] = (
        " ".join(filter(None, (alarm_line(each, say), seen_line(each, say)))) for each in alarms
    )
    widgets.reasons(lines)


def _acknowledged(snapshot: Snapshot, board: AlarmBoard, say: Texts) -> None:
    table = acknowledged_cells(board, snapshot, say)
    if table.rows:
        with st.expander(say("risk.acknowledged_title", count=len(table.rows))):
            widgets.cells(table)


# -- acknowledging: in the form's callback, from what the form holds at that moment


def _may_acknowledge() -> bool:
    return session.tracker().may(Permission.RECORD)


def _day() -> date | None:
    """Return the day to acknowledge on: today, or a demonstration's own; None in the past."""
    day = session.as_of()
    past = day < session.store().default_day(session.today())
    return None if past or session.known_on() is not None else day


def _acknowledge_form(
    hotspot: str, alarms: tuple[AlarmFinding, ...], on: date, snapshot: Snapshot, say: Texts
) -> None:
    name = str(snapshot.row(hotspot)["name"])
    what = say("risk.acknowledge_what", count=len(alarms), name=name, days=str(REOPENS_AFTER_DAYS))
    with (
        st.popover(say("risk.acknowledge"), icon=":material/check:"),
        st.form(f"risk.form:{hotspot}", border=False, enter_to_submit=False),
    ):
        st.markdown(widgets.plain(what))
        st.text_area(
            say("risk.acknowledge_note"),
            help=say("risk.acknowledge_help"),
            max_chars=500,
            key=f"risk.note:{hotspot}",
        )
        if session.user() is None:
            st.text_input(
                say("record.by"),
                value=st.session_state.get("record.by", ""),
                help=say("record.by_help"),
                max_chars=80,
                key=f"risk.by:{hotspot}",
            )
        st.form_submit_button(
            say("risk.acknowledge_save"),
            type="primary",
            key=f"risk.save:{hotspot}",
            on_click=_acknowledging,
            args=(hotspot, name, tuple(each.code for each in alarms), on, say),
        )


def _acknowledging(hotspot: str, name: str, seen: tuple[str, ...], on: date, say: Texts) -> None:
    try:
        done = _acknowledge(hotspot, name, seen, on, say)
    except HotspotsError as error:
        st.session_state[_MESSAGE] = ("error", say.error(error))
        return
    st.session_state[_MESSAGE] = ("success", done)
    st.session_state.pop(f"risk.note:{hotspot}", None)


def _acknowledge(hotspot: str, name: str, seen: tuple[str, ...], on: date, say: Texts) -> str:
    """Write that the alarms the person saw are seen; one that opened meanwhile stays open."""
    tracker = session.tracker()
    still = codes_to_acknowledge(tracker.alarms(on), hotspot)
    codes = [code for code in still if code in seen]
    written = tracker.acknowledge(
        hotspot,
        codes,
        str(st.session_state.get(f"risk.note:{hotspot}") or ""),
        on=on,
        by=_author(hotspot, say),
        today=session.today(),
        now=session.now(),
    )
    return say("risk.acknowledged", count=len(codes), name=name, on=on, by=written.recorded_by)


def _author(hotspot: str, say: Texts) -> str:
    user = session.user()
    if user is not None:
        return user.name
    by = str(st.session_state.get(f"risk.by:{hotspot}") or "")
    if not by.strip():
        raise HotspotsError("by_missing", say("record.by_missing"))
    st.session_state["record.by"] = by
    return by


# -- all watched areas


def _watched(snapshot: Snapshot, board: AlarmBoard, say: Texts) -> None:
    table = watch_cells(snapshot, board, say)
    if not table.rows:
        st.info(say("risk.nobody"))
        return
    widgets.cells(table)
    st.caption(say("risk.watched_caption"))
    st.markdown(f"**{say('risk.feedback_title')}**")
    if board.feedback is None:
        st.caption(say("risk.feedback_none"))
        return
    st.caption(say("risk.feedback_caption"))
    lines = feedback_lines(snapshot, board, say)
    widgets.reasons(lines or (say("risk.feedback_same"),))


# -- how far to trust it


def _card(snapshot: Snapshot, _board: AlarmBoard, say: Texts) -> None:
    try:
        with st.spinner(say("risk.working_card")):
            card = session.tracker().model_card(session.as_of(), session.known_on())
    except HotspotsError as error:
        st.info(widgets.plain(say("risk.card_none", problem=say.error(error))))
        return
    if card.standing is not None:
        st.subheader(say("risk.ladder"))
        st.caption(say("risk.ladder_caption"))
        steps = ladder(card.standing, say)
        for place, step in zip(st.columns(len(steps), gap="small"), steps, strict=True):
            with place:
                _step(step, say)
    st.subheader(say("risk.labels_title"))
    st.caption(say("risk.labels_caption"))
    widgets.cells(label_cells(card, say))
    widgets.reasons((*verdict_lines(card, say), *record_lines(card, say)))
    _tested(card, say)
    st.subheader(say("risk.settings_title"))
    st.markdown(widgets.plain(settings_line(snapshot.programme.alarms, say)))


def _step(step: Step, say: Texts) -> None:
    with st.container(border=True, height="stretch"):
        state = step.state
        st.badge(say(f"risk.state_{state}"), icon=_STATE_ICON[state], color=_STATE_BADGE[state])
        st.markdown(f"**{widgets.plain(step.name)}**")
        st.markdown(widgets.plain(step.text))
        if step.need:
            st.caption(f"**{say('risk.needs')}:** {widgets.plain(step.need)}")


def _tested(card: ModelCard, say: Texts) -> None:
    """Show how right every model would have been on the store's own past."""
    st.subheader(say("risk.tested_title"))
    sources = sources_tested(card)
    if not sources:
        st.info(say("risk.tested_nothing"))
        return
    st.caption(say("risk.tested_caption"))
    left, right = st.columns(2, gap="medium")
    with left:
        source = widgets.choose(
            "risk.source", say("risk.choose_source"), sources, lambda s: say(f"risk.labels_{s}")
        )
    with right:
        horizon = _horizon(horizons_tested(card, source), say)
    st.markdown(widgets.plain(measured_line(card, source, horizon, say)))
    warning = few_line(card, source, horizon, say)
    if warning:
        st.warning(warning, icon=":material/warning:")
    widgets.cells(metrics_cells(card, source, horizon, say))
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _curve(card, source, horizon, say)
    with right:
        _metrics_help(say)
    st.markdown(f"**{say('risk.alarms_title')}**")
    widgets.cells(backtest_alarm_cells(card, source, say))
    st.caption(say("risk.alarms_caption"))


def _horizon(horizons: tuple[int, ...], say: Texts) -> int:
    start = 6 if 6 in horizons else horizons[0]
    if st.session_state.get("risk.horizon") not in horizons:
        st.session_state.pop("risk.horizon", None)
        st.session_state.pop(session.widget_key("risk.horizon"), None)
    return widgets.remembered(
        "risk.horizon",
        lambda key: st.segmented_control(
            say("risk.choose_horizon"),
            horizons,
            format_func=lambda months: say("risk.months", months=months),
            key=key,
            required=True,
        ),
        start=start,
    )


def _metrics_help(say: Texts) -> None:
    """Say in plain words what each column means."""
    st.markdown(f"**{say('risk.metrics_help')}**")
    for name in ("force", "auc", "skill", "slope", "precision"):
        st.caption(widgets.plain(say(f"risk.metrics_help_{name}")))


def _curve(card: ModelCard, source: str, horizon: int, say: Texts) -> None:
    st.markdown(f"**{say('risk.curve_title')}**")
    points = calibration_points(card, source, horizon)
    st.altair_chart(calibration_chart(points, say), width="stretch", theme=None)
    model = say(f"risk.model_{model_in_force(card, source, horizon)}")
    st.caption(say("risk.curve_caption", model=model))
