"""The state and the artefacts of a request that came in ABDM's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backend.consent.evidence import EvidenceBook
from backend.consent.history import HistoryService
from backend.consent.lifecycle import Circumstances, grantees, state_of
from backend.consent.requests import ConsentRequest, RequestService
from backend.consent.states import State
from backend.consent.tables import Tables
from backend.consent.terms import Grant, Kind
from backend.errors import NotFound
from backend.interop.abdm.artefact import Provider, artefact_id, consent_detail, signed, status_of
from backend.interop.abdm.ports import ArtefactRow, ArtefactStore
from backend.interop.abdm.providers import ProviderBook
from backend.interop.abdm.request import AbdmConsent, read_consent
from backend.interop.receipts.signing import DocumentSigner
from backend.types import ConsentId, MemberId, SubjectId


@dataclass(frozen=True, slots=True)
class Standing:
    """``status`` is ABDM's word; ``artefacts`` are ids, none before there was a grant."""

    status: str
    artefacts: Sequence[str]


class AbdmArtefacts:
    """Reads raise Unavailable, LedgerUnavailable and IntegrityError."""

    def __init__(
        self,
        *,
        requests: RequestService,
        evidence: EvidenceBook,
        history: HistoryService,
        providers: ProviderBook,
        store: ArtefactStore,
        signer: DocumentSigner,
        tables: Tables,
        clock: Callable[[], int],
    ) -> None:
        self._requests = requests
        self._evidence = evidence
        self._history = history
        self._providers = providers
        self._store = store
        self._signer = signer
        self._tables = tables
        self._clock = clock

    def standing(self, request: ConsentRequest) -> Standing:
        """Return the state of a request; the artefacts of a grant that is live get their ids here."""
        if request.consent_id is None:
            return Standing(status_of(request.state), ())
        grant, state = self._grant(request.asked.subject, request.consent_id)
        status = status_of(state)
        if grant.kind != Kind.PERMIT:
            return Standing("DENIED", ())
        if status == "GRANTED":
            for provider in self._providers.of(grant, request.consent_id):
                if self._detail(grant, request.consent_id, request, provider) is not None:
                    self._store.put(_row(request, request.consent_id, provider.member))
        rows = self._store.of_consent(request.consent_id)
        return Standing(status, sorted(row.artefact_id for row in rows))

    def fetch(self, name: str, *, member: MemberId) -> dict[str, Any]:
        """Return an artefact to its HIU or HIP. Raises NotFound, also to others."""
        row = self.row(name, member=member)
        request = self._requests.get(row.request_id)
        grant, state = self._grant(row.subject, row.consent_id)
        provider = Provider(row.hip, ())
        if status_of(state) == "GRANTED":  # an artefact that is over names no records
            for each in self._providers.of(grant, row.consent_id):
                provider = each if each.member == row.hip else provider
        detail = self._detail(grant, row.consent_id, request, provider)
        if detail is None:
            raise NotFound
        return signed(detail, status=status_of(state), signer=self._signer)

    def row(self, name: str, *, member: MemberId) -> ArtefactRow:
        """Return what an artefact's id stands for. Raises NotFound, also to other members."""
        row = self._store.get(name)
        if row is None or member not in (row.hiu, row.hip):
            raise NotFound
        return row

    def _detail(
        self, grant: Grant, consent: ConsentId, request: ConsentRequest, provider: Provider
    ) -> dict[str, Any] | None:
        row = self._history.rows(grant.subject).get(consent)
        created_at = grant.not_before if row is None else row.received_at
        return consent_detail(
            grant, consent, _source(request), provider, created_at=created_at, tables=self._tables
        )

    def _grant(self, subject: SubjectId, consent: ConsentId) -> tuple[Grant, State]:
        gathered = self._evidence.gather(subject)
        named = grantees([item.prepared.document for item in gathered.evidence])
        at = Circumstances.of(self._evidence.gather(subject, named), self._clock())
        for item in gathered.evidence:
            document = item.prepared.document
            if item.prepared.consent_id == consent and isinstance(document, Grant):
                return document, state_of(item, at)
        raise NotFound


def _source(request: ConsentRequest) -> AbdmConsent:
    return read_consent(json.loads(request.source), now=None)


def _row(request: ConsentRequest, consent: ConsentId, hip: MemberId) -> ArtefactRow:
    return ArtefactRow(
        artefact_id=artefact_id(consent, hip),
        request_id=request.request_id,
        consent_id=consent,
        subject=request.asked.subject,
        hip=hip,
        hiu=request.asked.grantee,
    )
