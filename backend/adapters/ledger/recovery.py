"""The wrapper of ``Recovery``, and recovery as the services see it: rules in ``contracts/interfaces``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backend.adapters.ledger.calls import BoundContract, Call
from backend.adapters.ledger.chain import Chain, parse_address
from backend.adapters.ledger.effects import Effect, Effects
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.headers import delegation_header
from backend.adapters.ledger.relayer import Relayer
from backend.consent.ledger_types import Receipt
from backend.consent.recovery_state import RecoveryProof, RecoveryState
from backend.consent.recovery_terms import ProposeRecovery, RecoveryPolicy, SetRecoveryPolicy, VetoRecovery
from backend.consent.terms import Delegation
from backend.consent.typed_data import struct_hash
from backend.outbox.errors import NotYet
from backend.types import Address, BlockNumber, Bytes32, SubjectId, UnixSeconds

# Upper bounds of gas: every signature may be that of a contract wallet.
_GAS_COMMAND = 1_000_000
_GAS_SIGNATURE = 600_000


class Recovery(BoundContract):
    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("Recovery", address, chain)

    def state(self, subject: SubjectId, *, block: BlockNumber) -> RecoveryState:
        return recovery_state(self._view("recoveryOf", subject, block=block)[0])

    def is_pending(self, subject: SubjectId, *, block: BlockNumber) -> bool:
        """Return whether a recovery is pending at the block's own time."""
        return bool(self._view("isRecoveryPending", subject, block=block)[0])

    def ask_pending(self, subject: SubjectId) -> bytes:
        """Return the call data of the same question; the answer has a byte that is not zero where it is."""
        return self.artifact.functions["isRecoveryPending"].encode((subject,))

    def delay_seconds(self, *, block: BlockNumber) -> int:
        return int(self._view("RECOVERY_DELAY", block=block)[0])

    def set_policy(self, command: SetRecoveryPolicy, signature: bytes) -> Call:
        return self._call(
            "setRecoveryPolicy",
            command.subject,
            struct_hash(command.policy),
            command.round,
            command.submit_by,
            signature,
            gas=_GAS_COMMAND,
        )

    def propose(self, proposal: ProposeRecovery, proof: RecoveryProof) -> Call:
        guardians = sorted(proof.guardians, key=lambda each: int(each[0].delegate, 16))
        policy = proof.policy or RecoveryPolicy((), 0, Bytes32(bytes(32)))
        return self._call(
            "proposeRecovery",
            (proposal.subject, proposal.controller, proposal.round, proposal.submit_by),
            (
                (list(policy.guardianships), policy.threshold, policy.salt),
                [delegation_header(guardianship) for guardianship, _ in guardians],
                [signature for _, signature in guardians],
                proof.acceptance,
                proof.desk,
                proof.desk_signature,
            ),
            gas=_GAS_COMMAND + _GAS_SIGNATURE * (len(guardians) + 2),
        )

    def veto(self, command: VetoRecovery, signature: bytes, guardianship: Delegation | None) -> Call:
        if guardianship is None:
            return self._call("vetoRecovery", command.subject, command.round, signature, gas=_GAS_COMMAND)
        header = delegation_header(guardianship)
        return self._call(
            "vetoRecoveryByGuardian", command.subject, command.round, header, signature, gas=_GAS_COMMAND
        )

    def complete(self, subject: SubjectId) -> Call:
        return self._call("completeRecovery", subject, gas=_GAS_COMMAND)


class RecoveryLedger:
    """Relays signed steps. One that was taken before returns the receipt of that time."""

    def __init__(self, *, chain: Chain, relayer: Relayer, contract: Recovery, effects: Effects) -> None:
        self._chain = chain
        self._relayer = relayer
        self._contract = contract
        self._effects = effects

    def state(self, subject: SubjectId) -> RecoveryState:
        """Return what is stored at the head. Raise LedgerUnavailable."""
        return self._contract.state(subject, block=self._chain.view().head_number)

    def is_pending(self, subject: SubjectId) -> bool:
        """Return whether permits and delegations of the subject are held up at the head."""
        return self._contract.is_pending(subject, block=self._chain.view().head_number)

    def set_policy(self, command: SetRecoveryPolicy, signature: bytes) -> Receipt:
        def fits(state: RecoveryState) -> bool:
            return state.policy_round == command.round + 1 and struct_hash(command.policy) in (
                state.policy,
                state.next_policy,
            )

        call = self._contract.set_policy(command, signature)
        return self._once(call, "RecoveryPolicySet", command.subject, fits)

    def propose(self, proposal: ProposeRecovery, proof: RecoveryProof) -> Receipt:
        """Propose another controller; guardians may come in any order."""

        def fits(state: RecoveryState) -> bool:
            same = state.controller.lower() == proposal.controller.lower()
            return same and state.round == proposal.round + 1

        call = self._contract.propose(proposal, proof)
        return self._once(call, "RecoveryProposed", proposal.subject, fits)

    def veto(
        self, command: VetoRecovery, signature: bytes, *, guardianship: Delegation | None = None
    ) -> Receipt:
        """Stop a pending recovery. ``guardianship`` is the signer's where the subject has no controller."""
        call = self._contract.veto(command, signature, guardianship)
        return self._once(
            call, "RecoveryVetoed", command.subject, lambda state: state.round == command.round + 1
        )

    def complete(self, subject: SubjectId) -> Receipt:
        """Give the subject to the proposed controller. Raises NotYet before its time."""
        try:
            return self._relayer.submit(self._contract.complete(subject))
        except LedgerRejected as refusal:
            if refusal.name == "RecoveryTooEarly":
                raise NotYet(UnixSeconds(int(str(refusal.arguments[0])))) from refusal
            raise

    def _once(
        self, call: Call, event: str, subject: SubjectId, fits: Callable[[RecoveryState], bool]
    ) -> Receipt:
        def of_state(arguments: Mapping[str, Any]) -> bool:
            return fits(recovery_state(arguments["state"]))

        effect = Effect(
            self._contract.artifact, self._contract.address, event, subject.to_bytes(32), of_state
        )
        return self._effects.once(call, effect)


def recovery_state(values: Sequence[Any]) -> RecoveryState:
    """Return the state from the tuple of a view or an event."""
    policy, next_policy, next_from, policy_round, as_of, controller, proposed_at, round_, spent = values
    return RecoveryState(
        policy=Bytes32(policy),
        next_policy=Bytes32(next_policy),
        next_from=UnixSeconds(next_from),
        policy_round=policy_round,
        guardians_as_of=UnixSeconds(as_of),
        controller=parse_address(controller),
        proposed_at=UnixSeconds(proposed_at),
        round=round_,
        is_veto_spent=spent,
    )
