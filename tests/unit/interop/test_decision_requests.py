"""Questions in the words of CDS Hooks and XACML: read alike, and nothing that is said is left out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.errors import InvalidInput
from backend.interop.decision_requests.answers import Decided, cards, xacml_indeterminate, xacml_response
from backend.interop.decision_requests.cds_hooks import read_hook
from backend.interop.decision_requests.claims import Asked
from backend.interop.decision_requests.xacml import read_request
from backend.records.label_loading import label_tables
from scripts.vectors import world as w

Json = dict[str, Any]
SUBJECT = f"0x{w.SUBJECT:024x}"
CLINIC = "0x" + w.CLINIC.hex()
LABELS = label_tables()
CLAIMS: Json = {
    "patientId": [
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "111111111"},
        {"system": "urn:assent:subject", "value": SUBJECT},
    ],
    "actor": [
        {"system": "urn:ietf:rfc:3986", "value": "2.16.840.1.113883.20.5"},
        {"system": "urn:assent:member", "value": CLINIC},
    ],
    "purposeOfUse": ["TREAT"],
    "category": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}],
    "class": [
        {"system": "http://hl7.org/fhir/resource-types", "value": "MedicationStatement"},
        {"system": "urn:assent:category", "code": "laboratory"},
    ],
    "fulfils": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "REDACT"},
        {"system": "urn:assent:obligation", "code": "notify"},
    ],
    "securityLabel": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"},
        {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"},
    ],
}
ASKED = Asked(
    subject=SUBJECT,
    patient_ref=None,
    members=(CLINIC,),
    accounts=(),
    purpose="TREAT",
    action="access",
    categories=("medications", "laboratory"),
    sensitivities=("HIV",),
    fulfils=("redact_labels", "notify"),
)
PLAIN = replace(ASKED, categories=("medications",), sensitivities=(), fulfils=())
HOME = {
    "patientId": "Resource",
    "class": "Resource",
    "securityLabel": "Resource",
    "actor": "AccessSubject",
    "purposeOfUse": "Action",
    "action": "Action",
    "category": "Action",
    "scope": "Action",
    "fulfils": "Action",
}


def hook(claims: Json) -> Json:
    return {"hook": "patient-consent-consult", "hookInstance": "1", "context": claims}


def request(claims: Json) -> Json:
    categories: dict[str, list[Json]] = {}
    for name, value in claims.items():
        home = HOME.get(name, "Resource")
        categories.setdefault(home, []).append({"AttributeId": name, "Value": value})
    return {"Request": {name: [{"Attribute": found}] for name, found in categories.items()}}


def by_hook(claims: Json) -> Asked:
    return read_hook(hook(claims), w.TABLES, LABELS)


def by_xacml(claims: Json) -> Asked:
    return read_request(request(claims), w.TABLES, LABELS)


both = pytest.mark.parametrize("read", [by_hook, by_xacml], ids=["cds-hooks", "xacml"])
Read = Callable[[Json], Asked]


@both
def test_question_is_read_with_all_its_claims(read: Read) -> None:
    assert read(CLAIMS) == ASKED


@both
def test_plain_strings_are_read_as_well(read: Read) -> None:
    found = read(
        {"patientId": SUBJECT, "actor": CLINIC, "purposeOfUse": "TREAT", "class": "MedicationStatement"}
    )
    assert found == PLAIN
    assert read({**CLAIMS, "patientId": "AbC-reference"}).patient_ref == "AbC-reference"
    assert read({**CLAIMS, "action": "export"}).action == "export"
    observation = "http://terminology.hl7.org/CodeSystem/observation-category"
    assert read({**CLAIMS, "class": [{"system": observation, "code": "vital-signs"}]}).categories == (
        "vital_signs",
    )


@both
@pytest.mark.parametrize("name", ["patientId", "actor", "purposeOfUse", "class"])
def test_missing_claim_is_named(read: Read, name: str) -> None:
    for claims in ({key: value for key, value in CLAIMS.items() if key != name}, {**CLAIMS, name: []}):
        with pytest.raises(InvalidInput) as refused:
            read(claims)
        assert refused.value.code == "decision_claim_missing"
        assert refused.value.field is not None
        assert refused.value.field.endswith(f".{name}")


ALIEN = {"system": "urn:alien", "code": "X"}
WRONG: list[tuple[str, Any, str]] = [
    ("patientId", [{"system": "urn:alien", "value": "1"}], "decision_claim_unknown"),
    ("patientId", [{"system": "urn:assent:subject", "value": "1"}], "decision_claim_malformed"),
    ("patientId", [SUBJECT, f"0x{w.OTHER_SUBJECT:024x}"], "decision_claim_malformed"),
    ("patientId", [{"system": "urn:assent:subject", "value": SUBJECT, "x": 1}], "decision_claim_malformed"),
    ("patientId", 7, "decision_claim_malformed"),
    ("patientId", None, "decision_claim_malformed"),
    ("actor", [{"system": "urn:alien", "value": "1"}], "decision_claim_unknown"),
    ("actor", [""], "decision_claim_malformed"),
    ("purposeOfUse", ["TREAT", "HRESCH"], "decision_claim_malformed"),
    ("purposeOfUse", ["CURIOSITY"], "decision_claim_unknown"),
    ("purposeOfUse", [ALIEN], "decision_claim_unknown"),
    ("purposeOfUse", [{"system": "urn:alien", "code": "TREAT"}], "decision_claim_unknown"),
    ("purposeOfUse", [""], "decision_claim_malformed"),
    ("class", ["Observation"], "decision_claim_unknown"),
    ("class", ["MedicationStatement", "Nonsense"], "decision_claim_unknown"),
    ("class", [{"system": "http://hl7.org/fhir/resource-types"}], "decision_claim_malformed"),
    ("class", ["MedicationStatement"] * 65, "decision_claim_malformed"),
    ("action", [], "decision_claim_missing"),
    ("action", ["look"], "decision_claim_unknown"),
    (
        "category",
        [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "adr"}],
        "decision_claim_unknown",
    ),
    ("scope", "research", "decision_claim_unknown"),
    ("securityLabel", [{"system": "urn:alien", "code": "HIV"}], "decision_claim_unknown"),
    (
        "securityLabel",
        [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}],
        "decision_claim_unknown",
    ),
    ("actor", ["0x" + f"{n:064x}" for n in range(1, 18)], "decision_claim_malformed"),
    ("actor", [w.PATIENT, w.MOTHER], "decision_claim_malformed"),
    ("fulfils", ["everything"], "decision_claim_unknown"),
    ("fulfils", [{"system": "urn:alien", "code": "notify"}], "decision_claim_unknown"),
    ("fulfils", [], "decision_claim_missing"),
    ("consentId", ["1"], "decision_claim_unknown"),
]


@both
@pytest.mark.parametrize(("name", "value", "code"), WRONG)
def test_claim_that_is_not_understood_is_refused_by_name(
    read: Read, name: str, value: Any, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read({**CLAIMS, name: value})
    assert refused.value.code == code
    assert name in str(refused.value.field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hook": "patient-view"}, "hook"),
        ({"hook": None}, "hook"),
        ({"hookInstance": ""}, "hookInstance"),
        ({"hookInstance": 1}, "hookInstance"),
        ({"context": {}}, "context"),
        ({"context": []}, "context"),
        ({"context": "x"}, "context"),
        ({"more": 1}, "more"),
    ],
)
def test_hook_call_of_another_form_is_refused(change: Json, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_hook({**hook(CLAIMS), **change}, w.TABLES, LABELS)
    assert refused.value.field == field


def test_hook_call_may_carry_what_clients_send_along() -> None:
    call = {**hook(CLAIMS), "fhirServer": "https://ehr.example", "prefetch": {"patient": {}}, "extension": {}}
    assert read_hook(call, w.TABLES, LABELS) == ASKED


def test_request_is_read_with_the_names_of_xacml_and_xspa() -> None:
    body = {
        "Request": {
            "AccessSubject": {
                "Attribute": [
                    {"AttributeId": "urn:oasis:names:tc:xspa:1.0:subject:organization-id", "Value": CLINIC},
                    {"AttributeId": "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse", "Value": "TREAT"},
                ]
            },
            "Action": {
                "Attribute": [
                    {"AttributeId": "urn:oasis:names:tc:xacml:1.0:action:action-id", "Value": "use"}
                ]
            },
            "Resource": {
                "Attribute": [
                    {"AttributeId": "urn:oasis:names:tc:xacml:1.0:resource:resource-id", "Value": SUBJECT},
                    {"AttributeId": "class", "Value": "MedicationStatement", "DataType": "string"},
                ]
            },
            "Environment": [],
        }
    }
    found = read_request(body, w.TABLES, LABELS)
    assert found == replace(PLAIN, action="use")


def _twice(body: Json) -> None:
    actor = {"AttributeId": "urn:oasis:names:tc:xacml:1.0:subject:subject-id", "Value": CLINIC}
    body["Request"]["AccessSubject"][0]["Attribute"].append(actor)


def _many(body: Json) -> None:
    body["Request"]["Resource"] *= 2


def _time(body: Json) -> None:
    name = "urn:oasis:names:tc:xacml:1.0:environment:current-dateTime"
    body["Request"]["Environment"] = [{"Attribute": [{"AttributeId": name, "Value": "2020-01-01T00:00:00Z"}]}]


def _misplaced(body: Json) -> None:
    body["Request"]["Environment"] = [{"Attribute": [{"AttributeId": "actor", "Value": CLINIC}]}]


def _no_value(body: Json) -> None:
    del body["Request"]["Resource"][0]["Attribute"][0]["Value"]


def _other_member(body: Json) -> None:
    body["Request"]["MultiRequests"] = {}


def _beside(body: Json) -> None:
    body["x"] = 1


def _no_object(body: Json) -> None:
    body["Request"]["Resource"] = ["x"]


def _no_attribute(body: Json) -> None:
    body["Request"]["Resource"] = [{"Attribute": ["x"]}]


def _list(body: Json) -> None:
    body["Request"] = []


def _none(body: Json) -> None:
    del body["Request"]


@pytest.mark.parametrize(
    "change",
    [
        _twice,
        _many,
        _time,
        _misplaced,
        _no_value,
        _other_member,
        _beside,
        _no_object,
        _no_attribute,
        _list,
        _none,
    ],
)
def test_request_of_another_form_is_refused(change: Callable[[Json], None]) -> None:
    body = request(copy.deepcopy(CLAIMS))
    change(body)
    with pytest.raises(InvalidInput) as refused:
        read_request(body, w.TABLES, LABELS)
    assert refused.value.code.startswith("decision_claim_")
    assert refused.value.field


@pytest.mark.parametrize(
    ("answer", "summary", "decision"),
    [
        ("permit", "CONSENT_PERMIT", "Permit"),
        ("deny", "CONSENT_DENY", "Deny"),
        ("no_consent", "NO_CONSENT", "NotApplicable"),
    ],
)
def test_answer_is_put_in_both_words(answer: str, summary: str, decision: str) -> None:
    decided = Decided(answer, ["redact_labels", "notify"], ["0x01"])
    (card,) = cards(decided, label="Hospital", url="https://hospital.example")["cards"]
    assert (card["summary"], card["extension"]["decision"]) == (summary, summary)
    assert card["extension"]["basedOn"] == ["urn:assent:consent:0x01"]
    redact, notify = card["extension"]["obligations"]
    assert redact["id"]["code"] == "REDACT"
    assert redact["parameters"]["exceptAnyOfCodes"][0]["code"] == "N"
    assert notify == {"id": {"system": "urn:assent:obligation", "code": "notify"}}
    (result,) = xacml_response(decided)["Response"]
    assert result["Decision"] == decision
    assert [item["Id"] for item in result["Obligations"]] == [
        "http://terminology.hl7.org/CodeSystem/v3-ActCode#REDACT",
        "urn:assent:obligation:notify",
    ]
    assert result["PolicyIdentifierList"]["PolicyIdReference"] == [{"Id": "urn:assent:consent:0x01"}]


def test_requester_is_not_told_which_consents_there_are() -> None:
    decided = Decided("deny", [], [])
    assert "basedOn" not in cards(decided, label="", url="")["cards"][0]["extension"]
    assert "PolicyIdentifierList" not in xacml_response(decided)["Response"][0]


@pytest.mark.parametrize("answer", ["unavailable", "", "other"])
def test_what_is_no_decision_has_no_card(answer: str) -> None:
    with pytest.raises(KeyError):
        cards(Decided(answer, [], []), label="", url="")
    with pytest.raises(KeyError):
        xacml_response(Decided(answer, [], []))
    assert xacml_indeterminate("ledger_unavailable")["Response"][0]["Decision"] == "Indeterminate"
