"""What a consent would change, before anybody signs it: the same decision, with the draft as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backend.consent.decision import decide_many
from backend.consent.decision_types import Decision, DecisionInput, Evidence, Segment
from backend.consent.evidence_set import EvidenceSet
from backend.consent.ledger_types import ConsentSlot
from backend.consent.prepared import prepare
from backend.consent.terms import Delegation, Grant
from backend.types import UnixSeconds


def with_draft(request: DecisionInput, draft: Grant, via: Sequence[Delegation] = ()) -> DecisionInput:
    """Return the question as it will be once the draft is recorded and final, from the moment it begins.

    What it supersedes is ended. ``via`` are the delegations of a delegate who would sign it.
    """
    prepared = prepare(draft, via)
    if prepared.consent_id in EvidenceSet.of(request.evidence).by_id:
        return request  # it is no draft any more
    begins = UnixSeconds(max(request.now, draft.not_before))
    slot = ConsentSlot(draft.subject, int(draft.kind), draft.epoch, UnixSeconds(0), draft.not_after, begins)
    evidence = [
        _ended(item, begins) if item.prepared.consent_id == draft.supersedes else item
        for item in request.evidence
    ]
    return replace(
        request,
        now=begins,
        evidence=EvidenceSet([*evidence, Evidence(prepared, slot, slot)]),
        final=replace(request.final, count=request.final.count + 1),
        head=replace(request.head, count=request.head.count + 1),
    )


def preview(
    request: DecisionInput, draft: Grant, segments: Sequence[Segment], via: Sequence[Delegation] = ()
) -> tuple[tuple[Decision, Decision], ...]:
    """Return for each segment the decision now and the decision with the draft."""
    now = decide_many(request, segments)
    then = decide_many(with_draft(request, draft, via), segments)
    return tuple(zip(now, then, strict=True))


def _ended(item: Evidence, at: UnixSeconds) -> Evidence:
    return replace(item, final=replace(item.final, revoked_at=at), head=replace(item.head, revoked_at=at))
