"""Recovery of an account: guardians are named, agree, wait, are stopped; and what comes after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backend.demo.actors import Api, Refused, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import (
    Patient,
    Service,
    assert_problem,
    enrol,
    in_days,
    open_service,
    provider,
    raw,
    staff,
)

DELAY_SECONDS = 2


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose recoveries wait two seconds only."""
    with open_service(tmp_path_factory.mktemp("recovery"), recovery_delay_seconds=DELAY_SECONDS) as running:
        yield running


@pytest.fixture(scope="module")
def people(quick: Service) -> Callable[[], Patient]:
    desk = staff(quick, "desk", Role.IDENTITY_DESK)
    operator = staff(quick, "operator", Role.OPERATOR)
    hospital = provider(quick, operator, "system", "0x" + quick.world.stores.tenant.hex())
    numbers = iter(range(100, 200))
    return lambda: enrol(quick, desk, hospital, next(numbers))


def guardian_of(patient: Wallet, service: Service, name: str = "sister of Ann") -> tuple[Wallet, str]:
    """Somebody else's wallet, named a guardian for recovery and nothing else; and the guardianship."""
    wallet = Wallet(service.anyone())
    draft = patient.api.post(
        "/v1/delegations/draft",
        {
            "subject": patient.subject,
            "delegate": wallet.address,
            "kind": "guardianship",
            "powers": ["delegate"],
            "relationship": name,
            "not_after": in_days(3650),
        },
    )
    recorded = patient.submit("/v1/delegations", draft)
    wallet.sign_in()
    return wallet, str(recorded["consent_id"])


def sign(wallet: Wallet, path: str, typed: dict[str, Any], **more: Any) -> Any:
    body = {"message": typed["message"], "signature": wallet.sign_typed(typed), **more}
    return Api(wallet.api.http).post(path, body)  # without a token: the signature is the authority


def name_guardians(patient: Wallet, guardianships: list[str], threshold: int = 2) -> None:
    draft = patient.api.post(
        "/v1/recovery/policies/draft",
        {"subject": patient.subject, "guardianships": guardianships, "threshold": threshold},
    )
    sign(patient, "/v1/recovery/policies", draft["typed_data"])


def agree(guardian: Wallet, subject: str, new: Wallet) -> Any:
    draft = guardian.api.post("/v1/recovery/agreements/draft", {"subject": subject, "account": new.address})
    return sign(guardian, "/v1/recovery/agreements", draft["typed_data"], account=guardian.address)


def accept(new: Wallet, subject: str) -> Any:
    draft = new.api.post("/v1/recovery/acceptances/draft", {"subject": subject})
    return sign(new, "/v1/recovery/acceptances", draft["typed_data"])


def state_of(patient: Patient) -> dict[str, Any]:
    found: dict[str, Any] = patient.api.get("/v1/recovery", subject=patient.subject)
    return found


def until_completed(new: Wallet) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        (claim,) = new.api.get("/v1/recovery/claims")
        if claim["state"] == "completed" and new_session(new)["subjects"]:
            return dict(claim)
        assert time.monotonic() < deadline, claim
        time.sleep(0.1)


def new_session(wallet: Wallet) -> dict[str, Any]:
    found: dict[str, Any] = wallet.api.get("/v1/auth/session")
    return found


def new_wallet(service: Service) -> Wallet:
    wallet = Wallet(service.anyone())
    wallet.sign_in()
    return wallet


def proposed(patient: Patient, service: Service) -> tuple[list[Wallet], Wallet]:
    named = [guardian_of(patient.wallet, service) for _ in range(2)]
    name_guardians(patient.wallet, [name for _, name in named])
    guardians, new = [wallet for wallet, _ in named], new_wallet(service)
    for each in guardians:
        agree(each, patient.subject, new)
    assert accept(new, patient.subject)["state"] == "waiting"
    return guardians, new


def test_guardian_for_recovery_alone_sees_nothing(quick: Service, people: Callable[[], Patient]) -> None:
    patient = people()
    guardian, name = guardian_of(patient.wallet, quick, "brother of Ann Lee")
    assert new_session(guardian)["subjects"] == []
    for path in ("consents", "accesses", "recovery"):
        answer = raw(guardian.api, "GET", f"/v1/{path}?subject={patient.subject}")
        assert answer.status_code in (403, 404) or answer.json() == [], path
    (one,) = guardian.api.get("/v1/recovery/guarded")
    assert (one["guardianship"], one["relationship"], one["named"]) == (name, "brother of Ann Lee", False)


