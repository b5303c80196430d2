"""Signing in and staying signed in: replayed, late, foreign and forged proofs are refused."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from eth_account.messages import encode_defunct

from backend.demo.actors import Wallet
from tests.integration.api.world import (
    Service,
    assert_problem,
    high_s,
    raw,
)


def _challenge(service: Service, wallet: Wallet) -> str:
    return str(service.anyone().post("/v1/auth/wallet/challenge", {"account": wallet.address})["message"])


def _sign(wallet: Wallet, message: str) -> bytes:
    return bytes(wallet.account.sign_message(encode_defunct(text=message)).signature)


def _submit(service: Service, message: str, signature: bytes) -> Any:
    return raw(
        service.anyone(),
        "POST",
        "/v1/auth/wallet",
        json={"message": message, "signature": "0x" + signature.hex()},
    )


@pytest.fixture
def wallet(service: Service) -> Wallet:
    return Wallet(service.anyone())


def test_sign_in_message_used_twice_is_refused(service: Service, wallet: Wallet) -> None:
    message = _challenge(service, wallet)
    signature = _sign(wallet, message)
    assert _submit(service, message, signature).status_code == 200
    assert_problem(_submit(service, message, signature), 401, "siwe_nonce_refused")


def test_sign_in_nonce_is_spent_by_a_wrong_signature(service: Service, wallet: Wallet) -> None:
    message = _challenge(service, wallet)
    thief = Wallet(service.anyone())
    assert_problem(_submit(service, message, _sign(thief, message)), 401, "wallet_signature_invalid")
    assert_problem(_submit(service, message, _sign(wallet, message)), 401, "siwe_nonce_refused")


def test_sign_in_with_a_nonce_nobody_issued_is_refused(service: Service, wallet: Wallet) -> None:
    message = _challenge(service, wallet)
    lines = [f"Nonce: {'A' * 56}" if line.startswith("Nonce: ") else line for line in message.split("\n")]
    forged = "\n".join(lines)
    assert_problem(_submit(service, forged, _sign(wallet, forged)), 401, "siwe_nonce_refused")


@pytest.mark.parametrize(
    ("seconds", "code"), [(-3600, "siwe_expired"), (3600, "siwe_not_yet_valid"), (-361, "siwe_expired")]
)
def test_sign_in_by_a_clock_that_is_wrong_is_refused(
    service: Service, wallet: Wallet, seconds: int, code: str
) -> None:
    lines = []
    for line in _challenge(service, wallet).split("\n"):
        moment = datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines.append(f"Issued At: {moment}" if line.startswith("Issued At: ") else line)
    message = "\n".join(line for line in lines if not line.startswith("Expiration Time: "))
    assert_problem(_submit(service, message, _sign(wallet, message)), 401, code)


def test_sign_in_by_a_clock_that_is_a_little_wrong_is_accepted(service: Service, wallet: Wallet) -> None:
    moment = datetime.fromtimestamp(time.time() + 30, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = _challenge(service, wallet).split("\n")
    message = "\n".join(
        f"Issued At: {moment}" if line.startswith("Issued At: ") else line
        for line in lines
        if not line.startswith("Expiration Time: ")
    )
    assert _submit(service, message, _sign(wallet, message)).status_code == 200


@pytest.mark.parametrize(
    ("prefix", "replacement", "code"),
    [
        ("Chain ID: ", "Chain ID: 1", "siwe_chain_mismatch"),
        ("URI: ", "URI: https://phishing.example", "siwe_uri_mismatch"),
        ("http://", None, "siwe_domain_mismatch"),
    ],
)
def test_sign_in_message_for_another_place_is_refused(
    service: Service, wallet: Wallet, prefix: str, replacement: str | None, code: str
) -> None:
    rest = "https://phishing.example wants you to sign in with your Ethereum account:"
    lines = [
        (replacement or rest) if line.startswith(prefix) else line
        for line in _challenge(service, wallet).split("\n")
    ]
    message = "\n".join(lines)
    assert_problem(_submit(service, message, _sign(wallet, message)), 401, code)


@pytest.mark.parametrize("message", ["", "sign me", "\x00" * 100, "é\ud7ff" * 300, "a\n" * 2000])
def test_sign_in_message_of_another_form_is_refused(service: Service, wallet: Wallet, message: str) -> None:
    assert_problem(_submit(service, message, bytes(65)), 422, "siwe_malformed")


def test_sign_in_with_a_high_s_signature_is_refused(service: Service, wallet: Wallet) -> None:
    message = _challenge(service, wallet)
    assert_problem(_submit(service, message, high_s(_sign(wallet, message))), 401, "wallet_signature_invalid")


@pytest.mark.parametrize("signature", [b"\0", bytes(64), bytes(65), b"\xff" * 65, bytes(4096)])
def test_sign_in_with_bytes_that_are_no_signature_is_refused(
    service: Service, wallet: Wallet, signature: bytes
) -> None:
    message = _challenge(service, wallet)
    assert_problem(_submit(service, message, signature), 401, "wallet_signature_invalid")


def test_unknown_wallet_signs_in_and_may_nothing_but_claim(service: Service) -> None:
    wallet = Wallet(service.anyone())
    message = _challenge(service, wallet)
    assert _submit(service, message, _sign(wallet, message)).json()["scope"] == "enrolment:claim"
