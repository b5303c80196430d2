"""The tree of a log elsewhere, computed from its tiles (C2SP tlog-tiles).

What the log serves is not trusted: whoever asks for hashes here compares the root they give with one that
was signed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from backend.audit import merkle
from backend.audit.errors import InvalidProof
from backend.audit.tile_paths import Tile
from backend.audit.tiles import TILE_WIDTH, rows_of

_HEIGHT: Final = TILE_WIDTH.bit_length() - 1
_KEPT_TILES: Final = 256


class RemoteTree:
    def __init__(self, fetch: Callable[[Tile], bytes], size: int) -> None:
        """``fetch`` returns a tile's bytes and raises what it likes when it cannot."""
        self._fetch = fetch
        self._size = size
        self._rows = lru_cache(maxsize=_KEPT_TILES)(self._fetch_rows)

    def subtree(self, first: int, end: int) -> bytes:
        """Return the root of the leaves first .. end-1, as RFC 6962 splits them. Raises InvalidProof."""
        count = end - first
        if count & (count - 1) == 0:
            return self._node(count.bit_length() - 1, first // count)
        middle = first + merkle.split(count)
        return merkle.node_hash(self.subtree(first, middle), self.subtree(middle, end))

    def prefix_proof(self, old_size: int) -> list[bytes]:
        """Return the consistency proof from a smaller size, its first node always written out."""
        path = merkle.consistency_path(old_size, self._size, self.subtree)
        if old_size & (old_size - 1) == 0:
            path.insert(0, self.subtree(0, old_size))
        return path

    def _node(self, height: int, index: int) -> bytes:
        level, inside = divmod(height, _HEIGHT)
        number, place = divmod(index << inside, TILE_WIDTH)
        place >>= inside
        row = self._rows(level, number)[inside]
        return row[place * merkle.HASH_BYTES : (place + 1) * merkle.HASH_BYTES]

    def _fetch_rows(self, level: int, number: int) -> list[bytes]:
        width = min(TILE_WIDTH, (self._size >> (_HEIGHT * level)) - number * TILE_WIDTH)
        content = self._fetch(Tile(level, number, width))
        if len(content) != width * merkle.HASH_BYTES:
            raise InvalidProof("a tile has another width than its name says")
        return rows_of(content)
