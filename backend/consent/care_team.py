"""A care team: people and systems that a patient can give a consent to together (the model is FHIR CareTeam).

Who is in it is personal data and on no chain. A version of a team is one document, never changed: its digest
goes into the audit log with each access through the team, so that who was in it then can be shown later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.sealed import require_schema
from backend.types import Bytes32, MemberId, UnixSeconds

SCHEMA_VERSION: Final = 1
_DOMAIN: Final = b"assent/care-team/1\n"


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in a team from ``start <= t < end`` and until removed.

    ``principal`` is ``staff:id`` or ``client:id``, ``member`` the organisation that it acts for, ``role``
    what it does in the team, in words.
    """

    participant_id: str  # 16 random bytes in hex
    principal: str
    member: MemberId | None
    name: str
    role: str
    start: UnixSeconds
    end: UnixSeconds
    removed_at: UnixSeconds | None = None

    @property
    def until(self) -> UnixSeconds:
        """The first second in which it is not in the team any more."""
        return self.end if self.removed_at is None else min(self.end, self.removed_at)

    def is_in(self, at: int) -> bool:
        return self.start <= at < self.until

    def was_in(self, at: int) -> bool:
        """Whether it is in the team or was before, be it for a part of one second."""
        return self.start <= at and (self.removed_at is None or self.start <= self.removed_at)


@dataclass(frozen=True, slots=True)
class CareTeam:
    """One version of a team. ``salt``: 32 random bytes, new in each; without it the digest tells nothing."""

    team_id: MemberId
    version: int  # from 1
    name: str
    organisation: MemberId  # the member that manages it and without which it counts for nothing
    created_at: UnixSeconds
    closed_at: UnixSeconds | None
    participants: tuple[Participant, ...]
    salt: Bytes32

    def present(self, at: int) -> Iterator[Participant]:
        """Yield those who are in the team; nobody once it is closed."""
        if self.closed_at is None or at < self.closed_at:
            yield from (one for one in self.participants if one.is_in(at))

    def encode(self) -> bytes:
        """Return the document: JSON with sorted keys and no spaces, in which participants stand by id."""
        value = {
            "schema": SCHEMA_VERSION,
            "team": self.team_id.hex(),
            "version": self.version,
            "name": self.name,
            "organisation": self.organisation.hex(),
            "createdAt": self.created_at,
            "closedAt": self.closed_at,
            "participants": [
                _plain(one) for one in sorted(self.participants, key=lambda one: one.participant_id)
            ],
            "salt": self.salt.hex(),
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    @property
    def digest(self) -> Bytes32:
        """SHA-256 over ``assent/care-team/1``, a line end, and the document."""
        return digest_of(self.encode())

    @classmethod
    def decode(cls, encoded: bytes) -> CareTeam:
        """Read what ``encode`` wrote. Raises SchemaUnknown."""
        value = json.loads(encoded)
        require_schema(value["schema"], SCHEMA_VERSION)
        return cls(
            team_id=MemberId(bytes.fromhex(value["team"])),
            version=value["version"],
            name=value["name"],
            organisation=MemberId(bytes.fromhex(value["organisation"])),
            created_at=UnixSeconds(value["createdAt"]),
            closed_at=value["closedAt"],
            participants=tuple(_participant(one) for one in value["participants"]),
            salt=Bytes32(bytes.fromhex(value["salt"])),
        )


def digest_of(document: bytes) -> Bytes32:
    return Bytes32(hashlib.sha256(_DOMAIN + document).digest())


def _plain(one: Participant) -> dict[str, Any]:
    return {
        "id": one.participant_id,
        "principal": one.principal,
        "member": None if one.member is None else one.member.hex(),
        "name": one.name,
        "role": one.role,
        "start": one.start,
        "end": one.end,
        "removedAt": one.removed_at,
    }


def _participant(value: Mapping[str, Any]) -> Participant:
    return Participant(
        participant_id=value["id"],
        principal=value["principal"],
        member=None if value["member"] is None else MemberId(bytes.fromhex(value["member"])),
        name=value["name"],
        role=value["role"],
        start=UnixSeconds(value["start"]),
        end=UnixSeconds(value["end"]),
        removed_at=value["removedAt"],
    )
