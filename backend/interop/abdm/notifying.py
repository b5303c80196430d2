"""What ABDM calls notify: the HIU, and each HIP, is told that a consent was granted or is over.

The messages hold ids and the status, no purpose and no data: who gets one fetches the artefact.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backend.consent.evidence import EvidenceBook
from backend.consent.requests import ConsentRequest, RequestService
from backend.consent.terms import ZERO32, Grant
from backend.errors import LedgerUnavailable
from backend.interop.abdm.ports import ArtefactStore, NotificationRow
from backend.interop.abdm.service import AbdmArtefacts
from backend.types import ConsentId, MemberId, SubjectId, UnixSeconds, time_text, to_hex

_UNDECIDED: Final = "REQUESTED"


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to one member. ``name`` is its requestId, 32 hex digits; ``ends``: it tells the HIU of the
    end of a consent, which is to be acknowledged as the notice of that end, too."""

    member: MemberId
    name: str
    body: bytes
    ends: bool


class AbdmNotifications:
    """``name_of_end``: the id of the notice that a member is given of the end of a consent."""

    def __init__(
        self,
        *,
        artefacts: AbdmArtefacts,
        requests: RequestService,
        evidence: EvidenceBook,
        store: ArtefactStore,
        name_of_end: Callable[[ConsentId, MemberId], str],
        clock: Callable[[], int],
    ) -> None:
        self._artefacts = artefacts
        self._requests = requests
        self._evidence = evidence
        self._store = store
        self._name_of_end = name_of_end
        self._clock = clock

    def of(self, subject: SubjectId, consent: ConsentId) -> Sequence[Notification]:
        """Return who is to be told what of the state of a consent; nothing where the request was not ABDM's.

        Raises Unavailable, also while the consent is not final: then again later.
        """
        request = self._request(subject, consent)
        if request is None:
            return ()
        standing = self._artefacts.standing(request)
        if standing.status == _UNDECIDED:  # recorded, and not final yet
            raise LedgerUnavailable
        return list(self._messages(request, consent, standing.status, standing.artefacts))

    def get(self, request_id: str, *, member: MemberId) -> NotificationRow | None:
        """Return a message to this member; None also for one to somebody else."""
        row = self._store.notification(request_id)
        return row if row is not None and row.member == member else None

    def acknowledge(self, row: NotificationRow) -> None:
        """Note that the member has it; again is harmless."""
        self._store.acknowledge(row.request_id, UnixSeconds(self._clock()))

    def _request(self, subject: SubjectId, consent: ConsentId) -> ConsentRequest | None:
        """Return the request that the consent answers, if it came in ABDM's words."""
        prepared = self._evidence.documents(subject).get(consent)
        if prepared is None or not isinstance(prepared.document, Grant):
            return None
        if prepared.document.request == ZERO32:
            return None
        request = self._requests.get(prepared.document.request)
        return request if request.source else None

    def _messages(
        self, request: ConsentRequest, consent: ConsentId, status: str, names: Sequence[str]
    ) -> Iterator[Notification]:
        yield self._message(request, consent, status, request.asked.grantee, names)
        rows = self._store.of_consent(consent)
        for hip in sorted({row.hip for row in rows} - {request.asked.grantee}):
            own = [row.artefact_id for row in rows if row.hip == hip]
            yield self._message(request, consent, status, hip, own)

    def _message(
        self, request: ConsentRequest, consent: ConsentId, status: str, member: MemberId, names: Sequence[str]
    ) -> Notification:
        ends = status == "REVOKED" and member == request.asked.grantee
        name = self._name_of_end(consent, member) if ends else _name(status, consent, member)
        self._store.put_notification(NotificationRow(name, consent, member, status))
        body = {
            "requestId": str(uuid.UUID(name)),
            "timestamp": time_text(self._clock()),
            "notification": {
                "consentRequestId": to_hex(request.request_id),
                "status": status,
                "consentArtefacts": [{"id": each} for each in names],
            },
        }
        return Notification(member, name, json.dumps(body, separators=(",", ":")).encode(), ends)


def _name(status: str, consent: ConsentId, member: MemberId) -> str:
    return hashlib.sha256(f"abdm/{status}/{consent.hex()}/{member.hex()}".encode()).hexdigest()[:32]
