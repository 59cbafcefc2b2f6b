"""What the words of an uploaded file mean here: its categories, sources and wards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from hotspots.measures.file_kinds import SOURCES
from hotspots.measures.mapping import ColumnMapping, Guess, Unknown
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.pages.data_work import CELL_SHOWN, Work, short

_WORDS_AT_ONCE, _WARDS_AT_ONCE = 12, 8
_REJECT = "-"


def ask(work: Work, mapping: ColumnMapping, found: Guess, say: Texts) -> ColumnMapping:
    """Ask what the file's words for categories, sources and wards mean here."""
    categories = {
        code: f"{category.label.of(say.language)} ({code})"
        for code, category in session.tracker().programme().categories.items()
    }
    sources = {code: say(f"source.{code}") for code in SOURCES} | {"": say("source.unknown")}
    wards = {
        code: f"{name} ({code})"
        for code, name in sorted(_current_wards().items(), key=lambda item: item[1])
    }
    groups = (
        ("categories", found.unknown_categories, categories, _WORDS_AT_ONCE),
        ("sources", found.unknown_sources, sources, _WORDS_AT_ONCE),
        ("wards", found.unknown_wards, wards, _WARDS_AT_ONCE),
    )
    for name, words, meanings, most in groups:
        given = dict(getattr(work.given, name))
        if words:
            given |= _meanings(work, name, words, meanings, most, say)
        mapping = replace(mapping, **{name: given})
    return mapping


def _current_wards() -> dict[str, str]:
    editions = session.tracker().editions()
    if not editions:
        return {}
    names = session.tracker().boundaries.names(editions[-1].edition)["name"]
    return {str(code): str(name) for code, name in names.items()}


def _meanings(
    work: Work,
    group: str,
    words: Sequence[Unknown],
    meanings: dict[str, str],
    most: int,
    say: Texts,
) -> dict[str, str]:
    """Ask for each word, the most frequent first; return those that have a meaning now."""
    given: dict[str, str] = getattr(work.given, group)
    suggested = [word for word in words if word.suggestion]
    with st.container(border=True):
        st.markdown(f"**{say(f'data.unknown_{group}', count=len(words))}**")
        st.caption(say(f"data.unknown_{group}_help"))
        if suggested:
            st.button(
                say("data.accept", count=len(suggested)),
                key=work.key(f"accept:{group}"),
                on_click=_accept,
                args=(work, group, suggested),
                icon=":material/done_all:",
            )
        shown = min(len(words), int(work.answers.get(f"more:{group}", most)))
        for word in words[:shown]:
            _meaning(work, group, word, meanings, given, say)
        if shown < len(words):
            st.button(
                say("data.more", count=len(words) - shown),
                key=work.key(f"more:{group}"),
                on_click=work.put,
                args=(f"more:{group}", shown + most),
            )
    answers = {
        word.given: work.answer(f"{group}:{short(word.given)}", given.get(word.given, _REJECT))
        for word in words
    }
    return {word: meaning for word, meaning in answers.items() if meaning != _REJECT}


def _meaning(
    work: Work,
    group: str,
    word: Unknown,
    meanings: dict[str, str],
    given: dict[str, str],
    say: Texts,
) -> None:
    left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
    with left:
        st.markdown(f"**{widgets.plain(word.given[:CELL_SHOWN])}**")
        rows = say("data.rows", count=word.rows)
        offered = meanings.get(word.suggestion, word.suggestion)
        hint = say("data.suggestion", word=offered) if word.suggestion else ""
        st.caption(widgets.plain(f"{rows} · {hint}" if hint else rows))
    with right:
        options = [_REJECT, *meanings]
        work.choose(
            f"{group}:{short(word.given)}",
            options,
            lambda key: st.selectbox(
                widgets.plain(word.given[:CELL_SHOWN]),
                options,
                format_func=lambda code: meanings.get(code, say("data.unknown_stays")),
                key=key,
                label_visibility="collapsed",
            ),
            start=given.get(word.given, _REJECT),
        )


def _accept(work: Work, group: str, words: Sequence[Unknown]) -> None:
    for word in words:
        work.put(f"{group}:{short(word.given)}", word.suggestion)
