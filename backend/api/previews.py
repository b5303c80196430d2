"""What a consent would open or close, shown to the patient before it is signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.acting import acting_of
from backend.api.consent_requests import Via
from backend.api.decisions import RequesterBody
from backend.api.limits import Limited, Spending
from backend.api.named_teams import NamedTeam, named_teams
from backend.api.schemas import Body, Codes, HexSubject, Message, subject_id
from backend.api.security import Caller, agent_named, agent_of, needs, require_party
from backend.api.services import Services
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.consent.decision_types import Requester
from backend.consent.tables import Tables
from backend.consent.terms import EVERYONE, Delegation, Grant
from backend.consent.terms_json import from_json
from backend.consent.validation import check_grant
from backend.errors import InvalidInput, NotFound
from backend.identity.roles import Scope
from backend.records.previews import Draft, Preview, Viewer
from backend.types import RecordId, UnixSeconds

router = APIRouter(prefix="/v1", tags=["consents"])

MAX_PURPOSES: Final = 8  # of one preview: each is decided on its own
MAX_NAMED: Final = 500
DAY_SECONDS: Final = 86_400


class PreviewBody(Body):
    """The message of a draft, unchanged, and who would use it; nothing is signed or kept."""

    subject: HexSubject
    message: Message
    via: Via = []
    requester: RequesterBody | None = Field(
        default=None, description="who would read; default: the member or the care team that the draft names"
    )
    purposes: Annotated[Codes, Field(max_length=MAX_PURPOSES)] = Field(
        default=[], description="default: those of the draft"
    )
    days: int = Field(default=30, ge=1, le=366, description="how far back refused attempts are looked for")


class CategoryView(BaseModel):
    """How many records have something of the category that is open now, would be open, stays hidden."""

    category: str
    now: int
    then: int
    hidden: int


class PreviewView(BaseModel):
    """Counts are of records that the caller may read. ``opened`` names the first 500 that the draft opens,
    ``closed`` those that it closes, in whole or in part."""

    records_now: int
    records_then: int
    records_hidden: int = Field(description="records of which something stays hidden")
    opened: list[str]
    closed: list[str]
    categories: list[CategoryView]
    attempts: int = Field(description="the requester's refused attempts in the period")
    attempts_answered: int = Field(description="those of them that would have shown something")
    sentence: str
    care_teams: list[NamedTeam] = Field(description="those that the draft names, as they are now")


@router.post("/consents/preview", response_model=PreviewView)
def preview_consent(
    body: PreviewBody, caller: Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))], spend: Spending
) -> PreviewView:
    """See what a draft would have shown: decided record by record as a read is. Asking is logged."""
    spend(Limited.DRAFT)
    services, principal = caller
    subject = subject_id(body.subject)
    require_party(principal, subject=subject, member=None)
    grant = from_json(Grant, body.message, "message.")
    check_grant(grant, services.tables, "message.")
    if grant.subject != subject:
        raise NotFound
    via = tuple(from_json(Delegation, item, f"via[{number}].") for number, item in enumerate(body.via))
    viewer = _viewer(body, grant, services)
    now = services.clock()
    found = services.previews.preview(
        subject,
        Draft(grant, via),
        viewer,
        caller=acting_of(caller).requester,
        since=UnixSeconds(max(0, now - body.days * DAY_SECONDS)),
    )
    services.audit.append(
        AuditEvent(
            type=codes.CONSENT_READ,
            outcome=Outcome.PERMITTED,
            occurred_at_ms=now * 1000,
            actor=agent_of(principal),
            subject=subject,
            detail={"preview": True},
        )
    )
    return _view(found, body.days, services.tables, named_teams(grant, services))


def _viewer(body: PreviewBody, grant: Grant, services: Services) -> Viewer:
    tables, care_teams = services.tables, services.care_teams
    if body.requester is not None:
        requester = body.requester.requester(care_teams)
    elif grant.terms.grantee == EVERYONE:
        raise InvalidInput("The draft is about everyone: name who would read.", field="requester")
    else:
        requester = care_teams.as_asked(Requester(actor=grant.terms.grantee))
    purposes = body.purposes or tables.purposes.codes(grant.terms.purposes)
    if not 0 < len(purposes) <= MAX_PURPOSES:
        raise InvalidInput(f"Name 1 to {MAX_PURPOSES} purposes.", field="purposes")
    return Viewer(
        requester=requester,
        purposes={code: tables.purposes.mask([code], field="purposes") for code in purposes},
        action=tables.actions.mask(["access"]),
        agents=frozenset(
            agent_named(one.principal)
            for team in care_teams.known([one.team for one in requester.teams])
            for one in team.present(services.clock())
        ),
    )


def _view(found: Preview, days: int, tables: Tables, teams: list[NamedTeam]) -> PreviewView:
    categories = found.categories
    return PreviewView(
        records_now=len(found.records_now),
        records_then=len(found.records_then),
        records_hidden=len(found.records_hidden),
        opened=_named(found.opened),
        closed=_named(found.closed),
        categories=[
            CategoryView(
                category=code,
                now=_count(categories.now, bit),
                then=_count(categories.then, bit),
                hidden=_count(categories.hidden, bit),
            )
            for code, bit in tables.categories.bits.items()
            if any(1 << bit in counts for counts in (categories.now, categories.then, categories.hidden))
        ],
        attempts=found.attempts,
        attempts_answered=found.answered,
        sentence=(
            f"With this the reader sees something of {len(found.records_then)} of your records "
            f"(now {len(found.records_now)}); of {len(found.records_hidden)} something stays hidden. "
            f"Of {found.attempts} attempts that were refused in the last {days} days, "
            f"{found.answered} would have been answered."
        ),
        care_teams=teams,
    )


def _named(records: tuple[RecordId, ...]) -> list[str]:
    return [record.hex() for record in records[:MAX_NAMED]]


def _count(counts: Mapping[int, int], bit: int) -> int:
    return counts.get(1 << bit, 0)
