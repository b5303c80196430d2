"""The audit event: who did what to whose data, when, for which purpose, on which grounds, with what result.

The vocabulary is FHIR AuditEvent's (R4) as the IHE profile BALP uses it; ``fhir.py`` exports it. Every value
is a code, an id or a number. Free text is refused: it may hold personal data that nobody can find again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from backend.audit import cbor
from backend.audit.errors import EntryDamaged, InvalidEvent
from backend.types import (
    MAX_SUBJECT_ID,
    Address,
    BlockNumber,
    ConsentId,
    MemberId,
    QueuePosition,
    RecordId,
    SubjectId,
    to_hex,
)

DetailValue = str | int | bool | bytes
_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_PURPOSE = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_COARSE_TEXT = re.compile(r"[A-Za-z0-9._:/+-]{0,256}")  # no blank and no @: not a name, sentence or address
_MAX_MEMBERS = 512
_MAX_BASIS = 4_096
_MARK_BYTES = 16
_SUBJECT_BYTES = 12


class Outcome(StrEnum):
    """What came of it. ``unavailable`` is a failure to find out and never a refusal."""

    PERMITTED = "permitted"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"
    CHANGED = "changed"


class Action(StrEnum):
    """The actions of a consent's terms; bit numbers are their order."""

    COLLECT = "collect"
    ACCESS = "access"
    USE = "use"
    DISCLOSE = "disclose"
    CORRECT = "correct"
    WRITE = "write"
    EXPORT = "export"
    COMPUTE = "compute"
    REDELEGATE = "redelegate"
    STORE = "store"
    STREAM = "stream"
    QUERY = "query"


class AgentKind(StrEnum):
    MEMBER = "member"  # a participant on the chain
    ACCOUNT = "account"  # a wallet: a patient, guardian or delegate
    SUBJECT = "subject"  # a patient known by pseudonym only
    STAFF = "staff"
    CLIENT = "client"  # an OAuth2 client
    DEVICE = "device"
    SERVICE = "service"  # a part of this system
    ANONYMOUS = "anonymous"  # nobody who signed in


@dataclass(frozen=True, slots=True)
class Agent:
    """Who acted: a kind and an opaque id, never a name or an e-mail address.

    ``token`` and ``session`` are the marks (``mark_of``) of the access token it came with and of the sign-in
    which that descends from; with whatever token, it is the same agent.
    """

    kind: AgentKind
    id: str
    token: bytes = field(default=b"", compare=False)  # 16 bytes, empty where there was none
    session: bytes = field(default=b"", compare=False)

    @classmethod
    def member(cls, member: MemberId) -> Agent:
        return cls(AgentKind.MEMBER, to_hex(member))

    @classmethod
    def account(cls, account: Address) -> Agent:
        return cls(AgentKind.ACCOUNT, account.lower())

    @classmethod
    def service(cls, part: str) -> Agent:
        return cls(AgentKind.SERVICE, part)


ANONYMOUS = Agent(AgentKind.ANONYMOUS, "")


def mark_of(identifier: str) -> bytes:
    """Return the 16 bytes by which the log names an access token (its ``jti``) or a session (its ``fid``).

    A digest: the ids themselves stand in the logs of others.
    """
    return hashlib.sha256(b"assent/audit/mark/1\0" + identifier.encode()).digest()[:_MARK_BYTES]


