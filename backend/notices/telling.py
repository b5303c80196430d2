"""Who is told what of an audit event. Messages hold ids, times and links: no content, no category, no name.

| event | told |
|---|---|
| request, access, a patient's own deny | the custodian's systems, which stand for the patient |
| grant, refusal | these and the systems of the grantee, or of the one who had asked |
| end of a permit | these, and each member that read under it, with a notice to acknowledge |
| permit about to end | the custodian's systems and the grantee's |
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.audit.reader import LogReader
from backend.consent.evidence import EvidenceBook
from backend.consent.requests import BLOCKED
from backend.consent.terms import UNBOUNDED, ZERO32, Grant, Kind
from backend.notices.delivering import Deliveries
from backend.notices.endpoints import Endpoints
from backend.notices.news import News, digest, subject_text, time_text
from backend.notices.ports import NoticeStore
from backend.notices.types import Reminder, RevocationNotice, Topic
from backend.types import ConsentId, LogIndex, MemberId, SubjectId, UnixSeconds, to_hex

DAY_SECONDS: Final = 24 * 3600
_ACCESSES: Final = frozenset({codes.RECORD_READ, codes.RECORD_EXPORTED, codes.EMERGENCY_OPENED})
_RELEASED: Final = frozenset({Outcome.PERMITTED, Outcome.CHANGED})
_OF_CONSENTS: Final = frozenset(
    {codes.CONSENT_GRANTED, codes.CONSENT_REFUSED, codes.CONSENT_REVOKED, codes.CONSENT_REVOKED_ALL}
)
_TOPIC_OF_KIND: Final = {
    Kind.PERMIT: Topic.CONSENT_GRANTED,
    Kind.DENY: Topic.CONSENT_DENIED,
    Kind.REFUSAL: Topic.CONSENT_REFUSED,
}


class Telling:
    """Makes the messages of an event. Each has an id of its own, so that telling again adds nothing.

    ``reminder_days``: how long before its end a permit's parties are reminded. ``party_of``: the organisation
    of a grantee that is a care team, else the grantee.
    """

    def __init__(
        self,
        *,
        tenant: MemberId,
        public_url: str,
        evidence: EvidenceBook,
        reader: LogReader,
        endpoints: Endpoints,
        deliveries: Deliveries,
        notices: NoticeStore,
        acknowledge_seconds: int,
        reminder_days: Collection[int],
        party_of: Callable[[MemberId], MemberId],
        clock: Callable[[], int],
    ) -> None:
        self._tenant = tenant
        self._url = f"{public_url.rstrip('/')}/v1"
        self._evidence = evidence
        self._reader = reader
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._notices = notices
        self._acknowledge_seconds = acknowledge_seconds
        self._reminder_days = tuple(reminder_days)
        self._party_of = party_of
        self._clock = clock

    def tell(self, index: LogIndex, event: AuditEvent) -> None:
        """Make what this event asks for durable. Raises Unavailable: then again later."""
        if event.subject is None:
            return
        if event.type in _ACCESSES and event.outcome in _RELEASED:
            self._accessed(index, event, event.subject)
        elif event.type == codes.CONSENT_REQUESTED:
            self._requested(event, event.subject)
        elif event.type in _OF_CONSENTS:
            self._changed(event, self._grants(event.subject))

    def remind(self, reminder: Reminder) -> None:
        """Tell of a permit that is about to end, unless it has ended already."""
        gathered = self._evidence.gather(reminder.subject)
        for item in gathered.evidence:
            grant = item.prepared.document
            if item.prepared.consent_id != reminder.consent_id or not isinstance(grant, Grant):
                continue
            ended = item.head.revoked_at or item.revocation_pending or grant.epoch != gathered.head.epoch
            if not ended and self._clock() < grant.not_after:
                news = self._of_consent(
                    Topic.CONSENT_EXPIRING,
                    reminder.consent_id,
                    grant,
                    at=reminder.due_at,
                    key=f"{reminder.consent_id.hex()}/{reminder.days}",
                )
                ends = {"ends_at": time_text(grant.not_after)}
                self._send(news.adding(**ends), {self._tenant, self._party_of(grant.terms.grantee)})

    def _accessed(self, index: LogIndex, event: AuditEvent, subject: SubjectId) -> None:
        news = News(
            Topic.ACCESS_RECORDED,
            subject,
            at=event.occurred_at_ms // 1000,
            key=str(index),
            data={"entry": index},
            links={"accesses": f"{self._url}/accesses?subject={subject_text(subject)}"},
        )
        self._send(news, {self._tenant})

    def _requested(self, event: AuditEvent, subject: SubjectId) -> None:
        request = event.detail.get("request")
        if BLOCKED in event.reasons or not isinstance(request, bytes):
            return
        name = to_hex(request)
        news = News(
            Topic.CONSENT_REQUESTED,
            subject,
            at=event.occurred_at_ms // 1000,
            key=name,
            data={"request_id": name},
            links={"request": f"{self._url}/consent-requests/{name}"},
        )
        self._send(news, {self._tenant})

    def _changed(self, event: AuditEvent, grants: Mapping[ConsentId, Grant]) -> None:
        at = event.occurred_at_ms // 1000
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
        members = {self._tenant}
        if grant.kind != Kind.DENY:  # whom a patient shuts out is not told so
            members.add(self._party_of(grant.terms.grantee))
        news = self._of_consent(_TOPIC_OF_KIND[Kind(grant.kind)], consent, grant, at=at, key=consent.hex())
        if grant.request != ZERO32:
            news = news.adding(request_id=to_hex(grant.request))
        self._send(news, members)
        if grant.kind == Kind.PERMIT and grant.not_after < UNBOUNDED:
            for days in self._reminder_days:
                due_at = UnixSeconds(grant.not_after - days * DAY_SECONDS)
                if due_at > at:
                    self._notices.put_reminder(Reminder(consent, grant.subject, days, due_at))

    def _ended(self, consent: ConsentId, grant: Grant, at: int) -> None:
        news = self._of_consent(Topic.CONSENT_REVOKED, consent, grant, at=at, key=consent.hex())
        for member in sorted({self._party_of(grant.terms.grantee)} | self._holders(consent, grant.subject)):
            notice = self._notices.put_notice(
                RevocationNotice(
                    notice_id=digest("revocation", consent.hex(), member.hex()),
                    consent_id=consent,
                    subject=grant.subject,
                    member_id=member,
                    created_at=UnixSeconds(at),
                    acknowledge_by=UnixSeconds(self._clock() + self._acknowledge_seconds),
                )
            )
            self._send(
                news.noticed(notice, f"{self._url}/notices-of-revocation/{notice.notice_id}/ack"), {member}
            )
        # Where the custodian itself was given a notice, this is the same message and adds nothing.
        self._send(news, {self._tenant})

    def _of_consent(self, topic: Topic, consent: ConsentId, grant: Grant, *, at: int, key: str) -> News:
        name = to_hex(consent)
        link = f"{self._url}/consents/{name}?subject={subject_text(grant.subject)}"
        return News(topic, grant.subject, at=at, key=key, data={"consent_id": name}, links={"consent": link})

    def _holders(self, consent: ConsentId, subject: SubjectId) -> set[MemberId]:
        """Return the members that read under the consent and may hold a copy, by the patient's own log."""
        found: set[MemberId] = set()
        for chain in self._reader.chains(subject):
            for entry in self._reader.entries(chain.indexes):
                event = self._reader.event(entry, chain)
                read = event.type in _ACCESSES and event.outcome in _RELEASED and consent in event.consents
                if read and event.organisation is not None:
                    found.add(event.organisation)
        return found

    def _grants(self, subject: SubjectId) -> dict[ConsentId, Grant]:
        return {
            name: prepared.document
            for name, prepared in self._evidence.documents(subject).items()
            if isinstance(prepared.document, Grant)
        }

    def _send(self, news: News, members: Collection[MemberId]) -> None:
        for client in self._endpoints.of_members(members, news.topic):
            self._deliveries.put(news.message(client.client_id))
