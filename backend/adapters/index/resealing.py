"""Replaces the keys of sealed documents: every person's and the custodian's get a new version.

Whoever was erased has no key to be replaced, and gets none. Nor does whoever is being erased, once it is
planned which keys go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pymongo.database import Database

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.failures import MALFORMED, translated
from backend.adapters.index.marked import marked_collections
from backend.adapters.index.rotation import Document, Renewal, RotationAtRest
from backend.adapters.index.sealed_fields import SEALED_FIELDS, SealedField, fields_by_collection
from backend.erasure.service import ACT as ERASURE
from backend.erasure.service import going_keys
from backend.keystore import KeyName, KeyStore, SecretNotFound, version_of
from backend.sealed import KEY_CLASS, DocumentSealer, documents_key
from backend.types import SubjectId


class Resealing(RotationAtRest):
    key_class = KEY_CLASS

    def __init__(self, database: Database[dict[str, Any]], keys: KeyStore) -> None:
        super().__init__(database, keys)
        self._fields = fields_by_collection()

    def names(self) -> Iterable[KeyName]:
        owners: dict[SubjectId | None, None] = {None: None}
        for field in SEALED_FIELDS:
            owners |= dict.fromkeys(self._owners(field))
        return [documents_key(owner, 1) for owner in owners]

    def collections(self) -> Iterable[str]:
        return self._fields

    def survivors(self, earlier: Mapping[KeyName, Sequence[KeyName]]) -> Iterable[KeyName]:
        acts = MongoActStore(self._database, self._keys).unfinished([ERASURE])
        going = going_keys(acts)
        return [
            name
            for name, names in earlier.items()
            if going.isdisjoint(names) and any(self._keys.exists(*each) for each in names)
        ]

    def renewal(self) -> Renewal:
        sealer, marks = DocumentSealer(self._keys), marked_collections(self._keys)
        newest = version_of(self._keys, self.key_class).version

        def renew(field: SealedField, document: Document) -> bytes | None:
            """Return what is to stand in a member instead; None where nothing is."""
            found = field.found(document, self._keys)
            if found is None or not self._keys.exists(*documents_key(found.subject, newest)):
                return None
            sealed = sealer.renew(found.document, subject=found.subject, place=found.place, share=found.share)
            return None if sealed == found.document else sealed

        def renewed(collection: str, document: Document) -> Document:
            mark = marks.get(collection)
            if mark is not None:
                mark.require(document)
            members: dict[str, Any] = {}
            after = document
            for field in self._fields[collection]:
                with suppress(SecretNotFound):  # its own share was erased
                    sealed = renew(field, document) if field.is_of(document) else None
                    if sealed is not None:
                        members[field.member] = sealed
                        after = field.exchanged(after, sealed)
            if members and mark is not None:
                members |= mark.made(after)
            return members

        return renewed

    def _owners(self, field: SealedField) -> Iterator[SubjectId | None]:
        """Whose documents there are, without reading them."""
        with translated():
            rows = list(self._database[field.collection].find({}, {field.member: 0}))
        for row in rows:
            with suppress(*MALFORMED):  # damaged: nothing of it is sealed anew
                if field.is_of(row):
                    yield field.owner(row)
