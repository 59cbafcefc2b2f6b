"""Who acts, and whether they may: asked at every call, of the store as it is at that moment.

A page can hide a button; only this refuses. The user is read again each time, so that somebody who
was disabled or given another role a moment ago is treated so, whatever their browser still shows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import sqlalchemy as sa

from hotspots.errors import NotAllowed
from hotspots.programme.roles import Permission
from hotspots.records import users
from hotspots.records.audit import Audit, AuditAction
from hotspots.records.database import Database
from hotspots.records.database import users as user_table
from hotspots.records.users import User

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


class Access:
    """The person on whose behalf a store is used.

    Parameters
    ----------
    database : Database
    name : str, optional
        The user's name; without one, whoever sits at the machine, which is enough only as long as
        nobody has an account.
    epoch : int, optional
        The user's epoch when the session began: it has moved on if the session was ended.
    """

    def __init__(
        self, database: Database, name: str | None = None, epoch: int | None = None
    ) -> None:
        self._database = database
        self._epoch = epoch
        self._inside = threading.local()
        self.name = name

    def user(self) -> User | None:
        """Return the acting user as the store has it now; None at a machine without accounts.

        Raises
        ------
        NotAllowed
            ``not_signed_in``, or why the session is over.
        """
        if self.name is not None:
            return users.acting(self._database, self.name, self._epoch)
        if users.users(self._database):
            raise NotAllowed("not_signed_in", "The store has users; sign in to act as one of them.")
        return None

    def require(self, permission: Permission) -> User | None:
        """Return the acting user, or refuse what the role does not allow.

        Raises
        ------
        NotAllowed
            ``not_permitted`` (user, role, permission).
        """
        user = self.user()
        if user is not None and not user.actor.may(permission):
            raise NotAllowed(
                "not_permitted",
                f"{user.name} is {user.role}, which does not allow to {permission}.",
                user=user.name,
                role=str(user.role),
                permission=str(permission),
            )
        return user

    def still(self, connection: sa.Connection) -> None:
        """Refuse, inside a transaction that writes, whoever may not act any more.

        Raises
        ------
        NotAllowed
            ``session_ended``: disabled or changed since the call began; ``not_signed_in``: the
            first account was made meanwhile.
        """
        query = sa.select(user_table.c.active, user_table.c.epoch)
        if self.name is None:
            if connection.execute(query.limit(1)).first() is not None:
                raise NotAllowed("not_signed_in", "The store has users now; sign in.")
            return
        row = connection.execute(query.where(user_table.c.name == self.name)).one_or_none()
        if row is None or not row.active or self._epoch not in (None, row.epoch):
            raise NotAllowed(
                "session_ended", f"The session of {self.name} has ended.", user=self.name
            )

    def author(self, otherwise: str) -> str:
        """Return who stands in the log: the acting user, or what was typed without accounts."""
        user = self.user()
        return otherwise if user is None else user.name

    def audit(self, action: AuditAction, at: datetime, subject: str, **details: object) -> Audit:
        """Return a line of the audit in the acting person's name."""
        return Audit(action, self.author("-"), at, subject, details)

    def enter(self, permission: Permission) -> bool:
        """Check the outermost call of a use case; what it calls itself has been allowed."""
        if getattr(self._inside, "now", False):
            return False
        self.require(permission)
        self._inside.now = True
        return True

    def leave(self) -> None:
        """End the use case."""
        self._inside.now = False


class _HasAccess(Protocol):
    access: Access


_Self = TypeVar("_Self", bound=_HasAccess)


def asks(
    permission: Permission,
) -> Callable[
    [Callable[Concatenate[_Self, _Asked], _Answer]], Callable[Concatenate[_Self, _Asked], _Answer]
]:
    """Let a method run only for those who may; for methods of an object with an `access`."""

    def guard(
        method: Callable[Concatenate[_Self, _Asked], _Answer],
    ) -> Callable[Concatenate[_Self, _Asked], _Answer]:
        @wraps(method)
        def checked(self: _Self, *args: _Asked.args, **options: _Asked.kwargs) -> _Answer:
            outermost = self.access.enter(permission)
            try:
                return method(self, *args, **options)
            finally:
                if outermost:
                    self.access.leave()

        checked.permission = permission  # type: ignore[attr-defined]
        return cast("Callable[Concatenate[_Self, _Asked], _Answer]", checked)

    return guard


def permission_of(method: Any) -> Permission | None:
    """Return what a method asks for, None when it asks for nothing."""
    return getattr(method, "permission", None)
