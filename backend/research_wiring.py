"""Builds the parts of research on their stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from backend.adapters.index.board_store import MongoCaseStore, MongoDocumentStore, MongoRunStore
from backend.adapters.index.catalogue_store import MongoDrawingStore
from backend.adapters.index.export_store import MongoExportStore
from backend.adapters.index.job_store import MongoJobStore
from backend.adapters.index.member_names import SealedMemberNames
from backend.adapters.index.money_store import MongoShareStore
from backend.adapters.index.release_store import MongoReleaseStore
from backend.adapters.index.research_store import (
    MongoAnswerStore,
    MongoBudgetStore,
    MongoThresholdStore,
    MongoUseStore,
)
from backend.adapters.index.study_store import MongoStudyStore
from backend.adapters.keys.study_keys import StoredStudyKeys
from backend.adapters.ledger.permits import LedgerPermits
from backend.audit.errors import EntryDamaged
from backend.audit.log import AuditLog
from backend.audit.reader import LogReader
from backend.audit.search import LogSearch
from backend.consent.member_book import MemberBook
from backend.consent.typed_data import RESEARCH_NAME, Domain
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.records.ports import RecipientKeys
from backend.research.board.carrying_out import DecisionActs
from backend.research.board.case_book import CaseBook
from backend.research.board.deciding import BoardDecisions
from backend.research.board.documents import StudyDocuments
from backend.research.board.preparing import BoardPreparation
from backend.research.board.roll import RegisteredBoard
from backend.research.board.service import EthicsBoard
from backend.research.board.stops import StoppablePermits, StudyStops
from backend.research.board.suspending import StudySuspensions
from backend.research.board.usage import StudyUsage
from backend.research.budget import PrivacyBudget
from backend.research.candidates import CandidateSource
from backend.research.catalogue.drawing import CatalogueDrawer, CataloguePolicy
from backend.research.catalogue.offers import load_catalogue
from backend.research.catalogue.service import CatalogueService
from backend.research.datasets.service import DatasetService
from backend.research.exports.keeping import ExportKeeper
from backend.research.exports.service import ExportService
from backend.research.handover import Handover
from backend.research.jobs.driver import RunJobs
from backend.research.logged_heads import LoggedHeads
from backend.research.money.earning import EarningUses
from backend.research.money.results import Results
from backend.research.policy import BudgetPolicy
from backend.research.releases.ledger import ReleaseLedger
from backend.research.run import StudyRunner
from backend.research.service import StudyService
from backend.sealed import DocumentSealer
from backend.settings import Settings
from backend.stores import Stores

DELTA_EXPONENT: Final = 6  # of the privacy promise: delta = 10^-6
DAY_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Research:
    studies: StudyService
    board: EthicsBoard
    permits: StoppablePermits
    runner: StudyRunner
    budget: PrivacyBudget


@dataclass(frozen=True, slots=True)
class Studying:
    candidates: CandidateSource
    catalogue: CatalogueService
    runs: RunJobs
    datasets: DatasetService
    exports: ExportService


def open_research(
    settings: Settings,
    stores: Stores,
    *,
    members: MemberBook,
    sealer: DocumentSealer,
    outbox: Outbox,
    driver: Driver,
    log: AuditLog,
    reader: LogReader,
    clock: Callable[[], int],
) -> Research:
    """Return research's services, whose steps the outbox then knows. Raises PrivacyLedgerRolledBack."""
    ledger = LedgerPermits(chain=stores.chain, studies=stores.studies, clock=clock)
    stops = StudyStops()
    permits = StoppablePermits(ledger, stops)
    uses = EarningUses(
        uses=MongoUseStore(stores.database), shares=MongoShareStore(stores.database, stores.keys)
    )
    budget = open_budget(settings, stores, log, reader, clock=clock)
    runner = StudyRunner(
        permits=permits,
        keys=StoredStudyKeys(stores.keys),
        budget=budget,
        answers=MongoAnswerStore(stores.database),
        thresholds=MongoThresholdStore(stores.database),
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
        studies=MongoStudyStore(stores.database),
        permits=permits,
        uses=uses,
        policy=budget.policy,
        clock=clock,
    )
    book = CaseBook(store=MongoCaseStore(stores.database), sealer=sealer, audit=log, clock=clock)
    names = SealedMemberNames(stores.database, sealer)
    roll = RegisteredBoard(members, clock=clock)
    documents = StudyDocuments(
        store=MongoDocumentStore(stores.database), sealer=sealer, book=book, clock=clock
    )
    domain = Domain(
        stores.chain.chain_id, stores.deployment.contracts["ResearchMarket"].address, RESEARCH_NAME
    )
    acts = DecisionActs(
        book=book,
        studies=studies,
        ledger=ledger,
        stops=stops,
        outbox=outbox,
        driver=driver,
        threshold=stores.deployment.market_terms.board_threshold,
        custodian=settings.custodian_name or settings.tenant,
        name_of=lambda member: names.of([member]).get(member, ""),
        clock=clock,
    )
    board = EthicsBoard(
        book=book,
        roll=roll,
        documents=documents,
        preparation=BoardPreparation(book=book, documents=documents, roll=roll, clock=clock),
        acts=acts,
        decisions=BoardDecisions(
            book=book,
            studies=studies,
            documents=documents,
            roll=roll,
            ledger=ledger,
            stops=stops,
            acts=acts,
            domain=domain,
            clock=clock,
        ),
        suspensions=StudySuspensions(
            book=book,
            studies=studies,
            roll=roll,
            ledger=ledger,
            stops=stops,
            outbox=outbox,
            driver=driver,
            domain=domain,
            clock=clock,
        ),
        stops=stops,
        ledger=ledger,
        usage=StudyUsage(
            runs=MongoRunStore(stores.database),
            spent=budget.spent_by_study,
            policy=budget.policy,
        ),
        domain=domain,
    )
    return Research(studies, board, permits, runner, budget)


