"""Erases again, in a restored deployment, what had been erased after the backup was made."""

from __future__ import annotations

from collections import Counter

from backend.adapters.index.record_index import MongoRecordIndex
from backend.errors import IntegrityError
from backend.keystore import KeyName, SecretNotFound
from backend.maintenance.chain_facts import read_chain
from backend.records.manifest import decode, place_of, version_name
from backend.records.ports import VersionRow
from backend.sealed import DocumentSealer
from backend.stores import Stores


def replay_erasures(stores: Stores) -> Counter[str]:
    """Destroy the erasure shares of each version whose commitment was withdrawn on the chain.

    What the tail tells of was never restored. Raises Unavailable errors.
    """
    withdrawn = read_chain(stores).withdrawn
    sealer = DocumentSealer(stores.keys)
    done: Counter[str] = Counter()
    names: list[KeyName] = []
    for row in MongoRecordIndex(stores.database).everything():
        if row.commitment not in withdrawn:
            continue
        found = [name for name in _shares(row, sealer) if stores.keys.exists(*name)]
        done["versions erased again"] += bool(found)
        names += found
    stores.keys.erase_many(names)
    return done


def _shares(row: VersionRow, sealer: DocumentSealer) -> list[KeyName]:
    try:
        place = place_of(version_name(row.record_id, row.version))
        manifest = decode(sealer.open(row.manifest, subject=row.subject, place=place))
    except (SecretNotFound, IntegrityError):
        return []  # erased with its keys, or damaged: fsck names it
    return [
        ("erasure_share", f"{version_name(row.record_id, row.version)}/{segment.name}")
        for segment in manifest.segments
    ]
