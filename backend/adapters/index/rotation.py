"""Rotations of keys under which documents of the index lie. Nothing else may use the index meanwhile.

The key store says how far one is. A new version is noted before the first document changes; once the last one
has changed the old keys are destroyed, and the lowest version in use is raised. A crash in between leaves
both versions, and ``finish``, with which each start begins, goes on where it was.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Final, TypeAlias

from pymongo import UpdateOne
from pymongo.database import Database

from backend.adapters.index.failures import MALFORMED, translated
from backend.errors import AssentError, OperatorError, Unavailable
from backend.keystore import KeyName, KeyStore, KeyVersion, version_of, versioned

_LOG = logging.getLogger("assent.keys")
Document: TypeAlias = Mapping[str, Any]
READ_TOGETHER: Final = 100
MADE_TOGETHER: Final = 1000
WRITE_BYTES: Final = 4 * 1024 * 1024  # a scan takes megabytes: about so much waits to be written at most


Renewal: TypeAlias = Callable[[str, Document], Document]
"""Takes the name of a collection and a document of it; returns the members to be set so that it is under the
newest keys, by their paths: none where it is already, or where nobody has its key any more. Raises what a
damaged document raises."""


class DocumentsDamaged(OperatorError):
    """What is damaged cannot be brought under a new key, and would be lost for good with the old one."""

    code = "documents_damaged"
    remedy = "Run 'assent fsck', mend or remove what it names, and rotate again. No key was changed."


class RotationAtRest(ABC):
    """One class of keys. ``rotate`` and ``finish`` are safe to repeat after a crash at any point."""

    key_class: ClassVar[str]

    def __init__(self, database: Database[dict[str, Any]], keys: KeyStore) -> None:
        self._database = database
        self._keys = keys

    def rotate(self, *, clock: Callable[[], int]) -> KeyVersion:
        """Replace the keys, or end a replacement that was interrupted.

        Raises DocumentsDamaged before anything changes, and Unavailable errors: then give it again.
        """
        state = version_of(self._keys, self.key_class)
        if state.minimum == state.version:
            self._require_sound()
            self._keys.note_version(state._replace(version=state.version + 1, made_at=clock()))
        return self.finish()

    def finish(self) -> KeyVersion:
        """Bring what is left under the newest keys and destroy the others; nothing to do is usual."""
        state = version_of(self._keys, self.key_class)
        if state.minimum < state.version:
            old = {
                name: [versioned(name, version) for version in range(state.minimum, state.version)]
                for name in self.names()
            }
            self._make_newest(old, state.version)
            renewed = self.renewal()
            for collection in self.collections():
                self._renew_all(collection, renewed)
            self._keys.erase_many(chain.from_iterable(old.values()))
            state = state._replace(minimum=state.version)
            self._keys.note_version(state)
        return state

    @abstractmethod
    def names(self) -> Iterable[KeyName]:
        """Return the names of all keys of the class, as the first version bears them."""

    @abstractmethod
    def collections(self) -> Iterable[str]:
        """Return the names of all collections with documents under these keys."""

    @abstractmethod
    def renewal(self) -> Renewal:
        """Return what renews, with the keys as they stand now."""

    def survivors(self, earlier: Mapping[KeyName, Sequence[KeyName]]) -> Iterable[KeyName]:
        """Return those keys that get a newer version, all by default, given the earlier versions of each."""
        return earlier

    def _make_newest(self, earlier: Mapping[KeyName, Sequence[KeyName]], version: int) -> None:
        newest = [versioned(name, version) for name in self.survivors(earlier)]
        for start in range(0, len(newest), MADE_TOGETHER):
            self._keys.create_many(newest[start : start + MADE_TOGETHER])

    def _require_sound(self) -> None:
        renewed, damaged = self.renewal(), []
        for collection in self.collections():
            for name, document in self._documents(collection):
                try:
                    renewed(collection, document)
                except Unavailable:
                    raise
                except (AssentError, *MALFORMED):
                    damaged.append(f"{collection} {name}")
        if damaged:
            raise DocumentsDamaged(f"{len(damaged)} documents, such as {damaged[0]}.")

    def _renew_all(self, collection: str, renewed: Renewal) -> None:
        writes: list[UpdateOne] = []
        waiting = 0
        for name, document in self._documents(collection):
            try:
                members = renewed(collection, document)
            except Unavailable:
                raise
            except (AssentError, *MALFORMED):
                # It was damaged since the rotation began. A start that refused would help nobody.
                where = f"{collection} {name}"
                _LOG.error("a damaged document stays under the old key", extra={"document": where})
                continue
            if members:
                writes.append(UpdateOne({"_id": name}, {"$set": dict(members)}))
                waiting += sum(len(value) for value in members.values() if isinstance(value, bytes))
            if waiting > WRITE_BYTES:
                self._write(collection, writes)
                waiting = 0
        self._write(collection, writes)

    def _write(self, collection: str, writes: list[UpdateOne]) -> None:
        if writes:
            with translated():
                self._database[collection].bulk_write(writes)
            writes.clear()

    def _documents(self, collection: str) -> Iterator[tuple[Any, Document]]:
        """Yield all documents by their ids, read in parts, so that they can be written meanwhile."""
        with translated():
            names = [found["_id"] for found in self._database[collection].find({}, {"_id": 1})]
        for start in range(0, len(names), READ_TOGETHER):
            with translated():
                found = list(
                    self._database[collection].find({"_id": {"$in": names[start : start + READ_TOGETHER]}})
                )
            for document in found:
                yield document["_id"], document
