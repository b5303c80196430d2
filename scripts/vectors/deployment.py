"""The deployment that the vectors are signed for, and calls to it as any implementation can send them.

A contract's address follows from who makes it and how often that account has sent, so that whoever deploys in
this order on a chain with this id, from the operator's published key, gets contracts for which the published
signatures count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any, Final

import eth_abi
from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.main import KeyAPI
from eth_utils.address import to_checksum_address
from web3.types import Nonce
from web3.utils.address import get_create_address

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.deployment_file import MarketTerms
from backend.consent.terms import OpenSubject
from backend.consent.typed_data import (
    AUDIT_NAME,
    EMERGENCY_NAME,
    KEYS_NAME,
    NAME,
    RECORDS_NAME,
    RECOVERY_NAME,
    RESEARCH_NAME,
    Domain,
    Signable,
    digest,
)
from backend.types import MAX_UINT40, Address, Bytes32, UnixSeconds, to_hex
from scripts.vectors import world as w

CHAIN_ID: Final = 7_741_001
RECOVERY_DELAY: Final = 72 * 3600
MARKET_TERMS: Final = MarketTerms()
_KEYS = KeyAPI(CoinCurveECCBackend())
# The private key of each is its place in the list, from 1: published, so never to be used for anything.
PEOPLE: Final = (
    *("patient", "mother", "carer", "stranger"),
    *("operator", "relayer", "hospital", "clinic", "board", "auditor"),
    *("responder", "colleague", "researcher"),
)
_ROLES: Final = {
    "hospital": 1 | 2,
    "clinic": 1,
    "board": 8,
    "auditor": 16,
    "responder": 32,
    "colleague": 32,
    "researcher": 4,
}
_MADE = (
    *("ParticipantRegistry", "ConsentRegistry", "RecordRegistry"),
    *("AuditAnchor", "ResearchMarket", "EmergencyAccess", "KeyRegistry"),
)
_NAMES = {
    "ConsentRegistry": NAME,
    "Recovery": RECOVERY_NAME,
    "EmergencyAccess": EMERGENCY_NAME,
    "RecordRegistry": RECORDS_NAME,
    "AuditAnchor": AUDIT_NAME,
    "ResearchMarket": RESEARCH_NAME,
    "KeyRegistry": KEYS_NAME,
}
# An ERC-20 as small as one gets: it answers 36 bytes of call data with a balance, and any other call with
# "true" after raising that balance by 1,000.
TOKEN: Final = Address("0x00000000000000000000000000000000000070CE")
TOKEN_CODE: Final = bytes.fromhex(
    "36602414601b576000546103e801600055600160005260206000f35b60005460005260206000f3"
)


def account(name: str) -> Address:
    """Return a person's account."""
    return Address(_key(name).public_key.to_checksum_address())


def sign(name: str, message: Signable, domain: Domain) -> bytes:
    """Return a person's deterministic signature (RFC 6979), 65 bytes, low s."""
    return sign_hash(name, digest(message, domain))


def sign_hash(name: str, signed: bytes) -> bytes:
    """Return the same over 32 bytes."""
    made: bytes = _key(name).sign_msg_hash(signed).to_bytes()
    return made[:64] + bytes([made[64] + 27])


def _key(name: str) -> Any:
    return _KEYS.PrivateKey((PEOPLE.index(name) + 1).to_bytes(32))


def _created(maker: str, nonce: int) -> Address:
    return Address(to_checksum_address(get_create_address(to_checksum_address(maker), Nonce(nonce))))


_FIRST = {name: _created(account("operator"), nonce) for nonce, name in enumerate(_MADE)}
CONTRACTS: Final = {**_FIRST, "Recovery": _created(_FIRST["ConsentRegistry"], 1)}
DOMAINS: Final = {name: Domain(CHAIN_ID, CONTRACTS[name], title) for name, title in _NAMES.items()}


@dataclass(frozen=True, slots=True)
class Step:
    """One call at one second and exactly what it gives: ``answer`` is what it returns, or its encoded error
    where it does not succeed. A view changes nothing and has no sender that matters.
    """

    at: int
    contract: str
    function: str
    arguments: tuple[Any, ...]
    sender: str = "relayer"
    is_view: bool = False
    succeeds: bool = True
    answer: bytes = b""
    says: str = ""

    @property
    def data(self) -> bytes:
        return artifact(self.contract).functions[self.function].encode(self.arguments)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "view" if self.is_view else "call",
            "says": self.says or self.function,
            "time": int(self.at),
            "function": f"{self.contract}.{self.function}",
            "sender": account(self.sender),
            "target": CONTRACTS[self.contract],
            "data": to_hex(self.data),
            "succeeds": self.succeeds,
            "answer": to_hex(self.answer),
        }


def returned(contract: str, function: str, *values: Any) -> bytes:
    """Return what a function gives back, encoded."""
    return eth_abi.encode(artifact(contract).functions[function].outputs, values)


def error(contract: str, name: str, *values: Any) -> bytes:
    """Return an encoded error of a contract."""
    errors = artifact(contract).errors.items()
    selector, types = next((selector, types) for selector, (found, types) in errors if found == name)
    return selector + eth_abi.encode(types, values)


def set_up() -> Iterator[Step]:
    """Yield what is done before every case: members are admitted, and the patient's subject is opened."""
    before = w.START - 100
    for name, roles in _ROLES.items():
        values = (w.member(name), account(name), roles, MAX_UINT40, bytes(32), bytes(32))
        yield Step(before, "ParticipantRegistry", "admit", values, "operator", says=f"admit the {name}")
        before += 1
    command = OpenSubject(w.SUBJECT, account("patient"), UnixSeconds(w.START))
    signature = sign("patient", command, DOMAINS["ConsentRegistry"])
    arguments = (command.subject, command.controller, command.submit_by, signature)
    says = "open the patient's subject"
    yield Step(before, "ConsentRegistry", "openSubject", arguments, "hospital", says=says)


def deployment_json() -> dict[str, Any]:
    """Return what a runner needs to make the deployment, and the steps that come before every case."""
    return {
        "chainId": CHAIN_ID,
        "keys": [
            {"name": name, "account": account(name), "key": to_hex(Bytes32((place + 1).to_bytes(32)))}
            for place, name in enumerate(PEOPLE)
        ],
        "deployment": {
            "deployer": account("operator"),
            "operator": account("operator"),
            "admissionDelay": 0,
            "recoveryDelay": RECOVERY_DELAY,
            "marketTerms": list(astuple(MARKET_TERMS)),
            "contracts": CONTRACTS,
            "token": {"address": TOKEN, "code": to_hex(TOKEN_CODE)},
        },
        "setUp": [step.to_json() for step in set_up()],
    }
