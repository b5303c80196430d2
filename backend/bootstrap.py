"""Builds the world: which adapter stands behind which port, and what runs beside the requests.

The only module, with ``stores``, that sees both the domain and the adapters.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from backend.abdm_wiring import open_abdm
from backend.adapters.data_directory import MIN_FREE_BYTES
from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.idempotency_marks import MongoMarks
from backend.adapters.index.notice_store import MongoNoticeStore
from backend.adapters.index.use_store import MongoUseStore
from backend.adapters.ledger.network import node_checks
from backend.adapters.ledger.public_node import PublicNode
from backend.adapters.storage.scratch import ScratchDirectory
from backend.api.cursors import Cursors
from backend.api.metrics import counted
from backend.api.prompt import PromptLog, PromptReading
from backend.api.services import Services
from backend.api.uploads import Uploads
from backend.audit.access import AccessList
from backend.audit.proof import ProofBuilder
from backend.audit.turned_away import TurnedAway
from backend.backup_wiring import require_backup
from backend.chain_wiring import watch_chain
from backend.consent.deciding import DecisionService
from backend.consent.decision_types import Requester
from backend.consent.drafting import Drafter
from backend.consent.enrolling import ActsFor, SubjectOpening
from backend.consent.evidence import EvidenceBook
from backend.consent.history import HistoryService
from backend.consent.notices import NoticeBook
from backend.consent.requests import RequestService
from backend.consent.restrictions import RestrictionQueue
from backend.consent.revocations import RevocationService
from backend.consent.service import ConsentService
from backend.consent.subject_commands import SubjectCommands
from backend.consent.tables import load_tables
from backend.erasure_wiring import open_erasure
from backend.idempotency import Idempotency
from backend.identity_wiring import address_limits, open_identity, open_purging
from backend.interop.consent_tokens.service import ConsentTokens
from backend.interop.receipts.parties import Custodian
from backend.log_wiring import open_log
from backend.member_wiring import open_members
from backend.money_wiring import open_money
from backend.notices_wiring import Beside, open_messages
from backend.operations.watching import Watching
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.paper_wiring import open_papers
from backend.recipient_wiring import open_recipients
from backend.records.label_loading import tables_digest, tables_with_map
from backend.records.overviews import OverviewService
from backend.records.previews import PreviewService
from backend.records_wiring import open_portability, open_records
from backend.recovery_wiring import open_recovery
from backend.research.candidates import CandidateSource
from backend.research_wiring import open_research, open_studying
from backend.review_wiring import open_review
from backend.rotations import end_rotations
from backend.sealed import DocumentSealer
from backend.settings import Settings
from backend.stores import Stores, open_stores
from backend.token_keys import token_key
from backend.types import QueuePosition


@dataclass(frozen=True, slots=True)
class World:
    """The running service without its HTTP server. ``close`` finishes what is under way, then anchors."""

    services: Services
    stores: Stores
    driver: Driver
    closing: ExitStack

    def close(self) -> None:
        self.closing.close()


def open_world(settings: Settings) -> World:
    """Open the stores, take up what a crash left, and start what runs beside the requests."""
    require_backup(settings)
    stores = open_stores(settings)
    closing = stores.closing
    try:
        return _open(settings, stores, closing)
    except BaseException:
        closing.close()
        raise


def _open(settings: Settings, stores: Stores, closing: ExitStack) -> World:
    end_rotations(stores)
    tables = load_tables()
    labels = tables_with_map(settings.label_map_file)
    sealer = DocumentSealer(stores.keys)
    domain, former = stores.ledger.domain, stores.ledger.all_former
    opened = open_log(settings, stores, closing, clock=clock)
    log, reader, checkpointer, anchorer = opened.log, opened.reader, opened.checkpointer, opened.anchorer

    outbox = Outbox(
        store=MongoActStore(stores.database, stores.keys), clock=clock, holder=secrets.token_hex(8)
    )
    driver = Driver(outbox)
    # Each restriction of the past has an entry in the log, so its size is above every position used before.
    restrictions = RestrictionQueue(start=QueuePosition(log.state.head()[0]))
    uses = MongoUseStore(stores.database, stores.keys)
    consent_index = MongoConsentIndex(stores.database)
    evidence = EvidenceBook(
        index=consent_index, ledger=stores.ledger, sealer=sealer, restrictions=restrictions, uses=uses
    )
    decisions = DecisionService(
        evidence=evidence,
        uses=uses,
        restrictions=restrictions,
        tables=tables_digest(tables, labels),
        clock=clock,
    )
    notices = NoticeBook(store=MongoNoticeStore(stores.database), audit=log, clock=clock)
    requests = RequestService(index=consent_index, sealer=sealer, audit=log, tables=tables, clock=clock)
    consents = ConsentService(
        index=consent_index,
        evidence=evidence,
        requests=requests,
        notices=notices,
        ledger=stores.ledger,
        relay=stores.ledger,
        sealer=sealer,
        restrictions=restrictions,
        outbox=outbox,
        driver=driver,
        audit=log,
        domain=domain,
        former=[each.domain for each in former],
        tables=tables,
        clock=clock,
    )
    revocations = RevocationService(
        index=consent_index,
        evidence=evidence,
        ledger=stores.ledger,
        relay=stores.ledger,
        sealer=sealer,
        restrictions=restrictions,
        outbox=outbox,
        driver=driver,
        audit=log,
        domain=domain,
        former=former,
        clock=clock,
    )
    drafter = Drafter(tables=tables, notices=notices)
    acts_for = ActsFor(index=consent_index, evidence=evidence, clock=clock)
    identity = open_identity(
        settings,
        stores,
        log=log,
        documents=sealer,
        commands=SubjectCommands(
            drafter=drafter,
            notices=notices,
            tables=tables,
            domain=domain,
            relay=stores.ledger,
            clock=clock,
        ),
        acts_for=acts_for,
        clock=clock,
    )
    open_subject = SubjectOpening(
        enrolments=identity.enrolments,
        index=consent_index,
        evidence=evidence,
        relay=stores.ledger,
        sealer=sealer,
        clock=clock,
    )
    recipients = open_recipients(
        stores, evidence=evidence, outbox=outbox, driver=driver, log=log, clock=clock
    )
    records = open_records(
        stores,
        sealer=sealer,
        restrictions=restrictions,
        evidence=evidence,
        decisions=decisions,
        recipients=recipients,
        domain=domain,
        outbox=outbox,
        driver=driver,
        log=log,
        record_numbers=identity.record_numbers_of,
        labels=labels,
        clock=clock,
    )
    accesses = AccessList(reader)
    review = open_review(
        stores,
        opened,
        evidence=evidence,
        manifests=records.manifests,
        tables=tables,
        digest=tables_digest(tables, labels),
        subjects=(identity.enrolments.subjects, consent_index.subjects, consent_index.asked_subjects),
    )
    members = open_members(
        stores,
        sealer=sealer,
        restrictions=restrictions,
        outbox=outbox,
        driver=driver,
        log=log,
        clock=clock,
    )
    money = open_money(
        stores, evidence=evidence, sealer=sealer, outbox=outbox, driver=driver, log=log, clock=clock
    )
    research = open_research(
        settings,
        stores,
        members=members.book,
        sealer=sealer,
        outbox=outbox,
        driver=driver,
        results=money.results,
        log=log,
        reader=reader,
        clock=clock,
    )
    studying = open_studying(
        settings,
        stores,
        research,
        results=money.results,
        source=CandidateSource(
            index=consent_index,
            evidence=evidence,
            decisions=decisions,
            reading=records.reading,
            tables=tables,
        ),
        recipients=recipients.keys,
        sealer=sealer,
        log=log,
        clock=clock,
    )
    history = HistoryService(index=consent_index, ledger=stores.ledger)
    abdm = open_abdm(
        stores,
        requests=requests,
        evidence=evidence,
        history=history,
        manifests=records.manifests,
        decisions=decisions,
        tables=tables,
        clock=clock,
    )
    messages = open_messages(
        settings,
        stores,
        clients=identity.clients,
        index=consent_index,
        evidence=evidence,
        requests=requests,
        sealer=sealer,
        log=log,
        reader=reader,
        party_of=members.care_teams.party_of,
        dialect=abdm,
        clock=clock,
    )
    papers = open_papers(
        stores,
        identity=identity,
        index=consent_index,
        evidence=evidence,
        consents=consents,
        revocations=revocations,
        drafter=drafter,
        tables=tables,
        sealer=sealer,
        outbox=outbox,
        log=log,
        domain=domain,
        clock=clock,
    )
    recovery = open_recovery(
        stores,
        identity=identity,
        index=consent_index,
        evidence=evidence,
        restrictions=restrictions,
        tables=tables,
        sealer=sealer,
        outbox=outbox,
        driver=driver,
        log=log,
        clock=clock,
    )
    erasure = open_erasure(
        settings,
        stores,
        manifests=records.manifests,
        slots=records.slots,
        evidence=evidence,
        sealer=sealer,
        forget=(messages.contacts.forget, lambda _: identity.enrolments.forget()),
        restrictions=restrictions,
        outbox=outbox,
        driver=driver,
        log=log,
        proofs=ProofBuilder(reader=reader, checkpointer=checkpointer),
        custodian=_custodian(settings, stores),
        tables=tables,
        study_of=research.studies.get,
        clock=clock,
    )
    # Before the first decision: what was accepted and is not final must count.
    for restricting in (revocations, consents, members.stops, recipients.patients, research.board):
        restricting.restore_restrictions()
    open_subject.complete_all()
    # The lock on the data directory and the log's lease: whoever held an act has ended, or is fenced off.
    driver.take_over()
    driver.start()
    closing.callback(driver.close)
    running: list[Beside] = [
        *(studying.draws, studying.runs, anchorer, opened.backups, members.watch, erasure.jobs),
        opened.merger,
        open_purging(settings, stores, clock=clock),
        *messages.beside,
        *([] if records.pin_repair is None else [records.pin_repair]),
        *watch_chain(
            settings,
            stores,
            log=log,
            index=consent_index,
            revocations=revocations,
            is_enrolled=identity.enrolments.is_enrolled,
        ),
    ]
    for beside in running:
        beside.start()
        closing.callback(beside.close)
    idempotency_key = stores.keys.get_or_create("master", "idempotency").reveal()
    turned_away = TurnedAway(log=log, clock=clock)
    closing.callback(turned_away.close)
    prompt_log = PromptLog(log)
    services = Services(
        tenant=stores.tenant,
        domain=domain,
        tables=tables,
        labels=labels,
        clock=clock,
        cursors=Cursors(token_key(stores.keys, "cursors")),
        idempotency_key=idempotency_key,
        identity=identity,
        open_subject=open_subject,
        acts_for=acts_for,
        node=PublicNode(stores.chain),
        idempotency=Idempotency(key=idempotency_key, marks=MongoMarks(stores.database), clock=clock),
        limits=address_limits(settings, clock=clock),
        admissions=members.admissions,
        member_stops=members.stops,
        member_book=members.book,
        care_teams=members.care_teams,
        evidence=evidence,
        requests=requests,
        drafter=drafter,
        notices=notices,
        consents=consents,
        revocations=revocations,
        papers=papers,
        recovery=recovery,
        patient_keys=recipients.patients,
        member_keys=recipients.members,
        history=history,
        decisions=decisions,
        consent_tokens=ConsentTokens(
            decisions=decisions, identity=identity, audit=log, tables=tables, clock=clock
        ),
        slots=records.slots,
        storing=records.storing,
        recipients=recipients.keys,
        end_to_end=records.end_to_end,
        mediation=records.mediation,
        portability=open_portability(
            stores, records, recipients=recipients.keys, signer=erasure.signer, log=log, clock=clock
        ),
        uploads=Uploads(
            scratch=ScratchDirectory(stores.directory.scratch, reserve_bytes=MIN_FREE_BYTES),
            limit_bytes=settings.max_attachment_bytes,
        ),
        reading=records.reading,
        prompt_log=prompt_log,
        prompt_reading=PromptReading(reading=records.reading, log=prompt_log),
        previews=PreviewService(manifests=records.manifests, decisions=decisions, accesses=accesses),
        overviews=OverviewService(
            manifests=records.manifests,
            decisions=decisions,
            reader_of=lambda grantee: members.care_teams.as_asked(Requester(actor=grantee)),
            categories=tables.categories.all_bits,
            access=tables.actions.mask(["access"]),
        ),
        studies=research.studies,
        board=research.board,
        candidates=studying.candidates,
        runner=research.runner,
        catalogue=studying.catalogue,
        runs=studying.runs,
        datasets=studying.datasets,
        exports=studying.exports,
        money=money,
        privacy_budget=research.budget,
        webhooks=messages.endpoints,
        deliveries=messages.deliveries,
        contacts=messages.contacts,
        acknowledgements=messages.acknowledgements,
        audit=log,
        turned_away=turned_away,
        accesses=accesses,
        log_search=review.search,
        breaches=review.breaches,
        audit_keys=review.keys,
        replayer=review.replayer,
        proofs=erasure.proofs,
        anchorer=anchorer,
        checkpointer=checkpointer,
        backups=opened.backups,
        log_keys=opened.keys,
        log_files=opened.files,
        cosigning=opened.cosigning,
        documents=erasure.signer,
        abdm=abdm.artefacts,
        abdm_notifications=abdm.notifications,
        custodian=erasure.custodian,
        erasure=erasure,
        watching=Watching(
            parts={**_checks(stores), "care teams": members.care_teams.check, "log": log.require_writable},
            chain=stores.ledger.view,
            blocks_on_demand=stores.settings.ledger_url is None,
            log=log,
            log_keys=opened.keys,
            anchorer=anchorer,
            outbox=outbox,
            deliveries=messages.deliveries,
            backups=opened.backups,
            members=members.book,
            pins=stores.blocks.pins,
            pin_repair=records.pin_repair,
            free_bytes=stores.directory.free_bytes,
            counted=counted,
            clock=clock,
        ),
    )
    return World(services=services, stores=stores, driver=driver, closing=closing)


def clock() -> int:
    """Unix seconds."""
    return int(time.time())


def _custodian(settings: Settings, stores: Stores) -> Custodian:
    url = settings.public_url.rstrip("/")
    return Custodian(
        member=stores.tenant,
        name=settings.custodian_name or settings.tenant,
        address=settings.custodian_address or url,
        contact=settings.custodian_contact or url,
        url=url,
        jurisdiction=settings.jurisdiction,
        storage_location=settings.storage_location or settings.jurisdiction,
    )


def _checks(stores: Stores) -> Mapping[str, Callable[[], None]]:
    def chain() -> None:
        stores.ledger.view()

    return {
        "ledger": chain,
        **node_checks(stores.chain),
        "index": stores.check_index,
        "blocks": stores.blocks.check,
        "disk": stores.directory.check_room,
    }
