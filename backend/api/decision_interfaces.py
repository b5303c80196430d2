"""The decision in other systems' words: CDS Hooks and XACML. They ask what ``POST /v1/decisions`` asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from backend.api.acting import acting_of
from backend.api.decisions import DecisionBody, RequesterBody, decide
from backend.api.problems import RETRY_AFTER_SECONDS
from backend.api.schemas import Message, subject_id
from backend.api.security import Caller, needs
from backend.consent.decision_types import Answer
from backend.errors import LedgerUnavailable, Unavailable
from backend.identity.roles import Scope
from backend.interop.decision_requests.answers import Decided, cards, xacml_indeterminate, xacml_response
from backend.interop.decision_requests.cds_hooks import DISCOVERY, HOOK, read_hook
from backend.interop.decision_requests.claims import Asked
from backend.interop.decision_requests.errors import DecisionActorOther
from backend.interop.decision_requests.xacml import MEDIA_TYPE, read_request
from backend.types import to_hex

router = APIRouter(tags=["decisions"])
Asker = Annotated[Caller, Depends(needs(Scope.DECISION_EXPLAIN, Scope.DECISION_REVIEW))]


class XacmlJson(JSONResponse):
    media_type = MEDIA_TYPE


@router.get("/cds-services")
def discover() -> dict[str, Any]:
    """The services of CDS Hooks that there are here."""
    return DISCOVERY


@router.post(f"/cds-services/{HOOK}")
async def consult(body: Message, caller: Asker) -> dict[str, Any]:
    """Decide for the hook patient-consent-consult: one card with CONSENT_PERMIT, CONSENT_DENY or, for those
    who may know, NO_CONSENT. An error is a problem and never a card."""
    custodian = caller.services.custodian
    decided = await _decide(read_hook(body, caller.services.tables, caller.services.labels), caller)
    return cards(decided, label=custodian.name, url=custodian.url)


@router.post("/v1/xacml", response_class=XacmlJson, responses={200: {"content": {MEDIA_TYPE: {}}}})
async def xacml(body: Message, caller: Asker) -> XacmlJson:
    """Decide for a Request of the XACML 3.0 JSON profile. Indeterminate, with 503, while nothing can be
    decided; a request that cannot be understood is a problem."""
    asked = read_request(body, caller.services.tables, caller.services.labels)
    try:
        return XacmlJson(xacml_response(await _decide(asked, caller)))
    except Unavailable as failure:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return XacmlJson(xacml_indeterminate(failure.code), status_code=503, headers=headers)


async def _decide(asked: Asked, caller: Caller) -> Decided:
    view = await decide(
        DecisionBody(
            patient_ref=asked.patient_ref,
            subject=asked.subject,
            requester=_requester(asked, caller),
            purpose=asked.purpose,
            action=asked.action,
            categories=list(asked.categories),
            sensitivities=list(asked.sensitivities),
            fulfils=list(asked.fulfils),
        ),
        caller,
    )
    if view.answer == Answer.UNAVAILABLE.value:
        raise LedgerUnavailable
    return Decided(view.answer, view.obligations, view.consents)


def _requester(asked: Asked, caller: Caller) -> RequesterBody | None:
    """Return whose question it is, None where it is the caller's own.

    Raises DecisionActorOther where it is another's and the caller may not ask it.
    """
    principal = caller.principal
    own = {to_hex(name) for name in acting_of(caller).requester.names}
    if principal.account is not None:
        own.add(principal.account.lower())
    if own.issuperset((*asked.members, *asked.accounts)) and Scope.DECISION_EXPLAIN in principal.scopes:
        return None
    patient = asked.subject is not None and subject_id(asked.subject) in principal.subject_ids
    if not patient and Scope.DECISION_REVIEW not in principal.scopes:
        raise DecisionActorOther(field="actor")
    return RequesterBody(
        member=asked.members[0] if asked.members else None,
        organisations=list(asked.members[1:]),
        account=asked.accounts[0] if asked.accounts else None,
    )
