"""Who is signed in, and for whom: what a page needs to know before it shows anything."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.organisations import names_of
from backend.api.security import Caller, needs
from backend.identity.principal import Principal
from backend.identity.types import PrincipalKind
from backend.types import subject_text, to_hex

router = APIRouter(prefix="/v1/auth", tags=["sign-in"])


class OwnOrganisation(BaseModel):
    member_id: str
    name: str | None = Field(description="null for a member that another custodian admitted")


class SubjectOfSession(BaseModel):
    """A patient whose affairs the caller may look at."""

    subject: str
    relation: Literal["self", "acting"] = Field(
        description="'self': the account enrolled as the patient; 'acting': it holds a live delegation or"
        " guardianship"
    )
    powers: list[str] = Field(description="with 'acting' what it may do, as codes; with 'self' empty: all")


class SessionView(BaseModel):
    """``scopes`` say what the token may try; each read is decided as well."""

    kind: PrincipalKind
    id: str = Field(description="of a wallet its account, of staff the staff id, of a client the client id")
    account: str | None = Field(description="the wallet that signed in, or that a staff account is linked to")
    roles: list[str]
    scopes: list[str]
    organisation: OwnOrganisation | None = Field(description="the one that the caller acts for, if any")
    subjects: list[SubjectOfSession] = Field(description="those it enrolled as first")


@router.get("/session", response_model=SessionView)
def get_session(caller: Annotated[Caller, Depends(needs())]) -> SessionView:
    """Who the token is for, and for which patients."""
    services, principal = caller
    member = principal.member_id
    return SessionView(
        kind=principal.kind,
        id=principal.id,
        account=principal.account,
        roles=sorted(principal.roles),
        scopes=sorted(principal.scopes),
        organisation=None
        if member is None
        else OwnOrganisation(member_id=to_hex(member), name=names_of([member], services).get(member)),
        subjects=_subjects(caller, principal),
    )


def _subjects(caller: Caller, principal: Principal) -> list[SubjectOfSession]:
    """As ``principal.subject_ids`` is found, told apart. Staff and clients are nobody's patient, whichever
    wallet a staff account is linked to."""
    if principal.kind is not PrincipalKind.WALLET or principal.account is None:
        return []
    services = caller.services
    own = services.identity.enrolments.subjects_of(principal.account)
    acting = services.acts_for.powers(principal.account)
    return [
        *(SubjectOfSession(subject=subject_text(one), relation="self", powers=[]) for one in sorted(own)),
        *(
            SubjectOfSession(
                subject=subject_text(one),
                relation="acting",
                powers=list(services.tables.powers.codes(powers)),
            )
            for one, powers in sorted(acting.items())
            if one not in own
        ),
    ]
