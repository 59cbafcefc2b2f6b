"""Who is let in by which door, through the app itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from streamlit.testing.v1 import AppTest

from hotspots.programme.roles import Role
from hotspots.records import users
from hotspots.text import texts
from hotspots.tracker import Tracker
from hotspots.ui import sign_in
from hotspots.ui.plain import plain

REPOSITORY = Path(__file__).parents[2]
NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
PASSWORD = "bốn từ không ai đoán"  # noqa: S105 - of a test


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def staffed(tmp_path: Path, programme_text: str, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """A store with an administrator, and a viewer who has a password and an address."""
    tracker = Tracker.open(tmp_path / "store", create=True)
    tracker.add_programme(programme_text, NOW)
    tracker.add_user("quan", role=Role.ADMINISTRATOR, now=NOW, password=PASSWORD)
    tracker.acting_as("quan").add_user(
        "an", role=Role.VIEWER, now=NOW, password=PASSWORD, email="an@example.vn"
    )
    monkeypatch.setenv("HOTSPOTS_STORE", str(tmp_path / "store"))
    return tracker


class SignedInAtTheProvider:
    """What Streamlit knows of somebody who comes from an identity provider."""

    is_logged_in = True

    def __init__(self, **claims: object) -> None:
        self._claims = {"exp": datetime(2200, 1, 1, tzinfo=UTC).timestamp(), **claims}

    def to_dict(self) -> dict[str, object]:
        return self._claims


def app(**secrets: Any) -> AppTest:
    test = AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=120)
    for name, table in secrets.items():
        test.secrets[name] = table
    return test.run()


# -- by an identity provider


@pytest.mark.parametrize(
    ("said", "chosen", "let_in"),
    [
        ({"email_verified": True}, {}, True),
        ({}, {}, False),
        ({}, {"trust_provider_emails": True}, True),
        ({}, {"trust_provider_emails": "no"}, False),
        ({}, "trust_provider_emails", False),
        ({"email_verified": False}, {"trust_provider_emails": True}, False),
    ],
    ids=["vouched for", "silent", "silent, trusted", "not true", "no table", "denied"],
)
def test_an_address_that_the_provider_does_not_vouch_for_needs_a_word_in_the_secrets(
    staffed: Tracker,
    monkeypatch: pytest.MonkeyPatch,
    said: dict[str, object],
    chosen: object,
    let_in: bool,
) -> None:
    known = SignedInAtTheProvider(email="an@example.vn", **said)
    monkeypatch.setattr(sign_in.st, "user", known)
    test = app(auth={"client_id": "hotspots"}, hotspots=chosen)
    assert not test.exception
    if let_in:
        assert test.title[0].value == texts("vi")("page.overview")
    else:
        assert test.title[0].value == texts("vi")("sign_in.title")
        assert texts("vi")("error.email_not_verified") in test.warning[0].value


# -- the own password


def accounts_of(name: str, tracker: Tracker, **session: object) -> AppTest:
    """Open the page of accounts in a session that somebody began."""
    user = tracker.acting_as(name).user()
    assert user is not None
    test = AppTest.from_function(_accounts_page, default_timeout=120)
    test.session_state["session.user"] = (user.name, user.epoch)
    for key, value in session.items():
        test.session_state[key.replace("_", ".")] = value
    return test.run()


def _accounts_page() -> None:
    from hotspots.ui import widgets
    from hotspots.ui.pages import accounts

    if widgets.frame():
        accounts.show()


def change_password(test: AppTest, current: str, new: str, again: str) -> AppTest:
    for part, text in (
        ("current_password", current),
        ("password_wanted", new),
        ("password_again", again),
    ):
        test.text_input(key=f"accounts.{part}").input(text)
    label = texts("vi")("users.own_password")
    return next(button for button in test.button if button.label == label).click().run()


def test_a_viewer_changes_the_own_password_and_goes_on_while_other_sessions_end(
    staffed: Tracker,
) -> None:
    say = texts("vi")
    test, other = accounts_of("an", staffed), accounts_of("an", staffed)
    change_password(test, "sai mật khẩu rồi", "một cụm từ khác hẳn", "một cụm từ khác hẳn")
    assert test.error[0].value == plain(say("error.wrong_password"))
    change_password(test, PASSWORD, "một cụm từ khác hẳn", "một cụm từ gần giống")
    assert test.error[0].value == plain(say("users.passwords_differ"))
    change_password(test, PASSWORD, "một cụm từ khác hẳn", "một cụm từ khác hẳn")
    assert test.success[0].value == plain(say("users.own_password_changed"))
    assert not test.exception
    assert test.run().title[0].value == say("users.title")
    assert {field.value for field in test.text_input if "password" in str(field.key)} == {""}
    assert other.run().title[0].value == say("sign_in.title")


def test_the_own_password_is_offered_only_to_those_who_signed_in_with_it(staffed: Tracker) -> None:
    staffed.acting_as("quan").add_user("binh", role=Role.VIEWER, now=NOW, email="b@example.vn")

    def offered(test: AppTest) -> bool:
        assert not test.exception
        assert test.title[0].value == texts("vi")("users.title")
        return texts("vi")("users.own_password") in [button.label for button in test.button]

    far = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
    assert offered(accounts_of("an", staffed))
    assert not offered(accounts_of("an", staffed, session_expires=far))
    assert not offered(accounts_of("binh", staffed, session_expires=far))


def test_a_demonstration_offers_no_password_to_change(
    staffed_demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTSPOTS_STORE", str(staffed_demonstration_folder))
    test = AppTest.from_function(_accounts_page, default_timeout=120).run()
    assert not test.exception
    assert texts("vi")("users.own_password") not in [button.label for button in test.button]
