"""Who is told what of an audit event. Messages hold ids, times and links: no content, no category, no name.

| event | told |
|---|---|
| request, access, acknowledgement, a patient's own deny | the patient, and the custodian's systems |
| grant, refusal | these and the systems of the grantee, or of the one who had asked |
| a recovery proposed, stopped, completed | the patient in any case, and the custodian's systems |
| end of a permit | these, and each member that read under it, with a notice to acknowledge |

What is told when a time has come is in ``reminding``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent
from backend.consent.evidence import EvidenceBook
from backend.consent.requests import BLOCKED, LAPSE_SECONDS
from backend.consent.terms import UNBOUNDED, ZERO32, Grant, Kind
from backend.notices.audience import Audience
from backend.notices.news import Newsroom
from backend.notices.noticing import ACCESSES, ACKNOWLEDGED, RELEASED, Noticing
from backend.notices.ports import Dialect, NoticeStore
from backend.notices.types import NoticeReason, Reminder, Topic
from backend.records.obligations import NOTIFY
from backend.types import Bytes32, ConsentId, LogIndex, MemberId, SubjectId, UnixSeconds, to_hex

DAY_SECONDS: Final = 24 * 3600
LAPSING_DAYS: Final = 7  # before its end in which a request is told once more
_OF_CONSENTS: Final = frozenset(
    {codes.CONSENT_GRANTED, codes.CONSENT_REFUSED, codes.CONSENT_REVOKED, codes.CONSENT_REVOKED_ALL}
)
_TOPIC_OF_KIND: Final = {
    Kind.PERMIT: Topic.CONSENT_GRANTED,
    Kind.DENY: Topic.CONSENT_DENIED,
    Kind.REFUSAL: Topic.CONSENT_REFUSED,
}

_OF_RECOVERY: Final = {
    codes.RECOVERY_PROPOSED: Topic.RECOVERY_PROPOSED,
    codes.RECOVERY_STOPPED: Topic.RECOVERY_STOPPED,
    codes.RECOVERY_COMPLETED: Topic.RECOVERY_COMPLETED,
}


class Telling:
    """Makes the messages of an event. Each has an id of its own, so that telling again adds nothing.

    ``reminder_days``: how long before its end a permit's parties are reminded.
    """

    def __init__(
        self,
        *,
        tenant: MemberId,
        evidence: EvidenceBook,
        notices: NoticeStore,
        newsroom: Newsroom,
        audience: Audience,
        noticing: Noticing,
        dialect: Dialect,
        reminder_days: Collection[int],
    ) -> None:
        self._tenant = tenant
        self._evidence = evidence
        self._notices = notices
        self._newsroom = newsroom
        self._audience = audience
        self._noticing = noticing
        self._dialect = dialect
        self._reminder_days = tuple(reminder_days)

    def tell(self, index: LogIndex, event: AuditEvent) -> None:
        """Make what this event asks for durable. Raises Unavailable: then again later."""
        if event.subject is None:
            return
        if event.type in ACCESSES and event.outcome in RELEASED:
            self._accessed(index, event, event.subject)
        elif event.type == codes.CONSENT_REQUESTED:
            self._requested(event, event.subject)
        elif event.type in _OF_CONSENTS:
            self._changed(event, self._grants(event.subject))
        elif event.type in _OF_RECOVERY:
            topic = _OF_RECOVERY[event.type]
            news = self._newsroom.of_recovery(topic, index, event.subject, at=_seconds(event))
            self._audience.tell(news)
        elif event.type == codes.REVOCATION_ACKNOWLEDGED:
            self._acknowledged(event, event.subject)

    def _accessed(self, index: LogIndex, event: AuditEvent, subject: SubjectId) -> None:
        each_time = bool(event.obligations & NOTIFY)
        news = self._newsroom.of_access(index, subject, at=_seconds(event), each_time=each_time)
        if event.actor.kind is AgentKind.ACCOUNT and event.actor == Agent.account(
            self._evidence.subject(subject).controller
        ):
            self._audience.tell_systems(news, {self._tenant})  # patients know what they read themselves
        else:
            self._audience.tell(news)

    def _requested(self, event: AuditEvent, subject: SubjectId) -> None:
        request = event.detail.get("request")
        if BLOCKED in event.reasons or not isinstance(request, bytes):
            return
        at = _seconds(event)
        news = self._newsroom.of_request(Topic.CONSENT_REQUESTED, Bytes32(request), subject, at=at)
        self._audience.tell(news)
        lapses_at = at + LAPSE_SECONDS
        for topic, days in ((Topic.REQUEST_LAPSING, LAPSING_DAYS), (Topic.REQUEST_LAPSED, 0)):
            due_at = UnixSeconds(lapses_at - days * DAY_SECONDS)
            self._notices.put_reminder(Reminder(topic, request.hex(), subject, due_at, days))

    def _acknowledged(self, event: AuditEvent, subject: SubjectId) -> None:
        topic = ACKNOWLEDGED[NoticeReason(str(event.detail.get("reason", NoticeReason.REVOKED)))]
        for consent in event.consents:
            key = f"{consent.hex()}/{(event.organisation or b'').hex()}"
            self._audience.tell(
                self._newsroom.of_consent(topic, consent, subject, at=_seconds(event), key=key)
            )

    def _changed(self, event: AuditEvent, grants: Mapping[ConsentId, Grant]) -> None:
        at = _seconds(event)
        if event.type == codes.CONSENT_REVOKED_ALL:
            epoch = event.detail.get("epoch", -1)
            ended = [
                consent
                for consent, grant in grants.items()
                if isinstance(epoch, int) and grant.epoch <= epoch and grant.not_after > at
            ]
        else:
            named = [consent for consent in event.consents if consent in grants]
            ended = named
            if event.type != codes.CONSENT_REVOKED:
                for consent in named:
                    self._signed(consent, grants[consent], at)
                ended = [grants[consent].supersedes for consent in named]
        for consent in ended:
            if consent in grants and grants[consent].kind == Kind.PERMIT:
                self._ended(consent, grants[consent], at)

    def _signed(self, consent: ConsentId, grant: Grant, at: int) -> None:
        news = self._newsroom.of_consent(_TOPIC_OF_KIND[Kind(grant.kind)], consent, grant.subject, at=at)
        if grant.request != ZERO32:
            news = news.adding(request_id=to_hex(grant.request))
        # Whom a patient shuts out is not told so.
        self._audience.tell(news, *(() if grant.kind == Kind.DENY else (grant.terms.grantee,)))
        elsewhere = grant.kind != Kind.DENY and self._tell_in_dialect(grant.subject, consent)
        if grant.kind != Kind.PERMIT:
            return
        if grant.terms.erase_by < UNBOUNDED:
            self._notices.put_reminder(
                Reminder(Topic.ERASE_DUE, consent.hex(), grant.subject, grant.terms.erase_by)
            )
        if grant.not_after < UNBOUNDED:
            if elsewhere:
                self._notices.put_reminder(
                    Reminder(Topic.ABDM_NOTIFY, consent.hex(), grant.subject, grant.not_after)
                )
            for days in self._reminder_days:
                due_at = UnixSeconds(grant.not_after - days * DAY_SECONDS)
                if due_at > at:
                    self._notices.put_reminder(
                        Reminder(Topic.CONSENT_EXPIRING, consent.hex(), grant.subject, due_at, days)
                    )

    def _ended(self, consent: ConsentId, grant: Grant, at: int) -> None:
        news = self._newsroom.of_consent(Topic.CONSENT_REVOKED, consent, grant.subject, at=at)
        self._noticing.give(news, consent, grant, reason=NoticeReason.REVOKED)
        # Where the custodian itself was given a notice, its systems have this message and get no other.
        self._audience.tell(news)
        self._tell_in_dialect(grant.subject, consent)

    def _tell_in_dialect(self, subject: SubjectId, consent: ConsentId) -> bool:
        told = self._dialect.told(subject, consent)
        for each in told:
            self._audience.tell_member(each)
        return bool(told)

    def _grants(self, subject: SubjectId) -> dict[ConsentId, Grant]:
        return {
            name: prepared.document
            for name, prepared in self._evidence.documents(subject).items()
            if isinstance(prepared.document, Grant)
        }


def _seconds(event: AuditEvent) -> int:
    return event.occurred_at_ms // 1000
