"""Replaces the keys of what was handed out. Links in mails go on working: they stop mail, and nobody else
could give the patient another one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from backend.adapters.index.rotation import Document, Renewal, RotationAtRest
from backend.adapters.index.sealed_fields import fields_by_collection
from backend.keystore import KeyName, SecretNotFound
from backend.notices.contact_book import token_hash
from backend.notices.contact_types import ContactFile
from backend.sealed import DocumentSealer
from backend.token_keys import KEY_CLASS, TokenKey, key_of, token_key


class TokenRotation(RotationAtRest):
    key_class = KEY_CLASS

    def names(self) -> Iterable[KeyName]:
        return map(key_of, get_args(TokenKey))

    def collections(self) -> Iterable[str]:
        return ("contacts",)

    def renewal(self) -> Renewal:
        key, documents = token_key(self._keys, "contacts"), DocumentSealer(self._keys)
        (file,) = fields_by_collection()["contacts"]

        def renewed(_: str, document: Document) -> Document:
            found = file.found(document, self._keys)
            if found is None:
                return {}
            try:
                opened = documents.open(found.document, subject=found.subject, place=found.place)
            except SecretNotFound:  # of somebody who was erased
                return {}
            token = token_hash(key, ContactFile.decode(opened))
            return {} if document["token"] == token else {"token": token}

        return renewed
