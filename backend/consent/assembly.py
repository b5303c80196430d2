"""Puts signed documents, the chain's slots and the queue of restrictions together into evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.consent.decision_types import Evidence
from backend.consent.ledger_types import ConsentSlot, SubjectEvidence
from backend.consent.prepared import Prepared, prepare
from backend.consent.restrictions import Pending
from backend.consent.terms import Kind
from backend.consent.uses import UNUSED, Taken
from backend.errors import IntegrityError
from backend.types import ConsentId, SubjectId, UnixSeconds

EMPTY_SLOT = ConsentSlot(SubjectId(0), 0, 0, UnixSeconds(0), UnixSeconds(0), UnixSeconds(0))


def assemble(
    documents: Sequence[Prepared],
    *,
    final: SubjectEvidence,
    head: SubjectEvidence,
    pending: Pending,
    uses: Mapping[ConsentId, Taken] | None = None,
) -> tuple[Evidence, ...]:
    """Return the evidence for the documents of one subject and for the denies still in the queue.

    The slots of ``final`` and ``head`` are in the order of ``documents``. Raise IntegrityError if there are
    not as many slots as documents.
    """
    if not len(documents) == len(final.slots) == len(head.slots):
        raise IntegrityError("The chain answered for another number of consents than was asked.")
    used = uses or {}
    known = {document.consent_id for document in documents}
    found = [
        Evidence(
            document,
            final_slot,
            head_slot,
            revocation_pending=_is_ending(document, pending),
            taken=used.get(document.consent_id, UNUSED),
        )
        for document, final_slot, head_slot in zip(documents, final.slots, head.slots, strict=True)
    ]
    # A deny that is in the queue and not yet among the stored documents counts all the same.
    queued = [prepare(document) for document in pending.documents]
    found += [Evidence(item, EMPTY_SLOT, EMPTY_SLOT) for item in queued if item.consent_id not in known]
    return tuple(found)


def _is_ending(document: Prepared, pending: Pending) -> bool:
    """Whether an end of the document is in the queue. For cause only permits end with their delegation."""
    name, under = document.consent_id, document.given_under
    if name in pending.revoked or name in pending.for_cause:
        return True
    return document.document.kind == Kind.PERMIT and under is not None and under in pending.for_cause
