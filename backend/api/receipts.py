"""Consent records and receipts (ISO/IEC TS 27560), signed, for whom they concern."""

from __future__ import annotations

import uuid
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from backend.api.consents import Anyone, visible
from backend.api.schemas import Hex32, HexSubject, bytes32, subject_id
from backend.api.security import Caller, Open
from backend.api.services import Services
from backend.consent.member_order import MemberUnknown
from backend.consent.terms import EVERYONE, Document
from backend.errors import NotFound
from backend.interop.receipts.events import History
from backend.interop.receipts.record import Case, consent_receipt, consent_record, require_grant
from backend.types import ConsentId, MemberId, UnixSeconds

router = APIRouter(tags=["consents"])
LD_JSON: Final = "application/ld+json"
_JSON_LD: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {LD_JSON: {}}}}


class JsonLd(JSONResponse):
    media_type = LD_JSON


@router.get("/v1/consents/{consent}/receipt", response_class=JsonLd, responses=_JSON_LD)
def get_receipt(consent: Hex32, subject: HexSubject, caller: Anyone) -> JsonLd:
    """The consent receipt, for all who may see the consent: the fields of the record, signed."""
    case = _case(consent, subject, caller)
    receipt = consent_receipt(case, caller.services.tables, receipt_id=uuid.uuid4().urn)
    return JsonLd(caller.services.documents.sign(receipt))


@router.get("/v1/consents/{consent}/record", response_class=JsonLd, responses=_JSON_LD)
def get_record(consent: Hex32, subject: HexSubject, caller: Anyone) -> JsonLd:
    """The whole consent record, with the message that was signed and its signatures, for the patient and
    those acting for the patient."""
    if subject_id(subject) not in caller.principal.subject_ids:
        raise NotFound
    record = consent_record(_case(consent, subject, caller), caller.services.tables)
    return JsonLd(caller.services.documents.sign(record))


@router.get("/.well-known/document-jwks.json")
def document_keys(services: Open) -> dict[str, Any]:
    """The key that records and receipts are signed with. Access tokens have keys of their own."""
    return services.documents.public_set()


def _case(consent: str, subject: str, caller: Caller) -> Case:
    services = caller.services
    view, document = _found(consent, subject, caller)
    grant = require_grant(document)
    consent_id = ConsentId(bytes32(view.consent_id))
    history = History(
        grant=grant,
        consent_id=consent_id,
        steps=services.history.dated(grant),
        state=view.state,
        seen_at=UnixSeconds(services.clock()),
        domain=services.domain,
    )
    signed = services.evidence.signed(grant.subject, consent_id)
    return Case(history, signed, services.custodian, _name(services, grant.terms.grantee))


def _found(consent: str, subject: str, caller: Caller) -> tuple[Any, Document]:
    for view, document in visible(subject, caller):
        if view.consent_id == consent.lower():
            return view, document
    raise NotFound


def _name(services: Services, member: MemberId) -> str | None:
    if member == EVERYONE:
        return None
    try:
        return services.member_book.get(member).name
    except MemberUnknown:
        return None
