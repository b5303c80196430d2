"""Whom a stolen token concerns, proofs of any entry for the auditor, and new audit keys under way."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.audit import verify
from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from backend.types import SubjectId
from tests.integration.api.world import Patient, Service, assert_problem, raw, staff
from tests.support.process_world import eventually
from tests.support.replay_story import claims_of

PATH = "/v1/audit/affected"


@pytest.fixture(scope="module")
def officer(service: Service) -> Api:
    return staff(service, "officer.of.breaches", Role.PRIVACY_OFFICER)


class Window:
    """From when the test began until now."""

    def __init__(self) -> None:
        time.sleep(0.01)  # entries of one millisecond stand together
        self.start = datetime.now(UTC)

    def ask(self, api: Api, **suspect: str) -> Any:
        time.sleep(0.01)
        window = {"from": self.start.isoformat(), "to": datetime.now(UTC).isoformat()}
        return api.get(PATH, **window, **suspect)


def _read(api: Api, record: str, purpose: str = "TREAT") -> int:
    return raw(api, "GET", f"/v1/records/{record}", params={"purpose": purpose}).status_code


def test_token_concerns_those_it_read_and_listed_and_tells_refusals_apart(
    clinic: Provider, officer: Api, auditor: Api, new_patient: Callable[[], Patient]
) -> None:
    window = Window()
    read, listed, refused = new_patient(), new_patient(), new_patient()
    read.permit(clinic.member_id, categories=["laboratory"])
    listed.permit(clinic.member_id)
    clinic.sign_in()
    stolen, session = (claims_of(clinic.api.token)[name] for name in ("jti", "fid"))
    thief = Api(clinic.api.http, clinic.api.token)
    assert [_read(thief, read.record_id) for _ in range(2)] == [200, 200]
    assert raw(thief, "GET", "/v1/records", params={"subject": listed.subject, "purpose": "TREAT"}).is_success
    assert _read(thief, refused.record_id) == 403
    clinic.sign_in()  # another token of the same client, which reads somebody else
    assert _read(clinic.api, listed.record_id) == 200

    found = window.ask(officer, token=stolen)
    assert {one["subject"] for one in found["patients"]} == {read.subject, listed.subject}
    by_subject = {one["subject"]: one for one in found["patients"]}
    of_read = by_subject[read.subject]
    assert (of_read["reads"], of_read["records_read"]) == (2, {read.record_id: 2})
    assert of_read["categories_read"] == ["laboratory"]
    assert of_read["records_listed"] == {}
    assert window.start.isoformat() <= of_read["first"] <= of_read["last"]
    assert by_subject[listed.subject]["records_listed"] == {listed.record_id: 1}
    assert by_subject[listed.subject]["reads"] == 0
    assert "laboratory" in by_subject[listed.subject]["categories_listed"]
    assert [(one["subject"], one["attempts"]) for one in found["refused"]] == [
        (refused.subject, {"record.read": 1})
    ]
    assert found["complete"]
    for patient in (read, listed, refused):
        assert patient.record_number not in str(found)
    assert window.ask(officer, session=session)["patients"] == found["patients"]
    whole = {one["subject"]: one["reads"] for one in window.ask(auditor, client=clinic.client_id)["patients"]}
    assert whole == {read.subject: 2, listed.subject: 1}
    of_member = window.ask(auditor, member=clinic.member_id)
    assert {one["subject"] for one in of_member["patients"]} == {read.subject, listed.subject}
    assert window.ask(officer, token="another")["patients"] == []
    # Those concerned see that it was asked.
    page = read.api.get("/v1/accesses", subject=read.subject)
    assert any(
        entry["type"] == "audit.read" and entry["actor"].startswith("staff:") for entry in page["entries"]
    )


def test_token_that_stored_a_record_is_found(
    service: Service, hospital: Provider, officer: Api, new_patient: Callable[[], Patient]
) -> None:
    window = Window()
    hospital.sign_in()
    jti = claims_of(hospital.api.token)["jti"]
    patient = new_patient()
    eventually(
        lambda: (
            [one["other"] for one in window.ask(officer, token=jti)["patients"]] == [{"record.stored": 1}]
        ),
        seconds=10,
        what="the entry is written behind the answer",
    )
    assert patient.subject == window.ask(officer, token=jti)["patients"][0]["subject"]


def test_user_concerns_those_it_read(
    service: Service, officer: Api, desk: Api, new_patient: Callable[[], Patient]
) -> None:
    window = Window()
    patient = new_patient()
    patient.permit("0x" + service.world.stores.tenant.hex())
    physician = staff(service, "nosy.physician", Role.PROVIDER)
    assert _read(physician, patient.record_id) == 200
    user = claims_of(physician.token)["sub"].removeprefix("staff:")
    found = window.ask(officer, user=user)
    assert [(one["subject"], one["reads"]) for one in found["patients"]] == [(patient.subject, 1)]


def test_breach_names_one_suspect_and_a_time(officer: Api, clinic: Provider) -> None:
    window = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    for suspect in ({}, {"token": "a", "client": "b"}):
        assert_problem(raw(officer, "GET", PATH, params={**window, **suspect}), 422, "invalid_input")
    assert_problem(raw(officer, "GET", PATH, params={"token": "a"}), 422, "invalid_input")
    assert_problem(raw(clinic.api, "GET", PATH, params={**window, "token": "a"}), 403, "scope_missing")


def test_auditor_proves_any_entry_and_a_patient_its_own(
    service: Service, clinic: Provider, auditor: Api, patient: Patient
) -> None:
    consent = patient.permit(clinic.member_id)
    clinic.read(patient.record_id)
    newest = next(entry for entry in patient.accesses() if entry["type"] == "record.read")
    index, trusted = newest["index"], list(service.world.services.log_keys.verifier_keys)

    own = patient.api.get(f"/v1/accesses/{index}/proof", subject=patient.subject)
    (entry,) = verify.verify_bundle(own, trusted)["entries"]
    assert (entry["index"], entry["event"]["type"]) == (index, "record.read")

    path = f"/v1/log/entries/{index}/proof"
    before = len(patient.api.get("/v1/accesses", subject=patient.subject)["entries"])
    closed = auditor.get(path)
    assert "record" not in closed["entries"][0]
    (unopened,) = verify.verify_bundle(closed, trusted)["entries"]
    assert (unopened["leaf_hash"], "event" in unopened) == (entry["leaf_hash"], False)
    opened = auditor.get(path, opened=True)
    assert verify.verify_bundle(opened, trusted)["entries"][0]["event"] == entry["event"]
    after = patient.api.get("/v1/accesses", subject=patient.subject)["entries"]
    assert len(after) == before + 2  # that the auditor opened it, and the list before that
    assert after[0]["type"] == "audit.read"
    for index in range(5):  # the system's own, at the log's beginning
        verify.verify_bundle(auditor.get(f"/v1/log/entries/{index}/proof", opened=index % 2 == 1), trusted)
    assert_problem(raw(auditor, "GET", "/v1/log/entries/99999999/proof"), 404, "audit_entry_unknown")
    assert_problem(raw(patient.api, "GET", path), 403, "scope_missing")
    patient.end(consent)


def test_auditor_replays_an_entry_while_the_service_runs(
    clinic: Provider, other_clinic: Provider, auditor: Api, patient: Patient
) -> None:
    consent = patient.permit(clinic.member_id)
    clinic.read(patient.record_id)
    assert _read(other_clinic.api, patient.record_id) == 403
    patient.end(consent)
    reads = [entry["index"] for entry in patient.accesses() if entry["type"] == "record.read"]
    refused, permitted = reads[:2]
    for index, outcome in ((refused, "denied"), (permitted, "permitted")):
        found = auditor.get(f"/v1/log/entries/{index}/replay")
        assert (found["entry"], found["same"], found["said"]["outcome"]) == (index, True, outcome)
        assert found["parts"][0]["sentence"]
    assert patient.api.get("/v1/accesses", subject=patient.subject)["entries"][1]["type"] == "audit.read"
    granted = next(entry["index"] for entry in patient.accesses() if entry["type"] == "consent.granted")
    for index, status, code in ((granted, 422, "entry_not_a_decision"), (10**9, 404, "audit_entry_unknown")):
        assert_problem(raw(auditor, "GET", f"/v1/log/entries/{index}/replay"), status, code)
    assert_problem(raw(patient.api, "GET", f"/v1/log/entries/{permitted}/replay"), 403, "scope_missing")


def test_refusal_while_an_erasure_was_under_way_is_replayed_as_one(
    clinic: Provider, auditor: Api, new_patient: Callable[[], Patient]
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    asked = patient.api.post("/v1/erasures", {"subject": patient.subject})
    question = {"subject": patient.subject, "purpose": "TREAT", "categories": ["laboratory"]}
    assert clinic.api.post("/v1/decisions", question)["answer"] == "deny"
    patient.api.post(f"/v1/erasures/{asked['erasure_id']}/cancel", {})
    assert clinic.api.post("/v1/decisions", question)["answer"] == "permit"
    decided = [entry for entry in patient.accesses() if entry["type"] == "decision.explained"]
    assert [entry["reasons"] for entry in decided] == [["permitted"], ["subject_unknown"]]
    for entry in decided:
        assert auditor.get(f"/v1/log/entries/{entry['index']}/replay")["same"]


def test_new_audit_keys_leave_the_patients_list_whole(
    service: Service, operator: Api, clinic: Provider, auditor: Api, patient: Patient
) -> None:
    consent = patient.permit(clinic.member_id)
    clinic.read(patient.record_id)
    before = [entry["index"] for entry in patient.accesses()]
    assert operator.post("/v1/audit/key-epochs")["raised"] > 1
    clinic.read(patient.record_id)
    assert operator.post("/v1/audit/key-epochs")["raised"] > 1
    clinic.read(patient.record_id)
    patient.end(consent)
    after = [entry["index"] for entry in patient.accesses()]
    assert after[-len(before) :] == before
    assert len(after) > len(before)
    bundle = patient.api.get("/v1/accesses/proof", subject=patient.subject)
    assert verify.verify_bundle(bundle, list(service.world.services.log_keys.verifier_keys))["complete"]
    assert len(bundle["chains"]) == 3
    system = auditor.get("/v1/log/entries", limit=200)
    assert system["gaps"] == 0
    rotated = [entry for entry in system["entries"] if entry["type"] == "key.rotated"]
    assert rotated[0]["detail"]["key"] == "audit"


def test_erased_patients_entries_are_proved_unopened_and_said_to_be_missing(
    service: Service, clinic: Provider, officer: Api, auditor: Api, new_patient: Callable[[], Patient]
) -> None:
    window = Window()
    patient = new_patient()
    patient.permit(clinic.member_id)
    clinic.read(patient.record_id)
    index = next(entry["index"] for entry in patient.accesses() if entry["type"] == "record.read")
    keys = service.world.services.audit_keys._keys
    keys.erase(SubjectId(int(patient.subject, 16)))  # type: ignore[attr-defined]
    closed = auditor.get(f"/v1/log/entries/{index}/proof")
    verify.verify_bundle(closed, list(service.world.services.log_keys.verifier_keys))
    path = f"/v1/log/entries/{index}/proof"
    assert_problem(raw(auditor, "GET", path, params={"opened": True}), 404, "audit_entry_unknown")
    found = window.ask(officer, client=clinic.client_id)
    assert patient.subject not in str(found["patients"])
    assert (found["complete"], found["entries_unopened"] > 0) == (False, True)
