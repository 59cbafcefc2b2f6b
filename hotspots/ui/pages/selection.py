"""Lựa chọn địa bàn: wards by smoothed level, a list of K, and its proposals."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from hotspots.errors import HotspotsError
from hotspots.reports.colours import STAGE_STYLE
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.live_map import MapClass, live_map

_MESSAGE = "selection.message"


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("selection.title"))
    st.caption(say("selection.intro"))
    _last_message()
    year, count = _questions(snapshot, say)
    try:
        table = session.tracker().selection(year, snapshot.as_of)
    except HotspotsError as error:
        st.info(widgets.plain(say.error(error)))
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader(say("selection.ranking"))
        st.caption(say("selection.pick_help"))
        chosen = _pick(table, year, count, say)
    with right:
        st.subheader(say("selection.map"))
        _map(table, chosen, snapshot, say)
        _compare(table, chosen, say)
    _reasons(table, chosen, say)
    _propose(chosen, year, snapshot.as_of, say)


def _questions(snapshot: Snapshot, say: Texts) -> tuple[int, int]:
    first, second = st.columns(2)
    years = [str(year) for year in snapshot.programme.years]
    if "selection.year" not in st.session_state and str(snapshot.as_of.year + 1) in years:
        st.session_state["selection.year"] = str(snapshot.as_of.year + 1)
    with first:
        year = int(widgets.choose("selection.year", say("selection.year"), years, str))
    with second:
        count = widgets.remembered(
            "selection.count",
            lambda key: st.number_input(
                say("selection.count"), min_value=1, max_value=60, step=1, key=key
            ),
            start=12,
        )
    return year, int(count)


def _pick(table: pd.DataFrame, year: int, count: int, say: Texts) -> list[str]:
    """Show the ranking with a box to tick on each ward; the first K are ticked to begin with."""
    names = {
        "choose": say("column.choose"),
        "rank": say("column.rank"),
        "name": say("column.ward"),
        "score": say("column.score"),
        "last12": say("column.last12"),
        "mean36": say("column.mean36"),
        "in_last_year": say("column.in_last_year"),
    }
    shown = pd.DataFrame(
        {
            "choose": table["rank"] <= count,
            "rank": table["rank"],
            "name": table["name"],
            "score": [say.number(value) for value in table["score"]],
            "last12": [say.number(value) for value in table["last12"]],
            "mean36": [say.number(value) for value in table["mean36"]],
            "in_last_year": ["✓" if listed else "" for listed in table["in_last_year"]],
        },
        index=table.index,
    )
    edited = st.data_editor(
        shown.rename(columns=names),
        disabled=[label for column, label in names.items() if column != "choose"],
        hide_index=True,
        column_config={
            names["choose"]: st.column_config.CheckboxColumn(width=64),
            names["rank"]: st.column_config.NumberColumn(width=56),
            names["name"]: st.column_config.TextColumn(width="medium"),
        },
        height=560,
        width="stretch",
        key=f"selection.editor:{year}:{count}:{say.language}",
    )
    return [str(code) for code in edited.index[edited[names["choose"]]]]


def _map(table: pd.DataFrame, chosen: list[str], snapshot: Snapshot, say: Texts) -> None:
    classes = (
        MapClass("chosen", say("selection.chosen"), "#0b4f8a", ""),
        MapClass("dropped", say("selection.dropped"), STAGE_STYLE["in_work"].colour, "–"),
        MapClass("not", say("selection.not_chosen"), STAGE_STYLE["not_listed"].colour, ""),
    )
    dropped = set(table.index[table["in_last_year"]]) - set(chosen)
    values = dict.fromkeys(dropped, "dropped") | dict.fromkeys(chosen, "chosen")
    details = {
        str(code): f"{say('column.rank')} {rank} · {say('column.score')} {say.number(score)}"
        for code, rank, score in zip(table.index, table["rank"], table["score"], strict=True)
    }
    live_map(
        "selection",
        geometry=snapshot.edition.drawing_file,
        values=values,
        classes=classes,
        details=details,
        notice=" · ".join(widgets.notices(snapshot, say)),
        legend_title=say("selection.map"),
        height_px=420,
        texts=widgets.map_texts(say),
    )


def _compare(table: pd.DataFrame, chosen: list[str], say: Texts) -> None:
    st.markdown(f"**{say('selection.compare')}**")
    compared = session.tracker().compare(table, chosen)
    for part in ("kept", "new", "dropped"):
        wards = getattr(compared, part)
        named = ", ".join(table.loc[code, "name"] for code in wards if code in table.index)
        label = say(f"selection.{part}")
        st.markdown(f"{label} ({len(wards)}): {widgets.plain(named) or '–'}")


def _reasons(table: pd.DataFrame, chosen: list[str], say: Texts) -> None:
    with st.expander(say("selection.reasons")):
        for code in chosen:
            st.markdown(f"**{widgets.plain(str(table.loc[code, 'name']))}**")
            found = session.tracker().selection_reasons(table, code)
            widgets.reasons(say.reason(reason.code, reason.facts) for reason in found)


def _propose(chosen: list[str], year: int, on: date, say: Texts) -> None:
    if not chosen:
        st.info(say("selection.nothing_chosen"))
        return
    by = widgets.remembered(
        "record.by",
        lambda key: st.text_input(say("selection.propose_by"), max_chars=80, key=key),
        start="",
    )
    st.button(
        f"{say('selection.propose')} ({len(chosen)})",
        type="primary",
        disabled=not by.strip(),
        help=None if by.strip() else say("record.by_missing"),
        on_click=_write,
        args=(chosen, year, on, by, say),
    )


def _write(chosen: list[str], year: int, on: date, by: str, say: Texts) -> None:
    try:
        written, refused = session.tracker().propose(
            chosen, year, on, by=by, today=session.today(), now=session.now()
        )
    except HotspotsError as error:
        st.session_state[_MESSAGE] = (None, [say.error(error)])
        return
    problems = [
        say("selection.refused", ward=ward, problem=say.error(error))
        for ward, error in refused.items()
    ]
    st.session_state[_MESSAGE] = (say("selection.proposed", count=str(len(written))), problems)


def _last_message() -> None:
    done, problems = st.session_state.pop(_MESSAGE, (None, []))
    if done is not None:
        st.success(done, icon=":material/check:")
    if problems:
        st.warning("  \n".join(widgets.plain(problem) for problem in problems))
