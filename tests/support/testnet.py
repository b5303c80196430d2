"""A network of four validators and two plain nodes for tests, and the faults that it is put through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from backend.adapters.ledger.network import NetworkChain
from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable
from scripts.testnet import links
from scripts.testnet.build import BINARY, BUILD_COMMAND
from scripts.testnet.description import GAS_PRICE_WEI
from scripts.testnet.links import block, head, peers
from scripts.testnet.local import LocalNodes, fund, gas_price, new_network
from scripts.testnet.mend import mend
from scripts.testnet.node import GethNode
from tests.support.components import require

PATIENCE_SECONDS = 90.0  # a node that lost a peer dials it again after 35 seconds
STALENESS_SECONDS = 20
STANDSTILL_SECONDS = 4


def require_geth() -> None:
    """Skip where geth was not built; fail in CI, where it has to be."""
    require(BINARY.is_file(), "no geth on this machine", BUILD_COMMAND)


def until(holds: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Poll until it holds; a node that does not answer is one of which it does not hold."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except (LedgerUnavailable, RpcError):
            pass
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


class Testnet:
    """``service_node``: the plain node that services ask."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # What a network of others does not offer: the tests cut links and take blocks back with it.
        new_network(folder, more_apis=("admin", "miner"))
        self.local = LocalNodes(BINARY, folder)
        self.network = self.local.network
        self.nodes = self.local.nodes
        self.validators = [self.nodes[node.name] for node in self.network.validators]
        self.plain = [node for node in self.nodes.values() if not node.node.is_validator]
        self.service_node = self.plain[0]

    def start(self) -> None:
        self.local.start()
        self.await_blocks(1)

    def stop(self) -> None:
        self.local.stop()

    def chain(self, url: str | None = None, **settings: Any) -> NetworkChain:
        """Connect to the service's node, or to what stands before it."""
        return NetworkChain(
            url or self.service_node.node.rpc_url,
            **{
                "expected_chain_id": self.network.chain_id,
                "finality_depth": self.network.finality_blocks,
                "gas_price": GAS_PRICE_WEI,
                "staleness_seconds": STALENESS_SECONDS,
                **settings,
            },
        )

    def settings(self, url: str, second_url: str | None = None) -> dict[str, Any]:
        """Settings of a service on this network that asks this node, or these two."""
        second = {} if second_url is None else {"ledger_second_url": second_url}
        return {
            **second,
            "ledger_url": url,
            "ledger_chain_id": self.network.chain_id,
            "ledger_finality_blocks": self.network.finality_blocks,
            "ledger_gas_price_wei": GAS_PRICE_WEI,
            "ledger_staleness_seconds": STALENESS_SECONDS,
        }

    def gas_price(self) -> int:
        return gas_price(self.service_node.rpc)

    def fund(self, accounts: Iterable[str]) -> None:
        fund(self.folder, self.service_node.rpc, self.network, list(accounts), wei=10**18)

    def await_blocks(self, number: int, *, on: GethNode | None = None) -> int:
        """Wait until a node has so many blocks more; return its head."""
        node = on or self.service_node
        wanted = head(node) + number
        until(lambda: head(node) >= wanted, f"{node.name} has block {wanted}")
        return head(node)

    def await_halt(self, validators: Sequence[GethNode]) -> float:
        """Wait until these, too few to go on, have sealed what they may; return when the last block came.

        On the clock of ``time.monotonic``. A transaction sent before is taken into one of those blocks.
        """
        heads, since = [head(node) for node in validators], time.monotonic()
        deadline = since + PATIENCE_SECONDS
        while time.monotonic() < since + STANDSTILL_SECONDS:
            time.sleep(0.1)
            if (now := [head(node) for node in validators]) != heads:
                heads, since = now, time.monotonic()
            assert since < deadline, "they go on sealing"
        return since

    def heal(self) -> None:
        """Start what was killed, join what was cut, and wait until all follow one chain that grows."""
        self.local.start()
        self.seal()
        self.join(list(self.nodes.values()), list(self.nodes.values()))
        until(lambda: links.are_linked(self.nodes.values()), "all are linked")
        before = head(self.service_node)

        def grows() -> bool:
            self.mend()
            self.seal()  # one that was refused a turn waits for a head that may never come
            return links.are_one(self.nodes.values()) and head(self.service_node) > before

        until(grows, "all nodes follow one chain that grows")

    def mend(self) -> list[str]:
        """What an operator does where the validators stand still on two branches."""
        before = head(self.service_node)
        time.sleep(STANDSTILL_SECONDS)
        if head(self.service_node) > before:
            return []
        validators = {node.name: node.rpc for node in self.validators}
        return mend(validators, finality_blocks=self.network.finality_blocks)

    def cut(self, one: Sequence[GethNode], other: Sequence[GethNode]) -> None:
        """Take every link between two groups away, and wait until it is gone."""
        links.cut(one, other)
        for node, apart in ((one[0], other), (other[0], one)):
            names = {each.node.public_key for each in apart}
            until(lambda node=node, names=names: not names & peers(node), "the links are cut")  # type: ignore[misc]

    def join(self, one: Sequence[GethNode], other: Sequence[GethNode]) -> None:
        """Let the nodes of two groups dial each other again; it may take them half a minute."""
        links.join(one, other)

    def seal(self) -> None:
        for node in self.validators:
            node.ask("miner_start")

    def stop_sealing(self) -> int:
        """Return the head, once all nodes have the same and it stays."""
        for node in self.validators:
            node.ask("miner_stop")
        time.sleep(1.5)  # a block that is on its way
        until(lambda: len({block(node, head(node)) for node in self.nodes.values()}) == 1, "sealing stopped")
        return head(self.service_node)

    def seal_exactly(self, blocks: int) -> None:
        """Have so many blocks sealed, after ``stop_sealing``, each by a validator that runs alone: nobody may
        seal two in a row."""
        for _ in range(blocks):
            wanted = head(self.service_node) + 1
            recent = self.validators[0].ask("clique_getSnapshot")["recents"]
            sealed = {account.lower(): int(number) for number, account in recent.items()}
            node = min(self.validators, key=lambda node: sealed.get(str(node.node.account).lower(), 0))
            node.ask("miner_start")
            until(lambda: {head(each) for each in self.nodes.values()} == {wanted}, "a block is sealed")  # noqa: B023
            node.ask("miner_stop")

    def replace_blocks(self, depth: int, *, forget: bool = False) -> int:
        """Have the validators replace the newest ``depth`` blocks by others, after ``stop_sealing``.

        Return the number of the last block that both branches share. The plain nodes are killed meanwhile,
        so that they hold to the old branch until they come back, and then send its transactions again; with
        ``forget`` they come back as new ones, and its transactions are lost.
        """
        top = head(self.service_node)
        for node in self.plain:
            node.kill()
        for node in self.validators:
            node.ask("debug_setHead", hex(top - depth))
        self.seal()
        until(lambda: max(map(head, self.validators)) > top + 1, "the other branch is the longer one")
        for node in self.plain:
            if forget:
                node.forget()
            node.launch()
        for node in self.plain:
            node.await_ready()
        return top - depth
