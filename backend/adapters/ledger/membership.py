"""Members and studies on the chain: permission by the final block, restriction by the head (design,
invariant 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.effects import Effect, Effects
from backend.adapters.ledger.members import Credential, MemberState, ParticipantRegistry
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.studies import Approval, ResearchMarket, StudyState
from backend.consent.ledger_types import LedgerView, Receipt
from backend.consent.member_terms import PermitStudy
from backend.types import Address, BlockNumber, Bytes32, MemberId, UnixSeconds

_ACTIVE = 1


class MemberLedger:
    """Who takes part. Commands come from the operator's account."""

    def __init__(
        self, *, chain: Chain, relayer: Relayer, registry: ParticipantRegistry, effects: Effects
    ) -> None:
        self._chain = chain
        self._relayer = relayer
        self._registry = registry
        self._effects = effects

    def register_member(self, member: MemberId, credential: Credential) -> Receipt:
        """Admit a member; the same again returns the first receipt.

        Where the deployment delays admissions this raises LedgerRejected ``AccessManagerNotScheduled`` or
        ``AccessManagerNotReady``: call ``schedule_member`` first and come back after the delay.
        """

        def fits(found: Mapping[str, Any]) -> bool:
            same = found["account"].lower() == credential.account.lower()
            return same and (found["roles"], found["credentialExpiry"]) == (
                credential.roles,
                credential.expiry,
            )

        effect = Effect(
            self._registry.artifact, self._registry.address, "MemberAdmitted", bytes(member), fits
        )
        return self._effects.once(self._registry.admit(member, credential), effect)

    def schedule_member(self, member: MemberId, credential: Credential) -> Receipt:
        """Announce an admission whose delay then begins."""
        return self._schedule(self._registry.admit(member, credential))

    def schedule_reinstatement(self, member: MemberId) -> Receipt:
        """Announce the end of a suspension, whose delay then begins."""
        return self._schedule(self._registry.reinstate(member))

    def admission_due(self, member: MemberId, credential: Credential) -> UnixSeconds | None:
        """Return from when an announced admission may be carried out; None where none is announced."""
        return self._due(self._registry.admit(member, credential))

    def reinstatement_due(self, member: MemberId) -> UnixSeconds | None:
        """The same of a reinstatement."""
        return self._due(self._registry.reinstate(member))

    def cancel_admission(self, member: MemberId, credential: Credential) -> Receipt:
        """Take an announcement back. Raise LedgerRejected (``AccessManagerNotScheduled``: there is none)."""
        return self._cancel(self._registry.admit(member, credential))

    def cancel_reinstatement(self, member: MemberId) -> Receipt:
        """The same of a reinstatement."""
        return self._cancel(self._registry.reinstate(member))

    def amend_member(self, member: MemberId, credential: Credential) -> Receipt:
        """Replace account, roles, credential and key. Delayed as an admission."""
        return self._relayer.submit(self._registry.amend(member, credential))

    def reduce_roles(self, member: MemberId, roles: int) -> Receipt:
        """Take these roles away, at once."""
        return self._relayer.submit(self._registry.reduce_roles(member, roles))

    def suspend_member(self, member: MemberId) -> Receipt:
        return self._relayer.submit(self._registry.suspend(member))

    def reinstate_member(self, member: MemberId) -> Receipt:
        return self._relayer.submit(self._registry.reinstate(member))

    def remove_member(self, member: MemberId) -> Receipt:
        """Stop all roles for good."""
        return self._relayer.submit(self._registry.remove(member))

    def member(self, member: MemberId) -> MemberState:
        """Return the member at the head."""
        return self._registry.state(member, block=self.head())

    def member_at(self, member: MemberId, *, block: BlockNumber) -> MemberState:
        """Return the member as it stood in a block."""
        return self._registry.state(member, block=block)

    def members(self) -> dict[MemberId, MemberState]:
        """Return every member ever admitted, in order of admission, at the head."""
        topic = "0x" + self._registry.artifact.topic("MemberAdmitted").hex()
        admitted = self._effects.search(self._registry.address, [topic])
        # An id once each: on a network the head may have been replaced between two requests.
        ids = list(dict.fromkeys(MemberId(found.logs[0].topics[1]) for found in admitted))
        return dict(zip(ids, self._registry.states(ids, block=self.head()), strict=True))

    def holder(self, account: Address) -> MemberId | None:
        """Return the member that has this account."""
        return self._registry.holder(account, block=self.head())

    def view(self) -> LedgerView:
        return self._chain.view()

    def head(self) -> BlockNumber:
        """The newest block, also where the chain gives no permission: stops need it."""
        return self._chain.shown().head_number

    def _schedule(self, call: Call) -> Receipt:
        return self._relayer.submit(self._registry.scheduled(call, block=self.head()))

    def _due(self, call: Call) -> UnixSeconds | None:
        return self._registry.due(call, self._relayer.address(Sender.OPERATOR), block=self.head())

    def _cancel(self, call: Call) -> Receipt:
        operator = self._relayer.address(Sender.OPERATOR)
        return self._relayer.submit(self._registry.cancelled(call, operator, block=self.head()))

    def has_role(self, member: MemberId, roles: int, *, now: int) -> bool:
        """Return whether the member holds every role of the mask at ``now`` (unix seconds), in both views."""
        view = self._chain.view()
        numbers = {view.final_number, view.head_number}
        states = [self._registry.state(member, block=number) for number in numbers]
        return bool(roles) and all(
            state.standing == _ACTIVE
            and state.credential.roles & roles == roles
            and now < state.credential.expiry
            for state in states
        )


