"""Families of tokens and states of signing keys in MongoDB. No token and no key lies here, only hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.identity.roles import known_roles, known_scopes
from backend.identity.types import Family, Grant, PrincipalKind, SigningKeyState
from backend.types import Address, MemberId, UnixSeconds


class MongoFamilyStore:
    """Implements ``backend.identity.ports.FamilyStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._families = database["token_families"]
        with translated():
            self._families.create_index([("principal", ASCENDING)])
            self._families.create_index([("expires_at", ASCENDING)])

    def insert(self, family: Family) -> None:
        with translated():
            self._families.insert_one(
                {"_id": family.family_id, "ended": family.ended, **_family_members(family)}
            )

    def get(self, family_id: str) -> Family | None:
        with translated():
            found = self._families.find_one({"_id": family_id})
        return None if found is None else family_of(found)

    def rotate(self, family_id: str, *, expected: bytes, family: Family) -> bool:
        with translated():
            changed = self._families.update_one(
                {"_id": family_id, "refresh_hash": expected.hex(), "ended": False},
                {"$set": _family_members(family)},
            )
        return changed.modified_count == 1

    def end(self, family_id: str) -> bool:
        with translated():
            changed = self._families.update_one({"_id": family_id, "ended": False}, {"$set": {"ended": True}})
        return changed.modified_count == 1

    def end_all(self, principal: str) -> int:
        with translated():
            changed = self._families.update_many(
                {"principal": principal, "ended": False}, {"$set": {"ended": True}}
            )
        return changed.modified_count

    def purge(self, *, now: UnixSeconds) -> None:
        with translated():
            self._families.delete_many({"expires_at": {"$lte": now}})


class MongoSigningKeyStates:
    """Implements ``backend.identity.ports.SigningKeyStates``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._states = database["signing_keys"]

    def all(self) -> Sequence[SigningKeyState]:
        with translated():
            return [state_of(found) for found in self._states.find().sort("_id", ASCENDING)]

    def insert(self, state: SigningKeyState) -> bool:
        with translated():
            try:
                self._states.insert_one({"_id": state.generation, **_state_members(state)})
            except DuplicateKeyError:
                return False
        return True

    def retire(self, state: SigningKeyState) -> None:
        with translated():
            self._states.update_one({"_id": state.generation}, {"$set": _state_members(state)})


def _family_members(family: Family) -> dict[str, Any]:
    grant = family.grant
    return {
        "principal": grant.principal,
        "kind": grant.kind.value,
        "id": grant.id,
        "roles": sorted(grant.roles),
        "scopes": sorted(grant.scopes),
        "member_id": grant.member_id,
        "organisations": list(grant.organisations),
        "account": grant.account,
        # Hex, because the embedded index finds nothing by a filter on binary values.
        "refresh_hash": None if family.refresh_hash is None else family.refresh_hash.hex(),
        "refresh_until": family.refresh_until,
        "expires_at": family.expires_at,
        "seal": family.seal,
    }


@parser
def family_of(found: Mapping[str, Any]) -> Family:
    """Read a row of families. Raises DocumentMalformed."""
    family = Family(
        family_id=found["_id"],
        grant=Grant(
            kind=PrincipalKind(found["kind"]),
            id=found["id"],
            roles=known_roles(found["roles"]),
            scopes=known_scopes(found["scopes"]),
            member_id=None if found["member_id"] is None else MemberId(found["member_id"]),
            organisations=tuple(MemberId(member) for member in found["organisations"]),
            account=None if found["account"] is None else Address(found["account"]),
        ),
        refresh_hash=None if found["refresh_hash"] is None else bytes.fromhex(found["refresh_hash"]),
        refresh_until=UnixSeconds(found["refresh_until"]),
        expires_at=UnixSeconds(found["expires_at"]),
        ended=bool(found["ended"]),
        seal=found["seal"],
    )
    if found["principal"] != family.grant.principal:
        raise ValueError("the member by which all families of a principal are ended is not the principal's")
    return family


def _state_members(state: SigningKeyState) -> dict[str, Any]:
    return {"sign_from": state.sign_from, "verify_until": state.verify_until, "seal": state.seal}


@parser
def state_of(found: Mapping[str, Any]) -> SigningKeyState:
    """Read a row of signing keys. Raises DocumentMalformed."""
    until = found["verify_until"]
    return SigningKeyState(
        generation=found["_id"],
        sign_from=UnixSeconds(found["sign_from"]),
        verify_until=None if until is None else UnixSeconds(until),
        seal=found["seal"],
    )
