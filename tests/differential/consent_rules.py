"""The rules of consent in plain Python, written from contracts/properties.md, docs/contracts.md and the
NatSpec.

An act that breaks rules raises Refused with the errors of *all* rules it breaks: the documents do not say
in which
order a contract looks, so it must refuse with one of them, and must succeed where there are none. An act that
breaks nothing changes the state and returns the events it must leave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.differential.documents import (
    DELEGATION,
    DENY,
    GUARDIANSHIP,
    NOBODY,
    PERMIT,
    REFUSAL,
    ZERO,
    Delegation,
    Deputy,
    Grant,
    InPerson,
)
from tests.differential.member_model import MemberModel
from tests.differential.outcome import Event

GRANT_KINDS = {PERMIT, DENY, REFUSAL}
DELEGATION_KINDS = {DELEGATION, GUARDIANSHIP}
LONGEST_CHAIN = 4
DEEPEST = 3


@dataclass
class Subject:
    controller: str
    custodian: bytes
    epoch: int = 0
    count: int = 0
    is_recovery_flagged: bool = False


@dataclass
class Entry:
    """What is known of one id. ``not_before`` zero: revoked before it was recorded, so it never counted."""

    subject: int
    kind: int
    epoch: int
    not_before: int
    not_after: int
    revoked_at: int = 0
    given_under: bytes = ZERO  # the delegation a delegate used

    @property
    def tag(self) -> int:
        is_named = self.given_under != ZERO and not self.revoked_at
        return 2**39 | int.from_bytes(self.given_under) % 2**39 if is_named else 0

    def slot(self) -> int:
        fields = (self.subject, 0), (self.kind, 96), (self.epoch, 104), (self.revoked_at or self.tag, 136)
        return sum(value << at for value, at in (*fields, (self.not_after, 176), (self.not_before, 216)))


@dataclass
class ConsentRules:
    """What is known of every subject and id, and the rules that all acts share."""

    members: MemberModel
    is_wallet: Callable[[str], bool]
    now: Callable[[], int]
    is_recovery_pending: Callable[[int], bool] = lambda _subject: False
    subjects: dict[int, Subject] = field(default_factory=dict)
    entries: dict[bytes, Entry] = field(default_factory=dict)
    ended_for_cause: dict[bytes, int] = field(default_factory=dict)

    # --- what counts

    def is_in_window(self, entry: Entry) -> bool:
        return entry.not_before <= self.now() < entry.not_after

    def ends_with_epoch(self, kind: int) -> bool:
        return kind in {PERMIT, DELEGATION}

    def ended_at(self, entry: Entry) -> int:
        """When it was revoked, or, for a delegate's permit, its delegation ended for cause; the first date
        stays."""
        cause = self.ended_for_cause.get(entry.given_under, 0) if entry.kind == PERMIT else 0
        return entry.revoked_at or cause

    def is_live(self, id_: bytes, kind: int) -> bool:
        entry = self.entries.get(id_)
        if entry is None or entry.kind != kind or not entry.not_before or self.ended_at(entry):
            return False
        is_current = not self.ends_with_epoch(kind) or entry.epoch == self.subjects[entry.subject].epoch
        return is_current and self.is_in_window(entry)

    def chain_faults(self, subject: int, chain: tuple[Delegation, ...], powers: int) -> set[str]:
        """What speaks against using ``chain[0]``: whole, in order, of the subject, every link live, the
        powers."""
        if not 1 <= len(chain) <= LONGEST_CHAIN:
            return {"ChainLengthInvalid"}
        faults = self._order_faults(chain)
        if any(link.subject != subject or not self.is_live(link.id, link.kind) for link in chain):
            faults.add("DelegationNotLive")
        if any(link.kind not in DELEGATION_KINDS for link in chain):
            faults.add("DelegationNotLive")
        if powers & ~chain[0].powers:
            faults.add("PowerMissing")
        return faults

    def _order_faults(self, chain: tuple[Delegation, ...]) -> set[str]:
        parents = [link.parent for link in chain]
        return {"ChainBroken"} if parents != [*(link.id for link in chain[1:]), ZERO] else set()

    # --- who agrees

    def _authority_faults(self, subject: int, by: InPerson | Deputy, powers: int) -> set[str]:
        if isinstance(by, Deputy):
            faults = self.chain_faults(subject, by.chain, powers)
            if by.chain and by.signer != by.chain[0].delegate:
                faults.add("SignatureInvalid")
            return faults
        controller = self.subjects[subject].controller if subject in self.subjects else NOBODY
        is_heard = by.way != "batch" or not self.is_wallet(by.signer)
        if by.signer == controller != NOBODY and is_heard:
            return set()
        return {"NotController" if by.way == "sends" else "SignatureInvalid"}

    # --- what is written

    def _document_faults(self, document: Grant | Delegation) -> set[str]:
        """The rules that every document to be recorded keeps."""
        faults = set() if document.subject in self.subjects else {"SubjectUnknown"}
        subject = self.subjects.get(document.subject)
        if subject is None or document.epoch != subject.epoch:
            faults.add("EpochNotCurrent")
        if self.now() > document.submit_by:
            faults.add("SubmittedTooLate")
        if max(document.not_before, self.now()) >= document.not_after:
            faults.add("WindowEmpty")
        entry = self.entries.get(document.id)
        if entry and entry.not_before:
            faults.add("AlreadyRecorded")
        if entry and entry.revoked_at:
            faults.add("AlreadyRevoked")
        if self.widens(document.kind) and self.is_recovery_pending(document.subject):
            faults.add("RecoveryPending")
        return faults

    def widens(self, kind: int) -> bool:
        """What a pending recovery holds up: all but denies and refusals."""
        return kind not in {DENY, REFUSAL}

    def _record(self, document: Grant | Delegation, given_under: bytes = ZERO) -> Entry:
        begin = max(document.not_before, self.now())
        entry = Entry(document.subject, document.kind, document.epoch, begin, document.not_after)
        entry.given_under = given_under
        self.entries[document.id] = entry
        self.subjects[document.subject].count += 1
        return entry

    def _revoke(self, id_: bytes) -> list[Event]:
        entry = self.entries[id_]
        if self.ended_at(entry):
            return []
        entry.revoked_at = self.now()
        return [Event("ConsentRevoked", id=id_, subject=entry.subject, revokedAt=self.now())]
