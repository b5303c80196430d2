"""``assent reindex``: what the index repeats of the chain, rebuilt from its events and the signed documents.

Every value is computed, compared and set where it differs, so a run that is killed leaves nothing half done.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.projections import Place, Projections
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
    projections, changed = Projections(stores.database), dict[ConsentId, Place | None]()
    for consent, indexed in projections.receipts().items():
        done["consents"] += 1
        recorded = facts.consents.get(consent)
        place = None if recorded is None else (recorded.block, recorded.transaction)
        if place != indexed:
            changed[consent] = place
            done["receipts changed"] += 1
    projections.set_receipts(changed)


def _answers(stores: Stores, facts: ChainFacts, done: Counter[str]) -> None:
    """Requests are answered by the recorded grants that name them, in the order of the chain."""
    index, sealer = MongoConsentIndex(stores.database), DocumentSealer(stores.keys)
    under_way, given = _under_way(stores, CONSENT_ACT), dict[ConsentId, tuple[Bytes32, str]]()
    for row in index.everything():
        if row.consent_id not in facts.consents or row.consent_id.hex() in under_way:
            continue
        document = row.opened(sealer).document
        if isinstance(document, Grant) and document.request != ZERO32:
            state = "granted" if document.kind == Kind.PERMIT else "refused"
            given[row.consent_id] = (document.request, state)
    answers: dict[Bytes32, tuple[str, ConsentId]] = {}
    for consent in facts.consents:
        if consent in given:
            named, state = given[consent]
            answers[named] = (state, consent)
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
    under_way, changed = _under_way(stores, RECORD_ACT), dict[tuple[RecordId, int], bool]()
    versions: dict[RecordId, list[VersionRow]] = defaultdict(list)
    for row in MongoRecordIndex(stores.database).everything():
        if version_name(row.record_id, row.version) not in under_way:
            versions[row.record_id].append(row)
    for rows in versions.values():
        standing = [row.version for row in rows if row.commitment in facts.commitments]
        newest = max(standing, default=0)
        for row in rows:
            done["record versions"] += 1
            if row.current != (row.version == newest):
                changed[row.record_id, row.version] = row.version == newest
                done["versions changed"] += 1
    Projections(stores.database).set_current(changed)


def _under_way(stores: Stores, kind: str) -> set[str]:
    """The ids of acts that are not over: what they set is theirs to set."""
    return {act.act_id for act in MongoActStore(stores.database, stores.keys).unfinished([kind])}
