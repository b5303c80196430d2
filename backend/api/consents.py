"""Signed consents and delegations: taken, listed, shown with their state on the chain."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from backend.api.acting import acting_of
from backend.api.consent_requests import Draft, Emergency, LimitsBody, NoticeHash, RuleBody, Via, draft_of
from backend.api.fhir_consents import FHIR_JSON, as_fhir, asked_version
from backend.api.limits import Limited, Spending
from backend.api.schemas import (
    AccountText,
    Body,
    Codes,
    Hex32,
    HexSignature,
    HexSubject,
    Message,
    Moment,
    account,
    bytes32,
    moment,
    seconds,
    subject_id,
)
from backend.api.security import Caller, Open, needs, require_party
from backend.api.services import Services
from backend.consent.decision_types import Evidence, Requester
from backend.consent.drafting import BEGINNING, DelegationWish, Wish
from backend.consent.evidence_store import ConsentRow
from backend.consent.history import Step
from backend.consent.lifecycle import Circumstances, grantees, state_of, states_after
from backend.consent.states import State
from backend.consent.terms import (
    ABSENT,
    EVERYONE,
    BreakGlass,
    Delegation,
    Document,
    Grant,
    Kind,
    ResearchTerms,
)
from backend.consent.terms_json import from_json, to_json
from backend.errors import InvalidInput, NotFound
from backend.identity.roles import Scope
from backend.types import ConsentId, MemberId, UnixSeconds, subject_text, to_hex

router = APIRouter(prefix="/v1", tags=["consents"])
Own = Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))]
Anyone = Annotated[Caller, Depends(needs())]


class ResearchBody(Body):
    """Conditions of research use; see GA4GH DUO for the codes."""

    duo: Annotated[list[str], Field(max_length=32)] = []
    minimum_cohort: int = Field(default=0, ge=0, lt=2**32)
    epsilon_cap: float = Field(default=0, ge=0, le=1e6, description="privacy loss per custodian and period")
    compensation: int = Field(default=0, ge=0, lt=2**256)


class WishBody(LimitsBody):
    """A consent on the patient's own initiative. A deny that names nothing denies everything."""

    subject: HexSubject
    kind: Literal["permit", "deny"]
    grantee: Hex32 | None = Field(default=None, description="default in a deny: whoever asks")
    care_team: Hex32 | None = Field(
        default=None, description="the grantee, where it is meant to be a care team: one that exists"
    )
    purposes: Codes = []
    categories: Codes = []
    sensitivities: Codes = []
    actions: Codes = []
    data_from: Moment | None = None
    data_to: Moment | None = None
    not_before: Moment | None = None
    not_after: Moment | None = None
    emergency: Emergency = "forbid"
    emergency_categories: Codes = Field(default=[], description="with 'limit': what may be opened")
    rules: Annotated[list[RuleBody], Field(max_length=16)] = []
    research: ResearchBody = ResearchBody()
    supersedes: Hex32 | None = None
    via: Via = []
    language: Literal["en", "de"] = "en"
    notice: NoticeHash = None


class DelegationWishBody(Body):
    """Powers for another account, within masks and for a time."""

    subject: HexSubject
    delegate: AccountText
    powers: Annotated[list[Literal["grant", "revoke", "read", "delegate"]], Field(min_length=1)]
    purposes: Codes = []
    categories: Codes = []
    sensitivities: Codes = []
    not_before: Moment | None = None
    not_after: Moment
    relationship: str = Field(min_length=1, max_length=200)
    depth: int = Field(default=0, ge=0, le=3)
    parent: Hex32 | None = None
    via: Via = []
    language: Literal["en", "de"] = "en"
    notice: NoticeHash = None
    kind: Literal["delegation", "guardianship"] = Field(
        default="delegation",
        description="guardianships outlive a revoke-all and may be named for recovery (docs/recovery.md)",
    )


class SignedBody(Body):
    """The message of a draft, unchanged, with the wallet's signature.

    ``via`` holds the delegations (as messages) from the signer's own up to the one the patient gave.
    """

    message: Message
    signature: HexSignature
    via: Via = []


class RecordedView(BaseModel):
    consent_id: str
    state: str = Field(description="'recorded', or 'pending' while the chain cannot be reached")
    block: int | None
    transaction: str | None


class ConsentView(BaseModel):
    """``block`` and ``transaction`` are where it was recorded; None until it is."""

    consent_id: str
    subject: str
    kind: str
    state: str = Field(description="as docs/decision.md lists them")
    received_at: datetime | None = Field(description="None where only the chain knows of it")
    block: int | None
    transaction: str | None
    not_before: datetime | None
    not_after: datetime | None
    summary: str
    message: dict[str, Any]


