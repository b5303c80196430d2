"""Tokens bound to a patient's consents over HTTP (IHE ITI-71 with PCF), and introspection (RFC 7662)."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from backend.consent.decision_types import DecisionInput
from backend.demo.actors import Api, Provider
from backend.errors import LedgerUnavailable
from tests.integration.api.world import Patient, Service, assert_problem, in_days, provider, raw

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
INACTIVE = {"active": False}
OTHER_SERVER = "https://records.example/fhir"


@pytest.fixture(scope="module")
def server(service: Service, operator: Api, hospital: Provider) -> Provider:
    """A resource server outside."""
    body = {"name": "archive", "roles": ["resource_server"], "member_id": hospital.member_id}
    client = operator.post("/v1/clients", body)
    return Provider(service.anyone(), client["client_id"], client["client_secret"], hospital.member_id)


def ask(client: Provider, person: str, purpose: str = "TREAT", **form: str) -> httpx.Response:
    members = {"grant_type": "client_credentials", "person_id": person, "purpose_of_use": purpose, **form}
    auth = (client.client_id, client.client_secret)
    return client.api.http.post("/oauth2/token", data=members, auth=auth)


def token_for(client: Provider, patient: Patient, **form: str) -> str:
    answer = ask(client, patient.subject, **form)
    assert answer.status_code == 200, answer.text
    assert answer.json()["refresh_token"] is None
    return str(answer.json()["access_token"])


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def introspected(server: Provider, token: str) -> dict[str, Any]:
    answer = server.api.http.post(
        "/oauth2/introspect", data={"token": token}, auth=(server.client_id, server.client_secret)
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def read(service: Service, token: str, record: str, purpose: str = "TREAT") -> httpx.Response:
    return raw(Api(service.http, token), "GET", f"/v1/records/{record}", params={"purpose": purpose})


def _until_active(server: Provider, token: str) -> None:
    deadline = time.monotonic() + 60
    while not introspected(server, token)["active"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def bare(response: httpx.Response) -> Any:
    return response.status_code, {**response.json(), "request_id": ""}


def test_token_names_patient_purpose_and_consents_and_is_short(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id, categories=["laboratory"])
    token = token_for(clinic, patient, purpose=f"{REASON}|TREAT")
    claims = claims_of(token)
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert claims["scope"] == "records:read"
    iua, pcf = claims["extensions"]["ihe_iua"], claims["extensions"]["ihe_pcf"]
    assert iua["purpose_of_use"] == [{"system": REASON, "code": "TREAT"}]
    assert iua["subject_organization_id"] == f"urn:assent:member:{clinic.member_id}"
    assert pcf["patient_id"] == f"urn:assent:subject:{patient.subject}"
    assert pcf["doc_id"] == [f"urn:assent:consent:{consent}"]
    forbid, permit = pcf["residual"]
    assert forbid == {"type": "forbid"}
    assert (permit["type"], [one["code"] for one in permit["class"]]) == ("permit", ["laboratory"])
    issued = [entry for entry in patient.accesses() if entry["type"] == "token.issued"]
    assert (issued[0]["outcome"], issued[0]["purpose"]) == ("permitted", "TREAT")
    patient.end(consent)


def test_token_by_patient_reference_is_for_the_same_patient(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id)
    answer = ask(clinic, clinic.find(patient.record_number))
    pcf = claims_of(answer.json()["access_token"])["extensions"]["ihe_pcf"]
    assert pcf["patient_id"] == f"urn:assent:subject:{patient.subject}"
    patient.end(consent)


def test_token_never_outlives_the_consent(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id, not_after=in_days(60 / 86400))
    claims = claims_of(token_for(clinic, patient))
    assert claims["exp"] <= time.time() + 61
    patient.end(consent)


def test_without_consent_the_refusal_is_the_same_whether_the_patient_exists(
    clinic: Provider, other_clinic: Provider, patient: Patient
) -> None:
    consent = patient.permit(clinic.member_id)
    other = patient.permit(clinic.member_id, purposes=["HPAYMT"])
    answers = [
        ask(other_clinic, patient.subject),
        ask(other_clinic, "0x" + "0" * 20 + "beef"),
        ask(other_clinic, other_clinic.find(patient.record_number)),
        ask(other_clinic, other_clinic.find("NOBODY-1")),
        ask(clinic, patient.subject, "HRESCH"),
        ask(clinic, patient.subject, "BTG"),
    ]
    assert_problem(answers[0], 403, "consent_required")
    assert all(bare(answer) == bare(answers[0]) for answer in answers)
    patient.end(consent, other)


def test_request_that_is_not_understood_is_refused(clinic: Provider, patient: Patient) -> None:
    subject = patient.subject
    assert_problem(ask(clinic, subject, "HEALING"), 422, "unknown_code")
    assert_problem(ask(clinic, subject, scope="records:write"), 422, "invalid_scope")
    assert_problem(ask(clinic, subject, resource="relative"), 422, "invalid_input")
    assert_problem(ask(clinic, "no reference"), 422, "patient_ref_invalid")
    half = {"grant_type": "client_credentials", "person_id": subject}
    answer = clinic.api.http.post("/oauth2/token", data=half, auth=(clinic.client_id, clinic.client_secret))
    assert assert_problem(answer, 422, "invalid_input")["field"] == "purpose_of_use"


def test_token_reads_one_patient_for_one_purpose_and_nothing_else(
    service: Service, clinic: Provider, patient: Patient, new_patient: Callable[[], Patient]
) -> None:
    other = new_patient()
    both = ["TREAT", "HPAYMT"]
    consents = [patient.permit(clinic.member_id, purposes=both)]
    other.permit(clinic.member_id, purposes=both)
    token = token_for(clinic, patient)
    assert read(service, token, patient.record_id).status_code == 200
    assert_problem(read(service, token, patient.record_id, "HPAYMT"), 403, "consent_required")
    assert_problem(read(service, token, other.record_id), 403, "consent_required")
    assert clinic.read(other.record_id)  # and not for want of consent
    api = Api(service.http, token)
    listed = api.get("/v1/records", subject=patient.subject, purpose="TREAT")
    assert [row["record_id"] for row in listed["records"]] == [patient.record_id]
    assert api.get("/v1/records", subject=other.subject, purpose="TREAT")["records"] == []
    for method, path in (
        ("GET", f"/v1/consents?subject={patient.subject}"),
        ("GET", "/v1/consent-requests"),
        ("POST", "/v1/decisions"),
        ("POST", "/oauth2/introspect"),
    ):
        answer = raw(api, method, path, data={"token": token} if "oauth2" in path else None)
        assert_problem(answer, 403, "scope_missing")
    patient.end(*consents)


def test_read_with_a_token_decides_again_and_rests_on_its_consents_only(
    service: Service, clinic: Provider, patient: Patient
) -> None:
    first = patient.permit(clinic.member_id)
    token = token_for(clinic, patient)
    patient.wallet.revoke(first)
    assert_problem(read(service, token, patient.record_id), 403, "consent_required")
    second = patient.permit(clinic.member_id)
    assert clinic.read(patient.record_id)
    assert_problem(read(service, token, patient.record_id), 403, "consent_required")
    assert read(service, token_for(clinic, patient), patient.record_id).status_code == 200
    patient.end(first, second)


def test_introspection_tells_what_is_permitted_now(
    clinic: Provider, patient: Patient, server: Provider
) -> None:
    laboratory = patient.permit(clinic.member_id, categories=["laboratory"])
    medications = patient.permit(clinic.member_id, categories=["medications"])
    token = token_for(clinic, patient)

    def told() -> tuple[list[str], list[str]]:
        answer = introspected(server, token)
        assert (answer["active"], answer["client_id"]) == (True, clinic.client_id)
        pcf = answer["extensions"]["ihe_pcf"]
        permits = [rule for rule in pcf["residual"] if rule["type"] == "permit"]
        return pcf["doc_id"], sorted(one["code"] for rule in permits for one in rule["class"])

    both = sorted(f"urn:assent:consent:{name}" for name in (laboratory, medications))
    assert told() == (both, ["laboratory", "medications"])
    patient.wallet.revoke(laboratory)
    assert told() == ([f"urn:assent:consent:{medications}"], ["medications"])
    patient.wallet.revoke(medications)
    assert introspected(server, token) == INACTIVE
    entries = [entry for entry in patient.accesses() if entry["type"] == "token.introspected"]
    assert [entry["outcome"] for entry in entries] == ["denied", "permitted", "permitted"]
    patient.end(laboratory, medications)


def test_introspection_knows_a_revocation_within_two_seconds(
    clinic: Provider, patient: Patient, server: Provider
) -> None:
    for _ in range(3):
        consent = patient.permit(clinic.member_id)
        token = token_for(clinic, patient)
        assert introspected(server, token)["active"]
        patient.wallet.revoke(consent)
        acknowledged = time.monotonic()
        assert introspected(server, token) == INACTIVE  # the first time it is asked
        assert time.monotonic() - acknowledged < 2
        patient.end(consent)


def test_introspection_after_revoke_all_and_after_a_deny_is_inactive(
    service: Service, clinic: Provider, new_patient: Callable[[], Patient], server: Provider
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    token = token_for(clinic, patient)
    deny = patient.wallet.consent(kind="deny")["consent_id"]
    assert introspected(server, token) == INACTIVE
    patient.end(deny)
    _until_active(server, token)  # the end of a deny widens, so it waits for finality
    draft = patient.api.post("/v1/revocations/draft", {"subject": patient.subject})
    body = {
        "subject": patient.subject,
        "epoch": int(patient.consents()[0]["message"]["epoch"]),
        "signature": patient.wallet.sign_typed(draft["typed_data"]),
    }
    assert raw(service.anyone(), "POST", "/v1/revocations", json=body).is_success
    assert introspected(server, token) == INACTIVE


def test_introspection_of_a_suspended_members_or_disabled_clients_token_is_inactive(
    service: Service, operator: Api, patient: Patient, server: Provider
) -> None:
    ward = provider(service, operator, "Ward to be suspended")
    consent = patient.permit(ward.member_id)
    token = token_for(ward, patient)
    assert introspected(server, token)["active"]
    operator.post(f"/v1/members/{ward.member_id}/suspend", {})
    assert introspected(server, token) == INACTIVE
    operator.post(f"/v1/members/{ward.member_id}/reinstate", {})
    _until_active(server, token)
    raw(operator, "PUT", f"/v1/clients/{ward.client_id}/state", json={"disabled": True})
    assert introspected(server, token) == INACTIVE
    patient.end(consent)


def test_introspection_while_the_ledger_is_stale_is_no_answer(
    service: Service,
    clinic: Provider,
    patient: Patient,
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consent = patient.permit(clinic.member_id)
    token = token_for(clinic, patient)

    def stale(*_: object) -> DecisionInput:
        raise LedgerUnavailable

    monkeypatch.setattr(service.world.services.decisions, "gather", stale)
    form = {"token": token}
    answer = server.api.http.post(
        "/oauth2/introspect", data=form, auth=(server.client_id, server.client_secret)
    )
    assert_problem(answer, 503, "ledger_unavailable")
    assert_problem(ask(clinic, patient.subject), 503, "ledger_unavailable")
    monkeypatch.undo()
    assert introspected(server, token)["active"]
    patient.end(consent)


def test_token_for_another_server_is_introspected_and_refused_here(
    service: Service, clinic: Provider, patient: Patient, server: Provider
) -> None:
    consent = patient.permit(clinic.member_id)
    token = token_for(clinic, patient, resource=OTHER_SERVER)
    assert introspected(server, token)["aud"] == OTHER_SERVER
    assert_problem(read(service, token, patient.record_id), 401, "token_invalid")
    patient.end(consent)


def test_introspection_is_for_resource_servers_and_the_holder_only(
    service: Service, clinic: Provider, other_clinic: Provider, auditor: Api, patient: Patient
) -> None:
    consent = patient.permit(clinic.member_id)
    token = token_for(clinic, patient)
    assert introspected(clinic, token)["active"]
    assert introspected(other_clinic, token) == INACTIVE
    form = {"token": token}
    assert raw(auditor, "POST", "/oauth2/introspect", data=form).json()["active"]
    assert raw(patient.api, "POST", "/oauth2/introspect", data=form).json() == INACTIVE
    assert_problem(service.http.post("/oauth2/introspect", data=form), 401, "not_authenticated")
    wrong = service.http.post("/oauth2/introspect", data=form, auth=(clinic.client_id, "wrong"))
    assert_problem(wrong, 401, "invalid_client")
    patient.end(consent)


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "A" * 8192])
def test_introspection_of_what_is_no_token_is_inactive(server: Provider, token: str) -> None:
    assert introspected(server, token) == INACTIVE


def test_introspection_of_plain_tokens_is_for_their_holders(
    clinic: Provider, patient: Patient, server: Provider
) -> None:
    assert introspected(clinic, str(clinic.api.token))["active"]
    assert introspected(server, str(clinic.api.token)) == INACTIVE
    assert introspected(server, str(patient.api.token)) == INACTIVE


def test_resource_server_proves_itself_with_its_key(
    service: Service, operator: Api, clinic: Provider, patient: Patient, server: Provider
) -> None:
    consent = patient.permit(clinic.member_id)
    token = token_for(clinic, patient)
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    keys = {"keys": [key.as_dict(private=False)]}
    raw(operator, "PUT", f"/v1/clients/{server.client_id}/assertion-keys", json=keys)
    claims = {
        "iss": server.client_id,
        "sub": server.client_id,
        "aud": service.url,
        "exp": int(time.time()) + 60,
        "jti": secrets.token_hex(8),
    }
    assertion = jwt.encode({"alg": "ES256", "kid": "k1"}, claims, key, algorithms=["ES256"])
    form = {"token": token, "client_assertion_type": ASSERTION, "client_assertion": assertion}
    assert service.http.post("/oauth2/introspect", data=form).json()["active"]
    assert_problem(service.http.post("/oauth2/introspect", data=form), 401, "invalid_client")  # used
    patient.end(consent)


def test_revoked_token_is_inactive_and_only_its_holder_revokes_it(
    service: Service, clinic: Provider, other_clinic: Provider, patient: Patient, server: Provider
) -> None:
    consent = patient.permit(clinic.member_id)
    token = token_for(clinic, patient)
    answers = []
    for client in (other_clinic, clinic):
        auth = (client.client_id, client.client_secret)
        answers.append(service.http.post("/oauth2/revoke", data={"token": token}, auth=auth))
        assert introspected(server, token)["active"] is (client is other_clinic)
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b""), (200, b"")]
    assert_problem(read(service, token, patient.record_id), 401, "token_revoked")
    patient.end(consent)


def test_metadata_names_the_endpoints(service: Service) -> None:
    found = service.http.get("/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == service.url
    for name in ("token", "introspection", "revocation"):
        path = found[f"{name}_endpoint"].removeprefix(service.url)
        assert service.http.post(path).status_code in (401, 422)
        assert "private_key_jwt" in found[f"{name}_endpoint_auth_methods_supported"]
    assert service.http.get(found["jwks_uri"]).status_code == 200