def test_two_guardians_move_the_account_and_the_old_one_loses_it(
    quick: Service, people: Callable[[], Patient]
) -> None:
    patient = people()
    first, second = (guardian_of(patient.wallet, quick) for _ in range(2))
    name_guardians(patient.wallet, [first[1], second[1]])
    policy = state_of(patient)["policy"]
    assert (policy["threshold"], {one["account"] for one in policy["guardians"]}) == (
        2,
        {first[0].address, second[0].address},
    )
    new = new_wallet(quick)
    assert agree(first[0], patient.subject, new)["agreed"] == 1
    assert agree(first[0], patient.subject, new)["agreed"] == 1  # twice is once
    (begun,) = state_of(patient)["begun"]
    assert (begun["account"], begun["agreed"], begun["needed"]) == (new.address, 1, 2)
    assert accept(new, patient.subject)["state"] == "collecting"
    assert agree(second[0], patient.subject, new)["state"] == "waiting"
    pending = state_of(patient)["pending"]
    assert (pending["account"], pending["can_be_stopped"]) == (new.address, True)
    with pytest.raises(Refused) as refusal:
        patient.permit("0x" + "11" * 32)
    assert refusal.value.code == "ledger_rejected"  # nothing is given while it waits

    until_completed(new)
    new.sign_in()  # for what an account that controls a patient's records may ask
    (own,) = new_session(new)["subjects"]
    assert (own["subject"], own["relation"]) == (patient.subject, "self")
    assert new.api.get("/v1/consents", subject=patient.subject)
    types = [entry["type"] for entry in new.api.get("/v1/accesses", subject=patient.subject)["entries"]]
    for each, times in {
        "recovery.policy_set": 1,
        "recovery.agreed": 2,
        "recovery.accepted": 1,
        "recovery.proposed": 1,
        "recovery.completed": 1,
    }.items():
        assert types.count(each) == times, each
    assert raw(patient.api, "GET", "/v1/auth/session").status_code == 401  # its sessions have ended
    patient.wallet.sign_in()
    assert new_session(patient.wallet)["subjects"] == []


def test_the_present_account_stops_it_once(quick: Service, people: Callable[[], Patient]) -> None:
    patient = people()
    _, new = proposed(patient, quick)
    draft = patient.api.post("/v1/recovery/vetoes/draft", {"subject": patient.subject})
    sign(patient.wallet, "/v1/recovery/vetoes", draft["typed_data"])
    sign(patient.wallet, "/v1/recovery/vetoes", draft["typed_data"])  # a retry
    state = state_of(patient)
    assert (state["pending"], state["can_stop"]) == (None, False)
    assert [claim["state"] for claim in new.api.get("/v1/recovery/claims")] == ["over"]
    time.sleep(DELAY_SECONDS + 1)
    assert new_session(patient.wallet)["subjects"][0]["relation"] == "self"
    assert new_session(new)["subjects"] == []


