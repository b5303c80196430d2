"""Access and refresh tokens: what is accepted, and each way not to be."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from backend.errors import Unavailable
from backend.identity.errors import (
    IdentityRecordTampered,
    RefreshTokenInvalid,
    RefreshTokenReused,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from backend.identity.roles import Role, Scope
from backend.identity.types import TokenPair
from tests.unit.identity.memory import MemoryFamilyStore
from tests.unit.identity.world import CLINIC, PASSWORD, PATIENT, STRANGER, URL, World, at_once

DAY = 24 * 3600


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _signed(world: World, claims: dict[str, Any], **header: object) -> str:
    signer = world.ring.signer()
    members = {"alg": "ES256", "typ": "at+jwt", "kid": signer.key_id, **header}
    return jwt.encode(members, claims, signer.key, registry=JWSRegistry(algorithms=["ES256"]))


def _pair(world: World) -> TokenPair:
    pair: TokenPair = world.sign_in(PATIENT)
    return pair


def test_access_token_has_the_members_of_rfc_9068(world: World) -> None:
    token = _pair(world).access_token
    header = json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "=="))
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert header["kid"] == world.ring.public_set()["keys"][0]["kid"]
    claims = _claims(token)
    assert {"iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "fid"} <= claims.keys()
    assert claims["exp"] - claims["iat"] == 30 * 60


def test_access_token_says_nothing_of_subjects(world: World) -> None:
    claim = world.claim(world.issue().code, PATIENT)
    claims = json.dumps(_claims(_pair(world).access_token))
    assert str(claim.subject_id) not in claims
    assert f"{claim.subject_id:024x}" not in claims


def test_access_token_carries_member_and_organisations(world: World) -> None:
    client, secret = world.clients.register(
        "lab", roles=frozenset({Role.PROVIDER}), member_id=CLINIC, organisations=(CLINIC,), by=""
    )
    principal = world.identity.authenticate(world.clients.sign_in(client.client_id, secret).access_token)
    assert (principal.member_id, principal.organisations) == (CLINIC, (CLINIC,))
    assert principal.subject_ids == frozenset()


def test_access_token_ends_on_the_second(world: World) -> None:
    token = _pair(world).access_token
    world.clock.now += 1799
    world.identity.authenticate(token)
    world.clock.now += 1
    with pytest.raises(TokenExpired):
        world.identity.authenticate(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"aud": ["https://other.example"]},
        {"aud": []},
        {"aud": None},
        {"iss": "https://other.example"},
        {"iat": 1_800_000_031},
        {"exp": 1_800_003_600},
        {"exp": "1800001800"},
        {"exp": True},
        {"exp": 1e12},
        {"exp": None},
        {"sub": "root:1"},
        {"sub": 7},
        {"scope": None},
        {"roles": 7},
        {"member": "zz"},
        {"member": "00"},
    ],
    ids=str,
)
def test_access_token_with_a_wrong_claim_is_refused(world: World, changes: dict[str, Any]) -> None:
    claims = _claims(_pair(world).access_token)
    world.access.read(_signed(world, claims))
    with pytest.raises(TokenInvalid):
        world.access.read(_signed(world, {**claims, **changes}))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "iat", "exp", "jti", "scope", "roles", "fid"])
def test_access_token_without_a_claim_is_refused(world: World, name: str) -> None:
    claims = _claims(_pair(world).access_token)
    del claims[name]
    with pytest.raises(TokenInvalid):
        world.access.read(_signed(world, claims))


def test_access_token_issued_thirty_seconds_ahead_is_accepted(world: World) -> None:
    claims = _claims(_pair(world).access_token)
    world.access.read(_signed(world, {**claims, "iat": world.clock() + 30}))


def test_access_token_for_another_audience_of_the_same_keys_is_refused(world: World) -> None:
    pair = _pair(world)
    family = world.stores.families.get(pair.family_id)
    assert family is not None
    token = world.access_tokens(audience=URL + "/other").issue(family.grant, family_id=pair.family_id)
    with pytest.raises(TokenInvalid):
        world.identity.authenticate(token)


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"typ": "id+jwt"}, {"kid": "unknown"}, {"kid": ""}], ids=str
)
def test_access_token_with_another_header_is_refused(world: World, header: dict[str, Any]) -> None:
    claims = _claims(_pair(world).access_token)
    with pytest.raises(TokenInvalid):
        world.access.read(_signed(world, claims, **header))


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_access_token_with_algorithm_none_is_refused(world: World) -> None:
    token = _pair(world).access_token
    kid = world.ring.signer().key_id
    for algorithm in ("none", "None", "NONE", ""):
        header = _part({"alg": algorithm, "typ": "at+jwt", "kid": kid})
        for signature in ("", token.split(".")[2]):
            with pytest.raises(TokenInvalid):
                world.identity.authenticate(f"{header}.{token.split('.')[1]}.{signature}")


def test_access_token_signed_with_the_public_key_as_a_secret_is_refused(world: World) -> None:
    claims = _claims(_pair(world).access_token)
    signer = world.ring.signer()
    for material in (signer.key.as_pem(private=False), json.dumps(world.ring.public_set()).encode()):
        signed = f"{_part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': signer.key_id})}.{_part(claims)}"
        mark = base64.urlsafe_b64encode(hmac.digest(material, signed.encode(), "sha256")).rstrip(b"=")
        with pytest.raises(TokenInvalid):
            world.identity.authenticate(f"{signed}.{mark.decode()}")


def test_access_token_of_a_strangers_key_under_our_key_id_is_refused(world: World) -> None:
    claims = _claims(_pair(world).access_token)
    header = {"alg": "ES256", "typ": "at+jwt", "kid": world.ring.signer().key_id}
    forged = jwt.encode(header, claims, ECKey.generate_key("P-256"), algorithms=["ES256"])
    with pytest.raises(TokenInvalid):
        world.identity.authenticate(forged)


def test_access_token_that_brings_its_own_key_is_refused(world: World) -> None:
    key = ECKey.generate_key("P-256")
    claims = _claims(_pair(world).access_token)
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key.thumbprint(), "jwk": key.as_dict(private=False)}
    with pytest.raises(TokenInvalid):
        world.identity.authenticate(jwt.encode(header, claims, key, algorithms=["ES256"]))


@settings(max_examples=60)
@given(position=st.integers(0, 10_000), letter=st.sampled_from("ABab01_-.~ \x00é"))
def test_access_token_with_any_letter_changed_is_refused(position: int, letter: str) -> None:
    token = TOKEN
    position %= len(token)
    bent = token[:position] + letter + token[position + 1 :]
    # The last letter of a base64url part may carry unused bits.
    ends = {len(token) - 1, token.index(".") - 1, token.rindex(".") - 1}
    if bent == token or position in ends:
        return
    with pytest.raises(TokenInvalid):
        WORLD.identity.authenticate(bent)


WORLD = World()
TOKEN = _pair(WORLD).access_token


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_any_text_as_a_token_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        WORLD.identity.authenticate(text)
    with pytest.raises(RefreshTokenInvalid):
        WORLD.tokens.refresh(text)


def test_refresh_gives_new_tokens_and_spends_the_old(world: World) -> None:
    first = _pair(world)
    second = world.tokens.refresh(first.refresh_token or "")
    assert second.refresh_token != first.refresh_token
    assert second.family_id == first.family_id
    world.identity.authenticate(second.access_token)
    with pytest.raises(RefreshTokenReused):
        world.tokens.refresh(first.refresh_token or "")


def test_refresh_reuse_ends_the_family_with_its_newest_tokens(world: World) -> None:
    first = _pair(world)
    second = world.tokens.refresh(first.refresh_token or "")
    world.identity.authenticate(second.access_token)
    with pytest.raises(RefreshTokenReused):
        world.tokens.refresh(first.refresh_token or "")
    with pytest.raises(RefreshTokenInvalid):
        world.tokens.refresh(second.refresh_token or "")
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(second.access_token)
    assert "refresh_token_reused" in world.audit.names()


def test_refresh_from_twenty_threads_wins_at_most_once_and_ends_the_family(world: World) -> None:
    pair = _pair(world)
    won, refused = at_once(20, lambda _: world.tokens.refresh(pair.refresh_token or ""))
    assert len(won) == 1
    assert RefreshTokenReused.code in {refusal.code for refusal in refused}
    assert {refusal.code for refusal in refused} <= {RefreshTokenReused.code, RefreshTokenInvalid.code}
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(won[0].access_token)


def test_refresh_token_lives_seven_days(world: World) -> None:
    early, late = _pair(world), _pair(world)
    world.clock.now += 7 * DAY - 1
    world.tokens.refresh(early.refresh_token or "")
    world.clock.now += 1
    with pytest.raises(RefreshTokenInvalid):
        world.tokens.refresh(late.refresh_token or "")


def test_family_lives_thirty_days_however_often_it_is_refreshed(world: World) -> None:
    pair = _pair(world)
    for _ in range(5):
        world.clock.now += 6 * DAY - 1
        pair = world.tokens.refresh(pair.refresh_token or "")
    world.clock.now += 5
    with pytest.raises(RefreshTokenInvalid):
        world.tokens.refresh(pair.refresh_token or "")


@pytest.mark.parametrize(
    "bend",
    [
        lambda token: token[:-4],
        lambda token: token + "AAAA",
        lambda token: "A" * len(token),
        lambda token: " " + token,
        lambda _: secrets.token_urlsafe(48),
    ],
)
def test_refresh_token_never_issued_is_refused_and_ends_nothing(
    world: World, bend: Callable[[str], str]
) -> None:
    pair = _pair(world)
    with pytest.raises(RefreshTokenInvalid):
        world.tokens.refresh(bend(pair.refresh_token or ""))
    world.tokens.refresh(pair.refresh_token or "")


def test_refresh_token_cannot_be_made_from_what_an_access_token_shows(world: World) -> None:
    pair = _pair(world)
    family = bytes.fromhex(pair.family_id)
    guess = base64.urlsafe_b64encode(family + secrets.token_bytes(32)).decode()
    with pytest.raises(RefreshTokenInvalid):
        world.tokens.refresh(guess)
    world.tokens.refresh(pair.refresh_token or "")


def test_refresh_after_claim_makes_an_enrolling_token_a_patients(world: World) -> None:
    pair = _pair(world)
    world.claim(world.issue().code, PATIENT)
    principal = world.identity.authenticate(world.tokens.refresh(pair.refresh_token or "").access_token)
    assert principal.roles == {Role.PATIENT}


def test_sign_out_ends_access_and_refresh_tokens_of_this_family_only(world: World) -> None:
    mine, other = _pair(world), _pair(world)
    world.identity.sign_out(world.identity.authenticate(mine.access_token))
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(mine.access_token)
    with pytest.raises(RefreshTokenInvalid):
        world.tokens.refresh(mine.refresh_token or "")
    world.identity.authenticate(other.access_token)


def test_sign_out_in_another_process_is_known_within_two_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [1000.0]
    monkeypatch.setattr(world.tokens._going, "_monotonic", lambda: moment[0])
    pair = _pair(world)
    world.identity.authenticate(pair.access_token)
    other = world.again()
    other.identity.sign_out(other.identity.authenticate(pair.access_token))
    moment[0] += 2.0
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(pair.access_token)


def test_authenticate_asks_the_store_once_in_two_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = _pair(world)
    asked: list[str] = []
    real = world.stores.families.get

    def counted(family_id: str) -> object:
        asked.append(family_id)
        return real(family_id)

    monkeypatch.setattr(world.stores.families, "get", counted)
    for _ in range(50):
        world.identity.authenticate(pair.access_token)
    assert len(asked) == 1


def test_authenticate_while_the_store_is_down_says_so_and_permits_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = _pair(world)

    def down(_: str) -> None:
        raise Unavailable

    monkeypatch.setattr(world.stores.families, "get", down)
    with pytest.raises(Unavailable):
        world.identity.authenticate(pair.access_token)


def test_family_changed_in_the_index_is_found(world: World) -> None:
    pair = _pair(world)
    store = world.stores.families
    assert isinstance(store, MemoryFamilyStore)
    family = store.rows[pair.family_id]
    store.rows[pair.family_id] = replace(
        family, grant=replace(family.grant, roles=frozenset({Role.OPERATOR}))
    )
    with pytest.raises(IdentityRecordTampered):
        world.tokens.refresh(pair.refresh_token or "")


def test_purge_forgets_families_that_are_over(world: World) -> None:
    pair = _pair(world)
    world.clock.now += 31 * DAY
    world.stores.families.purge(now=world.clock.now)  # type: ignore[arg-type]
    assert world.stores.families.get(pair.family_id) is None


def test_introspect_tells_of_own_tokens_and_to_operators_of_all(world: World) -> None:
    mine = _pair(world)
    stranger = world.identity.authenticate(world.sign_in(STRANGER).access_token)
    owner = world.identity.authenticate(mine.access_token)
    answer = world.identity.introspect(mine.access_token, by=owner)
    assert (answer["active"], answer["sub"]) == (True, f"wallet:{PATIENT.account}")
    assert world.identity.introspect(mine.access_token, by=stranger) == {"active": False}
    world.staff.create("operator", PASSWORD, roles=frozenset({Role.OPERATOR}), by="")
    operator = world.identity.authenticate(world.staff.sign_in("operator", PASSWORD).access_token)
    assert world.identity.introspect(mine.access_token, by=operator)["active"]


def test_introspect_of_anything_not_active_gives_no_reason(world: World) -> None:
    ended, expired = _pair(world), _pair(world)
    principal = world.identity.authenticate(ended.access_token)
    world.identity.sign_out(principal)
    assert world.tokens.introspect(ended.access_token) == {"active": False}
    assert world.tokens.introspect("rubbish") == {"active": False}
    world.clock.now += 1800
    assert world.tokens.introspect(expired.access_token) == {"active": False}


def test_repr_of_a_pair_shows_no_token(world: World) -> None:
    pair = _pair(world)
    assert pair.access_token not in repr(pair)
    assert str(pair.refresh_token) not in repr(pair)


def test_scopes_of_a_token_are_those_of_the_pair(world: World) -> None:
    pair = _pair(world)
    assert _claims(pair.access_token)["scope"] == " ".join(pair.scopes) == Scope.ENROL.value
