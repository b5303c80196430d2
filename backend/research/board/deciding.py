"""Decisions by M of N: signatures are gathered in the file, and with the last one an act takes them to the
chain, lets the study follow, and leaves an entry in the log."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, Outcome
from backend.consent.authority import require_signed_by
from backend.consent.ledger_types import Receipt
from backend.consent.service import act_identity
from backend.consent.typed_data import Domain
from backend.errors import Conflict, Unavailable
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.research.board.case_book import CaseBook, entry_of
from backend.research.board.documents import StudyDocuments
from backend.research.board.errors import (
    DecisionNotFinal,
    MotionChanged,
    MotionUnfit,
    NotPrepared,
    ProposalIncomplete,
    QuestionsOpen,
    ReasonMissing,
    Recused,
)
from backend.research.board.motions import NEEDS_REASON, BoardCommand, command_of, fits, motion_for
from backend.research.board.ports import BoardLedger, BoardRoll
from backend.research.board.preparing import MAX_REASON_CHARACTERS
from backend.research.board.roll import seat_of
from backend.research.board.stops import StudyStops
from backend.research.board.types import Case, Decision, Motion, MotionKind, Person, Signed
from backend.research.errors import AmendsNothing, StudyNotPermitted
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


@dataclass(frozen=True, slots=True)
class Ballot:
    """A motion as it stands: what is signed, who signed, and how many it takes."""

    motion: Motion
    command: BoardCommand
    threshold: int


class BoardDecisions:
    """Build the steps once, with the constructor, before acts are driven.

    ``threshold``: what the deployment of the contract fixed; the contract counts again. ``custodian`` and
    ``name_of`` (the name of a member, '' where it is not known) are for the letters.
    """

    def __init__(
        self,
        *,
        book: CaseBook,
        studies: StudyService,
        documents: StudyDocuments,
        roll: BoardRoll,
        ledger: BoardLedger,
        stops: StudyStops,
        outbox: Outbox,
        driver: Driver,
        domain: Domain,
        threshold: int,
        custodian: str,
        name_of: Callable[[MemberId], str],
        clock: Callable[[], int],
    ) -> None:
        self._book = book
        self._studies = studies
        self._documents = documents
        self._roll = roll
        self._ledger = ledger
        self._stops = stops
        self._outbox = outbox
        self._driver = driver
        self._domain = domain
        self.threshold = threshold
        self._custodian = custodian
        self._name_of = name_of
        self._clock = clock
        outbox.register(ACT, {"received": self._relay, "relayed": self._follow, "followed": self._log})

    def ballot(self, study: Study, kind: MotionKind) -> Ballot:
        """Return what a member signs for this decision. Raises MotionUnfit, LedgerUnavailable."""
        if not fits(study, kind):
            raise MotionUnfit
        return self._ballot(study, self._book.get(study.study_id), kind)

    def sign(
        self,
        study: Study,
        kind: MotionKind,
        signature: bytes,
        *,
        submit_by: UnixSeconds | None = None,
        reason: str = "",
        by: Person,
    ) -> Case:
        """Take a member's signature; with the last one that it takes, the decision goes to the chain.

        The same signature again, also of a decision that came about, changes nothing. ``submit_by``: of a
        permit, as in the draft. ``reason``: the first signer's, of a refusal or revocation; others leave it
        out or repeat it.

        Raises NoSeat, Recused, MotionUnfit, MotionChanged, NotPrepared, ProposalIncomplete, QuestionsOpen,
        AmendsNothing, ReasonMissing, SignatureInvalid, WrongSigner; a Conflict where the contract refuses:
        the motion then waits for signatures anew. Where the chain is away the decision follows by itself.
        """
        seat = seat_of(self._roll, by)
        case = self._book.get(study.study_id)
        if not fits(study, kind):
            decided = case.decided(kind)
            if decided is not None and any(each.signature == signature for each in decided.signed):
                return case
            raise MotionUnfit
        if kind is MotionKind.PERMIT:
            self._require_ready(study, case)
        ballot = self._ballot(study, case, kind)
        if kind is MotionKind.PERMIT and submit_by is not None and submit_by != ballot.motion.submit_by:
            # The first to sign may have a draft of an earlier day, which is as good.
            if ballot.motion.signatures or not self._is_soon(submit_by):
                raise MotionChanged
            ballot = self._with_date(study, ballot, submit_by)
        require_signed_by(ballot.command, signature, seat.account, domain=self._domain, relay=self._ledger)
        signed = Signed(seat.member, seat.account, seat.name, signature, UnixSeconds(self._clock()))
        case = self._gather(study, ballot.motion, signed, reason.strip(), by)
        motion = case.motion(kind)
        if motion is None or motion.number != ballot.motion.number:
            return case  # decided by somebody else's signature meanwhile
        seated = {seat.account for seat in self._roll.seats()}
        case = self._book.change(study.study_id, lambda case: self._closed(case, ballot.motion, seated))
        motion = case.motion(kind) or motion
        if motion.on_its_way:
            self._decide(study, motion, by)
        return self._book.get(study.study_id)

    def restore_restrictions(self) -> None:
        """Count every revocation that is not on the chain as a stop: at start-up, before the first run."""
        for act in self._outbox.unfinished(ACT):
            if act.data["kind"] == MotionKind.REVOKE:
                self._stops.accept(_study_id(act), act.act_id)

    def _require_ready(self, study: Study, case: Case) -> None:
        if self._clock() >= study.proposal.not_after:
            raise MotionUnfit
        amends = study.proposal.amends
        if amends is not None and not self._studies.get(amends).state.may_go_on:
            raise AmendsNothing  # another version came first, or it was ended: the difference is to nothing
        if self._documents.missing(study):
            raise ProposalIncomplete
        if self.threshold > 1 and case.preparation is None:
            raise NotPrepared
        if case.open_questions:
            raise QuestionsOpen

    def _ballot(self, study: Study, case: Case, kind: MotionKind) -> Ballot:
        round_ = self._round_to_resume(study) if kind is MotionKind.RESUME else 0
        motion = motion_for(study, case, kind, round_=round_, now=self._clock())
        return Ballot(motion, command_of(study, motion), self.threshold)

    def _round_to_resume(self, study: Study) -> int:
        chain = self._ledger.state(study.study_id)
        on_its_way = self._stops.holds(study.study_id)  # resumed before it arrives, it would count after
        if on_its_way or not (chain.suspended or study.state is State.SUSPENDED):
            raise MotionUnfit
        return chain.round

    def _with_date(self, study: Study, ballot: Ballot, submit_by: UnixSeconds) -> Ballot:
        motion = replace(ballot.motion, submit_by=submit_by)
        return replace(ballot, motion=motion, command=command_of(study, motion))

    def _is_soon(self, submit_by: UnixSeconds) -> bool:
        return self._clock() < submit_by <= self._clock() + 70 * 24 * 3600

    def _gather(self, study: Study, wanted: Motion, signed: Signed, reason: str, by: Person) -> Case:
        if len(reason) > MAX_REASON_CHARACTERS:
            raise ReasonMissing(field="reason")

        def change(case: Case) -> Case:
            motion = case.motion(wanted.kind)
            if motion is None or motion.number != wanted.number:
                if case.next_number(wanted.kind) != wanted.number:
                    raise MotionChanged
                motion = wanted
            if (motion.rules, motion.submit_by, motion.round) != (
                wanted.rules,
                wanted.submit_by,
                wanted.round,
            ):
                raise MotionChanged
            if motion.on_its_way:
                return case
            if case.has_recused(signed.account):
                raise Recused
            if not motion.reason and wanted.kind in NEEDS_REASON and not reason:
                raise ReasonMissing(field="reason")
            if motion.reason and reason not in ("", motion.reason):
                raise MotionChanged
            if any(each.account == signed.account for each in motion.signatures):
                return case
            return case.with_motion(
                replace(motion, reason=motion.reason or reason, signatures=(*motion.signatures, signed))
            )

        def log(case: Case) -> None:
            kind, number = wanted.kind.value, wanted.number
            self._book.log(
                codes.STUDY_SIGNED,
                study,
                by.agent,
                detail={"decision": kind, "number": number, "account": signed.account.lower()},
                act=entry_of(study.study_id, "signed", kind, number, signed.account, case.version),
            )

        return self._book.change(study.study_id, change, before=log)

    def _closed(self, case: Case, wanted: Motion, seated: Set[Address]) -> Case:
        """Close the motion where enough have signed that are in standing now: for one other, the contract
        would refuse them all."""
        motion = case.motion(wanted.kind)
        if motion is None or motion.number != wanted.number or motion.on_its_way:
            return case
        counting = tuple(each for each in motion.signatures if each.account in seated)
        if len(counting) < self.threshold:
            return case
        return case.with_motion(replace(motion, signatures=counting, on_its_way=True))

    def _decide(self, study: Study, motion: Motion, by: Person) -> None:
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

    # --- the steps of an act

    def _relay(self, act: Act) -> Advance:
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
        self._stops.accept(study, "closed")
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
