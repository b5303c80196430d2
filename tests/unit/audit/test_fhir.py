"""Every type of entry as a FHIR AuditEvent: valid R4, and after the BALP profile that it claims."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent as FhirAuditEvent

from backend.audit import codes
from backend.audit.entry import AgentKind, AuditEvent, Group, Outcome
from backend.audit.fhir import ENTRY_EXTENSION
from backend.audit.fhir_patterns import BALP, PATTERNS
from scripts.hapi import balp
from scripts.hapi.audit_examples import (
    CLIENT,
    CLINIC,
    WALLET,
    broken,
    documented,
    events,
    full,
    shown,
    smallest,
)
from tests.support.profiles import Profile

Json = dict[str, Any]
PROFILES = {url: Profile(elements, balp.VALUE_SETS) for url, elements in balp.profiles()}
TYPES = sorted(value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str))
# What the profiles say in FHIRPath or of targets: only the validator knows these.
ONLY_FOR_THE_VALIDATOR = {"audit-decision-by-another", "audit-extension-with-another-part"}


def parts(resource: Json) -> dict[str, list[str]]:
    """The extension's simple parts."""
    found: dict[str, list[str]] = {}
    (extension,) = resource["extension"]
    assert extension["url"] == ENTRY_EXTENSION
    for part in extension["extension"]:
        if part["url"] == "detail":
            name, value = (inner["valueString"] for inner in part["extension"])
            found.setdefault(f"detail.{name}", []).append(value)
        else:
            found.setdefault(part["url"], []).append(part["valueString"])
    return found


def identifiers(references: list[Json]) -> list[tuple[str, str]]:
    return [(r["identifier"]["system"], r["identifier"]["value"]) for r in references if "identifier" in r]


def test_every_type_of_entry_has_a_pattern() -> None:
    assert set(PATTERNS) == set(TYPES)
    assert len(TYPES) == len(set(TYPES)) > 30


@pytest.mark.parametrize("event", dict(events()).values(), ids=dict(events()))
def test_entry_is_a_valid_resource_that_keeps_to_the_profile_it_claims(event: AuditEvent) -> None:
    resource = shown(event)
    FhirAuditEvent.model_validate(resource)  # a kept library knows the resource's shape
    for claimed in resource["meta"].get("profile", []):
        assert PROFILES[claimed].breaches(resource) == []
        assert resource["source"]["observer"] in [agent["who"] for agent in resource["agent"]]
        patients = [e["what"]["type"] for e in resource["entity"] if e.get("role", {}).get("code") == "1"]
        assert patients in ([], ["Patient"])


@pytest.mark.parametrize(("name", "resource"), [(name, resource) for name, _, resource in broken()])
def test_resource_that_breaks_its_profile_is_found(name: str, resource: Json) -> None:
    (claimed,) = resource["meta"]["profile"]
    assert bool(PROFILES[claimed].breaches(resource)) is (name not in ONLY_FOR_THE_VALIDATOR)


@pytest.mark.parametrize(
    ("kind", "profile"),
    [
        (codes.RECORD_READ, "PatientRead"),
        (codes.RECORD_LISTED, "PatientQuery"),
        (codes.RECORD_STORED, "PatientCreate"),
        (codes.RECORD_ERASED, "PatientDelete"),
        (codes.RECORD_EXPORTED, "PrivacyDisclosure.Source"),
        (codes.CONSENT_GRANTED, "PatientCreate"),
        (codes.CONSENT_REVOKED, "PatientUpdate"),
        (codes.CONSENT_READ, "PatientRead"),
        (codes.DECISION, "AuthZconsent"),
    ],
)
def test_complete_entry_claims_the_profile_of_its_pattern(kind: str, profile: str) -> None:
    assert shown(full(kind))["meta"]["profile"] == [BALP + profile]
    if profile.startswith("Patient"):
        about_nobody = replace(full(kind), subject=None)
        assert shown(about_nobody)["meta"]["profile"] == [BALP + profile.removeprefix("Patient")]


def test_question_what_another_may_see_claims_no_profile() -> None:
    resource = shown(replace(full(codes.DECISION), detail={"requester": "0x" + "0d" * 32}))
    assert "profile" not in resource["meta"]
    assert parts(resource)["detail.requester"] == ["0x" + "0d" * 32]


def test_second_version_of_a_record_is_an_update_of_it() -> None:
    resource = shown(replace(full(codes.RECORD_STORED), detail={"version": 2}))
    assert (resource["action"], resource["meta"]["profile"]) == ("U", [BALP + "PatientUpdate"])


@pytest.mark.parametrize("kind", TYPES)
def test_entry_without_what_a_profile_needs_claims_none(kind: str) -> None:
    assert "profile" not in shown(smallest(kind))["meta"]


