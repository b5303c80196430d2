"""Bodies that are too large, too deep, not FHIR, of somebody else, or sent twice with other content."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from backend.demo.actors import Api, Provider
from tests.integration.api.world import (
    MAX_BODY_BYTES,
    Patient,
    Service,
    assert_problem,
    bundle_of,
    raw,
    store,
)

DECLARED_BYTES = 200 * 1000 * 1000


@pytest.fixture(autouse=True)
def _nothing_is_stored(service: Service) -> Iterator[None]:
    """Each of these bodies leaves the records, their acts and their audit entries as they were."""

    def state() -> dict[str, Any]:
        database = service.world.stores.database
        return {
            name: database[name].count_documents({})
            for name in sorted(database.list_collection_names())
            if name.startswith(("record", "act", "consent"))
        }

    before = state()
    assert before, "the collections have other names now"
    yield
    assert state() == before


def _post_raw(service: Service, api: Api, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Send a request by hand and return the whole answer: httpx would not send what is declared wrongly."""
    address = urlsplit(service.url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=10) as connection:
        lines = [f"POST {path} HTTP/1.1", f"Host: {address.netloc}", f"Authorization: Bearer {api.token}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = b""
        while b"}" not in answer and (received := connection.recv(65536)):
            answer += received
        return answer


def test_body_declared_with_200_megabytes_is_refused_unread(
    service: Service, hospital: Provider, patient: Patient
) -> None:
    headers = {"Content-Type": "application/fhir+json", "Content-Length": str(DECLARED_BYTES)}
    answer = _post_raw(service, hospital.api, f"/v1/records?subject={patient.subject}", headers)
    assert answer.startswith(b"HTTP/1.1 413 ")  # though not one byte of the body was sent
    assert b'"code": "too_large"' in answer
    assert b"x-frame-options: DENY" in answer


@pytest.mark.parametrize("length", ["9" * 30, "9" * 5000])
def test_body_declared_with_an_absurd_length_is_refused(
    service: Service, hospital: Provider, length: str
) -> None:
    answer = _post_raw(service, hospital.api, "/v1/records", {"Content-Length": length})
    assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize("path", ["/v1/records?subject={subject}", "/v1/patients/search"])
def test_body_without_length_that_grows_over_the_limit_is_refused(
    clinic: Provider, hospital: Provider, patient: Patient, path: str
) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    response = raw(
        hospital.api,
        "POST",
        path.format(subject=patient.subject),
        content=chunks(),
        headers={"Content-Type": "application/fhir+json"},
    )
    assert_problem(response, 413, "too_large")


@pytest.mark.parametrize("depth", [50, 500, 5_000, 200_000])
def test_json_nested_deeply_is_refused_as_a_bundle(hospital: Provider, patient: Patient, depth: int) -> None:
    content = (
        b'{"resourceType": "Bundle", "type": "collection", "entry": ' + b"[" * depth + b"]" * depth + b"}"
    )
    response = store(hospital, patient.subject, content)
    assert response.status_code == 422
    assert response.json()["code"] in ("bundle_too_deep", "not_a_bundle")


@pytest.mark.parametrize("depth", [50, 900, 5_000, 200_000])
@pytest.mark.parametrize("path", ["/v1/consents", "/v1/delegations", "/v1/revocations"])
def test_json_nested_deeply_is_refused_elsewhere(service: Service, path: str, depth: int) -> None:
    nested = b'{"terms":' * depth + b"1" + b"}" * depth
    content = b'{"signature": "0x00", "message": ' + nested + b"}"
    response = raw(
        service.anyone(), "POST", path, content=content, headers={"Content-Type": "application/json"}
    )
    assert 400 <= response.status_code < 500
    assert_problem(response, response.status_code, response.json()["code"])


def _changed(bundle: bytes, change: str) -> bytes:
    parsed = json.loads(bundle)
    entries = parsed["entry"]
    person = next(entry for entry in entries if entry["resource"]["resourceType"] == "Patient")
    match change:
        case "birth date":
            person["resource"]["birthDate"] = "yesterday"
        case "unknown member":
            person["resource"]["birthDay"] = "2000-01-01"
        case "unknown type":
            entries.append({"fullUrl": "urn:uuid:0", "resource": {"resourceType": "Horse"}})
        case "no patient":
            entries.remove(person)
        case "no resource":
            entries.append({"fullUrl": "urn:uuid:0"})
        case "not a bundle":
            parsed = person["resource"]
        case "twice":
            entries.append(person)
    return json.dumps(parsed).encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("birth date", "fhir_invalid"),
        ("unknown member", "fhir_invalid"),
        ("unknown type", "unknown_resource_type"),
        ("no resource", "entry_without_resource"),
        ("not a bundle", "not_a_bundle"),
        ("twice", "duplicate_resource"),
    ],
)
def test_fhir_that_does_not_validate_is_refused(
    hospital: Provider, patient: Patient, change: str, code: str
) -> None:
    response = store(hospital, patient.subject, _changed(patient.bundle, change))
    problem = assert_problem(response, 422, code)
    assert patient.record_number not in json.dumps(problem)


