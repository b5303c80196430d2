"""The outbox's acts in MongoDB: one document an act, moved by compare-and-swap.

An act says what is to be done, such as to admit a member with these roles, and the index is not trusted. So
each bears a mark over what it is and how far it got. An act put back to an earlier state is carried on from
there: its steps are idempotent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import DocumentMalformed, parser, translated
from backend.adapters.index.marks import DocumentForged, Marks
from backend.keystore import KeyStore
from backend.outbox.types import Act, Waiting
from backend.types import SubjectId, UnixSeconds

_log = logging.getLogger(__name__)


class MongoActStore:
    """Implements ``backend.outbox.ports.ActStore``. Reading raises DocumentForged and DocumentMalformed."""

    def __init__(self, database: Database[dict[str, Any]], keys: KeyStore) -> None:
        self._marks = Marks(keys, "acts")
        self._acts = database["acts"]
        with translated():
            # Of one member: the embedded index does not use the beginning of a compound index, and few acts
            # are not over.
            self._acts.create_index([("over", ASCENDING)])

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
                        "mark": self._marks.of(content_of(act)),
                    }
                )
            except DuplicateKeyError:
                return False
            return True

    def get(self, kind: str, act_id: str) -> Act | None:
        with translated():
            found = self._acts.find_one({"_id": _key(kind, act_id)})
        return self._act(found) if found else None

    def named(self, kind: str, beginning: str) -> list[Act]:
        first = _key(kind, beginning)
        after = first[:-1] + chr(ord(first[-1]) + 1)
        with translated():
            found = self._acts.find({"_id": {"$gte": first, "$lt": after}})
            return [self._act(document) for document in found]

    def claim(
        self, kind: str, act_id: str, *, holder: str, now: UnixSeconds, until: UnixSeconds
    ) -> Act | None:
        with translated():
            found = self._acts.find_one({"_id": _key(kind, act_id), "over": False})
            if found is None or found["leased_until"] > now:
                return None
            act = self._act(found)
            taken = self._acts.update_one(
                {"_id": found["_id"], "fence": found["fence"]},
                {"$set": {"holder": holder, "leased_until": until, "fence": found["fence"] + 1}},
            )
        if taken.modified_count != 1:
            return None
        return replace(act, fence=act.fence + 1)

    def advance(self, act: Act, *, state: str, data: Mapping[str, Any]) -> bool:
        changes: dict[str, Any] = {f"data.{name}": value for name, value in data.items()}
        moving = replace(act, state=state, data={**act.data, **data})
        changes |= {
            "state": state,
            "over": moving.is_over,
            "attempts": 0,
            "mark": self._marks.of(content_of(moving)),
        }
        with translated():
            moved = self._acts.update_one(
                {"_id": _key(act.kind, act.act_id), "fence": act.fence, "state": act.state}, {"$set": changes}
            )
        return moved.matched_count == 1

    def postpone(self, act: Act, *, until: UnixSeconds, failed: bool = True) -> None:
        with translated():
            self._acts.update_one(
                {"_id": _key(act.kind, act.act_id), "fence": act.fence},
                {"$set": {"leased_until": until, "holder": ""}, "$inc": {"attempts": int(failed)}},
            )

    def unfinished(self, kinds: Sequence[str]) -> list[Act]:
        with translated():
            found = self._acts.find({"over": False, "kind": {"$in": list(kinds)}}).sort(
                "created_at", ASCENDING
            )
            return [self._act(document) for document in found]

    def subjects(self, kind: str) -> set[SubjectId]:
        """Return whom acts of a kind are about, those that are over included."""
        with translated():
            # The embedded index leaves the whole of ``data`` out where one member of it is asked for.
            found = self._acts.find({"kind": kind}, {"data": 1, "_id": 0})
            return {SubjectId(int(document["data"]["subject"], 16)) for document in found}

    def waiting(self) -> list[Waiting]:
        with translated():
            found = self._acts.find(
                {"over": False}, {"kind": 1, "attempts": 1, "created_at": 1, "leased_until": 1}
            )
            return [waiting_of(document) for document in found]

    def sound(self, kind: str, act_id: str) -> Act | None:
        """``get`` for ``fsck``: None also for a damaged one, which it names elsewhere."""
        try:
            return self.get(kind, act_id)
        except (DocumentForged, DocumentMalformed):
            return None

    def sound_unfinished(self, kinds: Sequence[str]) -> list[Act]:
        """``unfinished`` for ``fsck``, without those that are damaged."""
        with translated():
            return list(self._sound(self._acts.find({"over": False, "kind": {"$in": list(kinds)}})))

    def due(self, *, now: UnixSeconds, limit: int) -> list[Act]:
        with translated():
            found = (
                self._acts.find({"over": False, "leased_until": {"$lte": now}})
                .sort("created_at", ASCENDING)
                .limit(limit)
            )
            return list(self._sound(found))

    def _sound(self, documents: Iterable[Mapping[str, Any]]) -> Iterator[Act]:
        """Pass over what is damaged, which ``fsck`` names: one act must not hold up all others."""
        for document in documents:
            try:
                yield self._act(document)
            except (DocumentForged, DocumentMalformed) as damage:
                _log.error("an act of the outbox is not carried out: %s", damage.code)

    def _act(self, document: Mapping[str, Any]) -> Act:
        act = act_of(document)
        if document["_id"] != _key(act.kind, act.act_id):
            raise DocumentForged
        self._marks.require(document.get("mark"), content_of(act))
        return act


def content_of(act: Act) -> list[Any]:
    """Return what is marked of an act: what it is, and how far it got."""
    return [act.kind, act.act_id, act.state, act.created_at, act.data]


def _key(kind: str, act_id: str) -> str:
    return f"{kind}:{act_id}"


@parser
def act_of(document: Mapping[str, Any]) -> Act:
    """Read an act. Raises DocumentMalformed."""
    return Act(
        kind=document["kind"],
        act_id=document["act_id"],
        state=document["state"],
        data=document["data"],
        fence=document["fence"],
        attempts=document["attempts"],
        created_at=UnixSeconds(document["created_at"]),
    )


@parser
def waiting_of(document: Mapping[str, Any]) -> Waiting:
    """Read what is counted of an act. Raises DocumentMalformed."""
    return Waiting(
        kind=document["kind"],
        attempts=document["attempts"],
        created_at=UnixSeconds(document["created_at"]),
        due_at=UnixSeconds(document["leased_until"]),
    )
