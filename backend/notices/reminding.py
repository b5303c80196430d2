"""What is told when a time has come, unless the matter is over by then."""

from __future__ import annotations

from collections.abc import Callable

from backend.consent.evidence import EvidenceBook
from backend.consent.requests import RequestService
from backend.consent.states import State
from backend.consent.terms import Grant
from backend.notices.audience import Audience
from backend.notices.news import Newsroom, time_text
from backend.notices.ports import NoticeStore
from backend.notices.types import Reminder, Topic
from backend.types import Bytes32, ConsentId

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
        clock: Callable[[], int],
    ) -> None:
        self._evidence = evidence
        self._requests = requests
        self._notices = notices
        self._newsroom = newsroom
        self._audience = audience
        self._clock = clock

    def remind(self, reminder: Reminder) -> None:
        """Tell of it where it still holds. Raises Unavailable: then again later."""
        match reminder.topic:
            case Topic.CONSENT_EXPIRING:
                self._of_permit(reminder)
            case Topic.REQUEST_LAPSING | Topic.REQUEST_LAPSED:
                self._of_request(reminder)
            case Topic.REVOCATION_OVERDUE:
                self._of_revocation(reminder)

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

    def _of_request(self, reminder: Reminder) -> None:
        request_id = Bytes32(bytes.fromhex(reminder.about))
        request = self._requests.get(request_id)
        # Nor is the requester told: what it hears of a request must not depend on a block.
        unseen = self._requests.is_blocked(reminder.subject, request.asked.grantee)
        if request.state is _WHILE[reminder.topic] and not unseen:
            self._audience.tell(
                self._newsroom.of_request(reminder.topic, request_id, reminder.subject, at=reminder.due_at)
            )

    def _of_revocation(self, reminder: Reminder) -> None:
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
