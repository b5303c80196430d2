"""Checks a block store of several nodes node by node: pins and blocks, mended from the others where asked."""

from __future__ import annotations

from collections.abc import Iterator

from backend.adapters.storage.swarm import SwarmBlockStore
from backend.errors import AssentError, IntegrityError, Unavailable
from backend.maintenance.report import Report
from backend.records.blocks import BlobAddress, Cid
from backend.stores import Stores


def check_nodes(stores: Stores, report: Report, *, repair: bool) -> list[NodeCheck]:
    """Return a check for each node of the block store that answers; none where it is one store."""
    swarm, checks = stores.blocks, list[NodeCheck]()
    if not isinstance(swarm, SwarmBlockStore):
        return checks
    for name in swarm.nodes():
        try:
            checks.append(NodeCheck(swarm, name, report, repair=repair))
        except AssentError as failure:
            report.damaged("node_away", f"node {name}: {failure.code}")
    return checks


class NodeCheck:
    """One node. Raises Unavailable errors when it is opened; afterwards it is told once, and left alone."""

    def __init__(self, swarm: SwarmBlockStore, name: str, report: Report, *, repair: bool) -> None:
        self._swarm = swarm
        self._name = name
        self._report = report
        self._repair = repair
        self._pins: set[Cid] | None = swarm.pins_at(name)

    def check(self, address: BlobAddress, where: str) -> None:
        """Look at one blob."""
        if self._pins is None:
            return
        try:
            lacking = list(self._lacking(address, self._pins))
            if lacking and self._repair:
                self._report.counts["blocks brought to nodes"] += self._swarm.make_whole(
                    self._name, address.root
                )
                return
        except IntegrityError:
            pass  # no node has it whole: what lacks here stands
        except Unavailable as failure:
            self._pins = None
            self._report.damaged("node_away", f"node {self._name}: {failure.code}")
            return
        for code, what in lacking:
            self._report.damaged(code, f"{where} {what} at node {self._name}")

    def _lacking(self, address: BlobAddress, pins: set[Cid]) -> Iterator[tuple[str, str]]:
        if address.root not in pins:
            yield "node_pin_missing", f"root {address.root}"
        for cid, damage in self._swarm.damage_at(self._name, address.root, address.blocks):
            yield f"node_{damage.code}", f"block {cid}"
