"""Decisions by M of N: signatures are gathered in the file of a study until enough members have signed."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, replace

from backend.audit import codes
from backend.consent.authority import require_signed_by
from backend.consent.typed_data import Domain
from backend.research.board.carrying_out import DecisionActs
from backend.research.board.case_book import CaseBook, entry_of
from backend.research.board.documents import StudyDocuments
from backend.research.board.errors import (
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
from backend.research.board.types import Case, Motion, MotionKind, Person, Signed
from backend.research.errors import AmendsNothing
from backend.research.service import StudyService
from backend.research.standing_lists import StandingLists
from backend.research.study import State, Study
from backend.types import Address, UnixSeconds


@dataclass(frozen=True, slots=True)
class Ballot:
    """A motion as it stands: what is signed, who signed, and how many it takes."""

    motion: Motion
    command: BoardCommand
    threshold: int


class BoardDecisions:
    """Gathers signatures in the file of a study. ``acts``: what carries out what enough have signed."""

    def __init__(
        self,
        *,
        book: CaseBook,
        studies: StudyService,
        documents: StudyDocuments,
        lists: StandingLists,
        roll: BoardRoll,
        ledger: BoardLedger,
        stops: StudyStops,
        acts: DecisionActs,
        domain: Domain,
        clock: Callable[[], int],
    ) -> None:
        self._book = book
        self._studies = studies
        self._documents = documents
        self._lists = lists
        self._roll = roll
        self._ledger = ledger
        self._stops = stops
        self._acts = acts
        self._domain = domain
        self.threshold = acts.threshold
        self._clock = clock

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
        ThresholdListsOverlap, AmendsNothing, ReasonMissing, SignatureInvalid, WrongSigner; a Conflict where
        the contract refuses: the motion then waits for signatures anew. Where the chain is away the decision
        follows by itself.
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
            self._acts.begin(study, motion, by)
        return self._book.get(study.study_id)

    def _require_ready(self, study: Study, case: Case) -> None:
        if self._clock() >= study.proposal.not_after:
            raise MotionUnfit
        amends = study.proposal.amends
        if amends is not None and not self._studies.get(amends).state.may_go_on:
            raise AmendsNothing  # another version came first, or it was ended: the difference is to nothing
        if self._documents.missing(study):
            raise ProposalIncomplete
        self._lists.require_apart(study)
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
