"""Erasures over HTTP: locked with the answer, cancelled or carried out, proved by a receipt."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from backend.consent.deciding import DecisionService
from backend.consent.terms_json import to_json
from backend.demo.actors import Api, Provider, Wallet
from backend.erasure.receipt import verify_erasure
from backend.identity.roles import Role
from backend.records.vault import Vault
from backend.types import SubjectId
from tests.integration.api.world import (
    EVERYTHING,
    Patient,
    Service,
    assert_problem,
    in_days,
    permit_wish,
    raw,
    staff,
    store,
)


@pytest.fixture(scope="module")
def officer(service: Service) -> Api:
    return staff(service, "erasure-officer", Role.PRIVACY_OFFICER)


def ask(api: Api, subject: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = api.post("/v1/erasures", {"subject": subject, **more})
    return answer


def ended(api: Api, erasure_id: str) -> dict[str, Any]:
    """Wait until an erasure is over."""
    deadline = time.monotonic() + 60
    while True:
        shown: dict[str, Any] = api.get(f"/v1/erasures/{erasure_id}")
        if shown["state"] in ("erased", "cancelled"):
            return shown
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)


def until_erased(service: Service, erasure_id: str) -> None:
    """Wait, also for a person, who cannot ask any more."""
    deadline = time.monotonic() + 60
    while service.world.services.erasure.erasures.get(erasure_id).state != "erased":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read(reader: Api, record: str, purpose: str = "TREAT") -> Any:
    return raw(reader, "GET", f"/v1/records/{record}", params={"purpose": purpose})


def test_erasure_locks_at_once_and_a_cancelled_one_unlocks(
    new_patient: Callable[[], Patient], hospital: Provider, clinic: Provider
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    reference = clinic.find(patient.record_number)
    assert read(clinic.api, patient.record_id).status_code == 200
    unknown = read(clinic.api, "0" * 32)
    asked = ask(patient.api, patient.subject, record_id=patient.record_id)
    assert (asked["state"], asked["destroyed"]) == ("locked", {})
    for reader, purpose in ((clinic.api, "TREAT"), (patient.api, "PATRQT")):
        locked = read(reader, patient.record_id, purpose)
        assert (locked.status_code, locked.json()["code"]) == (unknown.status_code, unknown.json()["code"])
    listed = clinic.api.get("/v1/records", purpose="TREAT", patient_ref=reference)
    assert listed["records"] == []
    cancelled = patient.api.post(f"/v1/erasures/{asked['erasure_id']}/cancel", {})
    assert cancelled["state"] == "cancelled"
    assert read(clinic.api, patient.record_id).status_code == 200
    kinds = [entry["type"] for entry in patient.accesses()]
    assert kinds.index("erasure.cancelled") < kinds.index("erasure.requested")


def test_erased_record_is_gone_and_the_receipt_verifies(
    service: Service, new_patient: Callable[[], Patient], hospital: Provider, clinic: Provider
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    asked = ask(patient.api, patient.subject, record_id=patient.record_id, grace_hours=0)
    done = ended(patient.api, asked["erasure_id"])
    assert done["state"] == "erased"
    assert done["destroyed"]["record_versions"] == 1
    assert read(clinic.api, patient.record_id).status_code == 403
    receipt = patient.api.get(f"/v1/erasures/{asked['erasure_id']}/receipt")
    jwks = service.anyone().get("/.well-known/document-jwks.json")
    found = verify_erasure(receipt, jwks, list(service.world.services.log_keys.verifier_keys))
    assert (found.identifier, found.cause) == (asked["erasure_id"], "patient_request")
    assert found.destroyed == done["destroyed"]
    # The next version of an erased record is refused as one of a record that never was.
    again = raw(
        hospital.api,
        "PUT",
        f"/v1/records/{patient.record_id}",
        params={"subject": patient.subject, "version": 2},
        content=patient.bundle,
        headers={"Content-Type": "application/fhir+json"},
    )
    assert_problem(again, 404, "record_unknown")


def test_erased_person_is_unknown_and_the_code_gives_the_receipt(
    service: Service, new_patient: Callable[[], Patient], hospital: Provider, clinic: Provider
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    asked = ask(patient.api, patient.subject, grace_hours=0)
    erasure, code = asked["erasure_id"], asked["receipt_code"]
    deadline = time.monotonic() + 60
    while True:
        answer = service.http.get(f"/v1/erasures/{erasure}/receipt", headers={"Receipt-Code": code})
        if answer.status_code == 200:
            break
        assert_problem(answer, 409, "erasure_not_done")
        assert time.monotonic() < deadline
        time.sleep(0.05)
    receipt = answer.json()
    destroyed = receipt["assent:destroyed"]["@value"]
    assert {"enrolments", "consents", "record_versions", "sessions", "keys", "blobs"} <= destroyed.keys()
    wrong = service.http.get(f"/v1/erasures/{erasure}/receipt", headers={"Receipt-Code": "a" * 32})
    missing = service.http.get(f"/v1/erasures/{'0' * 32}/receipt", headers={"Receipt-Code": code})
    assert_problem(wrong, 404, "erasure_unknown")
    assert_problem(missing, 404, "erasure_unknown")
    database = service.world.stores.database
    subject = patient.subject.removeprefix("0x")
    for name in database.list_collection_names():
        if name in ("erasures", "audit_bundles", "audit_bodies"):
            continue
        left = [str(document) for document in database[name].find({}) if subject in str(document)]
        if name == "acts":
            left = [one for one in left if "'kind': 'erasure'" not in one]
        assert left == [], name
    # What nobody knows any more looks as it does for one that never was.
    stored = raw(
        hospital.api,
        "POST",
        "/v1/records",
        params={"subject": patient.subject, "categories": ["laboratory"], "sensitivities": ["N"]},
        content=b"late",
        headers={"Content-Type": "text/plain"},
    )
    assert_problem(stored, 409, "under_erasure")


def test_stop_that_comes_after_the_erasure_counts_and_keeps_nothing_of_the_person(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    """Whoever held it hands it in with the document, which would be sealed under a key made anew."""
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    stop = patient.api.post("/v1/revocations/draft", {"consent_id": consent})
    (kept,) = service.world.services.evidence.documents(SubjectId(int(patient.subject, 16))).values()
    body = {
        "consent_id": consent,
        "signature": patient.wallet.sign_typed(stop["typed_data"]),
        "document": to_json(kept.document),
    }
    asked = ask(patient.api, patient.subject, grace_hours=0)
    until_erased(service, asked["erasure_id"])
    stopped = raw(service.anyone(), "POST", "/v1/revocations", json=body)
    assert stopped.status_code == 200, stopped.text
    subject = patient.subject.removeprefix("0x")
    keys = service.world.stores.keys
    assert not [name for (_, name), _ in keys.rows() if name.startswith(f"documents/{subject}")]
    acts = service.world.stores.database["acts"].find({"kind": "revocation"})
    assert [a["data"]["document"] for a in acts if a["act_id"].startswith(consent[2:])] == [None]


def test_person_can_enrol_again_as_somebody_new(
    service: Service, new_patient: Callable[[], Patient], desk: Api
) -> None:
    patient = new_patient()
    asked = ask(patient.api, patient.subject, grace_hours=0)
    until_erased(service, asked["erasure_id"])
    issued = desk.post("/v1/enrolments", {"record_number": patient.record_number, "name": "Anew"})
    wallet = Wallet(service.anyone())
    wallet.claim(issued["code"])
    wallet.sign_in()
    assert wallet.subject != patient.subject


def test_hold_keeps_what_is_locked_and_tells_the_patient_why(
    new_patient: Callable[[], Patient], officer: Api
) -> None:
    patient = new_patient()
    hold = officer.post(
        "/v1/legal-holds", {"subject": patient.subject, "reason": "legal_claims", "until": in_days(30)}
    )
    asked = ask(patient.api, patient.subject, record_id=patient.record_id, grace_hours=0)
    time.sleep(1.5)
    shown = patient.api.get(f"/v1/erasures/{asked['erasure_id']}")
    assert (shown["state"], shown["hold"]["reason"]) == ("locked", "legal_claims")
    assert shown["hold"]["document"]["assent:until"]
    assert [one["hold_id"] for one in patient.api.get("/v1/legal-holds", subject=patient.subject)] == [
        hold["hold_id"]
    ]
    assert "erasure.held" in [entry["type"] for entry in patient.accesses()]
    lifted = officer.post(f"/v1/legal-holds/{hold['hold_id']}/lift", {})
    assert lifted["lifted_at"]
    assert patient.api.get(f"/v1/erasures/{asked['erasure_id']}")["hold"] is None


def test_erasure_is_the_patients_and_the_officers_alone(
    service: Service, new_patient: Callable[[], Patient], officer: Api, stranger: Wallet
) -> None:
    patient, other = new_patient(), new_patient()
    body = {"subject": patient.subject}
    assert_problem(raw(other.api, "POST", "/v1/erasures", json=body), 404, "not_found")
    assert_problem(raw(officer, "POST", "/v1/erasures", json=body), 422, "invalid_input")
    unproved = {**body, "cause": "written_request"}
    assert_problem(raw(officer, "POST", "/v1/erasures", json=unproved), 422, "invalid_input")
    foreign = {"subject": patient.subject, "record_id": other.record_id}
    assert_problem(raw(patient.api, "POST", "/v1/erasures", json=foreign), 404, "record_unknown")
    asked = ask(officer, patient.subject, cause="written_request", request_sha256="ab" * 32)
    name = f"/v1/erasures/{asked['erasure_id']}"
    assert_problem(raw(other.api, "GET", name), 404, "erasure_unknown")
    assert_problem(raw(patient.api, "POST", "/v1/erasures", json=body), 409, "erasure_under_way")
    assert patient.api.get(name)["cause"] == "written_request"
    assert officer.post(f"{name}/cancel", {})["state"] == "cancelled"


def test_delegate_may_not_erase(new_patient: Callable[[], Patient]) -> None:
    patient, helper = new_patient(), new_patient()
    wish = {
        "subject": patient.subject,
        "delegate": helper.wallet.address,
        "powers": ["read", "grant", "revoke"],
        "purposes": ["PATRQT"],
        "categories": EVERYTHING,
        "not_after": in_days(60),
        "relationship": "daughter",
    }
    patient.wallet.submit("/v1/delegations", patient.api.post("/v1/delegations/draft", wish))
    time.sleep(2.1)  # for whom an account acts is remembered for two seconds
    body = {"subject": patient.subject}
    helper.api.get("/v1/consents", subject=patient.subject)  # the delegate acts for the patient
    assert_problem(raw(helper.api, "POST", "/v1/erasures", json=body), 403, "erasure_not_yours")
    asked = ask(patient.api, patient.subject)
    cancelling = raw(helper.api, "POST", f"/v1/erasures/{asked['erasure_id']}/cancel")
    assert_problem(cancelling, 403, "erasure_not_yours")
    patient.api.post(f"/v1/erasures/{asked['erasure_id']}/cancel")


def test_read_under_way_when_the_lock_comes_fails_at_its_entry(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record was found and decided about; its entry is appended after the lock was acknowledged."""
    patient = new_patient()
    patient.permit(clinic.member_id)
    asked: list[dict[str, Any]] = []
    read_part = Vault.read

    def locked_meanwhile(vault: Vault, *parts: Any) -> bytes:
        payload = read_part(vault, *parts)
        if not asked:
            asked.append(ask(patient.api, patient.subject, record_id=patient.record_id))
        return payload

    monkeypatch.setattr(Vault, "read", locked_meanwhile)
    answer = read(clinic.api, patient.record_id)
    assert asked
    assert_problem(answer, 403, read(clinic.api, "0" * 32).json()["code"])
    opened = [entry for entry in patient.accesses() if entry["type"] == "record.read"]
    assert [entry["outcome"] for entry in opened if entry["outcome"] == "permitted"] == []


