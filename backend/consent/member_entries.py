"""The entries that a change of a member leaves in the log: asked for, come about, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.consent.service import act_identity
from backend.outbox.types import Act
from backend.types import MemberId

RECEIVED = "received"  # the step whose entry bears the time at which the act was received


class MemberEntries:
    """Each step of an act has an entry of its own, once, however often the step is driven."""

    def __init__(self, *, audit: AuditLog, clock: Callable[[], int]) -> None:
        self._audit = audit
        self._clock = clock

    def append(
        self,
        act: Act,
        step: str,
        outcome: Outcome,
        detail: Mapping[str, DetailValue],
        *,
        reasons: tuple[str, ...] = (),
    ) -> None:
        """``act.data`` has ``member`` and, in ``by``, kind and id of who asked. Raises AuditUnavailable."""
        kind, identifier = act.data["by"]
        self._audit.append(
            AuditEvent(
                type=codes.PARTICIPANT_CHANGED,
                outcome=outcome,
                occurred_at_ms=(act.created_at if step == RECEIVED else self._clock()) * 1000,
                actor=Agent(AgentKind(kind), identifier),
                organisation=MemberId(act.data["member"]),
                reasons=reasons,
                detail=dict(detail),
            ),
            act=act_identity(act, step),
        )
