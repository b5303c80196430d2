"""Asking whether something would be permitted, without releasing anything."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.metrics import DECISIONS
from backend.api.schemas import BEGINNING, Body, Code, Codes, HexSubject, Moment, seconds, subject_id
from backend.api.security import Caller, agent_of, needs, requester_of
from backend.audit import codes
from backend.audit.entry import Action, AuditEvent, Outcome
from backend.consent.deciding import Question
from backend.consent.decision_types import Answer, Decision, Segment
from backend.identity.roles import Scope
from backend.types import SubjectId, to_hex

router = APIRouter(prefix="/v1", tags=["decisions"])

_OUTCOMES = {
    Answer.PERMIT: Outcome.PERMITTED,
    Answer.DENY: Outcome.DENIED,
    Answer.NO_CONSENT: Outcome.DENIED,
    Answer.UNAVAILABLE: Outcome.UNAVAILABLE,
}


class DecisionBody(Body):
    """About data of one category or more, as if it existed. Name a patient by reference or by subject."""

    patient_ref: str | None = Field(default=None, max_length=256)
    subject: HexSubject | None = None
    purpose: Code
    action: Code = "access"
    categories: Codes = Field(min_length=1)
    sensitivities: Codes = []
    data_from: Moment | None = None
    data_to: Moment | None = None


class FindingView(BaseModel):
    consent_id: str
    reason: str
    rule: int | None


class DecisionView(BaseModel):
    """``reasons`` and ``findings`` are for the patient; a requester gets the answer alone."""

    answer: str = Field(description="permit, deny or unavailable")
    obligations: list[str]
    final_block: int | None
    head_block: int | None
    queue_position: int
    tables: str = Field(description="digest of the code and label tables used, as GET /v1/tables has it")
    reasons: list[str] = []
    findings: list[FindingView] = []


@router.post("/decisions", response_model=DecisionView)
def decide(
    body: DecisionBody, caller: Annotated[Caller, Depends(needs(Scope.DECISION_EXPLAIN))]
) -> DecisionView:
    """Decide as a read would. The question is logged, and the patient sees it."""
    services, principal = caller
    subject = _subject(body, caller)
    tables = services.tables
    question = Question(
        subject=subject,
        requester=requester_of(principal),
        purpose=tables.purposes.mask([body.purpose], field="purpose"),
        action=tables.actions.mask([body.action], field="action"),
    )
    segment = Segment(
        categories=tables.categories.mask(body.categories),
        sensitivities=tables.sensitivities.mask(body.sensitivities),
        data_from=seconds(body.data_from, default=BEGINNING),
        data_to=seconds(body.data_to),
    )
    decision = services.decisions.decide(question, [segment])[0]
    DECISIONS.labels(decision.answer.value).inc()
    services.audit.append(
        AuditEvent(
            type=codes.DECISION,
            outcome=_OUTCOMES[decision.answer],
            occurred_at_ms=services.clock() * 1000,
            actor=agent_of(principal),
            organisation=principal.member_id,
            subject=subject,
            purpose=body.purpose,
            action=Action(body.action),
            consents=decision.consent_ids,
            reasons=tuple(reason.value for reason in decision.reasons),
            final_block=decision.final_block,
            head_block=decision.head_block,
            queue_position=decision.queue_position,
            obligations=decision.obligations,
            detail={"tables": bytes.fromhex(decision.tables)},
        )
    )
    return _view(decision, caller, explain=subject in principal.subject_ids)


def _subject(body: DecisionBody, caller: Caller) -> SubjectId:
    if body.patient_ref is not None:
        return caller.services.identity.resolve_patient(caller.principal, body.patient_ref)
    return subject_id(body.subject or "0x0")


def _view(decision: Decision, caller: Caller, *, explain: bool) -> DecisionView:
    # 'no_consent' and 'deny' look alike to a requester: the difference tells what the patient decided.
    coarse = Answer.DENY if decision.answer is Answer.NO_CONSENT else decision.answer
    return DecisionView(
        answer=(decision.answer if explain else coarse).value,
        obligations=list(caller.services.tables.obligations.codes(decision.obligations)),
        final_block=decision.final_block,
        head_block=decision.head_block,
        queue_position=decision.queue_position,
        tables=decision.tables,
        reasons=[reason.value for reason in decision.reasons] if explain else [],
        findings=[
            FindingView(
                consent_id=to_hex(finding.consent_id),
                reason=finding.reason.value,
                rule=None if finding.rule < 0 else finding.rule,
            )
            for finding in decision.findings
        ]
        if explain
        else [],
    )
