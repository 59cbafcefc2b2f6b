"""Putting the chosen wards forward, and taking the choice along as a workbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import streamlit as st

from hotspots.choice import Question, Selection
from hotspots.errors import HotspotsError
from hotspots.programme.roles import Permission
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.pages import selection_asked

_MESSAGE = "selection.message"
_MADE = "selection.workbook"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def last_message() -> None:
    """Show once what a callback said."""
    done, problems = st.session_state.pop(_MESSAGE, (None, []))
    if done is not None:
        st.success(widgets.plain(done), icon=":material/check:")
    if problems:
        st.warning("  \n".join(widgets.plain(problem) for problem in problems))


def say_done(sentence: str) -> None:
    """Leave a sentence for the next run."""
    st.session_state[_MESSAGE] = (sentence, [])


def say_problem(sentence: str) -> None:
    """Leave a problem for the next run."""
    st.session_state[_MESSAGE] = (None, [sentence])


def show(selection: Selection, chosen: Sequence[str], snapshot: Snapshot, say: Texts) -> None:
    """Offer to propose those of the chosen wards that may be, and the workbook."""
    st.subheader(say("selection.propose_title"))
    if not chosen:
        st.info(say("selection.nothing_chosen"))
        return
    tracker = session.tracker()
    taken = tracker.open_hotspots(chosen, snapshot.as_of)
    if taken:
        lines = [
            say(
                "selection.cannot_of",
                ward=selection.names.get(ward, ward),
                hotspot=state.hotspot,
                status=say(f"status.{state.status}"),
            )
            for ward in chosen
            for state in taken.get(ward, [])
        ]
        what = widgets.plain(say("selection.cannot", count=str(len(taken))))
        st.info("\n".join([what, "", *(f"- {widgets.plain(line)}" for line in lines)]))
    free = [ward for ward in chosen if ward not in taken]
    if session.known_on() is not None:
        st.info(say("selection.propose_known_on"))
    elif tracker.may(Permission.PROPOSE):
        _form(selection, free, snapshot, say)
    else:
        st.info(say("selection.not_allowed"))
    if tracker.may(Permission.EXPORT):
        _export(selection, chosen, say)


def _form(selection: Selection, free: list[str], snapshot: Snapshot, say: Texts) -> None:
    with st.form("selection.propose", enter_to_submit=False):
        st.caption(say("selection.propose_note"))
        left, right = st.columns(2)
        with left:
            user = session.user()
            if user is not None:
                st.caption(say("record.as_user", user=widgets.plain(user.display_name)))
            else:
                widgets.remembered(
                    "record.by",
                    lambda key: st.text_input(say("selection.propose_by"), max_chars=80, key=key),
                    start="",
                )
        with right:
            widgets.kinds_picker("selection.kinds", snapshot.programme, say)
        st.form_submit_button(
            f"{say('selection.propose')} ({len(free)})",
            type="primary",
            disabled=not free,
            on_click=_write,
            args=(free, selection.question, snapshot.as_of, dict(selection.names), say),
        )


def _write(
    wards: list[str], question: Question, on: date, names: Mapping[str, str], say: Texts
) -> None:
    try:
        user = session.user()
    except HotspotsError as error:
        say_problem(say.error(error))
        return
    by = str(st.session_state.get(session.widget_key("record.by")) or "")
    if user is not None:
        by = user.name
    else:
        st.session_state["record.by"] = by
    if not by.strip():
        say_problem(say("record.by_missing"))
        return
    kinds = tuple(sorted(st.session_state.get("selection.kinds") or ()))
    if not kinds:
        say_problem(say("selection.kinds_missing"))
        return
    try:
        written, refused = session.tracker().propose(
            wards, question.year, on, by=by, today=session.today(), now=session.now(),
            kinds=kinds, question=question,
        )  # fmt: skip
    except HotspotsError as error:
        say_problem(say.error(error))
        return
    problems = [
        say("selection.refused", ward=names.get(ward, ward), problem=say.error(error))
        for ward, error in refused.items()
    ]
    done = say("selection.proposed", count=str(len(written))) if written else None
    if written and any(event.needs_approval for event in written):
        done = f"{done} {say('approvals.waits')}"
    st.session_state[_MESSAGE] = (done, problems)


def _export(selection: Selection, chosen: Sequence[str], say: Texts) -> None:
    """Make the workbook when it is asked for: taking it is a line of the audit."""
    made = st.session_state.get(_MADE)
    asked = (selection_asked.place(selection), tuple(chosen), say.language)
    if made is not None and made[0] == asked:
        st.download_button(
            say("selection.export_take"),
            made[1],
            file_name=f"{say('selection.export_file')}-{selection.question.year}.xlsx",
            mime=_XLSX,
            icon=":material/download:",
            on_click="ignore",
            key="selection.download",
        )
        return
    st.button(
        say("selection.export"),
        icon=":material/table_view:",
        on_click=_make,
        args=(asked, selection.question, selection.as_of, list(chosen), say),
        key="selection.export",
    )


def _make(
    asked: tuple[object, ...], question: Question, as_of: date, chosen: list[str], say: Texts
) -> None:
    try:
        content = session.tracker().export_selection(
            question, as_of, chosen=chosen, now=session.now(), language=say.language,
            known_on=session.known_on(),
        )  # fmt: skip
    except HotspotsError as error:
        say_problem(say.error(error))
        return
    st.session_state[_MADE] = (asked, content)
