"""Replaces the keys of marks: every marked document is marked anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from backend.adapters.index.marked import marked_collections
from backend.adapters.index.marks import Purpose, key_of
from backend.adapters.index.rotation import Document, Renewal, RotationAtRest
from backend.identity.seal import KEY_CLASS, SEAL_KEY
from backend.keystore import KeyName


class Remarking(RotationAtRest):
    key_class = KEY_CLASS

    def names(self) -> Iterable[KeyName]:
        return [SEAL_KEY, *map(key_of, get_args(Purpose))]

    def collections(self) -> Iterable[str]:
        return marked_collections(self._keys)

    def renewal(self) -> Renewal:
        marks = marked_collections(self._keys)

        def renewed(collection: str, document: Document) -> Document:
            marks[collection].require(document)
            made = marks[collection].made(document)
            return {name: mark for name, mark in made.items() if document[name] != mark}

        return renewed
