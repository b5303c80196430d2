"""An anvil that sends for any account, contracts too, and takes everything back between two attempts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import eth_abi
from eth_abi import grammar
from eth_utils.crypto import keccak

from backend.adapters.ledger.abi import artifact, decode_or_none
from backend.adapters.ledger.genesis import Genesis
from backend.adapters.ledger.process import AnvilProcess
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.types import Address
from tests.support.ledger_world import ANVIL, ROOT

CHAIN_ID = 2**40 + 515_151  # as embedded chains have them: the test token refuses others
START = 1_900_000_000  # of the chain's clock, unix seconds
ARTIFACTS = ROOT / "backend" / "adapters" / "ledger" / "artifacts"
Message = tuple[str, str, bytes]  # from, to, data


@cache
def deployed_contracts() -> tuple[str, ...]:
    """Return the names of all contracts that a deployment makes: those with a committed artifact.

    What succeeds them is tried by the same rows; what only it has, anyone may call (docs/contracts.md).
    """
    names = (path.stem for path in ARTIFACTS.glob("*.json"))
    return tuple(sorted(name for name in names if not name.startswith("Succeeding")))


@cache
def abi(contract: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ARTIFACTS / f"{contract}.json").read_bytes())["abi"]
    return found


def changing_functions(contract: str) -> list[str]:
    """Return the names of what can change state, an overloaded one as often as it is there."""
    return [
        part["name"]
        for part in abi(contract)
        if part["type"] == "function" and part["stateMutability"] not in ("view", "pure")
    ]


def views(contract: str) -> list[str]:
    return [
        part["name"]
        for part in abi(contract)
        if part["type"] == "function" and part["stateMutability"] in ("view", "pure")
    ]


def worded(value: Any) -> str:
    """Return an error's argument as the matrix writes it once names are resolved."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value).lower()


def refusal_of(data: bytes) -> str:
    """Return ``Error(arguments)`` for revert data."""
    if not data:
        return "Reverted()"
    for contract in deployed_contracts():
        found = artifact(contract).errors.get(data[:4])
        values = decode_or_none(found[1], data[4:]) if found else None
        if found and values is not None:
            return f"{found[0]}({', '.join(worded(value) for value in values)})"
    return f"0x{data.hex()}"


class Node:
    """Sends at once, each transaction in a block of its own."""

    def __init__(self, url: str) -> None:
        self.rpc = Rpc(url, timeout_seconds=60)
        for method, argument in (
            ("anvil_setLoggingEnabled", False),
            ("anvil_autoImpersonateAccount", True),
        ):
            self.ask(method, argument)

    def ask(self, method: str, *arguments: Any) -> Any:
        return self.rpc.call(method, *arguments)

    def deploy(self, code: bytes) -> Address:
        sender = "0x" + keccak(text="deployer")[-20:].hex()
        made = self._sent({"from": sender, "data": "0x" + code.hex(), "gas": hex(30_000_000)})
        assert made["status"] == "0x1"
        return Address(made["contractAddress"])

    def try_all(self, messages: Sequence[Message]) -> list[str | None]:
        """Run each on the state as it is and return its error, None where it went through."""
        calls = [("eth_call", [_fields(message), "latest"]) for message in messages]
        found: list[str | None] = []
        for answer in self.rpc.batch(calls):
            if not isinstance(answer, RpcError):
                found.append(None)
            else:
                assert "revert" in answer.message, answer.message
                found.append(refusal_of(bytes.fromhex((answer.data or "0x")[2:])))
        return found

    def view(self, address: Address, contract: str, function: str, *arguments: Any) -> Any:
        """Return the first of what a view gives."""
        found = artifact(contract).functions[function]
        fields = _fields((address, address, found.encode(arguments)))
        return found.decode(bytes.fromhex(self.ask("eth_call", fields, "latest")[2:]))[0]

    def send(self, message: Message) -> dict[str, Any]:
        """Return the receipt of a transaction that went through."""
        receipt = self._sent(_fields(message) | {"gas": hex(10_000_000)})
        if receipt["status"] != "0x1":
            raise AssertionError(f"refused: {self.try_all([message])[0]}")
        return receipt

    def written(self, transaction: str) -> dict[str, Any]:
        """Return the storage that a transaction changed, by contract."""
        tracer = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
        changed = self.ask("debug_traceTransaction", transaction, tracer)["post"]
        return {address: state["storage"] for address, state in changed.items() if state.get("storage")}

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        taken = self.ask("evm_snapshot")
        try:
            yield
        finally:
            assert self.ask("evm_revert", taken)

    def jump(self, seconds: int) -> None:
        self.ask("evm_increaseTime", seconds)
        self.ask("evm_mine")

    def now(self) -> int:
        return int(self.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def close(self) -> None:
        self.rpc.close()

    def _sent(self, fields: dict[str, Any]) -> dict[str, Any]:
        sent = self.ask("eth_sendTransaction", fields | {"gasPrice": "0x0"})
        self.ask("evm_mine")  # rather than by itself, which is some time after the answer
        receipt: dict[str, Any] = self.ask("eth_getTransactionReceipt", sent)
        return receipt


@contextmanager
def running_node(directory: Path, *, whole_history: bool) -> Iterator[Node]:
    process = AnvilProcess.start(
        ANVIL, Genesis(CHAIN_ID, START), directory=directory, history_blocks=None if whole_history else 16
    )
    try:
        node = Node(process.url)
        yield node
        node.close()
    finally:
        process.kill()


def _fields(message: Message) -> dict[str, Any]:
    sender, to, data = message
    return {"from": sender, "to": to, "data": "0x" + data.hex()}


def zero_arguments(contract: str, function: str) -> bytes:
    """Return call data with the zero of each type."""
    found = artifact(contract).functions[function]
    return found.selector + eth_abi.encode(found.inputs, [_zero(kind) for kind in found.inputs])


def _zero(kind: str) -> Any:
    if kind.endswith("[]"):
        return []
    if kind.startswith("("):
        return tuple(_zero(part.to_type_str()) for part in grammar.parse(kind).components)
    if kind == "address":
        return "0x" + "00" * 20
    if kind == "bool":
        return False
    if kind == "string":
        return ""
    if kind.startswith("bytes"):
        return bytes(int(kind.removeprefix("bytes") or 0))
    return 0