def test_record_found_before_the_lock_and_decided_after_it_is_not_released(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position of such a decision is above that of the lock, so the queue alone would let it pass."""
    patient = new_patient()
    patient.permit(clinic.member_id)
    asked: list[dict[str, Any]] = []
    decide = DecisionService.decide

    def locked_before(decisions: DecisionService, *question: Any, **more: Any) -> Any:
        if not asked:
            asked.append(ask(patient.api, patient.subject, record_id=patient.record_id))
        return decide(decisions, *question, **more)

    monkeypatch.setattr(DecisionService, "decide", locked_before)
    for attempt in (
        lambda: read(clinic.api, patient.record_id),
        lambda: raw(
            clinic.api,
            "GET",
            "/v1/records",
            params={"purpose": "TREAT", "patient_ref": clinic.find(patient.record_number)},
        ),
    ):
        asked.clear()
        answer = attempt()
        assert asked
        if answer.status_code == 200:
            assert answer.json()["records"] == []
        else:
            assert_problem(answer, 403, read(clinic.api, "0" * 32).json()["code"])
        patient.api.post(f"/v1/erasures/{asked[0]['erasure_id']}/cancel")


def test_person_under_erasure_is_decided_about_like_one_who_never_was(
    new_patient: Callable[[], Patient], clinic: Provider, auditor: Api
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    question = {"purpose": "TREAT", "categories": ["laboratory"]}

    def decided(subject: str) -> dict[str, Any]:
        answer = clinic.api.post("/v1/decisions", {**question, "subject": subject})
        return {name: answer[name] for name in ("answer", "reasons", "obligations")}

    assert decided(patient.subject)["answer"] == "permit"
    assert len(clinic.api.get("/v1/consents", subject=patient.subject)) == 1
    asked = ask(patient.api, patient.subject)
    assert clinic.api.get("/v1/consents", subject=patient.subject) == []
    assert len(patient.consents()) == 1, "the patient sees what is locked, to decide about cancelling"
    assert decided(patient.subject) == decided("0x" + "ab" * 12)
    assert read(patient.api, patient.record_id, "PATRQT").status_code == 403
    patient.api.post(f"/v1/erasures/{asked['erasure_id']}/cancel")
    assert decided(patient.subject)["answer"] == "permit"


def test_new_consents_of_a_person_under_erasure_are_refused_and_revocations_taken(
    new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    asked = ask(patient.api, patient.subject)
    draft = patient.api.post(
        "/v1/consents/draft", {"subject": patient.subject, **permit_wish(patient, clinic)}
    )
    body = {
        "message": draft["message"],
        "via": [],
        "signature": patient.wallet.sign_typed(draft["typed_data"]),
    }
    assert_problem(raw(patient.api, "POST", "/v1/consents", json=body), 409, "under_erasure")
    assert patient.wallet.revoke(consent)["state"] == "in_force"
    patient.api.post(f"/v1/erasures/{asked['erasure_id']}/cancel")


def test_request_that_is_sent_again_is_one_erasure_with_one_code(new_patient: Callable[[], Patient]) -> None:
    patient = new_patient()
    body = {"subject": patient.subject, "record_id": patient.record_id}
    headers = {"Idempotency-Key": "erase-once"}
    first, second = (
        raw(patient.api, "POST", "/v1/erasures", json=body, headers=headers).json() for _ in range(2)
    )
    assert first["receipt_code"] == second["receipt_code"]
    assert [row["erasure_id"] for row in patient.api.get("/v1/erasures", subject=patient.subject)] == [
        first["erasure_id"]
    ]


def test_document_sealed_while_its_patient_was_erased_leaves_nothing(
    service: Service,
    new_patient: Callable[[], Patient],
    hospital: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its keys and slots are made anew after the erasure; it is refused, and the next sweep takes them."""
    patient = new_patient()
    erasure = service.world.services.erasure.erasures
    seal = Vault.store
    asked: list[str] = []

    def erased_meanwhile(vault: Vault, *parts: Any, **more: Any) -> Any:
        if not asked:
            asked.append(ask(patient.api, patient.subject, grace_hours=0)["erasure_id"])
            until_erased(service, asked[0])
        return seal(vault, *parts, **more)

    monkeypatch.setattr(Vault, "store", erased_meanwhile)
    assert_problem(store(hospital, patient.subject, patient.bundle), 409, "under_erasure")
    slots = service.world.stores.database["key_slots"]
    subject = patient.subject.removeprefix("0x")
    assert slots.count_documents({"subject": subject}) > 0, "this is what has to go"
    erasure.sweep()
    assert slots.count_documents({"subject": subject}) == 0
    assert not service.world.stores.keys.exists("patient", f"documents/{subject}")
