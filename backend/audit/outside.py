"""Entries for an auditor outside of the custodian: what happened, and nothing that says to whom or by whom.

Every id becomes a pseudonym under a key that is drawn for one export and kept nowhere. In one export one
pseudonym is one person, organisation, record or consent; between two exports, or against the chain or the
log, nothing meets: the leaf, its place in the log, blocks and the exact time would, so they are left out, and
times are cut to the hour (docs/decisions/0024-exports-without-identities.md).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Group
from backend.audit.fhir import Place
from backend.types import ConsentId, MemberId, RecordId, SubjectId

HOUR_MS: Final = 3_600_000
# Nobody's: what is left of these agents tells a part of this system, or that nobody had signed in.
_NOBODY: Final = frozenset({AgentKind.SERVICE, AgentKind.ANONYMOUS})
# Details that are codes, numbers or published digests; all else is an id, or may be one.
_CODED: Final = frozenset(
    {
        *("attempts", "change", "compromised", "count", "families", "kind", "labels", "language"),
        *("preview", "reason", "roles", "route", "segments", "tables", "version", "whole", "withheld"),
    }
)
_KINDS: Final = {"client": AgentKind.CLIENT, "staff": AgentKind.STAFF}


class Disguise:
    """The pseudonyms of one export."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        name = f"urn:assent:export:{self._hex('export', b'')}"
        self.place = Place(origin=name, url=name)

    def hour(self, milliseconds: int) -> int:
        """Return the beginning of the hour (UTC)."""
        return milliseconds - milliseconds % HOUR_MS

    def of(self, event: AuditEvent) -> AuditEvent:
        """Return the event with pseudonyms for every id, and without what tells its place in log or chain."""
        return replace(
            event,
            occurred_at_ms=self.hour(event.occurred_at_ms),
            actor=self._agent(event.actor),
            organisation=None if event.organisation is None else self._member(event.organisation),
            groups=tuple(self._group(group) for group in event.groups),
            subject=None if event.subject is None else self._subject(event.subject),
            records=tuple(RecordId(self._bytes("record", record, 16)) for record in event.records),
            consents=tuple(ConsentId(self._bytes("consent", consent, 32)) for consent in event.consents),
            final_block=None,
            head_block=None,
            queue_position=None,
            detail=self._detail(event.detail),
            basis=b"",
        )

    def _agent(self, actor: Agent) -> Agent:
        if actor.kind in _NOBODY:
            return Agent(actor.kind, actor.id)
        if actor.kind is AgentKind.MEMBER:
            return Agent.member(self._member(MemberId(bytes.fromhex(actor.id[2:]))))
        return Agent(actor.kind, self._named(actor.kind, actor.id))

    def _named(self, kind: AgentKind, name: str) -> str:
        return self._hex(kind.value, name.lower().encode())

    def _group(self, group: Group) -> Group:
        digest = self._bytes("membership", group.membership, 32) if group.membership else b""
        return Group(self._member(group.id), group.version, digest)

    def _member(self, member: MemberId) -> MemberId:
        return MemberId(self._bytes("member", member, 32))

    def _subject(self, subject: SubjectId) -> SubjectId:
        drawn = int.from_bytes(self._bytes("subject", subject.to_bytes(12, "big"), 12), "big")
        return SubjectId(drawn or 1)

    def _detail(self, detail: Mapping[str, DetailValue]) -> dict[str, DetailValue]:
        found: dict[str, DetailValue] = {}
        for name, value in detail.items():
            if name in _CODED:
                found[name] = value
            elif isinstance(value, str) and name in _KINDS:
                found[name] = self._named(_KINDS[name], value)
            elif isinstance(value, str | bytes):
                plain = value.lower().encode() if isinstance(value, str) else value
                found[name] = self._hex(f"detail/{name}", plain)
        return found

    def _hex(self, kind: str, value: bytes) -> str:
        return self._bytes(kind, value, 16).hex()

    def _bytes(self, kind: str, value: bytes, length: int) -> bytes:
        """HMAC-SHA256 under this export's key; the kind keeps equal ids of two kinds apart."""
        return hmac.digest(self._key, kind.encode() + b"\0" + value, hashlib.sha256)[:length]
