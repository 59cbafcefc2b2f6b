"""Users of a store: who may sign in, as what, for which wards, and whether a session still counts.

Passwords are kept as Argon2id hashes. Every change and every attempt to sign in is an audit event,
written in the transaction that makes it; failures are counted from those events, so a restart
forgets none. What somebody typed for a name is not logged unless it is a user's name, because
people type passwords there.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hotspots.errors import NotAllowed, NotFound, StoreError
from hotspots.programme.roles import Actor, Role
from hotspots.records.audit import AUDIT, Audit, AuditAction, append_audit
from hotspots.records.chain import CLOCK, moment_text
from hotspots.records.database import Database, events
from hotspots.records.database import users as user_table

Guard = Callable[[sa.Connection], None]  # refuses, inside a transaction, who may not write it
HASHER = PasswordHasher()
PASSWORD_SIGNS = (12, 200)
SHOWN_NAME_SIGNS = 80
WINDOW = timedelta(minutes=15)
FAILURES_OF_ONE_NAME = 5
FAILURES_OF_ALL_NAMES = 50
SESSION_LIMIT = timedelta(minutes=30)
NOBODY = "?"  # of one sign, so no user can have the name

_NAME = re.compile(r"[a-z0-9._-]{2,40}")
# ASCII alone: other letters fold into it (the Kelvin sign into k) and would name somebody else.
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[a-z0-9.-]{1,189}")
_CONTROL = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_MARKS = 1024
_LEAST_DIFFERENT_SIGNS = 5
_COMMON_PASSWORDS = frozenset(
    """
    0123456789012 1234567890123 12345678901234 123456789012 123456789012345 1234567890123456
    123456789abc 1234567890qwerty 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv
    987654321098 abc123456789 abcd12345678 abcdef123456 abcdefghijkl admin1234567 admin12345678
    admin123456789 adminadmin123 administrator administrator1 administrator123 anhyeuem1234
    anhyeuem12345 anhyeuem123456 asdfghjkl123 changeme1234 changeme12345 congan113113 congan123456
    emyeuanh1234 football1234 hochiminh123 hochiminh1234 iloveyou1234 iloveyou12345 letmein12345
    letmein123456 matkhau12345 matkhau123456 matkhau1234567 matkhaumatkhau mypassword123
    p@ssw0rd1234 p@ssword1234 p@ssword12345 password1234 password12345 password123456
    passwordpassword q1w2e3r4t5y6 qazwsxedcrfv qwerty123456 qwerty1234567 qwertyuiop12
    qwertyuiop123 qwertyuiop[] qwertyuiopasdfghjkl saigon123456 saigon1234567 superman1234
    thanhphohochiminh vietnam12345 vietnam123456 welcome12345 welcome123456 yeuanhnhieulam
    zxcvbnm12345 zxcvbnmasdfghjkl
    """.split()  # noqa: SIM905 - seventy quoted words would fill a page
)
# A hash takes 64 MB: a crowd at the door must not take all of the machine's.
_HASHES_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True)
class User:
    """A person who may use a store.

    Attributes
    ----------
    name : str
        What they sign in with; lower case, never given to anybody else.
    display_name : str
        What others see.
    role : Role
    wards : frozenset of (code, edition)
        The wards that a ward officer records for; the others' roles do not look at them.
    active : bool
        Whether they may sign in and act.
    epoch : int
        Grows when role, password, e-mail or activity change; a session begun before is over.
    email : str or None
        What an identity provider knows them by.
    has_password : bool
        Whether they can sign in with a password.

    Examples
    --------
    >>> an = User("an", "Lê An", Role.PLANNER, frozenset(), True, 1, None, False)
    >>> an.actor.name, an.actor.role.value
    ('an', 'planner')
    """

    name: str
    display_name: str
    role: Role
    wards: frozenset[tuple[str, str]]
    active: bool
    epoch: int
    email: str | None
    has_password: bool

    @property
    def actor(self) -> Actor:
        """The user as the rules of roles see them."""
        return Actor(self.name, self.role, self.wards, self.display_name)


# -- reading


def users(database: Database) -> list[User]:
    """Return all users, the disabled ones too, by name."""
    with database.reading() as connection:
        rows = connection.execute(sa.select(user_table).order_by(user_table.c.name)).mappings()
        return [_user(row) for row in rows]


def find(database: Database, name: str) -> User | None:
    """Return the user of a name, or None."""
    with database.reading() as connection:
        row = _row(connection, name)
        return None if row is None else _user(row)


def by_email(database: Database, email: str) -> User | None:
    """Return the user of an e-mail address, in whichever case it is written, or None."""
    address = email.strip().lower()
    if not (email.isascii() and _EMAIL.fullmatch(address)):
        return None
    with database.reading() as connection:
        query = sa.select(user_table).where(user_table.c.email == address)
        row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _user(row)


# -- changing


def add_user(
    database: Database,
    name: str,
    *,
    display_name: str,
    role: Role,
    wards: Iterable[tuple[str, str]] = (),
    email: str | None = None,
    password: str | None = None,
    by: str,
    now: datetime,
    guard: Guard | None = None,
) -> User:
    """Add a user; without a password or an e-mail address they cannot sign in yet.

    Parameters
    ----------
    name : str
        2 to 40 of a-z, 0-9, '.', '_' and '-'.
    display_name : str
        1 to 80 signs.
    wards : iterable of (code, edition)
        Taken as they are; whether there are such wards is for the caller to know.
    by : str
        Who adds them.
    guard : callable, optional
        Asked first in the transaction: two who find no accounts cannot both make the first.

    Raises
    ------
    StoreError
        If the name or the address is somebody's already, or breaks the rules above.
    """
    user = User(
        name=checked_name(name),
        display_name=checked_display_name(display_name),
        role=role,
        wards=frozenset(wards),
        active=True,
        epoch=1,
        email=checked_email(email) if email else None,
        has_password=password is not None,
    )
    password_hash = None if password is None else _hash(checked_password(name, password))
    with database.writing() as connection:
        _ask(guard, connection)
        if _row(connection, user.name) is not None:
            raise StoreError(
                "user_exists",
                f"There is a user {user.name!r} already. Give another name.",
                user=user.name,
            )
        _refuse_if_taken(connection, user)
        connection.execute(
            sa.insert(user_table).values(
                name=user.name,
                password_hash=password_hash,
                added_at=moment_text(now),
                **_columns(user),
            )
        )
        details = {"role": str(role), "wards": _listed(user.wards), "password": user.has_password}
        append_audit(connection, Audit(AuditAction.USER_ADDED, by, now, user.name, details))
    return user


def change_user(
    database: Database,
    name: str,
    *,
    role: Role | None = None,
    wards: Iterable[tuple[str, str]] | None = None,
    display_name: str | None = None,
    email: str | None = None,
    by: str,
    now: datetime,
    guard: Guard | None = None,
) -> User:
    """Change what is given and leave the rest; an empty e-mail address takes it away.

    Another role or address ends the user's sessions. Other wards do not: every action reads them
    anew. A change that changes nothing is not written.

    Raises
    ------
    NotFound
        If there is no such user.
    StoreError
        If the last active administrator would lose the role, the address is somebody else's, or
        a value breaks the rules of `add_user`.
    """
    given: dict[str, object] = {}
    if role is not None:
        given["role"] = role
    if wards is not None:
        given["wards"] = frozenset(wards)
    if display_name is not None:
        given["display_name"] = checked_display_name(display_name)
    if email is not None:
        given["email"] = checked_email(email) if email else None
    with database.writing() as connection:
        _ask(guard, connection)
        before = _existing(connection, name)
        after = replace(before, **given)  # type: ignore[arg-type]  # mypy cannot see the keys
        if after == before:
            return before
        if after.role is not Role.ADMINISTRATOR:
            _refuse_if_last_administrator(connection, before)
        _refuse_if_taken(connection, after)
        if (after.role, after.email) != (before.role, before.email):
            after = replace(after, epoch=before.epoch + 1)
        _write(connection, after)
        audit = Audit(AuditAction.USER_CHANGED, by, now, name, _changes(before, after))
        append_audit(connection, audit)
    return after


def disable(
    database: Database, name: str, *, by: str, now: datetime, guard: Guard | None = None
) -> User:
    """Bar a user from signing in and from acting; nobody is ever deleted.

    Raises
    ------
    NotFound
        If there is no such user.
    StoreError
        If it is the last active administrator.
    """
    return _switch(database, name, Audit(AuditAction.USER_DISABLED, by, now, name), False, guard)


def enable(
    database: Database, name: str, *, by: str, now: datetime, guard: Guard | None = None
) -> User:
    """Let a disabled user sign in again; the sessions they had stay ended.

    Raises
    ------
    NotFound
        If there is no such user.
    """
    audit = Audit(AuditAction.USER_CHANGED, by, now, name, {"active": True})
    return _switch(database, name, audit, True, guard)


def _switch(database: Database, name: str, audit: Audit, active: bool, guard: Guard | None) -> User:
    """Switch a user on or off; what is so already is not written."""
    with database.writing() as connection:
        _ask(guard, connection)
        user = _existing(connection, name)
        if user.active is active:
            return user
        if not active:
            _refuse_if_last_administrator(connection, user)
        switched = replace(user, active=active, epoch=user.epoch + 1)
        _write(connection, switched)
        append_audit(connection, audit)
    return switched


def set_password(
    database: Database,
    name: str,
    password: str,
    *,
    by: str,
    now: datetime,
    guard: Guard | None = None,
) -> User:
    """Give a user a password, of 12 to 200 signs, and end the sessions begun with another.

    Raises
    ------
    NotFound
        If there is no such user.
    StoreError
        If the password breaks the rules of `checked_password`.
    """
    password_hash = _hash(checked_password(name, password))
    with database.writing() as connection:
        _ask(guard, connection)
        user = _existing(connection, name)
        changed = replace(user, epoch=user.epoch + 1, has_password=True)
        _write(connection, changed, password_hash=password_hash)
        append_audit(connection, Audit(AuditAction.PASSWORD_CHANGED, by, now, name))
    return changed


# -- signing in and acting


def sign_in(database: Database, name: str, password: str, now: datetime) -> User:
    """Return the user whose name and password these are, and log that they came in.

    The work and the answer are the same for a wrong password, an unknown name and a disabled user.
    Guesses sent side by side are no way round the limit: each is told its result only in the
    transaction that counts the failures before it.

    Raises
    ------
    NotAllowed
        ``sign_in_failed``; or ``too_many_attempts`` after 5 failures of one name within 15
        minutes, for 15 minutes from the last, and while there were 50 of all names within 15.
    """
    typed = unicodedata.normalize("NFC", name).strip().lower()

    def let_in(connection: sa.Connection, user: User, newer_hash: str | None) -> User:
        if newer_hash is not None:
            _write(connection, user, password_hash=newer_hash)
        append_audit(connection, Audit(AuditAction.SIGNED_IN, typed, now, typed))
        return user

    user = _if_right(database, typed, password, now, let_in)
    if user is None:
        raise NotAllowed(
            "sign_in_failed",
            "Name and password do not fit. Try again, or ask an administrator for a new password.",
        )
    return user


def change_own_password(
    database: Database,
    name: str,
    current: str,
    new: str,
    *,
    now: datetime,
    guard: Guard | None = None,
) -> User:
    """Give a user who knows the current password a new one, and end the sessions begun before.

    The current one is asked as at the door: a wrong one is logged as a failed sign-in is, and
    counts towards the same limit, so that a session left open is no place to guess at.

    Returns
    -------
    User
        With the new epoch, under which one session may go on.

    Raises
    ------
    StoreError
        If the new password breaks the rules of `checked_password`; nothing counts then.
    NotAllowed
        ``wrong_password``; ``too_many_attempts`` as `sign_in`; what `guard` says.
    """
    new_hash = _hash(checked_password(name, new))

    def change(connection: sa.Connection, user: User, _: str | None) -> User:
        changed = replace(user, epoch=user.epoch + 1)
        _write(connection, changed, password_hash=new_hash)
        append_audit(connection, Audit(AuditAction.PASSWORD_CHANGED, name, now, name))
        return changed

    user = _if_right(database, name, current, now, change, by=name, guard=guard)
    if user is None:
        raise NotAllowed("wrong_password", "The current password is not right.", user=name)
    return user


def _if_right(
    database: Database,
    typed: str,
    password: str,
    now: datetime,
    use: Callable[[sa.Connection, User, str | None], User],
    *,
    by: str = NOBODY,
    guard: Guard | None = None,
) -> User | None:
    """Do what a right password is given for, in one transaction; log and count a wrong one.

    `use` gets the user, and the password's hash if the kept one is of outdated parameters.
    """
    with database.reading() as connection:
        _refuse_if_too_many(connection, typed, now)
        seen = _row(connection, typed)
    kept: str | None = None if seen is None else seen["password_hash"]
    right = _fits(kept, password)
    newer = _hash(password) if kept and right and HASHER.check_needs_rehash(kept) else None
    with database.writing() as connection:
        _ask(guard, connection)
        _refuse_if_too_many(connection, typed, now)
        row = _row(connection, typed)
        # A password set since it was looked at counts as wrong: the old one is worth nothing.
        why = _why_not(row, right and row is not None and row["password_hash"] == kept)
        if row is not None and why is None:
            return use(connection, _user(row), newer)
        details = {"why": why, "mark": _mark(typed)}
        subject = "" if row is None else typed
        append_audit(connection, Audit(AuditAction.SIGN_IN_FAILED, by, now, subject, details))
    return None


def sign_in_by_claims(
    database: Database,
    claims: Mapping[str, object],
    now: datetime,
    *,
    trust_provider_emails: bool = False,
) -> User:
    """Return the user of an identity provider's claims; log that they came in, or were refused.

    Parameters and errors are those of `user_of_claims`.
    """
    try:
        user = user_of_claims(database, claims, now, trust_provider_emails=trust_provider_emails)
    except NotAllowed as error:
        email = claims.get("email")
        known = by_email(database, email) if isinstance(email, str) else None
        details = {"why": error.reason, "by": "identity provider"}
        subject = "" if known is None else known.name
        with database.writing() as connection:
            refusal = Audit(AuditAction.SIGN_IN_FAILED, NOBODY, now, subject, details)
            append_audit(connection, refusal)
        raise
    with database.writing() as connection:
        audit = Audit(AuditAction.SIGNED_IN, user.name, now, user.name, {"by": "identity provider"})
        append_audit(connection, audit)
    return user


def sign_out(database: Database, name: str, now: datetime) -> None:
    """Log that a user left, and end the sessions of other windows too."""
    with database.writing() as connection:
        left = sa.update(user_table).where(user_table.c.name == name)
        connection.execute(left.values(epoch=user_table.c.epoch + 1))
        append_audit(connection, Audit(AuditAction.SIGNED_OUT, name, now, name))


def user_of_claims(
    database: Database,
    claims: Mapping[str, object],
    now: datetime,
    *,
    trust_provider_emails: bool = False,
) -> User:
    """Return the user whose e-mail address an identity provider vouches for.

    To be asked at every action: nobody else looks at when the claims expire.

    Parameters
    ----------
    claims : mapping
        Of an OpenID Connect ID token whose signature has been checked: ``email``, ``exp`` and
        ``email_verified``.
    trust_provider_emails : bool
        Whether an address counts as verified of which the provider does not say either way: only
        where nobody can give themselves an address there. One that it denies never counts.

    Raises
    ------
    NotAllowed
        ``token_expired``, also where no expiry is given; ``email_not_verified``, also where no
        address is given; ``unknown_email``; ``user_disabled``.
    """
    expiry = claims.get("exp")
    if (
        not isinstance(expiry, int | float)
        or not math.isfinite(expiry)
        or expiry <= now.timestamp()
    ):
        raise NotAllowed("token_expired", "Your sign-in has expired. Sign in again.")
    email = claims.get("email")
    verified = claims.get("email_verified", trust_provider_emails)
    if not isinstance(email, str) or verified not in (True, "true"):
        raise NotAllowed(
            "email_not_verified",
            "The identity provider does not vouch for your e-mail address. Have it verified there.",
        )
    user = by_email(database, email)
    if user is None:
        raise NotAllowed(
            "unknown_email",
            "No user has the e-mail address you signed in with. Ask an administrator to add it.",
        )
    return _active(user)


def acting(database: Database, name: str, epoch: int | None = None) -> User:
    """Read a user anew before they act, and refuse a session that counts no longer.

    Parameters
    ----------
    epoch : int, optional
        The user's epoch when the session began; without it any active user passes.

    Raises
    ------
    NotAllowed
        ``unknown_user``; ``user_disabled``; ``session_ended`` if role, password, e-mail or
        activity have changed since the session began.
    """
    user = find(database, name)
    if user is None:
        raise NotAllowed("unknown_user", f"There is no user {name!r}.", user=name)
    _active(user)
    if epoch is not None and epoch != user.epoch:
        raise NotAllowed(
            "session_ended",
            f"The session of {name!r} has ended: role, password or address were changed. "
            "Sign in again.",
            user=name,
        )
    return user


def timed_out(last_seen: datetime, now: datetime, limit: timedelta = SESSION_LIMIT) -> bool:
    """Return whether a session last seen then is over; also when the clock ran back that far.

    >>> from datetime import UTC
    >>> nine = datetime(2026, 1, 5, 9, tzinfo=UTC)
    >>> timed_out(nine, nine + timedelta(minutes=29)), timed_out(nine, nine + timedelta(minutes=30))
    (False, True)
    """
    return abs(now - last_seen) >= limit


# -- what may be a name, an address, a password


def checked_name(name: str) -> str:
    """Return a user's name if it may be one.

    >>> checked_name("le.an")
    'le.an'
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            "bad_user_name",
            f"{name!r} cannot be a user's name; allowed are 2 to 40 of a-z, 0-9, '.', '_', '-'.",
            user=name,
        )
    return name


