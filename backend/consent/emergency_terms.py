"""The signed messages of emergency access, one dataclass per EIP-712 type, as in ``terms``.

All are signed for the contract ``EmergencyAccess``; what each of them does is in ``contracts/interfaces``.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.types import Address, Bytes32, SubjectId, UnixSeconds


@dataclass(frozen=True, slots=True)
class OpenEmergency:
    """Signed by ``responder``. Its struct hash is the opening's id.

    ``reason`` is the salted commitment to the coded reason. ``duration`` is in seconds, at most four hours; 0
    is two hours.
    """

    subject: SubjectId
    responder: Address
    reason: Bytes32
    duration: int
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class OpenEmergencyLate:
    """The same, signed during an outage; ``opened_at`` is the responder's local time."""

    subject: SubjectId
    responder: Address
    reason: Bytes32
    duration: int
    opened_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class CountersignEmergency:
    """Signed by a second responder."""

    opening: Bytes32


@dataclass(frozen=True, slots=True)
class CloseEmergency:
    """Signed by the responder or by the subject's controller."""

    opening: Bytes32


@dataclass(frozen=True, slots=True)
class ReviewEmergency:
    """Signed by a member that took no part."""

    opening: Bytes32
    finding: Bytes32


@dataclass(frozen=True, slots=True)
class SetEmergencyPolicy:
    """Signed by the controller, or by a guardian of a subject without one. ``round`` is the current one."""

    subject: SubjectId
    policy: int
    round: int


EmergencyCommand = (
    OpenEmergency
    | OpenEmergencyLate
    | CountersignEmergency
    | CloseEmergency
    | ReviewEmergency
    | SetEmergencyPolicy
)
