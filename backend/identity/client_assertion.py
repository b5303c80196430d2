"""Clients that prove themselves with a key of their own: ``private_key_jwt`` (RFC 7523, 2.2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry, extract_compact

from backend.identity.clients import Clients
from backend.identity.errors import ClientRefused
from backend.identity.ports import IdentityAudit, SingleUse
from backend.identity.types import Client, PrincipalKind, TokenPair
from backend.types import UnixSeconds

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFE_SECONDS: Final = 300
CLOCK_SKEW_SECONDS: Final = 30
ALGORITHMS: Final = ("ES256", "ES384", "RS384", "PS256", "PS384")
_MAX_CHARACTERS: Final = 8192
_MAX_TOKEN_ID: Final = 128


class ClientAssertions:
    """``audience``: what assertions must name, the token endpoint's address or the issuer."""

    def __init__(
        self,
        *,
        clients: Clients,
        used: SingleUse,
        audit: IdentityAudit,
        clock: Callable[[], int],
        audience: frozenset[str],
    ) -> None:
        self._clients = clients
        self._used = used
        self._audit = audit
        self._clock = clock
        self._audience = audience
        self._registry = JWSRegistry(algorithms=list(ALGORITHMS))

    def sign_in(self, assertion: str, *, client_id: str | None = None, scope: str | None = None) -> TokenPair:
        """Return an access token for the client that signed. Raises as ``prove``."""
        return self._clients.start(self.prove(assertion, client_id=client_id), scope=scope)

    def prove(self, assertion: str, *, client_id: str | None = None) -> Client:
        """Return the client that signed; ``client_id`` must then be its id, where given.

        Raises ClientRefused for any flaw.
        """
        client = self._proved(assertion, client_id)
        if client is None:
            self._audit.sign_in_refused(kind=PrincipalKind.CLIENT, principal_id="", code=ClientRefused.code)
            raise ClientRefused
        return client

    def _proved(self, assertion: str, client_id: str | None) -> Client | None:
        if len(assertion) > _MAX_CHARACTERS:
            return None
        try:
            unproved = json.loads(extract_compact(assertion.encode()).payload)
            if client_id is not None and unproved["iss"] != client_id:
                return None
            client = self._clients.find(str(unproved["iss"]))
            if client is None or client.disabled or client.assertion_keys is None:
                return None
            keys = KeySet.import_key_set(json.loads(client.assertion_keys))
            claims = jwt.decode(assertion, keys, registry=self._registry).claims
            return client if self._holds(claims, client) else None
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _holds(self, claims: dict[str, Any], client: Client) -> bool:
        now = self._clock()
        expires_at, token_id = claims["exp"], claims["jti"]
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if isinstance(expires_at, bool) or not isinstance(expires_at, int) or not isinstance(token_id, str):
            return False
        if claims["iss"] != client.client_id or claims["sub"] != client.client_id:
            return False
        if self._audience.isdisjoint(audiences) or not 0 < len(token_id) <= _MAX_TOKEN_ID:
            return False
        if not now - CLOCK_SKEW_SECONDS < expires_at <= now + MAX_LIFE_SECONDS + CLOCK_SKEW_SECONDS:
            return False
        until = UnixSeconds(expires_at + 2 * MAX_LIFE_SECONDS)
        return self._used.consume("client-assertion", f"{client.client_id}/{token_id}", until=until)
