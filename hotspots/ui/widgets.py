"""What several pages show: the frame, pickers that remember, cards, plain text, map classes.

Streamlit forgets a widget as soon as a page no longer draws it, so `remembered` keeps the answer
under a name of ours and hands it back, through the widget's key, when the widget is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from geo.errors import GeoError
from hotspots.errors import HotspotsError
from hotspots.measures.targets import TargetResult
from hotspots.programme.plan import Programme
from hotspots.reports.colours import STAGE_STYLE
from hotspots.reports.html import Card, Cells
from hotspots.reports.lineage import lineage_lines
from hotspots.reports.pages import (
    counts_end_line,
    doubt_lines,
    edition_line,
    not_measured_lines,
    notices,
    target_card,
)
from hotspots.snapshot import Lineage, Snapshot
from hotspots.text import LANGUAGES, Texts
from hotspots.ui import session, sign_in
from hotspots.ui.live_map import MapClass, MapTexts
from hotspots.ui.plain import plain as plain

_Answer = TypeVar("_Answer")
_TONE_BADGE = {"met": "green", "not_met": "red", "": "blue", "cannot_be_measured": "gray"}
_SYMBOL_ICON = {"✓": ":material/check:", "✕": ":material/close:", "?": ":material/hourglass_empty:"}
_EFFECT_BADGE = {"fewer": "green", "more": "red", "cannot_tell": "gray"}
_ALARM_BADGE = {"red": "red", "amber": "orange", "note": "blue", "none": "gray"}


_STYLE = """<style>
.stMainBlockContainer { padding: 2.6rem 2.4rem 3rem; }
.stMainBlockContainer h1 { padding: .2rem 0 .4rem; }
[data-testid="stSidebarUserContent"] { padding-top: .5rem; }
/* A table would leave without a line in the audit. */
[data-testid="stElementToolbarButton"]:has(button[aria-label="Download as CSV"]) { display: none; }
</style>"""


def frame() -> bool:
    """Draw what stands on every page; false when there is nothing to show a page of."""
    say = session.say()
    st.html(_STYLE)
    with st.sidebar:
        st.markdown(f"**{say('app.name')}**")
        st.caption(say("app.subtitle"))
        language_picker()
    say = session.say()
    try:
        shared = session.store()
    except HotspotsError as error:
        return _no_store(error, say)
    if not sign_in.entered(shared, say):
        return False
    try:
        session.tracker().programme()
    except HotspotsError as error:
        return _no_store(error, say)
    with st.sidebar:
        day_picker(say)
        known_picker(say)
        snapshot = session.snapshot()
        if snapshot.edition is not None:
            st.caption(edition_line(snapshot, say))
        ended = session.tracker().log_head()
        st.caption(say("app.log_head", count=str(ended.count), hash=ended.hash[:12]))
    _notice(snapshot, say)
    return True


def _no_store(error: HotspotsError, say: Texts) -> bool:
    st.title(say("app.no_store"))
    st.warning(say.error(error))
    st.markdown(say("app.no_store_next"))
    return False


def _notice(snapshot: Snapshot, say: Texts) -> None:
    """Say on every screen which day it shows, and what is simulated or sketched."""
    with st.container(horizontal=True):
        st.badge(say("report.as_of", day=snapshot.as_of), icon=":material/event:", color="blue")
        known = session.known_on()
        if known is not None:
            st.badge(say("app.as_known", day=known), icon=":material/history:", color="violet")
        waiting = len(session.tracker().pending())
        if waiting:
            st.badge(say("approvals.badge", count=waiting), icon=":material/rule:", color="gray")
        _simulated(snapshot, say)


def _simulated(snapshot: Snapshot, say: Texts) -> None:
    shown = notices(snapshot, say)
    if not shown:
        return
    lengthy = [say("app.simulated_long")] if snapshot.simulated else []
    if snapshot.edition is not None and snapshot.edition.schematic:
        lengthy.append(say("app.schematic_long"))
    st.badge(" · ".join(shown), icon=":material/science:", color="orange", help=" ".join(lengthy))


def language_picker() -> None:
    """Let the person switch the language."""
    names = {"vi": "Tiếng Việt", "en": "English"}
    remembered(
        "language",
        lambda key: st.segmented_control(
            "Ngôn ngữ · Language",
            LANGUAGES,
            format_func=names.__getitem__,
            key=key,
            label_visibility="collapsed",
            required=True,
        ),
        start=session.language(),
    )


def day_picker(say: Texts) -> None:
    """Let the person choose the day looked at."""
    remembered(
        "as_of",
        lambda key: st.date_input(
            say("app.as_of"),
            min_value=date(1990, 1, 1),
            max_value=date(2100, 12, 31),
            format="DD/MM/YYYY",
            help=say("app.as_of_help"),
            key=key,
        ),
        start=session.as_of(),
    )


def known_picker(say: Texts) -> None:
    """Let the person look at what was known on an earlier day."""
    asked = remembered(
        "known_on.asked",
        lambda key: st.toggle(say("app.known"), help=say("app.known_help"), key=key),
        start=False,
    )
    if asked:
        remembered(
            "known_on",
            lambda key: st.date_input(
                say("app.known_day"),
                min_value=date(1990, 1, 1),
                max_value=date(2100, 12, 31),
                format="DD/MM/YYYY",
                key=key,
            ),
            start=session.as_of(),
        )


def remembered(name: str, draw: Callable[[str], _Answer], start: _Answer) -> _Answer:
    """Draw a widget whose answer outlives its page, and return the answer."""
    key = session.widget_key(name)
    if key not in st.session_state:
        st.session_state[key] = st.session_state.get(name, start)
    answer = draw(key)
    st.session_state[name] = answer
    return answer


def choose(
    name: str,
    label: str,
    options: Sequence[str],
    shown: Callable[[str], str],
    **more: Any,
) -> str:
    """Draw a list to choose one from; an answer no longer on the list gives way to the first."""
    if st.session_state.get(name) not in options:
        st.session_state.pop(session.widget_key(name), None)
        st.session_state.pop(name, None)
    return remembered(
        name,
        lambda key: st.selectbox(label, options, format_func=shown, key=key, **more),
        start=options[0],
    )


def kinds_picker(name: str, programme: Programme, say: Texts) -> list[int]:
    """Ask for the kinds of a hotspot."""
    kinds = programme.kinds
    return st.multiselect(
        say("record.kinds"),
        list(kinds),
        format_func=lambda kind: f"{kind}. {kinds[kind].of(say.language)}",
        placeholder=say("record.kinds_help"),
        key=name,
    )


def problem(error: HotspotsError | GeoError, say: Texts) -> None:
    """Show what was refused and why."""
    st.error(plain(say.error(error)), icon=":material/block:")


def target(title: str, result: TargetResult, say: Texts) -> None:
    """Show one target: share, verdict, what it is made of."""
    card = target_card(title, result, say)
    with st.container(border=True):
        st.metric(card.title, card.share)
        verdict_badge(card)
        st.caption(f"{card.why[:1].upper()}{card.why[1:]}.  \n" + "  \n".join(card.lines))


def verdict_badge(card: Card) -> None:
    """Show a verdict with its sign; its colour only where the data can tell."""
    st.badge(card.verdict, icon=_SYMBOL_ICON[card.symbol], color=_TONE_BADGE[card.tone])


def alarm_badge(alarm: str, say: Texts) -> None:
    """Show an alarm level."""
    st.badge(say(f"alarm.{alarm}"), color=_ALARM_BADGE[alarm])


def effect_badge(verdict: str, say: Texts) -> None:
    """Show whether it worked, in a word: fewer, more, or cannot tell."""
    st.badge(say(f"effect.{verdict}"), color=_EFFECT_BADGE[verdict])


def cells(table: Cells) -> None:
    """Show a finished table of text."""
    rows = [dict(zip(table.headers, row, strict=True)) for row in table.rows]
    st.dataframe(rows, hide_index=True, width="stretch")


def reasons(sentences: Iterable[str]) -> None:
    """Show sentences as a list."""
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sentences))


def counts_end(monthly: pd.DataFrame, found: Lineage, snapshot: Snapshot, say: Texts) -> None:
    """Say where a ward's series ends because newer counts stand on newer boundaries."""
    line = counts_end_line(monthly, found, snapshot, say)
    if line is not None:
        st.caption(line)


