"""Checks every signed document: it opens, its id is its hash, the chain knows it, and none is missing."""

from __future__ import annotations

import json
from collections import defaultdict

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.consent.evidence_store import ConsentRow
from backend.consent.service import ACT
from backend.consent.typed_data import consent_id
from backend.errors import AssentError, IntegrityError
from backend.keystore import SecretNotFound
from backend.maintenance.chain_facts import ChainFacts
from backend.maintenance.erasures import Gone
from backend.maintenance.report import Report
from backend.outbox.types import FAILED
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import ConsentId, SubjectId


def check_consents(stores: Stores, facts: ChainFacts, gone: Gone, report: Report) -> None:
    """Add to the report. Raises Unavailable errors only."""
    index = MongoConsentIndex(stores.database)
    acts = MongoActStore(stores.database, stores.keys)
    sealer = DocumentSealer(stores.keys)
    good: dict[SubjectId, list[ConsentId]] = defaultdict(list)
    seen: set[ConsentId] = set()
    rows, malformed = index.sorted_out()
    for name in malformed:
        report.damaged("consent_row_malformed", f"consent {name}")
    for row in rows:
        if row.subject in gone.subjects:
            continue
        report.counts["consents"] += 1
        seen.add(row.consent_id)
        where = f"consent {row.consent_id.hex()}"
        refusal = _refusal(row, sealer)
        if refusal is not None:
            report.damaged(refusal, where)
            continue
        good[row.subject].append(row.consent_id)
        _compare(row, facts, acts, report, where)
    lawful = {consent for consent, recorded in facts.consents.items() if recorded.subject in gone.subjects}
    for missing in sorted(set(facts.consents) - seen - lawful):
        report.damaged("consent_missing", f"consent {missing.hex()}")
    view = stores.ledger.view()
    for subject in sorted(facts.subjects - gone.subjects):
        report.counts["subjects"] += 1
        ids = tuple(good[subject])
        evidence = stores.ledger.evidence(subject, ids, block=view.head_number)
        covered = sum(slot.is_recorded and slot.not_before != 0 for slot in evidence.slots)
        if covered != evidence.count:
            report.damaged(
                "consents_incomplete", f"subject {subject:024x}: {covered} of {evidence.count} documents"
            )


def _refusal(row: ConsentRow, sealer: DocumentSealer) -> str | None:
    """Return the code of what is wrong with the document itself."""
    try:
        document = row.opened(sealer).document
    except SecretNotFound:
        return "consent_key_missing"
    except IntegrityError:
        return "consent_damaged"
    except (AssentError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        return "consent_unreadable"
    if consent_id(document) != row.consent_id:
        return "consent_id_differs"
    return None if document.subject == row.subject else "consent_subject_differs"


def _compare(row: ConsentRow, facts: ChainFacts, acts: MongoActStore, report: Report, where: str) -> None:
    recorded = facts.consents.get(row.consent_id)
    act = acts.sound(ACT, row.consent_id.hex())
    if recorded is not None:
        waiting = act is not None and not act.is_over
        if (row.block, row.transaction) != (recorded.block, recorded.transaction) and not waiting:
            report.damaged("receipt_differs", f"{where}: run 'assent reindex'")
    elif act is None:
        # The power of a guardian whose claim is not on the chain yet: the next start completes it.
        if row.subject in facts.subjects:
            report.damaged("consent_not_on_chain", where)
        else:
            report.counts["consents being recorded"] += 1
    elif act.state == FAILED:
        report.left("consent_refused", where)  # the contract refused it, and the signer was told
    elif act.is_over:
        report.damaged("consent_not_on_chain", where)
    else:
        report.counts["consents being recorded"] += 1
