"""Blocks on their way to several nodes at once: as fast as those that are needed, not as the slowest."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Final

from backend.adapters.storage.swarm_node import SwarmNode
from backend.errors import AssentError
from backend.records.blocks import Block
from backend.records.storage_ports import BlockCorrupt, BlockMissing, StorageFull, StorageUnavailable

_DEPTH: Final = 4  # blocks under way to one node: bounds memory, and covers its waiting for the disk


class Lane:
    """What one write has under way to one node. After its first failure it takes nothing more."""

    def __init__(self, node: SwarmNode) -> None:
        self.node = node
        self.failure: AssentError | None = None
        self._under_way: deque[Future[None]] = deque()

    @property
    def is_full(self) -> bool:
        return len(self.oldest) >= _DEPTH

    @property
    def is_busy(self) -> bool:
        return bool(self.oldest)

    @property
    def oldest(self) -> Sequence[Future[None]]:
        """What is under way, oldest first. What has ended is taken off."""
        while self._under_way and self._under_way[0].done():
            ended = self._under_way.popleft()
            try:
                if not ended.cancelled():
                    ended.result()
            except AssentError as failure:
                self.failure = self.failure or failure
        return self._under_way

    def put(self, block: Block) -> None:
        self.begin(lambda: self.node.store.put_block(*block))

    def begin(self, call: Callable[[], None]) -> None:
        self._under_way.append(self.node.begin(call))

    def give_up(self) -> None:
        """Leave the node behind: the repair brings it what it missed."""
        self.node.shun()
        for future in self._under_way:
            future.cancel()
        self._under_way.clear()
        self.failure = self.failure or StorageUnavailable("the node is slow")


def settle(
    lanes: Sequence[Lane], busy: Callable[[Lane], bool], *, needed: int, patience_seconds: float
) -> list[Lane]:
    """Wait until no lane is busy, and return those that have not failed; there may be too few.

    A lane that is still busy when enough others are not has ``patience_seconds`` more, and is given up.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        waiting = [lane for lane in lanes if lane.failure is None and busy(lane)]
        alive = [lane for lane in lanes if lane.failure is None]
        if not waiting:
            return alive
        if len(alive) - len(waiting) >= needed and (
            time.monotonic() >= deadline or all(lane.node.is_shunned for lane in waiting)
        ):
            for lane in waiting:
                lane.give_up()
            continue
        futures = [lane.oldest[0] for lane in waiting if lane.oldest]
        if futures:
            wait(futures, timeout=0.2, return_when=FIRST_COMPLETED)


def worst(failures: Sequence[AssentError]) -> AssentError:
    """Return what to tell of several nodes' failures: what may pass before what must be restored."""
    for kind in (StorageFull, StorageUnavailable, BlockCorrupt, BlockMissing):
        for failure in failures:
            if isinstance(failure, kind):
                return failure
    return failures[0] if failures else StorageUnavailable("no node could be asked")
