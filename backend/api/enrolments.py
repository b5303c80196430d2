"""Enrolment: staff who checked a person issue a code, the person's wallet claims it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.limits import Limited, Spending
from backend.api.schemas import AccountText, Body, HexSignature, Message, account, moment
from backend.api.security import Caller, Open, needs
from backend.identity.roles import Scope
from backend.identity.types import Guardian
from backend.types import subject_text, to_hex

router = APIRouter(prefix="/v1", tags=["enrolment"])
Desk = Annotated[Caller, Depends(needs(Scope.ENROLMENT_ISSUE))]
Searching = Annotated[Caller, Depends(needs(Scope.PATIENT_SEARCH))]


class GuardianBody(Body):
    """Who may act for a child, and what proved it."""

    account: AccountText
    relationship: str = Field(min_length=1, max_length=32, description="HL7 v3 RoleCode, such as MTH")
    evidence: str = Field(min_length=1, max_length=200, description="what was shown")


class EnrolBody(Body):
    record_number: str = Field(min_length=1, max_length=64)
    name: str = Field(min_length=1, max_length=200)
    birth_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    guardians: Annotated[list[GuardianBody], Field(max_length=4)] = []


class CodeView(BaseModel):
    """``code`` is shown this once; give it to the person."""

    code: str
    subject: str
    expires_at: datetime | None


class ClaimDraftBody(Body):
    code: str = Field(max_length=64)
    account: AccountText


class ClaimDraft(BaseModel):
    typed_data: dict[str, Any]


class ClaimBody(Body):
    code: str = Field(max_length=64)
    account: AccountText
    message: Message = Field(description="the message of the draft, unchanged")
    signature: HexSignature


class ClaimView(BaseModel):
    subject: str
    guardianship: str | None = Field(default=None, description="consent id of a guardian's power")


class SearchBody(Body):
    identifier: str = Field(min_length=1, max_length=64)


class SearchView(BaseModel):
    """The same shape whether or not there is such a patient."""

    patient_ref: str


@router.post("/enrolments", status_code=201, response_model=CodeView)
def enrol(body: EnrolBody, caller: Desk) -> CodeView:
    """Issue a single-use code for a person whose identity you checked."""
    services, principal = caller
    issued = services.identity.issue_code(
        record_number=body.record_number,
        name=body.name,
        birth_date=body.birth_date,
        guardians=tuple(
            Guardian(
                account(guardian.account, field="guardians.account"), guardian.relationship, guardian.evidence
            )
            for guardian in body.guardians
        ),
        by=principal,
    )
    return CodeView(
        code=issued.code, subject=subject_text(issued.subject_id), expires_at=moment(issued.expires_at)
    )


@router.post("/enrolments/claims/draft", response_model=ClaimDraft)
def draft_claim(body: ClaimDraftBody, services: Open, spend: Spending) -> ClaimDraft:
    """Get the message with which your wallet takes control of your records (or a child's)."""
    spend(Limited.DRAFT)
    return ClaimDraft(
        typed_data=dict(services.identity.draft_claim(body.code, account(body.account, field="account")))
    )


@router.post("/enrolments/claims", status_code=201, response_model=ClaimView)
def claim(body: ClaimBody, services: Open) -> ClaimView:
    """Claim a code. The same claim again gives the same answer; a second account is refused."""
    claimed = services.identity.claim(
        body.code,
        account(body.account, field="account"),
        message=body.message,
        signature=bytes.fromhex(body.signature[2:]),
    )
    guardianship = services.open_subject(claimed)
    return ClaimView(
        subject=subject_text(claimed.subject_id),
        guardianship=None if guardianship is None else to_hex(guardianship),
    )


@router.post("/patients/search", response_model=SearchView)
def search(body: SearchBody, caller: Searching) -> SearchView:
    """Get a reference with which to ask a patient for consent. Every identifier gets one, known or not."""
    services, principal = caller
    return SearchView(patient_ref=services.identity.refer(principal, body.identifier))
