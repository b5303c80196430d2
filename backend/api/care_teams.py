"""Care teams: kept by their organisation, seen by patients who decide about them, proved from the log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from backend.api.idempotent import Key, attempt
from backend.api.schemas import (
    Body,
    Hex16,
    Hex32,
    HexSubject,
    Moment,
    bytes32,
    moment,
    seconds,
    subject_id,
)
from backend.api.security import Caller, agent_of, needs, requesting_member, require_party
from backend.audit import codes
from backend.audit.entry import AuditEvent, Group, Outcome
from backend.consent.care_team import CareTeam, Participant
from backend.consent.errors import CareTeamUnknown
from backend.errors import InvalidInput
from backend.identity.roles import Scope
from backend.identity.types import PrincipalKind
from backend.types import LogIndex, MemberId, UnixSeconds, to_hex

router = APIRouter(prefix="/v1/care-teams", tags=["care teams"])
Managing = Annotated[Caller, Depends(needs(Scope.CARE_TEAM_MANAGE))]
Anyone = Annotated[Caller, Depends(needs())]
Proving = Annotated[Caller, Depends(needs(Scope.AUDIT_READ, Scope.ACCESS_LOG_OWN))]
# Who sees a team without being of it. Its id is 32 random bytes that nobody guesses.
_MAY_SEE = frozenset({Scope.CONSENT_OWN, Scope.AUDIT_READ, Scope.DECISION_REVIEW})


class CareTeamBody(Body):
    """A team of the caller's organisation."""

    name: str = Field(min_length=1, max_length=200)


class ParticipantBody(Body):
    """A staff account or a client; one of the two is named."""

    staff_id: Hex16 | None = None
    client_id: Hex16 | None = None
    name: str | None = Field(
        default=None, min_length=1, max_length=200, description="for patients; default: the account's name"
    )
    role: str = Field(min_length=1, max_length=100, description="in the team, such as 'surgeon'")
    period_start: Moment | None = Field(default=None, description="default: now")
    period_end: Moment | None = Field(
        default=None, description="first moment at which it is not in the team any more; default: no end"
    )


class ParticipantView(BaseModel):
    participant_id: str
    principal: str = Field(description="'staff:' or 'client:' and the id that the access list shows")
    member_id: str | None = Field(description="the organisation it acts for")
    name: str
    role: str
    period_start: datetime | None
    period_end: datetime | None
    removed_at: datetime | None
    present: bool = Field(description="whether it is in the team at the time of this view")


class CareTeamView(BaseModel):
    """A team as of ``at``, with everybody who is, was or will be in it."""

    care_team_id: str
    name: str
    status: str = Field(description="active or, once it is closed, inactive")
    managing_organisation: str
    created_at: datetime | None
    closed_at: datetime | None
    version: int
    membership: str = Field(description="digest of this version, as the access list has it")
    at: datetime | None
    participants: list[ParticipantView]


class MembershipView(CareTeamView):
    document: str = Field(
        description="the version as it was kept; SHA-256 over 'assent/care-team/1', a line end, and this is "
        "the digest"
    )


@router.post("", status_code=201, response_model=CareTeamView)
def create_care_team(body: CareTeamBody, caller: Managing, idempotency_key: Key = None) -> CareTeamView:
    """Make an empty team of the caller's organisation. Its id can be named in consents like a member's."""
    services, principal = caller
    organisation = requesting_member(principal)
    with attempt(caller, "care-teams", idempotency_key, body) as act:
        made = services.care_teams.create(
            body.name, organisation=organisation, by=agent_of(principal), attempt=act
        )
    return _view(made, services.clock())


@router.get("", response_model=list[CareTeamView])
def list_care_teams(caller: Anyone) -> list[CareTeamView]:
    """Those the caller's organisation manages, by name."""
    services, principal = caller
    if principal.member_id is None:
        return []
    return [_view(team, services.clock()) for team in services.care_teams.of(principal.member_id)]


@router.get("/{team}", response_model=CareTeamView)
def get_care_team(team: Hex32, caller: Anyone) -> CareTeamView:
    """What a team is and who is in it, for its organisation, for those in it, for patients and reviewers."""
    services, principal = caller
    found = services.care_teams.get(MemberId(bytes32(team)))
    now = services.clock()
    own = principal.member_id == found.organisation
    inside = any(one.principal == principal.name for one in found.present(now))
    if not (own or inside) and principal.scopes.isdisjoint(_MAY_SEE):
        raise CareTeamUnknown
    return _view(found, now)


@router.post("/{team}/participants", status_code=201, response_model=CareTeamView)
def add_participant(
    team: Hex32, body: ParticipantBody, caller: Managing, idempotency_key: Key = None
) -> CareTeamView:
    """Add somebody for a period, ``period_start <= t < period_end``."""
    services, principal = caller
    found = _managed(caller, team)
    now = services.clock()
    named = _participant(body, caller, now=now)
    with attempt(caller, f"care-teams/{team}/participants", idempotency_key, body) as act:
        changed = services.care_teams.add(found.team_id, named, by=agent_of(principal), attempt=act)
    return _view(changed, now)


