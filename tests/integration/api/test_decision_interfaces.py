"""CDS Hooks and XACML give the answer of POST /v1/decisions to the same callers and leave the same trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from backend.consent.summary import with_summary
from backend.consent.tables import load_tables
from backend.consent.terms import Grant, Rule
from backend.consent.terms_json import from_json, to_json
from backend.demo.actors import Api, Provider
from backend.errors import LedgerUnavailable
from backend.identity.roles import Role
from tests.integration.api.world import Patient, Service, assert_problem, in_days, raw, staff

HOOK = "/cds-services/patient-consent-consult"
NOBODY = "0x" + "0" * 20 + "beef"


def hook(subject: str, actor: str, **context: Any) -> dict[str, Any]:
    claims = {"patientId": [subject], "actor": [actor], "purposeOfUse": "TREAT"}
    classes = [{"system": "urn:assent:category", "code": "laboratory"}]
    context = {**claims, "class": classes, **context}
    return {"hook": "patient-consent-consult", "hookInstance": "1", "context": context}


def request(subject: str, actor: str, purpose: str = "TREAT") -> dict[str, Any]:
    def category(**attributes: Any) -> list[dict[str, Any]]:
        found = [{"AttributeId": name, "Value": value} for name, value in attributes.items()]
        return [{"Attribute": found}]

    classes = [{"system": "urn:assent:category", "code": "laboratory"}]
    return {
        "Request": {
            "AccessSubject": category(actor=actor),
            "Action": category(purposeOfUse=purpose),
            "Resource": category(patientId=[subject], **{"class": classes}),
        }
    }


def consult(api: Api, subject: str, actor: str, **context: Any) -> dict[str, Any]:
    (card,) = api.post(HOOK, hook(subject, actor, **context))["cards"]
    found: dict[str, Any] = card
    assert found["summary"] == found["extension"]["decision"]
    return found


def xacml(api: Api, subject: str, actor: str, purpose: str = "TREAT") -> httpx.Response:
    response = raw(api, "POST", "/v1/xacml", json=request(subject, actor, purpose))
    assert response.headers["content-type"] == "application/xacml+json"
    return response


def test_discovery_names_the_service(service: Service) -> None:
    (found,) = service.http.get("/cds-services").json()["services"]
    assert found["id"] == found["hook"] == "patient-consent-consult"
    assert {"title", "description"} <= found.keys()


def test_requester_gets_the_same_answer_by_each_interface(
    new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    body = {"subject": patient.subject, "categories": ["laboratory"]}
    before = len(patient.accesses())
    for purpose, consented in (("TREAT", False), ("TREAT", True), ("HRESCH", True)):
        if consented and purpose == "TREAT":
            patient.permit(clinic.member_id)
        answer = clinic.api.post("/v1/decisions", {**body, "purpose": purpose})["answer"]
        card = consult(clinic.api, patient.subject, clinic.member_id, purposeOfUse=purpose)
        (result,) = xacml(clinic.api, patient.subject, clinic.member_id, purpose).json()["Response"]
        told = {"permit": ("CONSENT_PERMIT", "Permit"), "deny": ("CONSENT_DENY", "Deny")}
        assert (card["summary"], result["Decision"]) == told[answer]
        assert answer == ("permit" if consented and purpose == "TREAT" else "deny")
        assert "basedOn" not in card["extension"]
        assert "PolicyIdentifierList" not in result
    entries = patient.accesses()[: len(patient.accesses()) - before]
    traces = [entry for entry in entries if entry["type"] == "decision.explained"]
    assert len(traces) == 9  # three questions by three interfaces
    assert {entry["purpose"] for entry in traces} == {"TREAT", "HRESCH"}


def test_no_consent_and_a_deny_and_nobody_look_alike_to_a_requester(
    new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    without, denying = new_patient(), new_patient()
    denying.wallet.consent(kind="deny")
    subjects = (without.subject, denying.subject, NOBODY)
    cards = [clinic.api.post(HOOK, hook(subject, clinic.member_id)) for subject in subjects]
    assert cards[0] == cards[1] == cards[2]
    results = [xacml(clinic.api, subject, clinic.member_id).json() for subject in subjects]
    assert results[0] == results[1] == results[2]


def test_patient_reference_is_a_patient_id(new_patient: Callable[[], Patient], clinic: Provider) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    identifier = {"system": "urn:assent:patient-ref", "value": clinic.find(patient.record_number)}
    card = consult(clinic.api, patient.subject, clinic.member_id, patientId=[identifier])
    assert card["summary"] == "CONSENT_PERMIT"


def test_patient_is_told_everything(new_patient: Callable[[], Patient]) -> None:
    patient = new_patient()
    card = consult(patient.api, patient.subject, patient.wallet.address)
    own = patient.api.post(
        "/v1/decisions", {"subject": patient.subject, "purpose": "TREAT", "categories": ["laboratory"]}
    )
    assert card["summary"] == {"permit": "CONSENT_PERMIT", "no_consent": "NO_CONSENT"}[own["answer"]]


def test_patient_and_officer_ask_what_another_may_see(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    officer = staff(service, "consulting-officer", Role.PRIVACY_OFFICER)
    assert consult(officer, patient.subject, clinic.member_id)["summary"] == "NO_CONSENT"
    consent_id = patient.permit(clinic.member_id)
    for api in (patient.api, officer):
        card = consult(api, patient.subject, clinic.member_id)
        assert card["summary"] == "CONSENT_PERMIT"
        assert card["extension"]["basedOn"] == [f"urn:assent:consent:{consent_id}"]
        (result,) = xacml(api, patient.subject, clinic.member_id).json()["Response"]
        assert result["PolicyIdentifierList"]["PolicyIdReference"][0]["Id"].endswith(consent_id)


def test_obligation_is_told_to_who_carries_it_out_and_is_a_deny_to_others(
    new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    wish = {"kind": "permit", "grantee": clinic.member_id, "purposes": ["TREAT"], "not_after": in_days(1)}
    scope = {"subject": patient.subject, "categories": ["laboratory"], "actions": ["access"]}
    draft = patient.api.post("/v1/consents/draft", {**wish, **scope})
    grant, tables = from_json(Grant, draft["message"]), load_tables()
    notify = Rule(
        permit=True, categories=grant.terms.categories, obligations=tables.obligations.mask(["notify"])
    )
    message = to_json(with_summary(replace(grant, terms=replace(grant.terms, rules=(notify,))), tables))
    signing = {**draft["typed_data"], "message": message}
    patient.wallet.submit("/v1/consents", {"message": message, "typed_data": signing})
    assert consult(clinic.api, patient.subject, clinic.member_id)["summary"] == "CONSENT_DENY"
    card = consult(clinic.api, patient.subject, clinic.member_id, fulfils=["notify"])
    assert card["summary"] == "CONSENT_PERMIT"
    assert [item["id"]["code"] for item in card["extension"]["obligations"]] == ["notify"]


def test_actor_who_is_not_the_caller_is_refused(
    patient: Patient, clinic: Provider, other_clinic: Provider
) -> None:
    for path, body in (
        (HOOK, hook(patient.subject, other_clinic.member_id)),
        ("/v1/xacml", request(patient.subject, other_clinic.member_id)),
    ):
        assert_problem(raw(clinic.api, "POST", path, json=body), 403, "decision_actor_other")


def test_missing_or_unknown_claim_is_a_problem_and_no_card(patient: Patient, clinic: Provider) -> None:
    body = hook(patient.subject, clinic.member_id)
    del body["context"]["purposeOfUse"]
    problem = assert_problem(raw(clinic.api, "POST", HOOK, json=body), 422, "decision_claim_missing")
    assert problem["field"] == "context.purposeOfUse"
    body = hook(patient.subject, clinic.member_id, purposeOfUse="CURIOSITY")
    assert_problem(raw(clinic.api, "POST", HOOK, json=body), 422, "decision_claim_unknown")
    body = request(patient.subject, clinic.member_id)
    del body["Request"]["Resource"]
    problem = assert_problem(raw(clinic.api, "POST", "/v1/xacml", json=body), 422, "decision_claim_missing")
    assert problem["field"] == "Request.Resource.patientId"


def test_what_cannot_be_decided_is_neither_a_refusal_nor_no_consent(
    service: Service, patient: Patient, clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise LedgerUnavailable

    monkeypatch.setattr(service.world.services.decisions, "gather", away)
    body = hook(patient.subject, clinic.member_id)
    assert_problem(raw(clinic.api, "POST", HOOK, json=body), 503, "ledger_unavailable")
    response = xacml(clinic.api, patient.subject, clinic.member_id)
    assert response.status_code == 503
    assert response.headers["retry-after"]
    (result,) = response.json()["Response"]
    assert result["Decision"] == "Indeterminate"
    assert result["Status"]["StatusMessage"] == "ledger_unavailable"
