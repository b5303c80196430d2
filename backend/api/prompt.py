"""Answers out of memory are given on the event loop; what has to wait goes on in a worker thread.

A read that finds token, manifest and evidence in memory takes half a millisecond, which is less than handing
it to a thread, waking that thread again when the log is durable, and handing the answer back. See
docs/decisions/0007-reads-on-the-event-loop.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from backend.audit.entry import AuditEvent
from backend.audit.errors import AuditUnavailable, StaleSeal
from backend.audit.log import AuditLog
from backend.audit.sequencer import Guard, Waiting
from backend.audit.types import AppendedEntry
from backend.consent.errors import RestrictionArrived
from backend.records.reading import ReadingService, Released, Wanted
from backend.waiting import MustWait, without_waiting

Value = TypeVar("Value")


async def prompt(work: Callable[[], Value]) -> Value:
    """Return what ``work`` gives: at once if it need not wait, else from a worker thread."""
    try:
        with without_waiting():
            return work()
    except MustWait:
        return await run_in_threadpool(work)


class PromptLog:
    """``AuditLog.append`` for routes, on the one event loop that serves them."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._turn: _Turn | None = None

    async def append(self, event: AuditEvent) -> None:
        """Return when the entry is durable; raise AuditUnavailable."""
        try:
            await self.append_once(event, guard=None)
        except StaleSeal:
            await run_in_threadpool(self._audit.append, event)

    async def append_once(self, event: AuditEvent, *, guard: Guard | None) -> None:
        """Return when the entry is durable; raise what its guard raises, AuditUnavailable, or StaleSeal, with
        which the caller starts again."""
        # Entries of one turn of the loop go to the log together: one commit serves them all.
        turn = self._turn
        if turn is None:
            loop = asyncio.get_running_loop()
            turn = self._turn = _Turn(loop)
            loop.call_soon(self._submit, turn)
        await turn.add(self._audit, event, guard)

    def _submit(self, turn: _Turn) -> None:
        self._turn = None
        turn.submit(self._audit)


class _Turn:
    """Entries that were made in one turn of the loop, and their answers: one timer and one waking for all."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[Waiting, asyncio.Future[AppendedEntry]]] = []
        self._answered: deque[tuple[asyncio.Future[AppendedEntry], AppendedEntry | Exception]] = deque()
        self._waking = False  # the loop was told, and has not looked yet
        self._timer: asyncio.TimerHandle | None = None
        self._open = 0

    def add(self, audit: AuditLog, event: AuditEvent, guard: Guard | None) -> asyncio.Future[AppendedEntry]:
        answered: asyncio.Future[AppendedEntry] = self._loop.create_future()
        waiting = audit.prepare(event, guard=guard, answer=lambda outcome: self._answer(answered, outcome))
        self._waiting.append((waiting, answered))
        return answered

    def submit(self, audit: AuditLog) -> None:
        if not self._waiting:
            return  # the one entry could not be prepared
        self._open = len(self._waiting)
        self._timer = self._loop.call_later(audit.timeout_seconds, self._give_up)
        try:
            audit.submit(waiting for waiting, _ in self._waiting)
        except AuditUnavailable as failure:
            for waiting, _ in self._waiting:
                waiting.answer(failure)

    def _answer(self, answered: asyncio.Future[AppendedEntry], outcome: AppendedEntry | Exception) -> None:
        """Called by the sequencer's thread."""
        self._answered.append((answered, outcome))
        if not self._waking:
            self._waking = True
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._waking = False  # before looking: what is answered from here on wakes the loop again
        while self._answered:
            answered, outcome = self._answered.popleft()
            self._open -= 1
            if answered.done():
                continue
            if isinstance(outcome, Exception):
                answered.set_exception(outcome)
            else:
                answered.set_result(outcome)
        if self._open == 0 and self._timer is not None:
            self._timer.cancel()

    def _give_up(self) -> None:
        for waiting, answered in self._waiting:
            if not answered.done():
                waiting.abandoned = True
                answered.set_exception(AuditUnavailable())


class PromptReading:
    """``ReadingService.read`` for routes."""

    def __init__(self, *, reading: ReadingService, log: PromptLog) -> None:
        self._reading = reading
        self._log = log

    async def read(self, wanted: Wanted) -> Released:
        """Return what may leave, and raise, as ``ReadingService.read``."""
        try:
            with without_waiting():
                judgement = self._reading.judge(wanted)
            await self._log.append_once(judgement.event, guard=judgement.guard)
        except (MustWait, RestrictionArrived, StaleSeal):
            return await run_in_threadpool(self._reading.read, wanted)
        return judgement.settle()
