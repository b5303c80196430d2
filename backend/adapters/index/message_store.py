"""Webhooks, messages on their way, revocation notices and reminders in MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.adapters.index.order import newest_first
from backend.notices.types import Delivery, DeliveryState, NoticeReason, Reminder, RevocationNotice, Topic
from backend.types import ConsentId, LogIndex, MemberId, SubjectId, UnixSeconds


class MongoEndpointStore:
    """Implements ``backend.notices.ports.EndpointStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._webhooks = database["webhooks"]

    def put(self, client_id: str, sealed: bytes) -> None:
        with translated():
            self._webhooks.update_one({"_id": client_id}, {"$set": {"sealed": sealed}}, upsert=True)

    def get(self, client_id: str) -> bytes | None:
        with translated():
            found = self._webhooks.find_one({"_id": client_id})
        return None if found is None else found["sealed"]

    def remove(self, client_id: str) -> None:
        with translated():
            self._webhooks.delete_one({"_id": client_id})

    def client_ids(self) -> Sequence[str]:
        with translated():
            return [str(found["_id"]) for found in self._webhooks.find({}, {"_id": 1})]


class MongoDeliveryStore:
    """Implements ``backend.notices.ports.DeliveryStore``.

    ``keeps_bodies``: whether those that are over can be tried again.
    """

    def __init__(
        self, database: Database[dict[str, Any]], collection: str = "deliveries", *, keeps_bodies: bool = True
    ) -> None:
        self._deliveries = database[collection]
        self._keeps_bodies = keeps_bodies
        with translated():
            self._deliveries.create_index([("state", ASCENDING), ("due_at", ASCENDING)])
            self._deliveries.create_index([("created_at", DESCENDING)])

    def put(self, delivery: Delivery) -> None:
        document = {
            "_id": delivery.message_id,
            "receiver": delivery.receiver,
            "topic": delivery.topic,
            "sealed": delivery.sealed,
            "notice": delivery.notice_id,
            "created_at": delivery.created_at,
            "due_at": delivery.due_at,
            "attempts": delivery.attempts,
            "state": delivery.state.value,
            "failure": delivery.failure,
        }
        with translated():
            try:
                self._deliveries.insert_one(document)
            except DuplicateKeyError:
                return

    def get(self, message_id: str) -> Delivery | None:
        with translated():
            found = self._deliveries.find_one({"_id": message_id})
        return self._read(found) if found else None

    def due(self, *, now: UnixSeconds, but_to: Collection[str], limit: int) -> Sequence[Delivery]:
        query: dict[str, Any] = {"state": DeliveryState.WAITING.value, "due_at": {"$lte": now}}
        if but_to:
            query["receiver"] = {"$nin": sorted(but_to)}
        with translated():
            found = self._deliveries.find(query).sort("due_at", ASCENDING).limit(limit)
            return [self._read(document) for document in found]

    def claim(self, delivery: Delivery, *, until: UnixSeconds) -> bool:
        with translated():
            taken = self._deliveries.update_one(
                {
                    "_id": delivery.message_id,
                    "state": DeliveryState.WAITING.value,
                    "due_at": delivery.due_at,
                },
                {"$set": {"due_at": until}},
            )
        return taken.matched_count == 1

    def settle(
        self, message_id: str, *, state: DeliveryState, attempts: int, due_at: UnixSeconds, failure: str
    ) -> None:
        changes: dict[str, Any] = {
            "state": state.value,
            "attempts": attempts,
            "due_at": due_at,
            "failure": failure,
        }
        if state is not DeliveryState.WAITING and not self._keeps_bodies:
            changes["sealed"] = b""
        with translated():
            self._deliveries.update_one({"_id": message_id}, {"$set": changes})

    def listed(self, state: DeliveryState | None, *, receiver: str | None, limit: int) -> Sequence[Delivery]:
        query: dict[str, Any] = {} if state is None else {"state": state.value}
        if receiver is not None:
            query["receiver"] = receiver
        with translated():
            found = self._deliveries.find(query).sort(newest_first("created_at")).limit(limit)
            return [self._read(document) for document in found]

    def count(self, state: DeliveryState) -> int:
        with translated():
            return self._deliveries.count_documents({"state": state.value})

    def purge(self, *, before: UnixSeconds) -> None:
        over = [DeliveryState.DELIVERED.value, DeliveryState.DEAD.value]
        with translated():
            self._deliveries.delete_many({"state": {"$in": over}, "created_at": {"$lt": before}})

    @parser
    def _read(self, document: Mapping[str, Any]) -> Delivery:
        if self._keeps_bodies:
            Topic(document["topic"])  # mails have letters of their own beside
        return _delivery(document)


