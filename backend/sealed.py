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
from backend.keystore import KeyName, KeyStore, Secret, SecretNotFound, version_of, versioned
from backend.types import SubjectId

KEY_CLASS: Final = "documents"
"""The class of keys that seal documents. All persons' and the custodian's are of one version."""
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

    The newest version of a key seals. Older ones open only while a rotation is under way, which is over
    before a service starts.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        state = version_of(keys, KEY_CLASS)
        self._versions = range(state.version, state.minimum - 1, -1)

    def seal(
        self, document: bytes, *, subject: SubjectId | None, place: str, share: Secret | None = None
    ) -> bytes:
        """Return nonce (12 bytes) and ciphertext with tag (16 bytes longer than the document)."""
        secret = self._keys.get_or_create(*documents_key(subject, self._versions[0]))
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + _cipher(secret, share).encrypt(nonce, document, place.encode())

    def has_key(self, subject: SubjectId) -> bool:
        """Whether there is a key of this person: not before the first document, and not after an erasure."""
        return any(self._keys.exists(*documents_key(subject, version)) for version in self._versions)

    def open(
        self, sealed: bytes, *, subject: SubjectId | None, place: str, share: Secret | None = None
    ) -> bytes:
        """Return the document; raise SealedDocumentRefused, or SecretNotFound when the person was erased."""
        return self._opened(sealed, subject, place, share)[0]

    def renew(
        self, sealed: bytes, *, subject: SubjectId | None, place: str, share: Secret | None = None
    ) -> bytes:
        """Return the document sealed under the newest key, as it is where it was so before. Raises as
        ``open``: whoever was erased gets no new key."""
        document, version = self._opened(sealed, subject, place, share)
        if version == self._versions[0]:
            return sealed
        return self.seal(document, subject=subject, place=place, share=share)

    def _opened(
        self, sealed: bytes, subject: SubjectId | None, place: str, share: Secret | None
    ) -> tuple[bytes, int]:
        """Return the document and the version of the key that opened it."""
        refusal: Exception = SecretNotFound()
        for version in self._versions:
            try:
                secret = self._keys.get(*documents_key(subject, version))
            except SecretNotFound:
                continue
            try:
                nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
                return _cipher(secret, share).decrypt(nonce, ciphertext, place.encode()), version
            except (InvalidTag, ValueError) as failure:
                refusal = SealedDocumentRefused(f"document at {place.partition('/')[0]}")
                refusal.__cause__ = failure
        raise refusal


def documents_key(subject: SubjectId | None, version: int) -> KeyName:
    """Return what names the key of a person's documents, or of the custodian's."""
    owner = "custodian" if subject is None else f"{subject:024x}"
    return versioned(("patient", f"documents/{owner}"), version)


def documents_keys(keys: KeyStore, subject: SubjectId | None) -> list[KeyName]:
    """Return the names of all keys that open a person's documents: more than one during a rotation alone."""
    state = version_of(keys, KEY_CLASS)
    return [documents_key(subject, version) for version in range(state.minimum, state.version + 1)]


def _cipher(key: Secret, share: Secret | None) -> AESGCMSIV:
    if share is None:
        derivation: HKDF | HKDFExpand = HKDFExpand(algorithm=SHA512(), length=32, info=b"assent/document/1")
    else:
        derivation = HKDF(algorithm=SHA512(), length=32, salt=share.reveal(), info=b"assent/document/2")
    return AESGCMSIV(derivation.derive(key.reveal()))
