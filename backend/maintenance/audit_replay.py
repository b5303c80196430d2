"""``assent audit replay``: an entry of a stopped service's log, decided again from what the stores keep."""

from __future__ import annotations

from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.record_index import MongoRecordIndex
from backend.adapters.index.use_store import MongoUseStore
from backend.adapters.ledger.past import EventLedger
from backend.audit.errors import UnknownEntry
from backend.consent.errors import EvidenceGone
from backend.consent.evidence import EvidenceBook
from backend.consent.restrictions import RestrictionQueue
from backend.consent.tables import Tables, load_tables
from backend.maintenance.stopped_log import StoppedLog
from backend.records.label_loading import tables_digest, tables_with_map
from backend.records.manifests import ManifestBook
from backend.records.replaying import KeptInIndex, Replay, Replayer
from backend.sealed import DocumentSealer
from backend.stores import Stores


def kept_by(stores: Stores) -> KeptInIndex:
    sealer = DocumentSealer(stores.keys)
    return KeptInIndex(
        EvidenceBook(
            index=MongoConsentIndex(stores.database),
            ledger=stores.ledger,
            sealer=sealer,
            restrictions=RestrictionQueue(),
            uses=MongoUseStore(stores.database, stores.keys),
        ),
        ManifestBook(
            index=MongoRecordIndex(stores.database),
            keys=stores.keys,
            sealer=sealer,
            ledger=stores.commitments,
            erases=lambda *_: False,  # what is only locked is still evidence
        ),
    )


def replay_entry(stores: Stores, index: int) -> tuple[Replay, Tables]:
    """Decide an entry again. Raises UnknownEntry for an index that is not in the log, NotADecision,
    EvidenceGone, EntryDamaged and Unavailable errors."""
    tables = load_tables()
    digest = tables_digest(tables, tables_with_map(stores.settings.label_map_file))
    opened = StoppedLog(stores, reader="audit-replay")
    try:
        if not 0 <= index < opened.log.state.size:
            raise UnknownEntry
        try:
            found = opened.search.find(None, index)
        except UnknownEntry as nobodys:
            raise EvidenceGone(f"The audit key that entry {index} was sealed under is gone.") from nobodys
        event = found.event
        if event is None:
            raise UnknownEntry  # ``find`` raises EntryDamaged for those
        opened.note(event.subject)
        replayer = Replayer(
            kept=kept_by(stores),
            ledger=EventLedger(stores.events, stores.deployment),
            tables=tables,
            digest=digest,
        )
        return replayer.replay(event), tables
    finally:
        opened.close()
