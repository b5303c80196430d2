"""What taking part needs of the chain's registry of members, and of the names kept beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from backend.consent.ledger_types import LedgerView, MemberStanding, Receipt
from backend.errors import Conflict
from backend.types import Address, BlockNumber, MemberId, UnixSeconds

CUSTODIAN: Final = 1  # bits of contracts/libraries/Roles.sol
CUSTODIAN_ROLES: Final = CUSTODIAN | 2 | 128  # and provider, and relayer


class AdmissionsElsewhere(Conflict):
    """Another organisation's account admits and stops members in this registry."""

    code = "admissions_elsewhere"
    remedy = "Ask the organisation that operates the registry: it deployed the contracts."


@dataclass(frozen=True, slots=True)
class Member:
    """A member at the head. ``roles``: bits of ``contracts/libraries/Roles.sol``; ``account``: zero for none;
    ``expiry``: the second from which its credential no longer counts."""

    roles: int
    standing: MemberStanding
    expiry: UnixSeconds
    account: Address


@dataclass(frozen=True, slots=True)
class Credential:
    """What a member is admitted with; members as in ``Member``."""

    roles: int
    expiry: UnixSeconds
    account: Address


@dataclass(frozen=True, slots=True)
class Widening:
    """An admission, or a reinstatement where ``credential`` is None. It waits out the registry's delay."""

    member: MemberId
    credential: Credential | None = None


class Hindrance(StrEnum):
    """Why a widening does not take effect yet."""

    NOT_ANNOUNCED = "not_announced"
    NOT_DUE = "not_due"
    LAPSED = "lapsed"  # announced, and not carried out within a week of the day it was due


class MemberRegistry(Protocol):
    """The registry at the head. All methods raise LedgerUnavailable in doubt, and a Conflict where the
    contract refuses for good."""

    def view(self) -> LedgerView: ...

    def standing(self, member: MemberId, *, block: BlockNumber) -> MemberStanding:
        """Return where a member stood in a block."""
        ...

    def member(self, member: MemberId) -> Member: ...

    def members(self) -> Mapping[MemberId, Member]:
        """Every member ever admitted, by whichever custodian, in the order of admission."""
        ...

    def holder(self, account: Address) -> MemberId | None:
        """Return the member that has this account."""
        ...

    def suspend(self, member: MemberId) -> Receipt: ...

    def remove(self, member: MemberId) -> Receipt: ...

    def widen(self, widening: Widening) -> Receipt | Hindrance:
        """Carry it out, or say why that cannot be done yet. An admission of before is found again."""
        ...

    def announce(self, widening: Widening) -> UnixSeconds:
        """Begin its delay, unless it has begun; return when it may be carried out."""
        ...

    def withdraw(self, widening: Widening) -> None:
        """Take the announcement back, if there is one."""
        ...


class MemberNames(Protocol):
    """Names are kept here, sealed, and never reach the chain."""

    def put(self, member_id: MemberId, name: str) -> None: ...

    def of(self, members: Collection[MemberId]) -> Mapping[MemberId, str]:
        """Return the names of those that were admitted here."""
        ...
