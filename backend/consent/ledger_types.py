"""What the chain says, as plain values: the view, the packed slots and the receipts.

Every domain package that asks the chain speaks in these types; only the adapter knows web3. The layouts
are those of ``contracts/interfaces/IConsentRegistry.sol``, packed low to high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from eth_utils.address import to_checksum_address

from backend.types import (
    MAX_UINT32,
    MAX_UINT40,
    Address,
    BlockNumber,
    Bytes32,
    ConsentId,
    MemberId,
    SubjectId,
    UnixSeconds,
)

_UINT96 = 2**96 - 1
_UINT160 = 2**160 - 1
_TAG = 1 << 39  # no block time has this bit
NOBODY = Address("0x" + "00" * 20)


@dataclass(frozen=True, slots=True)
class LedgerView:
    """One reading of the chain: the newest block and the newest one that cannot be taken back.

    Permission counts at the final block, restriction at the head (design, invariant 1). Both are equal on the
    embedded chain.
    """

    chain_id: int
    head_number: BlockNumber
    head_hash: Bytes32
    head_timestamp: UnixSeconds
    final_number: BlockNumber
    final_hash: Bytes32


@dataclass(frozen=True, slots=True)
class BoundKey:
    """A patient's encryption key as the chain holds it: the SHA-256 of its public half, its number among all
    that were bound or withdrawn, and the block time of its binding."""

    key_hash: Bytes32
    sequence: int
    bound_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class ConsentSlot:
    """One consent, delegation or guardianship as the chain stores it. ``kind`` is a
    ``backend.consent.terms.Kind``, or 0 where the chain has never heard of the id.

    The window is half-open: not_before <= time < not_after. ``revoked_at`` 0 means not revoked; ``not_after``
    2**40-1 means without end. A permit whose delegation was ended for cause comes with that time as its
    ``revoked_at``. ``delegation_tag`` tells what a delegate gave and nobody revoked: 2**39 and the
    low 39 bits of the id of the delegation used.
    """

    subject: SubjectId
    kind: int
    epoch: int
    revoked_at: UnixSeconds
    not_after: UnixSeconds
    not_before: UnixSeconds
    delegation_tag: int = 0

    @property
    def is_recorded(self) -> bool:
        return self.kind != 0


@dataclass(frozen=True, slots=True)
class SubjectEvidence:
    """A subject and the slots of the consents asked for, at one block, in the order asked.

    ``count`` is the number of consents ever recorded for the subject: documents that do not cover it permit
    nothing (design, invariant 4).
    """

    controller: Address
    epoch: int
    count: int
    opened: bool
    slots: tuple[ConsentSlot, ...]


UNOPENED: Final = SubjectEvidence(controller=NOBODY, epoch=0, count=0, opened=False, slots=())


@dataclass(frozen=True, slots=True)
class SentStop:
    """A signed stop in a transaction of somebody else, mined or not: of ``consent``, or of everything of
    ``subject`` in ``epoch``. Nobody has checked the signature."""

    signature: bytes
    consent: ConsentId | None = None
    subject: SubjectId | None = None
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class RecordedStop:
    """A stop that the chain has in a final block: of ``consent``, or with None of everything of ``epoch``.

    ``signature`` is empty where the transaction does not show it, ``by`` the account of who ended it where
    that was not the patient. ``granted`` are the consents that the same transaction recorded: where one of
    them supersedes, it is what ended the consent. ``registry``: the contract that has it, of those that
    succeeded one another; ``epoch`` is as that one counts.
    """

    subject: SubjectId
    consent: ConsentId | None
    epoch: int | None
    signature: bytes
    by: Address | None
    granted: tuple[ConsentId, ...]
    block: BlockNumber
    at: UnixSeconds
    transaction: Bytes32
    sender: Address
    registry: Address


@dataclass(frozen=True, slots=True)
class RecordedOpening:
    """An emergency that the chain has in a final block: ``member`` broke the glass of a patient.

    ``countersigner`` is None where nobody countersigned. Windows are half open; a ``late`` one was signed
    during an outage and its ``opened_at`` is the responder's word.
    """

    opening: Bytes32
    subject: SubjectId
    member: MemberId
    countersigner: MemberId | None
    opened_at: UnixSeconds
    expires_at: UnixSeconds
    late: bool
    block: BlockNumber
    at: UnixSeconds
    transaction: Bytes32


class MemberStanding(IntEnum):
    """Where a member stands, as ``contracts/interfaces/IParticipantRegistry.sol`` numbers it."""

    UNKNOWN = 0
    ACTIVE = 1
    SUSPENDED = 2
    REMOVED = 3


@dataclass(frozen=True, slots=True)
class Membership:
    """One member at one block. ``expiry``: the second from which its credential no longer counts."""

    standing: int  # a ``MemberStanding``
    expiry: UnixSeconds

    def counts_at(self, now: int) -> bool:
        return self.standing == MemberStanding.ACTIVE and now < self.expiry


NO_MEMBER: Final = Membership(MemberStanding.UNKNOWN, UnixSeconds(0))


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision needs of one block: the subject with its slots, and each member that was asked for."""

    subject: SubjectEvidence
    members: Mapping[MemberId, Membership]


@dataclass(frozen=True, slots=True)
class LedgerLog:
    """One raw event: emitting contract, topics of 32 bytes, ABI-encoded data, position within its block."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a transaction took effect. ``transaction_hash`` is 32 bytes."""

    block_number: BlockNumber
    transaction_hash: Bytes32
    logs: tuple[LedgerLog, ...]


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One decoded event, in chain order by (block_number, log_index). Enough of them rebuild all storage.

    ``generation``: which of the contracts of that name that succeeded one another emitted it, 0 the first.
    """

    contract: str
    name: str
    arguments: Mapping[str, object]
    block_number: BlockNumber
    block_hash: Bytes32
    transaction_hash: Bytes32
    log_index: int
    generation: int = 0


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event with the time of its block."""

    event: LedgerEvent
    time: UnixSeconds


def unpack_consent_slot(word: int) -> ConsentSlot:
    """Decode subject 96 | kind 8 | epoch 32 | revokedAt 40 | notAfter 40 | notBefore 40, low to high."""
    mark = word >> 136 & MAX_UINT40
    return ConsentSlot(
        subject=SubjectId(word & _UINT96),
        kind=word >> 96 & 0xFF,
        epoch=word >> 104 & MAX_UINT32,
        revoked_at=UnixSeconds(0 if mark & _TAG else mark),
        not_after=UnixSeconds(word >> 176 & MAX_UINT40),
        not_before=UnixSeconds(word >> 216 & MAX_UINT40),
        delegation_tag=mark if mark & _TAG else 0,
    )


def delegation_tag(delegation: ConsentId) -> int:
    """Return the tag of what is given under this delegation."""
    return int.from_bytes(delegation) % _TAG | _TAG


def unpack_subject_slot(word: int) -> SubjectEvidence:
    """Decode controller 160 | epoch 32 | count 32 | flags 32, low to high, with no consents."""
    return SubjectEvidence(
        controller=_checksummed(word & _UINT160),
        epoch=word >> 160 & MAX_UINT32,
        count=word >> 192 & MAX_UINT32,
        opened=bool(word >> 224 & 1),
        slots=(),
    )


@lru_cache(maxsize=4096)
def _checksummed(account: int) -> Address:
    """Return the EIP-55 form; kept, because it costs a hash and the same controllers come again."""
    return Address(to_checksum_address(f"0x{account:040x}"))
