"""Sends a command, or finds the transaction that already did it, so that asking twice gives one receipt.

Every id is a hash or is chosen by us, so an event that names it is proof that the very same thing was done.
Whatever reason the contract gives for refusing (recorded, revoked since, deadline over), the event decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.adapters.ledger.abi import Artifact
from backend.adapters.ledger.calls import Call
from backend.adapters.ledger.chain import Chain, parse_bytes32, parse_log
from backend.adapters.ledger.errors import LedgerRejected, OutcomeUnknown
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.rpc import RpcError
from backend.consent.ledger_types import Receipt
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber, Bytes32

_FINALITY_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Effect:
    """The event that shows that a command took effect: its first topic is ``key``, its arguments fit.

    ``address``: of the contract, or of all that succeeded one another.
    """

    contract: Artifact
    address: Address | Sequence[Address]
    event: str
    key: bytes | int
    fits: Callable[[Mapping[str, Any]], bool] = lambda _: True


class Effects:
    """Commands that are safe to repeat."""

    def __init__(self, *, chain: Chain, relayer: Relayer, finality_seconds: float = 60.0) -> None:
        self._chain = chain
        self._relayer = relayer
        self._finality_seconds = finality_seconds

    def once(self, call: Call, effect: Effect) -> Receipt:
        """Send, or return the receipt of the transaction that had this effect before. Raise
        LedgerRejected where neither is possible, LedgerUnavailable in doubt.
        """
        try:
            return self._relayer.submit(call)
        except LedgerRejected:
            earlier = self.find(effect)
            if earlier is None:
                raise
            return earlier

    def find(self, effect: Effect) -> Receipt | None:
        """Return the receipt of the first transaction with this effect; it holds that one event only."""
        key = effect.key.to_bytes(32) if isinstance(effect.key, int) else effect.key
        topics = ["0x" + effect.contract.topic(effect.event).hex(), "0x" + key.hex()]
        for found in self.search(effect.address, topics):
            (log,) = found.logs
            if effect.fits(effect.contract.events[log.topics[0]].decode(log.topics, log.data)):
                return found
        return None

    def search(
        self, address: Address | Sequence[Address], topics: Sequence[str | Sequence[str] | None]
    ) -> Iterator[Receipt]:
        """Yield the events of contracts with these topics (as ``eth_getLogs`` takes both) in chain order,
        each in a receipt of its own. Raise LedgerUnavailable.
        """
        query = {"address": address, "fromBlock": "0x0", "toBlock": "latest", "topics": list(topics)}
        try:
            found = self._chain.rpc().call("eth_getLogs", query)
        except RpcError as error:
            raise LedgerUnavailable("The node did not search its events.") from error
        for item in found:
            number = BlockNumber(int(item["blockNumber"], 16))
            yield Receipt(number, parse_bytes32(item["transactionHash"]), (parse_log(item),))

    def await_final(self, receipt: Receipt) -> Receipt:
        """Return the receipt once the transaction is in a final block, which may be another one than before.

        Raise OutcomeUnknown when that takes too long, or when its block was replaced by one without it.
        """
        deadline = time.monotonic() + self._finality_seconds
        while True:
            view = self._chain.view(max_age_seconds=_FINALITY_POLL_SECONDS)
            if view.final_number >= receipt.block_number:
                if view.final_number == view.head_number:
                    return receipt  # nothing is ever replaced here
                now_in = self._block_of(receipt.transaction_hash)
                if now_in == receipt.block_number:
                    return receipt
                receipt = replace(receipt, block_number=now_in)
                continue
            if time.monotonic() > deadline:
                raise OutcomeUnknown("The transaction is in a block that is not final yet.")
            time.sleep(_FINALITY_POLL_SECONDS)

    def _block_of(self, transaction: Bytes32) -> BlockNumber:
        try:
            found = self._chain.rpc().call("eth_getTransactionReceipt", "0x" + transaction.hex())
        except RpcError as error:
            raise LedgerUnavailable("The node did not look for a transaction.") from error
        if found is None:
            raise OutcomeUnknown("The block with the transaction was replaced by one without it.")
        return BlockNumber(int(found["blockNumber"], 16))
