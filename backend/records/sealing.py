"""Segment keys sealed to their readers: HPKE base mode (RFC 9180) with the X-Wing KEM (ML-KEM-768, X25519).

The library's HPKE takes no associated data, so everything a slot is bound to goes into ``info``. A sealed key
is 1168 bytes: 1120 of encapsulation, 32 of key, 16 of tag. X-Wing keys are 32-byte seeds; their expansion
follows draft-connolly-cfrg-xwing-kem section 5.2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from backend.keystore import Secret
from backend.records import canonical
from backend.records.context import (
    DEFAULT_SUITES,
    ContentContext,
    SegmentKeyId,
    SuiteNumber,
    require_suite,
)
from backend.records.envelope_errors import WrapRefused
from backend.records.wrapping import SegmentKey
from backend.types import MAX_UINT40, ConsentId, UnixSeconds

PUBLIC_KEY_BYTES: Final = 1216
SEALED_BYTES: Final = 1168
_MLKEM_PUBLIC_BYTES: Final = 1184
_HPKE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class RecipientKey:
    """An X-Wing public key. ``id`` is the SHA-256 of its 1216 bytes."""

    __slots__ = ("_key", "encoded", "id")

    def __init__(self, encoded: bytes) -> None:
        if len(encoded) != PUBLIC_KEY_BYTES:
            raise ValueError(f"an X-Wing public key has {PUBLIC_KEY_BYTES} bytes")
        self.encoded = bytes(encoded)
        self.id = hashlib.sha256(encoded).digest()
        self._key = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(encoded[:_MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(encoded[_MLKEM_PUBLIC_BYTES:]),
        )

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        return _HPKE.encrypt(plaintext, self._key, info)


class RecipientPrivateKey:
    """An X-Wing private key from its 32-byte seed. Its representation shows nothing."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: Secret) -> None:
        expanded = hashlib.shake_256(seed.reveal()).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._key = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public = RecipientKey(
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Open what was sealed to this key under the same ``info``; raise WrapRefused otherwise."""
        try:
            return _HPKE.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError) as error:
            raise WrapRefused from error

    def __repr__(self) -> str:
        return "RecipientPrivateKey(redacted)"


@dataclass(frozen=True, slots=True)
class SlotTarget:
    """All that a sealed slot is bound to: it opens for this key, reader, consent and chain only."""

    key: SegmentKeyId
    recipient: bytes  # 32 bytes: RecipientKey.id
    consent: ConsentId  # 32 bytes: the grant that gave access; 32 zero bytes for the patient's own slot
    expiry: UnixSeconds  # not-after of the consent; 2**40-1 is unbounded
    chain_id: int
    contract: bytes  # 20 bytes: the ConsentRegistry

    def __post_init__(self) -> None:
        if (len(self.recipient), len(self.consent), len(self.contract)) != (32, 32, 20):
            raise ValueError("recipient and consent have 32 bytes, contract 20")
        if not 0 <= self.expiry <= MAX_UINT40 or self.chain_id < 1:
            raise ValueError("expiry is a uint40 and a chain id is positive")

    def encode(self) -> bytes:
        """Return the HPKE ``info``: deterministic CBOR with a label of its own."""
        return self.key.encode(
            "assent/slot/1",
            bytes(self.recipient),
            bytes(self.consent),
            self.expiry,
            self.chain_id,
            bytes(self.contract),
        )


def seal_segment_key(key: SegmentKey, recipient: RecipientKey, target: SlotTarget) -> bytes:
    """Seal a segment key to a reader: 1168 bytes. The target must name this key and this reader."""
    require_suite(key.id.suite, DEFAULT_SUITES)
    if target.key != key.id or target.recipient != recipient.id:
        raise ValueError("the slot's target names another key or another reader")
    return recipient.seal(key.secret.reveal(), target.encode())


def open_segment_key(
    sealed: bytes,
    private: RecipientPrivateKey,
    target: SlotTarget,
    *,
    allowed_suites: frozenset[SuiteNumber] = DEFAULT_SUITES,
) -> SegmentKey:
    """Open a sealed segment key; raise WrapRefused unless every part of the target is what was sealed."""
    require_suite(target.key.suite, allowed_suites)
    if len(sealed) != SEALED_BYTES or target.recipient != private.public.id:
        raise WrapRefused
    return SegmentKey(target.key, Secret(private.open(sealed, target.encode())))


def seal_share(share: Secret, recipient: RecipientKey, context: ContentContext) -> bytes:
    """Seal an erasure share to whoever is to encrypt its segment: 1168 bytes."""
    return recipient.seal(share.reveal(), _share_info(context, recipient.id))


def open_share(sealed: bytes, private: RecipientPrivateKey, context: ContentContext) -> Secret:
    """Open a sealed erasure share; raise WrapRefused unless it is for this segment and this reader."""
    if len(sealed) != SEALED_BYTES:
        raise WrapRefused
    return Secret(private.open(sealed, _share_info(context, private.public.id)))


def _share_info(context: ContentContext, recipient: bytes) -> bytes:
    return canonical.encode(["assent/share/1", context.encode("assent/share/1"), recipient])
