"""For whom a caller acts: its member, its organisations, and the care teams that it is in now."""

from __future__ import annotations

from backend.api.security import Caller
from backend.consent.care_teams import Acting
from backend.consent.decision_types import Requester
from backend.identity.types import PrincipalKind


def acting_of(caller: Caller) -> Acting:
    """Name the caller in a decision: a wallet by its account, others by member, organisations and teams.

    From memory; raises CareTeamsDamaged.
    """
    services, principal = caller
    requester = Requester(
        actor=principal.member_id, organisations=principal.organisations, account=principal.account
    )
    if principal.kind is PrincipalKind.WALLET:
        return Acting(requester, ())
    return services.care_teams.acting(principal.name, requester)
