"""Tokens of a provider: what holds, each thing that does not, and keys that are replaced."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from backend.identity.openid.errors import OpenIdProviderUnavailable, OpenIdTokenInvalid
from backend.identity.openid.provider import (
    FAILED_SECONDS,
    KEYS_SECONDS,
    LOOK_SECONDS,
    METADATA_SECONDS,
    ROTATED_SECONDS,
    Provider,
)
from backend.identity.openid.verifying import CLOCK_SKEW_SECONDS, MAX_AGE_SECONDS, ProviderTokens
from tests.unit.identity.signing_provider import (
    AUDIENCE,
    CLIENT,
    EC,
    ISSUER,
    NEXT,
    PSS,
    RSA,
    SigningProvider,
)
from tests.unit.identity.world import NOW, Clock

NONCE = "n" * 64


class Desk:
    """A provider, and who checks its tokens; ``seconds`` is the monotonic clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.seconds = 0.0
        self.link = SigningProvider(self.clock)
        self.provider = Provider(issuer=ISSUER, link=self.link, monotonic=lambda: self.seconds)
        self.tokens = ProviderTokens(
            provider=self.provider, client_id=CLIENT, audience=AUDIENCE, clock=self.clock
        )

    def id_token(self, *, signed: dict[str, Any] | None = None, **claims: Any) -> Any:
        whole = self.link.id_claims(**{"nonce": NONCE, **claims})
        token = self.link.sign({k: v for k, v in whole.items() if v is not None}, **(signed or {}))
        return self.tokens.id_token(token, nonce=NONCE)

    def access_token(self, **claims: Any) -> Any:
        whole = self.link.access_claims(**claims)
        return self.tokens.access_token(self.link.sign({k: v for k, v in whole.items() if v is not None}))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (PSS, "PS256"), (PSS, "RS256"), (EC, "ES256")]
)
def test_token_under_each_algorithm_that_is_allowed_holds(desk: Desk, key: Any, algorithm: str) -> None:
    assert desk.id_token(signed={"key": key, "algorithm": algorithm})["sub"] == "ada"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": []},
        {"aud": None},
        {"aud": [CLIENT, "another-client"]},  # and nothing says for whom of them
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"exp": NOW - CLOCK_SKEW_SECONDS},
        {"exp": None},
        {"exp": "never"},
        {"exp": True},
        {"exp": float("nan")},
        {"iat": NOW + CLOCK_SKEW_SECONDS + 1},
        {"iat": NOW - MAX_AGE_SECONDS - CLOCK_SKEW_SECONDS - 1, "exp": NOW + 60},
        {"iat": None},
        {"nbf": NOW + CLOCK_SKEW_SECONDS + 1},
        {"nonce": "m" * 64},
        {"nonce": None},
        {"nonce": 7},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "\ud800"},
        {"nonce": "\ud800"},
        {"typ": "Bearer"},
    ],
    ids=str,
)
def test_id_token_with_a_wrong_claim_is_refused(desk: Desk, claims: dict[str, Any]) -> None:
    with pytest.raises(OpenIdTokenInvalid):
        desk.id_token(**claims)


def test_id_token_by_a_clock_that_is_a_little_wrong_holds(desk: Desk) -> None:
    desk.id_token(
        exp=NOW - CLOCK_SKEW_SECONDS + 1, iat=NOW + CLOCK_SKEW_SECONDS, nbf=NOW + CLOCK_SKEW_SECONDS
    )


def test_id_token_for_several_that_names_us_holds(desk: Desk) -> None:
    assert desk.id_token(aud=["another-client", CLIENT], azp=CLIENT, typ="ID")


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
        {"kid": None},
        {"kid": "unheard-of"},
        {"kid": "ec"},
        {"kid": "odd"},
    ],
    ids=str,
)
def test_token_with_another_type_or_key_is_refused(desk: Desk, header: dict[str, Any]) -> None:
    with pytest.raises(OpenIdTokenInvalid):
        desk.id_token(signed=header)


