"""Keys kept under keys: AES-256-KW (RFC 3394) under a key derived for exactly one target.

Key wrap has no place for associated data, so the target goes into the derivation (HKDF-Expand-SHA-512, RFC
5869): a wrap moved to another record, segment, patient or tenant does not open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from backend.keystore import Secret
from backend.records.context import (
    DEFAULT_SUITES,
    ContentContext,
    SegmentKeyId,
    SuiteNumber,
    require_suite,
)
from backend.records.envelope_errors import WrapRefused

WRAPPED_BYTES: Final = 40


@dataclass(frozen=True, slots=True)
class SegmentKey:
    """SK: wraps the DEKs of one patient's segments of one kind in one epoch; sealed to those who may read."""

    id: SegmentKeyId
    secret: Secret


def derive_key(key: Secret, info: bytes) -> Secret:
    """Return the 32-byte key for one target."""
    return Secret(HKDFExpand(algorithm=SHA512(), length=32, info=info).derive(key.reveal()))


def wrap(secret: Secret, *, under: Secret, info: bytes) -> bytes:
    """Wrap 32 secret bytes into 40, bound to ``info``."""
    return aes_key_wrap(derive_key(under, info).reveal(), secret.reveal())


def unwrap(wrapped: bytes, *, under: Secret, info: bytes) -> Secret:
    """Open a wrap; raise WrapRefused unless it was made under this key for this ``info``."""
    if len(wrapped) != WRAPPED_BYTES:
        raise WrapRefused
    try:
        return Secret(aes_key_unwrap(derive_key(under, info).reveal(), wrapped))
    except InvalidUnwrap as error:
        raise WrapRefused from error


def _dek_info(context: ContentContext, key: SegmentKeyId) -> bytes:
    # Both sides must be of one tenant and suite; that they are is part of what is bound.
    return key.encode("assent/wrap-dek/1", context.encode("assent/wrap-dek/1"))


def wrap_dek(dek: Secret, *, under: SegmentKey, context: ContentContext) -> bytes:
    """Wrap a data key for its place under a segment key: 40 bytes for the manifest's key slot."""
    require_suite(context.suite, DEFAULT_SUITES)
    return wrap(dek, under=under.secret, info=_dek_info(context, under.id))


def unwrap_dek(
    wrapped: bytes,
    *,
    under: SegmentKey,
    context: ContentContext,
    allowed_suites: frozenset[SuiteNumber] = DEFAULT_SUITES,
) -> Secret:
    """Open a data key; raise WrapRefused when it is for another place or under another segment key."""
    require_suite(context.suite, allowed_suites)
    return unwrap(wrapped, under=under.secret, info=_dek_info(context, under.id))


def wrap_segment_key(key: SegmentKey, *, master: Secret, version: int) -> bytes:
    """Wrap a segment key under a version of the patient's master, for server-mediated reading: 40 bytes."""
    require_suite(key.id.suite, DEFAULT_SUITES)
    return wrap(key.secret, under=master, info=key.id.encode("assent/wrap-sk/2", version))


def unwrap_segment_key(
    wrapped: bytes,
    key_id: SegmentKeyId,
    *,
    master: Secret,
    version: int,
    allowed_suites: frozenset[SuiteNumber] = DEFAULT_SUITES,
) -> SegmentKey:
    """Open a segment key; raise WrapRefused when it is another one's, or of another master or version."""
    require_suite(key_id.suite, allowed_suites)
    return SegmentKey(key_id, unwrap(wrapped, under=master, info=key_id.encode("assent/wrap-sk/2", version)))
