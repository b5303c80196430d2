"""What stops studies, in MongoDB: one document a study, moved by compare-and-swap on its revision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.research.board.stops import Stops
from backend.research.types import StudyId

SCHEMA: Final = 1
Document = dict[str, Any]


class MongoStopStore:
    """Implements ``backend.research.board.stops.StopStore``."""

    def __init__(self, database: Database[Document]) -> None:
        self._stops = database["study_stops"]

    def accept(self, study: StudyId, act: str) -> Stops:
        def added(stops: Stops) -> Stops:
            return stops if act in stops.acts else Stops(stops.accepted + 1, stops.acts | {act})

        return self._change(study, added)

    def settle(self, study: StudyId, act: str) -> Stops:
        return self._change(study, lambda stops: Stops(stops.accepted, stops.acts - {act}))

    def find(self, study: StudyId) -> Stops:
        return self._read(study)[1]

    def standing(self) -> Iterator[tuple[StudyId, str]]:
        with translated():
            found = list(self._stops.find({}))
        for document in found:
            for act in _stops(document).acts:
                yield StudyId(bytes.fromhex(document["_id"])), act

    def _read(self, study: StudyId) -> tuple[int, Stops]:
        with translated():
            found = self._stops.find_one({"_id": study.hex()})
        return (0, Stops()) if found is None else (found["revision"], _stops(found))

    def _change(self, study: StudyId, change: Callable[[Stops], Stops]) -> Stops:
        while True:
            revision, before = self._read(study)
            after = change(before)
            if after == before or self._replace(study, revision, after):
                return after

    def _replace(self, study: StudyId, revision: int, stops: Stops) -> bool:
        content = {
            "schema": SCHEMA,
            "revision": revision + 1,
            "accepted": stops.accepted,
            "acts": sorted(stops.acts),
        }
        with translated():
            if revision:
                changed = self._stops.update_one(
                    {"_id": study.hex(), "revision": revision}, {"$set": content}
                )
                return changed.matched_count == 1
            try:
                self._stops.insert_one({"_id": study.hex(), **content})
            except DuplicateKeyError:
                return False
            return True


@parser
def _stops(document: Mapping[str, Any]) -> Stops:
    return Stops(int(document["accepted"]), frozenset(map(str, document["acts"])))
