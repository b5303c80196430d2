"""Accounts, clients, sign-in attempts and what may be used once, in MongoDB.

Changes are compare-and-swap by filter; uniqueness is the database's. The stores of tokens and enrolments lie
in their own modules and are named here too, so that one import finds all of identity's stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.blind import BlindIndex
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.index.failures import parser, translated
from backend.adapters.index.token_store import MongoFamilyStore, MongoSigningKeyStates
from backend.identity.roles import known_roles, known_scopes
from backend.identity.types import Client, StaffAccount
from backend.sealed import DocumentSealer
from backend.types import Address, MemberId, UnixSeconds

__all__ = [
    "MongoAttemptCounter",
    "MongoClientStore",
    "MongoEnrolmentStore",
    "MongoFamilyStore",
    "MongoSigningKeyStates",
    "MongoSingleUse",
    "MongoStaffStore",
]

_TRIES: Final = 200  # lost races in a row before an attempt counts as refused


class MongoStaffStore:
    """Implements ``backend.identity.ports.StaffStore``. Names of people: found blind, shown sealed."""

    def __init__(
        self, database: Database[dict[str, Any]], *, blind: BlindIndex, documents: DocumentSealer
    ) -> None:
        self._staff = database["staff"]
        self._blind = blind
        self._documents = documents
        with translated():
            self._staff.create_index([("username", ASCENDING)], unique=True)

    def insert(self, account: StaffAccount) -> bool:
        with translated():
            try:
                self._staff.insert_one({"_id": account.staff_id, **self._members(account)})
            except DuplicateKeyError:
                return False
        return True

    def replace(self, account: StaffAccount) -> bool:
        with translated():
            changed = self._staff.update_one(
                {"_id": account.staff_id, "revision": account.revision - 1},
                {"$set": self._members(account)},
            )
        return changed.matched_count == 1

    def get(self, staff_id: str) -> StaffAccount | None:
        with translated():
            found = self._staff.find_one({"_id": staff_id})
        return None if found is None else account_of(found, self._documents)

    def by_username(self, username: str) -> StaffAccount | None:
        with translated():
            found = self._staff.find_one({"username": {"$in": self._blind.any_of(username)}})
        return None if found is None else account_of(found, self._documents)

    def all(self) -> Sequence[StaffAccount]:
        with translated():
            found = [account_of(document, self._documents) for document in self._staff.find()]
        return sorted(found, key=lambda account: account.username)

    def _members(self, account: StaffAccount) -> dict[str, Any]:
        sealed = self._documents.seal(
            account.username.encode(), subject=None, place=place_of_name(account.staff_id)
        )
        return {
            "username": self._blind.of(account.username),
            "name": sealed,
            "password": account.password,
            "roles": sorted(account.roles),
            "member_id": account.member_id,
            "organisations": list(account.organisations),
            "account": account.account,
            "disabled": account.disabled,
            "created_at": account.created_at,
            "revision": account.revision,
            "seal": account.seal,
        }


def place_of_name(staff_id: str) -> str:
    """Return where a name of staff is sealed for."""
    return f"staff/{staff_id}"


@parser
def account_of(found: Mapping[str, Any], documents: DocumentSealer) -> StaffAccount:
    """Read a row of staff. Raises DocumentMalformed, SealedDocumentRefused."""
    staff_id = found["_id"]
    name = documents.open(found["name"], subject=None, place=place_of_name(staff_id))
    return StaffAccount(
        staff_id=staff_id,
        username=name.decode(),
        password=found["password"],
        roles=known_roles(found["roles"]),
        member_id=None if found["member_id"] is None else MemberId(found["member_id"]),
        organisations=tuple(MemberId(member) for member in found["organisations"]),
        account=None if found["account"] is None else Address(found["account"]),
        disabled=bool(found["disabled"]),
        created_at=UnixSeconds(found["created_at"]),
        revision=found["revision"],
        seal=found["seal"],
    )


class MongoClientStore:
    """Implements ``backend.identity.ports.ClientStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._clients = database["clients"]

    def insert(self, client: Client) -> bool:
        with translated():
            try:
                self._clients.insert_one({"_id": client.client_id, **_client_members(client)})
            except DuplicateKeyError:
                return False
        return True

    def replace(self, client: Client) -> bool:
        with translated():
            changed = self._clients.update_one(
                {"_id": client.client_id, "revision": client.revision - 1},
                {"$set": _client_members(client)},
            )
        return changed.matched_count == 1

    def get(self, client_id: str) -> Client | None:
        with translated():
            found = self._clients.find_one({"_id": client_id})
        return None if found is None else client_of(found)

    def all(self) -> Sequence[Client]:
        with translated():
            return [client_of(found) for found in self._clients.find().sort("_id", ASCENDING)]


