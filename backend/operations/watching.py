"""Collects how the service stands. A part that is away is told, and does not hide the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from backend.audit.anchorer import Anchorer
from backend.audit.log import AuditLog
from backend.audit.log_keys import LogKeyRing
from backend.consent.ledger_types import LedgerView
from backend.consent.member_book import MemberBook, Shown
from backend.errors import AssentError, Conflict
from backend.notices.delivering import Deliveries
from backend.operations.types import (
    UP,
    BackupFacts,
    ChainFacts,
    Counted,
    Facts,
    LogFacts,
    MessageFacts,
    NodeFacts,
    StorageFacts,
)
from backend.outbox.service import Outbox
from backend.records.pin_repair import PinRepair
from backend.types import to_hex

BEHIND_SECONDS: Final = 300
PINS_SECONDS: Final = 600  # a large store takes its time to list them
_Found = TypeVar("_Found")


class BackupStatus(Protocol):
    def status(self) -> dict[str, Any]:
        """Raises Conflict where no backup is configured."""
        ...


class Watching:
    """``parts``: checks by name that raise when a part is away. ``counted``: the numbers of the metrics."""

    def __init__(
        self,
        *,
        parts: Mapping[str, Callable[[], None]],
        chain: Callable[[], LedgerView],
        blocks_on_demand: bool,
        log: AuditLog,
        log_keys: LogKeyRing,
        anchorer: Anchorer,
        outbox: Outbox,
        deliveries: Deliveries,
        backups: BackupStatus,
        members: MemberBook,
        pins: Callable[[], Iterable[object]],
        pin_repair: PinRepair | None,
        free_bytes: Callable[[], int],
        counted: Callable[[], Counted],
        clock: Callable[[], int],
    ) -> None:
        self._parts = parts
        self._chain = chain
        self._blocks_on_demand = blocks_on_demand
        self._log = log
        self._log_keys = log_keys
        self._anchorer = anchorer
        self._outbox = outbox
        self._deliveries = deliveries
        self._backups = backups
        self._members = members
        self._pins = pins
        self._pin_repair = pin_repair
        self._free_bytes = free_bytes
        self._counted = counted
        self._clock = clock
        self._pins_counted: tuple[int, int] | None = None  # when, and how many

    def parts(self) -> dict[str, str]:
        """Return each part's UP, or the code of its error."""
        return {name: _state(check) for name, check in self._parts.items()}

    def facts(self) -> Facts:
        counted = self._counted()
        return Facts(
            now=self._clock(),
            parts=self.parts(),
            chain=_unless_away(self._of_chain),
            log=self._of_log(),
            backlog=_unless_away(self._outbox.backlog) or (),
            messages=_unless_away(lambda: self._of_messages(counted)),
            backup=self._of_backup(),
            storage=self._of_storage(),
            credentials=_unless_away(self._of_members),
            catalogue_failed=counted.catalogue_failed,
            damaged_answers=counted.damaged_answers,
        )

    def _of_chain(self) -> ChainFacts:
        view = self._chain()
        lag = None if self._blocks_on_demand else max(0, self._clock() - view.head_timestamp)
        return ChainFacts(view.head_number, view.head_timestamp, view.final_number, lag)

    def _of_log(self) -> LogFacts:
        status = self._anchorer.status()
        return LogFacts(
            size=self._log.state.size,
            anchored_size=status.anchored_size,
            covered_at=status.covered_at,
            overdue=status.overdue,
            failure=status.last_error,
            key_made_at=self._log_keys.known[-1].made_at,
        )

    def _of_messages(self, counted: Counted) -> MessageFacts:
        waiting, dead = self._deliveries.counts()
        return MessageFacts(
            webhooks_waiting=waiting,
            webhooks_dead=dead,
            mails_waiting=counted.mails_waiting,
            mails_dead=counted.mails_dead,
            acknowledgements_late=counted.acknowledgements_late,
        )

    def _of_backup(self) -> BackupFacts | None:
        try:
            status = self._backups.status()
        except Conflict:
            return None
        shipped, now = status["shipped_at"], self._clock()
        patience = max(BEHIND_SECONDS, 3 * self._anchorer.interval_seconds)
        return BackupFacts(
            shipped_at=shipped,
            key_expires_at=status["key_expires_at"],
            failure=status["error"],
            verified_at=status["watched_from"],
            refused=status["refused"],
            behind=shipped is not None and not status["running"] and now - shipped > patience,
        )

    def _of_storage(self) -> StorageFacts:
        free, pins, repair = self._free_bytes(), _unless_away(self._count_pins), self._pin_repair
        if repair is None:
            return StorageFacts(free, pins)
        found, replicas = repair.last, repair.replicas
        nodes = [
            NodeFacts(
                name=name,
                up=replicas.answered(name),
                missing=None if found is None else found.missing.get(name),
                altered=replicas.altered_at(name),
            )
            for name in replicas.nodes()
        ]
        return StorageFacts(free, pins, 0 if found is None else found.below, nodes)

    def _count_pins(self) -> int:
        kept, now = self._pins_counted, self._clock()
        if kept is None or now - kept[0] > PINS_SECONDS:
            kept = (now, sum(1 for _ in self._pins()))
            self._pins_counted = kept
        return kept[1]

    def _of_members(self) -> Sequence[tuple[str, int]]:
        return [
            (entry.name or to_hex(entry.member), entry.expiry)
            for entry in self._members.all()
            if entry.expiry and entry.standing.shown is not Shown.REMOVED
        ]


def _state(check: Callable[[], None]) -> str:
    try:
        check()
    except AssentError as failure:
        return failure.code
    return UP


def _unless_away(find: Callable[[], _Found]) -> _Found | None:
    try:
        return find()
    except AssentError:
        return None
