"""Records that their patient encrypts, and seals to whom they please. docs/end_to_end.md"""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from backend.api.limits import Limited, Spending
from backend.api.records import StoredView, stored_view
from backend.api.schemas import (
    Body,
    Code,
    Hex32,
    HexSignature,
    HexSubject,
    Message,
    bytes32,
    record_id,
    subject_id,
)
from backend.api.security import Caller, Open, agent_of, needs
from backend.consent.key_terms import AllowMediated
from backend.consent.terms_json import from_json
from backend.errors import InvalidInput, NotFound
from backend.identity.roles import Scope
from backend.identity.types import PrincipalKind
from backend.records import canonical
from backend.records.end_to_end import Draft, Place
from backend.records.envelope_errors import NotCanonical
from backend.records.mediation import Handover
from backend.records.slots import SealedSlot, decode_sealed, encode_sealed
from backend.records.storing import NewDocument
from backend.types import SubjectId, subject_text, to_hex

router = APIRouter(prefix="/v1/end-to-end", tags=["end to end"])
Own = Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))]
Labels = Annotated[list[Code], Field(max_length=64)]
Base64 = Annotated[str, Field(max_length=4096, description="base64")]


class DraftBody(Body):
    """Which segment comes next. The client draws ``record_id`` for a new record: 32 hexadecimal digits."""

    subject: HexSubject
    record_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    version: int = Field(default=1, ge=1, lt=2**31)
    categories: Annotated[list[Code], Field(min_length=1, max_length=64)]
    sensitivities: Labels = []


class DraftView(BaseModel):
    """What the client encrypts with (``backend.client.prepare``). ``slot`` is the patient's own; without one
    the client makes the key of this epoch."""

    tenant: str
    subject: str
    record_id: str
    version: int
    segment: str
    suite: int
    kind: str
    epoch: int
    recipient: str = Field(description="id of the patient's encryption key")
    slot: str | None
    sealed_share: str


class KeyBody(Body):
    """Which key: that of a kind, and of which epoch."""

    subject: HexSubject
    kind: str = Field(pattern=r"^e2e:[0-9a-f]{1,16}:[0-9a-f]{1,8}$")
    epoch: int = Field(ge=0, lt=4096)


class SlotBody(KeyBody):
    slot: Base64


class CustodianKeyView(BaseModel):
    public_key: str = Field(description="1216 bytes in base64url")
    key_id: str


class HandoverDraft(BaseModel):
    typed_data: dict[str, Any]
    salt: str = Field(description="opens the commitment to kind and epoch in the message")


class HandoverBody(KeyBody):
    salt: Hex32
    message: Message = Field(description="the message of the draft, unchanged")
    signature: HexSignature
    sealed_key: Base64


@router.post("/drafts", response_model=DraftView)
def draft(body: DraftBody, caller: Own, spend: Spending) -> DraftView:
    """Draw the erasure share of a segment that you are about to encrypt, sealed to your encryption key."""
    spend(Limited.DRAFT)
    place = Place(
        subject=_patient(caller, body.subject),
        record_id=record_id(body.record_id),
        version=body.version,
        categories=tuple(body.categories),
        sensitivities=tuple(body.sensitivities),
    )
    return _view(caller.services.end_to_end.draft(place))


@router.put("/records/{record}", status_code=201, response_model=StoredView)
async def store(
    request: Request,
    record: str,
    caller: Own,
    subject: Annotated[HexSubject, Query()],
    epoch: Annotated[int, Query(ge=0, lt=4096)],
    categories: Annotated[list[Code], Query(min_length=1, max_length=64)],
    assent_wrapped_key: Annotated[str, Header(max_length=64)],
    sensitivities: Annotated[list[Code] | None, Query(max_length=64)] = None,
    version: Annotated[int, Query(ge=1, lt=2**31)] = 1,
    assent_key_slot: Annotated[str | None, Header(max_length=4096)] = None,
) -> StoredView:
    """Store what you encrypted after a draft, under the media type of the document inside. The same
    ciphertext again gives the same answer."""
    services, principal = caller
    document = NewDocument(
        subject=_patient(caller, subject),
        record_id=record_id(record),
        version=version,
        content=await request.body(),
        media_type=request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip(),
        author=services.tenant,
        actor=agent_of(principal),
        categories=tuple(categories),
        sensitivities=tuple(sensitivities or ()),
    )
    wrapped = _decoded(assent_wrapped_key, "Assent-Wrapped-Key")
    slot = None if assent_key_slot is None else _slot(assent_key_slot)
    stored = await run_in_threadpool(
        lambda: services.end_to_end.store(document, epoch=epoch, wrapped_dek=wrapped, slot=slot)
    )
    return stored_view(stored)


