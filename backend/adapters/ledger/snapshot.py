"""A shortcut for starting: anvil's state at one block.

The journal stays the truth, and this is checked against it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from backend.adapters.durable import write_file
from backend.types import BlockNumber, Bytes32

_FORMAT = 1


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
