"""OAuth2 clients: secrets, rotation, scopes, and assertions signed with a key of their own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from backend.errors import InvalidInput
from backend.identity.assertion_keys import require_public_keys
from backend.identity.errors import (
    ClientRefused,
    ScopeInvalid,
    TokenRevoked,
    TooManyAttempts,
)
from backend.identity.roles import Role, Scope, scopes_of
from backend.identity.types import Client
from backend.types import MemberId
from tests.unit.identity.world import CLINIC, NOW, URL, World, at_once

PROVIDER = frozenset({Role.PROVIDER})


def _clinic(world: World, **members: Any) -> tuple[Client, str]:
    return world.clients.register("clinic", **{"roles": PROVIDER, "member_id": CLINIC, "by": ""} | members)


def test_sign_in_gives_an_access_token_and_no_refresh_token(world: World) -> None:
    client, secret = _clinic(world)
    pair = world.clients.sign_in(client.client_id, secret)
    assert pair.refresh_token is None
    principal = world.identity.authenticate(pair.access_token)
    assert (principal.id, principal.member_id) == (client.client_id, CLINIC)
    assert principal.scopes == scopes_of(PROVIDER)


@pytest.mark.parametrize("name", ["known", "0" * 32, "", "not hex \ud800", "x" * 5000])
def test_sign_in_unknown_client_and_wrong_secret_answer_alike(world: World, name: str) -> None:
    client, _ = _clinic(world)
    with pytest.raises(ClientRefused) as refusal:
        world.clients.sign_in(client.client_id if name == "known" else name, "wrong \ud800")
    assert (refusal.value.code, refusal.value.detail) == ("invalid_client", ClientRefused.remedy)


def test_secret_is_stored_only_as_a_hash_and_not_shown(world: World) -> None:
    client, secret = _clinic(world)
    assert len(secret) >= 43
    assert secret not in repr(client)
    assert secret.encode() not in client.secret_hash


def test_sign_in_asks_for_some_scopes_and_gets_those(world: World) -> None:
    client, secret = _clinic(world)
    pair = world.clients.sign_in(client.client_id, secret, scope="records:read patients:search")
    assert pair.scopes == {Scope.RECORD_READ, Scope.PATIENT_SEARCH}


@pytest.mark.parametrize(
    "scope", ["", "audit:read", "records:read audit:read", "everything", "records:read x"]
)
def test_sign_in_asking_for_more_than_allowed_is_refused(world: World, scope: str) -> None:
    client, secret = _clinic(world)
    with pytest.raises(ScopeInvalid):
        world.clients.sign_in(client.client_id, secret, scope=scope)


@pytest.mark.parametrize(
    "members",
    [
        {"roles": frozenset()},
        {"roles": frozenset({Role.OPERATOR})},
        {"roles": frozenset({Role.PROVIDER, Role.PATIENT})},
        {"scopes": frozenset({Scope.AUDIT_READ})},
        {"member_id": MemberId(bytes(32))},
        {"member_id": MemberId(b"short")},
    ],
)
def test_register_beyond_what_systems_may_is_refused(world: World, members: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        _clinic(world, **members)


def test_rotate_secret_keeps_the_old_one_for_the_overlap(world: World) -> None:
    client, old = _clinic(world)
    new = world.clients.rotate_secret(client.client_id, overlap_seconds=3600, by="staff:ff")
    world.clock.now += 3599
    world.clients.sign_in(client.client_id, old)
    world.clients.sign_in(client.client_id, new)
    world.clock.now += 1
    with pytest.raises(ClientRefused):
        world.clients.sign_in(client.client_id, old)
    world.clients.sign_in(client.client_id, new)


def test_rotate_secret_without_overlap_ends_the_old_one_and_its_sessions(world: World) -> None:
    client, old = _clinic(world)
    pair = world.clients.sign_in(client.client_id, old)
    world.clients.rotate_secret(client.client_id, overlap_seconds=0, by="staff:ff")
    with pytest.raises(ClientRefused):
        world.clients.sign_in(client.client_id, old)
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(pair.access_token)


def test_rotate_secret_twice_leaves_the_first_one_dead(world: World) -> None:
    client, first = _clinic(world)
    for _ in range(2):
        world.clients.rotate_secret(client.client_id, overlap_seconds=3600, by="staff:ff")
    with pytest.raises(ClientRefused):
        world.clients.sign_in(client.client_id, first)


def test_disable_refuses_and_ends_sessions(world: World) -> None:
    client, secret = _clinic(world)
    pair = world.clients.sign_in(client.client_id, secret)
    world.clients.disable(client.client_id, by="staff:ff")
    with pytest.raises(ClientRefused):
        world.clients.sign_in(client.client_id, secret)
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(pair.access_token)


def test_sign_in_too_often_is_refused_for_a_minute(world: World) -> None:
    client, secret = _clinic(world)
    for _ in range(120):
        world.clients.sign_in(client.client_id, secret)
    with pytest.raises(TooManyAttempts):
        world.clients.sign_in(client.client_id, secret)
    world.clock.now += 60
    world.clients.sign_in(client.client_id, secret)


def test_wrong_secrets_are_audited_to_a_bound_and_do_not_lock_the_client_out(world: World) -> None:
    client, secret = _clinic(world)
    codes = set()
    for _ in range(200):
        with pytest.raises((ClientRefused, TooManyAttempts)) as refusal:
            world.clients.sign_in(client.client_id, "wrong")
        codes.add(refusal.value.code)
    assert codes == {ClientRefused.code, TooManyAttempts.code}
    assert world.audit.names().count("sign_in_refused") == 120
    world.clients.sign_in(client.client_id, secret)


SHORT_MODULUS = base64.urlsafe_b64encode(b"\xff" * 127 + b"\x01").decode().rstrip("=")  # 1024 bits
KEY = ECKey.generate_key("P-384", {"kid": "k1"})


def _asserting(world: World) -> Client:
    client, _ = _clinic(world)
    keys = json.dumps(KeySet([KEY]).as_dict(private=False))
    world.clients.set_assertion_keys(client.client_id, keys, by="staff:ff")
    return client


def _assertion(client: Client, *, key: Any = KEY, algorithm: str = "ES384", **changes: Any) -> str:
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": URL,
        "exp": NOW + 300,
        "jti": "one",
        **changes,
    }
    header = {"alg": algorithm, "kid": "k1"}
    return jwt.encode(header, {k: v for k, v in claims.items() if v is not None}, key, algorithms=[algorithm])


def test_assertion_of_the_registered_key_signs_in_once(world: World) -> None:
    client = _asserting(world)
    assertion = _assertion(client)
    won, refused = at_once(10, lambda _: world.identity.sign_in_assertion(assertion))
    assert (len(won), {refusal.code for refusal in refused}) == (1, {ClientRefused.code})
    assert world.identity.authenticate(won[0].access_token).id == client.client_id


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"sub": "0" * 32},
        {"iss": "0" * 32},
        {"exp": NOW - 30},
        {"exp": NOW + 331},
        {"exp": None},
        {"exp": True},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 129},
        {"jti": {"$ne": 1}},
    ],
    ids=str,
)
def test_assertion_with_a_wrong_claim_is_refused(world: World, changes: dict[str, Any]) -> None:
    client = _asserting(world)
    with pytest.raises(ClientRefused):
        world.assertions.sign_in(_assertion(client, **changes))


def test_assertion_under_the_name_of_another_client_is_refused(world: World) -> None:
    client = _asserting(world)
    with pytest.raises(ClientRefused):
        world.identity.sign_in_assertion(_assertion(client), client_id="0" * 32)
    assert world.identity.sign_in_assertion(_assertion(client, jti="two"), client_id=client.client_id)


@pytest.mark.parametrize(
    "make",
    [
        lambda client: _assertion(client, key=ECKey.generate_key("P-384", {"kid": "k1"})),
        lambda client: _assertion(
            client, key=OctKey.import_key(json.dumps(KEY.as_dict(private=False))), algorithm="HS256"
        ),
        lambda client: "a.b.c",
        lambda client: "",
        lambda client: "é",
        lambda client: "x" * 9000,
    ],
)
def test_assertion_not_of_the_registered_key_is_refused(world: World, make: Callable[[Client], str]) -> None:
    client = _asserting(world)
    with pytest.raises(ClientRefused):
        world.assertions.sign_in(make(client))


def test_assertion_of_a_disabled_client_or_one_without_keys_is_refused(world: World) -> None:
    client = _asserting(world)
    world.clients.disable(client.client_id, by="staff:ff")
    with pytest.raises(ClientRefused):
        world.assertions.sign_in(_assertion(client))
    world.clients.enable(client.client_id, by="staff:ff")
    world.clients.set_assertion_keys(client.client_id, None, by="staff:ff")
    with pytest.raises(ClientRefused):
        world.assertions.sign_in(_assertion(client))


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "[]",
        '{"keys": []}',
        json.dumps(KeySet([KEY]).as_dict(private=True)),
        json.dumps(KeySet([OctKey.generate_key(256, {"kid": "k"})]).as_dict()),
        json.dumps({"keys": [{**ECKey.generate_key("P-256").as_dict(private=False), "kid": ""}]}),
        json.dumps({"keys": [{"kty": "RSA", "n": SHORT_MODULUS, "e": "AQAB", "kid": "k"}]}),
    ],
    ids=["empty", "list", "none", "private", "symmetric", "no kid", "short RSA"],
)
def test_keys_for_assertions_that_are_not_public_and_strong_are_refused(world: World, keys: str) -> None:
    client = _asserting(world)
    with pytest.raises(InvalidInput):
        world.clients.set_assertion_keys(client.client_id, keys, by="staff:ff")
    with pytest.raises(InvalidInput):
        _clinic(world, assertion_keys=keys)


def test_keys_for_assertions_that_are_public_are_taken() -> None:
    require_public_keys(json.dumps(KeySet([KEY]).as_dict(private=False)))
