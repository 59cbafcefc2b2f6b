"""Signing in and out: local users, an identity provider, or the demonstration's switch of users."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import streamlit as st

from hotspots.errors import HotspotsError, NotAllowed
from hotspots.text import Texts
from hotspots.tracker import Tracker
from hotspots.ui import session
from hotspots.ui.plain import plain

_PROBLEM = "sign_in.problem"
_BY_HAND = "sign_in.by_hand"


def entered(shared: Tracker, say: Texts) -> bool:
    """Tell whether the session may go on; otherwise ask the person to sign in."""
    if not shared.has_users():
        return True
    if shared.is_open_demonstration():
        _switch(shared, say)
        return True
    try:
        if session.signed_in():
            session.check_time()
            _account(say)
            return True
    except NotAllowed as error:
        session.forget()
        st.session_state[_PROBLEM] = error
        st.session_state[_BY_HAND] = True  # not in again by the provider's cookie
    return _by_provider(shared) or _ask(shared, say)


def ended(error: NotAllowed) -> None:
    """Begin anew after a session that ended in the middle of a page."""
    session.forget()
    st.session_state[_PROBLEM] = error
    st.session_state[_BY_HAND] = True
    st.rerun()


def _switch(shared: Tracker, say: Texts) -> None:
    """Let a visitor of the demonstration be any of its users."""
    from hotspots.records.users import users

    names = {user.name: user for user in users(shared.store.database) if user.active}
    with st.sidebar:
        key = session.widget_key("demonstration.user")
        kept = st.session_state.get(key, st.session_state.get("demonstration.user", "thammuu"))
        # Set at every run: in another language the list has other labels, and would begin anew.
        st.session_state[key] = kept if kept in names else next(iter(names))
        chosen = st.selectbox(
            say("sign_in.demonstration"),
            list(names),
            format_func=lambda name: f"{say(f'role.{names[name].role}')} ({name})",
            key=key,
        )
    st.session_state["demonstration.user"] = chosen
    if not session.acts_as(chosen, names[chosen].epoch):
        session.act_as(chosen, names[chosen].epoch)


def _account(say: Texts) -> None:
    """Show who is signed in, and the way out."""
    user = session.user()
    if user is None:
        return
    with st.sidebar:
        st.caption(plain(f"{user.display_name} · {say(f'role.{user.role}')}"))
        st.button(say("sign_in.out"), on_click=_leave, key="sign_in.out")


def _leave() -> None:
    with suppress(HotspotsError):  # it may have ended already
        session.tracker().sign_out(session.now())
    session.forget()
    st.session_state[_BY_HAND] = True
    if _provider() and st.user.is_logged_in:
        st.logout()


def _ask(shared: Tracker, say: Texts) -> bool:
    st.title(say("sign_in.title"))
    problem = st.session_state.pop(_PROBLEM, None)
    if isinstance(problem, HotspotsError):
        st.warning(say.error(problem))
    left, _ = st.columns([2, 3])
    with left, st.form("sign_in", enter_to_submit=True):
        st.text_input(say("sign_in.name"), max_chars=40, key="sign_in.name")
        st.text_input(
            say("sign_in.password"), type="password", max_chars=200, key="sign_in.password"
        )
        st.form_submit_button(say("sign_in.enter"), type="primary", on_click=_try, args=(shared,))
    if _provider() and left.button(say("sign_in.provider"), icon=":material/badge:"):
        st.session_state.pop(_BY_HAND, None)
        if st.user.is_logged_in:
            st.rerun()
        st.login()
    return False


def _try(shared: Tracker) -> None:
    """Sign in with what the form holds; the password does not stay in the session."""
    name = str(st.session_state.get("sign_in.name") or "").strip().casefold()
    password = str(st.session_state.pop("sign_in.password", "") or "")
    try:
        entered_as = shared.sign_in(name, password, session.now()).user()
    except HotspotsError as error:
        st.session_state[_PROBLEM] = error
        return
    if entered_as is not None:
        session.begin(entered_as.name, entered_as.epoch)


def _by_provider(shared: Tracker) -> bool:
    """Sign in whom the identity provider vouches for, once a session."""
    if _BY_HAND in st.session_state or not _provider() or not st.user.is_logged_in:
        return False
    try:
        user = shared.sign_in_by_claims(
            st.user.to_dict(), session.now(), trust_provider_emails=_trusts_addresses()
        ).user()
    except HotspotsError as error:
        st.session_state[_PROBLEM] = error
        st.session_state[_BY_HAND] = True  # one refusal is one line in the log
        return False
    if user is None:
        return False
    session.begin(user.name, user.epoch, st.user.to_dict().get("exp"))
    return True


def _provider() -> bool:
    """Tell whether an identity provider is configured in the secrets."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def _trusts_addresses() -> bool:
    """Tell whether the secrets say that addresses count which the provider says nothing about."""
    chosen = st.secrets.get("hotspots")
    return isinstance(chosen, Mapping) and chosen.get("trust_provider_emails") is True
