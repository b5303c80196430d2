"""Research: proposed, permitted by an ethics board on the chain, run over those who consent then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from backend.api.idempotent import Key, attempt
from backend.api.limits import Limited, Spending
from backend.api.proposals import (
    ProposalBody,
    proposal_of,
    study_id,
)
from backend.api.schemas import (
    Body,
    Hex32,
    HexSignature,
    HexSubject,
    bytes32,
    subject_id,
)
from backend.api.security import Caller, agent_of, needs, requesting_member, require_party
from backend.api.study_views import (
    DifferenceView,
    DocumentView,
    StudyQuestionView,
    StudyView,
    difference_view,
    document_views,
    price_views,
    question_views,
    study_view,
)
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.consent.typed_data import typed_data
from backend.errors import TooLarge
from backend.identity.principal import Principal
from backend.identity.roles import Role as Position
from backend.identity.roles import Scope
from backend.research.board.documents import MAX_DOCUMENT_BYTES
from backend.research.board.types import MotionKind, Person
from backend.research.errors import StudyNotFound
from backend.research.study import Study
from backend.research.study_terms import (
    MEDIA_TYPES,
)
from backend.types import UnixSeconds, to_hex

router = APIRouter(prefix="/v1/studies", tags=["research"])
Proposing = Annotated[Caller, Depends(needs(Scope.STUDY_PROPOSE))]
Approving = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE))]
Seeing = Annotated[Caller, Depends(needs(Scope.STUDY_READ))]


class AnswerBody(Body):
    text: str = Field(min_length=1, max_length=2000)


class ClosingBody(Body):
    reason: str = Field(min_length=1, max_length=2000)


class PermitDraft(BaseModel):
    typed_data: dict[str, Any]


class ApprovalBody(Body):
    """The board member's signature over the permit draft, unchanged."""

    submit_by: int = Field(ge=0, lt=2**40)
    signature: HexSignature


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
            proposal_of(body, services, researcher=requesting_member(principal), salt=act.draw("salt"))
        )
        if not act.finished:
            _log(caller, codes.STUDY_PROPOSED, study)
    errors = {question.name: question.expected_error for question in plan.questions}
    prices = price_views(plan, services.privacy_budget.policy.delta_exponent)
    return study_view(study).model_copy(update={"expected_errors": errors, "prices": prices})


@router.get("", response_model=list[StudyView])
def list_studies(caller: Seeing, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> list[StudyView]:
    """Studies you may see: your own as a researcher, all as a board."""
    services, principal = caller
    board = _is_board(principal)
    if not board and principal.member_id is None:
        return []
    return [
        study_view(study)
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


@router.get("/{study}", response_model=StudyView)
def get_study(study: Hex32, caller: Seeing) -> StudyView:
    """One study, of your own or as the board."""
    return study_view(_visible(study, caller))


@router.get("/{study}/documents", response_model=list[DocumentView])
def list_documents(study: Hex32, caller: Seeing) -> list[DocumentView]:
    """The papers that the proposal names, and which of them are there."""
    return document_views(_visible(study, caller), caller.services.board)


@router.put(
    "/{study}/documents",
    status_code=201,
    response_model=DocumentView,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in MEDIA_TYPES
            },
        }
    },
)
async def bring_document(study: Hex32, request: Request, caller: Proposing) -> DocumentView:
    """Upload a paper that the proposal names: its bytes, at most 8 MiB. It is told by its SHA-256.

    Kept encrypted; the board and you can read it, and every reading is logged. The same again is harmless.
    """
    services, principal = caller
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_DOCUMENT_BYTES:
        raise TooLarge
    content = await request.body()

    def bring() -> DocumentView:
        found = _own(services.studies.get(study_id(study)), principal)
        document = services.board.documents.bring(found, content, by=agent_of(principal))
        views = document_views(found, services.board)
        return next(view for view in views if view.sha256 == to_hex(document.sha256))

    return await run_in_threadpool(bring)


@router.get("/{study}/documents/{document}", response_class=Response)
def read_document(study: Hex32, document: Hex32, caller: Seeing) -> Response:
    """A paper's bytes, for the board and for who brought it. Who read it is logged."""
    services, principal = caller
    paper, content = services.board.documents.read(
        _visible(study, caller), bytes32(document), by=agent_of(principal)
    )
    return Response(content, media_type=paper.media_type, headers={"Content-Disposition": "attachment"})


