"""An identity provider without a network: it signs with keys of its own, which can be replaced."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from backend.identity.openid.errors import OpenIdCodeRefused, OpenIdProviderUnavailable

ISSUER = "https://sso.hospital.example/realms/staff"
CLIENT = "assent-pages"
AUDIENCE = "https://hospital.example/v1"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig", "alg": "RS256"})
PSS = RSAKey.generate_key(2048, {"kid": "pss", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig", "alg": "ES256"})
NEXT = ECKey.generate_key("P-256", {"kid": "next", "use": "sig", "alg": "ES256"})


class SigningProvider:
    """Implements ``ProviderLink``. ``asked``: each address, in order; ``away``: it does not answer."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.keys: list[Any] = [RSA, PSS, EC]
        self.others: list[Any] = [
            {"kty": "OKP", "crv": "X448", "kid": "odd", "x": "AA"},
            "no key",
            {"kty": 7},
        ]
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/certs",
            "end_session_endpoint": f"{ISSUER}/logout",
        }
        self.asked: list[str] = []
        self.away = False
        self.codes: dict[str, tuple[str, dict[str, Any]]] = {}  # code -> challenge, claims

    def document(self, url: str) -> Mapping[str, Any]:
        self._note(url)
        if url == self.metadata["jwks_uri"]:
            return {"keys": [*self.others, *(key.as_dict(private=False) for key in self.keys)]}
        return self.metadata

    def redeem(self, endpoint: str, *, code: str, verifier: str, redirect_uri: str) -> str:
        self._note(endpoint)
        challenge, claims = self.codes.pop(code, ("", {}))
        if challenge != s256(verifier):
            raise OpenIdCodeRefused
        return self.sign(claims)

    def answer(self, address: str, **claims: Any) -> str:
        """Somebody proves at ``address`` who they are; return the code that the browser comes back with."""
        question = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}-{question['state'][:8]}"
        known = self.id_claims(nonce=question["nonce"], **claims)
        self.codes[code] = (question["code_challenge"], known)
        return code

    def id_claims(self, **claims: Any) -> dict[str, Any]:
        now = self.clock()
        return {"iss": ISSUER, "aud": CLIENT, "sub": "ada", "iat": now, "exp": now + 60, **claims}

    def access_claims(self, **claims: Any) -> dict[str, Any]:
        found = self.id_claims(aud=[AUDIENCE, "account"], azp="lab-system", sub="lab-1", typ="Bearer")
        return {**found, **claims}

    def logout_claims(self, **claims: Any) -> dict[str, Any]:
        event = {"http://schemas.openid.net/event/backchannel-logout": {}}
        return self.id_claims(jti="logout-1", events=event, **claims)

    def sign(
        self, claims: Mapping[str, Any], *, key: Any = RSA, algorithm: str = "RS256", **header: Any
    ) -> str:
        whole = {"alg": algorithm, "typ": "JWT", "kid": key.kid, **header}
        written = {name: value for name, value in whole.items() if value is not None}
        return jws.serialize_compact(written, json.dumps(claims), key, algorithms=[algorithm])

    def _note(self, url: str) -> None:
        self.asked.append(url)
        if self.away:
            raise OpenIdProviderUnavailable


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
