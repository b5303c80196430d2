"""The decision: may this requester do this to this data of this subject, now?

A pure function with published vectors (``vectors/decisions``); ``docs/decision.md`` states the algorithm and
what it guarantees. It never consults a store: everything it depends on is in its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from backend.consent.decision_types import (
    Answer,
    Decision,
    DecisionInput,
    Evidence,
    Finding,
    Reason,
    Requester,
    Segment,
)
from backend.consent.errors import ConsentRequired
from backend.consent.evidence_set import EvidenceSet
from backend.consent.ledger_types import NOBODY
from backend.consent.matching import match, question
from backend.consent.membership import ended_groups, in_standing
from backend.consent.prepared import ANY, Prepared
from backend.consent.standing import Standing, grant_standing, hindered
from backend.consent.terms import ABSENT, MAX_DEPTH, Delegation, Grant, Kind, Power
from backend.errors import InvalidInput, LedgerUnavailable
from backend.types import ConsentId, MemberId

# Bits of the purpose and action tables that the decision itself knows (checked against the tables in a test).
PATRQT: Final = 1 << 47
PATIENT_REQUESTS: Final = PATRQT | 1 << 48 | 1 << 49 | 1 << 50  # and FAMRQT, PWATRNY, SUPNWK
BTG: Final = 1 << 58
OWN_ACTIONS: Final = 1 << 1 | 1 << 2 | 1 << 6  # access, use, export
DELEGATE_ACTIONS: Final = 1 << 1 | 1 << 2  # access, use


def decide(request: DecisionInput) -> Decision:
    """Decide for the segment of the request, with a finding about every consent.

    Raise InvalidInput unless one purpose and one action are asked about.
    """
    evidence = EvidenceSet.of(request.evidence)
    return _decide_all(request, (request.segment,), evidence, tuple(evidence.by_id.values()))[0]


def decide_many(request: DecisionInput, segments: Sequence[Segment]) -> tuple[Decision, ...]:
    """Decide for each of ``segments`` as ``decide`` would; weigh once what names the requester or everyone.

    What names others can say nothing here, and has no finding.
    """
    evidence = EvidenceSet.of(request.evidence)
    return _decide_all(request, segments, evidence, evidence.naming(request.requester))


def _decide_all(
    request: DecisionInput, segments: Sequence[Segment], evidence: EvidenceSet, weighing: Sequence[Evidence]
) -> tuple[Decision, ...]:
    for name, mask in (("purpose", request.purpose), ("action", request.action)):
        if mask <= 0 or mask & (mask - 1):
            raise InvalidInput("Exactly one is asked about at a time.", field=name)
    refusal = _refusal(request, evidence)
    if refusal is not None:
        return tuple([_decision(request, *refusal)] * len(segments))
    if _is_own(request):
        return tuple([_decision(request, Answer.PERMIT, (Reason.OWN_RECORDS,))] * len(segments))
    ended = ended_groups(request)
    weighed: list[tuple[Prepared, Standing]] = []
    delegations: list[tuple[ConsentId, Reason, tuple[int, int]]] = []
    for item in weighing:
        if not isinstance(item.prepared.document, Delegation):
            weighed.append((item.prepared, grant_standing(item, request)))
        elif request.requester.account is not None:
            delegations.append((item.prepared.consent_id, *_reading(item, request, evidence.by_id)))
    return tuple([_decide(request, segment, weighed, delegations, ended) for segment in segments])


def require_permitted(decision: Decision) -> Decision:
    """Return a decision that permits. Raise LedgerUnavailable, or ConsentRequired whatever the reason is.

    The data path calls this. The caller still has to carry out ``decision.obligations``.
    """
    if decision.answer is Answer.UNAVAILABLE:
        raise LedgerUnavailable
    if decision.answer is not Answer.PERMIT:
        raise ConsentRequired
    return decision


def _decide(
    request: DecisionInput,
    segment: Segment,
    weighed: Sequence[tuple[Prepared, Standing]],
    delegations: Sequence[tuple[ConsentId, Reason, tuple[int, int]]],
    ended: frozenset[MemberId],
) -> Decision:
    asked = question(request.requester, request.purpose, request.action, segment, ended=ended)
    findings: list[Finding] = []
    permitting: list[ConsentId] = []
    denying: list[ConsentId] = []
    teams: set[bytes] = set()
    obligations = 0
    answer_reason = Reason.PERMITTED
    for prepared, (permits, restricts, why_not) in weighed:
        if not restricts:
            findings.append(Finding(prepared.consent_id, why_not))
            continue
        finding = match(prepared, asked)
        reason = finding.reason
        # Of a permission that does not count or covers a part only, too: its end never widens, nor does less
        # knowledge of the data.
        obligations |= finding.obligations
        if reason is Reason.DENIES:
            denying.append(finding.consent_id)
        elif reason is Reason.PERMITS and permits:
            permitting.append(finding.consent_id)
            teams |= _named_by(prepared, finding, asked.teams)
        elif reason is Reason.PERMITS:
            finding = finding._replace(reason=why_not)
        elif reason is Reason.EXEMPTS:
            teams |= _named_by(prepared, finding, asked.teams)
        findings.append(finding)
    for finding in _delegated(segment, delegations):
        if finding.reason is Reason.PERMITS:
            if not permitting:
                answer_reason = Reason.DELEGATED_READING
            permitting.append(finding.consent_id)
        findings.append(finding)
    if denying:
        return _decision(request, Answer.DENY, (Reason.DENIED,), denying, findings)
    if not permitting:
        return _decision(request, Answer.NO_CONSENT, (Reason.NO_PERMIT,), (), findings)
    if obligations & ~request.fulfils:
        return _decision(request, Answer.DENY, (Reason.OBLIGATION_UNFULFILLED,), permitting, findings)
    permitted = _decision(
        request, Answer.PERMIT, (answer_reason,), permitting, findings, obligations=obligations
    )
    return replace(permitted, teams=tuple(MemberId(team) for team in sorted(teams))) if teams else permitted


def _named_by(prepared: Prepared, finding: Finding, teams: frozenset[bytes]) -> frozenset[bytes]:
    """Return those of the teams that a consent that permits or exempts names for it."""
    if not teams or not isinstance(prepared.document, Grant):
        return frozenset()
    terms = prepared.document.terms
    rule = terms.rules[finding.rule].grantees if finding.rule >= 0 else ()
    return teams.intersection((terms.grantee, *rule))


def _delegated(
    segment: Segment, delegations: Sequence[tuple[ConsentId, Reason, tuple[int, int]]]
) -> Iterator[Finding]:
    for name, reason, (categories, sensitivities) in delegations:
        if reason is not Reason.PERMITS:
            yield Finding(name, reason)
        elif not segment.categories or segment.categories & ~categories:
            yield Finding(name, Reason.OTHER_CATEGORY)
        elif segment.sensitivities & ~sensitivities:
            yield Finding(name, Reason.OTHER_SENSITIVITY)
        else:
            yield Finding(name, Reason.PERMITS)


def _refusal(request: DecisionInput, evidence: EvidenceSet) -> tuple[Answer, tuple[Reason, ...]] | None:
    """Return the answer where no consent needs to be looked at."""
    view = request.view
    if view is None or request.stale or view.final_number > view.head_number:
        return Answer.UNAVAILABLE, (Reason.LEDGER_UNAVAILABLE,)
    if request.requester == Requester():
        return Answer.DENY, (Reason.REQUESTER_UNRESOLVED,)
    actor = request.requester.actor
    if actor is not None and not in_standing(actor, request):
        return Answer.DENY, (Reason.REQUESTER_NOT_IN_STANDING,)
    if not (request.final.opened and request.head.opened):
        return Answer.NO_CONSENT, (Reason.SUBJECT_UNKNOWN,)
    if evidence.recorded(request.subject) != (request.final.count, request.head.count):
        return Answer.DENY, (Reason.EVIDENCE_INCOMPLETE,)
    if request.purpose == BTG:
        return Answer.DENY, (Reason.EMERGENCY_PATH_ONLY,)
    return None


def _is_own(request: DecisionInput) -> bool:
    """Whether the patient's own account reads; the patient's denies are about others."""
    account = request.requester.account
    return (
        account is not None
        and account != NOBODY
        and account == request.final.controller
        and account == request.head.controller
        and request.purpose == PATRQT
        and bool(request.action & OWN_ACTIONS)
    )


def _reading(
    item: Evidence, request: DecisionInput, evidence: Mapping[ConsentId, Evidence]
) -> tuple[Reason, tuple[int, int]]:
    """Return PERMITS with the categories and sensitivities that a delegate may read, or why it may not."""
    nothing = (0, 0)
    delegation = item.prepared.document
    if not isinstance(delegation, Delegation) or delegation.delegate != request.requester.account:
        return Reason.OTHER_GRANTEE, nothing
    if not request.purpose & PATIENT_REQUESTS:
        return Reason.OTHER_PURPOSE, nothing
    if not request.action & DELEGATE_ACTIONS:
        return Reason.OTHER_ACTION, nothing
    categories = sensitivities = ANY
    power = Power.READ
    for _ in range(MAX_DEPTH + 1):
        document = item.prepared.document
        if not isinstance(document, Delegation):
            return Reason.PARENT_ENDED, nothing
        hindrance = hindered(item, request, ends_with_epoch=document.kind == Kind.DELEGATION)
        if hindrance is not None:
            return hindrance if document is delegation else Reason.PARENT_ENDED, nothing
        if not document.powers & power:
            return Reason.POWER_MISSING, nothing
        if not document.terms.purposes & request.purpose:
            return Reason.OTHER_PURPOSE, nothing
        categories &= document.terms.categories
        sensitivities &= document.terms.sensitivities
        if document.parent == ABSENT:
            return Reason.PERMITS, (categories, sensitivities)
        if document.parent not in evidence:
            return Reason.PARENT_ENDED, nothing
        item, power = evidence[document.parent], Power.DELEGATE
    return Reason.PARENT_ENDED, nothing


def _decision(
    request: DecisionInput,
    answer: Answer,
    reasons: tuple[Reason, ...],
    consent_ids: Sequence[ConsentId] = (),
    findings: Sequence[Finding] = (),
    *,
    obligations: int = 0,
) -> Decision:
    view = request.view
    return Decision(
        answer=answer,
        obligations=obligations,
        reasons=reasons,
        consent_ids=tuple(consent_ids),
        final_block=None if view is None else view.final_number,
        head_block=None if view is None else view.head_number,
        queue_position=request.queue_position,
        findings=tuple(findings),
        tables=request.tables,
        request=request,
    )
