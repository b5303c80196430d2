"""What recovery needs of others. Every write is durable on return. Stores raise IndexUnavailable, the chain
LedgerUnavailable and what it refuses with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backend.consent.ledger_types import Receipt
from backend.consent.recovery_state import RecoveryProof, RecoveryState
from backend.consent.recovery_terms import ProposeRecovery, SetRecoveryPolicy, VetoRecovery
from backend.recovery.types import CaseRow, PolicyRow
from backend.types import Address, Bytes32, SubjectId


class RecoveryChain(Protocol):
    """A step that was taken before returns the receipt of that time."""

    def state(self, subject: SubjectId) -> RecoveryState:
        """Return what is stored at the head."""

    def set_policy(self, command: SetRecoveryPolicy, signature: bytes) -> Receipt: ...

    def propose(self, proposal: ProposeRecovery, proof: RecoveryProof) -> Receipt: ...

    def veto(self, command: VetoRecovery, signature: bytes) -> Receipt: ...

    def complete(self, subject: SubjectId) -> Receipt:
        """Raises NotYet before its time; again, it is refused."""


class DeskSigner(Protocol):
    """The account with which the custodian stands for what its desk has checked."""

    @property
    def account(self) -> Address: ...

    def sign(self, digest: bytes) -> bytes:
        """Return 65 bytes."""


class PolicyStore(Protocol):
    def put(self, row: PolicyRow) -> None:
        """Keep a policy. The same name again changes nothing."""

    def get(self, name: Bytes32) -> PolicyRow | None: ...


class CaseStore(Protocol):
    def insert(self, row: CaseRow) -> bool:
        """False if there is one of this patient and account."""

    def replace(self, row: CaseRow) -> bool:
        """Write revision n over revision n-1; False if the stored one is another."""

    def get(self, name: str) -> CaseRow | None: ...

    def of_subject(self, subject: SubjectId) -> Sequence[CaseRow]: ...

    def of_account(self, controller: Address) -> Sequence[CaseRow]: ...

    def collecting(self) -> Sequence[CaseRow]: ...


class Enrolments(Protocol):
    def recovered(self, subject_id: SubjectId, account: Address) -> None:
        """Have the account stand for the subject from now on. Again, and for nobody enrolled, it does
        nothing."""


class Sessions(Protocol):
    def end_all(self, principal: str, *, by: str) -> int:
        """End every session of a principal; return how many were going on."""
