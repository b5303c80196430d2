"""People and systems of a provider: who they become here, what ends, and what the log may name."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from backend.errors import InvalidInput
from backend.identity.errors import LastOperator, SignInFailed, TokenRevoked
from backend.identity.nonces import Nonces
from backend.identity.openid.errors import (
    ManagedByProvider,
    OpenIdAccountClosed,
    OpenIdCodeRefused,
    OpenIdNoRole,
    OpenIdNotOffered,
    OpenIdProviderUnavailable,
    OpenIdStateRefused,
    OpenIdSystemUnknown,
    OpenIdTokenInvalid,
)
from backend.identity.openid.mapping import read_mapping
from backend.identity.openid.provider import Provider
from backend.identity.openid.sign_in import STATE_PURPOSE, STATE_SECONDS, OpenIdSignIn, OpenIdTerms, SignedIn
from backend.identity.openid.verifying import ProviderTokens
from backend.identity.roles import Role
from tests.unit.identity.signing_provider import AUDIENCE, CLIENT, ISSUER, SigningProvider, s256
from tests.unit.identity.world import CLINIC, PASSWORD, World, at_once

VERIFIER = "v" * 43
SESSION_SECONDS = 4 * 3600
MAPPING = {
    "staff": [
        {"role": "ops", "roles": ["operator"]},
        {"role": "audit", "roles": ["auditor"]},
    ],
    "systems": [{"client": "lab-system", "subject": "lab-1", "roles": ["provider"]}],
}


@dataclass
class Site:
    world: World
    link: SigningProvider
    openid: OpenIdSignIn

    def comes_back(self, **claims: Any) -> dict[str, Any]:
        """Somebody went to the provider and comes back; what the page then sends."""
        begun = self.openid.begin(s256(VERIFIER))
        code = self.link.answer(begun.address, **{"roles": ["ops"], **claims})
        return {"code": code, "state": begun.state, "code_verifier": VERIFIER, "issuer": None}

    def signs_in(self, **claims: Any) -> SignedIn:
        return self.openid.finish(**self.comes_back(**claims))

    def refused(self) -> list[dict[str, Any]]:
        return [members for name, members in self.world.audit.events if name == "sign_in_refused"]


@pytest.fixture
def site() -> Site:
    world = World()
    link = SigningProvider(world.clock)
    provider = Provider(issuer=ISSUER, link=link)
    openid = OpenIdSignIn(
        terms=OpenIdTerms(
            name="Hospital",
            client_id=CLIENT,
            redirect_uri="https://hospital.example/app/openid",
            after_sign_out="https://hospital.example/app/",
            roles_claim="roles",
            subject_claim="sub",
            session_seconds=SESSION_SECONDS,
        ),
        mapping=read_mapping(json.dumps(MAPPING), custodian=CLINIC),
        provider=provider,
        verifying=ProviderTokens(provider=provider, client_id=CLIENT, audience=AUDIENCE, clock=world.clock),
        link=link,
        nonces=Nonces(
            keys=world.keys,
            used=world.stores.single_use,
            clock=world.clock,
            purpose=STATE_PURPOSE,
            seconds=STATE_SECONDS,
        ),
        used=world.stores.single_use,
        staff=world.staff,
        clients=world.clients,
        keys=world.keys,
        audit=world.audit,
        clock=world.clock,
    )
    return Site(world, link, openid)


# --- going there and coming back


def test_begin_sends_the_browser_with_pkce_state_and_nonce(site: Site) -> None:
    begun = site.openid.begin(s256(VERIFIER))
    question = parse_qs(urlsplit(begun.address).query)
    assert begun.address.startswith(f"{ISSUER}/auth?")
    assert question["response_type"] == ["code"]
    assert question["code_challenge_method"] == ["S256"]
    assert question["code_challenge"] == [s256(VERIFIER)]
    assert question["redirect_uri"] == ["https://hospital.example/app/openid"]
    assert question["scope"] == ["openid"]
    assert question["state"] == [begun.state]
    assert len(question["nonce"][0]) == 64
    with pytest.raises(InvalidInput):
        site.openid.begin("plain")


def test_person_with_a_mapped_role_becomes_an_account_and_stays_the_same_one(site: Site) -> None:
    first = site.signs_in(preferred_username="Ada.Example")
    assert (first.account.username, first.account.roles) == ("ada.example@sso", {Role.OPERATOR})
    assert first.account.member_id == CLINIC
    principal = site.world.identity.authenticate(first.pair.access_token)
    assert principal.id == first.account.staff_id
    again = site.signs_in(preferred_username="Ada.Married")
    assert again.account == first.account
    assert site.signs_in(sub="grace").account.staff_id != first.account.staff_id


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("operator", "operator@sso"),
        ("Zoë Ærø", "zor@sso"),
        ("", "person@sso"),
        ("x" * 300, "x" * 32 + "@sso"),
    ],
)
def test_name_of_the_provider_links_to_nobody(site: Site, called: str, name: str) -> None:
    own = site.world.staff.create("operator", PASSWORD, roles=frozenset({Role.OPERATOR}), by="")
    made = site.signs_in(preferred_username=called).account
    assert made.username == name
    assert made.staff_id != own.staff_id
    other = site.signs_in(sub="another", preferred_username=called).account
    assert other.username == f"{name.removesuffix('@sso')}.{other.staff_id[:16]}@sso"


def test_nobody_signs_in_with_a_password_as_somebody_of_the_provider(site: Site) -> None:
    account = site.signs_in(preferred_username="ada").account
    for password in ("", PASSWORD, account.staff_id):
        with pytest.raises(SignInFailed):
            site.world.staff.sign_in("ada@sso", password)
    refused = [
        lambda: site.world.staff.reset_password(account.staff_id, PASSWORD, by=""),
        lambda: site.world.staff.change_password(account.staff_id, old="", new=PASSWORD),
        lambda: site.world.staff.set_roles(account.staff_id, frozenset({Role.AUDITOR}), by=""),
    ]
    for change in refused:
        with pytest.raises(ManagedByProvider):
            change()


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "A" * 56},
        {"state": ""},
        {"code_verifier": "short"},
        {"issuer": "https://evil.example"},
        {"code": ""},
        {"code": "x" * 2001},
        {"code": "\ud800"},
    ],
    ids=str,
)
def test_return_that_was_not_begun_here_is_refused_before_the_provider_is_asked(
    site: Site, changes: dict[str, Any]
) -> None:
    sent = {**site.comes_back(), **changes}
    asked = len(site.link.asked)
    with pytest.raises(OpenIdStateRefused):
        site.openid.finish(**sent)
    assert len(site.link.asked) == asked


def test_state_serves_once_and_for_ten_minutes(site: Site) -> None:
    sent = site.comes_back()
    site.openid.finish(**sent)
    with pytest.raises(OpenIdStateRefused):
        site.openid.finish(**sent)
    late = site.comes_back()
    site.world.clock.now += STATE_SECONDS
    with pytest.raises(OpenIdStateRefused):
        site.openid.finish(**late)


def test_state_of_a_wallets_sign_in_is_none_of_ours(site: Site) -> None:
    sent = {**site.comes_back(), "state": site.world.nonces.issue()}
    with pytest.raises(OpenIdStateRefused):
        site.openid.finish(**sent)


def test_code_of_another_browser_is_refused(site: Site) -> None:
    stolen, own = site.comes_back(), site.comes_back()
    with pytest.raises(OpenIdCodeRefused):
        site.openid.finish(**{**stolen, "code_verifier": "w" * 43})
    # Even where a provider forgot PKCE, the nonce ties the token to the browser that began.
    code = stolen["code"] + "again"
    site.link.codes[code] = (s256(VERIFIER), site.link.id_claims(nonce="0" * 64, roles=["ops"]))
    with pytest.raises(OpenIdTokenInvalid):
        site.openid.finish(**{**own, "code": code})


def test_one_state_at_many_pages_at_once_signs_in_once(site: Site) -> None:
    sent = site.comes_back()
    signed_in, refusals = at_once(8, lambda _: site.openid.finish(**sent))
    assert len(signed_in) == 1
    assert {type(refusal) for refusal in refusals} == {OpenIdStateRefused}


def test_first_sign_in_twice_at_once_makes_one_account(site: Site) -> None:
    sent = [site.comes_back(preferred_username="ada") for _ in range(4)]
    signed_in, refusals = at_once(4, lambda number: site.openid.finish(**sent[number]))
    assert refusals == []
    assert len({each.account.staff_id for each in signed_in}) == 1
    assert len(site.world.staff.all()) == 1


# --- what the provider takes away


def test_role_that_was_taken_away_ends_with_the_next_token(site: Site) -> None:
    both = site.signs_in(roles=["ops", "audit"])
    fewer = site.signs_in(roles=["audit"])
    assert fewer.account.roles == {Role.AUDITOR}
    with pytest.raises(TokenRevoked):
        site.world.identity.authenticate(both.pair.access_token)
    with pytest.raises(OpenIdNoRole):
        site.signs_in(roles=[])
    with pytest.raises(TokenRevoked):
        site.world.identity.authenticate(fewer.pair.access_token)


def test_person_nobody_mapped_gets_no_account(site: Site) -> None:
    for claims in ({"roles": ["visitors"]}, {"roles": None}):
        with pytest.raises(OpenIdNoRole):
            site.signs_in(**claims)
    assert site.world.staff.all() == []
    assert site.refused()[0] == {"kind": "staff", "principal_id": "", "code": "openid_no_role"}


def test_session_ends_when_the_provider_has_to_be_asked_again(site: Site) -> None:
    signed_in = site.signs_in()
    assert signed_in.pair.refresh_token is not None
    site.world.clock.now += SESSION_SECONDS - 1
    pair = site.world.tokens.refresh(signed_in.pair.refresh_token)
    site.world.clock.now += 1
    with pytest.raises(TokenRevoked):
        site.world.again().identity.authenticate(pair.access_token)


def test_account_that_an_operator_closed_stays_closed(site: Site) -> None:
    account = site.signs_in().account
    site.world.staff.disable(account.staff_id, by="")
    with pytest.raises(OpenIdAccountClosed):
        site.signs_in()
    assert site.refused()[-1]["principal_id"] == account.staff_id
    site.world.staff.enable(account.staff_id, by="")
    assert site.signs_in().account.staff_id == account.staff_id


def test_operators_of_the_provider_do_not_count_as_the_last_one(site: Site) -> None:
    own = site.world.staff.create("operator", PASSWORD, roles=frozenset({Role.OPERATOR}), by="")
    theirs = site.signs_in().account
    with pytest.raises(LastOperator):
        site.world.staff.disable(own.staff_id, by="")
    site.world.staff.disable(theirs.staff_id, by="")


def test_back_channel_logout_ends_all_sessions_of_the_person_once(site: Site) -> None:
    ada, grace = site.signs_in(), site.signs_in(sub="grace")
    token = site.link.sign(site.link.logout_claims(), typ="logout+jwt")
    site.openid.log_out(token)
    with pytest.raises(TokenRevoked):
        site.world.identity.authenticate(ada.pair.access_token)
    assert site.world.identity.authenticate(grace.pair.access_token)
    again = site.signs_in()
    with pytest.raises(OpenIdTokenInvalid):
        site.openid.log_out(token)
    assert site.world.identity.authenticate(again.pair.access_token)


# --- systems


def test_system_becomes_a_client_with_the_roles_of_its_line(site: Site) -> None:
    client = site.openid.system(site.link.sign(site.link.access_claims()))
    assert (client.name, client.roles, client.member_id) == ("lab-system", {Role.PROVIDER}, CLINIC)
    assert site.openid.system(site.link.sign(site.link.access_claims(jti="2"))) == client
    pair = site.world.clients.start(client, scope="records:read")
    assert site.world.identity.authenticate(pair.access_token).id == client.client_id
    for secret in ("", "x"):
        with pytest.raises(Exception, match="client id"):
            site.world.clients.sign_in(client.client_id, secret)
    with pytest.raises(ManagedByProvider):
        site.world.clients.rotate_secret(client.client_id, overlap_seconds=0, by="")
    with pytest.raises(ManagedByProvider):
        site.world.clients.set_assertion_keys(client.client_id, None, by="")


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "ada"},  # a person's token that the system's client got
        {"azp": "another-client"},
        {"azp": None},
        {"client_id": "another-client"},
        {"azp": 7},
    ],
    ids=str,
)
def test_token_that_is_not_the_systems_own_is_refused(site: Site, claims: dict[str, Any]) -> None:
    with pytest.raises(OpenIdSystemUnknown):
        site.openid.system(site.link.sign(site.link.access_claims(**claims)))
    assert site.world.clients.all() == []


def test_system_that_an_operator_closed_stays_closed(site: Site) -> None:
    token = site.link.sign(site.link.access_claims())
    client = site.openid.system(token)
    site.world.clients.disable(client.client_id, by="")
    with pytest.raises(OpenIdAccountClosed):
        site.openid.system(token)


# --- being away, and what is written


def test_provider_away_is_told_apart_from_a_refusal_and_is_no_failed_sign_in(site: Site) -> None:
    signed_in, sent = site.signs_in(), site.comes_back()
    site.link.away = True
    with pytest.raises(OpenIdProviderUnavailable):
        site.openid.finish(**sent)
    assert site.refused() == []
    assert site.world.identity.authenticate(signed_in.pair.access_token)
    assert signed_in.pair.refresh_token is not None
    assert site.world.tokens.refresh(signed_in.pair.refresh_token)


def test_log_names_nobody_as_the_provider_does(site: Site) -> None:
    claims = {"sub": "ada-7c1d", "preferred_username": "ada.example", "email": "ada@hospital.example"}
    site.signs_in(**claims)
    site.signs_in(roles=["audit"], **claims)
    with pytest.raises(OpenIdNoRole):
        site.signs_in(**{**claims, "roles": []})
    site.openid.system(site.link.sign(site.link.access_claims()))
    written = repr(site.world.audit.events)
    assert "signed_in" in written
    for name in ("ada", "hospital", "lab-1", "lab-system"):
        assert name not in written


def test_ids_are_of_this_service_and_differ_between_issuers_and_kinds(site: Site) -> None:
    staff_id = site.signs_in(sub="one").account.staff_id
    other = OpenIdSignIn(**{**_parts(site.openid), "keys": World().keys})
    assert other._staff_id({"sub": "one"}) != staff_id
    assert site.openid._id("system", "one") != staff_id


def test_person_is_known_by_the_claim_that_the_operator_chose(site: Site) -> None:
    site.openid.terms = replace(site.openid.terms, subject_claim="employee", roles_claim="realm_access.roles")
    inner = {"realm_access": {"roles": ["audit"]}, "roles": None}
    first = site.signs_in(sub="old", employee="4711", **inner)
    assert site.signs_in(sub="new", employee="4711", **inner).account == first.account
    with pytest.raises(OpenIdTokenInvalid):
        site.signs_in(**inner)
    for wrong in ({"realm_access": ["audit"]}, {"realm_access": None}):
        with pytest.raises(OpenIdNoRole):
            site.signs_in(employee="4711", **wrong)


def test_service_without_a_provider_offers_none(site: Site) -> None:
    with pytest.raises(OpenIdNotOffered):
        site.world.identity.require_openid()


def test_sign_out_page_brings_back_here(site: Site) -> None:
    address = site.openid.end_session_address()
    assert address is not None
    assert parse_qs(urlsplit(address).query)["post_logout_redirect_uri"] == ["https://hospital.example/app/"]


def _parts(openid: OpenIdSignIn) -> dict[str, Any]:
    names = (
        "mapping",
        "provider",
        "verifying",
        "link",
        "nonces",
        "used",
        "staff",
        "clients",
        "audit",
        "clock",
    )
    return {"terms": openid.terms, **{name: getattr(openid, f"_{name}") for name in names}}
