"""Cases about each dimension alone: what a deny narrows, what a rule covers or touches, what is demanded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backend.consent.decision_types import Evidence
from backend.consent.terms import UNBOUNDED, Kind, Rule
from backend.types import UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.case import DENY, NONE, PERMIT, Case

_RECORD: Final = w.salt("record")
_ALL_LABELS: Final = w.sensitivities("MH", "HIV", "UNLABELLED")
# The question: a laboratory result and a medicine, about mental health and HIV, of two days, one record.
_SEGMENT: Final = w.segment(
    "laboratory",
    "medications",
    sensitive=("MH", "HIV"),
    data_to=UnixSeconds(w.DATA_TIME + 2 * w.DAY),
    references=frozenset({_RECORD}),
)
# Name, narrowing, whether that covers all of the question, whether it touches some of it.
_NARROWED: Final[tuple[tuple[str, dict[str, Any], bool, bool], ...]] = (
    ("nothing", {}, True, True),
    ("its_purpose", {"purposes": w.purposes("TREAT")}, True, True),
    ("another_purpose", {"purposes": w.purposes("COC")}, False, False),
    ("its_action", {"actions": w.actions("access")}, True, True),
    ("another_action", {"actions": w.actions("use")}, False, False),
    ("both_categories", {"categories": w.categories("laboratory", "medications")}, True, True),
    ("one_of_its_categories", {"categories": w.categories("laboratory")}, False, True),
    ("another_category", {"categories": w.categories("notes")}, False, False),
    ("both_labels", {"sensitivities": w.sensitivities("MH", "HIV")}, True, True),
    ("one_of_its_labels", {"sensitivities": w.sensitivities("MH")}, False, True),
    ("another_label", {"sensitivities": w.sensitivities("SUD")}, False, False),
    ("its_time", {"data_from": w.DATA_TIME, "data_to": w.DATA_TIME + 2 * w.DAY}, True, True),
    ("a_part_of_its_time", {"data_from": w.DATA_TIME + w.DAY, "data_to": UNBOUNDED}, False, True),
    ("another_time", {"data_from": w.DATA_TIME + 2 * w.DAY, "data_to": UNBOUNDED}, False, False),
)
_RULES_ONLY: Final = (
    ("the_person", {"grantees": (w.DOCTOR,)}, True, True),
    ("the_organisation", {"grantees": (w.HOSPITAL, w.CLINIC)}, True, True),
    ("another_organisation", {"grantees": (w.HOSPITAL,)}, False, False),
    ("the_record", {"references": (w.salt("other"), _RECORD)}, True, True),
    ("another_record", {"references": (w.salt("other"),)}, False, False),
)


def dimensions() -> Iterator[Case]:
    purposes = w.purposes("TREAT", "COC")
    wide: dict[str, Any] = {
        "purposes": purposes,
        "categories": w.categories("laboratory", "medications", "notes"),
        "sensitivities": _ALL_LABELS | w.sensitivities("SUD"),
    }
    base = w.final(w.grant(label="base", **wide))
    for name, narrowing, covers, touches in _NARROWED:
        deny = w.final(w.grant(Kind.DENY, **narrowing))
        yield _case(f"deny_of_{name}", (base, deny), DENY if touches else PERMIT)
        if narrowing:
            only = w.final(w.grant(**{**wide, **narrowing}))
            yield _case(f"permit_of_{name}", (only,), PERMIT if covers else NONE)
    for name, narrowing, covers, touches in (*_NARROWED, *_RULES_ONLY):
        forbidding = w.grant(Kind.PERMIT, Rule(permit=False, **narrowing), **wide)
        yield _case(f"deny_rule_of_{name}", (w.final(forbidding),), DENY if touches else PERMIT)
        # In a deny of everything, a rule that permits exempts only what it covers whole.
        exempting = w.final(w.grant(Kind.DENY, Rule(permit=True, **narrowing)))
        yield _case(f"exemption_of_{name}", (base, exempting), PERMIT if covers else DENY)


def demands() -> Iterator[Case]:
    for code in w.TABLES.obligations.bits:
        rule = Rule(permit=True, obligations=w.obligations(code))
        item = w.final(w.grant(Kind.PERMIT, rule))
        fulfilled = w.ask(item, fulfils=w.obligations(code))
        yield Case("demands", f"{code}_fulfilled", fulfilled, PERMIT)
        others = w.TABLES.obligations.all_bits & ~w.obligations(code)
        without = w.ask(item, fulfils=others)
        yield Case(
            "demands", f"{code}_not_among_those_fulfilled", without, ("deny", "obligation_unfulfilled")
        )
    every = Rule(permit=True, obligations=w.TABLES.obligations.all_bits)
    all_of_them = w.ask(w.final(w.grant(Kind.PERMIT, every)), fulfils=w.TABLES.obligations.all_bits)
    yield Case("demands", "all_fulfilled", all_of_them, PERMIT)
    alone = w.ask(w.at_head(w.grant(Kind.PERMIT, every)))
    yield Case("demands", "without_a_permission_there_is_nothing_to_fulfil", alone, (*NONE, "not_final"))
    denied = w.ask(w.final(w.grant(Kind.PERMIT, every)), w.final(w.grant(Kind.DENY)))
    yield Case("demands", "a_deny_goes_before_what_is_demanded", denied, DENY)


def _case(name: str, evidence: tuple[Evidence, ...], expect: tuple[str, ...]) -> Case:
    return Case("dimensions", name, w.ask(*evidence, segment=_SEGMENT), expect)
