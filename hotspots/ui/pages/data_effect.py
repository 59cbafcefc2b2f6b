"""What importing a file does to the store: on whose boundaries, and whether figures give way."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import streamlit as st

from hotspots.importing import Decision
from hotspots.measures.file_kinds import FileKind
from hotspots.measures.mapping import ColumnMapping
from hotspots.records.intake import Wish
from hotspots.text import Texts
from hotspots.ui import session
from hotspots.ui.pages.data_work import Work

_REPLACEABLE = (FileKind.INCIDENTS, FileKind.COUNTS)
_VALUES = (FileKind.INDICATORS, FileKind.SCORECARDS, FileKind.POPULATIONS)


def ask(
    work: Work, kind: FileKind, mapping: ColumnMapping, say: Texts
) -> tuple[Decision, list[str]]:
    """Ask for the boundaries that the codes belong to, and whether earlier figures give way."""
    reading = {
        each.name: value
        for each in fields(Wish)
        if (value := getattr(work.wish, each.name)) not in (None, False)
    }
    decision = Decision(
        kind, replace(mapping, reading=reading), dropped=work.dropped, kept=work.kept
    )
    if kind is FileKind.BOUNDARIES:
        return _first_day(work, decision, say)
    if kind is FileKind.CROSSWALK:
        return _two_editions(work, decision, say)
    if kind is not FileKind.STATUS:
        st.subheader(say("data.effect"))
    edition = ""
    left, right = st.columns(2, gap="large")
    if "ward" in mapping.columns and kind is not FileKind.STATUS:
        with right:
            edition = _edition(work, say)
    with left:
        replaces = _replaces(work, kind, say)
    if edition:
        decision = replace(
            decision,
            mapping=replace(decision.mapping, edition=edition),
            edition=date.fromisoformat(edition),
        )
    return replace(decision, replaces=replaces), []


def _edition(work: Work, say: Texts) -> str:
    editions = [edition.edition for edition in session.tracker().editions()]
    options = ["", *reversed(editions)]
    chosen: str = work.choose(
        "edition",
        options,
        lambda key: st.selectbox(
            say("data.edition"),
            options,
            format_func=lambda day: (
                say("app.edition", edition=date.fromisoformat(day))
                if day
                else say("data.edition_by_day")
            ),
            help=say("data.edition_help"),
            key=key,
        ),
        start=work.given.edition if work.given.edition in options else "",
    )
    return chosen or ""


def _replaces(work: Work, kind: FileKind, say: Texts) -> str:
    if kind in _REPLACEABLE:
        options, group = ["", "wards", "period"], "data.replaces"
    elif kind in _VALUES:
        options, group = ["", "wards"], "data.replaces_value"
    else:
        return ""
    names = {option: f"{group}_{option or 'nothing'}" for option in options}
    chosen: str = work.choose(
        f"replaces:{kind}",
        options,
        lambda key: st.radio(
            say("data.replaces"),
            options,
            format_func=lambda option: say(names[option]),
            captions=[say(f"{names[option]}_help") for option in options],
            key=key,
        ),
        start="",
    )
    return chosen or ""


def _first_day(work: Work, decision: Decision, say: Texts) -> tuple[Decision, list[str]]:
    left, right = st.columns(2, gap="large")
    with left:
        day = work.ask(
            "first day",
            lambda key: st.date_input(
                say("data.first_day"),
                value=None,
                min_value=date(1990, 1, 1),
                max_value=date(2100, 12, 31),
                format="DD/MM/YYYY",
                help=say("data.first_day_help"),
                key=key,
            ),
            start=None,
        )
    there = {edition.edition for edition in session.tracker().editions()}
    if isinstance(day, date) and day.isoformat() in there:
        with right:
            agreed = work.ask(
                "replace edition",
                lambda key: st.checkbox(say("data.replace_edition"), key=key),
                start=False,
            )
        decision = replace(decision, replaces="period" if agreed else "")
        lacking = [] if agreed else [say("data.lacks_replace_edition", edition=day)]
        return replace(decision, edition=day), lacking
    if not isinstance(day, date):
        return decision, [say("data.lacks_first_day")]
    return replace(decision, edition=day), []


def _two_editions(work: Work, decision: Decision, say: Texts) -> tuple[Decision, list[str]]:
    editions = [edition.edition for edition in session.tracker().editions()]
    if len(editions) < 2:
        return decision, [say("data.lacks_two_editions")]
    days: list[date] = []
    for place, name, start in zip(
        st.columns(2, gap="large"), ("earlier", "later"), editions[-2:], strict=True
    ):
        with place:
            day = work.choose(
                f"edition {name}",
                editions,
                lambda key, name=name: st.selectbox(
                    say(f"data.edition_{name}"),
                    editions,
                    format_func=lambda first: say("app.edition", edition=date.fromisoformat(first)),
                    key=key,
                ),
                start=start,
            )
        days.append(date.fromisoformat(day))
    return replace(decision, earlier=days[0], edition=days[1]), []
