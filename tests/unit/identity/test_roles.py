"""Roles and scopes deny by default."""

from __future__ import annotations

import pytest

from backend.errors import AssentError
from backend.identity import errors
from backend.identity.errors import ScopeInvalid, ScopeMissing
from backend.identity.roles import (
    CHAIN_BIT_OF_ROLE,
    SCOPES_OF_ROLE,
    Role,
    Scope,
    known_roles,
    known_scopes,
    narrow,
    scopes_of,
)
from tests.unit.identity.world import STRANGER, World

WANTED = {
    "patient",
    "provider",
    "researcher",
    "ethics_board",
    "board_secretary",
    "auditor",
    "device_gateway",
    "responder",
    "operator",
    "identity_desk",
    "witness",
    "privacy_officer",
    "team_administrator",
    "resource_server",
}


def test_no_role_has_no_scope() -> None:
    assert scopes_of([]) == frozenset()


def test_roles_are_those_of_the_design_and_each_has_scopes() -> None:
    assert {role.value for role in Role} == WANTED
    assert SCOPES_OF_ROLE.keys() == set(Role)
    assert all(SCOPES_OF_ROLE.values())


def test_every_scope_belongs_to_a_role() -> None:
    assert scopes_of(Role) == frozenset(Scope)


def test_operator_reads_and_writes_no_record_and_asks_for_no_consent() -> None:
    care = {Scope.RECORD_READ, Scope.RECORD_WRITE, Scope.CONSENT_REQUEST, Scope.CONSENT_OWN}
    assert not care & SCOPES_OF_ROLE[Role.OPERATOR]
    assert not care & SCOPES_OF_ROLE[Role.AUDITOR]
    assert not care & SCOPES_OF_ROLE[Role.IDENTITY_DESK]
    assert not care & SCOPES_OF_ROLE[Role.PRIVACY_OFFICER]


def test_unknown_names_grant_nothing() -> None:
    assert known_roles(["root", "patient", ""]) == {Role.PATIENT}
    assert known_scopes(["*", "records:read"]) == {Scope.RECORD_READ}


def test_narrow_never_gives_more_than_allowed() -> None:
    allowed = frozenset({Scope.RECORD_READ})
    assert narrow(None, allowed=allowed) == allowed
    assert narrow("records:read records:read", allowed=allowed) == allowed
    with pytest.raises(ScopeInvalid):
        narrow("records:write", allowed=allowed)


def test_chain_roles_are_different_single_bits() -> None:
    bits = list(CHAIN_BIT_OF_ROLE.values())
    assert len(set(bits)) == len(bits)
    assert all(bit & (bit - 1) == 0 and 0 < bit < 1 << 16 for bit in bits)


def test_require_of_a_scope_the_token_lacks_is_refused(world: World) -> None:
    principal = world.identity.authenticate(world.sign_in(STRANGER).access_token)
    principal.require(Scope.ENROL)
    with pytest.raises(ScopeMissing):
        principal.require(Scope.RECORD_READ)


def test_every_error_has_its_own_code_and_a_remedy() -> None:
    classes = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, AssentError) and item.__module__ == errors.__name__
    ]
    codes = [item.code for item in classes]
    assert len(set(codes)) == len(codes) > 30
    assert all("code" in vars(item) and "remedy" in vars(item) for item in classes)
