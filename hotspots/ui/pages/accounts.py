"""Người dùng: who may do what, and who did what."""

from __future__ import annotations

import streamlit as st

from hotspots.errors import HotspotsError
from hotspots.programme.roles import MAY, Permission, Role
from hotspots.records.users import User
from hotspots.text import Texts
from hotspots.ui import session, widgets

_MESSAGE = "accounts.message"
_MOST_AUDITED = 100
_PASSWORD_PARTS = ("current_password", "password_wanted", "password_again")


def show() -> None:
    """Draw the page."""
    say, tracker = session.say(), session.tracker()
    st.title(say("users.title"))
    st.caption(say("users.intro"))
    widgets.last_message(_MESSAGE)
    if tracker.may(Permission.MANAGE_USERS):
        found = tracker.users()
        _table(found, say)
        left, right = st.columns(2, gap="medium")
        with left:
            _add(found, say)
        with right:
            _change(found, say)
    _own_password(say)
    _roles(say)
    if tracker.may(Permission.AUDIT):
        _audit(say)


def _table(found: list[User], say: Texts) -> None:
    rows = [
        {
            say("sign_in.name"): user.name,
            say("users.display_name"): user.display_name,
            say("users.role"): say(f"role.{user.role}"),
            say("users.wards"): ", ".join(f"{code} ({day})" for code, day in sorted(user.wards)),
            say("users.state"): say("users.active" if user.active else "users.inactive"),
        }
        for user in found
    ]
    if rows:
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.info(say("users.nobody"))


def _add(found: list[User], say: Texts) -> None:
    roles = list(Role) if found else [Role.ADMINISTRATOR]
    with st.form("accounts.add", clear_on_submit=False, enter_to_submit=False):
        st.markdown(f"**{say('users.add')}**")
        st.text_input(say("sign_in.name"), max_chars=40, key="accounts.name")
        st.text_input(say("users.display_name"), max_chars=80, key="accounts.display_name")
        st.selectbox(
            say("users.role"), roles, format_func=lambda role: say(f"role.{role}"),
            key="accounts.role",
        )  # fmt: skip
        st.multiselect(
            say("users.wards"), list(_wards()), format_func=_wards().__getitem__,
            key="accounts.wards", placeholder=say("users.wards_help"),
        )  # fmt: skip
        st.text_input(
            say("sign_in.password"), type="password", max_chars=200, key="accounts.password"
        )
        st.form_submit_button(say("users.add"), type="primary", on_click=_adding, args=(say,))


def _wards() -> dict[str, str]:
    """Return the wards of the newest boundaries that an officer may be given."""
    editions = session.tracker().editions()
    if not editions:
        return {}
    names = session.tracker().boundaries.names(editions[-1].edition)["name"]
    return {str(code): f"{name} ({code})" for code, name in names.sort_values().items()}


def _adding(say: Texts) -> None:
    state = st.session_state
    password = str(state.pop("accounts.password", "") or "")
    edition = [item.edition for item in session.tracker().editions()][-1:]
    try:
        added = session.tracker().add_user(
            str(state.get("accounts.name") or "").strip().casefold(),
            role=Role(state["accounts.role"]),
            display_name=str(state.get("accounts.display_name") or ""),
            wards=[(code, edition[0]) for code in state.get("accounts.wards") or ()],
            password=password,
            now=session.now(),
        )
    except HotspotsError as error:
        state[_MESSAGE] = ("error", say.error(error))
        return
    role = say(f"role.{added.role}")
    state[_MESSAGE] = ("success", say("users.added", user=added.name, role=role))


def _change(found: list[User], say: Texts) -> None:
    if not found:
        return
    with st.form("accounts.change", enter_to_submit=False):
        st.markdown(f"**{say('users.change')}**")
        st.selectbox(say("sign_in.name"), [user.name for user in found], key="accounts.whom")
        st.selectbox(
            say("users.what"),
            ("disable", "enable", *(f"role.{role}" for role in Role)),
            format_func=lambda what: _change_words(what, say),
            key="accounts.what",
        )
        st.form_submit_button(say("users.change"), on_click=_changing, args=(say,))


def _change_words(what: str, say: Texts) -> str:
    if what.startswith("role."):
        return say("users.make", role=say(what))
    return say(f"users.to_{what}")


def _changing(say: Texts) -> None:
    name, what = str(st.session_state["accounts.whom"]), str(st.session_state["accounts.what"])
    tracker, now = session.tracker(), session.now()
    try:
        if what == "disable":
            tracker.disable_user(name, now=now)
        elif what == "enable":
            tracker.enable_user(name, now=now)
        else:
            tracker.change_user(name, role=Role(what.removeprefix("role.")), now=now)
    except HotspotsError as error:
        st.session_state[_MESSAGE] = ("error", say.error(error))
        return
    st.session_state[_MESSAGE] = ("success", say("users.done", user=name))


def _own_password(say: Texts) -> None:
    """Let whoever signs in with a password change it."""
    user = session.user()
    if user is None or not user.has_password or session.by_provider():
        return
    with st.form("accounts.own", clear_on_submit=True, enter_to_submit=False):
        st.markdown(f"**{say('users.own_password')}**")
        for part in _PASSWORD_PARTS:
            st.text_input(
                say(f"users.{part}"), type="password", max_chars=200, key=f"accounts.{part}"
            )
        st.form_submit_button(say("users.own_password"), on_click=_changing_own, args=(say,))


def _changing_own(say: Texts) -> None:
    """Change the password to what the form holds; none of it stays in the session."""
    state = st.session_state
    current, new, again = (str(state.pop(f"accounts.{p}", "") or "") for p in _PASSWORD_PARTS)
    if new != again:
        state[_MESSAGE] = ("error", say("users.passwords_differ"))
        return
    try:
        changed = session.tracker().change_own_password(current, new, now=session.now())
    except HotspotsError as error:
        state[_MESSAGE] = ("error", say.error(error))
        return
    session.act_as(changed.name, changed.epoch)
    state[_MESSAGE] = ("success", say("users.own_password_changed"))


def _roles(say: Texts) -> None:
    with st.expander(say("users.may")):
        rows = [
            {
                say("users.permission"): say(f"permission.{permission}"),
                **{say(f"role.{role}"): "✓" if permission in MAY[role] else "" for role in Role},
            }
            for permission in Permission
        ]
        st.dataframe(rows, hide_index=True, width="stretch")


def _audit(say: Texts) -> None:
    st.subheader(say("users.audit"))
    rows = [
        {
            say("column.recorded_at"): say.show(each.at.astimezone()),
            say("column.by"): each.actor,
            say("users.action"): say(f"audit.{each.action}"),
            say("users.subject"): each.subject,
        }
        for each in session.tracker().audit(_MOST_AUDITED)
    ]
    st.dataframe(rows, hide_index=True, width="stretch")
