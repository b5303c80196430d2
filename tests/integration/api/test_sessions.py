"""Who a token is for: the account, its organisation, and the patients it is or acts for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account.messages import encode_defunct

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import SCOPES_OF_ROLE, Role
from tests.integration.api.world import Patient, Service, assert_problem, in_days, raw, sign_in, staff


def session(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/v1/auth/session")
    return found


def delegate(patient: Patient, account: str, *powers: str) -> str:
    wish = {
        "subject": patient.subject,
        "delegate": account,
        "powers": list(powers),
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "not_after": in_days(1),
        "relationship": "friend",
    }
    draft = patient.api.post("/v1/delegations/draft", wish)
    return str(patient.wallet.submit("/v1/delegations", draft)["consent_id"])


def test_session_of_a_patient_names_the_account_and_the_patient_it_is(patient: Patient) -> None:
    found = session(patient.api)
    assert found["kind"] == "wallet"
    assert found["id"] == found["account"] == patient.wallet.address
    assert found["roles"] == ["patient"]
    assert found["scopes"] == sorted(SCOPES_OF_ROLE[Role.PATIENT])
    assert found["organisation"] is None
    assert found["subjects"] == [{"subject": patient.subject, "relation": "self", "powers": []}]


def test_session_of_a_delegate_says_what_each_live_delegation_allows_until_it_ends(
    service: Service, new_patient: Callable[[], Patient]
) -> None:
    helped, helper = new_patient(), new_patient()
    given = [
        delegate(helped, helper.wallet.address, "read"),
        delegate(helped, helper.wallet.address, "grant", "read"),
    ]
    own = {"subject": helper.subject, "relation": "self", "powers": []}

    def acting(*powers: str) -> dict[str, Any]:
        return {"subject": helped.subject, "relation": "acting", "powers": list(powers)}

    assert session(helper.api)["subjects"] == [own, acting("grant", "read")]
    assert session(helped.api)["subjects"] == [{**own, "subject": helped.subject}]
    helped.end(given[1])
    assert session(helper.api)["subjects"] == [own, acting("read")]
    helped.end(given[0])
    assert session(helper.api)["subjects"] == [own]


def test_session_of_a_guardian_acts_for_the_child_and_is_not_the_child(service: Service, desk: Api) -> None:
    guardian = Wallet(service.anyone())
    child = {
        "record_number": "T-child-session",
        "name": "Test Child",
        "birth_date": "2020-01-31",
        "guardians": [{"account": guardian.address, "relationship": "MTH", "evidence": "certificate 7"}],
    }
    guardian.claim(desk.post("/v1/enrolments", child)["code"])
    guardian.sign_in()
    (found,) = session(guardian.api)["subjects"]
    assert (found["subject"], found["relation"]) == (guardian.subject, "acting")
    assert "grant" in found["powers"]


def test_session_of_a_wallet_nobody_enrolled_is_for_no_patient(stranger: Wallet) -> None:
    found = session(stranger.api)
    assert (found["roles"], found["subjects"], found["scopes"]) == ([], [], ["enrolment:claim"])


def test_session_of_a_system_names_its_organisation(clinic: Provider) -> None:
    found = session(clinic.api)
    assert (found["kind"], found["id"], found["account"]) == ("client", clinic.client_id, None)
    assert found["organisation"] == {"member_id": clinic.member_id, "name": "Lakeside Clinic"}
    assert found["subjects"] == []


def test_session_of_staff_names_the_custodian(service: Service, auditor: Api) -> None:
    found = session(auditor)
    tenant = "0x" + service.world.stores.tenant.hex()
    assert (found["kind"], found["roles"]) == ("staff", ["auditor"])
    assert found["organisation"] == {"member_id": tenant, "name": service.world.services.custodian.name}


def test_staff_linked_to_a_patients_wallet_is_not_that_patient(
    service: Service, new_patient: Callable[[], Patient]
) -> None:
    patient = new_patient()
    witness = staff(service, "linked-witness", Role.WITNESS)
    asked = witness.post("/v1/auth/staff/account/challenge", {"account": patient.wallet.address})
    signed = patient.wallet.account.sign_message(encode_defunct(text=asked["message"]))
    proof = {"message": asked["message"], "signature": "0x" + bytes(signed.signature).hex()}
    assert raw(witness, "PUT", "/v1/auth/staff/account", json=proof).status_code == 204
    again = service.anyone()
    sign_in(again, "linked-witness")
    found = session(again)
    assert (found["account"], found["subjects"]) == (patient.wallet.address, [])


def test_session_is_over_after_signing_out(new_patient: Callable[[], Patient]) -> None:
    patient = new_patient()
    raw(patient.api, "POST", "/v1/auth/sign-out")
    assert_problem(raw(patient.api, "GET", "/v1/auth/session"), 401, "token_revoked")
