"""Rules of a permit that cannot both be meant: one allows what another, no less specific, forbids whole.

The decision needs no such check, ties forbid. It is for the people who draft and sign: a permission that
never applies would be read as one that does. A prohibition that takes away a part is an exception and stays.
A deny is never held up: what it would let through at most stays forbidden.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from backend.consent.errors import RulesContradict
from backend.consent.prepared import rank
from backend.consent.terms import Kind, Rule


def check_consistent(rules: Sequence[Rule], kind: int, path: str = "terms.") -> None:
    """Raise RulesContradict, naming the rule that never applies and the one that takes it away."""
    if kind != Kind.PERMIT:
        return
    permitting = [index for index, rule in enumerate(rules) if rule.permit]
    for place, forbids in enumerate(rules):
        if forbids.permit:
            continue
        for index in permitting:
            if rank(forbids) >= rank(rules[index]) and _covers(forbids, rules[index]):
                raise RulesContradict(f"rules[{place}] forbids all of it.", field=f"{path}rules[{index}]")
        if not permitting and _covers(forbids, Rule(permit=True)):
            raise RulesContradict("It forbids all that the consent allows.", field=f"{path}rules[{place}]")


def _covers(outer: Rule, inner: Rule) -> bool:
    """Whether all that ``inner`` is about ``outer`` is about too. Zero and empty do not narrow."""
    return (
        _mask(outer.purposes, inner.purposes)
        and _mask(outer.categories, inner.categories)
        and _mask(outer.sensitivities, inner.sensitivities)
        and _mask(outer.actions, inner.actions)
        and _ids(outer.grantees, inner.grantees)
        and _ids(outer.references, inner.references)
        and outer.data_from <= inner.data_from
        and inner.data_to <= outer.data_to
    )


def _mask(outer: int, inner: int) -> bool:
    return not outer or (inner != 0 and not inner & ~outer)


def _ids(outer: Collection[bytes], inner: Collection[bytes]) -> bool:
    return not outer or (bool(inner) and set(inner) <= set(outer))
