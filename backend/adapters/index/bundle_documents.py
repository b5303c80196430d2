"""How a bundle of the audit log is written as a document, and read back.

Format 1 is one commit, with the name of the document that holds its encrypted records. Format 2 was merged of
several: it says of each how many entries it has and where its encrypted records are, for they stay where they
were written. What a filter compares is text or a number: nx-27017 finds no document by a
binary value.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

import cbor2

from backend.audit.errors import LogDamaged
from backend.audit.merkle import HASH_BYTES
from backend.audit.types import MAX_BUNDLE_ENTRIES, Bundle, Part
from backend.types import LogIndex

Document = dict[str, Any]
Records = Mapping[str, bytes]  # encrypted records of commits, packed, by their names
_COMMIT: Final = 1
_MERGED: Final = 2


def key_of(number: int) -> str:
    """Write a number so that text order is its order: nx-27017 sorts ``_id`` as text."""
    return f"{number:015d}"


def new_records_name(bundle: Bundle) -> str:
    """Name the records of a commit; a fenced writer's are never another's."""
    return f"{key_of(bundle.first)}/{secrets.token_hex(4)}"


def document_of(bundle: Bundle) -> Document:
    """Return the document of a bundle with its parts."""
    # Packed into one binary value each: a server that stores a document as a tree pays for every element.
    document: Document = {
        "_id": key_of(bundle.first),
        "v": _COMMIT,
        "token": bundle.token,
        "leaves": cbor2.dumps(bundle.leaves),
        "bodies": bundle.parts[0].records,
        "hashes": b"".join(bundle.hashes),
        "acts": cbor2.dumps(bundle.acts) if any(bundle.acts) else b"",
        "root": bundle.root,
    }
    if len(bundle.parts) == 1:
        return document
    parts = cbor2.dumps([[part.entries, part.records] for part in bundle.parts])
    return {**document, "v": _MERGED, "entries": len(bundle.leaves), "bodies": parts}


def is_as_stored(bundle: Bundle) -> Document:
    """Return the filter that finds the document of exactly this bundle: what a merge compares and swaps.

    A merge only ever adds entries, so that where it begins, its lease and their number say which it is.
    """
    document: Document = {"_id": key_of(bundle.first), "token": bundle.token, "v": _COMMIT}
    if len(bundle.parts) == 1:
        return document
    return {**document, "v": _MERGED, "entries": len(bundle.leaves)}


def bundle_of(document: Document, *, hashed: bool = True) -> Bundle:
    """Read a bundle without its encrypted records; unless ``hashed`` without its hashes too.

    Raises LogDamaged, naming it, when it is not one.
    """
    try:
        leaves = _byte_strings(document["leaves"])
        acts = _byte_strings(document["acts"]) if document["acts"] else (b"",) * len(leaves)
        hashes = _cut(document["hashes"], HASH_BYTES) if hashed else ()
        parts = _parts(document, len(leaves))
        lengths = {len(leaves), len(acts), sum(part.entries for part in parts)}
        if document.get("v") == _MERGED:
            lengths.add(document["entries"])
        if hashed:
            lengths.add(len(hashes))
        if len(lengths) != 1 or len(leaves) > MAX_BUNDLE_ENTRIES:
            raise ValueError("unequal lengths")
        return Bundle(
            first=LogIndex(int(document["_id"], 10)),
            token=int(document["token"]),
            leaves=leaves,
            bodies=(),
            hashes=hashes,
            acts=acts,
            root=bytes(document["root"]),
            parts=parts,
        )
    except (KeyError, ValueError, TypeError, cbor2.CBORDecodeError) as error:
        raise _unreadable(document["_id"]) from error


def with_records(bundle: Bundle, records: Records) -> Bundle:
    """Return the bundle whole. Raises LogDamaged, naming it, where its encrypted records are not there."""
    bodies = tuple(body for part in bundle.parts for body in records_of(part, records, key_of(bundle.first)))
    return replace(bundle, bodies=bodies)


def records_of(part: Part, records: Records, bundle: str) -> tuple[bytes, ...]:
    """Return the encrypted records of one commit. Raises LogDamaged, naming the bundle."""
    try:
        found = _byte_strings(records[part.records])
    except (KeyError, ValueError, TypeError, cbor2.CBORDecodeError) as error:
        raise _unreadable(bundle) from error
    if len(found) != part.entries:
        raise _unreadable(bundle)
    return found


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A bundle of which single entries are wanted: only leaves and parts are decoded."""

    name: str
    first: int
    leaves: Sequence[bytes]
    parts: Sequence[Part]
    starts: Sequence[int]  # of each part, counted from the bundle's first entry

    @classmethod
    def read(cls, document: Document) -> OpenDocument:
        """Raises LogDamaged, naming the bundle."""
        try:
            leaves = _byte_strings(document["leaves"])
            parts = _parts(document, len(leaves))
            starts = list(accumulate((part.entries for part in parts), initial=0))
            if starts[-1] != len(leaves):
                raise ValueError("unequal lengths")
            return cls(document["_id"], int(document["_id"], 10), leaves, parts, starts)
        except (KeyError, ValueError, TypeError, cbor2.CBORDecodeError) as error:
            raise _unreadable(document["_id"]) from error

    def holds(self, index: int) -> bool:
        return self.first <= index < self.first + len(self.leaves)

    def leaf(self, index: int) -> bytes:
        return self.leaves[index - self.first]

    def part(self, index: int) -> tuple[Part, int]:
        """Return the commit that an entry was in, and its place there."""
        offset = index - self.first
        number = bisect_right(self.starts, offset) - 1
        return self.parts[number], offset - self.starts[number]


def _unreadable(name: Any) -> LogDamaged:
    return LogDamaged(f"the bundle at {name} cannot be read")


def _parts(document: Document, entries: int) -> tuple[Part, ...]:
    named = document["bodies"]
    if isinstance(named, str):
        return (Part(entries, named),)
    parts: list[Part] = []
    for number, name in cbor2.loads(named):
        if not (isinstance(number, int) and number > 0 and isinstance(name, str)):
            raise ValueError("not a part")
        parts.append(Part(number, name))
    return tuple(parts)


def _byte_strings(packed: bytes) -> tuple[bytes, ...]:
    values = cbor2.loads(packed)
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, bytes) for v in values):
        raise ValueError("not a list of byte strings")
    return tuple(values)


def _cut(packed: bytes, width: int) -> tuple[bytes, ...]:
    if len(packed) % width:
        raise ValueError("cut off")
    return tuple(bytes(packed[i : i + width]) for i in range(0, len(packed), width))
