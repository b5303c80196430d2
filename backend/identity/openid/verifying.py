"""Tokens that a provider signed, checked: ID tokens (OpenID Connect Core, 3.1.3.7), access tokens of systems
(RFC 9068, 4) and logout tokens (OpenID Connect Back-Channel Logout, 2.6).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from backend.identity.openid.errors import OpenIdTokenInvalid
from backend.identity.openid.provider import Provider

ALGORITHMS: Final = ("RS256", "PS256", "ES256")  # never 'none', never one with a shared secret
CLOCK_SKEW_SECONDS: Final = 30
MAX_AGE_SECONDS: Final = 300  # of an ID token or a logout token: both are used at once
MAX_TOKEN_CHARACTERS: Final = 32_768
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_MAX_TEXT: Final = 255
_JWT: Final = frozenset({"", "jwt"})

Claims = Mapping[str, Any]


class ProviderTokens:
    """``client_id``: of our pages; ``audience``: what access tokens of systems must name."""

    def __init__(
        self, *, provider: Provider, client_id: str, audience: str, clock: Callable[[], int]
    ) -> None:
        self._provider = provider
        self._client_id = client_id
        self._audience = audience
        self._clock = clock
        self._registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        self._registry.max_header_length = 8_192  # some providers put their certificates there

    def id_token(self, token: str, *, nonce: str) -> Claims:
        """Return the claims of an ID token that was made for this very sign-in.

        Raises OpenIdTokenInvalid, OpenIdProviderUnavailable. So do the others.
        """
        claims = self._signed(token, types=_JWT, kind="ID")
        self._require_for(claims, self._client_id)
        self._require_fresh(claims)
        _require(self._clock() < _moment(claims, "exp") + CLOCK_SKEW_SECONDS)
        _require(hmac.compare_digest(text_claim(claims, "nonce").encode(), nonce.encode()))
        text_claim(claims, "sub")
        return claims

    def access_token(self, token: str) -> Claims:
        """Return the claims of an access token for this service."""
        claims = self._signed(token, types=_JWT | {"at+jwt"}, kind="Bearer")
        _require(self._audience in _audiences(claims) and "nonce" not in claims and "events" not in claims)
        _require(self._clock() < _moment(claims, "exp") + CLOCK_SKEW_SECONDS)
        text_claim(claims, "sub")
        return claims

    def logout_token(self, token: str) -> Claims:
        """Return the claims of a logout token. That each serves once, the caller sees to."""
        claims = self._signed(token, types=_JWT | {"logout+jwt"}, kind="Logout")
        self._require_for(claims, self._client_id)
        self._require_fresh(claims)
        if "exp" in claims:
            _require(self._clock() < _moment(claims, "exp") + CLOCK_SKEW_SECONDS)
        events = claims.get("events")
        _require(isinstance(events, dict) and LOGOUT_EVENT in events and "nonce" not in claims)
        text_claim(claims, "jti")
        return claims

    def _signed(self, token: str, *, types: frozenset[str], kind: str) -> Claims:
        """Check signature, algorithm, type, issuer and times that every token has."""
        _require(0 < len(token) <= MAX_TOKEN_CHARACTERS)
        try:
            header = jws.extract_compact(token.encode()).headers()
            key_id, algorithm = header.get("kid"), header.get("alg")
            _require(algorithm in ALGORITHMS and isinstance(key_id, str) and "crit" not in header)
            # ID, access and logout tokens are signed by the same keys: none may pass for another.
            written = str(header.get("typ", "")).lower().removeprefix("application/")
            _require(written in types)
            key = self._provider.find_key(str(key_id))
            if key is None:
                raise OpenIdTokenInvalid
            # This also holds the key to its own 'use' and 'alg'.
            claims = json.loads(jws.deserialize_compact(token, key, registry=self._registry).payload)
        except (JoseError, ValueError, TypeError, RecursionError) as refusal:
            raise OpenIdTokenInvalid from refusal
        _require(isinstance(claims, dict) and claims.get("iss") == self._provider.issuer)
        _require(claims.get("typ", kind) == kind)  # Keycloak says there what it is
        now = self._clock()
        _require(_moment(claims, "iat") <= now + CLOCK_SKEW_SECONDS)
        if "nbf" in claims:
            _require(_moment(claims, "nbf") <= now + CLOCK_SKEW_SECONDS)
        return dict(claims)

    def _require_for(self, claims: Claims, client_id: str) -> None:
        audiences = _audiences(claims)
        _require(client_id in audiences)
        authorized = claims.get("azp")
        _require(authorized == client_id if authorized is not None else len(audiences) == 1)

    def _require_fresh(self, claims: Claims) -> None:
        _require(_moment(claims, "iat") >= self._clock() - MAX_AGE_SECONDS - CLOCK_SKEW_SECONDS)


def _require(holds: bool) -> None:
    if not holds:
        raise OpenIdTokenInvalid


def _audiences(claims: Claims) -> list[object]:
    named = claims.get("aud")
    return named if isinstance(named, list) else [named]


def _moment(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OpenIdTokenInvalid
    return value


def text_claim(claims: Claims, name: str) -> str:
    """Return a claim that is a text of 1 to 255 characters. Raises OpenIdTokenInvalid."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise OpenIdTokenInvalid
    return value
