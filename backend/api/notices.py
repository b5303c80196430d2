"""Notices that people are shown before they sign: served to anybody, published by operators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.entity_tags import IfNoneMatch, names
from backend.api.schemas import Body, Hex32, bytes32, moment
from backend.api.security import Caller, Open, agent_of, needs
from backend.consent.notices import MAX_BYTES, Notice, NoticeRow
from backend.identity.roles import Scope
from backend.types import to_hex

router = APIRouter(prefix="/v1/notices", tags=["consents"])
FOREVER = "public, max-age=31536000, immutable"  # the address is the hash of the content


class NoticeBody(Body):
    language: Literal["en", "de"]
    media_type: Literal["text/markdown", "text/plain"] = "text/markdown"
    text: str = Field(min_length=1, max_length=MAX_BYTES)


class NoticeView(BaseModel):
    """``current``: drafts in this language name it. ``published_at`` is None if it came with the program."""

    notice: str = Field(description="hash that the signed terms name")
    language: str
    media_type: str
    published_at: datetime | None
    current: bool


@router.get("", response_model=list[NoticeView])
def list_notices(services: Open) -> list[NoticeView]:
    """All notices, newest first."""
    return notice_views(services.notices.all())


@router.get("/{notice}", response_class=Response)
def get_notice(notice: Hex32, services: Open, if_none_match: IfNoneMatch = None) -> Response:
    """The text of one notice. It never changes: keep it as long as you like, and hash it to check it.

    The hash is SHA-256 over `assent/notice/1`, the language (`Content-Language`) and the media type without
    parameters, each followed by a line end, and then the content.
    """
    name = bytes32(notice)
    found = services.notices.get(name)
    tag = f'"{name.hex()}"'
    headers = {"ETag": tag, "Cache-Control": FOREVER, "Content-Language": found.language}
    if names(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=f"{found.media_type}; charset=utf-8", headers=headers)


@router.post("", status_code=201, response_model=NoticeView)
def publish_notice(
    body: NoticeBody, caller: Annotated[Caller, Depends(needs(Scope.NOTICE_PUBLISH))]
) -> NoticeView:
    """Publish a notice. From now on drafts in its language name it; those published before stay valid and
    served. The same text again makes it the current one again."""
    services, principal = caller
    notice = Notice(body.language, body.media_type, body.text.encode())
    name = services.notices.publish(notice, by=agent_of(principal))
    return next(view for view in notice_views(services.notices.all()) if view.notice == to_hex(name))


def notice_views(rows: Sequence[NoticeRow]) -> list[NoticeView]:
    """Show notices that are ordered newest first."""
    newest: dict[str, NoticeRow] = {}
    for row in rows:
        newest.setdefault(row.notice.language, row)
    return [
        NoticeView(
            notice=to_hex(row.name),
            language=row.notice.language,
            media_type=row.notice.media_type,
            published_at=moment(row.published_at) if row.published_at else None,
            current=newest[row.notice.language] is row,
        )
        for row in rows
    ]
