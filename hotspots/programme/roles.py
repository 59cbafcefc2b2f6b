"""Who may do what: the roles of the people who use the product.

The commander browses the map, reads reports and approves. The planner selects target wards,
prepares the yearly plan and the reports. The ward officer records events and scorecards of the own
ward. The administrator looks after users, boundaries and backup. A viewer only reads.

Whoever records does not approve, and whoever approves does not record: the second pair of eyes is
another role, not only another name. The administrator, who could make any user, does neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is to the programme."""

    VIEWER = "viewer"
    WARD_OFFICER = "ward_officer"
    PLANNER = "planner"
    COMMANDER = "commander"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """One kind of thing a person may do."""

    READ = "read"
    EXPORT = "export"
    RECORD = "record"
    """Record and correct events, and take one's own entries back, in one's own wards."""
    RECORD_ANY_WARD = "record_any_ward"
    """The same in every ward."""
    PROPOSE = "propose"
    """Put wards forward for next year's list."""
    IMPORT = "import"
    APPROVE = "approve"
    """Approve what somebody else recorded, or send it back."""
    MANAGE_USERS = "manage_users"
    MANAGE_BOUNDARIES = "manage_boundaries"
    MANAGE_PROGRAMME = "manage_programme"
    BACKUP = "backup"
    AUDIT = "audit"
    """Read who did what."""


_P = Permission

MAY: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({_P.READ}),
    Role.WARD_OFFICER: frozenset({_P.READ, _P.EXPORT, _P.RECORD}),
    Role.PLANNER: frozenset(
        {_P.READ, _P.EXPORT, _P.RECORD, _P.RECORD_ANY_WARD, _P.PROPOSE, _P.IMPORT}
    ),
    Role.COMMANDER: frozenset({_P.READ, _P.EXPORT, _P.APPROVE, _P.AUDIT}),
    Role.ADMINISTRATOR: frozenset(
        {
            _P.READ,
            _P.MANAGE_USERS,
            _P.MANAGE_BOUNDARIES,
            _P.MANAGE_PROGRAMME,
            _P.BACKUP,
            _P.AUDIT,
        }
    ),
}
"""What each role may do; what is not listed is not allowed."""


@dataclass(frozen=True)
class Actor:
    """A person who acts, as the store knows the person at that moment.

    `wards` are the own wards, each as (code, boundary edition), because a code alone may have been
    another ward before a change of boundaries.
    """

    name: str
    role: Role
    wards: frozenset[tuple[str, str]] = frozenset()
    display_name: str = ""

    def may(self, permission: Permission) -> bool:
        """Tell whether the role allows something; for recording ask `may_record`.

        >>> Actor("lan", Role.COMMANDER).may(Permission.APPROVE)
        True
        """
        return permission in MAY[self.role]


def may_record(actor: Actor, wards: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a person may record events of a hotspot.

    Parameters
    ----------
    actor : Actor
        Who wants to record.
    wards : iterable of (code, edition)
        The ward the hotspot lies on and, where boundaries changed, the wards it is shown on. It is
        in a ward officer's scope if one of them is the officer's.

    Examples
    --------
    >>> officer = Actor("minh", Role.WARD_OFFICER, frozenset({("26740", "2025-07-01")}))
    >>> may_record(officer, [("00001", "2024-01-01"), ("26740", "2025-07-01")])
    True
    >>> may_record(officer, [("26740", "2024-01-01")])
    False
    """
    if actor.may(Permission.RECORD_ANY_WARD):
        return True
    return actor.may(Permission.RECORD) and not actor.wards.isdisjoint(wards)
