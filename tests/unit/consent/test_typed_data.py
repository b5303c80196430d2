"""Hashes, typed data and signatures agree with an independent implementation and with the known answers."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.consent.errors import SignatureInvalid
from backend.consent.schema import CLASSES, STRUCTS, encode_type
from backend.consent.terms import Revoke, RevokeAll
from backend.consent.terms_json import from_json
from backend.consent.typed_data import Domain, digest, recover, struct_hash, typed_data
from backend.types import ConsentId
from scripts.vectors import world as w
from tests.unit.consent.strategies import messages

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/typed_data.json").read_text())
DOMAIN = Domain(7_741_001, w.STRANGER)
COMMANDS = sorted(
    set(CLASSES) - {"ConsentTerms", "ResearchTerms", "Rule", "DelegationTerms", "RecoveryPolicy"}
)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1


def independent_digest(message: Any, domain: Domain) -> bytes:
    signable = encode_typed_data(full_message=typed_data(message, domain))
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@pytest.mark.parametrize("name", COMMANDS)
def test_digest_of_any_message_is_that_of_eth_account(name: str) -> None:
    @settings(max_examples=12)
    @given(messages(name), st.integers(1, 2**53))
    def compare(message: Any, chain_id: int) -> None:
        domain = Domain(chain_id, w.PATIENT)
        assert digest(message, domain) == independent_digest(message, domain)

    compare()


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_known_answer_hash_and_signature(case: dict[str, Any]) -> None:
    data = case["typedData"]
    message = from_json(CLASSES[data["primaryType"]], data["message"])
    domain = Domain(data["domain"]["chainId"], data["domain"]["verifyingContract"], data["domain"]["name"])
    assert typed_data(message, domain) == data
    assert "0x" + struct_hash(message).hex() == case["structHash"]
    message_digest = digest(message, domain)
    assert "0x" + message_digest.hex() == case["digest"]
    assert recover(message_digest, bytes.fromhex(case["signature"][2:])) == case["signer"]
    assert VECTORS["types"][data["primaryType"]]["hash"] == case["typeHash"]
    assert case.get("id", case["structHash"]) == case["structHash"]
    if "termsHash" in case:
        assert "0x" + struct_hash(message.terms).hex() == case["termsHash"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_signature_of_something_else_is_not_the_signers(case: dict[str, Any]) -> None:
    message_digest = bytes.fromhex(case["digest"][2:])
    names = {refused["name"] for refused in case["refused"]}
    assert names == {"wrong_chain", "wrong_contract", "wrong_name", "other_command", "high_s", "other_signer"}
    for refused in case["refused"]:
        signed, made = bytes.fromhex(refused["digest"][2:]), bytes.fromhex(refused["signature"][2:])
        if refused["name"] == "high_s":
            with pytest.raises(SignatureInvalid, match="high s"):
                recover(message_digest, made)
            continue
        assert recover(signed, made) == refused.get("signedBy", case["signer"])
        assert recover(message_digest, made) != case["signer"], refused["name"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_eth_account_signs_as_published(case: dict[str, Any]) -> None:
    """A second implementation: it hashes the typed data itself and draws its nonce by RFC 6979."""
    (key,) = (person["key"] for person in VECTORS["keys"] if person["account"] == case["signer"])
    signed = Account.sign_typed_data(key, full_message=case["typedData"])
    assert "0x" + signed.message_hash.hex() == case["digest"]
    assert "0x" + signed.signature.hex() == case["signature"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_wallet_signature_of_typed_data_is_recovered(case: dict[str, Any]) -> None:
    signed = Account.sign_typed_data(b"\x11" * 32, full_message=case["typedData"])
    message_digest = bytes.fromhex(case["digest"][2:])
    assert recover(message_digest, bytes(signed.signature)) == Account.from_key(b"\x11" * 32).address


def test_type_strings_are_those_of_the_vectors() -> None:
    strings = {name: encode_type(name) for name in STRUCTS}
    assert strings == {name: published["string"] for name, published in VECTORS["types"].items()}
    for published in VECTORS["types"].values():
        assert "0x" + keccak(published["string"].encode()).hex() == published["hash"]
    assert encode_type("DelegatedGrant").startswith(
        "DelegatedGrant(Grant grant,bytes32 delegation)ConsentTerms("
    )


def test_signature_for_one_command_chain_or_contract_serves_no_other() -> None:
    message = Revoke(ConsentId(b"\x05" * 32))
    digests = {
        digest(message, DOMAIN),
        digest(message, Domain(DOMAIN.chain_id + 1, DOMAIN.verifying_contract)),
        digest(message, Domain(DOMAIN.chain_id, w.PATIENT)),
        digest(RevokeAll(w.SUBJECT, 0), DOMAIN),
        digest(RevokeAll(w.SUBJECT, 1), DOMAIN),
    }
    assert len(digests) == 5


def signature() -> tuple[bytes, bytes]:
    case = VECTORS["cases"][0]
    return bytes.fromhex(case["digest"][2:]), bytes.fromhex(case["signature"][2:])


def test_recover_takes_both_forms_of_the_recovery_id() -> None:
    message_digest, signed = signature()
    assert recover(message_digest, signed[:64] + bytes([signed[64] - 27])) == w.PATIENT


def test_recover_of_another_digest_gives_another_account() -> None:
    _, signed = signature()
    assert recover(keccak(b"another"), signed) != w.PATIENT


def test_recover_refuses_the_second_form_of_a_signature() -> None:
    message_digest, signed = signature()
    high = (ORDER - int.from_bytes(signed[32:64])).to_bytes(32)
    flipped = signed[:32] + high + bytes([55 - signed[64]])
    assert Account._recover_hash(message_digest, signature=flipped) == w.PATIENT  # others do take it
    with pytest.raises(SignatureInvalid, match="high s"):
        recover(message_digest, flipped)


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: s[:64],
        lambda s: s + b"\x00",
        lambda s: b"",
        lambda s: s[:64] + b"\x02",
        lambda s: s[:64] + b"\x1a",
        lambda s: s[:64] + b"\x1d",
        lambda s: s[:64] + b"\xff",
        lambda s: bytes(64) + s[64:],
        lambda s: bytes(32) + s[32:],
        lambda s: s[:32] + bytes(32) + s[64:],
        lambda s: b"\xff" * 32 + s[32:],
    ],
)
def test_recover_refuses_what_is_no_signature(damage: Any) -> None:
    message_digest, signed = signature()
    with pytest.raises(SignatureInvalid) as refusal:
        recover(message_digest, damage(signed))
    assert refusal.value.field == "signature"


@settings(max_examples=50)
@given(st.binary(min_size=65, max_size=65))
def test_recover_of_noise_gives_an_account_or_a_named_refusal(noise: bytes) -> None:
    with contextlib.suppress(SignatureInvalid):
        assert recover(keccak(b"x"), noise) != w.PATIENT


def test_values_that_do_not_fit_their_type_are_not_hashed() -> None:
    with pytest.raises(ValueError, match="fit"):
        struct_hash(RevokeAll(w.SUBJECT, 2**32))
    with pytest.raises(ValueError, match="32 bytes"):
        struct_hash(Revoke(ConsentId(b"\x01" * 31)))
