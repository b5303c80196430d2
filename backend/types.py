"""Names and units of the values that cross package borders.

Each is a distinct type, so that mypy refuses a block number where a log index is meant. Ids that are hashes
or random values are raw bytes inside and lower-case ``0x`` hex at the edges.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType

Address = NewType("Address", str)  # EIP-55 checksummed account address
Bytes32 = NewType("Bytes32", bytes)  # exactly 32 bytes
SubjectId = NewType("SubjectId", int)  # pseudonym of a patient at one custodian, 1 .. 2**96-1 (0 is nobody)
ConsentId = NewType("ConsentId", bytes)  # 32 bytes: EIP-712 struct hash of a Grant or a Delegation
MemberId = NewType("MemberId", bytes)  # 32 bytes: a participant (organisation, practitioner, study)
RecordId = NewType("RecordId", bytes)  # 16 random bytes
BlockNumber = NewType("BlockNumber", int)
UnixSeconds = NewType("UnixSeconds", int)
LogIndex = NewType("LogIndex", int)  # position of an entry in the audit log, from 0
QueuePosition = NewType("QueuePosition", int)  # position in the queue of restrictions, from 0

MAX_SUBJECT_ID = 2**96 - 1
MAX_UINT32 = 2**32 - 1
MAX_UINT40 = 2**40 - 1


def to_hex(value: bytes) -> str:
    """Return lower-case hex with the ``0x`` prefix, as ids are written at the edges."""
    return "0x" + value.hex()


def subject_text(subject: int) -> str:
    """Return a subject id as it is written at the edges: 24 hex digits with the ``0x`` prefix."""
    return f"0x{subject:024x}"


def time_text(at: int) -> str:
    """Return unix seconds as RFC 3339 in UTC, with ``Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
