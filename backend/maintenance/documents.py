"""Checks what the index holds beside records, consents and the log: that each document opens where it lies,
carries its mark, or has the name that is its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.blind import BlindIndex
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.contact_store import MongoContactStore
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.index.erasure_store import MongoHoldRows
from backend.adapters.index.failures import translated
from backend.adapters.index.identity_store import MongoClientStore, MongoStaffStore
from backend.adapters.index.member_names import SealedMemberNames
from backend.adapters.index.message_store import MongoDeliveryStore, MongoEndpointStore
from backend.adapters.index.notice_store import MongoNoticeStore
from backend.adapters.index.paper_store import MongoPaperStore
from backend.adapters.index.slot_store import MongoSlotIndex
from backend.adapters.index.study_store import MongoStudyStore
from backend.adapters.index.token_store import MongoFamilyStore, MongoSigningKeyStates
from backend.consent import service as consents
from backend.consent.paper_types import Paper
from backend.consent.requests import place_of as place_of_request
from backend.errors import AssentError, IntegrityError, Unavailable
from backend.identity.people import People
from backend.identity.seal import Sealer
from backend.keystore import SecretNotFound
from backend.maintenance.report import Report
from backend.notices.contact_book import place_of as place_of_contact
from backend.notices.delivering import place_of as place_of_message
from backend.notices.endpoints import place_of as place_of_endpoint
from backend.outbox.types import Act
from backend.records.slot_book import place_of as place_of_slots
from backend.records.slots import decode as decode_slots
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import Bytes32, MemberId, SubjectId

# What a malformed document raises when it is read into its type.
_MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
Check = Callable[[Any], None]  # takes an id


def check_documents(stores: Stores, report: Report) -> None:
    """Add to the report. Raises Unavailable errors only."""
    for collection, check in _Documents(stores).checks().items():
        with translated():
            names = [row["_id"] for row in stores.database[collection].find({}, {"_id": 1})]
        for name in names:
            report.counts["other documents"] += 1
            where = f"{collection} {name}"
            try:
                check(name)
            except Unavailable:
                raise
            except SecretNotFound:
                report.damaged("document_key_missing", where)
            except (AssentError, *_MALFORMED):
                report.damaged("document_damaged", where)


class _Documents:
    """Opens each kind of document from its id in the index."""

    def __init__(self, stores: Stores) -> None:
        self._database = stores.database
        self._keys = stores.keys
        self._documents = DocumentSealer(stores.keys)
        self._marks = Sealer(stores.keys)
        self._people = People(keys=stores.keys, documents=self._documents)
        self._blind = BlindIndex(stores.keys, "staff")
        self._states = MongoSigningKeyStates(stores.database)

    def checks(self) -> dict[str, Check]:
        """Return by name of collection what raises when the document with an id is not what was written."""
        database = self._database
        families, clients = MongoFamilyStore(database), MongoClientStore(database)
        studies, holds = MongoStudyStore(database), MongoHoldRows(database, self._keys)
        return {
            "staff": self._staff(MongoStaffStore(database, blind=self._blind, documents=self._documents)),
            "clients": lambda name: self._mark(clients.get(name)),
            "token_families": lambda name: self._mark(families.get(name)),
            "signing_keys": self._signing_key,
            "enrolments": self._enrolment(MongoEnrolmentStore(database)),
            "consent_requests": self._request(MongoConsentIndex(database)),
            "contacts": self._contact(MongoContactStore(database)),
            "webhooks": self._webhook(MongoEndpointStore(database)),
            "deliveries": self._message(MongoDeliveryStore(database), of_patients=False),
            "mails": self._message(
                MongoDeliveryStore(database, "mails", keeps_bodies=False), of_patients=True
            ),
            "member_names": self._member_name,
            "recipient_keys": self._public_key,
            "notices": self._notice(MongoNoticeStore(database)),
            "papers": self._paper(MongoPaperStore(database)),
            "studies": lambda name: _there(studies.get(_bytes32(name))),
            "acts": self._act(MongoActStore(database, self._keys)),
            "legal_holds": lambda name: _there(holds.get(name)),
            "key_slots": self._slots(MongoSlotIndex(database)),
        }

    def _mark(self, document: Any) -> None:
        self._marks.check(_there(document))

    def _staff(self, store: MongoStaffStore) -> Check:
        def check(name: str) -> None:
            account = _there(store.get(name))
            self._mark(account)
            if store.by_username(account.username) != account:
                raise IntegrityError

        return check

    def _signing_key(self, name: int) -> None:
        self._mark(next((state for state in self._states.all() if state.generation == name), None))

    def _enrolment(self, store: MongoEnrolmentStore) -> Check:
        def check(name: str) -> None:
            enrolment = _there(store.get(_subject(name)))
            self._mark(enrolment)
            self._people.open(enrolment.person, enrolment.subject_id)
            if enrolment.account is not None:
                self._people.open_claim(enrolment.claim_message, enrolment.subject_id)

        return check

    def _request(self, store: MongoConsentIndex) -> Check:
        def check(name: str) -> None:
            row = _there(store.request(_bytes32(name)))
            self._documents.open(row.sealed, subject=row.subject, place=place_of_request(row))

        return check

    def _contact(self, store: MongoContactStore) -> Check:
        def check(name: str) -> None:
            row = _there(store.get(_subject(name)))
            self._documents.open(row.sealed, subject=row.subject, place=place_of_contact(row.subject))

        return check

    def _webhook(self, store: MongoEndpointStore) -> Check:
        def check(name: str) -> None:
            self._documents.open(_there(store.get(name)), subject=None, place=place_of_endpoint(name))

        return check

    def _message(self, store: MongoDeliveryStore, *, of_patients: bool) -> Check:
        def check(name: str) -> None:
            message = _there(store.get(name))
            owner = _subject(message.receiver) if of_patients else None
            if message.sealed:  # a mail that is over has lost its text
                self._documents.open(message.sealed, subject=owner, place=place_of_message(name))

        return check

    def _member_name(self, name: str) -> None:
        SealedMemberNames(self._database, self._documents).of([MemberId(bytes.fromhex(name))])

    def _public_key(self, name: str) -> None:
        holder, _, digest = name.rpartition("/")
        with translated():
            row = _there(self._database["recipient_keys"].find_one({"_id": name}))
        if row["holder"] != holder or hashlib.sha256(row["key"]).hexdigest() != digest:
            raise IntegrityError

    def _notice(self, store: MongoNoticeStore) -> Check:
        def check(name: str) -> None:
            row = _there(store.get(_bytes32(name)))
            if row.notice.hash != row.name:
                raise IntegrityError

        return check

    def _paper(self, store: MongoPaperStore) -> Check:
        def check(name: str) -> None:
            row = _there(store.get(name))
            opened = self._documents.open(row.sealed, subject=row.subject, place=f"papers/{name}")
            paper = Paper.decode(opened, paper_id=name, revision=row.revision)
            self._documents.open(_there(store.scan(name)), subject=row.subject, place=f"papers/{name}/scan")
            if (paper.state.value, paper.consent_id) != (row.state, row.consent):
                raise IntegrityError

        return check

    def _slots(self, store: MongoSlotIndex) -> Check:
        def check(name: str) -> None:
            row = _there(store.find(name))
            decode_slots(self._documents.open(row.sealed, subject=row.subject, place=place_of_slots(name)))

        return check

    def _act(self, store: MongoActStore) -> Check:
        def check(name: str) -> None:
            kind, _, act_id = name.partition(":")
            act = _there(store.get(kind, act_id))
            if (act.kind, act.act_id) != (kind, act_id):
                raise IntegrityError
            if kind == consents.ACT:
                self._documents.open(act.data["sealed"], subject=_owner(act), place=f"consents/{act_id}")

        return check


def _there(found: Any) -> Any:
    """Return what was found; a document whose id reads as another one's is not."""
    if found is None:
        raise IntegrityError
    return found


def _owner(act: Act) -> SubjectId:
    return _subject(act.data["subject"])


def _subject(name: str) -> SubjectId:
    return SubjectId(int(name, 16))


def _bytes32(name: str) -> Any:
    return Bytes32(bytes.fromhex(name))
