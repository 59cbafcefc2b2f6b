"""Which kind of file it is, which column holds what, and how its cells are written."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from hotspots.import_words import question_line
from hotspots.measures.file_kinds import NEEDS, FileKind, fields, missing_roles
from hotspots.measures.mapping import ColumnMapping, Guess, Question
from hotspots.text import Texts
from hotspots.ui import widgets
from hotspots.ui.pages import data_work
from hotspots.ui.pages.data_work import Work, short


def ask_kind(work: Work, say: Texts) -> FileKind | None:
    """Ask for the kind of file; where it is not certain nothing is chosen to begin with."""
    allowed = data_work.kinds_allowed()
    guessed = work.upload.guess
    sure = all(question.code != "kind" for question in guessed.questions)
    start = work.given.kind or (guessed.kind if sure else None)
    left, right = st.columns([1, 2], gap="medium", vertical_alignment="bottom")
    with left:
        kind: FileKind | None = work.choose(
            "kind",
            list(allowed),
            lambda key: st.selectbox(
                say("data.kind"),
                allowed,
                index=None,
                format_func=lambda kind: say(f"file_kind.{kind}"),
                placeholder=say("data.choose"),
                key=key,
            ),
            start=start if start in allowed else None,
        )
    with right:
        if guessed.kind not in allowed and kind is None:
            st.caption(say("data.kind_of_others", kind=say(f"file_kind.{guessed.kind}")))
        elif kind is None:
            st.caption(say("data.kind_not_sure", kind=say(f"file_kind.{guessed.kind}")))
        else:
            st.caption(say(f"data.about_{kind}"))
    return kind


def ask_columns(work: Work, kind: FileKind, say: Texts) -> dict[str, str]:
    """Ask which column holds what; return role to column for those there are."""
    start = dict(work.guess(kind).mapping.columns)
    if work.given.kind in (None, kind):
        start |= work.given.columns
    options = ["", *(name for name in work.shown_columns if name not in work.dropped)]
    needed = {role for alternatives in NEEDS[kind] for role in _always(alternatives)}
    chosen: dict[str, str] = {}
    roles = list(fields(kind))
    for row in range(0, len(roles), 3):
        for place, role in zip(st.columns(3, gap="medium"), roles[row : row + 3], strict=False):
            sign = " *" if role in needed else ""
            with place:
                column = work.choose(
                    f"column:{kind}:{role}",
                    options,
                    lambda key, role=role, sign=sign: st.selectbox(
                        f"{_capital(say(f'field.{role}'))}{sign}",
                        options,
                        format_func=lambda name: _column_words(name, work, say),
                        key=key,
                    ),
                    start=start.get(role, "") if start.get(role, "") in options else "",
                )
            if column:
                chosen[role] = column
    st.caption(say("data.needed_ward_or_point" if kind is FileKind.INCIDENTS else "data.needed"))
    return chosen


def _always(alternatives: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Return the roles of a need that has no alternative."""
    return alternatives[0] if len(alternatives) == 1 else ()


def _column_words(name: str, work: Work, say: Texts) -> str:
    return work.upload.label(name) if name else say("data.no_column")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def lacking(kind: FileKind, chosen: dict[str, str], work: Work, say: Texts) -> list[str]:
    """Return which columns are still to be chosen, and which stand for two things."""
    found = [
        say("data.lacks_column", field=say(f"field.{role}"))
        for role in missing_roles(kind, frozenset(chosen))
    ]
    used = list(chosen.values())
    twice = sorted({name for name in used if used.count(name) > 1})
    return found + [say("data.column_twice", column=work.upload.label(name)) for name in twice]


# -- how cells are written


def ask_questions(
    work: Work, mapping: ColumnMapping, found: Guess, say: Texts
) -> tuple[ColumnMapping, list[str]]:
    """Ask what cannot be seen; return the mapping with the answers, and what is still open."""
    open_questions = []
    for question in found.questions:
        words = widgets.plain(question_line(question, say))
        if question.code in ("column_choice", "names_for_codes"):
            st.info(words, icon=":material/info:")
        elif question.code == "dates_half_converted":
            st.warning(words, icon=":material/warning:")
        elif question.code in ("date_order", "number_style", "axes_swapped"):
            answer = _answer(work, mapping.kind, question, words, say)
            if answer is None:
                open_questions.append(say("data.lacks_answer", column=question.column))
            else:
                mapping = _with_answer(mapping, question, answer)
    return mapping, open_questions


def _answer(
    work: Work, kind: FileKind | None, question: Question, words: str, say: Texts
) -> str | None:
    start = {
        "date_order": work.given.date_order,
        "number_style": work.given.numbers.get(question.role, ""),
    }.get(question.code, "")
    group = "data.axes" if question.code == "axes_swapped" else question.code
    options = list(question.options)
    answer: str | None = work.choose(
        f"{question.code}:{kind}:{question.role}:{short(question.column)}",
        options,
        lambda key: st.radio(
            words,
            options,
            index=None,
            format_func=lambda option: _option_words(group, option, say),
            key=key,
        ),
        start=start,
    )
    return answer


def _option_words(group: str, option: str, say: Texts) -> str:
    key = f"{group}_{option}" if group.startswith("data.") else f"{group}.{option}"
    return widgets.plain(say(key) if say.has(key) else option)


def _with_answer(mapping: ColumnMapping, question: Question, answer: str) -> ColumnMapping:
    if question.code == "date_order":
        return replace(mapping, date_order=answer)
    if question.code == "number_style":
        return replace(mapping, numbers={**mapping.numbers, question.role: answer})
    if answer == "swap":
        exchanged = {"lon": mapping.columns["lat"], "lat": mapping.columns["lon"]}
        return replace(mapping, columns={**mapping.columns, **exchanged})
    return mapping
