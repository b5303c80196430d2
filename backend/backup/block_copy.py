"""Carries blocks between a block store and a backup: those that are missing, for a block never changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from backend.backup.errors import BackupDamaged
from backend.backup.shelf import Shelf
from backend.errors import IntegrityError
from backend.records.blocks import Block, Cid, links
from backend.records.envelope_errors import NotCanonical
from backend.records.storage_ports import BlockMissing, BlockStore


def copy_out(
    store: BlockStore, shelf: Shelf, roots: Iterable[Cid], go_on: Callable[[], None] = lambda: None
) -> list[Cid]:
    """Copy what these roots keep; return the roots that could not be copied whole (``fsck`` names them too).

    ``go_on`` is asked before each block; what it raises ends the copy.

    A root is written when its children are durable, so one that is in the backup has all of them there.
    """
    damaged = []
    for root in roots:
        if shelf.has_block(root):
            continue
        try:
            encoded = store.get_block(root)
            shelf.put_blocks(_missing(store, shelf, links(encoded), go_on))
            shelf.put_blocks([Block(root, encoded)])
        except BlockMissing:
            # A pin that was let go of while the copy was made: erased, or collected.
            damaged.append(root)
        except IntegrityError:
            damaged.append(root)
    return damaged


def _missing(
    store: BlockStore, shelf: Shelf, children: Iterable[Cid], go_on: Callable[[], None]
) -> Iterator[Block]:
    for cid in children:
        go_on()
        if not shelf.has_block(cid):
            yield Block(cid, store.get_block(cid))


def copy_in(shelf: Shelf, store: BlockStore, root: Cid) -> None:
    """Put a root and its children into a store and pin them. Raises BackupDamaged."""
    encoded = shelf.block(root)
    children = children_of(root, encoded)
    store.put_blocks(_all(shelf, root, encoded, children))
    store.pin(root, children)


def check(shelf: Shelf, root: Cid) -> int:
    """Read a root and its children; return how many blocks they are. Raises BackupDamaged."""
    children = children_of(root, shelf.block(root))
    for cid in children:
        shelf.block(cid)
    return 1 + len(children)


def children_of(root: Cid, encoded: bytes) -> tuple[Cid, ...]:
    try:
        return links(encoded)
    except NotCanonical as error:
        raise BackupDamaged(f"block {root} is no root of ours") from error


def _all(shelf: Shelf, root: Cid, encoded: bytes, children: tuple[Cid, ...]) -> Iterator[Block]:
    for cid in children:
        yield Block(cid, shelf.block(cid))
    yield Block(root, encoded)
