"""Systems that sign in by themselves: registered, closed and given new secrets by operators."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.idempotent import Key, attempt
from backend.api.schemas import Body, Hex16, Hex32, bytes32, moment
from backend.api.security import Caller, needs
from backend.api.users import StateBody
from backend.identity.roles import Role, Scope
from backend.identity.types import Client
from backend.types import MemberId, to_hex

router = APIRouter(prefix="/v1/clients", tags=["participants and accounts"])
Accounts = Annotated[Caller, Depends(needs(Scope.ACCOUNT_MANAGE))]
DAY_SECONDS: Final = 24 * 3600


class ClientBody(Body):
    name: str = Field(min_length=1, max_length=200)
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)]
    member_id: Hex32


class RegisteredView(BaseModel):
    """``client_secret`` is shown this once, and to a retry with the same Idempotency-Key for a day."""

    client_id: str
    client_secret: str
    member_id: str


class RotationBody(Body):
    overlap_seconds: int = Field(
        default=DAY_SECONDS,
        ge=0,
        le=30 * DAY_SECONDS,
        description="how long the old secret holds beside the new one; 0 ends it, and all sessions, at once",
    )


class AssertionKeysBody(Body):
    keys: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=16)] = Field(
        description="the members of a JWK Set (RFC 7517): public EC or RSA keys, each with its kid"
    )


class ClientView(BaseModel):
    client_id: str
    name: str
    roles: list[str]
    member_id: str
    assertion_key_ids: list[str] = Field(description="kid of the keys that may sign its assertions")
    previous_secret_until: datetime | None = Field(description="while an old secret holds beside the new one")
    by_provider: bool = Field(description="an identity provider vouches for it, and manages it")
    disabled: bool
    created_at: datetime | None


@router.post("", status_code=201, response_model=RegisteredView)
def add_client(body: ClientBody, caller: Accounts, idempotency_key: Key = None) -> RegisteredView:
    """Register a system of an organisation for OAuth2 client credentials."""
    services, principal = caller
    with attempt(caller, "clients", idempotency_key, body) as act:
        client_id, secret = services.identity.add_client(
            name=body.name,
            roles=frozenset(body.roles),
            member_id=MemberId(bytes32(body.member_id)),
            by=principal,
            attempt=act,
        )
    return RegisteredView(client_id=client_id, client_secret=secret, member_id=body.member_id)


@router.get("", response_model=list[ClientView])
def list_clients(caller: Accounts) -> list[ClientView]:
    """All clients, without their secrets, which nobody keeps."""
    services = caller.services
    return [client_view(client, now=services.clock()) for client in services.identity.clients.all()]


@router.get("/{client}", response_model=ClientView)
def get_client(client: Hex16, caller: Accounts) -> ClientView:
    """One client, by its id."""
    services = caller.services
    return client_view(services.identity.clients.get(client), now=services.clock())


@router.put("/{client}/state", response_model=ClientView)
def set_client_state(client: Hex16, body: StateBody, caller: Accounts) -> ClientView:
    """Disable or enable a client. Its sessions end."""
    services, principal = caller
    change = services.identity.clients.disable if body.disabled else services.identity.clients.enable
    return client_view(change(client, by=principal.name), now=services.clock())


@router.post("/{client}/secret", status_code=201, response_model=RegisteredView)
def rotate_secret(
    client: Hex16, body: RotationBody, caller: Accounts, idempotency_key: Key = None
) -> RegisteredView:
    """Get a new secret. A blind retry would rotate again and cut the overlap: send an Idempotency-Key."""
    services, principal = caller
    with attempt(caller, f"clients/{client}/secret", idempotency_key, body) as act:
        secret = services.identity.clients.rotate_secret(
            client, overlap_seconds=body.overlap_seconds, by=principal.name, attempt=act
        )
    member_id = to_hex(services.identity.clients.get(client).member_id)
    return RegisteredView(client_id=client, client_secret=secret, member_id=member_id)


@router.put("/{client}/assertion-keys", response_model=ClientView)
def set_assertion_keys(client: Hex16, body: AssertionKeysBody, caller: Accounts) -> ClientView:
    """Set the keys with which the client may sign in by ``private_key_jwt``. Its sessions end."""
    services, principal = caller
    changed = services.identity.clients.set_assertion_keys(
        client, json.dumps({"keys": body.keys}), by=principal.name
    )
    return client_view(changed, now=services.clock())


@router.delete("/{client}/assertion-keys", response_model=ClientView)
def remove_assertion_keys(client: Hex16, caller: Accounts) -> ClientView:
    """Remove the keys: from now on only the secret signs in. The client's sessions end."""
    services, principal = caller
    changed = services.identity.clients.set_assertion_keys(client, None, by=principal.name)
    return client_view(changed, now=services.clock())


def client_view(client: Client, *, now: int) -> ClientView:
    keys = [] if client.assertion_keys is None else json.loads(client.assertion_keys)["keys"]
    overlapping = client.previous_hash is not None and now < client.previous_until
    return ClientView(
        client_id=client.client_id,
        name=client.name,
        roles=sorted(role.value for role in client.roles),
        member_id=to_hex(client.member_id),
        assertion_key_ids=[key["kid"] for key in keys],
        previous_secret_until=moment(client.previous_until) if overlapping else None,
        by_provider=client.by_provider,
        disabled=client.disabled,
        created_at=moment(client.created_at),
    )
