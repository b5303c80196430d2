"""How a running service stands. Times are unix seconds; nothing here names a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from backend.outbox.types import Backlog

UP = "up"


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """``lag_seconds``: how old the head is; None for a chain that makes blocks only on demand."""

    head: int
    head_at: int
    final: int
    lag_seconds: int | None


@dataclass(frozen=True, slots=True)
class LogFacts:
    """``covered_at``: when the whole log was last known to be anchored."""

    size: int
    anchored_size: int
    covered_at: int
    overdue: bool
    failure: str | None
    key_made_at: int


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What waits to be sent, and what was given up in the last 30 days."""

    webhooks_waiting: int
    webhooks_dead: int
    mails_waiting: int
    mails_dead: int
    acknowledgements_late: int


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """``behind``: it reaches further back than it should. ``refused``: code of what the last check found.

    ``verified_at``: when one was last read back whole and found right; the start, before the first.
    """

    shipped_at: int | None
    key_expires_at: int | None
    failure: str | None
    behind: bool
    verified_at: int
    refused: str | None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One of several nodes of the block store. ``missing``: blobs that it does not keep; None where it was
    not looked at. ``altered``: how often, since the start, it gave other bytes than it was asked for."""

    name: str
    up: bool
    missing: int | None
    altered: int


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """``pins``: blobs that the block store was told to keep; None where it did not say.

    ``nodes``, where it is several; ``pins_below``: blobs that too few of them keep.
    """

    free_bytes: int
    pins: int | None
    pins_below: int = 0
    nodes: Sequence[NodeFacts] = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted for the metrics, as it was counted last."""

    mails_waiting: int
    mails_dead: int
    acknowledgements_late: int
    catalogue_failed: bool
    damaged_answers: int  # since the start: a store gave bytes that are not those stored


@dataclass(frozen=True, slots=True)
class Facts:
    """``parts``: each part's UP, or the code of its error. A part that is away leaves its facts empty;
    ``backup`` is also None where none is configured."""

    now: int
    parts: Mapping[str, str]
    chain: ChainFacts | None
    log: LogFacts
    backlog: Sequence[Backlog]
    messages: MessageFacts | None
    backup: BackupFacts | None
    storage: StorageFacts
    credentials: Sequence[tuple[str, int]] | None  # of members not removed: name or id, when it ends
    catalogue_failed: bool
    damaged_answers: int

    @property
    def is_ready(self) -> bool:
        return all(state == UP for state in self.parts.values())


class Severity(StrEnum):
    NOW = "now"  # somebody has to get up
    SOON = "soon"  # in working hours


class AlarmCode(StrEnum):
    PART_AWAY = "part_away"
    FINALITY_BROKEN = "finality_broken"
    DAMAGED = "damaged"
    ANCHOR_OVERDUE = "anchor_overdue"
    ACTS_FAILING = "acts_failing"
    BACKUP_FAILING = "backup_failing"
    BACKUP_BEHIND = "backup_behind"
    BACKUP_UNVERIFIED = "backup_unverified"
    BACKUP_KEY_EXPIRED = "backup_key_expired"
    BACKUP_KEY_DUE = "backup_key_due"
    DISK_LOW = "disk_low"
    PINS_BELOW = "pins_below"
    NODE_ALTERED = "node_altered"
    NODE_AWAY = "node_away"
    MEMBER_EXPIRED = "member_expired"
    MEMBER_DUE = "member_due"
    ACKNOWLEDGEMENTS_LATE = "acknowledgements_late"
    WEBHOOKS_DEAD = "webhooks_dead"
    MAILS_DEAD = "mails_dead"
    LOG_KEY_DUE = "log_key_due"
    CATALOGUE_FAILED = "catalogue_failed"


@dataclass(frozen=True, slots=True)
class Alarm:
    """``subject``: the part, member or kind of act that it is about; ``cause``: the code of its error."""

    code: AlarmCode
    severity: Severity
    remedy: str
    subject: str | None = None
    cause: str | None = None
    count: int | None = None
    due_at: int | None = None
