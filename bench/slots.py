"""Sealing a segment key to a recipient with all that the slot is bound to, against the raw HPKE call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from backend.keystore import Secret
from backend.records.context import SegmentKeyId
from backend.records.sealing import RecipientPrivateKey, SlotTarget, seal_segment_key
from backend.records.wrapping import SegmentKey
from backend.types import MAX_UINT40, ConsentId, MemberId, SubjectId, UnixSeconds
from bench.results import Result, ratio_at_least

SEALS: Final = 2_000
ROUNDS: Final = 9
GOAL: Final = 0.8
_MLKEM_BYTES: Final = 1184


def measure() -> list[Result]:
    """Medians of ``ROUNDS``, in turn. The recipient's key is there, as it is where a key is sealed to it."""
    recipient = RecipientPrivateKey(Secret.generate()).public
    key = SegmentKey(SegmentKeyId(MemberId(bytes(32)), SubjectId(1), "laboratory", 0), Secret.generate())
    target = SlotTarget(
        key=key.id,
        recipient=recipient.id,
        consent=ConsentId(bytes(32)),
        expiry=UnixSeconds(MAX_UINT40),
        chain_id=1337,
        contract=bytes(20),
    )
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    bare = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(recipient.encoded[:_MLKEM_BYTES]),
        X25519PublicKey.from_public_bytes(recipient.encoded[_MLKEM_BYTES:]),
    )
    info, secret = target.encode(), key.secret.reveal()
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(_per_second(lambda: suite.encrypt(secret, bare, info)))
        ours.append(_per_second(lambda: seal_segment_key(key, recipient, target)))
    return [
        ratio_at_least(
            "seal a segment to a recipient (X-Wing), against the raw HPKE seal",
            statistics.median(ours),
            "1/s",
            reference=statistics.median(theirs),
            limit=GOAL,
        )
    ]


def _per_second(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(SEALS):
        work()
    return SEALS / (time.perf_counter() - started)
