"""Lựa chọn địa bàn: wards by smoothed level, a list of K, and its proposals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd
import streamlit as st

from hotspots.errors import HotspotsError
from hotspots.programme.roles import Permission
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
    missing = session.tracker().not_ranked(table, snapshot.as_of)
    if missing:
        names = ", ".join(missing[:12]) + (", …" if len(missing) > 12 else "")
        line = say("selection.not_ranked", count=len(missing), names=names)
        st.info(widgets.plain(line))
    left, right = st.columns([5, 3], gap="medium")
    with left:
        st.subheader(say("selection.ranking"))
        st.caption(say("selection.pick_help"))
        chosen = _pick(table, year, count, snapshot, say)
    with right:
        st.subheader(say("selection.map"))
        _map(table, chosen, year, snapshot, say)
        _compare(chosen, year, snapshot, say)
    _reasons(table, chosen, say)
    _propose(table, chosen, year, snapshot, say)


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


def _pick(table: pd.DataFrame, year: int, count: int, snapshot: Snapshot, say: Texts) -> list[str]:
    """Show the ranking with a box to tick on each ward; the first K are ticked to begin with.

    The ticks are kept for when the page is left: they are what the table begins with next time,
    while it is shown only the person changes it.
    """
    names = {
        "choose": say("column.choose"),
        "rank": say("column.rank"),
        "name": say("column.ward"),
        "score": say("column.score"),
        "last12": say("column.last12"),
        "mean36": say("column.mean36"),
        "stage": say("column.status"),
    }
    place = f"{year}:{count}:{snapshot.as_of}:{snapshot.edition.edition}"
    key = f"selection.editor:{place}:{say.language}"
    kept, start = f"selection.kept:{place}", f"selection.start:{place}"
    if key not in st.session_state:
        st.session_state[start] = st.session_state.get(kept, list(table.index[:count]))
    stages = {
        ward: say(f"stage.{stage}")
        for ward, stage in snapshot.ward_stage.items()
        if stage != "not_listed"
    }
    shown = pd.DataFrame(
        {
            "choose": table.index.isin(st.session_state[start]),
            "rank": table["rank"],
            "name": table["name"],
            "score": [say.number(value) for value in table["score"]],
            "last12": [say.number(value) for value in table["last12"]],
            "mean36": [say.number(value) for value in table["mean36"]],
            "stage": [stages.get(str(ward), "") for ward in table.index],
        },
        index=table.index,
    )
    widths = {"choose": 76, "rank": 56, "name": 128, "score": 62, "last12": 92, "mean36": 92}
    edited = st.data_editor(
        shown.rename(columns=names),
        disabled=[label for column, label in names.items() if column != "choose"],
        hide_index=True,
        column_config={
            names[column]: st.column_config.Column(width=width) for column, width in widths.items()
        },
        height=560,
        width="stretch",
        key=key,
    )
    chosen = [str(code) for code in edited.index[edited[names["choose"]]]]
    st.session_state[kept] = chosen
    return chosen


def _map(table: pd.DataFrame, chosen: list[str], year: int, snapshot: Snapshot, say: Texts) -> None:
    classes = (
        MapClass("chosen", say("selection.chosen"), "#0b4f8a", ""),
        MapClass("dropped", say("selection.dropped"), STAGE_STYLE["in_work"].colour, "–"),
        MapClass("not", say("selection.not_chosen"), STAGE_STYLE["not_listed"].colour, ""),
    )
    dropped = session.tracker().list_of(year - 1, snapshot.as_of) - set(chosen)
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


def _compare(chosen: list[str], year: int, snapshot: Snapshot, say: Texts) -> None:
    st.markdown(f"**{say('selection.compare')}**")
    compared = session.tracker().compare(chosen, year, snapshot.as_of)
    names = session.tracker().boundaries.names(snapshot.edition.edition)["name"]
    for part in ("kept", "new", "dropped"):
        wards = getattr(compared, part)
        named = ", ".join(names.get(code, code) for code in wards)
        label = say(f"selection.{part}")
        st.markdown(f"{label} ({len(wards)}): {widgets.plain(named) or '–'}")


def _reasons(table: pd.DataFrame, chosen: list[str], say: Texts) -> None:
    with st.expander(say("selection.reasons")):
        for code in chosen:
            st.markdown(f"**{widgets.plain(str(table.loc[code, 'name']))}**")
            found = session.tracker().selection_reasons(table, code)
            widgets.reasons(say.reason(reason.code, reason.facts) for reason in found)


def _propose(
    table: pd.DataFrame, chosen: list[str], year: int, snapshot: Snapshot, say: Texts
) -> None:
    """Offer to propose those of the chosen wards that may be."""
    if not chosen:
        st.info(say("selection.nothing_chosen"))
        return
    taken = session.tracker().cannot_be_proposed(chosen, snapshot.as_of)
    if taken:
        named = ", ".join(str(table.loc[ward, "name"]) for ward in taken)
        st.info(widgets.plain(say("selection.cannot", count=str(len(taken)), names=named)))
    free = [ward for ward in chosen if ward not in taken]
    if not session.tracker().may(Permission.PROPOSE):
        st.info(say("selection.not_allowed"))
        return
    with st.form("selection.propose", enter_to_submit=False):
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
            args=(free, year, snapshot.as_of, dict(table["name"]), say),
        )


def _write(wards: list[str], year: int, on: date, names: Mapping[str, str], say: Texts) -> None:
    try:
        user = session.user()
    except HotspotsError as error:
        st.session_state[_MESSAGE] = (None, [say.error(error)])
        return
    by = str(st.session_state.get(session.widget_key("record.by")) or "")
    if user is not None:
        by = user.name
    else:
        st.session_state["record.by"] = by
    if not by.strip():
        st.session_state[_MESSAGE] = (None, [say("record.by_missing")])
        return
    kinds = tuple(sorted(st.session_state.get("selection.kinds") or ()))
    try:
        written, refused = session.tracker().propose(
            wards, year, on, by=by, today=session.today(), now=session.now(), kinds=kinds
        )
    except HotspotsError as error:
        st.session_state[_MESSAGE] = (None, [say.error(error)])
        return
    problems = [
        say("selection.refused", ward=names[ward], problem=say.error(error))
        for ward, error in refused.items()
    ]
    done = say("selection.proposed", count=str(len(written))) if written else None
    st.session_state[_MESSAGE] = (done, problems)


def _last_message() -> None:
    done, problems = st.session_state.pop(_MESSAGE, (None, []))
    if done is not None:
        st.success(done, icon=":material/check:")
    if problems:
        st.warning("  \n".join(widgets.plain(problem) for problem in problems))
