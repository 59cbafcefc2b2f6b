"""Dữ liệu: bring a file in, step by step; nothing is written before the person confirms."""

from __future__ import annotations

import json

import streamlit as st

from hotspots.errors import HotspotsError
from hotspots.import_words import import_cells
from hotspots.measures.file_kinds import FileKind, fields, missing_roles, template
from hotspots.measures.mapping import ColumnMapping, read_mapping
from hotspots.records.intake import SUFFIXES
from hotspots.reports.tables import xlsx_bytes
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.pages import data_look, data_trial, data_work

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_STEPS = ("choose", "look", "try", "confirm", "receipt")
_AT = {"look": (1,), "trying": (2,), "tried": (2, 3), "done": (4,)}
_MOST_IMPORTS = 100
_MOST_MAPPING = 200_000


def show() -> None:
    """Draw the page."""
    say = session.say()
    st.title(say("data.title"))
    if not data_work.kinds_allowed():
        data_work.drop()
        st.info(say("data.not_allowed"))
        return
    st.caption(say("data.intro"))
    work = data_work.current()
    _rail((0,) if work is None else _AT[work.stage], say)
    if work is None:
        _choose(say)
        _imports(say)
    elif work.stage == "look":
        data_look.show(work, say)
    elif work.stage == "trying":
        data_trial.run(work, say)
    elif work.stage == "tried":
        data_trial.show(work, say)
    else:
        data_trial.receipt(work, say)
        _imports(say)


def _rail(at: tuple[int, ...], say: Texts) -> None:
    """Show the five steps: behind, here, ahead."""
    with st.container(horizontal=True, gap="small"):
        for place, name in enumerate(_STEPS):
            words = f"{place + 1}. {say(f'data.step_{name}')}"
            if place in at:
                st.badge(words, color="blue", icon=":material/arrow_right_alt:")
            elif place < min(at):
                st.badge(words, color="green", icon=":material/check:")
            else:
                st.badge(words, color="gray")


# -- 1: choose a file


def _choose(say: Texts) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader(say("data.step_choose"))
        above = st.container()
        given = _mapping(say)
        with above:
            _upload(given, say)
    with right:
        st.subheader(say("data.templates"))
        _templates(say)


def _upload(given: ColumnMapping, say: Texts) -> None:
    _uploader_words(say)
    # Every kind of file may be dropped here: of one that is not read, the refusal says what to do.
    uploaded = st.file_uploader(
        say("data.file"), key=f"data.file:{data_work.round_of_uploads()}", max_upload_size=500
    )
    st.caption(say("data.endings", endings=", ".join(SUFFIXES)))
    if uploaded is None:
        return
    tried = f"{uploaded.file_id} {hash(repr(given))}"
    problem = data_work.failed(tried)
    if problem is None:
        try:
            with data_work.shown_progress(say("data.opening")) as progress:
                data_work.begin(uploaded.name, uploaded.getvalue(), given, progress)
        except HotspotsError as error:
            data_work.note_failure(tried, error)
            problem = error
        else:
            st.rerun()
    widgets.problem(problem, say)


def _mapping(say: Texts) -> ColumnMapping:
    """Let the person bring a saved mapping along."""
    with st.expander(say("data.use_mapping"), icon=":material/account_tree:"):
        st.caption(say("data.use_mapping_help"))
        uploaded = st.file_uploader(
            say("data.mapping_file"),
            key=f"data.mapping:{data_work.round_of_uploads()}",
            max_upload_size=1,
        )
        if uploaded is None:
            return ColumnMapping()
        try:
            text = uploaded.getvalue()[:_MOST_MAPPING].decode("utf-8-sig", errors="replace")
            given = read_mapping(text, session.tracker().programme())
        except HotspotsError as error:
            widgets.problem(error, say)
            return ColumnMapping()
        kind = say("word.none") if given.kind is None else say(f"file_kind.{given.kind}")
        st.success(
            say("data.mapping_read", kind=kind, count=len(given.columns)), icon=":material/check:"
        )
        return given


def _uploader_words(say: Texts) -> None:
    """Put Streamlit's English words on the box to drop files in into the session's language."""
    words = (say(f"data.{word}") for word in ("drop_here", "browse"))
    drop, browse = (json.dumps(word, ensure_ascii=False) for word in words)
    box = '[data-testid="stFileUploaderDropzone"]'
    st.html(
        f"""<style>
{box} [data-testid="stFileUploaderDropzoneInstructions"] * {{ display: none; }}
{box} [data-testid="stFileUploaderDropzoneInstructions"]::after {{ content: {drop}; opacity: .75; }}
{box} button p {{ font-size: 0; }}
{box} button p::after {{ content: {browse}; font-size: 1rem; }}
</style>"""
    )


def _templates(say: Texts) -> None:
    """Offer a file of every kind to fill in, and say what stands in it."""
    kinds = data_work.kinds_allowed()
    st.caption(say("data.templates_help"))
    kind = FileKind(
        widgets.choose(
            "data.template",
            say("data.kind"),
            [str(kind) for kind in kinds],
            lambda kind: say(f"file_kind.{kind}"),
        )
    )
    st.caption(say(f"data.about_{kind}"))
    programme, title = session.tracker().programme(), say(f"file_kind.{kind}")

    def workbook() -> bytes:
        return xlsx_bytes({title: template(kind, programme)})

    st.download_button(
        say("data.template", kind=title),
        workbook,
        file_name=f"{say('data.template_file')}-{kind}.xlsx",
        mime=_XLSX,
        icon=":material/download:",
        on_click="ignore",
        key=f"data.template:{kind}",
    )
    needed = set(missing_roles(kind, frozenset()))
    rows = [
        {
            say("data.column"): field.header,
            say("data.means"): say(f"field.{role}"),
            say("data.must"): say("word.true") if role in needed else "",
        }
        for role, field in fields(kind).items()
    ]
    with st.expander(say("data.template_columns")):
        st.dataframe(rows, hide_index=True, width="stretch")


# -- what was brought in


def _imports(say: Texts) -> None:
    st.subheader(say("data.imports"))
    batches = session.tracker().imports()
    if not batches:
        st.info(say("data.no_imports"))
        return
    widgets.cells(import_cells(batches[:_MOST_IMPORTS], say))
