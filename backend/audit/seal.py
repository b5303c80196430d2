"""Sealing of events: commitment, pseudonym and encryption, all under an audit key that erasure destroys.

Each entry draws a random 32-byte nonce. HKDF-SHA256 (RFC 5869) over audit key and nonce gives a salt and a
content key used for this entry only. The commitment is HMAC-SHA256(salt, record); showing salt and record
opens one entry and says nothing about any other. The record is encrypted with AES-256-GCM-SIV (RFC 8452),
padded, so that a length does not tell a denial from a permit.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.audit import cbor
from backend.audit.errors import EntryDamaged, EventTooLarge

BODY_VERSION = 1
MAX_RECORD_BYTES = 16_000
_NONCE_BYTES = 32
_LENGTH_BYTES = 4
_PADDING_STEP = 256
_FIXED_NONCE = bytes(12)  # safe: the content key belongs to one entry
_ENTRY = b"assent/audit/v1/entry\x00"
_PSEUDONYM = b"assent/audit/v1/pseudonym\x00"


@dataclass(frozen=True, slots=True)
class Before:
    """Where the same patient's chain of the epoch before ended, so that a rotation hides no entry."""

    epoch: int
    count: int  # entries in that chain
    last: bytes  # 32 bytes: leaf hash of its last entry


@dataclass(frozen=True, slots=True)
class Record:
    """What the commitment is over: the event's bytes, the act it was written for and, in the first record of
    an epoch only, where the epoch before ended.
    """

    event: bytes
    before: Before | None = None
    act: bytes = b""  # 16 bytes, or empty

    def encode(self) -> bytes:
        fields: dict[str, object] = {"e": self.event, "v": 1}
        if self.act:
            fields["a"] = self.act
        if self.before is not None:
            fields["b"] = [self.before.epoch, self.before.count, self.before.last]
        return cbor.encode(fields)

    @classmethod
    def decode(cls, data: bytes) -> Record:
        """Read a record. Raises EntryDamaged."""
        try:
            fields = cbor.decode(data)
            if not isinstance(fields, dict) or fields.pop("v", None) != 1:
                raise ValueError("unknown version")
            before = fields.pop("b", None)
            record = cls(
                event=bytes(fields.pop("e")),
                before=None if before is None else Before(*before),
                act=bytes(fields.pop("a", b"")),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise EntryDamaged("a record cannot be read") from error
        if record.encode() != data:  # also catches fields that are unknown
            raise EntryDamaged("a record is not in its one form")
        return record


@dataclass(frozen=True, slots=True)
class Sealed:
    pseudonym: bytes
    commitment: bytes
    body: bytes  # version, nonce and ciphertext, stored beside the leaf


@dataclass(frozen=True, slots=True)
class Opened:
    record: bytes
    salt: bytes  # opens the commitment of this entry to a third party

    def __repr__(self) -> str:
        return "Opened(...)"  # what is inside may be about a patient


def pseudonym_of(audit_key: bytes, *, origin: str, epoch: int) -> bytes:
    """Return the 32-byte name of one patient's (or the system's) chain in one epoch."""
    info = _PSEUDONYM + epoch.to_bytes(4, "big") + origin.encode()
    return HKDF(SHA256(), 32, None, info).derive(audit_key)


def seal(record: bytes, *, audit_key: bytes, pseudonym: bytes, origin: str) -> Sealed:
    """Commit to and encrypt a record. Raises EventTooLarge above 16,000 bytes."""
    if len(record) > MAX_RECORD_BYTES:
        raise EventTooLarge
    nonce = os.urandom(_NONCE_BYTES)
    salt, content_key = _derive(audit_key, nonce, origin)
    commitment = commit(salt, record)
    framed = len(record).to_bytes(_LENGTH_BYTES, "big") + record
    framed += bytes(-len(framed) % _PADDING_STEP)
    bound = _bound_to(origin, pseudonym, commitment)
    ciphertext = AESGCMSIV(content_key).encrypt(_FIXED_NONCE, framed, bound)
    return Sealed(pseudonym, commitment, bytes([BODY_VERSION]) + nonce + ciphertext)


def open_body(body: bytes, *, audit_key: bytes, pseudonym: bytes, commitment: bytes, origin: str) -> Opened:
    """Decrypt a body and check it against its leaf. Raises EntryDamaged for the slightest difference."""
    nonce, ciphertext = body[1 : 1 + _NONCE_BYTES], body[1 + _NONCE_BYTES :]
    if body[:1] != bytes([BODY_VERSION]) or len(nonce) != _NONCE_BYTES:
        raise EntryDamaged("an entry's body is malformed")
    salt, content_key = _derive(audit_key, nonce, origin)
    try:
        framed = AESGCMSIV(content_key).decrypt(
            _FIXED_NONCE, ciphertext, _bound_to(origin, pseudonym, commitment)
        )
    except (InvalidTag, ValueError) as error:
        raise EntryDamaged("an entry's body does not open") from error
    length = int.from_bytes(framed[:_LENGTH_BYTES], "big")
    record = framed[_LENGTH_BYTES : _LENGTH_BYTES + length]
    if not hmac.compare_digest(commit(salt, record), commitment):
        raise EntryDamaged("an entry's body does not match its commitment")
    return Opened(record, salt)


def commit(salt: bytes, record: bytes) -> bytes:
    return hmac.digest(salt, record, hashlib.sha256)


def _derive(audit_key: bytes, nonce: bytes, origin: str) -> tuple[bytes, bytes]:
    block = HKDF(SHA256(), 64, nonce, _ENTRY + origin.encode()).derive(audit_key)
    return block[:32], block[32:]


def _bound_to(origin: str, pseudonym: bytes, commitment: bytes) -> bytes:
    return pseudonym + commitment + origin.encode()
