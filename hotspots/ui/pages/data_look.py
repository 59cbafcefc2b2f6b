"""Step 2 of bringing a file in: what it is, what is left out, which column is what."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import streamlit as st

from hotspots.import_words import reading_lines
from hotspots.importing import Decision
from hotspots.measures.mapping import to_toml
from hotspots.text import Texts
from hotspots.ui import widgets
from hotspots.ui.pages import (
    data_columns,
    data_effect,
    data_personal,
    data_reading,
    data_words,
    data_work,
)
from hotspots.ui.pages.data_work import Work, shortened


def show(work: Work, say: Texts) -> None:
    """Draw the step; the button at its end leads to the dry run."""
    if work.problem is not None:
        widgets.problem(work.problem, say)
    _file(work, say)
    lacking = data_personal.ask(work, say)
    _sample(work, say)
    st.subheader(say("data.kind_and_columns"))
    kind = data_columns.ask_kind(work, say)
    if kind is None:
        _buttons(work, None, [*lacking, say("data.lacks_kind")], say)
        return
    chosen = data_columns.ask_columns(work, kind, say)
    lacking += data_columns.lacking(kind, chosen, work, say)
    found = work.guess(kind, chosen)
    mapping, open_questions = data_columns.ask_questions(
        work, replace(found.mapping, columns=chosen), found, say
    )
    mapping = data_words.ask(work, mapping, found, say)
    decision, lacking_days = data_effect.ask(work, kind, mapping, say)
    _buttons(work, decision, [*lacking, *open_questions, *lacking_days], say)


def _file(work: Work, say: Texts) -> None:
    """Say how the file was read, and offer to read it otherwise."""
    first, *noticed = reading_lines(work.upload.reading, say)
    with st.container(border=True):
        st.markdown(f"**{widgets.plain(first)}**")
        if noticed:
            widgets.reasons(noticed)
        if work.upload.earlier:
            batch = work.upload.earlier[-1]
            when = say.show(datetime.fromisoformat(batch.recorded_at).astimezone())
            words = say("import.earlier_file", file=batch.source, when=when)
            st.info(widgets.plain(words), icon=":material/history:")
        ragged = len(work.upload.reading.ragged)
        if ragged:
            st.warning(say("data.ragged", count=ragged), icon=":material/warning:")
        data_reading.legacy(work, say)
        with st.expander(say("data.reading"), icon=":material/tune:"):
            st.caption(say("data.reading_help"))
            wish = data_reading.ask(work, say)
    if wish != work.wish:
        data_reading.read_again(work, wish, say)


def _sample(work: Work, say: Texts) -> None:
    table = work.sample()
    st.subheader(say("data.sample"))
    if table.columns.empty:
        st.info(say("data.sample_hidden"))
        return
    hidden = len(work.upload.reading.columns) - len(table.columns)
    words = say("data.sample_note", rows=len(table), all=work.upload.reading.rows)
    st.caption(f"{words} {say('data.sample_without', count=hidden)}" if hidden else words)
    st.dataframe(shortened(table), width="stretch", height=min(390, 38 + 35 * len(table)))


def _buttons(work: Work, decision: Decision | None, lacking: list[str], say: Texts) -> None:
    if lacking:
        lines = "\n".join(f"- {widgets.plain(line)}" for line in lacking)
        st.warning(f"{say('data.lacking')}\n\n{lines}", icon=":material/checklist:")
    with st.container(horizontal=True):
        onward = st.button(
            say("data.try"),
            key=work.key("try"),
            type="primary",
            icon=":material/science:",
            disabled=bool(lacking) or decision is None,
        )
        if decision is not None:
            st.download_button(
                say("data.save_mapping"),
                to_toml(decision.mapping).encode(),
                file_name=f"{decision.kind}.toml",
                mime="application/toml",
                icon=":material/download:",
                on_click="ignore",
                key=work.key("save mapping"),
                help=say("data.save_mapping_help"),
            )
        st.button(
            say("data.cancel"),
            key=work.key("cancel"),
            on_click=data_work.drop,
            icon=":material/close:",
        )
    if onward and decision is not None and not lacking:
        work.decision, work.problem, work.stage = decision, None, "trying"
        st.rerun()
