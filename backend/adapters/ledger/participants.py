"""The registry of members as ``consent.member_registry`` needs it."""

from __future__ import annotations

from typing import Final

from backend.adapters.ledger.errors import LedgerRejected, OutcomeUnknown
from backend.adapters.ledger.members import Credential, MemberState
from backend.adapters.ledger.membership import MemberLedger
from backend.consent.ledger_types import NOBODY, LedgerView, MemberStanding, Receipt
from backend.consent.member_registry import AdmissionsElsewhere, Hindrance, Member, Widening
from backend.types import Address, BlockNumber, MemberId, UnixSeconds

HINDRANCES: Final = {
    "AccessManagerNotScheduled": Hindrance.NOT_ANNOUNCED,
    "AccessManagerNotReady": Hindrance.NOT_DUE,
    "AccessManagerExpired": Hindrance.LAPSED,
}
_NOT_THE_OPERATOR: Final = "AccessManagedUnauthorized"


class RegistryParticipants:
    """Implements ``backend.consent.member_registry.MemberRegistry``."""

    def __init__(self, members: MemberLedger) -> None:
        self._members = members

    def view(self) -> LedgerView:
        return self._members.view()

    def standing(self, member: MemberId, *, block: BlockNumber) -> MemberStanding:
        return MemberStanding(self._members.member_at(member, block=block).standing)

    def member(self, member: MemberId) -> Member:
        return _member(self._members.member(member))

    def members(self) -> dict[MemberId, Member]:
        return {name: _member(state) for name, state in self._members.members().items()}

    def holder(self, account: Address) -> MemberId | None:
        return None if account == NOBODY else self._members.holder(account)

    def suspend(self, member: MemberId) -> Receipt:
        return self._members.suspend_member(member)

    def remove(self, member: MemberId) -> Receipt:
        return self._members.remove_member(member)

    def widen(self, widening: Widening) -> Receipt | Hindrance:
        try:
            if widening.credential is None:
                return self._members.reinstate_member(widening.member)
            return self._members.register_member(widening.member, _credential(widening))
        except LedgerRejected as refusal:
            if refusal.name == _NOT_THE_OPERATOR:
                raise AdmissionsElsewhere from refusal
            hindrance = HINDRANCES.get(refusal.name)
            if hindrance is None:
                raise
            return hindrance

    def announce(self, widening: Widening) -> UnixSeconds:
        try:
            if widening.credential is None:
                self._members.schedule_reinstatement(widening.member)
            else:
                self._members.schedule_member(widening.member, _credential(widening))
        except LedgerRejected as refusal:
            if refusal.name != "AccessManagerAlreadyScheduled":
                raise
        due = (
            self._members.reinstatement_due(widening.member)
            if widening.credential is None
            else self._members.admission_due(widening.member, _credential(widening))
        )
        if due is None:
            raise OutcomeUnknown("The announcement is not on the chain yet.")
        return due

    def withdraw(self, widening: Widening) -> None:
        try:
            if widening.credential is None:
                self._members.cancel_reinstatement(widening.member)
            else:
                self._members.cancel_admission(widening.member, _credential(widening))
        except LedgerRejected as refusal:
            if refusal.name != "AccessManagerNotScheduled":
                raise


def _member(state: MemberState) -> Member:
    credential = state.credential
    return Member(credential.roles, MemberStanding(state.standing), credential.expiry, credential.account)


def _credential(widening: Widening) -> Credential:
    wanted = widening.credential
    if wanted is None:
        raise ValueError("a reinstatement has no credential")
    return Credential(roles=wanted.roles, expiry=wanted.expiry, account=wanted.account)
