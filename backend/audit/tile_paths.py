"""Paths of tiles (C2SP tlog-tiles): ``tile/<L>/<N>[.p/<W>]`` and ``tile/entries/<N>[.p/<W>]``.

``<N>`` is written in path elements of three digits, all but the last led by ``x``: 1234067 is x001/x234/067.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from backend.audit.errors import UnknownTile
from backend.audit.tiles import TILE_WIDTH

ENTRIES: Final = "entries"
_MAX_LEVEL: Final = 63
_NUMBER: Final = re.compile(r"((?:x\d{3}/){0,5}\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)
_LEVEL: Final = re.compile(r"0|[1-9]\d?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tile:
    """``level`` is None for a bundle of entries, which are as wide as the tile of level 0 of their number."""

    level: int | None
    number: int
    width: int = TILE_WIDTH  # hashes, or entries

    def path(self) -> str:
        level = ENTRIES if self.level is None else str(self.level)
        number, digits = self.number, f"{self.number % 1_000:03d}"
        while number := number // 1_000:
            digits = f"x{number % 1_000:03d}/{digits}"
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{digits}{partial}"


def read(level: str, number: str) -> Tile:
    """Read the two halves of a path. Raises UnknownTile unless it is the one way to write it."""
    found = _NUMBER.fullmatch(number)
    if found is None or not (level == ENTRIES or (_LEVEL.fullmatch(level) and int(level) <= _MAX_LEVEL)):
        raise UnknownTile
    digits, width = found.groups()
    tile = Tile(
        level=None if level == ENTRIES else int(level),
        number=int(digits.replace("/", "").replace("x", "")),
        width=TILE_WIDTH if width is None else int(width),
    )
    if tile.path() != f"tile/{level}/{number}":
        raise UnknownTile
    return tile


def tiles_of(size: int) -> list[Tile]:
    """Return every tile of a tree of this size, and every bundle of entries."""
    tiles, level, count = list[Tile](), 0, size
    while count:
        full, rest = divmod(count, TILE_WIDTH)
        widths = [TILE_WIDTH] * full + ([rest] if rest else [])
        tiles += [Tile(level, number, width) for number, width in enumerate(widths)]
        if level == 0:
            tiles += [Tile(None, number, width) for number, width in enumerate(widths)]
        level, count = level + 1, full
    return tiles