def checked_display_name(text: str) -> str:
    """Return a display name in NFC with single blanks, if it may be one.

    >>> checked_display_name(" Lê  An ")
    'Lê An'
    """
    normal = unicodedata.normalize("NFC", text)
    shown = " ".join(normal.split())
    hidden = any(unicodedata.category(sign) in _CONTROL for sign in normal)
    if hidden or not 1 <= len(shown) <= SHOWN_NAME_SIGNS:
        raise StoreError(
            "bad_display_name",
            f"A display name has 1 to {SHOWN_NAME_SIGNS} visible signs; {shown!r} does not.",
            most=SHOWN_NAME_SIGNS,
        )
    return shown


def checked_email(email: str) -> str:
    """Return an e-mail address in lower case, if it may be one.

    >>> checked_email("Le.An@example.vn")
    'le.an@example.vn'
    """
    address = email.strip().lower()
    if not (email.isascii() and _EMAIL.fullmatch(address)):
        raise StoreError("bad_email", f"{email!r} is not an e-mail address.", email=email)
    return address


def checked_password(name: str, password: str) -> str:
    """Return a password if a user of that name may have it.

    It has 12 to 200 signs in NFC, at least 5 different ones, is not the name and is none of the
    commonest. Length protects more than rules about digits and signs, so there are none.

    >>> checked_password("an", "ba con mèo đen")
    'ba con mèo đen'
    """
    normal = unicodedata.normalize("NFC", password)
    least, most = PASSWORD_SIGNS
    if not least <= len(normal) <= most:
        raise StoreError(
            "password_length",
            f"A password has {least} to {most} signs; this one has {len(normal)}.",
            least=least,
            most=most,
            given=len(normal),
        )
    lower = normal.lower()
    if lower == name:
        raise StoreError("password_is_name", "The name itself cannot be the password.")
    if lower in _COMMON_PASSWORDS or len(set(lower)) < _LEAST_DIFFERENT_SIGNS:
        raise StoreError(
            "password_too_common",
            "This password is among the first anybody would try. Take a few words of your own.",
        )
    return password


