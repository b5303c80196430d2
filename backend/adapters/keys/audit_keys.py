"""Audit keys out of the key store: one a patient and epoch, gone for good when the patient is erased."""

from __future__ import annotations

from typing import Final

from backend.keystore import KeyStore, SecretNotFound
from backend.types import SubjectId

FIRST_EPOCH: Final = 1


class StoredAuditKeys:
    """Implements ``backend.audit.ports.AuditKeys``. Epochs are raised by the erasure of a later release."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def current(self, subject: SubjectId | None) -> tuple[int, bytes]:
        return FIRST_EPOCH, self._keys.get_or_create("audit", _name(subject, FIRST_EPOCH)).reveal()

    def newest(self, subject: SubjectId | None) -> int | None:
        return None if self.at(subject, FIRST_EPOCH) is None else FIRST_EPOCH

    def at(self, subject: SubjectId | None, epoch: int) -> bytes | None:
        try:
            return self._keys.get("audit", _name(subject, epoch)).reveal()
        except SecretNotFound:
            return None


def _name(subject: SubjectId | None, epoch: int) -> str:
    return f"system/{epoch}" if subject is None else f"{subject:024x}/{epoch}"