def test_token_that_wants_an_extension_understood_is_refused(desk: Desk) -> None:
    with pytest.raises(OpenIdTokenInvalid):
        desk.id_token(signed={"crit": ["kid"]})


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS1", "RS512"])
def test_token_under_another_algorithm_is_refused(desk: Desk, algorithm: str) -> None:
    _, payload, mark = desk.link.sign(desk.link.id_claims(nonce=NONCE)).split(".")
    header = _encoded({"alg": algorithm, "typ": "JWT", "kid": "rsa"})
    for signature in ("", mark):
        with pytest.raises(OpenIdTokenInvalid):
            desk.tokens.id_token(f"{header}.{payload}.{signature}", nonce=NONCE)
    assert desk.link.asked == []


@pytest.mark.parametrize("form", ["pem", "der"])
def test_token_under_a_secret_that_is_the_public_key_is_refused(desk: Desk, form: str) -> None:
    secret = RSA.as_pem(private=False) if form == "pem" else RSA.as_der(private=False)
    header = _encoded({"alg": "HS256", "typ": "JWT", "kid": "rsa"})
    signed = f"{header}.{_encoded(desk.link.id_claims(nonce=NONCE))}"
    mark = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256")).rstrip(b"=").decode()
    with pytest.raises(OpenIdTokenInvalid):
        desk.tokens.id_token(f"{signed}.{mark}", nonce=NONCE)


def test_token_that_brings_its_own_key_is_refused(desk: Desk) -> None:
    own = ECKey.generate_key("P-256", {"kid": "ec"})
    header = {"jwk": own.as_dict(private=False), "jku": "https://evil.example/certs"}
    with pytest.raises(OpenIdTokenInvalid):
        desk.id_token(signed={"key": own, "algorithm": "ES256", **header})
    assert not [url for url in desk.link.asked if "evil" in url]


def test_token_under_a_weak_key_of_the_provider_is_refused(desk: Desk) -> None:
    with pytest.warns(Warning, match="2048"):
        weak = RSAKey.generate_key(1024, {"kid": "weak"})
    desk.link.keys.append(weak)
    with pytest.raises(OpenIdTokenInvalid):
        desk.id_token(signed={"key": weak})


def test_token_under_a_key_for_encryption_is_refused(desk: Desk) -> None:
    other = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
    signer = RSAKey.import_key(other.as_dict(private=True) | {"use": "sig"})
    desk.link.keys.append(other)
    with pytest.raises(OpenIdTokenInvalid):
        desk.id_token(signed={"key": signer})


def test_token_under_another_algorithm_than_its_key_is_for_is_refused(desk: Desk) -> None:
    signer = RSAKey.import_key(RSA.as_dict(private=True) | {"alg": "PS256"})
    with pytest.raises(OpenIdTokenInvalid):
        desk.id_token(signed={"key": signer, "algorithm": "PS256"})


def test_token_with_a_changed_letter_is_refused(desk: Desk) -> None:
    token = desk.link.sign(desk.link.id_claims(nonce=NONCE))
    header, _, mark = token.split(".")
    forged = _encoded(desk.link.id_claims(nonce=NONCE, sub="operator"))
    with pytest.raises(OpenIdTokenInvalid):
        desk.tokens.id_token(f"{header}.{forged}.{mark}", nonce=NONCE)


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "....", "é" * 9, "a" * 40_000, "e30.e30.e30", '{"alg":"RS256"}']
)
def test_what_is_no_token_is_refused_and_nobody_is_asked(desk: Desk, text: str) -> None:
    for check in (lambda t: desk.tokens.id_token(t, nonce=NONCE), desk.tokens.access_token):
        with pytest.raises(OpenIdTokenInvalid):
            check(text)
    assert desk.link.asked == []


@pytest.mark.parametrize(
    "payload", [b"[]", b"7", b"no json", b"\xff", b"[" * 90_000], ids=lambda p: str(p[:8])
)
def test_signed_payload_that_is_no_object_is_refused(desk: Desk, payload: bytes) -> None:
    token = jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, payload, RSA, algorithms=["RS256"])
    with pytest.raises(OpenIdTokenInvalid):
        desk.tokens.access_token(token)


# --- the three kinds


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": CLIENT},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"exp": NOW - CLOCK_SKEW_SECONDS},
        {"typ": "ID"},
        {"nonce": NONCE},
        {"events": {}},
        {"sub": None},
    ],
    ids=str,
)
def test_access_token_that_is_none_for_us_is_refused(desk: Desk, claims: dict[str, Any]) -> None:
    assert desk.access_token()["sub"] == "lab-1"
    with pytest.raises(OpenIdTokenInvalid):
        desk.access_token(**claims)