class StepView(BaseModel):
    """One change: received, recorded, revoked or revoked_with_all."""

    change: str
    state: str = Field(description="of the document after this change")
    at: datetime | None
    block: int | None
    transaction: str | None


class ConsentHistoryView(ConsentView):
    history: list[StepView] = Field(description="oldest first")


@router.post("/consents/draft", response_model=Draft)
def draft_consent(body: WishBody, caller: Own, spend: Spending) -> Draft:
    """Get the message to sign for a permit or deny on the patient's own initiative."""
    if body.kind == "permit":  # a deny stops something, and nothing may block that
        spend(Limited.DRAFT)
    services, principal = caller
    subject = subject_id(body.subject)
    require_party(principal, subject=subject, member=None)
    if body.kind == "permit" and body.grantee is None and body.care_team is None:
        raise InvalidInput("A permit names whom it is given to.", field="grantee")
    tables = services.tables
    wish = Wish(
        kind=Kind.PERMIT if body.kind == "permit" else Kind.DENY,
        grantee=_grantee(body, services),
        purposes=tables.purposes.mask(body.purposes),
        categories=tables.categories.mask(body.categories),
        sensitivities=tables.sensitivities.mask(body.sensitivities),
        actions=tables.actions.mask(body.actions),
        data_from=seconds(body.data_from, default=BEGINNING),
        data_to=seconds(body.data_to),
        not_before=seconds(body.not_before, default=BEGINNING),
        not_after=seconds(body.not_after),
        **body.limits(),
        break_glass=BreakGlass[body.emergency.upper()],
        break_glass_categories=tables.categories.mask(body.emergency_categories),
        rules=tuple(rule.rule(tables) for rule in body.rules),
        research=ResearchTerms(
            duo=tuple(body.research.duo),
            minimum_cohort=body.research.minimum_cohort,
            epsilon_cap=round(body.research.epsilon_cap * 1_000_000),
            compensation=body.research.compensation,
        ),
        supersedes=ConsentId(bytes32(body.supersedes)) if body.supersedes else ABSENT,
    )
    grant = services.drafter.grant(
        wish,
        subject=subject,
        epoch=services.evidence.subject(subject).epoch,
        now=UnixSeconds(services.clock()),
        language=body.language,
        notice=bytes32(body.notice) if body.notice else None,
    )
    return draft_of(grant, body.via, services)


def _grantee(body: WishBody, services: Services) -> MemberId:
    """Return whom the wish is about. Raises CareTeamUnknown for a team that there is not."""
    if body.care_team is None:
        return MemberId(bytes32(body.grantee)) if body.grantee else EVERYONE
    if body.grantee is not None:
        raise InvalidInput("Name a grantee or a care team.", field="care_team")
    return services.care_teams.get(MemberId(bytes32(body.care_team))).team_id


@router.post("/delegations/draft", response_model=Draft)
def draft_delegation(body: DelegationWishBody, caller: Own, spend: Spending) -> Draft:
    """Get the message to sign for a delegation."""
    spend(Limited.DRAFT)
    services, principal = caller
    subject = subject_id(body.subject)
    require_party(principal, subject=subject, member=None)
    tables = services.tables
    wish = DelegationWish(
        delegate=account(body.delegate, field="delegate"),
        powers=tables.powers.mask(body.powers),
        purposes=tables.purposes.mask(body.purposes),
        categories=tables.categories.mask(body.categories),
        sensitivities=tables.sensitivities.mask(body.sensitivities),
        not_before=seconds(body.not_before, default=BEGINNING),
        not_after=seconds(body.not_after),
        relationship=body.relationship,
        depth=body.depth,
        kind=Kind[body.kind.upper()],
        parent=ConsentId(bytes32(body.parent)) if body.parent else ABSENT,
    )
    delegation = services.drafter.delegation(
        wish,
        subject=subject,
        epoch=services.evidence.subject(subject).epoch,
        now=UnixSeconds(services.clock()),
        language=body.language,
        notice=bytes32(body.notice) if body.notice else None,
    )
    return draft_of(delegation, body.via, services)


@router.post("/consents", status_code=201, response_model=RecordedView)
def record_consent(body: SignedBody, services: Open, response: Response) -> RecordedView:
    """Record a signed grant, deny or refusal. The signature is the authority; twice is harmless."""
    return _record(services, from_json(Grant, body.message), body, response)


