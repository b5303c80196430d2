"""Who takes part, for everybody who is signed in: names for the ids that consents and the log hold.

No accounts and no credentials: those are for operators, at /v1/members.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.members import role_names
from backend.api.security import Caller, needs
from backend.api.services import Services
from backend.consent.member_book import Shown
from backend.types import MemberId, to_hex

router = APIRouter(prefix="/v1/organisations", tags=["participants and accounts"])
_CUSTODIAN: Final = "custodian"


class OrganisationView(BaseModel):
    member_id: str
    name: str | None = Field(description="null for a member that another custodian admitted")
    standing: Shown
    roles: list[str] = Field(description="as on the chain")
    custodian: bool = Field(description="whether it keeps records and runs a service as this one")


@router.get("", response_model=list[OrganisationView])
def list_organisations(caller: Annotated[Caller, Depends(needs())]) -> list[OrganisationView]:
    """All members of the consortium, in the order of admission, also those that were removed: consents of the
    past name them."""
    entries = caller.services.member_book.all()
    names = names_of([entry.member for entry in entries], caller.services)
    found = []
    for entry in entries:
        roles = role_names(entry.roles)
        found.append(
            OrganisationView(
                member_id=to_hex(entry.member),
                name=names.get(entry.member),
                standing=entry.standing.shown,
                roles=roles,
                custodian=_CUSTODIAN in roles,
            )
        )
    return found


def names_of(members: Collection[MemberId], services: Services) -> Mapping[MemberId, str]:
    """Return the names that are known here, this custodian's own among them. The chain is not asked."""
    own = {services.tenant: services.custodian.name} if services.tenant in members else {}
    return {**own, **services.member_book.names(members)}
