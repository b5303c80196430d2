"""A study is paid for by invoice, and its patients are paid: from deposit to claim and back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from eth_account.messages import encode_typed_data

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.dump import raw_dump, replica
from backend.adapters.ledger.rpc import RpcError
from backend.audit.entry import Agent
from backend.research.money.proof_document import check_proof
from backend.research.types import StudyId
from backend.types import BlockNumber
from tests.integration.api.study_world import StudyWorld, new_account, open_study_world, signed_text
from tests.integration.api.world import assert_problem, raw
from tests.support.process_world import eventually

OBJECTION, SETTLEMENT, CLAIM = 2, 3, 3600


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyWorld]:
    with open_study_world(
        tmp_path_factory.mktemp("payments") / "data",
        payout_objection_seconds=OBJECTION,
        payout_settlement_seconds=SETTLEMENT,
        payout_claim_seconds=CLAIM,
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def paid(world: StudyWorld) -> dict[str, Any]:
    """A study with a deposit and a result; three patients named a payee, and their payout is open."""
    study = world.approved_study()
    escrow = world.fund(study, 100_000)
    result = world.run(study)["digest"]
    accounts = [new_account() for _ in world.patients[:3]]
    for patient, account in zip(world.patients, accounts, strict=False):
        world.name_payee(patient, study, account)
    payout = world.propose(study, escrow["escrow"], result, per_patient="250")
    return {"study": study, "escrow": escrow, "result": result, "accounts": accounts, "payout": payout}


def test_deposit_by_invoice_is_on_the_chain_once(world: StudyWorld) -> None:
    study = world.approved_study()
    body = {"study": study, "amount": "5000", "invoice": "INV-once"}
    first = world.operator.post("/v1/escrows/invoices", body)
    again = world.operator.post("/v1/escrows/invoices", body)
    assert first["available"] == again["available"] == "5000"
    assert [deposit["amount"] for deposit in again["deposits"]] == ["5000"]
    assert [invoice["invoice"] for invoice in again["invoices"]] == ["INV-once"]
    more = world.operator.post("/v1/escrows/invoices", {**body, "amount": "7", "invoice": "INV-more"})
    assert more["available"] == "5007"
    other = raw(world.operator, "POST", "/v1/escrows/invoices", json={**body, "amount": "6000"})
    assert_problem(other, 409, "invoice_reused")
    for seen_by in (world.researcher.api, world.board_api, world.operator):
        assert seen_by.get("/v1/escrows", study=study) == [more]


def test_payout_shows_a_rounded_total_and_pays_what_was_named(
    world: StudyWorld, paid: dict[str, Any]
) -> None:
    payout, study = paid["payout"], paid["study"]
    assert (payout["share"], payout["total"]) == ("250", "2500"), "three payments look like ten"
    (escrow,) = world.operator.get("/v1/escrows", study=study)
    assert escrow["available"] == "97500"
    (result,) = world.operator.get("/v1/payouts/results", study=study)
    assert (result["participants"], result["placed"]) == (6, 3)
    assert (result["waiting"], result["missing"]) == (3, 0)
    assert world.standing(world.patients[4], study) == "unnamed"
    world.opens(payout["round"])
    assert world.standing(world.patients[0], study) == "claimable"
    claim = {"subject": world.patients[0].subject, "round": payout["round"]}
    for _ in range(2):
        assert world.patients[0].api.post("/v1/payments/claims", claim) == {"done": True}
    assert world.balance(paid["accounts"][0]) == 250
    assert world.standing(world.patients[0], study) == "claimed"
    entries = [entry for entry in world.patients[0].accesses() if entry["type"] == "payment.claimed"]
    assert len(entries) == 1


def test_proof_is_checked_offline_and_claimed_by_any_relayer(world: StudyWorld, paid: dict[str, Any]) -> None:
    world.opens(paid["payout"]["round"])
    patient, account = world.patients[1], paid["accounts"][1]
    document = patient.api.get("/v1/payments/proof", subject=patient.subject, round=paid["payout"]["round"])
    proved = check_proof(document)
    assert (proved.payment.account, proved.payment.amount) == (account, 250)
    stores = world.service.world.stores
    assert stores.money.payout(proved.round).root == proved.root
    # Another relayer: an account that nobody here knows sends what the document says.
    sent = stores.chain.rpc()
    told = document["transaction"]
    call = {"from": new_account(), "to": told["to"], "data": told["data"]}
    sent.call("eth_call", call, "latest")
    spoilt = {**call, "data": call["data"][:-2] + f"{int(call['data'][-2:], 16) ^ 1:02x}"}
    with pytest.raises(RpcError, match="revert"):
        sent.call("eth_call", spoilt, "latest")


def test_use_is_paid_by_the_result_that_was_committed_to_and_by_no_repetition_of_it(
    world: StudyWorld,
) -> None:
    study = world.approved_study()
    services = world.service.world.services
    kept = services.studies.get(StudyId(bytes.fromhex(study.removeprefix("0x"))))
    researcher = kept.proposal.researcher
    # An attempt that drew its answers and ended before its result was committed to.
    attempt = services.runner.run(
        kept, services.candidates.of(kept, agent=Agent.member(researcher), researcher=researcher)
    )
    assert len(attempt.participants) == len(world.patients)
    assert world.operator.get("/v1/payouts/results", study=study) == []
    reads = len(world.patients[0].accesses())
    released = world.run(study)
    assert len(world.patients[0].accesses()) == reads  # nothing was opened for it
    repeated = world.run(study)
    assert [each["values"] for each in repeated["answers"]] == [
        each["values"] for each in released["answers"]
    ]
    found = {each["result"]: each for each in world.operator.get("/v1/payouts/results", study=study)}
    paying = found.pop(released["digest"])
    assert (paying["participants"], paying["waiting"], paying["missing"]) == (len(world.patients), 6, 0)
    for other in found.values():  # there is none where both were released in one block
        assert (other["participants"], other["waiting"], other["missing"]) == (0, 0, 0)
    assert len(world.payments(world.patients[0], study)) == 1
    assert world.payments(world.outsider, study) == []


def test_patients_who_named_later_are_paid_later_and_nobody_twice(
    world: StudyWorld, paid: dict[str, Any]
) -> None:
    study, escrow = paid["study"], paid["escrow"]["escrow"]
    nobody = raw(
        world.operator,
        "POST",
        "/v1/payouts",
        json={"study": study, "escrow": escrow, "result": paid["result"], "per_patient": "250"},
    )
    assert_problem(nobody, 409, "nobody_to_pay")
    account = new_account()
    world.name_payee(world.patients[3], study, account)
    assert world.standing(world.patients[3], study) == "named"
    late = world.propose(study, escrow, paid["result"], per_patient="250")
    assert late["round"] != paid["payout"]["round"]
    assert late["total"] == "2500"
    world.opens(late["round"])
    claim = {"subject": world.patients[3].subject, "round": late["round"]}
    world.patients[3].api.post("/v1/payments/claims", claim)
    assert world.balance(account) == 250
    wrong = raw(
        world.patients[3].api,
        "POST",
        "/v1/payments/claims",
        json={"subject": world.patients[3].subject, "round": paid["payout"]["round"]},
    )
    assert_problem(wrong, 404, "nothing_to_claim")


def test_payee_that_would_link_is_refused(world: StudyWorld, paid: dict[str, Any]) -> None:
    patient, study = world.patients[5], paid["study"]
    other = world.approved_study()
    world.run(other)
    named_there = new_account()
    world.name_payee(patient, other, named_there)

    def refused(account: str, kind: str = "own") -> None:
        wish = {"subject": patient.subject, "study": study, "account": account, "kind": kind}
        assert_problem(raw(patient.api, "POST", "/v1/payments/payees/draft", json=wish), 422, "payee_refused")

    refused(patient.wallet.address)
    refused(named_there)
    refused(named_there, "other")
    refused(world.board.address)
    refused("0x" + "00" * 20)
    refused(new_account(), "donation")
    refused(world.service.world.stores.money.market)
    # Paid before, for another study: the chain knows.
    wish = {"subject": patient.subject, "study": other, "account": paid["accounts"][0], "kind": "own"}
    assert_problem(raw(patient.api, "POST", "/v1/payments/payees/draft", json=wish), 422, "payee_refused")


def test_choice_is_the_patients_own_and_an_earlier_one_does_not_come_back(
    world: StudyWorld, paid: dict[str, Any]
) -> None:
    patient, study, first = world.patients[5], paid["study"], new_account()
    wish = {"subject": patient.subject, "study": study, "account": first, "kind": "own"}
    draft = patient.api.post("/v1/payments/payees/draft", wish)
    body = {**wish, "number": draft["number"], "signature": signed_text(patient.wallet, draft["text"])}
    somebody = signed_text(world.patients[4].wallet, draft["text"])
    path = "/v1/payments/payees"
    assert_problem(
        raw(patient.api, "POST", path, json={**body, "signature": somebody}), 422, "payee_signature_invalid"
    )
    assert_problem(
        raw(patient.api, "POST", path, json={**body, "account": new_account()}),
        422,
        "payee_signature_invalid",
    )
    assert_problem(raw(world.patients[4].api, "POST", path, json=body), 404, "not_found")
    named = patient.api.post(path, body)
    assert patient.api.post(path, body) == named, "a retry is acknowledged"
    second = new_account()
    world.name_payee(patient, study, second)
    patient.api.post(path, body)  # acknowledged as what it was: the first choice
    (payment,) = world.payments(patient, study)
    assert payment["payee"] == second
    ahead = patient.api.post("/v1/payments/payees/draft", {**wish, "account": new_account()})
    assert ahead["number"] == 3


def test_who_took_no_part_is_told_nothing(world: StudyWorld, paid: dict[str, Any]) -> None:
    outsider = world.outsider
    assert outsider.api.get("/v1/payments", subject=outsider.subject) == []
    wish = {"subject": outsider.subject, "study": paid["study"], "account": new_account(), "kind": "own"}
    unknown = {**wish, "study": "0x" + "12" * 32}
    answers = [raw(outsider.api, "POST", "/v1/payments/payees/draft", json=body) for body in (wish, unknown)]
    for answer in answers:
        assert_problem(answer, 404, "nothing_to_claim")
    others = raw(outsider.api, "GET", "/v1/payments", params={"subject": world.patients[0].subject})
    assert_problem(others, 404, "not_found")


def test_objection_gives_the_board_time_and_its_rejection_brings_the_money_back(world: StudyWorld) -> None:
    study = world.approved_study()
    escrow = world.fund(study, 5_000)["escrow"]
    result = world.run(study)["digest"]
    account = new_account()
    world.name_payee(world.patients[0], study, account)
    payout = world.propose(study, escrow, result, per_patient="100")
    round_ = payout["round"]
    assert world.researcher.api.post(f"/v1/payouts/{round_}/objection", {}) == {"done": True}
    assert world.operator.get(f"/v1/payouts/{round_}")["objected"]
    draft = world.board_api.get(f"/v1/payouts/{round_}/settlement-draft", stands="false")["typed_data"]
    approvals = [{"member": world.board.address, "signature": world.board.sign_typed(draft)}]
    settled = {"stands": False, "approvals": approvals}
    assert world.board_api.post(f"/v1/payouts/{round_}/settlement", settled) == {"done": True}
    (found,) = world.operator.get("/v1/escrows", study=study)
    assert found["available"] == "5000"
    assert world.operator.get("/v1/payouts", study=study) == []
    assert world.standing(world.patients[0], study) == "named"
    again = world.propose(study, escrow, result, per_patient="100")
    assert (again["round"], again["attempt"]) == (round_, 2)
    draft = world.board_api.get(f"/v1/payouts/{round_}/objection-draft")["typed_data"]
    objection = {"objector": world.board.address, "signature": world.board.sign_typed(draft)}
    assert world.board_api.post(f"/v1/payouts/{round_}/objection", objection) == {"done": True}
    draft = world.board_api.get(f"/v1/payouts/{round_}/settlement-draft", stands="true")["typed_data"]
    approvals = [{"member": world.board.address, "signature": world.board.sign_typed(draft)}]
    world.board_api.post(f"/v1/payouts/{round_}/settlement", {"stands": True, "approvals": approvals})
    claim = {"subject": world.patients[0].subject, "round": round_}
    assert world.patients[0].api.post("/v1/payments/claims", claim) == {"done": True}
    assert world.balance(account) == 100


def test_donation_account_that_the_board_named_is_paid_for_any_study(
    world: StudyWorld, paid: dict[str, Any]
) -> None:
    charity = new_account()
    draft = world.board_api.get("/v1/payouts/donations/draft", account_named=charity)["typed_data"]
    approvals = [{"member": world.board.address, "signature": world.board.sign_typed(draft)}]
    world.board_api.post("/v1/payouts/donations", {"account": charity, "approvals": approvals})
    study = world.approved_study()
    world.run(study)
    for study_ in (study, paid["study"]):
        named = world.name_payee(world.patients[4], study_, charity, "donation")
        assert named["account"] == charity


def test_payout_beyond_the_escrow_is_refused_and_then_made(world: StudyWorld) -> None:
    study = world.approved_study()
    escrow = world.fund(study, 999)["escrow"]
    result = world.run(study)["digest"]
    world.name_payee(world.patients[0], study, new_account())
    body = {"study": study, "escrow": escrow, "result": result, "per_patient": "100"}
    refused = raw(world.operator, "POST", "/v1/payouts", json=body)
    assert "EscrowTooSmall" in assert_problem(refused, 409, "ledger_rejected")["detail"]
    world.fund(study, 1)
    assert world.operator.post("/v1/payouts", body)["total"] == "1000"
    (escrow_now,) = world.operator.get("/v1/escrows", study=study)
    assert escrow_now["available"] == "0"


def test_budget_is_shared_over_the_published_number(world: StudyWorld) -> None:
    study = world.approved_study()
    escrow = world.fund(study, 100_000)["escrow"]
    result = world.run(study)
    world.name_payee(world.patients[0], study, new_account())
    payout = world.propose(study, escrow, result["digest"], budget="9999")
    assert int(payout["share"]) == 9999 // max(result["included"][1], 10)


def test_release_waits_until_all_are_paid(world: StudyWorld, paid: dict[str, Any]) -> None:
    path = f"/v1/escrows/{paid['study']}/{paid['escrow']['escrow']}/release"
    assert_problem(raw(world.operator, "POST", path), 409, "escrow_owes")


def test_result_of_a_study_without_patients_is_released_and_unpaid_money_goes_back(world: StudyWorld) -> None:
    study = world.approved_study()
    escrow = world.fund(study, 500)["escrow"]
    path = f"/v1/escrows/{study}/{escrow}"
    locked = raw(world.operator, "POST", f"{path}/refund")
    assert "EscrowLocked" in assert_problem(locked, 409, "ledger_rejected")["detail"]
    stock = int(world.operator.get("/v1/escrows/terms")["stock"])
    assert world.operator.post(f"{path}/release")["released"]
    assert world.researcher.api.post(f"{path}/refund")["available"] == "0"
    assert int(world.operator.get("/v1/escrows/terms")["stock"]) == stock + 500
    assert world.researcher.api.post(f"{path}/refund")["available"] == "0", "again: nothing to do"
    late = raw(
        world.operator,
        "POST",
        "/v1/escrows/invoices",
        json={"study": study, "amount": "5", "invoice": "late"},
    )
    assert "EscrowOver" in assert_problem(late, 409, "ledger_rejected")["detail"]


def signed_deposit(world: StudyWorld, study: str, amount: str) -> list[str]:
    """The researcher's own wallet signs what it is asked to, as any wallet would."""
    draft = world.researcher.api.post("/v1/escrows/draft", {"study": study, "amount": amount})
    found = []
    for asked in draft:
        assert asked["from"] == world.researcher_account.address
        transaction = {
            "to": asked["to"],
            "data": asked["data"],
            "value": int(asked["value"]),
            "nonce": asked["nonce"],
            "gas": asked["gas"],
            "gasPrice": int(asked["gas_price"]),
            "chainId": int(asked["chain_id"]),
        }
        signed = world.researcher_account.sign_transaction(transaction)
        found.append("0x" + bytes(signed.raw_transaction).hex())
    return found