@router.post("/delegations", status_code=201, response_model=RecordedView)
def record_delegation(body: SignedBody, services: Open, response: Response) -> RecordedView:
    """Record a signed delegation."""
    return _record(services, from_json(Delegation, body.message), body, response)


@router.get("/consents", response_model=list[ConsentView])
def list_consents(subject: HexSubject, caller: Anyone) -> list[ConsentView]:
    """All consents and delegations of a patient: for the patient, those acting for the patient, and, of those
    given to it, for a provider."""
    return [view for view, _ in visible(subject, caller)]


@router.get("/consents/{consent}", response_model=ConsentHistoryView)
def get_consent(
    consent: Hex32, subject: HexSubject, caller: Anyone, accept: Annotated[str, Header()] = ""
) -> ConsentHistoryView | JSONResponse:
    """One of them, with every change of it; as a FHIR Consent with ``Accept: application/fhir+json``."""
    version = asked_version(accept)
    for view, document in visible(subject, caller):
        if view.consent_id == consent.lower() and version is not None:
            given = view.received_at.timestamp() if view.received_at else document.not_before
            resource = as_fhir(
                document,
                version=version,
                state=view.state,
                signed_at=UnixSeconds(int(given)),
                services=caller.services,
            )
            return JSONResponse(resource, media_type=f"{FHIR_JSON}; fhirVersion={version}")
        if view.consent_id == consent.lower():
            history = caller.services.history.of(document)
            states = states_after(document, history, replaced=view.state == State.SUPERSEDED)
            steps = [_step(*pair) for pair in zip(history, states, strict=True)]
            return ConsentHistoryView(**view.model_dump(), history=steps)
    raise NotFound


def visible(subject: str, caller: Caller, *, reviews: bool = False) -> list[tuple[ConsentView, Document]]:
    """What the caller may see of a patient's documents: all, or those given to the caller's member or teams.

    ``reviews``: the caller sees all as a reviewer, and what it sees is logged. While the person is being
    erased nobody but the patient sees any.
    """
    services, principal = caller
    wanted = subject_id(subject)
    if wanted not in principal.subject_ids and services.erasure.erases(wanted):
        return []
    whole = reviews or wanted in principal.subject_ids
    gathered = services.evidence.gather(wanted)
    acting = acting_of(caller).requester
    own = {acting.actor, *(one.team for one in acting.teams if one.organisation is not None)} - {None}
    named = grantees([item.prepared.document for item in gathered.evidence])
    teams = services.care_teams.as_asked(Requester(organisations=tuple(named))).teams
    members = named | {one.organisation for one in teams if one.organisation is not None}
    at = Circumstances.of(services.evidence.gather(wanted, members), services.clock(), teams=teams)
    rows = services.history.rows(wanted)
    return [
        (_view(state_of(item, at), item, rows.get(item.prepared.consent_id)), item.prepared.document)
        for item in gathered.evidence
        if whole or _concerns(item, own)
    ]


def _step(step: Step, state: State) -> StepView:
    return StepView(
        change=step.change.value,
        state=state.value,
        at=None if step.at is None else moment(step.at),
        block=step.block,
        transaction=to_hex(step.transaction) if step.transaction else None,
    )


def _record(
    services: Services, document: Grant | Delegation, body: SignedBody, response: Response
) -> RecordedView:
    via = tuple(from_json(Delegation, item, f"via[{number}].") for number, item in enumerate(body.via))
    recorded = services.consents.submit(document, bytes.fromhex(body.signature[2:]), via=via)
    if recorded.block is None:
        response.status_code = 202
    return RecordedView(
        consent_id=to_hex(recorded.consent_id),
        state="pending" if recorded.block is None else "recorded",
        block=recorded.block,
        transaction=to_hex(recorded.transaction) if recorded.transaction else None,
    )


def _concerns(item: Evidence, own: Collection[MemberId | None]) -> bool:
    document = item.prepared.document
    return isinstance(document, Grant) and document.terms.grantee in own


def _view(state: State, item: Evidence, row: ConsentRow | None) -> ConsentView:
    document = item.prepared.document
    return ConsentView(
        consent_id=to_hex(item.prepared.consent_id),
        subject=subject_text(document.subject),
        kind=Kind(document.kind).name.lower(),
        state=state.value,
        received_at=None if row is None else moment(row.received_at),
        block=None if row is None else row.block,
        transaction=to_hex(row.transaction) if row is not None and row.transaction else None,
        not_before=moment(document.not_before) if document.not_before else None,
        not_after=moment(document.not_after),
        summary=document.terms.summary,
        message=to_json(document),
    )
