"""Why a decision came out as it did: each consent and each rule, dimension by dimension.

Nothing is decided here. The decision is ``decide``'s, and what a consent or a rule objects to is asked of the
generators of ``matching`` that the decision itself asks: of each for all its objections, not only the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.consent.decision import decide
from backend.consent.decision_types import Decision, DecisionInput, Dimension, Evidence, Finding, Reason
from backend.consent.evidence_set import EvidenceSet
from backend.consent.matching import (
    Question,
    apart_of_deny,
    apart_of_permit,
    apart_of_rule,
    question,
    uncovered_by,
)
from backend.consent.membership import ended_groups
from backend.consent.prepared import PreparedRule
from backend.consent.standing import Standing, grant_standing
from backend.consent.terms import ConsentTerms, Delegation, Document, Effect
from backend.types import ConsentId


@dataclass(frozen=True, slots=True)
class RuleExplained:
    """One rule. It applies where nothing is ``against`` it; ``decides`` says that the consent went by it.

    ``in_part``: it permits, and touches what is asked without covering all of it. What it demands may count.
    """

    position: int
    permit: bool
    rank: int
    against: tuple[Dimension, ...]
    in_part: bool
    decides: bool

    @property
    def applies(self) -> bool:
        return not self.against


@dataclass(frozen=True, slots=True)
class ConsentExplained:
    """One consent: whether it counts at this moment, and in what it is not about what is asked.

    ``reason`` is the decision's own finding, None where the decision came before any consent was weighed.
    ``standing`` is None for a delegation. ``against`` and ``rules`` are told also of a consent that does not
    count, so that its patient sees whether it would have said anything.
    """

    consent_id: ConsentId
    document: Document
    reason: Reason | None
    standing: Standing | None
    against: tuple[Dimension, ...]
    rules: tuple[RuleExplained, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision, and all consents in the order of their ids."""

    decision: Decision
    consents: tuple[ConsentExplained, ...]


def explain(request: DecisionInput) -> Explanation:
    """Decide and explain. Raises as ``decide``."""
    decision = decide(request)
    segment, requester = request.segment, request.requester
    ended = ended_groups(request)
    asked = question(requester, request.purpose, request.action, segment, ended=ended)
    found = {finding.consent_id: finding for finding in decision.findings}
    items = EvidenceSet.of(request.evidence).by_id
    return Explanation(
        decision,
        tuple(_consent(item, found.get(name), request, asked) for name, item in items.items()),
    )


def _consent(
    item: Evidence, finding: Finding | None, request: DecisionInput, asked: Question
) -> ConsentExplained:
    prepared = item.prepared
    document = prepared.document
    reason = None if finding is None else finding.reason
    if isinstance(document, Delegation):
        return ConsentExplained(prepared.consent_id, document, reason, None, (), ())
    deciding = -1 if finding is None else finding.rule
    as_signed = sorted(prepared.rules, key=lambda rule: rule.position)
    rules = tuple(_rule(rule, asked, decides=rule.position == deciding) for rule in as_signed)
    return ConsentExplained(
        prepared.consent_id,
        document,
        reason,
        grant_standing(item, request),
        _against(document.terms, asked),
        rules,
    )


def _rule(rule: PreparedRule, asked: Question, *, decides: bool) -> RuleExplained:
    apart = tuple(apart_of_rule(rule, asked))
    uncovered = tuple(uncovered_by(rule, asked)) if rule.permit else ()
    return RuleExplained(
        position=rule.position,
        permit=rule.permit,
        rank=rule.rank,
        against=tuple(dict.fromkeys((*apart, *uncovered))),
        in_part=bool(uncovered) and not apart,
        decides=decides,
    )


def _against(terms: ConsentTerms, asked: Question) -> tuple[Dimension, ...]:
    if terms.decision == Effect.DENY:
        return tuple(apart_of_deny(terms, asked))
    # What does not touch does not cover either, so that a dimension may come twice.
    return tuple(dict.fromkeys((*apart_of_permit(terms, asked), *uncovered_by(terms, asked))))
