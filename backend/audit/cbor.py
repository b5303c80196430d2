"""Deterministic CBOR (RFC 8949 section 4.2.1): one value has one encoding, so its hash is well defined."""

from __future__ import annotations

import cbor2


def encode(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> object:
    """Decode one value; raise ValueError unless ``data`` is exactly its deterministic encoding."""
    try:
        value: object = cbor2.loads(data)
        again = encode(value)
    except (cbor2.CBORDecodeError, cbor2.CBOREncodeError, ValueError, TypeError, RecursionError) as error:
        raise ValueError("not CBOR") from error
    if again != data:
        raise ValueError("not deterministic CBOR")
    return value
