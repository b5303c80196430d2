"""Puts a paper that both witnesses signed on the chain, by one act of the outbox: the account of the pair,
the delegation, the grant.
"""

from __future__ import annotations

from collections.abc import Callable

from backend.consent.evidence import EvidenceBook
from backend.consent.evidence_store import ConsentIndex, ConsentRow, SignedDocument
from backend.consent.evidence_store import place_of as place_of_consent
from backend.consent.ledger_types import Receipt
from backend.consent.paper_errors import PaperUnknown
from backend.consent.paper_types import (
    GuardianRelay,
    Pairs,
    Paper,
    PaperRow,
    PaperState,
    PaperStore,
    Signatures,
    place_of,
)
from backend.consent.service import ConsentService
from backend.consent.typed_data import consent_id
from backend.errors import Conflict
from backend.identity.enrolment import EnrolmentService
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.sealed import DocumentSealer
from backend.types import UnixSeconds

ACT = "paper"


class PaperRecording:
    """Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        store: PaperStore,
        sealer: DocumentSealer,
        pairs: Pairs,
        relay: GuardianRelay,
        index: ConsentIndex,
        evidence: EvidenceBook,
        enrolments: EnrolmentService,
        consents: ConsentService,
        outbox: Outbox,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._pairs = pairs
        self._relay = relay
        self._index = index
        self._evidence = evidence
        self._enrolments = enrolments
        self._consents = consents
        self._outbox = outbox
        self._clock = clock
        outbox.register(
            ACT,
            {
                "signed": self._open_pair,
                "paired": self._keep,
                "kept": self._delegate,
                "delegated": self._grant,
            },
        )

    def record(self, paper: Paper) -> None:
        """Carry the act to its end. Raises as ``ConsentService.submit``."""
        self._outbox.drive(self._begin(paper))

    def complete_all(self) -> None:
        """At start-up: begin the acts of papers whose second signature was kept just before a crash."""
        for row in self._store.in_state(PaperState.SIGNED):
            self._begin(self.opened(row))

    def may_have_granted(self, paper: Paper) -> bool:
        """Whether the grant is recorded or could be by now. A paper stopped before that is never granted."""
        act = self._outbox.find(ACT, paper.paper_id)
        return act is not None and bool(act.data.get("delegated"))

    def opened(self, row: PaperRow) -> Paper:
        """Return the paper. Raises SealedDocumentRefused, SchemaUnknown."""
        encoded = self._sealer.open(row.sealed, subject=row.subject, place=place_of(row.paper_id))
        return Paper.decode(encoded, paper_id=row.paper_id, revision=row.revision)

    def sealed(self, paper: Paper) -> PaperRow:
        """Return the row of a paper, without its scan."""
        place = place_of(paper.paper_id)
        sealed = self._sealer.seal(paper.encode(), subject=paper.subject, place=place)
        return PaperRow(
            paper.paper_id, paper.subject, paper.state.value, paper.revision, paper.consent_id, sealed
        )

    def _begin(self, paper: Paper) -> Act:
        return self._outbox.begin(
            ACT, paper.paper_id, state="signed", data={"digest": bytes(paper.consent_id)}
        )

    def _open_pair(self, act: Act) -> Advance:
        self._pairs.open(self._paper(act).pair)
        return Advance("paired", {})

    def _keep(self, act: Act) -> Advance:
        # Before the chain counts it: a delegation without its document would make the evidence incomplete.
        paper = self._paper(act)
        signed = SignedDocument(
            paper.delegation, _joined(paper).delegation, self._pairs.address_of(paper.pair)
        )
        identity = consent_id(paper.delegation)
        sealed = self._sealer.seal(signed.encode(), subject=paper.subject, place=place_of_consent(identity))
        self._enrolments.mark_opened(paper.subject)  # an earlier code opens nothing any more
        self._index.put(
            ConsentRow(identity, paper.subject, sealed, UnixSeconds(self._clock()), paper.delegation.delegate)
        )
        return Advance("kept", {})

    def _delegate(self, act: Act) -> Advance:
        paper = self._paper(act)
        signature = _joined(paper).delegation
        receipt = self._guardianship(paper, signature)
        self._index.set_receipt(
            consent_id(paper.delegation), block=receipt.block_number, transaction=receipt.transaction_hash
        )
        self._evidence.add(SignedDocument(paper.delegation, signature, self._pairs.address_of(paper.pair)))
        return Advance("delegated", {"delegated": True})

    def _guardianship(self, paper: Paper, signature: bytes) -> Receipt:
        if not self._evidence.subject(paper.subject).opened:
            try:
                return self._relay.open_subject_under_guardian(paper.delegation, signature)
            except Conflict:
                if not self._evidence.subject(paper.subject).opened:
                    raise  # else another paper of the same patient was first
        return self._relay.add_guardian(paper.delegation, signature)

    def _grant(self, act: Act) -> Advance:
        paper = self._paper(act)
        # Read again here: a stop that came before is seen, and one that comes after finds this state.
        if paper.state == PaperState.SIGNED:
            self._consents.submit(paper.grant, _joined(paper).grant, via=(paper.delegation,))
            self._store.replace(self.sealed(paper.changed(state=PaperState.RECORDED)))  # or it was stopped
        return Advance(DONE, {})

    def _paper(self, act: Act) -> Paper:
        row = self._store.get(act.act_id)
        if row is None:
            raise PaperUnknown
        return self.opened(row)


def _joined(paper: Paper) -> Signatures:
    signed = paper.joined()
    if signed is None:
        raise PaperUnknown("A signature is missing.")
    return signed
