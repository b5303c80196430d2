"""Builds the parts of research on their stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from backend.adapters.index.board_store import MongoCaseStore, MongoDocumentStore, MongoRunStore
from backend.adapters.index.catalogue_store import MongoDrawingStore, MongoTurnStore
from backend.adapters.index.export_store import MongoExportStore
from backend.adapters.index.job_store import MongoJobStore
from backend.adapters.index.joining_store import MongoJoinStore
from backend.adapters.index.member_names import SealedMemberNames
from backend.adapters.index.money_store import MongoShareStore
from backend.adapters.index.release_store import MongoReleaseStore
from backend.adapters.index.research_store import (
    MongoAnswerStore,
    MongoBudgetStore,
    MongoThresholdStore,
    MongoUseStore,
)
from backend.adapters.index.stop_store import MongoStopStore
from backend.adapters.index.study_store import MongoStudyStore
from backend.adapters.keys.study_keys import StoredStudyKeys
from backend.adapters.ledger.permits import LedgerPermits
from backend.api.metrics import publish_catalogue
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
from backend.research.catalogue.draws import CatalogueDraws
from backend.research.catalogue.offers import load_catalogue
from backend.research.catalogue.service import CatalogueService
from backend.research.datasets.service import DatasetService
from backend.research.exports.keeping import ExportKeeper
from backend.research.exports.service import ExportService
from backend.research.handover import Handover
from backend.research.jobs.driver import RunJobs
from backend.research.jobs.releasing import Releasing
from backend.research.joining import Joining
from backend.research.logged_draws import LoggedDraws
from backend.research.logged_heads import (
    JOINING_HEADS,
    PRIVACY_HEADS,
    RELEASE_HEADS,
    H,
    HeadKind,
    LoggedHeads,
)
from backend.research.money.earning import EarningUses
from backend.research.money.results import Results
from backend.research.paid_draws import PaidDraws
from backend.research.policy import BudgetPolicy
from backend.research.releases.ledger import ReleaseLedger
from backend.research.run import StudyRunner
from backend.research.service import StudyService
from backend.research.standing_lists import StandingLists
from backend.research.types import ChainHead
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
    draws: PaidDraws


@dataclass(frozen=True, slots=True)
class Studying:
    candidates: CandidateSource
    catalogue: CatalogueService
    draws: CatalogueDraws
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
    results: Results,
    log: AuditLog,
    reader: LogReader,
    clock: Callable[[], int],
) -> Research:
    """Return research's services, whose steps the outbox then knows. Raises PrivacyLedgerRolledBack and what
    ``open_releases`` and ``open_joining`` raise."""
    ledger = LedgerPermits(chain=stores.chain, studies=stores.studies, clock=clock)
    stops = StudyStops(MongoStopStore(stores.database))
    permits = StoppablePermits(ledger, stops)
    given = MongoThresholdStore(stores.database)
    lists = StandingLists(studies=MongoStudyStore(stores.database), given=given, clock=clock)
    uses = EarningUses(
        uses=MongoUseStore(stores.database), shares=MongoShareStore(stores.database, stores.keys)
    )
    budget = open_budget(settings, stores, log, reader, clock=clock)
    search = LogSearch(reader, subjects=lambda: ())
    draws = PaidDraws(budget=budget, log=LoggedDraws(log=log, search=search, clock=clock))
    releases = open_releases(settings, stores, log, reader, clock=clock)
    studies = StudyService(
        studies=MongoStudyStore(stores.database),
        permits=permits,
        uses=uses,
        policy=budget.policy,
        clock=clock,
    )
    runner = StudyRunner(
        permits=permits,
        keys=StoredStudyKeys(stores.keys),
        budget=budget,
        draws=draws,
        answers=MongoAnswerStore(stores.database),
        thresholds=given,
        lists=lists,
        uses=uses,
        results=results,
        releases=releases,
        versions_before=studies.versions_before,
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
        preparation=BoardPreparation(book=book, documents=documents, lists=lists, roll=roll, clock=clock),
        acts=acts,
        decisions=BoardDecisions(
            book=book,
            studies=studies,
            documents=documents,
            lists=lists,
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
            spent=budget.spent_over,
            versions_before=studies.versions_before,
            policy=budget.policy,
        ),
        domain=domain,
    )
    return Research(studies, board, permits, runner, budget, draws)


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

    ``source`` is given the catalogue's views. ``start`` the draws and the runs, ``close`` both at the end.
    """
    offered = load_catalogue(settings.catalogue_directory, source.tables)
    candidates = replace(source, views=offered.views)
    alone = settings.index_uri is None  # the lock on the data directory
    drawer = CatalogueDrawer(
        catalogue=offered,
        store=MongoDrawingStore(stores.database),
        budget=research.budget,
        draws=research.draws,
        policy=CataloguePolicy(
            epsilon=round(settings.catalogue_epsilon * 1_000_000),
            period_seconds=settings.catalogue_days * DAY_SECONDS,
        ),
        clock=clock,
    )
    draws = CatalogueDraws(
        drawer=drawer,
        turns=MongoTurnStore(stores.database),
        candidates=candidates,
        tenant=stores.tenant,
        audit=log,
        clock=clock,
        alone=alone,
        publish=publish_catalogue,
    )
    catalogue = CatalogueService(catalogue=offered, drawer=drawer, draws=draws, delta_exponent=DELTA_EXPONENT)
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
        releasing=Releasing(commits=results, usage=research.board.usage, audit=log, clock=clock),
        exports=keeper,
        runner=research.runner,
        candidates=candidates,
        sealer=sealer,
        clock=clock,
        alone=alone,
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
    return Studying(candidates, catalogue, draws, runs, datasets, exports)


