"""Erasure as the API sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.audit.proof import ProofBuilder
from backend.erasure.authority import MayErase
from backend.erasure.errors import ErasureNotDone, ErasureUnknown
from backend.erasure.holds import LegalHolds
from backend.erasure.jobs import ErasureJobs
from backend.erasure.receipt import is_code_of, receipt_of
from backend.erasure.results import ResultRetention
from backend.erasure.results_receipt import results_receipt
from backend.erasure.retention import Retention
from backend.erasure.service import Erasures
from backend.erasure.types import ErasureRow, State
from backend.interop.receipts.parties import Custodian
from backend.interop.receipts.signing import DocumentSigner
from backend.interop.receipts.vocabulary import Json
from backend.research.types import StudyId
from backend.types import SubjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureServices:
    erasures: Erasures
    holds: LegalHolds
    may_erase: MayErase
    erases: Callable[[SubjectId], bool]  # whether the person is being erased, or was
    proofs: ProofBuilder
    signer: DocumentSigner
    custodian: Custodian
    retention: Retention
    results: ResultRetention
    jobs: ErasureJobs  # not started
    code_key: bytes
    grace_seconds: int

    def receipt(self, row: ErasureRow) -> Json:
        """Return the signed receipt. Raises ErasureNotDone, AuditUnavailable."""
        if row.state is not State.ERASED or row.entry is None:
            raise ErasureNotDone
        proof = self.proofs.entry(None, row.entry)
        return self.signer.sign(receipt_of(row, custodian=self.custodian, proof=proof))

    def results_receipts(self, study: StudyId) -> list[Json]:
        """Return the signed receipts of what was removed of a study's results. Raises AuditUnavailable."""
        return [
            self.signer.sign(
                results_receipt(
                    removal, custodian=self.custodian, proof=self.proofs.entry(None, removal.entry)
                )
            )
            for removal in self.results.of_study(study)
        ]

    def by_code(self, erasure_id: str, code: str) -> ErasureRow:
        """Return the erasure that the receipt code is of. Raises ErasureUnknown, whichever is wrong."""
        row = self.erasures.get(erasure_id)
        if not is_code_of(row, self.code_key, code):
            raise ErasureUnknown
        return row
