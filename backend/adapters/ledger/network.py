"""A chain kept by others: one or two nodes of the network, Besu or geth, reached over HTTP."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from backend.adapters.ledger.chain import Chain, Included, Inclusion, SignedTransaction, price_above
from backend.adapters.ledger.errors import (
    ChainChanged,
    FinalityBroken,
    NodesDisagree,
    NodeSilent,
    NodeUnsound,
    OutcomeUnknown,
    SameNode,
    StaleHead,
    TransactionRefused,
    WrongChain,
)
from backend.adapters.ledger.final_blocks import FinalBlocks, Replaced
from backend.adapters.ledger.node import Counts, Identity, Node, check_same_network
from backend.adapters.ledger.paired_reads import PairedReads
from backend.adapters.ledger.rpc import Asking
from backend.adapters.ledger.watched_node import WatchedNode
from backend.consent.ledger_types import LedgerView
from backend.errors import LedgerUnavailable, OperatorError
from backend.types import Address, BlockNumber, Bytes32
from backend.waiting import about_to_wait

_log = logging.getLogger(__name__)
_STUCK_BLOCKS: Final = 5
_OTHER_NODE_SECONDS: Final = 1.0
_LIE_SHOWN_SECONDS: Final = 3600
_Found = TypeVar("_Found")


def node_checks(chain: Chain) -> dict[str, Callable[[], None]]:
    """Return what has to hold of two nodes, by name; nothing where there is one or the chain is embedded."""
    return chain.checks() if isinstance(chain, NetworkChain) else {}


class NetworkChain:
    """The network as its nodes show it. A block is final ``finality_depth`` blocks below the head.

    ``finality_depth`` 0 is for QBFT, whose blocks are final at once; 3 for Clique with four signers. With two
    nodes, permission needs both, and a restriction either: the final block is the lower one of theirs, the
    head the higher one, and what is read at either is compared (``paired_reads``). A node's last word counts
    until it is stale. Transactions go to both.
    """

    def __init__(
        self,
        url: str,
        *,
        second_url: str | None = None,
        expected_chain_id: int | None,
        finality_depth: int,
        final_blocks: Path | None = None,
        gas_price: int = 0,
        block_gas: int = 20_000_000,
        staleness_seconds: int = 60,
        view_age_seconds: float = 0.25,
        inclusion_seconds: float = 30.0,
        poll_seconds: float = 0.05,
        timeout_seconds: float = 10.0,
        patience_seconds: float = 3.0,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        """Connect. Raise WrongChain where a node serves another chain, SameNode where both are one,
        FinalBlocksDamaged, LedgerUnavailable where none answers.

        ``final_blocks``: file that remembers what was final over a restart. ``gas_price``: wei, above what
        the blocks ask for.
        ``staleness_seconds``: a head older than this permits nothing. ``view_age_seconds``: how long one
        reading of the head is used again. ``patience_seconds``: how long one of two nodes is waited for.
        """
        self._least_price = gas_price
        self.block_gas = block_gas
        self._staleness_seconds = staleness_seconds
        self._view_age_seconds = view_age_seconds
        self._inclusion_seconds = inclusion_seconds
        self._poll_seconds = poll_seconds
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._view: LedgerView | None = None
        self._viewed_at = 0.0
        self._waiting: dict[Address, Counts] = {}  # when it was looked at last
        self._lied_at: float | None = None
        self._finals = FinalBlocks(final_blocks)
        names = ["the node"] if second_url is None else ["node 1", "node 2"]
        self._nodes = [
            Node(
                name,
                each,
                finality_depth=finality_depth,
                timeout_seconds=timeout_seconds,
                finals=self._finals.hashes,
            )
            for name, each in zip(names, filter(None, (url, second_url)), strict=True)
        ]
        self._pair = [
            WatchedNode(each, patience_seconds=patience_seconds) for each in self._nodes if second_url
        ]
        self._paired = PairedReads(self._pair, lied=self._note_lie)
        self.chain_id = self._connect(expected_chain_id).chain_id

    @property
    def gas_price(self) -> int:
        """Raise LedgerUnavailable where no node answers."""
        self.shown()
        return price_above(max(node.base_fee for node in self._nodes), least=self._least_price)

    def view(self, *, max_age_seconds: float = math.inf) -> LedgerView:
        """Return the head and the final block, read no longer ago than this and ``view_age_seconds``. Raise
        StaleHead, NodeSilent or LedgerUnavailable, and FinalityBroken where a final block was replaced.
        """
        if not self._lock.acquire(blocking=False):
            about_to_wait()
            if not self._lock.acquire(timeout=self._timeout_seconds):
                raise LedgerUnavailable("The node does not answer.")
        try:
            max_age_seconds = min(max_age_seconds, self._view_age_seconds)
            if self._view is None or time.monotonic() - self._viewed_at > max_age_seconds:
                read_at = time.monotonic()
                self._view = None
                view = self._read_pair() if self._pair else self._nodes[0].view()
                self._finals.keep(view.final_number, view.final_hash)
                self._view = view
                self._viewed_at = read_at
            view = self._view
            self._check_ages(view)
        finally:
            self._lock.release()
        return view

    def shown(self) -> LedgerView:
        try:
            return self.view()
        except LedgerUnavailable:
            return max(self._of_each(self._shown_by), key=lambda view: view.head_number)

    def rpc(self) -> Asking:
        return self._paired if self._pair else self._nodes[0].rpc()

    def next_nonce(self, account: Address) -> int:
        """Return the nonce after everything of this account that a node knows; that of its oldest waiting
        transaction where blocks went by without it. What is sent next then takes its place, if it pays more.
        """
        told = self._of_each(lambda node: node.counts(account))
        now = Counts(*(max(getattr(each, name) for each in told) for name in ("pending", "mined", "head")))
        seen = self._waiting.pop(account, None)
        if now.pending <= now.mined:
            return now.pending
        if seen is not None and seen.mined == now.mined and now.head >= seen.head + _STUCK_BLOCKS:
            _log.warning(
                "a transaction is not mined; the next one is to replace it", extra={"nonce": now.mined}
            )
            return now.mined
        kept = seen if seen is not None and seen.mined == now.mined else now
        self._waiting[account] = kept
        return now.pending

    def block_overrides(self) -> None:
        """None are needed: the head is seconds old."""
        return

    def offer(self, transactions: Sequence[SignedTransaction]) -> Included:
        """Send in order, to each node; return what waits until each is in a block. Raise TransactionRefused
        where the first was refused, so nothing was sent; OutcomeUnknown where some may still be included, as
        the waiting does.
        """
        outcomes = self._of_each(lambda node: node.offer(transactions), seconds=self._inclusion_seconds)
        taken = max(number for number, _ in outcomes)
        if taken < len(transactions):
            failures = [failure for _, failure in outcomes if failure is not None]
            if taken == 0 and all(isinstance(each, TransactionRefused) for each in failures):
                raise failures[0]
            raise OutcomeUnknown("It is not known which of the transactions were taken.") from failures[0]
        return partial(self._await_inclusion, [transaction.hash for transaction in transactions])

    def replaced(self) -> Replaced | None:
        """Return which of the blocks that permission rested on a node does not have any more, None where all
        are there. Raise LedgerUnavailable where a node cannot say."""
        kept = self._finals.hashes
        found: Replaced | None = None
        for node in self._nodes:
            shown = node.hashes(list(kept))
            gone = [number for number, each in kept.items() if shown.get(number, each) != each]
            if not gone:
                continue
            there = [
                number for number, each in kept.items() if shown.get(number) == each and number < gone[0]
            ]
            first, last = BlockNumber(max(there, default=0) + 1), gone[-1]
            names = (*(found.nodes if found else ()), node.name)
            found = Replaced(
                min(first, found.first if found else first), last, kept[last], shown[last], names
            )
        return found

    def accept(self, replaced: Replaced) -> None:
        """Forget these blocks: a person has found out why they were replaced. Connect anew afterwards."""
        self._finals.forget_from(replaced.first)

    def demand(self, check: Callable[[Node], None]) -> None:
        """Have each of two nodes pass ``check`` before its view counts. Raise the OperatorError that the
        check raises of a node that answers now; one that does not has to pass later.
        """
        for each in self._pair:
            each.see(patiently=True)  # a view that was begun before
            each.node.demand(check)
            each.look()
            each.see(patiently=True)
            if each.failure is not None and isinstance(each.failure.__cause__, OperatorError):
                raise each.failure.__cause__

    def checks(self) -> dict[str, Callable[[], None]]:
        """Return, for each of two nodes, what raises the reason why it is not asked now; and what raises
        NodesDisagree where they were found to contradict each other within the last hour."""
        if not self._pair:
            return {}
        nodes = {f"ledger {each.node.name}": partial(self._check_node, each) for each in self._pair}
        return {**nodes, "ledger nodes": self._check_lies}

    def _check_node(self, watched: WatchedNode) -> None:
        with suppress(LedgerUnavailable):
            self.view()
        if watched.failure is not None:
            raise watched.failure.with_traceback(None)
        if watched.last is not None:
            self._check_age(watched, watched.last)

    def _check_lies(self) -> None:
        if self._lied_at is not None and time.monotonic() - self._lied_at < _LIE_SHOWN_SECONDS:
            raise NodesDisagree

    def close(self) -> None:
        for each in self._pair or self._nodes:
            each.close()

    # --- connecting

    def _connect(self, expected_chain_id: int | None) -> Identity:
        """Find out which network this is, of the nodes that answer; the others are held to it later."""
        met: list[tuple[Node, Identity]] = []
        failures = []
        for node in self._nodes:
            try:
                met.append((node, node.identity()))
            except LedgerUnavailable as failure:
                failures.append(failure)
        if not met:
            raise failures[0]
        for node, identity in met:
            if expected_chain_id not in (None, identity.chain_id):
                raise WrongChain(
                    f"{node.name} serves chain {identity.chain_id} instead of {expected_chain_id}."
                )
            check_same_network(*met[0], node, identity)
        keys = [identity.enode for _, identity in met if identity.enode is not None]
        if len(set(keys)) < len(keys):
            raise SameNode("Both addresses lead to the same node.")
        for node in self._nodes:
            node.expect(met[0][1].chain_id)
        return met[0][1]

    # --- two nodes

    def _read_pair(self) -> LedgerView:
        about_to_wait()
        patiently = all(each.is_silent for each in self._pair)
        for each in self._pair:
            each.look()
        for each in self._pair:
            each.see(patiently=patiently)
        for each in self._pair:
            if isinstance(each.failure, FinalityBroken | ChainChanged | NodeUnsound):
                raise each.failure.with_traceback(None)
        if all(each.is_silent for each in self._pair):
            raise LedgerUnavailable("None of the nodes answers.")
        views = [each.last for each in self._pair if each.last is not None]
        if len(views) < len(self._pair):
            raise NodeSilent("One of the nodes has not answered since the service started.")
        head = max(views, key=lambda view: view.head_number)
        final = min(views, key=lambda view: view.final_number)
        for each in self._pair:
            each.node.confirm(final, from_memory=each.is_silent)
        return LedgerView(
            chain_id=self.chain_id,
            head_number=head.head_number,
            head_hash=head.head_hash,
            head_timestamp=head.head_timestamp,
            final_number=final.final_number,
            final_hash=final.final_hash,
        )

    def _check_ages(self, view: LedgerView) -> None:
        if not self._pair:
            age = self._clock() - view.head_timestamp
            if age > self._staleness_seconds:
                raise StaleHead(f"The newest block is {age} s old.")
        for each in self._pair:
            if each.last is not None:
                self._check_age(each, each.last)

    def _check_age(self, watched: WatchedNode, view: LedgerView) -> None:
        age = self._clock() - view.head_timestamp
        if age > self._staleness_seconds:
            kind = NodeSilent if watched.is_silent else StaleHead
            raise kind(f"The newest block that {watched.node.name} showed is {age} s old.")

    def _shown_by(self, node: Node) -> LedgerView:
        view = node.shown()
        for each in self._pair:
            if each.node is node:
                each.height = view.head_number  # so that it is asked about that block
        return view

    def _note_lie(self, block: str) -> None:
        _log.error("the nodes have the same block and contradict each other on it", extra={"block": block})
        self._lied_at = time.monotonic()

    # --- every node

    def _of_each(self, question: Callable[[Node], _Found], *, seconds: float | None = None) -> list[_Found]:
        """Return the answers of the nodes that answer. Raise LedgerUnavailable where none does."""
        if not self._pair:
            return [question(self._nodes[0])]
        about_to_wait()
        told: list[_Found] = []
        failures: list[LedgerUnavailable] = []
        nodes = [each for each in self._paired.by_height() if not each.is_silent] or self._pair
        for each, asked in [(each, each.ask(question)) for each in nodes]:
            try:
                told.append(each.hear(asked, seconds=seconds))
            except LedgerUnavailable as failure:
                failures.append(failure)
        if not told:
            raise failures[0]
        return told

    def _await_inclusion(self, hashes: Sequence[Bytes32]) -> list[Inclusion]:
        """Wait until a node has them all in blocks, and a moment for the other one: what is asked next, it
        may be asked."""
        deadline = time.monotonic() + self._inclusion_seconds
        behind = 0.0
        found: dict[Bytes32, Inclusion] = {}
        while True:
            told: list[dict[Bytes32, Inclusion]] = []
            asked = hashes if found else hashes[:1]  # before the first of them none is in a block
            with suppress(LedgerUnavailable):  # what was sent is under way, whether the node answers or not
                told = self._of_each(partial(Node.inclusions, hashes=asked))
            for each in told:
                found.update(each)
            if found and len(asked) < len(hashes):
                continue
            now = time.monotonic()
            if len(found) == len(hashes):
                behind = behind or now + _OTHER_NODE_SECONDS
                if now > behind or all(len(each) == len(hashes) for each in told):
                    self._forget_view()
                    return [found[item] for item in hashes]
            elif now > deadline:
                raise OutcomeUnknown("The network did not include the transaction in time.")
            time.sleep(self._poll_seconds)

    def _forget_view(self) -> None:
        """What was just recorded must show in the next view."""
        with self._lock:
            self._view = None
