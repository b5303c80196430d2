"""What the chain stores of a subject's recovery, and what shows that a proposal may be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.consent.ledger_types import NOBODY
from backend.consent.recovery_terms import RecoveryPolicy
from backend.consent.terms import ZERO32, Delegation, Kind, Power
from backend.types import Address, Bytes32, UnixSeconds

COMPLETION_SECONDS: Final = 7 * 24 * 3600
"""How long a proposal can be completed once its delay is over."""
GRACE_DELAYS: Final = 4
"""How many delays guardians count after their guardianship ended, and a later policy waits."""


@dataclass(frozen=True, slots=True)
class RecoveryState:
    """What the chain stores. It says nothing about now: ask ``is_pending`` and ``in_force``.

    ``policy`` is in force unless ``next_policy`` is due at ``next_from``; zero means none. ``controller`` is
    the one proposed, the zero address for none.
    """

    policy: Bytes32
    next_policy: Bytes32
    next_from: UnixSeconds
    policy_round: int
    guardians_as_of: UnixSeconds
    controller: Address
    proposed_at: UnixSeconds
    round: int
    is_veto_spent: bool

    def in_force(self, now: int) -> Bytes32 | None:
        """Return the policy that a proposal of this moment is judged by."""
        found = self.next_policy if self.is_due(now) else self.policy
        return None if found == ZERO32 else found

    def waiting(self, now: int) -> Bytes32 | None:
        """Return the policy that comes into force later."""
        return None if self.next_policy == ZERO32 or self.is_due(now) else self.next_policy

    def is_due(self, now: int) -> bool:
        return self.next_policy != ZERO32 and now >= self.next_from

    def is_pending(self, now: int, delay_seconds: int) -> bool:
        """Whether one was proposed and neither stopped, completed nor lapsed."""
        lapses_at = self.proposed_at + delay_seconds + COMPLETION_SECONDS
        return self.controller != NOBODY and now < lapses_at

    def can_be_stopped(self, now: int) -> bool:
        """Whether the controller has its veto, of a proposal of this moment too."""
        return not self.is_veto_spent or self.is_due(now)


@dataclass(frozen=True, slots=True)
class RecoveryProof:
    """Who agreed to a proposal: guardians with their signatures, the new controller, perhaps the desk.

    ``policy`` is the one in force, None for a subject without controller.
    """

    policy: RecoveryPolicy | None
    guardians: Sequence[tuple[Delegation, bytes]]
    acceptance: bytes
    desk: Address = NOBODY
    desk_signature: bytes = b""


def is_for_recovery_alone(delegation: Delegation) -> bool:
    """Whether a guardianship gives no power at all but to recover, where the patient names it for that.

    A power is needed, and this one is empty: powers that may be passed on over no step.
    """
    return (
        delegation.kind == Kind.GUARDIANSHIP and delegation.powers == Power.DELEGATE and delegation.depth == 0
    )
