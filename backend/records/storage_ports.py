"""The block store that records need: immutable blocks by CID, and pins that keep them.

The store is not trusted. Adapters: ``backend.adapters.storage``. One conformance suite runs on each of them
(``tests/integration/test_storage_conformance.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from backend.errors import IntegrityError, OperatorError, Unavailable
from backend.records.blocks import Block, Cid


class StorageUnavailable(Unavailable):
    """The block store did not answer, or failed while it did."""

    code = "storage_unavailable"
    remedy = "The block store is not reachable. Try again shortly; GET /health/ready tells more."


class StorageFull(StorageUnavailable):
    code = "storage_full"
    remedy = (
        "The disk of the block store is full. Nothing was stored. Try again when the operator has made room."
    )


class TooFewNodes(StorageUnavailable):
    """Fewer nodes answer than must have a blob pinned before it counts as stored."""

    code = "storage_nodes_missing"
    remedy = (
        "Too few nodes of the block store answer, so nothing was stored. What is stored can be read while "
        "one of them answers. Try again shortly; docs/storage.md tells operators more."
    )


class StorageBusy(StorageUnavailable):
    """Blocks are being written that nothing pins yet, so none can be told from one that nobody wants."""

    code = "storage_busy"
    remedy = "Try again shortly; an erasure goes on by itself."


class BlockMissing(IntegrityError):
    """A block that a manifest or pin names is not in the store."""

    code = "block_missing"
    remedy = (
        "Tell the operator: 'assent fsck' names the record; restore its blocks from another pin or a backup."
    )


class BlockCorrupt(IntegrityError):
    """The store holds other bytes than those the CID names, or a writer passed a wrong CID."""

    code = "block_corrupt"
    remedy = (
        "Tell the operator: 'assent fsck' names the record; restore its blocks from another pin or a backup."
    )


class StorageInUse(OperatorError):
    code = "storage_in_use"
    remedy = "Another process has this block directory open. Stop it, or use another data directory."


class NodeVersionRefused(OperatorError):
    code = "kubo_version"
    remedy = "Run a Kubo node of a version this program was tested with: 'python scripts/kubo/run.py build'."


class Pin(NamedTuple):
    """Keeps a root and its children through garbage collection."""

    root: Cid
    children: tuple[Cid, ...]


class Collected(NamedTuple):
    """What one garbage collection removed."""

    blocks: int
    size_bytes: int  # 0 where the store does not tell


class BlockStore(Protocol):
    """Every operation is durable when it returns and safe to repeat.

    All raise StorageUnavailable (StorageFull among them) when the store cannot answer. Blocks that no pin
    covers may go at any time, so a writer puts, then pins, and puts again when pinning raises BlockMissing.
    Calls from several threads are allowed.
    """

    def put_block(self, cid: Cid, data: bytes) -> None:
        """Keep one block. Raises BlockCorrupt unless we and the store find this CID for the bytes.

        Putting does not promise to repair: Kubo does not look again at a block that it believes to have.
        """

    def put_blocks(self, blocks: Iterable[Block]) -> None:
        """Keep blocks as they come, in constant memory, durable together. On an error some may be kept."""

    def get_block(self, cid: Cid) -> bytes:
        """Return the bytes that the CID names. Raises BlockMissing, or BlockCorrupt for other bytes."""

    def has(self, cid: Cid) -> bool:
        """Tell whether the block is here, without reading or checking it and without asking other nodes."""

    def pin(self, root: Cid, children: tuple[Cid, ...]) -> None:
        """Keep these blocks until ``unpin``. Raises BlockMissing when one of them is not here."""

    def pin_all(self, pins: Iterable[Pin]) -> None:
        """Pin several, made durable together. On an error some may be pinned."""

    def unpin(self, root: Cid) -> None:
        """Let go of a root and its children; what is not pinned does nothing."""

    def pins(self) -> Iterator[Cid]:
        """Iterate over the pinned roots, in no order."""

    def keeps(self, pin: Pin) -> bool:
        """Tell whether the root is pinned, and the pin covers each of these children."""

    def writing(self) -> AbstractContextManager[None]:
        """While it lasts, this process collects nothing: for putting blocks and then pinning them."""

    def collect_garbage(self) -> Collected:
        """Remove every block that no pin covers. Raises StorageBusy while this process writes some."""

    def check(self) -> None:
        """Raise StorageUnavailable or NodeVersionRefused unless the store can be used now."""

    def close(self) -> None:
        """Release files and connections. A closed store raises StorageUnavailable."""


class Replicas(Protocol):
    """A block store of several nodes, node by node. Each is to keep everything.

    All raise StorageUnavailable when the node does not answer.
    """

    needed: int  # nodes that must keep a blob

    def nodes(self) -> Sequence[str]:
        """Return the nodes' names."""

    def check_at(self, name: str) -> None:
        """Raise unless the node can be used now."""

    def answered(self, name: str) -> bool:
        """Tell whether the node did what it was asked last."""

    def altered_at(self, name: str) -> int:
        """Return how often, since the start, the node gave other bytes than a CID names."""

    def pins_at(self, name: str) -> set[Cid]:
        """Return the roots that the node pins."""

    def unpin_at(self, name: str, root: Cid) -> None:
        """Let go of a root on this node alone."""

    def damage_at(
        self, name: str, root: Cid, children: tuple[Cid, ...]
    ) -> Iterator[tuple[Cid, IntegrityError]]:
        """Read these blocks at the node, and iterate over those that are missing or altered."""

    def make_whole(self, name: str, root: Cid) -> int:
        """Bring the node what it lacks of a root, each block checked, and pin; return how many blocks.

        Raises BlockMissing or BlockCorrupt where no node has what the CID names.
        """
