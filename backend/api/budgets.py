"""What all answers together may tell about a patient, how much is spent of it, and receipts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.runs import own_study
from backend.api.schemas import Hex32
from backend.api.security import Caller, needs, requesting_member
from backend.api.study_views import AnswerPriceView, price_views
from backend.identity.roles import Scope
from backend.research.dp import epsilon_of
from backend.research.plan import plan
from backend.research.policy import NO_CAP
from backend.research.promise import DAY_SECONDS, promise_of
from backend.research.types import Charge, NanoRho
from backend.types import to_hex

router = APIRouter(prefix="/v1/privacy-budget", tags=["research"])
RECEIPTS = 200
NANO = 10**9


class BudgetView(BaseModel):
    """Losses are epsilon at ``delta``. They do not add up; ``spent_rho`` and ``total_rho`` (zCDP) do."""

    promise: str = Field(description="what a patient may rely on, in plain words")
    total_epsilon: float
    spent_epsilon: float
    delta: float
    total_rho: float
    spent_rho: float
    left_rho: float
    period_days: int
    period_start: int = Field(description="unix seconds")
    period_end: int = Field(description="unix seconds; then the budget is renewed")
    study_epsilon: float | None = Field(description="what one study may spend in its whole life")
    researcher_epsilon: float | None = Field(description="what one researcher may spend in a period")


class ReceiptView(BaseModel):
    """One charge. ``digest`` is its link in the ledger's chain, whose heads stand in the audit log."""

    charge_id: str
    study_id: str
    place: int
    rho: float
    epsilon: float
    at: int = Field(description="unix seconds")
    digest: str


class OwnBudgetView(BaseModel):
    spent_epsilon: float = Field(description="by your organisation in this period")
    spent_rho: float
    left_rho: float = Field(description="of your organisation's cap and of the custodian's total, the lower")
    receipts: list[ReceiptView] = Field(description=f"newest first, {RECEIPTS} at most")


class StudyBudgetView(BaseModel):
    """Of one study with all versions before it, over its whole life. Only the losses in rho (zCDP) add up."""

    total_epsilon: float = Field(description="what the proposal names, or the custodian's cap where lower")
    total_rho: float
    spent_epsilon: float
    spent_rho: float
    left_rho: float
    run_epsilon: float = Field(description="what the next run over other consents takes")
    run_rho: float
    prices: list[AnswerPriceView] = Field(description="of the answers of one run")


@router.get("", response_model=BudgetView)
def show_budget(caller: Annotated[Caller, Depends(needs(Scope.STUDY_READ))]) -> BudgetView:
    """What this custodian promises its patients about all answers together, and how much of it is spent."""
    budget = caller.services.privacy_budget
    policy, balance = budget.policy, budget.balance()
    return BudgetView(
        promise=promise_of(policy),
        total_epsilon=_rounded(balance.epsilon_total),
        spent_epsilon=_rounded(balance.epsilon_spent),
        delta=10.0**-policy.delta_exponent,
        total_rho=policy.rho / NANO,
        spent_rho=balance.spent / NANO,
        left_rho=balance.left / NANO,
        period_days=policy.period_seconds // DAY_SECONDS,
        period_start=balance.period * policy.period_seconds,
        period_end=(balance.period + 1) * policy.period_seconds,
        study_epsilon=_epsilon(policy.study_rho, policy.delta_exponent),
        researcher_epsilon=_epsilon(policy.researcher_rho, policy.delta_exponent),
    )


@router.get("/own", response_model=OwnBudgetView)
def show_own_budget(caller: Annotated[Caller, Depends(needs(Scope.STUDY_RUN))]) -> OwnBudgetView:
    """What your organisation spent, what it still may, and the receipt of every charge."""
    budget, researcher = caller.services.privacy_budget, requesting_member(caller.principal)
    policy, spent = budget.policy, budget.spent_by_researcher(researcher)
    exponent = policy.delta_exponent
    return OwnBudgetView(
        spent_epsilon=_rounded(epsilon_of(spent, exponent)),
        spent_rho=spent / NANO,
        left_rho=max(0, min(policy.researcher_rho - spent, budget.balance().left)) / NANO,
        receipts=[_receipt(charge, exponent) for charge in budget.charges_of(researcher)[:RECEIPTS]],
    )


@router.get("/studies/{study}", response_model=StudyBudgetView)
def show_study_budget(
    study: Hex32, caller: Annotated[Caller, Depends(needs(Scope.STUDY_RUN))]
) -> StudyBudgetView:
    """What a study of yours may spend, has spent, and what a run of it and each of its questions take."""
    services, found = caller.services, own_study(caller, study)
    policy = services.privacy_budget.policy
    exponent = policy.delta_exponent
    made = plan(found.proposal, delta_exponent=exponent)
    versions = [found, *services.studies.versions_before(found)]
    total = NanoRho(min(made.study_limit, policy.study_rho))
    spent = services.privacy_budget.spent_over([version.study_id for version in versions])
    return StudyBudgetView(
        total_epsilon=_rounded(epsilon_of(total, exponent)),
        total_rho=total / NANO,
        spent_epsilon=_rounded(epsilon_of(spent, exponent)),
        spent_rho=spent / NANO,
        left_rho=max(0, total - spent) / NANO,
        run_epsilon=_rounded(epsilon_of(made.rho, exponent)),
        run_rho=made.rho / NANO,
        prices=price_views(made, exponent),
    )


def _receipt(charge: Charge, exponent: int) -> ReceiptView:
    return ReceiptView(
        charge_id=to_hex(charge.charge_id),
        study_id=to_hex(charge.study),
        place=charge.place,
        rho=charge.rho / NANO,
        epsilon=_rounded(epsilon_of(charge.rho, exponent)),
        at=charge.at,
        digest=to_hex(charge.digest),
    )


def _epsilon(rho: NanoRho, exponent: int) -> float | None:
    return None if rho == NO_CAP else _rounded(epsilon_of(rho, exponent))


def _rounded(epsilon: float) -> float:
    return round(epsilon, 6)
