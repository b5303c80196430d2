"""Deterministic CBOR (RFC 8949 section 4.2.1): one encoding per value, and every other one refused.

Everything that is bound into a key or hashed into a CID goes through here, so that two writers agree byte for
byte and nobody can smuggle a second meaning into accepted bytes.
"""

from __future__ import annotations

from typing import Any

import cbor2

from backend.records.envelope_errors import NotCanonical


def encode(value: Any) -> bytes:
    """Encode plain values (int, bytes, str, list, dict with text keys, CBORTag): shortest, keys sorted."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> Any:
    """Decode exactly one item; raise NotCanonical for anything ``encode`` would not have written.

    Comparing with a second encoding catches longer heads, indefinite lengths, unsorted or duplicate keys and
    trailing bytes alike.
    """
    try:
        value = cbor2.loads(data)
        again = encode(value)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise NotCanonical from error
    if again != data:
        raise NotCanonical
    return value


def decode_map(data: bytes, fields: dict[str, type]) -> dict[str, Any]:
    """Decode a map that has exactly these text keys with values of exactly these types."""
    value = decode(data)
    if type(value) is not dict or value.keys() != fields.keys():
        raise NotCanonical("unknown or missing fields")
    if any(type(value[name]) is not kind for name, kind in fields.items()):
        raise NotCanonical("a field has the wrong type")
    return value
