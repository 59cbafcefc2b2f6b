"""Columns of an uploaded file that look like persons: left out, or kept for a reason."""

from __future__ import annotations

import streamlit as st

from hotspots.import_words import suspicion_line
from hotspots.text import Texts
from hotspots.ui import widgets
from hotspots.ui.pages.data_work import Work, asked


def ask(work: Work, say: Texts) -> list[str]:
    """Show what looks like persons; return what is still to be decided."""
    upload = work.upload
    if not upload.suspicions:
        return []
    st.subheader(say("data.personal"))
    lacking = []
    if upload.refused:
        lacking += _refused(work, say)
    for column in upload.asked:
        lacking += _suspected(work, column, say)
    return lacking


def _refused(work: Work, say: Texts) -> list[str]:
    upload = work.upload
    labels = ", ".join(upload.label(column) for column in upload.refused)
    if work.answers.get("refused dropped"):
        st.success(
            widgets.plain(say("data.left_out", count=len(upload.refused), columns=labels)),
            icon=":material/visibility_off:",
        )
        return []
    with st.container(border=True):
        st.markdown(f":red[:material/block:] **{say('data.refused')}**")
        widgets.reasons(
            suspicion_line(item, say) for item in upload.suspicions if item.grade == "refused"
        )
        st.button(
            say("data.leave_out", count=len(upload.refused)),
            key=work.key("leave out"),
            on_click=work.put,
            args=("refused dropped", True),
            type="primary",
            icon=":material/visibility_off:",
        )
    return [say("data.lacks_refused")]


def _suspected(work: Work, column: str, say: Texts) -> list[str]:
    upload = work.upload
    position = upload.reading.columns.index(column)
    with st.container(border=True):
        widgets.reasons(
            suspicion_line(item, say)
            for item in upload.suspicions
            if item.position == position and item.grade == "asked"
        )
        left, right = st.columns([1, 2], gap="medium")
        with left:
            answer = work.choose(
                asked(column),
                ["drop", "keep"],
                lambda key: st.radio(
                    say("data.asked"),
                    ["drop", "keep"],
                    index=None,
                    format_func=lambda what: say(f"data.asked_{what}"),
                    key=key,
                    horizontal=True,
                ),
            )
        reason = ""
        if answer == "keep":
            with right:
                reason = work.ask(
                    f"why {asked(column)}",
                    lambda key: st.text_input(
                        say("data.why_kept"), help=say("data.why_kept_help"), max_chars=200, key=key
                    ),
                    start="",
                )
    if answer is None or (answer == "keep" and not reason.strip()):
        return [say("data.lacks_asked", column=upload.label(column))]
    return []
