"""What ABDM's artefacts need of a store. Writes are durable on return; all raise Unavailable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.types import Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds


@dataclass(frozen=True, slots=True)
class ArtefactRow:
    """What an artefact's id stands for. Its content is made anew from the signed document each time."""

    artefact_id: str
    request_id: Bytes32
    consent_id: ConsentId
    subject: SubjectId
    hip: MemberId
    hiu: MemberId


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A message that a member was sent, and when it was acknowledged. ``request_id``: 32 hex digits."""

    request_id: str
    consent_id: ConsentId
    member: MemberId
    status: str
    acknowledged_at: UnixSeconds | None = None


class ArtefactStore(Protocol):
    """Artefacts whose ids were handed out."""

    def put(self, row: ArtefactRow) -> None:
        """Add it. The same id again changes nothing."""

    def get(self, artefact_id: str) -> ArtefactRow | None: ...

    def of_consent(self, consent: ConsentId) -> Sequence[ArtefactRow]: ...

    def put_notification(self, row: NotificationRow) -> None:
        """Add it. The same id again changes nothing."""

    def notification(self, request_id: str) -> NotificationRow | None: ...

    def acknowledge(self, request_id: str, at: UnixSeconds) -> None:
        """Note the first time only."""
