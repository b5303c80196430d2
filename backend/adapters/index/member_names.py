"""Names of members, sealed: the chain knows organisations by random ids only."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pymongo.database import Database

from backend.adapters.index.failures import translated
from backend.sealed import DocumentSealer
from backend.types import MemberId


class SealedMemberNames:
    """Implements ``backend.consent.member_registry.MemberNames``."""

    def __init__(self, database: Database[dict[str, Any]], documents: DocumentSealer) -> None:
        self._names = database["member_names"]
        self._documents = documents

    def put(self, member_id: MemberId, name: str) -> None:
        sealed = self._documents.seal(name.encode(), subject=None, place=place_of(member_id))
        with translated():
            self._names.update_one({"_id": member_id.hex()}, {"$set": {"name": sealed}}, upsert=True)

    def of(self, members: Collection[MemberId]) -> dict[MemberId, str]:
        with translated():
            found = list(self._names.find({"_id": {"$in": [member.hex() for member in members]}}))
        names = {}
        for document in found:
            member = MemberId(bytes.fromhex(document["_id"]))
            opened = self._documents.open(document["name"], subject=None, place=place_of(member))
            names[member] = opened.decode()
        return names


def place_of(member_id: MemberId) -> str:
    """Return where a member's name is sealed for."""
    return f"member_names/{member_id.hex()}"
