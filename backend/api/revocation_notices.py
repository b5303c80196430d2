"""Who was told that a consent ended, and who has acknowledged it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from backend.api.schemas import Hex16, Hex32, HexSubject, bytes32, moment, subject_id
from backend.api.security import Caller, agent_of, needs, requesting_member, require_party
from backend.notices.types import RevocationNotice
from backend.types import ConsentId, subject_text, to_hex

router = APIRouter(prefix="/v1/notices-of-revocation", tags=["revocations"])
Limit = Annotated[int, Query(ge=1, le=1000)]


class RevocationNoticeView(BaseModel):
    notice_id: str
    consent_id: str
    subject: str
    member_id: str
    reason: str = Field(description="revoked, or erase_due: to acknowledge is to report that copies are gone")
    state: str = Field(description="sent, delivered, acknowledged, late or acknowledged_late")
    created_at: datetime | None
    acknowledge_by: datetime | None
    delivered_at: datetime | None = Field(description="when a webhook of the member took it")
    acknowledged_at: datetime | None


@router.get("", response_model=list[RevocationNoticeView])
def list_notices(
    caller: Annotated[Caller, Depends(needs())],
    subject: HexSubject | None = None,
    consent: Hex32 | None = None,
    limit: Limit = 100,
) -> list[RevocationNoticeView]:
    """With ``subject``, for the patient: the notices about their consents. Without: those to your
    organisation. Newest first."""
    services, principal = caller
    wanted = None if subject is None else subject_id(subject)
    if wanted is not None:
        require_party(principal, subject=wanted, member=None)
    found = services.acknowledgements.of(
        subject=wanted,
        member=requesting_member(principal) if wanted is None else None,
        consent=None if consent is None else ConsentId(bytes32(consent)),
        limit=limit,
    )
    return [_view(notice, now=services.clock()) for notice in found]


@router.post("/{notice}/ack", response_model=RevocationNoticeView)
def acknowledge(notice: Hex16, caller: Annotated[Caller, Depends(needs())]) -> RevocationNoticeView:
    """Say that your organisation knows and has stopped using the data. The patient sees it."""
    services, principal = caller
    acknowledged = services.acknowledgements.acknowledge(
        notice, member=requesting_member(principal), by=agent_of(principal)
    )
    return _view(acknowledged, now=services.clock())


def _view(notice: RevocationNotice, *, now: int) -> RevocationNoticeView:
    return RevocationNoticeView(
        notice_id=notice.notice_id,
        consent_id=to_hex(notice.consent_id),
        subject=subject_text(notice.subject),
        member_id=to_hex(notice.member_id),
        reason=notice.reason.value,
        state=notice.state(now),
        created_at=moment(notice.created_at),
        acknowledge_by=moment(notice.acknowledge_by),
        delivered_at=None if notice.delivered_at is None else moment(notice.delivered_at),
        acknowledged_at=None if notice.acknowledged_at is None else moment(notice.acknowledged_at),
    )
