"""Collections of a ledger copied and put back, as somebody with the index's files can."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo.database import Database

from backend.maintenance.fsck import check_everything
from backend.settings import Settings
from backend.stores import open_stores

Copy = dict[str, list[dict[str, Any]]]


def copy_of(database: Database[dict[str, Any]], collections: Sequence[str]) -> Copy:
    return {name: list(database[name].find({})) for name in collections}


def put_back(directory: Path, copy: Copy) -> set[str]:
    """Put documents in the place of what is there; return what ``fsck`` names. No service runs."""
    stores = open_stores(Settings(data_directory=directory))
    try:
        for name, documents in copy.items():
            stores.database[name].delete_many({})
            if documents:
                stores.database[name].insert_many(documents)
        return {finding.code for finding in check_everything(stores).damage}
    finally:
        stores.closing.close()
