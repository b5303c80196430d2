"""What is signed for each decision of the board, and whether a study's state allows it."""

from __future__ import annotations

from typing import Final

from backend.consent.member_terms import (
    PermitStudy,
    RefuseStudy,
    ResumeStudy,
    RevokeStudy,
    SuspendStudy,
)
from backend.research.board.types import Case, Decision, Motion, MotionKind
from backend.research.study import State, Study, rules_of
from backend.types import Bytes32, UnixSeconds

BoardCommand = PermitStudy | RefuseStudy | ResumeStudy | RevokeStudy | SuspendStudy

_DAY: Final = 24 * 3600
_SUBMIT_DAYS: Final = 8  # after the date to decide by, or after today: so that all drafts of a day are alike
_STATES: Final = {
    MotionKind.PERMIT: frozenset({State.PROPOSED}),
    MotionKind.REFUSE: frozenset({State.PROPOSED}),
    MotionKind.RESUME: frozenset({State.APPROVED, State.SUSPENDED}),  # it may be suspended on the chain alone
    MotionKind.REVOKE: frozenset({State.APPROVED, State.SUSPENDED}),
}
NEEDS_REASON: Final = frozenset({MotionKind.REFUSE, MotionKind.REVOKE})


def fits(study: Study, kind: MotionKind) -> bool:
    """Whether the study's state leaves this to decide."""
    return study.state in _STATES[kind]


def motion_for(study: Study, case: Case, kind: MotionKind, *, round_: int, now: int) -> Motion:
    """Return the motion that waits for signatures, or a new one where none does or it is out of date.

    ``round_``: the chain's, of a resumption.
    """
    waiting = case.motion(kind)
    if waiting is not None:  # over these conditions: to change them takes the motion away
        if kind is MotionKind.RESUME and waiting.round == round_:
            return waiting
        if kind is MotionKind.PERMIT and now < waiting.submit_by:
            return waiting
        if kind in NEEDS_REASON:
            return waiting
    submit_by = 0
    if kind is MotionKind.PERMIT:
        decide_by = case.preparation.decide_by if case.preparation is not None else 0
        submit_by = (max(decide_by, now) // _DAY + _SUBMIT_DAYS) * _DAY
    return Motion(
        kind=kind,
        number=case.next_number(kind),
        reason="",
        rules=rules_of(study.proposal, case.conditions) if kind is MotionKind.PERMIT else b"",
        submit_by=UnixSeconds(submit_by),
        round=round_ if kind is MotionKind.RESUME else 0,
    )


def motion_of(study: Study, decision: Decision) -> Motion:
    """Return the motion that became this decision, for what was signed."""
    kind = MotionKind(decision.kind)
    return Motion(
        kind=kind,
        number=decision.number,
        reason=decision.reason,
        rules=rules_of(study.proposal, decision.conditions) if kind is MotionKind.PERMIT else b"",
        submit_by=decision.submit_by or UnixSeconds(0),
        round=0,
        signatures=decision.signed,
    )


def command_of(study: Study, motion: Motion) -> BoardCommand:
    """Return what every member signs for the motion."""
    name = Bytes32(study.study_id)
    match motion.kind:
        case MotionKind.PERMIT:
            proposal = study.proposal
            return PermitStudy(
                study=name,
                rules=Bytes32(motion.rules),
                not_before=proposal.not_before,
                not_after=proposal.not_after,
                submit_by=motion.submit_by,
            )
        case MotionKind.REFUSE:
            return RefuseStudy(name)
        case MotionKind.RESUME:
            return ResumeStudy(name, motion.round)
        case MotionKind.REVOKE:
            return RevokeStudy(name)
