"""Looks up the public key that data may be sealed to: the chain says which, the index has its bytes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Final

from backend.consent.ports import SubjectKeys
from backend.recent import RecentCache
from backend.records.key_errors import RecipientKeyLost
from backend.records.ports import KeyHolder, MemberKeyRegistry, PublicKeyStore
from backend.records.sealing import RecipientKey
from backend.types import Bytes32, MemberId, SubjectId

_REMEMBERED: Final = 1024


class Recipients:
    """Implements ``backend.records.ports.RecipientKeys``.

    ``withdrawn``: the highest number of a subject's keys whose withdrawal was received here; it counts before
    its block (invariant 3).
    """

    def __init__(
        self,
        *,
        store: PublicKeyStore,
        subjects: SubjectKeys,
        members: MemberKeyRegistry,
        withdrawn: Callable[[SubjectId], int],
    ) -> None:
        self._store = store
        self._subjects = subjects
        self._members = members
        self._withdrawn = withdrawn
        # By the hash that the chain names: what is found for one cannot change.
        self._opened: RecentCache[tuple[str, Bytes32], RecipientKey] = RecentCache(
            max_age_seconds=math.inf, capacity=_REMEMBERED
        )

    def of_subject(self, subject: SubjectId) -> RecipientKey | None:
        bound = self._subjects.key_of(subject)
        if bound is None or bound.sequence <= self._withdrawn(subject):
            return None
        return self._load(KeyHolder(subject), bound.key_hash)

    def of_member(self, member: MemberId) -> RecipientKey | None:
        key_hash = self._members.key_hash(member)
        return None if key_hash is None else self._load(KeyHolder(member), key_hash)

    def _load(self, holder: KeyHolder, key_hash: Bytes32) -> RecipientKey:
        return self._opened.get((str(holder), key_hash), lambda: self._read(holder, key_hash))

    def _read(self, holder: KeyHolder, key_hash: Bytes32) -> RecipientKey:
        encoded = self._store.get(holder, key_hash)
        if encoded is None or hashlib.sha256(encoded).digest() != key_hash:
            raise RecipientKeyLost
        return RecipientKey(encoded)
