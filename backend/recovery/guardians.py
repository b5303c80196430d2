"""Who is a guardian of whom, as far as recovery is concerned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.consent.decision_types import Evidence
from backend.consent.evidence import EvidenceBook
from backend.consent.evidence_store import ConsentIndex
from backend.consent.recovery_state import GRACE_DELAYS
from backend.consent.terms import Delegation, Kind
from backend.types import Address, ConsentId, SubjectId


@dataclass(frozen=True, slots=True)
class Guardian:
    guardianship: ConsentId
    document: Delegation

    @property
    def account(self) -> Address:
        return self.document.delegate


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardians:
    """``delay_seconds``: the chain's. Four pass until one whose guardianship ended counts no more."""

    index: ConsentIndex
    evidence: EvidenceBook
    delay_seconds: int
    clock: Callable[[], int]

    def of(self, subject: SubjectId) -> dict[ConsentId, Guardian]:
        """Return everybody who counts as a guardian at the head, by guardianship.

        The contract looks again, and as of the moment of the first proposal.
        """
        grace = GRACE_DELAYS * self.delay_seconds
        return {
            found.guardianship: found
            for item, found in self._recorded(subject)
            if item.head.not_before <= self.clock() < _end(item) + grace
        }

    def live(self, subject: SubjectId) -> dict[ConsentId, Guardian]:
        """Return those whom the patient could name now."""
        now = self.clock()
        return {
            found.guardianship: found
            for item, found in self._recorded(subject)
            if item.head.not_before <= now < _end(item) and not item.revocation_pending
        }

    def subjects(self, account: Address) -> list[SubjectId]:
        """Return for whom the account was ever given a power."""
        return sorted(self.index.delegated_to(account))

    def _recorded(self, subject: SubjectId) -> Iterator[tuple[Evidence, Guardian]]:
        for item in self.evidence.gather(subject).evidence:
            document = item.prepared.document
            if (
                isinstance(document, Delegation)
                and document.kind == Kind.GUARDIANSHIP
                and item.head.is_recorded
            ):
                yield item, Guardian(item.prepared.consent_id, document)


def _end(item: Evidence) -> int:
    revoked_at, not_after = item.head.revoked_at, item.head.not_after
    return min(revoked_at, not_after) if revoked_at else not_after
