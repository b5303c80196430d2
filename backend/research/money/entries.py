"""The entries that acts about money leave in the log, one an act, however often it is driven."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.consent.service import act_identity
from backend.outbox.types import Act
from backend.types import SubjectId


class MoneyEntries:
    def __init__(self, *, audit: AuditLog, clock: Callable[[], int]) -> None:
        self._audit = audit
        self._clock = clock

    def append(
        self,
        act: Act,
        code: str,
        detail: Mapping[str, DetailValue],
        *,
        subject: SubjectId | None = None,
        by: Sequence[str] | None = None,
    ) -> None:
        """``by``: kind and id of who asked, else as ``act.data`` has them. Raises AuditUnavailable."""
        kind, identifier = act.data["by"] if by is None else by
        self._audit.append(
            AuditEvent(
                type=code,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self._clock() * 1000,
                actor=Agent(AgentKind(kind), identifier),
                subject=subject,
                detail=dict(detail),
            ),
            act=act_identity(act),
        )


def asked_by(agent: Agent) -> list[Any]:
    """Return ``by`` of an act's data."""
    return [agent.kind.value, agent.id]
