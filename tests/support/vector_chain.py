"""The deployment that the published vectors are signed for, on an anvil whose clock the vectors set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.consents import ConsentRegistry
from backend.adapters.ledger.genesis import Genesis
from backend.adapters.ledger.network import NetworkChain
from backend.adapters.ledger.process import AnvilProcess
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.types import Address
from tests.support.ledger_world import ANVIL, ROOT

_GAS = hex(16_000_000)


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "vectors" / name).read_text(encoding="utf-8"))
    return loaded


class VectorChain:
    """Runs the steps of a file as they stand there, with none of our own encoders in between."""

    def __init__(self, url: str, vectors: dict[str, Any]) -> None:
        self._rpc = Rpc(url, timeout_seconds=20)
        self._url = url
        self._chain_id = vectors["chainId"]
        self._registry = Address(vectors["deployment"]["contracts"]["ConsentRegistry"])
        self._rpc.call("anvil_autoImpersonateAccount", True)
        self._deploy(vectors["deployment"])
        for step in vectors["setUp"]:
            self.run(step)

    def close(self) -> None:
        self._rpc.close()

    @contextmanager
    def adapter(self) -> Iterator[tuple[NetworkChain, ConsentRegistry]]:
        """Connect our adapter, for as long as nothing is taken back: it minds when a final block goes."""
        chain = NetworkChain(
            self._url,
            expected_chain_id=self._chain_id,
            finality_depth=0,
            view_age_seconds=0,
            clock=lambda: 0,  # the head is of another time than ours, and never stale
        )
        try:
            yield chain, ConsentRegistry(self._registry, chain)
        finally:
            chain.close()

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back what happens inside."""
        snapshot = self._rpc.call("evm_snapshot")
        try:
            yield
        finally:
            assert self._rpc.call("evm_revert", snapshot)

    def run(self, step: dict[str, Any]) -> None:
        """Run one step and compare all that it gives. Raise KeyError for a kind that has no runner."""
        {"call": self._send, "view": self._view}[step["kind"]](step)

    def outcome(self, step: dict[str, Any]) -> tuple[bool, str]:
        """Return whether a call would succeed at its second, and its answer or its encoded error."""
        moment = {"time": hex(step["time"])}
        try:
            return True, self._rpc.call("eth_call", self._message(step), "latest", {}, moment)
        except RpcError as error:
            return False, error.data or error.message

    def pass_time(self, until: int) -> None:
        """Make an empty block of that second, unless the head is one."""
        if self._rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"] != hex(until):
            self._mine(until)

    def _send(self, step: dict[str, Any]) -> None:
        assert self.outcome(step) == (step["succeeds"], step["answer"]), step["says"]
        if step["succeeds"]:
            receipt = self._transact(self._message(step), step["time"])
            assert receipt["status"] == "0x1", step["says"]

    def _view(self, step: dict[str, Any]) -> None:
        self.pass_time(step["time"])
        found = self._rpc.call("eth_call", self._message(step), "latest")
        assert (step["succeeds"], step["answer"]) == (True, found), (step["function"], step["time"])

    def _message(self, step: dict[str, Any]) -> dict[str, str]:
        return {"from": step["sender"], "to": step["target"], "data": step["data"], "gas": _GAS}

    def _transact(self, message: dict[str, str], at: int) -> dict[str, Any]:
        sent = self._rpc.call("eth_sendTransaction", {**message, "gasPrice": "0x0"})
        self._mine(at)
        receipt: dict[str, Any] = self._rpc.call("eth_getTransactionReceipt", sent)
        return receipt

    def _mine(self, at: int) -> None:
        self._rpc.call("evm_setNextBlockTimestamp", hex(at))
        self._rpc.call("evm_mine")

    def _deploy(self, deployment: dict[str, Any]) -> None:
        contracts = deployment["contracts"]
        members = contracts["ParticipantRegistry"]
        arguments: dict[str, tuple[Any, ...]] = {
            "ParticipantRegistry": (deployment["operator"], deployment["admissionDelay"]),
            "ConsentRegistry": (members, deployment["recoveryDelay"]),
            "RecordRegistry": (members,),
            "AuditAnchor": (members,),
            "ResearchMarket": (members, tuple(deployment["marketTerms"])),
            "EmergencyAccess": (members, contracts["ConsentRegistry"]),
            "KeyRegistry": (contracts["ConsentRegistry"],),
        }
        at = int(self._rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        for name, values in arguments.items():
            at += 1
            code = "0x" + artifact(name).creation_code(*values).hex()
            receipt = self._transact({"from": deployment["deployer"], "data": code, "gas": _GAS}, at)
            assert receipt["contractAddress"].lower() == contracts[name].lower(), name
        token = deployment["token"]
        self._rpc.call("anvil_setCode", token["address"], token["code"])


@contextmanager
def vector_chain(directory: Path, vectors: dict[str, Any]) -> Iterator[VectorChain]:
    genesis = Genesis(chain_id=vectors["chainId"], timestamp=vectors["setUp"][0]["time"] - 100)
    process = AnvilProcess.start(ANVIL, genesis, directory=directory, history_blocks=None)
    try:
        chain = VectorChain(process.url, vectors)
        try:
            yield chain
        finally:
            chain.close()
    finally:
        process.kill()
