"""What the service of the long run stands on, and each fault that is put to it.

A network of four validators and two plain nodes, three Kubo nodes, the service with its embedded index.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from backend.demo.service import Service
from backend.settings import Settings
from backend.stores import sending_accounts
from bench.machine import children
from bench.waiting import until
from scripts.kubo import run as kubo
from scripts.kubo.swarm import LocalSwarm, new_swarm
from scripts.testnet import links
from scripts.testnet.build import BINARY
from scripts.testnet.description import GAS_PRICE_WEI
from scripts.testnet.local import LocalNodes, fund, new_network
from scripts.testnet.mend import mend
from scripts.testnet.node import GethNode

STALENESS_SECONDS: Final = 10  # below how long the faults last: permits stop in most of them
_FUNDS_WEI: Final = 10**18
_STANDSTILL_SECONDS: Final = 4.0
_LIMITS: Final = ("sign_ins_per_minute", "challenges_per_minute", "drafts_per_minute", "rpc_calls_per_minute")
_MANY: Final = 1_000_000


class Stage:
    """``settings``: more of the service's, by their names."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self._shared = directory / "network"
        new_network(self._shared, more_apis=("admin",))  # links are cut with it
        self.nodes = LocalNodes(BINARY, self._shared)
        self.all = list(self.nodes.nodes.values())
        self.validators = [node for node in self.all if node.node.is_validator]
        self.service_node = next(node for node in self.all if not node.node.is_validator)
        self.swarm: LocalSwarm | None = None
        kubo_address = None
        if kubo.BINARY.is_file():
            described = new_swarm(kubo.BINARY, directory / "swarm")
            self.swarm = LocalSwarm(kubo.BINARY, directory / "swarm")
            kubo_address = ",".join(node.rpc for node in described)
        self.data = directory / "service" / "data"
        self.service = Service(
            self.data,
            storage="directory" if kubo_address is None else "kubo",
            kubo_address=kubo_address,
            settings={
                "storage": "directory" if kubo_address is None else "kubo",
                "ledger_url": self.service_node.node.rpc_url,
                "ledger_chain_id": self.nodes.network.chain_id,
                "ledger_finality_blocks": self.nodes.network.finality_blocks,
                "ledger_gas_price_wei": GAS_PRICE_WEI,
                "ledger_staleness_seconds": STALENESS_SECONDS,
                "pin_repair_seconds": 5,
                "access_token_minutes": 60,
                **dict.fromkeys(_LIMITS, _MANY),
                **settings,
            },
        )

    def start(self) -> None:
        """Also gives the service what gas costs."""
        self.data.parent.mkdir(parents=True)
        self.nodes.start()
        until(lambda: all(links.head(node) > 0 for node in self.all), "the network seals")
        accounts = list(sending_accounts(Settings(data_directory=self.data)).values())
        fund(self._shared, self.service_node.rpc, self.nodes.network, accounts, wei=_FUNDS_WEI)
        if self.swarm is not None:
            self.swarm.start()
        self.service.start()

    def stop(self) -> None:
        try:
            self.service.stop()
        finally:
            self.nodes.stop()
            if self.swarm is not None:
                self.swarm.stop()

    def heal(self) -> None:
        """Start what was killed, join what was cut, and wait until all follow one chain that grows."""
        self.nodes.start()
        if self.swarm is not None:
            self.swarm.start()
        links.join(self.all, self.all)
        until(lambda: links.are_linked(self.all), "all nodes are linked")
        before = links.head(self.service_node)
        time.sleep(_STANDSTILL_SECONDS)
        if links.head(self.service_node) == before:  # what an operator does, where they stand still
            validators = {node.name: node.rpc for node in self.validators}
            mend(validators, finality_blocks=self.nodes.network.finality_blocks)
        until(lambda: links.are_one(self.all), "all nodes follow one chain")
        until(lambda: links.head(self.service_node) > before, "the chain grows")


