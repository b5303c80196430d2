"""Organisations that take part: admitted, listed and stopped by operators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.idempotent import Key, attempt
from backend.api.schemas import AccountText, Body, Hex32, account, bytes32, moment
from backend.api.security import Caller, agent_of, needs
from backend.api.services import Services
from backend.consent.member_book import Credential, Entry, Shown, Standing
from backend.identity.roles import CHAIN_BIT_OF_ROLE, Role, Scope
from backend.types import MemberId, to_hex

router = APIRouter(prefix="/v1/members", tags=["participants and accounts"])
Participants = Annotated[Caller, Depends(needs(Scope.PARTICIPANT_MANAGE))]
# By bit on the chain. No request can give the first two.
_ROLE_OF_BIT = {
    1: "custodian",
    128: "relayer",
    **{bit: role.value for role, bit in CHAIN_BIT_OF_ROLE.items()},
}


class MemberBody(Body):
    """An organisation to admit. Its name stays here; the chain gets a random id and the roles."""

    name: str = Field(min_length=1, max_length=200)
    roles: Annotated[list[Role], Field(min_length=1, max_length=8)]
    account: AccountText | None = Field(
        default=None, description="the account it signs with on chain, if any"
    )
    credential_days: int = Field(default=365, ge=1, le=3650)


class CustodianBody(Body):
    """An organisation with a service of its own on this chain. ``assent ledger join`` there shows its id and
    account."""

    name: str = Field(min_length=1, max_length=200)
    member_id: Hex32 = Field(description="the id that its service drew")
    account: AccountText = Field(description="the account that its service stores and anchors with")
    credential_days: int = Field(default=1826, ge=1, le=3650)


class StandingView(BaseModel):
    member_id: str
    standing: Shown = Field(description="a stop counts for every read from the moment it is received")
    effective_from: datetime | None = Field(
        description="with 'scheduled': when it takes effect; null while the chain has not announced it"
    )
    recorded: bool = Field(description="whether the chain says the same already")


class MemberView(StandingView):
    name: str | None = Field(description="null for a member that another custodian admitted")
    roles: list[str] = Field(description="as on the chain")
    account: str | None
    credential_expires_at: datetime | None = Field(description="null: without end")
    credential: Credential = Field(description="'expiring': within 30 days. An expired one counts nothing")


@router.post("", status_code=201, response_model=MemberView, responses={202: {"model": MemberView}})
def admit_member(
    body: MemberBody, caller: Participants, response: Response, idempotency_key: Key = None
) -> MemberView:
    """Admit an organisation. Where the registry delays admissions the answer is 202 and says from when it
    counts; nothing more needs to be done."""
    services, principal = caller
    with attempt(caller, "members", idempotency_key, body) as act:
        member = services.admissions.admit(
            body.name,
            roles=frozenset(body.roles),
            account=None if body.account is None else account(body.account, field="account"),
            days=body.credential_days,
            attempt=act,
            by=agent_of(principal),
        )
    view = member_view(services.member_book.get(member))
    if view.standing is Shown.SCHEDULED:
        response.status_code = 202
    return view


@router.post(
    "/custodians", status_code=201, response_model=MemberView, responses={202: {"model": MemberView}}
)
def admit_custodian(
    body: CustodianBody, caller: Participants, response: Response, idempotency_key: Key = None
) -> MemberView:
    """Admit another custodian, with the roles custodian, provider and relayer. Where the registry delays
    admissions the answer is 202 and says from when it counts; nothing more needs to be done."""
    services, principal = caller
    member = MemberId(bytes32(body.member_id))
    with attempt(caller, "custodians", idempotency_key, body) as act:
        services.admissions.admit_custodian(
            body.name,
            member=member,
            account=account(body.account, field="account"),
            days=body.credential_days,
            begun_at=act.begun_at,
            by=agent_of(principal),
        )
    view = member_view(services.member_book.get(member))
    if view.standing is Shown.SCHEDULED:
        response.status_code = 202
    return view


@router.get("", response_model=list[MemberView])
def list_members(caller: Participants) -> list[MemberView]:
    """All members, in the order of admission; then those whose admission waits."""
    return [member_view(entry) for entry in caller.services.member_book.all()]


@router.get("/{member}", response_model=MemberView)
def get_member(member: Hex32, caller: Participants) -> MemberView:
    """One member, by its id."""
    return member_view(caller.services.member_book.get(MemberId(bytes32(member))))


@router.post("/{member}/suspend", response_model=StandingView)
def suspend_member(member: Hex32, caller: Participants) -> StandingView:
    """Stop a member until it is reinstated. In force for every read from now on, before its block."""
    services, principal = caller
    name = MemberId(bytes32(member))
    services.member_stops.suspend(name, by=agent_of(principal))
    return standing_view(name, services)


@router.post("/{member}/remove", response_model=StandingView)
def remove_member(member: Hex32, caller: Participants) -> StandingView:
    """Stop a member for good, at once, or call its admission off. Its id is never used again."""
    services, principal = caller
    name = MemberId(bytes32(member))
    services.member_stops.remove(name, by=agent_of(principal))
    return standing_view(name, services)


@router.post("/{member}/reinstate", response_model=StandingView, responses={202: {"model": StandingView}})
def reinstate_member(member: Hex32, caller: Participants, response: Response) -> StandingView:
    """End a suspension. Where the registry delays that the answer is 202 and says from when it counts."""
    services, principal = caller
    name = MemberId(bytes32(member))
    services.admissions.reinstate(name, by=agent_of(principal))
    view = standing_view(name, services)
    if view.standing is Shown.SCHEDULED:
        response.status_code = 202
    return view


def member_view(entry: Entry) -> MemberView:
    return MemberView(
        **_standing(entry.member, entry.standing).model_dump(),
        name=entry.name,
        roles=role_names(entry.roles),
        account=entry.account,
        credential_expires_at=moment(entry.expiry),
        credential=entry.credential,
    )


def role_names(roles: int) -> list[str]:
    """Name the roles of the chain's mask, in the order of their bits."""
    return [name for bit, name in sorted(_ROLE_OF_BIT.items()) if roles & bit]


def standing_view(member: MemberId, services: Services) -> StandingView:
    return _standing(member, services.member_book.standing(member))


def _standing(member: MemberId, standing: Standing) -> StandingView:
    start = standing.effective_from
    return StandingView(
        member_id=to_hex(member),
        standing=standing.shown,
        effective_from=None if start is None else moment(start),
        recorded=standing.recorded,
    )
