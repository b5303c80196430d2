"""What the board needs of stores and of the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.consent.ledger_types import LedgerView, Receipt
from backend.consent.member_terms import PermitStudy
from backend.research.board.types import Seat
from backend.research.types import StudyId
from backend.types import Address, BlockNumber, UnixSeconds


@dataclass(frozen=True, slots=True)
class CaseRow:
    """The file of a study, sealed."""

    study: StudyId
    version: int
    sealed: bytes


class CaseStore(Protocol):
    """Every write is durable when its method returns. All methods raise Unavailable in doubt."""

    def get(self, study: StudyId) -> CaseRow | None: ...

    def put(self, row: CaseRow) -> bool:
        """Store the row whose version is one above the stored one (1: the first); False when it is not."""
        ...


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A study's paper, sealed."""

    study: StudyId
    sha256: bytes
    sealed: bytes
    stored_at: UnixSeconds


class DocumentStore(Protocol):
    def put(self, row: DocumentRow) -> None:
        """Store it, durable; one that is there stays as it is."""
        ...

    def get(self, study: StudyId, sha256: bytes) -> DocumentRow | None: ...

    def present(self, study: StudyId) -> Mapping[bytes, UnixSeconds]:
        """Digest and time of each stored paper of a study, without opening any."""
        ...


@dataclass(frozen=True, slots=True)
class StudyRun:
    """One run whose result left: ``table`` is the digest of a released table, b'' for none."""

    study: StudyId
    run_id: bytes
    result: bytes
    table: bytes
    at: UnixSeconds


class RunStore(Protocol):
    def record(self, run: StudyRun) -> None:
        """Store it, durable; the same result again changes nothing."""
        ...

    def of_study(self, study: StudyId) -> Sequence[StudyRun]:
        """Runs in the order of their time."""
        ...


class BoardRoll(Protocol):
    """Members of the ethics board in standing, by the chain's head and what is stopped here already.

    Raises LedgerUnavailable where only the chain could tell.
    """

    def seats(self) -> Sequence[Seat]: ...


@dataclass(frozen=True, slots=True)
class ChainStudy:
    """A study at one block. ``not_after`` 0: never permitted."""

    rules: bytes
    not_before: UnixSeconds
    not_after: UnixSeconds
    revoked_at: UnixSeconds
    round: int
    suspended: bool


class BoardLedger(Protocol):
    """The chain's register of studies. A command that took effect before returns the receipt of that time or
    does nothing. Raises a Conflict where the contract refuses, LedgerUnavailable in doubt.
    """

    def view(self) -> LedgerView: ...

    def state(self, study: StudyId, *, block: BlockNumber | None = None) -> ChainStudy:
        """Return the study at a block, by default the head."""
        ...

    def permit_study(self, permit: PermitStudy, approvals: Mapping[Address, bytes]) -> Receipt: ...

    def refuse_study(self, study: StudyId, approvals: Mapping[Address, bytes]) -> Receipt: ...

    def resume_study(self, study: StudyId, round_: int, approvals: Mapping[Address, bytes]) -> Receipt: ...

    def revoke_study(self, study: StudyId, approvals: Mapping[Address, bytes]) -> Receipt: ...

    def suspend_study(self, study: StudyId, round_: int, member: Address, signature: bytes) -> Receipt: ...

    def is_valid_signature(self, account: Address, digest: bytes, signature: bytes) -> bool:
        """Ask a contract wallet (ERC-1271)."""
        ...
