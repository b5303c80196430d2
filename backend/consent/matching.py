"""What one consent says about one piece of data, regardless of whether the consent counts at this moment.

A permit speaks for data only when it covers all of it; a prohibition as soon as it touches any of it. Inside
a consent the rule with the highest rank wins, a tie forbids, and any rule that applies goes before the base.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from backend.consent.decision_types import Finding, Reason, Requester, Segment
from backend.consent.prepared import ANY, Prepared, PreparedRule
from backend.consent.terms import EVERYONE, Effect, Grant
from backend.types import MemberId

UNLABELLED: Final = 1 << 31  # sensitivity unknown: may be any that a prohibition names


class Question(NamedTuple):
    """Requester, purpose, action and data in the form that the matcher compares.

    ``ids`` are all that the requester goes by, ``counting`` those of them by which it may be permitted
    something: what a consent forbids or demands of a suspended organisation still holds.
    """

    ids: frozenset[bytes]
    counting: frozenset[bytes]
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


_NO_RULES: Final = _Winners(-1, -1, permit_counts=True, obligations=0, deny_rank=-1, deny_index=-1)


def question(
    requester: Requester, purpose: int, action: int, segment: Segment, *, ended: frozenset[MemberId]
) -> Question:
    """Return the question. Times before 1970, which no terms can name, become 1970.

    ``ended``: organisations of the requester that are members no longer in standing.
    """
    ids = {*requester.organisations}
    if requester.actor is not None:
        ids.add(requester.actor)
    ids.discard(EVERYONE)
    start = max(segment.data_from, 0)
    return Question(
        frozenset(ids),
        frozenset(ids - ended),
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
    if grant.terms.decision == Effect.PERMIT:
        return _match_permit(prepared, grant, asked)
    return _match_deny(prepared, grant, asked)


def _match_permit(prepared: Prepared, grant: Grant, asked: Question) -> Finding:
    terms, name = grant.terms, prepared.consent_id
    if terms.grantee not in asked.ids:
        return Finding(name, Reason.OTHER_GRANTEE)
    if not terms.purposes & asked.purpose:
        return Finding(name, Reason.OTHER_PURPOSE)
    if not terms.actions & asked.action:
        return Finding(name, Reason.OTHER_ACTION)
    categories = asked.categories
    if categories and not categories & terms.categories:
        return Finding(name, Reason.OTHER_CATEGORY)
    if asked.start >= terms.data_to or terms.data_from >= asked.end:
        return Finding(name, Reason.OTHER_DATA_PERIOD)
    won = _winners(prepared.rules, asked) if prepared.rules else _NO_RULES
    if won.deny_rank >= 0 and won.deny_rank >= won.permit_rank:
        return Finding(name, Reason.DENIES, won.deny_index)
    if not categories or categories & ~terms.categories:
        return Finding(name, Reason.OTHER_CATEGORY)
    if asked.sensitivities & ~terms.sensitivities:
        return Finding(name, Reason.OTHER_SENSITIVITY)
    if asked.start < terms.data_from or asked.end > terms.data_to:
        return Finding(name, Reason.OTHER_DATA_PERIOD)
    counts = terms.grantee in asked.counting and won.permit_counts
    reason = Reason.PERMITS if counts else Reason.GRANTEE_NOT_IN_STANDING
    return Finding(name, reason, won.permit_index, won.obligations)


def _match_deny(prepared: Prepared, grant: Grant, asked: Question) -> Finding:
    terms, name = grant.terms, prepared.consent_id
    if terms.grantee != EVERYONE and terms.grantee not in asked.ids:
        return Finding(name, Reason.OTHER_GRANTEE)
    if not (terms.purposes or ANY) & asked.purpose:
        return Finding(name, Reason.OTHER_PURPOSE)
    if not (terms.actions or ANY) & asked.action:
        return Finding(name, Reason.OTHER_ACTION)
    if asked.categories and not (terms.categories or ANY) & asked.categories:
        return Finding(name, Reason.OTHER_CATEGORY)
    if terms.sensitivities and not asked.sensitivities & (terms.sensitivities | UNLABELLED):
        return Finding(name, Reason.OTHER_SENSITIVITY)
    if asked.start >= terms.data_to or terms.data_from >= asked.end:
        return Finding(name, Reason.OTHER_DATA_PERIOD)
    won = _winners(prepared.rules, asked) if prepared.rules else _NO_RULES
    if won.permit_rank > won.deny_rank and won.permit_counts:
        return Finding(name, Reason.EXEMPTS, won.permit_index, won.obligations)
    return Finding(name, Reason.DENIES, won.deny_index)


def _winners(rules: tuple[PreparedRule, ...], asked: Question) -> _Winners:
    """Return the highest rank among the permitting and among the prohibiting rules that apply.

    Obligations are those of all permitting rules of the highest rank.
    """
    ids, counting, purpose, action, categories, sensitivities, start, end, references = asked
    permit_rank = permit_index = deny_rank = deny_index = -1
    obligations, permit_counts = 0, True
    for rule in rules:
        index, permit, rank, of_purposes, of_categories, of_sensitivities, names_sensitivities = rule[:7]
        of_actions, grantees, data_from, data_to, of_references, rule_obligations = rule[7:]
        if not (of_purposes & purpose and of_actions & action):
            continue
        if (grantees and grantees.isdisjoint(ids)) or (
            of_references and of_references.isdisjoint(references)
        ):
            continue
        if permit:
            if (
                rank < permit_rank
                or not categories
                or categories & ~of_categories
                or sensitivities & ~of_sensitivities
                or (names_sensitivities and not sensitivities)  # it is about protected data only
                or start < data_from
                or end > data_to
            ):
                continue
            if rank > permit_rank:
                permit_rank, permit_index, obligations, permit_counts = rank, index, 0, False
            obligations |= rule_obligations
            permit_counts = permit_counts or not grantees or not grantees.isdisjoint(counting)
        elif not (
            rank <= deny_rank
            or (categories and not categories & of_categories)
            or (names_sensitivities and not sensitivities & (of_sensitivities | UNLABELLED))
            or start >= data_to
            or data_from >= end
        ):
            deny_rank, deny_index = rank, index
    return _Winners(permit_rank, permit_index, permit_counts, obligations, deny_rank, deny_index)