def open_studying(
    settings: Settings,
    stores: Stores,
    research: Research,
    *,
    source: CandidateSource,
    recipients: RecipientKeys,
    results: Results,
    sealer: DocumentSealer,
    log: AuditLog,
    clock: Callable[[], int],
) -> Studying:
    """Return what reads patients' records for research: the catalogue, and the queue of runs.

    ``source`` is given the catalogue's views. ``start`` the runs; ``close`` both at the end.
    """
    offered = load_catalogue(settings.catalogue_directory, source.tables)
    candidates = replace(source, views=offered.views)
    catalogue = CatalogueService(
        catalogue=offered,
        drawer=CatalogueDrawer(
            catalogue=offered,
            store=MongoDrawingStore(stores.database),
            budget=research.budget,
            policy=CataloguePolicy(
                epsilon=round(settings.catalogue_epsilon * 1_000_000),
                period_seconds=settings.catalogue_days * DAY_SECONDS,
            ),
            clock=clock,
        ),
        candidates=candidates,
        tenant=stores.tenant,
        delta_exponent=DELTA_EXPONENT,
        audit=log,
        clock=clock,
    )
    keeper = ExportKeeper(
        tenant=stores.tenant,
        recipients=recipients,
        store=MongoExportStore(stores.database),
        clock=clock,
    )
    runs = RunJobs(
        store=MongoJobStore(stores.database),
        studies=research.studies,
        permits=research.permits,
        guard=research.board.guard,
        usage=research.board.usage,
        commits=results,
        exports=keeper,
        runner=research.runner,
        candidates=candidates,
        audit=log,
        sealer=sealer,
        clock=clock,
        alone=settings.index_uri is None,  # the lock on the data directory
    )
    handover = Handover(
        runs=runs,
        candidates=candidates,
        permits=research.permits,
        guard=research.board.guard,
        audit=log,
        clock=clock,
    )
    datasets = DatasetService(tenant=stores.tenant, handover=handover, recipients=recipients, clock=clock)
    exports = ExportService(handover=handover, keeper=keeper, erases=source.reading.manifests.erases)
    return Studying(candidates, catalogue, runs, datasets, exports)


def open_budget(
    settings: Settings, stores: Stores, log: AuditLog, reader: LogReader, *, clock: Callable[[], int]
) -> PrivacyBudget:
    """Return the custodian's budget, checked against the audit log. Raises PrivacyLedgerRolledBack."""
    policy = policy_of(settings)
    heads = LoggedHeads(
        log=log,
        search=LogSearch(reader, subjects=lambda: ()),
        ledger=policy.ledger,
        clock=clock,
    )
    budget = PrivacyBudget(store=MongoBudgetStore(stores.database), log=heads, policy=policy, clock=clock)
    try:
        noted, near = heads.newest()
    except EntryDamaged:
        budget.refuse()
        return budget
    head = budget.open(noted)
    if not near:  # so that the next start finds it soon
        heads.note(head)
    return budget


def policy_of(settings: Settings) -> BudgetPolicy:
    return BudgetPolicy(
        ledger=settings.tenant,
        epsilon=_millionths(settings.privacy_budget_epsilon),
        delta_exponent=DELTA_EXPONENT,
        period_seconds=settings.privacy_budget_days * DAY_SECONDS,
        study_epsilon=_millionths(settings.privacy_study_epsilon),
        researcher_epsilon=_millionths(settings.privacy_researcher_epsilon),
    )


def _millionths(epsilon: float) -> int:
    return round(epsilon * 1_000_000)
