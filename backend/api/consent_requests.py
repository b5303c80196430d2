"""Providers ask; patients see what is asked and get the message to sign."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from backend.api.limits import Limited, Spending
from backend.api.named_teams import NamedTeam, named_teams, require_open
from backend.api.schemas import (
    Body,
    Code,
    Codes,
    Hex16,
    Hex32,
    Message,
    Moment,
    bytes32,
    moment,
    record_id,
    seconds,
)
from backend.api.security import Caller, agent_of, needs, requesting_member, require_party
from backend.api.services import Services
from backend.consent.authority import command_for
from backend.consent.decision_types import dependents_of_record, reference_of_record
from backend.consent.drafting import Wish, refusal_of, wish_of
from backend.consent.requests import ConsentRequest
from backend.consent.subset import Asked
from backend.consent.tables import Tables
from backend.consent.terms import MAX_USES_PER_PERIOD, UNLIMITED_USES, BreakGlass, Delegation, Document, Rule
from backend.consent.terms_json import from_json, to_json
from backend.consent.typed_data import consent_id, typed_data
from backend.errors import NotFound
from backend.identity.roles import Scope
from backend.types import MemberId, UnixSeconds, subject_text, to_hex

router = APIRouter(prefix="/v1/consent-requests", tags=["consent requests"])
Emergency = Annotated[
    Literal["allow", "limit", "forbid"],
    Field(description="whether this may be opened without consent in an emergency"),
]
NoticeHash = Annotated[
    Hex32 | None,
    Field(
        description="the notice that was shown, from GET /v1/notices; by default the newest in the language"
    ),
]
Via = Annotated[
    list[Message],
    Field(max_length=4, description="the delegations, as messages, of a delegate who signs; own one first"),
]


SomeCodes = Annotated[list[Code], Field(min_length=1, max_length=64)]


class FrequencyBody(Body):
    """At most so many uses in any window of so many seconds."""

    uses: int = Field(ge=1, le=MAX_USES_PER_PERIOD)
    period_seconds: int = Field(ge=1, lt=2**32)


class LimitsBody(Body):
    """How often the data may be used, and when copies must be gone. What is left out is not limited."""

    erase_by: Moment | None = Field(default=None, description="when every copy must have been erased")
    max_uses: int | None = Field(default=None, ge=1, lt=UNLIMITED_USES)
    frequency: FrequencyBody | None = None

    def limits(self) -> dict[str, Any]:
        """Return the limits that were given, as a wish and a request name them."""
        found: dict[str, Any] = {}
        if self.erase_by is not None:
            found["erase_by"] = seconds(self.erase_by)
        if self.max_uses is not None:
            found["max_uses"] = self.max_uses
        if self.frequency is not None:
            found["uses_per_period"] = self.frequency.uses
            found["period_seconds"] = self.frequency.period_seconds
        return found


class AskBody(LimitsBody):
    """What a provider wants to be allowed. Codes are those of ``GET /v1/tables``."""

    patient_ref: str = Field(max_length=256, description="from POST /v1/patients/search")
    purposes: Codes = Field(min_length=1)
    categories: Codes = Field(min_length=1)
    sensitivities: Codes = []
    actions: Codes = ["access"]
    data_from: Moment | None = Field(default=None, description="oldest data wanted; default: no limit")
    data_to: Moment | None = None
    not_before: Moment | None = None
    not_after: Moment = Field(description="when the consent is to end")
    message: str = Field(default="", max_length=1000, description="to the patient, in your own words")


class RuleBody(Body):
    """An exception inside a consent. What is left out does not narrow the rule, so an empty list is refused:
    a list that lost its items would make the rule one about everything."""

    effect: Literal["permit", "deny"]
    purposes: SomeCodes = []
    categories: SomeCodes = []
    sensitivities: SomeCodes = []
    actions: SomeCodes = []
    grantees: Annotated[list[Hex32], Field(min_length=1, max_length=32)] = []
    records: Annotated[list[Hex16], Field(min_length=1, max_length=32)] = []
    records_with_related: Annotated[list[Hex16], Field(min_length=1, max_length=32)] = Field(
        default=[], description="records together with all that were stored as related to them"
    )
    authors: Annotated[
        list[Hex32], Field(min_length=1, max_length=32, description="members that stored the record")
    ] = []
    obligations: Codes = Field(default=[], description="conditions under which a permitting rule permits")
    data_from: Moment | None = None
    data_to: Moment | None = None

    def rule(self, tables: Tables) -> Rule:
        return Rule(
            permit=self.effect == "permit",
            purposes=tables.purposes.mask(self.purposes, field="rules.purposes"),
            categories=tables.categories.mask(self.categories, field="rules.categories"),
            sensitivities=tables.sensitivities.mask(self.sensitivities, field="rules.sensitivities"),
            actions=tables.actions.mask(self.actions, field="rules.actions"),
            grantees=tuple(MemberId(bytes32(grantee)) for grantee in self.grantees),
            data_from=seconds(self.data_from, default=UnixSeconds(0)),
            data_to=seconds(self.data_to),
            references=(
                *(reference_of_record(record_id(name)) for name in self.records),
                *(dependents_of_record(record_id(name)) for name in self.records_with_related),
                *(bytes32(author) for author in self.authors),
            ),
            obligations=tables.obligations.mask(self.obligations, field="rules.obligations"),
        )


class DraftBody(LimitsBody):
    """How to answer: grant (narrower if members are given) or refuse."""

    answer: Literal["grant", "refuse"]
    language: Literal["en", "de"] = "en"
    notice: NoticeHash = None
    categories: Codes | None = None
    sensitivities: Codes | None = None
    actions: Codes | None = None
    data_from: Moment | None = None
    data_to: Moment | None = None
    not_before: Moment | None = None
    not_after: Moment | None = None
    emergency: Emergency = "forbid"
    emergency_categories: Codes = Field(default=[], description="with 'limit': what may be opened")
    rules: Annotated[list[RuleBody], Field(max_length=16)] = []
    via: Via = []


class RequestView(BaseModel):
    request_id: str
    subject: str
    requester: str
    state: str = Field(description="requested, granted, refused or lapsed")
    purposes: list[str]
    categories: list[str]
    sensitivities: list[str]
    actions: list[str]
    data_from: datetime | None
    data_to: datetime | None
    not_before: datetime | None
    not_after: datetime | None
    erase_by: datetime | None
    max_uses: int | None
    frequency: FrequencyBody | None
    message: str
    created_at: datetime | None
    lapses_at: datetime | None
    consent_id: str | None


class Draft(BaseModel):
    """What to sign with eth_signTypedData_v4, and the id the consent will have."""

    consent_id: str
    summary: str
    message: dict[str, Any] = Field(description="the consent itself; send it back with the signature")
    typed_data: dict[str, Any]
    care_teams: list[NamedTeam] = Field(description="those that it names, as they are now")


def draft_of(document: Document, via: list[dict[str, Any]], services: Services) -> Draft:
    """Return the draft of a document, to be signed by the patient or, with ``via``, by a delegate.

    Raises CareTeamClosed.
    """
    require_open(document, services)
    chain = tuple(from_json(Delegation, item, f"via[{number}].") for number, item in enumerate(via))
    return Draft(
        consent_id=to_hex(consent_id(document)),
        summary=document.terms.summary,
        message=to_json(document),
        typed_data=typed_data(command_for(document, chain), services.domain),
        care_teams=named_teams(document, services),
    )


@router.post("", status_code=201, response_model=RequestView)
def ask(body: AskBody, caller: Annotated[Caller, Depends(needs(Scope.CONSENT_REQUEST))]) -> RequestView:
    """Ask a patient for consent. The patient answers in their own time; poll, or read again later."""
    services, principal = caller
    tables = services.tables
    asked = Asked(
        subject=services.identity.resolve_patient(principal, body.patient_ref),
        grantee=requesting_member(principal),
        purposes=tables.purposes.mask(body.purposes),
        categories=tables.categories.mask(body.categories),
        sensitivities=tables.sensitivities.mask(body.sensitivities),
        actions=tables.actions.mask(body.actions),
        data_from=seconds(body.data_from, default=UnixSeconds(0)),
        data_to=seconds(body.data_to),
        not_before=seconds(body.not_before, default=UnixSeconds(0)),
        not_after=seconds(body.not_after),
        **body.limits(),
    )
    return _view(services, services.requests.ask(asked, body.message, requester=agent_of(principal)))


@router.get("", response_model=list[RequestView])
def list_requests(
    caller: Annotated[Caller, Depends(needs())],
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[RequestView]:
    """Those that concern you: sent by your organisation, or to you as a patient. Newest first."""
    services, principal = caller
    found: list[ConsentRequest] = []
    for subject in principal.subject_ids:
        found += services.requests.of_subject(subject, limit=limit)
    if principal.member_id is not None:
        found += services.requests.of_requester(principal.member_id, limit=limit)
    return [_view(services, request) for request in found[:limit]]


@router.get("/{request_id}", response_model=RequestView)
def get_request(request_id: Hex32, caller: Annotated[Caller, Depends(needs())]) -> RequestView:
    services, principal = caller
    request = _known(services, request_id)
    require_party(principal, subject=request.asked.subject, member=request.asked.grantee)
    return _view(services, request)


@router.post("/{request_id}/draft", response_model=Draft)
def draft(
    request_id: Hex32,
    body: DraftBody,
    caller: Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))],
    spend: Spending,
) -> Draft:
    """Get the message to sign: the grant as asked or narrowed, or the refusal; then POST /v1/consents."""
    if body.answer == "grant":  # a refusal is never made to wait
        spend(Limited.DRAFT)
    services, principal = caller
    request = _known(services, request_id)
    require_party(principal, subject=request.asked.subject, member=None)
    wish = (
        refusal_of(request) if body.answer == "refuse" else _narrowed(wish_of(request), body, services.tables)
    )
    grant = services.drafter.grant(
        wish,
        subject=request.asked.subject,
        epoch=services.evidence.subject(request.asked.subject).epoch,
        now=UnixSeconds(services.clock()),
        language=body.language,
        notice=bytes32(body.notice) if body.notice else None,
        request=request.request_id,
    )
    return draft_of(grant, body.via, services)


def _known(services: Services, request_id: str) -> ConsentRequest:
    """Return a request, or raise the NotFound of ``require_party``: absent and not yours look alike."""
    try:
        return services.requests.get(bytes32(request_id))
    except NotFound:
        raise NotFound from None


def _narrowed(wish: Wish, body: DraftBody, tables: Tables) -> Wish:
    changes: dict[str, Any] = {"rules": tuple(rule.rule(tables) for rule in body.rules)}
    for name in ("categories", "sensitivities", "actions"):
        codes = getattr(body, name)
        if codes is not None:
            changes[name] = getattr(tables, name).mask(codes)
    for name in ("data_from", "data_to", "not_before", "not_after"):
        value = getattr(body, name)
        if value is not None:
            changes[name] = seconds(value)
    changes["break_glass"] = BreakGlass[body.emergency.upper()]
    changes["break_glass_categories"] = tables.categories.mask(body.emergency_categories)
    return replace(wish, **changes, **body.limits())


def _view(services: Services, request: ConsentRequest) -> RequestView:
    asked, tables = request.asked, services.tables
    return RequestView(
        request_id=to_hex(request.request_id),
        subject=subject_text(asked.subject),
        requester=to_hex(asked.grantee),
        state=request.state,
        purposes=list(tables.purposes.codes(asked.purposes)),
        categories=list(tables.categories.codes(asked.categories)),
        sensitivities=list(tables.sensitivities.codes(asked.sensitivities)),
        actions=list(tables.actions.codes(asked.actions)),
        data_from=moment(asked.data_from) if asked.data_from else None,
        data_to=moment(asked.data_to),
        not_before=moment(asked.not_before) if asked.not_before else None,
        not_after=moment(asked.not_after),
        erase_by=moment(asked.erase_by),
        max_uses=None if asked.max_uses == UNLIMITED_USES else asked.max_uses,
        frequency=None
        if asked.uses_per_period == UNLIMITED_USES
        else FrequencyBody(uses=asked.uses_per_period, period_seconds=asked.period_seconds),
        message=request.message,
        created_at=moment(request.created_at),
        lapses_at=moment(request.lapses_at),
        consent_id=to_hex(request.consent_id) if request.consent_id else None,
    )
