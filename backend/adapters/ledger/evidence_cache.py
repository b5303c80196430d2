"""Evidence kept by what it cannot change without: the hash of the block it was read at."""

from __future__ import annotations

import threading
from collections import OrderedDict

from backend.consent.ledger_types import SubjectEvidence
from backend.types import Bytes32, ConsentId, SubjectId

Key = tuple[Bytes32, SubjectId, tuple[ConsentId, ...]]


class EvidenceCache:
    """Least recently used out first.

    Safe for threads. It never answers for another block, so it cannot be stale.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Key, SubjectEvidence] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> SubjectEvidence | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Key, evidence: SubjectEvidence) -> None:
        with self._lock:
            self._kept[key] = evidence
            self._kept.move_to_end(key)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