class MongoSingleUse:
    """Implements ``backend.identity.ports.SingleUse``: an insert that succeeds once."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._used = database["used_once"]
        with translated():
            self._used.create_index([("until", ASCENDING)])

    def consume(self, purpose: str, value: str, *, until: UnixSeconds) -> bool:
        with translated():
            try:
                self._used.insert_one({"_id": f"{purpose}/{value}", "until": until})
            except DuplicateKeyError:
                return False
        return True

    def purge(self, *, now: UnixSeconds) -> None:
        with translated():
            self._used.delete_many({"until": {"$lte": now}})


class MongoAttemptCounter:
    """Implements ``backend.identity.ports.AttemptCounter``; ``version`` rises with each attempt."""

    def __init__(self, database: Database[dict[str, Any]], *, blind: BlindIndex) -> None:
        self._attempts = database["sign_in_attempts"]
        self._blind = blind
        with translated():
            self._attempts.create_index([("last_at", ASCENDING)])

    def reserve(self, key: str, *, now: UnixSeconds, limit: int, lock_seconds: int) -> bool:
        key = self._blind.of(key)
        with translated():
            for _ in range(_TRIES):
                seen = self._attempts.find_one({"_id": key})
                if seen is not None and seen["locked_until"] > now:
                    return False
                if self._count(key, seen, now=now, limit=limit, lock_seconds=lock_seconds):
                    return True
        return False

    def clear(self, key: str) -> None:
        with translated():
            self._attempts.delete_one({"_id": self._blind.of(key)})

    def purge(self, *, before: UnixSeconds) -> None:
        with translated():
            self._attempts.delete_many({"last_at": {"$lt": before}, "locked_until": {"$lt": before}})

    def _count(
        self, key: str, seen: Mapping[str, Any] | None, *, now: UnixSeconds, limit: int, lock_seconds: int
    ) -> bool:
        goes_on = seen is not None and seen["count"] < limit and now - seen["last_at"] < lock_seconds
        count = seen["count"] + 1 if seen is not None and goes_on else 1
        counted = {
            "count": count,
            "last_at": now,
            "locked_until": now + lock_seconds if count >= limit else 0,
            "version": 1 if seen is None else seen["version"] + 1,
        }
        if seen is None:
            try:
                self._attempts.insert_one({"_id": key, **counted})
            except DuplicateKeyError:
                return False
            return True
        changed = self._attempts.update_one({"_id": key, "version": seen["version"]}, {"$set": counted})
        return changed.modified_count == 1


def _client_members(client: Client) -> dict[str, Any]:
    return {
        "name": client.name,
        "roles": sorted(client.roles),
        "scopes": sorted(client.scopes),
        "member_id": client.member_id,
        "organisations": list(client.organisations),
        "secret_hash": client.secret_hash,
        "previous_hash": client.previous_hash,
        "previous_until": client.previous_until,
        "assertion_keys": client.assertion_keys,
        "disabled": client.disabled,
        "created_at": client.created_at,
        "revision": client.revision,
        "seal": client.seal,
    }


@parser
def client_of(found: Mapping[str, Any]) -> Client:
    """Read a row of clients. Raises DocumentMalformed."""
    return Client(
        client_id=found["_id"],
        name=found["name"],
        roles=known_roles(found["roles"]),
        scopes=known_scopes(found["scopes"]),
        member_id=MemberId(found["member_id"]),
        organisations=tuple(MemberId(member) for member in found["organisations"]),
        secret_hash=found["secret_hash"],
        previous_hash=found["previous_hash"],
        previous_until=UnixSeconds(found["previous_until"]),
        assertion_keys=found["assertion_keys"],
        disabled=bool(found["disabled"]),
        created_at=UnixSeconds(found["created_at"]),
        revision=found["revision"],
        seal=found["seal"],
    )
