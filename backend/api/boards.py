"""The ethics board's work on studies: files, questions, recusals, conditions, signatures, suspension.

The board sees everything it permitted. Decisions are signed typed data, M of N, and take effect on the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from backend.api.limits import Limited, Spending
from backend.api.schemas import Body, Hex32, HexSignature, Moment, bytes32, moment, seconds
from backend.api.security import Caller, needs
from backend.api.studies import (
    ConditionView,
    DifferenceView,
    DocumentView,
    QuestionView,
    StudyView,
    condition_views,
    difference_view,
    document_views,
    person,
    question_views,
    study_id,
    study_view,
)
from backend.consent.typed_data import typed_data
from backend.identity.roles import Scope
from backend.research.board.reasons import Fit, fits
from backend.research.board.service import EthicsBoard
from backend.research.board.types import Case, Decision, Motion, MotionKind, Recusal, Seat, Signed
from backend.research.study import State, Study
from backend.research.study_terms import Condition
from backend.types import MemberId, UnixSeconds, to_hex

router = APIRouter(prefix="/v1/board", tags=["ethics board"])
Member = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE))]
Secretary = Annotated[Caller, Depends(needs(Scope.STUDY_PREPARE))]
Board = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE, Scope.STUDY_PREPARE))]
Text = Annotated[str, Field(min_length=1, max_length=2000)]


class SeatView(BaseModel):
    member_id: str
    account: str
    name: str


class BoardView(BaseModel):
    threshold: int = Field(description="how many members a decision takes")
    members: list[SeatView]


class PreparationBody(Body):
    reviewers: Annotated[list[Hex32], Field(min_length=1, max_length=50)]
    decide_by: Moment = Field(description="within 60 days")
    remarks: str = Field(default="", max_length=2000)


class TextBody(Body):
    text: Text


class ReasonBody(Body):
    reason: Text


class ConditionBody(Body):
    text: Text
    due: Moment | None = None


class ConditionsBody(Body):
    conditions: Annotated[list[ConditionBody], Field(max_length=20)]


class SignatureBody(Body):
    """A member's signature of the draft, unchanged."""

    signature: HexSignature
    submit_by: int | None = Field(default=None, ge=0, lt=2**40, description="of a permit, as in the draft")
    reason: str = Field(
        default="", max_length=2000, description="of a refusal or revocation, by the first who signs"
    )


class SuspensionBody(Body):
    """One member's signature of the draft, unchanged."""

    signature: HexSignature
    round: int = Field(ge=0, lt=2**32, description="as in the draft")
    reason: Text


class DraftView(BaseModel):
    typed_data: dict[str, Any]


class MotionDraftView(DraftView):
    number: int
    reason: str
    signed_by: list[SeatView]
    threshold: int


class PreparationView(BaseModel):
    reviewers: list[str]
    decide_by: datetime | None
    remarks: str
    prepared_at: datetime | None


class RecusalView(BaseModel):
    member_id: str
    name: str
    reason: str
    recused_at: datetime | None


class MotionView(BaseModel):
    kind: str
    number: int
    reason: str
    signed_by: list[SeatView]


class DecisionView(BaseModel):
    kind: str = Field(description="permit, refuse, suspend, resume or revoke")
    number: int
    reason: str
    conditions: list[ConditionView]
    signed_by: list[SeatView]
    recused: list[RecusalView]
    threshold: int
    decided_at: datetime | None
    block: int | None = Field(description="null: on its way to the chain")
    transaction: str | None


class ChainView(BaseModel):
    """What the chain has at its head."""

    rules: str
    not_before: datetime | None
    not_after: datetime | None
    revoked: bool
    suspended: bool
    round: int


class RunView(BaseModel):
    run: str
    result: str
    table: str | None = Field(description="digest of the released table")
    at: datetime | None


class UsageView(BaseModel):
    epsilon_spent: str
    epsilon_limit: str
    runs: list[RunView]
    releases: int


