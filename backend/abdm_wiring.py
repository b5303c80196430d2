"""Builds what speaks ABDM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from backend.adapters.index.abdm_store import MongoArtefactStore
from backend.consent.deciding import DecisionService
from backend.consent.evidence import EvidenceBook
from backend.consent.history import HistoryService
from backend.consent.requests import RequestService
from backend.consent.tables import Tables
from backend.interop.abdm.notifying import AbdmNotifications
from backend.interop.abdm.providers import ProviderBook
from backend.interop.abdm.service import AbdmArtefacts
from backend.interop.receipts.signing import DocumentSigner
from backend.notices.noticing import notice_id
from backend.notices.types import NoticeReason, Told, Topic
from backend.records.manifests import ManifestBook
from backend.stores import Stores
from backend.types import ConsentId, SubjectId


@dataclass(frozen=True, slots=True)
class Abdm:
    """Implements ``backend.notices.ports.Dialect`` beside."""

    artefacts: AbdmArtefacts
    notifications: AbdmNotifications

    def told(self, subject: SubjectId, consent: ConsentId) -> Sequence[Told]:
        return [
            Told(each.member, Topic.ABDM_NOTIFY, each.name, each.body, each.name if each.ends else None)
            for each in self.notifications.of(subject, consent)
        ]


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
) -> Abdm:
    store = MongoArtefactStore(stores.database)
    artefacts = AbdmArtefacts(
        requests=requests,
        evidence=evidence,
        history=history,
        providers=ProviderBook(custodian=stores.tenant, manifests=manifests, decisions=decisions),
        store=store,
        signer=DocumentSigner(stores.keys),
        tables=tables,
        clock=clock,
    )
    notifications = AbdmNotifications(
        artefacts=artefacts,
        requests=requests,
        evidence=evidence,
        store=store,
        name_of_end=partial(notice_id, NoticeReason.REVOKED),
        clock=clock,
    )
    return Abdm(artefacts, notifications)
