"""The leaf: what the Merkle tree commits to. It tells nothing about a person without the audit key.

Deterministic CBOR of the map {"c": commitment, "h": previous leaf hash, "p": pseudonym, "s": sequence number,
"t": recorded at, "v": 1}. Pseudonyms are per patient and key epoch; ``s`` and ``h`` chain the entries of one
pseudonym, so that a left-out one shows as a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from backend.audit.merkle import leaf_hash

VERSION = 1
FIRST_PREVIOUS = bytes(32)  # "previous leaf hash" of the first entry of a chain
_HEAD = b"\xa6\x61c\x58\x20"
_PREVIOUS = b"\x61h\x58\x20"
_PSEUDONYM = b"\x61p\x58\x20"
_SEQUENCE = b"\x61s"
_TIME = b"\x61t"
_TAIL = b"\x61v\x01"


@dataclass(frozen=True, slots=True)
class Leaf:
    pseudonym: bytes  # 32 bytes
    sequence: int  # from 0, without a gap, for this pseudonym
    previous: bytes  # 32 bytes: leaf hash of the entry before it in this chain
    recorded_at_ms: int  # unix milliseconds, never decreasing along the log
    commitment: bytes  # 32 bytes

    def encode(self) -> bytes:
        return b"".join(
            (
                _HEAD,
                self.commitment,
                _PREVIOUS,
                self.previous,
                _PSEUDONYM,
                self.pseudonym,
                _SEQUENCE,
                _unsigned(self.sequence),
                _TIME,
                _unsigned(self.recorded_at_ms),
                _TAIL,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Leaf:
        """Read a leaf; raise ValueError unless ``data`` is exactly what ``encode`` gives."""
        sequence, after = _read_unsigned(data, 111)
        time, _ = _read_unsigned(data, after + len(_TIME))
        leaf = cls(
            pseudonym=data[77:109],
            sequence=sequence,
            previous=data[41:73],
            recorded_at_ms=time,
            commitment=data[5:37],
        )
        if leaf.encode() != data:
            raise ValueError("not a leaf")
        return leaf


def tail_of(recorded_at_ms: int) -> bytes:
    """Return how every leaf ends that was recorded at this time: all those of one bundle."""
    return _TIME + _unsigned(recorded_at_ms) + _TAIL


def continues(data: bytes, *, sequence: int, previous: bytes, tail: bytes) -> bool:
    """Tell whether ``data`` is a leaf with this place in its chain and this end, without reading it.

    For start-up, which asks this of every entry there is: a third of what ``Leaf.decode`` takes.
    """
    return (
        data[37:77] == _PREVIOUS + previous + _PSEUDONYM
        and data[109:] == _numbered(sequence) + tail
        and data.startswith(_HEAD)
    )


def pseudonym_in(data: bytes) -> bytes:
    """Return where a leaf has its pseudonym, of whatever ``data`` is."""
    return data[77:109]


def hash_of(leaf: Leaf) -> bytes:
    return leaf_hash(leaf.encode())


def _unsigned(value: int) -> bytes:
    """Encode an unsigned integer (CBOR major type 0) in its shortest form."""
    if value < 24:
        return value.to_bytes(1, "big")
    for head, width in ((b"\x18", 1), (b"\x19", 2), (b"\x1a", 4), (b"\x1b", 8)):
        if value < 1 << (8 * width):
            return head + value.to_bytes(width, "big")
    raise ValueError("the number is too large")


@lru_cache(maxsize=4096)
def _numbered(sequence: int) -> bytes:
    return _SEQUENCE + _unsigned(sequence)


def _read_unsigned(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at ``at`` and the place after it; longer forms are caught by encoding again."""
    head = data[at] if at < len(data) else 0xFF
    if head < 24:
        return head, at + 1
    if not 0x18 <= head <= 0x1B:
        raise ValueError("not a leaf")
    end = at + 1 + (1 << (head - 0x18))
    return int.from_bytes(data[at + 1 : end], "big"), end
