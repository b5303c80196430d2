"""Sign-in with a wallet: everything that is checked, each thing broken once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.errors import AssentError
from backend.identity.errors import (
    SignInChainMismatch,
    SignInDomainMismatch,
    SignInMessageExpired,
    SignInMessageNotYetValid,
    SignInNonceRefused,
    SignInUriMismatch,
    TooManyAttempts,
    WalletSignatureInvalid,
)
from backend.identity.roles import Role, Scope
from backend.identity.sign_in_message import compose
from backend.identity.signatures import personal_digest, recover
from backend.types import Address, SubjectId, UnixSeconds
from tests.unit.identity.world import CHAIN_ID, NOW, PATIENT, STRANGER, URL, World, at_once

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _message(world: World, **changes: object) -> str:
    members = {
        "scheme": "https",
        "domain": "hospital.example",
        "address": PATIENT.account,
        "statement": "Sign in.",
        "uri": URL,
        "chain_id": CHAIN_ID,
        "nonce": world.nonces.issue(),
        "issued_at": UnixSeconds(world.clock()),
        "expires_at": UnixSeconds(world.clock() + 300),
    }
    return compose(**{**members, **changes})  # type: ignore[arg-type]


def test_sign_in_unknown_account_gets_a_token_that_can_only_enrol(world: World) -> None:
    principal = world.identity.authenticate(world.sign_in(STRANGER).access_token)
    assert principal.scopes == {Scope.ENROL}
    assert principal.roles == frozenset()
    assert principal.subject_ids == frozenset()
    assert principal.account == STRANGER.account


def test_sign_in_after_claim_is_a_patient_with_its_subject(world: World) -> None:
    claim = world.claim(world.issue().code, PATIENT)
    principal = world.identity.authenticate(world.sign_in(PATIENT).access_token)
    assert principal.roles == {Role.PATIENT}
    assert principal.subject_ids == {claim.subject_id}


def test_sign_in_delegate_is_a_patient_for_whom_it_acts(world: World) -> None:
    world.delegated[STRANGER.account] = {SubjectId(9)}
    principal = world.identity.authenticate(world.sign_in(STRANGER).access_token)
    assert Scope.CONSENT_OWN in principal.scopes
    assert principal.subject_ids == {SubjectId(9)}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"domain": "evil.example"}, SignInDomainMismatch),
        ({"domain": "hospital.example.evil.example"}, SignInDomainMismatch),
        ({"domain": "HOSPITAL.example"}, SignInDomainMismatch),
        ({"scheme": "http"}, SignInDomainMismatch),
        ({"uri": "https://evil.example"}, SignInUriMismatch),
        ({"uri": URL + "/login"}, SignInUriMismatch),
        ({"chain_id": 1}, SignInChainMismatch),
        ({"issued_at": NOW - 361}, SignInMessageExpired),
        ({"expires_at": NOW - 60}, SignInMessageExpired),
        ({"issued_at": NOW + 61}, SignInMessageNotYetValid),
        ({"nonce": "A" * 56}, SignInNonceRefused),
        ({"nonce": "12345678"}, SignInNonceRefused),
        ({"address": STRANGER.account}, WalletSignatureInvalid),
    ],
)
def test_sign_in_wrong_member_is_refused_and_audited(
    world: World, changes: dict[str, object], refusal: type[AssentError]
) -> None:
    message = _message(world, **changes)
    with pytest.raises(refusal):
        world.wallets.sign_in(message, PATIENT.personal_sign(message))
    assert world.audit.events[-1] == (
        "sign_in_refused",
        {"kind": "wallet", "principal_id": "", "code": refusal.code},
    )


@pytest.mark.parametrize(
    "changes",
    [{"issued_at": NOW - 360}, {"expires_at": NOW - 59}, {"issued_at": NOW + 60}],
    ids=["old", "over", "ahead"],
)
def test_sign_in_within_the_clock_skew_is_accepted(world: World, changes: dict[str, object]) -> None:
    message = _message(world, **changes)
    world.wallets.sign_in(message, PATIENT.personal_sign(message))


def test_sign_in_not_before_in_the_future_is_refused(world: World) -> None:
    message = _message(world)
    later = message + "\nNot Before: 2027-01-15T08:05:00Z"
    assert NOW < 1_800_000_300  # 2027-01-15T08:05:00Z is NOW + 300
    with pytest.raises(SignInMessageNotYetValid):
        world.wallets.sign_in(later, PATIENT.personal_sign(later))


def test_nonce_is_good_for_five_minutes_only(world: World) -> None:
    early, late = world.nonces.issue(), world.nonces.issue()
    world.clock.now += 299
    world.nonces.consume(early)
    world.clock.now += 1
    with pytest.raises(SignInNonceRefused):
        world.nonces.consume(late)


def test_nonce_from_the_future_is_refused(world: World) -> None:
    nonce = world.nonces.issue()
    world.clock.now -= 1
    with pytest.raises(SignInNonceRefused):
        world.nonces.consume(nonce)


def test_nonce_of_another_deployment_is_refused(world: World) -> None:
    with pytest.raises(SignInNonceRefused):
        world.nonces.consume(World().nonces.issue())


def test_nonce_is_alphanumeric_and_never_twice_the_same(world: World) -> None:
    nonces = {world.nonces.issue() for _ in range(200)}
    assert len(nonces) == 200
    assert all(nonce.isascii() and nonce.isalnum() and len(nonce) == 56 for nonce in nonces)


def test_nonce_used_from_twenty_threads_wins_once(world: World) -> None:
    message = world.wallets.challenge(PATIENT.account).message
    signature = PATIENT.personal_sign(message)
    won, refused = at_once(20, lambda _: world.wallets.sign_in(message, signature))
    assert len(won) == 1
    assert {refusal.code for refusal in refused} == {SignInNonceRefused.code}


def test_nonce_is_spent_by_a_wrong_signature(world: World) -> None:
    message = world.wallets.challenge(PATIENT.account).message
    with pytest.raises(WalletSignatureInvalid):
        world.wallets.sign_in(message, STRANGER.personal_sign(message))
    with pytest.raises(SignInNonceRefused):
        world.wallets.sign_in(message, PATIENT.personal_sign(message))


def _high_s(signature: bytes) -> bytes:
    s = ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


@pytest.mark.parametrize(
    "bend",
    [
        _high_s,
        lambda signature: signature[:64],
        lambda signature: signature + b"\0",
        lambda signature: signature[:64] + b"\x1d",
        lambda signature: bytes(65),
        lambda _: b"",
        lambda _: bytes(5000),
    ],
    ids=["high s", "64 bytes", "66 bytes", "v 29", "zeros", "empty", "too long"],
)
def test_sign_in_bent_signature_is_refused(world: World, bend: Callable[[bytes], bytes]) -> None:
    message = world.wallets.challenge(PATIENT.account).message
    with pytest.raises(WalletSignatureInvalid):
        world.wallets.sign_in(message, bend(PATIENT.personal_sign(message)))


def test_recover_takes_recovery_byte_zero_as_ledgers_send_it() -> None:
    digest = personal_digest("hello")
    signature = PATIENT.sign(digest)
    assert recover(digest, signature) == PATIENT.account
    assert recover(digest, signature[:64] + bytes([signature[64] - 27])) == PATIENT.account


def test_personal_digest_matches_the_reference_implementation() -> None:
    from eth_account.messages import _hash_eip191_message, encode_defunct  # noqa: PLC0415

    for text in ("", "hello", "x" * 1000):
        assert personal_digest(text) == bytes(_hash_eip191_message(encode_defunct(text=text)))


def test_sign_in_contract_wallet_is_asked_with_the_digest(world: World) -> None:
    contract = Address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
    world.contracts.accepts[contract] = b"any form"
    message = _message(world, address=contract)
    principal = world.identity.authenticate(world.wallets.sign_in(message, b"any form").access_token)
    assert principal.account == contract
    other = _message(world, address=contract)
    with pytest.raises(WalletSignatureInvalid):
        world.wallets.sign_in(other, b"another form")


def test_sign_in_of_a_key_account_asks_no_contract(world: World) -> None:
    world.sign_in(PATIENT)
    assert world.contracts.asked == 0


def test_sign_in_too_often_is_refused_until_the_next_minute_for_that_account_only(world: World) -> None:
    for _ in range(20):
        world.sign_in(PATIENT)
    with pytest.raises(TooManyAttempts):
        world.sign_in(PATIENT)
    world.sign_in(STRANGER)
    world.clock.now += 60
    world.sign_in(PATIENT)


def test_sign_in_wrong_signatures_of_a_stranger_do_not_use_up_the_patients_sign_ins(world: World) -> None:
    for _ in range(30):
        message = world.wallets.challenge(PATIENT.account).message
        with pytest.raises(WalletSignatureInvalid):
            world.wallets.sign_in(message, STRANGER.personal_sign(message))
    world.sign_in(PATIENT)