@router.post("/slots", status_code=204, response_class=Response)
def share(body: SlotBody, caller: Own) -> Response:
    """Seal a key of yours to the organisation that a consent of yours names. Each read is decided as ever."""
    subject = _patient(caller, body.subject)
    services, principal = caller
    key_id = services.end_to_end.key_id(subject, body.kind, body.epoch)
    services.end_to_end.share(key_id, _slot(body.slot), by=agent_of(principal))
    return Response(status_code=204)


@router.get("/key", response_model=CustodianKeyView)
def custodian_key(services: Open) -> CustodianKeyView:
    """The custodian's own key. Seal a segment key to it to hand that over."""
    key = services.mediation.public_key()
    return CustodianKeyView(
        public_key=base64.urlsafe_b64encode(key.encoded).decode().rstrip("="), key_id=to_hex(key.id)
    )


@router.post("/handovers/draft", response_model=HandoverDraft)
def draft_handover(body: KeyBody, caller: Own, spend: Spending) -> HandoverDraft:
    """Get the message with which the patient's wallet lets the service read what a key opens, for whoever a
    consent permits. There is no way back."""
    spend(Limited.DRAFT)
    services = caller.services
    key_id = services.end_to_end.key_id(_patient(caller, body.subject), body.kind, body.epoch)
    message, salt = services.mediation.draft(key_id)
    return HandoverDraft(typed_data=dict(message), salt=to_hex(salt))


@router.post("/handovers", status_code=204, response_class=Response)
def hand_over(body: HandoverBody, caller: Own) -> Response:
    """Hand a key over, with the signed message. From now on the service reads and seals what it opens."""
    services, principal = caller
    key_id = services.end_to_end.key_id(_patient(caller, body.subject), body.kind, body.epoch)
    handover = Handover(
        key=key_id,
        salt=bytes32(body.salt),
        command=from_json(AllowMediated, body.message, "message."),
        signature=bytes.fromhex(body.signature[2:]),
        sealed=_decoded(body.sealed_key, "sealed_key"),
    )
    services.mediation.take(handover, by=agent_of(principal))
    return Response(status_code=204)


def _patient(caller: Caller, subject: str) -> SubjectId:
    """The subject, if the caller is its patient: nobody who acts for one holds the patient's key."""
    wanted = subject_id(subject)
    principal = caller.principal
    if principal.kind is not PrincipalKind.WALLET or wanted not in principal.subject_ids:
        raise NotFound
    return wanted


def _slot(text: str) -> SealedSlot:
    try:
        return decode_sealed(canonical.decode(_decoded(text, "slot")))
    except NotCanonical as failure:
        raise InvalidInput("The slot is not one that the client library makes.", field="slot") from failure


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as failure:  # no base64, or not even ASCII
        raise InvalidInput("Write it in base64.", field=field) from failure


def _view(found: Draft) -> DraftView:
    context, key = found.context, found.key
    slot = None if found.slot is None else canonical.encode(encode_sealed(found.slot))
    return DraftView(
        tenant=to_hex(context.tenant),
        subject=subject_text(key.subject),
        record_id=context.record_id.hex(),
        version=context.version,
        segment=context.segment,
        suite=context.suite,
        kind=key.kind,
        epoch=key.epoch,
        recipient=to_hex(found.recipient.id),
        slot=None if slot is None else base64.b64encode(slot).decode(),
        sealed_share=base64.b64encode(found.sealed_share).decode(),
    )
