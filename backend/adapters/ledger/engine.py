"""One run of anvil: blocks go in, their hashes come out.

It dies at the first doubt and is replaced by replay.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from web3 import Web3

from backend.adapters.ledger.chain import Block, Inclusion, parse_block, parse_inclusion
from backend.adapters.ledger.errors import ChainStartFailed, TransactionRefused
from backend.adapters.ledger.genesis import Genesis
from backend.adapters.ledger.journal import BlockRecord
from backend.adapters.ledger.process import AnvilProcess
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.errors import LedgerUnavailable

_WRITE_TIMEOUT_SECONDS = 60.0


class Engine:
    """Anvil with mining off. Not safe for threads that mine; ``reads`` is for everyone."""

    def __init__(self, process: AnvilProcess, *, read_timeout_seconds: float) -> None:
        self.process = process
        # An anvil that hangs is worth as much as a dead one: end it, and it is replaced.
        self.reads = Rpc(process.url, timeout_seconds=read_timeout_seconds, on_silence=process.kill)
        self._writes = Rpc(process.url, timeout_seconds=_WRITE_TIMEOUT_SECONDS)

    @classmethod
    def start(
        cls,
        binary: Path,
        genesis: Genesis,
        *,
        directory: Path,
        history_blocks: int | None,
        read_timeout_seconds: float = 15.0,
    ) -> Engine:
        """Start a child at block 0. Raise ChainStartFailed."""
        process = AnvilProcess.start(binary, genesis, directory=directory, history_blocks=history_blocks)
        engine = cls(process, read_timeout_seconds=read_timeout_seconds)
        try:
            engine._writes.call("anvil_setLoggingEnabled", False)
            if int(engine._writes.call("eth_chainId"), 16) != genesis.chain_id:
                raise ChainStartFailed("The embedded chain started with another chain id.")
        except (RpcError, LedgerUnavailable) as error:
            engine.stop()
            raise ChainStartFailed("The embedded chain started and did not answer.") from error
        except BaseException:
            engine.stop()
            raise
        return engine

    def head(self) -> Block:
        """Return the newest block."""
        return parse_block(self._call("eth_getBlockByNumber", "latest", False))

    def blocks(self, first: int, last: int) -> list[Block]:
        """Return the blocks first..last."""
        numbers = range(first, last + 1)
        found = self._writes.batch([("eth_getBlockByNumber", [hex(n), False]) for n in numbers])
        if any(isinstance(item, RpcError) or item is None for item in found):
            raise LedgerUnavailable("The embedded chain lost a block.")
        return [parse_block(item) for item in found]

    def push(self, record: BlockRecord) -> None:
        """Make the block of this record. Raise TransactionRefused with the pool empty again, nothing made."""
        time: list[tuple[str, list[Any]]] = [("evm_setNextBlockTimestamp", [record.timestamp])]
        for stretch in list(record.stretches()) or [()]:
            calls = [*time, *(("eth_sendRawTransaction", ["0x" + raw.hex()]) for raw in stretch)]
            time = []
            for answer in self._writes.batch(calls):
                if isinstance(answer, RpcError):
                    self._call("anvil_dropAllTransactions")
                    raise TransactionRefused(f"The chain refused a transaction: {answer.message}.")
        self._call("evm_mine")

    def head_with_inclusions(self) -> tuple[Block, list[Inclusion]]:
        """Return the newest block and what became of its transactions, in order."""
        block, receipts = self._writes.batch(
            [("eth_getBlockByNumber", ["latest", False]), ("eth_getBlockReceipts", ["latest"])]
        )
        if isinstance(block, RpcError) or isinstance(receipts, RpcError):
            raise LedgerUnavailable("The embedded chain did not show the block it made.")
        return parse_block(block), [parse_inclusion(item) for item in receipts or []]

    def dump(self) -> str:
        """Return anvil's whole state as the hex text that ``load`` takes."""
        return str(self._call("anvil_dumpState"))

    def load(self, dumped: str) -> None:
        self._call("anvil_loadState", dumped)

    def state_root(self) -> str:
        """Return the root of the state that calls run on, recomputed from its own proof (EIP-1186)."""
        found = self._call("eth_getProof", "0x" + "00" * 20, [], "latest")
        nodes = found["accountProof"]
        return Web3.keccak(hexstr=nodes[0]).to_0x_hex() if nodes else ""

    def header_state_root(self) -> str:
        return str(self._call("eth_getBlockByNumber", "latest", False)["stateRoot"])

    def stop(self) -> None:
        """Kill the child and drop the connections. Safe to call twice and from any thread."""
        self.process.kill()
        self.reads.close()
        self._writes.close()

    def _call(self, method: str, *params: Any) -> Any:
        try:
            return self._writes.call(method, *params)
        except RpcError as error:
            raise LedgerUnavailable(f"The embedded chain refused {method}: {error.message}.") from error
