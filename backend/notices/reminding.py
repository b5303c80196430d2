"""What is told when a time has come, unless the matter is over by then."""

from __future__ import annotations

from collections.abc import Callable

from backend.consent.evidence import EvidenceBook
from backend.consent.requests import RequestService
from backend.consent.states import State
from backend.consent.terms import Grant
from backend.notices.audience import Audience
from backend.notices.news import Newsroom
from backend.notices.noticing import Noticing
from backend.notices.ports import Dialect, NoticeStore
from backend.notices.types import NoticeReason, Reminder, Topic
from backend.types import Bytes32, ConsentId, time_text

_WHILE = {Topic.REQUEST_LAPSING: State.REQUESTED, Topic.REQUEST_LAPSED: State.LAPSED}


class Reminding:
    def __init__(
        self,
        *,
        evidence: EvidenceBook,
        requests: RequestService,
        notices: NoticeStore,
        newsroom: Newsroom,
        audience: Audience,
        noticing: Noticing,
        dialect: Dialect,
        clock: Callable[[], int],
    ) -> None:
        self._evidence = evidence
        self._requests = requests
        self._notices = notices
        self._newsroom = newsroom
        self._audience = audience
        self._noticing = noticing
        self._dialect = dialect
        self._clock = clock

    def remind(self, reminder: Reminder) -> None:
        """Tell of it where it still holds. Raises Unavailable: then again later."""
        match reminder.topic:
            case Topic.CONSENT_EXPIRING:
                self._of_permit(reminder)
            case Topic.REQUEST_LAPSING | Topic.REQUEST_LAPSED:
                self._of_request(reminder)
            case Topic.REVOCATION_OVERDUE | Topic.ERASURE_OVERDUE:
                self._of_notice(reminder)
            case Topic.ERASE_DUE:
                self._of_copies(reminder)
            case Topic.ABDM_NOTIFY:
                for told in self._dialect.told(reminder.subject, ConsentId(bytes.fromhex(reminder.about))):
                    self._audience.tell_member(told)

    def _of_permit(self, reminder: Reminder) -> None:
        gathered = self._evidence.gather(reminder.subject)
        for item in gathered.evidence:
            grant = item.prepared.document
            if item.prepared.consent_id.hex() != reminder.about or not isinstance(grant, Grant):
                continue
            ended = item.head.revoked_at or item.revocation_pending or grant.epoch != gathered.head.epoch
            if not ended and self._clock() < grant.not_after:
                news = self._newsroom.of_consent(
                    reminder.topic,
                    item.prepared.consent_id,
                    reminder.subject,
                    at=reminder.due_at,
                    key=f"{reminder.about}/{reminder.days}",
                )
                self._audience.tell(news.adding(ends_at=time_text(grant.not_after)), grant.terms.grantee)

    def _of_copies(self, reminder: Reminder) -> None:
        """Copies must be gone, whether the consent ended before or not."""
        consent = ConsentId(bytes.fromhex(reminder.about))
        prepared = self._evidence.documents(reminder.subject).get(consent)
        if prepared is not None and isinstance(prepared.document, Grant):
            news = self._newsroom.of_consent(reminder.topic, consent, reminder.subject, at=reminder.due_at)
            self._noticing.give(news, consent, prepared.document, reason=NoticeReason.ERASE_DUE)

    def _of_request(self, reminder: Reminder) -> None:
        request_id = Bytes32(bytes.fromhex(reminder.about))
        request = self._requests.get(request_id)
        # Nor is the requester told: what it hears of a request must not depend on a block.
        unseen = self._requests.is_blocked(reminder.subject, request.asked.grantee)
        if request.state is _WHILE[reminder.topic] and not unseen:
            self._audience.tell(
                self._newsroom.of_request(reminder.topic, request_id, reminder.subject, at=reminder.due_at)
            )

    def _of_notice(self, reminder: Reminder) -> None:
        notice = self._notices.notice(reminder.about)
        if notice is not None and notice.acknowledged_at is None:
            news = self._newsroom.of_consent(
                reminder.topic,
                ConsentId(notice.consent_id),
                reminder.subject,
                at=reminder.due_at,
                key=notice.notice_id,
            )
            self._audience.tell(news.adding(notice_id=notice.notice_id))
