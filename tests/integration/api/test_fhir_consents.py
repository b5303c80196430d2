"""A consent is read as FHIR over the API, and one from elsewhere becomes a draft that the wallet signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir.resources.consent import Consent as ConsentR5
from fhir.resources.R4B.consent import Consent as ConsentR4

from backend.demo.actors import Provider
from tests.integration.api.world import Patient, assert_problem, raw
from tests.unit.interop.artefacts import labels, provision, purposes, r4

FHIR = "application/fhir+json"


def as_fhir(patient: Patient, consent_id: str, accept: str = FHIR) -> Any:
    path = f"/v1/consents/{consent_id}"
    return raw(patient.api, "GET", path, params={"subject": patient.subject}, headers={"Accept": accept})


def body(patient: Patient, resource: Any, **options: Any) -> dict[str, Any]:
    return {"subject": patient.subject, "resource": resource, **options}


def test_consent_is_read_as_fhir_r4_and_r5(
    new_patient: Callable[[], Patient], clinic: Provider, other_clinic: Provider
) -> None:
    patient = new_patient()
    consent_id = patient.permit(clinic.member_id)
    for version, resource_class in (("4.0", ConsentR4), ("5.0", ConsentR5)):
        response = as_fhir(patient, consent_id, f"{FHIR}; fhirVersion={version}")
        assert response.status_code == 200
        assert response.headers["content-type"] == f"{FHIR}; fhirVersion={version}"
        resource_class.model_validate(response.json())
        assert response.json()["identifier"][0]["value"] == consent_id
        assert response.json()["status"] == "active"
    assert_problem(as_fhir(patient, consent_id, f"{FHIR}; fhirVersion=3.0"), 422, "invalid_input")
    assert as_fhir(patient, consent_id, "application/json").json()["consent_id"] == consent_id
    stranger = raw(
        other_clinic.api,
        "GET",
        f"/v1/consents/{consent_id}",
        params={"subject": patient.subject},
        headers={"Accept": FHIR},
    )
    assert_problem(stranger, 404, "not_found")


def test_revoked_consent_is_inactive(new_patient: Callable[[], Patient], clinic: Provider) -> None:
    patient = new_patient()
    consent_id = patient.permit(clinic.member_id)
    patient.wallet.revoke(consent_id)
    assert as_fhir(patient, consent_id).json()["status"] == "inactive"


def test_consent_from_elsewhere_counts_once_signed(
    new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    foreign = r4("permit", provision("deny", purpose=purposes("HPAYMT")), securityLabel=labels("N"))
    names = {"patients": ["Patient/52"], "members": {"Organization/clinic": clinic.member_id}}
    answer = patient.api.post("/v1/consents/import", body(patient, foreign, names=names))
    assert patient.consents() == []
    (draft,) = answer["drafts"]
    assert answer["notes"][0]["field"] == "Consent"
    recorded = patient.wallet.submit("/v1/consents", draft)
    (held,) = patient.consents()
    assert held["consent_id"] == recorded["consent_id"] == draft["consent_id"]
    assert held["message"]["terms"]["rules"][0]["permit"] is False

    refused = raw(patient.api, "POST", "/v1/consents/import", json=body(patient, r4(None), names=names))
    assert assert_problem(refused, 422, "fhir_consent_incomplete")["field"] == "Consent.provision.type"
    zone = body(patient, r4(period={"end": "2026-12-31"}), names=names)
    refused = raw(patient.api, "POST", "/v1/consents/import", json=zone)
    assert_problem(refused, 422, "fhir_consent_zone_missing")
    patient.api.post("/v1/consents/import", {**zone, "zone": "+01:00"})


def test_export_is_imported_as_a_draft_with_a_salt_of_its_own(
    new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    exported = as_fhir(patient, patient.permit(clinic.member_id)).json()
    (draft,) = patient.api.post("/v1/consents/import", body(patient, exported))["drafts"]
    assert draft["consent_id"] != exported["identifier"][0]["value"]
    other = new_patient()
    refused = raw(other.api, "POST", "/v1/consents/import", json=body(other, exported))
    assert_problem(refused, 422, "fhir_consent_other_subject")
