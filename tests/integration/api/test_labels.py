"""Asking for labels stores nothing; a decision and its entry in the log name the tables they rest on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.bootstrap import open_world
from backend.consent.tables import load_tables
from backend.demo.actors import Api, Provider
from backend.records.label_loading import label_tables
from backend.records.label_map import LabelMapInvalid
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.settings import Settings
from tests.integration.api.world import Patient, Service, bundle_of

SNOMED = "http://snomed.info/sct"


def ask(api: Api, document: Any, **headers: str) -> httpx.Response:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    given = {"Content-Type": FHIR_MEDIA_TYPE, "Authorization": f"Bearer {api.token}"} | headers
    return api.http.post("/v1/labels", content=content, headers=given)


def condition(code: str) -> dict[str, Any]:
    coding = {"system": SNOMED, "code": code}
    return {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "code": {"coding": [coding]}}


def test_resource_is_labelled_with_the_row_that_says_so(clinic: Provider) -> None:
    answer = ask(clinic.api, condition("35489007")).json()
    (entry,) = answer["entries"]
    assert entry["categories"] == ["conditions"]
    assert entry["sensitivities"] == ["BH", "MH"]
    assert (entry["confidentiality"], entry["known"]) == ("R", True)
    ground = next(why for why in entry["why"] if why["source"] == "code")
    assert (ground["system"], ground["code"], ground["row"]) == (SNOMED, "35489007", "snomed/groups/0")
    tables = label_tables()
    assert answer["tables"] == {
        "version": tables.version,
        "digest": tables.digest,
        "published_digest": tables.published,
        "map": None,
    }


def test_bundle_is_labelled_entry_by_entry_and_nothing_is_stored(
    service: Service, hospital: Provider, patient: Patient
) -> None:
    before = {name: service.world.stores.database[name].count_documents({}) for name in _collections(service)}
    _, content = bundle_of(3)
    answer = ask(hospital.api, content).json()
    assert [entry["entry"] for entry in answer["entries"]] == list(range(len(answer["entries"])))
    assert len(answer["entries"]) == len(json.loads(content)["entry"])
    after = {name: service.world.stores.database[name].count_documents({}) for name in _collections(service)}
    assert after == before


def _collections(service: Service) -> list[str]:
    return sorted(service.world.stores.database.list_collection_names())


def test_labels_need_a_token_and_a_fhir_document(service: Service, clinic: Provider) -> None:
    refused = service.http.post("/v1/labels", content=b"{}")
    assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
    wrong = ask(clinic.api, {"resourceType": "Observation", "status": "final"})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["field"]) == (422, "fhir_invalid", "code")


def test_decision_and_log_name_the_tables(service: Service, clinic: Provider, patient: Patient) -> None:
    tables = service.http.get("/v1/tables").json()
    both = bytes.fromhex(load_tables().digest) + bytes.fromhex(label_tables().digest)
    assert tables["digest"] == hashlib.sha256(both).hexdigest()
    assert (tables["codes_digest"], tables["labels_digest"]) == (load_tables().digest, label_tables().digest)
    asked = {"subject": patient.subject, "purpose": "TREAT", "categories": ["laboratory"]}
    decision = clinic.api.post("/v1/decisions", asked)
    assert decision["tables"] == tables["digest"]
    entry = patient.accesses()[0]
    assert entry["type"] == "decision.explained"
    assert entry["detail"]["tables"] == "0x" + tables["digest"]


def test_read_names_the_tables_that_labelled_the_record(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id)
    clinic.api.get(f"/v1/records/{patient.record_id}", purpose="TREAT")
    entry = patient.accesses()[0]
    assert entry["type"] == "record.read"
    assert entry["detail"]["labels"] == "0x" + label_tables().digest
    assert len(entry["detail"]["tables"]) == 2 + 64
    patient.end(consent)


def test_service_does_not_start_with_a_map_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "label-map.json").write_text('{"format": "assent-label-map/1"}')
    with pytest.raises(LabelMapInvalid, match="label-map"):
        open_world(Settings(data_directory=tmp_path))
