"""The patient's overview says what readers then see, and follows what the patient signs at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import Patient, Service, assert_problem, in_days, raw, staff


def overview(api: Api, patient: Patient, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/v1/overview", subject=patient.subject, **params)
    return found


def open_categories(row: dict[str, Any]) -> dict[str, int]:
    return {cell["category"]: cell["open"] for cell in row["categories"] if cell["open"]}


def as_read(reader: Provider, patient: Patient, purpose: str) -> dict[str, int]:
    """How many records the reader is shown something of, by category."""
    listed = reader.api.get("/v1/records", subject=patient.subject, purpose=purpose)["records"]
    found: dict[str, set[str]] = defaultdict(set)
    for record in listed:
        for segment in record["segments"]:
            for category in segment["categories"]:
                found[category].add(record["record_id"])
    return {category: len(records) for category, records in found.items()}


def test_overview_is_what_each_reader_is_shown(
    new_patient: Callable[[], Patient], clinic: Provider, other_clinic: Provider
) -> None:
    patient = new_patient()
    assert overview(patient.api, patient)["rows"] == []
    narrow = patient.permit(clinic.member_id, categories=["laboratory"])
    wide = patient.permit(other_clinic.member_id, purposes=["TREAT", "HPAYMT"])
    found = overview(patient.api, patient)
    assert found["next_offset"] is None
    rows = {(row["grantee"], row["purpose"]): row for row in found["rows"]}
    assert set(rows) == {
        (clinic.member_id, "TREAT"),
        (other_clinic.member_id, "TREAT"),
        (other_clinic.member_id, "HPAYMT"),
    }
    for (grantee, purpose), row in rows.items():
        reader = clinic if grantee == clinic.member_id else other_clinic
        assert open_categories(row) == as_read(reader, patient, purpose) != {}
        assert row["kind"] == "member"
        settled = {name for cell in row["categories"] for name in cell["consents"]}
        assert settled == {narrow if reader is clinic else wide}
    row = rows[clinic.member_id, "TREAT"]
    cells = {cell["category"]: cell for cell in row["categories"]}
    assert (cells["laboratory"]["covers_future"], cells["laboratory"]["until"] is None) == (True, False)
    assert (cells["medications"]["covers_future"], cells["medications"]["open"]) == (False, 0)
    assert row["hidden"] == 1


def test_overview_follows_a_deny_and_a_revocation_at_once(
    new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent = patient.permit(clinic.member_id, categories=["laboratory", "medications"])
    before = overview(patient.api, patient)
    deny = patient.wallet.consent(subject=patient.subject, kind="deny", categories=["laboratory"])
    after = overview(patient.api, patient)
    assert "laboratory" in open_categories(before["rows"][0])
    assert open_categories(after["rows"][0]) == as_read(clinic, patient, "TREAT")
    assert "laboratory" not in open_categories(after["rows"][0])
    (listed,) = after["denies"]
    assert (listed["consent_id"], listed["grantee"]) == (deny["consent_id"], None)
    assert listed["categories"] == ["laboratory"]
    assert after["as_of"]["queue_position"] > before["as_of"]["queue_position"]
    assert after["as_of"]["head_block"] >= after["as_of"]["final_block"] > 0
    patient.wallet.revoke(consent)
    assert overview(patient.api, patient)["rows"] == []


def test_care_team_has_a_row_of_its_own(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    administrator = staff(service, "overview-administrator", Role.TEAM_ADMINISTRATOR)
    team = administrator.post("/v1/care-teams", {"name": "Overview ward"})["care_team_id"]
    administrator.post(
        f"/v1/care-teams/{team}/participants", {"client_id": clinic.client_id, "role": "ward system"}
    )
    patient = new_patient()
    patient.permit(team)
    (row,) = overview(patient.api, patient)["rows"]
    assert (row["grantee"], row["kind"]) == (team, "care_team")
    assert open_categories(row) == as_read(clinic, patient, "TREAT") != {}
    administrator.post(f"/v1/care-teams/{team}/close", {})
    (row,) = overview(patient.api, patient)["rows"]
    assert (open_categories(row), as_read(clinic, patient, "TREAT")) == ({}, {})


def test_suspended_member_is_shown_as_seeing_nothing(
    operator: Api, new_patient: Callable[[], Patient]
) -> None:
    member = operator.post("/v1/members", {"name": "Overview Clinic", "roles": ["provider"]})["member_id"]
    patient = new_patient()
    patient.permit(member)
    (row,) = overview(patient.api, patient)["rows"]
    assert open_categories(row)
    operator.post(f"/v1/members/{member}/suspend", {})
    (row,) = overview(patient.api, patient)["rows"]
    assert open_categories(row) == {}
    assert not any(cell["covers_future"] for cell in row["categories"])


def test_overview_is_for_the_patient_and_who_acts_for_them(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient, other = new_patient(), new_patient()
    patient.permit(clinic.member_id)
    path = {"subject": patient.subject}
    assert_problem(raw(clinic.api, "GET", "/v1/overview", params=path), 403, "scope_missing")
    assert_problem(raw(other.api, "GET", "/v1/overview", params=path), 404, "not_found")
    delegate = Wallet(service.anyone())
    wish = {
        "subject": patient.subject,
        "delegate": delegate.address,
        "powers": ["read"],
        "purposes": ["TREAT", "FAMRQT"],
        "categories": ["laboratory"],
        "not_after": in_days(1),
        "relationship": "sister",
    }
    patient.wallet.submit("/v1/delegations", patient.api.post("/v1/delegations/draft", wish))
    delegate.sign_in()
    (row,) = overview(delegate.api, patient)["rows"]
    assert {cell["category"] for cell in row["categories"] if cell["of"]} == {"laboratory"}
    (whole,) = overview(patient.api, patient)["rows"]
    assert len({cell["category"] for cell in whole["categories"] if cell["of"]}) > 1


def test_overview_is_in_the_patients_list(new_patient: Callable[[], Patient]) -> None:
    patient = new_patient()
    overview(patient.api, patient)
    entry = patient.accesses()[0]
    assert (entry["type"], entry["detail"]) == ("consent.read", {"overview": True})


def test_page_beyond_the_last_is_empty_and_a_negative_one_refused(new_patient: Callable[[], Patient]) -> None:
    patient = new_patient()
    found = overview(patient.api, patient, offset=5)
    assert (found["rows"], found["next_offset"]) == ([], None)
    params = {"subject": patient.subject, "offset": -1}
    assert_problem(raw(patient.api, "GET", "/v1/overview", params=params), 422, "invalid_input")
