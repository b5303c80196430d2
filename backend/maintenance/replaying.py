"""Erases again, in a restored deployment, what had been erased after the backup was made."""

from __future__ import annotations

from collections import Counter, defaultdict

from backend.adapters.index.erasure_store import MongoErasureRows
from backend.adapters.index.record_index import MongoRecordIndex
from backend.erasure.destruction import Destruction
from backend.erasure.service import replay
from backend.erasure.types import Scope
from backend.erasure_wiring import open_destruction
from backend.maintenance.chain_facts import read_chain
from backend.records.manifest import manifest_share_of, salt_of, version_name
from backend.records.manifests import ManifestBook
from backend.records.ports import VersionRow
from backend.records_wiring import open_slots
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import RecordId


def replay_erasures(stores: Stores) -> Counter[str]:
    """Destroy again what the rows of erasures name, and what the chain says is withdrawn.

    The tail's own erasures were never restored; here is what it did not reach. Raises Unavailable errors.
    """
    destruction = _destruction(stores)
    done: Counter[str] = Counter()
    for row in MongoErasureRows(stores.database, stores.keys).all():
        for name, count in replay(row, destruction).items():
            done[f"{name} erased again"] += count
    _erase_withdrawn(stores, destruction, done)
    return done


def _erase_withdrawn(stores: Stores, destruction: Destruction, done: Counter[str]) -> None:
    withdrawn = read_chain(stores).withdrawn
    versions: dict[RecordId, list[VersionRow]] = defaultdict(list)
    for row in MongoRecordIndex(stores.database).everything():
        versions[row.record_id].append(row)
    for record, rows in versions.items():
        gone = [row for row in rows if row.commitment in withdrawn]
        if len(gone) == len(rows):
            destruction.again(Scope(rows[0].subject, (record,)))
            done["records erased again"] += 1
        for row in gone if len(gone) < len(rows) else ():
            # A version alone: without its shares it opens no more.
            name = version_name(row.record_id, row.version)
            stores.keys.erase_many([salt_of(name), manifest_share_of(name)])
            done["versions erased again"] += 1


def _destruction(stores: Stores) -> Destruction:
    sealer = DocumentSealer(stores.keys)
    slots = open_slots(stores, sealer)
    manifests = ManifestBook(
        index=MongoRecordIndex(stores.database),
        keys=stores.keys,
        sealer=sealer,
        ledger=stores.commitments,
        erases=lambda _subject, _record: False,  # nobody asks whether something is locked: nothing is read
    )
    return open_destruction(
        stores, manifests=manifests, slots=slots, sealer=sealer, forget=lambda _subject: None
    )
