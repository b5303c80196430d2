"""Random valid grants over the whole range of every field, for round trips."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from backend.consent.decision_types import dependents_of_record, reference_of_record
from backend.consent.terms import (
    EVERYONE,
    MAX_USES_PER_PERIOD,
    UNBOUNDED,
    UNLIMITED_USES,
    ZERO32,
    BreakGlass,
    ConsentTerms,
    Effect,
    Grant,
    Kind,
    ResearchTerms,
    Rule,
)
from backend.consent.validation import LAST_DATE, RESEARCH_PURPOSES, check_grant
from backend.types import RecordId
from scripts.vectors import world as w

ids = st.binary(min_size=32, max_size=32).filter(any)
records = (
    st.binary(min_size=16, max_size=16)
    .filter(any)
    .map(RecordId)
    .flatmap(lambda record: st.sampled_from([reference_of_record(record), dependents_of_record(record)]))
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=40)
ALL_LABELS = w.TABLES.sensitivities.all_bits
PCF_LABELS = w.sensitivities("ETH", "ETHUD", "OPIOIDUD", "PSY", "SEX", "HIV")


def within(mask: int, *, empty: bool = True) -> st.SearchStrategy[int]:
    bits = [1 << bit for bit in range(64) if mask >> bit & 1]
    some = st.lists(st.sampled_from(bits), min_size=0 if empty else 1, max_size=6).map(_union)
    return st.one_of(some, st.just(mask)) if bits else st.just(0)


def _union(bits: list[int]) -> int:
    whole = 0
    for bit in bits:
        whole |= bit
    return whole


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, int]:
    start = draw(st.one_of(st.just(0), st.integers(1, LAST_DATE - 1)))
    end = draw(st.one_of(st.just(UNBOUNDED), st.integers(start + 1, LAST_DATE)))
    return start, end


@st.composite
def rules(draw: st.DrawFn, terms: ConsentTerms) -> Rule:
    permit = draw(st.booleans())
    labels = terms.sensitivities if permit and terms.decision == Effect.PERMIT else ALL_LABELS
    start, end = draw(windows())
    return Rule(
        permit=permit,
        purposes=draw(within(terms.purposes or w.TABLES.purposes.all_bits)),
        categories=draw(within(terms.categories or w.TABLES.categories.all_bits)),
        sensitivities=draw(st.one_of(within(labels), within(labels & PCF_LABELS))),
        actions=draw(within(terms.actions or w.TABLES.actions.all_bits)),
        grantees=tuple(draw(st.lists(ids, max_size=3, unique=True))),
        data_from=start,
        data_to=end,
        references=tuple(draw(st.lists(st.one_of(ids, records), max_size=3, unique=True))),
        obligations=draw(within(w.TABLES.obligations.all_bits)) if permit else 0,
    )


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    kind = draw(st.sampled_from([Kind.PERMIT, Kind.PERMIT, Kind.DENY, Kind.REFUSAL]))
    permit = kind == Kind.PERMIT
    tables = w.TABLES
    purposes = draw(
        st.one_of(
            within(tables.purposes.all_bits, empty=not permit),
            within(w.purposes("TREAT", "HPAYMT", "HOPERAT", "BTG"), empty=not permit),
        )
    )
    data, validity = draw(windows()), draw(windows())
    often = (UNLIMITED_USES, 0)
    if draw(st.booleans()):
        often = (draw(st.integers(1, MAX_USES_PER_PERIOD)), draw(st.integers(1, 2**32 - 1)))
    break_glass = draw(st.sampled_from(BreakGlass))
    research: Any = ResearchTerms()
    if purposes & tables.purposes.mask(RESEARCH_PURPOSES) and draw(st.booleans()):
        research = ResearchTerms(
            tuple(draw(st.lists(st.sampled_from(["DUO:0000042", "DUO:0000007:MONDO_0005148"]), unique=True))),
            *(draw(st.integers(0, 2**size - 1)) for size in (32, 64, 256)),
        )
    terms = ConsentTerms(
        decision=Effect.PERMIT if permit else Effect.DENY,
        grantee=draw(ids if permit else st.one_of(ids, st.just(EVERYONE))),
        purposes=purposes,
        categories=draw(within(tables.categories.all_bits, empty=not permit)),
        sensitivities=draw(st.one_of(within(ALL_LABELS), within(PCF_LABELS))),
        actions=draw(
            st.one_of(within(tables.actions.all_bits, empty=not permit), st.just(w.actions("access")))
        ),
        data_from=data[0],
        data_to=data[1],
        erase_by=draw(st.one_of(st.just(UNBOUNDED), st.integers(validity[0] + 1, LAST_DATE))),
        max_uses=draw(st.one_of(st.just(UNLIMITED_USES), st.integers(1, UNLIMITED_USES))),
        uses_per_period=often[0],
        period_seconds=often[1],
        break_glass=break_glass,
        break_glass_categories=(
            draw(within(tables.categories.all_bits, empty=False)) if break_glass == BreakGlass.LIMIT else 0
        ),
        redelegation_depth=draw(st.integers(0, 3)),
        rules=(),
        research=research,
        notice=draw(st.one_of(st.just(ZERO32), ids)),
        language=draw(st.sampled_from(["en", "de"])),
        summary=draw(texts),
        salt=draw(ids),
    )
    terms = replace(terms, rules=tuple(draw(st.lists(rules(terms), max_size=5))))
    grant = Grant(
        w.SUBJECT,
        terms,
        *validity,
        kind,
        draw(st.integers(0, 2**32 - 1)),
        draw(ids if kind == Kind.REFUSAL else st.one_of(st.just(ZERO32), ids)),
        draw(st.one_of(st.just(ZERO32), ids)),
        draw(st.one_of(st.just(UNBOUNDED), st.integers(1, LAST_DATE))),
    )
    check_grant(grant, tables)
    return grant
