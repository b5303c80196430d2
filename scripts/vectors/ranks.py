"""Cases about which rule wins: every two dimensions against each other, ties, one against all below it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any, Final

from backend.consent.terms import Kind, Rule
from scripts.vectors import world as w
from scripts.vectors.case import DENY, PERMIT, Case

_RECORD: Final = w.salt("record")
# From the most to the least specific, as docs/decision.md states.
_NAMING: Final[dict[str, dict[str, Any]]] = {
    "reference": {"references": (_RECORD,)},
    "sensitivity": {"sensitivities": w.sensitivities("MH")},
    "category": {"categories": w.categories("laboratory")},
    "purpose": {"purposes": w.purposes("TREAT")},
    "actor": {"grantees": (w.DOCTOR,)},
}
_ORDER: Final = tuple(_NAMING)


def ranks() -> Iterator[Case]:
    for high, low in permutations(_ORDER, 2):
        wins = _ORDER.index(high) < _ORDER.index(low)
        yield _case(f"permit_of_{high}_against_deny_of_{low}", (high,), (low,), permitted=wins)
    for name in _ORDER:
        yield _case(f"{name}_against_{name}_ties", (name,), (name,), permitted=False)
    for place, name in enumerate(_ORDER[:-1]):
        below = _ORDER[place + 1 :]
        yield _case(f"permit_of_{name}_against_deny_of_all_below", (name,), below, permitted=True)
        yield _case(f"deny_of_{name}_against_permit_of_all_below", below, (name,), permitted=False)
    lab, treatment = _rule(("category",), permits=True), _rule(("purpose",), permits=True)
    no_lab, no_treatment = _rule(("category",), permits=False), _rule(("purpose",), permits=False)
    for name, rules, expect in (
        ("lower_permit_after_a_higher_one", (no_treatment, lab, treatment), PERMIT),
        ("lower_deny_after_a_higher_one", (treatment, no_lab, no_treatment), DENY),
        ("second_deny_of_one_rank", (treatment, no_lab, no_lab), DENY),
    ):
        yield Case("ranks", name, w.ask(w.final(w.grant(Kind.PERMIT, *rules))), expect)
    yield _case("permit_of_all_against_deny_of_all_but_actor", _ORDER, _ORDER[:-1], permitted=True)
    yield _case("all_against_all_ties", _ORDER, _ORDER, permitted=False)
    yield _case("naming_nothing_against_nothing_ties", (), (), permitted=False)


def _case(name: str, permit: tuple[str, ...], deny: tuple[str, ...], *, permitted: bool) -> Case:
    # Written before the deny, so that the first rule does not win by its place.
    rules = (_rule(permit, permits=True), _rule(deny, permits=False))
    consent = w.grant(Kind.PERMIT, *rules, sensitivities=w.sensitivities("MH"))
    segment = w.segment("laboratory", sensitive=("MH",), references=frozenset({_RECORD}))
    return Case("ranks", name, w.ask(w.final(consent), segment=segment), PERMIT if permitted else DENY)


def _rule(names: tuple[str, ...], *, permits: bool) -> Rule:
    narrowing: dict[str, Any] = {}
    for name in names:
        narrowing |= _NAMING[name]
    return Rule(permit=permits, **narrowing)
