"""Records whose time is over are erased by the job, never before, and not while a hold stands."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from backend.erasure.receipt import verify_erasure
from backend.identity.roles import Role
from tests.integration.api.world import (
    Patient,
    Service,
    enrol,
    in_days,
    open_service,
    provider,
    raw,
    staff,
)
from tests.support.process_world import run_cli

RULES = {
    "rules": [
        {"code": "letters-1", "years": 1, "categories": ["laboratory"]},
        {"code": "images-90", "years": 90, "categories": ["imaging_metadata"]},
    ]
}


def attach(hospital: Any, patient: Patient, *categories: str) -> str:
    answer = raw(
        hospital.api,
        "POST",
        "/v1/records",
        params={"subject": patient.subject, "categories": list(categories), "sensitivities": ["N"]},
        content=b"a letter",
        headers={"Content-Type": "text/plain"},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["record_id"])


def age(service: Service, record: str, years: int) -> None:
    """Have the rule of one year see the record as so old: the clock goes on instead of the record back."""
    overdue = service.world.services.erasure.retention._overdue
    overdue._clock = lambda: int(time.time()) + years * 366 * 24 * 3600


def test_records_due_are_erased_with_their_receipt_and_others_are_not(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "rules.json"
    file.write_text(json.dumps(RULES))
    with open_service(data, retention_rules=file, erasure_grace_hours=0) as service:
        operator = staff(service, "ret-operator", Role.OPERATOR, Role.IDENTITY_DESK)
        officer = staff(service, "ret-officer", Role.PRIVACY_OFFICER)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        patient = enrol(service, operator, hospital, 8)
        letter, held = attach(hospital, patient, "laboratory"), attach(hospital, patient, "laboratory")
        image = attach(hospital, patient, "laboratory", "imaging_metadata")
        other = attach(hospital, patient, "notes")
        hold = {
            "subject": patient.subject,
            "record_id": held,
            "reason": "court_order",
            "until": in_days(9),
        }
        officer.post("/v1/legal-holds", hold)
        service.world.services.erasure.jobs.close()  # it would begin them beside the test
        retention = service.world.services.erasure.retention
        assert retention.run() == 0, "nothing is a year old"
        age(service, letter, 2)
        assert retention.run() == 1
        assert retention.run() == 0, "the same record again is the same erasure"
        (erasure,) = patient.api.get("/v1/erasures", subject=patient.subject)
        assert (erasure["cause"], erasure["record_ids"]) == ("retention", [letter])
        deadline = time.monotonic() + 60
        name = f"/v1/erasures/{erasure['erasure_id']}"
        while patient.api.get(name)["state"] != "erased":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        receipt = patient.api.get(f"{name}/receipt")
        assert receipt["assent:rule"] == "letters-1"
        jwks = service.anyone().get("/.well-known/document-jwks.json")
        log_keys = list(service.world.services.log_keys.verifier_keys)
        assert verify_erasure(receipt, jwks, log_keys).cause == "retention"
        left = patient.api.get("/v1/records", purpose="PATRQT", subject=patient.subject)["records"]
        assert {row["record_id"] for row in left} == {held, image, other, patient.record_id}
        (tmp_path / "receipt.json").write_text(json.dumps(receipt))
        (tmp_path / "jwks.json").write_text(json.dumps(jwks))
    given = [word for key in log_keys for word in ("--log-key", key)]
    verifying = ("receipt", "verify", tmp_path / "receipt.json", "--jwks", tmp_path / "jwks.json")
    checked = run_cli(*verifying, *given, "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["identifier"] == erasure["erasure_id"]
    forged = {**receipt, "assent:cause": "patient_request"}
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    refused = run_cli("receipt", "verify", tmp_path / "forged.json", "--jwks", tmp_path / "jwks.json", *given)
    assert refused.returncode == 2
    assert "receipt_forged" in refused.stderr
    unproved = run_cli(*verifying)
    assert "log_key_missing" in unproved.stderr
    shown = run_cli("retention", "show", "--json", ASSENT_RETENTION_RULES=str(file))
    assert [rule["code"] for rule in json.loads(shown.stdout)] == [
        "letters-1",
        "images-90",
        "study-answers",
        "study-results-365",
    ]
    listed = run_cli(
        "retention", "run", "--dry-run", "--data-directory", data, "--json", ASSENT_RETENTION_RULES=str(file)
    )
    assert json.loads(listed.stdout) == [], "nothing is a year old"
