"""Builds what tells others of what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.message_store import (
    MongoDeliveryStore,
    MongoEndpointStore,
    MongoRevocationNoticeStore,
)
from backend.adapters.webhook_sender import HttpSender
from backend.api.metrics import publish_late_acknowledgements, publish_messages
from backend.audit.log import AuditLog
from backend.audit.reader import LogReader
from backend.consent.evidence import EvidenceBook
from backend.identity.clients import Clients
from backend.notices.acknowledging import Acknowledgements
from backend.notices.delivering import Deliveries
from backend.notices.endpoints import Endpoints
from backend.notices.feed import Feed
from backend.notices.telling import Telling
from backend.sealed import DocumentSealer
from backend.settings import Settings
from backend.stores import Stores
from backend.types import MemberId

HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Messages:
    endpoints: Endpoints
    acknowledgements: Acknowledgements
    deliveries: Deliveries  # not started
    feed: Feed  # not started


def open_messages(
    settings: Settings,
    stores: Stores,
    *,
    clients: Clients,
    index: MongoConsentIndex,
    evidence: EvidenceBook,
    sealer: DocumentSealer,
    log: AuditLog,
    reader: LogReader,
    party_of: Callable[[MemberId], MemberId],
    clock: Callable[[], int],
) -> Messages:
    """Return the services; ``feed`` and ``deliveries`` are threads to start and to close."""
    sender = HttpSender(opened=settings.webhook_private_networks_opened)
    notices = MongoRevocationNoticeStore(stores.database)
    endpoints = Endpoints(
        store=MongoEndpointStore(stores.database),
        clients=clients,
        sender=sender,
        sealer=sealer,
        master=stores.keys.get_or_create("master", "webhooks").reveal(),
        audit=log,
        clock=clock,
    )
    deliveries = Deliveries(
        store=MongoDeliveryStore(stores.database),
        notices=notices,
        endpoints=endpoints,
        sender=sender,
        sealer=sealer,
        publish=publish_messages,
        clock=clock,
        give_up_seconds=settings.webhook_retry_hours * HOUR_SECONDS,
    )
    telling = Telling(
        tenant=stores.tenant,
        public_url=settings.public_url,
        evidence=evidence,
        reader=reader,
        endpoints=endpoints,
        deliveries=deliveries,
        notices=notices,
        acknowledge_seconds=settings.revocation_acknowledge_hours * HOUR_SECONDS,
        reminder_days=settings.reminder_day_numbers,
        party_of=party_of,
        clock=clock,
    )
    feed = Feed(
        log=log,
        reader=reader,
        telling=telling,
        notices=notices,
        subjects=lambda: {*index.subjects(), *index.asked_subjects()},
        publish_late=publish_late_acknowledgements,
        clock=clock,
    )
    return Messages(
        endpoints=endpoints,
        acknowledgements=Acknowledgements(notices=notices, audit=log, clock=clock),
        deliveries=deliveries,
        feed=feed,
    )
