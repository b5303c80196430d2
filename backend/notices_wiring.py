"""Builds what tells others of what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.contact_store import MongoContactStore
from backend.adapters.index.message_store import (
    MongoDeliveryStore,
    MongoEndpointStore,
    MongoRevocationNoticeStore,
)
from backend.adapters.webhook_sender import HttpSender
from backend.api.metrics import publish_late_acknowledgements, publish_mails, publish_messages
from backend.audit.log import AuditLog
from backend.audit.reader import LogReader
from backend.consent.evidence import EvidenceBook
from backend.consent.requests import RequestService
from backend.identity.clients import Clients
from backend.mail_wiring import open_mail
from backend.notices.acknowledging import Acknowledgements
from backend.notices.audience import Audience, Patients
from backend.notices.contact_book import ContactBook
from backend.notices.contacts import Contacts
from backend.notices.delivering import Deliveries
from backend.notices.endpoints import Endpoints
from backend.notices.feed import Feed
from backend.notices.mailing import Letterbox, MailChannel, Mailing, NoMail
from backend.notices.news import Newsroom
from backend.notices.noticing import Noticing
from backend.notices.ports import Dialect
from backend.notices.reminding import Reminding
from backend.notices.telling import Telling
from backend.notices.webhook_channel import WebhookChannel
from backend.sealed import DocumentSealer
from backend.settings import Settings
from backend.stores import Stores
from backend.token_keys import token_key
from backend.types import MemberId

HOUR_SECONDS = 3600


class Beside(Protocol):
    """Runs beside the requests, in threads of its own."""

    def start(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Messages:
    endpoints: Endpoints
    acknowledgements: Acknowledgements
    deliveries: Deliveries  # to webhooks
    contacts: Contacts
    beside: Sequence[Beside]  # not started


@dataclass(frozen=True, slots=True)
class _Mail:
    contacts: Contacts
    patients: Patients
    beside: Sequence[Beside]


def open_messages(
    settings: Settings,
    stores: Stores,
    *,
    clients: Clients,
    index: MongoConsentIndex,
    evidence: EvidenceBook,
    requests: RequestService,
    sealer: DocumentSealer,
    log: AuditLog,
    reader: LogReader,
    party_of: Callable[[MemberId], MemberId],
    dialect: Dialect,
    clock: Callable[[], int],
) -> Messages:
    """Return the services, and what is to be started and closed."""
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
        channel=WebhookChannel(endpoints=endpoints, sender=sender, notices=notices, clock=clock),
        sealer=sealer,
        publish=publish_messages,
        clock=clock,
        give_up_seconds=settings.webhook_retry_hours * HOUR_SECONDS,
    )
    mail = _open_mail(settings, stores, sealer=sealer, log=log, clock=clock)
    newsroom = Newsroom(settings.public_url)
    audience = Audience(
        tenant=stores.tenant,
        endpoints=endpoints,
        deliveries=deliveries,
        patients=mail.patients,
        party_of=party_of,
    )
    noticing = Noticing(
        reader=reader,
        notices=notices,
        newsroom=newsroom,
        audience=audience,
        party_of=party_of,
        acknowledge_seconds=settings.revocation_acknowledge_hours * HOUR_SECONDS,
        clock=clock,
    )
    feed = Feed(
        log=log,
        reader=reader,
        telling=Telling(
            tenant=stores.tenant,
            evidence=evidence,
            notices=notices,
            newsroom=newsroom,
            audience=audience,
            noticing=noticing,
            dialect=dialect,
            reminder_days=settings.reminder_day_numbers,
        ),
        reminding=Reminding(
            evidence=evidence,
            requests=requests,
            notices=notices,
            newsroom=newsroom,
            audience=audience,
            noticing=noticing,
            dialect=dialect,
            clock=clock,
        ),
        notices=notices,
        subjects=lambda: {*index.subjects(), *index.asked_subjects()},
        publish_late=publish_late_acknowledgements,
        clock=clock,
    )
    return Messages(
        endpoints=endpoints,
        acknowledgements=Acknowledgements(notices=notices, audit=log, clock=clock),
        deliveries=deliveries,
        contacts=mail.contacts,
        beside=(deliveries, *mail.beside, feed),
    )


def _open_mail(
    settings: Settings,
    stores: Stores,
    *,
    sealer: DocumentSealer,
    log: AuditLog,
    clock: Callable[[], int],
) -> _Mail:
    store = MongoContactStore(stores.database)
    key = token_key(stores.keys, "contacts")
    book = ContactBook(store=store, sealer=sealer, key=key, audit=log, clock=clock)
    post = open_mail(settings)
    if post is None:
        # Addresses of a time when mail was sent can still be seen and removed.
        return _Mail(Contacts(book=book, store=store, letterbox=None, clock=clock), NoMail(), ())
    sender, writer = post
    mails = Deliveries(
        store=MongoDeliveryStore(stores.database, "mails", keeps_bodies=False),
        channel=MailChannel(book=book, writer=writer, sender=sender, clock=clock),
        sealer=sealer,
        publish=publish_mails,
        clock=clock,
        give_up_seconds=settings.mail_retry_hours * HOUR_SECONDS,
    )
    letterbox = Letterbox(deliveries=mails, clock=clock)
    return _Mail(
        Contacts(book=book, store=store, letterbox=letterbox, clock=clock),
        Mailing(book=book, letterbox=letterbox),
        (mails,),
    )
