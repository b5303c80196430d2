"""``assent reindex``: what the index repeats of the chain, rebuilt from its events and the signed documents.

Every value is computed, compared and set where it differs, so a run that is killed leaves nothing half done.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.projections import Projections
from backend.adapters.index.record_index import MongoRecordIndex
from backend.consent.service import ACT as CONSENT_ACT
from backend.consent.terms import ZERO32, Grant, Kind
from backend.maintenance.chain_facts import ChainFacts, read_chain
from backend.records.manifest import version_name
from backend.records.ports import VersionRow
from backend.records.storing import ACT as RECORD_ACT
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import Bytes32, ConsentId, RecordId


def reindex(stores: Stores) -> Counter[str]:
    """Rebuild, and return how many rows were looked at and changed. Raises Unavailable errors, and
    SealedDocumentRefused where a document is damaged ('assent fsck' names it)."""
    facts = read_chain(stores)
    done: Counter[str] = Counter()
    _receipts(stores, facts, done)
    _answers(stores, facts, done)
    _current_versions(stores, facts, done)
    return done


def _receipts(stores: Stores, facts: ChainFacts, done: Counter[str]) -> None:
    projections = Projections(stores.database)
    for consent, indexed in projections.receipts().items():
        done["consents"] += 1
        recorded = facts.consents.get(consent)
        place = None if recorded is None else (recorded.block, recorded.transaction)
        if place != indexed:
            projections.set_receipt(consent, place)
            done["receipts changed"] += 1


def _answers(stores: Stores, facts: ChainFacts, done: Counter[str]) -> None:
    """Requests are answered by the recorded grants that name them, in the order of the chain."""
    index, sealer = MongoConsentIndex(stores.database), DocumentSealer(stores.keys)
    acts = MongoActStore(stores.database, stores.keys)
    answers: dict[Bytes32, tuple[str, ConsentId]] = {}
    for consent in facts.consents:
        row = index.get(consent)
        if row is None:
            continue
        document = row.opened(sealer).document
        if isinstance(document, Grant) and document.request != ZERO32:
            act = acts.get(CONSENT_ACT, consent.hex())
            if act is None or act.is_over:
                state = "granted" if document.kind == Kind.PERMIT else "refused"
                answers[document.request] = (state, consent)
    for request_id, (state, consent) in answers.items():
        request = index.request(request_id)
        if request is None:
            done["requests missing"] += 1
            continue
        done["requests"] += 1
        if (request.state, request.consent_id) != (state, consent):
            index.answer_request(request.request_id, state=state, consent_id=consent)
            done["answers changed"] += 1


def _current_versions(stores: Stores, facts: ChainFacts, done: Counter[str]) -> None:
    """The version that is read is the newest whose commitment stands."""
    acts, projections = MongoActStore(stores.database, stores.keys), Projections(stores.database)
    versions: dict[RecordId, list[VersionRow]] = defaultdict(list)
    for row in MongoRecordIndex(stores.database).everything():
        act = acts.get(RECORD_ACT, version_name(row.record_id, row.version))
        if act is None or act.is_over:
            versions[row.record_id].append(row)
    for rows in versions.values():
        standing = [row.version for row in rows if row.commitment in facts.commitments]
        newest = max(standing, default=0)
        for row in rows:
            done["record versions"] += 1
            if row.current != (row.version == newest):
                projections.set_current(row.record_id, row.version, current=row.version == newest)
                done["versions changed"] += 1