# -- rows


def _ask(guard: Guard | None, connection: sa.Connection) -> None:
    if guard is not None:
        guard(connection)


def _row(connection: sa.Connection, name: str) -> sa.RowMapping | None:
    if not _NAME.fullmatch(name):  # PostgreSQL would stumble over a NUL
        return None
    query = sa.select(user_table).where(user_table.c.name == name)
    return connection.execute(query).mappings().one_or_none()


def _existing(connection: sa.Connection, name: str) -> User:
    row = _row(connection, name)
    if row is None:
        raise NotFound("unknown_user", f"There is no user {name!r}.", user=name)
    return _user(row)


def _user(row: sa.RowMapping) -> User:
    return User(
        name=row["name"],
        display_name=row["display_name"],
        role=Role(row["role"]),
        wards=frozenset((code, edition) for code, edition in json.loads(row["wards"])),
        active=row["active"],
        epoch=row["epoch"],
        email=row["email"],
        has_password=row["password_hash"] is not None,
    )


def _columns(user: User) -> dict[str, object]:
    return {
        "display_name": user.display_name,
        "role": str(user.role),
        "wards": json.dumps(_listed(user.wards)),
        "active": user.active,
        "epoch": user.epoch,
        "email": user.email,
    }


def _write(connection: sa.Connection, user: User, **more: str) -> None:
    update = sa.update(user_table).where(user_table.c.name == user.name)
    connection.execute(update.values(**_columns(user), **more))


