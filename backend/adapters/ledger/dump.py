"""All that a stretch of the chain holds in the open: calldata, events and storage written.

For whoever searches it for personal data (design, invariant 2). It needs a node that traces: Besu, geth
in archive mode, or a replica of the embedded chain.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.adapters.ledger.chain import parse_address, parse_bytes32, parse_log
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.engine import Engine
from backend.adapters.ledger.journal import Journal
from backend.adapters.ledger.replay import replay
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.consent.ledger_types import LedgerLog
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber, Bytes32


@dataclass(frozen=True, slots=True)
class StorageWrite:
    """A word of a contract's storage after a transaction changed it."""

    address: Address
    slot: Bytes32
    value: Bytes32


@dataclass(frozen=True, slots=True)
class RawTransaction:
    """One transaction with its public traces. ``calldata`` is the creation code where it made a contract."""

    block_number: BlockNumber
    timestamp: int
    transaction_hash: Bytes32
    sender: Address
    to: Address | None
    calldata: bytes
    logs: tuple[LedgerLog, ...]
    storage: tuple[StorageWrite, ...]

    def everything(self) -> bytes:
        """Return all bytes in one string to search, parts divided by nothing that could hide a find."""
        parts = [self.calldata]
        for log in self.logs:
            parts += [*log.topics, log.data]
        for write in self.storage:
            parts += [write.slot, write.value]
        return b"\n".join(parts)


def raw_dump(rpc: Rpc, from_block: BlockNumber, to_block: BlockNumber) -> Iterator[RawTransaction]:
    """Yield every transaction of blocks from..to, both included, in order. Raise LedgerUnavailable."""
    for number in range(from_block, to_block + 1):
        block = _ask(rpc, "eth_getBlockByNumber", hex(number), True)
        for item in block["transactions"]:
            receipt = _ask(rpc, "eth_getTransactionReceipt", item["hash"])
            yield RawTransaction(
                block_number=BlockNumber(number),
                timestamp=int(block["timestamp"], 16),
                transaction_hash=parse_bytes32(item["hash"]),
                sender=parse_address(item["from"]),
                to=parse_address(item["to"]) if item["to"] else None,
                calldata=bytes.fromhex(item["input"][2:]),
                logs=tuple(parse_log(log) for log in receipt["logs"]),
                storage=_writes(rpc, item["hash"]),
            )


@contextmanager
def replica(chain: EmbeddedChain) -> Iterator[Rpc]:
    """Run a second anvil beside the embedded chain, with the same blocks and every past state, and end it.

    The chain itself forgets old states, which tracing needs.
    """
    with tempfile.TemporaryDirectory(prefix="assent-replica-") as name:
        directory = Path(name)
        genesis = chain.copy_journal(directory / "journal")
        journal = Journal(directory / "journal")
        engine = Engine.start(chain.binary, genesis, directory=directory, history_blocks=None)
        try:
            replay(engine, journal, 0, drop_last=False)
            yield engine.reads
        finally:
            engine.stop()
            engine.process.wait(10)
            journal.close()
            shutil.rmtree(directory / ".foundry", ignore_errors=True)


def _writes(rpc: Rpc, transaction_hash: str) -> tuple[StorageWrite, ...]:
    tracer = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    trace = _ask(rpc, "debug_traceTransaction", transaction_hash, tracer)
    return tuple(
        StorageWrite(parse_address(address), parse_bytes32(slot), parse_bytes32(value))
        for address, state in trace["post"].items()
        for slot, value in state.get("storage", {}).items()
    )


def _ask(rpc: Rpc, method: str, *parameters: Any) -> Any:
    try:
        found = rpc.call(method, *parameters)
    except RpcError as error:
        raise LedgerUnavailable(f"The node refused {method}: {error.message}.") from error
    if found is None:
        raise LedgerUnavailable(f"The node has no answer to {method}.")
    return found
