"""Versions and lists of care teams in MongoDB, sealed before they get here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import translated
from backend.types import Bytes32, MemberId


class MongoCareTeamRows:
    """Implements ``backend.consent.care_team_shelf.CareTeamRows``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._versions = database["care_teams"]
        self._lists = database["care_team_lists"]

    def put_version(self, team: MemberId, digest: Bytes32, sealed: bytes) -> None:
        with translated():
            _put(self._versions, _name(team, digest), sealed)

    def version(self, team: MemberId, digest: Bytes32) -> bytes | None:
        with translated():
            found = self._versions.find_one({"_id": _name(team, digest)})
        return None if found is None else bytes(found["sealed"])

    def put_list(self, revision: int, sealed: bytes) -> None:
        with translated():
            _put(self._lists, revision, sealed)

    def lists(self) -> Sequence[tuple[int, bytes]]:
        with translated():
            found = self._lists.find().sort("_id", DESCENDING)
            return [(int(one["_id"]), bytes(one["sealed"])) for one in found]

    def drop_lists(self, *, below: int) -> None:
        with translated():
            self._lists.delete_many({"_id": {"$lt": below}})


def _put(collection: Collection[dict[str, Any]], name: str | int, sealed: bytes) -> None:
    try:
        collection.insert_one({"_id": name, "sealed": sealed})
    except DuplicateKeyError:
        collection.update_one({"_id": name}, {"$set": {"sealed": sealed}})


def _name(team: MemberId, digest: Bytes32) -> str:
    return f"{team.hex()}/{digest.hex()}"
