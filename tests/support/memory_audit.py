"""Stand-ins for the audit log's ports: a store that can lose answers, keys that can be erased, a chain."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from backend.audit import codes, merkle
from backend.audit.bundles import is_part, part_firsts
from backend.audit.entry import Action, Agent, AuditEvent, Outcome
from backend.audit.errors import AuditFenced, AuditUnavailable, LeaseHeld, LogDamaged, LogForked
from backend.audit.merkle import EMPTY_ROOT
from backend.audit.types import AnchorRecord, Bundle, Head, Part, StoredCheckpoint, StoredEntry
from backend.types import (
    Address,
    BlockNumber,
    ConsentId,
    LogIndex,
    MemberId,
    QueuePosition,
    RecordId,
    SubjectId,
)

ORIGIN = "hospital.example/audit"
ANNA = SubjectId(0xA11A)
BERTA = SubjectId(0xBE27A)
CLINIC = MemberId(b"\x0c" * 32)
CONTRACT = Address("0x00000000000000000000000000000000000000AA")


class MemoryAuditStore:
    """``lose`` counts how many commits answer with a failure; ``landed`` tells whether they happen."""

    def __init__(self) -> None:
        self.documents: dict[int, Bundle] = {}
        self.kept: dict[int, StoredCheckpoint] = {}
        self.lose = 0
        self.lose_after = True
        self.down = False
        self.commit_calls = 0
        self.cosigned = -1
        self._head: Head | None = None
        self._expires_ms = 0
        self._lock = threading.RLock()

    def head(self) -> Head | None:
        self._answer()
        return self._head

    def acquire(
        self, *, holder: str, now_ms: int, ttl_ms: int, takeover: bool, gone: Collection[str] = ()
    ) -> Head:
        with self._lock:
            self._answer()
            if self._head is None:
                if self.documents or self.kept:
                    raise LogDamaged("there are entries, but the log's head is missing")
                self._head = Head(0, EMPTY_ROOT, 0, holder)
            elif not (takeover or self._head.holder in {holder, *gone} or self._expires_ms <= now_ms):
                raise LeaseHeld
            self._head = replace(self._head, token=self._head.token + 1, holder=holder)
            self._expires_ms = now_ms + ttl_ms
            return self._head

    def renew(self, head: Head, *, expires_ms: int) -> None:
        with self._lock:
            self._answer()
            if self._head != head:
                raise AuditFenced
            self._expires_ms = expires_ms

    def release(self, head: Head) -> None:
        self._answer()
        if self._head is not None and self._head.token == head.token:
            self._expires_ms = 0

    def commit(self, head: Head, bundle: Bundle, *, expires_ms: int) -> Head:
        with self._lock:
            self.commit_calls += 1
            self._answer()
            losing = self.lose > 0
            self.lose -= losing
            if losing and not self.lose_after:
                self.documents[bundle.first] = bundle  # an orphan: the head was never moved
                raise AuditUnavailable
            if self._head != head or bundle.first != head.size or bundle.token != head.token:
                raise AuditFenced
            part = Part(len(bundle.leaves), f"{bundle.first}/{head.token}")
            self.documents[bundle.first] = replace(bundle, parts=(part,))
            self._head = replace(head, size=bundle.end, root=bundle.root)
            self._expires_ms = expires_ms
            if losing:
                raise AuditUnavailable
            return self._head

    def bundles(self, *, whole: bool = True) -> Iterator[Bundle]:
        self._answer()
        found = [self.documents[first] for first in sorted(self.documents)]
        return iter(found if whole else [replace(bundle, bodies=(), hashes=()) for bundle in found])

    def bundles_at(self, firsts: Sequence[int]) -> dict[int, Bundle]:
        self._answer()
        there = {first: self.documents[first] for first in firsts if first in self.documents}
        return {first: replace(bundle, bodies=()) for first, bundle in there.items()}

    def bundle_with(self, index: int, *, whole: bool = True) -> Bundle | None:
        self._answer()
        for first in sorted(self.documents, reverse=True):
            bundle = self.documents[first]
            if bundle.first <= index < bundle.end:
                return bundle if whole else replace(bundle, bodies=(), hashes=())
        return None

    def entries(self, hints: Mapping[int, int]) -> dict[int, StoredEntry]:
        self._answer()
        found: dict[int, StoredEntry] = {}
        for index, first in hints.items():
            bundle = self.documents.get(first)
            if bundle is None or not bundle.first <= index < bundle.end:
                bundle = self.bundle_with(index)
            if bundle is not None:
                place = index - bundle.first
                found[index] = StoredEntry(LogIndex(index), bundle.leaves[place], bundle.bodies[place])
        return found

    def merge(self, token: int, before: Bundle, merged: Bundle) -> None:
        with self._lock:
            self._answer()
            there = self.documents.get(before.first)
            if self._head is None or self._head.token != token:
                raise AuditFenced
            if there is None or there.parts != before.parts:
                raise LogDamaged(f"the bundle at {before.first} is not the one that was read")
            parts = [self.documents[first] for first in part_firsts(merged) if first in self.documents]
            bodies = tuple(body for part in parts for body in part.bodies)
            self.documents[before.first] = replace(merged, bodies=bodies)

    def discard(self, token: int, first: int) -> None:
        with self._lock:
            self._answer()
            if self._head is None or self._head.token != token:
                raise AuditFenced
            merged = self.documents.get(first)
            for each in [] if merged is None else part_firsts(merged)[1:]:
                if each in self.documents and is_part(self.documents[each], merged):
                    del self.documents[each]

    def save_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        self._answer()
        there = self.kept.get(checkpoint.size)
        if there is None:
            self.kept[checkpoint.size] = checkpoint
        elif checkpoint.anchor is not None:
            self.kept[checkpoint.size] = replace(there, anchor=checkpoint.anchor)

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        return iter([self.kept[size] for size in sorted(self.kept)])

    def newest_checkpoint(self, *, anchored: bool) -> StoredCheckpoint | None:
        found = [c for c in self.checkpoints() if c.anchor is not None or not anchored]
        return found[-1] if found else None

    def checkpoint(self, size: int) -> StoredCheckpoint | None:
        return self.kept.get(size)

    def cosign(self, checkpoint: StoredCheckpoint, note: str, *, best: bool) -> bool:
        self._answer()
        with self._lock:
            there = self.kept.get(checkpoint.size)
            if there is None or there.note != checkpoint.note:
                return False
            self.kept[checkpoint.size] = replace(there, note=note)
            if best and checkpoint.size >= self.cosigned:
                self.cosigned = checkpoint.size
            return True

    def most_cosigned(self) -> StoredCheckpoint | None:
        return self.kept.get(self.cosigned)

    def set_head(self, head: Head | None) -> None:
        """Tamper with the head."""
        self._head = head

    def _answer(self) -> None:
        if self.down:
            raise AuditUnavailable


class MemoryAuditKeys:
    def __init__(self) -> None:
        self.epochs: dict[SubjectId | None, int] = {}
        self.erased: set[tuple[SubjectId | None, int]] = set()

    def current(self, subject: SubjectId | None) -> tuple[int, bytes]:
        epoch = self.epochs.get(subject, 1)
        return epoch, self._key(subject, epoch)

    def newest(self, subject: SubjectId | None) -> int | None:
        return self.epochs.get(subject, 1)

    def at(self, subject: SubjectId | None, epoch: int) -> bytes | None:
        known = 1 <= epoch <= self.epochs.get(subject, 1) and (subject, epoch) not in self.erased
        return self._key(subject, epoch) if known else None

    def rotate(self, subject: SubjectId | None) -> None:
        self.epochs[subject] = self.epochs.get(subject, 1) + 1

    @staticmethod
    def _key(subject: SubjectId | None, epoch: int) -> bytes:
        return hashlib.sha256(f"test audit key {subject} {epoch}".encode()).digest()


class MemoryAnchor:
    """Checks consistency proofs as the contract does."""

    def __init__(self) -> None:
        self.records: list[AnchorRecord] = []
        self.failing: Exception | None = None

    def anchored(self) -> AnchorRecord | None:
        if self.failing is not None:
            raise self.failing
        return replace(self.records[-1], transaction=None) if self.records else None

    def anchor(self, size: int, root: bytes, consistency_proof: Sequence[bytes]) -> AnchorRecord:
        if self.failing is not None:
            raise self.failing
        if self.records:
            last = self.records[-1]
            try:
                merkle.verify_consistency(last.size, size, list(consistency_proof), last.root, root)
            except Exception as error:
                raise LogForked from error
        elif consistency_proof:
            raise LogForked
        block = BlockNumber(100 + len(self.records))
        self.records.append(AnchorRecord(size, root, 77001, b"\x1d" * 32, CONTRACT, block, b"\x77" * 32))
        return self.records[-1]


def read_event(
    subject: SubjectId | None = ANNA,
    *,
    outcome: Outcome = Outcome.PERMITTED,
    number: int = 0,
    occurred_at_ms: int = 1_700_000_000_000,
) -> AuditEvent:
    """A clinic's read of one record, as the service logs it."""
    return AuditEvent(
        type=codes.RECORD_READ,
        outcome=outcome,
        occurred_at_ms=occurred_at_ms,
        actor=Agent.member(CLINIC),
        organisation=CLINIC,
        subject=subject,
        purpose="TREAT",
        action=Action.ACCESS,
        records=(RecordId(number.to_bytes(16, "big")),),
        segments=(b"seg-lab",),
        consents=(ConsentId(b"\xc0" * 32),),
        reasons=("permit_matched",),
        final_block=BlockNumber(100),
        head_block=BlockNumber(103),
        queue_position=QueuePosition(7),
        obligations=1,
        detail={"bytes": 10_240},
    )
