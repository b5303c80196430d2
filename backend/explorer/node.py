"""A node to ask and the deployment to ask about: by address, by the settings, or the embedded chain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from backend.adapters.data_directory import DataDirectory, DataDirectoryInUse
from backend.adapters.ledger.abi import CONTRACTS
from backend.adapters.ledger.chain import Block, parse_block
from backend.adapters.ledger.deployment_file import Deployment, Place, read_deployment
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.errors import (
    BlockForgotten,
    ChainReorganised,
    DeploymentIncomplete,
    WrongChain,
)
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.process import find_anvil
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.errors import LedgerUnavailable
from backend.explorer.errors import NothingToWatch
from backend.explorer.wording import contract_title
from backend.maintenance.errors import NoDeployment
from backend.settings import Settings
from backend.stores import REPOSITORY
from backend.types import BlockNumber

_TIMEOUT_SECONDS: Final = 60.0
_WORDS_A_REQUEST: Final = 200
_LISTENING: Final = re.compile(rb"Listening on (127\.0\.0\.1:\d+)")


class Node:
    """A connection to one node of the deployment's chain. ``connect`` is called again by ``renew``.

    Calls raise LedgerUnavailable.
    """

    def __init__(self, connect: Callable[[], Rpc], deployment: Deployment) -> None:
        """Raise WrongChain or DeploymentIncomplete where the two do not belong together."""
        missing = [name for name in CONTRACTS if name not in deployment.contracts]
        if missing:
            raise DeploymentIncomplete(f"The deployment has no {', '.join(missing)}.")
        self.deployment = deployment
        self._connect = connect
        self._rpc: Rpc | None = None
        self.scan = self.scan_of(deployment.places())
        self.check_chain()

    @property
    def places(self) -> list[Place]:
        """Every contract that this release knows, in one order: succeeded ones before their successors."""
        return [place for name in CONTRACTS for place in self.deployment.places(name)]

    def title(self, place: Place) -> str:
        return contract_title(place.name, place.generation, len(self.deployment.predecessors))

    def scan_of(self, places: Iterable[Place]) -> EventScan:
        """Return what reads the events of these contracts only, of none where none is given."""
        return EventScan(chain=self, contracts=places)

    def rpc(self) -> Rpc:
        if self._rpc is None:
            self._rpc = self._connect()
        return self._rpc

    def renew(self) -> None:
        """Forget the connection: the embedded chain comes back on another port."""
        if self._rpc is not None:
            self._rpc.close()
        self._rpc = None

    def check_chain(self) -> None:
        """Raise WrongChain unless the node serves the deployment's chain."""
        found, expected = int(self.ask("eth_chainId"), 16), self.deployment.chain_id
        if found != expected:
            raise WrongChain(f"This is chain {found}; the deployment is on {expected}.")
        first = self.ask("eth_getBlockByNumber", "0x0", False)
        if first is None or first["hash"] != self.deployment.genesis_hash:
            raise WrongChain("This chain has the right id and another first block.")

    def ask(self, method: str, *parameters: Any) -> Any:
        try:
            return self.rpc().call(method, *parameters)
        except RpcError as error:
            raise LedgerUnavailable(f"The node refused {method}: {error.message}.") from error

    def block(self, number: BlockNumber | None = None) -> Block:
        """Return a block, or the newest."""
        name = "latest" if number is None else hex(number)
        found = self.ask("eth_getBlockByNumber", name, False)
        if found is None:
            raise LedgerUnavailable(f"The node has no block {name if number is None else number}.")
        return parse_block(found)

    def require_unchanged(self, block: Block) -> None:
        """Raise ChainReorganised where another block has its number by now."""
        if self.block(block.number).hash != block.hash:
            raise ChainReorganised(f"Block {block.number} was replaced while it was read.")

    def words(self, place: Place, slots: Sequence[int], number: BlockNumber) -> dict[int, int]:
        """Return words of a contract's storage after a block. Raise BlockForgotten where it is too old."""
        found = {}
        for start in range(0, len(slots), _WORDS_A_REQUEST):
            some = slots[start : start + _WORDS_A_REQUEST]
            calls = [("eth_getStorageAt", [place.address, hex(slot), hex(number)]) for slot in some]
            for slot, answer in zip(some, self.rpc().batch(calls), strict=True):
                if not isinstance(answer, str):
                    raise BlockForgotten(f"The node does not show the storage after block {number}.")
                found[slot] = int(answer, 16)
        return found

    @property
    def first_block(self) -> BlockNumber:
        """The first block that can hold an event of the deployment."""
        made = [self.deployment.made(place) for place in self.deployment.places()]
        blocks = [item.block for item in made if item.block is not None]
        # AccessManager, and the Recovery of each registry of consents, are made by others.
        made_by_us = len(made) - 2 - len(self.deployment.predecessors)
        return BlockNumber(min(blocks) if len(blocks) == made_by_us else 0)

    def close(self) -> None:
        self.renew()


@contextmanager
def open_node(
    settings: Settings, *, url: str | None, deployment_file: Path | None, may_start: bool = True
) -> Iterator[Node]:
    """Open the node at ``url``, else the settings' network, else the embedded chain, running or stopped.

    ``may_start`` False: do not start a stopped one, which would keep the service from starting. Raise
    NoDeployment, NothingToWatch, DeploymentDamaged, WrongChain, DeploymentIncomplete or LedgerUnavailable.
    """
    path = deployment_file or settings.data_directory / "chain" / "deployment.json"
    deployment = read_deployment(path)
    if deployment is None:
        raise NoDeployment(str(path))
    address = url or settings.ledger_url
    if address is not None:
        with closing(Node(lambda: Rpc(address, timeout_seconds=_TIMEOUT_SECONDS), deployment)) as node:
            yield node
        return
    directory = DataDirectory(settings.data_directory)
    try:
        directory.open()
    except DataDirectoryInUse:
        with closing(Node(lambda: _running(directory.chain), deployment)) as node:
            yield node
        return
    if not may_start:
        directory.close()
        raise NothingToWatch(f"No service runs on {settings.data_directory}.")
    with closing(directory), closing(_embedded(directory.chain)) as chain:
        yield Node(chain.rpc, deployment)


def _embedded(directory: Path) -> EmbeddedChain:
    return EmbeddedChain(directory=directory, binary=find_anvil(REPOSITORY))


def _running(directory: Path) -> Rpc:
    """Connect to the anvil that a running service has, which says in its log where it listens."""
    try:
        found = _LISTENING.search((directory / "anvil.log").read_bytes())
    except OSError:
        found = None
    if found is None:
        raise LedgerUnavailable("The embedded chain of the running service is starting.")
    return Rpc(f"http://{found[1].decode()}", timeout_seconds=_TIMEOUT_SECONDS)