@router.get("/{study}/questions", response_model=list[StudyQuestionView])
def list_questions(study: Hex32, caller: Seeing) -> list[StudyQuestionView]:
    """What the board asked, and the answers."""
    found = _visible(study, caller)
    return question_views(caller.services.board.book.get(found.study_id))


@router.post("/{study}/questions/{number}/answer", response_model=list[StudyQuestionView])
def answer_question(
    study: Hex32, number: int, body: AnswerBody, caller: Proposing
) -> list[StudyQuestionView]:
    """Answer the board. An answer stands; what changes the proposal is an amendment."""
    services, principal = caller
    found = _own(services.studies.get(study_id(study)), principal)
    return question_views(services.board.preparation.answer(found, number, body.text, by=person(principal)))


@router.get("/{study}/difference", response_model=DifferenceView)
def get_difference(study: Hex32, caller: Seeing) -> DifferenceView:
    """What a new version changes in the study that it amends."""
    return difference_view(_visible(study, caller), caller.services.studies)


@router.get("/{study}/letter", response_class=Response)
def get_letter(study: Hex32, caller: Seeing) -> Response:
    """The board's decision as a PDF, for the board and the researcher."""
    services, found = caller.services, _visible(study, caller)
    before = next(iter(services.studies.versions_before(found)), None)
    content = services.board.letter(found, before)
    name = f'attachment; filename="decision-{found.study_id.hex()[:16]}.pdf"'
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": name})


@router.get("/{study}/removals", response_model=list[dict[str, Any]])
def list_removals(study: Hex32, caller: Seeing) -> list[dict[str, Any]]:
    """Get the signed receipts of what retention removed of the study's results, for the board and the
    researcher. Each has the proof that the audit log says the same."""
    return caller.services.erasure.results_receipts(_visible(study, caller).study_id)


@router.post("/{study}/closing", response_model=StudyView)
def close(study: Hex32, body: ClosingBody, caller: Proposing) -> StudyView:
    """Withdraw a proposal, or end a study of your own, for good."""
    services, principal = caller
    found = _own(services.studies.get(study_id(study)), principal)
    return study_view(services.board.close(found, reason=body.reason, by=person(principal)))


@router.get("/{study}/permit-draft", response_model=PermitDraft)
def draft_permit(study: Hex32, caller: Approving, spend: Spending) -> PermitDraft:
    """Get the permit to sign with the board member's wallet."""
    spend(Limited.DRAFT)
    services, _ = caller
    ballot = services.board.decisions.ballot(services.studies.get(study_id(study)), MotionKind.PERMIT)
    return PermitDraft(typed_data=typed_data(ballot.command, services.board.domain))


@router.post("/{study}/approval", response_model=StudyView)
def approve(study: Hex32, body: ApprovalBody, caller: Approving) -> StudyView:
    """Sign the permit. With the last signature that it takes, it goes to the chain; the study is approved."""
    services, principal = caller
    found = services.studies.get(study_id(study))
    services.board.decisions.sign(
        found,
        MotionKind.PERMIT,
        bytes.fromhex(body.signature[2:]),
        submit_by=UnixSeconds(body.submit_by),
        by=person(principal),
    )
    return study_view(services.studies.get(found.study_id))


def person(principal: Principal) -> Person:
    return Person(agent_of(principal), principal.account)


def _is_board(principal: Principal) -> bool:
    return not principal.roles.isdisjoint({Position.ETHICS_BOARD, Position.BOARD_SECRETARY})


def _visible(study: str, caller: Caller) -> Study:
    """The study, for the board and for its researcher; for others there is none."""
    found = caller.services.studies.get(study_id(study))
    return found if _is_board(caller.principal) else _own(found, caller.principal)


def _own(study: Study, principal: Principal) -> Study:
    if study.proposal.researcher != principal.member_id:
        raise StudyNotFound
    return study


def _log(
    caller: Caller,
    code: str,
    study: Study,
    *,
    detail: dict[str, bytes] | None = None,
    guard: Callable[[], None] | None = None,
) -> None:
    caller.services.audit.append(
        AuditEvent(
            type=code,
            outcome=Outcome.CHANGED,
            occurred_at_ms=caller.services.clock() * 1000,
            actor=agent_of(caller.principal),
            organisation=caller.principal.member_id,
            purpose=study.proposal.purpose,
            detail={"study": bytes(study.study_id), **(detail or {})},
        ),
        guard=guard,
    )
