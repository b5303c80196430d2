"""Signed consents and requests in MongoDB; the documents themselves are sealed before they get here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, sorted_out, translated
from backend.adapters.index.order import newest_first
from backend.adapters.index.values import text_values
from backend.consent.evidence_store import ConsentRow, RequestRow
from backend.consent.states import State
from backend.types import Address, BlockNumber, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds


class MongoConsentIndex:
    """Implements ``backend.consent.evidence_store.ConsentIndex``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._consents = database["consents"]
        self._requests = database["consent_requests"]
        self._blocks = database["requester_blocks"]
        with translated():
            # Of one member: the embedded index does not use the beginning of a compound index.
            self._consents.create_index([("subject", ASCENDING)])
            self._consents.create_index([("delegate", ASCENDING)])
            self._requests.create_index([("subject", ASCENDING), ("created_at", DESCENDING)])
            self._requests.create_index([("requester", ASCENDING), ("created_at", DESCENDING)])
            # One open request for a requester, subject and purpose: 'open' is a constant while it is open and
            # the request's own id afterwards.
            self._requests.create_index([("slot", ASCENDING)], unique=True)
            self._blocks.create_index([("subject", ASCENDING), ("at", ASCENDING)])

    def put(self, row: ConsentRow) -> None:
        document = {
            "_id": row.consent_id.hex(),
            "subject": _subject(row.subject),
            "sealed": row.sealed,
            "received_at": row.received_at,
            "delegate": None if row.delegate is None else row.delegate.lower(),
            "block": row.block,
            "transaction": row.transaction,
        }
        with translated():
            try:
                self._consents.insert_one(document)
            except DuplicateKeyError:
                return

    def set_receipt(self, consent_id: ConsentId, *, block: BlockNumber, transaction: Bytes32) -> None:
        with translated():
            self._consents.update_one(
                {"_id": consent_id.hex()},
                {"$set": {"block": block, "transaction": bytes(transaction)}},
            )

    def get(self, consent_id: ConsentId) -> ConsentRow | None:
        with translated():
            found = self._consents.find_one({"_id": consent_id.hex()})
        return _consent(found) if found else None

    def of_subject(self, subject: SubjectId) -> list[ConsentRow]:
        with translated():
            found = self._consents.find({"subject": _subject(subject)}).sort("received_at", ASCENDING)
            return [_consent(document) for document in found]

    def delegated_to(self, account: Address) -> Sequence[SubjectId]:
        with translated():
            found = self._consents.find({"delegate": account.lower()})
            return sorted({SubjectId(int(document["subject"], 16)) for document in found})

    def sorted_out(self) -> tuple[list[ConsentRow], list[str]]:
        """Return all consents by id, and the ids of those that cannot be read."""
        with translated():
            return sorted_out(_consent, self._consents.find({}).sort("_id", ASCENDING))

    def everything(self) -> Iterator[ConsentRow]:
        """Yield all consents, a page at a time: together they may be larger than memory."""
        with translated():
            yield from map(_consent, self._consents.find({}).sort("_id", ASCENDING))

    def subjects(self) -> Sequence[SubjectId]:
        with translated():
            return [SubjectId(int(subject, 16)) for subject in text_values(self._consents, "subject")]

    def put_request(self, row: RequestRow) -> bool:
        document = {
            "_id": row.request_id.hex(),
            "subject": _subject(row.subject),
            "requester": row.requester.hex(),
            "purposes": f"{row.purposes:016x}",
            "sealed": row.sealed,
            "created_at": row.created_at,
            "lapses_at": row.lapses_at,
            "state": row.state,
            "consent_id": None,
            "slot": f"open/{_subject(row.subject)}/{row.requester.hex()}/{row.purposes:016x}",
        }
        with translated():
            self._close_lapsed(document["slot"], now=row.created_at)
            try:
                self._requests.insert_one(document)
            except DuplicateKeyError:
                return False
            return True

    def request(self, request_id: Bytes32) -> RequestRow | None:
        with translated():
            found = self._requests.find_one({"_id": request_id.hex()})
        return request_of(found) if found else None

    def answer_request(self, request_id: Bytes32, *, state: str, consent_id: ConsentId) -> None:
        with translated():
            self._requests.update_one(
                {"_id": request_id.hex()},
                {"$set": {"state": state, "consent_id": consent_id.hex(), "slot": request_id.hex()}},
            )

    def open_requests(
        self, subject: SubjectId, requester: MemberId, *, now: UnixSeconds
    ) -> Sequence[RequestRow]:
        query = {
            "subject": _subject(subject),
            "requester": requester.hex(),
            "state": "requested",
            "lapses_at": {"$gt": now},
        }
        with translated():
            return [request_of(document) for document in self._requests.find(query)]

    def requests_of(
        self,
        *,
        subject: SubjectId | None,
        requester: MemberId | None,
        limit: int,
        but_open_from: Collection[MemberId] = (),
    ) -> list[RequestRow]:
        query: dict[str, Any] = {}
        if but_open_from:
            unwanted = [member.hex() for member in but_open_from]
            query["$or"] = [{"requester": {"$nin": unwanted}}, {"state": {"$ne": "requested"}}]
        if subject is not None:
            query["subject"] = _subject(subject)
        if requester is not None:
            query["requester"] = requester.hex()
        with translated():
            found = self._requests.find(query).sort(newest_first("created_at")).limit(limit)
            return [request_of(document) for document in found]

    def asked_subjects(self) -> Sequence[SubjectId]:
        with translated():
            return [SubjectId(int(subject, 16)) for subject in text_values(self._requests, "subject")]

    def block(self, subject: SubjectId, requester: MemberId, *, at: UnixSeconds) -> bool:
        document = {
            "_id": _block(subject, requester),
            "subject": _subject(subject),
            "requester": requester.hex(),
            "at": at,
        }
        with translated():
            try:
                self._blocks.insert_one(document)
            except DuplicateKeyError:
                return False
            return True

    def unblock(self, subject: SubjectId, requester: MemberId) -> bool:
        with translated():
            return self._blocks.delete_one({"_id": _block(subject, requester)}).deleted_count == 1

    def blocked(self, subject: SubjectId) -> Sequence[tuple[MemberId, UnixSeconds]]:
        with translated():
            found = self._blocks.find({"subject": _subject(subject)}).sort("at", ASCENDING)
            return [
                (MemberId(bytes.fromhex(document["requester"])), UnixSeconds(document["at"]))
                for document in found
            ]

    def _close_lapsed(self, slot: object, *, now: int) -> None:
        found = self._requests.find_one({"slot": slot})
        if found is not None and found["lapses_at"] <= now:
            self._requests.update_one({"_id": found["_id"], "slot": slot}, {"$set": {"slot": found["_id"]}})


