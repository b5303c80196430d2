"""Protected answers: looked up, or charged and then drawn, exactly once for each consent snapshot.

Order of a new answer: charge (durable), draw, keep (durable), release. A crash after the charge leaves it
standing; the next attempt finds it by its id, pays nothing and draws. What was drawn but not kept was never
released, and of two draws only the one kept first is ever seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.research.budget import PrivacyBudget
from backend.research.canonical import digest_of
from backend.research.figures.columns import Columns
from backend.research.plan import Plan, Question, total
from backend.research.ports import AnswerStore
from backend.research.study import Study
from backend.research.types import Answer, Charge, StudyId

Open = Callable[[Charge], Columns]


class Answers:
    """Answers the questions of a plan over one consent snapshot."""

    def __init__(self, *, budget: PrivacyBudget, store: AnswerStore) -> None:
        self._budget = budget
        self._store = store

    def answer(
        self,
        study: Study,
        plan: Plan,
        snapshot: bytes,
        *,
        versions_before: Sequence[StudyId],
        before_charge: Callable[[], None],
        open_rows: Open,
    ) -> tuple[Answer, ...]:
        """Return an answer to each question of the plan, in order.

        Stored answers of the same snapshot cost nothing. For the others ``before_charge`` runs, then all are
        charged at once, then ``open_rows`` gives the rows that their figures are drawn from. What the study's
        ``versions_before`` spent is not given again.
        Raises BudgetExceeded before anything is charged or drawn.
        """
        name = study.study_id
        ids = {question: question.answer_id(name, snapshot) for question in plan.questions}
        known = self._store.find(name, snapshot)
        # Two questions that differ in name only are one question.
        fresh = list({ids[q]: q for q in plan.questions if ids[q] not in known}.values())
        if fresh:
            charge_id = digest_of(["assent-charge-1", sorted(ids[question].hex() for question in fresh)])
            before_charge()
            charge = self._budget.debit(
                charge_id,
                name,
                study.proposal.researcher,
                total(fresh),
                study_limit=plan.study_limit,
                before=versions_before,
            )
            columns = open_rows(charge)
            drawn = [_draw(ids[question], question, columns) for question in fresh]
            kept = self._store.keep(charge_id, name, snapshot, drawn)
            known |= {answer.answer_id: answer for answer in kept}
        return tuple(known[ids[question]] for question in plan.questions)


def _draw(answer_id: bytes, question: Question, columns: Columns) -> Answer:
    drawn = question.figure.draw(columns, question.rho)
    return Answer(
        answer_id,
        question.figure.labels,
        drawn.values,
        drawn.error_95,
        drawn.sigma,
        question.rho,
        drawn.estimates,
    )
