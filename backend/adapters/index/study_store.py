"""Studies in MongoDB: one document a study, moved by compare-and-swap on its version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.research.errors import StudyDamaged
from backend.research.study import State, Study
from backend.research.study_json import proposal_from_json
from backend.research.study_terms import condition_from, condition_json
from backend.research.types import StudyId
from backend.types import MemberId, UnixSeconds


class MongoStudyStore:
    """Implements ``backend.research.ports.StudyStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._studies = database["studies"]
        with translated():
            # Not together with _id: the embedded index cannot hold it in a compound index.
            self._studies.create_index([("state", ASCENDING)])
            self._studies.create_index([("researcher", ASCENDING)])

    def insert(self, study: Study, *, at: UnixSeconds) -> bool:
        with translated():
            try:
                self._studies.insert_one(
                    {
                        "_id": study.study_id.hex(),
                        "schema": 1,
                        "proposal": study.proposal.as_json(),
                        "researcher": study.proposal.researcher.hex(),
                        "state": study.state.value,
                        "reason": study.reason,
                        "version": study.version,
                        "conditions": [condition_json(item) for item in study.conditions],
                        "proposed_at": at,
                        "changed_at": at,
                    }
                )
            except DuplicateKeyError:
                return False
            return True

    def get(self, study_id: StudyId) -> Study | None:
        with translated():
            found = self._studies.find_one({"_id": study_id.hex()})
        return _study(found) if found else None

    def replace(self, study: Study, *, at: UnixSeconds) -> bool:
        with translated():
            changed = self._studies.update_one(
                {"_id": study.study_id.hex(), "version": study.version - 1},
                {
                    "$set": {
                        "state": study.state.value,
                        "reason": study.reason,
                        "version": study.version,
                        "conditions": [condition_json(item) for item in study.conditions],
                        "changed_at": at,
                    }
                },
            )
        return changed.matched_count == 1

    def page(
        self, *, state: State | None, researcher: MemberId | None, after: StudyId | None, limit: int
    ) -> list[Study]:
        wanted: dict[str, Any] = {}
        if state is not None:
            wanted["state"] = state.value
        if researcher is not None:
            wanted["researcher"] = researcher.hex()
        if after is not None:
            wanted["_id"] = {"$gt": after.hex()}
        with translated():
            found = list(self._studies.find(wanted).sort("_id", ASCENDING).limit(limit))
        return [_study(document) for document in found]


@parser
def _study(document: Mapping[str, Any]) -> Study:
    study = Study(
        proposal=proposal_from_json(document["proposal"]),
        state=State(document["state"]),
        reason=document["reason"],
        version=document["version"],
        conditions=tuple(condition_from(item) for item in document.get("conditions", ())),
    )
    # The index is untrusted: the id is the digest, so an altered proposal is another study.
    if study.study_id.hex() != document["_id"]:
        raise StudyDamaged
    return study
