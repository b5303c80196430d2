"""Category and sensitivity of resources; what is unknown is restricted, and labels only add."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.records.fhir import validate_bundle
from backend.records.label_coverage import Unknown, coverage
from backend.records.label_loading import label_tables
from backend.records.label_tables import UNLABELLED
from backend.records.labels import Label, label_bundle
from tests.unit.fhir.bundles import (
    DEPRESSION,
    LOINC,
    ME,
    SNOMED,
    bundle,
    concept,
    condition,
    entry,
    observation,
    patient,
    raw,
    ref,
)

TABLES = label_tables()
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SECRECY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def labels_of(*entries: dict[str, Any], **members: Any) -> list[Label]:
    """Labels of the entries, without the Patient's."""
    return list(label_bundle(validate_bundle(raw(bundle(*entries, **members)))))[1:]


def sensitive(*entries: dict[str, Any], **members: Any) -> set[str]:
    return set(TABLES.names(labels_of(*entries, **members)[0].sensitivities, TABLES.sensitivity_bits))


def category(resource: dict[str, Any]) -> set[str]:
    return set(TABLES.names(labels_of(resource)[0].categories, TABLES.category_bits))


def stated(kind: str) -> list[dict[str, Any]]:
    return [concept(kind, "http://terminology.hl7.org/CodeSystem/observation-category")]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (condition(), "conditions"),
        (observation(code="718-7"), "laboratory"),
        (observation(code="8867-4"), "vital_signs"),
        (observation(code="8867-4", device={"display": "watch"}), "vital_signs_device"),
        (observation(code="72166-2", category=stated("survey")), "social_history"),
        (observation(code="99999-9", category=stated("laboratory")), "laboratory"),
        (observation(code="99999-9"), "other"),
        (entry("DocumentReference", status="current", type=concept("11506-3", LOINC),
               content=[{"attachment": {"url": "http://x"}}]), "notes"),
        (entry("DocumentReference", status="current", type=concept("28627-6", LOINC),
               content=[{"attachment": {"url": "http://x"}}]), "psychotherapy_notes"),
        (entry("DiagnosticReport", status="final", code=concept("58410-2", LOINC)), "laboratory"),
        (entry("DiagnosticReport", status="final", code=concept("30746-2", LOINC)), "reports"),
        (entry("Immunization", status="completed", patient=ME, occurrenceDateTime="2020",
               vaccineCode=concept("140", "http://hl7.org/fhir/sid/cvx")), "immunizations"),
        (entry("Coverage", status="active", beneficiary=ME, payor=[{"display": "x"}]), "coverage"),
        (entry("Basic", code=concept("referral")), "other"),
    ],
)  # fmt: skip
def test_category_follows_code_then_stated_category_then_type(
    resource: dict[str, Any], expected: str
) -> None:
    assert category(resource) == {expected}


def test_patient_is_filed_under_all_that_it_holds() -> None:
    label = label_bundle(validate_bundle(raw(bundle())))[0]
    assert TABLES.names(label.categories, TABLES.category_bits) == ("demographics", "identifiers")


@pytest.mark.parametrize(
    ("code", "system", "expected"),
    [
        ("59621000", SNOMED, set()),
        (DEPRESSION, SNOMED, {"MH", "BH"}),
        ("58214004", SNOMED, {"PSY", "MH", "BH"}),
        ("66590003", SNOMED, {"ETHUD", "ETH", "SUD", "BH"}),
        ("86406008", SNOMED, {"HIV"}),
        ("706893006", SNOMED, {"SDV", "VIO"}),
        ("16402000", SNOMED, {"SICKLE", "GDIS"}),
        ("F32.1", ICD, {"MH", "BH"}),
        ("F17.210", ICD, set()),
        ("F11.20", ICD, {"OPIOIDUD", "ETH", "SUD", "BH"}),
        ("B20", ICD, {"HIV"}),
        ("O98.711", ICD, {"HIV", "PREGNANT"}),
        ("I10", ICD, set()),
        ("I10; drop", ICD, {"UNLABELLED"}),
        ("123456789", SNOMED, {"UNLABELLED"}),
        ("59621000", "urn:local", {"UNLABELLED"}),
    ],
)
def test_sensitivity_follows_the_code_and_unknown_codes_are_restricted(
    code: str, system: str, expected: set[str]
) -> None:
    coded = condition()
    coded["resource"]["code"] = concept(code, system)
    assert sensitive(coded) == expected


