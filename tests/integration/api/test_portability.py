"""A patient's whole record as an archive, checked with nothing but two public keys."""

from __future__ import annotations

import json
import secrets
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from backend.adapters.ledger.abi import artifact
from backend.demo.actors import Provider
from backend.errors import AssentError
from backend.interop.portability.errors import ArchiveForged, ArchiveMalformed
from backend.interop.portability.verify import Report, verify_archive
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.types import Bytes32
from tests.integration.api.world import Patient, Service, assert_problem, raw

REPORT = b"a scanned report " * 1000


@pytest.fixture(scope="module")
def patient(new_patient: Callable[[], Patient], hospital: Provider, clinic: Provider) -> Patient:
    """With a bundle in two versions, a document, a consent, and somebody who looked."""
    found = new_patient()
    options: dict[str, Any] = {"params": {"subject": found.subject}}
    second = raw(
        hospital.api,
        "PUT",
        f"/v1/records/{found.record_id}",
        params={"subject": found.subject, "version": 2},
        headers={"Content-Type": FHIR_MEDIA_TYPE},
        content=found.bundle,
    )
    assert second.status_code == 201, second.text
    document = raw(
        hospital.api, "POST", "/v1/records", headers={"Content-Type": "text/plain"}, content=REPORT, **options
    )
    assert document.status_code == 201, document.text
    found.permit(clinic.member_id)
    assert raw(clinic.api, "GET", f"/v1/records/{found.record_id}", params={"purpose": "TREAT"}).is_success
    return found


@pytest.fixture(scope="module")
def archive(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    answer = raw(patient.api, "GET", "/v1/portability/archive", params={"subject": patient.subject})
    assert answer.headers["content-type"] == "application/zip"
    path = tmp_path_factory.mktemp("archive") / "record.zip"
    path.write_bytes(answer.content)
    return path


@pytest.fixture(scope="module")
def check(service: Service) -> Callable[[Path], Report]:
    """The check of somebody outside, who has the two public keys."""
    jwks = service.anyone().get("/.well-known/document-jwks.json")
    keys = service.http.get("/v1/log/key").text.split()
    code = artifact("WitnessPair").creation
    return lambda path: verify_archive(path, jwks=jwks, log_keys=keys, pair_code=code)


def files_of(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def rewritten(directory: Path, files: dict[str, bytes]) -> Path:
    path = directory / f"{secrets.token_hex(4)}.zip"
    with zipfile.ZipFile(path, "w") as changed:
        for name, content in files.items():
            changed.writestr(name, content)
    return path


def test_archive_verifies_offline_and_its_commitments_stand_on_the_chain(
    archive: Path, check: Callable[[Path], Report], patient: Patient, service: Service
) -> None:
    report = check(archive)
    assert report.subject == patient.subject
    assert (report.versions, len(report.commitments), report.changed, report.sealed) == (3, 3, (), ())
    assert report.consents == 1
    assert report.complete_accesses
    ledger = service.world.stores.commitments
    assert all(ledger.committed([Bytes32(bytes.fromhex(found[2:])) for found in report.commitments]))


def test_archive_holds_every_byte_that_was_stored(archive: Path, patient: Patient) -> None:
    files = files_of(archive)
    (document,) = [content for name, content in files.items() if name.endswith(".bin")]
    assert document == REPORT
    given = {json.dumps(entry["resource"], sort_keys=True) for entry in json.loads(patient.bundle)["entry"]}
    bundle = json.loads(files["bundle.json"])
    taken = {
        json.dumps(entry["resource"], sort_keys=True)
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] != "DocumentReference" or "urn:assent" not in str(entry)
    }
    assert taken == given
    Bundle.model_validate(bundle)
    names = [entry["fullUrl"] for entry in bundle["entry"] if "fullUrl" in entry]
    assert len(names) == len(set(names))


def test_export_is_in_the_list_of_accesses_that_it_brings(archive: Path, patient: Patient) -> None:
    types = [entry["type"] for entry in patient.accesses()]
    assert "record.exported" in types
    entries = json.loads(files_of(archive)["accesses.json"])["entries"]
    assert len(entries) >= 1 + 3 + 1  # asked for, three versions read, and what was before


def test_archive_with_anything_changed_is_refused(
    archive: Path, check: Callable[[Path], Report], tmp_path: Path
) -> None:
    files = files_of(archive)
    for name, content in files.items():
        flipped = bytearray(content)
        flipped[len(flipped) // 2] ^= 1
        with pytest.raises(AssentError):
            check(rewritten(tmp_path, {**files, name: bytes(flipped)}))
        with pytest.raises((ArchiveForged, ArchiveMalformed)):
            check(rewritten(tmp_path, {other: data for other, data in files.items() if other != name}))
    with pytest.raises(ArchiveForged):
        check(rewritten(tmp_path, {**files, "more.json": b"{}"}))


def test_archive_cut_off_anywhere_is_refused(
    archive: Path, check: Callable[[Path], Report], tmp_path: Path
) -> None:
    whole = archive.read_bytes()
    for part in (0, 1, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / f"{part}.zip"
        cut.write_bytes(whole[:part])
        with pytest.raises(ArchiveMalformed):
            check(cut)


def test_archive_under_another_custodians_key_is_refused(archive: Path, service: Service) -> None:
    with pytest.raises(AssentError):
        verify_archive(archive, jwks={"keys": []}, log_keys=service.http.get("/v1/log/key").text.split())


def test_nobody_else_gets_the_archive(patient: Patient, clinic: Provider, new_patient: Any) -> None:
    query = {"subject": patient.subject}
    assert raw(clinic.api, "GET", "/v1/portability/archive", params=query).status_code == 403
    other = raw(new_patient().api, "GET", "/v1/portability/archive", params=query)
    assert_problem(other, 404, "not_found")


def test_record_under_erasure_is_not_in_the_archive(
    new_patient: Callable[[], Patient], check: Callable[[Path], Report], tmp_path: Path
) -> None:
    patient = new_patient()
    body = {"subject": patient.subject, "record_id": patient.record_id}
    assert raw(patient.api, "POST", "/v1/erasures", json=body).is_success
    answer = raw(patient.api, "GET", "/v1/portability/archive", params={"subject": patient.subject})
    path = tmp_path / "record.zip"
    path.write_bytes(answer.content)
    assert check(path).versions == 0
    assert not [name for name in files_of(path) if name.startswith("records/")]
