"""Queued runs of studies in MongoDB: one document a run, moved by compare-and-swap on its revision.

The result is sealed before it gets here. ``slot`` is the study while the run has not ended and the run's own
id afterwards: unique, so that a study has one run at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.audit.entry import Agent, AgentKind
from backend.research.jobs.types import ENDED, Job, JobId, JobState, Phase
from backend.research.types import StudyId
from backend.types import MemberId, UnixSeconds

Document = dict[str, Any]
SCHEMA = 1
_ATTEMPTS = 8
_SEALED = ("result", "prepared")


class MongoJobStore:
    """Implements ``backend.research.jobs.types.JobStore``."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["research_jobs"]
        with translated():
            self._jobs.create_index([("slot", ASCENDING)], unique=True)
            self._jobs.create_index([("study", ASCENDING)])
            self._jobs.create_index([("open", ASCENDING)])

    def add(self, job: Job) -> Job:
        for _ in range(_ATTEMPTS):
            with translated():
                try:
                    self._jobs.insert_one({"_id": job.job_id.hex(), **_document(job)})
                except DuplicateKeyError:
                    found = self._jobs.find_one({"slot": job.study.hex()})
                    if found is not None:
                        return _job(found)
                    continue  # it ended meanwhile
                return job
        raise RuntimeError("runs of one study begin and end all the time")

    def get(self, job_id: JobId) -> Job | None:
        with translated():
            found = self._jobs.find_one({"_id": job_id.hex()})
        return _job(found) if found else None

    def replace(self, job: Job) -> bool:
        with translated():
            changed = self._jobs.update_one(
                {"_id": job.job_id.hex(), "revision": job.revision - 1}, {"$set": _document(job)}
            )
        return changed.matched_count == 1

    def of_study(self, study: StudyId, *, limit: int) -> list[Job]:
        with translated():
            found = self._jobs.find({"study": study.hex()}, dict.fromkeys(_SEALED, 0))
            newest = found.sort("created_at", DESCENDING).limit(limit)
            return [_job({**document, **dict.fromkeys(_SEALED, b"")}) for document in newest]

    def open(self) -> list[Job]:
        with translated():
            return [_job(document) for document in self._jobs.find({"open": 1}).sort("created_at", ASCENDING)]


def _document(job: Job) -> Document:
    ended = job.state in ENDED
    return {
        "schema": SCHEMA,
        "study": job.study.hex(),
        "researcher": job.researcher.hex(),
        "agent": [job.agent.kind.value, job.agent.id, job.agent.token.hex(), job.agent.session.hex()],
        "state": job.state.value,
        "created_at": job.created_at,
        "changed_at": job.changed_at,
        "phase": job.phase.value,
        "percent": job.percent,
        "code": job.code,
        "attempts": job.attempts,
        "holder": job.holder,
        "leased_until": job.leased_until,
        "result": job.result,
        "prepared": job.prepared,
        "removed_at": job.removed_at,
        "revision": job.revision,
        "open": 0 if ended else 1,
        "slot": job.job_id.hex() if ended else job.study.hex(),
    }


@parser
def _job(document: Mapping[str, Any]) -> Job:
    kind, name, token, session = document["agent"]
    return Job(
        job_id=JobId(bytes.fromhex(document["_id"])),
        study=StudyId(bytes.fromhex(document["study"])),
        researcher=MemberId(bytes.fromhex(document["researcher"])),
        agent=Agent(AgentKind(kind), name, bytes.fromhex(token), bytes.fromhex(session)),
        state=JobState(document["state"]),
        created_at=UnixSeconds(document["created_at"]),
        changed_at=UnixSeconds(document["changed_at"]),
        phase=Phase(document["phase"]),
        percent=document["percent"],
        code=document["code"],
        attempts=document["attempts"],
        holder=document["holder"],
        leased_until=document["leased_until"],
        result=bytes(document["result"]),
        prepared=bytes(document["prepared"]),
        removed_at=document["removed_at"],
        revision=document["revision"],
    )
