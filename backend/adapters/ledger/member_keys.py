"""Members' key hashes in the registry of participants, as ``records.ports.MemberKeyRegistry`` needs them."""

from __future__ import annotations

from typing import Final

from backend.adapters.ledger.block_cache import BlockCache
from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.errors import LedgerRejected, OutcomeUnknown
from backend.adapters.ledger.members import Credential, MemberState, ParticipantRegistry
from backend.adapters.ledger.participants import HINDRANCES
from backend.adapters.ledger.relayer import Relayer
from backend.consent.ledger_types import LedgerView, MemberStanding
from backend.consent.member_registry import Hindrance
from backend.records.ports import MemberCredential
from backend.types import BlockNumber, Bytes32, MemberId, UnixSeconds

_CACHED_MEMBERS: Final = 4096


class RegistryKeys:
    """Commands come from the operator's account."""

    def __init__(self, *, chain: Chain, relayer: Relayer, registry: ParticipantRegistry) -> None:
        self._chain = chain
        self._relayer = relayer
        self._registry = registry
        self._kept: BlockCache[tuple[MemberId, Bytes32], tuple[Bytes32 | None]] = BlockCache(_CACHED_MEMBERS)

    def key_hash(self, member: MemberId) -> Bytes32 | None:
        view = self._chain.view()
        name = (member, view.final_hash)
        found = self._kept.get(view.head_hash, name)
        if found is None:
            found = (self._read(member, view),)
            if self._chain.view().head_hash == view.head_hash:  # not replaced while we read
                self._kept.put(view.head_hash, name, found)
        return found[0]

    def key_hash_at(self, member: MemberId, *, block: BlockNumber) -> Bytes32:
        """Return what a block names, whatever the member's standing; zero for none."""
        return self._registry.state(member, block=block).credential.key_hash

    def _read(self, member: MemberId, view: LedgerView) -> Bytes32 | None:
        states = [
            self._registry.state(member, block=number)
            for number in sorted({view.final_number, view.head_number})
        ]
        hashes = {state.credential.key_hash for state in states}
        if any(state.standing != MemberStanding.ACTIVE for state in states) or len(hashes) > 1:
            return None
        (found,) = hashes
        return found if any(found) else None

    def credential(self, member: MemberId) -> MemberCredential | None:
        state: MemberState = self._registry.state(member, block=self._chain.view().head_number)
        if state.standing not in (MemberStanding.ACTIVE, MemberStanding.SUSPENDED):
            return None
        found = state.credential
        return MemberCredential(
            found.account, found.roles, found.expiry, found.credential_hash, found.key_hash
        )

    def amend(self, member: MemberId, credential: MemberCredential) -> Hindrance | None:
        try:
            self._relayer.submit(self._amendment(member, credential))
        except LedgerRejected as refusal:
            hindrance = HINDRANCES.get(refusal.name)
            if hindrance is None:
                raise
            return hindrance
        return None

    def announce(self, member: MemberId, credential: MemberCredential) -> UnixSeconds:
        call, head = self._amendment(member, credential), self._chain.view().head_number
        try:
            self._relayer.submit(self._registry.scheduled(call, block=head))
        except LedgerRejected as refusal:
            if refusal.name != "AccessManagerAlreadyScheduled":
                raise
        operator, head = self._relayer.address(Sender.OPERATOR), self._chain.view().head_number
        due = self._registry.due(call, operator, block=head)
        if due is None:
            raise OutcomeUnknown("The announcement is not on the chain yet.")
        return due

    def withdraw(self, member: MemberId, credential: MemberCredential) -> None:
        operator, head = self._relayer.address(Sender.OPERATOR), self._chain.view().head_number
        call = self._registry.cancelled(self._amendment(member, credential), operator, block=head)
        try:
            self._relayer.submit(call)
        except LedgerRejected as refusal:
            if refusal.name != "AccessManagerNotScheduled":
                raise

    def _amendment(self, member: MemberId, wanted: MemberCredential) -> Call:
        credential = Credential(
            roles=wanted.roles,
            expiry=wanted.expiry,
            account=wanted.account,
            credential_hash=wanted.credential_hash,
            key_hash=wanted.key_hash,
        )
        return self._registry.amend(member, credential)
