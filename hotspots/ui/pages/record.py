"""Cập nhật: record an event, open a new hotspot, or correct what was recorded."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date

import streamlit as st

from hotspots.errors import HotspotsError
from hotspots.programme.status import NEEDS_PLAN_YEAR, Event, EventType
from hotspots.text import Texts
from hotspots.tracker import Entry
from hotspots.ui import session, widgets

_MODES = ("existing", "new", "correct")
_SEEN = "record.seen"
_DRAFT = "record.draft"
_MESSAGE = "record.message"


def show() -> None:
    """Draw the page."""
    say = session.say()
    st.title(say("record.title"))
    st.caption(say("record.intro"))
    _last_message()
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
    _latest(say)


def _existing(say: Texts) -> None:
    hotspot = _hotspot(say)
    if hotspot is None:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        on = _day(say)
        _status_on(hotspot, on, say)
        allowed = session.tracker().allowed(hotspot, on)
        if not allowed:
            st.warning(say("record.nothing_allowed"))
            return
        event = st.radio(
            say("record.event"), allowed, format_func=lambda event: say(f"event.{event}")
        )
        plan_year = _plan_year(event, on, say)
    with right:
        by, note = _author(say), _note(say)
        st.session_state[_SEEN] = session.tracker().version(hotspot)
        _button(
            say("record.save"),
            say,
            lambda seen: _save(hotspot, event, on, by, note, plan_year, None, (), seen, say),
        )


def _new(say: Texts) -> None:
    tracker, snapshot = session.tracker(), session.snapshot()
    if snapshot.edition is None:
        st.info(say("error.no_boundaries"))
        return
    wards = tracker.wards(snapshot.edition)
    names = {
        str(code): f"{say('word.' + kind) if kind else ''} {name} ({code})".strip()
        for code, kind, name in zip(wards["code"], wards["kind"], wards["name"], strict=True)
    }
    left, right = st.columns(2, gap="medium")
    with left:
        ordered = sorted(names, key=names.__getitem__)
        ward = widgets.choose("record.ward", say("record.ward"), ordered, names.__getitem__)
        on = _day(say)
        options = (EventType.PROPOSED, EventType.DESIGNATED)
        event = st.radio(
            say("record.event"), options, format_func=lambda event: say(f"event.{event}")
        )
        plan_year = _plan_year(event, on, say)
    with right:
        kinds = snapshot.programme.kinds
        chosen = st.multiselect(
            say("record.kinds"),
            list(kinds),
            format_func=lambda kind: f"{kind}. {kinds[kind].of(say.language)}",
        )
        by, note = _author(say), _note(say)
        st.session_state[_SEEN] = tracker.version(f"{ward}-{plan_year}")
        _button(
            say("record.save"),
            say,
            lambda seen: _save(
                f"{ward}-{plan_year}",
                event,
                on,
                by,
                note,
                plan_year,
                ward,
                tuple(sorted(chosen)),
                seen,
                say,
            ),
        )


def _correct(say: Texts) -> None:
    hotspot = _hotspot(say)
    if hotspot is None:
        return
    file = session.tracker().hotspot(hotspot, session.today())
    named = {event.event_id: _event_line(event, say) for event in file.events}
    left, right = st.columns(2, gap="medium")
    with left:
        which = widgets.choose(
            "record.which", say("record.which"), list(reversed(named)), named.__getitem__
        )
        how = st.radio(
            say("record.correct_what"),
            ("date", "strike"),
            format_func=lambda how: say(f"record.correct_{how}"),
        )
        event = next(event for event in file.events if event.event_id == which)
        day = event.effective_on
        if how == "date":
            day = st.date_input(
                say("record.new_date"),
                value=event.effective_on,
                max_value=session.today(),
                format="DD/MM/YYYY",
                key=f"correct:{which}",
            )
    with right:
        by = _author(say)
        reason = st.text_area(say("record.reason"), help=say("record.note_help"), max_chars=500)
        st.session_state[_SEEN] = session.tracker().version(hotspot)
        _button(
            say("record.save_correction"),
            say,
            lambda seen: _save_correction(hotspot, which, day, how, by, reason, seen, say),
        )


# -- saving: in a callback, so that what the person saw is what is compared with the store


def _button(label: str, say: Texts, save: Callable[[int], str]) -> None:
    st.button(label, type="primary", key="record.save", on_click=_saving, args=(save, say))


def _saving(save: Callable[[int], str], say: Texts) -> None:
    try:
        done = save(st.session_state.get(_SEEN, 0))
    except HotspotsError as error:
        st.session_state[_MESSAGE] = ("error", say.error(error))
        return
    st.session_state[_MESSAGE] = ("success", done)
    st.session_state.pop(_DRAFT, None)
    st.session_state.pop(session.widget_key("record.note"), None)
    st.session_state.pop("record.note", None)


def _save(
    hotspot: str,
    event: EventType,
    on: date,
    by: str,
    note: str,
    plan_year: int | None,
    ward: str | None,
    kinds: tuple[int, ...],
    seen: int,
    say: Texts,
) -> str:
    _require_author(by, say)
    entry = Entry(
        hotspot=hotspot,
        event=event,
        on=on,
        by=by,
        recorded_at=session.now(),
        note=note,
        plan_year=plan_year if event in NEEDS_PLAN_YEAR else None,
        ward=ward,
        kinds=kinds,
        event_id=_draft_id(),
    )
    written = session.tracker().record(entry, today=session.today(), expected_version=seen)
    return say(
        "record.saved",
        event=say(f"event.{event}"),
        hotspot=hotspot,
        on=on,
        by=written.recorded_by,
        at=written.recorded_at.astimezone(),
    )


def _save_correction(
    hotspot: str, which: str, day: date, how: str, by: str, reason: str, seen: int, say: Texts
) -> str:
    _require_author(by, say)
    session.tracker().correct(
        hotspot,
        which,
        by=by,
        now=session.now(),
        today=session.today(),
        reason=reason,
        on=day,
        strike=how == "strike",
        expected_version=seen,
    )
    return say("record.corrected", hotspot=hotspot)


def _require_author(by: str, say: Texts) -> None:
    if not by.strip():
        raise HotspotsError("by_missing", say("record.by_missing"))


def _draft_id() -> str:
    """Return the id of the event being written: a second click writes the same event."""
    return str(st.session_state.setdefault(_DRAFT, str(uuid.uuid4())))


def _last_message() -> None:
    kind, text = st.session_state.pop(_MESSAGE, ("", ""))
    if kind == "success":
        st.success(widgets.plain(text), icon=":material/check:")
    elif kind == "error":
        st.error(widgets.plain(text), icon=":material/block:")


# -- the questions


def _hotspot(say: Texts) -> str | None:
    names = widgets.hotspot_names(session.tracker().snapshot(session.today()))
    if not names:
        st.info(say("hotspot.none"))
        return None
    return widgets.choose("record.hotspot", say("record.hotspot"), list(names), names.__getitem__)


def _day(say: Texts) -> date:
    return widgets.remembered(
        "record.on",
        lambda key: st.date_input(
            say("record.on"),
            min_value=date(2015, 1, 1),
            max_value=session.today(),
            format="DD/MM/YYYY",
            key=key,
        ),
        start=session.as_of(),
    )


def _status_on(hotspot: str, on: date, say: Texts) -> None:
    state = session.tracker().hotspot(hotspot, on).state
    st.caption(say("record.status_now", on=on, status=say(f"status.{state.status}")))


def _plan_year(event: EventType, on: date, say: Texts) -> int | None:
    if event not in NEEDS_PLAN_YEAR:
        return None
    years = session.tracker().programme().years
    likely = on.year + 1 if event is EventType.PROPOSED and on.month > 6 else on.year
    start = years.index(likely) if likely in years else 0
    return int(st.selectbox(say("record.plan_year"), years, index=start))


def _author(say: Texts) -> str:
    return widgets.remembered(
        "record.by",
        lambda key: st.text_input(
            say("record.by"), help=say("record.by_help"), max_chars=80, key=key
        ),
        start="",
    )


def _note(say: Texts) -> str:
    return widgets.remembered(
        "record.note",
        lambda key: st.text_area(
            say("record.note"), help=say("record.note_help"), max_chars=500, key=key
        ),
        start="",
    )


def _event_line(event: Event, say: Texts) -> str:
    return f"{say.day(event.effective_on)} · {say(f'event.{event.type}')} · {event.recorded_by}"


def _latest(say: Texts) -> None:
    st.subheader(say("record.last_events"))
    rows = [
        {
            say("column.recorded_at"): say.show(event.recorded_at.astimezone()),
            say("column.hotspot"): event.hotspot,
            say("column.event"): say(f"event.{event.type}"),
            say("column.on"): say.day(event.effective_on),
            say("column.by"): event.recorded_by,
            say("column.note"): event.note,
        }
        for event in session.tracker().latest_events(8)
    ]
    st.dataframe(rows, hide_index=True, width="stretch")
