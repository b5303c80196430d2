"""Tells when the head of a node stands still, lags behind the others, or when a node does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.errors import LedgerUnavailable

SLACK_SECONDS: Final = 10  # beyond five periods: a validator that is missed costs a few
PERIODS: Final = 5
LAG_BLOCKS: Final = 10
PARTED: Final = "; the nodes stand on different blocks: see 'mend'"


@dataclass(frozen=True, slots=True)
class Health:
    """What one node says of itself. ``head`` None: it did not answer."""

    head: int | None
    hash: str = ""
    age_seconds: int = 0
    peers: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, in a word a program can test, and for whom."""

    node: str
    what: str  # "silent", "stalled" or "behind"
    detail: str


def health_of(rpc: Rpc, clock: Callable[[], float] = time.time) -> Health:
    """Ask a node; never raises."""
    try:
        head = rpc.call("eth_getBlockByNumber", "latest", False)
        peers = int(rpc.call("net_peerCount"), 16)
        age = max(0, int(clock()) - int(head["timestamp"], 16))
        return Health(int(head["number"], 16), str(head["hash"]), age, peers)
    except (LedgerUnavailable, RpcError, TypeError, KeyError, ValueError):
        return Health(None)


def findings(healths: Mapping[str, Health], *, period_seconds: int) -> list[Finding]:
    """Return what is wrong with nodes of one network."""
    limit = PERIODS * period_seconds + SLACK_SECONDS
    best = max((health.head for health in healths.values() if health.head is not None), default=0)
    parted = len({health.hash for health in healths.values() if health.head is not None}) > 1
    found = []
    for name, health in healths.items():
        if health.head is None:
            found.append(Finding(name, "silent", "it does not answer"))
        elif health.age_seconds > limit:
            detail = f"its newest block is {health.age_seconds} s old"
            found.append(Finding(name, "stalled", detail + (PARTED if parted else "")))
        elif best - health.head > LAG_BLOCKS:
            found.append(Finding(name, "behind", f"it is {best - health.head} blocks behind"))
    return found


class Watch:
    """Says what changed since it looked last: a line for each trouble that began or ended."""

    def __init__(self, nodes: Mapping[str, Rpc], *, period_seconds: int) -> None:
        self._nodes = nodes
        self._period_seconds = period_seconds
        self._known: dict[tuple[str, str], Finding] = {}

    def look(self) -> list[str]:
        healths = {name: health_of(rpc) for name, rpc in self._nodes.items()}
        now = {
            (each.node, each.what): each for each in findings(healths, period_seconds=self._period_seconds)
        }
        began = [
            f"{each.what.upper()}: {each.node}: {each.detail}"
            for key, each in now.items()
            if key not in self._known
        ]
        ended = [
            f"over: {each.node} is no longer {each.what}"
            for key, each in self._known.items()
            if key not in now
        ]
        self._known = now
        return began + ended
