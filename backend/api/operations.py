"""How the service stands, for whoever runs it: what is away, what waits, what is due, and what to do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.schemas import moment
from backend.api.security import Caller, needs
from backend.identity.roles import Scope
from backend.operations.alarms import LOG_KEY_SECONDS, alarms
from backend.operations.types import AlarmCode, Facts, Severity

router = APIRouter(prefix="/v1/operations", tags=["operation"])
Watcher = Annotated[Caller, Depends(needs(Scope.SYSTEM_READ))]


class AlarmView(BaseModel):
    """``subject``: the part, member or kind of act that it is about."""

    code: AlarmCode
    severity: Severity = Field(description="'now': somebody has to get up; 'soon': in working hours")
    remedy: str = Field(description="what to do")
    subject: str | None
    cause: str | None = Field(description="code of an error, explained in docs/errors.md")
    count: int | None
    due_at: datetime | None


class ChainHeadView(BaseModel):
    """The head and what cannot be taken back any more."""

    head: int
    head_at: datetime | None
    final: int


class AnchorView(BaseModel):
    """How much of the audit log is on the chain."""

    log_size: int
    anchored_size: int
    anchored_at: datetime | None = Field(description="when the whole log was last known to be anchored")
    overdue: bool


class QueueView(BaseModel):
    """Acts of a kind that are accepted and not over yet."""

    kind: str
    waiting: int
    failing: int = Field(
        description="of these, tried again and again; others are under way or wait for a time"
    )
    oldest_at: datetime | None


class MessagesView(BaseModel):
    """What waits to be sent, and what was given up in the last 30 days."""

    webhooks_waiting: int
    webhooks_dead: int
    mails_waiting: int
    mails_dead: int
    acknowledgements_late: int


class BlockNodeView(BaseModel):
    """``altered``: how often it gave other bytes than were stored, since the service started."""

    name: str
    up: bool
    missing: int | None = Field(description="blobs that it does not keep; null where it was not looked at")
    altered: int


class StorageView(BaseModel):
    free_bytes: int = Field(description="below the data directory")
    pins: int | None = Field(description="blobs that the block store keeps, counted within ten minutes")

    pins_below: int = Field(description="of these, kept by fewer nodes than should be")
    nodes: list[BlockNodeView] = Field(description="of the block store, where they are several")


class KeyDueView(BaseModel):
    key: str = Field(description="'backup' (the recovery key), 'log', or 'credential' of a member")
    subject: str | None = Field(description="of a credential: the member")
    due_at: datetime | None


class OperationsView(BaseModel):
    """What is null could not be asked, or is not configured: ``parts`` says which."""

    at: datetime | None
    ready: bool
    parts: dict[str, str] = Field(description="'up', or the code of the part's error")
    alarms: list[AlarmView] = Field(description="most pressing first; empty: nothing to do")
    chain: ChainHeadView | None
    anchor: AnchorView
    queues: list[QueueView]
    messages: MessagesView | None
    storage: StorageView
    keys_due: list[KeyDueView] = Field(description="soonest first")
    backup_configured: bool


@router.get("", response_model=OperationsView)
def operations(caller: Watcher) -> OperationsView:
    """What an operator needs to know now, with each alarm and what to do about it."""
    facts = caller.services.watching.facts()
    found = alarms(facts)
    return OperationsView(
        at=moment(facts.now),
        ready=facts.is_ready,
        parts=dict(facts.parts),
        alarms=[
            AlarmView(
                code=alarm.code,
                severity=alarm.severity,
                remedy=alarm.remedy,
                subject=alarm.subject,
                cause=alarm.cause,
                count=alarm.count,
                due_at=None if alarm.due_at is None else moment(alarm.due_at),
            )
            for alarm in found
        ],
        chain=None
        if facts.chain is None
        else ChainHeadView(
            head=facts.chain.head, head_at=moment(facts.chain.head_at), final=facts.chain.final
        ),
        anchor=AnchorView(
            log_size=facts.log.size,
            anchored_size=facts.log.anchored_size,
            anchored_at=moment(facts.log.covered_at),
            overdue=facts.log.overdue,
        ),
        queues=[
            QueueView(
                kind=kind.kind, waiting=kind.waiting, failing=kind.failing, oldest_at=moment(kind.oldest_at)
            )
            for kind in facts.backlog
        ],
        messages=None
        if facts.messages is None
        else MessagesView(
            webhooks_waiting=facts.messages.webhooks_waiting,
            webhooks_dead=facts.messages.webhooks_dead,
            mails_waiting=facts.messages.mails_waiting,
            mails_dead=facts.messages.mails_dead,
            acknowledgements_late=facts.messages.acknowledgements_late,
        ),
        storage=StorageView(
            free_bytes=facts.storage.free_bytes,
            pins=facts.storage.pins,
            pins_below=facts.storage.pins_below,
            nodes=[
                BlockNodeView(name=node.name, up=node.up, missing=node.missing, altered=node.altered)
                for node in facts.storage.nodes
            ],
        ),
        keys_due=_keys_due(facts),
        backup_configured=facts.backup is not None,
    )


def _keys_due(facts: Facts) -> list[KeyDueView]:
    due: list[tuple[int, str, str | None]] = [(facts.log.key_made_at + LOG_KEY_SECONDS, "log", None)]
    if facts.backup is not None and facts.backup.key_expires_at is not None:
        due.append((facts.backup.key_expires_at, "backup", None))
    due += [(ends, "credential", member) for member, ends in facts.credentials or ()]
    return [
        KeyDueView(key=key, subject=subject, due_at=moment(at))
        for at, key, subject in sorted(due, key=lambda each: each[0])
        if moment(at) is not None
    ]
