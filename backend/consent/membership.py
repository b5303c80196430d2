"""Whether those who ask still take part: suspended, removed or expired members are permitted nothing.

Membership widens, so it has to be there at the final block and at the head; whatever ends it counts from the
moment it was accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from backend.consent.decision_types import DecisionInput
from backend.consent.ledger_types import NO_MEMBER, Membership, MemberStanding
from backend.types import MemberId


def in_standing(member: MemberId, request: DecisionInput) -> bool:
    """Return whether it is an active member with a credential that has not expired."""
    return member not in request.suspended and all(
        found.get(member, NO_MEMBER).counts_at(request.now)
        for found in (request.members_final, request.members_head)
    )


def ended_groups(request: DecisionInput) -> frozenset[MemberId]:
    """Return the requester's organisations that are members and not in standing, and those of its care teams
    that it has left or whose organisation is no member in standing."""
    ended = not_in_standing(
        request.requester.organisations,
        final=request.members_final,
        head=request.members_head,
        suspended=request.suspended,
        now=request.now,
    )
    if not request.requester.teams:
        return ended
    return ended | {
        name
        for name, organisation in request.requester.teams
        if organisation is None or not in_standing(organisation, request)
    }


def not_in_standing(
    members: Iterable[MemberId],
    *,
    final: Mapping[MemberId, Membership],
    head: Mapping[MemberId, Membership],
    suspended: frozenset[MemberId],
    now: int,
) -> frozenset[MemberId]:
    """Return those that are members, at the final block or at the head, and do not count.

    Others (a study) are no members: whoever named them answers for them.
    """
    ended = set()
    for member in members:
        found = [of.get(member, NO_MEMBER) for of in (final, head)]
        known = any(one.standing != MemberStanding.UNKNOWN for one in found)
        if member in suspended or (known and not all(one.counts_at(now) for one in found)):
            ended.add(member)
    return frozenset(ended)
