"""Who is calling, and what a token may try. A token never opens a record: every read is decided as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from backend.api.prompt import prompt
from backend.api.services import Services
from backend.audit.entry import Agent, AgentKind, mark_of
from backend.errors import NotAuthenticated, NotFound, NotPermitted
from backend.identity.errors import ScopeMissing
from backend.identity.principal import Principal
from backend.identity.roles import Scope
from backend.identity.types import PrincipalKind
from backend.types import Address, ConsentId, MemberId, SubjectId

_BEARER = HTTPBearer(auto_error=False, description="the access token of a sign-in")


class Caller(NamedTuple):
    """The application's services and the authenticated principal."""

    services: Services
    principal: Principal


async def services_of(request: Request) -> Services:
    # 'async', so that it costs no hop to a worker thread.
    services: Services = request.app.state.services
    return services


Open = Annotated[Services, Depends(services_of)]
"""For routes without a token."""


def needs(*scopes: Scope) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency that authenticates the caller and requires one of the scopes, if any are named."""

    async def authenticate(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> Caller:
        if credentials is None:
            raise NotAuthenticated
        services: Services = request.app.state.services
        bearer = credentials.credentials
        principal = await prompt(lambda: services.identity.authenticate(bearer))
        request.state.principal = principal  # for the log, should the request be turned away
        if scopes and principal.scopes.isdisjoint(scopes):
            raise ScopeMissing
        if principal.bound is not None and Scope.RECORD_READ not in scopes:
            raise ScopeMissing  # one that is bound to a patient's consents reads that patient's records only
        return Caller(services, principal)

    return authenticate


def agent_of(principal: Principal) -> Agent:
    """Name the caller in the audit log, by an opaque id, with the token it came with."""
    named = agent_named(principal.name)
    return replace(named, token=mark_of(principal.token_id), session=mark_of(principal.family))


def agent_named(principal: str) -> Agent:
    """Name a principal, given as ``kind:id``, in the audit log."""
    kind, _, name = principal.partition(":")
    match PrincipalKind(kind):
        case PrincipalKind.WALLET:
            return Agent.account(Address(name))
        case PrincipalKind.STAFF:
            return Agent(AgentKind.STAFF, name)
        case PrincipalKind.CLIENT:
            return Agent(AgentKind.CLIENT, name)


def resting_on(principal: Principal, subject: SubjectId, purpose: str) -> frozenset[ConsentId] | None:
    """Return on which consents a permission has to rest: None for a token that is bound to none, and none at
    all where the token is for another patient or purpose."""
    bound = principal.bound
    if bound is None:
        return None
    return bound.consents if (bound.subject, bound.purpose) == (subject, purpose) else frozenset()


def requesting_member(principal: Principal) -> MemberId:
    """Return the member a consent would be given to. Raises NotPermitted for a caller that acts for none."""
    if principal.member_id is None:
        raise NotPermitted("This account acts for no organisation.")
    return principal.member_id


def require_party(principal: Principal, *, subject: SubjectId, member: MemberId | None) -> None:
    """Raise NotFound, as for what does not exist, unless the caller is the patient, somebody acting for the
    patient, or the member named."""
    if member is not None and principal.member_id == member:
        return
    if subject in principal.subject_ids:
        return
    raise NotFound
