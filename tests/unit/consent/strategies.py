"""Random consents, questions and messages: all valid, none meaningful."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from backend.consent.decision_types import DecisionInput, Evidence, Requester, Segment, Team
from backend.consent.schema import CLASSES, STRUCTS
from backend.consent.terms import UNBOUNDED, Grant, Kind, Rule
from scripts.vectors import world as w

# Few values for every dimension, so that rules and questions meet often.
PURPOSES = [0, w.purposes("TREAT"), w.purposes("COC"), w.purposes("TREAT", "COC")]
CATEGORIES = [0, w.categories("laboratory"), w.categories("notes"), w.categories("laboratory", "notes")]
LABELS = [0, w.sensitivities("MH"), w.sensitivities("HIV"), w.sensitivities("MH", "HIV", "UNLABELLED")]
ACTIONS = [0, w.actions("access"), w.actions("access", "use")]
MEMBERS = [w.CLINIC, w.HOSPITAL, w.DOCTOR, w.WARD]
RECORDS = [w.salt("record one"), w.salt("record two")]
OBLIGATIONS = [0, 1, 2, 3]
TIMES = [(0, UNBOUNDED), (0, w.DATA_TIME), (w.DATA_TIME, UNBOUNDED), (w.DATA_TIME, w.DATA_TIME + 1)]


def _rule(permit: bool, values: tuple[Any, ...]) -> Rule:
    purposes, categories, labels, actions, grantees, references, times, obligations = values
    return Rule(
        *(permit, purposes, categories, labels, actions, grantees, *times, references),
        obligations=obligations if permit else 0,
    )


rules = st.builds(
    _rule,
    st.sampled_from([True, True, False]),
    st.tuples(
        # Mostly not narrowed, or a rule would hardly ever apply.
        *(st.sampled_from([*[0] * 6, *values]) for values in (PURPOSES, CATEGORIES, LABELS, ACTIONS)),
        st.sampled_from([(), (), (), MEMBERS[:1], MEMBERS[1:2], MEMBERS[1:3], MEMBERS[2:]]).map(tuple),
        st.sampled_from([(), (), (), RECORDS[:1], RECORDS[1:]]).map(tuple),
        st.sampled_from([*[TIMES[0]] * 3, *TIMES]),
        st.sampled_from(OBLIGATIONS),
    ),
)
deny_rules = rules.map(lambda rule: replace(rule, permit=False, obligations=0))


def _mostly_wide(values: list[int]) -> st.SearchStrategy[int]:
    """The last is the widest: drawn alike, the dimensions together would hardly ever permit anything."""
    return st.sampled_from([*values, *[values[-1]] * 4])


@st.composite
def grants(draw: st.DrawFn, *kinds: Kind, with_rules: bool = True) -> Grant:
    kind = draw(st.sampled_from(kinds or (Kind.PERMIT, Kind.PERMIT, Kind.DENY)))
    nonzero = 0 if kind == Kind.DENY else 1  # zero is the first of each list
    return w.grant(
        kind,
        *(draw(st.lists(rules, max_size=2 if kind == Kind.PERMIT else 3)) if with_rules else ()),
        grantee=draw(st.sampled_from([w.CLINIC] * 4 + MEMBERS if nonzero else [*MEMBERS, bytes(32)])),
        purposes=draw(_mostly_wide(PURPOSES[nonzero:])),
        categories=draw(_mostly_wide(CATEGORIES[nonzero:])),
        sensitivities=draw(_mostly_wide(LABELS)),
        actions=draw(_mostly_wide(ACTIONS[nonzero:])),
        submit_by=w.END,  # what is received and not recorded yet may still be
        label=str(draw(st.integers(0, 2**40))),
    )


segments = st.builds(
    Segment,
    st.sampled_from([*CATEGORIES, *CATEGORIES[1:]]),
    st.sampled_from([*LABELS, 0, 0]),
    st.just(w.DATA_TIME),
    st.just(w.DATA_TIME + 1),
    st.sets(st.sampled_from(RECORDS)).map(frozenset),
)


@st.composite
def questions(
    draw: st.DrawFn, *evidence: Evidence, minimum: int = 0, crowd: int = 0, delegates: bool = False
) -> DecisionInput:
    """A question over random consents in every state, with complete evidence.

    ``crowd``: up to so many consents more, each for somebody else or for everyone. ``delegates``: with a
    delegation, and a delegate as one of those who may ask.
    """
    states = st.sampled_from([w.final, w.final, w.final, w.at_head, w.received])
    drawn = [
        draw(states)(grant)
        for grant in draw(st.lists(grants(), min_size=minimum, max_size=4, unique_by=lambda g: g.terms.salt))
    ]
    others = [*(w.salt(f"member {number}") for number in range(crowd)), w.HOSPITAL, bytes(32)]
    drawn += [
        draw(states)(
            replace(
                grant, terms=replace(grant.terms, grantee=draw(st.sampled_from(others)), salt=w.salt(str(n)))
            )
        )
        for n, grant in enumerate(draw(st.lists(grants(), max_size=crowd)))
    ]
    if delegates:
        drawn.append(draw(states)(w.delegation(purposes=w.purposes("TREAT", "FAMRQT"))))
    asking = [Requester(w.DOCTOR, (w.CLINIC,))] * 3 + [Requester(w.CLINIC), Requester(w.HOSPITAL)]
    asking += [Requester(w.DOCTOR, (w.CLINIC,), teams=(Team(w.WARD, of),)) for of in (w.HOSPITAL, None)]
    accounts = [Requester(account=w.MOTHER), Requester(account=w.STRANGER)] if delegates else []
    return w.ask(
        *evidence,
        *drawn,
        requester=draw(st.sampled_from(asking + accounts * 3)),
        purpose=draw(st.sampled_from([*PURPOSES[1:3], *([w.purposes("FAMRQT")] if delegates else [])])),
        segment=draw(segments),
        fulfils=draw(st.sampled_from(OBLIGATIONS)),
    )


def messages(name: str) -> st.SearchStrategy[Any]:
    """Random values of an EIP-712 struct: of the right types, otherwise without sense."""
    return st.builds(CLASSES[name], *(_member(member.type) for member in STRUCTS[name]))


def _member(kind: str) -> st.SearchStrategy[Any]:
    if kind.endswith("[]"):
        return st.lists(_member(kind.removesuffix("[]")), max_size=3).map(tuple)
    if kind in STRUCTS:
        return messages(kind)
    if kind.startswith("uint"):
        return st.integers(0, 2 ** int(kind.removeprefix("uint")) - 1)
    return {
        "bool": st.booleans(),
        "bytes32": st.binary(min_size=32, max_size=32),
        "string": st.text(max_size=40),
        "address": st.sampled_from([w.PATIENT, w.MOTHER, w.CARER]),
    }[kind]
