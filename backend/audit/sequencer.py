"""The one thread that writes the log: group commit under a fenced lease.

It takes what has queued up (at most 256 entries), calls the guards, commits one bundle, answers, and begins
again at once; it never waits for more to come. When the store's answer is lost it takes the lease anew,
which makes a late write impossible, and reads the head to learn whether the bundle landed.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

from backend.audit.bundling import BundleBuilder, PreparedEntry
from backend.audit.errors import AuditClosed, AuditFenced, AuditUnavailable
from backend.audit.ports import AuditStore
from backend.audit.state import LogState
from backend.audit.types import MAX_BUNDLE_ENTRIES, AppendedEntry, Bundle, Head

_log = logging.getLogger(__name__)
Guard = Callable[[], None]
Answer = Callable[[AppendedEntry | Exception], None]
_SHORT_PATIENCE_SECONDS = 0.2


class Waiting:
    """One entry under way. ``answer`` is called once, by the sequencer's thread: it must be quick and not
    raise. An ``abandoned`` entry that is still queued is not written."""

    __slots__ = ("abandoned", "answer", "entry", "guard")

    def __init__(self, entry: PreparedEntry, guard: Guard | None, answer: Answer) -> None:
        self.entry = entry
        self.guard = guard
        self.answer = answer
        self.abandoned = False


class Reply:
    """Where a thread waits for an answer."""

    __slots__ = ("_done", "_outcome")

    def __init__(self) -> None:
        self._outcome: AppendedEntry | Exception = AuditUnavailable()
        self._done = threading.Lock()  # cheaper than an Event: one release, one acquire
        self._done.acquire()

    def give(self, outcome: AppendedEntry | Exception) -> None:
        self._outcome = outcome
        self._done.release()

    def wait(self, timeout_seconds: float) -> AppendedEntry | None:
        """Return the entry, or None when the time is up; raise the error that was given."""
        if not self._done.acquire(timeout=timeout_seconds):
            return None
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Sequencer:
    def __init__(
        self,
        *,
        store: AuditStore,
        state: LogState,
        head: Head,
        clock_ms: Callable[[], int],
        ttl_ms: int,
        settle_seconds: float,
        leased_until_ms: int,
    ) -> None:
        self._store = store
        self._state = state
        self._head = head
        self._clock_ms = clock_ms
        self._ttl_ms = ttl_ms
        self._settle_seconds = settle_seconds
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closing = False
        self._unsettled: Bundle | None = None  # sent, and not known whether it landed
        self._closed_chains: set[bytes] = set()
        self._thread = threading.Thread(target=self._run, name="audit-sequencer", daemon=True)
        self.commits = 0  # bundles written by this process
        self.fenced = False
        self.leased_until_ms = leased_until_ms  # after it, another process may have the log

    @property
    def token(self) -> int:
        """Of the lease that this process has, or had."""
        return self._head.token

    def start(self) -> None:
        self._thread.start()

    def submit(self, entries: Iterable[Waiting]) -> None:
        with self._gate:
            if self._closing:
                raise AuditClosed
            if self.fenced:
                raise AuditFenced
            for waiting in entries:
                self._queue.put(waiting)

    def close(self) -> None:
        """Write what is queued, give the lease back and end the thread."""
        with self._gate:
            if self._closing:
                return
            self._closing = True
            self._queue.put(None)
        self._thread.join()
        try:
            self._store.release(self._head)
        except AuditUnavailable:
            _log.warning("the audit lease was not given back; it runs out by itself")

    def _run(self) -> None:
        closing = False
        while not closing:
            try:
                first = self._queue.get(timeout=self._ttl_ms / 3_000)
            except Empty:
                self._renew()
                continue
            batch: list[Waiting] = []
            item: Waiting | None = first
            while True:
                if item is None:
                    closing = True
                    break
                if not item.abandoned:
                    batch.append(item)
                if len(batch) == MAX_BUNDLE_ENTRIES or self._queue.empty():
                    break
                item = self._queue.get()
            if batch:
                self._write(batch)

    def _renew(self) -> None:
        if self.fenced:
            return
        try:
            self._settle(deadline=time.monotonic())
            expiry = self._expiry()
            self._store.renew(self._head, expires_ms=expiry)
            self.leased_until_ms = expiry
        except AuditFenced:
            self._stop_writing()
        except AuditUnavailable:
            _log.warning("the audit lease could not be renewed")

    def _write(self, batch: list[Waiting]) -> None:
        """Commit the batch and answer every caller, whatever happens."""
        # While an earlier bundle is unsettled the store is down: answer soon instead of piling up callers.
        patience = self._settle_seconds if self._unsettled is None else _SHORT_PATIENCE_SECONDS
        deadline = time.monotonic() + patience
        outcomes: dict[Waiting, AppendedEntry | Exception] = {}
        try:
            while not self._attempt(batch, outcomes, deadline):
                pass
        except AuditFenced as error:
            self._stop_writing()
            failure: Exception = error
        except AuditUnavailable as error:
            failure = error
        except Exception as error:  # noqa: BLE001
            # A defect must not leave callers waiting for ever, nor end the thread unseen.
            _log.exception("the audit sequencer failed")
            failure = AuditUnavailable()
            failure.__cause__ = error
        else:
            failure = AuditUnavailable()
        for waiting in batch:
            waiting.answer(outcomes.get(waiting, failure))

    def _attempt(
        self,
        batch: list[Waiting],
        outcomes: dict[Waiting, AppendedEntry | Exception],
        deadline: float,
    ) -> bool:
        """Try once to commit; fill ``outcomes`` when it is known what became of each entry."""
        if self.fenced:
            raise AuditFenced
        self._settle(deadline)
        chains = self._closed_chains.copy()
        builder = BundleBuilder(
            self._state, token=self._head.token, recorded_at_ms=self._clock_ms(), closed=chains
        )
        results: dict[Waiting, AppendedEntry | Exception] = {}
        for waiting in batch:
            try:
                if waiting.guard is not None:
                    waiting.guard()
                results[waiting] = builder.add(waiting.entry)
            except Exception as error:  # noqa: BLE001 - whatever the guard raises goes to its own caller
                results[waiting] = error
        if len(builder):
            bundle = builder.bundle()
            expiry = self._expiry()
            try:
                head = self._store.commit(self._head, bundle, expires_ms=expiry)
            except AuditFenced:
                raise
            except AuditUnavailable:
                self._unsettled = bundle
                self._settle(deadline)
                if self._state.size < bundle.end:
                    if time.monotonic() >= deadline:
                        raise
                    return False  # it did not land: guards are asked again, then it is sent again
            else:
                self._landed(bundle, head)
                self.leased_until_ms = expiry
        self._closed_chains = chains
        outcomes.update(results)
        return True

    def _settle(self, deadline: float) -> None:
        """Find out whether the last bundle landed. Raises AuditUnavailable when the time is up first."""
        while self._unsettled is not None:
            bundle = self._unsettled
            try:
                head = self._store.acquire(
                    holder=self._head.holder, now_ms=self._clock_ms(), ttl_ms=self._ttl_ms, takeover=False
                )
            except AuditUnavailable:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)
                continue
            except Exception as error:
                raise AuditFenced from error  # someone else holds the lease now
            if (head.size, head.root) == (bundle.end, bundle.root):
                self._landed(bundle, head)
            elif (head.size, head.root) == (self._head.size, self._head.root):
                self._head = head
            else:
                raise AuditFenced
            self._unsettled = None

    def _landed(self, bundle: Bundle, head: Head) -> None:
        self._state.apply(bundle)
        self._head = head
        self.commits += 1

    def _stop_writing(self) -> None:
        self.fenced = True
        _log.error("another process writes the audit log; this one stopped writing")

    def _expiry(self) -> int:
        return self._clock_ms() + self._ttl_ms


def new_holder() -> str:
    """Return a name for this process as holder of the lease, never used again."""
    return secrets.token_hex(16)
