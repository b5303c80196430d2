"""Research: proposed, permitted by an ethics board on the chain, run over those who consent then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field, StringConstraints

from backend.api.idempotent import Key, attempt
from backend.api.limits import Limited, Spending
from backend.api.outputs import OutputBody, output_of
from backend.api.schemas import (
    AccountText,
    Body,
    Code,
    Hex32,
    HexSignature,
    HexSubject,
    Moment,
    account,
    bytes32,
    moment,
    seconds,
    subject_id,
)
from backend.api.security import Caller, agent_of, needs, requesting_member, require_party
from backend.api.services import Services
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.consent.typed_data import typed_data
from backend.errors import TooLarge
from backend.identity.principal import Principal
from backend.identity.roles import Role as Position
from backend.identity.roles import Scope
from backend.research.board.difference import differences, version_of
from backend.research.board.documents import MAX_DOCUMENT_BYTES
from backend.research.board.service import EthicsBoard
from backend.research.board.types import Case, MotionKind, Person
from backend.research.errors import StudyInvalid, StudyNotFound
from backend.research.service import StudyService
from backend.research.study import Proposal, Study
from backend.research.study_terms import (
    MEDIA_TYPES,
    Basis,
    Condition,
    Dataset,
    DiversityRule,
    Price,
    ProtocolDocument,
    TableMode,
)
from backend.research.types import StudyId
from backend.research.variables import Kind, Role, Variable
from backend.research.view_variables import Take
from backend.types import MemberId, UnixSeconds, to_hex

router = APIRouter(prefix="/v1/studies", tags=["research"])
Proposing = Annotated[Caller, Depends(needs(Scope.STUDY_PROPOSE))]
Approving = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE))]
Seeing = Annotated[Caller, Depends(needs(Scope.STUDY_READ))]


class SourceBody(Body):
    """A column of a view of the catalogue: rows in which ``where`` holds, and what is taken of them."""

    view: str = Field(max_length=64)
    column: str = Field(max_length=64)
    take: Take
    where: Annotated[dict[str, str], Field(max_length=8)] = {}


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
    source: SourceBody | None = None

    @classmethod
    def of(cls, variable: Variable) -> VariableBody:
        """As a proposal would have it."""
        source = variable.source
        return cls(
            name=variable.name,
            kind=variable.kind,
            role=variable.role,
            system=variable.system,
            code=variable.code,
            unit=variable.unit,
            edges=list(variable.edges),
            levels=list(variable.levels),
            reference_date=variable.reference_date,
            active_only=variable.active_only,
            source=None
            if source is None
            else SourceBody(
                view=source.view, column=source.column, take=source.take, where=dict(source.where)
            ),
        )


class PriceBody(Body):
    """What is offered, in the smallest unit of a token of the chain."""

    token: AccountText
    amount: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,38}$")]
    basis: Basis = Basis.PATIENT


class DocumentBody(Body):
    """A paper that the board reads. Its bytes are uploaded afterwards and must have this digest."""

    name: str = Field(min_length=1, max_length=100)
    media_type: Literal["application/pdf", "text/plain"] = "application/pdf"
    sha256: Hex32


class DatasetBody(Body):
    """The privacy model of the released table, beside its k. Numbers are decimal text."""

    mode: TableMode = TableMode.STRICT
    diversity: DiversityRule = DiversityRule.NONE
    l: str = Field(default="", max_length=10)  # noqa: E741 - the letter the definition uses
    c: str = Field(default="", max_length=10)
    t: str = Field(default="", max_length=10)


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
    price: PriceBody | None = None
    documents: Annotated[list[DocumentBody], Field(max_length=20)] = []
    dataset: DatasetBody | None = None
    amends: Hex32 | None = Field(default=None, description="the study of which this is a new version")


class ConditionView(BaseModel):
    text: str
    due: datetime | None
    met_at: datetime | None = None
    overdue: bool = False


class AnswerPriceView(BaseModel):
    """What one run's answer will cost and how wrong it may be, before anything is spent."""

    name: str
    kind: str
    rho: float = Field(description="zCDP loss; it adds up over answers")
    epsilon: float = Field(description="of this answer alone; epsilon does not add up")
    expected_error: float = Field(description="95 % error to expect")
    of: str = Field(description="of what it is the error")


class StudyView(BaseModel):
    study_id: str
    state: str
    reason: str
    proposal: dict[str, Any]
    conditions: list[ConditionView] = Field(description="of the permit")
    expected_errors: dict[str, int] | None = Field(
        default=None, description="95 % error of each answer's numbers, told when the study is proposed"
    )
    prices: list[AnswerPriceView] | None = Field(
        default=None, description="of the answers of one run, told when the study is proposed"
    )


class DocumentView(BaseModel):
    name: str
    media_type: str
    sha256: str
    stored_at: datetime | None = Field(description="null: not uploaded yet")


class QuestionView(BaseModel):
    number: int
    text: str
    asked_at: datetime | None
    answer: str
    answered_at: datetime | None


class ChangeView(BaseModel):
    member: str
    before: str = Field(description="empty: it is new")
    after: str = Field(description="empty: it is gone")


