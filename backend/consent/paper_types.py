"""A consent on paper as it is kept, and the ports it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from backend.consent.authority import revocation_for
from backend.consent.ledger_types import Receipt
from backend.consent.terms import Command, DelegatedGrant, Delegation, Grant
from backend.consent.terms_json import from_json, to_json
from backend.consent.typed_data import consent_id
from backend.consent.witnessed import Pair
from backend.sealed import require_schema
from backend.types import Address, Bytes32, ConsentId, SubjectId, UnixSeconds

SCHEMA_VERSION = 1


class PaperState(StrEnum):
    OPEN = "open"  # a signature is missing
    SIGNED = "signed"
    RECORDED = "recorded"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Witness:
    """A member of staff, and the account that this person had linked when the paper was drafted."""

    staff_id: str
    account: Address


@dataclass(frozen=True, slots=True)
class Signatures:
    """One witness's, 65 bytes each: of the delegation, of the grant under it, and of the grant's revocation,
    which is kept until somebody stops the consent.
    """

    delegation: bytes
    grant: bytes
    stop: bytes


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper. ``digest`` is the SHA-256 of the scan; ``pair`` has the accounts of ``witnesses`` in order.

    ``revision`` is what compare-and-swap compares.
    """

    paper_id: str  # 16 random bytes in hex
    subject: SubjectId
    media_type: str
    digest: Bytes32
    witnesses: tuple[Witness, Witness]
    pair: Pair
    delegation: Delegation
    grant: Grant
    brought_by: str  # staff id
    brought_at: UnixSeconds
    lapses_at: UnixSeconds
    state: PaperState = PaperState.OPEN
    signatures: Mapping[str, Signatures] = field(default_factory=dict)  # by staff id
    revision: int = 1

    @property
    def consent_id(self) -> ConsentId:
        return consent_id(self.grant)

    def commands(self) -> tuple[Command, Command, Command]:
        """What each witness signs, in the order of ``Signatures``."""
        via = (self.delegation,)
        given = DelegatedGrant(self.grant, consent_id(self.delegation))
        return self.delegation, given, revocation_for(self.consent_id, via)

    def joined(self) -> Signatures | None:
        """What the pair signed (130 bytes each), None while a witness's signatures are missing."""
        found = [self.signatures.get(witness.staff_id) for witness in self.witnesses]
        first, second = found
        if first is None or second is None:
            return None
        return Signatures(
            first.delegation + second.delegation, first.grant + second.grant, first.stop + second.stop
        )

    def changed(self, **members: Any) -> Paper:
        return replace(self, revision=self.revision + 1, **members)

    def encode(self) -> bytes:
        value = {
            "schema": SCHEMA_VERSION,
            "media_type": self.media_type,
            "digest": self.digest.hex(),
            "witnesses": [[witness.staff_id, witness.account] for witness in self.witnesses],
            "salt": self.pair.salt.hex(),
            "delegation": to_json(self.delegation),
            "grant": to_json(self.grant),
            "brought_by": self.brought_by,
            "brought_at": self.brought_at,
            "lapses_at": self.lapses_at,
            "state": self.state.value,
            "signatures": {
                name: [each.delegation.hex(), each.grant.hex(), each.stop.hex()]
                for name, each in self.signatures.items()
            },
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, encoded: bytes, *, paper_id: str, revision: int) -> Paper:
        """Read what ``encode`` wrote. Raises SchemaUnknown."""
        value = json.loads(encoded)
        require_schema(value["schema"], SCHEMA_VERSION)
        first, second = (Witness(name, Address(account)) for name, account in value["witnesses"])
        delegation = from_json(Delegation, value["delegation"])
        return cls(
            paper_id=paper_id,
            subject=delegation.subject,
            media_type=value["media_type"],
            digest=Bytes32(bytes.fromhex(value["digest"])),
            witnesses=(first, second),
            pair=Pair(first.account, second.account, Bytes32(bytes.fromhex(value["salt"]))),
            delegation=delegation,
            grant=from_json(Grant, value["grant"]),
            brought_by=value["brought_by"],
            brought_at=UnixSeconds(value["brought_at"]),
            lapses_at=UnixSeconds(value["lapses_at"]),
            state=PaperState(value["state"]),
            signatures={
                name: Signatures(*map(bytes.fromhex, each)) for name, each in value["signatures"].items()
            },
            revision=revision,
        )


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One paper in the index: a sealed ``Paper`` and, apart, the sealed scan. ``state`` serves the search."""

    paper_id: str
    subject: SubjectId
    state: str
    revision: int
    consent: ConsentId
    sealed: bytes
    scan: bytes = field(default=b"", repr=False)


def place_of(paper_id: str) -> str:
    """Return where a paper is sealed for."""
    return f"papers/{paper_id}"


def scan_place_of(paper_id: str) -> str:
    """Return where a paper's scan is sealed for."""
    return f"papers/{paper_id}/scan"


class PaperStore(Protocol):
    """Every write is durable on return. All raise IndexUnavailable."""

    def insert(self, row: PaperRow) -> None: ...

    def replace(self, row: PaperRow) -> bool:
        """Write all but the scan; False unless the stored revision is one lower."""

    def get(self, paper_id: str) -> PaperRow | None:
        """Return the row without its scan."""

    def scan(self, paper_id: str) -> bytes | None: ...

    def of_consent(self, consent: ConsentId) -> PaperRow | None:
        """Return the row of the paper with this consent, without its scan."""

    def in_state(self, state: str) -> Sequence[PaperRow]:
        """Rows without their scans."""


class Pairs(Protocol):
    """Where the accounts of two witnesses are made; ``address`` is that contract's."""

    address: Address

    def address_of(self, pair: Pair) -> Address: ...

    def open(self, pair: Pair) -> Receipt:
        """Make the pair's account, once. Raises LedgerUnavailable and LedgerRejected."""


class GuardianRelay(Protocol):
    """How a witnessed delegation gets to the chain; each raises as the methods of ``ConsentRelay``."""

    def open_subject_under_guardian(self, guardianship: Delegation, signature: bytes) -> Receipt: ...

    def add_guardian(self, guardianship: Delegation, signature: bytes) -> Receipt: ...
