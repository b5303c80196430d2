"""What became of a study that the board permitted: runs, releases, and privacy budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.research.board.ports import RunStore, StudyRun
from backend.research.dp import epsilon_of
from backend.research.plan import plan
from backend.research.policy import BudgetPolicy
from backend.research.study import Study
from backend.research.types import NanoRho, StudyId


@dataclass(frozen=True, slots=True)
class Usage:
    """Amounts as decimal text, at the custodian's delta. ``epsilon_spent`` is by this version of the study,
    ``epsilon_in_all`` by it and all before it: what ``epsilon_limit`` is about."""

    runs: Sequence[StudyRun]
    epsilon_spent: str
    epsilon_in_all: str
    epsilon_limit: str

    @property
    def releases(self) -> int:
        """How many different tables left."""
        return len({run.table for run in self.runs if run.table})


class StudyUsage:
    """``spent``: what several studies spent together."""

    def __init__(
        self,
        *,
        runs: RunStore,
        spent: Callable[[Sequence[StudyId]], NanoRho],
        versions_before: Callable[[Study], Sequence[Study]],
        policy: BudgetPolicy,
    ) -> None:
        self._runs = runs
        self._spent = spent
        self._versions_before = versions_before
        self._policy = policy

    def record(self, run: StudyRun) -> None:
        """Keep that a result is released, before it leaves."""
        self._runs.record(run)

    def of(self, study: Study) -> Usage:
        exponent = self._policy.delta_exponent
        limit = plan(study.proposal, delta_exponent=exponent).study_limit
        versions = [study, *self._versions_before(study)]
        return Usage(
            runs=self._runs.of_study(study.study_id),
            epsilon_spent=_text(self._spent([study.study_id]), exponent),
            epsilon_in_all=_text(self._spent([version.study_id for version in versions]), exponent),
            epsilon_limit=_text(limit, exponent),
        )


def _text(rho: NanoRho, exponent: int) -> str:
    return f"{epsilon_of(rho, exponent):.6f}" if rho else "0"
