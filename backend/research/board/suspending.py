"""Suspending a study: by one member of the board, in force from receipt (invariant 1).

A suspension is kept durably, stops the study here, gets its entry in the log, and is then acknowledged. The
chain follows behind. While the chain is away nothing runs, and a suspension is taken all the same.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind
from backend.consent.authority import require_signed_by
from backend.consent.finality import final_block_with
from backend.consent.member_terms import SuspendStudy
from backend.consent.revocations import StopNotRecorded
from backend.consent.service import act_identity
from backend.consent.typed_data import Domain
from backend.errors import Conflict, LedgerUnavailable
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.research.board.case_book import CaseBook
from backend.research.board.errors import MotionUnfit, NoSeat, ReasonMissing, Recused, SuspensionStale
from backend.research.board.ports import BoardLedger, BoardRoll
from backend.research.board.preparing import MAX_REASON_CHARACTERS
from backend.research.board.roll import seat_of
from backend.research.board.stops import StudyStops
from backend.research.board.types import SUSPEND, Case, Decision, Person, Seat, Signed
from backend.research.service import StudyService
from backend.research.study import Event, Study
from backend.research.types import StudyId
from backend.types import Address, BlockNumber, Bytes32, MemberId

_LOG = logging.getLogger("assent.research")
ACT: Final = "study_suspension"
NO_MEMBER: Final = MemberId(bytes(32))


class StudySuspensions:
    """Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        book: CaseBook,
        studies: StudyService,
        roll: BoardRoll,
        ledger: BoardLedger,
        stops: StudyStops,
        outbox: Outbox,
        driver: Driver,
        domain: Domain,
        clock: Callable[[], int],
    ) -> None:
        self._book = book
        self._studies = studies
        self._roll = roll
        self._ledger = ledger
        self._stops = stops
        self._outbox = outbox
        self._driver = driver
        self._domain = domain
        self._clock = clock
        outbox.register(
            ACT,
            {
                "received": self._log,
                "logged": self._mark,
                "marked": self._relay,
                "relayed": self._settle,
            },
        )

    def draft(self, study: Study) -> SuspendStudy:
        """Return what a member signs. Raises MotionUnfit, LedgerUnavailable."""
        if not study.state.may_go_on:
            raise MotionUnfit
        return SuspendStudy(Bytes32(study.study_id), self._ledger.state(study.study_id).round)

    def suspend(self, study: Study, round_: int, signature: bytes, *, reason: str, by: Person) -> Study:
        """Put a suspension in force and return; one that is in force already changes nothing.

        Raises NoSeat, Recused, MotionUnfit, ReasonMissing, SuspensionStale, SignatureInvalid, WrongSigner.
        """
        text = reason.strip()
        if not 0 < len(text) <= MAX_REASON_CHARACTERS:
            raise ReasonMissing(field="reason")
        if not study.state.may_go_on:
            raise MotionUnfit
        seat = self._seat(by)
        if self._book.get(study.study_id).has_recused(seat.account):
            raise Recused
        command = SuspendStudy(Bytes32(study.study_id), round_)
        require_signed_by(command, signature, seat.account, domain=self._domain, relay=self._ledger)
        if self._stands(study.study_id, round_):
            return study
        act_id = f"{study.study_id.hex()}/{round_}/{seat.account.lower()}"
        data = {
            "digest": hashlib.sha256(act_id.encode()).digest(),
            "study": bytes(study.study_id),
            "round": round_,
            "account": seat.account,
            "signature": signature,
            "reason": text,
            "by": [by.agent.kind.value, by.agent.id],
        }
        act = self._outbox.begin(ACT, act_id, state="received", data=data)
        self._stops.accept(study.study_id, act_id)
        # Read again: an earlier one may have come to its end meanwhile, and would not settle this.
        act = self._outbox.drive(self._outbox.find(ACT, act_id) or act, until="marked")
        if act.is_over:
            self._stops.settle(study.study_id, act_id)
        else:
            self._driver.hand_over(act)
        return self._studies.get(study.study_id)

    def restore_restrictions(self) -> None:
        """Put every suspension that is not on the chain in force: at start-up, before the first run."""
        for act in self._outbox.unfinished(ACT):
            self._stops.accept(_study_id(act), act.act_id)
        self._stops.settle_over(self._is_over)

    def _is_over(self, act_id: str) -> bool:
        act = self._outbox.find(ACT, act_id)
        return act is not None and act.is_over

    def _seat(self, by: Person) -> Seat:
        try:
            return seat_of(self._roll, by)
        except LedgerUnavailable:
            if by.account is None:
                raise NoSeat from None
            # Whether this is a member is found out when the chain is asked; until then nothing runs anyway.
            return Seat(NO_MEMBER, by.account, "")

    def _stands(self, study: StudyId, round_: int) -> bool:
        """Whether the study is suspended on the chain; raises SuspensionStale for a round that is past."""
        try:
            chain = self._ledger.state(study)
        except LedgerUnavailable:
            return False
        if chain.suspended and chain.round == round_ + 1:
            return True
        if chain.round != round_:
            raise SuspensionStale
        return False

    # --- the steps of an act

    def _log(self, act: Act) -> Advance:
        # Again: a crash may have come after the act was begun, and another process carries it on.
        self._stops.accept(_study_id(act), act.act_id)
        self._book.log(
            codes.STUDY_SUSPENDED,
            self._studies.get(_study_id(act)),
            _agent(act),
            detail={"round": act.data["round"], "account": act.data["account"].lower()},
            act=act_identity(act),
            at_ms=act.created_at * 1000,
        )
        return Advance("logged", {})

    def _mark(self, act: Act) -> Advance:
        study, number = _study_id(act), act.data["round"]

        def change(case: Case) -> Case:
            if any((found.kind, found.number) == (SUSPEND, number) for found in case.decisions):
                return case
            account = Address(act.data["account"])
            # Whose it is, only the registry tells: with the block, when the chain was asked.
            signed = Signed(NO_MEMBER, account, "", bytes(act.data["signature"]), act.created_at)
            decision = Decision(
                SUSPEND, number, act.data["reason"], (), (signed,), case.recusals, 1, act.created_at
            )
            return replace(case, decisions=(*case.decisions, decision))

        self._book.change(study, change)
        self._studies.follow(study, Event.SUSPEND, reason=act.data["reason"])
        return Advance("marked", {})

    def _relay(self, act: Act) -> Advance:
        study, round_ = _study_id(act), act.data["round"]
        chain = self._ledger.state(study)
        if chain.round != round_:
            return Advance("relayed", {})  # an earlier attempt of this step, or somebody else, was first
        account = Address(act.data["account"])
        try:
            receipt = self._ledger.suspend_study(study, round_, account, bytes(act.data["signature"]))
        except Conflict as refusal:
            if all(seat.account.lower() != account.lower() for seat in self._roll.seats()):
                self._stops.settle(study, act.act_id)
                raise NoSeat from refusal  # the study stays suspended here: the board resumes it
            # It counts here from receipt. Whatever keeps the chain from recording it may be mended.
            _LOG.warning(
                "the chain refused to record the suspension of a study",
                extra={"code": refusal.code, "reason": refusal.detail, "act": act.act_id},
            )
            raise StopNotRecorded from refusal
        return Advance("relayed", {"block": receipt.block_number})

    def _settle(self, act: Act) -> Advance:
        study, account = _study_id(act), act.data["account"].lower()

        def is_past(block: BlockNumber) -> bool:
            # Each suspension and each resumption begins a round: this one took effect, or came too late to.
            return self._ledger.state(study, block=block).round > int(act.data["round"])

        if final_block_with(is_past, act, ledger=self._ledger, now=self._clock()) is None:
            _LOG.warning(
                "the block with the suspension of a study was replaced; it is recorded again",
                extra={"act": act.act_id},
            )
            return Advance("marked", {})
        seats = {seat.account.lower(): seat for seat in self._roll.seats()}

        def completed(decision: Decision) -> Decision:
            if (decision.kind, decision.number) != (SUSPEND, act.data["round"]):
                return decision
            (signed,) = decision.signed
            seat = seats.get(account)
            if signed.account.lower() != account or seat is None:
                return decision
            signed = replace(signed, member=seat.member, name=seat.name)
            return replace(decision, signed=(signed,), block=act.data.get("block"))

        self._book.change(study, lambda case: replace(case, decisions=tuple(map(completed, case.decisions))))
        self._stops.settle(study, act.act_id)
        return Advance(DONE, {})


def _study_id(act: Act) -> StudyId:
    return StudyId(bytes(act.data["study"]))


def _agent(act: Act) -> Agent:
    kind, identifier = act.data["by"]
    return Agent(AgentKind(kind), identifier)
