"""What a browser session remembers, and the one tracker that all sessions share."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import streamlit as st

from hotspots.snapshot import Snapshot
from hotspots.text import LANGUAGES, Texts, texts
from hotspots.tracker import Tracker

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

STORE_VARIABLE = "HOTSPOTS_STORE"
LANGUAGE_VARIABLE = "HOTSPOTS_LANG"


def widget_key(name: str) -> str:
    """Return the key of the widget that asks for a remembered answer."""
    return f"widget:{name}"


def answer(name: str, otherwise: object) -> object:
    """Return a remembered answer: the widget's, which is new before the script is, or the kept."""
    kept = st.session_state.get(name, otherwise)
    return st.session_state.get(widget_key(name), kept)


def tracker() -> Tracker:
    """Return the tracker of the store that the environment names."""
    return _tracker(os.environ.get(STORE_VARIABLE, "store"))


@st.cache_resource
def _tracker(location: str) -> Tracker:
    """Open the store once for all sessions; what it answers is the same for everybody."""
    return Tracker.open(location)


@st.cache_resource
def settle() -> None:
    """Take what start-up loaded out of the collector's rounds: they cost half of a click's time."""
    gc.collect()
    gc.freeze()


def say() -> Texts:
    """Return the texts of the session's language."""
    return texts(language())


def language() -> str:
    """Return the session's language; Vietnamese unless chosen otherwise."""
    default = os.environ.get(LANGUAGE_VARIABLE, LANGUAGES[0])
    chosen = answer("language", default)
    return str(chosen) if chosen in LANGUAGES else LANGUAGES[0]


def today() -> date:
    """Return the machine's day."""
    return datetime.now(UTC).astimezone().date()


def now() -> datetime:
    """Return the moment, in UTC."""
    return datetime.now(UTC)


def as_of() -> date:
    """Return the day the session looks at; nobody can look past today."""
    chosen = answer("as_of", None)
    return min(chosen, today()) if isinstance(chosen, date) else tracker().default_day(today())


def snapshot() -> Snapshot:
    """Return everything that was true on the session's day."""
    return tracker().snapshot(as_of())


def set_pages(pages: Mapping[str, StreamlitPage]) -> None:
    """Remember the pages, so that one page can lead to another."""
    st.session_state["pages"] = pages


def go_to(page: str) -> None:
    """Leave for another page."""
    pages = st.session_state.get("pages")
    if pages is not None:
        st.switch_page(pages[page])
