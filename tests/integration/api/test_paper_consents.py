"""A patient without a wallet consents on paper: two witnesses sign, one clerk stops."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import pytest
from eth_account.messages import encode_defunct

from backend.adapters.ledger.abi import artifact
from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from backend.interop.receipts.errors import ReceiptForged
from backend.interop.receipts.signing import PROOF, verify
from backend.types import SubjectId
from tests.integration.api.world import (
    PASSWORD,
    Service,
    assert_problem,
    bundle_of,
    in_days,
    raw,
    staff,
    store,
)

SCAN = b"%PDF-1.7 I allow Lakeside Clinic to see my laboratory results. Signed by hand."
PATH = "/v1/paper-consents"


@dataclass(slots=True)
class StaffWitness:
    """A member of staff with the role, and a wallet that is linked."""

    api: Api
    wallet: Wallet
    staff_id: str

    def signatures(self, paper: dict[str, Any]) -> dict[str, str]:
        return {name: self.wallet.sign_typed(message) for name, message in paper["typed_data"].items()}

    def sign(self, paper: dict[str, Any]) -> httpx.Response:
        return raw(self.api, "POST", f"{PATH}/{paper['paper_id']}/signatures", json=self.signatures(paper))


def link(api: Api, wallet: Wallet) -> httpx.Response:
    challenge = api.post("/v1/auth/staff/account/challenge", {"account": wallet.address})
    return raw(api, "PUT", "/v1/auth/staff/account", json=proof(wallet, challenge["message"]))


def proof(wallet: Wallet, message: str) -> dict[str, str]:
    signed = wallet.account.sign_message(encode_defunct(text=message))
    return {"message": message, "signature": "0x" + bytes(signed.signature).hex()}


@pytest.fixture(scope="module")
def new_witness(service: Service) -> Callable[[], StaffWitness]:
    numbers = count()

    def make() -> StaffWitness:
        name = f"witness-{next(numbers)}"
        api, wallet = staff(service, name, Role.WITNESS), Wallet(service.anyone())
        assert link(api, wallet).status_code == 204
        api.token = api.post("/v1/auth/staff", {"username": name, "password": PASSWORD})["access_token"]
        (found,) = [each for each in service.world.services.identity.staff.all() if each.username == name]
        assert found.account == wallet.address
        return StaffWitness(api, wallet, found.staff_id)

    return make


@pytest.fixture(scope="module")
def witnesses(new_witness: Callable[[], StaffWitness]) -> tuple[StaffWitness, StaffWitness]:
    return new_witness(), new_witness()


@dataclass(slots=True)
class PaperPatient:
    subject: str
    record_id: str
    code: str


@pytest.fixture
def patient(desk: Api, hospital: Provider) -> PaperPatient:
    """Enrolled, with a record, and no wallet."""
    record_number, bundle = bundle_of(71)
    issued = desk.post("/v1/enrolments", {"record_number": record_number, "name": "Test Person"})
    stored = store(hospital, issued["subject"], bundle)
    assert stored.status_code == 201, stored.text
    return PaperPatient(issued["subject"], stored.json()["record_id"], issued["code"])


def body(
    patient: PaperPatient, clinic: Provider, pair: tuple[StaffWitness, StaffWitness], **members: Any
) -> dict[str, Any]:
    return {
        "subject": patient.subject,
        "scan": base64.b64encode(SCAN).decode(),
        "media_type": "application/pdf",
        "sha256": "0x" + hashlib.sha256(SCAN).hexdigest(),
        "witnesses": [each.staff_id for each in pair],
        "grantee": clinic.member_id,
        "purposes": ["TREAT"],
        "categories": ["laboratory", "vital_signs", "conditions", "medications", "demographics"],
        "not_after": in_days(30),
        **members,
    }


Pair = tuple[StaffWitness, StaffWitness]


def read(clinic: Provider, patient: PaperPatient) -> httpx.Response:
    return raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})


def segments(response: httpx.Response) -> int:
    return len(response.json()["segments"]) if response.status_code == 200 else 0


def test_paper_signed_by_both_permits_and_one_clerk_stops_it_at_once(
    service: Service, desk: Api, clinic: Provider, patient: PaperPatient, witnesses: Pair
) -> None:
    first, second = witnesses
    assert segments(read(clinic, patient)) == 0
    paper = desk.post(PATH, body(patient, clinic, witnesses))
    assert paper["state"] == "open"
    assert paper["paper_id"] in [each["paper_id"] for each in second.api.get(PATH)]
    seen = raw(first.api, "GET", f"{PATH}/{paper['paper_id']}/scan")
    assert (seen.content, seen.headers["content-type"]) == (SCAN, "application/pdf")

    one = first.sign(paper)
    assert one.status_code == 200, one.text
    assert one.json()["state"] == "open"
    assert [each["signed"] for each in second.api.get(f"{PATH}/{paper['paper_id']}")["witnesses"]] == [
        True,
        False,
    ]
    assert first.sign(paper).json()["state"] == "open"  # again: still one
    assert segments(read(clinic, patient)) == 0

    both = second.sign(paper)
    assert both.status_code == 200, both.text
    assert both.json()["state"] == "recorded"
    assert second.sign(paper).json()["state"] == "recorded"
    assert segments(read(clinic, patient)) > 0

    mine = clinic.api.get(f"/v1/consents/{paper['consent_id']}", subject=patient.subject)
    assert mine["state"] == "live"
    assert_told_everywhere(paper, patient, clinic, service)
    stopped = raw(first.api, "POST", f"{PATH}/{paper['paper_id']}/stop", json={})
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
    assert segments(read(clinic, patient)) == 0
    assert raw(first.api, "POST", f"{PATH}/{paper['paper_id']}/stop", json={}).status_code == 200


def assert_told_everywhere(
    paper: dict[str, Any], patient: PaperPatient, clinic: Provider, service: Service
) -> None:
    """The receipt and the FHIR Consent name the method and the scan, and the log names both witnesses."""
    path, scan = f"/v1/consents/{paper['consent_id']}", "0x" + hashlib.sha256(SCAN).hexdigest()
    receipt = clinic.api.get(f"{path}/receipt", subject=patient.subject)["dct:subject"]
    assert (receipt["assent:method"], receipt["assent:scan"]) == ("witnessed paper", scan)
    parties = [kind for party in receipt["dpv:hasEntity"] for kind in party["@type"]]
    assert "dpv:Representative" in parties
    assert "dpv:GuardianOfDataSubject" not in parties
    for version in ("4.0", "5.0"):
        headers = {"Accept": f"application/fhir+json; fhirVersion={version}"}
        exported = raw(clinic.api, "GET", path, params={"subject": patient.subject}, headers=headers).json()
        if version == "5.0":  # IHE PCF, whose profile the R4 export keeps, forbids it
            assert exported["verification"][0]["verified"] is True
        (record,) = [each for each in exported["extension"] if "consent-record" in each["url"]]
        parts = {part["url"]: part.get("valueString") for part in record["extension"]}
        assert (parts["evidenceMethod"], parts["evidenceScan"]) == ("witnessed", scan)
    officer = staff(service, f"officer-{paper['paper_id']}", Role.PRIVACY_OFFICER)
    whole = officer.get(f"{path}/record", subject=patient.subject)
    keys = service.anyone().get("/.well-known/document-jwks.json")
    code = artifact("WitnessPair").creation
    assert verify(whole, keys, pair_code=code).consent_id == paper["consent_id"]
    signer = service.world.services.documents
    for changed in (
        {"assent:signature": whole["assent:signature"][:132]},  # one witness alone
        {"assent:witnesses": {**whole["assent:witnesses"], "salt": "0x" + "11" * 32}},
        {"assent:witnesses": {**whole["assent:witnesses"], "first": whole["assent:witnesses"]["second"]}},
    ):
        content = {name: value for name, value in whole.items() if name != PROOF}
        with pytest.raises(ReceiptForged):
            verify(signer.sign({**content, **changed}), keys, pair_code=code)
    page = service.world.services.accesses.page(SubjectId(int(patient.subject, 16)), before=None, limit=200)
    signed = [
        entry.event.actor.id
        for entry in page.entries
        if entry.event is not None and entry.event.type == "paper.witnessed"
    ]
    assert sorted(signed) == sorted(each["staff_id"] for each in paper["witnesses"])


def test_another_paper_of_the_same_patient_gets_a_delegation_of_its_own(
    desk: Api, clinic: Provider, other_clinic: Provider, patient: PaperPatient, witnesses: Pair
) -> None:
    papers = [
        desk.post(PATH, body(patient, clinic, witnesses)),
        desk.post(PATH, body(patient, other_clinic, witnesses)),
    ]
    for paper in papers:
        for witness in witnesses:
            assert witness.sign(paper).status_code == 200
    assert papers[0]["delegation_id"] != papers[1]["delegation_id"]
    delegates = {each["typed_data"]["delegation"]["message"]["delegate"] for each in papers}
    assert len(delegates) == 2
    desk.post(f"{PATH}/{papers[0]['paper_id']}/stop", {})
    assert segments(read(clinic, patient)) == 0
    assert segments(read(other_clinic, patient)) > 0


def test_stop_before_the_second_signature_leaves_nothing_to_sign(
    desk: Api, clinic: Provider, patient: PaperPatient, witnesses: Pair
) -> None:
    paper = desk.post(PATH, body(patient, clinic, witnesses))
    witnesses[0].sign(paper)
    assert desk.post(f"{PATH}/{paper['paper_id']}/stop", {})["state"] == "stopped"
    assert_problem(witnesses[1].sign(paper), 409, "paper_stopped")
    assert segments(read(clinic, patient)) == 0


def test_one_person_is_no_two_witnesses(
    service: Service,
    desk: Api,
    clinic: Provider,
    patient: PaperPatient,
    witnesses: Pair,
    new_witness: Callable[[], StaffWitness],
) -> None:
    first, second = witnesses
    assert_problem(raw(desk, "POST", PATH, json=body(patient, clinic, (first, first))), 422, "witness_unfit")
    paper = desk.post(PATH, body(patient, clinic, witnesses))
    assert first.sign(paper).status_code == 200
    taken = raw(
        second.api,
        "POST",
        f"{PATH}/{paper['paper_id']}/signatures",
        json=first.signatures(paper),
    )
    assert_problem(taken, 403, "not_the_witness")
    assert_problem(new_witness().sign(paper), 403, "not_the_witness")
    # Nor do two accounts of one wallet make two.
    double = staff(service, "double", Role.WITNESS)
    assert_problem(link(double, first.wallet), 409, "account_taken")
    assert desk.get(f"{PATH}/{paper['paper_id']}")["state"] == "open"
    assert segments(read(clinic, patient)) == 0


def test_witness_who_lost_the_office_does_not_sign(
    operator: Api,
    desk: Api,
    clinic: Provider,
    patient: PaperPatient,
    witnesses: Pair,
    new_witness: Callable[[], StaffWitness],
) -> None:
    leaving = new_witness()
    paper = desk.post(PATH, body(patient, clinic, (leaving, witnesses[0])))
    assert leaving.sign(paper).status_code == 200
    operator.call("PUT", f"/v1/users/{leaving.staff_id}/state", json={"disabled": True})
    assert_problem(witnesses[0].sign(paper), 422, "witness_unfit")
    again = raw(desk, "POST", PATH, json=body(patient, clinic, (leaving, witnesses[0])))
    assert_problem(again, 422, "witness_unfit")


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"sha256": "0x" + "11" * 32}, 422, "scan_differs"),
        ({"media_type": "image/png"}, 422, "scan_unacceptable"),
        ({"scan": "???"}, 422, "invalid_input"),
        ({"not_after": in_days(367)}, 422, "invalid_input"),
        ({"subject": "0x" + "00" * 11 + "07"}, 404, "not_found"),
    ],
)
def test_paper_that_will_not_do_is_refused(
    desk: Api,
    clinic: Provider,
    patient: PaperPatient,
    witnesses: Pair,
    members: dict[str, Any],
    status: int,
    code: str,
) -> None:
    assert_problem(raw(desk, "POST", PATH, json=body(patient, clinic, witnesses, **members)), status, code)


def test_patient_with_a_wallet_signs_with_it_and_one_with_paper_has_no_code_any_more(
    service: Service, desk: Api, clinic: Provider, patient: PaperPatient, witnesses: Pair
) -> None:
    wallet = Wallet(service.anyone())
    paper = desk.post(PATH, body(patient, clinic, witnesses))
    for witness in witnesses:
        assert witness.sign(paper).status_code == 200
    claim = {"code": patient.code, "account": wallet.address}
    assert_problem(
        raw(service.anyone(), "POST", "/v1/enrolments/claims/draft", json=claim),
        409,
        "enrolment_already_claimed",
    )


def test_paper_for_a_patient_with_a_wallet_is_refused(
    service: Service, desk: Api, clinic: Provider, patient: PaperPatient, witnesses: Pair
) -> None:
    Wallet(service.anyone()).claim(patient.code)
    refused = raw(desk, "POST", PATH, json=body(patient, clinic, witnesses))
    assert_problem(refused, 409, "patient_has_wallet")


def test_sign_in_message_links_nothing_and_link_message_signs_nobody_in(
    service: Service, witnesses: Pair
) -> None:
    wallet, api = Wallet(service.anyone()), witnesses[0].api
    message = api.post("/v1/auth/wallet/challenge", {"account": wallet.address})["message"]
    refused = raw(api, "PUT", "/v1/auth/staff/account", json=proof(wallet, message))
    assert_problem(refused, 401, "wallet_signature_invalid")
    message = api.post("/v1/auth/staff/account/challenge", {"account": wallet.address})["message"]
    refused = raw(service.anyone(), "POST", "/v1/auth/wallet", json=proof(wallet, message))
    assert_problem(refused, 401, "wallet_signature_invalid")
