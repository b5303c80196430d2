"""Marks on identity's documents, so that whoever can write to the index cannot make an account (invariant 4).

A mark is HMAC-SHA-256 (RFC 2104) under a key of the key store, over the kind of document and all its members.
An older version put back passes; what that could restore is bounded by token families and the chain.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Set as AbstractSet
from dataclasses import Field, fields, is_dataclass, replace
from typing import Any, ClassVar, Final, Protocol, TypeVar

from backend.identity.errors import IdentityRecordTampered
from backend.keystore import KeyName, KeyStore, secrets_in_use

KEY_CLASS: Final = "marks"
"""The class of keys that mark documents of the index, these and those of ``backend.adapters.index.marks``."""
SEAL_KEY: Final[KeyName] = ("master", "identity/seal")
_FREE = frozenset({"seal", "attempts", "opened", "ended"})


class Sealed(Protocol):
    """A frozen dataclass with a member ``seal``."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def seal(self) -> bytes: ...


Document = TypeVar("Document", bound=Sealed)


class Sealer:
    """``seal`` before writing, ``check`` after reading. Members that move by themselves stay outside.

    The newest version of the key marks; an older one counts while a rotation is under way.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = [secret.reveal() for secret in secrets_in_use(keys, KEY_CLASS, SEAL_KEY)]

    def seal(self, document: Document) -> Document:
        return replace(document, seal=_mark(document, self._keys[0]))

    def check(self, document: Document) -> Document:
        """Return the document; raises IdentityRecordTampered when it is not what was written."""
        if not any(hmac.compare_digest(_mark(document, key), document.seal) for key in self._keys):
            raise IdentityRecordTampered
        return document


def _mark(document: Sealed, key: bytes) -> bytes:
    members = {
        member.name: _plain(getattr(document, member.name))
        for member in fields(document)
        if member.name not in _FREE
    }
    text = json.dumps([type(document).__name__, members], sort_keys=True, separators=(",", ":"))
    return hmac.digest(key, text.encode(), "sha256")


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, AbstractSet):
        return sorted(str(item) for item in value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {member.name: _plain(getattr(value, member.name)) for member in fields(value)}
    return value
