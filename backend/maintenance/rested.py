"""What a permit rested on that an earlier block did not have: the rules of ``assent audit finality``.

A decision needs more of the chain than consents: whoever asks has to be a member in standing, own records
need the account that controls the subject, and what leaves sealed was sealed to a key that the chain names.
It does not ask for roles.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from backend.audit import codes
from backend.audit.entry import AgentKind, AuditEvent, Outcome
from backend.audit.errors import EntryDamaged
from backend.consent.basis import Basis
from backend.consent.decision_types import Reason
from backend.consent.ledger_types import BoundKey, Membership, MemberStanding
from backend.records.trail import SEALED_TO
from backend.types import Address, Bytes32, ConsentId, MemberId, SubjectId, to_hex

_OF_KEYS: Final = frozenset({codes.KEY_SHARED, codes.KEY_HANDED_OVER})
_WHY: Final = {
    MemberStanding.UNKNOWN: "not admitted",
    MemberStanding.ACTIVE: "expired",
    MemberStanding.SUSPENDED: "suspended",
    MemberStanding.REMOVED: "removed",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """``kind``: "consent", "member", "account" or "key". ``why``: how it stood at the earlier block."""

    kind: str
    id: str
    why: str


class Then(Protocol):
    """The chain at that block. Methods raise LedgerUnavailable."""

    def is_recorded(self, subject: SubjectId, consent: ConsentId) -> bool: ...

    def membership(self, member: MemberId) -> Membership: ...

    def controller(self, subject: SubjectId) -> Address: ...

    def subject_key(self, subject: SubjectId) -> BoundKey:
        """Return the patient's key; its hash is zero where none counted."""
        ...

    def member_key(self, member: MemberId) -> Bytes32:
        """Return the hash of the member's key; zero where it had none."""
        ...


def may_rest(event: AuditEvent) -> bool:
    """Whether an entry is of a kind that can have grounds: a permit, or a key that was opened to somebody."""
    return event.subject is not None and (event.outcome is Outcome.PERMITTED or event.type in _OF_KEYS)


def lost_grounds(event: AuditEvent, then: Then) -> tuple[Ground, ...]:
    """Return what the event, which ``may_rest``, rested on and was not there then."""
    subject = event.subject
    if subject is None:
        return ()
    found = [*_of_key(event, subject, then)]
    if event.outcome is Outcome.PERMITTED:
        found += [*_of_consents(event, subject, then), *_of_members(event, then)]
        found += _of_account(event, subject, then)
    return tuple(found)


def _of_consents(event: AuditEvent, subject: SubjectId, then: Then) -> Iterator[Ground]:
    for consent in event.consents:
        if not then.is_recorded(subject, consent):
            yield Ground("consent", to_hex(consent), "not recorded")


def _of_members(event: AuditEvent, then: Then) -> Iterator[Ground]:
    """An organisation that is no member is named by a consent, and needs no admission."""
    now, required, named = event.occurred_at_ms // 1000, {event.organisation}, set[MemberId]()
    if event.basis:
        with suppress(EntryDamaged):
            basis = Basis.decode(event.basis)
            through = {group.id for group in event.groups}
            now, required = basis.now, {basis.requester.actor}
            required |= {team.organisation for team in basis.requester.teams if team.team in through}
            named = set(basis.requester.organisations)
    for member in sorted({each for each in required if each is not None} | named):
        found = then.membership(member)
        known = found.standing != MemberStanding.UNKNOWN
        if not found.counts_at(now) and (known or member in required):
            yield Ground("member", to_hex(member), _WHY[MemberStanding(found.standing)])


def _of_account(event: AuditEvent, subject: SubjectId, then: Then) -> Iterator[Ground]:
    if Reason.OWN_RECORDS.value in event.reasons and event.actor.kind is AgentKind.ACCOUNT:
        controller = then.controller(subject)
        if controller.lower() != event.actor.id:
            yield Ground("account", event.actor.id, "not in control")


def _of_key(event: AuditEvent, subject: SubjectId, then: Then) -> Iterator[Ground]:
    sequence, key = event.detail.get("sequence"), event.detail.get(SEALED_TO)
    if event.type == codes.KEY_HANDED_OVER and isinstance(sequence, int):
        if then.subject_key(subject).sequence < sequence:
            yield Ground("key", str(sequence), "not bound")
    elif isinstance(key, bytes) and event.organisation is not None:
        if then.member_key(event.organisation) != key:
            yield Ground("key", to_hex(key), "not registered")
    elif isinstance(key, bytes) and then.subject_key(subject).key_hash != key:
        yield Ground("key", to_hex(key), "not bound")
