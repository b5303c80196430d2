"""The block store that records need: immutable blocks by CID, and pins that keep them.

The store is not trusted. Adapters: ``backend.adapters.storage``. One conformance suite runs on each of them
(``tests/integration/test_storage_conformance.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
