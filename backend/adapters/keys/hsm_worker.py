"""Runs every call into one PKCS#11 module on one thread, and waits for it a bounded time.

A module is initialised once a process and not for several threads. A call into it cannot be stopped: one that
is late goes on, and until it ends nothing else is asked of the module, so that threads do not pile up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from queue import SimpleQueue
from typing import Any, ClassVar, TypeVar

from backend.adapters.keys.hsm_errors import HsmUnavailable

T = TypeVar("T")


class ModuleWorker:
    _workers: ClassVar[dict[str, ModuleWorker]] = {}
    _making: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def of(cls, module: str) -> ModuleWorker:
        """Return the worker of a module, the same for the whole process."""
        with cls._making:
            return cls._workers.setdefault(module, cls())

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._late: Future[Any] | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], T], *, timeout_seconds: float) -> T:
        """Return what ``work`` returns or raise what it raises; HsmUnavailable when it is late."""
        if self._late is not None and not self._late.done():
            raise HsmUnavailable("the HSM has not answered an earlier call yet")
        with self._making:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="pkcs11", daemon=True)
                self._thread.start()
        future: Future[T] = Future()
        self._waiting.put((future, work))
        try:
            return future.result(timeout_seconds)
        except FutureTimeout:
            if future.done():
                raise  # its own
            self._late = future
            raise HsmUnavailable(f"the HSM did not answer within {timeout_seconds:g} seconds") from None

    def _serve(self) -> None:
        while True:
            future, work = self._waiting.get()
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where the call was made
                future.set_exception(error)
            del future, work  # neither keys nor errors stay until the next call