class MongoRevocationNoticeStore:
    """Implements ``backend.notices.ports.NoticeStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._notices = database["revocation_notices"]
        self._reminders = database["reminders"]
        self._cursor = database["notice_cursor"]
        with translated():
            self._notices.create_index([("subject", ASCENDING), ("created_at", DESCENDING)])
            self._notices.create_index([("member", ASCENDING), ("created_at", DESCENDING)])
            self._notices.create_index([("acknowledged", ASCENDING), ("acknowledge_by", ASCENDING)])
            self._reminders.create_index([("due_at", ASCENDING)])

    def cursor(self) -> LogIndex | None:
        with translated():
            found = self._cursor.find_one({"_id": "log"})
        return None if found is None else LogIndex(found["index"])

    def set_cursor(self, index: LogIndex) -> None:
        with translated():
            self._cursor.update_one({"_id": "log"}, {"$set": {"index": index}}, upsert=True)

    def put_notice(self, notice: RevocationNotice) -> RevocationNotice:
        document = {
            "_id": notice.notice_id,
            "consent": notice.consent_id.hex(),
            "subject": _subject(notice.subject),
            "member": notice.member_id.hex(),
            "created_at": notice.created_at,
            "acknowledge_by": notice.acknowledge_by,
            "delivered_at": None,
            "acknowledged_at": None,
            "reason": notice.reason.value,
            "acknowledged": False,  # counting by null is not the same on every server
        }
        with translated():
            try:
                self._notices.insert_one(document)
            except DuplicateKeyError:
                return self.notice(notice.notice_id) or notice
        return notice

    def notice(self, notice_id: str) -> RevocationNotice | None:
        with translated():
            found = self._notices.find_one({"_id": notice_id})
        return _notice(found) if found else None

    def set_delivered(self, notice_id: str, at: UnixSeconds) -> None:
        self._set_once(notice_id, "delivered_at", {"delivered_at": at})

    def set_acknowledged(self, notice_id: str, at: UnixSeconds) -> bool:
        return self._set_once(notice_id, "acknowledged_at", {"acknowledged_at": at, "acknowledged": True})

    def notices_of(
        self, *, subject: SubjectId | None, member: MemberId | None, consent: ConsentId | None, limit: int
    ) -> Sequence[RevocationNotice]:
        query: dict[str, Any] = {}
        if subject is not None:
            query["subject"] = _subject(subject)
        if member is not None:
            query["member"] = member.hex()
        if consent is not None:
            query["consent"] = consent.hex()
        with translated():
            found = self._notices.find(query).sort(newest_first("created_at")).limit(limit)
            return [_notice(document) for document in found]

    def late(self, *, now: UnixSeconds) -> int:
        with translated():
            return self._notices.count_documents({"acknowledged": False, "acknowledge_by": {"$lt": now}})

    def put_reminder(self, reminder: Reminder) -> None:
        document = {
            "_id": _reminder_id(reminder),
            "topic": reminder.topic.value,
            "about": reminder.about,
            "subject": _subject(reminder.subject),
            "days": reminder.days,
            "due_at": reminder.due_at,
        }
        with translated():
            try:
                self._reminders.insert_one(document)
            except DuplicateKeyError:
                return

    def due_reminders(self, *, now: UnixSeconds, limit: int) -> Sequence[Reminder]:
        with translated():
            found = self._reminders.find({"due_at": {"$lte": now}}).sort("due_at", ASCENDING).limit(limit)
            return [
                Reminder(
                    topic=Topic(document["topic"]),
                    about=document["about"],
                    subject=SubjectId(int(document["subject"], 16)),
                    due_at=UnixSeconds(document["due_at"]),
                    days=document["days"],
                )
                for document in found
            ]

    def drop_reminder(self, reminder: Reminder) -> None:
        with translated():
            self._reminders.delete_one({"_id": _reminder_id(reminder)})

    def _set_once(self, notice_id: str, name: str, changes: Mapping[str, Any]) -> bool:
        with translated():
            changed = self._notices.update_one({"_id": notice_id, name: None}, {"$set": changes})
        return changed.matched_count == 1


def _subject(subject: SubjectId) -> str:
    return f"{subject:024x}"


def _reminder_id(reminder: Reminder) -> str:
    return f"{reminder.topic}/{reminder.about}/{reminder.days}"


@parser
def _delivery(document: Mapping[str, Any]) -> Delivery:
    return Delivery(
        message_id=document["_id"],
        receiver=document["receiver"],
        topic=document["topic"],
        sealed=document["sealed"],
        notice_id=document["notice"],
        created_at=UnixSeconds(document["created_at"]),
        due_at=UnixSeconds(document["due_at"]),
        attempts=document["attempts"],
        state=DeliveryState(document["state"]),
        failure=document["failure"],
    )


@parser
def _notice(document: Mapping[str, Any]) -> RevocationNotice:
    return RevocationNotice(
        notice_id=document["_id"],
        consent_id=ConsentId(bytes.fromhex(document["consent"])),
        subject=SubjectId(int(document["subject"], 16)),
        member_id=MemberId(bytes.fromhex(document["member"])),
        created_at=UnixSeconds(document["created_at"]),
        acknowledge_by=UnixSeconds(document["acknowledge_by"]),
        reason=NoticeReason(document["reason"]),
        delivered_at=document["delivered_at"],
        acknowledged_at=document["acknowledged_at"],
    )
