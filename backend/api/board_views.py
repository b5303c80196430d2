"""What the routes of the ethics board answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from backend.api.proposals import study_id
from backend.api.schemas import moment
from backend.api.security import Caller
from backend.api.study_views import (
    ConditionView,
    DifferenceView,
    DocumentView,
    StudyQuestionView,
    StudyView,
    condition_views,
    difference_view,
    document_views,
    question_views,
    study_view,
)
from backend.research.board.reasons import Fit, fits
from backend.research.board.service import EthicsBoard
from backend.research.board.types import Case, Decision, Motion, Recusal, Seat, Signed
from backend.research.study import State, Study
from backend.research.study_terms import Condition
from backend.types import to_hex


class SeatView(BaseModel):
    member_id: str
    account: str
    name: str


class BoardView(BaseModel):
    threshold: int = Field(description="how many members a decision takes")
    members: list[SeatView]


class SuspensionDraftView(BaseModel):
    typed_data: dict[str, Any]


class MotionDraftView(SuspensionDraftView):
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


class BoardDecisionView(BaseModel):
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


class ReleasedRunView(BaseModel):
    run: str
    result: str
    table: str | None = Field(description="digest of the released table")
    at: datetime | None


class UsageView(BaseModel):
    epsilon_spent: str = Field(description="by this version of the study")
    epsilon_in_all: str = Field(description="by it and all versions before: what the limit is about")
    epsilon_limit: str
    runs: list[ReleasedRunView]
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
    versions_before: list[VersionView] = Field(
        description="newest first; what each spent counts against the limit of this one"
    )
    consents: list[FitView] = Field(description="which kinds of consent fit the study's DUO terms, and why")
    rules: str = Field(description="what a permit signed now is for: the proposal with these conditions")
    documents: list[DocumentView]
    complete: bool
    preparation: PreparationView | None
    conditions: list[ConditionView]
    questions: list[StudyQuestionView]
    recusals: list[RecusalView]
    motions: list[MotionView]
    decisions: list[BoardDecisionView]
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
    complete: bool = Field(description="false while papers that an open proposal names are missing")
    motions: list[MotionView] = Field(description="what waits for signatures, and who signed already")
    recused: list[str] = Field(description="members that take no part in decisions on it")
    overdue: int = Field(description="conditions past their date that are not met")
    open_questions: int
    epsilon_spent: str = Field(description="by this version and all before it")
    epsilon_limit: str
    runs: int
    releases: int


def row_view(study: Study, board: EthicsBoard, now: int) -> RowView:
    case, usage = board.book.get(study.study_id), board.usage.of(study)
    prepared = case.preparation
    return RowView(
        study_id=to_hex(study.study_id),
        title=study.proposal.title,
        state=study.state.value,
        amends=None if study.proposal.amends is None else to_hex(study.proposal.amends),
        decide_by=None if prepared is None else moment(prepared.decide_by),
        permit_ends=moment(study.proposal.not_after) if study.state.may_go_on else None,
        complete=study.state is not State.PROPOSED or not board.documents.missing(study),
        motions=[_motion_view(motion) for motion in case.motions],
        recused=[to_hex(recusal.member) for recusal in case.recusals],
        overdue=sum(view.overdue for view in condition_views(study.conditions, case, now)),
        open_questions=len(case.open_questions),
        epsilon_spent=usage.epsilon_in_all,
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
        epsilon_in_all=usage.epsilon_in_all,
        epsilon_limit=usage.epsilon_limit,
        runs=[
            ReleasedRunView(
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
        signed_by=seat_views(motion.signatures),
    )


def _decision_view(decision: Decision) -> BoardDecisionView:
    return BoardDecisionView(
        kind=decision.kind,
        number=decision.number,
        reason=decision.reason,
        conditions=[ConditionView(text=item.text, due=_due(item)) for item in decision.conditions],
        signed_by=seat_views(decision.signed),
        recused=_recusals(decision.recused),
        threshold=decision.threshold,
        decided_at=moment(decision.at),
        block=decision.block,
        transaction=None if decision.transaction is None else to_hex(decision.transaction),
    )


def _due(condition: Condition) -> datetime | None:
    return None if condition.due is None else moment(condition.due)


def seat_views(signed: Sequence[Signed]) -> list[SeatView]:
    return [SeatView(member_id=to_hex(each.member), account=each.account, name=each.name) for each in signed]


def seat_view(seat: Seat) -> SeatView:
    return SeatView(member_id=to_hex(seat.member), account=seat.account, name=seat.name)


def file_view(study: str, caller: Caller) -> FileView:
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
