"""Runs of studies as they were kept before their results could be withheld and removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pymongo.database import Database

from backend.adapters.index.failures import translated

# What a run that has neither is to be read as: nothing prepared, and its result still there.
_ADDED: Final[dict[str, Any]] = {"prepared": b"", "removed_at": None}


def incomplete_jobs(database: Database[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the id of each such run with what it lacks."""
    with translated():
        found = list(database["research_jobs"].find({}, dict.fromkeys(_ADDED, 1)))
    for document in found:
        lacking = {name: value for name, value in _ADDED.items() if name not in document}
        if lacking:
            yield document["_id"], lacking


def complete_job(database: Database[dict[str, Any]], job: str, lacking: dict[str, Any]) -> None:
    with translated():
        database["research_jobs"].update_one({"_id": job}, {"$set": lacking})
