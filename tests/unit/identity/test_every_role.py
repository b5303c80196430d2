"""Nobody has so many roles that the log cannot say so."""

from __future__ import annotations

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.identity.roles import STAFF_ROLES


def test_staff_with_every_role_can_be_logged() -> None:
    roles = "+".join(sorted(STAFF_ROLES))
    event = AuditEvent(
        type=codes.ACCOUNT_CHANGED,
        outcome=Outcome.CHANGED,
        occurred_at_ms=0,
        actor=Agent.service("identity"),
        detail={"roles": roles},
    )
    assert AuditEvent.decode(event.encode()).detail["roles"] == roles
