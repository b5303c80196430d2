"""Names of members, sealed: the chain knows organisations by random ids only."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from backend.adapters.index.failures import translated
from backend.sealed import DocumentSealer
from backend.types import MemberId


class SealedMemberNames:
    """Implements ``backend.identity.ports.MemberNames``."""

    def __init__(self, database: Database[dict[str, Any]], documents: DocumentSealer) -> None:
        self._names = database["member_names"]
        self._documents = documents

    def put(self, member_id: MemberId, name: str) -> None:
        sealed = self._documents.seal(name.encode(), subject=None, place=_place(member_id))
        with translated():
            self._names.update_one({"_id": member_id.hex()}, {"$set": {"name": sealed}}, upsert=True)

    def get(self, member_id: MemberId) -> str | None:
        with translated():
            found = self._names.find_one({"_id": member_id.hex()})
        if found is None:
            return None
        return self._documents.open(found["name"], subject=None, place=_place(member_id)).decode()


def _place(member_id: MemberId) -> str:
    return f"member_names/{member_id.hex()}"
