"""Errors of the board's work. None tells anything about a patient."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput, NotFound, NotPermitted, Unavailable


class NoSeat(NotPermitted):
    """The caller's account is none of a member of the ethics board in standing."""

    code = "board_no_seat"
    remedy = (
        "Sign in with the account of a member of the board that is registered on the chain and in standing."
    )


class Recused(NotPermitted):
    code = "board_recused"
    remedy = "A member who recused takes no part in decisions on this study. Another member signs."


class NotPrepared(Conflict):
    code = "board_not_prepared"
    remedy = "The board's secretary prepares the file first: POST /v1/board/studies/{study}/preparation."


class ProposalIncomplete(Conflict):
    """Documents that the proposal names are not there."""

    code = "proposal_incomplete"
    remedy = "The researcher uploads what the proposal names: PUT /v1/studies/{study}/documents."


class QuestionsOpen(Conflict):
    code = "board_questions_open"
    remedy = "The researcher answers first: POST /v1/studies/{study}/questions/{number}/answer."


class QuestionUnknown(NotFound):
    code = "board_question_unknown"
    remedy = "List the questions: GET /v1/studies/{study}/questions."


class QuestionAnswered(Conflict):
    code = "board_question_answered"
    remedy = "An answer stands. Say more in an amendment, or have the board ask again."


class MotionChanged(Conflict):
    """What was signed is not what the board decides on now."""

    code = "board_motion_changed"
    remedy = "Get the draft again and sign that: a condition, a date or the study's state changed meanwhile."


class MotionUnfit(Conflict):
    """The study's state does not allow this decision."""

    code = "board_motion_unfit"
    remedy = "Read the file of the study: a decision was taken already, or there is nothing to decide."


class ReasonMissing(InvalidInput):
    code = "board_reason_missing"
    remedy = "Say why, in 1 to 2000 characters: the reason is kept with the decision."


class ReviewerUnknown(InvalidInput):
    code = "board_reviewer_unknown"
    remedy = "Name members of the board in standing that did not recuse: GET /v1/board/members."


class DecisionDateInvalid(InvalidInput):
    code = "board_date_invalid"
    remedy = "Set a date to come, within 60 days."


class ConditionUnknown(NotFound):
    code = "board_condition_unknown"
    remedy = "Conditions are numbered from 0, in the order of the permit."


class CaseBusy(Unavailable):
    """Several changes of one file at the same moment."""

    code = "board_file_busy"
    remedy = "Nothing was changed. Try again."


class DecisionNotFinal(Unavailable):
    """The chain has the decision, in a block that is not final yet."""

    code = "board_decision_not_final"
    remedy = "Nothing to do: it takes effect by itself when the block is final."


class DocumentUnknown(NotFound):
    code = "study_document_unknown"
    remedy = "Name a document of the proposal by its SHA-256."


class DocumentDiffers(InvalidInput):
    code = "study_document_differs"
    remedy = "The bytes must have the SHA-256 and the form that the proposal names. Send the document itself."


class LetterAbsent(NotFound):
    code = "decision_letter_absent"
    remedy = "There is a letter once the board permitted or refused the study."


class SuspensionStale(Conflict):
    """The signature is over a round that is past: the study was suspended or resumed since."""

    code = "suspension_stale"
    remedy = "Get the draft again and sign that."
