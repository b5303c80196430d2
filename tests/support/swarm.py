"""Three real Kubo nodes in a private swarm, for tests, and what is done to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.adapters.storage.kubo import KuboBlockStore
from backend.adapters.storage.kubo_node import KuboNode
from backend.adapters.storage.swarm import SwarmBlockStore
from backend.records.storage_ports import BlockStore
from scripts.kubo.run import BINARY
from scripts.kubo.swarm import LocalSwarm, new_swarm, repository_of
from tests.support.components import require


@contextmanager
def running_swarm(folder: Path) -> Iterator[Swarm]:
    """Make a swarm below ``folder``, run it, stop it."""
    made = Swarm(folder / "swarm")
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Swarm:
    """``names``: of its nodes. ``rpcs``: their addresses, which are their names in a ``SwarmBlockStore``."""

    def __init__(self, folder: Path) -> None:
        require(BINARY.is_file(), "no Kubo binary", "make kubo")
        self.folder = folder
        described = new_swarm(BINARY, folder)
        self.local = LocalSwarm(BINARY, folder)
        self.names = [node.name for node in described]
        self.rpcs = [node.rpc for node in described]

    def start(self) -> None:
        self.local.start()

    def stop(self) -> None:
        self.local.stop()

    def node(self, number: int) -> KuboNode:
        return self.local.nodes[self.names[number]]

    def blocks(self, number: int) -> Path:
        """The folder that a node's blocks lie in."""
        return repository_of(self.folder, self.names[number]) / "blocks"

    def file_of(self, number: int, data: bytes) -> Path:
        return next(path for path in self.blocks(number).rglob("*.data") if path.read_bytes() == data)

    def alone(self, number: int) -> KuboBlockStore:
        return KuboBlockStore(self.rpcs[number], timeout_seconds=20.0)

    def store(
        self, *, needed: int = 2, rpcs: list[str] | None = None, timeout_seconds: float = 20.0
    ) -> SwarmBlockStore:
        stores: dict[str, BlockStore] = {
            rpc: KuboBlockStore(rpc, timeout_seconds=timeout_seconds) for rpc in rpcs or self.rpcs
        }
        return SwarmBlockStore(stores, needed=needed)

    def kill(self, number: int) -> None:
        """Kill a daemon at once, by its process id."""
        pid = self.node(number).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.node(number).stop()

    @contextmanager
    def standing_still(self, number: int) -> Iterator[None]:
        """A node that takes connections and answers nothing."""
        pid = self.node(number).pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
