"""Opens the block store that the settings name: a directory, a Kubo node, or several of them."""

from __future__ import annotations

from backend.adapters.data_directory import MIN_FREE_BYTES, DataDirectory
from backend.adapters.storage.directory import DirectoryBlockStore
from backend.adapters.storage.kubo import KuboBlockStore
from backend.adapters.storage.swarm import SwarmBlockStore
from backend.records.storage_ports import BlockStore
from backend.settings import Settings


def open_blocks(settings: Settings, directory: DataDirectory) -> BlockStore:
    """Raises StorageUnavailable, StorageInUse, NodeVersionRefused."""
    if settings.storage == "directory":
        return _checked(DirectoryBlockStore(directory.blocks, reserve_bytes=MIN_FREE_BYTES))
    if len(settings.kubo_addresses) == 1:
        return _checked(KuboBlockStore(settings.kubo_addresses[0]))
    swarm = open_swarm(settings)
    try:
        swarm.require_usable()
    except BaseException:
        swarm.close()
        raise
    return swarm


def open_swarm(settings: Settings, *, timeout_seconds: float = 30.0) -> SwarmBlockStore:
    return SwarmBlockStore(
        {
            address: KuboBlockStore(address, timeout_seconds=timeout_seconds)
            for address in settings.kubo_addresses
        },
        needed=settings.kubo_pins_needed,
    )


def _checked(store: BlockStore) -> BlockStore:
    try:
        store.check()
    except BaseException:
        store.close()
        raise
    return store
