"""Signatures of messages: Standard Webhooks 1.0, scheme ``v1`` (HMAC-SHA256), and the secrets behind them.

A secret is drawn from a salt under a key of the key store, so that none is kept beside the index.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the form of a secret, not one


def secret_of(master: bytes, salt: bytes) -> bytes:
    """Return the 32 bytes that sign; ``master`` is 32 secret bytes, ``salt`` 32 random ones."""
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"assent/webhook/1").derive(master)


def shown(secret: bytes) -> str:
    """Return a secret as its owner gets it: ``whsec_`` and base64."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def headers(message_id: str, timestamp: int, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Return the three headers. More than one secret while one is replaced: any of them verifies."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
