"""Consent records and receipts (ISO/IEC TS 27560), signed, for whom they concern."""

from __future__ import annotations

import uuid
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from backend.api.consents import Anyone, ConsentView, visible
from backend.api.schemas import Hex32, HexSubject, bytes32, subject_id
from backend.api.security import Caller, Open, agent_of
from backend.api.services import Services
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.consent.evidence_store import SignedDocument
from backend.consent.member_order import MemberUnknown
from backend.consent.states import State
from backend.consent.terms import EVERYONE, Document
from backend.consent.witnessed import is_witnessed
from backend.errors import NotFound
from backend.identity.roles import Scope
from backend.interop.receipts.events import History
from backend.interop.receipts.record import Case, consent_receipt, consent_record, require_grant
from backend.interop.receipts.witnesses import Witnessing
from backend.types import ConsentId, MemberId, UnixSeconds

router = APIRouter(tags=["consents"])
LD_JSON: Final = "application/ld+json"
_JSON_LD: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {LD_JSON: {}}}}


class JsonLd(JSONResponse):
    media_type = LD_JSON


@router.get("/v1/consents/{consent}/receipt", response_class=JsonLd, responses=_JSON_LD)
def get_receipt(consent: Hex32, subject: HexSubject, caller: Anyone) -> JsonLd:
    """The consent receipt, for all who may see the consent and for reviewers: the record's fields, signed.
    What a reviewer reads is in the patient's access list."""
    case = _case(consent, subject, caller)
    receipt = consent_receipt(case, caller.services.tables, receipt_id=uuid.uuid4().urn)
    return JsonLd(caller.services.documents.sign(receipt))


@router.get("/v1/consents/{consent}/record", response_class=JsonLd, responses=_JSON_LD)
def get_record(consent: Hex32, subject: HexSubject, caller: Anyone) -> JsonLd:
    """The whole consent record, with the message that was signed and its signatures: for the patient, those
    acting for the patient, and reviewers."""
    if subject_id(subject) not in caller.principal.subject_ids and not _reviews(subject, caller):
        raise NotFound
    return JsonLd(signed_record(consent, subject, caller))


def signed_record(consent: str, subject: str, caller: Caller) -> dict[str, Any]:
    """Return the record of a consent that the caller may see, signed. Raises NotFound."""
    record = consent_record(_case(consent, subject, caller), caller.services.tables)
    return dict(caller.services.documents.sign(record))


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
        state=State(view.state),
        seen_at=UnixSeconds(services.clock()),
        domain=services.history.domain_of(grant),
    )
    signed = services.evidence.signed(grant.subject, consent_id)
    name = _name(services, grant.terms.grantee)
    return Case(history, signed, services.custodian, name, _witnessing(services, signed, consent_id))


def _witnessing(services: Services, signed: SignedDocument | None, consent: ConsentId) -> Witnessing | None:
    if signed is None or not signed.via or not is_witnessed(signed.via[0]):
        return None
    paper = services.papers.of_consent(consent)
    return None if paper is None else Witnessing(paper.pair, services.papers.factory)


def _found(consent: str, subject: str, caller: Caller) -> tuple[ConsentView, Document]:
    reviews = _reviews(subject, caller)
    for view, document in visible(subject, caller, reviews=reviews):
        if view.consent_id == consent.lower():
            if reviews:
                _log(view, caller)
            return view, document
    raise NotFound


def _reviews(subject: str, caller: Caller) -> bool:
    """Whether the caller sees it as the custodian's privacy officer or as an auditor."""
    principal = caller.principal
    return Scope.DECISION_REVIEW in principal.scopes and subject_id(subject) not in principal.subject_ids


def _log(view: ConsentView, caller: Caller) -> None:
    services, principal = caller
    services.audit.append(
        AuditEvent(
            type=codes.CONSENT_READ,
            outcome=Outcome.PERMITTED,
            occurred_at_ms=services.clock() * 1000,
            actor=agent_of(principal),
            organisation=principal.member_id,
            subject=subject_id(view.subject),
            consents=(ConsentId(bytes32(view.consent_id)),),
        )
    )


def _name(services: Services, member: MemberId) -> str | None:
    if member == EVERYONE:
        return None
    try:
        return services.member_book.get(member).name
    except MemberUnknown:
        return None
