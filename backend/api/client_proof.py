"""How a client proves itself at the OAuth2 endpoints: Basic, secret in the form, or ``private_key_jwt``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from backend.api.limits import Limited, Spending
from backend.api.security import Open, agent_of
from backend.audit.entry import Agent, AgentKind
from backend.errors import NotAuthenticated
from backend.identity.client_assertion import ASSERTION_TYPE
from backend.identity.errors import ClientRefused, ScopeMissing
from backend.identity.principal import Asking
from backend.identity.services import Identity
from backend.identity.types import Client

_BASIC = HTTPBasic(auto_error=False)
_BEARER = HTTPBearer(auto_error=False, description="the access token of a sign-in")


@dataclass(frozen=True, slots=True)
class ClientProof:
    """What came with a request; not yet checked."""

    client_id: str | None
    client_secret: str | None
    assertion_type: str | None
    assertion: str | None
    basic: bool

    def client(self, identity: Identity) -> Client:
        """Return who this proves. Raises ClientRefused."""
        if self.assertion is not None or self.assertion_type is not None:
            # One proof only (RFC 6749, 2.3): of two, it would not be clear which one the caller relied on.
            one = self.assertion_type == ASSERTION_TYPE and not self.basic and not self.client_secret
            if self.assertion is None or not one:
                raise ClientRefused
            return identity.prove_assertion(self.assertion, client_id=self.client_id)
        if self.client_id is None or self.client_secret is None:
            raise ClientRefused
        return identity.clients.prove(self.client_id, self.client_secret)

    @property
    def is_there(self) -> bool:
        return any((self.client_id, self.client_secret, self.assertion_type, self.assertion, self.basic))


def _proof(
    basic: Annotated[HTTPBasicCredentials | None, Depends(_BASIC)],
    client_id: Annotated[str | None, Form(max_length=200)] = None,
    client_secret: Annotated[str | None, Form(max_length=200)] = None,
    client_assertion_type: Annotated[str | None, Form(max_length=200, description=ASSERTION_TYPE)] = None,
    client_assertion: Annotated[str | None, Form(max_length=8192, description="a JWT, RFC 7523")] = None,
) -> ClientProof:
    return ClientProof(
        client_id=client_id if basic is None else basic.username,
        client_secret=client_secret if basic is None else basic.password,
        assertion_type=client_assertion_type,
        assertion=client_assertion,
        basic=basic is not None,
    )


Proof = Annotated[ClientProof, Depends(_proof)]


@dataclass(frozen=True, slots=True)
class Introspector:
    """Who asks about a token, and how the log names it."""

    asking: Asking
    agent: Agent


def _introspector(
    request: Request,
    services: Open,
    spend: Spending,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    proof: Proof,
) -> Introspector:
    """Authenticate by an access token or as a client (RFC 7662, 2.1)."""
    identity = services.identity
    if bearer is not None:
        principal = identity.authenticate(bearer.credentials)
        request.state.principal = principal
        if principal.bound is not None:
            raise ScopeMissing
        return Introspector(principal, agent_of(principal))
    if not proof.is_there:
        raise NotAuthenticated
    spend(Limited.INTROSPECTION)
    client = proof.client(identity)
    return Introspector(identity.asking_of(client), Agent(AgentKind.CLIENT, client.client_id))


Introspecting = Annotated[Introspector, Depends(_introspector)]
