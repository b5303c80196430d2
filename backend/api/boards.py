"""The ethics board's work on studies: files, questions, recusals, conditions, signatures, suspension.

The board sees everything it permitted. Decisions are signed typed data, M of N, and take effect on the chain.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from backend.api.board_views import (
    BoardView,
    FileView,
    MotionDraftView,
    RowView,
    SuspensionDraftView,
    file_view,
    row_view,
    seat_view,
    seat_views,
)
from backend.api.limits import Limited, Spending
from backend.api.proposals import study_id
from backend.api.schemas import Body, Hex32, HexSignature, Moment, bytes32, seconds
from backend.api.security import Caller, needs
from backend.api.studies import person
from backend.consent.typed_data import typed_data
from backend.identity.roles import Scope
from backend.research.board.types import MotionKind
from backend.research.study import State
from backend.research.study_terms import Condition
from backend.types import MemberId, UnixSeconds

router = APIRouter(prefix="/v1/board", tags=["ethics board"])
Member = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE))]
Secretary = Annotated[Caller, Depends(needs(Scope.STUDY_PREPARE))]
Board = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE, Scope.STUDY_PREPARE))]
Text = Annotated[str, Field(min_length=1, max_length=2000)]


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


@router.get("/members", response_model=BoardView)
def list_board(caller: Board) -> BoardView:
    """Who sits on the board now, and how many a decision takes."""
    board = caller.services.board
    return BoardView(
        threshold=board.decisions.threshold, members=[seat_view(seat) for seat in board.roll.seats()]
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
    return [row_view(study, services.board, services.clock()) for study in found]


@router.get("/studies/{study}", response_model=FileView)
def get_file(study: Hex32, caller: Board) -> FileView:
    """The whole file of a study."""
    return file_view(study, caller)


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
    return file_view(study, caller)


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
    return file_view(study, caller)


@router.post("/studies/{study}/conditions/{condition}/met", response_model=FileView)
def mark_met(study: Hex32, condition: int, caller: Secretary) -> FileView:
    """Say that a condition of the permit is fulfilled."""
    services, principal = caller
    services.board.preparation.mark_met(
        services.studies.get(study_id(study)), condition, by=person(principal)
    )
    return file_view(study, caller)


@router.post("/studies/{study}/questions", response_model=FileView)
def ask(study: Hex32, body: TextBody, caller: Board) -> FileView:
    """Ask the researcher. The permit waits for the answer."""
    services, principal = caller
    services.board.preparation.ask(services.studies.get(study_id(study)), body.text, by=person(principal))
    return file_view(study, caller)


@router.post("/studies/{study}/recusals", response_model=FileView)
def recuse(study: Hex32, body: ReasonBody, caller: Member) -> FileView:
    """Take no part in decisions on this study, and say why."""
    services, principal = caller
    services.board.preparation.recuse(
        services.studies.get(study_id(study)), body.reason, by=person(principal)
    )
    return file_view(study, caller)


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
        signed_by=seat_views(ballot.motion.signatures),
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
    return file_view(study, caller)


@router.get("/studies/{study}/suspension", response_model=SuspensionDraftView)
def draft_suspension(study: Hex32, caller: Member, spend: Spending) -> SuspensionDraftView:
    """Get what one member signs to suspend a study."""
    spend(Limited.DRAFT)
    services, _ = caller
    command = services.board.suspensions.draft(services.studies.get(study_id(study)))
    return SuspensionDraftView(typed_data=typed_data(command, services.board.domain))


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
    return file_view(study, caller)


@router.post("/studies/{study}/closing", response_model=FileView)
def close_file(study: Hex32, body: ReasonBody, caller: Secretary) -> FileView:
    """Close a study for good, such as one whose work is done. Nothing of it runs any more."""
    services, principal = caller
    services.board.close(services.studies.get(study_id(study)), reason=body.reason, by=person(principal))
    return file_view(study, caller)