def test_researcher_pays_from_its_own_account_and_gets_the_rest_back(world: StudyWorld) -> None:
    study, account = world.approved_study(), world.researcher_account.address
    assert world.operator.post("/v1/escrows/test-tokens", {"account": account, "amount": "900"})["done"]
    assert world.balance(account) == 900
    body = {"study": study, "amount": "700", "transactions": signed_deposit(world, study, "700")}
    funded = world.researcher.api.post("/v1/escrows/signed", body)
    assert (funded["available"], funded["funder"], funded["by_invoice"]) == ("700", account, False)
    again = world.researcher.api.post("/v1/escrows/signed", body)
    assert [deposit["amount"] for deposit in again["deposits"]] == ["700"], "sent twice, it pays once"
    assert world.balance(account) == 200
    result = world.run(study)["digest"]
    world.name_payee(world.patients[0], study, new_account())
    payout = world.propose(study, funded["escrow"], result, per_patient="10")
    draft = world.researcher.api.get(f"/v1/payouts/{payout['round']}/objection-draft")["typed_data"]
    objected = world.researcher_account.sign_message(encode_typed_data(full_message=draft))
    signature = "0x" + bytes(objected.signature).hex()
    world.researcher.api.post(
        f"/v1/payouts/{payout['round']}/objection", {"objector": account, "signature": signature}
    )
    assert world.operator.get(f"/v1/payouts/{payout['round']}")["objected"]


