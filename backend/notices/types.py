"""Endpoints, messages to them, and what became of each. Times are unix seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from backend.types import ConsentId, MemberId, SubjectId, UnixSeconds


class Topic(StrEnum):
    """The ``type`` of a message. None carries health content, categories or names."""

    CONSENT_REQUESTED = "consent.requested"
    REQUEST_LAPSING = "consent.request_lapsing"  # nobody has answered yet
    REQUEST_LAPSED = "consent.request_lapsed"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_DENIED = "consent.denied"  # the patient's own deny: for the custodian alone
    CONSENT_REFUSED = "consent.refused"
    CONSENT_REVOKED = "consent.revoked"
    REVOCATION_ACKNOWLEDGED = "consent.revocation_acknowledged"
    REVOCATION_OVERDUE = "consent.revocation_overdue"  # a member has not acknowledged it in time
    CONSENT_EXPIRING = "consent.expiring"
    ERASE_DUE = "consent.erase_due"  # the time by which copies must be gone: for members alone
    ERASURE_REPORTED = "consent.erasure_reported"
    ERASURE_OVERDUE = "consent.erasure_overdue"  # a member has not reported it in time
    ACCESS_RECORDED = "access.recorded"
    RECOVERY_PROPOSED = "recovery.proposed"  # another account is to control the patient's records
    RECOVERY_STOPPED = "recovery.stopped"
    RECOVERY_COMPLETED = "recovery.completed"
    ABDM_NOTIFY = "abdm.notify"  # in ABDM's own form, for members that ask for it


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
    receiver: str  # to webhooks a client id; by mail a patient's subject id, 24 hex digits
    topic: str  # a Topic, or by mail another letter
    body: bytes  # JSON
    notice_id: str | None = None  # of the revocation notice it carries
    not_before: int = 0  # unix seconds


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way. ``sealed`` is its body, encrypted for the index, which could else forge it."""

    message_id: str
    receiver: str
    topic: str
    sealed: bytes = field(repr=False)
    notice_id: str | None
    created_at: UnixSeconds  # not before it might be sent: the time until it is given up begins here
    due_at: UnixSeconds
    attempts: int = 0
    state: DeliveryState = DeliveryState.WAITING
    failure: str = ""  # of the last try, a coarse word


class Fault(StrEnum):
    """What stands in the way of a message."""

    MESSAGE = "message"
    RECEIVER = "receiver"
    EVERYONE = "everyone"  # the way itself is shut: nothing else would come through either


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try came to nothing. ``for_good``: trying again is of no use."""

    word: str  # coarse, such as timeout
    fault: Fault = Fault.RECEIVER
    for_good: bool = False


class NoticeReason(StrEnum):
    REVOKED = "revoked"
    ERASE_DUE = "erase_due"  # to acknowledge is to report that copies are erased


@dataclass(frozen=True, slots=True)
class RevocationNotice:
    """A member that read under a consent, or could, is told that it ended, or that copies must be gone now,
    and has to acknowledge."""

    notice_id: str  # 32 hex digits
    consent_id: ConsentId
    subject: SubjectId
    member_id: MemberId
    created_at: UnixSeconds
    acknowledge_by: UnixSeconds
    delivered_at: UnixSeconds | None = None  # a webhook took it, or the member listed it
    acknowledged_at: UnixSeconds | None = None
    reason: NoticeReason = NoticeReason.REVOKED

    def state(self, now: int) -> str:
        """Return acknowledged, late, delivered or sent."""
        if self.acknowledged_at is not None:
            return "acknowledged" if self.acknowledged_at <= self.acknowledge_by else "acknowledged_late"
        if now > self.acknowledge_by:
            return "late"
        return "sent" if self.delivered_at is None else "delivered"


@dataclass(frozen=True, slots=True)
class Reminder:
    """To be told when its time comes, unless the matter is over before: the consent ended, the request was
    answered, the revocation acknowledged."""

    topic: Topic
    about: str  # id of the consent, the request or the revocation notice, in hex
    subject: SubjectId
    due_at: UnixSeconds
    days: int = 0  # before the end


ALL_TOPICS: Final = frozenset(Topic) - {Topic.ABDM_NOTIFY}


@dataclass(frozen=True, slots=True)
class Told:
    """What a member is told in the form of another standard. ``key`` names it, the same each time."""

    member: MemberId
    topic: Topic
    key: str
    body: bytes
    notice_id: str | None = None
