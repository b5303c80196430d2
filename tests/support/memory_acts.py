"""An act store in memory, for unit tests; the conformance suite holds it to the real one's behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backend.outbox.types import Act, Waiting
from backend.types import UnixSeconds


class MemoryActStore:
    def __init__(self) -> None:
        self._acts: dict[tuple[str, str], tuple[Act, UnixSeconds]] = {}

    def insert(self, act: Act, *, holder: str, leased_until: UnixSeconds) -> bool:
        key = (act.kind, act.act_id)
        if key in self._acts:
            return False
        self._acts[key] = (act, leased_until)
        return True

    def get(self, kind: str, act_id: str) -> Act | None:
        found = self._acts.get((kind, act_id))
        return found[0] if found else None

    def named(self, kind: str, beginning: str) -> list[Act]:
        return [
            act
            for (of, act_id), (act, _) in self._acts.items()
            if of == kind and act_id.startswith(beginning)
        ]

    def claim(
        self, kind: str, act_id: str, *, holder: str, now: UnixSeconds, until: UnixSeconds
    ) -> Act | None:
        act, leased_until = self._acts[kind, act_id]
        if act.is_over or leased_until > now:
            return None
        taken = replace(act, fence=act.fence + 1)
        self._acts[kind, act_id] = (taken, until)
        return taken

    def advance(self, act: Act, *, state: str, data: Mapping[str, Any]) -> bool:
        stored, leased_until = self._acts[act.kind, act.act_id]
        if (stored.fence, stored.state) != (act.fence, act.state):
            return False
        moved = replace(stored, state=state, data={**stored.data, **data}, attempts=0)
        self._acts[act.kind, act.act_id] = (moved, leased_until)
        return True

    def postpone(self, act: Act, *, until: UnixSeconds, failed: bool = True) -> None:
        stored, _ = self._acts[act.kind, act.act_id]
        if stored.fence == act.fence:
            self._acts[act.kind, act.act_id] = (replace(stored, attempts=stored.attempts + failed), until)

    def unfinished(self, kinds: Sequence[str]) -> list[Act]:
        return [act for act, _ in self._acts.values() if not act.is_over and act.kind in kinds]

    def waiting(self) -> list[Waiting]:
        return [
            Waiting(act.kind, act.attempts, act.created_at, until)
            for act, until in self._acts.values()
            if not act.is_over
        ]

    def due(self, *, now: UnixSeconds, limit: int) -> list[Act]:
        return [act for act, until in self._acts.values() if not act.is_over and until <= now][:limit]