def _listed(wards: Iterable[tuple[str, str]]) -> list[list[str]]:
    return [list(ward) for ward in sorted(wards)]


def _changes(before: User, after: User) -> dict[str, object]:
    """Return what the log says of a change: no addresses, which are nobody's business there."""
    changes: dict[str, object] = {}
    if after.role is not before.role:
        changes["role"] = [str(before.role), str(after.role)]
    if after.wards != before.wards:
        changes["wards"] = [_listed(before.wards), _listed(after.wards)]
    if after.display_name != before.display_name:
        changes["display_name"] = [before.display_name, after.display_name]
    if after.email != before.email:
        changes["email"] = "changed" if after.email else "removed"
    return changes


def _refuse_if_taken(connection: sa.Connection, user: User) -> None:
    query = sa.select(user_table.c.name).where(
        user_table.c.email == user.email, user_table.c.name != user.name
    )
    if user.email is not None and connection.execute(query).first() is not None:
        raise StoreError(
            "email_taken",
            f"Another user has the e-mail address {user.email}.",
            email=user.email,
        )


def _refuse_if_last_administrator(connection: sa.Connection, user: User) -> None:
    if not (user.active and user.role is Role.ADMINISTRATOR):
        return
    others = sa.select(user_table.c.name).where(
        user_table.c.role == str(Role.ADMINISTRATOR),
        user_table.c.active.is_(True),
        user_table.c.name != user.name,
    )
    if connection.execute(others).first() is None:
        raise StoreError(
            "last_administrator",
            f"{user.name!r} is the last active administrator. Make another one first.",
            user=user.name,
        )