@dataclass(frozen=True, slots=True)
class Fault:
    """``strike`` breaks something, waits at its ``yield``, and mends what ``Stage.heal`` does not."""

    name: str
    strike: Callable[[Stage], Iterator[None]]
    seconds: float = 20

    def run(self, stage: Stage) -> None:
        with contextmanager(self.strike)(stage):
            time.sleep(self.seconds)
        stage.heal()


def _service_killed(stage: Stage) -> Iterator[None]:
    stage.service.kill()
    stage.service.start()
    yield


def _service_paused(stage: Stage) -> Iterator[None]:
    yield from _paused(stage.service.pid)


def _index_killed(stage: Stage) -> Iterator[None]:
    """The service starts it again by itself."""
    service = stage.service.pid
    if service is None:
        raise RuntimeError("the service does not run")
    (index,) = (pid for pid, name in children(service).items() if name.startswith("nx-27017"))
    os.kill(index, signal.SIGKILL)
    yield


def _validator_killed(stage: Stage) -> Iterator[None]:
    yield from _killed(stage.validators[:1])


def _two_validators_killed(stage: Stage) -> Iterator[None]:
    yield from _killed(stage.validators[1:3])


def _node_killed(stage: Stage) -> Iterator[None]:
    yield from _killed([stage.service_node])


def _node_paused(stage: Stage) -> Iterator[None]:
    yield from _paused(stage.service_node.pid)


def _node_cut_off(stage: Stage) -> Iterator[None]:
    yield from _cut(stage, [stage.service_node])


def _halves(stage: Stage) -> Iterator[None]:
    yield from _cut(stage, [*stage.validators[:2], stage.service_node])


def _kubo_killed(stage: Stage) -> Iterator[None]:
    yield from _kubo_nodes_killed(stage, 1)


def _two_kubo_killed(stage: Stage) -> Iterator[None]:
    """Of three, of which each record needs two: what is stored waits."""
    yield from _kubo_nodes_killed(stage, 2)


def _kubo_paused(stage: Stage) -> Iterator[None]:
    if stage.swarm is None:
        raise RuntimeError("there is no swarm")
    yield from _paused(list(stage.swarm.nodes.values())[-1].pid)


def _kubo_nodes_killed(stage: Stage, number: int) -> Iterator[None]:
    if stage.swarm is None:
        raise RuntimeError("there is no swarm")
    for node in list(stage.swarm.nodes.values())[:number]:
        if node.pid is not None:
            os.kill(node.pid, signal.SIGKILL)
        node.stop()  # which takes note of its end
    yield


def _killed(nodes: Sequence[GethNode]) -> Iterator[None]:
    for node in nodes:
        node.kill()
    yield


def _paused(pid: int | None) -> Iterator[None]:
    """It takes connections and answers nothing."""
    if pid is None:
        raise RuntimeError("what shall stand still does not run")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _cut(stage: Stage, one: Sequence[GethNode]) -> Iterator[None]:
    other = [node for node in stage.all if node not in one]
    links.cut(one, other)
    yield
    links.join(one, other)


_SERVICE_KILLED: Final = Fault("service killed", _service_killed, 1)
_OTHERS: Final = (
    Fault("two validators killed", _two_validators_killed, 15),
    Fault("index killed", _index_killed, 10),
    Fault("Kubo node killed", _kubo_killed),
    Fault("node of the service stands still", _node_paused),
    Fault("validator killed", _validator_killed),
    Fault("two Kubo nodes killed", _two_kubo_killed),
    Fault("network in halves", _halves),
    Fault("node of the service killed", _node_killed),
    Fault("Kubo node stands still", _kubo_paused),
    Fault("node of the service cut off", _node_cut_off),
    Fault("service stands still", _service_paused, 10),
)


def schedule(minutes: int, *, kubo: bool) -> list[Fault]:
    """A fault a minute, each kind in turn.

    The service is killed in the first and in the last minute: its memory is measured between.
    """
    others = [fault for fault in _OTHERS if kubo or "Kubo" not in fault.name]
    return [_SERVICE_KILLED, *islice(cycle(others), max(0, minutes - 2)), _SERVICE_KILLED][:minutes]
