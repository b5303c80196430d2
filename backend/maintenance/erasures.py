"""What was erased is gone, and stays gone: nothing of it is missing, and nothing of it may come back."""

from __future__ import annotations

from dataclasses import dataclass, field

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.erasables import LATER
from backend.adapters.index.erasure_store import MongoErasureRows
from backend.erasure.service import ACT
from backend.erasure.types import ErasureRow, State
from backend.erasure_wiring import open_erasables
from backend.maintenance.report import Report
from backend.records.manifest import manifest_share_of, salt_of, version_name
from backend.records_wiring import open_slots
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import Bytes32, RecordId, SubjectId


@dataclass(slots=True)
class Gone:
    """What is erased, or being destroyed: of that, everything may be missing, be it for a moment."""

    subjects: set[SubjectId] = field(default_factory=set)
    records: set[RecordId] = field(default_factory=set)
    commitments: set[Bytes32] = field(default_factory=set)  # that stand, and are about to be withdrawn

    def has(self, subject: SubjectId, record: RecordId) -> bool:
        return subject in self.subjects or record in self.records


def read_gone(stores: Stores) -> Gone:
    """Raises IndexUnavailable."""
    gone = Gone()
    rows, _ = MongoErasureRows(stores.database, stores.keys).sorted_out()
    for row in rows:
        if row.state in (State.DESTROYING, State.ERASED):
            gone.records.update(row.scope.records)
            if row.scope.is_person:
                gone.subjects.add(row.scope.subject)
    for act in MongoActStore(stores.database, stores.keys).sound_unfinished([ACT]):
        if "plan" in act.data:
            gone.commitments.update(map(Bytes32, act.data["plan"]["commitments"]))
    return gone


def check_erasures(stores: Stores, report: Report) -> None:
    """Name what came back of what was erased. Raises Unavailable errors only."""
    sealer = DocumentSealer(stores.keys)
    slots = open_slots(stores, sealer)
    classes = open_erasables(stores, slots=slots, sealer=sealer)
    rows, damaged = MongoErasureRows(stores.database, stores.keys).sorted_out()
    for name in damaged:
        report.damaged("document_damaged", f"erasures {name}")
    for row in rows:
        report.counts["erasures"] += 1
        if row.state is not State.ERASED:
            continue
        for erasable in classes:
            count = 0 if erasable.name in LATER else erasable.count(row.scope)
            if count:
                where = f"{count} {erasable.name} of erasure {row.erasure_id}"
                report.damaged("erased_row_returned", where)
        if _key_returned(stores, sealer, row):
            report.damaged("erased_key_returned", f"erasure {row.erasure_id}")


def _key_returned(stores: Stores, sealer: DocumentSealer, row: ErasureRow) -> bool:
    if row.scope.is_person:
        return sealer.has_key(row.scope.subject)
    names = [version_name(record, 1) for record in row.scope.records]
    return any(
        stores.keys.exists(*name) for each in names for name in (salt_of(each), manifest_share_of(each))
    )
