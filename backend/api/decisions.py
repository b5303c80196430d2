"""Asking whether something would be permitted, without releasing anything."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.acting import acting_of
from backend.api.metrics import DECISIONS
from backend.api.prompt import prompt
from backend.api.schemas import (
    BEGINNING,
    AccountText,
    Body,
    Code,
    Codes,
    Hex32,
    HexSubject,
    Moment,
    account,
    bytes32,
    seconds,
    subject_id,
)
from backend.api.security import Caller, agent_of, needs
from backend.audit import codes
from backend.audit.entry import Action, AuditEvent, Group
from backend.consent import wording
from backend.consent.basis import basis_of
from backend.consent.care_teams import Acting, CareTeams
from backend.consent.deciding import Question
from backend.consent.decision import decide_many
from backend.consent.decision_types import (
    Answer,
    Decision,
    DecisionInput,
    Finding,
    Reason,
    Requester,
    Segment,
)
from backend.consent.errors import ConsentRequired
from backend.consent.explaining import ConsentExplained, explain
from backend.consent.tables import Tables
from backend.errors import InvalidInput, NotPermitted
from backend.identity.roles import Scope
from backend.records.trail import groups_through, outcome_of
from backend.types import MemberId, SubjectId, to_hex
from backend.waiting import about_to_wait

router = APIRouter(prefix="/v1", tags=["decisions"])

_COARSE_REASONS = {
    Answer.PERMIT: Reason.PERMITTED.value,
    Answer.DENY: ConsentRequired.code,
    Answer.UNAVAILABLE: Reason.LEDGER_UNAVAILABLE.value,
}


class RequesterBody(Body):
    """Who would ask: a member with the groups it acts for, or the account of a delegate."""

    member: Hex32 | None = None
    organisations: Annotated[
        list[Hex32], Field(max_length=16, description="organisations, and care teams as if it were in them")
    ] = []
    account: AccountText | None = None

    def requester(self, care_teams: CareTeams) -> Requester:
        """Return whom it is about. Ids of care teams are taken as teams, each with its organisation."""
        asked = Requester(
            actor=MemberId(bytes32(self.member)) if self.member else None,
            organisations=tuple(MemberId(bytes32(member)) for member in self.organisations),
            account=account(self.account, field="requester.account") if self.account else None,
        )
        return care_teams.as_asked(asked)


class DecisionBody(Body):
    """About data of one category or more, as if it existed. Name a patient by reference or by subject."""

    patient_ref: str | None = Field(default=None, max_length=256)
    subject: HexSubject | None = None
    requester: RequesterBody | None = Field(
        default=None, description="whose question; others than the caller for the patient and reviewers only"
    )
    purpose: Code
    action: Code = "access"
    categories: Codes = Field(min_length=1)
    sensitivities: Codes = []
    data_from: Moment | None = None
    data_to: Moment | None = None
    fulfils: Codes = Field(default=[], description="obligations that the requester can carry out")


class FindingView(BaseModel):
    consent_id: str
    reason: str
    rule: int | None


class RuleExplainedView(BaseModel):
    """One rule. ``against``: in what it is not about what is asked; it applies where that is empty."""

    rule: int
    effect: str
    rank: int = Field(description="the five bits reference, sensitivity, category, purpose, actor")
    applies: bool
    decides: bool
    against: list[str]
    text: str


class ConsentExplainedView(BaseModel):
    """One consent: whether it counts now, and in what it is not about what is asked."""

    consent_id: str
    kind: str
    reason: str | None = Field(description="None where no consent needed to be looked at")
    permission_counts: bool | None
    restriction_counts: bool | None
    against: list[str]
    rules: list[RuleExplainedView]
    text: str


class DecisionView(BaseModel):
    """The patient, the custodian's privacy officer and the auditor get everything. A requester gets the
    answer and one coarse reason, which do not tell what exists or what the patient decided."""

    answer: str = Field(description="permit, deny or unavailable; no_consent for those who get everything")
    obligations: list[str]
    final_block: int | None
    head_block: int | None
    queue_position: int
    tables: str = Field(description="digest of the code and label tables used, as GET /v1/tables has it")
    reasons: list[str] = []
    findings: list[FindingView] = []
    consents: list[str] = Field(default=[], description="those that settled it")
    sentence: str | None = Field(default=None, description="the decision in plain English")
    explanation: list[ConsentExplainedView] = []


@router.post("/decisions", response_model=DecisionView)
async def decide(
    body: DecisionBody,
    caller: Annotated[Caller, Depends(needs(Scope.DECISION_EXPLAIN, Scope.DECISION_REVIEW))],
) -> DecisionView:
    """Decide as a read would, and explain it to those who may know. The question is logged, and the patient
    sees it."""
    view, event = await prompt(lambda: _decided(body, caller))
    await caller.services.prompt_log.append(event)
    return view


def _decided(body: DecisionBody, caller: Caller) -> tuple[DecisionView, AuditEvent]:
    """Return the answer, and the entry that is to be durable before it leaves."""
    services, principal = caller
    subject = _subject(body, caller)
    explains = subject in principal.subject_ids or Scope.DECISION_REVIEW in principal.scopes
    if explains:
        about_to_wait()  # an explanation goes through every consent and rule
    tables = services.tables
    acting = _requester(body, caller, explains=explains)
    question = Question(
        subject=subject,
        requester=acting.requester,
        purpose=tables.purposes.mask([body.purpose], field="purpose"),
        action=tables.actions.mask([body.action], field="action"),
        fulfils=tables.obligations.mask(body.fulfils, field="fulfils"),
    )
    segment = Segment(
        categories=tables.categories.mask(body.categories),
        sensitivities=tables.sensitivities.mask(body.sensitivities),
        data_from=seconds(body.data_from, default=BEGINNING),
        data_to=seconds(body.data_to),
    )
    request = services.decisions.gather(question, segment)
    explanation = explain(request) if explains else None  # its time depends on how many consents there are
    decision = decide_many(request, [segment])[0] if explanation is None else explanation.decision
    DECISIONS.labels(decision.answer.value).inc()
    event = _entry(body, caller, request, decision, groups=groups_through(acting.groups, [decision]))
    view = _coarse(decision, tables)
    if explanation is None:
        return view, event
    whole = view.model_copy(
        update={
            "answer": decision.answer.value,
            "reasons": [reason.value for reason in decision.reasons],
            "findings": [_finding(finding) for finding in decision.findings],
            "consents": [to_hex(consent) for consent in decision.consent_ids],
            "sentence": wording.sentence(request, decision, tables),
            "explanation": [_explained(consent) for consent in explanation.consents],
        }
    )
    return whole, event


def _subject(body: DecisionBody, caller: Caller) -> SubjectId:
    if body.patient_ref is not None:
        return caller.services.identity.resolve_patient(caller.principal, body.patient_ref)
    return subject_id(body.subject or "0x0")


def _requester(body: DecisionBody, caller: Caller, *, explains: bool) -> Acting:
    """Return whose question it is. Raises NotPermitted for a requester that asks what another may see."""
    if body.requester is not None:
        if not explains:
            raise NotPermitted("Only the patient and reviewers ask what others may see.")
        return Acting(body.requester.requester(caller.services.care_teams), ())
    if Scope.DECISION_EXPLAIN not in caller.principal.scopes:
        raise InvalidInput("A reviewer names whose question it is.", field="requester")
    return acting_of(caller)


def _entry(
    body: DecisionBody,
    caller: Caller,
    request: DecisionInput,
    decision: Decision,
    *,
    groups: tuple[Group, ...],
) -> AuditEvent:
    services, principal = caller
    about = body.requester and (body.requester.member or body.requester.account)
    return AuditEvent(
        type=codes.DECISION,
        outcome=outcome_of(decision.answer),
        occurred_at_ms=services.clock() * 1000,
        actor=agent_of(principal),
        organisation=principal.member_id,
        groups=groups,
        subject=request.subject,
        purpose=body.purpose,
        action=Action(body.action),
        consents=decision.consent_ids,
        reasons=tuple(reason.value for reason in decision.reasons),
        final_block=decision.final_block,
        head_block=decision.head_block,
        queue_position=decision.queue_position,
        obligations=decision.obligations,
        detail={"tables": bytes.fromhex(decision.tables)} | ({"requester": about.lower()} if about else {}),
        basis=basis_of(request, segment=request.segment),
    )


def _coarse(decision: Decision, tables: Tables) -> DecisionView:
    # 'no_consent' and 'deny' look alike to a requester: the difference tells what the patient decided.
    answer = Answer.DENY if decision.answer is Answer.NO_CONSENT else decision.answer
    return DecisionView(
        answer=answer.value,
        obligations=list(tables.obligations.codes(decision.obligations)),
        final_block=decision.final_block,
        head_block=decision.head_block,
        queue_position=decision.queue_position,
        tables=decision.tables,
        reasons=[_COARSE_REASONS[answer]],
    )


def _finding(finding: Finding) -> FindingView:
    return FindingView(
        consent_id=to_hex(finding.consent_id),
        reason=finding.reason.value,
        rule=None if finding.rule < 0 else finding.rule,
    )


def _explained(consent: ConsentExplained) -> ConsentExplainedView:
    standing = consent.standing
    return ConsentExplainedView(
        consent_id=to_hex(consent.consent_id),
        kind=wording.kind_of(consent),
        reason=None if consent.reason is None else consent.reason.value,
        permission_counts=None if standing is None else standing.permits,
        restriction_counts=None if standing is None else standing.restricts,
        against=[dimension.value for dimension in consent.against],
        rules=[
            RuleExplainedView(
                rule=rule.position,
                effect="permit" if rule.permit else "deny",
                rank=rule.rank,
                applies=rule.applies,
                decides=rule.decides,
                against=[dimension.value for dimension in rule.against],
                text=wording.rule_text(rule),
            )
            for rule in consent.rules
        ],
        text=wording.why(consent),
    )