def test_after_a_stop_the_desk_stands_beside_the_guardians(
    quick: Service, people: Callable[[], Patient]
) -> None:
    patient = people()
    clerk = staff(quick, f"clerk-{patient.record_number}", Role.IDENTITY_DESK)
    guardians, new = proposed(patient, quick)
    stop = patient.api.post("/v1/recovery/vetoes/draft", {"subject": patient.subject})["typed_data"]
    sign(patient.wallet, "/v1/recovery/vetoes", stop)
    body = {"subject": patient.subject, "account": new.address}
    assert_problem(raw(clerk, "POST", "/v1/recovery/confirmations", json=body), 404, "recovery_unknown")
    for each in guardians:
        agree(each, patient.subject, new)
    claim = accept(new, patient.subject)
    assert (claim["state"], claim["desk"]) == ("collecting", "needed")  # not by the guardians alone
    (case,) = clerk.get("/v1/recovery/desk", new_account=new.address)
    assert (case["record_number"], case["name"]) == (patient.record_number.upper(), "Test Person")
    answer = raw(guardians[0].api, "POST", "/v1/recovery/confirmations", json=body)
    assert_problem(answer, 403, "scope_missing")
    confirmed = clerk.post("/v1/recovery/confirmations", body)
    assert (confirmed["confirmed"], confirmed["pending"]) == (True, True)
    assert clerk.get("/v1/recovery/desk", new_account=new.address) == []
    assert state_of(patient)["pending"]["can_be_stopped"] is False
    answer = raw(patient.api, "POST", "/v1/recovery/vetoes/draft", json={"subject": patient.subject})
    assert_problem(answer, 409, "recovery_veto_spent")
    deadline = time.monotonic() + 60
    while not new_session(new)["subjects"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_desk_does_nothing_where_guardians_can_alone(
    quick: Service, people: Callable[[], Patient]
) -> None:
    patient, new = people(), new_wallet(quick)
    clerk = staff(quick, f"clerk-{patient.record_number}", Role.IDENTITY_DESK)
    guardian, name = guardian_of(patient.wallet, quick)
    name_guardians(patient.wallet, [name], threshold=1)
    agree(guardian, patient.subject, new)
    body = {"subject": patient.subject, "account": new.address}
    answer = raw(clerk, "POST", "/v1/recovery/confirmations", json=body)
    assert_problem(answer, 409, "recovery_desk_not_needed")
    assert clerk.get("/v1/recovery/desk", new_account=new.address) == []


def test_who_is_not_named_cannot_begin(quick: Service, people: Callable[[], Patient]) -> None:
    patient, new = people(), new_wallet(quick)
    stranger = new_wallet(quick)
    named = [guardian_of(patient.wallet, quick) for _ in range(2)]
    unnamed, _ = guardian_of(patient.wallet, quick)
    body = {"subject": patient.subject, "account": new.address}
    assert_problem(
        raw(named[0][0].api, "POST", "/v1/recovery/agreements/draft", json=body), 409, "recovery_not_named"
    )
    name_guardians(patient.wallet, [name for _, name in named])
    for wallet in (unnamed, stranger):
        answer = raw(wallet.api, "POST", "/v1/recovery/agreements/draft", json=body)
        assert_problem(answer, 404, "recovery_not_guardian")
    typed = named[0][0].api.post("/v1/recovery/agreements/draft", body)["typed_data"]
    forged = {
        "message": typed["message"],
        "signature": stranger.sign_typed(typed),
        "account": named[0][0].address,
    }
    assert_problem(raw(stranger.api, "POST", "/v1/recovery/agreements", json=forged), 422, "wrong_signer")
    for account in (named[1][0].address, patient.wallet.address):
        wrong = {**body, "account": account}
        answer = raw(named[0][0].api, "POST", "/v1/recovery/agreements/draft", json=wrong)
        assert_problem(answer, 422, "recovery_self")


def test_policy_of_others_or_of_one_person_twice_is_refused(
    quick: Service, people: Callable[[], Patient]
) -> None:
    patient, other = people(), people()
    _, mine = guardian_of(patient.wallet, quick)
    _, others = guardian_of(other.wallet, quick)
    for names in ([mine, others], [others]):
        wish = {"subject": patient.subject, "guardianships": names, "threshold": min(2, len(names))}
        answer = raw(patient.api, "POST", "/v1/recovery/policies/draft", json=wish)
        assert_problem(answer, 422, "guardian_unfit")
    wish = {"subject": patient.subject, "guardianships": [mine], "threshold": 1}
    typed = patient.api.post("/v1/recovery/policies/draft", wish)["typed_data"]
    body = {"message": typed["message"], "signature": other.wallet.sign_typed(typed)}
    assert_problem(raw(patient.api, "POST", "/v1/recovery/policies", json=body), 422, "wrong_signer")


def test_later_policy_waits(quick: Service, people: Callable[[], Patient]) -> None:
    patient = people()
    names = [guardian_of(patient.wallet, quick)[1] for _ in range(2)]
    name_guardians(patient.wallet, names)
    name_guardians(patient.wallet, [names[0]], threshold=1)
    state = state_of(patient)
    assert (state["policy"]["threshold"], state["waiting"]["threshold"]) == (2, 1)


def test_completion_before_its_time_is_refused(quick: Service, people: Callable[[], Patient]) -> None:
    patient = people()
    _, new = proposed(patient, quick)
    body = {"subject": patient.subject}
    assert_problem(raw(new.api, "POST", "/v1/recovery/completions", json=body), 409, "recovery_not_due")
    stranger = new_wallet(quick)
    assert_problem(raw(stranger.api, "POST", "/v1/recovery/completions", json=body), 404, "recovery_unknown")
    until_completed(new)


def test_erased_patient_leaves_nothing_and_a_waiting_recovery_ends(
    quick: Service, people: Callable[[], Patient]
) -> None:
    patient = people()
    _, new = proposed(patient, quick)
    asked = patient.api.post("/v1/erasures", {"subject": patient.subject, "grace_hours": 0})
    deadline = time.monotonic() + 60
    while quick.world.services.erasure.erasures.get(asked["erasure_id"]).state != "erased":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    database, subject = quick.world.stores.database, patient.subject[2:]
    for name in ("recovery_policies", "recovery_cases"):
        assert database[name].count_documents({"subject": subject}) == 0, name
    while database["acts"].count_documents({"data.subject": subject, "over": False}):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert database["acts"].count_documents({"data.subject": subject, "kind": "recovery"}) == 0
    assert new_session(new)["subjects"] == []