@pytest.mark.parametrize(
    "claims",
    [
        {"events": {}},
        {"events": None},
        {"nonce": NONCE},
        {"aud": "another-client"},
        {"jti": None},
        {"iat": NOW - MAX_AGE_SECONDS - CLOCK_SKEW_SECONDS - 1},
        {"exp": NOW - CLOCK_SKEW_SECONDS},
    ],
    ids=str,
)
def test_logout_token_with_a_wrong_claim_is_refused(desk: Desk, claims: dict[str, Any]) -> None:
    def check(**changes: Any) -> Any:
        whole = {**desk.link.logout_claims(), **changes}
        token = desk.link.sign({k: v for k, v in whole.items() if v is not None}, typ="logout+jwt")
        return desk.tokens.logout_token(token)

    assert check(exp=None)["sub"] == "ada"
    with pytest.raises(OpenIdTokenInvalid):
        check(**claims)


def test_no_kind_of_token_passes_for_another(desk: Desk) -> None:
    logout = desk.link.sign(desk.link.logout_claims())
    access = desk.link.sign(desk.link.access_claims(aud=[CLIENT, AUDIENCE], azp=CLIENT, nonce=None))
    refused: list[Callable[[], Any]] = [
        lambda: desk.tokens.id_token(logout, nonce=NONCE),
        lambda: desk.tokens.id_token(access, nonce=NONCE),
        lambda: desk.tokens.access_token(logout),
        lambda: desk.tokens.logout_token(access),
    ]
    for check in refused:
        with pytest.raises(OpenIdTokenInvalid):
            check()


# --- keys over time


def test_new_key_is_found_with_one_look_and_unknown_ones_are_not_looked_for_again(desk: Desk) -> None:
    desk.id_token()
    looks = len(desk.link.asked)
    desk.link.keys = [NEXT]
    desk.id_token(signed={"key": NEXT, "algorithm": "ES256"})
    assert len(desk.link.asked) == looks + 1
    for number in range(20):
        with pytest.raises(OpenIdTokenInvalid):
            desk.id_token(signed={"kid": f"made-up-{number}"})
    assert len(desk.link.asked) == looks + 1
    desk.seconds += ROTATED_SECONDS
    for _ in range(5):
        with pytest.raises(OpenIdTokenInvalid):
            desk.id_token(signed={"kid": "made-up"})
    assert len(desk.link.asked) == looks + 2


def test_key_that_was_withdrawn_ends_after_a_while(desk: Desk) -> None:
    desk.id_token()
    desk.link.keys = [NEXT]
    desk.seconds += KEYS_SECONDS - 1
    desk.id_token()
    desk.seconds += 1
    with pytest.raises(OpenIdTokenInvalid):
        desk.id_token()


def test_provider_that_is_away_is_no_refusal_and_is_not_asked_at_once_again(desk: Desk) -> None:
    desk.link.away = True
    for _ in range(5):
        with pytest.raises(OpenIdProviderUnavailable):
            desk.id_token()
    assert len(desk.link.asked) == 1
    desk.link.away = False
    desk.seconds += FAILED_SECONDS
    assert desk.id_token()
    desk.link.away = True
    assert desk.id_token(), "keys that are known go on while the provider is away"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"jwks_uri": "http://sso.hospital.example/certs"},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": 7},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_description_that_is_wrong_is_not_believed(desk: Desk, changes: dict[str, Any]) -> None:
    desk.link.metadata |= changes
    with pytest.raises(OpenIdProviderUnavailable):
        desk.provider.metadata()


def test_description_is_asked_for_again_after_its_time(desk: Desk) -> None:
    desk.provider.metadata()
    desk.provider.metadata()
    assert len(desk.link.asked) == 1
    desk.seconds += METADATA_SECONDS
    desk.provider.metadata()
    assert len(desk.link.asked) == 2
    desk.seconds += LOOK_SECONDS
    desk.provider.metadata()
    assert len(desk.link.asked) == 2
    desk.provider.metadata(just_now=True)
    desk.provider.metadata(just_now=True)
    assert len(desk.link.asked) == 3


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
