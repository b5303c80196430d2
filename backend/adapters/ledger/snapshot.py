"""A shortcut for starting: anvil's state at one block.

The journal stays the truth, and this is checked against it.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.adapters.durable import write_file
from backend.types import BlockNumber, Bytes32

_FORMAT = 1
_GZIP: Final = 31  # zlib's "wbits" of its own format within gzip's frame
_PIECE_BYTES: Final = 1 << 16
_TRACES: Final = b'"traces":['
_BEHIND: Final = b'],"exit":'


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State after block ``number``. ``journal_bytes`` is where the journal goes on after that block."""

    number: BlockNumber
    hash: Bytes32
    journal_bytes: int
    dumped: str  # hex text of anvil_dumpState


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replace the snapshot at ``path``: one line of JSON, then the bytes. Raise OSError."""
    body = bytes.fromhex(snapshot.dumped[2:])
    head = {
        "format": _FORMAT,
        "number": snapshot.number,
        "hash": snapshot.hash.hex(),
        "journal_bytes": snapshot.journal_bytes,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    write_file(path, json.dumps(head).encode() + b"\n" + body)


def read_snapshot(path: Path) -> Snapshot | None:
    """Return the snapshot, or None where there is none that can be used."""
    try:
        line, body = path.read_bytes().split(b"\n", 1)
        head = json.loads(line)
        if head["format"] != _FORMAT or head["sha256"] != hashlib.sha256(body).hexdigest():
            return None
        return Snapshot(
            number=BlockNumber(int(head["number"])),
            hash=Bytes32(bytes.fromhex(head["hash"])),
            journal_bytes=int(head["journal_bytes"]),
            dumped="0x" + body.hex(),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def without_traces(dumped: str) -> str:
    """Return anvil's dump without the traces of its transactions' calls, which nobody asks this anvil for.

    They are more than half of what a start reads. A dump of another form is returned as it is.
    """
    packer = zlib.compressobj(level=1, wbits=_GZIP)
    try:
        packed = b"".join(packer.compress(text) for text in _kept(bytes.fromhex(dumped[2:])))
    except (ValueError, zlib.error):
        return dumped
    return "0x" + (packed + packer.flush()).hex()


def _kept(gzipped: bytes) -> Iterator[bytes]:
    """Yield the text but for what lies between the two marks. Raise ValueError or zlib.error."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    inside, text = False, b""
    for start in range(0, len(gzipped), _PIECE_BYTES):
        text += unpacker.decompress(gzipped[start : start + _PIECE_BYTES])
        done = 0
        while (found := text.find(_BEHIND if inside else _TRACES, done)) >= 0:
            if not inside:
                found += len(_TRACES)
                yield text[done:found]
            inside, done = not inside, found
        # A mark may lie across two pieces.
        end = max(done, len(text) - len(_TRACES) + 1)
        if not inside:
            yield text[done:end]
        text = text[end:]
    if inside or not unpacker.eof:
        raise ValueError("the dump ends too early")
    yield text
