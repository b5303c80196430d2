"""The input of a decision of the past, put together again: signed documents, the chain's events, the entry.

Pure. Nothing is guessed: what is missing raises EvidenceGone and is named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from backend.consent.assembly import assemble
from backend.consent.basis import Basis, taken_again
from backend.consent.decision_types import DecisionInput, Segment
from backend.consent.errors import EvidenceGone
from backend.consent.evidence_set import EvidenceSet
from backend.consent.ledger_types import UNOPENED, Facts, LedgerView, SubjectEvidence
from backend.consent.prepared import Prepared
from backend.consent.restrictions import Pending
from backend.consent.terms import Grant
from backend.consent.uses import Taken, limit_of
from backend.types import (
    BlockNumber,
    Bytes32,
    ConsentId,
    MemberId,
    QueuePosition,
    SubjectId,
    UnixSeconds,
    to_hex,
)

_NO_HASH = Bytes32(bytes(32))


class PastLedger(Protocol):
    def facts(
        self,
        subject: SubjectId,
        ids: Sequence[ConsentId],
        members: Collection[MemberId],
        *,
        block: BlockNumber,
    ) -> Facts:
        """Return what the events up to ``block`` make of them. Raises LedgerUnavailable."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a decision was made, as its entry says."""

    final: BlockNumber
    head: BlockNumber
    position: QueuePosition


@dataclass(frozen=True, slots=True)
class PastQuestion:
    """``purpose`` and ``action`` are masks of one bit."""

    subject: SubjectId
    purpose: int
    action: int
    segment: Segment


def past_input(
    question: PastQuestion,
    moment: Moment,
    basis: Basis,
    *,
    documents: Mapping[ConsentId, Prepared],
    ledger: PastLedger,
    tables: str,
) -> DecisionInput:
    """Return the input as it was. ``documents``: all that are kept of the subject. Raises EvidenceGone."""
    names, members = tuple(documents), basis.requester.members
    final = ledger.facts(question.subject, names, members, block=moment.final)
    head = ledger.facts(question.subject, names, members, block=moment.head)
    missing = {*basis.unrecorded, *basis.ending, *(used.consent for used in basis.uses)} - documents.keys()
    if missing:
        raise EvidenceGone("Gone are the consents " + ", ".join(map(to_hex, sorted(missing))) + ".")
    # Others were received later. A person whose erasure was under way counted as one whom nobody ever opened.
    known = [
        place
        for place, (name, slot) in enumerate(zip(names, head.subject.slots, strict=True))
        if not basis.unopened and (slot.kind or name in basis.unrecorded)
    ]
    kept = [documents[names[place]] for place in known]
    pending = Pending(moment.position, revoked=frozenset(basis.ending))
    found = assemble(
        kept,
        final=_only(final.subject, known),
        head=_only(head.subject, known),
        pending=pending,
        uses=_uses(basis, documents),
    )
    return DecisionInput(
        subject=question.subject,
        requester=basis.requester,
        purpose=question.purpose,
        action=question.action,
        segment=question.segment,
        now=basis.now,
        view=LedgerView(0, moment.head, _NO_HASH, UnixSeconds(0), moment.final, _NO_HASH),
        final=UNOPENED if basis.unopened else final.subject,
        head=UNOPENED if basis.unopened else head.subject,
        evidence=EvidenceSet(found),
        queue_position=moment.position,
        members_final=final.members,
        members_head=head.members,
        suspended=frozenset(basis.suspended),
        fulfils=basis.fulfils,
        ended_epoch=basis.ended_epoch,
        tables=tables,
    )


def require_covered(request: DecisionInput) -> None:
    """Raise EvidenceGone where the documents at hand are not all that the chain counted then."""
    at_hand = EvidenceSet.of(request.evidence).recorded(request.subject)
    counted = (request.final.count, request.head.count)
    if at_hand != counted:
        raise EvidenceGone(f"Of {counted[1]} consents that the chain counted then, {at_hand[1]} are kept.")


def _only(subject: SubjectEvidence, places: Sequence[int]) -> SubjectEvidence:
    return replace(subject, slots=tuple(subject.slots[place] for place in places))


def _uses(basis: Basis, documents: Mapping[ConsentId, Prepared]) -> dict[ConsentId, Taken]:
    found = {}
    for used in basis.uses:
        document = documents[used.consent].document
        if isinstance(document, Grant):
            found[used.consent] = taken_again(used, limit_of(document.terms), basis.now)
    return found
