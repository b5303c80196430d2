"""Endpoints, messages to them, and what became of each. Times are unix seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from backend.types import ConsentId, MemberId, SubjectId, UnixSeconds


class Topic(StrEnum):
    """The ``type`` of a message. None carries health content, categories or names."""

    CONSENT_REQUESTED = "consent.requested"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_DENIED = "consent.denied"  # the patient's own deny: for the custodian alone
    CONSENT_REFUSED = "consent.refused"
    CONSENT_REVOKED = "consent.revoked"
    CONSENT_EXPIRING = "consent.expiring"
    ACCESS_RECORDED = "access.recorded"


class DeliveryState(StrEnum):
    WAITING = "waiting"  # to be sent at ``due_at``
    DELIVERED = "delivered"
    DEAD = "dead"  # given up; an operator may have it tried again


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a client wants its messages. The secrets are drawn from the salts: see ``signing``."""

    client_id: str
    url: str
    topics: frozenset[Topic]
    salt: bytes = field(repr=False)
    previous_salt: bytes | None = field(repr=False)  # signs beside the new one
    previous_until: UnixSeconds
    set_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. ``message_id`` is the same in each try, so that the receiver knows a repetition."""

    message_id: str
    client_id: str
    topic: Topic
    body: bytes  # JSON
    notice_id: str | None = None  # of the revocation notice it carries


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way. ``sealed`` is its body, encrypted for the index, which could else forge it."""

    message_id: str
    client_id: str
    topic: Topic
    sealed: bytes = field(repr=False)
    notice_id: str | None
    created_at: UnixSeconds
    due_at: UnixSeconds
    attempts: int = 0
    state: DeliveryState = DeliveryState.WAITING
    failure: str = ""  # of the last try, a coarse word


@dataclass(frozen=True, slots=True)
class RevocationNotice:
    """A member that read under a consent, or could, is told that it ended and has to acknowledge."""

    notice_id: str  # 32 hex digits
    consent_id: ConsentId
    subject: SubjectId
    member_id: MemberId
    created_at: UnixSeconds
    acknowledge_by: UnixSeconds
    delivered_at: UnixSeconds | None = None  # a webhook took it, or the member listed it
    acknowledged_at: UnixSeconds | None = None

    def state(self, now: int) -> str:
        """Return acknowledged, late, delivered or sent."""
        if self.acknowledged_at is not None:
            return "acknowledged" if self.acknowledged_at <= self.acknowledge_by else "acknowledged_late"
        if now > self.acknowledge_by:
            return "late"
        return "sent" if self.delivered_at is None else "delivered"


@dataclass(frozen=True, slots=True)
class Reminder:
    """To be sent when its time comes, unless the consent ended before."""

    consent_id: ConsentId
    subject: SubjectId
    days: int  # before the end
    due_at: UnixSeconds


ALL_TOPICS: Final = frozenset(Topic)
