"""Whole blobs in and out of a block store, every byte checked against what the manifest says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backend.records.blocks import BLOCK_BYTES, BlobAddress, Block, Splitter
from backend.records.envelope_errors import BlobMismatch
from backend.records.storage_ports import BlockStore, Pin


def store_blobs(store: BlockStore, blobs: Iterable[Iterable[bytes]]) -> tuple[BlobAddress, ...]:
    """Split, put and pin blobs, streaming; durable together on return. Safe to repeat.

    All segments of a record version go in one call: a disk then syncs once for all of them.
    """
    splitters: list[Splitter] = []

    def blocks() -> Iterator[Block]:
        for blob in blobs:
            splitters.append(Splitter(blob))
            yield from splitters[-1]

    with store.writing():
        store.put_blocks(blocks())
        store.pin_all([Pin(splitter.address.root, splitter.address.blocks) for splitter in splitters])
    return tuple(splitter.address for splitter in splitters)


def load_blob(store: BlockStore, address: BlobAddress) -> Iterator[bytes]:
    """Yield a blob block by block, each checked against its CID and for its length.

    The root is not fetched: the address says all that it holds, and was checked to say the same when its
    manifest was read. ``fsck`` looks at roots. Raises BlockMissing, BlockCorrupt, NotCanonical, BlobMismatch,
    StorageUnavailable.
    """
    left = address.size_bytes
    for cid in address.blocks:
        data = store.get_block(cid)
        if len(data) != min(left, BLOCK_BYTES):
            raise BlobMismatch
        left -= len(data)
        yield data
    if left:
        raise BlobMismatch
