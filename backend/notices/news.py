"""One thing to tell, to any number of receivers: as JSON to systems; a mail to a patient says its topic."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from backend.notices.types import Message, RevocationNotice, Topic
from backend.types import Bytes32, ConsentId, LogIndex, SubjectId, subject_text, time_text, to_hex


@dataclass(frozen=True, slots=True)
class News:
    topic: Topic
    subject: SubjectId
    at: int = field(kw_only=True)  # unix seconds
    key: str = field(kw_only=True)  # what it is about; with topic and client it names the message
    data: Mapping[str, str | int] = field(kw_only=True)
    links: Mapping[str, str] = field(kw_only=True)
    notice_id: str | None = field(default=None, kw_only=True)
    each_time: bool = field(default=False, kw_only=True)  # never told together with others

    def adding(self, **data: str | int) -> News:
        return replace(self, data={**self.data, **data})

    def message(self, client_id: str) -> Message:
        value = {
            "type": self.topic,
            "timestamp": time_text(self.at),
            "data": {"subject": subject_text(self.subject), **self.data, "links": self.links},
        }
        return Message(
            message_id=f"msg_{digest(self.topic, self.key, client_id)}",
            receiver=client_id,
            topic=self.topic,
            body=json.dumps(value, separators=(",", ":")).encode(),
            notice_id=self.notice_id,
        )


class Newsroom:
    """Writes news with links to what it is about, below ``public_url``."""

    def __init__(self, public_url: str) -> None:
        self._url = f"{public_url.rstrip('/')}/v1"

    def of_access(self, index: LogIndex, subject: SubjectId, *, at: int, each_time: bool) -> News:
        return News(
            Topic.ACCESS_RECORDED,
            subject,
            at=at,
            key=str(index),
            data={"entry": index},
            links={"accesses": f"{self._url}/accesses?subject={subject_text(subject)}"},
            each_time=each_time,
        )

    def of_request(self, topic: Topic, request_id: Bytes32, subject: SubjectId, *, at: int) -> News:
        name = to_hex(request_id)
        return News(
            topic,
            subject,
            at=at,
            key=name,
            data={"request_id": name},
            links={"request": f"{self._url}/consent-requests/{name}"},
        )

    def of_consent(
        self, topic: Topic, consent: ConsentId, subject: SubjectId, *, at: int, key: str | None = None
    ) -> News:
        """``key``: where there may be several of one consent."""
        name = to_hex(consent)
        return News(
            topic,
            subject,
            at=at,
            key=consent.hex() if key is None else key,
            data={"consent_id": name},
            links={"consent": f"{self._url}/consents/{name}?subject={subject_text(subject)}"},
        )

    def of_recovery(self, topic: Topic, index: LogIndex, subject: SubjectId, *, at: int) -> News:
        return News(
            topic,
            subject,
            at=at,
            key=str(index),
            data={"entry": index},
            links={"recovery": f"{self._url}/recovery?subject={subject_text(subject)}"},
        )

    def with_notice(self, news: News, notice: RevocationNotice) -> News:
        """Return the news as it goes to the member that has to acknowledge it."""
        told = news.adding(notice_id=notice.notice_id, acknowledge_by=time_text(notice.acknowledge_by))
        link = f"{self._url}/notices-of-revocation/{notice.notice_id}/ack"
        return replace(told, links={**news.links, "acknowledge": link}, notice_id=notice.notice_id)


def digest(*parts: str) -> str:
    """Return 32 hex digits that are the same for the same parts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
