"""Versions and lists of care teams in MongoDB, sealed before they get here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import translated
from backend.types import Bytes32, MemberId

_NAME: Final = re.compile(r"([0-9a-f]{64})/([0-9a-f]{64})")


class MongoCareTeamRows:
    """Implements ``backend.consent.care_team_shelf.CareTeamRows``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._versions = database["care_teams"]
        # By 'revision', because the embedded index compares numbers in _id as if they were text.
        self._lists = database["care_team_lists"]
        with translated():
            self._lists.create_index([("revision", DESCENDING)])

    def put_version(self, team: MemberId, digest: Bytes32, sealed: bytes) -> None:
        with translated():
            _put(self._versions, {"_id": _name(team, digest), "sealed": sealed})

    def version(self, team: MemberId, digest: Bytes32) -> bytes | None:
        with translated():
            found = self._versions.find_one({"_id": _name(team, digest)})
        return None if found is None else bytes(found["sealed"])

    def names(self) -> Sequence[tuple[MemberId, Bytes32]]:
        """Return team and digest of every version, also of the past."""
        with translated():
            found = [_NAME.fullmatch(str(one["_id"])) for one in self._versions.find({}, {"_id": 1})]
        return [(MemberId(bytes.fromhex(name[1])), Bytes32(bytes.fromhex(name[2]))) for name in found if name]

    def put_list(self, revision: int, sealed: bytes) -> None:
        with translated():
            _put(self._lists, {"_id": f"{revision}", "revision": revision, "sealed": sealed})

    def lists(self) -> Sequence[tuple[int, bytes]]:
        with translated():
            found = self._lists.find().sort("revision", DESCENDING)
            return [(int(one["revision"]), bytes(one["sealed"])) for one in found]

    def drop_lists(self, *, below: int) -> None:
        with translated():
            self._lists.delete_many({"revision": {"$lt": below}})


def _put(collection: Collection[dict[str, Any]], document: dict[str, Any]) -> None:
    try:
        collection.insert_one(document)
    except DuplicateKeyError:  # an earlier try
        collection.update_one({"_id": document["_id"]}, {"$set": {"sealed": document["sealed"]}})


def _name(team: MemberId, digest: Bytes32) -> str:
    return f"{team.hex()}/{digest.hex()}"
