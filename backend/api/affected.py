"""Whom a breach concerns, for those who answer for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from backend.api.audit import log_reading
from backend.api.schemas import Hex32, Moment, bytes32
from backend.api.security import Caller, needs
from backend.audit.entry import mark_of
from backend.consent.tables import Tables
from backend.identity.roles import Scope
from backend.records.affected import Affected, Concerned, Refused, Suspect
from backend.types import MemberId, subject_text

router = APIRouter(prefix="/v1/audit", tags=["audit"])

MAX_ENTRIES: Final = 100_000  # in one answer; 10 seconds
Reviewing = Annotated[Caller, Depends(needs(Scope.AUDIT_READ, Scope.DECISION_REVIEW))]
Id = Annotated[str | None, Query(min_length=1, max_length=128)]


class ConcernedView(BaseModel):
    """One patient whose data was shown. Pseudonymous: the identity desk knows who it is."""

    subject: str
    first: datetime
    last: datetime
    reads: int
    records_read: dict[str, int] = Field(description="record to number of reads")
    categories_read: list[str]
    records_listed: dict[str, int] = Field(description="record to number of listings it stood in")
    categories_listed: list[str] = Field(description="of the whole records; a listing may have shown less")
    other: dict[str, int] = Field(description="type of entry to number: what else was shown or done")
    categories_unknown: list[str] = Field(description="records that were erased since")


class RefusedView(BaseModel):
    subject: str
    first: datetime
    last: datetime
    attempts: dict[str, int] = Field(description="type of entry to number")


class AffectedView(BaseModel):
    """``complete`` is false where entries of that time may belong here and nobody can tell."""

    patients: list[ConcernedView]
    refused: list[RefusedView] = Field(description="patients whose data was tried for in vain")
    complete: bool
    entries: int = Field(description="that were looked through")
    entries_unopened: int = Field(description="damaged, or of patients who were erased since")
    entries_without_token: int = Field(description="of an older release, which did not name tokens")
    entries_about_nobody: int = Field(description="of the suspect, and about no patient")


@router.get("/affected", response_model=AffectedView)
def affected(
    caller: Reviewing,
    start: Annotated[Moment, Query(alias="from", description="from then")],
    end: Annotated[Moment, Query(alias="to", description="and before then")],
    token: Annotated[Id, Query(description="jti of an access token")] = None,
    session: Annotated[Id, Query(description="fid of its sign-in: all tokens that came of it")] = None,
    client: Annotated[Id, Query(description="client id")] = None,
    user: Annotated[Id, Query(description="staff id")] = None,
    member: Annotated[Hex32 | None, Query(description="an organisation, with all its people")] = None,
) -> AffectedView:
    """Find all patients whose data one token, sign-in, client, user or member was shown in that time, and
    those whose data it tried for in vain. Those concerned see that their entries were read."""
    services = caller.services
    suspect = suspect_of(
        token=token,
        session=session,
        client=client,
        user=user,
        member=None if member is None else MemberId(bytes32(member)),
    )
    found = services.breaches.affected(suspect, _milliseconds(start), _milliseconds(end), most=MAX_ENTRIES)
    for subject in sorted({*found.concerned, *found.refused}):
        log_reading(caller, subject)
    log_reading(caller, None)
    return affected_view(found, services.tables)


def suspect_of(
    *, token: str | None, session: str | None, client: str | None, user: str | None, member: MemberId | None
) -> Suspect:
    """Return the suspect. Raises InvalidInput unless exactly one is named."""
    return Suspect(
        token=None if token is None else mark_of(token),
        session=None if session is None else mark_of(session),
        client=client,
        staff=user,
        member=member,
    )


def affected_view(found: Affected, tables: Tables) -> AffectedView:
    return AffectedView(
        patients=[_concerned(found.concerned[subject], tables) for subject in sorted(found.concerned)],
        refused=[_refused(found.refused[subject]) for subject in sorted(found.refused)],
        complete=found.complete,
        entries=found.looked_at,
        entries_unopened=found.unopened,
        entries_without_token=found.untold,
        entries_about_nobody=found.elsewhere,
    )


def _concerned(one: Concerned, tables: Tables) -> ConcernedView:
    return ConcernedView(
        subject=subject_text(one.subject),
        first=_time(one.first_ms),
        last=_time(one.last_ms),
        reads=one.reads,
        records_read={record.hex(): count for record, count in sorted(one.read.items())},
        categories_read=list(tables.categories.codes(one.categories_read)),
        records_listed={record.hex(): count for record, count in sorted(one.listed.items())},
        categories_listed=list(tables.categories.codes(one.categories_listed)),
        other=dict(sorted(one.other.items())),
        categories_unknown=sorted(record.hex() for record in one.gone),
    )


def _refused(one: Refused) -> RefusedView:
    return RefusedView(
        subject=subject_text(one.subject),
        first=_time(one.first_ms),
        last=_time(one.last_ms),
        attempts=dict(sorted(one.attempts.items())),
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)
