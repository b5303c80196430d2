"""What identity needs of others. Every write of a store is durable when its method returns.

Store methods raise Unavailable when the store does not answer; nothing is then known about the write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from backend.identity.roles import Role
from backend.identity.types import (
    Client,
    Enrolment,
    Family,
    Guardian,
    PrincipalKind,
    SigningKeyState,
    StaffAccount,
)
from backend.types import Address, SubjectId, UnixSeconds


class ContractWallets(Protocol):
    """Asks accounts that are contracts (ERC-1271)."""

    def is_valid(self, address: Address, digest: bytes, signature: bytes) -> bool:
        """True if the contract at ``address`` accepts; False if it refuses, reverts or is no contract.

        Raises LedgerUnavailable when the chain does not answer.
        """
        ...


class SubjectCommands(Protocol):
    """The signed command that opens a subject on chain. Consent, which knows typed data, implements it.

    Without a guardian it is OpenSubject, signed by the patient; with one it is a guardianship, signed by the
    guardian whose account is ``account``. ``evidence``: 32 bytes, digest of what staff saw.
    """

    def draft(
        self, subject_id: SubjectId, account: Address, guardian: Guardian | None, evidence: bytes
    ) -> Mapping[str, Any]:
        """Return the typed data to sign."""
        ...

    def verify(
        self,
        subject_id: SubjectId,
        account: Address,
        guardian: Guardian | None,
        evidence: bytes,
        *,
        message: Mapping[str, Any],
        signature: bytes,
    ) -> bool:
        """True if ``message`` is for exactly these, can still be recorded, and ``account`` signed it."""
        ...


class ActsFor(Protocol):
    """Knows for whom an account holds a live delegation or guardianship here. Opens the door only."""

    def __call__(self, account: Address) -> Collection[SubjectId]: ...


class SingleUse(Protocol):
    def consume(self, purpose: str, value: str, *, until: UnixSeconds) -> bool:
        """Mark as used; True for exactly one caller, ever. The mark is kept at least to ``until``."""
        ...

    def purge(self, *, now: UnixSeconds) -> None:
        """Forget marks whose ``until`` has passed."""
        ...


class AttemptCounter(Protocol):
    def reserve(self, key: str, *, now: UnixSeconds, limit: int, lock_seconds: int) -> bool:
        """Count one attempt before it is made; False, uncounted, while locked.

        The ``limit``-th attempt since the last ``clear`` (or since ``lock_seconds`` passed without one) locks
        for ``lock_seconds``. Atomic: of any number of callers at once, at most ``limit`` get True.
        """
        ...

    def clear(self, key: str) -> None:
        """Forget the attempts: one of them succeeded."""
        ...

    def purge(self, *, before: UnixSeconds) -> None:
        """Forget counters whose last attempt and lock lie before this time."""
        ...


class StaffStore(Protocol):
    def insert(self, account: StaffAccount) -> bool:
        """False if the id or the user name is taken."""
        ...

    def replace(self, account: StaffAccount) -> bool:
        """Write revision n over revision n-1; False if the stored one is another."""
        ...

    def get(self, staff_id: str) -> StaffAccount | None: ...

    def by_username(self, username: str) -> StaffAccount | None: ...

    def all(self) -> Sequence[StaffAccount]: ...


class ClientStore(Protocol):
    def insert(self, client: Client) -> bool:
        """False if the id is taken."""
        ...

    def replace(self, client: Client) -> bool:
        """Write revision n over revision n-1; False if the stored one is another."""
        ...

    def get(self, client_id: str) -> Client | None: ...

    def all(self) -> Sequence[Client]: ...


class FamilyStore(Protocol):
    def insert(self, family: Family) -> None: ...

    def get(self, family_id: str) -> Family | None: ...

    def rotate(self, family_id: str, *, expected: bytes, family: Family) -> bool:
        """Replace the family if its refresh hash is ``expected`` and it goes on; one caller gets True."""
        ...

    def end(self, family_id: str) -> bool:
        """End for good; True for the one call that ended it."""
        ...

    def end_all(self, principal: str) -> int:
        """End every family of a principal (``Grant.principal``); return how many were still going on."""
        ...

    def purge(self, *, now: UnixSeconds) -> None:
        """Forget families past ``expires_at``."""
        ...


class SigningKeyStates(Protocol):
    def all(self) -> Sequence[SigningKeyState]:
        """All generations, lowest first."""
        ...

    def insert(self, state: SigningKeyState) -> bool:
        """False if the generation exists: another process rotated first."""
        ...

    def retire(self, state: SigningKeyState) -> None:
        """Write a state with ``verify_until`` set over the stored one of its generation."""
        ...


class EnrolmentStore(Protocol):
    def insert(self, enrolment: Enrolment) -> bool:
        """False if subject id, record index or code prefix is taken."""
        ...

    def replace(self, enrolment: Enrolment) -> bool:
        """Write revision n over revision n-1; False if the stored one is another or the prefix is taken."""
        ...

    def count_attempt(self, code_prefix: str, *, limit: int) -> Enrolment | None:
        """Count one attempt at a code and return its enrolment.

        None if no enrolment has the prefix or ``limit`` attempts were counted before. Atomic.
        """
        ...

    def clear_attempts(self, code_prefix: str) -> None:
        """Forget the attempts: the right code was given."""
        ...

    def mark_opened(self, subject_id: SubjectId) -> None: ...

    def unopened(self) -> Sequence[Enrolment]:
        """Claimed and not marked as opened, oldest claim first: what a crash may have left."""
        ...

    def get(self, subject_id: SubjectId) -> Enrolment | None: ...

    def by_record_index(self, record_index: bytes) -> Enrolment | None: ...

    def by_account(self, account: Address) -> Sequence[Enrolment]: ...

    def subjects(self) -> Sequence[SubjectId]:
        """Everybody who was ever enrolled."""
        ...


class IdentityAudit(Protocol):
    """One method an event; each returns when the entry is durable. Ids only, never names or secrets."""

    def signed_in(self, *, kind: PrincipalKind, principal_id: str, family_id: str) -> None: ...

    def sign_in_refused(self, *, kind: PrincipalKind, principal_id: str, code: str) -> None:
        """``principal_id`` is empty where nobody is known to have that name."""
        ...

    def signed_out(self, *, principal: str, family_id: str) -> None: ...

    def refresh_token_reused(self, *, principal: str, family_id: str) -> None: ...

    def sessions_ended(self, *, principal: str, by: str, count: int) -> None: ...

    def staff_changed(self, *, staff_id: str, by: str, change: str, roles: frozenset[Role]) -> None:
        """``change``: created, roles, account, password, password_reset, disabled, enabled."""
        ...

    def client_changed(self, *, client_id: str, by: str, change: str) -> None:
        """``change``: registered, secret_rotated, scopes, keys, disabled, enabled."""
        ...

    def signing_key_rotated(self, *, key_id: str, by: str, compromised: bool) -> None: ...

    def enrolment_code_issued(self, *, subject_id: SubjectId, by: str, evidence: bytes) -> None:
        """``evidence``: 32-byte digest naming the staff who checked; see Person.evidence_salt."""
        ...

    def enrolment_claimed(self, *, subject_id: SubjectId, account: Address) -> None: ...

    def enrolment_refused(self, *, account: Address, code: str) -> None: ...