def test_bundle_without_its_patient_is_refused(hospital: Provider, patient: Patient) -> None:
    response = store(hospital, patient.subject, _changed(patient.bundle, "no patient"))
    assert response.status_code == 422
    assert response.json()["code"] in ("bundle_without_patient", "bundle_of_another_patient")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "malformed_json"),
        (b"", "malformed_json"),
        (b'{"a":1,"a":2}', "duplicate_json_key"),
        (b'{"a":1e9999}', "number_out_of_range"),
        (b"\xff{}", "not_utf8"),
        (b"[]", "not_a_bundle"),
        (b'"\\ud800"', "malformed_json"),
    ],
)
def test_bundle_that_is_not_clean_json_is_refused(
    hospital: Provider, patient: Patient, content: bytes, code: str
) -> None:
    response = store(hospital, patient.subject, content)
    assert response.status_code == 422
    assert_problem(response, 422, response.json()["code"])
    if code != "malformed_json":
        assert response.json()["code"] == code


def test_bundle_of_somebody_else_is_refused(hospital: Provider, patient: Patient) -> None:
    _, other = bundle_of(3)
    assert_problem(store(hospital, patient.subject, other), 422, "bundle_of_another_patient")


def test_bundle_for_a_subject_that_does_not_exist_is_refused_alike(
    hospital: Provider, patient: Patient
) -> None:
    _, other = bundle_of(3)
    absent = store(hospital, "0x" + "ab" * 12, other)
    present = store(hospital, patient.subject, other)
    assert {**absent.json(), "request_id": ""} == {**present.json(), "request_id": ""}


def test_bundle_from_a_clinic_that_is_not_the_custodian_is_refused(
    clinic: Provider, patient: Patient
) -> None:
    assert_problem(store(clinic, patient.subject, patient.bundle), 403, "not_permitted")


@pytest.mark.parametrize(
    ("query", "media_type", "content", "code"),
    [
        ({"categories": "nonsense", "sensitivities": "N"}, "text/plain", b"x", "attachment_labels_invalid"),
        ({"categories": "notes", "sensitivities": "NO"}, "text/plain", b"x", "attachment_labels_invalid"),
        ({"categories": "notes"}, "text/plain", b"x", "attachment_labels_invalid"),
        ({}, "text/plain", b"", "empty_document"),
        ({}, "text", b"x", "media_type_invalid"),
        ({}, "../../etc/passwd", b"x", "media_type_invalid"),
    ],
)
def test_attachment_with_labels_or_type_nobody_knows_is_refused(
    hospital: Provider, patient: Patient, query: dict[str, str], media_type: str, content: bytes, code: str
) -> None:
    response = raw(
        hospital.api,
        "POST",
        "/v1/records",
        params={"subject": patient.subject, **query},
        content=content,
        headers={"Content-Type": media_type},
    )
    assert_problem(response, 422, code)


def test_next_version_of_a_record_of_somebody_else_is_refused(hospital: Provider, patient: Patient) -> None:
    response = raw(
        hospital.api,
        "PUT",
        f"/v1/records/{patient.record_id}",
        params={"subject": "0x" + "ab" * 12, "version": 2},
        content=b"x",
        headers={"Content-Type": "text/plain"},
    )
    assert_problem(response, 404, "record_unknown")


def test_version_that_is_not_the_next_is_refused(hospital: Provider, patient: Patient) -> None:
    response = raw(
        hospital.api,
        "PUT",
        f"/v1/records/{patient.record_id}",
        params={"subject": patient.subject, "version": 3},
        content=b"x",
        headers={"Content-Type": "text/plain"},
    )
    assert_problem(response, 409, "version_taken")
