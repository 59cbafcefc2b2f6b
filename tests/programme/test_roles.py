"""Who may do what, and in which wards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspots.programme.roles import MAY, Actor, Permission, Role, may_record

OLD, NEW = "2024-01-01", "2025-07-01"

# The table as it was drawn: a cross where the role may.
TABLE = """
                  viewer  ward_officer  planner  commander  administrator
read                x          x           x         x            x
export              .          x           x         x            .
record              .          x           x         .            .
record_any_ward     .          .           x         .            .
propose             .          .           x         .            .
import              .          .           x         .            .
approve             .          .           .         x            .
manage_users        .          .           .         .            x
manage_boundaries   .          .           .         .            x
manage_programme    .          .           .         .            x
backup              .          .           .         .            x
audit               .          .           .         x            x
"""


def test_the_permissions_are_those_of_the_drawn_table() -> None:
    names, *lines = TABLE.strip().splitlines()
    drawn: dict[Role, set[Permission]] = {Role(name): set() for name in names.split()}
    for line in lines:
        permission, *marks = line.split()
        for role, mark in zip(drawn, marks, strict=True):
            if mark == "x":
                drawn[role].add(Permission(permission))
    assert drawn == dict(MAY)
    assert {line.split()[0] for line in lines} == set(Permission)


@pytest.mark.parametrize("role", Role)
def test_nobody_who_records_or_makes_users_approves(role: Role) -> None:
    actor = Actor("an", role)
    if actor.may(Permission.APPROVE):
        assert not actor.may(Permission.RECORD)
        assert not actor.may(Permission.IMPORT)
        assert not actor.may(Permission.MANAGE_USERS)


def test_an_officer_records_in_the_own_wards_only() -> None:
    officer = Actor("an", Role.WARD_OFFICER, frozenset({("00001", NEW), ("00002", NEW)}))
    assert may_record(officer, {("00002", NEW)})
    assert not may_record(officer, {("00003", NEW)})
    assert not may_record(officer, ())
    assert not may_record(Actor("an", Role.WARD_OFFICER), {("00001", NEW)})


def test_a_code_of_another_edition_is_another_ward() -> None:
    officer = Actor("an", Role.WARD_OFFICER, frozenset({("00001", NEW)}))
    assert not may_record(officer, {("00001", OLD)})


def test_a_hotspot_on_an_old_ward_is_in_scope_where_it_is_shown() -> None:
    officer = Actor("an", Role.WARD_OFFICER, frozenset({("00001", NEW)}))
    assert may_record(officer, [("00009", OLD), ("00001", NEW), ("00002", NEW)])


def test_a_planner_records_everywhere() -> None:
    assert may_record(Actor("an", Role.PLANNER), {("00003", NEW)})


WARDS = st.frozensets(st.tuples(st.sampled_from(["00001", "00002"]), st.sampled_from([OLD, NEW])))


@given(st.sampled_from(Role), WARDS, WARDS)
def test_wards_never_give_what_the_role_does_not(
    role: Role, own: frozenset[tuple[str, str]], lies_on: frozenset[tuple[str, str]]
) -> None:
    actor = Actor("an", role, own)
    if may_record(actor, lies_on):
        assert actor.may(Permission.RECORD)
        assert role is Role.PLANNER or own & lies_on
    assert [actor.may(each) for each in Permission] == [each in MAY[role] for each in Permission]
