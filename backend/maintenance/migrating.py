"""``assent migrate``: data of an earlier release becomes data of this one, after a checked backup."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from backend.adapters.schema_version import (
    SCHEMA,
    SchemaNewer,
    Version,
    note_directory,
    note_index,
    of_directory,
    of_index,
)
from backend.backup.checking import WrittenBase, read_back
from backend.backup.making import make_base, prune
from backend.backup.recovery_key import read_service_half
from backend.backup.shelf import Shelf
from backend.backup_wiring import sources_of
from backend.errors import OperatorError
from backend.maintenance.fsck import require_deployment
from backend.maintenance.migration_steps import STEPS
from backend.settings import Settings
from backend.stores import Stores, open_stores


class MigrationNeedsBackup(OperatorError):
    code = "migration_needs_backup"
    remedy = (
        "Say where the backup before the migration goes: --to and --service-half, or the settings of backups."
        " If you have one that you verified, give --without-backup."
    )


def migrate(
    settings: Settings, *, dry_run: bool, with_backup: bool, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Take the data of stopped stores through the steps that it lacks; return what was done, or would be.

    Raises NoDeployment, DataDirectoryInUse, SchemaNewer, SchemaUnreadable, MigrationNeedsBackup, and what
    making and checking a backup raises.
    """
    require_deployment(settings)
    stores = open_stores(settings, any_schema=True)
    with closing(stores.closing):
        found = _found(stores)
        steps = [step for step in STEPS if step.number > found.number]
        answer: dict[str, Any] = {"from": found.number, "to": SCHEMA}
        if dry_run:
            listed = {step.does: sum(1 for _ in step.changes(stores)) for step in steps}
            return {**answer, "would change": listed}
        if not steps and not found.unfinished:
            return answer
        if found.unfinished:
            tell("a migration was begun before: it goes on, and the backup that was made then counts")
        elif with_backup:
            answer["backup"] = _back_up(stores, settings, tell)
        return {**answer, "changed": _run(stores, found, tell)}


def _found(stores: Stores) -> Version:
    """Return the older version of directory and index. Raises SchemaNewer."""
    both = [of_directory(stores.directory.root), of_index(stores.database)]
    newest = max(version.number for version in both)
    if newest > SCHEMA:
        raise SchemaNewer(f"the data has version {newest}, this release knows {SCHEMA}")
    return Version(min(version.number for version in both), any(version.unfinished for version in both))


def _back_up(stores: Stores, settings: Settings, tell: Callable[[str], None]) -> str:
    """Make a whole backup, check it, and return its name."""
    if settings.backup_directory is None or settings.backup_recovery_key is None:
        raise MigrationNeedsBackup
    key = read_service_half(settings.backup_recovery_key)
    shelf, sources = Shelf(settings.backup_directory), sources_of(stores)
    with shelf.writing():
        base = make_base(sources, shelf, key, clock=_clock)
        blocks = read_back(WrittenBase(base, key), shelf, stores.blocks).get("blocks", 0)
        prune(shelf, sources, keep=settings.backup_generations, now=_clock())
    tell(f"backup {base.manifest.generation} is made and checked: {blocks} blocks")
    return base.manifest.generation


def _run(stores: Stores, found: Version, tell: Callable[[str], None]) -> dict[str, int]:
    """Do the steps. From before the first write until after the last, no release starts on this data."""
    root, database = stores.directory.root, stores.database
    note_directory(root, Version(found.number, unfinished=True))
    note_index(database, Version(found.number, unfinished=True))
    changed: dict[str, int] = {}
    for step in STEPS[found.number :]:
        count = 0
        for change in step.changes(stores):
            change()
            count += 1
        changed[step.does] = count
        tell(f"{step.number}  {step.does}: {count} changed")
        note_index(database, Version(step.number, unfinished=True))
    note_index(database, Version(SCHEMA))
    note_directory(root, Version(SCHEMA))
    return changed


def _clock() -> int:
    return int(time.time())