def test_only_the_drafted_transactions_are_put_on_the_chain(world: StudyWorld) -> None:
    study, other = world.approved_study(), world.approved_study()
    first, second = signed_deposit(world, study, "50")
    for amount, transactions in (
        ("51", [first, second]),
        ("50", [second, first]),
        ("50", [first, first]),
        ("50", signed_deposit(world, other, "50")),
        ("50", [first, second[:-2] + ("00" if second[-2:] != "00" else "01")]),
        ("50", [first, "0x" + "ff" * 40]),
    ):
        body = {"study": study, "amount": amount, "transactions": transactions}
        answer = raw(world.researcher.api, "POST", "/v1/escrows/signed", json=body)
        assert_problem(answer, 422, "funding_transactions_invalid")
    too_much = signed_deposit(world, study, "5000000")
    body = {"study": study, "amount": "5000000", "transactions": too_much}
    assert_problem(raw(world.researcher.api, "POST", "/v1/escrows/signed", json=body), 409, "ledger_rejected")
    assert world.operator.get("/v1/escrows", study=study) == []


@pytest.mark.parametrize("who", ["researcher", "board", "patient"])
def test_only_operators_pay_and_propose(world: StudyWorld, paid: dict[str, Any], who: str) -> None:
    caller = {"researcher": world.researcher.api, "board": world.board_api, "patient": world.patients[0].api}
    body = {"study": paid["study"], "amount": "1", "invoice": "INV-x"}
    answer = raw(caller[who], "POST", "/v1/escrows/invoices", json=body)
    assert_problem(answer, 403, "scope_missing")
    body = {"study": paid["study"], "escrow": paid["escrow"]["escrow"], "result": paid["result"]}
    answer = raw(caller[who], "POST", "/v1/payouts", json={**body, "per_patient": "1"})
    assert_problem(answer, 403, "scope_missing")


