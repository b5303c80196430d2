"""The outbox's acts in MongoDB: one document an act, moved by compare-and-swap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.outbox.types import DONE, FAILED, Act
from backend.types import UnixSeconds


class MongoActStore:
    """Implements ``backend.outbox.ports.ActStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._acts = database["acts"]
        with translated():
            self._acts.create_index([("over", ASCENDING), ("leased_until", ASCENDING)])

    def insert(self, act: Act, *, holder: str, leased_until: UnixSeconds) -> bool:
        with translated():
            try:
                self._acts.insert_one(
                    {
                        "_id": _key(act.kind, act.act_id),
                        "schema": 1,
                        "kind": act.kind,
                        "act_id": act.act_id,
                        "state": act.state,
                        "over": act.is_over,
                        "data": dict(act.data),
                        "fence": act.fence,
                        "attempts": act.attempts,
                        "created_at": act.created_at,
                        "holder": holder,
                        "leased_until": leased_until,
                    }
                )
            except DuplicateKeyError:
                return False
            return True

    def get(self, kind: str, act_id: str) -> Act | None:
        with translated():
            found = self._acts.find_one({"_id": _key(kind, act_id)})
        return _act(found) if found else None

    def claim(
        self, kind: str, act_id: str, *, holder: str, now: UnixSeconds, until: UnixSeconds
    ) -> Act | None:
        with translated():
            found = self._acts.find_one({"_id": _key(kind, act_id), "over": False})
            if found is None or found["leased_until"] > now:
                return None
            taken = self._acts.update_one(
                {"_id": found["_id"], "fence": found["fence"]},
                {"$set": {"holder": holder, "leased_until": until, "fence": found["fence"] + 1}},
            )
        if taken.modified_count != 1:
            return None
        return _act({**found, "fence": found["fence"] + 1})

    def advance(self, act: Act, *, state: str, data: Mapping[str, Any]) -> bool:
        changes: dict[str, Any] = {f"data.{name}": value for name, value in data.items()}
        changes |= {"state": state, "over": state in (DONE, FAILED), "attempts": 0}
        with translated():
            moved = self._acts.update_one(
                {"_id": _key(act.kind, act.act_id), "fence": act.fence, "state": act.state}, {"$set": changes}
            )
        return moved.matched_count == 1

    def postpone(self, act: Act, *, until: UnixSeconds) -> None:
        with translated():
            self._acts.update_one(
                {"_id": _key(act.kind, act.act_id), "fence": act.fence},
                {"$set": {"leased_until": until, "holder": ""}, "$inc": {"attempts": 1}},
            )

    def unfinished(self, kinds: Sequence[str]) -> list[Act]:
        with translated():
            found = self._acts.find({"over": False, "kind": {"$in": list(kinds)}}).sort(
                "created_at", ASCENDING
            )
            return [_act(document) for document in found]

    def due(self, *, now: UnixSeconds, limit: int) -> list[Act]:
        with translated():
            found = (
                self._acts.find({"over": False, "leased_until": {"$lte": now}})
                .sort("created_at", ASCENDING)
                .limit(limit)
            )
            return [_act(document) for document in found]


def _key(kind: str, act_id: str) -> str:
    return f"{kind}:{act_id}"


@parser
def _act(document: Mapping[str, Any]) -> Act:
    return Act(
        kind=document["kind"],
        act_id=document["act_id"],
        state=document["state"],
        data=document["data"],
        fence=document["fence"],
        attempts=document["attempts"],
        created_at=UnixSeconds(document["created_at"]),
    )
