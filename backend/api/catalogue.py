"""The catalogue: what may be asked for, how many patients have it, what a draft would get, a sample."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.proposals import ProposalBody, VariableBody, proposal_of, variable_of
from backend.api.schemas import Body
from backend.api.security import Caller, agent_of, needs, requesting_member
from backend.errors import NotFound
from backend.identity.roles import Scope
from backend.research.catalogue.matcher import Quote
from backend.research.catalogue.offers import Offer
from backend.research.catalogue.service import DrawState
from backend.research.catalogue.synthetic import MAX_ROWS, Format, encode, sample
from backend.research.catalogue.types import Counts
from backend.research.result import ProtectedRange
from backend.research.views.types import View

router = APIRouter(prefix="/v1/catalogue", tags=["research"])
Seeing = Annotated[Caller, Depends(needs(Scope.STUDY_READ))]
Proposing = Annotated[Caller, Depends(needs(Scope.STUDY_PROPOSE))]
Drawing_ = Annotated[Caller, Depends(needs(Scope.CATALOGUE_DRAW))]
_MEDIA = {Format.CSV: "text/csv; charset=utf-8", Format.PARQUET: "application/vnd.apache.parquet"}


class CountsView(BaseModel):
    levels: list[str]
    values: list[int] = Field(description="noisy numbers of patients; they may be negative")
    error_95: int = Field(description="each value is off by more with a probability of 5 % at most")


class OfferView(BaseModel):
    name: str
    title: str
    kind: str
    role: str
    categories: list[str] = Field(description="consent categories that a patient must have permitted")
    variable: dict[str, Any] = Field(description="as a proposal would have it")
    levels: list[str]
    counts: CountsView | None = None


class ViewSummary(BaseModel):
    name: str
    title: str
    resource: str
    categories: list[str]
    columns: dict[str, str] = Field(description="name to FHIR type")
    when: str
    digest: str


class DrawView(BaseModel):
    """How the counts of this period stand."""

    period: int
    state: DrawState
    percent: int
    code: str


class CatalogueView(BaseModel):
    offers: list[OfferView]
    views: list[ViewSummary]
    consents: CountsView | None = Field(description="discoverable patients by kind of consent")
    period: int | None = Field(description="of the counts that are shown")
    drawn_at: int | None = Field(description="unix seconds")
    expected_error: int | None = Field(description="error_95 of this period's counts, known before")
    standing: DrawView


class TermView(BaseModel):
    term: str
    shorthand: str
    label: str
    fits: bool
    reason: str


class RangeView(BaseModel):
    """Half-open, in steps of 10; right 19 times in 20."""

    low: int
    high: int


class RemainingView(BaseModel):
    patients: RangeView = Field(description="whose kind of consent fits the study")
    of: RangeView = Field(description="all patients whose consent allows to be counted")
    with_value: dict[str, RangeView] = Field(description="of these, for variables offered just so")


class QuestionView(BaseModel):
    name: str
    rho: int = Field(description="privacy loss of one run, in 1e-9 zCDP")
    expected_error: int
    levels: int


class CostView(BaseModel):
    """Of all runs together, in the smallest unit of the token; right 19 times in 20."""

    token: str
    least: str
    most: str


class QuoteView(BaseModel):
    terms: list[TermView] = Field(description="for each DUO term: would a consent with it fit, and why")
    remaining: RemainingView | None = Field(description="null until the catalogue was drawn")
    questions: list[QuestionView]
    epsilon_of_a_run: str
    epsilon_of_the_study: str
    delta_exponent: int
    runs: int
    cost: CostView | None = Field(description="null without a price, or until the catalogue was drawn")


class SampleBody(Body):
    variables: Annotated[list[VariableBody], Field(min_length=1, max_length=40)]
    rows: int = Field(default=1_000, ge=1, le=MAX_ROWS)
    seed: int = Field(default=1, ge=0, lt=2**32)
    format: Format = Format.CSV


@router.get("", response_model=CatalogueView)
def show(caller: Seeing) -> CatalogueView:
    """Get all variables and views on offer, with the newest protected counts."""
    service = caller.services.catalogue
    standing = _standing(caller)  # before the counts: where it says "drawn", they are there
    drawing = service.newest()
    counts = {found.name: found for found in drawing.counts} if drawing is not None else {}
    reference_date = service.drawer.reference_date if drawing is None else drawing.reference_date
    offers = service.catalogue.at(reference_date)
    names = service.catalogue.tables.categories
    return CatalogueView(
        offers=[_offer(offer, names.codes(offer.variable.categories), counts) for offer in offers],
        views=[_view(view) for view in service.catalogue.views.values()],
        consents=None if drawing is None else _counts(drawing.consents),
        period=None if drawing is None else drawing.period,
        drawn_at=None if drawing is None else drawing.drawn_at,
        expected_error=service.drawer.expected_error,
        standing=standing,
    )


@router.get("/views/{name}")
def show_view(name: str, caller: Seeing) -> dict[str, Any]:
    """Get a view definition (SQL on FHIR v2) as it is run."""
    document = caller.services.catalogue.catalogue.documents.get(name)
    if document is None:
        raise NotFound
    return dict(document)


@router.post("/draws", status_code=202, response_model=DrawView)
def draw(caller: Drawing_) -> DrawView:
    """Begin to draw the counts of this period, in the background; later periods are drawn by themselves."""
    services, principal = caller
    services.catalogue.draw(by=agent_of(principal))
    return _standing(caller)


@router.post("/quotes", response_model=QuoteView)
def quote(body: ProposalBody, caller: Proposing) -> QuoteView:
    """Ask what a draft would get and cost. Nothing is stored or spent."""
    services, principal = caller
    draft = proposal_of(body, services, researcher=requesting_member(principal), salt=secrets.token_bytes(32))
    return _quote(services.catalogue.quote(draft), body)


@router.post("/samples", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def make_sample(body: SampleBody, caller: Seeing) -> Response:
    """Make an invented table with the schema of these variables, as CSV or Parquet. No data is looked at."""
    variables = [variable_of(item, caller.services, place) for place, item in enumerate(body.variables)]
    table = sample(variables, rows=body.rows, seed=body.seed)
    return Response(encode(table, body.format), media_type=_MEDIA[body.format])


def _standing(caller: Caller) -> DrawView:
    standing = caller.services.catalogue.standing()
    return DrawView(
        period=standing.period, state=standing.state, percent=standing.percent, code=standing.code
    )


def _offer(offer: Offer, categories: tuple[str, ...], counts: dict[str, Counts]) -> OfferView:
    variable = offer.variable
    found = counts.get(variable.name)
    return OfferView(
        name=variable.name,
        title=offer.title,
        kind=variable.kind.value,
        role=variable.role.value,
        categories=list(categories),
        variable=VariableBody.of(variable).model_dump(exclude_defaults=True, mode="json"),
        levels=list(variable.domain),
        # What is offered may have changed since it was counted.
        counts=_counts(found) if found is not None and found.levels == variable.domain else None,
    )


def _view(view: View) -> ViewSummary:
    return ViewSummary(
        name=view.name,
        title=view.title,
        resource=view.resource,
        categories=list(view.categories),
        columns={name: column.type for name, column in view.columns.items()},
        when=view.when,
        digest=view.digest,
    )


def _counts(counts: Counts) -> CountsView:
    return CountsView(levels=list(counts.levels), values=list(counts.values), error_95=counts.error_95)


def _range(found: ProtectedRange) -> RangeView:
    return RangeView(low=found.low, high=found.high)


def _quote(quoted: Quote, body: ProposalBody) -> QuoteView:
    remaining = quoted.remaining
    return QuoteView(
        terms=[
            TermView(
                term=fit.term, shorthand=fit.shorthand, label=fit.label, fits=fit.fits, reason=fit.reason
            )
            for fit in quoted.terms
        ],
        remaining=None
        if remaining is None
        else RemainingView(
            patients=_range(remaining.patients),
            of=_range(remaining.of),
            with_value={name: _range(found) for name, found in remaining.variables},
        ),
        questions=[
            QuestionView(
                name=question.name,
                rho=question.rho,
                expected_error=question.expected_error,
                levels=len(question.figure.labels),
            )
            for question in quoted.plan.questions
        ],
        epsilon_of_a_run=quoted.epsilon,
        epsilon_of_the_study=f"{body.epsilon:.6f}",
        delta_exponent=quoted.delta_exponent,
        runs=body.runs,
        cost=None
        if quoted.cost is None or body.price is None
        else CostView(token=body.price.token, least=str(quoted.cost.least), most=str(quoted.cost.most)),
    )
