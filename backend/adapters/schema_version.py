"""In which form the stores were written: a number in the data directory and the same one in the index.

The file speaks for key store, block store and chain, the document for the index, which may lie elsewhere.
Both are written before anything else is. What has neither was written before there were numbers: version 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pymongo.database import Database

from backend.adapters.durable import write_file
from backend.adapters.index.failures import translated
from backend.errors import OperatorError

SCHEMA: Final = 2
"""What this release reads and writes. It rises with each step in ``backend.maintenance.migration_steps``."""

FILE: Final = "schema.json"
_STORES: Final = ("keys", "chain", "index", "blocks")
_WHOLE: Final = "whole"
_MIGRATING: Final = "migrating"
_KEY: Final[Mapping[str, str]] = {"_id": "schema"}


class SchemaOlder(OperatorError):
    code = "schema_older"
    remedy = (
        "An earlier release wrote this data, and nothing of it was changed. Stop every process that uses it, "
        "then call 'assent migrate'."
    )


class SchemaNewer(OperatorError):
    code = "schema_newer"
    remedy = (
        "A newer release wrote this data, and nothing of it was used. Install that release again, or restore "
        "a backup that was made before 'assent migrate'."
    )


class MigrationUnfinished(OperatorError):
    code = "migration_unfinished"
    remedy = "'assent migrate' did not come to its end on this data. Call it again: it goes on where it was."


class SchemaUnreadable(OperatorError):
    code = "schema_unreadable"
    remedy = (
        "Somebody else wrote the version of this data. Put schema.json, or the document in the collection "
        "schema, back as the backup of that day has it."
    )


@dataclass(frozen=True, slots=True)
class Version:
    """``unfinished``: a migration from here on was begun."""

    number: int
    unfinished: bool = False

    def require_current(self) -> None:
        """Raises SchemaNewer, MigrationUnfinished or SchemaOlder."""
        if self.number > SCHEMA:
            raise SchemaNewer(f"the data has version {self.number}, this release knows {SCHEMA}")
        if self.unfinished:
            raise MigrationUnfinished
        if self.number < SCHEMA:
            raise SchemaOlder(f"the data has version {self.number}, this release needs {SCHEMA}")


def of_directory(root: Path) -> Version:
    """Return a data directory's version; a new one gets the current one. Raises SchemaUnreadable."""
    path = root / FILE
    if path.exists():
        try:
            return _version(json.loads(path.read_bytes()))
        except ValueError as error:
            raise SchemaUnreadable(str(path)) from error
    if any((root / store).exists() for store in _STORES):
        return Version(0)
    note_directory(root, Version(SCHEMA))
    return Version(SCHEMA)


def note_directory(root: Path, version: Version) -> None:
    """Durable on return."""
    write_file(root / FILE, json.dumps(_fields(version)).encode())


def of_index(database: Database[dict[str, Any]]) -> Version:
    """Return an index's version; an empty one gets the current one. Raises SchemaUnreadable."""
    with translated():
        found = database["schema"].find_one(_KEY)
        if found is not None:
            return _version(found)
        if any(database[name].find_one({}, {"_id": 1}) for name in database.list_collection_names()):
            return Version(0)
    note_index(database, Version(SCHEMA))
    return Version(SCHEMA)


def note_index(database: Database[dict[str, Any]], version: Version) -> None:
    """Durable on return."""
    with translated():
        database["schema"].update_one(_KEY, {"$set": _fields(version)}, upsert=True)


def _fields(version: Version) -> dict[str, int | str]:
    # Words: nx-27017 gives a boolean that was updated back as a number.
    return {"version": version.number, "state": _MIGRATING if version.unfinished else _WHOLE}


def _version(fields: Mapping[str, Any]) -> Version:
    match fields:
        case {"version": int(number), "state": ("whole" | "migrating") as state} if number >= 0:
            return Version(number, unfinished=state == _MIGRATING)
    raise SchemaUnreadable
