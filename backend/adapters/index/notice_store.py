"""Published notices in MongoDB: one document a notice, under its hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.adapters.index.order import newest_first
from backend.consent.notices import Notice, NoticeRow
from backend.types import Bytes32, UnixSeconds

_NEWEST_FIRST: Final = newest_first("published_at")


class MongoNoticeStore:
    """Implements ``backend.consent.notices.NoticeStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._notices = database["notices"]

    def add(self, row: NoticeRow) -> None:
        name = row.name.hex()
        text = {
            "language": row.notice.language,
            "media_type": row.notice.media_type,
            "content": row.notice.content,
        }
        with translated():
            try:
                self._notices.insert_one({"_id": name, **text, "published_at": row.published_at})
            except DuplicateKeyError:
                self._notices.update_one({"_id": name}, {"$set": text})

    def renew(self, name: Bytes32, published_at: UnixSeconds) -> None:
        with translated():
            self._notices.update_one({"_id": name.hex()}, {"$set": {"published_at": published_at}})

    def get(self, name: Bytes32) -> NoticeRow | None:
        with translated():
            found = self._notices.find_one({"_id": name.hex()})
        return None if found is None else _row(found)

    def newest(self, language: str) -> NoticeRow | None:
        with translated():
            found = self._notices.find_one({"language": language}, sort=_NEWEST_FIRST)
        return None if found is None else _row(found)

    def all(self) -> Sequence[NoticeRow]:
        with translated():
            return [_row(found) for found in self._notices.find().sort(_NEWEST_FIRST)]


@parser
def _row(found: Mapping[str, Any]) -> NoticeRow:
    return NoticeRow(
        name=Bytes32(bytes.fromhex(found["_id"])),
        notice=Notice(found["language"], found["media_type"], bytes(found["content"])),
        published_at=UnixSeconds(found["published_at"]),
    )
