"""Marks on documents of the index that nobody outside may write: HMAC-SHA-256 (RFC 2104) over all they say.

The index is not trusted. Where a document decides what is done or withheld and is not encrypted anyway, its
mark tells that this service wrote it so. An older state of the same document bears a right mark too.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import cbor2

from backend.errors import IntegrityError
from backend.identity.seal import KEY_CLASS
from backend.keystore import KeyName, KeyStore, secrets_in_use

MARK: Final = "mark"
Purpose: TypeAlias = Literal[
    "acts",
    "chain_positions",
    "consent_uses",
    "erasures",
    "legal_holds",
    "escrow_fundings",
    "study_results",
    "payees",
    "payment_shares",
    "payment_leaves",
    "payout_trees",
    "privacy_marks",
    "release_members",
    "result_removals",
    "research_releases",
]


class DocumentForged(IntegrityError):
    """A document of the index is not one that this service wrote, or was changed."""

    code = "document_forged"
    remedy = "Tell the operator: 'assent fsck' names the document. Nothing of it was used."


class Marks:
    """Marks of one kind of documents. ``purpose`` names it, so that no mark serves for another kind.

    The newest version of the key marks; an older one counts while a rotation is under way.
    """

    def __init__(self, keys: KeyStore, purpose: Purpose) -> None:
        self._keys = [secret.reveal() for secret in secrets_in_use(keys, KEY_CLASS, key_of(purpose))]

    def of(self, content: Any) -> bytes:
        """Return the mark of plain values: str, int, bytes, bool, None, lists and maps of these."""
        return _mark(content, self._keys[0])

    def marked(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document with the mark of all its other members."""
        bare = {name: value for name, value in document.items() if name != MARK}
        return {**bare, MARK: self.of(bare)}

    def require(self, mark: Any, content: Any) -> None:
        """Raise DocumentForged unless this is the mark of the content."""
        if not isinstance(mark, bytes):
            raise DocumentForged
        if not any(hmac.compare_digest(mark, _mark(content, key)) for key in self._keys):
            raise DocumentForged

    def checked(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a document that ``marked`` gave. Raises DocumentForged."""
        self.require(document.get(MARK), {name: value for name, value in document.items() if name != MARK})
        return document


def key_of(purpose: Purpose) -> KeyName:
    """Return the name of the key, as its first version bears it."""
    return "master", f"marks/{purpose}"


def _mark(content: Any, key: bytes) -> bytes:
    return hmac.digest(key, cbor2.dumps(_plain(content), canonical=True), "sha256")


def _plain(value: Any) -> Any:
    """The value in the types that it has when it comes back: drivers and callers use subclasses of them, and
    the embedded index gives back True as 1."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return bytes(value)
    raise TypeError(f"a mark is over plain values, not {type(value).__name__}")
