"""Builds what takes from the chain that others send: stops, and emergencies that were opened."""

from __future__ import annotations

from collections.abc import Callable

from backend.adapters.index.chain_positions import OPENINGS, STOPS, MongoChainPositions
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.recorded_openings import RecordedOpenings
from backend.adapters.ledger.recorded_stops import RecordedStops
from backend.adapters.ledger.sent_stops import SentStops
from backend.api.metrics import publish_emergency
from backend.audit.log import AuditLog
from backend.consent.emergencies import OpeningLog
from backend.consent.evidence_store import ConsentIndex
from backend.consent.recorded import RecordedReader, RecordedWatch
from backend.consent.revocations import RevocationService
from backend.consent.stop_watch import StopWatch
from backend.recurring import Recurring
from backend.settings import Settings
from backend.stores import Stores
from backend.types import BlockNumber, SubjectId


def watch_chain(
    settings: Settings,
    stores: Stores,
    *,
    log: AuditLog,
    index: ConsentIndex,
    revocations: RevocationService,
    is_enrolled: Callable[[SubjectId], bool],
) -> list[Recurring]:
    """Not started. An embedded chain has nobody else who sends."""
    if settings.ledger_url is None:
        return []
    registries = list(stores.deployment.places("ConsentRegistry"))
    emergencies = list(stores.deployment.places("EmergencyAccess"))
    sent = SentStops(
        chain=stores.chain,
        registries=[each.address for each in registries],
        own=[stores.relayer.address(sender) for sender in Sender],
    )
    stops = RecordedReader(
        blocks=RecordedStops(chain=stores.chain, registries=registries),
        positions=MongoChainPositions(stores.database, stores.keys, STOPS),
        ledger=stores.ledger,
        concerns=lambda stop: bool(index.of_subject(stop.subject)),
        take=revocations.take_recorded,
        first_block=BlockNumber(stores.deployment.made(registries[0]).block or 0),
        what="stops",
    )
    openings = OpeningLog(log=log, tenant=stores.tenant, is_enrolled=is_enrolled, publish=publish_emergency)
    opened = RecordedReader(
        blocks=RecordedOpenings(chain=stores.chain, contracts=emergencies),
        positions=MongoChainPositions(stores.database, stores.keys, OPENINGS),
        ledger=stores.ledger,
        concerns=openings.concerns,
        take=openings.take,
        first_block=BlockNumber(stores.deployment.made(emergencies[0]).block or 0),
        what="emergencies",
    )
    return [
        StopWatch(stops=sent, index=index, revocations=revocations),
        RecordedWatch(stops),
        RecordedWatch(opened),
    ]
