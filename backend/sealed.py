"""Small documents about a person, encrypted for the index: the index is not trusted and may be copied.

AES-256-GCM-SIV (RFC 8452), because nonces are random and documents of one person share a key. The place where
a document lies is authenticated with it, so that two documents cannot change places. The key belongs to the
person and goes when the person is erased.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from backend.errors import IntegrityError
from backend.keystore import KeyStore
from backend.types import SubjectId

_NONCE_BYTES: Final = 12


class SealedDocumentRefused(IntegrityError):
    """A stored document is damaged, of another place, or under another key."""

    code = "document_refused"
    remedy = "Tell the operator: 'assent fsck' names the damaged document. Nothing of it was used."


class SchemaUnknown(IntegrityError):
    """A stored document has a form that this release does not know: a newer one wrote it."""

    code = "document_schema_unknown"
    remedy = "The operator installs the release that wrote this data, or a newer one. Nothing of it was used."


def require_schema(found: object, known: int) -> None:
    """Raise SchemaUnknown for a document of another form, which would be misread."""
    if found != known:
        raise SchemaUnknown


class DocumentSealer:
    """Seals and opens documents under a key of the subject, or of the custodian where there is no subject."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def seal(self, document: bytes, *, subject: SubjectId | None, place: str) -> bytes:
        """Return nonce (12 bytes) and ciphertext with tag (16 bytes longer than the document)."""
        name = _name(subject)
        secret = self._keys.get_or_create("patient", name)
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + _cipher(secret.reveal()).encrypt(nonce, document, place.encode())

    def open(self, sealed: bytes, *, subject: SubjectId | None, place: str) -> bytes:
        """Return the document; raise SealedDocumentRefused, or SecretNotFound when the person was erased."""
        secret = self._keys.get("patient", _name(subject))
        try:
            return _cipher(secret.reveal()).decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode()
            )
        except (InvalidTag, ValueError) as refusal:
            raise SealedDocumentRefused(f"document at {place.partition('/')[0]}") from refusal


def _name(subject: SubjectId | None) -> str:
    return "documents/custodian" if subject is None else f"documents/{subject:024x}"


def _cipher(key: bytes) -> AESGCMSIV:
    return AESGCMSIV(HKDFExpand(algorithm=SHA512(), length=32, info=b"assent/document/1").derive(key))
