"""How a run's privacy budget is shared out: price and expected error, known before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.research import outputs
from backend.research.canonical import digest_of
from backend.research.dp import epsilon_of, rho_within
from backend.research.errors import StudyInvalid
from backend.research.figures.base import Expected, Figure, error_of
from backend.research.figures.counting import ParticipantsFigure
from backend.research.figures.making import figure_of
from backend.research.outputs import Protected
from backend.research.study import Proposal, questions
from backend.research.types import NanoRho, StudyId

PARTICIPANTS = "participants"  # every run also asks how many are in and how many are left out
_LEAST_SHARE = NanoRho(3)  # a quantile is three draws, of one unit each at least


@dataclass(frozen=True, slots=True)
class Question:
    """One protected question, the figure that answers it, and its share of the budget."""

    name: str
    asked: Protected | None  # None: PARTICIPANTS
    figure: Figure
    rho: NanoRho

    def answer_id(self, study: StudyId, snapshot: bytes) -> bytes:
        """32 bytes; the same for the same question of a study over the same consents."""
        asked = outputs.as_json(self.asked) if self.asked is not None else PARTICIPANTS
        return digest_of(["assent-answer-1", study.hex(), snapshot.hex(), asked, self.rho])

    @property
    def expected_error(self) -> int:
        """By how much a released number is off with a probability of 5 % at most."""
        return error_of(self.figure.bound_squared, len(self.figure.labels), self.rho)

    @property
    def expected(self) -> Expected:
        """The same for what follows from the numbers, in its own unit."""
        return self.figure.expected(self.rho)

    def epsilon(self, delta_exponent: int) -> float:
        """What this question would cost alone; over several questions rho adds up and epsilon does not."""
        return epsilon_of(self.rho, delta_exponent)


@dataclass(frozen=True, slots=True)
class Plan:
    """``study_limit`` is what all runs of the study may cost; ``questions`` are those of one run."""

    study_limit: NanoRho
    questions: tuple[Question, ...]

    @property
    def rho(self) -> NanoRho:
        return total(self.questions)


def plan(proposal: Proposal, *, delta_exponent: int) -> Plan:
    """Share the study's epsilon equally among its runs; of each, a tenth goes to the participants.

    Raises StudyInvalid (field ``epsilon``) when a share would be nothing.
    """
    limit = rho_within(proposal.epsilon, delta_exponent)
    run = limit // proposal.runs
    asked = questions(proposal)
    participants = run // 10
    share = (run - participants) // max(len(asked), 1)
    if participants == 0 or share < _LEAST_SHARE:
        raise StudyInvalid("too little epsilon for so many runs and outputs", field="epsilon")
    made = [Question(PARTICIPANTS, None, ParticipantsFigure(), NanoRho(participants))]
    variables = proposal.by_name
    made += [
        Question(question.name, question, figure_of(question, variables), NanoRho(share))
        for question in asked
    ]
    return Plan(limit, tuple(made))


def total(asked: Sequence[Question]) -> NanoRho:
    """zCDP adds up."""
    return NanoRho(sum(question.rho for question in asked))
