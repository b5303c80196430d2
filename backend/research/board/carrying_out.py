"""What follows when enough members have signed: an act takes the decision to the chain, lets the study
follow, and leaves an entry in the log."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, Outcome
from backend.consent.ledger_types import Receipt
from backend.consent.service import act_identity
from backend.errors import Conflict, Unavailable
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.research.board.case_book import CaseBook
from backend.research.board.errors import (
    DecisionNotFinal,
)
from backend.research.board.ports import BoardLedger
from backend.research.board.stops import CLOSED, StudyStops
from backend.research.board.types import Case, Decision, Motion, MotionKind, Person
from backend.research.errors import StudyNotPermitted
from backend.research.permit_data import permit_for
from backend.research.service import StudyService
from backend.research.study import Event, State, Study
from backend.research.types import StudyId
from backend.types import Address, Bytes32, MemberId, UnixSeconds

_LOG = logging.getLogger("assent.research")
ACT: Final = "board_decision"
_CODES: Final = {
    MotionKind.PERMIT: codes.STUDY_APPROVED,
    MotionKind.REFUSE: codes.STUDY_REFUSED,
    MotionKind.RESUME: codes.STUDY_RESUMED,
    MotionKind.REVOKE: codes.STUDY_REVOKED,
}


class DecisionActs:
    """Build the steps once, with the constructor, before acts are driven.

    ``threshold``: what the deployment of the contract fixed; the contract counts again. ``custodian`` and
    ``name_of`` (the name of a member, '' where it is not known) are for the letters.
    """

    def __init__(
        self,
        *,
        book: CaseBook,
        studies: StudyService,
        ledger: BoardLedger,
        stops: StudyStops,
        outbox: Outbox,
        driver: Driver,
        threshold: int,
        custodian: str,
        name_of: Callable[[MemberId], str],
        clock: Callable[[], int],
    ) -> None:
        self._book = book
        self._studies = studies
        self._ledger = ledger
        self._stops = stops
        self._outbox = outbox
        self._driver = driver
        self.threshold = threshold
        self._custodian = custodian
        self._name_of = name_of
        self._clock = clock
        outbox.register(ACT, {"received": self._relay, "relayed": self._follow, "followed": self._log})

    def restore_restrictions(self) -> None:
        """Count every revocation that is not on the chain as a stop: at start-up, before the first run."""
        for act in self._outbox.unfinished(ACT):
            if act.data["kind"] == MotionKind.REVOKE:
                self._stops.accept(_study_id(act), act.act_id)
        self._stops.settle_over(self._is_over)

    def begin(self, study: Study, motion: Motion, by: Person) -> None:
        """Take a motion that enough have signed to its end; where the chain is away, it goes on by itself.

        Raises a Conflict where the contract refuses.
        """
        act_id = f"{study.study_id.hex()}/{motion.kind}/{motion.number}"
        command = [act_id, motion.rules.hex(), motion.submit_by, motion.round]
        data = {
            "digest": hashlib.sha256(repr(command).encode()).digest(),
            "study": bytes(study.study_id),
            "kind": motion.kind.value,
            "number": motion.number,
            "round": motion.round,
            "submit_by": motion.submit_by,
            "rules": motion.rules,
            "approvals": [[each.account, each.signature] for each in motion.signatures],
            "by": [by.agent.kind.value, by.agent.id],
        }
        act = self._outbox.begin(ACT, act_id, state="received", data=data)
        if motion.kind is MotionKind.REVOKE:
            self._stops.accept(study.study_id, act_id)
        try:
            self._outbox.drive(act)
        except Unavailable:
            self._driver.hand_over(act)  # it is durable, and goes on by itself

    def _is_over(self, act_id: str) -> bool:
        act = self._outbox.find(ACT, act_id)
        return act is not None and act.is_over

    # --- the steps of an act

    def _relay(self, act: Act) -> Advance:
        if act.data["kind"] == MotionKind.REVOKE:
            # Again: a crash may have come after the act was begun, and another process carries it on.
            self._stops.accept(_study_id(act), act.act_id)
        try:
            receipt = self._send(act)
        except Conflict as refusal:
            self._reopen(act, refusal)
            raise
        return Advance("relayed", {"block": receipt.block_number, "transaction": receipt.transaction_hash})

    def _send(self, act: Act) -> Receipt:
        study = _study_id(act)
        approvals = {Address(account): bytes(signature) for account, signature in act.data["approvals"]}
        match MotionKind(act.data["kind"]):
            case MotionKind.PERMIT:
                found = self._studies.get(study)
                permit = replace(
                    permit_for(found, submit_by=UnixSeconds(act.data["submit_by"])),
                    rules=Bytes32(bytes(act.data["rules"])),
                )
                return self._ledger.permit_study(permit, approvals)
            case MotionKind.REFUSE:
                return self._ledger.refuse_study(study, approvals)
            case MotionKind.RESUME:
                return self._ledger.resume_study(study, act.data["round"], approvals)
            case MotionKind.REVOKE:
                return self._ledger.revoke_study(study, approvals)

    def _reopen(self, act: Act, refusal: Conflict) -> None:
        """The contract refused: the motion is put anew, under the next number and without signatures."""
        study, kind = self._studies.get(_study_id(act)), MotionKind(act.data["kind"])
        _LOG.warning(
            "the contract refused a decision of the board",
            extra={"code": refusal.code, "reason": refusal.detail, "act": act.act_id},
        )

        def change(case: Case) -> Case:
            motion = case.motion(kind)
            if motion is None or motion.number != act.data["number"]:
                return case
            return case.with_motion(
                replace(motion, number=motion.number + 1, signatures=(), on_its_way=False)
            )

        self._book.log(
            _CODES[kind],
            study,
            _agent(act),
            outcome=Outcome.DENIED,
            reasons=(refusal.code,),
            act=act_identity(act, "refused"),
        )
        self._book.change(study.study_id, change)
        self._stops.settle(study.study_id, act.act_id)

    def _follow(self, act: Act) -> Advance:
        name, kind = _study_id(act), MotionKind(act.data["kind"])
        case = self._book.change(name, lambda case: self._with_decision(case, act))
        decision = next(
            found for found in case.decisions if (found.kind, found.number) == (kind, act.data["number"])
        )
        match kind:
            case MotionKind.PERMIT:
                self._follow_permit(self._studies.get(name), decision)
            case MotionKind.REFUSE:
                self._studies.follow(name, Event.REFUSE, reason=decision.reason)
            case MotionKind.RESUME:
                self._studies.follow(name, Event.RESUME, reason=decision.reason)
            case MotionKind.REVOKE:
                self._studies.follow(name, Event.CLOSE, reason=decision.reason)
                self._stops.settle(name, act.act_id)
        return Advance("followed", {})

    def _with_decision(self, case: Case, act: Act) -> Case:
        kind, number = MotionKind(act.data["kind"]), act.data["number"]
        motion = case.motion(kind)
        if motion is None or motion.number != number:
            return case  # an earlier attempt of this step came so far
        decision = Decision(
            kind=kind.value,
            number=number,
            reason=motion.reason,
            conditions=case.conditions if kind is MotionKind.PERMIT else (),
            signed=motion.signatures,
            recused=case.recusals,
            threshold=self.threshold,
            at=UnixSeconds(self._clock()),
            block=act.data["block"],
            transaction=Bytes32(bytes(act.data["transaction"])),
            submit_by=motion.submit_by or None,
            custodian=self._custodian,
            researcher=self._name_of(self._studies.get(case.study).proposal.researcher),
        )
        return replace(case.without_motion(kind), decisions=(*case.decisions, decision))

    def _follow_permit(self, study: Study, decision: Decision) -> None:
        if study.state is State.PROPOSED:
            try:
                self._studies.approve(study.study_id, conditions=decision.conditions)
            except StudyNotPermitted as refusal:
                chain = self._ledger.state(study.study_id)
                over = self._clock() >= study.proposal.not_after
                if not (chain.revoked_at or over):
                    raise DecisionNotFinal from refusal
                reason = "its period is over" if over else "revoked on the chain"
                self._studies.follow(study.study_id, Event.CLOSE, reason=reason)
        before = study.proposal.amends
        if before is not None:
            self.close(before, reason=f"replaced by 0x{study.study_id.hex()}")

    def close(self, study: StudyId, *, reason: str) -> Study:
        """End a study here, at once and for good; a run that is under way releases nothing."""
        self._stops.accept(study, CLOSED)
        return self._studies.follow(study, Event.CLOSE, reason=reason)

    def _log(self, act: Act) -> Advance:
        study, kind = self._studies.get(_study_id(act)), MotionKind(act.data["kind"])
        self._book.log(
            _CODES[kind],
            study,
            _agent(act),
            detail={
                "decision": kind.value,
                "block": act.data["block"],
                "members": len(act.data["approvals"]),
                "rules": bytes(act.data["rules"]),
            },
            act=act_identity(act),
        )
        return Advance(DONE, {})


def _study_id(act: Act) -> StudyId:
    return StudyId(bytes(act.data["study"]))


def _agent(act: Act) -> Agent:
    kind, identifier = act.data["by"]
    return Agent(AgentKind(kind), identifier)
