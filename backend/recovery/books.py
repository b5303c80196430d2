"""Policies and cases, sealed in the index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from backend.consent.recovery_terms import RecoveryPolicy
from backend.consent.typed_data import struct_hash
from backend.errors import IntegrityError
from backend.recovery.errors import PolicyMissing
from backend.recovery.ports import CaseStore, PolicyStore
from backend.recovery.types import (
    Case,
    CaseRow,
    CaseState,
    PolicyRow,
    case_id,
    case_place,
    decode_policy,
    encode_policy,
    policy_place,
)
from backend.sealed import DocumentSealer
from backend.types import Address, Bytes32, SubjectId


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """The chain has the hash of a policy alone, and the guardians need what it is of."""

    store: PolicyStore
    sealer: DocumentSealer

    def keep(self, policy: RecoveryPolicy, subject: SubjectId) -> None:
        name = struct_hash(policy)
        sealed = self.sealer.seal(encode_policy(policy), subject=subject, place=policy_place(name))
        self.store.put(PolicyRow(name, subject, sealed))

    def open(self, name: Bytes32, subject: SubjectId) -> RecoveryPolicy:
        """Return a policy. Raises PolicyMissing, SealedDocumentRefused."""
        row = self.store.get(name)
        if row is None or row.subject != subject:
            raise PolicyMissing
        return decode_policy(self.sealer.open(row.sealed, subject=subject, place=policy_place(name)), name)


@dataclass(frozen=True, slots=True)
class CaseBook:
    store: CaseStore
    sealer: DocumentSealer

    def find(self, subject: SubjectId, controller: Address) -> Case | None:
        row = self.store.get(case_id(subject, controller))
        return None if row is None else self.opened(row)

    def put(self, case: Case) -> bool:
        """Write a case that ``Case.changed`` made, or a first one; False where somebody else was faster."""
        sealed = self.sealer.seal(case.encode(), subject=case.subject, place=case_place(case.case_id))
        row = CaseRow(
            case_id=case.case_id,
            subject=case.subject,
            controller=case.controller,
            collecting=case.state is CaseState.COLLECTING,
            revision=case.revision,
            sealed=sealed,
        )
        return self.store.replace(row) if case.revision else self.store.insert(row)

    def of_subject(self, subject: SubjectId) -> list[Case]:
        return self._all(self.store.of_subject(subject))

    def of_account(self, controller: Address) -> list[Case]:
        return self._all(self.store.of_account(controller))

    def collecting(self) -> list[Case]:
        return self._all(self.store.collecting())

    def opened(self, row: CaseRow) -> Case:
        """Raises SealedDocumentRefused, IntegrityError where the row says something else."""
        sealed = self.sealer.open(row.sealed, subject=row.subject, place=case_place(row.case_id))
        case = Case.decode(sealed, revision=row.revision)
        said = (row.case_id, row.subject, row.controller, row.collecting)
        if said != (case.case_id, case.subject, case.controller, case.state is CaseState.COLLECTING):
            raise IntegrityError
        return case

    def _all(self, rows: Iterable[CaseRow]) -> list[Case]:
        return [self.opened(row) for row in rows]
