"""A witness's private keys as a text: one a line, ``PRIVATE+KEY+name+key id+base64`` of kind and seed."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from typing import Final

from backend.audit.cosignature import ED25519, ML_DSA_44, Cosigner
from backend.audit.errors import InvalidNote

_HEAD: Final = "PRIVATE+KEY+"
_SEED_BYTES: Final = 32


def make(name: str) -> str:
    """Return new keys of both kinds. Raises InvalidNote for a name that no key may have."""
    lines = []
    for algorithm in (ML_DSA_44, ED25519):
        seed = secrets.token_bytes(_SEED_BYTES)
        key_id = Cosigner(name=name, algorithm=algorithm, seed=seed, clock=lambda: 0).key_id.hex()
        encoded = base64.b64encode(bytes([algorithm]) + seed).decode()
        lines.append(f"{_HEAD}{name}+{key_id}+{encoded}\n")
    return "".join(lines)


def read(text: str, *, clock: Callable[[], int]) -> list[Cosigner]:
    """Return the cosigners of all keys. Raises InvalidNote when a line is malformed, or none is there."""
    cosigners = []
    for line in text.split():
        try:
            name, key_id, encoded = line.removeprefix(_HEAD).split("+", 2)
            kind, *seed = base64.b64decode(encoded, validate=True)
            if not line.startswith(_HEAD) or len(seed) != _SEED_BYTES or kind not in {ED25519, ML_DSA_44}:
                raise ValueError("not a private key")
        except (ValueError, binascii.Error) as error:
            raise InvalidNote("the witness's key is malformed") from error
        cosigner = Cosigner(name=name, algorithm=kind, seed=bytes(seed), clock=clock)
        if cosigner.key_id.hex() != key_id:
            raise InvalidNote("the witness's key has another id")
        cosigners.append(cosigner)
    if not cosigners:
        raise InvalidNote("there is no key of the witness")
    return cosigners
