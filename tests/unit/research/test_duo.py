"""What a consent's DUO terms allow, term by term."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.consent.tables import load_tables
from backend.research.duo import match, parse_use
from backend.research.duo_terms import DEFINITIONS, parse_term
from backend.research.errors import DuoTermInvalid, StudyInvalid

NRES, GRU, HMB, DS, POA = (f"DUO:{number:07d}" for number in (4, 42, 6, 7, 11))
DIABETES, ASTHMA = f"{DS}:MONDO_0005148", f"{DS}:MONDO_0004979"
NPU, NCU, NPUNCU, NPOA, NMDS, GSO = (f"DUO:{number:07d}" for number in (45, 46, 18, 44, 15, 16))
PUB, COL, RTN, IRB, CC = (f"DUO:{number:07d}" for number in (19, 20, 29, 21, 43))
GS, PS, TS, MOR = (f"DUO:{number:07d}" for number in (22, 27, 25, 24))


@pytest.mark.parametrize(
    ("consent", "study", "permitted"),
    [
        ([NRES], [GRU], True),
        ([GRU], [POA], True),
        ([GRU], [DIABETES], True),
        ([HMB], [HMB], True),
        ([HMB], [DIABETES], True),
        ([HMB], [GRU], False),  # general use may go beyond health
        ([HMB], [POA], False),
        ([POA], [POA], True),
        ([POA], [HMB], False),
        ([DIABETES], [DIABETES], True),
        ([DIABETES], [ASTHMA], False),
        ([DIABETES], [HMB], False),
        ([DIABETES, ASTHMA], [ASTHMA], True),  # permissions are alternatives
        ([], [HMB], False),  # nothing permitted is nothing
        ([IRB], [HMB], False),
        ([HMB, IRB, CC], [HMB], True),
        ([HMB, NCU], [HMB], False),
        ([HMB, NCU], [HMB, NCU], True),
        ([HMB, NCU, NPU], [HMB, NCU], False),  # every condition must hold
        ([HMB, NPUNCU], [HMB, NPU, NCU], True),
        ([HMB, NPUNCU], [HMB, NPU], False),
        ([HMB, NPU], [HMB, NPUNCU], True),
        ([GRU, NPOA], [GRU], False),
        ([GRU, NPOA], [GRU, NPOA], True),
        ([GRU, NPOA], [HMB], True),
        ([GRU, NPOA], [POA], False),
        ([GRU, NPOA], [POA, NPOA], False),
        ([GRU, NMDS], [HMB], False),
        ([GRU, GSO, PUB, COL, RTN, NMDS], [HMB, GSO, PUB, COL, RTN, NMDS], True),
        ([GRU, f"{GS}:US"], [HMB, f"{GS}:US"], True),
        ([GRU, f"{GS}:US"], [HMB, f"{GS}:US", f"{GS}:CA"], False),
        ([GRU, f"{GS}:US", f"{GS}:CA"], [HMB, f"{GS}:US", f"{GS}:CA"], True),
        ([GRU, f"{PS}:other"], [HMB, f"{PS}:this"], False),
        ([GRU, f"{TS}:12"], [HMB, f"{TS}:6"], True),
        ([GRU, f"{TS}:12"], [HMB, f"{TS}:18"], False),
        ([GRU, f"{TS}:12"], [HMB], False),
        ([GRU, f"{MOR}:20270101"], [HMB, f"{MOR}:20270601"], True),
        ([GRU, f"{MOR}:20270101"], [HMB, f"{MOR}:20260601"], False),
        ([GRU, "DUO:9999999"], [HMB], False),  # unknown restricts
        ([GRU, "nonsense"], [HMB], False),
        ([DS], [DIABETES], False),  # a disease is needed
    ],
)
def test_match_explains_each_term(consent: list[str], study: list[str], permitted: bool) -> None:
    found = match(consent, parse_use(study))
    assert found.permitted is permitted
    assert [verdict.term for verdict in found.verdicts if verdict.term] == consent
    assert all(verdict.reason for verdict in found.verdicts)


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from([NRES, GRU, HMB, DIABETES, POA, NCU, NPU, NPUNCU, NPOA, f"{GS}:US", "bad"]),
        max_size=5,
    ),
    st.sampled_from([NCU, NPOA, NMDS, PUB, f"{TS}:3", "bad"]),
    st.sampled_from([[HMB], [DIABETES, NCU], [GRU, NPOA, f"{GS}:US"], [POA]]),
)
def test_match_another_condition_never_widens_and_order_is_irrelevant(
    consent: list[str], condition: str, study: list[str]
) -> None:
    use = parse_use(study)
    before = match(consent, use).permitted
    assert match(list(reversed(consent)), use).permitted is before
    assert before or not match([*consent, condition], use).permitted


@pytest.mark.parametrize(
    "terms",
    [[], [NCU], [HMB, GRU], [NRES], [DS], ["DUO:1"], [HMB, HMB], [HMB, f"{TS}:0"], [f"{HMB}:x"], [f"{HMB}:"]],
)
def test_parse_use_bad_terms_are_refused_with_the_field(terms: list[str]) -> None:
    with pytest.raises(StudyInvalid) as refusal:
        parse_use(terms)
    assert refusal.value.field == "duo"


def test_parse_term_keeps_id_and_argument() -> None:
    assert str(parse_term(DIABETES)) == DIABETES
    assert parse_term(DIABETES).argument == "MONDO_0005148"
    assert parse_term(f"{DS}:MONDO:0005148").argument == "MONDO:0005148"
    with pytest.raises(DuoTermInvalid):
        parse_term(f"{DS}:two words")


def test_table_knows_exactly_the_terms_a_consent_may_name() -> None:
    assert set(load_tables().duo["en"]) == set(DEFINITIONS)
