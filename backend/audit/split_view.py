"""Whether two signed checkpoints of a log are of one history, and the proof when they are not.

A log that shows two histories has signed both. For trees of two sizes the larger one's nodes are needed, as
its tiles give them: they lead to the larger root, and to another root at the smaller size than was signed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backend.audit import merkle
from backend.audit.checkpoint import Checkpoint, open_checkpoint
from backend.audit.errors import InvalidProof
from backend.audit.note import NoteVerifier
from backend.audit.remote_tree import RemoteTree
from backend.audit.tile_paths import Tile

FORMAT: Final = "assent-split-view/1"  # ``verify.py`` checks it


@dataclass(frozen=True, slots=True)
class SplitView:
    """Evidence: two checkpoints that a log signed and that cannot both be of one append-only log."""

    older: Checkpoint
    newer: Checkpoint
    notes: tuple[str, str]
    proof: tuple[bytes, ...]  # empty for equal sizes

    def encode(self) -> str:
        proof = [base64.b64encode(node).decode() for node in self.proof]
        return (
            json.dumps({"format": FORMAT, "checkpoints": list(self.notes), "proof": proof}, indent=1) + "\n"
        )


def find_split(
    notes: tuple[str, str],
    *,
    origin: str,
    verifiers: Sequence[NoteVerifier],
    fetch: Callable[[Tile], bytes] | None,
) -> SplitView | None:
    """Return the evidence when the two notes are not of one history, None when they are.

    ``fetch`` gets tiles of the log; it is needed for two sizes only. Raises InvalidNote when the log did not
    sign both, InvalidProof when it is needed and missing, or when the tiles do not give the larger root: they
    show nothing then. Raises what ``fetch`` raises.
    """
    opened = [(open_checkpoint(n, origin=origin, verifiers=verifiers), n) for n in notes]
    (older, older_note), (newer, newer_note) = sorted(opened, key=lambda pair: pair[0].size)
    proof: list[bytes] = []
    if older.size == newer.size:
        one = older.root == newer.root
    elif older.size == 0:
        if older.root != merkle.EMPTY_ROOT:
            raise InvalidProof("the checkpoint of an empty log has another root than an empty log has")
        one = True
    else:
        if fetch is None:
            raise InvalidProof("checkpoints of two sizes can be compared only with the log's tiles")
        proof = RemoteTree(fetch, newer.size).prefix_proof(older.size)
        before, whole = merkle.prefix_roots(older.size, newer.size, proof)
        if whole != newer.root:
            raise InvalidProof("the tiles do not give the root of the larger checkpoint")
        one = before == older.root
    return None if one else SplitView(older, newer, (older_note, newer_note), tuple(proof))