def _block(subject: SubjectId, requester: MemberId) -> str:
    return f"{_subject(subject)}/{requester.hex()}"


def _subject(subject: SubjectId) -> str:
    return f"{subject:024x}"


@parser
def _consent(document: Mapping[str, Any]) -> ConsentRow:
    transaction = document["transaction"]
    return ConsentRow(
        consent_id=ConsentId(bytes.fromhex(document["_id"])),
        subject=SubjectId(int(document["subject"], 16)),
        sealed=document["sealed"],
        received_at=UnixSeconds(document["received_at"]),
        delegate=None if document["delegate"] is None else Address(document["delegate"]),
        block=BlockNumber(document["block"]) if document["block"] is not None else None,
        transaction=Bytes32(transaction) if transaction is not None else None,
    )


@parser
def request_of(document: Mapping[str, Any]) -> RequestRow:
    """Read a row of requests. Raises DocumentMalformed."""
    consent_id = document["consent_id"]
    return RequestRow(
        request_id=Bytes32(bytes.fromhex(document["_id"])),
        subject=SubjectId(int(document["subject"], 16)),
        requester=MemberId(bytes.fromhex(document["requester"])),
        purposes=int(document["purposes"], 16),
        sealed=document["sealed"],
        created_at=UnixSeconds(document["created_at"]),
        lapses_at=UnixSeconds(document["lapses_at"]),
        state=State(document["state"]).value,
        consent_id=ConsentId(bytes.fromhex(consent_id)) if consent_id else None,
    )
