"""Legal holds: a privacy officer says why something must be kept, and until when; the patient sees it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from backend.api.erasures import HoldShown, hold_view, require_concerned
from backend.api.idempotent import Key, attempt
from backend.api.schemas import Body, Hex16, HexSubject, Moment, moment, record_id, seconds, subject_id
from backend.api.security import Caller, agent_of, needs
from backend.api.services import Services
from backend.erasure.types import HoldReason, HoldRow, Scope
from backend.idempotency import Attempt
from backend.identity.roles import Scope as TokenScope
from backend.types import subject_text

router = APIRouter(prefix="/v1/legal-holds", tags=["erasure"])
Officer = Annotated[Caller, Depends(needs(TokenScope.ERASURE_HANDLE))]
Concerned = Annotated[Caller, Depends(needs(TokenScope.CONSENT_OWN, TokenScope.ERASURE_HANDLE))]


class HoldBody(Body):
    subject: HexSubject
    record_id: Hex16 | None = Field(default=None, description="default: everything about the person")
    reason: HoldReason
    until: Moment = Field(description="when it ends by itself")


class HoldView(HoldShown):
    subject: str
    record_ids: list[str]
    placed_at: datetime | None
    lifted_at: datetime | None


@router.post("", status_code=201, response_model=HoldView)
def place_hold(body: HoldBody, caller: Officer, key: Key = None) -> HoldView:
    """Have something kept, whoever asks for its erasure. Erasures of it stay locked and wait."""
    services, principal = caller
    scope = Scope(subject_id(body.subject), () if body.record_id is None else (record_id(body.record_id),))
    with attempt(caller, "legal-holds", key, body) as try_:
        row = services.erasure.holds.place(
            scope, body.reason, seconds(body.until), by=agent_of(principal), attempt=try_
        )
    return _view(services, row)


@router.get("", response_model=list[HoldView])
def list_holds(subject: HexSubject, caller: Concerned) -> list[HoldView]:
    """Every hold on what is the patient's, oldest first."""
    services, principal = caller
    wanted = subject_id(subject)
    require_concerned(principal, wanted)
    return [_view(services, row) for row in services.erasure.holds.of_subject(wanted)]


@router.post("/{hold}/lift", response_model=HoldView)
def lift_hold(hold: str, caller: Officer) -> HoldView:
    """Let go before its time. Erasures that waited go on."""
    services, principal = caller
    row = services.erasure.holds.lift(
        hold, by=agent_of(principal), attempt=Attempt.only(now=services.clock())
    )
    return _view(services, row)


def _view(services: Services, row: HoldRow) -> HoldView:
    return HoldView(
        **hold_view(services, row).model_dump(),
        subject=subject_text(row.scope.subject),
        record_ids=[record.hex() for record in row.scope.records],
        placed_at=moment(row.placed_at),
        lifted_at=None if row.lifted_at is None else moment(row.lifted_at),
    )
