"""The final blocks that permission rested on, kept over a restart: only they tell that one was replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.adapters.durable import write_file
from backend.adapters.ledger.chain import parse_bytes32
from backend.adapters.ledger.errors import FinalBlocksDamaged
from backend.types import BlockNumber, Bytes32

_FORMAT: Final = 1
_NEWEST: Final = 64  # all of these are kept, and of older ones one of each stretch
_STRETCH: Final = 256
_OLDEST: Final = 64 * _STRETCH


def final_blocks_file(directory: Path) -> Path:
    """Where a service keeps them, in its directory of the chain."""
    return directory / "final-blocks.json"


@dataclass(frozen=True, slots=True)
class Replaced:
    """Blocks that were final and are gone, ``first`` to ``last``; ``first`` may be earlier than the truth, as
    not every block is kept. ``was`` and ``now``: hashes of the last; ``nodes``: which ones show it.
    """

    first: BlockNumber
    last: BlockNumber
    was: Bytes32
    now: Bytes32
    nodes: tuple[str, ...]


class FinalBlocks:
    """A file of a few kilobytes, or memory alone. Not safe for threads: one view is taken at a time.

    Where the file is lost, what was replaced before goes unnoticed; permission rests on what is final now all
    the same.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Raise FinalBlocksDamaged."""
        self._path = path
        self._hashes: dict[BlockNumber, Bytes32] = {} if path is None else _read(path)

    @property
    def hashes(self) -> Mapping[BlockNumber, Bytes32]:
        """By number, oldest first."""
        return self._hashes

    def keep(self, number: BlockNumber, block_hash: Bytes32) -> None:
        """Remember a block; on the disk when this returns."""
        if number in self._hashes:
            return
        kept = {**self._hashes, number: block_hash}
        newest = sorted(kept)[-_NEWEST:]
        # The first of each stretch, so that which ones are kept does not change with each block.
        firsts = {each // _STRETCH: each for each in sorted(kept, reverse=True)}
        older = [each for each in firsts.values() if newest[-1] - _OLDEST <= each < newest[0]]
        kept = {each: kept[each] for each in sorted([*older, *newest])}
        self._put(kept)

    def forget_from(self, first: BlockNumber) -> None:
        """Forget this block and all after it."""
        self._put({number: each for number, each in self._hashes.items() if number < first})

    def _put(self, kept: dict[BlockNumber, Bytes32]) -> None:
        if self._path is not None:
            _write(self._path, kept)
        self._hashes = kept


def _read(path: Path) -> dict[BlockNumber, Bytes32]:
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != _FORMAT:
            raise FinalBlocksDamaged("The file of final blocks has another format.")
        return {BlockNumber(int(number)): parse_bytes32(text) for number, text in found["blocks"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FinalBlocksDamaged("The file of final blocks is not readable.") from error


def _write(path: Path, hashes: Mapping[BlockNumber, Bytes32]) -> None:
    blocks = {str(number): "0x" + block_hash.hex() for number, block_hash in hashes.items()}
    write_file(path, json.dumps({"format": _FORMAT, "blocks": blocks}).encode())
