"""Signing in with what a provider signed: people by authorization code with PKCE, systems by token exchange.

Either becomes an account or a client of ours when it first comes (their ids are drawn from issuer and
subject), so that audit, limits, revocation and closing are the same for everybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from backend.errors import AssentError, InvalidInput, NotPermitted, Unavailable
from backend.identity.clients import Clients
from backend.identity.errors import SignInNonceRefused
from backend.identity.nonces import Nonces
from backend.identity.openid.errors import (
    OpenIdAccountClosed,
    OpenIdStateRefused,
    OpenIdSystemUnknown,
    OpenIdTokenInvalid,
)
from backend.identity.openid.mapping import MappedSystem, RoleMapping
from backend.identity.openid.ports import ProviderLink
from backend.identity.openid.provider import Provider
from backend.identity.openid.verifying import MAX_AGE_SECONDS, ProviderTokens, text_claim
from backend.identity.ports import IdentityAudit, SingleUse
from backend.identity.staff import StaffAccounts
from backend.identity.types import Client, PrincipalKind, StaffAccount, TokenPair
from backend.keystore import KeyStore
from backend.types import UnixSeconds

STATE_SECONDS: Final = 600  # for a person to prove to the provider who they are
STATE_PURPOSE: Final = "openid-state"
_CODE: Final = re.compile(r"[ -~]{1,2000}")  # RFC 6749, appendix A.11
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_KEY: Final = "identity/openid"


@dataclass(frozen=True, slots=True)
class OpenIdTerms:
    """``roles_claim`` may name a member of a member, with dots: ``realm_access.roles``."""

    name: str  # of the provider, for people
    client_id: str
    redirect_uri: str
    after_sign_out: str  # where the provider sends the browser back to
    roles_claim: str
    subject_claim: str
    session_seconds: int


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it has to come back with."""

    address: str
    state: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    pair: TokenPair
    account: StaffAccount


