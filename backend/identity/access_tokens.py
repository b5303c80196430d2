"""Access tokens as signed JWT (RFC 9068, ``at+jwt``), one algorithm, one issuer, one audience."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, extract_compact

from backend.identity.bound_claims import bound_of, extensions
from backend.identity.errors import TokenExpired, TokenInvalid
from backend.identity.roles import known_roles, known_scopes
from backend.identity.signing_keys import ALGORITHM, KeyRing
from backend.identity.types import AccessToken, Bound, Grant, PrincipalKind
from backend.recent import RecentCache
from backend.types import Address, MemberId, UnixSeconds

TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the type, not a token
MAX_TOKEN_CHARACTERS: Final = 8192
CLOCK_SKEW_SECONDS: Final = 30  # between processes of one deployment; expiry gets none
_MEMBER_BYTES: Final = 32
_REMEMBERED: Final = 2_000  # verified tokens, about 2 KiB each; a signature costs 0.2 ms to check again


class _Verified(NamedTuple):
    token: AccessToken
    key_id: str


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What makes a token a bound one: ``resource`` is the server it is for, None: this service."""

    bound: Bound
    residual: Sequence[Mapping[str, Any]]
    seconds: int
    resource: str | None = None


class AccessTokens:
    """Writes and reads access tokens. Whether what was signed still counts, ``Tokens`` says."""

    def __init__(
        self, *, ring: KeyRing, issuer: str, audience: str, clock: Callable[[], int], seconds: int
    ) -> None:
        self._ring = ring
        self.issuer = issuer
        self._audience = audience
        self._clock = clock
        self.seconds = seconds
        self._registry = JWSRegistry(algorithms=[ALGORITHM])
        self._verified: RecentCache[str, _Verified] = RecentCache(capacity=_REMEMBERED)

    def issue(self, grant: Grant, *, family_id: str, narrowing: Narrowing | None = None) -> str:
        now = self._clock()
        signer = self._ring.signer()
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self._audience,
            "sub": grant.principal,
            "client_id": grant.id if grant.kind is PrincipalKind.CLIENT else grant.kind.value,
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_hex(16),
            "scope": " ".join(sorted(grant.scopes)),
            "roles": sorted(grant.roles),
            "fid": family_id,
        }
        if grant.member_id is not None:
            claims["member"] = grant.member_id.hex()
        if grant.organisations:
            claims["orgs"] = [organisation.hex() for organisation in grant.organisations]
        if grant.account is not None:
            claims["account"] = grant.account
        if narrowing is not None:
            claims["exp"] = now + min(narrowing.seconds, self.seconds)
            claims["aud"] = narrowing.resource or self._audience
            claims["extensions"] = extensions(grant, narrowing.bound, narrowing.residual)
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": signer.key_id}
        return jwt.encode(header, claims, signer.key, registry=self._registry)

    def read(self, token: str, *, for_others: bool = False) -> AccessToken:
        """Verify signature, type, issuer, audience and times. ``for_others``: also a bound token meant for
        another server, which could otherwise use here what it was shown.

        Raises TokenExpired for a token of ours that is over, TokenInvalid for anything else.
        """
        if not 0 < len(token) <= MAX_TOKEN_CHARACTERS:
            raise TokenInvalid
        verified = self._verified.get(token, lambda: self._verify(token))
        # What may change while a token is remembered: its key is withdrawn, its time runs out.
        if self._ring.find(verified.key_id) is None:
            raise TokenInvalid
        if self._clock() >= verified.token.expires_at:
            raise TokenExpired
        if verified.token.audience != self._audience and not for_others:
            raise TokenInvalid
        return verified.token

    def _verify(self, token: str) -> _Verified:
        try:
            header = extract_compact(token.encode()).headers()
            key = self._ring.find(str(header.get("kid", "")))
            # The type keeps other JWTs that the same keys may sign one day from passing as access tokens.
            if key is None or str(header.get("typ")).lower().removeprefix("application/") != TOKEN_TYPE:
                raise TokenInvalid
            claims = jwt.decode(token, key.key, registry=self._registry).claims
        except (JoseError, ValueError) as refusal:
            raise TokenInvalid from refusal
        try:
            return _Verified(self._judge(claims), key.key_id)
        except (KeyError, TypeError, ValueError, AttributeError) as refusal:
            raise TokenInvalid from refusal

    def _judge(self, claims: dict[str, Any]) -> AccessToken:
        audiences = _audiences(claims["aud"])
        bound = bound_of(claims["extensions"]) if "extensions" in claims else None
        if claims["iss"] != self.issuer or not (self._audience in audiences or (bound and audiences)):
            raise TokenInvalid
        now = self._clock()
        issued_at, expires_at = _moment(claims["iat"]), _moment(claims["exp"])
        if issued_at > now + CLOCK_SKEW_SECONDS or expires_at > issued_at + self.seconds:
            raise TokenInvalid
        kind, _, identifier = claims["sub"].partition(":")
        member = claims.get("member")
        account = claims.get("account")
        return AccessToken(
            grant=Grant(
                kind=PrincipalKind(kind),
                id=identifier,
                roles=known_roles(claims["roles"]),
                scopes=known_scopes(claims["scope"].split()),
                member_id=None if member is None else _member(member),
                organisations=tuple(_member(organisation) for organisation in claims.get("orgs", [])),
                account=None if account is None else Address(str(account)),
            ),
            token_id=str(claims["jti"]),
            family_id=str(claims["fid"]),
            issued_at=issued_at,
            expires_at=expires_at,
            audience=self._audience if self._audience in audiences else str(audiences[0]),
            bound=bound,
        )


def _audiences(claim: object) -> list[object]:
    return claim if isinstance(claim, list) else [claim]


def _moment(claim: object) -> UnixSeconds:
    if isinstance(claim, bool) or not isinstance(claim, int):
        raise TokenInvalid
    return UnixSeconds(claim)


def _member(text: str) -> MemberId:
    value = bytes.fromhex(text)
    if len(value) != _MEMBER_BYTES:
        raise TokenInvalid
    return MemberId(value)