def open_budget(
    settings: Settings, stores: Stores, log: AuditLog, reader: LogReader, *, clock: Callable[[], int]
) -> PrivacyBudget:
    """Return the custodian's budget, checked against the audit log. Raises PrivacyLedgerRolledBack and what
    ``open_joining`` raises."""
    policy = policy_of(settings)
    heads = _heads(PRIVACY_HEADS, settings, log, reader, clock=clock)
    budget = PrivacyBudget(
        store=MongoBudgetStore(stores.database),
        joining=open_joining(settings, stores, log, reader, clock=clock),
        log=heads,
        policy=policy,
        clock=clock,
    )
    try:
        noted, near = heads.newest()
    except EntryDamaged:
        budget.refuse()
        return budget
    head = budget.open(noted)
    if not near:  # so that the next start finds it soon
        heads.note(head)
    return budget


def open_joining(
    settings: Settings, stores: Stores, log: AuditLog, reader: LogReader, *, clock: Callable[[], int]
) -> Joining:
    """Return who takes part since when, checked against the audit log. Raises PrivacyMarksRolledBack,
    PrivacyMarksDamaged."""
    heads = _heads(JOINING_HEADS, settings, log, reader, clock=clock)
    store = MongoJoinStore(stores.database, stores.keys)
    joining = Joining(store=store, log=heads, ledger=settings.tenant, clock=clock)
    _open_chain(joining, heads)
    return joining


def open_releases(
    settings: Settings, stores: Stores, log: AuditLog, reader: LogReader, *, clock: Callable[[], int]
) -> ReleaseLedger:
    """Return the release ledger, checked against the audit log. Raises ReleaseLedgerRolledBack,
    ReleaseLedgerDamaged."""
    heads = _heads(RELEASE_HEADS, settings, log, reader, clock=clock)
    releases = ReleaseLedger(
        store=MongoReleaseStore(stores.database, stores.keys),
        log=heads,
        keys=StoredStudyKeys(stores.keys),
        ledger=settings.tenant,
        clock=clock,
    )
    _open_chain(releases, heads)
    return releases


class _Chained(Protocol):
    def open(self, noted: ChainHead | None) -> ChainHead: ...


def _open_chain(chained: _Chained, heads: LoggedHeads[ChainHead]) -> None:
    """Raises EntryDamaged where the log cannot tell its newest head, and what the chain raises."""
    noted, near = heads.newest()
    head = chained.open(noted)
    if not near:  # so that the next start finds it soon
        heads.note(head)


def _heads(
    kind: HeadKind[H], settings: Settings, log: AuditLog, reader: LogReader, *, clock: Callable[[], int]
) -> LoggedHeads[H]:
    search = LogSearch(reader, subjects=lambda: ())
    return LoggedHeads(kind, log=log, search=search, ledger=settings.tenant, clock=clock)


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
