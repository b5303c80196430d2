"""Replaces the keys that blind identifiers of staff: all are found anew, and attempts are forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from backend.adapters.index.blind import KEY_CLASS, BlindIndex, Purpose, key_of
from backend.adapters.index.failures import translated
from backend.adapters.index.identity_store import account_of
from backend.adapters.index.rotation import Document, Renewal, RotationAtRest
from backend.keystore import KeyName, KeyVersion, version_of
from backend.sealed import DocumentSealer


class StaffReblinding(RotationAtRest):
    key_class = KEY_CLASS

    def finish(self) -> KeyVersion:
        state = version_of(self._keys, self.key_class)
        if state.minimum < state.version:
            # Names that were tried stand nowhere, so they cannot be blinded anew.
            with translated():
                self._database["sign_in_attempts"].delete_many({})
        return super().finish()

    def names(self) -> Iterable[KeyName]:
        return map(key_of, get_args(Purpose))

    def collections(self) -> Iterable[str]:
        return ("staff",)

    def renewal(self) -> Renewal:
        blind, documents = BlindIndex(self._keys, "staff"), DocumentSealer(self._keys)

        def renewed(_: str, document: Document) -> Document:
            username = blind.of(account_of(document, documents).username)
            return {} if document["username"] == username else {"username": username}

        return renewed
