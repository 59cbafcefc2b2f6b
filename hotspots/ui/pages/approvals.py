"""Chờ duyệt: what somebody recorded and a second person has not decided on."""

from __future__ import annotations

import streamlit as st

from hotspots.choice_words import proposal_lines
from hotspots.errors import HotspotsError
from hotspots.programme.roles import Permission
from hotspots.programme.status import Event, EventType, HotspotState, state_of
from hotspots.text import Texts
from hotspots.ui import session, widgets

_MESSAGE = "approvals.message"


def show() -> None:
    """Draw the page."""
    say, tracker = session.say(), session.tracker()
    st.title(say("approvals.title"))
    st.caption(say("approvals.intro"))
    widgets.last_message(_MESSAGE)
    if not tracker.programme().approval_required:
        st.info(say("approvals.single_user"))
    waiting = tracker.pending()
    if not waiting:
        st.success(say("approvals.none"), icon=":material/check:")
    names = {
        hotspot: state.place.name
        for hotspot in {event.hotspot for event in waiting}
        if (state := _foreseen(hotspot)).place is not None
    }
    for event in waiting:
        _card(event, names.get(event.hotspot, ""), say)


def _foreseen(hotspot: str) -> HotspotState:
    log = session.tracker().hotspot(hotspot, session.today()).log
    return state_of(hotspot, log, session.today(), with_pending=True)


def _card(event: Event, name: str, say: Texts) -> None:
    tracker = session.tracker()
    user = tracker.user()
    log = tracker.hotspot(event.hotspot, session.today()).log
    own = user is not None and user.name == event.recorded_by
    with st.container(border=True):
        title = f"{name} ({event.hotspot})" if name else event.hotspot
        st.markdown(f"**{widgets.plain(title)}** · {_what(event, say)}")
        now = state_of(event.hotspot, log, event.effective_on).status
        lines = [
            say("approvals.line", on=event.effective_on, status=say(f"status.{now}")),
            say(
                "approvals.recorded",
                by=event.recorded_by,
                at=event.recorded_at.astimezone(),
            ),
        ]
        if event.note:
            lines.append(f"{say('column.note')}: {event.note}")
        lines += proposal_lines(event, tracker.programme(), say)
        st.caption("  \n".join(widgets.plain(line) for line in lines))
        if tracker.may(Permission.APPROVE) and not own:
            _decide(event, len(log), say)
        elif own:
            st.button(
                say("approvals.take_back"),
                key=f"take_back:{event.event_id}",
                on_click=_taking_back,
                args=(event, say),
            )
        else:
            st.caption(say("approvals.waiting"))


def _what(event: Event, say: Texts) -> str:
    year = f" ({event.plan_year})" if event.plan_year else ""
    what = f"{say(f'event.{event.type}')}{year}"
    if event.type is EventType.CORRECTED and event.strikes:
        return f"{what}: {say('record.correct_strike')}"
    return what


def _decide(event: Event, seen: int, say: Texts) -> None:
    st.text_input(
        say("approvals.reason"), max_chars=500, key=f"reason:{event.event_id}",
        placeholder=say("approvals.reason_help"), label_visibility="collapsed",
    )  # fmt: skip
    approve, send_back, _ = st.columns([1, 1, 3])
    approve.button(
        say("approvals.approve"),
        key=f"approve:{event.event_id}",
        type="primary",
        width="stretch",
        on_click=_deciding,
        args=(event, seen, True, say),
    )
    send_back.button(
        say("approvals.send_back"),
        key=f"send_back:{event.event_id}",
        width="stretch",
        on_click=_deciding,
        args=(event, seen, False, say),
    )


def _deciding(event: Event, seen: int, approved: bool, say: Texts) -> None:
    note = str(st.session_state.get(f"reason:{event.event_id}") or "")
    tracker = session.tracker()
    decide = tracker.approve if approved else tracker.send_back
    try:
        done = decide(
            event.event_id,
            by=event.recorded_by if tracker.user() is None else "",
            today=session.today(),
            now=session.now(),
            note=note,
            expected_version=seen,
        )
    except HotspotsError as error:
        st.session_state[_MESSAGE] = ("error", say.error(error))
        return
    key = "approvals.approved" if approved else "approvals.sent_back"
    st.session_state[_MESSAGE] = ("success", say(key, hotspot=done.hotspot, by=done.recorded_by))


def _taking_back(event: Event, say: Texts) -> None:
    try:
        done = session.tracker().take_back(event.event_id, today=session.today(), now=session.now())
    except HotspotsError as error:
        st.session_state[_MESSAGE] = ("error", say.error(error))
        return
    message = say("approvals.taken_back", hotspot=done.hotspot, by=done.recorded_by)
    st.session_state[_MESSAGE] = ("success", message)
