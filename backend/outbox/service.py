"""Drives acts to their end, once each, through any crash (DESIGN, invariant 9)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from backend.errors import AssentError, IntegrityError, Unavailable
from backend.outbox.errors import ActConflict, ActFailed, LeaseLost, NotYet
from backend.outbox.ports import ActStore
from backend.outbox.types import DONE, FAILED, Act, Backlog, Step, Waiting
from backend.types import UnixSeconds

LEASE_SECONDS = 30
MAX_BACKOFF_SECONDS = 60
FAILING_ATTEMPTS = 5  # in a row: half a minute of tries
WAIT_SECONDS = 5.0  # a caller waits this long for another one who carries the same act on
POLL_SECONDS = 0.05


class Outbox:
    """``begin`` makes an act durable; ``drive`` runs its steps; ``recover`` takes up what a crash left.

    A step that raises Unavailable is tried again later, one that raises NotYet at its time; any other
    AssentError ends the act as FAILED with the error's code; an unexpected exception is raised on and tried
    again after the lease has run out.
    """

    def __init__(
        self,
        *,
        store: ActStore,
        clock: Callable[[], int],
        holder: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        self._pause = pause
        self._steps: dict[tuple[str, str], Step] = {}
        self._order: dict[str, tuple[str, ...]] = {}

    def register(self, kind: str, steps: Mapping[str, Step]) -> None:
        """Name the step that runs in each state of an act of this kind, in the order of the states."""
        self._order[kind] = (*steps, DONE)
        for state, step in steps.items():
            self._steps[kind, state] = step

    def begin(self, kind: str, act_id: str, *, state: str, data: Mapping[str, Any]) -> Act:
        """Make an act durable, under this holder's lease; return the earlier one if the id is known.

        Raises ActConflict if the id was begun with another ``data['digest']``.
        """
        now = self._clock()
        act = Act(kind, act_id, state, dict(data), fence=1, attempts=0, created_at=UnixSeconds(now))
        if self._store.insert(act, holder=self._holder, leased_until=UnixSeconds(now + LEASE_SECONDS)):
            return act
        earlier = self._store.get(kind, act_id)
        if earlier is None:
            raise Unavailable
        if earlier.data.get("digest") != data.get("digest"):
            raise ActConflict
        return earlier

    def find(self, kind: str, act_id: str) -> Act | None:
        return self._store.get(kind, act_id)

    def named(self, kind: str, beginning: str) -> list[Act]:
        """Return the acts whose ids begin so, over or not."""
        return self._store.named(kind, beginning)

    def unfinished(self, *kinds: str) -> list[Act]:
        return self._store.unfinished(kinds)

    def backlog(self) -> list[Backlog]:
        """Return what is not over, a line a kind, by kind."""
        soon = self._clock() + MAX_BACKOFF_SECONDS  # what is due later waits for its time
        kinds: dict[str, list[Waiting]] = {}
        for act in self._store.waiting():
            kinds.setdefault(act.kind, []).append(act)
        return [
            Backlog(
                kind=kind,
                waiting=len(acts),
                failing=sum(act.attempts >= FAILING_ATTEMPTS and act.due_at <= soon for act in acts),
                oldest_at=min(act.created_at for act in acts),
            )
            for kind, acts in sorted(kinds.items())
        ]

    def drive(self, act: Act, *, until: str = DONE, awaiting: bool = True) -> Act:
        """Run steps until the act is done, or in state ``until`` or beyond, and return it.

        Where another caller carries the same act on, its outcome is waited for, for ``WAIT_SECONDS``, or not
        at all without ``awaiting``.

        Raises the error of a step that was refused for good, and ActFailed where that happened before;
        Unavailable or IntegrityError when a step cannot go on now (the act stays, and ``recover`` goes on
        with it, once what is damaged is repaired); LeaseLost
        when the other caller took longer.
        """
        while not self._has_reached(act, until):
            try:
                act = self._run_step(act)
            except LeaseLost:
                if not awaiting:
                    raise
                act = self._await_other(act, until)
        if act.state == FAILED:
            raise ActFailed(f"Refused before with {act.data.get('failure', 'internal')}.")
        return act

    def recover(
        self,
        *,
        limit: int = 100,
        takeover: bool = False,
        seconds: float = math.inf,
        hand_over: Callable[[Act], None] | None = None,
    ) -> int:
        """Take up acts whose holder is gone; return how many came to their end.

        ``takeover``: every holder is gone, whatever its lease says. Only for the one process that can have
        the store, before it begins acts of its own. ``hand_over`` gets what is taken up once ``seconds`` are
        over, instead of its being driven.
        """
        finished, ends_at = 0, time.monotonic() + seconds
        now = UnixSeconds(self._clock())
        seen = UnixSeconds(now + LEASE_SECONDS + MAX_BACKOFF_SECONDS) if takeover else now
        for stale in self._store.due(now=seen, limit=limit):
            act = self._store.claim(
                stale.kind,
                stale.act_id,
                holder=self._holder,
                now=seen,
                until=UnixSeconds(now + LEASE_SECONDS),
            )
            if act is None:
                continue
            if hand_over is not None and time.monotonic() >= ends_at:
                hand_over(act)
                continue
            try:
                finished += self.drive(act).is_over
            except (Unavailable, IntegrityError):
                continue
        return finished

    def _has_reached(self, act: Act, until: str) -> bool:
        order = self._order[act.kind]
        return act.is_over or order.index(act.state) >= order.index(until)

    def _await_other(self, act: Act, until: str) -> Act:
        for _ in range(round(WAIT_SECONDS / POLL_SECONDS)):
            found = self._store.get(act.kind, act.act_id)
            if found is not None and self._has_reached(found, until):
                return found
            if found is not None and found.attempts:
                break  # the other one could not go on either, and nobody works on it now
            self._pause(POLL_SECONDS)
        raise LeaseLost

    def _run_step(self, act: Act) -> Act:
        try:
            advance = self._steps[act.kind, act.state](act)
        except NotYet as waiting:
            self._store.postpone(act, until=waiting.until, failed=False)
            raise
        except (Unavailable, IntegrityError):
            # What is damaged must be repaired, and then goes on: an act that was acknowledged is not dropped.
            backoff = min(2**act.attempts, MAX_BACKOFF_SECONDS)
            self._store.postpone(act, until=UnixSeconds(self._clock() + backoff))
            raise
        except AssentError as refusal:
            failure = {"failure": refusal.code, "failure_detail": refusal.detail}
            self._move(act, FAILED, failure)
            raise
        return self._move(act, advance.state, advance.data)

    def _move(self, act: Act, state: str, data: Mapping[str, Any]) -> Act:
        if not self._store.advance(act, state=state, data=data):
            raise LeaseLost
        return replace(act, state=state, data={**act.data, **data})
