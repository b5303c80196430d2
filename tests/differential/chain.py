"""The compiled contracts on an anvil of our own, run through ``eth_simulateV1``: many blocks in one
request, each with
its own time, senders and calls, on top of the deployed state and without a trace in it. So every sequence
starts from
the same chain, and costs one round trip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import eth_abi

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.genesis import Genesis
from backend.adapters.ledger.process import AnvilProcess, find_anvil
from backend.adapters.ledger.rpc import Rpc, RpcError
from scripts.compile import SETTINGS, SOLC_VERSION, install_compiler
from tests.differential.documents import Domain, words
from tests.differential.people import Cast, account_of
from tests.differential.recovery_model import DELAY

ROOT = Path(__file__).resolve().parents[2]
CHAIN_ID = 424_242
START = 1_900_000_000
GAS = hex(100_000_000)
MINTED = 10**9
MARKET_TERMS = (2, 3 * 86_400, 5 * 86_400, 30 * 86_400, 14 * 86_400)
_MINT, _APPROVE = bytes.fromhex("a0712d68"), bytes.fromhex("095ea7b3")
DOMAINS = {
    "ConsentRegistry": "Assent Consent",
    "Recovery": "Assent Recovery",
    "RecordRegistry": "Assent Records",
    "EmergencyAccess": "Assent Emergency",
    "ResearchMarket": "Assent Research",
    "KeyRegistry": "Assent Keys",
}
CONTRACTS = (
    *("ParticipantRegistry", "ConsentRegistry", "Recovery"),
    *("RecordRegistry", "EmergencyAccess", "ResearchMarket", "KeyRegistry"),
)
OWNERS = ("ben", "gina", "carl", "nora", "desk", "resi", "berta", "fred")  # who have a contract wallet, too
KEYS = (
    "operator",
    "stranger",
    "anna",
    "cora",
    "gabi",
    "greg",
    "cleo",
    "cato",
    "cody",
    "gus",
    "nils",
    "hospital",
    "clinic",
    "rita",
)
MORE_KEYS = ("bodo", "bibi", "funder", "payee one", "payee two", "payee three", "charity")


@dataclass(frozen=True)
class Call:
    sender: str
    to: str
    data: bytes


@dataclass(frozen=True)
class Answer:
    succeeded: bool
    data: bytes
    logs: list[dict[str, Any]]


@dataclass
class Chain:
    rpc: Rpc
    addresses: dict[str, str]
    cast: Cast
    start: int
    funded: tuple[tuple[str, str], ...]  # (token, account) that has MINTED and lets the market take it

    def domain(self, contract: str) -> Domain:
        return Domain(DOMAINS[contract], CHAIN_ID, self.addresses[contract])

    def simulate(self, blocks: Sequence[tuple[int, Sequence[Call]]]) -> list[list[Answer]]:
        """Run blocks of (time, calls), one upon the other; return the answers of each."""
        wanted = [
            {
                "blockOverrides": {"time": hex(time), "gasLimit": hex(2**50)},
                "calls": [
                    {
                        "from": call.sender,
                        "to": call.to,
                        "data": "0x" + call.data.hex(),
                        "gas": GAS,
                        "gasPrice": "0x0",
                    }
                    for call in calls
                ],
            }
            for time, calls in blocks
        ]
        made = self.rpc.call("eth_simulateV1", {"blockStateCalls": wanted}, "latest")
        return [[_answer(call) for call in block["calls"]] for block in made]

    def mine(self, time: int, calls: Sequence[Call], views: Sequence[Call]) -> list[Answer]:
        """Send the calls as transactions, mine them into one block and ask the views there.

        A refused transaction's answer has no data: receipts keep none.
        """
        sent = [self.rpc.call("eth_sendTransaction", {**_fields(call), "gasPrice": "0x0"}) for call in calls]
        self.rpc.call("evm_setNextBlockTimestamp", time)
        self.rpc.call("evm_mine")
        receipts = [self.rpc.call("eth_getTransactionReceipt", each) for each in sent]
        answers = [Answer(each["status"] == "0x1", b"", each["logs"]) for each in receipts]
        for found in self.rpc.batch([("eth_call", [_fields(view), "latest"]) for view in views]):
            if isinstance(found, RpcError):
                answers.append(Answer(False, bytes.fromhex((found.data or "0x")[2:]), []))
            else:
                answers.append(Answer(True, bytes.fromhex(found[2:]), []))
        return answers

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back every block mined inside."""
        before = self.rpc.call("evm_snapshot")
        try:
            yield
        finally:
            self.rpc.call("evm_revert", before)


def _fields(call: Call) -> dict[str, str]:
    return {"from": call.sender, "to": call.to, "data": "0x" + call.data.hex(), "gas": hex(20_000_000)}


def _answer(call: dict[str, Any]) -> Answer:
    succeeded = call["status"] == "0x1"
    data = call["returnData"] if succeeded else (call.get("error") or {}).get("data") or call["returnData"]
    return Answer(succeeded, bytes.fromhex(data[2:]), call.get("logs") or [])


