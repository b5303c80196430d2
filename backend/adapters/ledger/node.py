"""One node of a network: what it shows, held against what it showed before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from web3.middleware import ExtraDataToPOAMiddleware

from backend.adapters.ledger.chain import Block, Inclusion, SignedTransaction, parse_block, parse_inclusion
from backend.adapters.ledger.errors import (
    ChainChanged,
    FinalityBroken,
    NodeUnsound,
    TransactionRefused,
    WrongChain,
)
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.consent.ledger_types import LedgerView
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber, Bytes32

_REMEMBERED_FINAL_BLOCKS: Final = 256


@dataclass(frozen=True, slots=True)
class Identity:
    """``enode``: the node's public key, None where it does not tell (it seldom does, to services)."""

    chain_id: int
    genesis: str
    enode: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one account: the number after all that waits, the number after all that is mined, the head."""

    pending: int
    mined: int
    head: int


class Node:
    """``view`` is for one thread at a time, everything else for all."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        finality_depth: int,
        timeout_seconds: float,
        finals: Mapping[BlockNumber, Bytes32],
    ) -> None:
        """``name``: for messages, such as 'node 2'. ``finals``: hashes of blocks that were final before."""
        self.name = name
        self.base_fee = 0  # wei, of the newest head that was read
        self._rpc = Rpc(url, timeout_seconds=timeout_seconds)
        self._rpc.web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        self._finality_depth = finality_depth
        self._finals = dict(finals)
        self._confirmed: dict[BlockNumber, Bytes32] = {}
        self._chain_id = 0  # which no chain has
        self._unmet: Callable[[Node], None] | None = None

    def rpc(self) -> Rpc:
        return self._rpc

    def close(self) -> None:
        self._rpc.close()

    def identity(self) -> Identity:
        """Ask the node who it is. Raise LedgerUnavailable."""
        chain_id, genesis = self._answers([("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False])])
        try:
            told = self._rpc.call("admin_nodeInfo")
        except RpcError:
            told = None
        enode = told.get("id") if isinstance(told, dict) else None
        return Identity(int(chain_id, 16), str(_shown(genesis).hash.hex()), enode)

    def expect(self, chain_id: int) -> None:
        """Give no view of any other chain than this one, from now on."""
        self._chain_id = chain_id

    def demand(self, check: Callable[[Node], None]) -> None:
        """Give no view before ``check`` was passed, which raises where the node will not do."""
        self._unmet = check

    def view(self) -> LedgerView:
        """Read the head and the final block. Raise FinalityBroken where a final block was replaced,
        ChainChanged, NodeUnsound or LedgerUnavailable, and what the demanded check raises.
        """
        head = self._head()
        final = self._final_block(head, self._final_number(head))
        self._check_final(final)
        if self._unmet is not None:
            self._unmet(self)
            self._unmet = None
        self._finals[final.number] = final.hash
        if final.number:
            self._finals[BlockNumber(final.number - 1)] = final.parent_hash
        while len(self._finals) > _REMEMBERED_FINAL_BLOCKS:
            del self._finals[min(self._finals)]
        return self._view(head, final)

    def shown(self) -> LedgerView:
        """Read the same, and hold it against nothing but the chain id. Raise ChainChanged, NodeUnsound or
        LedgerUnavailable."""
        head = self._head()
        (final,) = self._answers([("eth_getBlockByNumber", [hex(self._final_number(head)), False])])
        return self._view(head, _shown(final))

    def confirm(self, view: LedgerView, *, from_memory: bool) -> None:
        """Raise FinalityBroken unless the final block of this view is this node's block, too.

        ``from_memory``: do not ask it; then raise LedgerUnavailable where it has not shown that block.
        """
        number = view.final_number
        known = self._finals.get(number) or self._confirmed.get(number)
        if known is None and from_memory:
            raise LedgerUnavailable(f"{self.name} does not answer, and has not shown block {number} before.")
        if known is None:
            (found,) = self._answers([("eth_getBlockByNumber", [hex(number), False])])
            known = _shown(found).hash
            self._confirmed = {number: known}
        if known != view.final_hash:
            raise FinalityBroken(f"Each node has another block {number}, and both say it is final.")

    def hashes(self, numbers: Sequence[BlockNumber]) -> dict[BlockNumber, Bytes32]:
        """Return what it has at these numbers, leaving out what it has not."""
        found = self._answers([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        return {
            number: _shown(each).hash for number, each in zip(numbers, found, strict=True) if each is not None
        }

    def counts(self, account: Address) -> Counts:
        pending, mined, head = self._answers(
            [
                ("eth_getTransactionCount", [account, "pending"]),
                ("eth_getTransactionCount", [account, "latest"]),
                ("eth_blockNumber", []),
            ]
        )
        return Counts(int(pending, 16), int(mined, 16), int(head, 16))

    def offer(self, transactions: Sequence[SignedTransaction]) -> tuple[int, LedgerUnavailable | None]:
        """Hand transactions in, in order; return how many it has, and what ended it before the last one:
        TransactionRefused, or LedgerUnavailable where it did not say."""
        for position, transaction in enumerate(transactions):
            try:
                self._rpc.call("eth_sendRawTransaction", "0x" + transaction.raw.hex())
            except (RpcError, LedgerUnavailable) as error:
                # Each words "I know it" otherwise; or it took it, and the answer was lost.
                try:
                    if self._knows(transaction.hash):
                        continue
                except LedgerUnavailable as silent:
                    return position, silent
                if isinstance(error, LedgerUnavailable):
                    return position, error
                return position, TransactionRefused(f"The node refused a transaction: {error.message}.")
        return len(transactions), None

    def inclusions(self, hashes: Sequence[Bytes32]) -> dict[Bytes32, Inclusion]:
        """Return those of the transactions that are in a block."""
        calls = [("eth_getTransactionReceipt", ["0x" + each.hex()]) for each in hashes]
        return {
            each: parse_inclusion(answer)
            for each, answer in zip(hashes, self._rpc.batch(calls), strict=True)
            if answer is not None and not isinstance(answer, RpcError)
        }

    def _head(self) -> Block:
        chain_id, latest = self._answers([("eth_chainId", []), ("eth_getBlockByNumber", ["latest", False])])
        if chain_id != hex(self._chain_id):
            raise ChainChanged(f"{self.name} serves chain {chain_id} instead of {self._chain_id}.")
        head = _shown(latest)
        self.base_fee = head.base_fee
        return head

    def _final_number(self, head: Block) -> BlockNumber:
        return BlockNumber(max(0, head.number - self._finality_depth))

    def _view(self, head: Block, final: Block) -> LedgerView:
        return LedgerView(
            chain_id=self._chain_id,
            head_number=head.number,
            head_hash=head.hash,
            head_timestamp=head.timestamp,
            final_number=final.number,
            final_hash=final.hash,
        )

    def _knows(self, transaction_hash: Bytes32) -> bool:
        """Whether the node has this transaction, in its pool or in a block."""
        (found,) = self._answers([("eth_getTransactionByHash", ["0x" + transaction_hash.hex()])])
        return found is not None

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
        if max(self._finals, default=final.number) > final.number:
            # It is behind what it showed before; its head may be a fork that is not final.
            raise NodeUnsound("The node went back behind a final block.")

    def _answers(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        answers = self._rpc.batch(calls)
        for (method, _), answer in zip(calls, answers, strict=True):
            if isinstance(answer, RpcError):
                raise NodeUnsound(f"The node refused {method} ({answer.code}).") from answer
        return answers


def check_same_network(first: Node, one: Identity, second: Node, other: Identity) -> None:
    """Raise WrongChain unless two nodes serve one chain."""
    if (one.chain_id, one.genesis) != (other.chain_id, other.genesis):
        raise WrongChain(
            f"{first.name} serves chain {one.chain_id} with block 0 {one.genesis[:8]}, "
            f"{second.name} chain {other.chain_id} with block 0 {other.genesis[:8]}."
        )


def _shown(found: Any) -> Block:
    if found is None:
        raise NodeUnsound("The node does not show its newest blocks.")
    try:
        return parse_block(found)
    except (TypeError, ValueError, KeyError) as error:
        raise NodeUnsound("The node answered with something else than a block.") from error
