"""One thing to tell, as JSON for any number of receivers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from backend.notices.types import Message, RevocationNotice, Topic
from backend.types import SubjectId


@dataclass(frozen=True, slots=True)
class News:
    topic: Topic
    subject: SubjectId
    at: int = field(kw_only=True)  # unix seconds
    key: str = field(kw_only=True)  # what it is about; with topic and client it names the message
    data: Mapping[str, str | int] = field(kw_only=True)
    links: Mapping[str, str] = field(kw_only=True)
    notice_id: str | None = field(default=None, kw_only=True)

    def adding(self, **data: str | int) -> News:
        return replace(self, data={**self.data, **data})

    def noticed(self, notice: RevocationNotice, link: str) -> News:
        """Return the news as it goes to the member that has to acknowledge it, at ``link``."""
        told = self.adding(notice_id=notice.notice_id, acknowledge_by=time_text(notice.acknowledge_by))
        return replace(told, links={**self.links, "acknowledge": link}, notice_id=notice.notice_id)

    def message(self, client_id: str) -> Message:
        value = {
            "type": self.topic,
            "timestamp": time_text(self.at),
            "data": {"subject": subject_text(self.subject), **self.data, "links": self.links},
        }
        return Message(
            message_id=f"msg_{digest(self.topic, self.key, client_id)}",
            client_id=client_id,
            topic=self.topic,
            body=json.dumps(value, separators=(",", ":")).encode(),
            notice_id=self.notice_id,
        )


def digest(*parts: str) -> str:
    """Return 32 hex digits that are the same for the same parts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def subject_text(subject: SubjectId) -> str:
    return f"0x{subject:024x}"


def time_text(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
