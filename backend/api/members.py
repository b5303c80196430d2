"""Organisations that take part: admitted by operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.idempotent import Key, attempt
from backend.api.schemas import AccountText, Body, account
from backend.api.security import Caller, agent_of, needs
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.identity.roles import Role, Scope
from backend.types import to_hex

router = APIRouter(prefix="/v1/members", tags=["participants and accounts"])
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


@router.post("", status_code=201, response_model=MemberView)
def admit_member(body: MemberBody, caller: Participants, idempotency_key: Key = None) -> MemberView:
    """Admit an organisation. In production an admission takes effect after the registry's delay."""
    services, principal = caller
    with attempt(caller, "members", idempotency_key, body) as act:
        member = services.admit(
            body.name,
            roles=frozenset(body.roles),
            account=None if body.account is None else account(body.account, field="account"),
            days=body.credential_days,
            attempt=act,
        )
        if not act.finished:
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
