"""Stopping: taken from anyone who holds a signed stop, without session, deadline or limit (invariant 3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, model_validator

from backend.api.consent_requests import Via
from backend.api.schemas import (
    Body,
    Hex32,
    HexSignature,
    HexSubject,
    Message,
    bytes32,
    subject_id,
)
from backend.api.security import Caller, Open, needs, require_party
from backend.consent.authority import revocation_for
from backend.consent.revocations import Revocation
from backend.consent.terms import Delegation, Document, Grant, RevokeAll
from backend.consent.terms_json import from_json
from backend.consent.typed_data import typed_data
from backend.identity.roles import Scope
from backend.types import ConsentId, subject_text

router = APIRouter(prefix="/v1/revocations", tags=["revocations"])


class StopDraftBody(Body):
    """One consent, or everything of a subject."""

    consent_id: Hex32 | None = None
    subject: HexSubject | None = Field(default=None, description="stop everything of this subject")
    via: Via = []

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.consent_id is None) == (self.subject is None):
            raise ValueError("name a consent_id, or a subject to stop everything")
        return self


class StopDraft(BaseModel):
    typed_data: dict[str, Any]


class StopBody(Body):
    """A signed Revoke (``consent_id``) or RevokeAll (``subject`` and ``epoch``)."""

    consent_id: Hex32 | None = None
    subject: HexSubject | None = None
    epoch: int | None = Field(default=None, ge=0, lt=2**32)
    signature: HexSignature
    document: Message | None = Field(
        default=None, description="the whole grant or delegation, where it is not known here"
    )
    document_type: Literal["Grant", "Delegation"] = "Grant"
    via: Via = []

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        everything = self.subject is not None and self.epoch is not None
        if (self.consent_id is None) == (not everything):
            raise ValueError("send consent_id for one consent, or subject and epoch for everything")
        return self


class StopView(BaseModel):
    """The stop is in force for every read from now on, whether or not it is on the chain yet."""

    state: Literal["in_force"]
    subject: str
    block: int | None


class EndGuardianshipBody(Body):
    consent_id: Hex32


@router.post("/draft", response_model=StopDraft)
def draft(body: StopDraftBody, caller: Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))]) -> StopDraft:
    """Get the message to sign. A signed stop works for ever and from any hand: it can be kept on paper."""
    services, principal = caller
    if body.consent_id is not None:
        command = revocation_for(ConsentId(bytes32(body.consent_id)), _chain(body.via))
        return StopDraft(typed_data=typed_data(command, services.domain))
    subject = subject_id(body.subject or "")
    require_party(principal, subject=subject, member=None)
    epoch = services.evidence.subject(subject).epoch
    return StopDraft(typed_data=typed_data(RevokeAll(subject, epoch), services.domain))


@router.post("", response_model=StopView)
def stop(body: StopBody, services: Open) -> StopView:
    """Put a signed stop in force. Sending it again is harmless."""
    acknowledged = services.revocations.revoke(
        Revocation(
            signature=bytes.fromhex(body.signature[2:]),
            consent=ConsentId(bytes32(body.consent_id)) if body.consent_id else None,
            subject=subject_id(body.subject) if body.subject and not body.consent_id else None,
            epoch=None if body.consent_id else body.epoch,
            document=_document(body),
            via=_chain(body.via),
        )
    )
    return StopView(state="in_force", subject=subject_text(acknowledged.subject), block=acknowledged.block)


@router.post("/guardianships", response_model=StopView)
def end_guardianship(
    body: EndGuardianshipBody, caller: Annotated[Caller, Depends(needs(Scope.ENROLMENT_ISSUE))]
) -> StopView:
    """End a guardianship, as the desk that checked it. In force at once, like every stop."""
    services, principal = caller
    acknowledged = services.revocations.revoke(
        Revocation(consent=ConsentId(bytes32(body.consent_id)), desk=principal.id)
    )
    return StopView(state="in_force", subject=subject_text(acknowledged.subject), block=acknowledged.block)


def _chain(via: list[dict[str, Any]]) -> tuple[Delegation, ...]:
    return tuple(from_json(Delegation, item, f"via[{number}].") for number, item in enumerate(via))


def _document(body: StopBody) -> Document | None:
    if body.document is None:
        return None
    if body.document_type == "Grant":
        return from_json(Grant, body.document)
    return from_json(Delegation, body.document)
