"""Builds what speaks ABDM."""

from __future__ import annotations

from collections.abc import Callable

from backend.adapters.index.abdm_store import MongoArtefactStore
from backend.consent.deciding import DecisionService
from backend.consent.evidence import EvidenceBook
from backend.consent.history import HistoryService
from backend.consent.requests import RequestService
from backend.consent.tables import Tables
from backend.interop.abdm.providers import ProviderBook
from backend.interop.abdm.service import AbdmArtefacts
from backend.interop.receipts.signing import DocumentSigner
from backend.records.manifests import ManifestBook
from backend.stores import Stores


def open_abdm(
    stores: Stores,
    *,
    requests: RequestService,
    evidence: EvidenceBook,
    history: HistoryService,
    manifests: ManifestBook,
    decisions: DecisionService,
    tables: Tables,
    clock: Callable[[], int],
) -> AbdmArtefacts:
    return AbdmArtefacts(
        requests=requests,
        evidence=evidence,
        history=history,
        providers=ProviderBook(custodian=stores.tenant, manifests=manifests, decisions=decisions),
        store=MongoArtefactStore(stores.database),
        signer=DocumentSigner(stores.keys),
        tables=tables,
        clock=clock,
    )
