"""What the rules of retention would erase, found in the stores of a stopped service."""

from __future__ import annotations

import time
from collections.abc import Sequence

from backend.adapters.index.erasables import RecordVersions
from backend.adapters.index.erasure_store import MongoErasureRows, MongoHoldRows
from backend.adapters.index.record_index import MongoRecordIndex
from backend.consent.restrictions import RestrictionQueue
from backend.consent.tables import load_tables
from backend.erasure.holds import active_hold
from backend.erasure.retention import Due, Overdue, read_rules
from backend.erasure.types import State
from backend.records.manifests import ManifestBook
from backend.sealed import DocumentSealer
from backend.stores import Stores


def due_now(stores: Stores) -> Sequence[Due]:
    """Raises RetentionRulesInvalid and Unavailable errors."""
    file = stores.settings.retention_file
    erased, holds = RestrictionQueue(), MongoHoldRows(stores.database, stores.keys)
    for row in MongoErasureRows(stores.database, stores.keys).all():
        if row.state is not State.CANCELLED:
            for record in row.scope.locks:
                erased.restore_erasure(row.scope.subject, record)
    manifests = ManifestBook(
        index=MongoRecordIndex(stores.database),
        keys=stores.keys,
        sealer=DocumentSealer(stores.keys),
        ledger=stores.commitments,
        erases=erased.erases,
    )
    overdue = Overdue(
        rules=() if file is None else read_rules(file, load_tables()),
        records=RecordVersions(stores.database),
        open_manifest=manifests.unchecked,
        erases=erased.erases,
        held=lambda scope: active_hold(holds, scope, now=int(time.time())) is not None,
        clock=lambda: int(time.time()),
    )
    return list(overdue.find())
