"""What the routers may use. ``bootstrap`` builds it; nothing here knows an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from backend.api.cursors import Cursors
from backend.api.limits import AddressLimits
from backend.api.prompt import PromptLog, PromptReading
from backend.api.uploads import Uploads
from backend.audit.access import AccessList
from backend.audit.anchorer import Anchorer
from backend.audit.checkpointer import Checkpointer
from backend.audit.cosigning import Cosigning
from backend.audit.epochs import AuditKeyRotation
from backend.audit.log import AuditLog
from backend.audit.log_keys import LogKeyRing
from backend.audit.proof import ProofBuilder
from backend.audit.publishing import LogFiles
from backend.audit.search import LogSearch
from backend.audit.turned_away import TurnedAway
from backend.consent.care_teams import CareTeams
from backend.consent.chain_node import ChainNode
from backend.consent.deciding import DecisionService
from backend.consent.drafting import Drafter
from backend.consent.enrolling import ActsFor, SubjectOpening
from backend.consent.evidence import EvidenceBook
from backend.consent.history import HistoryService
from backend.consent.member_admissions import MemberAdmissions
from backend.consent.member_book import MemberBook
from backend.consent.member_stops import MemberStops
from backend.consent.notices import NoticeBook
from backend.consent.papers import PaperConsents
from backend.consent.requests import RequestService
from backend.consent.revocations import RevocationService
from backend.consent.service import ConsentService
from backend.consent.tables import Tables
from backend.consent.typed_data import Domain
from backend.erasure.services import ErasureServices
from backend.idempotency import Idempotency
from backend.identity.services import Identity
from backend.interop.abdm.notifying import AbdmNotifications
from backend.interop.abdm.service import AbdmArtefacts
from backend.interop.consent_tokens.service import ConsentTokens
from backend.interop.portability.exporting import Portability
from backend.interop.receipts.parties import Custodian
from backend.interop.receipts.signing import DocumentSigner
from backend.notices.acknowledging import Acknowledgements
from backend.notices.contacts import Contacts
from backend.notices.delivering import Deliveries
from backend.notices.endpoints import Endpoints
from backend.operations.watching import Watching
from backend.records.affected import BreachSearch
from backend.records.end_to_end import EndToEnd
from backend.records.label_tables import LabelTables
from backend.records.mediation import Mediation
from backend.records.member_keys import MemberKeys
from backend.records.overviews import OverviewService
from backend.records.patient_keys import PatientKeys
from backend.records.ports import RecipientKeys
from backend.records.previews import PreviewService
from backend.records.reading import ReadingService
from backend.records.replaying import Replayer
from backend.records.slot_book import SlotBook
from backend.records.storing import StoringService
from backend.recovery.service import RecoveryService
from backend.research.board.service import EthicsBoard
from backend.research.budget import PrivacyBudget
from backend.research.candidates import CandidateSource
from backend.research.catalogue.service import CatalogueService
from backend.research.datasets.service import DatasetService
from backend.research.exports.service import ExportService
from backend.research.jobs.driver import RunJobs
from backend.research.money.services import MoneyServices
from backend.research.run import StudyRunner
from backend.research.service import StudyService
from backend.types import MemberId


class Backups(Protocol):
    """Backups of the running service. Both raise Conflict where none are configured."""

    def make(self) -> None:
        """Begin a new one, which goes on beside the requests."""

    def status(self) -> dict[str, Any]:
        """Return the fields of ``api.backups.BackupView``, and what ``operations`` watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a request may need, built once."""

    tenant: MemberId
    domain: Domain
    tables: Tables
    labels: LabelTables
    clock: Callable[[], int]
    cursors: Cursors
    idempotency_key: bytes  # turns a caller and its idempotency key into a record's id
    idempotency: Idempotency
    limits: AddressLimits
    identity: Identity
    open_subject: SubjectOpening
    acts_for: ActsFor
    node: ChainNode
    admissions: MemberAdmissions
    member_stops: MemberStops
    member_book: MemberBook
    care_teams: CareTeams
    evidence: EvidenceBook
    requests: RequestService
    drafter: Drafter
    notices: NoticeBook
    consents: ConsentService
    revocations: RevocationService
    papers: PaperConsents
    recovery: RecoveryService
    patient_keys: PatientKeys
    member_keys: MemberKeys
    history: HistoryService
    decisions: DecisionService
    consent_tokens: ConsentTokens
    slots: SlotBook
    storing: StoringService
    recipients: RecipientKeys
    end_to_end: EndToEnd
    mediation: Mediation
    portability: Portability
    uploads: Uploads
    reading: ReadingService
    prompt_log: PromptLog
    prompt_reading: PromptReading
    previews: PreviewService
    overviews: OverviewService
    studies: StudyService
    board: EthicsBoard
    candidates: CandidateSource
    runner: StudyRunner
    catalogue: CatalogueService
    runs: RunJobs
    datasets: DatasetService
    exports: ExportService
    money: MoneyServices
    privacy_budget: PrivacyBudget
    webhooks: Endpoints
    deliveries: Deliveries
    contacts: Contacts
    acknowledgements: Acknowledgements
    audit: AuditLog
    turned_away: TurnedAway
    accesses: AccessList
    log_search: LogSearch
    breaches: BreachSearch
    audit_keys: AuditKeyRotation
    replayer: Replayer
    proofs: ProofBuilder
    anchorer: Anchorer
    checkpointer: Checkpointer
    backups: Backups
    documents: DocumentSigner
    abdm: AbdmArtefacts
    abdm_notifications: AbdmNotifications
    custodian: Custodian
    erasure: ErasureServices
    log_keys: LogKeyRing
    log_files: LogFiles
    cosigning: Cosigning
    watching: Watching
