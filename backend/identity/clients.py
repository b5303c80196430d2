"""Systems that sign in by themselves: OAuth2 client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from backend.errors import InvalidInput
from backend.idempotency import Attempt
from backend.identity.access_tokens import Narrowing
from backend.identity.assertion_keys import require_public_keys
from backend.identity.errors import (
    AccountChanged,
    ClientRefused,
    ClientSecretNotShown,
    ClientUnknown,
    ScopeInvalid,
)
from backend.identity.openid.errors import ManagedByProvider
from backend.identity.ports import ClientStore, IdentityAudit
from backend.identity.rate_limit import RateLimit
from backend.identity.roles import CLIENT_ROLES, Role, Scope, narrow, scopes_of
from backend.identity.seal import Sealer
from backend.identity.standing import Standing
from backend.identity.tokens import Tokens
from backend.identity.types import Client, Grant, PrincipalKind, TokenPair
from backend.types import MemberId, UnixSeconds

SIGN_INS_A_MINUTE: Final = 120
SHOW_AGAIN_SECONDS: Final = 24 * 3600  # for how long a retry is told the secret again
_CLIENT_ID: Final = re.compile(r"[0-9a-f]{32}")
_NO_HASH: Final = bytes(32)


class Clients:
    def __init__(
        self,
        *,
        store: ClientStore,
        standing: Standing,
        tokens: Tokens,
        sealer: Sealer,
        audit: IdentityAudit,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._standing = standing
        self._tokens = tokens
        self._sealer = sealer
        self._audit = audit
        self._clock = clock
        self._sign_ins = RateLimit(limit=SIGN_INS_A_MINUTE, clock=clock)
        self._failures = RateLimit(limit=SIGN_INS_A_MINUTE, clock=clock)

    def register(
        self,
        name: str,
        *,
        roles: frozenset[Role],
        member_id: MemberId,
        organisations: tuple[MemberId, ...] = (),
        scopes: frozenset[Scope] | None = None,
        assertion_keys: str | None = None,
        by: str,
        attempt: Attempt | None = None,
    ) -> tuple[Client, str]:
        """Return the client and its secret, which only this attempt shows. Default scopes: all of its roles.

        The secret is drawn from the attempt, so a retry shows the same one and only its hash is kept. Raises
        InvalidInput for a role that systems cannot have or a scope beyond the roles; ClientSecretNotShown.
        """
        allowed = scopes_of(roles)
        wanted = allowed if scopes is None else scopes
        if not roles or not roles <= CLIENT_ROLES or not wanted <= allowed:
            raise InvalidInput(
                "A client needs roles that systems can have, and no scope beyond.", field="roles"
            )
        if len(member_id) != 32 or not any(member_id):
            raise InvalidInput("A client belongs to a member.", field="member_id")
        if assertion_keys is not None:
            require_public_keys(assertion_keys)
        attempt = attempt or Attempt.only(now=self._clock())
        secret = _secret_of(attempt)
        client = self._sealer.seal(
            Client(
                client_id=attempt.draw("client id", 16).hex(),
                name=name,
                roles=roles,
                scopes=wanted,
                member_id=member_id,
                organisations=organisations,
                secret_hash=_hash(secret),
                previous_hash=None,
                previous_until=UnixSeconds(0),
                assertion_keys=assertion_keys,
                disabled=False,
                created_at=UnixSeconds(self._clock()),
                revision=1,
            )
        )
        if not self._store.insert(client):
            client = self.get(client.client_id)  # an earlier try of this attempt made it
            self._require_shown(client, secret, attempt)
        if not attempt.finished:
            self._audit.client_changed(client_id=client.client_id, by=by, change="registered")
        return client, secret

    def of_provider(
        self, client_id: str, *, name: str, roles: frozenset[Role], member_id: MemberId
    ) -> Client:
        """Return the client of a system that an identity provider vouches for, as the mapping has it now.

        It is made when it first comes. A change ends its sessions. Raises AccountChanged.
        """
        scopes = scopes_of(roles)
        known = self.find(client_id)
        if known is not None:
            if (known.roles, known.member_id) == (roles, member_id):
                return known
            changed = replace(known, roles=roles, scopes=scopes, member_id=member_id)
            return self._change(changed, by="", change="scopes")
        made = self._sealer.seal(
            Client(
                client_id=client_id,
                name=name,
                roles=roles,
                scopes=scopes,
                member_id=member_id,
                organisations=(),
                secret_hash=b"",
                previous_hash=None,
                previous_until=UnixSeconds(0),
                assertion_keys=None,
                disabled=False,
                created_at=UnixSeconds(self._clock()),
                revision=1,
            )
        )
        if not self._store.insert(made):
            return self.get(client_id)  # made by another request at the same moment
        self._audit.client_changed(client_id=client_id, by="", change="registered")
        return made

    def sign_in(self, client_id: str, secret: str, *, scope: str | None = None) -> TokenPair:
        """Return an access token, without a refresh token.

        Raises as ``prove``; ScopeInvalid; TooManyAttempts.
        """
        return self.start(self.prove(client_id, secret), scope=scope)

    def prove(self, client_id: str, secret: str) -> Client:
        """Return the client whose secret this is.

        Raises ClientRefused alike for an unknown client, a wrong secret and a disabled client.
        """
        client = self.find(client_id)
        if client is None or not self._is_secret_of(client, secret) or client.disabled:
            if client is None:
                hmac.compare_digest(_NO_HASH, _hash(secret))
            # Bounded before it is written: a flood of wrong secrets must not fill the log.
            self._failures.spend(client_id[:64])
            self._audit.sign_in_refused(
                kind=PrincipalKind.CLIENT,
                principal_id="" if client is None else client.client_id,
                code=ClientRefused.code,
            )
            raise ClientRefused
        return client

    def start(self, client: Client, *, scope: str | None) -> TokenPair:
        """Issue tokens to a client that has proved itself."""
        self._sign_ins.spend(client.client_id)
        scopes = narrow(scope, allowed=client.scopes & scopes_of(client.roles))
        return self._still_enabled(
            client, self._tokens.start(self._standing.of_client(client, scopes), refreshable=False)
        )

    def grant_to_read(self, client: Client, *, scope: str | None) -> Grant:
        """Return the grant of a token that reads records and does nothing else.

        Raises ScopeInvalid for a client that may not, or asks for more; TooManyAttempts.
        """
        self._sign_ins.spend(client.client_id)
        reading = client.scopes & scopes_of(client.roles) & {Scope.RECORD_READ}
        if not reading:
            raise ScopeInvalid(field="scope")
        return self._standing.of_client(client, narrow(scope, allowed=reading))

    def start_bound(self, client: Client, grant: Grant, narrowing: Narrowing) -> TokenPair:
        """Issue a token bound to a patient's consents."""
        return self._still_enabled(client, self._tokens.start_bound(grant, narrowing))

    def _still_enabled(self, client: Client, pair: TokenPair) -> TokenPair:
        current = self.find(client.client_id)
        if current is None or current.disabled:
            # Disabled while it signed in, perhaps before this family could be ended with the rest.
            self._tokens.end_all(f"{PrincipalKind.CLIENT}:{client.client_id}", by="")
            raise ClientRefused
        return pair

    def rotate_secret(
        self, client_id: str, *, overlap_seconds: int, by: str, attempt: Attempt | None = None
    ) -> str:
        """Return a new secret; the old one holds ``overlap_seconds`` more (0: ends now, with sessions).

        A retry of the attempt rotates nothing more: the old secret keeps its overlap. Raises ClientUnknown,
        AccountChanged, ClientSecretNotShown, ManagedByProvider.
        """
        client = self._own(client_id)
        attempt = attempt or Attempt.only(now=self._clock())
        secret = _secret_of(attempt)
        if attempt.finished:
            self._require_shown(client, secret, attempt)
            return secret
        changed = client
        if not hmac.compare_digest(client.secret_hash, _hash(secret)):
            changed = replace(
                client,
                secret_hash=_hash(secret),
                previous_hash=client.secret_hash if overlap_seconds else None,
                previous_until=UnixSeconds(self._clock() + overlap_seconds),
            )
        self._change(changed, by=by, change="secret_rotated", end_sessions=overlap_seconds == 0)
        return secret

    def set_assertion_keys(self, client_id: str, key_set: str | None, *, by: str) -> Client:
        """Set the JWK Set (JSON) whose keys sign the client's assertions; None: only the secret counts."""
        if key_set is not None:
            require_public_keys(key_set)
        return self._change(replace(self._own(client_id), assertion_keys=key_set), by=by, change="keys")

    def disable(self, client_id: str, *, by: str) -> Client:
        """Close the client and end its sessions."""
        return self._change(replace(self.get(client_id), disabled=True), by=by, change="disabled")

    def enable(self, client_id: str, *, by: str) -> Client:
        return self._change(replace(self.get(client_id), disabled=False), by=by, change="enabled")

    def get(self, client_id: str) -> Client:
        """Raises ClientUnknown."""
        client = self.find(client_id)
        if client is None:
            raise ClientUnknown
        return client

    def _own(self, client_id: str) -> Client:
        client = self.get(client_id)
        if client.by_provider:
            raise ManagedByProvider
        return client

    def find(self, client_id: str) -> Client | None:
        """Return the client, or None for one that does not exist."""
        client = self._store.get(client_id) if _CLIENT_ID.fullmatch(client_id) else None
        return None if client is None else self._sealer.check(client)

    def all(self) -> Sequence[Client]:
        return [self._sealer.check(client) for client in self._store.all()]

    def _is_secret_of(self, client: Client, secret: str) -> bool:
        presented = _hash(secret)
        current = hmac.compare_digest(client.secret_hash, presented)
        previous = hmac.compare_digest(client.previous_hash or _NO_HASH, presented)
        return current or (
            previous and client.previous_hash is not None and self._clock() < client.previous_until
        )

    def _require_shown(self, client: Client, secret: str, attempt: Attempt) -> None:
        late = attempt.finished and self._clock() - attempt.begun_at > SHOW_AGAIN_SECONDS
        if late or not hmac.compare_digest(client.secret_hash, _hash(secret)):
            raise ClientSecretNotShown

    def _change(self, changed: Client, *, by: str, change: str, end_sessions: bool = True) -> Client:
        sealed = self._sealer.seal(replace(changed, revision=changed.revision + 1))
        if not self._store.replace(sealed):
            raise AccountChanged
        if end_sessions:
            self._tokens.end_all(f"{PrincipalKind.CLIENT}:{changed.client_id}", by=by)
        self._audit.client_changed(client_id=sealed.client_id, by=by, change=change)
        return sealed


def _secret_of(attempt: Attempt) -> str:
    return base64.urlsafe_b64encode(attempt.draw("client secret")).rstrip(b"=").decode()


def _hash(secret: str) -> bytes:
    # 256 random bits need no slow hash: nobody can try them all.
    return hashlib.sha256(secret.encode(errors="replace")).digest()
