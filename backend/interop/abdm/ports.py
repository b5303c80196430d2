"""What ABDM's artefacts need of a store. Writes are durable on return; all raise Unavailable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.types import Bytes32, ConsentId, MemberId, SubjectId


@dataclass(frozen=True, slots=True)
class ArtefactRow:
    """What an artefact's id stands for. Its content is made anew from the signed document each time."""

    artefact_id: str
    request_id: Bytes32
    consent_id: ConsentId
    subject: SubjectId
    hip: MemberId
    hiu: MemberId


class ArtefactStore(Protocol):
    """Artefacts whose ids were handed out."""

    def put(self, row: ArtefactRow) -> None:
        """Add it. The same id again changes nothing."""

    def get(self, artefact_id: str) -> ArtefactRow | None: ...

    def of_consent(self, consent: ConsentId) -> Sequence[ArtefactRow]: ...
