"""Every label can be explained: which code in which table row, or which reference, gave each bit."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

import pytest

from backend.records.fhir import conforming_document, validate_bundle
from backend.records.fhir_errors import FhirInvalid, MalformedJson, UnknownResourceType
from backend.records.label_grounds import Explained, explain
from backend.records.label_loading import label_tables
from backend.records.label_tables import UNLABELLED
from backend.records.labels import label_bundle
from scripts.generate_bundles import encode, generate
from tests.unit.fhir.bundles import (  # fmt: skip
    DEPRESSION,
    LOINC,
    bundle,
    concept,
    condition,
    entry,
    observation,
    raw,
    ref,
)

TABLES = label_tables()
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SECRECY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def explained(*entries: dict[str, Any], **members: Any) -> tuple[Explained, ...]:
    return explain(validate_bundle(raw(bundle(*entries, **members))), TABLES)[1:]


def grounds(item: Explained) -> set[tuple[str, str, str]]:
    return {(finding.source, finding.code, finding.row) for finding in item.findings}


def test_code_is_named_with_the_row_that_speaks_of_it() -> None:
    (item,) = explained(condition(code=DEPRESSION))
    assert grounds(item) == {
        ("code", DEPRESSION, "snomed/groups/0"),
        ("type", "Condition", "resources/types/Condition"),
    }
    (item,) = explained(observation(code="718-7", note=[{"text": "Is HIV positive, Mr Smith."}]))
    sources = {finding.source: finding for finding in item.findings if finding.sensitivities}
    assert sources["words"].code == "hiv"
    assert "Smith" not in repr(item.findings)
    (category,) = (finding for finding in item.findings if finding.categories)
    assert (category.system, category.code) == (LOINC, "718-7")
    assert category.row.startswith("loinc/groups/")


def test_label_that_came_with_a_reference_names_the_entry_it_came_from() -> None:
    diagnosis = condition(code=DEPRESSION)
    visit = entry("Encounter", status="finished", **{"class": {"system": ACT, "code": "AMB"}},
                  diagnosis=[{"condition": ref("Condition")}])  # fmt: skip
    measured = observation(encounter=ref("Encounter"))
    first, second, third = explained(diagnosis, visit, measured)
    assert first.passed == ()
    assert [(item.index, item.sensitivities) for item in second.passed] == [(1, first.sensitivities)]
    assert [item.index for item in third.passed] == [2]
    assert third.sensitivities == first.sensitivities


def test_grounds_of_real_bundles_account_for_every_bit_and_nothing_more() -> None:
    for whole in generate(4, 11):
        accepted = validate_bundle(encode(whole))
        items = explain(accepted, TABLES)
        for item, label in zip(items, label_bundle(accepted, TABLES), strict=True):
            own = reduce(or_, (finding.sensitivities for finding in item.findings), 0)
            brought = reduce(or_, (part.sensitivities for part in item.passed), 0)
            assert (item.categories, item.sensitivities) == (label.categories, label.sensitivities)
            assert own | brought == label.sensitivities
            assert all(finding.row for finding in item.findings if finding.source != "unknown")


@pytest.mark.parametrize(
    ("resource", "level"),
    [
        (condition(), "N"),
        (condition(code=DEPRESSION), "R"),
        (condition(code="123456789"), "R"),
        (condition(code="706893006"), "V"),
        (entry("DocumentReference", status="current", type=concept("28627-6", LOINC),
               content=[{"attachment": {"url": "http://x"}}]), "V"),
    ],
)  # fmt: skip
def test_confidentiality_follows_from_the_labels(resource: dict[str, Any], level: str) -> None:
    assert explained(resource)[0].confidentiality == level


@pytest.mark.parametrize(
    ("stated", "normal", "sensitive"),
    [("U", "L", "R"), ("L", "L", "R"), ("M", "M", "R"), ("N", "N", "R"), ("R", "R", "R"), ("V", "V", "V")],
)
def test_stated_confidentiality_raises_and_never_lowers_what_the_labels_give(
    stated: str, normal: str, sensitive: str
) -> None:
    security = {"security": [{"system": SECRECY, "code": stated}]}
    assert explained(observation(meta=security))[0].confidentiality == normal
    assert explained(condition(code=DEPRESSION, meta=security))[0].confidentiality == sensitive
    assert explained(observation(), meta=security)[0].confidentiality == normal
    both = {"security": [*security["security"], {"system": SECRECY, "code": "V"}]}
    assert explained(observation(meta=both))[0].confidentiality == "V"


def test_single_resource_is_labelled_alone_whoever_it_is_about() -> None:
    resource = {"resourceType": "Observation", "status": "final", "code": concept("718-7", LOINC),
                "subject": {"reference": "Patient/77"}}  # fmt: skip
    (item,) = explain(conforming_document(raw(resource)), TABLES)
    assert (item.sensitivities, item.confidentiality) == (0, "N")
    (item,) = explain(
        conforming_document(raw(resource | {"encounter": {"reference": "Encounter/1"}})), TABLES
    )
    assert item.sensitivities == UNLABELLED
    assert ("unknown", "Encounter", "") in grounds(item)
    assert explain(conforming_document(raw(bundle(condition()))), TABLES)[1].sensitivities == 0


@pytest.mark.parametrize(
    ("content", "error", "field"),
    [
        (b"[]", FhirInvalid, None),
        (b"{} x", MalformedJson, None),
        (b'{"a": 1}', FhirInvalid, "resourceType"),
        (b'{"resourceType": "Nothing"}', UnknownResourceType, "resourceType"),
        (b'{"resourceType": "Observation", "status": 7}', FhirInvalid, "code"),
    ],
)
def test_what_is_no_fhir_resource_is_refused(
    content: bytes, error: type[Exception], field: str | None
) -> None:
    with pytest.raises(error) as refusal:
        conforming_document(content)
    assert getattr(refusal.value, "field", None) == field