@router.delete("/{team}/participants/{participant}", response_model=CareTeamView)
def remove_participant(team: Hex32, participant: Hex16, caller: Managing) -> CareTeamView:
    """End somebody's time in the team. In force for every read from now on; twice is harmless."""
    services, principal = caller
    found = _managed(caller, team)
    return _view(
        services.care_teams.remove(found.team_id, participant, by=agent_of(principal)), services.clock()
    )


@router.post("/{team}/close", response_model=CareTeamView)
def close_care_team(team: Hex32, caller: Managing) -> CareTeamView:
    """End the team for good. In force for every read from now on; its id is never used again."""
    services, principal = caller
    found = _managed(caller, team)
    return _view(services.care_teams.close(found.team_id, by=agent_of(principal)), services.clock())


@router.get("/{team}/memberships/{digest}", response_model=MembershipView)
def get_membership(
    team: Hex32,
    digest: Hex32,
    caller: Proving,
    subject: Annotated[
        HexSubject | None, Query(description="a patient names whose access list it is")
    ] = None,
    entry: Annotated[int | None, Query(ge=0, description="and the entry of it that has the digest")] = None,
    at: Annotated[Moment | None, Query(description="an auditor: as of then; default: now")] = None,
) -> MembershipView:
    """Who was in a team when it was relied on, by the digest in the access list. Reading it is logged."""
    services, principal = caller
    name, membership = MemberId(bytes32(team)), bytes32(digest)
    about = None
    moment_of = seconds(at, default=UnixSeconds(services.clock()))
    if Scope.AUDIT_READ not in principal.scopes:
        if subject is None or entry is None:
            raise InvalidInput("Name the entry of your access list that has the digest.", field="entry")
        about = subject_id(subject)
        require_party(principal, subject=about, member=None)
        event = services.accesses.find(about, LogIndex(entry)).event
        groups: tuple[Group, ...] = () if event is None else event.groups
        if event is None or not any((one.id, one.membership) == (name, membership) for one in groups):
            raise CareTeamUnknown
        moment_of = UnixSeconds(event.occurred_at_ms // 1000)
    found = services.care_teams.version(name, membership)
    services.audit.append(
        AuditEvent(
            type=codes.AUDIT_READ,
            outcome=Outcome.PERMITTED,
            occurred_at_ms=services.clock() * 1000,
            actor=agent_of(principal),
            subject=about,
            groups=(Group(name, found.version, membership),),
        )
    )
    return MembershipView(**_view(found, moment_of).model_dump(), document=found.encode().decode())


def _managed(caller: Caller, team: str) -> CareTeam:
    """Return a team of the caller's organisation. Raises CareTeamUnknown, also for those of others."""
    found = caller.services.care_teams.get(MemberId(bytes32(team)))
    if found.organisation != caller.principal.member_id:
        raise CareTeamUnknown
    return found


def _participant(body: ParticipantBody, caller: Caller, *, now: int) -> Participant:
    """Return who is to be added. Raises StaffUnknown, ClientUnknown."""
    identity = caller.services.identity
    if (body.staff_id is None) == (body.client_id is None):
        raise InvalidInput("Name a staff account or a client.", field="staff_id")
    if body.staff_id is not None:
        account = identity.staff.get(body.staff_id)
        principal, own_name = f"{PrincipalKind.STAFF}:{account.staff_id}", account.username
        member = account.member_id
    else:
        client = identity.clients.get(body.client_id or "")
        principal, own_name, member = (
            f"{PrincipalKind.CLIENT}:{client.client_id}",
            client.name,
            client.member_id,
        )
    return Participant(
        participant_id="",
        principal=principal,
        member=member,
        name=body.name or own_name,
        role=body.role,
        start=seconds(body.period_start, default=UnixSeconds(now)),
        end=seconds(body.period_end),
    )


def _view(team: CareTeam, at: int) -> CareTeamView:
    present = set(team.present(at))
    return CareTeamView(
        care_team_id=to_hex(team.team_id),
        name=team.name,
        status="active" if team.closed_at is None or at < team.closed_at else "inactive",
        managing_organisation=to_hex(team.organisation),
        created_at=moment(team.created_at),
        closed_at=None if team.closed_at is None else moment(team.closed_at),
        version=team.version,
        membership=to_hex(team.digest),
        at=moment(at),
        participants=[
            ParticipantView(
                participant_id=one.participant_id,
                principal=one.principal,
                member_id=None if one.member is None else to_hex(one.member),
                name=one.name,
                role=one.role,
                period_start=moment(one.start),
                period_end=moment(one.end),
                removed_at=None if one.removed_at is None else moment(one.removed_at),
                present=one in present,
            )
            for one in team.participants
        ],
    )
