"""How a study, its papers, questions and versions are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from backend.api.schemas import (
    moment,
)
from backend.research.board.difference import differences, version_of
from backend.research.board.service import EthicsBoard
from backend.research.board.types import Case
from backend.research.plan import Plan
from backend.research.service import StudyService
from backend.research.study import Study
from backend.research.study_terms import (
    Condition,
)
from backend.types import to_hex


class ConditionView(BaseModel):
    text: str
    due: datetime | None
    met_at: datetime | None = None
    overdue: bool = False


class AnswerPriceView(BaseModel):
    """What one run's answer will cost and how wrong it may be, before anything is spent."""

    name: str
    kind: str
    rho: float = Field(description="zCDP loss; it adds up over answers")
    epsilon: float = Field(description="of this answer alone; epsilon does not add up")
    expected_error: float = Field(description="95 % error to expect")
    of: str = Field(description="of what it is the error")


class StudyView(BaseModel):
    study_id: str
    state: str
    reason: str
    proposal: dict[str, Any]
    conditions: list[ConditionView] = Field(description="of the permit")
    expected_errors: dict[str, int] | None = Field(
        default=None, description="95 % error of each answer's numbers, told when the study is proposed"
    )
    prices: list[AnswerPriceView] | None = Field(
        default=None, description="of the answers of one run, told when the study is proposed"
    )


class DocumentView(BaseModel):
    name: str
    media_type: str
    sha256: str
    stored_at: datetime | None = Field(description="null: not uploaded yet")


class StudyQuestionView(BaseModel):
    number: int
    text: str
    asked_at: datetime | None
    answer: str
    answered_at: datetime | None


class ChangeView(BaseModel):
    member: str
    before: str = Field(description="empty: it is new")
    after: str = Field(description="empty: it is gone")


class DifferenceView(BaseModel):
    version: str = Field(description="first, amendment or renewal (nothing but the period changes)")
    amends: str | None
    changes: list[ChangeView]


def study_view(study: Study) -> StudyView:
    return StudyView(
        study_id=to_hex(study.study_id),
        state=study.state.value,
        reason=study.reason,
        proposal=study.proposal.as_json(),
        conditions=[ConditionView(text=item.text, due=_due(item)) for item in study.conditions],
    )


def price_views(plan: Plan, delta_exponent: int) -> list[AnswerPriceView]:
    return [
        AnswerPriceView(
            name=question.name,
            kind=question.figure.kind,
            rho=question.rho / 10**9,
            epsilon=round(question.epsilon(delta_exponent), 6),
            expected_error=question.expected.error,
            of=question.expected.of,
        )
        for question in plan.questions
    ]


def difference_view(study: Study, studies: StudyService) -> DifferenceView:
    amends = study.proposal.amends
    before = None if amends is None else studies.get(amends).proposal
    changes = () if before is None else differences(before, study.proposal)
    return DifferenceView(
        version=version_of(before, study.proposal).value,
        amends=None if amends is None else to_hex(amends),
        changes=[ChangeView(member=item.member, before=item.before, after=item.after) for item in changes],
    )


def condition_views(conditions: Sequence[Condition], case: Case, now: int) -> list[ConditionView]:
    """Conditions with what the secretary found met."""
    met = {item.condition: item.at for item in case.met}
    return [
        ConditionView(
            text=item.text,
            due=_due(item),
            met_at=moment(met[place]) if place in met else None,
            overdue=item.due is not None and now >= item.due and place not in met,
        )
        for place, item in enumerate(conditions)
    ]


def document_views(study: Study, board: EthicsBoard) -> list[DocumentView]:
    present = board.documents.present(study)
    return [
        DocumentView(
            name=item.name,
            media_type=item.media_type,
            sha256=to_hex(item.sha256),
            stored_at=moment(present[item.sha256]) if item.sha256 in present else None,
        )
        for item in study.proposal.documents
    ]


def question_views(case: Case) -> list[StudyQuestionView]:
    return [
        StudyQuestionView(
            number=item.number,
            text=item.text,
            asked_at=moment(item.asked_at),
            answer=item.answer,
            answered_at=None if item.answered_at is None else moment(item.answered_at),
        )
        for item in case.questions
    ]


def _due(condition: Condition) -> datetime | None:
    return None if condition.due is None else moment(condition.due)