@pytest.mark.parametrize(
    "code", [{"text": "high blood pressure"}, {"coding": [{"display": "Hypertension"}]}, None]
)
def test_words_alone_and_a_missing_code_are_restricted(code: dict[str, Any] | None) -> None:
    nameless = condition()
    del nameless["resource"]["code"]
    if code is not None:
        nameless["resource"]["code"] = code
    assert sensitive(nameless) == {"UNLABELLED"}


def test_one_known_code_beside_a_local_one_is_enough_and_every_known_one_labels() -> None:
    both = condition()
    both["resource"]["code"]["coding"].append({"system": "urn:local", "code": "HT"})
    assert sensitive(both) == set()
    both["resource"]["code"]["coding"].append({"system": ICD, "code": "F32.1"})
    assert sensitive(both) == {"MH", "BH"}


def test_unknown_resource_type_is_restricted() -> None:
    assert sensitive(entry("Substance", code=concept("59621000"))) == {"UNLABELLED"}


def xhtml(inside: str) -> str:
    return f"<div xmlns='http://www.w3.org/1999/xhtml'>{inside}</div>"


@pytest.mark.parametrize(
    "hidden",
    [
        {"note": [{"text": "He is HIV positive."}]},
        {"text": {"status": "generated", "div": xhtml("known <b>H</b>IV")}},
        {"text": {"status": "generated", "div": xhtml("a<br/>HIV<br/>b")}},
        {"text": {"status": "generated", "div": xhtml("&#72;IV")}},
        {"valueString": "\uff28\uff29\uff36"},
        {"valueString": "H\u200bI\u00adV"},
        {"method": concept("59621000", text="human immunodeficiency screening")},
        {"contained": [{"resourceType": "Condition", "subject": ME, "code": concept("86406008")}]},
        {"component": [{"code": concept("20447-9", LOINC)}]},
        {"valueCodeableConcept": concept("86406008")},
        {"extension": [{"url": "urn:x", "valueCoding": {"system": SNOMED, "code": "86406008"}}]},
        {"meta": {"security": [{"system": ACT, "code": "HIV"}]}},
    ],
)  # fmt: skip
def test_a_sensitive_topic_anywhere_in_a_resource_labels_it(hidden: dict[str, Any]) -> None:
    assert "HIV" in sensitive(observation(**hidden))


@pytest.mark.parametrize(
    "harmless",
    ["hives on both arms", "archivist", "the aide came", "assaying the sample"],
)
def test_words_that_only_contain_a_keyword_do_not_label(harmless: str) -> None:
    assert sensitive(observation(note=[{"text": harmless}])) == set()


def note(media_type: str, data: bytes) -> dict[str, Any]:
    attachment = {"contentType": media_type, "data": base64.b64encode(data).decode()}
    return entry("DocumentReference", status="current", type=concept("11506-3", LOINC), subject=ME,
                 content=[{"attachment": attachment}])  # fmt: skip


def test_inline_text_is_read_and_what_cannot_be_read_is_restricted() -> None:
    assert sensitive(note("text/plain", b"Feels well.")) == set()
    assert sensitive(note("text/plain; charset=utf-8", b"Talked about drug addiction.")) >= {"SUD", "ETH"}
    assert sensitive(note("application/pdf", b"%PDF-1.7")) == {"UNLABELLED"}
    assert sensitive(note("text/plain", b"\xff\xfe")) == {"UNLABELLED"}


def test_text_in_another_language_is_restricted() -> None:
    assert sensitive(observation(language="de")) == {"UNLABELLED"}
    assert sensitive(observation(language="en-GB")) == set()


def test_modifier_extension_is_restricted() -> None:
    assert sensitive(observation(modifierExtension=[{"url": "urn:x", "valueBoolean": True}])) == {
        "UNLABELLED"
    }


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        ([{"system": SECRECY, "code": "N"}], set()),
        ([{"system": SECRECY, "code": "R"}], {"UNLABELLED"}),
        ([{"system": ACT, "code": "PSY"}], {"PSY", "MH", "BH"}),
        ([{"system": "urn:local", "code": "secret"}], {"UNLABELLED"}),
    ],
)
def test_source_labels_add_and_never_take_away(security: list[dict[str, str]], expected: set[str]) -> None:
    assert sensitive(observation(meta={"security": security})) == expected
    assert sensitive(condition(code="86406008", meta={"security": security})) == expected | {"HIV"}
    assert sensitive(observation(), meta={"security": security}) == expected