class FitView(BaseModel):
    """Whether consents with this DUO term allow the study, so far as the term goes."""

    term: str
    label: str
    kind: str = Field(description="permission: one of a consent's must fit; modifier: all must")
    fits: bool
    reason: str


class VersionView(BaseModel):
    study_id: str
    title: str
    state: str
    epsilon_spent: str


class FileView(BaseModel):
    """The file of a study."""

    study: StudyView
    difference: DifferenceView
    versions_before: list[VersionView] = Field(description="newest first; each has a budget of its own")
    consents: list[FitView] = Field(description="which kinds of consent fit the study's DUO terms, and why")
    rules: str = Field(description="what a permit signed now is for: the proposal with these conditions")
    documents: list[DocumentView]
    complete: bool
    preparation: PreparationView | None
    conditions: list[ConditionView]
    questions: list[QuestionView]
    recusals: list[RecusalView]
    motions: list[MotionView]
    decisions: list[DecisionView]
    threshold: int
    chain: ChainView | None
    usage: UsageView


class RowView(BaseModel):
    """A study in the board's list."""

    study_id: str
    title: str
    state: str
    amends: str | None
    decide_by: datetime | None
    permit_ends: datetime | None
    overdue: int = Field(description="conditions past their date that are not met")
    open_questions: int
    epsilon_spent: str
    epsilon_limit: str
    runs: int
    releases: int


@router.get("/members", response_model=BoardView)
def list_board(caller: Board) -> BoardView:
    """Who sits on the board now, and how many a decision takes."""
    board = caller.services.board
    return BoardView(
        threshold=board.decisions.threshold, members=[_seat_view(seat) for seat in board.roll.seats()]
    )


