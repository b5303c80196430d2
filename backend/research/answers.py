"""Protected answers: looked up, or charged and then drawn, exactly once for each consent snapshot.

Order of a new answer: charge (durable), draw, keep (durable), tell the audit log, release. A crash after the
charge leaves it standing; the next attempt finds it by its id, pays nothing and draws (``paid_draws`` tells
when it pays again). Of two draws only the one kept first is ever seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.research.canonical import digest_of
from backend.research.figures.columns import Columns
from backend.research.paid_draws import PaidDraws
from backend.research.plan import Plan, Question, total
from backend.research.ports import AnswerStore
from backend.research.study import Study
from backend.research.types import Answer, Charge, StudyId

Open = Callable[[Charge], Columns]


class Answers:
    """Answers the questions of a plan over one consent snapshot."""

    def __init__(self, *, draws: PaidDraws, store: AnswerStore) -> None:
        self._draws = draws
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
            before_charge()
            charge = self._draws.debit(
                digest_of(["assent-charge-1", sorted(ids[question].hex() for question in fresh)]),
                name,
                study.proposal.researcher,
                total(fresh),
                study_limit=plan.study_limit,
                before=versions_before,
            )
            columns = open_rows(charge)
            drawn = [_draw(ids[question], question, columns) for question in fresh]
            kept = self._store.keep(charge.charge_id, name, snapshot, drawn)
            known |= {answer.answer_id: answer for answer in kept}
        self._draws.drawn(self._store.charges(name, snapshot))
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
