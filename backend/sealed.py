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
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from backend.errors import IntegrityError
from backend.keystore import KeyName, KeyStore, Secret
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
    """Seals and opens documents under a key of the subject, or of the custodian where there is no subject.

    ``share``: a second secret, of this document alone, without which it does not open either, so that it can
    be erased by itself.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def seal(
        self, document: bytes, *, subject: SubjectId | None, place: str, share: Secret | None = None
    ) -> bytes:
        """Return nonce (12 bytes) and ciphertext with tag (16 bytes longer than the document)."""
        name = documents_key(subject)
        secret = self._keys.get_or_create(*name)
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + _cipher(secret, share).encrypt(nonce, document, place.encode())

    def open(
        self, sealed: bytes, *, subject: SubjectId | None, place: str, share: Secret | None = None
    ) -> bytes:
        """Return the document; raise SealedDocumentRefused, or SecretNotFound when the person was erased."""
        secret = self._keys.get(*documents_key(subject))
        try:
            return _cipher(secret, share).decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode()
            )
        except (InvalidTag, ValueError) as refusal:
            raise SealedDocumentRefused(f"document at {place.partition('/')[0]}") from refusal


def documents_key(subject: SubjectId | None) -> KeyName:
    """Return what names the key of a person's documents, or of the custodian's."""
    return "patient", "documents/custodian" if subject is None else f"documents/{subject:024x}"


def _cipher(key: Secret, share: Secret | None) -> AESGCMSIV:
    if share is None:
        derivation: HKDF | HKDFExpand = HKDFExpand(algorithm=SHA512(), length=32, info=b"assent/document/1")
    else:
        derivation = HKDF(algorithm=SHA512(), length=32, salt=share.reveal(), info=b"assent/document/2")
    return AESGCMSIV(derivation.derive(key.reveal()))
