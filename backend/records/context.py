"""What keys and ciphertexts are bound to, and the suites that may be used.

A context names only what never changes, so that rotating keys, owners or consents never touches a blob. Each
encoding begins with a label of its own, so that one derivation can never serve as another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NewType

from backend.records import canonical
from backend.records.envelope_errors import SuiteRefused
from backend.types import MAX_SUBJECT_ID, MemberId, RecordId, SubjectId

SuiteNumber = NewType("SuiteNumber", int)  # u16; a number never changes its meaning

# Cobblestone-256, HKDF-SHA-512, AES-256-KW, HPKE base X-Wing / HKDF-SHA256 / AES-256-GCM, SHA-256 CIDs.
SUITE_1: Final = SuiteNumber(1)
DEFAULT_SUITES: Final = frozenset({SUITE_1})

_TOKEN = re.compile(r"[a-z0-9][a-z0-9._:+-]{0,63}")


def require_suite(suite: SuiteNumber, allowed: frozenset[SuiteNumber]) -> None:
    """Raise SuiteRefused unless the deployment allows the suite and this program knows it."""
    if suite not in allowed or suite not in DEFAULT_SUITES:
        raise SuiteRefused


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


@dataclass(frozen=True, slots=True)
class ContentContext:
    """The place of one ciphertext: which segment of which version of which record of which custodian."""

    tenant: MemberId  # 32 bytes: the custodian
    record_id: RecordId  # 16 bytes
    version: int  # from 1
    segment: str  # 1..64 of a-z 0-9 . _ : + -, unique within the version
    suite: SuiteNumber = SUITE_1

    def __post_init__(self) -> None:
        _require(len(self.tenant) == 32, "tenant has 32 bytes")
        _require(len(self.record_id) == 16, "record_id has 16 bytes")
        _require(1 <= self.version < 2**32, "version counts from 1")
        _require(_TOKEN.fullmatch(self.segment) is not None, "segment is not a short token")
        _require(0 < self.suite < 2**16, "suite is a u16")

    def encode(self, label: str) -> bytes:
        """Return deterministic CBOR of [label, suite, tenant, record_id, version, segment]."""
        return canonical.encode(
            [label, self.suite, bytes(self.tenant), bytes(self.record_id), self.version, self.segment]
        )


@dataclass(frozen=True, slots=True)
class SegmentKeyId:
    """Names a segment key: one per patient, kind of segment and epoch."""

    tenant: MemberId  # 32 bytes: the custodian
    subject: SubjectId
    kind: str  # the segment kind: a category and sensitivity class, same alphabet as a segment
    epoch: int  # u32, from 0; raised when readers lose access
    suite: SuiteNumber = SUITE_1

    def __post_init__(self) -> None:
        _require(len(self.tenant) == 32, "tenant has 32 bytes")
        _require(1 <= self.subject <= MAX_SUBJECT_ID, "subject is out of range")
        _require(_TOKEN.fullmatch(self.kind) is not None, "kind is not a short token")
        _require(0 <= self.epoch < 2**32, "epoch is a u32")
        _require(0 < self.suite < 2**16, "suite is a u16")

    def encode(self, label: str, *more: bytes | int | str) -> bytes:
        """Return deterministic CBOR of [label, suite, tenant, subject, kind, epoch, *more]."""
        subject = self.subject.to_bytes(12, "big")
        return canonical.encode(
            [label, self.suite, bytes(self.tenant), subject, self.kind, self.epoch, *more]
        )
