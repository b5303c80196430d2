"""The file that a board keeps of each study, and who works on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from backend.audit.entry import Agent
from backend.research.study_terms import Condition
from backend.research.types import StudyId
from backend.types import Address, Bytes32, MemberId, UnixSeconds


class MotionKind(StrEnum):
    """What a board decides by its threshold of signatures. Suspending takes one member and is no motion."""

    PERMIT = "permit"
    REFUSE = "refuse"
    RESUME = "resume"
    REVOKE = "revoke"


SUSPEND = "suspend"  # in the list of decisions, beside the kinds of motions


@dataclass(frozen=True, slots=True)
class Person:
    """Who works on a file: the board's secretary, one of its members (with an account), or the researcher."""

    agent: Agent
    account: Address | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """A member of the board in standing. ``name`` as it was registered, '' where another custodian did so."""

    member: MemberId
    account: Address
    name: str


@dataclass(frozen=True, slots=True)
class Preparation:
    """The secretary found the file complete, named who reviews it, and by when the board should decide."""

    reviewers: tuple[MemberId, ...]
    decide_by: UnixSeconds
    remarks: str
    at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Recusal:
    """A member that takes no part in decisions on this study, and why."""

    member: MemberId
    account: Address
    name: str
    reason: str
    at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Question:
    """Asked of the researcher; open while ``answered_at`` is None."""

    number: int
    text: str
    asked_at: UnixSeconds
    answer: str = ""
    answered_at: UnixSeconds | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """One member's signature of a motion's command."""

    member: MemberId
    account: Address
    name: str
    signature: bytes
    at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Motion:
    """A decision that is being signed. ``number`` tells it from earlier ones of its kind.

    ``rules`` and ``submit_by`` belong to a permit, ``round`` to a resumption: parts of what is signed.
    ``on_its_way``: enough have signed; it stands as it is until the chain has taken or refused it.
    """

    kind: MotionKind
    number: int
    reason: str
    rules: bytes
    submit_by: UnixSeconds
    round: int
    signatures: tuple[Signed, ...] = ()
    on_its_way: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What the board decided and where the chain has it.

    Names (of members, of ``custodian`` and ``researcher``) are those of that time, so that a letter stays as
    it is. ``kind``: of a motion, or SUSPEND. ``submit_by``: as signed, of a permit. ``block`` and
    ``transaction`` None: on its way to the chain.
    """

    kind: str
    number: int
    reason: str
    conditions: tuple[Condition, ...]
    signed: tuple[Signed, ...]
    recused: tuple[Recusal, ...]
    threshold: int
    at: UnixSeconds
    block: int | None = None
    transaction: Bytes32 | None = None
    submit_by: UnixSeconds | None = None
    custodian: str = ""
    researcher: str = ""


@dataclass(frozen=True, slots=True)
class Met:
    """A condition of the permit that the secretary found fulfilled."""

    condition: int
    at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Case:
    """The file of one study. ``version`` 0: nothing is kept yet; it rises by one with each change."""

    study: StudyId
    version: int = 0
    preparation: Preparation | None = None
    conditions: tuple[Condition, ...] = ()
    met: tuple[Met, ...] = ()
    recusals: tuple[Recusal, ...] = ()
    questions: tuple[Question, ...] = ()
    motions: tuple[Motion, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def motion(self, kind: MotionKind) -> Motion | None:
        """The motion of this kind that waits for signatures."""
        return next((motion for motion in self.motions if motion.kind is kind), None)

    def with_motion(self, motion: Motion) -> Case:
        others = tuple(other for other in self.motions if other.kind is not motion.kind)
        return replace(self, motions=(*others, motion))

    def without_motion(self, kind: MotionKind) -> Case:
        return replace(self, motions=tuple(motion for motion in self.motions if motion.kind is not kind))

    def decided(self, kind: str) -> Decision | None:
        """The newest decision of this kind."""
        return next((found for found in reversed(self.decisions) if found.kind == kind), None)

    def next_number(self, kind: str) -> int:
        """Of the next motion of this kind: above those decided and the one that waits."""
        numbers = [found.number for found in self.decisions if found.kind == kind]
        numbers += [motion.number for motion in self.motions if motion.kind == kind]
        return max(numbers, default=-1) + 1

    def has_recused(self, account: Address) -> bool:
        return any(recusal.account.lower() == account.lower() for recusal in self.recusals)

    @property
    def open_questions(self) -> tuple[Question, ...]:
        return tuple(question for question in self.questions if question.answered_at is None)
