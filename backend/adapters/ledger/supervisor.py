"""Keeps one engine running: starts it, waits for its end, starts it again; says which one answers now."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from backend.adapters.ledger.engine import Engine
from backend.adapters.ledger.errors import ChainStartFailed
from backend.consent.ledger_types import LedgerView
from backend.errors import LedgerUnavailable, OperatorError

_log = logging.getLogger(__name__)
DROP_AFTER_FAILURES = 3
_GIVE_UP_AFTER_FAILURES = 6
_LARGEST_BACKOFF_SECONDS = 5.0


class Supervisor:
    """One thread that lives from ``run`` to ``stop``; anvil is leashed to it (see process).

    ``start`` is given the number of starts that failed in a row, and publishes the engine it returns,
    or returns None when the chain is closing.
    """

    def __init__(self, start: Callable[[int], Engine | None]) -> None:
        self._start = start
        self._live: tuple[Engine, LedgerView] | None = None
        self._failure: OperatorError | None = None
        self._stopping = False
        self._has_run = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name="embedded-chain", daemon=True)

    def run(self, timeout_seconds: float) -> None:
        """Return once an engine is published. Raise what prevents it for good, or LedgerUnavailable."""
        self._thread.start()
        with self._changed:
            done = self._changed.wait_for(lambda: self._live or self._failure, timeout_seconds)
        if self._failure is not None:
            raise self._failure
        if not done:
            raise LedgerUnavailable("The embedded chain is still replaying its journal.")

    def require(self) -> tuple[Engine, LedgerView]:
        """Return the running engine and the view of its chain.

        Raise LedgerUnavailable at once where none runs.
        """
        live = self._live
        if live is not None:
            return live
        if self._failure is not None:
            raise LedgerUnavailable(f"The embedded chain cannot start: {self._failure.detail}")
        raise LedgerUnavailable("The embedded chain is starting.")

    def publish(self, engine: Engine, view: LedgerView) -> None:
        with self._changed:
            self._live = (engine, view)
            self._has_run = True
            self._changed.notify_all()

    def drop(self, engine: Engine) -> None:
        """End this engine at the first doubt; the thread replaces it."""
        with self._changed:
            if self._live is not None and self._live[0] is engine:
                self._live = None
        engine.stop()

    def stop(self) -> None:
        """End the engine and the thread. Safe to call twice."""
        with self._changed:
            self._stopping = True
            live, self._live = self._live, None
            self._changed.notify_all()
        if live is not None:
            live[0].stop()
        if self._thread.is_alive():
            self._thread.join(30)

    def _loop(self) -> None:
        failures = 0
        while not self._stopping:
            try:
                engine = self._start(failures)
                if engine is None:
                    return
                try:
                    engine.process.wait()
                finally:
                    self.drop(engine)
                failures = 0
                if not self._stopping:
                    _log.warning("anvil ended; replaying")
            except (LedgerUnavailable, ChainStartFailed) as error:
                failures += 1
                _log.warning("the embedded chain did not start: %s", error.detail)
                hopeless = failures >= _GIVE_UP_AFTER_FAILURES or not self._has_run
                if isinstance(error, ChainStartFailed) and hopeless:
                    self._fail(error)
                    return
            except OperatorError as error:
                self._fail(error)
                return
            except Exception as error:  # noqa: BLE001 - logged, and told to every caller
                _log.exception("the supervisor of the embedded chain failed")
                self._fail(ChainStartFailed(f"Starting the embedded chain failed ({type(error).__name__})."))
                return
            self._pause(min(0.1 * 2**failures, _LARGEST_BACKOFF_SECONDS) if failures else 0.0)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)

    def _fail(self, error: OperatorError) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()
