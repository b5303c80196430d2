"""Secrets of studies: what turns a patient into a study pseudonym (port ``research.ports.StudyKeys``)."""

from __future__ import annotations

from backend.keystore import KeyStore
from backend.research.types import StudyId


class StoredStudyKeys:
    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def study_key(self, study: StudyId) -> bytes:
        return self._keys.get_or_create("salt", f"study/{study.hex()}").reveal()
