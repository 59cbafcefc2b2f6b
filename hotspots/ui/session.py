"""What a browser session remembers, and the one tracker that all sessions share."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import streamlit as st

from hotspots.errors import NotAllowed
from hotspots.records.users import User, timed_out
from hotspots.snapshot import Snapshot
from hotspots.text import LANGUAGES, Texts, texts
from hotspots.tracker import Tracker

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

STORE_VARIABLE = "HOTSPOTS_STORE"
LANGUAGE_VARIABLE = "HOTSPOTS_LANG"
_USER, _SEEN, _EXPIRES = "session.user", "session.seen", "session.expires"
_STAYS = ("language", "widget:language", "pages")


def widget_key(name: str) -> str:
    """Return the key of the widget that asks for a remembered answer."""
    return f"widget:{name}"


def answer(name: str, otherwise: object) -> object:
    """Return a remembered answer: the widget's, which is new before the script is, or the kept."""
    kept = st.session_state.get(name, otherwise)
    return st.session_state.get(widget_key(name), kept)


def tracker() -> Tracker:
    """Return the store that the environment names, on behalf of the session's user.

    Raises
    ------
    NotAllowed
        When the store has users and nobody is signed in, or the session has ended.
    """
    shared = store()
    if not shared.has_users():
        return shared
    name, epoch = st.session_state.get(_USER, (None, None))
    if name is None:
        raise NotAllowed("not_signed_in", "The store has users; sign in to act as one of them.")
    if not shared.is_open_demonstration():
        check_time()
    return shared.acting_as(name, epoch)


def store() -> Tracker:
    """Return the store that the environment names, on nobody's behalf."""
    return _tracker(os.environ.get(STORE_VARIABLE, "store"))


def user() -> User | None:
    """Return the session's user as the store has it now; None where nobody has an account."""
    return tracker().user()


def begin(name: str, epoch: int, expires: object = None) -> None:
    """Begin the session of a user; what an earlier one chose on this screen goes."""
    forget()
    st.session_state[_EXPIRES] = expires
    st.session_state[_USER] = (name, epoch)
    st.session_state[_SEEN] = now()


def forget() -> None:
    """End the session: nothing that its user typed or saw stays behind."""
    for key in list(st.session_state):
        if key not in _STAYS:
            del st.session_state[key]


def check_time() -> None:
    """End a session that nobody used for too long.

    Raises
    ------
    NotAllowed
        ``session_timed_out``.
    """
    if _USER not in st.session_state:
        return
    seen, expires = st.session_state.get(_SEEN), st.session_state.get(_EXPIRES)
    if isinstance(expires, int | float) and now().timestamp() >= expires:
        raise NotAllowed("token_expired", "The sign-in has expired; sign in again.")
    if isinstance(seen, datetime) and timed_out(seen, now()):
        raise NotAllowed("session_timed_out", "Nothing was done for half an hour; sign in again.")
    st.session_state[_SEEN] = now()


def act_as(name: str, epoch: int) -> None:
    """Act as a user as the store has it now; what was chosen on the screen stays."""
    st.session_state[_USER] = (name, epoch)


def acts_as(name: str, epoch: int) -> bool:
    """Tell whether the session acts as a user as the store has it now."""
    return bool(st.session_state.get(_USER) == (name, epoch))


def by_provider() -> bool:
    """Tell whether an identity provider vouched for the session's user."""
    return st.session_state.get(_EXPIRES) is not None


def user_name() -> str | None:
    """Return the name of the session's user."""
    name: str | None = st.session_state.get(_USER, (None, None))[0]
    return name


def signed_in() -> bool:
    """Tell whether the session has a user."""
    return _USER in st.session_state


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
    return min(chosen, today()) if isinstance(chosen, date) else store().default_day(today())


def known_on() -> date | None:
    """Return the day of knowledge that the session looks back to; None for all that is known."""
    chosen = answer("known_on", None)
    asked = answer("known_on.asked", otherwise=False)
    return min(chosen, today()) if asked and isinstance(chosen, date) else None


def snapshot() -> Snapshot:
    """Return everything that was true on the session's day, as known on the session's day."""
    return tracker().snapshot(as_of(), known_on())


def set_pages(pages: Mapping[str, StreamlitPage]) -> None:
    """Remember the pages, so that one page can lead to another."""
    st.session_state["pages"] = pages


def go_to(page: str) -> None:
    """Leave for another page."""
    pages = st.session_state.get("pages")
    if pages is not None:
        st.switch_page(pages[page])
