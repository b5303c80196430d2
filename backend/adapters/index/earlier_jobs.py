"""Runs of studies as they were kept before their results could be withheld and removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pymongo.database import Database

from backend.adapters.index.failures import translated

_Database = Database[dict[str, Any]]


def earlier_jobs(database: _Database) -> Iterator[tuple[str, bytes]]:
    """Yield each such run's id and its sealed result, b"" where it has none."""
    with translated():
        found = list(database["research_jobs"].find({}, {"prepared": 1, "result": 1}))
    for document in found:
        if "prepared" not in document:
            yield document["_id"], bytes(document["result"])


def participants_of(database: _Database, run: str) -> int:
    """Count whose data a run used. ``run``: its id in hex."""
    with translated():
        return database["research_uses"].count_documents({"_id": {"$gte": f"{run}:", "$lt": f"{run};"}})


def renew_job(database: _Database, job: str, result: bytes) -> None:
    """Keep a run as it is kept now; durable on return."""
    added = {"prepared": b"", "removed_at": None, "result": result}
    with translated():
        database["research_jobs"].update_one({"_id": job}, {"$set": added})
