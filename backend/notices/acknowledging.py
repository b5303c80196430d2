"""Revocation notices as their parties see them: members acknowledge, the patient sees who did and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.errors import NotFound
from backend.notices.ports import NoticeStore
from backend.notices.types import RevocationNotice
from backend.types import ConsentId, MemberId, SubjectId, UnixSeconds


class Acknowledgements:
    def __init__(self, *, notices: NoticeStore, audit: AuditLog, clock: Callable[[], int]) -> None:
        self._notices = notices
        self._audit = audit
        self._clock = clock

    def of(
        self,
        *,
        subject: SubjectId | None = None,
        member: MemberId | None = None,
        consent: ConsentId | None = None,
        limit: int,
    ) -> Sequence[RevocationNotice]:
        """Return notices, newest first; name a subject or a member."""
        return self._notices.notices_of(subject=subject, member=member, consent=consent, limit=limit)

    def get(self, notice_id: str, *, member: MemberId) -> RevocationNotice:
        """Raises NotFound, also for a notice to somebody else."""
        notice = self._notices.notice(notice_id)
        if notice is None or notice.member_id != member:
            raise NotFound
        return notice

    def acknowledge(self, notice_id: str, *, member: MemberId, by: Agent) -> RevocationNotice:
        """Note that the member knows of the end and has acted on it; again is harmless.

        Raises NotFound, also for a notice to somebody else.
        """
        notice = self.get(notice_id, member=member)
        now = UnixSeconds(self._clock())
        if notice.acknowledged_at is None:
            # The log first: what the patient is shown must stand there.
            self._audit.append(
                AuditEvent(
                    type=codes.REVOCATION_ACKNOWLEDGED,
                    outcome=Outcome.CHANGED,
                    occurred_at_ms=now * 1000,
                    actor=by,
                    organisation=member,
                    subject=notice.subject,
                    consents=(notice.consent_id,),
                    detail={"reason": notice.reason.value},
                ),
                act=bytes.fromhex(notice_id),
            )
            self._notices.set_acknowledged(notice_id, now)
        return self._notices.notice(notice_id) or notice
