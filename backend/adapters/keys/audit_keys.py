"""Audit keys out of the key store: one a patient and epoch, gone for good when the patient is erased.

The epochs of a patient that have a key are 1, 2, … without a gap, so the newest is found by asking for each.
It is remembered; one object a process raises epochs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from backend.keystore import KeyName, KeyStore, SecretNotFound
from backend.types import SubjectId

FIRST_EPOCH: Final = 1


class StoredAuditKeys:
    """Implements ``backend.audit.ports.AuditKeys``. Safe for many threads."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._newest: dict[SubjectId | None, int] = {}
        self._raising = threading.Lock()

    def current(self, subject: SubjectId | None) -> tuple[int, bytes]:
        for _ in range(2):
            epoch = self.newest(subject)
            if epoch is None:
                break
            key = self.at(subject, epoch)
            if key is not None:
                return epoch, key
            self._newest.pop(subject, None)  # erased by somebody else since
        return FIRST_EPOCH, self._keys.get_or_create(*_name(subject, FIRST_EPOCH)).reveal()

    def newest(self, subject: SubjectId | None) -> int | None:
        known = self._newest.get(subject)
        if known is not None:
            return known
        epoch = FIRST_EPOCH - 1
        while self._keys.exists(*_name(subject, epoch + 1)):
            epoch += 1
        if epoch < FIRST_EPOCH:
            return None
        self._newest[subject] = epoch
        return epoch

    def at(self, subject: SubjectId | None, epoch: int) -> bytes | None:
        try:
            return self._keys.get(*_name(subject, epoch)).reveal()
        except SecretNotFound:
            return None

    def raise_epochs(self, subjects: Iterable[SubjectId | None]) -> int:
        """Give each of these a key for new entries, all or none, durably; return to how many.

        Whoever has no key yet gets none: the first entry makes it. Entries under way that were sealed before
        get StaleSeal as soon as the new chain has begun.
        """
        with self._raising:
            raised = {}
            for subject in subjects:
                newest = self.newest(subject)
                if newest is not None:
                    raised[subject] = newest + 1
            self._keys.create_many([_name(subject, epoch) for subject, epoch in raised.items()])
            self._newest |= raised
        return len(raised)

    def names_of(self, subject: SubjectId | None) -> list[KeyName]:
        """Return the names of every key this patient has, for an erasure together with other secrets.

        One more is named: that which a rotation may be making meanwhile.
        """
        self._newest.pop(subject, None)
        return [_name(subject, epoch) for epoch in range(FIRST_EPOCH, (self.newest(subject) or 0) + 2)]

    def erase(self, subject: SubjectId) -> None:
        """Destroy every key of a patient: leaves and proofs stay valid, nobody reads an entry again."""
        with self._raising:
            self._keys.erase_many(self.names_of(subject))
            self._newest.pop(subject, None)


def _name(subject: SubjectId | None, epoch: int) -> KeyName:
    return "audit", f"system/{epoch}" if subject is None else f"{subject:024x}/{epoch}"
