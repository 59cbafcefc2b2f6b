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
