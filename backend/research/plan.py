"""How a run's privacy budget is shared out, known before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.research import outputs
from backend.research.canonical import digest_of
from backend.research.dp import (
    COUNT_SENSITIVITY_SQUARED,
    HISTOGRAM_SENSITIVITY_SQUARED,
    expected_error,
    rho_within,
)
from backend.research.errors import StudyInvalid
from backend.research.outputs import Count, Filter, Histogram
from backend.research.study import Proposal, questions
from backend.research.types import NanoRho, StudyId
from backend.research.variables import Value, Variable

PARTICIPANTS = "participants"  # every run also asks how many are in and how many are left out
INCLUDED, EXCLUDED = "included", "excluded"
COUNTED = "patients"


@dataclass(frozen=True, slots=True)
class Question:
    """One protected question: its public levels, what one patient can change, and its share of the budget."""

    name: str
    asked: Count | Histogram | None  # None: PARTICIPANTS
    levels: tuple[str, ...]
    sensitivity_squared: int
    rho: NanoRho

    def answer_id(self, study: StudyId, snapshot: bytes) -> bytes:
        """32 bytes; the same for the same question of a study over the same consents."""
        asked = outputs.as_json(self.asked) if self.asked is not None else PARTICIPANTS
        return digest_of(["assent-answer-1", study.hex(), snapshot.hex(), asked, self.rho])

    @property
    def expected_error(self) -> int:
        """By how much a value is off with a probability of 5 % at most."""
        return expected_error(self.sensitivity_squared, self.rho)

    def level(self, row: dict[str, Value], variables: dict[str, Variable]) -> str | None:
        """The level a patient counts in, or None when a filter leaves the patient out."""
        if self.asked is None or not all(_passes(row, variables, item) for item in self.asked.where):
            return None
        if isinstance(self.asked, Count):
            return COUNTED
        return variables[self.asked.variable].level_of(row[self.asked.variable])


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
    if participants == 0 or share == 0:
        raise StudyInvalid("too little epsilon for so many runs and outputs", field="epsilon")
    sides, paired = (INCLUDED, EXCLUDED), HISTOGRAM_SENSITIVITY_SQUARED
    made = [Question(PARTICIPANTS, None, sides, paired, NanoRho(participants))]
    for question in asked:
        levels: tuple[str, ...]
        if isinstance(question, Count):
            levels, squared = (COUNTED,), COUNT_SENSITIVITY_SQUARED
        else:
            levels, squared = proposal.by_name[question.variable].domain, paired
        made.append(Question(question.name, question, levels, squared, NanoRho(share)))
    return Plan(limit, tuple(made))


def total(asked: Sequence[Question]) -> NanoRho:
    """zCDP adds up."""
    return NanoRho(sum(question.rho for question in asked))


def _passes(row: dict[str, Value], variables: dict[str, Variable], condition: Filter) -> bool:
    return variables[condition.variable].level_of(row[condition.variable]) in condition.levels
