"""Admission of organisations to the chain, and their names beside it."""

from __future__ import annotations

from typing import Protocol

from backend.adapters.ledger.members import Credential
from backend.adapters.ledger.membership import MemberLedger
from backend.consent.ledger_types import NOBODY
from backend.idempotency import Attempt
from backend.identity.roles import CHAIN_BIT_OF_ROLE, Role
from backend.types import Address, MemberId, UnixSeconds

_DAY_SECONDS = 24 * 3600


class RegistryParticipants:
    """The registry of members on the chain."""

    def __init__(self, members: MemberLedger) -> None:
        self._members = members

    def admit(self, member: MemberId, bits: int, account: Address | None, expiry: UnixSeconds) -> None:
        """Admit a member with a mask of roles until ``expiry``; the same again does nothing.

        Raises LedgerRejected where the registry delays admissions and the delay has not passed.
        """
        self._members.register_member(
            member, Credential(roles=bits, expiry=expiry, account=account or NOBODY)
        )


class Names(Protocol):
    def put(self, member_id: MemberId, name: str) -> None: ...


class Admissions:
    """Admits an organisation under a random id; its name is kept here and never reaches the chain."""

    def __init__(self, registry: RegistryParticipants, names: Names) -> None:
        self._registry = registry
        self._names = names

    def __call__(
        self, name: str, *, roles: frozenset[Role], account: Address | None, days: int, attempt: Attempt
    ) -> MemberId:
        member = MemberId(attempt.draw("member id"))
        if attempt.finished:
            return member
        self._names.put(member, name)
        bits = sum(CHAIN_BIT_OF_ROLE.get(role, 0) for role in roles)
        # Counted from the first try, so that a later one asks the chain for exactly the same.
        self._registry.admit(member, bits, account, UnixSeconds(attempt.begun_at + days * _DAY_SECONDS))
        return member
