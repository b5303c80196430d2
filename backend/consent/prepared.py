"""A signed document made ready for many decisions: its id computed, its rules in the form of the matcher.

Preparing hashes the whole document (tens of microseconds); do it once when a document is loaded. The id is
always computed here and never taken from a store, so that a document and its slot belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from backend.consent.errors import WiderThanParent
from backend.consent.subset import check_child, check_given_under
from backend.consent.terms import Delegation, Document, Grant, Kind, Rule
from backend.consent.typed_data import consent_id
from backend.consent.uses import UNLIMITED, limit_of
from backend.types import ConsentId

ANY: Final = -1  # a mask with every bit set, for a dimension that is not narrowed


class PreparedRule(NamedTuple):
    """A rule with zero masks turned into ANY. ``rank`` orders by specificity, higher is more specific."""

    position: int
    permit: bool
    rank: int
    purposes: int
    categories: int
    sensitivities: int
    names_sensitivities: bool
    actions: int
    grantees: frozenset[bytes]
    data_from: int
    data_to: int
    references: frozenset[bytes]
    obligations: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document, its id and its rules. ``within`` is False when a delegate signed more than it was given.

    The rules are in the order of their ranks, highest first, so that those outranked need no look.
    ``given_under`` is the delegation a delegate used, None when the controller signed.
    """

    consent_id: ConsentId
    document: Document
    rules: tuple[PreparedRule, ...]
    within: bool
    given_under: ConsentId | None = None

    @property
    def is_limited(self) -> bool:
        """Whether uses of it have to be counted."""
        return isinstance(self.document, Grant) and limit_of(self.document.terms) != UNLIMITED


def prepare(document: Document, via: Sequence[Delegation] = ()) -> Prepared:
    """Make a valid document ready. ``via`` is the chain of delegations under which a delegate signed it."""
    within = True
    try:
        if isinstance(document, Grant):
            if via:
                check_given_under(document, via)
        elif via:
            check_child(document, via)
    except WiderThanParent:
        within = False
    rules: tuple[PreparedRule, ...] = ()
    if isinstance(document, Grant) and document.kind != Kind.REFUSAL:
        ranked = [_rule(index, rule) for index, rule in enumerate(document.terms.rules)]
        rules = tuple(sorted(ranked, key=lambda rule: -rule.rank))
    given_under = consent_id(via[0]) if via else None
    return Prepared(consent_id(document), document, rules, within, given_under)


def rank(rule: Rule) -> int:
    """Return the published tuple (reference, sensitivity, category, purpose, actor) as five bits."""
    names = (rule.references, rule.sensitivities, rule.categories, rule.purposes, rule.grantees)
    return sum(bool(named) << place for place, named in zip((4, 3, 2, 1, 0), names, strict=True))


def _rule(position: int, rule: Rule) -> PreparedRule:
    return PreparedRule(
        position=position,
        permit=rule.permit,
        rank=rank(rule),
        purposes=rule.purposes or ANY,
        categories=rule.categories or ANY,
        sensitivities=rule.sensitivities or ANY,
        names_sensitivities=rule.sensitivities != 0,
        actions=rule.actions or ANY,
        grantees=frozenset(rule.grantees),
        data_from=rule.data_from,
        data_to=rule.data_to,
        references=frozenset(rule.references),
        obligations=rule.obligations,
    )