def _active(user: User) -> User:
    if not user.active:
        raise NotAllowed(
            "user_disabled",
            f"The user {user.name!r} is disabled. Ask an administrator.",
            user=user.name,
        )
    return user


# -- passwords and failures


def _bytes(password: str) -> bytes:
    """Return a password so that every keyboard's way of writing it gives the same bytes."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _hash(password: str) -> str:
    with _HASHES_AT_ONCE:
        return HASHER.hash(_bytes(password))


def _fits(kept: str | None, password: str) -> bool:
    """Return whether a password is that of a hash; without one, work as long for nothing."""
    if kept is None:
        _hash(password)
        return False
    try:
        with _HASHES_AT_ONCE:
            return HASHER.verify(kept, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def _why_not(row: sa.RowMapping | None, right: bool) -> str | None:
    if row is None:
        return "unknown name"
    if not row["active"]:
        return "disabled"
    return None if right else "wrong password"


def _refuse_if_too_many(connection: sa.Connection, typed: str, now: datetime) -> None:
    wait = _wait(_failures(connection, now), _mark(typed), now)
    if wait > timedelta(0):
        minutes = math.ceil(wait / timedelta(minutes=1))
        raise NotAllowed(
            "too_many_attempts",
            f"Too many failed attempts to sign in. Try again in {minutes} minutes.",
            minutes=minutes,
        )


def _wait(failures: Sequence[tuple[datetime, int]], mark: int, now: datetime) -> timedelta:
    """Return how long a name is refused for after these failures, newest first."""
    until = now
    own = [at for at, of in failures if of == mark][:FAILURES_OF_ONE_NAME]
    if len(own) == FAILURES_OF_ONE_NAME and own[0] - own[-1] <= WINDOW:
        until = own[0] + WINDOW
    if len(failures) >= FAILURES_OF_ALL_NAMES:
        until = max(until, failures[FAILURES_OF_ALL_NAMES - 1][0] + WINDOW)
    return until - now


def _mark(typed: str) -> int:
    """Return one of 1024 numbers for a typed name, known or not.

    Failures are counted by it, so that the limit treats unknown names as it does known ones and
    tells nothing, while the log keeps next to nothing of a password typed for a name.
    """
    digest = hashlib.sha256(typed.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % _MARKS


def _failures(connection: sa.Connection, now: datetime) -> list[tuple[datetime, int]]:
    """Return when sign-in failed lately and for which mark, newest first.

    By the writer's clock: the log's own moments stand still once a clock that ran ahead has been
    put right, and every failure would look fresh.
    """
    query = (
        sa.select(events.c.recorded_at, events.c.payload)
        .where(
            events.c.stream == AUDIT,
            events.c.type == str(AuditAction.SIGN_IN_FAILED),
            events.c.recorded_at >= moment_text(now - 2 * WINDOW),
            # What an identity provider vouched for was no guess at a password.
            events.c.payload.contains('"mark"'),
        )
        .order_by(events.c.seq.desc())
        .limit(4 * FAILURES_OF_ALL_NAMES)
    )
    failures = []
    for recorded_at, text in connection.execute(query):
        payload = json.loads(text)
        at = datetime.fromisoformat(payload.get(CLOCK, recorded_at))
        mark = payload.get("details", {}).get("mark")
        if mark is not None and abs(now - at) <= 2 * WINDOW:
            failures.append((at, mark))
    return sorted(failures, key=itemgetter(0), reverse=True)
