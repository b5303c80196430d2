"""The audit log as the rest of the service sees it: append, and read-only access to its state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence

from backend.audit.bundling import prepare
from backend.audit.entry import AuditEvent
from backend.audit.errors import (
    AuditClosed,
    AuditFenced,
    AuditUnavailable,
    EntryDamaged,
    InvalidEvent,
    StaleSeal,
)
from backend.audit.ports import Anchor, AuditKeys, AuditStore
from backend.audit.reader import LogReader
from backend.audit.sequencer import Answer, Guard, Reply, Sequencer, Waiting, new_holder
from backend.audit.startup import check_history, rebuild
from backend.audit.state import LogState
from backend.audit.types import ACT_BYTES, AppendedEntry
from backend.types import LogIndex
from backend.waiting import about_to_wait

_RESEALS = 8


class AuditLog:
    """One log of one custodian. ``start`` before use, ``close`` at the end.

    ``origin`` is the log's unique name and part of every hash: it never changes. ``clock_ms`` gives unix
    milliseconds. ``takeover`` takes the lease from a holder that may still live: safe, since the old one is
    fenced, and right where a lock on the data directory keeps a second process out. ``holder``: this
    process's own name, never used before; ``gone``: names of holders that are known to have ended.
    """

    def __init__(
        self,
        *,
        store: AuditStore,
        keys: AuditKeys,
        anchor: Anchor | None,
        origin: str,
        clock_ms: Callable[[], int],
        takeover: bool = False,
        holder: str | None = None,
        gone: Collection[str] = (),
        lease_ttl_ms: int = 15_000,
        settle_seconds: float = 5.0,
        append_timeout_seconds: float = 30.0,
    ) -> None:
        self.origin = origin
        self._store = store
        self._keys = keys
        self._anchor = anchor
        self._clock_ms = clock_ms
        self._takeover = takeover
        self._holder = holder or new_holder()
        self._gone = gone
        self._ttl_ms = lease_ttl_ms
        self._settle_seconds = settle_seconds
        self.timeout_seconds = append_timeout_seconds
        self._reader = LogReader(log=self, store=store, keys=keys)
        self._lock = threading.Lock()
        self._state: LogState | None = None
        self._sequencer: Sequencer | None = None
        # Told of each new entry once it is durable, on the sequencer's thread: it must be quick, not raise.
        self.listener: Callable[[LogIndex, AuditEvent], None] | None = None

    def start(self) -> None:
        """Take the lease, rebuild the log from its entries, compare it with head, checkpoints and chain.

        Raises LeaseHeld, LogDamaged, LogRolledBack, LogForked, AuditUnavailable, LedgerUnavailable.
        """
        with self._lock:
            if self._sequencer is not None:
                return
            now_ms = self._clock_ms()
            head = self._store.acquire(
                holder=self._holder,
                now_ms=now_ms,
                ttl_ms=self._ttl_ms,
                takeover=self._takeover,
                gone=self._gone,
            )
            try:
                state = rebuild(self._store, head)
                check_history(state, self._store, self._anchor)
            except BaseException:
                self._store.release(head)
                raise
            self._state = state
            self._sequencer = Sequencer(
                store=self._store,
                state=state,
                head=head,
                clock_ms=self._clock_ms,
                ttl_ms=self._ttl_ms,
                settle_seconds=self._settle_seconds,
                leased_until_ms=now_ms + self._ttl_ms,
            )
            self._sequencer.start()

    def close(self) -> None:
        """Write what is queued, then stop; later appends raise AuditClosed."""
        with self._lock:
            if self._sequencer is not None:
                self._sequencer.close()

    @property
    def state(self) -> LogState:
        """The log's tree and chains, for readers. Raises AuditClosed before ``start``."""
        if self._state is None:
            raise AuditClosed
        return self._state

    @property
    def writable(self) -> bool:
        """Whether this process may write: started, and not fenced off by another."""
        return self._sequencer is not None and not self._sequencer.fenced

    @property
    def leased(self) -> bool:
        """Whether nobody else can have the log now: the lease has not run out since it was last renewed."""
        return self.writable and (
            self._takeover
            or (self._sequencer is not None and self._clock_ms() < self._sequencer.leased_until_ms)
        )

    @property
    def token(self) -> int:
        """Fencing number of this process's lease. Raises AuditClosed before ``start``."""
        if self._sequencer is None:
            raise AuditClosed
        return self._sequencer.token

    def require_writable(self) -> None:
        """Raise AuditFenced once another process writes the log."""
        if not self.writable:
            raise AuditFenced

    @property
    def commits(self) -> int:
        """Bundles committed by this process."""
        return self._sequencer.commits if self._sequencer is not None else 0

    def append(
        self, event: AuditEvent, *, guard: Guard | None = None, act: bytes | None = None
    ) -> AppendedEntry:
        """Write the event and return when it is durable; any number of threads may call.

        ``guard`` is called by the sequencer right before the commit, possibly more than once; when it raises,
        this entry is not written and the same exception is raised here. It must be quick and take no lock
        that is held while appending. ``act`` (16 bytes) names the outbox act the entry belongs to: repeated
        after a crash it gives the entry written before.

        Raises AuditUnavailable when it is not known to be durable, and EntryDamaged when the store claims an
        act as written that was not. Release nothing then.
        """
        about_to_wait()
        if act is not None and len(act) != ACT_BYTES:
            raise InvalidEvent("an act is 16 bytes", field="act")
        for _ in range(_RESEALS):
            reply = Reply()
            waiting = self.prepare(event, guard=guard, act=act or b"", answer=reply.give)
            self.submit([waiting])
            try:
                entry = reply.wait(self.timeout_seconds)
            except StaleSeal:
                continue  # the patient's audit key was rotated meanwhile
            if entry is None:
                waiting.abandoned = True
                raise AuditUnavailable
            if entry.repeated and self._reader.act_of(event.subject, entry.index) != act:
                # The store says that the act was written before, and it was not: nothing may be hidden so.
                raise EntryDamaged(f"entry {entry.index} is not of this act")
            return entry
        raise StaleSeal

    def append_all(
        self, entries: Sequence[tuple[AuditEvent, Guard | None]]
    ) -> list[AppendedEntry | Exception]:
        """``append`` for many events that do not depend on each other: they share commits.

        Returns, for each in order, its entry or what ``append`` would have raised.
        """
        about_to_wait()
        replies = [Reply() for _ in entries]
        waiting = [
            self.prepare(event, guard=guard, answer=reply.give)
            for (event, guard), reply in zip(entries, replies, strict=True)
        ]
        self.submit(waiting)
        outcomes: list[AppendedEntry | Exception] = []
        for (event, guard), reply, item in zip(entries, replies, waiting, strict=True):
            try:
                entry = reply.wait(self.timeout_seconds)
            except StaleSeal:
                outcomes.append(self._alone(event, guard))
            except Exception as failure:  # noqa: BLE001 - each caller's own: a guard may raise anything
                outcomes.append(failure)
            else:
                item.abandoned = entry is None
                outcomes.append(AuditUnavailable() if entry is None else entry)
        return outcomes

    def _alone(self, event: AuditEvent, guard: Guard | None) -> AppendedEntry | Exception:
        try:
            return self.append(event, guard=guard)
        except Exception as failure:  # noqa: BLE001
            return failure

    def prepare(self, event: AuditEvent, *, guard: Guard | None, answer: Answer, act: bytes = b"") -> Waiting:
        """The first half of ``append``, for a caller that does not wait: seal the event, for ``submit``.

        ``answer`` gets the entry or the error. It may get StaleSeal, when the patient's audit key was rotated
        meanwhile: prepare again. Whoever gives up marks what is returned as abandoned.
        """
        listener = self.listener
        prepared = prepare(
            event.encode(),
            subject=event.subject,
            act=act,
            keys=self._keys,
            state=self.state,
            origin=self.origin,
        )
        if listener is None:
            return Waiting(prepared, guard, answer)

        def tell_and_answer(outcome: AppendedEntry | Exception) -> None:
            if isinstance(outcome, AppendedEntry) and not outcome.repeated:
                listener(outcome.index, event)
            answer(outcome)

        return Waiting(prepared, guard, tell_and_answer)

    def submit(self, entries: Iterable[Waiting]) -> None:
        """The other half: queue prepared entries, all or none. Raises AuditClosed or AuditFenced."""
        if self._sequencer is None:
            raise AuditClosed
        self._sequencer.submit(entries)
