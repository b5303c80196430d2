"""What goes before a decision: completeness, reviewers, questions, conditions, and who may not take part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from backend.audit import codes
from backend.research.board.case_book import CaseBook, entry_of
from backend.research.board.documents import StudyDocuments
from backend.research.board.errors import (
    ConditionUnknown,
    DecisionDateInvalid,
    MotionUnfit,
    ProposalIncomplete,
    QuestionAnswered,
    QuestionUnknown,
    ReasonMissing,
    ReviewerUnknown,
)
from backend.research.board.ports import BoardRoll
from backend.research.board.roll import seat_of
from backend.research.board.types import (
    Case,
    Met,
    MotionKind,
    Person,
    Preparation,
    Question,
    Recusal,
)
from backend.research.standing_lists import StandingLists
from backend.research.study import State, Study
from backend.research.study_terms import Condition, validate_conditions
from backend.types import MemberId, UnixSeconds

MAX_REASON_CHARACTERS: Final = 2_000
LONGEST_REVIEW_SECONDS: Final = 60 * 24 * 3600


class BoardPreparation:
    def __init__(
        self,
        *,
        book: CaseBook,
        documents: StudyDocuments,
        lists: StandingLists,
        roll: BoardRoll,
        clock: Callable[[], int],
    ) -> None:
        self._book = book
        self._documents = documents
        self._lists = lists
        self._roll = roll
        self._clock = clock

    def prepare(
        self,
        study: Study,
        *,
        reviewers: Sequence[MemberId],
        decide_by: UnixSeconds,
        remarks: str,
        by: Person,
    ) -> Case:
        """Find the file complete, name reviewers and the date by which to decide; again replaces it.

        Raises ProposalIncomplete, ThresholdListsOverlap, ReviewerUnknown, DecisionDateInvalid, MotionUnfit.
        """
        _require_open(study)
        if self._documents.missing(study):
            raise ProposalIncomplete
        self._lists.require_apart(study)
        now = UnixSeconds(self._clock())
        if not now < decide_by <= now + LONGEST_REVIEW_SECONDS:
            raise DecisionDateInvalid(field="decide_by")
        seated = {seat.member for seat in self._roll.seats()}
        made = Preparation(tuple(reviewers), decide_by, _text(remarks, needed=False), now)

        def change(case: Case) -> Case:
            able = seated - {recusal.member for recusal in case.recusals}
            if not reviewers or len(set(reviewers)) != len(reviewers) or not able.issuperset(reviewers):
                raise ReviewerUnknown(field="reviewers")
            return replace(case, preparation=made)

        return self._change(study, change, "prepared", by)

    def set_conditions(self, study: Study, conditions: tuple[Condition, ...], *, by: Person) -> Case:
        """Write the conditions of the permit. Signatures given to other conditions are void.

        Raises StudyInvalid naming the condition, MotionUnfit once the board decided.
        """
        _require_open(study)
        validate_conditions(conditions, now=self._clock())

        def change(case: Case) -> Case:
            if case.conditions == conditions:
                return case
            permit = case.motion(MotionKind.PERMIT)
            if permit is not None and permit.on_its_way:
                raise MotionUnfit
            return replace(case.without_motion(MotionKind.PERMIT), conditions=conditions)

        return self._change(study, change, "conditions", by)

    def mark_met(self, study: Study, condition: int, *, by: Person) -> Case:
        """Say that a condition of the permit is fulfilled. Raises ConditionUnknown."""
        if not 0 <= condition < len(study.conditions):
            raise ConditionUnknown
        now = UnixSeconds(self._clock())

        def change(case: Case) -> Case:
            if any(item.condition == condition for item in case.met):
                return case
            return replace(case, met=(*case.met, Met(condition, now)))

        return self._change(study, change, "condition_met", by)

    def recuse(self, study: Study, reason: str, *, by: Person) -> Case:
        """Take no part in decisions on this study. Signatures of decisions that wait are taken out.

        What came about stands. Raises NoSeat, ReasonMissing.
        """
        seat = seat_of(self._roll, by)
        text = _text(reason, needed=True)
        now = UnixSeconds(self._clock())

        def change(case: Case) -> Case:
            if case.has_recused(seat.account):
                return case
            motions = tuple(
                motion
                if motion.on_its_way
                else replace(
                    motion, signatures=tuple(s for s in motion.signatures if s.account != seat.account)
                )
                for motion in case.motions
            )
            recusal = Recusal(seat.member, seat.account, seat.name, text, now)
            prepared = case.preparation
            if prepared is not None:
                others = tuple(member for member in prepared.reviewers if member != seat.member)
                prepared = replace(prepared, reviewers=others)
            return replace(case, motions=motions, recusals=(*case.recusals, recusal), preparation=prepared)

        return self._change(study, change, "recused", by)

    def ask(self, study: Study, text: str, *, by: Person) -> Case:
        """Ask the researcher; the permit waits for the answer. Raises ReasonMissing, MotionUnfit."""
        _require_open(study)
        asked = _text(text, needed=True)
        now = UnixSeconds(self._clock())

        def change(case: Case) -> Case:
            if any(question.text == asked for question in case.questions):
                return case
            return replace(case, questions=(*case.questions, Question(len(case.questions), asked, now)))

        return self._change(study, change, "asked", by)

    def answer(self, study: Study, number: int, text: str, *, by: Person) -> Case:
        """Answer as the researcher; the same again changes nothing.

        Raises QuestionUnknown, QuestionAnswered, ReasonMissing.
        """
        answer = _text(text, needed=True)
        now = UnixSeconds(self._clock())

        def change(case: Case) -> Case:
            if not 0 <= number < len(case.questions):
                raise QuestionUnknown
            question = case.questions[number]
            if question.answered_at is not None:
                if question.answer == answer:
                    return case
                raise QuestionAnswered
            answered = replace(question, answer=answer, answered_at=now)
            questions = tuple(answered if each.number == number else each for each in case.questions)
            return replace(case, questions=questions)

        return self._change(study, change, "answered", by)

    def _change(self, study: Study, change: Callable[[Case], Case], what: str, by: Person) -> Case:
        def log(case: Case) -> None:
            self._book.log(
                codes.STUDY_REVIEWED,
                study,
                by.agent,
                detail={"change": what},
                act=entry_of(study.study_id, what, case.version),
            )

        return self._book.change(study.study_id, change, before=log)


def _require_open(study: Study) -> None:
    if study.state is not State.PROPOSED:
        raise MotionUnfit


def _text(text: str, *, needed: bool) -> str:
    found = text.strip()
    if (needed and not found) or len(found) > MAX_REASON_CHARACTERS:
        raise ReasonMissing
    return found