class OpenIdSignIn:
    """``nonces`` are of their own kind (``STATE_PURPOSE``)."""

    def __init__(
        self,
        *,
        terms: OpenIdTerms,
        mapping: RoleMapping,
        provider: Provider,
        verifying: ProviderTokens,
        link: ProviderLink,
        nonces: Nonces,
        used: SingleUse,
        staff: StaffAccounts,
        clients: Clients,
        keys: KeyStore,
        audit: IdentityAudit,
        clock: Callable[[], int],
    ) -> None:
        self.terms = terms
        self._mapping = mapping
        self._provider = provider
        self._verifying = verifying
        self._link = link
        self._nonces = nonces
        self._used = used
        self._staff = staff
        self._clients = clients
        self._key = keys.get_or_create("master", _KEY).reveal()
        self._audit = audit
        self._clock = clock

    # --- people

    def begin(self, code_challenge: str) -> Begun:
        """Return where to go. ``code_challenge`` (S256): of a secret that the browser keeps until it returns.

        Raises InvalidInput for what is no challenge, OpenIdProviderUnavailable.
        """
        if _CHALLENGE.fullmatch(code_challenge) is None:
            raise InvalidInput("Send base64url of a SHA-256.", field="code_challenge")
        endpoint = self._provider.metadata(just_now=True).authorization
        state = self._nonces.issue()
        question = {
            "response_type": "code",
            "client_id": self.terms.client_id,
            "redirect_uri": self.terms.redirect_uri,
            "scope": "openid",
            "state": state,
            "nonce": self._nonce(state, code_challenge),
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return Begun(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(question)}", state)

    def finish(self, *, code: str, state: str, code_verifier: str, issuer: str | None) -> SignedIn:
        """Exchange the code that the browser came back with for a session.

        ``issuer``: what the provider says that it is (RFC 9207), where it does. Raises OpenIdStateRefused,
        OpenIdCodeRefused, OpenIdTokenInvalid, OpenIdNoRole, OpenIdSeveralOrganisations, OpenIdAccountClosed,
        OpenIdProviderUnavailable.
        """
        staff_id = ""
        try:
            claims = self._proved(code=code, state=state, code_verifier=code_verifier, issuer=issuer)
            staff_id = self._staff_id(claims)
            return self._signed_in(staff_id, claims)
        except Unavailable:
            raise  # nobody was refused
        except AssentError as refusal:
            known = staff_id if staff_id and self._staff.find(staff_id) is not None else ""
            self._audit.sign_in_refused(kind=PrincipalKind.STAFF, principal_id=known, code=refusal.code)
            raise

    def end_session_address(self) -> str | None:
        """Return the provider's page to sign out there too; None where it has none.

        Raises OpenIdProviderUnavailable.
        """
        endpoint = self._provider.metadata(just_now=True).end_session
        if endpoint is None:
            return None
        question = {"client_id": self.terms.client_id, "post_logout_redirect_uri": self.terms.after_sign_out}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(question)}"

    def log_out(self, logout_token: str) -> None:
        """End all sessions of the person whom the provider signed out. Raises as the checks of the token."""
        claims = self._verifying.logout_token(logout_token)
        staff_id = self._staff_id(claims)
        until = UnixSeconds(self._clock() + 4 * MAX_AGE_SECONDS)
        mark = hashlib.sha256(str(claims["jti"]).encode()).hexdigest()
        if not self._used.consume("openid-logout", mark, until=until):
            raise OpenIdTokenInvalid
        self._staff.end_sessions(staff_id)

    # --- systems

    def system(self, access_token: str) -> Client:
        """Return the client of ours that a system's access token stands for, made when it first comes.

        Raises OpenIdTokenInvalid, OpenIdSystemUnknown, OpenIdAccountClosed, OpenIdProviderUnavailable.
        """
        client_id = ""
        try:
            claims = self._verifying.access_token(access_token)
            mapped = self._mapped(claims)
            client_id = self._id("system", mapped.subject)
            client = self._clients.of_provider(
                client_id,
                name=mapped.client[:200],
                roles=mapped.position.roles,
                member_id=mapped.position.member_id,
            )
            if client.disabled:
                raise OpenIdAccountClosed
        except Unavailable:
            raise
        except AssentError as refusal:
            known = client_id if client_id and self._clients.find(client_id) is not None else ""
            self._audit.sign_in_refused(kind=PrincipalKind.CLIENT, principal_id=known, code=refusal.code)
            raise
        return client

    def _mapped(self, claims: Mapping[str, Any]) -> MappedSystem:
        named = {claims[name] for name in ("azp", "client_id") if isinstance(claims.get(name), str)}
        if len(named) != 1:
            raise OpenIdSystemUnknown
        # Both have to be the system's: a token that a person got through its client has another subject.
        mapped = self._mapping.system(client=named.pop(), subject=claims["sub"])
        if mapped is None:
            raise OpenIdSystemUnknown
        return mapped

    # --- parts

    def _proved(self, *, code: str, state: str, code_verifier: str, issuer: str | None) -> Mapping[str, Any]:
        try:
            self._nonces.consume(state)
        except SignInNonceRefused as refusal:
            raise OpenIdStateRefused from refusal
        mixed_up = issuer is not None and issuer != self._provider.issuer
        if mixed_up or _VERIFIER.fullmatch(code_verifier) is None or _CODE.fullmatch(code) is None:
            raise OpenIdStateRefused
        token = self._link.redeem(
            self._provider.metadata().token,
            code=code,
            verifier=code_verifier,
            redirect_uri=self.terms.redirect_uri,
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=")
        return self._verifying.id_token(token, nonce=self._nonce(state, challenge.decode()))

    def _signed_in(self, staff_id: str, claims: Mapping[str, Any]) -> SignedIn:
        try:
            position = self._mapping.position_of(_at(claims, self.terms.roles_claim))
        except NotPermitted:
            self._staff.end_sessions(staff_id)  # what was taken away at the provider is not kept here
            raise
        account = self._staff.of_provider(
            staff_id,
            called=str(claims.get("preferred_username", "")),
            roles=position.roles,
            member_id=position.member_id,
        )
        if account.disabled:
            raise OpenIdAccountClosed
        pair = self._staff.start_of_provider(account, seconds=self.terms.session_seconds)
        return SignedIn(pair, account)

    def _staff_id(self, claims: Mapping[str, Any]) -> str:
        return self._id("person", text_claim(claims, self.terms.subject_claim))

    def _id(self, kind: str, subject: str) -> str:
        """Return an id that nobody can trace to the provider's without this service's key."""
        text = "\0".join((kind, self._provider.issuer, subject))
        return hmac.digest(self._key, text.encode(), "sha256")[:16].hex()

    def _nonce(self, state: str, code_challenge: str) -> str:
        """Return the nonce that ties the ID token to this state and to this browser's secret."""
        return hmac.digest(self._key, f"nonce\0{state}\0{code_challenge}".encode(), "sha256").hex()


def _at(claims: Mapping[str, Any], path: str) -> object:
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
