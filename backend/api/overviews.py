"""Who can see what, now: the patient's home page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from backend.api.acting import acting_of
from backend.api.limits import Limited, Spending
from backend.api.schemas import HexSubject, moment, subject_id
from backend.api.security import Caller, agent_of, needs, require_party
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.consent.tables import Tables
from backend.consent.terms import EVERYONE
from backend.identity.roles import Scope
from backend.records.overviews import LiveDeny, Overview, Row
from backend.types import to_hex

router = APIRouter(prefix="/v1/overview", tags=["consents"])


class OverviewCell(BaseModel):
    """Counts are of records that the caller may read."""

    category: str
    open: int = Field(description="records of which something of the category can be seen")
    of: int = Field(description="records that have the category")
    covers_future: bool = Field(description="whether a plain document of it, stored now, would be seen")
    until: datetime | None = Field(description="when the first of the consents ends; null: without end")
    consents: list[str] = Field(description="ids of those that settle it")


class OverviewRow(BaseModel):
    """One reader and one purpose. A reader may also be in a care team, which has rows of its own."""

    grantee: str
    kind: Literal["member", "care_team"]
    purpose: str
    hidden: int = Field(description="records of which something stays hidden")
    categories: list[OverviewCell]


class OverviewDeny(BaseModel):
    """A deny in force, from its receipt. An empty list is about all there are."""

    consent_id: str
    grantee: str | None = Field(description="null: everyone")
    purposes: list[str]
    categories: list[str]
    sensitivities: list[str]
    actions: list[str]
    rules: int = Field(description="how many exceptions it has; GET /v1/consents/{id} shows them")
    until: datetime | None


class OverviewMoment(BaseModel):
    """What it was decided on: the chain's blocks and the place in the queue of restrictions."""

    at: datetime | None
    final_block: int | None
    head_block: int | None
    queue_position: int


class OverviewView(BaseModel):
    """``rows`` of one page, of members and care teams that a live permit names. Somebody without a row sees
    nothing, but for emergencies."""

    rows: list[OverviewRow]
    next_offset: int | None = Field(description="where the next page begins; null: this is the last")
    denies: list[OverviewDeny]
    as_of: OverviewMoment


@router.get("", response_model=OverviewView)
def get_overview(
    subject: HexSubject,
    caller: Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))],
    spend: Spending,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> OverviewView:
    """See who can see what now: decided segment by segment as a read is. Asking is logged."""
    spend(Limited.DRAFT)
    services, principal = caller
    wanted = subject_id(subject)
    require_party(principal, subject=wanted, member=None)
    found = services.overviews.overview(wanted, caller=acting_of(caller).requester, offset=offset)
    services.audit.append(
        AuditEvent(
            type=codes.CONSENT_READ,
            outcome=Outcome.PERMITTED,
            occurred_at_ms=services.clock() * 1000,
            actor=agent_of(principal),
            subject=wanted,
            detail={"overview": True},
        )
    )
    return _view(found, services.tables)


def _view(found: Overview, tables: Tables) -> OverviewView:
    return OverviewView(
        rows=[_row(row, tables) for row in found.rows],
        next_offset=found.next_offset,
        denies=[_deny(one, tables) for one in found.denies],
        as_of=OverviewMoment(
            at=moment(found.now),
            final_block=found.final_block,
            head_block=found.head_block,
            queue_position=found.queue_position,
        ),
    )


def _row(row: Row, tables: Tables) -> OverviewRow:
    return OverviewRow(
        grantee=to_hex(row.grantee),
        kind="care_team" if row.is_team else "member",
        purpose="".join(tables.purposes.codes(row.purpose)),
        hidden=row.hidden,
        categories=[
            OverviewCell(
                category="".join(tables.categories.codes(cell.category)),
                open=cell.open,
                of=cell.of,
                covers_future=cell.covers_future,
                until=None if cell.until is None else moment(cell.until),
                consents=[to_hex(name) for name in cell.consents],
            )
            for cell in row.cells
        ],
    )


def _deny(one: LiveDeny, tables: Tables) -> OverviewDeny:
    terms = one.deny.terms
    return OverviewDeny(
        consent_id=to_hex(one.consent_id),
        grantee=None if terms.grantee == EVERYONE else to_hex(terms.grantee),
        purposes=list(tables.purposes.codes(terms.purposes)),
        categories=list(tables.categories.codes(terms.categories)),
        sensitivities=list(tables.sensitivities.codes(terms.sensitivities)),
        actions=list(tables.actions.codes(terms.actions)),
        rules=len(terms.rules),
        until=moment(one.deny.not_after),
    )
