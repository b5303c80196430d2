"""The log as static resources (C2SP tlog-tiles): tiles of hashes, and bundles of the leaves below them.

A leaf is a commitment and tells nothing about a person, so that anybody may follow the log.
"""

from __future__ import annotations

from backend.audit.errors import UnknownTile
from backend.audit.reader import LogReader
from backend.audit.tile_paths import Tile
from backend.audit.tiles import TILE_WIDTH

_BITS_A_LEVEL = TILE_WIDTH.bit_length() - 1


class LogFiles:
    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    def read(self, tile: Tile) -> bytes:
        """Return a tile, or a bundle: each leaf behind its length, 2 bytes big-endian.

        What is returned never changes. Raises UnknownTile for what the log has not got yet, EntryDamaged,
        AuditUnavailable.
        """
        state = self._reader.log.state
        count = state.size >> (_BITS_A_LEVEL * (tile.level or 0))
        first = tile.number * TILE_WIDTH
        if first + tile.width > count:
            raise UnknownTile
        if tile.level is not None:
            return state.tree.tile(tile.level, tile.number, width=tile.width)
        entries = self._reader.entries(range(first, first + tile.width))
        return b"".join(len(entry.leaf).to_bytes(2, "big") + entry.leaf for entry in entries)