class Group(NamedTuple):
    """An organisation or a care team that somebody acted for. Of a team ``membership`` is the digest of who
    was in it, in that version; of an organisation both are empty."""

    id: MemberId
    version: int = 0
    membership: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event. Ids of records are 16 bytes, of consents and members 32; segments are opaque ids."""

    type: str  # stable code in snake_case with dots, such as "record.read"
    outcome: Outcome
    occurred_at_ms: int  # unix milliseconds
    actor: Agent
    organisation: MemberId | None = None
    groups: tuple[Group, ...] = ()  # the organisations acted for, and the teams that access was had through
    subject: SubjectId | None = None  # None: an event of the system, about no patient
    purpose: str | None = None  # HL7 v3 PurposeOfUse
    action: Action | None = None
    records: tuple[RecordId, ...] = ()
    segments: tuple[bytes, ...] = ()
    consents: tuple[ConsentId, ...] = ()
    reasons: tuple[str, ...] = ()  # reason codes of the decision
    final_block: BlockNumber | None = None
    head_block: BlockNumber | None = None
    queue_position: QueuePosition | None = None  # of the queue of restrictions, as the decision saw it
    obligations: int = 0  # bits of the decision's obligations
    detail: Mapping[str, DetailValue] = field(default_factory=dict)
    basis: bytes = b""  # an encoded ``backend.consent.basis.Basis``: what a decision is made again from

    def __post_init__(self) -> None:
        _require(bool(_CODE.fullmatch(self.type)), "type")
        _require(0 <= self.occurred_at_ms < 2**53, "occurred_at_ms")
        _require(bool(_COARSE_TEXT.fullmatch(self.actor.id)), "actor")
        _require(
            all(len(mark) in (0, _MARK_BYTES) for mark in (self.actor.token, self.actor.session)), "actor"
        )
        _require(self.organisation is None or len(self.organisation) == 32, "organisation")
        _require(all(_is_group(group) for group in self.groups), "groups")
        _require(self.subject is None or 0 < self.subject <= MAX_SUBJECT_ID, "subject")
        _require(self.purpose is None or bool(_PURPOSE.fullmatch(self.purpose)), "purpose")
        _require(all(len(r) == 16 for r in self.records), "records")
        _require(all(0 < len(s) <= 64 for s in self.segments), "segments")
        _require(all(len(c) == 32 for c in self.consents), "consents")
        _require(all(_CODE.fullmatch(r) for r in self.reasons), "reasons")
        for name in ("groups", "records", "segments", "consents", "reasons", "detail"):
            _require(len(getattr(self, name)) <= _MAX_MEMBERS, name)
        for name in ("final_block", "head_block", "queue_position", "obligations"):
            value = getattr(self, name)
            _require(value is None or 0 <= value < 2**63, name)
        _require(len(self.basis) <= _MAX_BASIS, "basis")
        for key, value in self.detail.items():
            _require(bool(_CODE.fullmatch(key)) and _is_coded(value), f"detail.{key}")
        object.__setattr__(self, "detail", MappingProxyType(dict(self.detail)))

    def encode(self) -> bytes:
        """Return the event as deterministic CBOR, without the fields that are empty."""
        values: dict[str, object] = {"v": 1}
        for name, empty, write in _WRITERS:
            value = getattr(self, name)
            if value != empty:
                values[name] = value if write is None else write(value)
        return cbor.encode(values)

    @classmethod
    def decode(cls, data: bytes) -> AuditEvent:
        """Read an event back. Raises EntryDamaged when it is not exactly what ``encode`` gives."""
        try:
            values = cbor.decode(data)
            if not isinstance(values, dict) or values.pop("v", None) != 1:
                raise ValueError("unknown version")
            for name, reader in _READERS.items():
                if name in values:
                    values[name] = reader(values[name])
            event = cls(**values)
        except (ValueError, TypeError, AttributeError, InvalidEvent) as error:
            raise EntryDamaged("an event cannot be read") from error
        if event.encode() != data:
            raise EntryDamaged("an event is not in its one form")
        return event


def _subject(value: bytes) -> SubjectId:
    return SubjectId(int.from_bytes(value, "big"))


def _agent(value: Iterable[Any]) -> Agent:
    kind, identifier, *marks = value
    return Agent(AgentKind(kind), identifier, *marks)


def _groups(value: Iterable[Iterable[Any]]) -> tuple[Group, ...]:
    return tuple(Group(*group) for group in value)


def _plain_agent(agent: Agent) -> list[object]:
    marks = [agent.token, agent.session] if agent.token or agent.session else []
    return [agent.kind.value, agent.id, *marks]


_NEVER_EMPTY: Final = object()  # equal to no value: the field is always written
_EMPTY: dict[str, object] = {
    **dict.fromkeys(("organisation", "subject", "purpose", "action"), None),
    **dict.fromkeys(("final_block", "head_block", "queue_position"), None),
    **dict.fromkeys(("groups", "records", "segments", "consents", "reasons"), ()),
    "obligations": 0,
    "detail": {},
    "basis": b"",
}
_WRITE: dict[str, Callable[[Any], object]] = {
    "subject": lambda value: value.to_bytes(_SUBJECT_BYTES, "big"),
    "actor": _plain_agent,
    **dict.fromkeys(("outcome", "action"), lambda value: value.value),
    "groups": lambda value: [list(group) for group in value],
    **dict.fromkeys(("records", "segments", "consents", "reasons"), list),
    "detail": dict,
}
# name, the value that is left out, how it is written where CBOR cannot take it as it is
_WRITERS = tuple((f.name, _EMPTY.get(f.name, _NEVER_EMPTY), _WRITE.get(f.name)) for f in fields(AuditEvent))
_READERS: dict[str, Callable[[Any], object]] = {
    "outcome": Outcome,
    "action": Action,
    "actor": _agent,
    "subject": _subject,
    "groups": _groups,
    **dict.fromkeys(("records", "segments", "consents", "reasons"), tuple),
}


def _is_group(group: Group) -> bool:
    return len(group.id) == 32 and 0 <= group.version < 2**53 and len(group.membership) in (0, 32)


def _is_coded(value: object) -> bool:
    match value:
        case str():
            return bool(_COARSE_TEXT.fullmatch(value))
        case bytes():
            return len(value) <= 64
        case int():
            return -(2**63) <= value < 2**63
        case _:
            return False


def _require(condition: bool, name: str) -> None:
    if not condition:
        raise InvalidEvent(f"the audit event's {name} is not a coded value", field=name)
