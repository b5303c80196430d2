"""The ethics board's work on studies, as the routes call it."""

from __future__ import annotations

from dataclasses import dataclass

from backend.audit import codes
from backend.consent.typed_data import Domain
from backend.research.board.carrying_out import DecisionActs
from backend.research.board.case_book import CaseBook, entry_of
from backend.research.board.deciding import BoardDecisions
from backend.research.board.documents import StudyDocuments
from backend.research.board.errors import LetterAbsent
from backend.research.board.ports import BoardLedger, BoardRoll
from backend.research.board.preparing import BoardPreparation
from backend.research.board.stops import StopGuard, StudyStops
from backend.research.board.suspending import StudySuspensions
from backend.research.board.types import Case, MotionKind, Person
from backend.research.board.usage import StudyUsage
from backend.research.study import Event, State, Study, rules_of
from backend.research.types import StudyId
from backend.types import Bytes32


@dataclass(frozen=True, slots=True, kw_only=True)
class EthicsBoard:
    book: CaseBook
    roll: BoardRoll
    documents: StudyDocuments
    preparation: BoardPreparation
    decisions: BoardDecisions
    acts: DecisionActs
    suspensions: StudySuspensions
    stops: StudyStops
    ledger: BoardLedger
    usage: StudyUsage
    domain: Domain

    def restore_restrictions(self) -> None:
        """Put in force again what stops studies and is not on the chain: before the first run."""
        self.acts.restore_restrictions()
        self.suspensions.restore_restrictions()

    def close(self, study: Study, *, reason: str, by: Person) -> Study:
        """End a study for good: withdrawn by its researcher, or closed by the board's secretary.

        The permit on the chain stands until it ends or the board revokes it; here nothing runs any more.
        """
        if study.state is not State.CLOSED:
            study.after(Event.CLOSE)  # or StudyStateConflict
        closed = self.acts.close(study.study_id, reason=reason)
        self.book.log(codes.STUDY_CLOSED, closed, by.agent, act=entry_of(study.study_id, "closed"))
        return closed

    def rules(self, study: Study, case: Case) -> Bytes32:
        """What a permit signed now would be for."""
        return rules_of(study.proposal, case.conditions)

    def letter(self, study: Study, before: Study | None) -> bytes:
        """Return the letter about the permit or the refusal, as a PDF. Raises LetterAbsent."""
        case = self.book.get(study.study_id)
        decision = case.decided(MotionKind.PERMIT) or case.decided(MotionKind.REFUSE)
        if decision is None:
            raise LetterAbsent
        # It brings the maker of PDFs, which few runs of the service need.
        from backend.research.board.letter import Letter, render  # noqa: PLC0415

        return render(Letter(study, decision, before, self.domain))

    def guard(self, study: StudyId) -> StopGuard:
        """Return what raises StudyNotPermitted once a stop of the study arrives after this call."""
        return self.stops.guard(study)
