"""Whose requests a patient does not want to see. The requester is never told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from backend.api.schemas import Hex32, HexSubject, bytes32, moment, subject_id
from backend.api.security import Caller, agent_of, needs, require_party
from backend.identity.roles import Scope
from backend.types import MemberId, SubjectId, to_hex

router = APIRouter(prefix="/v1/blocked-requesters", tags=["consent requests"])
Own = Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))]


class BlockedView(BaseModel):
    member_id: str
    since: datetime | None


@router.get("", response_model=list[BlockedView])
def list_blocked(subject: HexSubject, caller: Own) -> list[BlockedView]:
    """Requesters this patient blocks, oldest first."""
    return _blocked(caller, _own(caller, subject))


@router.put("/{member}", response_model=list[BlockedView])
def block_requester(member: Hex32, subject: HexSubject, caller: Own) -> list[BlockedView]:
    """Block a requester: its requests, those that wait too, are not shown to the patient and lapse."""
    wanted = _own(caller, subject)
    services, principal = caller
    services.requests.block(wanted, MemberId(bytes32(member)), by=agent_of(principal))
    return _blocked(caller, wanted)


@router.delete("/{member}", response_model=list[BlockedView])
def unblock_requester(member: Hex32, subject: HexSubject, caller: Own) -> list[BlockedView]:
    """Let a requester's requests through again."""
    wanted = _own(caller, subject)
    services, principal = caller
    services.requests.unblock(wanted, MemberId(bytes32(member)), by=agent_of(principal))
    return _blocked(caller, wanted)


def _own(caller: Caller, subject: str) -> SubjectId:
    wanted = subject_id(subject)
    require_party(caller.principal, subject=wanted, member=None)
    return wanted


def _blocked(caller: Caller, subject: SubjectId) -> list[BlockedView]:
    return [
        BlockedView(member_id=to_hex(member), since=moment(since))
        for member, since in caller.services.requests.blocked(subject)
    ]
