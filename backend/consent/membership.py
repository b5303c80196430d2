"""Whether those who ask still take part: suspended, removed or expired members are permitted nothing.

Membership widens, so it has to be there at the final block and at the head; whatever ends it counts from the
moment it was accepted.
"""

from __future__ import annotations

from backend.consent.decision_types import DecisionInput
from backend.consent.ledger_types import NO_MEMBER, MemberStanding
from backend.types import MemberId


def in_standing(member: MemberId, request: DecisionInput) -> bool:
    """Return whether it is an active member with a credential that has not expired."""
    return member not in request.suspended and all(
        found.get(member, NO_MEMBER).counts_at(request.now)
        for found in (request.members_final, request.members_head)
    )


def ended_organisations(request: DecisionInput) -> frozenset[MemberId]:
    """Return the requester's organisations that are members and not in standing.

    Others (a study, a care team) are no members: whoever named them answers for them.
    """
    return frozenset(
        organisation
        for organisation in request.requester.organisations
        if _is_known(organisation, request) and not in_standing(organisation, request)
    )


def _is_known(member: MemberId, request: DecisionInput) -> bool:
    return member in request.suspended or any(
        found.get(member, NO_MEMBER).standing != MemberStanding.UNKNOWN
        for found in (request.members_final, request.members_head)
    )
