"""Erasure: asked for by the patient, a guardian, or a privacy officer to whom the patient wrote."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from backend.api.idempotent import Key, attempt
from backend.api.schemas import Body, Hex16, HexSubject, moment, record_id, subject_id
from backend.api.security import Caller, agent_of, needs
from backend.api.services import Services
from backend.erasure.errors import ErasureNotYours, ErasureUnknown
from backend.erasure.types import MAX_GRACE_HOURS, Cause, ErasureRow, HoldRow, Scope, State, Wish
from backend.errors import InvalidInput, NotFound
from backend.identity.principal import Principal
from backend.identity.roles import Scope as TokenScope
from backend.types import SubjectId, subject_text

router = APIRouter(prefix="/v1/erasures", tags=["erasure"])
HOUR_SECONDS = 3600
_authenticate = needs(TokenScope.CONSENT_OWN, TokenScope.ERASURE_HANDLE)
Asking = Annotated[Caller, Depends(_authenticate)]
ErasureName = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_BEARER = HTTPBearer(auto_error=False, description="the patient's or a privacy officer's; or a receipt code")
OfficersCause = Literal[Cause.WRITTEN_REQUEST, Cause.UNLAWFUL_PROCESSING, Cause.LEGAL_OBLIGATION]


class ErasureBody(Body):
    """What is to be erased: one record with all its versions, or without ``record_id`` the whole person."""

    subject: HexSubject
    record_id: Hex16 | None = None
    grace_hours: int | None = Field(
        default=None,
        ge=0,
        le=MAX_GRACE_HOURS,
        description="in which it can be cancelled; 0: destroyed at once",
    )
    cause: OfficersCause | None = Field(
        default=None, description="of a privacy officer alone, who has to say"
    )
    request_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="of the written request, which the officer keeps"
    )


class HoldShown(BaseModel):
    """Why it has to wait. ``document`` is signed: see ``/.well-known/document-jwks.json``."""

    hold_id: str
    reason: str
    until: datetime | None
    document: dict[str, Any]


class ErasureView(BaseModel):
    """From the answer on nobody gets what is erased; it is destroyed at ``due_at``, or after ``hold``."""

    erasure_id: str
    subject: str
    record_ids: list[str] = Field(description="empty: the whole person")
    cause: Cause
    state: State
    requested_at: datetime | None
    due_at: datetime | None
    ended_at: datetime | None
    hold: HoldShown | None
    destroyed: dict[str, int] = Field(description="how many of each class")


class RequestedView(ErasureView):
    receipt_code: str = Field(
        description="shown this once: it gives the receipt when nobody can sign in any more"
    )


@router.post("", status_code=202, response_model=RequestedView)
def request_erasure(body: ErasureBody, caller: Asking, key: Key = None) -> RequestedView:
    """Have a record or a person erased. It is locked with this answer. A patient or guardian needs no reason;
    a privacy officer says which."""
    services, principal = caller
    subject = subject_id(body.subject)
    wish = Wish(
        scope=Scope(subject, () if body.record_id is None else (record_id(body.record_id),)),
        cause=_cause(services, principal, subject, body),
        by=agent_of(principal),
        grace_seconds=services.erasure.grace_seconds
        if body.grace_hours is None
        else body.grace_hours * HOUR_SECONDS,
        evidence=body.request_sha256 or "",
    )
    with attempt(caller, "erasures", key, body) as try_:
        requested = services.erasure.erasures.request(wish, try_)
    return RequestedView(**_view(services, requested.row).model_dump(), receipt_code=requested.receipt_code)


@router.get("", response_model=list[ErasureView])
def list_erasures(subject: HexSubject, caller: Asking) -> list[ErasureView]:
    """Every erasure of a patient, oldest first."""
    services, principal = caller
    wanted = subject_id(subject)
    require_concerned(principal, wanted)
    return [_view(services, row) for row in services.erasure.erasures.of_subject(wanted)]


@router.get("/{erasure}", response_model=ErasureView)
def get_erasure(erasure: str, caller: Asking) -> ErasureView:
    """One erasure: whether it can still be cancelled, what it waits for, what was destroyed."""
    return _view(caller.services, _row(caller, erasure))


@router.post("/{erasure}/cancel", response_model=ErasureView)
def cancel_erasure(erasure: str, caller: Asking) -> ErasureView:
    """Keep it after all, as long as destroying has not begun. A privacy officer cancels what an officer asked
    for."""
    services, principal = caller
    row = _row(caller, erasure)
    if is_officer(principal):
        if row.cause is Cause.PATIENT_REQUEST:
            raise ErasureNotYours
    else:
        _require_may_erase(services, principal, row.scope.subject)
    return _view(services, services.erasure.erasures.cancel(row.erasure_id, by=agent_of(principal)))


@router.get("/{erasure}/receipt")
async def get_erasure_receipt(
    request: Request,
    erasure: str,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    receipt_code: Annotated[str | None, Header(alias="Receipt-Code", max_length=64)] = None,
) -> JSONResponse:
    """The signed receipt, with proof of the log's entry: to whoever has the receipt code, or may see the
    erasure. `assent receipt verify` checks it offline."""
    services: Services = request.app.state.services
    if receipt_code is not None:
        row = await run_in_threadpool(services.erasure.by_code, erasure, receipt_code)
    else:
        caller = await _authenticate(request, credentials)
        row = await run_in_threadpool(_row, caller, erasure)
    receipt = await run_in_threadpool(services.erasure.receipt, row)
    return JSONResponse(receipt, media_type="application/ld+json")


def is_officer(principal: Principal) -> bool:
    return TokenScope.ERASURE_HANDLE in principal.scopes


def require_concerned(principal: Principal, subject: SubjectId) -> None:
    """Raise NotFound for anybody but the patient, somebody acting for the patient, and privacy officers."""
    if not is_officer(principal) and subject not in principal.subject_ids:
        raise NotFound


def hold_view(services: Services, row: HoldRow) -> HoldShown:
    return HoldShown(
        hold_id=row.hold_id,
        reason=row.reason.value,
        until=moment(row.until),
        document=services.erasure.holds.document(row),
    )


def _row(caller: Caller, erasure: str) -> ErasureRow:
    row = caller.services.erasure.erasures.get(erasure)
    if not is_officer(caller.principal) and row.scope.subject not in caller.principal.subject_ids:
        raise ErasureUnknown
    return row


def _cause(services: Services, principal: Principal, subject: SubjectId, body: ErasureBody) -> Cause:
    if not is_officer(principal):
        if subject not in principal.subject_ids:
            raise NotFound
        if body.cause is not None or body.request_sha256 is not None:
            raise InvalidInput(
                "A patient needs no reason: leave cause and request_sha256 out.", field="cause"
            )
        _require_may_erase(services, principal, subject)
        return Cause.PATIENT_REQUEST
    if body.cause is None:
        raise InvalidInput("Say why.", field="cause")
    if body.cause == Cause.WRITTEN_REQUEST and body.request_sha256 is None:
        raise InvalidInput("Name the written request by its SHA-256.", field="request_sha256")
    if not services.evidence.subject(subject).opened:
        services.identity.enrolments.person(subject)  # NotFound for one that nobody knows
    return body.cause


def _require_may_erase(services: Services, principal: Principal, subject: SubjectId) -> None:
    if principal.account is None or not services.erasure.may_erase(principal.account, subject):
        raise ErasureNotYours


def _view(services: Services, row: ErasureRow) -> ErasureView:
    hold = services.erasure.holds.active(row.scope) if row.state is State.LOCKED else None
    return ErasureView(
        erasure_id=row.erasure_id,
        subject=subject_text(row.scope.subject),
        record_ids=[record.hex() for record in row.scope.records],
        cause=row.cause,
        state=row.state,
        requested_at=moment(row.requested_at),
        due_at=moment(row.due_at),
        ended_at=None if row.ended_at is None else moment(row.ended_at),
        hold=None if hold is None else hold_view(services, hold),
        destroyed=dict(row.destroyed),
    )