def test_nothing_on_the_chain_leads_from_a_payee_to_a_patient(
    world: StudyWorld, paid: dict[str, Any]
) -> None:
    world.opens(paid["payout"]["round"])
    claim = {"subject": world.patients[2].subject, "round": paid["payout"]["round"]}
    world.patients[2].api.post("/v1/payments/claims", claim)
    stores = world.service.world.stores
    head = stores.chain.view().head_number
    known = [
        bytes.fromhex(text.removeprefix("0x"))
        for patient in world.patients
        for text in (patient.subject, patient.wallet.address, patient.record_id)
    ]
    with replica(stores.chain) as rpc:  # type: ignore[arg-type]
        dump = list(raw_dump(rpc, BlockNumber(0), head))
    naming = [
        item
        for item in dump
        for account in paid["accounts"]
        if bytes.fromhex(account[2:]) in item.everything()
    ]
    assert len(naming) >= 2, "claims do name the account that is paid"
    for item in naming:
        assert not any(word in item.everything() for word in known)
    relayer = stores.relayer.address(Sender.RELAYER)
    assert {item.sender.lower() for item in naming} == {relayer.lower()}, "all claims are relayed"


def test_price_that_the_board_approved_is_what_patients_get(world: StudyWorld) -> None:
    token = world.researcher.api.get("/v1/escrows/terms")["token"]
    study = world.approved_study(price={"token": token, "amount": "300", "basis": "patient"})
    escrow = world.fund(study, 10_000)["escrow"]
    result = world.run(study)["digest"]
    world.name_payee(world.patients[0], study, new_account())
    body = {"study": study, "escrow": escrow, "result": result}
    less = raw(world.operator, "POST", "/v1/payouts", json={**body, "per_patient": "250"})
    assert_problem(less, 422, "payout_terms_invalid")
    assert world.operator.post("/v1/payouts", body)["share"] == "300"


def test_deposits_asked_for_at_once_are_all_made_once(world: StudyWorld) -> None:
    studies = [world.approved_study(), world.approved_study()]
    wanted = [
        {"study": study, "amount": str(1000 + number), "invoice": f"INV-at-once-{number}"}
        for number, study in enumerate(studies * 3)
    ]

    def pay(body: dict[str, str]) -> int:
        return raw(world.operator, "POST", "/v1/escrows/invoices", json=body).status_code

    with ThreadPoolExecutor(max_workers=6) as pool:
        assert set(pool.map(pay, [*wanted, *wanted])) <= {201, 202}

    def made(study: str) -> list[int]:
        escrows = world.operator.get("/v1/escrows", study=study)
        return sorted(int(deposit["amount"]) for escrow in escrows for deposit in escrow["deposits"])

    for study in studies:
        asked = sorted(int(body["amount"]) for body in wanted if body["study"] == study)
        eventually(lambda study=study, asked=asked: made(study) == asked, seconds=60, what="deposited")
