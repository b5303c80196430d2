"""The signed messages of recovery and of ending for cause, one dataclass per EIP-712 type, as in ``terms``.

Those of recovery are signed for the contract ``Recovery`` (``typed_data.RECOVERY_NAME``), the others for the
``ConsentRegistry``. What each of them does is in ``contracts/interfaces``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.types import Address, Bytes32, ConsentId, SubjectId, UnixSeconds

MAX_GUARDIANS: Final = 16


@dataclass(frozen=True, slots=True)
class EndForCause:
    """Ends a delegation or guardianship and every permit given under it. Signed by the controller."""

    delegation: ConsentId


@dataclass(frozen=True, slots=True)
class DelegatedEndForCause:
    """The same for ``ended``, signed by a guardian under ``delegation``, its own guardianship."""

    ended: ConsentId
    delegation: ConsentId


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """``threshold`` of these guardianships recover the subject. The chain gets its hash only."""

    guardianships: tuple[ConsentId, ...]
    threshold: int
    salt: Bytes32


@dataclass(frozen=True, slots=True)
class SetRecoveryPolicy:
    """Signed by the controller. ``round`` is the number of policies set before."""

    subject: SubjectId
    policy: RecoveryPolicy
    round: int
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class ProposeRecovery:
    """Signed by each guardian. ``round`` is the subject's, raised by every proposal, veto and completion."""

    subject: SubjectId
    controller: Address
    round: int
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class AcceptRecovery:
    """Signed by the account that is to control the subject."""

    subject: SubjectId
    controller: Address
    round: int
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class ConfirmRecovery:
    """Signed by the identity desk, the custodian that opened the subject."""

    subject: SubjectId
    controller: Address
    round: int
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class VetoRecovery:
    """Signed by the present controller, or by a guardian of a subject without one."""

    subject: SubjectId
    round: int


RecoveryCommand = SetRecoveryPolicy | ProposeRecovery | AcceptRecovery | ConfirmRecovery | VetoRecovery
