"""Gathers what a decision rests on: a patient's signed documents, and what the chain says of each.

Documents are immutable and identified by their hash, so they are kept in memory once read, and with them the
evidence that was last put together: it is the same, and so are its indexes, until a block, the queue or a use
changes it. Whether they are all of them is the chain's answer, not the index's: see
docs/decisions/0003-evidence-from-the-count.md.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from backend.consent.assembly import assemble
from backend.consent.evidence_set import EvidenceSet
from backend.consent.evidence_store import ConsentIndex, ConsentRow, SignedDocument, place_of
from backend.consent.ledger_types import LedgerView, Membership, SubjectEvidence
from backend.consent.ports import Ledger
from backend.consent.prepared import Prepared, prepare
from backend.consent.restrictions import Pending, RestrictionQueue
from backend.consent.terms import Grant
from backend.consent.uses import UNUSED, Taken, UseLimit, UseStore, limit_of
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
    evidence: EvidenceSet
    pending: Pending


@dataclass(frozen=True, slots=True)
class _Assembled:
    """Evidence, and everything that it was put together from."""

    final: SubjectEvidence
    head: SubjectEvidence
    pending: tuple[object, ...]
    uses: Mapping[ConsentId, Taken]
    evidence: EvidenceSet


@dataclass(slots=True)
class _Kept:
    """The documents of one subject, which never change, and the evidence last assembled from them."""

    documents: Mapping[ConsentId, Prepared]
    ids: tuple[ConsentId, ...]
    limits: Mapping[ConsentId, UseLimit]
    assembled: _Assembled | None = None

    @classmethod
    def of(cls, documents: Mapping[ConsentId, Prepared]) -> _Kept:
        limits = {
            name: limit_of(prepared.document.terms)
            for name, prepared in documents.items()
            if isinstance(prepared.document, Grant) and prepared.is_limited
        }
        return cls(documents, tuple(documents), limits)

    def evidence(
        self, final: SubjectEvidence, head: SubjectEvidence, pending: Pending, uses: Mapping[ConsentId, Taken]
    ) -> EvidenceSet:
        """Return the evidence. Two threads that find it outdated at once make it twice, which is harmless."""
        restricting = (pending.revoked, pending.for_cause, pending.documents)
        last = self.assembled
        if (
            last is None
            or last.final is not final
            or last.head is not head
            or (last.pending, last.uses) != (restricting, uses)
        ):
            found = assemble(
                tuple(self.documents.values()), final=final, head=head, pending=pending, uses=uses
            )
            last = self.assembled = _Assembled(final, head, restricting, uses, EvidenceSet(found))
        return last.evidence


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
        self._kept: OrderedDict[SubjectId, _Kept] = OrderedDict()

    def gather(
        self, subject: SubjectId, members: Collection[MemberId] = (), *, held: Collection[ConsentId] = ()
    ) -> Gathered:
        """Return a subject's evidence, and where these members stand. Of ``held`` no use counts as made.

        Raises LedgerUnavailable, IndexUnavailable, SealedDocumentRefused.
        The queue's position is read first: whatever is accepted afterwards is caught by the guard of the
        audit append, so nothing can fall between the two.
        """
        pending = self._restrictions.pending_for(subject)
        view = self._ledger.view()
        gathered = self._at(view, subject, self._known(subject), pending, members, held=held)
        if not _covers(gathered, subject):
            # Another process recorded a consent, or the index lost one: only the index can tell.
            gathered = self._at(view, subject, self._load(subject), pending, members, held=held)
        return gathered

    def subject(self, subject: SubjectId, *, to_restrict: bool = False) -> SubjectEvidence:
        """Return the subject's controller, epoch and count at the head.

        ``to_restrict``: also while the chain permits nothing, for what must not wait for that.
        """
        view = self._ledger.shown() if to_restrict else self._ledger.view()
        return self._ledger.evidence(subject, (), block=view.head_number)

    def documents(self, subject: SubjectId) -> Mapping[ConsentId, Prepared]:
        """Return all documents of a subject, read again from the index."""
        return self._load(subject).documents

    def remembered(self, subject: SubjectId) -> Mapping[ConsentId, Prepared]:
        """Return all documents of a subject that decisions now rest on, read from the index where need be."""
        return self._known(subject).documents

    def limits(self, subject: SubjectId) -> Mapping[ConsentId, UseLimit]:
        """Return the limit of each consent of the subject whose uses are limited."""
        return self._known(subject).limits

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
            known = self._kept.get(signed.document.subject)
            if known is not None:
                documents = {**known.documents, prepared.consent_id: prepared}
                self._kept[signed.document.subject] = _Kept.of(documents)

    def forget(self, subject: SubjectId) -> None:
        """Remember nothing of a subject: it was erased."""
        with self._lock:
            self._kept.pop(subject, None)

    def forget_all(self) -> None:
        """Remember nothing: as after a start."""
        with self._lock:
            self._kept.clear()

    def _known(self, subject: SubjectId) -> _Kept:
        with self._lock:
            known = self._kept.get(subject)
            if known is not None:
                self._kept.move_to_end(subject)
                return known
        return self._load(subject)

    def _load(self, subject: SubjectId) -> _Kept:
        documents: dict[ConsentId, Prepared] = {}
        for row in self._index.of_subject(subject):
            signed = self._opened(row, subject)
            prepared = prepare(signed.document, signed.via)
            documents[prepared.consent_id] = prepared
        loaded = _Kept.of(documents)
        with self._lock:
            self._kept[subject] = loaded
            self._kept.move_to_end(subject)
            while len(self._kept) > MAX_CACHED_SUBJECTS:
                self._kept.popitem(last=False)
        return loaded

    def _opened(self, row: ConsentRow, subject: SubjectId) -> SignedDocument:
        place = place_of(row.consent_id)
        return SignedDocument.decode(self._sealer.open(row.sealed, subject=subject, place=place))

    def _at(
        self,
        view: LedgerView,
        subject: SubjectId,
        kept: _Kept,
        pending: Pending,
        members: Collection[MemberId],
        *,
        held: Collection[ConsentId],
    ) -> Gathered:
        at_final = at_head = self._ledger.facts(subject, kept.ids, members, block=view.final_number)
        if view.head_number != view.final_number:
            at_head = self._ledger.facts(subject, kept.ids, members, block=view.head_number)
        final, head = at_final.subject, at_head.subject
        uses = self._uses.taken(tuple(kept.limits)) if kept.limits else {}
        uses = {**uses, **{name: UNUSED for name in held if name in kept.limits}} if held else uses
        evidence = kept.evidence(final, head, pending, uses)
        return Gathered(view, final, head, at_final.members, at_head.members, evidence, pending)


def _covers(gathered: Gathered, subject: SubjectId) -> bool:
    return gathered.evidence.recorded(subject) == (gathered.final.count, gathered.head.count)
