"""The wrapper of ``ParticipantRegistry``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.adapters.ledger.abi import Function, artifact
from backend.adapters.ledger.calls import BoundContract, Call, Sender, read_together
from backend.adapters.ledger.chain import Chain, parse_address
from backend.consent.ledger_types import NOBODY, Membership
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber, Bytes32, MemberId, UnixSeconds

_GAS = 500_000
_WORD = 32
_NOTHING = Bytes32(bytes(32))
_AT_ONCE = 200  # views in one request


@dataclass(frozen=True, slots=True)
class Credential:
    """What a member is admitted with. ``account`` is the zero address for one that never sends anything.

    ``roles``: bit mask of ``contracts/Roles.sol``. ``expiry``: unix seconds, from then on no role counts.
    """

    roles: int
    expiry: UnixSeconds
    account: Address = NOBODY
    credential_hash: Bytes32 = _NOTHING
    key_hash: Bytes32 = _NOTHING


@dataclass(frozen=True, slots=True)
class MemberState:
    """A member on the chain. ``standing``: 0 unknown, 1 active, 2 suspended, 3 removed."""

    credential: Credential
    standing: int


class ParticipantRegistry(BoundContract):
    """Admission may be delayed by the contract's AccessManager; what restricts acts at once."""

    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("ParticipantRegistry", address, chain)
        self._member = self.artifact.functions["memberById"]

    def authority(self, *, block: BlockNumber) -> Address:
        """Return the AccessManager that this registry made for itself."""
        return parse_address(self._view("authority", block=block)[0])

    def state(self, member: MemberId, *, block: BlockNumber) -> MemberState:
        return self.states([member], block=block)[0]

    def _read_state(self, found: bytes) -> MemberState:
        account, roles, expiry, standing, credential_hash, key_hash = self._member.decode(found)[0]
        credential = Credential(
            roles, expiry, parse_address(account), Bytes32(credential_hash), Bytes32(key_hash)
        )
        return MemberState(credential, standing)

    def ask_membership(self, member: MemberId) -> bytes:
        """Return the call data that asks where the member stands. Encoded by hand: decisions make this call.

        ABI: the member; back come the six words of ``Member``, of which the third is the credential's expiry
        and the fourth the standing.
        """
        return self._member.selector + member

    def read_membership(self, found: bytes) -> Membership:
        """Decode the answer to ``ask_membership``."""
        if len(found) != 6 * _WORD:
            raise LedgerUnavailable("The chain answered with a member of another length.")
        expiry, standing = (int.from_bytes(found[at : at + _WORD]) for at in (2 * _WORD, 3 * _WORD))
        return Membership(standing, UnixSeconds(expiry))

    def has_role(self, member: MemberId, roles: int, *, block: BlockNumber) -> bool:
        """Return whether an active member with an unexpired credential holds every role of the mask."""
        return bool(self._view("memberHasRole", member, roles, block=block)[0])

    def member_with_role(self, account: Address, roles: int, *, block: BlockNumber) -> MemberId | None:
        found = self._view("memberWithRole", account, roles, block=block)[0]
        return MemberId(found) if any(found) else None

    def admit(self, member: MemberId, credential: Credential) -> Call:
        return self._admission("admit", member, credential)

    def amend(self, member: MemberId, credential: Credential) -> Call:
        return self._admission("amend", member, credential)

    def reinstate(self, member: MemberId) -> Call:
        return self._call("reinstate", member, gas=_GAS, sender=Sender.OPERATOR)

    def reduce_roles(self, member: MemberId, roles: int) -> Call:
        return self._call("reduceRoles", member, roles, gas=_GAS, sender=Sender.OPERATOR)

    def suspend(self, member: MemberId) -> Call:
        return self._call("suspend", member, gas=_GAS, sender=Sender.OPERATOR)

    def remove(self, member: MemberId) -> Call:
        return self._call("remove", member, gas=_GAS, sender=Sender.OPERATOR)

    def holder(self, account: Address, *, block: BlockNumber) -> MemberId | None:
        """Return the member that has this account, whatever its standing."""
        found = self._view("memberOf", account, block=block)[0]
        return MemberId(found) if any(found) else None

    def scheduled(self, call: Call, *, block: BlockNumber) -> Call:
        """Return the announcement of a delayed call to this registry, as early as its delay allows."""
        data = _manager("schedule").encode((self.address, call.data, 0))
        return Call(self.authority(block=block), data, _GAS, Sender.OPERATOR)

    def cancelled(self, call: Call, caller: Address, *, block: BlockNumber) -> Call:
        """Return what takes the announcement of a call by ``caller`` back."""
        data = _manager("cancel").encode((caller, self.address, call.data))
        return Call(self.authority(block=block), data, _GAS, Sender.OPERATOR)

    def due(self, call: Call, caller: Address, *, block: BlockNumber) -> UnixSeconds | None:
        """Return when an announced call by ``caller`` may be carried out; None if none is announced."""
        manager = self.authority(block=block)
        name, schedule = _manager("hashOperation"), _manager("getSchedule")
        asked = (manager, name.encode((caller, self.address, call.data)))
        (operation,) = name.decode(read_together(self._chain, [asked], block=block)[0])
        asked = (manager, schedule.encode((operation,)))
        (due,) = schedule.decode(read_together(self._chain, [asked], block=block)[0])
        return UnixSeconds(due) if due else None

    def states(self, members: Sequence[MemberId], *, block: BlockNumber) -> list[MemberState]:
        """Return where each stands, in few requests."""
        found: list[MemberState] = []
        for start in range(0, len(members), _AT_ONCE):
            asked = [(self.address, self.ask_membership(each)) for each in members[start : start + _AT_ONCE]]
            found += map(self._read_state, read_together(self._chain, asked, block=block))
        return found

    def _admission(self, function: str, member: MemberId, credential: Credential) -> Call:
        return self._call(
            function,
            member,
            credential.account,
            credential.roles,
            credential.expiry,
            credential.credential_hash,
            credential.key_hash,
            gas=_GAS,
            sender=Sender.OPERATOR,
        )


def _manager(function: str) -> Function:
    return artifact("AccessManager").functions[function]
