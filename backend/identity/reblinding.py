"""Replaces the key that blinds record numbers: all are found under the new one, the old is destroyed.

The key store says how far it is: a new version is noted before the first row changes, the lowest version in
use after the last. A crash in between leaves both keys; ``finish`` goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backend.errors import Unavailable
from backend.identity.people import INDEX_KEYS, People, index_key_name
from backend.identity.ports import EnrolmentStore
from backend.identity.seal import Sealer
from backend.identity.types import Enrolment
from backend.keystore import KeyStore, KeyVersion, SecretNotFound, version_of
from backend.sealed import DocumentSealer
from backend.types import SubjectId

_TRIES: Final = 8  # somebody else may change the row


class Reblinding:
    def __init__(
        self, *, keys: KeyStore, documents: DocumentSealer, store: EnrolmentStore, sealer: Sealer
    ) -> None:
        self._keys = keys
        self._documents = documents
        self._store = store
        self._sealer = sealer

    def rotate(self, *, clock: Callable[[], int]) -> KeyVersion:
        """Replace the key, or end a replacement that was interrupted."""
        state = version_of(self._keys, INDEX_KEYS)
        if state.minimum == state.version:
            self._keys.get_or_create("master", index_key_name(state.version + 1))
            self._keys.note_version(state._replace(version=state.version + 1, made_at=clock()))
        return self.finish()

    def finish(self) -> KeyVersion:
        """Blind what is left under an earlier key, and destroy that; nothing to do is usual."""
        state = version_of(self._keys, INDEX_KEYS)
        if state.minimum < state.version:
            people = People(keys=self._keys, documents=self._documents)
            for subject in self._store.subjects():
                self._blind_again(people, subject)
            old = [index_key_name(version) for version in range(1, state.version)]
            self._keys.erase_many(("master", name) for name in old)
            state = state._replace(minimum=state.version)
            self._keys.note_version(state)
        return state

    def _blind_again(self, people: People, subject: SubjectId) -> None:
        for _ in range(_TRIES):
            found = self._store.get(subject)
            if found is None:
                return
            index = self._index(people, self._sealer.check(found))
            if found.record_index == index:
                return
            changed = replace(found, record_index=index, revision=found.revision + 1)
            if self._store.replace(self._sealer.seal(changed)):
                return
        raise Unavailable("An enrolment changes all the time, or two have one record number.")

    def _index(self, people: People, enrolment: Enrolment) -> bytes:
        try:
            person = people.open(enrolment.person, enrolment.subject_id)
        except SecretNotFound:
            return people.index_of_erased(enrolment.subject_id)
        return people.index(person.record_number)
