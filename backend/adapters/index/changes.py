"""Which documents were written since somebody last asked: a listener on the driver's commands.

Every write of this process is seen, whichever adapter makes it; no other process writes (the data directory's
lock). A write counts when it has ended, in success or not, unless the server says that nothing
matched. A document named without a change costs a read.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import bson
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

MAX_CHANGES: Final = 200_000
# In the place of ids: any document of the collection.
_EVERYTHING: Final[set[Any] | None] = None


class Deleted(NamedTuple):
    """Documents that were deleted by what they say, in the place of ids: the filter, as BSON."""

    matching: bytes


class IndexChanges(CommandListener):
    """Implements ``backend.backup.ports.Recorder``."""

    def __init__(self, *, max_changes: int = MAX_CHANGES) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[int, tuple[str, set[Any] | None]] = {}
        self._changes: dict[str, set[Any] | None] = {}
        self._count = 0
        self._max = max_changes

    def take(self) -> Mapping[str, set[Any] | None] | None:
        with self._lock:
            changes, overflowed = self._changes, self._count > self._max
            self._changes, self._count = {}, 0
        return None if overflowed else changes

    def put_back(self, changes: Mapping[str, set[Any] | None]) -> None:
        for collection, ids in changes.items():
            self._add(collection, ids)

    def started(self, event: CommandStartedEvent) -> None:
        written = _written(event.command_name, event.command)
        if written is not None:
            with self._lock:
                self._under_way[event.request_id] = written

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._ended(event.request_id, changed=event.reply.get("n") != 0)

    def failed(self, event: CommandFailedEvent) -> None:
        self._ended(event.request_id, changed=True)

    def _ended(self, request_id: int, *, changed: bool) -> None:
        with self._lock:
            written = self._under_way.pop(request_id, None)
        if written is not None and changed:
            self._add(*written)

    def _add(self, collection: str, ids: set[Any] | None) -> None:
        with self._lock:
            if self._count > self._max:
                return  # the next copy begins anew
            known = self._changes.setdefault(collection, set())
            if ids is None:
                self._changes[collection] = _EVERYTHING
            elif known is not None:
                before = len(known)
                known |= ids
                self._count += len(known) - before


def _written(name: str, command: Mapping[str, Any]) -> tuple[str, set[Any] | None] | None:
    """Return the collection and the ids that a command writes; None for one that writes nothing."""
    match name:
        case "insert":
            return command["insert"], {document["_id"] for document in command["documents"]}
        case "update":
            return command["update"], _ids([update["q"] for update in command["updates"]])
        case "delete":
            return command["delete"], _deleted(command["deletes"])
        case "findAndModify":
            return command["findAndModify"], _ids([command.get("query", {})])
        case "drop":
            return command["drop"], _EVERYTHING
    return None


def _deleted(deletes: Sequence[Mapping[str, Any]]) -> set[Any] | None:
    found: set[Any] = set()
    for delete in deletes:
        ids = _ids([delete["q"]])
        if ids is not None:
            found |= ids
        elif delete["limit"] == 0:  # all that match: the same ones whenever it is done again
            found.add(Deleted(bson.encode(delete["q"])))
        else:
            return _EVERYTHING
    return found


def _ids(filters: Sequence[Mapping[str, Any]]) -> set[Any] | None:
    """Return the ids that these filters can match; None where they do not say."""
    found: set[Any] = set()
    for each in filters:
        key = each.get("_id")
        if key is None:
            return _EVERYTHING
        if not isinstance(key, Mapping):
            found.add(key)
        elif key.keys() == {"$in"}:
            found.update(key["$in"])
        else:
            return _EVERYTHING
    return found
