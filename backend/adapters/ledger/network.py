"""A chain kept by others: a Besu or geth node of the network, reached over HTTP."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from web3.middleware import ExtraDataToPOAMiddleware

from backend.adapters.ledger.chain import Block, Inclusion, SignedTransaction, parse_block, parse_inclusion
from backend.adapters.ledger.errors import (
    ChainChanged,
    FinalityBroken,
    OutcomeUnknown,
    StaleHead,
    TransactionRefused,
    WrongChain,
)
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.consent.ledger_types import LedgerView
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber, Bytes32

_log = logging.getLogger(__name__)
_REMEMBERED_FINAL_BLOCKS = 256
_STUCK_BLOCKS = 5


class NetworkChain:
    """One node's view of the network. A block is final ``finality_depth`` blocks below the head.

    ``finality_depth`` 0 is for QBFT, whose blocks are final at once; 3 for Clique with four signers.
    """

    def __init__(
        self,
        url: str,
        *,
        expected_chain_id: int | None,
        finality_depth: int,
        gas_price: int = 0,
        block_gas: int = 20_000_000,
        staleness_seconds: int = 60,
        view_age_seconds: float = 0.25,
        inclusion_seconds: float = 30.0,
        poll_seconds: float = 0.1,
        timeout_seconds: float = 10.0,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        """Connect. Raise WrongChain where the node serves another chain, LedgerUnavailable where none
        answers.

        ``gas_price``: wei. ``staleness_seconds``: a head older than this permits nothing.
        ``view_age_seconds``: how long one reading of the head is used again.
        """
        self._rpc = Rpc(url, timeout_seconds=timeout_seconds)
        self._rpc.web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        self.gas_price = gas_price
        self.block_gas = block_gas
        self._finality_depth = finality_depth
        self._staleness_seconds = staleness_seconds
        self._view_age_seconds = view_age_seconds
        self._inclusion_seconds = inclusion_seconds
        self._poll_seconds = poll_seconds
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._view: LedgerView | None = None
        self._viewed_at = 0.0
        self._finals: dict[BlockNumber, Bytes32] = {}
        self._waiting: dict[Address, tuple[int, int]] = {}  # nonce and head when it was looked at last
        self.chain_id = int(self._ask("eth_chainId"), 16)
        if expected_chain_id is not None and self.chain_id != expected_chain_id:
            raise WrongChain(f"The node serves chain {self.chain_id} instead of {expected_chain_id}.")

    def view(self) -> LedgerView:
        """Return the head and the final block, at most ``view_age_seconds`` old. Raise StaleHead or
        LedgerUnavailable, and FinalityBroken where a final block was replaced.
        """
        if not self._lock.acquire(timeout=self._timeout_seconds):
            raise LedgerUnavailable("The node does not answer.")
        try:
            if self._view is None or time.monotonic() - self._viewed_at > self._view_age_seconds:
                read_at = time.monotonic()
                self._view = self._read_view()
                self._viewed_at = read_at
            view = self._view
        finally:
            self._lock.release()
        age = self._clock() - view.head_timestamp
        if age > self._staleness_seconds:
            raise StaleHead(f"The newest block is {age} s old.")
        return view

    def rpc(self) -> Rpc:
        return self._rpc

    def next_nonce(self, account: Address) -> int:
        """Return the nonce after everything of this account that the node knows; that of its oldest waiting
        transaction where blocks went by without it. What is sent next then takes its place, if it pays more.
        """
        pending, mined, head = (
            int(answer, 16)
            for answer in self._answers(
                [
                    ("eth_getTransactionCount", [account, "pending"]),
                    ("eth_getTransactionCount", [account, "latest"]),
                    ("eth_blockNumber", []),
                ]
            )
        )
        seen_mined, seen_head = self._waiting.pop(account, (None, 0))
        if pending <= mined:
            return pending
        if seen_mined == mined and head >= seen_head + _STUCK_BLOCKS:
            _log.warning("a transaction is not mined; the next one is to replace it", extra={"nonce": mined})
            return mined
        self._waiting[account] = (mined, head)
        return pending

    def block_overrides(self) -> None:
        """None are needed: the head is seconds old."""
        return

    def send(self, transactions: Sequence[SignedTransaction]) -> list[Inclusion]:
        """Send in order, wait until each is in a block. Raise TransactionRefused where the first was
        refused, so nothing was sent; OutcomeUnknown where some may still be included.
        """
        for position, transaction in enumerate(transactions):
            try:
                self._rpc.call("eth_sendRawTransaction", "0x" + transaction.raw.hex())
            except RpcError as error:
                if self._knows(transaction.hash):
                    continue
                if position == 0:
                    raise TransactionRefused(f"The node refused a transaction: {error.message}.") from error
                raise OutcomeUnknown("The node took only a part of the transactions.") from error
            except LedgerUnavailable as error:
                # It may have been taken all the same, and the answer lost.
                if not self._knows(transaction.hash):
                    raise OutcomeUnknown("The node did not say whether it took a transaction.") from error
        return self._await_inclusion([transaction.hash for transaction in transactions])

    def close(self) -> None:
        self._rpc.close()

    def _knows(self, transaction_hash: Bytes32) -> bool:
        """Whether the node has this transaction, in its pool or in a block.

        Each words its refusal otherwise.
        """
        return self._ask("eth_getTransactionByHash", "0x" + transaction_hash.hex()) is not None

    def _await_inclusion(self, hashes: Sequence[Bytes32]) -> list[Inclusion]:
        deadline = time.monotonic() + self._inclusion_seconds
        found: dict[Bytes32, Inclusion] = {}
        while True:
            missing = [item for item in hashes if item not in found]
            calls = [("eth_getTransactionReceipt", ["0x" + item.hex()]) for item in missing]
            with suppress(LedgerUnavailable):  # what was sent is under way, whether the node answers or not
                for item, answer in zip(missing, self._rpc.batch(calls), strict=True):
                    if answer is not None and not isinstance(answer, RpcError):
                        found[item] = parse_inclusion(answer)
            if len(found) == len(hashes):
                self._forget_view()
                return [found[item] for item in hashes]
            if time.monotonic() > deadline:
                raise OutcomeUnknown("The network did not include the transaction in time.")
            time.sleep(self._poll_seconds)

    def _forget_view(self) -> None:
        """What was just recorded must show in the next view."""
        with self._lock:
            self._view = None

    def _read_view(self) -> LedgerView:
        chain_id, latest = self._answers([("eth_chainId", []), ("eth_getBlockByNumber", ["latest", False])])
        if chain_id != hex(self.chain_id):
            raise ChainChanged(f"The node serves chain {chain_id} instead of {self.chain_id}.")
        head = _shown(latest)
        number = BlockNumber(max(0, head.number - self._finality_depth))
        final = self._final_block(head, number)
        self._check_final(final)
        return LedgerView(
            chain_id=self.chain_id,
            head_number=head.number,
            head_hash=head.hash,
            head_timestamp=head.timestamp,
            final_number=final.number,
            final_hash=final.hash,
        )

    def _final_block(self, head: Block, number: BlockNumber) -> Block:
        """Return the block of this number. Where blocks were passed over since the last view, look again at
        the newest one that was final then: nothing else links the two.
        """
        newest = max(self._finals, default=number)
        asked = [number] if number != head.number else []
        if newest < number - 1:
            asked.append(newest)
        found = (
            self._answers([("eth_getBlockByNumber", [hex(each), False]) for each in asked]) if asked else []
        )
        blocks = [_shown(each) for each in found]
        if newest < number - 1 and blocks.pop().hash != self._finals[newest]:
            raise FinalityBroken(f"Block {newest} replaced one that was final.")
        return blocks[0] if blocks else head

    def _check_final(self, final: Block) -> None:
        """A block that was final once must stay: compare with what was seen, at this number and as its
        parent.
        """
        seen = self._finals.get(final.number, final.hash)
        parent = self._finals.get(BlockNumber(final.number - 1), final.parent_hash)
        if seen != final.hash or parent != final.parent_hash:
            raise FinalityBroken(f"Block {final.number} replaced one that was final.")
        newest = max(self._finals, default=final.number)
        if newest > final.number:
            # The node is behind what it showed before; its head may be a fork that is not final.
            raise LedgerUnavailable("The node went back behind a final block.")
        self._finals[final.number] = final.hash
        while len(self._finals) > _REMEMBERED_FINAL_BLOCKS:
            del self._finals[min(self._finals)]

    def _answers(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        answers = self._rpc.batch(calls)
        for (method, _), answer in zip(calls, answers, strict=True):
            if isinstance(answer, RpcError):
                raise LedgerUnavailable(f"The node refused {method} ({answer.code}).") from answer
        return answers

    def _ask(self, method: str, *params: object) -> Any:
        try:
            return self._rpc.call(method, *params)
        except RpcError as error:
            raise LedgerUnavailable(f"The node refused {method} ({error.code}).") from error


def _shown(found: Any) -> Block:
    if found is None:
        raise LedgerUnavailable("The node does not show its newest blocks.")
    try:
        return parse_block(found)
    except (TypeError, ValueError, KeyError) as error:
        raise LedgerUnavailable("The node answered with something else than a block.") from error
