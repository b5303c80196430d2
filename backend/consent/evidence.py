"""Gathers what a decision rests on: a patient's signed documents, and what the chain says of each.

Documents are immutable and identified by their hash, so they are kept in memory once read. Whether they are
all of them is the chain's answer, not the index's: see docs/decisions/0003-evidence-from-the-count.md.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backend.consent.assembly import assemble
from backend.consent.decision_types import Evidence
from backend.consent.evidence_store import ConsentIndex, ConsentRow, SignedDocument
from backend.consent.ledger_types import ConsentSlot, LedgerView, Membership, SubjectEvidence
from backend.consent.ports import Ledger
from backend.consent.prepared import Prepared, prepare
from backend.consent.restrictions import Pending, RestrictionQueue
from backend.consent.terms import Grant
from backend.consent.uses import UseStore
from backend.sealed import DocumentSealer
from backend.types import ConsentId, MemberId, SubjectId

MAX_CACHED_SUBJECTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything about one subject that a decision needs, at one moment."""

    view: LedgerView
    final: SubjectEvidence
    head: SubjectEvidence
    members_final: Mapping[MemberId, Membership]
    members_head: Mapping[MemberId, Membership]
    evidence: tuple[Evidence, ...]
    pending: Pending


class EvidenceBook:
    """Reads and remembers evidence. Safe for many threads."""

    def __init__(
        self,
        *,
        index: ConsentIndex,
        ledger: Ledger,
        sealer: DocumentSealer,
        restrictions: RestrictionQueue,
        uses: UseStore,
    ) -> None:
        self._index = index
        self._ledger = ledger
        self._sealer = sealer
        self._restrictions = restrictions
        self._uses = uses
        self._lock = threading.Lock()
        self._documents: OrderedDict[SubjectId, dict[ConsentId, Prepared]] = OrderedDict()

    def gather(self, subject: SubjectId, members: Collection[MemberId] = ()) -> Gathered:
        """Return a subject's evidence, and where these members stand.

        Raises LedgerUnavailable, IndexUnavailable, SealedDocumentRefused.
        The queue's position is read first: whatever is accepted afterwards is caught by the guard of the
        audit append, so nothing can fall between the two.
        """
        pending = self._restrictions.pending_for(subject)
        view = self._ledger.view()
        gathered = self._at(view, subject, self._known(subject), pending, members)
        if not _covers(gathered):
            # Another process recorded a consent, or the index lost one: only the index can tell.
            gathered = self._at(view, subject, self._load(subject), pending, members)
        return gathered

    def subject(self, subject: SubjectId) -> SubjectEvidence:
        """Return the subject's controller, epoch and count at the head."""
        view = self._ledger.view()
        return self._ledger.evidence(subject, (), block=view.head_number)

    def documents(self, subject: SubjectId) -> dict[ConsentId, Prepared]:
        """Return all documents of a subject, read again from the index."""
        return self._load(subject)

    def limits(self, subject: SubjectId) -> dict[ConsentId, int]:
        """Return how many uses each consent of the subject permits that permits a limited number."""
        return {
            name: prepared.document.terms.max_uses
            for name, prepared in self._known(subject).items()
            if isinstance(prepared.document, Grant) and prepared.is_limited
        }

    def signed(self, subject: SubjectId, consent: ConsentId) -> SignedDocument | None:
        """Return a document with its signature, read again from the index; None where only the chain has it.

        Raises IndexUnavailable, SealedDocumentRefused.
        """
        row = self._index.get(consent)
        if row is None or row.subject != subject:
            return None
        return self._opened(row, subject)

    def add(self, signed: SignedDocument) -> None:
        """Remember a document that was just recorded, if its subject is in memory."""
        prepared = prepare(signed.document, signed.via)
        with self._lock:
            known = self._documents.get(signed.document.subject)
            if known is not None:
                self._documents[signed.document.subject] = {**known, prepared.consent_id: prepared}

    def _known(self, subject: SubjectId) -> dict[ConsentId, Prepared]:
        with self._lock:
            known = self._documents.get(subject)
            if known is not None:
                self._documents.move_to_end(subject)
                return known
        return self._load(subject)

    def _load(self, subject: SubjectId) -> dict[ConsentId, Prepared]:
        loaded: dict[ConsentId, Prepared] = {}
        for row in self._index.of_subject(subject):
            signed = self._opened(row, subject)
            prepared = prepare(signed.document, signed.via)
            loaded[prepared.consent_id] = prepared
        with self._lock:
            self._documents[subject] = loaded
            self._documents.move_to_end(subject)
            while len(self._documents) > MAX_CACHED_SUBJECTS:
                self._documents.popitem(last=False)
        return loaded

    def _opened(self, row: ConsentRow, subject: SubjectId) -> SignedDocument:
        place = f"consents/{row.consent_id.hex()}"
        return SignedDocument.decode(self._sealer.open(row.sealed, subject=subject, place=place))

    def _at(
        self,
        view: LedgerView,
        subject: SubjectId,
        documents: dict[ConsentId, Prepared],
        pending: Pending,
        members: Collection[MemberId],
    ) -> Gathered:
        ids = tuple(documents)
        at_final = at_head = self._ledger.facts(subject, ids, members, block=view.final_number)
        if view.head_number != view.final_number:
            at_head = self._ledger.facts(subject, ids, members, block=view.head_number)
        final, head = at_final.subject, at_head.subject
        limited = [name for name, prepared in documents.items() if prepared.is_limited]
        uses = self._uses.counts(limited) if limited else {}
        evidence = assemble(tuple(documents.values()), final=final, head=head, pending=pending, uses=uses)
        return Gathered(view, final, head, at_final.members, at_head.members, evidence, pending)


def _covers(gathered: Gathered) -> bool:
    def recorded(slots: Sequence[ConsentSlot]) -> int:
        return sum(slot.kind != 0 and slot.not_before != 0 for slot in slots)

    return (
        recorded(gathered.final.slots) == gathered.final.count
        and recorded(gathered.head.slots) == gathered.head.count
    )
