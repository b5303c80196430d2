"""Research: proposed, permitted by an ethics board on the chain, run over those who consent then."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from backend.api.idempotent import Key, attempt
from backend.api.limits import Limited, Spending
from backend.api.schemas import (
    Body,
    Code,
    Hex32,
    HexSignature,
    HexSubject,
    Moment,
    bytes32,
    seconds,
    subject_id,
)
from backend.api.security import Caller, agent_of, needs, requesting_member, require_party
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.consent.typed_data import RESEARCH_NAME, Domain, typed_data
from backend.errors import NotFound, NotPermitted
from backend.identity.principal import Principal
from backend.identity.roles import Role as Position
from backend.identity.roles import Scope
from backend.research.errors import StudyNotFound
from backend.research.outputs import Count, Filter, Histogram, Output, Table
from backend.research.permit_data import SUBMIT_WITHIN_SECONDS, permit_for
from backend.research.study import Event, Proposal, Study
from backend.research.types import StudyId
from backend.research.variables import Kind, Role, Variable
from backend.types import UnixSeconds, to_hex

router = APIRouter(prefix="/v1/studies", tags=["research"])
Proposing = Annotated[Caller, Depends(needs(Scope.STUDY_PROPOSE))]
Approving = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE))]
Running = Annotated[Caller, Depends(needs(Scope.STUDY_RUN))]
Seeing = Annotated[Caller, Depends(needs(Scope.STUDY_READ))]


class VariableBody(Body):
    """One column: its kind, and the public domain its values are put into."""

    name: str = Field(max_length=40)
    kind: Kind
    role: Role = Role.SENSITIVE
    system: str = Field(default="", max_length=200)
    code: str = Field(default="", max_length=40)
    unit: str = Field(default="", max_length=40)
    edges: Annotated[list[str], Field(max_length=1100)] = []
    levels: Annotated[list[str], Field(max_length=300)] = []
    reference_date: str = Field(default="", max_length=10)
    active_only: bool = False


class FilterBody(Body):
    variable: str = Field(max_length=40)
    levels: Annotated[list[str], Field(min_length=1, max_length=1100)]


class OutputBody(Body):
    """A count, a histogram of ``variable``, or a k-anonymous table of ``variables``."""

    kind: Literal["count", "histogram", "table"]
    name: str = Field(max_length=40)
    variable: str = Field(default="", max_length=40)
    variables: Annotated[list[str], Field(max_length=40)] = []
    where: Annotated[list[FilterBody], Field(max_length=8)] = []
    k: int = Field(default=5, ge=5, le=1000)


class ProposalBody(Body):
    title: str = Field(min_length=1, max_length=300)
    purpose: Code = "HRESCH"
    duo: Annotated[list[str], Field(max_length=32)] = []
    variables: Annotated[list[VariableBody], Field(min_length=1, max_length=40)]
    outputs: Annotated[list[OutputBody], Field(min_length=1, max_length=40)]
    not_before: Moment
    not_after: Moment
    epsilon: float = Field(gt=0, le=10, description="privacy loss of the whole study")
    runs: int = Field(default=1, ge=1, le=366)
    minimum_cohort: int = Field(default=5, ge=5, le=1_000_000)


class StudyView(BaseModel):
    study_id: str
    state: str
    reason: str
    proposal: dict[str, Any]
    expected_errors: dict[str, int] | None = Field(
        default=None, description="95 % error of each answer, told when the study is proposed"
    )


class PermitDraft(BaseModel):
    typed_data: dict[str, Any]


class ApprovalBody(Body):
    """The board member's signature over the permit draft, unchanged."""

    submit_by: int = Field(ge=0, lt=2**40)
    signature: HexSignature


class RefusalBody(Body):
    reason: str = Field(min_length=1, max_length=2000)


class UseView(BaseModel):
    study_id: str
    title: str
    used_at: int = Field(description="unix seconds")


@router.post("", status_code=201, response_model=StudyView)
def propose(body: ProposalBody, caller: Proposing, idempotency_key: Key = None) -> StudyView:
    """Propose a study. The answer tells what error to expect before anything is spent."""
    services, principal = caller
    with attempt(caller, "studies", idempotency_key, body) as act:
        study, plan = services.studies.propose(
            Proposal(
                researcher=requesting_member(principal),
                title=body.title,
                purpose=body.purpose,
                duo=tuple(body.duo),
                variables=tuple(_variable(variable) for variable in body.variables),
                outputs=tuple(_output(output) for output in body.outputs),
                not_before=seconds(body.not_before),
                not_after=seconds(body.not_after),
                epsilon=round(body.epsilon * 1_000_000),
                runs=body.runs,
                minimum_cohort=body.minimum_cohort,
                salt=act.draw("salt"),
            )
        )
        if not act.finished:
            _log(caller, codes.STUDY_PROPOSED, study)
    errors = {question.name: question.expected_error for question in plan.questions}
    return _view(study).model_copy(update={"expected_errors": errors})


