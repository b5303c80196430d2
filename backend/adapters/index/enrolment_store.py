"""Enrolments in MongoDB: one document a patient. It holds no identifier in clear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.identity.types import Enrolment
from backend.types import Address, SubjectId, UnixSeconds


class MongoEnrolmentStore:
    """Implements ``backend.identity.ports.EnrolmentStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._enrolments = database["enrolments"]
        with translated():
            self._enrolments.create_index([("record_index", ASCENDING)], unique=True)
            self._enrolments.create_index([("code_prefix", ASCENDING)], unique=True)
            self._enrolments.create_index([("account", ASCENDING)])
            self._enrolments.create_index([("claimed", ASCENDING), ("opened", ASCENDING)])

    def insert(self, enrolment: Enrolment) -> bool:
        with translated():
            try:
                self._enrolments.insert_one(
                    {"_id": _key(enrolment.subject_id), "opened": enrolment.opened, **_members(enrolment)}
                )
            except DuplicateKeyError:
                return False
        return True

    def replace(self, enrolment: Enrolment) -> bool:
        with translated():
            try:
                changed = self._enrolments.update_one(
                    {"_id": _key(enrolment.subject_id), "revision": enrolment.revision - 1},
                    {"$set": _members(enrolment)},
                )
            except DuplicateKeyError:
                return False
        return changed.matched_count == 1

    def count_attempt(self, code_prefix: str, *, limit: int) -> Enrolment | None:
        with translated():
            counted = self._enrolments.update_one(
                {"code_prefix": code_prefix, "attempts": {"$lt": limit}}, {"$inc": {"attempts": 1}}
            )
            if counted.modified_count != 1:
                return None
            found = self._enrolments.find_one({"code_prefix": code_prefix})
        return None if found is None else enrolment_of(found)

    def clear_attempts(self, code_prefix: str) -> None:
        with translated():
            self._enrolments.update_one({"code_prefix": code_prefix}, {"$set": {"attempts": 0}})

    def mark_opened(self, subject_id: SubjectId) -> None:
        with translated():
            self._enrolments.update_one({"_id": _key(subject_id)}, {"$set": {"opened": True}})

    def unopened(self) -> Sequence[Enrolment]:
        with translated():
            found = self._enrolments.find({"claimed": True, "opened": False}).sort("claimed_at", ASCENDING)
            return [enrolment_of(document) for document in found]

    def get(self, subject_id: SubjectId) -> Enrolment | None:
        with translated():
            found = self._enrolments.find_one({"_id": _key(subject_id)})
        return None if found is None else enrolment_of(found)

    def by_record_index(self, record_index: bytes) -> Enrolment | None:
        with translated():
            found = self._enrolments.find_one({"record_index": record_index.hex()})
        return None if found is None else enrolment_of(found)

    def by_account(self, account: Address) -> Sequence[Enrolment]:
        with translated():
            return [enrolment_of(found) for found in self._enrolments.find({"account": account})]

    def subjects(self) -> Sequence[SubjectId]:
        with translated():
            return [SubjectId(int(found["_id"], 16)) for found in self._enrolments.find({}, {"_id": 1})]


def _key(subject_id: SubjectId) -> str:
    return f"{subject_id:024x}"


def _members(enrolment: Enrolment) -> dict[str, Any]:
    return {
        "record_index": enrolment.record_index.hex(),
        "person": enrolment.person,
        "is_child": enrolment.is_child,
        "code_prefix": enrolment.code_prefix,
        "code_hash": enrolment.code_hash,
        "code_expires_at": enrolment.code_expires_at,
        "issued_at": enrolment.issued_at,
        "revision": enrolment.revision,
        "claimed": enrolment.account is not None,
        "account": enrolment.account,
        "claim_message": enrolment.claim_message,
        "claim_signature": enrolment.claim_signature,
        "claimed_at": enrolment.claimed_at,
        "attempts": enrolment.attempts,
        "seal": enrolment.seal,
    }


@parser
def enrolment_of(found: Mapping[str, Any]) -> Enrolment:
    """Read a row of enrolments. Raises DocumentMalformed."""
    return Enrolment(
        subject_id=SubjectId(int(found["_id"], 16)),
        record_index=bytes.fromhex(found["record_index"]),
        person=found["person"],
        is_child=bool(found["is_child"]),
        code_prefix=found["code_prefix"],
        code_hash=found["code_hash"],
        code_expires_at=UnixSeconds(found["code_expires_at"]),
        issued_at=UnixSeconds(found["issued_at"]),
        revision=found["revision"],
        account=None if found["account"] is None else Address(found["account"]),
        claim_message=found["claim_message"],
        claim_signature=found["claim_signature"],
        claimed_at=None if found["claimed_at"] is None else UnixSeconds(found["claimed_at"]),
        attempts=found["attempts"],
        opened=bool(found["opened"]),
        seal=found["seal"],
    )
