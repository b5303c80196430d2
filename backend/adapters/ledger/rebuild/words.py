"""Places and values of storage (Solidity documentation, "Layout of State Variables in Storage")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from eth_utils.crypto import keccak


@dataclass(frozen=True, slots=True)
class Element:
    """A place in a dynamic array."""

    index: int


Step = bytes | int | Element  # key of a mapping (a word), offset in a struct, place in an array


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of storage and the way to it from a state variable. ``value`` 0: the word is empty."""

    variable: str
    path: tuple[Step, ...]
    value: int

    def slot(self, layout: Mapping[str, int]) -> int:
        """Return the word's number. ``layout``: variable to slot, as the compiler says."""
        return _place(layout[self.variable], self.path)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The mapping keys on the way: the ids that the word belongs to."""
        return tuple(step for step in self.path if isinstance(step, bytes))

    def __str__(self) -> str:
        parts = [self.variable]
        for step in self.path:
            match step:
                case bytes():
                    parts.append(f"[0x{step.hex()}]")
                case Element(index):
                    parts.append(f"[{index}]")
                case _:
                    parts.append(f"+{step}" if step else "")
        return "".join(parts)


@lru_cache(maxsize=65_536)
def _place(slot: int, path: tuple[Step, ...]) -> int:
    if not path:
        return slot
    before, step = _place(slot, path[:-1]), path[-1]
    match step:
        case bytes():
            return int.from_bytes(keccak(step + before.to_bytes(32)))
        case Element(index):
            return int.from_bytes(keccak(before.to_bytes(32))) + index
        case _:
            return before + step


def word(value: int | str) -> bytes:
    """Return a number or a hex account as a key of a mapping: 32 bytes, right-aligned."""
    return (int(value, 16) if isinstance(value, str) else value).to_bytes(32)


def pack(*fields: tuple[int, int]) -> int:
    """Return one word of (value, bits), from the low end up, as the compiler packs a struct."""
    packed, shift = 0, 0
    for value, bits in fields:
        packed |= int(value) << shift
        shift += bits
    return packed
