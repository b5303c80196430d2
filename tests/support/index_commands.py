"""What every client of this process says to one database of an index, for as long as one listens."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo import monitoring
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

WRITES = ("insert", "update", "delete")
RANGES = ("$gt", "$gte", "$lt", "$lte")


@dataclass(slots=True)
class Said(CommandListener):  # type: ignore[misc]
    """``operators``: every name that begins with a dollar sign. ``types``: of all values in documents and
    filters, ``ordered`` of those that a range begins or ends with. ``unsure``: collections written with less
    than majority and journal.
    """

    database: str
    commands: set[str] = field(default_factory=set)
    operators: set[str] = field(default_factory=set)
    types: set[type] = field(default_factory=set)
    ordered: set[type] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def started(self, event: CommandStartedEvent) -> None:
        if event.database_name != self.database:
            return  # of another test
        name, command = event.command_name, event.command
        with self._lock:
            self.commands.add(name)
            for member in (
                "filter",
                "query",
                "documents",
                "updates",
                "deletes",
                "pipeline",
                "indexes",
                "sort",
            ):
                for key, value in _walk(command.get(member)):
                    self.types.add(type(value))
                    if key.startswith("$"):
                        self.operators.add(key)
                    if key in RANGES:
                        self.ordered.add(type(value))
            if name in WRITES and command.get("writeConcern") != {"w": "majority", "j": True}:
                self.unsure.add(command[name])

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


def listen(database: str) -> Said:
    """Hear every client that is made from now on; the driver never lets go of a listener."""
    said = Said(database)
    monitoring.register(said)
    return said


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield key, member
            yield from _walk(member)
    elif isinstance(value, list):
        for member in value:
            yield "", member
            yield from _walk(member)
