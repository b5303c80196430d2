"""What one consent says about one piece of data, regardless of whether the consent counts at this moment.

A permit speaks for data only when it covers all of it; a prohibition as soon as it touches any of it. Inside
a consent the rule with the highest rank wins, a tie forbids, and any rule that applies goes before the base.
The ``apart`` generators are the whole of that: the decision asks each for its first objection, an explanation
for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from backend.consent.decision_types import Dimension, Finding, Reason, Requester, Segment
from backend.consent.prepared import ANY, Prepared, PreparedRule
from backend.consent.terms import EVERYONE, ConsentTerms, Effect, Grant
from backend.types import MemberId

UNLABELLED: Final = 1 << 31  # sensitivity unknown: may be any that a prohibition names
SILENT: Final[Mapping[Dimension, Reason]] = {
    dimension: Reason("other_" + dimension) for dimension in Dimension if dimension != Dimension.REFERENCE
}


class Question(NamedTuple):
    """Requester, purpose, action and data in the form that the matcher compares.

    ``ids`` are all that the requester goes by, ``counting`` those of them by which it may be permitted
    something: what a consent forbids or demands of a suspended organisation still holds. ``teams`` are the
    care teams among those that count.
    """

    ids: frozenset[bytes]
    counting: frozenset[bytes]
    teams: frozenset[bytes]
    purpose: int
    action: int
    categories: int
    sensitivities: int
    start: int
    end: int
    references: frozenset[bytes]


class _Winners(NamedTuple):
    permit_rank: int
    permit_index: int
    permit_counts: bool  # not only for organisations that are no longer in standing
    obligations: int
    deny_rank: int
    deny_index: int


_NO_TEAMS: Final[frozenset[bytes]] = frozenset()
_NO_RULES: Final = _Winners(-1, -1, permit_counts=True, obligations=0, deny_rank=-1, deny_index=-1)


def question(
    requester: Requester, purpose: int, action: int, segment: Segment, *, ended: frozenset[MemberId]
) -> Question:
    """Return the question. Times before 1970, which no terms can name, become 1970.

    ``ended``: organisations and teams of the requester by which nothing is permitted any more.
    """
    ids = {*requester.names}
    ids.discard(EVERYONE)
    start = max(segment.data_from, 0)
    return Question(
        frozenset(ids),
        frozenset(ids - ended),
        frozenset({one.team for one in requester.teams} - ended) if requester.teams else _NO_TEAMS,
        purpose,
        action,
        segment.categories,
        segment.sensitivities,
        start,
        max(segment.data_to, start + 1),
        segment.references,
    )


def match(prepared: Prepared, asked: Question) -> Finding:
    """Return what a permit or a deny says: PERMITS, DENIES, EXEMPTS, or in which respect it is silent."""
    grant = prepared.document
    if not isinstance(grant, Grant):
        raise TypeError("only grants have rules")
    name, terms = prepared.consent_id, grant.terms
    permit = terms.decision == Effect.PERMIT
    apart = next(apart_of_permit(terms, asked) if permit else apart_of_deny(terms, asked), None)
    if apart is not None:
        return Finding(name, SILENT[apart])
    won = _winners(prepared.rules, asked) if prepared.rules else _NO_RULES
    if not permit:
        if won.permit_rank > won.deny_rank and won.permit_counts:
            return Finding(name, Reason.EXEMPTS, won.permit_index, won.obligations)
        return Finding(name, Reason.DENIES, won.deny_index)
    if won.deny_rank >= 0 and won.deny_rank >= won.permit_rank:
        return Finding(name, Reason.DENIES, won.deny_index)
    uncovered = next(uncovered_by(terms, asked), None)
    if uncovered is not None:
        return Finding(name, SILENT[uncovered], obligations=won.obligations)
    counts = terms.grantee in asked.counting and won.permit_counts
    reason = Reason.PERMITS if counts else Reason.GRANTEE_NOT_IN_STANDING
    return Finding(name, reason, won.permit_index, won.obligations)


def apart_of_permit(terms: ConsentTerms, asked: Question) -> Iterator[Dimension]:
    """Yield each dimension in which a permit does not touch what is asked: its rules say nothing then."""
    if terms.grantee not in asked.ids:
        yield Dimension.GRANTEE
    if not terms.purposes & asked.purpose:
        yield Dimension.PURPOSE
    if not terms.actions & asked.action:
        yield Dimension.ACTION
    if asked.categories and not asked.categories & terms.categories:
        yield Dimension.CATEGORY
    if asked.start >= terms.data_to or terms.data_from >= asked.end:
        yield Dimension.DATA_PERIOD


def uncovered_by(scope: ConsentTerms | PreparedRule, asked: Question) -> Iterator[Dimension]:
    """Yield each dimension in which a permit or a permitting rule does not cover all of what it touches."""
    if not asked.categories or asked.categories & ~scope.categories:
        yield Dimension.CATEGORY
    if asked.sensitivities & ~scope.sensitivities:
        yield Dimension.SENSITIVITY
    if asked.start < scope.data_from or asked.end > scope.data_to:
        yield Dimension.DATA_PERIOD


def apart_of_deny(terms: ConsentTerms, asked: Question) -> Iterator[Dimension]:
    """Yield each dimension in which a deny does not touch what is asked."""
    if terms.grantee != EVERYONE and terms.grantee not in asked.ids:
        yield Dimension.GRANTEE
    if not (terms.purposes or ANY) & asked.purpose:
        yield Dimension.PURPOSE
    if not (terms.actions or ANY) & asked.action:
        yield Dimension.ACTION
    if asked.categories and not (terms.categories or ANY) & asked.categories:
        yield Dimension.CATEGORY
    if terms.sensitivities and not asked.sensitivities & (terms.sensitivities | UNLABELLED):
        yield Dimension.SENSITIVITY
    if asked.start >= terms.data_to or terms.data_from >= asked.end:
        yield Dimension.DATA_PERIOD


def apart_of_rule(rule: PreparedRule, asked: Question) -> Iterator[Dimension]:
    """Yield each dimension in which a rule does not touch what is asked."""
    if not rule.purposes & asked.purpose:
        yield Dimension.PURPOSE
    if not rule.actions & asked.action:
        yield Dimension.ACTION
    if rule.grantees and rule.grantees.isdisjoint(asked.ids):
        yield Dimension.GRANTEE
    if rule.references and rule.references.isdisjoint(asked.references):
        yield Dimension.REFERENCE
    if asked.categories and not asked.categories & rule.categories:
        yield Dimension.CATEGORY
    if rule.names_sensitivities and not asked.sensitivities & (rule.sensitivities | UNLABELLED):
        yield Dimension.SENSITIVITY  # it is about protected data only
    if asked.start >= rule.data_to or rule.data_from >= asked.end:
        yield Dimension.DATA_PERIOD


def _winners(rules: tuple[PreparedRule, ...], asked: Question) -> _Winners:
    """Return the highest rank among the permitting and among the prohibiting rules that apply.

    Obligations are those of all permitting rules that touch what is asked and rank no lower than the one that
    wins: for a part they hold for the whole, so that to ask for more, or to know less, never drops one.
    """
    permit_rank = permit_index = deny_rank = deny_index = -1
    obligations, permit_counts = 0, True
    of_a_part = 0
    for rule in rules:  # highest rank first
        if rule.rank < permit_rank if rule.permit else rule.rank <= deny_rank:
            continue
        if next(apart_of_rule(rule, asked), None) is not None:
            continue
        if not rule.permit:
            deny_rank, deny_index = rule.rank, rule.position
            continue
        if next(uncovered_by(rule, asked), None) is not None:
            of_a_part |= rule.obligations
            continue
        if rule.rank > permit_rank:
            permit_rank, permit_index, obligations, permit_counts = rule.rank, rule.position, 0, False
        obligations |= rule.obligations
        permit_counts = permit_counts or not rule.grantees or not rule.grantees.isdisjoint(asked.counting)
    return _Winners(permit_rank, permit_index, permit_counts, obligations | of_a_part, deny_rank, deny_index)
