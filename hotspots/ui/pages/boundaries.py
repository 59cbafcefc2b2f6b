"""Ranh giới: the boundary editions, what crosses from one to another, and a ward's history."""

from __future__ import annotations

from datetime import date

import streamlit as st

from hotspots.records.store import KeptCrosswalk
from hotspots.reports.html import Cells
from hotspots.reports.lineage import (
    behind_cells,
    carried_numbers,
    crosswalk_lines,
    estimated_cells,
)
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets

_MOST_FOUND = 60


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("boundaries_page.title"))
    st.caption(say("boundaries_page.intro"))
    if snapshot.edition is None:
        st.info(say("error.no_boundaries"))
        return
    _find(say)
    _editions(say)
    for kept in session.tracker().boundaries.kept_crosswalks():
        _crosswalk(kept, say)
    _carried(snapshot, say)


def _editions(say: Texts) -> None:
    editions = session.tracker().editions()
    ends = [*(edition.edition for edition in editions[1:]), None]
    rows = tuple(
        (
            say.day(date.fromisoformat(edition.edition)),
            say("word.now") if end is None else say("word.until", day=date.fromisoformat(end)),
            say.number(edition.units),
            say("boundaries.schematic") if edition.schematic else edition.source,
        )
        for edition, end in zip(editions, ends, strict=True)
    )
    columns = ("valid_from", "valid_until", "units", "source")
    st.subheader(say("boundaries_page.editions"))
    widgets.cells(Cells(tuple(say(f"column.{column}") for column in columns), rows))
    if len(editions) < 2:
        st.info(say("boundaries_page.one_edition"))


def _crosswalk(kept: KeptCrosswalk, say: Texts) -> None:
    """Show what a crosswalk says, in numbers, with the doubtful wards named."""
    found = kept.findings
    behind = found["cannot_be_carried"]
    days = {
        "earlier": date.fromisoformat(kept.from_edition),
        "later": date.fromisoformat(kept.to_edition),
    }
    st.subheader(say("boundaries_page.crosswalk", **days))
    numbers = {
        "old_wards": found["old_wards"],
        "new_wards": found["new_wards"],
        "divided": found["divided"],
        "cannot": len(behind),
    }
    for column, (name, number) in zip(st.columns(4), numbers.items(), strict=True):
        column.metric(say(f"boundaries_page.{name}"), say.number(number))
    widgets.reasons(crosswalk_lines(found, say))


def _carried(snapshot: Snapshot, say: Texts) -> None:
    """Show all counts on the boundaries of the day: what is exact, estimated, left behind."""
    carried = session.tracker().carried(snapshot.edition)
    if not carried.total:
        return
    st.subheader(say("boundaries_page.carried", edition=date.fromisoformat(carried.edition)))
    st.caption(say("boundaries_page.carried_note"))
    numbers = carried_numbers(carried, say)
    for column, (name, number) in zip(st.columns(4), numbers.items(), strict=True):
        column.metric(say(f"boundaries_page.{name}"), number)
    left, right = st.columns(2, gap="medium")
    with left:
        _listed("estimated_wards", estimated_cells(carried, say), say)
    with right:
        _listed("behind_wards", behind_cells(carried, say), say)


def _listed(title: str, table: Cells, say: Texts) -> None:
    st.markdown(f"**{say(f'boundaries_page.{title}', count=len(table.rows))}**")
    if table.rows:
        widgets.cells(table)
    else:
        st.caption(say("boundaries_page.nobody"))


def _find(say: Texts) -> None:
    """Look a ward up by name or code on all boundaries, and tell its history."""
    st.subheader(say("boundaries_page.find"))
    text = widgets.remembered(
        "boundaries.find",
        lambda key: st.text_input(
            say("boundaries_page.find_label"),
            placeholder=say("boundaries_page.find_help"),
            max_chars=80,
            key=key,
        ),
        start="",
    )
    if not text.strip():
        return
    found = session.tracker().boundaries.find(text)
    if found.empty:
        st.info(widgets.plain(say("boundaries_page.found_none", text=text)))
        return
    if len(found) > 1:
        st.caption(say("boundaries_page.found_many", count=len(found)))
    for code, name, kind, edition, match in found.head(_MOST_FOUND)[
        ["code", "name", "kind", "edition", "match"]
    ].itertuples(index=False):
        with st.container(border=True):
            title = f"{say.ward(kind, name)} ({code})"
            day = say("app.edition", edition=date.fromisoformat(edition))
            st.markdown(f"**{widgets.plain(title)}** · {day}")
            if match == "similar":
                st.caption(say("boundaries_page.similar"))
            widgets.lineage(session.tracker().lineage(code, edition), say)
    if len(found) > _MOST_FOUND:
        st.caption(say("boundaries_page.found_more", count=len(found) - _MOST_FOUND))