def last_message(name: str) -> None:
    """Show once what a callback said: `st.session_state[name]` holds (kind, text)."""
    kind, text = st.session_state.pop(name, ("", ""))
    if kind == "success":
        st.success(plain(text), icon=":material/check:")
    elif kind == "error":
        st.error(plain(text), icon=":material/block:")


def not_measured(snapshot: Snapshot, say: Texts) -> None:
    """Name the watched hotspots whose risk could not be measured, with the reason."""
    for line in not_measured_lines(snapshot, say):
        st.warning(plain(line))


def doubts(snapshot: Snapshot, say: Texts) -> None:
    """Warn where the probabilities are far from what is on record."""
    for line in doubt_lines(snapshot, say):
        st.warning(plain(line), icon=":material/contrast:")


def lineage(found: Lineage, say: Texts) -> None:
    """Show a ward's history across boundary changes, where there is one."""
    lines = lineage_lines(found, say)
    if lines:
        st.markdown(f"**{say('lineage.title')}**")
        reasons(lines)


def stage_classes(say: Texts) -> tuple[MapClass, ...]:
    """Return the map's classes in the session's language."""
    return tuple(
        MapClass(key, say(f"stage.{key}"), style.colour, style.symbol)
        for key, style in STAGE_STYLE.items()
    )


def map_texts(say: Texts) -> MapTexts:
    """Return the map's own words in the session's language."""
    return MapTexts(
        label=say("overview.map_label"),
        zoom_in=say("overview.zoom_in"),
        zoom_out=say("overview.zoom_out"),
        fit_main=say("overview.fit_main"),
        fit_all=say("overview.fit_all"),
        fit_core=say("overview.fit_core"),
        failed=say("overview.map_failed"),
    )


def hotspot_names(snapshot: Snapshot) -> Mapping[str, str]:
    """Return every hotspot's name with its id, sorted by name."""
    names = snapshot.hotspots["name"].sort_values()
    return {str(hotspot): f"{name} ({hotspot})" for hotspot, name in names.items()}
