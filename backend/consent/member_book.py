"""Who takes part, and how each stands: the chain's word, with what was accepted here and is not on it yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.consent.ledger_types import NOBODY, MemberStanding
from backend.consent.member_order import ADMISSION, REINSTATEMENT, STOP, MemberUnknown
from backend.consent.member_registry import Member, MemberNames, MemberRegistry
from backend.errors import LedgerUnavailable
from backend.outbox.service import Outbox
from backend.outbox.types import Act
from backend.types import Address, MemberId, UnixSeconds

WARN_SECONDS: Final = 30 * 24 * 3600


class Shown(StrEnum):
    """How a member stands as operators see it."""

    ACTIVE = "active"
    SCHEDULED = "scheduled"  # its admission or reinstatement waits
    SUSPENDED = "suspended"
    REMOVED = "removed"


class Credential(StrEnum):
    """Whether a member's credential needs an operator's attention."""

    GOOD = "good"
    EXPIRING = "expiring"  # within 30 days
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Standing:
    """``effective_from``: with SCHEDULED, when it takes effect; None while it is not announced on the chain.

    ``recorded``: whether the chain says the same; a stop counts here before it does.
    """

    shown: Shown
    effective_from: UnixSeconds | None = None
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """``name`` is None for a member that was admitted elsewhere. ``roles``: bits, as on the chain."""

    member: MemberId
    name: str | None
    roles: int
    account: Address | None
    expiry: UnixSeconds
    credential: Credential
    standing: Standing


_ON_CHAIN: Final = {
    MemberStanding.ACTIVE: Shown.ACTIVE,
    MemberStanding.SUSPENDED: Shown.SUSPENDED,
    MemberStanding.REMOVED: Shown.REMOVED,
}


class MemberBook:
    """Lists members. Raises LedgerUnavailable where only the chain could tell."""

    def __init__(
        self, *, registry: MemberRegistry, names: MemberNames, outbox: Outbox, clock: Callable[[], int]
    ) -> None:
        self._registry = registry
        self._names = names
        self._outbox = outbox
        self._clock = clock

    def all(self) -> list[Entry]:
        """Return every member in the order of admission, then those whose admission waits."""
        acts = self._outbox.unfinished(STOP, ADMISSION, REINSTATEMENT)
        members: dict[MemberId, Member | None] = dict(self._registry.members())
        for act in acts:
            if act.kind == ADMISSION:
                members.setdefault(MemberId(act.data["member"]), None)
        names = self._names.of(members)
        return [self._entry(member, found, names.get(member), acts) for member, found in members.items()]

    def names(self, members: Collection[MemberId]) -> Mapping[MemberId, str]:
        """Return the names of those that were admitted here, without asking the chain."""
        return self._names.of(members)

    def get(self, member: MemberId) -> Entry:
        """Raises MemberUnknown."""
        acts = self._outbox.unfinished(STOP, ADMISSION, REINSTATEMENT)
        found: Member | None = self._registry.member(member)
        if found is None or found.standing == MemberStanding.UNKNOWN:
            found = None
            if not any(act.kind == ADMISSION and act.data["member"] == member for act in acts):
                raise MemberUnknown(field="member")
        return self._entry(member, found, self._names.of([member]).get(member), acts)

    def standing(self, member: MemberId) -> Standing:
        """Return how a member stands, also while the chain is away if a stop of it is under way.

        A member whose admission was called off counts as removed. Raises LedgerUnavailable.
        """
        acts = self._outbox.unfinished(STOP, ADMISSION, REINSTATEMENT)
        try:
            found: Member | None = self._registry.member(member)
        except LedgerUnavailable:
            if not any(act.kind == STOP and act.data["member"] == member for act in acts):
                raise
            found = None
        return _standing(member, found, acts)

    def _entry(self, member: MemberId, found: Member | None, name: str | None, acts: list[Act]) -> Entry:
        standing = _standing(member, found, acts)
        if found is None:
            found = _wanted(member, acts)
        return Entry(
            member=member,
            name=name,
            roles=found.roles,
            account=None if found.account == NOBODY else found.account,
            expiry=found.expiry,
            credential=_credential(found, standing.shown, now=self._clock()),
            standing=standing,
        )


def _standing(member: MemberId, found: Member | None, acts: list[Act]) -> Standing:
    stops = [act for act in acts if act.kind == STOP and act.data["member"] == member]
    on_chain = None if found is None else _ON_CHAIN.get(found.standing)
    if on_chain is Shown.REMOVED or any(act.data["wanted"] == MemberStanding.REMOVED for act in stops):
        return Standing(Shown.REMOVED, recorded=on_chain is Shown.REMOVED)
    newest = max((act.data["number"] for act in stops), default=-1)
    waiting = [
        act
        for act in acts
        if act.kind != STOP and act.data["member"] == member and act.data["stops"] > newest
    ]
    if waiting and (stops or on_chain is not Shown.ACTIVE):
        return Standing(Shown.SCHEDULED, waiting[-1].data["effective_from"], recorded=False)
    if stops:
        return Standing(Shown.SUSPENDED, recorded=on_chain is Shown.SUSPENDED)
    return Standing(on_chain or Shown.REMOVED)


def _wanted(member: MemberId, acts: list[Act]) -> Member:
    """What a member that the chain does not know yet is to be admitted with."""
    for act in acts:
        if act.kind == ADMISSION and act.data["member"] == member:
            roles, expiry, account = act.data["credential"]
            return Member(roles, MemberStanding.UNKNOWN, UnixSeconds(expiry), Address(account))
    raise MemberUnknown


def _credential(found: Member, shown: Shown, *, now: int) -> Credential:
    if shown is Shown.REMOVED or now < found.expiry - WARN_SECONDS:
        return Credential.GOOD
    return Credential.EXPIRING if now < found.expiry else Credential.EXPIRED
