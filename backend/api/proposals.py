"""A study as it is proposed: the body, and the proposal that it describes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from backend.api.outputs import OutputBody, output_of
from backend.api.schemas import (
    AccountText,
    Body,
    Code,
    Hex32,
    Moment,
    account,
    bytes32,
    seconds,
)
from backend.api.services import Services
from backend.research.errors import StudyInvalid
from backend.research.study import Proposal
from backend.research.study_terms import (
    Basis,
    Dataset,
    DiversityRule,
    Price,
    ProtocolDocument,
    TableMode,
)
from backend.research.time_to_event import Course, TimeUnit
from backend.research.types import StudyId
from backend.research.variables import Kind, Role, Variable
from backend.research.view_variables import Take
from backend.types import MemberId


class SourceBody(Body):
    """A column of a view of the catalogue: rows in which ``where`` holds, and what is taken of them."""

    view: str = Field(max_length=64)
    column: str = Field(max_length=64)
    take: Take
    where: Annotated[dict[str, str], Field(max_length=8)] = {}


class DateBody(Body):
    """A column of dates of a view of the catalogue, in rows in which ``where`` holds."""

    view: str = Field(max_length=64)
    column: str = Field(max_length=64)
    where: Annotated[dict[str, str], Field(max_length=8)] = {}


class CourseBody(Body):
    """From the first date of ``index`` to the first of ``event``, or to the last of ``end`` without one."""

    unit: TimeUnit
    index: DateBody
    event: DateBody
    end: DateBody

    @classmethod
    def of(cls, course: Course) -> CourseBody:
        index, event, end = (
            DateBody(view=source.view, column=source.column, where=dict(source.where))
            for source in course.sources
        )
        return cls(unit=course.unit, index=index, event=event, end=end)


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
    course: CourseBody | None = Field(default=None, description="of a time to event, and of its status")

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
            course=None if variable.course is None else CourseBody.of(variable.course),
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
        course=None if body.course is None else _course(body.course, services, f"variables.{place}.course"),
    )


def _course(body: CourseBody, services: Services, field: str) -> Course:
    dates = [
        (each.view, each.column, tuple(each.where.items())) for each in (body.index, body.event, body.end)
    ]
    return services.catalogue.catalogue.course(body.unit, dates, field=field)


def _price(body: PriceBody | None) -> Price | None:
    if body is None:
        return None
    return Price(account(body.token, field="price.token"), int(body.amount), body.basis)


def _document(body: DocumentBody) -> ProtocolDocument:
    return ProtocolDocument(body.name, body.media_type, bytes32(body.sha256))


def study_id(text: str) -> StudyId:
    return StudyId(bytes32(text))
