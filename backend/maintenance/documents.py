"""Checks what the index holds beside records, consents and the log: that each document opens where it lies,
carries its mark, or has the name that is its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.blind import BlindIndex
from backend.adapters.index.board_store import MongoCaseStore, MongoDocumentStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.contact_store import MongoContactStore
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.index.erasure_store import MongoHoldRows
from backend.adapters.index.failures import MALFORMED, translated
from backend.adapters.index.identity_store import MongoStaffStore
from backend.adapters.index.marked import marked_collections
from backend.adapters.index.message_store import MongoDeliveryStore
from backend.adapters.index.notice_store import MongoNoticeStore
from backend.adapters.index.paper_store import MongoPaperStore
from backend.adapters.index.recovery_store import MongoRecoveryCases, MongoRecoveryPolicies
from backend.adapters.index.sealed_fields import fields_by_collection
from backend.adapters.index.slot_store import MongoSlotIndex
from backend.adapters.index.study_store import MongoStudyStore
from backend.consent.paper_types import Paper
from backend.consent.paper_types import place_of as place_of_paper
from backend.errors import AssentError, IntegrityError, Unavailable
from backend.keystore import SecretNotFound
from backend.maintenance.report import Report
from backend.records.slot_book import place_of as place_of_slots
from backend.records.slots import decode as decode_slots
from backend.recovery.books import CaseBook, PolicyBook
from backend.research.board.case_book import place_of as place_of_case
from backend.research.board.case_json import decode_case
from backend.research.board.documents import place_of as place_of_document
from backend.research.types import StudyId
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import Bytes32, SubjectId

# Looked at with what the chain says of them.
_ELSEWHERE: Final = frozenset({"records", "consents", "care_teams", "care_team_lists", "erasures"})
Check = Callable[[Any], None]  # takes an id


def check_documents(stores: Stores, report: Report) -> None:
    """Add to the report. Raises Unavailable errors only."""
    documents = _Documents(stores)
    for collection in documents.collections():
        with translated():
            names = [row["_id"] for row in stores.database[collection].find({}, {"_id": 1})]
        for name in names:
            report.counts["other documents"] += 1
            damage = documents.damage(collection, name)
            if damage:
                report.damaged(damage, f"{collection} {name}")


class _Documents:
    """Reads each kind of document by its id: its mark, what is sealed in it, and what it says."""

    def __init__(self, stores: Stores) -> None:
        self._database = stores.database
        self._keys = stores.keys
        self._documents = DocumentSealer(stores.keys)
        self._marks = marked_collections(stores.keys)
        self._fields = fields_by_collection()
        self._checks = self._by_collection()

    def collections(self) -> Sequence[str]:
        return sorted({*self._marks, *self._fields, *self._checks} - _ELSEWHERE)

    def damage(self, collection: str, name: Any) -> str:
        """Return what is wrong with the document, or nothing.

        A running service removes and replaces documents while they are read: one that is gone is no damage,
        and one that changed meanwhile is read again.
        """
        before = None
        while found := self._damage(collection, name):
            row = self._row(collection, name)
            if row is None:
                return ""
            if row == before:
                return found
            before = row
        return ""

    def _damage(self, collection: str, name: Any) -> str:
        try:
            self.check(collection, name)
        except Unavailable:
            raise
        except SecretNotFound:
            return "document_key_missing"
        except (AssentError, *MALFORMED):
            return "document_damaged"
        return ""

    def _row(self, collection: str, name: Any) -> Any:
        with translated():
            return self._database[collection].find_one({"_id": name})

    def check(self, collection: str, name: Any) -> None:
        """Raise when the document is not what was written."""
        document = _there(self._row(collection, name))
        if collection in self._marks:
            self._marks[collection].require(document)
        for field in self._fields.get(collection, ()):
            found = field.found(document, self._keys) if field.is_of(document) else None
            if found is not None:
                self._documents.open(
                    found.document, subject=found.subject, place=found.place, share=found.share
                )
        if collection in self._checks:
            self._checks[collection](name)

    def _by_collection(self) -> dict[str, Check]:
        """What more is to be read of some, by name of collection."""
        database = self._database
        studies, acts = MongoStudyStore(database), MongoActStore(database, self._keys)
        holds, slots = MongoHoldRows(database, self._keys), MongoSlotIndex(database)
        enrolments, contacts = MongoEnrolmentStore(database), MongoContactStore(database)
        deliveries, mails = (
            MongoDeliveryStore(database),
            MongoDeliveryStore(database, "mails", keeps_bodies=False),
        )
        blind = BlindIndex(self._keys, "staff")
        return {
            "staff": self._staff(MongoStaffStore(database, blind=blind, documents=self._documents)),
            "enrolments": lambda name: _there(enrolments.get(_subject(name))),
            "consent_requests": lambda name: _there(MongoConsentIndex(database).request(_bytes32(name))),
            "contacts": lambda name: _there(contacts.get(_subject(name))),
            "deliveries": lambda name: _there(deliveries.get(name)),
            "mails": lambda name: _there(mails.get(name)),
            "recipient_keys": self._public_key,
            "notices": self._notice(MongoNoticeStore(database)),
            "papers": self._paper(MongoPaperStore(database)),
            "recovery_policies": self._recovery_policy(MongoRecoveryPolicies(database)),
            "recovery_cases": self._recovery_case(MongoRecoveryCases(database)),
            "studies": lambda name: _there(studies.get(_bytes32(name))),
            "board_cases": self._board_case(MongoCaseStore(database)),
            "study_documents": self._study_document(MongoDocumentStore(database)),
            "acts": self._act(acts),
            "legal_holds": lambda name: _there(holds.get(name)),
            "key_slots": self._slots(slots),
        }

    def _staff(self, store: MongoStaffStore) -> Check:
        def check(name: str) -> None:
            account = _there(store.get(name))
            if store.by_username(account.username) != account:
                raise IntegrityError

        return check

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
            opened = self._documents.open(row.sealed, subject=row.subject, place=place_of_paper(name))
            paper = Paper.decode(opened, paper_id=name, revision=row.revision)
            if (paper.state.value, paper.consent_id) != (row.state, row.consent):
                raise IntegrityError

        return check

    def _recovery_policy(self, store: MongoRecoveryPolicies) -> Check:
        book = PolicyBook(store, self._documents)

        def check(name: str) -> None:
            row = _there(store.get(_bytes32(name)))
            book.open(row.name, row.subject)

        return check

    def _recovery_case(self, store: MongoRecoveryCases) -> Check:
        book = CaseBook(store, self._documents)
        return lambda name: _there(book.opened(_there(store.get(name))))

    def _slots(self, store: MongoSlotIndex) -> Check:
        def check(name: str) -> None:
            row = _there(store.find(name))
            decode_slots(self._documents.open(row.sealed, subject=row.subject, place=place_of_slots(name)))

        return check

    def _board_case(self, store: MongoCaseStore) -> Check:
        def check(name: str) -> None:
            row = _there(store.get(StudyId(_bytes32(name))))
            opened = self._documents.open(row.sealed, subject=None, place=place_of_case(row.study))
            decode_case(opened, study=row.study, version=row.version)

        return check

    def _study_document(self, store: MongoDocumentStore) -> Check:
        def check(name: str) -> None:
            study, _, digest = name.partition("/")
            row = _there(store.get(StudyId(_bytes32(study)), _bytes32(digest)))
            place = place_of_document(row.study, row.sha256)
            opened = self._documents.open(row.sealed, subject=None, place=place)
            if hashlib.sha256(opened).digest() != row.sha256:
                raise IntegrityError

        return check

    def _act(self, store: MongoActStore) -> Check:
        def check(name: str) -> None:
            kind, _, act_id = name.partition(":")
            act = _there(store.get(kind, act_id))
            if (act.kind, act.act_id) != (kind, act_id):
                raise IntegrityError

        return check


def _there(found: Any) -> Any:
    """Return what was found; a document whose id reads as another one's is not."""
    if found is None:
        raise IntegrityError
    return found


def _subject(name: str) -> SubjectId:
    return SubjectId(int(name, 16))


def _bytes32(name: str) -> Any:
    return Bytes32(bytes.fromhex(name))
