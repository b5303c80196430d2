"""Opens the subject of an enrolment on the chain, and says for whom an account may act."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from backend.consent.evidence import EvidenceBook
from backend.consent.evidence_store import ConsentIndex, ConsentRow, SignedDocument, place_of
from backend.consent.recovery_state import is_for_recovery_alone
from backend.consent.relay import ConsentRelay
from backend.consent.subject_commands import read_command
from backend.consent.terms import Delegation
from backend.consent.typed_data import consent_id
from backend.identity.enrolment import EnrolmentService
from backend.identity.types import Claim
from backend.sealed import DocumentSealer
from backend.types import Address, ConsentId, SubjectId, UnixSeconds


class SubjectOpening:
    """Opens claimed subjects on the chain, once, however often it is called.

    Claims are durable before the chain hears of them; what a crash leaves in between, ``complete_all`` makes
    good at start-up. Raises LedgerUnavailable and LedgerRejected.
    """

    def __init__(
        self,
        *,
        enrolments: EnrolmentService,
        index: ConsentIndex,
        evidence: EvidenceBook,
        relay: ConsentRelay,
        sealer: DocumentSealer,
        clock: Callable[[], int],
    ) -> None:
        self._enrolments = enrolments
        self._index = index
        self._evidence = evidence
        self._relay = relay
        self._sealer = sealer
        self._clock = clock

    def __call__(self, claim: Claim) -> ConsentId | None:
        """Return the consent id of a guardian's power, for a child."""
        command = read_command(claim.message, claim.guardian)
        if not isinstance(command, Delegation):
            if not claim.opened:
                self._relay.open_subject(command, claim.signature)
                self._enrolments.mark_opened(claim.subject_id)
            return None
        guardianship = consent_id(command)
        if not claim.opened:
            self._keep(command, claim)
            receipt = self._relay.open_subject_under_guardian(command, claim.signature)
            self._index.set_receipt(
                guardianship, block=receipt.block_number, transaction=receipt.transaction_hash
            )
            self._enrolments.mark_opened(claim.subject_id)
        return guardianship

    def complete_all(self) -> None:
        """Open what was claimed before a crash."""
        for claim in self._enrolments.unopened():
            self(claim)

    def _keep(self, guardianship: Delegation, claim: Claim) -> None:
        # Before the chain counts it: a guardianship without its document would make the evidence incomplete.
        signed = SignedDocument(guardianship, claim.signature, claim.account)
        identity = consent_id(guardianship)
        self._index.put(
            ConsentRow(
                consent_id=identity,
                subject=claim.subject_id,
                sealed=self._sealer.seal(signed.encode(), subject=claim.subject_id, place=place_of(identity)),
                received_at=UnixSeconds(self._clock()),
                delegate=guardianship.delegate,
            )
        )
        self._evidence.add(signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActsFor:
    """The subjects an account holds a live delegation or guardianship for. Opens the door only.

    Implements ``backend.identity.ports.ActsFor``.
    """

    index: ConsentIndex
    evidence: EvidenceBook
    clock: Callable[[], int]

    def __call__(self, account: Address) -> Collection[SubjectId]:
        return self.powers(account).keys()

    def powers(self, account: Address) -> Mapping[SubjectId, int]:
        """Return by subject the powers of everything live that the account holds, as a mask of the table."""
        return {
            subject: reduce(or_, (held.powers for held in live))
            for subject in self.index.delegated_to(account)
            if (live := list(self._live(account, subject)))
        }

    def _live(self, account: Address, subject: SubjectId) -> Iterator[Delegation]:
        now = self.clock()
        for item in self.evidence.gather(subject).evidence:
            document = item.prepared.document
            if (
                isinstance(document, Delegation)
                and document.delegate.lower() == account.lower()
                and item.head.is_recorded
                and not item.head.revoked_at
                and not item.revocation_pending
                and document.not_before <= now < document.not_after
                and not is_for_recovery_alone(document)
            ):
                yield document
