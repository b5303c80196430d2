"""Identity as the API sees it: who signs in, who enrols, who is asked about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from backend.errors import NotFound, NotPermitted
from backend.idempotency import Attempt
from backend.identity.client_assertion import ClientAssertions
from backend.identity.clients import Clients
from backend.identity.enrolment import EnrolmentService
from backend.identity.errors import ClientRefused
from backend.identity.openid.errors import OpenIdNotOffered
from backend.identity.openid.sign_in import OpenIdSignIn
from backend.identity.patient_refs import PatientReferences
from backend.identity.principal import Asking, AskingClient, Authenticator, Principal
from backend.identity.roles import Role, scopes_of
from backend.identity.signing_keys import KeyRing
from backend.identity.staff import StaffAccounts
from backend.identity.tokens import Tokens
from backend.identity.types import (
    Claim,
    Client,
    Guardian,
    IssuedCode,
    PrincipalKind,
    StaffAccount,
    TokenPair,
)
from backend.identity.wallet import LINK_STATEMENT, WalletSignIn
from backend.types import Address, MemberId, SubjectId

MAY_INTROSPECT: Final = frozenset({Role.OPERATOR, Role.AUDITOR})


class Identity:
    """A face on the parts, which remain reachable for programs that need more."""

    def __init__(
        self,
        *,
        wallets: WalletSignIn,
        staff: StaffAccounts,
        clients: Clients,
        assertions: ClientAssertions | None = None,
        tokens: Tokens,
        ring: KeyRing,
        authenticator: Authenticator,
        enrolments: EnrolmentService,
        references: PatientReferences,
        openid: OpenIdSignIn | None = None,
    ) -> None:
        self.wallets = wallets
        self.staff = staff
        self.clients = clients
        self.assertions = assertions
        self.tokens = tokens
        self.ring = ring
        self.enrolments = enrolments
        self.references = references
        self.openid = openid
        self._authenticator = authenticator

    # --- signing in

    def authenticate(self, bearer: str) -> Principal:
        """Return who holds the access token."""
        return self._authenticator.authenticate(bearer)

    def wallet_challenge(self, account: Address) -> tuple[str, str]:
        """Return a message to sign and its nonce."""
        challenge = self.wallets.challenge(account)
        return challenge.message, challenge.nonce

    def sign_in_wallet(self, message: str, signature: bytes) -> TokenPair:
        return self.wallets.sign_in(message, signature)

    def sign_in_staff(self, username: str, password: str) -> TokenPair:
        return self.staff.sign_in(username, password)

    def sign_in_client(self, client_id: str, secret: str, *, scope: str | None = None) -> TokenPair:
        return self.clients.sign_in(client_id, secret, scope=scope)

    def sign_in_assertion(
        self, assertion: str, *, client_id: str | None = None, scope: str | None = None
    ) -> TokenPair:
        """Sign a client in by ``private_key_jwt``. Raises ClientRefused where that is not offered."""
        return self.clients.start(self.prove_assertion(assertion, client_id=client_id), scope=scope)

    def prove_assertion(self, assertion: str, *, client_id: str | None = None) -> Client:
        """Return the client that signed. Raises ClientRefused, also where that is not offered."""
        if self.assertions is None:
            raise ClientRefused
        return self.assertions.prove(assertion, client_id=client_id)

    def require_openid(self) -> OpenIdSignIn:
        """Return how an identity provider signs in. Raises OpenIdNotOffered where there is none."""
        if self.openid is None:
            raise OpenIdNotOffered
        return self.openid

    def asking_of(self, client: Client) -> Asking:
        """Return a client that proved itself as one who asks about tokens."""
        name = f"{PrincipalKind.CLIENT}:{client.client_id}"
        return AskingClient(name, client.roles, client.scopes & scopes_of(client.roles))

    def refresh(self, refresh_token: str) -> TokenPair:
        return self.tokens.refresh(refresh_token)

    def sign_out(self, principal: Principal) -> None:
        self.tokens.sign_out(principal.token)

    def revoke(self, token: str, *, by: Client) -> None:
        """End a token of the client (RFC 7009); others', and what is no token, are left alone."""
        access = self.tokens.active(token)
        if access is not None and access.grant.principal == self.asking_of(by).name:
            self.tokens.sign_out(access)

    def introspect(self, token: str, *, by: Asking) -> dict[str, Any]:
        """Answer as RFC 7662 about the caller's own tokens; operators and auditors may ask about all."""
        answer = self.tokens.introspect(token)
        if answer.get("sub") != by.name and by.roles.isdisjoint(MAY_INTROSPECT):
            return {"active": False}
        return answer

    def jwks(self) -> dict[str, Any]:
        return self.ring.public_set()

    # --- accounts

    def add_user(
        self,
        *,
        username: str,
        password: str,
        roles: frozenset[Role],
        member_id: MemberId | None,
        account: Address | None = None,
        by: Principal | None,
        attempt: Attempt | None = None,
    ) -> StaffAccount:
        """Make a staff account; ``by`` is None for the operator's own program."""
        return self.staff.create(
            username,
            password,
            roles=roles,
            member_id=member_id,
            account=account,
            by=_name(by),
            attempt=attempt,
        )

    def add_client(
        self,
        *,
        name: str,
        roles: frozenset[Role],
        member_id: MemberId,
        by: Principal | None,
        attempt: Attempt | None = None,
    ) -> tuple[str, str]:
        """Return the client id and its secret, which is shown this once."""
        client, secret = self.clients.register(
            name, roles=roles, member_id=member_id, by=_name(by), attempt=attempt
        )
        return client.client_id, secret

    def change_own_password(self, principal: Principal, *, old: str, new: str) -> None:
        """Set the caller's own password; the old one is proved.

        Raises NotPermitted, SignInFailed, SignInLocked, PasswordUnacceptable.
        """
        if principal.kind is not PrincipalKind.STAFF:
            raise NotPermitted("Only staff sign in with a password.")
        self.staff.change_password(principal.id, old=old, new=new)

    def link_challenge(self, principal: Principal, account: Address) -> tuple[str, str]:
        """Return a message whose signature links the account to the caller, and its nonce.

        Raises NotPermitted for anybody but staff.
        """
        _require_staff(principal)
        challenge = self.wallets.challenge(account, statement=LINK_STATEMENT)
        return challenge.message, challenge.nonce

    def link_account(self, principal: Principal, message: str, signature: bytes) -> Address:
        """Link the account that signed. Raises as ``WalletSignIn.linked`` and ``StaffAccounts.link``."""
        _require_staff(principal)
        account = self.wallets.linked(message, signature)
        self.staff.link(principal.id, account)
        return account

    # --- patients

    def subjects_of(self, principal: Principal) -> Collection[SubjectId]:
        """Return the subjects the principal enrolled as or acts for; empty for staff and clients."""
        return principal.subject_ids

    def issue_code(
        self,
        *,
        record_number: str,
        name: str,
        birth_date: str | None,
        guardians: tuple[Guardian, ...],
        by: Principal,
    ) -> IssuedCode:
        """Issue an enrolment code. Raises NotPermitted for anybody but a person: a system checks nobody."""
        if by.kind is not PrincipalKind.STAFF:
            raise NotPermitted("Only staff who saw the person can issue a code.")
        return self.enrolments.issue(
            record_number, name=name, birth_date=birth_date, guardians=guardians, checked_by=by.id
        )

    def draft_claim(self, code: str, account: Address) -> Mapping[str, Any]:
        """Return the typed data to sign for a claim."""
        return self.enrolments.draft(code, account)

    def claim(self, code: str, account: Address, *, message: Mapping[str, Any], signature: bytes) -> Claim:
        """Claim a code. It has then to go to the chain, and ``enrolments.mark_opened`` be called."""
        return self.enrolments.claim(code, account, message=message, signature=signature)

    def refer(self, principal: Principal, identifier: str) -> str:
        """Return a reference to whoever has the identifier, known or not."""
        return self.references.refer(_member(principal), identifier)

    def resolve_patient(self, principal: Principal, reference: str) -> SubjectId:
        """Return the subject id behind a reference, or a phantom that nobody answers for."""
        return self.references.resolve(_member(principal), reference)

    def record_numbers_of(self, subject_id: SubjectId) -> Collection[str]:
        """Return the record numbers under which the subject is enrolled; empty for one not enrolled."""
        try:
            return (self.enrolments.person(subject_id).record_number,)
        except NotFound:
            return ()


def _require_staff(principal: Principal) -> None:
    if principal.kind is not PrincipalKind.STAFF:
        raise NotPermitted("Only staff link a wallet: patients sign in with theirs.")


def _name(by: Principal | None) -> str:
    return "" if by is None else by.name


def _member(principal: Principal) -> MemberId:
    if principal.member_id is None:
        raise NotPermitted("This account acts for no organisation.")
    return principal.member_id
