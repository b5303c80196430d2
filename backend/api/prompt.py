"""Answers out of memory are given on the event loop; what has to wait goes on in a worker thread.

A read that finds token, manifest and evidence in memory takes half a millisecond, which is less than handing
it to a thread, waking that thread again when the log is durable, and handing the answer back. See
docs/decisions/0007-reads-on-the-event-loop.md.
"""

from __future__ import annotations

import asyncio
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
        self._turn: list[Waiting] = []

    async def append(self, event: AuditEvent) -> None:
        """Return when the entry is durable; raise AuditUnavailable."""
        try:
            await self.append_once(event, guard=None)
        except StaleSeal:
            await run_in_threadpool(self._audit.append, event)

    async def append_once(self, event: AuditEvent, *, guard: Guard | None) -> None:
        """Return when the entry is durable; raise what its guard raises, AuditUnavailable, or StaleSeal, with
        which the caller starts again."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[AppendedEntry] = loop.create_future()

        def answer(outcome: AppendedEntry | Exception) -> None:
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(_settle, answered, outcome)

        waiting = self._audit.prepare(event, guard=guard, answer=answer)
        # Entries of one turn of the loop go to the log together: one commit serves them all.
        if not self._turn:
            loop.call_soon(self._submit)
        self._turn.append(waiting)
        try:
            async with asyncio.timeout(self._audit.timeout_seconds):
                await answered
        except TimeoutError as late:
            waiting.abandoned = True
            raise AuditUnavailable from late

    def _submit(self) -> None:
        entries, self._turn = self._turn, []
        try:
            self._audit.submit(entries)
        except AuditUnavailable as failure:
            for waiting in entries:
                waiting.answer(failure)


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


def _settle(answered: asyncio.Future[AppendedEntry], outcome: AppendedEntry | Exception) -> None:
    if answered.done():
        return
    if isinstance(outcome, Exception):
        answered.set_exception(outcome)
    else:
        answered.set_result(outcome)
