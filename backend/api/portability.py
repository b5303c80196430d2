"""A patient's whole record, to take along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import StreamingResponse

from backend.api.acting import acting_of
from backend.api.consents import visible
from backend.api.receipts import signed_record
from backend.api.schemas import HexSubject, subject_id
from backend.api.security import Caller, agent_of, needs
from backend.audit.entry import Action
from backend.consent.deciding import Question
from backend.consent.terms import Delegation
from backend.consent.terms_json import to_json
from backend.errors import NotFound
from backend.identity.roles import Scope
from backend.interop.portability.exporting import CONSENTS, DELEGATIONS, Evidence, chain_facts
from backend.records.obligations import fulfilled
from backend.records.trail import Reader
from backend.types import ConsentId, SubjectId, to_hex

router = APIRouter(prefix="/v1/portability", tags=["records"])
Own = Annotated[Caller, Depends(needs(Scope.ACCESS_LOG_OWN))]
PURPOSE: Final = "PATRQT"  # HL7 v3 PurposeOfUse: the patient asks
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}


@router.get("/archive", response_class=StreamingResponse, responses=_ZIP)
def archive(subject: HexSubject, caller: Own) -> StreamingResponse:
    """The patient's whole record as a ZIP archive: all documents in all versions, one FHIR bundle of them,
    the signed consents and delegations, and the list of accesses with its proof. `assent archive verify`
    checks it offline. An archive that does not end was cut off: something could not be read."""
    wanted = subject_id(subject)
    services, principal = caller
    if wanted not in principal.subject_ids:
        raise NotFound
    evidence = Evidence(
        chain=chain_facts(services.domain, services.tenant),
        consents=dict(_consents(subject, wanted, caller)),
        accesses=lambda: services.proofs.access_list(wanted),
    )
    return StreamingResponse(
        services.portability.export(_reader(caller, wanted), evidence),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="record.zip"'},
    )


def _consents(subject: str, wanted: SubjectId, caller: Caller) -> Iterator[tuple[str, dict[str, Any]]]:
    for view, document in visible(subject, caller):
        if not isinstance(document, Delegation):
            yield f"{CONSENTS}{view.consent_id[2:]}.json", signed_record(view.consent_id, subject, caller)
            continue
        signed = caller.services.evidence.signed(wanted, ConsentId(bytes.fromhex(view.consent_id[2:])))
        if signed is not None:
            yield (
                f"{DELEGATIONS}{view.consent_id[2:]}.json",
                {
                    "message": to_json(document),
                    "signature": to_hex(signed.signature),
                    "signer": signed.signer,
                    "via": [to_json(link) for link in signed.via],
                },
            )


def _reader(caller: Caller, subject: SubjectId) -> Reader:
    services, principal = caller
    requester, groups = acting_of(caller)
    return Reader(
        agent=agent_of(principal),
        organisation=principal.member_id,
        question=Question(
            subject=subject,
            requester=requester,
            purpose=services.tables.purposes.mask([PURPOSE]),
            action=services.tables.actions.mask([Action.EXPORT.value]),
            fulfils=fulfilled(Action.EXPORT, by_person=True),
        ),
        purpose=PURPOSE,
        action=Action.EXPORT,
        groups=groups,
    )
