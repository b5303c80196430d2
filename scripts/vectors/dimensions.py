"""Cases about each dimension alone: what a deny narrows, what a rule covers or touches, what is demanded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
_WIDE: Final[dict[str, Any]] = {
    "purposes": w.purposes("TREAT", "COC"),
    "categories": w.categories("laboratory", "medications", "notes"),
    "sensitivities": _ALL_LABELS | w.sensitivities("SUD"),
}
_UNFULFILLED: Final = ("deny", "obligation_unfulfilled")
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
    base = w.final(w.grant(label="base", **_WIDE))
    for name, narrowing, covers, touches in _NARROWED:
        deny = w.final(w.grant(Kind.DENY, **narrowing))
        yield _case(f"deny_of_{name}", (base, deny), DENY if touches else PERMIT)
        if narrowing:
            only = w.final(w.grant(**{**_WIDE, **narrowing}))
            yield _case(f"permit_of_{name}", (only,), PERMIT if covers else NONE)
    for name, narrowing, covers, touches in (*_NARROWED, *_RULES_ONLY):
        forbidding = w.grant(Kind.PERMIT, Rule(permit=False, **narrowing), **_WIDE)
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
        yield Case("demands", f"{code}_not_among_those_fulfilled", without, _UNFULFILLED)
    every = Rule(permit=True, obligations=w.TABLES.obligations.all_bits)
    all_of_them = w.ask(w.final(w.grant(Kind.PERMIT, every)), fulfils=w.TABLES.obligations.all_bits)
    yield Case("demands", "all_fulfilled", all_of_them, PERMIT)
    alone = w.ask(w.at_head(w.grant(Kind.PERMIT, every)))
    yield Case("demands", "without_a_permission_there_is_nothing_to_fulfil", alone, (*NONE, "not_final"))
    denied = w.ask(w.final(w.grant(Kind.PERMIT, every)), w.final(w.grant(Kind.DENY)))
    yield Case("demands", "a_deny_goes_before_what_is_demanded", denied, DENY)


def demands_in_part() -> Iterator[Case]:
    """A rule that permits and demands something demands it of a part as of the whole."""
    notify = Rule(permit=True, obligations=w.obligations("notify"))
    for name, narrowing, _, touches in (*_NARROWED, *_RULES_ONLY):
        consent = w.final(w.grant(Kind.PERMIT, replace(notify, **narrowing), **_WIDE))
        expect = _UNFULFILLED if touches else PERMIT
        yield _case(f"rule_of_{name}_demands", (consent,), expect, topic="demands")
    one_category = replace(notify, categories=w.categories("laboratory"))
    half = replace(notify, data_to=UnixSeconds(w.DATA_TIME + w.DAY))
    both = w.categories("laboratory", "medications")
    for name, rules, expect in (
        ("part_ranks_higher", (one_category, Rule(permit=True, purposes=w.purposes("TREAT"))), _UNFULFILLED),
        ("part_ranks_alike", (one_category, Rule(permit=True, categories=both)), _UNFULFILLED),
        ("part_ranks_lower", (half, Rule(permit=True, categories=both)), PERMIT),
        ("part_ranks_lower_and_comes_last", (Rule(permit=True, categories=both), half), PERMIT),
        ("two_parts", (half, one_category), _UNFULFILLED),
    ):
        yield _case(name, (w.final(w.grant(Kind.PERMIT, *rules, **_WIDE)),), expect, topic="demands")
    base = w.final(w.grant(label="base", **_WIDE))
    narrow = {**_WIDE, "categories": w.categories("laboratory")}
    of_a_part = w.final(w.grant(Kind.PERMIT, notify, **narrow))
    yield _case("permit_of_a_part_demands_it_of_the_whole", (base, of_a_part), _UNFULFILLED, topic="demands")
    elsewhere = w.final(w.grant(Kind.PERMIT, notify, **{**_WIDE, "categories": w.categories("notes")}))
    yield _case("permit_of_other_data_demands_nothing", (base, elsewhere), PERMIT, topic="demands")
    labelled = replace(notify, sensitivities=w.sensitivities("MH"))
    dated = replace(notify, data_from=w.DATA_TIME, data_to=UnixSeconds(w.DATA_TIME + w.DAY))
    for name, rule, segment in (
        ("unknown_time_drops_no_demand", dated, w.segment("laboratory", data_from=0, data_to=UNBOUNDED)),
        ("unknown_label_drops_no_demand", labelled, w.segment("laboratory", sensitive=("UNLABELLED",))),
    ):
        asked = w.ask(w.final(w.grant(Kind.PERMIT, rule, **_WIDE)), segment=segment)
        yield Case("demands", name, asked, _UNFULFILLED)


def _case(
    name: str, evidence: tuple[Evidence, ...], expect: tuple[str, ...], *, topic: str = "dimensions"
) -> Case:
    return Case(topic, name, w.ask(*evidence, segment=_SEGMENT), expect)