def _support() -> dict[str, bytes]:
    """The creation code of the contracts in Support.sol. Compiling them takes a second."""
    install_compiler()
    import solcx  # noqa: PLC0415 - it looks for compilers when imported

    source = (Path(__file__).parent / "Support.sol").read_text(encoding="utf-8")
    wanted = {"outputSelection": {"*": {"*": ["evm.bytecode.object"]}}}
    request = {
        "language": "Solidity",
        "sources": {"Support.sol": {"content": source}},
        "settings": SETTINGS | {"viaIR": False} | wanted,
    }
    made = solcx.compile_standard(request, solc_version=SOLC_VERSION)
    return {
        name: bytes.fromhex(found["evm"]["bytecode"]["object"])
        for name, found in made["contracts"]["Support.sol"].items()
    }


@contextmanager
def deployed(directory: Path, code: dict[str, bytes] | None = None) -> Iterator[Chain]:
    """A chain with everything on it. ``code`` replaces the creation code of contracts, by name."""
    genesis = Genesis(chain_id=CHAIN_ID, timestamp=START)
    anvil = AnvilProcess.start(find_anvil(ROOT), genesis, directory=directory, history_blocks=None)
    rpc = Rpc(anvil.url, timeout_seconds=60)
    try:
        yield _deploy(rpc, code or {})
    finally:
        rpc.close()
        anvil.kill()


def _deploy(rpc: Rpc, code: dict[str, bytes]) -> Chain:
    rpc.call("anvil_autoImpersonateAccount", True)
    operator = account_of("operator")

    def create(creation: bytes) -> str:
        fields = {"from": operator, "data": "0x" + creation.hex(), "gas": GAS, "gasPrice": "0x0"}
        sent = rpc.call("eth_sendTransaction", fields)
        rpc.call("evm_mine")
        receipt = rpc.call("eth_getTransactionReceipt", sent)
        assert receipt["status"] == "0x1"
        return str(receipt["contractAddress"]).lower()

    def contract(name: str, *arguments: Any) -> str:
        compiled = artifact(name)
        return create(code.get(name, compiled.creation) + eth_abi.encode(compiled.constructor, arguments))

    support = _support()
    members = contract("ParticipantRegistry", operator, 0)
    consents = contract("ConsentRegistry", members, DELAY)
    asked = {
        "to": consents,
        "data": "0x" + artifact("ConsentRegistry").functions["RECOVERY"].encode([]).hex(),
    }
    addresses = {
        "ParticipantRegistry": members,
        "ConsentRegistry": consents,
        "Recovery": "0x" + rpc.call("eth_call", asked, "latest")[-40:],
        "RecordRegistry": contract("RecordRegistry", members),
        "EmergencyAccess": contract("EmergencyAccess", members, consents),
        "ResearchMarket": contract("ResearchMarket", members, MARKET_TERMS),
        "KeyRegistry": contract("KeyRegistry", consents),
        "Coin": create(support["Coin"] + eth_abi.encode(["uint256"], [0])),
        "FeeCoin": create(support["Coin"] + eth_abi.encode(["uint256"], [10])),
    }
    wallets = {
        owner: create(support["Wallet"] + eth_abi.encode(["address"], [account_of(owner)]))
        for owner in OWNERS
    }
    funded = tuple(
        (addresses[token], account)
        for token in ("Coin", "FeeCoin")
        for account in (account_of("funder"), account_of("rita"), wallets["fred"])
    )
    for token, account in funded:
        for data in (_MINT + words(MINTED), _APPROVE + words(addresses["ResearchMarket"], 2**256 - 1)):
            fields = {"from": account, "to": token, "data": "0x" + data.hex(), "gas": GAS, "gasPrice": "0x0"}
            rpc.call("eth_sendTransaction", fields)
            rpc.call("evm_mine")
    # Not the head's time, which depends on how fast the machine is: sequences are the same everywhere.
    start = START + 3600
    cast = Cast((*KEYS, *MORE_KEYS, *OWNERS), wallets)
    return Chain(rpc, addresses, cast, start, funded)


def wallet_run(target: str, data: bytes) -> bytes:
    """Calldata of a wallet's ``run``."""
    selector = bytes.fromhex("a3d6bde9")
    return selector + eth_abi.encode(["address", "bytes"], [target, data])


def function(contract: str, name: str) -> Any:
    return artifact(contract).functions[name]


@cache
def errors_of(*contracts: str) -> dict[bytes, str]:
    """Selector to name of every custom error these contracts declare."""
    found: dict[bytes, str] = {}
    for contract in contracts:
        found |= {selector: name for selector, (name, _types) in artifact(contract).errors.items()}
    return found


def error_name(data: bytes) -> str:
    return errors_of(*CONTRACTS).get(data[:4], f"0x{data.hex()[:200]}")
