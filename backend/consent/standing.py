"""Whether a document counts at this moment: its slot, its dates, its epoch, what is pending against it.

A document has two sides. Its permission counts only when final on the chain and unhindered everywhere; what
it restricts (a deny, and inside a permit the prohibiting rules and the obligations) counts from receipt and
until its end is final. So every change that widens waits for finality and every one that narrows does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from backend.consent.decision_types import DecisionInput, Evidence, Reason
from backend.consent.terms import Document, Grant, Kind
from backend.consent.uses import Exhausted, limit_of


class Standing(NamedTuple):
    """Which sides of a document count; ``reason`` says why its permission does not."""

    permits: bool
    restricts: bool
    reason: Reason


_EXHAUSTED: Final[Mapping[Exhausted | None, Reason | None]] = {
    None: None,
    Exhausted.USES: Reason.USES_EXHAUSTED,
    Exhausted.FREQUENCY: Reason.FREQUENCY_EXHAUSTED,
}
_PERMITS = Standing(permits=True, restricts=True, reason=Reason.PERMITS)
_DENIES = Standing(permits=False, restricts=True, reason=Reason.DENIES)


def grant_standing(evidence: Evidence, request: DecisionInput) -> Standing:
    """Return the standing of a permit, a deny or a refusal."""
    grant = evidence.prepared.document
    if not isinstance(grant, Grant):
        raise TypeError("a delegation has no standing as a grant")
    if grant.subject != request.subject:
        return _out(Reason.OTHER_SUBJECT)
    if grant.kind == Kind.REFUSAL:
        return _out(Reason.REFUSAL)  # it answers a request and says nothing about other consents
    if evidence.final.revoked_at:
        return _out(Reason.REVOKED)
    if request.now >= grant.not_after:
        return _out(Reason.EXPIRED)
    if grant.kind == Kind.DENY:
        # The signed start counts, not the block's: a deny holds before it is mined.
        return _DENIES if request.now >= grant.not_before else _out(Reason.NOT_YET_VALID)
    hindrance = hindered(evidence, request, ends_with_epoch=True)
    if hindrance is None:
        hindrance = _EXHAUSTED[limit_of(grant.terms).exhausted(evidence.taken, request.now)]
    if hindrance is None and request.now >= grant.terms.erase_by:
        hindrance = Reason.ERASE_BY_PASSED
    if hindrance is None:
        return _PERMITS
    return Standing(permits=False, restricts=_still_restricts(grant, evidence, request), reason=hindrance)


def hindered(evidence: Evidence, request: DecisionInput, *, ends_with_epoch: bool) -> Reason | None:
    """Return why a permit, delegation or guardianship gives no permission now, or None when it does."""
    document, final, head = evidence.prepared.document, evidence.final, evidence.head
    now = request.now
    if document.subject != request.subject:
        return Reason.OTHER_SUBJECT
    if final.revoked_at or head.revoked_at:
        return Reason.REVOKED
    if evidence.revocation_pending:
        return Reason.REVOCATION_PENDING
    if now >= document.not_after:
        return Reason.EXPIRED
    if not final.kind:
        return Reason.NOT_FINAL if head.kind else Reason.NOT_RECORDED
    if not (_same(document, evidence) and head.kind):
        return Reason.SLOT_MISMATCH
    if ends_with_epoch and (
        document.epoch != request.final.epoch
        or document.epoch != request.head.epoch
        or (request.ended_epoch is not None and document.epoch <= request.ended_epoch)
    ):
        return Reason.EPOCH_ENDED
    if now < final.not_before or now < document.not_before:
        return Reason.NOT_YET_VALID
    if not evidence.prepared.within:
        return Reason.BEYOND_DELEGATION
    return None


def _still_restricts(grant: Grant, evidence: Evidence, request: DecisionInput) -> bool:
    """Whether the prohibitions and obligations inside a permit hold although its permission does not."""
    if request.now < grant.not_before or grant.epoch < request.final.epoch:
        return False
    if not evidence.final.kind and not evidence.head.kind:
        return request.now <= grant.submit_by  # received and not yet recorded; later it never will be
    return True


def _same(document: Document, evidence: Evidence) -> bool:
    slot = evidence.final
    return (
        slot.subject == document.subject
        and slot.kind == document.kind
        and slot.epoch == document.epoch
        and slot.not_after == document.not_after
        and slot.not_before >= document.not_before
        and slot.not_before != 0
    )


def _out(reason: Reason) -> Standing:
    return Standing(permits=False, restricts=False, reason=reason)