class StudyLedger:
    """Ethics permits. Commands carry the signatures of members of the ethics board: one to suspend, the
    deployment's threshold for the rest.
    """

    def __init__(self, *, chain: Chain, relayer: Relayer, market: ResearchMarket, effects: Effects) -> None:
        self._chain = chain
        self._relayer = relayer
        self._market = market
        self._effects = effects

    def permit_study(self, permit: PermitStudy, approvals: Sequence[Approval]) -> Receipt:
        """Record a permit; the same again returns the first receipt."""

        def fits(found: Mapping[str, Any]) -> bool:
            return (found["rules"], found["notBefore"], found["notAfter"]) == (
                permit.rules,
                permit.not_before,
                permit.not_after,
            )

        effect = Effect(self._market.artifact, self._market.address, "StudyPermitted", permit.study, fits)
        return self._effects.once(self._market.permit(permit, approvals), effect)

    def suspend_study(self, study: Bytes32, round_: int, board: Address, signature: bytes) -> Receipt:
        return self._relayer.submit(self._market.suspend(study, round_, board, signature))

    def resume_study(self, study: Bytes32, round_: int, approvals: Sequence[Approval]) -> Receipt:
        return self._relayer.submit(self._market.resume(study, round_, approvals))

    def revoke_study(self, study: Bytes32, approvals: Sequence[Approval]) -> Receipt:
        return self._relayer.submit(self._market.revoke(study, approvals))

    def refuse_study(self, study: Bytes32, approvals: Sequence[Approval]) -> Receipt:
        """Refuse for good a study that is not permitted; again does nothing."""
        return self._relayer.submit(self._market.refuse(study, approvals))

    def study(self, study: Bytes32, *, block: BlockNumber | None = None) -> StudyState:
        """Return what a block holds of the study, by default the head; all zero where nothing."""
        at = self._chain.shown().head_number if block is None else block
        return self._market.state(study, block=at)

    def is_permitted(self, study: Bytes32, rules: Bytes32, *, now: int) -> bool:
        """Return whether the study may run at ``now`` under exactly these rules, in both views."""
        view = self._chain.view()
        states = [self._market.state(study, block=number) for number in {view.final_number, view.head_number}]
        return all(
            state.rules == rules
            and state.not_before <= now < state.not_after
            and not state.revoked_at
            and not state.suspended
            for state in states
        )
