"""Where a patient wants mail, for what, and what became of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from backend.notices.types import Topic
from backend.sealed import require_schema
from backend.types import SubjectId, UnixSeconds

SCHEMA_VERSION: Final = 1


class NoticeKind(StrEnum):
    """What a patient can choose to be told by mail."""

    REQUESTS = "requests"  # somebody asks for consent, or the request lapses
    CONSENTS = "consents"  # a grant, refusal, deny or revocation was recorded
    REVOCATIONS = "revocations"  # a member has acknowledged one, or reported an erasure, or not in time
    ACCESSES = "accesses"  # at most one mail a day, but for a consent that says each time
    REMINDERS = "reminders"  # a consent is about to end


ALL_KINDS: Final = frozenset(NoticeKind)
KIND_OF_TOPIC: Final = {
    Topic.CONSENT_REQUESTED: NoticeKind.REQUESTS,
    Topic.REQUEST_LAPSING: NoticeKind.REQUESTS,
    Topic.REQUEST_LAPSED: NoticeKind.REQUESTS,
    Topic.CONSENT_GRANTED: NoticeKind.CONSENTS,
    Topic.CONSENT_DENIED: NoticeKind.CONSENTS,
    Topic.CONSENT_REFUSED: NoticeKind.CONSENTS,
    Topic.CONSENT_REVOKED: NoticeKind.CONSENTS,
    Topic.REVOCATION_ACKNOWLEDGED: NoticeKind.REVOCATIONS,
    Topic.REVOCATION_OVERDUE: NoticeKind.REVOCATIONS,
    Topic.ERASURE_REPORTED: NoticeKind.REVOCATIONS,
    Topic.ERASURE_OVERDUE: NoticeKind.REVOCATIONS,
    Topic.CONSENT_EXPIRING: NoticeKind.REMINDERS,
    Topic.ACCESS_RECORDED: NoticeKind.ACCESSES,
}

ALWAYS: Final = frozenset({Topic.RECOVERY_PROPOSED, Topic.RECOVERY_STOPPED, Topic.RECOVERY_COMPLETED})
"""What every patient with an address is told, whatever was chosen: somebody may take the records over."""


class ContactState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"  # its server refuses it for good
    UNSUBSCRIBED = "unsubscribed"  # by the link in a mail


@dataclass(frozen=True, slots=True)
class Wish:
    address: str
    language: str
    kinds: frozenset[NoticeKind]


@dataclass(frozen=True, slots=True)
class Contact:
    """A confirmed address. ``token`` stops the mails to it and can do nothing else."""

    wish: Wish
    state: ContactState
    token: str
    confirmed_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Pending:
    """An address to which a code was sent. ``code_hash`` is keyed; ``refused``: its server does not take mail
    for it."""

    wish: Wish
    code_hash: str
    expires_at: UnixSeconds
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ContactFile:
    """What is kept of one patient."""

    contact: Contact | None = None
    pending: Pending | None = None

    def encode(self) -> bytes:
        value = {"schema": SCHEMA_VERSION, **asdict(self)}
        return json.dumps(value, default=sorted, sort_keys=True).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> ContactFile:
        """Read what ``encode`` wrote. Raises SchemaUnknown."""
        value = json.loads(encoded)
        require_schema(value["schema"], SCHEMA_VERSION)
        contact, pending = value["contact"], value["pending"]
        return cls(
            contact=None
            if contact is None
            else Contact(
                wish=_wish(contact["wish"]),
                state=ContactState(contact["state"]),
                token=contact["token"],
                confirmed_at=UnixSeconds(contact["confirmed_at"]),
            ),
            pending=None
            if pending is None
            else Pending(
                wish=_wish(pending["wish"]),
                code_hash=pending["code_hash"],
                expires_at=UnixSeconds(pending["expires_at"]),
                refused=pending["refused"],
            ),
        )


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A file as it lies in the index. ``token_hash`` is keyed, empty without a confirmed address."""

    subject: SubjectId
    sealed: bytes = field(repr=False)
    token_hash: str
    revision: int


def _wish(value: dict[str, Any]) -> Wish:
    kinds = frozenset(NoticeKind(kind) for kind in value["kinds"])
    return Wish(address=value["address"], language=value["language"], kinds=kinds)
