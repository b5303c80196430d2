"""Who makes a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from backend.identity.errors import ScopeMissing
from backend.identity.roles import Role, Scope
from backend.identity.standing import Standing
from backend.identity.tokens import Tokens
from backend.identity.types import AccessToken, Bound, PrincipalKind
from backend.types import Address, MemberId, SubjectId


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. Its scopes say what it may try; consent decides about every record."""

    kind: PrincipalKind
    id: str  # of a wallet its account, of staff the staff id, of a client the client id
    roles: frozenset[Role]
    scopes: frozenset[Scope]
    member_id: MemberId | None
    organisations: tuple[MemberId, ...]
    account: Address | None
    subject_ids: frozenset[SubjectId]  # subjects it enrolled as or acts for; at most two seconds old
    token_id: str
    family: str
    token: AccessToken

    @property
    def bound(self) -> Bound | None:
        """What the token is narrowed to, where it is."""
        return self.token.bound

    @property
    def name(self) -> str:
        """Unique over all kinds, e.g. ``staff:1f...``."""
        return self.token.grant.principal

    def require(self, scope: Scope) -> None:
        """Raise ScopeMissing unless the token carries the scope."""
        if scope not in self.scopes:
            raise ScopeMissing


class Asking(Protocol):
    """Who asks about a token: somebody signed in, or a client that proved itself with the question."""

    @property
    def name(self) -> str: ...

    @property
    def roles(self) -> frozenset[Role]: ...

    @property
    def scopes(self) -> frozenset[Scope]: ...


@dataclass(frozen=True, slots=True)
class AskingClient:
    name: str
    roles: frozenset[Role]
    scopes: frozenset[Scope]


class Authenticator:
    def __init__(self, *, tokens: Tokens, standing: Standing) -> None:
        self._tokens = tokens
        self._standing = standing

    def authenticate(self, bearer: str) -> Principal:
        """Return who holds the access token. Raises as ``Tokens.read``."""
        token = self._tokens.read(bearer)
        grant = token.grant
        subjects = (
            self._standing.subjects_of(grant.account)
            if grant.kind is PrincipalKind.WALLET and grant.account is not None
            else frozenset[SubjectId]()
        )
        return Principal(
            kind=grant.kind,
            id=grant.id,
            roles=grant.roles,
            scopes=grant.scopes,
            member_id=grant.member_id,
            organisations=grant.organisations,
            account=grant.account,
            subject_ids=subjects,
            token_id=token.token_id,
            family=token.family_id,
            token=token,
        )
