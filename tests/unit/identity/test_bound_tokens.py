"""Tokens bound to a patient's consents: read back as issued, for one server, and over when they say."""

from __future__ import annotations

from typing import Any

import pytest

from backend.identity.access_tokens import Narrowing
from backend.identity.bound_claims import bound_of, extensions
from backend.identity.errors import ClientRefused, ScopeInvalid, TokenExpired, TokenInvalid, TokenRevoked
from backend.identity.roles import Role, Scope
from backend.identity.types import Bound, Client, TokenPair
from backend.types import ConsentId, SubjectId
from tests.unit.identity.world import CLINIC, World

BOUND = Bound(SubjectId(0xBEEF), "TREAT", frozenset({ConsentId(b"\x01" * 32), ConsentId(b"\x02" * 32)}))
ELSEWHERE = "https://archive.example"


def _client(world: World, role: Role = Role.PROVIDER) -> Client:
    return world.clients.register("system", roles=frozenset({role}), member_id=CLINIC, by="")[0]


def _issue(world: World, client: Client, *, seconds: int = 300, resource: str | None = None) -> TokenPair:
    grant = world.clients.grant_to_read(client, scope=None)
    return world.clients.start_bound(client, grant, Narrowing(BOUND, [], seconds, resource))


def test_bound_token_is_read_as_issued_and_has_one_scope(world: World) -> None:
    pair = _issue(world, _client(world))
    principal = world.identity.authenticate(pair.access_token)
    assert (principal.bound, principal.scopes) == (BOUND, {Scope.RECORD_READ})
    assert pair.refresh_token is None


def test_bound_token_is_over_when_its_consents_are(world: World) -> None:
    pair = _issue(world, _client(world), seconds=10)
    assert pair.expires_in_seconds == 10
    world.clock.now += 9
    assert world.tokens.active(pair.access_token) is not None
    world.clock.now += 1
    assert world.tokens.active(pair.access_token) is None
    with pytest.raises(TokenExpired):
        world.identity.authenticate(pair.access_token)


def test_bound_token_for_another_server_signs_nobody_in_here(world: World) -> None:
    pair = _issue(world, _client(world), resource=ELSEWHERE)
    with pytest.raises(TokenInvalid):
        world.identity.authenticate(pair.access_token)
    access = world.tokens.active(pair.access_token)
    assert access is not None
    assert access.audience == ELSEWHERE


def test_bound_token_of_a_disabled_client_is_not_active(world: World) -> None:
    client = _client(world)
    pair = _issue(world, client)
    world.clients.disable(client.client_id, by="")
    assert world.tokens.active(pair.access_token) is None
    with pytest.raises(ClientRefused):
        _issue(world, client)


def test_bound_token_is_not_active_by_itself(world: World) -> None:
    client = _client(world)
    pair = _issue(world, client)
    assert world.identity.introspect(pair.access_token, by=world.identity.asking_of(client)) == {
        "active": False
    }


def test_bound_token_is_revoked_by_its_client_only(world: World) -> None:
    client, other = _client(world), _client(world)
    pair = _issue(world, client)
    world.identity.revoke(pair.access_token, by=other)
    world.identity.revoke("rubbish", by=client)
    assert world.tokens.active(pair.access_token) is not None
    world.identity.revoke(pair.access_token, by=client)
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(pair.access_token)


@pytest.mark.parametrize("role", [Role.RESOURCE_SERVER, Role.DEVICE_GATEWAY])
def test_client_that_reads_no_records_gets_no_bound_token(world: World, role: Role) -> None:
    with pytest.raises(ScopeInvalid):
        world.clients.grant_to_read(_client(world, role), scope=None)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("ihe_pcf", {"doc_id": []}),
        ("ihe_pcf", {"doc_id": ["urn:assent:consent:0x00"]}),
        ("ihe_pcf", {"patient_id": "urn:assent:subject:0x00"}),
        ("ihe_pcf", {"patient_id": "Patient/1"}),
        ("ihe_iua", {"purpose_of_use": []}),
        ("ihe_iua", {"purpose_of_use": [{"system": "urn:other", "code": "TREAT"}]}),
    ],
    ids=str,
)
def test_claims_with_a_flaw_bind_to_nothing_and_are_refused(
    world: World, part: str, changes: dict[str, Any]
) -> None:
    claims = extensions(world.clients.grant_to_read(_client(world), scope=None), BOUND, [])
    assert bound_of(claims) == BOUND
    claims[part] |= changes
    with pytest.raises(ValueError):
        bound_of(claims)
