"""The acts of recovery: each goes to the chain once and leaves one entry in the log, through any crash.

A completion is begun with its proposal and waits in the outbox until the delay is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.consent.evidence import EvidenceBook
from backend.consent.ledger_types import Receipt
from backend.consent.recovery_state import RecoveryProof
from backend.consent.recovery_terms import SetRecoveryPolicy, VetoRecovery
from backend.consent.service import act_identity
from backend.consent.typed_data import Domain, digest, struct_hash
from backend.errors import Conflict, IntegrityError
from backend.identity.types import PrincipalKind
from backend.outbox.driver import Driver
from backend.outbox.errors import NotYet
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, FAILED, Act, Advance
from backend.recovery.books import CaseBook, PolicyBook
from backend.recovery.errors import RecoveryUnknown
from backend.recovery.guardians import Guardians
from backend.recovery.ports import Enrolments, RecoveryChain, Sessions
from backend.recovery.types import Case, CaseState
from backend.types import Address, BlockNumber, Bytes32, SubjectId, UnixSeconds

ACT: Final = "recovery"
COMPLETION: Final = "recovery_completion"
_SERVICE: Final = Agent.service("recovery")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySteps:
    chain: RecoveryChain
    delay_seconds: int  # fixed when deployed
    policies: PolicyBook
    cases: CaseBook
    guardians: Guardians
    evidence: EvidenceBook
    enrolments: Enrolments
    sessions: Sessions
    outbox: Outbox
    driver: Driver
    audit: AuditLog
    domain: Domain
    clock: Callable[[], int]

    def register(self) -> None:
        """Before acts are driven."""
        self.outbox.register(ACT, {"received": self._relay, "recorded": self._settle})
        self.outbox.register(COMPLETION, {"received": self._complete, "recorded": self._hand_over})

    def set_policy(self, command: SetRecoveryPolicy, signature: bytes, by: Address) -> Act:
        name = struct_hash(command.policy)
        return self._drive(
            f"policy/{name.hex()}",
            struct_hash(command),
            command.subject,
            step="policy",
            policy=bytes(name),
            round=command.round,
            submit_by=command.submit_by,
            signature=signature,
            by=by,
        )

    def veto(self, command: VetoRecovery, signature: bytes, by: Address) -> Act:
        return self._drive(
            f"veto/{command.subject:024x}/{command.round}",
            struct_hash(command),
            command.subject,
            step="veto",
            round=command.round,
            signature=signature,
            by=by,
        )

    def propose(self, case: Case) -> Act:
        return self._drive(
            _proposal_of(case),
            digest(case.proposal, self.domain),
            case.subject,
            step="propose",
            controller=case.controller,
        )

    def is_under_way(self, case: Case) -> bool:
        """Whether this proposal was sent to the chain, or will be: its signatures are all there."""
        act = self.outbox.find(ACT, _proposal_of(case))
        return act is not None and act.state != FAILED

    def complete(self, case: Case) -> None:
        """Have it completed now. Raises NotYet; what the chain refused before is an ActFailed."""
        act = self.outbox.find(COMPLETION, _completion_of(case))
        if act is None:
            raise RecoveryUnknown
        self.outbox.drive(act)

    def _drive(self, act_id: str, signed: Bytes32, subject: SubjectId, **data: Any) -> Act:
        # Of what is signed, not of the signature: a second signature of the same is a retry.
        known = {"digest": bytes(signed), "subject": f"{subject:024x}", "at": self.clock(), **data}
        act = self.outbox.begin(ACT, act_id, state="received", data=known)
        return self.outbox.drive(act)

    def _relay(self, act: Act) -> Advance:
        subject, data = _subject(act), act.data
        if data["step"] == "policy":
            policy = self.policies.open(Bytes32(data["policy"]), subject)
            setting = SetRecoveryPolicy(subject, policy, data["round"], UnixSeconds(data["submit_by"]))
            receipt = self.chain.set_policy(setting, data["signature"])
        elif data["step"] == "veto":
            receipt = self.chain.veto(VetoRecovery(subject, data["round"]), data["signature"])
        else:
            case = self._case(act)
            receipt = self.chain.propose(case.proposal, self._proof(case))
        return Advance("recorded", _recorded(receipt))

    def _proof(self, case: Case) -> RecoveryProof:
        counting = self.guardians.of(case.subject)
        return RecoveryProof(
            policy=self.policies.open(case.policy, case.subject),
            guardians=[
                (counting[name].document, signature)
                for name, signature in case.agreed.items()
                if name in counting
            ],
            acceptance=case.acceptance,
            desk=case.desk,
            desk_signature=case.confirmation,
        )

    def _settle(self, act: Act) -> Advance:
        subject, step = _subject(act), act.data["step"]
        if step == "policy":
            self._log(codes.RECOVERY_POLICY_SET, act, Agent.account(Address(act.data["by"])), subject)
        elif step == "veto":
            self._log(codes.RECOVERY_STOPPED, act, Agent.account(Address(act.data["by"])), subject)
        else:
            case = self.moved(self._case(act), CaseState.PROPOSED)
            completion = self.outbox.begin(
                COMPLETION,
                _completion_of(case),
                state="received",
                data={
                    "digest": act.data["digest"],
                    "subject": act.data["subject"],
                    "controller": case.controller,
                    "round": case.round + 1,
                },
            )
            self._log(codes.RECOVERY_PROPOSED, act, _SERVICE, subject, controller=case.controller.lower())
            self.driver.hand_over(completion)
        return Advance(DONE, {})

    def _complete(self, act: Act) -> Advance:
        subject, controller = _subject(act), Address(act.data["controller"])
        if self.cases.find(subject, controller) is None:  # erased
            return Advance(DONE, {})
        if self._is_held_by(controller, subject):  # by somebody else, who may
            return Advance("recorded", {"completed": True, "block": None})
        state, delay, now = self.chain.state(subject), self.delay_seconds, self.clock()
        if state.round != act.data["round"] or not state.is_pending(now, delay):
            return Advance("recorded", {"completed": False})
        if now < state.proposed_at + delay:
            raise NotYet(UnixSeconds(state.proposed_at + delay))
        try:
            receipt = self.chain.complete(subject)
        except Conflict:
            if not self._is_held_by(controller, subject):
                raise
            return Advance("recorded", {"completed": True, "block": None})  # somebody else was first
        return Advance("recorded", {"completed": True, **_recorded(receipt)})

    def _is_held_by(self, controller: Address, subject: SubjectId) -> bool:
        return self.evidence.subject(subject).controller == controller

    def _hand_over(self, act: Act) -> Advance:
        subject, controller = _subject(act), Address(act.data["controller"])
        case = self.cases.find(subject, controller)
        if case is None:
            return Advance(DONE, {})
        if not act.data["completed"]:
            self.moved(case, CaseState.OVER)
            return Advance(DONE, {})
        self.enrolments.recovered(subject, controller)
        self.sessions.end_all(f"{PrincipalKind.WALLET}:{case.former}", by="")
        self.moved(case, CaseState.COMPLETED)
        self._log(codes.RECOVERY_COMPLETED, act, _SERVICE, subject, controller=controller.lower())
        return Advance(DONE, {})

    def moved(self, case: Case, state: CaseState) -> Case:
        """Write the case in another state. Raises RecoveryUnknown when it was erased meanwhile."""
        while case.state is not state:
            changed = case.changed(state=state)
            if self.cases.put(changed):
                return changed
            found = self.cases.find(case.subject, case.controller)
            if found is None:
                raise RecoveryUnknown
            if found.proposal != case.proposal:
                return found  # a later attempt has begun: this one is history
            case = found
        return case

    def _case(self, act: Act) -> Case:
        found = self.cases.find(_subject(act), Address(act.data["controller"]))
        if found is None:
            raise RecoveryUnknown
        if digest(found.proposal, self.domain) != act.data["digest"]:
            raise IntegrityError
        return found

    def _log(self, kind: str, act: Act, actor: Agent, subject: SubjectId, **detail: DetailValue) -> None:
        block = act.data.get("block")
        self.audit.append(
            AuditEvent(
                type=kind,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self.clock() * 1000,
                actor=actor,
                subject=subject,
                final_block=None if block is None else BlockNumber(block),
                detail=detail,
            ),
            act=act_identity(act),
        )


def _subject(act: Act) -> SubjectId:
    return SubjectId(int(act.data["subject"], 16))


def _proposal_of(case: Case) -> str:
    return f"propose/{case.case_id}/{case.round}/{case.submit_by}"


def _completion_of(case: Case) -> str:
    return f"{case.case_id}/{case.round}/{case.submit_by}"


def _recorded(receipt: Receipt) -> dict[str, Any]:
    return {"block": receipt.block_number, "transaction": bytes(receipt.transaction_hash)}
