"""The signed messages about a patient's encryption key, one dataclass per EIP-712 type, as in ``terms``.

All are signed by the subject's controller for the contract ``KeyRegistry`` (``typed_data.KEYS_NAME``); what
each of them does is in ``contracts/interfaces``.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.types import Bytes32, SubjectId, UnixSeconds


@dataclass(frozen=True, slots=True)
class BindKey:
    """``key_hash`` is the SHA-256 of the public key. ``sequence`` is the number after the last one."""

    subject: SubjectId
    key_hash: Bytes32
    sequence: int
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class WithdrawKey:
    """Withdraws every key up to this number. With the next one it stops a binding that is on its way too."""

    subject: SubjectId
    sequence: int


@dataclass(frozen=True, slots=True)
class AllowMediated:
    """Lets the custodian read, for its readers, what was sealed to the key of this number alone.

    ``segment_kind`` is the salted commitment to the kind of segments that it is about.
    """

    subject: SubjectId
    segment_kind: Bytes32
    sequence: int
    submit_by: UnixSeconds


KeyCommand = BindKey | WithdrawKey | AllowMediated