@pytest.mark.parametrize("outcome", [Outcome.DENIED, Outcome.UNAVAILABLE])
def test_read_that_failed_is_no_read_for_balp_and_says_why(outcome: Outcome) -> None:
    resource = shown(replace(full(codes.RECORD_READ), outcome=outcome, reasons=("no_permit", "expired")))
    assert "profile" not in resource["meta"]
    assert resource["outcomeDesc"] == "no_permit expired"
    assert parts(resource)["reason"] == ["no_permit", "expired"]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(Outcome.PERMITTED, "0"), (Outcome.CHANGED, "0"), (Outcome.DENIED, "4"), (Outcome.UNAVAILABLE, "8")],
)
def test_outcomes_map_to_the_codes_of_the_resource(outcome: Outcome, code: str) -> None:
    resource = shown(replace(full(codes.RECORD_READ), outcome=outcome))
    assert (resource["outcome"], parts(resource)["outcome"]) == (code, [outcome.value])


def test_read_names_patient_record_segments_consent_purpose_and_place_in_the_log() -> None:
    resource = shown(full(codes.RECORD_READ))
    assert resource["recorded"] == "2023-11-14T22:13:20.123+00:00"
    assert identifiers([entity["what"] for entity in resource["entity"]]) == [
        ("urn:assent:subject", "0x" + "00" * 9 + "00a11a"),
        ("urn:assent:record", bytes(range(16)).hex()),
        ("urn:assent:consent", "0x" + "c0" * 32),
    ]
    assert [detail["valueString"] for detail in resource["entity"][1]["detail"]] == ["s0001", "s0002"]
    assert resource["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"
    found = parts(resource)
    assert found["index"] == ["7"]
    assert found["leafHash"] == ["0x" + "11" * 32]
    assert found["log"] == ["hospital.example/audit"]
    assert (found["finalBlock"], found["headBlock"]) == ([str(2**40)], [str(2**40 + 3)])
    assert found["queuePosition"] == ["7"]
    assert found["action"] == ["access"]


def test_person_is_the_user_and_a_system_is_the_client() -> None:
    by_system, by_person = shown(full(codes.RECORD_READ)), shown(full(codes.RECORD_READ, WALLET))
    assert [(agent["requestor"], "identifier" in agent["who"]) for agent in by_system["agent"]] == [
        (True, True),
        (False, True),
        (False, True),
    ]
    assert by_system["agent"][0]["who"]["identifier"] == {"system": "urn:assent:client", "value": CLIENT.id}
    client, _, user, organisation = by_person["agent"]
    assert client["who"]["extension"][0]["valueCode"] == "unknown"
    assert user["who"]["identifier"] == {"system": "urn:assent:account", "value": WALLET.id}
    assert user["purposeOfUse"][0]["coding"][0]["code"] == "TREAT"
    assert organisation["type"]["coding"][0]["code"] == "PROV"


def test_groups_show_with_the_digest_of_who_was_in_a_team() -> None:
    team = Group(CLINIC, 3, b"\x09" * 32)
    found = parts(shown(replace(full(codes.RECORD_READ), groups=(Group(CLINIC), team))))
    member = "0x" + "0c" * 32
    assert found["group"] == [member, f"{member} 3 0x{'09' * 32}"]


def test_decision_of_any_interface_is_a_consent_decision_with_the_consents_and_the_answer() -> None:
    resource = shown(replace(full(codes.DECISION), outcome=Outcome.DENIED, reasons=("consent_denies",)))
    assert resource["type"]["code"] == "110113"
    assert [subtype["code"] for subtype in resource["subtype"]] == ["AuthZ-Consent"]
    assert (resource["action"], resource["outcome"], resource["outcomeDesc"]) == ("E", "4", "consent_denies")
    assert [entity["type"]["code"] for entity in resource["entity"]] == ["1", "Consent"]


def test_documents_show_the_resource_as_it_is() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "audit.md").read_text()
    (example,) = re.findall(r"```json\n(\{.*?\n\})\n```", text, re.DOTALL)
    assert json.loads(example) == shown(documented())


def test_read_that_was_decided_is_found_among_consent_decisions() -> None:
    decided = shown(full(codes.RECORD_READ))["subtype"]
    assert "AuthZ-Consent" in [subtype["code"] for subtype in decided]
    failed = shown(replace(full(codes.RECORD_READ), final_block=None))["subtype"]
    assert "AuthZ-Consent" not in [subtype["code"] for subtype in failed]


def test_values_of_every_kind_in_the_detail_are_text() -> None:
    found = parts(shown(full(codes.RECORD_READ)))
    assert found["detail.truth"] == ["true"]
    assert found["detail.bytes"] == ["0x01"]
    assert found["detail.count"] == ["-5"]
    assert "detail.roles" not in parts(shown(full(codes.ACCOUNT_CHANGED)))  # FHIR has no empty text


@pytest.mark.parametrize("kind", list(AgentKind))
def test_agent_of_every_kind_is_shown(kind: AgentKind) -> None:
    for identifier in ("x1", ""):
        event = replace(full(codes.RECORD_READ), actor=replace(CLIENT, kind=kind, id=identifier))
        FhirAuditEvent.model_validate(shown(event))
