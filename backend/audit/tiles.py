"""Node store of the log's tree in tiles of 256 hashes, as C2SP tlog-tiles lays them out.

Only every eighth row of the tree is kept (leaves, then roots of 256, of 65,536, ...): 32 MB for a million
leaves. Rows between are computed a tile at a time and kept in a bounded cache, so that a proof costs a few
look-ups. One thread appends; any thread may read sizes that were published before.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from backend.audit import merkle
from backend.audit.errors import InvalidProof

TILE_WIDTH = 256
_TILE_HEIGHT = 8
_HASH = merkle.HASH_BYTES
_DEFAULT_CACHED_TILES = 4_096  # 16 KiB each: 64 MiB at most, a million leaves


class TileTree:
    def __init__(self, *, cached_tiles: int = _DEFAULT_CACHED_TILES) -> None:
        self._rows: list[bytearray] = [bytearray()]
        self._compact = merkle.CompactRange()
        self._expand = lru_cache(maxsize=cached_tiles)(self._expand_tile)

    @property
    def size(self) -> int:
        """Number of leaves published to readers."""
        return self._compact.size

    def compact(self) -> merkle.CompactRange:
        """Return a copy to compute the root of leaves that are not committed yet."""
        return self._compact.copy()

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        leaves = list(leaf_hashes)
        compact = self._compact.copy()
        place = 0
        while place < len(leaves):
            # To the end of the tile. One that comes whole is hashed once, for the rows and the range.
            some = leaves[place : place + TILE_WIDTH - compact.size % TILE_WIDTH]
            place += len(some)
            self._rows[0] += b"".join(some)
            if len(some) == TILE_WIDTH:
                compact.append_subtree(self._close_tiles(compact.size // TILE_WIDTH), _TILE_HEIGHT)
                continue
            compact.extend(some)
            if compact.size % TILE_WIDTH == 0:
                self._close_tiles(compact.size // TILE_WIDTH - 1)
        self._compact = compact  # published last: whoever sees the size finds the rows

    def leaf(self, index: int) -> bytes:
        """Return the hash of leaf ``index``, which is below the size."""
        return bytes(self._rows[0][index * _HASH : (index + 1) * _HASH])

    def tile(self, level: int, number: int, *, width: int = TILE_WIDTH) -> bytes:
        """Return the packed hashes of a tile (C2SP tlog-tiles), ``width`` of them."""
        start = number * TILE_WIDTH * _HASH
        return bytes(self._rows[level][start : start + width * _HASH])

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first ``size`` leaves (default: of all)."""
        if size is None:
            return self._compact.root()
        if not 0 <= size <= self.size:
            raise InvalidProof("the size is outside the tree")
        return self._subtree(0, size) if size else merkle.EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Return the path of leaf ``index`` in the tree of the first ``size`` leaves."""
        self._check(size)
        return merkle.inclusion_path(index, size, self._subtree)

    def consistency_proof(self, old_size: int, size: int) -> list[bytes]:
        self._check(size)
        return merkle.consistency_path(old_size, size, self._subtree)

    def _check(self, size: int) -> None:
        if size > self.size:
            raise InvalidProof("the size is outside the tree")

    def _close_tiles(self, number: int, level: int = 0) -> bytes:
        """Put the root of a tile that became full on the row above, and so on upwards; return it."""
        row = rows_of(self.tile(level, number))[-1]
        root = merkle.node_hash(row[:_HASH], row[_HASH:])
        if level + 1 == len(self._rows):
            self._rows.append(bytearray())
        above = self._rows[level + 1]
        above += root
        count = len(above) // _HASH
        if count % TILE_WIDTH == 0:
            self._close_tiles(count // TILE_WIDTH - 1, level + 1)
        return root

    def _subtree(self, first: int, end: int) -> bytes:
        count = end - first
        if count & (count - 1) == 0:
            return self._node(count.bit_length() - 1, first // count)
        middle = first + merkle.split(count)
        return merkle.node_hash(self._subtree(first, middle), self._subtree(middle, end))

    def _node(self, height: int, index: int) -> bytes:
        """Return the root of the perfect subtree number ``index`` of 2**height leaves."""
        level, inside = divmod(height, _TILE_HEIGHT)
        if inside == 0:
            return bytes(self._rows[level][index * _HASH : (index + 1) * _HASH])
        number, place = divmod(index << inside, TILE_WIDTH)
        held = len(self._rows[level]) // _HASH - number * TILE_WIDTH
        row = self._expand(level, number, min(held, TILE_WIDTH))[inside]
        place >>= inside
        return row[place * _HASH : (place + 1) * _HASH]

    def _expand_tile(self, level: int, number: int, width: int) -> list[bytes]:
        return rows_of(self.tile(level, number, width=width))


def rows_of(hashes: bytes) -> list[bytes]:
    """Return the rows of a tile from the bottom up, packed; odd ends of a partial tile are left out."""
    rows = [hashes]
    for _ in range(_TILE_HEIGHT - 1):
        rows.append(merkle.row_above(rows[-1]))
    return rows
