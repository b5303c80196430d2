"""Builds the parts of research on their stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backend.adapters.index.release_store import MongoReleaseStore
from backend.adapters.index.research_store import MongoAnswerStore, MongoBudgetStore, MongoUseStore
from backend.adapters.index.study_store import MongoStudyStore
from backend.adapters.keys.study_keys import StoredStudyKeys
from backend.adapters.ledger.permits import LedgerPermits
from backend.research.budget import BudgetPolicy, PrivacyBudget
from backend.research.releases.ledger import ReleaseLedger
from backend.research.run import StudyRunner
from backend.research.service import StudyService
from backend.settings import Settings
from backend.stores import Stores

DELTA_EXPONENT: Final = 6  # of the privacy promise: delta = 10^-6
YEAR_SECONDS: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Research:
    studies: StudyService
    permits: LedgerPermits
    runner: StudyRunner


def open_research(settings: Settings, stores: Stores, *, clock: Callable[[], int]) -> Research:
    """Return research's services, ready to use."""
    permits = LedgerPermits(chain=stores.chain, studies=stores.studies, clock=clock)
    uses = MongoUseStore(stores.database)
    policy = BudgetPolicy(
        ledger=settings.tenant,
        epsilon=round(settings.privacy_budget_epsilon * 1_000_000),
        delta_exponent=DELTA_EXPONENT,
        period_seconds=YEAR_SECONDS,
    )
    runner = StudyRunner(
        permits=permits,
        keys=StoredStudyKeys(stores.keys),
        budget=PrivacyBudget(store=MongoBudgetStore(stores.database), policy=policy, clock=clock),
        answers=MongoAnswerStore(stores.database),
        uses=uses,
        releases=ReleaseLedger(
            store=MongoReleaseStore(stores.database, stores.keys),
            keys=StoredStudyKeys(stores.keys),
            ledger=settings.tenant,
            clock=clock,
        ),
        clock=clock,
    )
    studies = StudyService(
        studies=MongoStudyStore(stores.database), permits=permits, uses=uses, policy=policy, clock=clock
    )
    return Research(studies, permits, runner)
