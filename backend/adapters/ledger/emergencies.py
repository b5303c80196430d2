"""The wrapper of ``EmergencyAccess``."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import IntEnum

from backend.adapters.ledger.calls import BoundContract, Call
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.headers import delegation_header
from backend.consent.emergency_terms import OpenEmergency, OpenEmergencyLate
from backend.consent.ledger_types import NOBODY
from backend.consent.terms import Delegation
from backend.types import Address, BlockNumber, Bytes32, MemberId, SubjectId, UnixSeconds

_GAS = 1_600_000  # an opening takes 0.2 million, and two contract wallets may be asked for their signatures


class EmergencyPolicy(IntEnum):
    """A patient's standing policy; who never set one limits."""

    LIMIT = 0
    ALLOW = 1
    FORBID = 2


@dataclass(frozen=True, slots=True)
class Opening:
    """What is stored of an opening; all zero where there is none.

    It says nothing about now: ask ``is_open``.
    """

    member: MemberId
    countersigner: MemberId
    finding: Bytes32
    responder: Address
    subject: SubjectId
    opened_at: UnixSeconds
    expires_at: UnixSeconds
    recorded_at: UnixSeconds
    closed_at: UnixSeconds
    reviewed_at: UnixSeconds
    late: bool


@dataclass(frozen=True, slots=True)
class Countersignature:
    """Another responder's CountersignEmergency of an opening."""

    account: Address = NOBODY
    signature: bytes = b""


ALONE = Countersignature()


class EmergencyAccess(BoundContract):
    """Every command carries the signature of the account it names and is relayed by anyone."""

    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("EmergencyAccess", address, chain)

    # --- views

    def is_open(self, opening: Bytes32, *, block: BlockNumber) -> bool:
        """Return whether the opening gives access at the block's own time."""
        return bool(self._view("isOpen", opening, block=block)[0])

    def opening(self, opening: Bytes32, *, block: BlockNumber) -> Opening:
        return Opening(*self._view("openingOf", opening, block=block)[0])

    def opening_id(self, request: OpenEmergency, *, block: BlockNumber) -> Bytes32:
        return Bytes32(self._view("openingId", astuple(request), block=block)[0])

    def late_opening_id(self, request: OpenEmergencyLate, *, block: BlockNumber) -> Bytes32:
        return Bytes32(self._view("lateOpeningId", astuple(request), block=block)[0])

    def has_overdue_review(self, member: MemberId, *, block: BlockNumber) -> bool:
        return bool(self._view("hasOverdueReview", member, block=block)[0])

    def oldest_unreviewed(self, member: MemberId, *, block: BlockNumber) -> Bytes32:
        """Return the member's opening that waits longest for its review; zero where none does."""
        return Bytes32(self._view("oldestUnreviewedOf", member, block=block)[0])

    def next_unreviewed(self, opening: Bytes32, *, block: BlockNumber) -> Bytes32:
        return Bytes32(self._view("nextUnreviewedAfter", opening, block=block)[0])

    def policy(self, subject: SubjectId, *, block: BlockNumber) -> tuple[EmergencyPolicy, int]:
        """Return the policy and the round to sign for its next change."""
        policy, round_ = self._view("emergencyPolicyOf", subject, block=block)
        return EmergencyPolicy(policy), round_

    def policy_at(self, subject: SubjectId, time: UnixSeconds, *, block: BlockNumber) -> EmergencyPolicy:
        """Return the policy at the end of a second, as the block knows it."""
        return EmergencyPolicy(self._view("emergencyPolicyAt", subject, time, block=block)[0])

    # --- commands

    def open(
        self, request: OpenEmergency, signature: bytes, countersignature: Countersignature = ALONE
    ) -> Call:
        other = countersignature
        return self._call(
            "openEmergency", astuple(request), signature, other.account, other.signature, gas=_GAS
        )

    def open_late(
        self, request: OpenEmergencyLate, signature: bytes, countersignature: Countersignature = ALONE
    ) -> Call:
        other = countersignature
        return self._call(
            "openEmergencyLate", astuple(request), signature, other.account, other.signature, gas=_GAS
        )

    def close(self, opening: Bytes32, closer: Address, signature: bytes) -> Call:
        """Close early, by the responder's account or the subject's controller."""
        return self._call("closeEmergency", opening, closer, signature, gas=_GAS)

    def review(self, opening: Bytes32, reviewer: Address, finding: Bytes32, signature: bytes) -> Call:
        """Record the salted commitment to a review's finding."""
        return self._call("reviewEmergency", opening, reviewer, finding, signature, gas=_GAS)

    def set_policy(self, subject: SubjectId, policy: EmergencyPolicy, round_: int, signature: bytes) -> Call:
        return self._call("setEmergencyPolicy", subject, int(policy), round_, signature, gas=_GAS)

    def set_policy_by_guardian(
        self, guardianship: Delegation, policy: EmergencyPolicy, round_: int, signature: bytes
    ) -> Call:
        """Limit or allow, by a guardian of a subject without a controller."""
        header = delegation_header(guardianship)
        return self._call("setEmergencyPolicyByGuardian", header, int(policy), round_, signature, gas=_GAS)
