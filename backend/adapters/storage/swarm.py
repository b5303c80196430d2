"""Blocks on several nodes: each node is to hold everything, and a number of them must before a write counts.

Nodes are asked for their own blocks alone, and every block is checked against its CID. So no node is trusted,
and a link between two of them is not needed to store, to read or to repair. See docs/decisions/0043.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Final, TypeVar

from backend.adapters.storage.lanes import Lane, settle, worst
from backend.adapters.storage.swarm_node import SwarmNode
from backend.adapters.storage.writers import Writers
from backend.errors import AssentError, IntegrityError
from backend.records.blocks import Block, Cid, links, parse_cid
from backend.records.envelope_errors import NotCanonical
from backend.records.storage_ports import (
    BlockCorrupt,
    BlockMissing,
    BlockStore,
    Collected,
    NodeVersionRefused,
    Pin,
    StorageUnavailable,
    TooFewNodes,
)
from backend.waiting import about_to_wait

_LOG = logging.getLogger("assent.storage")
HEDGE_SECONDS: Final = 0.5  # a node that has not answered a read by then is not the only one asked
PATIENCE_SECONDS: Final = 5.0  # for the slowest of the nodes that a write does not need
CHECK_SECONDS: Final = 5.0
_Found = TypeVar("_Found")


class SwarmBlockStore:
    """A ``BlockStore`` and a ``Replicas`` over the stores of several nodes, by their names.

    ``needed`` nodes must have a blob pinned before a write returns; with fewer it raises TooFewNodes, or
    StorageFull. Closing closes the nodes' stores.
    """

    def __init__(
        self,
        stores: dict[str, BlockStore],
        *,
        needed: int,
        hedge_seconds: float = HEDGE_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        if not 1 <= needed <= len(stores):
            raise ValueError("more nodes are needed than there are")
        self.needed = needed
        self._nodes = {name: SwarmNode(name, store) for name, store in stores.items()}
        self._hedge_seconds = hedge_seconds
        self._patience_seconds = patience_seconds
        self._check_seconds = check_seconds
        self._writers = Writers()
        self._open = True

    # --- as one store -------------------------------------------------------------------------------------

    def put_block(self, cid: Cid, data: bytes) -> None:
        self.put_blocks([Block(cid, data)])

    def put_blocks(self, blocks: Iterable[Block]) -> None:
        lanes = [Lane(node) for node in self._worth_writing()]
        for block in blocks:
            for lane in self._settled(lanes, lambda lane: lane.is_full):
                lane.put(block)
        self._settled(lanes, lambda lane: lane.is_busy)

    def get_block(self, cid: Cid) -> bytes:
        self._require_open()
        parse_cid(cid)
        return self._found(cid, self._in_order())

    def has(self, cid: Cid) -> bool:
        self._require_open()
        parse_cid(cid)
        return any(self._of_each(lambda store: store.has(cid), needed=1))

    def pin(self, root: Cid, children: tuple[Cid, ...]) -> None:
        self.pin_all([Pin(root, children)])

    def pin_all(self, pins: Iterable[Pin]) -> None:
        wanted = list(pins)
        for pin in wanted:
            for cid in (pin.root, *pin.children):
                parse_cid(cid)
        lanes = [Lane(node) for node in self._worth_writing()]
        for lane in lanes:
            lane.begin(partial(lane.node.store.pin_all, wanted))
        alive = self._wait(lanes, lambda lane: lane.is_busy)
        for lane in lanes:
            # Its blocks were collected meanwhile, or never came. Another node may still have them.
            if len(alive) < self.needed and isinstance(lane.failure, BlockMissing):
                try:
                    for pin in wanted:
                        self._complete(lane.node, pin)
                except AssentError as failure:
                    lane.failure = failure
                else:
                    alive.append(lane)
        if len(alive) < self.needed:
            raise _refusal([lane.failure for lane in lanes if lane.failure is not None])

    def unpin(self, root: Cid) -> None:
        """Let go on every node. Raises StorageUnavailable while one is away: what was erased is nowhere."""
        self._require_open()
        parse_cid(root)
        self._of_each(lambda store: store.unpin(root), needed=len(self._nodes))

    def pins(self) -> Iterator[Cid]:
        """Iterate over what any node pins. Raises StorageUnavailable where the nodes that are away could
        have pins that no other has."""
        self._require_open()
        enough = len(self._nodes) - self.needed + 1
        yield from set().union(*self._of_each(lambda store: set(store.pins()), needed=enough))

    def keeps(self, pin: Pin) -> bool:
        self._require_open()
        return any(self._of_each(lambda store: store.keeps(pin), needed=1))

    def writing(self) -> AbstractContextManager[None]:
        return self._writers.writing()

    def collect_garbage(self) -> Collected:
        """Collect on every node. Raises StorageUnavailable while one is away."""
        self._require_open()
        with self._writers.none():
            found = self._of_each(lambda store: store.collect_garbage(), needed=len(self._nodes))
        return max(found)

    def check(self) -> None:
        """Raise TooFewNodes or NodeVersionRefused unless a write would be taken now."""
        self._require_open()
        about_to_wait()
        self._of_each(lambda store: store.check(), needed=self.needed, seconds=self._check_seconds)

    def close(self) -> None:
        self._open = False
        for node in self._nodes.values():
            node.close()

    # --- node by node -------------------------------------------------------------------------------------

    def require_usable(self) -> None:
        """Raise NodeVersionRefused for a node of an unknown version, StorageUnavailable where none answers.

        A service starts with one node: what it has can be read.
        """
        self._require_open()
        failures = []
        for node in self._nodes.values():
            try:
                node.tried(node.store.check)
            except StorageUnavailable as failure:
                failures.append(failure)
        if len(failures) == len(self._nodes):
            raise worst(failures)

    def nodes(self) -> Sequence[str]:
        return list(self._nodes)

    def check_at(self, name: str) -> None:
        node = self._nodes[name]
        try:
            node.begin(node.store.check).result(self._check_seconds)
        except TimeoutError:
            node.shun()
            raise StorageUnavailable("the node is slow") from None

    def answered(self, name: str) -> bool:
        return not self._nodes[name].is_shunned

    def altered_at(self, name: str) -> int:
        return self._nodes[name].altered

    def pins_at(self, name: str) -> set[Cid]:
        node = self._nodes[name]
        return node.tried(lambda: set(node.store.pins()))

    def unpin_at(self, name: str, root: Cid) -> None:
        self._nodes[name].store.unpin(root)

    def damage_at(
        self, name: str, root: Cid, children: tuple[Cid, ...]
    ) -> Iterator[tuple[Cid, IntegrityError]]:
        node = self._nodes[name]
        for cid in (root, *children):
            failure = self._damage(node, cid)
            if failure is not None:
                yield cid, failure

    def make_whole(self, name: str, root: Cid) -> int:
        node = self._nodes[name]
        with self.writing():
            try:
                children = links(self._found(root, [node, *self._others(node)]))
            except NotCanonical:
                raise BlockCorrupt("this is no root of ours") from None
            return self._complete(node, Pin(root, children))

    # --- how ----------------------------------------------------------------------------------------------

    def _complete(self, node: SwarmNode, pin: Pin) -> int:
        """Read every block at a node, bring it those that are not what they should be, and pin."""
        brought = 0
        for cid in (pin.root, *pin.children):
            if self._damage(node, cid) is not None:
                self._bring(node, Block(cid, self._found(cid, self._others(node))))
                brought += 1
        # Kubo takes a pin that it has away before it adds it again: who lists meanwhile would miss it.
        if not node.tried(lambda: node.store.keeps(pin)):
            node.tried(lambda: node.store.pin(pin.root, pin.children))
        return brought

    def _damage(self, node: SwarmNode, cid: Cid) -> IntegrityError | None:
        try:
            node.tried(lambda: node.store.get_block(cid))
        except IntegrityError as failure:
            _note(node, cid, failure)
            return failure
        return None

    def _bring(self, node: SwarmNode, block: Block) -> None:
        node.tried(lambda: node.store.put_block(*block))
        # A node that believes to have a block may take it without writing it.
        node.tried(lambda: node.store.get_block(block.cid))

    def _found(self, cid: Cid, nodes: Sequence[SwarmNode]) -> bytes:
        """Return a block from the first node that gives it; after a while also the next one is asked."""
        about_to_wait()
        left, asked, failures = deque(nodes), dict[Future[bytes], SwarmNode](), list[AssentError]()
        damaged: list[SwarmNode] = []
        ask_next = True
        while left or asked:
            if left and ask_next:
                node = left.popleft()
                asked[node.begin(partial(node.store.get_block, cid))] = node
            ended, _ = wait(asked, self._hedge_seconds if left else None, FIRST_COMPLETED)
            ask_next = not ended
            if not ended:
                for node in asked.values():
                    node.shun()
            for future in ended:
                node = asked.pop(future)
                try:
                    data = future.result()
                except AssentError as failure:
                    ask_next = True
                    failures.append(failure)
                    if isinstance(failure, IntegrityError):
                        damaged.append(node)
                        _note(node, cid, failure)
                    continue
                for other in asked:
                    other.cancel()
                self._mend(Block(cid, data), damaged)
                return data
        raise worst(failures)

    def _mend(self, block: Block, damaged: Iterable[SwarmNode]) -> None:
        """Give a block to the nodes that should have had it; the reader does not wait for that."""
        for node in damaged:

            def mend(node: SwarmNode = node) -> None:
                with suppress(AssentError), self.writing():
                    self._bring(node, block)

            with suppress(RuntimeError):  # the store is being closed
                node.begin(mend)

    def _of_each(
        self, call: Callable[[BlockStore], _Found], *, needed: int, seconds: float = math.inf
    ) -> list[_Found]:
        """Return what the nodes answer, at least ``needed`` of them; the others are waited for a while."""
        about_to_wait()
        waiting = {node.begin(partial(call, node.store)): node for node in self._nodes.values()}
        found: list[_Found] = []
        failures: list[AssentError] = []
        limit, patience = time.monotonic() + seconds, math.inf
        while waiting and time.monotonic() < min(limit, patience):
            for future in wait(waiting, 0.2, FIRST_COMPLETED).done:
                del waiting[future]
                try:
                    found.append(future.result())
                except AssentError as failure:
                    failures.append(failure)
            if len(found) >= needed:
                patience = min(patience, time.monotonic() + self._patience_seconds)
                if all(node.is_shunned for node in waiting.values()):
                    break
        for future, node in waiting.items():
            future.cancel()
            if not future.done():
                node.shun()
                failures.append(StorageUnavailable("the node is slow"))
        if len(found) < needed:
            raise _refusal(failures)
        return found

    def _in_order(self) -> list[SwarmNode]:
        return sorted(self._nodes.values(), key=lambda node: node.is_shunned)

    def _others(self, one: SwarmNode) -> list[SwarmNode]:
        return [node for node in self._in_order() if node is not one]

    def _worth_writing(self) -> list[SwarmNode]:
        """Return the nodes to write to: without those that were away a moment ago, where the others do."""
        self._require_open()
        about_to_wait()
        well = [node for node in self._nodes.values() if not node.is_shunned]
        return well if len(well) >= self.needed else list(self._nodes.values())

    def _settled(self, lanes: Sequence[Lane], busy: Callable[[Lane], bool]) -> list[Lane]:
        alive = self._wait(lanes, busy)
        if len(alive) < self.needed:
            raise _refusal([lane.failure for lane in lanes if lane.failure is not None])
        return alive

    def _wait(self, lanes: Sequence[Lane], busy: Callable[[Lane], bool]) -> list[Lane]:
        return settle(lanes, busy, needed=self.needed, patience_seconds=self._patience_seconds)

    def _require_open(self) -> None:
        if not self._open:
            raise StorageUnavailable("the connection to the nodes is closed")


def _note(node: SwarmNode, cid: Cid, failure: IntegrityError) -> None:
    """A block that is missing is one the node was away for, or lost; one that is other was altered."""
    if isinstance(failure, BlockCorrupt):
        node.count_altered()
        _LOG.error("a node gave an altered block", extra={"node": node.name, "cid": cid})


def _refusal(failures: Sequence[AssentError]) -> AssentError:
    """Return what to raise when too few nodes did what they were asked."""
    found = worst(failures)
    if type(found) is StorageUnavailable:
        refused = next((each for each in failures if isinstance(each, NodeVersionRefused)), None)
        return refused or TooFewNodes()
    return found
