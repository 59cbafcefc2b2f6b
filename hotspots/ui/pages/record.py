"""Cập nhật: record an event, open a new hotspot, or correct what was recorded."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import streamlit as st

from hotspots.effect_words import assessment_lines
from hotspots.errors import HotspotsError
from hotspots.programme.roles import Permission
from hotspots.programme.status import NEEDS_PLAN_YEAR, Event, EventType
from hotspots.text import Texts
from hotspots.tracker import Entry
from hotspots.ui import session, widgets

_MODES = ("existing", "new", "correct")
_SEEN = "record.seen"
_DRAFT = "record.draft"
_MESSAGE = "record.message"
_LAST = "record.last"
_EDITION = "record.edition"
_SECOND_CLICK = timedelta(seconds=10)
"""The same event of the same hotspot, day and author again so soon is a second click."""


def show() -> None:
    """Draw the page."""
    say = session.say()
    st.title(say("record.title"))
    st.caption(say("record.intro"))
    if not session.tracker().may(Permission.RECORD):
        st.info(say("record.not_allowed"))
        _latest(say)
        return
    mode = widgets.remembered(
        "record.mode",
        lambda key: st.segmented_control(
            say("record.mode"),
            _MODES,
            format_func=lambda mode: say(f"record.{mode}"),
            key=key,
            label_visibility="collapsed",
            required=True,
        ),
        start="existing",
    )
    {"existing": _existing, "new": _new, "correct": _correct}[mode](say)
    widgets.last_message(_MESSAGE)
    _latest(say)


def _existing(say: Texts) -> None:
    hotspot = _hotspot(say)
    if hotspot is None:
        return
    on = _day(say)
    _status_on(hotspot, on, say)
    allowed = session.tracker().allowed(hotspot, on)
    if not allowed:
        st.warning(say("record.nothing_allowed"))
        return
    st.session_state[_SEEN] = session.tracker().version(hotspot)
    if EventType.ASSESSED_TRANSFORMED in allowed:
        _before_assessing(hotspot, on, say)
    with st.form("record.existing", enter_to_submit=False):
        left, right = st.columns(2, gap="medium")
        with left:
            _event(allowed, f"{hotspot}:{on}", say)
            if NEEDS_PLAN_YEAR & set(allowed):
                _plan_year(on, say)
        with right:
            _author_and_note(say)
        _button("record.save", say, _save_existing)


def _before_assessing(hotspot: str, on: date, say: Texts) -> None:
    """Say how safely the ward lies below the threshold before it is assessed as transformed."""
    day = min(on, session.today())
    found = session.tracker().assessments(day).get(hotspot, ())
    if found and found[-1].on == day:
        with st.container(border=True):
            st.markdown(f"**{say('effect.assessment_help')}**")
            widgets.reasons(assessment_lines(found[-1], say))


def _new(say: Texts) -> None:
    tracker, snapshot = session.tracker(), session.snapshot()
    on = _day(say)
    try:  # the wards of the day it happened: the same code may be another ward today
        edition = tracker.boundaries.on(on)
    except HotspotsError as error:
        st.info(widgets.plain(say.error(error)))
        return
    wards = tracker.wards(edition)
    names = {
        str(code): f"{say.ward(kind, name)} ({code})"
        for code, kind, name in zip(wards["code"], wards["kind"], wards["name"], strict=True)
    }
    ordered = sorted(names, key=names.__getitem__)
    st.session_state[_EDITION] = edition.edition
    widgets.choose(_ward_field(), say("record.ward"), ordered, names.__getitem__)
    st.caption(say("app.edition", edition=date.fromisoformat(edition.edition)))
    with st.form("record.new", enter_to_submit=False):
        left, right = st.columns(2, gap="medium")
        with left:
            _event((EventType.PROPOSED, EventType.DESIGNATED), "new", say)
            _plan_year(on, say)
            widgets.kinds_picker("record.kinds", snapshot.programme, say)
        with right:
            _author_and_note(say)
        _button("record.save", say, _save_new)


def _correct(say: Texts) -> None:
    hotspot = _hotspot(say)
    if hotspot is None:
        return
    file = session.tracker().hotspot(hotspot, session.today())
    named = {event.event_id: _event_line(event, say) for event in file.events}
    if not named:
        st.info(say("record.nothing_to_correct"))
        return
    which = widgets.choose(
        "record.which", say("record.which"), list(reversed(named)), named.__getitem__
    )
    event = next(event for event in file.events if event.event_id == which)
    st.session_state[_SEEN] = session.tracker().version(hotspot)
    with st.form("record.correct", enter_to_submit=False):
        left, right = st.columns(2, gap="medium")
        with left:
            st.radio(
                say("record.correct_what"),
                ("date", "strike"),
                format_func=lambda how: say(f"record.correct_{how}"),
                key="record.how",
            )
            st.date_input(
                say("record.new_date"),
                value=event.effective_on,
                min_value=date(1990, 1, 1),
                max_value=date(2100, 12, 31),
                format="DD/MM/YYYY",
                key=f"record.new_date:{which}",
            )
        with right:
            _author_and_note(say, reason=True)
        _button("record.save_correction", say, _save_correction)


# -- saving: in the form's callback, from what the form holds at that moment, so that nothing typed
# is lost and what the person saw is what is compared with the store


def _button(label: str, say: Texts, save: Callable[[Texts], str]) -> None:
    st.form_submit_button(
        say(label), type="primary", key="record.save", on_click=_saving, args=(save, say)
    )


def _saving(save: Callable[[Texts], str], say: Texts) -> None:
    try:
        done = save(say)
    except HotspotsError as error:
        st.session_state[_MESSAGE] = ("error", say.error(error))
        return
    st.session_state[_MESSAGE] = ("success", done)
    st.session_state.pop(_DRAFT, None)
    for used in ("record.note", session.widget_key("record.note")):
        st.session_state.pop(used, None)


def _form(name: str) -> Any:
    """Return what a field of the page holds now."""
    return st.session_state.get(session.widget_key(name), st.session_state.get(name))


def _save_existing(say: Texts) -> str:
    hotspot, on = str(_form("record.hotspot")), _chosen_day(say)
    event = EventType(_form(f"record.event:{hotspot}:{on}"))
    return _save(hotspot, event, on, say, expected=st.session_state.get(_SEEN))


def _save_new(say: Texts) -> str:
    ward, on = str(_form(_ward_field())), _chosen_day(say)
    event = EventType(_form("record.event:new"))
    kinds = tuple(sorted(_form("record.kinds") or ()))
    edition = str(st.session_state[_EDITION])
    hotspot = session.tracker().new_hotspot_id(ward, int(_form("record.plan_year")), edition)
    return _save(hotspot, event, on, say, expected=0, ward=ward, edition=edition, kinds=kinds)


def _ward_field() -> str:
    """Return where the ward is remembered: on other boundaries it is another choice."""
    return f"record.ward:{st.session_state[_EDITION]}"


def _save(
    hotspot: str,
    event: EventType,
    on: date,
    say: Texts,
    *,
    expected: int | None,
    ward: str | None = None,
    edition: str | None = None,
    kinds: tuple[int, ...] = (),
) -> str:
    by = _chosen_author(say)
    asked = (hotspot, event, on, by)
    before, moment, message = st.session_state.get(_LAST, (None, session.now(), ""))
    if asked == before and session.now() - moment < _SECOND_CLICK:
        return str(message)
    entry = Entry(
        hotspot=hotspot,
        event=event,
        on=on,
        by=by,
        recorded_at=session.now(),
        note=str(_form("record.note") or ""),
        plan_year=_form("record.plan_year") if event in NEEDS_PLAN_YEAR else None,
        ward=ward,
        edition=None if edition is None else date.fromisoformat(edition),
        kinds=kinds,
        event_id=_draft_id(),
    )
    written = session.tracker().record(entry, today=session.today(), expected_version=expected)
    message = say(
        "record.saved",
        event=say(f"event.{event}"),
        hotspot=_title(hotspot),
        on=on,
        by=written.recorded_by,
        at=written.recorded_at.astimezone(),
    )
    if written.needs_approval:
        message = f"{message} {say('approvals.waits')}"
    st.session_state[_LAST] = (asked, session.now(), message)
    return message


def _save_correction(say: Texts) -> str:
    hotspot, which = str(_form("record.hotspot")), str(_form("record.which"))
    strike = _form("record.how") == "strike"
    by, day = _chosen_author(say), _form(f"record.new_date:{which}")
    session.tracker().correct(
        hotspot,
        which,
        by=by,
        now=session.now(),
        today=session.today(),
        reason=str(_form("record.note") or ""),
        on=None if strike else day,
        strike=strike,
        expected_version=st.session_state.get(_SEEN),
    )
    key = "record.struck" if strike else "record.moved"
    done = say(key, hotspot=_title(hotspot), on=day, by=by)
    waits = session.tracker().programme().approval_required
    return f"{done} {say('approvals.waits')}" if waits else done


def _title(hotspot: str) -> str:
    names = widgets.hotspot_names(session.tracker().snapshot(session.today()))
    return names.get(hotspot, hotspot)


def _chosen_author(say: Texts) -> str:
    user = session.user()
    if user is not None:
        return user.name
    by = str(_form("record.by") or "")
    st.session_state["record.by"] = by
    if not by.strip():
        raise HotspotsError("by_missing", say("record.by_missing"))
    return by


def _chosen_day(say: Texts) -> date:
    day = _form(_day_name())
    if not isinstance(day, date):
        raise HotspotsError("day_missing", say("error.day_missing"))
    return day


def _draft_id() -> str:
    """Return the id of the event being written: a second click writes the same event."""
    return str(st.session_state.setdefault(_DRAFT, str(uuid.uuid4())))


# -- the questions


def _hotspot(say: Texts) -> str | None:
    names = widgets.hotspot_names(session.tracker().snapshot(session.today()))
    if not names:
        st.info(say("hotspot.none"))
        return None
    return widgets.choose("record.hotspot", say("record.hotspot"), list(names), names.__getitem__)


def _day_name() -> str:
    """Return where the day is remembered: another day looked at asks anew."""
    return f"record.on:{session.as_of()}"


def _day(say: Texts) -> date:
    """Ask for the day; one in the future is refused on saving, in words."""
    day = widgets.remembered(
        _day_name(),
        lambda key: st.date_input(
            say("record.on"),
            min_value=date(1990, 1, 1),
            max_value=date(2100, 12, 31),
            format="DD/MM/YYYY",
            key=key,
        ),
        start=session.as_of(),
    )
    return day if isinstance(day, date) else session.as_of()


def _event(allowed: Sequence[EventType], about: str, say: Texts) -> None:
    st.radio(
        say("record.event"),
        [str(event) for event in allowed],
        format_func=lambda event: say(f"event.{event}"),
        key=f"record.event:{about}",
    )


def _status_on(hotspot: str, on: date, say: Texts) -> None:
    state = session.tracker().hotspot(hotspot, on).state
    st.caption(say("record.status_now", on=on, status=say(f"status.{state.status}")))


def _plan_year(on: date, say: Texts) -> None:
    years = session.tracker().programme().years
    likely = on.year + 1 if on.month > 6 else on.year
    start = years.index(likely) if likely in years else 0
    st.selectbox(
        say("record.plan_year"),
        years,
        index=start,
        key="record.plan_year",
        help=say("record.plan_year_help"),
    )


def _author_and_note(say: Texts, *, reason: bool = False) -> None:
    user = session.user()
    if user is not None:
        st.caption(say("record.as_user", user=widgets.plain(user.display_name)))
    else:
        widgets.remembered(
            "record.by",
            lambda key: st.text_input(
                say("record.by"), help=say("record.by_help"), max_chars=80, key=key
            ),
            start="",
        )
    widgets.remembered(
        "record.note",
        lambda key: st.text_area(
            say("record.reason" if reason else "record.note"),
            help=say("record.note_help"),
            max_chars=500,
            key=key,
        ),
        start="",
    )


def _event_line(event: Event, say: Texts) -> str:
    return f"{say.day(event.effective_on)} · {say(f'event.{event.type}')} · {event.recorded_by}"


def _latest(say: Texts) -> None:
    st.subheader(say("record.last_events"))
    names = widgets.hotspot_names(session.tracker().snapshot(session.today()))
    rows = [
        {
            say("column.recorded_at"): say.show(event.recorded_at.astimezone()),
            say("column.hotspot"): names.get(event.hotspot, event.hotspot),
            say("column.event"): say(f"event.{event.type}"),
            say("column.on"): say.day(event.effective_on),
            say("column.by"): event.recorded_by,
            say("column.note"): event.note,
        }
        for event in session.tracker().latest_events(8)
    ]
    st.dataframe(rows, hide_index=True, width="stretch")
