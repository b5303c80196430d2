"""What nodes of a network have in common, and their links taken away and made again, as a failing line does.

For networks made to be broken: it asks the nodes' ``admin`` API, which one of several organisations does not
offer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from scripts.testnet.node import GethNode


def head(node: GethNode) -> int:
    return int(node.ask("eth_blockNumber"), 16)


def block(node: GethNode, number: int) -> str | None:
    """The hash of a block, None where the node does not have it."""
    found = node.ask("eth_getBlockByNumber", hex(number), False)
    return None if found is None else str(found["hash"])


def peers(node: GethNode) -> set[str]:
    """The public keys of the nodes it is connected to."""
    return {each["enode"].split("//")[1].split("@")[0] for each in node.ask("admin_peers")}


def are_linked(nodes: Collection[GethNode]) -> bool:
    return all(len(peers(node)) == len(nodes) - 1 for node in nodes)


def are_one(nodes: Collection[GethNode]) -> bool:
    """Whether all follow one chain."""
    # A branch that stands still has a block of its own at the end of it.
    number = min(map(head, nodes))
    return len({block(node, number) for node in nodes}) == 1


def cut(one: Sequence[GethNode], other: Sequence[GethNode]) -> None:
    """Take every link between two groups away; it may take a moment until each is gone."""
    _link(one, other, "remove")


def join(one: Sequence[GethNode], other: Sequence[GethNode]) -> None:
    """Let the nodes of two groups dial each other again; it may take them half a minute."""
    _link(one, other, "add")


def _link(one: Sequence[GethNode], other: Sequence[GethNode], verb: str) -> None:
    for left in one:
        for right in other:
            if left is not right:
                for node, peer in ((left, right), (right, left)):
                    node.ask(f"admin_{verb}TrustedPeer", peer.node.enode)
                    node.ask(f"admin_{verb}Peer", peer.node.enode)