class DifferenceView(BaseModel):
    version: str = Field(description="first, amendment or renewal (nothing but the period changes)")
    amends: str | None
    changes: list[ChangeView]


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
    exponent = services.privacy_budget.policy.delta_exponent
    prices = [
        AnswerPriceView(
            name=question.name,
            kind=question.figure.kind,
            rho=question.rho / 10**9,
            epsilon=round(question.epsilon(exponent), 6),
            expected_error=question.expected.error,
            of=question.expected.of,
        )
        for question in plan.questions
    ]
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


@router.get("/{study}/questions", response_model=list[QuestionView])
def list_questions(study: Hex32, caller: Seeing) -> list[QuestionView]:
    """What the board asked, and the answers."""
    found = _visible(study, caller)
    return question_views(caller.services.board.book.get(found.study_id))


@router.post("/{study}/questions/{number}/answer", response_model=list[QuestionView])
def answer_question(study: Hex32, number: int, body: AnswerBody, caller: Proposing) -> list[QuestionView]:
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


def study_id(text: str) -> StudyId:
    return StudyId(bytes32(text))


def study_view(study: Study) -> StudyView:
    return StudyView(
        study_id=to_hex(study.study_id),
        state=study.state.value,
        reason=study.reason,
        proposal=study.proposal.as_json(),
        conditions=[ConditionView(text=item.text, due=_due(item)) for item in study.conditions],
    )


def difference_view(study: Study, studies: StudyService) -> DifferenceView:
    amends = study.proposal.amends
    before = None if amends is None else studies.get(amends).proposal
    changes = () if before is None else differences(before, study.proposal)
    return DifferenceView(
        version=version_of(before, study.proposal).value,
        amends=None if amends is None else to_hex(amends),
        changes=[ChangeView(member=item.member, before=item.before, after=item.after) for item in changes],
    )


def condition_views(conditions: Sequence[Condition], case: Case, now: int) -> list[ConditionView]:
    """Conditions with what the secretary found met."""
    met = {item.condition: item.at for item in case.met}
    return [
        ConditionView(
            text=item.text,
            due=_due(item),
            met_at=moment(met[place]) if place in met else None,
            overdue=item.due is not None and now >= item.due and place not in met,
        )
        for place, item in enumerate(conditions)
    ]


def document_views(study: Study, board: EthicsBoard) -> list[DocumentView]:
    present = board.documents.present(study)
    return [
        DocumentView(
            name=item.name,
            media_type=item.media_type,
            sha256=to_hex(item.sha256),
            stored_at=moment(present[item.sha256]) if item.sha256 in present else None,
        )
        for item in study.proposal.documents
    ]


def question_views(case: Case) -> list[QuestionView]:
    return [
        QuestionView(
            number=item.number,
            text=item.text,
            asked_at=moment(item.asked_at),
            answer=item.answer,
            answered_at=None if item.answered_at is None else moment(item.answered_at),
        )
        for item in case.questions
    ]


def _due(condition: Condition) -> datetime | None:
    return None if condition.due is None else moment(condition.due)


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


def _price(body: PriceBody | None) -> Price | None:
    if body is None:
        return None
    return Price(account(body.token, field="price.token"), int(body.amount), body.basis)


def _document(body: DocumentBody) -> ProtocolDocument:
    return ProtocolDocument(body.name, body.media_type, bytes32(body.sha256))


def proposal_of(body: ProposalBody, services: Services, *, researcher: MemberId, salt: bytes) -> Proposal:
    """The proposal that a body describes, its views those of today's catalogue. Raises StudyInvalid."""
    return Proposal(
        researcher=researcher,
        title=body.title,
        purpose=body.purpose,
        duo=tuple(body.duo),
        variables=tuple(variable_of(item, services, place) for place, item in enumerate(body.variables)),
        outputs=tuple(output_of(output) for output in body.outputs),
        not_before=seconds(body.not_before),
        not_after=seconds(body.not_after),
        epsilon=round(body.epsilon * 1_000_000),
        runs=body.runs,
        minimum_cohort=body.minimum_cohort,
        salt=salt,
        price=_price(body.price),
        documents=tuple(_document(item) for item in body.documents),
        dataset=None if body.dataset is None else Dataset(**body.dataset.model_dump()),
        amends=None if body.amends is None else study_id(body.amends),
    )


def variable_of(body: VariableBody, services: Services, place: int) -> Variable:
    """The variable at this place of the list. Raises StudyInvalid naming the field."""
    field, source = f"variables.{place}.source", None
    if body.source is not None:
        asked = body.source
        where = tuple(asked.where.items())
        source = services.catalogue.catalogue.source(asked.view, asked.column, asked.take, where, field=field)
        if source is None:
            raise StudyInvalid("the catalogue has no such view", field=f"{field}.view")
    return Variable(
        name=body.name,
        kind=body.kind,
        role=body.role,
        system=body.system,
        code=body.code,
        unit=body.unit,
        edges=tuple(body.edges),
        levels=tuple(body.levels),
        reference_date=body.reference_date,
        active_only=body.active_only,
        source=source,
    )


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
