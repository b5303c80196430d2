"""Proof bundles of a small audit log, for those who check them elsewhere: in a browser, in another language.

Keys, salts and records are published and protect nothing. Each bundle is checked before it is written by the
verifier that shares no code with what made it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.audit import cbor, checkpoint, merkle, note
from backend.audit.leaf import Leaf
from backend.audit.verify import FORMAT, verify_bundle

ORIGIN: Final = "vectors.example/audit"
_BEGIN_MS: Final = 1_790_000_000_000
# (size of the log, entry, size of what is anchored): a log of one, whole trees, ragged ones, nothing anchored
_CASES: Final = (
    (1, 0, 1), (2, 1, 1), (7, 6, 4), (8, 3, 8), (11, 4, 7), (11, 9, 7), (11, 0, None), (200, 131, 129),
)  # fmt: skip


def proof_vectors() -> dict[str, Any]:
    """Return the log's key and the bundles with what a checker finds in them."""
    signer = note.Ed25519Signer(name=ORIGIN, private_key=Ed25519PrivateKey.from_private_bytes(_seeded("key")))
    cases = [_case(signer, *sizes) for sizes in _CASES]
    return {"key": signer.verifier_key, "cases": cases}


def _case(signer: note.Ed25519Signer, size: int, index: int, anchored: int | None) -> dict[str, Any]:
    records = [_record(number) for number in range(size)]
    leaves: list[bytes] = []
    previous = bytes(32)
    for number, record in enumerate(records):
        leaf = Leaf(
            pseudonym=_seeded("pseudonym"),
            sequence=number,
            previous=previous,
            recorded_at_ms=_BEGIN_MS + 1000 * number,
            commitment=hmac.digest(_salt(number), record, hashlib.sha256),
        ).encode()
        leaves.append(leaf)
        previous = merkle.leaf_hash(leaf)
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    root = merkle.root(hashes)
    bundle = {
        "format": FORMAT,
        "origin": ORIGIN,
        "checkpoint": checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, root), [signer]),
        "anchor": None if anchored is None else _anchor(hashes, anchored),
        "entries": [
            {
                "index": index,
                "leaf": _text(leaves[index]),
                "proof": [_text(node) for node in merkle.inclusion_proof(hashes, index)],
                "record": _text(records[index]),
                "salt": _text(_salt(index)),
            }
        ],
    }
    [found] = verify_bundle(bundle, [signer.verifier_key])["entries"]
    return {
        "bundle": bundle,
        "index": index,
        "size": size,
        "root": root.hex(),
        "leaf_hash": found["leaf_hash"],
        "recorded_at_ms": found["recorded_at_ms"],
        "anchored": found["anchored"],
    }


def _anchor(hashes: list[bytes], size: int) -> dict[str, Any]:
    return {
        "size": size,
        "root": _text(merkle.root(hashes[:size])),
        "consistency": [_text(node) for node in merkle.consistency_proof(hashes, size)],
        "chain_id": "31337",
        "contract": "0x" + _seeded("contract")[:20].hex(),
        "log_id": "0x" + _seeded("log")[:32].hex(),
        "block": 12,
        "transaction": None,
    }


def _record(number: int) -> bytes:
    event = cbor.encode({"type": "record.read", "number": number})
    return cbor.encode({"v": 1, "e": event, "a": bytes(16 + number)})


def _salt(number: int) -> bytes:
    return _seeded(f"salt {number}")


def _seeded(name: str) -> bytes:
    return hashlib.sha256(f"assent vectors: {name}".encode()).digest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
