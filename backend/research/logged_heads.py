"""Heads of research's ledgers as entries of the audit log, which nobody can put back with the index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from backend.audit import codes
from backend.audit.access import AccessEntry
from backend.audit.entry import Agent, AuditEvent, DetailValue, Outcome
from backend.audit.errors import EntryDamaged
from backend.audit.log import AuditLog
from backend.audit.search import LogSearch
from backend.research.types import ChainHead, LedgerHead, NanoRho
from backend.types import SubjectId

LOOKED_AT_ONCE: Final = 1_000


class Head(Protocol):
    @property
    def ledger(self) -> str: ...


H = TypeVar("H", bound=Head)


@dataclass(frozen=True, slots=True)
class HeadKind(Generic[H]):
    """How the heads of one kind of ledger are written in entries of the type ``code``. ``read`` returns None
    for a detail of another form."""

    code: str
    written: Callable[[H], dict[str, DetailValue]]
    read: Callable[[dict[str, DetailValue]], H | None]

    def event_of(self, head: H, *, at: int) -> AuditEvent:
        return AuditEvent(
            type=self.code,
            outcome=Outcome.CHANGED,
            occurred_at_ms=at * 1000,
            actor=Agent.service("research"),
            detail=self.written(head),
        )

    def head_of(self, event: AuditEvent) -> H | None:
        """The head that an entry tells, None for any other entry."""
        return self.read(dict(event.detail)) if event.type == self.code else None


class LoggedHeads(Generic[H]):
    """Implements ``backend.research.ports.HeadLog`` and ``ChainLog`` for one ledger."""

    def __init__(
        self, kind: HeadKind[H], *, log: AuditLog, search: LogSearch, ledger: str, clock: Callable[[], int]
    ) -> None:
        self._kind = kind
        self._log = log
        self._search = search
        self._ledger = ledger
        self._clock = clock

    def note(self, head: H) -> None:
        self._log.append(self._kind.event_of(head, at=self._clock()))

    def newest(self) -> tuple[H | None, bool]:
        """The newest head in the log, and whether it stands near the log's end (a thousand entries).

        Reads the system's entries backwards. Raises EntryDamaged when one cannot be opened on the way, since
        it may be the one looked for, and AuditUnavailable.
        """
        found, near = newest_entry(self._search, self._is_ours)
        return (None if found is None or found.event is None else self._kind.head_of(found.event)), near

    def _is_ours(self, entry: AccessEntry) -> bool:
        head = None if entry.event is None else self._kind.head_of(entry.event)
        return head is not None and head.ledger == self._ledger


def newest_entry(search: LogSearch, wanted: Callable[[AccessEntry], bool]) -> tuple[AccessEntry | None, bool]:
    """The newest of the system's entries that is wanted, and whether it stands near the log's end.

    Raises EntryDamaged when one cannot be opened on the way, since it may be the one, and AuditUnavailable.
    """
    system: set[SubjectId | None] = {None}
    span, near = search.span(), True
    while True:
        found = search.scan(system, span, newest_first=True, keep=wanted, limit=1, most=LOOKED_AT_ONCE)
        if found.damaged:
            raise EntryDamaged(f"entry {found.damaged[0]} cannot be read")
        if found.entries or found.rest is None:
            return next(iter(found.entries), None), near
        span, near = found.rest, False


def _privacy_detail(head: LedgerHead) -> dict[str, DetailValue]:
    return {"ledger": head.ledger, "count": head.count, "digest": head.digest, "spent": head.spent}


def _privacy_head(detail: dict[str, DetailValue]) -> LedgerHead | None:
    match detail:
        case {"ledger": str(ledger), "count": int(count), "digest": bytes(digest), "spent": int(spent)}:
            return LedgerHead(ledger, count, digest, NanoRho(spent))
    return None


def _chain_detail(head: ChainHead) -> dict[str, DetailValue]:
    return {"ledger": head.ledger, "count": head.count, "digest": head.digest}


def _chain_head(detail: dict[str, DetailValue]) -> ChainHead | None:
    match detail:
        case {"ledger": str(ledger), "count": int(count), "digest": bytes(digest)}:
            return ChainHead(ledger, count, digest)
    return None


PRIVACY_HEADS: Final = HeadKind(codes.PRIVACY_CHARGED, _privacy_detail, _privacy_head)
RELEASE_HEADS: Final = HeadKind(codes.RELEASE_ENTERED, _chain_detail, _chain_head)
JOINING_HEADS: Final = HeadKind(codes.PRIVACY_JOINED, _chain_detail, _chain_head)
