"""The example of EIP-712 itself (``Mail``, its Example.sol and Example.js) through our own encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from eth_account import Account
from eth_utils import keccak

from backend.consent import schema, typed_data
from backend.types import Address

EXAMPLE = (
    "Mail(Person from,Person to,string contents)",
    "Person(string name,address wallet)",
)
CONTRACT = Address("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC")
DOMAIN_SEPARATOR = "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"
TYPE_HASH = "a0cedeb2dc280ba39b857546d74f5549c3a1d7bdc2dd96bf881f76108e23dac2"
STRUCT_HASH = "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"
DIGEST = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
SIGNATURE = (
    "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
    "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"
    "1c"
)


@dataclasses.dataclass(frozen=True)
class Person:
    name: str
    wallet: str


@dataclasses.dataclass(frozen=True)
class Mail:
    from_: Person
    to: Person
    contents: str


MAIL = Mail(
    Person("Cow", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"),
    Person("Bob", "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"),
    "Hello, Bob!",
)


@pytest.fixture
def with_mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Our schema with the example's types beside our own."""
    monkeypatch.setattr(schema, "TYPE_STRINGS", (*schema.TYPE_STRINGS, *EXAMPLE))
    for text in EXAMPLE:
        name, members = schema._parse(text)
        monkeypatch.setitem(schema.STRUCTS, name, members)
    yield
    typed_data._encoder.cache_clear()


@pytest.mark.usefixtures("with_mail")
def test_example_of_eip_712_gets_its_published_hashes_and_signature() -> None:
    domain = typed_data.Domain(1, CONTRACT, "Ether Mail")
    assert domain.separator.hex() == DOMAIN_SEPARATOR
    assert keccak(schema.encode_type("Mail").encode()).hex() == TYPE_HASH
    assert typed_data.struct_hash(MAIL).hex() == STRUCT_HASH  # type: ignore[arg-type]
    digest = typed_data.digest(MAIL, domain)  # type: ignore[arg-type]
    assert digest.hex() == DIGEST
    assert typed_data.recover(digest, bytes.fromhex(SIGNATURE)) == MAIL.from_.wallet
    # Signatures are deterministic (RFC 6979), so the published key gives the published one.
    assert Account.unsafe_sign_hash(digest, keccak(b"cow")).signature.hex().removeprefix("0x") == SIGNATURE


@pytest.mark.usefixtures("with_mail")
def test_example_of_eip_712_is_shown_to_a_wallet_as_published() -> None:
    shown = typed_data.typed_data(MAIL, typed_data.Domain(1, CONTRACT, "Ether Mail"))  # type: ignore[arg-type]
    assert shown == {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
            "Mail": [
                {"name": "from", "type": "Person"},
                {"name": "to", "type": "Person"},
                {"name": "contents", "type": "string"},
            ],
        },
        "primaryType": "Mail",
        "domain": {"name": "Ether Mail", "version": "1", "chainId": 1, "verifyingContract": CONTRACT},
        "message": {
            "from": {"name": "Cow", "wallet": MAIL.from_.wallet},
            "to": {"name": "Bob", "wallet": MAIL.to.wallet},
            "contents": "Hello, Bob!",
        },
    }
