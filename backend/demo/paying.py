"""Step 7, its end: the researcher pays by invoice, a patient is paid on an account made for this study."""

from __future__ import annotations

import time
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct

from backend.demo.cast import Cast, Patient

DEPOSIT, SHARE = 10_000, 250
WAIT_SECONDS = 60


def pay(cast: Cast) -> None:
    """One patient names an account, another does not; what nobody is owed stays in the escrow."""
    operator, study = cast.operator, cast.study_id
    paid, unnamed = cast.adults[3], cast.adults[4]
    invoice = {"study": study, "amount": str(DEPOSIT), "invoice": "INV-2026-1"}
    escrow = operator.post("/v1/escrows/invoices", invoice)
    again = operator.post("/v1/escrows/invoices", invoice)
    cast.checks.that(
        "an invoice that was paid is in escrow on the chain, once",
        held=escrow["available"] == again["available"] == str(DEPOSIT),
    )
    account = str(Account.create().address)
    named = _name_payee(paid, study, account)
    cast.checks.that("the wallet signs where it is paid", held=bool(named))
    cast.checks.refused(
        "the account that signs consents is nobody's payee",
        lambda: _name_payee(unnamed, study, unnamed.wallet.address),
        status=422,
        code="payee_refused",
    )
    payout = operator.post(
        "/v1/payouts",
        {"study": study, "escrow": escrow["escrow"], "result": cast.result, "per_patient": str(SHARE)},
    )
    standing = _waited(paid, cast.result)
    cast.checks.that(
        "after the time to object it may be claimed", held=standing == "claimable", detail=standing
    )
    claim = {"subject": paid.wallet.subject, "round": payout["round"]}
    claims = [paid.wallet.api.post("/v1/payments/claims", claim) for _ in range(2)]
    cast.checks.that(
        "the patient claims without gas, and twice is once",
        held=all(each["done"] for each in claims) and _standing(paid, cast.result) == "claimed",
    )
    cast.checks.that(
        "who named no account is owed it later", held=_standing(unnamed, cast.result) == "unnamed"
    )


def _name_payee(patient: Patient, study: str, account: str) -> dict[str, Any]:
    wallet = patient.wallet
    wish = {"subject": wallet.subject, "study": study, "account": account, "kind": "own"}
    draft = wallet.api.post("/v1/payments/payees/draft", wish)
    signed = wallet.account.sign_message(encode_defunct(text=draft["text"]))
    body = {**wish, "number": draft["number"], "signature": "0x" + bytes(signed.signature).hex()}
    named: dict[str, Any] = wallet.api.post("/v1/payments/payees", body)
    return named


def _waited(patient: Patient, result: str) -> str:
    """Wait until the time to object is over."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (standing := _standing(patient, result)) != "claimable" and time.monotonic() < deadline:
        time.sleep(0.2)
    return standing


def _standing(patient: Patient, result: str) -> str:
    payments = patient.wallet.api.get("/v1/payments", subject=patient.wallet.subject)
    return next((str(each["standing"]) for each in payments if each["result"] == result), "none")