@router.get("", response_model=list[StudyView])
def list_studies(caller: Seeing, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> list[StudyView]:
    """Studies you may see: your own as a researcher, all as a board."""
    services, principal = caller
    board = Position.ETHICS_BOARD in principal.roles
    if not board and principal.member_id is None:
        return []
    return [
        _view(study)
        for study in services.studies.page(researcher=None if board else principal.member_id, limit=limit)
    ]


@router.get("/uses", response_model=list[UseView])
def list_uses(
    caller: Annotated[Caller, Depends(needs(Scope.ACCESS_LOG_OWN))], subject: HexSubject
) -> list[UseView]:
    """Which studies used a patient's data, for the patient. Newest first."""
    services, principal = caller
    wanted = subject_id(subject)
    require_party(principal, subject=wanted, member=None)
    return [
        UseView(study_id=to_hex(study.study_id), title=study.proposal.title, used_at=used_at)
        for study, used_at in services.studies.uses_of(wanted)
    ]


@router.get("/{study}/permit-draft", response_model=PermitDraft)
def draft_permit(study: Hex32, caller: Approving, spend: Spending) -> PermitDraft:
    """Get the permit to sign with the board member's wallet."""
    spend(Limited.DRAFT)
    services, _ = caller
    submit_by = UnixSeconds(services.clock() + SUBMIT_WITHIN_SECONDS)
    permit = permit_for(services.studies.get(_study_id(study)), submit_by=submit_by)
    return PermitDraft(
        typed_data=typed_data(
            permit, Domain(services.domain.chain_id, services.research_contract, RESEARCH_NAME)
        )
    )


@router.post("/{study}/approval", response_model=StudyView)
def approve(study: Hex32, body: ApprovalBody, caller: Approving) -> StudyView:
    """Record the signed permit on the chain and approve the study."""
    services, principal = caller
    if principal.account is None:
        raise NotPermitted("This board account has no wallet registered to sign with.")
    found = services.studies.get(_study_id(study))
    permit = permit_for(found, submit_by=UnixSeconds(body.submit_by))
    services.permits.record(permit, principal.account, bytes.fromhex(body.signature[2:]))
    approved = services.studies.approve(found.study_id)
    _log(caller, codes.STUDY_APPROVED, approved)
    return _view(approved)


@router.post("/{study}/refusal", response_model=StudyView)
def refuse(study: Hex32, body: RefusalBody, caller: Approving) -> StudyView:
    """Refuse a proposal, with the reason."""
    services, _ = caller
    refused = services.studies.change(_study_id(study), Event.REFUSE, reason=body.reason)
    _log(caller, codes.STUDY_APPROVED, refused, outcome=Outcome.DENIED)
    return _view(refused)


@router.post("/{study}/runs")
def run(study: Hex32, caller: Running) -> dict[str, Any]:
    """Run an approved study over those whose consent is live now. An unchanged cohort costs nothing."""
    services, principal = caller
    found = _own(services.studies.get(_study_id(study)), principal)
    candidates = services.candidates.of(
        found, agent=agent_of(principal), researcher=requesting_member(principal)
    )
    result = services.runner.run(found, candidates)
    _log(caller, codes.STUDY_RUN, found, detail={"result": result.digest})
    return {**result.as_json(), "digest": to_hex(result.digest)}


def _own(study: Study, principal: Principal) -> Study:
    if study.proposal.researcher != principal.member_id:
        raise StudyNotFound
    return study


def _study_id(text: str) -> StudyId:
    return StudyId(bytes32(text))


def _variable(body: VariableBody) -> Variable:
    return Variable(**{**body.model_dump(), "edges": tuple(body.edges), "levels": tuple(body.levels)})


def _output(body: OutputBody) -> Output:
    where = tuple(Filter(item.variable, tuple(item.levels)) for item in body.where)
    match body.kind:
        case "count":
            return Count(body.name, where)
        case "histogram":
            return Histogram(body.name, body.variable, where)
        case "table":
            return Table(body.name, tuple(body.variables), body.k)
    raise NotFound


def _view(study: Study) -> StudyView:
    return StudyView(
        study_id=to_hex(study.study_id),
        state=study.state.value,
        reason=study.reason,
        proposal=study.proposal.as_json(),
    )


def _log(
    caller: Caller,
    code: str,
    study: Study,
    *,
    outcome: Outcome = Outcome.CHANGED,
    detail: dict[str, bytes] | None = None,
) -> None:
    caller.services.audit.append(
        AuditEvent(
            type=code,
            outcome=outcome,
            occurred_at_ms=caller.services.clock() * 1000,
            actor=agent_of(caller.principal),
            organisation=caller.principal.member_id,
            purpose=study.proposal.purpose,
            detail={"study": bytes(study.study_id), **(detail or {})},
        )
    )
