"""Members, roles and standing in plain Python, from contracts/properties.md (S27 to S30) and
IParticipantRegistry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.differential.documents import NOBODY, ZERO
from tests.differential.outcome import Event, refuse

CUSTODIAN, PROVIDER, RESEARCHER, ETHICS_BOARD, AUDITOR, RESPONDER = 1, 2, 4, 8, 16, 32
ALL_ROLES = 511
UNKNOWN, ACTIVE, SUSPENDED, REMOVED = 0, 1, 2, 3


@dataclass(frozen=True)
class Credential:
    """What is written of a member when it is admitted or amended."""

    account: str
    roles: int
    expiry: int
    credential: bytes = ZERO
    key: bytes = ZERO


@dataclass
class Member:
    held: Credential
    roles: int
    standing: int = ACTIVE


@dataclass
class MemberModel:
    operator: str
    now: Callable[[], int]
    members: dict[bytes, Member] = field(default_factory=dict)

    # --- views

    def member_of(self, account: str) -> bytes:
        if account == NOBODY:
            return ZERO
        owners = (id_ for id_, member in self.members.items() if member.held.account == account)
        return next(owners, ZERO)

    def member_has_role(self, id_: bytes, roles: int) -> bool:
        member = self.members.get(id_)
        if member is None or member.standing != ACTIVE or self.now() >= member.held.expiry:
            return False
        return roles != 0 and member.roles & roles == roles

    def member_with_role(self, account: str, roles: int) -> bytes:
        id_ = self.member_of(account)
        return id_ if self.member_has_role(id_, roles) else ZERO

    # --- changes

    def _operator_faults(self, sender: str) -> set[str]:
        return set() if sender == self.operator else {"AccessManagedUnauthorized"}

    def _credential_faults(self, id_: bytes, new: Credential) -> set[str]:
        faults = set() if 1 <= new.roles <= ALL_ROLES else {"RolesUnknown"}
        if new.expiry <= self.now():
            faults.add("CredentialExpired")
        if self.member_of(new.account) not in {ZERO, id_}:
            faults.add("AccountTaken")
        return faults

    def _standing_faults(self, id_: bytes, allowed: set[int]) -> set[str]:
        if id_ not in self.members:
            return {"MemberUnknown"}
        return set() if self.members[id_].standing in allowed else {"MemberNotInStanding"}

    def admit(self, id_: bytes, new: Credential, sender: str) -> list[Event]:
        faults = self._operator_faults(sender) | self._credential_faults(id_, new)
        if id_ == ZERO:
            faults.add("MemberZero")
        if id_ in self.members:
            faults.add("MemberExists")
        refuse(faults)
        self.members[id_] = Member(new, new.roles)
        return [self._written("MemberAdmitted", id_, new)]

    def amend(self, id_: bytes, new: Credential, sender: str) -> list[Event]:
        faults = self._operator_faults(sender) | self._credential_faults(id_, new)
        refuse(faults | self._standing_faults(id_, {ACTIVE, SUSPENDED}))
        self.members[id_].held = new
        self.members[id_].roles = new.roles
        return [self._written("MemberAmended", id_, new)]

    def _written(self, event: str, id_: bytes, new: Credential) -> Event:
        return Event(
            event,
            member=id_,
            account=new.account,
            roles=new.roles,
            credentialExpiry=new.expiry,
            credentialHash=new.credential,
            keyHash=new.key,
        )

    def reinstate(self, id_: bytes, sender: str) -> list[Event]:
        refuse(self._operator_faults(sender) | self._standing_faults(id_, {SUSPENDED}))
        self.members[id_].standing = ACTIVE
        return [Event("MemberReinstated", member=id_)]

    def reduce_roles(self, id_: bytes, taken: int, sender: str) -> list[Event]:
        refuse(self._operator_faults(sender) | self._standing_faults(id_, {ACTIVE, SUSPENDED, REMOVED}))
        member = self.members[id_]
        member.roles &= ~taken
        return [Event("MemberRolesReduced", member=id_, roles=member.roles)]

    def suspend(self, id_: bytes, sender: str) -> list[Event]:
        refuse(self._operator_faults(sender) | self._standing_faults(id_, {ACTIVE}))
        self.members[id_].standing = SUSPENDED
        return [Event("MemberSuspended", member=id_)]

    def remove(self, id_: bytes, sender: str) -> list[Event]:
        refuse(self._operator_faults(sender) | self._standing_faults(id_, {ACTIVE, SUSPENDED}))
        self.members[id_].standing = REMOVED
        return [Event("MemberRemoved", member=id_)]
