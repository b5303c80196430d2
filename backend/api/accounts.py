"""Participants, staff accounts and clients: kept by operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.schemas import AccountText, Body, Hex32, account, bytes32
from backend.api.security import Caller, agent_of, needs
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.identity.roles import Role, Scope
from backend.types import MemberId, to_hex

router = APIRouter(prefix="/v1", tags=["participants and accounts"])
Accounts = Annotated[Caller, Depends(needs(Scope.ACCOUNT_MANAGE))]
Participants = Annotated[Caller, Depends(needs(Scope.PARTICIPANT_MANAGE))]


class MemberBody(Body):
    """An organisation to admit. Its name stays here; the chain gets a random id and the roles."""

    name: str = Field(min_length=1, max_length=200)
    roles: Annotated[list[Role], Field(min_length=1, max_length=8)]
    account: AccountText | None = Field(
        default=None, description="the account it signs with on chain, if any"
    )
    credential_days: int = Field(default=365, ge=1, le=3650)


class MemberView(BaseModel):
    member_id: str
    name: str
    roles: list[str]


class UserBody(Body):
    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=1024)
    roles: Annotated[list[Role], Field(min_length=1, max_length=8)]
    member_id: Hex32 | None = Field(default=None, description="default: this custodian")
    account: AccountText | None = None


class UserView(BaseModel):
    staff_id: str
    username: str
    roles: list[str]


class ClientBody(Body):
    name: str = Field(min_length=1, max_length=200)
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)]
    member_id: Hex32


class ClientView(BaseModel):
    """``client_secret`` is shown this once."""

    client_id: str
    client_secret: str
    member_id: str


@router.post("/members", status_code=201, response_model=MemberView)
def admit_member(body: MemberBody, caller: Participants) -> MemberView:
    """Admit an organisation. In production an admission takes effect after the registry's delay."""
    services, principal = caller
    member = services.admit(
        body.name,
        roles=frozenset(body.roles),
        account=None if body.account is None else account(body.account, field="account"),
        days=body.credential_days,
    )
    services.audit.append(
        AuditEvent(
            type=codes.PARTICIPANT_CHANGED,
            outcome=Outcome.CHANGED,
            occurred_at_ms=services.clock() * 1000,
            actor=agent_of(principal),
            organisation=member,
        )
    )
    return MemberView(member_id=to_hex(member), name=body.name, roles=[role.value for role in body.roles])


@router.post("/users", status_code=201, response_model=UserView)
def add_user(body: UserBody, caller: Accounts) -> UserView:
    """Add a staff account."""
    services, principal = caller
    staff = services.identity.add_user(
        username=body.username,
        password=body.password,
        roles=frozenset(body.roles),
        member_id=services.tenant if body.member_id is None else MemberId(bytes32(body.member_id)),
        account=None if body.account is None else account(body.account, field="account"),
        by=principal,
    )
    return UserView(staff_id=staff.staff_id, username=staff.username, roles=sorted(staff.roles))


@router.post("/clients", status_code=201, response_model=ClientView)
def add_client(body: ClientBody, caller: Accounts) -> ClientView:
    """Register a system of an organisation for OAuth2 client credentials."""
    services, principal = caller
    client_id, secret = services.identity.add_client(
        name=body.name,
        roles=frozenset(body.roles),
        member_id=MemberId(bytes32(body.member_id)),
        by=principal,
    )
    return ClientView(client_id=client_id, client_secret=secret, member_id=body.member_id)
