"""The care teams that a consent names, told to the patient who is about to sign it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from backend.api.services import Services
from backend.consent.errors import CareTeamClosed
from backend.consent.member_order import MemberUnknown
from backend.consent.terms import Document, Effect, Grant
from backend.types import MemberId, to_hex


class NamedTeam(BaseModel):
    """GET /v1/care-teams/{id} tells who is in it and when."""

    care_team_id: str
    name: str
    status: str
    managing_organisation: str
    organisation_name: str | None = Field(description="null for one that another custodian admitted")
    present: list[str] = Field(description="names of those who are in it now")


def named_teams(document: Document, services: Services) -> list[NamedTeam]:
    """Return the care teams that a consent or one of its rules names."""
    if not isinstance(document, Grant):
        return []
    now = services.clock()
    return [
        NamedTeam(
            care_team_id=to_hex(team.team_id),
            name=team.name,
            status="active" if team.closed_at is None else "inactive",
            managing_organisation=to_hex(team.organisation),
            organisation_name=_name(team.organisation, services),
            present=[one.name for one in team.present(now)],
        )
        for team in services.care_teams.known(_names(document))
    ]


def require_open(document: Document, services: Services) -> None:
    """Raise CareTeamClosed for a permit to a team that is closed; a deny may name it, for nothing may block
    what restricts."""
    if isinstance(document, Grant) and document.terms.decision == Effect.PERMIT:
        grantee = services.care_teams.known([document.terms.grantee])
        if any(team.closed_at is not None for team in grantee):
            raise CareTeamClosed(field="grantee")


def _names(document: Grant) -> list[MemberId]:
    rules = document.terms.rules
    return [document.terms.grantee, *(grantee for rule in rules for grantee in rule.grantees)]


def _name(organisation: MemberId, services: Services) -> str | None:
    try:
        return services.member_book.get(organisation).name
    except MemberUnknown:
        return None