@pytest.mark.parametrize(
    "referrer",
    [
        entry("MedicationRequest", status="active", intent="order", subject=ME,
              reasonReference=[ref("Condition")], medicationCodeableConcept=concept("314076", RXNORM)),
        entry("Encounter", status="finished", **{"class": {"system": ACT, "code": "AMB"}},
              diagnosis=[{"condition": ref("Condition")}]),
        entry("CarePlan", status="active", intent="plan", subject=ME, addresses=[ref("Condition")]),
        entry("DiagnosticReport", status="final", code=concept("58410-2", LOINC), result=[ref("Condition")]),
    ],
)  # fmt: skip
def test_a_reference_to_a_sensitive_resource_labels_the_referrer(referrer: dict[str, Any]) -> None:
    assert sensitive(referrer, condition(code=DEPRESSION)) == {"MH", "BH"}
    assert sensitive(referrer, condition()) == set()


def test_labels_travel_along_chains_and_around_circles_but_not_through_the_patient() -> None:
    chain = [condition(n, evidence=[{"detail": [ref("Condition", n + 1)]}]) for n in range(3)]
    circle = condition(3, code=DEPRESSION, evidence=[{"detail": [ref("Condition", 0)]}])
    assert {label.sensitivities for label in labels_of(*chain, circle)} == {
        TABLES.closure(TABLES.sensitivity_bits["MH"])
    }
    assert labels_of(condition(0, code=DEPRESSION), condition(1))[1].sensitivities == 0
    marked = patient(meta={"security": [{"system": ACT, "code": "HIV"}]})
    whole = label_bundle(validate_bundle(raw(bundle(observation()) | {"entry": [marked, observation()]})))
    assert [label.sensitivities for label in whole] == [TABLES.sensitivity_bits["HIV"], 0]


def test_reference_that_leads_nowhere_is_restricted_unless_administrative() -> None:
    assert sensitive(observation(encounter={"reference": "Encounter/9"})) == {"UNLABELLED"}
    assert sensitive(observation(performer=[{"reference": "Practitioner/9"}])) == set()
    assert sensitive(observation(performer=[{"reference": "Practitioner?identifier=a|b"}])) == set()


EXTRAS: list[tuple[str, Any]] = [
    ("note", [{"text": "opioid use disorder"}]),
    ("meta", {"security": [{"system": ACT, "code": "HIV"}]}),
    ("bodySite", concept("000", "urn:local")),
    ("method", concept(DEPRESSION)),
    ("encounter", {"reference": "Encounter/nowhere"}),
    ("hasMember", [ref("Condition")]),
    ("comment", None),
]


@settings(max_examples=50)
@given(st.sets(st.integers(0, 5)), st.integers(0, 5), st.randoms(use_true_random=False))
def test_adding_content_never_takes_a_label_away(chosen: set[int], added: int, order: random.Random) -> None:
    def masks(picked: set[int]) -> list[int]:
        members = dict(EXTRAS[index] for index in picked)
        return [
            label.sensitivities for label in labels_of(observation(**members), condition(code="86406008"))
        ]

    before, after = masks(chosen), masks(chosen | {added})
    assert all(old & ~new == 0 for old, new in zip(before, after, strict=True))
    entries = [condition(n, evidence=[{"detail": [ref("Condition", (n * 3 + 1) % 5)]}]) for n in range(5)]
    entries[2]["resource"]["code"] = concept(DEPRESSION)
    shuffled = order.sample(entries, k=5)
    assert dict(zip((e["fullUrl"] for e in entries), labels_of(*entries), strict=True)) == dict(
        zip((e["fullUrl"] for e in shuffled), labels_of(*shuffled), strict=True)
    )


def test_coverage_lists_the_codes_that_no_table_knows() -> None:
    local = observation(code="123", subject=ME, encounter={"reference": "Encounter/nowhere"})
    local["resource"]["code"] = concept("123") | {"text": "a rare thing"}
    found = coverage(
        validate_bundle(raw(bundle(*entries)))
        for entries in ([condition(code="123"), condition(1, code="123"), condition(2)], [local])
    )
    assert (found.resources, found.unlabelled) == (6, 3)
    assert found.codes == (Unknown(SNOMED, "123", "", 3, ("Condition", "Observation")),)
    assert {(item.system, item.code) for item in found.others} == {
        ("reference", "Encounter"),
        ("category", "Observation"),
    }


def test_tables_are_consistent_and_their_version_is_exposed() -> None:
    assert TABLES.version == 2
    assert len(bytes.fromhex(TABLES.digest)) == 32
    assert TABLES.sensitivity_bits["UNLABELLED"] == UNLABELLED == 1 << 31
    assert all(entry.sensitivities < UNLABELLED for entry in TABLES.codes.values())
    assert all(TABLES.closure(entry.sensitivities) == entry.sensitivities for entry in TABLES.codes.values())
