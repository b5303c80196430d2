"""The threads that carry acts on behind the requests, and take up what a crash left."""

from __future__ import annotations

import logging
import queue
import threading
import time

from backend.errors import AssentError
from backend.outbox.errors import LeaseLost, NotYet
from backend.outbox.service import Outbox
from backend.outbox.types import Act

_LOG = logging.getLogger("assent.outbox")
RECOVER_EVERY_SECONDS = 1.0
WORKERS = 8  # an act waits for its entry's commit, and the log takes in together what waits together
MAX_TAKEOVER_ROUNDS = 100
TAKE_OVER_SECONDS = 2.0  # on a network each act waits for a block, and a start must not wait for all of them
MOST_QUEUED = 64  # of what is taken up: so many are begun before their leases run out


class Driver:
    """``hand_over`` an act to have it driven to its end soon; ``close`` waits for what was handed over."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._acts: queue.SimpleQueue[Act | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=run, name=f"outbox-{number}", daemon=True)
            for number, run in enumerate([self._run, *[self._run_queue] * (WORKERS - 1)])
        ]

    def take_over(self) -> None:
        """Take up at start-up what a killed process left, instead of waiting for its leases to run out: for
        ``TAKE_OVER_SECONDS`` at once, the rest behind the requests."""
        for _ in range(MAX_TAKEOVER_ROUNDS):
            try:
                self._outbox.recover(takeover=True, seconds=TAKE_OVER_SECONDS, hand_over=self.hand_over)
            except AssentError as failure:  # this act is over; the others are not
                _LOG.warning("act failed at start-up", extra={"code": failure.code})
            else:
                return

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def hand_over(self, act: Act) -> None:
        self._acts.put(act)

    def close(self, *, timeout_seconds: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_seconds
        for _ in self._threads:
            self._acts.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run_queue(self) -> None:
        while (act := self._acts.get()) is not None:
            self._attempt(act)

    def _run(self) -> None:
        recover_at = time.monotonic() + RECOVER_EVERY_SECONDS
        while True:
            try:
                act = self._acts.get(timeout=max(0.0, recover_at - time.monotonic()))
            except queue.Empty:
                pass
            else:
                if act is None:
                    return
                self._attempt(act)
            # Also while there is always more to do: what waits for its time waits for no quiet moment.
            if time.monotonic() >= recover_at:
                self._attempt(None)
                recover_at = time.monotonic() + RECOVER_EVERY_SECONDS

    def _attempt(self, act: Act | None) -> None:
        # Nothing may end this thread: what fails now stays in the outbox and is taken up again.
        try:
            if act is None:
                free = MOST_QUEUED - self._acts.qsize()
                if free > 0:
                    self._outbox.recover(limit=free, seconds=0, hand_over=self.hand_over)
            else:
                self._outbox.drive(act, awaiting=False)
        except (NotYet, LeaseLost):
            return  # it is taken up again at its time, or another one has taken it up
        except AssentError as failure:
            _LOG.warning("act not finished", extra={"code": failure.code, "kind": act.kind if act else ""})
        except Exception:  # noqa: BLE001 - see above; it is logged
            _LOG.exception("act failed unexpectedly")
