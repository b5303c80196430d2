"""Notices that members have to acknowledge: to the grantee of a consent, and to all who may hold a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backend.audit import codes
from backend.audit.entry import Outcome
from backend.audit.reader import LogReader
from backend.consent.terms import Grant
from backend.notices.audience import Audience
from backend.notices.news import News, Newsroom, digest
from backend.notices.ports import NoticeStore
from backend.notices.types import NoticeReason, Reminder, RevocationNotice, Topic
from backend.types import ConsentId, MemberId, SubjectId, UnixSeconds

ACCESSES: Final = frozenset({codes.RECORD_READ, codes.RECORD_EXPORTED, codes.EMERGENCY_OPENED})
RELEASED: Final = frozenset({Outcome.PERMITTED, Outcome.CHANGED})
# Who reads may hold a copy, who has a token may come back with it.
_HELD: Final = ACCESSES | {codes.TOKEN_ISSUED}
OVERDUE: Final = {
    NoticeReason.REVOKED: Topic.REVOCATION_OVERDUE,
    NoticeReason.ERASE_DUE: Topic.ERASURE_OVERDUE,
}
ACKNOWLEDGED: Final = {
    NoticeReason.REVOKED: Topic.REVOCATION_ACKNOWLEDGED,
    NoticeReason.ERASE_DUE: Topic.ERASURE_REPORTED,
}
_NAMES: Final = {NoticeReason.REVOKED: "revocation", NoticeReason.ERASE_DUE: "erasure"}


class Noticing:
    """``party_of``: the organisation of a grantee that is a care team, else the grantee."""

    def __init__(
        self,
        *,
        reader: LogReader,
        notices: NoticeStore,
        newsroom: Newsroom,
        audience: Audience,
        party_of: Callable[[MemberId], MemberId],
        acknowledge_seconds: int,
        clock: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._notices = notices
        self._newsroom = newsroom
        self._audience = audience
        self._party_of = party_of
        self._acknowledge_seconds = acknowledge_seconds
        self._clock = clock

    def give(self, news: News, consent: ConsentId, grant: Grant, *, reason: NoticeReason) -> None:
        """Give each of them its notice, once. Raises Unavailable."""
        holders = self._holders(consent, grant.subject)
        for member in sorted({self._party_of(grant.terms.grantee)} | holders):
            notice = self._notices.put_notice(
                RevocationNotice(
                    notice_id=notice_id(reason, consent, member),
                    consent_id=consent,
                    subject=grant.subject,
                    member_id=member,
                    created_at=UnixSeconds(news.at),
                    acknowledge_by=UnixSeconds(self._clock() + self._acknowledge_seconds),
                    reason=reason,
                )
            )
            self._audience.tell_systems(self._newsroom.with_notice(news, notice), {member})
            due_at = UnixSeconds(notice.acknowledge_by + 1)
            overdue = OVERDUE[reason]
            self._notices.put_reminder(Reminder(overdue, notice.notice_id, grant.subject, due_at))

    def _holders(self, consent: ConsentId, subject: SubjectId) -> set[MemberId]:
        """Return the members that read under the consent, or have a token that rests on it, by the patient's
        own log."""
        found: set[MemberId] = set()
        for chain in self._reader.chains(subject):
            for entry in self._reader.entries(chain.indexes):
                event = self._reader.event(entry, chain)
                held = event.type in _HELD and event.outcome in RELEASED and consent in event.consents
                if held and event.organisation is not None:
                    found.add(event.organisation)
        return found


def notice_id(reason: NoticeReason, consent: ConsentId, member: MemberId) -> str:
    """Return the id of a member's notice: 32 hex digits, the same each time."""
    return digest(_NAMES[reason], consent.hex(), member.hex())
