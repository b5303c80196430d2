"""Families of tokens: one a sign-in, ended as a whole (RFC 6749; RFC 9700, 4.14: refresh token rotation).

A refresh token is ``selector.secret``, 16 and 32 random bytes. The family's id is a hash of the selector, so
whoever sees an access token, which names the family, cannot make up a refresh token and thereby end it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

from backend.identity.access_tokens import AccessTokens, Narrowing
from backend.identity.errors import (
    RefreshTokenInvalid,
    RefreshTokenReused,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from backend.identity.ports import FamilyStore, IdentityAudit
from backend.identity.seal import Sealer
from backend.identity.standing import Standing
from backend.identity.types import AccessToken, Family, Grant, TokenPair
from backend.recent import RecentCache
from backend.types import UnixSeconds

FAMILY_SECONDS: Final = 30 * 24 * 3600  # after this a person proves again who they are
_SELECTOR_BYTES: Final = 16
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class _Refresh:
    selector: bytes
    secret: bytes

    @classmethod
    def new(cls, selector: bytes | None = None) -> _Refresh:
        return cls(selector or secrets.token_bytes(_SELECTOR_BYTES), secrets.token_bytes(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> _Refresh:
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as refusal:
            raise RefreshTokenInvalid from refusal
        if len(raw) != _SELECTOR_BYTES + _SECRET_BYTES:
            raise RefreshTokenInvalid
        return cls(raw[:_SELECTOR_BYTES], raw[_SELECTOR_BYTES:])

    @property
    def text(self) -> str:
        return base64.urlsafe_b64encode(self.selector + self.secret).decode()

    @property
    def family_id(self) -> str:
        return hashlib.sha256(b"assent/family" + self.selector).hexdigest()[:32]

    @property
    def hash(self) -> bytes:
        # 256 random bits need no slow hash: nobody can try them all.
        return hashlib.sha256(self.secret).digest()


class Tokens:
    def __init__(
        self,
        *,
        access: AccessTokens,
        families: FamilyStore,
        standing: Standing,
        sealer: Sealer,
        audit: IdentityAudit,
        clock: Callable[[], int],
        refresh_seconds: int,
    ) -> None:
        self._access = access
        self._families = families
        self._standing = standing
        self._sealer = sealer
        self._audit = audit
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._going: RecentCache[str, bool] = RecentCache()

    def start(self, grant: Grant, *, refreshable: bool = True, seconds: int = FAMILY_SECONDS) -> TokenPair:
        """Begin a family after a proof of identity. Clients get no refresh token (RFC 6749, 4.4.3).

        ``seconds``: after which identity has to be proved again.
        """
        now = self._clock()
        refresh = _Refresh.new()
        lifetime = seconds if refreshable else self._access.seconds
        family = self._sealer.seal(
            Family(
                family_id=refresh.family_id,
                grant=grant,
                refresh_hash=refresh.hash if refreshable else None,
                refresh_until=UnixSeconds(now + min(self._refresh_seconds, lifetime)),
                expires_at=UnixSeconds(now + lifetime),
            )
        )
        self._families.insert(family)
        self._audit.signed_in(kind=grant.kind, principal_id=grant.id, family_id=family.family_id)
        return self._pair(family, refresh if refreshable else None)

    def start_bound(self, grant: Grant, narrowing: Narrowing) -> TokenPair:
        """Issue a token that is bound to a patient's consents, in a family of its own."""
        seconds = min(narrowing.seconds, self._access.seconds)
        until = UnixSeconds(self._clock() + seconds)
        family = self._sealer.seal(
            Family(_Refresh.new().family_id, grant, refresh_hash=None, refresh_until=until, expires_at=until)
        )
        self._families.insert(family)
        return TokenPair(
            access_token=self._access.issue(grant, family_id=family.family_id, narrowing=narrowing),
            expires_in_seconds=seconds,
            refresh_token=None,
            scopes=grant.scopes,
            family_id=family.family_id,
        )

    def refresh(self, token: str) -> TokenPair:
        """Exchange a refresh token for new tokens; it is spent.

        Raises RefreshTokenInvalid, or RefreshTokenReused when it was spent before: then the family ends.
        """
        presented = _Refresh.parse(token)
        family = self._families.get(presented.family_id)
        if family is None or self._sealer.check(family).ended or family.refresh_hash is None:
            raise RefreshTokenInvalid
        now = self._clock()
        if not hmac.compare_digest(family.refresh_hash, presented.hash):
            self._end_reused(family)
        if now >= family.refresh_until:
            raise RefreshTokenInvalid
        grant = self._standing.again(family.grant)
        if grant is None:
            self._end(family.family_id)
            raise RefreshTokenInvalid
        following = _Refresh.new(presented.selector)
        rotated = self._sealer.seal(
            replace(
                family,
                grant=grant,
                refresh_hash=following.hash,
                refresh_until=UnixSeconds(min(now + self._refresh_seconds, family.expires_at)),
            )
        )
        if not self._families.rotate(family.family_id, expected=presented.hash, family=rotated):
            self._end_reused(family)
        return self._pair(rotated, following)

    @property
    def issuer(self) -> str:
        return self._access.issuer

    def read(self, token: str, *, for_others: bool = False) -> AccessToken:
        """Return what an access token says, if its family is still going on (known to two seconds).
        ``for_others`` as in ``AccessTokens.read``.

        Raises TokenInvalid, TokenExpired or TokenRevoked; Unavailable when the store does not answer.
        """
        access = self._access.read(token, for_others=for_others)
        family_id = access.family_id
        if not self._going.get(family_id, lambda: self._is_going(family_id)):
            raise TokenRevoked
        return access

    def sign_out(self, access: AccessToken) -> None:
        """End the family of this token."""
        if self._end(access.family_id):
            self._audit.signed_out(principal=access.grant.principal, family_id=access.family_id)

    def end_all(self, principal: str, *, by: str) -> int:
        """End every family of a principal, as when its account is disabled or its password changed."""
        count = self._families.end_all(principal)
        self._going.forget()
        if count:
            self._audit.sessions_ended(principal=principal, by=by, count=count)
        return count

    def active(self, token: str) -> AccessToken | None:
        """Return the token, for whatever server it is; None when it is not active, whatever the reason."""
        try:
            return self.read(token, for_others=True)
        except (TokenExpired, TokenInvalid, TokenRevoked):
            return None

    def introspect(self, token: str) -> dict[str, Any]:
        """Answer as RFC 7662, section 2.2; only ``active: False``, and no reason, for what is not active.

        A bound token is not active by itself: whether it is, its consents tell.
        """
        access = self.active(token)
        return {"active": False} if access is None or access.bound is not None else self.described(access)

    def described(self, access: AccessToken) -> dict[str, Any]:
        """Return the members that RFC 7662, section 2.2 has for an active token."""
        grant = access.grant
        answer: dict[str, Any] = {
            "active": True,
            "sub": grant.principal,
            "scope": " ".join(sorted(grant.scopes)),
            "token_type": "Bearer",  # nosec B105 - the type, not a token
            "iat": access.issued_at,
            "exp": access.expires_at,
            "jti": access.token_id,
            "iss": self._access.issuer,
            "aud": access.audience,
        }
        if grant.member_id is not None:
            answer["member"] = "0x" + grant.member_id.hex()
        return answer

    def _pair(self, family: Family, refresh: _Refresh | None) -> TokenPair:
        return TokenPair(
            access_token=self._access.issue(family.grant, family_id=family.family_id),
            expires_in_seconds=self._access.seconds,
            refresh_token=None if refresh is None else refresh.text,
            scopes=family.grant.scopes,
            family_id=family.family_id,
        )

    def _is_going(self, family_id: str) -> bool:
        family = self._families.get(family_id)
        return (
            family is not None and not self._sealer.check(family).ended and self._clock() < family.expires_at
        )

    def _end(self, family_id: str) -> bool:
        ended = self._families.end(family_id)
        self._going.forget()
        return ended

    def _end_reused(self, family: Family) -> NoReturn:
        self._end(family.family_id)
        self._audit.refresh_token_reused(principal=family.grant.principal, family_id=family.family_id)
        raise RefreshTokenReused