@router.get("/studies", response_model=list[RowView])
def list_files(
    caller: Board,
    state: State | None = None,
    after: Hex32 | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[RowView]:
    """All studies in order of id, with what became of those that were permitted."""
    services = caller.services
    found = services.studies.page(state=state, after=None if after is None else study_id(after), limit=limit)
    return [_row(study, services.board, services.clock()) for study in found]


@router.get("/studies/{study}", response_model=FileView)
def get_file(study: Hex32, caller: Board) -> FileView:
    """The whole file of a study."""
    return _file(study, caller)


@router.post("/studies/{study}/preparation", response_model=FileView)
def prepare(study: Hex32, body: PreparationBody, caller: Secretary) -> FileView:
    """Find the file complete, name who reviews it, and by when the board should decide."""
    services, principal = caller
    services.board.preparation.prepare(
        services.studies.get(study_id(study)),
        reviewers=[MemberId(bytes32(member)) for member in body.reviewers],
        decide_by=seconds(body.decide_by),
        remarks=body.remarks,
        by=person(principal),
    )
    return _file(study, caller)


@router.put("/studies/{study}/conditions", response_model=FileView)
def set_conditions(study: Hex32, body: ConditionsBody, caller: Board) -> FileView:
    """Write the conditions of the permit. They are signed with it: what was signed without them is void."""
    services, principal = caller
    services.board.preparation.set_conditions(
        services.studies.get(study_id(study)),
        tuple(
            Condition(item.text.strip(), None if item.due is None else seconds(item.due))
            for item in body.conditions
        ),
        by=person(principal),
    )
    return _file(study, caller)


@router.post("/studies/{study}/conditions/{condition}/met", response_model=FileView)
def mark_met(study: Hex32, condition: int, caller: Secretary) -> FileView:
    """Say that a condition of the permit is fulfilled."""
    services, principal = caller
    services.board.preparation.mark_met(
        services.studies.get(study_id(study)), condition, by=person(principal)
    )
    return _file(study, caller)


@router.post("/studies/{study}/questions", response_model=FileView)
def ask(study: Hex32, body: TextBody, caller: Board) -> FileView:
    """Ask the researcher. The permit waits for the answer."""
    services, principal = caller
    services.board.preparation.ask(services.studies.get(study_id(study)), body.text, by=person(principal))
    return _file(study, caller)


@router.post("/studies/{study}/recusals", response_model=FileView)
def recuse(study: Hex32, body: ReasonBody, caller: Member) -> FileView:
    """Take no part in decisions on this study, and say why."""
    services, principal = caller
    services.board.preparation.recuse(
        services.studies.get(study_id(study)), body.reason, by=person(principal)
    )
    return _file(study, caller)


@router.get("/studies/{study}/motions/{kind}", response_model=MotionDraftView)
def draft_motion(study: Hex32, kind: MotionKind, caller: Member, spend: Spending) -> MotionDraftView:
    """Get what members sign to permit, refuse, resume or revoke, and who signed already."""
    spend(Limited.DRAFT)
    services, _ = caller
    ballot = services.board.decisions.ballot(services.studies.get(study_id(study)), kind)
    return MotionDraftView(
        typed_data=typed_data(ballot.command, services.board.domain),
        number=ballot.motion.number,
        reason=ballot.motion.reason,
        signed_by=_signers(ballot.motion.signatures),
        threshold=ballot.threshold,
    )


@router.post("/studies/{study}/motions/{kind}", response_model=FileView)
def sign_motion(study: Hex32, kind: MotionKind, body: SignatureBody, caller: Member) -> FileView:
    """Sign. With the last signature that it takes, the decision goes to the chain."""
    services, principal = caller
    services.board.decisions.sign(
        services.studies.get(study_id(study)),
        kind,
        bytes.fromhex(body.signature[2:]),
        submit_by=None if body.submit_by is None else UnixSeconds(body.submit_by),
        reason=body.reason,
        by=person(principal),
    )
    return _file(study, caller)


@router.get("/studies/{study}/suspension", response_model=DraftView)
def draft_suspension(study: Hex32, caller: Member, spend: Spending) -> DraftView:
    """Get what one member signs to suspend a study."""
    spend(Limited.DRAFT)
    services, _ = caller
    command = services.board.suspensions.draft(services.studies.get(study_id(study)))
    return DraftView(typed_data=typed_data(command, services.board.domain))


@router.post("/studies/{study}/suspension", response_model=FileView)
def suspend(study: Hex32, body: SuspensionBody, caller: Member) -> FileView:
    """Suspend a study, as one member. In force when this answers: what runs releases nothing."""
    services, principal = caller
    services.board.suspensions.suspend(
        services.studies.get(study_id(study)),
        body.round,
        bytes.fromhex(body.signature[2:]),
        reason=body.reason,
        by=person(principal),
    )
    return _file(study, caller)


@router.post("/studies/{study}/closing", response_model=FileView)
def close_file(study: Hex32, body: ReasonBody, caller: Secretary) -> FileView:
    """Close a study for good, such as one whose work is done. Nothing of it runs any more."""
    services, principal = caller
    services.board.close(services.studies.get(study_id(study)), reason=body.reason, by=person(principal))
    return _file(study, caller)


def _file(study: str, caller: Caller) -> FileView:
    services = caller.services
    board, found = services.board, services.studies.get(study_id(study))
    case = board.book.get(found.study_id)
    decided = found.state is not State.PROPOSED
    conditions = found.conditions if decided else case.conditions
    return FileView(
        study=study_view(found),
        difference=difference_view(found, services.studies),
        versions_before=[_version_view(each, board) for each in services.studies.versions_before(found)],
        consents=[_fit_view(fit) for fit in fits(found.proposal)],
        rules=to_hex(found.rules if decided else board.rules(found, case)),
        documents=document_views(found, board),
        complete=not board.documents.missing(found),
        preparation=_preparation(case),
        conditions=condition_views(conditions, case, services.clock()),
        questions=question_views(case),
        recusals=_recusals(case.recusals),
        motions=[_motion_view(motion) for motion in case.motions],
        decisions=[_decision_view(decision) for decision in case.decisions],
        threshold=board.decisions.threshold,
        chain=_chain(found, board),
        usage=_usage(found, board),
    )


def _row(study: Study, board: EthicsBoard, now: int) -> RowView:
    case, usage = board.book.get(study.study_id), board.usage.of(study)
    prepared = case.preparation
    return RowView(
        study_id=to_hex(study.study_id),
        title=study.proposal.title,
        state=study.state.value,
        amends=None if study.proposal.amends is None else to_hex(study.proposal.amends),
        decide_by=None if prepared is None else moment(prepared.decide_by),
        permit_ends=moment(study.proposal.not_after) if study.state.may_go_on else None,
        overdue=sum(view.overdue for view in condition_views(study.conditions, case, now)),
        open_questions=len(case.open_questions),
        epsilon_spent=usage.epsilon_spent,
        epsilon_limit=usage.epsilon_limit,
        runs=len(usage.runs),
        releases=usage.releases,
    )


def _version_view(study: Study, board: EthicsBoard) -> VersionView:
    return VersionView(
        study_id=to_hex(study.study_id),
        title=study.proposal.title,
        state=study.state.value,
        epsilon_spent=board.usage.of(study).epsilon_spent,
    )


def _fit_view(fit: Fit) -> FitView:
    return FitView(
        term=fit.term,
        label=fit.label,
        kind="permission" if fit.is_permission else "modifier",
        fits=fit.fits,
        reason=fit.reason,
    )


def _usage(study: Study, board: EthicsBoard) -> UsageView:
    usage = board.usage.of(study)
    return UsageView(
        epsilon_spent=usage.epsilon_spent,
        epsilon_limit=usage.epsilon_limit,
        runs=[
            RunView(
                run=to_hex(run.run_id),
                result=to_hex(run.result),
                table=to_hex(run.table) if run.table else None,
                at=moment(run.at),
            )
            for run in usage.runs
        ],
        releases=usage.releases,
    )


def _chain(study: Study, board: EthicsBoard) -> ChainView | None:
    state = board.ledger.state(study.study_id)
    if not state.not_after and not state.revoked_at:
        return None
    return ChainView(
        rules=to_hex(state.rules),
        not_before=moment(state.not_before),
        not_after=moment(state.not_after),
        revoked=bool(state.revoked_at),
        suspended=state.suspended,
        round=state.round,
    )


def _preparation(case: Case) -> PreparationView | None:
    prepared = case.preparation
    if prepared is None:
        return None
    return PreparationView(
        reviewers=[to_hex(member) for member in prepared.reviewers],
        decide_by=moment(prepared.decide_by),
        remarks=prepared.remarks,
        prepared_at=moment(prepared.at),
    )


def _recusals(found: Sequence[Recusal]) -> list[RecusalView]:
    return [
        RecusalView(
            member_id=to_hex(item.member), name=item.name, reason=item.reason, recused_at=moment(item.at)
        )
        for item in found
    ]


def _motion_view(motion: Motion) -> MotionView:
    return MotionView(
        kind=motion.kind.value,
        number=motion.number,
        reason=motion.reason,
        signed_by=_signers(motion.signatures),
    )


def _decision_view(decision: Decision) -> DecisionView:
    return DecisionView(
        kind=decision.kind,
        number=decision.number,
        reason=decision.reason,
        conditions=[ConditionView(text=item.text, due=_due(item)) for item in decision.conditions],
        signed_by=_signers(decision.signed),
        recused=_recusals(decision.recused),
        threshold=decision.threshold,
        decided_at=moment(decision.at),
        block=decision.block,
        transaction=None if decision.transaction is None else to_hex(decision.transaction),
    )


def _due(condition: Condition) -> datetime | None:
    return None if condition.due is None else moment(condition.due)


def _signers(signed: Sequence[Signed]) -> list[SeatView]:
    return [SeatView(member_id=to_hex(each.member), account=each.account, name=each.name) for each in signed]


def _seat_view(seat: Seat) -> SeatView:
    return SeatView(member_id=to_hex(seat.member), account=seat.account, name=seat.name)
